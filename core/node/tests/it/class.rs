//! A class to tell stories with: a node, a disk that can be slow, media that records what it is told, and people who remember
//! what they heard. Whatever the story, it watches that the rules of the wire are kept.

use crate::memory::{Disk, Memory};
use crate::screen::Screen;
use livekit_protocol as proto;
use lyceum_node::{Answer, ClientId, CommandRequest, Enter, Input, Join, Node, NodeConfig, Order, OrderId, Output};
use lyceum_session as session;
use lyceum_sfu as sfu;
use proto::signal_request::Message as Ask;
use proto::signal_response::Message as Say;
use session::class::ClassCommand;
use session::{Event, Fact, Policy, Profile, Reject, Seq, State, TrackId, UnixMs};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeFrom;

pub const WINDOW_MS: u64 = 20_000;
pub const NOON: UnixMs = UnixMs(1_800_000_000_000);

pub struct Class {
    pub node: Node,
    pub now: UnixMs,
    /// Everything that came out, in order.
    pub journal: Vec<Entry>,
    pub disk: Disk,
    pub people: BTreeMap<ClientId, Memory>,
    /// What is on the screens of those who have the state socket.
    pub screens: BTreeMap<ClientId, Screen>,
    pub media_is_deaf: bool,
    pub documents_are_deaf: bool,
    commands_given: u64,
    pub closed: bool,
    pub replies: BTreeMap<OrderId, Result<Answer, Reject>>,
    orders_given: u64,
    next_client: RangeFrom<u64>,
}

/// What came out of the node.
#[derive(Clone, Debug)]
pub enum Entry {
    Appended(Event),
    Said(ClientId, Box<Say>),
    Media(sfu::Command),
    Token(ClientId, Profile),
    Refused(ClientId, Reject),
    Closed,
}

