//! H.264 in RTP (RFC 6184, packetization mode 1): before each key frame an aggregation packet with parameter sets that tell the
//! size of the picture, then the picture itself, fragmented where it does not fit one packet.

use super::filler;
use super::picture::{Shot, parts};
use crate::stamp::{self, Stamp};

const PICTURE: u8 = 1;
const KEY_PICTURE: u8 = 5;
const USER_DATA: u8 = 6;
const SEQUENCE: u8 = 7;
const PARAMETERS: u8 = 8;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;
const KIND: u8 = 0x1f;
/// `nal_ref_idc` of what others refer to.
const REFERENCE: u8 = 0x60;
const FRAGMENT_HEADERS_BYTES: usize = 2;

/// The packets of one frame.
pub fn packets(shot: &Shot, mut stamp: impl FnMut() -> Stamp) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    if shot.keyframe {
        packets.push(parameter_sets(shot, stamp()));
    }
    let kind = if shot.keyframe { KEY_PICTURE } else { PICTURE };
    let parts = parts(shot.bytes, FRAGMENT_HEADERS_BYTES);
    let last = parts.len() - 1;
    for (at, bytes) in parts.into_iter().enumerate() {
        let mut payload = if last == 0 {
            vec![REFERENCE | kind]
        } else {
            vec![REFERENCE | FU_A, u8::from(at == 0) << 7 | u8::from(at == last) << 6 | kind]
        };
        filler(&mut payload, bytes, shot.number.into());
        stamp().write(&mut payload);
        packets.push(payload);
    }
    packets
}

/// Whether a payload begins a key frame: it carries a sequence parameter set.
pub fn starts_keyframe(payload: &[u8]) -> bool {
    match payload.first().map(|header| header & KIND) {
        Some(SEQUENCE) => true,
        Some(STAP_A) => units(payload).any(|unit| unit.first().is_some_and(|header| header & KIND == SEQUENCE)),
        _ => false,
    }
}

/// The units of an aggregation packet.
fn units(payload: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = payload.get(1..).unwrap_or_default();
    std::iter::from_fn(move || {
        let [high, low, following @ ..] = rest else { return None };
        let (unit, after) = following.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))?;
        rest = after;
        Some(unit)
    })
}

fn parameter_sets(shot: &Shot, stamp: Stamp) -> Vec<u8> {
    let mut payload = vec![REFERENCE | STAP_A];
    for unit in [sequence_set(shot.layer.width, shot.layer.height), picture_set(), user_data(stamp)] {
        payload.extend((unit.len() as u16).to_be_bytes());
        payload.extend(unit);
    }
    payload
}

/// A sequence parameter set (ITU-T H.264, 7.3.2.1) of constrained baseline, level 3.1.
fn sequence_set(width: u32, height: u32) -> Vec<u8> {
    const MACROBLOCK: u32 = 16;
    let mut bits = Bits::default();
    let (columns, rows) = (width.div_ceil(MACROBLOCK), height.div_ceil(MACROBLOCK));
    let cut_rows = (rows * MACROBLOCK - height) / 2;
    bits.golomb(0); // seq_parameter_set_id
    bits.golomb(0); // log2_max_frame_num - 4
    bits.golomb(2); // pic_order_cnt_type
    bits.golomb(1); // max_num_ref_frames
    bits.bit(false); // gaps_in_frame_num_value_allowed
    bits.golomb(columns - 1);
    bits.golomb(rows - 1);
    bits.bit(true); // frame_mbs_only
    bits.bit(true); // direct_8x8_inference
    bits.bit(cut_rows > 0);
    if cut_rows > 0 {
        [0, 0, 0, cut_rows].into_iter().for_each(|side| bits.golomb(side));
    }
    bits.bit(false); // vui_parameters_present
    let mut unit = vec![REFERENCE | SEQUENCE, 0x42, 0xe0, 0x1f];
    unit.extend(bits.finish());
    unit
}

/// A picture parameter set (7.3.2.2) with every default.
fn picture_set() -> Vec<u8> {
    let mut bits = Bits::default();
    bits.golomb(0); // pic_parameter_set_id
    bits.golomb(0); // seq_parameter_set_id
    bits.bit(false); // entropy_coding_mode: CAVLC
    bits.bit(false); // bottom_field_pic_order_in_frame_present
    bits.golomb(0); // num_slice_groups - 1
    bits.golomb(0); // num_ref_idx_l0_default_active - 1
    bits.golomb(0); // num_ref_idx_l1_default_active - 1
    bits.bit(false); // weighted_pred
    [false, false].into_iter().for_each(|bit| bits.bit(bit)); // weighted_bipred_idc
    [0, 0, 0].into_iter().for_each(|delta| bits.golomb(delta)); // quantizers
    bits.bit(true); // deblocking_filter_control_present
    bits.bit(false); // constrained_intra_pred
    bits.bit(false); // redundant_pic_cnt_present
    let mut unit = vec![REFERENCE | PARAMETERS];
    unit.extend(bits.finish());
    unit
}

