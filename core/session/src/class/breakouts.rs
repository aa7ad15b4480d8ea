//! Breakouts: groups are drawn up, opened as Spaces, and closed again. Where somebody is placed is in the log, whatever
//! their connection does: it changes by facts alone, for everybody whom a fact names at once.

use super::presenter;
use super::{Cap, Class, ClassCommand, ClassFact, Desk, Did, Expect, Space, check_text, did, nothing, persons_once};
use crate::command::Reject;
use crate::event::{Event, Fact, Profile, Role};
use crate::ids::{PersonId, Seq, SpaceName, UnixMs};
use crate::state::State;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The groups of a session. There is one set at a time, and groups have no groups.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Breakouts {
    /// The place of the fact that changed them, or a placement, last.
    pub rev: Seq,
    /// Whether people are in them.
    pub status: BreakoutsStatus,
    /// How people get into a group.
    pub mode: BreakoutMode,
    /// The groups, by the names of their Spaces.
    pub groups: BTreeMap<SpaceName, Group>,
    /// Who is to be placed where when they open.
    pub plan: BTreeMap<PersonId, SpaceName>,
    /// Where people go who are admitted later.
    pub late_policy: LatePolicy,
    /// Whether people may go back to the main room by themselves.
    pub allow_return: bool,
    /// When they close.
    pub closes_at: Option<UnixMs>,
}

/// Whether people are in their groups.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum BreakoutsStatus {
    /// Not yet.
    Planned,
    /// They are.
    Open,
    /// They are, and were warned that it ends.
    Closing,
}

/// One group.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Group {
    /// What it is called.
    pub title: String,
    /// Most people who may choose it; 0 is no limit.
    pub capacity: u32,
    /// It asks for help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<Help>,
}

/// A group's call for help.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Help {
    /// Who called.
    pub person: PersonId,
    /// Since when.
    pub since: UnixMs,
}

/// A group as it is drawn up.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs)]
pub struct GroupPlan {
    pub space: SpaceName,
    #[serde(default)]
    pub title: String,
    #[serde(default)]
    pub capacity: u32,
    /// Who is to be in it, for `manual` and `roster`.
    #[serde(default)]
    pub persons: Vec<PersonId>,
}

/// How people get into a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum BreakoutMode {
    /// Dealt out by the command's seed.
    Random,
    /// By hand; who is not named stays in the main room.
    Manual,
    /// They choose.
    SelfSelect,
    /// By a list from outside; people who are not here yet have a place too.
    Roster,
    /// As named, and the others go where the fewest are.
    Balanced,
}

/// Where people go who are admitted while breakouts are open.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LatePolicy {
    /// They stay in the main room.
    #[default]
    HoldMain,
    /// Where the fewest are.
    LeastFull,
    /// They choose.
    SelfSelect,
}

/// Most groups.
const MOST_GROUPS: usize = 200;
/// Shortest warning before breakouts close, unless they close at once.
pub(super) const WARNING_MS: u64 = 60_000;
/// Longest time that breakouts are open: a day.
const LONGEST_MS: u64 = 86_400_000;
/// Longest broadcast, in bytes.
const TEXT_BYTES: usize = 2_000;

impl Breakouts {
    /// Whether people are in their groups.
    pub fn is_open(&self) -> bool {
        matches!(self.status, BreakoutsStatus::Open | BreakoutsStatus::Closing)
    }

    /// When the warning is due.
    fn warn_at(&self) -> Option<UnixMs> {
        let closes_at = self.closes_at.filter(|_| self.status == BreakoutsStatus::Open)?;
        Some(UnixMs(closes_at.0.saturating_sub(WARNING_MS)))
    }
}

/// How many people each open group has, while newcomers are placed one after another.
pub struct Placed {
    counts: BTreeMap<SpaceName, u32>,
}

impl Placed {
    pub(crate) fn of(state: &State) -> Self {
        let mut counts = BTreeMap::new();
        if let Some(open) = state.class.breakouts.as_ref().filter(|open| open.is_open()) {
            counts.extend(open.groups.keys().map(|name| (name.clone(), 0)));
            for (person, known) in &state.participants {
                if let Some(count) = counts.get_mut(&known.space).filter(|_| state.seat(person).is_some()) {
                    *count += 1;
                }
            }
        }
        Self { counts }
    }

