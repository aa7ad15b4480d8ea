//! Loading, unloading, compaction, limits, awareness.

use crate::world::*;
use lyceum_documents::*;

#[test]
fn a_document_is_unloaded_when_nobody_came_back_and_everything_is_stored() {
    let mut class = World::board();
    let ann = class.comes("ann", ALL, Style::Stock);
    class.people[ann].draws("a", "ann");
    class.flushes(ann);
    class.leaves(ann);
    class.waits(class.limits.linger_ms);
    assert_eq!(class.hub.phase(), Phase::Draining, "its last update is not on the disk");
    class.writes(1);
    assert!(class.unloaded);
    class.connects(ann);
    assert_eq!(class.people[ann].closed, Some(Code::Unavailable), "the next generation serves whoever comes");
    class.restarts();
    class.connects(ann);
    assert_eq!(class.people[ann].closed, None);
}

#[test]
fn who_comes_while_it_drains_keeps_it() {
    let mut class = World::board();
    let ann = class.comes("ann", ALL, Style::Stock);
    class.people[ann].draws("a", "ann");
    class.flushes(ann);
    class.leaves(ann);
    class.waits(class.limits.linger_ms);
    class.connects(ann);
    class.settles();
    assert_eq!((class.hub.phase(), class.unloaded), (Phase::Loaded, false));
}

#[test]
fn a_document_is_compacted_and_keeps_the_snapshot_before() {
    let limits = Limits { compact_updates: 5, ..Limits::default() };
    let mut class = World::of("notes:main", limits);
    let (ann, bob) = (class.comes("ann", ALL, Style::Ours), class.comes("bob", VIEW, Style::Ours));
    for round in 0..23 {
        class.people[ann].types(round / 2, "ab");
        class.people[ann].erases(round, 1);
        class.flushes(ann);
        class.waits(100);
        class.writes(3);
    }
    class.settles();
    assert_eq!(class.disk.snapshots.len(), 2);
    assert!(class.disk.updates.len() <= 10, "{}", class.disk.updates.len());
    assert_eq!(class.people[bob].page(), class.people[ann].page());
    assert_eq!(class.hub.stats().bad_snapshots, 0);
    class.is_killed();
    let cem = class.comes("cem", VIEW, Style::Ours);
    assert_eq!(class.people[cem].page(), class.people[ann].page());
    assert_eq!(class.people[cem].hash(), class.people[ann].hash());
}

#[test]
fn nobody_speaks_for_somebody_elses_yjs_client() {
    let mut class = World::board();
    let (ann, bob) = (class.comes("ann", ALL, Style::Ours), class.comes("bob", ALL, Style::Ours));
    class.people[ann].draws("a", "ann");
    class.flushes(ann);
    class.settles();
    // What ann's document would write next, sent by bob.
    class.leaves(ann);
    class.people[ann].draws("forged", "ann");
    let forged = class.people[ann].doc.clone();
    let update = {
        use yrs::{ReadTxn, Transact};
        let has = class.people[bob].doc.transact().state_vector();
        forged.transact().encode_diff_v1(&has)
    };
    class.sends(bob, Message::Update(&update));
    class.settles();
    assert!(matches!(class.people[bob].heard.last(), Some(Output::Reset { refusal: Refusal::NotYours, .. })));
    class.is_killed();
    class.connects(bob);
    class.sends(bob, Message::Update(&update));
    class.settles();
    assert!(
        matches!(class.people[bob].heard.last(), Some(Output::Reset { refusal: Refusal::NotYours, .. })),
        "also after a restart"
    );
}

#[test]
fn a_board_is_emptied_by_the_server() {
    let mut class = World::board();
    let (ann, bob) = (class.comes("ann", ALL, Style::Ours), class.comes("bob", VIEW, Style::Stock));
    class.people[ann].draws("a", "ann");
    class.people[ann].draws("b", "ann");
    class.flushes(ann);
    class.settles();
    class.handle(Input::Clear { request: 7 });
    assert!(class.cleared.is_empty(), "not before it is on the disk");
    class.settles();
    assert_eq!(class.cleared, [Some(2)]);
    assert!([ann, bob].iter().all(|person| !class.people[*person].sees("a") && !class.people[*person].sees("b")));
    assert_eq!(Some(class.people[bob].hash()), class.hub.pulse().map(|pulse| pulse.hash));
}

