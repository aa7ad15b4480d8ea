//! The one integration-test binary of the server.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that meets the unexpected stops there")]

mod arrows;
mod boards;
mod classroom;
mod compatibility;
mod crashes;
mod documents;
mod ears;
mod events;
mod files;
mod harness;
mod hostile;
mod http;
mod invites;
mod leaks;
mod media;
mod openapi;
mod process;
mod projection;
mod records;
mod settings;
mod side;
mod signalling;
mod spaces;
mod store;
mod tls;
mod tokens;
mod twirp;

// A class to make logs of: the one that the tests of classes themselves use.
#[path = "../../../core/session/tests/it/class.rs"]
#[allow(dead_code)]
mod class;
