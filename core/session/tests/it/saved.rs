//! A state that was saved goes on as if it had never been anything but a fold of its log.

use crate::anything::{Step, in_full_swing, search, steps, takes};
use crate::lesson::*;
use lyceum_session::*;
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #![proptest_config(search())]

    #[test]
    fn a_saved_state_and_the_rest_of_the_log_are_the_whole_log(before in vec(steps(), 0..80), after in vec(steps(), 0..80)) {
        let mut lesson = in_full_swing();
        lesson.pages.clear();
        run(&mut lesson, before);
        let saved = lesson.state.save();
        let (events, records) = (lesson.log.len(), lesson.side.len());
        run(&mut lesson, after);

        let mut state = State::restore(&saved).expect("what was saved can be restored");
        prop_assert_eq!(state.save(), saved, "a text for a state, and a state for a text");
        let mut side = lesson.side[records..].iter().zip(&lesson.kept_at[records..]).peekable();
        for at in events..=lesson.log.len() {
            while let Some((record, _)) = side.next_if(|(_, kept_at)| **kept_at == at) {
                state.keep(record);
            }
            if let Some(event) = lesson.log.get(at) {
                apply(&mut state, event);
            }
        }
        prop_assert_eq!(state.hash(), lesson.state.hash());
        prop_assert_eq!(&state, &lesson.state);
        lesson.restarts();
        prop_assert_eq!(state.hash(), lesson.state.hash(), "a restart gives another hash");
    }

    #[test]
    fn states_have_the_same_hash_exactly_if_they_are_the_same(steps in vec(steps(), 1..40)) {
        let mut lesson = in_full_swing();
        lesson.pages.clear();
        for step in steps {
            let before = lesson.state.clone();
            run(&mut lesson, vec![step]);
            prop_assert_eq!(before == lesson.state, before.hash() == lesson.state.hash());
        }
    }
}

fn run(lesson: &mut Lesson, steps: Vec<Step>) {
    for step in steps {
        takes(lesson, step);
        lesson.pages.clear();
    }
}

#[test]
fn a_state_of_another_version_or_a_damaged_one_is_refused() {
    let saved = in_full_swing().state.save();
    let other = format!("{{\"version\":{},\"state\":{{}}}}", SAVED_VERSION + 1);
    assert_eq!(State::restore(&other), Err(Unusable::Version { found: SAVED_VERSION + 1 }));
    for cut in [0, 1, 20, saved.len() / 2, saved.len() - 1] {
        assert!(matches!(State::restore(&saved[..cut]), Err(Unusable::Malformed(_))), "{cut} bytes of it");
    }
    let without_seq = saved.replacen("\"seq\":", "\"sequence\":", 1);
    assert!(matches!(State::restore(&without_seq), Err(Unusable::Malformed(_))));
}
