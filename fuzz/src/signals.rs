//! What a client in a class may say: signals in both forms and data messages, in any order. Whatever they are, the class goes
//! on, the log is one that folds, and the other person in the class is left alone.

use crate::pieces;
use livekit_protocol as proto;
use lyceum_node::{ClientId, Input, Join, Node, NodeConfig, Output};
use lyceum_session::{
    Client, Event, Kind, Permission, PersonId, Policy, Profile, Role, Seq, State, Text, UnixMs, apply,
};
use lyceum_sfu::{self as sfu, Command, ConnKey, GroupKey, Lane, Target, TrackKey};
use prost::Message as _;
use proto::signal_response::Message as Told;
use std::collections::BTreeMap;

const STRANGE: ClientId = ClientId(1);
const OTHER: ClientId = ClientId(2);

/// Two people are in a class; one of them says these bytes.
pub fn signals(bytes: &[u8]) {
    let mut class = Class::begins();
    for (what, piece) in pieces(bytes, 64) {
        class.now = class.now.plus(u64::from(what >> 3));
        match what & 7 {
            0 | 1 => {
                if let Ok(request) = proto::SignalRequest::decode(piece) {
                    class.gets(Input::Signal { client: STRANGE, request: Box::new(request) });
                }
            }
            2 => {
                if let Ok(request) = serde_json::from_slice::<proto::SignalRequest>(piece) {
                    class.gets(Input::Signal { client: STRANGE, request: Box::new(request) });
                }
            }
            3 => class.hears_data(Lane::Reliable, piece),
            4 => class.hears_data(Lane::Lossy, piece),
            5 => class.finds_tracks(),
            6 => class.gets(Input::Timeout),
            _ => class.comes_again(),
        }
    }
    class.is_sound();
}

struct Class {
    node: Node,
    now: UnixMs,
    log: Vec<Event>,
    expected: Vec<(ConnKey, TrackKey)>,
    here: bool,
}

impl Class {
    fn begins() -> Self {
        let policy = Policy {
            max_participants: 10,
            presence_grace_ms: 60_000,
            empty_timeout_ms: 300_000,
            departure_timeout_ms: 60_000,
            max_tracks_per_connection: 4,
            resume_window_ms: 0,
        };
        let config = NodeConfig::new("school".into(), "physics".into(), "RM_1".into(), policy, GroupKey(1));
        let now = UnixMs(1_700_000_000_000);
        let node = Node::new(config, 7, State::default());
        let mut class = Self { node, now, log: Vec::new(), expected: Vec::new(), here: true };
        for (client, person) in [(OTHER, "other"), (STRANGE, "strange")] {
            class.gets(Input::Join { client, join: Box::new(join(person)) });
            let connected = sfu::Event::Connected { conn: ConnKey(client.0), target: Target::Subscriber };
            class.gets(Input::Media(connected));
        }
        class
    }

    fn hears_data(&mut self, lane: Lane, bytes: &[u8]) {
        let event = sfu::Event::Data { conn: ConnKey(STRANGE.0), lane, bytes: bytes.to_vec() };
        self.gets(Input::Media(event));
    }

    /// The media finds every track that was announced.
    fn finds_tracks(&mut self) {
        for (conn, track) in std::mem::take(&mut self.expected) {
            let found =
                sfu::Event::TrackMatched { conn, track, mid: "0".to_owned(), mime_type: "video/VP8", layers: 3 };
            self.gets(Input::Media(found));
        }
    }

    /// Whoever said goodbye, or was sent away, may come back.
    fn comes_again(&mut self) {
        if !self.here {
            self.here = true;
            self.gets(Input::Join { client: STRANGE, join: Box::new(join("strange")) });
        }
    }

    fn gets(&mut self, input: Input) {
        self.node.handle(self.now, input);
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::Append { events, .. } => {
                    let durable = events.last().map_or(Seq(0), |event| event.seq);
                    self.log.extend(events);
                    self.node.handle(self.now, Input::Durable(durable));
                }
                Output::Signal { client, response } => {
                    let sent_away = matches!(response.message, Some(Told::Leave(_)));
                    assert!(client != OTHER || !sent_away, "somebody else is sent away");
                    assert!(response.encoded_len() < 4 << 20, "a signal is larger than clients take");
                }
                Output::CloseSocket { client } | Output::JoinRefused { client, .. } => {
                    assert_ne!(client, OTHER, "somebody else's socket is closed");
                    self.here = false;
                }
                Output::Media(Command::ExpectTrack { conn, spec }) => self.expected.push((conn, spec.key)),
                Output::Media(Command::Close { conn }) => assert_ne!(conn, ConnKey(OTHER.0), "somebody else's media"),
                Output::Closed => panic!("one client ended the class"),
                Output::Media(_)
                | Output::RefreshToken { .. }
                | Output::Moved { .. }
                | Output::Reply { .. }
                | Output::Enforce { .. }
                | Output::Text { .. }
                | Output::Welcome { .. } => {}
            }
        }
    }

    fn is_sound(&self) {
        let mut state = State::default();
        for event in &self.log {
            assert_eq!(event.seq, state.seq.next(), "a gap in the log");
            apply(&mut state, event);
            let json = serde_json::to_string(event).expect("an event is JSON");
            let read: Event = serde_json::from_str(&json).expect("and can be read again");
            assert_eq!(read, *event);
        }
        assert_eq!(state, *self.node.state());
        let other = &state.participants[&PersonId::from("other")];
        assert_eq!((other.connections.len(), other.profile.name.0.as_str()), (1, "other"));
        let stats = self.node.stats();
        assert_eq!((stats.outstanding_effects, stats.outstanding_events), (0, 0), "something waits for ever");
    }
}

fn join(person: &str) -> Join {
    Join {
        person: person.into(),
        profile: Profile {
            name: Text(person.to_owned()),
            metadata: Text::default(),
            attributes: BTreeMap::new(),
            role: Role::Learner,
            kind: Kind::Standard,
            permission: Permission {
                can_publish: true,
                can_subscribe: true,
                can_publish_data: true,
                can_publish_sources: Vec::new(),
                can_update_metadata: true,
                hidden: false,
                recorder: false,
            },
        },
        client: Client { sdk: "js".into(), protocol: 17, ..Client::default() },
        client_protocol: 2,
        capabilities: Vec::new(),
        auto_subscribe: true,
        space: None,
        adaptive_stream: false,
        resume: None,
        full_ice: false,
    }
}
