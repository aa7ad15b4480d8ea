//! How media flows. A [`Shard`] owns peers and their tracks and moves packets between them; it knows nothing of classes,
//! names or permissions, only opaque keys. Datagrams, commands and time come in; datagrams, events and the next wake-up
//! come out.

mod allocator;
mod api;
mod conn;
mod demux;
mod forwarder;
mod peer;
mod sdp;
mod shard;
mod speakers;
mod track;

pub use api::*;
pub use demux::{PeerId, is_stun, peer_of_stun};
pub use peer::{Addresses, Certificate, Datagram, Transmit, Transport};
pub use shard::{Shard, ShardConfig, Stats};
