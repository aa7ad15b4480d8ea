//! Coming and going: a socket becomes a connection of a person, is welcomed once that is durable, and ends in one of the
//! ways in which a connection can end.

use crate::api::{ClientId, Join, Output};
use crate::clients::{self, Client};
use crate::limits::longer_than;
use crate::log::Effect;
use crate::node::{Node, Phase};
use crate::wire;
use livekit_protocol as proto;
use lyceum_session as session;
use lyceum_sfu as sfu;
use proto::DisconnectReason;
use proto::leave_request::Action;
use proto::signal_response::Message;
use session::{Command, DetachReason, PersonId, Profile, Reject, UnixMs};
use std::sync::Arc;

impl Node {
    /// A socket wants to be a person's connection.
    pub(crate) fn join(&mut self, client: ClientId, join: &Join) {
        if let Err(reject) = self.try_to_join(client, join) {
            self.stats.refused_joins += 1;
            self.clients.remove(client);
            self.give(Output::JoinRefused { client, reject });
        }
    }

    fn try_to_join(&mut self, client: ClientId, join: &Join) -> Result<(), Reject> {
        match self.phase {
            Phase::Live => {}
            _ if self.log.state.ended => return Err(Reject::SessionEnded),
            _ => return Err(Reject::Conflict("this server is shutting down; connect again")),
        }
        if self.clients.of_socket(client).is_some() || self.clients.get(client).is_some() {
            return Err(Reject::Conflict("this socket has joined already"));
        }
        if let Some(connection) = &join.resume {
            return self.resume(client, join, connection);
        }
        if self.clients.len() >= self.config.limits.connections {
            return Err(Reject::Limit("too many connections in this session"));
        }
        if self.is_behind() {
            return Err(Reject::Limit("the log of this session is behind; try again in a moment"));
        }
        self.check_profile(&join.person, &join.profile)?;

        let mut profile = join.profile.clone();
        profile.attributes.retain(|key, _| !key.starts_with(wire::OWN_ATTRIBUTES));
        let connection = session::ConnectionId(self.rng.id("PA_"));
        self.clients.insert(Client::new(client, join, connection.clone(), &self.config.limits, self.now));
        self.watch_sockets();
        let attach = Command::Attach {
            person: join.person.clone(),
            profile,
            connection,
            client: join.client.clone(),
            space: join.space.clone(),
        };
        self.commit(&attach, Some(&join.person))
    }

    pub(crate) fn check_profile(&self, person: &PersonId, profile: &Profile) -> Result<(), Reject> {
        let limits = &self.config.limits;
        if person.0.is_empty() {
            return Err(Reject::Invalid("the identity is empty"));
        }
        if longer_than(&person.0, limits.identity_chars) {
            return Err(Reject::Invalid("the identity is too long"));
        }
        if longer_than(&profile.name.0, limits.name_chars) {
            return Err(Reject::Invalid("the name is too long"));
        }
        if profile.metadata.0.len() > limits.metadata_bytes {
            return Err(Reject::Limit("the metadata is too long"));
        }
        let attributes_bytes: usize = profile.attributes.iter().map(|(key, value)| key.len() + value.0.len()).sum();
        if attributes_bytes > limits.attributes_bytes {
            return Err(Reject::Limit("the attributes are too long"));
        }
        Ok(())
    }

    /// What a newcomer will be given once their arrival is durable: the class as it is at this place in the log, a
    /// fresh token, and the tracks that they receive by themselves.
    pub(crate) fn prepare_welcome(&mut self, id: ClientId, person: &PersonId) {
        let Some(known) = self.log.state.participants.get(person) else { return };
        let profile = known.profile.clone();
        let permission = &self.log.state.permission(person).unwrap_or_else(|| profile.permission.clone());
        let response = self.join_response(person, permission);
        let Some(client) = self.clients.get_mut(id) else { return };
        client.primary = if permission.can_subscribe { sfu::Target::Subscriber } else { sfu::Target::Publisher };
        let response = Arc::new(wire::signal(Message::Join(response)));
        self.log.after(Effect::Welcome { client: id, response });
        self.refresh_token_after(id, person);
        self.restore_choices(id, person);
        let published: Vec<_> = self.log.state.tracks.keys().cloned().collect();
        for track in published {
            if self.comes_by_itself(id, &track) {
                self.subscribe_by_itself(id, &track);
            }
        }
    }

    fn join_response(&self, person: &PersonId, permission: &session::Permission) -> proto::JoinResponse {
        let config = &self.config;
        let seconds = |ms: u64| i32::try_from(ms / 1_000).unwrap_or(i32::MAX);
        proto::JoinResponse {
            room: Some(self.room_info(Some(&self.space_of(person)))),
            participant: self.info(person),
            other_participants: self.others_for(person),
            server_version: config.server_version.clone(),
            ice_servers: self.ice_servers(),
            subscriber_primary: permission.can_subscribe,
            client_configuration: Some(self.client_configuration()),
            server_region: config.region.clone(),
            ping_timeout: seconds(config.ping_timeout_ms),
            ping_interval: seconds(config.ping_interval_ms),
            server_info: Some(self.server_info()),
            enabled_publish_codecs: wire::codecs(&config.codecs),
            fast_publish: permission.can_publish || !permission.can_publish_sources.is_empty(),
            ..Default::default()
        }
    }

