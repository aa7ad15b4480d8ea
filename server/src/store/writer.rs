//! The one thread that writes. It takes what waits as one transaction (group commit), sees to it that each session's log has no
//! gap, has keys on disk before the texts that need them, and tells callers and followers only after the commit.

use super::keys::{self, KeyRing, Keys, checkpoint};
use super::queue::{Done, Job, Queue, Work};
use super::schema::{self, SESSIONS};
use super::{Counters, Followers, Lock, Room, StoreError};
use lyceum_session::class::{ClassFact, SideWrite};
use lyceum_session::{Event, Fact, PersonId, RoomName, Seq, SessionId, TenantId, Text, UnixMs};
use rusqlite::{Connection, OptionalExtension, Params, params};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a batch that has begun takes in newcomers before it is committed.
const BATCH_WINDOW: Duration = Duration::from_millis(5);
/// Most events, drafts and ballots in one transaction, so that a backlog is told of in steps.
const BATCH_RECORDS_MAX: usize = 4096;
/// Commits or events after which the write-ahead log is copied into the file: some megabytes.
const CHECKPOINT_COMMITS: u64 = 500;
const CHECKPOINT_EVENTS: u64 = 5_000;
/// When a cache holds this many entries it starts anew; all of it can be read again from the files.
const CACHE_MAX: usize = 20_000;

pub(super) struct Writer {
    conn: Connection,
    keys: Keys,
    queue: Arc<Queue>,
    followers: Arc<Followers>,
    counters: Arc<Counters>,
    /// Held for as long as the files may be written.
    _lock: Lock,
    /// Keys that were used lately.
    ring: KeyRing,
    /// Where the logs end that were written lately.
    heads: HashMap<(TenantId, SessionId), Head>,
    /// Since the write-ahead log was last copied.
    commits: u64,
    events: u64,
    /// Ballots were mixed, and the write-ahead log still holds them as they came.
    traces: bool,
    /// Set once the disk has failed to sync: what it holds is not known until the files are opened anew.
    broken: Option<StoreError>,
}

/// Where a session's log ends.
#[derive(Clone, Copy)]
struct Head {
    seq: Seq,
    ended: bool,
}

/// What one transaction has taken in.
#[derive(Default)]
struct Batch {
    /// Whom to tell, and what if the commit succeeds.
    answers: Vec<(Done, Result<(), StoreError>)>,
    heads: HashMap<(TenantId, SessionId), Seq>,
    events: usize,
    /// Events, drafts and ballots.
    records: usize,
    /// Whether ballots of a poll were mixed.
    mixed: bool,
}

impl Writer {
    pub fn new(
        conn: Connection,
        keys: Keys,
        queue: Arc<Queue>,
        followers: Arc<Followers>,
        counters: Arc<Counters>,
        lock: Lock,
    ) -> Self {
        Self {
            conn,
            keys,
            queue,
            followers,
            counters,
            _lock: lock,
            ring: HashMap::new(),
            heads: HashMap::new(),
            commits: 0,
            events: 0,
            traces: false,
            broken: None,
        }
    }

    /// Runs until the queue is closed and empty.
    pub fn run(mut self) {
        // Should this thread die, nobody waits for ever.
        let _abandon = Abandon(Arc::clone(&self.queue));
        while let Some(job) = self.queue.wait() {
            if let Some(error) = &self.broken {
                job.answer(Err(error.clone()));
            } else if let Work::Erase { tenant, person } = &job.work {
                let result = self.keys.erase(&mut self.ring, tenant, person);
                job.answer(result);
            } else {
                self.write_batch(job);
                self.checkpoint_when_due();
            }
        }
        for conn in [&self.conn, self.keys.conn()] {
            if let Err(error) = checkpoint(conn, "TRUNCATE") {
                tracing::warn!(%error, "the store's write-ahead log was not emptied; the next start reads it");
            }
        }
    }

    fn write_batch(&mut self, first: Job) {
        let mut batch = Batch::default();
        let written = self.fill(first, &mut batch).and_then(|()| self.commit(&batch));
        if let Err(error) = &written {
            // After some errors SQLite has rolled back by itself; this then fails, for there is nothing to roll back.
            let _ = self.conn.execute_batch("ROLLBACK");
            self.heads.clear();
            tracing::error!(%error, waiting = batch.answers.len(), "the store could not write");
        } else {
            self.followers.tell(&batch.heads);
        }
        for (done, answer) in batch.answers {
            done.answer(written.clone().and(answer));
        }
    }

