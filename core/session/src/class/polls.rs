//! Polls, quizzes and surveys from the draft to the published result. A poll closes in two steps: `closing` says until when
//! answers are taken, `closed` says what counts. Every answer has exactly one outcome, and after the close the count changes
//! only by a revision that is in the log.
//!
//! Two things are kept beside the log, by [`State::keep`]: drafts, which are private and overwritten, and the ballots of
//! anonymous polls, which must not stand next to a name or a time.

use super::outcome::TOO_LATE;
use super::questions::{Anonymity, Answers, DraftPolicy, PollSpec, PublishDetail, Tally, Target};
use super::{Cap, Class, ClassCommand, ClassFact, Desk, Did, Draft, Expect, Extra, Work, did, nothing, persons_once};
use crate::command::Reject;
use crate::event::{Event, Fact};
use crate::ids::{PersonId, Seq, Text, UnixMs};
use crate::state::{Participant, State};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A poll, a quiz or a survey, named by the place of the fact that created it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Poll {
    /// The place of the fact that changed it last; answers do not change it.
    pub rev: Seq,
    /// Who made it; `None` is the application.
    pub author: Option<PersonId>,
    /// What it asks.
    pub spec: PollSpec,
    /// How far it is.
    pub status: PollStatus,
    /// Who is asked.
    pub target: Target,
    /// Who could answer: asked when it opened, or admitted while it was open.
    pub eligible: BTreeSet<PersonId>,
    /// When it closes or began to.
    pub closes_at: Option<UnixMs>,
    /// Until when answers are taken.
    pub accept_until: Option<UnixMs>,
    /// Whose answer counts; in an anonymous poll without the answer.
    pub responses: BTreeMap<PersonId, Option<Answers>>,
    /// Answers that came too late.
    pub late: BTreeMap<PersonId, Answers>,
    /// Drafts that the teacher may look at.
    pub kept: BTreeMap<PersonId, Answers>,
    /// Points that somebody gave.
    pub grades: BTreeMap<PersonId, BTreeMap<u16, u32>>,
    /// The count that was announced last.
    pub tally: Option<Tally>,
    /// How often the count was announced after the close.
    pub revision: u32,
    /// What is published of it.
    pub published: Option<PublishDetail>,
    /// Whether answer keys are shown.
    pub revealed: bool,
}

/// How far a poll is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum PollStatus {
    Draft,
    Open,
    Closing,
    Closed,
}

/// What is stored beside the log.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Side {
    /// Answers that are not submitted yet.
    #[serde(with = "crate::saved::pairs")]
    pub drafts: BTreeMap<(Seq, PersonId), SavedDraft>,
    /// The ballots of anonymous polls, sorted, so that their order says nothing.
    pub ballots: BTreeMap<Seq, Vec<Answers>>,
}

/// A draft, and when it was saved.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct SavedDraft {
    pub answers: Answers,
    pub at: UnixMs,
}

/// One record to be written beside the log, in the same transaction as the facts that it came with.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "type", content = "payload", rename_all = "snake_case")]
pub enum SideWrite {
    /// Overwrites the person's draft.
    Draft {
        /// Of which poll.
        poll: Seq,
        /// Whose.
        person: PersonId,
        /// What they have so far; texts in it are theirs.
        draft: SavedDraft,
    },
    /// Adds a ballot. It must be stored under a random name, with no time and nothing of the command that it came by.
    Ballot {
        /// Of which poll.
        poll: Seq,
        /// What was chosen.
        answers: Answers,
    },
}

impl SideWrite {
    /// Visits every personal text together with the person whose key protects it.
    pub fn personal_mut(&mut self, mut visit: impl FnMut(&PersonId, &mut Text)) {
        if let SideWrite::Draft { person, draft, .. } = self {
            for answer in draft.answers.iter_mut().flatten() {
                if let super::Answer::Text { text } = answer {
                    visit(person, text);
                }
            }
        }
    }
}

/// An anonymous count changes by at least so many people at a time, and none is shown of fewer.
pub(super) const BATCH: usize = 5;
/// Edges' clocks differ by up to so much.
const CLOCK_TOLERANCE_MS: u64 = 150;
/// Most polls of a session.
const MOST_POLLS: usize = 500;
/// Longest time that a poll is open by itself: a week.
const LONGEST_MS: u64 = 604_800_000;
const LONGEST_GRACE_MS: u64 = 600_000;

