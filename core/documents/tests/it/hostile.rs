//! Bytes that no Yjs client writes, to a hub whose other people must not notice.

use crate::world::*;
use lyceum_documents::*;
use proptest::prelude::*;
use yrs::{ReadTxn, StateVector, Transact};

/// Bytes that `yrs` took badly, or takes badly in some version.
const KNOWN: [&[u8]; 3] = [
    // Asks for 215 TB (y-crdt#415).
    &[
        0xd7, 0x54, 0x8f, 0x54, 0x77, 0x0c, 0x78, 0x00, 0x2d, 0x67, 0x76, 0x98, 0xfb, 0xbf, 0xd5, 0xf3, 0x57, 0x30,
        0xee, 0x32, 0x40,
    ],
    &[255, 255, 255, 122],
    &[1, 1, 0, 0, 0x28, 1, 1, b'e', 1, b'k', 118, 0xff, 0xff, 0xff, 0x7f],
];

#[test]
fn known_bombs_are_refused() {
    for bomb in KNOWN {
        let mut class = World::board();
        let ann = class.comes("ann", ALL, Style::Ours);
        class.sends(ann, Message::Update(bomb));
        class.settles();
        assert!(matches!(class.people[ann].heard.last(), Some(Output::Reset { refusal: Refusal::Malformed, .. })));
    }
}

#[test]
fn types_are_not_nested_without_end() {
    let mut class = World::board();
    let (ann, bob) = (class.comes("ann", ALL, Style::Ours), class.comes("bob", ALL, Style::Ours));
    // Maps in maps, a thousand levels deep, each an update of its own.
    let mut update = Vec::new();
    for level in 0u32..1_000 {
        update.clear();
        update.extend([1, 1, 99]);
        put(&mut update, level);
        update.push(0x27);
        match level {
            0 => update.extend([1, 8, b'e', b'l', b'e', b'm', b'e', b'n', b't', b's']),
            _ => {
                update.extend([0, 99]);
                put(&mut update, level - 1);
            }
        }
        update.extend([1, b'k', 1, 0]);
        class.sends(ann, Message::Update(&update));
        class.waits(100);
    }
    class.settles();
    assert!(
        class.people[ann]
            .heard
            .iter()
            .any(|output| matches!(output, Output::Reset { refusal: Refusal::Malformed, .. }))
    );
    assert_eq!(class.disk.head(), 100);
    class.people[bob].deletes("k");
    class.flushes(bob);
    class.settles();
    assert_eq!(class.people[bob].acked.len(), 1);
}

fn put(bytes: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn drawn() -> Vec<u8> {
    let mut class = World::board();
    let ann = class.comes("ann", ALL, Style::Ours);
    for id in ["a", "b", "a"] {
        class.people[ann].draws(id, "ann");
    }
    class.people[ann].types(0, "hallo 🙂 welt");
    class.people[ann].erases(3, 4);
    class.people[ann].deletes("b");
    class.people[ann].doc.transact().encode_diff_v1(&StateVector::default())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever arrives, the hub answers, its document reads back, and everybody agrees.
    #[test]
    fn whatever_arrives_everybody_else_goes_on(
        changes in prop::collection::vec((0usize..400, any::<u8>(), 0u8..3), 0..6),
        first in any::<bool>(),
        rights in prop_oneof![Just(ALL), Just(OWN), Just(VIEW)],
        style in prop_oneof![Just(Style::Ours), Just(Style::Stock)],
    ) {
        let mut class = World::of("board:main:1:1", Limits { compact_updates: 3, ..Limits::default() });
        let (teacher, mallory) = (class.comes("teacher", ALL, Style::Ours), class.comes("mallory", rights, style));
        if first {
            class.people[teacher].draws("lesson", "teacher");
            class.people[teacher].types(0, "stunde");
            class.flushes(teacher);
            class.settles();
        }
        let mut update = drawn();
        for (at, byte, how) in changes {
            let at = at % update.len();
            match how {
                0 => update[at] = byte,
                1 => update.insert(at, byte),
                _ => { update.remove(at); }
            }
        }
        class.sends(mallory, Message::Update(&update));
        class.settles();
        class.people[teacher].draws("goes on", "teacher");
        class.people[teacher].deletes("lesson");
        class.flushes(teacher);
        class.settles();
        prop_assert!(class.people[teacher].key.is_some(), "the teacher was put out: {:?}", class.people[teacher].closed);
        prop_assert_eq!(class.hub.stats().bad_snapshots, 0);
        let pulse = class.hub.pulse().unwrap();
        prop_assert_eq!(class.people[teacher].hash(), pulse.hash);
        class.is_killed();
        let late = class.comes("late", VIEW, Style::Ours);
        prop_assert_eq!(class.people[late].hash(), pulse.hash);
        prop_assert_eq!(class.people[late].page(), class.people[teacher].page());
    }

    #[test]
    fn no_frame_is_too_strange(frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..8)) {
        let mut class = World::board();
        let mallory = class.comes("mallory", ALL, Style::Stock);
        for frame in frames {
            if let Some(client) = class.people[mallory].key {
                class.handle(Input::Message { client, epoch: None, frame });
            }
        }
        let late = class.comes("late", VIEW, Style::Ours);
        class.settles();
        prop_assert!(class.people[late].key.is_some());
    }
}
