//! What happened in a class, as statements of the Experience API: the projection of a session's log ([`Projector`]), the xAPI Profile that
//! describes them ([`profile`]), and a validator of statements against a profile ([`Templates`]).
//!
//! All of it is a pure function. The same log and the same [`Settings`] give the same bytes, so that a store that already has a statement
//! knows it again, and whoever doubts the records can make them anew.
//!
//! # What is told, and what is not
//!
//! `docs/learning-events.md` has the table. Not told, though a vocabulary for it exists:
//!
//! - *Session scheduled, cmi5 launch*: nothing here plans sessions; they begin when somebody comes.
//! - *Recording, its playback*: there is none yet.
//! - *Whiteboard strokes, notes*: drawings and notes are documents of their own, whose logs hold no events of the class.
//! - *Files downloaded*: who fetches a file is not in the log.
//! - *Each reaction*: reactions are passed on and kept nowhere; their counts are told.
//! - *Passed, failed*: quizzes have no mark from which on one has passed.
//! - *AI tutor*: there is none.
//! - *Reports of abuse*: whoever reports somebody does not do so to be found in records of learning.
//! - *Locks, policies, timers, choices of tracks*: how a class is run says nothing of learning.

pub mod iri;
mod make;
mod naming;
mod profile;
mod project;
mod templates;

pub use naming::SERVER_ACCOUNT;
pub use profile::{document, profile};
pub use project::{MAPPING_MAJOR, OutOfOrder, Projector, Settings, Texts};
pub use templates::{BadProfile, Templates, Unfit, Verdict};
