//! The tracks of this class as its wire and its media know them, from the client's announcement (`add_track`) to their end. What the
//! log says of a track is in the session's state; here are its key, its place in the publisher's SDP and its stage.

use crate::api::ClientId;
use lyceum_session as session;
use lyceum_sfu as sfu;
use session::{Publication, TrackId, UnixMs};
use std::collections::BTreeMap;

/// One track.
pub(crate) struct Track {
    pub(crate) key: sfu::TrackKey,
    pub(crate) owner: ClientId,
    /// The client's own id of the track.
    pub(crate) cid: String,
    /// What will be, or was, published. Once it is published its mute state is in the log.
    pub(crate) publication: Publication,
    pub(crate) stereo: bool,
    pub(crate) dtx: bool,
    /// Place in the publisher's SDP; empty until matched.
    pub(crate) mid: String,
    pub(crate) announced_at: UnixMs,
    /// The socket on which its publisher was told its id, or has named it.
    pub(crate) told_on: Option<ClientId>,
    pub(crate) stage: Stage,
    /// The mute state that its publisher asked for last.
    pub(crate) muted: bool,
    /// Whether its publisher was told that somebody receives it.
    pub(crate) received: bool,
    /// The highest layer that anybody wants, as its publisher was told last, or was to be.
    pub(crate) wanted: Option<Option<u8>>,
}

/// How far a track has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    /// Its publisher has named it.
    Announced,
    /// Its m-line was found, but the log is too far behind to take it.
    Matched,
    /// It is in the log.
    Published,
}

/// All tracks.
#[derive(Default)]
pub(crate) struct Tracks {
    by_id: BTreeMap<TrackId, Track>,
    by_key: BTreeMap<sfu::TrackKey, TrackId>,
    keys_given: u64,
}

impl Tracks {
    /// A key that no track of this class has had: the class's group above, a running number below.
    pub(crate) fn next_key(&mut self, group: sfu::GroupKey) -> sfu::TrackKey {
        self.keys_given += 1;
        sfu::TrackKey((group.0 << 24) | (self.keys_given & 0xFF_FFFF))
    }

    pub(crate) fn insert(&mut self, track: Track) {
        let id = track.publication.track.clone();
        self.by_key.insert(track.key, id.clone());
        self.by_id.insert(id, track);
    }

    pub(crate) fn remove(&mut self, id: &TrackId) -> Option<Track> {
        let track = self.by_id.remove(id)?;
        self.by_key.remove(&track.key);
        Some(track)
    }

    pub(crate) fn get(&self, id: &TrackId) -> Option<&Track> {
        self.by_id.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &TrackId) -> Option<&mut Track> {
        self.by_id.get_mut(id)
    }

    pub(crate) fn id_of(&self, key: sfu::TrackKey) -> Option<&TrackId> {
        self.by_key.get(&key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&TrackId, &Track)> {
        self.by_id.iter()
    }

    pub(crate) fn of(&self, owner: ClientId) -> impl Iterator<Item = (&TrackId, &Track)> {
        self.by_id.iter().filter(move |(_, track)| track.owner == owner)
    }

    /// Forgets what a client has announced and not published.
    pub(crate) fn forget_announced(&mut self, owner: ClientId) {
        let announced: Vec<_> =
            self.of(owner).filter(|(_, track)| track.stage != Stage::Published).map(|(id, _)| id.clone()).collect();
        for id in announced {
            self.remove(&id);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }
}
