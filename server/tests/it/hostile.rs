//! Sockets that mean ill, beside two people who talk: what they do costs them alone. The server has a process of its own, so
//! that its counts are its own.

use crate::harness::*;
use livekit_protocol as proto;
use livekit_protocol::request_response::Reason;
use livekit_protocol::signal_request::Message as Ask;
use livekit_protocol::signal_response::Message as Say;
use lyceum::config::{ApiKey, ApiKeys};
use lyceum::token::{Claims, Keyring, VideoGrant};
use prost::Message as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::format::Codec;
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event as RtcEvent, Input, Output, Rtc, RtcConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;

const ROOM: &str = "math";
/// What the server may have waiting for one slow reader; see `BACKLOG_MAX_BYTES` of the media core.
const BACKLOG_BYTES: usize = 16 * 1024 * 1024;
/// Memory that may be kept for the next time.
const MEMORY_KEPT_BYTES: u64 = 96 * 1024 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_sockets_cost_only_themselves() {
    let data = tempfile::tempdir().unwrap();
    let settings = [
        "media.shards=1",
        "http.head_timeout_s=2",
        "signal.max_joins_per_min=60",
        "signal.queue_messages=128",
        "signal.silence_timeout_s=5",
        "signal.ping_interval_s=1",
        "limits.signals_per_s=5",
        "limits.signals_burst=60",
        "rooms.resume_window_s=0",
        "rooms.presence_grace_s=1",
    ];
    let server = Process::start(data.path(), &settings);
    let mut ann = Member::joins(&server, "ann").await;
    ann.opens_microphone().await;
    let ann = ann.lives();
    let ben = Member::joins(&server, "ben").await.lives();
    ben.hears_voices(20).await;
    let (files, memory) = (server_number(&server, "process_open_fds").await, memory_of(&server));

    bad_tokens_are_refused(&server).await;
    joins_from_one_address_are_limited(&server).await;
    half_open_connections_are_closed(&server).await;
    garbage_ends_a_socket(&server).await;
    an_oversized_message_ends_a_socket(&server).await;
    a_flood_is_answered_sparingly(&server).await;
    who_never_reads_is_let_go(&server).await;
    a_slow_reader_loses_what_is_too_much(&server, &ben).await;

    // Whoever was there is gone, with all that was theirs.
    metric_becomes(server.address, "lyceum_clients", 2.0).await;
    for (level, wanted) in [("lyceum_media_connections", 2.0), ("lyceum_media_tracks", 1.0), ("lyceum_sessions", 1.0)] {
        metric_becomes(server.address, level, wanted).await;
    }
    let came_back = async {
        while server_number(&server, "process_open_fds").await > files {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, came_back).await.expect("descriptors come back");
    let grown = memory_of(&server).saturating_sub(memory);
    assert!(grown < MEMORY_KEPT_BYTES, "{grown} bytes stay in use");

    let heard = ben.voices().len();
    ben.hears_voices(heard + 20).await;
    let voices = ben.voices();
    assert!(voices.windows(2).all(|pair| pair[1] == pair[0] + 1), "the voice has a gap: {voices:?}");
    let never =
        ["lyceum_session_panics_total", "lyceum_http_handler_panics_total", "lyceum_media_events_dropped_total"];
    for counter in never {
        assert_eq!(server_number(&server, counter).await, 0.0, "{counter}");
    }
    for person in [ann, ben] {
        person.is_well();
        person.vanishes();
    }
}

async fn bad_tokens_are_refused(server: &Process) {
    let grant = || Some(VideoGrant { room_join: true, room: "nowhere".to_owned(), ..VideoGrant::default() });
    let wanted = Claims { sub: "mallory".to_owned(), video: grant(), ..claims() };
    let signed = |key: &str, secret: &str| {
        let secret = ApiKey { secret: secret.to_owned(), tenant: "default".to_owned() };
        let keyring = Keyring::new(ApiKeys::from([(key.to_owned(), secret)]));
        keyring.sign(&Claims { iss: key.to_owned(), ..wanted.clone() }).unwrap()
    };
    let (good, other) = (sign(&wanted), sign(&Claims { sub: "ann".to_owned(), ..wanted.clone() }));
    let parts = |token: &str| token.split('.').map(str::to_owned).collect::<Vec<_>>();
    let (good, other) = (parts(&good), parts(&other));
    let bad = [
        ("none", String::new()),
        ("not one", "x.y.z".to_owned()),
        ("of a key that nobody knows", signed("stranger", "secret")),
        ("signed with another secret", signed("devkey", "guess")),
        ("expired", sign(&Claims { exp: now_s() - 600, ..wanted.clone() })),
        ("not valid yet", sign(&Claims { nbf: now_s() + 600, ..wanted.clone() })),
        ("with another's signature", format!("{}.{}.{}", good[0], other[1], good[2])),
        ("unsigned", format!("{}.{}.", good[0], good[1])),
    ];
    let (refused, begun) = ("lyceum_joins_refused_total", "lyceum_sessions_started_total");
    let before = (server_number(server, refused).await, server_number(server, begun).await);
    for (what, token) in &bad {
        let no = open(server.address, token, "").await.err().unwrap();
        assert_eq!(no.status, 401, "a token {what}: {}", no.text);
        assert!(!no.text.is_empty(), "a token {what}");
    }
    let after = (server_number(server, refused).await, server_number(server, begun).await);
    assert_eq!(after, (before.0 + bad.len() as f64, before.1), "they are counted, and nothing has begun");
}

/// All from an address of their own, with a token that is good: it does not come to that.
async fn joins_from_one_address_are_limited(server: &Process) {
    let throttled = async {
        loop {
            let mut stream = connect_from(server, Ipv4Addr::new(127, 0, 0, 2), None).await;
            stream.write_all(upgrade("no token").as_bytes()).await.unwrap();
            let mut head = [0; 12];
            stream.read_exact(&mut head).await.unwrap();
            match &head {
                b"HTTP/1.1 401" => {}
                b"HTTP/1.1 429" => return,
                head => panic!("{}", String::from_utf8_lossy(head)),
            }
        }
    };
    tokio::time::timeout(PATIENCE, throttled).await.expect("a limit of joins");
    assert!(server_number(server, "lyceum_joins_throttled_total").await >= 1.0);
}

/// Nothing said, half a request head, and a head without its end.
async fn half_open_connections_are_closed(server: &Process) {
    let mut streams = Vec::new();
    for number in 0..300 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        match number % 3 {
            0 => {}
            1 => stream.write_all(b"GET /rtc?access_").await.unwrap(),
            _ => stream.write_all(upgrade("x").trim_end().as_bytes()).await.unwrap(),
        }
        streams.push(stream);
    }
    for mut stream in streams {
        let mut said = Vec::new();
        let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut said)).await;
        // An answer or a reset, but an end.
        let _ = ended.expect("a half-open connection is closed");
    }
}

