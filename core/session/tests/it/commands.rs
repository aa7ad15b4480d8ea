//! What every command has in common: one outcome, revisions, versions of grants, codes.

use crate::lesson::*;
use lyceum_session::class::*;
use lyceum_session::*;

#[test]
fn inv_06_a_response_that_is_sent_again_has_the_same_outcome_and_counts_once() {
    let mut lesson = Lesson::begins();
    let poll = lesson.polls(spec(vec![single(2)]));
    let ctx = lesson.ctx(ANN);
    let first = lesson.sends(responds(poll, 1), &ctx);
    assert!(matches!(first.outcome, Outcome::Accepted { response: Some(ResponseOutcome::Counted), places: Some(_) }));

    lesson.restarts();
    lesson.wait(10_000);
    let again = lesson.sends(responds(poll, 1), &ctx);

    assert_eq!(again.outcome, first.outcome);
    assert!(again.repeated && again.facts.is_empty());
    assert_eq!(lesson.state.class.polls[&poll].responses.len(), 1);
}

#[test]
fn inv_06_a_response_during_the_close_is_counted_late_and_one_after_it_is_refused_for_good() {
    let mut lesson = Lesson::begins();
    let poll = lesson.polls(spec(vec![single(2)]));
    lesson.must(TEACHER, ClassCommand::PollClose { poll, grace_ms: None });
    lesson.wait(1_000);
    let late = lesson.does(ANN, responds(poll, 1)).outcome;
    assert!(matches!(late, Outcome::Accepted { response: Some(ResponseOutcome::CountedLate), .. }));
    lesson.wait(4_001);

    let ctx = lesson.ctx(BOB);
    let too_late = lesson.sends(responds(poll, 0), &ctx).outcome;
    assert!(matches!(&too_late, Outcome::Rejected { reject: Reject::Closed(_), kept: Some(_) }), "{too_late:?}");
    lesson.restarts();
    assert_eq!(lesson.sends(responds(poll, 0), &ctx).outcome, too_late, "the same after a restart");
}

#[test]
fn a_refusal_is_repeated_even_when_the_command_would_succeed_by_now() {
    let mut lesson = Lesson::begins();
    lesson.must(TEACHER, ClassCommand::PolicySet { patch: lock(Cap::HandRaise) });
    let ctx = lesson.ctx(ANN);
    let refused = lesson.sends(ClassCommand::HandRaise { intent: HandIntent::Help }, &ctx).outcome;
    assert!(matches!(refused, Outcome::Rejected { reject: Reject::Forbidden(_), .. }));
    lesson.must(
        TEACHER,
        ClassCommand::PolicySet { patch: PolicyPatch { locks: Some(Caps::NONE), ..Default::default() } },
    );

    assert_eq!(lesson.sends(ClassCommand::HandRaise { intent: HandIntent::Help }, &ctx).outcome, refused);
    assert!(lesson.queue().is_empty());
    lesson.must(ANN, ClassCommand::HandRaise { intent: HandIntent::Help });
}

#[test]
fn what_changed_nothing_the_first_time_changes_nothing_the_second_time() {
    let mut lesson = Lesson::begins();
    lesson.must(ANN, ClassCommand::HandRaise { intent: HandIntent::Question });
    let ctx = lesson.ctx(ANN);
    let idle = lesson.sends(ClassCommand::HandRaise { intent: HandIntent::Question }, &ctx).outcome;
    assert_eq!(idle, Outcome::Accepted { places: None, response: None });
    lesson.must(ANN, ClassCommand::HandLower {});

    assert_eq!(lesson.sends(ClassCommand::HandRaise { intent: HandIntent::Question }, &ctx).outcome, idle);
    assert!(lesson.queue().is_empty(), "an old command raises no hand");
}

#[test]
fn one_id_is_one_command() {
    let mut lesson = Lesson::begins();
    let ctx = lesson.ctx(ANN);
    lesson.sends(said("hello"), &ctx);
    let mut other = ctx.clone();
    other.envelope.cause.as_mut().expect("an id").digest += 1;
    let answer = lesson.sends(said("something else"), &other);
    assert!(matches!(answer.outcome, Outcome::Rejected { reject: Reject::Invalid(_), .. }));
    assert_eq!(lesson.state.class.messages.len(), 1);

    let mut someone_elses = ctx;
    someone_elses.actor = Some(BOB.into());
    assert!(!lesson.sends(said("mine"), &someone_elses).repeated, "ids belong to their person");
    for id in ["", &"x".repeat(65)] {
        let mut odd = lesson.ctx(ANN);
        odd.envelope.cause.as_mut().expect("an id").id = id.into();
        let answer = lesson.sends(said("hello"), &odd);
        assert!(matches!(answer.outcome, Outcome::Rejected { reject: Reject::Invalid(_), .. }));
    }
}

