//! One WebRTC connection of a learner with a UDP socket of its own, as in a browser. This is the only file that names `str0m`'s
//! machinery; the learner gets packets with the time at which the kernel received them.

use crate::stamp::now_ns;
use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};
use serde::Deserialize;
use std::collections::HashMap;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::channel::{ChannelConfig, Reliability};
use str0m::config::{CryptoProvider, DtlsCert};
use str0m::format::Codec;
use str0m::media::{Direction, KeyframeRequestKind, MediaKind, Pt, Simulcast, SimulcastLayer};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{ExtensionValues, RtpWrite};
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc, RtcConfig};
use tokio::io::Interest;
use tokio::net::UdpSocket;

pub use str0m::media::{Mid, Rid};

/// One read: what the kernel has coalesced.
const READ_BYTES: usize = 64 * 1024;
/// After so many reads the learner does other things first.
const READS_AT_ONCE: usize = 32;
const KERNEL_BUFFER_BYTES: usize = 1024 * 1024;
/// Packets kept for the server to ask for again.
const RTX_PACKETS: usize = 512;
const RTX_AGE: Duration = Duration::from_secs(2);
/// LiveKit's data channels, which a publisher opens.
const RELIABLE: &str = "_reliable";
const LOSSY: &str = "_lossy";

/// What all peers of a run share: making a certificate costs more than a handshake.
#[derive(Clone)]
pub struct Crypto {
    provider: Arc<CryptoProvider>,
    certificate: DtlsCert,
}

impl Crypto {
    /// `None` if the cryptography library cannot make a certificate.
    pub fn new() -> Option<Self> {
        let provider = Arc::new(str0m::crypto::from_feature_flags());
        let certificate = provider.dtls_provider.generate_certificate()?;
        Some(Self { provider, certificate })
    }
}

/// Audio or video.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Audio,
    Video,
}

/// What a peer tells.
#[derive(Debug)]
pub enum PeerEvent {
    Connected,
    Packet(Arrived),
    /// The server needs a key frame of this layer.
    KeyframeWanted(Mid, Option<Rid>),
}

/// A media packet from the server, not seen before.
#[derive(Debug)]
pub struct Arrived {
    pub mid: Mid,
    /// Extended: does not wrap.
    pub seq: u64,
    pub marker: bool,
    pub payload: Arc<[u8]>,
    /// When the kernel had it.
    pub at_ns: u64,
}

/// A new m-line of a publisher.
#[derive(Clone, Debug)]
pub struct NewLine {
    pub kind: Kind,
    pub track_id: String,
    /// Simulcast layers; empty if there is one only.
    pub rids: Vec<&'static str>,
}

/// A packet to publish.
#[derive(Debug)]
pub struct Outgoing {
    pub mid: Mid,
    pub rid: Option<Rid>,
    pub codec: Codec,
    pub seq: u64,
    pub ts: u32,
    pub marker: bool,
    /// Level and whether it is a voice; for audio.
    pub level: Option<(i8, bool)>,
    pub payload: Vec<u8>,
}

/// An offer that waits for its answer.
pub struct Pending(SdpPendingOffer);

/// What a peer has sent and received in datagrams, and how late it read them.
#[derive(Clone, Copy, Default, Debug)]
pub struct Traffic {
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// Datagrams that the kernel did not take.
    pub unsent: u64,
    /// The longest that a datagram of the last reading lay in the kernel.
    pub read_lag_ns: u64,
}

/// See the module.
pub struct Peer {
    rtc: Rtc,
    socket: UdpSocket,
    state: UdpSocketState,
    /// Our candidates: one port on each address by which servers of this machine or of others reach us.
    local: Vec<SocketAddr>,
    wake: Instant,
    connected: bool,
    failed: Option<String>,
    /// M-lines by the SSRC that arrives on them.
    lines: HashMap<u32, Mid>,
    payload_types: HashMap<Mid, Option<Pt>>,
    /// Candidates that came before the description.
    early: Vec<Candidate>,
    described: bool,
    traffic: Traffic,
}