impl Poll {
    fn is_anonymous(&self) -> bool {
        self.spec.anonymity == Anonymity::Anonymous
    }

    fn takes_answers(&self) -> bool {
        matches!(self.status, PollStatus::Open | PollStatus::Closing)
    }

    /// Points of one person: what somebody gave, else what the key says.
    pub fn points(&self, person: &PersonId) -> Option<Vec<Option<u32>>> {
        let answers = self.responses.get(person)?.as_ref()?;
        let mut points = self.spec.score(answers);
        for (item, given) in self.grades.get(person).into_iter().flatten() {
            if let Some(points) = points.get_mut(usize::from(*item)) {
                *points = Some(*given);
            }
        }
        Some(points)
    }
}

impl ClassFact {
    /// Which drafts are of no use after this fact: one person's, or everybody's of a poll. Stores delete them with it.
    pub fn forgets_drafts(&self) -> Option<(Seq, Option<&PersonId>)> {
        match self {
            ClassFact::PollResponded { poll, person, .. } => Some((*poll, Some(person))),
            ClassFact::PollClosed { poll, .. } => Some((*poll, None)),
            _ => None,
        }
    }
}

impl State {
    /// What a person has not submitted yet; theirs alone to see.
    pub fn draft(&self, poll: Seq, person: &PersonId) -> Option<&SavedDraft> {
        self.class.side.drafts.get(&(poll, person.clone()))
    }

    /// Takes over what was written beside the log: after it was decided, and for each record after the log was read.
    pub fn keep(&mut self, write: &SideWrite) {
        let side = &mut self.class.side;
        match write {
            SideWrite::Draft { poll, person, draft } => {
                let is_open = self.class.polls.get(poll).is_some_and(Poll::takes_answers);
                if is_open {
                    side.drafts.insert((*poll, person.clone()), draft.clone());
                }
            }
            SideWrite::Ballot { poll, answers } => {
                let ballots = side.ballots.entry(*poll).or_default();
                let at = ballots.partition_point(|other| other <= answers);
                ballots.insert(at, answers.clone());
            }
        }
    }
}

pub(super) fn decide(desk: &Desk<'_>, command: &ClassCommand) -> Option<Did> {
    Some(match command {
        ClassCommand::ActivityCreate { spec } => (|| {
            desk.need(Cap::ActivityCreate, "making activities is not permitted")?;
            let spec = desk.fits(spec)?;
            if desk.class.polls.len() >= MOST_POLLS {
                return Err(Reject::Limit("too many activities"));
            }
            did(ClassFact::ActivityCreated { author: desk.ctx.actor.clone(), spec })
        })(),
        ClassCommand::ActivityEdit { poll, spec } => (|| {
            let known = desk.poll(*poll)?;
            if desk.ctx.actor.is_some() && known.author != desk.ctx.actor {
                return Err(desk.denied("only its author changes an activity"));
            }
            desk.need(Cap::ActivityCreate, "making activities is not permitted")?;
            desk.expect(known.rev, Expect::Required)?;
            if known.status != PollStatus::Draft {
                return Err(Reject::Conflict("an activity can not be changed any more once it was opened"));
            }
            let spec = desk.fits(spec)?;
            did(ClassFact::ActivityEdited { poll: *poll, author: desk.ctx.actor.clone(), spec })
        })(),
        ClassCommand::PollOpen { poll, target, duration_ms } => desk.open_poll(*poll, target, *duration_ms),
        ClassCommand::PollSaveDraft { poll, answers } => desk.save_draft(*poll, answers),
        ClassCommand::PollRespond { poll, answers } => desk.respond(*poll, answers),
        ClassCommand::PollClose { poll, grace_ms } => desk.close_poll(*poll, *grace_ms),
        ClassCommand::PollAdmitLate { poll, persons } => desk.admit_late(*poll, persons),
        ClassCommand::PollPublish { poll, detail, reveal } => (|| {
            desk.need(Cap::ActivityRun, "publishing results is not permitted")?;
            let known = desk.poll(*poll)?;
            if known.status != PollStatus::Closed {
                return Err(Reject::Conflict("results are published after the close"));
            }
            if *detail == PublishDetail::Names && known.spec.anonymity != Anonymity::Named {
                return Err(Reject::Forbidden("people answered this poll without their names being shown"));
            }
            if known.published == Some(*detail) && known.revealed == *reveal {
                return nothing();
            }
            did(ClassFact::PollPublished { poll: *poll, detail: *detail, reveal: *reveal })
        })(),
        ClassCommand::QuizGrade { poll, person, item, points } => (|| {
            desk.need(Cap::ActivitySeeNames, "grading is not permitted")?;
            let known = desk.poll(*poll)?;
            let most = known.spec.items.get(usize::from(*item)).ok_or(Reject::NotFound("no such question"))?.points;
            if !matches!(known.responses.get(person), Some(Some(_))) {
                return Err(Reject::NotFound("this person has no answer to grade"));
            }
            if *points > most {
                return Err(Reject::Invalid("these are more points than the question is worth"));
            }
            did(ClassFact::QuizGraded { poll: *poll, person: person.clone(), item: *item, points: *points })
        })(),
        _ => return None,
    })
}

