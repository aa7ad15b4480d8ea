//! Somebody who means ill, in a class of others: says anything at all, true and false, in any order, as often as they can. What
//! they do follows from a seed. They have real peers too, so that some of what they say is valid and takes effect.

use super::person::Kept;
use super::{MediaWorld, Who};
use livekit_protocol as proto;
use lyceum_node::Input;
use proto::signal_request::Message as Ask;
use proto::simulate_scenario::Scenario;
use std::time::Duration;
use str0m::media::MediaKind;

/// More than the rate of a client and its burst.
const FLOOD: usize = 700;
/// Data messages written in one tick of a flood.
const DATA_PER_TICK: usize = 100;
/// How long a flood of data lasts, in ticks.
const DATA_TICKS: usize = 60;
const NAME: &str = "mallory";

/// What a hostile one has done, for what must have been counted of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Deeds {
    /// Signals said while a socket was open.
    pub signals: u64,
    /// Data messages that went out.
    pub messages: u64,
    /// Sockets opened.
    pub sockets: u64,
}

/// The hostile one.
pub struct Hostile {
    who: Who,
    rng: fastrand::Rng,
    /// Ids and names to say: of people, sockets and tracks, true ones and others.
    names: Vec<String>,
    deeds: Deeds,
}

impl Hostile {
    /// Comes in as anybody would.
    pub fn joins(world: &mut MediaWorld, seed: u64) -> Self {
        let who = world.joins(NAME);
        world.people[who.0].kept = Some(Kept::default());
        Self {
            who,
            rng: fastrand::Rng::with_seed(seed),
            names: Vec::new(),
            deeds: Deeds { sockets: 1, ..Deeds::default() },
        }
    }

    /// What was done so far.
    pub fn deeds(&self) -> Deeds {
        self.deeds
    }

    /// Goes away for good, without a goodbye.
    pub fn is_gone(mut self, world: &mut MediaWorld) -> Deeds {
        world.people[self.who.0].devices.clear();
        self.vanishes(world);
        self.deeds
    }

    /// Does one thing, and lets the world go on for a moment.
    pub fn acts(&mut self, world: &mut MediaWorld) {
        self.learns(world);
        if world.people[self.who.0].client.is_none() {
            self.comes_back(world);
        }
        match self.rng.u8(..20) {
            0..=7 => {
                for _ in 0..self.rng.usize(1..20) {
                    let ask = self.anything(world);
                    self.says(world, ask);
                }
            }
            8 => self.floods(world),
            9 => self.floods_data(world),
            10..=12 => {
                let bytes = self.message();
                self.sends(world, &bytes);
            }
            13 | 14 => self.publishes(world),
            15 => {
                for _ in 0..50 {
                    let bytes = self.noise(1_300);
                    world.shard_gets(self.who, &bytes);
                }
            }
            16 => self.vanishes(world),
            17 => self.comes_back(world),
            _ => world.people[self.who.0].devices.clear(),
        }
        let moment = Duration::from_millis(self.rng.u64(5..60));
        world.runs(moment);
    }

    fn learns(&mut self, world: &MediaWorld) {
        let me = &world.people[self.who.0];
        self.names = vec![String::new(), "TR_none".into(), "PA_none".into(), "main".into(), "é".repeat(400)];
        self.names.extend(me.sid.clone());
        for info in me.roster.values() {
            self.names.extend([info.identity.clone(), info.sid.clone()]);
            self.names.extend(info.tracks.iter().map(|track| track.sid.clone()));
        }
        self.names.extend(me.devices.iter().filter_map(|device| device.sid.clone()));
    }

    /// Opens a socket: afresh, or to go on as somebody. One that is open already is left to itself.
    fn comes_back(&mut self, world: &mut MediaWorld) {
        self.deeds.sockets += 1;
        let mut join = crate::state::join_request(NAME, None);
        join.resume = self.rng.bool().then(|| self.name().as_str().into());
        (join.full_ice, join.adaptive_stream, join.auto_subscribe) =
            (self.rng.bool(), self.rng.bool(), self.rng.bool());
        world.opens_socket_with(self.who, join);
    }

