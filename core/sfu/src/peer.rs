//! One WebRTC peer connection. This is the only file that names `str0m`: it keeps ICE, DTLS, SCTP, SDP and SRTP, and speaks the
//! shard's own words outwards. Every call into it is fenced against panics, so that one peer's bad luck stays its own.

use crate::api::{Codec, Kind, Lane, Target};
use crate::demux::{PeerId, ufrag};
use crate::forwarder::{Packet, Rewritten, Vp8};
use crate::sdp::{Shape, mids, shape_answer, track_ids};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant, UNIX_EPOCH};
use str0m::bwe::Bitrate;
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::channel::{ChannelConfig, ChannelId, Reliability};
use str0m::config::DtlsCert;
use str0m::format::PayloadParams;
use str0m::ice::IceCreds;
use str0m::media::{Direction, KeyframeRequestKind, MediaKind, Pt, Rids};
use str0m::net::{DatagramRecv, Protocol, Receive, TcpType};
use str0m::rtp::{ExtensionValues, RtpPacket, RtpWrite, Vp8Descriptor};
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc, RtcConfig};

pub(crate) use str0m::media::{Mid, Rid};
pub(crate) use str0m::rtp::VideoOrientation as Rotation;

/// How a datagram travels.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Transport {
    /// UDP.
    Udp,
    /// TCP with RFC 4571 framing; the framing is the caller's.
    Tcp,
}

/// A datagram to send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transmit {
    /// How.
    pub transport: Transport,
    /// Where to.
    pub destination: SocketAddr,
    /// What.
    pub contents: Vec<u8>,
}

/// Where a shard can be reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Addresses {
    /// Candidates for UDP, in order of preference.
    pub udp: Vec<SocketAddr>,
    /// Passive candidates for ICE-TCP, in order of preference; may be empty.
    pub tcp: Vec<SocketAddr>,
}

/// The server's DTLS certificate, shared by all peers: making one costs more than a handshake.
#[derive(Clone, Debug)]
pub struct Certificate(DtlsCert);

impl Certificate {
    /// Makes a self-signed certificate. `None` if the cryptography library cannot.
    pub fn generate() -> Option<Self> {
        str0m::crypto::from_feature_flags().dtls_provider.generate_certificate().map(Self)
    }
}

/// What exactly a payload is, independent of the payload type number, which every peer chooses for itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Format {
    pub codec: Codec,
    /// `profile-level-id` and `packetization-mode` of H.264.
    pub h264: Option<(u32, u8)>,
    /// Opus wrapped in RED (RFC 2198): the last frames again, against loss.
    pub red: bool,
}

/// What a peer tells.
#[derive(Debug)]
pub(crate) enum PeerEvent {
    Connected,
    /// The network does not get through, or the client has closed its side.
    Gone {
        why: &'static str,
        /// Whether restarting ICE may help.
        can_return: bool,
    },
    Packet(Incoming),
    /// The remote needs a key frame of what we send on this m-line.
    KeyframeWanted(Mid),
    Data(Lane, Vec<u8>),
    Network(Network),
}

/// How a peer's network did in the last interval.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Network {
    /// What we could send, in wire bits per second; only where we send.
    pub estimate_bps: Option<u64>,
    /// The share lost: of what we sent on a subscriber peer, of what the client sent on a publisher peer.
    pub loss: Option<f32>,
    pub round_trip: Option<Duration>,
}

/// A packet with where it came from.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub mid: Mid,
    pub rid: Option<Rid>,
    pub level_dbov: Option<i8>,
    pub packet: Packet,
}

/// One m-line of the remote's offer, as understood.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub mid: Mid,
    pub kind: Kind,
    /// The remote sends on it.
    pub sending: bool,
    /// Second token of the remote's `a=msid`.
    pub track_id: String,
    /// Simulcast ids in the remote's order; empty if not simulcast.
    pub rids: Vec<Rid>,
    /// The codecs that both sides know, in the remote's order.
    pub codecs: Vec<Codec>,
}

