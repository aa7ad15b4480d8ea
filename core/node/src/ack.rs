//! The one answer to a command, as it is written on the wire and in REST.

use crate::api::{ClientId, OrderId};
use lyceum_session as session;
use serde::Serialize;
use session::class::{Grant, Outcome, ResponseOutcome};
use session::{CmdId, Reject, Seq};

/// What became of a command; `docs/protocol.md` has the fields.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "t", rename = "ack")]
pub struct Ack {
    /// Which command.
    pub id: CmdId,
    /// Whether it happened.
    pub status: Status,
    /// Whether this repeats an earlier answer.
    #[serde(skip_serializing_if = "is_false")]
    pub repeated: bool,
    /// Its first event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<Seq>,
    /// Its last event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Seq>,
    /// What became of a response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<ResponseOutcome>,
    /// Whether media and documents have let go of what the command took away.
    pub enforced: bool,
    /// Why not, in a word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// Why not, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The grant in force, for `stale_grant`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
    /// The revision in force, for a `conflict` of revisions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<Seq>,
    /// When to try again, for `rate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_ms: Option<u64>,
    /// Where a late answer was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<Seq>,
}

/// Whether a command happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Status {
    Accepted,
    Rejected,
}

/// Who waits for the answer to a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Asker {
    /// A state socket.
    Socket(ClientId),
    /// Whoever gave an order.
    Order(OrderId),
}

impl Ack {
    /// From the outcome of a command.
    pub fn of(id: CmdId, outcome: Outcome, repeated: bool) -> Self {
        match outcome {
            Outcome::Accepted { places, response } => {
                let (first, last) = places.unzip();
                Self { repeated, first, last, response, ..Self::accepted(id) }
            }
            Outcome::Rejected { reject, kept } => Self { repeated, kept, ..Self::rejected(id, &reject) },
        }
    }

    fn accepted(id: CmdId) -> Self {
        Self {
            id,
            status: Status::Accepted,
            repeated: false,
            first: None,
            last: None,
            response: None,
            enforced: true,
            code: None,
            message: None,
            grant: None,
            current: None,
            retry_ms: None,
            kept: None,
        }
    }

    /// A refusal in words: a code of the closed set, and a sentence.
    pub fn refused(id: CmdId, code: &'static str, message: String) -> Self {
        Self { status: Status::Rejected, code: Some(code), message: Some(message), ..Self::accepted(id) }
    }

    /// A refusal.
    pub fn rejected(id: CmdId, reject: &Reject) -> Self {
        let mut ack = Self::refused(id, reject.code(), reject.to_string());
        match reject {
            Reject::StaleGrant { epoch, caps } => ack.grant = Some(Grant { epoch: *epoch, caps: *caps }),
            Reject::Stale { current } => ack.current = Some(*current),
            Reject::Rate { retry_ms } => ack.retry_ms = Some(*retry_ms),
            _ => {}
        }
        ack
    }
}

fn is_false(value: &bool) -> bool {
    !value
}
