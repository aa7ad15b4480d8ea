//! Polls, quizzes and surveys, as those who ask and those who answer notice them.

use crate::lesson::*;
use lyceum_session::class::*;
use lyceum_session::*;

#[test]
fn inv_07_an_answer_that_arrived_in_time_counts_however_long_it_took_from_there() {
    let mut lesson = Lesson::begins();
    let poll = lesson.polls(spec(vec![single(2)]));
    lesson.must(TEACHER, ClassCommand::PollClose { poll, grace_ms: Some(1_000) });
    let accept_until = lesson.now.plus(1_000);
    let events = lesson.wait(3_000);
    assert!(events.iter().any(|event| matches!(event.fact, Fact::Class(ClassFact::PollClosed { counted: 0, .. }))));

    let mut ctx = lesson.ctx(ANN);
    ctx.envelope.received_at = Some(accept_until);
    let answer = lesson.sends(responds(poll, 1), &ctx);

    assert!(matches!(answer.outcome, Outcome::Accepted { response: Some(ResponseOutcome::CountedLate), .. }));
    let tally = lesson.state.class.polls[&poll].tally.clone().expect("a count");
    assert_eq!((tally.people, tally.items), (1, vec![vec![0, 1]]));
    let mut late = lesson.ctx(BOB);
    late.envelope.received_at = Some(accept_until.plus(151));
    assert!(matches!(lesson.sends(responds(poll, 1), &late).outcome, Outcome::Rejected { kept: Some(_), .. }));
}

#[test]
fn inv_07_the_last_millisecond_counts() {
    let mut lesson = Lesson::begins();
    let poll = lesson.polls(spec(vec![single(2)]));
    lesson.must(TEACHER, ClassCommand::PollClose { poll, grace_ms: Some(1_000) });
    lesson.now = lesson.now.plus(1_000);
    assert!(matches!(lesson.does(ANN, responds(poll, 1)).outcome, Outcome::Accepted { .. }));
    lesson.now = lesson.now.plus(1);
    assert!(matches!(lesson.does(BOB, responds(poll, 1)).outcome, Outcome::Rejected { .. }));
}

#[test]
fn inv_08_no_draft_vanishes() {
    for (drafts, expected) in [
        (DraftPolicy::Submit, [vec![ANN], vec![BOB], vec![CEM]]),
        (DraftPolicy::Keep, [vec![], vec![ANN, BOB], vec![CEM]]),
        (DraftPolicy::Discard, [vec![], vec![], vec![ANN, BOB, CEM]]),
    ] {
        let mut lesson = Lesson::begins();
        let poll = lesson.polls(PollSpec { mode: PollMode::Survey, drafts, ..spec(vec![single(2), single(3)]) });
        let choice = |option| Some(Answer::Options { options: vec![option] });
        let draft = |answers| ClassCommand::PollSaveDraft { poll, answers };
        lesson.must(ANN, draft(vec![choice(0), choice(2)]));
        lesson.must(BOB, draft(vec![choice(1), None]));
        lesson.must(CEM, ClassCommand::PollRespond { poll, answers: vec![choice(1), None] });
        lesson.must(CEM, draft(vec![choice(0), None]));
        lesson.loses_network(ANN);
        lesson.restarts();

        lesson.must(TEACHER, ClassCommand::PollClose { poll, grace_ms: Some(0) });

        let Some(Fact::Class(ClassFact::PollClosed { submitted, kept, discarded, .. })) =
            lesson.log.last().map(|event| event.fact.clone())
        else {
            panic!("not closed")
        };
        let names = |drafts: Vec<Draft>| drafts.into_iter().map(|draft| draft.person.0).collect::<Vec<_>>();
        let discarded: Vec<String> = discarded.into_iter().map(|person| person.0).collect();
        assert_eq!(
            [names(submitted), names(kept), discarded],
            expected.map(|people| people.iter().map(|p| p.to_string()).collect::<Vec<_>>())
        );
        assert!(lesson.state.class.side.drafts.is_empty());
    }
}

