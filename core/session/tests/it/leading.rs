//! Who leads, who may come in, who presents, whose turn it is, and what happens when nobody of the staff is left.

use crate::class;
use crate::commands::lock;
use crate::lesson::*;
use lyceum_session::class::*;
use lyceum_session::*;

fn role(person: &str, role: Role) -> ClassCommand {
    ClassCommand::ParticipantSetRole { person: person.into(), role }
}

fn assign(person: &str) -> ClassCommand {
    ClassCommand::PresenterAssign { person: person.into(), space: None }
}

fn remove(person: &str, ban: bool) -> ClassCommand {
    ClassCommand::ParticipantRemove { person: person.into(), ban }
}

fn caps(person: &str, set: &[(Cap, Option<bool>)]) -> ClassCommand {
    ClassCommand::ParticipantOverrideCaps { person: person.into(), set: set.iter().copied().collect() }
}

fn policy(patch: PolicyPatch) -> ClassCommand {
    ClassCommand::PolicySet { patch }
}

fn raise() -> ClassCommand {
    ClassCommand::HandRaise { intent: HandIntent::Question }
}

#[test]
fn a_role_brings_what_it_permits_and_nobody_rises_above_who_appoints() {
    let mut lesson = Lesson::begins();
    assert!(!lesson.may(ANN, Cap::LobbyAdmit));
    lesson.must(TEACHER, role(ANN, Role::TeachingAssistant));
    assert!(lesson.may(ANN, Cap::LobbyAdmit));
    assert_eq!(lesson.refused(ANN, role(BOB, Role::Instructor)), "forbidden");
    lesson.must(TEACHER, caps(TA, &[(Cap::ParticipantSetRole, Some(true))]));
    assert_eq!(lesson.refused(TA, role(TA, Role::Instructor)), "forbidden");
    assert_eq!(lesson.refused(TA, role(TEACHER, Role::Learner)), "forbidden");
    lesson.must(TA, role(BOB, Role::TeachingAssistant));
    assert_eq!(lesson.state.participants[&BOB.into()].profile.role, Role::TeachingAssistant);
}

#[test]
fn a_role_that_was_changed_from_outside_was_not_seen() {
    let mut lesson = Lesson::begins();
    let rev = lesson.state.class.members[&ANN.into()].rev;
    let mut profile = lesson.state.participants[&ANN.into()].profile.clone();
    profile.name = "Ann".into();
    lesson.server(Command::Update { person: ANN.into(), profile: profile.clone() }).expect("renamed");
    assert_eq!(lesson.state.class.members[&ANN.into()].rev, rev, "a name is no role");
    profile.role = Role::TeachingAssistant;
    lesson.server(Command::Update { person: ANN.into(), profile }).expect("promoted");
    assert!(lesson.may(ANN, Cap::LobbyAdmit));
    let mut ctx = lesson.ctx(TEACHER);
    ctx.envelope.expect = Some(rev);
    let answer = lesson.sends(role(ANN, Role::Observer), &ctx);
    assert!(matches!(answer.outcome, Outcome::Rejected { reject: Reject::Stale { .. }, .. }));
}

#[test]
fn the_last_who_leads_stays_unless_the_server_says_otherwise() {
    let mut lesson = Lesson::begins();
    assert_eq!(lesson.refused(TEACHER, role(TEACHER, Role::Learner)), "conflict");
    lesson.arrives_as(CO, Role::CoInstructor);
    lesson.must(TEACHER, role(TEACHER, Role::Learner));
    assert!(!lesson.may(TEACHER, Cap::PolicySet));
    lesson.backend(role(CO, Role::Learner)).expect("the server may");
}

