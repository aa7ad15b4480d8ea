//! Whole classes in virtual time. The committed seeds gate; `SIM_SEEDS=100000..101000 make sim` searches, and a seed that finds
//! something is added to the list.

#![allow(clippy::expect_used, reason = "a test that meets the unexpected stops there")]

mod media;
mod state;
