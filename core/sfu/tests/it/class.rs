//! People around one shard. Their clients are `str0m` peers; time is virtual; the network takes one tick and loses what it is
//! told to lose, by a seeded choice.

use crate::browsers::dressed;
use lyceum_sfu::{
    Addresses, Certificate, Command, ConnKey, Datagram, Event, GroupKey, Kind, Lane, LayerSpec, Shard, ShardConfig,
    Target, TrackKey, TrackSpec, Transport, Wish,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::channel::{ChannelConfig, ChannelId, Reliability};
use str0m::format::{Codec, FormatParams};
use str0m::media::{Direction, Frequency, MediaKind, Mid, Rid, Simulcast, SimulcastLayer};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{ExtensionValues, RtpWrite};
use str0m::{Candidate, Event as RtcEvent, Input, Output, Rtc, RtcConfig};

const TICK: Duration = Duration::from_millis(5);
const RIDS: [&str; 3] = ["q", "h", "f"];
const SIZES: [(u32, u32); 3] = [(320, 180), (640, 360), (1280, 720)];

pub struct VideoTile(pub u32, pub u32);

/// What somebody's client is like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Browser {
    /// Knows no RED.
    Plain,
    /// Sends and takes RED.
    Chrome,
    /// Numbers its payload types otherwise, gives its tracks ids of its own, knows no RED, and needs a server with full ICE.
    Firefox,
    /// Sends H.264, knows no RED.
    Safari,
}

/// A packet as a subscriber got it.
#[derive(Clone, Copy, Debug)]
pub struct Got {
    pub seq: u64,
    pub ts: u32,
    /// Which layer its publisher had sent it on, by a mark in the payload.
    pub layer: u8,
    /// How long after its publisher sent it.
    pub late: Duration,
    pub bytes: usize,
    pub payload_type: u8,
}

/// An offer for a subscriber peer, as a client reads it.
#[derive(Debug)]
pub struct SubscriberOffer {
    /// Its lines for media.
    pub lines: Vec<OfferedLine>,
    /// What it is said to carry, by mid.
    pub tracks: BTreeMap<String, TrackKey>,
}

#[derive(Debug)]
pub struct OfferedLine {
    pub kind: Kind,
    pub mid: String,
    /// `sendonly`, `inactive`.
    pub direction: &'static str,
    /// Every `msid` that it names, of the line and of its sources.
    pub msids: Vec<String>,
    pub sdp: String,
}

pub struct Class {
    pub shard: Shard,
    pub events: Vec<Event>,
    /// Events taken from the shard before their time.
    told: VecDeque<Event>,
    now: Instant,
    began: Instant,
    server: SocketAddr,
    people: BTreeMap<ConnKey, Person>,
    in_flight: VecDeque<(SocketAddr, SocketAddr, Vec<u8>)>,
    /// Downlinks with a rate, by the client's machine.
    narrow: BTreeMap<std::net::IpAddr, Narrow>,
    /// Whose signalling is lost: offers do not reach them.
    unreachable: BTreeSet<ConnKey>,
    /// Offers reach them, and their answers are lost.
    unheard: BTreeSet<ConnKey>,
    loss_percent: u64,
    random: u64,
    next_track: u64,
    matched: BTreeMap<TrackKey, String>,
}

struct Person {
    browser: Browser,
    publisher: Rtc,
    publisher_address: SocketAddr,
    subscriber: Rtc,
    subscriber_address: SocketAddr,
    offers: u32,
    /// The last offer to the subscriber that they took, and their answer.
    took: (String, String),
    pending: Option<SdpPendingOffer>,
    channels: Vec<(Lane, ChannelId)>,
    sends: Vec<Sends>,
    /// By subscribed m-line.
    tracks: BTreeMap<String, TrackKey>,
    got: BTreeMap<TrackKey, Vec<Got>>,
    got_by_line: BTreeMap<String, Vec<Got>>,
    labels: BTreeMap<usize, String>,
    heard: Vec<(String, Vec<u8>)>,
}

/// A link that carries so many bits a second and keeps at most 300 ms of them waiting.
struct Narrow {
    bps: u64,
    free_at: Instant,
    waiting: VecDeque<(Instant, SocketAddr, SocketAddr, Vec<u8>)>,
}

const QUEUE_MAX: Duration = Duration::from_millis(300);

