//! INV-14 and INV-18 to INV-22, one story each.

use crate::world::*;
use lyceum_documents::*;

#[test]
fn inv_14_what_was_done_under_an_older_grant_is_out_before_the_fence_answers_and_nothing_after_it() {
    let mut class = World::board();
    let (teacher, learner) = (class.comes("teacher", ALL, Style::Ours), class.comes("learner", ALL, Style::Ours));
    class.people[learner].draws("early", "learner");
    class.flushes(learner);
    class.may("learner", VIEW);
    class.people[learner].draws("late", "learner");
    class.flushes(learner);
    assert!(class.fenced.is_empty(), "the early stroke is not out yet");
    class.settles();
    assert_eq!(class.fenced, [("learner".into(), 2)]);
    assert!(class.people[teacher].sees("early") && !class.people[teacher].sees("late"));
}

#[test]
fn inv_14_who_may_not_see_the_document_any_more_is_put_out() {
    let mut class = World::board();
    let (teacher, learner) = (class.comes("teacher", ALL, Style::Ours), class.comes("learner", VIEW, Style::Stock));
    class.may("learner", NONE);
    class.people[teacher].draws("a", "teacher");
    class.flushes(teacher);
    class.settles();
    assert_eq!(class.people[learner].closed, Some(Code::Refused));
    assert!(!class.people[learner].sees("a"));
    class.connects(learner);
    assert_eq!(class.people[learner].closed, Some(Code::Refused));
}

#[test]
fn inv_18_replicas_that_have_received_the_same_have_the_same_hash_and_show_the_same() {
    let mut class = World::board();
    let people: Vec<_> = ["ann", "bob", "cem"].map(|name| class.comes(name, ALL, Style::Ours)).to_vec();
    for (round, person) in people.iter().cycle().take(30).enumerate() {
        class.people[*person].draws_version(&format!("e{}", round % 4), "all", round as f64);
        class.people[*person].types(round as u32 / 2, "wort");
        class.people[*person].erases(round as u32 / 3, 2);
        if round % 3 == 0 {
            class.people[*person].deletes(&format!("e{}", round % 5));
        }
        class.flushes(*person);
        class.writes(round % 4);
    }
    class.settles();
    let pulse = class.hub.pulse().unwrap();
    for person in people {
        assert_eq!(class.people[person].hash(), pulse.hash);
        assert_eq!(class.people[person].page(), class.people[0].page());
    }
    let fresh = class.comes("dana", VIEW, Style::Stock);
    assert_eq!((class.people[fresh].hash(), class.people[fresh].seq), (pulse.hash, pulse.seq));
    assert_eq!(class.people[fresh].page(), class.people[0].page());
}

#[test]
fn inv_19_nobody_hears_of_an_update_that_is_not_on_the_disk() {
    let mut class = World::board();
    let (ann, bob) = (class.comes("ann", ALL, Style::Ours), class.comes("bob", ALL, Style::Ours));
    class.people[ann].draws("a", "ann");
    class.flushes(ann);
    let late = class.comes("late", VIEW, Style::Stock);
    assert!(!class.people[bob].sees("a") && !class.people[late].sees("a"));
    assert!(class.people[ann].acked.is_empty());
    class.writes(1);
    assert!(class.people[bob].sees("a") && class.people[late].sees("a"));
    assert_eq!(class.people[ann].acked, [1]);
}

#[test]
fn inv_19_after_a_kill_every_acknowledged_update_is_there() {
    let mut class = World::board();
    let (ann, bob) = (class.comes("ann", ALL, Style::Ours), class.comes("bob", VIEW, Style::Ours));
    for id in ["a", "b", "c"] {
        class.people[ann].draws(id, "ann");
        class.flushes(ann);
    }
    class.writes(2);
    assert_eq!(class.people[ann].acked, [1, 2]);
    class.is_killed();
    class.connects(bob);
    assert!(["a", "b"].iter().all(|id| class.people[bob].sees(id)));
    assert!(!class.people[bob].sees("c"), "it was nobody's promise");
    class.connects(ann);
    class.settles();
    assert!(class.people[bob].sees("c"), "its author brings it again");
}

