//! What happens in classes becomes learning records: each session's log is read as it grows, made into statements, and stored in the record
//! store. The log is the truth and this only follows it: it holds nobody back, keeps nothing that could not be made again, and after a crash
//! goes on where it was. A statement that was stored already is stored once, since its id follows from the log.

use super::cursors::Cursors;
use super::{authority, projection_settings};
use crate::config::Config;
use crate::metrics::Metrics;
use crate::store::{Store, StoreError};
use lyceum_lrs::StoreError as RecordsError;
use lyceum_profile::Projector;
use lyceum_session::{Event, Seq, SessionId, TenantId};
use lyceum_xapi::Json;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Events that are read at a time.
const EVENTS: usize = 500;
/// Statements that are stored at a time.
const STATEMENTS: usize = 200;
/// Sessions that are looked at in one step of the search for those that are behind.
const SESSIONS: usize = 200;
/// Sessions whose state is kept for their next event; of others it is worked out again.
const KEPT: usize = 1_000;
/// How long events are gathered. Records are for afterwards.
const GATHER: Duration = Duration::from_millis(200);
/// How long to wait after a failure: from the first to the last.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

type Log = (TenantId, SessionId);

/// Follows all logs.
pub struct Outbox {
    config: Arc<Config>,
    store: Store,
    records: lyceum_lrs::Store,
    metrics: Arc<Metrics>,
    cursors: Arc<Mutex<Cursors>>,
    authority: Json,
    following: BTreeMap<Log, Projector>,
}

/// Why a log's statements are not stored, for now or at all.
enum Stuck {
    /// The server shuts down.
    Closed,
    /// It may work in a moment.
    ForNow(String),
    /// This log cannot be read or told of; the others can.
    ForGood(String),
}

impl Outbox {
    /// Opens the cursors of the configured data directory. Blocks; call it at start.
    pub fn open(
        config: Arc<Config>,
        store: Store,
        records: lyceum_lrs::Store,
        metrics: Arc<Metrics>,
    ) -> Result<Self, StoreError> {
        let cursors = Arc::new(Mutex::new(Cursors::open(&config.store.dir)?));
        let authority = authority(&config);
        Ok(Self { config, store, records, metrics, cursors, authority, following: BTreeMap::new() })
    }

    /// Goes on until the record store is closed.
    pub async fn run(mut self) {
        // From here on nothing that is appended is missed; what was appended before is searched for.
        self.store.gather_appended();
        let mut search = Some(None);
        let mut behind: VecDeque<(Log, Seq)> = VecDeque::new();
        loop {
            let is_idle = behind.is_empty() && search.is_none();
            let appended = if is_idle { self.store.appended().await } else { self.store.appended_so_far() };
            behind.extend(appended);
            if let Some(after) = search.take_if(|_| behind.is_empty()) {
                search = self.search(after, &mut behind).await;
            }
            let Some((log, head)) = behind.pop_front() else { continue };
            match self.follow(&log, head).await {
                Ok(()) => {}
                Err(Stuck::Closed) => return,
                Err(Stuck::ForGood(problem)) => {
                    tracing::error!(session = %log.1, problem, "what happened in a class cannot be recorded");
                    self.metrics.projection_failures.add(1);
                }
                Err(Stuck::ForNow(problem)) => {
                    behind.push_back((log, head));
                    self.wait(PATIENCE.0, &problem).await;
                }
            }
            if behind.is_empty() && search.is_none() {
                tokio::time::sleep(GATHER).await;
            }
        }
    }

    /// Looks for logs that are longer than what is stored of them. Gives where to go on, and nothing at the end.
    async fn search(&self, after: Option<Log>, behind: &mut VecDeque<(Log, Seq)>) -> Option<Option<Log>> {
        let page = match self.store.heads(after.clone(), SESSIONS).await {
            Ok(page) => page,
            Err(error) => {
                tracing::warn!(%error, "classes whose records are not complete cannot be searched for");
                tokio::time::sleep(PATIENCE.0).await;
                return Some(after);
            }
        };
        let last = page.last().map(|(log, _)| log.clone());
        let found = self.cursors(move |cursors| {
            let is_behind = |(log, head): &(Log, Seq)| cursors.get(&log.0, &log.1).map_or(true, |seq| seq < *head);
            Ok(page.into_iter().filter(is_behind).collect::<Vec<_>>())
        });
        behind.extend(found.await.unwrap_or_default());
        last.map(Some)
    }

    /// Stores the statements of a log up to this event.
    async fn follow(&mut self, log: &Log, head: Seq) -> Result<(), Stuck> {
        let mut projector = match self.following.remove(log) {
            Some(projector) => projector,
            None => match self.take_up(log, head).await? {
                Some(projector) => projector,
                None => return Ok(()),
            },
        };
        while projector.seq() < head {
            let events = self.read(log, projector.seq()).await?;
            if events.is_empty() {
                break;
            }
            let (next, statements) = made(projector, events).await?;
            projector = next;
            self.record(&log.0, statements).await?;
            let (log, seq) = (log.clone(), projector.seq());
            self.cursors(move |cursors| cursors.set(&log.0, &log.1, seq)).await?;
        }
        if !projector.is_over() {
            if self.following.len() >= KEPT {
                self.following.clear();
            }
            self.following.insert(log.clone(), projector);
        }
        Ok(())
    }