/// What one person's camera or microphone produces.
struct Sends {
    track: TrackKey,
    mid: Mid,
    kind: Kind,
    every: Duration,
    next: Instant,
    seq: u64,
    keyframe: [bool; 3],
    /// Which of its layers it sends.
    layers: Range<usize>,
}

impl Class {
    pub fn begins() -> Self {
        let now = Instant::now();
        let server: SocketAddr = "10.0.0.1:7882".parse().expect("an address");
        let config = ShardConfig {
            addresses: Addresses { udp: vec![server], tcp: vec![] },
            certificate: Certificate::generate().expect("a certificate"),
        };
        Self {
            shard: Shard::new(config),
            events: vec![],
            told: VecDeque::new(),
            now,
            began: now,
            server,
            people: BTreeMap::new(),
            in_flight: VecDeque::new(),
            narrow: BTreeMap::new(),
            unreachable: BTreeSet::new(),
            unheard: BTreeSet::new(),
            loss_percent: 0,
            random: 7,
            next_track: 0,
            matched: BTreeMap::new(),
        }
    }

    pub fn joins(&mut self, name: &str) -> ConnKey {
        self.joins_with(name, Browser::Plain)
    }

    pub fn joins_with(&mut self, _name: &str, browser: Browser) -> ConnKey {
        let number = self.people.len() as u64 + 1;
        let key = ConnKey(number);
        let address = |port: u16| SocketAddr::from(([10, 0, 1, number as u8], port));
        let (publisher_address, subscriber_address) = (address(1000), address(2000));
        let mut publisher = client(self.now, publisher_address, browser);
        let mut changes = publisher.sdp_api();
        let reliable = changes.add_channel("_reliable".into());
        let lossy = changes.add_channel_with_config(ChannelConfig {
            label: "_lossy".into(),
            ordered: false,
            reliability: Reliability::MaxRetransmits { retransmits: 0 },
            ..Default::default()
        });
        let (offer, pending) = changes.apply().expect("an offer");
        let offer = dressed(browser, &offer.to_sdp_string());
        let person = Person {
            browser,
            publisher,
            publisher_address,
            subscriber: client(self.now, subscriber_address, browser),
            subscriber_address,
            offers: 1,
            took: Default::default(),
            pending: Some(pending),
            channels: vec![(Lane::Reliable, reliable), (Lane::Lossy, lossy)],
            sends: vec![],
            tracks: BTreeMap::new(),
            got: BTreeMap::new(),
            got_by_line: BTreeMap::new(),
            labels: BTreeMap::new(),
            heard: vec![],
        };
        self.people.insert(key, person);
        self.commands([
            Command::Open { conn: key, group: GroupKey(1), full_ice: browser == Browser::Firefox },
            Command::PublisherOffer { conn: key, offer_id: 1, sdp: offer },
        ]);
        if browser == Browser::Firefox {
            // Its other candidate is learnt from its checks.
            let candidate = Candidate::host(publisher_address, "udp").expect("a candidate").to_sdp_string();
            self.commands([Command::RemoteCandidate { conn: key, target: Target::Publisher, candidate }]);
        }
        self.runs(Duration::from_millis(500));
        key
    }

    pub fn publishes_audio(&mut self, who: ConnKey) -> TrackKey {
        self.publishes(who, Kind::Audio, Announced::Before)
    }

    pub fn publishes_camera(&mut self, who: ConnKey) -> TrackKey {
        self.publishes(who, Kind::Video, Announced::Before)
    }

    pub fn publishes_late(&mut self, who: ConnKey, kind: Kind, _why: &str) -> TrackKey {
        self.publishes(who, kind, Announced::After)
    }

    pub fn publishes_renamed(&mut self, who: ConnKey, kind: Kind) -> TrackKey {
        self.publishes(who, kind, Announced::UnderAnotherId)
    }

    pub fn publishes_muted_audio(&mut self, who: ConnKey) -> TrackKey {
        self.publishes_as(who, Kind::Audio, Announced::Before, |spec| spec.muted = true)
    }

    pub fn publishes_music(&mut self, who: ConnKey) -> TrackKey {
        self.publishes_as(who, Kind::Audio, Announced::Before, |spec| spec.stereo = true)
    }

    fn publishes(&mut self, who: ConnKey, kind: Kind, announced: Announced) -> TrackKey {
        self.publishes_as(who, kind, announced, |_| {})
    }