/// An offer of ours that waits for its answer.
pub(crate) struct Pending(SdpPendingOffer);

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pending")
    }
}

/// A new m-line for one subscribed track.
#[derive(Clone, Debug)]
pub(crate) struct NewLine {
    pub kind: Kind,
    pub stream_id: String,
    pub track_id: String,
}

pub(crate) struct Peer {
    rtc: Rtc,
    id: PeerId,
    connected: bool,
    gone: bool,
    addresses: Addresses,
    /// What we have learnt about incoming streams; by SSRC.
    streams: HashMap<u32, (Mid, Option<Rid>)>,
    channels: Vec<(Lane, ChannelId)>,
    /// Payload types by m-line and format, as negotiated; filled on first use.
    payload_types: HashMap<(Mid, Format), Option<Pt>>,
    formats: HashMap<u8, Option<Format>>,
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peer").field("id", &self.id).field("connected", &self.connected).finish_non_exhaustive()
    }
}

/// Labels of LiveKit's data channels.
const RELIABLE: &str = "_reliable";
const LOSSY: &str = "_lossy";
/// LiveKit clients send at most 64,000 bytes; with the DataPacket around it a little more.
const MESSAGE_MAX_BYTES: u32 = 65_536;
/// How often a peer tells how its network does.
const NETWORK_EVERY: Duration = Duration::from_millis(500);
/// What a subscriber's network is taken to carry before anything is known of it.
const FIRST_ESTIMATE: Bitrate = Bitrate::kbps(1_500);
/// The estimator counts payload; the wire carries headers too: with the usual packet sizes about this much more.
const WIRE_PERCENT: u64 = 105;
/// How much one peer's data channels may hold back before [`Peer::send_data`] says no.
const DATA_BUFFER_BYTES: usize = 256 * 1024;
/// Video packets kept for retransmission: two seconds of a good camera.
const RTX_PACKETS: usize = 512;
const RTX_AGE: Duration = Duration::from_secs(2);
/// Above this share of resent bytes the rest of a NACK is left out, lest repair fills the link.
const RTX_SHARE_MAX: f32 = 0.25;
/// Which H.264 profiles we negotiate: constrained baseline and baseline, both packetization modes. Every browser has one.
const H264: [(u8, u8, bool, u32); 4] =
    [(108, 109, true, 0x42e01f), (124, 120, false, 0x42e01f), (127, 121, true, 0x42001f), (125, 107, false, 0x42001f)];

impl Peer {
    pub(crate) fn new(
        now: Instant,
        id: PeerId,
        certificate: &Certificate,
        addresses: &Addresses,
        full_ice: bool,
    ) -> Self {
        let credentials = IceCreds { ufrag: ufrag(id), pass: IceCreds::new().pass };
        let mut config = RtcConfig::new()
            .set_rtp_mode(true)
            .set_ice_lite(!full_ice)
            .set_dtls_cert(certificate.0.clone())
            .set_local_ice_credentials(credentials)
            .set_sctp_max_message_size(MESSAGE_MAX_BYTES)
            .set_sctp_max_buffered_amount(DATA_BUFFER_BYTES)
            .clear_codecs()
            .enable_opus(true, true)
            .enable_vp8(true)
            .set_stats_interval(Some(NETWORK_EVERY))
            .set_crypto_provider(std::sync::Arc::new(str0m::crypto::from_feature_flags()));
        for (pt, rtx, mode, profile) in H264 {
            config.codec_config().add_h264(pt.into(), Some(rtx.into()), mode, profile);
        }
        if id.target == Target::Subscriber {
            config = config.enable_bwe(Some(FIRST_ESTIMATE));
        }
        let mut rtc = config.build(now);
        for candidate in candidates(addresses) {
            rtc.add_local_candidate(candidate);
        }
        Self {
            rtc,
            id,
            connected: false,
            gone: false,
            addresses: addresses.clone(),
            streams: HashMap::new(),
            channels: Vec::new(),
            payload_types: HashMap::new(),
            formats: HashMap::new(),
        }
    }

