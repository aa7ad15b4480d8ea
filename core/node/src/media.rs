//! What the media tells of this class. An event of a connection that is gone has crossed its end on the way and is ignored.

use crate::api::ClientId;
use crate::node::{Audience, Node, Phase};
use crate::wire;
use livekit_protocol as proto;
use lyceum_session as session;
use lyceum_sfu as sfu;
use proto::DisconnectReason;
use proto::leave_request::Action;
use proto::request_response::Reason;
use proto::signal_response::Message;
use session::{DetachReason, TrackId};
use sfu::{Event, Refusal};

impl Node {
    pub(crate) fn media(&mut self, event: Event) {
        if self.phase != Phase::Live {
            return;
        }
        match event {
            Event::PublisherAnswer { conn, offer_id, sdp } => {
                let answer = wire::session_description("answer", sdp, offer_id);
                self.tell_media_client(conn, Message::Answer(answer));
            }
            Event::SubscriberOffer { conn, offer_id, sdp, mids, restarts_ice } => {
                let Some(client) = self.clients.of_media_mut(conn) else { return };
                client.awaits_restart &= !restarts_ice;
                if client.awaits_restart {
                    return; // It is as lost as the socket that it was meant for.
                }
                let mut offer = wire::session_description("offer", sdp, offer_id);
                // An offer may have crossed the end of a subscription on its way.
                let Some(client) = self.clients.of_media(conn) else { return };
                let tracks = mids.into_iter().filter_map(|(mid, key)| Some((mid, self.tracks.id_of(key)?.clone())));
                let is_known = |track: &TrackId| {
                    let published = self.log.state.tracks.get(track);
                    let owner = published.filter(|_| client.receives(track)).map(|known| &known.person);
                    owner.is_some_and(|owner| self.are_known_to_be_together(&client.person, owner))
                };
                let tracks = tracks.filter(|(_, track)| is_known(track)).map(|(mid, track)| (mid, track.0));
                offer.mid_to_track_id = tracks.collect();
                self.tell_media_client(conn, Message::Offer(offer));
            }
            Event::Connected { conn, target } => self.connected(conn, target),
            Event::Disconnected { conn, why, can_return, .. } => self.media_gone(conn, why, can_return),
            Event::TrackMatched { conn, track, mid, mime_type, layers } => {
                self.track_matched(conn, track, mid, mime_type, layers);
            }
            Event::TrackEnded { conn, track } => self.track_ended(conn, track),
            Event::Data { conn, lane, bytes } => self.data(conn, lane, &bytes),
            Event::DataDropped { conn, count } => {
                self.stats.dropped_data += u64::from(count);
                tracing::debug!(?conn, count, "a slow receiver lost reliable data");
            }
            Event::StreamPaused { conn, track, paused } => self.stream_paused(conn, track, paused),
            Event::LayersWanted { conn, track, max_layer } => self.layers_wanted(conn, track, max_layer),
            Event::Network { conn, target, loss, round_trip_ms } => self.network(conn, target, loss, round_trip_ms),
            Event::Speakers { levels, .. } => self.speakers(&levels),
            Event::Fenced { id, .. } => self.media_has_let_go(id),
            Event::Refused { conn, what, why } => self.media_refused(conn, what, &why),
        }
    }

    fn tell_media_client(&mut self, conn: sfu::ConnKey, message: Message) {
        if let Some(client) = self.clients.of_media(conn) {
            self.tell(client.id, wire::signal(message));
        }
    }

    /// The peer that a client needs most is connected: from here on the client is active.
    fn connected(&mut self, conn: sfu::ConnKey, target: sfu::Target) {
        let Some(client) = self.clients.of_media_mut(conn) else { return };
        if client.primary != target || client.active {
            return;
        }
        client.active = true;
        let (id, person) = (client.id, client.person.clone());
        self.tell_known_qualities(id);
        self.tell_known_speakers(id);
        if let Some(seat) = self.roster.seat_mut(&person) {
            seat.active = true;
            self.is_news(&person, Audience::Others);
            self.tell_news_in_time();
        }
    }

    /// A client that says goodbye closes its peers in the same moment, and that may arrive first. So it has some time to say
    /// it, or to close its socket, before its media counts as failed.
    fn media_gone(&mut self, conn: sfu::ConnKey, why: &'static str, can_return: bool) {
        let now = self.now;
        let Some(client) = self.clients.of_media_mut(conn) else { return };
        if client.socket.is_none() {
            return; // What is left of it waits for its return.
        }
        client.media_can_return &= can_return;
        if client.media_gone_at.is_none() {
            client.media_gone_at = Some(now);
            tracing::info!(client = conn.0, why, "the media of a client is gone");
        }
    }

    /// The client's socket stands and its media does not: it is to resume, or where that is in vain, to come back as a whole.
    pub(crate) fn media_failed(&mut self, client: ClientId) {
        let can_return = self.clients.get(client).is_some_and(|client| client.media_can_return);
        if can_return && self.may_come_back(client) {
            return self.send_to_resume(client);
        }
        let leave = wire::leave(DisconnectReason::MediaFailure, Action::Reconnect);
        let reason = if self.has_resume_window() { DetachReason::StateMismatch } else { DetachReason::MediaFailed };
        self.dismiss(client, leave, reason);
    }

    fn media_refused(&mut self, conn: sfu::ConnKey, what: Refusal, why: &str) {
        let Some(client) = self.clients.of_media(conn).map(|client| client.id) else { return };
        let what = match what {
            Refusal::Offer { offer_id } => format!("offer {offer_id}"),
            Refusal::Answer { offer_id } => format!("answer {offer_id}"),
            Refusal::Candidate => "candidate".to_owned(),
        };
        self.refuse(client, Reason::InvalidRequest, &format!("{what}: {why}"), None);
    }
}