    fn publishes_as(
        &mut self,
        who: ConnKey,
        kind: Kind,
        announced: Announced,
        adjust: impl FnOnce(&mut TrackSpec),
    ) -> TrackKey {
        self.next_track += 1;
        let key = TrackKey(self.next_track);
        let id = format!("track-{}", self.next_track);
        let mut spec = TrackSpec {
            key,
            cids: vec![if announced == Announced::UnderAnotherId { "other".to_owned() } else { id.clone() }],
            kind,
            codec: None,
            layers: SIZES.map(|(width, height)| LayerSpec { width, height }).to_vec(),
            muted: false,
            stereo: false,
            dtx: true,
            red: true,
        };
        adjust(&mut spec);
        let now = self.now;
        let person = self.people.get_mut(&who).expect("somebody");
        let mut changes = person.publisher.sdp_api();
        let (media, simulcast, every) = match kind {
            Kind::Audio => (MediaKind::Audio, None, Duration::from_millis(20)),
            Kind::Video => {
                let mut simulcast = Simulcast::new();
                RIDS.iter().for_each(|rid| simulcast.add_send_layer(SimulcastLayer::new(rid)));
                (MediaKind::Video, Some(simulcast), Duration::from_millis(33))
            }
        };
        let mid = changes.add_media(media, Direction::SendOnly, Some("stream".into()), Some(id), simulcast);
        let (offer, pending) = changes.apply().expect("an offer");
        person.pending = Some(pending);
        person.offers += 1;
        let offer_id = person.offers;
        person.sends.push(Sends {
            track: key,
            mid,
            kind,
            every,
            next: now,
            seq: 60_000,
            keyframe: [true; 3],
            layers: 0..RIDS.len(),
        });
        let expect = Command::ExpectTrack { conn: who, spec };
        let sdp = dressed(person.browser, &offer.to_sdp_string());
        let offer = Command::PublisherOffer { conn: who, offer_id, sdp };
        match announced {
            Announced::After => self.commands([offer, expect]),
            _ => self.commands([expect, offer]),
        }
        self.runs(Duration::from_millis(100));
        key
    }

    pub fn unpublishes(&mut self, who: ConnKey, track: TrackKey) {
        let person = self.people.get_mut(&who).expect("somebody");
        let at = person.sends.iter().position(|sends| sends.track == track).expect("published");
        let mid = person.sends.remove(at).mid;
        let mut changes = person.publisher.sdp_api();
        changes.stop_media(mid);
        let (offer, pending) = changes.apply().expect("an offer");
        person.pending = Some(pending);
        person.offers += 1;
        let offer_id = person.offers;
        self.commands([Command::PublisherOffer { conn: who, offer_id, sdp: offer.to_sdp_string() }]);
    }

    pub fn subscribes(&mut self, who: ConnKey, track: TrackKey) {
        let id = format!("TR_{}", track.0);
        self.commands([Command::Subscribe {
            conn: who,
            track,
            stream_id: format!("PA_x|{id}"),
            track_id: id,
            wish: Wish::default(),
        }]);
    }

    pub fn unsubscribes(&mut self, who: ConnKey, track: TrackKey) {
        self.commands([Command::Unsubscribe { conn: who, track }]);
    }

    pub fn resizes(&mut self, who: ConnKey, track: TrackKey, tile: VideoTile) {
        let wish = Wish { width: tile.0, height: tile.1, ..Wish::default() };
        self.commands([Command::SetWish { conn: who, track, wish }]);
    }

    /// From here on a camera sends only some of its layers, as browsers do on a weak machine.
    pub fn sends_layers(&mut self, who: ConnKey, track: TrackKey, layers: Range<usize>) {
        let person = self.people.get_mut(&who).expect("somebody");
        let sends = person.sends.iter_mut().find(|sends| sends.track == track).expect("published");
        sends.layers = layers;
    }

    pub fn mutes(&mut self, track: TrackKey, muted: bool) {
        self.commands([Command::MuteTrack { track, muted }]);
    }

    pub fn leaves(&mut self, who: ConnKey) {
        self.people.remove(&who);
        self.commands([Command::Close { conn: who }]);
    }

    /// New addresses; nothing comes through until ICE has been restarted.
    pub fn moves_to_another_network(&mut self, who: ConnKey) {
        let person = self.people.get_mut(&who).expect("somebody");
        for (rtc, address) in [
            (&mut person.publisher, &mut person.publisher_address),
            (&mut person.subscriber, &mut person.subscriber_address),
        ] {
            let old = Candidate::host(*address, "udp").expect("a candidate");
            rtc.direct_api().invalidate_candidate(&old);
            address.set_port(address.port() + 1);
            rtc.add_local_candidate(Candidate::host(*address, "udp").expect("a candidate"));
        }
    }