    /// Our present ICE user name fragment; changes when ICE is restarted.
    pub(crate) fn ufrag(&mut self) -> String {
        self.rtc.direct_api().local_ice_credentials().ufrag
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.connected && !self.gone
    }

    /// Whether a datagram from an address not seen before is really for this peer: its ICE check is verified.
    pub(crate) fn recognises(&mut self, now: Instant, datagram: &Datagram<'_>) -> bool {
        let Some(receive) = self.receive(datagram) else { return false };
        let input = Input::Receive(now, receive);
        catch_unwind(AssertUnwindSafe(|| self.rtc.accepts(&input))).unwrap_or(false)
    }

    /// A datagram from the network. Events and answers come with [`Peer::drain`].
    pub(crate) fn handle_datagram(&mut self, now: Instant, datagram: &Datagram<'_>) {
        let Some(receive) = self.receive(datagram) else { return };
        let input = Input::Receive(now, receive);
        self.guarded("a datagram", |peer| peer.rtc.handle_input(input).map_err(|e| e.to_string()));
    }

    /// Time has come, or something was written.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.guarded("a timeout", |peer| peer.rtc.handle_input(Input::Timeout(now)).map_err(|e| e.to_string()));
    }

    /// Takes everything out: datagrams, events, and when to call again.
    pub(crate) fn drain(&mut self, out: &mut Vec<Transmit>, events: &mut Vec<PeerEvent>) -> Option<Instant> {
        let mut wake = None;
        while !self.gone {
            let polled = self.guarded("polling", |peer| peer.rtc.poll_output().map_err(|e| e.to_string()));
            match polled {
                None => break,
                Some(Output::Timeout(at)) => {
                    wake = Some(at);
                    break;
                }
                Some(Output::Transmit(transmit)) => out.push(Transmit {
                    transport: if transmit.proto == Protocol::Udp { Transport::Udp } else { Transport::Tcp },
                    destination: transmit.destination,
                    contents: transmit.contents.into(),
                }),
                Some(Output::Event(event)) => self.translate(event, events),
            }
        }
        if self.gone || !self.rtc.is_alive() {
            events.push(PeerEvent::Gone { why: "the WebRTC connection failed", can_return: false });
            return None;
        }
        wake
    }

    /// The client's offer: the lines it has now, and our answer once `shape` has said how to form it.
    pub(crate) fn accept_offer(
        &mut self,
        sdp: &str,
        shape: impl FnOnce(&[Line]) -> Vec<Shape>,
    ) -> Result<String, String> {
        let offer = parsed(|| SdpOffer::from_sdp_string(sdp))?;
        let answer = self
            .guarded("an offer", |peer| Ok(peer.rtc.sdp_api().accept_offer(offer)))
            .ok_or("the offer could not be processed")?
            .map_err(|error| error.to_string())?;
        self.streams.clear();
        self.formats.clear();
        // A track that belongs to no stream has an id all the same; the parser does not give it.
        let track_ids = track_ids(sdp);
        let named = |line: Line, mid| match track_ids.get(mid) {
            Some(track_id) => Line { track_id: (*track_id).to_owned(), ..line },
            None => line,
        };
        let lines: Vec<Line> =
            mids(sdp).into_iter().filter_map(|mid| self.line(mid).map(|line| named(line, mid))).collect();
        Ok(shape_answer(&answer.to_sdp_string(), &shape(&lines)))
    }

    fn line(&self, mid: &str) -> Option<Line> {
        let media = self.rtc.media(mid.into())?;
        let rids = match media.rids_rx() {
            Rids::Specific(rids) => rids.clone(),
            Rids::None | Rids::Any => Vec::new(),
        };
        let codecs =
            media.remote_pts().iter().filter_map(|pt| self.format_of(**pt)).map(|format| format.codec).collect();
        Some(Line {
            mid: media.mid(),
            kind: if media.kind() == MediaKind::Audio { Kind::Audio } else { Kind::Video },
            sending: media.direction().is_receiving() && !media.disabled(),
            track_id: media.track_id().to_owned(),
            rids,
            codecs,
        })
    }

    /// Makes an offer: our two data channels if they are new, lines to silence, silent lines to use again, new lines. Returns the mids
    /// of the new lines. `None` if there is nothing to negotiate.
    pub(crate) fn offer(
        &mut self,
        with_channels: bool,
        restart_ice: bool,
        silence: &[Mid],
        reuse: &[Mid],
        add: &[NewLine],
    ) -> Option<(String, Pending, Vec<Mid>)> {
        let mut opened = Vec::new();
        let mut added = Vec::new();
        let offer = self.guarded("making an offer", |peer| {
            let mut changes = peer.rtc.sdp_api();
            if with_channels {
                for (lane, config) in channel_configs() {
                    opened.push((lane, changes.add_channel_with_config(config)));
                }
            }
            if restart_ice {
                changes.ice_restart(true);
            }
            for mid in silence {
                changes.set_direction(*mid, Direction::Inactive);
            }
            for mid in reuse {
                changes.set_direction(*mid, Direction::SendOnly);
            }
            for line in add {
                let kind = if line.kind == Kind::Audio { MediaKind::Audio } else { MediaKind::Video };
                added.push(changes.add_media(
                    kind,
                    Direction::SendOnly,
                    Some(line.stream_id.clone()),
                    Some(line.track_id.clone()),
                    None,
                ));
            }
            Ok(changes.apply())
        })?;
        self.channels.extend(opened);
        let (offer, pending) = offer?;
        Some((offer.to_sdp_string(), Pending(pending), added))
    }

    /// The offer that would have opened our channels was lost.
    pub(crate) fn forget_channels(&mut self) {
        self.channels.clear();
    }

    /// The client's answer to our offer.
    pub(crate) fn accept_answer(&mut self, pending: Pending, sdp: &str) -> Result<(), String> {
        let answer = parsed(|| SdpAnswer::from_sdp_string(sdp))?;
        self.payload_types.clear();
        self.guarded("an answer", |peer| Ok(peer.rtc.sdp_api().accept_answer(pending.0, answer)))
            .ok_or("the answer could not be processed")?
            .map_err(|error| error.to_string())
    }

    /// Sizes the retransmission cache of a new video line, and takes it out of the pacer: what may be sent is decided before it is
    /// written.
    pub(crate) fn prepare_to_send(&mut self, mid: Mid, kind: Kind) {
        if kind == Kind::Video
            && let Some(stream) = self.rtc.direct_api().stream_tx_by_mid(mid, None)
        {
            stream.set_rtx_cache(RTX_PACKETS, RTX_AGE, Some(RTX_SHARE_MAX));
            stream.set_unpaced(true);
        }
    }

    /// What the estimator should look for, in wire bits per second.
    pub(crate) fn set_desired(&mut self, desired_bps: u64) {
        self.rtc.bwe().set_bitrate(Bitrate::ZERO, Bitrate::bps(desired_bps * 100 / WIRE_PERCENT));
    }

    pub(crate) fn add_remote_candidate(&mut self, candidate: &str) -> Result<(), String> {
        let candidate = parsed(|| Candidate::from_sdp_string(candidate))?;
        self.guarded("a candidate", |peer| {
            peer.rtc.add_remote_candidate(candidate);
            Ok(())
        });
        Ok(())
    }

    /// Puts one packet into the outgoing stream of `mid`. Returns false if this peer has not negotiated the packet's format.
    pub(crate) fn send(&mut self, mid: Mid, packet: &Packet, rewritten: &Rewritten) -> bool {
        let plain = Format { red: false, ..packet.format };
        let (pt, payload) = match (self.payload_type(mid, packet.format), &packet.primary) {
            (Some(pt), _) => (pt, &packet.payload),
            // A client without RED gets the frame that it is wrapped around.
            (None, Some(primary)) => match self.payload_type(mid, plain) {
                Some(pt) => (pt, primary),
                None => return false,
            },
            (None, None) => return false,
        };
        let audio = packet.format.codec == Codec::Opus;
        let mut write = RtpWrite::new(pt, rewritten.seq.into(), rewritten.ts, packet.arrived, payload.clone())
            .marker(packet.marker)
            .nackable(!audio);
        if packet.rotation.is_some() {
            write = write.ext_vals(ExtensionValues { video_orientation: packet.rotation, ..Default::default() });
        }
        if let Some(vp8) = rewritten.vp8
            && Some(vp8) != packet.vp8
            && let Ok(descriptor) = Vp8Descriptor::parse(&packet.payload)
        {
            let mut patch = descriptor.patch();
            patch = vp8.picture_id.map_or(patch, |id| patch.picture_id(id));
            patch = vp8.tl0.map_or(patch, |tl0| patch.tl0_pic_idx(tl0));
            patch = vp8.key_idx.map_or(patch, |key| patch.key_idx(key));
            if let Ok(patch) = patch.build() {
                write = write.vp8_patch(patch);
            }
        }
        let mut direct = self.rtc.direct_api();
        let Some(stream) = direct.stream_tx_by_mid(mid, None) else { return false };
        stream.write_rtp(write);
        true
    }

    /// Asks the remote for a key frame of one incoming layer.
    pub(crate) fn request_keyframe(&mut self, mid: Mid, rid: Option<Rid>) -> bool {
        let mut direct = self.rtc.direct_api();
        let Some(stream) = direct.stream_rx_by_mid(mid, rid) else { return false };
        stream.request_keyframe(KeyframeRequestKind::Pli);
        true
    }

    /// Writes one message; false if the channel is not open or its buffer is full.
    pub(crate) fn send_data(&mut self, lane: Lane, bytes: &[u8]) -> bool {
        let Some(id) = self.channels.iter().find(|(known, _)| *known == lane).map(|(_, id)| *id) else {
            return false;
        };
        self.guarded("a message", |peer| match peer.rtc.channel(id) {
            Some(mut channel) => Ok(channel.write(true, bytes).unwrap_or(false)),
            None => Ok(false),
        })
        .unwrap_or(false)
    }

    /// Says goodbye on the wire; drain once more afterwards.
    pub(crate) fn close(&mut self) {
        self.guarded("closing", |peer| peer.rtc.close().map_err(|error| error.to_string()));
    }

    /// The payload type that this peer has agreed on for a format on one of its sending lines.
    fn payload_type(&mut self, mid: Mid, format: Format) -> Option<Pt> {
        if let Some(known) = self.payload_types.get(&(mid, format)) {
            return *known;
        }
        let media = self.rtc.media(mid)?;
        let agreed = media.remote_pts();
        let of_codec = |params: &&PayloadParams| {
            agreed.contains(&params.pt()) && format_of(params).is_some_and(|f| f.codec == format.codec)
        };
        let params = self.rtc.codec_config().params();
        let plain = Format { red: false, ..format };
        let exact = params.iter().filter(of_codec).find(|params| format_of(params) == Some(plain));
        // A level or profile that differs in name only is decodable; the packetization mode must be the same.
        let similar = || {
            params.iter().filter(of_codec).find(|params| {
                let mode = |format: Format| format.h264.map(|(_, mode)| mode);
                format_of(params).is_some_and(|known| mode(known) == mode(format))
            })
        };
        let params = exact.or_else(similar);
        let pt = if format.red { params.and_then(PayloadParams::red) } else { params.map(PayloadParams::pt) };
        self.payload_types.insert((mid, format), pt);
        pt
    }

    fn format_of(&self, pt: u8) -> Option<Format> {
        let of_pt = |params: &&PayloadParams| *params.pt() == pt || params.red().is_some_and(|red| *red == pt);
        let params = self.rtc.codec_config().params().iter().find(of_pt)?;
        Some(Format { red: *params.pt() != pt, ..format_of(params)? })
    }

    fn translate(&mut self, event: Event, events: &mut Vec<PeerEvent>) {
        match event {
            Event::Connected => {
                self.connected = true;
                events.push(PeerEvent::Connected);
            }
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) => {
                let why = "no sign of life from the client's network";
                events.push(PeerEvent::Gone { why, can_return: true });
            }
            Event::Closed => {
                let why = "the client closed the connection";
                events.push(PeerEvent::Gone { why, can_return: false });
            }
            Event::RtpPacket(packet) => events.extend(self.incoming(packet).map(PeerEvent::Packet)),
            Event::KeyframeRequest(request) => events.push(PeerEvent::KeyframeWanted(request.mid)),
            Event::ChannelOpen(id, label) => {
                if self.id.target == Target::Publisher
                    && let Some(lane) = lane_of(&label)
                    && !self.channels.iter().any(|(known, _)| *known == lane)
                {
                    self.channels.push((lane, id));
                }
            }
            Event::PeerStats(stats) => {
                let subscriber = self.id.target == Target::Subscriber;
                events.push(PeerEvent::Network(Network {
                    estimate_bps: stats.bwe_tx.map(|estimate| estimate.as_u64() * WIRE_PERCENT / 100),
                    loss: if subscriber { stats.egress_loss_fraction } else { stats.ingress_loss_fraction },
                    round_trip: stats.rtt,
                }));
            }
            Event::ChannelClose(id) => self.channels.retain(|(_, known)| *known != id),
            Event::ChannelData(data) => {
                let lane = self.channels.iter().find(|(_, id)| *id == data.id).map(|(lane, _)| *lane);
                events.extend(lane.map(|lane| PeerEvent::Data(lane, data.data)));
            }
            _ => {}
        }
    }

    fn incoming(&mut self, rtp: RtpPacket) -> Option<Incoming> {
        let ssrc = *rtp.header.ssrc;
        let (mid, rid) = match self.streams.get(&ssrc) {
            Some(known) => *known,
            None => {
                let mut direct = self.rtc.direct_api();
                let stream = direct.stream_rx(&rtp.header.ssrc)?;
                let found = (stream.mid(), stream.rid());
                self.streams.insert(ssrc, found);
                found
            }
        };
        let pt = *rtp.header.payload_type;
        let format = match self.formats.get(&pt) {
            Some(known) => (*known)?,
            None => {
                let found = self.format_of(pt);
                self.formats.insert(pt, found);
                found?
            }
        };
        let (starts_keyframe, vp8) = inspect(format.codec, &rtp.payload);
        let primary = if format.red { Some(red_primary(&rtp.payload)?.into()) } else { None };
        let sender_us = rtp.last_sender_info.and_then(|info| {
            let report_us = info.ntp_time.duration_since(UNIX_EPOCH).ok()?.as_micros() as i64;
            let hz = i64::from(info.rtp_time.frequency().get());
            let ticks = i64::from(rtp.header.timestamp.wrapping_sub(info.rtp_time.numer() as u32) as i32);
            u64::try_from(report_us + ticks * 1_000_000 / hz).ok()
        });
        Some(Incoming {
            mid,
            rid,
            level_dbov: rtp.header.ext_vals.audio_level,
            packet: Packet {
                seq: *rtp.seq_no,
                ts: rtp.header.timestamp,
                marker: rtp.header.marker,
                arrived: rtp.timestamp,
                sender_us,
                starts_keyframe,
                vp8,
                format,
                primary,
                rotation: rtp.header.ext_vals.video_orientation,
                payload: rtp.payload,
            },
        })
    }

    /// The form in which `str0m` takes a datagram: our own address as the candidate that the client used.
    fn receive<'a>(&self, datagram: &Datagram<'a>) -> Option<Receive<'a>> {
        let (proto, ours) = match datagram.transport {
            Transport::Udp => (Protocol::Udp, &self.addresses.udp),
            Transport::Tcp => (Protocol::Tcp, &self.addresses.tcp),
        };
        let same_family = |address: &&SocketAddr| address.is_ipv4() == datagram.source.is_ipv4();
        // Behind a NAT the address on the packet is none of the advertised; any of its family stands for it.
        let destination = ours
            .iter()
            .filter(same_family)
            .find(|address| Some(address.ip()) == datagram.local_ip)
            .or_else(|| ours.iter().find(same_family))?;
        Some(Receive {
            proto,
            source: datagram.source,
            destination: *destination,
            contents: DatagramRecv::try_from(datagram.contents).ok()?,
        })
    }

    /// Runs a call into `str0m`. An error or a panic ends this peer and nothing else.
    fn guarded<T>(&mut self, what: &'static str, call: impl FnOnce(&mut Self) -> Result<T, String>) -> Option<T> {
        if self.gone {
            return None;
        }
        match catch_unwind(AssertUnwindSafe(|| call(self))) {
            Ok(Ok(value)) => Some(value),
            Ok(Err(error)) => {
                tracing::debug!(peer = ?self.id, %error, "{what} failed; the peer is closed");
                self.gone = true;
                None
            }
            Err(_) => {
                tracing::error!(peer = ?self.id, "{what} panicked in the WebRTC library; the peer is closed");
                self.gone = true;
                None
            }
        }
    }
}

