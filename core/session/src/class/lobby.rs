//! Who waits to be let in, and who may not come in. A waiting person is seen by staff until they are admitted, denied, gone
//! by their own wish, or without a connection for too long.

use super::policy::LobbyMode;
use super::{Cap, Class, ClassCommand, ClassFact, Desk, Did, Work, check_text, did, nothing, persons_once};
use crate::command::Reject;
use crate::event::{Event, Fact, Profile};
use crate::ids::{PersonId, Seq, UnixMs};
use crate::state::State;
use serde::{Deserialize, Serialize};

/// Somebody who waits.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Waiting {
    /// How they will be shown.
    pub profile: Profile,
    /// Since which place in the log; the first to come is the first to be shown.
    pub since: Seq,
    /// Since when, in time.
    pub since_at: UnixMs,
    /// Until when they may be without a connection; `None` while they have one.
    pub lost_until: Option<UnixMs>,
}

/// Why somebody may not come back.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ban {
    /// Banned, rather than removed: not everybody who admits people may lift it.
    pub banned: bool,
    /// Who did it; `None` for the server.
    pub by: Option<PersonId>,
    /// When.
    pub at: UnixMs,
}

/// Why somebody waits no more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum WithdrawReason {
    /// They did not want to.
    OwnWish,
    /// They had no connection for too long.
    Offline,
}

/// Longest message to those who wait, in bytes.
const MESSAGE_BYTES: usize = 2_000;
/// Most people who wait.
const MOST_WAITING: usize = 1_000;

impl Ban {
    pub(crate) fn reject(&self) -> Reject {
        Reject::NotAdmitted(match self.banned {
            true => "this person is banned from the session",
            false => "this person was removed from the session",
        })
    }
}

impl State {
    /// Whether a person whom the session does not know yet, or who had left, may come in by themselves.
    pub(crate) fn may_come_in(&self, person: &PersonId, profile: &Profile) -> Result<(), Reject> {
        if let Some(ban) = self.class.bans.get(person) {
            return Err(ban.reject());
        }
        if self.seat(person).is_some() || profile.role.is_staff() || profile.permission.hidden {
            return Ok(());
        }
        if self.class.waiting.contains_key(person) || self.class.policy.lobby == LobbyMode::Ask {
            return Err(Reject::NotAdmitted("this person must wait to be admitted"));
        }
        if self.class.locked {
            return Err(Reject::NotAdmitted("the session is locked; this person must wait to be admitted"));
        }
        Ok(())
    }
}

pub(super) fn decide(desk: &Desk<'_>, command: &ClassCommand) -> Option<Did> {
    Some(match command {
        ClassCommand::Join { person, profile } => desk.join(person, profile),
        ClassCommand::LobbyWithdraw {} => desk.actor().and_then(|actor| desk.withdraw(actor)),
        ClassCommand::LobbyLost { person } => (|| {
            desk.only_server("only the server knows connections")?;
            match desk.class.waiting.get(person).ok_or(NOBODY_WAITS)?.lost_until {
                Some(_) => nothing(),
                None => did(ClassFact::LobbyLost { person: person.clone() }),
            }
        })(),
        ClassCommand::LobbyAdmit { persons, all } => desk.admit(persons, *all),
        ClassCommand::LobbyDeny { person, ban } => (|| {
            desk.need(Cap::LobbyAdmit, "denying people is not permitted")?;
            if *ban {
                desk.need(Cap::ParticipantBan, "banning people is not permitted")?;
            }
            desk.class.waiting.get(person).ok_or(NOBODY_WAITS)?;
            did(ClassFact::ParticipantDenied { person: person.clone(), banned: *ban })
        })(),
        ClassCommand::LobbyMessage { body } => (|| {
            desk.need(Cap::LobbyAdmit, "writing to the lobby is not permitted")?;
            check_text(body, MESSAGE_BYTES)?;
            did(ClassFact::LobbyMessagePosted { author: desk.ctx.actor.clone(), body: body.clone() })
        })(),
        _ => return None,
    })
}

const NOBODY_WAITS: Reject = Reject::NotFound("this person does not wait");

