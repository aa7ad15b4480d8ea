//! The data of the Experience API (xAPI), 2.0 (IEEE 9274.1.1) and 1.0.3, without anything that moves or keeps it: JSON as it came, a
//! validator that tells each breach with its place and rule, what a record store adds to a statement, when two statements are the same,
//! signatures, the formats of answers, what a statement can be found by, and bodies with attachments.
//!
//! It has no clock, no randomness and no IO, and can be used alone: by a record store, by whoever sends statements, or by a test.
//!
//! ```
//! use lyceum_xapi::{Json, Version, validate};
//!
//! let sent = br#"{"actor":{"mbox":"mailto:ada@example.org"},"verb":{"id":"https://example.org/met"},"object":{"id":"no IRI"}}"#;
//! let problems = validate::statement(&Json::parse(sent)?, Version::V2).unwrap_err();
//! assert_eq!(problems[0].to_string(), "/object/id: must be an absolute IRI");
//! # Ok::<_, lyceum_xapi::ParseError>(())
//! ```

pub mod activity;
pub mod actor;
pub mod compare;
pub mod digest;
pub mod format;
pub mod index;
mod json;
pub mod multipart;
mod normalise;
pub mod signature;
pub mod text;
pub mod validate;
mod version;

pub use json::{Json, MAX_DEPTH, Number, Object, ParseError, write_string};
pub use normalise::{Assigned, normalise};
pub use text::{Timestamp, TimestampForm, Uuid};
pub use version::Version;
