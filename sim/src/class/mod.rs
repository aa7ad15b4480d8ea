//! Worlds that are about the class: the real node and session, a disk that keeps the log and what lies beside it, and many people
//! whose pages hold the class as the server shows it; a few have a media tab too. Storms of polls, groups, roles and
//! reconnects come over them, and the server is killed. The same seed gives the same world, message by message.

mod acts;
mod books;
mod check;
mod disk;
mod said;
mod screen;
pub mod story;

pub use acts::Act;
pub use screen::Screen;

use crate::state::join_request;
use crate::state::learner::{self, Learner, Reaction};
use crate::state::media::{FakeMedia, FromMedia};
use books::Books;
use disk::Disk;
use livekit_protocol as proto;
use lyceum_node::{ClientId, CommandRequest, Enter, Input, Join, Limits, Node, NodeConfig, Output};
use lyceum_session::class::ClassCommand;
use lyceum_session::{Client, ConnectionId, Lane, Policy, Profile, Role, Seq, SpaceName, State, UnixMs};
use lyceum_sfu::GroupKey;
use said::{Begins, Said, What};
use screen::Sent;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// A person's page in a [`World`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Page(usize);

/// One server with one class, the pages that show it, and everything between them.
pub struct World {
    now_ms: u64,
    rng: fastrand::Rng,
    queue: BTreeMap<(u64, u64), Happening>,
    serial: u64,
    /// Of everything that happened, in order.
    hash: u64,
    lines: u64,
    story: VecDeque<Line>,
    screens: Vec<Screen>,
    tabs: Vec<Learner>,
    sockets: BTreeMap<ClientId, Socket>,
    clients_given: u64,
    up: bool,
    incarnation: u64,
    limits: Limits,
    node: Option<Node>,
    timer_ms: Option<u64>,
    media: FakeMedia,
    media_busy_until_ms: u64,
    disk: Disk,
    disk_latency_ms: std::ops::Range<u64>,
    store_fails: bool,
    acts_to_come: usize,
    books: Books,
}

/// The near end of a socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Screen(usize),
    Tab(usize),
}

/// Messages keep their order in each direction.
struct Socket {
    end: End,
    to_server_free_ms: u64,
    to_client_free_ms: u64,
    last_heard: UnixMs,
    /// Its first message has reached the server.
    arrived: bool,
    /// Nothing gets through any more, and nobody has been told.
    dead: bool,
}

#[derive(Debug)]
enum Happening {
    Enters { client: ClientId, enter: Box<Enter> },
    Commands { client: ClientId, number: u64, request: Box<CommandRequest> },
    SaysGoodbye { client: ClientId },
    Joins { client: ClientId, join: Box<Join> },
    Signals { client: ClientId, request: Box<proto::SignalRequest> },
    ServerSeesClosed { client: ClientId },
    ScreenHears { client: ClientId, said: Rc<Said>, token: Option<Box<(Profile, SpaceName)>> },
    TabHears { client: ClientId, response: Box<proto::SignalResponse> },
    IsClosed { client: ClientId },
    Retries { end: End },
    Pings { client: ClientId },
    Acts { page: Page, act: Act },
    Syncs { incarnation: u64 },
    StoreFails { incarnation: u64 },
    MediaSays { incarnation: u64, event: Box<lyceum_sfu::Event> },
    DocumentsFollow { incarnation: u64, id: u64 },
    Heartbeat,
    ServerStarts,
}

/// A line of what happened, written only if it is read.
enum Line {
    Said(u64, ClientId, Rc<Said>),
    Note(u64, String),
}

const START_MS: u64 = 1_700_000_000_000;
const PING_EVERY_MS: u64 = 5_000;
const HEARTBEAT_EVERY_MS: u64 = 5_000;
/// Lines that a world remembers.
const STORY_LINES: usize = 2_000;
const SESSION: &str = "RM_1";

