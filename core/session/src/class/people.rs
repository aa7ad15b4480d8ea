//! Roles, overrides, removal and bans: who is what in a class, and who is in it no more.

use super::lobby::Ban;
use super::media::MicIntent;
use super::{Cap, Caps, ClassCommand, ClassFact, Desk, Did, Expect, Member, Overrides, did, nothing, presenter};
use crate::command::Reject;
use crate::event::{Event, Fact, Role};
use crate::ids::{PersonId, Seq};
use crate::state::State;
use std::collections::BTreeMap;

pub(super) fn decide(desk: &Desk<'_>, command: &ClassCommand) -> Option<Did> {
    Some(match command {
        ClassCommand::ParticipantSetRole { person, role } => desk.set_role(person, *role),
        ClassCommand::ParticipantOverrideCaps { person, set } => desk.override_caps(person, set),
        ClassCommand::ParticipantRemove { person, ban } => desk.remove(person, *ban),
        ClassCommand::BanLift { person } => desk.lift(person),
        _ => return None,
    })
}

impl Desk<'_> {
    fn set_role(&self, person: &PersonId, role: Role) -> Did {
        self.need(Cap::ParticipantSetRole, "changing roles is not permitted")?;
        let (known, member) = (self.seat(person)?, self.member(person)?);
        self.outranks(person)?;
        let own_rank =
            self.ctx.actor.as_ref().and_then(|actor| self.state.seat(actor)).map(|own| own.profile.role.rank());
        if own_rank.is_some_and(|own| own < role.rank()) {
            return Err(Reject::Forbidden("nobody gives a role above their own"));
        }
        self.expect(member.rev, Expect::Required)?;
        if known.profile.role == role {
            return nothing();
        }
        let leaders = self
            .state
            .participants
            .keys()
            .filter(|person| self.state.seat(person).is_some_and(|known| known.profile.role.leads()));
        if self.ctx.actor.is_some() && known.profile.role.leads() && !role.leads() && leaders.count() == 1 {
            return Err(Reject::Conflict("the class would have nobody left who leads it"));
        }
        did(ClassFact::RoleChanged { person: person.clone(), role })
    }

    /// Nobody gives or takes what they do not have themselves.
    fn override_caps(&self, person: &PersonId, set: &BTreeMap<Cap, Option<bool>>) -> Did {
        self.need(Cap::ParticipantOverride, "changing what somebody may do is not permitted")?;
        let member = self.member(person)?;
        self.seat(person)?;
        self.outranks(person)?;
        self.expect(member.rev, Expect::Required)?;
        if let Some(actor) = &self.ctx.actor {
            let own = self.state.grant(actor).caps;
            if set.keys().any(|cap| !own.has(*cap)) {
                return Err(Reject::Forbidden("nobody gives or takes what they may not do themselves"));
            }
        }
        let mut overrides: Overrides = member.overrides.clone();
        for (cap, wanted) in set {
            match wanted {
                Some(given) => overrides.insert(*cap, *given),
                None => overrides.remove(cap),
            };
        }
        if overrides == member.overrides {
            return nothing();
        }
        did(ClassFact::GrantOverridden { person: person.clone(), overrides })
    }

    /// From every Space at once, and for good: they come back when somebody lets them.
    fn remove(&self, person: &PersonId, ban: bool) -> Did {
        self.need(Cap::ParticipantRemove, "removing people is not permitted")?;
        if ban {
            self.need(Cap::ParticipantBan, "banning people is not permitted")?;
        }
        if self.ctx.actor.as_ref() == Some(person) {
            return Err(Reject::Invalid("nobody removes themselves; they leave"));
        }
        self.seat(person)?;
        self.outranks(person)?;
        let mut facts = crate::decide::removal(self.state, person, self.now);
        facts.push(Fact::Class(ClassFact::ParticipantRemoved { person: person.clone(), banned: ban }));
        Ok(facts.into())
    }

    fn lift(&self, person: &PersonId) -> Did {
        let ban = self.class.bans.get(person);
        let cap = if ban.is_some_and(|ban| !ban.banned) { Cap::LobbyAdmit } else { Cap::ParticipantBan };
        self.need(cap, "letting people come back is not permitted")?;
        ban.ok_or(Reject::NotFound("this person is not banned"))?;
        did(ClassFact::BanLifted { person: person.clone() })
    }
}

pub(super) fn apply(state: &mut State, event: &Event, fact: &ClassFact) -> bool {
    match fact {
        ClassFact::RoleChanged { person, role } => {
            if let Some(known) = state.participants.get_mut(person) {
                known.profile.role = *role;
            }
            updated(state, person, event.seq);
        }
        ClassFact::GrantOverridden { person, overrides } => {
            if let Some(member) = state.class.members.get_mut(person) {
                member.overrides = overrides.clone();
                member.rev = event.seq;
            }
        }
        ClassFact::ParticipantRemoved { person, banned } => {
            let ban = Ban { banned: *banned, by: event.actor.clone(), at: event.at };
            state.class.bans.insert(person.clone(), ban);
        }
        ClassFact::BanLifted { person } => {
            state.class.bans.remove(person);
        }
        _ => return false,
    }
    true
}

/// Somebody became part of the session: what the room asks of everybody holds for them from here on.
pub(super) fn admitted(state: &mut State, person: &PersonId, event: &Event) {
    state.class.waiting.remove(person);
    let bound = state.seat(person).is_some_and(|known| !known.profile.role.is_staff());
    let role = state.participants.get(person).map(|known| known.profile.role);
    let muted = bound && state.class.policy.mute_on_join;
    let member =
        state.class.members.entry(person.clone()).or_insert_with(|| Member { rev: event.seq, ..Member::default() });
    if member.role != role {
        (member.role, member.rev) = (role, event.seq);
    }
    if muted {
        member.intent.mic = MicIntent::Muted;
    }
}

/// A profile was replaced from outside: whoever changes the role next must have seen this one.
pub(super) fn updated(state: &mut State, person: &PersonId, at: Seq) {
    let Some(role) = state.participants.get(person).map(|known| known.profile.role) else { return };
    if let Some(member) = state.class.members.get_mut(person)
        && member.role != Some(role)
    {
        (member.role, member.rev) = (Some(role), at);
    }
}

/// Somebody left: nothing is theirs to hold any more, but what they said and answered stays.
pub(super) fn left(state: &mut State, person: &PersonId, at: Seq) {
    presenter::moved(state, person, at);
    state.class.hands.lower(person);
    if let Some(member) = state.class.members.get_mut(person) {
        member.visit = None;
        member.floor_until = None;
        member.grant.caps = Caps::NONE;
    }
}
