//! Publishing: a client names a track, its offer shows it, the log takes it, and everybody hears of it. One's own mute acts
//! on the media at once; the news of it waits for the log.

use crate::api::ClientId;
use crate::clients::media_of;
use crate::limits::longer_than;
use crate::node::Node;
use crate::tracks::{Stage, Track};
use crate::wire;
use livekit_protocol as proto;
use lyceum_session as session;
use lyceum_sfu as sfu;
use proto::AudioTrackFeature;
use proto::request_response::{Reason, Request};
use proto::signal_response::Message;
use session::{Command, Ctx, Layer, MediaKind, PersonId, Publication, Reject, Text, TrackId, UnpublishReason};

/// How long an announced track may wait to appear in an offer once its publisher runs out of places.
const ANNOUNCED_FOR_MS: u64 = 30_000;
const MOST_LAYERS: usize = 3;
const MOST_CODECS: usize = 8;
const MOST_AUDIO_FEATURES: usize = 16;

impl Node {
    /// A client names a track that its next offer, or the one before, contains.
    pub(crate) fn add_track(&mut self, id: ClientId, request: proto::AddTrackRequest) {
        let Some(client) = self.clients.get(id) else { return };
        let (person, connection) = (client.person.clone(), client.connection.clone());
        // Asked again: before it was published, or since the answer was lost with a socket.
        let socket = client.socket;
        let unanswered = |known: &Track| known.stage == Stage::Announced || known.told_on != socket;
        let same = self.tracks.of(id).find(|(_, known)| known.cid == request.cid && unanswered(known));
        if let Some((track, _)) = same {
            let track = track.clone();
            self.tell_track_published(id, &track);
            return;
        }
        let draft = match Draft::read(&request, self) {
            Ok(draft) => draft,
            Err((reason, why)) => return self.refuse(id, reason, why, Some(Request::AddTrack(request))),
        };
        if self.is_behind() {
            return self.refuse(id, Reason::LimitExceeded, LOG_IS_BEHIND, Some(Request::AddTrack(request)));
        }
        let publication = draft.publication(TrackId(self.rng.id("TR_")), person, connection, &request);
        if let Err(reject) = self.may_announce(id, &publication) {
            let (reason, why) = (wire::reason_of(&reject), reject.to_string());
            return self.refuse(id, reason, &why, Some(Request::AddTrack(request)));
        }

        let key = self.tracks.next_key(self.config.group);
        let cids = std::iter::once(&request.cid).chain(request.simulcast_codecs.iter().map(|codec| &codec.cid));
        let spec = sfu::TrackSpec {
            key,
            cids: cids.filter(|cid| !cid.is_empty()).cloned().collect(),
            kind: wire::media_kind(publication.kind),
            codec: draft.codec,
            layers: spec_layers(&publication.layers),
            muted: publication.muted,
            stereo: draft.stereo,
            dtx: draft.dtx,
            red: !publication.disable_red,
        };
        let track = publication.track.clone();
        self.tracks.insert(Track {
            key,
            owner: id,
            cid: request.cid,
            muted: publication.muted,
            publication,
            stereo: draft.stereo,
            dtx: draft.dtx,
            mid: String::new(),
            announced_at: self.now,
            told_on: None,
            stage: Stage::Announced,
            received: false,
            wanted: None,
        });
        self.tell_media(sfu::Command::ExpectTrack { conn: media_of(id), spec });
        self.tell_track_published(id, &track);
    }

    /// The session's own rules, asked early so that a refusal comes with the announcement; what was announced before counts.
    fn may_announce(&mut self, id: ClientId, publication: &Publication) -> Result<(), Reject> {
        let ctx = Ctx { now: self.now, actor: Some(publication.person.clone()), ..Ctx::default() };
        session::decide(&self.log.state, &Command::Publish { publication: publication.clone() }, &ctx)?;
        let most = self.log.state.policy.as_ref().map_or(0, |policy| policy.max_tracks_per_connection) as usize;
        if self.tracks.of(id).count() >= most {
            self.forget_stale_announcements(id);
        }
        if self.tracks.of(id).count() >= most {
            return Err(Reject::Limit("too many tracks on this connection"));
        }
        Ok(())
    }

