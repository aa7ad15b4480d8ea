//! How well media flows, as clients are told: pictures that are paused, layers that somebody wants, and the state of people's
//! networks. All of it is latest values, told at once and only when it changes.

use crate::api::ClientId;
use crate::node::Node;
use crate::wire;
use livekit_protocol as proto;
use lyceum_session as session;
use lyceum_sfu as sfu;
use proto::signal_response::Message;
use proto::{StreamState, VideoQuality};
use session::{ConnectionId, MediaKind, PersonId, Publication, TrackId};

/// From this share of lost packets on, and from this round trip on, a network is called poor.
const POOR: (f32, u32) = (0.08, 600);
/// Likewise for one that is merely good.
const GOOD: (f32, u32) = (0.02, 250);

/// The state of a client's network, worst first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum NetworkQuality {
    Poor,
    Good,
    Excellent,
}

/// Both ways of a client's network, as far as they are known.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Networks {
    from_client: Option<NetworkQuality>,
    to_client: Option<NetworkQuality>,
}

impl Networks {
    /// A network is as good as the worse of its ways.
    fn quality(self) -> Option<NetworkQuality> {
        [self.from_client, self.to_client].into_iter().flatten().min()
    }
}

impl Node {
    /// A picture does not fit through a receiver's network at the moment, or does again.
    pub(crate) fn stream_paused(&mut self, receiver: sfu::ConnKey, track: sfu::TrackKey, paused: bool) {
        let Some(track) = self.tracks.id_of(track) else { return };
        let Some(publication) = self.log.state.tracks.get(track) else { return };
        let info = stream_state(publication, paused);
        let Some(client) = self.clients.of_media_mut(receiver) else { return };
        let id = client.id;
        let Some(view) = client.views.get_mut(track).filter(|view| view.subscribed) else { return };
        view.paused = paused;
        let update = proto::StreamStateUpdate { stream_states: vec![info] };
        self.tell(id, wire::signal(Message::StreamStateUpdate(update)));
    }

    /// A client that was away is told of each picture that it receives whether it flows.
    pub(crate) fn tell_streams_again(&mut self, id: ClientId) {
        let Some(client) = self.clients.get(id) else { return };
        let received = client.views.iter().filter(|(_, view)| view.subscribed);
        let states = received.filter_map(|(track, view)| {
            let publication = self.log.state.tracks.get(track).filter(|known| known.kind == MediaKind::Video)?;
            Some(stream_state(publication, view.paused))
        });
        let stream_states: Vec<_> = states.collect();
        if !stream_states.is_empty() {
            let update = proto::StreamStateUpdate { stream_states };
            self.tell(id, wire::signal(Message::StreamStateUpdate(update)));
        }
    }

    /// Likewise of its own pictures, which of their layers are wanted.
    pub(crate) fn tell_wanted_layers_again(&mut self, id: ClientId) {
        let updates: Vec<_> = self
            .tracks
            .of(id)
            .filter_map(|(track, known)| {
                let publication = self.log.state.tracks.get(track)?;
                Some(subscribed_quality_update(track, publication, known.wanted?))
            })
            .collect();
        for update in updates {
            self.tell(id, wire::signal(Message::SubscribedQualityUpdate(update)));
        }
    }

    /// A publisher need not send layers that nobody wants.
    pub(crate) fn layers_wanted(&mut self, conn: sfu::ConnKey, key: sfu::TrackKey, max_layer: Option<u8>) {
        let Some(id) = self.tracks.id_of(key).cloned() else { return };
        if let Some(track) = self.tracks.get_mut(&id).filter(|track| crate::clients::media_of(track.owner) == conn) {
            track.wanted = Some(max_layer);
        }
        let id = &id;
        let Some(publication) = self.log.state.tracks.get(id) else { return };
        let Some(client) = self.clients.of_media(conn).map(|client| client.id) else { return };
        if publication.kind == MediaKind::Video && self.tracks.get(id).is_some_and(|track| track.owner == client) {
            let update = subscribed_quality_update(id, publication, max_layer);
            self.tell(client, wire::signal(Message::SubscribedQualityUpdate(update)));
        }
    }

