//! LiveKit's server API: every method in JSON and in protobuf, and every way of saying no.

use crate::harness::*;
use crate::spaces::admin_of;
use axum::body::Body;
use axum::http::Request;
use livekit_protocol as proto;
use livekit_protocol::signal_request::Message as Ask;
use livekit_protocol::signal_response::Message as Say;
use lyceum::token::VideoGrant;
use prost::Message as _;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use str0m::RtcConfig;
use str0m::media::{Direction, MediaKind};

/// Calls a method in both forms; both must say the same.
struct Api {
    address: SocketAddr,
    token: String,
}

impl Api {
    fn new(running: &Running, token: String) -> Self {
        Self { address: running.address, token }
    }

    async fn raw(&self, method: &str, kind: &str, body: Vec<u8>) -> Answer {
        let path = format!("/twirp/livekit.RoomService/{method}");
        let request =
            Request::post(path).header("content-type", kind).header("authorization", format!("Bearer {}", self.token));
        ask(self.address, request.body(Body::from(body)).unwrap()).await
    }

    async fn json(&self, method: &str, body: Value) -> (u16, Value) {
        let answer = self.raw(method, "application/json", body.to_string().into_bytes()).await;
        assert_eq!(answer.header("content-type"), "application/json");
        (answer.status.as_u16(), answer.json())
    }

    async fn ok(&self, method: &str, body: Value) -> Value {
        let (status, answer) = self.json(method, body).await;
        assert_eq!(status, 200, "{method}: {answer}");
        answer
    }

    async fn proto<M: prost::Message + Default>(&self, method: &str, request: &impl prost::Message) -> M {
        let answer = self.raw(method, "application/protobuf", request.encode_to_vec()).await;
        assert_eq!(answer.status, 200, "{method}: {}", answer.text);
        assert_eq!(answer.header("content-type"), "application/protobuf");
        M::decode(answer.bytes.as_slice()).unwrap()
    }

    async fn no(&self, method: &str, body: Value) -> (u16, String) {
        let (status, answer) = self.json(method, body).await;
        let object = answer.as_object().unwrap();
        assert_eq!(object.keys().collect::<Vec<_>>(), ["code", "msg"], "{answer}");
        assert!(!answer["msg"].as_str().unwrap().is_empty());
        (status, answer["code"].as_str().unwrap().to_owned())
    }
}