    /// Offers do not reach somebody until they resume.
    pub fn loses_signalling(&mut self, who: ConnKey) {
        self.unreachable.insert(who);
    }

    /// Half of a resume: an offer on its way is lost with the network.
    pub fn restarts_ice_of_subscriber(&mut self, who: ConnKey) {
        let lost = |event: &Event| matches!(event, Event::SubscriberOffer { conn, .. } if *conn == who);
        let told: Vec<Event> = std::iter::from_fn(|| self.shard.poll_event()).collect();
        self.told.extend(told.into_iter().filter(|event| !lost(event)));
        self.told.retain(|event| !lost(event));
        self.unheard.remove(&who);
        let (offer, answer) = self.people[&who].took.clone();
        self.commands([Command::RestartIce { conn: who }, Command::SyncOffer { conn: who, offer, answer }]);
    }

    /// Offers reach somebody, and their answers do not arrive until they resume.
    pub fn loses_answers(&mut self, who: ConnKey) {
        self.unheard.insert(who);
    }

    /// What a LiveKit client and its server do when it resumes.
    pub fn restarts_ice(&mut self, who: ConnKey) {
        self.unreachable.remove(&who);
        self.unheard.remove(&who);
        let person = self.people.get_mut(&who).expect("somebody");
        let mut changes = person.publisher.sdp_api();
        changes.ice_restart(true);
        let (offer, pending) = changes.apply().expect("an offer");
        person.pending = Some(pending);
        person.offers += 1;
        let offer_id = person.offers;
        let (taken, answer) = person.took.clone();
        self.commands([
            Command::RestartIce { conn: who },
            Command::SyncOffer { conn: who, offer: taken, answer },
            Command::PublisherOffer { conn: who, offer_id, sdp: offer.to_sdp_string() },
        ]);
    }

    /// A resume in which the client says what it has while the offer that restarts ICE is already on its way to it.
    pub fn restarts_ice_before_it_says_what_it_has(&mut self, who: ConnKey) {
        self.commands([Command::RestartIce { conn: who }]);
        let (offer, answer) = self.people[&who].took.clone();
        self.commands([Command::SyncOffer { conn: who, offer, answer }]);
    }

    /// From here on somebody's downlink carries only this much.
    pub fn narrows(&mut self, who: ConnKey, bps: u64) {
        let address = self.people[&who].subscriber_address.ip();
        let now = self.now;
        self.narrow.entry(address).or_insert(Narrow { bps, free_at: now, waiting: VecDeque::new() }).bps = bps;
    }

    pub fn loses_percent(&mut self, percent: u64) {
        self.loss_percent = percent;
    }

    pub fn says(&mut self, who: ConnKey, lane: Lane, message: &[u8]) {
        let person = self.people.get_mut(&who).expect("somebody");
        let id = person.channels.iter().find(|(known, _)| *known == lane).expect("a channel").1;
        let mut channel = person.publisher.channel(id).expect("an open channel");
        assert!(channel.write(true, message).expect("written"));
    }

    pub fn tells(&mut self, who: ConnKey, lane: Lane, message: &[u8]) {
        self.commands([Command::SendData { to: vec![who], lane, bytes: Arc::from(message) }]);
    }

    pub fn heard(&self, who: ConnKey, label: &str) -> Vec<Vec<u8>> {
        let heard = &self.people[&who].heard;
        heard.iter().filter(|(known, _)| known == label).map(|(_, message)| message.clone()).collect()
    }

    pub fn offers_raw(&mut self, who: ConnKey, sdp: &str) {
        self.commands([Command::PublisherOffer { conn: who, offer_id: 99, sdp: sdp.to_owned() }]);
    }

    pub fn stranger_sends(&mut self, bytes: &[u8]) {
        let source = SocketAddr::from(([192, 0, 2, 66], 666));
        self.shard
            .handle_datagram(self.now, Datagram { transport: Transport::Udp, source, local_ip: None, contents: bytes });
    }

    pub fn received(&self, who: ConnKey, track: TrackKey) -> Vec<Got> {
        self.people[&who].got.get(&track).cloned().unwrap_or_default()
    }

