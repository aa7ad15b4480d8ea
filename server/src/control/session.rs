//! One class: the task that owns its `Node`. It reads what happened (a message, a commit, a timer), tells the node, and does
//! what the node wants done, in order. It decides nothing, and a panic in here ends this class only.

use super::client::Outbound;
use super::media::Routes;
use super::now;
use super::registry::{Listed, Shared};
use crate::documents::{Followed, Standings};
use crate::store::StoreError;
use crate::token::{Claims, Resume, VideoGrant};
use futures_util::StreamExt;
use futures_util::stream::{FuturesOrdered, FuturesUnordered};
use livekit_protocol::{SignalRequest, SignalResponse, signal_response};
use lyceum_documents::DocId;
use lyceum_node::{Answer, ClientId, CommandRequest, Enter, Input, Join, Node, Order, OrderId, Output, Stats};
use lyceum_session::class::{ClassFact, SideWrite};
use lyceum_session::{Event, Fact, PersonId, Profile, Reject, RoomName, Seq, SessionId, SpaceName, TenantId, UnixMs};
use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};

/// What reaches a class.
#[derive(Debug)]
pub enum Mail {
    /// Somebody joins.
    Join {
        /// The socket.
        client: ClientId,
        /// Who and how.
        join: Box<Join>,
        /// What they get told through, and the grant that fresh tokens repeat.
        seat: Seat,
    },
    /// A client said something.
    Signal {
        /// The socket.
        client: ClientId,
        /// What.
        request: Box<SignalRequest>,
    },
    /// Somebody comes in on a state socket.
    Enter {
        /// The socket.
        client: ClientId,
        /// Who and how.
        enter: Box<Enter>,
        /// What they get told through, and the grant that fresh tokens repeat.
        seat: Seat,
    },
    /// A command came over a state socket.
    Command {
        /// The socket.
        client: ClientId,
        /// What.
        command: Box<CommandRequest>,
    },
    /// A goodbye came over a state socket.
    Goodbye {
        /// The socket.
        client: ClientId,
    },
    /// A socket is gone.
    Gone {
        /// The socket.
        client: ClientId,
        /// Its last sign of life.
        last_seen: UnixMs,
    },
    /// Somebody who may orders something.
    Order {
        /// What.
        order: Box<Order>,
        /// Where the answer goes. Dropped unanswered if the class is over before.
        answer: oneshot::Sender<Result<Answer, Reject>>,
    },
    /// Somebody wants to follow what people may do with the class's documents.
    Standings {
        /// Where the answer goes.
        answer: oneshot::Sender<watch::Receiver<Standings>>,
    },
    /// Something of this class's media.
    Media(lyceum_sfu::Event),
    /// The server shuts down.
    Shutdown,
}

/// The class's end of a client.
#[derive(Debug)]
pub struct Seat {
    /// What the client is told.
    pub outbound: mpsc::Sender<Outbound>,
    /// The API key that its tokens are signed with.
    pub key: String,
    /// Its grant when it joined.
    pub grant: VideoGrant,
    /// Whose it is.
    pub person: PersonId,
    /// The name of the device, if it has one.
    pub device: Option<String>,
}

/// The logic of a class, as its task drives it.
pub trait Logic: Send + 'static {
    /// See [`Node::handle`].
    fn handle(&mut self, now: UnixMs, input: Input);
    /// See [`Node::poll_output`].
    fn poll_output(&mut self) -> Option<Output>;
    /// See [`Node::poll_timeout`].
    fn poll_timeout(&self) -> Option<(UnixMs, &'static str)>;
    /// See [`Node::stats`].
    fn stats(&self) -> Stats;
    /// What people may do with documents; see [`Standings::of`].
    fn standings(&self) -> Standings;
    /// Up to which event [`Logic::standings`] reaches.
    fn seq(&self) -> Seq;
    /// See [`Node::durable`].
    fn durable(&self) -> Seq;
}

impl Logic for Node {
    fn handle(&mut self, now: UnixMs, input: Input) {
        self.handle(now, input);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.poll_output()
    }