    /// Where somebody is placed who comes now: where their token says if it is for the first time, else where they were or were
    /// planned to be, else by the policy for late arrivals.
    pub(crate) fn newcomer(
        &mut self,
        state: &State,
        person: &PersonId,
        profile: &Profile,
        token: Option<&SpaceName>,
    ) -> SpaceName {
        let space = self.place(state, person, profile, token);
        if let Some(count) = self.counts.get_mut(&space) {
            *count += 1;
        }
        space
    }

    fn place(&self, state: &State, person: &PersonId, profile: &Profile, token: Option<&SpaceName>) -> SpaceName {
        let was = state.participants.get(person).map(|known| known.space.clone());
        // Of who was here before, a token may be older than the log, and its group closed.
        if let Some(space) = token.filter(|_| was.is_none()) {
            return space.clone();
        }
        let Some(open) = state.class.breakouts.as_ref().filter(|open| open.is_open()) else {
            return was.unwrap_or_default();
        };
        if let Some(was) = was.filter(|was| open.groups.contains_key(was)) {
            return was;
        }
        if let Some(planned) = open.plan.get(person) {
            return planned.clone();
        }
        match open.late_policy {
            LatePolicy::LeastFull if profile.role == Role::Learner => self.least_full(open).unwrap_or_default(),
            _ => SpaceName::default(),
        }
    }

    fn least_full(&self, open: &Breakouts) -> Option<SpaceName> {
        let has_room = |(name, count): &(&SpaceName, &u32)| {
            open.groups.get(*name).is_some_and(|group| group.capacity == 0 || **count < group.capacity)
        };
        self.counts.iter().filter(has_room).min_by_key(|(_, count)| **count).map(|(name, _)| name.clone())
    }
}

pub(super) fn decide(desk: &Desk<'_>, command: &ClassCommand) -> Option<Did> {
    Some(match command {
        ClassCommand::BreakoutsPlan { mode, groups, seed } => desk.plan(*mode, groups, *seed),
        ClassCommand::BreakoutsOpen { closes_at, late_policy, allow_return } => {
            desk.open(*closes_at, *late_policy, *allow_return)
        }
        ClassCommand::BreakoutsMove { persons, to } => desk.move_people(persons, to),
        ClassCommand::BreakoutsChoose { space } => desk.choose(space),
        ClassCommand::BreakoutsReturn {} => (|| {
            let actor = desk.actor()?;
            desk.need(Cap::BreakoutReturn, "going back to the main room is not permitted")?;
            let open = desk.open_breakouts()?;
            if !open.allow_return && !desk.seat(actor)?.profile.role.is_staff() {
                return Err(Reject::Forbidden("these breakouts do not let people go back by themselves"));
            }
            desk.place(vec![actor.clone()], SpaceName::default())
        })(),
        ClassCommand::BreakoutsVisit { space } => desk.visit(space.as_ref()),
        ClassCommand::BreakoutsBroadcast { body } => (|| {
            desk.need(Cap::BreakoutManage, "speaking to all groups is not permitted")?;
            desk.open_breakouts()?;
            check_text(body, TEXT_BYTES)?;
            did(ClassFact::BreakoutsBroadcasted { author: desk.ctx.actor.clone(), body: body.clone() })
        })(),
        ClassCommand::BreakoutsAskHelp {} => (|| {
            let person = desk.actor()?;
            desk.need(Cap::BreakoutAskHelp, "asking for help is not permitted")?;
            let space = &desk.seat(person)?.space;
            let group = desk.open_breakouts()?.groups.get(space);
            match group.ok_or(Reject::Conflict("only groups ask for help"))?.help {
                Some(_) => nothing(),
                None => did(ClassFact::HelpRequested { space: space.clone(), person: person.clone() }),
            }
        })(),
        ClassCommand::HelpResolve { space } => (|| {
            let group = desk.open_breakouts()?.groups.get(space).ok_or(NO_GROUP)?;
            if desk.ctx.actor.as_ref().is_none_or(|actor| desk.seat(actor).is_ok_and(|known| known.space != *space)) {
                desk.need(Cap::BreakoutManage, "answering calls for help is not permitted")?;
            }
            let help = group.help.as_ref().ok_or(Reject::NotFound("this group does not ask for help"))?;
            let waited_ms = desk.now.0.saturating_sub(help.since.0);
            did(ClassFact::HelpResolved { space: space.clone(), waited_ms })
        })(),
        ClassCommand::BreakoutsExtend { by_ms } => (|| {
            desk.need(Cap::BreakoutManage, "extending breakouts is not permitted")?;
            let open = desk.open_breakouts()?;
            desk.expect(open.rev, Expect::Required)?;
            let closes_at = open.closes_at.ok_or(Reject::Conflict("these breakouts have no end to put off"))?;
            if *by_ms == 0 || *by_ms > LONGEST_MS || closes_at.plus(*by_ms) > desk.now.plus(LONGEST_MS) {
                return Err(Reject::Invalid("breakouts are extended by up to a day"));
            }
            did(ClassFact::BreakoutsRescheduled { closes_at: closes_at.plus(*by_ms) })
        })(),
        ClassCommand::BreakoutsClose { warn_s } => (|| {
            desk.need(Cap::BreakoutManage, "closing breakouts is not permitted")?;
            let open = desk.open_breakouts()?;
            desk.expect(open.rev, Expect::Required)?;
            let warn_ms = u64::from(*warn_s) * 1_000;
            if warn_ms == 0 {
                return did(ClassFact::BreakoutsClosed {});
            }
            if !(WARNING_MS..=LONGEST_MS).contains(&warn_ms) {
                return Err(Reject::Invalid("people are warned at least a minute before, or breakouts close at once"));
            }
            did(ClassFact::BreakoutsClosing { closes_at: desk.now.plus(warn_ms) })
        })(),
        ClassCommand::BreakoutsCollect { space, document } => (|| {
            desk.only_server("only the server copies documents")?;
            did(ClassFact::ArtifactCollected { space: space.clone(), document: document.clone() })
        })(),
        _ => return None,
    })
}

