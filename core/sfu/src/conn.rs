//! One client connection on a shard: its two peers, what it publishes, what it receives, the offers it is owed, and the data
//! that waits for its channel.

use crate::allocator::{Allocator, Grant};
use crate::api::{ConnKey, GroupKey, Kind, Lane, Target, TrackKey, TrackSpec, Wish};
use crate::demux::PeerId;
use crate::forwarder::Forwarder;
use crate::peer::{Addresses, Certificate, Line, Mid, NewLine, Peer, Pending, Transport};
use crate::sdp::{Carried, OpusShape, Shape, shape_offer, version, with_version};
use crate::track::Track;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a client may take to answer an offer before its connection counts as broken.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// How long an m-line waits for a track announced under its own id before it is given to the first of its kind.
const EXACT_MATCH_WITHIN: Duration = Duration::from_millis(300);
/// Addresses remembered per peer; a client that roams further forgets its first.
const ADDRESSES_MAX: usize = 16;
/// Lines of a kind beyond the most that were ever wanted at once. They let a track that returns begin on another line than the one it
/// left, and let new tracks begin while lines that ended are still being silenced.
const SPARE_LINES: usize = 8;
/// Muted microphones that have a line each. Others get theirs when they are first unmuted: every line costs the receiver and us something
/// for each packet, and in a large class nearly all microphones stay muted.
const MUTED_LINES: usize = 25;
/// This many offers may follow one another at once; then they keep a distance, so that a rush of joins makes few of them.
const RAPID_OFFERS: u32 = 3;
const OFFER_EVERY: Duration = Duration::from_millis(150);
/// Reliable data that may wait for one receiver.
const BACKLOG_MAX_BYTES: usize = 16 * 1024 * 1024;
/// Reliable data handed to one receiver's channel at a time, so that a file never stands before a voice.
const BACKLOG_BURST_BYTES: usize = 32 * 1024;

#[derive(Debug)]
pub(crate) struct Conn {
    pub key: ConnKey,
    pub group: GroupKey,
    pub publisher: Slot,
    pub subscriber: Slot,
    /// Tracks announced but not yet seen in an offer.
    pub expected: Vec<TrackSpec>,
    /// M-lines seen in an offer but not yet announced.
    unmatched: Vec<(Line, Instant)>,
    /// What it publishes, by m-line.
    pub published: BTreeMap<Mid, TrackKey>,
    pub subscriptions: BTreeMap<TrackKey, Subscription>,
    pub negotiation: Negotiation,
    pub allocator: Allocator,
    backlog: VecDeque<Arc<[u8]>>,
    backlog_bytes: usize,
}

/// A peer with what the shard keeps about it.
#[derive(Debug)]
pub(crate) struct Slot {
    pub peer: Peer,
    /// When it wants to be called again, as entered in the shard's timers.
    pub wake: Option<Instant>,
    /// Whether it is on the shard's list of peers to flush.
    pub dirty: bool,
    /// Whether its end has been told.
    pub gone_told: bool,
    pub addresses: VecDeque<(Transport, SocketAddr)>,
    /// When the caller was last told how the network does.
    pub network_told: Option<Instant>,
    /// The ICE user name fragment of the last restart, if there was one.
    pub restarted_ufrag: Option<String>,
}

/// What this connection receives of one track.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub kind: Kind,
    stereo: bool,
    pub stream_id: String,
    pub track_id: String,
    pub wish: Wish,
    /// What the network allows.
    pub grant: Grant,
    pub forwarder: Forwarder,
    /// The m-line offered for it, answered or not.
    offered: Option<Mid>,
    /// The m-line once the client has agreed to it.
    pub live: Option<Mid>,
}

