//! For whoever runs the server: is it alive, may it get traffic, and what has it counted.

use super::error::ApiError;
use crate::app::App;
use crate::control::now;
use crate::metrics::{Text, open_files};
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use std::sync::Arc;
use std::time::Duration;

/// A store that has not answered by then is not ready.
const STORE_PATIENCE: Duration = Duration::from_secs(3);

/// The process answers.
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// New people may be sent here: the store writes, and the server is not about to stop.
pub async fn readyz(State(app): State<Arc<App>>) -> Result<&'static str, ApiError> {
    if app.control.is_closing() {
        return Err(ApiError::unavailable("the server is shutting down"));
    }
    // A heartbeat of nobody is the smallest write.
    let write = app.store.heartbeat(Vec::new(), now());
    match tokio::time::timeout(STORE_PATIENCE, write).await {
        Ok(Ok(())) => Ok("ok\n"),
        Ok(Err(error)) => Err(ApiError::unavailable(format!("the store cannot be written: {error}"))),
        Err(_) => Err(ApiError::unavailable("the store does not answer")),
    }
}

/// Everything that is counted, for Prometheus.
pub async fn metrics(State(app): State<Arc<App>>) -> impl IntoResponse {
    let mut out = Text::default();
    app.metrics.write(&mut out);
    let store = app.store.stats();
    out.counter("lyceum_store_commits_total", "Transactions committed.", store.commits);
    out.counter("lyceum_store_events_total", "Events stored.", store.events);
    out.counter("lyceum_store_commit_microseconds_total", "Time spent in commits.", store.commit_us);
    out.gauge("lyceum_store_waiting_bytes", "Memory of what waits to be stored.", store.waiting_bytes as f64);
    if let Some(files) = open_files() {
        out.gauge("process_open_fds", "Open file descriptors.", files as f64);
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], out.finish())
}
