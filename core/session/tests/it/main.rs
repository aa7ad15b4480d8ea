//! A class as people notice it: short stories of what happens to them, and generated schedules of arrivals, losses, clock
//! jumps and crashes held against a simple model and against the log alone.

#![allow(clippy::expect_used, reason = "a test that meets the unexpected stops there")]

mod anything;
mod class;
mod commands;
mod devices;
mod groups;
mod leading;
mod lesson;
mod lessons;
mod log;
mod model;
mod paper;
mod polling;
mod saved;
mod schedules;
mod stories;
mod talking;
mod texts;
mod tries;