impl World {
    /// An empty class on a server that is up.
    pub fn new(seed: u64, limits: Limits) -> Self {
        let mut world = Self {
            now_ms: START_MS,
            rng: fastrand::Rng::with_seed(seed),
            queue: BTreeMap::new(),
            serial: 0,
            hash: 0,
            lines: 0,
            story: VecDeque::new(),
            screens: Vec::new(),
            tabs: Vec::new(),
            sockets: BTreeMap::new(),
            clients_given: 0,
            up: true,
            incarnation: 0,
            limits,
            node: None,
            timer_ms: None,
            media: FakeMedia::default(),
            media_busy_until_ms: 0,
            disk: Disk::default(),
            disk_latency_ms: 1..20,
            store_fails: false,
            acts_to_come: 0,
            books: Books::default(),
        };
        world.later(HEARTBEAT_EVERY_MS, Happening::Heartbeat);
        world
    }

    /// Gives a person a page; it is not in the class yet.
    pub fn page(&mut self, person: &str, role: Role) -> Page {
        let profile = Profile { role, ..join_request(person, None).profile };
        let device = format!("{person}.{}", self.screens.len());
        self.screens.push(Screen::new(person.into(), device, profile));
        Page(self.screens.len() - 1)
    }

    /// Gives a person a tab with media.
    pub fn media_tab(&mut self, person: &str) -> usize {
        self.tabs.push(Learner::new(person));
        self.tabs.len() - 1
    }

    /// What a page shows.
    pub fn screen(&self, page: Page) -> &Screen {
        &self.screens[page.0]
    }

    /// The class as the durable log has it.
    pub fn class(&self) -> &State {
        &self.disk.state
    }

    /// A hash of everything that happened, and how much that was.
    pub fn trace(&self) -> (u64, u64) {
        (self.hash, self.lines)
    }

    /// Lets every append take so long.
    pub fn slows_disk_to(&mut self, latency_ms: std::ops::Range<u64>) {
        self.disk_latency_ms = latency_ms;
    }

    /// Lets the world go on for a while.
    pub fn runs_for(&mut self, duration_ms: u64) {
        let until = self.now_ms + duration_ms;
        let mut timeouts_at_once = 0;
        loop {
            let happening = self.queue.first_key_value().map(|((at, _), _)| *at);
            let timer = self.timer_ms.map(|at_ms| at_ms.max(self.now_ms));
            let Some(next) = happening.into_iter().chain(timer).min().filter(|next| *next <= until) else { break };
            if next > self.now_ms {
                timeouts_at_once = 0;
            }
            self.now_ms = next;
            if timer.is_some_and(|timer| timer <= next) && happening.is_none_or(|happening| happening > next) {
                timeouts_at_once += 1;
                assert!(timeouts_at_once < 10, "a timer of the node spins: {:?}", self.timer_ms);
                self.node_gets(Input::Timeout);
            } else if let Some((_, happening)) = self.queue.pop_first() {
                self.happens(happening);
            }
        }
        self.now_ms = until;
    }
}

/// What people do to their connections, and what is done to the server.
impl World {
    /// Opens the class on this page.
    pub fn enters(&mut self, page: Page) {
        self.screens[page.0].wants_in = true;
        if self.screens[page.0].socket.is_none() {
            self.opens_screen(page.0);
        }
    }

    /// Joins with media.
    pub fn joins(&mut self, tab: usize) {
        self.tabs[tab].wants_in = true;
        if self.tabs[tab].socket.is_none() {
            self.opens_tab(tab);
        }
    }

    /// Publishes a track whenever the tab is in the class.
    pub fn publishes(&mut self, tab: usize, source: proto::TrackSource) {
        self.serial += 1;
        let cid = format!("{}-{}", source.as_str_name().to_lowercase(), self.serial);
        let reactions = self.tabs[tab].publishes(cid, source, false);
        self.reacts(tab, reactions);
    }

    /// Hangs up.
    pub fn hangs_up(&mut self, tab: usize) {
        let leave =
            proto::LeaveRequest { reason: proto::DisconnectReason::ClientInitiated.into(), ..Default::default() };
        self.reacts(tab, vec![learner::says(proto::signal_request::Message::Leave(leave)), Reaction::StaysAway]);
    }

    /// A person does something after a while.
    pub fn soon(&mut self, after_ms: u64, page: Page, act: Act) {
        self.acts_to_come += 1;
        self.later(after_ms, Happening::Acts { page, act });
    }