    fn poll_timeout(&self) -> Option<(UnixMs, &'static str)> {
        self.poll_timeout()
    }

    fn stats(&self) -> Stats {
        self.stats()
    }

    fn standings(&self) -> Standings {
        Standings::of(self.state())
    }

    fn seq(&self) -> Seq {
        self.state().seq
    }

    fn durable(&self) -> Seq {
        self.durable()
    }
}

/// A class, and what it needs of the server.
pub struct Session<L = Node> {
    /// Dropped before the mailbox, so that whoever sees the mailbox closed finds no dead entry in the list.
    pub(super) _listed: Listed,
    pub(super) node: L,
    pub(super) tenant: TenantId,
    pub(super) room: RoomName,
    pub(super) session: SessionId,
    pub(super) mailbox: mpsc::Receiver<Mail>,
    pub(super) routes: Routes,
    pub(super) shared: Arc<Shared>,
    /// What people may do with documents, once somebody follows it.
    pub(super) followed: Followed,
    /// Boards that the log says are cleared, and that are not yet.
    pub(super) cleared: Vec<(Seq, DocId)>,
    /// How many people are connected, for others to read.
    pub(super) seated: Arc<AtomicUsize>,
    /// How many appends had side records alone.
    pub(super) side_appends: u64,
}

/// How a class came to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It ended, or was put down in good order.
    Closed,
    /// Its logic panicked.
    Panicked,
}

/// Without a timer, a class looks up once an hour.
const NEVER: Duration = Duration::from_secs(3600);

/// The node has long given up what was not enforced by then.
const ENFORCED_AT_LAST: Duration = Duration::from_secs(1);

/// What a class waits for beside its mail.
#[derive(Default)]
struct Pending {
    commits: FuturesOrdered<Commit>,
    /// What documents have to enforce, by number.
    enforced: FuturesUnordered<Enforcing>,
}

/// The number of what was enforced, unless it could not be.
type Enforcing = Pin<Box<dyn Future<Output = Option<u64>> + Send>>;

type Commit = Pin<Box<dyn Future<Output = Result<Stored, StoreError>> + Send>>;

/// What is on disk now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stored {
    /// The log up to here, and what was written beside it.
    Events(Seq),
    /// So many appends of side records alone.
    Side(u64),
}

/// What one turn of the loop brings.
enum Turn {
    Mail(Mail),
    Committed(Result<Stored, StoreError>),
    Enforced(Option<u64>),
    Timeout,
}

impl<L: Logic> Session<L> {
    /// Runs the class until it is over.
    pub async fn run(&mut self) -> Outcome {
        let mut pending = Pending::default();
        let outcome = self.take_turns(&mut pending).await;
        // Whoever takes this class up again must find all of its log.
        while pending.commits.next().await.is_some() {}
        outcome
    }