#[test]
fn a_board_is_emptied_that_nobody_has_open() {
    let mut hub = Hub::new(Ms(0), "board:main:blank:1".parse().unwrap(), 1, 1, Limits::default());
    let said = |hub: &mut Hub| std::iter::from_fn(|| hub.poll_output()).collect::<Vec<_>>();
    hub.handle(Ms(0), Input::Clear { request: 7 });
    assert_eq!(said(&mut hub), [], "its bytes are on the way");
    // `elements["a"] = true`.
    let bytes = b"\x01\x01\x07\x00\x28\x01\x08elements\x01a\x01\x78\x00"[..].into();
    let updates = vec![StoredUpdate { seq: 1, person: Some("ann".into()), bytes }];
    hub.handle(Ms(1), Input::Loaded(Stored { snapshots: vec![], updates }));
    assert!(matches!(&said(&mut hub)[..], [Output::Append(StoredUpdate { seq: 2, person: None, .. })]));
    hub.handle(Ms(2), Input::Durable(2));
    assert_eq!(said(&mut hub), [Output::Cleared { request: 7, before: Some(1) }]);
}

#[test]
fn who_is_too_fast_connects_again_and_loses_nothing() {
    let mut class = World::of("notes:main", Limits { updates_per_s: 5, ..Limits::default() });
    let (ann, bob) = (class.comes("ann", ALL, Style::Stock), class.comes("bob", VIEW, Style::Stock));
    for _ in 0..40 {
        class.people[ann].types(0, "x");
    }
    class.flushes(ann);
    class.settles();
    assert_eq!(class.people[ann].closed, Some(Code::TooFast));
    class.connects(ann);
    class.settles();
    assert_eq!(class.people[ann].page(), class.people[bob].page());
}

#[test]
fn a_document_has_an_end() {
    let mut class = World::of("notes:main", Limits { document_bytes: 2_000, ..Limits::default() });
    let ann = class.comes("ann", ALL, Style::Ours);
    class.people[ann].types(0, &"x".repeat(1_500));
    class.people[ann].types(0, &"y".repeat(1_500));
    class.flushes(ann);
    class.settles();
    assert!(matches!(class.people[ann].heard.last(), Some(Output::Reset { refusal: Refusal::Full, .. })));
    class.connects(ann);
    class.people[ann].erases(0, 1_400);
    class.flushes(ann);
    class.settles();
    assert_eq!(class.people[ann].acked.len(), 1, "what only deletes may come later");
}

fn cursor(yjs: u8, clock: u8, state: &str) -> Vec<u8> {
    let mut bytes = vec![1, yjs, clock, state.len() as u8];
    bytes.extend(state.bytes());
    bytes
}

fn cursors(person: &Person) -> Vec<Vec<u8>> {
    let heard = person.heard.iter().filter_map(|output| match output {
        Output::Send { frame, .. } => match Message::read(frame) {
            Ok(Message::Awareness(states)) => Some(states.to_vec()),
            _ => None,
        },
        _ => None,
    });
    heard.collect()
}

#[test]
fn cursors_are_passed_on_fifteen_times_a_second_and_the_last_one_always() {
    let mut class = World::board();
    let (ann, bob) = (class.comes("ann", ALL, Style::Stock), class.comes("bob", VIEW, Style::Stock));
    for clock in 1..=100 {
        class.sends(ann, Message::Awareness(&cursor(9, clock, &format!("{{\"x\":{clock}}}"))));
        class.waits(10);
    }
    class.waits(100);
    let heard = cursors(&class.people[bob]);
    assert!((10..=17).contains(&heard.len()), "{} in a second", heard.len());
    assert_eq!(heard.last(), Some(&cursor(9, 100, "{\"x\":100}")));
    assert_eq!(cursors(&class.people[ann]).len(), heard.len(), "a stock provider takes them for signs of life");
    let cem = class.comes("cem", VIEW, Style::Stock);
    assert_eq!(cursors(&class.people[cem]), [cursor(9, 100, "{\"x\":100}")]);
    class.leaves(ann);
    assert_eq!(cursors(&class.people[cem]).last(), Some(&cursor(9, 100, "null")));
}

#[test]
fn a_cursor_is_ones_own_and_is_json() {
    let mut class = World::board();
    let (ann, bob) = (class.comes("ann", ALL, Style::Stock), class.comes("bob", VIEW, Style::Stock));
    class.sends(ann, Message::Awareness(&cursor(9, 1, "{}")));
    class.sends(bob, Message::Awareness(&cursor(9, 2, "{\"forged\":1}")));
    class.sends(bob, Message::Awareness(&cursor(9, 1, "null")));
    class.sends(bob, Message::Awareness(&cursor(10, 1, "{not json")));
    for yjs in 20..60 {
        class.sends(bob, Message::Awareness(&cursor(yjs, 1, "{}")));
    }
    class.waits(1_000);
    let cem = class.comes("cem", VIEW, Style::Stock);
    let all = cursors(&class.people[cem]);
    assert_eq!(all[0][0], 5, "ann's one, and four of bob's");
    assert_eq!(&all[0][1..5], &[9, 1, 2, b'{']);
}
