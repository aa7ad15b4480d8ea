//! Who is speaking: told at once, to the speaker and to those who receive them. Levels are latest values; nothing waits for them.

use crate::api::ClientId;
use crate::clients;
use crate::node::Node;
use crate::wire;
use livekit_protocol as proto;
use lyceum_session as session;
use lyceum_sfu as sfu;
use proto::signal_response::Message;
use session::TrackId;
use sfu::SpeakerLevel;

/// Longest pretence of speech, in seconds.
const LONGEST_PRETENCE_S: i32 = 60;

/// One speaker with what is needed to know who may hear of them.
struct Speaker {
    client: ClientId,
    tracks: Vec<TrackId>,
    info: proto::SpeakerInfo,
}

impl Node {
    pub(crate) fn speakers(&mut self, levels: &[SpeakerLevel]) {
        let speakers: Vec<_> = levels.iter().filter_map(|level| self.speaker(level)).collect();
        let mut news = Vec::new();
        for client in self.clients.iter().filter(|client| client.is_welcome()) {
            let heard = speakers.iter().filter(|speaker| {
                speaker.client == client.id || speaker.tracks.iter().any(|track| client.receives(track))
            });
            let speakers: Vec<_> = heard.map(|speaker| speaker.info.clone()).collect();
            if !speakers.is_empty() {
                news.push((client.id, speakers));
            }
        }
        for (client, speakers) in news {
            self.tell(client, wire::signal(Message::SpeakersChanged(proto::SpeakersChanged { speakers })));
        }
    }

    fn speaker(&self, level: &SpeakerLevel) -> Option<Speaker> {
        let client = self.clients.of_media(level.conn)?;
        let own = self.log.state.tracks.values().filter(|track| track.connection == client.connection);
        let info = proto::SpeakerInfo { sid: client.connection.0.clone(), level: level.level, active: level.active };
        Some(Speaker { client: client.id, tracks: own.map(|track| track.track.clone()).collect(), info })
    }

    /// A test suite wants to see a speaker.
    pub(crate) fn pretend_to_speak(&mut self, id: ClientId, seconds: i32) {
        let duration_ms = u64::try_from(seconds.clamp(0, LONGEST_PRETENCE_S)).unwrap_or_default() * 1_000;
        let until = self.now.plus(duration_ms);
        let Some(client) = self.clients.get_mut(id) else { return };
        client.pretends_to_speak_until = Some(until);
        self.speakers(&[SpeakerLevel { conn: clients::media_of(id), level: 0.9, active: true }]);
    }

    pub(crate) fn stop_pretending_to_speak(&mut self, id: ClientId) {
        let Some(client) = self.clients.get_mut(id) else { return };
        client.pretends_to_speak_until = None;
        self.speakers(&[SpeakerLevel { conn: clients::media_of(id), level: 0.0, active: false }]);
    }
}