    /// Begins a transaction and carries out in it what waits, and what arrives meanwhile. An error is the whole batch's.
    fn fill(&mut self, first: Job, batch: &mut Batch) -> Result<(), StoreError> {
        let began = Instant::now();
        let mut round = vec![batch.take_in(first)];
        self.conn.execute_batch("BEGIN IMMEDIATE").map_err(sqlite)?;
        loop {
            while batch.records < BATCH_RECORDS_MAX
                && let Some(job) = self.queue.take_if(|work| !matches!(work, Work::Erase { .. }))
            {
                round.push(batch.take_in(job));
            }
            if round.is_empty() {
                return Ok(());
            }
            self.ensure_keys(&mut round)?;
            for (place, work) in round.drain(..) {
                let refused = self.carry_out(work, batch)?;
                batch.answers[place].1 = refused;
            }
            if began.elapsed() > BATCH_WINDOW || batch.records >= BATCH_RECORDS_MAX {
                return Ok(());
            }
        }
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let began = Instant::now();
        self.conn.execute_batch("COMMIT").map_err(|error| self.failed(error))?;
        self.counters.committed(batch.events, began.elapsed());
        self.commits += 1;
        self.traces |= batch.mixed;
        self.events += batch.events as u64;
        Ok(())
    }

    /// Keys for everybody whose texts these jobs bring, on disk before the texts are.
    fn ensure_keys(&mut self, round: &mut [(usize, Work)]) -> Result<(), StoreError> {
        if self.ring.len() > CACHE_MAX {
            self.ring.clear();
        }
        let mut missing = BTreeSet::new();
        for (_, work) in round {
            let Work::Append { tenant, events, side, .. } = work else { continue };
            let mut need = |person: &PersonId, text: &mut Text| {
                let owner = (tenant.clone(), person.clone());
                if !text.0.is_empty() && !self.ring.contains_key(&owner) {
                    missing.insert(owner);
                }
            };
            events.iter_mut().for_each(|event| event.personal_mut(&mut need));
            side.iter_mut().for_each(|record| record.personal_mut(&mut need));
        }
        self.keys.ensure(&mut self.ring, missing)
    }

    /// The inner result is the job's own: a refusal that leaves the batch as it was.
    fn carry_out(&mut self, work: Work, batch: &mut Batch) -> Result<Result<(), StoreError>, StoreError> {
        match work {
            Work::Append { tenant, session, events, side } => self.append((tenant, session), events, side, batch),
            Work::Heartbeat { sessions, at } => self.heartbeat(&sessions, at).map(Ok),
            Work::UpsertRoom(room) => self.upsert_room(&room).map(Ok),
            Work::Probe => self.touch().map(Ok),
            Work::Erase { .. } => Ok(Err(StoreError::Bug("an erasure inside a batch".to_owned()))),
        }
    }

