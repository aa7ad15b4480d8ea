//! The signalling socket: joining, being refused, misbehaving, and the class as a client hears of it.

use crate::harness::*;
use livekit_protocol::participant_info::State;
use livekit_protocol::request_response::Reason;
use livekit_protocol::signal_request::Message as Ask;
use livekit_protocol::signal_response::Message as Say;
use livekit_protocol::{SignalRequest, SimulateScenario, simulate_scenario};
use lyceum::token::{Claims, LyceumClaims, RoomConfig, VideoGrant};
use prost::Message as _;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

#[tokio::test]
async fn a_join_is_welcomed_with_all_that_a_client_needs() {
    let running = start().await;
    let claims = Claims {
        sub: "ann".to_owned(),
        name: "Ann".to_owned(),
        metadata: "hello".to_owned(),
        attributes: [("seat".to_owned(), "3".to_owned())].into(),
        video: Some(VideoGrant { room_join: true, room: "math".to_owned(), ..VideoGrant::default() }),
        lyceum: Some(LyceumClaims { role: Some("instructor".to_owned()), ..LyceumClaims::default() }),
        ..claims()
    };
    let ann = Person::join(running.address, &sign(&claims), "").await.unwrap();
    let (room, me) = (ann.welcome.room.clone().unwrap(), ann.welcome.participant.clone().unwrap());
    assert!(room.sid.starts_with("RM_") && room.name == "math", "{room:?}");
    assert!(me.sid.starts_with("PA_"), "{me:?}");
    assert_eq!((me.identity.as_str(), me.name.as_str(), me.metadata.as_str()), ("ann", "Ann", "hello"));
    assert_eq!((me.attributes["seat"].as_str(), me.attributes["lyceum.role"].as_str()), ("3", "instructor"));
    assert_eq!(ann.welcome.server_info.clone().unwrap().version, ann.welcome.server_version);
    assert!(
        ann.welcome.fast_publish && ann.welcome.subscriber_primary && !ann.welcome.enabled_publish_codecs.is_empty()
    );
}

#[tokio::test]
async fn people_hear_of_each_other_and_of_leaving() {
    let running = start().await;
    let mut ann = running.join("math", "ann").await;
    let ben = running.join("math", "ben").await;
    assert_eq!(ben.session(), ann.session());
    assert_eq!(ben.welcome.other_participants.len(), 1);
    let sid = ben.sid().to_owned();
    let heard = |wanted: State| {
        let sid = sid.clone();
        move |say| match say {
            Say::Update(update) => {
                update.participants.iter().any(|p| p.sid == sid && p.state() == wanted).then_some(())
            }
            _ => None,
        }
    };
    ann.hears(heard(State::Joined)).await;
    ben.leaves().await;
    ann.hears(heard(State::Disconnected)).await;
}

#[tokio::test]
async fn a_fresh_token_lets_the_same_person_in_again() {
    let running = start().await;
    let mut ann = running.join("math", "ann").await;
    let fresh = ann.hears(|say| if let Say::RefreshToken(token) = say { Some(token) } else { None }).await;
    let again = Person::join(running.address, &fresh, "").await.unwrap();
    assert_eq!(again.welcome.participant.as_ref().unwrap().identity, "ann");
    assert_eq!(again.session(), ann.session());
    assert_eq!(
        again.welcome.participant.as_ref().unwrap().permission,
        ann.welcome.participant.as_ref().unwrap().permission
    );
}

#[tokio::test]
async fn refusals_come_before_the_upgrade_and_say_why() {
    let running = start().await;
    let refused = |token: String, more: &'static str| async move {
        let refused = Person::join(running.address, &token, more).await.err().expect("a refusal");
        (refused.status, refused.text)
    };
    let video = |video: VideoGrant| token_with("ann", VideoGrant { room_join: true, ..video });
    assert_eq!(refused(String::new(), "").await.0, 401);
    assert_eq!(
        refused(token_with("ann", VideoGrant { room: "math".to_owned(), ..VideoGrant::default() }), "").await.0,
        401
    );
    assert_eq!(refused(token("math", ""), "").await.0, 400);
    assert_eq!(refused(video(VideoGrant::default()), "").await.0, 400);
    assert_eq!(refused(token("math", &"x".repeat(257)), "").await.0, 400);
    assert_eq!(refused(token("math", "a\u{7}"), "").await.0, 400);
    assert_eq!(refused(token("math", "ann"), "&attributes=!!").await.0, 400);
    assert_eq!(refused(token("math", "ann"), "&attributes=e30x").await.0, 400);
    assert_eq!(refused(token("math", "ann"), "&attributes=eyJhIjoiYiJ9").await.0, 401);
    assert_eq!(refused(token("math", "ann"), "&join_request=abc").await.0, 404);
    let expired = Claims { exp: now_s() - 3600, ..claims() };
    assert!(refused(sign(&expired), "").await.1.contains("expired"));
    assert_eq!(running.metric("lyceum_sessions").await, 0.0, "nothing of this began a class");
}

