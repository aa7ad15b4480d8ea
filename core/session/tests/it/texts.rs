//! Personal texts of a class: each can be taken out of its event, for whose key it is stored under; what is left says nothing.

use crate::class;
use crate::lesson::*;
use lyceum_session::class::*;
use lyceum_session::*;
use std::collections::BTreeSet;

const MARK: &str = "personal";

fn mine(text: &str) -> Text {
    format!("{MARK} {text}").as_str().into()
}

/// A lesson in which everybody writes wherever one can write.
fn written() -> Lesson {
    let mut lesson = Lesson::begins();
    let patch = PolicyPatch { lobby: Some(LobbyMode::Ask), chat: Some(ChatMode::Moderated), ..PolicyPatch::default() };
    lesson.must(TEACHER, ClassCommand::PolicySet { patch });
    let mut profile = class::profile("dee");
    (profile.name, profile.metadata) = (mine("dee"), mine("metadata"));
    profile.attributes.insert("mood".into(), mine("mood"));
    lesson.backend(ClassCommand::Join { person: "dee".into(), profile }).expect("waits");
    lesson.must(TEACHER, ClassCommand::LobbyMessage { body: mine("soon") });
    let held = lesson.must(ANN, ClassCommand::ChatSend { to: None, body: mine("held"), reply_to: None })[0].seq;
    lesson.must(ANN, ClassCommand::ChatEdit { message: held, body: mine("held, edited") });
    lesson.must(TEACHER, ClassCommand::ChatSend { to: None, body: mine("posted"), reply_to: None });
    let question = lesson.must(BOB, ClassCommand::QaAsk { body: mine("why") })[0].seq;
    lesson.must(TEACHER, ClassCommand::QaAnswer { question, body: mine("because") });
    lesson.must(ANN, ClassCommand::ReportAbuse { person: BOB.into(), message: None, body: mine("report") });
    lesson.must(TEACHER, ClassCommand::CheckpointAsk { body: mine("all clear") });
    lesson.must(TEACHER, ClassCommand::TimerStart { title: mine("timer"), duration_ms: 1_000_000 });
    let (hash, mime_type) = ("ab".repeat(32), "image/png".into());
    lesson.must(TEACHER, ClassCommand::DeckAdd { name: mine("deck"), hash, mime_type, bytes: 1 });
    lesson.breaks_out(&[("b1", &[])], LatePolicy::HoldMain);
    lesson.must(TEACHER, ClassCommand::BreakoutsBroadcast { body: mine("broadcast") });

    let words = |kind| Item {
        kind,
        text: mine("question"),
        options: vec![],
        key: Some(Answer::Text { text: mine("key") }),
        points: 1,
    };
    let mut quiz = spec(vec![words(ItemKind::ShortText), words(ItemKind::LongText)]);
    (quiz.mode, quiz.title) = (PollMode::Quiz, mine("quiz"));
    quiz.items.push(Item { options: vec![mine("this"), mine("that")], ..single(0) });
    let made = lesson.must(TEACHER, ClassCommand::ActivityCreate { spec: quiz.clone() });
    let poll = made[0].seq;
    lesson.must(TEACHER, ClassCommand::ActivityEdit { poll, spec: quiz });
    lesson.must(TEACHER, ClassCommand::PollOpen { poll, target: Target::Session, duration_ms: None });
    let text = |text| Some(Answer::Text { text: mine(text) });
    lesson.must(ANN, ClassCommand::PollRespond { poll, answers: vec![text("answer"), None, None] });
    let complete = vec![text("draft"), text("of bob"), Some(Answer::Options { options: vec![0] })];
    lesson.must(BOB, ClassCommand::PollSaveDraft { poll, answers: complete });
    lesson.must(CEM, ClassCommand::PollSaveDraft { poll, answers: vec![text("half a draft"), None, None] });
    lesson.must(TEACHER, ClassCommand::PollClose { poll, grace_ms: Some(0) });
    lesson.now = lesson.now.plus(1);
    lesson.does(ANN, ClassCommand::PollRespond { poll, answers: vec![text("late"), None, None] });
    lesson
}

#[test]
fn every_personal_text_of_a_class_can_be_taken_out_of_its_event() {
    let mut lesson = written();
    let mut carried = BTreeSet::new();
    for event in &mut lesson.log {
        let json = serde_json::to_value(&*event).expect("JSON");
        let marks = json.to_string().matches(MARK).count();
        if marks > 0 {
            carried.insert(json["type"].as_str().expect("a name").to_owned());
        }
        let mut visited = 0;
        event.personal_mut(|_, text| {
            visited += usize::from(text.0.contains(MARK));
            text.0.clear();
        });
        assert_eq!(visited, marks, "{json}");
        assert!(!serde_json::to_string(&*event).expect("JSON").contains(MARK));
        assert!(!format!("{event:?}").contains(MARK));
    }
    let expected = [
        "abuse.reported",
        "activity.created",
        "activity.edited",
        "breakouts.broadcasted",
        "chat.edited",
        "chat.held",
        "chat.posted",
        "checkpoint.asked",
        "deck.added",
        "lobby.message_posted",
        "participant.waiting",
        "poll.closed",
        "poll.responded",
        "poll.response_late",
        "qa.answered",
        "qa.asked",
        "timer.started",
    ];
    assert_eq!(carried.iter().collect::<Vec<_>>(), expected);
}

#[test]
fn texts_belong_to_who_wrote_them() {
    let mut lesson = written();
    for event in &mut lesson.log {
        let author = event.actor.clone();
        let by_fact = match &event.fact {
            Fact::Class(ClassFact::PollClosed { .. }) => Some(vec![BOB.into(), CEM.into(), CEM.into()]),
            Fact::Class(ClassFact::ParticipantWaiting { .. }) => Some(vec!["dee".into()]),
            _ => None,
        };
        event.personal_mut(|person, text| {
            let expected = by_fact.clone().unwrap_or(author.iter().cloned().collect());
            assert!(!text.0.contains(MARK) || expected.contains(person), "{person}: not in {expected:?}");
        });
    }
    for write in &mut lesson.side {
        let json = serde_json::to_value(&*write).expect("JSON");
        let mut visited = 0;
        write.personal_mut(|person, text| {
            assert_eq!(json["payload"]["person"], person.0);
            text.0.clear();
            visited += 1;
        });
        assert_eq!(visited, json.to_string().matches(MARK).count());
        assert!(!serde_json::to_string(&*write).expect("JSON").contains(MARK));
    }
    assert_eq!(lesson.side.len(), 2);
}