    async fn take_turns(&mut self, pending: &mut Pending) -> Outcome {
        let mut seats: HashMap<ClientId, Seat> = HashMap::new();
        let mut orders = Orders::default();
        let mut seated = 0;
        loop {
            match self.perform_outputs(&mut seats, &mut orders, pending) {
                Ok(Step::GoOn) => {}
                Ok(Step::Stop) => return Outcome::Closed,
                Err(Panicked) => return self.fall(),
            }
            let input = match self.turn(pending).await {
                Turn::Mail(Mail::Join { client, join, seat }) => {
                    seats.insert(client, seat);
                    Input::Join { client, join }
                }
                Turn::Mail(Mail::Signal { client, request }) => Input::Signal { client, request },
                Turn::Mail(Mail::Enter { client, enter, seat }) => {
                    seats.insert(client, seat);
                    Input::Enter { client, enter }
                }
                Turn::Mail(Mail::Command { client, command }) => Input::Command { client, command },
                Turn::Mail(Mail::Goodbye { client }) => Input::Goodbye { client },
                Turn::Mail(Mail::Gone { client, last_seen }) => {
                    seats.remove(&client);
                    Input::SocketClosed { client, last_seen }
                }
                Turn::Mail(Mail::Order { order, answer }) => Input::Order { id: orders.wait(answer), order },
                Turn::Mail(Mail::Standings { answer }) => {
                    self.followed.ask(self.node.durable(), answer);
                    self.tell_followers();
                    continue;
                }
                Turn::Mail(Mail::Media(event)) => Input::Media(event),
                Turn::Mail(Mail::Shutdown) => Input::Shutdown,
                Turn::Committed(Ok(Stored::Events(seq))) => Input::Durable(seq),
                Turn::Committed(Ok(Stored::Side(count))) => Input::Kept(count),
                Turn::Committed(Err(error)) => {
                    self.shared.metrics.store_failures.add(1);
                    tracing::error!(room = %self.room, session = %self.session, %error, "the log of a class cannot be written");
                    Input::StoreFailed
                }
                Turn::Enforced(Some(id)) => Input::Enforced { id },
                // The node gives it up in time.
                Turn::Enforced(None) => continue,
                Turn::Timeout => Input::Timeout,
            };
            if seats.len() != seated {
                seated = seats.len();
                let persons: HashSet<&PersonId> = seats.values().map(|seat| &seat.person).collect();
                self.seated.store(persons.len(), Ordering::Relaxed);
            }
            let counted = self.node.stats();
            if guarded(|| self.node.handle(now(), input)).is_err() {
                return self.fall();
            }
            self.count(&counted, &self.node.stats());
            self.tell_followers();
        }
    }

    /// Tells whoever serves documents of the class what people may do by now.
    fn tell_followers(&mut self) {
        let node = &self.node;
        self.followed.goes_on(node.seq(), node.durable(), || node.standings());
    }

    /// Waits for the next thing that happens. Which of several comes first is left to chance, so that a flood of mail starves
    /// neither commits nor timers.
    async fn turn(&mut self, pending: &mut Pending) -> Turn {
        let due = self.node.poll_timeout().map(|(at, _)| Duration::from_millis(at.0.saturating_sub(now().0)));
        tokio::select! {
            Some(result) = pending.commits.next() => Turn::Committed(result),
            Some(done) = pending.enforced.next() => Turn::Enforced(done),
            // `routes` holds a sender, so the mailbox never runs dry for good.
            Some(mail) = self.mailbox.recv() => Turn::Mail(mail),
            () = tokio::time::sleep(due.unwrap_or(NEVER)) => Turn::Timeout,
        }
    }

    /// Does what the node wants done, in order.
    fn perform_outputs(
        &mut self,
        seats: &mut HashMap<ClientId, Seat>,
        orders: &mut Orders,
        pending: &mut Pending,
    ) -> Result<Step, Panicked> {
        while let Some(output) = guarded(|| self.node.poll_output())? {
            match output {
                Output::Append { events, side } => {
                    let commit = self.append(events, side);
                    pending.commits.push_back(commit);
                }
                Output::Enforce { id, seq } => pending.enforced.push(self.enforced(id, seq)),
                Output::Text { client, text } => self.tell(seats, client, Outbound::Text(text)),
                Output::Welcome { client, person, profile, space, text } => {
                    let seat = seats.get(&client);
                    let token = seat.and_then(|seat| self.resume_token(seat, person, &profile, space));
                    self.tell(seats, client, Outbound::Welcome { text, token: token.unwrap_or_default() });
                }
                Output::Signal { client, response } => self.tell(seats, client, Outbound::Signal(response)),
                Output::RefreshToken { client, person, profile, space } => {
                    let token = seats.get(&client).and_then(|seat| self.fresh_token(seat, person, &profile, space));
                    if let Some(token) = token {
                        self.tell(seats, client, signal(signal_response::Message::RefreshToken(token)));
                    }
                }
                Output::Moved { client, person, profile, space, mut moved } => {
                    let token = seats.get(&client).and_then(|seat| self.fresh_token(seat, person, &profile, space));
                    moved.token = token.unwrap_or_default();
                    self.tell(seats, client, signal(signal_response::Message::RoomMoved(*moved)));
                }
                Output::Reply { id, result } => orders.answer(id, result),
                Output::CloseSocket { client } => {
                    self.tell(seats, client, Outbound::Close);
                    seats.remove(&client);
                }
                Output::JoinRefused { client, reject } => {
                    self.tell(seats, client, Outbound::Refused(reject));
                    seats.remove(&client);
                }
                Output::Media(command) => {
                    // A client's media may outlive the socket that it came with.
                    match &command {
                        lyceum_sfu::Command::Open { conn, .. } => self.routes.add(*conn),
                        lyceum_sfu::Command::Close { conn } => self.routes.remove(*conn),
                        _ => {}
                    }
                    self.shared.media.send(command);
                }
                Output::Closed => return Ok(Step::Stop),
            }
        }
        Ok(Step::GoOn)
    }