impl Desk<'_> {
    fn join(&self, person: &PersonId, profile: &Profile) -> Did {
        if self.ctx.actor.is_some() {
            return Err(Reject::Forbidden("the server asks for whom a token names"));
        }
        if self.state.seat(person).is_some() {
            return nothing();
        }
        match self.state.may_come_in(person, profile) {
            Ok(()) => self.let_in(person, profile).map(Into::into),
            Err(reject) if self.class.bans.contains_key(person) => Err(reject),
            Err(_) => {
                let known = self.class.waiting.get(person);
                if known.is_none() && self.class.waiting.len() >= MOST_WAITING {
                    return Err(Reject::Limit("too many people wait"));
                }
                if known.is_some_and(|waiting| waiting.lost_until.is_none()) {
                    return nothing();
                }
                did(ClassFact::ParticipantWaiting { person: person.clone(), profile: profile.clone() })
            }
        }
    }

    fn withdraw(&self, person: &PersonId) -> Did {
        self.class.waiting.get(person).ok_or(NOBODY_WAITS)?;
        did(ClassFact::LobbyWithdrawn { person: person.clone(), reason: WithdrawReason::OwnWish })
    }

    fn admit(&self, persons: &[PersonId], all: bool) -> Did {
        self.need(Cap::LobbyAdmit, "admitting people is not permitted")?;
        let persons = if all { self.class.waiting.keys().cloned().collect() } else { persons_once(persons)? };
        let here = self.state.participants.values().filter(|known| known.takes_a_place()).count();
        let limit = self.state.policy.as_ref().map_or(0, |policy| policy.max_participants) as usize;
        if limit > 0 && here + persons.len() > limit {
            return Err(Reject::Limit("the session is full"));
        }
        let mut facts = Vec::new();
        let mut placed = super::breakouts::Placed::of(self.state);
        for person in &persons {
            let waiting = self.class.waiting.get(person).ok_or(NOBODY_WAITS)?;
            let space = placed.newcomer(self.state, person, &waiting.profile, None);
            facts.push(Fact::ParticipantAdmitted { person: person.clone(), profile: waiting.profile.clone(), space });
        }
        Ok(Work::from(facts))
    }

    fn let_in(&self, person: &PersonId, profile: &Profile) -> Result<Vec<Fact>, Reject> {
        if !profile.permission.hidden && self.state.is_full() {
            return Err(Reject::Limit("the session is full"));
        }
        let space = super::breakouts::Placed::of(self.state).newcomer(self.state, person, profile, None);
        Ok(vec![Fact::ParticipantAdmitted { person: person.clone(), profile: profile.clone(), space }])
    }
}

pub(super) fn apply(state: &mut State, event: &Event, fact: &ClassFact) -> bool {
    let class = &mut state.class;
    match fact {
        ClassFact::ParticipantWaiting { person, profile } => {
            let waiting = class.waiting.entry(person.clone()).or_insert_with(|| Waiting {
                profile: profile.clone(),
                since: event.seq,
                since_at: event.at,
                lost_until: None,
            });
            waiting.profile = profile.clone();
            waiting.lost_until = None;
        }
        ClassFact::LobbyLost { person } => {
            let until = event.at.plus(class.policy.lobby_grace_ms);
            if let Some(waiting) = class.waiting.get_mut(person) {
                waiting.lost_until = Some(until);
            }
        }
        ClassFact::LobbyWithdrawn { person, .. } => {
            class.waiting.remove(person);
        }
        ClassFact::ParticipantDenied { person, banned } => {
            class.waiting.remove(person);
            if *banned {
                let ban = Ban { banned: true, by: event.actor.clone(), at: event.at };
                class.bans.insert(person.clone(), ban);
            }
        }
        ClassFact::LobbyMessagePosted { .. } => {}
        _ => return false,
    }
    true
}

pub(super) fn tick(desk: &Desk<'_>) -> Vec<ClassFact> {
    let gone = desk.class.waiting.iter().filter(|(_, waiting)| waiting.lost_until.is_some_and(|due| due <= desk.now));
    gone.map(|(person, _)| ClassFact::LobbyWithdrawn { person: person.clone(), reason: WithdrawReason::Offline })
        .collect()
}

pub(super) fn timeouts(class: &Class) -> Vec<(UnixMs, &'static str)> {
    class.waiting.values().filter_map(|waiting| Some((waiting.lost_until?, "lobby grace"))).collect()
}