    /// The socket of a page breaks; it comes back after a while, and the server notices in its own time.
    fn loses_screen(&mut self, screen: usize, for_ms: u64) {
        let Some(client) = self.screens[screen].socket else { return };
        self.breaks(client);
        self.screens[screen].loses_socket();
        self.retries(End::Screen(screen), for_ms);
    }

    /// Likewise that of a tab.
    pub fn loses_tab(&mut self, tab: usize, for_ms: u64) {
        let Some(client) = self.tabs[tab].socket else { return };
        self.breaks(client);
        self.tabs[tab].loses_socket();
        self.retries(End::Tab(tab), for_ms);
    }

    fn breaks(&mut self, client: ClientId) {
        if let Some(socket) = self.sockets.get_mut(&client) {
            socket.dead = true;
        }
        let after_ms = self.rng.u64(1..2_000);
        self.later(after_ms, Happening::ServerSeesClosed { client });
    }

    /// The server is stopped with a warning, and started again after a while.
    pub fn shuts_down(&mut self, for_ms: u64) {
        self.notes("the server stops".to_owned());
        self.node_gets(Input::Shutdown);
        self.up = false;
        self.later(for_ms, Happening::ServerStarts);
    }

    /// The store refuses the next append, and what it had not written by then.
    pub fn store_fails(&mut self) {
        self.store_fails = self.node.is_some();
    }

    /// The server is killed, and started again after a while. Some of what was on its way to the disk got there.
    pub fn is_killed(&mut self, for_ms: u64) {
        self.notes("the server is killed".to_owned());
        self.up = false;
        self.forgets_node();
        self.loses_appends();
        for (client, _) in std::mem::take(&mut self.sockets) {
            let after_ms = self.rng.u64(1..3_000);
            self.later(after_ms, Happening::IsClosed { client });
        }
        self.media.crashes();
        self.later(for_ms, Happening::ServerStarts);
    }

    fn forgets_node(&mut self) {
        self.node = None;
        self.timer_ms = None;
        self.store_fails = false;
        self.incarnation += 1;
    }

    fn loses_appends(&mut self) {
        let written = self.rng.usize(0..=self.disk.at_risk());
        self.disk.crashes(written);
        self.reads_back_what_there_was();
    }
}

/// How it happens.
impl World {
    fn happens(&mut self, happening: Happening) {
        match &happening {
            // Noted when it was said.
            Happening::ScreenHears { .. } | Happening::TabHears { .. } => {}
            // The maps inside of signals have no order of their own; as JSON they are sorted.
            Happening::Signals { client, request } => {
                self.notes(format!("client {} says {}", client.0, serde_json::json!(request)));
            }
            other => self.notes(format!("{other:?}")),
        }
        match happening {
            Happening::Enters { client, enter } => {
                if self.reaches_server(client) {
                    self.node_gets(Input::Enter { client, enter });
                }
            }
            Happening::Joins { client, join } => {
                if self.reaches_server(client) {
                    self.node_gets(Input::Join { client, join });
                }
            }
            Happening::Commands { client, number, mut request } => {
                if let Some(screen) = self.hears(client) {
                    request.received_at = self.now();
                    if let End::Screen(screen) = screen {
                        self.notes_arrival(screen, number);
                    }
                    self.node_gets(Input::Command { client, command: request });
                }
            }
            Happening::SaysGoodbye { client } => {
                if self.hears(client).is_some() {
                    self.node_gets(Input::Goodbye { client });
                }
            }
            Happening::Signals { client, request } => {
                if self.hears(client).is_some() {
                    self.node_gets(Input::Signal { client, request });
                }
            }
            Happening::ServerSeesClosed { client } => {
                if let Some(socket) = self.sockets.remove(&client) {
                    self.node_gets(Input::SocketClosed { client, last_seen: socket.last_heard });
                }
            }
            Happening::ScreenHears { client, said, token } => {
                if let Some(screen) = self.screens.iter().position(|screen| screen.socket == Some(client)) {
                    self.screen_hears(screen, &said, token);
                }
            }
            Happening::TabHears { client, response } => {
                if let Some(tab) = self.tab_of(client) {
                    let reactions = self.tabs[tab].is_told(*response);
                    self.reacts(tab, reactions);
                }
            }
            Happening::IsClosed { client } => self.is_closed(client),
            Happening::Retries { end } => self.tries_again(end),
            Happening::Pings { client } => {
                if let Some(tab) = self.tab_of(client) {
                    let ping = proto::signal_request::Message::Ping(self.now_ms as i64);
                    self.reacts(tab, vec![learner::says(ping)]);
                    self.later(PING_EVERY_MS, Happening::Pings { client });
                }
            }
            Happening::Acts { page, act } => {
                self.acts_to_come -= 1;
                self.acts(page.0, act);
            }
            Happening::Syncs { incarnation } => {
                if incarnation == self.incarnation
                    && let Some(input) = self.disk.syncs()
                {
                    self.node_gets(input);
                }
            }
            Happening::StoreFails { incarnation } => {
                if incarnation == self.incarnation {
                    self.loses_appends();
                    self.node_gets(Input::StoreFailed);
                }
            }
            Happening::MediaSays { incarnation, event } => {
                if incarnation == self.incarnation {
                    self.node_gets(Input::Media(*event));
                }
            }
            Happening::DocumentsFollow { incarnation, id } => {
                if incarnation == self.incarnation {
                    self.node_gets(Input::Enforced { id });
                }
            }
            Happening::Heartbeat => {
                if self.node.is_some() {
                    self.disk.heartbeat = self.now();
                }
                self.later(HEARTBEAT_EVERY_MS, Happening::Heartbeat);
            }
            Happening::ServerStarts => {
                self.up = true;
                if !self.disk.events.is_empty() {
                    self.opens_class();
                }
            }
        }
    }