impl Desk<'_> {
    /// A spec that makes sense, with what anonymity rules out turned off.
    fn fits(&self, spec: &PollSpec) -> Result<PollSpec, Reject> {
        spec.check()?;
        let mut spec = spec.clone();
        if spec.anonymity == Anonymity::Anonymous {
            let writes =
                |item: &super::Item| matches!(item.kind, super::ItemKind::ShortText | super::ItemKind::LongText);
            if spec.items.iter().any(writes) {
                return Err(Reject::Invalid("an anonymous poll has no free text: words give their author away"));
            }
            (spec.allow_change, spec.keep_late, spec.drafts) = (false, false, DraftPolicy::Discard);
        }
        Ok(spec)
    }

    fn poll(&self, poll: Seq) -> Result<&Poll, Reject> {
        self.class.polls.get(&poll).ok_or(Reject::NotFound("no such poll"))
    }

    fn open_poll(&self, poll: Seq, target: &Target, duration_ms: Option<u64>) -> Did {
        self.need(Cap::ActivityRun, "opening polls is not permitted")?;
        let known = self.poll(poll)?;
        self.expect(known.rev, Expect::Optional)?;
        if known.status != PollStatus::Draft {
            return Err(Reject::Conflict("this poll was opened already"));
        }
        if duration_ms.is_some_and(|ms| ms == 0 || ms > LONGEST_MS) {
            return Err(Reject::Invalid("a poll is open for up to a week"));
        }
        match target {
            Target::Session => {}
            Target::Spaces { spaces } => spaces.iter().try_for_each(|space| self.space(Some(space)).map(|_| ()))?,
            Target::Persons { persons } => {
                persons_once(persons)?.iter().try_for_each(|person| self.seat(person).map(|_| ()))?;
            }
        }
        let asked = self.state.participants.iter().filter(|(person, known_person)| {
            self.state.seat(person).is_some() && is_asked(&known.spec, target, person, known_person)
        });
        let eligible = asked.map(|(person, _)| person.clone()).collect();
        let closes_at = duration_ms.map(|ms| self.now.plus(ms));
        did(ClassFact::PollOpened { poll, target: target.clone(), eligible, closes_at })
    }

    /// A poll that this person may answer, and whether they still may.
    fn asked(&self, poll: Seq) -> Result<(&PersonId, &Poll), Reject> {
        let person = self.actor()?;
        let known = self.poll(poll)?;
        if known.status == PollStatus::Draft {
            return Err(Reject::NotFound("no such poll"));
        }
        self.need(Cap::ActivityRespond, "answering is not permitted")?;
        if !known.eligible.contains(person) {
            return Err(Reject::Forbidden("this poll does not ask this person"));
        }
        Ok((person, known))
    }

    fn save_draft(&self, poll: Seq, answers: &Answers) -> Did {
        let (person, known) = self.asked(poll)?;
        if known.is_anonymous() {
            return Err(Reject::Unavailable("drafts of anonymous polls stay on the device"));
        }
        if !known.takes_answers() || known.accept_until.is_some_and(|until| self.arrived() > until) {
            return Err(TOO_LATE);
        }
        let answers = known.spec.check_answers(answers, false)?;
        let draft = SavedDraft { answers, at: self.arrived() };
        let side = vec![SideWrite::Draft { poll, person: person.clone(), draft }];
        Ok(Work { facts: Vec::new(), extra: Extra { side, signals: Vec::new() } })
    }

    /// When the command was first in a server's hands; a clock that is ahead does not make it later than it is.
    fn arrived(&self) -> UnixMs {
        self.ctx.envelope.received_at.map_or(self.now, |at| at.min(self.now))
    }

    /// In time is who arrived in time, however long the command then took to get here.
    fn respond(&self, poll: Seq, answers: &Answers) -> Did {
        let (person, known) = self.asked(poll)?;
        let answers = known.spec.check_answers(answers, true)?;
        let tolerance = if self.ctx.envelope.received_at.is_some() { CLOCK_TOLERANCE_MS } else { 0 };
        let in_time = known.accept_until.is_none_or(|until| self.arrived() <= until.plus(tolerance));
        if known.is_anonymous() {
            return self.cast(poll, person, known, answers, in_time);
        }
        if !in_time {
            if !known.spec.keep_late || known.late.get(person) == Some(&answers) {
                return Err(TOO_LATE);
            }
            return did(ClassFact::PollResponseLate { poll, person: person.clone(), answers });
        }
        if known.responses.contains_key(person) && !known.spec.allow_change {
            return Err(Reject::Conflict("this poll takes one answer and no second thoughts"));
        }
        let late = known.closes_at.is_some_and(|closes_at| self.arrived() > closes_at);
        let responded = ClassFact::PollResponded { poll, person: person.clone(), answers: Some(answers.clone()), late };
        if known.takes_answers() {
            return did(responded);
        }
        // It arrived in time, and the close was written down first: it counts, and the count says so.
        let mut responses = known.responses.clone();
        responses.insert(person.clone(), Some(answers));
        let revised = revision(poll, known, Vec::new(), &responses);
        Ok(vec![Fact::Class(responded), Fact::Class(revised)].into())
    }

    /// That somebody answered goes into the log; what they chose goes beside it.
    fn cast(&self, poll: Seq, person: &PersonId, known: &Poll, answers: Answers, in_time: bool) -> Did {
        if !in_time || !known.takes_answers() {
            return Err(TOO_LATE);
        }
        if known.responses.contains_key(person) {
            return Err(Reject::Conflict("this poll takes one answer and no second thoughts"));
        }
        let late = known.closes_at.is_some_and(|closes_at| self.arrived() > closes_at);
        let mut facts =
            vec![Fact::Class(ClassFact::PollResponded { poll, person: person.clone(), answers: None, late })];
        let cast = self.class.side.ballots.get(&poll).map_or(&[][..], Vec::as_slice);
        let announced = known.tally.as_ref().map_or(0, |tally| tally.people as usize);
        if cast.len() + 1 >= announced + BATCH {
            let tally = known.spec.tally(cast.iter().chain([&answers]));
            facts.push(Fact::Class(ClassFact::PollTallied { poll, tally }));
        }
        let side = vec![SideWrite::Ballot { poll, answers }];
        Ok(Work { facts, extra: Extra { side, signals: Vec::new() } })
    }

    fn close_poll(&self, poll: Seq, grace_ms: Option<u64>) -> Did {
        self.need(Cap::ActivityRun, "closing polls is not permitted")?;
        let known = self.poll(poll)?;
        self.expect(known.rev, Expect::Required)?;
        match known.status {
            PollStatus::Draft => return Err(Reject::Conflict("this poll is not open")),
            PollStatus::Closed => return Err(Reject::Closed("this poll is closed already")),
            PollStatus::Closing => return nothing(),
            PollStatus::Open => {}
        }
        let grace_ms = grace_ms.unwrap_or(known.spec.grace_ms);
        if grace_ms > LONGEST_GRACE_MS {
            return Err(Reject::Invalid("answers are taken for ten minutes after the close at most"));
        }
        let closing = ClassFact::PollClosing { poll, closes_at: self.now, accept_until: self.now.plus(grace_ms) };
        if grace_ms > 0 {
            return did(closing);
        }
        let closed = closed(self.class, poll, known);
        Ok(vec![Fact::Class(closing), Fact::Class(closed)].into())
    }

    fn admit_late(&self, poll: Seq, persons: &[PersonId]) -> Did {
        self.need(Cap::ActivityRun, "letting late answers count is not permitted")?;
        let known = self.poll(poll)?;
        if known.status != PollStatus::Closed {
            return Err(Reject::Conflict("late answers are let in after the close"));
        }
        let mut responses = known.responses.clone();
        let persons = persons_once(persons)?;
        for person in &persons {
            let answers = known.late.get(person).or_else(|| known.kept.get(person));
            let answers = answers.ok_or(Reject::NotFound("this person has no late answer"))?;
            responses.insert(person.clone(), Some(answers.clone()));
        }
        did(revision(poll, known, persons, &responses))
    }
}

