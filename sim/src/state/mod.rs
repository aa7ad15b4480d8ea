//! Worlds that are about state: the real node and session, a disk with latency, sockets with latency, tabs that behave as
//! LiveKit's clients do, and no packets. A world is a queue of happenings in virtual time; the same seed gives the same
//! trace, line by line.

mod check;
mod disk;
pub(crate) mod learner;
pub(crate) mod media;
pub mod random;
mod told;

pub use learner::{Learner, MyTrack, Seen};

use disk::Disk;
use learner::Reaction;
use livekit_protocol as proto;
use lyceum_node::{ClientId, Input, Join, Node, NodeConfig, Order, OrderId, Output};
use lyceum_session::{Client, ConnectionId, Kind, Permission, Policy, Profile, Role, State, Text, UnixMs};
use lyceum_sfu::{ConnKey, GroupKey};
use media::{FakeMedia, FromMedia};
use prost::Message as _;
use std::collections::{BTreeMap, BTreeSet};

/// The tab of a person in a [`World`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Tab(usize);

/// One server with one Room, the tabs that use it, and everything between them.
pub struct World {
    now_ms: u64,
    /// How far the server's clock is ahead of the world's.
    clock_ahead_ms: i64,
    rng: fastrand::Rng,
    queue: BTreeMap<(u64, u64), Happening>,
    serial: u64,
    trace: Vec<String>,
    tabs: Vec<Learner>,
    links: BTreeMap<ClientId, Link>,
    clients_given: u64,
    up: bool,
    incarnation: u64,
    policy: Policy,
    node: Option<Node>,
    media: FakeMedia,
    media_busy_until_ms: u64,
    sessions: Vec<Disk>,
    on_disk: BTreeSet<String>,
    told: BTreeSet<String>,
    removed: BTreeSet<String>,
    disk_latency_ms: std::ops::Range<u64>,
    store_fails: bool,
}

/// A socket between a tab and the server. Messages keep their order in each direction.
struct Link {
    to_server_free_ms: u64,
    to_tab_free_ms: u64,
    last_heard: UnixMs,
    /// Its join request has reached the server.
    arrived: bool,
    /// Nothing gets through any more, and nobody has been told.
    dead: bool,
}

#[derive(Clone, PartialEq, Debug)]
enum Happening {
    /// A socket was opened and its join request arrives.
    JoinArrives {
        client: ClientId,
        join: Box<Join>,
    },
    SignalArrives {
        client: ClientId,
        request: Box<proto::SignalRequest>,
    },
    DataArrives {
        client: ClientId,
        packet: Box<proto::DataPacket>,
    },
    ServerSeesClosed {
        client: ClientId,
    },
    TabHears {
        client: ClientId,
        response: Box<proto::SignalResponse>,
    },
    TabHearsData {
        client: ClientId,
        bytes: std::sync::Arc<[u8]>,
    },
    TabSeesClosed {
        client: ClientId,
    },
    TabIsRefused {
        client: ClientId,
    },
    TabRetries {
        tab: Tab,
    },
    TabPings {
        client: ClientId,
    },
    NodeGets {
        incarnation: u64,
        input: Box<Input>,
    },
    Heartbeat,
    ServerStarts,
}

const START_MS: u64 = 1_700_000_000_000;
const PING_EVERY_MS: u64 = 5_000;
const HEARTBEAT_EVERY_MS: u64 = 5_000;

impl World {
    /// An empty Room on a server that is up.
    pub fn new(seed: u64, policy: Policy) -> Self {
        let mut world = Self {
            now_ms: START_MS,
            clock_ahead_ms: 0,
            rng: fastrand::Rng::with_seed(seed),
            queue: BTreeMap::new(),
            serial: 0,
            trace: Vec::new(),
            tabs: Vec::new(),
            links: BTreeMap::new(),
            clients_given: 0,
            up: true,
            incarnation: 0,
            policy,
            node: None,
            media: FakeMedia::default(),
            media_busy_until_ms: 0,
            sessions: Vec::new(),
            on_disk: BTreeSet::new(),
            told: BTreeSet::new(),
            removed: BTreeSet::new(),
            disk_latency_ms: 1..20,
            store_fails: false,
        };
        world.later(HEARTBEAT_EVERY_MS, Happening::Heartbeat);
        world
    }

