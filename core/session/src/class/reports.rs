//! Reports of abuse: anybody may make one, staff sees it, and it stays.

use super::{ClassCommand, ClassFact, Desk, Did, check_text, did};
use crate::command::Reject;
use crate::event::Event;
use crate::ids::{PersonId, Seq, Text, UnixMs};
use crate::state::State;
use serde::{Deserialize, Serialize};

/// A report of abuse.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Report {
    /// Who reports.
    pub author: PersonId,
    /// Whom.
    pub person: PersonId,
    /// A message that shows it.
    pub message: Option<Seq>,
    /// What happened.
    pub body: Text,
    /// When it was reported.
    pub at: UnixMs,
}

/// Longest report, in bytes.
const TEXT_BYTES: usize = 4_000;
/// Most reports of one person in a session.
const MOST_REPORTS: usize = 50;

pub(super) fn decide(desk: &Desk<'_>, command: &ClassCommand) -> Option<Did> {
    let ClassCommand::ReportAbuse { person, message, body } = command else { return None };
    Some((|| {
        let author = desk.actor()?;
        if !desk.state.participants.contains_key(person) {
            return Err(Reject::NotFound("no such person in the session"));
        }
        check_text(body, TEXT_BYTES)?;
        if desk.class.reports.values().filter(|report| report.author == *author).count() >= MOST_REPORTS {
            return Err(Reject::Limit("too many reports of one person"));
        }
        let (author, person, body) = (author.clone(), person.clone(), body.clone());
        did(ClassFact::AbuseReported { author, person, message: *message, body })
    })())
}

pub(super) fn apply(state: &mut State, event: &Event, fact: &ClassFact) -> bool {
    let ClassFact::AbuseReported { author, person, message, body } = fact else { return false };
    let (author, person, body) = (author.clone(), person.clone(), body.clone());
    state.class.reports.insert(event.seq, Report { author, person, message: *message, body, at: event.at });
    true
}
