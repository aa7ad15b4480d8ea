//! Commands of people and of the backend: each has one outcome, which is told when what it did is durable, and media and documents
//! have let go of what it took away.

use crate::ack::{Ack, Asker};
use crate::api::{ClientId, CommandRequest, OrderId, Output};
use crate::log::Effect;
use crate::node::{Node, Phase};
use crate::publish::LOG_IS_BEHIND;
use crate::shown::{by_collection, json};
use crate::spaces::Move;
use lyceum_session as session;
use lyceum_sfu as sfu;
use serde::Serialize;
use session::class::{self, Cause, ClassFact, Collection, CommandAnswer, Entity, Envelope, Viewer};
use session::{Command, Ctx, Event, Fact, PersonId, Presence, Reject, Seq, UnixMs};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How long an ack may wait for media and documents.
const FENCE_MS: u64 = 250;
/// How long a flood has to wait.
const RETRY_MS: u64 = 1_000;

/// Where an event takes something away that the issuer of its command may count on to have ended.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Losses {
    pub(crate) media: bool,
    pub(crate) documents: bool,
}

/// Acks that wait for media and documents.
#[derive(Default)]
pub(crate) struct Fences {
    waiting: BTreeMap<u64, Waiting>,
    last: u64,
}

struct Waiting {
    deadline: UnixMs,
    to: Asker,
    ack: Box<Ack>,
    /// Who has not answered.
    open: Losses,
}

impl Fences {
    /// When the first of them has waited long enough.
    pub(crate) fn deadline(&self) -> Option<UnixMs> {
        self.waiting.values().next().map(|waiting| waiting.deadline)
    }
}

impl Node {
    /// A command came over a state socket.
    pub(crate) fn command(&mut self, id: ClientId, request: CommandRequest) {
        if self.phase != Phase::Live {
            return;
        }
        let now = self.now;
        let Some(device) = self.devices.get_mut(id) else { return };
        let person = device.person.clone();
        if !device.commands.take(1, now) {
            self.stats.flooded_signals += 1;
            let ack = Ack::rejected(request.id, &Reject::Rate { retry_ms: RETRY_MS });
            let text = json(&ack);
            return self.give(Output::Text { client: id, text });
        }
        self.obey(Asker::Socket(id), Some(person), request);
    }

    pub(crate) fn order_command(&mut self, order: OrderId, actor: Option<PersonId>, request: CommandRequest) {
        if self.phase != Phase::Live {
            let ack = Ack::rejected(request.id, &Reject::SessionEnded);
            return self.log.after(Effect::Acknowledge {
                to: Asker::Order(order),
                ack: Box::new(ack),
                losses: Losses::default(),
            });
        }
        self.obey(Asker::Order(order), actor, request);
    }

    fn obey(&mut self, to: Asker, actor: Option<PersonId>, request: CommandRequest) {
        let CommandRequest { id, digest, command, expect, epoch, received_at } = request;
        if self.is_behind() {
            let ack = Box::new(Ack::rejected(id, &Reject::Limit(LOG_IS_BEHIND)));
            return self.log.after(Effect::Acknowledge { to, ack, losses: Losses::default() });
        }
        let cause = Some(Cause { id: id.clone(), digest });
        let received_at = Some(received_at.min(self.now));
        let ctx = Ctx { now: self.now, actor, envelope: Envelope { cause, expect, epoch, received_at } };
        let answer = class::answer(&self.log.state, &mut self.memory, &Command::Class(command), &ctx);
        let CommandAnswer { outcome, repeated, facts, side, signals } = answer;
        let ack = Box::new(Ack::of(id, outcome, repeated));
        let losses = self.record(facts, side, &ctx);
        // Before those who were let in or moved by it act on it.
        self.log.after(Effect::Acknowledge { to, ack, losses });
        self.follow_up();
        signals.iter().for_each(|signal| self.pass_on(signal));
    }