    /// The waits of a class, long enough for the stories.
    pub fn policy() -> Policy {
        Policy {
            max_participants: 0,
            presence_grace_ms: 60_000,
            empty_timeout_ms: 300_000,
            departure_timeout_ms: 120_000,
            max_tracks_per_connection: 8,
            resume_window_ms: 20_000,
        }
    }

    /// Gives a person a tab; it is not in the class yet.
    pub fn tab(&mut self, person: &str) -> Tab {
        self.tabs.push(Learner::new(person));
        Tab(self.tabs.len() - 1)
    }

    /// What a tab knows.
    pub fn sees(&self, tab: Tab) -> &Learner {
        &self.tabs[tab.0]
    }

    /// The log of the present session, as far as it is durable.
    pub fn log(&self) -> &[lyceum_session::Event] {
        self.sessions.last().map_or(&[], Disk::durable)
    }

    /// What the server's clock says.
    pub fn now(&self) -> UnixMs {
        UnixMs(self.now_ms.saturating_add_signed(self.clock_ahead_ms))
    }

    /// The class as the durable log has it.
    pub fn class(&self) -> State {
        self.sessions.last().map(Disk::fold).unwrap_or_default()
    }

    /// Whether somebody in the class is reconnecting in the eyes of this tab; `None` if the tab does not see them.
    pub fn sees_reconnecting(&self, tab: Tab, person: &str) -> Option<bool> {
        let seen = self.sees(tab).roster.get(person)?;
        Some(seen.attributes.get("lyceum.presence").is_some_and(|presence| presence == "reconnecting"))
    }

    /// Whether the media holds a track back; `None` if it does not know the track.
    pub fn media_holds_back(&self, cid: &str) -> Option<bool> {
        self.media.is_muted(cid)
    }

    /// Lets every append take so long.
    pub fn slows_disk_to(&mut self, latency_ms: u64) {
        self.disk_latency_ms = latency_ms..latency_ms + 1;
    }

    /// How many sockets, node clients and tracks, and media connections and tracks there are.
    pub fn open_things(&self) -> [usize; 5] {
        let stats = self.node.as_ref().map(Node::stats).unwrap_or_default();
        let (conns, tracks) = self.media.open();
        [self.links.len(), stats.clients, stats.tracks, conns.len(), tracks.len()]
    }

    /// How many sessions the Room has had.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Everything that happened, one line each.
    pub fn trace(&self) -> &[String] {
        &self.trace
    }

    /// Lets the world go on for a while.
    pub fn runs_for(&mut self, duration_ms: u64) {
        let until = self.now_ms + duration_ms;
        let mut timeouts_at_once = 0;
        loop {
            let happening = self.queue.first_key_value().map(|((at, _), _)| *at);
            let timer = self.poll_node().map(|(at, _)| at.0.saturating_add_signed(-self.clock_ahead_ms));
            let timer = timer.map(|at_ms| at_ms.max(self.now_ms));
            let Some(next) = happening.into_iter().chain(timer).min().filter(|next| *next <= until) else { break };
            if next > self.now_ms {
                timeouts_at_once = 0;
            }
            self.now_ms = next;
            if timer.is_some_and(|timer| timer <= next) && happening.is_none_or(|happening| happening > next) {
                timeouts_at_once += 1;
                assert!(timeouts_at_once < 10, "a timer of the node spins: {:?}", self.poll_node());
                self.node_gets(Input::Timeout);
            } else if let Some((_, happening)) = self.queue.pop_first() {
                self.happens(happening);
            }
        }
        self.now_ms = until;
    }

