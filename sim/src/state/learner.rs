//! A person's tab, as a LiveKit client would behave: it joins, answers offers, publishes what it has, believes what it is told,
//! and comes back when it is sent away or loses the server.

use livekit_protocol as proto;
use lyceum_node::ClientId;
use proto::leave_request::Action;
use proto::participant_info::State;
use proto::signal_request::Message as Ask;
use proto::signal_response::Message as Told;
use proto::{DisconnectReason, SignalRequest, SignalResponse};
use std::collections::{BTreeMap, BTreeSet};

/// One tab of one person.
#[derive(Clone)]
pub struct Learner {
    /// Whose tab.
    pub person: String,
    /// Whether the person wants to be in the class with this tab.
    pub wants_in: bool,
    /// The open socket.
    pub socket: Option<ClientId>,
    /// The participant sid, once the server has welcomed this socket.
    pub sid: Option<String>,
    /// The sid of a socket that was lost, to be resumed.
    pub resume: Option<String>,
    /// The socket that its media came with.
    pub media: Option<ClientId>,
    /// What it knew when it lost its socket, for when it resumes.
    kept: Option<Box<Learner>>,
    /// When it tries again.
    pub retry_at_ms: Option<u64>,
    /// What it publishes whenever it is in.
    pub tracks: Vec<MyTrack>,
    /// Whom it sees, by identity.
    pub roster: BTreeMap<String, Seen>,
    /// Itself, as the server sees it.
    pub myself: Option<Seen>,
    /// Tracks that the last offer of the server carries.
    pub receives: BTreeSet<String>,
    /// Messages that came over the data channel.
    pub heard: Vec<String>,
    /// Reasons for which the server sent it away.
    pub sent_away: Vec<DisconnectReason>,
    known_tracks: BTreeSet<String>,
    offer_id: u32,
    /// The last offer of the server that it answered, and the answer.
    answered: Option<(proto::SessionDescription, proto::SessionDescription)>,
}

/// A track that the person publishes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MyTrack {
    /// The tab's name for it.
    pub cid: String,
    /// What it shows.
    pub source: proto::TrackSource,
    /// Whether it is muted.
    pub muted: bool,
    /// The server's name for it.
    pub sid: Option<String>,
}

/// Somebody as this tab sees them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// Participant sid.
    pub sid: String,
    /// Display name.
    pub name: String,
    /// Application text.
    pub metadata: String,
    /// Attributes, those of the server included.
    pub attributes: BTreeMap<String, String>,
    /// Tracks and whether they are muted.
    pub tracks: BTreeMap<String, bool>,
    /// Increases with every change.
    pub version: u32,
}

/// What a tab does about what it was told.
#[derive(Clone, PartialEq, Debug)]
pub enum Reaction {
    /// Says something.
    Says(Box<SignalRequest>),
    /// Closes its socket and, if it still wants to be in, comes back after so long.
    ComesBack {
        /// Milliseconds.
        after_ms: u64,
    },
    /// Closes its socket and stays away.
    StaysAway,
}

/// A client tries a resume first, at once.
const RESUME_AFTER_MS: u64 = 0;
/// The first step of a client's schedule of full reconnects.
const REJOIN_AFTER_MS: u64 = 300;

impl Learner {
    pub(crate) fn new(person: &str) -> Self {
        Self {
            person: person.to_owned(),
            wants_in: false,
            socket: None,
            sid: None,
            resume: None,
            media: None,
            kept: None,
            retry_at_ms: None,
            tracks: Vec::new(),
            roster: BTreeMap::new(),
            myself: None,
            receives: BTreeSet::new(),
            heard: Vec::new(),
            sent_away: Vec::new(),
            known_tracks: BTreeSet::new(),
            offer_id: 0,
            answered: None,
        }
    }

    /// A fresh socket knows nothing yet.
    pub(crate) fn opens(&mut self, socket: ClientId) {
        self.socket = Some(socket);
        self.retry_at_ms = None;
        self.forget();
    }

    /// The socket is gone, and with it what was seen through it.
    pub(crate) fn loses_socket(&mut self) {
        self.socket = None;
        if self.sid.is_some() {
            self.kept = Some(Box::new(Self { kept: None, ..self.clone() }));
        }
        self.resume = self.kept.as_ref().and_then(|kept| kept.sid.clone());
        self.media = None;
        self.forget();
    }

