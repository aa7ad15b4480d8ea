//! A stand-in for the media shard in worlds that are about state: it answers as a shard would, without packets. Offers are
//! lines of words: `track <cid> <kind>` for each m-line that the publisher sends on.

use livekit_protocol as proto;
use lyceum_sfu::{Command, ConnKey, Event, Kind, Lane, Target, TrackKey, TrackSpec};
use std::collections::BTreeMap;

/// What comes out of it.
#[derive(Clone, PartialEq, Debug)]
pub enum FromMedia {
    /// An event for the node.
    Event(Event),
    /// A message on a client's data channel.
    Data {
        /// The receiver.
        conn: ConnKey,
        /// The message.
        bytes: std::sync::Arc<[u8]>,
    },
}

/// Connections and tracks as a shard would know them.
#[derive(Default)]
pub struct FakeMedia {
    conns: BTreeMap<ConnKey, Conn>,
    tracks: BTreeMap<TrackKey, Track>,
}

#[derive(Default)]
struct Conn {
    expected: Vec<TrackSpec>,
    unmatched: Vec<(String, Kind)>,
    sending: BTreeMap<String, TrackKey>,
    publisher_up: bool,
    subscriber_up: bool,
    offers: u32,
    awaits_answer: bool,
    owes_offer: bool,
    restarts_ice: bool,
    receives: BTreeMap<TrackKey, String>,
}

struct Track {
    publisher: ConnKey,
    cids: Vec<String>,
    muted: bool,
}

impl FakeMedia {
    /// Does what a shard would do, and returns what it would tell.
    pub fn handle(&mut self, command: Command) -> Vec<FromMedia> {
        let mut out = Vec::new();
        match command {
            Command::Open { conn, .. } => {
                let opened = self.conns.insert(conn, Conn { owes_offer: true, ..Conn::default() });
                assert!(opened.is_none(), "{conn:?} is opened twice");
            }
            Command::Close { conn } => self.close(conn),
            Command::PublisherOffer { conn, offer_id, sdp } => self.publisher_offer(conn, offer_id, &sdp, &mut out),
            Command::SubscriberAnswer { conn, offer_id, .. } => {
                let Some(known) = self.conns.get_mut(&conn) else { return out };
                if known.awaits_answer && known.offers == offer_id {
                    known.awaits_answer = false;
                    if !known.subscriber_up {
                        known.subscriber_up = true;
                        out.push(FromMedia::Event(Event::Connected { conn, target: Target::Subscriber }));
                    }
                }
            }
            Command::ExpectTrack { conn, spec } => {
                if let Some(known) = self.conns.get_mut(&conn) {
                    self.tracks.insert(spec.key, Track { publisher: conn, cids: spec.cids.clone(), muted: spec.muted });
                    known.expected.push(spec);
                    known.matches(conn, &mut out);
                }
            }
            Command::DropTrack { track } => self.drop_track(track),
            Command::MuteTrack { track, muted } => {
                if let Some(track) = self.tracks.get_mut(&track) {
                    track.muted = muted;
                }
            }
            Command::Subscribe { conn, track, track_id, .. } => {
                if self.tracks.contains_key(&track)
                    && let Some(known) = self.conns.get_mut(&conn)
                {
                    known.receives.insert(track, track_id);
                    known.owes_offer = true;
                }
            }
            Command::Unsubscribe { conn, track } => {
                if let Some(known) = self.conns.get_mut(&conn) {
                    known.owes_offer |= known.receives.remove(&track).is_some();
                }
            }
            Command::SendData { to, bytes, .. } => {
                let there = to.into_iter().filter(|conn| self.conns.contains_key(conn));
                out.extend(there.map(|conn| FromMedia::Data { conn, bytes: bytes.clone() }));
            }
            Command::RestartIce { conn } => {
                if let Some(known) = self.conns.get_mut(&conn) {
                    (known.owes_offer, known.restarts_ice) = (true, true);
                }
            }
            Command::SyncOffer { conn, offer, answer } => {
                // An offer made since the client resumed is on its way to it, and waits for its answer.
                if let Some(known) = self.conns.get_mut(&conn).filter(|known| known.awaits_answer && known.restarts_ice)
                {
                    known.awaits_answer = false;
                    let was_answered = offer == format!("offer {}", known.offers) && !answer.is_empty();
                    if was_answered && !std::mem::replace(&mut known.subscriber_up, true) {
                        out.push(FromMedia::Event(Event::Connected { conn, target: Target::Subscriber }));
                    }
                }
            }
            Command::Fence { group, id } => out.push(FromMedia::Event(Event::Fenced { group, id })),
            Command::SetWish { .. } | Command::RemoteCandidate { .. } => {}
        }
        self.offers(&mut out);
        out
    }

    /// A message that a client sends on its data channel.
    pub fn data_from(&self, conn: ConnKey, packet: &proto::DataPacket) -> Option<Event> {
        let bytes = prost::Message::encode_to_vec(packet);
        self.conns.contains_key(&conn).then_some(Event::Data { conn, lane: Lane::Reliable, bytes })
    }