const NO_GROUP: Reject = Reject::NotFound("no such group");

impl Desk<'_> {
    fn plan(&self, mode: BreakoutMode, groups: &[GroupPlan], seed: u64) -> Did {
        self.need(Cap::BreakoutManage, "drawing up groups is not permitted")?;
        if let Some(known) = &self.class.breakouts {
            if known.is_open() {
                return Err(Reject::Conflict("breakouts are open; close them first"));
            }
            self.expect(known.rev, Expect::Required)?;
        }
        if groups.is_empty() || groups.len() > MOST_GROUPS {
            return Err(Reject::Limit("there are 1 to 200 groups"));
        }
        let mut made = BTreeMap::new();
        let mut plan = BTreeMap::new();
        for group in groups {
            crate::decide::check_space(&group.space)?;
            if group.title.len() > 200 || group.persons.len() > super::MOST_PERSONS {
                return Err(Reject::Limit("the group's title is too long, or it has too many people"));
            }
            let (title, capacity) = (group.title.clone(), group.capacity);
            let is_new = made.insert(group.space.clone(), Group { title, capacity, help: None }).is_none();
            if !is_new || group.space.is_main() {
                return Err(Reject::Invalid("each group has a Space of its own, and none is the main room"));
            }
            for person in &group.persons {
                if mode != BreakoutMode::Roster {
                    self.seat(person)?;
                }
                if plan.insert(person.clone(), group.space.clone()).is_some() {
                    return Err(Reject::Invalid("nobody is in two groups"));
                }
            }
        }
        match mode {
            BreakoutMode::Random => {
                plan.clear();
                self.deal(&made, &mut plan, Some(seed));
            }
            BreakoutMode::Balanced => self.deal(&made, &mut plan, None),
            BreakoutMode::SelfSelect => plan.clear(),
            BreakoutMode::Manual | BreakoutMode::Roster => {}
        }
        did(ClassFact::BreakoutsPlanned { mode, groups: made, plan })
    }

    /// Places learners who have no group yet where the fewest are; by lot if there is a seed. The outcome goes into the
    /// log, so that nobody ever casts it again.
    fn deal(&self, groups: &BTreeMap<SpaceName, Group>, plan: &mut BTreeMap<PersonId, SpaceName>, seed: Option<u64>) {
        let mut learners: Vec<&PersonId> = self
            .state
            .participants
            .iter()
            .filter(|(person, known)| {
                let is_here = self.state.seat(person).is_some() && known.is_counted();
                is_here && known.profile.role == Role::Learner && !plan.contains_key(*person)
            })
            .map(|(person, _)| person)
            .collect();
        if let Some(seed) = seed {
            let mut lot = Lot(seed);
            for left in (1..learners.len()).rev() {
                learners.swap(left, lot.below(left + 1));
            }
        }
        let mut counts: BTreeMap<&SpaceName, usize> = groups.keys().map(|name| (name, 0)).collect();
        for space in plan.values() {
            if let Some(count) = counts.get_mut(space) {
                *count += 1;
            }
        }
        for person in learners {
            let Some((space, count)) = counts.iter_mut().min_by_key(|(_, count)| **count) else { return };
            plan.insert(person.clone(), (*space).clone());
            *count += 1;
        }
    }

    fn open(&self, closes_at: Option<UnixMs>, late_policy: LatePolicy, allow_return: bool) -> Did {
        self.need(Cap::BreakoutOpen, "opening breakouts is not permitted")?;
        let planned = self.class.breakouts.as_ref().ok_or(Reject::NotFound("no groups are drawn up"))?;
        if planned.is_open() {
            return Err(Reject::Conflict("breakouts are open already"));
        }
        self.expect(planned.rev, Expect::Required)?;
        let fits = |at: UnixMs| at >= self.now.plus(WARNING_MS) && at <= self.now.plus(LONGEST_MS);
        if closes_at.is_some_and(|at| !fits(at)) {
            return Err(Reject::Invalid("breakouts are open for a minute at least, and a day at most"));
        }
        let here = planned.plan.iter().filter(|(person, _)| self.state.seat(person).is_some());
        let placements = here.map(|(person, space)| (person.clone(), space.clone())).collect();
        did(ClassFact::BreakoutsOpened { closes_at, late_policy, allow_return, placements })
    }

    fn open_breakouts(&self) -> Result<&Breakouts, Reject> {
        let open = self.class.breakouts.as_ref().filter(|open| open.is_open());
        open.ok_or(Reject::Closed("no breakouts are open"))
    }

    fn move_people(&self, persons: &[PersonId], to: &SpaceName) -> Did {
        self.need(Cap::BreakoutManage, "moving people is not permitted")?;
        let open = self.open_breakouts()?;
        if !to.is_main() && !open.groups.contains_key(to) {
            return Err(NO_GROUP);
        }
        self.expect(open.rev, Expect::Required)?;
        self.place(persons_once(persons)?, to.clone())
    }

    /// Everybody or nobody, in one fact.
    fn place(&self, persons: Vec<PersonId>, space: SpaceName) -> Did {
        let mut moved = Vec::new();
        for person in persons {
            if self.seat(&person)?.space != space {
                moved.push(person);
            }
        }
        if moved.is_empty() {
            return nothing();
        }
        Ok(vec![Fact::ParticipantMoved { persons: moved, space }].into())
    }

    fn choose(&self, space: &SpaceName) -> Did {
        let actor = self.actor()?;
        self.need(Cap::BreakoutChoose, "choosing a group is not permitted")?;
        let open = self.open_breakouts()?;
        let is_late = open.late_policy == LatePolicy::SelfSelect
            && !open.plan.contains_key(actor)
            && self.seat(actor)?.space.is_main();
        if open.mode != BreakoutMode::SelfSelect && !is_late {
            return Err(Reject::Forbidden("in these breakouts people do not choose their group"));
        }
        let group = open.groups.get(space).ok_or(NO_GROUP)?;
        let inside =
            self.state.participants.iter().filter(|(person, known)| {
                *person != actor && known.space == *space && self.state.seat(person).is_some()
            });
        if group.capacity > 0 && inside.count() >= group.capacity as usize {
            return Err(Reject::Limit("this group is full"));
        }
        self.place(vec![actor.clone()], space.clone())
    }

    fn visit(&self, space: Option<&SpaceName>) -> Did {
        let actor = self.actor()?;
        let visited = self.member(actor)?.visit.as_ref();
        let Some(space) = space.filter(|space| self.seat(actor).is_ok_and(|known| known.space != **space)) else {
            return match visited {
                Some(_) => did(ClassFact::VisitEnded { person: actor.clone() }),
                None => nothing(),
            };
        };
        self.need(Cap::BreakoutVisit, "visiting groups is not permitted")?;
        self.space(Some(space))?;
        if visited == Some(space) {
            return nothing();
        }
        did(ClassFact::VisitStarted { person: actor.clone(), space: space.clone() })
    }
}

