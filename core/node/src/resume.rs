//! Losing a connection and taking it up again. A client that is lost keeps its media, its tracks and what it receives for as long as
//! the session lets it. When it comes back on a new socket it is told who has left, how everything is now, and to look for
//! a new way through the network; then it says what it has, and is sent the data that it has missed.

use crate::api::{ClientId, Join, Output};
use crate::clients::media_of;
use crate::log::Effect;
use crate::node::{Audience, Node};
use crate::wire;
use livekit_protocol as proto;
use lyceum_session as session;
use lyceum_sfu as sfu;
use proto::DisconnectReason;
use proto::leave_request::Action;
use proto::request_response::Reason;
use proto::signal_response::Message;
use session::{Command, ConnectionId, DetachReason, PersonId, Reject, TrackId, UnixMs};
use std::collections::VecDeque;

/// The first version of the protocol in which a server tells a client to resume.
const TOLD_TO_RESUME: i32 = 13;
/// How long it is remembered who left. A socket that went silent is noticed well within it.
const REMEMBER_MS: u64 = 90_000;
/// Most entries of who was told that somebody left: enough for a class of a thousand that ends at once.
const MOST_TOLD: usize = 1_000_000;

/// Who has left lately, and who was told, or was to be. Oldest first.
#[derive(Default)]
pub(crate) struct Departed {
    farewells: VecDeque<Farewell>,
    told: usize,
}

struct Farewell {
    at: UnixMs,
    person: PersonId,
    info: proto::ParticipantInfo,
    to: Vec<ClientId>,
}

impl Departed {
    pub(crate) fn note(&mut self, person: &PersonId, info: &proto::ParticipantInfo, to: &[ClientId], now: UnixMs) {
        self.told += to.len() + 1;
        self.farewells.push_back(Farewell { at: now, person: person.clone(), info: info.clone(), to: to.to_vec() });
        let too_old = |farewell: &Farewell| farewell.at.plus(REMEMBER_MS) <= now;
        while self.told > MOST_TOLD || self.farewells.front().is_some_and(too_old) {
            let Some(oldest) = self.farewells.pop_front() else { break };
            self.told -= oldest.to.len() + 1;
        }
    }

    /// The farewells that a client may have missed. Who is back need not leave again: the client is told how they are now.
    fn to_tell(&self, client: ClientId, is_back: impl Fn(&PersonId) -> bool) -> Vec<proto::ParticipantInfo> {
        let missed = self.farewells.iter().filter(|farewell| farewell.to.contains(&client));
        missed.filter(|farewell| !is_back(&farewell.person)).map(|farewell| farewell.info.clone()).collect()
    }
}

impl Node {
    pub(crate) fn has_resume_window(&self) -> bool {
        self.log.state.policy.as_ref().is_some_and(|policy| policy.resume_window_ms > 0)
    }

    /// Whether a client that is lost now can be waited for: it has media to come back to.
    pub(crate) fn may_come_back(&self, id: ClientId) -> bool {
        self.has_resume_window() && self.clients.get(id).is_some_and(|client| client.active && client.is_welcome())
    }

    /// A client is without its socket from here on; everything else of it stays.
    pub(crate) fn let_wait(&mut self, id: ClientId, reason: DetachReason, last_seen: UnixMs) {
        if let Some(socket) = self.clients.unbind(id) {
            self.give(Output::CloseSocket { client: socket });
        }
        let Some(client) = self.clients.get(id) else { return };
        let connection = client.connection.clone();
        self.commit_departure(&Command::Detach { connection, reason, last_seen }, None);
    }

    /// The media of a client does not get through any more: it is to find a new way, and keeps what it has meanwhile.
    pub(crate) fn send_to_resume(&mut self, id: ClientId) {
        let action = match self.clients.get(id) {
            Some(client) if client.protocol >= TOLD_TO_RESUME => Action::Resume,
            _ => Action::Reconnect,
        };
        self.tell(id, wire::leave(DisconnectReason::MediaFailure, action));
        self.let_wait(id, DetachReason::MediaFailed, self.now);
    }