#[test]
fn overrides_give_take_and_return_to_the_role() {
    let mut lesson = Lesson::begins();
    lesson.must(TEACHER, policy(lock(Cap::ChatSend)));
    lesson.must(TEACHER, caps(ANN, &[(Cap::ChatSend, Some(true)), (Cap::HandRaise, Some(false))]));
    assert!(lesson.may(ANN, Cap::ChatSend), "an override has the last word");
    assert!(!lesson.may(BOB, Cap::ChatSend) && !lesson.may(ANN, Cap::HandRaise));
    lesson.must(TEACHER, caps(ANN, &[(Cap::ChatSend, None), (Cap::HandRaise, None)]));
    assert!(!lesson.may(ANN, Cap::ChatSend) && lesson.may(ANN, Cap::HandRaise));
    assert_eq!(
        lesson.refused(TA, caps(ANN, &[(Cap::SessionEnd, Some(true))])),
        "forbidden",
        "nobody gives what they lack"
    );
    assert_eq!(lesson.refused(TA, caps(TEACHER, &[(Cap::ChatSend, Some(false))])), "forbidden");
    assert_eq!(lesson.refused(ANN, caps(ANN, &[(Cap::ChatSend, Some(true))])), "forbidden");
}

#[test]
fn inv_14_what_is_revoked_stops_in_the_same_command() {
    let mut lesson = Lesson::begins();
    lesson.publishes(ANN, "TR_a", Source::ScreenShare).expect("permitted");
    lesson.publishes(TEACHER, "TR_t", Source::ScreenShare).expect("permitted");
    let events = lesson.must(TEACHER, policy(lock(Cap::MediaScreen)));
    assert!(
        matches!(&events[..], [_, Event { fact: Fact::TrackUnpublished { track, reason: UnpublishReason::PermissionRevoked, .. }, .. }]
        if track.0 == "TR_a")
    );
    assert!(matches!(lesson.publishes(ANN, "TR_b", Source::ScreenShare), Err(Reject::Forbidden(_))));
    lesson.must(TEACHER, assign(ANN));
    lesson.publishes(ANN, "TR_c", Source::ScreenShare).expect("the presenter may");
    let events = lesson.must(TEACHER, assign(BOB));
    assert!(events.iter().any(|event| matches!(event.fact, Fact::TrackUnpublished { .. })), "and may not any more");
}

#[test]
fn inv_16_who_was_removed_or_banned_stays_out_until_that_is_lifted() {
    for (ban, lifter) in [(false, TA), (true, TEACHER)] {
        let mut lesson = Lesson::begins();
        lesson.publishes(ANN, "TR_a", Source::Microphone).expect("permitted");
        assert_eq!(lesson.refused(BOB, remove(ANN, ban)), "forbidden");
        lesson.must(TEACHER, remove(ANN, ban));
        assert!(lesson.state.tracks.is_empty());
        lesson.restarts();
        for role in [Role::Learner, Role::Instructor] {
            assert!(matches!(lesson.comes(ANN, role), Err(Reject::NotAdmitted(_))), "whatever the token says");
        }
        let join = ClassCommand::Join { person: ANN.into(), profile: class::profile(ANN) };
        assert!(matches!(lesson.backend(join), Err(Reject::NotAdmitted(_))));
        let lift = || ClassCommand::BanLift { person: ANN.into() };
        if ban {
            assert_eq!(lesson.refused(TA, lift()), "forbidden");
        }
        lesson.must(lifter, lift());
        lesson.arrives_as(ANN, Role::Learner);
    }
    let mut lesson = Lesson::begins();
    assert_eq!(lesson.refused(TA, remove(ANN, true)), "forbidden");
    assert_eq!(lesson.refused(TA, remove(TEACHER, false)), "forbidden", "who leads is not removed by who assists");
    assert_eq!(lesson.refused(TEACHER, remove(TEACHER, false)), "invalid");
}

#[test]
fn inv_17_what_holds_for_everybody_holds_for_who_comes_later() {
    let mut lesson = Lesson::begins();
    lesson.must(TEACHER, policy(PolicyPatch { mute_on_join: Some(true), ..lock(Cap::MediaVideo) }));
    lesson.arrives_as("dee", Role::Learner);
    lesson.arrives_as(CO, Role::CoInstructor);
    assert_eq!(lesson.state.class.members[&"dee".into()].intent.mic, MicIntent::Muted);
    assert!(!lesson.may("dee", Cap::MediaVideo) && lesson.may(CO, Cap::MediaVideo));
    assert_eq!(lesson.state.class.members[&CO.into()].intent.mic, MicIntent::ListenOnly);
}