#[test]
fn a_draft_is_private_and_no_event() {
    let mut lesson = Lesson::begins();
    let poll = lesson.polls(spec(vec![single(2)]));
    let events = lesson.must(ANN, ClassCommand::PollSaveDraft { poll, answers: chooses(1) });
    assert!(events.is_empty());
    assert!(!lesson.page(TEACHER).to_string().contains("draft\":{"));
    assert_eq!(lesson.state.draft(poll, &ANN.into()).expect("saved").answers, chooses(1));
    assert_eq!(lesson.state.draft(poll, &BOB.into()), None);
    let command = Command::Class(ClassCommand::PollSaveDraft { poll, answers: chooses(0) });
    let ctx = Ctx { now: lesson.now, actor: Some(ANN.into()), ..Ctx::default() };
    assert!(
        matches!(decide(&lesson.state, &command, &ctx), Err(Reject::Unavailable(_))),
        "only where it can be written"
    );
}

#[test]
fn inv_09_after_the_close_the_count_changes_by_revisions_alone() {
    let mut lesson = Lesson::begins();
    let poll = lesson.polls(spec(vec![single(3)]));
    lesson.must(ANN, responds(poll, 0));
    lesson.must(ANN, responds(poll, 2));
    lesson.must(TEACHER, ClassCommand::PollClose { poll, grace_ms: Some(0) });
    let counted = |lesson: &Lesson| lesson.state.class.polls[&poll].tally.clone().expect("a count").items;
    assert_eq!(counted(&lesson), vec![vec![0, 0, 1]], "the last answer of a person counts");
    lesson.now = lesson.now.plus(1);
    lesson.does(BOB, responds(poll, 1));
    assert_eq!(counted(&lesson), vec![vec![0, 0, 1]]);

    let events = lesson.must(TEACHER, ClassCommand::PollAdmitLate { poll, persons: persons(&[BOB]) });

    assert!(matches!(&events[0].fact, Fact::Class(ClassFact::PollRevised { revision: 2, .. })));
    assert_eq!(events[0].actor, Some(TEACHER.into()));
    assert_eq!(counted(&lesson), vec![vec![0, 1, 1]]);
    assert_eq!(lesson.refused(TEACHER, ClassCommand::PollAdmitLate { poll, persons: persons(&[CEM]) }), "not_found");
}

#[test]
fn inv_08_the_end_of_the_session_is_the_end_of_its_polls() {
    let mut lesson = Lesson::begins();
    let poll = lesson.polls(spec(vec![single(2)]));
    lesson.must(ANN, responds(poll, 1));
    lesson.must(BOB, ClassCommand::PollSaveDraft { poll, answers: chooses(0) });
    lesson.breaks_out(&[("b1", &[ANN])], LatePolicy::HoldMain);
    lesson.server(Command::End { reason: EndReason::Ended }).expect("ends");
    let closed = lesson.log.iter().position(|event| matches!(event.fact, Fact::Class(ClassFact::PollClosed { .. })));
    let left = lesson.log.iter().position(|event| matches!(event.fact, Fact::ParticipantLeft { .. }));
    assert!(closed.is_some_and(|closed| left.is_some_and(|left| closed < left)));
    assert_eq!(lesson.state.class.polls[&poll].tally.clone().expect("a count").items, vec![vec![1, 1]]);
    assert!(lesson.state.participants.values().all(|known| known.space.is_main()));
    lesson.restarts();
}

#[test]
fn an_answer_that_is_too_late_is_kept_only_where_the_poll_says_so() {
    let mut lesson = Lesson::begins();
    let poll = lesson.polls(PollSpec { keep_late: false, ..spec(vec![single(2)]) });
    lesson.must(TEACHER, ClassCommand::PollClose { poll, grace_ms: Some(0) });
    lesson.now = lesson.now.plus(1);
    let answer = lesson.does(ANN, responds(poll, 1));
    assert!(matches!(answer.outcome, Outcome::Rejected { reject: Reject::Closed(_), kept: None }));
    assert!(answer.facts.is_empty());
}

