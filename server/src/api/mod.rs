//! The REST interface under `/api`. `docs/api/openapi.json` describes it; a test holds both against each other.

mod commands;
mod events;
mod invites;
mod moves;
mod rooms;
mod state;

use crate::app::App;
use crate::http::error::ApiError;
use axum::extract::rejection::JsonRejection;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use std::sync::Arc;

pub(crate) use commands::{actor, no_answer, refused, status_of};
pub use rooms::{InviteLinks, NewRoom, RoomCreated, create_room};
pub use state::Folds;

/// The description of this interface, as it is checked in.
pub const OPENAPI: &str = include_str!("../../../docs/api/openapi.json");

/// The routes below `/api`.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/openapi.json", get(openapi))
        .route("/v1/rooms", post(rooms::create).get(rooms::list))
        .route("/v1/rooms/{room}/moves", post(moves::create))
        .route("/v1/rooms/{room}/commands", post(commands::issue))
        .route("/v1/rooms/{room}/state", get(commands::look))
        .route("/v1/rooms/{room}/decks/{deck}", put(crate::files::take).get(crate::files::give))
        .route("/v1/sessions", get(events::sessions))
        .route("/v1/sessions/{id}/events", get(events::events))
        .route("/v1/sessions/{id}/state", get(state::at))
        .route("/v1/invites/accept", post(invites::accept))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
}

async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI)
}

async fn unknown() -> ApiError {
    ApiError::not_found("there is no such address; /api/v1/openapi.json lists them")
}

async fn wrong_method() -> ApiError {
    let message = "this address does not take this method; /api/v1/openapi.json lists what it takes";
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}

/// The body of a request, or why it is none.
fn body<T>(body: Result<Json<T>, JsonRejection>) -> Result<T, ApiError> {
    match body {
        Ok(Json(body)) => Ok(body),
        Err(rejection) => {
            let code =
                if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE { "body_too_large" } else { "body_invalid" };
            Err(ApiError::new(rejection.status(), code, rejection.body_text()))
        }
    }
}