    fn vanishes(&mut self, world: &mut MediaWorld) {
        if let Some(client) = world.people[self.who.0].client {
            world.people[self.who.0].loses_socket();
            let last_seen = world.wall();
            world.node_gets(Input::SocketClosed { client, last_seen });
        }
    }

    fn says(&mut self, world: &mut MediaWorld, ask: Option<Ask>) {
        let Some(client) = world.people[self.who.0].client else { return };
        self.deeds.signals += 1;
        world.node_gets(Input::Signal { client, request: Box::new(proto::SignalRequest { message: ask }) });
    }

    /// The same kind of thing over and over, faster than anybody may speak.
    fn floods(&mut self, world: &mut MediaWorld) {
        let kind = self.rng.u8(..);
        for _ in 0..FLOOD {
            let ask = match kind % 4 {
                0 => self.offer(world),
                1 => self.candidate(),
                2 => self.track(),
                _ => self.subscription(),
            };
            self.says(world, Some(ask));
        }
    }

    fn floods_data(&mut self, world: &mut MediaWorld) {
        for _ in 0..DATA_TICKS {
            for _ in 0..DATA_PER_TICK {
                self.sends(world, b"not a packet");
            }
            world.runs(super::TICK);
        }
    }

    fn sends(&mut self, world: &mut MediaWorld, bytes: &[u8]) {
        self.deeds.messages += u64::from(world.people[self.who.0].sends_bytes(bytes));
    }

    fn publishes(&mut self, world: &mut MediaWorld) {
        let (kind, now) = (if self.rng.bool() { MediaKind::Audio } else { MediaKind::Video }, world.now);
        let device = format!("device-{}", self.rng.u8(..6));
        if !world.people[self.who.0].devices.iter().any(|known| known.cid == device) {
            world.people[self.who.0].publishes(device, kind, now);
        }
    }

    #[allow(deprecated)] // Old clients still name receivers by sid.
    fn message(&mut self) -> Vec<u8> {
        let payload = self.noise(400);
        let user = proto::UserPacket { payload, destination_sids: vec![self.name()], ..Default::default() };
        let packet = proto::DataPacket {
            participant_identity: self.name(),
            participant_sid: self.name(),
            destination_identities: (0..self.rng.usize(..3)).map(|_| self.name()).collect(),
            sequence: self.rng.u32(..),
            value: Some(match self.rng.u8(..3) {
                0 => proto::data_packet::Value::User(user),
                1 => proto::data_packet::Value::Transcription(Default::default()),
                _ => proto::data_packet::Value::Metrics(Default::default()),
            }),
            ..Default::default()
        };
        match self.rng.u8(..4) {
            0 => self.noise(400),
            1 => vec![7; 65_000],
            _ => prost::Message::encode_to_vec(&packet),
        }
    }

