//! What a run measures: counters and histograms that all learners share, and what each of them has seen at its end.

use crate::peer::Kind;
use crate::signal::SignalError;
use hdrhistogram::Histogram;
use serde::Serialize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// The parts of a run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Phase {
    /// People come in.
    Joining,
    /// Everybody is there: what is measured counts.
    Steady,
    /// Everybody leaves.
    Over,
}

/// Two histograms of how long media took from a publisher to a subscriber, in microseconds.
#[derive(Debug)]
pub struct Latencies {
    pub audio: Histogram<u64>,
    pub video: Histogram<u64>,
}

/// Longer than this counts as this.
const LONGEST_US: u64 = 60_000_000;

fn histogram() -> Histogram<u64> {
    // Cannot fail for these bounds; an empty default would only lose precision.
    Histogram::new_with_bounds(1, LONGEST_US, 3).unwrap_or_else(|_| Histogram::new_from(&empty()))
}

fn empty() -> Histogram<u64> {
    #[expect(clippy::expect_used, reason = "constant arguments")]
    Histogram::new(3).expect("three digits")
}

/// What all learners write to.
#[derive(Debug)]
pub struct Board {
    /// While people joined, and afterwards.
    latencies: [Mutex<Latencies>; 2],
    /// How long datagrams waited in the kernel until this program read them: above some milliseconds it is itself too slow.
    read_lag: Mutex<Histogram<u64>>,
    pub joined: AtomicUsize,
    pub failed: AtomicUsize,
    pub dropped: AtomicUsize,
    pub published: AtomicUsize,
    /// Tracks of which a packet has arrived.
    pub tracks: AtomicUsize,
    pub bytes_down: AtomicU64,
    pub bytes_up: AtomicU64,
    pub signals: AtomicU64,
}

impl Board {
    pub fn new() -> Self {
        let latencies = || Mutex::new(Latencies { audio: histogram(), video: histogram() });
        Self {
            latencies: [latencies(), latencies()],
            read_lag: Mutex::new(histogram()),
            joined: AtomicUsize::new(0),
            failed: AtomicUsize::new(0),
            dropped: AtomicUsize::new(0),
            published: AtomicUsize::new(0),
            tracks: AtomicUsize::new(0),
            bytes_down: AtomicU64::new(0),
            bytes_up: AtomicU64::new(0),
            signals: AtomicU64::new(0),
        }
    }

    /// Takes the latencies that a learner has noted, in microseconds.
    pub fn record(&self, phase: Phase, noted: &mut Vec<(Kind, u64)>) {
        if noted.is_empty() || phase == Phase::Over {
            return noted.clear();
        }
        let Ok(mut latencies) = self.latencies[phase as usize].lock() else { return };
        for (kind, us) in noted.drain(..) {
            match kind {
                Kind::Audio => latencies.audio.saturating_record(us),
                Kind::Video => latencies.video.saturating_record(us),
            }
        }
    }

    pub fn record_read_lag(&self, lag_ns: u64) {
        if let Ok(mut lags) = self.read_lag.lock() {
            lags.saturating_record(lag_ns / 1_000);
        }
    }

    pub fn latency(&self, phase: Phase, kind: Kind) -> Spread {
        let Ok(latencies) = self.latencies[phase as usize].lock() else { return Spread::default() };
        Spread::of_us(if kind == Kind::Audio { &latencies.audio } else { &latencies.video })
    }

    pub fn read_lag(&self) -> Spread {
        self.read_lag.lock().map_or_else(|_| Spread::default(), |lags| Spread::of_us(&lags))
    }

    pub fn add(counter: &AtomicU64, amount: u64) {
        if amount > 0 {
            counter.fetch_add(amount, Relaxed);
        }
    }
}

/// Times that many take at once.
#[derive(Debug)]
pub struct Times(Mutex<Histogram<u64>>);

impl Default for Times {
    fn default() -> Self {
        Self(Mutex::new(histogram()))
    }
}

impl Times {
    pub fn record(&self, time: Duration) {
        if let Ok(mut times) = self.0.lock() {
            times.saturating_record(u64::try_from(time.as_micros()).unwrap_or(LONGEST_US));
        }
    }

    pub fn spread(&self) -> Spread {
        self.0.lock().map_or_else(|_| Spread::default(), |times| Spread::of_us(&times))
    }
}

/// How a measured time is distributed, in milliseconds.
#[derive(Clone, Copy, PartialEq, Default, Debug, Serialize)]
pub struct Spread {
    pub count: u64,
    pub p50_ms: f64,
    pub p95_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
}

impl Spread {
    fn of_us(times: &Histogram<u64>) -> Self {
        let at = |share: f64| times.value_at_quantile(share) as f64 / 1_000.0;
        if times.is_empty() {
            return Self::default();
        }
        Self { count: times.len(), p50_ms: at(0.5), p95_ms: at(0.95), p99_ms: at(0.99), max_ms: at(1.0) }
    }

    /// Of a few times, such as joins.
    pub fn of(times: impl Iterator<Item = Duration>) -> Self {
        let mut histogram = histogram();
        times.for_each(|time| histogram.saturating_record(time.as_micros() as u64));
        Self::of_us(&histogram)
    }
}

/// Which packets of a stream have come, by their sequence numbers.
#[derive(Clone, Copy, Default, Debug)]
pub struct Arrivals {
    first: Option<u64>,
    last: u64,
    pub received: u64,
}

