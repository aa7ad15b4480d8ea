//! Generated schedules: few people, few names, many orders. After every command the class must look as the model says, the
//! log must read well on its own, and folding it again must give the same state.
//!
//! A fixed seed gates; `PROPTEST_RNG_SEED=7 PROPTEST_CASES=20000 cargo test -p lyceum-session` searches further. What a search
//! finds is kept in `regressions.txt` and replayed first.

use crate::class;
use crate::log::{self, Open};
use crate::model::{Answer, Model, Place};
use lyceum_session::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::{FileFailurePersistence, RngSeed};
use std::collections::BTreeSet;

proptest! {
    #![proptest_config(search())]

    #[test]
    fn whatever_happens_the_class_looks_as_drawn_on_paper(policy in policies(), steps in vec(steps(), 1..100)) {
        let mut run = Run::begins(policy);
        for step in steps {
            run.takes(step)?;
        }
        run.survives_a_second_reading()?;
    }

    #[test]
    fn inv_32_a_crash_at_any_event_closes_what_was_open_and_the_class_goes_on(
        policy in policies(), before in vec(steps(), 1..60), after in vec(steps(), 1..30),
        lost in 0usize..4, stopped_ms in 0u64..10_000, heartbeat_ms in 0u64..10_000,
    ) {
        let mut run = Run::begins(policy);
        for step in before {
            run.takes(step)?;
        }
        run.crashes(lost, stopped_ms, heartbeat_ms)?;
        for step in after {
            run.takes_without_model(step)?;
        }
        run.survives_a_second_reading()?;
    }

    #[test]
    fn every_personal_text_can_be_taken_out_of_an_event(policy in policies(), steps in vec(steps(), 1..60)) {
        let mut run = Run::begins(policy);
        for step in steps {
            run.takes_without_model(step)?;
        }
        let as_json = |event: &Event| serde_json::to_string(event).expect("an event is JSON");
        for event in &mut run.log {
            let plain = as_json(event);
            let mut owners = BTreeSet::new();
            event.personal_mut(|person, text| {
                owners.insert(person.clone());
                text.0.clear();
            });
            let without = as_json(event);
            prop_assert!(!without.contains(MARK), "{without}");
            prop_assert_eq!(plain.contains(MARK), !owners.is_empty());
            prop_assert!(owners.len() <= 1, "one event holds texts of one person at most");
        }
    }
}

fn search() -> ProptestConfig {
    let mut config = ProptestConfig::default();
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(20_240_601);
    }
    config.failure_persistence = Some(Box::new(FileFailurePersistence::Direct("tests/it/regressions.txt")));
    config
}

/// One class under a schedule, beside its model.
struct Run {
    state: State,
    log: Vec<Event>,
    model: Model,
    now: u64,
    policy: Policy,
}

impl Run {
    fn begins(policy: Policy) -> Self {
        let mut run =
            Self { state: State::default(), log: Vec::new(), model: Model::new(), now: class::START.0, policy };
        let start = class::start(run.policy.clone());
        run.issues(&start, None).expect("a log begins with a start");
        run.model.takes(&start, run.now, None);
        run
    }

    fn takes(&mut self, step: Step) -> Result<(), TestCaseError> {
        let (command, actor) = self.resolves(step);
        let expected = self.model.takes(&command, self.now, actor.as_ref());
        let before = self.state.clone();
        let answer = self.issues(&command, actor);
        prop_assert_eq!(Answer::of(&answer), expected, "{:?}", command);
        self.checks_one_step(&command, &before, &answer.unwrap_or_default())?;
        self.looks_like_the_model()
    }

    fn takes_without_model(&mut self, step: Step) -> Result<(), TestCaseError> {
        let (command, actor) = self.resolves(step);
        let before = self.state.clone();
        let facts = self.issues(&command, actor).unwrap_or_default();
        self.checks_one_step(&command, &before, &facts)
    }

    fn issues(&mut self, command: &Command, actor: Option<PersonId>) -> Result<Vec<Fact>, Reject> {
        let ctx = Ctx { now: UnixMs(self.now), actor, ..Ctx::default() };
        let facts = decide(&self.state, command, &ctx)?;
        for event in self.state.stamp(facts.clone(), &ctx) {
            apply(&mut self.state, &event);
            self.log.push(event);
        }
        Ok(facts)
    }

