//! What is said and shown: messages, questions, reactions, timers, slides, consent, checkpoints, reports.

use crate::lesson::*;
use lyceum_session::class::*;
use lyceum_session::*;

fn send(to: To, body: &str) -> ClassCommand {
    ClassCommand::ChatSend { to: Some(to), body: body.into(), reply_to: None }
}

fn reads(lesson: &Lesson, words: &str) -> Vec<&'static str> {
    let everybody = [TEACHER, TA, ANN, BOB, CEM];
    let reads = |person: &&str| lesson.page(person)["messages"].to_string().contains(words);
    everybody.into_iter().filter(reads).collect()
}

#[test]
fn a_message_is_read_where_it_belongs() {
    let mut lesson = Lesson::begins();
    lesson.breaks_out(&[("b1", &[ANN]), ("b2", &[BOB])], LatePolicy::HoldMain);
    lesson.must(ANN, said("to my group"));
    assert_eq!(reads(&lesson, "to my group"), [TEACHER, TA, ANN]);
    lesson.must(ANN, send(To::Person { person: BOB.into() }, "psst"));
    assert_eq!(reads(&lesson, "psst"), [ANN, BOB]);
    lesson.must(CEM, send(To::Staff, "help me"));
    assert_eq!(reads(&lesson, "help me"), [TEACHER, TA, CEM]);
    assert_eq!(lesson.refused(ANN, send(To::Space { space: "b2".into() }, "intruder")), "forbidden");
    assert_eq!(lesson.refused(ANN, send(To::Space { space: "b9".into() }, "nowhere")), "not_found");
    lesson.must(TA, send(To::Space { space: "b2".into() }, "from outside"));
    assert_eq!(lesson.refused(ANN, send(To::Person { person: ANN.into() }, "me")), "not_found");
    for event in &lesson.log {
        let seen = lesson.state.event_for(event, &lesson.state.viewer(&CEM.into()));
        let json = serde_json::to_string(&seen).expect("JSON");
        assert!(!json.contains("psst") && !json.contains("to my group"), "{json}");
    }
}

#[test]
fn a_space_that_a_backend_made_is_one_to_talk_in() {
    let mut lesson = Lesson::begins();
    lesson.server(Command::Move { persons: persons(&[ANN, BOB]), space: "lab".into() }).expect("moved");
    lesson.must(ANN, said("in the lab"));
    assert_eq!(reads(&lesson, "in the lab"), [TEACHER, TA, ANN, BOB]);
    let lab = SpaceName::from("lab");
    lesson.must(TEACHER, ClassCommand::PresenterAssign { person: BOB.into(), space: Some(lab.clone()) });
    assert!(lesson.state.class.spaces[&lab].presenter.is_some());
}

#[test]
fn inv_28_after_a_restart_and_a_return_each_message_is_there_once() {
    let mut lesson = Lesson::begins();
    for number in 0..5 {
        lesson.must(ANN, said(&format!("message {number}")));
    }
    lesson.loses_network(BOB);
    lesson.must(ANN, said("missed"));
    lesson.restarts();
    lesson.arrives_as(BOB, Role::Learner);
    let page = lesson.page(BOB)["messages"].to_string();
    for words in ["message 0", "message 4", "missed"] {
        assert_eq!(page.matches(words).count(), 1);
    }
}

#[test]
fn authors_change_their_words_for_a_while_and_moderators_take_words_away() {
    let mut lesson = Lesson::begins();
    let message = lesson.must(ANN, said("helo"))[0].seq;
    let edit = |body: &str| ClassCommand::ChatEdit { message, body: body.into() };
    lesson.must(ANN, edit("hello"));
    assert_eq!(reads(&lesson, "hello").len(), 5);
    for person in [BOB, TEACHER] {
        assert_eq!(lesson.refused(person, edit("nonsense")), "forbidden", "words stay their author's");
    }
    lesson.must(TA, ClassCommand::ChatPin { message, pinned: true });
    assert_eq!(lesson.refused(ANN, ClassCommand::ChatPin { message, pinned: false }), "forbidden");
    lesson.wait(900_001);
    assert_eq!(lesson.refused(ANN, edit("too late")), "closed");
    assert_eq!(lesson.refused(BOB, ClassCommand::ChatDelete { message }), "forbidden");
    lesson.must(TA, ClassCommand::ChatDelete { message });
    assert!(reads(&lesson, "hello").is_empty());
    assert_eq!(lesson.state.class.messages[&message].status, MessageStatus::Deleted);
    assert_eq!(lesson.refused(ANN, ClassCommand::ChatDelete { message }), "not_found");
    let own = lesson.must(BOB, said("oops"))[0].seq;
    lesson.must(BOB, ClassCommand::ChatDelete { message: own });
}

