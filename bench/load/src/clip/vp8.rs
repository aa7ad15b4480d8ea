//! VP8 in RTP (RFC 7741): the payload descriptor with a 15-bit picture id and one temporal layer, and the frame header (RFC 6386,
//! section 9.1) with the size of a key frame.

use super::filler;
use super::picture::{Shot, parts};
use crate::stamp::Stamp;

const EXTENDED: u8 = 0x80;
const STARTS_PARTITION: u8 = 0x10;
const PARTITION: u8 = 0x07;
/// Picture id, TL0PICIDX, and TID with KEYIDX are there.
const EXTENSIONS: u8 = 0x80 | 0x40 | 0x20 | 0x10;
const DESCRIPTOR_BYTES: usize = 6;
const START_CODE: [u8; 3] = [0x9d, 0x01, 0x2a];

/// The packets of one frame.
pub fn packets(shot: &Shot, mut stamp: impl FnMut() -> Stamp) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    for (at, bytes) in parts(shot.bytes, DESCRIPTOR_BYTES).into_iter().enumerate() {
        let mut payload = descriptor(shot, at == 0);
        let end = payload.len() + bytes;
        if at == 0 {
            payload.extend(frame_header(shot));
        }
        let left = end.saturating_sub(payload.len());
        filler(&mut payload, left, shot.number.into());
        stamp().write(&mut payload);
        packets.push(payload);
    }
    packets
}

fn descriptor(shot: &Shot, first: bool) -> Vec<u8> {
    let [high, low] = (shot.number as u16 & 0x7fff).to_be_bytes();
    let start = if first { STARTS_PARTITION } else { 0 };
    // One temporal layer: each frame is its own base; the key index stays, as nothing refers to golden frames.
    vec![EXTENDED | start, EXTENSIONS, 0x80 | high, low, shot.number as u8, 0]
}

fn frame_header(shot: &Shot) -> Vec<u8> {
    const SHOWN: u32 = 0x10;
    let interframe = u32::from(!shot.keyframe);
    let first_partition = (shot.bytes / 4).min(0x7_ffff) as u32;
    let tag = interframe | SHOWN | first_partition << 5;
    let mut header = tag.to_le_bytes()[..3].to_vec();
    if shot.keyframe {
        header.extend(START_CODE);
        header.extend((shot.layer.width as u16).to_le_bytes());
        header.extend((shot.layer.height as u16).to_le_bytes());
    }
    header
}

/// Whether a payload begins a key frame.
pub fn starts_keyframe(payload: &[u8]) -> bool {
    let Some(first) = payload.first() else { return false };
    let frame = descriptor_bytes(payload).and_then(|bytes| payload.get(bytes)).copied();
    first & STARTS_PARTITION != 0 && first & PARTITION == 0 && frame.is_some_and(|tag| tag & 1 == 0)
}

/// How long the descriptor is: a server may have put it together anew.
fn descriptor_bytes(payload: &[u8]) -> Option<usize> {
    if payload.first()? & EXTENDED == 0 {
        return Some(1);
    }
    let extensions = payload.get(1)?;
    let picture_id = match extensions & 0x80 {
        0 => 0,
        _ if payload.get(2)? & 0x80 != 0 => 2,
        _ => 1,
    };
    Some(2 + picture_id + usize::from(extensions & 0x40 != 0) + usize::from(extensions & 0x30 != 0))
}

#[cfg(test)]
mod tests {
    use super::super::LAYERS;
    use super::*;
    use str0m::rtp::Vp8Descriptor;

    fn shot(number: u32, keyframe: bool) -> Shot {
        Shot { number, keyframe, layer: LAYERS[2], bytes: 5_000 }
    }

    fn stamp() -> Stamp {
        Stamp { at_ns: 1, publisher: 2, layer: 2, seq: 3 }
    }

    #[test]
    fn another_parser_reads_the_descriptor() {
        for keyframe in [true, false] {
            let packets = packets(&shot(40_000, keyframe), stamp);
            assert_eq!(packets.len(), 5);
            for (at, payload) in packets.iter().enumerate() {
                let descriptor = Vp8Descriptor::parse(payload).expect("a descriptor");
                assert_eq!(descriptor.picture_id(), Some(40_000 & 0x7fff));
                assert_eq!(descriptor.tl0_pic_idx(), Some(40_000u32 as u8));
                assert_eq!(descriptor.starts_keyframe(payload), keyframe && at == 0);
                assert_eq!(starts_keyframe(payload), keyframe && at == 0);
            }
        }
    }

    #[test]
    fn a_key_frame_says_how_large_it_is() {
        let packets = packets(&shot(1, true), stamp);
        let frame = &packets[0][DESCRIPTOR_BYTES..];
        assert_eq!(frame[3..6], START_CODE);
        assert_eq!(u16::from_le_bytes([frame[6], frame[7]]), 1280);
        assert_eq!(u16::from_le_bytes([frame[8], frame[9]]), 720);
    }

    #[test]
    fn shorter_descriptors_are_understood() {
        assert!(starts_keyframe(&[0x10, 0x10, 0, 0]));
        assert!(starts_keyframe(&[0x90, 0x80, 0x05, 0x10, 0, 0]));
        assert!(!starts_keyframe(&[0x90, 0x80, 0x05, 0x11, 0, 0]));
        assert!(!starts_keyframe(&[0x00, 0x10]));
        assert!(!starts_keyframe(&[0x90, 0x80]));
        assert!(!starts_keyframe(&[]));
    }
}
