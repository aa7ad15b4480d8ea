//! From the classroom's words to LiveKit's messages, and back. Nothing here decides anything.

use crate::tracks::{Stage, Track};
use livekit_protocol as proto;
use lyceum_session as session;
use lyceum_sfu as sfu;
use proto::leave_request::Action;
use proto::request_response::{Reason, Request};
use proto::signal_response::Message;
use proto::{DisconnectReason, SubscriptionError};
use session::{DetachReason, LeaveReason, MediaKind, Permission, Publication, Reject, Role, Source, TrackId};

/// Keys that begin with this are the server's own.
pub(crate) const OWN_ATTRIBUTES: &str = "lyceum.";
/// The role in the class.
pub(crate) const ROLE_ATTRIBUTE: &str = "lyceum.role";
/// The Space that somebody is in; absent in the main room.
pub(crate) const SPACE_ATTRIBUTE: &str = "lyceum.space";
/// What somebody had muted when they published it last, such as `camera,microphone`; absent if nothing.
pub(crate) const MUTED_ATTRIBUTE: &str = "lyceum.muted";
/// Present while somebody has lost their connection and may come back.
pub(crate) const PRESENCE_ATTRIBUTE: &str = "lyceum.presence";

pub(crate) fn signal(message: Message) -> proto::SignalResponse {
    proto::SignalResponse { message: Some(message) }
}

/// How people are now.
pub(crate) fn update(participants: Vec<proto::ParticipantInfo>) -> proto::SignalResponse {
    signal(Message::Update(proto::ParticipantUpdate { participants }))
}

/// Whether a publisher lets a client receive a track.
pub(crate) fn permission_update(participant_sid: String, track_sid: String, allowed: bool) -> proto::SignalResponse {
    let update = proto::SubscriptionPermissionUpdate { participant_sid, track_sid, allowed };
    signal(Message::SubscriptionPermissionUpdate(update))
}

/// A server that sends a client away: what happened, and what the client should do.
pub(crate) fn leave(reason: DisconnectReason, action: Action) -> proto::SignalResponse {
    signal(Message::Leave(proto::LeaveRequest {
        // Only read by clients that do not know `action`.
        can_reconnect: action != Action::Disconnect,
        reason: reason.into(),
        action: action.into(),
        regions: None,
    }))
}

/// What a client is told when the log says that its connection ended; `None` if it knows.
pub(crate) fn leave_because(reason: DetachReason) -> Option<proto::SignalResponse> {
    match reason {
        DetachReason::ClientLeft | DetachReason::ConnectionLost => None,
        DetachReason::MediaFailed => Some(leave(DisconnectReason::MediaFailure, Action::Reconnect)),
        DetachReason::NeverConnected => Some(leave(DisconnectReason::JoinFailure, Action::Disconnect)),
        DetachReason::Moved => Some(leave(DisconnectReason::Migration, Action::Reconnect)),
        DetachReason::StateMismatch => Some(leave(DisconnectReason::StateMismatch, Action::Reconnect)),
        DetachReason::Superseded => Some(leave(DisconnectReason::DuplicateIdentity, Action::Disconnect)),
        DetachReason::ServerStopped => Some(leave(DisconnectReason::ServerShutdown, Action::Reconnect)),
        DetachReason::Removed => Some(leave(DisconnectReason::ParticipantRemoved, Action::Disconnect)),
        DetachReason::SessionEnded => Some(leave(DisconnectReason::RoomDeleted, Action::Disconnect)),
    }
}

/// What the others are told of somebody who left.
pub(crate) fn disconnect_because(reason: LeaveReason) -> DisconnectReason {
    match reason {
        LeaveReason::OwnWish => DisconnectReason::ClientInitiated,
        LeaveReason::Removed => DisconnectReason::ParticipantRemoved,
        LeaveReason::SessionEnded => DisconnectReason::RoomDeleted,
    }
}

pub(crate) fn request_response(
    request_id: u32,
    reason: Reason,
    message: String,
    request: Option<Request>,
) -> proto::SignalResponse {
    signal(Message::RequestResponse(proto::RequestResponse { request_id, reason: reason.into(), message, request }))
}

/// The protocol's code for a refusal of the session.
pub(crate) fn reason_of(reject: &Reject) -> Reason {
    match reject {
        Reject::Forbidden(_) | Reject::StaleGrant { .. } | Reject::NotAdmitted(_) => Reason::NotAllowed,
        Reject::NotFound(_) => Reason::NotFound,
        Reject::Limit(_) | Reject::Rate { .. } => Reason::LimitExceeded,
        Reject::Conflict(_)
        | Reject::Stale { .. }
        | Reject::Closed(_)
        | Reject::SessionEnded
        | Reject::Invalid(_)
        | Reject::Unavailable(_) => Reason::InvalidRequest,
    }
}

pub(crate) fn subscription_failed(track: &str, err: SubscriptionError) -> proto::SignalResponse {
    signal(Message::SubscriptionResponse(proto::SubscriptionResponse { track_sid: track.to_owned(), err: err.into() }))
}

pub(crate) fn role_name(role: Role) -> &'static str {
    match role {
        Role::Instructor => "instructor",
        Role::CoInstructor => "co_instructor",
        Role::TeachingAssistant => "teaching_assistant",
        Role::Learner => "learner",
        Role::Observer => "observer",
        Role::Captioner => "captioner",
        Role::Agent => "agent",
        Role::Support => "support",
    }
}

pub(crate) fn participant_kind(kind: session::Kind) -> i32 {
    use proto::participant_info::Kind;
    let kind = match kind {
        session::Kind::Standard => Kind::Standard,
        session::Kind::Ingress => Kind::Ingress,
        session::Kind::Egress => Kind::Egress,
        session::Kind::Sip => Kind::Sip,
        session::Kind::Agent => Kind::Agent,
    };
    kind.into()
}

