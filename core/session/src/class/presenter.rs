//! Who presents in a Space: a lease that at most one person holds, who is placed there. It survives a lost connection for
//! the policy's grace; then it falls to somebody who leads the class, or to nobody, and who lost it gets it back on return
//! unless somebody was appointed by hand since.

use super::policy::Fallback;
use super::{Cap, Class, ClassCommand, ClassFact, Desk, Did, Expect, did, nothing};
use crate::command::Reject;
use crate::event::{Event, Fact};
use crate::ids::{PersonId, Seq, SpaceName, UnixMs};
use crate::state::State;
use serde::{Deserialize, Serialize};

/// The presenter's lease of a Space.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Lease {
    /// Who holds it.
    pub person: PersonId,
    /// The place of the fact that gave it: a newer lease has a higher number.
    pub lease: Seq,
    /// When it is lost, if the holder is not back by then; `None` while they are connected.
    pub lost_at: Option<UnixMs>,
}

/// Why the presenter changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PresenterReason {
    /// Somebody appointed them.
    Assigned,
    /// They took it.
    Taken,
    /// The holder gave it up.
    Released,
    /// The holder was away for too long.
    Lost,
    /// Who had lost it is back.
    Returned,
}

pub(super) fn decide(desk: &Desk<'_>, command: &ClassCommand) -> Option<Did> {
    Some(match command {
        ClassCommand::PresenterAssign { person, space } => (|| {
            desk.need(Cap::PresenterAssign, "appointing the presenter is not permitted")?;
            let (space, here) = desk.space(space.as_ref())?;
            if desk.seat(person)?.space != space {
                return Err(Reject::Conflict("the presenter of a Space is somebody who is placed there"));
            }
            desk.expect(here.rev, Expect::Required)?;
            desk.hand_over(space, Some(person), PresenterReason::Assigned)
        })(),
        ClassCommand::PresenterTake { space } => (|| {
            desk.need(Cap::PresenterTake, "presenting is not permitted")?;
            let (space, here) = desk.space(space.as_ref())?;
            let actor = desk.actor()?;
            if desk.seat(actor)?.space != space {
                return Err(Reject::Conflict("the presenter of a Space is somebody who is placed there"));
            }
            desk.expect(here.rev, Expect::Optional)?;
            desk.hand_over(space, Some(actor), PresenterReason::Taken)
        })(),
        ClassCommand::PresenterRelease { space } => (|| {
            let (space, here) = desk.space(space.as_ref())?;
            let holder = here.presenter.as_ref().map(|lease| &lease.person);
            if holder.is_none() {
                return nothing();
            }
            if desk.ctx.actor.as_ref() != holder {
                desk.need(Cap::PresenterAssign, "only the presenter may stop presenting")?;
            }
            desk.hand_over(space, None, PresenterReason::Released)
        })(),
        _ => return None,
    })
}

impl Desk<'_> {
    fn hand_over(&self, space: SpaceName, to: Option<&PersonId>, reason: PresenterReason) -> Did {
        let from = self.class.spaces.get(&space).and_then(|here| here.presenter.as_ref()).map(|lease| &lease.person);
        if from == to {
            return nothing();
        }
        did(ClassFact::PresenterChanged { space, from: from.cloned(), to: to.cloned(), reason })
    }
}

pub(super) fn apply(state: &mut State, event: &Event, fact: &ClassFact) -> bool {
    let ClassFact::PresenterChanged { space, from, to, reason } = fact else { return false };
    let deadline = event.at.plus(state.class.policy.presenter_grace_ms);
    let away = to.as_ref().is_some_and(|to| !state.is_online(to));
    if let Some(here) = state.class.spaces.get_mut(space) {
        here.former_presenter = match reason {
            PresenterReason::Lost => from.clone(),
            _ => None,
        };
        here.presenter = to.clone().map(|person| Lease { person, lease: event.seq, lost_at: away.then_some(deadline) });
        here.rev = event.seq;
    }
    true
}

pub(super) fn tick(desk: &Desk<'_>) -> Vec<ClassFact> {
    let mut facts = Vec::new();
    for (name, space) in &desk.class.spaces {
        let Some(lease) = space.presenter.as_ref().filter(|lease| lease.lost_at.is_some_and(|due| due <= desk.now))
        else {
            continue;
        };
        let heir = desk.state.participants.iter().find(|(person, known)| {
            **person != lease.person
                && known.space == *name
                && known.profile.role.leads()
                && known.is_counted()
                && desk.state.is_online(person)
        });
        let to = match desk.class.policy.presenter_fallback {
            Fallback::CoInstructor => heir.map(|(person, _)| person.clone()),
            Fallback::Nobody => None,
        };
        let from = Some(lease.person.clone());
        facts.push(ClassFact::PresenterChanged { space: name.clone(), from, to, reason: PresenterReason::Lost });
    }
    facts
}

pub(super) fn timeouts(class: &Class) -> Vec<(UnixMs, &'static str)> {
    let leases = class.spaces.values().filter_map(|space| space.presenter.as_ref());
    leases.filter_map(|lease| Some((lease.lost_at?, "presenter grace"))).collect()
}

/// What an arrival brings with it: who had lost the lease of the Space that they are placed in gets it back.
pub(crate) fn returns(state: &State, person: &PersonId) -> Option<Fact> {
    let name = &state.seat(person)?.space;
    let space = state.class.spaces.get(name)?;
    if space.former_presenter.as_ref() != Some(person) {
        return None;
    }
    let from = space.presenter.as_ref().map(|lease| lease.person.clone());
    let to = Some(person.clone());
    let reason = PresenterReason::Returned;
    Some(Fact::Class(ClassFact::PresenterChanged { space: name.clone(), from, to, reason }))
}

/// A holder is connected again.
pub(super) fn back(state: &mut State, person: &PersonId) {
    for lease in state.class.spaces.values_mut().filter_map(|space| space.presenter.as_mut()) {
        if lease.person == *person {
            lease.lost_at = None;
        }
    }
}

/// A holder lost their last connection.
pub(super) fn gone(state: &mut State, person: &PersonId, event: &Event) {
    if state.is_online(person) {
        return;
    }
    let deadline = event.at.plus(state.class.policy.presenter_grace_ms);
    for lease in state.class.spaces.values_mut().filter_map(|space| space.presenter.as_mut()) {
        if lease.person == *person {
            lease.lost_at = Some(deadline);
        }
    }
}

/// Somebody is placed elsewhere, or left: they present no more in a Space where they are not.
pub(super) fn moved(state: &mut State, person: &PersonId, at: Seq) {
    let now_in = state.seat(person).map(|known| known.space.clone());
    for (name, space) in &mut state.class.spaces {
        if now_in.as_ref() == Some(name) {
            continue;
        }
        if space.presenter.as_ref().is_some_and(|lease| lease.person == *person) {
            space.presenter = None;
            space.rev = at;
        }
        if space.former_presenter.as_ref() == Some(person) {
            space.former_presenter = None;
        }
    }
}