#[test]
fn inv_30_who_waits_is_seen_until_they_are_in_denied_gone_or_lost() {
    let mut lesson = Lesson::begins();
    lesson.must(TEACHER, policy(PolicyPatch { lobby: Some(LobbyMode::Ask), ..PolicyPatch::default() }));
    assert!(matches!(lesson.comes("dee", Role::Learner), Err(Reject::NotAdmitted(_))));
    let join = |lesson: &mut Lesson, person: &str| {
        let command = ClassCommand::Join { person: person.into(), profile: class::profile(person) };
        lesson.backend(command).expect("may wait")
    };
    for person in ["dee", "eve", "fay", "gus", "hal"] {
        join(&mut lesson, person);
    }
    assert!(join(&mut lesson, "dee").is_empty(), "one row for one person");
    let sees = |lesson: &Lesson, viewer: &str| lesson.page(viewer)["waiting"].as_object().map_or(0, |all| all.len());
    assert_eq!([TEACHER, TA, ANN, "dee"].map(|viewer| sees(&lesson, viewer)), [5, 5, 0, 1]);
    lesson.must(TA, ClassCommand::LobbyAdmit { persons: persons(&["dee"]), all: false });
    lesson.arrives_as("dee", Role::Learner);
    lesson.must(TEACHER, ClassCommand::LobbyDeny { person: "eve".into(), ban: true });
    assert!(matches!(lesson.comes("eve", Role::Learner), Err(Reject::NotAdmitted(_))));
    lesson.must("fay", ClassCommand::LobbyWithdraw {});
    lesson.backend(ClassCommand::LobbyLost { person: "gus".into() }).expect("lost");
    lesson.backend(ClassCommand::LobbyLost { person: "hal".into() }).expect("lost");
    lesson.wait(59_999);
    join(&mut lesson, "hal");
    assert_eq!(sees(&lesson, TEACHER), 2);
    lesson.wait(1);
    let left: Vec<&PersonId> = lesson.state.class.waiting.keys().collect();
    assert_eq!(left, [&PersonId::from("hal")]);
    assert_eq!(lesson.refused(ANN, ClassCommand::LobbyAdmit { persons: vec![], all: true }), "forbidden");
    lesson.must(TEACHER, ClassCommand::LobbyAdmit { persons: vec![], all: true });
    assert!(lesson.state.class.waiting.is_empty());
}

#[test]
fn a_locked_session_lets_nobody_new_in_but_staff_and_its_own() {
    let mut lesson = Lesson::begins();
    assert_eq!(lesson.refused(ANN, ClassCommand::SessionLock {}), "forbidden");
    lesson.must(TA, ClassCommand::SessionLock {});
    assert!(matches!(lesson.comes("dee", Role::Learner), Err(Reject::NotAdmitted(_))));
    lesson.arrives_as(CO, Role::CoInstructor);
    lesson.loses_network(ANN);
    lesson.wait(200_000);
    lesson.arrives_as(ANN, Role::Learner);
    lesson.must(TA, ClassCommand::SessionUnlock {});
    lesson.arrives_as("dee", Role::Learner);
}

#[test]
fn inv_31_a_removal_takes_a_person_out_of_every_space() {
    let mut lesson = Lesson::begins();
    lesson.breaks_out(&[("b1", &[ANN])], LatePolicy::HoldMain);
    lesson.must(TEACHER, ClassCommand::BreakoutsVisit { space: Some("b1".into()) });
    let in_b1 = ClassCommand::PresenterAssign { person: ANN.into(), space: Some("b1".into()) };
    lesson.must(TEACHER, in_b1);
    lesson.must(ANN, raise());
    lesson.must(TEACHER, remove(ANN, false));
    assert!(lesson.queue().is_empty());
    assert!(lesson.state.class.spaces[&"b1".into()].presenter.is_none());
    assert_eq!(lesson.state.grant(&ANN.into()).caps, Caps::NONE);
    assert!(lesson.page(TEACHER)["participants"][ANN].is_null());
    assert_eq!(lesson.refused(ANN, said("still here?")), "not_admitted");
}

