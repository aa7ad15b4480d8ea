//! Generated schedules: several people with documents of their own, networks that break, kills between an append and the disk,
//! rights that change, compactions. At the end nobody differs, and everything that was acknowledged is there.

use crate::world::*;
use lyceum_documents::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Draw(usize, u8),
    Delete(usize, u8),
    Type(usize, u8),
    Erase(usize, u8),
    Flush(usize),
    Leave(usize),
    Connect(usize),
    Write(u8),
    Wait(u16),
    Kill,
    May(usize, u8),
    Clear,
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0usize..4;
    prop_oneof![
        5 => (who.clone(), 0u8..6).prop_map(|(who, what)| Step::Draw(who, what)),
        2 => (who.clone(), 0u8..6).prop_map(|(who, what)| Step::Delete(who, what)),
        3 => (who.clone(), any::<u8>()).prop_map(|(who, at)| Step::Type(who, at)),
        2 => (who.clone(), any::<u8>()).prop_map(|(who, at)| Step::Erase(who, at)),
        8 => who.clone().prop_map(Step::Flush),
        1 => who.clone().prop_map(Step::Leave),
        3 => who.clone().prop_map(Step::Connect),
        5 => (0u8..5).prop_map(Step::Write),
        2 => (0u16..2_000).prop_map(Step::Wait),
        1 => Just(Step::Kill),
        1 => (who, 0u8..4).prop_map(|(who, rights)| Step::May(who, rights)),
        1 => Just(Step::Clear),
    ]
}

const NAMES: [&str; 4] = ["ann", "bob", "cem", "dana"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn inv_18_19_21_nobody_differs_and_nothing_acknowledged_is_lost(steps in prop::collection::vec(step(), 1..120)) {
        let limits = Limits { compact_updates: 6, linger_ms: 1_500, ..Limits::default() };
        let mut class = World::of("board:main:3:1", limits);
        let styles = [Style::Ours, Style::Stock, Style::Ours, Style::Stock];
        for (name, style) in NAMES.iter().zip(styles) {
            class.comes(name, ALL, style);
        }
        let mut acknowledged = 0;
        for step in steps {
            match step {
                Step::Draw(who, what) => class.people[who].draws(&format!("{}{what}", NAMES[who]), NAMES[who]),
                Step::Delete(who, what) => class.people[who].deletes(&format!("{}{what}", NAMES[who])),
                Step::Type(who, at) => class.people[who].types(at.into(), "wörter🙂"),
                Step::Erase(who, at) => class.people[who].erases(at.into(), 3),
                Step::Flush(who) => class.flushes(who),
                Step::Leave(who) => class.leaves(who),
                Step::Connect(who) => {
                    if class.unloaded {
                        class.restarts();
                    }
                    if class.people[who].key.is_none() {
                        class.connects(who);
                    }
                }
                Step::Write(most) => class.writes(most.into()),
                Step::Wait(ms) => class.waits(ms.into()),
                Step::Kill => class.is_killed(),
                Step::May(who, rights) => class.may(NAMES[who], [ALL, OWN, VIEW, NONE][usize::from(rights)]),
                Step::Clear => class.handle(Input::Clear { request: 1 }),
            }
            let newest = class.people.iter().flat_map(|person| &person.acked).max().copied().unwrap_or(0);
            acknowledged = acknowledged.max(newest);
            prop_assert!(class.disk.head() >= acknowledged, "an acknowledged update is not on the disk");
        }
        class.settles();

        // Everybody comes back with every right and a document of their own; what was refused is refused no more.
        class.restarts();
        for (who, name) in NAMES.iter().enumerate() {
            class.people[who].key = None;
            class.may(name, ALL);
            class.connects(who);
        }
        class.settles();
        class.settles();
        let late = class.comes("late", VIEW, Style::Ours);
        class.settles();
        let pulse = class.hub.pulse().unwrap();
        prop_assert!(pulse.seq >= acknowledged);
        for person in &class.people {
            prop_assert!(person.key.is_some(), "{} was put out: {:?}", person.name, person.closed);
            prop_assert_eq!(person.hash(), pulse.hash, "{}", &person.name);
            prop_assert_eq!(person.page(), class.people[late].page(), "{}", &person.name);
        }
        prop_assert_eq!(class.hub.stats().bad_snapshots, 0);

        // What is on the disk is that document.
        class.is_killed();
        prop_assert_eq!(class.hub.pulse().map(|pulse| pulse.hash), Some(pulse.hash));
    }
}