    fn poll_node(&self) -> Option<(UnixMs, &'static str)> {
        self.node.as_ref().and_then(Node::poll_timeout)
    }
}

/// What people do.
impl World {
    /// Opens the class in this tab.
    pub fn joins(&mut self, tab: Tab) {
        self.tabs[tab.0].wants_in = true;
        self.removed.remove(&self.tabs[tab.0].person);
        if self.tabs[tab.0].socket.is_none() {
            self.opens_socket(tab);
        }
    }

    /// Says goodbye and closes the tab.
    pub fn leaves(&mut self, tab: Tab) {
        let leave =
            proto::LeaveRequest { reason: proto::DisconnectReason::ClientInitiated.into(), ..Default::default() };
        self.reacts(tab, vec![learner::says(proto::signal_request::Message::Leave(leave)), Reaction::StaysAway]);
    }

    /// Closes the tab without a word.
    pub fn vanishes(&mut self, tab: Tab) {
        self.reacts(tab, vec![Reaction::StaysAway]);
    }

    /// The socket breaks; both ends notice soon, and the tab comes back.
    pub fn loses_socket(&mut self, tab: Tab) {
        let Some(client) = self.tabs[tab.0].socket else { return };
        self.happens(Happening::TabSeesClosed { client });
        let after_ms = self.rng.u64(1..2_000);
        self.later(after_ms, Happening::ServerSeesClosed { client });
    }

    /// The network goes silent: the tab notices after a while, the server only by the silence, or by the media.
    pub fn loses_network(&mut self, tab: Tab) {
        let Some(client) = self.tabs[tab.0].socket else { return };
        if let Some(link) = self.links.get_mut(&client) {
            link.dead = true;
        }
        let after_ms = self.rng.u64(500..15_000);
        self.later(after_ms, Happening::TabSeesClosed { client });
        if self.rng.bool()
            && let Some(event) = self.tabs[tab.0].media.and_then(|media| self.media.loses(ConnKey(media.0)))
        {
            let incarnation = self.incarnation;
            self.later(10_000, Happening::NodeGets { incarnation, input: Box::new(Input::Media(event)) });
        }
    }

    /// The computer is switched off: nobody says goodbye, nothing comes back, and the server has only the silence to go by.
    pub fn falls_silent(&mut self, tab: Tab) {
        let client = self.tabs[tab.0].socket;
        if let Some(link) = client.and_then(|client| self.links.get_mut(&client)) {
            link.dead = true;
        }
        self.tabs[tab.0].wants_in = false;
        self.tabs[tab.0].loses_socket();
    }

    /// Somebody sets the server's clock.
    pub fn sets_clock_ahead(&mut self, ahead_ms: i64) {
        self.clock_ahead_ms = ahead_ms;
    }

    /// Publishes a track whenever the tab is in the class.
    pub fn publishes(&mut self, tab: Tab, source: proto::TrackSource, muted: bool) -> String {
        self.serial += 1;
        let cid = format!("{}-{}", source.as_str_name().to_lowercase(), self.serial);
        let reactions = self.tabs[tab.0].publishes(cid.clone(), source, muted);
        self.reacts(tab, reactions);
        cid
    }

    /// Stops a track.
    pub fn unpublishes(&mut self, tab: Tab, cid: &str) {
        let reactions = self.tabs[tab.0].unpublishes(cid);
        self.reacts(tab, reactions);
    }

    /// Mutes or unmutes a track.
    pub fn mutes(&mut self, tab: Tab, cid: &str, muted: bool) {
        let reactions = self.tabs[tab.0].mutes(cid, muted);
        self.reacts(tab, reactions);
    }

    /// Changes their own name.
    pub fn renames_to(&mut self, tab: Tab, name: &str) {
        let reactions = self.tabs[tab.0].renames_to(name);
        self.reacts(tab, reactions);
    }