/// Numbers by lot, the same ones for the same seed (SplitMix64).
struct Lot(u64);

impl Lot {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % bound.max(1) as u64).unwrap_or(0)
    }
}

pub(super) fn apply(state: &mut State, event: &Event, fact: &ClassFact) -> bool {
    let class = &mut state.class;
    match fact {
        ClassFact::BreakoutsPlanned { mode, groups, plan } => {
            class.breakouts = Some(Breakouts {
                rev: event.seq,
                status: BreakoutsStatus::Planned,
                mode: *mode,
                groups: groups.clone(),
                plan: plan.clone(),
                late_policy: LatePolicy::default(),
                allow_return: true,
                closes_at: None,
            });
        }
        ClassFact::BreakoutsOpened { closes_at, late_policy, allow_return, placements } => {
            if let Some(breakouts) = &mut class.breakouts {
                breakouts.status = BreakoutsStatus::Open;
                (breakouts.closes_at, breakouts.late_policy) = (*closes_at, *late_policy);
                breakouts.allow_return = *allow_return;
                for name in breakouts.groups.keys() {
                    class.spaces.insert(name.clone(), Space { rev: event.seq, ..Space::default() });
                }
            }
            for (person, space) in placements {
                place(state, person, space, event.seq);
            }
        }
        ClassFact::VisitStarted { person, space } => {
            if let Some(member) = class.members.get_mut(person) {
                member.visit = Some(space.clone());
            }
        }
        ClassFact::VisitEnded { person } => {
            if let Some(member) = class.members.get_mut(person) {
                member.visit = None;
            }
        }
        ClassFact::HelpRequested { space, person } => {
            if let Some(group) = class.breakouts.as_mut().and_then(|open| open.groups.get_mut(space)) {
                group.help = Some(Help { person: person.clone(), since: event.at });
            }
        }
        ClassFact::HelpResolved { space, .. } => {
            if let Some(group) = class.breakouts.as_mut().and_then(|open| open.groups.get_mut(space)) {
                group.help = None;
            }
        }
        ClassFact::BreakoutsRescheduled { closes_at } => {
            if let Some(open) = &mut class.breakouts {
                open.closes_at = Some(*closes_at);
                open.status = BreakoutsStatus::Open;
            }
        }
        ClassFact::BreakoutsClosing { closes_at } => {
            if let Some(open) = &mut class.breakouts {
                open.closes_at = Some(*closes_at);
                open.status = BreakoutsStatus::Closing;
            }
        }
        ClassFact::BreakoutsClosed {} => close(state, event.seq),
        ClassFact::BreakoutsBroadcasted { .. } | ClassFact::ArtifactCollected { .. } => return true,
        _ => return false,
    }
    touched(state, event.seq);
    true
}

