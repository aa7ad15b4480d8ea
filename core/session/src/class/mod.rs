//! What people do in a class beside being there and being seen: who may do what, who waits, who presents, whose hand is up,
//! what was said, asked, answered, and where everybody is placed. Each family of commands has a file with its state, its
//! rules (`decide`) and its effects (`apply`). Nothing here knows a socket, a disk, a codec or a clock.

mod breakouts;
mod chat;
mod checkpoints;
mod command;
mod consent;
mod decks;
mod fact;
mod grant;
mod hands;
mod lobby;
mod media;
mod outcome;
mod people;
mod policy;
mod polls;
mod presenter;
mod qa;
mod questions;
mod reactions;
mod reports;
mod session;
mod stage;
mod timers;
mod view;

pub use breakouts::{BreakoutMode, Breakouts, BreakoutsStatus, Group, GroupPlan, Help, LatePolicy, Placed};
pub use chat::{Channel, Message, MessageStatus, To};
pub use checkpoints::{Checkpoint, Mood};
pub use command::ClassCommand;
pub use decks::{BoardAccess, Deck, DeckStatus, MOST_PAGES, Page};
pub use fact::{ClassFact, Draft};
pub use grant::{Cap, Caps, Epoch, Grant, Overrides};
pub use hands::{Hand, HandIntent, HandOrder, Hands};
pub use lobby::{Ban, Waiting, WithdrawReason};
pub use media::{Intent, MicIntent};
pub use outcome::{
    Answer as CommandAnswer, Cause, Done, Envelope, Memory, OUTCOMES_KEPT, Outcome, ResponseOutcome, answer,
};
pub use policy::{ChatMode, ClassPolicy, Devices, DirectMessages, Fallback, LobbyMode, PolicyPatch, Unattended};
pub use polls::{Poll, PollStatus, SavedDraft, Side, SideWrite};
pub use presenter::{Lease, PresenterReason};
pub use qa::Question;
pub use questions::{
    Anonymity, Answer, Answers, DraftPolicy, Item, ItemKind, PollMode, PollSpec, PublishDetail, Tally, Target,
};
pub use reactions::{Reactions, Signal};
pub use reports::Report;
pub use stage::{Layout, Space, Stage};
pub use timers::Timer;
pub use view::{
    CheckpointView, Collection, Entity, GrantView, HandView, Id, Key, ParticipantView, PollView, QuestionView,
    ResponseView, ResultView, SessionView, Snapshot, Viewer, WaitingView,
};

pub(crate) use presenter::returns;
pub(crate) use session::is_over;

use crate::command::{Ctx, Reject};
use crate::event::{Event, Fact, Kind, Role};
use crate::ids::{CmdId, PersonId, Seq, SpaceName, UnixMs};
use crate::state::{Participant, Presence, State};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// The state of a class beside people, connections and tracks: the fold of its log.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Class {
    /// What the room allows.
    pub policy: ClassPolicy,
    /// The place of the fact that changed policy, lock or end last.
    pub policy_rev: Seq,
    /// Whether nobody new is let in.
    pub locked: bool,
    /// When the session ends, if that was announced.
    pub ending_at: Option<UnixMs>,
    /// Since when no staff is connected; `None` while somebody is.
    pub unattended_since: Option<UnixMs>,
    /// Whether the class is locked because it was left alone.
    pub unattended: bool,
    /// What is known of everybody who was ever admitted, beside their participation.
    pub members: BTreeMap<PersonId, Member>,
    /// Who waits to be let in.
    pub waiting: BTreeMap<PersonId, Waiting>,
    /// Who may not come back.
    pub bans: BTreeMap<PersonId, Ban>,
    /// The main room and every Space that breakouts made, while they are open.
    pub spaces: BTreeMap<SpaceName, Space>,
    /// Groups, planned or open.
    pub breakouts: Option<Breakouts>,
    /// Raised hands.
    pub hands: Hands,
    /// Messages, newest last, by the place of the fact that posted them.
    pub messages: BTreeMap<Seq, Message>,
    /// Questions of the class.
    pub questions: BTreeMap<Seq, Question>,
    /// Polls, quizzes and surveys.
    pub polls: BTreeMap<Seq, Poll>,
    /// What is stored beside the log: drafts and anonymous ballots.
    pub side: Side,
    /// Running and paused timers.
    pub timers: BTreeMap<Seq, Timer>,
    /// Slides.
    pub decks: BTreeMap<Seq, Deck>,
    /// The question how it goes, while it is open.
    pub checkpoint: Option<Checkpoint>,
    /// Reports of abuse.
    pub reports: BTreeMap<Seq, Report>,
    /// Which commands have left a trace in the log, the newest of each person.
    #[serde(with = "crate::saved::pairs")]
    done: BTreeMap<Option<PersonId>, VecDeque<Done>>,
}

