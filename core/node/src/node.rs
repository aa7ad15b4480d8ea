//! The class as one value: what it knows, what comes in, what goes out. Each input is handled to its end; what follows from events
//! waits in the log until they are durable.

use crate::api::{ClientId, Input, Output};
use crate::clients::{Client, Clients};
use crate::commands::{Fences, Losses};
use crate::config::NodeConfig;
use crate::devices::Devices;
use crate::log::{Effect, Log};
use crate::replay::Replay;
use crate::resume::Departed;
use crate::rng::Rng;
use crate::roster::Roster;
use crate::shown::Recent;
use crate::spaces::{Move, Underway};
use crate::timers::Timers;
use crate::tracks::Tracks;
use crate::wire;
use livekit_protocol as proto;
use lyceum_session as session;
use lyceum_sfu as sfu;
use proto::leave_request::Action;
use session::class::{Memory, Reactions, SideWrite};
use session::{Command, Ctx, Event, Fact, Permission, PersonId, Reject, Role, UnixMs};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// One class. Feed it with [`Node::handle`], then take everything from [`Node::poll_output`] and do it in order, then sleep
/// until [`Node::poll_timeout`] and hand it [`Input::Timeout`].
pub struct Node {
    pub(crate) config: NodeConfig,
    pub(crate) log: Log,
    pub(crate) clients: Clients,
    pub(crate) roster: Roster,
    pub(crate) tracks: Tracks,
    pub(crate) timers: Timers,
    pub(crate) stats: Stats,
    pub(crate) rng: Rng,
    pub(crate) now: UnixMs,
    pub(crate) phase: Phase,
    pub(crate) underway: Underway,
    /// Whose new look is to be told once the events at hand are applied, and whether to themselves as well.
    news: BTreeMap<PersonId, Audience>,
    pub(crate) departed: Departed,
    pub(crate) replay: Replay,
    pub(crate) devices: Devices,
    /// State sockets whose person was let in, until they have their connections.
    pub(crate) arriving: Vec<ClientId>,
    /// People who were moved, until those whose software cannot be are sent back.
    moved: Vec<PersonId>,
    pub(crate) memory: Memory,
    pub(crate) reactions: Reactions,
    pub(crate) recent: Recent,
    pub(crate) fences: Fences,
    out: VecDeque<Output>,
}

/// Where a class is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// Nothing was handled yet. If the log was replayed, the session is known to have run at `last_seen`.
    Opening { last_seen: UnixMs },
    /// People come and go.
    Live,
    /// Ended or shutting down: what was caused is still told, nothing new begins.
    Closing,
    /// [`Output::Closed`] was given.
    Closed,
}

/// Who is told of a person's new look.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Audience {
    Others,
    Everybody,
}

/// Plain counters, cumulative where not said otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Open sockets at the moment.
    pub clients: usize,
    /// Announced and published tracks at the moment.
    pub tracks: usize,
    /// Tracks that clients receive, or have settings for, at the moment, counted for each client.
    pub views: usize,
    /// Events that wait for the disk at the moment.
    pub outstanding_events: u64,
    /// Signals and media commands that wait for the disk at the moment.
    pub outstanding_effects: usize,
    /// Their bytes, roughly.
    pub outstanding_bytes: usize,
    /// Joins that were refused.
    pub refused_joins: u64,
    /// Signals that could not be used: malformed, not permitted, or naming something unknown.
    pub refused_signals: u64,
    /// Signals above a client's rate.
    pub flooded_signals: u64,
    /// Data messages that could not be used.
    pub refused_data: u64,
    /// Data messages above a client's rate.
    pub flooded_data: u64,
    /// Reliable data messages that a slow receiver lost.
    pub dropped_data: u64,
}

