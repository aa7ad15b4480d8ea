//! A camera: simulcast layers of one picture at 30 frames a second, each frame cut into packets of its codec. Key frames come when
//! they are asked for, and weigh five times as much as others.

use super::{PAYLOAD_MAX_BYTES, Random, VideoCodec, h264, vp8};
use crate::stamp::{self, Stamp};
use std::time::Duration;

/// One layer of a camera.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layer {
    pub rid: &'static str,
    pub width: u32,
    pub height: u32,
    pub bits_per_s: u32,
}

/// The layers of a 720p camera, smallest first, as LiveKit's clients publish it.
pub const LAYERS: [Layer; 3] = [
    Layer { rid: "q", width: 320, height: 180, bits_per_s: 150_000 },
    Layer { rid: "h", width: 640, height: 360, bits_per_s: 500_000 },
    Layer { rid: "f", width: 1280, height: 720, bits_per_s: 1_500_000 },
];

const FRAMES_PER_S: u32 = 30;
/// How many times the size of others a key frame has.
const KEYFRAME_WEIGHT: usize = 5;
const TS_HZ: u32 = 90_000;

/// What one layer of one camera shows.
#[derive(Debug)]
pub struct Picture {
    publisher: u16,
    layer: u8,
    codec: VideoCodec,
    random: Random,
    frame: u32,
    seq: u32,
    keyframe: bool,
}

/// What a codec's packetizer needs to know of a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shot {
    pub number: u32,
    pub keyframe: bool,
    pub layer: Layer,
    /// Of the whole coded frame.
    pub bytes: usize,
}

/// One frame, ready to be sent.
#[derive(Debug)]
pub struct Frame {
    /// In order; the last carries the RTP marker.
    pub payloads: Vec<Vec<u8>>,
    /// RTP time.
    pub ts: u32,
}

impl Picture {
    /// Time between two frames.
    pub const FRAME_EVERY: Duration = Duration::from_nanos(1_000_000_000 / FRAMES_PER_S as u64);

    pub fn new(publisher: u16, layer: u8, codec: VideoCodec) -> Self {
        let seed = u64::from(publisher) << 8 | u64::from(layer) | 0x1_0000_0000;
        Self { publisher, layer, codec, random: Random::new(seed), frame: 0, seq: 0, keyframe: true }
    }

    /// Somebody cannot decode without one.
    pub fn wants_keyframe(&mut self) {
        self.keyframe = true;
    }

    /// A frame that is not sent: time goes on, and sending can only begin again with a key frame.
    pub fn skip(&mut self) {
        self.frame = self.frame.wrapping_add(1);
        self.keyframe = true;
    }

    pub fn next(&mut self) -> Frame {
        let layer = LAYERS[usize::from(self.layer)];
        let usual = u64::from(layer.bits_per_s / 8 / FRAMES_PER_S);
        let keyframe = std::mem::take(&mut self.keyframe);
        let bytes = self.random.between(usual * 8 / 10, usual * 12 / 10) as usize;
        self.frame = self.frame.wrapping_add(1);
        let bytes = if keyframe { bytes * KEYFRAME_WEIGHT } else { bytes };
        let shot = Shot { number: self.frame, keyframe, layer, bytes };
        let stamp = || {
            self.seq = self.seq.wrapping_add(1);
            Stamp { at_ns: stamp::now_ns(), publisher: self.publisher, layer: self.layer, seq: self.seq }
        };
        let payloads = match self.codec {
            VideoCodec::Vp8 => vp8::packets(&shot, stamp),
            VideoCodec::H264 => h264::packets(&shot, stamp),
        };
        Frame { payloads, ts: self.frame.wrapping_mul(TS_HZ / FRAMES_PER_S) }
    }
}

/// Cuts `bytes` of a frame into parts that fit a packet beside `header` bytes and the stamp.
pub(super) fn parts(bytes: usize, header: usize) -> Vec<usize> {
    let room = PAYLOAD_MAX_BYTES - header - stamp::LEN;
    let count = bytes.div_ceil(room).max(1);
    (0..count).map(|at| bytes / count + usize::from(at < bytes % count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layer_has_its_bitrate_and_fits_the_network() {
        for codec in [VideoCodec::Vp8, VideoCodec::H264] {
            for (number, layer) in LAYERS.iter().enumerate() {
                let mut picture = Picture::new(7, number as u8, codec);
                picture.next();
                let frames: Vec<Frame> = (0..300).map(|_| picture.next()).collect();
                let bits: usize = frames.iter().flat_map(|frame| &frame.payloads).map(|p| p.len() * 8).sum();
                let target = layer.bits_per_s as usize * 10;
                assert!(bits > target * 9 / 10 && bits < target * 125 / 100, "{codec:?} {}: {bits}", layer.rid);
                assert!(frames.iter().flat_map(|f| &f.payloads).all(|p| p.len() <= PAYLOAD_MAX_BYTES));
                assert_eq!(frames[1].ts.wrapping_sub(frames[0].ts), 3_000);
            }
        }
    }

    #[test]
    fn key_frames_come_first_and_when_asked_for() {
        for codec in [VideoCodec::Vp8, VideoCodec::H264] {
            let mut picture = Picture::new(0, 2, codec);
            let begins = |frame: &Frame| codec.starts_keyframe(&frame.payloads[0]);
            let first = picture.next();
            assert!(begins(&first));
            assert!((0..10).map(|_| picture.next()).all(|frame| !begins(&frame)));
            picture.wants_keyframe();
            let asked = picture.next();
            assert!(begins(&asked) && !begins(&picture.next()));
            assert!(asked.payloads[1..].iter().all(|payload| !codec.starts_keyframe(payload)), "only its beginning");
            picture.skip();
            assert!(begins(&picture.next()), "after a pause");
        }
    }

    #[test]
    fn packets_are_stamped_in_order() {
        for codec in [VideoCodec::Vp8, VideoCodec::H264] {
            let mut picture = Picture::new(9, 1, codec);
            let payloads = (0..20).flat_map(|_| picture.next().payloads);
            let stamps: Vec<Stamp> = payloads.map(|p| Stamp::read(&p).expect("a stamp")).collect();
            assert!(stamps.iter().all(|stamp| (stamp.publisher, stamp.layer) == (9, 1)));
            assert!(stamps.windows(2).all(|pair| pair[1].seq == pair[0].seq + 1 && pair[1].at_ns >= pair[0].at_ns));
        }
    }
}
