//! What a client may say, one arm per message, and how it is told that something it said could not be used.

use crate::api::ClientId;
use crate::clients::media_of;
use crate::node::{Node, Phase};
use crate::wire;
use livekit_protocol as proto;
use lyceum_session::{Command, TrackId};
use lyceum_sfu as sfu;
use proto::request_response::{Reason, Request};
use proto::signal_request::Message as Ask;
use proto::signal_response::Message as Say;

/// `request_response` tells of success only to clients of this protocol version and above.
const HEARS_OF_SUCCESS: i32 = 15;
/// Longest `candidateInit`, in bytes.
const CANDIDATE_BYTES: usize = 4_096;

impl Node {
    pub(crate) fn signal(&mut self, id: ClientId, request: proto::SignalRequest) {
        let now = self.now;
        if self.phase != Phase::Live {
            return;
        }
        let Some(client) = self.clients.get_mut(id) else { return };
        client.last_signal_at = now;
        if matches!(request.message, Some(Ask::Leave(_))) {
            self.leave(id);
            return;
        }
        if !client.signals.take(1, now) {
            self.stats.flooded_signals += 1;
            self.complain(id, Reason::LimitExceeded, "too many signals a second; this one was ignored".to_owned());
            return;
        }
        if !client.is_welcome() {
            // The first thing that a client hears must be its join response, so there is no answer to this.
            self.stats.refused_signals += 1;
            return;
        }
        match request.message {
            Some(message) => self.welcome_signal(id, message),
            None => self.refuse(id, Reason::InvalidRequest, "the signal is empty or of an unknown kind", None),
        }
    }

    #[allow(deprecated)] // `update_layers` is still sent by old clients.
    fn welcome_signal(&mut self, id: ClientId, message: Ask) {
        match message {
            Ask::Offer(offer) => self.publisher_offer(id, offer),
            Ask::Answer(answer) => self.subscriber_answer(id, answer),
            Ask::Trickle(trickle) => self.trickle(id, trickle),
            Ask::AddTrack(request) => self.add_track(id, request),
            Ask::Mute(mute) => self.mute(id, mute),
            Ask::Subscription(wanted) => self.change_subscriptions(id, &wanted),
            Ask::TrackSetting(settings) => self.change_settings(id, &settings),
            Ask::UpdateMetadata(update) => self.update_metadata(id, update),
            Ask::Simulate(scenario) => self.simulate(id, scenario.scenario),
            Ask::Ping(_) => self.tell(id, wire::signal(Say::Pong(self.now_for_clients()))),
            Ask::PingReq(ping) => {
                let pong = proto::Pong { last_ping_timestamp: ping.timestamp, timestamp: self.now_for_clients() };
                self.tell(id, wire::signal(Say::PongResp(pong)));
            }
            Ask::SubscriptionPermission(permission) => self.change_permissions(id, permission),
            Ask::UpdateAudioTrack(update) => {
                let command = Command::UpdateTrack {
                    track: TrackId(update.track_sid.clone()),
                    audio_features: Some(update.features.clone()),
                    size: None,
                };
                self.update_track(id, &command, Request::UpdateAudioTrack(update));
            }
            Ask::UpdateVideoTrack(update) => {
                let command = Command::UpdateTrack {
                    track: TrackId(update.track_sid.clone()),
                    audio_features: None,
                    size: Some((update.width, update.height)),
                };
                self.update_track(id, &command, Request::UpdateVideoTrack(update));
            }
            Ask::PublishDataTrackRequest(_) | Ask::UnpublishDataTrackRequest(_) | Ask::UpdateDataSubscription(_) => {
                self.refuse(id, Reason::InvalidRequest, "data tracks are not supported", None);
            }
            Ask::StoreDataBlobRequest(_) | Ask::GetDataBlobRequest(_) => {
                self.refuse(id, Reason::InvalidRequest, "data blobs are not supported", None);
            }
            Ask::SyncState(state) => self.sync_state(id, state),
            // `update_layers` is retired; `leave` was handled before.
            Ask::UpdateLayers(_) | Ask::Leave(_) => {}
        }
    }

