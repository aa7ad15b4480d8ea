//! A person's client with real WebRTC peers, speaking LiveKit's protocol v0: two peer connections, a camera in three
//! qualities and a microphone, and a note of every packet that arrives.

use super::link::Link;
use livekit_protocol as proto;
use lyceum_node::ClientId;
use proto::leave_request::Action;
use proto::participant_info::State;
use proto::signal_request::Message as Ask;
use proto::signal_response::Message as Told;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::channel::{ChannelConfig, ChannelId, Reliability};
use str0m::format::Codec;
use str0m::media::{Direction, MediaKind, Mid, Rid, Simulcast, SimulcastLayer};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{ExtensionValues, RtpWrite};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

const RIDS: [&str; 3] = ["q", "h", "f"];
/// The camera's qualities in pixels, lowest first.
pub const SIZES: [(u32, u32); 3] = [(320, 180), (640, 360), (1280, 720)];
const PING_EVERY: Duration = Duration::from_secs(5);

/// A packet as it arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Got {
    /// Extended sequence number.
    pub seq: u64,
    /// RTP time.
    pub ts: u32,
    /// Which of its publisher's qualities it is, by a mark in the payload.
    pub layer: u8,
}

/// A datagram of a person: where from, where to, what.
pub(crate) type Datagram = (SocketAddr, SocketAddr, Vec<u8>);

pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) client: Option<ClientId>,
    pub(crate) sid: Option<String>,
    pub(crate) comes_back_at: Option<Instant>,
    pub(crate) up: Link<Datagram>,
    pub(crate) down: Link<Datagram>,
    pub(crate) roster: BTreeMap<String, proto::ParticipantInfo>,
    pub(crate) got: BTreeMap<String, Vec<Got>>,
    pub(crate) heard: Vec<String>,
    pub(crate) says: VecDeque<Ask>,
    pub(crate) devices: Vec<Device>,
    /// Of somebody hostile: what they could say again. Their peers may break over what they do; those of others must not.
    pub(crate) kept: Option<Kept>,
    number: u8,
    peers: Option<Peers>,
    sockets_opened: u16,
    next_ping: Instant,
}

/// Session descriptions that somebody has said or heard, the last few.
#[derive(Default)]
pub(crate) struct Kept(pub(crate) Vec<String>);

impl Kept {
    const MOST: usize = 12;

    fn keep(&mut self, sdp: &str) {
        if self.0.len() == Self::MOST {
            self.0.remove(0);
        }
        self.0.push(sdp.to_owned());
    }
}

/// A camera or a microphone that is published whenever its person is in the class.
pub(crate) struct Device {
    pub(crate) cid: String,
    pub(crate) kind: MediaKind,
    pub(crate) sid: Option<String>,
    pub(crate) muted: bool,
    mid: Option<Mid>,
    next: Instant,
    seq: u64,
    keyframe: [bool; 3],
}

struct Peers {
    publisher: Peer,
    subscriber: Peer,
    reliable: Option<ChannelId>,
    offer_id: u32,
    pending: Option<SdpPendingOffer>,
    /// By subscribed m-line.
    tracks: BTreeMap<String, String>,
}

struct Peer {
    rtc: Rtc,
    address: SocketAddr,
}

impl Person {
    pub(crate) fn new(name: &str, number: u8, seed: u64, now: Instant) -> Self {
        Self {
            name: name.to_owned(),
            client: None,
            sid: None,
            comes_back_at: None,
            up: Link::new(seed ^ u64::from(number)),
            down: Link::new(seed ^ (u64::from(number) << 8)),
            roster: BTreeMap::new(),
            got: BTreeMap::new(),
            heard: Vec::new(),
            says: VecDeque::new(),
            devices: Vec::new(),
            kept: None,
            number,
            peers: None,
            sockets_opened: 0,
            next_ping: now,
        }
    }

    pub(crate) fn opens(&mut self, client: ClientId, now: Instant) {
        self.loses_socket();
        self.client = Some(client);
        self.comes_back_at = None;
        self.next_ping = now + PING_EVERY;
    }

    pub(crate) fn loses_socket(&mut self) {
        (self.client, self.sid, self.peers) = (None, None, None);
        self.roster.clear();
        self.says.clear();
        self.devices.iter_mut().for_each(|device| (device.sid, device.mid) = (None, None));
    }

    pub(crate) fn lives_at(&self, address: SocketAddr) -> bool {
        address.ip() == self.address(0).ip()
    }

