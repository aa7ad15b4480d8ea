//! What is told of what happens in a class.

use crate::class::{self, Class, GRACE_MS, patient};
use crate::lesson::*;
use crate::told::{Told, at, context, duration_ms, number, result, settings, text, with_texts};
use ClassCommand as C;
use lyceum_profile::{SERVER_ACCOUNT, iri::extensions as ext};
use lyceum_session::class::*;
use lyceum_session::*;
use lyceum_xapi::Json;

fn kinds(log: &[Event]) -> Vec<String> {
    Told::of(log).kinds()
}

fn account(statement: &Json) -> &str {
    text(statement, &["actor", "account", "name"])
}

#[test]
fn somebody_comes_and_goes() {
    let mut class = Class::starts();
    class.arrives("ann", "PA_1");
    class.wait(90_000);
    class.leaves("PA_1");
    let told = Told::of(&class.log);
    assert_eq!(told.kinds(), ["session-initialized", "joined", "left"]);
    let left = told.one("left");
    assert_eq!(duration_ms(left), 90_000);
    assert_eq!(context(left, ext::LEAVE_REASON), Some("left".into()));
    assert_eq!(text(left, &["timestamp"]), "2023-11-14T22:14:50.000000Z");
    assert_eq!(account(told.one("joined")), account(left));
    assert_eq!(account(&told.0[0]), SERVER_ACCOUNT);
}

#[test]
fn a_lost_network_suspends_and_a_return_resumes() {
    let mut class = Class::starts_with(patient());
    class.arrives("ann", "PA_1");
    class.wait(10_000);
    let last_seen = class.now;
    class.now = class.now.plus(4_000);
    class.loses_network("PA_1", last_seen);
    class.wait(6_000);
    class.resumes("ann", "PA_1");
    class.wait(20_000);
    class.leaves("PA_1");
    let told = Told::of(&class.log);
    assert_eq!(told.kinds(), ["session-initialized", "joined", "suspended", "resumed", "left"]);
    let suspended = told.one("suspended");
    assert_eq!(duration_ms(suspended), 10_000, "until the last sign of life");
    assert_eq!(context(suspended, ext::DROP_REASON), Some("connection_lost".into()));
    let clock = context(suspended, ext::CLOCK).unwrap();
    assert_eq!(number(&clock, &["uncertainty_ms"]), 4_000.0, "it was noticed late");
    assert_eq!(number(&clock, &["server_monotonic_ms"]), 14_000.0);
    assert_eq!(context(told.one("resumed"), ext::GAP), Some("PT10S".into()));
    assert_eq!(duration_ms(told.one("left")), 30_000, "without the gap");
}

#[test]
fn who_does_not_return_has_left_when_the_grace_has_passed_and_may_join_again() {
    let mut class = Class::starts();
    class.arrives("ann", "PA_1");
    class.wait(10_000);
    class.loses_network("PA_1", class.now);
    class.wait(GRACE_MS);
    class.arrives("ann", "PA_2");
    let told = Told::of(&class.log);
    assert_eq!(told.kinds(), ["session-initialized", "joined", "suspended", "left", "joined"]);
    let left = told.one("left");
    assert_eq!(context(left, ext::LEAVE_REASON), Some("dropped".into()));
    assert_eq!(duration_ms(left), 10_000);
}

#[test]
fn a_second_device_is_nobodys_arrival() {
    let mut class = Class::starts();
    class.arrives("ann", "PA_1");
    class.arrives("ann", "PA_2");
    class.wait(1_000);
    class.leaves("PA_2");
    assert_eq!(kinds(&class.log), ["session-initialized", "joined", "left"]);
}