impl Node {
    /// A class over a log that is empty (it starts a session) or was replayed (it goes on). Whoever the log has as connected
    /// is taken to have been seen last at the log's last event; use [`Node::recover`] if a later moment is known.
    ///
    /// `seed` makes the ids of connections and tracks; give each node another one.
    pub fn new(config: NodeConfig, seed: u64, state: session::State) -> Self {
        let last_seen = state.at;
        Self::recover(config, seed, state, last_seen)
    }

    /// As [`Node::new`], for a session that is known to have run until `last_seen`.
    pub fn recover(config: NodeConfig, seed: u64, state: session::State, last_seen: UnixMs) -> Self {
        let mut rng = Rng::new(seed);
        Self {
            config,
            clients: Clients::default(),
            roster: Roster::of_replayed(&state, &mut rng),
            tracks: Tracks::default(),
            timers: Timers::default(),
            stats: Stats::default(),
            rng,
            now: state.at,
            phase: Phase::Opening { last_seen },
            underway: Underway::default(),
            log: Log::new(state),
            news: BTreeMap::new(),
            departed: Departed::default(),
            replay: Replay::default(),
            devices: Devices::default(),
            arriving: Vec::new(),
            moved: Vec::new(),
            memory: Memory::default(),
            reactions: Reactions::default(),
            recent: Recent::default(),
            fences: Fences::default(),
            out: VecDeque::new(),
        }
    }

    /// Takes one input. The clock may stand still or jump; it is not followed backwards.
    pub fn handle(&mut self, now: UnixMs, input: Input) {
        self.now = self.now.max(now);
        if let Phase::Opening { last_seen } = self.phase {
            self.open(last_seen);
        }
        match input {
            _ if self.phase == Phase::Closed => {}
            Input::Join { client, join } => self.join(client, &join),
            Input::Signal { client, request } => {
                if let Some(client) = self.clients.of_socket(client) {
                    self.signal(client, *request);
                }
            }
            Input::Enter { client, enter } => self.enter(client, enter),
            Input::Command { client, command } => self.command(client, *command),
            Input::Goodbye { client } => self.goodbye(client),
            Input::SocketClosed { client, last_seen } => {
                if self.device_is_lost(client, last_seen) {
                } else if let Some(client) = self.clients.of_socket(client) {
                    self.lose(client, last_seen);
                }
            }
            Input::Media(event) => self.media(event),
            Input::Durable(seq) => {
                self.log.durable(seq);
                self.tell_what_is_durable();
                self.catch_up();
            }
            Input::Kept(count) => {
                self.log.kept(count);
                self.tell_what_is_durable();
                self.catch_up();
            }
            Input::Enforced { id } => self.documents_have_let_go(id),
            Input::StoreFailed => self.fail(),
            Input::Order { id, order } => self.order(id, *order),
            Input::Shutdown => self.shut_down(),
            Input::Timeout => self.timeout(),
        }
        if self.phase == Phase::Live && self.timers_are_late() {
            self.timeout(); // A shell that always has something else to hand in may never come to its timer.
        }
        self.tell_what_is_durable();
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When [`Input::Timeout`] is wanted, and why.
    pub fn poll_timeout(&self) -> Option<(UnixMs, &'static str)> {
        match self.phase {
            Phase::Opening { .. } => Some((self.now, "open the class")),
            Phase::Live => self.next_timer(),
            Phase::Closing | Phase::Closed => None,
        }
    }

    /// The session as the log has it, what is not durable yet included.
    pub fn state(&self) -> &session::State {
        &self.log.state
    }

    /// The place in its log up to which everything is durable.
    pub fn durable(&self) -> session::Seq {
        self.log.durable_seq()
    }

    /// Counters for metrics.
    pub fn stats(&self) -> Stats {
        Stats {
            clients: self.clients.len(),
            tracks: self.tracks.len(),
            views: self.clients.iter().map(|client| client.views.len()).sum(),
            outstanding_events: self.log.outstanding_events(),
            outstanding_effects: self.log.outstanding_effects(),
            outstanding_bytes: self.log.outstanding_bytes(),
            ..self.stats
        }
    }
}

impl Node {
    /// The class's first act: to begin its log, or to close what a stopped server left open.
    fn open(&mut self, last_seen: UnixMs) {
        self.phase = Phase::Live;
        if self.log.state.ended {
            self.close();
            return;
        }
        let first = if self.log.state.session.is_none() {
            Command::Start {
                tenant: self.config.tenant.clone(),
                room: self.config.room.clone(),
                session: self.config.session.clone(),
                policy: self.config.policy.clone(),
                metadata: self.config.metadata.clone(),
            }
        } else {
            Command::Recover { last_seen }
        };
        if let Err(reject) = self.commit(&first, None) {
            tracing::error!(%reject, "bug: a session could not be opened");
            self.close();
        }
    }