    /// Sends a message to everybody over the data channel.
    pub fn says(&mut self, tab: Tab, text: &str) {
        let Some(client) = self.tabs[tab.0].socket.filter(|_| self.tabs[tab.0].sid.is_some()) else { return };
        let user = proto::UserPacket { payload: text.as_bytes().to_vec(), ..Default::default() };
        let value = Some(proto::data_packet::Value::User(user));
        let packet = proto::DataPacket { value, ..Default::default() };
        self.sends_to_server(client, |client| Happening::DataArrives { client, packet: Box::new(packet) });
    }

    /// An administrator removes a person.
    pub fn is_removed(&mut self, person: &str) {
        self.removed.insert(person.to_owned());
        self.orders(Order::Remove(person.into()));
    }

    /// An administrator places people in a Space.
    pub fn are_moved(&mut self, persons: &[&str], space: &str) {
        let persons = persons.iter().map(|person| (*person).into()).collect();
        self.orders(Order::Move { persons, space: space.into() });
    }

    fn orders(&mut self, order: Order) {
        self.serial += 1;
        self.node_gets(Input::Order { id: OrderId(self.serial), order: Box::new(order) });
    }

    /// An administrator ends the class.
    pub fn is_ended(&mut self) {
        self.orders(Order::End);
    }

    /// The server is stopped with a warning, and started again after a while.
    pub fn shuts_down(&mut self, for_ms: u64) {
        self.node_gets(Input::Shutdown);
        self.up = false;
        self.later(for_ms, Happening::ServerStarts);
    }

    /// The store refuses the next append, and what it had not written by then.
    pub fn store_fails(&mut self) {
        self.store_fails = self.node.is_some();
    }

    /// The server is killed, and started again after a while. Some of what was on its way to the disk got there.
    pub fn crashes(&mut self, for_ms: u64) {
        self.notes("the server is killed".to_owned());
        self.up = false;
        self.store_fails = false;
        self.incarnation += 1;
        self.node = None;
        self.media.crashes();
        self.loses_appends();
        self.nothing_told_is_lost();
        for (client, _) in std::mem::take(&mut self.links) {
            let after_ms = self.rng.u64(1..3_000);
            self.later(after_ms, Happening::TabSeesClosed { client });
        }
        self.later(for_ms, Happening::ServerStarts);
    }
}

/// How it happens.
impl World {
    fn happens(&mut self, happening: Happening) {
        self.notes_happening(&happening);
        match happening {
            Happening::JoinArrives { client, join } => {
                if !self.up {
                    self.links.remove(&client);
                    return self.later(1, Happening::TabSeesClosed { client });
                }
                let Some(link) = self.links.get_mut(&client) else { return };
                link.arrived = true;
                self.opens_class();
                self.node_gets(Input::Join { client, join });
            }
            Happening::SignalArrives { client, request } => {
                if self.hears(client) {
                    self.node_gets(Input::Signal { client, request });
                }
            }
            Happening::DataArrives { client, packet } => {
                let media = self.tab_of(client).and_then(|tab| self.tabs[tab.0].media);
                if self.hears(client)
                    && let Some(event) = media.and_then(|media| self.media.data_from(ConnKey(media.0), &packet))
                {
                    self.node_gets(Input::Media(event));
                }
            }
            Happening::ServerSeesClosed { client } => {
                if let Some(link) = self.links.remove(&client) {
                    self.node_gets(Input::SocketClosed { client, last_seen: link.last_heard });
                }
            }
            Happening::TabHears { client, response } => {
                if let Some(tab) = self.tab_of(client) {
                    let reactions = self.tabs[tab.0].is_told(*response);
                    self.reacts(tab, reactions);
                }
            }
            Happening::TabHearsData { client, bytes } => {
                if let Some(tab) = self.tab_of(client)
                    && let Ok(packet) = proto::DataPacket::decode(&*bytes)
                    && let Some(proto::data_packet::Value::User(user)) = packet.value
                {
                    self.tabs[tab.0].heard.push(String::from_utf8_lossy(&user.payload).into_owned());
                }
            }
            Happening::TabSeesClosed { client } => {
                if let Some(tab) = self.tab_of(client) {
                    self.tabs[tab.0].loses_socket();
                    self.retries(tab, 0);
                }
            }
            Happening::TabIsRefused { client } => {
                if let Some(tab) = self.tab_of(client) {
                    self.tabs[tab.0].loses_socket();
                    self.retries(tab, 2_000);
                }
            }
            Happening::TabRetries { tab } => {
                let learner = &self.tabs[tab.0];
                if learner.wants_in && learner.socket.is_none() && learner.retry_at_ms == Some(self.now_ms) {
                    self.opens_socket(tab);
                }
            }
            Happening::TabPings { client } => self.pings(client),
            Happening::NodeGets { incarnation, input } => {
                if incarnation != self.incarnation {
                    return;
                }
                if let Input::Durable(seq) = &*input {
                    self.learn_disk(|disk| disk.synced(*seq).to_vec());
                }
                if *input == Input::StoreFailed {
                    self.loses_appends();
                }
                self.node_gets(*input);
            }
            Happening::Heartbeat => {
                let now = self.now();
                if self.node.is_some()
                    && let Some(disk) = self.sessions.last_mut()
                {
                    disk.heartbeat = now;
                }
                self.later(HEARTBEAT_EVERY_MS, Happening::Heartbeat);
            }
            Happening::ServerStarts => {
                self.up = true;
                if self.sessions.last().is_some_and(|disk| !disk.durable().is_empty() && !disk.fold().ended) {
                    self.opens_class();
                }
            }
        }
    }

