//! From an invite link to a seat: the page sends the invite and a name, and gets a LiveKit access token. Who comes back with
//! the token of an earlier visit is the same person again.

use super::body;
use super::rooms::{invite, unsignable};
use crate::app::App;
use crate::control::{now, random_text};
use crate::http::error::ApiError;
use crate::token::{Claims, Invite, LyceumClaims, TokenError, Verified, grant_for, role_from_name, role_name};
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use lyceum_session::{Role, RoomName};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Roles that an invite may give; the others are for programs.
const INVITABLE: [Role; 5] =
    [Role::Instructor, Role::CoInstructor, Role::TeachingAssistant, Role::Learner, Role::Observer];

/// What the page sends.
#[derive(Deserialize)]
pub struct Accept {
    invite: String,
    name: String,
    #[serde(default)]
    returning: Option<String>,
}

/// What it gets.
#[derive(Debug, Serialize)]
pub struct Accepted {
    room: String,
    identity: String,
    name: String,
    role: &'static str,
    token: String,
    /// `null`: where the page came from.
    server_url: Option<String>,
    share_invite: String,
}

/// `POST /api/v1/invites/accept`
pub async fn accept(
    State(app): State<Arc<App>>,
    request: Result<Json<Accept>, JsonRejection>,
) -> Result<Json<Accepted>, ApiError> {
    let request = body(request)?;
    let (host, Invite { room, .. }, role) = read_invite(&app, &request.invite)?;
    let name = check_name(&request.name, app.config.limits.name_chars)?;
    if app.control.is_closing() {
        return Err(ApiError::unavailable("the server is restarting; try again in a moment"));
    }
    let identity = match returning(&app, &host, &room, role, request.returning.as_deref()) {
        // Their seat is theirs, however full the class is.
        Some(identity) => identity,
        None => {
            check_space(&app, &host, &room)?;
            format!("u_{}", random_text(16))
        }
    };
    let now_s = now().0 / 1000;
    let claims = Claims {
        iss: host.key.clone(),
        sub: identity.clone(),
        name: name.clone(),
        nbf: now_s,
        exp: now_s + app.config.tokens.access_ttl_s,
        video: Some(grant_for(role, &room)),
        lyceum: Some(LyceumClaims { role: Some(role_name(role).to_owned()), ..LyceumClaims::default() }),
        ..Claims::default()
    };
    Ok(Json(Accepted {
        token: app.keyring.sign(&claims).map_err(unsignable)?,
        share_invite: invite(&app, &host.key, &room, Role::Learner)?,
        role: role_name(role),
        server_url: None,
        room,
        identity,
        name,
    }))
}

fn read_invite(app: &App, token: &str) -> Result<(Verified, Invite, Role), ApiError> {
    let invalid = |message: &str| ApiError::unauthorized("invite_invalid", message);
    let verified = app.keyring.verify(token).map_err(|error| match error {
        TokenError::Expired => {
            ApiError::unauthorized("invite_expired", "this invite link has expired; ask your teacher for a new one")
        }
        _ => invalid("this invite link is not valid; copy it again, whole, or ask for a new one"),
    })?;
    let invite = verified.claims.lyceum.as_ref().and_then(|ours| ours.invite.clone());
    let invite = invite.ok_or_else(|| invalid("this is no invite, but some other token"))?;
    let role = role_from_name(&invite.role).filter(|role| INVITABLE.contains(role));
    let role = role.ok_or_else(|| invalid("this invite names a role that nobody can be invited to"))?;
    if invite.room.is_empty() || invite.room.chars().count() > app.config.limits.name_chars {
        return Err(invalid("this invite names no room"));
    }
    Ok((verified, invite, role))
}

fn check_name(name: &str, limit: usize) -> Result<String, ApiError> {
    let name = name.trim();
    let wrong = match name {
        "" => "Please say who you are: the name is empty.".to_owned(),
        _ if name.chars().count() > limit => format!("The name has more than {limit} characters."),
        _ if name.chars().any(char::is_control) => "The name has characters that cannot be shown.".to_owned(),
        _ => return Ok(name.to_owned()),
    };
    Err(ApiError::invalid("name_invalid", wrong))
}

fn check_space(app: &App, host: &Verified, room: &str) -> Result<(), ApiError> {
    let running = app.control.find(&host.tenant, &RoomName(room.to_owned()));
    let is_full = running.is_some_and(|entry| {
        entry.max_participants > 0 && entry.seated.load(Ordering::Relaxed) >= entry.max_participants as usize
    });
    if is_full {
        return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "room_full", "this class is full"));
    }
    Ok(())
}

/// The identity of an earlier visit: from a token that this server signed for this room and this role, expired or not.
fn returning(app: &App, host: &Verified, room: &str, role: Role, token: Option<&str>) -> Option<String> {
    let earlier = app.keyring.verify_ignoring_expiry(token?).ok()?;
    let same_room =
        earlier.tenant == host.tenant && earlier.claims.video.as_ref().is_some_and(|video| video.room == room);
    let same_role = earlier.claims.lyceum.as_ref().and_then(|ours| ours.role.as_deref()) == Some(role_name(role));
    let identity = earlier.claims.identity();
    (same_room && same_role && !identity.is_empty()).then(|| identity.to_owned())
}