#[test]
fn a_moderated_chat_shows_what_was_approved() {
    let mut lesson = Lesson::begins();
    lesson.must(
        TEACHER,
        ClassCommand::PolicySet { patch: PolicyPatch { chat: Some(ChatMode::Moderated), ..Default::default() } },
    );
    let message = lesson.must(ANN, said("may I"))[0].seq;
    assert_eq!(reads(&lesson, "may I"), [TEACHER, TA, ANN]);
    assert_eq!(lesson.refused(BOB, ClassCommand::ChatApprove { message }), "forbidden");
    lesson.must(TA, ClassCommand::ChatApprove { message });
    assert_eq!(reads(&lesson, "may I").len(), 5);
    let sneaky = ClassCommand::ChatEdit { message, body: "something else".into() };
    assert_eq!(lesson.refused(ANN, sneaky), "forbidden", "what was approved stays as it was approved");
    let message = lesson.must(BOB, said("rude"))[0].seq;
    lesson.must(TEACHER, ClassCommand::ChatReject { message });
    assert!(reads(&lesson, "rude").is_empty());
    assert_eq!(lesson.refused(TEACHER, ClassCommand::ChatApprove { message }), "not_found");
    lesson.must(TEACHER, said("no need to ask for me"));
    assert_eq!(reads(&lesson, "no need").len(), 5);
}

#[test]
fn direct_messages_follow_the_rooms_policy() {
    let mut lesson = Lesson::begins();
    let to = |person: &str| send(To::Person { person: person.into() }, "psst");
    let policy = |direct_messages| ClassCommand::PolicySet {
        patch: PolicyPatch { direct_messages: Some(direct_messages), ..PolicyPatch::default() },
    };
    lesson.must(TEACHER, policy(DirectMessages::Staff));
    assert_eq!(lesson.refused(ANN, to(BOB)), "forbidden");
    lesson.must(ANN, to(TEACHER));
    lesson.must(TA, to(ANN));
    lesson.must(TEACHER, policy(DirectMessages::Off));
    assert_eq!(lesson.refused(ANN, to(TEACHER)), "forbidden");
}

#[test]
fn a_flood_of_messages_is_slowed_down() {
    let mut lesson = Lesson::begins();
    for number in 0..20 {
        lesson.must(ANN, said(&format!("{number}")));
    }
    lesson.now = lesson.now.plus(4_000);
    let Outcome::Rejected { reject, .. } = lesson.does(ANN, said("more")).outcome else { panic!("accepted") };
    assert_eq!(reject, Reject::Rate { retry_ms: 6_000 });
    lesson.must(BOB, said("not my flood"));
    lesson.now = lesson.now.plus(6_000);
    lesson.must(ANN, said("more"));
    assert_eq!(lesson.refused(BOB, said("  ")), "invalid");
    assert_eq!(lesson.refused(BOB, said(&"x".repeat(4_001))), "limit");
}

#[test]
fn replies_stay_in_their_channel() {
    let mut lesson = Lesson::begins();
    let secret = lesson.must(ANN, send(To::Person { person: BOB.into() }, "secret"))[0].seq;
    let reply = |to, message| ClassCommand::ChatSend { to, body: "re".into(), reply_to: Some(message) };
    assert_eq!(lesson.refused(BOB, reply(None, secret)), "invalid");
    assert_eq!(lesson.refused(CEM, reply(None, secret)), "not_found", "nobody learns that it is there");
    lesson.must(BOB, reply(Some(To::Person { person: ANN.into() }), secret));
}

