//! Moving people over REST: who may, what the others hear, and where people are after a restart.

use crate::harness::*;
use axum::http::StatusCode;
use livekit_protocol::RoomMovedResponse;
use livekit_protocol::participant_info::State;
use livekit_protocol::signal_response::Message as Say;
use lyceum::token::{Claims, LyceumClaims, VideoGrant};
use serde_json::{Value, json};
use std::net::SocketAddr;

async fn joins(address: SocketAddr, room: &str, identity: &str) -> Person {
    Person::join(address, &token(room, identity), "").await.unwrap()
}

async fn moves(address: SocketAddr, token: &str, room: &str, body: Value) -> Answer {
    post(address, &format!("/api/v1/rooms/{room}/moves"), Some(token), body).await
}

pub fn admin_of(room: &str) -> String {
    token_with("", VideoGrant { room_admin: true, room: room.to_owned(), ..VideoGrant::default() })
}

fn room_moved(said: Say) -> Option<RoomMovedResponse> {
    match said {
        Say::RoomMoved(moved) => Some(moved),
        _ => None,
    }
}

fn claims_of(token: &str) -> Value {
    use base64::Engine as _;
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[tokio::test]
async fn people_are_moved_to_a_group_and_back() {
    let running = start().await;
    let address = running.address;
    let mut ann = joins(address, "math", "ann").await;
    let mut ben = joins(address, "math", "ben").await;
    let admin = admin_of("math");

    let answer = moves(address, &admin, "math", json!({"persons": ["ben"], "space": "group 1"})).await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.json());
    assert!(answer.json()["seq"].as_u64().unwrap() >= 6);
    let moved = ben.hears(room_moved).await;
    let room = moved.room.unwrap();
    assert_eq!((room.name.as_str(), room.sid.as_str()), ("math/group 1", ann.session()));
    assert!(moved.other_participants.is_empty());
    assert_eq!(moved.participant.unwrap().attributes["lyceum.space"], "group 1");
    let claims = claims_of(&moved.token);
    assert_eq!((claims["lyceum"]["space"].as_str(), claims["video"]["room"].as_str()), (Some("group 1"), Some("math")));
    let is = |wanted: State| {
        move |said| match said {
            Say::Update(update) => {
                update.participants.iter().any(|p| p.identity == "ben" && p.state() == wanted).then_some(())
            }
            _ => None,
        }
    };
    ann.hears(is(State::Disconnected)).await;

    let answer = moves(address, &admin, "math", json!({"persons": ["ben"], "space": "main"})).await;
    assert_eq!(answer.status, StatusCode::OK);
    let moved = ben.hears(room_moved).await;
    assert_eq!(moved.room.unwrap().name, "math");
    assert_eq!(moved.other_participants.len(), 1);
    assert!(!moved.participant.unwrap().attributes.contains_key("lyceum.space"));
    ann.hears(is(State::Joined)).await;
}

#[tokio::test]
async fn a_move_can_be_refused() {
    let running = start().await;
    let address = running.address;
    let _ann = joins(address, "math", "ann").await;
    let one = json!({"persons": ["ann"], "space": "g"});
    let status = async |token: &str, room: &str, body: Value| moves(address, token, room, body).await.status;
    let admin = admin_of("math");

    assert_eq!(post(address, "/api/v1/rooms/math/moves", None, one.clone()).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(status(&token("math", "ann"), "math", one.clone()).await, StatusCode::FORBIDDEN);
    assert_eq!(status(&admin_of("art"), "math", one.clone()).await, StatusCode::FORBIDDEN);
    assert_eq!(status(&admin_of("art"), "art", one.clone()).await, StatusCode::NOT_FOUND, "no class runs there");
    assert_eq!(status(&admin, "math", json!({"persons": ["ann", "zoe"], "space": "g"})).await, StatusCode::NOT_FOUND);
    for wrong in ["", "a/b", "a\nb"] {
        let wrong = json!({"persons": ["ann"], "space": wrong});
        let answer = moves(address, &admin, "math", wrong).await;
        assert_eq!((answer.status, answer.json()["code"].as_str()), (StatusCode::BAD_REQUEST, Some("move_invalid")));
    }
    assert_eq!(status(&admin, "math", json!({"persons": [], "space": "g"})).await, StatusCode::BAD_REQUEST);
    assert_eq!(status(&admin, "math", json!({"persons": ["ann"]})).await, StatusCode::UNPROCESSABLE_ENTITY);
    let creator = token_with("", VideoGrant { room_create: true, ..VideoGrant::default() });
    assert_eq!(status(&creator, "math", one).await, StatusCode::OK);
}

#[tokio::test]
async fn a_token_brings_a_newcomer_into_a_space_and_the_log_keeps_them_there_through_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let process = Process::start(data.path(), &[]);
    let with_space = |identity: &str, space: &str| {
        let video = VideoGrant { room_join: true, room: "math".to_owned(), ..VideoGrant::default() };
        let lyceum = LyceumClaims { space: Some(space.to_owned()), ..LyceumClaims::default() };
        sign(&Claims { sub: identity.to_owned(), video: Some(video), lyceum: Some(lyceum), ..claims() })
    };
    let ann = Person::join(process.address, &with_space("ann", "g1"), "").await.unwrap();
    assert_eq!(ann.welcome.room.as_ref().unwrap().name, "math/g1");
    let ben = joins(process.address, "math", "ben").await;
    assert!(ben.welcome.other_participants.is_empty());
    let answer = moves(process.address, &admin_of("math"), "math", json!({"persons": ["ben"], "space": "g2"})).await;
    assert_eq!(answer.status, StatusCode::OK);
    let refused = Person::join(process.address, &with_space("cem", "a/b"), "").await.err().unwrap();
    assert_eq!(refused.status, 400, "{refused:?}");
    process.kill();

    let process = Process::start(data.path(), &[]);
    let ben = Person::join(process.address, &with_space("ben", "g1"), "").await.unwrap();
    assert_eq!(ben.welcome.room.as_ref().unwrap().name, "math/g2", "a token does not move anybody");
    assert!(ben.welcome.other_participants.is_empty());
}
