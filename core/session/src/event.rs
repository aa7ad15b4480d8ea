//! Events: what happened in a class, in the past tense. They are the only thing that changes a session's state, and the
//! only thing that is stored. `Fact` is what `decide` returns; `Event` is a fact with its place and time in the log.

use crate::class::{Cause, ClassFact};
use crate::ids::{ConnectionId, PersonId, RoomName, Seq, SessionId, SpaceName, TenantId, Text, TrackId, UnixMs};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A fact in its place in the log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Event {
    /// Place in the session's log, from 1, gapless.
    pub seq: Seq,
    /// Server wall time, milliseconds; never smaller than the event before.
    pub at: UnixMs,
    /// Milliseconds since `session.started`, from the same clamped clock.
    pub mono_ms: u64,
    /// Who caused it; `None` for the server itself (timers, recovery).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<PersonId>,
    /// Which command of a client caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// What happened: serialised as `"type"` and `"payload"`.
    #[serde(flatten)]
    pub fact: Fact,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", content = "payload")]
pub enum Fact {
    /// The first event of every log.
    #[serde(rename = "session.started")]
    SessionStarted {
        /// Whose organisation.
        tenant: TenantId,
        /// Which Room.
        room: RoomName,
        /// This session.
        session: SessionId,
        /// What this session allows and how long it waits.
        policy: Policy,
        /// Application text of the Room; belongs to no person.
        metadata: String,
    },
    /// The server came back after it had stopped without saying so. Every connection that was open is detached by the events
    /// that follow it.
    #[serde(rename = "session.recovered")]
    SessionRecovered {
        /// The last moment at which the session is known to have run.
        last_seen: UnixMs,
    },
    /// The last event of a log.
    #[serde(rename = "session.ended")]
    SessionEnded {
        /// Why.
        reason: EndReason,
    },
    /// A person became part of the session (first arrival, or a return after leaving).
    #[serde(rename = "participant.admitted")]
    ParticipantAdmitted {
        /// Who.
        person: PersonId,
        /// How they are shown and what they may do.
        profile: Profile,
        /// Where they are placed.
        #[serde(default)]
        space: SpaceName,
    },
    /// People were placed in another Space, all of them at this place in the log.
    #[serde(rename = "participant.moved")]
    ParticipantMoved {
        /// Who, in order, each once.
        persons: Vec<PersonId>,
        /// Where they are from here on.
        space: SpaceName,
    },
    /// The Room's application text changed.
    #[serde(rename = "room.updated")]
    RoomUpdated {
        /// The text from here on; belongs to no person.
        metadata: String,
    },
    /// A person chose tracks against or beyond what they would receive by themselves.
    #[serde(rename = "subscription.chosen")]
    SubscriptionChosen {
        /// Who chose.
        person: PersonId,
        /// What changed.
        choices: Vec<TrackChoice>,
    },
    /// A person's profile changed; the whole new profile.
    #[serde(rename = "participant.updated")]
    ParticipantUpdated {
        /// Who.
        person: PersonId,
        /// The profile from here on.
        profile: Profile,
    },
    /// A device of a person connected.
    #[serde(rename = "connection.attached")]
    ConnectionAttached {
        /// Who.
        person: PersonId,
        /// Which connection.
        connection: ConnectionId,
        /// What the device says of itself.
        client: Client,
    },
    /// A device's connection ended. If it was the person's last, they are `reconnecting` from here on, unless
    /// `participant.left` follows. Tracks that no `track.unpublished` closed before it stay published for the policy's
    /// `resume_window_ms`: then `connection.resumed` or `connection.expired` follows.
    #[serde(rename = "connection.detached")]
    ConnectionDetached {
        /// Who.
        person: PersonId,
        /// Which connection.
        connection: ConnectionId,
        /// Why.
        reason: DetachReason,
        /// The last moment at which it is known to have been alive: where its interval closes.
        last_seen: UnixMs,
    },
    /// A connection that was detached goes on: same device, same tracks.
    #[serde(rename = "connection.resumed")]
    ConnectionResumed {
        /// Who.
        person: PersonId,
        /// Which connection.
        connection: ConnectionId,
    },
    /// A detached connection can be resumed no more; its tracks were unpublished before this.
    #[serde(rename = "connection.expired")]
    ConnectionExpired {
        /// Who.
        person: PersonId,
        /// Which connection.
        connection: ConnectionId,
    },
    /// The grace after the last detach passed without a return. The seat (profile) stays.
    #[serde(rename = "participant.offline")]
    ParticipantOffline {
        /// Who.
        person: PersonId,
        /// Where the attendance interval closes.
        last_seen: UnixMs,
    },
    /// A person left by their own wish, or was removed, or the session ended.
    #[serde(rename = "participant.left")]
    ParticipantLeft {
        /// Who.
        person: PersonId,
        /// Why.
        reason: LeaveReason,
    },
    /// A track is announced to the class.
    #[serde(rename = "track.published")]
    TrackPublished {
        /// The track and what its publisher says of it.
        publication: Publication,
    },
    /// A track is gone.
    #[serde(rename = "track.unpublished")]
    TrackUnpublished {
        /// Whose.
        person: PersonId,
        /// Which.
        track: TrackId,
        /// Why.
        reason: UnpublishReason,
        /// Where its interval closes.
        last_seen: UnixMs,
    },
    /// What is said of a track changed; all of it.
    #[serde(rename = "track.updated")]
    TrackUpdated {
        /// Whose.
        person: PersonId,
        /// Which.
        track: TrackId,
        /// LiveKit's audio features by number.
        audio_features: Vec<i32>,
        /// Pixels; 0 for audio.
        width: u32,
        /// Pixels; 0 for audio.
        height: u32,
    },
    /// A track was muted.
    #[serde(rename = "track.muted")]
    TrackMuted {
        /// Whose.
        person: PersonId,
        /// Which.
        track: TrackId,
    },
    /// A track was unmuted.
    #[serde(rename = "track.unmuted")]
    TrackUnmuted {
        /// Whose.
        person: PersonId,
        /// Which.
        track: TrackId,
    },
    /// Something that people do in a class beside being there and being seen. Serialised like the others.
    #[serde(untagged)]
    Class(ClassFact),
}

/// What a session allows and how long it waits. All durations in milliseconds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Policy {
    /// How many people may be present; 0 is no limit. Hidden people do not count.
    pub max_participants: u32,
    /// How long a person without a connection is `reconnecting` before `offline`.
    pub presence_grace_ms: u64,
    /// How long a session waits for its first person before it ends.
    pub empty_timeout_ms: u64,
    /// How long a session waits after nobody is connected any more before it ends.
    pub departure_timeout_ms: u64,
    /// Most tracks that one connection may publish at a time.
    pub max_tracks_per_connection: u32,
    /// How long the tracks of a lost connection stay published, so that its device can resume; 0 is not at all.
    #[serde(default)]
    pub resume_window_ms: u64,
}

