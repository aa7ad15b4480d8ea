//! What no statement may give away.

use crate::lesson::*;
use crate::told::{Told, settings, with_texts};
use ClassCommand as C;
use lyceum_profile::Settings;
use lyceum_session::class::*;
use lyceum_session::*;

/// A class in which everything that people write and are called is marked.
fn marked() -> Vec<Event> {
    let mut lesson = Lesson::begins();
    for person in [TEACHER, ANN] {
        let mut profile = lesson.state.participants[&person.into()].profile.clone();
        profile.name = "MARKED name".into();
        profile.metadata = "MARKED metadata".into();
        profile.attributes.insert("seat".to_owned(), "MARKED attribute".into());
        lesson.server(Command::Update { person: person.into(), profile }).unwrap();
    }
    let words = Item {
        kind: ItemKind::ShortText,
        text: "MARKED question".into(),
        options: Vec::new(),
        key: Some(Answer::Text { text: "MARKED key".into() }),
        points: 1,
    };
    let mut choice = single(2);
    choice.options = vec!["MARKED one".into(), "MARKED two".into()];
    let poll =
        lesson.polls(PollSpec { title: "MARKED title".into(), mode: PollMode::Quiz, ..spec(vec![words, choice]) });
    let answers = vec![Some(Answer::Text { text: "MARKED answer".into() }), Some(Answer::Options { options: vec![0] })];
    lesson.must(ANN, C::PollRespond { poll, answers });
    lesson.must(TEACHER, C::PollClose { poll, grace_ms: Some(0) });
    let message = lesson.must(ANN, said("MARKED message"))[0].seq;
    lesson.must(ANN, C::ChatEdit { message, body: "MARKED again".into() });
    let question = lesson.must(ANN, C::QaAsk { body: "MARKED why".into() })[0].seq;
    lesson.must(TEACHER, C::QaAnswer { question, body: "MARKED because".into() });
    lesson.must(TEACHER, C::CheckpointAsk { body: "MARKED checkpoint".into() });
    lesson.must(TEACHER, C::TimerStart { title: "MARKED timer".into(), duration_ms: 5_000 });
    let (hash, mime_type) = ("ab".repeat(32), "image/png".into());
    lesson.must(TEACHER, C::DeckAdd { name: "MARKED deck".into(), hash, mime_type, bytes: 1 });
    lesson.must(ANN, C::ReportAbuse { person: BOB.into(), message: None, body: "MARKED report".into() });
    lesson.publishes(ANN, "TR_1", Source::Camera).unwrap();
    lesson.server(Command::End { reason: EndReason::Ended }).unwrap();
    lesson.log
}

#[test]
fn nothing_that_people_wrote_or_are_called_is_told() {
    let log = marked();
    let text = Told::of(&log).text();
    assert!(!text.contains("MARKED"), "{text}");
    for person in [TEACHER, TA, ANN, BOB, CEM] {
        assert!(!text.contains(&format!("\"{person}\"")), "{person} is named");
    }
    let with = Told::with(&log, with_texts()).text();
    for wanted in ["MARKED question", "MARKED title", "MARKED one", "MARKED answer", "MARKED message", "MARKED why"] {
        assert!(with.contains(wanted), "where the tenant wants it, {wanted} is told");
    }
    for never in ["MARKED name", "MARKED metadata", "MARKED attribute", "MARKED report", "MARKED deck", "MARKED timer"]
    {
        assert!(!with.contains(never), "{never}");
    }
}

#[test]
fn of_somebody_who_was_erased_no_text_is_told() {
    let mut log = marked();
    let before = Told::of(&log);
    for event in &mut log {
        event.personal_mut(|_, text| *text = "[erased]".into());
    }
    let after = Told::with(&log, with_texts());
    assert!(!after.text().contains("erased"), "{}", after.text());
    assert!(!after.text().contains("MARKED"));
    let ids = |told: &Told| told.0.iter().map(|one| one.get_str("id").unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(ids(&before), ids(&after), "they are the same statements");
}

#[test]
fn an_anonymous_poll_tells_that_somebody_answered_and_never_what() {
    let mut lesson = Lesson::begins();
    for person in ["dee", "eve", "fay"] {
        lesson.arrives_as(person, Role::Learner);
    }
    let poll = lesson.polls(PollSpec { anonymity: Anonymity::Anonymous, ..spec(vec![single(3)]) });
    for (person, option) in [(ANN, 0), (BOB, 1), (CEM, 1), ("dee", 2), ("eve", 1)] {
        lesson.must(person, responds(poll, option));
        lesson.wait(1_000);
    }
    lesson.must(TEACHER, C::PollClose { poll, grace_ms: Some(0) });
    let told = Told::with(&lesson.log, with_texts());
    let answered = told.all("answered");
    assert_eq!(answered.len(), 5);
    for one in answered {
        assert_eq!(one.get("result"), None, "{}", one.to_text());
    }
    let closed = told.one("poll-closed").to_text();
    assert!(closed.contains(r#""counts":[1,3,1]"#), "{closed}");
}

#[test]
fn of_fewer_than_five_no_count_is_told() {
    let mut lesson = Lesson::begins();
    let poll = lesson.polls(PollSpec { anonymity: Anonymity::Anonymous, ..spec(vec![single(3)]) });
    lesson.must(ANN, responds(poll, 0));
    lesson.must(TEACHER, C::PollClose { poll, grace_ms: Some(0) });
    let told = Told::of(&lesson.log);
    assert!(!told.one("poll-closed").to_text().contains("tally"));
}

#[test]
fn accounts_of_one_person_differ_between_tenants_and_not_between_sessions() {
    let mut lesson = Lesson::begins();
    lesson.server(Command::End { reason: EndReason::Ended }).unwrap();
    let account = |tenant_key: [u8; 32], session: &str| {
        let mut log = lesson.log.clone();
        if let Fact::SessionStarted { session: name, .. } = &mut log[0].fact {
            *name = session.into();
        }
        let told = Told::with(&log, Settings { tenant_key, ..settings() });
        let joined = told.all("joined");
        joined.iter().map(|one| crate::told::text(one, &["actor", "account", "name"]).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(account([1; 32], "RM_1"), account([1; 32], "RM_2"));
    assert!(account([1; 32], "RM_1").iter().all(|one| !account([2; 32], "RM_1").contains(one)));
}
