//! What one subscriber can be sent: audio is reserved first, then video gets what is left, the largest tile first, each at least its
//! lowest layer before any gets a higher one. Falling is immediate but needs evidence of congestion (loss, or a growing round trip);
//! rising needs room in the lowest estimate of the last seconds, and patience. Sizes are wire bits per second.

use crate::api::TrackKey;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

/// RTCP, ICE checks, data channels.
const CONTROL_BPS: u64 = 16_000;
/// What is kept may use this much of the estimate; what is new must fit into less.
const KEEP_PERCENT: u64 = 95;
const GAIN_PERCENT: u64 = 85;
/// A gain must fit into the lowest estimate of this long.
const GAIN_WINDOW: Duration = Duration::from_secs(5);
/// Loss above this is congestion by itself. Less is what bad radio does, and is repaired; a full queue shows in the round trip too.
const LOSS_CONGESTED: f32 = 0.10;
/// A round trip longer than the shortest known by this much is a queue.
const QUEUE_CONGESTED: Duration = Duration::from_millis(100);
/// Evidence counts for this long.
const EVIDENCE_LASTS: Duration = Duration::from_secs(8);
/// Only after this long without evidence may more be tried than the estimate has seen.
const TRIAL_AFTER: Duration = Duration::from_secs(30);
/// A track that went down waits this long before it goes up again; doubled each time it has to go down soon after.
const PATIENCE_MIN: Duration = Duration::from_secs(4);
const PATIENCE_MAX: Duration = Duration::from_secs(60);
/// Without evidence of congestion more may be tried than the estimate has seen: this much on top of what is sent, at a time.
const TRIAL_PERCENT: u64 = 150;
const TRIAL_EXTRA_BPS: u64 = 300_000;

/// One video track that a subscriber wants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Demand {
    pub track: TrackKey,
    /// How much it matters: pixels of its tile.
    pub weight: u64,
    /// The layer that the tile calls for.
    pub wanted: usize,
    /// Cost of each layer; `None` for one that is not sent at the moment.
    pub costs: Vec<Option<u64>>,
}

/// What a track may be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Grant {
    /// At most this layer.
    UpTo(usize),
    /// Nothing fits.
    Paused,
}

#[derive(Debug, Default)]
pub(crate) struct Allocator {
    estimates: VecDeque<(Instant, u64)>,
    round_trip_min: Option<Duration>,
    congested_at: Option<Instant>,
    tracks: BTreeMap<TrackKey, Held>,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    grant: Grant,
    changed_at: Instant,
    patience: Duration,
}