    fn publisher_offer(&mut self, id: ClientId, offer: proto::SessionDescription) {
        if offer.sdp.len() > self.config.limits.sdp_bytes {
            self.refuse(id, Reason::LimitExceeded, "the offer is too long", None);
            return;
        }
        let conn = media_of(id);
        self.tell_media(sfu::Command::PublisherOffer { conn, offer_id: offer.id, sdp: offer.sdp });
    }

    fn subscriber_answer(&mut self, id: ClientId, answer: proto::SessionDescription) {
        if answer.sdp.len() > self.config.limits.sdp_bytes {
            self.refuse(id, Reason::LimitExceeded, "the answer is too long", None);
            return;
        }
        let conn = media_of(id);
        self.tell_media(sfu::Command::SubscriberAnswer { conn, offer_id: answer.id, sdp: answer.sdp });
    }

    /// An ICE-lite server learns a client's addresses from its checks, so candidates matter only with full ICE.
    fn trickle(&mut self, id: ClientId, trickle: proto::TrickleRequest) {
        let Some(client) = self.clients.get(id).filter(|client| client.full_ice) else { return };
        let conn = client.conn();
        let target = match trickle.target() {
            proto::SignalTarget::Publisher => sfu::Target::Publisher,
            proto::SignalTarget::Subscriber => sfu::Target::Subscriber,
        };
        let candidate = (trickle.candidate_init.len() <= CANDIDATE_BYTES)
            .then(|| serde_json::from_str::<CandidateInit>(&trickle.candidate_init).ok())
            .flatten();
        match candidate {
            Some(CandidateInit { candidate }) if candidate.is_empty() => {} // End of candidates.
            Some(CandidateInit { candidate }) => {
                self.tell_media(sfu::Command::RemoteCandidate { conn, target, candidate });
            }
            None => self.refuse(id, Reason::InvalidRequest, "the candidate is not a JSON RTCIceCandidateInit", None),
        }
    }

    /// Tells a client that what it asked for could not be done.
    pub(crate) fn refuse(&mut self, id: ClientId, reason: Reason, why: &str, request: Option<Request>) {
        self.stats.refused_signals += 1;
        self.answer(id, 0, reason, why.to_owned(), request);
    }

    /// Answers a request at once. What tells of an event goes through [`Node::answer_after`].
    pub(crate) fn answer(
        &mut self,
        id: ClientId,
        request_id: u32,
        reason: Reason,
        message: String,
        request: Option<Request>,
    ) {
        if self.clients.get(id).is_some_and(|client| client.is_welcome() && client.understands_responses()) {
            self.tell(id, wire::request_response(request_id, reason, message, request));
        }
    }

    /// Answers that a request has succeeded, once that is durable.
    pub(crate) fn answer_after(&mut self, id: ClientId, request_id: u32) {
        if self.clients.get(id).is_some_and(|client| client.protocol >= HEARS_OF_SUCCESS) {
            self.tell_after(vec![id], wire::request_response(request_id, Reason::Ok, String::new(), None));
        }
    }

    /// Tells a client of misuse, but not more often than it can be of use to anybody.
    pub(crate) fn complain(&mut self, id: ClientId, reason: Reason, message: String) {
        let now = self.now;
        if self.clients.get_mut(id).is_some_and(|client| client.complaints.take(1, now)) {
            self.answer(id, 0, reason, message, None);
        }
    }

    fn now_for_clients(&self) -> i64 {
        i64::try_from(self.now.0).unwrap_or(i64::MAX)
    }
}

/// The one field of an `RTCIceCandidateInit` that is needed: all media is bundled.
#[derive(serde::Deserialize)]
struct CandidateInit {
    candidate: String,
}