    /// Goes on with the last session if it has not ended, or begins a new one.
    fn opens_class(&mut self) {
        if self.node.is_some() {
            return;
        }
        let goes_on = self.sessions.last().is_some_and(|disk| !disk.fold().ended);
        if !goes_on {
            self.sessions.push(Disk::default());
            self.on_disk.clear();
            self.told.clear();
        }
        let number = self.sessions.len() as u64;
        let disk = &self.sessions[self.sessions.len() - 1];
        let session = format!("RM_{number}").into();
        let config = NodeConfig::new("school".into(), "physics".into(), session, self.policy.clone(), GroupKey(number));
        let mut config = config;
        if self.rng.bool() {
            config.limits.large_class = 2; // So that news waits for news.
        }
        let seed = self.rng.u64(..);
        self.node = Some(Node::recover(config, seed, disk.fold(), disk.heartbeat));
        self.incarnation += 1;
    }

    fn node_gets(&mut self, input: Input) {
        let now = self.now();
        let Some(node) = &mut self.node else { return };
        node.handle(now, input);
        let outputs: Vec<Output> = std::iter::from_fn(|| node.poll_output()).collect();
        for output in outputs {
            self.notes_output(&output);
            self.does(output);
        }
    }

    fn does(&mut self, output: Output) {
        self.says_only_what_is_on_disk(&output);
        let incarnation = self.incarnation;
        match output {
            Output::Append { events, .. } => {
                let latency_ms = self.rng.u64(self.disk_latency_ms.clone());
                if self.store_fails {
                    let input = Box::new(Input::StoreFailed);
                    return self.later(latency_ms, Happening::NodeGets { incarnation, input });
                }
                let now_ms = self.now_ms;
                let Some(disk) = self.sessions.last_mut() else { return };
                let (at_ms, seq) = disk.append(&events, now_ms, latency_ms);
                let input = Box::new(Input::Durable(seq));
                self.later(at_ms - now_ms, Happening::NodeGets { incarnation, input });
            }
            Output::Signal { client, response } => {
                self.sends_to_tab(client, |client| Happening::TabHears { client, response });
            }
            Output::Enforce { id, .. } => {
                let input = Box::new(Input::Enforced { id });
                self.later(0, Happening::NodeGets { incarnation, input });
            }
            Output::RefreshToken { .. } | Output::Reply { .. } | Output::Text { .. } | Output::Welcome { .. } => {}
            Output::Moved { client, space, mut moved, .. } => {
                moved.token = space.0;
                let message = Some(proto::signal_response::Message::RoomMoved(*moved));
                let response = Box::new(proto::SignalResponse { message });
                self.sends_to_tab(client, |client| Happening::TabHears { client, response });
            }
            Output::CloseSocket { client } => {
                self.sends_to_tab(client, |client| Happening::TabSeesClosed { client });
                self.links.remove(&client);
            }
            Output::JoinRefused { client, .. } => {
                self.sends_to_tab(client, |client| Happening::TabIsRefused { client });
                self.links.remove(&client);
            }
            Output::Media(command) => {
                for out in self.media.handle(command) {
                    match out {
                        FromMedia::Event(event) => {
                            let at = self.media_busy_until_ms.max(self.now_ms + self.rng.u64(0..5));
                            self.media_busy_until_ms = at;
                            let input = Box::new(Input::Media(event));
                            self.later(at - self.now_ms, Happening::NodeGets { incarnation, input });
                        }
                        FromMedia::Data { conn, bytes } => {
                            let of_media = |tab: &&Learner| tab.media == Some(ClientId(conn.0));
                            let Some(client) = self.tabs.iter().find(of_media).and_then(|tab| tab.socket) else {
                                continue;
                            };
                            self.sends_to_tab(client, |client| Happening::TabHearsData { client, bytes });
                        }
                    }
                }
            }
            Output::Closed => {
                self.node = None;
                self.store_fails = false;
                self.incarnation += 1;
                self.nothing_is_left_open();
            }
        }
    }