    /// Whether a first message found a server and a class.
    fn reaches_server(&mut self, client: ClientId) -> bool {
        let Some(socket) = self.sockets.get_mut(&client) else { return false };
        if !self.up {
            self.sockets.remove(&client);
            self.later(1, Happening::IsClosed { client });
            return false;
        }
        socket.arrived = true;
        self.opens_class();
        self.hears(client).is_some()
    }

    /// Goes on with the class, or begins it.
    fn opens_class(&mut self) {
        if self.node.is_some() || self.disk.state.ended {
            return;
        }
        let (tenant, room) = ("school".into(), "physics".into());
        let mut config = NodeConfig::new(tenant, room, SESSION.into(), policy(), GroupKey(1));
        config.limits = self.limits.clone();
        let seed = self.rng.u64(..);
        self.disk.begins();
        self.node = Some(Node::recover(config, seed, self.disk.reads_back(), self.disk.heartbeat));
        self.incarnation += 1;
        self.timer_ms = Some(self.now_ms);
    }

    fn node_gets(&mut self, input: Input) {
        let now = self.now();
        let Some(node) = &mut self.node else { return };
        node.handle(now, input);
        let outputs: Vec<Output> = std::iter::from_fn(|| node.poll_output()).collect();
        self.timer_ms = node.poll_timeout().map(|(at, _)| at.0);
        for output in outputs {
            self.does(output);
        }
        self.queues_are_bounded();
    }

