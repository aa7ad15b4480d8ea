//! A class for stories about what people do in it: everybody speaks by commands with ids, everybody's page follows the log by
//! entities alone, and after every step each page must look like a fresh snapshot.

use crate::class::{self, START};
use lyceum_session::class::*;
use lyceum_session::*;
use std::collections::BTreeMap;

pub const TEACHER: &str = "tea";
pub const CO: &str = "cora";
pub const TA: &str = "tom";
pub const ANN: &str = "ann";
pub const BOB: &str = "bob";
pub const CEM: &str = "cem";

pub struct Lesson {
    pub state: State,
    pub log: Vec<Event>,
    /// What lies beside the log, as a store has it.
    pub side: Vec<SideWrite>,
    /// How many events there were when each of them was kept.
    pub kept_at: Vec<usize>,
    pub memory: Memory,
    pub now: UnixMs,
    /// Whether pages are followed; schedules with many steps follow some.
    pub pages: BTreeMap<PersonId, (Viewer, Snapshot)>,
    sent: u64,
}

impl Lesson {
    /// Somebody of every kind is there.
    pub fn begins() -> Self {
        let mut lesson = Self::empty();
        for (name, role) in [
            (TEACHER, Role::Instructor),
            (TA, Role::TeachingAssistant),
            (ANN, Role::Learner),
            (BOB, Role::Learner),
            (CEM, Role::Learner),
        ] {
            lesson.arrives_as(name, role);
        }
        lesson
    }

    pub fn empty() -> Self {
        Self::empty_with(class::policy())
    }

    pub fn empty_with(policy: Policy) -> Self {
        let mut lesson = Self {
            state: State::default(),
            log: Vec::new(),
            side: Vec::new(),
            kept_at: Vec::new(),
            memory: Memory::default(),
            now: START,
            pages: BTreeMap::new(),
            sent: 0,
        };
        lesson.server(class::start(policy)).expect("a log begins with a start");
        lesson
    }

    pub fn follow(&mut self, person: &str) {
        let viewer = self.state.viewer(&person.into());
        let page = self.state.snapshot_for(&viewer);
        self.pages.insert(person.into(), (viewer, page));
    }

    #[track_caller]
    pub fn arrives_as(&mut self, person: &str, role: Role) -> Vec<Event> {
        self.comes(person, role).expect("may come in")
    }

    pub fn comes(&mut self, person: &str, role: Role) -> Result<Vec<Event>, Reject> {
        let mut profile = class::profile(person);
        profile.role = role;
        self.sent += 1;
        let events = self.server(class::attach(person, profile, &format!("PA_{person}_{}", self.sent)))?;
        if !self.pages.contains_key(&person.into()) {
            self.follow(person);
        }
        Ok(events)
    }

    pub fn loses_network(&mut self, person: &str) {
        let known = &self.state.participants[&person.into()];
        let connection = known.connections.keys().next().expect("connected").clone();
        self.server(class::lost(&connection.0, self.now)).expect("detached");
    }

    pub fn publishes(&mut self, person: &str, track: &str, source: Source) -> Result<Vec<Event>, Reject> {
        let connection = self.state.participants[&person.into()].connections.keys().next().expect("connected").clone();
        self.server(class::publish(person, &connection.0, track, source))
    }

    /// Time passes, and whatever is due happens when it is due.
    pub fn wait(&mut self, ms: u64) -> Vec<Event> {
        let until = self.now.plus(ms);
        let mut happened = Vec::new();
        for _ in 0..100 {
            if self.state.ended {
                self.now = until;
                return happened;
            }
            match self.state.poll_timeout() {
                Some((due, _)) if due <= until => {
                    self.now = self.now.max(due);
                    happened.extend(self.server(Command::Tick).expect("a tick"));
                }
                _ => {
                    self.now = until;
                    happened.extend(self.server(Command::Tick).expect("a tick"));
                    return happened;
                }
            }
        }
        panic!("a timer that never ends: {:?}", self.state.poll_timeout());
    }

    pub fn server(&mut self, command: Command) -> Result<Vec<Event>, Reject> {
        let ctx = Ctx { now: self.now, ..Ctx::default() };
        let facts = decide(&self.state, &command, &ctx)?;
        Ok(self.happens(facts, &ctx))
    }

    pub fn backend(&mut self, command: ClassCommand) -> Result<Vec<Event>, Reject> {
        self.server(Command::Class(command))
    }

