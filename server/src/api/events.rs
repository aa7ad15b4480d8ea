//! The logs of classes: which sessions there are, what happened in one, page by page or as it happens. A log names people, so
//! reading one needs the right to administer its room; what reads it keeps its own place and asks on from there.

use super::rooms::store_down;
use crate::app::App;
use crate::control::now;
use crate::http::auth::{authenticate, require, require_admin};
use crate::http::error::ApiError;
use crate::store::{SessionFilter, SessionRow, Store, StoreError};
use crate::token::Verified;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::sse::{KeepAlive, Sse};
use axum::response::{IntoResponse, Response, sse};
use futures_util::{StreamExt, stream};
use lyceum_session::{Event, Fact, RoomName, Seq, SessionId, TenantId, UnixMs};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Sessions on one page of a list.
const MAX_SESSIONS: usize = 500;

/// Events on one page of a log, and in the memory of one live tail.
const MAX_EVENTS: usize = 1_000;
const TAIL_EVENTS: usize = 100;

/// A tail in which nothing happens sends a comment this often, so that nobody in between takes it for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Answers that name people are kept by nobody on the way.
const NOT_STORED: [(HeaderName, &str); 1] = [(header::CACHE_CONTROL, "no-store")];

/// Which sessions.
#[derive(Debug, Deserialize)]
pub struct SessionQuery {
    room: Option<String>,
    live: Option<bool>,
    after: Option<String>,
    limit: Option<usize>,
}

/// A page of sessions, newest first.
#[derive(Debug, Serialize)]
struct SessionList {
    sessions: Vec<SessionListed>,
    /// For `after`; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Debug, Serialize)]
struct SessionListed {
    session_id: String,
    room: String,
    started_at_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at_ms: Option<u64>,
    last_seq: u64,
}

/// `GET /api/v1/sessions`
pub async fn sessions(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    query: Result<Query<SessionQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    let who = authenticate(&app.keyring, &headers)?;
    require(&who, "roomList", |video| video.room_list)?;
    let query = query_of(query)?;
    let limit = limit_of(query.limit, MAX_SESSIONS)?;
    let filter = SessionFilter {
        room: query.room.map(RoomName),
        live: query.live,
        after: query.after.as_deref().map(read_cursor).transpose()?,
    };
    // One more than is shown tells whether there is a next page.
    let mut rows = app.store.sessions(who.tenant, filter, limit + 1).await.map_err(store_down)?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(write_cursor);
    let sessions = rows.into_iter().map(|row| SessionListed {
        session_id: row.session.0,
        room: row.room.0,
        started_at_ms: row.started_at.0,
        ended_at_ms: row.ended_at.map(|at| at.0),
        last_seq: row.head.0,
    });
    Ok((NOT_STORED, Json(SessionList { sessions: sessions.collect(), next })).into_response())
}

/// Which events.
#[derive(Debug, Deserialize)]
pub struct EventQuery {
    from: Option<u64>,
    limit: Option<usize>,
}

/// A page of a log.
#[derive(Debug, Serialize)]
struct EventPage {
    events: Vec<Event>,
    /// For `from`: the place after this page, which may be filled later.
    next: Seq,
}

/// `GET /api/v1/sessions/{id}/events`: a page, or with `Accept: text/event-stream` everything from there on, as it happens.
pub async fn events(
    State(app): State<Arc<App>>,
    Path(session): Path<String>,
    headers: HeaderMap,
    query: Result<Query<EventQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    let who = authenticate(&app.keyring, &headers)?;
    require(&who, "roomAdmin", |video| video.room_admin)?;
    let query = query_of(query)?;
    let limit = limit_of(query.limit, MAX_EVENTS)?;
    let session = SessionId(session);
    let row = app.store.session(who.tenant.clone(), session.clone()).await.map_err(store_down)?;
    let row = row.ok_or_else(|| ApiError::not_found("there is no such session; /api/v1/sessions lists them"))?;
    require_admin(&who, &row.room.0)?;
    let from = Seq(query.from.unwrap_or(1));
    if wants_tail(&headers) {
        return tail(&app.store, &who, &row, last_event_id(&headers)?.map_or(from, Seq::next)).await;
    }
    let events = app.store.read(who.tenant, session, from, limit).await.map_err(store_down)?;
    let next = events.last().map_or(from, |event| event.seq.next());
    Ok((NOT_STORED, Json(EventPage { events, next })).into_response())
}

/// Sends the log from a place on, until the class or the token ends.
async fn tail(store: &Store, who: &Verified, row: &SessionRow, from: Seq) -> Result<Response, ApiError> {
    if row.ended_at.is_some() && from > row.head {
        // There will never be more; with this status browsers stop coming back.
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let head = store.subscribe(row.tenant.clone(), row.session.clone()).await.map_err(store_down)?;
    let tail = Tail {
        store: store.clone(),
        tenant: row.tenant.clone(),
        session: row.session.clone(),
        next: from,
        head,
        read: VecDeque::new(),
        ended: false,
    };
    let token_ends = Duration::from_millis(who.claims.exp.saturating_mul(1000).saturating_sub(now().0));
    let events = stream::unfold(tail, |mut tail| async move { Some((tail.next_message().await?, tail)) });
    let events = events.take_until(Box::pin(tokio::time::sleep(token_ends)));
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE).text("still here");
    let unbuffered = (HeaderName::from_static("x-accel-buffering"), "no");
    Ok(([NOT_STORED[0].clone(), unbuffered], Sse::new(events).keep_alive(keep_alive)).into_response())
}

/// A reader of one log that waits where it ends. It reads on only when what it read was sent, so a slow client costs no memory.
struct Tail {
    store: Store,
    tenant: TenantId,
    session: SessionId,
    next: Seq,
    head: watch::Receiver<Seq>,
    read: VecDeque<Event>,
    ended: bool,
}

impl Tail {
    /// The next event as a message; `None` at the end, and when the store fails: the client comes back and is told why.
    async fn next_message(&mut self) -> Option<Result<sse::Event, axum::Error>> {
        if self.ended {
            return None;
        }
        let event = match self.next_event().await {
            Ok(event) => event,
            Err(error) => {
                tracing::warn!(session = %self.session, %error, "a live tail stops");
                return None;
            }
        };
        self.ended = matches!(event.fact, Fact::SessionEnded { .. });
        self.next = event.seq.next();
        Some(message(&event))
    }

