//! The session as a whole: its lock, its end with time to think again, its policy, and what happens when no staff is left.

use super::policy::Unattended;
use super::{Cap, Class, ClassCommand, ClassFact, Desk, Did, Expect, did, nothing};
use crate::command::Reject;
use crate::event::{Event, Role};
use crate::ids::{PersonId, UnixMs};
use crate::state::{Presence, State};

pub(super) fn decide(desk: &Desk<'_>, command: &ClassCommand) -> Option<Did> {
    Some(match command {
        ClassCommand::SessionEnd { confirm } => (|| {
            desk.need(Cap::SessionEnd, "ending the session is not permitted")?;
            desk.expect(desk.class.policy_rev, Expect::Optional)?;
            if desk.state.session.as_ref() != Some(confirm) {
                return Err(Reject::Invalid("the end must name this session"));
            }
            if desk.class.ending_at.is_some() {
                return nothing();
            }
            did(ClassFact::SessionEnding { at: desk.now.plus(desk.class.policy.end_undo_ms) })
        })(),
        ClassCommand::SessionCancelEnd {} => (|| {
            desk.need(Cap::SessionEnd, "ending the session, or not, is not permitted")?;
            desk.class.ending_at.ok_or(Reject::NotFound("no end was announced"))?;
            did(ClassFact::SessionEndCancelled {})
        })(),
        ClassCommand::SessionLock {} | ClassCommand::SessionUnlock {} => (|| {
            desk.need(Cap::SessionLock, "locking the session is not permitted")?;
            match (matches!(command, ClassCommand::SessionLock {}), desk.class.locked) {
                (true, false) => did(ClassFact::SessionLocked {}),
                (false, true) => did(ClassFact::SessionUnlocked {}),
                _ => nothing(),
            }
        })(),
        ClassCommand::PolicySet { patch } => (|| {
            desk.need(Cap::PolicySet, "changing the policy is not permitted")?;
            desk.expect(desk.class.policy_rev, Expect::Required)?;
            let policy = patch.over(&desk.class.policy)?;
            if policy == desk.class.policy { nothing() } else { did(ClassFact::PolicyChanged { policy }) }
        })(),
        _ => return None,
    })
}

pub(super) fn apply(state: &mut State, event: &Event, fact: &ClassFact) -> bool {
    let class = &mut state.class;
    match fact {
        ClassFact::SessionEnding { at } => class.ending_at = Some(*at),
        ClassFact::SessionEndCancelled {} => class.ending_at = None,
        ClassFact::SessionLocked {} => class.locked = true,
        ClassFact::SessionUnlocked {} => class.locked = false,
        ClassFact::SessionUnattended {} => {
            class.unattended = true;
            return true;
        }
        ClassFact::PolicyChanged { policy } => {
            class.policy = policy.clone();
            if !matches!(policy.unattended, Unattended::Lock) {
                class.unattended = false;
            }
        }
        _ => return false,
    }
    state.class.policy_rev = event.seq;
    true
}

pub(super) fn tick(desk: &Desk<'_>) -> Vec<ClassFact> {
    match unattended_lock_at(desk.class) {
        Some(due) if due <= desk.now => vec![ClassFact::SessionUnattended {}],
        _ => Vec::new(),
    }
}

pub(super) fn timeouts(class: &Class) -> Vec<(UnixMs, &'static str)> {
    let ending = class.ending_at.map(|at| (at, "announced end"));
    let lock = unattended_lock_at(class).map(|at| (at, "no staff"));
    let end = unattended_end_at(class).map(|at| (at, "no staff to go on"));
    ending.into_iter().chain(lock).chain(end).collect()
}

/// When a class that is left alone is locked.
fn unattended_lock_at(class: &Class) -> Option<UnixMs> {
    let since = class.unattended_since.filter(|_| !class.unattended)?;
    matches!(class.policy.unattended, Unattended::Lock).then(|| since.plus(class.policy.unattended_grace_ms))
}

/// When a class that is left alone ends.
fn unattended_end_at(class: &Class) -> Option<UnixMs> {
    let Unattended::EndAfter { ms } = class.policy.unattended else { return None };
    Some(class.unattended_since?.plus(class.policy.unattended_grace_ms).plus(ms))
}

/// Whether the session is to end now, by an announced end or because it was left alone.
pub(crate) fn is_over(class: &Class, now: UnixMs) -> bool {
    class.ending_at.into_iter().chain(unattended_end_at(class)).any(|due| due <= now)
}

/// Somebody connected: a qualifying return if they are of the staff who teach.
pub(super) fn attended(state: &mut State, person: &PersonId) {
    if state.seat(person).is_some_and(|known| teaches(known.profile.role)) {
        state.class.unattended_since = None;
        state.class.unattended = false;
    }
}

/// After a change of connections or roles: whether anybody of the staff is connected. The wait starts once.
pub(super) fn left_alone(state: &mut State, event: &Event) {
    let teaching = |known: &crate::state::Participant| {
        teaches(known.profile.role) && known.presence == Presence::Online && !known.connections.is_empty()
    };
    if state.participants.values().any(teaching) {
        state.class.unattended_since = None;
        state.class.unattended = false;
    } else if state.class.unattended_since.is_none() {
        state.class.unattended_since = Some(event.at);
    }
}

fn teaches(role: Role) -> bool {
    role.leads() || role == Role::TeachingAssistant
}
