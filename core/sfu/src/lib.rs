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

/// What reads strangers' payloads and is private otherwise, for the fuzz targets.
#[doc(hidden)]
pub mod fuzzing {
    /// Reads a payload as each codec, and as redundant audio.
    pub fn read_payload(payload: &[u8]) {
        for codec in [crate::Codec::Opus, crate::Codec::Vp8, crate::Codec::H264] {
            std::hint::black_box(crate::peer::inspect(codec, payload));
        }
        if let Some(primary) = crate::peer::red_primary(payload) {
            assert!(payload.ends_with(primary), "the primary is the end of the payload");
        }
    }
}