    fn append(
        &mut self,
        log: (TenantId, SessionId),
        events: Vec<Event>,
        side: Vec<SideWrite>,
        batch: &mut Batch,
    ) -> Result<Result<(), StoreError>, StoreError> {
        let head = match self.heads.get(&log) {
            Some(head) => *head,
            None => self.read_head(&log.0, &log.1)?,
        };
        let new_head = match follows(head, &log.0, &log.1, &events) {
            Ok(head) => head,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if let Err(problem) = lies_beside(head, new_head, &events, &side) {
            return Ok(Err(StoreError::BadAppend { session: log.1, problem }));
        }
        if let Some(Event { fact: Fact::SessionStarted { room, .. }, .. }) = events.first()
            && let Some(live) = self.live_session(&log.0, room)?
        {
            return Ok(Err(StoreError::RoomHasSession { room: room.clone(), session: live }));
        }
        let closed: BTreeSet<Seq> = events.iter().filter_map(closes).collect();
        let (ballots, drafts): (Vec<_>, Vec<_>) =
            side.into_iter().partition(|record| matches!(record, SideWrite::Ballot { .. }));
        // Ballots first, so that a close in the same call mixes them in; drafts last, so that one is kept that was saved after
        // an answer.
        for ballot in ballots {
            self.insert_beside(&log.0, &log.1, ballot)?;
        }
        for event in events {
            self.insert(&log.0, &log.1, event)?;
        }
        for draft in drafts {
            if !matches!(&draft, SideWrite::Draft { poll, .. } if closed.contains(poll)) {
                self.insert_beside(&log.0, &log.1, draft)?;
            }
        }
        for poll in closed {
            batch.mixed |= self.mix_ballots(&log.0, &log.1, poll)?;
        }
        if self.heads.len() > CACHE_MAX {
            self.heads.clear();
        }
        self.heads.insert(log.clone(), new_head);
        batch.heads.insert(log, new_head.seq);
        Ok(Ok(()))
    }

    fn insert(&self, tenant: &TenantId, session: &SessionId, mut event: Event) -> Result<(), StoreError> {
        match &event.fact {
            Fact::SessionStarted { room, .. } => self.execute(
                "INSERT INTO sessions (tenant, session, room, started_at_ms) VALUES (?, ?, ?, ?)",
                params![tenant.0, session.0, room.0, millis(event.at)],
            )?,
            Fact::SessionEnded { .. } => {
                self.execute(
                    "UPDATE sessions SET ended_at_ms = ?3 WHERE tenant = ?1 AND session = ?2",
                    params![tenant.0, session.0, millis(event.at)],
                )?;
                self.execute("DELETE FROM heartbeats WHERE tenant = ? AND session = ?", params![tenant.0, session.0])?;
            }
            Fact::Class(fact) => {
                if let Some((poll, person)) = fact.forgets_drafts() {
                    self.execute(
                        "DELETE FROM drafts WHERE tenant = ?1 AND session = ?2 AND poll = ?3
                         AND (?4 IS NULL OR person = ?4)",
                        params![tenant.0, session.0, poll.0, person.map(|person| person.0.as_str())],
                    )?;
                }
            }
            _ => {}
        }
        keys::seal(&self.ring, tenant, session, &mut event)?;
        self.execute(
            "INSERT INTO events (tenant, session, seq, at_ms, event) VALUES (?, ?, ?, ?, ?)",
            params![tenant.0, session.0, event.seq.0, millis(event.at), json(&event)?],
        )
    }

    fn insert_beside(&self, tenant: &TenantId, session: &SessionId, mut record: SideWrite) -> Result<(), StoreError> {
        keys::seal(&self.ring, tenant, session, &mut record)?;
        match record {
            SideWrite::Draft { poll, person, draft } => self.execute(
                "INSERT INTO drafts (tenant, session, poll, person, at_ms, answers) VALUES (?, ?, ?, ?, ?, ?)
                 ON CONFLICT DO UPDATE SET at_ms = excluded.at_ms, answers = excluded.answers",
                params![tenant.0, session.0, poll.0, person.0, millis(draft.at), json(&draft.answers)?],
            ),
            SideWrite::Ballot { poll, answers } => self.insert_ballot(tenant, session, poll, &json(&answers)?),
        }
    }

    /// A ballot has no time, no person and no number of its own, and its id is random: no reader of the table can tell whose
    /// it is, by its columns or by the order of its rows. See [`Self::mix_ballots`] for what lies deeper.
    fn insert_ballot(
        &self,
        tenant: &TenantId,
        session: &SessionId,
        poll: Seq,
        answers: &str,
    ) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO ballots (tenant, session, poll, id, answers) VALUES (?, ?, ?, ?, ?)",
            params![tenant.0, session.0, poll.0, keys::random::<16>()?, answers],
        )
    }

    /// Writes the ballots of a poll anew, sorted, under new ids. Whether there were any.
    ///
    /// Within a page SQLite puts rows in the order in which they came, and the write-ahead log has each ballot in the transaction
    /// of the event that says who answered. Whoever copies the files while the poll is open can therefore match the two. After
    /// the close they can not: the old rows are overwritten (`secure_delete`), the new ones came in the order of what was
    /// chosen, and the write-ahead log is emptied as soon as no reader needs it. Copies that were made before (backups, snapshots of
    /// the disk) and blocks that a drive has put aside are out of reach.
    fn mix_ballots(&self, tenant: &TenantId, session: &SessionId, poll: Seq) -> Result<bool, StoreError> {
        const OF_POLL: &str = "FROM ballots WHERE tenant = ? AND session = ? AND poll = ?";
        let which = params![tenant.0, session.0, poll.0];
        let mut query = self.conn.prepare_cached(&format!("SELECT answers {OF_POLL}")).map_err(sqlite)?;
        let ballots = query.query_map(which, |row| row.get(0)).map_err(sqlite)?;
        let mut ballots: Vec<String> = ballots.collect::<Result<_, _>>().map_err(sqlite)?;
        ballots.sort_unstable();
        self.execute(&format!("DELETE {OF_POLL}"), which)?;
        for ballot in &ballots {
            self.insert_ballot(tenant, session, poll, ballot)?;
        }
        Ok(!ballots.is_empty())
    }

    /// Remembers that sessions were alive; those that are not live are passed over.
    fn heartbeat(&self, sessions: &[(TenantId, SessionId)], at: UnixMs) -> Result<(), StoreError> {
        for (tenant, session) in sessions {
            self.execute(
                "INSERT INTO heartbeats (tenant, session, at_ms)
                 SELECT tenant, session, ?3 FROM sessions WHERE tenant = ?1 AND session = ?2 AND ended_at_ms IS NULL
                 ON CONFLICT DO UPDATE SET at_ms = max(at_ms, excluded.at_ms)",
                params![tenant.0, session.0, millis(at)],
            )?;
        }
        Ok(())
    }

    /// The smallest write: a row comes and goes. (A row that is set to what it was is not written.)
    fn touch(&self) -> Result<(), StoreError> {
        self.execute("INSERT INTO heartbeats (tenant, session, at_ms) VALUES ('', '', 0)", [])?;
        self.execute("DELETE FROM heartbeats WHERE tenant = '' AND session = ''", [])
    }

    /// A Room that is known keeps the time at which it was created.
    fn upsert_room(&self, room: &Room) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO rooms (tenant, name, created_at_ms, policy, metadata) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET policy = excluded.policy, metadata = excluded.metadata",
            params![room.tenant.0, room.name.0, millis(room.created_at), json(&room.policy)?, room.metadata],
        )
    }

    fn read_head(&self, tenant: &TenantId, session: &SessionId) -> Result<Head, StoreError> {
        let mut query = self
            .conn
            .prepare_cached(
                "SELECT max(seq), (SELECT ended_at_ms FROM sessions WHERE tenant = ?1 AND session = ?2) IS NOT NULL
                 FROM events WHERE tenant = ?1 AND session = ?2",
            )
            .map_err(sqlite)?;
        let head = query.query_row(params![tenant.0, session.0], |row| {
            Ok(Head { seq: Seq(row.get::<_, Option<u64>>(0)?.unwrap_or(0)), ended: row.get(1)? })
        });
        head.map_err(sqlite)
    }

    fn live_session(&self, tenant: &TenantId, room: &RoomName) -> Result<Option<SessionId>, StoreError> {
        let mut query = self
            .conn
            .prepare_cached("SELECT session FROM sessions WHERE tenant = ? AND room = ? AND ended_at_ms IS NULL")
            .map_err(sqlite)?;
        query.query_row(params![tenant.0, room.0], |row| row.get(0).map(SessionId)).optional().map_err(sqlite)
    }

    fn execute(&self, sql: &str, params: impl Params) -> Result<(), StoreError> {
        self.conn.prepare_cached(sql).and_then(|mut statement| statement.execute(params)).map(drop).map_err(sqlite)
    }

    /// Copies the write-ahead log into the file once it is worth it: after the answers, so that nobody waits for it.
    fn checkpoint_when_due(&mut self) {
        if self.traces {
            self.remove_traces();
        }
        if self.commits < CHECKPOINT_COMMITS && self.events < CHECKPOINT_EVENTS {
            return;
        }
        (self.commits, self.events) = (0, 0);
        let copied = checkpoint(&self.conn, "PASSIVE").and_then(|_| checkpoint(self.keys.conn(), "PASSIVE"));
        if let Err(error) = copied {
            let error = self.failed(error);
            tracing::error!(%error, "the store could not empty its write-ahead log");
        }
    }

    /// Empties the write-ahead log, unless a reader is in it just now; then the next batch tries again.
    fn remove_traces(&mut self) {
        let emptied = self.conn.busy_timeout(Duration::ZERO).and_then(|()| checkpoint(&self.conn, "TRUNCATE"));
        let emptied = self.conn.busy_timeout(schema::BUSY_TIMEOUT).and(emptied);
        match emptied {
            Ok(emptied) => self.traces = !emptied,
            Err(error) => {
                let error = self.failed(error);
                tracing::error!(%error, "the store could not empty its write-ahead log");
            }
        }
    }

    /// A sync that failed may not be tried again: the system may have dropped what it could not write, and call the next sync a
    /// success.
    fn failed(&mut self, error: rusqlite::Error) -> StoreError {
        const SYNC_FAILED: [i32; 2] = [rusqlite::ffi::SQLITE_IOERR_FSYNC, rusqlite::ffi::SQLITE_IOERR_DIR_FSYNC];
        let sync_failed = error.sqlite_error().is_some_and(|error| SYNC_FAILED.contains(&error.extended_code));
        let error = sqlite(error);
        if sync_failed {
            self.broken = Some(error.clone());
        }
        error
    }
}

