//! One class minus IO. A [`Node`] joins the session's log to the LiveKit wire and to the media shards: signals, commits and
//! media events come in; log appends, signals and media commands go out. It decides nothing about who may do what (that is
//! `lyceum-session`) and moves no packet (that is `lyceum-sfu`).

mod api;

pub use api::*;