impl Class {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut NodeConfig)) -> Self {
        let mut config = config();
        change(&mut config);
        let node = Node::new(config, 7, State::default());
        Self::around(node, Disk::default(), NOON)
    }

    /// The same class, as a server finds it that comes up after a crash.
    pub fn after_a_crash(mut self, last_seen: UnixMs) -> Self {
        self.disk.waiting.clear();
        let node = Node::recover(config(), 8, self.disk.durable.clone(), last_seen);
        let disk = Disk { slow: false, ..self.disk };
        let mut class = Self::around(node, disk, self.now);
        class.next_client = self.next_client;
        class
    }

    /// A class that waits for lost connections to be resumed.
    pub fn patient() -> Self {
        Self::with(|config| config.policy.resume_window_ms = WINDOW_MS)
    }

    fn around(node: Node, disk: Disk, now: UnixMs) -> Self {
        let (journal, people) = (Vec::new(), BTreeMap::new());
        Self {
            node,
            now,
            journal,
            disk,
            people,
            screens: BTreeMap::new(),
            media_is_deaf: false,
            documents_are_deaf: false,
            commands_given: 0,
            closed: false,
            replies: BTreeMap::new(),
            orders_given: 0,
            next_client: 1..,
        }
    }

    pub fn hand(&mut self, input: Input) {
        self.node.handle(self.now, input);
        self.take_everything();
    }

    fn take_everything(&mut self) {
        while let Some(output) = self.node.poll_output() {
            self.take(output);
        }
        if !self.disk.slow {
            self.disk_catches_up();
        }
    }

    pub fn disk_is_slow(&mut self) {
        self.disk.slow = true;
    }

    /// Everything that was appended is on disk.
    pub fn disk_catches_up(&mut self) {
        let side = std::mem::take(&mut self.disk.side_waiting);
        if side > 0 {
            self.disk.side_appends += side;
            self.hand(Input::Kept(self.disk.side_appends));
        }
        let waiting = std::mem::take(&mut self.disk.waiting);
        let Some(last) = waiting.last().map(|event| event.seq) else { return };
        for event in waiting {
            self.disk.write(event);
        }
        self.hand(Input::Durable(last));
    }

    pub fn time_passes(&mut self, ms: u64) {
        let until = self.now.plus(ms);
        while let Some((at, _)) = self.node.poll_timeout().filter(|(at, _)| *at <= until) {
            self.now = self.now.max(at);
            self.hand(Input::Timeout);
        }
        self.now = until;
    }

    /// Time passes, and these people give signs of life.
    pub fn time_passes_for(&mut self, awake: &[ClientId], ms: u64) {
        let until = self.now.plus(ms);
        while self.now < until {
            self.time_passes(until.0.saturating_sub(self.now.0).min(5_000));
            for client in awake {
                self.says(*client, Ask::Ping(0));
            }
        }
    }

    fn take(&mut self, output: Output) {
        assert!(!self.closed, "nothing comes out of a closed node: {output:?}");
        match output {
            Output::Append { events, side } => {
                if events.is_empty() {
                    assert!(!side.is_empty(), "an append has something to append");
                    self.disk.side_waiting += 1;
                }
                self.disk.side.extend(side);
                for event in events {
                    let last = self.disk.waiting.last().map_or(self.disk.durable.seq, |last| last.seq);
                    assert_eq!(event.seq, last.next(), "the log has no gaps");
                    self.journal.push(Entry::Appended(event.clone()));
                    self.disk.waiting.push(event);
                }
            }
            Output::Signal { client, response } => {
                let said = response.message.expect("a signal says something");
                self.people.entry(client).or_default().hears(&said, &self.disk);
                self.journal.push(Entry::Said(client, Box::new(said)));
            }
            Output::Media(command) => {
                if let sfu::Command::Subscribe { conn, track_id, .. } = &command {
                    let me = self.people.get(&ClientId(conn.0));
                    // Who is lost hears of it before the offer that they get when they resume.
                    let knows = me.is_some_and(|me| me.gone || me.tracks_known.contains(track_id));
                    assert!(knows, "a client is told of a track before it receives it");
                }
                if let sfu::Command::Fence { group, id } = &command
                    && !self.media_is_deaf
                {
                    self.node.handle(self.now, Input::Media(sfu::Event::Fenced { group: *group, id: *id }));
                }
                self.journal.push(Entry::Media(command));
            }
            Output::RefreshToken { client, profile, .. } => {
                let me = self.people.get(&client).expect("tokens are for people");
                assert!(!me.sid.is_empty(), "the join response comes first");
                self.journal.push(Entry::Token(client, *profile));
            }
            Output::Moved { client, space, mut moved, .. } => {
                // As the shell does, with a token that says where.
                moved.token = space.0;
                let said = Say::RoomMoved(*moved);
                self.people.entry(client).or_default().hears(&said, &self.disk);
                self.journal.push(Entry::Said(client, Box::new(said)));
            }
            Output::Enforce { id, .. } => {
                if !self.documents_are_deaf {
                    self.node.handle(self.now, Input::Enforced { id });
                }
            }
            Output::Text { client, text } => self.screens.entry(client).or_default().hears(&text, &self.disk),
            Output::Welcome { client, text, .. } => self.screens.entry(client).or_default().hears(&text, &self.disk),
            Output::Reply { id, result } => {
                self.replies.insert(id, result);
            }
            Output::CloseSocket { client } if self.screens.contains_key(&client) => {
                self.screens.entry(client).or_default().closed = true;
            }
            Output::CloseSocket { client } => {
                let memory = self.people.entry(client).or_default();
                (memory.gone, memory.sent_away) = (true, true);
            }
            Output::JoinRefused { client, reject } => {
                self.people.entry(client).or_default().gone = true;
                self.journal.push(Entry::Refused(client, reject));
            }
            Output::Closed => {
                self.closed = true;
                self.journal.push(Entry::Closed);
            }
        }
    }
}

/// What people do.
impl Class {
    pub fn joins(&mut self, name: &str) -> ClientId {
        self.joins_as(join(name))
    }

    /// Somebody opens the state socket.
    pub fn enters(&mut self, name: &str) -> ClientId {
        self.enters_as(enter(name))
    }

    pub fn enters_as(&mut self, enter: Enter) -> ClientId {
        let client = ClientId(self.next_client.next().expect("numbers do not end"));
        self.screens.insert(client, Screen { person: enter.person.0.clone(), ..Screen::default() });
        self.hand(Input::Enter { client, enter: Box::new(enter) });
        client
    }

    pub fn loses_screen(&mut self, client: ClientId) {
        self.screens.entry(client).or_default().closed = true;
        self.hand(Input::SocketClosed { client, last_seen: self.now });
    }