    /// Works out the state of a log at its cursor; nothing if everything up to `head` is stored already.
    async fn take_up(&self, log: &Log, head: Seq) -> Result<Option<Projector>, Stuck> {
        let (tenant, session) = log.clone();
        let known = self.cursors(move |cursors| Ok((cursors.get(&tenant, &session)?, cursors.tenant_key(&tenant)?)));
        let (cursor, tenant_key) = known.await?;
        if cursor >= head {
            return Ok(None);
        }
        let mut projector = Projector::new(projection_settings(&self.config, tenant_key));
        while projector.seq() < cursor {
            let mut events = self.read(log, projector.seq()).await?;
            events.retain(|event| event.seq <= cursor);
            if events.is_empty() {
                break;
            }
            (projector, _) = made(projector, events).await?;
        }
        Ok(Some(projector))
    }

    /// Looks something up, or writes it down, on a thread that may wait for the disk.
    async fn cursors<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Cursors) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Stuck> {
        let cursors = Arc::clone(&self.cursors);
        let task = tokio::task::spawn_blocking(move || work(&cursors.lock().unwrap_or_else(PoisonError::into_inner)));
        match task.await {
            Ok(done) => done.map_err(|error| Stuck::ForNow(error.to_string())),
            Err(_) => Err(Stuck::Closed),
        }
    }

    async fn read(&self, log: &Log, after: Seq) -> Result<Vec<Event>, Stuck> {
        let mut patience = PATIENCE.0;
        loop {
            match self.store.read(log.0.clone(), log.1.clone(), after.next(), EVENTS).await {
                Ok(events) => return Ok(events),
                Err(StoreError::Closed) => return Err(Stuck::Closed),
                Err(error @ StoreError::Corrupt { .. }) => return Err(Stuck::ForGood(error.to_string())),
                Err(error) => patience = self.wait(patience, &error).await,
            }
        }
    }

    /// Stores statements, however long it takes.
    async fn record(&self, tenant: &TenantId, statements: Vec<Json>) -> Result<(), Stuck> {
        let mut patience = PATIENCE.0;
        let mut left = VecDeque::from(statements);
        // How many go one by one, because one among them is stored in other words.
        let mut singly = 0;
        while !left.is_empty() {
            let most = if singly > 0 { 1 } else { STATEMENTS };
            let batch: Vec<Json> = left.iter().take(most).cloned().collect();
            let count = batch.len();
            let done = match self.records.record(&tenant.0, &self.authority, batch).await {
                Ok(()) => {
                    self.metrics.projected_statements.add(count as u64);
                    count
                }
                Err(RecordsError::Conflict { .. }) if count > 1 => {
                    singly = count;
                    continue;
                }
                // The same event was told in other words before, under other settings. What was said stays.
                Err(RecordsError::Conflict { .. }) => {
                    self.metrics.projection_conflicts.add(1);
                    1
                }
                Err(RecordsError::Closed) => return Err(Stuck::Closed),
                Err(RecordsError::Invalid { index, problem }) => {
                    tracing::error!(problem, "bug: a statement about a class breaks a rule, and is left out");
                    self.metrics.projection_failures.add(1);
                    left.remove(index);
                    0
                }
                Err(error) => {
                    patience = self.wait(patience, &error).await;
                    continue;
                }
            };
            patience = PATIENCE.0;
            left.drain(..done);
            singly = singly.saturating_sub(done);
        }
        Ok(())
    }

    async fn wait(&self, patience: Duration, error: &impl std::fmt::Display) -> Duration {
        tracing::warn!(%error, wait_s = patience.as_secs(), "records of classes have to wait");
        self.metrics.projection_failures.add(1);
        tokio::time::sleep(patience).await;
        (patience * 2).min(PATIENCE.1)
    }
}

/// Makes statements of events, on a thread that may take its time. A panic in there is this log's alone.
async fn made(mut projector: Projector, events: Vec<Event>) -> Result<(Projector, Vec<Json>), Stuck> {
    let task = tokio::task::spawn_blocking(move || {
        let mut statements = Vec::new();
        for event in &events {
            statements.extend(projector.project(event).map_err(|error| error.to_string())?);
        }
        Ok::<_, String>((projector, statements))
    });
    match task.await {
        Ok(done) => done.map_err(Stuck::ForGood),
        Err(error) if error.is_panic() => Err(Stuck::ForGood("bug: making statements of it panicked".to_owned())),
        Err(_) => Err(Stuck::Closed),
    }
}