fn is_asked(spec: &PollSpec, target: &Target, person: &PersonId, known: &Participant) -> bool {
    let is_target = match target {
        Target::Session => true,
        Target::Spaces { spaces } => spaces.contains(&known.space),
        Target::Persons { persons } => persons.contains(person),
    };
    is_target && known.is_counted() && spec.roles.contains(&known.profile.role)
}

fn revision(
    poll: Seq,
    known: &Poll,
    admitted: Vec<PersonId>,
    responses: &BTreeMap<PersonId, Option<Answers>>,
) -> ClassFact {
    ClassFact::PollRevised {
        poll,
        revision: known.revision + 1,
        admitted,
        tally: known.spec.tally(responses.values().flatten()),
        counted: count(responses.len()),
    }
}

fn count(people: usize) -> u32 {
    u32::try_from(people).unwrap_or(u32::MAX)
}

/// What counts, and what becomes of every draft.
fn closed(class: &Class, poll: Seq, known: &Poll) -> ClassFact {
    let (mut submitted, mut kept, mut discarded) = (Vec::new(), Vec::new(), Vec::new());
    for ((of, person), draft) in &class.side.drafts {
        if *of != poll {
            continue;
        }
        if known.responses.contains_key(person) {
            discarded.push(person.clone());
            continue;
        }
        let draft = || Draft { person: person.clone(), answers: draft.answers.clone() };
        match known.spec.drafts {
            DraftPolicy::Submit if known.spec.is_complete(&draft().answers) => submitted.push(draft()),
            DraftPolicy::Submit | DraftPolicy::Keep => kept.push(draft()),
            DraftPolicy::Discard => discarded.push(person.clone()),
        }
    }
    let tally = if known.is_anonymous() {
        let cast = class.side.ballots.get(&poll).map_or(&[][..], Vec::as_slice);
        (cast.len() >= BATCH).then(|| known.spec.tally(cast.iter()))
    } else {
        let drafts = submitted.iter().map(|draft| &draft.answers);
        Some(known.spec.tally(known.responses.values().flatten().chain(drafts)))
    };
    let counted = count(known.responses.len() + submitted.len());
    let eligible = count(known.eligible.len());
    ClassFact::PollClosed { poll, tally, counted, eligible, submitted, kept, discarded }
}