/// What is known of one person who was admitted.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Member {
    /// What they may do.
    pub grant: Grant,
    /// Capabilities of their own.
    pub overrides: Overrides,
    /// Their role, as it was seen last.
    role: Option<Role>,
    /// The place of the fact that changed their role or overrides last.
    pub rev: Seq,
    /// Which Space they look into without being placed there.
    pub visit: Option<SpaceName>,
    /// What they want their devices to do; no move between Spaces changes it.
    pub intent: Intent,
    /// Until when they may speak because they were called.
    pub floor_until: Option<UnixMs>,
    /// How often they were called.
    pub called: u32,
    /// Whether they agreed to be recorded.
    pub consent: Option<bool>,
}

/// What `decide` gives beside facts.
#[derive(Default)]
pub(crate) struct Extra {
    pub side: Vec<SideWrite>,
    pub signals: Vec<Signal>,
}

/// What a command does.
#[derive(Default)]
pub(crate) struct Work {
    pub facts: Vec<Fact>,
    pub extra: Extra,
}

impl From<ClassFact> for Work {
    fn from(fact: ClassFact) -> Self {
        Self { facts: vec![Fact::Class(fact)], extra: Extra::default() }
    }
}

impl From<Vec<Fact>> for Work {
    fn from(facts: Vec<Fact>) -> Self {
        Self { facts, extra: Extra::default() }
    }
}

type Did = Result<Work, Reject>;

fn did(fact: ClassFact) -> Did {
    Ok(fact.into())
}

/// There was nothing to change.
fn nothing() -> Did {
    Ok(Work::default())
}

/// One decision: the state before, the time in the log's clock, and who asks.
struct Desk<'a> {
    state: &'a State,
    class: &'a Class,
    now: UnixMs,
    ctx: &'a Ctx,
}

