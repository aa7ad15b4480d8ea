//! The state socket, `/classroom/v1`: everything that people do in a class beside media, as JSON over a WebSocket, and their boards
//! and notes as binary messages. This module reads what clients say and carries what the class tells them; it decides nothing.

mod documents;
mod door;
pub mod json;
pub mod message;
mod socket;

pub(crate) use socket::{request, unread};

use crate::app::App;
use crate::http::listen::Peer;
use crate::http::ws::{READ_BUFFER_BYTES, Rules};
use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::sync::Arc;

/// The routes of this module.
pub fn routes() -> Router<Arc<App>> {
    Router::new().route("/classroom/v1", get(open))
}

/// Everything but a flood is let in here; the first message says who it is.
async fn open(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Peer>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let Ok(upgrade) = upgrade else {
        return (StatusCode::NOT_FOUND, "not found: /classroom/v1 is for WebSocket connections\n").into_response();
    };
    if !app.throttle.admits(peer.address.ip()) {
        app.metrics.joins_throttled.add(1);
        let text = "too many joins from this address within a minute; try again shortly";
        return (StatusCode::TOO_MANY_REQUESTS, text).into_response();
    }
    let rules = Rules::of(&app.config.signal);
    // What documents are made of may be larger than what is said; the socket looks at the latter itself.
    let most = rules.max_message_bytes.max(documents::OpenDocuments::most_bytes(&app.documents));
    upgrade
        .max_message_size(most)
        .max_frame_size(most)
        .read_buffer_size(READ_BUFFER_BYTES)
        .on_upgrade(move |socket| socket::converse(socket, app, rules, peer))
}

/// A name that somebody sent, for a sentence to them: in quotes, and cut if it is long.
fn quoted(name: &str) -> String {
    const MAX_CHARS: usize = 64;
    let mut cut: String = name.chars().map(|char| if char.is_control() { ' ' } else { char }).take(MAX_CHARS).collect();
    if name.chars().nth(MAX_CHARS).is_some() {
        cut.push('…');
    }
    format!("`{cut}`")
}
