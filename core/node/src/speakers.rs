//! Who is speaking: told at once, to the speaker and to those who receive them. Levels are latest values; nothing waits for them.

use crate::api::ClientId;
use crate::clients::media_of;
use crate::node::Node;
use crate::wire;
use livekit_protocol as proto;
use lyceum_sfu as sfu;
use proto::signal_response::Message;
use sfu::SpeakerLevel;
use std::collections::BTreeMap;

/// Longest pretence of speech, in seconds.
const LONGEST_PRETENCE_S: i32 = 60;

impl Node {
    pub(crate) fn speakers(&mut self, levels: &[SpeakerLevel]) {
        let mut news: BTreeMap<ClientId, Vec<proto::SpeakerInfo>> = BTreeMap::new();
        for level in levels {
            let Some(speaker) = self.clients.of_media(level.conn) else { continue };
            let sid = speaker.connection.0.clone();
            let info = proto::SpeakerInfo { sid, level: level.level, active: level.active };
            for listener in self.listeners(speaker.id) {
                news.entry(listener).or_default().push(info.clone());
            }
        }
        for (listener, speakers) in news {
            self.tell(listener, wire::signal(Message::SpeakersChanged(proto::SpeakersChanged { speakers })));
        }
    }

    /// A test suite wants to see a speaker.
    pub(crate) fn pretend_to_speak(&mut self, id: ClientId, seconds: i32) {
        let duration_ms = u64::try_from(seconds.clamp(0, LONGEST_PRETENCE_S)).unwrap_or_default() * 1_000;
        let until = self.now.plus(duration_ms);
        let Some(client) = self.clients.get_mut(id) else { return };
        client.pretends_to_speak_until = Some(until);
        self.speakers(&[SpeakerLevel { conn: media_of(id), level: 0.9, active: true }]);
    }

    pub(crate) fn stop_pretending_to_speak(&mut self, id: ClientId) {
        let Some(client) = self.clients.get_mut(id) else { return };
        client.pretends_to_speak_until = None;
        self.speakers(&[SpeakerLevel { conn: media_of(id), level: 0.0, active: false }]);
    }
}
