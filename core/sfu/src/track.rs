//! One published track: its layers, whether they are alive, which of them a subscriber should get, and how often its publisher
//! may be asked for a key frame.

use crate::api::{ConnKey, Kind, LayerSpec, TrackKey, TrackSpec, Wish};
use crate::peer::{Mid, Rid};
use std::time::{Duration, Instant};

/// A layer without packets for this long is taken to be switched off by its sender. Longer than the pauses of a still screen share.
const LAYER_DEAD: Duration = Duration::from_secs(3);
/// Key frames of the lowest layer may be asked for this often, of the higher ones half as often: they cost more.
const KEYFRAME_EVERY: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(1)];
/// Headers of RTP, SRTP, UDP and IP around a payload.
const PACKET_OVERHEAD_BYTES: usize = 62;
/// A publisher is told to send less only if nobody has wanted more for this long.
const LOWER_AFTER: Duration = Duration::from_secs(5);
/// A tile counts as covered by a layer with this share of its pixels: nobody sees the difference.
const COVERED_PERCENT: u64 = 75;

#[derive(Debug)]
pub(crate) struct Track {
    pub key: TrackKey,
    pub conn: ConnKey,
    pub kind: Kind,
    pub mid: Mid,
    pub muted: bool,
    pub stereo: bool,
    pub layers: Vec<Layer>,
    pub subscribers: Vec<ConnKey>,
    measured_at: Option<Instant>,
    told: Told,
}

/// The highest layer wanted, as last told to the publisher.
#[derive(Debug, Default)]
struct Told {
    max_layer: Option<Option<usize>>,
    lower_since: Option<Instant>,
}

#[derive(Debug)]
pub(crate) struct Layer {
    pub rid: Option<Rid>,
    size: LayerSpec,
    last_packet: Option<Instant>,
    /// It was alive when last looked at.
    seen_alive: bool,
    bytes_since_measured: u64,
    rate_bps: u64,
    keyframes: KeyframeGate,
}

impl Track {
    /// `rids` in the order of the offer; they are sorted to ascending quality.
    pub(crate) fn new(conn: ConnKey, spec: &TrackSpec, mid: Mid, mut rids: Vec<Rid>) -> Self {
        rids.sort_by_key(|rid| quality_of(rid));
        let rids: Vec<Option<Rid>> = if rids.is_empty() { vec![None] } else { rids.into_iter().map(Some).collect() };
        let layers = rids
            .iter()
            .enumerate()
            .map(|(index, rid)| Layer {
                rid: *rid,
                // A client may announce more layers than it sends; the one that it does not send is the top one.
                size: spec.layers.get(index).copied().unwrap_or(LayerSpec { width: 0, height: 0 }),
                last_packet: None,
                seen_alive: false,
                bytes_since_measured: 0,
                rate_bps: 0,
                keyframes: KeyframeGate::new(KEYFRAME_EVERY[index.min(1)]),
            })
            .collect();
        Self {
            key: spec.key,
            conn,
            kind: spec.kind,
            mid,
            muted: spec.muted,
            stereo: spec.stereo,
            layers,
            subscribers: Vec::new(),
            measured_at: None,
            told: Told::default(),
        }
    }

    /// The layer of a packet by its simulcast id.
    pub(crate) fn layer_of(&self, rid: Option<Rid>) -> Option<usize> {
        self.layers.iter().position(|layer| layer.rid == rid).or((self.layers.len() == 1).then_some(0))
    }

    /// Notes a packet. Returns true if its layer had been dead, so that choices may change.
    pub(crate) fn saw_packet(&mut self, layer: usize, payload_bytes: usize, now: Instant) -> bool {
        let Some(layer) = self.layers.get_mut(layer) else { return false };
        let was_alive = layer.is_alive(now);
        layer.bytes_since_measured += (payload_bytes + PACKET_OVERHEAD_BYTES) as u64;
        layer.last_packet = Some(now);
        !was_alive
    }

    /// The layer that a subscriber with this wish should get, or `None` for nothing: the smallest that covers the tile, not above what
    /// `at_most` allows, or the best living one below it, or the lowest living one above.
    pub(crate) fn choose(&self, wish: &Wish, at_most: usize, now: Instant) -> Option<usize> {
        let best = self.wanted(wish)?.min(at_most);
        let top = self.layers.len() - 1;
        let alive = |index: &usize| self.layers[*index].is_alive(now);
        (0..=best).rev().find(alive).or_else(|| (best..=top).find(alive)).or(Some(best))
    }

    /// The layer that a tile calls for, sent at the moment or not.
    pub(crate) fn wanted(&self, wish: &Wish) -> Option<usize> {
        if self.muted || !wish.enabled {
            return None;
        }
        let top = self.layers.len() - 1;
        let by_size = match u64::from(wish.width) * u64::from(wish.height) {
            0 => top,
            pixels => self
                .layers
                .iter()
                .position(|layer| {
                    // Sizes are what clients say they are.
                    let (has, needs) = (layer.pixels().saturating_mul(100), pixels.saturating_mul(COVERED_PERCENT));
                    has == 0 || has >= needs
                })
                .unwrap_or(top),
        };
        Some(by_size.min(wish.max_layer.map_or(top, usize::from)))
    }