impl Allocator {
    /// What the network said of itself: the sender's estimate in bits per second, the share of packets lost, the round trip.
    pub(crate) fn hear(&mut self, now: Instant, estimate_bps: u64, loss: Option<f32>, round_trip: Option<Duration>) {
        self.estimates.push_back((now, estimate_bps));
        while self.estimates.len() > 1
            && self.estimates.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > GAIN_WINDOW)
        {
            self.estimates.pop_front();
        }
        let queued = match (round_trip, self.round_trip_min) {
            (Some(round_trip), Some(min)) => round_trip > min + QUEUE_CONGESTED,
            _ => false,
        };
        if let Some(round_trip) = round_trip {
            // Rises slowly, so that a longer path after a change of network is not a queue for ever.
            let slack = self.round_trip_min.map(|min| min + min / 256 + Duration::from_micros(200));
            self.round_trip_min = Some(slack.map_or(round_trip, |slack| slack.min(round_trip)));
        }
        if queued || loss.is_some_and(|loss| loss > LOSS_CONGESTED) {
            self.congested_at = Some(now);
        }
    }

    /// Decides for every track. `audio_bps` is reserved; `sent_bps` is what video is sent now.
    pub(crate) fn allocate(
        &mut self,
        now: Instant,
        audio_bps: u64,
        sent_bps: u64,
        mut demands: Vec<Demand>,
    ) -> Vec<(TrackKey, Grant)> {
        demands.sort_by_key(|demand| (std::cmp::Reverse(demand.weight), demand.track));
        let demanded: BTreeSet<TrackKey> = demands.iter().map(|demand| demand.track).collect();
        self.tracks.retain(|track, _| demanded.contains(track));
        let Budgets { keep, gain } = self.budgets(now, audio_bps, sent_bps);
        let mut used = 0;
        let mut chosen: Vec<Option<usize>> = vec![None; demands.len()];
        for (demand, chosen) in demands.iter().zip(&mut chosen) {
            let Some((floor, cost)) = demand.floor() else {
                // Nothing is sent of it: it costs nothing, and must not be declared paused.
                *chosen = Some(demand.wanted);
                continue;
            };
            let held = self.held(demand.track);
            if used + cost
                <= if held.is_none_or(|grant| grant != Grant::Paused) && held.is_some() { keep } else { gain }
            {
                used += cost;
                *chosen = Some(floor);
            }
        }
        for (demand, chosen) in demands.iter().zip(&mut chosen) {
            let (Some(floor), Some((_, floor_cost))) = (*chosen, demand.floor()) else { continue };
            for layer in floor + 1..=demand.wanted {
                let Some(cost) = demand.costs[layer] else { continue };
                let already = matches!(self.held(demand.track), Some(Grant::UpTo(held)) if held >= layer);
                let before = demand.costs[chosen.unwrap_or(floor)].unwrap_or(floor_cost);
                if used - before + cost <= if already { keep } else { gain } {
                    used = used - before + cost;
                    *chosen = Some(layer);
                }
            }
        }
        let decided = demands.iter().zip(chosen);
        decided.map(|(demand, layer)| (demand.track, self.settle(now, demand, layer))).collect()
    }

    /// What the sender should try to find room for: a little more than what it sends, never the sum of all wishes, since probes go to
    /// twice of it.
    pub(crate) fn desired_bps(&self, audio_bps: u64, wanted_bps: u64) -> u64 {
        let estimate = self.estimates.back().map_or(0, |(_, estimate)| *estimate);
        let ceiling = (estimate * 3 / 2).max(estimate + 200_000);
        ((audio_bps + wanted_bps) * 115 / 100).clamp(audio_bps + 50_000, ceiling.max(audio_bps + 50_000))
    }

    fn held(&self, track: TrackKey) -> Option<Grant> {
        self.tracks.get(&track).map(|held| held.grant)
    }

    fn budgets(&self, now: Instant, audio_bps: u64, sent_bps: u64) -> Budgets {
        let Some((_, latest)) = self.estimates.back().copied() else {
            return Budgets { keep: u64::MAX, gain: u64::MAX };
        };
        let lowest = self.estimates.iter().map(|(_, estimate)| *estimate).min().unwrap_or(latest);
        let reserve = audio_bps + CONTROL_BPS;
        let keep = (latest * KEEP_PERCENT / 100).saturating_sub(reserve);
        let gain = (lowest * GAIN_PERCENT / 100).saturating_sub(reserve);
        let calm_for = self.congested_at.map_or(Duration::MAX, |at| now.saturating_duration_since(at));
        if calm_for < EVIDENCE_LASTS {
            return Budgets { keep, gain };
        }
        if calm_for < TRIAL_AFTER {
            return Budgets { keep: u64::MAX, gain };
        }
        // The estimate of a sender that has little to send decays although nothing is wrong.
        let trial = sent_bps * TRIAL_PERCENT / 100 + TRIAL_EXTRA_BPS;
        Budgets { keep: u64::MAX, gain: gain.max(trial) }
    }

    /// Applies patience: down at once, up only after a while.
    fn settle(&mut self, now: Instant, demand: &Demand, layer: Option<usize>) -> Grant {
        let wish = match layer {
            None => Grant::Paused,
            // With room for all that the tile calls for, a later and larger wish need not wait for us.
            Some(layer) if layer >= demand.wanted => Grant::UpTo(demand.wanted),
            Some(layer) => Grant::UpTo(layer),
        };
        let Some(held) = self.tracks.get_mut(&demand.track) else {
            self.tracks.insert(demand.track, Held { grant: wish, changed_at: now, patience: Duration::ZERO });
            return wish;
        };
        if wish == held.grant {
            return wish;
        }
        let since = now.saturating_duration_since(held.changed_at);
        let squeezed = wish.rank() < held.grant.rank() && layer.is_none_or(|layer| layer < demand.wanted);
        if squeezed {
            let soon = since < held.patience * 2;
            let patience = if soon { held.patience * 2 } else { PATIENCE_MIN };
            *held = Held { grant: wish, changed_at: now, patience: patience.clamp(PATIENCE_MIN, PATIENCE_MAX) };
        } else if wish.rank() < held.grant.rank() {
            // The tile became smaller.
            held.grant = wish;
        } else if since >= held.patience {
            held.grant = wish;
            held.changed_at = now;
        }
        held.grant
    }
}

struct Budgets {
    keep: u64,
    gain: u64,
}

impl Demand {
    /// The cheapest layer that is sent, not above the one wanted unless there is no other.
    fn floor(&self) -> Option<(usize, u64)> {
        self.costs.iter().enumerate().find_map(|(layer, cost)| cost.map(|cost| (layer, cost)))
    }
}

