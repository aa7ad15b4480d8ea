//! Everything in a class that waits for a time: the session's own timers, silent sockets, media that never connected,
//! tokens to refresh, and the pace of `room_update`.

use crate::api::ClientId;
use crate::node::Node;
use crate::shown::PULSE_TURNS;
use crate::wire;
use livekit_protocol as proto;
use lyceum_session as session;
use proto::DisconnectReason;
use proto::leave_request::Action;
use session::{Command, DetachReason, UnixMs};

/// How often the sockets are looked at. Their waits are seconds long.
const WATCH_INTERVAL_MS: u64 = 1_000;
/// How often state sockets are told how far they should be.
const PULSE_INTERVAL_MS: u64 = 5_000;
/// How long a client whose media is gone has to say goodbye.
const GOODBYE_MS: u64 = 2_000;

/// What is due when.
#[derive(Default)]
pub(crate) struct Timers {
    watch_at: UnixMs,
    room_update_at: Option<UnixMs>,
    room_updated_at: UnixMs,
    /// When news that can wait is told.
    pub(crate) news_at: Option<UnixMs>,
    /// When state sockets are told how far they should be, and whose turn it is.
    pulse_at: Option<UnixMs>,
    pulse_turn: u64,
}

impl Timers {
    pub(crate) fn room_update_wanted(&mut self, now: UnixMs, interval_ms: u64) {
        let earliest = self.room_updated_at.plus(interval_ms).max(now);
        self.room_update_at.get_or_insert(earliest);
    }
}

impl Timers {
    /// Somebody is here to be told how far they should be.
    pub(crate) fn pulse_wanted(&mut self, now: UnixMs) {
        self.pulse_at.get_or_insert(now.plus(PULSE_INTERVAL_MS / PULSE_TURNS));
    }
}

/// What a look at a socket found.
enum Finding {
    Silent { last_seen: UnixMs },
    NeverConnected,
    MediaGone,
    NeedsToken,
    HasChosen,
    StoppedPretending,
}

impl Node {
    pub(crate) fn next_timer(&self) -> Option<(UnixMs, &'static str)> {
        let watch = (!self.clients.is_empty()).then_some((self.timers.watch_at, "look at the sockets"));
        let room = self.timers.room_update_at.filter(|_| !self.clients.is_empty()).map(|at| (at, "room update"));
        let news = self.timers.news_at.map(|at| (at, "news of people"));
        let pulse = self.timers.pulse_at.map(|at| (at, "pulse"));
        let reactions = self.reactions.poll_timeout().map(|at| (at, "counts of reactions"));
        let fence = self.fences.deadline().map(|at| (at, "media or documents to let go"));
        let all = [self.log.state.poll_timeout(), watch, room, news, pulse, reactions, fence];
        all.into_iter().flatten().min()
    }

    /// Whether a look at the sockets is due, which is the one timer that is cheap to ask for.
    pub(crate) fn timers_are_late(&self) -> bool {
        !self.clients.is_empty() && self.timers.watch_at <= self.now
    }

    pub(crate) fn timeout(&mut self) {
        if self.log.state.poll_timeout().is_some_and(|(at, _)| at <= self.now)
            && let Err(reject) = self.commit(&Command::Tick, None)
        {
            tracing::error!(%reject, "bug: a tick was refused");
        }
        if self.timers_are_late() {
            self.timers.watch_at = self.now.plus(WATCH_INTERVAL_MS);
            self.look_at_sockets();
        }
        self.give_fences_up(self.now);
        self.log_reactions();
        if self.timers.pulse_at.is_some_and(|at| at <= self.now) {
            self.timers.pulse_at = None;
            if !self.devices.is_empty() {
                self.timers.pulse_turn = (self.timers.pulse_turn + 1) % PULSE_TURNS;
                self.pulse(self.timers.pulse_turn);
                self.timers.pulse_wanted(self.now);
            }
        }
        if self.timers.news_at.is_some_and(|at| at <= self.now) {
            self.tell_news();
        }
        if self.timers.room_update_at.is_some_and(|at| at <= self.now) {
            self.timers.room_update_at = None;
            self.timers.room_updated_at = self.now;
            self.tell_room();
        }
    }

    /// Somebody is here to be looked at.
    pub(crate) fn watch_sockets(&mut self) {
        if self.clients.len() == 1 {
            self.timers.watch_at = self.now.plus(WATCH_INTERVAL_MS);
        }
    }

    fn look_at_sockets(&mut self) {
        let found: Vec<_> =
            self.clients.iter().flat_map(|client| self.look_at(client).map(|finding| (client.id, finding))).collect();
        for (client, finding) in found {
            match finding {
                Finding::Silent { last_seen } => self.lose(client, last_seen),
                Finding::NeverConnected => {
                    let leave = wire::leave(DisconnectReason::JoinFailure, Action::Disconnect);
                    self.dismiss(client, leave, DetachReason::NeverConnected);
                }
                Finding::MediaGone => self.media_failed(client),
                Finding::NeedsToken => self.refresh_token(client),
                Finding::HasChosen => self.log_choices(client),
                Finding::StoppedPretending => self.stop_pretending_to_speak(client),
            }
        }
    }

    fn look_at(&self, client: &crate::clients::Client) -> Option<Finding> {
        client.socket?; // Else it is lost, and the session knows until when it may come back.
        let silence_ms = self.config.ping_timeout_ms.saturating_add(self.config.ping_grace_ms);
        let patience_ms = self.config.media_connect_timeout_ms;
        if client.last_signal_at.plus(silence_ms) <= self.now {
            return Some(Finding::Silent { last_seen: client.last_signal_at });
        }
        if !client.active && client.welcomed_at.is_some_and(|at| at.plus(patience_ms) <= self.now) {
            return Some(Finding::NeverConnected);
        }
        if client.choices_at.is_some_and(|at| at <= self.now) && !self.is_behind() {
            return Some(Finding::HasChosen);
        }
        if client.media_gone_at.is_some_and(|at| at.plus(GOODBYE_MS) <= self.now) {
            return Some(Finding::MediaGone);
        }
        if client.pretends_to_speak_until.is_some_and(|until| until <= self.now) {
            return Some(Finding::StoppedPretending);
        }
        if client.is_welcome() && client.token_refresh_at <= self.now {
            return Some(Finding::NeedsToken);
        }
        None
    }

    fn refresh_token(&mut self, id: ClientId) {
        let next = self.now.plus(self.config.token_refresh_interval_ms);
        let Some(client) = self.clients.get_mut(id) else { return };
        client.token_refresh_at = next;
        let person = client.person.clone();
        self.refresh_token_after(id, &person);
    }
}