    /// Wire bits per second of a layer; `None` if it is not sent at the moment.
    pub(crate) fn cost_bps(&self, layer: usize, now: Instant) -> Option<u64> {
        self.layers.get(layer).filter(|layer| layer.is_alive(now)).map(|layer| layer.rate_bps)
    }

    /// Brings the layers' rates up to date. To be called about ten times a second.
    pub(crate) fn measure(&mut self, now: Instant) {
        let since = self.measured_at.replace(now).map(|before| now.saturating_duration_since(before));
        let Some(elapsed_us) = since.map(|since| since.as_micros() as u64).filter(|elapsed| *elapsed > 0) else {
            return;
        };
        for layer in &mut self.layers {
            let present_bps = std::mem::take(&mut layer.bytes_since_measured) * 8 * 1_000_000 / elapsed_us;
            // A rise is believed within a few tenths of a second, a fall within a few seconds.
            layer.rate_bps = if present_bps > layer.rate_bps {
                layer.rate_bps + (present_bps - layer.rate_bps) * 28 / 100
            } else {
                layer.rate_bps - (layer.rate_bps - present_bps) * 33 / 1000
            };
        }
    }

    /// Whether the publisher should be told that `max_layer` is now the highest anybody wants.
    pub(crate) fn should_tell_wanted(&mut self, now: Instant, max_layer: Option<usize>) -> bool {
        let told = self.told.max_layer;
        if told == Some(max_layer) {
            self.told.lower_since = None;
            return false;
        }
        // `None` sorts below every layer.
        let lower = told.is_some_and(|told| max_layer < told);
        if lower && now.saturating_duration_since(*self.told.lower_since.get_or_insert(now)) < LOWER_AFTER {
            return false;
        }
        self.told = Told { max_layer: Some(max_layer), lower_since: None };
        true
    }

    /// Whether a layer has died since this was last asked.
    pub(crate) fn has_stopped_layer(&mut self, now: Instant) -> bool {
        let mut any = false;
        for layer in &mut self.layers {
            let alive = layer.is_alive(now);
            any |= std::mem::replace(&mut layer.seen_alive, alive) && !alive;
        }
        any
    }

    /// Whether packets of a layer have come lately.
    pub(crate) fn is_alive(&self, layer: usize, now: Instant) -> bool {
        self.layers.get(layer).is_some_and(|layer| layer.is_alive(now))
    }

    /// A subscriber needs a key frame of a layer. Returns whether to ask the publisher now; otherwise it is asked later.
    pub(crate) fn want_keyframe(&mut self, layer: usize, now: Instant) -> bool {
        self.layers.get_mut(layer).is_some_and(|layer| layer.keyframes.want(now))
    }

    /// Layers whose postponed key frame request is due.
    pub(crate) fn due_keyframes(&mut self, now: Instant) -> Vec<usize> {
        let layers = self.layers.iter_mut().enumerate();
        layers.filter_map(|(index, layer)| layer.keyframes.due(now).then_some(index)).collect()
    }
}

impl Layer {
    fn is_alive(&self, now: Instant) -> bool {
        self.last_packet.is_some_and(|last| now.saturating_duration_since(last) < LAYER_DEAD)
    }

    fn pixels(&self) -> u64 {
        u64::from(self.size.width) * u64::from(self.size.height)
    }
}

/// LiveKit's ids in ascending quality are `q`, `h`, `f`, or `2`, `1`, `0`. Others keep their order.
fn quality_of(rid: &str) -> u8 {
    match rid {
        "q" | "2" => 0,
        "h" | "1" => 1,
        "f" | "0" => 2,
        _ => 3,
    }
}

/// Merges and throttles key frame requests of one layer.
#[derive(Debug)]
struct KeyframeGate {
    every: Duration,
    last: Option<Instant>,
    postponed: bool,
}

impl KeyframeGate {
    fn new(every: Duration) -> Self {
        Self { every, last: None, postponed: false }
    }

    fn want(&mut self, now: Instant) -> bool {
        let open = self.last.is_none_or(|last| now.saturating_duration_since(last) >= self.every);
        self.postponed = !open;
        if open {
            self.last = Some(now);
        }
        open
    }