#[test]
fn the_newest_draft_is_the_one_that_counts() {
    let mut lesson = Lesson::begins();
    let poll = lesson.polls(spec(vec![single(3)]));
    for option in [0, 2] {
        lesson.must(ANN, ClassCommand::PollSaveDraft { poll, answers: chooses(option) });
    }
    lesson.must(TEACHER, ClassCommand::PollClose { poll, grace_ms: Some(0) });
    assert_eq!(lesson.state.class.polls[&poll].responses[&ANN.into()], Some(chooses(2)));
}

#[test]
fn inv_10_people_are_counted_who_were_asked_or_came_while_it_was_open() {
    let mut lesson = Lesson::begins();
    lesson.loses_network(CEM);
    let poll = lesson.polls(spec(vec![Item { kind: ItemKind::Multi, ..single(4) }]));
    lesson.arrives_as("dee", Role::Learner);
    lesson.arrives_as("oli", Role::Observer);
    let all = vec![Some(Answer::Options { options: vec![3, 0, 1] })];
    lesson.must(ANN, ClassCommand::PollRespond { poll, answers: all });
    lesson.must("dee", ClassCommand::PollRespond { poll, answers: vec![Some(Answer::Options { options: vec![0] })] });
    assert_eq!(lesson.refused(TEACHER, responds(poll, 0)), "forbidden");
    lesson.must(TEACHER, ClassCommand::PollClose { poll, grace_ms: Some(0) });
    lesson.arrives_as("eve", Role::Learner);

    let Fact::Class(ClassFact::PollClosed { tally, counted, eligible, .. }) = &lesson
        .log
        .iter()
        .rev()
        .find(|event| matches!(event.fact, Fact::Class(ClassFact::PollClosed { .. })))
        .expect("closed")
        .fact
    else {
        unreachable!()
    };
    assert_eq!((*counted, *eligible), (2, 4), "two of ann, bob, cem and dee, and no more for three options");
    assert_eq!(tally.as_ref().expect("a count").items, vec![vec![2, 1, 0, 1]]);
}

#[test]
fn inv_11_an_anonymous_poll_ties_nobody_to_a_choice() {
    let mut lesson = Lesson::begins();
    for name in ["p1", "p2", "p3", "p4"] {
        lesson.arrives_as(name, Role::Learner);
    }
    let poll = lesson.polls(PollSpec { anonymity: Anonymity::Anonymous, ..spec(vec![single(7)]) });
    let voters = [ANN, BOB, CEM, "p1", "p2", "p3"];
    let mut counts = Vec::new();
    for (person, option) in voters.iter().zip([3, 0, 5, 1, 4, 2]) {
        let from = lesson.log.len();
        lesson.must(person, responds(poll, option));
        for event in &lesson.log[from..] {
            assert!(event.cause.as_ref().is_none_or(|cause| cause.digest == 0), "a digest would give the choice away");
            if let Fact::Class(ClassFact::PollResponded { answers, .. }) = &event.fact {
                assert_eq!(*answers, None);
            }
        }
        counts.push(lesson.state.class.polls[&poll].tally.as_ref().map(|tally| tally.people));
    }
    assert_eq!(counts, [None, None, None, None, Some(5), Some(5)], "it changes by five people at a time");
    assert_eq!(lesson.refused(ANN, responds(poll, 0)), "conflict", "one answer and no second thoughts");
    assert_eq!(lesson.refused("p4", ClassCommand::PollSaveDraft { poll, answers: chooses(1) }), "unavailable");
    let ballots = &lesson.state.class.side.ballots[&poll];
    assert!(ballots.is_sorted(), "their order says nothing");
    for person in [TEACHER, TA, ANN] {
        assert!(!lesson.page(person)["responses"].to_string().contains("options"));
    }
    lesson.restarts();
    lesson.must(TEACHER, ClassCommand::PollClose { poll, grace_ms: Some(0) });
    assert_eq!(lesson.state.class.polls[&poll].tally.clone().expect("a count").people, 6);
    let names = ClassCommand::PollPublish { poll, detail: PublishDetail::Names, reveal: false };
    assert_eq!(lesson.refused(TEACHER, names), "forbidden");
}

