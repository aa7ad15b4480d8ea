//! The state of one session, folded from its log: what is known of it, how facts get their place and time, and what each
//! event changes. Who may cause an event is decided elsewhere.

use crate::class::{self, Class};
use crate::command::Ctx;
use crate::event::{Client, Event, Fact, Lane, Policy, Profile, Publication, Source, UnpublishReason};
use crate::ids::{ConnectionId, PersonId, RoomName, Seq, SessionId, SpaceName, TenantId, TrackId, UnixMs};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The state of one session: the fold of its log.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// Place of the last applied event; 0 before the first.
    pub seq: Seq,
    /// Time of the last applied event.
    pub at: UnixMs,
    /// When the session started.
    pub started_at: UnixMs,
    /// Whose organisation; `None` before `session.started`.
    pub tenant: Option<TenantId>,
    /// Which Room.
    pub room: Option<RoomName>,
    /// Which session.
    pub session: Option<SessionId>,
    /// Limits and waits.
    pub policy: Option<Policy>,
    /// Application text of the Room.
    pub metadata: String,
    /// Everybody who was ever admitted.
    pub participants: BTreeMap<PersonId, Participant>,
    /// Tracks that are published now.
    pub tracks: BTreeMap<TrackId, Publication>,
    /// Since when nobody is connected; `None` while somebody is. Starts at the session's start.
    pub empty_since: Option<UnixMs>,
    /// Whether `session.ended` was applied.
    pub ended: bool,
    /// Everything beside people, connections and tracks.
    pub class: Class,
}

/// One person in the session.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Participant {
    /// How they are shown and what they may do.
    pub profile: Profile,
    /// Whether they are here.
    pub presence: Presence,
    /// Open connections.
    pub connections: BTreeMap<ConnectionId, Connection>,
    /// The connection for media that was lost last, while it can be resumed. Nobody has one while another of its kind is open.
    pub lost: Option<Lost>,
    /// When they were first admitted (a return after leaving keeps it).
    pub joined_at: UnixMs,
    /// Where they are placed.
    pub space: SpaceName,
    /// Whether what they published of a source last was muted: how it is to begin when they publish it again.
    pub muted: BTreeMap<Source, bool>,
    /// The tracks that they chose to receive or not to receive, by whose they are and what they show.
    pub choices: BTreeMap<PersonId, BTreeMap<Source, bool>>,
}

/// A connection that was lost and can be resumed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Lost {
    /// Which.
    pub id: ConnectionId,
    /// As it was.
    pub connection: Connection,
    /// Its last sign of life: where the intervals of its tracks close if nobody resumes it.
    pub last_seen: UnixMs,
    /// Until when it can be resumed.
    pub deadline: UnixMs,
}

/// One open connection.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Connection {
    /// What the device says of itself.
    pub client: Client,
    /// Since when.
    pub since: UnixMs,
    /// The last time it did something that is in the log: it attached or published. Its interval never closes before that.
    pub acted_at: UnixMs,
}

/// Whether a person is here.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Presence {
    /// At least one connection is open.
    Online,
    /// No connection, but the grace has not passed.
    Reconnecting {
        /// Last sign of life.
        last_seen: UnixMs,
        /// When the grace passes.
        deadline: UnixMs,
    },
    /// The grace has passed; the seat is kept.
    Offline {
        /// Last sign of life.
        last_seen: UnixMs,
    },
    /// Left or removed.
    Left,
}

/// Folds one event into the state. Total: it cannot fail on an event that `decide` and `stamp` made.
pub fn apply(state: &mut State, event: &Event) {
    state.seq = event.seq;
    state.at = event.at;
    fold(state, event);
    class::follow(state, event);
}