#[test]
fn inv_19_a_disk_that_fails_acknowledges_nothing() {
    let mut class = World::board();
    let ann = class.comes("ann", ALL, Style::Ours);
    class.people[ann].draws("a", "ann");
    class.flushes(ann);
    class.handle(Input::StoreFailed);
    assert!(class.people[ann].acked.is_empty() && class.unloaded);
    assert_eq!(class.people[ann].closed, Some(Code::Unavailable));
}

#[test]
fn inv_20_a_document_that_cannot_be_read_is_an_error_and_never_an_empty_document() {
    let mut class = World::board();
    let ann = class.comes("ann", ALL, Style::Ours);
    class.people[ann].draws("a", "ann");
    class.flushes(ann);
    class.settles();
    class.is_killed();
    for broken in ["gap", "bytes", "failure"] {
        class.hub = Hub::new(class.now, class.id.clone(), 3, 1, class.limits);
        let before = class.people[ann].heard.len();
        class.connects(ann);
        assert_eq!(class.people[ann].heard.len(), before, "nobody hears anything before it is loaded");
        let mut stored = class.disk.stored();
        class.handle(match broken {
            "gap" => {
                stored.updates[0].seq = 2;
                Input::Loaded(stored)
            }
            "bytes" => {
                stored.updates[0].bytes = b"not an update".as_slice().into();
                Input::Loaded(stored)
            }
            _ => Input::LoadFailed,
        });
        assert_eq!(class.people[ann].closed, Some(Code::Unavailable), "{broken}");
        assert_eq!(class.people[ann].heard.len(), before, "{broken}");
        assert!(class.writing.is_empty(), "nothing is stored over it");
        assert_eq!(class.hub.phase(), Phase::Unloaded);
    }
    class.restarts();
    class.connects(ann);
    assert!(class.people[ann].sees("a"));
}

#[test]
fn inv_20_a_damaged_snapshot_loses_nothing() {
    let limits = Limits { compact_updates: 4, ..Limits::default() };
    let mut class = World::of("notes:main", limits);
    let ann = class.comes("ann", ALL, Style::Ours);
    for round in 0..10 {
        class.people[ann].types(round, "x");
        class.flushes(ann);
        class.settles();
    }
    assert_eq!(class.disk.snapshots.iter().map(|snapshot| snapshot.seq).collect::<Vec<_>>(), [8, 4]);
    let page = class.people[ann].page();
    class.disk.snapshots[0].bytes = class.disk.snapshots[0].bytes[..9].into();
    class.is_killed();
    assert_eq!(class.hub.stats().damaged_snapshots, 1);
    let bob = class.comes("bob", VIEW, Style::Ours);
    assert_eq!(class.people[bob].page(), page);
}

#[test]
fn inv_21_an_update_without_the_right_is_refused_as_a_whole_and_nobody_else_sees_it() {
    let mut class = World::board();
    let (teacher, learner) = (class.comes("teacher", ALL, Style::Ours), class.comes("learner", ALL, Style::Ours));
    class.people[teacher].draws("lesson", "teacher");
    class.flushes(teacher);
    class.settles();
    class.people[learner].epoch = Some(1);
    class.may("learner", VIEW);
    class.people[learner].draws("doodle", "learner");
    class.people[learner].deletes("lesson");
    class.flushes(learner);
    class.settles();
    let reset = class.people[learner].heard.iter().find_map(|output| match output {
        Output::Reset { refusal, .. } => Some(*refusal),
        _ => None,
    });
    assert_eq!(reset, Some(Refusal::StaleGrant), "it was nobody's fault");
    assert_eq!(class.people[learner].scraps, 1, "the strokes can be given back");
    class.connects(learner);
    class.settles();
    for person in [teacher, learner] {
        assert!(class.people[person].sees("lesson") && !class.people[person].sees("doodle"));
        assert_eq!(Some(class.people[person].hash()), class.hub.pulse().map(|pulse| pulse.hash));
    }
    class.people[learner].epoch = Some(2);
    class.people[learner].draws("again", "learner");
    class.flushes(learner);
    class.settles();
    assert!(matches!(class.people[learner].heard.last(), Some(Output::Reset { refusal: Refusal::Forbidden, .. })));
}