    pub(crate) fn ice_servers(&self) -> Vec<proto::IceServer> {
        let servers = self.config.ice_servers.iter().map(|server| proto::IceServer {
            urls: server.urls.clone(),
            username: server.username.clone(),
            credential: server.credential.clone(),
        });
        servers.collect()
    }

    pub(crate) fn server_info(&self) -> proto::ServerInfo {
        let config = &self.config;
        proto::ServerInfo {
            edition: proto::server_info::Edition::Standard.into(),
            version: config.server_version.clone(),
            protocol: 17,
            region: config.region.clone(),
            node_id: config.node_id.clone(),
            agent_protocol: 1,
            ..Default::default()
        }
    }

    /// A newcomer's arrival is durable: unless they are gone by now, they get their join response and their media.
    pub(crate) fn welcome(&mut self, id: ClientId, response: &proto::SignalResponse) {
        let Some(client) = self.clients.get_mut(id) else { return };
        client.welcomed_at = Some(self.now);
        client.token_refresh_at = self.now.plus(self.config.token_refresh_interval_ms);
        let full_ice = client.full_ice;
        self.tell(id, response.clone());
        self.tell_media(sfu::Command::Open { conn: clients::media_of(id), group: self.config.group, full_ice });
    }

    /// A client says goodbye.
    pub(crate) fn leave(&mut self, id: ClientId) {
        self.log_choices(id);
        let Some(client) = self.dismiss_at_once(id) else { return };
        self.commit_departure(&Command::Leave { connection: client.connection }, Some(&client.person));
    }

    /// A socket closed or went silent: the seat waits for its person, and their media for a client that resumes.
    pub(crate) fn lose(&mut self, id: ClientId, last_seen: UnixMs) {
        self.log_choices(id);
        if self.may_come_back(id) {
            return self.let_wait(id, DetachReason::ConnectionLost, last_seen);
        }
        let reason = if self.has_resume_window() { DetachReason::NeverConnected } else { DetachReason::ConnectionLost };
        let Some(client) = self.dismiss_at_once(id) else { return };
        self.commit_departure(&Command::Detach { connection: client.connection, reason, last_seen }, None);
    }

    /// The server ends a connection with words of its own.
    pub(crate) fn dismiss(&mut self, id: ClientId, leave: proto::SignalResponse, reason: DetachReason) {
        let Some(client) = self.forget(id) else { return };
        let last_seen = self.now;
        let socket = client.socket;
        self.commit_departure(&Command::Detach { connection: client.connection, reason, last_seen }, None);
        self.log.after(Effect::Farewell { client: id, socket, response: Some(Box::new(leave)) });
    }

    /// Closes a socket and its media without waiting for the log.
    pub(crate) fn dismiss_at_once(&mut self, id: ClientId) -> Option<Client> {
        let client = self.forget(id)?;
        self.close_client(id, client.socket);
        Some(client)
    }

    pub(crate) fn close_client(&mut self, id: ClientId, socket: Option<ClientId>) {
        self.tell_media(sfu::Command::Close { conn: clients::media_of(id) });
        if let Some(client) = socket {
            self.give(Output::CloseSocket { client });
        }
    }

    /// From here on nothing that comes from this socket or its media has an effect.
    pub(crate) fn forget(&mut self, id: ClientId) -> Option<Client> {
        self.tracks.forget_announced(id);
        self.clients.remove(id)
    }

    /// The server stops: nobody is told that the others go, since all of them do.
    pub(crate) fn shut_down(&mut self) {
        if self.phase != Phase::Live {
            return;
        }
        let leaving: Vec<_> = self.clients.ids().into_iter().filter_map(|id| self.forget(id)).collect();
        for client in leaving.iter().filter(|client| client.socket.is_some()) {
            let (connection, last_seen) = (client.connection.clone(), self.now);
            let reason = DetachReason::ServerStopped;
            self.commit_departure(&Command::Detach { connection, reason, last_seen }, None);
        }
        self.shut_devices_down();
        for client in leaving {
            let response = wire::leave(DisconnectReason::ServerShutdown, Action::Reconnect);
            let (client, socket) = (client.id, client.socket);
            self.log.after(Effect::Farewell { client, socket, response: Some(Box::new(response)) });
        }
        self.phase = Phase::Closing;
        self.log.after(Effect::Closed);
    }

    pub(crate) fn commit_departure(&mut self, command: &Command, actor: Option<&PersonId>) {
        if let Err(reject) = self.commit(command, actor) {
            tracing::error!(%reject, "bug: a client had no connection in the log");
        }
    }

    pub(crate) fn info(&self, person: &PersonId) -> Option<proto::ParticipantInfo> {
        self.roster.info(person, &self.log.state, &self.clients, &self.tracks)
    }
}
