//! How a session looked at a place in its log: the fold of its events up to there, shown as a backend sees it.

use super::rooms::store_down;
use crate::app::App;
use crate::http::auth::{authenticate, require, require_admin};
use crate::http::error::ApiError;
use crate::store::{SessionRow, Store};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State as Shared};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use lyceum_session::class::{Snapshot, Viewer};
use lyceum_session::{Event, Seq, SessionId, State, apply};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Events that are read and folded at a time; whoever asked may go away in between.
const PAGE: usize = 1_000;

/// Folding a long log takes a while of a core: so many at a time,
const AT_A_TIME: usize = 2;
/// and whoever has waited so long for their turn is told to come again.
const PATIENCE: Duration = Duration::from_secs(10);

/// Turns at folding logs.
#[derive(Debug)]
pub struct Folds(Semaphore);

impl Default for Folds {
    fn default() -> Self {
        Self(Semaphore::new(AT_A_TIME))
    }
}

/// Which place.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateQuery {
    seq: Option<u64>,
}

/// What there was.
#[derive(Debug, Serialize)]
struct Shown {
    seq: Seq,
    snapshot: BTreeMap<String, BTreeMap<String, Value>>,
}

/// `GET /api/v1/sessions/{id}/state`
pub async fn at(
    Shared(app): Shared<Arc<App>>,
    Path(session): Path<String>,
    headers: HeaderMap,
    query: Result<Query<StateQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    let who = authenticate(&app.keyring, &headers)?;
    require(&who, "roomAdmin", |video| video.room_admin)?;
    let Query(query) = query.map_err(|rejection| ApiError::invalid("query_invalid", rejection.body_text()))?;
    let row = app.store.session(who.tenant.clone(), SessionId(session)).await.map_err(store_down)?;
    let row = row.ok_or_else(|| ApiError::not_found("there is no such session; /api/v1/sessions lists them"))?;
    require_admin(&who, &row.room.0)?;
    let seq = query.seq.map_or(row.head, Seq);
    if seq > row.head {
        return Err(ApiError::not_found(format!("the log of this session ends at {}", row.head)));
    }
    let turn = tokio::time::timeout(PATIENCE, app.folds.0.acquire()).await;
    let Ok(Ok(_turn)) = turn else {
        return Err(ApiError::unavailable("the server is folding other logs; try again in a moment"));
    };
    let state = fold(&app.store, &row, seq).await?;
    let shown = blocking(move || show(&state)).await??;
    let not_stored: [(HeaderName, &str); 1] = [(header::CACHE_CONTROL, "no-store")];
    Ok((not_stored, Json(shown)).into_response())
}

async fn fold(store: &Store, row: &SessionRow, until: Seq) -> Result<State, ApiError> {
    let mut state = State::default();
    while state.seq < until {
        let (from, left) = (state.seq.next(), until.0 - state.seq.0);
        let limit = usize::try_from(left).unwrap_or(PAGE).min(PAGE);
        let events = store.read(row.tenant.clone(), row.session.clone(), from, limit).await.map_err(store_down)?;
        if events.is_empty() {
            tracing::error!(session = %row.session, at = %state.seq, "a log ends before its head");
            return Err(ApiError::unavailable("the log of this session cannot be read to this place"));
        }
        state = blocking(move || applied(state, &events)).await?;
    }
    Ok(state)
}

fn applied(mut state: State, events: &[Event]) -> State {
    for event in events {
        apply(&mut state, event);
    }
    state
}

fn show(state: &State) -> Result<Shown, ApiError> {
    let snapshot = by_collection(state.snapshot_for(&Viewer::backend())).map_err(|error| {
        tracing::error!(%error, "bug: an entity is no JSON");
        bug()
    })?;
    Ok(Shown { seq: state.seq, snapshot })
}

fn by_collection(snapshot: Snapshot) -> Result<BTreeMap<String, BTreeMap<String, Value>>, serde_json::Error> {
    let mut shown: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
    for (key, entity) in snapshot {
        let Value::String(collection) = serde_json::to_value(key.collection)? else { continue };
        shown.entry(collection).or_default().insert(key.id.to_string(), serde_json::to_value(entity)?);
    }
    Ok(shown)
}

/// Work that takes long stays off the threads that answer everybody.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "a log could not be folded");
        bug()
    })
}

fn bug() -> ApiError {
    let message = "the log of this session met a bug in the server; its log says where";
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "bug", message)
}