    /// It knows again what it knew.
    fn resumes(&mut self) -> Vec<Reaction> {
        let Some(kept) = self.kept.take() else { panic!("{} resumes nothing", self.person) };
        self.sid = kept.sid;
        self.media = kept.media;
        self.myself = kept.myself;
        self.roster = kept.roster;
        self.receives = kept.receives;
        self.known_tracks = kept.known_tracks;
        self.offer_id = kept.offer_id;
        self.answered = kept.answered;
        for track in &mut self.tracks {
            let known = kept.tracks.iter().find(|known| known.cid == track.cid);
            track.sid = known.and_then(|known| known.sid.clone());
        }
        let published = self.tracks.iter().filter_map(|track| {
            let info = proto::TrackInfo { sid: track.sid.clone()?, ..Default::default() };
            Some(proto::TrackPublishedResponse { cid: track.cid.clone(), track: Some(info) })
        });
        let (offer, answer) = self.answered.clone().unzip();
        let publish_tracks = published.collect();
        let state = proto::SyncState { publish_tracks, offer, answer, ..Default::default() };
        let mut reactions = vec![says(Ask::SyncState(state))];
        // What was wanted while it was away.
        for track in &self.tracks {
            reactions.push(match &track.sid {
                Some(sid) => says(Ask::Mute(proto::MuteTrackRequest { sid: sid.clone(), muted: track.muted })),
                None => announces(track),
            });
        }
        reactions.push(self.offers());
        reactions
    }

    fn forget(&mut self) {
        self.sid = None;
        self.myself = None;
        self.roster.clear();
        self.receives.clear();
        self.known_tracks.clear();
        self.offer_id = 0;
        self.answered = None;
        self.tracks.iter_mut().for_each(|track| track.sid = None);
    }

    /// Believes what it is told and reacts as LiveKit's clients do.
    pub(crate) fn is_told(&mut self, response: SignalResponse) -> Vec<Reaction> {
        let Some(message) = response.message else { return Vec::new() };
        match message {
            Told::Join(join) => {
                let me = join.participant.unwrap_or_default();
                assert_eq!(me.identity, self.person, "a person is told who they are");
                self.sid = Some(me.sid.clone());
                (self.resume, self.kept) = (None, None);
                self.media = self.socket;
                self.sees(me);
                for other in join.other_participants {
                    assert_ne!(other.identity, self.person, "nobody is their own classmate");
                    self.sees(other);
                }
                self.publishes_everything()
            }
            Told::Reconnect(_) => self.resumes(),
            Told::Update(update) => {
                update.participants.into_iter().for_each(|info| self.sees(info));
                Vec::new()
            }
            Told::RoomMoved(moved) => {
                // Clients forget everybody, and with them their tracks.
                self.roster.clear();
                self.known_tracks.clear();
                moved.participant.into_iter().chain(moved.other_participants).for_each(|info| self.sees(info));
                Vec::new()
            }
            Told::Offer(offer) => {
                self.receives = offer.mid_to_track_id.values().cloned().collect();
                for track in &self.receives {
                    assert!(self.known_tracks.contains(track), "{} is offered {track} before it was told", self.person);
                }
                let answer = describes("answer", "answer".to_owned(), offer.id);
                self.answered = Some((offer, answer.clone()));
                vec![says(Ask::Answer(answer))]
            }
            Told::Answer(answer) => {
                assert!(answer.id <= self.offer_id, "an answer to an offer that was never made");
                Vec::new()
            }
            Told::TrackPublished(published) => {
                let info = published.track.unwrap_or_default();
                let Some(track) = self.tracks.iter_mut().find(|track| track.cid == published.cid) else {
                    return Vec::new();
                };
                track.sid = Some(info.sid.clone());
                if track.muted == info.muted {
                    return Vec::new();
                }
                // It was muted, or unmuted, before the server had named it.
                vec![says(Ask::Mute(proto::MuteTrackRequest { sid: info.sid, muted: track.muted }))]
            }
            Told::TrackUnpublished(unpublished) => {
                self.tracks.retain(|track| track.sid.as_ref() != Some(&unpublished.track_sid));
                Vec::new()
            }
            Told::Leave(leave) => {
                self.sent_away.push(leave.reason());
                match leave.action() {
                    Action::Disconnect => vec![Reaction::StaysAway],
                    Action::Resume => vec![Reaction::ComesBack { after_ms: RESUME_AFTER_MS }],
                    Action::Reconnect => {
                        (self.sid, self.resume, self.kept) = (None, None, None);
                        vec![Reaction::ComesBack { after_ms: REJOIN_AFTER_MS }]
                    }
                }
            }
            _ => Vec::new(),
        }
    }

