//! The shard: everything that one core carries. It owns its connections, their peers and tracks, and works in ticks: commands
//! and datagrams go in one by one, then [`Shard::handle_timeout`] fires timers, flushes every peer that was touched, and makes
//! the offers that are owed. Nothing is scanned per packet.

use crate::allocator::{Demand, Grant};
use crate::api::{Command, ConnKey, Event, GroupKey, Kind, Lane, Refusal, Target, TrackKey};
use crate::conn::{Conn, Matched, Owed, Subscription};
use crate::demux::{PeerId, is_stun, stun_ufrag, ufrag};
use crate::forwarder::Verdict;
use crate::peer::{Addresses, Certificate, Datagram, Incoming, Mid, Network, PeerEvent, Transmit, Transport};
use crate::speakers::Speakers;
use crate::track::Track;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How often what is not urgent is looked after: layer choices, postponed key frames, late answers.
const HOUSEKEEPING: Duration = Duration::from_millis(100);
/// How often the caller is told how a peer's network does.
const TELL_NETWORK_EVERY: Duration = Duration::from_secs(5);
/// Reserved for every microphone that is not muted, whether it speaks or not: Opus with its headers.
const AUDIO_RESERVE_BPS: u64 = 48_000;

/// What a shard is made with.
#[derive(Clone, Debug)]
pub struct ShardConfig {
    /// Where clients reach it.
    pub addresses: Addresses,
    /// The DTLS certificate of all peers.
    pub certificate: Certificate,
}

/// Counters since the start, and how much there is now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Datagrams received.
    pub datagrams_in: u64,
    /// Datagrams that belong to no peer.
    pub datagrams_unknown: u64,
    /// Datagrams sent.
    pub datagrams_out: u64,
    /// Bytes received in datagrams.
    pub bytes_in: u64,
    /// Bytes sent in datagrams.
    pub bytes_out: u64,
    /// RTP packets from publishers.
    pub packets_in: u64,
    /// RTP packets forwarded, counted per subscriber.
    pub packets_forwarded: u64,
    /// Key frame requests sent to publishers.
    pub keyframe_requests: u64,
    /// Data messages received.
    pub messages_in: u64,
    /// Data messages handed to receivers.
    pub messages_out: u64,
    /// Reliable data messages dropped since a receiver was too slow.
    pub messages_dropped: u64,
    /// Session descriptions and candidates refused.
    pub refused: u64,
    /// Connections now.
    pub connections: u64,
    /// Published tracks now.
    pub tracks: u64,
    /// Subscriptions now.
    pub subscriptions: u64,
    /// Remote addresses known now.
    pub addresses: u64,
    /// Timers set now.
    pub timers: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Shard {
    config: ShardConfig,
    conns: BTreeMap<ConnKey, Conn>,
    tracks: BTreeMap<TrackKey, Track>,
    groups: BTreeMap<GroupKey, Group>,
    by_address: HashMap<(Transport, SocketAddr), PeerId>,
    /// ICE user name fragments that our own scheme cannot read: those of restarted ICE.
    restarted: HashMap<String, PeerId>,
    timers: BTreeSet<(Instant, PeerId)>,
    dirty: Vec<PeerId>,
    /// Connections that may be owed an offer.
    renegotiate: BTreeSet<ConnKey>,
    /// Connections whose next offer keeps a distance from the last.
    offers_later: BTreeSet<(Instant, ConnKey)>,
    next_housekeeping: Option<Instant>,
    transmits: Vec<Transmit>,
    transmits_sent: usize,
    events: VecDeque<Event>,
    stats: Stats,
}

#[derive(Debug, Default)]
struct Group {
    members: usize,
    speakers: Speakers,
}

impl Shard {
    /// An empty shard.
    pub fn new(config: ShardConfig) -> Self {
        Self {
            config,
            conns: BTreeMap::new(),
            tracks: BTreeMap::new(),
            groups: BTreeMap::new(),
            by_address: HashMap::new(),
            restarted: HashMap::new(),
            timers: BTreeSet::new(),
            dirty: Vec::new(),
            renegotiate: BTreeSet::new(),
            offers_later: BTreeSet::new(),
            next_housekeeping: None,
            transmits: Vec::new(),
            transmits_sent: 0,
            events: VecDeque::new(),
            stats: Stats::default(),
        }
    }