    /// The last `lost` events were never written; then the server comes back.
    fn crashes(&mut self, lost: usize, stopped_ms: u64, heartbeat_ms: u64) -> Result<(), TestCaseError> {
        self.log.truncate(self.log.len().saturating_sub(lost).max(1));
        self.state = fold(&self.log);
        let open = self.reads()?;
        let lost: BTreeSet<&PersonId> = open.lost.values().map(|(person, _)| person).collect();
        let heartbeat = UnixMs(self.state.at.0 + heartbeat_ms.min(stopped_ms));
        self.now = self.state.at.0 + stopped_ms;
        let answer = self.issues(&Command::Recover { last_seen: heartbeat }, None);
        if self.state.ended {
            prop_assert_eq!(answer, Err(Reject::SessionEnded));
            return Ok(());
        }
        let facts = answer.expect("a session that has not ended recovers");
        prop_assert_eq!(facts.is_empty(), open.connections.is_empty() && open.lost.is_empty());
        let closes_at_heartbeat = facts.iter().all(|fact| match fact {
            Fact::SessionRecovered { last_seen } | Fact::ConnectionDetached { last_seen, .. } => {
                *last_seen == heartbeat
            }
            Fact::TrackUnpublished { person, last_seen, .. } => *last_seen == heartbeat || lost.contains(person),
            Fact::ConnectionExpired { person, .. } => lost.contains(person),
            _ => false,
        });
        prop_assert!(closes_at_heartbeat, "{facts:?}");
        let now_open = self.reads()?;
        prop_assert!(now_open.connections.is_empty() && now_open.lost.is_empty() && now_open.tracks.is_empty());
        prop_assert_eq!(now_open.seats, open.seats, "nobody loses their seat by a crash");
        Ok(())
    }

    fn checks_one_step(&self, command: &Command, before: &State, facts: &[Fact]) -> Result<(), TestCaseError> {
        let open = self.reads()?;
        prop_assert_eq!(&open, &opened_in(&self.state), "the log and the state disagree on what is open");

        let now = self.state.at.max(UnixMs(self.now));
        match command {
            Command::Detach { connection, .. } => self.only_this_connection(connection, before, facts)?,
            Command::Tick => {
                for (person, known) in &self.state.participants {
                    let overdue = matches!(known.presence, Presence::Reconnecting { deadline, .. } if deadline <= now);
                    prop_assert!(!overdue, "{person} should be offline by now");
                }
                prop_assert!(self.state.poll_timeout().is_none_or(|(due, _)| due > now), "a timer that never ends");
            }
            _ => {}
        }
        let ends = facts.iter().any(|fact| matches!(fact, Fact::SessionEnded { .. }));
        prop_assert_eq!(ends, self.state.ended && !before.ended);
        let may_end = match command {
            Command::End { .. } => true,
            Command::Tick => before.participants.values().all(|known| known.connections.is_empty()),
            _ => false,
        };
        prop_assert!(!ends || may_end, "the class must not end by {command:?}");
        Ok(())
    }

    /// The end of a connection is nobody else's business, and it is not the end of the person.
    fn only_this_connection(
        &self,
        connection: &ConnectionId,
        before: &State,
        facts: &[Fact],
    ) -> Result<(), TestCaseError> {
        for fact in facts {
            let about_it = match fact {
                Fact::ConnectionDetached { connection: closed, .. } => closed == connection,
                Fact::TrackUnpublished { track, .. } => before.tracks[track].connection == *connection,
                _ => false,
            };
            prop_assert!(about_it, "{fact:?}");
        }
        for (person, known) in &before.participants {
            if !known.connections.contains_key(connection) {
                prop_assert_eq!(&self.state.participants[person], known);
            }
        }
        Ok(())
    }