/// Whether a person wants what another shows. It names the person and the source and not the track, since every
/// publication has a new track id.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TrackChoice {
    /// Whose track.
    pub of: PersonId,
    /// What it shows.
    pub source: Source,
    /// Whether it is wanted.
    pub wanted: bool,
}

/// How a person is shown and what they may do.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Profile {
    /// Display name.
    pub name: Text,
    /// Application text.
    pub metadata: Text,
    /// Application key-values. Keys belong to the application, values to the person.
    pub attributes: BTreeMap<String, Text>,
    /// Their role in the class.
    pub role: Role,
    /// What kind of client: a person, or a program.
    pub kind: Kind,
    /// What they may do.
    pub permission: Permission,
}

/// A role in a class.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Role {
    Instructor,
    CoInstructor,
    TeachingAssistant,
    Learner,
    Observer,
    Captioner,
    Agent,
    Support,
}

/// What kind of client a participant is; LiveKit's `ParticipantInfo.Kind`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Kind {
    Standard,
    Ingress,
    Egress,
    Sip,
    Agent,
}

/// What a person may do; LiveKit's grants.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs)]
pub struct Permission {
    pub can_publish: bool,
    pub can_subscribe: bool,
    pub can_publish_data: bool,
    /// If not empty, only these sources may be published, whatever `can_publish` says.
    pub can_publish_sources: Vec<Source>,
    pub can_update_metadata: bool,
    /// Nobody is told of a hidden person.
    pub hidden: bool,
    pub recorder: bool,
}

/// What a device says of itself; informational.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs)]
pub struct Client {
    pub sdk: String,
    pub version: String,
    pub os: String,
    pub browser: String,
    pub protocol: i32,
    /// What its connection carries.
    #[serde(default, skip_serializing_if = "Lane::is_media")]
    pub lane: Lane,
    /// The client's own name for this tab or device, if it has one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub device: String,
}

/// What a connection carries. A person has at most one for media, and several for the state of the class.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// Sound, pictures and data: LiveKit's protocol.
    #[default]
    Media,
    /// What people do in the class: the state socket.
    State,
}

