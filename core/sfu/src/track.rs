//! One published track: its layers, whether they are alive, which of them a subscriber should get, and how often its publisher
//! may be asked for a key frame.

use crate::api::{ConnKey, Kind, LayerSpec, TrackKey, TrackSpec, Wish};
use crate::peer::{Mid, Rid};
use std::time::{Duration, Instant};

/// A layer without packets for this long is taken to be switched off by its sender. Longer than the pauses of a still screen share.
const LAYER_DEAD: Duration = Duration::from_secs(3);
/// Key frames of the lowest layer may be asked for this often, of the higher ones half as often: they cost more.
const KEYFRAME_EVERY: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(1)];
/// A tile counts as covered by a layer with this share of its pixels: nobody sees the difference.
const COVERED_PERCENT: u64 = 75;

#[derive(Debug)]
pub(crate) struct Track {
    pub key: TrackKey,
    pub conn: ConnKey,
    pub kind: Kind,
    pub mid: Mid,
    pub muted: bool,
    pub layers: Vec<Layer>,
    pub subscribers: Vec<ConnKey>,
}

#[derive(Debug)]
pub(crate) struct Layer {
    pub rid: Option<Rid>,
    size: LayerSpec,
    last_packet: Option<Instant>,
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
                keyframes: KeyframeGate::new(KEYFRAME_EVERY[index.min(1)]),
            })
            .collect();
        Self { key: spec.key, conn, kind: spec.kind, mid, muted: spec.muted, layers, subscribers: Vec::new() }
    }

    /// The layer of a packet by its simulcast id.
    pub(crate) fn layer_of(&self, rid: Option<Rid>) -> Option<usize> {
        self.layers.iter().position(|layer| layer.rid == rid).or((self.layers.len() == 1).then_some(0))
    }

    /// Notes a packet. Returns true if its layer had been dead, so that choices may change.
    pub(crate) fn saw_packet(&mut self, layer: usize, now: Instant) -> bool {
        let Some(layer) = self.layers.get_mut(layer) else { return false };
        let was_alive = layer.is_alive(now);
        layer.last_packet = Some(now);
        !was_alive
    }

    /// The layer that a subscriber with this wish should get, or `None` for nothing: the smallest that covers the tile, or the
    /// best living one below it, or the lowest living one above.
    pub(crate) fn choose(&self, wish: &Wish, now: Instant) -> Option<usize> {
        if self.muted || !wish.enabled {
            return None;
        }
        let top = self.layers.len() - 1;
        let by_size = match u64::from(wish.width) * u64::from(wish.height) {
            0 => top,
            pixels => self
                .layers
                .iter()
                .position(|layer| layer.pixels() == 0 || layer.pixels() * 100 >= pixels * COVERED_PERCENT)
                .unwrap_or(top),
        };
        let best = by_size.min(wish.max_layer.map_or(top, usize::from));
        let alive = |index: &usize| self.layers[*index].is_alive(now);
        (0..=best).rev().find(alive).or_else(|| (best..=top).find(alive)).or(Some(best))
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
        };
        Track::new(ConnKey(1), &spec, "0".into(), rids.iter().map(|rid| Rid::from(*rid)).collect())
    }

    fn tile(width: u32, height: u32) -> Wish {
        Wish { width, height, ..Wish::default() }
    }

    #[test]
    fn the_tile_decides_the_layer() {
        let now = Instant::now();
        let mut track = camera(&["f", "h", "q"]);
        for layer in 0..3 {
            track.saw_packet(layer, now);
        }
        assert_eq!(track.layers[0].rid.as_deref(), Some("q"), "sorted to ascending quality");
        assert_eq!(track.choose(&tile(160, 90), now), Some(0));
        assert_eq!(track.choose(&tile(640, 360), now), Some(1));
        assert_eq!(track.choose(&tile(1920, 1080), now), Some(2));
        assert_eq!(track.choose(&Wish::default(), now), Some(2), "no size known: the best");
        assert_eq!(track.choose(&Wish { max_layer: Some(0), ..Wish::default() }, now), Some(0));
        assert_eq!(track.choose(&Wish { enabled: false, ..Wish::default() }, now), None);
    }

    #[test]
    fn a_dead_layer_gives_way_to_a_living_one() {
        let now = Instant::now();
        let mut track = camera(&["q", "h", "f"]);
        track.saw_packet(0, now);
        assert_eq!(track.choose(&tile(1280, 720), now), Some(0), "only the low one is sent");
        let later = now + LAYER_DEAD;
        assert!(track.saw_packet(1, later), "a layer that starts is news");
        assert!(!track.saw_packet(1, later));
        assert_eq!(track.choose(&tile(160, 90), later), Some(1), "the low one has died");
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
