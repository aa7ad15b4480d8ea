//! What people want their microphones and cameras to do, and what others ask of them. A mute is not a revocation: who was
//! muted may unmute. An intent belongs to the person, and no move between Spaces changes it.

use super::{Cap, ClassCommand, ClassFact, Desk, Did, did, nothing, persons_once};
use crate::event::{Event, Fact, Source};
use crate::ids::PersonId;
use crate::state::State;
use serde::{Deserialize, Serialize};

/// What a person wants their devices to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Intent {
    /// The microphone.
    pub mic: MicIntent,
    /// Whether the camera is to be on.
    pub camera: bool,
    /// Whether a screen is to be shared.
    pub screen: bool,
}

/// What a person wants their microphone to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum MicIntent {
    /// They have not said yet, or want none.
    #[default]
    ListenOnly,
    /// On, and silent.
    Muted,
    /// On.
    Unmuted,
}

pub(super) fn decide(desk: &Desk<'_>, command: &ClassCommand) -> Option<Did> {
    Some(match command {
        ClassCommand::ParticipantMute { persons, all_except } => desk.mute(persons, all_except.as_deref()),
        ClassCommand::MediaRequestUnmute { persons } => (|| {
            desk.need(Cap::ParticipantMute, "asking people to unmute is not permitted")?;
            let persons = persons_once(persons)?;
            persons.iter().try_for_each(|person| desk.seat(person).map(|_| ()))?;
            did(ClassFact::MediaUnmuteRequested { persons })
        })(),
        ClassCommand::MediaSetIntent { intent } => (|| {
            let actor = desk.actor()?;
            let speaks = intent.mic == MicIntent::Unmuted && desk.member(actor)?.intent.mic != MicIntent::Unmuted;
            if speaks {
                desk.need(Cap::MediaAudio, "speaking is not permitted")?;
            }
            if desk.member(actor)?.intent == *intent {
                return nothing();
            }
            did(ClassFact::MediaIntentChanged { person: actor.clone(), intent: *intent })
        })(),
        _ => return None,
    })
}

impl Desk<'_> {
    fn mute(&self, persons: &[PersonId], all_except: Option<&[PersonId]>) -> Did {
        self.need(Cap::ParticipantMute, "muting people is not permitted")?;
        let persons = match all_except {
            None => persons_once(persons)?,
            Some(spared) => {
                let (space, _) = self.space(None)?;
                let in_it = self.state.participants.iter().filter(|(person, known)| {
                    self.state.seat(person).is_some()
                        && known.space == space
                        && !known.profile.role.is_staff()
                        && !spared.contains(person)
                });
                in_it.map(|(person, _)| person.clone()).collect()
            }
        };
        for person in &persons {
            self.seat(person)?;
            self.outranks(person)?;
        }
        let audible = |person: &&PersonId| {
            let intends = self.class.members.get(*person).is_some_and(|m| m.intent.mic == MicIntent::Unmuted);
            intends || self.open_microphones(person).next().is_some()
        };
        let persons: Vec<PersonId> = persons.iter().filter(audible).cloned().collect();
        if persons.is_empty() {
            return nothing();
        }
        let tracks: Vec<Fact> = persons.iter().flat_map(|person| self.open_microphones(person)).collect();
        let mut facts = vec![Fact::Class(ClassFact::MediaMuted { persons })];
        facts.extend(tracks);
        Ok(facts.into())
    }

    fn open_microphones(&self, person: &PersonId) -> impl Iterator<Item = Fact> {
        let tracks = self
            .state
            .tracks
            .values()
            .filter(move |track| track.person == *person && track.source == Source::Microphone && !track.muted);
        tracks
            .map(|track| Fact::TrackMuted { person: track.person.clone(), track: track.track.clone() })
            .collect::<Vec<_>>()
            .into_iter()
    }
}

pub(super) fn apply(state: &mut State, _event: &Event, fact: &ClassFact) -> bool {
    match fact {
        ClassFact::MediaMuted { persons } => {
            for person in persons {
                if let Some(member) = state.class.members.get_mut(person)
                    && member.intent.mic == MicIntent::Unmuted
                {
                    member.intent.mic = MicIntent::Muted;
                }
            }
        }
        ClassFact::MediaUnmuteRequested { .. } => {}
        ClassFact::MediaIntentChanged { person, intent } => {
            if let Some(member) = state.class.members.get_mut(person) {
                member.intent = *intent;
            }
        }
        _ => return false,
    }
    true
}