    fn opens_socket(&mut self, tab: Tab) {
        self.clients_given += 1;
        let client = ClientId(self.clients_given);
        let now_ms = self.now_ms;
        let resume = self.tabs[tab.0].resume.take().map(ConnectionId);
        self.tabs[tab.0].opens(client);
        let free = Link {
            to_server_free_ms: now_ms,
            to_tab_free_ms: now_ms,
            last_heard: self.now(),
            arrived: false,
            dead: false,
        };
        self.links.insert(client, free);
        let join = Box::new(join_request(&self.tabs[tab.0].person, resume));
        self.sends_to_server(client, |client| Happening::JoinArrives { client, join });
        let ping_ms = self.rng.u64(1..PING_EVERY_MS);
        self.later(ping_ms, Happening::TabPings { client });
    }

    fn reacts(&mut self, tab: Tab, reactions: Vec<Reaction>) {
        for reaction in reactions {
            let Some(client) = self.tabs[tab.0].socket else {
                if reaction == Reaction::StaysAway {
                    self.tabs[tab.0].wants_in = false;
                }
                continue;
            };
            match reaction {
                Reaction::Says(request) => {
                    self.sends_to_server(client, |client| Happening::SignalArrives { client, request });
                }
                Reaction::ComesBack { after_ms } => {
                    self.closes(tab, client);
                    self.retries(tab, after_ms);
                }
                Reaction::StaysAway => {
                    self.tabs[tab.0].wants_in = false;
                    self.closes(tab, client);
                }
            }
        }
    }

    fn closes(&mut self, tab: Tab, client: ClientId) {
        self.sends_to_server(client, |client| Happening::ServerSeesClosed { client });
        self.tabs[tab.0].loses_socket();
    }

    fn retries(&mut self, tab: Tab, after_ms: u64) {
        let after_ms = after_ms + self.rng.u64(1..1_000);
        self.tabs[tab.0].retry_at_ms = Some(self.now_ms + after_ms);
        self.later(after_ms, Happening::TabRetries { tab });
    }

    fn pings(&mut self, client: ClientId) {
        let Some(tab) = self.tab_of(client) else { return };
        self.reacts(tab, vec![learner::says(proto::signal_request::Message::Ping(self.now_ms as i64))]);
        self.later(PING_EVERY_MS, Happening::TabPings { client });
    }