fn no(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

fn creator() -> String {
    token_with("", VideoGrant { room_create: true, room_list: true, ..VideoGrant::default() })
}

/// Publishes a microphone as far as signalling goes: announced, offered, and in the log.
async fn publishes(person: &mut Person) -> String {
    let provider = Arc::new(str0m::crypto::from_feature_flags());
    let mut rtc = RtcConfig::new().set_crypto_provider(provider).build(Instant::now());
    let mut changes = rtc.sdp_api();
    changes.add_media(MediaKind::Audio, Direction::SendOnly, Some("s".to_owned()), Some("mic".to_owned()), None);
    let (offer, _pending) = changes.apply().unwrap();
    let add = proto::AddTrackRequest {
        cid: "mic".to_owned(),
        name: "mic".to_owned(),
        r#type: proto::TrackType::Audio.into(),
        source: proto::TrackSource::Microphone.into(),
        ..Default::default()
    };
    person.says(Ask::AddTrack(add)).await;
    let sdp = offer.to_sdp_string();
    person
        .says(Ask::Offer(proto::SessionDescription { r#type: "offer".to_owned(), sdp, id: 1, ..Default::default() }))
        .await;
    let track = person.hears(|say| if let Say::TrackPublished(told) = say { told.track } else { None }).await;
    person.hears(|say| matches!(say, Say::Answer(_)).then_some(())).await;
    track.sid
}

async fn hears_of(person: &mut Person, wanted: impl Fn(&proto::ParticipantInfo) -> bool) -> proto::ParticipantInfo {
    let found = |say| match say {
        Say::Update(update) => update.participants.into_iter().find(|info| wanted(info)),
        _ => None,
    };
    person.hears(found).await
}

#[tokio::test]
async fn rooms_are_made_listed_described_and_ended() {
    let running = start().await;
    let api = Api::new(&running, creator());
    let admin = Api::new(&running, admin_of("math"));

    let made =
        api.ok("CreateRoom", json!({"name": "math", "empty_timeout": 77, "maxParticipants": 9, "metadata": "m"})).await;
    assert!(made["sid"].as_str().unwrap().starts_with("RM_"), "{made}");
    assert_eq!((made["name"].as_str(), made["emptyTimeout"].as_u64()), (Some("math"), Some(77)));
    assert_eq!((made["maxParticipants"].as_u64(), made["metadata"].as_str()), (Some(9), Some("m")));
    let request = proto::CreateRoomRequest { name: "math".to_owned(), ..Default::default() };
    let again: proto::Room = api.proto("CreateRoom", &request).await;
    assert_eq!(made["sid"], again.sid, "the class that runs is the same");
    assert_eq!((again.empty_timeout, again.metadata.as_str()), (77, "m"), "and nothing is lost");
    api.ok("CreateRoom", json!({"name": "art"})).await;

    let rooms = api.ok("ListRooms", json!({})).await;
    let names: Vec<_> = rooms["rooms"].as_array().unwrap().iter().map(|room| room["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["art", "math"]);
    let one: proto::ListRoomsResponse =
        api.proto("ListRooms", &proto::ListRoomsRequest { names: vec!["art".to_owned(), "none".to_owned()] }).await;
    assert_eq!(one.rooms.iter().map(|room| room.name.as_str()).collect::<Vec<_>>(), ["art"]);

    let mut ann = running.join("math", "ann").await;
    let described = admin.ok("UpdateRoomMetadata", json!({"room": "math", "metadata": "algebra"})).await;
    assert_eq!((described["metadata"].as_str(), described["numParticipants"].as_u64()), (Some("algebra"), Some(1)));
    let heard = |say| match say {
        Say::RoomUpdate(update) => update.room.filter(|room| room.metadata == "algebra"),
        _ => None,
    };
    ann.hears(heard).await;
    let request = proto::UpdateRoomMetadataRequest { room: "math".to_owned(), metadata: "sets".to_owned() };
    let room: proto::Room = admin.proto("UpdateRoomMetadata", &request).await;
    assert_eq!(room.metadata, "sets");

    assert_eq!(api.ok("DeleteRoom", json!({"room": "math"})).await, json!({}));
    let reason = ann.hears(|say| if let Say::Leave(leave) = say { Some(leave.reason()) } else { None }).await;
    assert_eq!(reason, proto::DisconnectReason::RoomDeleted);
    let request = proto::DeleteRoomRequest { room: "art".to_owned() };
    let _: proto::DeleteRoomResponse = api.proto("DeleteRoom", &request).await;
    assert_eq!(api.ok("ListRooms", json!({})).await, json!({}));
    assert_eq!(api.no("DeleteRoom", json!({"room": "math"})).await, no(404, "not_found"));
}

#[tokio::test]
async fn people_are_looked_at_changed_muted_and_removed() {
    let running = start().await;
    let api = Api::new(&running, admin_of("math"));
    let mut ann = running.join("math", "ann").await;
    let mut ben = running.join("math", "ben").await;
    let mic = publishes(&mut ben).await;
    hears_of(&mut ann, |info| info.identity == "ben" && !info.tracks.is_empty()).await;

    let people = api.ok("ListParticipants", json!({"room": "math"})).await;
    assert_eq!(people["participants"].as_array().unwrap().len(), 2);
    let request = proto::ListParticipantsRequest { room: "math".to_owned() };
    let people: proto::ListParticipantsResponse = api.proto("ListParticipants", &request).await;
    assert_eq!(people.participants.len(), 2);
    let ben_is = json!({"room": "math", "identity": "ben"});
    assert_eq!(api.ok("GetParticipant", ben_is.clone()).await["tracks"][0]["sid"], json!(mic));
    let request =
        proto::RoomParticipantIdentity { room: "math".to_owned(), identity: "ann".to_owned(), ..Default::default() };
    let info: proto::ParticipantInfo = api.proto("GetParticipant", &request).await;
    assert_eq!(info.sid, ann.sid());
    assert_eq!(api.no("GetParticipant", json!({"room": "math", "identity": "zoe"})).await, no(404, "not_found"));

    let mute = json!({"room": "math", "identity": "ben", "track_sid": mic, "muted": true});
    assert_eq!(api.ok("MutePublishedTrack", mute).await["track"]["muted"], json!(true));
    hears_of(&mut ann, |info| info.tracks.iter().any(|track| track.muted)).await;
    let told = ben.hears(|say| if let Say::Mute(mute) = say { Some(mute) } else { None }).await;
    assert!(told.muted && told.sid == mic);
    let unmute = json!({"room": "math", "identity": "ben", "trackSid": mic});
    assert_eq!(api.no("MutePublishedTrack", unmute).await, no(403, "permission_denied"));
    let mut request =
        proto::MuteRoomTrackRequest { room: "math".to_owned(), identity: "ben".to_owned(), ..Default::default() };
    request.track_sid.clone_from(&mic);
    request.muted = true;
    let muted: proto::MuteRoomTrackResponse = api.proto("MutePublishedTrack", &request).await;
    assert!(muted.track.unwrap().muted);
    let nothing = json!({"room": "math", "identity": "ben", "track_sid": "TR_none", "muted": true});
    assert_eq!(api.no("MutePublishedTrack", nothing).await, no(404, "not_found"));

    let subscribe = json!({"room": "math", "identity": "ann", "track_sids": [mic], "subscribe": false});
    assert_eq!(api.ok("UpdateSubscriptions", subscribe).await, json!({}));
    let request = proto::UpdateSubscriptionsRequest {
        room: "math".to_owned(),
        identity: "ann".to_owned(),
        track_sids: vec![mic.clone()],
        subscribe: true,
        ..Default::default()
    };
    let _: proto::UpdateSubscriptionsResponse = api.proto("UpdateSubscriptions", &request).await;
    let unknown = json!({"room": "math", "identity": "ann", "trackSids": ["TR_none"], "subscribe": true});
    assert_eq!(api.no("UpdateSubscriptions", unknown).await, no(404, "not_found"));

    let update = json!({
        "room": "math", "identity": "ben", "name": "Benjamin", "metadata": "m", "attributes": {"seat": "4"},
        "permission": {"canSubscribe": true, "can_publish_data": true}
    });
    let updated = api.ok("UpdateParticipant", update).await;
    assert_eq!((updated["name"].as_str(), updated["attributes"]["seat"].as_str()), (Some("Benjamin"), Some("4")));
    assert!(updated.get("tracks").is_none(), "who may not publish does not: {updated}");
    ben.hears(|say| if let Say::TrackUnpublished(gone) = say { (gone.track_sid == mic).then_some(()) } else { None })
        .await;
    hears_of(&mut ann, |info| info.name == "Benjamin" && info.tracks.is_empty() && info.metadata == "m").await;
    let request = proto::UpdateParticipantRequest {
        room: "math".to_owned(),
        identity: "ben".to_owned(),
        attributes: [("seat".to_owned(), String::new())].into(),
        ..Default::default()
    };
    let info: proto::ParticipantInfo = api.proto("UpdateParticipant", &request).await;
    assert!(!info.attributes.contains_key("seat") && info.name == "Benjamin", "{info:?}");
    let role = json!({"room": "math", "identity": "ben", "attributes": {"lyceum.role": "instructor"}});
    assert_eq!(api.no("UpdateParticipant", role).await, no(403, "permission_denied"));
    let long = json!({"room": "math", "identity": "ben", "name": "x".repeat(300)});
    assert_eq!(api.no("UpdateParticipant", long).await, no(429, "resource_exhausted"));

    assert_eq!(
        api.ok("SendData", json!({"room": "math", "data": "aGk=", "kind": "LOSSY", "topic": "t"})).await,
        json!({})
    );
    let request = proto::SendDataRequest { room: "math".to_owned(), data: b"hi".to_vec(), ..Default::default() };
    let _: proto::SendDataResponse = api.proto("SendData", &request).await;
    let long = proto::SendDataRequest { room: "math".to_owned(), data: vec![0; 64_001], ..Default::default() };
    let answer = api.raw("SendData", "application/protobuf", long.encode_to_vec()).await;
    assert_eq!((answer.status.as_u16(), answer.json()["code"].clone()), (429, json!("resource_exhausted")));

    assert_eq!(api.ok("RemoveParticipant", ben_is.clone()).await, json!({}));
    let reason = ben.hears(|say| if let Say::Leave(leave) = say { Some(leave.reason()) } else { None }).await;
    assert_eq!(reason, proto::DisconnectReason::ParticipantRemoved);
    let request =
        proto::RoomParticipantIdentity { room: "math".to_owned(), identity: "ann".to_owned(), ..Default::default() };
    let _: proto::RemoveParticipantResponse = api.proto("RemoveParticipant", &request).await;
    assert_eq!(api.no("RemoveParticipant", ben_is).await, no(404, "not_found"));
}

#[tokio::test]
async fn a_server_that_is_told_so_unmutes_from_outside() {
    let running = start_with(|config| config.settings.rooms.remote_unmute = true).await;
    let api = Api::new(&running, admin_of("math"));
    let mut ann = running.join("math", "ann").await;
    let mut ben = running.join("math", "ben").await;
    let mic = publishes(&mut ben).await;
    hears_of(&mut ann, |info| info.identity == "ben" && !info.tracks.is_empty()).await;
    for muted in [true, false] {
        let mute = json!({"room": "math", "identity": "ben", "track_sid": mic, "muted": muted});
        let track = api.ok("MutePublishedTrack", mute).await;
        assert_eq!(track["track"].get("muted").and_then(Value::as_bool).unwrap_or_default(), muted);
    }
}

#[tokio::test]
async fn a_participant_is_moved_by_names_of_rooms() {
    let running = start().await;
    let mut ann = running.join("math", "ann").await;
    let with = |destination: &str, admin: bool| {
        let (room, destination_room) = ("math".to_owned(), destination.to_owned());
        Api::new(
            &running,
            token_with("", VideoGrant { room_admin: admin, room, destination_room, ..VideoGrant::default() }),
        )
    };
    let moved = |say| if let Say::RoomMoved(moved) = say { moved.room.map(|room| room.name) } else { None };
    let to = |destination: &str| json!({"room": "math", "identity": "ann", "destination_room": destination});

    let admin = with("", true);
    assert_eq!(admin.ok("MoveParticipant", to("math/g1")).await, json!({}));
    assert_eq!(ann.hears(moved).await, "math/g1");
    let request = proto::MoveParticipantRequest {
        room: "math".to_owned(),
        identity: "ann".to_owned(),
        destination_room: "g2".to_owned(),
    };
    let _: proto::MoveParticipantResponse = admin.proto("MoveParticipant", &request).await;
    assert_eq!(ann.hears(moved).await, "math/g2");
    with("math", false).ok("MoveParticipant", to("main")).await;
    assert_eq!(ann.hears(moved).await, "math");
    with("g1", true).ok("MoveParticipant", to("math/g1")).await;
    assert_eq!(ann.hears(moved).await, "math/g1");

    assert_eq!(with("g1", true).no("MoveParticipant", to("g2")).await, no(403, "permission_denied"));
    assert_eq!(with("", false).no("MoveParticipant", to("g2")).await, no(403, "permission_denied"));
    assert_eq!(admin.no("MoveParticipant", to("")).await, no(400, "invalid_argument"));
    assert_eq!(admin.no("MoveParticipant", to("other/room")).await, no(400, "invalid_argument"));
    let nobody = json!({"room": "math", "identity": "zoe", "destinationRoom": "g1"});
    assert_eq!(admin.no("MoveParticipant", nobody).await, no(404, "not_found"));
}

#[tokio::test]
async fn whoever_may_not_or_asks_for_what_is_not_there_is_told_so() {
    let running = start().await;
    let _ann = running.join("math", "ann").await;
    let api = Api::new(&running, admin_of("math"));
    let of_room = json!({"room": "math", "identity": "ann", "muted": true, "destination_room": "g"});
    let administrators = [
        "ListParticipants",
        "GetParticipant",
        "RemoveParticipant",
        "MutePublishedTrack",
        "UpdateParticipant",
        "UpdateSubscriptions",
        "SendData",
        "UpdateRoomMetadata",
        "MoveParticipant",
    ];
    let learner = Api::new(&running, token("math", "ann"));
    let of_another_room = Api::new(&running, admin_of("art"));
    let empty_room = of_another_room.no("ListParticipants", json!({"room": "art"})).await;
    assert_eq!(empty_room, no(404, "not_found"), "no class runs there");
    for method in administrators {
        assert_eq!(learner.no(method, of_room.clone()).await, no(403, "permission_denied"), "{method}");
        assert_eq!(of_another_room.no(method, of_room.clone()).await, no(403, "permission_denied"), "{method}");
    }
    for method in ["CreateRoom", "ListRooms", "DeleteRoom"] {
        assert_eq!(api.no(method, json!({})).await, no(403, "permission_denied"), "{method}");
    }
    for method in ["PerformRpc", "ForwardParticipant"] {
        assert_eq!(api.no(method, json!({})).await, no(501, "unimplemented"), "{method}");
    }
    assert_eq!(Api::new(&running, creator()).no("CreateRoom", json!({"name": ""})).await, no(400, "invalid_argument"));
    assert_eq!(api.no("Dance", json!({})).await, no(404, "bad_route"));
    assert_eq!(api.no("GetParticipant", json!({"room": 5})).await, no(400, "malformed"));
    let answer = api.raw("GetParticipant", "application/protobuf", vec![0xff; 9]).await;
    assert_eq!((answer.status.as_u16(), answer.json()["code"].clone()), (400, json!("malformed")));
    let answer = api.raw("GetParticipant", "text/plain", b"{}".to_vec()).await;
    assert_eq!((answer.status.as_u16(), answer.json()["code"].clone()), (404, json!("bad_route")));
    let forged = Api::new(&running, format!("{}x", admin_of("math")));
    assert_eq!(forged.no("ListParticipants", of_room.clone()).await, no(401, "unauthenticated"));
    let path = "/twirp/livekit.RoomService/ListParticipants";
    let answer = post(running.address, path, None, of_room.clone()).await;
    assert_eq!((answer.status.as_u16(), answer.json()["code"].clone()), (401, json!("unauthenticated")));
    assert_eq!(get(running.address, path).await.json()["code"], json!("bad_route"));
    for (service, status) in [("livekit.Egress", 501), ("livekit.Nothing", 404)] {
        let answer = post(running.address, &format!("/twirp/{service}/Go"), Some(&api.token), json!({})).await;
        assert_eq!(answer.status.as_u16(), status, "{service}");
    }
    let unknown_field = json!({"room": "math", "a_field_of_tomorrow": 1});
    assert_eq!(api.ok("ListParticipants", unknown_field).await["participants"].as_array().unwrap().len(), 1);
}
