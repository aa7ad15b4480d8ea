//! What is kept: statements in one order, what they can be found by, attachments, what is known of activities, and documents. One thread
//! writes and commits what has come in meanwhile together; a few threads read. The same on SQLite and on PostgreSQL.

mod document;
mod key;
mod read;
mod statement;
mod writer;

pub(crate) use self::statement::{Batch, Prepared};
pub(crate) use document::{
    Change, DocumentName, DocumentScope, Kind, Precondition, Unsaid, get as document, is_json, names,
};
pub(crate) use read::{Query, contents, definitions, last, page, statement};

use crate::db::{Conn, Database, DbError, Role};
use document::DocumentWork;
use lyceum_xapi::{Json, Uuid, Version, validate};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::oneshot;

/// What may wait to be written, in bytes; beyond it writers are asked to come back.
const MAX_WAITING: usize = 64 << 20;
/// Requests that may wait for a reader.
const MAX_READS_WAITING: usize = 2000;
/// Threads that read.
const READERS: usize = 4;

/// Records on SQLite or PostgreSQL; a handle that can be cloned.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

/// Why the store did not do what was asked. Nothing was changed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StoreError {
    /// Operator: no space.
    #[error("no space is left where records are kept: free some, and records are taken again")]
    Full,
    /// Operator or machine: the database cannot be used.
    #[error("the database cannot be used: {0}")]
    Unavailable(String),
    /// Load: more comes in than can be written.
    #[error("more is waiting to be stored than is accepted: try again in a moment")]
    Overloaded,
    /// The store was closed.
    #[error("the record store is closed")]
    Closed,
    /// A statement with this id is stored already, and it says something else.
    #[error("statement {index} of the request has the id of another statement that is stored already")]
    Conflict {
        /// Which, from 0.
        index: usize,
    },
    /// The document is not what the request expects.
    #[error("{0}")]
    Precondition(&'static str),
    /// There is a document already, and the request does not say whether it knows.
    #[error(
        "there is a document already: read it, and send its entity tag in If-Match, or If-None-Match: * to write only where there \
         is none"
    )]
    Exists,
    /// The request must say what it knows.
    #[error(
        "send If-None-Match: * to write only where there is no document, or If-Match with the entity tag of the one that you read"
    )]
    Unsaid,
    /// The two documents cannot be merged.
    #[error("{0}")]
    CannotMerge(&'static str),
    /// A statement that the embedder made breaks a rule of the Experience API.
    #[error("statement {index}: {problem}")]
    Invalid {
        /// Which, from 0.
        index: usize,
        /// Where, and which rule.
        problem: String,
    },
    /// An error of ours.
    #[error("bug in the record store: {0}")]
    Bug(String),
}

impl From<DbError> for StoreError {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Full(_) => Self::Full,
            DbError::Unavailable(text) => Self::Unavailable(text),
            DbError::Refused(text) => Self::Bug(text),
        }
    }
}

/// What the store has done since it was opened; for metrics.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StoreStats {
    /// Transactions committed.
    pub commits: u64,
    /// Statements in them.
    pub statements: u64,
    /// What waits to be written, in bytes. A level, not a sum.
    pub waiting_bytes: u64,
}

impl Store {
    /// Opens the store, and creates its tables if there are none. Blocks; call it at start.
    pub fn open(database: Database) -> Result<Self, StoreError> {
        let conn = database.connect(Role::Writer)?;
        let clock = Arc::new(Clock::default());
        let waiting = Arc::new(AtomicUsize::new(0));
        let counters = Arc::new(Counters::default());
        let (work, works) = channel();
        let writer = writer::Writer::new(
            database.clone(),
            conn,
            Arc::clone(&clock),
            Arc::clone(&waiting),
            Arc::clone(&counters),
        )?;
        let writer = spawn("lrs-writer", move || writer.run(&works))?;
        let (read, reads) = channel();
        let reads = Arc::new(Mutex::new(reads));
        let reads_waiting = Arc::new(AtomicUsize::new(0));
        for _ in 0..READERS {
            let (database, reads, waiting) = (database.clone(), Arc::clone(&reads), Arc::clone(&reads_waiting));
            spawn("lrs-reader", move || serve_reads(&database, &reads, &waiting))?;
        }
        let channels = Mutex::new(Some(Channels { work, read, writer }));
        Ok(Self { shared: Arc::new(Shared { channels, clock, waiting, reads_waiting, counters }) })
    }

    /// Stores statements that the embedder made itself, each with an id, for a tenant: all of them or none. Those that are stored already
    /// stay as they are. Activities' definitions are taken over. `authority` is who vouches for them.
    pub async fn record(&self, tenant: &str, authority: &Json, statements: Vec<Json>) -> Result<(), StoreError> {
        let mut prepared = Vec::with_capacity(statements.len());
        for (index, statement) in statements.into_iter().enumerate() {
            let invalid = |problem: String| StoreError::Invalid { index, problem };
            validate::statement(&statement, Version::V2).map_err(|problems| {
                invalid(problems.first().map_or_else(String::new, |problem| problem.to_string()))
            })?;
            let id = statement.get_str("id").and_then(Uuid::parse);
            let id = id.ok_or_else(|| invalid("/id: must be there".to_owned()))?;
            prepared.push(Prepared::new(statement, id, tenant, authority, Version::V2));
        }
        let contents = Contents::new();
        self.insert(Batch { tenant: tenant.to_owned(), statements: prepared, contents, define: true }).await
    }

