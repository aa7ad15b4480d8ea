//! LiveKit's way in: `/rtc` and `/rtc/validate` in the dialect of two peer connections. Everything that can be refused is
//! refused before the upgrade, in plain HTTP that a page may read.

mod frame;
pub mod params;
mod socket;
mod throttle;

pub use throttle::Throttle;

use crate::app::App;
use crate::control::{Guest, Refusal};
use crate::http::auth::bearer;
use crate::http::listen::Peer;
use crate::http::ws::{READ_BUFFER_BYTES, Rules};
use crate::token::{TokenError, profile_of};
use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Extension, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use lyceum_node::Join;
use lyceum_session::{PersonId, Reject, RoomName, SpaceName};
use params::Params;
use std::collections::HashMap;
use std::sync::Arc;

/// The routes of this module.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/rtc", get(join))
        .route("/rtc/validate", get(validate))
        .route("/rtc/v1", any(later_dialect))
        .route("/rtc/v1/{*rest}", any(later_dialect))
}

type Pairs = Query<HashMap<String, String>>;

async fn join(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Peer>,
    Query(pairs): Pairs,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let Ok(upgrade) = upgrade else {
        return (StatusCode::NOT_FOUND, "not found: /rtc is for WebSocket connections\n").into_response();
    };
    if !app.throttle.admits(peer.address.ip()) {
        app.metrics.joins_throttled.add(1);
        let text = "too many joins from this address within a minute; try again shortly";
        return (StatusCode::TOO_MANY_REQUESTS, text).into_response();
    }
    let joined = match guest(&app, &Params::new(pairs), &headers) {
        Ok(guest) => app.control.join(guest).await.map_err(No::from),
        Err(no) => Err(no),
    };
    match joined {
        Ok((client, first)) => {
            app.metrics.joins.add(1);
            let rules = Rules::of(&app.config.signal);
            let metrics = app.metrics.clone();
            upgrade
                .max_message_size(rules.max_message_bytes)
                .max_frame_size(rules.max_message_bytes)
                .read_buffer_size(READ_BUFFER_BYTES)
                .on_upgrade(move |socket| socket::converse(socket, client, first, rules, metrics, peer))
        }
        Err(no) => {
            app.metrics.joins_refused.add(1);
            tracing::info!(status = no.status.as_u16(), reason = no.in_log, "join refused");
            no.into_response()
        }
    }
}

/// What a client asks when a join failed and a WebSocket does not say why.
async fn validate(State(app): State<Arc<App>>, Query(pairs): Pairs, headers: HeaderMap) -> Response {
    let checked = match guest(&app, &Params::new(pairs), &headers) {
        Ok(guest) => app.control.check_room(&guest.tenant, &guest.room).await.map_err(No::from),
        Err(no) => Err(no),
    };
    checked.map_or_else(IntoResponse::into_response, |()| "success".into_response())
}

/// Clients that know the dialect of one peer connection fall back when they read this.
async fn later_dialect() -> Response {
    (StatusCode::NOT_FOUND, "not found: this server speaks the dialect of two peer connections, at /rtc\n")
        .into_response()
}

/// A refusal in plain text.
#[derive(Debug)]
struct No {
    status: StatusCode,
    text: String,
    in_log: String,
}

impl No {
    fn new(status: StatusCode, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { status, in_log: text.clone(), text }
    }
}

impl IntoResponse for No {
    fn into_response(self) -> Response {
        (self.status, self.text).into_response()
    }
}

impl From<TokenError> for No {
    fn from(error: TokenError) -> Self {
        let no = No::new(StatusCode::UNAUTHORIZED, error.to_string());
        match error {
            // The details quote the token, for whoever sent it.
            TokenError::Malformed(_) => No { in_log: "the token cannot be read".to_owned(), ..no },
            _ => no,
        }
    }
}

impl From<Refusal> for No {
    fn from(refusal: Refusal) -> Self {
        let status = match &refusal {
            Refusal::NoSuchRoom | Refusal::NoClass => StatusCode::NOT_FOUND,
            Refusal::TooManyClasses | Refusal::ShuttingDown | Refusal::Unreachable => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Rejected(reject) => match reject {
                Reject::Forbidden(_) | Reject::StaleGrant { .. } | Reject::NotAdmitted(_) => StatusCode::FORBIDDEN,
                Reject::NotFound(_) => StatusCode::NOT_FOUND,
                Reject::Conflict(_) | Reject::Stale { .. } | Reject::Closed(_) => StatusCode::CONFLICT,
                Reject::Invalid(_) => StatusCode::BAD_REQUEST,
                Reject::Rate { .. } => StatusCode::TOO_MANY_REQUESTS,
                Reject::Limit(_) | Reject::SessionEnded | Reject::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            },
        };
        No::new(status, refusal.to_string())
    }
}

/// Who wants in, if their token lets them.
fn guest(app: &App, params: &Params, headers: &HeaderMap) -> Result<Guest, No> {
    if params.is_single_connection() {
        return Err(No::new(StatusCode::NOT_FOUND, "`join_request` is of a dialect that this server does not speak"));
    }
    let token = bearer(headers).or(params.token()).ok_or(TokenError::Missing)?;
    let who = app.keyring.verify(token)?;
    let grant = who.claims.video.clone().unwrap_or_default();
    if !grant.room_join {
        return Err(No::new(StatusCode::UNAUTHORIZED, "the token does not grant `video.roomJoin`"));
    }
    let (identity, room) = (who.claims.identity(), grant.room.as_str());
    let limit = app.config.limits.name_chars;
    let bad_name = |text: String| No::new(StatusCode::BAD_REQUEST, text);
    check_name("the token's identity (`sub`)", identity, limit).map_err(bad_name)?;
    check_name("the token's `video.room`", room, limit).map_err(bad_name)?;

    let mut profile = profile_of(&who.claims);
    let attributes = params.attributes().map_err(|text| No::new(StatusCode::BAD_REQUEST, text))?;
    if !attributes.is_empty() && !profile.permission.can_update_metadata {
        return Err(No::new(StatusCode::UNAUTHORIZED, "`attributes` need the grant `video.canUpdateOwnMetadata`"));
    }
    profile.attributes.extend(attributes);
    let space = who.claims.lyceum.as_ref().and_then(|ours| ours.space.clone()).map(SpaceName);
    Ok(Guest {
        join: Join { space, ..params.join(PersonId(identity.to_owned()), profile, headers) },
        room: RoomName(room.to_owned()),
        tenant: who.tenant,
        key: who.key,
        room_config: who.claims.room_config,
        grant,
    })
}

/// Refuses a name of a token that cannot be one, in a sentence.
pub(crate) fn check_name(what: &str, name: &str, limit: usize) -> Result<(), String> {
    if name.is_empty() {
        return Err(format!("{what} is empty"));
    }
    if name.chars().count() > limit {
        return Err(format!("{what} has more than {limit} characters"));
    }
    if name.chars().any(char::is_control) {
        return Err(format!("{what} has control characters"));
    }
    Ok(())
}
