//! Any log that a class can make.

use crate::anything::{Step, in_full_swing, steps, takes};
use crate::lesson::Lesson;
use crate::told::{check, project, settings, with_texts};
use lyceum_profile::Projector;
use lyceum_session::{Command, EndReason, Event};
use lyceum_xapi::Json;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, RngSeed};

fn config() -> ProptestConfig {
    let mut config = ProptestConfig::default();
    if config.cases == 256 {
        config.cases = 24;
    }
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(20_261_124);
    }
    config.failure_persistence = Some(Box::new(FileFailurePersistence::Direct("tests/it/generated.txt")));
    config
}

fn log_of(steps: Vec<Step>, ends: bool) -> Vec<Event> {
    let mut lesson: Lesson = in_full_swing();
    lesson.pages.clear();
    for step in steps {
        takes(&mut lesson, step);
        lesson.pages.clear();
    }
    if ends && !lesson.state.ended {
        lesson.server(Command::End { reason: EndReason::Ended }).expect("it may end");
    }
    lesson.log
}

/// How the log has them: written and read again.
fn stored(log: &[Event]) -> Vec<Event> {
    log.iter()
        .map(|event| {
            serde_json::from_str(&serde_json::to_string(event).expect("an event is JSON")).expect("and can be read")
        })
        .collect()
}

fn texts(statements: &[Json]) -> Vec<String> {
    statements.iter().map(Json::to_text).collect()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_log_becomes_valid_statements_and_always_the_same(
        steps in vec(steps(), 1..120),
        ends in any::<bool>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let log = log_of(steps, ends);
        let statements = project(&log, settings());
        check(&statements);
        check(&project(&log, with_texts()));

        let again = project(&stored(&log), settings());
        prop_assert_eq!(texts(&statements), texts(&again), "the same log gives the same bytes");

        let cut = cut.index(log.len());
        let prefix = project(&log[..cut], settings());
        prop_assert_eq!(&texts(&statements)[..prefix.len()], &texts(&prefix)[..], "a prefix gives a prefix");

        // Everybody who came in leaves, and nobody leaves twice.
        let ended = log.last().is_some_and(|event| matches!(event.fact, lyceum_session::Fact::SessionEnded { .. }));
        prop_assert_eq!(balance(&statements).values().all(|open| *open == 0 || (*open == 1 && !ended)), true);
    }
}

/// Of each actor and activity, how often they joined more than they left.
fn balance(statements: &[Json]) -> std::collections::BTreeMap<(String, String, bool), i32> {
    let mut open = std::collections::BTreeMap::new();
    for statement in statements {
        let verb = crate::told::text(statement, &["verb", "id"]);
        let step = match verb {
            "http://activitystrea.ms/join" => 1,
            "http://activitystrea.ms/leave" => -1,
            _ => continue,
        };
        let actor = crate::told::text(statement, &["actor", "account", "name"]).to_owned();
        let object = crate::told::text(statement, &["object", "id"]).to_owned();
        let visit = crate::told::context(statement, lyceum_profile::iri::extensions::VISIT).is_some();
        *open.entry((actor, object, visit)).or_default() += step;
    }
    open
}

#[test]
fn a_log_with_a_gap_is_refused() {
    let log = log_of(Vec::new(), true);
    let mut projector = Projector::new(settings());
    projector.project(&log[0]).expect("the first");
    let refused = projector.project(&log[2]).expect_err("not the next");
    assert_eq!(refused.to_string(), "event 3 follows event 1: the log has a gap, or is read out of order");
    projector.project(&log[1]).expect("nothing is lost by it");
}