    pub fn layer_seen(&self, who: ConnKey, track: TrackKey) -> Option<u8> {
        self.received(who, track).last().map(|got| got.layer)
    }

    /// How many sequence numbers between the first and the last never came.
    pub fn missing(&self, who: ConnKey, track: TrackKey) -> usize {
        let mut seqs: Vec<u64> = self.received(who, track).iter().map(|got| got.seq).collect();
        seqs.sort_unstable();
        seqs.dedup();
        match (seqs.first(), seqs.last()) {
            (Some(first), Some(last)) => (last - first + 1) as usize - seqs.len(),
            _ => 0,
        }
    }

    pub fn asserts_seamless(&self, who: ConnKey, track: TrackKey) {
        let got = self.received(who, track);
        assert!(got.first().is_some_and(|first| first.seq < 65_536), "the rollover counter must be 0");
        for pair in got.windows(2) {
            assert_eq!(pair[1].seq, pair[0].seq + 1, "{pair:?}");
            let step = pair[1].ts.wrapping_sub(pair[0].ts);
            assert!(step > 0 && step < 90_000 * 5, "{pair:?}");
        }
    }

    pub fn is_paused(&self, who: ConnKey, track: TrackKey) -> bool {
        let told = self.events.iter().rev().find_map(|event| match event {
            Event::StreamPaused { conn, track: of, paused } if (*conn, *of) == (who, track) => Some(*paused),
            _ => None,
        });
        told.unwrap_or(false)
    }

    pub fn layers_wanted(&self, track: TrackKey) -> Option<Option<u8>> {
        self.events.iter().rev().find_map(|event| match event {
            Event::LayersWanted { track: of, max_layer, .. } if *of == track => Some(*max_layer),
            _ => None,
        })
    }

    pub fn is_matched(&self, track: TrackKey) -> bool {
        self.matched.contains_key(&track)
    }

    /// How many media lines somebody's subscriber connection has had to carry.
    pub fn lines_of(&self, who: ConnKey) -> usize {
        let offers = self.events.iter().rev().find_map(|event| match event {
            Event::SubscriberOffer { conn, sdp, .. } if *conn == who => Some(sdp.matches("\r\nm=").count()),
            _ => None,
        });
        offers.unwrap_or(0)
    }

    /// All offers that somebody's subscriber connection has had, oldest first.
    pub fn offers_to(&self, who: ConnKey) -> Vec<SubscriberOffer> {
        let offers = self.events.iter().filter_map(|event| match event {
            Event::SubscriberOffer { conn, sdp, mids, .. } if *conn == who => {
                Some(SubscriberOffer { lines: lines_of(sdp), tracks: mids.iter().cloned().collect() })
            }
            _ => None,
        });
        offers.collect()
    }

    /// What came on each line, whatever tracks it carried one after the other: one stream that goes on.
    pub fn asserts_lines_go_on(&self, who: ConnKey) {
        for (line, got) in &self.people[&who].got_by_line {
            for pair in got.windows(2) {
                assert!(pair[1].seq > pair[0].seq && pair[1].seq < pair[0].seq + 50, "line {line}: {pair:?}");
                assert!(pair[1].ts.wrapping_sub(pair[0].ts) < 90_000 * 60, "line {line}: {pair:?}");
            }
        }
    }

    fn commands(&mut self, commands: impl IntoIterator<Item = Command>) {
        for command in commands {
            self.shard.handle_command(self.now, command);
        }
        self.shard.handle_timeout(self.now);
    }

    pub fn runs(&mut self, how_long: Duration) {
        let until = self.now + how_long;
        while self.now < until {
            self.now += TICK;
            self.people_send();
            self.network_delivers();
            self.shard.handle_timeout(self.now);
            while let Some(transmit) = self.shard.poll_transmit() {
                let packet = (self.server, transmit.destination, transmit.contents);
                match self.narrow.get_mut(&transmit.destination.ip()) {
                    Some(link) => link.takes(self.now, packet),
                    None => self.in_flight.push_back(packet),
                }
            }
            for link in self.narrow.values_mut() {
                while link.waiting.front().is_some_and(|(at, ..)| *at <= self.now) {
                    if let Some((_, source, destination, contents)) = link.waiting.pop_front() {
                        self.in_flight.push_back((source, destination, contents));
                    }
                }
            }
            self.people_answer();
        }
    }

