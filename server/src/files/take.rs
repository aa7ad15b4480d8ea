//! `PUT /api/v1/rooms/{room}/decks/{deck}`: the bytes of a deck that was announced. Only the bytes that were announced decide about
//! the deck: others are refused, and the deck waits on.

use super::inspect::Kind;
use super::store::{Full, Incoming};
use super::{Asked, blocking, disk};
use crate::api::refused;
use crate::app::App;
use crate::control::{now, random_text};
use crate::http::error::ApiError;
use axum::Json;
use axum::body::{Body, BodyDataStream};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use futures_util::StreamExt;
use lyceum_node::{Answer, CommandRequest, Order};
use lyceum_session::class::{ClassCommand, Deck, DeckStatus};
use lyceum_session::{CmdId, Seq};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// A file may take this long to come; how long nothing may come is `http.head_timeout_s`.
const COMES_WITHIN: Duration = Duration::from_secs(20 * 60);

/// Whoever is refused while they still send reads why, if they are done within this time
const DISCARD: Duration = Duration::from_secs(10);
/// and so many bytes.
const DISCARD_BYTES: usize = 64 << 20;

/// A deck that can be shown.
#[derive(Debug, Serialize)]
pub struct Taken {
    deck: Seq,
    pages: u32,
}

/// `PUT /api/v1/rooms/{room}/decks/{deck}`
pub async fn take(
    State(app): State<Arc<App>>,
    Path(address): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Taken>, ApiError> {
    let mut body = body.into_data_stream();
    let taken = try_to_take(&app, address, &headers, &mut body).await;
    if taken.is_err() {
        app.metrics.files_refused.add(1);
    }
    tokio::spawn(timeout(DISCARD, discard(body)));
    taken.map(Json)
}

async fn try_to_take(
    app: &Arc<App>,
    address: (String, String),
    headers: &HeaderMap,
    body: &mut BodyDataStream,
) -> Result<Taken, ApiError> {
    let asked = Asked::new(app, headers, address)?;
    let deck = asked.deck(app, true).await?;
    if let Some(taken) = decided(&asked, &deck)? {
        return Ok(taken);
    }
    let Some(kind) = Kind::of(&deck.mime_type) else {
        let message = "slides are PDF files, or pictures: PNG, JPEG, WebP";
        return Err(asked.fails(app, StatusCode::UNSUPPORTED_MEDIA_TYPE, "type_unsupported", message.to_owned()).await);
    };
    let most = app.config.files.max_bytes;
    if deck.bytes > most {
        let message = format!("the file has {} bytes, and this server takes {most}", deck.bytes);
        return Err(asked.fails(app, StatusCode::PAYLOAD_TOO_LARGE, "file_too_large", message).await);
    }
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if let Some(length) = length.filter(|length| *length != deck.bytes) {
        return Err(mismatch(format!("{} bytes were announced, and {length} are sent", deck.bytes)));
    }

    let Ok(_turn) = app.files.uploads.try_acquire() else {
        return Err(ApiError::unavailable("the server takes as many files as it can at a time; try again in a moment"));
    };
    let _present = app.metrics.uploads.enter();
    let (store, tenant, bytes) = (app.files.store.clone(), asked.tenant.clone(), deck.bytes);
    let incoming = blocking(move || store.begin(&tenant, bytes)).await?.map_err(|Full| {
        let message = "your organisation has no room left for files on this server; its operator can give more";
        ApiError::new(StatusCode::INSUFFICIENT_STORAGE, "quota", message)
    })?;
    let incoming = timeout(COMES_WITHIN, receive(incoming, &deck, body)).await.unwrap_or_else(|_| Err(too_slow()))?;
    // Whoever goes away now finds the deck ready when they come back.
    let app = app.clone();
    let finished = tokio::spawn(async move { finish(&app, &asked, kind, incoming).await }).await;
    finished.unwrap_or_else(|error| {
        tracing::error!(%error, "a file could not be taken");
        Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "bug", "this file met a bug in the server"))
    })
}