    /// Resolves when documents have let go of what was taken away up to an event, and the boards are empty that were cleared.
    fn enforced(&mut self, id: u64, seq: Seq) -> Enforcing {
        let (tenant, room, session) = (self.tenant.clone(), self.room.clone(), self.session.clone());
        let boards: Vec<DocId> = self.cleared.extract_if(.., |(at, _)| *at <= seq).map(|(_, board)| board).collect();
        let Some(enforcement) = self.shared.enforcement.get().cloned() else {
            return Box::pin(std::future::ready(Some(id)));
        };
        Box::pin(async move {
            let done = async {
                for board in &boards {
                    if !enforcement.clear(&tenant, &room, board).await {
                        return None;
                    }
                }
                enforcement.reached(&tenant, &session, seq).await;
                Some(id)
            };
            let done = tokio::time::timeout(ENFORCED_AT_LAST, done).await.ok().flatten();
            if done.is_none() {
                tracing::warn!(%session, %seq, "documents did not confirm what was taken away or cleared");
            }
            done
        })
    }

    /// Adds what the node has counted to the server's counters.
    fn count(&self, before: &Stats, after: &Stats) {
        let metrics = &self.shared.metrics;
        metrics.joins_rejected.add(after.refused_joins - before.refused_joins);
        metrics.signals_refused.add(after.refused_signals - before.refused_signals);
        metrics.signals_flooded.add(after.flooded_signals - before.flooded_signals);
        metrics.data_refused.add(after.refused_data - before.refused_data);
        metrics.data_flooded.add(after.flooded_data - before.flooded_data);
        metrics.data_dropped.add(after.dropped_data - before.dropped_data);
    }

    fn append(&mut self, events: Vec<Event>, side: Vec<SideWrite>) -> Commit {
        for event in &events {
            self.note(event);
            if let Fact::Class(ClassFact::BoardCleared { space, deck, page, .. }) = &event.fact {
                self.cleared.push((event.seq, board(space, *deck, *page)));
            }
        }
        let stored = match events.last() {
            Some(last) => Stored::Events(last.seq),
            None => {
                self.side_appends += 1;
                Stored::Side(self.side_appends)
            }
        };
        let commit = self.shared.store.append(self.tenant.clone(), self.session.clone(), events, side);
        Box::pin(async move { commit.await.map(|()| stored) })
    }

    /// A line in the server's log for what an operator wants to follow. No names: those belong to people.
    fn note(&self, event: &Event) {
        let (room, session) = (&self.room, &self.session);
        match &event.fact {
            Fact::SessionStarted { .. } => tracing::info!(%room, %session, "class begins"),
            Fact::SessionRecovered { .. } => {
                tracing::info!(%room, %session, "class goes on after the server had stopped")
            }
            Fact::SessionEnded { reason } => tracing::info!(%room, %session, ?reason, "class ends"),
            Fact::ConnectionAttached { connection, client, .. } => {
                tracing::info!(%room, %connection, sdk = client.sdk, browser = client.browser, "connected");
            }
            Fact::ConnectionDetached { connection, reason, .. } => {
                tracing::info!(%room, %connection, ?reason, "disconnected");
            }
            _ => {}
        }
    }

