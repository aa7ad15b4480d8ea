//! A Space as people see it: who is shown large, how, and what lies on the table there.

use super::decks::{BoardAccess, Page};
use super::presenter::Lease;
use super::{Cap, ClassCommand, ClassFact, Desk, Did, did, nothing};
use crate::command::Reject;
use crate::event::Event;
use crate::ids::{PersonId, Seq, SpaceName};
use crate::state::State;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The main room or a breakout.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Space {
    /// The place of the fact that changed it last.
    pub rev: Seq,
    /// Who presents; `None` is nobody.
    pub presenter: Option<Lease>,
    /// Who lost the lease and gets it back on return.
    pub former_presenter: Option<PersonId>,
    /// What is shown how.
    pub stage: Stage,
    /// Which slide is shown.
    pub page: Option<Page>,
    /// Who draws.
    pub board_access: BoardAccess,
    /// Who draws, if only some do.
    pub board_persons: BTreeSet<PersonId>,
    /// Only staff writes the notes.
    pub notes_locked: bool,
}

/// What is shown how.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Stage {
    /// How.
    #[serde(default)]
    pub layout: Layout,
    /// Who is shown large, in order.
    #[serde(default)]
    pub spotlight: Vec<PersonId>,
}

/// How a Space is laid out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// Everybody the same.
    #[default]
    Gallery,
    /// Somebody large.
    Speaker,
    /// Slides or a screen large.
    Presentation,
    /// The board large.
    Board,
}

/// Most people shown large.
const MOST_SPOTLIGHT: usize = 12;

pub(super) fn decide(desk: &Desk<'_>, command: &ClassCommand) -> Option<Did> {
    let ClassCommand::StageSet { space, stage } = command else { return None };
    Some((|| {
        let (space, here) = desk.space(space.as_ref())?;
        desk.need_there(Cap::StageSet, &space, "setting the stage is not permitted")?;
        desk.expect(here.rev, super::Expect::Optional)?;
        if stage.spotlight.len() > MOST_SPOTLIGHT {
            return Err(Reject::Limit("too many people in the spotlight"));
        }
        stage.spotlight.iter().try_for_each(|person| desk.seat(person).map(|_| ()))?;
        if here.stage == *stage { nothing() } else { did(ClassFact::StageChanged { space, stage: stage.clone() }) }
    })())
}

impl Desk<'_> {
    /// What the presenter of a Space may do, they may do in that Space.
    pub(super) fn need_there(&self, cap: Cap, space: &SpaceName, why: &'static str) -> Result<(), Reject> {
        self.need(cap, why)?;
        let Some(actor) = &self.ctx.actor else { return Ok(()) };
        let known = self.seat(actor)?;
        let by_role = known.profile.role.preset().has(cap);
        let own = self.member(actor)?.overrides.get(&cap) == Some(&true);
        if by_role || own || known.space == *space { Ok(()) } else { Err(self.denied(why)) }
    }
}

/// A Space that a backend, or a token, places people in is there from then on.
pub(super) fn set_up(state: &mut State, space: &SpaceName, at: Seq) {
    state.class.spaces.entry(space.clone()).or_insert_with(|| Space { rev: at, ..Space::default() });
}

pub(super) fn apply(state: &mut State, event: &Event, fact: &ClassFact) -> bool {
    let ClassFact::StageChanged { space, stage } = fact else { return false };
    if let Some(here) = state.class.spaces.get_mut(space) {
        here.stage = stage.clone();
        here.rev = event.seq;
    }
    true
}
