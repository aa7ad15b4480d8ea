//! What synthetic publishers say and show: Opus voices and simulcast pictures whose packets have the headers, sizes and rhythm of
//! real ones. The pictures cannot be decoded; what a server looks at in them is right.

mod h264;
mod picture;
mod random;
mod voice;
mod vp8;

pub use picture::{LAYERS, Layer, Picture};
pub use voice::{FRAME_EVERY, Speech, Voice};

use random::Random;

/// A payload is at most this long, stamp included: with RTP, SRTP and UDP headers it passes every network.
pub const PAYLOAD_MAX_BYTES: usize = 1_150;

/// How pictures are coded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum VideoCodec {
    /// RFC 7741.
    Vp8,
    /// RFC 6184, constrained baseline, packetization mode 1.
    H264,
}

impl VideoCodec {
    /// As signalling names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vp8 => "vp8",
            Self::H264 => "h264",
        }
    }

    /// Whether a payload begins a key frame.
    pub fn starts_keyframe(self, payload: &[u8]) -> bool {
        match self {
            Self::Vp8 => vp8::starts_keyframe(payload),
            Self::H264 => h264::starts_keyframe(payload),
        }
    }
}

/// Bytes that look coded: no two alike in a row, and none that a parser could take for a start code.
fn filler(payload: &mut Vec<u8>, count: usize, salt: u64) {
    let mut byte = salt as u8;
    payload.extend((0..count).map(|_| {
        byte = byte.wrapping_mul(5).wrapping_add(17);
        byte | 0x80
    }));
}
