//! Whole classes in virtual time, over the real cores and from a seed. `state` worlds hold a node, its log and its people
//! against faults of sockets, disks and servers; `class` worlds hold the pages of a class of hundreds to its log; `media` worlds add the shard and real WebRTC peers on good and bad lines.

#![allow(clippy::expect_used, reason = "a world that meets the unexpected stops there")]

pub mod class;
pub mod media;
pub mod state;
