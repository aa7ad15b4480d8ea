//! Whole classes in virtual time. The committed seeds gate; `SIM_SEEDS=100000..101000 make sim` searches, and a seed that finds
//! something is added to the list.

#![allow(clippy::expect_used, reason = "a test that meets the unexpected stops there")]

mod hostile;
mod media;
mod state;

/// Those that `SIM_SEEDS` names, or else those that gate.
fn seeds(gate: std::ops::Range<u64>, found: &[u64]) -> Vec<u64> {
    let range = std::env::var("SIM_SEEDS").ok();
    let Some((from, to)) = range.as_deref().and_then(|range| range.split_once("..")) else {
        return gate.chain(found.iter().copied()).collect();
    };
    let number = |text: &str| text.trim().parse::<u64>().expect("SIM_SEEDS is like 100..200");
    (number(from)..number(to)).collect()
}