/// Offers for the subscriber peer: one at a time, changes meanwhile coalesced.
#[derive(Debug, Default)]
pub(crate) struct Negotiation {
    last_offer_id: u32,
    outstanding: Option<Outstanding>,
    last_offer_at: Option<Instant>,
    /// Offers that followed the one before without keeping distance.
    rapid_offers: u32,
    channels_offered: bool,
    /// The next offer restarts ICE.
    pub restart_ice: bool,
    /// Lines whose subscription has ended; the next offer silences them.
    ended: Vec<FreeLine>,
    /// Lines whose subscription ended before the client had agreed to them.
    ended_early: Vec<FreeLine>,
    /// Silent lines, to be used again: m-lines can not be taken back, and each costs.
    free: Vec<FreeLine>,
    audio: LineCount,
    video: LineCount,
}

/// How many lines of one kind there are. They are never fewer.
#[derive(Debug, Default)]
struct LineCount {
    lines: usize,
    /// The most that were wanted at once.
    most_wanted: usize,
}

/// A line without a subscription. Its forwarder stays with it: the stream that the client has seen there must continue.
#[derive(Debug)]
struct FreeLine {
    mid: Mid,
    kind: Kind,
    /// What it carried last.
    last: TrackKey,
    forwarder: Forwarder,
}

/// Where a track that has no line goes.
enum Place {
    /// The free line at this index.
    Free(usize),
    New,
    /// Lines are being silenced: one of them will do, with the next offer.
    Later,
}

#[derive(Debug)]
struct Outstanding {
    offer_id: u32,
    pending: Pending,
    /// Lines that begin to carry a track with it, and what those carried last that are not new.
    begun: Vec<(Mid, Option<TrackKey>)>,
    /// Lines that it silences.
    silenced: Vec<FreeLine>,
    /// Whether it opens the data channels.
    with_channels: bool,
    since: Instant,
}

/// What [`Conn::poll_offer`] says.
#[derive(Debug)]
pub(crate) enum Owed {
    Nothing,
    Offer(Offer),
    /// An offer, but not before this time.
    At(Instant),
}

/// An offer to send.
#[derive(Debug)]
pub(crate) struct Offer {
    pub offer_id: u32,
    pub sdp: String,
    pub mids: Vec<(String, TrackKey)>,
    pub restarts_ice: bool,
}

/// A track whose m-line was found.
#[derive(Debug)]
pub(crate) struct Matched {
    pub spec: TrackSpec,
    pub line: Line,
}

impl Slot {
    /// Remembers where the peer was heard from; returns the address that is forgotten for it.
    pub(crate) fn remember(&mut self, transport: Transport, source: SocketAddr) -> Option<(Transport, SocketAddr)> {
        self.addresses.push_back((transport, source));
        if self.addresses.len() > ADDRESSES_MAX { self.addresses.pop_front() } else { None }
    }
}

impl Subscription {
    pub(crate) fn new(track: &Track, stream_id: String, track_id: String, wish: Wish) -> Self {
        Self {
            kind: track.kind,
            stereo: track.stereo,
            stream_id,
            track_id,
            wish,
            grant: Grant::UpTo(usize::MAX),
            forwarder: Forwarder::new(track.kind.clock_hz()),
            offered: None,
            live: None,
        }
    }

    fn carried(&self) -> Carried {
        Carried { stream_id: self.stream_id.clone(), track_id: self.track_id.clone(), stereo: self.stereo }
    }
}

impl Conn {
    pub(crate) fn new(
        now: Instant,
        key: ConnKey,
        group: GroupKey,
        full_ice: bool,
        certificate: &Certificate,
        addresses: &Addresses,
    ) -> Self {
        let slot = |target| Slot {
            peer: Peer::new(now, PeerId { conn: key, target }, certificate, addresses, full_ice),
            wake: None,
            dirty: false,
            gone_told: false,
            addresses: VecDeque::new(),
            network_told: None,
            restarted_ufrag: None,
        };
        Self {
            key,
            group,
            publisher: slot(Target::Publisher),
            subscriber: slot(Target::Subscriber),
            expected: Vec::new(),
            unmatched: Vec::new(),
            published: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            negotiation: Negotiation::default(),
            allocator: Allocator::default(),
            backlog: VecDeque::new(),
            backlog_bytes: 0,
        }
    }

