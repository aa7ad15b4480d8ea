//! Worlds that are about media: the real node, session and shard with real WebRTC peers around them, in virtual time. Each
//! person has their own internet connection, which can be good, bad or cut. Keys and certificates are random, so these worlds
//! are not bit-exact; what is asserted of them holds for any.

mod hostile;
mod link;
mod person;

pub use hostile::{Deeds, Hostile};
pub use link::Quality;
pub use person::{Got, SIZES};

use livekit_protocol as proto;
use lyceum_node::{ClientId, Input, Join, Node, NodeConfig, Output};
use lyceum_session::{Event, Policy, Seq, State, UnixMs, apply};
use lyceum_sfu::{Addresses, Certificate, Datagram, GroupKey, Shard, ShardConfig, Stats, Transport};
use person::Person;
use proto::signal_request::Message as Ask;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use str0m::media::MediaKind;

const TICK: Duration = Duration::from_millis(5);
/// As often as the shard may want to be called at one moment.
const MOST_CALLS: usize = 200;
const START: UnixMs = UnixMs(1_700_000_000_000);

/// Somebody in a [`MediaWorld`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Who(usize);

/// One class with its media.
pub struct MediaWorld {
    begun: Instant,
    now: Instant,
    seed: u64,
    certificate: Certificate,
    server: SocketAddr,
    node: Node,
    shard: Shard,
    log: Vec<Event>,
    durable: Vec<Seq>,
    people: Vec<Person>,
    clients_given: u64,
    policy: Policy,
}

impl MediaWorld {
    /// An empty class on a server that is up.
    pub fn new(seed: u64) -> Self {
        let now = Instant::now();
        let server = SocketAddr::from(([10, 0, 0, 1], 7882));
        let certificate = Certificate::generate().expect("a certificate can be made");
        let policy = crate::state::World::policy();
        Self {
            begun: now,
            now,
            seed,
            node: node(seed, &policy, State::default(), START),
            shard: shard(server, &certificate),
            certificate,
            server,
            log: Vec::new(),
            durable: Vec::new(),
            people: Vec::new(),
            clients_given: 0,
            policy,
        }
    }

    /// Somebody opens the class and is in it.
    pub fn joins(&mut self, name: &str) -> Who {
        let number = u8::try_from(self.people.len() + 1).expect("a small class");
        self.people.push(Person::new(name, number, self.seed, self.now));
        let who = Who(self.people.len() - 1);
        self.opens_socket(who);
        self.runs(Duration::from_secs(1));
        assert!(self.people[who.0].sid.is_some(), "{name} is in the class");
        who
    }

    /// Says goodbye.
    pub fn leaves(&mut self, who: Who) {
        let reason = proto::DisconnectReason::ClientInitiated.into();
        self.asks(who, Ask::Leave(proto::LeaveRequest { reason, ..Default::default() }));
        self.people[who.0].loses_socket();
    }

    /// Publishes a camera in three qualities; returns the name of the track in the class.
    pub fn turns_camera_on(&mut self, who: Who) -> String {
        self.publishes(who, MediaKind::Video, "camera")
    }

    /// Publishes a microphone; returns the name of the track in the class.
    pub fn turns_microphone_on(&mut self, who: Who) -> String {
        self.publishes(who, MediaKind::Audio, "microphone")
    }

    /// Stops a device.
    pub fn turns_off(&mut self, who: Who, device: &str) {
        self.people[who.0].unpublishes(device);
    }

    /// Mutes or unmutes a device.
    pub fn mutes(&mut self, who: Who, device: &str, muted: bool) {
        let person = &mut self.people[who.0];
        let known = person.devices.iter_mut().find(|known| known.cid == device).expect("a device of theirs");
        known.muted = muted;
        let sid = known.sid.clone().expect("the device is published");
        self.asks(who, Ask::Mute(proto::MuteTrackRequest { sid, muted }));
    }

    /// Shows somebody's video in a tile of so many pixels.
    pub fn resizes(&mut self, who: Who, track: &str, (width, height): (u32, u32)) {
        let track_sids = vec![track.to_owned()];
        self.asks(
            who,
            Ask::TrackSetting(proto::UpdateTrackSettings { track_sids, width, height, ..Default::default() }),
        );
    }