    /// Does what it is told. Effects on the wire come with the next [`Shard::handle_timeout`].
    pub fn handle_command(&mut self, now: Instant, command: Command) {
        match command {
            Command::Open { conn, group, full_ice } => self.open(now, conn, group, full_ice),
            Command::Close { conn } => self.close(conn),
            Command::PublisherOffer { conn, offer_id, sdp } => self.publisher_offer(now, conn, offer_id, &sdp),
            Command::SubscriberAnswer { conn, offer_id, sdp } => self.subscriber_answer(now, conn, offer_id, &sdp),
            Command::RestartIce { conn } => {
                if let Some(known) = self.conns.get_mut(&conn) {
                    known.restart_ice();
                    self.renegotiate.insert(conn);
                }
            }
            Command::SyncOffer { conn, offer, answer } => self.sync_offer(now, conn, &offer, &answer),
            Command::RemoteCandidate { conn, target, candidate } => self.remote_candidate(conn, target, &candidate),
            Command::ExpectTrack { conn, spec } => {
                let matched = self.conns.get_mut(&conn).and_then(|conn| conn.expect(spec));
                self.publish(conn, matched);
            }
            Command::DropTrack { track } => self.drop_track(track),
            Command::MuteTrack { track, muted } => self.mute(now, track, muted),
            Command::Subscribe { conn, track, stream_id, track_id, wish } => {
                let Some(published) = self.tracks.get_mut(&track) else { return };
                let Some(receiver) = self.conns.get_mut(&conn) else { return };
                if receiver.subscriptions.contains_key(&track) {
                    return;
                }
                published.subscribers.push(conn);
                let subscription = Subscription::new(published, stream_id, track_id, wish);
                receiver.subscriptions.insert(track, subscription);
                self.renegotiate.insert(conn);
            }
            Command::Unsubscribe { conn, track } => self.unsubscribe(conn, track),
            Command::SetWish { conn, track, wish } => {
                if let Some(subscription) = subscription(&mut self.conns, conn, track) {
                    subscription.wish = wish;
                    self.allocate(now, conn);
                    self.aim(now, conn, track);
                }
            }
            Command::SendData { to, lane, bytes } => self.send_data(&to, lane, &bytes),
            Command::Fence { group, id } => self.events.push_back(Event::Fenced { group, id }),
        }
    }

    /// Takes a datagram. What follows from it comes with the next [`Shard::handle_timeout`].
    pub fn handle_datagram(&mut self, now: Instant, datagram: Datagram<'_>) {
        self.stats.datagrams_in += 1;
        self.stats.bytes_in += datagram.contents.len() as u64;
        let Some(id) = self.peer_of(now, &datagram) else {
            self.stats.datagrams_unknown += 1;
            return;
        };
        let Some(conn) = self.conns.get_mut(&id.conn) else { return };
        conn.slot(id.target).peer.handle_datagram(now, &datagram);
        self.drain(now, id);
    }