/// Something about groups or placements changed.
pub(super) fn touched(state: &mut State, at: Seq) {
    if let Some(breakouts) = &mut state.class.breakouts {
        breakouts.rev = at;
    }
}

fn place(state: &mut State, person: &PersonId, space: &SpaceName, at: Seq) {
    if let Some(known) = state.participants.get_mut(person) {
        known.space = space.clone();
    }
    presenter::moved(state, person, at);
}

/// Everybody is in the main room, whether they are connected, offline, or have left; the groups' Spaces are gone.
fn close(state: &mut State, at: Seq) {
    let persons: Vec<PersonId> = state.participants.keys().cloned().collect();
    for person in &persons {
        place(state, person, &SpaceName::default(), at);
    }
    state.class.members.values_mut().for_each(|member| member.visit = None);
    state.class.spaces.retain(|name, _| name.is_main());
    state.class.breakouts = None;
}

pub(super) fn tick(desk: &Desk<'_>) -> Vec<ClassFact> {
    let Some(open) = desk.class.breakouts.as_ref().filter(|open| open.is_open()) else { return Vec::new() };
    let Some(closes_at) = open.closes_at else { return Vec::new() };
    if open.warn_at().is_some_and(|due| due <= desk.now) {
        // A server that was away for longer than the warning gives it now: nobody is moved without one.
        return vec![ClassFact::BreakoutsClosing { closes_at: closes_at.max(desk.now.plus(WARNING_MS)) }];
    }
    if open.status == BreakoutsStatus::Closing && closes_at <= desk.now {
        return vec![ClassFact::BreakoutsClosed {}];
    }
    Vec::new()
}

pub(super) fn timeouts(class: &Class) -> Vec<(UnixMs, &'static str)> {
    let Some(open) = class.breakouts.as_ref().filter(|open| open.is_open()) else { return Vec::new() };
    let warning = open.warn_at().map(|due| (due, "breakouts warning"));
    let close = open.closes_at.filter(|_| open.status == BreakoutsStatus::Closing).map(|due| (due, "breakouts close"));
    warning.into_iter().chain(close).collect()
}
