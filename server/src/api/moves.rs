//! Moving people: from one Space of a class into another, all of them at once.

use super::body;
use crate::app::App;
use crate::control::Refusal;
use crate::http::auth::{authenticate, may_administer};
use crate::http::error::ApiError;
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use lyceum_node::{Answer, Order};
use lyceum_session::{PersonId, Reject, RoomName, Seq, SpaceName};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Who is to be where.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewMove {
    persons: Vec<PersonId>,
    space: SpaceName,
}

/// The move is in the log.
#[derive(Clone, Debug, Serialize)]
pub struct Moved {
    seq: Seq,
}

/// `POST /api/v1/rooms/{room}/moves`
pub async fn create(
    State(app): State<Arc<App>>,
    Path(room): Path<String>,
    headers: HeaderMap,
    wanted: Result<Json<NewMove>, JsonRejection>,
) -> Result<Json<Moved>, ApiError> {
    let who = authenticate(&app.keyring, &headers)?;
    may_administer(&who, &room)?;
    let NewMove { persons, space } = body(wanted)?;
    let order = Order::Move { persons, space };
    match app.control.order(&who.tenant, &RoomName(room), order).await.map_err(refused)? {
        Answer::Done(seq) => Ok(Json(Moved { seq })),
        other => {
            tracing::error!(?other, "bug: a move was answered with something else");
            Err(ApiError::unavailable("the class gave no answer"))
        }
    }
}

fn refused(refusal: Refusal) -> ApiError {
    let message = refusal.to_string();
    match refusal {
        Refusal::NoClass | Refusal::NoSuchRoom | Refusal::Rejected(Reject::NotFound(_) | Reject::SessionEnded) => {
            ApiError::not_found(message)
        }
        Refusal::Rejected(Reject::Invalid(_)) => ApiError::invalid("move_invalid", message),
        Refusal::Rejected(Reject::Forbidden(_) | Reject::StaleGrant { .. } | Reject::NotAdmitted(_)) => {
            ApiError::forbidden(message)
        }
        Refusal::Rejected(Reject::Conflict(_) | Reject::Stale { .. } | Reject::Closed(_)) => {
            ApiError::new(StatusCode::CONFLICT, "conflict", message)
        }
        Refusal::Rejected(Reject::Limit(_) | Reject::Rate { .. } | Reject::Unavailable(_))
        | Refusal::TooManyClasses
        | Refusal::ShuttingDown
        | Refusal::Unreachable => ApiError::unavailable(message),
    }
}