#[test]
fn inv_13_a_space_has_one_presenter_or_none_and_they_are_there() {
    let mut lesson = Lesson::begins();
    assert_eq!(lesson.presenter(), None);
    lesson.must(TEACHER, assign(ANN));
    lesson.must(TEACHER, assign(BOB));
    assert_eq!(lesson.presenter(), Some(BOB));
    assert!(!lesson.may(ANN, Cap::DeckControl) && lesson.may(BOB, Cap::DeckControl));
    assert_eq!(lesson.refused(ANN, ClassCommand::PresenterRelease { space: None }), "forbidden");
    lesson.breaks_out(&[("b1", &[BOB])], LatePolicy::HoldMain);
    assert_eq!(lesson.presenter(), None, "who is placed elsewhere presents elsewhere");
    assert_eq!(lesson.refused(TEACHER, assign(BOB)), "conflict");
    let there = ClassCommand::PresenterTake { space: Some("b1".into()) };
    assert_eq!(lesson.refused(TA, there), "conflict");
    lesson.must(TA, ClassCommand::PresenterTake { space: None });
    lesson.must(TA, ClassCommand::PresenterRelease { space: None });
    assert_eq!(lesson.presenter(), None);
    lesson.must(TEACHER, assign(CEM));
    let connection = lesson.state.participants[&CEM.into()].connections.keys().next().expect("here").clone();
    lesson.server(Command::Leave { connection }).expect("leaves");
    assert_eq!(lesson.presenter(), None);
}

#[test]
fn a_lost_presenter_has_a_moment_then_somebody_else_leads_and_a_return_gives_it_back() {
    let mut lesson = Lesson::begins();
    lesson.must(TEACHER, assign(ANN));
    lesson.loses_network(ANN);
    lesson.wait(19_999);
    assert_eq!(lesson.presenter(), Some(ANN));
    let events = lesson.wait(1);
    assert!(matches!(&events[0].fact, Fact::Class(ClassFact::PresenterChanged { reason: PresenterReason::Lost, .. })));
    assert_eq!(lesson.presenter(), Some(TEACHER));
    lesson.arrives_as(ANN, Role::Learner);
    assert_eq!(lesson.presenter(), Some(ANN));

    lesson.loses_network(ANN);
    lesson.wait(20_000);
    lesson.must(TEACHER, assign(BOB));
    lesson.arrives_as(ANN, Role::Learner);
    assert_eq!(lesson.presenter(), Some(BOB), "somebody was appointed by hand since");

    lesson.loses_network(BOB);
    lesson.wait(10_000);
    lesson.arrives_as(BOB, Role::Learner);
    lesson.wait(60_000);
    assert_eq!(lesson.presenter(), Some(BOB), "a short loss is none");
    lesson.must(TEACHER, policy(PolicyPatch { presenter_fallback: Some(Fallback::Nobody), ..PolicyPatch::default() }));
    lesson.loses_network(BOB);
    lesson.wait(20_000);
    assert_eq!(lesson.presenter(), None);
}

#[test]
fn inv_26_no_lost_connection_ends_a_class_and_an_announced_end_can_be_taken_back() {
    let mut lesson = Lesson::begins();
    lesson.loses_network(TEACHER);
    lesson.wait(3_600_000);
    assert!(!lesson.state.ended);
    lesson.arrives_as(TEACHER, Role::Instructor);
    let end = |confirm: &str| ClassCommand::SessionEnd { confirm: confirm.into() };
    assert_eq!(lesson.refused(ANN, end("RM_1")), "forbidden");
    assert_eq!(lesson.refused(TEACHER, end("RM_2")), "invalid");
    lesson.must(TEACHER, end("RM_1"));
    lesson.wait(29_999);
    lesson.must(TEACHER, ClassCommand::SessionCancelEnd {});
    lesson.wait(100_000);
    assert!(!lesson.state.ended);
    lesson.must(TEACHER, end("RM_1"));
    lesson.wait(30_000);
    assert!(lesson.state.ended);
}