    pub(crate) fn slot(&mut self, target: Target) -> &mut Slot {
        match target {
            Target::Publisher => &mut self.publisher,
            Target::Subscriber => &mut self.subscriber,
        }
    }

    /// Accepts the client's offer. Returns our answer, the tracks whose m-lines were found, and the m-lines of tracks that ended.
    pub(crate) fn accept_offer(
        &mut self,
        now: Instant,
        sdp: &str,
    ) -> Result<(String, Vec<Matched>, Vec<TrackKey>), String> {
        let Self { publisher, expected, unmatched, published, .. } = self;
        let mut matched = Vec::new();
        let mut ended = Vec::new();
        let answer = publisher.peer.accept_offer(sdp, |lines| {
            published.retain(|mid, track| {
                let goes_on = lines.iter().any(|line| line.mid == *mid && line.sending);
                if !goes_on {
                    ended.push(*track);
                }
                goes_on
            });
            unmatched.retain(|(known, _)| lines.iter().any(|line| line.mid == known.mid && line.sending));
            for line in lines.iter().filter(|line| line.sending) {
                if published.contains_key(&line.mid) {
                    continue;
                }
                match take_exact(expected, line) {
                    Some(spec) => {
                        unmatched.retain(|(known, _)| known.mid != line.mid);
                        published.insert(line.mid, spec.key);
                        matched.push(Matched { spec, line: line.clone() });
                    }
                    None if unmatched.iter().any(|(known, _)| known.mid == line.mid) => {}
                    None => unmatched.push((line.clone(), now)),
                }
            }
            lines
                .iter()
                .map(|line| {
                    shape(line, matched.iter().find(|found| found.line.mid == line.mid).map(|found| &found.spec))
                })
                .collect()
        })?;
        Ok((answer, matched, ended))
    }

    /// A track is announced; it may have been in an offer already.
    pub(crate) fn expect(&mut self, spec: TrackSpec) -> Option<Matched> {
        let exact = self.unmatched.iter().position(|(line, _)| spec.cids.contains(&line.track_id));
        match exact {
            Some(at) => {
                let (line, _) = self.unmatched.remove(at);
                self.published.insert(line.mid, spec.key);
                Some(Matched { spec, line })
            }
            None => {
                self.expected.push(spec);
                None
            }
        }
    }

    /// Gives m-lines that nobody announced under their own id to announced tracks of the same kind: some browsers rename tracks.
    pub(crate) fn match_by_kind(&mut self, now: Instant) -> Vec<Matched> {
        let mut matched = Vec::new();
        let Self { expected, unmatched, published, .. } = self;
        unmatched.retain(|(line, since)| {
            if now.saturating_duration_since(*since) < EXACT_MATCH_WITHIN {
                return true;
            }
            let Some(at) = expected.iter().position(|spec| spec.kind == line.kind) else { return true };
            let spec = expected.remove(at);
            published.insert(line.mid, spec.key);
            matched.push(Matched { spec, line: line.clone() });
            false
        });
        matched
    }

    /// Ends a subscription; its m-line is freed with the next offer.
    pub(crate) fn unsubscribe(&mut self, track: TrackKey) -> bool {
        let Some(mut subscription) = self.subscriptions.remove(&track) else { return false };
        let Some(mid) = subscription.offered else { return true };
        subscription.forwarder.aim(None);
        let line = FreeLine { mid, kind: subscription.kind, last: track, forwarder: subscription.forwarder };
        match subscription.live {
            Some(_) => self.negotiation.ended.push(line),
            None => self.negotiation.ended_early.push(line),
        }
        true
    }

    /// The next offer, if one is owed and none is outstanding.
    pub(crate) fn poll_offer(&mut self, now: Instant, is_muted: impl Fn(TrackKey) -> bool) -> Owed {
        if self.negotiation.outstanding.is_some() {
            return Owed::Nothing;
        }
        let wanted = self.wanted_lines(is_muted);
        let negotiation = &mut self.negotiation;
        let at_once = !negotiation.channels_offered || negotiation.restart_ice;
        if wanted.is_empty() && negotiation.ended.is_empty() && !at_once {
            return Owed::Nothing;
        }
        if !at_once && let Some(at) = negotiation.not_before().filter(|at| *at > now) {
            return Owed::At(at);
        }
        self.offer(now, wanted).map_or(Owed::Nothing, Owed::Offer)
    }