impl Arrivals {
    /// Each number is counted once by the caller.
    pub fn note(&mut self, seq: u64) {
        let first = *self.first.get_or_insert(seq);
        self.first = Some(first.min(seq));
        self.last = self.last.max(seq);
        self.received += 1;
    }

    pub fn expected(&self) -> u64 {
        self.first.map_or(0, |first| self.last - first + 1)
    }

    pub fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.received)
    }
}

/// Packets and their losses.
#[derive(Clone, Copy, Default, Debug, PartialEq, Serialize)]
pub struct Loss {
    pub expected: u64,
    pub lost: u64,
}

impl Loss {
    pub fn add(&mut self, arrivals: &Arrivals) {
        self.expected += arrivals.expected();
        self.lost += arrivals.lost();
    }

    pub fn merge(&mut self, other: &Self) {
        self.expected += other.expected;
        self.lost += other.lost;
    }

    pub fn percent(&self) -> f64 {
        if self.expected == 0 { 0.0 } else { self.lost as f64 * 100.0 / self.expected as f64 }
    }
}

/// What one learner has seen of others, over its whole stay.
#[derive(Clone, Default, Debug)]
pub struct Seen {
    /// Tracks that should play at the end of the stay, and do.
    pub audio_playing: usize,
    pub video_playing: usize,
    /// By the sequence numbers of what the server sent, after retransmission.
    pub audio: Loss,
    pub video: Loss,
    /// Voices, by the stamps of their publishers.
    pub audio_end_to_end: Loss,
    pub frames: u64,
    pub keyframes: u64,
    /// Video packets by layer, smallest first.
    pub layers: [u64; 3],
    pub keyframes_requested: u64,
    /// Packets on lines that no announced track belongs to.
    pub stray: u64,
    /// Times that the server said it paused a picture.
    pub pauses: u64,
}

impl Seen {
    pub fn merge(&mut self, other: &Self) {
        self.audio_playing += other.audio_playing;
        self.video_playing += other.video_playing;
        self.audio.merge(&other.audio);
        self.video.merge(&other.video);
        self.audio_end_to_end.merge(&other.audio_end_to_end);
        self.frames += other.frames;
        self.keyframes += other.keyframes;
        self.layers.iter_mut().zip(other.layers).for_each(|(mine, theirs)| *mine += theirs);
        self.keyframes_requested += other.keyframes_requested;
        self.stray += other.stray;
        self.pauses += other.pauses;
    }
}

/// Why a learner's stay was not as planned.
#[derive(Clone, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum Trouble {
    #[error(transparent)]
    Signal(#[from] SignalError),
    #[error("{0}")]
    Media(String),
    #[error("the server sent it away: {0}")]
    SentAway(String),
    #[error("{0}")]
    Late(String),
    #[error("this machine did not play along: {0}")]
    Machine(String),
}

/// What became of one learner. Times count from the moment it began to connect.
#[derive(Clone, Default, Debug)]
pub struct Outcome {
    pub welcomed: Option<Duration>,
    pub connected: Option<Duration>,
    pub first_audio: Option<Duration>,
    pub first_video: Option<Duration>,
    /// Everything there, own tracks included: the join is complete.
    pub complete: Option<Duration>,
    pub resumes: Vec<Duration>,
    /// Before it was complete.
    pub failed: Option<Trouble>,
    /// After it was complete.
    pub dropped: Option<Trouble>,
    pub server: String,
    pub audio_sent: u64,
    pub video_sent: u64,
    /// Frames that came too late to be sent, since this program was too slow.
    pub frames_late: u64,
    pub unsent: u64,
    pub seen: Seen,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_the_numbers_that_never_came() {
        let mut arrivals = Arrivals::default();
        assert_eq!((arrivals.expected(), arrivals.lost()), (0, 0));
        [10, 11, 13, 12, 20].into_iter().for_each(|seq| arrivals.note(seq));
        assert_eq!((arrivals.expected(), arrivals.lost()), (11, 6));
        [9, 14].into_iter().for_each(|seq| arrivals.note(seq));
        assert_eq!((arrivals.expected(), arrivals.lost()), (12, 5));
        let mut loss = Loss::default();
        loss.add(&arrivals);
        assert!((loss.percent() - 41.67).abs() < 0.01);
        assert_eq!(Loss::default().percent(), 0.0);
    }

    #[test]
    fn times_are_told_in_milliseconds() {
        let spread = Spread::of((1..=100).map(Duration::from_millis));
        assert_eq!(spread.count, 100);
        assert!((spread.p50_ms - 50.0).abs() < 0.1 && (spread.p99_ms - 99.0).abs() < 0.1, "{spread:?}");
        assert!((spread.max_ms - 100.0).abs() < 0.1);
        assert_eq!(Spread::of([].into_iter()), Spread::default());
    }

    #[test]
    fn latencies_count_in_their_phase() {
        let board = Board::new();
        board.record(Phase::Joining, &mut vec![(Kind::Audio, 5_000)]);
        board.record(Phase::Steady, &mut vec![(Kind::Audio, 1_000), (Kind::Video, 2_000)]);
        board.record(Phase::Over, &mut vec![(Kind::Audio, 9_000)]);
        let audio = board.latency(Phase::Steady, Kind::Audio);
        assert_eq!(audio.count, 1);
        assert!((audio.max_ms - 1.0).abs() < 0.01);
        assert_eq!(board.latency(Phase::Joining, Kind::Audio).count, 1);
        assert_eq!(board.latency(Phase::Steady, Kind::Video).count, 1);
    }
}
