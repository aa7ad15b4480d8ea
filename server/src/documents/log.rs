//! What survives of documents: `documents.sqlite` in the data directory, written by one thread with group commit. It knows places in
//! logs and bytes, and nothing of Yjs. Nothing that was not loaded from it is written over it: an update has the next place of its
//! document's log, and a snapshot the last one.
//!
//! Boards and notes are several people's work at once and are stored as they are, not under any one person's key.

use crate::control::now;
use crate::store::StoreError;
use crate::store::schema::{File, open_writer};
use lyceum_documents::{DocSeq, Snapshot, Stored, StoredUpdate};
use lyceum_session::{SessionId, TenantId};
use rusqlite::{Connection, OptionalExtension, params};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

const DOCUMENTS: File = File {
    name: "documents.sqlite",
    application_id: 0x4c79_446f, // "LyDo"
    migrations: &["
        CREATE TABLE documents (
            id INTEGER PRIMARY KEY,
            tenant TEXT NOT NULL,
            session TEXT NOT NULL,
            document TEXT NOT NULL,
            head INTEGER NOT NULL,
            UNIQUE (tenant, session, document)
        ) STRICT;

        CREATE TABLE updates (
            document INTEGER NOT NULL REFERENCES documents (id),
            seq INTEGER NOT NULL CHECK (seq > 0),
            at_ms INTEGER NOT NULL,
            person TEXT,
            bytes BLOB NOT NULL,
            PRIMARY KEY (document, seq)
        ) STRICT;

        CREATE TABLE snapshots (
            document INTEGER NOT NULL REFERENCES documents (id),
            seq INTEGER NOT NULL CHECK (seq > 0),
            at_ms INTEGER NOT NULL,
            bytes BLOB NOT NULL,
            PRIMARY KEY (document, seq)
        ) STRICT;
    "],
};

/// Snapshots kept of a document: the newest, and the one before with all updates since, should the newest be damaged.
const SNAPSHOTS: i64 = 2;
/// Most bytes that may wait for the disk.
const WAITING_BYTES_MAX: usize = 64 << 20;
/// A transaction takes in what waits for so long,
const BATCH_WINDOW: Duration = Duration::from_millis(5);
/// and so many appends at most.
const BATCH_MAX: usize = 2_000;
/// The write-ahead log is emptied into the file after so many commits.
const CHECKPOINT_COMMITS: u32 = 200;
/// What a job takes beside its bytes.
const RECORD: usize = 512;

/// The log of all documents: a handle that can be cloned and sent.
#[derive(Clone)]
pub struct DocumentLog {
    shared: Arc<Handle>,
}

struct Handle {
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    waiting_bytes: Arc<AtomicUsize>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// Which document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// Whose organisation.
    pub tenant: TenantId,
    /// Of which session.
    pub session: SessionId,
    /// Its name in the session.
    pub document: String,
}

enum Job {
    Append(Place, StoredUpdate, Answer<()>),
    Compact(Place, Snapshot, Answer<()>),
    Load(Place, Answer<Stored>),
}

type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

impl DocumentLog {
    /// Opens the file in a data directory that a [`crate::store::Store`] holds, or creates it. Blocks; call it at start.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let conn = open_writer(directory, &DOCUMENTS)?;
        let (jobs, waiting) = mpsc::channel();
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        let writer = Writer { conn, waiting, waiting_bytes: waiting_bytes.clone(), commits: 0, broken: None };
        let writer = std::thread::Builder::new()
            .name("documents-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| StoreError::Bug(format!("the writer of documents could not start: {error}")))?;
        let shared = Handle { jobs: Mutex::new(Some(jobs)), waiting_bytes, writer: Mutex::new(Some(writer)) };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Appends an update, which must be the next of its document. It is in line when this returns, behind everything before; the
    /// future resolves once it is durable, and may be dropped.
    pub fn append(
        &self,
        place: Place,
        update: StoredUpdate,
    ) -> impl Future<Output = Result<(), StoreError>> + Send + use<> {
        let bytes = update.bytes.len();
        self.submit(bytes, |answer| Job::Append(place, update, answer))
    }

    /// Stores a document as of its last update. The snapshot before it and the updates since that one are kept, older ones go.
    pub fn compact(
        &self,
        place: Place,
        snapshot: Snapshot,
    ) -> impl Future<Output = Result<(), StoreError>> + Send + use<> {
        let bytes = snapshot.bytes.len();
        self.submit(bytes, |answer| Job::Compact(place, snapshot, answer))
    }

    /// What is stored of a document, with everything that was in line before; empty if there is nothing.
    pub fn load(&self, place: Place) -> impl Future<Output = Result<Stored, StoreError>> + Send + use<> {
        self.submit(0, |answer| Job::Load(place, answer))
    }

    /// Stores what waits and closes the file. For every clone of the handle.
    pub async fn close(&self) {
        drop(lock(&self.shared.jobs).take());
        let writer = lock(&self.shared.writer).take();
        if let Some(writer) = writer
            && tokio::task::spawn_blocking(move || writer.join()).await.is_ok_and(|joined| joined.is_err())
        {
            tracing::error!("the writer of documents had died before it was closed");
        }
    }

    fn submit<T, J>(&self, bytes: usize, job: J) -> impl Future<Output = Result<T, StoreError>> + Send + use<T, J>
    where
        T: Send + 'static,
        J: FnOnce(Answer<T>) -> Job,
    {
        let (answer, answered) = oneshot::channel();
        let in_line = self.push(bytes + RECORD, job(answer));
        async move {
            in_line?;
            answered.await.unwrap_or(Err(StoreError::Closed))
        }
    }

    fn push(&self, bytes: usize, job: Job) -> Result<(), StoreError> {
        // Under the lock, so that the line is in the order of the calls.
        let jobs = lock(&self.shared.jobs);
        let jobs = jobs.as_ref().ok_or(StoreError::Closed)?;
        if self.shared.waiting_bytes.load(Relaxed).saturating_add(bytes) > WAITING_BYTES_MAX {
            return Err(StoreError::Overloaded);
        }
        self.shared.waiting_bytes.fetch_add(bytes, Relaxed);
        jobs.send(job).map_err(|_| StoreError::Closed)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Job {
    fn bytes(&self) -> usize {
        RECORD
            + match self {
                Job::Append(_, update, _) => update.bytes.len(),
                Job::Compact(_, snapshot, _) => snapshot.bytes.len(),
                Job::Load(..) => 0,
            }
    }
}

struct Writer {
    conn: Connection,
    waiting: mpsc::Receiver<Job>,
    waiting_bytes: Arc<AtomicUsize>,
    commits: u32,
    /// A disk that failed to sync may have lost what it said it had: nothing is written after that.
    broken: Option<StoreError>,
}

impl Writer {
    fn run(mut self) {
        while let Some(job) = self.take(true) {
            self.work(job);
        }
        if let Err(error) = self.checkpoint("TRUNCATE") {
            tracing::warn!(%error, "the documents' write-ahead log was not emptied; the next start reads it");
        }
    }

    fn take(&self, wait: bool) -> Option<Job> {
        let job = if wait { self.waiting.recv().ok()? } else { self.waiting.try_recv().ok()? };
        self.waiting_bytes.fetch_sub(job.bytes(), Relaxed);
        Some(job)
    }

    fn work(&mut self, first: Job) {
        let mut job = Some(first);
        while let Some(next) = job.take() {
            match next {
                // Whoever asked may have gone; so may those below.
                Job::Load(place, answer) => drop(answer.send(self.load(&place))),
                write => job = self.write_batch(write),
            }
        }
    }

    /// One transaction with everything that waits. Gives back a job that is none for it.
    fn write_batch(&mut self, first: Job) -> Option<Job> {
        let began = Instant::now();
        let mut answers: Vec<(Answer<()>, Result<(), StoreError>)> = Vec::new();
        let mut left = None;
        let mut job = Some(first);
        let mut written = match &self.broken {
            Some(error) => Err(error.clone()),
            None => self.conn.execute_batch("BEGIN IMMEDIATE").map_err(sqlite),
        };
        while let Some(next) = job.take() {
            let (result, answer) = match next {
                Job::Append(place, update, answer) => {
                    (written.clone().and_then(|()| self.append(&place, &update)), answer)
                }
                Job::Compact(place, snapshot, answer) => {
                    (written.clone().and_then(|()| self.compact(&place, &snapshot)), answer)
                }
                load @ Job::Load(..) => {
                    left = Some(load);
                    break;
                }
            };
            // An error of the file is the whole batch's; a refusal is the job's own.
            let refusal = result.unwrap_or_else(|error| {
                written = Err(error);
                Ok(())
            });
            answers.push((answer, refusal));
            if answers.len() < BATCH_MAX && began.elapsed() < BATCH_WINDOW {
                job = self.take(false);
            }
        }
        let written = written.and_then(|()| self.conn.execute_batch("COMMIT").map_err(|error| self.failed(error)));
        if let Err(error) = &written {
            // After some errors SQLite has rolled back by itself; this then fails, for there is nothing to roll back.
            let _ = self.conn.execute_batch("ROLLBACK");
            tracing::error!(%error, waiting = answers.len(), "documents could not be written");
        }
        for (answer, refusal) in answers {
            let _ = answer.send(written.clone().and(refusal));
        }
        self.commits += 1;
        if self.commits.is_multiple_of(CHECKPOINT_COMMITS)
            && let Err(error) = self.checkpoint("PASSIVE")
        {
            tracing::warn!(%error, "the documents' write-ahead log could not be emptied");
        }
        left
    }

    fn append(&self, place: &Place, update: &StoredUpdate) -> Result<Result<(), StoreError>, StoreError> {
        let known = self.find(place)?;
        let head = known.map_or(0, |(_, head)| head);
        if update.seq != head + 1 {
            return Ok(Err(refused(place, "an update is not the next of its document")));
        }
        let id = match known {
            Some((id, _)) => id,
            None => self
                .conn
                .prepare_cached("INSERT INTO documents (tenant, session, document, head) VALUES (?, ?, ?, 0)")
                .and_then(|mut insert| insert.insert(params![place.tenant.0, place.session.0, place.document]))
                .map_err(sqlite)?,
        };
        self.conn
            .prepare_cached("INSERT INTO updates (document, seq, at_ms, person, bytes) VALUES (?, ?, ?, ?, ?)")
            .and_then(|mut insert| {
                insert.execute(params![id, update.seq, now().0, update.person.as_deref(), &*update.bytes])
            })
            .map_err(sqlite)?;
        self.conn
            .prepare_cached("UPDATE documents SET head = ? WHERE id = ?")
            .and_then(|mut set| set.execute(params![update.seq, id]))
            .map_err(sqlite)?;
        Ok(Ok(()))
    }

    fn compact(&self, place: &Place, snapshot: &Snapshot) -> Result<Result<(), StoreError>, StoreError> {
        let Some((id, head)) = self.find(place)?.filter(|(_, head)| *head == snapshot.seq) else {
            return Ok(Err(refused(place, "a snapshot is not of the document's last update")));
        };
        let execute = |text: &str, values: &[&dyn rusqlite::ToSql]| {
            self.conn.prepare_cached(text).and_then(|mut statement| statement.execute(values)).map_err(sqlite)
        };
        execute(
            "INSERT OR REPLACE INTO snapshots (document, seq, at_ms, bytes) VALUES (?, ?, ?, ?)",
            &[&id, &head, &now().0, &&*snapshot.bytes],
        )?;
        execute(
            "DELETE FROM snapshots WHERE document = ?1 AND seq NOT IN
             (SELECT seq FROM snapshots WHERE document = ?1 ORDER BY seq DESC LIMIT ?2)",
            &[&id, &SNAPSHOTS],
        )?;
        // Of one snapshot alone, every update is kept.
        execute(
            "DELETE FROM updates WHERE document = ?1 AND seq <=
             (SELECT CASE count(*) WHEN ?2 THEN min(seq) ELSE 0 END FROM snapshots WHERE document = ?1)",
            &[&id, &SNAPSHOTS],
        )?;
        Ok(Ok(()))
    }

    fn load(&self, place: &Place) -> Result<Stored, StoreError> {
        let Some((id, head)) = self.find(place)? else { return Ok(Stored::default()) };
        let mut query = self
            .conn
            .prepare_cached("SELECT seq, bytes FROM snapshots WHERE document = ? ORDER BY seq DESC")
            .map_err(sqlite)?;
        let snapshots = query
            .query_map(params![id], |row| Ok(Snapshot { seq: row.get(0)?, bytes: row.get::<_, Vec<u8>>(1)?.into() }));
        let snapshots: Vec<Snapshot> = snapshots.and_then(Iterator::collect).map_err(sqlite)?;
        let mut query = self
            .conn
            .prepare_cached("SELECT seq, person, bytes FROM updates WHERE document = ? ORDER BY seq")
            .map_err(sqlite)?;
        let updates = query.query_map(params![id], |row| {
            let person: Option<String> = row.get(1)?;
            Ok(StoredUpdate {
                seq: row.get(0)?,
                person: person.map(Into::into),
                bytes: row.get::<_, Vec<u8>>(2)?.into(),
            })
        });
        let updates: Vec<StoredUpdate> = updates.and_then(Iterator::collect).map_err(sqlite)?;
        let newest = snapshots.first().map_or(0, |snapshot| snapshot.seq);
        let last = updates.last().map_or(newest, |update| update.seq.max(newest));
        if last != head {
            let detail = format!("a document ends at {last} and should at {head}");
            return Err(StoreError::Corrupt { file: DOCUMENTS.name, detail });
        }
        Ok(Stored { snapshots, updates })
    }

    fn find(&self, place: &Place) -> Result<Option<(i64, DocSeq)>, StoreError> {
        self.conn
            .prepare_cached("SELECT id, head FROM documents WHERE tenant = ? AND session = ? AND document = ?")
            .and_then(|mut query| {
                let place = params![place.tenant.0, place.session.0, place.document];
                query.query_row(place, |row| Ok((row.get(0)?, row.get(1)?))).optional()
            })
            .map_err(sqlite)
    }

    fn checkpoint(&self, mode: &str) -> Result<(), StoreError> {
        self.conn.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(())).map_err(sqlite)
    }

    fn failed(&mut self, error: rusqlite::Error) -> StoreError {
        let is_sync = matches!(&error, rusqlite::Error::SqliteFailure(failure, _)
            if failure.extended_code == rusqlite::ffi::SQLITE_IOERR_FSYNC);
        let error = sqlite(error);
        if is_sync {
            self.broken = Some(error.clone());
        }
        error
    }
}

fn refused(place: &Place, problem: &'static str) -> StoreError {
    StoreError::BadAppend { session: place.session.clone(), problem }
}

fn sqlite(error: rusqlite::Error) -> StoreError {
    StoreError::sqlite(DOCUMENTS.name, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board(page: u32) -> Place {
        Place { tenant: "school".into(), session: "RM_1".into(), document: format!("board:main:blank:{page}") }
    }

    fn update(seq: DocSeq) -> StoredUpdate {
        StoredUpdate { seq, person: Some("ann".into()), bytes: vec![seq as u8; 3].into() }
    }

    fn snapshot(seq: DocSeq) -> Snapshot {
        Snapshot { seq, bytes: vec![0xff, seq as u8].into() }
    }

    #[tokio::test]
    async fn what_was_appended_is_there_after_opening_again_each_page_by_itself() {
        let directory = tempfile::tempdir().unwrap();
        let log = DocumentLog::open(directory.path()).unwrap();
        assert_eq!(log.load(board(1)).await, Ok(Stored::default()));
        for seq in 1..=3 {
            log.append(board(1), update(seq)).await.unwrap();
        }
        log.append(board(2), update(1)).await.unwrap();
        log.close().await;
        assert_eq!(log.append(board(1), update(4)).await, Err(StoreError::Closed));

        let log = DocumentLog::open(directory.path()).unwrap();
        assert_eq!(log.load(board(1)).await.unwrap().updates, [update(1), update(2), update(3)]);
        assert_eq!(log.load(board(2)).await.unwrap().updates, [update(1)]);
    }

    #[tokio::test]
    async fn inv_20_what_was_not_loaded_from_the_log_is_not_written_over_it() {
        let directory = tempfile::tempdir().unwrap();
        let log = DocumentLog::open(directory.path()).unwrap();
        log.append(board(1), update(1)).await.unwrap();
        log.append(board(1), update(2)).await.unwrap();
        let refused = [
            log.append(board(1), update(1)).await,
            log.append(board(1), update(4)).await,
            log.compact(board(1), snapshot(1)).await,
            log.compact(board(2), snapshot(0)).await,
        ];
        assert!(refused.iter().all(|result| matches!(result, Err(StoreError::BadAppend { .. }))), "{refused:?}");
        assert_eq!(log.load(board(1)).await.unwrap().updates, [update(1), update(2)]);
    }

    #[tokio::test]
    async fn a_compaction_keeps_the_snapshot_before_and_the_updates_since() {
        let directory = tempfile::tempdir().unwrap();
        let log = DocumentLog::open(directory.path()).unwrap();
        for seq in 1..=9 {
            log.append(board(1), update(seq)).await.unwrap();
            if seq % 3 == 0 {
                log.compact(board(1), snapshot(seq)).await.unwrap();
            }
        }
        log.append(board(1), update(10)).await.unwrap();
        let stored = log.load(board(1)).await.unwrap();
        assert_eq!(stored.snapshots, [snapshot(9), snapshot(6)]);
        assert_eq!(stored.updates, [update(7), update(8), update(9), update(10)]);
    }

    #[tokio::test]
    async fn a_log_that_lost_its_end_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let log = DocumentLog::open(directory.path()).unwrap();
        log.append(board(1), update(1)).await.unwrap();
        log.append(board(1), update(2)).await.unwrap();
        log.close().await;
        let file = Connection::open(directory.path().join(DOCUMENTS.name)).unwrap();
        file.execute("DELETE FROM updates WHERE seq = 2", []).unwrap();
        drop(file);
        let log = DocumentLog::open(directory.path()).unwrap();
        assert!(matches!(log.load(board(1)).await, Err(StoreError::Corrupt { .. })));
    }

    #[tokio::test]
    async fn many_appends_are_few_commits_and_stay_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let log = DocumentLog::open(directory.path()).unwrap();
        let appends: Vec<_> = (1..=500).map(|seq| log.append(board(1), update(seq))).collect();
        for append in appends {
            append.await.unwrap();
        }
        assert_eq!(log.load(board(1)).await.unwrap().updates.len(), 500);
    }
}
