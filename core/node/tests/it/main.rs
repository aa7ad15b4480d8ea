//! Stories of a class: what each person in it would notice.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod class;
mod joining;