async fn garbage_ends_a_socket(server: &Process) {
    let before = server_number(server, "lyceum_clients_closed_malformed_total").await;
    let mut mallory = server.join(ROOM, "garbler").await;
    for _ in 0..20 {
        mallory.sends(Message::Binary(vec![0xff; 40].into())).await;
    }
    let goodbye = mallory.is_closed().await.expect("a reason");
    assert_eq!(u16::from(goodbye.code), 1007);
    assert!(goodbye.reason.contains("cannot be read"), "{goodbye:?}");
    assert_eq!(server_number(server, "lyceum_clients_closed_malformed_total").await, before + 1.0);
    assert!(server_number(server, "lyceum_signals_malformed_total").await >= 20.0);
}

async fn an_oversized_message_ends_a_socket(server: &Process) {
    let before = server_number(server, "lyceum_clients_closed_malformed_total").await;
    let mut mallory = server.join(ROOM, "shouter").await;
    // The server may have closed before all of it is sent.
    let _ = mallory.tries(Message::Binary(vec![0; 2_100_000].into())).await;
    if let Some(goodbye) = mallory.is_closed().await {
        assert_eq!(u16::from(goodbye.code), 1009);
    }
    metric_becomes(server.address, "lyceum_clients_closed_malformed_total", before + 1.0).await;
}

