//! What the shell reads: frames of ICE-TCP, tokens, the query of a join, configuration, and the log from its disk.

use axum::http::HeaderMap;
use futures_util::FutureExt as _;
use lyceum::classroom::message::{self, Said};
use lyceum::config::{ApiKey, ApiKeys, Sources};
use lyceum::files::inspect::{Kind, pages};
use lyceum::net::tcp::{FRAME_MAX_BYTES, read_frame};
use lyceum::rtc::params::Params;
use lyceum::token::{Claims, Keyring, permission_of, profile_of};
use lyceum_session::{Event, State, apply};
use std::collections::HashMap;

/// A stream of length-prefixed frames: each is bounded, and the stream is read to its end or refused.
pub fn ice_tcp_frames(bytes: &[u8]) {
    let mut stream = bytes;
    let mut read = 0;
    while let Ok(frame) = read_frame(&mut stream).now_or_never().expect("bytes that are there need no waiting") {
        assert!(frame.len() <= FRAME_MAX_BYTES);
        read += 2 + frame.len();
    }
    assert!(read <= bytes.len());
}

/// A token is refused unless we signed it; claims are read without harm, and what they grant is what they say.
pub fn token(bytes: &[u8]) {
    let keys = ApiKeys::from([(
        "key".to_owned(),
        ApiKey { secret: "a secret that nobody guesses".to_owned(), tenant: "school".to_owned() },
    )]);
    let keyring = Keyring::new(keys);
    let text = String::from_utf8_lossy(bytes);
    assert!(keyring.verify(&text).is_err() && keyring.verify_ignoring_expiry(&text).is_err(), "a forged token");

    let Ok(claims) = serde_json::from_slice::<Claims>(bytes) else { return };
    let profile = profile_of(&claims);
    let says_no = claims.video.as_ref().is_some_and(|video| video.can_publish_data == Some(false));
    assert!(!(says_no && profile.permission.can_publish_data), "a grant that the token denies");
    if let Some(video) = &claims.video {
        assert_eq!(permission_of(video).hidden, video.hidden);
    }
    if let Ok(signed) = keyring.sign(&Claims { iss: "key".to_owned(), ..claims.clone() })
        && let Ok(verified) = keyring.verify_ignoring_expiry(&signed)
    {
        assert_eq!(verified.claims.identity(), claims.identity());
    }
}

/// The query of `/rtc`: attributes are refused or read, and what is said of the device stays short.
pub fn join_query(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    let pairs: HashMap<String, String> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let params = Params::new(pairs);
    let _ = (params.token(), params.is_single_connection(), params.attributes());
    let join = params.join("ann".into(), profile_of(&Claims::default()), &HeaderMap::new());
    let longest = [&join.client.sdk, &join.client.version, &join.client.os, &join.client.browser].map(String::len);
    assert!(longest.into_iter().all(|bytes| bytes <= 4 * 64), "a device says too much of itself");
}

/// A file of slides, as each kind of picture: one page, or a sentence. PDFs are left to a library that runs in a process of its own.
pub fn file(bytes: &[u8]) {
    let kinds = [Kind::Png, Kind::Jpeg, Kind::WebP];
    let fits = kinds.map(|kind| match pages(kind, bytes) {
        Ok(pages) => pages,
        Err(unfit) => {
            assert!((10..300).contains(&unfit.len()), "{unfit}");
            0
        }
    });
    if fits.iter().sum::<u32>() > 0 {
        let behind = [bytes, b"PK"].concat();
        assert!(kinds.iter().all(|kind| pages(*kind, &behind).is_err()), "something is behind the picture");
    }
}

/// A message on the state socket: read, answered or refused in a sentence that is no longer than it needs to be, and a command
/// has one digest.
pub fn classroom_message(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match message::read(&text) {
        Err(no) => assert!(!no.message.is_empty() && no.message.len() < 8_192, "{}", no.message),
        Ok(Said::NoCommand(no)) => {
            assert!(!no.id.0.is_empty() && no.id.0.len() <= 64, "an answer to nothing");
            assert!(!no.message.is_empty() && no.message.len() < 8_192, "{}", no.message);
        }
        Ok(Said::Command(asked)) => {
            assert!(asked.digest > 0 && asked.digest < 1 << 53);
            assert!(!asked.id.0.is_empty() && asked.id.0.len() <= 64);
            assert_eq!(message::read(&text), Ok(Said::Command(asked)), "read in two ways");
        }
        Ok(Said::Hello(hello)) => {
            assert!(!hello.token.is_empty());
            assert!(hello.device.is_none_or(|device| (1..=64).contains(&device.len())));
            assert!(hello.client.sdk.len() <= 4 * 64, "a device says too much of itself");
        }
        Ok(Said::DocClose(name)) => assert!(name.len() <= text.len()),
        Ok(Said::Ping(_) | Said::Leave) => {}
    }
}

/// Configuration from a file and from the environment: accepted, or refused with a reason.
pub fn configuration(bytes: &[u8]) {
    let path = std::env::temp_dir().join(format!("lyceum-fuzz-{}.toml", std::process::id()));
    if std::fs::write(&path, bytes).is_err() {
        return;
    }
    let text = String::from_utf8_lossy(bytes).into_owned();
    let environment = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .filter(|(name, _)| name != "LYCEUM_CONFIG")
        .collect();
    for sources in [
        Sources { file: Some(path.clone()), ..Sources::default() },
        Sources { file: None, environment, dev: true, ..Sources::default() },
    ] {
        if let Err(problems) = lyceum::config::load(&sources) {
            assert!(problems.iter().any(|problem| !problem.message.is_empty()), "refused without a reason");
        }
    }
}

/// A stored log, one event a line, that a disk has garbled: it is read or refused, and folding it cannot fail.
pub fn stored_events(bytes: &[u8]) {
    let mut state = State::default();
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Ok(event) = serde_json::from_slice::<Event>(line) {
            apply(&mut state, &event);
            let _ = state.poll_timeout();
        }
    }
}
