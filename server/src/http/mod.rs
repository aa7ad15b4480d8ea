//! Everything that is answered over HTTP: which path goes where, and what every answer carries.

pub mod assets;
pub mod auth;
pub mod error;
pub mod headers;
pub mod health;
pub mod listen;
pub mod tls;
pub mod ws;

use crate::app::App;
use axum::extract::DefaultBodyLimit;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Router, middleware};
use error::ApiError;
use std::any::Any;
use std::sync::Arc;
use std::time::Duration;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;

/// All routes.
pub fn router(app: Arc<App>) -> Router {
    let over_tls = !app.config.tls.cert_file.as_os_str().is_empty();
    let metrics = app.metrics.clone();
    Router::new()
        .route("/", get(assets::page))
        .route("/c/{*room}", get(assets::page))
        .route("/records", get(assets::page))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .merge(crate::rtc::routes())
        .merge(crate::classroom::routes())
        .merge(crate::documents::routes())
        .nest("/api", crate::api::routes())
        .merge(crate::twirp::routes(&app.config))
        .route("/xapi/profile", get(crate::records::profile))
        .nest_service(
            crate::records::BASE_PATH,
            crate::records::router(app.records.clone(), app.keyring.clone(), &app.config),
        )
        .fallback(assets::file)
        .layer(DefaultBodyLimit::max(app.config.http.max_body_bytes))
        .layer(RequestBodyTimeoutLayer::new(Duration::from_secs(app.config.http.head_timeout_s)))
        .layer(CatchPanicLayer::custom(move |_: Box<dyn Any + Send>| {
            metrics.handler_panics.add(1);
            let message = "this request met a bug in the server; its log says where";
            ApiError::new(axum::http::StatusCode::INTERNAL_SERVER_ERROR, "bug", message).into_response()
        }))
        .layer(headers::cors())
        .layer(middleware::from_fn(move |request, next| headers::secure(over_tls, request, next)))
        .with_state(app)
}