    fn due(&mut self, now: Instant) -> bool {
        self.postponed && self.want(now)
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // Somewhere a virtual clock has to begin.
mod tests {
    use super::*;

    fn camera(rids: &[&str]) -> Track {
        let spec = TrackSpec {
            key: TrackKey(1),
            cids: vec![],
            kind: Kind::Video,
            codec: None,
            layers: [(320, 180), (640, 360), (1280, 720)].map(|(width, height)| LayerSpec { width, height }).to_vec(),
            muted: false,
            stereo: false,
            dtx: true,
            red: true,
        };
        Track::new(ConnKey(1), &spec, "0".into(), rids.iter().map(|rid| Rid::from(*rid)).collect())
    }

    fn tile(width: u32, height: u32) -> Wish {
        Wish { width, height, ..Wish::default() }
    }

    #[test]
    fn a_tile_and_layers_of_absurd_size_are_only_large() {
        let mut track = camera(&["f", "h", "q"]);
        assert_eq!(track.wanted(&tile(u32::MAX, u32::MAX)), Some(2));
        track.layers.iter_mut().for_each(|layer| layer.size = LayerSpec { width: u32::MAX, height: u32::MAX });
        assert_eq!(track.wanted(&tile(u32::MAX, u32::MAX)), Some(0));
    }

    #[test]
    fn the_tile_decides_the_layer() {
        let now = Instant::now();
        let mut track = camera(&["f", "h", "q"]);
        for layer in 0..3 {
            track.saw_packet(layer, 1_000, now);
        }
        assert_eq!(track.layers[0].rid.as_deref(), Some("q"), "sorted to ascending quality");
        assert_eq!(track.choose(&tile(160, 90), 9, now), Some(0));
        assert_eq!(track.choose(&tile(640, 360), 9, now), Some(1));
        assert_eq!(track.choose(&tile(1920, 1080), 9, now), Some(2));
        assert_eq!(track.choose(&Wish::default(), 9, now), Some(2), "no size known: the best");
        assert_eq!(track.choose(&Wish { max_layer: Some(0), ..Wish::default() }, 9, now), Some(0));
        assert_eq!(track.choose(&Wish { enabled: false, ..Wish::default() }, 9, now), None);
    }

    #[test]
    fn the_network_may_hold_a_layer_back() {
        let now = Instant::now();
        let mut track = camera(&["q", "h", "f"]);
        (0..3).for_each(|layer| assert!(track.saw_packet(layer, 1_000, now)));
        assert_eq!(track.choose(&Wish::default(), 1, now), Some(1));
        assert_eq!(track.wanted(&Wish::default()), Some(2), "the wish is still known");
    }

    #[test]
    fn a_publisher_hears_of_more_at_once_and_of_less_after_a_while() {
        let now = Instant::now();
        let later = |seconds| now + Duration::from_secs(seconds);
        let mut track = camera(&["q", "h", "f"]);
        assert!(track.should_tell_wanted(now, Some(0)));
        assert!(!track.should_tell_wanted(now, Some(0)));
        assert!(track.should_tell_wanted(now, Some(2)));
        assert!(!track.should_tell_wanted(now, Some(1)));
        assert!(!track.should_tell_wanted(later(4), None));
        assert!(!track.should_tell_wanted(later(4), Some(2)), "wanted again: nothing has changed");
        assert!(!track.should_tell_wanted(later(6), Some(1)));
        assert!(track.should_tell_wanted(later(11), Some(1)));
    }

    #[test]
    fn a_layer_costs_what_is_sent_of_it() {
        let start = Instant::now();
        let mut track = camera(&["q", "h", "f"]);
        assert_eq!(track.cost_bps(0, start), None);
        for tick in 0..100 {
            let now = start + Duration::from_millis(100 * tick);
            track.saw_packet(0, 1_188, now);
            track.measure(now);
        }
        let cost = track.cost_bps(0, start + Duration::from_secs(10));
        assert!(
            cost.is_some_and(|cost| (98_000..=100_000).contains(&cost)),
            "1,250 bytes ten times a second: {cost:?}"
        );
    }

    #[test]
    fn a_dead_layer_gives_way_to_a_living_one() {
        let now = Instant::now();
        let mut track = camera(&["q", "h", "f"]);
        track.saw_packet(0, 1_000, now);
        assert_eq!(track.choose(&tile(1280, 720), 9, now), Some(0), "only the low one is sent");
        let later = now + LAYER_DEAD;
        assert!(track.saw_packet(1, 1_000, later), "a layer that starts is news");
        assert!(!track.saw_packet(1, 1_000, later));
        assert_eq!(track.choose(&tile(160, 90), 9, later), Some(1), "the low one has died");
    }

    #[test]
    fn key_frame_requests_are_merged_and_the_last_is_not_lost() {
        let now = Instant::now();
        let mut track = camera(&["q", "h", "f"]);
        assert!(track.want_keyframe(0, now));
        for _ in 0..50 {
            assert!(!track.want_keyframe(0, now + Duration::from_millis(100)));
        }
        assert_eq!(track.due_keyframes(now + Duration::from_millis(499)), Vec::<usize>::new());
        assert_eq!(track.due_keyframes(now + Duration::from_millis(500)), vec![0]);
        assert_eq!(track.due_keyframes(now + Duration::from_secs(9)), Vec::<usize>::new());
    }
}
