//! The state of one session, folded from its log: what is known of it, how facts get their place and time, and what each
//! event changes. Who may cause an event is decided elsewhere.

use crate::command::Ctx;
use crate::event::{Client, Event, Fact, Policy, Profile, Publication};
use crate::ids::{ConnectionId, PersonId, RoomName, Seq, SessionId, TenantId, TrackId, UnixMs};
use std::collections::BTreeMap;

/// The state of one session: the fold of its log.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
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
}

/// One person in the session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Participant {
    /// How they are shown and what they may do.
    pub profile: Profile,
    /// Whether they are here.
    pub presence: Presence,
    /// Open connections.
    pub connections: BTreeMap<ConnectionId, Connection>,
    /// When they were first admitted (a return after leaving keeps it).
    pub joined_at: UnixMs,
}

/// One open connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Connection {
    /// What the device says of itself.
    pub client: Client,
    /// Since when.
    pub since: UnixMs,
    /// The last time it did something that is in the log: it attached or published. Its interval never closes before that.
    pub acted_at: UnixMs,
}

/// Whether a person is here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
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
        Fact::ParticipantAdmitted { person, profile } => {
            let presence = state.reconnecting(event.at, event.at);
            let joined_at = state.participants.get(person).map_or(event.at, |known| known.joined_at);
            let admitted = Participant { profile: profile.clone(), presence, connections: BTreeMap::new(), joined_at };
            state.participants.insert(person.clone(), admitted);
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
        Fact::ConnectionDetached { person, connection, last_seen, .. } => {
            let without_connection = state.reconnecting(*last_seen, event.at);
            if let Some(known) = state.participants.get_mut(person) {
                known.connections.remove(connection);
                if known.connections.is_empty() {
                    known.presence = without_connection;
                }
            }
            if state.participants.values().all(|known| known.connections.is_empty()) {
                state.empty_since = Some(event.at);
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
            let participant = state.participants.get_mut(&publication.person);
            if let Some(connection) = participant.and_then(|known| known.connections.get_mut(&publication.connection)) {
                connection.acted_at = event.at;
            }
            state.tracks.insert(publication.track.clone(), publication.clone());
        }
        Fact::TrackUnpublished { track, .. } => {
            state.tracks.remove(track);
        }
        Fact::TrackMuted { track, .. } => {
            if let Some(publication) = state.tracks.get_mut(track) {
                publication.muted = true;
            }
        }
        Fact::TrackUnmuted { track, .. } => {
            if let Some(publication) = state.tracks.get_mut(track) {
                publication.muted = false;
            }
        }
    }
}

impl State {
    /// Gives facts their place and time after this state: `seq` follows without a gap, time never decreases.
    pub fn stamp(&self, facts: Vec<Fact>, ctx: &Ctx) -> Vec<Event> {
        let at = self.clamp(ctx.now);
        let started_at = if self.session.is_some() { self.started_at } else { at };
        let mono_ms = at.0.saturating_sub(started_at.0);
        let mut seq = self.seq;
        facts
            .into_iter()
            .map(|fact| {
                seq = seq.next();
                Event { seq, at, mono_ms, actor: ctx.actor.clone(), fact }
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
        let end = self.end_timer().map(|(due, timer)| match timer {
            EndTimer::Empty => (due, "empty timeout"),
            EndTimer::Departure => (due, "departure timeout"),
        });
        presence.chain(end).min()
    }

    /// When the session ends because nobody is connected, and why.
    pub(crate) fn end_timer(&self) -> Option<(UnixMs, EndTimer)> {
        let (since, policy) = (self.empty_since?, self.policy.as_ref()?);
        Some(if self.participants.is_empty() {
            (since.plus(policy.empty_timeout_ms), EndTimer::Empty)
        } else {
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

impl Connection {
    /// A last sign of life that fits the log: not before what the log has of this connection, not in the future.
    pub(crate) fn clamp_last_seen(&self, last_seen: UnixMs, now: UnixMs) -> UnixMs {
        last_seen.max(self.acted_at).min(now)
    }
}
