//! What a token says. Unknown claims are ignored and `null` counts as absent; a known claim of the wrong type is an error, since
//! a misread grant could allow too much.

use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

/// The claims of a token, as LiveKit writes them, and ours under `lyceum`.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct Claims {
    /// The API key that signed it.
    #[serde(deserialize_with = "or_absent")]
    pub iss: String,
    /// The person's identity.
    #[serde(deserialize_with = "or_absent", skip_serializing_if = "String::is_empty")]
    pub sub: String,
    /// Older tokens carry the identity here.
    #[serde(deserialize_with = "or_absent", skip_serializing_if = "String::is_empty")]
    pub jti: String,
    /// When it ends, seconds since the Unix epoch.
    #[serde(deserialize_with = "seconds")]
    pub exp: u64,
    /// When it begins, seconds since the Unix epoch.
    #[serde(deserialize_with = "seconds", skip_serializing_if = "is_zero")]
    pub nbf: u64,
    #[serde(deserialize_with = "or_absent", skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(deserialize_with = "or_absent", skip_serializing_if = "String::is_empty")]
    pub kind: String,
    #[serde(deserialize_with = "or_absent", skip_serializing_if = "String::is_empty")]
    pub metadata: String,
    #[serde(deserialize_with = "or_absent", skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// What it may do with learning records: scopes of the Experience API, with spaces between them.
    #[serde(deserialize_with = "or_absent", skip_serializing_if = "String::is_empty")]
    pub scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video: Option<VideoGrant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room_config: Option<RoomConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lyceum: Option<LyceumClaims>,
}

impl Claims {
    /// The identity: `sub`, or `jti` in older tokens.
    pub fn identity(&self) -> &str {
        if self.sub.is_empty() { &self.jti } else { &self.sub }
    }
}

/// LiveKit's `video` grant.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct VideoGrant {
    #[serde(deserialize_with = "or_absent", skip_serializing_if = "is_false")]
    pub room_create: bool,
    #[serde(deserialize_with = "or_absent", skip_serializing_if = "is_false")]
    pub room_list: bool,
    #[serde(deserialize_with = "or_absent", skip_serializing_if = "is_false")]
    pub room_record: bool,
    #[serde(deserialize_with = "or_absent", skip_serializing_if = "is_false")]
    pub room_admin: bool,
    #[serde(deserialize_with = "or_absent", skip_serializing_if = "is_false")]
    pub room_join: bool,
    #[serde(deserialize_with = "or_absent", skip_serializing_if = "String::is_empty")]
    pub room: String,
    /// Absent means yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_publish: Option<bool>,
    /// Absent means yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_subscribe: Option<bool>,
    /// Absent means yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_publish_data: Option<bool>,
    /// If not empty, only these, whatever `can_publish` says.
    #[serde(deserialize_with = "or_absent", skip_serializing_if = "Vec::is_empty")]
    pub can_publish_sources: Vec<String>,
    /// Absent means no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_update_own_metadata: Option<bool>,
    #[serde(deserialize_with = "or_absent", skip_serializing_if = "is_false")]
    pub ingress_admin: bool,
    #[serde(deserialize_with = "or_absent", skip_serializing_if = "is_false")]
    pub hidden: bool,
    #[serde(deserialize_with = "or_absent", skip_serializing_if = "is_false")]
    pub recorder: bool,
    #[serde(deserialize_with = "or_absent", skip_serializing_if = "is_false")]
    pub agent: bool,
    #[serde(deserialize_with = "or_absent", skip_serializing_if = "String::is_empty")]
    pub destination_room: String,
}

/// LiveKit's `roomConfig`, as far as it says how a class is run: applied when joining creates the room.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RoomConfig {
    /// Seconds.
    #[serde(alias = "empty_timeout", skip_serializing_if = "Option::is_none")]
    pub empty_timeout: Option<u64>,
    /// Seconds.
    #[serde(alias = "departure_timeout", skip_serializing_if = "Option::is_none")]
    pub departure_timeout: Option<u64>,
    /// People.
    #[serde(alias = "max_participants", skip_serializing_if = "Option::is_none")]
    pub max_participants: Option<u32>,
    /// Application text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<String>,
}

/// Our own claims.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LyceumClaims {
    /// The role in the class, in an access token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The Space that its bearer comes into, in an access token. The log of a class that knows its bearer knows better.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub space: Option<String>,
    /// Makes the token an invite.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invite: Option<Invite>,
    /// Makes the token one for coming back to the state socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume: Option<super::Resume>,
}

/// Whom an invite lets in, and as what.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Invite {
    /// The room's name.
    pub room: String,
    /// The role's name.
    pub role: String,
}

fn or_absent<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// JWT times may have a fraction (RFC 7519 section 2, NumericDate).
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let seconds = Option::<f64>::deserialize(deserializer)?.unwrap_or_default();
    Ok(if seconds.is_finite() && seconds > 0.0 { seconds as u64 } else { 0 })
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}