    /// Fires what is due, flushes what was touched, makes offers. To be called after every batch of input, and at
    /// [`Shard::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((at, id)) = self.timers.first().copied()
            && at <= now
        {
            self.timers.pop_first();
            if let Some(conn) = self.conns.get_mut(&id.conn) {
                conn.slot(id.target).wake = None;
            }
            self.touch(id);
        }
        if self.next_housekeeping.is_some_and(|at| at <= now) {
            self.housekeeping(now);
        }
        self.flush(now);
        self.make_offers(now);
        self.flush(now);
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        // Drained in order without shifting; the buffer is reused once empty.
        let transmit = self.transmits.get_mut(self.transmits_sent)?;
        let placeholder = Transmit { contents: Vec::new(), ..*transmit };
        let transmit = std::mem::replace(transmit, placeholder);
        self.transmits_sent += 1;
        if self.transmits_sent == self.transmits.len() {
            self.transmits.clear();
            self.transmits_sent = 0;
        }
        self.stats.datagrams_out += 1;
        self.stats.bytes_out += transmit.contents.len() as u64;
        Some(transmit)
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`Shard::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let timer = self.timers.first().map(|(at, _)| *at);
        let offer = self.offers_later.first().map(|(at, _)| *at);
        timer.into_iter().chain(offer).chain(self.next_housekeeping).min()
    }

    /// Counters for metrics and leak tests.
    pub fn stats(&self) -> Stats {
        Stats {
            connections: self.conns.len() as u64,
            tracks: self.tracks.len() as u64,
            subscriptions: self.conns.values().map(|conn| conn.subscriptions.len() as u64).sum(),
            addresses: self.by_address.len() as u64,
            timers: self.timers.len() as u64,
            ..self.stats
        }
    }

    fn open(&mut self, now: Instant, key: ConnKey, group: GroupKey, full_ice: bool) {
        if self.conns.contains_key(&key) {
            return;
        }
        let conn = Conn::new(now, key, group, full_ice, &self.config.certificate, &self.config.addresses);
        self.conns.insert(key, conn);
        self.groups.entry(group).or_default().members += 1;
        self.renegotiate.insert(key);
        self.next_housekeeping.get_or_insert(now + HOUSEKEEPING);
    }

    fn close(&mut self, key: ConnKey) {
        let Some(mut conn) = self.conns.remove(&key) else { return };
        for track in conn.published.values().copied().collect::<Vec<_>>() {
            self.drop_track(track);
        }
        for track in conn.subscriptions.keys() {
            if let Some(track) = self.tracks.get_mut(track) {
                track.subscribers.retain(|subscriber| *subscriber != key);
            }
        }
        for target in [Target::Publisher, Target::Subscriber] {
            let slot = conn.slot(target);
            slot.peer.close();
            slot.peer.drain(&mut self.transmits, &mut Vec::new());
            for address in &slot.addresses {
                self.by_address.remove(address);
            }
            if let Some(ufrag) = &slot.restarted_ufrag {
                self.restarted.remove(ufrag);
            }
            if let Some(at) = slot.wake {
                self.timers.remove(&(at, PeerId { conn: key, target }));
            }
        }
        self.renegotiate.remove(&key);
        self.offers_later.retain(|(_, conn)| *conn != key);
        self.dirty.retain(|id| id.conn != key);
        self.hush(conn.group, key);
        if let Some(group) = self.groups.get_mut(&conn.group) {
            group.members -= 1;
            if group.members == 0 {
                self.groups.remove(&conn.group);
            }
        }
        if self.conns.is_empty() {
            self.next_housekeeping = None;
        }
    }

    fn publisher_offer(&mut self, now: Instant, key: ConnKey, offer_id: u32, sdp: &str) {
        let Some(conn) = self.conns.get_mut(&key) else { return };
        match conn.accept_offer(now, sdp) {
            Ok((answer, matched, ended)) => {
                for track in ended {
                    self.drop_track(track);
                    self.events.push_back(Event::TrackEnded { conn: key, track });
                }
                self.publish(key, matched);
                self.events.push_back(Event::PublisherAnswer { conn: key, offer_id, sdp: answer });
                self.learn_ufrag(PeerId { conn: key, target: Target::Publisher });
            }
            Err(why) => self.refuse(key, Refusal::Offer { offer_id }, why),
        }
        self.touch(PeerId { conn: key, target: Target::Publisher });
    }

    fn subscriber_answer(&mut self, now: Instant, key: ConnKey, offer_id: u32, sdp: &str) {
        let Some(conn) = self.conns.get_mut(&key) else { return };
        match conn.accept_answer(offer_id, sdp) {
            Ok(None) => {}
            Ok(Some(live)) => {
                self.allocate(now, key);
                for track in live {
                    self.aim(now, key, track);
                }
                self.renegotiate.insert(key);
                self.learn_ufrag(PeerId { conn: key, target: Target::Subscriber });
            }
            Err(why) => self.refuse(key, Refusal::Answer { offer_id }, why),
        }
        self.touch(PeerId { conn: key, target: Target::Subscriber });
    }

    fn sync_offer(&mut self, now: Instant, key: ConnKey, offer: &str, answer: &str) {
        let Some(conn) = self.conns.get_mut(&key) else { return };
        match conn.sync_offer(offer, answer) {
            Ok(live) => {
                self.allocate(now, key);
                for track in live {
                    self.aim(now, key, track);
                }
                self.learn_ufrag(PeerId { conn: key, target: Target::Subscriber });
            }
            Err(why) => self.refuse(key, Refusal::Answer { offer_id: 0 }, why),
        }
        self.renegotiate.insert(key);
        self.touch(PeerId { conn: key, target: Target::Subscriber });
    }

    /// After a negotiation: if it restarted ICE, checks will come under a new fragment.
    fn learn_ufrag(&mut self, id: PeerId) {
        let Some(conn) = self.conns.get_mut(&id.conn) else { return };
        let slot = conn.slot(id.target);
        let now = slot.peer.ufrag();
        if now == ufrag(id) || slot.restarted_ufrag.as_ref() == Some(&now) {
            return;
        }
        if let Some(before) = slot.restarted_ufrag.replace(now.clone()) {
            self.restarted.remove(&before);
        }
        self.restarted.insert(now, id);
    }

    fn remote_candidate(&mut self, key: ConnKey, target: Target, candidate: &str) {
        let Some(conn) = self.conns.get_mut(&key) else { return };
        match conn.slot(target).peer.add_remote_candidate(candidate) {
            Ok(()) => self.touch(PeerId { conn: key, target }),
            Err(why) => self.refuse(key, Refusal::Candidate, why),
        }
    }

    fn refuse(&mut self, conn: ConnKey, what: Refusal, why: String) {
        self.stats.refused += 1;
        self.events.push_back(Event::Refused { conn, what, why });
    }

    fn publish(&mut self, conn: ConnKey, matched: impl IntoIterator<Item = Matched>) {
        for Matched { spec, line } in matched {
            let wished = spec.codec.filter(|codec| line.codecs.contains(codec));
            let Some(codec) = wished.or(line.codecs.first().copied()) else { continue };
            let track = Track::new(conn, &spec, line.mid, line.rids);
            self.events.push_back(Event::TrackMatched {
                conn,
                track: spec.key,
                mid: line.mid.to_string(),
                mime_type: codec.mime_type(),
                layers: track.layers.len(),
            });
            self.tracks.insert(spec.key, track);
        }
    }

    fn drop_track(&mut self, key: TrackKey) {
        for conn in self.conns.values_mut() {
            conn.expected.retain(|spec| spec.key != key);
        }
        let Some(track) = self.tracks.remove(&key) else { return };
        if let Some(publisher) = self.conns.get_mut(&track.conn) {
            publisher.published.retain(|_, published| *published != key);
            let group = publisher.group;
            if track.kind == Kind::Audio {
                self.hush(group, track.conn);
            }
        }
        for subscriber in track.subscribers {
            if let Some(conn) = self.conns.get_mut(&subscriber)
                && conn.unsubscribe(key)
            {
                self.renegotiate.insert(subscriber);
            }
        }
    }

    fn unsubscribe(&mut self, key: ConnKey, track: TrackKey) {
        if let Some(track) = self.tracks.get_mut(&track) {
            track.subscribers.retain(|subscriber| *subscriber != key);
        }
        if let Some(conn) = self.conns.get_mut(&key)
            && conn.unsubscribe(track)
        {
            self.renegotiate.insert(key);
        }
    }

    fn mute(&mut self, now: Instant, key: TrackKey, muted: bool) {
        let Some(track) = self.tracks.get_mut(&key) else {
            let mut specs = self.conns.values_mut().flat_map(|conn| &mut conn.expected);
            if let Some(spec) = specs.find(|spec| spec.key == key) {
                spec.muted = muted;
            }
            return;
        };
        if track.muted == muted {
            return;
        }
        track.muted = muted;
        let (kind, publisher) = (track.kind, track.conn);
        for subscriber in track.subscribers.clone() {
            self.aim(now, subscriber, key);
            // It may not have a line yet.
            if kind == Kind::Audio && !muted {
                self.renegotiate.insert(subscriber);
            }
        }
        if kind == Kind::Audio
            && let Some(group) = self.conns.get(&publisher).map(|conn| conn.group)
        {
            self.hush(group, publisher);
        }
    }

    /// Somebody's voice is gone.
    fn hush(&mut self, group: GroupKey, conn: ConnKey) {
        let told = self.groups.get_mut(&group).and_then(|known| known.speakers.forget(conn));
        if let Some(level) = told {
            self.events.push_back(Event::Speakers { group, levels: vec![level] });
        }
    }

    fn send_data(&mut self, to: &[ConnKey], lane: Lane, bytes: &std::sync::Arc<[u8]>) {
        for key in to {
            let Some(conn) = self.conns.get_mut(key) else { continue };
            if conn.send_data(lane, bytes) {
                self.stats.messages_out += 1;
            } else {
                self.stats.messages_dropped += 1;
                self.events.push_back(Event::DataDropped { conn: *key, count: 1 });
            }
            self.touch(PeerId { conn: *key, target: Target::Subscriber });
        }
    }

    /// Which peer a datagram is for. An address is learnt only from an ICE check that its peer has verified.
    fn peer_of(&mut self, now: Instant, datagram: &Datagram<'_>) -> Option<PeerId> {
        let address = (datagram.transport, datagram.source);
        let known = self.by_address.get(&address).copied();
        if !is_stun(datagram.contents) {
            return known;
        }
        let Some(named) = self.peer_named_by(datagram.contents) else { return known };
        if known == Some(named) {
            return known;
        }
        let slot = self.conns.get_mut(&named.conn)?.slot(named.target);
        if !slot.peer.recognises(now, datagram) {
            return None;
        }
        let forgotten = slot.remember(datagram.transport, datagram.source);
        if let Some(forgotten) = forgotten {
            self.by_address.remove(&forgotten);
        }
        self.by_address.insert(address, named);
        Some(named)
    }

    fn peer_named_by(&self, stun: &[u8]) -> Option<PeerId> {
        let ours = stun_ufrag(stun)?;
        crate::demux::parse_ufrag(ours)
            .or_else(|| std::str::from_utf8(ours).ok().and_then(|ours| self.restarted.get(ours).copied()))
    }

    fn touch(&mut self, id: PeerId) {
        if let Some(conn) = self.conns.get_mut(&id.conn) {
            let slot = conn.slot(id.target);
            if !slot.dirty {
                slot.dirty = true;
                self.dirty.push(id);
            }
        }
    }

    /// Lets every touched peer act until none is left.
    fn flush(&mut self, now: Instant) {
        while !self.dirty.is_empty() {
            for id in std::mem::take(&mut self.dirty) {
                let Some(conn) = self.conns.get_mut(&id.conn) else { continue };
                if id.target == Target::Subscriber {
                    conn.flush_data();
                }
                let slot = conn.slot(id.target);
                slot.dirty = false;
                slot.peer.handle_timeout(now);
                self.drain(now, id);
            }
        }
    }

    /// Takes everything out of a peer and acts on it.
    fn drain(&mut self, now: Instant, id: PeerId) {
        let Some(conn) = self.conns.get_mut(&id.conn) else { return };
        let slot = conn.slot(id.target);
        let mut events = Vec::new();
        let wake = slot.peer.drain(&mut self.transmits, &mut events);
        if let Some(before) = slot.wake.take() {
            self.timers.remove(&(before, id));
        }
        slot.wake = wake;
        self.timers.extend(wake.map(|at| (at, id)));
        for event in events {
            self.handle_peer_event(now, id, event);
        }
    }

    fn handle_peer_event(&mut self, now: Instant, id: PeerId, event: PeerEvent) {
        let conn = id.conn;
        match event {
            PeerEvent::Connected => {
                self.events.push_back(Event::Connected { conn, target: id.target });
                if id.target == Target::Subscriber
                    && let Some(known) = self.conns.get(&conn)
                {
                    for track in known.subscriptions.keys().copied().collect::<Vec<_>>() {
                        self.aim(now, conn, track);
                    }
                }
            }
            PeerEvent::Gone { why, can_return } => {
                if let Some(known) = self.conns.get_mut(&conn)
                    && !std::mem::replace(&mut known.slot(id.target).gone_told, true)
                {
                    self.events.push_back(Event::Disconnected { conn, target: id.target, why, can_return });
                }
            }
            PeerEvent::Packet(incoming) => self.route(now, conn, incoming),
            PeerEvent::Network(network) => self.hear_network(now, id, network),
            PeerEvent::KeyframeWanted(mid) => self.keyframe_wanted(now, conn, mid),
            PeerEvent::Data(lane, bytes) => {
                self.stats.messages_in += 1;
                self.events.push_back(Event::Data { conn, lane, bytes });
            }
        }
    }

    /// One packet from a publisher to everybody who should get it.
    fn route(&mut self, now: Instant, publisher: ConnKey, incoming: Incoming) {
        self.stats.packets_in += 1;
        let Some(conn) = self.conns.get(&publisher) else { return };
        let Some(key) = conn.published.get(&incoming.mid).copied() else { return };
        let group = conn.group;
        let Some(track) = self.tracks.get_mut(&key) else { return };
        let Some(layer) = track.layer_of(incoming.rid) else { return };
        let layer_started = track.saw_packet(layer, incoming.packet.payload.len(), now);
        if track.muted {
            return;
        }
        if track.kind == Kind::Audio
            && let (Some(level), Some(group)) = (incoming.level_dbov, self.groups.get_mut(&group))
        {
            group.speakers.hear(now, publisher, level);
        }
        let packet = &incoming.packet;
        for subscriber in &track.subscribers {
            let Some(conn) = self.conns.get_mut(subscriber) else { continue };
            let Some(subscription) = conn.subscriptions.get_mut(&key) else { continue };
            let Some(mid) = subscription.live else { continue };
            if let Verdict::Forward(rewritten) = subscription.forwarder.forward(layer, packet)
                && conn.subscriber.peer.send(mid, packet, &rewritten)
            {
                self.stats.packets_forwarded += 1;
                if !conn.subscriber.dirty {
                    conn.subscriber.dirty = true;
                    self.dirty.push(PeerId { conn: *subscriber, target: Target::Subscriber });
                }
            }
        }
        if layer_started {
            for subscriber in self.tracks.get(&key).map(|track| track.subscribers.clone()).unwrap_or_default() {
                self.aim(now, subscriber, key);
            }
        }
    }

    /// A subscriber's decoder needs a key frame of what it gets.
    fn keyframe_wanted(&mut self, now: Instant, conn: ConnKey, mid: Mid) {
        let Some(receiver) = self.conns.get(&conn) else { return };
        let found = receiver.subscriptions.iter().find(|(_, subscription)| subscription.live == Some(mid));
        let Some((track, subscription)) = found else { return };
        if let Some(layer) = subscription.forwarder.current_layer() {
            self.ask_keyframe(now, *track, layer);
        }
    }

    /// Sets what a subscription's forwarder aims for, and asks for the key frame that it needs.
    fn aim(&mut self, now: Instant, conn: ConnKey, key: TrackKey) {
        let Some(track) = self.tracks.get(&key) else { return };
        let Some(receiver) = self.conns.get_mut(&conn) else { return };
        let ready = receiver.subscriber.peer.is_connected();
        let Some(subscription) = receiver.subscriptions.get_mut(&key) else { return };
        let target = match subscription.grant {
            Grant::UpTo(at_most) if ready && subscription.live.is_some() => {
                track.choose(&subscription.wish, at_most, now)
            }
            Grant::UpTo(_) | Grant::Paused => None,
        };
        if subscription.forwarder.aim(target)
            && track.kind == Kind::Video
            && let Some(layer) = target
            && track.is_alive(layer, now)
        {
            self.ask_keyframe(now, key, layer);
        }
    }

    fn hear_network(&mut self, now: Instant, id: PeerId, network: Network) {
        let Some(conn) = self.conns.get_mut(&id.conn) else { return };
        if let (Target::Subscriber, Some(estimate_bps)) = (id.target, network.estimate_bps) {
            conn.allocator.hear(now, estimate_bps, network.loss, network.round_trip);
        }
        let slot = conn.slot(id.target);
        if slot.network_told.is_none_or(|at| now.saturating_duration_since(at) >= TELL_NETWORK_EVERY)
            && let Some(loss) = network.loss
        {
            slot.network_told = Some(now);
            let round_trip_ms = network.round_trip.map(|round_trip| round_trip.as_millis() as u32);
            self.events.push_back(Event::Network { conn: id.conn, target: id.target, loss, round_trip_ms });
        }
    }

    /// Divides a subscriber's network among the tracks that it wants. Whoever's share changed is aimed anew.
    fn allocate(&mut self, now: Instant, key: ConnKey) {
        let Self { conns, tracks, events, .. } = self;
        let Some(conn) = conns.get_mut(&key) else { return };
        let mut audio_bps = 0;
        let mut sent_bps = 0;
        let mut wanted_bps = 0;
        let mut demands = Vec::new();
        for (key, subscription) in &conn.subscriptions {
            let Some(track) = tracks.get(key).filter(|_| subscription.live.is_some()) else { continue };
            let Some(wanted) = track.wanted(&subscription.wish) else { continue };
            if track.kind == Kind::Audio {
                audio_bps += track.cost_bps(0, now).unwrap_or(0).max(AUDIO_RESERVE_BPS);
                continue;
            }
            let current = subscription.forwarder.current_layer();
            sent_bps += current.and_then(|layer| track.cost_bps(layer, now)).unwrap_or(0);
            wanted_bps += track.cost_bps(wanted, now).unwrap_or(0);
            demands.push(Demand {
                track: *key,
                weight: match u64::from(subscription.wish.width) * u64::from(subscription.wish.height) {
                    0 => u64::MAX,
                    pixels => pixels,
                },
                wanted,
                costs: (0..track.layers.len()).map(|layer| track.cost_bps(layer, now)).collect(),
            });
        }
        let mut changed = Vec::new();
        for (track, grant) in conn.allocator.allocate(now, audio_bps, sent_bps, demands) {
            let Some(subscription) = conn.subscriptions.get_mut(&track) else { continue };
            let before = std::mem::replace(&mut subscription.grant, grant);
            if before == grant {
                continue;
            }
            changed.push(track);
            let paused = grant == Grant::Paused;
            if paused != (before == Grant::Paused) {
                events.push_back(Event::StreamPaused { conn: key, track, paused });
            }
        }
        let desired_bps = conn.allocator.desired_bps(audio_bps, wanted_bps);
        conn.subscriber.peer.set_desired(desired_bps);
        for track in changed {
            self.aim(now, key, track);
        }
    }

    /// Tells publishers which layers anybody wants.
    fn tell_wanted(&mut self, now: Instant) {
        let Self { conns, tracks, events, .. } = self;
        for track in tracks.values_mut().filter(|track| track.kind == Kind::Video) {
            let wishes = track.subscribers.iter().filter_map(|key| conns.get(key)?.subscriptions.get(&track.key));
            let wanted = wishes.filter_map(|subscription| track.wanted(&subscription.wish)).max();
            if track.should_tell_wanted(now, wanted) {
                let max_layer = wanted.map(|layer| layer as u8);
                events.push_back(Event::LayersWanted { conn: track.conn, track: track.key, max_layer });
            }
        }
    }

    fn ask_keyframe(&mut self, now: Instant, key: TrackKey, layer: usize) {
        let Some(track) = self.tracks.get_mut(&key) else { return };
        if !track.want_keyframe(layer, now) {
            return;
        }
        let (publisher, mid, rid) = (track.conn, track.mid, track.layers[layer].rid);
        self.send_keyframe_request(publisher, mid, rid);
    }

    fn send_keyframe_request(&mut self, publisher: ConnKey, mid: Mid, rid: Option<crate::peer::Rid>) {
        let Some(conn) = self.conns.get_mut(&publisher) else { return };
        if conn.publisher.peer.request_keyframe(mid, rid) {
            self.stats.keyframe_requests += 1;
            self.touch(PeerId { conn: publisher, target: Target::Publisher });
        }
    }

    fn make_offers(&mut self, now: Instant) {
        while let Some((at, key)) = self.offers_later.first().copied()
            && at <= now
        {
            self.offers_later.pop_first();
            self.renegotiate.insert(key);
        }
        for key in std::mem::take(&mut self.renegotiate) {
            let Some(conn) = self.conns.get_mut(&key) else { continue };
            match conn.poll_offer(now, |track| self.tracks.get(&track).is_some_and(|track| track.muted)) {
                Owed::Nothing => {}
                Owed::At(at) => {
                    self.offers_later.insert((at, key));
                }
                Owed::Offer(offer) => {
                    self.events.push_back(Event::SubscriberOffer {
                        conn: key,
                        offer_id: offer.offer_id,
                        sdp: offer.sdp,
                        mids: offer.mids,
                        restarts_ice: offer.restarts_ice,
                    });
                    self.touch(PeerId { conn: key, target: Target::Subscriber });
                }
            }
        }
    }

    fn housekeeping(&mut self, now: Instant) {
        self.next_housekeeping = Some(now + HOUSEKEEPING);
        let mut keyframes = Vec::new();
        let mut stopped = BTreeSet::new();
        for track in self.tracks.values_mut() {
            track.measure(now);
            if track.has_stopped_layer(now) {
                stopped.insert(track.key);
            }
            keyframes.extend(track.due_keyframes(now).into_iter().map(|layer| (track.key, layer)));
        }
        for (key, layer) in keyframes {
            if let Some(track) = self.tracks.get(&key) {
                let (publisher, mid, rid) = (track.conn, track.mid, track.layers[layer].rid);
                self.send_keyframe_request(publisher, mid, rid);
            }
        }
        for (group, state) in &mut self.groups {
            let levels = state.speakers.handle_timeout(now);
            if !levels.is_empty() {
                self.events.push_back(Event::Speakers { group: *group, levels });
            }
        }
        let mut aims = Vec::new();
        let mut late = Vec::new();
        for conn in self.conns.values_mut() {
            late.extend(conn.match_by_kind(now).into_iter().map(|matched| (conn.key, matched)));
            if conn.answer_overdue(now) && !std::mem::replace(&mut conn.subscriber.gone_told, true) {
                self.events.push_back(Event::Disconnected {
                    conn: conn.key,
                    target: Target::Subscriber,
                    why: "the client did not answer an offer in time",
                    can_return: true,
                });
            }
            if conn.has_backlog() {
                aims.push((conn.key, None));
            }
            // What else moves a target is acted on when it happens.
            let moved = |(track, held): &(&TrackKey, &Subscription)| {
                held.kind == Kind::Video && (held.forwarder.awaits_keyframe() || stopped.contains(track))
            };
            aims.extend(conn.subscriptions.iter().filter(moved).map(|(track, _)| (conn.key, Some(*track))));
        }
        for (conn, matched) in late {
            self.publish(conn, [matched]);
        }
        for conn in self.conns.keys().copied().collect::<Vec<_>>() {
            self.allocate(now, conn);
        }
        self.tell_wanted(now);
        for (conn, track) in aims {
            match track {
                Some(track) => self.aim(now, conn, track),
                None => self.touch(PeerId { conn, target: Target::Subscriber }),
            }
        }
    }
}

fn subscription(conns: &mut BTreeMap<ConnKey, Conn>, conn: ConnKey, track: TrackKey) -> Option<&mut Subscription> {
    conns.get_mut(&conn)?.subscriptions.get_mut(&track)
}
