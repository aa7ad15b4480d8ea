//! Reading, on connections of its own that never wait for the writer and see only what is durable. A few connections are kept
//! and lent to the runtime's blocking threads; when all are lent, the next reader waits its turn.

use super::keys::{self, Keys};
use super::schema::{self, SESSIONS};
use super::{Heads, LiveSession, Room, SessionFilter, SessionRow, StoreError};
use lyceum_session::class::{Answers, SavedDraft, SideWrite};
use lyceum_session::{Event, PersonId, RoomName, Seq, SessionId, TenantId, UnixMs};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// Connections at most.
const READERS: usize = 4;
/// A page of events ends after this many bytes of JSON, so that long texts do not make a huge page.
const PAGE_BYTES: usize = 4 << 20;

pub(super) struct Readers {
    directory: PathBuf,
    idle: Mutex<Vec<Reader>>,
    lent: Arc<Semaphore>,
}

impl Readers {
    pub fn new(directory: PathBuf) -> Self {
        Self { directory, idle: Mutex::default(), lent: Arc::new(Semaphore::new(READERS)) }
    }

    /// Runs a query on a blocking thread.
    pub async fn run<T: Send + 'static>(
        self: Arc<Self>,
        query: impl FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let turn = Arc::clone(&self.lent).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let asked = tokio::task::spawn_blocking(move || {
            let idle = self.lock().pop();
            let reader = idle.map_or_else(|| Reader::open(&self.directory), Ok)?;
            let answer = query(&reader);
            self.lock().push(reader);
            drop(turn);
            answer
        });
        asked.await.map_err(|error| StoreError::Bug(format!("a reader stopped: {error}")))?
    }

    pub fn close(&self) {
        self.lent.close();
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Reader>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct Reader {
    conn: Connection,
    keys: Keys,
}

impl Reader {
    pub fn open(directory: &std::path::Path) -> Result<Self, StoreError> {
        Ok(Self { conn: schema::open_reader(directory, &SESSIONS)?, keys: Keys::open_reader(directory)? })
    }

    pub fn events(
        &self,
        tenant: &TenantId,
        session: &SessionId,
        from: Seq,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError> {
        let mut query = self
            .conn
            .prepare_cached(
                "SELECT seq, event FROM events WHERE tenant = ? AND session = ? AND seq >= ? ORDER BY seq LIMIT ?",
            )
            .map_err(sqlite)?;
        // A seq that SQLite cannot hold is after every event.
        let mut expected = from.max(Seq(1));
        let Ok(from) = i64::try_from(from.0) else { return Ok(Vec::new()) };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = query.query(params![tenant.0, session.0, from, limit]).map_err(sqlite)?;
        let (mut events, mut bytes, mut ring) = (Vec::new(), 0, HashMap::new());
        while let Some(row) = rows.next().map_err(sqlite)? {
            let seq = Seq(row.get(0).map_err(sqlite)?);
            let json: String = row.get(1).map_err(sqlite)?;
            if seq != expected {
                let detail = format!("event {expected} of session {session} is missing");
                return Err(StoreError::Corrupt { file: SESSIONS.name, detail });
            }
            expected = seq.next();
            let mut event = parse(session, seq, &json)?;
            keys::open(&self.keys, &mut ring, tenant, session, &mut event)?;
            events.push(event);
            bytes += json.len();
            if bytes >= PAGE_BYTES {
                break;
            }
        }
        Ok(events)
    }

    pub fn side(&self, tenant: &TenantId, session: &SessionId) -> Result<Vec<SideWrite>, StoreError> {
        let mut side = Vec::new();
        let mut query = self
            .conn
            .prepare_cached(
                "SELECT poll, person, at_ms, answers FROM drafts WHERE tenant = ? AND session = ? ORDER BY poll, person",
            )
            .map_err(sqlite)?;
        let mut rows = query.query(params![tenant.0, session.0]).map_err(sqlite)?;
        let mut ring = HashMap::new();
        while let Some(row) = rows.next().map_err(sqlite)? {
            let (poll, person) = (Seq(row.get(0).map_err(sqlite)?), PersonId(row.get(1).map_err(sqlite)?));
            let at = UnixMs(row.get(2).map_err(sqlite)?);
            let draft = SavedDraft { answers: answers(row, 3, session)?, at };
            let mut record = SideWrite::Draft { poll, person, draft };
            keys::open(&self.keys, &mut ring, tenant, session, &mut record)?;
            side.push(record);
        }
        let mut query = self
            .conn
            .prepare_cached("SELECT poll, answers FROM ballots WHERE tenant = ? AND session = ?")
            .map_err(sqlite)?;
        let mut rows = query.query(params![tenant.0, session.0]).map_err(sqlite)?;
        let mut ballots = Vec::new();
        while let Some(row) = rows.next().map_err(sqlite)? {
            ballots.push((Seq(row.get(0).map_err(sqlite)?), answers(row, 1, session)?));
        }
        ballots.sort_unstable();
        side.extend(ballots.into_iter().map(|(poll, answers)| SideWrite::Ballot { poll, answers }));
        Ok(side)
    }

    pub fn head(&self, tenant: &TenantId, session: &SessionId) -> Result<Seq, StoreError> {
        let mut query =
            self.conn.prepare_cached("SELECT max(seq) FROM events WHERE tenant = ? AND session = ?").map_err(sqlite)?;
        let head: Option<u64> = query.query_row(params![tenant.0, session.0], |row| row.get(0)).map_err(sqlite)?;
        Ok(Seq(head.unwrap_or(0)))
    }

    pub fn heads(&self, after: Option<&(TenantId, SessionId)>, limit: usize) -> Result<Heads, StoreError> {
        let sql = "SELECT tenant, session,
                          (SELECT max(seq) FROM events AS e WHERE e.tenant = s.tenant AND e.session = s.session)
                   FROM sessions AS s WHERE (tenant, session) > (?, ?) ORDER BY tenant, session LIMIT ?";
        let mut query = self.conn.prepare_cached(sql).map_err(sqlite)?;
        let (tenant, session) = after.map_or(("", ""), |(tenant, session)| (tenant.0.as_str(), session.0.as_str()));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let row = |row: &Row<'_>| Ok(((TenantId(row.get(0)?), SessionId(row.get(1)?)), Seq(row.get(2)?)));
        let rows = query.query_map(params![tenant, session, limit], row).map_err(sqlite)?;
        rows.collect::<Result<_, _>>().map_err(sqlite)
    }

    pub fn session(&self, tenant: &TenantId, session: &SessionId) -> Result<Option<SessionRow>, StoreError> {
        let sql = format!("{SESSION_ROW} WHERE tenant = ? AND session = ?");
        let mut query = self.conn.prepare_cached(&sql).map_err(sqlite)?;
        query.query_row(params![tenant.0, session.0], session_row).optional().map_err(sqlite)
    }

    pub fn sessions(
        &self,
        tenant: &TenantId,
        filter: &SessionFilter,
        limit: usize,
    ) -> Result<Vec<SessionRow>, StoreError> {
        let (index, live) = match filter.live {
            // Named, because the planner would rather walk the whole history in order of time.
            Some(true) => ("INDEXED BY one_live_session_per_room", "AND ended_at_ms IS NULL"),
            Some(false) => ("", "AND ended_at_ms IS NOT NULL"),
            None => ("", ""),
        };
        let room = if filter.room.is_some() { "AND room = ?5" } else { "AND ?5 IS NULL" };
        let sql = format!(
            "{SESSION_ROW} {index} WHERE tenant = ?1 {live} {room} AND (started_at_ms, session) < (?2, ?3)
             ORDER BY started_at_ms DESC, session DESC LIMIT ?4"
        );
        let (at, session) = match &filter.after {
            Some((at, session)) => (i64::try_from(at.0).unwrap_or(i64::MAX), session.0.as_str()),
            None => (i64::MAX, ""),
        };
        let room = filter.room.as_ref().map(|room| room.0.as_str());
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut query = self.conn.prepare_cached(&sql).map_err(sqlite)?;
        let rows = query.query_map(params![tenant.0, at, session, limit, room], session_row).map_err(sqlite)?;
        rows.collect::<Result<_, _>>().map_err(sqlite)
    }

    pub fn live_sessions(&self) -> Result<Vec<LiveSession>, StoreError> {
        let mut query = self
            .conn
            .prepare_cached(
                "SELECT tenant, session, room, started_at_ms,
                        max(coalesce((SELECT at_ms FROM heartbeats
                                      WHERE tenant = s.tenant AND session = s.session), 0),
                            coalesce((SELECT at_ms FROM events WHERE tenant = s.tenant AND session = s.session
                                      ORDER BY seq DESC LIMIT 1), 0))
                 FROM sessions AS s INDEXED BY one_live_session_per_room
                 WHERE ended_at_ms IS NULL ORDER BY tenant, room",
            )
            .map_err(sqlite)?;
        let rows = query
            .query_map([], |row| {
                Ok(LiveSession {
                    tenant: TenantId(row.get(0)?),
                    session: SessionId(row.get(1)?),
                    room: RoomName(row.get(2)?),
                    started_at: UnixMs(row.get(3)?),
                    last_seen: UnixMs(row.get(4)?),
                })
            })
            .map_err(sqlite)?;
        rows.collect::<Result<_, _>>().map_err(sqlite)
    }

    pub fn room(&self, tenant: &TenantId, name: &RoomName) -> Result<Option<Room>, StoreError> {
        let sql = format!("{ROOM} WHERE tenant = ? AND name = ?");
        let mut query = self.conn.prepare_cached(&sql).map_err(sqlite)?;
        query.query_row(params![tenant.0, name.0], room).optional().map_err(sqlite)
    }

    pub fn rooms(&self, tenant: &TenantId, after: Option<&RoomName>, limit: usize) -> Result<Vec<Room>, StoreError> {
        let sql = format!("{ROOM} WHERE tenant = ? AND name > ? ORDER BY name LIMIT ?");
        let after = after.map_or("", |name| name.0.as_str());
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut query = self.conn.prepare_cached(&sql).map_err(sqlite)?;
        let rows = query.query_map(params![tenant.0, after, limit], room).map_err(sqlite)?;
        rows.collect::<Result<_, _>>().map_err(sqlite)
    }
}

const SESSION_ROW: &str = "SELECT tenant, session, room, started_at_ms, ended_at_ms,
    (SELECT max(seq) FROM events AS e WHERE e.tenant = sessions.tenant AND e.session = sessions.session) FROM sessions";

fn session_row(row: &Row<'_>) -> rusqlite::Result<SessionRow> {
    Ok(SessionRow {
        tenant: TenantId(row.get(0)?),
        session: SessionId(row.get(1)?),
        room: RoomName(row.get(2)?),
        started_at: UnixMs(row.get(3)?),
        ended_at: row.get::<_, Option<u64>>(4)?.map(UnixMs),
        head: Seq(row.get(5)?),
    })
}

const ROOM: &str = "SELECT tenant, name, created_at_ms, policy, metadata FROM rooms";

fn room(row: &Row<'_>) -> rusqlite::Result<Room> {
    let policy: String = row.get(3)?;
    Ok(Room {
        tenant: TenantId(row.get(0)?),
        name: RoomName(row.get(1)?),
        created_at: UnixMs(row.get(2)?),
        policy: serde_json::from_str(&policy).map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(3, rusqlite::types::Type::Text, Box::new(error))
        })?,
        metadata: row.get(4)?,
    })
}

fn answers(row: &Row<'_>, column: usize, session: &SessionId) -> Result<Answers, StoreError> {
    let json: String = row.get(column).map_err(sqlite)?;
    serde_json::from_str(&json).map_err(|error| {
        let detail = format!("a draft or a ballot of session {session} cannot be read: {error}");
        StoreError::Corrupt { file: SESSIONS.name, detail }
    })
}

fn parse(session: &SessionId, seq: Seq, json: &str) -> Result<Event, StoreError> {
    let damaged = |detail| StoreError::Corrupt { file: SESSIONS.name, detail };
    let event: Event = serde_json::from_str(json)
        .map_err(|error| damaged(format!("event {seq} of session {session} cannot be read: {error}")))?;
    if event.seq == seq {
        return Ok(event);
    }
    Err(damaged(format!("event {seq} of session {session} says that it is event {}", event.seq)))
}

fn sqlite(error: rusqlite::Error) -> StoreError {
    StoreError::sqlite(SESSIONS.name, error)
}