    pub fn ctx(&mut self, person: &str) -> Ctx {
        self.sent += 1;
        let cause = Some(Cause { id: format!("c{}", self.sent).as_str().into(), digest: self.sent });
        Ctx { now: self.now, actor: Some(person.into()), envelope: Envelope { cause, ..Envelope::default() } }
    }

    /// Sends a command, with the newest revision of what it changes.
    pub fn does(&mut self, person: &str, command: ClassCommand) -> CommandAnswer {
        let mut ctx = self.ctx(person);
        ctx.envelope.expect = self.rev_of(&command);
        ctx.envelope.epoch = Some(self.state.grant(&person.into()).epoch);
        self.sends(command, &ctx)
    }

    pub fn sends(&mut self, command: ClassCommand, ctx: &Ctx) -> CommandAnswer {
        let before = self.state.clone();
        let answer = answer(&self.state, &mut self.memory, &Command::Class(command), ctx);
        self.happens(answer.facts.clone(), ctx);
        for write in &answer.side {
            self.state.keep(write);
            self.side.push(write.clone());
            self.kept_at.push(self.log.len());
        }
        if matches!(answer.outcome, Outcome::Rejected { kept: None, .. }) || answer.repeated {
            assert_eq!(self.state, before, "a refusal and a repetition change nothing");
        }
        answer
    }

    #[track_caller]
    pub fn must(&mut self, person: &str, command: ClassCommand) -> Vec<Event> {
        let from = self.log.len();
        let answer = self.does(person, command.clone());
        assert!(matches!(answer.outcome, Outcome::Accepted { .. }), "{command:?}: {:?}", answer.outcome);
        self.log[from..].to_vec()
    }

    #[track_caller]
    pub fn refused(&mut self, person: &str, command: ClassCommand) -> &'static str {
        match self.does(person, command).outcome {
            Outcome::Rejected { reject, .. } => reject.code(),
            accepted => panic!("accepted: {accepted:?}"),
        }
    }

    /// The revision of what a person's command changes, where a Space that is left out is the person's own.
    pub fn rev_here(&self, person: &str, command: &ClassCommand) -> Option<Seq> {
        match (command, self.state.participants.get(&person.into())) {
            (ClassCommand::PresenterAssign { space: None, .. }, Some(known)) => {
                self.state.class.spaces.get(&known.space).map(|space| space.rev)
            }
            _ => self.rev_of(command),
        }
    }

    fn rev_of(&self, command: &ClassCommand) -> Option<Seq> {
        let class = &self.state.class;
        let own = SpaceName::default();
        match command {
            ClassCommand::PolicySet { .. } => Some(class.policy_rev),
            ClassCommand::ParticipantSetRole { person, .. } | ClassCommand::ParticipantOverrideCaps { person, .. } => {
                class.members.get(person).map(|member| member.rev)
            }
            ClassCommand::PresenterAssign { space, .. } => {
                class.spaces.get(space.as_ref().unwrap_or(&own)).map(|space| space.rev)
            }
            ClassCommand::BreakoutsPlan { .. }
            | ClassCommand::BreakoutsOpen { .. }
            | ClassCommand::BreakoutsMove { .. }
            | ClassCommand::BreakoutsExtend { .. }
            | ClassCommand::BreakoutsClose { .. } => class.breakouts.as_ref().map(|groups| groups.rev),
            ClassCommand::ActivityEdit { poll, .. } | ClassCommand::PollClose { poll, .. } => {
                class.polls.get(poll).map(|poll| poll.rev)
            }
            _ => None,
        }
    }

    fn happens(&mut self, facts: Vec<Fact>, ctx: &Ctx) -> Vec<Event> {
        let events = self.state.stamp(facts, ctx);
        for event in &events {
            let touched = self.state.touched_by(event);
            apply(&mut self.state, event);
            for (person, (viewer, page)) in &mut self.pages {
                let now = self.state.viewer(person);
                if *viewer != now {
                    *page = self.state.snapshot_for(&now);
                    *viewer = now;
                    continue;
                }
                for key in &touched {
                    match self.state.entity(key, viewer) {
                        Some(entity) => page.insert(key.clone(), entity),
                        None => page.remove(key),
                    };
                }
                assert_eq!(*page, self.state.snapshot_for(viewer), "{person}'s page after {event:?}");
            }
            one_presenter_at_most(&self.state);
        }
        self.log.extend(events.iter().cloned());
        events
    }

    /// The server stops and reads its log, and what lies beside it, again. Which commands were refused is forgotten.
    pub fn restarts(&mut self) {
        let before = self.state.clone();
        let mut state = State::default();
        for event in &self.log {
            let json = serde_json::to_string(event).expect("an event is JSON");
            let read: Event = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{json}: {error}"));
            assert_eq!(read, *event);
            apply(&mut state, &read);
        }
        for write in self.side.iter().rev().collect::<Vec<_>>().into_iter().rev() {
            let kept = match write {
                SideWrite::Draft { poll, person, .. } => {
                    before.class.side.drafts.contains_key(&(*poll, person.clone()))
                }
                SideWrite::Ballot { .. } => true,
            };
            if kept {
                state.keep(write);
            }
        }
        assert_eq!(state, before, "the log and what lies beside it are the whole state");
        self.memory = Memory::default();
        self.state = state;
    }

    pub fn space(&self, person: &str) -> &str {
        &self.state.participants[&person.into()].space.0
    }

    pub fn may(&self, person: &str, cap: Cap) -> bool {
        self.state.grant(&person.into()).caps.has(cap)
    }

    pub fn presenter(&self) -> Option<&str> {
        self.state.class.spaces[&SpaceName::default()].presenter.as_ref().map(|lease| lease.person.0.as_str())
    }

    pub fn queue(&self) -> Vec<&str> {
        self.state.class.queue().into_iter().map(|person| person.0.as_str()).collect()
    }

    pub fn page(&self, person: &str) -> serde_json::Value {
        let viewer = self.state.viewer(&person.into());
        let mut page = serde_json::Map::new();
        for (key, entity) in self.state.snapshot_for(&viewer) {
            let collection = serde_json::to_value(key.collection).expect("a name");
            let of = page.entry(collection.as_str().expect("a name")).or_insert_with(|| serde_json::json!({}));
            of[key.id.to_string()] = serde_json::to_value(entity).expect("an entity is JSON");
        }
        page.into()
    }
}

