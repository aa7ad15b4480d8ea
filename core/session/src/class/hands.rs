//! Raised hands: a queue in the order in which they went up. A lost connection keeps its place; who is away is passed over,
//! not removed.

use super::{Cap, Class, ClassCommand, ClassFact, Desk, Did, did, nothing, persons_once};
use crate::command::Reject;
use crate::event::Event;
use crate::ids::{PersonId, Seq, UnixMs};
use crate::state::{Presence, State};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Raised hands and how they are ordered.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Hands {
    /// Which of them comes first.
    pub order: HandOrder,
    /// Those that are up.
    pub up: BTreeMap<PersonId, Hand>,
}

/// A raised hand.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Hand {
    /// Since which place in the log.
    pub since: Seq,
    /// Since when, in time.
    pub since_at: UnixMs,
    /// What for.
    pub intent: HandIntent,
}

/// What a hand is raised for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum HandIntent {
    #[default]
    Question,
    Answer,
    Help,
    Tech,
}

/// Which hand comes first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum HandOrder {
    /// Who raised it first.
    #[default]
    Fifo,
    /// Who was called least; then who raised it first.
    LeastHeardFirst,
}

impl Hands {
    pub(super) fn lower(&mut self, person: &PersonId) {
        self.up.remove(person);
    }
}

impl Class {
    /// Hands in the order in which they are to be called.
    pub fn queue(&self) -> Vec<&PersonId> {
        let mut queue: Vec<_> = self.hands.up.iter().collect();
        queue.sort_by_key(|(person, hand)| {
            let called = self.members.get(*person).map_or(0, |member| member.called);
            let heard = if self.hands.order == HandOrder::LeastHeardFirst { called } else { 0 };
            (heard, hand.since)
        });
        queue.into_iter().map(|(person, _)| person).collect()
    }
}

impl State {
    /// Whether a hand is passed over for the moment, because its person is away.
    pub fn is_away(&self, person: &PersonId) -> bool {
        self.seat(person).is_none_or(|known| matches!(known.presence, Presence::Offline { .. }))
    }
}

pub(super) fn decide(desk: &Desk<'_>, command: &ClassCommand) -> Option<Did> {
    Some(match command {
        ClassCommand::HandRaise { intent } => (|| {
            let actor = desk.actor()?;
            desk.need(Cap::HandRaise, "raising the hand is not permitted")?;
            if desk.class.hands.up.contains_key(actor) {
                return nothing();
            }
            did(ClassFact::HandRaised { person: actor.clone(), intent: *intent })
        })(),
        ClassCommand::HandLower {} => (|| {
            let actor = desk.actor()?;
            match desk.class.hands.up.contains_key(actor) {
                true => did(ClassFact::HandLowered { persons: vec![actor.clone()] }),
                false => nothing(),
            }
        })(),
        ClassCommand::HandCall { person } => (|| {
            desk.need(Cap::HandCall, "calling people is not permitted")?;
            desk.seat(person)?;
            if !desk.class.hands.up.contains_key(person) {
                return Err(Reject::NotFound("this hand is not up"));
            }
            did(ClassFact::HandCalled { person: person.clone(), until: desk.now.plus(desk.class.policy.floor_ms) })
        })(),
        ClassCommand::HandDismiss { persons, all } => (|| {
            desk.need(Cap::HandManage, "lowering other people's hands is not permitted")?;
            let up = &desk.class.hands.up;
            let persons = if *all { up.keys().cloned().collect() } else { persons_once(persons)? };
            let persons: Vec<_> = persons.into_iter().filter(|person| up.contains_key(person)).collect();
            if persons.is_empty() { nothing() } else { did(ClassFact::HandLowered { persons }) }
        })(),
        ClassCommand::HandReorder { order } => (|| {
            desk.need(Cap::HandManage, "ordering hands is not permitted")?;
            if desk.class.hands.order == *order {
                return nothing();
            }
            did(ClassFact::HandOrderChanged { order: *order })
        })(),
        _ => return None,
    })
}

pub(super) fn apply(state: &mut State, event: &Event, fact: &ClassFact) -> bool {
    let class = &mut state.class;
    match fact {
        ClassFact::HandRaised { person, intent } => {
            let hand = Hand { since: event.seq, since_at: event.at, intent: *intent };
            class.hands.up.insert(person.clone(), hand);
        }
        ClassFact::HandLowered { persons } => persons.iter().for_each(|person| class.hands.lower(person)),
        ClassFact::HandCalled { person, until } => {
            class.hands.lower(person);
            if let Some(member) = class.members.get_mut(person) {
                member.floor_until = Some(*until);
                member.called += 1;
            }
        }
        ClassFact::FloorEnded { person } => {
            if let Some(member) = class.members.get_mut(person) {
                member.floor_until = None;
            }
        }
        ClassFact::HandOrderChanged { order } => class.hands.order = *order,
        _ => return false,
    }
    true
}

pub(super) fn tick(desk: &Desk<'_>) -> Vec<ClassFact> {
    let over = desk.class.members.iter().filter(|(_, member)| member.floor_until.is_some_and(|due| due <= desk.now));
    over.map(|(person, _)| ClassFact::FloorEnded { person: person.clone() }).collect()
}

pub(super) fn timeouts(class: &Class) -> Vec<(UnixMs, &'static str)> {
    class.members.values().filter_map(|member| Some((member.floor_until?, "floor"))).collect()
}
