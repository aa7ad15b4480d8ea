//! Stories of a class: what each person in it would notice.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod anything;
mod choosing;
mod class;
mod data;
mod durability;
mod hostile;
mod joining;
mod memory;
mod orders;
mod profile;
mod publishing;
mod quality;
mod resuming;
mod screen;
mod screens;
mod spaces;
mod subscribing;