    /// Sends a message to everybody.
    pub fn says(&mut self, who: Who, text: &str) {
        self.people[who.0].sends(text);
    }

    /// Changes somebody's internet connection, in both directions.
    pub fn connection_is(&mut self, who: Who, quality: Quality) {
        let person = &mut self.people[who.0];
        (person.up.quality, person.down.quality) = (quality, quality);
    }

    /// The tab is reloaded: a new socket and new peers; the old socket is closed.
    pub fn reloads(&mut self, who: Who) {
        if let Some(client) = self.people[who.0].client {
            let last_seen = self.wall();
            self.node_gets(Input::SocketClosed { client, last_seen });
        }
        self.opens_socket(who);
        self.runs(Duration::from_secs(2));
    }

    /// The server is killed and comes back; all clients do too, a little later.
    pub fn server_is_killed(&mut self) {
        let state = self.log_folded();
        let last_seen = self.wall();
        self.durable.clear();
        self.now += Duration::from_secs(2);
        self.shard = shard(self.server, &self.certificate);
        self.node = node(self.seed + 1, &self.policy, state, last_seen);
        for person in &mut self.people {
            if person.client.is_some() {
                person.loses_socket();
                person.comes_back_at = Some(self.now + Duration::from_millis(500));
            }
        }
    }

    /// Lets the world go on.
    pub fn runs(&mut self, how_long: Duration) {
        let until = self.now + how_long;
        while self.now < until {
            self.now += TICK;
            self.people_go_on();
            self.server_goes_on();
            self.people.iter_mut().for_each(|person| person.receives(self.now));
        }
    }

    /// The packets that somebody got of a track.
    pub fn received(&self, who: Who, track: &str) -> Vec<Got> {
        self.people[who.0].got.get(track).cloned().unwrap_or_default()
    }

    /// What somebody heard on the data channel.
    pub fn heard(&self, who: Who) -> &[String] {
        &self.people[who.0].heard
    }

    /// Whether somebody is reconnecting in the eyes of another; `None` if they are not seen at all.
    pub fn sees_reconnecting(&self, who: Who, other: &str) -> Option<bool> {
        let seen = self.people[who.0].roster.get(other)?;
        Some(seen.attributes.get("lyceum.presence").is_some_and(|presence| presence == "reconnecting"))
    }

    /// The tracks of a person, as another sees them.
    pub fn tracks_seen(&self, who: Who, other: &str) -> Vec<String> {
        let seen = self.people[who.0].roster.get(other);
        seen.map(|seen| seen.tracks.iter().map(|track| track.sid.clone()).collect()).unwrap_or_default()
    }

    /// The shard's counters.
    pub fn stats(&self) -> Stats {
        self.shard.stats()
    }

    /// The node's counters.
    pub fn node_stats(&self) -> lyceum_node::Stats {
        self.node.stats()
    }

    /// Who somebody sees in the class.
    pub fn people_seen(&self, who: Who) -> Vec<String> {
        self.people[who.0].roster.keys().cloned().collect()
    }

    /// The class as its log has it.
    pub fn log_folded(&self) -> State {
        let mut state = State::default();
        self.log.iter().for_each(|event| apply(&mut state, event));
        state
    }

    fn publishes(&mut self, who: Who, kind: MediaKind, device: &str) -> String {
        self.people[who.0].publishes(device.to_owned(), kind, self.now);
        self.runs(Duration::from_secs(1));
        let known = self.people[who.0].devices.iter().find(|known| known.cid == device);
        known.and_then(|known| known.sid.clone()).expect("the server has published it")
    }

    fn opens_socket(&mut self, who: Who) {
        let join = crate::state::join_request(&self.people[who.0].name, None);
        self.opens_socket_with(who, join);
    }

    fn opens_socket_with(&mut self, who: Who, join: Join) {
        self.clients_given += 1;
        let client = ClientId(self.clients_given);
        let now = self.now;
        self.people[who.0].opens(client, now);
        self.node_gets(Input::Join { client, join: Box::new(join) });
    }