    /// Lets a command become events, which are applied, appended and followed. Nobody is told before they are durable.
    pub(crate) fn commit(&mut self, command: &Command, actor: Option<&PersonId>) -> Result<(), Reject> {
        let ctx = Ctx { now: self.now, actor: actor.cloned(), ..Ctx::default() };
        let facts = session::decide(&self.log.state, command, &ctx)?;
        self.record(facts, Vec::new(), &ctx);
        self.follow_up();
        Ok(())
    }

    /// Gives facts their place in the log, applies and follows them. [`Node::follow_up`] must come next. Returns what they
    /// take away.
    pub(crate) fn record(&mut self, facts: Vec<Fact>, side: Vec<SideWrite>, ctx: &Ctx) -> Losses {
        if facts.is_empty() && side.is_empty() {
            return Losses::default();
        }
        if facts.iter().any(Move::is_one) {
            self.tell_news(); // Of where people were.
        }
        let events = self.log.state.stamp(facts, ctx);
        let mut losses = Losses::default();
        for event in &events {
            let Losses { media, documents } = self.losses(event);
            losses.media |= media;
            losses.documents |= documents;
            self.apply(event);
        }
        for write in &side {
            self.log.state.keep(write);
        }
        if events.is_empty() {
            self.log.appends_side();
        }
        self.give(Output::Append { events, side });
        self.tell_news_in_time();
        losses
    }

    fn apply(&mut self, event: &Event) {
        let moving = Move::before(&self.log.state, event);
        let standings = self.standings_before(event);
        let is_of_state = self.is_of_state(event);
        let before = self.before(event);
        session::apply(&mut self.log.state, event);
        if let Some(moving) = moving.map(|moving| moving.of_those_who_moved(&self.log.state)) {
            self.follow_move(&moving);
            self.moved.extend(moving.persons().cloned());
        }
        if is_of_state {
            self.follow_state_connection(event);
        } else {
            self.follow(event);
        }
        self.show(event, before);
        self.follow_lobby(event);
        for (person, before) in standings {
            if self.standing(&person).is_some_and(|now| now != before) {
                self.is_news(&person, Audience::Everybody);
            }
        }
    }

    /// The role of those with media and what they may publish, before an event that may change it.
    fn standings_before(&self, event: &Event) -> Vec<(PersonId, (Role, Permission))> {
        if !session::class::may_regrant(&event.fact) {
            return Vec::new();
        }
        self.roster.people().filter_map(|person| Some((person.clone(), self.standing(person)?))).collect()
    }

    fn standing(&self, person: &PersonId) -> Option<(Role, Permission)> {
        let state = &self.log.state;
        Some((state.participants.get(person)?.profile.role, state.permission(person)?))
    }

    /// What follows from events once they are appended: people who were let in arrive, and who cannot be moved is sent back.
    pub(crate) fn follow_up(&mut self) {
        self.let_arrive();
        let moved = std::mem::take(&mut self.moved);
        if !moved.is_empty() {
            self.send_back_who_cannot_be_moved(&moved);
        }
    }