impl Peer {
    /// Takes a port on the address by which the server was reached. `video`: which codecs it knows.
    pub fn new(crypto: &Crypto, local_ip: IpAddr, video: &[Codec]) -> io::Result<Self> {
        let any: IpAddr = if local_ip.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let socket = std::net::UdpSocket::bind((any, 0))?;
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        // The kernel may grant less.
        let _ = state.set_recv_buffer_size(UdpSockRef::from(&socket), KERNEL_BUFFER_BYTES);
        socket.set_nonblocking(true)?;
        let port = socket.local_addr()?.port();
        let local: Vec<_> = addresses(local_ip).map(|ip| SocketAddr::new(ip, port)).collect();
        let now = Instant::now();
        let mut rtc = RtcConfig::new()
            .set_rtp_mode(true)
            .set_crypto_provider(crypto.provider.clone())
            .set_dtls_cert(crypto.certificate.clone())
            .clear_codecs()
            .enable_opus(true, false)
            .enable_vp8(video.contains(&Codec::Vp8))
            .enable_h264(video.contains(&Codec::H264))
            .build(now);
        for address in &local {
            rtc.add_local_candidate(Candidate::host(*address, "udp").map_err(io::Error::other)?);
        }
        Ok(Self {
            rtc,
            socket: UdpSocket::from_std(socket)?,
            state,
            local,
            wake: now,
            connected: false,
            failed: None,
            lines: HashMap::new(),
            payload_types: HashMap::new(),
            early: Vec::new(),
            described: false,
            traffic: Traffic::default(),
        })
    }

    pub fn is_connected(&self) -> bool {
        self.connected
    }

    /// Why it is of no use any more.
    pub fn failure(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    /// When to call [`Peer::handle_timeout`].
    pub fn poll_timeout(&self) -> Instant {
        self.wake
    }

    /// What has gone over the network since the last call.
    pub fn take_traffic(&mut self) -> Traffic {
        std::mem::take(&mut self.traffic)
    }

    /// Resolves when there is something to [`Peer::receive`].
    pub async fn readable(&self) {
        if self.socket.readable().await.is_err() {
            // Cannot happen while the runtime lives; waiting forever is better than spinning.
            std::future::pending::<()>().await;
        }
    }

    /// Reads what has arrived.
    pub fn receive(&mut self, events: &mut Vec<PeerEvent>) {
        thread_local! {
            static BUFFER: std::cell::RefCell<Vec<u8>> = std::cell::RefCell::new(vec![0; READ_BYTES]);
        }
        BUFFER.with_borrow_mut(|buffer| {
            for _ in 0..READS_AT_ONCE {
                let mut meta = [RecvMeta::default()];
                let read = self.socket.try_io(Interest::READABLE, || {
                    let mut slices = [IoSliceMut::new(buffer)];
                    self.state.recv(UdpSockRef::from(&self.socket), &mut slices, &mut meta)
                });
                match read {
                    Ok(1..) => self.take_batch(&buffer[..meta[0].len], &meta[0], events),
                    Ok(0) => return,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                    // Such as the server's port being closed: ICE finds out by itself.
                    Err(_) => {}
                }
            }
        });
    }

    fn take_batch(&mut self, bytes: &[u8], meta: &RecvMeta, events: &mut Vec<PeerEvent>) {
        let now = Instant::now();
        let read_ns = now_ns();
        let at_ns = meta.timestamp.map_or(read_ns, |at| at.as_nanos() as u64);
        self.traffic.read_lag_ns = self.traffic.read_lag_ns.max(read_ns.saturating_sub(at_ns));
        let source = SocketAddr::new(meta.addr.ip().to_canonical(), meta.addr.port());
        let came_to = meta.dst_ip.map(|ip| ip.to_canonical());
        let destination = self.local.iter().find(|own| Some(own.ip()) == came_to).unwrap_or(&self.local[0]);
        let destination = *destination;
        for datagram in bytes.chunks(meta.stride.max(1)) {
            self.traffic.bytes_in += datagram.len() as u64;
            let Ok(contents) = datagram.try_into() else { continue };
            let receive = Receive { proto: Protocol::Udp, source, destination, contents };
            self.input(Input::Receive(now, receive));
            self.drain(at_ns, events);
        }
    }

    /// Time has come, or something was written.
    pub fn handle_timeout(&mut self, now: Instant, events: &mut Vec<PeerEvent>) {
        self.input(Input::Timeout(now));
        self.drain(now_ns(), events);
    }

    fn input(&mut self, input: Input<'_>) {
        if self.failed.is_none()
            && let Err(error) = self.rtc.handle_input(input)
        {
            self.failed = Some(format!("the WebRTC connection failed: {error}"));
        }
    }

    fn drain(&mut self, at_ns: u64, events: &mut Vec<PeerEvent>) {
        while self.failed.is_none() {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => {
                    self.wake = at;
                    return;
                }
                Ok(Output::Transmit(transmit)) if transmit.proto == Protocol::Udp => {
                    self.send(transmit.source.ip(), transmit.destination, &transmit.contents);
                }
                Ok(Output::Transmit(_)) => {}
                Ok(Output::Event(event)) => self.translate(event, at_ns, events),
                Err(error) => self.failed = Some(format!("the WebRTC connection failed: {error}")),
            }
        }
    }

