//! The vocabulary between a shard and the rest of the server: opaque keys, commands in, events out. Everything here is a
//! value, so it can cross a thread or a network.

use std::sync::Arc;

/// One client connection (a person's device); it has a publisher and a subscriber peer. Chosen by the caller, unique in the
/// server. At most 48 bits are used, since it is written into the ICE user name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnKey(pub u64);

/// One published track. Chosen by the caller, unique in the server.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TrackKey(pub u64);

/// Connections that hear one another: speakers are detected within a group (a session, later a Space).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct GroupKey(pub u64);

/// Which of the two peer connections of protocol v0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Target {
    /// The client offers and sends.
    Publisher,
    /// The server offers and sends.
    Subscriber,
}

/// Which data channel.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Lane {
    /// `_reliable`: ordered, retransmitted.
    Reliable,
    /// `_lossy`: unordered, sent once.
    Lossy,
}

/// Audio or video.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// Opus.
    Audio,
    /// VP8 or H.264.
    Video,
}

impl Kind {
    pub(crate) fn clock_hz(self) -> u32 {
        match self {
            Kind::Audio => 48_000,
            Kind::Video => 90_000,
        }
    }
}

/// A video codec, or Opus.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs)]
pub enum Codec {
    Opus,
    Vp8,
    H264,
}

impl Codec {
    /// The MIME type, as LiveKit writes it.
    pub fn mime_type(self) -> &'static str {
        match self {
            Codec::Opus => "audio/opus",
            Codec::Vp8 => "video/VP8",
            Codec::H264 => "video/H264",
        }
    }

    /// From a MIME type or a bare codec name, in any case.
    pub fn from_name(name: &str) -> Option<Codec> {
        let bare = name.rsplit('/').next().unwrap_or(name);
        [("opus", Codec::Opus), ("vp8", Codec::Vp8), ("h264", Codec::H264)]
            .into_iter()
            .find(|(known, _)| bare.eq_ignore_ascii_case(known))
            .map(|(_, codec)| codec)
    }
}

/// A track that a client has announced and that will appear in its next offer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrackSpec {
    /// The key that the caller gives it.
    pub key: TrackKey,
    /// The client's id of the track, as in the offer's `a=msid` (several for backup codecs); matched first.
    pub cids: Vec<String>,
    /// If no cid matches, the first unmatched m-line of this kind is taken.
    pub kind: Kind,
    /// The codec to answer with first, if the client wished one.
    pub codec: Option<Codec>,
    /// Qualities in ascending order with their pixel sizes; one entry, or none, if not simulcast.
    pub layers: Vec<LayerSpec>,
    /// Whether it starts muted: nothing is forwarded until it is unmuted.
    pub muted: bool,
    /// Answer with stereo Opus.
    pub stereo: bool,
    /// Answer with discontinuous transmission.
    pub dtx: bool,
    /// Answer with redundant audio first, if the client offers it.
    pub red: bool,
}

/// One quality of a simulcast track, in ascending order; index 0 is the lowest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LayerSpec {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

/// What a subscriber wants of one video track.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wish {
    /// False pauses the track for this subscriber.
    pub enabled: bool,
    /// Size of the tile in pixels; 0×0 if not known.
    pub width: u32,
    /// Size of the tile in pixels.
    pub height: u32,
    /// The highest layer wanted, by index (0 lowest), if the client named a quality instead of a size.
    pub max_layer: Option<u8>,
}

impl Default for Wish {
    fn default() -> Self {
        Self { enabled: true, width: 0, height: 0, max_layer: None }
    }
}

