//! What a class is. `decide` turns a command into facts, `State::stamp` gives them their place and time, `apply` folds them
//! into the state; nothing else changes it. There is no clock, no socket and no randomness here.

pub mod class;
mod command;
mod decide;
mod event;
mod ids;
mod reading;
mod saved;
mod state;

pub use command::{Command, Ctx, Reject};
pub use decide::decide;
pub use event::*;
pub use ids::*;
pub use saved::{SAVED_VERSION, Unusable};
pub use state::{Connection, Lost, Participant, Presence, State, apply};