    fn does(&mut self, output: Output) {
        let incarnation = self.incarnation;
        match output {
            Output::Append { events, side } => {
                self.notes(format!("append {} {}", serde_json::json!(events), serde_json::json!(side)));
                let latency_ms = self.rng.u64(self.disk_latency_ms.clone());
                if self.store_fails {
                    return self.later(latency_ms, Happening::StoreFails { incarnation });
                }
                let at_ms = self.disk.append(events, side, self.now_ms, latency_ms);
                self.later(at_ms - self.now_ms, Happening::Syncs { incarnation });
            }
            Output::Text { client, text } => self.says(client, text, None),
            Output::Welcome { client, person, profile, space, text } => {
                let screen = self.sockets.get(&client).map(|socket| socket.end);
                let End::Screen(screen) = screen.expect("a socket is welcomed") else { panic!("a tab is welcomed") };
                assert_eq!(self.screens[screen].person, person, "the token of somebody else");
                self.says(client, text, Some(Box::new((*profile, space))));
            }
            Output::Signal { client, response } => {
                self.notes(format!("tell {} {}", client.0, serde_json::json!(response)));
                self.sends_to_client(client, |client| Happening::TabHears { client, response });
            }
            Output::Moved { client, moved, .. } => {
                let message = Some(proto::signal_response::Message::RoomMoved(*moved));
                let response = Box::new(proto::SignalResponse { message });
                self.notes(format!("tell {} {}", client.0, serde_json::json!(response)));
                self.sends_to_client(client, |client| Happening::TabHears { client, response });
            }
            Output::RefreshToken { .. } | Output::Reply { .. } => {}
            Output::CloseSocket { client } | Output::JoinRefused { client, .. } => {
                self.sends_to_client(client, |client| Happening::IsClosed { client });
                self.sockets.remove(&client);
            }
            Output::Media(command) => {
                self.notes(format!("media {command:?}"));
                for out in self.media.handle(command) {
                    if let FromMedia::Event(event) = out {
                        let at = self.media_busy_until_ms.max(self.now_ms + self.rng.u64(0..5));
                        self.media_busy_until_ms = at;
                        let event = Box::new(event);
                        self.later(at - self.now_ms, Happening::MediaSays { incarnation, event });
                    }
                }
            }
            Output::Enforce { id, .. } => {
                let follow_ms = self.rng.u64(0..20);
                self.later(follow_ms, Happening::DocumentsFollow { incarnation, id });
            }
            Output::Closed => {
                self.forgets_node();
                self.is_over();
            }
        }
    }

    /// The server says something to a page.
    fn says(&mut self, client: ClientId, text: std::sync::Arc<str>, token: Option<Box<(Profile, SpaceName)>>) {
        let said = self.books.read(text);
        let end = self.sockets.get(&client).map(|socket| socket.end);
        let Some(End::Screen(screen)) = end else { panic!("said over a closed socket: {}", said.text) };
        self.mixes(client.0 ^ said.hash);
        self.story.push_back(Line::Said(self.now_ms, client, said.clone()));
        self.may_be_said(screen, &said);
        self.sends_to_client(client, |client| Happening::ScreenHears { client, said, token });
    }

    fn screen_hears(&mut self, index: usize, said: &Said, token: Option<Box<(Profile, SpaceName)>>) {
        let screen = &mut self.screens[index];
        match &said.what {
            What::Welcome { session, admitted, seq, begins } => {
                if let Some(token) = token {
                    screen.token = (token.0, Some(token.1));
                }
                match begins {
                    Begins::Anew(snapshot) => screen.is_shown(snapshot, *seq),
                    Begins::After(missed) => {
                        assert_eq!(screen.session.as_ref(), Some(session), "what was missed of another session");
                        missed.iter().for_each(|shown| screen.takes(shown));
                        screen.seq = *seq;
                    }
                }
                screen.session = Some(session.clone());
                (screen.welcomed, screen.waits) = (true, !admitted);
                let again: Vec<u64> = screen.unanswered.keys().copied().collect();
                again.into_iter().for_each(|number| self.sends_command(index, number));
            }
            What::Shown(shown) => {
                screen.takes(shown);
                if screen.waits && screen.sees("participants", &screen.person.0.clone()).is_some() {
                    screen.waits = false;
                }
            }
            What::Pulse { seq, hash } => {
                screen.pulses += 1;
                if screen.sum != *hash {
                    let (person, entities) = (screen.person.clone(), screen.entities.clone());
                    self.diverged(&person, &entities, *seq);
                }
                self.screens[index].seq = *seq;
            }
            What::Acked(ack) => {
                let person = screen.person.clone();
                if screen.is_answered(ack).is_some() {
                    self.books.is_answered(&person, ack);
                }
            }
            What::Signal { .. } => {}
            What::Bye { code, retry } => {
                screen.byes.push(code.clone());
                screen.loses_socket();
                if *retry {
                    self.retries(End::Screen(index), 0);
                } else {
                    screen.wants_in = false;
                    screen.unanswered.clear();
                }
            }
        }
    }

