//! Whole classes in virtual time, over the real cores and from a seed. `state` worlds hold a node, its log and its people
//! against faults of sockets, disks and servers.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a world that meets the unexpected stops there")]

pub mod state;