    pub(crate) fn address(&self, port: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, 1, self.number], port))
    }

    pub(crate) fn publishes(&mut self, cid: String, kind: MediaKind, now: Instant) {
        let device =
            Device { cid, kind, sid: None, muted: false, mid: None, next: now, seq: 60_000, keyframe: [true; 3] };
        self.devices.push(device);
    }

    pub(crate) fn unpublishes(&mut self, cid: &str) {
        let Some(at) = self.devices.iter().position(|device| device.cid == cid) else { return };
        let device = self.devices.remove(at);
        if let (Some(peers), Some(mid)) = (&mut self.peers, device.mid) {
            peers.renegotiates(&mut self.says, |changes| changes.stop_media(mid));
        }
    }

    pub(crate) fn sends(&mut self, text: &str) {
        let Some(peers) = &mut self.peers else { return };
        let user = proto::UserPacket { payload: text.as_bytes().to_vec(), ..Default::default() };
        let value = Some(proto::data_packet::Value::User(user));
        let packet = prost::Message::encode_to_vec(&proto::DataPacket { value, ..Default::default() });
        let channel = peers.reliable.and_then(|id| peers.publisher.rtc.channel(id));
        let mut channel = channel.expect("the channel is open");
        assert!(channel.write(true, &packet).expect("a message is accepted"));
    }

    /// Sends anything on the reliable channel, if it is open and takes it.
    pub(crate) fn sends_bytes(&mut self, bytes: &[u8]) -> bool {
        let Some(peers) = &mut self.peers else { return false };
        let channel = peers.reliable.and_then(|id| peers.publisher.rtc.channel(id));
        channel.is_some_and(|mut channel| channel.write(true, bytes).unwrap_or(false))
    }

    /// What a LiveKit client does with what it is told.
    pub(crate) fn is_told(&mut self, message: Told, now: Instant) {
        if let (Some(kept), Told::Offer(description) | Told::Answer(description)) = (&mut self.kept, &message) {
            kept.keep(&description.sdp);
        }
        match message {
            Told::Join(join) => {
                self.sid = join.participant.map(|me| me.sid);
                self.roster = join.other_participants.into_iter().map(|info| (info.identity.clone(), info)).collect();
                self.sockets_opened += 1;
                let port = self.sockets_opened * 10;
                let peers = Peers::new(self.address(port), self.address(port + 1), now);
                let peers = self.peers.insert(peers);
                let mut reliable = None;
                peers.renegotiates(&mut self.says, |changes| {
                    reliable = Some(changes.add_channel("_reliable".into()));
                    changes.add_channel_with_config(lossy());
                });
                peers.reliable = reliable;
            }
            Told::Update(update) => {
                for info in update.participants {
                    let known = self.roster.get(&info.identity).is_some_and(|known| known.sid == info.sid);
                    if info.state() != State::Disconnected {
                        self.roster.insert(info.identity.clone(), info);
                    } else if known {
                        self.roster.remove(&info.identity);
                    }
                }
            }
            Told::Answer(answer) => {
                let Some(peers) = &mut self.peers else { return };
                if answer.id == peers.offer_id
                    && let Some(pending) = peers.pending.take()
                {
                    let answer = SdpAnswer::from_sdp_string(&answer.sdp).expect("the server's answer is SDP");
                    let accepted = peers.publisher.rtc.sdp_api().accept_answer(pending, answer);
                    if self.kept.is_none() {
                        accepted.expect("it answers the offer");
                    }
                }
            }
            Told::Offer(offer) => {
                let Some(peers) = &mut self.peers else { return };
                let sdp = SdpOffer::from_sdp_string(&offer.sdp).expect("the server's offer is SDP");
                let answer = peers.subscriber.rtc.sdp_api().accept_offer(sdp);
                if answer.is_err() && self.kept.is_some() {
                    return;
                }
                let answer = answer.expect("it can be answered");
                peers.tracks = offer.mid_to_track_id.into_iter().collect();
                let answer = describes("answer", answer.to_sdp_string(), offer.id);
                if let Some(kept) = &mut self.kept {
                    kept.keep(&answer.sdp);
                }
                self.says.push_back(Ask::Answer(answer));
            }
            Told::TrackPublished(published) => {
                let sid = published.track.map(|track| track.sid);
                if let Some(device) = self.devices.iter_mut().find(|device| device.cid == published.cid) {
                    device.sid = sid;
                }
            }
            Told::Leave(leave) => {
                self.loses_socket();
                if leave.action() == Action::Reconnect {
                    self.comes_back_at = Some(now + Duration::from_millis(300));
                }
            }
            _ => {}
        }
    }

    /// Announces and offers what is not yet in an offer, sends what the devices produce, and lets the peers do their work.
    pub(crate) fn goes_on(&mut self, now: Instant) {
        if self.client.is_some() && self.next_ping <= now {
            self.next_ping = now + PING_EVERY;
            self.says.push_back(Ask::Ping(1));
        }
        self.offers_devices();
        let Some(peers) = &mut self.peers else { return };
        for device in &mut self.devices {
            device.sends(&mut peers.publisher.rtc, now);
        }
        self.drains(now);
    }

    fn offers_devices(&mut self) {
        let Some(peers) = self.peers.as_mut().filter(|peers| peers.pending.is_none()) else { return };
        let new: Vec<usize> = (0..self.devices.len()).filter(|index| self.devices[*index].mid.is_none()).collect();
        if new.is_empty() {
            return;
        }
        for index in &new {
            self.says.push_back(announces(&self.devices[*index]));
        }
        let devices = &mut self.devices;
        peers.renegotiates(&mut self.says, |changes| {
            for index in new {
                let device = &mut devices[index];
                let simulcast = (device.kind == MediaKind::Video).then(|| {
                    let mut simulcast = Simulcast::new();
                    RIDS.iter().for_each(|rid| simulcast.add_send_layer(SimulcastLayer::new(rid)));
                    simulcast
                });
                let (stream, track) = (Some("stream".to_owned()), Some(device.cid.clone()));
                device.mid = Some(changes.add_media(device.kind, Direction::SendOnly, stream, track, simulcast));
            }
        });
    }

    /// Datagrams that have arrived from the server.
    pub(crate) fn receives(&mut self, now: Instant) {
        for (source, destination, contents) in self.down.arrived(now) {
            let Some(peers) = &mut self.peers else { continue };
            let Some(peer) = peers.both().into_iter().find(|peer| peer.address == destination) else { continue };
            let Ok(contents) = contents.as_slice().try_into() else { continue };
            let receive = Receive { proto: Protocol::Udp, source, destination, contents };
            peer.rtc.handle_input(Input::Receive(now, receive)).expect("a peer takes what it is sent");
            // A peer holds one packet at a time.
            self.drains(now);
        }
    }

    fn drains(&mut self, now: Instant) {
        let Some(peers) = &mut self.peers else { return };
        for (index, peer) in [&mut peers.publisher, &mut peers.subscriber].into_iter().enumerate() {
            let is_subscriber = index == 1;
            peer.rtc.handle_input(Input::Timeout(now)).expect("a peer takes the time");
            loop {
                match peer.rtc.poll_output().expect("a peer gives output") {
                    Output::Timeout(_) => break,
                    Output::Transmit(transmit) => {
                        self.up.send(now, (peer.address, transmit.destination, transmit.contents.to_vec()));
                    }
                    Output::Event(Event::RtpPacket(packet)) if is_subscriber => {
                        let mut direct = peer.rtc.direct_api();
                        let Some(stream) = direct.stream_rx(&packet.header.ssrc) else { continue };
                        let Some(track) = peers.tracks.get(&stream.mid().to_string()) else { continue };
                        let layer = packet.payload.last().copied().unwrap_or(u8::MAX);
                        let got = Got { seq: *packet.seq_no, ts: packet.header.timestamp, layer };
                        self.got.entry(track.clone()).or_default().push(got);
                    }
                    Output::Event(Event::KeyframeRequest(request)) if !is_subscriber => {
                        let layer =
                            request.rid.and_then(|rid| RIDS.iter().position(|known| *known == &*rid)).unwrap_or(0);
                        if let Some(device) = self.devices.iter_mut().find(|device| device.mid == Some(request.mid)) {
                            device.keyframe[layer] = true;
                        }
                    }
                    Output::Event(Event::ChannelData(data)) if is_subscriber => {
                        let packet: proto::DataPacket =
                            prost::Message::decode(data.data.as_slice()).expect("a data packet");
                        if let Some(proto::data_packet::Value::User(user)) = packet.value {
                            self.heard.push(String::from_utf8_lossy(&user.payload).into_owned());
                        }
                    }
                    Output::Event(_) => {}
                }
            }
        }
    }
}

