//! One class minus IO. A [`Node`] joins the session's log to the LiveKit wire and to the media shards: signals, commits and
//! media events come in; log appends, signals and media commands go out. It decides nothing about who may do what (that is
//! `lyceum-session`) and moves no packet (that is `lyceum-sfu`).

mod ack;
mod api;
mod choices;
mod clients;
mod commands;
mod config;
mod data;
mod devices;
mod follow;
mod join;
mod limits;
mod log;
mod media;
mod node;
mod order;
mod permissions;
mod profile;
mod publish;
mod quality;
mod replay;
mod resume;
mod rng;
mod room;
mod roster;
mod scenarios;
mod shown;
mod signals;
mod spaces;
mod speakers;
mod subscribe;
mod timers;
mod tracks;
mod wire;

pub use api::*;
pub use config::{IceServer, NodeConfig, SERVER_VERSION};
pub use limits::{Limits, Rate};
pub use node::{Node, Stats};
