//! Commands and a look at the running class for backends, and for people who are not on a state socket.

use crate::app::App;
use crate::classroom::message::{Said, Unreadable, read_command};
use crate::classroom::{request, unread};
use crate::control::{Refusal, now, random_text};
use crate::http::auth::{authenticate, require_admin};
use crate::http::error::ApiError;
use crate::token::Verified;
use axum::Json;
use axum::extract::rejection::StringRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use lyceum_node::{Answer, Order};
use lyceum_session::{CmdId, PersonId, RoomName};
use std::sync::Arc;

/// `POST /api/v1/rooms/{room}/commands`
pub async fn issue(
    State(app): State<Arc<App>>,
    Path(room): Path<String>,
    headers: HeaderMap,
    body: Result<String, StringRejection>,
) -> Result<Response, ApiError> {
    let who = authenticate(&app.keyring, &headers)?;
    let actor = actor(&who, &room)?;
    let body = body.map_err(|rejection| {
        let too_large = rejection.status() == StatusCode::PAYLOAD_TOO_LARGE;
        let code = if too_large { "body_too_large" } else { "body_invalid" };
        ApiError::new(rejection.status(), code, rejection.body_text())
    })?;
    app.metrics.commands_rest.add(1);
    let mut asked = match read_command(&body) {
        Ok(Said::Command(asked)) => *asked,
        Ok(Said::NoCommand(mut no)) => {
            app.metrics.commands_unreadable.add(1);
            name(&mut no.id);
            return Ok((status_of(no.code), Json(unread(no))).into_response());
        }
        Ok(_) => return Err(ApiError::invalid("body_invalid", "this is no command")),
        Err(Unreadable { message, .. }) => {
            app.metrics.commands_unreadable.add(1);
            return Err(ApiError::invalid("body_invalid", message));
        }
    };
    name(&mut asked.id);
    let order = Order::Command { actor, command: Box::new(request(asked, now())) };
    match app.control.order(&who.tenant, &RoomName(room), order).await.map_err(refused)? {
        Answer::Outcome(ack) => Ok((ack.code.map_or(StatusCode::OK, status_of), Json(ack)).into_response()),
        other => Err(no_answer(&other)),
    }
}

/// `GET /api/v1/rooms/{room}/state`
pub async fn look(
    State(app): State<Arc<App>>,
    Path(room): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let who = authenticate(&app.keyring, &headers)?;
    let viewer = actor(&who, &room)?;
    match app.control.order(&who.tenant, &RoomName(room), Order::LookAtClass { viewer }).await.map_err(refused)? {
        Answer::Class(text) => {
            let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
            Ok((headers, text.to_string()).into_response())
        }
        other => Err(no_answer(&other)),
    }
}

/// As whom: the person whose token it is, or the server (`None`) for the token of a backend.
pub(crate) fn actor(who: &Verified, room: &str) -> Result<Option<PersonId>, ApiError> {
    let video = who.claims.video.as_ref();
    if video.is_some_and(|video| video.room_join && video.room == room) && !who.claims.identity().is_empty() {
        return Ok(Some(PersonId(who.claims.identity().to_owned())));
    }
    require_admin(who, room)?;
    Ok(None)
}

/// Whoever does not say which command it is does not send it twice.
fn name(id: &mut CmdId) {
    if id.0.is_empty() {
        *id = CmdId(format!("rest-{}", random_text(22)));
    }
}

/// The status of a rejection.
pub(crate) fn status_of(code: &'static str) -> StatusCode {
    match code {
        "forbidden" | "stale_grant" | "not_admitted" => StatusCode::FORBIDDEN,
        "not_found" => StatusCode::NOT_FOUND,
        "conflict" | "closed" => StatusCode::CONFLICT,
        "session_ended" => StatusCode::GONE,
        "limit" | "rate" => StatusCode::TOO_MANY_REQUESTS,
        "unavailable" => StatusCode::NOT_IMPLEMENTED,
        _ => StatusCode::BAD_REQUEST,
    }
}

pub(crate) fn refused(refusal: Refusal) -> ApiError {
    let message = refusal.to_string();
    match refusal {
        Refusal::NoClass | Refusal::NoSuchRoom => ApiError::not_found(message),
        Refusal::Rejected(reject) => ApiError::new(status_of(reject.code()), reject.code(), message),
        Refusal::TooManyClasses | Refusal::ShuttingDown | Refusal::Unreachable => ApiError::unavailable(message),
    }
}

pub(crate) fn no_answer(other: &Answer) -> ApiError {
    tracing::error!(?other, "bug: a class answered something else than it was asked");
    ApiError::unavailable("the class gave no answer")
}
