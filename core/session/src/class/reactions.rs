//! Reactions: passed on at once and kept nowhere; only counts of a minute go into the log.

use super::{Cap, ClassCommand, ClassFact, Desk, Did, Extra, Work, did, nothing};
use crate::command::Reject;
use crate::event::Event;
use crate::ids::{PersonId, SpaceName, UnixMs};
use crate::state::State;
use std::collections::BTreeMap;

/// What is passed on to those who are there, and kept nowhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Signal {
    /// Somebody reacts.
    Reaction {
        /// Who.
        person: PersonId,
        /// In which Space.
        space: SpaceName,
        /// How; the page knows the picture.
        kind: String,
    },
}

/// Counts reactions between two entries of the log. It lies beside the state, and what it holds may be lost.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reactions {
    counts: BTreeMap<SpaceName, BTreeMap<String, u32>>,
    due: Option<UnixMs>,
}

/// How often counts go into the log.
const AGGREGATE_MS: u64 = 60_000;
/// Longest name of a kind, in bytes.
const KIND_BYTES: usize = 32;
/// Kinds counted of one Space in one minute; others are passed on only.
const MOST_KINDS: usize = 32;

impl Reactions {
    /// Counts a reaction.
    pub fn count(&mut self, signal: &Signal, now: UnixMs) {
        let Signal::Reaction { space, kind, .. } = signal;
        let of_space = self.counts.entry(space.clone()).or_default();
        if !of_space.contains_key(kind) && of_space.len() >= MOST_KINDS {
            return;
        }
        let counted = of_space.entry(kind.clone()).or_default();
        *counted = counted.saturating_add(1);
        self.due.get_or_insert(now.plus(AGGREGATE_MS));
    }

    /// When counts are due for the log.
    pub fn poll_timeout(&self) -> Option<UnixMs> {
        self.due
    }

    /// What is to be issued, as the server, once that time has come.
    pub fn take(&mut self, now: UnixMs) -> Vec<ClassCommand> {
        if self.due.is_none_or(|due| due > now) {
            return Vec::new();
        }
        self.due = None;
        let counts = std::mem::take(&mut self.counts).into_iter();
        counts.map(|(space, counts)| ClassCommand::ReactionAggregate { space, counts }).collect()
    }
}

pub(super) fn decide(desk: &Desk<'_>, command: &ClassCommand) -> Option<Did> {
    Some(match command {
        ClassCommand::ReactionSend { kind } => (|| {
            let person = desk.actor()?.clone();
            desk.need(Cap::ReactionSend, "reacting is not permitted")?;
            if kind.is_empty() || kind.len() > KIND_BYTES || kind.chars().any(char::is_control) {
                return Err(Reject::Invalid("a reaction's kind has 1 to 32 bytes and no control characters"));
            }
            let space = desk.seat(&person)?.space.clone();
            let signals = vec![Signal::Reaction { person, space, kind: kind.clone() }];
            Ok(Work { facts: Vec::new(), extra: Extra { side: Vec::new(), signals } })
        })(),
        ClassCommand::ReactionAggregate { space, counts } => (|| {
            desk.only_server("only the server counts reactions")?;
            if counts.is_empty() {
                return nothing();
            }
            did(ClassFact::ReactionAggregated { space: space.clone(), counts: counts.clone() })
        })(),
        _ => return None,
    })
}

/// Counts are for reports that read the log; the state does not need them.
pub(super) fn apply(_state: &mut State, _event: &Event, fact: &ClassFact) -> bool {
    matches!(fact, ClassFact::ReactionAggregated { .. })
}
