//! A learner's own microphone and camera: how they are announced, and when their next packets are due.

use crate::clip::{FRAME_EVERY, LAYERS, Picture, Speech, VideoCodec, Voice};
use crate::peer::{Kind, Mid, NewLine, Outgoing, Peer, PeerEvent, Rid};
use livekit_protocol::{
    AddTrackRequest, SimulcastCodec, SubscribedQualityUpdate, TrackSource, TrackType, VideoLayer, VideoQuality,
    video_layer,
};
use std::time::{Duration, Instant};
use str0m::format::Codec;

/// When this program is behind by more, it leaves out what it should have sent.
const BEHIND_MAX: Duration = Duration::from_millis(500);

/// One published track.
#[derive(Debug)]
pub struct Source {
    pub cid: String,
    /// As the server named the track.
    pub sid: Option<String>,
    mid: Option<Mid>,
    pub muted: bool,
    content: Content,
    due: Instant,
    /// RTP numbers by layer.
    seqs: [u64; 3],
    /// Layers that somebody looks at, smallest first.
    wanted: [bool; 3],
}

#[derive(Debug)]
enum Content {
    Microphone(Voice),
    Camera(VideoCodec, [Picture; 3]),
}

/// What [`Source::send`] has done.
#[derive(Clone, Copy, Default, Debug)]
pub struct Sent {
    pub packets: u64,
    pub late: u64,
}

impl Source {
    pub fn microphone(publisher: u16, speech: Speech, muted: bool) -> Self {
        Self::new("mic", Content::Microphone(Voice::new(publisher, speech)), muted)
    }

    pub fn camera(publisher: u16, codec: VideoCodec) -> Self {
        let pictures = [0, 1, 2].map(|layer| Picture::new(publisher, layer, codec));
        Self::new("cam", Content::Camera(codec, pictures), false)
    }

    fn new(cid: &str, content: Content, muted: bool) -> Self {
        let due = Instant::now();
        let cid = cid.to_owned();
        Self { cid, sid: None, mid: None, muted, content, due, seqs: [1_000; 3], wanted: [true; 3] }
    }

    pub fn kind(&self) -> Kind {
        if matches!(self.content, Content::Microphone(_)) { Kind::Audio } else { Kind::Video }
    }

    /// The announcement.
    pub fn request(&self) -> AddTrackRequest {
        let cid = self.cid.clone();
        match &self.content {
            Content::Microphone(_) => AddTrackRequest {
                cid,
                name: "microphone".to_owned(),
                r#type: TrackType::Audio as i32,
                source: TrackSource::Microphone as i32,
                muted: self.muted,
                disable_red: true,
                ..Default::default()
            },
            Content::Camera(codec, _) => {
                let top = LAYERS[LAYERS.len() - 1];
                let simulcast = SimulcastCodec {
                    codec: codec.name().to_owned(),
                    cid: cid.clone(),
                    layers: layers(),
                    video_layer_mode: video_layer::Mode::OneSpatialLayerPerStream as i32,
                };
                AddTrackRequest {
                    cid,
                    name: "camera".to_owned(),
                    r#type: TrackType::Video as i32,
                    source: TrackSource::Camera as i32,
                    width: top.width,
                    height: top.height,
                    layers: layers(),
                    simulcast_codecs: vec![simulcast],
                    ..Default::default()
                }
            }
        }
    }

    /// The line that it needs.
    pub fn line(&self) -> NewLine {
        let rids = match self.kind() {
            Kind::Audio => Vec::new(),
            Kind::Video => LAYERS.iter().map(|layer| layer.rid).collect(),
        };
        NewLine { kind: self.kind(), track_id: self.cid.clone(), rids }
    }

    /// The line that it got; sending begins `after` a while, so that not all publishers send at the same moments.
    pub fn starts_on(&mut self, mid: Mid, now: Instant, after: Duration, peer: &mut Peer) {
        self.mid = Some(mid);
        self.due = now + after;
        if self.kind() == Kind::Video {
            peer.keep_for_resending(mid, &self.line().rids);
        }
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.mid.map(|_| self.due)
    }

