//! What waits for the writer thread: one line for all sessions, in the order of the calls, bounded by the memory that it may
//! hold. Joining the line never blocks; when it is full, the newcomer is refused.

use super::{Room, StoreError};
use lyceum_session::class::SideWrite;
use lyceum_session::{Event, PersonId, SessionId, TenantId, UnixMs};
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use tokio::sync::{oneshot, watch};

/// Most bytes that may wait. At 1 KiB an event it is some 64,000 events: minutes of a busy server whose disk stands still.
const WAITING_BYTES_MAX: usize = 64 << 20;
/// From here on callers are asked to wait (see [`super::Store::ready`]).
const CROWDED_BYTES: usize = WAITING_BYTES_MAX / 4;

/// What the writer can be asked to do.
pub(super) enum Work {
    Append { tenant: TenantId, session: SessionId, events: Vec<Event>, side: Vec<SideWrite> },
    Heartbeat { sessions: Vec<(TenantId, SessionId)>, at: UnixMs },
    UpsertRoom(Room),
    Probe,
    Erase { tenant: TenantId, person: PersonId },
}

/// Work, and whom to tell.
pub(super) struct Job {
    pub work: Work,
    pub done: Done,
    bytes: usize,
}

/// Who waits for an answer.
pub(super) struct Done(oneshot::Sender<Result<(), StoreError>>);

pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    crowded: watch::Sender<bool>,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    bytes: usize,
    closed: bool,
}

impl Queue {
    pub fn new() -> Self {
        Self { waiting: Mutex::default(), arrived: Condvar::new(), crowded: watch::Sender::new(false) }
    }

    /// Puts work at the end of the line. The answer comes when it is done.
    pub fn push(&self, work: Work) -> Result<oneshot::Receiver<Result<(), StoreError>>, StoreError> {
        let bytes = work.bytes();
        let (done, answer) = oneshot::channel();
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(StoreError::Closed);
        }
        if waiting.bytes.saturating_add(bytes) > WAITING_BYTES_MAX {
            return Err(StoreError::Overloaded);
        }
        waiting.bytes += bytes;
        waiting.jobs.push_back(Job { work, done: Done(done), bytes });
        self.tell_crowded(&waiting);
        self.arrived.notify_one();
        Ok(answer)
    }

    /// Waits for work; `None` once the line is closed and empty.
    pub fn wait(&self) -> Option<Job> {
        let mut waiting = self.lock();
        loop {
            if let Some(job) = self.take(&mut waiting) {
                return Some(job);
            }
            if waiting.closed {
                return None;
            }
            waiting = self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes the next job if there is one and it is wanted.
    pub fn take_if(&self, wanted: impl Fn(&Work) -> bool) -> Option<Job> {
        let mut waiting = self.lock();
        if waiting.jobs.front().is_some_and(|job| wanted(&job.work)) { self.take(&mut waiting) } else { None }
    }

    /// Resolves while the line is short.
    pub async fn short(&self) {
        // An error would mean that the sender is gone, but it is in `self`.
        let _ = self.crowded.subscribe().wait_for(|crowded| !crowded).await;
    }

    /// Memory that waits, in bytes.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Refuses newcomers; who is in line is still served.
    pub fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
    }

    /// Refuses newcomers and sends everybody in line away.
    pub fn abandon(&self) {
        let mut waiting = self.lock();
        *waiting = Waiting { closed: true, ..Waiting::default() };
        self.tell_crowded(&waiting);
    }

    fn take(&self, waiting: &mut Waiting) -> Option<Job> {
        let job = waiting.jobs.pop_front()?;
        waiting.bytes -= job.bytes;
        self.tell_crowded(waiting);
        Some(job)
    }

    fn tell_crowded(&self, waiting: &Waiting) {
        let crowded = waiting.bytes > CROWDED_BYTES;
        self.crowded.send_if_modified(|told| std::mem::replace(told, crowded) != crowded);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing in here panics half-way through a change.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Job {
    pub fn answer(self, result: Result<(), StoreError>) {
        self.done.answer(result);
    }
}

impl Done {
    pub fn answer(self, result: Result<(), StoreError>) {
        // Whoever asked may have gone; what they asked for is done all the same.
        let _ = self.0.send(result);
    }
}

impl Work {
    /// Roughly the memory that it holds while it waits.
    fn bytes(&self) -> usize {
        const RECORD: usize = 512;
        match self {
            Work::Append { events, side, .. } => {
                let events: usize = events.iter().map(|event| RECORD + json_bytes(&event.fact)).sum();
                events + side.iter().map(|record| RECORD + json_bytes(record)).sum::<usize>()
            }
            Work::Heartbeat { sessions, .. } => sessions.len() * RECORD / 4,
            Work::UpsertRoom(room) => RECORD + room.metadata.len(),
            Work::Probe | Work::Erase { .. } => RECORD,
        }
    }
}

/// The length of a record's JSON: what clients choose in it may be long.
fn json_bytes(record: &impl serde::Serialize) -> usize {
    struct Count(usize);

    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let mut count = Count(0);
    // What has no JSON form is refused by the writer.
    let _ = serde_json::to_writer(&mut count, record);
    count.0
}