    fn is_closed(&mut self, client: ClientId) {
        if let Some(screen) = self.screens.iter().position(|screen| screen.socket == Some(client)) {
            self.screens[screen].loses_socket();
            self.retries(End::Screen(screen), 0);
        }
        if let Some(tab) = self.tab_of(client) {
            self.tabs[tab].loses_socket();
            self.retries(End::Tab(tab), 0);
        }
    }

    fn retries(&mut self, end: End, after_ms: u64) {
        let after_ms = after_ms + self.rng.u64(1..1_500);
        let at_ms = self.now_ms + after_ms;
        match end {
            End::Screen(screen) => self.screens[screen].retry_at_ms = Some(at_ms),
            End::Tab(tab) => self.tabs[tab].retry_at_ms = Some(at_ms),
        }
        self.later(after_ms, Happening::Retries { end });
    }

    fn tries_again(&mut self, end: End) {
        match end {
            End::Screen(index) => {
                let screen = &self.screens[index];
                if screen.wants_in && screen.socket.is_none() && screen.retry_at_ms == Some(self.now_ms) {
                    self.opens_screen(index);
                }
            }
            End::Tab(index) => {
                let tab = &self.tabs[index];
                if tab.wants_in && tab.socket.is_none() && tab.retry_at_ms == Some(self.now_ms) {
                    self.opens_tab(index);
                }
            }
        }
    }

    fn opens_screen(&mut self, index: usize) {
        let client = self.opens_socket(End::Screen(index));
        let screen = &mut self.screens[index];
        (screen.socket, screen.welcomed, screen.retry_at_ms) = (Some(client), false, None);
        let since = screen.session.as_ref().map(|session| (session.as_str().into(), Seq(screen.seq)));
        let enter = Enter {
            person: screen.person.clone(),
            profile: screen.token.0.clone(),
            client: Client { device: screen.device.clone(), lane: Lane::State, ..Client::default() },
            space: screen.token.1.clone(),
            since: since.filter(|_| !screen.waits),
        };
        let enter = Box::new(enter);
        self.sends_to_server(client, |client| Happening::Enters { client, enter });
    }

    fn opens_tab(&mut self, index: usize) {
        let client = self.opens_socket(End::Tab(index));
        let resume = self.tabs[index].resume.take().map(ConnectionId);
        self.tabs[index].opens(client);
        let join = Box::new(join_request(&self.tabs[index].person, resume));
        self.sends_to_server(client, |client| Happening::Joins { client, join });
        let ping_ms = self.rng.u64(1..PING_EVERY_MS);
        self.later(ping_ms, Happening::Pings { client });
    }

    fn opens_socket(&mut self, end: End) -> ClientId {
        self.clients_given += 1;
        let client = ClientId(self.clients_given);
        let (now_ms, last_heard) = (self.now_ms, self.now());
        let (arrived, dead) = (false, false);
        let socket = Socket { end, to_server_free_ms: now_ms, to_client_free_ms: now_ms, last_heard, arrived, dead };
        self.sockets.insert(client, socket);
        client
    }

    /// Does something in the class from a page, now or as soon as it is back.
    fn commands(&mut self, index: usize, command: ClassCommand, expect: Option<Seq>) {
        let screen = &mut self.screens[index];
        let number = screen.commands_made;
        screen.commands_made += 1;
        screen.unanswered.insert(number, Sent { command: command.clone(), expect });
        let (person, id) = (screen.person.clone(), format!("{}-{number}", screen.device));
        self.books.is_asked(person, id, command);
        self.sends_command(index, number);
    }

    fn sends_command(&mut self, index: usize, number: u64) {
        let screen = &self.screens[index];
        let Some(client) = screen.socket.filter(|_| screen.welcomed) else { return };
        let Some(Sent { command, expect }) = screen.unanswered.get(&number).cloned() else { return };
        let written = serde_json::to_vec(&command).expect("commands are JSON");
        let request = CommandRequest {
            id: format!("{}-{number}", screen.device).into(),
            digest: said::hash64(&written) % ((1 << 53) - 1) + 1,
            command,
            expect,
            epoch: None,
            received_at: UnixMs(0),
        };
        let request = Box::new(request);
        self.sends_to_server(client, |client| Happening::Commands { client, number, request });
    }

