//! Which classes run. Joining finds the class of a room, takes it up again from its log, or begins it; one room has one class
//! at a time.

use super::client::{Client, Outbound};
use super::media::Routes;
use super::now;
use super::session::{Logic, Mail, Outcome, Seat, Session, guarded};
use crate::config::Config;
use crate::documents::{ClassStandings, Enforcement, Followed, Permits};
use crate::media::Handle as Media;
use crate::metrics::Metrics;
use crate::store::{LiveSession, PolicyOverrides, SessionFilter, Store, StoreError};
use crate::token::{Keyring, RoomConfig, VideoGrant};
use livekit_protocol::SignalResponse;
use lyceum_node::{Answer, ClientId, Enter, Join, Limits, Node, NodeConfig, Order, Rate};
use lyceum_session::{Policy, Reject, RoomName, SessionId, State, TenantId, UnixMs};
use lyceum_sfu::GroupKey;
use rand::RngExt;
use rand::distr::Alphanumeric;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Client numbers also name media connections, which have this many bits.
const CLIENT_BITS: u32 = 48;

/// Events that replay reads at a time.
const REPLAY_PAGE: usize = 1_000;

/// A join that meets a class in its last moment tries again with the next one, at most so often.
const JOIN_TRIES: usize = 3;

/// The running classes and the way into them. Cheap to clone.
#[derive(Clone)]
pub struct Control {
    shared: Arc<Shared>,
}

/// What all classes share.
pub struct Shared {
    pub(super) config: Arc<Config>,
    pub(super) keyring: Arc<Keyring>,
    pub(super) store: Store,
    pub(super) media: Media,
    pub(super) metrics: Arc<Metrics>,
    routes: super::media::Table,
    live: Mutex<HashMap<(TenantId, RoomName), Entry>>,
    /// Held while a class is begun or taken up, so that a room never gets two.
    opening: tokio::sync::Mutex<()>,
    next_client: AtomicU64,
    next_group: AtomicU64,
    closing: AtomicBool,
    /// Set once, by whoever made the documents of these classes.
    pub(super) enforcement: OnceLock<Enforcement>,
}

/// A running class, from outside.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Which.
    pub session: SessionId,
    /// How many people may be present; 0 is no limit.
    pub max_participants: u32,
    /// Sockets in it.
    pub seated: Arc<AtomicUsize>,
    mailbox: mpsc::Sender<Mail>,
}

/// A class in the list of running ones, for as long as this lives.
pub struct Listed {
    shared: Arc<Shared>,
    key: (TenantId, RoomName),
}

impl Drop for Listed {
    fn drop(&mut self) {
        lock(&self.shared.live).remove(&self.key);
    }
}

/// Somebody at the door, with a token that is good.
#[derive(Clone, Debug)]
pub struct Guest {
    /// Whose room.
    pub tenant: TenantId,
    /// Which room.
    pub room: RoomName,
    /// Who and how.
    pub join: Join,
    /// The API key of the token.
    pub key: String,
    /// The grant of the token.
    pub grant: VideoGrant,
    /// How the token wants the room, if joining creates it.
    pub room_config: Option<RoomConfig>,
}

/// Somebody at the door of the state socket, with a token that is good.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// Whose room.
    pub tenant: TenantId,
    /// Which room.
    pub room: RoomName,
    /// Who and how.
    pub enter: Enter,
    /// The name of the device, if it has one.
    pub device: Option<String>,
    /// The only session that the token lets into, if it is one for coming back.
    pub session: Option<SessionId>,
    /// The API key of the token.
    pub key: String,
    /// The grant of the access token that they came with first.
    pub grant: VideoGrant,
    /// How the token wants the room, if coming in creates it.
    pub room_config: Option<RoomConfig>,
}

impl Permits for Control {
    fn class<'a>(
        &'a self,
        tenant: &'a TenantId,
        room: &'a RoomName,
    ) -> Pin<Box<dyn Future<Output = Result<ClassStandings, Refusal>> + Send + 'a>> {
        Box::pin(self.standings(tenant, room))
    }
}