#[test]
fn questions_are_asked_voted_for_and_answered() {
    let mut lesson = Lesson::begins();
    lesson.must(
        TEACHER,
        ClassCommand::PolicySet { patch: PolicyPatch { qa_moderated: Some(true), ..Default::default() } },
    );
    let question = lesson.must(ANN, ClassCommand::QaAsk { body: "why?".into() })[0].seq;
    let id = question.to_string();
    let sees = |lesson: &Lesson, person| !lesson.page(person)["questions"][&id].is_null();
    assert!(sees(&lesson, ANN) && sees(&lesson, TA) && !sees(&lesson, BOB));
    let vote = |up| ClassCommand::QaUpvote { question, up };
    assert_eq!(lesson.refused(BOB, vote(true)), "not_found");
    lesson.must(TA, ClassCommand::QaApprove { question });
    lesson.must(BOB, vote(true));
    lesson.must(BOB, vote(true));
    lesson.must(CEM, vote(true));
    lesson.must(CEM, vote(false));
    assert_eq!(lesson.page(BOB)["questions"][&id]["upvotes"], 1);
    assert_eq!(lesson.page(BOB)["questions"][&id]["upvoted"], true);
    assert_eq!(lesson.page(CEM)["questions"][&id]["upvoted"], false);
    let answer = || ClassCommand::QaAnswer { question, body: "because".into() };
    assert_eq!(lesson.refused(BOB, answer()), "forbidden");
    lesson.must(TEACHER, answer());
    assert_eq!(lesson.page(CEM)["questions"][&id]["answer"], "because");
    assert_eq!(lesson.refused(BOB, ClassCommand::QaDismiss { question }), "forbidden");
    lesson.must(ANN, ClassCommand::QaDismiss { question });
    assert!(!sees(&lesson, TEACHER));
}

#[test]
fn reactions_pass_by_and_only_counts_are_kept() {
    let mut lesson = Lesson::begins();
    let mut reactions = Reactions::default();
    for person in [ANN, BOB, ANN] {
        let answer = lesson.does(person, ClassCommand::ReactionSend { kind: "clap".into() });
        assert!(answer.facts.is_empty());
        answer.signals.iter().for_each(|signal| reactions.count(signal, lesson.now));
    }
    assert_eq!(lesson.refused(ANN, ClassCommand::ReactionSend { kind: "x".repeat(33) }), "invalid");
    assert_eq!(reactions.poll_timeout(), Some(lesson.now.plus(60_000)));
    assert!(reactions.take(lesson.now).is_empty());
    let due = reactions.take(lesson.now.plus(60_000));
    let [ClassCommand::ReactionAggregate { counts, .. }] = &due[..] else { panic!("{due:?}") };
    assert_eq!(counts["clap"], 3);
    assert_eq!(lesson.refused(ANN, due[0].clone()), "forbidden");
    assert_eq!(lesson.backend(due[0].clone()).expect("counted").len(), 1);
    assert_eq!(reactions.poll_timeout(), None);
}

#[test]
fn a_timer_ends_when_the_log_says() {
    let mut lesson = Lesson::begins();
    let start = ClassCommand::TimerStart { title: "Quiet work".into(), duration_ms: 60_000 };
    assert_eq!(lesson.refused(ANN, start.clone()), "forbidden");
    let timer = lesson.must(TEACHER, start)[0].seq;
    lesson.wait(20_000);
    lesson.must(TEACHER, ClassCommand::TimerPause { timer });
    lesson.wait(100_000);
    assert_eq!(lesson.state.class.timers[&timer].left_ms, 40_000);
    lesson.must(TEACHER, ClassCommand::TimerExtend { timer, by_ms: 10_000 });
    lesson.must(TEACHER, ClassCommand::TimerResume { timer });
    lesson.must(TEACHER, ClassCommand::TimerExtend { timer, by_ms: 5_000 });
    lesson.wait(54_999);
    assert!(lesson.state.class.timers.contains_key(&timer));
    let events = lesson.wait(1);
    assert!(matches!(events[0].fact, Fact::Class(ClassFact::TimerEnded { .. })));
    assert_eq!(lesson.refused(TEACHER, ClassCommand::TimerStop { timer }), "not_found");
}

