//! Whiteboard pages and notes while classes run: which are open, who is connected to them, and the way in. Each class with an open
//! document has one task, which owns the hubs of its documents (`class.rs`); their log is a file of its own (`log.rs`).

mod class;
mod log;
mod permits;
mod socket;

pub use log::DocumentLog;
pub use permits::{ClassStandings, Followed, Permits, Standings};
pub use socket::routes;

use crate::control::Refusal;
use crate::metrics::{Metrics, Present};
use class::Mail;
use lyceum_documents::{ClientKey, Code, DocId, DocSeq, Limits, Pulse, Refusal as Refused, Style};
use lyceum_session::{PersonId, RoomName, Seq, SessionId, TenantId};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use tokio::sync::{mpsc, oneshot, watch};

/// Messages that may wait for the task of a class's documents; then clients wait.
const CLASS_QUEUE: usize = 1_024;
/// Messages that may wait for one client; a slower one is let go and connects again.
const CLIENT_QUEUE: usize = 256;
/// Opening meets a class in its last moment at most so often.
const OPEN_TRIES: usize = 3;

/// The open documents of all classes. Cheap to clone.
#[derive(Clone)]
pub struct Documents {
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    log: DocumentLog,
    permits: Arc<dyn Permits>,
    limits: Limits,
    metrics: Arc<Metrics>,
    classes: Mutex<Classes>,
    next_client: AtomicU64,
}

type Classes = HashMap<(TenantId, SessionId), Entry>;

#[derive(Clone)]
struct Entry {
    mailbox: mpsc::Sender<Mail>,
    enforced: watch::Receiver<Seq>,
}

/// Why a document is not opened. The texts are for whoever wanted it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotOpened {
    /// The class.
    #[error("{0}")]
    Class(Refusal),
    /// There is no such document in the class.
    #[error("the class has no such document: no deck or no page of this number")]
    NoSuchDocument,
    /// They are not in the class.
    #[error("you are not in this class: join it first")]
    NotInClass,
    /// They may not see it.
    #[error("you may not see this document")]
    Forbidden,
    /// Too many documents of the class are open.
    #[error("too many documents of this class are open: close one, or try again in a minute")]
    TooMany,
}

/// What a document has for one client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outbound {
    /// A frame of y-protocols. Of an update or a state, the place that it reaches in the document's log.
    Frame {
        /// The frame.
        frame: Arc<[u8]>,
        /// The place.
        seq: Option<DocSeq>,
    },
    /// See [`lyceum_documents::Output::Ack`].
    Ack {
        /// The place.
        seq: DocSeq,
    },
    /// See [`lyceum_documents::Output::Reset`]. Nothing follows.
    Reset {
        /// Why.
        refusal: Refused,
        /// The document as it is,
        snapshot: Arc<[u8]>,
        /// as of this update.
        seq: DocSeq,
    },
    /// The answer to [`Seat::asks_for_pulse`]: how the document is now that everything before has been heard. `None` while something
    /// is under way.
    Pulse(Option<Pulse>),
    /// Nothing follows.
    Close {
        /// For programs.
        code: Code,
        /// For people.
        reason: &'static str,
    },
}

/// A client's connection to one document. Whoever drops it, the document hears that it is gone.
pub struct Seat {
    client: ClientKey,
    mailbox: mpsc::Sender<Mail>,
    outbound: mpsc::Receiver<Outbound>,
    _present: Present,
}

impl Documents {
    /// None is open yet.
    pub fn new(log: DocumentLog, permits: Arc<dyn Permits>, limits: Limits, metrics: Arc<Metrics>) -> Self {
        let (classes, next_client) = (Mutex::default(), AtomicU64::new(1));
        Self { shared: Arc::new(Shared { log, permits, limits, metrics, classes, next_client }) }
    }

    /// Largest frame that a client may send, in bytes.
    pub fn max_frame_bytes(&self) -> usize {
        self.shared.limits.update_bytes + 1_024
    }

    /// Connects a person of a running class to one of its documents.
    pub async fn open(
        &self,
        tenant: &TenantId,
        room: &RoomName,
        person: &PersonId,
        document: &DocId,
        style: Style,
    ) -> Result<Seat, NotOpened> {
        for _ in 0..OPEN_TRIES {
            let class = self.shared.permits.class(tenant, room).await.map_err(NotOpened::Class)?;
            {
                let standings = class.standings.borrow();
                if !standings.has(document) {
                    return Err(NotOpened::NoSuchDocument);
                }
                let (rights, _) = standings.rights(person, document).ok_or(NotOpened::NotInClass)?;
                if !rights.view {
                    return Err(NotOpened::Forbidden);
                }
            }
            let entry = self.find_or_start(tenant, class);
            let client = ClientKey(self.shared.next_client.fetch_add(1, Relaxed));
            let (sender, outbound) = mpsc::channel(CLIENT_QUEUE);
            let (answer, answered) = oneshot::channel();
            let mail = Mail::Open {
                client,
                person: person.clone(),
                document: document.clone(),
                style,
                outbound: sender,
                answer,
            };
            if entry.mailbox.send(mail).await.is_err() {
                continue;
            }
            let _present = self.shared.metrics.document_clients.enter();
            let seat = Seat { client, mailbox: entry.mailbox, outbound, _present };
            match answered.await {
                Ok(answer) => return answer.map(|()| seat),
                Err(_) => continue,
            }
        }
        Err(NotOpened::Class(Refusal::Unreachable))
    }

