//! The question how it goes: three moods, twenty seconds, one answer each; learners never see who answered what.

use super::{Cap, Class, ClassCommand, ClassFact, Desk, Did, did, nothing};
use crate::command::Reject;
use crate::event::Event;
use crate::ids::{PersonId, Seq, Text, UnixMs};
use crate::state::State;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A checkpoint that is open.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The place of the fact that asked.
    pub id: Seq,
    /// Who asked.
    pub author: Option<PersonId>,
    /// What.
    pub body: Text,
    /// Until when.
    pub ends_at: UnixMs,
    /// Who answered what.
    pub answers: BTreeMap<PersonId, Mood>,
}

/// How it goes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Mood {
    /// Well.
    Fine,
    /// So so.
    Unsure,
    /// Not at all.
    Lost,
}

/// How long a checkpoint is open.
const OPEN_MS: u64 = 20_000;
/// Longest text, in bytes.
const TEXT_BYTES: usize = 500;

pub(super) fn decide(desk: &Desk<'_>, command: &ClassCommand) -> Option<Did> {
    Some(match command {
        ClassCommand::CheckpointAsk { body } => (|| {
            desk.need(Cap::ActivityRun, "asking the class is not permitted")?;
            if body.0.len() > TEXT_BYTES {
                return Err(Reject::Limit("the text is too long"));
            }
            if desk.class.checkpoint.is_some() {
                return Err(Reject::Conflict("a checkpoint is open already"));
            }
            let author = desk.ctx.actor.clone();
            did(ClassFact::CheckpointAsked { author, body: body.clone(), ends_at: desk.now.plus(OPEN_MS) })
        })(),
        ClassCommand::CheckpointAnswer { mood } => (|| {
            let person = desk.actor()?;
            desk.need(Cap::ActivityRespond, "answering is not permitted")?;
            let open = desk.class.checkpoint.as_ref().filter(|open| desk.now < open.ends_at);
            let open = open.ok_or(Reject::Closed("no checkpoint is open"))?;
            if open.answers.get(person) == Some(mood) {
                return nothing();
            }
            did(ClassFact::CheckpointAnswered { person: person.clone(), mood: *mood })
        })(),
        _ => return None,
    })
}

pub(super) fn apply(state: &mut State, event: &Event, fact: &ClassFact) -> bool {
    let checkpoint = &mut state.class.checkpoint;
    match fact {
        ClassFact::CheckpointAsked { author, body, ends_at } => {
            *checkpoint = Some(Checkpoint {
                id: event.seq,
                author: author.clone(),
                body: body.clone(),
                ends_at: *ends_at,
                answers: BTreeMap::new(),
            });
        }
        ClassFact::CheckpointAnswered { person, mood } => {
            if let Some(open) = checkpoint {
                open.answers.insert(person.clone(), *mood);
            }
        }
        ClassFact::CheckpointClosed { .. } => *checkpoint = None,
        _ => return false,
    }
    true
}

pub(super) fn tick(desk: &Desk<'_>) -> Vec<ClassFact> {
    let Some(open) = desk.class.checkpoint.as_ref().filter(|open| open.ends_at <= desk.now) else { return Vec::new() };
    let mut tally = BTreeMap::new();
    for mood in open.answers.values() {
        *tally.entry(*mood).or_default() += 1;
    }
    vec![ClassFact::CheckpointClosed { tally }]
}

pub(super) fn timeouts(class: &Class) -> Vec<(UnixMs, &'static str)> {
    class.checkpoint.iter().map(|open| (open.ends_at, "checkpoint")).collect()
}
