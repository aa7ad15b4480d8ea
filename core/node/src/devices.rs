//! State sockets: devices of people that show and change the class, beside or without media. One comes in, is welcomed with what its
//! person may see, hears of every change, and ends in one of the ways in which a connection can end.

use crate::api::{ClientId, Enter, Output};
use crate::limits::Allowance;
use crate::log::Effect;
use crate::node::{Audience, Node, Phase};
use crate::publish::LOG_IS_BEHIND;
use crate::shown::{by_collection, json};
use lyceum_session as session;
use serde::Serialize;
use serde_json::Value;
use session::class::{ClassCommand, ClassFact, Collection, Entity, Viewer};
use session::{
    Command, ConnectionId, DetachReason, Event, Fact, Lane, PersonId, Profile, Reject, RoomName, Seq, SessionId,
    SpaceName, UnixMs,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One state socket.
pub(crate) struct Device {
    pub(crate) id: ClientId,
    pub(crate) person: PersonId,
    /// The connection in the log; `None` while the person waits to be let in.
    pub(crate) connection: Option<ConnectionId>,
    /// As whose eyes it was shown the class last.
    pub(crate) viewer: Viewer,
    pub(crate) commands: Allowance,
    enter: Box<Enter>,
}

/// All of them.
#[derive(Default)]
pub(crate) struct Devices {
    by_id: BTreeMap<ClientId, Device>,
    /// Sockets that are open: of these devices, and of those that are still to hear how they ended.
    open: BTreeSet<ClientId>,
}

impl Devices {
    pub(crate) fn get(&self, id: ClientId) -> Option<&Device> {
        self.by_id.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: ClientId) -> Option<&mut Device> {
        self.by_id.get_mut(&id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Device> {
        self.by_id.values()
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    fn insert(&mut self, device: Device) {
        self.open.insert(device.id);
        self.by_id.insert(device.id, device);
    }

    /// Whether a socket can be told something.
    pub(crate) fn hears(&self, id: ClientId) -> bool {
        self.open.contains(&id)
    }

    /// Nothing is told to a socket any more.
    pub(crate) fn close(&mut self, id: ClientId) {
        self.open.remove(&id);
    }

    fn remove(&mut self, id: ClientId) -> Option<Device> {
        self.by_id.remove(&id)
    }

    fn of_connection(&self, connection: &ConnectionId) -> Option<ClientId> {
        self.iter().find(|device| device.connection.as_ref() == Some(connection)).map(|device| device.id)
    }

    fn waiting(&self, person: &PersonId) -> Vec<ClientId> {
        let waits = self.iter().filter(|device| device.person == *person && device.connection.is_none());
        waits.map(|device| device.id).collect()
    }
}

/// Why a state socket is closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Bye {
    /// Another of the person's devices has taken the place.
    Superseded,
    /// Its person said goodbye.
    Left,
    /// Its person may not be here.
    NotAdmitted,
    /// The class is over.
    SessionEnded,
    /// The server stops, or lost its log.
    Restart,
}

#[derive(Serialize)]
struct Said<'a> {
    t: &'static str,
    code: &'a str,
    message: &'a str,
    retry: bool,
}

impl Bye {
    fn text(self) -> Arc<str> {
        let (code, message, retry) = match self {
            Bye::Superseded => ("superseded", "another connection of this person has taken the place", false),
            Bye::Left => ("left", "goodbye", false),
            Bye::NotAdmitted => ("not_admitted", "this person may not be in the class", false),
            Bye::SessionEnded => ("session_ended", "the class is over", false),
            Bye::Restart => ("restart", "the server stops or was interrupted; connect again", true),
        };
        json(&Said { t: "bye", code, message, retry })
    }
}

/// The last words to who is not let in.
fn refusal(reject: &Reject) -> Arc<str> {
    let retry = matches!(reject, Reject::Limit(_) | Reject::Rate { .. });
    json(&Said { t: "bye", code: reject.code(), message: &reject.to_string(), retry })
}

#[derive(Serialize)]
struct Welcome<'a> {
    t: &'static str,
    session: Option<&'a SessionId>,
    room: Option<&'a RoomName>,
    you: &'a PersonId,
    state: &'static str,
    connection: Option<&'a ConnectionId>,
    seq: Seq,
    now: UnixMs,
    #[serde(flatten)]
    class: Class<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Class<'a> {
    Snapshot(BTreeMap<Collection, BTreeMap<String, &'a Entity>>),
    Delta { events: Vec<Value> },
}

impl Node {
    /// A state socket wants to be a device of a person.
    pub(crate) fn enter(&mut self, client: ClientId, enter: Box<Enter>) {
        if let Err(reject) = self.try_to_enter(client, enter) {
            self.stats.refused_joins += 1;
            self.give(Output::Text { client, text: refusal(&reject) });
            self.give(Output::CloseSocket { client });
        }
    }

    fn try_to_enter(&mut self, client: ClientId, enter: Box<Enter>) -> Result<(), Reject> {
        match self.phase {
            Phase::Live => {}
            _ if self.log.state.ended => return Err(Reject::SessionEnded),
            _ => return Err(Reject::Limit("this server is shutting down; connect again")),
        }
        if self.devices.get(client).is_some() || self.clients.of_socket(client).is_some() {
            return Err(Reject::Conflict("this socket has said hello already"));
        }
        if self.clients.len() + self.devices.len() >= self.config.limits.connections {
            return Err(Reject::Limit("too many connections in this session"));
        }
        if self.is_behind() {
            return Err(Reject::Limit(LOG_IS_BEHIND));
        }
        self.check_profile(&enter.person, &enter.profile)?;
        let connection = match self.attach(&enter) {
            Ok(connection) => Some(connection),
            Err(Reject::NotAdmitted(_)) => {
                let (person, profile) = (enter.person.clone(), clean(&enter.profile));
                self.commit(&Command::Class(ClassCommand::Join { person, profile }), None)?;
                None
            }
            Err(other) => return Err(other),
        };
        let limits = &self.config.limits;
        let viewer = self.log.state.viewer(&enter.person);
        let commands = Allowance::new(limits.commands, self.now);
        let person = enter.person.clone();
        let device = Device { id: client, person, connection, viewer, commands, enter };
        self.greet(&device);
        self.devices.insert(device);
        self.timers.pulse_wanted(self.now);
        Ok(())
    }

    fn attach(&mut self, enter: &Enter) -> Result<ConnectionId, Reject> {
        let connection = ConnectionId(self.rng.id("PA_"));
        let attach = Command::Attach {
            person: enter.person.clone(),
            profile: clean(&enter.profile),
            connection: connection.clone(),
            client: session::Client { lane: Lane::State, ..enter.client.clone() },
            space: enter.space.clone(),
        };
        self.commit(&attach, Some(&enter.person)).map(|()| connection)
    }

    fn greet(&mut self, device: &Device) {
        let state = &self.log.state;
        let since = device.enter.since.as_ref().filter(|(session, _)| state.session.as_ref() == Some(session));
        let missed = since.filter(|_| device.connection.is_some());
        let missed = missed.and_then(|(_, seq)| self.missed(&device.viewer, *seq));
        let snapshot = state.snapshot_for(&device.viewer);
        let class = missed.map_or_else(|| Class::Snapshot(by_collection(&snapshot)), |events| Class::Delta { events });
        let welcome = Welcome {
            t: "welcome",
            session: state.session.as_ref(),
            room: state.room.as_ref(),
            you: &device.person,
            state: if device.connection.is_some() { "admitted" } else { "waiting" },
            connection: device.connection.as_ref(),
            seq: state.seq,
            now: self.now,
            class,
        };
        let text = json(&welcome);
        let known = state.participants.get(&device.person).filter(|_| device.connection.is_some());
        let profile = known.map_or_else(|| clean(&device.enter.profile), |known| known.profile.clone());
        let space = known.map_or_else(SpaceName::default, |known| known.space.clone());
        let (client, person, profile) = (device.id, device.person.clone(), Box::new(profile));
        self.log.after(Effect::Greet { client, person, profile, space, text });
    }

    /// A device says goodbye.
    pub(crate) fn goodbye(&mut self, id: ClientId) {
        let Some(device) = self.devices.get(id).filter(|_| self.phase == Phase::Live) else { return };
        let person = device.person.clone();
        match device.connection.clone() {
            Some(connection) => self.commit_departure(&Command::Leave { connection }, Some(&person)),
            None => self.commit_departure(&Command::Class(ClassCommand::LobbyWithdraw {}), Some(&person)),
        }
    }

    /// A state socket is gone. Whether there was one.
    pub(crate) fn device_is_lost(&mut self, id: ClientId, last_seen: UnixMs) -> bool {
        let was_open = self.devices.hears(id);
        self.devices.close(id);
        let Some(device) = self.devices.remove(id) else { return was_open };
        match device.connection {
            Some(connection) => {
                let reason = DetachReason::ConnectionLost;
                self.commit_departure(&Command::Detach { connection, reason, last_seen }, None);
            }
            None if self.devices.waiting(&device.person).is_empty() => {
                let lost = ClassCommand::LobbyLost { person: device.person };
                self.commit_departure(&Command::Class(lost), None);
            }
            None => {}
        }
        true
    }

    /// Whether a connection in the log is that of a state socket. To be asked before an event is applied that ends it.
    pub(crate) fn is_of_state(&self, event: &Event) -> bool {
        match &event.fact {
            Fact::ConnectionAttached { client, .. } => client.lane == Lane::State,
            Fact::ConnectionDetached { person, connection, .. } => {
                let known = self.log.state.participants.get(person);
                let open = known.and_then(|known| known.connections.get(connection));
                open.is_some_and(|open| open.client.lane == Lane::State)
            }
            _ => false,
        }
    }

    /// A state connection opened or closed.
    pub(crate) fn follow_state_connection(&mut self, event: &Event) {
        match &event.fact {
            Fact::ConnectionAttached { person, .. } => self.presence_may_differ(person),
            Fact::ConnectionDetached { person, connection, reason, .. } => {
                if let Some(id) = self.devices.of_connection(connection) {
                    self.dismiss_device(id, bye_because(*reason));
                }
                self.presence_may_differ(person);
            }
            _ => {}
        }
    }

    /// Those who see a person's media see as well whether they are here at all.
    fn presence_may_differ(&mut self, person: &PersonId) {
        if self.roster.seat(person).is_some() {
            self.is_news(person, Audience::Others);
        }
    }

    /// What a fact means to those who wait.
    pub(crate) fn follow_lobby(&mut self, event: &Event) {
        match &event.fact {
            Fact::ParticipantAdmitted { person, .. } => {
                self.arriving.extend(self.devices.waiting(person));
            }
            Fact::Class(ClassFact::ParticipantDenied { person, .. }) => {
                self.devices.waiting(person).into_iter().for_each(|id| self.dismiss_device(id, Bye::NotAdmitted));
            }
            Fact::Class(ClassFact::LobbyWithdrawn { person, .. }) => {
                self.devices.waiting(person).into_iter().for_each(|id| self.dismiss_device(id, Bye::Left));
            }
            Fact::SessionEnded { .. } => {
                let all: Vec<_> = self.devices.iter().map(|device| device.id).collect();
                all.into_iter().for_each(|id| self.dismiss_device(id, Bye::SessionEnded));
            }
            _ => {}
        }
    }

    /// Those who were let in open their connections, once what let them in is appended.
    pub(crate) fn let_arrive(&mut self) {
        for id in std::mem::take(&mut self.arriving) {
            let Some(enter) = self.devices.get(id).map(|device| device.enter.clone()) else { continue };
            match self.attach(&enter) {
                Ok(connection) => {
                    if let Some(device) = self.devices.get_mut(id) {
                        device.connection = Some(connection);
                    }
                }
                Err(reject) => {
                    if self.devices.remove(id).is_some() {
                        self.log.after(Effect::Part { client: id, text: refusal(&reject) });
                    }
                }
            }
        }
    }

    fn dismiss_device(&mut self, id: ClientId, bye: Bye) {
        if self.devices.remove(id).is_some() {
            self.log.after(Effect::Part { client: id, text: bye.text() });
        }
    }

    /// The server stops.
    pub(crate) fn shut_devices_down(&mut self) {
        let devices: BTreeSet<ClientId> = self.devices.iter().map(|device| device.id).collect();
        for id in devices {
            match self.devices.get(id).and_then(|device| device.connection.clone()) {
                Some(connection) => {
                    let (reason, last_seen) = (DetachReason::ServerStopped, self.now);
                    self.commit_departure(&Command::Detach { connection, reason, last_seen }, None);
                }
                None => self.dismiss_device(id, Bye::Restart),
            }
        }
    }

    /// The log is out of reach.
    pub(crate) fn drop_devices(&mut self) {
        for client in std::mem::take(&mut self.devices).open {
            self.give(Output::Text { client, text: Bye::Restart.text() });
            self.give(Output::CloseSocket { client });
        }
    }
}

fn bye_because(reason: DetachReason) -> Bye {
    match reason {
        DetachReason::Superseded | DetachReason::Moved => Bye::Superseded,
        DetachReason::ClientLeft => Bye::Left,
        DetachReason::Removed => Bye::NotAdmitted,
        DetachReason::SessionEnded => Bye::SessionEnded,
        DetachReason::ConnectionLost
        | DetachReason::MediaFailed
        | DetachReason::NeverConnected
        | DetachReason::StateMismatch
        | DetachReason::ServerStopped => Bye::Restart,
    }
}

/// Without what only the server says.
fn clean(profile: &Profile) -> Profile {
    let mut profile = profile.clone();
    profile.attributes.retain(|key, _| !key.starts_with(crate::wire::OWN_ATTRIBUTES));
    profile
}