pub(super) fn apply(state: &mut State, event: &Event, fact: &ClassFact) -> bool {
    let class = &mut state.class;
    let poll = match fact {
        ClassFact::ActivityCreated { author, spec } => {
            class.polls.insert(event.seq, created(event.seq, author.clone(), spec.clone()));
            return true;
        }
        ClassFact::ActivityEdited { poll, .. }
        | ClassFact::PollOpened { poll, .. }
        | ClassFact::PollResponded { poll, .. }
        | ClassFact::PollResponseLate { poll, .. }
        | ClassFact::PollTallied { poll, .. }
        | ClassFact::PollClosing { poll, .. }
        | ClassFact::PollClosed { poll, .. }
        | ClassFact::PollRevised { poll, .. }
        | ClassFact::PollPublished { poll, .. }
        | ClassFact::QuizGraded { poll, .. } => poll,
        _ => return false,
    };
    let Some(known) = class.polls.get_mut(poll) else { return true };
    match fact {
        ClassFact::PollResponded { person, answers, .. } => {
            known.responses.insert(person.clone(), answers.clone());
            known.late.remove(person);
            known.kept.remove(person);
            class.side.drafts.remove(&(*poll, person.clone()));
            return true;
        }
        ClassFact::PollResponseLate { person, answers, .. } => {
            known.late.insert(person.clone(), answers.clone());
            return true;
        }
        ClassFact::PollTallied { tally, .. } => {
            known.tally = Some(tally.clone());
            return true;
        }
        ClassFact::ActivityEdited { spec, .. } => known.spec = spec.clone(),
        ClassFact::PollOpened { target, eligible, closes_at, .. } => {
            known.status = PollStatus::Open;
            known.target = target.clone();
            known.eligible = eligible.iter().cloned().collect();
            known.closes_at = *closes_at;
        }
        ClassFact::PollClosing { closes_at, accept_until, .. } => {
            known.status = PollStatus::Closing;
            (known.closes_at, known.accept_until) = (Some(*closes_at), Some(*accept_until));
        }
        ClassFact::PollClosed { tally, submitted, kept, .. } => {
            known.status = PollStatus::Closed;
            known.tally = tally.clone();
            known.revision = 1;
            let submitted = submitted.iter().map(|draft| (draft.person.clone(), Some(draft.answers.clone())));
            known.responses.extend(submitted);
            known.kept = kept.iter().map(|draft| (draft.person.clone(), draft.answers.clone())).collect();
            class.side.drafts.retain(|(of, _), _| of != poll);
        }
        ClassFact::PollRevised { revision, admitted, tally, .. } => {
            known.revision = *revision;
            known.tally = Some(tally.clone());
            for person in admitted {
                let answers = known.late.remove(person).or_else(|| known.kept.remove(person));
                known.responses.insert(person.clone(), answers);
            }
        }
        ClassFact::PollPublished { detail, reveal, .. } => {
            known.published = Some(*detail);
            known.revealed = *reveal;
        }
        ClassFact::QuizGraded { person, item, points, .. } => {
            known.grades.entry(person.clone()).or_default().insert(*item, *points);
        }
        _ => {}
    }
    known.rev = event.seq;
    true
}

