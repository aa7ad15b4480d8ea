//! Any command from anybody at any time, most of them senseless: nothing panics, refusals change nothing, pages follow by
//! entities alone, the log read again gives the same class, and no timer is due for ever.

use crate::anything::{in_full_swing, search, steps, takes};
use crate::lesson::*;
use lyceum_session::class::*;
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #![proptest_config(search())]

    #[test]
    fn anything_may_be_tried(steps in vec(steps(), 1..160)) {
        let mut lesson = in_full_swing();
        lesson.pages.retain(|person, _| [TA, ANN].contains(&person.0.as_str()));
        for step in steps {
            takes(&mut lesson, step);
            lesson.pages.retain(|person, _| [TA, ANN].contains(&person.0.as_str()));
        }
        lesson.restarts();
        let viewers: Vec<Viewer> = [TEACHER, ANN, "stranger"].iter().map(|p| lesson.state.viewer(&(*p).into())).collect();
        for event in &lesson.log {
            for viewer in &viewers {
                if let Some(seen) = lesson.state.event_for(event, viewer) {
                    prop_assert_eq!((seen.seq, seen.at, &seen.actor), (event.seq, event.at, &event.actor));
                }
            }
        }
    }
}