#[test]
fn inv_11_an_anonymous_count_of_fewer_than_five_is_not_shown() {
    let mut lesson = Lesson::begins();
    let poll = lesson.polls(PollSpec { anonymity: Anonymity::Anonymous, ..spec(vec![single(2)]) });
    lesson.must(ANN, responds(poll, 1));
    let ctx = lesson.ctx(BOB);
    let first = lesson.sends(responds(poll, 0), &ctx);
    assert_eq!(lesson.sends(responds(poll, 0), &ctx).outcome, first.outcome, "one outcome here too");
    lesson.must(TEACHER, ClassCommand::PollClose { poll, grace_ms: Some(0) });
    let closed = &lesson.log.last().expect("closed").fact;
    assert!(matches!(closed, Fact::Class(ClassFact::PollClosed { tally: None, counted: 2, .. })), "{closed:?}");
    let words = Item { kind: ItemKind::ShortText, options: vec![], ..single(0) };
    let spec = PollSpec { anonymity: Anonymity::Anonymous, ..spec(vec![words]) };
    assert_eq!(lesson.refused(TEACHER, ClassCommand::ActivityCreate { spec }), "invalid");
}

#[test]
fn answer_keys_stay_with_staff_until_they_are_revealed() {
    let mut lesson = Lesson::begins();
    let key = Some(Answer::Options { options: vec![1] });
    let quiz = PollSpec { mode: PollMode::Quiz, ..spec(vec![Item { key, points: 3, ..single(2) }]) };
    let poll = lesson.polls(quiz);
    let id = poll.to_string();
    let shows_key = |lesson: &Lesson, person| !lesson.page(person)["polls"][&id]["spec"]["items"][0]["key"].is_null();
    assert!(shows_key(&lesson, TEACHER) && !shows_key(&lesson, ANN));
    lesson.must(TEACHER, ClassCommand::PresenterAssign { person: BOB.into(), space: None });
    assert!(!shows_key(&lesson, BOB), "a learner who presents is a learner");
    for event in lesson.log.clone() {
        for person in [ANN, BOB] {
            let viewer = lesson.state.viewer(&person.into());
            let seen = lesson.state.event_for(&event, &viewer);
            assert!(!serde_json::to_string(&seen).expect("JSON").contains("\"key\":"), "{seen:?}");
        }
    }
    lesson.must(ANN, responds(poll, 1));
    lesson.must(BOB, responds(poll, 0));
    lesson.must(TEACHER, ClassCommand::PollClose { poll, grace_ms: Some(0) });
    let points =
        |lesson: &Lesson, viewer, person| lesson.page(viewer)["responses"][format!("{id}:{person}")]["points"].clone();
    assert_eq!(points(&lesson, TEACHER, ANN), serde_json::json!([3]));
    assert_eq!(points(&lesson, TEACHER, BOB), serde_json::json!([0]));
    assert!(points(&lesson, ANN, ANN).is_null());
    lesson.must(TEACHER, ClassCommand::PollPublish { poll, detail: PublishDetail::Aggregate, reveal: true });
    assert!(shows_key(&lesson, ANN));
    assert_eq!(points(&lesson, ANN, ANN), serde_json::json!([3]));
    assert!(lesson.page(ANN)["responses"][format!("{id}:{BOB}")].is_null());
    lesson.must(TEACHER, ClassCommand::QuizGrade { poll, person: BOB.into(), item: 0, points: 2 });
    assert_eq!(points(&lesson, BOB, BOB), serde_json::json!([2]));
    assert_eq!(
        lesson.refused(TEACHER, ClassCommand::QuizGrade { poll, person: BOB.into(), item: 0, points: 4 }),
        "invalid"
    );
}