/// INV-13, at every place in the log.
fn one_presenter_at_most(state: &State) {
    for (name, space) in &state.class.spaces {
        let Some(lease) = &space.presenter else { continue };
        let holder = &state.participants[&lease.person];
        assert!(holder.presence != Presence::Left && holder.space == *name, "the presenter of {name} is not there");
    }
}

pub fn persons(names: &[&str]) -> Vec<PersonId> {
    names.iter().map(|name| PersonId::from(*name)).collect()
}

pub fn said(text: &str) -> ClassCommand {
    ClassCommand::ChatSend { to: None, body: text.into(), reply_to: None }
}

pub fn single(options: usize) -> Item {
    Item {
        kind: ItemKind::Single,
        text: "Which one?".into(),
        options: (0..options).map(|option| format!("option {option}").as_str().into()).collect(),
        key: None,
        points: 0,
    }
}

pub fn spec(items: Vec<Item>) -> PollSpec {
    PollSpec {
        mode: PollMode::Poll,
        title: "A question".into(),
        items,
        anonymity: Anonymity::Named,
        allow_change: true,
        keep_late: true,
        grace_ms: 5_000,
        drafts: DraftPolicy::Submit,
        live_results: false,
        roles: vec![Role::Learner],
    }
}

pub fn chooses(option: u16) -> Answers {
    vec![Some(Answer::Options { options: vec![option] })]
}

pub fn responds(poll: Seq, option: u16) -> ClassCommand {
    ClassCommand::PollRespond { poll, answers: chooses(option) }
}

impl Lesson {
    /// Makes a poll and opens it to the whole session.
    pub fn polls(&mut self, spec: PollSpec) -> Seq {
        let made = self.must(TEACHER, ClassCommand::ActivityCreate { spec });
        let poll = made[0].seq;
        self.must(TEACHER, ClassCommand::PollOpen { poll, target: Target::Session, duration_ms: None });
        poll
    }

    /// Opens two groups, with those who are named in them.
    pub fn breaks_out(&mut self, groups: &[(&str, &[&str])], late_policy: LatePolicy) {
        let groups = groups.iter().map(|(space, persons_in)| GroupPlan {
            space: (*space).into(),
            title: String::new(),
            capacity: 0,
            persons: persons(persons_in),
        });
        let groups = groups.collect();
        self.must(TEACHER, ClassCommand::BreakoutsPlan { mode: BreakoutMode::Manual, groups, seed: 0 });
        self.must(TEACHER, ClassCommand::BreakoutsOpen { closes_at: None, late_policy, allow_return: true });
    }
}