    /// Any signal there is; `None` is one of a kind that nobody knows.
    #[allow(deprecated)] // `update_layers` is still understood.
    fn anything(&mut self, world: &MediaWorld) -> Option<Ask> {
        Some(match self.rng.u8(..26) {
            0 | 1 => self.offer(world),
            2 | 3 => Ask::Answer(self.description(world)),
            4 => self.candidate(),
            5 | 6 => self.track(),
            7 => Ask::Mute(proto::MuteTrackRequest { sid: self.name(), muted: self.rng.bool() }),
            8 | 9 => self.subscription(),
            10 | 11 => Ask::TrackSetting(proto::UpdateTrackSettings {
                track_sids: self.some_names(),
                disabled: self.rng.bool(),
                quality: self.rng.i32(..),
                width: self.number(),
                height: self.number(),
                fps: self.number(),
                priority: self.number(),
            }),
            12 => Ask::UpdateLayers(Default::default()),
            13 => Ask::SubscriptionPermission(proto::SubscriptionPermission {
                all_participants: self.rng.bool(),
                ..Default::default()
            }),
            14 | 15 => self.sync_state(world),
            16 => Ask::Simulate(proto::SimulateScenario { scenario: self.scenario() }),
            17 => Ask::Ping(self.rng.i64(..)),
            18 => Ask::PingReq(proto::Ping { timestamp: self.rng.i64(..), rtt: self.rng.i64(..) }),
            19 => Ask::UpdateMetadata(proto::UpdateParticipantMetadata {
                metadata: self.text(),
                name: self.text(),
                attributes: [(self.text(), self.text()), ("lyceum.presence".into(), self.name())].into(),
                request_id: self.number(),
            }),
            20 => Ask::UpdateAudioTrack(Default::default()),
            21 => Ask::UpdateVideoTrack(Default::default()),
            22 => Ask::PublishDataTrackRequest(Default::default()),
            23 => Ask::StoreDataBlobRequest(Default::default()),
            24 if self.rng.u8(..4) == 0 => Ask::Leave(Default::default()),
            _ => return None,
        })
    }

    fn offer(&mut self, world: &MediaWorld) -> Ask {
        Ask::Offer(self.description(world))
    }