#[tokio::test]
async fn a_room_that_nobody_made_is_not_joined_if_so_configured() {
    let running = start_with(|config| config.settings.rooms.auto_create = false).await;
    let refused = Person::join(running.address, &token("math", "ann"), "").await.err().unwrap();
    assert_eq!((refused.status, refused.text.as_str()), (404, "requested room does not exist"));
    let creator = token_with("", VideoGrant { room_create: true, ..VideoGrant::default() });
    post(running.address, "/api/v1/rooms", Some(&creator), serde_json::json!({"name": "math"})).await;
    assert!(Person::join(running.address, &token("math", "ann"), "").await.is_ok());
}

#[tokio::test]
async fn a_full_class_and_a_full_server_refuse_with_503() {
    let running = start_with(|config| {
        config.settings.rooms.max_participants = 1;
        config.settings.rooms.max_sessions = 1;
    })
    .await;
    let _ann = running.join("math", "ann").await;
    let class = Person::join(running.address, &token("math", "ben"), "").await.err().unwrap();
    assert_eq!(class.status, 503, "{}", class.text);
    let server = Person::join(running.address, &token("art", "ben"), "").await.err().unwrap();
    assert_eq!((server.status, server.text.contains("as many classes")), (503, true));
}

#[tokio::test]
async fn a_token_may_say_how_the_room_is_that_it_creates() {
    let running = start().await;
    let room_config =
        RoomConfig { max_participants: Some(1), metadata: Some("syllabus".to_owned()), ..RoomConfig::default() };
    let video = VideoGrant { room_join: true, room: "math".to_owned(), ..VideoGrant::default() };
    let claims = Claims { sub: "ann".to_owned(), video: Some(video), room_config: Some(room_config), ..claims() };
    let ann = Person::join(running.address, &sign(&claims), "").await.unwrap();
    let room = ann.welcome.room.unwrap();
    assert_eq!((room.max_participants, room.metadata.as_str()), (1, "syllabus"));
}

#[tokio::test]
async fn joins_from_one_address_are_limited_per_minute() {
    let running = start_with(|config| config.settings.signal.max_joins_per_min = 2).await;
    let _both = (running.join("math", "ann").await, running.join("math", "ben").await);
    let third = Person::join(running.address, &token("math", "cy"), "").await.err().unwrap();
    assert_eq!(third.status, 429);
    assert_eq!(running.metric("lyceum_joins_throttled_total").await, 1.0);
}

#[tokio::test]
async fn a_client_with_a_header_token_joins_as_well() {
    let running = start().await;
    let mut request = format!("ws://{}//rtc?protocol=9", running.address).into_client_request().unwrap();
    let bearer = format!("Bearer {}", token("math", "ann"));
    request.headers_mut().insert("authorization", bearer.parse().unwrap());
    let mut socket = open_request(request).await.unwrap();
    assert!(matches!(next(&mut socket).await, Some(Say::Join(_))));
}