    /// Puts something into a client's queue. A client that does not keep up is let go: it can come back and be told afresh.
    fn tell(&self, seats: &mut HashMap<ClientId, Seat>, client: ClientId, message: Outbound) {
        let Some(seat) = seats.get(&client) else { return };
        match seat.outbound.try_send(message) {
            Ok(()) => self.shared.metrics.signals_out.add(1),
            Err(TrySendError::Full(_)) => {
                self.shared.metrics.clients_too_slow.add(1);
                tracing::warn!(room = %self.room, client = client.0, "a client does not keep up and is closed");
                seats.remove(&client);
            }
            // Its `Gone` is on the way.
            Err(TrySendError::Closed(_)) => {}
        }
    }

    fn fresh_token(&self, seat: &Seat, person: PersonId, profile: &Profile, space: SpaceName) -> Option<String> {
        let claims = Claims {
            iss: seat.key.clone(),
            exp: now().0 / 1000 + self.shared.config.tokens.access_ttl_s,
            nbf: now().0 / 1000,
            video: Some(seat.grant.with_permission(&profile.permission)),
            ..Claims::of_person(person, profile, space)
        };
        match self.shared.keyring.sign(&claims) {
            Ok(token) => Some(token),
            Err(error) => {
                tracing::error!(%error, "a fresh token could not be signed");
                None
            }
        }
    }

    /// For the welcome of a state socket: lets the same device come back, whatever has become of its access token.
    fn resume_token(&self, seat: &Seat, person: PersonId, profile: &Profile, space: SpaceName) -> Option<String> {
        let resume = Resume {
            room: self.room.clone(),
            session: self.session.clone(),
            device: seat.device.clone(),
            grant: seat.grant.clone(),
        };
        let signed = self.shared.keyring.sign_resume(&seat.key, now().0 / 1000, resume, person, profile, space);
        signed.map_err(|error| tracing::error!(%error, "a token for coming back could not be signed")).ok()
    }

    /// The class stopped without saying so: its media connections are closed here, for the node can no more. Its sockets close
    /// because their queues end.
    pub(super) fn let_everybody_go(&self) {
        for conn in self.routes.conns() {
            self.shared.media.send(lyceum_sfu::Command::Close { conn });
        }
    }

    fn fall(&self) -> Outcome {
        self.shared.metrics.session_panics.add(1);
        tracing::error!(room = %self.room, session = %self.session, "this class stopped because of a bug; its clients come back to its log");
        Outcome::Panicked
    }
}

/// A board without slides is one of deck 0.
fn board(space: &SpaceName, deck: Seq, page: u32) -> DocId {
    let space = space.0.clone();
    match deck {
        Seq(0) => DocId::Blank { space, page },
        Seq(deck) => DocId::Page { space, deck, page },
    }
}

fn signal(message: signal_response::Message) -> Outbound {
    Outbound::Signal(Box::new(SignalResponse { message: Some(message) }))
}

/// Who waits for an answer of the class.
#[derive(Default)]
struct Orders {
    given: u64,
    waiting: HashMap<OrderId, oneshot::Sender<Result<Answer, Reject>>>,
}

impl Orders {
    fn wait(&mut self, answer: oneshot::Sender<Result<Answer, Reject>>) -> OrderId {
        self.given += 1;
        let id = OrderId(self.given);
        self.waiting.insert(id, answer);
        id
    }

    fn answer(&mut self, id: OrderId, result: Result<Answer, Reject>) {
        // Whoever asked may have gone away; what was ordered is done all the same.
        let _ = self.waiting.remove(&id).map(|answer| answer.send(result));
    }
}

enum Step {
    GoOn,
    Stop,
}

/// The logic panicked.
#[derive(Debug)]
pub struct Panicked;

/// Runs logic that may have a bug. The node is never used again after a panic, so it cannot be seen half-changed.
pub(super) fn guarded<T>(logic: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(logic)).map_err(|_| Panicked)
}
