//! Access tokens, as an application's backend would sign them for its learners.

use jsonwebtoken::{EncodingKey, Header, encode};
use serde::Serialize;
use std::time::Duration;

/// Clocks of two machines may differ by this much.
const LEEWAY: Duration = Duration::from_secs(10);
/// Longer than any run.
const LIFE: Duration = Duration::from_secs(24 * 3600);

/// An API key with its secret.
#[derive(Clone)]
pub struct Key {
    pub name: String,
    pub secret: String,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    name: &'a str,
    nbf: u64,
    exp: u64,
    video: Grant<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lyceum: Option<InClass>,
}

/// What Lyceum reads beside LiveKit's grants.
#[derive(Serialize)]
struct InClass {
    role: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Grant<'a> {
    room_join: bool,
    room: &'a str,
    can_publish: bool,
    can_subscribe: bool,
    can_publish_data: bool,
}

impl Key {
    /// A token that lets somebody into a room, to publish and to subscribe.
    pub fn token(&self, room: &str, identity: &str, now: Duration) -> Result<String, String> {
        self.signs(room, identity, None, now)
    }

    /// A token that lets somebody into a class of Lyceum, who teaches or learns there.
    pub fn class_token(&self, room: &str, identity: &str, teaches: bool, now: Duration) -> Result<String, String> {
        self.signs(room, identity, Some(InClass { role: if teaches { "instructor" } else { "learner" } }), now)
    }

    fn signs(&self, room: &str, identity: &str, lyceum: Option<InClass>, now: Duration) -> Result<String, String> {
        let video = Grant { room_join: true, room, can_publish: true, can_subscribe: true, can_publish_data: true };
        let claims = Claims {
            iss: &self.name,
            sub: identity,
            name: identity,
            nbf: now.saturating_sub(LEEWAY).as_secs(),
            exp: (now + LIFE).as_secs(),
            video,
            lyceum,
        };
        let secret = EncodingKey::from_secret(self.secret.as_bytes());
        encode(&Header::default(), &claims, &secret).map_err(|error| format!("no token could be signed: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};

    #[test]
    fn a_token_says_who_may_do_what_where() {
        let key = Key { name: "devkey".into(), secret: "secret".into() };
        let token = key.token("maths", "load-1", Duration::from_secs(4_000_000_000)).expect("a token");
        let secret = DecodingKey::from_secret(b"secret");
        let claims =
            decode::<serde_json::Value>(&token, &secret, &Validation::new(Algorithm::HS256)).expect("good").claims;
        assert_eq!((claims["iss"].as_str(), claims["sub"].as_str()), (Some("devkey"), Some("load-1")));
        assert_eq!(claims["video"]["room"], "maths");
        assert_eq!(claims["video"]["roomJoin"], true);
    }
}