#[test]
fn results_are_for_those_who_may_see_them() {
    let mut lesson = Lesson::begins();
    let poll = lesson.polls(spec(vec![single(2)]));
    lesson.must(ANN, responds(poll, 1));
    let id = poll.to_string();
    let sees = |lesson: &Lesson, person| !lesson.page(person)["results"][&id].is_null();
    assert!(sees(&lesson, TEACHER) && sees(&lesson, TA) && !sees(&lesson, ANN) && !sees(&lesson, BOB));
    let answer_of =
        |lesson: &Lesson, viewer, person| !lesson.page(viewer)["responses"][format!("{id}:{person}")].is_null();
    assert!(answer_of(&lesson, TEACHER, ANN) && answer_of(&lesson, ANN, ANN) && !answer_of(&lesson, BOB, ANN));
    lesson.must(TEACHER, ClassCommand::PollClose { poll, grace_ms: Some(0) });
    let publish = |detail| ClassCommand::PollPublish { poll, detail, reveal: false };
    lesson.must(TEACHER, publish(PublishDetail::Aggregate));
    assert!(sees(&lesson, BOB) && !answer_of(&lesson, BOB, ANN));
    lesson.must(TEACHER, publish(PublishDetail::Names));
    assert!(answer_of(&lesson, BOB, ANN));
}

#[test]
fn a_poll_with_an_end_closes_by_itself_in_two_steps() {
    let mut lesson = Lesson::begins();
    let made = lesson.must(TEACHER, ClassCommand::ActivityCreate { spec: spec(vec![single(2)]) });
    let poll = made[0].seq;
    let opens = ClassCommand::PollOpen { poll, target: Target::Session, duration_ms: Some(30_000) };
    assert_eq!(lesson.refused(ANN, opens.clone()), "forbidden");
    lesson.must(TEACHER, opens);
    assert_eq!(lesson.state.poll_timeout(), Some((lesson.now.plus(30_000), "poll closes")));
    lesson.wait(30_000);
    assert_eq!(lesson.state.class.polls[&poll].status, PollStatus::Closing);
    lesson.wait(5_000);
    assert_eq!(lesson.state.class.polls[&poll].status, PollStatus::Closed);
    let quick = PollSpec { grace_ms: 0, ..spec(vec![single(2)]) };
    let poll = lesson.must(TEACHER, ClassCommand::ActivityCreate { spec: quick })[0].seq;
    lesson.must(TEACHER, ClassCommand::PollOpen { poll, target: Target::Session, duration_ms: Some(1) });
    lesson.wait(1);
    assert_eq!(lesson.state.class.polls[&poll].status, PollStatus::Closed);
}

#[test]
fn only_drafts_are_edited_and_only_by_their_author() {
    let mut lesson = Lesson::begins();
    let poll = lesson.must(TA, ClassCommand::ActivityCreate { spec: spec(vec![single(2)]) })[0].seq;
    assert!(lesson.page(ANN)["polls"][poll.to_string()].is_null());
    let edit = || ClassCommand::ActivityEdit { poll, spec: spec(vec![single(3)]) };
    assert_eq!(lesson.refused(TEACHER, edit()), "forbidden");
    lesson.must(TA, edit());
    assert_eq!(
        lesson.refused(TA, ClassCommand::PollOpen { poll, target: Target::Session, duration_ms: None }),
        "forbidden"
    );
    lesson.must(TEACHER, ClassCommand::PollOpen { poll, target: Target::Session, duration_ms: None });
    assert_eq!(lesson.refused(TA, edit()), "conflict");
}

