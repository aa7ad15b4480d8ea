//! The wire and the media as followers of the log: what each event means to those who are connected. Everything here waits
//! until the event is durable.

use crate::log::Effect;
use crate::node::{Audience, Node, Phase};
use crate::wire;
use livekit_protocol as proto;
use lyceum_session as session;
use lyceum_sfu as sfu;
use proto::DisconnectReason;
use proto::signal_response::Message;
use session::{
    ConnectionId, DetachReason, Event, Fact, Lane, PersonId, Profile, Publication, TrackId, UnpublishReason,
};

impl Node {
    pub(crate) fn follow(&mut self, event: &Event) {
        match &event.fact {
            Fact::SessionStarted { .. }
            | Fact::SessionRecovered { .. }
            | Fact::ParticipantAdmitted { .. }
            | Fact::ParticipantMoved { .. }
            | Fact::SubscriptionChosen { .. }
            | Fact::Class(_) => {}
            Fact::RoomUpdated { .. } => self.tell_room(),
            Fact::SessionEnded { .. } => {
                self.phase = Phase::Closing;
                self.log.after(Effect::Closed);
            }
            Fact::ParticipantUpdated { person, profile } => self.look_different(person, profile),
            Fact::ConnectionAttached { person, connection, .. } => self.arrive(person, connection),
            Fact::ConnectionDetached { person, connection, reason, .. } => self.depart(person, connection, *reason),
            Fact::ConnectionResumed { person, connection } => self.come_back(person, connection),
            Fact::ConnectionExpired { person, connection } => self.give_up(person, connection),
            Fact::ParticipantOffline { person, .. } => self.leave_roster(person, DisconnectReason::ConnectionTimeout),
            Fact::ParticipantLeft { person, reason } => {
                self.leave_roster(person, wire::disconnect_because(*reason));
            }
            Fact::TrackPublished { publication } => self.published(publication),
            Fact::TrackUnpublished { person, track, reason, .. } => self.unpublished(person, track, *reason),
            Fact::TrackMuted { person, track } => {
                self.is_news(person, Audience::Others);
                self.muted_by_another(track);
            }
            Fact::TrackUpdated { person, .. } | Fact::TrackUnmuted { person, .. } => {
                self.is_news(person, Audience::Others);
            }
        }
    }

    /// A connection opened: the old sid goes before the new one comes, and the newcomer gets the class as it is.
    fn arrive(&mut self, person: &PersonId, connection: &ConnectionId) {
        self.leave_roster(person, DisconnectReason::SignalClose);
        let client = self.clients.of_connection(connection).map(|client| client.id);
        self.roster.take_seat(person, connection.clone(), client);
        self.is_news(person, Audience::Others);
        self.room_changes();
        if let Some(client) = client {
            self.prepare_welcome(client, person);
        }
    }

    /// A connection ended. If its socket is still open, it is told why and closed.
    fn depart(&mut self, person: &PersonId, connection: &ConnectionId, reason: DetachReason) {
        let waits = self.log.state.loser(connection).is_some();
        if !waits && let Some(client) = self.clients.of_connection(connection).map(|client| client.id) {
            let socket = self.forget(client).and_then(|client| client.socket);
            self.log.after(Effect::Farewell { client, socket, response: wire::leave_because(reason).map(Box::new) });
        }
        match reason {
            DetachReason::Superseded => self.leave_roster(person, DisconnectReason::DuplicateIdentity),
            DetachReason::ClientLeft if self.is_here_without_media(person) => {
                self.leave_roster(person, DisconnectReason::ClientInitiated);
            }
            // The farewell follows with `participant.left`.
            DetachReason::ClientLeft | DetachReason::Removed | DetachReason::SessionEnded => {}
            _ if self.is_here_without_media(person) && reason != DetachReason::Moved => {
                self.leave_roster(person, DisconnectReason::SignalClose);
            }
            DetachReason::ConnectionLost
            | DetachReason::MediaFailed
            | DetachReason::NeverConnected
            | DetachReason::StateMismatch
            | DetachReason::Moved
            | DetachReason::ServerStopped => {
                if let Some(seat) = self.roster.seat_mut(person) {
                    if !waits {
                        seat.client = None;
                        seat.active = false;
                    }
                    self.is_news(person, Audience::Others);
                }
            }
        }
        self.room_changes();
    }

    /// A command of the class muted a track: its publisher's client has not done so itself.
    fn muted_by_another(&mut self, track: &TrackId) {
        let Some(known) = self.tracks.get_mut(track).filter(|known| !known.muted) else { return };
        known.muted = true;
        let (key, owner) = (known.key, known.owner);
        self.log.after(Effect::Media(sfu::Command::MuteTrack { track: key, muted: true }));
        let signal = Message::Mute(proto::MuteTrackRequest { sid: track.0.clone(), muted: true });
        self.tell_after(vec![owner], wire::signal(signal));
    }

    /// Whether somebody without media is still here by other connections: then nobody waits for their media.
    pub(crate) fn is_here_without_media(&self, person: &PersonId) -> bool {
        let known = self.log.state.participants.get(person);
        known.is_some_and(|known| {
            known.connections_of(Lane::Media).next().is_none() && !known.connections.is_empty() && known.lost.is_none()
        })
    }

    pub(crate) fn leave_roster(&mut self, person: &PersonId, reason: DisconnectReason) {
        if self.is_deferred_news(person) {
            self.tell_news(); // Who is gone must have been there.
        }
        let Some(seat) = self.roster.give_up_seat(person) else { return };
        self.is_no_news(person);
        let to = self.audience(person, Audience::Others);
        let farewell = seat.farewell(person, &self.log.state, reason);
        self.departed.note(person, &farewell, &to, self.now);
        self.tell_after(to, wire::update(vec![farewell]));
        self.room_changes();
    }

    fn look_different(&mut self, person: &PersonId, profile: &Profile) {
        self.is_news(person, Audience::Everybody);
        let Some(client) = self.roster.seat(person).and_then(|seat| seat.client) else { return };
        self.refresh_token_after(client, person);
        if !profile.permission.can_subscribe {
            self.unsubscribe_from_everything(client);
        }
    }

    /// A track is in the class: everybody hears of it before anybody receives it.
    fn published(&mut self, publication: &Publication) {
        self.is_news(&publication.person, Audience::Others);
        self.tell_news();
        self.room_changes();
        for client in self.clients.ids() {
            if self.comes_by_itself(client, &publication.track) {
                self.subscribe_by_itself(client, &publication.track);
            }
        }
    }

    fn unpublished(&mut self, person: &PersonId, track: &TrackId, reason: UnpublishReason) {
        for client in self.clients.iter_mut() {
            client.views.remove(track);
        }
        self.is_news(person, Audience::Others);
        self.room_changes();
        let Some(known) = self.tracks.remove(track) else { return };
        if self.clients.get(known.owner).is_none() {
            return; // Its media is closed as a whole.
        }
        self.log.after(Effect::Media(sfu::Command::DropTrack { track: known.key }));
        if reason == UnpublishReason::PermissionRevoked {
            let track_sid = track.0.clone();
            let news = wire::signal(Message::TrackUnpublished(proto::TrackUnpublishedResponse { track_sid }));
            self.tell_after(vec![known.owner], news);
        }
    }
}
