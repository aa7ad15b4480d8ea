//! The stamp that the load carries: at the end of every payload stands when it was made, by whom, on which layer and as which
//! packet. Each byte has its high bit set, so that no codec's parser takes it for a start code; the last is H.264's stop bit.

use std::time::{SystemTime, UNIX_EPOCH};

/// What a stamp says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    /// Nanoseconds since 1970 by the sender's clock: the one that also dates what the kernel receives.
    pub at_ns: u64,
    /// The number of the publisher in this run.
    pub publisher: u16,
    /// 0 is the smallest picture; audio has only 0.
    pub layer: u8,
    /// Counts the packets of one publisher's layer, or of its voice.
    pub seq: u32,
}

/// Bytes of a stamp.
pub const LEN: usize = MARK.len() + 10 + 3 + 1 + 5 + 1;
const MARK: [u8; 2] = [0xc5, 0xee];
const END: u8 = 0x80;
const SEVEN_BITS: u64 = 0x7f;

/// This moment, as stamps count it.
pub fn now_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

impl Stamp {
    /// Puts it at the end of a payload.
    pub fn write(&self, payload: &mut Vec<u8>) {
        payload.extend(MARK);
        write_bits(payload, self.at_ns, 10);
        write_bits(payload, self.publisher.into(), 3);
        write_bits(payload, self.layer.into(), 1);
        write_bits(payload, self.seq.into(), 5);
        payload.push(END);
    }

    /// Reads the end of a payload. `None`: somebody else's media.
    pub fn read(payload: &[u8]) -> Option<Self> {
        let stamp = payload.len().checked_sub(LEN).map(|at| &payload[at..])?;
        let fields = stamp.strip_prefix(&MARK)?.strip_suffix(&[END])?;
        if fields.iter().any(|byte| byte & 0x80 == 0) {
            return None;
        }
        Some(Self {
            at_ns: read_bits(&fields[..10]),
            publisher: read_bits(&fields[10..13]) as u16,
            layer: read_bits(&fields[13..14]) as u8,
            seq: read_bits(&fields[14..]) as u32,
        })
    }
}

fn write_bits(payload: &mut Vec<u8>, value: u64, bytes: u32) {
    payload.extend((0..bytes).rev().map(|at| 0x80 | (value >> (7 * at) & SEVEN_BITS) as u8));
}

fn read_bits(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |value, byte| value << 7 | u64::from(*byte) & SEVEN_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_as_it_was_written() {
        let stamp = Stamp { at_ns: u64::MAX >> 1, publisher: 65_535, layer: 2, seq: u32::MAX };
        let mut payload = vec![1, 2, 3];
        stamp.write(&mut payload);
        assert_eq!(payload.len(), 3 + LEN);
        assert!(payload[3..].iter().all(|byte| byte & 0x80 != 0));
        assert_eq!(Stamp::read(&payload), Some(stamp));
    }

    #[test]
    fn other_media_carries_no_stamp() {
        assert_eq!(Stamp::read(&[]), None);
        assert_eq!(Stamp::read(&[0xff; 100]), None);
        assert_eq!(Stamp::read(&[0; 100]), None);
    }
}
