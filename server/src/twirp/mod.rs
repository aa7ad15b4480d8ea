//! LiveKit's server API: `POST /twirp/livekit.RoomService/{method}`, in JSON or protobuf, with Twirp's errors. Programs that manage
//! LiveKit rooms manage Lyceum's classes by it.

mod rooms;
mod wire;

use crate::app::App;
use crate::config::Config;
use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use std::sync::Arc;
use wire::{Form, TwirpError};

/// The routes of this module.
pub fn routes(config: &Config) -> Router<Arc<App>> {
    // Metadata and attributes at their longest, as JSON that escapes each character, and what is around them.
    let texts = config.limits.metadata_bytes + config.limits.attributes_bytes + config.limits.data_message_bytes;
    let most = config.http.max_body_bytes.max(texts * 6 + 65_536);
    Router::new().route("/twirp/{service}/{method}", any(call)).layer(DefaultBodyLimit::max(most))
}

async fn call(
    State(app): State<Arc<App>>,
    Path((service, method)): Path<(String, String)>,
    verb: axum::http::Method,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    match try_to_call(&app, &service, &method, &verb, &headers, body).await {
        Ok(answer) => answer,
        Err(error) => error.into_response(),
    }
}

async fn try_to_call(
    app: &App,
    service: &str,
    method: &str,
    verb: &axum::http::Method,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, TwirpError> {
    if *verb != axum::http::Method::POST {
        return Err(TwirpError::bad_route("the server API takes POST only"));
    }
    if service != "livekit.RoomService" {
        return Err(rooms::unknown_service(service));
    }
    let form = Form::of(headers)?;
    let who = wire::authenticate(&app.keyring, headers)?;
    let body = body.map_err(|rejection| TwirpError::malformed(rejection.body_text()))?;
    rooms::call(app, &who, method, form, &body).await
}