    /// Issues a command over a state socket; returns its id.
    pub fn does(&mut self, client: ClientId, command: ClassCommand) -> String {
        self.does_expecting(client, command, None)
    }

    pub fn does_expecting(&mut self, client: ClientId, command: ClassCommand, expect: Option<Seq>) -> String {
        self.commands_given += 1;
        let id = format!("c{}", self.commands_given);
        self.sends_command(client, &id, command, expect);
        id
    }

    pub fn sends_command(&mut self, client: ClientId, id: &str, command: ClassCommand, expect: Option<Seq>) {
        let command = CommandRequest { id: id.into(), digest: 1, command, expect, epoch: None, received_at: self.now };
        self.hand(Input::Command { client, command: Box::new(command) });
    }

    /// Issues a command that is accepted.
    #[track_caller]
    pub fn must(&mut self, client: ClientId, command: ClassCommand) {
        let id = self.does(client, command);
        let ack = self.screens[&client].ack(&id).unwrap_or_else(|| panic!("no answer to {id}"));
        assert_eq!(ack["status"], "accepted", "{ack}");
    }

    pub fn screen(&self, client: ClientId) -> &Screen {
        &self.screens[&client]
    }

    pub fn joins_as(&mut self, join: Join) -> ClientId {
        let client = ClientId(self.next_client.next().expect("numbers do not end"));
        let identity = join.person.0.clone();
        self.people.insert(client, Memory { identity, ..Memory::default() });
        self.hand(Input::Join { client, join: Box::new(join) });
        client
    }

    /// The client of this media is welcome and connected.
    pub fn joins_and_connects(&mut self, name: &str) -> ClientId {
        let client = self.joins(name);
        self.connects_media(client, sfu::Target::Subscriber);
        client
    }

    /// A client resumes on a new socket, remembering what it heard on the one before.
    pub fn resumes(&mut self, before: ClientId) -> ClientId {
        let identity = self.me(before).identity.clone();
        self.resumes_as(join(&identity), before)
    }

    pub fn resumes_as(&mut self, join: Join, before: ClientId) -> ClientId {
        let socket = ClientId(self.next_client.next().expect("numbers do not end"));
        let known = self.me(before);
        let memory = Memory {
            identity: known.identity.clone(),
            sid: known.sid.clone(),
            others: known.others.clone(),
            tracks_known: known.tracks_known.clone(),
            resumes: true,
            ..Memory::default()
        };
        let resume = Some(memory.sid.as_str().into());
        self.people.insert(socket, memory);
        self.hand(Input::Join { client: socket, join: Box::new(Join { resume, ..join }) });
        socket
    }

    /// Somebody who may orders something. The answer comes when it is durable.
    pub fn orders(&mut self, order: Order) -> OrderId {
        self.orders_given += 1;
        let id = OrderId(self.orders_given);
        self.hand(Input::Order { id, order: Box::new(order) });
        id
    }

    /// Likewise with a disk that is not slow: what came of it.
    pub fn orders_now(&mut self, order: Order) -> Result<Answer, Reject> {
        let id = self.orders(order);
        self.replies.remove(&id).expect("an order is answered")
    }

    pub fn moves(&mut self, persons: &[&str], space: &str) -> Result<Answer, Reject> {
        let persons = persons.iter().map(|person| (*person).into()).collect();
        self.orders_now(Order::Move { persons, space: space.into() })
    }

    pub fn says(&mut self, client: ClientId, ask: Ask) {
        self.hand(Input::Signal { client, request: Box::new(proto::SignalRequest { message: Some(ask) }) });
    }

    pub fn leaves(&mut self, client: ClientId) {
        self.says(client, Ask::Leave(proto::LeaveRequest::default()));
    }

    pub fn loses_network(&mut self, client: ClientId) {
        let last_seen = self.now;
        self.people.entry(client).or_default().gone = true;
        self.hand(Input::SocketClosed { client, last_seen });
    }

    pub fn connects_media(&mut self, client: ClientId, target: sfu::Target) {
        self.hand(Input::Media(sfu::Event::Connected { conn: conn(client), target }));
    }

