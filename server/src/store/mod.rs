//! What survives a crash: rooms, each session's log and the drafts and ballots beside it, when a session was last alive, and the keys of persons. One thread writes,
//! with group commit to SQLite; readers have connections of their own. It knows what an event looks like, and nothing of what
//! may happen in a class.
//!
//! In the data directory: `sessions.sqlite` (rooms, sessions, events, heartbeats, drafts, ballots), `keys.sqlite` (person keys, erasable) and
//! `lyceum.lock` (one process at a time).

mod error;
mod keys;
mod queue;
mod reader;
pub(crate) mod schema;
mod writer;

pub use error::StoreError;
pub use keys::ERASED;

use keys::Keys;
use lyceum_session::class::SideWrite;
use lyceum_session::{Event, PersonId, Policy, RoomName, Seq, SessionId, TenantId, UnixMs};
use queue::{Queue, Work};
use reader::{Reader, Readers};
use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// How far each session's log goes.
pub type Heads = Vec<((TenantId, SessionId), Seq)>;

/// The store of one data directory: a handle that can be cloned and sent. When the last one is gone, the writer stores what still
/// waits and ends; [`Store::close`] waits for that.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

/// A durable, reusable place: what is kept of a Room between its sessions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Room {
    /// Whose organisation.
    pub tenant: TenantId,
    /// LiveKit's room name.
    pub name: RoomName,
    /// When it was first stored.
    pub created_at: UnixMs,
    /// Where its sessions differ from the server's policy.
    pub policy: PolicyOverrides,
    /// Application text; belongs to no person.
    pub metadata: String,
}

/// Where a Room's sessions differ from the server's [`Policy`]; `None` takes the server's value.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PolicyOverrides {
    /// Most people present.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_participants: Option<u32>,
    /// Milliseconds without a connection before `offline`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presence_grace_ms: Option<u64>,
    /// Milliseconds that a session waits for its first person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub empty_timeout_ms: Option<u64>,
    /// Milliseconds that a session waits after the last person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub departure_timeout_ms: Option<u64>,
    /// Most tracks of one connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tracks_per_connection: Option<u32>,
}

/// What is kept of a session beside its log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionRow {
    /// Whose organisation.
    pub tenant: TenantId,
    /// Which session.
    pub session: SessionId,
    /// Which Room it is held in.
    pub room: RoomName,
    /// Time of its first event.
    pub started_at: UnixMs,
    /// Time of `session.ended`; `None` while it is live.
    pub ended_at: Option<UnixMs>,
    /// Place of its last durable event.
    pub head: Seq,
}

/// A session that has not ended, as a server that starts finds it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LiveSession {
    /// Whose organisation.
    pub tenant: TenantId,
    /// Which session.
    pub session: SessionId,
    /// Which Room it is held in.
    pub room: RoomName,
    /// Time of its first event.
    pub started_at: UnixMs,
    /// The last moment at which it is known to have run: its last heartbeat or event, whichever is later.
    pub last_seen: UnixMs,
}

/// Which sessions to list; newest first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SessionFilter {
    /// Only those of this Room.
    pub room: Option<RoomName>,
    /// Only live ones, or only ended ones.
    pub live: Option<bool>,
    /// Only those that come after this one in the list: its `started_at` and its id.
    pub after: Option<(UnixMs, SessionId)>,
}

/// What the store has done since it was opened; for `/metrics`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StoreStats {
    /// Transactions committed.
    pub commits: u64,
    /// Events in them.
    pub events: u64,
    /// Time spent in commits (the disk's time), in microseconds.
    pub commit_us: u64,
    /// Memory held by what waits to be stored, in bytes. A level, not a sum.
    pub waiting_bytes: u64,
}