#[test]
fn inv_26_a_class_left_alone_is_locked_once_and_freed_by_staff_alone() {
    let mut lesson = Lesson::begins();
    lesson.must(TEACHER, policy(PolicyPatch { unattended: Some(Unattended::Lock), ..PolicyPatch::default() }));
    lesson.publishes(ANN, "TR_a", Source::Microphone).expect("permitted");
    lesson.loses_network(TEACHER);
    lesson.wait(200_000);
    assert!(!lesson.state.class.unattended, "an assistant is here");
    lesson.loses_network(TA);
    lesson.wait(60_000);
    lesson.loses_network(BOB);
    lesson.arrives_as(BOB, Role::Learner);
    let events = lesson.wait(60_000);
    let locks = events.iter().filter(|event| matches!(event.fact, Fact::Class(ClassFact::SessionUnattended {})));
    assert_eq!(locks.count(), 1, "the wait is counted from when the last of them was lost");
    assert!(lesson.state.tracks.is_empty() && !lesson.may(ANN, Cap::ChatSend));
    lesson.wait(600_000);
    assert!(!lesson.state.ended);
    lesson.arrives_as(TA, Role::TeachingAssistant);
    assert!(lesson.may(ANN, Cap::ChatSend));
    lesson.arrives_as(TEACHER, Role::Instructor);
    lesson.must(
        TEACHER,
        policy(PolicyPatch { unattended: Some(Unattended::EndAfter { ms: 1_000 }), ..PolicyPatch::default() }),
    );
    lesson.loses_network(TEACHER);
    lesson.loses_network(TA);
    lesson.wait(120_999);
    assert!(!lesson.state.ended);
    lesson.wait(1);
    assert!(lesson.state.ended);
}

#[test]
fn inv_29_hands_are_called_in_the_order_in_which_they_went_up() {
    let mut lesson = Lesson::begins();
    for person in [CEM, ANN, BOB] {
        lesson.must(person, raise());
    }
    lesson.must(CEM, raise());
    lesson.loses_network(CEM);
    lesson.wait(1_000);
    lesson.arrives_as(CEM, Role::Learner);
    assert_eq!(lesson.queue(), [CEM, ANN, BOB], "a lost connection keeps its place");
    lesson.loses_network(CEM);
    lesson.wait(class::GRACE_MS);
    assert_eq!(lesson.queue(), [CEM, ANN, BOB]);
    assert!(lesson.state.is_away(&CEM.into()), "passed over, not removed");
    assert_eq!(lesson.page(TEACHER)["hands"][CEM]["away"], true);
    lesson.must(ANN, ClassCommand::HandLower {});
    lesson.must(ANN, raise());
    assert_eq!(lesson.queue(), [CEM, BOB, ANN]);
    lesson.restarts();
    assert_eq!(lesson.queue(), [CEM, BOB, ANN]);
}

#[test]
fn who_is_called_may_speak_for_a_while() {
    let mut lesson = Lesson::begins();
    lesson.must(TEACHER, policy(lock(Cap::MediaAudio)));
    lesson.must(ANN, raise());
    let call = |person: &str| ClassCommand::HandCall { person: person.into() };
    assert_eq!(lesson.refused(BOB, call(ANN)), "forbidden");
    assert_eq!(lesson.refused(TA, call(BOB)), "not_found");
    lesson.must(TA, call(ANN));
    assert!(lesson.queue().is_empty() && lesson.may(ANN, Cap::MediaAudio));
    lesson.publishes(ANN, "TR_a", Source::Microphone).expect("has the word");
    lesson.wait(119_999);
    assert!(lesson.may(ANN, Cap::MediaAudio));
    lesson.wait(1);
    assert!(!lesson.may(ANN, Cap::MediaAudio) && lesson.state.tracks.is_empty());
    lesson.must(ANN, raise());
    lesson.must(BOB, raise());
    assert_eq!(lesson.queue(), [ANN, BOB]);
    lesson.must(TEACHER, ClassCommand::HandReorder { order: HandOrder::LeastHeardFirst });
    assert_eq!(lesson.queue(), [BOB, ANN], "ann was heard");
    assert_eq!(lesson.refused(ANN, ClassCommand::HandDismiss { persons: vec![], all: true }), "forbidden");
    lesson.must(TEACHER, ClassCommand::HandDismiss { persons: vec![], all: true });
    assert!(lesson.queue().is_empty());
}

