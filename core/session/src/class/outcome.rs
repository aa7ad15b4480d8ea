//! One outcome for each command of a client, however often it is sent. What happened is remembered from the log; what was
//! refused, or changed nothing, is remembered beside it, in [`Memory`], for as long as the server runs.

use super::{ClassFact, Epoch, Extra, SideWrite, Signal};
use crate::command::{Command, Ctx, Reject};
use crate::event::{Event, Fact};
use crate::ids::{CmdId, PersonId, Seq, UnixMs};
use crate::state::State;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// Outcomes remembered of one person, the newest.
pub const OUTCOMES_KEPT: usize = 256;
/// Most commands of one person that go into the log in [`RATE_MS`].
const RATE: usize = 100;
const RATE_MS: u64 = 10_000;
/// Longest id of a command, in bytes.
const CMD_ID_BYTES: usize = 64;

/// What a client writes around a command. The actor is not in it: that is who the connection belongs to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Envelope {
    /// Which command this is; `None` if the server made it.
    pub cause: Option<Cause>,
    /// The revision of what the command changes, as the client saw it last.
    pub expect: Option<Seq>,
    /// The version of their own grant that the client saw last. It explains a refusal and decides nothing.
    pub epoch: Option<Epoch>,
    /// When a server first had the command in its hands, if that was earlier than now. Never from the client.
    pub received_at: Option<UnixMs>,
}

/// Which command of a client caused an event.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Cause {
    /// The client's id for it.
    pub id: CmdId,
    /// A digest of the command's type and payload, made by the server, below 2^53 so that every reader of JSON keeps it: the
    /// same id with another body is refused. 0 is none: so it is written with an anonymous answer, which a digest would give away.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub digest: u64,
}

fn is_zero(digest: &u64) -> bool {
    *digest == 0
}

/// The one answer to a command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It happened: these places in the log, from first to last; none if there was nothing to change.
    Accepted {
        /// Where in the log.
        places: Option<(Seq, Seq)>,
        /// What became of a response; `None` for every other command.
        response: Option<ResponseOutcome>,
    },
    /// It did not.
    Rejected {
        /// Why.
        reject: Reject,
        /// A late answer was kept for the teacher all the same, at this place in the log.
        kept: Option<Seq>,
    },
}

/// What became of a response that was accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ResponseOutcome {
    /// It counts.
    Counted,
    /// It came after the poll began to close, in time to count.
    CountedLate,
}

/// What the log says of a command that left a trace in it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Done {
    /// Which.
    pub cause: Cause,
    /// Its first event.
    pub first: Seq,
    /// Its last event.
    pub last: Seq,
    /// When it happened.
    pub at: UnixMs,
    /// What became of it, if it was a response.
    pub response: Option<ResponseOutcome>,
    /// It was a late answer, kept and not counted.
    pub late: bool,
}

impl Done {
    pub(super) fn outcome(&self) -> Outcome {
        if self.late {
            return Outcome::Rejected { reject: TOO_LATE, kept: Some(self.first) };
        }
        Outcome::Accepted { places: Some((self.first, self.last)), response: self.response }
    }
}

/// The refusal of an answer that came after the poll had closed.
pub(super) const TOO_LATE: Reject = Reject::Closed("this poll takes no more answers");
const OTHER_BODY: Reject = Reject::Invalid("this command id was used for another command");

/// Remembers the commands whose outcome is not in the log: refusals, and what changed nothing. Bounded for each person; lost
/// when the server stops, which harms nobody: none of them changed anything.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    of: BTreeMap<Option<PersonId>, VecDeque<(Cause, Outcome)>>,
}

/// Everything that follows from one command of a client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// What its sender is told, once `facts` and `side` are durable.
    pub outcome: Outcome,
    /// Whether this repeats an earlier answer; nothing else follows then.
    pub repeated: bool,
    /// What happened.
    pub facts: Vec<Fact>,
    /// What is to be written beside the log, in the same transaction.
    pub side: Vec<SideWrite>,
    /// What is passed on and kept nowhere.
    pub signals: Vec<Signal>,
}

/// Answers a command of a client: the one door for them. Whoever calls it stamps and applies `facts`, gives `side` to
/// [`State::keep`], and stores both together before anybody is told.
pub fn answer(state: &State, memory: &mut Memory, command: &Command, ctx: &Ctx) -> Answer {
    let said = |outcome, repeated| Answer { outcome, repeated, facts: vec![], side: vec![], signals: vec![] };
    if let Some(earlier) = recall(state, memory, ctx) {
        return said(earlier, true);
    }
    let outcome = match decide_all(state, command, ctx) {
        Err(reject) => Outcome::Rejected { reject, kept: None },
        Ok((facts, extra)) => {
            if !facts.is_empty() {
                // The log remembers.
                let (first, last) = (state.seq.next(), Seq(state.seq.0 + facts.len() as u64));
                let (response, late) = response_in(&facts);
                let cause = ctx.envelope.cause.clone().unwrap_or(Cause { id: CmdId(String::new()), digest: 0 });
                let outcome = Done { cause, first, last, at: ctx.now, response, late }.outcome();
                return Answer { outcome, repeated: false, facts, side: extra.side, signals: extra.signals };
            }
            let outcome = Outcome::Accepted { places: None, response: None };
            // A draft or a reaction leaves no event; a resend of it writes the same again.
            if !extra.side.is_empty() || !extra.signals.is_empty() {
                memory.remember(ctx, &outcome);
                return Answer { side: extra.side, signals: extra.signals, ..said(outcome, false) };
            }
            outcome
        }
    };
    memory.remember(ctx, &outcome);
    said(outcome, false)
}