#[test]
fn a_poll_asks_those_it_is_meant_for() {
    let mut lesson = Lesson::begins();
    lesson.breaks_out(&[("b1", &[ANN]), ("b2", &[BOB])], LatePolicy::HoldMain);
    let poll = lesson.must(TEACHER, ClassCommand::ActivityCreate { spec: spec(vec![single(2)]) })[0].seq;
    let target = Target::Spaces { spaces: vec!["b1".into()] };
    lesson.must(TEACHER, ClassCommand::PollOpen { poll, target, duration_ms: None });
    lesson.must(ANN, responds(poll, 0));
    assert_eq!(lesson.refused(BOB, responds(poll, 0)), "forbidden");
    assert!(lesson.page(BOB)["polls"][poll.to_string()].is_null());
    let poll = lesson.must(TEACHER, ClassCommand::ActivityCreate { spec: spec(vec![single(2)]) })[0].seq;
    let target = Target::Persons { persons: persons(&[CEM]) };
    lesson.must(TEACHER, ClassCommand::PollOpen { poll, target, duration_ms: None });
    lesson.must(CEM, responds(poll, 0));
    assert_eq!(lesson.refused(ANN, responds(poll, 0)), "forbidden");
}

#[test]
fn answers_fit_their_questions() {
    let options = |options: &[u16]| Answer::Options { options: options.to_vec() };
    let number = |number| Answer::Number { number };
    let text = |text: &str| Answer::Text { text: text.into() };
    let item = |kind, count| Item { kind, ..single(count) };
    let cases = [
        (
            item(ItemKind::Single, 3),
            vec![options(&[2])],
            vec![options(&[3]), options(&[]), options(&[0, 1]), number(1)],
        ),
        (item(ItemKind::Multi, 3), vec![options(&[2, 0]), options(&[])], vec![options(&[0, 0]), options(&[3])]),
        (item(ItemKind::TrueFalse, 0), vec![options(&[1])], vec![options(&[2])]),
        (item(ItemKind::YesNo { abstain: true }, 0), vec![options(&[2])], vec![options(&[3])]),
        (item(ItemKind::Scale { from: -2, to: 2 }, 0), vec![number(-2), number(2)], vec![number(-3), number(3)]),
        (item(ItemKind::Numeric { decimals: 2 }, 0), vec![number(-314)], vec![text("3")]),
        (item(ItemKind::ShortText, 0), vec![text("yes")], vec![text(&"x".repeat(501)), number(1)]),
        (item(ItemKind::LongText, 0), vec![text(&"x".repeat(501))], vec![text(&"x".repeat(20_001))]),
        (item(ItemKind::Ordering, 3), vec![options(&[2, 0, 1])], vec![options(&[0, 1]), options(&[0, 1, 1])]),
        (item(ItemKind::Matching, 4), vec![options(&[1, 0])], vec![options(&[0, 1, 2, 3]), options(&[2, 0])]),
        (item(ItemKind::Hotspot, 0), vec![Answer::Point { x: 0, y: 1_000 }], vec![Answer::Point { x: 1_001, y: 0 }]),
    ];
    for (item, right, wrong) in cases {
        let mut lesson = Lesson::begins();
        let poll = lesson.polls(spec(vec![item.clone()]));
        for answer in right {
            lesson.must(ANN, ClassCommand::PollRespond { poll, answers: vec![Some(answer)] });
        }
        for answer in wrong {
            let command = ClassCommand::PollRespond { poll, answers: vec![Some(answer.clone())] };
            assert_eq!(lesson.refused(ANN, command), "invalid", "{:?} {answer:?}", item.kind);
        }
        for answers in [vec![], vec![None], vec![None, None]] {
            assert_eq!(lesson.refused(ANN, ClassCommand::PollRespond { poll, answers }), "invalid");
        }
    }
    let mut lesson = Lesson::begins();
    assert_eq!(lesson.refused(TEACHER, ClassCommand::ActivityCreate { spec: spec(vec![]) }), "limit");
    for odd in [single(1), item(ItemKind::Matching, 3), item(ItemKind::Scale { from: 2, to: 2 }, 0)] {
        assert_eq!(lesson.refused(TEACHER, ClassCommand::ActivityCreate { spec: spec(vec![odd]) }), "invalid");
    }
}
