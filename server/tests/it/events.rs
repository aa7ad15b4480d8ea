//! The logs of classes over HTTP: lists, pages, and tails that go on while a class does.

use crate::harness::{Answer, PATIENCE, Running, ask, claims, now_s, sign, start, token_with};
use axum::body::{Body, BodyDataStream};
use axum::http::{Request, StatusCode};
use futures_util::{FutureExt, StreamExt};
use hyper_util::rt::TokioIo;
use lyceum::token::{Claims, VideoGrant};
use lyceum_session::*;
use serde_json::{Value, json};
use tokio::net::TcpStream;

#[tokio::test]
async fn sessions_are_listed_in_pages_to_whoever_may_list_rooms() {
    let running = start().await;
    for (session, room, ends) in [("RM_1", "algebra", true), ("RM_2", "biology", false), ("RM_3", "algebra", false)] {
        running.holds(session, room, ends).await;
    }
    let lister = token_with("app", VideoGrant { room_list: true, ..VideoGrant::default() });
    let ids = |answer: &Answer| -> Vec<String> {
        let sessions = answer.json()["sessions"].as_array().unwrap().clone();
        sessions.iter().map(|session| session["session_id"].as_str().unwrap().to_owned()).collect()
    };
    for (query, expected) in [
        ("", vec!["RM_3", "RM_2", "RM_1"]),
        ("?room=algebra", vec!["RM_3", "RM_1"]),
        ("?live=true", vec!["RM_3", "RM_2"]),
        ("?live=false&room=algebra", vec!["RM_1"]),
        ("?room=nowhere", vec![]),
    ] {
        let answer = running.asks(&format!("/api/v1/sessions{query}"), &lister, &[]).await;
        assert_eq!((answer.status, ids(&answer)), (StatusCode::OK, expected.iter().map(|id| id.to_string()).collect()));
        assert_eq!(answer.json().get("next"), None, "{query}: everything was on this page");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    let first = running.asks("/api/v1/sessions?limit=2", &lister, &[]).await;
    assert_eq!(ids(&first), ["RM_3", "RM_2"]);
    let next = first.json()["next"].as_str().unwrap().to_owned();
    let second = running.asks(&format!("/api/v1/sessions?limit=2&after={next}"), &lister, &[]).await;
    let ended =
        json!({"session_id": "RM_1", "room": "algebra", "started_at_ms": 1001, "ended_at_ms": 1003, "last_seq": 3});
    assert_eq!(second.json(), json!({"sessions": [ended]}));
}

#[tokio::test]
async fn a_log_is_read_page_by_page() {
    let running = start().await;
    let log = running.holds("RM_1", "algebra", false).await;
    let path = "/api/v1/sessions/RM_1/events";
    let page = async |query: &str| running.asks(&format!("{path}{query}"), &admin("algebra"), &[]).await.json();
    assert_eq!(page("").await, json!({"events": log, "next": 3}));
    assert_eq!(page("?limit=1").await, json!({"events": log[..1], "next": 2}));
    assert_eq!(page("?from=2&limit=1").await, json!({"events": log[1..], "next": 3}));
    assert_eq!(page("?from=3").await, json!({"events": [], "next": 3}));
    assert_eq!(page("").await["events"][1]["payload"]["profile"]["name"], "Ada", "names are readable here");
}

#[tokio::test]
async fn a_session_is_shown_as_it_was_at_any_place_in_its_log() {
    let running = start().await;
    running.holds("RM_1", "algebra", false).await;
    // More than what is folded at a time.
    for seq in 3..=1_100 {
        let metadata = format!("page {seq}");
        running.goes_on("RM_1", seq, Fact::RoomUpdated { metadata }).await;
    }
    let path = "/api/v1/sessions/RM_1/state";
    let shown = async |query: &str| {
        let answer = running.asks(&format!("{path}{query}"), &admin("algebra"), &[]).await;
        assert_eq!((answer.status, answer.header("cache-control")), (StatusCode::OK, "no-store"), "{}", answer.text);
        answer.json()
    };
    assert_eq!(
        shown("?seq=0").await,
        json!({"seq": 0, "snapshot": {"session": shown("?seq=0").await["snapshot"]["session"]}})
    );
    let empty = shown("?seq=1").await;
    assert_eq!((&empty["seq"], empty["snapshot"].get("participants")), (&json!(1), None));
    assert_eq!(empty["snapshot"]["session"][""]["room"], "algebra");
    let ada = shown("?seq=2").await;
    assert_eq!(ada["snapshot"]["participants"]["u_1"]["name"], "Ada");
    assert!(ada["snapshot"]["grants"]["u_1"]["caps"].is_array(), "a backend sees grants: {ada}");
    for (query, seq) in [("?seq=999", 999), ("?seq=1001", 1_001), ("", 1_100)] {
        let then = shown(query).await;
        assert_eq!(then["seq"], json!(seq));
        assert_eq!(then["snapshot"]["session"][""]["metadata"], format!("page {seq}"));
    }
    for (query, status) in [
        ("?seq=1101", StatusCode::NOT_FOUND),
        ("?seq=18446744073709551615", StatusCode::NOT_FOUND),
        ("?seq=-1", StatusCode::BAD_REQUEST),
        ("?sec=1", StatusCode::BAD_REQUEST),
    ] {
        let answer = running.asks(&format!("{path}{query}"), &admin("algebra"), &[]).await;
        assert_eq!(answer.status, status, "{query}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_log_is_only_for_who_may_administer_its_room() {
    let running = start().await;
    running.holds("RM_1", "algebra", false).await;
    let path = "/api/v1/sessions/RM_1/events";
    let member = token_with("u_1", VideoGrant { room_join: true, room: "algebra".to_owned(), ..VideoGrant::default() });
    let expired = sign(&Claims { exp: now_s() - 3600, video: Some(VideoGrant::default()), ..claims() });
    for (path, token, status, code) in [
        (path, "", StatusCode::UNAUTHORIZED, "token_missing"),
        (path, "nonsense", StatusCode::UNAUTHORIZED, "token_invalid"),
        (path, &expired, StatusCode::UNAUTHORIZED, "token_expired"),
        (path, &member, StatusCode::FORBIDDEN, "forbidden"),
        (path, &admin("biology"), StatusCode::FORBIDDEN, "forbidden"),
        ("/api/v1/sessions/RM_9/events", &admin("algebra"), StatusCode::NOT_FOUND, "not_found"),
        ("/api/v1/sessions/RM_1/state", "", StatusCode::UNAUTHORIZED, "token_missing"),
        ("/api/v1/sessions/RM_1/state", &member, StatusCode::FORBIDDEN, "forbidden"),
        ("/api/v1/sessions/RM_1/state", &admin("biology"), StatusCode::FORBIDDEN, "forbidden"),
        ("/api/v1/sessions/RM_9/state", &admin("algebra"), StatusCode::NOT_FOUND, "not_found"),
        ("/api/v1/sessions", &admin("algebra"), StatusCode::FORBIDDEN, "forbidden"),
    ] {
        for accept in ["*/*", "text/event-stream"] {
            let answer = running.asks(path, token, &[("accept", accept)]).await;
            assert_eq!((answer.status, &answer.json()["code"]), (status, &json!(code)), "{path}");
            assert!(answer.json()["message"].as_str().unwrap().len() > 20);
        }
    }
}

#[tokio::test]
async fn senseless_questions_are_told_what_is_wrong() {
    let running = start().await;
    running.holds("RM_1", "algebra", false).await;
    let grant = VideoGrant { room_list: true, room_admin: true, room: "algebra".to_owned(), ..VideoGrant::default() };
    let token = token_with("app", grant);
    let stream = ("accept", "text/event-stream");
    for (path, headers, code) in [
        ("/api/v1/sessions?limit=0", vec![], "limit_invalid"),
        ("/api/v1/sessions?limit=501", vec![], "limit_invalid"),
        ("/api/v1/sessions?live=maybe", vec![], "query_invalid"),
        ("/api/v1/sessions?after=yesterday", vec![], "after_invalid"),
        ("/api/v1/sessions/RM_1/events?from=-1", vec![], "query_invalid"),
        ("/api/v1/sessions/RM_1/events?limit=1001", vec![], "limit_invalid"),
        ("/api/v1/sessions/RM_1/events", vec![stream, ("last-event-id", "x")], "last_event_id_invalid"),
        (
            "/api/v1/sessions/RM_1/events",
            vec![stream, ("last-event-id", "18446744073709551615")],
            "last_event_id_invalid",
        ),
    ] {
        let answer = running.asks(path, &token, &headers).await;
        assert_eq!((answer.status, &answer.json()["code"]), (StatusCode::BAD_REQUEST, &json!(code)), "{path}");
    }
    let far = running.asks("/api/v1/sessions/RM_1/events?from=18446744073709551615", &token, &[]).await;
    assert_eq!(far.json()["events"], json!([]));
}

#[tokio::test]
async fn a_tail_tells_what_was_and_then_what_happens_until_the_class_ends() {
    let running = start().await;
    let mut log = running.holds("RM_1", "algebra", false).await;
    let mut tail = running.tails("RM_1", &admin("algebra"), &[]).await;
    for event in &log {
        assert_eq!(tail.hears().await.unwrap(), message(event));
    }
    // Nothing more is there yet: only now does the class go on.
    assert!(tail.hears().now_or_never().is_none());
    for fact in [Fact::SessionRecovered { last_seen: UnixMs(1) }, Fact::SessionEnded { reason: EndReason::Ended }] {
        log.push(running.goes_on("RM_1", log.len() as u64 + 1, fact).await);
        assert_eq!(tail.hears().await.unwrap(), message(log.last().unwrap()));
    }
    assert_eq!(tail.hears().await, None, "the class has ended, the tail has not");

    // Whoever comes back goes on after what they saw, and is not called back when there is nothing more.
    let mut tail = running.tails("RM_1", &admin("algebra"), &[("last-event-id", "3")]).await;
    assert_eq!(tail.hears().await.unwrap(), message(&log[3]));
    assert_eq!(tail.hears().await, None);
    let again = [("accept", "text/event-stream"), ("last-event-id", "4")];
    let answer = running.asks("/api/v1/sessions/RM_1/events", &admin("algebra"), &again).await;
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::NO_CONTENT, ""));
}

#[tokio::test]
async fn a_tail_ends_with_its_token() {
    let running = start().await;
    running.holds("RM_1", "algebra", false).await;
    let grant = VideoGrant { room_admin: true, room: "algebra".to_owned(), ..VideoGrant::default() };
    let token = sign(&Claims { sub: "app".to_owned(), exp: now_s() + 2, video: Some(grant), ..claims() });
    let mut tail = running.tails("RM_1", &token, &[]).await;
    while tail.hears().await.is_some() {}
}

#[tokio::test]
async fn a_real_class_can_be_followed() {
    let running = start().await;
    let person = running.join("algebra", "ada").await;
    let mut tail = running.tails(person.session(), &admin("algebra"), &[]).await;
    let mut seen = Vec::new();
    while seen.last().is_none_or(|kind| kind != "connection.attached") {
        seen.push(tail.hears().await.unwrap().kind);
    }
    assert_eq!(seen[..2], ["session.started", "participant.admitted"]);
    person.leaves().await;
    while seen.last().is_none_or(|kind| kind != "participant.left") {
        seen.push(tail.hears().await.unwrap().kind);
    }
}

// ---- helpers -------------------------------------------------------------------------------------------------------

/// A message of a tail.
#[derive(Debug, PartialEq)]
struct Message {
    id: u64,
    kind: String,
    data: Value,
}

struct Tail {
    body: BodyDataStream,
    text: String,
}

impl Tail {
    /// The next message; `None` when the server has ended the stream.
    async fn hears(&mut self) -> Option<Message> {
        loop {
            if let Some((message, rest)) = self.text.split_once("\n\n") {
                let (message, rest) = (message.to_owned(), rest.to_owned());
                self.text = rest;
                if !message.starts_with(':') {
                    return Some(read(&message));
                }
            } else {
                let bytes = tokio::time::timeout(PATIENCE, self.body.next()).await.unwrap()?.unwrap();
                self.text.push_str(std::str::from_utf8(&bytes).unwrap());
            }
        }
    }
}

fn read(message: &str) -> Message {
    let field = |name: &str| message.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap();
    Message {
        id: field("id").parse().unwrap(),
        kind: field("event").to_owned(),
        data: serde_json::from_str(field("data")).unwrap(),
    }
}

fn message(event: &Event) -> Message {
    let data = serde_json::to_value(event).unwrap();
    Message { id: event.seq.0, kind: data["type"].as_str().unwrap().to_owned(), data }
}

fn admin(room: &str) -> String {
    token_with("teacher", VideoGrant { room_admin: true, room: room.to_owned(), ..VideoGrant::default() })
}

fn request(path: &str, token: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::get(path).header("host", "school.test");
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

impl Running {
    async fn asks(&self, path: &str, token: &str, headers: &[(&str, &str)]) -> Answer {
        ask(self.address, request(path, token, headers)).await
    }

    async fn tails(&self, session: &str, token: &str, headers: &[(&str, &str)]) -> Tail {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let headers = [&[("accept", "text/event-stream")], headers].concat();
        let request = request(&format!("/api/v1/sessions/{session}/events"), token, &headers);
        let response = tokio::time::timeout(PATIENCE, sender.send_request(request)).await.unwrap().unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Tail { body: Body::new(response.into_body()).into_data_stream(), text: String::new() }
    }

    /// A class whose log begins with Ada's arrival. The number in the session's id is its start time, after 1000 ms.
    async fn holds(&self, session: &str, room: &str, ends: bool) -> Vec<Event> {
        let policy = Policy {
            max_participants: 0,
            presence_grace_ms: 30_000,
            empty_timeout_ms: 300_000,
            departure_timeout_ms: 20_000,
            max_tracks_per_connection: 8,
            resume_window_ms: 0,
        };
        let permission = lyceum::token::permission_of(&VideoGrant::default());
        let profile = Profile {
            name: "Ada".into(),
            metadata: "".into(),
            attributes: Default::default(),
            role: Role::Learner,
            kind: Kind::Standard,
            permission,
        };
        let (room, metadata) = (room.into(), String::new());
        let mut facts = vec![
            Fact::SessionStarted { tenant: tenant(), room, session: session.into(), policy, metadata },
            Fact::ParticipantAdmitted { person: "u_1".into(), profile, space: Default::default() },
        ];
        if ends {
            facts.push(Fact::SessionEnded { reason: EndReason::Ended });
        }
        let mut log = Vec::new();
        for (seq, fact) in (1..).zip(facts) {
            log.push(self.goes_on(session, seq, fact).await);
        }
        log
    }

    async fn goes_on(&self, session: &str, seq: u64, fact: Fact) -> Event {
        let started_at: u64 = 1000 + session.trim_start_matches("RM_").parse::<u64>().unwrap();
        let event =
            Event { seq: Seq(seq), at: UnixMs(started_at + seq - 1), mono_ms: seq - 1, actor: None, cause: None, fact };
        self.server.app.store.append(tenant(), session.into(), vec![event.clone()], vec![]).await.unwrap();
        event
    }
}

fn tenant() -> TenantId {
    lyceum::config::DEFAULT_TENANT.into()
}
