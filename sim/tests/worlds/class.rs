//! Worlds that are about the class: who has the state socket, in numbers. `SIM_FULL=1..4` has classes of 200 in 20 groups, each of
//! which takes an unoptimised build a minute.

use crate::seeds;
use lyceum_sim::class::story;

/// Seeds of small worlds that gate.
const SEEDS: std::ops::Range<u64> = 1..41;
/// Seeds beyond those that found something once.
const FOUND: &[u64] = &[103, 147, 201];
/// The seed of the large class that gates.
const FULL: u64 = 1;

#[test]
fn in_every_seeded_class_every_page_is_the_log_and_every_answer_counts() {
    for seed in seeds(SEEDS, FOUND) {
        println!("seed {seed}");
        story::small(seed);
    }
}

#[test]
fn a_large_class_goes_through_every_storm() {
    let Ok(named) = std::env::var("SIM_FULL") else {
        story::full(FULL, 60, 6);
        return;
    };
    for seed in crate::range(&named) {
        println!("seed {seed}");
        story::full(seed, 200, 20);
    }
}

#[test]
fn the_same_seed_is_the_same_class_message_by_message() {
    for seed in [1, 2, 3] {
        let (first, second) = (story::small(seed), story::small(seed));
        assert_eq!(first.trace(), second.trace(), "seed {seed}");
        assert!(first.trace().1 > 1_000, "seed {seed}: a world in which little happens shows little");
    }
}