    fn forget_stale_announcements(&mut self, id: ClientId) {
        let stale = self.tracks.of(id).filter(|(_, track)| {
            track.stage == Stage::Announced && track.announced_at.plus(ANNOUNCED_FOR_MS) <= self.now
        });
        for track in stale.map(|(track, _)| track.clone()).collect::<Vec<_>>() {
            self.drop_unpublished(&track);
        }
    }

    fn tell_track_published(&mut self, id: ClientId, track: &TrackId) {
        let socket = self.clients.get(id).and_then(|client| client.socket);
        let Some(known) = self.tracks.get_mut(track) else { return };
        known.told_on = socket;
        let publication = self.log.state.tracks.get(track).unwrap_or(&known.publication);
        let info = wire::track_info(publication, Some(known));
        let response = proto::TrackPublishedResponse { cid: known.cid.clone(), track: Some(info) };
        self.tell(id, wire::signal(Message::TrackPublished(response)));
    }

    /// The media found the track in its publisher's offer: it can be published. A muted track needs no packet for that.
    pub(crate) fn track_matched(
        &mut self,
        conn: sfu::ConnKey,
        key: sfu::TrackKey,
        mid: String,
        mime_type: &str,
        layers: usize,
    ) {
        let Some(id) = self.tracks.id_of(key).cloned() else { return };
        let Some(track) = self.tracks.get_mut(&id) else { return };
        if media_of(track.owner) != conn {
            return;
        }
        track.mid = mid;
        if track.stage == Stage::Announced {
            track.stage = Stage::Matched;
            track.publication.mime_type = mime_type.to_owned();
            track.publication.simulcast = layers > 1;
            self.publish(&id);
        }
    }

    /// Publishes a matched track, unless the log is too far behind; then it is tried again when the log has caught up.
    fn publish(&mut self, id: &TrackId) {
        if self.is_behind() {
            return;
        }
        let Some(track) = self.tracks.get_mut(id) else { return };
        track.stage = Stage::Published;
        track.publication.muted = track.muted;
        let (owner, publication) = (track.owner, track.publication.clone());
        let person = publication.person.clone();
        if let Err(reject) = self.commit(&Command::Publish { publication }, Some(&person)) {
            self.drop_unpublished(id);
            let gone = proto::TrackUnpublishedResponse { track_sid: id.0.clone() };
            self.tell(owner, wire::signal(Message::TrackUnpublished(gone)));
            self.refuse(owner, wire::reason_of(&reject), &reject.to_string(), None);
        }
    }

    fn drop_unpublished(&mut self, id: &TrackId) {
        if let Some(track) = self.tracks.remove(id) {
            self.tell_media(sfu::Command::DropTrack { track: track.key });
        }
    }

    /// The publisher took the track out of its offer.
    pub(crate) fn track_ended(&mut self, conn: sfu::ConnKey, key: sfu::TrackKey) {
        let Some(id) = self.tracks.id_of(key).cloned() else { return };
        let Some(track) = self.tracks.get(&id).filter(|track| media_of(track.owner) == conn) else {
            return;
        };
        if track.stage != Stage::Published {
            self.drop_unpublished(&id);
            return;
        }
        let person = track.publication.person.clone();
        let unpublish = Command::Unpublish { track: id, reason: UnpublishReason::Stopped };
        if let Err(reject) = self.commit(&unpublish, Some(&person)) {
            tracing::error!(%reject, "bug: a published track was not in the log");
        }
    }

    pub(crate) fn mute(&mut self, id: ClientId, request: proto::MuteTrackRequest) {
        let track = TrackId(request.sid.clone());
        let muted = request.muted;
        match self.tracks.get_mut(&track) {
            Some(known) if known.owner == id => {
                known.muted = muted;
                let (key, published) = (known.key, known.stage == Stage::Published);
                self.tell_media(sfu::Command::MuteTrack { track: key, muted });
                if published {
                    self.tell_muted(&track, muted);
                }
            }
            Some(_) => {
                let why = "the track belongs to somebody else";
                self.refuse(id, Reason::NotAllowed, why, Some(Request::Mute(request)));
            }
            None => self.refuse(id, Reason::NotFound, "no such track", Some(Request::Mute(request))),
        }
    }