    fn people_send(&mut self) {
        for person in self.people.values_mut() {
            for sends in &mut person.sends {
                while sends.next <= self.now {
                    sends.next += sends.every;
                    sends.seq += 1;
                    sends.send(&mut person.publisher, self.began, self.now);
                }
            }
        }
        let keys: Vec<ConnKey> = self.people.keys().copied().collect();
        for key in keys {
            self.drain(key);
        }
    }

    fn network_delivers(&mut self) {
        for (source, destination, contents) in std::mem::take(&mut self.in_flight) {
            self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            if (self.random >> 33) % 100 < self.loss_percent {
                continue;
            }
            if destination == self.server {
                self.shard.handle_datagram(
                    self.now,
                    Datagram { transport: Transport::Udp, source, local_ip: None, contents: &contents },
                );
                continue;
            }
            for person in self.people.values_mut() {
                let rtc = if person.publisher_address == destination {
                    &mut person.publisher
                } else if person.subscriber_address == destination {
                    &mut person.subscriber
                } else {
                    continue;
                };
                let contents = contents.as_slice().try_into().expect("a datagram");
                let receive = Receive { proto: Protocol::Udp, source, destination, contents };
                rtc.handle_input(Input::Receive(self.now, receive)).expect("input");
            }
            let keys: Vec<ConnKey> = self.people.keys().copied().collect();
            for key in keys {
                self.drain(key);
            }
        }
    }

    /// Takes everything out of one person's peers.
    fn drain(&mut self, key: ConnKey) {
        let person = self.people.get_mut(&key).expect("somebody");
        for (rtc, address, is_subscriber) in [
            (&mut person.publisher, person.publisher_address, false),
            (&mut person.subscriber, person.subscriber_address, true),
        ] {
            rtc.handle_input(Input::Timeout(self.now)).expect("a timeout");
            loop {
                match rtc.poll_output().expect("output") {
                    Output::Timeout(_) => break,
                    Output::Transmit(transmit) => {
                        self.in_flight.push_back((address, transmit.destination, transmit.contents.to_vec()));
                    }
                    Output::Event(RtcEvent::RtpPacket(packet)) if is_subscriber => {
                        let stream = rtc.direct_api().stream_rx(&packet.header.ssrc).expect("a stream").mid();
                        if let Some(track) = person.tracks.get(&stream.to_string()) {
                            let layer = packet.payload.last().copied().unwrap_or(9);
                            let late = self.now.saturating_duration_since(sent_at(self.began, &packet.payload));
                            let bytes = packet.payload.len();
                            let payload_type = *packet.header.payload_type;
                            let (seq, ts) = (*packet.seq_no, packet.header.timestamp);
                            let got = Got { seq, ts, layer, late, bytes, payload_type };
                            person.got.entry(*track).or_default().push(got);
                            person.got_by_line.entry(stream.to_string()).or_default().push(got);
                        }
                    }
                    Output::Event(RtcEvent::KeyframeRequest(request)) if !is_subscriber => {
                        let layer =
                            request.rid.and_then(|rid| RIDS.iter().position(|known| *known == &*rid)).unwrap_or(0);
                        if let Some(sends) = person.sends.iter_mut().find(|sends| sends.mid == request.mid) {
                            sends.keyframe[layer] = true;
                        }
                    }
                    Output::Event(RtcEvent::ChannelOpen(id, label)) if is_subscriber => {
                        person.labels.insert(format!("{id:?}").len() + label.len() * 100, label.clone());
                        person.channels.push((if label == "_lossy" { Lane::Lossy } else { Lane::Reliable }, id));
                    }
                    Output::Event(RtcEvent::ChannelData(data)) if is_subscriber => {
                        let config = rtc.channel(data.id).and_then(|channel| channel.config().cloned());
                        person.heard.push((config.expect("a label").label, data.data));
                    }
                    Output::Event(_) => {}
                }
            }
        }
    }