    /// SDP that is none, or that was one: cut, with a byte changed, with lines twice or gone, of the other side, or from before.
    fn description(&mut self, world: &MediaWorld) -> proto::SessionDescription {
        let kept = world.people[self.who.0].kept.as_ref().map(|kept| kept.0.as_slice()).unwrap_or_default();
        let mut sdp = self.rng.choice(kept).cloned().unwrap_or_default();
        match self.rng.u8(..8) {
            0 => sdp = self.text(),
            1 => sdp = sdp.chars().take(self.rng.usize(..=sdp.len())).collect(),
            2 => {
                let mut bytes = sdp.into_bytes();
                if !bytes.is_empty() {
                    let at = self.rng.usize(..bytes.len());
                    bytes[at] = self.rng.u8(..);
                }
                sdp = String::from_utf8_lossy(&bytes).into_owned();
            }
            3 | 4 => {
                let keep: Vec<u8> = sdp.lines().map(|_| self.rng.u8(..30)).collect();
                let lines = sdp.lines().zip(keep).flat_map(|(line, keep)| {
                    std::iter::repeat_n(line, if keep == 0 { 0 } else { 1 + usize::from(keep == 1) })
                });
                sdp = lines.flat_map(|line| [line, "\r\n"]).collect();
            }
            5 => sdp = sdp.replace("sendonly", "recvonly"),
            6 => sdp = sdp.replace("a=mid:0", "a=mid:0123456789012345678901234567890"),
            _ => {}
        }
        let id = if self.rng.bool() { self.rng.u32(..6) } else { self.number() };
        proto::SessionDescription { r#type: self.name(), sdp, id, ..Default::default() }
    }

    fn candidate(&mut self) -> Ask {
        let candidate_init = match self.rng.u8(..4) {
            0 => self.text(),
            1 => r#"{"candidate":""}"#.to_owned(),
            2 => r#"{"candidate":"candidate:1 1 udp 1 256.1.1.1 0 typ host"}"#.to_owned(),
            _ => {
                let (host, port) = (self.rng.u8(..), self.rng.u16(..));
                format!(r#"{{"candidate":"candidate:1 1 udp 2130706431 10.9.9.{host} {port} typ host"}}"#)
            }
        };
        Ask::Trickle(proto::TrickleRequest { candidate_init, target: self.rng.i32(-1..3), ..Default::default() })
    }

    fn track(&mut self) -> Ask {
        let layer = |rng: &mut fastrand::Rng| proto::VideoLayer {
            quality: rng.i32(-1..5),
            width: rng.u32(..),
            height: rng.u32(..),
            ssrc: rng.u32(..),
            ..Default::default()
        };
        let codec = proto::SimulcastCodec { codec: self.text(), cid: self.name(), ..Default::default() };
        Ask::AddTrack(proto::AddTrackRequest {
            cid: if self.rng.bool() { self.text() } else { format!("device-{}", self.rng.u8(..6)) },
            name: self.text(),
            r#type: self.rng.i32(-1..4),
            width: self.number(),
            height: self.number(),
            muted: self.rng.bool(),
            source: self.rng.i32(-1..7),
            layers: (0..self.rng.usize(..9)).map(|_| layer(&mut self.rng)).collect(),
            simulcast_codecs: vec![codec; self.rng.usize(..5)],
            sid: if self.rng.bool() { self.name() } else { String::new() },
            stream: self.text(),
            encryption: self.rng.i32(..),
            backup_codec_policy: self.rng.i32(..),
            audio_features: vec![self.rng.i32(..); 3],
            ..Default::default()
        })
    }

    fn subscription(&mut self) -> Ask {
        let track_sids = self.some_names();
        let of = proto::ParticipantTracks { participant_sid: self.name(), track_sids: self.some_names() };
        Ask::Subscription(proto::UpdateSubscription {
            track_sids,
            subscribe: self.rng.bool(),
            participant_tracks: vec![of],
        })
    }

    fn sync_state(&mut self, world: &MediaWorld) -> Ask {
        let subscription = match self.subscription() {
            Ask::Subscription(subscription) => Some(subscription),
            _ => None,
        };
        let receives =
            |name: String, sequence| proto::DataChannelReceiveState { publisher_sid: name, last_seq: sequence };
        Ask::SyncState(proto::SyncState {
            answer: self.rng.bool().then(|| self.description(world)),
            offer: self.rng.bool().then(|| self.description(world)),
            subscription,
            track_sids_disabled: self.some_names(),
            publish_tracks: vec![
                proto::TrackPublishedResponse {
                    cid: self.text(),
                    track: Some(proto::TrackInfo { sid: self.name(), ..Default::default() })
                };
                self.rng.usize(..4)
            ],
            datachannel_receive_states: vec![receives(self.name(), self.rng.u32(..)), receives(self.name(), 0)],
            ..Default::default()
        })
    }

    fn scenario(&mut self) -> Option<Scenario> {
        Some(match self.rng.u8(..9) {
            0 => Scenario::SpeakerUpdate(self.rng.i32(..)),
            1 => Scenario::NodeFailure(true),
            2 => Scenario::Migration(true),
            3 => Scenario::ServerLeave(true),
            4 => Scenario::SwitchCandidateProtocol(self.rng.i32(-1..4)),
            5 => Scenario::SubscriberBandwidth(self.rng.i64(..)),
            6 => Scenario::DisconnectSignalOnResume(true),
            7 => Scenario::LeaveRequestFullReconnect(true),
            _ => return None,
        })
    }

    fn name(&mut self) -> String {
        self.rng.choice(&self.names).cloned().unwrap_or_default()
    }

    fn some_names(&mut self) -> Vec<String> {
        let how_many = if self.rng.u8(..20) == 0 { 1_500 } else { self.rng.usize(..12) };
        (0..how_many).map(|_| self.name()).collect()
    }

    fn number(&mut self) -> u32 {
        *self.rng.choice(&[0, 1, 2, 640, u32::MAX - 1, u32::MAX]).unwrap_or(&0)
    }

    fn text(&mut self) -> String {
        match self.rng.u8(..12) {
            0 => "x".repeat(300_000),
            1 => "\u{0}\r\na=\u{202e}".to_owned(),
            2 => self.name(),
            _ => (0..self.rng.usize(..40)).map(|_| self.rng.char(..)).collect(),
        }
    }

    fn noise(&mut self, up_to: usize) -> Vec<u8> {
        (0..self.rng.usize(..up_to)).map(|_| self.rng.u8(..)).collect()
    }
}