    /// A publisher says more of a track of theirs.
    pub(crate) fn update_track(&mut self, id: ClientId, command: &Command, request: Request) {
        let Command::UpdateTrack { track, audio_features, size } = command else { return };
        if audio_features.as_ref().is_some_and(|features| features.len() > MOST_AUDIO_FEATURES) {
            return self.refuse(id, Reason::LimitExceeded, "the track has too many features", Some(request));
        }
        if self.is_behind() {
            return self.refuse(id, Reason::LimitExceeded, LOG_IS_BEHIND, Some(request));
        }
        let known = match self.tracks.get_mut(track) {
            Some(known) if known.owner == id => known,
            Some(_) => {
                return self.refuse(id, Reason::NotAllowed, "the track belongs to somebody else", Some(request));
            }
            None => return self.refuse(id, Reason::NotFound, "no such track", Some(request)),
        };
        if known.stage != Stage::Published {
            if let Some(features) = audio_features {
                known.publication.audio_features.clone_from(features);
            }
            (known.publication.width, known.publication.height) =
                size.unwrap_or((known.publication.width, known.publication.height));
            return;
        }
        let person = known.publication.person.clone();
        if let Err(reject) = self.commit(command, Some(&person)) {
            self.refuse(id, wire::reason_of(&reject), &reject.to_string(), Some(request));
        }
    }

    /// Logs a mute, unless the log is too far behind; then the last state is logged when it has caught up.
    fn tell_muted(&mut self, track: &TrackId, muted: bool) {
        if self.is_behind() {
            return;
        }
        let Some(person) = self.log.state.tracks.get(track).map(|known| known.person.clone()) else { return };
        if let Err(reject) = self.commit(&Command::SetMuted { track: track.clone(), muted }, Some(&person)) {
            tracing::error!(%reject, "bug: a publisher could not mute their own track");
        }
    }

    /// Logs what had to wait while the log was behind.
    pub(crate) fn catch_up(&mut self) {
        if self.is_behind() {
            return;
        }
        let in_log = &self.log.state.tracks;
        let waiting = self.tracks.iter().filter(|(id, track)| match track.stage {
            Stage::Announced => false,
            Stage::Matched => true,
            Stage::Published => in_log.get(*id).is_some_and(|logged| logged.muted != track.muted),
        });
        let waiting: Vec<_> = waiting.map(|(id, track)| (id.clone(), track.stage, track.muted)).collect();
        for (id, stage, muted) in waiting {
            if stage == Stage::Matched {
                self.publish(&id);
            } else {
                self.tell_muted(&id, muted);
            }
        }
    }
}

pub(crate) const LOG_IS_BEHIND: &str = "the log of this session is behind; try again in a moment";

/// What could be read from an `add_track`.
struct Draft {
    kind: MediaKind,
    /// The codec that the client named, or the one in its place; `None` if it named none, so that its offer decides.
    codec: Option<sfu::Codec>,
    layers: Vec<Layer>,
    stereo: bool,
    dtx: bool,
}