impl Grant {
    fn rank(self) -> usize {
        match self {
            Grant::Paused => 0,
            Grant::UpTo(layer) => layer + 1,
        }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // Somewhere a virtual clock has to begin.
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CAMERA: [Option<u64>; 3] = [Some(150_000), Some(500_000), Some(1_500_000)];
    const AUDIO: u64 = 50_000;
    const RTT: Duration = Duration::from_millis(30);

    fn camera(track: u64, weight: u64, wanted: usize) -> Demand {
        Demand { track: TrackKey(track), weight, wanted, costs: CAMERA.to_vec() }
    }

    fn congested(now: Instant, estimate: u64) -> Allocator {
        let mut allocator = Allocator::default();
        allocator.hear(now, estimate, Some(0.0), Some(RTT));
        allocator.hear(now, estimate, Some(0.2), Some(RTT));
        allocator
    }

    #[test]
    fn without_news_of_the_network_everything_is_sent() {
        let mut allocator = Allocator::default();
        let grants = allocator.allocate(Instant::now(), AUDIO, 0, vec![camera(1, 9, 2), camera(2, 5, 0)]);
        assert_eq!(grants, vec![(TrackKey(1), Grant::UpTo(2)), (TrackKey(2), Grant::UpTo(0))]);
    }

    #[test]
    fn on_a_narrow_link_audio_stays_and_video_pauses() {
        let now = Instant::now();
        let mut allocator = congested(now, 100_000);
        assert_eq!(allocator.allocate(now, AUDIO, 0, vec![camera(1, 9, 2)]), vec![(TrackKey(1), Grant::Paused)]);
    }

    #[test]
    fn everybody_gets_a_picture_before_anybody_gets_a_better_one() {
        let now = Instant::now();
        let mut allocator = congested(now, 900_000);
        let demands = vec![camera(1, 9, 2), camera(2, 1, 2), camera(3, 5, 2)];
        let grants = allocator.allocate(now, AUDIO, 0, demands);
        assert!(grants.iter().all(|(_, grant)| *grant != Grant::Paused), "{grants:?}");
        let large = congested(now, 1_200_000).allocate(now, AUDIO, 0, vec![camera(1, 9, 2), camera(2, 1, 2)]);
        assert_eq!(large[0], (TrackKey(1), Grant::UpTo(1)), "the largest tile first");
    }

    #[test]
    fn a_falling_estimate_without_loss_or_queue_moves_nothing() {
        let start = Instant::now();
        let mut allocator = Allocator::default();
        allocator.hear(start, 5_000_000, Some(0.0), Some(RTT));
        allocator.allocate(start, AUDIO, 0, vec![camera(1, 9, 2)]);
        for second in 1..60 {
            let now = start + Duration::from_secs(second);
            allocator.hear(now, 80_000, Some(0.0), Some(RTT));
            assert_eq!(allocator.allocate(now, AUDIO, 1_500_000, vec![camera(1, 9, 2)])[0].1, Grant::UpTo(2));
        }
    }

    #[test]
    fn quality_returns_after_patience_and_does_not_flap() {
        let start = Instant::now();
        let mut allocator = congested(start, 5_000_000);
        let mut changes = 0;
        let mut before = None;
        let mut last = Grant::Paused;
        // A link that is congested for one second in every six.
        for tick in 0..3_000u64 {
            let now = start + Duration::from_millis(100 * tick);
            let bad = tick % 60 < 10;
            let (estimate, loss) = if bad { (300_000, 0.2) } else { (5_000_000, 0.0) };
            allocator.hear(now, estimate, Some(loss), Some(RTT));
            last = allocator.allocate(now, AUDIO, 300_000, vec![camera(1, 9, 2)])[0].1;
            changes += usize::from(before.is_some_and(|before| before != last));
            before = Some(last);
        }
        assert!(changes < 20, "{changes} changes in five minutes; last {last:?}");
        let calm = start + Duration::from_secs(400);
        for tick in 0..700u64 {
            let now = calm + Duration::from_millis(100 * tick);
            allocator.hear(now, 5_000_000, Some(0.0), Some(RTT));
            last = allocator.allocate(now, AUDIO, 300_000, vec![camera(1, 9, 2)])[0].1;
        }
        assert_eq!(last, Grant::UpTo(2), "a calm network gives everything back");
    }

    proptest! {
        /// With evidence of congestion, what was just granted never takes more than the estimate leaves after audio.
        #[test]
        fn video_never_takes_what_audio_needs(
            estimate in 0u64..8_000_000,
            audio in 0u64..400_000,
            tiles in proptest::collection::vec((0u64..1_000_000, 0usize..3), 0..25),
        ) {
            let now = Instant::now();
            let demands: Vec<Demand> =
                tiles.iter().enumerate().map(|(index, (weight, wanted))| camera(index as u64, *weight, *wanted)).collect();
            let grants = congested(now, estimate).allocate(now, audio, 0, demands);
            let used: u64 = grants.iter().map(|(_, grant)| match grant {
                Grant::UpTo(layer) => CAMERA[*layer].unwrap_or(0),
                Grant::Paused => 0,
            }).sum();
            prop_assert!(used == 0 || used + audio <= estimate, "{used} of {estimate}");
        }
    }
}