    /// The signalling that a LiveKit client would do.
    fn people_answer(&mut self) {
        while let Some(event) = self.told.pop_front().or_else(|| self.shard.poll_event()) {
            match &event {
                Event::PublisherAnswer { conn, sdp, .. } => {
                    let person = self.people.get_mut(conn).expect("somebody");
                    let answer = SdpAnswer::from_sdp_string(sdp).expect("an answer");
                    if let Some(pending) = person.pending.take() {
                        person.publisher.sdp_api().accept_answer(pending, answer).expect("accepted");
                    }
                }
                Event::SubscriberOffer { conn, .. } if self.unreachable.contains(conn) => {}
                Event::SubscriberOffer { conn, offer_id, sdp, mids, .. } => {
                    let person = self.people.get_mut(conn).expect("somebody");
                    let offer = SdpOffer::from_sdp_string(sdp).expect("an offer");
                    let answer = person.subscriber.sdp_api().accept_offer(offer).expect("accepted");
                    person.tracks = mids.iter().cloned().collect();
                    let answer = dressed(person.browser, &takes_stereo(sdp, &answer.to_sdp_string()));
                    person.took = (sdp.clone(), answer.clone());
                    let (conn, offer_id, sdp) = (*conn, *offer_id, answer);
                    if self.unheard.contains(&conn) {
                        self.events.push(event);
                        continue;
                    }
                    self.shard.handle_command(self.now, Command::SubscriberAnswer { conn, offer_id, sdp });
                }
                Event::TrackMatched { track, mid, .. } => {
                    self.matched.insert(*track, mid.clone());
                }
                _ => {}
            }
            self.events.push(event);
        }
    }
}

