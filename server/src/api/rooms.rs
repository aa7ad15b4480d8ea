//! Rooms: making one, with the invites that let people in, and listing them.

use super::body;
use crate::app::App;
use crate::control::now;
use crate::http::auth::{authenticate, require};
use crate::http::error::ApiError;
use crate::store::{PolicyOverrides, Room, StoreError};
use crate::token::{Claims, Invite, LyceumClaims, TokenError, role_name};
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use lyceum_session::{Role, RoomName, TenantId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Rooms on one page of a list.
const MAX_PAGE: usize = 500;

/// A room that somebody wants.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRoom {
    /// Its name: in links, in tokens, for ever.
    pub name: String,
    /// People in it at a time; 0 is no limit.
    pub max_participants: Option<u32>,
    /// Seconds to wait for the first person.
    pub empty_timeout_s: Option<u64>,
    /// Seconds to wait after the last person.
    pub departure_timeout_s: Option<u64>,
    /// Application text.
    #[serde(default)]
    pub metadata: String,
}

/// A room, with what lets people in.
#[derive(Clone, Debug, Serialize)]
pub struct RoomCreated {
    /// Its name.
    pub name: String,
    /// The class that runs in it, if one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// When it was first created, milliseconds since the Unix epoch.
    pub created_at_ms: u64,
    /// For links `/c/{name}#{invite}`.
    pub invites: InviteLinks,
}

/// Invites by role.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct InviteLinks {
    pub instructor: String,
    pub learner: String,
}

/// `POST /api/v1/rooms`
pub async fn create(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    wanted: Result<Json<NewRoom>, JsonRejection>,
) -> Result<Json<RoomCreated>, ApiError> {
    let who = authenticate(&app.keyring, &headers)?;
    require(&who, "roomCreate", |video| video.room_create)?;
    create_room(&app, &who.tenant, &who.key, body(wanted)?).await.map(Json)
}

/// Makes the room, or changes it if it is there, and signs fresh invites with this key.
pub async fn create_room(app: &App, tenant: &TenantId, key: &str, wanted: NewRoom) -> Result<RoomCreated, ApiError> {
    check_name(&wanted.name, app.config.limits.name_chars)?;
    if wanted.metadata.len() > app.config.limits.metadata_bytes {
        let limit = app.config.limits.metadata_bytes;
        return Err(ApiError::invalid("metadata_too_long", format!("`metadata` may have {limit} bytes")));
    }
    let waits = [("empty_timeout_s", wanted.empty_timeout_s), ("departure_timeout_s", wanted.departure_timeout_s)];
    if let Some((name, _)) = waits.iter().find(|(_, wait)| *wait == Some(0)) {
        return Err(ApiError::invalid("timeout_invalid", format!("`{name}` must be at least 1")));
    }
    let milliseconds = |seconds: Option<u64>| seconds.map(|seconds| seconds.saturating_mul(1000));
    let room = app
        .store
        .upsert_room(Room {
            tenant: tenant.clone(),
            name: RoomName(wanted.name),
            created_at: now(),
            policy: PolicyOverrides {
                max_participants: wanted.max_participants,
                empty_timeout_ms: milliseconds(wanted.empty_timeout_s),
                departure_timeout_ms: milliseconds(wanted.departure_timeout_s),
                ..PolicyOverrides::default()
            },
            metadata: wanted.metadata,
        })
        .await
        .map_err(store_down)?;
    let invite = |role| invite(app, key, &room.name.0, role);
    Ok(RoomCreated {
        session_id: app.control.find(tenant, &room.name).map(|entry| entry.session.0),
        created_at_ms: room.created_at.0,
        invites: InviteLinks { instructor: invite(Role::Instructor)?, learner: invite(Role::Learner)? },
        name: room.name.0,
    })
}

/// A room in a list.
#[derive(Clone, Debug, Serialize)]
struct RoomListed {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<String>,
    created_at_ms: u64,
}

/// A page of rooms.
#[derive(Clone, Debug, Serialize)]
pub struct RoomList {
    rooms: Vec<RoomListed>,
}

/// Which page.
#[derive(Clone, Debug, Deserialize)]
pub struct Page {
    after: Option<String>,
    limit: Option<usize>,
}

/// `GET /api/v1/rooms`
pub async fn list(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Query(page): Query<Page>,
) -> Result<Json<RoomList>, ApiError> {
    let who = authenticate(&app.keyring, &headers)?;
    require(&who, "roomList", |video| video.room_list)?;
    let limit = page.limit.unwrap_or(MAX_PAGE).clamp(1, MAX_PAGE);
    let rooms = app.store.rooms(who.tenant.clone(), page.after.map(RoomName), limit).await.map_err(store_down)?;
    let listed = rooms.into_iter().map(|room| RoomListed {
        session_id: app.control.find(&who.tenant, &room.name).map(|entry| entry.session.0),
        name: room.name.0,
        created_at_ms: room.created_at.0,
    });
    Ok(Json(RoomList { rooms: listed.collect() }))
}

/// A fresh invite.
pub fn invite(app: &App, key: &str, room: &str, role: Role) -> Result<String, ApiError> {
    let now_s = now().0 / 1000;
    let invite = Invite { room: room.to_owned(), role: role_name(role).to_owned() };
    let claims = Claims {
        iss: key.to_owned(),
        nbf: now_s,
        exp: now_s + app.config.tokens.invite_ttl_s,
        lyceum: Some(LyceumClaims { invite: Some(invite), ..LyceumClaims::default() }),
        ..Claims::default()
    };
    app.keyring.sign(&claims).map_err(unsignable)
}

/// The room's name is part of links and of log lines.
fn check_name(name: &str, limit: usize) -> Result<(), ApiError> {
    let wrong = match name {
        _ if name.trim().is_empty() => "is empty".to_owned(),
        _ if name.chars().count() > limit => format!("has more than {limit} characters"),
        _ if name.chars().any(char::is_control) => "has control characters".to_owned(),
        _ => return Ok(()),
    };
    Err(ApiError::invalid("name_invalid", format!("the room's `name` {wrong}")))
}

pub fn store_down(error: StoreError) -> ApiError {
    tracing::error!(%error, "the store refused");
    ApiError::unavailable("the server cannot store anything at the moment; try again")
}

pub fn unsignable(error: TokenError) -> ApiError {
    tracing::error!(%error, "a token could not be signed");
    ApiError::unavailable("the server cannot sign tokens at the moment")
}