fn fold(state: &mut State, event: &Event) {
    match &event.fact {
        Fact::SessionStarted { tenant, room, session, policy, metadata } => {
            state.started_at = event.at;
            state.tenant = Some(tenant.clone());
            state.room = Some(room.clone());
            state.session = Some(session.clone());
            state.policy = Some(policy.clone());
            state.metadata = metadata.clone();
            state.empty_since = Some(event.at);
        }
        Fact::SessionRecovered { .. } => {}
        Fact::SessionEnded { .. } => {
            state.ended = true;
            state.empty_since = None;
        }
        Fact::ParticipantAdmitted { person, profile, space } => {
            let presence = state.reconnecting(event.at, event.at);
            let before = state.participants.remove(person);
            let joined_at = before.as_ref().map_or(event.at, |known| known.joined_at);
            let (muted, choices) = before.map(|known| (known.muted, known.choices)).unwrap_or_default();
            let admitted = Participant {
                profile: profile.clone(),
                presence,
                connections: BTreeMap::new(),
                lost: None,
                joined_at,
                space: space.clone(),
                muted,
                choices,
            };
            state.participants.insert(person.clone(), admitted);
        }
        Fact::RoomUpdated { metadata } => state.metadata.clone_from(metadata),
        Fact::ParticipantMoved { persons, space } => {
            for person in persons {
                if let Some(known) = state.participants.get_mut(person) {
                    known.space = space.clone();
                }
            }
        }
        Fact::SubscriptionChosen { person, choices } => {
            if let Some(known) = state.participants.get_mut(person) {
                for choice in choices {
                    known.choices.entry(choice.of.clone()).or_default().insert(choice.source, choice.wanted);
                }
            }
        }
        Fact::ParticipantUpdated { person, profile } => {
            if let Some(known) = state.participants.get_mut(person) {
                known.profile = profile.clone();
            }
        }
        Fact::ConnectionAttached { person, connection, client } => {
            if let Some(known) = state.participants.get_mut(person) {
                let opened = Connection { client: client.clone(), since: event.at, acted_at: event.at };
                known.connections.insert(connection.clone(), opened);
                known.presence = Presence::Online;
                state.empty_since = None;
            }
        }
        Fact::ConnectionDetached { person, connection, reason, last_seen } => {
            let without_connection = state.reconnecting(*last_seen, event.at);
            let window_ms = state.policy.as_ref().map_or(0, |policy| policy.resume_window_ms);
            if let Some(known) = state.participants.get_mut(person) {
                let closed = known.connections.remove(connection);
                if known.connections.is_empty() {
                    known.presence = without_connection;
                }
                if let Some(closed) = closed.filter(|closed| closed.client.lane == Lane::Media) {
                    known.lost = (reason.can_be_resumed() && window_ms > 0).then(|| Lost {
                        id: connection.clone(),
                        connection: closed,
                        last_seen: *last_seen,
                        deadline: event.at.plus(window_ms),
                    });
                }
            }
            if state.participants.values().all(|known| known.connections.is_empty()) {
                state.empty_since = Some(event.at);
            }
        }
        Fact::ConnectionResumed { person, connection } => {
            if let Some(known) = state.participants.get_mut(person)
                && let Some(lost) = known.lost.take()
            {
                known.connections.insert(connection.clone(), Connection { acted_at: event.at, ..lost.connection });
                known.presence = Presence::Online;
                state.empty_since = None;
            }
        }
        Fact::ConnectionExpired { person, .. } => {
            if let Some(known) = state.participants.get_mut(person) {
                known.lost = None;
            }
        }
        Fact::ParticipantOffline { person, last_seen } => {
            if let Some(known) = state.participants.get_mut(person) {
                known.presence = Presence::Offline { last_seen: *last_seen };
            }
        }
        Fact::ParticipantLeft { person, .. } => {
            if let Some(known) = state.participants.get_mut(person) {
                known.presence = Presence::Left;
            }
        }
        Fact::TrackPublished { publication } => {
            if let Some(known) = state.participants.get_mut(&publication.person) {
                known.muted.insert(publication.source, publication.muted);
                if let Some(connection) = known.connections.get_mut(&publication.connection) {
                    connection.acted_at = event.at;
                }
            }
            state.tracks.insert(publication.track.clone(), publication.clone());
        }
        Fact::TrackUnpublished { person, track, reason, .. } => {
            let publication = state.tracks.remove(track);
            // A connection that ended may come back with the same tracks; what was stopped is chosen anew when it begins again.
            if let Some(stopped) = publication.filter(|_| *reason != UnpublishReason::ConnectionEnded) {
                for known in state.participants.values_mut() {
                    if let Some(by_source) = known.choices.get_mut(person) {
                        by_source.remove(&stopped.source);
                        if by_source.is_empty() {
                            known.choices.remove(person);
                        }
                    }
                }
            }
        }
        Fact::TrackUpdated { track, audio_features, width, height, .. } => {
            if let Some(publication) = state.tracks.get_mut(track) {
                publication.audio_features.clone_from(audio_features);
                (publication.width, publication.height) = (*width, *height);
            }
        }
        Fact::TrackMuted { person, track } => state.set_muted(person, track, true),
        Fact::TrackUnmuted { person, track } => state.set_muted(person, track, false),
        Fact::Class(fact) => class::apply(state, event, fact),
    }
}