#[test]
fn slides_are_announced_read_and_shown() {
    let mut lesson = Lesson::begins();
    let add = |hash: &str, bytes| ClassCommand::DeckAdd {
        name: "Lesson 1".into(),
        hash: hash.into(),
        mime_type: "application/pdf".into(),
        bytes,
    };
    let hash = "0f".repeat(32);
    assert_eq!(lesson.refused(ANN, add(&hash, 1)), "forbidden");
    assert_eq!(lesson.refused(TEACHER, add("beef", 1)), "invalid");
    assert_eq!(lesson.refused(TEACHER, add(&hash, 200_000_001)), "limit");
    let deck = lesson.must(TEACHER, add(&hash, 1_000))[0].seq;
    let page = |page| ClassCommand::PageSet { space: None, deck, page };
    assert_eq!(lesson.refused(TEACHER, page(1)), "conflict");
    assert_eq!(lesson.refused(TEACHER, ClassCommand::DeckReady { deck, pages: 3 }), "forbidden");
    lesson.backend(ClassCommand::DeckReady { deck, pages: 3 }).expect("read");
    lesson.must(TEACHER, page(3));
    assert_eq!(lesson.refused(TEACHER, page(4)), "not_found");
    assert_eq!(lesson.page(ANN)["spaces"]["main"]["page"]["page"], 3);
    lesson.must(TEACHER, ClassCommand::PresenterAssign { person: ANN.into(), space: None });
    lesson.must(ANN, page(1));
    lesson.must(TEACHER, ClassCommand::DeckRemove { deck });
    assert!(lesson.page(ANN)["spaces"]["main"]["page"].is_null());
    let failed = lesson.must(TEACHER, add(&hash, 1_000))[0].seq;
    lesson.backend(ClassCommand::DeckFail { deck: failed, reason: "not a PDF".into() }).expect("told");
    assert!(matches!(lesson.state.class.decks[&failed].status, DeckStatus::Failed { .. }));
}

#[test]
fn who_draws_is_decided_for_a_space_and_never_against_its_presenter() {
    let mut lesson = Lesson::begins();
    lesson.must(TEACHER, ClassCommand::PresenterAssign { person: ANN.into(), space: None });
    let access = |access, names: &[&str]| ClassCommand::BoardSetAccess { space: None, access, persons: persons(names) };
    assert_eq!(lesson.refused(BOB, access(BoardAccess::All, &[])), "forbidden");
    let draws = |lesson: &Lesson| [ANN, BOB, CEM].map(|person| lesson.may(person, Cap::BoardDraw));
    lesson.must(ANN, access(BoardAccess::All, &[]));
    assert_eq!(draws(&lesson), [true, true, true]);
    lesson.must(TEACHER, access(BoardAccess::Only, &[BOB]));
    assert_eq!(draws(&lesson), [true, true, false]);
    lesson.must(TEACHER, access(BoardAccess::Own, &[]));
    assert!(lesson.may(CEM, Cap::BoardDrawOwn));
    lesson.must(TEACHER, access(BoardAccess::Presenter, &[]));
    assert_eq!(draws(&lesson), [true, false, false]);
    assert_eq!(
        lesson.refused(CEM, ClassCommand::BoardClear { space: None, deck: Seq(1), page: 1, snapshot: String::new() }),
        "forbidden"
    );
    lesson.must(TA, ClassCommand::NotesLock { space: None, locked: true });
    assert!(!lesson.may(BOB, Cap::NotesEdit) && lesson.may(TA, Cap::NotesEdit));
    lesson.must(TA, ClassCommand::NotesLock { space: None, locked: false });
    assert!(lesson.may(BOB, Cap::NotesEdit));
}

