//! Who says hello: from a token to somebody whom the class can be asked to let in, or the last words to them.

use super::message::Hello;
use crate::app::App;
use crate::control::{Refusal, Visitor};
use crate::rtc::check_name;
use crate::token::{Claims, Pass, Resume, TokenError, Verified, VideoGrant, profile_of};
use lyceum_node::Enter;
use lyceum_session::{Client, Lane, PersonId, Reject, RoomName, SpaceName};
use serde::Serialize;

/// The last message of the server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "t", rename = "bye")]
pub struct Bye {
    /// Why, from a closed set.
    pub code: &'static str,
    /// Why, for people.
    pub message: String,
    /// Whether coming again makes sense.
    pub retry: bool,
}

impl Bye {
    /// The client is to go and not to come again by itself.
    pub fn for_good(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry: false }
    }

    /// The client is to come again in a moment.
    pub fn for_now(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry: true }
    }
}

impl From<TokenError> for Bye {
    fn from(error: TokenError) -> Self {
        Bye::for_good("unauthorized", error.to_string())
    }
}

impl From<Refusal> for Bye {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.to_string();
        match refusal {
            Refusal::NoSuchRoom | Refusal::NoClass => Bye::for_good("not_found", message),
            Refusal::TooManyClasses => Bye::for_now("limit", message),
            Refusal::ShuttingDown | Refusal::Unreachable => Bye::for_now("restart", message),
            Refusal::Rejected(reject @ (Reject::Limit(_) | Reject::Rate { .. })) => {
                Bye::for_now(reject.code(), message)
            }
            Refusal::Rejected(reject) => Bye::for_good(reject.code(), message),
        }
    }
}

/// Who wants in, if their token lets them.
pub fn visitor(app: &App, hello: Hello) -> Result<Visitor, Bye> {
    match app.keyring.verify_pass(&hello.token)? {
        Pass::Access(who) => newcomer(app, hello, who),
        Pass::Resume(who, resume) => comes_back(hello, who, resume),
    }
}

fn newcomer(app: &App, hello: Hello, who: Verified) -> Result<Visitor, Bye> {
    let grant = who.claims.video.clone().unwrap_or_default();
    if !grant.room_join {
        return Err(Bye::for_good("unauthorized", "the token does not grant `video.roomJoin`"));
    }
    let limit = app.config.limits.name_chars;
    let invalid = |text| Bye::for_good("invalid", text);
    check_name("the token's identity (`sub`)", who.claims.identity(), limit).map_err(invalid)?;
    check_name("the token's `video.room`", &grant.room, limit).map_err(invalid)?;
    let room = RoomName(grant.room.clone());
    let room_config = who.claims.room_config.clone();
    Ok(Visitor { room_config, ..somebody(hello, who, grant, room) })
}

fn comes_back(hello: Hello, who: Verified, resume: Resume) -> Result<Visitor, Bye> {
    if hello.device != resume.device {
        let message = "this token is for coming back with another `device`; use an access token";
        return Err(Bye::for_good("unauthorized", message));
    }
    let session = Some(resume.session);
    Ok(Visitor { session, ..somebody(hello, who, resume.grant, resume.room) })
}

fn somebody(hello: Hello, who: Verified, grant: VideoGrant, room: RoomName) -> Visitor {
    let claims = Claims { video: Some(grant.clone()), ..who.claims };
    let Hello { device, client, since, .. } = hello;
    let client = Client {
        sdk: client.sdk,
        version: client.version,
        os: client.os,
        browser: client.browser,
        protocol: 0,
        lane: Lane::State,
        device: device.clone().unwrap_or_default(),
    };
    let enter = Enter {
        person: PersonId(claims.identity().to_owned()),
        profile: profile_of(&claims),
        client,
        space: claims.lyceum.as_ref().and_then(|ours| ours.space.clone()).map(SpaceName),
        since,
    };
    Visitor { tenant: who.tenant, room, enter, device, session: None, key: who.key, grant, room_config: None }
}