    fn publishes_everything(&mut self) -> Vec<Reaction> {
        let mut reactions: Vec<Reaction> = self.tracks.clone().iter().map(announces).collect();
        reactions.push(self.offers());
        reactions
    }

    /// Adds a track, and announces and offers it if the tab is in the class.
    pub(crate) fn publishes(&mut self, cid: String, source: proto::TrackSource, muted: bool) -> Vec<Reaction> {
        let track = MyTrack { cid, source, muted, sid: None };
        self.tracks.push(track.clone());
        if self.sid.is_none() {
            return Vec::new();
        }
        vec![announces(&track), self.offers()]
    }

    pub(crate) fn unpublishes(&mut self, cid: &str) -> Vec<Reaction> {
        self.tracks.retain(|track| track.cid != cid);
        if self.sid.is_some() { vec![self.offers()] } else { Vec::new() }
    }

    pub(crate) fn mutes(&mut self, cid: &str, muted: bool) -> Vec<Reaction> {
        let Some(track) = self.tracks.iter_mut().find(|track| track.cid == cid) else { return Vec::new() };
        track.muted = muted;
        let sid = track.sid.clone();
        sid.map(|sid| says(Ask::Mute(proto::MuteTrackRequest { sid, muted }))).into_iter().collect()
    }

    pub(crate) fn renames_to(&mut self, name: &str) -> Vec<Reaction> {
        let metadata = self.myself.as_ref().map(|me| me.metadata.clone()).unwrap_or_default();
        let update = proto::UpdateParticipantMetadata { name: name.to_owned(), metadata, ..Default::default() };
        if self.sid.is_some() { vec![says(Ask::UpdateMetadata(update))] } else { Vec::new() }
    }

    fn offers(&mut self) -> Reaction {
        self.offer_id += 1;
        let lines = self.tracks.iter().map(|track| {
            let kind = if is_audio(track.source) { "audio" } else { "video" };
            format!("track {} {kind}\n", track.cid)
        });
        says(Ask::Offer(describes("offer", lines.collect(), self.offer_id)))
    }

    /// Takes in how somebody looks now.
    fn sees(&mut self, info: proto::ParticipantInfo) {
        self.known_tracks.extend(info.tracks.iter().map(|track| track.sid.clone()));
        let (identity, state) = (info.identity.clone(), info.state());
        let seen = Seen {
            sid: info.sid,
            name: info.name,
            metadata: info.metadata,
            attributes: info.attributes.into_iter().collect(),
            tracks: info.tracks.into_iter().map(|track| (track.sid, track.muted)).collect(),
            version: info.version,
        };
        if identity == self.person {
            if self.sid.as_ref() == Some(&seen.sid) {
                self.myself = Some(seen);
            }
            return;
        }
        let known = self.roster.get(&identity).filter(|known| known.sid == seen.sid);
        if state == State::Disconnected {
            if known.is_some() {
                self.roster.remove(&identity);
            }
            return;
        }
        let is_newer = known.is_none_or(|known| known.version < seen.version || *known == seen);
        assert!(is_newer, "clients drop a change that has no higher version: {known:?} to {seen:?}");
        self.roster.insert(identity, seen);
    }
}

fn announces(track: &MyTrack) -> Reaction {
    let kind = if is_audio(track.source) { proto::TrackType::Audio } else { proto::TrackType::Video };
    says(Ask::AddTrack(proto::AddTrackRequest {
        cid: track.cid.clone(),
        name: track.source.as_str_name().to_lowercase(),
        r#type: kind.into(),
        source: track.source.into(),
        muted: track.muted,
        width: 1280,
        height: 720,
        ..Default::default()
    }))
}

fn is_audio(source: proto::TrackSource) -> bool {
    matches!(source, proto::TrackSource::Microphone | proto::TrackSource::ScreenShareAudio)
}

pub(crate) fn says(ask: Ask) -> Reaction {
    Reaction::Says(Box::new(SignalRequest { message: Some(ask) }))
}

fn describes(kind: &str, sdp: String, id: u32) -> proto::SessionDescription {
    proto::SessionDescription { r#type: kind.to_owned(), sdp, id, ..Default::default() }
}