/// What is known of a deck whose file was read already.
fn decided(asked: &Asked, deck: &Deck) -> Result<Option<Taken>, ApiError> {
    match &deck.status {
        DeckStatus::Pending => Ok(None),
        DeckStatus::Ready { pages } => Ok(Some(Taken { deck: asked.seq, pages: *pages })),
        DeckStatus::Failed { reason } => {
            let message = format!("this deck cannot be shown ({reason}); announce another file");
            Err(ApiError::new(StatusCode::CONFLICT, "conflict", message))
        }
    }
}

/// Writes down what comes, if it is what was announced.
async fn receive(mut incoming: Incoming, deck: &Deck, body: &mut BodyDataStream) -> Result<Incoming, ApiError> {
    let mut came = 0;
    while let Some(part) = body.next().await {
        let part = part.map_err(|error| cut_off(&error))?;
        came += part.len() as u64;
        if came > deck.bytes {
            return Err(mismatch(format!("{} bytes were announced, and more are sent", deck.bytes)));
        }
        incoming = blocking(move || incoming.write(&part).map(|()| incoming)).await?;
    }
    if incoming.written() != deck.bytes {
        let message = format!("{} bytes were announced, and {} came", deck.bytes, incoming.written());
        return Err(mismatch(message));
    }
    if incoming.hash() != deck.hash {
        return Err(mismatch("these are not the bytes that were announced: their SHA-256 is another".to_owned()));
    }
    Ok(incoming)
}

/// Reads the file, keeps it, and tells the class.
async fn finish(app: &App, asked: &Asked, kind: Kind, incoming: Incoming) -> Result<Taken, ApiError> {
    let file = incoming.reopen().map_err(disk)?;
    let pages = match app.files.sandbox.read(kind, file).await.map_err(disk)? {
        Ok(pages) => pages,
        Err(unfit) => {
            return Err(asked.fails(app, StatusCode::UNPROCESSABLE_ENTITY, "file_invalid", unfit).await);
        }
    };
    blocking(move || incoming.keep()).await?;
    if let Err(error) = asked.tells(app, ClassCommand::DeckReady { deck: asked.seq, pages }).await {
        // The same file may have come twice at once.
        return match decided(asked, &asked.deck(app, true).await?)? {
            Some(taken) => Ok(taken),
            None => Err(error),
        };
    }
    app.metrics.files_taken.add(1);
    Ok(Taken { deck: asked.seq, pages })
}

impl Asked {
    /// The deck can never be shown: the class is told, and so is who brought it.
    async fn fails(&self, app: &App, status: StatusCode, code: &'static str, reason: String) -> ApiError {
        let fail = ClassCommand::DeckFail { deck: self.seq, reason: reason.clone() };
        match self.tells(app, fail).await {
            Ok(()) => ApiError::new(status, code, reason),
            Err(error) => error,
        }
    }

    /// Issues a command as the server.
    async fn tells(&self, app: &App, command: ClassCommand) -> Result<(), ApiError> {
        let id = CmdId(format!("file-{}", random_text(22)));
        let command = CommandRequest { id, digest: 1, command, expect: None, epoch: None, received_at: now() };
        let order = Order::Command { actor: None, command: Box::new(command) };
        match app.control.order(&self.tenant, &self.room, order).await.map_err(refused)? {
            Answer::Outcome(ack) => match ack.code {
                None => Ok(()),
                Some(code) => Err(ApiError::new(crate::api::status_of(code), code, ack.message.unwrap_or_default())),
            },
            other => Err(crate::api::no_answer(&other)),
        }
    }
}

fn mismatch(message: String) -> ApiError {
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "file_mismatch", format!("{message}; the deck waits for its file"))
}

fn cut_off(error: &axum::Error) -> ApiError {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.is::<tower_http::timeout::TimeoutError>() {
            return too_slow();
        }
        cause = error.source();
    }
    ApiError::invalid("body_invalid", "the file was cut off on its way: send it again")
}

fn too_slow() -> ApiError {
    ApiError::new(StatusCode::REQUEST_TIMEOUT, "too_slow", "the file came too slowly: send it again")
}

/// Reads what is still sent, for answers that come before the end would be lost with the connection.
async fn discard(mut body: BodyDataStream) {
    let mut left = DISCARD_BYTES;
    while let Some(Ok(part)) = body.next().await {
        match left.checked_sub(part.len()) {
            Some(less) => left = less,
            None => return,
        }
    }
}