#[allow(deprecated)] // Older clients read `recorder`.
pub(crate) fn permission(permission: &Permission) -> proto::ParticipantPermission {
    proto::ParticipantPermission {
        can_subscribe: permission.can_subscribe,
        can_publish: permission.can_publish,
        can_publish_data: permission.can_publish_data,
        can_publish_sources: permission.can_publish_sources.iter().map(|source| source_number(*source)).collect(),
        hidden: permission.hidden,
        recorder: permission.recorder,
        can_update_metadata: permission.can_update_metadata,
        ..Default::default()
    }
}

/// The permission that an administrator's request means. Whether somebody is hidden or a recorder stays as it was.
pub(crate) fn permission_from(wanted: &proto::ParticipantPermission, before: &Permission) -> Permission {
    let known = wanted.can_publish_sources.iter().filter_map(|number| proto::TrackSource::try_from(*number).ok());
    let sources: Vec<_> = known.map(source).filter(|source| *source != Source::Unknown).collect();
    // A list with nothing that we know must not turn into "no restriction".
    let only_unknown_sources = sources.is_empty() && !wanted.can_publish_sources.is_empty();
    Permission {
        can_publish: wanted.can_publish && !only_unknown_sources,
        can_subscribe: wanted.can_subscribe,
        can_publish_data: wanted.can_publish_data,
        can_publish_sources: sources,
        can_update_metadata: wanted.can_update_metadata,
        hidden: before.hidden,
        recorder: before.recorder,
    }
}

/// As in tokens.
pub(crate) fn source_name(source: Source) -> &'static str {
    match source {
        Source::Unknown => "unknown",
        Source::Camera => "camera",
        Source::Microphone => "microphone",
        Source::ScreenShare => "screen_share",
        Source::ScreenShareAudio => "screen_share_audio",
    }
}

pub(crate) fn source_number(source: Source) -> i32 {
    let source = match source {
        Source::Unknown => proto::TrackSource::Unknown,
        Source::Camera => proto::TrackSource::Camera,
        Source::Microphone => proto::TrackSource::Microphone,
        Source::ScreenShare => proto::TrackSource::ScreenShare,
        Source::ScreenShareAudio => proto::TrackSource::ScreenShareAudio,
    };
    source.into()
}

pub(crate) fn source(source: proto::TrackSource) -> Source {
    match source {
        proto::TrackSource::Unknown => Source::Unknown,
        proto::TrackSource::Camera => Source::Camera,
        proto::TrackSource::Microphone => Source::Microphone,
        proto::TrackSource::ScreenShare => Source::ScreenShare,
        proto::TrackSource::ScreenShareAudio => Source::ScreenShareAudio,
    }
}

pub(crate) fn media_kind(kind: MediaKind) -> sfu::Kind {
    match kind {
        MediaKind::Audio => sfu::Kind::Audio,
        MediaKind::Video => sfu::Kind::Video,
    }
}

pub(crate) fn codecs(codecs: &[sfu::Codec]) -> Vec<proto::Codec> {
    codecs.iter().map(|codec| proto::Codec { mime: codec.mime_type().to_owned(), ..Default::default() }).collect()
}

/// A track as clients see it. Once it is published, `publication` is the log's.
#[allow(deprecated)] // Older clients read `simulcast`, `layers`, `stereo` and `disable_dtx`.
pub(crate) fn track_info(publication: &Publication, track: Option<&Track>) -> proto::TrackInfo {
    let layers = publication.layers.iter().enumerate().map(|(index, layer)| proto::VideoLayer {
        quality: layer.quality,
        width: layer.width,
        height: layer.height,
        bitrate: layer.bitrate_bps,
        spatial_layer: i32::try_from(index).unwrap_or_default(),
        ..Default::default()
    });
    let layers: Vec<_> = layers.collect();
    let mid = track.map(|track| track.mid.clone()).unwrap_or_default();
    let cid = track.map(|track| track.cid.clone()).unwrap_or_default();
    let muted = match track {
        Some(track) if track.stage != Stage::Published => track.muted,
        _ => publication.muted,
    };
    let kind = match publication.kind {
        MediaKind::Audio => proto::TrackType::Audio,
        MediaKind::Video => proto::TrackType::Video,
    };
    proto::TrackInfo {
        sid: publication.track.0.clone(),
        r#type: kind.into(),
        name: publication.name.0.clone(),
        muted,
        width: publication.width,
        height: publication.height,
        simulcast: publication.simulcast,
        disable_dtx: track.is_some_and(|track| publication.kind == MediaKind::Audio && !track.dtx),
        source: source_number(publication.source),
        layers: layers.clone(),
        mime_type: publication.mime_type.clone(),
        mid: mid.clone(),
        codecs: vec![proto::SimulcastCodecInfo {
            mime_type: publication.mime_type.clone(),
            mid,
            cid,
            layers,
            ..Default::default()
        }],
        stereo: track.is_some_and(|track| track.stereo),
        disable_red: publication.disable_red,
        encryption: publication.encryption,
        stream: publication.stream.clone(),
        audio_features: publication.audio_features.clone(),
        ..Default::default()
    }
}

/// An offer or an answer, without the tracks of its m-lines.
pub(crate) fn session_description(kind: &str, sdp: String, id: u32) -> proto::SessionDescription {
    proto::SessionDescription { r#type: kind.to_owned(), sdp, id, ..Default::default() }
}

/// First token of a track's `a=msid`: clients split it at `|` to find the publisher and the track.
pub(crate) fn stream_id(publisher_sid: &str, track: &TrackId) -> String {
    format!("{publisher_sid}|{track}")
}