impl Store {
    /// Opens the store of a data directory, or creates it; the directory above it must exist. Blocks; call it at start.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, StoreError> {
        let directory = directory.as_ref();
        create_directory(directory).map_err(|error| StoreError::directory(directory, &error))?;
        let lock = Lock::take(directory)?;
        let (conn, keys) = open_pair(directory)?;
        let queue = Arc::new(Queue::new());
        let followers = Arc::new(Followers::default());
        let counters = Arc::new(Counters::default());
        let writer =
            writer::Writer::new(conn, keys, Arc::clone(&queue), Arc::clone(&followers), Arc::clone(&counters), lock);
        let writer = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| StoreError::Bug(format!("the writer thread could not start: {error}")))?;
        let shared = Shared {
            queue,
            followers,
            counters,
            readers: Arc::new(Readers::new(directory.to_owned())),
            writer: Mutex::new(Some(writer)),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Appends events to a session's log, and what lies beside it: all of them or none. They are in line when this returns, in
    /// the order of the calls; the future resolves once they are durable, and may be dropped. Events must continue the log
    /// without a gap, from `session.started` at 1, and a Room has one live session at a time. After an error, events that were
    /// appended behind it to the same session fail too.
    ///
    /// A draft may come alone, and is of a poll that the log has. A ballot comes with the `poll.responded` that it belongs to.
    /// Drafts that an event says are of no use any more go with it; a draft in the same call counts as saved after its events.
    ///
    /// Joining the line never blocks. A caller bounds what it leaves in line, by waiting for its futures or for [`Store::ready`];
    /// beyond a bound for all sessions together it gets [`StoreError::Overloaded`].
    pub fn append(
        &self,
        tenant: TenantId,
        session: SessionId,
        events: Vec<Event>,
        side: Vec<SideWrite>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send + use<> {
        self.submit(Work::Append { tenant, session, events, side })
    }

    /// Remembers that these sessions were alive at this time. Sessions that are unknown or have ended are passed over.
    pub fn heartbeat(
        &self,
        sessions: Vec<(TenantId, SessionId)>,
        at: UnixMs,
    ) -> impl Future<Output = Result<(), StoreError>> + Send + use<> {
        self.submit(Work::Heartbeat { sessions, at })
    }

    /// Stores a Room, or changes it: a Room that is known keeps its `created_at`. Returns it as it is stored.
    pub async fn upsert_room(&self, room: Room) -> Result<Room, StoreError> {
        let (tenant, name) = (room.tenant.clone(), room.name.clone());
        self.submit(Work::UpsertRoom(room)).await?;
        let stored = self.room(tenant, name).await?;
        stored.ok_or_else(|| StoreError::Bug("a room that was stored is not there".to_owned()))
    }

    /// Erases a person: their key is gone, and every text of theirs that was stored before reads as [`ERASED`]. Logs keep their
    /// events and their order. Texts that are appended later get a new key. Erasing somebody unknown does nothing.
    pub fn erase_person(
        &self,
        tenant: TenantId,
        person: PersonId,
    ) -> impl Future<Output = Result<(), StoreError>> + Send + use<> {
        self.submit(Work::Erase { tenant, person })
    }

    /// Resolves when a small write of its own is durable, and with it the fate of everything that was in line before is decided.
    /// Tells whether the store can be written; and what is read afterwards lacks nothing of what was appended before.
    pub fn probe(&self) -> impl Future<Output = Result<(), StoreError>> + Send + use<> {
        self.submit(Work::Probe)
    }

    /// Resolves at once, or, while much is waiting to be stored, when there is room again.
    pub async fn ready(&self) {
        self.shared.queue.short().await;
    }

    /// A session's events from a place on, in order: at most `limit`, and fewer if they are long, but none only where the log ends.
    pub async fn read(
        &self,
        tenant: TenantId,
        session: SessionId,
        from: Seq,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError> {
        self.ask(move |reader| reader.events(&tenant, &session, from, limit)).await
    }

    /// What lies beside a session's log, to be given to `State::keep` after the log was read: drafts by poll and person, then
    /// ballots by poll and choice.
    pub async fn side(&self, tenant: TenantId, session: SessionId) -> Result<Vec<SideWrite>, StoreError> {
        self.ask(move |reader| reader.side(&tenant, &session)).await
    }

    /// The place of a session's last durable event; 0 if there is none.
    pub async fn head(&self, tenant: TenantId, session: SessionId) -> Result<Seq, StoreError> {
        self.ask(move |reader| reader.head(&tenant, &session)).await
    }

    /// Follows the place of a session's last durable event. To tail a log: read up to it, wait for a change, read on.
    pub async fn subscribe(&self, tenant: TenantId, session: SessionId) -> Result<watch::Receiver<Seq>, StoreError> {
        // Followed first and read afterwards, so that no commit falls between.
        let receiver = self.shared.followers.follow(&tenant, &session);
        let head = self.head(tenant.clone(), session.clone()).await?;
        self.shared.followers.tell(&HashMap::from([((tenant, session), head)]));
        Ok(receiver)
    }

    /// Begins to remember which logs grow; see [`Store::appended`].
    pub fn gather_appended(&self) {
        self.shared.followers.gather();
    }

    /// The logs that have grown since this was asked last, and where each ends; waits for the first. For one caller.
    pub async fn appended(&self) -> Heads {
        self.shared.followers.gathered().await
    }

    /// The same without waiting.
    pub fn appended_so_far(&self) -> Heads {
        self.shared.followers.gathered_so_far()
    }

    /// Every log of every tenant, in the order of tenants and sessions, and where each ends: a page after the given one.
    pub async fn heads(&self, after: Option<(TenantId, SessionId)>, limit: usize) -> Result<Heads, StoreError> {
        self.ask(move |reader| reader.heads(after.as_ref(), limit)).await
    }

    /// One session.
    pub async fn session(&self, tenant: TenantId, session: SessionId) -> Result<Option<SessionRow>, StoreError> {
        self.ask(move |reader| reader.session(&tenant, &session)).await
    }

    /// A page of a tenant's sessions, newest first.
    pub async fn sessions(
        &self,
        tenant: TenantId,
        filter: SessionFilter,
        limit: usize,
    ) -> Result<Vec<SessionRow>, StoreError> {
        self.ask(move |reader| reader.sessions(&tenant, &filter, limit)).await
    }

    /// Every session of every tenant that has not ended.
    pub async fn live_sessions(&self) -> Result<Vec<LiveSession>, StoreError> {
        self.ask(Reader::live_sessions).await
    }

    /// One Room.
    pub async fn room(&self, tenant: TenantId, name: RoomName) -> Result<Option<Room>, StoreError> {
        self.ask(move |reader| reader.room(&tenant, &name)).await
    }

    /// A page of a tenant's Rooms, by name, after the given one.
    pub async fn rooms(
        &self,
        tenant: TenantId,
        after: Option<RoomName>,
        limit: usize,
    ) -> Result<Vec<Room>, StoreError> {
        self.ask(move |reader| reader.rooms(&tenant, after.as_ref(), limit)).await
    }

    /// What the store has done so far.
    pub fn stats(&self) -> StoreStats {
        let counters = &self.shared.counters;
        StoreStats {
            commits: counters.commits.load(Relaxed),
            events: counters.events.load(Relaxed),
            commit_us: counters.commit_us.load(Relaxed),
            waiting_bytes: self.shared.queue.bytes() as u64,
        }
    }

    /// Stores what still waits, refuses everything else, and lets go of the data directory. For every clone of the handle.
    pub async fn close(&self) {
        self.shared.queue.close();
        self.shared.readers.close();
        let writer = lock(&self.shared.writer).take();
        if let Some(writer) = writer
            && tokio::task::spawn_blocking(move || writer.join()).await.is_ok_and(|joined| joined.is_err())
        {
            tracing::error!("the store's writer had died before it was closed");
        }
    }

    fn submit(&self, work: Work) -> impl Future<Output = Result<(), StoreError>> + Send + use<> {
        let in_line = self.shared.queue.push(work);
        async move { in_line?.await.unwrap_or(Err(StoreError::Closed)) }
    }

    async fn ask<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        Arc::clone(&self.shared.readers).run(query).await
    }
}

impl PolicyOverrides {
    /// The policy of a session of this Room, on a server with this policy.
    pub fn over(&self, server: &Policy) -> Policy {
        Policy {
            max_participants: self.max_participants.unwrap_or(server.max_participants),
            presence_grace_ms: self.presence_grace_ms.unwrap_or(server.presence_grace_ms),
            empty_timeout_ms: self.empty_timeout_ms.unwrap_or(server.empty_timeout_ms),
            departure_timeout_ms: self.departure_timeout_ms.unwrap_or(server.departure_timeout_ms),
            max_tracks_per_connection: self.max_tracks_per_connection.unwrap_or(server.max_tracks_per_connection),
            resume_window_ms: server.resume_window_ms,
        }
    }
}

/// What the clones of a handle share.
struct Shared {
    queue: Arc<Queue>,
    followers: Arc<Followers>,
    counters: Arc<Counters>,
    readers: Arc<Readers>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// Logs of a data directory, read beside whoever writes them, or when nobody does.
pub struct LogReader(Reader);

impl LogReader {
    /// Opens the files of a data directory that a [`Store`] has made. Blocks, as everything here does.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, StoreError> {
        Reader::open(directory.as_ref()).map(Self)
    }

    /// See [`Store::read`].
    pub fn read(
        &self,
        tenant: &TenantId,
        session: &SessionId,
        from: Seq,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError> {
        self.0.events(tenant, session, from, limit)
    }
}

/// Who follows which log.
#[derive(Default)]
struct Followers {
    heads: Mutex<HashMap<(TenantId, SessionId), watch::Sender<Seq>>>,
    /// Logs that have grown, once somebody wants to know: each log once.
    grown: Mutex<Option<BTreeMap<(TenantId, SessionId), Seq>>>,
    growth: Notify,
}

impl Followers {
    fn follow(&self, tenant: &TenantId, session: &SessionId) -> watch::Receiver<Seq> {
        let mut heads = lock(&self.heads);
        heads.retain(|_, head| head.receiver_count() > 0);
        heads.entry((tenant.clone(), session.clone())).or_default().subscribe()
    }

    fn gather(&self) {
        lock(&self.grown).get_or_insert_default();
    }

    async fn gathered(&self) -> Heads {
        loop {
            let growth = self.growth.notified();
            let grown = self.gathered_so_far();
            if !grown.is_empty() {
                return grown;
            }
            growth.await;
        }
    }

    fn gathered_so_far(&self) -> Heads {
        lock(&self.grown).as_mut().map(std::mem::take).unwrap_or_default().into_iter().collect()
    }

    fn tell(&self, new: &HashMap<(TenantId, SessionId), Seq>) {
        if let Some(grown) = lock(&self.grown).as_mut() {
            grown.extend(new.iter().map(|(log, seq)| (log.clone(), *seq)));
            self.growth.notify_one();
        }
        let heads = lock(&self.heads);
        if heads.is_empty() {
            return;
        }
        for (log, seq) in new {
            if let Some(head) = heads.get(log) {
                head.send_if_modified(|head| std::mem::replace(head, (*head).max(*seq)) < *seq);
            }
        }
    }
}

#[derive(Default)]
struct Counters {
    commits: AtomicU64,
    events: AtomicU64,
    commit_us: AtomicU64,
}

impl Counters {
    fn committed(&self, events: usize, took: Duration) {
        self.commits.fetch_add(1, Relaxed);
        self.events.fetch_add(events as u64, Relaxed);
        self.commit_us.fetch_add(took.as_micros() as u64, Relaxed);
    }
}

/// The data directory is ours for as long as this lives; the operating system gives it back however the process ends.
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing alone leaves the lock to a process that is just being started and has not closed its copy of the file yet.
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "the data directory could not be unlocked");
        }
    }
}