#[test]
fn outcomes_are_remembered_of_the_newest_commands_only() {
    let mut lesson = Lesson::begins();
    let first = lesson.ctx(ANN);
    lesson.sends(ClassCommand::HandRaise { intent: HandIntent::Tech }, &first);
    for _ in 0..OUTCOMES_KEPT / 2 {
        lesson.now = lesson.now.plus(1_000);
        lesson.must(ANN, ClassCommand::HandLower {});
        lesson.must(ANN, ClassCommand::HandRaise { intent: HandIntent::Tech });
    }
    let cause = first.envelope.cause.expect("an id").id;
    assert!(lesson.state.class.done(&Some(ANN.into()), &cause).is_none());
}

#[test]
fn the_backends_commands_have_one_outcome_too() {
    let mut lesson = Lesson::begins();
    let ctx = Ctx { actor: None, ..lesson.ctx(ANN) };
    let first = lesson.sends(ClassCommand::SessionLock {}, &ctx);
    lesson.must(TEACHER, ClassCommand::SessionUnlock {});
    lesson.restarts();
    let again = lesson.sends(ClassCommand::SessionLock {}, &ctx);
    assert_eq!(again.outcome, first.outcome);
    assert!(again.repeated && !lesson.state.class.locked);
    let hand = lesson.backend(ClassCommand::HandRaise { intent: HandIntent::Help });
    assert!(matches!(hand, Err(Reject::Invalid(_))), "only people raise hands");
}

#[test]
fn a_flood_of_commands_fills_no_log() {
    let mut lesson = Lesson::begins();
    for _ in 0..50 {
        lesson.must(ANN, ClassCommand::HandRaise { intent: HandIntent::Help });
        lesson.must(ANN, ClassCommand::HandLower {});
    }
    lesson.now = lesson.now.plus(1_000);
    let flood = lesson.does(ANN, ClassCommand::HandRaise { intent: HandIntent::Help }).outcome;
    assert!(matches!(flood, Outcome::Rejected { reject: Reject::Rate { retry_ms: 9_000 }, .. }), "{flood:?}");
    lesson.must(BOB, ClassCommand::HandRaise { intent: HandIntent::Help });
    lesson.now = lesson.now.plus(9_000);
    lesson.must(ANN, ClassCommand::HandRaise { intent: HandIntent::Help });
}

#[test]
fn two_teachers_who_change_the_same_thing_do_not_overwrite_each_other() {
    let mut lesson = Lesson::begins();
    lesson.arrives_as(CO, Role::CoInstructor);
    let seen = lesson.state.class.spaces[&SpaceName::default()].rev;
    lesson.must(CO, ClassCommand::PresenterAssign { person: ANN.into(), space: None });
    let mut ctx = lesson.ctx(TEACHER);
    ctx.envelope.expect = Some(seen);
    let answer = lesson.sends(ClassCommand::PresenterAssign { person: BOB.into(), space: None }, &ctx);

    let current = lesson.state.class.spaces[&SpaceName::default()].rev;
    let Outcome::Rejected { reject, .. } = answer.outcome else { panic!("accepted") };
    assert_eq!((reject.clone(), reject.code()), (Reject::Stale { current }, "conflict"));
    assert_eq!(lesson.presenter(), Some(ANN));
    ctx = lesson.ctx(TEACHER);
    let blind = lesson.sends(ClassCommand::PresenterAssign { person: BOB.into(), space: None }, &ctx);
    assert!(matches!(blind.outcome, Outcome::Rejected { reject: Reject::Invalid(_), .. }), "it must say what it saw");
}

#[test]
fn inv_12_a_command_is_judged_by_the_grant_in_force_at_its_own_place() {
    let mut lesson = Lesson::begins();
    lesson.must(TEACHER, ClassCommand::PresenterAssign { person: ANN.into(), space: None });
    let stage = || ClassCommand::StageSet { space: None, stage: Stage { layout: Layout::Speaker, spotlight: vec![] } };
    let mut ctx = lesson.ctx(ANN);
    ctx.envelope.epoch = Some(Epoch(u64::MAX));
    lesson.must(TEACHER, ClassCommand::PresenterAssign { person: BOB.into(), space: None });
    let answer = lesson.sends(stage(), &ctx);
    assert!(matches!(answer.outcome, Outcome::Rejected { reject: Reject::Forbidden(_), .. }), "whatever a client says");
    lesson.must(BOB, stage());
}

#[test]
fn inv_15_who_could_a_moment_ago_is_told_so_and_loses_nothing() {
    let mut lesson = Lesson::begins();
    let ctx = {
        let mut ctx = lesson.ctx(ANN);
        ctx.envelope.epoch = Some(lesson.state.grant(&ANN.into()).epoch);
        ctx
    };
    lesson.must(TEACHER, ClassCommand::PolicySet { patch: lock(Cap::ChatSend) });
    let seat = lesson.state.participants[&ANN.into()].clone();

    let Outcome::Rejected { reject, .. } = lesson.sends(said("hi"), &ctx).outcome else { panic!("accepted") };

    let grant = lesson.state.grant(&ANN.into());
    assert_eq!(
        (reject.clone(), reject.code()),
        (Reject::StaleGrant { epoch: grant.epoch, caps: grant.caps }, "stale_grant")
    );
    assert!(!grant.caps.has(Cap::ChatSend));
    assert_eq!(lesson.state.participants[&ANN.into()], seat);
    assert_eq!(lesson.refused(ANN, said("hi")), "forbidden", "who has seen the change is refused as usual");
}