/// Decides what a class command does. Banned, admitted, permitted, possible, within limits: in this order.
pub(crate) fn decide(state: &State, command: &ClassCommand, ctx: &Ctx) -> Did {
    outcome::check_cause(ctx)?;
    if ctx.envelope.cause.as_ref().is_some_and(|cause| state.class.done(&ctx.actor, &cause.id).is_some()) {
        return nothing();
    }
    let desk = Desk { state, class: &state.class, now: state.clamp(ctx.now), ctx };
    if let Some(actor) = &ctx.actor {
        let may_stand_outside = matches!(command, ClassCommand::Join { .. } | ClassCommand::LobbyWithdraw {});
        if let Some(ban) = state.class.bans.get(actor) {
            return Err(ban.reject());
        }
        if state.seat(actor).is_none() && !may_stand_outside {
            return Err(Reject::NotAdmitted("the person is not part of this session"));
        }
        outcome::check_rate(state, ctx)?;
    }
    let families: [fn(&Desk<'_>, &ClassCommand) -> Option<Did>; 17] = [
        session::decide,
        lobby::decide,
        people::decide,
        media::decide,
        presenter::decide,
        stage::decide,
        hands::decide,
        chat::decide,
        qa::decide,
        reactions::decide,
        polls::decide,
        breakouts::decide,
        timers::decide,
        decks::decide,
        consent::decide,
        checkpoints::decide,
        reports::decide,
    ];
    let decided = families.iter().find_map(|family| family(&desk, command));
    decided.unwrap_or(Err(Reject::Unavailable("this server does not know the command")))
}

/// What is due at `now`.
pub(crate) fn tick(state: &State, ctx: &Ctx) -> Vec<Fact> {
    let desk = Desk { state, class: &state.class, now: state.clamp(ctx.now), ctx };
    let mut facts = Vec::new();
    for family in
        [polls::tick, breakouts::tick, presenter::tick, hands::tick, timers::tick, checkpoints::tick, lobby::tick]
    {
        facts.extend(family(&desk).into_iter().map(Fact::Class));
    }
    facts.extend(session::tick(&desk).into_iter().map(Fact::Class));
    facts
}

/// What must be said before a session ends: what counts in polls that are open, and that groups are no more.
pub(crate) fn wind_up(state: &State, now: UnixMs) -> Vec<Fact> {
    let groups = state.class.breakouts.as_ref().filter(|groups| groups.is_open());
    let closed = groups.map(|_| ClassFact::BreakoutsClosed {});
    polls::wind_up(&state.class, now).into_iter().chain(closed).map(Fact::Class).collect()
}

/// When something of a class is due, and what.
pub(crate) fn timeouts(state: &State) -> impl Iterator<Item = (UnixMs, &'static str)> {
    let class = &state.class;
    let mut due = Vec::new();
    for family in [
        polls::timeouts,
        breakouts::timeouts,
        presenter::timeouts,
        hands::timeouts,
        timers::timeouts,
        checkpoints::timeouts,
        lobby::timeouts,
        session::timeouts,
    ] {
        due.extend(family(class));
    }
    due.into_iter()
}

/// Folds a class fact into the state. Total.
pub(crate) fn apply(state: &mut State, event: &Event, fact: &ClassFact) {
    let families: [fn(&mut State, &Event, &ClassFact) -> bool; 17] = [
        session::apply,
        lobby::apply,
        people::apply,
        media::apply,
        presenter::apply,
        stage::apply,
        hands::apply,
        chat::apply,
        qa::apply,
        reactions::apply,
        polls::apply,
        breakouts::apply,
        timers::apply,
        decks::apply,
        consent::apply,
        checkpoints::apply,
        reports::apply,
    ];
    let applied = families.iter().any(|family| family(state, event, fact));
    debug_assert!(applied, "every fact belongs to a family");
}

/// What every event means to a class, after it was folded: remembered commands, people who came, moved or went, grants.
pub(crate) fn follow(state: &mut State, event: &Event) {
    outcome::remember(state, event);
    let was_unattended = state.class.unattended;
    match &event.fact {
        Fact::SessionStarted { .. } => {
            state.class.spaces.insert(SpaceName::default(), Space::default());
            state.class.policy_rev = event.seq;
        }
        Fact::SessionEnded { .. } => state.class.ending_at = None,
        Fact::ParticipantAdmitted { person, space, .. } => {
            stage::set_up(state, space, event.seq);
            people::admitted(state, person, event);
            polls::admitted(state, person);
            session::left_alone(state, event);
        }
        Fact::ParticipantMoved { persons, space } => {
            stage::set_up(state, space, event.seq);
            persons.iter().for_each(|person| presenter::moved(state, person, event.seq));
            breakouts::touched(state, event.seq);
        }
        Fact::ParticipantLeft { person, .. } => people::left(state, person, event.seq),
        Fact::ConnectionAttached { person, .. } | Fact::ConnectionResumed { person, .. } => {
            presenter::back(state, person);
            session::attended(state, person);
        }
        Fact::ConnectionDetached { person, .. } => {
            presenter::gone(state, person, event);
            session::left_alone(state, event);
        }
        Fact::ParticipantUpdated { person, .. } => {
            people::updated(state, person, event.seq);
            session::left_alone(state, event);
        }
        Fact::Class(ClassFact::RoleChanged { .. }) => session::left_alone(state, event),
        _ => {}
    }
    match regranted(&event.fact) {
        _ if was_unattended != state.class.unattended => state.regrant(None),
        Regranted::Nobody => {}
        Regranted::These(persons) => persons.iter().for_each(|person| state.regrant(Some(person))),
        Regranted::Everybody => state.regrant(None),
    }
}

/// Whose grant a fact may change.
enum Regranted<'a> {
    Nobody,
    These(&'a [PersonId]),
    Everybody,
}

fn regranted(fact: &Fact) -> Regranted<'_> {
    use std::slice::from_ref;
    match fact {
        Fact::ParticipantAdmitted { person, .. }
        | Fact::ParticipantLeft { person, .. }
        | Fact::ParticipantUpdated { person, .. } => Regranted::These(from_ref(person)),
        Fact::ParticipantMoved { persons, .. } => Regranted::These(persons),
        Fact::Class(fact) => match fact {
            ClassFact::RoleChanged { person, .. }
            | ClassFact::GrantOverridden { person, .. }
            | ClassFact::HandCalled { person, .. }
            | ClassFact::FloorEnded { person } => Regranted::These(from_ref(person)),
            ClassFact::PolicyChanged { .. }
            | ClassFact::SessionUnattended {}
            | ClassFact::PresenterChanged { .. }
            | ClassFact::BreakoutsOpened { .. }
            | ClassFact::BreakoutsClosed {}
            | ClassFact::BoardAccessChanged { .. }
            | ClassFact::NotesLocked { .. } => Regranted::Everybody,
            _ => Regranted::Nobody,
        },
        _ => Regranted::Nobody,
    }
}

