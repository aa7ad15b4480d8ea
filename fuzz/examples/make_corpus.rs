//! Writes the first inputs of every corpus: what well-behaved and ill-behaved clients really send. Inputs that a search finds
//! are added beside them. `cargo run -p lyceum-fuzz --example make_corpus`

#![allow(clippy::expect_used, reason = "a tool for whoever works on the corpora")]

use livekit_protocol as proto;
use lyceum_sfu::{Addresses, Certificate, Command, ConnKey, Event, GroupKey, Shard, ShardConfig};
use prost::Message as _;
use proto::signal_request::Message as Ask;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Instant;
use str0m::change::{SdpApi, SdpOffer};
use str0m::media::{Direction, MediaKind, Simulcast, SimulcastLayer};
use str0m::{Rtc, RtcConfig};

fn main() {
    for (name, story, bytes) in inputs() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join(story), bytes).expect("a file");
    }
}

type Input = (&'static str, &'static str, Vec<u8>);

fn inputs() -> Vec<Input> {
    let mut inputs = signals();
    inputs.extend(datagrams());
    inputs.extend(descriptions());
    inputs.extend(payloads());
    inputs.extend(texts());
    inputs.extend(classroom());
    inputs.extend(documents());
    inputs
}

fn signals() -> Vec<Input> {
    let layer = |quality, width, height| proto::VideoLayer { quality, width, height, ..Default::default() };
    let camera = Ask::AddTrack(proto::AddTrackRequest {
        cid: "camera".into(),
        name: "camera".into(),
        r#type: proto::TrackType::Video.into(),
        source: proto::TrackSource::Camera.into(),
        width: 1280,
        height: 720,
        layers: vec![layer(0, 320, 180), layer(1, 640, 360), layer(2, 1280, 720)],
        ..Default::default()
    });
    let microphone = Ask::AddTrack(proto::AddTrackRequest {
        cid: "microphone".into(),
        source: proto::TrackSource::Microphone.into(),
        muted: true,
        ..Default::default()
    });
    let offer = |sdp: &str| {
        Ask::Offer(proto::SessionDescription { r#type: "offer".into(), sdp: sdp.into(), id: 1, ..Default::default() })
    };
    let rename = Ask::UpdateMetadata(proto::UpdateParticipantMetadata {
        name: "Ann".into(),
        metadata: "{}".into(),
        attributes: [("hand".to_owned(), "up".to_owned()), ("lyceum.role".to_owned(), "instructor".to_owned())].into(),
        request_id: 3,
    });
    let mute = Ask::Mute(proto::MuteTrackRequest { sid: "TR_unknown".into(), muted: true });
    let setting = Ask::TrackSetting(proto::UpdateTrackSettings {
        track_sids: vec!["TR_unknown".into()],
        width: 320,
        height: 180,
        ..Default::default()
    });
    let subscription = Ask::Subscription(proto::UpdateSubscription {
        track_sids: vec!["TR_unknown".into()],
        subscribe: true,
        ..Default::default()
    });
    let simulate =
        Ask::Simulate(proto::SimulateScenario { scenario: Some(proto::simulate_scenario::Scenario::SpeakerUpdate(3)) });
    let leave = Ask::Leave(proto::LeaveRequest::default());
    let user = proto::UserPacket { payload: b"hello".to_vec(), ..Default::default() };
    let message = proto::DataPacket { value: Some(proto::data_packet::Value::User(user)), ..Default::default() };

    let publish: Vec<(u8, Vec<u8>)> =
        vec![(0, say(&camera)), (0, say(&microphone)), (0, say(&offer("v=0"))), (5, vec![])];
    let talk = vec![(3, message.encode_to_vec()), (4, message.encode_to_vec()), (3, b"\xff\xff".to_vec())];
    let odd = [&mute, &setting, &subscription, &simulate, &rename].map(|ask| (0, say(ask)));
    let goodbye = vec![(0, say(&leave)), (7, vec![]), (0, say(&Ask::Ping(1)))];
    let json = serde_json::to_vec(&proto::SignalRequest { message: Some(rename.clone()) }).expect("JSON");
    vec![
        ("signal", "publishes", joined(&publish)),
        ("signal", "talks", joined(&talk)),
        ("signal", "odd_requests", joined(&odd)),
        ("signal", "leaves_and_comes_back", joined(&goodbye)),
        ("signal", "in_json", joined(&[(2, json), (6, vec![])])),
        ("signal", "all_of_it", joined(&[publish, talk, odd.to_vec(), goodbye].concat())),
    ]
}

fn say(ask: &Ask) -> Vec<u8> {
    proto::SignalRequest { message: Some(ask.clone()) }.encode_to_vec()
}

/// The form that `pieces` reads.
fn joined(pieces: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (what, piece) in pieces {
        bytes.push(*what);
        bytes.extend((piece.len() as u16).to_be_bytes());
        bytes.extend(piece);
    }
    bytes
}

fn datagrams() -> Vec<Input> {
    let check = stun(b"p000000000001:theirs");
    let dtls = vec![22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0];
    let mut rtp = vec![0x80, 111, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2];
    rtp.extend([7; 40]);
    let rtcp =
        vec![0x81, 201, 0, 7, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    vec![
        ("datagram", "check_with_a_wrong_password", joined(&[(0, check.clone()), (1, stun(b"s000000000001:x"))])),
        ("datagram", "check_for_nobody", joined(&[(0, stun(b"p0000000000ff:x")), (0, stun(b"abcd:efgh"))])),
        ("datagram", "media_without_a_peer", joined(&[(0, dtls.clone()), (0, rtp.clone()), (1, rtcp.clone())])),
        ("datagram", "media_after_a_check", joined(&[(16, check), (16, dtls), (16, rtp), (16, rtcp)])),
    ]
}

/// A binding request (RFC 8489) with a user name, a priority and a wrong integrity.
fn stun(username: &[u8]) -> Vec<u8> {
    let mut attributes = Vec::new();
    let mut attribute = |kind: u16, value: &[u8]| {
        attributes.extend(kind.to_be_bytes());
        attributes.extend((value.len() as u16).to_be_bytes());
        attributes.extend(value);
        attributes.resize(attributes.len().next_multiple_of(4), 0);
    };
    attribute(0x0006, username);
    attribute(0x0024, &[0x6e, 0, 0x1e, 0xff]);
    attribute(0x802a, &[0; 8]);
    attribute(0x0008, &[9; 20]);
    let mut datagram = vec![0, 1];
    datagram.extend((attributes.len() as u16).to_be_bytes());
    datagram.extend([0x21, 0x12, 0xa4, 0x42]);
    datagram.extend([7; 12]);
    datagram.extend(attributes);
    datagram
}

fn descriptions() -> Vec<Input> {
    let now = Instant::now();
    let address = SocketAddr::from(([10, 0, 0, 1], 7882));
    let addresses = Addresses { udp: vec![address], tcp: vec![] };
    let certificate = Certificate::generate().expect("a certificate");
    let mut shard = Shard::new(ShardConfig { addresses, certificate });
    shard.handle_command(now, Command::Open { conn: ConnKey(1), group: GroupKey(1), full_ice: false });
    shard.handle_timeout(now);
    let ours = std::iter::from_fn(|| shard.poll_event()).find_map(|event| match event {
        Event::SubscriberOffer { sdp, .. } => Some(sdp),
        _ => None,
    });
    let ours = SdpOffer::from_sdp_string(&ours.expect("an offer")).expect("that is SDP");
    let mid = ours.to_sdp_string().lines().find_map(|line| line.strip_prefix("a=mid:").map(str::to_owned));
    let answer = client(now).sdp_api().accept_offer(ours).expect("and can be answered").to_sdp_string();
    let answer = answer.replace(&mid.expect("of one line"), "{MID}");
    let channels = offer(now, |changes| {
        changes.add_channel("_reliable".into());
    });
    let media = offer(now, |changes| {
        changes.add_channel("_reliable".into());
        let stream = || Some("stream".to_owned());
        changes.add_media(MediaKind::Audio, Direction::SendOnly, stream(), Some("microphone".into()), None);
        let mut simulcast = Simulcast::new();
        ["q", "h", "f"].iter().for_each(|rid| simulcast.add_send_layer(SimulcastLayer::new(rid)));
        changes.add_media(MediaKind::Video, Direction::SendOnly, stream(), Some("camera".into()), Some(simulcast));
    });
    let candidate = "candidate:1 1 udp 2113937151 192.0.2.7 5000 typ host";
    vec![
        ("sdp", "channels", joined(&[(0, channels.clone().into_bytes())])),
        ("sdp", "camera_in_three_qualities", joined(&[(0, media.into_bytes())])),
        ("sdp", "answer", joined(&[(2, answer.into_bytes())])),
        ("sdp", "candidate", joined(&[(3, candidate.into()), (3, b"candidate:".to_vec())])),
        ("sdp", "cut_short", joined(&[(0, channels.as_bytes()[..channels.len() / 2].to_vec()), (0, b"v=0".to_vec())])),
    ]
}

fn offer(now: Instant, change: impl FnOnce(&mut SdpApi<'_>)) -> String {
    let mut client = client(now);
    let mut changes = client.sdp_api();
    change(&mut changes);
    changes.apply().expect("an offer").0.to_sdp_string()
}

fn client(now: Instant) -> Rtc {
    let provider = std::sync::Arc::new(str0m::crypto::from_feature_flags());
    RtcConfig::new().set_rtp_mode(true).set_crypto_provider(provider).build(now)
}

fn payloads() -> Vec<Input> {
    vec![
        ("payload", "vp8_key_frame", vec![0x90, 0xe0, 0x80, 0x11, 0x07, 0x20, 0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a]),
        ("payload", "h264_aggregate_with_parameters", vec![24, 0, 3, 0x67, 0x42, 0xe0, 0, 2, 0x68, 0xce]),
        ("payload", "h264_fragment", vec![28, 0x87, 1, 2, 3]),
        ("payload", "redundant_audio", vec![0xef, 0x0f, 0x00, 0x03, 0x6f, 1, 2, 3, 4, 5]),
        ("payload", "redundant_audio_that_lies", vec![0xef, 0xff, 0xff, 0xff, 0x6f, 1]),
    ]
}

/// What Yjs 13.6.33 writes when somebody draws, types and nests, one update each; and updates that no Yjs client writes.
fn documents() -> Vec<Input> {
    let strokes = [
        "01010500280108656c656d656e7473016101760406617574686f7277076d616c6c6f727905696e6465787702613006706f696e7473750275027d007c3fc0000075027d027d430776657273696f6e7d0100",
        "01010501280108656c656d656e7473016201760206617574686f727707746561636865720776657273696f6e7d0200",
        "01010502a8050001760206617574686f7277076d616c6c6f72790776657273696f6e7d020105010001",
        "000105010101",
    ];
    let text = [
        "010106000401056e6f7465730f68616c6c6f20f09f99822077656c7400",
        "0102060d46060004626f6c640474727565c60604060504626f6c64046e756c6c00",
        "000106010304",
        "0101060fc40601060202c3bc00",
        "01030610c60600060104626f6c64046e756c6cc5061006010d7b22696d616765223a2278227dc60611060104626f6c64047472756500",
    ];
    let nested = [
        "01010700270108656c656d656e7473016e0100",
        "010107012800070006617574686f720177076d616c6c6f727900",
        "010107022700070006706f696e74730000",
        "0102070308000702057d017d027701787e7883070702010200",
        "01010709c807040705017d0300",
        "000107010302",
        "0101070a07010570726f7365030970617261677261706800",
        "0102070b0700070a060400070b047465787400",
        "0001070200030505",
    ];
    let strokes: Vec<_> = strokes.map(bytes_of).to_vec();
    let say = |who: u8, what: u8, updates: &[Vec<u8>]| -> Vec<(u8, Vec<u8>)> {
        updates.iter().map(|update| (who + 4 * what, update.clone())).collect()
    };
    let cursors = [b"\x01\x09\x01\x09{\"x\":1.5}".to_vec()];
    let bombs = [
        // Lengths that lie: of a list, of a map in an item, of a state vector.
        "d7548f54770c78002d677698fbbfd5f35730ee3240",
        "010100002801016501 6b76ffffff7f",
        "ffffff7a",
        // An item that builds on itself, a gap, an item of nobody, two items of each other's.
        "010105008405000161 00",
        "01010500 0a05 00",
        "0101050a 04010165 0161 00",
        "020105008406000161 010600840500016100",
    ];
    let bombs: Vec<_> = bombs.map(bytes_of).to_vec();
    vec![
        ("document", "strokes_of_a_stock_client", joined(&say(0, 1, &strokes))),
        ("document", "strokes_of_ones_own", joined(&say(2, 1, &strokes))),
        ("document", "strokes_of_a_viewer", joined(&say(3, 1, &strokes))),
        ("document", "text", joined(&say(1, 1, &text.map(bytes_of)))),
        ("document", "nested_types", joined(&say(0, 1, &nested.map(bytes_of)))),
        ("document", "cursors", joined(&[say(0, 2, &cursors), say(3, 2, &cursors)].concat())),
        ("document", "questions", joined(&say(3, 3, &[vec![0], vec![1, 5, 2], vec![0xff, 0xff, 0xff, 0x7a]]))),
        ("carried", "board_opened", b"\x12board:main:blank:1\x00\x00\x01\x00".to_vec()),
        ("carried", "notes_of_a_group", "\u{0e}notes:grüpp 1\u{3}".as_bytes().to_vec()),
        ("carried", "page_drawn_on", b"\x0fboard:main:12:3\x00\x02\x02\x00\x00".to_vec()),
        ("carried", "pointer", b"\x12board:main:blank:1\x01\x0b\x01\x07\x01\x07{\"x\":1}".to_vec()),
        ("carried", "name_that_lies", b"\xff\xff\xff\x7fa\x00".to_vec()),
        ("document", "bombs", joined(&[say(1, 1, &bombs), say(0, 0, &bombs)].concat())),
    ]
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.chars().filter_map(|digit| digit.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect()
}

fn texts() -> Vec<Input> {
    let claims = r#"{"iss":"key","sub":"ann","exp":1900000000.5,"nbf":null,"name":"Ann","metadata":"{}",
"attributes":{"mood":"fine"},"kind":"standard","video":{"roomJoin":true,"room":"physics","canPublish":true,
"canPublishData":false,"canPublishSources":["camera","microphone"],"hidden":false,"canUpdateOwnMetadata":true},
"roomConfig":{"emptyTimeout":300,"maxParticipants":20},"lyceum":{"role":"instructor",
"invite":{"room":"physics","role":"learner"}}}"#;
    // A token as it looks, signed by nobody.
    let forged = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJrZXkiLCJzdWIiOiJhbm4iLCJleHAiOjE5MDAwMDAwMDB9.\
c2lnbmF0dXJl";
    let unsigned = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJrZXkiLCJzdWIiOiJhbm4iLCJleHAiOjE5MDAwMDAwMDB9.";
    let query = "auto_subscribe=1&adaptive_stream=1&sdk=js&version=2.21.0&protocol=17&client_protocol=2&os=Linux&\
browser=Firefox&browser_version=140&capabilities=CAP_COMPRESSION_DEFLATE_RAW,CAP_X&reconnect=1&sid=PA_1&\
attributes=eyJtb29kIjoiZmluZSJ9&access_token=x";
    let config = "[http]\nbind = [\"127.0.0.1:7880\"]\n[keys]\nschool = \"S3CRET-S3CRET-S3CRET-S3CRET-0123456789\"\n\
other = { secret = \"S3CRET-S3CRET-S3CRET-S3CRET-abcdefghij\", tenant = \"other\" }\n[log]\nlevel = \"info\"\n";
    let wrong =
        "[htp]\nbind = 7\n[keys]\nschool = 7\nx = { secret = \"S3CRET\", tenent = \"a\" }\n[media]\nudp_port = -1\n";
    let log = concat!(
        r#"{"seq":1,"at":1700000000000,"mono_ms":0,"type":"session.started","payload":{"tenant":"school","#,
        r#""room":"physics","session":"RM_1","policy":{"max_participants":0,"presence_grace_ms":60000,"#,
        r#""empty_timeout_ms":300000,"departure_timeout_ms":20000,"max_tracks_per_connection":8},"metadata":""}}"#,
        "\n",
        r#"{"seq":2,"at":1700000000001,"mono_ms":1,"actor":"ann","type":"connection.attached","payload":{"#,
        r#""person":"ann","connection":"PA_1","client":{"sdk":"js","version":"2","os":"","browser":"","protocol":17}}}"#,
        "\n",
        r#"{"seq":3,"at":18446744073709551615,"mono_ms":2,"type":"connection.detached","payload":{"person":"ann","#,
        r#""connection":"PA_1","reason":"connection_lost","last_seen":18446744073709551615}}"#,
        "\n",
        r#"{"seq":4,"at":1700000000003,"mono_ms":3,"type":"track.muted","payload":{"person":"ann","track":"TR_1"}}"#,
    );
    vec![
        ("token", "claims", claims.into()),
        ("token", "forged", forged.into()),
        ("token", "unsigned", unsigned.into()),
        ("query", "a_browser", query.into()),
        ("query", "broken_attributes", "attributes=%%%&sdk=&protocol=99999999999&reconnect=true".into()),
        ("config", "a_good_file", config.into()),
        ("config", "a_wrong_file", wrong.into()),
        ("event", "a_short_log", log.into()),
        ("frame", "two_frames", vec![0, 2, 7, 8, 0, 0, 0, 1, 9]),
        ("frame", "a_giant", vec![0xff, 0xff, 1, 2, 3]),
        ("frame", "cut_short", vec![0, 9, 1]),
    ]
}

fn classroom() -> Vec<Input> {
    let hello = r#"{"t":"hello","token":"eyJ","device":"tab-1","client":{"sdk":"js","version":"1","os":null},
"session":"RM_1","seq":4711}"#;
    let raise =
        r#"{"t":"cmd","id":"01994f6e","type":"hand.raise","payload":{"intent":"question"},"expect":4,"epoch":9}"#;
    let poll = r#"{"t":"cmd","id":"c","type":"activity.create","payload":{"spec":{"title":"Mass","mode":"quiz","items":[
{"text":"g?","kind":"single","options":["9.81","3"],"key":{"kind":"options","options":[0]}}]}}}"#;
    let respond = r#"{"t":"cmd","id":"c","type":"poll.respond","payload":{"poll":7,"answers":[
{"kind":"options","options":[1]},null,{"kind":"point","x":500,"y":20}]}}"#;
    let plan = r#"{"t":"cmd","id":"c","type":"breakouts.plan","payload":{"mode":"random","seed":18446744073709551615,