    /// A socket wants to take up a connection. If there is nothing to take up, its client is told to join afresh.
    pub(crate) fn resume(&mut self, socket: ClientId, join: &Join, connection: &ConnectionId) -> Result<(), Reject> {
        let id = self.clients.of_connection(connection).filter(|client| client.person == join.person);
        let Some(id) = id.map(|client| client.id).filter(|id| self.may_come_back(*id)) else {
            self.refuse_to_resume(socket);
            return Ok(());
        };
        if self.is_behind() {
            return Err(Reject::Limit("the log of this session is behind; try again in a moment"));
        }
        if let Some(client) = self.clients.get(id).filter(|client| client.socket.is_some()) {
            // It lost its socket before we noticed.
            let last_seen = client.last_signal_at;
            self.let_wait(id, DetachReason::ConnectionLost, last_seen);
        }
        self.clients.bind(id, socket);
        let now = self.now;
        if let Some(client) = self.clients.get_mut(id) {
            client.last_signal_at = now;
            client.media_gone_at = None;
            client.token_refresh_at = now.plus(self.config.token_refresh_interval_ms);
        }
        let resume = Command::Resume { person: join.person.clone(), connection: connection.clone() };
        if self.commit(&resume, Some(&join.person)).is_err() {
            self.clients.unbind(id);
            self.refuse_to_resume(socket);
            return Ok(());
        }
        self.obey_scenario(id);
        Ok(())
    }

    fn refuse_to_resume(&mut self, socket: ClientId) {
        let leave = wire::leave(DisconnectReason::StateMismatch, Action::Reconnect);
        self.give(Output::Signal { client: socket, response: Box::new(leave) });
        self.give(Output::CloseSocket { client: socket });
    }

    /// A connection goes on. What its client is told comes in the order that clients rely on: that it has resumed, who is gone, how
    /// everybody is, the room, and an offer that restarts ICE.
    pub(crate) fn come_back(&mut self, person: &PersonId, connection: &ConnectionId) {
        self.is_news(person, Audience::Others);
        let Some(client) = self.clients.of_connection(connection) else { return };
        let (id, to) = (client.id, vec![client.id]);
        self.log.after(Effect::Reconnect { client: id });
        let is_back = |other: &PersonId| self.roster.seat(other).is_some() && self.sees(person, other);
        let departed = self.departed.to_tell(id, is_back);
        if !departed.is_empty() {
            self.tell_after(to.clone(), wire::update(departed));
        }
        let here = self.others_for(person).into_iter().chain(self.info(person)).collect();
        self.tell_after(to.clone(), wire::update(here));
        let room = Some(self.room_info(Some(&self.space_of(person))));
        self.tell_after(to, wire::signal(Message::RoomUpdate(proto::RoomUpdate { room })));
        self.log.after(Effect::Receive { client: id, command: sfu::Command::RestartIce { conn: media_of(id) } });
        self.refresh_token_after(id, person);
        self.log.after(Effect::Latest { client: id });
    }

    /// A connection can be taken up no more.
    pub(crate) fn give_up(&mut self, person: &PersonId, connection: &ConnectionId) {
        if let Some(seat) = self.roster.seat_mut(person).filter(|seat| seat.sid == *connection) {
            seat.client = None;
            seat.active = false;
            self.is_news(person, Audience::Others);
        }
        if self.is_here_without_media(person) {
            self.leave_roster(person, DisconnectReason::ConnectionTimeout);
        }
        if let Some(client) = self.clients.of_connection(connection).map(|client| client.id) {
            let socket = self.forget(client).and_then(|client| client.socket);
            self.log.after(Effect::Farewell { client, socket, response: None });
        }
    }