    /// For the classes, which tell their people so when it is in force.
    pub fn enforcement(&self) -> Enforcement {
        Enforcement(Arc::downgrade(&self.shared))
    }

    /// Empties a board. The place in its log before that, or nothing if it could not be done.
    pub async fn clear(
        &self,
        tenant: &TenantId,
        room: &RoomName,
        document: &DocId,
    ) -> Result<Option<DocSeq>, NotOpened> {
        let class = self.shared.permits.class(tenant, room).await.map_err(NotOpened::Class)?;
        if !class.standings.borrow().has(document) {
            return Err(NotOpened::NoSuchDocument);
        }
        let entry = self.find_or_start(tenant, class);
        let (answer, answered) = oneshot::channel();
        let unreachable = || NotOpened::Class(Refusal::Unreachable);
        entry.mailbox.send(Mail::Clear { document: document.clone(), answer }).await.map_err(|_| unreachable())?;
        answered.await.map_err(|_| unreachable())
    }

    /// Sends everybody away, stores what waits, and closes the log.
    pub async fn shut_down(&self) {
        let entries: Vec<_> = self.lock().values().cloned().collect();
        let down = entries.into_iter().map(|entry| async move {
            if entry.mailbox.send(Mail::Shutdown).await.is_ok() {
                entry.mailbox.closed().await;
            }
        });
        futures_util::future::join_all(down).await;
        self.shared.log.close().await;
    }

    fn find_or_start(&self, tenant: &TenantId, class: ClassStandings) -> Entry {
        let key = (tenant.clone(), class.session.clone());
        let mut classes = self.lock();
        if let Some(entry) = classes.get(&key).filter(|entry| !entry.mailbox.is_closed()) {
            return entry.clone();
        }
        let (mailbox, mail) = mpsc::channel(CLASS_QUEUE);
        let (reached, enforced) = watch::channel(class.standings.borrow().seq);
        let entry = Entry { mailbox, enforced };
        classes.insert(key.clone(), entry.clone());
        let shared = self.shared.clone();
        tokio::spawn(async move {
            let task = shared.metrics.tasks.enter();
            class::run(shared.clone(), key.clone(), class.standings, mail, reached).await;
            let mut classes = lock(&shared.classes);
            if classes.get(&key).is_some_and(|entry| entry.mailbox.is_closed()) {
                classes.remove(&key);
            }
            drop(task);
        });
        entry
    }

    fn lock(&self) -> MutexGuard<'_, Classes> {
        lock(&self.shared.classes)
    }
}

fn lock(classes: &Mutex<Classes>) -> MutexGuard<'_, Classes> {
    classes.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether what a class took away from people has an effect on documents. Does not keep the documents open.
#[derive(Clone)]
pub struct Enforcement(Weak<Shared>);

impl Enforcement {
    /// See [`Documents::clear`]; false if it could not be done. A board that there is not has nothing on it.
    pub async fn clear(&self, tenant: &TenantId, room: &RoomName, board: &DocId) -> bool {
        let Some(shared) = self.0.upgrade() else { return false };
        match (Documents { shared }).clear(tenant, room, board).await {
            Ok(before) => before.is_some(),
            Err(not_opened) => not_opened == NotOpened::NoSuchDocument,
        }
    }

    /// Resolves when nobody can do anything any more that they could only before this event. A class without open documents is
    /// there at once.
    pub async fn reached(&self, tenant: &TenantId, session: &SessionId, seq: Seq) {
        let Some(shared) = self.0.upgrade() else { return };
        let entry = lock(&shared.classes).get(&(tenant.clone(), session.clone())).cloned();
        drop(shared);
        if let Some(mut entry) = entry {
            // An error means that its task is over, and everybody gone.
            let _ = entry.enforced.wait_for(|reached| *reached >= seq).await;
        }
    }
}

impl Seat {
    /// Brings a frame of y-protocols to the document. `epoch` is the version of its grant that the client knows, if it says so.
    /// Waits while the class is busy; false if it is no more.
    pub async fn say(&self, epoch: Option<u64>, frame: Vec<u8>) -> bool {
        self.mailbox.send(Mail::Frame { client: self.client, epoch, frame }).await.is_ok()
    }

    /// Has [`Outbound::Pulse`] come behind everything that the document has for the client by now; false if it is too busy.
    pub fn asks_for_pulse(&self) -> bool {
        self.mailbox.try_send(Mail::Pulse { client: self.client }).is_ok()
    }

    /// The next for the client. `None`: it did not keep up, or the class is no more.
    pub async fn hear(&mut self) -> Option<Outbound> {
        self.outbound.recv().await
    }

    /// The same, for who listens to several.
    pub fn poll_hear(&mut self, cx: &mut Context<'_>) -> Poll<Option<Outbound>> {
        self.outbound.poll_recv(cx)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let gone = Mail::Gone { client: self.client };
        if let Err(mpsc::error::TrySendError::Full(gone)) = self.mailbox.try_send(gone)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            // The news must not be lost, or the seat would stay taken.
            let mailbox = self.mailbox.clone();
            runtime.spawn(async move { mailbox.send(gone).await });
        }
    }
}
