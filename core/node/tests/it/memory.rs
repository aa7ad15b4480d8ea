//! What the disk holds and what a client remembers, with the rules that hold for every story: nobody hears of anything before it is
//! durable, or in an order that a client could not follow.

use livekit_protocol as proto;
use lyceum_session as session;
use proto::participant_info::State as WireState;
use proto::signal_response::Message as Say;
use session::{ConnectionId, Event, Fact, PersonId, State};
use std::collections::{BTreeMap, BTreeSet};

/// The log on disk.
#[derive(Default)]
pub struct Disk {
    pub slow: bool,
    pub log: Vec<Event>,
    pub durable: State,
    pub published_ever: BTreeSet<String>,
    pub waiting: Vec<Event>,
    /// Side records, and appends of them alone: those that wait, and those that are on disk.
    pub side: Vec<session::class::SideWrite>,
    pub side_waiting: u64,
    pub side_appends: u64,
}

/// What a client knows from what it was told.
#[derive(Default)]
pub struct Memory {
    pub identity: String,
    pub sid: String,
    pub heard: Vec<Say>,
    pub others: BTreeMap<String, proto::ParticipantInfo>,
    pub tracks_known: BTreeSet<String>,
    /// Whether it is on a socket with which it resumes, and what it has heard there begins with that.
    pub resumes: bool,
    pub has_resumed: bool,
    /// Whether the socket is closed, by whomever.
    pub gone: bool,
    /// Whether it was closed by the node.
    pub sent_away: bool,
}

impl Disk {
    pub fn write(&mut self, event: Event) {
        session::apply(&mut self.durable, &event);
        if let Fact::TrackPublished { publication } = &event.fact {
            self.published_ever.insert(publication.track.0.clone());
        }
        self.log.push(event);
    }
}

impl Memory {
    pub fn hears(&mut self, said: &Say, disk: &Disk) {
        assert!(!self.sent_away, "nothing is said on a closed socket: {said:?}");
        let first = self.sid.is_empty();
        assert!(!first || matches!(said, Say::Join(_) | Say::Leave(_)), "the join response comes first: {said:?}");
        let first_again = self.resumes && !std::mem::replace(&mut self.has_resumed, true);
        assert!(
            !first_again || matches!(said, Say::Reconnect(_) | Say::Leave(_)),
            "that it has resumed comes first: {said:?}"
        );
        match said {
            Say::Join(join) => {
                assert!(first, "one join response");
                self.sid.clone_from(&join.participant.as_ref().expect("oneself").sid);
                let sid = ConnectionId(self.sid.clone());
                let person = PersonId(self.identity.clone());
                let connected =
                    disk.durable.participants.get(&person).is_some_and(|me| me.connections.contains_key(&sid));
                let superseded = disk.log.iter().any(
                    |event| matches!(&event.fact, Fact::ConnectionAttached { connection, .. } if *connection == sid),
                );
                assert!(connected || superseded, "nobody is welcomed before their arrival is durable");
                for info in &join.other_participants {
                    self.learns(info, disk);
                }
            }
            Say::Update(update) => {
                for info in &update.participants {
                    self.learns(info, disk);
                }
            }
            Say::RoomMoved(moved) => {
                // Clients forget everybody, and with them what they receive.
                self.others.clear();
                self.tracks_known.clear();
                let me = moved.participant.as_ref().expect("oneself");
                for info in moved.other_participants.iter().chain([me]) {
                    self.learns(info, disk);
                }
            }
            _ => {}
        }
        self.heard.push(said.clone());
    }

    fn learns(&mut self, info: &proto::ParticipantInfo, disk: &Disk) {
        for track in &info.tracks {
            assert!(disk.published_ever.contains(&track.sid), "nobody hears of a track before it is durable");
            self.tracks_known.insert(track.sid.clone());
        }
        if info.identity == self.identity {
            assert_eq!(info.sid, self.sid, "nobody hears of an older or newer self");
            return;
        }
        let known = self.others.get(&info.identity);
        if let Some(known) = known.filter(|known| known.sid == info.sid) {
            let is_newer = info.version > known.version || self.resumes && info.version == known.version;
            assert!(is_newer, "clients drop what is not newer");
        }
        if info.state() == WireState::Disconnected {
            let left = self.others.remove(&info.identity);
            assert!(left.is_some() || self.resumes, "only who was here can leave");
            assert!(left.as_ref().is_none_or(|left| left.sid == info.sid), "the old sid leaves");
            for track in left.iter().flat_map(|left| &left.tracks) {
                self.tracks_known.remove(&track.sid);
            }
        } else {
            assert!(
                self.resumes || known.is_none_or(|known| known.sid == info.sid),
                "the old sid leaves before the new one comes"
            );
            self.others.insert(info.identity.clone(), info.clone());
        }
    }
}