impl Batch {
    /// Remembers whom to tell; returns the job's place among the answers, and its work.
    fn take_in(&mut self, job: Job) -> (usize, Work) {
        if let Work::Append { events, side, .. } = &job.work {
            self.events += events.len();
            self.records += events.len() + side.len();
        }
        self.answers.push((job.done, Ok(())));
        (self.answers.len() - 1, job.work)
    }
}

/// Whether these events continue a log that ends at `head`; where it ends with them.
fn follows(head: Head, tenant: &TenantId, session: &SessionId, events: &[Event]) -> Result<Head, StoreError> {
    let bad = |problem| Err(StoreError::BadAppend { session: session.clone(), problem });
    let mut head = head;
    for event in events {
        let expected = head.seq.next();
        if event.seq != expected {
            return Err(StoreError::BadSeq { session: session.clone(), expected, got: event.seq });
        }
        if head.ended {
            return bad("the session has ended");
        }
        match &event.fact {
            Fact::SessionStarted { tenant: owner, session: id, .. } => {
                if expected != Seq(1) {
                    return bad("session.started is not the first event");
                }
                if owner != tenant || id != session {
                    return bad("session.started names another tenant or session");
                }
            }
            _ if expected == Seq(1) => return bad("the first event is not session.started"),
            _ => {}
        }
        head = Head { seq: event.seq, ended: matches!(event.fact, Fact::SessionEnded { .. }) };
    }
    Ok(head)
}

