//! Generated lessons: any command from anybody at any time, most of them senseless, in a class where something of everything is there.

use crate::class::START;
use crate::lesson::*;
use lyceum_session::class::*;
use lyceum_session::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{FileFailurePersistence, RngSeed};

/// Something of everything is there.
pub fn in_full_swing() -> Lesson {
    use ClassCommand as C;
    let mut lesson = Lesson::begins();
    for anonymity in [Anonymity::Named, Anonymity::Anonymous] {
        lesson.polls(PollSpec { anonymity, mode: PollMode::Quiz, ..spec(vec![Item { points: 2, ..single(2) }]) });
    }
    lesson.must(ANN, said("hello"));
    lesson.must(BOB, C::QaAsk { body: "why?".into() });
    lesson.must(TEACHER, C::TimerStart { title: "timer".into(), duration_ms: 600_000 });
    let (hash, mime_type) = ("ab".repeat(32), "image/png".into());
    let deck = lesson.must(TEACHER, C::DeckAdd { name: "deck".into(), hash, mime_type, bytes: 1 })[0].seq;
    lesson.backend(C::DeckReady { deck, pages: 2 }).expect("read");
    lesson.breaks_out(&[("b1", &[ANN]), ("b2", &[BOB])], LatePolicy::LeastFull);
    let patch = PolicyPatch { lobby: Some(LobbyMode::Ask), qa_moderated: Some(true), ..PolicyPatch::default() };
    lesson.must(TEACHER, C::PolicySet { patch });
    lesson.backend(C::Join { person: "dee".into(), profile: crate::class::profile("dee") }).expect("waits");
    lesson.must(CEM, C::HandRaise { intent: HandIntent::Question });
    lesson
}

pub fn search() -> ProptestConfig {
    let mut config = ProptestConfig::default();
    // Proptest's own number of cases, unless somebody asks for another: these schedules are long.
    if config.cases == 256 {
        config.cases = 100;
    }
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(20_240_603);
    }
    config.failure_persistence = Some(Box::new(FileFailurePersistence::Direct("tests/it/anything.txt")));
    config
}