    /// That a client has resumed is durable: this is the first thing that it hears on its new socket.
    pub(crate) fn tell_resumed(&mut self, id: ClientId) {
        let (ice_servers, server_info) = (self.ice_servers(), Some(self.server_info()));
        let client_configuration = Some(self.client_configuration());
        let Some(client) = self.clients.get_mut(id) else { return };
        let Some(held) = client.held.take() else { return };
        let last_message_seq = client.last_data_sequence;
        let reconnect = proto::ReconnectResponse { ice_servers, client_configuration, server_info, last_message_seq };
        self.tell(id, wire::signal(Message::Reconnect(reconnect)));
        for response in held {
            self.tell(id, response);
        }
    }

    /// What is told only when it changes may have changed while a client was away.
    pub(crate) fn tell_latest(&mut self, id: ClientId) {
        self.tell_known_qualities(id);
        self.tell_speakers_again(id);
        self.tell_streams_again(id);
        self.tell_wanted_layers_again(id);
    }

    pub(crate) fn client_configuration(&self) -> proto::ClientConfiguration {
        let resume = match self.has_resume_window() {
            true => proto::ClientConfigSetting::Unset,
            // A client that loses its socket is faster back if it does not try to resume in vain.
            false => proto::ClientConfigSetting::Disabled,
        };
        proto::ClientConfiguration { resume_connection: resume.into(), ..Default::default() }
    }

    /// `sync_state`: what a client that has resumed has, in its own view. Where the views cannot be brought together the client is told
    /// to join afresh.
    pub(crate) fn sync_state(&mut self, id: ClientId, state: proto::SyncState) {
        let most = self.config.limits.ids_per_signal;
        let too_long = state.publish_tracks.len() > most
            || state.track_sids_disabled.len() > most
            || state.datachannel_receive_states.len() > most;
        if too_long {
            return self.refuse(id, Reason::LimitExceeded, "too many entries in one sync_state", None);
        }
        let unknown = state.publish_tracks.iter().filter_map(|published| published.track.as_ref()).any(|track| {
            let known = self.tracks.get(&TrackId(track.sid.clone()));
            known.is_none_or(|known| known.owner != id)
        });
        if unknown {
            let leave = wire::leave(DisconnectReason::StateMismatch, Action::Reconnect);
            return self.dismiss(id, leave, DetachReason::StateMismatch);
        }
        let socket = self.clients.get(id).and_then(|client| client.socket);
        for track in state.publish_tracks.iter().filter_map(|published| published.track.as_ref()) {
            if let Some(known) = self.tracks.get_mut(&TrackId(track.sid.clone())) {
                known.told_on = socket;
            }
        }
        self.sync_offer(id, state.offer.as_ref(), state.answer.as_ref());
        self.disable(id, &state.track_sids_disabled);
        if let Some(wanted) = &state.subscription {
            self.change_subscriptions(id, wanted);
        }
        self.replay_data(id, &state.datachannel_receive_states);
    }

    /// An offer may wait for an answer that was lost, or be lost itself; only the client knows.
    fn sync_offer(
        &mut self,
        id: ClientId,
        offer: Option<&proto::SessionDescription>,
        answer: Option<&proto::SessionDescription>,
    ) {
        let most = self.config.limits.sdp_bytes;
        let sdp = |description: Option<&proto::SessionDescription>| {
            let sdp = description.map(|description| description.sdp.clone()).unwrap_or_default();
            if sdp.len() <= most { sdp } else { String::new() }
        };
        if self.clients.get(id).is_some_and(|client| client.awaits_restart) {
            let (offer, answer) = (sdp(offer), sdp(answer));
            self.tell_media(sfu::Command::SyncOffer { conn: media_of(id), offer, answer });
        }
    }

    /// Pictures that a client does not show at the moment.
    fn disable(&mut self, id: ClientId, tracks: &[String]) {
        for sid in tracks {
            let track = TrackId(sid.clone());
            let wish = self.clients.get(id).and_then(|client| client.views.get(&track)).map(|view| view.wish);
            if let Some(wish) = wish.filter(|wish| wish.enabled) {
                self.set_wish(id, &track, sfu::Wish { enabled: false, ..wish });
            }
        }
    }
}