    /// What an event takes away that its issuer may count on to have ended.
    pub(crate) fn losses(&self, event: &Event) -> Losses {
        let ends = |fact: &Fact| {
            matches!(fact, Fact::TrackUnpublished { .. } | Fact::TrackMuted { .. } | Fact::ConnectionDetached { .. })
        };
        let visits = matches!(&event.fact, Fact::Class(ClassFact::VisitStarted { .. } | ClassFact::VisitEnded { .. }));
        let clears = matches!(&event.fact, Fact::Class(ClassFact::BoardCleared { .. }));
        let moves = Move::is_one(&event.fact);
        Losses {
            media: !self.clients.is_empty() && (ends(&event.fact) || moves),
            documents: moves || visits || clears || class::may_regrant(&event.fact),
        }
    }

    /// What a command did is durable: its ack goes out once media and documents have followed.
    pub(crate) fn acknowledge(&mut self, to: Asker, ack: Box<Ack>, losses: Losses) {
        let seq = ack.last.filter(|_| losses.documents);
        let open = Losses { documents: seq.is_some(), ..losses };
        if open == Losses::default() {
            return self.send_ack(to, ack);
        }
        self.fences.last += 1;
        let id = self.fences.last;
        self.fences.waiting.insert(id, Waiting { deadline: self.now.plus(FENCE_MS), to, ack, open });
        if open.media {
            self.tell_media(sfu::Command::Fence { group: self.config.group, id });
        }
        if let Some(seq) = seq {
            self.give(Output::Enforce { id, seq });
        }
    }

    /// Media has done everything that it was told before this fence.
    pub(crate) fn media_has_let_go(&mut self, id: u64) {
        self.let_go(id, |open| open.media = false);
    }

    /// What the documents' clients could do before this fence by older grants, they can no more.
    pub(crate) fn documents_have_let_go(&mut self, id: u64) {
        self.let_go(id, |open| open.documents = false);
    }

    fn let_go(&mut self, id: u64, answer: impl FnOnce(&mut Losses)) {
        let Some(waiting) = self.fences.waiting.get_mut(&id) else { return };
        answer(&mut waiting.open);
        if waiting.open == Losses::default()
            && let Some(waiting) = self.fences.waiting.remove(&id)
        {
            self.send_ack(waiting.to, waiting.ack);
        }
    }

    /// Somebody has not answered by then: whoever waits is told so.
    pub(crate) fn give_fences_up(&mut self, deadline: UnixMs) {
        while let Some(first) = self.fences.waiting.first_entry().filter(|first| first.get().deadline <= deadline) {
            let Waiting { to, ack, open, .. } = first.remove();
            tracing::warn!(?open, "it was not confirmed in time that what a command took away has ended");
            self.send_ack(to, Box::new(Ack { enforced: false, ..*ack }));
        }
    }

    fn send_ack(&mut self, to: Asker, ack: Box<Ack>) {
        match to {
            Asker::Order(id) => self.give(Output::Reply { id, result: Ok(crate::api::Answer::Outcome(ack)) }),
            Asker::Socket(client) => {
                if self.devices.hears(client) {
                    self.give(Output::Text { client, text: json(&ack) });
                }
            }
        }
    }

    /// The class as somebody sees it.
    pub(crate) fn look_at_class(&self, viewer: Option<&PersonId>) -> Result<Arc<str>, Reject> {
        #[derive(Serialize)]
        struct Seen<'a> {
            seq: Seq,
            snapshot: BTreeMap<Collection, BTreeMap<String, &'a Entity>>,
        }
        let state = &self.log.state;
        let viewer = match viewer {
            None => Viewer::backend(),
            Some(person) => {
                let known = state.participants.get(person).filter(|known| known.presence != Presence::Left);
                known.ok_or(Reject::NotAdmitted("the person is not part of this session"))?;
                state.viewer(person)
            }
        };
        let snapshot = state.snapshot_for(&viewer);
        Ok(json(&Seen { seq: state.seq, snapshot: by_collection(&snapshot) }))
    }

    /// Counts of reactions go into the log once a minute.
    pub(crate) fn log_reactions(&mut self) {
        for command in self.reactions.take(self.now) {
            if let Err(reject) = self.commit(&Command::Class(command), None) {
                tracing::debug!(%reject, "counts of reactions were not logged");
            }
        }
    }
}