    async fn next_event(&mut self) -> Result<Event, StoreError> {
        loop {
            if let Some(event) = self.read.pop_front() {
                return Ok(event);
            }
            // An error means that the writer is gone, and nothing follows.
            self.head.wait_for(|head| *head >= self.next).await.map_err(|_| StoreError::Closed)?;
            let page = self.store.read(self.tenant.clone(), self.session.clone(), self.next, TAIL_EVENTS);
            self.read = page.await?.into();
        }
    }
}

/// The event as the page has it; its place is the id, its type the name under which browsers hand it out.
fn message(event: &Event) -> Result<sse::Event, axum::Error> {
    let fact = serde_json::to_value(&event.fact).map_err(axum::Error::new)?;
    let kind = fact["type"].as_str().unwrap_or("message");
    sse::Event::default().id(event.seq.to_string()).event(kind).json_data(event)
}

fn wants_tail(headers: &HeaderMap) -> bool {
    headers.get_all(header::ACCEPT).iter().filter_map(|accept| accept.to_str().ok()).any(|accept| {
        accept.split(',').any(|kind| {
            kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream"))
        })
    })
}

/// What a client that comes back saw last.
fn last_event_id(headers: &HeaderMap) -> Result<Option<Seq>, ApiError> {
    let Some(id) = headers.get("last-event-id") else { return Ok(None) };
    let seq = id.to_str().ok().and_then(|id| id.parse().ok()).filter(|seq| *seq < u64::MAX);
    let wrong = || ApiError::invalid("last_event_id_invalid", "`Last-Event-ID` is not the id of an event of this log");
    seq.map(|seq| Some(Seq(seq))).ok_or_else(wrong)
}

fn query_of<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, ApiError> {
    query.map(|Query(query)| query).map_err(|rejection| ApiError::invalid("query_invalid", rejection.body_text()))
}

fn limit_of(limit: Option<usize>, most: usize) -> Result<usize, ApiError> {
    match limit.unwrap_or(most) {
        limit if (1..=most).contains(&limit) => Ok(limit),
        _ => Err(ApiError::invalid("limit_invalid", format!("`limit` must be from 1 to {most}"))),
    }
}

/// Where a page of the list ends, as text that only this server has to understand.
fn write_cursor(row: &SessionRow) -> String {
    format!("{}.{}", row.started_at.0, row.session)
}

fn read_cursor(cursor: &str) -> Result<(UnixMs, SessionId), ApiError> {
    let read = cursor.split_once('.').and_then(|(at, session)| Some((UnixMs(at.parse().ok()?), session.into())));
    read.ok_or_else(|| ApiError::invalid("after_invalid", "`after` is not the `next` of a page of this list"))
}
