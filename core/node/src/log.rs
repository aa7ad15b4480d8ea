//! Log, then tell: the session's state, and everything that must not leave before the events that it tells of are on
//! disk. Effects wait in the order in which they were caused, each for its place in the log.

use crate::ack::{Ack, Asker};
use crate::api::{Answer, ClientId, OrderId};
use crate::commands::Losses;
use livekit_protocol as proto;
use lyceum_session as session;
use lyceum_sfu as sfu;
use prost::Message as _;
use session::{PersonId, Profile, Reject, Seq, SpaceName, State};
use std::collections::VecDeque;
use std::sync::Arc;

/// Something that follows from an event and may happen once that event is durable.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Say the same to several clients, as far as they are still there.
    Tell { to: Vec<ClientId>, response: Arc<proto::SignalResponse> },
    /// Give a client its join response and open its media, if it is still there.
    Welcome { client: ClientId, response: Arc<proto::SignalResponse> },
    /// Tell a client that it has resumed, and what was held back for it until then.
    Reconnect { client: ClientId },
    /// Tell a client that has resumed the latest values of what is told only when it changes.
    Latest { client: ClientId },
    /// Take a client's socket away.
    Lose { client: ClientId },
    /// Tell the media shard.
    Media(sfu::Command),
    /// Tell the media shard what a client receives, if it is still there.
    Receive { client: ClientId, command: sfu::Command },
    /// Send a fresh token to a client, if it is still there.
    RefreshToken { client: ClientId, person: PersonId, profile: Box<Profile>, space: SpaceName },
    /// People are elsewhere from here on, as far as anybody may know.
    HaveMoved { persons: Vec<PersonId> },
    /// Tell a client that it is in another Space, if it is still there.
    Moved {
        client: ClientId,
        person: PersonId,
        profile: Box<Profile>,
        space: SpaceName,
        moved: Box<proto::RoomMovedResponse>,
    },
    /// Say the same over several state sockets, as far as they are still there.
    Say { to: Vec<ClientId>, text: Arc<str> },
    /// Give a state socket its welcome, if it is still there.
    Greet { client: ClientId, person: PersonId, profile: Box<Profile>, space: SpaceName, text: Arc<str> },
    /// Tell a state socket that was dismissed why, and close it.
    Part { client: ClientId, text: Arc<str> },
    /// Answer a command, once media and documents have let go of what it took away.
    Acknowledge { to: Asker, ack: Box<Ack>, losses: Losses },
    /// Answer an order.
    Reply { id: OrderId, result: Result<Answer, Reject> },
    /// Tell a client that was dismissed why, if it does not know, and close its media and its socket.
    Farewell { client: ClientId, socket: Option<ClientId>, response: Option<Box<proto::SignalResponse>> },
    /// Likewise for a client that is to come back with a fresh token.
    SendBack { client: ClientId, socket: Option<ClientId>, person: PersonId, profile: Box<Profile>, space: SpaceName },
    /// The class is over.
    Closed,
}

impl Effect {
    /// Roughly what it takes in memory.
    fn bytes(&self) -> usize {
        const WITHOUT_CONTENT: usize = 256;
        let content = match self {
            Effect::Tell { to, response } => size_of_val(&to[..]) + response.encoded_len(),
            Effect::Welcome { response, .. } => response.encoded_len(),
            Effect::RefreshToken { profile, .. } | Effect::SendBack { profile, .. } => bytes_of(profile),
            Effect::Moved { profile, moved, .. } => bytes_of(profile) + moved.encoded_len(),
            Effect::HaveMoved { persons } => size_of_val(&persons[..]),
            Effect::Say { to, text } => size_of_val(&to[..]) + text.len(),
            Effect::Greet { profile, text, .. } => bytes_of(profile) + text.len(),
            Effect::Reply { result, .. } => result.as_ref().map_or(0, Answer::bytes),
            Effect::Reconnect { .. }
            | Effect::Latest { .. }
            | Effect::Lose { .. }
            | Effect::Media(_)
            | Effect::Receive { .. }
            | Effect::Farewell { .. }
            | Effect::Part { .. }
            | Effect::Acknowledge { .. }
            | Effect::Closed => 0,
        };
        WITHOUT_CONTENT + content
    }
}

/// The state, what is on disk of it, and what waits.
pub(crate) struct Log {
    pub(crate) state: State,
    durable: Seq,
    /// Appends of side records alone: how many there were, and how many are on disk.
    side_appends: u64,
    side_durable: u64,
    held: VecDeque<Held>,
    held_bytes: usize,
}

struct Held {
    gate: Seq,
    side_gate: u64,
    bytes: usize,
    effect: Effect,
}

impl Log {
    /// A state that was read from disk, or an empty one.
    pub(crate) fn new(state: State) -> Self {
        Self { durable: state.seq, state, side_appends: 0, side_durable: 0, held: VecDeque::new(), held_bytes: 0 }
    }

    /// Lets an effect wait for everything that has happened so far.
    pub(crate) fn after(&mut self, effect: Effect) {
        let bytes = effect.bytes();
        self.held_bytes += bytes;
        self.held.push_back(Held { gate: self.state.seq, side_gate: self.side_appends, bytes, effect });
    }

    /// Side records were appended without an event; what comes from here on waits for them as well.
    pub(crate) fn appends_side(&mut self) {
        self.side_appends += 1;
    }

    /// So many appends of side records alone are on disk.
    pub(crate) fn kept(&mut self, count: u64) {
        debug_assert!(count <= self.side_appends, "only what was appended can become durable");
        self.side_durable = self.side_durable.max(count.min(self.side_appends));
    }

    /// Everything up to `seq` is on disk.
    pub(crate) fn durable(&mut self, seq: Seq) {
        debug_assert!(seq <= self.state.seq, "only what was appended can become durable");
        self.durable = self.durable.max(seq.min(self.state.seq));
    }

    /// Up to which event everything is on disk.
    pub(crate) fn durable_seq(&self) -> Seq {
        self.durable
    }

    /// The next effect whose time has come.
    pub(crate) fn due(&mut self) -> Option<Effect> {
        let next = self.held.front()?;
        if next.gate > self.durable || next.side_gate > self.side_durable {
            return None;
        }
        let held = self.held.pop_front()?;
        self.held_bytes -= held.bytes;
        Some(held.effect)
    }

    /// What waits, when it can never become true: nobody is told of it. Returns the clients whose farewell was waiting, with their
    /// sockets.
    pub(crate) fn abandon(&mut self) -> Vec<(ClientId, Option<ClientId>)> {
        self.held_bytes = 0;
        let dismissed = std::mem::take(&mut self.held).into_iter().filter_map(|held| match held.effect {
            Effect::Farewell { client, socket, .. } | Effect::SendBack { client, socket, .. } => Some((client, socket)),
            _ => None,
        });
        dismissed.collect()
    }

    /// Events that are not on disk yet.
    pub(crate) fn outstanding_events(&self) -> u64 {
        self.state.seq.0 - self.durable.0 + self.side_appends - self.side_durable
    }

    pub(crate) fn outstanding_effects(&self) -> usize {
        self.held.len()
    }

    pub(crate) fn outstanding_bytes(&self) -> usize {
        self.held_bytes
    }
}

fn bytes_of(profile: &Profile) -> usize {
    let attributes = profile.attributes.iter().map(|(key, value)| key.len() + value.0.len());
    profile.name.0.len() + profile.metadata.0.len() + attributes.sum::<usize>()
}
