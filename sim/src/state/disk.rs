//! A log on a disk that takes its time: appends become durable a little later, several at once, and a crash loses some of the
//! last ones. An append is a transaction: it survives as a whole or not at all.

use lyceum_session::{Event, Seq, State, UnixMs, apply};

/// The stored log of one session.
#[derive(Default)]
pub struct Disk {
    events: Vec<Event>,
    durable: usize,
    /// Where each append that is not durable yet ends.
    at_risk: Vec<usize>,
    busy_until_ms: u64,
    /// The last moment at which the session was noted to be alive.
    pub heartbeat: UnixMs,
}

impl Disk {
    /// Accepts events; returns when the last of them will be durable.
    pub fn append(&mut self, events: &[Event], now_ms: u64, latency_ms: u64) -> (u64, Seq) {
        for event in events {
            assert_eq!(event.seq.0, self.events.len() as u64 + 1, "the log has no gaps: {event:?}");
            self.events.push(event.clone());
        }
        self.at_risk.push(self.events.len());
        self.busy_until_ms = self.busy_until_ms.max(now_ms + latency_ms);
        (self.busy_until_ms, Seq(self.events.len() as u64))
    }

    /// Everything up to `seq` is durable; returns what was not before.
    pub fn synced(&mut self, seq: Seq) -> &[Event] {
        let before = self.durable;
        self.durable = before.max(seq.0 as usize).min(self.events.len());
        self.at_risk.retain(|end| *end > self.durable);
        &self.events[before..self.durable]
    }

    /// How many appends may or may not survive a crash.
    pub fn at_risk(&self) -> usize {
        self.at_risk.len()
    }

    /// The power goes; of the appends at risk the first `written` had reached the disk. Returns their events.
    pub fn crashes(&mut self, written: usize) -> &[Event] {
        let before = self.durable;
        let survives = written.checked_sub(1).and_then(|last| self.at_risk.get(last).copied()).unwrap_or(before);
        self.events.truncate(survives);
        self.at_risk.clear();
        self.durable = self.events.len();
        self.busy_until_ms = 0;
        &self.events[before..]
    }

    /// What is certainly there.
    pub fn durable(&self) -> &[Event] {
        &self.events[..self.durable]
    }

    /// The class as the durable log has it.
    pub fn fold(&self) -> State {
        let mut state = State::default();
        self.durable().iter().for_each(|event| apply(&mut state, event));
        state
    }
}
