//! One direction of somebody's internet connection: datagrams take a while, some take longer than those after them, some are
//! lost. Seeded, so that the same datagrams meet the same fate.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How good a connection is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quality {
    /// Time on the way.
    pub latency: Duration,
    /// Added to the latency at random; what overtakes is delivered out of order.
    pub jitter: Duration,
    /// Datagrams lost, of a hundred.
    pub loss_percent: u8,
}

impl Quality {
    /// A good line.
    pub const GOOD: Self = Self { latency: Duration::from_millis(15), jitter: Duration::ZERO, loss_percent: 0 };
    /// Wireless, some rooms away.
    pub const FAIR: Self =
        Self { latency: Duration::from_millis(20), jitter: Duration::from_millis(8), loss_percent: 2 };
    /// A crowded school network.
    pub const BAD: Self =
        Self { latency: Duration::from_millis(30), jitter: Duration::from_millis(12), loss_percent: 5 };
    /// Nothing comes through.
    pub const CUT: Self = Self { loss_percent: 100, ..Self::GOOD };
}

/// Datagrams on their way.
pub(crate) struct Link<T> {
    pub(crate) quality: Quality,
    rng: fastrand::Rng,
    on_the_way: BTreeMap<(Instant, u64), T>,
    sent: u64,
}

impl<T> Link<T> {
    pub(crate) fn new(seed: u64) -> Self {
        Self { quality: Quality::GOOD, rng: fastrand::Rng::with_seed(seed), on_the_way: BTreeMap::new(), sent: 0 }
    }

    pub(crate) fn send(&mut self, now: Instant, datagram: T) {
        let Quality { latency, jitter, loss_percent } = self.quality;
        if self.rng.u8(..100) < loss_percent {
            return;
        }
        let jitter_us = u64::try_from(jitter.as_micros()).unwrap_or(u64::MAX);
        let arrives = now + latency + Duration::from_micros(self.rng.u64(0..=jitter_us));
        self.sent += 1;
        self.on_the_way.insert((arrives, self.sent), datagram);
    }

    pub(crate) fn arrived(&mut self, now: Instant) -> Vec<T> {
        let later = self.on_the_way.split_off(&(now, u64::MAX));
        std::mem::replace(&mut self.on_the_way, later).into_values().collect()
    }
}