impl Peers {
    fn new(publisher: SocketAddr, subscriber: SocketAddr, now: Instant) -> Self {
        Self {
            publisher: Peer::new(publisher, now),
            subscriber: Peer::new(subscriber, now),
            reliable: None,
            offer_id: 0,
            pending: None,
            tracks: BTreeMap::new(),
        }
    }

    fn both(&mut self) -> [&mut Peer; 2] {
        [&mut self.publisher, &mut self.subscriber]
    }

    fn renegotiates(&mut self, says: &mut VecDeque<Ask>, change: impl FnOnce(&mut str0m::change::SdpApi<'_>)) {
        let mut changes = self.publisher.rtc.sdp_api();
        change(&mut changes);
        let Some((offer, pending)) = changes.apply() else { return };
        self.pending = Some(pending);
        self.offer_id += 1;
        says.push_back(Ask::Offer(describes("offer", offer.to_sdp_string(), self.offer_id)));
    }
}

impl Peer {
    fn new(address: SocketAddr, now: Instant) -> Self {
        let provider = Arc::new(str0m::crypto::from_feature_flags());
        let mut rtc = RtcConfig::new().set_rtp_mode(true).set_crypto_provider(provider).build(now);
        rtc.add_local_candidate(Candidate::host(address, "udp").expect("an address makes a candidate"));
        Self { rtc, address }
    }
}

impl Device {
    /// Sends the frames that are due; a muted device produces none.
    fn sends(&mut self, rtc: &mut Rtc, now: Instant) {
        let every = Duration::from_millis(if self.kind == MediaKind::Audio { 20 } else { 33 });
        while self.next <= now {
            self.next += every;
            self.seq += 1;
            if let (Some(mid), false) = (self.mid, self.muted) {
                self.sends_frame(rtc, mid, now);
            }
        }
    }