/// Whether these drafts and ballots belong beside the log from `before` to `after`; what is wrong if not.
fn lies_beside(before: Head, after: Head, events: &[Event], side: &[SideWrite]) -> Result<(), &'static str> {
    if before.ended && !side.is_empty() {
        return Err("the session has ended");
    }
    // Where a log is lost, its places are given again: a draft must not wait for another poll of the same name.
    let mut unmatched = BTreeMap::<Seq, isize>::new();
    for record in side {
        let (SideWrite::Draft { poll, .. } | SideWrite::Ballot { poll, .. }) = record;
        if *poll == Seq(0) || *poll > after.seq {
            return Err("a draft or a ballot is of a poll that the log does not have");
        }
        if matches!(record, SideWrite::Ballot { .. }) {
            *unmatched.entry(*poll).or_default() += 1;
        }
    }
    for event in events {
        if let Fact::Class(ClassFact::PollResponded { poll, answers: None, .. }) = &event.fact {
            *unmatched.entry(*poll).or_default() -= 1;
        }
    }
    if unmatched.values().any(|ballots| *ballots != 0) {
        return Err("there must be one ballot for each anonymous answer");
    }
    Ok(())
}

/// Which poll an event closes.
fn closes(event: &Event) -> Option<Seq> {
    match &event.fact {
        Fact::Class(ClassFact::PollClosed { poll, .. }) => Some(*poll),
        _ => None,
    }
}

fn json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Bug(format!("something has no JSON form: {error}")))
}

/// Milliseconds as SQLite's signed integers hold them.
fn millis(at: UnixMs) -> i64 {
    i64::try_from(at.0).unwrap_or(i64::MAX)
}

fn sqlite(error: rusqlite::Error) -> StoreError {
    StoreError::sqlite(SESSIONS.name, error)
}

