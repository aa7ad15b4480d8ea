//! The room as clients see it, and the pace at which they hear that its numbers changed.

use crate::node::Node;
use crate::wire;
use livekit_protocol as proto;
use proto::signal_response::Message;
use std::collections::BTreeSet;

impl Node {
    pub(crate) fn room_info(&self) -> proto::Room {
        let state = &self.log.state;
        let policy = state.policy.as_ref().unwrap_or(&self.config.policy);
        let publishers: BTreeSet<_> =
            state.tracks.values().map(|track| &track.person).filter(|person| !self.is_hidden(person)).collect();
        let participants = self.roster.people().filter(|person| !self.is_hidden(person)).count();
        let seconds = |ms: u64| u32::try_from(ms / 1_000).unwrap_or(u32::MAX);
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let created_ms = i64::try_from(state.started_at.0).unwrap_or(i64::MAX);
        proto::Room {
            sid: state.session.as_ref().map(|session| session.0.clone()).unwrap_or_default(),
            name: state.room.as_ref().map(|room| room.0.clone()).unwrap_or_default(),
            empty_timeout: seconds(policy.empty_timeout_ms),
            departure_timeout: seconds(policy.departure_timeout_ms),
            max_participants: policy.max_participants,
            creation_time: created_ms / 1_000,
            creation_time_ms: created_ms,
            enabled_codecs: wire::codecs(&self.config.codecs),
            metadata: state.metadata.clone(),
            num_participants: count(participants),
            num_publishers: count(publishers.len()),
            ..Default::default()
        }
    }

    /// Something that `Room` counts has changed.
    pub(crate) fn room_changes(&mut self) {
        self.timers.room_update_wanted(self.now, self.config.room_update_interval_ms);
    }

    pub(crate) fn tell_room(&mut self) {
        let room = Some(self.room_info());
        let to = self.clients.ids();
        self.tell_after(to, wire::signal(Message::RoomUpdate(proto::RoomUpdate { room })));
    }
}
