//! What reaches a shard: datagrams of strangers, session descriptions and candidates of clients, payloads of publishers.

use crate::pieces;
use lyceum_sfu::{
    Addresses, Certificate, Command, ConnKey, Datagram, Event, GroupKey, Shard, ShardConfig, Target, Transport,
    is_stun, peer_of_stun,
};
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

const CONN: ConnKey = ConnKey(1);

/// Datagrams from anywhere: nobody becomes a peer without knowing the peer's secret, and the class is untouched.
pub fn datagrams(bytes: &[u8]) {
    let (mut shard, mut now, _) = shard();
    for (what, contents) in pieces(bytes, 32) {
        if let Some(peer) = peer_of_stun(contents) {
            assert!(is_stun(contents) && peer.conn.0 < 1 << 48);
        }
        let source = SocketAddr::from(([192, 0, 2, what >> 4], 1_000));
        let transport = if what & 1 == 0 { Transport::Udp } else { Transport::Tcp };
        shard.handle_datagram(now, Datagram { transport, source, local_ip: None, contents });
        now += Duration::from_millis(u64::from(what & 0x0e));
        shard.handle_timeout(now);
        while shard.poll_transmit().is_some() {}
    }
    let stats = shard.stats();
    assert_eq!((stats.connections, stats.tracks, stats.packets_in), (1, 0, 0));
    assert!(stats.addresses <= 4, "strangers fill the table of addresses: {stats:?}");
    let told = std::iter::from_fn(|| shard.poll_event()).any(|event| matches!(event, Event::Connected { .. }));
    assert!(!told, "a stranger is no peer");
}

/// A description or a candidate of a client: taken or refused, with exactly one answer to an offer. `{MID}` in an answer stands
/// for the name of our own m-line.
pub fn session_description(bytes: &[u8]) {
    for (what, text) in pieces(bytes, 4) {
        let (mut shard, now, mid) = shard();
        let sdp = String::from_utf8_lossy(text).replace("{MID}", &mid);
        let command = match what % 4 {
            0 | 1 => Command::PublisherOffer { conn: CONN, offer_id: 7, sdp },
            2 => Command::SubscriberAnswer { conn: CONN, offer_id: 1, sdp },
            _ => Command::RemoteCandidate { conn: CONN, target: Target::Publisher, candidate: sdp },
        };
        let is_offer = matches!(command, Command::PublisherOffer { .. });
        shard.handle_command(now, command);
        shard.handle_timeout(now + Duration::from_secs(1));
        let told: Vec<Event> = std::iter::from_fn(|| shard.poll_event()).collect();
        let is_answer = |event: &&Event| matches!(event, Event::PublisherAnswer { .. } | Event::Refused { .. });
        let answers = told.iter().filter(is_answer).count();
        assert!(answers <= 1 && (!is_offer || answers == 1), "{answers} answers");
        for event in told {
            let Event::Refused { why, .. } = event else { continue };
            assert!(!why.contains("0x"), "an address of our memory goes to a client: {why}");
        }
        assert_eq!(shard.stats().connections, 1);
    }
}

/// A payload that a publisher sends, after decryption.
pub fn payload(bytes: &[u8]) {
    lyceum_sfu::fuzzing::read_payload(bytes);
}

/// A shard with one connection that has not connected yet, and the mid of the line that it offers.
fn shard() -> (Shard, Instant, String) {
    static CERTIFICATE: OnceLock<Certificate> = OnceLock::new();
    static BEGUN: OnceLock<Instant> = OnceLock::new();
    let certificate = CERTIFICATE.get_or_init(|| Certificate::generate().expect("a certificate can be made")).clone();
    let now = *BEGUN.get_or_init(Instant::now);
    let addresses = Addresses {
        udp: vec![SocketAddr::from(([10, 0, 0, 1], 7882))],
        tcp: vec![SocketAddr::from(([10, 0, 0, 1], 7881))],
    };
    let mut shard = Shard::new(ShardConfig { addresses, certificate });
    shard.handle_command(now, Command::Open { conn: CONN, group: GroupKey(1), full_ice: false });
    shard.handle_timeout(now);
    let offer = std::iter::from_fn(|| shard.poll_event()).find_map(|event| match event {
        Event::SubscriberOffer { sdp, .. } => Some(sdp),
        _ => None,
    });
    let mid = offer.iter().flat_map(|sdp| sdp.lines()).find_map(|line| line.strip_prefix("a=mid:"));
    let mid = mid.expect("a first offer with one line").to_owned();
    (shard, now, mid)
}