/// Why a join is refused. The texts are for whoever wants to join.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// Nobody created the room, and joining may not.
    #[error("requested room does not exist")]
    NoSuchRoom,
    /// No class runs in the room.
    #[error("no class is running in this room")]
    NoClass,
    /// The server has no room for one more class.
    #[error("this server runs as many classes as it may; try again later")]
    TooManyClasses,
    /// The class said no.
    #[error("{0}")]
    Rejected(Reject),
    /// The server is about to stop.
    #[error("the server is shutting down; connect again in a moment")]
    ShuttingDown,
    /// The class did not answer in time, or its log cannot be read.
    #[error("the class cannot be reached at the moment; try again")]
    Unreachable,
}

impl Control {
    /// No classes yet.
    pub fn new(config: Arc<Config>, keyring: Arc<Keyring>, store: Store, media: Media, metrics: Arc<Metrics>) -> Self {
        let shared = Shared {
            config,
            keyring,
            store,
            media,
            metrics,
            routes: super::media::Table::default(),
            live: Mutex::default(),
            opening: tokio::sync::Mutex::new(()),
            // Not from 1: packets for connections of an earlier run must find nobody.
            next_client: AtomicU64::new(rand::rng().random_range(0..1 << (CLIENT_BITS - 1))),
            next_group: AtomicU64::new(1),
            closing: AtomicBool::new(false),
            enforcement: OnceLock::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// From here on, what classes take away is acknowledged once it is in force in documents, too.
    pub fn waits_for(&self, enforcement: Enforcement) {
        // There is one server in one process or test, and it says so once.
        let _ = self.shared.enforcement.set(enforcement);
    }

    /// Takes up every class that had not ended when the server stopped. Its people are `reconnecting` from its log on.
    pub async fn recover(&self) -> Result<usize, StoreError> {
        let mut recovered = 0;
        for LiveSession { tenant, session, room, last_seen, .. } in self.shared.store.live_sessions().await? {
            let _alone = self.shared.opening.lock().await;
            match self.take_up(&tenant, &room, &session, last_seen).await {
                Ok(_) => recovered += 1,
                Err(refusal) => tracing::error!(%room, %session, %refusal, "a class could not be taken up again"),
            }
        }
        Ok(recovered)
    }

    /// Takes a seat in the room's class for a guest. The first signal is for the guest to read first.
    pub async fn join(&self, guest: Guest) -> Result<(Client, Box<SignalResponse>), Refusal> {
        let patience = Duration::from_secs(self.shared.config.signal.join_timeout_s);
        tokio::time::timeout(patience, self.join_patiently(guest)).await.unwrap_or(Err(Refusal::Unreachable))
    }

    async fn join_patiently(&self, guest: Guest) -> Result<(Client, Box<SignalResponse>), Refusal> {
        for _ in 0..JOIN_TRIES {
            let wish = IfNone::Begin(guest.room_config.as_ref());
            let entry = self.find_or_open(&guest.tenant, &guest.room, wish).await?;
            let (outbound, queue) = mpsc::channel(self.shared.config.signal.queue_messages);
            let id = self.next_client();
            let person = guest.join.person.clone();
            let seat = Seat { outbound, key: guest.key.clone(), grant: guest.grant.clone(), person, device: None };
            let join = Mail::Join { client: id, join: Box::new(guest.join.clone()), seat };
            if entry.mailbox.send(join).await.is_err() {
                continue;
            }
            let mut client = Client::new(id, entry.mailbox, queue, self.shared.metrics.clients.enter());
            match client.hear().await {
                Some(Outbound::Signal(first)) => return Ok((client, first)),
                Some(Outbound::Refused(Reject::SessionEnded)) | Some(Outbound::Close) | None => {
                    client.class_is_over().await
                }
                Some(Outbound::Refused(reject)) => return Err(Refusal::Rejected(reject)),
                // Not for a socket of this kind.
                Some(Outbound::Text(_) | Outbound::Welcome { .. }) => {}
            }
        }
        Err(Refusal::Unreachable)
    }

    /// Takes a seat in the room's class for a state socket. The first message is the welcome, or the last one.
    pub async fn enter(&self, visitor: Visitor) -> Result<(Client, Outbound), Refusal> {
        let patience = Duration::from_secs(self.shared.config.signal.join_timeout_s);
        tokio::time::timeout(patience, self.enter_patiently(visitor)).await.unwrap_or(Err(Refusal::Unreachable))
    }

    async fn enter_patiently(&self, visitor: Visitor) -> Result<(Client, Outbound), Refusal> {
        for _ in 0..JOIN_TRIES {
            let entry = match &visitor.session {
                None => {
                    let wish = IfNone::Begin(visitor.room_config.as_ref());
                    self.find_or_open(&visitor.tenant, &visitor.room, wish).await?
                }
                // Whoever comes back, comes back to the class that they were in.
                Some(session) => match self.find_or_open(&visitor.tenant, &visitor.room, IfNone::Refuse).await {
                    Ok(entry) if entry.session == *session => entry,
                    Ok(_) | Err(Refusal::NoClass) => return Err(Refusal::Rejected(Reject::SessionEnded)),
                    Err(refusal) => return Err(refusal),
                },
            };
            let (outbound, queue) = mpsc::channel(self.shared.config.signal.queue_messages);
            let id = self.next_client();
            let seat = Seat {
                outbound,
                key: visitor.key.clone(),
                grant: visitor.grant.clone(),
                person: visitor.enter.person.clone(),
                device: visitor.device.clone(),
            };
            let enter = Mail::Enter { client: id, enter: Box::new(visitor.enter.clone()), seat };
            if entry.mailbox.send(enter).await.is_err() {
                continue;
            }
            let mut client = Client::new(id, entry.mailbox, queue, self.shared.metrics.clients.enter());
            match client.hear().await {
                // It met the class in its last moment: the room's next one may begin as soon as this one is gone.
                Some(Outbound::Text(text)) if visitor.session.is_none() && says_ended(&text) => {
                    client.class_is_over().await
                }
                Some(first @ (Outbound::Welcome { .. } | Outbound::Text(_))) => return Ok((client, first)),
                Some(Outbound::Refused(reject)) => return Err(Refusal::Rejected(reject)),
                Some(Outbound::Close | Outbound::Signal(_)) | None => client.class_is_over().await,
            }
        }
        Err(Refusal::Unreachable)
    }

    /// Has a running class do something; resolves when it is done and on disk. Whoever orders has the right to.
    pub async fn order(&self, tenant: &TenantId, room: &RoomName, order: Order) -> Result<Answer, Refusal> {
        let patience = Duration::from_secs(self.shared.config.signal.join_timeout_s);
        let answer = async {
            let entry = self.find_or_open(tenant, room, IfNone::Refuse).await?;
            let (answer, answered) = oneshot::channel();
            let mail = Mail::Order { order: Box::new(order), answer };
            entry.mailbox.send(mail).await.map_err(|_| Refusal::Unreachable)?;
            answered.await.map_err(|_| Refusal::Unreachable)?.map_err(Refusal::Rejected)
        };
        tokio::time::timeout(patience, answer).await.unwrap_or(Err(Refusal::Unreachable))
    }

    /// Follows what people of a running class may do with its documents.
    pub async fn standings(&self, tenant: &TenantId, room: &RoomName) -> Result<ClassStandings, Refusal> {
        let patience = Duration::from_secs(self.shared.config.signal.join_timeout_s);
        let answer = async {
            let entry = self.find_or_open(tenant, room, IfNone::Refuse).await?;
            let (answer, answered) = oneshot::channel();
            entry.mailbox.send(Mail::Standings { answer }).await.map_err(|_| Refusal::Unreachable)?;
            let standings = answered.await.map_err(|_| Refusal::Unreachable)?;
            Ok(ClassStandings { session: entry.session, standings })
        };
        tokio::time::timeout(patience, answer).await.unwrap_or(Err(Refusal::Unreachable))
    }

    /// Begins the class of a room, unless it runs.
    pub async fn open(&self, tenant: &TenantId, room: &RoomName) -> Result<(), Refusal> {
        self.find_or_open(tenant, room, IfNone::Begin(None)).await.map(drop)
    }

    /// The rooms of a tenant that have a running class.
    pub fn rooms(&self, tenant: &TenantId) -> Vec<RoomName> {
        let mut rooms: Vec<_> =
            self.live().keys().filter(|(whose, _)| whose == tenant).map(|(_, room)| room.clone()).collect();
        rooms.sort();
        rooms
    }

    /// Whether joining this room could succeed.
    pub async fn check_room(&self, tenant: &TenantId, room: &RoomName) -> Result<(), Refusal> {
        if self.shared.closing.load(Ordering::Relaxed) {
            return Err(Refusal::ShuttingDown);
        }
        if self.shared.config.rooms.auto_create || self.find(tenant, room).is_some() {
            return Ok(());
        }
        let known = self.shared.store.room(tenant.clone(), room.clone()).await.map_err(unreachable)?;
        known.map(drop).ok_or(Refusal::NoSuchRoom)
    }

    /// The running class of a room.
    pub fn find(&self, tenant: &TenantId, room: &RoomName) -> Option<Entry> {
        self.live().get(&(tenant.clone(), room.clone())).cloned()
    }

    /// All running classes.
    pub fn sessions(&self) -> Vec<(TenantId, SessionId)> {
        self.live().iter().map(|((tenant, _), entry)| (tenant.clone(), entry.session.clone())).collect()
    }

    /// Whether [`Control::shut_down`] was called.
    pub fn is_closing(&self) -> bool {
        self.shared.closing.load(Ordering::Relaxed)
    }

    /// Puts every class down in good order: everybody is told to reconnect, the log says that they were disconnected.
    /// Resolves when all classes are down.
    pub async fn shut_down(&self) {
        self.shared.closing.store(true, Ordering::Relaxed);
        // A class that is being begun right now is waited for, and put down like the others.
        let _alone = self.shared.opening.lock().await;
        let mailboxes: Vec<_> = self.live().values().map(|entry| entry.mailbox.clone()).collect();
        let down = mailboxes.into_iter().map(|mailbox| async move {
            if mailbox.send(Mail::Shutdown).await.is_ok() {
                mailbox.closed().await;
            }
        });
        futures_util::future::join_all(down).await;
    }

    /// Brings media events to the classes that they belong to, until the media side ends.
    pub async fn route_media(self, events: mpsc::Receiver<lyceum_sfu::Event>) {
        super::media::route(events, &self.shared.routes, &self.shared.metrics).await;
    }

    async fn find_or_open(&self, tenant: &TenantId, room: &RoomName, if_none: IfNone<'_>) -> Result<Entry, Refusal> {
        if let Some(entry) = self.find(tenant, room) {
            return Ok(entry);
        }
        let _alone = self.shared.opening.lock().await;
        if let Some(entry) = self.find(tenant, room) {
            return Ok(entry);
        }
        if self.is_closing() {
            return Err(Refusal::ShuttingDown);
        }
        if self.live().len() >= self.shared.config.rooms.max_sessions {
            return Err(Refusal::TooManyClasses);
        }
        // A class whose task stopped, because of a bug or a full disk, is still open in the store and goes on from there.
        let open = SessionFilter { room: Some(room.clone()), live: Some(true), after: None };
        let open = self.shared.store.sessions(tenant.clone(), open, 1).await.map_err(unreachable)?;
        match (open.first(), if_none) {
            (Some(row), _) => self.take_up(tenant, room, &row.session, now()).await,
            (None, IfNone::Begin(wish)) => self.begin(tenant, room, wish).await,
            (None, IfNone::Refuse) => Err(Refusal::NoClass),
        }
    }

    /// Begins a new class.
    async fn begin(&self, tenant: &TenantId, room: &RoomName, wish: Option<&RoomConfig>) -> Result<Entry, Refusal> {
        let store = &self.shared.store;
        let known = store.room(tenant.clone(), room.clone()).await.map_err(unreachable)?;
        let (overrides, metadata) = match (known, wish) {
            (Some(known), _) => (known.policy, known.metadata),
            (None, _) if !self.shared.config.rooms.auto_create => return Err(Refusal::NoSuchRoom),
            (None, Some(wish)) => (overrides_of(wish), wish.metadata.clone().unwrap_or_default()),
            (None, None) => Default::default(),
        };
        let session = SessionId(format!("RM_{}", random_text(12)));
        let policy = overrides.over(&self.policy());
        let mut config = self.node_config(tenant, room, &session, policy);
        config.metadata = metadata;
        let group = config.group;
        self.shared.metrics.sessions_started.add(1);
        let node = Node::new(config, rand::rng().random(), State::default());
        Ok(self.start(node, group, tenant, room, &session, policy_limit(&overrides, &self.policy())))
    }

    /// Takes up a class from its log.
    async fn take_up(
        &self,
        tenant: &TenantId,
        room: &RoomName,
        session: &SessionId,
        last_seen: UnixMs,
    ) -> Result<Entry, Refusal> {
        // What a class that failed had still in line must be on disk before its log is read, or come behind nothing.
        self.shared.store.probe().await.map_err(unreachable)?;
        let state = self.replay(tenant, session).await?;
        let policy = state.policy.clone().unwrap_or_else(|| self.policy());
        let limit = policy.max_participants;
        let config = self.node_config(tenant, room, session, policy);
        let group = config.group;
        self.shared.metrics.sessions_recovered.add(1);
        let node = Node::recover(config, rand::rng().random(), state, last_seen);
        Ok(self.start(node, group, tenant, room, session, limit))
    }

    async fn replay(&self, tenant: &TenantId, session: &SessionId) -> Result<State, Refusal> {
        let mut state = State::default();
        loop {
            let page = self.shared.store.read(tenant.clone(), session.clone(), state.seq.next(), REPLAY_PAGE);
            let events = page.await.map_err(unreachable)?;
            if events.is_empty() {
                let side = self.shared.store.side(tenant.clone(), session.clone()).await.map_err(unreachable)?;
                side.iter().for_each(|write| state.keep(write));
                return Ok(state);
            }
            let before = state.seq;
            let applied = guarded(|| events.iter().for_each(|event| lyceum_session::apply(&mut state, event)));
            if applied.is_err() || state.seq <= before {
                tracing::error!(%session, from = %before, "the log of a class cannot be replayed; this is a bug");
                return Err(Refusal::Unreachable);
            }
        }
    }

    /// Starts the task of a class and lists it.
    pub(super) fn start(
        &self,
        node: impl Logic,
        group: GroupKey,
        tenant: &TenantId,
        room: &RoomName,
        session: &SessionId,
        max_participants: u32,
    ) -> Entry {
        let (sender, mailbox) = mpsc::channel(self.shared.config.signal.session_queue_messages);
        let seated = Arc::new(AtomicUsize::new(0));
        let entry =
            Entry { session: session.clone(), max_participants, seated: seated.clone(), mailbox: sender.clone() };
        let key = (tenant.clone(), room.clone());
        self.live().insert(key.clone(), entry.clone());
        let mut class = Session {
            _listed: Listed { shared: self.shared.clone(), key },
            node,
            tenant: tenant.clone(),
            room: room.clone(),
            session: session.clone(),
            mailbox,
            routes: Routes::new(self.shared.routes.clone(), group, sender),
            shared: self.shared.clone(),
            followed: Followed::default(),
            cleared: Vec::new(),
            seated,
            side_appends: 0,
        };
        let (running, task) = (self.shared.metrics.sessions.enter(), self.shared.metrics.tasks.enter());
        tokio::spawn(async move {
            if class.run().await == Outcome::Panicked {
                class.let_everybody_go();
            }
            drop((class, running, task));
        });
        entry
    }

    fn policy(&self) -> Policy {
        let rooms = &self.shared.config.rooms;
        Policy {
            max_participants: rooms.max_participants,
            presence_grace_ms: rooms.presence_grace_s * 1000,
            empty_timeout_ms: rooms.empty_timeout_s * 1000,
            departure_timeout_ms: rooms.departure_timeout_s * 1000,
            max_tracks_per_connection: rooms.max_tracks,
            resume_window_ms: rooms.resume_window_s * 1000,
        }
    }

    fn node_config(&self, tenant: &TenantId, room: &RoomName, session: &SessionId, policy: Policy) -> NodeConfig {
        let group = GroupKey(self.shared.next_group.fetch_add(1, Ordering::Relaxed));
        let mut config = NodeConfig::new(tenant.clone(), room.clone(), session.clone(), policy, group);
        config.limits = self.limits();
        config.remote_unmute = self.shared.config.rooms.remote_unmute;
        config
    }

    fn limits(&self) -> Limits {
        let limits = &self.shared.config.limits;
        Limits {
            identity_chars: limits.name_chars,
            name_chars: limits.name_chars,
            metadata_bytes: limits.metadata_bytes,
            attributes_bytes: limits.attributes_bytes,
            data_message_bytes: limits.data_message_bytes,
            sdp_bytes: limits.sdp_bytes,
            connections: limits.connections,
            subscriptions: limits.subscriptions,
            signals: Rate { per_second: limits.signals_per_s, burst: limits.signals_burst },
            // A pause of two seconds is made up for.
            data_messages: Rate {
                per_second: limits.data_messages_per_s,
                burst: limits.data_messages_per_s.saturating_mul(2),
            },
            data_bytes: Rate { per_second: limits.data_bytes_per_s, burst: limits.data_bytes_per_s.saturating_mul(2) },
            ..Limits::standard()
        }
    }

    fn next_client(&self) -> ClientId {
        ClientId(self.shared.next_client.fetch_add(1, Ordering::Relaxed) & ((1 << CLIENT_BITS) - 1))
    }

    fn live(&self) -> MutexGuard<'_, HashMap<(TenantId, RoomName), Entry>> {
        lock(&self.shared.live)
    }
}

/// What happens where no class runs.
#[derive(Clone, Copy)]
enum IfNone<'a> {
    /// One begins, as the token that joins wants it.
    Begin(Option<&'a RoomConfig>),
    /// It is refused.
    Refuse,
}

/// Whether a message is the goodbye of a class that has ended.
fn says_ended(text: &str) -> bool {
    let said: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    said["t"] == "bye" && said["code"] == "session_ended"
}

fn policy_limit(overrides: &PolicyOverrides, server: &Policy) -> u32 {
    overrides.max_participants.unwrap_or(server.max_participants)
}

fn overrides_of(wish: &RoomConfig) -> PolicyOverrides {
    PolicyOverrides {
        max_participants: wish.max_participants.filter(|people| *people > 0),
        empty_timeout_ms: wish.empty_timeout.filter(|seconds| *seconds > 0).map(|seconds| seconds.saturating_mul(1000)),
        departure_timeout_ms: wish
            .departure_timeout
            .filter(|seconds| *seconds > 0)
            .map(|seconds| seconds.saturating_mul(1000)),
        ..PolicyOverrides::default()
    }
}

/// Letters and digits that nobody can guess.
pub fn random_text(chars: usize) -> String {
    rand::rng().sample_iter(Alphanumeric).take(chars).map(char::from).collect()
}

fn unreachable(error: StoreError) -> Refusal {
    tracing::error!(%error, "the store cannot be read");
    Refusal::Unreachable
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No holder panics half-way through a change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