/// Closes the queue when the writer ends, however it ends.
struct Abandon(Arc<Queue>);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lyceum_session::Policy;
    use lyceum_session::class::{Answer, SavedDraft};
    use tokio::sync::oneshot::Receiver;

    type Told = Receiver<Result<(), StoreError>>;

    #[test]
    fn a_full_disk_fails_the_whole_batch_and_work_goes_on_once_there_is_space() {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = writer(directory.path());
        let pages: i64 = writer.conn.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        writer.disk_holds(pages + 4);
        let [mut small, mut large] = [("RM_1", 10), ("RM_2", 100_000)].map(|log| append(&writer, log));
        let full = Err(StoreError::DiskFull { file: "sessions.sqlite" });
        writer.write_what_waits();
        assert_eq!([small.try_recv(), large.try_recv()], [Ok(full.clone()), Ok(full)]);

        writer.disk_holds(pages + 1_000);
        let [mut small, mut large] = [("RM_1", 10), ("RM_2", 100_000)].map(|log| append(&writer, log));
        writer.write_what_waits();
        assert_eq!([small.try_recv(), large.try_recv()], [Ok(Ok(())), Ok(Ok(()))]);
        let stored: u32 = writer.conn.query_row("SELECT count(*) FROM events", [], |row| row.get(0)).unwrap();
        assert_eq!(stored, 2);
    }

    #[test]
    fn a_full_disk_fails_events_together_with_what_lies_beside_them() {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = writer(directory.path());
        let pages: i64 = writer.conn.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        let long = || {
            let answers = vec![Some(Answer::Text { text: "x".repeat(100_000).as_str().into() })];
            SideWrite::Draft { poll: Seq(1), person: "u-1".into(), draft: SavedDraft { answers, at: UnixMs(1) } }
        };
        let count = |writer: &Writer, table: &str| -> u32 {
            writer.conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
        };
        for (holds, answer, rows) in
            [(pages + 4, Err(StoreError::DiskFull { file: "sessions.sqlite" }), 0), (1_000, Ok(()), 1)]
        {
            writer.disk_holds(holds);
            let mut appended = append_beside(&writer, ("RM_1", 10), vec![long()]);
            writer.write_what_waits();
            assert_eq!(appended.try_recv(), Ok(answer));
            assert_eq!((count(&writer, "events"), count(&writer, "drafts")), (rows, rows));
        }
    }

    #[test]
    fn a_disk_that_failed_to_sync_is_not_trusted_again() {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = writer(directory.path());
        let failure = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR_FSYNC);
        let error = writer.failed(rusqlite::Error::SqliteFailure(failure, None));
        assert!(matches!(error, StoreError::Io { .. }), "{error}");

        let mut refused = append(&writer, ("RM_1", 10));
        writer.queue.close();
        writer.run();
        assert_eq!(refused.try_recv(), Ok(Err(error)));
    }

    impl Writer {
        fn disk_holds(&self, pages: i64) {
            self.conn.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
        }

        fn write_what_waits(&mut self) {
            let first = self.queue.take_if(|_| true).unwrap();
            self.write_batch(first);
        }
    }

    fn writer(directory: &std::path::Path) -> Writer {
        let lock = Lock::take(directory).unwrap();
        let (conn, keys) = super::super::open_pair(directory).unwrap();
        Writer::new(conn, keys, Arc::new(Queue::new()), Arc::default(), Arc::default(), lock)
    }

    /// The first event of a session, with metadata of this many bytes.
    fn append(writer: &Writer, log: (&str, usize)) -> Told {
        append_beside(writer, log, vec![])
    }

    fn append_beside(writer: &Writer, (session, bytes): (&str, usize), side: Vec<SideWrite>) -> Told {
        let (tenant, session) = (TenantId::from("school"), SessionId::from(session));
        let fact = Fact::SessionStarted {
            tenant: tenant.clone(),
            room: session.0.as_str().into(),
            session: session.clone(),
            policy: Policy {
                max_participants: 0,
                presence_grace_ms: 1,
                empty_timeout_ms: 1,
                departure_timeout_ms: 1,
                max_tracks_per_connection: 1,
                resume_window_ms: 0,
            },
            metadata: "x".repeat(bytes),
        };
        let event = Event { seq: Seq(1), at: UnixMs(1), mono_ms: 0, actor: None, cause: None, fact };
        writer.queue.push(Work::Append { tenant, session, events: vec![event], side }).unwrap()
    }
}