/// A datagram as it comes from a socket.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// How it came.
    pub transport: Transport,
    /// Who sent it.
    pub source: SocketAddr,
    /// Which of our addresses it was sent to, if the socket tells.
    pub local_ip: Option<IpAddr>,
    /// The bytes.
    pub contents: &'a [u8],
}

/// Parses what a stranger wrote. A panic in the parser is that stranger's refusal, not the shard's end.
fn parsed<T, E: std::fmt::Display>(parse: impl FnOnce() -> Result<T, E>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(parse)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(without_addresses(&error.to_string())),
        Err(_) => {
            tracing::error!("the parser of session descriptions panicked");
            Err("it could not be read".to_owned())
        }
    }
}

/// The SDP parser names places in its input by their addresses in our memory, which are no client's business.
fn without_addresses(why: &str) -> String {
    const ADDRESS: &str = " at PointerOffset(";
    let Some((before, rest)) = why.split_once(ADDRESS) else { return why.to_owned() };
    format!("{before}{}", rest.split_once(')').map_or("", |(_, after)| after))
}

fn candidates(addresses: &Addresses) -> Vec<Candidate> {
    let udp = addresses.udp.iter().map(|address| Candidate::builder().udp().host(*address).build());
    let tcp =
        addresses.tcp.iter().map(|address| Candidate::builder().tcp().host(*address).tcptype(TcpType::Passive).build());
    udp.chain(tcp).filter_map(Result::ok).collect()
}