    /// Announces a track; the answer must carry the cid.
    pub fn announces(&mut self, client: ClientId, request: proto::AddTrackRequest) -> Option<TrackId> {
        let (cid, before) = (request.cid.clone(), self.journal.len());
        self.says(client, Ask::AddTrack(request));
        let published = self.journal[before..].iter().find_map(|entry| match entry {
            Entry::Said(to, said) if *to == client => match &**said {
                Say::TrackPublished(response) => Some(response.clone()),
                _ => None,
            },
            _ => None,
        })?;
        assert_eq!(published.cid, cid, "the cid is echoed exactly");
        Some(TrackId(published.track.expect("a track").sid))
    }

    /// Announces a track and lets the media find it in the offer.
    pub fn publishes(&mut self, client: ClientId, request: proto::AddTrackRequest) -> TrackId {
        let layers = request.layers.len().max(1);
        let mime_type = if request.r#type() == proto::TrackType::Audio { "audio/opus" } else { "video/VP8" };
        let track = self.announces(client, request).expect("the track is accepted");
        self.matches(client, &track, mime_type, layers);
        track
    }

    pub fn matches(&mut self, client: ClientId, track: &TrackId, mime_type: &'static str, layers: usize) {
        let (key, mid) = (self.key_of(client, track), "0".to_owned());
        self.hand(Input::Media(sfu::Event::TrackMatched { conn: conn(client), track: key, mid, mime_type, layers }));
    }

    pub fn stops(&mut self, client: ClientId, track: &TrackId) {
        let key = self.key_of(client, track);
        self.hand(Input::Media(sfu::Event::TrackEnded { conn: conn(client), track: key }));
    }

    pub fn mutes(&mut self, client: ClientId, track: &TrackId, muted: bool) {
        self.says(client, Ask::Mute(proto::MuteTrackRequest { sid: track.0.clone(), muted }));
    }

    /// The key is found as media would know it: by the order of announcements of this client.
    pub fn key_of(&self, client: ClientId, track: &TrackId) -> sfu::TrackKey {
        let announced = self.journal.iter().filter_map(|entry| match entry {
            Entry::Said(to, said) if *to == client => match &**said {
                Say::TrackPublished(response) => response.track.as_ref().map(|track| track.sid.clone()),
                _ => None,
            },
            _ => None,
        });
        let expected = self.media().filter_map(|command| match command {
            sfu::Command::ExpectTrack { conn: whose, spec } if *whose == conn(client) => Some(spec.key),
            _ => None,
        });
        announced.zip(expected).find(|(sid, _)| *sid == track.0).map(|(_, key)| key).expect("an announced track")
    }

    pub fn sends(&mut self, client: ClientId, lane: sfu::Lane, packet: &proto::DataPacket) {
        use prost::Message as _;
        self.sends_bytes(client, lane, packet.encode_to_vec());
    }

    pub fn sends_bytes(&mut self, client: ClientId, lane: sfu::Lane, bytes: Vec<u8>) {
        self.hand(Input::Media(sfu::Event::Data { conn: conn(client), lane, bytes }));
    }
}

/// What can be seen of it.
impl Class {
    pub fn media(&self) -> impl Iterator<Item = &sfu::Command> {
        self.journal.iter().filter_map(|entry| match entry {
            Entry::Media(command) => Some(command),
            _ => None,
        })
    }

    pub fn me(&self, client: ClientId) -> &Memory {
        &self.people[&client]
    }

    /// Takes what a client has heard since the last time.
    pub fn hears(&mut self, client: ClientId) -> Vec<Say> {
        std::mem::take(&mut self.people.get_mut(&client).expect("a client").heard)
    }

    pub fn nobody_listens_to_the_past(&mut self) {
        self.journal.clear();
        for memory in self.people.values_mut() {
            memory.heard.clear();
        }
    }

    pub fn sees(&self, client: ClientId, identity: &str) -> Option<&proto::ParticipantInfo> {
        self.me(client).others.get(identity)
    }

    pub fn facts(&self) -> Vec<Fact> {
        let appended = self.journal.iter().filter_map(|entry| match entry {
            Entry::Appended(event) => Some(event.fact.clone()),
            _ => None,
        });
        appended.collect()
    }

    /// Where in the journal something happens.
    pub fn place(&self, what: impl Fn(&Entry) -> bool) -> Option<usize> {
        self.journal.iter().position(what)
    }