/// What a shard is told to do. A command that names something unknown is ignored: it has crossed a close on its way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Creates the two peers of a connection. The subscriber peer's first offer (data channels only, or with the tracks
    /// subscribed in the same batch) follows as [`Event::SubscriberOffer`].
    Open {
        /// The connection.
        conn: ConnKey,
        /// Who hears whom.
        group: GroupKey,
        /// Full ICE instead of ICE-lite (Firefox).
        full_ice: bool,
    },
    /// Destroys both peers, their tracks and subscriptions. No event follows.
    Close {
        /// The connection.
        conn: ConnKey,
    },
    /// The client's offer for the publisher peer; answered by [`Event::PublisherAnswer`] or [`Event::Refused`].
    PublisherOffer {
        /// The connection.
        conn: ConnKey,
        /// Echoed in the answer.
        offer_id: u32,
        /// The SDP.
        sdp: String,
    },
    /// The client's answer to a [`Event::SubscriberOffer`].
    SubscriberAnswer {
        /// The connection.
        conn: ConnKey,
        /// As in the offer; answers to older offers are ignored.
        offer_id: u32,
        /// The SDP.
        sdp: String,
    },
    /// The client lost its network and resumes, or hears nothing: a new offer restarts ICE on the subscriber peer, once the one that may wait for its
    /// answer has it or is given up by [`Command::SyncOffer`]. (On the publisher peer the client restarts it with its own offer.)
    RestartIce {
        /// The connection.
        conn: ConnKey,
    },
    /// A client that resumes has this last offer and gave it this answer. An offer from before the [`Command::RestartIce`] that waits for
    /// its answer and is not this one was lost.
    SyncOffer {
        /// The connection.
        conn: ConnKey,
        /// The offer as the client has it; empty if it has none.
        offer: String,
        /// Its answer.
        answer: String,
    },
    /// A remote ICE candidate (`candidate:…` line). Only used with full ICE.
    RemoteCandidate {
        /// The connection.
        conn: ConnKey,
        /// For which peer.
        target: Target,
        /// The `candidate:` attribute value.
        candidate: String,
    },
    /// Announces a track before (or just after) it appears in an offer.
    ExpectTrack {
        /// Its publisher.
        conn: ConnKey,
        /// The track.
        spec: TrackSpec,
    },
    /// Forgets a track; subscriptions of it end.
    DropTrack {
        /// The track.
        track: TrackKey,
    },
    /// Stops or resumes forwarding at once.
    MuteTrack {
        /// The track.
        track: TrackKey,
        /// The new state.
        muted: bool,
    },
    /// Lets a connection receive a track: an m-line is added by the next offer; if the track is a muted microphone and the connection
    /// has many of these already, by the first offer after it is unmuted.
    Subscribe {
        /// The receiver.
        conn: ConnKey,
        /// The track.
        track: TrackKey,
        /// First token of `a=msid`, `PA_…|TR_…`.
        stream_id: String,
        /// Second token of `a=msid`, `TR_…`.
        track_id: String,
        /// What to send.
        wish: Wish,
    },
    /// Ends a subscription; its m-line is freed by the next offer.
    Unsubscribe {
        /// The receiver.
        conn: ConnKey,
        /// The track.
        track: TrackKey,
    },
    /// Changes what a subscriber wants.
    SetWish {
        /// The receiver.
        conn: ConnKey,
        /// The track.
        track: TrackKey,
        /// What to send from here on.
        wish: Wish,
    },
    /// Sends one message to several connections over their data channel. A connection whose reliable buffer is full is
    /// reported by [`Event::DataDropped`].
    SendData {
        /// The receivers.
        to: Vec<ConnKey>,
        /// Which channel.
        lane: Lane,
        /// The message, at most 64,000 bytes.
        bytes: Arc<[u8]>,
    },
    /// Answered by [`Event::Fenced`] once every command before it has had its effect, and what was on its way by then is sent.
    Fence {
        /// Whom the answer is for.
        group: GroupKey,
        /// Echoed in the answer.
        id: u64,
    },
}