    fn looks_like_the_model(&self) -> Result<(), TestCaseError> {
        let (state, model) = (&self.state, &self.model);
        prop_assert_eq!(state.ended, model.ended);
        prop_assert_eq!(&state.metadata, &model.metadata);
        prop_assert_eq!(state.empty_since, model.nobody_since.map(UnixMs));
        prop_assert!(state.participants.keys().eq(model.seats.keys()));
        for (person, known) in &state.participants {
            let seat = &model.seats[person];
            prop_assert_eq!(&known.profile, &seat.profile);
            let connections: Vec<&ConnectionId> = known.connections.keys().collect();
            let alike = match (&seat.place, known.presence) {
                (Place::Here(connection), Presence::Online) => connections == [connection],
                (Place::Away { until }, Presence::Reconnecting { deadline, .. }) => {
                    connections.is_empty() && deadline.0 == *until
                }
                (Place::Offline, Presence::Offline { .. }) | (Place::Gone, Presence::Left) => connections.is_empty(),
                _ => false,
            };
            prop_assert!(alike, "{person}: {:?} is not {:?}", known, seat.place);
            let lost = known.lost.as_ref().map(|lost| (lost.id.clone(), lost.deadline.0));
            prop_assert_eq!(&lost, &seat.lost, "{}", person);
            prop_assert_eq!(&known.space, &seat.space, "{}", person);
            prop_assert_eq!(&known.muted, &seat.muted, "{}", person);
            let choices = known
                .choices
                .iter()
                .flat_map(|(of, by_source)| by_source.iter().map(|(source, wanted)| ((of.clone(), *source), *wanted)));
            prop_assert!(choices.eq(seat.choices.clone()), "{person} chose {:?}", seat.choices);
        }
        prop_assert_eq!(state.poll_timeout().map(|(due, _)| due.0), model.next_deadline(), "no timer is overslept");
        prop_assert!(state.tracks.keys().eq(model.tracks.keys()));
        for (id, track) in &model.tracks {
            prop_assert_eq!(state.tracks[id].muted, track.muted);
        }
        Ok(())
    }

    /// What is stored is what happened: through JSON and back, folded from nothing, it gives the same class.
    fn survives_a_second_reading(&self) -> Result<(), TestCaseError> {
        let mut read_back = Vec::new();
        for event in &self.log {
            let json = serde_json::to_string(event).expect("an event is JSON");
            read_back
                .push(serde_json::from_str::<Event>(&json).map_err(|e| TestCaseError::fail(format!("{json}: {e}")))?);
        }
        prop_assert_eq!(&read_back, &self.log);
        prop_assert_eq!(&fold(&read_back), &self.state);
        Ok(())
    }

    fn reads(&self) -> Result<Open, TestCaseError> {
        log::read(&self.log, self.policy.presence_grace_ms, self.policy.resume_window_ms).map_err(TestCaseError::fail)
    }

    /// Turns "my own connection" into the name that it has at the moment.
    fn resolves(&mut self, step: Step) -> (Command, Option<PersonId>) {
        self.now = self.now.saturating_add_signed(step.elapsed_ms);
        let own = |person: &PersonId| {
            let known = self.state.participants.get(person)?;
            let lost = known.lost.as_ref().map(|lost| &lost.id);
            known.connections.keys().next().or(lost).cloned()
        };
        let connection = match &step.on {
            On::OwnConnection => own(&step.person).unwrap_or_else(|| "PA_none".into()),
            On::Connection(name) => name.clone(),
        };
        let person = step.person.clone();
        let last_seen = UnixMs(self.now.saturating_add_signed(step.seen_ms));
        let command = match step.what {
            What::Attach { profile, connection, space } => {
                Command::Attach { person, profile, connection, client: Client::default(), space }
            }
            What::Resume => Command::Resume { person, connection },
            What::Move { others, space } => {
                Command::Move { persons: others.into_iter().chain([person]).collect(), space }
            }
            What::DescribeRoom(metadata) => Command::DescribeRoom { metadata },
            What::Choose(choices) => Command::Choose { person, choices },
            What::Detach(reason) => Command::Detach { connection, reason, last_seen },
            What::Leave => Command::Leave { connection },
            What::Publish { track, source, muted } => {
                let Command::Publish { mut publication } = class::publish(&person.0, &connection.0, &track.0, source)
                else {
                    unreachable!("publish publishes")
                };
                publication.muted = muted;
                publication.name = format!("{MARK} track").as_str().into();
                Command::Publish { publication }
            }
            What::Unpublish { track } => Command::Unpublish { track, reason: UnpublishReason::Stopped },
            What::SetMuted { track, muted } => Command::SetMuted { track, muted },
            What::Resize { track, size } => Command::UpdateTrack { track, audio_features: None, size },
            What::Update(profile) => Command::Update { person, profile },
            What::Rename(name) => {
                let mut profile = self
                    .state
                    .participants
                    .get(&person)
                    .map_or_else(|| class::profile(""), |known| known.profile.clone());
                profile.name = name.as_str().into();
                Command::Update { person, profile }
            }
            What::Remove => Command::Remove { person },
            What::End => Command::End { reason: EndReason::Ended },
            What::Recover => Command::Recover { last_seen },
            What::Start => class::start(self.policy.clone()),
            What::Tick => Command::Tick,
        };
        (command, step.actor)
    }
}