    /// Whether so much waits for the disk that what can be refused should be.
    pub(crate) fn is_behind(&self) -> bool {
        let limits = &self.config.limits;
        self.log.outstanding_events() >= limits.outstanding_events
            || self.log.outstanding_bytes() >= limits.outstanding_bytes
    }

    /// Says something to one client at once. Only for what tells of no event. A client that is lost is not told; once it has
    /// resumed it is told how everything is.
    pub(crate) fn tell(&mut self, client: ClientId, response: proto::SignalResponse) {
        let Some(known) = self.clients.get_mut(client) else { return };
        match (&mut known.held, known.socket) {
            (Some(held), _) => held.push(response),
            (None, Some(socket)) => self.out.push_back(Output::Signal { client: socket, response: Box::new(response) }),
            (None, None) => {}
        }
    }

    /// Says something to several clients once everything that has happened so far is durable.
    pub(crate) fn tell_after(&mut self, to: Vec<ClientId>, response: proto::SignalResponse) {
        if !to.is_empty() {
            self.log.after(Effect::Tell { to, response: Arc::new(response) });
        }
    }

    /// Tells a media shard something at once. Only for what tells nobody of an event.
    pub(crate) fn tell_media(&mut self, command: sfu::Command) {
        self.out.push_back(Output::Media(command));
    }

    pub(crate) fn give(&mut self, output: Output) {
        self.out.push_back(output);
    }

    /// Marks a person as looking different from before; told by [`Node::tell_news`].
    pub(crate) fn is_news(&mut self, person: &PersonId, audience: Audience) {
        let wanted = self.news.entry(person.clone()).or_insert(audience);
        *wanted = (*wanted).max(audience);
    }

    pub(crate) fn is_no_news(&mut self, person: &PersonId) {
        self.news.remove(person);
    }

    /// Whether news of a person wait to be told with others.
    pub(crate) fn is_deferred_news(&self, person: &PersonId) -> bool {
        self.timers.news_at.is_some() && self.news.contains_key(person)
    }

    /// Tells the news, in a large class not before others have joined them: of a rush of people who publish nothing yet, everybody
    /// is told in a few messages and not in one for each.
    pub(crate) fn tell_news_in_time(&mut self) {
        let publishes = |person: &PersonId| self.log.state.tracks.values().any(|track| track.person == *person);
        let can_wait = self.clients.len() >= self.config.limits.large_class
            && self.news.iter().all(|(person, audience)| *audience == Audience::Others && !publishes(person));
        if self.news.is_empty() {
            return;
        }
        if can_wait {
            self.timers.news_at.get_or_insert(self.now.plus(self.config.gather_news_ms));
        } else {
            self.tell_news();
        }
    }

    /// Sends an `update` of those who look different, one to all who may know of the same people.
    pub(crate) fn tell_news(&mut self) {
        self.timers.news_at = None;
        let news = std::mem::take(&mut self.news);
        let several = news.len() > 1;
        let mut updates: Vec<(Vec<ClientId>, Vec<proto::ParticipantInfo>)> = Vec::new();
        for (person, audience) in news {
            let Some(seat) = self.roster.seat_mut(&person) else { continue };
            seat.version += 1;
            // So that all can be told the same, each is also told of themselves.
            let to = self.audience(&person, if several { Audience::Everybody } else { audience });
            let Some(info) = self.roster.info(&person, &self.log.state, &self.clients, &self.tracks) else { continue };
            match updates.iter_mut().find(|(others, _)| *others == to) {
                Some((_, infos)) => infos.push(info),
                None => updates.push((to, vec![info])),
            }
        }
        for (to, participants) in updates {
            self.tell_after(to, wire::update(participants));
        }
    }

    /// The clients that may know of a person: those in the same Space, unless the person is hidden.
    pub(crate) fn audience(&self, person: &PersonId, audience: Audience) -> Vec<ClientId> {
        self.clients
            .iter()
            .filter(|client| match client.person == *person {
                true => audience == Audience::Everybody,
                false => self.sees(&client.person, person),
            })
            .map(|client| client.id)
            .collect()
    }

