//! Breakouts: where people are placed, and that nothing but the log says so.

use crate::lesson::*;
use lyceum_session::class::*;
use lyceum_session::*;

#[test]
fn inv_01_no_loss_return_or_restart_moves_anybody() {
    let mut lesson = Lesson::begins();
    lesson.breaks_out(&[("b1", &[ANN]), ("b2", &[BOB, CEM])], LatePolicy::LeastFull);
    lesson.loses_network(ANN);
    lesson.wait(120_000);
    assert_eq!(lesson.space(ANN), "b1", "offline, and still placed");
    lesson.server(Command::Recover { last_seen: lesson.now }).expect("recovers");
    lesson.restarts();
    for (person, space) in [(ANN, "b1"), (BOB, "b2"), (TEACHER, "main")] {
        let role = lesson.state.participants[&person.into()].profile.role;
        lesson.arrives_as(person, role);
        assert_eq!(lesson.space(person), space);
    }
}

#[test]
fn inv_02_what_a_returning_person_sees_is_their_own_space() {
    let mut lesson = Lesson::begins();
    lesson.breaks_out(&[("b1", &[ANN]), ("b2", &[BOB])], LatePolicy::HoldMain);
    lesson.must(ANN, said("for b1"));
    lesson.must(BOB, said("for b2"));
    lesson.loses_network(ANN);
    lesson.must(TEACHER, ClassCommand::BreakoutsMove { persons: persons(&[ANN]), to: "b2".into() });
    lesson.arrives_as(ANN, Role::Learner);
    let page = lesson.page(ANN).to_string();
    assert!(page.contains("for b2") && !page.contains("for b1"));
    let spaces: Vec<String> = lesson.page(ANN)["spaces"].as_object().expect("spaces").keys().cloned().collect();
    assert_eq!(spaces, ["b2"]);
}

#[test]
fn inv_03_people_are_moved_all_at_once_or_not_at_all() {
    let mut lesson = Lesson::begins();
    lesson.breaks_out(&[("b1", &[ANN]), ("b2", &[BOB])], LatePolicy::HoldMain);
    let all = |to: &str| ClassCommand::BreakoutsMove { persons: persons(&[CEM, ANN, BOB, ANN]), to: to.into() };
    let events = lesson.must(TA, all("b2"));
    assert_eq!(events.len(), 1);
    assert_eq!([ANN, BOB, CEM].map(|person| lesson.space(person).to_owned()), ["b2", "b2", "b2"]);
    let strangers = ClassCommand::BreakoutsMove { persons: persons(&[ANN, "nobody"]), to: "b1".into() };
    assert_eq!(lesson.refused(TA, strangers), "not_found");
    assert_eq!(lesson.refused(TA, all("b9")), "not_found");
    assert_eq!(lesson.refused(ANN, all("b1")), "forbidden");
    assert_eq!(lesson.space(ANN), "b2");
}

#[test]
fn inv_04_after_the_close_everybody_is_in_the_main_room() {
    let mut lesson = Lesson::begins();
    lesson.breaks_out(&[("b1", &[ANN]), ("b2", &[BOB, CEM])], LatePolicy::HoldMain);
    lesson.must(TA, ClassCommand::BreakoutsVisit { space: Some("b1".into()) });
    lesson.loses_network(ANN);
    let connection = lesson.state.participants[&BOB.into()].connections.keys().next().expect("here").clone();
    lesson.server(Command::Leave { connection }).expect("leaves");
    lesson.wait(120_000);
    let events = lesson.must(TEACHER, ClassCommand::BreakoutsClose { warn_s: 0 });
    assert_eq!(events.len(), 1);
    assert!(lesson.state.participants.values().all(|known| known.space.is_main()));
    assert_eq!(lesson.state.class.members[&TA.into()].visit, None);
    assert_eq!(lesson.state.class.spaces.len(), 1);
    lesson.arrives_as(BOB, Role::Learner);
    assert_eq!(lesson.space(BOB), "main");
}

