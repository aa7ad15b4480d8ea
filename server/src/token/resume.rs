//! The token of a `welcome` on the state socket: lets the same person come back to the same session after their access token has
//! expired. It says who, not what they may do: that is the log's. It is no access token, and an access token is none of
//! these, so that neither can be used for the other's purpose.

use super::{Claims, Keyring, LyceumClaims, TokenError, Verified, VideoGrant};
use lyceum_session::{PersonId, Profile, RoomName, SessionId, SpaceName};
use serde::{Deserialize, Serialize};

/// As long as a session may last; each welcome brings a fresh one.
const TTL_S: u64 = 24 * 3600;

/// What makes a token one for coming back, under `lyceum.resume`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Resume {
    /// The room's name.
    pub room: RoomName,
    /// The session, which is the only one that it lets into.
    pub session: SessionId,
    /// The device, if it has a name: nobody else may use its token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The grant of the access token that its bearer came with first. Not under `video`, where it would count.
    pub grant: VideoGrant,
}

/// A good token of somebody who says hello on the state socket.
#[derive(Clone, PartialEq, Debug)]
pub enum Pass {
    /// An access token.
    Access(Verified),
    /// The token of an earlier welcome.
    Resume(Verified, Resume),
}

impl Keyring {
    /// Checks a token of either sort.
    pub fn verify_pass(&self, token: &str) -> Result<Pass, TokenError> {
        let verified = self.verify_any(token)?;
        let resume = verified.claims.lyceum.as_ref().and_then(|ours| ours.resume.clone());
        Ok(match resume {
            Some(resume) => Pass::Resume(verified, resume),
            None => Pass::Access(verified),
        })
    }

    /// Signs a token for coming back.
    pub fn sign_resume(
        &self,
        key: &str,
        now_s: u64,
        resume: Resume,
        person: PersonId,
        profile: &Profile,
        space: SpaceName,
    ) -> Result<String, TokenError> {
        let mut claims = Claims {
            iss: key.to_owned(),
            exp: now_s.saturating_add(TTL_S),
            nbf: now_s,
            ..Claims::of_person(person, profile, space)
        };
        // The log has them, and they may be long.
        claims.metadata.clear();
        claims.attributes.clear();
        claims.lyceum = claims.lyceum.map(|ours| LyceumClaims { resume: Some(resume), ..ours });
        self.sign(&claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ApiKey, ApiKeys};
    use crate::token::profile_of;
    use lyceum_session::{Role, Text};

    fn keyring(secret: &str) -> Keyring {
        let key = ApiKey { secret: secret.to_owned(), tenant: "school".to_owned() };
        Keyring::new(ApiKeys::from([("key".to_owned(), key)]))
    }

    fn now_s() -> u64 {
        crate::control::now().0 / 1000
    }

    fn grant() -> VideoGrant {
        VideoGrant { room_join: true, room_admin: true, room: "maths".to_owned(), ..VideoGrant::default() }
    }

    fn resume() -> Resume {
        Resume { room: "maths".into(), session: "RM_1".into(), device: Some("tab".to_owned()), grant: grant() }
    }

    fn ann() -> Profile {
        let lyceum = LyceumClaims { role: Some("co_instructor".to_owned()), ..LyceumClaims::default() };
        profile_of(&Claims { name: "Ann".to_owned(), lyceum: Some(lyceum), ..Claims::default() })
    }

    fn signed(keyring: &Keyring, now_s: u64) -> String {
        keyring.sign_resume("key", now_s, resume(), "ann".into(), &ann(), SpaceName::default()).unwrap()
    }

    #[test]
    fn it_says_who_where_and_with_what_they_came_first() {
        let keyring = keyring("secret");
        let Pass::Resume(who, said) = keyring.verify_pass(&signed(&keyring, now_s())).unwrap() else {
            panic!("no resume")
        };
        assert_eq!((who.claims.identity(), who.tenant.0.as_str()), ("ann", "school"));
        assert_eq!(said, resume());
        let profile = profile_of(&who.claims);
        assert_eq!((profile.name, profile.role), (Text("Ann".to_owned()), Role::CoInstructor));
    }

    #[test]
    fn it_outlives_access_tokens_but_not_a_day() {
        let keyring = keyring("secret");
        assert!(keyring.verify_pass(&signed(&keyring, now_s() - TTL_S + 60)).is_ok());
        assert_eq!(keyring.verify_pass(&signed(&keyring, now_s() - TTL_S - 120)), Err(TokenError::Expired));
    }

    #[test]
    fn it_is_no_access_token_and_an_access_token_is_none() {
        let keyring = keyring("secret");
        let token = signed(&keyring, now_s());
        assert_eq!(keyring.verify(&token), Err(TokenError::NoAccessToken));
        assert_eq!(keyring.verify_ignoring_expiry(&token), Err(TokenError::NoAccessToken));
        let claims = jsonwebtoken::dangerous::insecure_decode::<Claims>(&token).unwrap().claims;
        assert_eq!(claims.video, None, "nothing that others would take for a grant");

        let claims = Claims { iss: "key".to_owned(), exp: now_s() + 60, video: Some(grant()), ..Claims::default() };
        let access = keyring.sign(&claims).unwrap();
        assert!(matches!(keyring.verify_pass(&access), Ok(Pass::Access(_))));
    }

    #[test]
    fn a_forged_one_is_refused() {
        let token = signed(&keyring("another secret"), now_s());
        assert_eq!(keyring("secret").verify_pass(&token), Err(TokenError::BadSignature));
        // Another body under a good signature.
        let (ours, theirs) = (signed(&keyring("secret"), now_s()), signed(&keyring("secret"), now_s() + 1));
        let parts =
            [ours.split('.').next().unwrap(), theirs.split('.').nth(1).unwrap(), ours.rsplit('.').next().unwrap()];
        assert_eq!(keyring("secret").verify_pass(&parts.join(".")), Err(TokenError::BadSignature));
    }
}
