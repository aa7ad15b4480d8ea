//! Replays every corpus on stable Rust, and what lies near: each input is cut, repeated, spliced and has bytes changed, by a
//! seeded generator. `FUZZ_ROUNDS=100000 cargo test -p lyceum-fuzz` goes further.

#![allow(clippy::expect_used, reason = "a test that meets the unexpected stops there")]

use lyceum_fuzz::TARGETS;
use std::path::{Path, PathBuf};

const ROUNDS: usize = 100;

#[test]
fn every_known_input_is_harmless() {
    for (name, run) in TARGETS {
        run(&[]);
        let corpus = corpus(name);
        assert!(!corpus.is_empty(), "no corpus for {name}");
        for (path, bytes) in corpus {
            println!("{}", path.display());
            run(&bytes);
        }
    }
}

#[test]
fn what_is_near_a_known_input_is_harmless() {
    let rounds = std::env::var("FUZZ_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS);
    let only = std::env::var("FUZZ_TARGET").ok();
    for (name, run) in TARGETS.iter().filter(|(name, _)| only.as_deref().is_none_or(|only| only == *name)) {
        let inputs: Vec<Vec<u8>> = corpus(name).into_iter().map(|(_, bytes)| bytes).collect();
        let mut rng = fastrand::Rng::with_seed(7);
        for round in 0..rounds {
            let input = mutated(&mut rng, &inputs);
            let outcome = std::panic::catch_unwind(|| run(&input));
            if outcome.is_err() {
                let path = std::env::temp_dir().join(format!("lyceum-fuzz-{name}-{round}"));
                let kept = std::fs::write(&path, &input).is_ok();
                panic!("{name} broke in round {round}; kept: {kept}, {}", path.display());
            }
        }
    }
}

#[test]
fn every_corpus_has_its_target() {
    for entry in std::fs::read_dir(root()).expect("corpora").flatten() {
        let name = entry.file_name();
        assert!(TARGETS.iter().any(|(known, _)| *known == name.to_string_lossy()), "nobody reads {name:?}");
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let Ok(entries) = std::fs::read_dir(root().join(name)) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read(path).expect("a corpus file"))).collect()
}

fn mutated(rng: &mut fastrand::Rng, inputs: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = inputs[rng.usize(..inputs.len())].clone();
    for _ in 0..rng.usize(1..8) {
        let at = rng.usize(..=bytes.len());
        match rng.u8(..7) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, rng.u8(..)),
            2 => {
                let piece: Vec<u8> = bytes[at..].iter().take(rng.usize(..64)).copied().collect();
                bytes.splice(at..at, piece);
            }
            3 => {
                let other = &inputs[rng.usize(..inputs.len())];
                let from = rng.usize(..=other.len());
                bytes.splice(at.., other[from..].iter().copied());
            }
            4 if at < bytes.len() => {
                bytes.remove(at);
            }
            5 if at < bytes.len() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff, b'"', b'\n'][rng.usize(..7)],
            _ if at < bytes.len() => bytes[at] ^= 1 << rng.u8(..8),
            _ => {}
        }
    }
    bytes
}
