//! Who is speaking in a group, from the audio levels that clients write into their packets (RFC 6464). Loud packets within a
//! window make a speaker; changes are told, not states, and never more often than once a window.

use crate::api::{ConnKey, SpeakerLevel};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long one observation lasts.
const WINDOW: Duration = Duration::from_millis(400);
/// A packet is loud above this, in dBov (0 is the loudest, -127 silence).
const LOUD_DBOV: i8 = -35;
/// A window is active if this share of it was loud.
const ACTIVE_SHARE_PERCENT: u32 = 40;
/// Levels are told in steps of 1/8, so that small changes are no news.
const STEPS: f32 = 8.0;
/// How much audio one packet stands for; Opus in WebRTC uses 20 ms.
const PACKET_MS: u32 = 20;

#[derive(Default, Debug)]
pub(crate) struct Speakers {
    people: BTreeMap<ConnKey, Voice>,
    window_ends: Option<Instant>,
}

#[derive(Default, Debug)]
struct Voice {
    loud_ms: u32,
    /// The loudest packet of the window, in dBov.
    loudest: i8,
    smoothed: f32,
    told: f32,
}

impl Speakers {
    /// One audio packet of `conn` with its level in dBov (0 to -127).
    pub(crate) fn hear(&mut self, now: Instant, conn: ConnKey, level_dbov: i8) {
        self.window_ends.get_or_insert(now + WINDOW);
        let voice = self.people.entry(conn).or_insert_with(|| Voice { loudest: -127, ..Voice::default() });
        if level_dbov > LOUD_DBOV {
            voice.loud_ms += PACKET_MS;
            voice.loudest = voice.loudest.max(level_dbov);
        }
    }

    /// Somebody's audio is gone (mute, leave): they stop speaking with the next window.
    pub(crate) fn forget(&mut self, conn: ConnKey) -> Option<SpeakerLevel> {
        let voice = self.people.remove(&conn)?;
        (voice.told > 0.0).then_some(SpeakerLevel { conn, level: 0.0, active: false })
    }

    /// Ends the window if it is over and returns what changed.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Vec<SpeakerLevel> {
        if self.window_ends.is_none_or(|end| now < end) {
            return Vec::new();
        }
        let mut changes = Vec::new();
        for (conn, voice) in &mut self.people {
            let active = voice.loud_ms * 100 >= WINDOW.as_millis() as u32 * ACTIVE_SHARE_PERCENT;
            let level = if active { linear(voice.loudest) } else { 0.0 };
            voice.smoothed = (voice.smoothed + level) / 2.0;
            let quantised = (voice.smoothed * STEPS).round() / STEPS;
            if quantised != voice.told {
                voice.told = quantised;
                changes.push(SpeakerLevel { conn: *conn, level: quantised, active: quantised > 0.0 });
            }
            voice.loud_ms = 0;
            voice.loudest = -127;
        }
        // Whoever is silent and said to be silent needs no window; they return with their next loud packet.
        self.people.retain(|_, voice| voice.told > 0.0 || voice.smoothed > 0.01);
        self.window_ends = (!self.people.is_empty()).then_some(now + WINDOW);
        changes
    }
}

/// Loudness from 0 to 1: everything above the threshold, mapped linearly in decibels.
fn linear(dbov: i8) -> f32 {
    let above = f32::from(dbov) - f32::from(LOUD_DBOV);
    (0.25 + 0.75 * above / -f32::from(LOUD_DBOV)).clamp(0.0, 1.0)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // Somewhere a virtual clock has to begin.
mod tests {
    use super::*;

    const ADA: ConnKey = ConnKey(1);
    const BEN: ConnKey = ConnKey(2);

    #[test]
    fn a_speaker_is_told_once_and_then_told_to_have_stopped() {
        let mut now = Instant::now();
        let mut speakers = Speakers::default();
        let mut told = Vec::new();
        for _ in 0..100 {
            speakers.hear(now, ADA, -20);
            speakers.hear(now, BEN, -70);
            now += Duration::from_millis(20);
            told.extend(speakers.handle_timeout(now));
        }
        assert!(told.iter().all(|change| change.conn == ADA && change.active), "{told:?}");
        assert!(told.len() <= 4, "a steady voice is little news: {told:?}");

        let mut stopped = Vec::new();
        for _ in 0..10 {
            now += WINDOW;
            stopped.extend(speakers.handle_timeout(now));
        }
        assert_eq!(stopped.last(), Some(&SpeakerLevel { conn: ADA, level: 0.0, active: false }));
        assert!(speakers.people.is_empty(), "silence costs nothing");
    }

    #[test]
    fn a_cough_is_not_a_speaker() {
        let mut now = Instant::now();
        let mut speakers = Speakers::default();
        for i in 0..40 {
            speakers.hear(now, ADA, if i == 3 { -5 } else { -90 });
            now += Duration::from_millis(20);
            assert_eq!(speakers.handle_timeout(now), vec![]);
        }
    }

    #[test]
    fn whoever_leaves_while_speaking_stops_at_once() {
        let mut now = Instant::now();
        let mut speakers = Speakers::default();
        for _ in 0..60 {
            speakers.hear(now, ADA, -10);
            now += Duration::from_millis(20);
            speakers.handle_timeout(now);
        }
        assert_eq!(speakers.forget(ADA), Some(SpeakerLevel { conn: ADA, level: 0.0, active: false }));
        assert_eq!(speakers.forget(ADA), None);
    }
}