    pub fn wants_keyframe(&mut self, mid: Mid, rid: Option<Rid>) {
        if self.mid != Some(mid) {
            return;
        }
        if let Content::Camera(_, pictures) = &mut self.content {
            for (picture, layer) in pictures.iter_mut().zip(LAYERS) {
                if rid.is_none_or(|rid| rid == Rid::from(layer.rid)) {
                    picture.wants_keyframe();
                }
            }
        }
    }

    /// Which qualities anybody looks at.
    pub fn quality_wanted(&mut self, update: &SubscribedQualityUpdate) {
        let Content::Camera(codec, _) = &self.content else { return };
        let ours = update.subscribed_codecs.iter().find(|of| of.codec.eq_ignore_ascii_case(codec.name()));
        for quality in ours.iter().flat_map(|codec| &codec.qualities) {
            let layer = match VideoQuality::try_from(quality.quality) {
                Ok(VideoQuality::Low) => 0,
                Ok(VideoQuality::Medium) => 1,
                Ok(VideoQuality::High) => 2,
                _ => continue,
            };
            self.wanted[layer] = quality.enabled;
        }
    }

    /// Sends what is due.
    pub fn send(&mut self, now: Instant, peer: &mut Peer, events: &mut Vec<PeerEvent>) -> Sent {
        let mut sent = Sent::default();
        let Some(mid) = self.mid else { return sent };
        let every = match self.content {
            Content::Microphone(_) => FRAME_EVERY,
            Content::Camera(..) => Picture::FRAME_EVERY,
        };
        while self.due <= now {
            let behind = now.saturating_duration_since(self.due);
            self.due += every;
            if behind > BEHIND_MAX {
                sent.late += 1;
                continue;
            }
            for packet in self.packets(mid) {
                sent.packets += u64::from(peer.write(now, packet));
                peer.handle_timeout(now, events);
            }
        }
        sent
    }

    fn packets(&mut self, mid: Mid) -> Vec<Outgoing> {
        match &mut self.content {
            Content::Microphone(voice) => {
                let spoken = voice.next().filter(|_| !self.muted);
                let packet = spoken.map(|spoken| {
                    self.seqs[0] += 1;
                    Outgoing {
                        mid,
                        rid: None,
                        codec: Codec::Opus,
                        seq: self.seqs[0],
                        ts: spoken.ts,
                        marker: spoken.starts,
                        level: Some((spoken.level_dbov, spoken.speaking)),
                        payload: spoken.payload,
                    }
                });
                packet.into_iter().collect()
            }
            Content::Camera(codec, pictures) => {
                let codec = if *codec == VideoCodec::Vp8 { Codec::Vp8 } else { Codec::H264 };
                let mut packets = Vec::new();
                for (layer, picture) in pictures.iter_mut().enumerate() {
                    if self.muted || !self.wanted[layer] {
                        picture.skip();
                        continue;
                    }
                    let frame = picture.next();
                    let last = frame.payloads.len() - 1;
                    for (at, payload) in frame.payloads.into_iter().enumerate() {
                        self.seqs[layer] += 1;
                        packets.push(Outgoing {
                            mid,
                            rid: Some(Rid::from(LAYERS[layer].rid)),
                            codec,
                            seq: self.seqs[layer],
                            ts: frame.ts,
                            marker: at == last,
                            level: None,
                            payload,
                        });
                    }
                }
                packets
            }
        }
    }
}

fn layers() -> Vec<VideoLayer> {
    let qualities = [VideoQuality::Low, VideoQuality::Medium, VideoQuality::High];
    let layer = |(at, (layer, quality)): (usize, (&crate::clip::Layer, VideoQuality))| VideoLayer {
        quality: quality as i32,
        width: layer.width,
        height: layer.height,
        bitrate: layer.bits_per_s,
        spatial_layer: at as i32,
        rid: layer.rid.to_owned(),
        ..Default::default()
    };
    LAYERS.iter().zip(qualities).enumerate().map(layer).collect()
}
