//! Whole classes in virtual time. The committed seeds gate; `SIM_SEEDS=100000..101000 make sim` searches, and a seed that finds
//! something is added to the list.

#![allow(clippy::expect_used, reason = "a test that meets the unexpected stops there")]

mod class;
mod hostile;
mod media;
mod state;

/// Those that `SIM_SEEDS` names, or else those that gate.
fn seeds(gate: std::ops::Range<u64>, found: &[u64]) -> Vec<u64> {
    match std::env::var("SIM_SEEDS") {
        Ok(named) => range(&named).collect(),
        Err(_) => gate.chain(found.iter().copied()).collect(),
    }
}

/// Seeds as they are named: `100..200`.
fn range(named: &str) -> std::ops::Range<u64> {
    let (from, to) = named.split_once("..").expect("seeds are named like 100..200");
    let number = |text: &str| text.trim().parse::<u64>().expect("seeds are numbers");
    number(from)..number(to)
}
