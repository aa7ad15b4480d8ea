//! The one integration-test binary of the server.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that meets the unexpected stops there")]

mod media;
mod store;
