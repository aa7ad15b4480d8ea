//! The map of the crates as their manifests draw it: arrows point down, and the cores cannot name what does IO.

use std::path::Path;

/// Our crates, and which of ours each may use.
const ARROWS: [(&str, &[&str]); 11] = [
    ("core/session", &[]),
    ("core/sfu", &[]),
    ("core/documents", &[]),
    ("core/node", &["lyceum-session", "lyceum-sfu"]),
    ("core/xapi", &[]),
    ("core/xapi/profile", &["lyceum-session", "lyceum-xapi"]),
    ("lrs", &["lyceum-xapi"]),
    (
        "server",
        &[
            "lyceum-session",
            "lyceum-sfu",
            "lyceum-node",
            "lyceum-documents",
            "lyceum-lrs",
            "lyceum-profile",
            "lyceum-xapi",
        ],
    ),
    ("sim", &["lyceum-session", "lyceum-sfu", "lyceum-node"]),
    ("bench/load", &["lyceum-session", "lyceum-sfu", "lyceum-node", "lyceum"]),
    ("fuzz", &["lyceum-session", "lyceum-sfu", "lyceum-node", "lyceum-documents", "lyceum"]),
];

/// Crates that open sockets, files, threads or clocks. Words that a dependency's name begins with.
const IO: [&str; 22] = [
    "tokio",
    "async-std",
    "smol",
    "mio",
    "socket2",
    "quinn",
    "hyper",
    "axum",
    "reqwest",
    "ureq",
    "tungstenite",
    "rusqlite",
    "sqlx",
    "rustls",
    "rayon",
    "crossbeam",
    "parking_lot",
    "chrono",
    "time",
    "rand",
    "getrandom",
    "futures",
];

/// Names that begin like those, of crates that only compute.
const PURE: [&str; 2] = ["rustls-pki-types", "rustls-webpki"];

/// What a core takes from outside, all of it pure.
const CORE_DEPENDENCIES: [&str; 17] = [
    "aws-lc-rs",
    "base64",
    "iri-string",
    "livekit-protocol",
    "oxilangtag",
    "prost",
    "proptest",
    "rustls-pki-types",
    "rustls-webpki",
    "schemars",
    "serde",
    "serde_json",
    "sha2",
    "str0m",
    "thiserror",
    "tracing",
    "yrs",
];

#[test]
fn arrows_between_our_crates_point_down() {
    for (krate, allowed) in crates() {
        for dependency in dependencies(krate, &["dependencies", "build-dependencies"]) {
            let ours = dependency.starts_with("lyceum");
            assert!(!ours || allowed.contains(&dependency.as_str()), "{krate} must not use {dependency}");
        }
    }
}

#[test]
fn cores_cannot_name_what_does_io() {
    for (krate, _) in crates().iter().filter(|(krate, _)| krate.starts_with("core/")) {
        for dependency in dependencies(krate, &["dependencies", "build-dependencies", "dev-dependencies"]) {
            let does_io = IO.iter().any(|word| dependency == *word || dependency.starts_with(&format!("{word}-")));
            assert!(!does_io || PURE.contains(&dependency.as_str()), "{krate} is a core and must not use {dependency}");
        }
    }
}

#[test]
fn a_new_dependency_of_a_core_is_a_decision() {
    for (krate, _) in crates().iter().filter(|(krate, _)| krate.starts_with("core/")) {
        for dependency in dependencies(krate, &["dependencies"]) {
            let known = dependency.starts_with("lyceum") || CORE_DEPENDENCIES.contains(&dependency.as_str());
            assert!(known, "{krate} uses {dependency}: see that it is pure, then add it here");
        }
    }
}

#[test]
fn a_crate_has_one_integration_test_binary() {
    for (krate, _) in crates() {
        let Ok(tests) = std::fs::read_dir(root().join(krate).join("tests")) else { continue };
        let binary =
            |path: &std::path::PathBuf| path.join("main.rs").exists() || path.extension() == Some("rs".as_ref());
        let binaries: Vec<_> = tests.map(|entry| entry.unwrap().path()).filter(binary).collect();
        assert!(binaries.len() <= 1, "each of {binaries:?} is linked by itself; make them modules of one");
    }
}

/// The members of the workspace, each with its arrows.
fn crates() -> Vec<(&'static str, &'static [&'static str])> {
    let root = manifest("");
    let members = root["workspace"]["members"].as_array().unwrap();
    let on_the_map = |member: &str| {
        let found = ARROWS.iter().find(|(krate, _)| *krate == member);
        *found.unwrap_or_else(|| panic!("{member} is not on the map in this test: say what it may use"))
    };
    assert!(members.len() >= 5);
    members.iter().map(|member| on_the_map(member.as_str().unwrap())).collect()
}

fn dependencies(krate: &str, tables: &[&str]) -> Vec<String> {
    let manifest = manifest(krate);
    let of = |table: &&str| manifest.get(*table).and_then(|table| table.as_table()).cloned().unwrap_or_default();
    let names: Vec<String> = tables.iter().flat_map(|table| of(table).keys().cloned().collect::<Vec<_>>()).collect();
    assert!(krate == "sim" || !names.is_empty(), "{krate} has no dependencies at all; is this its manifest?");
    names
}

fn manifest(krate: &str) -> toml::Table {
    let text = std::fs::read_to_string(root().join(krate).join("Cargo.toml")).unwrap();
    text.parse().unwrap()
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