    fn says_goodbye(&mut self, index: usize) {
        if let Some(client) = self.screens[index].socket {
            self.sends_to_server(client, |client| Happening::SaysGoodbye { client });
        } else {
            self.screens[index].wants_in = false;
            self.screens[index].unanswered.clear();
        }
    }

    fn reacts(&mut self, tab: usize, reactions: Vec<Reaction>) {
        for reaction in reactions {
            let Some(client) = self.tabs[tab].socket else {
                if reaction == Reaction::StaysAway {
                    self.tabs[tab].wants_in = false;
                }
                continue;
            };
            match reaction {
                Reaction::Says(request) => {
                    self.sends_to_server(client, |client| Happening::Signals { client, request });
                }
                Reaction::ComesBack { after_ms } => {
                    self.sends_to_server(client, |client| Happening::ServerSeesClosed { client });
                    self.tabs[tab].loses_socket();
                    self.retries(End::Tab(tab), after_ms);
                }
                Reaction::StaysAway => {
                    self.tabs[tab].wants_in = false;
                    self.sends_to_server(client, |client| Happening::ServerSeesClosed { client });
                    self.tabs[tab].loses_socket();
                }
            }
        }
    }

    fn tab_of(&self, client: ClientId) -> Option<usize> {
        self.tabs.iter().position(|tab| tab.socket == Some(client))
    }

    fn hears(&mut self, client: ClientId) -> Option<End> {
        let now = self.now();
        let socket = self.sockets.get_mut(&client).filter(|socket| socket.arrived)?;
        socket.last_heard = now;
        Some(socket.end)
    }

    fn sends_to_server(&mut self, client: ClientId, happening: impl FnOnce(ClientId) -> Happening) {
        let Some(socket) = self.sockets.get_mut(&client).filter(|socket| !socket.dead) else { return };
        let at = socket.to_server_free_ms.max(self.now_ms + self.rng.u64(1..80));
        socket.to_server_free_ms = at;
        self.later(at - self.now_ms, happening(client));
    }

    fn sends_to_client(&mut self, client: ClientId, happening: impl FnOnce(ClientId) -> Happening) {
        let Some(socket) = self.sockets.get_mut(&client).filter(|socket| !socket.dead) else { return };
        let at = socket.to_client_free_ms.max(self.now_ms + self.rng.u64(1..80));
        socket.to_client_free_ms = at;
        self.later(at - self.now_ms, happening(client));
    }

    fn later(&mut self, after_ms: u64, happening: Happening) {
        self.serial += 1;
        self.queue.insert((self.now_ms + after_ms, self.serial), happening);
    }

    fn now(&self) -> UnixMs {
        UnixMs(self.now_ms)
    }

    fn mixes(&mut self, what: u64) {
        self.lines += 1;
        self.hash = (self.hash ^ what ^ self.now_ms).wrapping_mul(0x0100_0000_01b3).rotate_left(17);
        if self.story.len() > STORY_LINES {
            self.story.pop_front();
        }
    }

    fn notes(&mut self, line: String) {
        self.mixes(said::hash64(line.as_bytes()));
        self.story.push_back(Line::Note(self.now_ms, line));
    }
}

/// The waits of a class.
fn policy() -> Policy {
    Policy {
        max_participants: 0,
        presence_grace_ms: 30_000,
        empty_timeout_ms: 300_000,
        departure_timeout_ms: 120_000,
        max_tracks_per_connection: 8,
        resume_window_ms: 20_000,
    }
}

/// A world that fails tells how it came to that; `SIM_STORY` says in how many lines.
impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let lines = std::env::var("SIM_STORY").ok().and_then(|lines| lines.parse().ok()).unwrap_or(60);
        for line in self.story.iter().skip(self.story.len().saturating_sub(lines)) {
            match line {
                Line::Note(at_ms, note) => println!("{:>8} {note}", at_ms - START_MS),
                Line::Said(at_ms, client, said) => println!("{:>8} to {}: {}", at_ms - START_MS, client.0, said.text),
            }
        }
    }
}