impl State {
    /// Gives facts their place and time after this state: `seq` follows without a gap, time never decreases.
    pub fn stamp(&self, facts: Vec<Fact>, ctx: &Ctx) -> Vec<Event> {
        let at = self.clamp(ctx.now);
        let started_at = if self.session.is_some() { self.started_at } else { at };
        let mono_ms = at.0.saturating_sub(started_at.0);
        let mut seq = self.seq;
        let cause = ctx.envelope.cause.clone().map(|cause| cause.beside(&facts));
        facts
            .into_iter()
            .map(|fact| {
                seq = seq.next();
                Event { seq, at, mono_ms, actor: ctx.actor.clone(), cause: cause.clone(), fact }
            })
            .collect()
    }

    /// When a timer of this session is due, and which: the caller then issues [`Command::Tick`](crate::Command::Tick).
    pub fn poll_timeout(&self) -> Option<(UnixMs, &'static str)> {
        if self.ended {
            return None;
        }
        let presence = self.participants.values().filter_map(|known| match known.presence {
            Presence::Reconnecting { deadline, .. } => Some((deadline, "presence grace")),
            _ => None,
        });
        let resume =
            self.participants.values().filter_map(|known| Some((known.lost.as_ref()?.deadline, "resume window")));
        let end = self.end_timer().map(|(due, timer)| match timer {
            EndTimer::Empty => (due, "empty timeout"),
            EndTimer::Departure => (due, "departure timeout"),
        });
        presence.chain(resume).chain(end).chain(class::timeouts(self)).min()
    }

    /// When the session ends because nobody is connected, and why.
    pub(crate) fn end_timer(&self) -> Option<(UnixMs, EndTimer)> {
        let (since, policy) = (self.empty_since?, self.policy.as_ref()?);
        Some(if self.participants.is_empty() {
            (since.plus(policy.empty_timeout_ms), EndTimer::Empty)
        } else {
            // Groups that close by themselves are not cut off before they have.
            if self.class.breakouts.as_ref().is_some_and(|groups| groups.is_open() && groups.closes_at.is_some()) {
                return None;
            }
            (since.plus(policy.departure_timeout_ms), EndTimer::Departure)
        })
    }

    /// A clock that went backwards stands still for the log.
    pub(crate) fn clamp(&self, now: UnixMs) -> UnixMs {
        now.max(self.at)
    }

    /// Who has this connection open.
    pub(crate) fn owner(&self, connection: &ConnectionId) -> Option<(&PersonId, &Connection)> {
        self.participants.iter().find_map(|(person, known)| Some((person, known.connections.get(connection)?)))
    }

    /// Whether one more visible person would be too many.
    pub(crate) fn is_full(&self) -> bool {
        let limit = self.policy.as_ref().map_or(0, |policy| policy.max_participants);
        limit > 0 && self.participants.values().filter(|known| known.takes_a_place()).count() >= limit as usize
    }

    /// Who has lost this connection and can still resume it.
    pub fn loser(&self, connection: &ConnectionId) -> Option<(&PersonId, &Lost)> {
        self.participants.iter().find_map(|(person, known)| {
            known.lost.as_ref().filter(|lost| lost.id == *connection).map(|lost| (person, lost))
        })
    }

    fn set_muted(&mut self, person: &PersonId, track: &TrackId, muted: bool) {
        let Some(publication) = self.tracks.get_mut(track) else { return };
        publication.muted = muted;
        if let Some(known) = self.participants.get_mut(person) {
            known.muted.insert(publication.source, muted);
        }
    }

    fn reconnecting(&self, last_seen: UnixMs, at: UnixMs) -> Presence {
        let grace_ms = self.policy.as_ref().map_or(0, |policy| policy.presence_grace_ms);
        Presence::Reconnecting { last_seen, deadline: at.plus(grace_ms) }
    }
}

/// Which of the two waits ends a session that nobody is connected to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum EndTimer {
    /// Nobody ever came.
    Empty,
    /// Everybody is gone.
    Departure,
}

impl Participant {
    /// Whether this person counts against `max_participants`.
    pub(crate) fn takes_a_place(&self) -> bool {
        let here = matches!(self.presence, Presence::Online | Presence::Reconnecting { .. });
        here && !self.profile.permission.hidden
    }
}

impl Participant {
    /// The open connections that carry this.
    pub fn connections_of(&self, lane: Lane) -> impl Iterator<Item = (&ConnectionId, &Connection)> {
        self.connections.iter().filter(move |(_, connection)| connection.client.lane == lane)
    }
}

impl Connection {
    /// A last sign of life that fits the log: not before what the log has of this connection, not in the future.
    pub(crate) fn clamp_last_seen(&self, last_seen: UnixMs, now: UnixMs) -> UnixMs {
        last_seen.max(self.acted_at).min(now)
    }
}