/// Whether somebody may be permitted something else after this fact; who comes or goes may end or begin a class without staff.
pub fn may_regrant(fact: &Fact) -> bool {
    let comes_or_goes = matches!(
        fact,
        Fact::ConnectionAttached { .. } | Fact::ConnectionResumed { .. } | Fact::ConnectionDetached { .. }
    );
    comes_or_goes || !matches!(regranted(fact), Regranted::Nobody)
}

/// Whether somebody who is here may be permitted less after this fact. Who comes has nothing to lose, who leaves nothing left.
pub(crate) fn may_revoke(fact: &Fact) -> bool {
    let comes_or_goes = matches!(fact, Fact::ParticipantAdmitted { .. } | Fact::ParticipantLeft { .. });
    !comes_or_goes && !matches!(regranted(fact), Regranted::Nobody)
}

impl Class {
    /// What became of a command that left a trace in the log, if it is still remembered; `None` is the backend's own.
    pub fn done(&self, actor: &Option<PersonId>, command: &CmdId) -> Option<&Done> {
        self.done.get(actor)?.iter().rev().find(|done| done.cause.id == *command)
    }
}

impl State {
    /// A person who is admitted and has not left.
    pub(crate) fn seat(&self, person: &PersonId) -> Option<&Participant> {
        self.participants.get(person).filter(|known| known.presence != Presence::Left)
    }

    pub(crate) fn is_online(&self, person: &PersonId) -> bool {
        self.seat(person).is_some_and(|known| !known.connections.is_empty())
    }
}

impl Participant {
    /// Whether this is a person of the class rather than a recorder, a bridge, or somebody that nobody is told of.
    pub(crate) fn is_counted(&self) -> bool {
        !self.profile.permission.hidden && matches!(self.profile.kind, Kind::Standard | Kind::Sip)
    }
}

impl<'a> Desk<'a> {
    /// Whether the actor may do this. The server may do everything.
    fn may(&self, cap: Cap) -> bool {
        self.ctx.actor.as_ref().is_none_or(|actor| self.state.grant(actor).caps.has(cap))
    }

    /// Refuses without blame if the grant has changed since the client last saw it.
    fn need(&self, cap: Cap, why: &'static str) -> Result<(), Reject> {
        if self.may(cap) { Ok(()) } else { Err(self.denied(why)) }
    }