    /// Stores statements: all of them or none. Those that are stored already stay as they are.
    pub(crate) async fn insert(&self, batch: Batch) -> Result<(), StoreError> {
        let bytes = batch.bytes();
        self.write(bytes, |reply| writer::Work::Statements(Box::new(batch), reply)).await
    }

    /// Changes a document.
    pub(crate) async fn change(
        &self,
        name: DocumentName,
        change: Change,
        when: Precondition,
    ) -> Result<(), StoreError> {
        let bytes = change.bytes();
        let work = DocumentWork { name, change, when };
        self.write(bytes, |reply| writer::Work::Document(Box::new(work), reply)).await
    }

    /// Removes all documents of a scope.
    pub(crate) async fn remove_all(&self, scope: DocumentScope) -> Result<(), StoreError> {
        self.write(500, |reply| writer::Work::RemoveAll(Box::new(scope), reply)).await
    }

    /// Runs a query on a connection that only reads.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut dyn Conn) -> Result<T, DbError> + Send + 'static,
    ) -> Result<T, StoreError> {
        if self.shared.reads_waiting.fetch_add(1, SeqCst) >= MAX_READS_WAITING {
            self.shared.reads_waiting.fetch_sub(1, SeqCst);
            return Err(StoreError::Overloaded);
        }
        let (reply, answer) = oneshot::channel();
        let job: ReadJob = Box::new(move |conn| {
            // Whoever asked may have gone.
            let _ = reply.send(match conn {
                Ok(conn) => query(conn),
                Err(error) => Err(error),
            });
        });
        self.channels(|channels| channels.read.send(job).map_err(|_| StoreError::Closed))?;
        Ok(answer.await.map_err(|_| StoreError::Closed)??)
    }

    /// All statements up to this moment can be read.
    pub(crate) fn consistent_through(&self) -> i64 {
        self.shared.clock.consistent_through()
    }

    /// What the store has done so far.
    pub fn stats(&self) -> StoreStats {
        StoreStats {
            commits: self.shared.counters.commits.load(SeqCst),
            statements: self.shared.counters.statements.load(SeqCst),
            waiting_bytes: self.shared.waiting.load(SeqCst) as u64,
        }
    }

    /// Stores what still waits, and refuses everything else. For every clone of the handle. Blocks for as long as that takes.
    pub fn close(&self) {
        let channels = self.shared.channels.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Channels { work, read, writer }) = channels {
            drop((work, read));
            if writer.join().is_err() {
                tracing::error!("the record store's writer had died before it was closed");
            }
        }
    }

    async fn write(&self, bytes: usize, work: impl FnOnce(writer::Reply) -> writer::Work) -> Result<(), StoreError> {
        let waiting = &self.shared.waiting;
        if waiting.fetch_add(bytes, SeqCst) > MAX_WAITING {
            waiting.fetch_sub(bytes, SeqCst);
            return Err(StoreError::Overloaded);
        }
        let (reply, answer) = oneshot::channel();
        let work = work(writer::Reply { reply, bytes });
        self.channels(|channels| channels.work.send(work).map_err(|_| StoreError::Closed))?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    fn channels<T>(&self, send: impl FnOnce(&Channels) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let channels = self.shared.channels.lock().unwrap_or_else(PoisonError::into_inner);
        channels.as_ref().ok_or(StoreError::Closed).and_then(send)
    }
}

struct Shared {
    channels: Mutex<Option<Channels>>,
    clock: Arc<Clock>,
    waiting: Arc<AtomicUsize>,
    reads_waiting: Arc<AtomicUsize>,
    counters: Arc<Counters>,
}

struct Channels {
    work: Sender<writer::Work>,
    read: Sender<ReadJob>,
    writer: JoinHandle<()>,
}

#[derive(Default)]
struct Counters {
    commits: AtomicU64,
    statements: AtomicU64,
}

type ReadJob = Box<dyn FnOnce(Result<&mut dyn Conn, DbError>) + Send>;

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
    thread.map_err(|error| StoreError::Bug(format!("the thread {name} could not start: {error}")))
}

/// A reader's life: takes a query, runs it, takes the next. A connection that is gone is made again for the next query.
fn serve_reads(database: &Database, jobs: &Mutex<Receiver<ReadJob>>, waiting: &AtomicUsize) {
    let mut conn: Option<Box<dyn Conn>> = None;
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        waiting.fetch_sub(1, SeqCst);
        if conn.as_ref().is_none_or(|conn| conn.is_gone()) {
            match database.connect(Role::Reader) {
                Ok(new) => conn = Some(new),
                Err(error) => {
                    job(Err(error));
                    continue;
                }
            }
        }
        if let Some(conn) = &mut conn {
            job(Ok(conn.as_mut()));
        }
    }
}

/// The time of the records, in microseconds. It never goes back, whatever the system's clock does.
#[derive(Default)]
struct Clock {
    latest: AtomicI64,
    /// While something is being committed, a moment before which everything is committed; otherwise 0.
    committing: AtomicI64,
}

impl Clock {
    fn now(&self) -> i64 {
        let system = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64);
        self.latest.fetch_max(system, SeqCst).max(system)
    }

    /// Statements that are stored from here on are later than this.
    fn begin_commit(&self) {
        self.committing.store(self.now().max(1), SeqCst);
    }

    fn end_commit(&self) {
        self.committing.store(0, SeqCst);
    }

    fn consistent_through(&self) -> i64 {
        // The time first: what begins to be committed after it is later than it.
        let now = self.now();
        match self.committing.load(SeqCst) {
            0 => now - 1,
            committing => now.min(committing) - 1,
        }
    }
}

/// What statements bring beside themselves.
pub(crate) type Contents = BTreeMap<String, Vec<u8>>;
