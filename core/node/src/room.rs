//! The room as clients see it, and the pace at which they hear that its numbers changed.

use crate::api::ClientId;
use crate::node::Node;
use crate::wire;
use livekit_protocol as proto;
use lyceum_session as session;
use proto::signal_response::Message;
use session::{PersonId, SpaceName};
use std::collections::{BTreeMap, BTreeSet};

impl Node {
    /// The class, or one Space of it: then with its own name and numbers.
    pub(crate) fn room_info(&self, space: Option<&SpaceName>) -> proto::Room {
        let state = &self.log.state;
        let policy = state.policy.as_ref().unwrap_or(&self.config.policy);
        let counts = |person: &&PersonId| {
            let known = state.participants.get(*person);
            known.is_some_and(|known| {
                !known.profile.permission.hidden && space.is_none_or(|space| known.space == *space)
            })
        };
        let publishers: BTreeSet<_> = state.tracks.values().map(|track| &track.person).filter(counts).collect();
        let participants = self.roster.people().filter(counts).count();
        let room = state.room.as_ref().map(|room| room.0.clone()).unwrap_or_default();
        let seconds = |ms: u64| u32::try_from(ms / 1_000).unwrap_or(u32::MAX);
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let created_ms = i64::try_from(state.started_at.0).unwrap_or(i64::MAX);
        proto::Room {
            sid: state.session.as_ref().map(|session| session.0.clone()).unwrap_or_default(),
            name: match space.filter(|space| !space.is_main()) {
                Some(space) => format!("{room}/{space}"),
                None => room,
            },
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
        let mut spaces: BTreeMap<SpaceName, Vec<ClientId>> = BTreeMap::new();
        for client in self.clients.iter() {
            spaces.entry(self.space_of(&client.person)).or_default().push(client.id);
        }
        for (space, to) in spaces {
            let room = Some(self.room_info(Some(&space)));
            self.tell_after(to, wire::signal(Message::RoomUpdate(proto::RoomUpdate { room })));
        }
    }
}
