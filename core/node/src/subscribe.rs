//! Who receives what, and how large. A subscription is told to the media only after its subscriber has been told of the
//! track, since clients drop media of tracks that they do not know.

use crate::api::ClientId;
use crate::clients::{View, media_of};
use crate::log::Effect;
use crate::node::Node;
use crate::publish::LOG_IS_BEHIND;
use crate::wire;
use livekit_protocol as proto;
use lyceum_session as session;
use lyceum_sfu as sfu;
use proto::request_response::Reason;
use proto::signal_response::Message;
use proto::{SubscriptionError, VideoQuality};
use session::{MediaKind, Publication, TrackId};

/// Why somebody does not receive a track.
pub(crate) enum NotReceived {
    NoSuchTrack,
    NotPermitted { publisher_sid: String },
    TooMany,
}

impl Node {
    /// `subscription`: the tracks that a client wants, or does not want any more.
    pub(crate) fn change_subscriptions(&mut self, id: ClientId, wanted: &proto::UpdateSubscription) {
        let of_people = wanted.participant_tracks.iter().flat_map(|person| &person.track_sids);
        let sids: Vec<&String> = wanted.track_sids.iter().chain(of_people).collect();
        if sids.len() > self.config.limits.ids_per_signal {
            return self.refuse(id, Reason::LimitExceeded, "too many tracks in one subscription", None);
        }
        if self.is_behind() {
            return self.refuse(id, Reason::LimitExceeded, LOG_IS_BEHIND, None);
        }
        for sid in sids {
            let track = TrackId(sid.clone());
            self.note_choice(id, &track, wanted.subscribe);
            if !wanted.subscribe {
                self.unsubscribe(id, &track);
                self.no_longer_wants(id, &track);
            } else if let Err(why) = self.subscribe(id, &track) {
                self.tell_not_received(id, sid, why);
            }
        }
    }

    fn tell_not_received(&mut self, id: ClientId, sid: &str, why: NotReceived) {
        self.stats.refused_signals += 1;
        let response = match why {
            NotReceived::NoSuchTrack => wire::subscription_failed(sid, SubscriptionError::SeTrackNotfound),
            NotReceived::NotPermitted { publisher_sid } => {
                wire::permission_update(publisher_sid, sid.to_owned(), false)
            }
            NotReceived::TooMany => {
                self.complain(id, Reason::LimitExceeded, "too many subscriptions; end some first".to_owned());
                wire::subscription_failed(sid, SubscriptionError::SeUnknown)
            }
        };
        self.tell(id, response);
    }

    /// A client that subscribes to everything receives one more track, if it may.
    pub(crate) fn subscribe_by_itself(&mut self, id: ClientId, track: &TrackId) {
        match self.subscribe(id, track) {
            Ok(()) | Err(NotReceived::NoSuchTrack) => {}
            Err(NotReceived::NotPermitted { .. }) => {
                if !self.lets_receive(id, track) {
                    self.tell_permission(id, track, false);
                }
            }
            Err(NotReceived::TooMany) => tracing::debug!(%track, "a client receives as many tracks as it may"),
        }
    }

    fn no_longer_wants(&mut self, id: ClientId, track: &TrackId) {
        if let Some(view) = self.clients.get_mut(id).and_then(|client| client.views.get_mut(track)) {
            view.wanted = false;
        }
    }

    pub(crate) fn subscribe(&mut self, id: ClientId, track: &TrackId) -> Result<(), NotReceived> {
        let publication = self.log.state.tracks.get(track).ok_or(NotReceived::NoSuchTrack)?;
        let client = self.clients.get(id).ok_or(NotReceived::NoSuchTrack)?;
        if publication.person == client.person || !self.sees(&client.person, &publication.person) {
            return Err(NotReceived::NoSuchTrack);
        }
        if client.receives(track) {
            return Ok(());
        }
        // A client that says how large it shows things gets no video until it has said so.
        let paused = client.adaptive_stream && publication.kind == MediaKind::Video;
        let first_wish = sfu::Wish { enabled: !paused, ..Default::default() };
        let subscriber = self.log.state.participants.get(&client.person);
        if !subscriber.is_some_and(|known| known.profile.permission.can_subscribe) {
            return Err(NotReceived::NotPermitted { publisher_sid: publication.connection.0.clone() });
        }
        if client.views.values().filter(|view| view.subscribed).count() >= self.config.limits.subscriptions {
            return Err(NotReceived::TooMany);
        }
        if !self.lets_receive(id, track) {
            let publisher_sid = publication.connection.0.clone();
            let client = self.clients.get_mut(id).ok_or(NotReceived::NoSuchTrack)?;
            client.views.entry(track.clone()).or_insert_with(|| View { wish: first_wish, ..View::default() }).wanted =
                true;
            return Err(NotReceived::NotPermitted { publisher_sid });
        }
        let known = self.tracks.get_mut(track).ok_or(NotReceived::NoSuchTrack)?;
        let first_receiver = !std::mem::replace(&mut known.received, true);
        let (key, publisher, of) = (known.key, known.owner, publication.person.clone());
        let stream_id = wire::stream_id(&publication.connection.0, track);

        let client = self.clients.get_mut(id).ok_or(NotReceived::NoSuchTrack)?;
        let view = client.views.entry(track.clone()).or_insert(View { wish: first_wish, ..View::default() });
        (view.subscribed, view.wanted) = (true, true);
        let (conn, wish) = (media_of(id), view.wish);
        let track_id = track.0.clone();
        let command = sfu::Command::Subscribe { conn, track: key, stream_id, track_id, wish };
        self.log.after(Effect::Receive { client: id, command });
        if first_receiver {
            let news = proto::TrackSubscribed { track_sid: track.0.clone() };
            self.tell_after(vec![publisher], wire::signal(Message::TrackSubscribed(news)));
        }
        self.tell_known_speaker(id, publisher);
        self.tell_qualities_after(id, |person| *person == of);
        Ok(())
    }

