//! Who is speaking: told at once, to the speaker and to those who receive them. Levels are latest values; nothing waits for them.

use crate::api::ClientId;
use crate::clients::{Client, media_of};
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
            let Some(speaker) = self.clients.of_media_mut(level.conn) else { continue };
            speaker.speaks_at = level.active.then_some(level.level);
            let sid = speaker.connection.0.clone();
            let info = proto::SpeakerInfo { sid, level: level.level, active: level.active };
            let speaker = speaker.id;
            for listener in self.listeners(speaker) {
                news.entry(listener).or_default().push(info.clone());
            }
        }
        for (listener, speakers) in news {
            self.tell(listener, wire::signal(Message::SpeakersChanged(proto::SpeakersChanged { speakers })));
        }
    }

    /// Whose media connects is told who of those whom they receive is speaking: later news tell of changes only.
    pub(crate) fn tell_known_speakers(&mut self, id: ClientId) {
        let heard = self.clients.iter().filter(|client| client.id != id && self.hears(id, client.id));
        let speakers: Vec<_> = heard.filter_map(speaker_info).collect();
        if !speakers.is_empty() {
            self.tell(id, wire::signal(Message::SpeakersChanged(proto::SpeakersChanged { speakers })));
        }
    }

    /// Whoever was away is told of everybody whom they receive whether they speak.
    pub(crate) fn tell_speakers_again(&mut self, id: ClientId) {
        let heard = self.clients.iter().filter(|client| client.id != id && self.hears(id, client.id));
        let speakers: Vec<_> = heard
            .map(|client| proto::SpeakerInfo {
                sid: client.connection.0.clone(),
                level: client.speaks_at.unwrap_or_default(),
                active: client.speaks_at.is_some(),
            })
            .collect();
        if !speakers.is_empty() {
            self.tell(id, wire::signal(Message::SpeakersChanged(proto::SpeakersChanged { speakers })));
        }
    }

    /// Likewise who begins to receive somebody, once they have been told of the track.
    pub(crate) fn tell_known_speaker(&mut self, id: ClientId, publisher: ClientId) {
        let Some(speaker) = self.clients.get(publisher).and_then(speaker_info) else { return };
        if self.clients.get(id).is_some_and(|client| client.active) {
            let speakers = vec![speaker];
            self.tell_after(vec![id], wire::signal(Message::SpeakersChanged(proto::SpeakersChanged { speakers })));
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

fn speaker_info(client: &Client) -> Option<proto::SpeakerInfo> {
    let level = client.speaks_at?;
    Some(proto::SpeakerInfo { sid: client.connection.0.clone(), level, active: true })
}