async fn a_flood_is_answered_sparingly(server: &Process) {
    let mut mallory = server.join(ROOM, "flooder").await;
    let before = server_number(server, "lyceum_signals_flooded_total").await;
    let junk = || "v=0\r\n".repeat(400);
    for number in 0..900 {
        let ask = match number % 3 {
            0 => Ask::AddTrack(proto::AddTrackRequest { cid: format!("c{number}"), ..Default::default() }),
            1 => Ask::Offer(proto::SessionDescription { sdp: junk(), id: number, ..Default::default() }),
            _ => Ask::Trickle(proto::TrickleRequest { candidate_init: junk(), ..Default::default() }),
        };
        if mallory
            .tries(Message::Binary(proto::SignalRequest { message: Some(ask) }.encode_to_vec().into()))
            .await
            .is_err()
        {
            break;
        }
    }
    // Told, but not each time.
    let mut told = 0;
    mallory.says(Ask::Leave(Default::default())).await;
    while let Some(say) = mallory.hears_or_ends().await {
        if let Say::RequestResponse(response) = say {
            told += usize::from(response.reason() == Reason::LimitExceeded);
        }
    }
    let flooded = server_number(server, "lyceum_signals_flooded_total").await - before;
    assert!(flooded > 0.0, "what was too much is counted");
    assert!(told > 0 && (told as f64) < flooded / 2.0, "told {told} times of {flooded}");
}

/// Somebody has a lot to say of themselves, and one socket reads none of it.
async fn who_never_reads_is_let_go(server: &Process) {
    let mut sleeper = connect_from(server, Ipv4Addr::LOCALHOST, Some(4_096)).await;
    sleeper.write_all(upgrade(&token(ROOM, "sleeper")).as_bytes()).await.unwrap();
    metric_becomes(server.address, "lyceum_clients", 3.0).await;
    let closed = |text: &str| {
        number(text, "lyceum_clients_closed_too_slow_total") + number(text, "lyceum_clients_closed_silent_total")
    };
    let before = closed(&get(server.address, "/metrics").await.text);
    let admin = token_with("", VideoGrant { room_admin: true, room: ROOM.to_owned(), ..VideoGrant::default() });
    let let_go = async {
        for number in 0.. {
            let metadata = format!("{number:060000}");
            let body = serde_json::json!({"room": ROOM, "metadata": metadata});
            let answer =
                post(server.address, "/twirp/livekit.RoomService/UpdateRoomMetadata", Some(&admin), body).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            if closed(&get(server.address, "/metrics").await.text) > before {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, let_go).await.expect("who reads nothing is let go");
    metric_becomes(server.address, "lyceum_clients", 2.0).await;
}

/// Their ICE goes on, and no data is ever acknowledged.
async fn a_slow_reader_loses_what_is_too_much(server: &Process, ben: &Living) {
    let mut slow = Member::joins(server, "slow").await;
    slow.subscriber.is_deaf = true;
    let slow = slow.lives();
    slow.is_connected().await;
    let admin = token_with("", VideoGrant { room_admin: true, room: ROOM.to_owned(), ..VideoGrant::default() });
    let sends = async |to: &[&str], data: Vec<u8>| {
        let request = proto::SendDataRequest {
            room: ROOM.to_owned(),
            data,
            destination_identities: to.iter().map(|name| (*name).to_owned()).collect(),
            ..Default::default()
        };
        let builder = axum::http::Request::post("/twirp/livekit.RoomService/SendData")
            .header("content-type", "application/protobuf")
            .header("authorization", format!("Bearer {admin}"));
        let answer = ask(server.address, builder.body(request.encode_to_vec().into()).unwrap()).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    };
    let before = server_number(server, "lyceum_data_messages_dropped_total").await;
    let (mut sent_bytes, mut said) = (0, Vec::new());
    while server_number(server, "lyceum_data_messages_dropped_total").await == before {
        for _ in 0..10 {
            sends(&["slow"], vec![0; 60_000]).await;
            sent_bytes += 60_000;
        }
        let text = format!("message {}", said.len());
        sends(&[], text.clone().into_bytes()).await;
        said.push(text);
        assert!(sent_bytes < 2 * BACKLOG_BYTES, "what waits for a slow reader has no bound");
    }
    assert!(sent_bytes > BACKLOG_BYTES / 2, "nothing is lost before that: {sent_bytes}");
    let got_all = async {
        while ben.messages().len() < said.len() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, got_all).await.expect("the others get everything");
    assert_eq!(ben.messages(), said);
    slow.vanishes();
}

// ---- helpers -------------------------------------------------------------------------------------------------------

async fn server_number(server: &Process, name: &str) -> f64 {
    metric(server.address, name).await
}

fn memory_of(server: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() * 1024
}

async fn connect_from(server: &Process, own: Ipv4Addr, receives: Option<u32>) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((own, 0))).unwrap();
    if let Some(bytes) = receives {
        socket.set_recv_buffer_size(bytes).unwrap();
    }
    socket.connect(server.address).await.unwrap()
}