#[test]
fn inv_05_who_comes_later_has_a_place_at_once() {
    for (policy, place) in
        [(LatePolicy::HoldMain, "main"), (LatePolicy::LeastFull, "b2"), (LatePolicy::SelfSelect, "main")]
    {
        let mut lesson = Lesson::begins();
        lesson.breaks_out(&[("b1", &[ANN, BOB]), ("b2", &[CEM])], policy);
        let events = lesson.arrives_as("dee", Role::Learner);
        assert!(matches!(&events[0].fact, Fact::ParticipantAdmitted { space, .. } if space.0 == place), "{policy:?}");
        lesson.arrives_as("sam", Role::CoInstructor);
        assert_eq!(lesson.space("sam"), "main", "who teaches is not dealt out");
        let choice = ClassCommand::BreakoutsChoose { space: "b1".into() };
        match policy {
            LatePolicy::SelfSelect => drop(lesson.must("dee", choice)),
            _ => assert_eq!(lesson.refused("dee", choice), "forbidden"),
        }
    }
}

#[test]
fn inv_05_people_admitted_together_are_spread_and_a_roster_knows_who_is_to_come() {
    let mut lesson = Lesson::begins();
    let group = |space: &str, names: &[&str]| GroupPlan {
        space: space.into(),
        title: String::new(),
        capacity: 0,
        persons: persons(names),
    };
    let groups = vec![group("b1", &[ANN]), group("b2", &[BOB, "dee"])];
    lesson.must(TEACHER, ClassCommand::BreakoutsPlan { mode: BreakoutMode::Roster, groups, seed: 0 });
    let late_policy = LatePolicy::LeastFull;
    lesson.must(TEACHER, ClassCommand::BreakoutsOpen { closes_at: None, late_policy, allow_return: true });
    lesson.must(
        TEACHER,
        ClassCommand::PolicySet { patch: PolicyPatch { lobby: Some(LobbyMode::Ask), ..Default::default() } },
    );
    for name in ["dee", "eve", "fay", "gus"] {
        let profile = crate::class::profile(name);
        lesson.backend(ClassCommand::Join { person: name.into(), profile }).expect("waits");
    }
    lesson.must(TEACHER, ClassCommand::LobbyAdmit { persons: vec![], all: true });
    let placed = ["dee", "eve", "fay", "gus"].map(|name| lesson.space(name).to_owned());
    assert_eq!(placed, ["b2", "b1", "b1", "b2"]);
}

#[test]
fn inv_27_there_is_one_deadline_and_a_warning_before_it() {
    let mut lesson = Lesson::begins();
    let groups = vec![GroupPlan { space: "b1".into(), title: "Group 1".into(), capacity: 0, persons: persons(&[ANN]) }];
    let plan = ClassCommand::BreakoutsPlan { mode: BreakoutMode::Manual, groups, seed: 0 };
    lesson.must(TEACHER, plan);
    let closes_at = lesson.now.plus(600_000);
    let open =
        |closes_at| ClassCommand::BreakoutsOpen { closes_at, late_policy: LatePolicy::HoldMain, allow_return: true };
    assert_eq!(lesson.refused(TEACHER, open(Some(lesson.now.plus(59_999)))), "invalid");
    assert_eq!(lesson.refused(TA, open(Some(closes_at))), "forbidden");
    lesson.must(TEACHER, open(Some(closes_at)));
    lesson.must(TA, ClassCommand::BreakoutsExtend { by_ms: 60_000 });
    let warned = lesson.wait(600_000);
    assert!(matches!(&warned[..], [Event { fact: Fact::Class(ClassFact::BreakoutsClosing { closes_at: at }), .. }]
        if *at == closes_at.plus(60_000)));
    lesson.wait(59_999);
    assert_eq!(lesson.space(ANN), "b1");
    lesson.wait(1);
    assert_eq!(lesson.space(ANN), "main");
}