#[test]
fn a_presenter_sets_the_stage_of_their_own_space_only() {
    let mut lesson = Lesson::begins();
    lesson.breaks_out(&[("b1", &[ANN]), ("b2", &[BOB])], LatePolicy::HoldMain);
    lesson.must(TEACHER, ClassCommand::PresenterAssign { person: ANN.into(), space: Some("b1".into()) });
    let stage = |space: &str, people: &[&str]| ClassCommand::StageSet {
        space: Some(space.into()),
        stage: Stage { layout: Layout::Speaker, spotlight: persons(people) },
    };
    lesson.must(ANN, stage("b1", &[ANN]));
    assert_eq!(lesson.refused(ANN, stage("b2", &[ANN])), "forbidden");
    lesson.must(TEACHER, stage("b2", &[BOB]));
    assert_eq!(lesson.refused(TEACHER, stage("b2", &["nobody"])), "not_found");
}

#[test]
fn nothing_is_recorded_and_consent_is_kept_all_the_same() {
    let mut lesson = Lesson::begins();
    assert_eq!(lesson.refused(ANN, ClassCommand::RecordStart {}), "forbidden");
    for command in [ClassCommand::RecordStart {}, ClassCommand::RecordPause {}, ClassCommand::RecordStop {}] {
        assert_eq!(lesson.refused(TEACHER, command), "unavailable");
    }
    lesson.must(ANN, ClassCommand::ConsentDecline {});
    assert_eq!(lesson.page(TEACHER)["participants"][ANN]["consent"], false);
    assert!(lesson.page(BOB)["participants"][ANN]["consent"].is_null());
    lesson.must(ANN, ClassCommand::ConsentGive {});
    assert_eq!(lesson.state.class.members[&ANN.into()].consent, Some(true));
}

#[test]
fn a_checkpoint_is_short_and_anonymous_to_peers() {
    let mut lesson = Lesson::begins();
    let ask = ClassCommand::CheckpointAsk { body: "All clear?".into() };
    assert_eq!(lesson.refused(ANN, ask.clone()), "forbidden");
    assert_eq!(lesson.refused(ANN, ClassCommand::CheckpointAnswer { mood: Mood::Lost }), "closed");
    lesson.must(TEACHER, ask.clone());
    assert_eq!(lesson.refused(TEACHER, ask), "conflict");
    lesson.must(ANN, ClassCommand::CheckpointAnswer { mood: Mood::Lost });
    lesson.must(ANN, ClassCommand::CheckpointAnswer { mood: Mood::Unsure });
    lesson.must(BOB, ClassCommand::CheckpointAnswer { mood: Mood::Unsure });
    let answers = |person| lesson.page(person)["checkpoint"][""]["answers"].as_object().expect("answers").len();
    assert_eq!([TEACHER, ANN, CEM].map(answers), [2, 1, 0]);
    let events = lesson.wait(20_000);
    let Fact::Class(ClassFact::CheckpointClosed { tally }) = &events[0].fact else { panic!("{events:?}") };
    assert_eq!(tally.iter().collect::<Vec<_>>(), [(&Mood::Unsure, &2)]);
    assert_eq!(lesson.refused(CEM, ClassCommand::CheckpointAnswer { mood: Mood::Fine }), "closed");
}

#[test]
fn a_report_reaches_staff_and_nobody_else() {
    let mut lesson = Lesson::begins();
    let message = Some(lesson.must(BOB, said("rude words"))[0].seq);
    let report =
        |person: &str| ClassCommand::ReportAbuse { person: person.into(), message, body: "he was rude".into() };
    assert_eq!(lesson.refused(ANN, report("nobody")), "not_found");
    let events = lesson.must(ANN, report(BOB));
    let sees = |person: &str| lesson.state.event_for(&events[0], &lesson.state.viewer(&person.into())).is_some();
    assert_eq!([TEACHER, TA, ANN, BOB, CEM].map(sees), [true, true, true, false, false]);
    assert!(lesson.page(BOB)["reports"].is_null());
}
