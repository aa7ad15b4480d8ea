//! One synthetic learner, from its first connection to its goodbye: signalling as LiveKit's clients do it, two WebRTC peers, its own
//! tracks if it has any, and its view of the others.

use crate::clip::{Speech, VideoCodec};
use crate::layout::Layout;
use crate::measure::{Board, Outcome, Phase, Trouble};
use crate::peer::{Crypto, Kind, NewLine, Peer, PeerEvent, Pending};
use crate::publish::Source;
use crate::signal::{Entry, Signal};
use crate::token::Key;
use crate::view::{LOOK_EVERY, View, tracks_on_lines};
use livekit_protocol::signal_request::Message as Ask;
use livekit_protocol::signal_response::Message as Say;
use livekit_protocol::{
    DisconnectReason, JoinResponse, LeaveRequest, ParticipantInfo, Ping, SessionDescription, SignalTarget, SyncState,
    TrackPublishedResponse, UpdateSubscription, leave_request,
};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use str0m::format::Codec;
use tokio::sync::watch;
use tokio::time::{sleep_until, timeout_at};
use url::Url;

/// A join that is not complete by then has failed, as in LiveKit's clients.
pub const JOIN_PATIENCE: Duration = Duration::from_secs(20);
const RESUME_PATIENCE: Duration = Duration::from_secs(15);
/// If the server does not say.
const PING_EVERY: Duration = Duration::from_secs(5);

/// What all learners of a run share.
pub struct Class {
    pub server: Url,
    pub key: Key,
    pub room: String,
    /// Identities begin with it: no two runs have the same.
    pub run: String,
    pub layout: Layout,
    pub codec: VideoCodec,
    pub speech: Speech,
    pub dynacast: bool,
    pub crypto: Crypto,
    pub board: Board,
}

impl Class {
    /// What the identities of publishers begin with.
    pub fn publishers(&self) -> String {
        format!("{}-p", self.run)
    }
}

/// What one learner does in the class.
#[derive(Clone, Debug)]
pub struct Ticket {
    pub identity: String,
    /// The number of the publisher, and what it publishes.
    pub publishes: Option<Publishes>,
    pub watches: bool,
    pub stay: Stay,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Publishes {
    pub number: u16,
    pub camera: bool,
    pub muted: bool,
}

/// How long somebody stays.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stay {
    UntilOver,
    /// For a while after the join is complete; then so many times the socket is lost and resumed, and it stays as long again.
    For(Duration, u32),
}

/// The whole stay of one learner.
pub async fn attend(class: Arc<Class>, ticket: Ticket, mut phases: watch::Receiver<Phase>) -> Outcome {
    let began = Instant::now();
    let mut outcome = Outcome::default();
    let joined = match timeout_at((began + JOIN_PATIENCE).into(), Learner::joins(class.clone(), &ticket, began)).await {
        Ok(joined) => joined,
        Err(_) => Err(Trouble::Late(format!("no answer to the join within {} s", JOIN_PATIENCE.as_secs()))),
    };
    let mut learner = match joined {
        Ok(learner) => learner,
        Err(trouble) => {
            class.board.failed.fetch_add(1, Relaxed);
            outcome.failed = Some(trouble);
            return outcome;
        }
    };
    let stayed = learner.stays(&mut phases).await;
    learner.leaves(stayed).await
}

struct Learner {
    class: Arc<Class>,
    began: Instant,
    token: String,
    participant_sid: String,
    signal: Signal,
    publisher: Peer,
    subscriber: Peer,
    /// Our offer that the server has not answered.
    pending: Option<(u32, Pending)>,
    offers: u32,
    /// Our publisher peer has been offered.
    offered: bool,
    sources: Vec<Source>,
    /// Different for each publisher, so that not all send at the same moments.
    sends_after: Duration,
    view: Option<View>,
    last_offer: Option<SessionDescription>,
    last_answer: Option<SessionDescription>,
    stay: Stay,
    resuming: Option<Resuming>,
    resumes_left: u32,
    /// Complete, or resumed.
    settled: Option<Instant>,
    ping_every: Duration,
    next_ping: Instant,
    next_look: Instant,
    events: Vec<PeerEvent>,
    latencies: Vec<(Kind, u64)>,
    outcome: Outcome,
}