#[test]
fn an_epoch_grows_only_when_what_one_may_do_changes() {
    let mut lesson = Lesson::begins();
    let epochs = |lesson: &Lesson| [ANN, TEACHER].map(|person| lesson.state.grant(&person.into()).epoch.0);
    let before = epochs(&lesson);
    lesson.must(TEACHER, ClassCommand::PolicySet { patch: lock(Cap::ChatSend) });
    assert_eq!(epochs(&lesson), [before[0] + 1, before[1]], "staff is bound by no lock");
    lesson.must(
        TEACHER,
        ClassCommand::PolicySet { patch: PolicyPatch { qa_moderated: Some(true), ..Default::default() } },
    );
    assert_eq!(epochs(&lesson), [before[0] + 1, before[1]]);
}

#[test]
fn who_is_not_in_the_session_has_nothing_to_say_in_it() {
    let mut lesson = Lesson::begins();
    assert_eq!(lesson.refused("stranger", said("hi")), "not_admitted");
    let connection = lesson.state.participants[&ANN.into()].connections.keys().next().expect("here").clone();
    lesson.server(Command::Leave { connection }).expect("leaves");
    assert_eq!(lesson.refused(ANN, said("hi")), "not_admitted");
    lesson.server(Command::End { reason: EndReason::Ended }).expect("ends");
    assert_eq!(lesson.refused(BOB, said("hi")), "session_ended");
}

#[test]
fn commands_and_facts_are_types_with_payloads() {
    let command = ClassCommand::PollRespond { poll: Seq(7), answers: chooses(1) };
    let json = serde_json::json!({
        "type": "poll.respond",
        "payload": { "poll": 7, "answers": [{ "kind": "options", "options": [1] }] },
    });
    assert_eq!(serde_json::to_value(&command).expect("JSON"), json);
    assert_eq!(serde_json::from_value::<ClassCommand>(json).expect("a command"), command);

    let mut lesson = Lesson::begins();
    let events = lesson.must(ANN, ClassCommand::HandRaise { intent: HandIntent::Help });
    let json = serde_json::to_value(&events[0]).expect("JSON");
    assert_eq!(json["type"], "hand.raised");
    assert_eq!(json["payload"], serde_json::json!({ "person": "ann", "intent": "help" }));
    assert_eq!(json["actor"], "ann");
    assert!(json["cause"]["id"].is_string());

    for odd in [r#"{"type":"hand.raise"}"#, r#"{"type":"no.such","payload":{}}"#, r#"{"payload":{}}"#, "[]"] {
        assert!(serde_json::from_str::<ClassCommand>(odd).is_err(), "{odd}");
    }
    let odd = r#"{"seq":1,"at":1,"mono_ms":0,"type":"no.such.fact","payload":{}}"#;
    assert!(serde_json::from_str::<Event>(odd).is_err(), "a fact that nobody knows is no event");
}

#[test]
fn which_command_caused_an_event_is_its_senders() {
    let mut lesson = Lesson::begins();
    let events = lesson.must(ANN, said("hello"));
    let cause = |person: &str| {
        let viewer = lesson.state.viewer(&person.into());
        lesson.state.event_for(&events[0], &viewer).expect("readable").cause
    };
    assert!(cause(ANN).is_some() && cause(BOB).is_none() && cause(TEACHER).is_none());
    assert!(lesson.state.event_for(&events[0], &Viewer::backend()).expect("readable").cause.is_some());
}

#[test]
fn codes_are_a_closed_set() {
    let all = [
        Reject::Forbidden(""),
        Reject::StaleGrant { epoch: Epoch(1), caps: Caps::NONE },
        Reject::Conflict(""),
        Reject::Stale { current: Seq(1) },
        Reject::Closed(""),
        Reject::NotFound(""),
        Reject::Limit(""),
        Reject::Rate { retry_ms: 1 },
        Reject::NotAdmitted(""),
        Reject::SessionEnded,
        Reject::Invalid(""),
        Reject::Unavailable(""),
    ];
    let codes = [
        "forbidden",
        "stale_grant",
        "conflict",
        "conflict",
        "closed",
        "not_found",
        "limit",
        "rate",
        "not_admitted",
        "session_ended",
        "invalid",
        "unavailable",
    ];
    assert_eq!(all.map(|reject| reject.code()), codes);
}

pub fn lock(cap: Cap) -> PolicyPatch {
    PolicyPatch { locks: Some(Caps::of(&[cap])), ..PolicyPatch::default() }
}