    pub(crate) fn is_hidden(&self, person: &PersonId) -> bool {
        self.log.state.participants.get(person).is_some_and(|known| known.profile.permission.hidden)
    }

    fn tell_what_is_durable(&mut self) {
        let mut is_over = false;
        while let Some(effect) = self.log.due() {
            match effect {
                Effect::Tell { to, response } => {
                    for client in to {
                        self.tell(client, (*response).clone());
                    }
                }
                Effect::Welcome { client, response } => self.welcome(client, &response),
                Effect::Reconnect { client } => self.tell_resumed(client),
                Effect::Latest { client } => self.tell_latest(client),
                Effect::Lose { client } => self.lose(client, self.now),
                Effect::Media(command) => self.tell_media(command),
                Effect::Receive { client, command } => {
                    if self.clients.get(client).is_some() {
                        self.tell_media(command);
                    }
                }
                // Who resumes gets a token when it is told that it has.
                Effect::RefreshToken { client, person, profile, space } => {
                    if let Some(client) = self.clients.get(client).and_then(Client::hears_on) {
                        self.give(Output::RefreshToken { client, person, profile, space });
                    }
                }
                Effect::HaveMoved { persons } => self.has_moved(&persons),
                // Who resumes is told where it is when it is told that it has.
                Effect::Moved { client, person, profile, space, moved } => {
                    if let Some(client) = self.clients.get(client).and_then(Client::hears_on) {
                        self.give(Output::Moved { client, person, profile, space, moved });
                    }
                }
                Effect::Reply { id, result } => self.give(Output::Reply { id, result }),
                Effect::Say { to, text } => {
                    for client in to {
                        if self.devices.hears(client) {
                            self.give(Output::Text { client, text: text.clone() });
                        }
                    }
                }
                Effect::Greet { client, person, profile, space, text } => {
                    if self.devices.hears(client) {
                        self.give(Output::Welcome { client, person, profile, space, text });
                    }
                }
                Effect::Part { client, text } => {
                    if self.devices.hears(client) {
                        self.devices.close(client);
                        self.give(Output::Text { client, text });
                        self.give(Output::CloseSocket { client });
                    }
                }
                Effect::Acknowledge { to, ack, losses } => self.acknowledge(to, ack, losses),
                Effect::Farewell { client, socket, response } => {
                    if let Some((client, response)) = socket.zip(response) {
                        self.give(Output::Signal { client, response });
                    }
                    self.close_client(client, socket);
                }
                Effect::SendBack { client: id, socket, person, profile, space } => {
                    if let Some(client) = socket {
                        let leave = wire::leave(proto::DisconnectReason::Migration, Action::Reconnect);
                        self.give(Output::RefreshToken { client, person, profile, space });
                        self.give(Output::Signal { client, response: Box::new(leave) });
                    }
                    self.close_client(id, socket);
                }
                // Answers to the order that ended the class still come.
                Effect::Closed => is_over = true,
            }
        }
        if is_over {
            self.close();
        }
    }

    /// The log is out of reach: what nobody was told of has not happened, and everybody is sent to find the class again.
    fn fail(&mut self) {
        for (dismissed, socket) in self.log.abandon() {
            self.close_client(dismissed, socket);
        }
        self.drop_devices();
        for client in self.clients.ids() {
            self.tell(client, wire::leave(proto::DisconnectReason::ServerShutdown, Action::Reconnect));
            self.dismiss_at_once(client);
        }
        self.close();
    }

    fn close(&mut self) {
        // Nobody confirms anything any more; what was done is done.
        self.give_fences_up(UnixMs(u64::MAX));
        self.phase = Phase::Closed;
        self.give(Output::Closed);
    }
}