/// A resume under way.
#[derive(Clone, Copy)]
struct Resuming {
    since: Instant,
    answered: bool,
    offered: bool,
}

impl Learner {
    async fn joins(class: Arc<Class>, ticket: &Ticket, began: Instant) -> Result<Self, Trouble> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let token = class.key.token(&class.room, &ticket.identity, now).map_err(Trouble::Machine)?;
        let entry = Entry::New { auto_subscribe: ticket.watches };
        let mut signal = Signal::open(&class.server, &token, entry).await?;
        let welcome = match signal.next().await? {
            Say::Join(welcome) => welcome,
            Say::Leave(leave) => return Err(Trouble::SentAway(why(&leave))),
            _ => return Err(Trouble::Late("the server's first message was no answer to the join".to_owned())),
        };
        let local_ip = signal.local_ip().ok_or_else(|| Trouble::Machine("no local address".to_owned()))?;
        let (publisher, subscriber) = peers(&class, local_ip)?;
        let sources = ticket.publishes.map_or_else(Vec::new, |publishes| sources(&class, publishes));
        let now = Instant::now();
        let ping_every = u64::try_from(welcome.ping_interval).ok().filter(|seconds| *seconds > 0);
        let mut learner = Self {
            view: ticket.watches.then(|| View::new(class.layout, class.codec, class.publishers())),
            class,
            began,
            token,
            participant_sid: welcome.participant.as_ref().map(|own| own.sid.clone()).unwrap_or_default(),
            signal,
            publisher,
            subscriber,
            pending: None,
            offers: 0,
            offered: false,
            sources,
            sends_after: ticket
                .publishes
                .map_or(Duration::ZERO, |publishes| Duration::from_millis(u64::from(publishes.number) * 7 % 33)),
            last_offer: None,
            last_answer: None,
            stay: ticket.stay,
            resuming: None,
            resumes_left: if let Stay::For(_, resumes) = ticket.stay { resumes } else { 0 },
            settled: None,
            ping_every: ping_every.map_or(PING_EVERY, Duration::from_secs),
            next_ping: now + PING_EVERY,
            next_look: now + LOOK_EVERY,
            events: Vec::new(),
            latencies: Vec::new(),
            outcome: Outcome { welcomed: Some(began.elapsed()), ..Outcome::default() },
        };
        learner.is_welcomed(welcome).await?;
        Ok(learner)
    }

    async fn is_welcomed(&mut self, welcome: JoinResponse) -> Result<(), Trouble> {
        self.outcome.server = match &welcome.server_info {
            Some(info) if !info.version.is_empty() => info.version.clone(),
            _ => welcome.server_version.clone(),
        };
        self.people(&welcome.other_participants);
        for source in &self.sources {
            self.signal.say(Ask::AddTrack(source.request())).await?;
        }
        // Publishers offer when their tracks have been named.
        if self.sources.is_empty() && (welcome.fast_publish || !welcome.subscriber_primary) {
            self.offers_publisher(false).await?;
        }
        Ok(())
    }

    /// Until the class is over, or something goes wrong.
    async fn stays(&mut self, phases: &mut watch::Receiver<Phase>) -> Result<(), Trouble> {
        let sleep = sleep_until(Instant::now().into());
        tokio::pin!(sleep);
        loop {
            let wake = self.poll_timeout();
            if sleep.deadline() != wake.into() {
                sleep.as_mut().reset(wake.into());
            }
            tokio::select! {
                said = self.signal.next() => {
                    Board::add(&self.class.board.signals, 1);
                    self.hears(said?).await?;
                }
                () = self.subscriber.readable() => self.subscriber.receive(&mut self.events),
                () = self.publisher.readable() => {
                    let mut events = Vec::new();
                    self.publisher.receive(&mut events);
                    self.published(events);
                }
                () = &mut sleep => {}
                changed = phases.changed() => {
                    if changed.is_err() || *phases.borrow_and_update() == Phase::Over {
                        return Ok(());
                    }
                }
            }
            let phase = *phases.borrow();
            self.acts(Instant::now(), phase).await?;
            if self.has_stayed(Instant::now()) {
                return Ok(());
            }
        }
    }

    fn poll_timeout(&self) -> Instant {
        let peers = self.publisher.poll_timeout().min(self.subscriber.poll_timeout());
        let sources = self.sources.iter().filter_map(Source::poll_timeout).min();
        let own = self.next_ping.min(self.next_look);
        sources.map_or(own, |due| due.min(own)).min(peers)
    }

    /// What time and the network ask for.
    async fn acts(&mut self, now: Instant, phase: Phase) -> Result<(), Trouble> {
        self.sends_media(now);
        if self.publisher.poll_timeout() <= now {
            let mut events = Vec::new();
            self.publisher.handle_timeout(now, &mut events);
            self.published(events);
        }
        if self.subscriber.poll_timeout() <= now {
            self.subscriber.handle_timeout(now, &mut self.events);
        }
        self.watches(now, phase);
        for (peer, name) in [(&self.publisher, "publish"), (&self.subscriber, "subscribe")] {
            if let Some(failure) = peer.failure() {
                return Err(Trouble::Media(format!("{failure} ({name} connection)")));
            }
        }
        if now >= self.next_ping {
            self.next_ping = now + self.ping_every;
            let timestamp = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
            self.signal.say(Ask::Ping(timestamp)).await?;
            self.signal.say(Ask::PingReq(Ping { timestamp, rtt: 0 })).await?;
        }
        if now >= self.next_look {
            self.next_look = now + LOOK_EVERY;
            for mid in self.view.iter_mut().flat_map(View::undecodable) {
                self.subscriber.request_keyframe(mid);
            }
            self.subscriber.handle_timeout(now, &mut self.events);
            self.arranges(now).await?;
        }
        self.counts_traffic();
        self.is_complete(now)?;
        self.resumes_if_due(now).await
    }

    fn sends_media(&mut self, now: Instant) {
        if !self.publisher.is_connected() {
            return;
        }
        let mut events = Vec::new();
        for source in &mut self.sources {
            let sent = source.send(now, &mut self.publisher, &mut events);
            match source.kind() {
                Kind::Audio => self.outcome.audio_sent += sent.packets,
                Kind::Video => self.outcome.video_sent += sent.packets,
            }
            self.outcome.frames_late += sent.late;
        }
        self.published(events);
    }

    /// What the publisher peer told.
    fn published(&mut self, events: Vec<PeerEvent>) {
        for event in events {
            if let PeerEvent::KeyframeWanted(mid, rid) = event {
                self.sources.iter_mut().for_each(|source| source.wants_keyframe(mid, rid));
            }
        }
    }

    /// What the subscriber peer told.
    fn watches(&mut self, now: Instant, phase: Phase) {
        for event in self.events.drain(..) {
            let PeerEvent::Packet(packet) = event else { continue };
            let Some(noted) = self.view.as_mut().and_then(|view| view.heard(&packet)) else { continue };
            if noted.first_of_track {
                self.class.board.tracks.fetch_add(1, Relaxed);
            }
            let first = match noted.kind {
                Kind::Audio => Some(&mut self.outcome.first_audio),
                Kind::Video => noted.starts_keyframe.then_some(&mut self.outcome.first_video),
            };
            if let Some(first) = first {
                first.get_or_insert(now - self.began);
            }
            self.latencies.extend(noted.latency_us.map(|us| (noted.kind, us)));
        }
        self.class.board.record(phase, &mut self.latencies);
    }

    fn counts_traffic(&mut self) {
        for traffic in [self.publisher.take_traffic(), self.subscriber.take_traffic()] {
            Board::add(&self.class.board.bytes_down, traffic.bytes_in);
            Board::add(&self.class.board.bytes_up, traffic.bytes_out);
            self.outcome.unsent += traffic.unsent;
            if traffic.bytes_in > 0 {
                self.class.board.record_read_lag(traffic.read_lag_ns);
            }
        }
    }

    /// Notes when the join is complete, and fails if that takes too long.
    fn is_complete(&mut self, now: Instant) -> Result<(), Trouble> {
        if self.outcome.complete.is_some() {
            return Ok(());
        }
        if self.subscriber.is_connected() {
            self.outcome.connected.get_or_insert(now - self.began);
        }
        let media = self.outcome.connected.is_some() && (!self.offered || self.publisher.is_connected());
        let tracks = self.sources.iter().all(|source| source.sid.is_some() && source.poll_timeout().is_some());
        if media && tracks {
            self.outcome.complete = Some(now - self.began);
            self.settled = Some(now);
            self.class.board.joined.fetch_add(1, Relaxed);
            self.class.board.published.fetch_add(usize::from(!self.sources.is_empty()), Relaxed);
            return Ok(());
        }
        if now < self.began + JOIN_PATIENCE {
            return Ok(());
        }
        let missing = match (self.outcome.connected, self.sources.iter().any(|source| source.sid.is_none())) {
            (None, _) => "the subscribe connection was not up",
            (_, true) => "a published track was not acknowledged",
            _ => "the publish connection was not up",
        };
        Err(Trouble::Late(format!("{missing} within {} s", JOIN_PATIENCE.as_secs())))
    }

    fn has_stayed(&self, now: Instant) -> bool {
        self.resumes_left == 0 && self.is_settled(now)
    }

    /// Nothing has happened to its connections for the time that it stays.
    fn is_settled(&self, now: Instant) -> bool {
        match (self.stay, self.settled) {
            (Stay::For(time, _), Some(since)) => self.resuming.is_none() && now >= since + time,
            _ => false,
        }
    }

    async fn hears(&mut self, said: Say) -> Result<(), Trouble> {
        let now = Instant::now();
        match said {
            Say::Offer(offer) => self.is_offered(offer).await?,
            Say::Answer(answer) => self.is_answered(now, &answer).await?,
            Say::Trickle(candidate) => {
                let peer = if candidate.target == SignalTarget::Publisher as i32 {
                    &mut self.publisher
                } else {
                    &mut self.subscriber
                };
                // A final message may carry none.
                if !candidate.candidate_init.is_empty() {
                    peer.add_candidate(&candidate.candidate_init).map_err(Trouble::Media)?;
                    peer.handle_timeout(now, &mut Vec::new());
                }
            }
            Say::Update(update) => {
                self.people(&update.participants);
                self.arranges(now).await?;
            }
            Say::TrackPublished(published) => self.is_published(published).await?,
            Say::Mute(mute) => {
                let own = self.sources.iter_mut().filter(|source| source.sid.as_deref() == Some(&mute.sid));
                own.for_each(|source| source.muted = mute.muted);
            }
            Say::SpeakersChanged(changed) => {
                if let Some(view) = &mut self.view {
                    view.speakers(now, &changed.speakers);
                }
            }
            Say::StreamStateUpdate(update) => {
                if let Some(view) = &mut self.view {
                    view.paused(&update.stream_states);
                }
            }
            Say::SubscribedQualityUpdate(update) if self.class.dynacast => {
                let own = self.sources.iter_mut().filter(|source| source.sid.as_deref() == Some(&update.track_sid));
                own.for_each(|source| source.quality_wanted(&update));
            }
            Say::RefreshToken(token) => self.token = token,
            Say::Leave(leave) => return Err(Trouble::SentAway(why(&leave))),
            _ => {}
        }
        Ok(())
    }

    fn people(&mut self, people: &[ParticipantInfo]) {
        let now = Instant::now();
        for person in people.iter().filter(|person| person.sid != self.participant_sid) {
            if let Some(view) = &mut self.view {
                view.update(now, person);
            }
        }
    }

    async fn is_offered(&mut self, offer: SessionDescription) -> Result<(), Trouble> {
        let answer = self.subscriber.accept_offer(&offer.sdp).map_err(Trouble::Media)?;
        self.subscriber.handle_timeout(Instant::now(), &mut self.events);
        let answer =
            SessionDescription { r#type: "answer".to_owned(), sdp: answer, id: offer.id, ..Default::default() };
        self.signal.say(Ask::Answer(answer.clone())).await?;
        if let Some(view) = &mut self.view {
            view.subscribed(tracks_on_lines(&offer.sdp, &offer.mid_to_track_id).into_iter());
        }
        self.last_offer = Some(offer);
        self.last_answer = Some(answer);
        if let Some(resuming) = &mut self.resuming {
            resuming.offered = true;
        }
        self.arranges(Instant::now()).await
    }

    async fn arranges(&mut self, now: Instant) -> Result<(), Trouble> {
        let settings = self.view.as_mut().map(|view| view.arrange(now)).unwrap_or_default();
        for setting in settings {
            self.signal.say(Ask::TrackSetting(setting)).await?;
        }
        Ok(())
    }

    async fn is_published(&mut self, published: TrackPublishedResponse) -> Result<(), Trouble> {
        let sid = published.track.map(|track| track.sid);
        if let Some(source) = self.sources.iter_mut().find(|source| source.cid == published.cid) {
            source.sid = sid;
        }
        if self.sources.iter().all(|source| source.sid.is_some()) && !self.offered {
            self.offers_publisher(false).await?;
        }
        Ok(())
    }

    /// Offers the publisher peer: its data channels and lines at first, fresh ICE when resuming.
    async fn offers_publisher(&mut self, restart_ice: bool) -> Result<(), Trouble> {
        let first = !std::mem::replace(&mut self.offered, true);
        let lines: Vec<NewLine> = if first { self.sources.iter().map(Source::line).collect() } else { Vec::new() };
        let Some((sdp, pending, mids)) = self.publisher.offer(first, restart_ice, &lines) else { return Ok(()) };
        let now = Instant::now();
        for (source, mid) in self.sources.iter_mut().zip(mids) {
            source.starts_on(mid, now, self.sends_after, &mut self.publisher);
        }
        self.offers += 1;
        self.pending = Some((self.offers, pending));
        let offer = SessionDescription { r#type: "offer".to_owned(), sdp, id: self.offers, ..Default::default() };
        self.signal.say(Ask::Offer(offer)).await?;
        Ok(())
    }

    async fn is_answered(&mut self, now: Instant, answer: &SessionDescription) -> Result<(), Trouble> {
        let Some((id, pending)) = self.pending.take() else { return Ok(()) };
        if answer.id != 0 && answer.id != id {
            self.pending = Some((id, pending));
            return Ok(());
        }
        self.publisher.accept_answer(pending, &answer.sdp).map_err(Trouble::Media)?;
        let mut events = Vec::new();
        self.publisher.handle_timeout(now, &mut events);
        self.published(events);
        if let Some(resuming) = &mut self.resuming {
            resuming.answered = true;
        }
        Ok(())
    }

    /// Begins a resume if the stay has one left, and ends one that is done.
    async fn resumes_if_due(&mut self, now: Instant) -> Result<(), Trouble> {
        if let Some(resuming) = self.resuming {
            if resuming.answered && resuming.offered {
                self.outcome.resumes.push(now - resuming.since);
                self.resuming = None;
                self.settled = Some(now);
            } else if now > resuming.since + RESUME_PATIENCE {
                return Err(Trouble::Late(format!("a resume was not done within {} s", RESUME_PATIENCE.as_secs())));
            }
            return Ok(());
        }
        if self.resumes_left == 0 || !self.is_settled(now) {
            return Ok(());
        }
        self.resumes_left -= 1;
        let since = Instant::now();
        let entry = Entry::Resume { participant_sid: &self.participant_sid };
        // The old socket is dropped without a goodbye, as by a network that is gone.
        self.signal = Signal::open(&self.class.server, &self.token, entry).await?;
        match self.signal.next().await? {
            Say::Reconnect(_) => {}
            Say::Leave(leave) => return Err(Trouble::SentAway(format!("no resume, {}", why(&leave)))),
            _ => return Err(Trouble::Late("the server's first message was no answer to the resume".to_owned())),
        }
        let published = self.sources.iter().map(|source| TrackPublishedResponse {
            cid: source.cid.clone(),
            track: source.sid.clone().map(|sid| livekit_protocol::TrackInfo { sid, ..Default::default() }),
        });
        let state = SyncState {
            answer: self.last_answer.clone(),
            offer: self.last_offer.clone(),
            subscription: Some(UpdateSubscription { subscribe: self.view.is_none(), ..Default::default() }),
            publish_tracks: published.collect(),
            track_sids_disabled: self.view.as_ref().map(View::switched_off).unwrap_or_default(),
            ..Default::default()
        };
        self.signal.say(Ask::SyncState(state)).await?;
        self.resuming = Some(Resuming { since, answered: !self.offered, offered: false });
        if self.offered {
            self.offers_publisher(true).await?;
        }
        if let Some(view) = &mut self.view {
            view.tell_again();
        }
        Ok(())
    }

    /// Says goodbye and gives what has been seen.
    async fn leaves(mut self, stayed: Result<(), Trouble>) -> Outcome {
        if let Some(view) = &self.view {
            self.outcome.seen = view.seen(Instant::now());
        }
        if let Err(trouble) = stayed {
            let complete = self.outcome.complete.is_some();
            let board = &self.class.board;
            if complete { &board.dropped } else { &board.failed }.fetch_add(1, Relaxed);
            if complete {
                self.outcome.dropped = Some(trouble);
            } else {
                self.outcome.failed = Some(trouble);
            }
        }
        let goodbye = LeaveRequest { reason: DisconnectReason::ClientInitiated as i32, ..Default::default() };
        if self.signal.say(Ask::Leave(goodbye)).await.is_ok() {
            self.signal.close().await;
        }
        self.publisher.close();
        self.subscriber.close();
        self.outcome
    }
}

fn peers(class: &Class, local_ip: IpAddr) -> Result<(Peer, Peer), Trouble> {
    let own = if class.codec == VideoCodec::Vp8 { Codec::Vp8 } else { Codec::H264 };
    let no_socket = |error: std::io::Error| {
        Trouble::Machine(format!("no UDP socket could be opened: {error}; for many learners raise `ulimit -n`"))
    };
    let publisher = Peer::new(&class.crypto, local_ip, &[own]).map_err(no_socket)?;
    let subscriber = Peer::new(&class.crypto, local_ip, &[Codec::Vp8, Codec::H264]).map_err(no_socket)?;
    Ok((publisher, subscriber))
}

fn sources(class: &Class, publishes: Publishes) -> Vec<Source> {
    let microphone = Source::microphone(publishes.number, class.speech, publishes.muted);
    let camera = publishes.camera.then(|| Source::camera(publishes.number, class.codec));
    std::iter::once(microphone).chain(camera).collect()
}

/// A server's reason, in words.
fn why(leave: &LeaveRequest) -> String {
    let reason = DisconnectReason::try_from(leave.reason).map_or("no known reason", |reason| reason.as_str_name());
    let action = leave_request::Action::try_from(leave.action).map_or("?", |action| action.as_str_name());
    format!("{reason}, {action}")
}