impl Lane {
    fn is_media(&self) -> bool {
        *self == Lane::Media
    }
}

/// A published track as its publisher describes it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Publication {
    /// Which track.
    pub track: TrackId,
    /// Whose.
    pub person: PersonId,
    /// On which connection.
    pub connection: ConnectionId,
    /// Audio or video.
    pub kind: MediaKind,
    /// What it shows.
    pub source: Source,
    /// The publisher's name for it.
    pub name: Text,
    /// Whether it is muted at the moment.
    pub muted: bool,
    /// Pixels; 0 for audio.
    pub width: u32,
    /// Pixels; 0 for audio.
    pub height: u32,
    /// MIME type such as `video/VP8`.
    pub mime_type: String,
    /// Whether it is sent in several qualities at once.
    pub simulcast: bool,
    /// Qualities, lowest first; empty for audio.
    pub layers: Vec<Layer>,
    /// The publisher's grouping of tracks that play in step.
    pub stream: String,
    /// LiveKit's audio features by number (`AudioTrackFeature`).
    pub audio_features: Vec<i32>,
    /// Redundant audio is off.
    pub disable_red: bool,
    /// LiveKit's end-to-end encryption kind by number (`Encryption.Type`).
    pub encryption: i32,
}

/// One quality of a simulcast track.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Layer {
    /// LiveKit's `VideoQuality` by number: 0 low, 1 medium, 2 high.
    pub quality: i32,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Bits per second.
    pub bitrate_bps: u32,
}

/// Audio or video.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum MediaKind {
    Audio,
    Video,
}

/// What a track shows; LiveKit's `TrackSource`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Source {
    Unknown,
    Camera,
    Microphone,
    ScreenShare,
    ScreenShareAudio,
}

/// Why a session ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// Nobody came within `empty_timeout_ms`.
    NeverJoined,
    /// Nobody was connected for `departure_timeout_ms`.
    Departed,
    /// Somebody with the right to it ended the session.
    Ended,
}

/// Why a connection ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DetachReason {
    /// The client said goodbye.
    ClientLeft,
    /// The socket closed or went silent.
    ConnectionLost,
    /// Media failed after it had been there.
    MediaFailed,
    /// Media could not be established.
    NeverConnected,
    /// The client and the server disagreed on what there is, or the client did something that cannot be gone on from.
    StateMismatch,
    /// Its person was placed in another Space, and its client can only go there by joining afresh.
    Moved,
    /// A newer connection of the same person took its place.
    Superseded,
    /// The server stopped.
    ServerStopped,
    /// The person was removed.
    Removed,
    /// The session ended.
    SessionEnded,
}

/// Why a person is no longer part of the session.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum LeaveReason {
    OwnWish,
    Removed,
    SessionEnded,
}

/// Why a track is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum UnpublishReason {
    /// Its publisher stopped it.
    Stopped,
    /// Its connection ended.
    ConnectionEnded,
    /// Its publisher may not publish it any more.
    PermissionRevoked,
}

impl Event {
    /// Visits every personal text of the event together with the person whose key protects it. Stores call it to encrypt
    /// before writing and to decrypt after reading.
    pub fn personal_mut(&mut self, mut visit: impl FnMut(&PersonId, &mut Text)) {
        match &mut self.fact {
            Fact::ParticipantAdmitted { person, profile, .. } | Fact::ParticipantUpdated { person, profile } => {
                visit(person, &mut profile.name);
                visit(person, &mut profile.metadata);
                for value in profile.attributes.values_mut() {
                    visit(person, value);
                }
            }
            Fact::TrackPublished { publication } => visit(&publication.person, &mut publication.name),
            Fact::Class(fact) => fact.personal_mut(&mut visit),
            Fact::SessionStarted { .. }
            | Fact::SessionRecovered { .. }
            | Fact::SessionEnded { .. }
            | Fact::ConnectionAttached { .. }
            | Fact::ConnectionDetached { .. }
            | Fact::ConnectionResumed { .. }
            | Fact::ConnectionExpired { .. }
            | Fact::ParticipantMoved { .. }
            | Fact::RoomUpdated { .. }
            | Fact::SubscriptionChosen { .. }
            | Fact::ParticipantOffline { .. }
            | Fact::ParticipantLeft { .. }
            | Fact::TrackUnpublished { .. }
            | Fact::TrackMuted { .. }
            | Fact::TrackUpdated { .. }
            | Fact::TrackUnmuted { .. } => {}
        }
    }
}
