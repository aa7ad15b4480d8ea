//! Twirp on the wire: which form a message has, and how a refusal looks.

use crate::control::Refusal;
use crate::http::auth;
use crate::http::error::ApiError;
use crate::token::{Keyring, Verified};
use axum::Json;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use lyceum_session::Reject;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// How the messages of a call are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    Json,
    Protobuf,
}

impl Form {
    /// As the request names it.
    pub fn of(headers: &HeaderMap) -> Result<Self, TwirpError> {
        let named = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = named.split(';').next().unwrap_or_default().trim();
        match kind.to_ascii_lowercase().as_str() {
            "application/json" => Ok(Form::Json),
            "application/protobuf" => Ok(Form::Protobuf),
            _ => Err(TwirpError::bad_route("the content type must be application/json or application/protobuf")),
        }
    }

    /// Reads a request.
    pub fn read<M: prost::Message + Default + DeserializeOwned>(self, body: &[u8]) -> Result<M, TwirpError> {
        match self {
            Form::Json => serde_json::from_slice(body).map_err(|error| TwirpError::malformed(error.to_string())),
            Form::Protobuf => M::decode(body).map_err(|error| TwirpError::malformed(error.to_string())),
        }
    }

    /// Writes an answer.
    pub fn write<M: prost::Message + Serialize>(self, message: &M) -> Result<Response, TwirpError> {
        Ok(match self {
            Form::Json => Json(message).into_response(),
            Form::Protobuf => {
                ([(header::CONTENT_TYPE, "application/protobuf")], message.encode_to_vec()).into_response()
            }
        })
    }
}

/// A refusal: Twirp's code for programs, a sentence for people.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TwirpError {
    code: String,
    msg: String,
    #[serde(skip)]
    status: u16,
}

impl TwirpError {
    fn new(status: StatusCode, code: &str, msg: impl Into<String>) -> Self {
        Self { code: code.to_owned(), msg: msg.into(), status: status.as_u16() }
    }

    /// There is no such call.
    pub fn bad_route(msg: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "bad_route", msg)
    }

    /// The body is not what the call takes.
    pub fn malformed(msg: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", msg)
    }

    /// What it asks for makes no sense.
    pub fn invalid(msg: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_argument", msg)
    }

    /// What it names does not exist.
    pub fn not_found(msg: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", msg)
    }

    /// This server has no such thing.
    pub fn unimplemented(msg: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, "unimplemented", msg)
    }

    /// The token does not allow it.
    pub fn denied(msg: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "permission_denied", msg)
    }

    /// A bug.
    pub fn internal(msg: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", msg)
    }
}

impl IntoResponse for TwirpError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(self)).into_response()
    }
}

impl From<ApiError> for TwirpError {
    fn from(error: ApiError) -> Self {
        let code = match error.status {
            StatusCode::BAD_REQUEST => "invalid_argument",
            StatusCode::UNAUTHORIZED => "unauthenticated",
            StatusCode::FORBIDDEN => "permission_denied",
            StatusCode::NOT_FOUND => "not_found",
            StatusCode::SERVICE_UNAVAILABLE => "unavailable",
            _ => "internal",
        };
        Self::new(error.status, code, error.message)
    }
}

impl From<Refusal> for TwirpError {
    fn from(refusal: Refusal) -> Self {
        let msg = refusal.to_string();
        match refusal {
            Refusal::NoSuchRoom | Refusal::NoClass | Refusal::Rejected(Reject::NotFound(_) | Reject::SessionEnded) => {
                Self::not_found(msg)
            }
            Refusal::Rejected(Reject::Invalid(_)) => Self::invalid(msg),
            Refusal::Rejected(Reject::Forbidden(_) | Reject::StaleGrant { .. } | Reject::NotAdmitted(_)) => {
                Self::denied(msg)
            }
            Refusal::Rejected(Reject::Conflict(_) | Reject::Stale { .. } | Reject::Closed(_)) => {
                Self::new(StatusCode::PRECONDITION_FAILED, "failed_precondition", msg)
            }
            Refusal::Rejected(Reject::Limit(_) | Reject::Rate { .. }) | Refusal::TooManyClasses => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "resource_exhausted", msg)
            }
            Refusal::Rejected(Reject::Unavailable(_)) | Refusal::ShuttingDown | Refusal::Unreachable => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", msg)
            }
        }
    }
}

/// Checks the token of a call.
pub fn authenticate(keyring: &Keyring, headers: &HeaderMap) -> Result<Verified, TwirpError> {
    auth::authenticate(keyring, headers).map_err(TwirpError::from)
}