    /// The tab that still uses this socket.
    fn tab_of(&self, client: ClientId) -> Option<Tab> {
        self.tabs.iter().position(|tab| tab.socket == Some(client)).map(Tab)
    }

    fn hears(&mut self, client: ClientId) -> bool {
        let now = self.now();
        self.links.get_mut(&client).map(|link| link.last_heard = now).is_some()
    }

    fn sends_to_server(&mut self, client: ClientId, happening: impl FnOnce(ClientId) -> Happening) {
        let Some(link) = self.links.get_mut(&client).filter(|link| !link.dead) else { return };
        let at = link.to_server_free_ms.max(self.now_ms + self.rng.u64(1..80));
        link.to_server_free_ms = at;
        self.later(at - self.now_ms, happening(client));
    }

    fn sends_to_tab(&mut self, client: ClientId, happening: impl FnOnce(ClientId) -> Happening) {
        let Some(link) = self.links.get_mut(&client).filter(|link| !link.dead) else { return };
        let at = link.to_tab_free_ms.max(self.now_ms + self.rng.u64(1..80));
        link.to_tab_free_ms = at;
        self.later(at - self.now_ms, happening(client));
    }

    fn later(&mut self, after_ms: u64, happening: Happening) {
        self.serial += 1;
        self.queue.insert((self.now_ms + after_ms, self.serial), happening);
    }

    /// Some of what was on its way to the disk got there.
    fn loses_appends(&mut self) {
        let at_risk = self.sessions.last().map_or(0, Disk::at_risk);
        let written = self.rng.usize(0..=at_risk);
        self.learn_disk(|disk| disk.crashes(written).to_vec());
    }

    fn learn_disk(&mut self, reach: impl FnOnce(&mut Disk) -> Vec<lyceum_session::Event>) {
        let Some(disk) = self.sessions.last_mut() else { return };
        for event in reach(disk) {
            self.on_disk.extend(told::facts_of(&event));
        }
    }

    fn notes(&mut self, line: String) {
        self.trace.push(format!("{:>8} {line}", self.now_ms - START_MS));
    }

    fn notes_happening(&mut self, happening: &Happening) {
        // The maps inside of signals have no order of their own; as JSON they are sorted.
        let line = match happening {
            Happening::TabHears { client, response } => {
                format!("client {} hears {}", client.0, serde_json::json!(response))
            }
            Happening::SignalArrives { client, request } => {
                format!("client {} says {}", client.0, serde_json::json!(request))
            }
            Happening::DataArrives { client, packet } => {
                format!("client {} sends {}", client.0, serde_json::json!(packet))
            }
            other => format!("{other:?}"),
        };
        self.notes(line);
    }

    fn notes_output(&mut self, output: &Output) {
        let line = match output {
            Output::Append { events, .. } => format!("append {}", serde_json::json!(events)),
            Output::Signal { client, response } => format!("tell {} {}", client.0, serde_json::json!(response)),
            Output::Moved { client, space, moved, .. } => {
                format!("move {} to {space} {}", client.0, serde_json::json!(moved))
            }
            other => format!("{other:?}"),
        };
        self.notes(line);
    }
}

pub(crate) fn join_request(person: &str, resume: Option<ConnectionId>) -> Join {
    Join {
        person: person.into(),
        profile: Profile {
            name: Text(person.to_uppercase()),
            metadata: Text::default(),
            attributes: BTreeMap::new(),
            role: if person == "teacher" { Role::Instructor } else { Role::Learner },
            kind: Kind::Standard,
            permission: Permission {
                can_publish: true,
                can_subscribe: true,
                can_publish_data: true,
                can_publish_sources: Vec::new(),
                can_update_metadata: true,
                hidden: person == "observer",
                recorder: false,
            },
        },
        client: Client { sdk: "js".into(), version: "2.21.0".into(), protocol: 17, ..Client::default() },
        client_protocol: 2,
        capabilities: Vec::new(),
        auto_subscribe: true,
        space: None,
        adaptive_stream: false,
        resume,
        full_ice: false,
    }
}