fn created(rev: Seq, author: Option<PersonId>, spec: PollSpec) -> Poll {
    Poll {
        rev,
        author,
        spec,
        status: PollStatus::Draft,
        target: Target::Session,
        eligible: BTreeSet::new(),
        closes_at: None,
        accept_until: None,
        responses: BTreeMap::new(),
        late: BTreeMap::new(),
        kept: BTreeMap::new(),
        grades: BTreeMap::new(),
        tally: None,
        revision: 0,
        published: None,
        revealed: false,
    }
}

/// Who is admitted while a poll is open can answer it as well.
pub(super) fn admitted(state: &mut State, person: &PersonId) {
    let Some(known) = state.participants.get(person) else { return };
    for poll in state.class.polls.values_mut().filter(|poll| poll.takes_answers()) {
        if is_asked(&poll.spec, &poll.target, person, known) {
            poll.eligible.insert(person.clone());
        }
    }
}

/// Closes what is open now, without a grace: the session ends.
pub(super) fn wind_up(class: &Class, now: UnixMs) -> Vec<ClassFact> {
    let mut facts = Vec::new();
    for (poll, known) in class.polls.iter().filter(|(_, known)| known.takes_answers()) {
        facts.push(ClassFact::PollClosing { poll: *poll, closes_at: now, accept_until: now });
        facts.push(closed(class, *poll, known));
    }
    facts
}

pub(super) fn tick(desk: &Desk<'_>) -> Vec<ClassFact> {
    let mut facts = Vec::new();
    for (poll, known) in &desk.class.polls {
        match (known.status, known.closes_at, known.accept_until) {
            (PollStatus::Open, Some(closes_at), _) if closes_at <= desk.now => {
                // A server that was away gives the grace from now on: it may not have had the answers in its hands.
                let accept_until = desk.now.plus(known.spec.grace_ms);
                facts.push(ClassFact::PollClosing { poll: *poll, closes_at, accept_until });
                if accept_until <= desk.now {
                    facts.push(closed(desk.class, *poll, known));
                }
            }
            (PollStatus::Closing, _, Some(until)) if until <= desk.now => {
                facts.push(closed(desk.class, *poll, known));
            }
            _ => {}
        }
    }
    facts
}

pub(super) fn timeouts(class: &Class) -> Vec<(UnixMs, &'static str)> {
    let due = class.polls.values().filter_map(|poll| match poll.status {
        PollStatus::Open => Some((poll.closes_at?, "poll closes")),
        PollStatus::Closing => Some((poll.accept_until?, "poll closed")),
        PollStatus::Draft | PollStatus::Closed => None,
    });
    due.collect()
}