    /// What a client does not receive, it need not be told that it does not.
    pub(crate) fn unsubscribe(&mut self, id: ClientId, track: &TrackId) {
        let Some(client) = self.clients.get_mut(id) else { return };
        let Some(view) = client.views.get_mut(track).filter(|view| view.subscribed) else { return };
        view.subscribed = false;
        view.paused = false;
        let Some(known) = self.tracks.get(track) else { return };
        let conn = media_of(id);
        let command = sfu::Command::Unsubscribe { conn, track: known.key };
        self.log.after(Effect::Receive { client: id, command });
    }

    pub(crate) fn unsubscribe_from_everything(&mut self, id: ClientId) {
        let Some(client) = self.clients.get(id) else { return };
        for track in client.views.keys().cloned().collect::<Vec<_>>() {
            self.unsubscribe(id, &track);
        }
    }

    /// A client and those who receive it: who may know how it sounds and how its network does.
    pub(crate) fn listeners(&self, of: ClientId) -> Vec<ClientId> {
        let welcome = self.clients.iter().filter(|client| client.is_welcome());
        welcome.map(|client| client.id).filter(|id| *id == of || self.hears(*id, of)).collect()
    }

    /// Whether a client receives any track of another.
    pub(crate) fn hears(&self, id: ClientId, other: ClientId) -> bool {
        let (Some(receiver), Some(other)) = (self.clients.get(id), self.clients.get(other)) else { return false };
        self.are_known_to_be_together(&receiver.person, &other.person)
            && self.tracks.of(other.id).any(|(track, _)| receiver.receives(track))
    }

    /// `track_setting`: how large a client shows a track, or that it does not show it at the moment.
    pub(crate) fn change_settings(&mut self, id: ClientId, settings: &proto::UpdateTrackSettings) {
        if settings.track_sids.len() > self.config.limits.ids_per_signal {
            return self.refuse(id, Reason::LimitExceeded, "too many tracks in one setting", None);
        }
        if self.is_behind() {
            return self.refuse(id, Reason::LimitExceeded, LOG_IS_BEHIND, None);
        }
        let Some(person) = self.clients.get(id).map(|client| client.person.clone()) else { return };
        let mut unknown = false;
        for sid in &settings.track_sids {
            let track = TrackId(sid.clone());
            match self.log.state.tracks.get(&track) {
                Some(publication) if self.sees(&person, &publication.person) => {
                    let wish = wish(settings, publication);
                    self.set_wish(id, &track, wish);
                }
                _ => unknown = true,
            }
        }
        if unknown {
            self.refuse(id, Reason::NotFound, "a track of the setting does not exist", None);
        }
    }

    pub(crate) fn set_wish(&mut self, id: ClientId, track: &TrackId, wish: sfu::Wish) {
        let Some(client) = self.clients.get_mut(id) else { return };
        let view = client.views.entry(track.clone()).or_default();
        view.wish = wish;
        if !view.subscribed {
            return;
        }
        let Some(known) = self.tracks.get(track) else { return };
        // Behind the subscription, which may still wait for the log.
        let conn = media_of(id);
        let command = sfu::Command::SetWish { conn, track: known.key, wish };
        self.log.after(Effect::Receive { client: id, command });
    }
}

/// A size, if there is one, says which layer is wanted; the named quality counts only without a size.
fn wish(settings: &proto::UpdateTrackSettings, publication: &Publication) -> sfu::Wish {
    let quality = VideoQuality::try_from(settings.quality).unwrap_or(VideoQuality::High);
    let sized = settings.width > 0 && settings.height > 0;
    let off = !sized && quality == VideoQuality::Off;
    let enabled = !settings.disabled && !off;
    if sized {
        return sfu::Wish { enabled, width: settings.width, height: settings.height, max_layer: None };
    }
    sfu::Wish { enabled, width: 0, height: 0, max_layer: max_layer(quality, publication) }
}

/// The place of the highest layer whose quality is not above the wanted one. Publishers name the qualities of their layers, so
/// that two layers may well be low and high.
fn max_layer(quality: VideoQuality, publication: &Publication) -> Option<u8> {
    if matches!(quality, VideoQuality::High | VideoQuality::Off) || publication.layers.is_empty() {
        return None;
    }
    let fitting = publication.layers.iter().filter(|layer| layer.quality <= i32::from(quality)).count();
    u8::try_from(fitting.saturating_sub(1)).ok()
}