impl Draft {
    #[allow(deprecated)] // Clients send `stereo` and `disable_dtx` beside the features that replaced them.
    fn read(request: &proto::AddTrackRequest, node: &Node) -> Result<Self, (Reason, &'static str)> {
        let kind = match proto::TrackType::try_from(request.r#type) {
            Ok(proto::TrackType::Audio) => MediaKind::Audio,
            Ok(proto::TrackType::Video) => MediaKind::Video,
            _ => return Err((Reason::UnsupportedType, "a track is audio or video")),
        };
        if !request.sid.is_empty() {
            return Err((Reason::UnsupportedType, "a second codec for a published track is not supported"));
        }
        if request.cid.is_empty() {
            return Err((Reason::InvalidRequest, "the track has no cid"));
        }
        let chars = node.config.limits.name_chars;
        let codec_texts = request.simulcast_codecs.iter().flat_map(|codec| [&codec.codec, &codec.cid]);
        let mut texts = [&request.cid, &request.name, &request.stream].into_iter().chain(codec_texts);
        if texts.any(|text| longer_than(text, chars)) {
            return Err((Reason::LimitExceeded, "a name or id of the track is too long"));
        }
        let first_codec = request.simulcast_codecs.first();
        let layers = match first_codec {
            Some(codec) if request.layers.is_empty() => &codec.layers,
            _ => &request.layers,
        };
        let too_many = layers.len() > MOST_LAYERS
            || request.simulcast_codecs.len() > MOST_CODECS
            || request.audio_features.len() > MOST_AUDIO_FEATURES;
        if too_many {
            return Err((Reason::LimitExceeded, "the track has too many layers, codecs or features"));
        }
        let mut layers: Vec<_> = layers
            .iter()
            .map(|layer| Layer {
                quality: layer.quality,
                width: layer.width,
                height: layer.height,
                bitrate_bps: layer.bitrate,
            })
            .collect();
        layers.sort_by_key(|layer| layer.quality);
        if kind == MediaKind::Audio {
            layers.clear();
        }
        let codec = node
            .codec(kind, first_codec.map(|named| named.codec.as_str()))
            .ok_or((Reason::UnsupportedType, "no codec for this kind of track is enabled on this server"))?;
        let has = |feature: AudioTrackFeature| request.audio_features.contains(&feature.into());
        Ok(Self {
            kind,
            codec,
            layers,
            stereo: request.stereo || has(AudioTrackFeature::TfStereo),
            dtx: !request.disable_dtx && !has(AudioTrackFeature::TfNoDtx),
        })
    }

    /// The features that were announced, and those that are in older fields alone: not every client that reads features writes them.
    fn features(&self, request: &proto::AddTrackRequest) -> Vec<i32> {
        let mut features = request.audio_features.clone();
        let older = [(self.stereo, AudioTrackFeature::TfStereo), (!self.dtx, AudioTrackFeature::TfNoDtx)];
        for (wished, feature) in older {
            let feature = i32::from(feature);
            if self.kind == MediaKind::Audio && wished && !features.contains(&feature) {
                features.push(feature);
            }
        }
        features
    }

    fn publication(
        &self,
        track: TrackId,
        person: PersonId,
        connection: session::ConnectionId,
        request: &proto::AddTrackRequest,
    ) -> Publication {
        let encryption = proto::encryption::Type::try_from(request.encryption).unwrap_or_default();
        Publication {
            track,
            person,
            connection,
            kind: self.kind,
            source: wire::source(request.source()),
            name: Text(request.name.clone()),
            muted: request.muted,
            width: request.width,
            height: request.height,
            mime_type: self.codec.map(sfu::Codec::mime_type).unwrap_or_default().to_owned(),
            simulcast: self.layers.len() > 1,
            layers: self.layers.clone(),
            stream: request.stream.clone(),
            audio_features: self.features(request),
            disable_red: request.disable_red,
            encryption: encryption.into(),
        }
    }
}

impl Node {
    /// The codec that a client named if this server has it, else the first one of that kind. Of a picture whose codec it did not
    /// name only its offer will tell. `None` if there is none of that kind.
    fn codec(&self, kind: MediaKind, named: Option<&str>) -> Option<Option<sfu::Codec>> {
        let fits = |codec: &sfu::Codec| (*codec == sfu::Codec::Opus) == (kind == MediaKind::Audio);
        let enabled: Vec<_> = self.config.codecs.iter().copied().filter(fits).collect();
        let first = *enabled.first()?;
        match named.filter(|name| !name.is_empty()) {
            Some(name) => Some(sfu::Codec::from_name(name).filter(|codec| enabled.contains(codec)).or(Some(first))),
            None if kind == MediaKind::Video => Some(None),
            None => Some(Some(first)),
        }
    }
}

fn spec_layers(layers: &[Layer]) -> Vec<sfu::LayerSpec> {
    layers.iter().map(|layer| sfu::LayerSpec { width: layer.width, height: layer.height }).collect()
}