fn channel_configs() -> [(Lane, ChannelConfig); 2] {
    let reliable = ChannelConfig { label: RELIABLE.to_owned(), ..Default::default() };
    let lossy = ChannelConfig {
        label: LOSSY.to_owned(),
        ordered: false,
        reliability: Reliability::MaxRetransmits { retransmits: 0 },
        ..Default::default()
    };
    [(Lane::Reliable, reliable), (Lane::Lossy, lossy)]
}

fn lane_of(label: &str) -> Option<Lane> {
    match label {
        RELIABLE => Some(Lane::Reliable),
        LOSSY => Some(Lane::Lossy),
        _ => None,
    }
}

fn format_of(params: &PayloadParams) -> Option<Format> {
    let spec = params.spec();
    let codec = match spec.codec {
        str0m::format::Codec::Opus => Codec::Opus,
        str0m::format::Codec::Vp8 => Codec::Vp8,
        str0m::format::Codec::H264 => Codec::H264,
        _ => return None,
    };
    let h264 = (codec == Codec::H264)
        .then(|| (spec.format.profile_level_id.unwrap_or(0x42e01f), spec.format.packetization_mode.unwrap_or(0)));
    Some(Format { codec, h264, red: false })
}

/// Whether a payload begins a key frame, and its VP8 descriptor.
pub(crate) fn inspect(codec: Codec, payload: &[u8]) -> (bool, Option<Vp8>) {
    match codec {
        Codec::Opus => (true, None),
        Codec::H264 => (h264_starts_keyframe(payload), None),
        Codec::Vp8 => match Vp8Descriptor::parse(payload) {
            Ok(descriptor) => {
                let long_picture_id = payload.get(2).is_some_and(|byte| byte & 0x80 != 0);
                let vp8 = Vp8 {
                    picture_id: descriptor.picture_id(),
                    long_picture_id,
                    tl0: descriptor.tl0_pic_idx(),
                    key_idx: descriptor.key_idx(),
                };
                (descriptor.starts_keyframe(payload), Some(vp8))
            }
            Err(_) => (false, None),
        },
    }
}