    /// What was measured of one way of a client's network.
    pub(crate) fn network(&mut self, conn: sfu::ConnKey, target: sfu::Target, loss: f32, round_trip_ms: Option<u32>) {
        let Some(client) = self.clients.of_media_mut(conn) else { return };
        let before = client.networks.quality();
        let measured = Some(network_quality(loss, round_trip_ms.unwrap_or_default()));
        match target {
            sfu::Target::Publisher => client.networks.from_client = measured,
            sfu::Target::Subscriber => client.networks.to_client = measured,
        }
        let Some(quality) = client.networks.quality().filter(|quality| before != Some(*quality)) else { return };
        let (id, info) = (client.id, connection_quality(&client.connection, quality));
        for listener in self.listeners(id) {
            self.tell_quality(listener, vec![info.clone()]);
        }
    }

    /// Whose media connects is told how the networks of those are whom they receive.
    pub(crate) fn tell_known_qualities(&mut self, id: ClientId) {
        let known = self.clients.iter().filter(|client| client.id != id && self.hears(id, client.id));
        let known = known.filter_map(|client| Some(connection_quality(&client.connection, client.networks.quality()?)));
        let known: Vec<_> = known.collect();
        if !known.is_empty() {
            self.tell_quality(id, known);
        }
    }

    /// Who begins to receive others is told how the networks of those are, once that is durable.
    pub(crate) fn tell_qualities_after(&mut self, id: ClientId, of: impl Fn(&PersonId) -> bool) {
        let Some(receiver) = self.clients.get(id).filter(|client| client.active) else { return };
        let heard = self.clients.iter().filter(|client| client.id != id && of(&client.person));
        let heard = heard.filter(|client| self.tracks.of(client.id).any(|(track, _)| receiver.receives(track)));
        let known = heard.filter_map(|client| Some(connection_quality(&client.connection, client.networks.quality()?)));
        let updates: Vec<_> = known.collect();
        if !updates.is_empty() {
            self.tell_after(
                vec![id],
                wire::signal(Message::ConnectionQuality(proto::ConnectionQualityUpdate { updates })),
            );
        }
    }

    fn tell_quality(&mut self, id: ClientId, updates: Vec<proto::ConnectionQualityInfo>) {
        self.tell(id, wire::signal(Message::ConnectionQuality(proto::ConnectionQualityUpdate { updates })));
    }
}

fn stream_state(publication: &Publication, paused: bool) -> proto::StreamStateInfo {
    let state = if paused { StreamState::Paused } else { StreamState::Active };
    proto::StreamStateInfo {
        participant_sid: publication.connection.0.clone(),
        track_sid: publication.track.0.clone(),
        state: state.into(),
    }
}

fn network_quality(loss: f32, round_trip_ms: u32) -> NetworkQuality {
    let is_at_least = |(bad_loss, bad_round_trip_ms)| loss >= bad_loss || round_trip_ms >= bad_round_trip_ms;
    if is_at_least(POOR) {
        NetworkQuality::Poor
    } else if is_at_least(GOOD) {
        NetworkQuality::Good
    } else {
        NetworkQuality::Excellent
    }
}

/// The score is on the scale of 1 to 5 that listeners' opinions have.
fn connection_quality(connection: &ConnectionId, quality: NetworkQuality) -> proto::ConnectionQualityInfo {
    let (quality, score) = match quality {
        NetworkQuality::Poor => (proto::ConnectionQuality::Poor, 2.0),
        NetworkQuality::Good => (proto::ConnectionQuality::Good, 3.5),
        NetworkQuality::Excellent => (proto::ConnectionQuality::Excellent, 4.5),
    };
    proto::ConnectionQualityInfo { participant_sid: connection.0.clone(), quality: quality.into(), score }
}

/// All three qualities are always named, since some clients stop a layer that is not.
#[allow(deprecated)] // Older clients read `subscribed_qualities`.
fn subscribed_quality_update(
    track: &TrackId,
    publication: &Publication,
    max_layer: Option<u8>,
) -> proto::SubscribedQualityUpdate {
    let top = max_layer.map(|index| {
        let layer = publication.layers.get(usize::from(index)).or(publication.layers.last());
        layer.map_or(VideoQuality::High.into(), |layer| layer.quality)
    });
    let all = [VideoQuality::Low, VideoQuality::Medium, VideoQuality::High];
    let qualities = all.map(|quality| proto::SubscribedQuality {
        quality: quality.into(),
        enabled: top.is_some_and(|top| i32::from(quality) <= top),
    });
    let codec = publication.mime_type.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    proto::SubscribedQualityUpdate {
        track_sid: track.0.clone(),
        subscribed_qualities: qualities.to_vec(),
        subscribed_codecs: vec![proto::SubscribedCodec { codec, qualities: qualities.to_vec() }],
    }
}
