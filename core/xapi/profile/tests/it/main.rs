//! Logs of classes become statements: as stories, and from generated logs. Every statement that any test makes is held against the rules of
//! the Experience API and against the profile.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that meets the unexpected stops there")]

mod document;
mod generated;
mod secrets;
mod stories;
mod told;

// Classes to tell of: those that the tests of classes themselves use.
#[path = "../../../../session/tests/it/anything.rs"]
#[allow(dead_code)]
mod anything;
#[path = "../../../../session/tests/it/class.rs"]
#[allow(dead_code)]
mod class;
#[path = "../../../../session/tests/it/lesson.rs"]
#[allow(dead_code)]
mod lesson;
