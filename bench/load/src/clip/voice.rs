//! A voice: Opus at 20 ms a packet and about 30 kb/s. It speaks all the time, or in spurts with discontinuous transmission between
//! them, as microphones in classes do.

use super::{Random, filler};
use crate::stamp::{self, Stamp};
use std::time::Duration;

/// Time between two packets of somebody who speaks.
pub const FRAME_EVERY: Duration = Duration::from_millis(20);
/// The same at 48 kHz.
const SAMPLES_PER_FRAME: u32 = 960;
/// A silent Opus encoder sends one comfort packet in so many frames.
const FRAMES_PER_COMFORT: u32 = 20;
/// SILK and CELT together, full band, 20 ms, mono, one frame a packet (RFC 6716, section 3.1).
const TABLE_OF_CONTENTS: u8 = 15 << 3;
const SPEAKING_DBOV: i8 = -22;
const SILENT_DBOV: i8 = -90;

/// How much people speak.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Speech {
    /// In turns: the first publisher most of the time, the others now and then.
    Spurts,
    /// All the time: the most that voices can ask of a server.
    Continuous,
}

/// One publisher's voice.
#[derive(Debug)]
pub struct Voice {
    publisher: u16,
    speech: Speech,
    random: Random,
    seq: u32,
    frame: u32,
    speaking: bool,
    /// Frames until that changes.
    left: u64,
}

/// One packet of a voice.
#[derive(Debug)]
pub struct Spoken {
    pub payload: Vec<u8>,
    /// As the audio-level extension says it.
    pub level_dbov: i8,
    pub speaking: bool,
    /// The first packet after silence, which carries the RTP marker.
    pub starts: bool,
    /// RTP time.
    pub ts: u32,
}

impl Voice {
    pub fn new(publisher: u16, speech: Speech) -> Self {
        let mut random = Random::new(u64::from(publisher) + 1);
        let left = random.between(1, 200);
        Self { publisher, speech, random, seq: 0, frame: 0, speaking: publisher == 0, left }
    }

    /// The next 20 ms. `None`: silence that is not transmitted.
    pub fn next(&mut self) -> Option<Spoken> {
        let starts = self.turns();
        self.frame = self.frame.wrapping_add(1);
        if !self.speaking && !self.frame.is_multiple_of(FRAMES_PER_COMFORT) {
            return None;
        }
        self.seq = self.seq.wrapping_add(1);
        let bytes = if self.speaking { self.random.between(60, 92) as usize } else { 3 + stamp::LEN };
        let mut payload = vec![TABLE_OF_CONTENTS];
        filler(&mut payload, bytes.saturating_sub(1 + stamp::LEN), self.seq.into());
        Stamp { at_ns: stamp::now_ns(), publisher: self.publisher, layer: 0, seq: self.seq }.write(&mut payload);
        Some(Spoken {
            payload,
            level_dbov: if self.speaking { SPEAKING_DBOV } else { SILENT_DBOV },
            speaking: self.speaking,
            starts,
            ts: self.frame.wrapping_mul(SAMPLES_PER_FRAME),
        })
    }

    /// Begins or ends a spurt when its time has come; true if one begins.
    fn turns(&mut self) -> bool {
        if self.speech == Speech::Continuous {
            return !std::mem::replace(&mut self.speaking, true) || self.frame == 0;
        }
        self.left -= 1;
        if self.left > 0 {
            return self.frame == 0 && self.speaking;
        }
        self.speaking = !self.speaking;
        self.left = match (self.publisher, self.speaking) {
            (0, true) => self.random.between(200, 600),
            (0, false) => self.random.between(20, 150),
            (_, true) => self.random.between(40, 200),
            (_, false) => self.random.between(200, 1_500),
        };
        self.speaking
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_continuous_voice_has_fifty_packets_a_second_of_about_thirty_kilobits() {
        let mut voice = Voice::new(3, Speech::Continuous);
        let spoken: Vec<Spoken> = (0..500).filter_map(|_| voice.next()).collect();
        assert_eq!(spoken.len(), 500);
        let bits: usize = spoken.iter().map(|packet| packet.payload.len() * 8).sum();
        assert!((24_000..36_000).contains(&(bits / 10)), "{} b/s", bits / 10);
        assert!(spoken.iter().all(|packet| packet.speaking && packet.level_dbov > -35));
        assert_eq!(spoken.iter().filter(|packet| packet.starts).count(), 1);
        let seqs: Vec<u32> = spoken.iter().filter_map(|packet| Stamp::read(&packet.payload)).map(|s| s.seq).collect();
        assert_eq!(seqs, (1..=500).collect::<Vec<u32>>());
    }

    #[test]
    fn spurts_begin_with_a_mark_and_silence_is_sparse() {
        let mut voice = Voice::new(1, Speech::Spurts);
        let minute: Vec<Option<Spoken>> = (0..3_000).map(|_| voice.next()).collect();
        let sent: Vec<&Spoken> = minute.iter().flatten().collect();
        let spoken = sent.iter().filter(|packet| packet.speaking).count();
        let comfort = sent.len() - spoken;
        assert!(spoken > 50 && spoken < 2_000, "{spoken}");
        assert!(comfort > 20 && comfort <= 3_000 / 20, "{comfort}");
        assert!(sent.iter().any(|packet| packet.starts));
        assert!(sent.iter().all(|packet| packet.speaking || packet.level_dbov < -80));
        assert!(sent.iter().all(|packet| Stamp::read(&packet.payload).is_some()));
    }

    #[test]
    fn the_same_publisher_says_the_same_in_every_run() {
        let mut one = Voice::new(4, Speech::Spurts);
        let mut other = Voice::new(4, Speech::Spurts);
        for _ in 0..2_000 {
            let sizes = (one.next().map(|s| s.payload.len()), other.next().map(|s| s.payload.len()));
            assert_eq!(sizes.0, sizes.1);
        }
    }
}