#[derive(Clone, Debug)]
pub enum Step {
    Comes(&'static str, Role),
    LosesNetwork(&'static str),
    Publishes(&'static str, Source),
    Waits(u64),
    Jumps(i64),
    Restarts,
    Tries { who: Option<&'static str>, command: Box<ClassCommand>, expects: Expects, ago: Option<u64> },
}

#[derive(Clone, Copy, Debug)]
pub enum Expects {
    Newest,
    Nothing,
    Seq(u64),
}

pub fn takes(lesson: &mut Lesson, step: Step) {
    if lesson.state.ended {
        return;
    }
    match step {
        Step::Comes(who, role) => drop(lesson.comes(who, role)),
        Step::LosesNetwork(who) => {
            let known = lesson.state.participants.get(&who.into());
            if known.is_some_and(|known| !known.connections.is_empty()) {
                lesson.loses_network(who);
            }
        }
        Step::Publishes(who, source) => {
            let known = lesson.state.participants.get(&who.into());
            if known.is_some_and(|known| !known.connections.is_empty()) {
                drop(lesson.publishes(who, &format!("TR_{}", lesson.log.len()), source));
            }
        }
        Step::Waits(ms) => drop(lesson.wait(ms)),
        Step::Jumps(ms) => {
            lesson.now = UnixMs(lesson.now.0.saturating_add_signed(ms).max(START.0));
            drop(lesson.server(Command::Tick));
        }
        Step::Restarts => lesson.restarts(),
        Step::Tries { who, command, expects, ago } => {
            let mut ctx = lesson.ctx(who.unwrap_or(TEACHER));
            if who.is_none() {
                ctx.actor = None;
            }
            ctx.envelope.expect = match expects {
                Expects::Newest => lesson.rev_here(who.unwrap_or(TEACHER), &command),
                Expects::Nothing => None,
                Expects::Seq(seq) => Some(Seq(seq)),
            };
            ctx.envelope.received_at = ago.map(|ago| UnixMs(lesson.now.0 - ago));
            lesson.sends(resolved(&lesson.state, *command), &ctx);
            for track in lesson.state.tracks.values() {
                assert!(lesson.state.may_publish(&track.person, track.source), "{track:?} goes on though it may not");
            }
        }
    }
}

/// Most commands name something that is there: a number below 100 stands for one of those things.
fn resolved(state: &State, mut command: ClassCommand) -> ClassCommand {
    use ClassCommand as C;
    let class = &state.class;
    let (name, known): (&mut Seq, Vec<Seq>) = match &mut command {
        C::ChatEdit { message, .. }
        | C::ChatDelete { message }
        | C::ChatApprove { message }
        | C::ChatReject { message }
        | C::ChatPin { message, .. }
        | C::ChatSend { reply_to: Some(message), .. } => (message, class.messages.keys().copied().collect()),
        C::QaUpvote { question, .. }
        | C::QaAnswer { question, .. }
        | C::QaApprove { question }
        | C::QaDismiss { question } => (question, class.questions.keys().copied().collect()),
        C::ActivityEdit { poll, .. }
        | C::PollOpen { poll, .. }
        | C::PollSaveDraft { poll, .. }
        | C::PollRespond { poll, .. }
        | C::PollClose { poll, .. }
        | C::PollAdmitLate { poll, .. }
        | C::PollPublish { poll, .. }
        | C::QuizGrade { poll, .. } => (poll, class.polls.keys().copied().collect()),
        C::TimerPause { timer } | C::TimerResume { timer } | C::TimerExtend { timer, .. } | C::TimerStop { timer } => {
            (timer, class.timers.keys().copied().collect())
        }
        C::DeckReady { deck, .. } | C::DeckFail { deck, .. } | C::DeckRemove { deck } | C::PageSet { deck, .. } => {
            (deck, class.decks.keys().copied().collect())
        }
        _ => return command,
    };
    if name.0 < 100 && !known.is_empty() {
        *name = known[usize::try_from(name.0).expect("small") % known.len()];
    }
    if let C::PollRespond { poll, answers } | C::PollSaveDraft { poll, answers } = &mut command
        && poll.0 % 8 > 0
        && let Some(known) = class.polls.get(poll)
    {
        answers.resize(known.spec.items.len(), Some(Answer::Options { options: vec![1] }));
    }
    command
}

pub fn steps() -> impl Strategy<Value = Step> {
    let who = prop_oneof![2 => Just(None), 7 => Just(Some(TEACHER)), 8 => people().prop_map(Some)];
    let expects = prop_oneof![
        8 => Just(Expects::Newest),
        1 => Just(Expects::Nothing),
        1 => (0u64..60).prop_map(Expects::Seq),
    ];
    let ago = proptest::option::of(select(vec![0, 100, 6_000]));
    let sources = select(vec![Source::Microphone, Source::Camera, Source::ScreenShare]);
    prop_oneof![
        3 => (people(), roles()).prop_map(|(who, role)| Step::Comes(who, role)),
        2 => people().prop_map(Step::LosesNetwork),
        2 => (people(), sources).prop_map(|(who, source)| Step::Publishes(who, source)),
        3 => select(vec![1, 1_000, 5_000, 30_000, 61_000]).prop_map(Step::Waits),
        1 => select(vec![-5_000, 5_000, 100_000]).prop_map(Step::Jumps),
        1 => Just(Step::Restarts),
        40 => (who, commands(), expects, ago).prop_map(|(who, command, expects, ago)| Step::Tries {
            who,
            command: Box::new(command),
            expects,
            ago,
        }),
    ]
}

fn people() -> impl Strategy<Value = &'static str> {
    select(vec![TEACHER, TA, ANN, ANN, BOB, BOB, CEM, CEM, "dee", "nobody"])
}

fn person() -> impl Strategy<Value = PersonId> {
    people().prop_map(PersonId::from)
}

fn several() -> impl Strategy<Value = Vec<PersonId>> {
    vec(person(), 0..3)
}

fn roles() -> impl Strategy<Value = Role> {
    select(vec![
        Role::Instructor,
        Role::TeachingAssistant,
        Role::Learner,
        Role::Observer,
        Role::Support,
        Role::Captioner,
    ])
}

fn space() -> impl Strategy<Value = SpaceName> {
    select(vec!["main", "b1", "b2", "nowhere"]).prop_map(SpaceName::from)
}

fn here() -> impl Strategy<Value = Option<SpaceName>> {
    proptest::option::of(space())
}

fn made() -> impl Strategy<Value = Seq> {
    prop_oneof![9 => (0u64..100).prop_map(Seq), 1 => (100u64..200).prop_map(Seq)]
}

fn body() -> impl Strategy<Value = Text> {
    select(vec!["", "hello", "something longer than that"]).prop_map(Text::from)
}

fn caps() -> impl Strategy<Value = Cap> {
    select(Cap::ALL.to_vec())
}

fn answers() -> impl Strategy<Value = Answers> {
    let answer = prop_oneof![
        9 => (0u16..2).prop_map(|option| Answer::Options { options: vec![option] }),
        1 => vec(0u16..4, 0..3).prop_map(|options| Answer::Options { options }),
        1 => (-2i64..4).prop_map(|number| Answer::Number { number }),
        1 => body().prop_map(|text| Answer::Text { text }),
    ];
    vec(proptest::option::weighted(0.9, answer), 0..3)
}

fn specs() -> impl Strategy<Value = PollSpec> {
    let others = select(vec![ItemKind::Multi, ItemKind::ShortText, ItemKind::Ordering, ItemKind::TrueFalse]);
    let items = prop_oneof![
        8 => (Just(ItemKind::Single), 2usize..4).boxed(),
        1 => (others, 0usize..4).boxed(),
    ];
    let items = vec(items, 0..3).prop_map(|items| {
        let items = items.into_iter();
        items.map(|(kind, options)| Item { kind, points: 2, ..single(options) }).collect::<Vec<_>>()
    });
    let anonymity = select(vec![Anonymity::Named, Anonymity::StaffNamed, Anonymity::Anonymous]);
    let drafts = select(vec![DraftPolicy::Submit, DraftPolicy::Keep, DraftPolicy::Discard]);
    let modes = select(vec![PollMode::Poll, PollMode::Quiz]);
    (items, anonymity, drafts, modes, any::<bool>(), any::<bool>()).prop_map(
        |(items, anonymity, drafts, mode, live, change)| PollSpec {
            anonymity,
            drafts,
            mode,
            live_results: live,
            allow_change: change,
            ..spec(items)
        },
    )
}

fn commands() -> impl Strategy<Value = ClassCommand> {
    use ClassCommand as C;
    let leading = prop_oneof![
        1 => Just(C::SessionEnd { confirm: "RM_1".into() }),
        9 => Just(C::SessionCancelEnd {}),
        1 => Just(C::SessionLock {}),
        1 => Just(C::SessionUnlock {}),
        3 => patches().prop_map(|patch| C::PolicySet { patch }),
        2 => person().prop_map(|person| C::Join { profile: crate::class::profile(&person.0), person }),
        1 => Just(C::LobbyWithdraw {}),
        1 => person().prop_map(|person| C::LobbyLost { person }),
        2 => (several(), any::<bool>()).prop_map(|(persons, all)| C::LobbyAdmit { persons, all }),
        1 => (person(), any::<bool>()).prop_map(|(person, ban)| C::LobbyDeny { person, ban }),
        1 => body().prop_map(|body| C::LobbyMessage { body }),
        2 => (person(), roles()).prop_map(|(person, role)| C::ParticipantSetRole { person, role }),
        2 => (person(), caps(), proptest::option::of(any::<bool>()))
            .prop_map(|(person, cap, given)| C::ParticipantOverrideCaps { person, set: [(cap, given)].into() }),
        1 => (person(), any::<bool>()).prop_map(|(person, ban)| C::ParticipantRemove { person, ban }),
        9 => person().prop_map(|person| C::BanLift { person }),
    ];
    let media = prop_oneof![
        (several(), proptest::option::of(several()))
            .prop_map(|(persons, all_except)| C::ParticipantMute { persons, all_except }),
        several().prop_map(|persons| C::MediaRequestUnmute { persons }),
        select(vec![MicIntent::Muted, MicIntent::Unmuted])
            .prop_map(|mic| C::MediaSetIntent { intent: Intent { mic, camera: true, screen: false } }),
        (person(), here()).prop_map(|(person, space)| C::PresenterAssign { person, space }),
        here().prop_map(|space| C::PresenterTake { space }),
        here().prop_map(|space| C::PresenterRelease { space }),
        (here(), several())
            .prop_map(|(space, spotlight)| C::StageSet { space, stage: Stage { layout: Layout::Board, spotlight } }),
        Just(C::HandRaise { intent: HandIntent::Tech }),
        Just(C::HandLower {}),
        person().prop_map(|person| C::HandCall { person }),
        (several(), any::<bool>()).prop_map(|(persons, all)| C::HandDismiss { persons, all }),
        select(vec![HandOrder::Fifo, HandOrder::LeastHeardFirst]).prop_map(|order| C::HandReorder { order }),
    ];
    let to = prop_oneof![
        space().prop_map(|space| To::Space { space }),
        person().prop_map(|person| To::Person { person }),
        Just(To::Staff),
    ];
    let talking = prop_oneof![
        (proptest::option::of(to), body(), proptest::option::weighted(0.2, made()))
            .prop_map(|(to, body, reply_to)| C::ChatSend { to, body, reply_to }),
        (made(), body()).prop_map(|(message, body)| C::ChatEdit { message, body }),
        made().prop_map(|message| C::ChatDelete { message }),
        made().prop_map(|message| C::ChatApprove { message }),
        made().prop_map(|message| C::ChatReject { message }),
        (made(), any::<bool>()).prop_map(|(message, pinned)| C::ChatPin { message, pinned }),
        body().prop_map(|body| C::QaAsk { body }),
        (made(), any::<bool>()).prop_map(|(question, up)| C::QaUpvote { question, up }),
        (made(), body()).prop_map(|(question, body)| C::QaAnswer { question, body }),
        made().prop_map(|question| C::QaApprove { question }),
        made().prop_map(|question| C::QaDismiss { question }),
        Just(C::ReactionSend { kind: "clap".into() }),
        (person(), body()).prop_map(|(person, body)| C::ReportAbuse { person, message: None, body }),
        body().prop_map(|body| C::CheckpointAsk { body }),
        select(vec![Mood::Fine, Mood::Lost]).prop_map(|mood| C::CheckpointAnswer { mood }),
        Just(C::ConsentGive {}),
        Just(C::ConsentDecline {}),
        Just(C::RecordStart {}),
    ];
    let target = prop_oneof![
        3 => Just(Target::Session),
        1 => vec(space(), 0..2).prop_map(|spaces| Target::Spaces { spaces }),
        1 => several().prop_map(|persons| Target::Persons { persons }),
    ];
    let polling = prop_oneof![
        3 => specs().prop_map(|spec| C::ActivityCreate { spec }),
        1 => (made(), specs()).prop_map(|(poll, spec)| C::ActivityEdit { poll, spec }),
        4 => (made(), target, proptest::option::of(select(vec![1, 10_000])))
            .prop_map(|(poll, target, duration_ms)| C::PollOpen { poll, target, duration_ms }),
        4 => (made(), answers()).prop_map(|(poll, answers)| C::PollSaveDraft { poll, answers }),
        8 => (made(), answers()).prop_map(|(poll, answers)| C::PollRespond { poll, answers }),
        3 => (made(), proptest::option::of(select(vec![0, 5_000]))).prop_map(|(poll, grace_ms)| C::PollClose { poll, grace_ms }),
        2 => (made(), several()).prop_map(|(poll, persons)| C::PollAdmitLate { poll, persons }),
        2 => (made(), any::<bool>()).prop_map(|(poll, reveal)| C::PollPublish { poll, detail: PublishDetail::Names, reveal }),
        1 => (made(), person()).prop_map(|(poll, person)| C::QuizGrade { poll, person, item: 0, points: 1 }),
    ];
    let group = |space: &str| {
        let space = SpaceName::from(space);
        several().prop_map(move |persons| GroupPlan { space: space.clone(), title: "G".into(), capacity: 2, persons })
    };
    let modes = select(vec![
        BreakoutMode::Random,
        BreakoutMode::Manual,
        BreakoutMode::SelfSelect,
        BreakoutMode::Roster,
        BreakoutMode::Balanced,
    ]);
    let late = select(vec![LatePolicy::HoldMain, LatePolicy::LeastFull, LatePolicy::SelfSelect]);
    let groups = prop_oneof![
        4 => (modes, group("b1"), group("b2"), any::<u64>())
            .prop_map(|(mode, one, two, seed)| C::BreakoutsPlan { mode, groups: vec![one, two], seed }),
        4 => (proptest::option::of(select(vec![60_000, 100_000])), late, any::<bool>()).prop_map(|(after, late_policy, allow_return)| {
            let closes_at = after.map(|after| START.plus(after));
            C::BreakoutsOpen { closes_at, late_policy, allow_return }
        }),
        3 => (several(), space()).prop_map(|(persons, to)| C::BreakoutsMove { persons, to }),
        2 => space().prop_map(|space| C::BreakoutsChoose { space }),
        1 => Just(C::BreakoutsReturn {}),
        2 => here().prop_map(|space| C::BreakoutsVisit { space }),
        1 => body().prop_map(|body| C::BreakoutsBroadcast { body }),
        2 => Just(C::BreakoutsAskHelp {}),
        1 => space().prop_map(|space| C::HelpResolve { space }),
        1 => Just(C::BreakoutsExtend { by_ms: 60_000 }),
        2 => select(vec![0, 60, 5]).prop_map(|warn_s| C::BreakoutsClose { warn_s }),
    ];
    let table = prop_oneof![
        Just(C::TimerStart { title: "t".into(), duration_ms: 3_000 }),
        made().prop_map(|timer| C::TimerPause { timer }),
        made().prop_map(|timer| C::TimerResume { timer }),
        made().prop_map(|timer| C::TimerStop { timer }),
        (made(), select(vec![0, 1_000])).prop_map(|(timer, by_ms)| C::TimerExtend { timer, by_ms }),
        Just(C::DeckAdd { name: "d".into(), hash: "ab".repeat(32), mime_type: "image/png".into(), bytes: 9 }),
        made().prop_map(|deck| C::DeckReady { deck, pages: 2 }),
        made().prop_map(|deck| C::DeckFail { deck, reason: "no".into() }),
        made().prop_map(|deck| C::DeckRemove { deck }),
        (here(), made(), 0u32..4).prop_map(|(space, deck, page)| C::PageSet { space, deck, page }),
        (
            here(),
            select(vec![BoardAccess::All, BoardAccess::Own, BoardAccess::Only, BoardAccess::Presenter]),
            several()
        )
            .prop_map(|(space, access, persons)| C::BoardSetAccess { space, access, persons }),
        (here(), made()).prop_map(|(space, deck)| C::BoardClear { space, deck, page: 1, snapshot: "s".into() }),
        (here(), any::<bool>()).prop_map(|(space, locked)| C::NotesLock { space, locked }),
    ];
    prop_oneof![
        2 => leading.boxed(),
        3 => media.boxed(),
        3 => talking.boxed(),
        4 => polling.boxed(),
        4 => groups.boxed(),
        2 => table.boxed(),
    ]
}

fn patches() -> impl Strategy<Value = PolicyPatch> {
    prop_oneof![
        select(vec![LobbyMode::Open, LobbyMode::Ask])
            .prop_map(|lobby| PolicyPatch { lobby: Some(lobby), ..PolicyPatch::default() }),
        vec(caps(), 0..3).prop_map(|locks| PolicyPatch { locks: Some(Caps::of(&locks)), ..PolicyPatch::default() }),
        any::<bool>().prop_map(|hide| PolicyPatch { hide_roster: Some(hide), ..PolicyPatch::default() }),
        select(vec![ChatMode::Open, ChatMode::Moderated])
            .prop_map(|chat| PolicyPatch { chat: Some(chat), ..PolicyPatch::default() }),
        any::<bool>().prop_map(|moderated| PolicyPatch { qa_moderated: Some(moderated), ..PolicyPatch::default() }),
        select(vec![Unattended::Continue, Unattended::Lock, Unattended::EndAfter { ms: 1_000_000 }])
            .prop_map(|unattended| PolicyPatch { unattended: Some(unattended), ..PolicyPatch::default() }),
    ]
}
