//! What happens to a class, and to the others, when its logic panics or its log cannot be written.

#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected stops there")]

use super::session::Logic;
use super::{Client, Control, Guest, Outbound, Refusal};
use crate::config::{Sources, load};
use crate::documents::Standings;
use crate::media::{self, MediaConfig};
use crate::metrics::Metrics;
use crate::store::Store;
use crate::token::{Claims, Keyring, VideoGrant, profile_of};
use livekit_protocol::signal_request::Message as Ask;
use livekit_protocol::signal_response::Message as Say;
use livekit_protocol::{LeaveRequest, SignalRequest, SignalResponse};
use lyceum_node::{Input, Join, Output, Stats};
use lyceum_session::{PersonId, Seq, UnixMs};
use lyceum_sfu::GroupKey;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::mpsc;

/// A class that welcomes everybody, and panics when somebody says anything.
struct Clumsy(Vec<Output>);

impl Logic for Clumsy {
    fn handle(&mut self, _now: UnixMs, input: Input) {
        match input {
            Input::Join { client, .. } => {
                let response = SignalResponse { message: Some(Say::Leave(LeaveRequest::default())) };
                self.0.push(Output::Signal { client, response: Box::new(response) });
            }
            Input::Signal { .. } => panic!("the bug that this test needs"),
            _ => {}
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.0.pop()
    }

    fn poll_timeout(&self) -> Option<(UnixMs, &'static str)> {
        None
    }

    fn stats(&self) -> Stats {
        Stats::default()
    }

    fn standings(&self) -> Standings {
        Standings::default()
    }

    fn seq(&self) -> Seq {
        Seq(0)
    }

    fn durable(&self) -> Seq {
        Seq(0)
    }
}

struct School {
    control: Control,
    metrics: Arc<Metrics>,
    store: Store,
    _data: TempDir,
}

fn school() -> School {
    let data = tempfile::tempdir().unwrap();
    let config = Arc::new(load(&Sources { dev: true, ..Sources::default() }).unwrap());
    let metrics = Arc::new(Metrics::default());
    let store = Store::open(data.path()).unwrap();
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let media = MediaConfig { udp_bind: loopback, udp_port: 0, tcp_bind: None, advertise: vec![loopback] };
    let (events, received) = mpsc::channel(1024);
    let media = media::start(media, 1, events).unwrap();
    let keyring = Arc::new(Keyring::new(config.keys.clone()));
    let control = Control::new(config, keyring, store.clone(), media, metrics.clone());
    tokio::spawn(control.clone().route_media(received));
    School { control, metrics, store, _data: data }
}

fn guest(room: &str, person: &str) -> Guest {
    let claims = Claims::default();
    let join = Join {
        person: PersonId::from(person),
        profile: profile_of(&claims),
        client: Default::default(),
        client_protocol: 0,
        capabilities: Vec::new(),
        auto_subscribe: true,
        adaptive_stream: false,
        space: None,
        resume: None,
        full_ice: false,
    };
    Guest {
        tenant: "default".into(),
        room: room.into(),
        join,
        key: "devkey".to_owned(),
        grant: VideoGrant::default(),
        room_config: None,
    }
}

fn ping() -> SignalRequest {
    SignalRequest { message: Some(Ask::Ping(1)) }
}

async fn hears(client: &mut Client, wanted: impl Fn(&Say) -> bool) {
    loop {
        match client.hear().await {
            Some(Outbound::Signal(response)) if response.message.as_ref().is_some_and(&wanted) => return,
            Some(_) => {}
            None => panic!("the class let go"),
        }
    }
}

#[tokio::test]
async fn a_panic_ends_its_own_class_only_and_the_room_can_be_joined_again() {
    let school = school();
    let control = &school.control;
    control.start(Clumsy(Vec::new()), GroupKey(1 << 30), &"default".into(), &"math".into(), &"RM_clumsy".into(), 0);
    let (mut ann, _) = control.join(guest("math", "ann")).await.unwrap();
    let (mut ben, _) = control.join(guest("art", "ben")).await.unwrap();
    assert_eq!(school.metrics.sessions.get(), 2);

    assert!(ann.say(ping()).await);
    assert!(ann.hear().await.is_none(), "the class let Ann go");
    ann.class_is_over().await;
    assert_eq!(school.metrics.session_panics.get(), 1);
    assert!(control.find(&"default".into(), &"math".into()).is_none(), "no dead entry is left");

    assert!(ben.say(ping()).await);
    hears(&mut ben, |say| matches!(say, Say::Pong(_))).await;
    let (_ann, welcome) = control.join(guest("math", "ann")).await.unwrap();
    assert!(matches!(welcome.message, Some(Say::Join(_))));
}

#[tokio::test]
async fn who_cannot_be_written_down_is_not_let_in_and_the_others_are_told_to_come_back() {
    let school = school();
    let (mut ann, _) = school.control.join(guest("math", "ann")).await.unwrap();
    school.store.close().await;
    // Ben's arrival is what cannot be written: the class gives up, and everybody is told to come back.
    let (_ben, first) = school.control.join(guest("math", "ben")).await.unwrap();
    assert!(matches!(first.message, Some(Say::Leave(_))), "{first:?}");
    hears(&mut ann, |say| matches!(say, Say::Leave(_))).await;
    ann.class_is_over().await;
    assert_eq!(school.control.join(guest("math", "ben")).await.err(), Some(Refusal::Unreachable));
    assert!(school.metrics.store_failures.get() > 0);
}

#[tokio::test]
async fn a_shutdown_waits_for_every_class_and_lets_nobody_in_any_more() {
    let school = school();
    let (mut ann, _) = school.control.join(guest("math", "ann")).await.unwrap();
    let (mut ben, _) = school.control.join(guest("art", "ben")).await.unwrap();
    school.control.shut_down().await;
    for client in [&mut ann, &mut ben] {
        hears(client, |say| matches!(say, Say::Leave(_))).await;
    }
    school.metrics.sessions.is_empty().await;
    assert_eq!(school.control.join(guest("math", "cy")).await.err(), Some(Refusal::ShuttingDown));
    assert_eq!(school.store.live_sessions().await.unwrap().len(), 2, "both go on at the next start");
}