    /// The subscriptions that have no line and should get one.
    fn wanted_lines(&self, is_muted: impl Fn(TrackKey) -> bool) -> Vec<TrackKey> {
        let may_wait = |track: &TrackKey, held: &Subscription| held.kind == Kind::Audio && is_muted(*track);
        let (with, without): (Vec<_>, Vec<_>) = self.subscriptions.iter().partition(|(_, held)| held.offered.is_some());
        let muted = with.iter().filter(|(track, held)| may_wait(track, held)).count();
        let mut left = MUTED_LINES.saturating_sub(muted);
        let wanted = without.into_iter().filter(|(track, held)| {
            let waits = may_wait(track, held);
            let fits = !waits || left > 0;
            left -= usize::from(waits && fits);
            fits
        });
        wanted.map(|(track, _)| *track).collect()
    }

    fn offer(&mut self, now: Instant, wanted: Vec<TrackKey>) -> Option<Offer> {
        let negotiation = &mut self.negotiation;
        let mut reused = Vec::new();
        let mut added = Vec::new();
        let mut lines = Vec::new();
        for kind in [Kind::Audio, Kind::Video] {
            let held = self.subscriptions.values().filter(|held| held.kind == kind && held.offered.is_some()).count();
            let new = wanted.iter().filter(|track| self.subscriptions[*track].kind == kind).count();
            let count = negotiation.count(kind);
            count.most_wanted = count.most_wanted.max(held + new);
        }
        for track in wanted {
            let Some(subscription) = self.subscriptions.get_mut(&track) else { continue };
            match negotiation.place(track, subscription.kind) {
                Place::Free(at) => {
                    let line = negotiation.free.swap_remove(at);
                    subscription.forwarder = line.forwarder;
                    subscription.offered = Some(line.mid);
                    reused.push((line.mid, Some(line.last)));
                }
                Place::New => {
                    negotiation.count(subscription.kind).lines += 1;
                    added.push(track);
                    lines.push(NewLine {
                        kind: subscription.kind,
                        stream_id: subscription.stream_id.clone(),
                        track_id: subscription.track_id.clone(),
                    });
                }
                Place::Later => {}
            }
        }
        let silenced = std::mem::take(&mut negotiation.ended);
        // A free line may have been in an offer that was given up.
        let silence: Vec<Mid> = silenced.iter().chain(&negotiation.free).map(|line| line.mid).collect();
        let reuse: Vec<Mid> = reused.iter().map(|(mid, _)| *mid).collect();
        let with_channels = !negotiation.channels_offered;
        negotiation.channels_offered = true;
        let restart_ice = std::mem::take(&mut negotiation.restart_ice);
        let offered = self.subscriber.peer.offer(with_channels, restart_ice, &silence, &reuse, &lines);
        let Some((sdp, pending, mids)) = offered else {
            // The client had silenced them itself.
            negotiation.free.extend(silenced);
            return None;
        };
        for (track, mid) in added.iter().zip(&mids) {
            if let Some(subscription) = self.subscriptions.get_mut(track) {
                subscription.offered = Some(*mid);
            }
        }
        negotiation.note_offer(now);
        negotiation.last_offer_id += 1;
        let offer_id = negotiation.last_offer_id;
        let begun = reused.into_iter().chain(mids.into_iter().map(|mid| (mid, None))).collect();
        negotiation.outstanding = Some(Outstanding { offer_id, pending, begun, silenced, with_channels, since: now });
        let carried = || self.subscriptions.iter().filter_map(|(track, held)| Some((held.offered?, *track, held)));
        let lines = carried().map(|(mid, _, held)| (mid.to_string(), held.carried())).collect();
        let mids = carried().map(|(mid, track, _)| (mid.to_string(), track)).collect();
        let sdp = with_version(&shape_offer(&sdp, &lines), offer_id);
        Some(Offer { offer_id, sdp, mids, restarts_ice: restart_ice })
    }

