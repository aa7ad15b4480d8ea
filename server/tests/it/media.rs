//! The media threads over real sockets: a client reaches its peers over UDP, or over TCP where UDP is blocked, and a shard that
//! is stopped stops.

use lyceum::media::{self, MediaConfig};
use lyceum_sfu::{Command, ConnKey, Event, GroupKey, Lane, Target};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use str0m::change::SdpOffer;
use str0m::net::{Protocol, Receive, TcpType};
use str0m::{Candidate, Event as RtcEvent, Input, Output, Rtc, RtcConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::time::timeout;

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const PATIENCE: Duration = Duration::from_secs(30);
const ADA: ConnKey = ConnKey(1);

#[tokio::test]
async fn a_client_is_reached_over_udp() {
    let (media, mut events) = starts();
    let (ports, _) = media.ports();
    let socket = UdpSocket::bind((LOCALHOST, 0)).await.expect("a socket");
    let own = socket.local_addr().expect("its address");
    let server = SocketAddr::new(LOCALHOST, ports[0]);
    let mut client = Client::answers(&media, &mut events, own, Protocol::Udp).await;
    let heard = timeout(PATIENCE, async {
        let mut buffer = [0; 2048];
        loop {
            for datagram in client.poll() {
                socket.send_to(&datagram, server).await.expect("sent");
            }
            client.tells_when_connected(&media, &mut events);
            if let Some(message) = client.heard.take() {
                return message;
            }
            if let Ok(received) = timeout(Duration::from_millis(20), socket.recv_from(&mut buffer)).await {
                let (length, source) = received.expect("received");
                client.takes(Protocol::Udp, source, own, &buffer[..length]);
            }
        }
    })
    .await
    .expect("a message over UDP");
    assert_eq!(heard, b"welcome");
    stops(media).await;
}

#[tokio::test]
async fn a_client_without_udp_is_reached_over_tcp() {
    let (media, mut events) = starts();
    let (_, tcp) = media.ports();
    let server = tcp.expect("ICE-TCP listens");
    let stream = TcpStream::connect(server).await.expect("connected");
    let own = stream.local_addr().expect("its address");
    let (mut reader, mut writer) = stream.into_split();
    let (frames, mut received) = mpsc::channel(64);
    tokio::spawn(async move {
        while let Ok(length) = reader.read_u16().await {
            let mut frame = vec![0; usize::from(length)];
            if reader.read_exact(&mut frame).await.is_err() || frames.send(frame).await.is_err() {
                return;
            }
        }
    });
    let mut client = Client::answers(&media, &mut events, own, Protocol::Tcp).await;
    let heard = timeout(PATIENCE, async {
        loop {
            for datagram in client.poll() {
                let mut frame = (datagram.len() as u16).to_be_bytes().to_vec();
                frame.extend(datagram);
                writer.write_all(&frame).await.expect("written");
            }
            client.tells_when_connected(&media, &mut events);
            if let Some(message) = client.heard.take() {
                return message;
            }
            if let Ok(frame) = timeout(Duration::from_millis(20), received.recv()).await {
                client.takes(Protocol::Tcp, server, own, &frame.expect("the connection stays"));
            }
        }
    })
    .await
    .expect("a message over TCP");
    assert_eq!(heard, b"welcome");
    assert_eq!(media.stats().tcp_connections, 1);
    stops(media).await;
}

/// A client's subscriber peer that knows only one way to the server.
struct Client {
    rtc: Rtc,
    protocol: Protocol,
    told: bool,
    connected: bool,
    heard: Option<Vec<u8>>,
}

impl Client {
    async fn answers(
        media: &media::Handle,
        events: &mut mpsc::Receiver<Event>,
        own: SocketAddr,
        protocol: Protocol,
    ) -> Self {
        media.send(Command::Open { conn: ADA, group: GroupKey(1), full_ice: false });
        let offer = loop {
            match timeout(PATIENCE, events.recv()).await.expect("an offer in time").expect("an event") {
                Event::SubscriberOffer { offer_id, sdp, .. } => break (offer_id, sdp),
                _ => continue,
            }
        };
        let provider = Arc::new(str0m::crypto::from_feature_flags());
        let mut rtc = RtcConfig::new().set_crypto_provider(provider).build(Instant::now());
        let candidate = match protocol {
            Protocol::Udp => Candidate::builder().udp().host(own).build(),
            _ => Candidate::builder().tcp().host(own).tcptype(TcpType::Active).build(),
        };
        rtc.add_local_candidate(candidate.expect("a candidate"));
        let offered = SdpOffer::from_sdp_string(&offer.1).expect("an offer");
        let answer = rtc.sdp_api().accept_offer(offered).expect("accepted").to_sdp_string();
        media.send(Command::SubscriberAnswer { conn: ADA, offer_id: offer.0, sdp: answer });
        Self { rtc, protocol, told: false, connected: false, heard: None }
    }

    fn poll(&mut self) -> Vec<Vec<u8>> {
        self.rtc.handle_input(Input::Timeout(Instant::now())).expect("a timeout");
        let mut datagrams = Vec::new();
        loop {
            match self.rtc.poll_output().expect("output") {
                Output::Timeout(_) => return datagrams,
                // Candidates of the other protocol are in the offer as well; this client has no way to them.
                Output::Transmit(transmit) if transmit.proto == self.protocol => {
                    datagrams.push(transmit.contents.to_vec())
                }
                Output::Transmit(_) => {}
                Output::Event(RtcEvent::ChannelData(data)) => self.heard = Some(data.data),
                Output::Event(_) => {}
            }
        }
    }

    fn takes(&mut self, proto: Protocol, source: SocketAddr, destination: SocketAddr, bytes: &[u8]) {
        let contents = bytes.try_into().expect("a datagram");
        let receive = Receive { proto, source, destination, contents };
        self.rtc.handle_input(Input::Receive(Instant::now(), receive)).expect("input");
    }

    fn tells_when_connected(&mut self, media: &media::Handle, events: &mut mpsc::Receiver<Event>) {
        while let Ok(event) = events.try_recv() {
            self.connected |= matches!(event, Event::Connected { conn: ADA, target: Target::Subscriber });
        }
        if self.connected && !std::mem::replace(&mut self.told, true) {
            media.send(Command::SendData { to: vec![ADA], lane: Lane::Reliable, bytes: Arc::from(*b"welcome") });
        }
    }
}

fn starts() -> (media::Handle, mpsc::Receiver<Event>) {
    let (sender, events) = mpsc::channel(1024);
    let config = MediaConfig {
        udp_bind: LOCALHOST,
        udp_port: 0,
        tcp_bind: Some(SocketAddr::new(LOCALHOST, 0)),
        advertise: vec![LOCALHOST],
    };
    (media::start(config, 1, sender).expect("media starts"), events)
}

async fn stops(media: media::Handle) {
    assert!(media.is_alive());
    let again = media.clone();
    tokio::task::spawn_blocking(move || media.shutdown()).await.expect("stopped");
    assert!(!again.is_alive());
}