    /// A datagram from somebody's address that their peers know nothing of.
    fn shard_gets(&mut self, who: Who, contents: &[u8]) {
        let source = self.people[who.0].address(10);
        let datagram = Datagram { transport: Transport::Udp, source, local_ip: None, contents };
        self.shard.handle_datagram(self.now, datagram);
    }

    fn asks(&mut self, who: Who, ask: Ask) {
        if let Some(client) = self.people[who.0].client {
            let request = Box::new(proto::SignalRequest { message: Some(ask) });
            self.node_gets(Input::Signal { client, request });
        }
    }

    fn people_go_on(&mut self) {
        for index in 0..self.people.len() {
            if self.people[index].comes_back_at.is_some_and(|at| at <= self.now) {
                self.opens_socket(Who(index));
            }
            self.people[index].goes_on(self.now);
            while let Some(ask) = self.people[index].says.pop_front() {
                self.asks(Who(index), ask);
            }
            for (source, destination, contents) in self.people[index].up.arrived(self.now) {
                if destination == self.server {
                    let datagram = Datagram { transport: Transport::Udp, source, local_ip: None, contents: &contents };
                    self.shard.handle_datagram(self.now, datagram);
                }
            }
        }
    }

    fn server_goes_on(&mut self) {
        for seq in std::mem::take(&mut self.durable) {
            self.node_gets(Input::Durable(seq));
        }
        if self.node.poll_timeout().is_some_and(|(at, _)| at <= self.wall()) {
            self.node_gets(Input::Timeout);
        }
        // As often as it wants to be called since the last moment: a peer with much to send is.
        let mut calls = 0;
        while let Some(at) = self.shard.poll_timeout().filter(|at| *at < self.now && calls < MOST_CALLS) {
            self.shard.handle_timeout(at.max(self.now - TICK));
            calls += 1;
        }
        self.shard.handle_timeout(self.now);
        while let Some(transmit) = self.shard.poll_transmit() {
            let person = self.people.iter_mut().find(|person| person.lives_at(transmit.destination));
            if let Some(person) = person {
                person.down.send(self.now, (self.server, transmit.destination, transmit.contents));
            }
        }
        while let Some(event) = self.shard.poll_event() {
            self.node_gets(Input::Media(event));
        }
    }

    fn node_gets(&mut self, input: Input) {
        self.node.handle(self.wall(), input);
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::Append { events, .. } => {
                    self.durable.extend(events.last().map(|event| event.seq));
                    self.log.extend(events);
                }
                Output::Signal { client, response } => {
                    let person = self.people.iter_mut().find(|person| person.client == Some(client));
                    if let (Some(person), Some(message)) = (person, response.message) {
                        person.is_told(message, self.now);
                    }
                }
                Output::Media(command) => self.shard.handle_command(self.now, command),
                Output::JoinRefused { client, reject } => {
                    let person = self.people.iter_mut().find(|person| person.client == Some(client));
                    let person = person.filter(|person| person.kept.is_some());
                    person.unwrap_or_else(|| panic!("a join was refused: {reject}")).loses_socket();
                }
                Output::CloseSocket { client } => {
                    if let Some(person) = self.people.iter_mut().find(|person| person.client == Some(client)) {
                        person.loses_socket();
                    }
                }
                Output::RefreshToken { .. }
                | Output::Moved { .. }
                | Output::Reply { .. }
                | Output::Enforce { .. }
                | Output::Text { .. }
                | Output::Welcome { .. }
                | Output::Closed => {}
            }
        }
    }

    fn wall(&self) -> UnixMs {
        let elapsed_ms = u64::try_from((self.now - self.begun).as_millis()).unwrap_or(u64::MAX);
        START.plus(elapsed_ms)
    }
}

fn node(seed: u64, policy: &Policy, state: State, last_seen: UnixMs) -> Node {
    let config = NodeConfig::new("school".into(), "physics".into(), "RM_1".into(), policy.clone(), GroupKey(1));
    Node::recover(config, seed, state, last_seen)
}

fn shard(server: SocketAddr, certificate: &Certificate) -> Shard {
    let addresses = Addresses { udp: vec![server], tcp: Vec::new() };
    Shard::new(ShardConfig { addresses, certificate: certificate.clone() })
}