    fn send(&mut self, source: IpAddr, destination: SocketAddr, contents: &[u8]) {
        let transmit =
            quinn_udp::Transmit { destination, ecn: None, contents, segment_size: None, src_ip: Some(source) };
        match self.state.try_send(UdpSockRef::from(&self.socket), &transmit) {
            Ok(()) => self.traffic.bytes_out += contents.len() as u64,
            Err(_) => self.traffic.unsent += 1,
        }
    }

    fn translate(&mut self, event: Event, at_ns: u64, events: &mut Vec<PeerEvent>) {
        match event {
            Event::Connected => {
                self.connected = true;
                events.push(PeerEvent::Connected);
            }
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) if self.connected => {
                self.failed = Some("no sign of life from the server's media port".to_owned());
            }
            Event::RtpPacket(packet) => {
                let ssrc = *packet.header.ssrc;
                let known = self.lines.get(&ssrc).copied();
                let mid =
                    known.or_else(|| self.rtc.direct_api().stream_rx(&packet.header.ssrc).map(|stream| stream.mid()));
                let Some(mid) = mid else { return };
                self.lines.insert(ssrc, mid);
                events.push(PeerEvent::Packet(Arrived {
                    mid,
                    seq: *packet.seq_no,
                    marker: packet.header.marker,
                    payload: packet.payload,
                    at_ns,
                }));
            }
            Event::KeyframeRequest(request) => events.push(PeerEvent::KeyframeWanted(request.mid, request.rid)),
            _ => {}
        }
    }

    /// The server's offer; our answer to it.
    pub fn accept_offer(&mut self, sdp: &str) -> Result<String, String> {
        let offer = SdpOffer::from_sdp_string(sdp).map_err(|error| format!("the server's offer is wrong: {error}"))?;
        let answer = self.rtc.sdp_api().accept_offer(offer);
        let answer = answer.map_err(|error| format!("the server's offer cannot be answered: {error}"))?;
        self.lines.clear();
        self.is_described();
        Ok(answer.to_sdp_string())
    }

    /// Makes an offer. `None` if there is nothing to negotiate.
    pub fn offer(
        &mut self,
        open_channels: bool,
        restart_ice: bool,
        lines: &[NewLine],
    ) -> Option<(String, Pending, Vec<Mid>)> {
        let mut changes = self.rtc.sdp_api();
        if open_channels {
            changes.add_channel_with_config(ChannelConfig {
                label: LOSSY.to_owned(),
                ordered: false,
                reliability: Reliability::MaxRetransmits { retransmits: 0 },
                ..Default::default()
            });
            changes.add_channel(RELIABLE.to_owned());
        }
        if restart_ice {
            changes.ice_restart(true);
        }
        let mut mids = Vec::new();
        for line in lines {
            let kind = if line.kind == Kind::Audio { MediaKind::Audio } else { MediaKind::Video };
            let mut simulcast = Simulcast::new();
            line.rids.iter().for_each(|rid| simulcast.add_send_layer(SimulcastLayer::new(rid)));
            let simulcast = (!line.rids.is_empty()).then_some(simulcast);
            let stream = Some(line.track_id.clone());
            mids.push(changes.add_media(kind, Direction::SendOnly, stream.clone(), stream, simulcast));
        }
        let (offer, pending) = changes.apply()?;
        Some((offer.to_sdp_string(), Pending(pending), mids))
    }

    /// The server's answer to our offer.
    pub fn accept_answer(&mut self, pending: Pending, sdp: &str) -> Result<(), String> {
        let answer =
            SdpAnswer::from_sdp_string(sdp).map_err(|error| format!("the server's answer is wrong: {error}"))?;
        let accepted = self.rtc.sdp_api().accept_answer(pending.0, answer);
        accepted.map_err(|error| format!("the server's answer cannot be used: {error}"))?;
        self.payload_types.clear();
        self.is_described();
        Ok(())
    }

    fn is_described(&mut self) {
        self.described = true;
        for candidate in std::mem::take(&mut self.early) {
            self.rtc.add_remote_candidate(candidate);
        }
    }

    /// A trickled candidate: JSON as browsers make it. Those of other transports than UDP are passed over.
    pub fn add_candidate(&mut self, init: &str) -> Result<(), String> {
        #[derive(Deserialize)]
        struct Init {
            candidate: String,
        }
        let wrong = |error: &dyn std::fmt::Display| format!("the server's candidate is wrong: {error}");
        let init: Init = serde_json::from_str(init).map_err(|error| wrong(&error))?;
        let is_udp = init.candidate.split(' ').nth(2).is_some_and(|transport| transport.eq_ignore_ascii_case("udp"));
        if !is_udp {
            return Ok(());
        }
        let candidate = Candidate::from_sdp_string(&init.candidate).map_err(|error| wrong(&error))?;
        if self.described {
            self.rtc.add_remote_candidate(candidate);
        } else {
            self.early.push(candidate);
        }
        Ok(())
    }

    /// Publishes one packet. False if the line does not carry its codec. Call [`Peer::handle_timeout`] afterwards.
    pub fn write(&mut self, now: Instant, packet: Outgoing) -> bool {
        let Some(pt) = self.payload_type(packet.mid, packet.codec) else { return false };
        let mut direct = self.rtc.direct_api();
        let Some(stream) = direct.stream_tx_by_mid(packet.mid, packet.rid) else { return false };
        let level = ExtensionValues {
            audio_level: packet.level.map(|(dbov, _)| dbov),
            voice_activity: packet.level.map(|(_, voice)| voice),
            ..Default::default()
        };
        let write = RtpWrite::new(pt, packet.seq.into(), packet.ts, now, packet.payload)
            .marker(packet.marker)
            .nackable(packet.codec != Codec::Opus)
            .ext_vals(level);
        stream.write_rtp(write);
        true
    }

    /// Sizes what is kept for retransmission on a new video line.
    pub fn keep_for_resending(&mut self, mid: Mid, rids: &[&'static str]) {
        for rid in rids {
            if let Some(stream) = self.rtc.direct_api().stream_tx_by_mid(mid, Some(Rid::from(*rid))) {
                stream.set_rtx_cache(RTX_PACKETS, RTX_AGE, None);
            }
        }
    }

    /// Asks the server for a key frame, as a decoder that cannot go on does.
    pub fn request_keyframe(&mut self, mid: Mid) {
        if let Some(stream) = self.rtc.direct_api().stream_rx_by_mid(mid, None) {
            stream.request_keyframe(KeyframeRequestKind::Pli);
        }
    }

    /// Says goodbye on the wire.
    pub fn close(&mut self) {
        if self.failed.is_none() && self.rtc.close().is_ok() {
            self.handle_timeout(Instant::now(), &mut Vec::new());
        }
    }

    fn payload_type(&mut self, mid: Mid, codec: Codec) -> Option<Pt> {
        if let Some(known) = self.payload_types.get(&mid) {
            return *known;
        }
        let agreed = self.rtc.media(mid)?.remote_pts();
        let of_codec = |pt: &&Pt| {
            let params = self.rtc.codec_config().params().iter().find(|params| params.pt() == **pt);
            params.is_some_and(|params| {
                params.spec().codec == codec && params.spec().format.packetization_mode.unwrap_or(1) == 1
            })
        };
        let found = agreed.iter().find(of_codec).copied();
        self.payload_types.insert(mid, found);
        found
    }
}

/// The address by which the server was reached, first. A server on this machine may name its media by the machine's other address,
/// and waits a second for packets that come from an address it was not told.
fn addresses(reached_by: IpAddr) -> impl Iterator<Item = IpAddr> {
    let outward = reached_by.is_loopback().then(|| outward(reached_by)).flatten();
    std::iter::once(reached_by).chain(outward)
}

/// This machine's address on the way to others. Nothing is sent: the kernel only looks up the route.
fn outward(family: IpAddr) -> Option<IpAddr> {
    // Addresses of documentation: RFC 5737 and RFC 3849.
    let (any, elsewhere): (IpAddr, IpAddr) = match family {
        IpAddr::V4(_) => (Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(203, 0, 113, 1).into()),
        IpAddr::V6(_) => (Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into()),
    };
    let socket = std::net::UdpSocket::bind((any, 0)).ok()?;
    socket.connect((elsewhere, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|ip| !ip.is_loopback() && !ip.is_unspecified())
}