fn decide_all(state: &State, command: &Command, ctx: &Ctx) -> Result<(Vec<Fact>, Extra), Reject> {
    crate::decide::decide_with_extra(state, command, ctx)
}

fn recall(state: &State, memory: &Memory, ctx: &Ctx) -> Option<Outcome> {
    let (cause, actor) = (ctx.envelope.cause.as_ref()?, &ctx.actor);
    let agrees = |earlier: &Cause, outcome: Outcome| {
        if earlier.digest == 0 || earlier.digest == cause.digest {
            outcome
        } else {
            Outcome::Rejected { reject: OTHER_BODY, kept: None }
        }
    };
    if let Some(done) = state.class.done(actor, &cause.id) {
        return Some(agrees(&done.cause, done.outcome()));
    }
    let remembered = memory.of.get(actor)?.iter().find(|(earlier, _)| earlier.id == cause.id);
    remembered.map(|(earlier, outcome)| agrees(earlier, outcome.clone()))
}

impl Memory {
    fn remember(&mut self, ctx: &Ctx, outcome: &Outcome) {
        let Some(cause) = &ctx.envelope.cause else { return };
        if cause.id.0.len() > CMD_ID_BYTES {
            return;
        }
        let ring = self.of.entry(ctx.actor.clone()).or_default();
        if ring.len() == OUTCOMES_KEPT {
            ring.pop_front();
        }
        ring.push_back((cause.clone(), outcome.clone()));
    }

    /// Forgets a person who is gone.
    pub fn forget(&mut self, person: &PersonId) {
        self.of.remove(&Some(person.clone()));
    }
}

impl Cause {
    /// As it may be written with these facts.
    pub(crate) fn beside(self, facts: &[Fact]) -> Self {
        let is_secret = |fact: &Fact| matches!(fact, Fact::Class(ClassFact::PollResponded { answers: None, .. }));
        if facts.iter().any(is_secret) { Self { digest: 0, ..self } } else { self }
    }
}

/// Refuses a person whose commands fill the log faster than people act.
pub(super) fn check_rate(state: &State, ctx: &Ctx) -> Result<(), Reject> {
    let now = state.clamp(ctx.now);
    let Some(of_person) = ctx.actor.as_ref().and_then(|_| state.class.done.get(&ctx.actor)) else { return Ok(()) };
    match of_person.iter().rev().nth(RATE - 1).map(|done| done.at.plus(RATE_MS)) {
        Some(free) if free > now => Err(Reject::Rate { retry_ms: free.0 - now.0 }),
        _ => Ok(()),
    }
}

/// A command's id is short and says something.
pub(super) fn check_cause(ctx: &Ctx) -> Result<(), Reject> {
    match &ctx.envelope.cause {
        Some(cause) if cause.id.0.is_empty() || cause.id.0.len() > CMD_ID_BYTES => {
            Err(Reject::Invalid("a command's id has 1 to 64 bytes"))
        }
        _ => Ok(()),
    }
}

/// What the facts of one command say about the response that it was.
fn response_in(facts: &[Fact]) -> (Option<ResponseOutcome>, bool) {
    for fact in facts {
        match fact {
            Fact::Class(ClassFact::PollResponded { late, .. }) => return (Some(response_outcome(*late)), false),
            Fact::Class(ClassFact::PollResponseLate { .. }) => return (None, true),
            _ => {}
        }
    }
    (None, false)
}

fn response_outcome(late: bool) -> ResponseOutcome {
    if late { ResponseOutcome::CountedLate } else { ResponseOutcome::Counted }
}

/// Remembers from an event which command it came from.
pub(super) fn remember(state: &mut State, event: &Event) {
    let Some(cause) = &event.cause else { return };
    let (response, late) = response_in(std::slice::from_ref(&event.fact));
    let ring = state.class.done.entry(event.actor.clone()).or_default();
    if let Some(done) = ring.back_mut().filter(|done| done.cause == *cause) {
        done.last = event.seq;
        done.response = done.response.or(response);
        done.late |= late;
        return;
    }
    if ring.len() == OUTCOMES_KEPT {
        ring.pop_front();
    }
    ring.push_back(Done { cause: cause.clone(), first: event.seq, last: event.seq, at: event.at, response, late });
}