"groups":[{"space":"A","title":"A","persons":["ann"]}]}}"#;
    let policy = r#"{"t":"cmd","id":"c","type":"policy.set","payload":{"patch":{"unattended":{"end_after":{"ms":1}},
"locks":["chat.send"]}}}"#;
    let twice = r#"{"t":"cmd","id":"c","type":"chat.send","payload":{"body":"a","body":"b"}}"#;
    let huge = r#"{"t":"ping","id":1e308,"at":-99999999999999999999999999}"#;
    let deep = format!(r#"{{"t":"cmd","id":"c","type":"hand.lower","payload":{}"#, r#"{"a":["#.repeat(40));
    vec![
        ("classroom", "a_hello", hello.into()),
        ("classroom", "a_hand", raise.into()),
        ("classroom", "a_quiz", poll.into()),
        ("classroom", "an_answer", respond.into()),
        ("classroom", "groups", plan.into()),
        ("classroom", "a_policy", policy.into()),
        ("classroom", "a_key_twice", twice.into()),
        ("classroom", "a_ping_with_huge_numbers", huge.into()),
        ("classroom", "nested_too_deep", deep.into()),
        ("classroom", "a_goodbye", r#"{"t":"leave"}"#.into()),
        ("classroom", "an_unknown_command", r#"{"t":"cmd","id":"c","type":"hand.wave"}"#.into()),
    ]
}
