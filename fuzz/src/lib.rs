//! One function for each parser of ours that reads bytes from outside. Each takes any bytes and panics only if a promise is
//! broken: a crash, a refusal that has an effect, or one client that can hurt another. `cargo test` replays the corpora and
//! what lies near them; `libfuzzer/` searches with coverage.

#![allow(clippy::expect_used, reason = "a broken promise must stop the search")]

mod documents;
mod media;
mod server;
mod signals;

/// A name, as in `corpus/`, and the function that must survive any bytes.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: &[Target] = &[
    ("datagram", media::datagrams),
    ("sdp", media::session_description),
    ("payload", media::payload),
    ("signal", signals::signals),
    ("frame", server::ice_tcp_frames),
    ("token", server::token),
    ("query", server::join_query),
    ("classroom", server::classroom_message),
    ("config", server::configuration),
    ("file", server::file),
    ("event", server::stored_events),
    ("document", documents::document),
    ("carried", documents::carried),
];

/// Runs the target of this name.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    let (_, run) = target.expect("a target of this name");
    run(bytes);
}

/// Cuts bytes into at most `most` pieces, each behind a byte that says what it is and two that say how long it is.
pub(crate) fn pieces(mut bytes: &[u8], most: usize) -> Vec<(u8, &[u8])> {
    let mut pieces = Vec::new();
    while let [what, high, low, rest @ ..] = bytes
        && pieces.len() < most
    {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        let (piece, after) = rest.split_at(length);
        pieces.push((*what, piece));
        bytes = after;
    }
    pieces
}