fn upgrade(token: &str) -> String {
    let token = token.replace(' ', "%20");
    format!(
        "GET /rtc?access_token={token}&protocol=16&sdk=js HTTP/1.1\r\nhost: school.test\r\nconnection: upgrade\r\n\
        upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// Somebody with media, before they are left to themselves.
struct Member {
    person: Person,
    publisher: Peer,
    subscriber: Peer,
    microphone: Option<(Mid, Option<SdpPendingOffer>)>,
    heard: Arc<Mutex<Heard>>,
}

#[derive(Default)]
struct Heard {
    voices: Vec<u64>,
    messages: Vec<String>,
    connected: bool,
}

/// Somebody whose sockets are served by a task.
struct Living {
    heard: Arc<Mutex<Heard>>,
    task: JoinHandle<()>,
}

impl Member {
    async fn joins(server: &Process, name: &str) -> Member {
        let person = server.join(ROOM, name).await;
        let (publisher, subscriber) = (Peer::new().await, Peer::new().await);
        Member { person, publisher, subscriber, microphone: None, heard: Arc::default() }
    }

    async fn opens_microphone(&mut self) {
        let track = proto::AddTrackRequest {
            cid: "microphone".to_owned(),
            source: proto::TrackSource::Microphone.into(),
            ..Default::default()
        };
        self.person.says(Ask::AddTrack(track)).await;
        let mut changes = self.publisher.rtc.sdp_api();
        let (stream, cid) = (Some("stream".to_owned()), Some("microphone".to_owned()));
        let mid = changes.add_media(MediaKind::Audio, Direction::SendOnly, stream, cid, None);
        let (offer, pending) = changes.apply().unwrap();
        self.microphone = Some((mid, Some(pending)));
        self.person.says(Ask::Offer(described("offer", offer.to_sdp_string(), 1))).await;
    }

    fn lives(self) -> Living {
        let heard = self.heard.clone();
        Living { heard, task: tokio::spawn(self.goes_on()) }
    }

    async fn goes_on(mut self) {
        let (mut frame, mut ping) = (interval(20), interval(2_000));
        let mut seq = 1_000;
        loop {
            let (speaks, wake) = (self.publisher.drains(&self.heard), self.subscriber.drains(&self.heard));
            self.publisher.sends_all(speaks).await;
            self.subscriber.sends_all(wake).await;
            tokio::select! {
                say = self.person.hears(Some) => self.is_told(say).await,
                () = self.publisher.receives() => {}
                () = self.subscriber.receives() => {}
                _ = ping.tick() => self.person.says(Ask::Ping(1)).await,
                _ = frame.tick() => {
                    if let Some((mid, None)) = self.microphone && self.publisher.rtc.is_connected() {
                        seq += 1;
                        self.publisher.speaks(mid, seq);
                    }
                }
            }
        }
    }

    async fn is_told(&mut self, say: Say) {
        match say {
            Say::Offer(offer) => {
                let offered = SdpOffer::from_sdp_string(&offer.sdp).unwrap();
                let sdp = self.subscriber.rtc.sdp_api().accept_offer(offered).unwrap().to_sdp_string();
                self.person.says(Ask::Answer(described("answer", sdp, offer.id))).await;
            }
            Say::Answer(answer) => {
                let pending = self.microphone.as_mut().and_then(|(_, pending)| pending.take()).unwrap();
                let answer = SdpAnswer::from_sdp_string(&answer.sdp).unwrap();
                self.publisher.rtc.sdp_api().accept_answer(pending, answer).unwrap();
            }
            _ => {}
        }
    }
}

impl Living {
    fn voices(&self) -> Vec<u64> {
        self.heard.lock().unwrap().voices.clone()
    }

    fn messages(&self) -> Vec<String> {
        self.heard.lock().unwrap().messages.clone()
    }

    async fn hears_voices(&self, count: usize) {
        self.waits(|heard| heard.voices.len() >= count).await;
    }

    async fn is_connected(&self) {
        self.waits(|heard| heard.connected).await;
    }

    async fn waits(&self, wanted: impl Fn(&Heard) -> bool) {
        let waited = async {
            while !wanted(&self.heard.lock().unwrap()) {
                self.is_well();
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waited).await.expect("media in time");
    }

    fn is_well(&self) {
        assert!(!self.task.is_finished(), "their socket was closed, or their media has failed");
    }

    fn vanishes(self) {
        self.task.abort();
    }
}

/// One peer connection over UDP.
struct Peer {
    rtc: Rtc,
    socket: UdpSocket,
    address: SocketAddr,
    /// Once its channels are open, takes nothing but connectivity checks.
    is_deaf: bool,
    is_open: bool,
}

impl Peer {
    async fn new() -> Peer {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let crypto = Arc::new(str0m::crypto::from_feature_flags());
        let mut rtc = RtcConfig::new().set_rtp_mode(true).set_crypto_provider(crypto).build(Instant::now());
        rtc.add_local_candidate(Candidate::builder().udp().host(address).build().unwrap());
        Peer { rtc, socket, address, is_deaf: false, is_open: false }
    }

    fn drains(&mut self, heard: &Mutex<Heard>) -> Vec<(SocketAddr, Vec<u8>)> {
        self.rtc.handle_input(Input::Timeout(Instant::now())).unwrap();
        let mut datagrams = Vec::new();
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(_) => return datagrams,
                Output::Transmit(transmit) if transmit.proto == Protocol::Udp => {
                    datagrams.push((transmit.destination, transmit.contents.to_vec()));
                }
                Output::Event(RtcEvent::RtpPacket(packet)) => heard.lock().unwrap().voices.push(*packet.seq_no),
                Output::Event(RtcEvent::ChannelOpen(..)) => {
                    (self.is_open, heard.lock().unwrap().connected) = (true, true);
                }
                Output::Event(RtcEvent::ChannelData(data)) => {
                    let packet = proto::DataPacket::decode(data.data.as_slice()).unwrap();
                    if let Some(proto::data_packet::Value::User(user)) = packet.value {
                        heard.lock().unwrap().messages.push(String::from_utf8_lossy(&user.payload).into_owned());
                    }
                }
                Output::Transmit(_) | Output::Event(_) => {}
            }
        }
    }

    async fn sends_all(&self, datagrams: Vec<(SocketAddr, Vec<u8>)>) {
        for (destination, contents) in datagrams {
            self.socket.send_to(&contents, destination).await.unwrap();
        }
    }

    async fn receives(&mut self) {
        let mut buffer = [0; 2048];
        let (length, source) = self.socket.recv_from(&mut buffer).await.unwrap();
        let is_check = buffer[0] < 4;
        if self.is_deaf && self.is_open && !is_check {
            return;
        }
        let contents = buffer[..length].try_into().unwrap();
        let receive = Receive { proto: Protocol::Udp, source, destination: self.address, contents };
        self.rtc.handle_input(Input::Receive(Instant::now(), receive)).unwrap();
    }

    fn speaks(&mut self, mid: Mid, seq: u64) {
        let pt = self.rtc.codec_config().find(|params| params.spec().codec == Codec::Opus).unwrap().pt();
        let mut direct = self.rtc.direct_api();
        let Some(stream) = direct.stream_tx_by_mid(mid, None) else { return };
        stream
            .write_rtp(RtpWrite::new(pt, seq.into(), seq as u32 * 960, Instant::now(), vec![1, 2, 3, 0]).marker(true));
    }
}

fn interval(ms: u64) -> tokio::time::Interval {
    let mut interval = tokio::time::interval(Duration::from_millis(ms));
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    interval
}

fn described(kind: &str, sdp: String, id: u32) -> proto::SessionDescription {
    proto::SessionDescription { r#type: kind.to_owned(), sdp, id, ..Default::default() }
}