#[test]
fn inv_27_a_class_does_not_end_under_its_groups() {
    let mut lesson = Lesson::begins();
    lesson.breaks_out(&[("b1", &[ANN])], LatePolicy::HoldMain);
    lesson.must(TEACHER, ClassCommand::BreakoutsClose { warn_s: 600 });
    for person in [TEACHER, TA, ANN, BOB, CEM] {
        lesson.loses_network(person);
    }
    lesson.wait(599_999);
    assert!(!lesson.state.ended, "nobody is connected, and the groups are open");
    lesson.wait(1);
    assert!(lesson.state.class.breakouts.is_none() && lesson.state.ended);
}

#[test]
fn a_server_that_slept_through_the_warning_warns_before_it_closes() {
    let mut lesson = Lesson::begins();
    let groups = vec![GroupPlan { space: "b1".into(), title: String::new(), capacity: 0, persons: persons(&[ANN]) }];
    lesson.must(TEACHER, ClassCommand::BreakoutsPlan { mode: BreakoutMode::Manual, groups, seed: 0 });
    let closes_at = Some(lesson.now.plus(120_000));
    lesson.must(
        TEACHER,
        ClassCommand::BreakoutsOpen { closes_at, late_policy: LatePolicy::HoldMain, allow_return: true },
    );
    lesson.now = lesson.now.plus(3_600_000);
    lesson.server(Command::Tick).expect("a tick");
    lesson.wait(59_999);
    assert_eq!(lesson.space(ANN), "b1");
    lesson.wait(1);
    assert_eq!(lesson.space(ANN), "main");
}

#[test]
fn inv_33_moves_leave_the_microphone_as_it_was() {
    let mut lesson = Lesson::begins();
    lesson.breaks_out(&[("b1", &[])], LatePolicy::HoldMain);
    for mic in [MicIntent::Unmuted, MicIntent::Muted, MicIntent::ListenOnly] {
        let intent = Intent { mic, camera: true, screen: false };
        lesson.must(ANN, ClassCommand::MediaSetIntent { intent });
        lesson.must(TA, ClassCommand::BreakoutsMove { persons: persons(&[ANN]), to: "b1".into() });
        lesson.must(ANN, ClassCommand::BreakoutsReturn {});
        assert_eq!(lesson.state.class.members[&ANN.into()].intent, intent);
    }
}

#[test]
fn people_choose_their_group_until_it_is_full() {
    let mut lesson = Lesson::begins();
    let groups =
        ["b1", "b2"].map(|space| GroupPlan { space: space.into(), title: String::new(), capacity: 1, persons: vec![] });
    let plan = ClassCommand::BreakoutsPlan { mode: BreakoutMode::SelfSelect, groups: groups.to_vec(), seed: 0 };
    lesson.must(TEACHER, plan);
    lesson.must(
        TEACHER,
        ClassCommand::BreakoutsOpen { closes_at: None, late_policy: LatePolicy::SelfSelect, allow_return: false },
    );
    let choose = |space: &str| ClassCommand::BreakoutsChoose { space: space.into() };
    lesson.must(ANN, choose("b1"));
    lesson.must(ANN, choose("b1"));
    assert_eq!(lesson.refused(BOB, choose("b1")), "limit");
    lesson.must(BOB, choose("b2"));
    assert_eq!(lesson.refused(ANN, ClassCommand::BreakoutsReturn {}), "forbidden");
    lesson.must(ANN, ClassCommand::BreakoutsAskHelp {});
    assert!(lesson.must(ANN, ClassCommand::BreakoutsAskHelp {}).is_empty(), "one call at a time");
    assert!(lesson.page(TA)["breakouts"][""]["groups"]["b1"]["help"].is_object());
    assert!(lesson.page(BOB)["breakouts"][""]["groups"]["b1"]["help"].is_null());
    lesson.wait(4_000);
    assert_eq!(lesson.refused(BOB, ClassCommand::HelpResolve { space: "b1".into() }), "forbidden");
    let events = lesson.must(TA, ClassCommand::HelpResolve { space: "b1".into() });
    assert!(matches!(events[0].fact, Fact::Class(ClassFact::HelpResolved { waited_ms: 4_000, .. })));
    assert_eq!(lesson.refused(CEM, ClassCommand::BreakoutsAskHelp {}), "conflict");
}

