//! What a shard costs while nothing happens: a class in which everybody receives everybody, and no packet flows. Prints the time of one
//! round of housekeeping, of which there are ten in a second.
//!
//! `cargo run --release -p lyceum-sfu --example housekeeping -- 40`
#![allow(clippy::disallowed_methods, clippy::disallowed_macros, clippy::expect_used)] // A measurement needs a clock and says what it saw.

use lyceum_sfu::{
    Addresses, Certificate, Command, ConnKey, Event, GroupKey, Kind, LayerSpec, Shard, ShardConfig, TrackKey,
    TrackSpec, Wish,
};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use str0m::change::SdpOffer;
use str0m::media::{Direction, MediaKind};
use str0m::{Rtc, RtcConfig};

fn main() {
    let people: u64 = std::env::args().nth(1).and_then(|people| people.parse().ok()).unwrap_or(40);
    let start = Instant::now();
    let mut shard = Shard::new(ShardConfig {
        addresses: Addresses { udp: vec!["10.0.0.1:7882".parse().expect("an address")], tcp: vec![] },
        certificate: Certificate::generate().expect("a certificate"),
    });
    let client = || {
        let provider = std::sync::Arc::new(str0m::crypto::from_feature_flags());
        RtcConfig::new().set_rtp_mode(true).set_crypto_provider(provider).build(start)
    };
    let mut subscribers: BTreeMap<ConnKey, Rtc> = BTreeMap::new();
    let tracks = |conn: ConnKey| [(Kind::Audio, TrackKey(conn.0 * 2)), (Kind::Video, TrackKey(conn.0 * 2 + 1))];
    for conn in (1..=people).map(ConnKey) {
        subscribers.insert(conn, client());
        shard.handle_command(start, Command::Open { conn, group: GroupKey(1), full_ice: false });
        let mut publisher = client();
        let mut changes = publisher.sdp_api();
        for (kind, key) in tracks(conn) {
            let media = if kind == Kind::Audio { MediaKind::Audio } else { MediaKind::Video };
            let cid = format!("cid-{}", key.0);
            changes.add_media(media, Direction::SendOnly, Some("stream".into()), Some(cid.clone()), None);
            let layers = vec![LayerSpec { width: 1280, height: 720 }];
            let (muted, stereo, dtx, red) = (false, false, true, true);
            let spec = TrackSpec { key, cids: vec![cid], kind, codec: None, layers, muted, stereo, dtx, red };
            shard.handle_command(start, Command::ExpectTrack { conn, spec });
        }
        let (offer, _) = changes.apply().expect("an offer");
        shard.handle_command(start, Command::PublisherOffer { conn, offer_id: 1, sdp: offer.to_sdp_string() });
    }
    for conn in (1..=people).map(ConnKey) {
        for (_, track) in (1..=people).map(ConnKey).filter(|other| *other != conn).flat_map(tracks) {
            let (stream_id, track_id) = (format!("PA_x|TR_{}", track.0), format!("TR_{}", track.0));
            shard.handle_command(start, Command::Subscribe { conn, track, stream_id, track_id, wish: Wish::default() });
        }
    }
    shard.handle_timeout(start);
    while let Some(event) = shard.poll_event() {
        if let Event::SubscriberOffer { conn, offer_id, sdp, .. } = event {
            let offer = SdpOffer::from_sdp_string(&sdp).expect("an offer");
            let answer = subscribers.get_mut(&conn).expect("somebody").sdp_api().accept_offer(offer).expect("taken");
            let sdp = answer.to_sdp_string();
            shard.handle_command(start, Command::SubscriberAnswer { conn, offer_id, sdp });
        }
    }
    let round = |shard: &mut Shard, number: u32| {
        let now = start + Duration::from_millis(100) * number;
        let began = Instant::now();
        shard.handle_timeout(now);
        let took = began.elapsed();
        while shard.poll_event().is_some() {}
        while shard.poll_transmit().is_some() {}
        took
    };
    // ICE and DTLS begin in the first rounds and wait for answers that do not come.
    (1..20).for_each(|number| {
        round(&mut shard, number);
    });
    let mut rounds: Vec<Duration> = (20..120).map(|number| round(&mut shard, number)).collect();
    rounds.sort_unstable();
    println!("{people} people, {} subscriptions: {:?} (median of 100)", shard.stats().subscriptions, rounds[50]);
}