    fn denied(&self, why: &'static str) -> Reject {
        let Some(actor) = &self.ctx.actor else { return Reject::Forbidden(why) };
        let Grant { epoch, caps } = self.state.grant(actor);
        match self.ctx.envelope.epoch {
            Some(seen) if seen < epoch => Reject::StaleGrant { epoch, caps },
            _ => Reject::Forbidden(why),
        }
    }

    /// The person who asks, for what only a person can do.
    fn actor(&self) -> Result<&'a PersonId, Reject> {
        self.ctx.actor.as_ref().ok_or(Reject::Invalid("only a person can do this, and none is named"))
    }

    fn only_server(&self, why: &'static str) -> Result<(), Reject> {
        if self.ctx.actor.is_some() { Err(Reject::Forbidden(why)) } else { Ok(()) }
    }

    /// Refuses a change to something that has changed since the client last saw it.
    fn expect(&self, current: Seq, rule: Expect) -> Result<(), Reject> {
        match self.ctx.envelope.expect {
            Some(expected) if expected != current => Err(Reject::Stale { current }),
            None if rule == Expect::Required && self.ctx.actor.is_some() => {
                Err(Reject::Invalid("this needs the revision that is to be changed (`expect`)"))
            }
            _ => Ok(()),
        }
    }

    fn seat(&self, person: &PersonId) -> Result<&'a Participant, Reject> {
        self.state.seat(person).ok_or(Reject::NotFound("no such person in the session"))
    }

    fn member(&self, person: &PersonId) -> Result<&'a Member, Reject> {
        self.class.members.get(person).ok_or(Reject::NotFound("no such person in the session"))
    }

    /// A Space that is there, or the actor's own.
    fn space(&self, named: Option<&SpaceName>) -> Result<(SpaceName, &'a Space), Reject> {
        let own = || self.ctx.actor.as_ref().and_then(|actor| self.state.seat(actor)).map(|known| known.space.clone());
        let name = named.cloned().or_else(own).unwrap_or_default();
        let space = self.class.spaces.get(&name).ok_or(Reject::NotFound("no such Space"))?;
        Ok((name, space))
    }

    /// The Spaces that the actor is in: where they are placed, and where they visit.
    fn is_in(&self, person: &PersonId, space: &SpaceName) -> bool {
        self.state.is_in(person, space)
    }

    /// Nobody acts on people of a higher rank.
    fn outranks(&self, person: &PersonId) -> Result<(), Reject> {
        let Some(actor) = &self.ctx.actor else { return Ok(()) };
        let rank_of = |person| self.state.seat(person).map_or(0, |known| known.profile.role.rank());
        if actor != person && rank_of(actor) < rank_of(person) {
            return Err(Reject::Forbidden("this person leads the class"));
        }
        Ok(())
    }
}

impl State {
    pub(super) fn is_in(&self, person: &PersonId, space: &SpaceName) -> bool {
        let placed = self.seat(person).is_some_and(|known| known.space == *space);
        let visits = self.class.members.get(person).is_some_and(|member| member.visit.as_ref() == Some(space));
        placed || visits
    }
}

/// Whether a person must say which revision they change.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    Required,
    Optional,
}

/// People named once each, in order; refuses an empty list and one that is too long.
fn persons_once(persons: &[PersonId]) -> Result<Vec<PersonId>, Reject> {
    if persons.is_empty() {
        return Err(Reject::Invalid("nobody is named"));
    }
    if persons.len() > MOST_PERSONS {
        return Err(Reject::Limit("too many people in one command"));
    }
    let once: std::collections::BTreeSet<_> = persons.iter().cloned().collect();
    Ok(once.into_iter().collect())
}

/// Most people that one command names.
const MOST_PERSONS: usize = 5_000;

fn check_text(text: &crate::ids::Text, most: usize) -> Result<(), Reject> {
    if text.0.trim().is_empty() {
        return Err(Reject::Invalid("the text is empty"));
    }
    if text.0.len() > most {
        return Err(Reject::Limit("the text is too long"));
    }
    Ok(())
}