    /// The next offer restarts ICE. If one waits for its answer, that or [`Conn::sync_offer`] comes first.
    pub(crate) fn restart_ice(&mut self) {
        self.negotiation.restart_ice = true;
        self.publisher.gone_told = false;
        self.subscriber.gone_told = false;
    }

    /// What the client has of the subscriber peer: the last offer that it took, and its answer. If that is the offer that waits here,
    /// its answer was lost with the network and counts now. If not, the offer was lost, and what it would have changed goes into
    /// the next. An offer made since the client resumed is neither: it is on its way. Returns the tracks that can flow from now on.
    pub(crate) fn sync_offer(&mut self, offer: &str, answer: &str) -> Result<Vec<TrackKey>, String> {
        let from_before = self.negotiation.restart_ice;
        let Some(waiting) = self.negotiation.outstanding.as_ref().filter(|_| from_before) else {
            return Ok(Vec::new());
        };
        let offer_id = waiting.offer_id;
        if version(offer) == Some(offer_id) {
            return self.accept_answer(offer_id, answer).map(Option::unwrap_or_default);
        }
        self.give_up_offer();
        Ok(Vec::new())
    }

    fn give_up_offer(&mut self) {
        let Some(lost) = self.negotiation.outstanding.take() else { return };
        if lost.with_channels {
            self.negotiation.channels_offered = false;
            self.subscriber.peer.forget_channels();
        }
        for (mid, last) in lost.begun {
            let owner = self.subscriptions.values_mut().find(|subscription| subscription.offered == Some(mid));
            let ended = self.negotiation.ended_early.iter().position(|line| line.mid == mid);
            let (kind, forwarder) = match (owner, ended) {
                (Some(subscription), _) => {
                    subscription.offered = None;
                    let fresh = Forwarder::new(subscription.kind.clock_hz());
                    (subscription.kind, std::mem::replace(&mut subscription.forwarder, fresh))
                }
                (None, Some(at)) => {
                    let line = self.negotiation.ended_early.remove(at);
                    (line.kind, line.forwarder)
                }
                (None, None) => continue,
            };
            match last {
                // It was to be used again, and is silent still.
                Some(last) => self.negotiation.free.push(FreeLine { mid, kind, last, forwarder }),
                // It was to be new, and has never been.
                None => self.negotiation.count(kind).lines -= 1,
            }
        }
        self.negotiation.ended.extend(lost.silenced);
    }

    /// The client's answer. Returns the tracks that can flow from now on; `None` if the answer is for an older offer.
    pub(crate) fn accept_answer(&mut self, offer_id: u32, sdp: &str) -> Result<Option<Vec<TrackKey>>, String> {
        // Clients that do not number their answers send 0.
        let Some(outstanding) =
            self.negotiation.outstanding.take_if(|waiting| offer_id == 0 || waiting.offer_id == offer_id)
        else {
            return Ok(None);
        };
        self.subscriber.peer.accept_answer(outstanding.pending, sdp)?;
        let mut live = Vec::new();
        for (mid, _) in outstanding.begun {
            let owner = self.subscriptions.iter_mut().find(|(_, subscription)| subscription.offered == Some(mid));
            if let Some((track, subscription)) = owner {
                self.subscriber.peer.prepare_to_send(mid, subscription.kind);
                subscription.live = Some(mid);
                live.push(*track);
            }
        }
        self.negotiation.free.extend(outstanding.silenced);
        let ended_early = std::mem::take(&mut self.negotiation.ended_early);
        self.negotiation.ended.extend(ended_early);
        Ok(Some(live))
    }

    /// Whether an offer has waited too long for its answer.
    pub(crate) fn answer_overdue(&self, now: Instant) -> bool {
        let outstanding = self.negotiation.outstanding.as_ref();
        outstanding.is_some_and(|offer| now.saturating_duration_since(offer.since) > ANSWER_WITHIN)
    }