impl Narrow {
    fn takes(&mut self, now: Instant, (source, destination, contents): (SocketAddr, SocketAddr, Vec<u8>)) {
        const HEADERS_BYTES: u64 = 28;
        let begins = self.free_at.max(now);
        if begins > now + QUEUE_MAX {
            return;
        }
        let bits = (contents.len() as u64 + HEADERS_BYTES) * 8;
        self.free_at = begins + Duration::from_micros(bits * 1_000_000 / self.bps);
        self.waiting.push_back((self.free_at, source, destination, contents));
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Announced {
    Before,
    After,
    UnderAnotherId,
}

impl Sends {
    fn send(&mut self, rtc: &mut Rtc, began: Instant, now: Instant) {
        let layers: Vec<(usize, Option<Rid>)> = match self.kind {
            Kind::Audio => vec![(0, None)],
            Kind::Video => RIDS
                .iter()
                .enumerate()
                .filter(|(layer, _)| self.layers.contains(layer))
                .map(|(layer, rid)| (layer, Some(Rid::from(*rid))))
                .collect(),
        };
        for (layer, rid) in layers {
            // The first of its own codecs that the answer has.
            let agreed = rtc.media(self.mid).map(|media| media.remote_pts().to_vec()).unwrap_or_default();
            let own = rtc.codec_config().params().iter().find(|params| agreed.contains(&params.pt())).copied();
            let Some(params) = own else { return };
            let clock = if self.kind == Kind::Audio { 960 } else { 2_970 };
            let ts = (self.seq as u32).wrapping_mul(clock).wrapping_add(layer as u32 * 1_000_000_007);
            let stamp = ((now - began).as_millis() as u64).to_be_bytes();
            let payload = match self.kind {
                Kind::Audio => [&[1; 51][..], &stamp, &[0]].concat(),
                Kind::Video if params.spec().codec == Codec::H264 => {
                    h264(std::mem::take(&mut self.keyframe[layer]), layer as u8, stamp)
                }
                Kind::Video => vp8(self.seq as u16, std::mem::take(&mut self.keyframe[layer]), layer as u8, stamp),
            };
            let (pt, payload) = match params.red() {
                // One earlier frame of two bytes, then the frame itself.
                Some(red) => (red, [&[0x80 | 111, 0, 0, 2, 111, 7, 7][..], &payload].concat()),
                None => (params.pt(), payload),
            };
            let mut direct = rtc.direct_api();
            let Some(stream) = direct.stream_tx_by_mid(self.mid, rid) else { return };
            let levels = ExtensionValues { audio_level: Some(-20), voice_activity: Some(true), ..Default::default() };
            let write = RtpWrite::new(pt, self.seq.into(), ts, now, payload)
                .marker(true)
                .nackable(self.kind == Kind::Video)
                .ext_vals(levels);
            stream.write_rtp(write);
            rtc.handle_input(Input::Timeout(now)).expect("a timeout");
        }
    }
}

/// Where an offer says that Opus is stereo, LiveKit's JS SDK asks for stereo in its answer.
fn takes_stereo(offer: &str, answer: &str) -> String {
    let said: Vec<String> =
        lines_of(offer).into_iter().filter(|line| line.sdp.contains("sprop-stereo=1")).map(|line| line.mid).collect();
    let sections = answer.split("\r\nm=").map(|section| {
        let stereo = said.iter().any(|mid| section.contains(&format!("a=mid:{mid}\r\n")));
        if stereo { section.replace("useinbandfec=1", "useinbandfec=1;stereo=1") } else { section.to_owned() }
    });
    sections.collect::<Vec<_>>().join("\r\nm=")
}

fn lines_of(sdp: &str) -> Vec<OfferedLine> {
    let sections = sdp.split("\r\nm=").skip(1).filter(|section| !section.starts_with("application"));
    let line = |section: &str| {
        let value =
            |prefix: &str| section.lines().filter_map(|line| line.strip_prefix(prefix).map(str::to_owned)).collect();
        let msids: Vec<String> = value("a=msid:");
        let of_sources: Vec<String> = value("a=ssrc:");
        let of_sources =
            of_sources.iter().filter_map(|source| source.split_once(" msid:")).map(|(_, msid)| msid.to_owned());
        let directions: Vec<_> = ["sendonly", "inactive", "recvonly", "sendrecv"]
            .into_iter()
            .filter(|known| section.contains(&format!("a={known}\r\n")))
            .collect();
        OfferedLine {
            kind: if section.starts_with("audio") { Kind::Audio } else { Kind::Video },
            mid: value("a=mid:").concat(),
            direction: directions.first().expect("a direction"),
            msids: msids.into_iter().chain(of_sources).collect(),
            sdp: section.to_owned(),
        }
    };
    sections.map(line).collect()
}

/// When a payload was made.
fn sent_at(began: Instant, payload: &[u8]) -> Instant {
    let stamp = payload.len().checked_sub(9).map(|at| &payload[at..at + 8]);
    let stamp = stamp.and_then(|stamp| stamp.try_into().ok()).map_or(0, u64::from_be_bytes);
    began + Duration::from_millis(stamp)
}

/// A VP8 payload of one packet, with the time it was made and the layer at its end; larger for higher layers: about 75, 150 and
/// 300 kb/s.
fn vp8(picture_id: u16, keyframe: bool, layer: u8, stamp: [u8; 8]) -> Vec<u8> {
    let [high, low] = (picture_id & 0x7fff).to_be_bytes();
    let mut payload = vec![0x90, 0x80, 0x80 | high, low, u8::from(!keyframe)];
    payload.resize(250 << layer, 0x55);
    payload.extend(stamp);
    payload.push(layer);
    payload
}

/// The same for H.264: a sequence parameter set where a key frame begins, otherwise a slice.
fn h264(keyframe: bool, layer: u8, stamp: [u8; 8]) -> Vec<u8> {
    let mut payload = vec![if keyframe { 0x67 } else { 0x41 }];
    payload.resize(250 << layer, 0x55);
    payload.extend(stamp);
    payload.push(layer);
    payload
}

fn client(now: Instant, address: SocketAddr, browser: Browser) -> Rtc {
    let provider = str0m::crypto::from_feature_flags();
    let mut config = RtcConfig::new().set_rtp_mode(true).set_crypto_provider(Arc::new(provider));
    if browser == Browser::Plain || browser == Browser::Chrome {
        config = config.enable_opus(true, browser == Browser::Chrome);
    } else {
        let stereo = FormatParams { use_inband_fec: Some(true), ..Default::default() };
        config = config.clear_codecs();
        let codecs = config.codec_config();
        let (opus, vp8, vp8_rtx) = if browser == Browser::Firefox { (109, 120, 124) } else { (111, 100, 101) };
        codecs.add_config(opus.into(), None, Codec::Opus, Frequency::FORTY_EIGHT_KHZ, Some(2), stereo);
        if browser == Browser::Safari {
            codecs.add_h264(96.into(), Some(97.into()), true, 0x640c1f);
            codecs.add_h264(98.into(), Some(99.into()), true, 0x42e01f);
        }
        codecs.add_config(
            vp8.into(),
            Some(vp8_rtx.into()),
            Codec::Vp8,
            Frequency::NINETY_KHZ,
            None,
            Default::default(),
        );
        if browser == Browser::Firefox {
            codecs.add_h264(126.into(), Some(127.into()), true, 0x42e01f);
            codecs.add_h264(97.into(), Some(98.into()), false, 0x42e01f);
        }
    }
    let mut rtc = config.build(now);
    rtc.add_local_candidate(Candidate::host(address, "udp").expect("a candidate"));
    rtc
}
