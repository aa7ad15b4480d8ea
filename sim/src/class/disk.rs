//! A log and what lies beside it, on a disk that takes its time. Appends become durable one after another, each as a whole; a
//! crash loses the last of them, those of side records alone like the others.

use lyceum_node::Input;
use lyceum_session::class::{Answers, SavedDraft, SideWrite};
use lyceum_session::{Event, Fact, PersonId, Seq, State, UnixMs, apply};
use std::collections::{BTreeMap, VecDeque};

/// The store of one session.
#[derive(Default)]
pub(super) struct Disk {
    /// What is durable.
    pub events: Vec<Event>,
    /// The same, and what lies beside it, as the class had it in memory.
    pub state: State,
    /// As a store keeps them.
    drafts: BTreeMap<(Seq, PersonId), SavedDraft>,
    pub ballots: BTreeMap<Seq, Vec<Answers>>,
    at_risk: VecDeque<(Vec<Event>, Vec<SideWrite>)>,
    /// Appends of side records alone that are durable, since the node began.
    side_appends: u64,
    appended: u64,
    busy_until_ms: u64,
    /// The last moment at which the session was noted to be alive.
    pub heartbeat: UnixMs,
}

impl Disk {
    /// Accepts an append; returns when it will be durable.
    pub fn append(&mut self, events: Vec<Event>, side: Vec<SideWrite>, now_ms: u64, latency_ms: u64) -> u64 {
        for event in &events {
            self.appended += 1;
            assert_eq!(event.seq.0, self.appended, "the log has no gaps: {event:?}");
        }
        self.at_risk.push_back((events, side));
        self.busy_until_ms = self.busy_until_ms.max(now_ms + latency_ms);
        self.busy_until_ms
    }

    /// The first append at risk is durable; returns what the node is told.
    pub fn syncs(&mut self) -> Option<Input> {
        let (events, side) = self.at_risk.pop_front()?;
        let last = events.last().map(|event| event.seq);
        // As the store orders one append: ballots, events, drafts.
        let (ballots, drafts): (Vec<_>, Vec<_>) =
            side.iter().partition(|write| matches!(write, SideWrite::Ballot { .. }));
        ballots.into_iter().for_each(|write| self.writes(write));
        for event in events {
            apply(&mut self.state, &event);
            self.forgets(&event);
            self.events.push(event);
        }
        drafts.into_iter().for_each(|write| self.writes(write));
        side.iter().for_each(|write| self.state.keep(write));
        Some(last.map_or_else(
            || {
                self.side_appends += 1;
                Input::Kept(self.side_appends)
            },
            Input::Durable,
        ))
    }

    fn writes(&mut self, write: &SideWrite) {
        match write {
            SideWrite::Draft { poll, person, draft } => {
                self.drafts.insert((*poll, person.clone()), draft.clone());
            }
            SideWrite::Ballot { poll, answers } => self.ballots.entry(*poll).or_default().push(answers.clone()),
        }
    }

    fn forgets(&mut self, event: &Event) {
        let Fact::Class(fact) = &event.fact else { return };
        match fact.forgets_drafts() {
            Some((poll, Some(person))) => drop(self.drafts.remove(&(poll, person.clone()))),
            Some((poll, None)) => self.drafts.retain(|(of, _), _| *of != poll),
            None => {}
        }
    }

    pub fn is_busy(&self) -> bool {
        !self.at_risk.is_empty()
    }

    pub fn at_risk(&self) -> usize {
        self.at_risk.len()
    }

    /// The power goes; of the appends at risk the first `written` had reached the disk.
    pub fn crashes(&mut self, written: usize) {
        for _ in 0..written {
            self.syncs();
        }
        self.at_risk.clear();
        self.side_appends = 0;
        self.appended = self.events.len() as u64;
        self.busy_until_ms = 0;
    }

    /// Another node begins.
    pub fn begins(&mut self) {
        self.side_appends = 0;
    }

    /// The class as a server reads it back: the log, and then what lies beside it.
    pub fn reads_back(&self) -> State {
        let mut state = State::default();
        self.events.iter().for_each(|event| apply(&mut state, event));
        for ((poll, person), draft) in &self.drafts {
            state.keep(&SideWrite::Draft { poll: *poll, person: person.clone(), draft: draft.clone() });
        }
        for (poll, ballots) in &self.ballots {
            ballots.iter().for_each(|answers| state.keep(&SideWrite::Ballot { poll: *poll, answers: answers.clone() }));
        }
        state
    }
}