#[test]
fn everybody_leaves_at_the_end_whoever_ended_it() {
    let mut lesson = Lesson::begins();
    lesson.wait(60_000);
    lesson.loses_network(BOB);
    lesson.wait(10_000);
    lesson.must(TEACHER, C::SessionEnd { confirm: "RM_1".into() });
    lesson.wait(60_000);
    assert!(lesson.state.ended);
    let told = Told::with(&lesson.log, with_texts());
    assert_eq!(told.all("left").len(), 5, "the teacher too");
    let terminated = told.0.last().unwrap();
    assert_eq!(result(terminated, ext::EVENT_COUNT), result(terminated, ext::LAST_SEQUENCE));
    let last = lesson.log.last().unwrap();
    assert_eq!(result(terminated, ext::EVENT_COUNT).unwrap().to_text(), last.seq.to_string());
    assert_eq!(duration_ms(terminated), last.mono_ms);

    // Learners alone are said to have attended.
    let attended = told.all("attended");
    assert_eq!(attended.len(), 3);
    let bob = attended.iter().find(|one| duration_ms(one) == 60_000).expect("he was cut off after a minute");
    assert_eq!(result(bob, ext::PRESENCE_SEGMENTS).unwrap().to_text(), r#"[{"from_ms":0,"to_ms":60000}]"#);
    assert_eq!(result(bob, ext::PRESENCE_SHARE).unwrap().to_text(), "0.6");
    assert_eq!(at(bob, &["result", "success"]), Some(&Json::Bool(true)), "half of it was asked for");
}

#[test]
fn hidden_people_and_programs_are_not_told_of() {
    let mut class = Class::starts();
    class.must(class::attach("inspector", class::hidden("inspector"), "PA_1"));
    let mut recorder = class::profile("recorder");
    recorder.kind = Kind::Egress;
    class.must(class::attach("recorder", recorder, "PA_2"));
    class.publishes("inspector", "PA_1", "TR_1", Source::Microphone);
    class.leaves("PA_1");
    assert_eq!(kinds(&class.log), ["session-initialized"]);
}

#[test]
fn a_server_that_stopped_suspends_everybody() {
    let mut class = Class::starts();
    class.arrives("ann", "PA_1");
    class.publishes("ann", "PA_1", "TR_1", Source::Camera);
    class.now = class.now.plus(50_000);
    class.must(Command::Recover { last_seen: UnixMs(class.now.0 - 20_000) });
    let told = Told::of(&class.log);
    assert_eq!(told.kinds(), ["session-initialized", "joined", "camera-started", "camera-stopped", "suspended"]);
    assert_eq!(context(told.one("suspended"), ext::DROP_REASON), Some("server_stopped".into()));
    assert_eq!(duration_ms(told.one("camera-stopped")), 30_000);
}

#[test]
fn media_is_on_from_when_it_is_heard() {
    let mut lesson = Lesson::begins();
    lesson.publishes(ANN, "TR_mic", Source::Microphone).unwrap();
    lesson.publishes(TEACHER, "TR_screen", Source::ScreenShare).unwrap();
    lesson.publishes(TEACHER, "TR_sound", Source::ScreenShareAudio).unwrap();
    lesson.wait(2_000);
    lesson.must(TEACHER, C::ParticipantMute { persons: persons(&[ANN]), all_except: None });
    lesson.wait(2_000);
    lesson.server(Command::SetMuted { track: "TR_mic".into(), muted: false }).unwrap();
    lesson.server(Command::Unpublish { track: "TR_screen".into(), reason: UnpublishReason::Stopped }).unwrap();
    let told = Told::of(&lesson.log);
    let kinds = told.kinds();
    assert_eq!(
        kinds[6..],
        [
            "microphone-started",
            "screen-shared",
            "muted-by-staff",
            "microphone-stopped",
            "microphone-started",
            "screen-unshared"
        ]
    );
    let stopped = told.one("microphone-stopped");
    assert_eq!(duration_ms(stopped), 2_000);
    let by = context(stopped, ext::MUTED_BY).unwrap();
    assert_eq!(text(&by, &["account", "name"]), account(told.one("muted-by-staff")));
    assert_eq!(duration_ms(told.one("screen-unshared")), 4_000);
}

#[test]
fn hands_wait_in_line() {
    let mut lesson = Lesson::begins();
    lesson.must(ANN, C::HandRaise { intent: HandIntent::Question });
    lesson.wait(1_000);
    lesson.must(BOB, C::HandRaise { intent: HandIntent::Help });
    lesson.wait(1_500);
    lesson.must(TEACHER, C::HandCall { person: ANN.into() });
    lesson.must(BOB, C::HandLower {});
    lesson.must(CEM, C::HandRaise { intent: HandIntent::Tech });
    lesson.must(TEACHER, C::HandDismiss { persons: persons(&[CEM]), all: false });
    let told = Told::of(&lesson.log);
    let raised = told.all("hand-raised");
    let places: Vec<_> = raised.iter().map(|one| context(one, ext::QUEUE_POSITION).unwrap().to_text()).collect();
    assert_eq!(places, ["1", "2", "1"]);
    let called = told.one("called-on");
    assert_eq!(text(called, &["context", "statement", "id"]), text(raised[0], &["id"]));
    assert_eq!(context(called, ext::WAIT), Some("PT2.50S".into()));
    assert_eq!(text(called, &["object", "account", "name"]), account(raised[0]));
    let lowered: Vec<_> =
        told.all("hand-lowered").iter().map(|one| context(one, ext::LOWERED_BY).unwrap().to_text()).collect();
    assert_eq!(lowered[..2], [r#""called""#, r#""self""#]);
    assert!(lowered[2].contains(account(called)), "the teacher took it down: {}", lowered[2]);
}

fn quiz() -> PollSpec {
    let key = |options: &[u16]| Some(Answer::Options { options: options.to_vec() });
    let multi = Item { kind: ItemKind::Multi, key: key(&[0, 2]), points: 4, ..single(3) };
    let number = Item {
        kind: ItemKind::Numeric { decimals: 2 },
        options: Vec::new(),
        key: Some(Answer::Number { number: 314 }),
        points: 1,
        ..single(0)
    };
    let right = Item { kind: ItemKind::TrueFalse, options: Vec::new(), key: key(&[1]), ..single(0) };
    PollSpec { mode: PollMode::Quiz, ..spec(vec![multi, number, right]) }
}

fn options(options: &[u16]) -> Option<Answer> {
    Some(Answer::Options { options: options.to_vec() })
}

#[test]
fn a_quiz_has_scores_and_times() {
    let mut lesson = Lesson::begins();
    let poll = lesson.polls(quiz());
    lesson.wait(30_000);
    let answers = vec![options(&[2, 0]), Some(Answer::Number { number: -5 }), options(&[1])];
    lesson.must(ANN, C::PollRespond { poll, answers });
    lesson.must(BOB, C::PollRespond { poll, answers: vec![None, Some(Answer::Number { number: 314 }), None] });
    lesson.wait(30_000);
    lesson.must(TEACHER, C::PollClose { poll, grace_ms: Some(0) });
    lesson.must(TEACHER, C::PollPublish { poll, detail: PublishDetail::Names, reveal: true });
    let told = Told::of(&lesson.log);
    assert_eq!(told.one("quiz-opened").get("result"), None);
    let answered = told.all("quiz-question-answered");
    let results: Vec<_> = answered.iter().map(|one| at(one, &["result"]).unwrap().to_text()).collect();
    assert_eq!(
        results,
        [
            r#"{"response":"0[,]2","success":true,"score":{"scaled":1,"raw":4,"min":0,"max":4},"duration":"PT30S"}"#,
            r#"{"response":"-0.05","success":false,"score":{"scaled":0,"raw":0,"min":0,"max":1},"duration":"PT30S"}"#,
            r#"{"response":"false","success":true,"duration":"PT30S"}"#,
            r#"{"response":"3.14","success":true,"score":{"scaled":1,"raw":1,"min":0,"max":1},"duration":"PT30S"}"#,
        ]
    );
    assert_eq!(
        at(answered[0], &["object", "definition"]).unwrap().to_text(),
        r#"{"type":"http://adlnet.gov/expapi/activities/cmi.interaction","interactionType":"choice","choices":[{"id":"0"},{"id":"1"},{"id":"2"}],"correctResponsesPattern":["0[,]2"]}"#
    );
    let quiz = text(told.one("quiz-opened"), &["object", "id"]);
    assert_eq!(text(answered[0], &["context", "contextActivities", "parent", "0", "id"]), quiz);
    let completed = told.all("quiz-completed");
    let scores: Vec<_> = completed.iter().map(|one| at(one, &["result", "score"]).unwrap().to_text()).collect();
    assert_eq!(scores, [r#"{"scaled":0.8,"raw":4,"min":0,"max":5}"#, r#"{"scaled":0.2,"raw":1,"min":0,"max":5}"#]);
    assert_eq!(
        result(told.one("quiz-closed"), ext::TALLY).unwrap().to_text(),
        r#"{"people":2,"items":[[1,0,1],[2],[0,1]]}"#
    );
    assert_eq!(told.all("quiz-results-shared").len(), 1);
}

#[test]
fn an_answer_that_somebody_must_read_has_a_score_once_it_is_read() {
    let mut lesson = Lesson::begins();
    let essay = Item {
        kind: ItemKind::LongText,
        options: Vec::new(),
        key: Some(Answer::Text { text: "because".into() }),
        points: 3,
        ..single(0)
    };
    let poll = lesson.polls(PollSpec { mode: PollMode::Quiz, ..spec(vec![essay]) });
    let answers = vec![Some(Answer::Text { text: "for a reason".into() })];
    lesson.must(ANN, C::PollRespond { poll, answers });
    lesson.must(TEACHER, C::PollClose { poll, grace_ms: Some(0) });
    lesson.must(TEACHER, C::QuizGrade { poll, person: ANN.into(), item: 0, points: 2 });
    let told = Told::of(&lesson.log);
    assert_eq!(at(told.one("quiz-question-answered"), &["result"]).unwrap().to_text(), r#"{"duration":"PT0S"}"#);
    assert_eq!(at(told.one("quiz-completed"), &["result", "score"]), None);
    let scored = told.one("answer-scored");
    assert_eq!(at(scored, &["result", "score", "scaled"]).unwrap().to_text(), "0.6666");
    assert_eq!(account(scored), account(told.one("quiz-question-answered")));
    let by = context(scored, ext::GRADED_BY).unwrap();
    assert_eq!(text(&by, &["account", "name"]), account(told.one("quiz-closed")));
    let with = Told::with(&lesson.log, with_texts());
    assert_eq!(text(with.one("quiz-question-answered"), &["result", "response"]), "for a reason");
}

#[test]
fn a_changed_answer_refers_to_the_one_before() {
    let mut lesson = Lesson::begins();
    let poll = lesson.polls(spec(vec![single(2)]));
    lesson.must(ANN, responds(poll, 0));
    lesson.must(ANN, responds(poll, 1));
    lesson.must(ANN, responds(poll, 0));
    let told = Told::of(&lesson.log);
    let answered = told.all("answered");
    assert_eq!(answered.len(), 3);
    assert_eq!(context(answered[0], ext::REVISION), None);
    assert_eq!(context(answered[2], ext::REVISION).unwrap().to_text(), "3");
    for two in answered.windows(2) {
        assert_eq!(text(two[1], &["context", "statement", "id"]), text(two[0], &["id"]));
    }
}

#[test]
fn late_answers_say_that_they_are_late() {
    let mut lesson = Lesson::begins();
    let poll = lesson.polls(spec(vec![single(2)]));
    lesson.must(BOB, C::PollSaveDraft { poll, answers: chooses(1) });
    lesson.must(TEACHER, C::PollClose { poll, grace_ms: Some(5_000) });
    lesson.wait(2_000);
    lesson.must(ANN, responds(poll, 0));
    lesson.wait(5_000);
    lesson.does(CEM, responds(poll, 1));
    lesson.must(TEACHER, C::PollAdmitLate { poll, persons: persons(&[CEM]) });
    let told = Told::of(&lesson.log);
    let how: Vec<_> = told
        .all("answered")
        .iter()
        .map(|one| (context(one, ext::LATE).map(|late| late.to_text()), context(one, ext::FROM_DRAFT).is_some()))
        .collect();
    assert_eq!(
        how,
        [(Some(r#""counted""#.to_owned()), false), (None, true), (Some(r#""not-counted""#.to_owned()), false)]
    );
    let counted: Vec<_> =
        told.all("poll-closed").iter().map(|one| result(one, ext::COUNTED).unwrap().to_text()).collect();
    assert_eq!(counted, ["2", "3"]);
}

#[test]
fn messages_say_who_can_read_them() {
    let mut lesson = Lesson::begins();
    let first = lesson.must(ANN, said("hello"))[0].seq;
    lesson.must(ANN, C::ChatEdit { message: first, body: "hello!".into() });
    let patch = PolicyPatch { direct_messages: Some(DirectMessages::All), ..PolicyPatch::default() };
    lesson.must(TEACHER, C::PolicySet { patch });
    let to = Some(To::Person { person: ANN.into() });
    lesson.must(BOB, C::ChatSend { to, body: "psst".into(), reply_to: None });
    lesson.must(TEACHER, C::ChatDelete { message: first });
    let told = Told::of(&lesson.log);
    let posted = told.all("message-posted");
    assert_eq!(context(posted[0], ext::VISIBILITY), Some("public".into()));
    assert_eq!(context(posted[0], ext::LENGTH).unwrap().to_text(), "5");
    assert_eq!(context(posted[1], ext::VISIBILITY), Some("private".into()));
    let recipient = text(posted[1], &["context", "contextAgents", "0", "agent", "account", "name"]);
    assert_eq!(recipient, account(posted[0]), "to Ann");
    for about in ["message-edited", "message-deleted"] {
        assert_eq!(text(told.one(about), &["context", "statement", "id"]), text(posted[0], &["id"]));
    }
    let with = Told::with(&lesson.log, with_texts());
    assert_eq!(text(with.one("message-edited"), &["result", "response"]), "hello!");
}

#[test]
fn a_message_that_was_held_is_posted_when_it_is_let_through() {
    let mut lesson = Lesson::begins();
    let patch = PolicyPatch { chat: Some(ChatMode::Moderated), ..PolicyPatch::default() };
    lesson.must(TEACHER, C::PolicySet { patch });
    let held = lesson.must(ANN, said("may I?"))[0].seq;
    lesson.must(BOB, said("no"));
    lesson.must(TEACHER, C::ChatApprove { message: held });
    lesson.must(ANN, C::ChatDelete { message: held });
    let told = Told::of(&lesson.log);
    let posted = told.one("message-posted");
    assert_eq!(account(posted), account(told.one("message-deleted")));
    assert_eq!(text(told.one("message-deleted"), &["context", "statement", "id"]), text(posted, &["id"]));
}

#[test]
fn groups_are_rooms_of_their_own() {
    let mut lesson = Lesson::begins();
    lesson.breaks_out(&[("b1", &[ANN, BOB]), ("b2", &[CEM])], LatePolicy::HoldMain);
    lesson.wait(5_000);
    lesson.must(ANN, C::BreakoutsAskHelp {});
    lesson.must(TEACHER, C::BreakoutsVisit { space: Some("b1".into()) });
    lesson.must(TEACHER, C::BreakoutsMove { persons: persons(&[BOB]), to: "b2".into() });
    lesson.wait(5_000);
    lesson.must(TEACHER, C::BreakoutsClose { warn_s: 0 });
    let told = Told::of(&lesson.log);
    let kinds = told.kinds();
    assert_eq!(kinds[6..8], ["breakout-created", "breakout-created"]);
    assert_eq!(told.all("breakout-assigned").len(), 4);
    assert_eq!(told.all("breakout-joined").len(), 5, "the teacher looks in");
    let mut stayed: Vec<_> = told.all("breakout-left").into_iter().map(duration_ms).collect();
    stayed.sort_unstable();
    assert_eq!(stayed, [5_000, 5_000, 5_000, 10_000, 10_000]);
    assert_eq!(told.all("breakout-closed").into_iter().map(duration_ms).collect::<Vec<_>>(), [10_000, 10_000]);
    let help = told.one("breakout-help-requested");
    assert_eq!(text(help, &["object", "definition", "name", "und"]), "b1");
    let joined = told.all("breakout-joined");
    assert_eq!(
        text(help, &["context", "team", "account", "name"]),
        text(joined[0], &["context", "team", "account", "name"])
    );
}

#[test]
fn the_lobby_roles_presenters_removal_and_consent() {
    let mut lesson = Lesson::begins();
    let patch = PolicyPatch { lobby: Some(LobbyMode::Ask), ..PolicyPatch::default() };
    lesson.must(TEACHER, C::PolicySet { patch });
    for person in ["dee", "eve"] {
        lesson.backend(C::Join { person: person.into(), profile: class::profile(person) }).unwrap();
    }
    lesson.must(TEACHER, C::LobbyAdmit { persons: persons(&["dee"]), all: false });
    lesson.must(TEACHER, C::LobbyDeny { person: "eve".into(), ban: true });
    lesson.must(TEACHER, C::ParticipantSetRole { person: BOB.into(), role: Role::TeachingAssistant });
    lesson.must(TEACHER, C::PresenterAssign { person: CEM.into(), space: None });
    lesson.must(TEACHER, C::PresenterAssign { person: BOB.into(), space: None });
    lesson.must(ANN, C::ConsentDecline {});
    lesson.must(TEACHER, C::ParticipantRemove { person: CEM.into(), ban: false });
    let told = Told::of(&lesson.log);
    assert_eq!(context(told.one("denied"), ext::BANNED), Some(Json::Bool(true)));
    let changed = told.one("role-changed");
    assert_eq!(context(changed, ext::ROLE_FROM), Some("learner".into()));
    assert_eq!(context(changed, ext::ROLE_TO), Some("teaching_assistant".into()));
    assert_eq!(told.all("presenter-granted").len(), 2);
    assert_eq!(told.all("presenter-revoked").len(), 1);
    assert_eq!(result(told.one("consent-answered"), ext::CONSENT), Some(Json::Bool(false)));
    assert_eq!(context(told.one("left"), ext::LEAVE_REASON), Some("removed".into()));
    assert_eq!(context(told.one("removed"), ext::MODERATION_ACTION), Some("remove".into()));
    // Who teaches stands in every statement.
    assert_eq!(
        text(told.one("admitted"), &["context", "instructor", "account", "name"]),
        account(told.one("admitted"))
    );
}

#[test]
fn checkpoints_and_questions_of_the_class() {
    let mut lesson = Lesson::begins();
    lesson.must(TEACHER, C::CheckpointAsk { body: "all well?".into() });
    lesson.must(ANN, C::CheckpointAnswer { mood: Mood::Lost });
    lesson.wait(30_000);
    let question = lesson.must(ANN, C::QaAsk { body: "why?".into() })[0].seq;
    lesson.must(BOB, C::QaUpvote { question, up: true });
    lesson.must(TEACHER, C::QaAnswer { question, body: "look here".into() });
    let told = Told::of(&lesson.log);
    assert_eq!(text(told.one("answered"), &["result", "response"]), "lost");
    assert_eq!(result(told.one("poll-closed"), ext::TALLY).unwrap().to_text(), r#"{"lost":1}"#);
    assert_eq!(
        text(told.one("question-answered"), &["context", "statement", "id"]),
        text(told.one("question-asked"), &["id"])
    );
    assert_eq!(told.all("question-voted-up").len(), 1);
}

#[test]
fn ids_follow_from_the_log_and_the_mapping_alone() {
    let mut class = Class::starts();
    class.arrives("ann", "PA_1");
    let told = Told::of(&class.log);
    let other = Told::with(&class.log, lyceum_profile::Settings { tenant_key: [8; 32], ..settings() });
    for (one, other) in told.0.iter().zip(&other.0) {
        assert_eq!(text(one, &["id"]), text(other, &["id"]), "the key is not in it");
    }
    assert_ne!(account(&told.0[1]), account(&other.0[1]), "an account needs the key");
    // Written down: what was stored with these ids must be found again by them.
    assert_eq!(text(&told.0[1], &["id"]), "096d87d6-1930-5a68-a201-b7a6ee50d53c");
    assert_eq!(account(&told.0[1]), "e5e54505e4296a61f7178b61c646f327");
    assert_eq!(told.text().lines().count(), 2);
}