/// The frame that a RED payload (RFC 2198, 3) is wrapped around: it comes last, behind the repeated ones. `None` if malformed.
pub(crate) fn red_primary(payload: &[u8]) -> Option<&[u8]> {
    const MORE: u8 = 0x80;
    let mut at = 0;
    let mut repeated_bytes = 0;
    while payload.get(at)? & MORE != 0 {
        // Payload type, 14 bits of timestamp offset, 10 bits of length.
        repeated_bytes += usize::from(payload.get(at + 2)? & 0x03) << 8 | usize::from(*payload.get(at + 3)?);
        at += 4;
    }
    payload.get(at + 1 + repeated_bytes..)
}

/// Whether an H.264 payload (RFC 6184) carries a sequence parameter set, which browsers send before every IDR picture.
pub(crate) fn h264_starts_keyframe(payload: &[u8]) -> bool {
    const SPS: u8 = 7;
    const STAP_A: u8 = 24;
    const FU_A: u8 = 28;
    let Some((first, mut rest)) = payload.split_first() else { return false };
    match first & 0x1f {
        SPS => true,
        STAP_A => {
            while let [high, low, unit @ ..] = rest {
                let size = usize::from(u16::from_be_bytes([*high, *low]));
                if unit.first().is_some_and(|header| header & 0x1f == SPS) {
                    return true;
                }
                let Some(next) = unit.get(size..) else { return false };
                rest = next;
            }
            false
        }
        FU_A => rest.first().is_some_and(|header| header & 0x80 != 0 && header & 0x1f == SPS),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn h264_key_frames_are_found_in_all_three_packings() {
        assert!(h264_starts_keyframe(&[0x67, 1, 2]));
        assert!(h264_starts_keyframe(&[24, 0, 2, 0x67, 9, 0, 1, 0x68]));
        assert!(h264_starts_keyframe(&[28, 0x87, 1]));
        assert!(!h264_starts_keyframe(&[28, 0x07, 1]), "a later part of it");
        assert!(!h264_starts_keyframe(&[0x41, 1]));
        assert!(!h264_starts_keyframe(&[24, 0xff, 0xff, 1]));
        assert!(!h264_starts_keyframe(&[]));
    }

    #[test]
    fn the_primary_frame_is_found_in_red() {
        assert_eq!(red_primary(&[111, 9, 8, 7]), Some(&[9, 8, 7][..]), "nothing repeated");
        assert_eq!(red_primary(&[0x80 | 111, 0, 0, 2, 111, 1, 2, 9, 8]), Some(&[9, 8][..]));
        assert_eq!(red_primary(&[0x80 | 111, 0, 0, 9, 111, 1, 2]), None, "shorter than it says");
        assert_eq!(red_primary(&[0x80 | 111]), None);
        assert_eq!(red_primary(&[]), None);
    }

    proptest! {
        #[test]
        fn no_payload_makes_the_inspection_panic(payload in proptest::collection::vec(any::<u8>(), 0..64)) {
            for codec in [Codec::Opus, Codec::Vp8, Codec::H264] {
                let _ = inspect(codec, &payload);
                let _ = red_primary(&payload);
            }
        }
    }
}