    pub fn receives(&self, client: ClientId) -> BTreeSet<String> {
        let mut tracks = BTreeSet::new();
        for command in self.media() {
            match command {
                sfu::Command::Subscribe { conn: whose, track_id, .. } if *whose == conn(client) => {
                    tracks.insert(track_id.clone());
                }
                sfu::Command::Unsubscribe { conn: whose, track } if *whose == conn(client) => {
                    let ended = self.media().find_map(|command| match command {
                        sfu::Command::Subscribe { track: key, track_id, .. } if key == track => Some(track_id.clone()),
                        _ => None,
                    });
                    tracks.remove(&ended.expect("only what was subscribed is unsubscribed"));
                }
                _ => {}
            }
        }
        tracks
    }

    pub fn last_wish(&self, client: ClientId) -> Option<sfu::Wish> {
        self.media()
            .filter_map(|command| match command {
                sfu::Command::Subscribe { conn: whose, wish, .. } | sfu::Command::SetWish { conn: whose, wish, .. }
                    if *whose == conn(client) =>
                {
                    Some(*wish)
                }
                _ => None,
            })
            .last()
    }
}

pub fn conn(client: ClientId) -> sfu::ConnKey {
    sfu::ConnKey(client.0)
}

pub fn config() -> NodeConfig {
    NodeConfig::new("school".into(), "maths".into(), "RM_maths".into(), policy(), sfu::GroupKey(5))
}

pub fn policy() -> Policy {
    Policy {
        max_participants: 0,
        presence_grace_ms: 30_000,
        empty_timeout_ms: 300_000,
        departure_timeout_ms: 60_000,
        max_tracks_per_connection: 4,
        resume_window_ms: 0,
    }
}

pub fn join(name: &str) -> Join {
    Join {
        person: name.into(),
        profile: Profile {
            name: name.into(),
            metadata: "".into(),
            attributes: BTreeMap::new(),
            role: session::Role::Learner,
            kind: session::Kind::Standard,
            permission: session::Permission {
                can_publish: true,
                can_subscribe: true,
                can_publish_data: true,
                can_publish_sources: Vec::new(),
                can_update_metadata: true,
                hidden: false,
                recorder: false,
            },
        },
        client: session::Client { sdk: "js".to_owned(), protocol: 16, ..session::Client::default() },
        client_protocol: 2,
        capabilities: vec![1],
        space: None,
        auto_subscribe: true,
        adaptive_stream: false,
        resume: None,
        full_ice: false,
    }
}

pub fn enter(name: &str) -> Enter {
    let Join { person, profile, .. } = join(name);
    Enter { person, profile, client: session::Client::default(), space: None, since: None }
}

pub fn teacher(name: &str) -> Enter {
    let mut enter = enter(name);
    enter.profile.role = session::Role::Instructor;
    enter
}

pub fn microphone() -> proto::AddTrackRequest {
    proto::AddTrackRequest {
        cid: "mic-0".to_owned(),
        name: "microphone".to_owned(),
        r#type: proto::TrackType::Audio.into(),
        source: proto::TrackSource::Microphone.into(),
        ..Default::default()
    }
}

pub fn camera() -> proto::AddTrackRequest {
    let layer = |quality: proto::VideoQuality, width, height| proto::VideoLayer {
        quality: quality.into(),
        width,
        height,
        ..Default::default()
    };
    proto::AddTrackRequest {
        cid: "cam-0".to_owned(),
        name: "camera".to_owned(),
        r#type: proto::TrackType::Video.into(),
        source: proto::TrackSource::Camera.into(),
        width: 1_280,
        height: 720,
        layers: vec![
            layer(proto::VideoQuality::High, 1_280, 720),
            layer(proto::VideoQuality::Low, 320, 180),
            layer(proto::VideoQuality::Medium, 640, 360),
        ],
        simulcast_codecs: vec![proto::SimulcastCodec {
            codec: "vp8".to_owned(),
            cid: "cam-0".to_owned(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// Whether somebody was told something of a kind.
pub fn told(entry: &Entry, client: ClientId, what: impl Fn(&Say) -> bool) -> bool {
    matches!(entry, Entry::Said(to, said) if *to == client && what(said))
}

pub fn seq_of(class: &Class) -> Seq {
    class.node.state().seq
}