fn fold(log: &[Event]) -> State {
    let mut state = State::default();
    log.iter().for_each(|event| apply(&mut state, event));
    state
}

fn opened_in(state: &State) -> Open {
    let mut open = Open::default();
    for (person, known) in &state.participants {
        if known.presence != Presence::Left {
            open.seats.insert(person.clone());
        }
        if let Some(lost) = &known.lost {
            open.lost.insert(lost.id.clone(), (person.clone(), lost.connection.since));
        }
        for (connection, opened) in &known.connections {
            open.connections.insert(connection.clone(), (person.clone(), opened.since));
        }
    }
    for (id, track) in &state.tracks {
        open.tracks.insert(id.clone(), (track.person.clone(), track.connection.clone()));
        if track.muted {
            open.muted.insert(id.clone());
        }
    }
    open
}

/// In every personal text, so that one that was overlooked shows.
const MARK: &str = "personal";

#[derive(Clone, Debug)]
struct Step {
    elapsed_ms: i64,
    /// Last sign of life, before (or, with a wrong clock, after) now.
    seen_ms: i64,
    person: PersonId,
    actor: Option<PersonId>,
    on: On,
    what: What,
}

#[derive(Clone, Debug)]
enum On {
    OwnConnection,
    Connection(ConnectionId),
}

#[derive(Clone, Debug)]
enum What {
    Attach { profile: Profile, connection: ConnectionId, space: Option<SpaceName> },
    Resume,
    Move { others: Vec<PersonId>, space: SpaceName },
    Choose(Vec<TrackChoice>),
    DescribeRoom(String),
    Detach(DetachReason),
    Leave,
    Publish { track: TrackId, source: Source, muted: bool },
    Unpublish { track: TrackId },
    SetMuted { track: TrackId, muted: bool },
    Resize { track: TrackId, size: Option<(u32, u32)> },
    Update(Profile),
    Rename(String),
    Remove,
    End,
    Recover,
    Start,
    Tick,
}

fn policies() -> impl Strategy<Value = Policy> {
    let window_ms = prop_oneof![1 => Just(0u64), 3 => 0..3_000u64];
    (0..4u32, 0..2_000u64, 0..2_000u64, 0..4_000u64, 0..4u32, window_ms).prop_map(
        |(
            max_participants,
            presence_grace_ms,
            empty_timeout_ms,
            departure_timeout_ms,
            max_tracks_per_connection,
            resume_window_ms,
        )| {
            Policy {
                max_participants,
                presence_grace_ms,
                empty_timeout_ms,
                departure_timeout_ms,
                max_tracks_per_connection,
                resume_window_ms,
            }
        },
    )
}

fn steps() -> impl Strategy<Value = Step> {
    let elapsed_ms = prop_oneof![8 => 0..100i64, 3 => 100..1_500i64, 1 => 1_500..6_000i64, 1 => -3_000..0i64];
    let on = prop_oneof![4 => Just(On::OwnConnection), 1 => connections().prop_map(On::Connection)];
    let actor =
        prop_oneof![3 => Just(Actor::Server), 3 => Just(Actor::Oneself), 1 => people().prop_map(Actor::Somebody)];
    (elapsed_ms, -2_000..500i64, people(), actor, on, whats()).prop_map(
        |(elapsed_ms, seen_ms, person, actor, on, what)| {
            let actor = match actor {
                Actor::Server => None,
                Actor::Oneself => Some(person.clone()),
                Actor::Somebody(somebody) => Some(somebody),
            };
            Step { elapsed_ms, seen_ms, person, actor, on, what }
        },
    )
}

