//! What a token means for a class: claims to a profile, and a profile (or an invite's role) back to a grant.

use super::{Claims, LyceumClaims, VideoGrant};
use lyceum_session::{Kind, Permission, PersonId, Profile, Role, Source, SpaceName, Text};

const ROLES: [(&str, Role); 8] = [
    ("instructor", Role::Instructor),
    ("co_instructor", Role::CoInstructor),
    ("teaching_assistant", Role::TeachingAssistant),
    ("learner", Role::Learner),
    ("observer", Role::Observer),
    ("captioner", Role::Captioner),
    ("agent", Role::Agent),
    ("support", Role::Support),
];

const SOURCES: [(&str, Source); 4] = [
    ("camera", Source::Camera),
    ("microphone", Source::Microphone),
    ("screen_share", Source::ScreenShare),
    ("screen_share_audio", Source::ScreenShareAudio),
];

const KINDS: [(&str, Kind); 5] = [
    ("standard", Kind::Standard),
    ("ingress", Kind::Ingress),
    ("egress", Kind::Egress),
    ("sip", Kind::Sip),
    ("agent", Kind::Agent),
];

/// The role of a name such as `co_instructor`.
pub fn role_from_name(name: &str) -> Option<Role> {
    ROLES.iter().find(|(known, _)| *known == name).map(|(_, role)| *role)
}

/// The name of a role.
pub fn role_name(role: Role) -> &'static str {
    ROLES.iter().find(|(_, known)| *known == role).map_or("learner", |(name, _)| name)
}

/// The name of a kind of client.
pub fn kind_name(kind: Kind) -> &'static str {
    KINDS.iter().find(|(_, known)| *known == kind).map_or("standard", |(name, _)| name)
}

/// The kind of client that a token stands for.
pub fn kind_of(claims: &Claims) -> Kind {
    let named = KINDS.iter().find(|(name, _)| claims.kind.eq_ignore_ascii_case(name)).map(|(_, kind)| *kind);
    let agent = claims.video.as_ref().is_some_and(|video| video.agent);
    named.unwrap_or(if agent { Kind::Agent } else { Kind::Standard })
}

/// What a grant lets its bearer do.
pub fn permission_of(video: &VideoGrant) -> Permission {
    let sources: Vec<Source> = video
        .can_publish_sources
        .iter()
        .filter_map(|name| {
            SOURCES.iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, source)| *source)
        })
        .collect();
    // A list with nothing that we know must not turn into "no restriction".
    let only_unknown_sources = sources.is_empty() && !video.can_publish_sources.is_empty();
    Permission {
        can_publish: video.can_publish.unwrap_or(true) && !only_unknown_sources,
        can_subscribe: video.can_subscribe.unwrap_or(true),
        can_publish_data: video.can_publish_data.unwrap_or(true),
        can_publish_sources: sources,
        can_update_metadata: video.can_update_own_metadata.unwrap_or(false),
        hidden: video.hidden,
        recorder: video.recorder,
    }
}

/// How the bearer of an access token is shown and what they may do.
pub fn profile_of(claims: &Claims) -> Profile {
    let video = claims.video.clone().unwrap_or_default();
    let kind = kind_of(claims);
    let named = claims.lyceum.as_ref().and_then(|ours| ours.role.as_deref()).and_then(role_from_name);
    let role = named.unwrap_or(match kind {
        Kind::Agent => Role::Agent,
        _ if video.hidden || video.recorder => Role::Observer,
        _ if video.room_admin => Role::Instructor,
        _ => Role::Learner,
    });
    Profile {
        name: Text(claims.name.clone()),
        metadata: Text(claims.metadata.clone()),
        attributes: claims.attributes.iter().map(|(key, value)| (key.clone(), Text(value.clone()))).collect(),
        role,
        kind,
        permission: permission_of(&video),
    }
}

impl Claims {
    /// What a token says of a person; who signed it, for how long and what it grants is still to be said.
    pub fn of_person(person: PersonId, profile: &Profile, space: SpaceName) -> Self {
        Self {
            sub: person.0,
            name: profile.name.0.clone(),
            metadata: profile.metadata.0.clone(),
            attributes: profile.attributes.iter().map(|(key, value)| (key.clone(), value.0.clone())).collect(),
            kind: kind_name(profile.kind).to_owned(),
            lyceum: Some(LyceumClaims {
                role: Some(role_name(profile.role).to_owned()),
                space: Some(space.0),
                ..LyceumClaims::default()
            }),
            ..Self::default()
        }
    }
}

/// The grant that somebody with this role gets.
pub fn grant_for(role: Role, room: &str) -> VideoGrant {
    let teaches = matches!(role, Role::Instructor | Role::CoInstructor);
    let watches = matches!(role, Role::Observer);
    VideoGrant {
        room_join: true,
        room: room.to_owned(),
        room_admin: teaches,
        can_publish: Some(!watches),
        can_subscribe: Some(true),
        can_publish_data: Some(!watches),
        can_update_own_metadata: Some(true),
        ..VideoGrant::default()
    }
}

/// This grant with a profile's present permission.
impl VideoGrant {
    /// The same grant, as the class sees its bearer by now.
    pub fn with_permission(&self, permission: &Permission) -> VideoGrant {
        let sources = permission.can_publish_sources.iter();
        VideoGrant {
            can_publish: Some(permission.can_publish),
            can_subscribe: Some(permission.can_subscribe),
            can_publish_data: Some(permission.can_publish_data),
            can_publish_sources: sources
                .filter_map(|source| SOURCES.iter().find(|(_, known)| known == source))
                .map(|(name, _)| (*name).to_owned())
                .collect(),
            can_update_own_metadata: Some(permission.can_update_metadata),
            hidden: permission.hidden,
            recorder: permission.recorder,
            ..self.clone()
        }
    }
}