#[test]
fn inv_21_strokes_made_offline_are_judged_when_they_arrive() {
    let mut class = World::board();
    let learner = class.comes("learner", ALL, Style::Ours);
    class.leaves(learner);
    class.people[learner].draws("offline", "learner");
    class.rights.insert("learner".into(), (VIEW, 2));
    class.connects(learner);
    class.settles();
    assert!(class.disk.updates.is_empty());
    assert_eq!(class.people[learner].scraps, 1);
}

#[test]
fn inv_21_a_stock_provider_is_closed_with_4403_and_comes_back_read_only() {
    let mut class = World::board();
    let (teacher, learner) = (class.comes("teacher", ALL, Style::Stock), class.comes("learner", VIEW, Style::Stock));
    class.people[learner].draws("doodle", "learner");
    class.flushes(learner);
    class.settles();
    assert_eq!(class.people[learner].closed, Some(Code::Refused));
    // It comes back with what was refused, and stays.
    class.connects(learner);
    class.people[learner].draws("more", "learner");
    class.flushes(learner);
    class.people[teacher].draws("lesson", "teacher");
    class.flushes(teacher);
    class.settles();
    assert_eq!(class.people[learner].closed, None);
    assert!(class.people[learner].sees("lesson"), "it still receives");
    assert!(!class.people[teacher].sees("doodle") && !class.people[teacher].sees("more"));
    // Once it may draw, it is told to connect again and brings everything.
    class.may("learner", ALL);
    class.settles();
    assert_eq!(class.people[learner].closed, Some(Code::Again));
    class.connects(learner);
    class.settles();
    assert!(class.people[teacher].sees("doodle") && class.people[teacher].sees("more"));
    assert_eq!(class.people[teacher].hash(), class.people[learner].hash());
}

#[test]
fn inv_21_of_ones_own_is_what_names_its_author() {
    let mut class = World::board();
    let (teacher, ann) = (class.comes("teacher", ALL, Style::Ours), class.comes("ann", OWN, Style::Ours));
    class.people[teacher].draws("lesson", "teacher");
    class.flushes(teacher);
    class.people[ann].draws("mine", "ann");
    class.flushes(ann);
    class.people[ann].draws_version("mine", "ann", 2.0);
    class.flushes(ann);
    class.people[ann].deletes("mine");
    class.flushes(ann);
    class.people[ann].draws("mine", "ann");
    class.flushes(ann);
    class.settles();
    assert!(class.people[teacher].sees("mine"), "{:?}", class.people[ann].heard.last());

    let wrongs: [fn(&mut Person); 6] = [
        |ann| ann.draws("lesson", "ann"),
        |ann| ann.deletes("lesson"),
        |ann| ann.draws("new", "teacher"),
        |ann| ann.draws("mine", "teacher"),
        |ann| ann.types(0, "notes are no elements"),
        |ann| {
            ann.draws("good", "ann");
            ann.deletes("lesson");
        },
    ];
    for (at, wrong) in wrongs.into_iter().enumerate() {
        wrong(&mut class.people[ann]);
        class.flushes(ann);
        class.settles();
        assert!(
            matches!(class.people[ann].heard.last(), Some(Output::Reset { refusal: Refusal::NotYours, .. })),
            "{at}: {:?}",
            class.people[ann].heard.last()
        );
        class.connects(ann);
        class.settles();
        assert!(class.people[teacher].sees("lesson") && !class.people[teacher].sees("new"));
    }
    assert!(class.people[teacher].sees("good"), "the update before it was hers");
    assert_eq!(class.people[teacher].page(), class.people[ann].page());
}

#[test]
fn inv_22_what_is_drawn_on_one_page_is_on_no_other() {
    let mut pages = [World::of("board:main:7:1", Limits::default()), World::of("board:main:7:2", Limits::default())];
    let ann = pages[0].comes("ann", ALL, Style::Ours);
    pages[0].people[ann].draws("a", "ann");
    pages[0].flushes(ann);
    pages[0].settles();
    let bob = pages[1].comes("bob", ALL, Style::Ours);
    pages[1].settles();
    assert!(!pages[1].people[bob].sees("a"));
    assert_eq!(
        (pages[0].hub.id().to_string(), pages[1].hub.id().to_string()),
        ("board:main:7:1".into(), "board:main:7:2".into())
    );
}