/// A stamp as unregistered user data (7.3.2.3); its last byte is the stop bit.
fn user_data(stamp: Stamp) -> Vec<u8> {
    const UNREGISTERED: u8 = 5;
    const WHOSE: &[u8; 16] = b"lyceum-load-time";
    let mut unit = vec![USER_DATA, UNREGISTERED, (WHOSE.len() + stamp::LEN - 1) as u8];
    unit.extend(WHOSE);
    stamp.write(&mut unit);
    unit
}

/// A bit string, most significant bit first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: usize,
}

impl Bits {
    fn bit(&mut self, set: bool) {
        if self.used.is_multiple_of(8) {
            self.bytes.push(0);
        }
        if let Some(last) = self.bytes.last_mut() {
            *last |= u8::from(set) << (7 - self.used % 8);
        }
        self.used += 1;
    }

    /// An unsigned Exp-Golomb number (9.1).
    fn golomb(&mut self, value: u32) {
        let code = value + 1;
        let length = 32 - code.leading_zeros();
        (1..length).for_each(|_| self.bit(false));
        (0..length).rev().for_each(|at| self.bit(code >> at & 1 == 1));
    }

    /// With the stop bit.
    fn finish(mut self) -> Vec<u8> {
        self.bit(true);
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::super::LAYERS;
    use super::*;

    fn stamp() -> Stamp {
        Stamp { at_ns: 1, publisher: 2, layer: 2, seq: 3 }
    }

    #[test]
    fn a_key_frame_is_parameter_sets_then_a_fragmented_picture() {
        let packets = packets(&Shot { number: 1, keyframe: true, layer: LAYERS[2], bytes: 5_000 }, stamp);
        let kinds: Vec<u8> = units(&packets[0]).map(|unit| unit[0] & KIND).collect();
        assert_eq!(kinds, [SEQUENCE, PARAMETERS, USER_DATA]);
        assert!(starts_keyframe(&packets[0]));
        assert_eq!(Stamp::read(&packets[0]), Some(stamp()));
        let fragments = &packets[1..];
        assert!(fragments.iter().all(|payload| payload[0] & KIND == FU_A && payload[1] & KIND == KEY_PICTURE));
        let starts: Vec<bool> = fragments.iter().map(|payload| payload[1] & 0x80 != 0).collect();
        let ends: Vec<bool> = fragments.iter().map(|payload| payload[1] & 0x40 != 0).collect();
        assert_eq!(starts, [true, false, false, false, false]);
        assert_eq!(ends, [false, false, false, false, true]);
    }

    #[test]
    fn a_small_frame_is_one_unit() {
        let packets = packets(&Shot { number: 2, keyframe: false, layer: LAYERS[0], bytes: 600 }, stamp);
        assert_eq!(packets.len(), 1);
        assert_eq!(packets[0][0] & KIND, PICTURE);
        assert!(!starts_keyframe(&packets[0]));
    }

    #[test]
    fn the_sequence_set_tells_the_size() {
        for layer in LAYERS {
            let unit = sequence_set(layer.width, layer.height);
            assert_eq!(unit[..4], [0x67, 0x42, 0xe0, 0x1f]);
            let mut reader = Reader { bytes: &unit[4..], at: 0 };
            for expected in [0, 0, 2, 1] {
                assert_eq!(reader.golomb(), expected);
            }
            assert!(!reader.bit());
            let (columns, rows) = (reader.golomb() + 1, reader.golomb() + 1);
            assert!(reader.bit() && reader.bit());
            let cut = if reader.bit() { (0..4).map(|_| reader.golomb()).sum::<u32>() * 2 } else { 0 };
            assert_eq!((columns * 16, rows * 16 - cut), (layer.width, layer.height));
        }
    }

    #[test]
    fn no_unit_holds_a_start_code() {
        for keyframe in [true, false] {
            for payload in packets(&Shot { number: 9, keyframe, layer: LAYERS[2], bytes: 9_000 }, stamp) {
                let whole: Vec<&[u8]> =
                    if payload[0] & KIND == STAP_A { units(&payload).collect() } else { vec![&payload] };
                assert!(whole.iter().all(|unit| !unit.windows(3).any(|three| three[..2] == [0, 0] && three[2] <= 3)));
            }
        }
    }

    struct Reader<'a> {
        bytes: &'a [u8],
        at: usize,
    }

    impl Reader<'_> {
        fn bit(&mut self) -> bool {
            self.at += 1;
            self.bytes[(self.at - 1) / 8] >> (7 - (self.at - 1) % 8) & 1 == 1
        }

        fn golomb(&mut self) -> u32 {
            let zeros = std::iter::from_fn(|| (!self.bit()).then_some(())).count();
            (0..zeros).fold(1, |code, _| code << 1 | u32::from(self.bit())) - 1
        }
    }
}