#[derive(Clone, Debug)]
enum Actor {
    Server,
    Oneself,
    Somebody(PersonId),
}

fn whats() -> impl Strategy<Value = What> {
    use DetachReason::*;
    prop_oneof![
        8 => (profiles(), connections(), proptest::option::of(spaces()))
            .prop_map(|(profile, connection, space)| What::Attach { profile, connection, space }),
        5 => select(vec![ConnectionLost, MediaFailed, NeverConnected, StateMismatch]).prop_map(What::Detach),
        4 => Just(What::Resume),
        2 => (vec(people(), 0..3), spaces()).prop_map(|(others, space)| What::Move { others, space }),
        2 => vec((people(), sources(), any::<bool>()), 0..4).prop_map(|choices| What::Choose(
            choices.into_iter().map(|(of, source, wanted)| TrackChoice { of, source, wanted }).collect()
        )),
        1 => select(vec!["", "algebra"]).prop_map(|metadata| What::DescribeRoom(metadata.to_owned())),
        2 => Just(What::Leave),
        8 => (tracks(), sources(), any::<bool>()).prop_map(|(track, source, muted)| What::Publish { track, source, muted }),
        3 => tracks().prop_map(|track| What::Unpublish { track }),
        4 => (tracks(), any::<bool>()).prop_map(|(track, muted)| What::SetMuted { track, muted }),
        1 => (tracks(), proptest::option::of(select(vec![(1_280, 720), (640, 360)])))
            .prop_map(|(track, size)| What::Resize { track, size }),
        3 => profiles().prop_map(What::Update),
        2 => select(vec!["personal a", "personal b"]).prop_map(|name| What::Rename(name.to_owned())),
        1 => Just(What::Remove),
        4 => Just(What::Tick),
        1 => prop_oneof![1 => Just(What::End), 4 => Just(What::Recover), 1 => Just(What::Start)],
    ]
}

fn profiles() -> impl Strategy<Value = Profile> {
    let powers = (proptest::bool::weighted(0.8), proptest::bool::weighted(0.8), proptest::bool::weighted(0.2));
    let all = vec![Source::Camera, Source::Microphone, Source::ScreenShare];
    let some = prop_oneof![3 => Just(Vec::new()), 1 => subsequence(all, 0..=2)];
    let role = select(vec![Role::Learner, Role::Learner, Role::Instructor]);
    (select(vec!["a", "b"]), powers, some, role).prop_map(|(name, (publish, update, hidden), sources, role)| {
        let mut profile = class::profile(&format!("{MARK} {name}"));
        profile.metadata = format!("{MARK} metadata").as_str().into();
        profile.attributes.insert("mood".into(), format!("{MARK} {name}").as_str().into());
        profile.role = role;
        profile.permission.can_publish = publish;
        profile.permission.can_publish_sources = sources;
        profile.permission.can_update_metadata = update;
        profile.permission.hidden = hidden;
        profile
    })
}

fn spaces() -> impl Strategy<Value = SpaceName> {
    select(vec!["main", "group 1", "group 2", "", "a/b"]).prop_map(SpaceName::from)
}

fn people() -> impl Strategy<Value = PersonId> {
    select(vec!["ann", "bob", "cem", "dee"]).prop_map(PersonId::from)
}

fn connections() -> impl Strategy<Value = ConnectionId> {
    select(vec!["PA_1", "PA_2", "PA_3", "PA_4", "PA_5", "PA_6"]).prop_map(ConnectionId::from)
}

fn tracks() -> impl Strategy<Value = TrackId> {
    select(vec!["TR_1", "TR_2", "TR_3", "TR_4", "TR_5"]).prop_map(TrackId::from)
}

fn sources() -> impl Strategy<Value = Source> {
    select(vec![Source::Camera, Source::Microphone, Source::ScreenShare])
}
