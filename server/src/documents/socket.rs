//! The way in for stock Yjs providers: `/documents/v1/{document}` speaks y-protocols as `y-websocket` does. Everything that can be
//! refused at once is refused before the upgrade, in plain HTTP.

use super::{NotOpened, Outbound, Seat};
use crate::app::App;
use crate::control::Refusal;
use crate::http::auth::bearer;
use crate::http::listen::Peer;
use crate::http::ws::{READ_BUFFER_BYTES, Rules, close};
use crate::metrics::Metrics;
use crate::token::TokenError;
use axum::Router;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use lyceum_documents::{Code, DocId, Style};
use lyceum_session::{PersonId, RoomName};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::time::Instant;

/// The routes of this module.
pub fn routes() -> Router<Arc<App>> {
    Router::new().route("/documents/v1/{*document}", get(open))
}

async fn open(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Peer>,
    Path(document): Path<String>,
    Query(pairs): Query<HashMap<String, String>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let Ok(upgrade) = upgrade else {
        return (StatusCode::NOT_FOUND, "not found: /documents/v1 is for WebSocket connections\n").into_response();
    };
    if !app.throttle.admits(peer.address.ip()) {
        app.metrics.joins_throttled.add(1);
        let text = "too many connections from this address within a minute; try again shortly";
        return (StatusCode::TOO_MANY_REQUESTS, text).into_response();
    }
    match seat(&app, &document, &pairs, &headers).await {
        Ok(seat) => {
            let rules = Rules::of(&app.config.signal);
            let (metrics, most) = (app.metrics.clone(), app.documents.max_frame_bytes());
            upgrade
                .max_message_size(most)
                .max_frame_size(most)
                .read_buffer_size(READ_BUFFER_BYTES)
                .on_upgrade(move |socket| converse(socket, seat, rules, metrics, peer))
        }
        Err((status, text)) => {
            tracing::info!(status = status.as_u16(), "document refused");
            (status, text).into_response()
        }
    }
}

async fn seat(
    app: &App,
    document: &str,
    pairs: &HashMap<String, String>,
    headers: &HeaderMap,
) -> Result<Seat, (StatusCode, String)> {
    let no = |status, text: &str| (status, text.to_owned());
    let document: DocId = document.parse().map_err(|error| (StatusCode::NOT_FOUND, format!("no document: {error}")))?;
    // y-websocket's `params: { token }`, or as elsewhere.
    let in_query = ["token", "access_token"].iter().find_map(|name| pairs.get(*name)).map(String::as_str);
    let token = bearer(headers)
        .or(in_query.filter(|token| !token.is_empty()))
        .ok_or_else(|| no(StatusCode::UNAUTHORIZED, "no token: send an access token in the query parameter `token`"))?;
    let who = app.keyring.verify(token).map_err(|error: TokenError| (StatusCode::UNAUTHORIZED, error.to_string()))?;
    let grant = who.claims.video.clone().unwrap_or_default();
    if !grant.room_join || grant.room.is_empty() || who.claims.identity().is_empty() {
        return Err(no(StatusCode::UNAUTHORIZED, "the token does not let anybody into a room (`video.roomJoin`)"));
    }
    let (room, person) = (RoomName(grant.room), PersonId(who.claims.identity().to_owned()));
    let opened = app.documents.open(&who.tenant, &room, &person, &document, Style::Stock).await;
    opened.map_err(|not_opened| {
        let status = match &not_opened {
            NotOpened::NoSuchDocument | NotOpened::Class(Refusal::NoSuchRoom | Refusal::NoClass) => {
                StatusCode::NOT_FOUND
            }
            NotOpened::NotInClass | NotOpened::Forbidden => StatusCode::FORBIDDEN,
            NotOpened::TooMany | NotOpened::Class(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, not_opened.to_string())
    })
}

/// Why a conversation is over.
enum Over {
    /// The client closed its side, or the network did.
    Lost,
    /// The client is sent away with a close code and a reason.
    SentAway(u16, String),
}

/// Carries frames until one side has enough. `_peer` counts as a connection while this runs.
async fn converse(mut socket: WebSocket, mut seat: Seat, rules: Rules, metrics: Arc<Metrics>, _peer: Peer) {
    let _task = metrics.tasks.enter();
    let over = carry(&mut socket, &mut seat, rules, &metrics).await;
    // The document hears of it now; a slow goodbye holds up nobody.
    drop(seat);
    if let Over::SentAway(code, reason) = over {
        close(socket, code, reason).await;
    }
}

async fn carry(socket: &mut WebSocket, seat: &mut Seat, rules: Rules, metrics: &Metrics) -> Over {
    let mut ping = rules.pings();
    let mut heard_at = Instant::now();
    loop {
        let message = tokio::select! {
            biased;
            outbound = seat.hear() => match outbound {
                Some(Outbound::Frame { frame, .. }) => Message::Binary(frame.to_vec().into()),
                Some(Outbound::Close { code, reason }) => return Over::SentAway(code as u16, reason.to_owned()),
                // Not for stock providers.
                Some(Outbound::Ack { .. } | Outbound::Reset { .. } | Outbound::Pulse(_)) => continue,
                None => {
                    let reason = "you do not keep up, or the class is no more: connect again";
                    return Over::SentAway(Code::Again as u16, reason.to_owned());
                }
            },
            frame = socket.recv() => {
                heard_at = Instant::now();
                match frame {
                    None | Some(Ok(Message::Close(_)) | Err(_)) => return Over::Lost,
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                    Some(Ok(Message::Text(_))) => {
                        return Over::SentAway(Code::Malformed as u16, "y-protocols are binary".to_owned());
                    }
                    Some(Ok(Message::Binary(frame))) => {
                        if !seat.say(None, frame.to_vec()).await {
                            return Over::SentAway(Code::Unavailable as u16, "the class is over".to_owned());
                        }
                        continue;
                    }
                }
            }
            _ = ping.tick() => Message::Ping(Default::default()),
            () = tokio::time::sleep_until(heard_at + rules.silence_timeout) => {
                metrics.clients_silent.add(1);
                let reason = "nothing was heard from you for too long";
                return Over::SentAway(close_code::AWAY, reason.to_owned());
            }
        };
        if rules.send(socket, message, metrics).await.is_err() {
            return Over::Lost;
        }
    }
}