#[test]
fn a_mute_silences_once_and_revokes_nothing() {
    let mut lesson = Lesson::begins();
    let unmuted = Intent { mic: MicIntent::Unmuted, camera: false, screen: false };
    for person in [ANN, BOB, TEACHER] {
        lesson.must(person, ClassCommand::MediaSetIntent { intent: unmuted });
        lesson.publishes(person, &format!("TR_{person}"), Source::Microphone).expect("permitted");
    }
    let mute = ClassCommand::ParticipantMute { persons: vec![], all_except: Some(persons(&[BOB])) };
    assert_eq!(lesson.refused(ANN, mute.clone()), "forbidden");
    lesson.must(TA, mute);
    let muted = |person: &str| lesson.state.tracks[&format!("TR_{person}").as_str().into()].muted;
    assert_eq!([ANN, BOB, TEACHER].map(muted), [true, false, false]);
    assert_eq!(lesson.state.class.members[&ANN.into()].intent.mic, MicIntent::Muted);
    assert!(lesson.may(ANN, Cap::MediaAudio));
    let again = ClassCommand::ParticipantMute { persons: persons(&[ANN]), all_except: None };
    assert!(lesson.must(TA, again).is_empty());
    let teacher = ClassCommand::ParticipantMute { persons: persons(&[TEACHER]), all_except: None };
    assert_eq!(lesson.refused(TA, teacher), "forbidden");
    let ask = || ClassCommand::MediaRequestUnmute { persons: persons(&[ANN]) };
    assert_eq!(lesson.refused(BOB, ask()), "forbidden");
    lesson.must(TA, ask());
    assert_eq!(lesson.state.class.members[&ANN.into()].intent.mic, MicIntent::Muted, "it is theirs to unmute");
    lesson.must(ANN, ClassCommand::MediaSetIntent { intent: unmuted });
    lesson.must(TEACHER, policy(lock(Cap::MediaAudio)));
    lesson.must(ANN, ClassCommand::MediaSetIntent { intent: Intent { mic: MicIntent::Muted, ..unmuted } });
    assert_eq!(lesson.refused(ANN, ClassCommand::MediaSetIntent { intent: unmuted }), "forbidden");
}

#[test]
fn a_hidden_roster_shows_staff_and_oneself() {
    let mut lesson = Lesson::begins();
    lesson.must(TEACHER, policy(PolicyPatch { hide_roster: Some(true), ..PolicyPatch::default() }));
    let seen = |lesson: &Lesson, viewer: &str| {
        lesson.page(viewer)["participants"].as_object().expect("people").keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(seen(&lesson, ANN), [ANN, TEACHER, TA]);
    assert_eq!(seen(&lesson, TA).len(), 5);
    assert!(lesson.page(ANN)["grants"][BOB].is_null() && lesson.page(ANN)["grants"][ANN].is_object());
    let bob = lesson.must(BOB, raise());
    assert!(lesson.state.event_for(&bob[0], &lesson.state.viewer(&ANN.into())).is_none());
}

#[test]
fn what_the_room_says_of_itself_is_on_every_page() {
    let mut lesson = Lesson::begins();
    lesson.server(Command::DescribeRoom { metadata: "physics, year 9".into() }).expect("described");
    assert_eq!(lesson.page(ANN)["session"][""]["metadata"], "physics, year 9");
}

#[test]
fn inv_23_the_roster_of_every_page_is_the_logs() {
    let mut lesson = Lesson::begins();
    lesson.loses_network(ANN);
    assert_eq!(lesson.page(BOB)["participants"][ANN]["presence"], "reconnecting");
    lesson.wait(class::GRACE_MS);
    assert_eq!(lesson.page(BOB)["participants"][ANN]["presence"], "offline");
    lesson.arrives_as(ANN, Role::Learner);
    assert_eq!(lesson.page(BOB)["participants"][ANN]["presence"], "online");
    let mut profile = class::hidden("ghost");
    profile.role = Role::Observer;
    lesson.server(class::attach("ghost", profile, "PA_ghost")).expect("comes in");
    assert!(lesson.page(TEACHER)["participants"]["ghost"].is_null(), "nobody is told of a hidden person");
    lesson.publishes("ghost", "TR_ghost", Source::Microphone).expect("its token alone decides");
    lesson.arrives_as("oli", Role::Observer);
    assert!(matches!(lesson.publishes("oli", "TR_oli", Source::Camera), Err(Reject::Forbidden(_))));
}