#[test]
fn a_lot_is_cast_once_and_deals_evenly() {
    let mut lesson = Lesson::begins();
    for number in 0..7 {
        lesson.arrives_as(&format!("p{number}"), Role::Learner);
    }
    let plan = |seed| ClassCommand::BreakoutsPlan {
        mode: BreakoutMode::Random,
        groups: ["b1", "b2", "b3"]
            .map(|space| GroupPlan { space: space.into(), title: String::new(), capacity: 0, persons: vec![] })
            .to_vec(),
        seed,
    };
    let mut plans = Vec::new();
    for seed in [1, 1, 2] {
        lesson.must(TEACHER, plan(seed));
        plans.push(lesson.state.class.breakouts.as_ref().expect("planned").plan.clone());
    }
    assert_eq!(plans[0], plans[1]);
    assert_ne!(plans[0], plans[2]);
    let in_group = |space: &str| plans[0].values().filter(|placed| placed.0 == space).count();
    assert_eq!(["b1", "b2", "b3"].map(in_group), [4, 3, 3]);
    assert!(!plans[0].contains_key(&TEACHER.into()));
    assert!(lesson.page(ANN)["breakouts"].is_null(), "a plan is for those who make it");
}

#[test]
fn a_visit_is_no_move() {
    let mut lesson = Lesson::begins();
    lesson.breaks_out(&[("b1", &[ANN])], LatePolicy::HoldMain);
    lesson.must(ANN, said("in the group"));
    assert_eq!(lesson.refused(BOB, ClassCommand::BreakoutsVisit { space: Some("b1".into()) }), "forbidden");
    lesson.must(TA, ClassCommand::BreakoutsVisit { space: Some("b1".into()) });
    assert_eq!(lesson.space(TA), "main");
    assert_eq!(lesson.state.class.members[&TA.into()].visit, Some("b1".into()));
    lesson.must(TA, ClassCommand::BreakoutsVisit { space: None });
    assert_eq!(lesson.state.class.members[&TA.into()].visit, None);
    lesson.must(TEACHER, ClassCommand::BreakoutsBroadcast { body: "five minutes".into() });
    assert_eq!(lesson.refused(ANN, ClassCommand::BreakoutsBroadcast { body: "hi".into() }), "forbidden");
}

#[test]
fn groups_are_not_nested_and_have_spaces_of_their_own() {
    let mut lesson = Lesson::begins();
    let plan = |spaces: &[&str]| ClassCommand::BreakoutsPlan {
        mode: BreakoutMode::Manual,
        groups: spaces
            .iter()
            .map(|space| GroupPlan { space: (*space).into(), title: String::new(), capacity: 0, persons: vec![] })
            .collect(),
        seed: 0,
    };
    for odd in [&["main"][..], &["b1", "b1"], &["a/b"], &[""]] {
        assert_eq!(lesson.refused(TEACHER, plan(odd)), "invalid", "{odd:?}");
    }
    assert_eq!(lesson.refused(TEACHER, plan(&[])), "limit");
    lesson.breaks_out(&[("b1", &[ANN])], LatePolicy::HoldMain);
    assert_eq!(lesson.refused(TEACHER, plan(&["b2"])), "conflict");
    assert_eq!(lesson.refused(TEACHER, ClassCommand::BreakoutsClose { warn_s: 59 }), "invalid");
}