    /// The network under a client is gone.
    pub fn loses(&self, conn: ConnKey) -> Option<Event> {
        let why = "no ICE consent";
        self.conns.contains_key(&conn).then_some(Event::Disconnected {
            conn,
            target: Target::Subscriber,
            why,
            can_return: true,
        })
    }

    /// The ids of the tracks that a connection receives.
    pub fn received_by(&self, conn: ConnKey) -> Vec<String> {
        let mut tracks: Vec<String> =
            self.conns.get(&conn).map(|known| known.receives.values().cloned().collect()).unwrap_or_default();
        tracks.sort();
        tracks
    }

    /// Whether the track with this name is held back; `None` if there is none.
    pub fn is_muted(&self, cid: &str) -> Option<bool> {
        self.tracks.values().find(|track| track.cids.iter().any(|known| known == cid)).map(|track| track.muted)
    }

    /// Connections and tracks that are open.
    pub fn open(&self) -> (Vec<ConnKey>, Vec<TrackKey>) {
        (self.conns.keys().copied().collect(), self.tracks.keys().copied().collect())
    }

    /// The process is gone and everything with it.
    pub fn crashes(&mut self) {
        *self = Self::default();
    }

    fn publisher_offer(&mut self, conn: ConnKey, offer_id: u32, sdp: &str, out: &mut Vec<FromMedia>) {
        let Some(known) = self.conns.get_mut(&conn) else { return };
        let lines: Vec<(String, Kind)> = sdp.lines().filter_map(parse_line).collect();
        let gone: Vec<String> =
            known.sending.keys().filter(|cid| !lines.iter().any(|(line, _)| line == *cid)).cloned().collect();
        let mut ended = Vec::new();
        for cid in gone {
            ended.extend(known.sending.remove(&cid));
        }
        known.unmatched = lines.into_iter().filter(|(cid, _)| !known.sending.contains_key(cid)).collect();
        known.matches(conn, out);
        out.push(FromMedia::Event(Event::PublisherAnswer { conn, offer_id, sdp: format!("answer {offer_id}") }));
        if !known.publisher_up {
            known.publisher_up = true;
            out.push(FromMedia::Event(Event::Connected { conn, target: Target::Publisher }));
        }
        for track in ended {
            out.push(FromMedia::Event(Event::TrackEnded { conn, track }));
            self.drop_track(track);
        }
    }

    fn close(&mut self, conn: ConnKey) {
        self.conns.remove(&conn);
        let own: Vec<TrackKey> =
            self.tracks.iter().filter(|(_, track)| track.publisher == conn).map(|(key, _)| *key).collect();
        own.into_iter().for_each(|track| self.drop_track(track));
    }

    fn drop_track(&mut self, track: TrackKey) {
        self.tracks.remove(&track);
        for known in self.conns.values_mut() {
            known.sending.retain(|_, sent| *sent != track);
            known.expected.retain(|spec| spec.key != track);
            known.owes_offer |= known.receives.remove(&track).is_some();
        }
    }

    fn offers(&mut self, out: &mut Vec<FromMedia>) {
        for (conn, known) in &mut self.conns {
            if known.owes_offer && !known.awaits_answer {
                known.owes_offer = false;
                let restarts_ice = std::mem::take(&mut known.restarts_ice);
                known.awaits_answer = true;
                known.offers += 1;
                let mids = known.receives.keys().enumerate().map(|(mid, track)| (mid.to_string(), *track)).collect();
                let (offer_id, sdp) = (known.offers, format!("offer {}", known.offers));
                out.push(FromMedia::Event(Event::SubscriberOffer { conn: *conn, offer_id, sdp, mids, restarts_ice }));
            }
        }
    }
}

impl Conn {
    fn matches(&mut self, conn: ConnKey, out: &mut Vec<FromMedia>) {
        let lines = std::mem::take(&mut self.unmatched);
        for (cid, kind) in lines {
            let Some(found) = self.expected.iter().position(|spec| spec.cids.contains(&cid)) else {
                self.unmatched.push((cid, kind));
                continue;
            };
            let spec = self.expected.remove(found);
            let mid = self.sending.len().to_string();
            self.sending.insert(cid, spec.key);
            let mime_type = if kind == Kind::Audio { "audio/opus" } else { "video/VP8" };
            let layers = spec.layers.len().max(1);
            out.push(FromMedia::Event(Event::TrackMatched { conn, track: spec.key, mid, mime_type, layers }));
        }
    }
}

/// `track <cid> <kind>`
fn parse_line(line: &str) -> Option<(String, Kind)> {
    let mut words = line.split(' ').skip(1);
    let cid = words.next()?.to_owned();
    Some((cid, if words.next()? == "audio" { Kind::Audio } else { Kind::Video }))
}
