//! The state of one session, folded from its log, and the two functions that change it.

use crate::command::{Command, Ctx, Reject};
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

/// Decides what a command does. Pure; a refusal changes nothing.
pub fn decide(_state: &State, _cmd: &Command, _ctx: &Ctx) -> Result<Vec<Fact>, Reject> {
    Err(Reject::Invalid("not built"))
}

/// Folds one event into the state. Total: it cannot fail on an event that `decide` and `stamp` made.
pub fn apply(_state: &mut State, _event: &Event) {}

impl State {
    /// Gives facts their place and time after this state: `seq` follows without a gap, time never decreases.
    pub fn stamp(&self, _facts: Vec<Fact>, _ctx: &Ctx) -> Vec<Event> {
        Vec::new()
    }

    /// When a timer of this session is due, and which: the caller then issues [`Command::Tick`].
    pub fn poll_timeout(&self) -> Option<(UnixMs, &'static str)> {
        None
    }
}