    fn sends_frame(&mut self, rtc: &mut Rtc, mid: Mid, now: Instant) {
        let is_audio = self.kind == MediaKind::Audio;
        let codec = if is_audio { Codec::Opus } else { Codec::Vp8 };
        let pt = rtc.codec_config().find(|params| params.spec().codec == codec).map(|params| params.pt());
        let Some(pt) = pt else { return };
        let layers = if is_audio { 1 } else { RIDS.len() };
        for (layer, rid) in RIDS.iter().enumerate().take(layers) {
            let rid = (!is_audio).then(|| Rid::from(*rid));
            let clock = if is_audio { 960 } else { 2_970 };
            // Each quality has its own RTP clock, as a browser's encoders have.
            let ts = (self.seq as u32).wrapping_mul(clock).wrapping_add(layer as u32 * 1_000_000_007);
            let payload =
                if is_audio { vec![1, 2, 3, 0] } else { vp8(self.seq as u16, self.keyframe[layer], layer as u8) };
            let mut direct = rtc.direct_api();
            let Some(stream) = direct.stream_tx_by_mid(mid, rid) else { return };
            let levels = ExtensionValues { audio_level: Some(-20), voice_activity: Some(true), ..Default::default() };
            let write = RtpWrite::new(pt, self.seq.into(), ts, now, payload);
            stream.write_rtp(write.marker(true).nackable(!is_audio).ext_vals(levels));
            self.keyframe[layer] = false;
            rtc.handle_input(Input::Timeout(now)).expect("a peer takes the time");
        }
    }
}

/// A frame of one packet, with the layer as its last byte.
fn vp8(picture_id: u16, is_keyframe: bool, layer: u8) -> Vec<u8> {
    let [high, low] = (picture_id & 0x7fff).to_be_bytes();
    let mut payload = vec![0x90, 0x80, 0x80 | high, low, u8::from(!is_keyframe)];
    payload.extend([0x55; 600]);
    payload.push(layer);
    payload
}

fn announces(device: &Device) -> Ask {
    let is_audio = device.kind == MediaKind::Audio;
    let layer = |(quality, (width, height)): (usize, &(u32, u32))| proto::VideoLayer {
        quality: quality as i32,
        width: *width,
        height: *height,
        ..Default::default()
    };
    Ask::AddTrack(proto::AddTrackRequest {
        cid: device.cid.clone(),
        name: device.cid.clone(),
        r#type: if is_audio { proto::TrackType::Audio } else { proto::TrackType::Video }.into(),
        source: if is_audio { proto::TrackSource::Microphone } else { proto::TrackSource::Camera }.into(),
        muted: device.muted,
        layers: if is_audio { Vec::new() } else { SIZES.iter().enumerate().map(layer).collect() },
        ..Default::default()
    })
}

fn lossy() -> ChannelConfig {
    ChannelConfig {
        label: "_lossy".into(),
        ordered: false,
        reliability: Reliability::MaxRetransmits { retransmits: 0 },
        ..Default::default()
    }
}

fn describes(kind: &str, sdp: String, id: u32) -> proto::SessionDescription {
    proto::SessionDescription { r#type: kind.to_owned(), sdp, id, ..Default::default() }
}