    /// Sends or queues one message. False if a reliable one had to be dropped.
    pub(crate) fn send_data(&mut self, lane: Lane, bytes: &Arc<[u8]>) -> bool {
        match lane {
            Lane::Lossy => {
                self.subscriber.peer.send_data(lane, bytes);
                true
            }
            Lane::Reliable => {
                if self.backlog_bytes + bytes.len() > BACKLOG_MAX_BYTES {
                    return false;
                }
                self.backlog_bytes += bytes.len();
                self.backlog.push_back(bytes.clone());
                true
            }
        }
    }

    /// Hands waiting reliable messages to the channel, as far as it takes them. True if something was written.
    pub(crate) fn flush_data(&mut self) -> bool {
        let mut written = 0;
        while let Some(message) = self.backlog.front() {
            if written >= BACKLOG_BURST_BYTES || !self.subscriber.peer.send_data(Lane::Reliable, message) {
                break;
            }
            written += message.len().max(1);
            self.backlog_bytes -= message.len();
            self.backlog.pop_front();
        }
        written > 0
    }

    /// Whether messages wait for the channel.
    pub(crate) fn has_backlog(&self) -> bool {
        !self.backlog.is_empty()
    }
}

impl Negotiation {
    /// When the next offer may be made, if that is restricted.
    fn not_before(&self) -> Option<Instant> {
        self.last_offer_at.filter(|_| self.rapid_offers >= RAPID_OFFERS).map(|last| last + OFFER_EVERY)
    }

    fn note_offer(&mut self, now: Instant) {
        let last = self.last_offer_at.replace(now);
        let rapid = last.is_some_and(|last| now.saturating_duration_since(last) <= OFFER_EVERY);
        self.rapid_offers = if rapid { self.rapid_offers + 1 } else { 0 };
    }

    fn count(&mut self, kind: Kind) -> &mut LineCount {
        match kind {
            Kind::Audio => &mut self.audio,
            Kind::Video => &mut self.video,
        }
    }

    /// Some clients tell of a track only on a line that carried another one before, so that a track does not return to the line that it
    /// left as long as there may be another.
    fn place(&mut self, track: TrackKey, kind: Kind) -> Place {
        let free = |own: bool| self.free.iter().position(|line| line.kind == kind && (line.last == track) == own);
        let (other, own) = (free(false), free(true));
        let silencing = self.ended.iter().any(|line| line.kind == kind);
        let count = self.count(kind);
        let may_add = count.lines < count.most_wanted + SPARE_LINES;
        match (other, own) {
            (Some(at), _) => Place::Free(at),
            _ if may_add => Place::New,
            (None, Some(at)) => Place::Free(at),
            (None, None) if silencing => Place::Later,
            (None, None) => Place::New,
        }
    }
}

fn take_exact(expected: &mut Vec<TrackSpec>, line: &Line) -> Option<TrackSpec> {
    let at = expected.iter().position(|spec| spec.kind == line.kind && spec.cids.contains(&line.track_id))?;
    Some(expected.remove(at))
}

/// How our answer forms one line: the wished codec first, or the one that the client prefers, since it sends what is first; Opus with its
/// parameters and with or without redundancy.
fn shape(line: &Line, spec: Option<&TrackSpec>) -> Shape {
    let wished = spec.and_then(|spec| spec.codec).filter(|codec| line.codecs.contains(codec));
    let first_codec = match line.kind {
        Kind::Audio if spec.is_none_or(|spec| spec.red) => Some("red"),
        Kind::Audio => Some("opus"),
        Kind::Video => wished
            .or(line.codecs.first().copied())
            .map(|codec| codec.mime_type().rsplit('/').next().unwrap_or_default()),
    };
    Shape {
        mid: line.mid.to_string(),
        first_codec,
        opus: (line.kind == Kind::Audio)
            .then(|| OpusShape { stereo: spec.is_some_and(|spec| spec.stereo), dtx: spec.is_none_or(|spec| spec.dtx) }),
        unused: !line.sending,
    }
}