impl Lock {
    fn take(directory: &Path) -> Result<Self, StoreError> {
        let failed = |error: std::io::Error| StoreError::directory(directory, &error);
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(directory.join("lyceum.lock")).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {
                file.set_len(0).map_err(failed)?;
                write!(file, "process {}", std::process::id()).map_err(failed)?;
                Ok(Self(file))
            }
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Only for the message: a process that has just taken the lock may not have written its number yet.
                let _ = file.take(64).read_to_string(&mut holder);
                let holder = if holder.is_empty() { "process unknown".to_owned() } else { holder };
                Err(StoreError::InUse { directory: directory.display().to_string(), holder })
            }
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

/// Creates the data directory, for our own user only. Not its parents: a path with a slip of the pen is an error.
fn create_directory(directory: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    if directory.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new().mode(0o700).create(directory)?;
    let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // The directory's own entry is durable too before anything in it is promised.
    File::open(parent)?.sync_all()
}

/// Opens both files and sees to it that they belong together: they carry the same random id.
fn open_pair(directory: &Path) -> Result<(Connection, Keys), StoreError> {
    let conn = schema::open_writer(directory, &schema::SESSIONS)?;
    let keys = Keys::open_writer(directory)?;
    let in_sessions = store_id(&conn, schema::SESSIONS.name)?;
    let in_keys = store_id(keys.conn(), schema::KEYS.name)?;
    match (in_sessions, in_keys) {
        (Some(one), Some(other)) if one == other => {}
        (Some(_), Some(_)) => return Err(StoreError::Mismatch { detail: "they come from different stores" }),
        (Some(_), None) => {
            return Err(StoreError::Mismatch {
                detail: "keys.sqlite is new, and without its keys no name can be read",
            });
        }
        (None, in_keys) => {
            if !keys.is_empty()? {
                return Err(StoreError::Mismatch { detail: "sessions.sqlite is new, but keys.sqlite holds keys" });
            }
            // A new store. The keys' file is first: a crash in between leaves a file without keys, which is as good as new.
            let id = match in_keys {
                Some(id) => id,
                None => {
                    let id = keys::random::<16>()?.to_vec();
                    set_store_id(keys.conn(), schema::KEYS.name, &id)?;
                    id
                }
            };
            set_store_id(&conn, schema::SESSIONS.name, &id)?;
        }
    }
    Ok((conn, keys))
}

fn store_id(conn: &Connection, file: &'static str) -> Result<Option<Vec<u8>>, StoreError> {
    let id = conn.query_row("SELECT id FROM store", [], |row| row.get(0));
    id.optional().map_err(|error| StoreError::sqlite(file, error))
}

fn set_store_id(conn: &Connection, file: &'static str, id: &[u8]) -> Result<(), StoreError> {
    conn.execute("INSERT INTO store (id) VALUES (?)", [id]).map(drop).map_err(|error| StoreError::sqlite(file, error))
}

/// Locks what no holder leaves half-changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