#[tokio::test]
async fn text_is_answered_with_text_and_binary_with_binary() {
    let running = start().await;
    let mut ann = running.join("math", "ann").await;
    ann.sends(Message::Text(r#"{"pingReq":{"timestamp":"7"}}"#.into())).await;
    let text = loop {
        // What was under way when the client changed its form is still binary.
        if let Message::Text(text) = ann.hears_raw().await {
            break text;
        }
    };
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answer["pongResp"]["lastPingTimestamp"], "7");
    ann.says(Ask::Ping(1)).await;
    ann.hears(|say| matches!(say, Say::Pong(_)).then_some(())).await;
}

#[tokio::test]
async fn what_cannot_be_read_is_answered_counted_and_harms_nobody() {
    let running = start().await;
    let (mut ann, mut ben) = (running.join("math", "ann").await, running.join("math", "ben").await);
    ann.sends(Message::Binary(vec![0xff; 50].into())).await;
    let complaint = ann.hears(|say| if let Say::RequestResponse(said) = say { Some(said) } else { None }).await;
    assert_eq!(complaint.reason(), Reason::InvalidRequest);
    assert!(complaint.message.contains("protobuf"), "{}", complaint.message);
    assert_eq!(running.metric("lyceum_signals_malformed_total").await, 1.0);

    ann.says(Ask::Ping(1)).await;
    ann.hears(|say| matches!(say, Say::Pong(_)).then_some(())).await;
    for _ in 0..20 {
        ann.sends(Message::Binary(vec![0xff; 50].into())).await;
    }
    let goodbye = ann.is_closed().await.expect("a reason");
    assert_eq!(u16::from(goodbye.code), 1007);
    assert_eq!(running.metric("lyceum_clients_closed_malformed_total").await, 1.0);
    ben.says(Ask::Ping(2)).await;
    ben.hears(|say| matches!(say, Say::Pong(_)).then_some(())).await;
}

#[tokio::test]
async fn a_message_that_is_too_long_closes_its_sender() {
    let running = start_with(|config| config.settings.signal.max_message_bytes = 4096).await;
    let (mut ann, mut ben) = (running.join("math", "ann").await, running.join("math", "ben").await);
    ann.sends(Message::Binary(vec![0; 5000].into())).await;
    let goodbye = ann.is_closed().await.expect("a reason");
    assert_eq!((u16::from(goodbye.code), goodbye.reason.contains("4096 bytes")), (1009, true), "{goodbye:?}");
    ben.says(Ask::Ping(1)).await;
    ben.hears(|say| matches!(say, Say::Pong(_)).then_some(())).await;
}

#[tokio::test]
async fn a_silent_client_is_closed_and_a_pinged_one_is_not() {
    let running = start_with(|config| {
        config.settings.signal.ping_interval_s = 1;
        config.settings.signal.silence_timeout_s = 2;
    })
    .await;
    let mut request = format!("ws://{}/rtc?access_token={}&protocol=16", running.address, token("math", "ann"));
    let mut answers_pings = running.join("math", "ben").await;
    // A raw socket that upgrades and then neither reads nor answers.
    request = request.replace("ws://", "http://");
    let mut silent = tokio::net::TcpStream::connect(running.address).await.unwrap();
    let path = request.split_once(&running.address.to_string()).unwrap().1;
    let upgrade = format!(
        "GET {path} HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    tokio::io::AsyncWriteExt::write_all(&mut silent, upgrade.as_bytes()).await.unwrap();
    let listens = answers_pings.hears(|_| None::<()>);
    tokio::select! {
        () = running.metric_becomes("lyceum_clients_closed_silent_total", 1.0) => {}
        () = listens => unreachable!("the client that answers pings is kept"),
    }
    assert_eq!(running.metric("lyceum_clients").await, 1.0);
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_let_go_and_the_class_goes_on() {
    let running = start_with(|config| config.settings.signal.queue_messages = 8).await;
    let mut slow = running.join("math", "slow").await;
    let mut busy = running.join("math", "busy").await;
    // Each ping of the slow client has two answers that it does not read.
    let ping = SignalRequest { message: Some(Ask::Ping(1)) }.encode_to_vec();
    let flood = async {
        loop {
            slow.sends(Message::Binary(ping.clone().into())).await;
        }
    };
    tokio::select! {
        () = running.metric_becomes("lyceum_clients_closed_too_slow_total", 1.0) => {}
        () = flood => unreachable!(),
        () = tokio::time::sleep(PATIENCE) => panic!("the slow client is still there"),
    }
    busy.says(Ask::Ping(2)).await;
    busy.hears(|say| matches!(say, Say::Pong(_)).then_some(())).await;
}

#[tokio::test]
async fn whoever_loses_the_network_is_reconnecting_and_then_back_as_the_same_person() {
    let running = start().await;
    let mut ann = running.join("math", "ann").await;
    let ben = running.join("math", "ben").await;
    let session = ben.session().to_owned();
    ben.vanishes();
    let presence = |wanted: &'static str| {
        move |say| match say {
            Say::Update(update) => {
                let ben = update.participants.into_iter().find(|person| person.identity == "ben")?;
                let presence = ben.attributes.get("lyceum.presence").map_or("online", String::as_str);
                (presence == wanted).then_some(())
            }
            _ => None,
        }
    };
    ann.hears(presence("reconnecting")).await;
    let back = running.join("math", "ben").await;
    assert_eq!(back.session(), session);
    ann.hears(presence("online")).await;
}

#[tokio::test]
async fn a_resume_of_something_unknown_is_sent_to_a_full_reconnect() {
    let running = start().await;
    let mut socket = open(running.address, &token("math", "ann"), "&reconnect=1&sid=PA_gone").await.unwrap();
    match next(&mut socket).await {
        Some(Say::Leave(leave)) => assert_eq!(leave.action(), livekit_protocol::leave_request::Action::Reconnect),
        other => panic!("expected a leave, heard {other:?}"),
    }
}

#[tokio::test]
async fn two_tenants_have_two_rooms_of_one_name() {
    let running = start_with(|config| {
        let key = lyceum::config::ApiKey { secret: "s".repeat(32), tenant: "other".to_owned() };
        config.keys.insert("other".to_owned(), key);
    })
    .await;
    let ann = running.join("math", "ann").await;
    let video = VideoGrant { room_join: true, room: "math".to_owned(), ..VideoGrant::default() };
    let claims = Claims { iss: "other".to_owned(), sub: "ann".to_owned(), video: Some(video), ..claims() };
    let stranger = Person::join(running.address, &running.server.app.keyring.sign(&claims).unwrap(), "").await.unwrap();
    assert_ne!(ann.session(), stranger.session());
    assert!(stranger.welcome.other_participants.is_empty());
}

#[tokio::test]
async fn simulated_trouble_ends_as_the_client_asked() {
    let running = start().await;
    let mut ann = running.join("math", "ann").await;
    let scenario = simulate_scenario::Scenario::ServerLeave(true);
    ann.says(Ask::Simulate(SimulateScenario { scenario: Some(scenario) })).await;
    ann.hears(|say| matches!(say, Say::Leave(_)).then_some(())).await;
    ann.is_closed().await;
}