/// What a shard tells.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// Answer to [`Command::PublisherOffer`].
    PublisherAnswer {
        /// The connection.
        conn: ConnKey,
        /// As in the offer.
        offer_id: u32,
        /// The SDP.
        sdp: String,
    },
    /// A new offer for the subscriber peer. At most one is outstanding; changes meanwhile are coalesced into the next.
    SubscriberOffer {
        /// The connection.
        conn: ConnKey,
        /// Increases by one per offer, from 1.
        offer_id: u32,
        /// The SDP.
        sdp: String,
        /// For each m-line that sends: its mid and its track.
        mids: Vec<(String, TrackKey)>,
        /// Whether it is the one that [`Command::RestartIce`] asked for.
        restarts_ice: bool,
    },
    /// ICE and DTLS are up on this peer.
    Connected {
        /// The connection.
        conn: ConnKey,
        /// Which peer.
        target: Target,
    },
    /// The peer's network is gone: no ICE consent, or closed by the remote. The caller should close the connection.
    Disconnected {
        /// The connection.
        conn: ConnKey,
        /// Which peer.
        target: Target,
        /// In words, for the log.
        why: &'static str,
        /// Whether restarting ICE may bring it back.
        can_return: bool,
    },
    /// A track's m-line was found in an offer: it can be announced and subscribed. Emitted before the answer.
    TrackMatched {
        /// The publisher.
        conn: ConnKey,
        /// The track.
        track: TrackKey,
        /// The m-line's mid.
        mid: String,
        /// The codec that will be used, `audio/opus`, `video/VP8`, `video/H264`.
        mime_type: &'static str,
        /// How many simulcast layers the m-line has (1 if none).
        layers: usize,
    },
    /// The client removed the track's m-line (or set it inactive).
    TrackEnded {
        /// The publisher.
        conn: ConnKey,
        /// The track.
        track: TrackKey,
    },
    /// A message from a client's data channel.
    Data {
        /// The sender.
        conn: ConnKey,
        /// Which channel.
        lane: Lane,
        /// The message.
        bytes: Vec<u8>,
    },
    /// A receiver was too slow for a reliable message, which was dropped.
    DataDropped {
        /// The receiver.
        conn: ConnKey,
        /// How many messages.
        count: u32,
    },
    /// Video of a track is paused for a receiver since it does not fit beside the audio, or flows again.
    StreamPaused {
        /// The receiver.
        conn: ConnKey,
        /// The track.
        track: TrackKey,
        /// The new state.
        paused: bool,
    },
    /// The highest layer of a track that anybody wants has changed. Higher is told at once, lower after some seconds.
    LayersWanted {
        /// The publisher.
        conn: ConnKey,
        /// The track.
        track: TrackKey,
        /// The highest layer by index; `None` if nobody wants the track.
        max_layer: Option<u8>,
    },
    /// How a peer's network does, every few seconds.
    Network {
        /// The connection.
        conn: ConnKey,
        /// `Publisher` is the way from the client to us, `Subscriber` the way back.
        target: Target,
        /// The share of packets lost, 0 to 1.
        loss: f32,
        /// The round trip in milliseconds, if it is known.
        round_trip_ms: Option<u32>,
    },
    /// Whose loudness changed in a group: deltas only; a level of 0 and `active: false` says that somebody stopped.
    Speakers {
        /// The group.
        group: GroupKey,
        /// The changes.
        levels: Vec<SpeakerLevel>,
    },
    /// Answer to [`Command::Fence`].
    Fenced {
        /// As in the command.
        group: GroupKey,
        /// As in the command.
        id: u64,
    },
    /// Something that a client sent could not be used. Nothing changed.
    Refused {
        /// The connection.
        conn: ConnKey,
        /// What was refused.
        what: Refusal,
        /// A sentence for the client.
        why: String,
    },
}

/// How loud somebody is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct SpeakerLevel {
    /// Who.
    pub conn: ConnKey,
    /// 0 (silent) to 1.
    pub level: f32,
    /// Whether they are speaking.
    pub active: bool,
}

/// What was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// A publisher offer: malformed, too large, or in the wrong state.
    Offer {
        /// Its id.
        offer_id: u32,
    },
    /// A subscriber answer.
    Answer {
        /// Its id.
        offer_id: u32,
    },
    /// A remote candidate.
    Candidate,
}
