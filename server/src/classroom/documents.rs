//! The documents that are open on one state socket. Each is a seat at its document; all share the one line, so every message begins
//! with the name of its document. This module opens and closes them and translates; what may be done with them is decided there.

use crate::control::Refusal;
use crate::documents::{Documents, NotOpened, Outbound, Seat};
use axum::extract::ws::Message;
use lyceum_documents::{
    Code, DocId, Malformed, Message as Said, Style, read_named, write_ack, write_named, write_reset,
};
use lyceum_session::{PersonId, RoomName, TenantId};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::poll_fn;
use std::ops::Bound;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;

/// Most documents open on one socket.
pub const MOST_OPEN: usize = 16;
/// Longer names are no names of documents.
const MOST_NAME_BYTES: usize = 600;
/// So many documents may be opened in `OPENING_SPAN`.
const MOST_OPENINGS: usize = 32;
const OPENING_SPAN: Duration = Duration::from_secs(10);
/// The largest message that may hold an update of the largest size has so much around it.
const AROUND_UPDATE: usize = MOST_NAME_BYTES + 16;

/// The documents of one socket.
pub struct OpenDocuments {
    documents: Documents,
    tenant: TenantId,
    room: RoomName,
    person: PersonId,
    seats: BTreeMap<String, Seat>,
    /// Who was heard last: the others come first.
    heard: String,
    /// When the last documents were opened.
    opened: VecDeque<Instant>,
}

/// A document is closed or was not opened; the socket stays.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "t", rename = "doc_closed")]
pub struct Closed {
    doc: String,
    code: &'static str,
    message: String,
    /// Whether opening it again makes sense.
    retry: bool,
}

/// How a document is: `docs` of a pulse.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Pulse {
    seq: u64,
    hash: String,
}

impl OpenDocuments {
    /// None is open yet.
    pub fn new(documents: Documents, tenant: TenantId, room: RoomName, person: PersonId) -> Self {
        let (seats, heard, opened) = Default::default();
        Self { documents, tenant, room, person, seats, heard, opened }
    }

    /// Longest binary message that a client may send.
    pub fn most_bytes(documents: &Documents) -> usize {
        documents.max_frame_bytes() + AROUND_UPDATE
    }

    /// A binary message of the client. It may end a document; then the client is to be told.
    pub async fn take(&mut self, bytes: &[u8]) -> Result<Option<Closed>, Malformed> {
        let (name, message) = read_named(bytes)?;
        if name.len() > MOST_NAME_BYTES {
            return Err(Malformed("the name of a document is too long"));
        }
        if let Some(seat) = self.seats.get(name) {
            let known = seat.say(None, message.to_vec()).await;
            return Ok(if known { None } else { Some(self.close(name, "unavailable", "the class is over", true)) });
        }
        // Anything else has crossed the end of the document on its way, and was said of a state that is no more.
        let Said::Step1(_) = Said::read(message)? else { return Ok(None) };
        match self.open(name).await {
            Ok(seat) => {
                // If the class is over, the seat hears that.
                let _ = seat.say(None, message.to_vec()).await;
                self.seats.insert(name.to_owned(), seat);
                Ok(None)
            }
            Err((code, message, retry)) => Ok(Some(Closed { doc: name.to_owned(), code, message, retry })),
        }
    }

    /// The client has enough of a document.
    pub fn let_go(&mut self, name: &str) {
        self.seats.remove(name);
    }

    /// The next message that any of them has for the client. Waits for ever if none is open.
    pub async fn hear(&mut self) -> Option<Message> {
        let (name, outbound) = poll_fn(|cx| self.poll_hear(cx, None)).await;
        self.message(&name, outbound)
    }

    /// Asks all of them how they are.
    pub fn ask_for_pulses(&self) -> Asked {
        let asked = self.seats.iter().filter(|(_, seat)| seat.asks_for_pulse());
        Asked { waiting: asked.map(|(name, _)| name.clone()).collect(), pulses: BTreeMap::new() }
    }

    /// The next message that has to go out before the pulse; `None` when nothing has. A document that has answered is not heard
    /// before the pulse is out, so that the client has what the pulse says.
    pub async fn hear_before_pulse(&mut self, asked: &mut Asked) -> Option<Message> {
        while !asked.waiting.is_empty() {
            let (name, outbound) = poll_fn(|cx| self.poll_hear(cx, Some(&asked.waiting))).await;
            if let Some(Outbound::Pulse(pulse)) = outbound {
                asked.waiting.remove(&name);
                if let Some(pulse) = pulse {
                    let pulse = Pulse { seq: pulse.seq, hash: format!("{:08x}", pulse.hash) };
                    asked.pulses.insert(name, pulse);
                }
                continue;
            }
            let message = self.message(&name, outbound);
            if !self.seats.contains_key(&name) {
                asked.waiting.remove(&name);
            }
            if message.is_some() {
                return message;
            }
        }
        None
    }

    fn poll_hear(&mut self, cx: &mut Context<'_>, of: Option<&BTreeSet<String>>) -> Poll<(String, Option<Outbound>)> {
        let after = (Bound::Excluded(self.heard.clone()), Bound::Unbounded);
        let until = (Bound::Unbounded, Bound::Included(self.heard.clone()));
        for bounds in [after, until] {
            for (name, seat) in self.seats.range_mut::<String, _>(bounds) {
                if of.is_none_or(|of| of.contains(name))
                    && let Poll::Ready(outbound) = seat.poll_hear(cx)
                {
                    self.heard.clone_from(name);
                    return Poll::Ready((name.clone(), outbound));
                }
            }
        }
        Poll::Pending
    }

    fn message(&mut self, name: &str, outbound: Option<Outbound>) -> Option<Message> {
        let bytes = match outbound {
            Some(Outbound::Frame { frame, .. }) => write_named(name, &frame),
            Some(Outbound::Ack { seq }) => write_ack(name, seq),
            Some(Outbound::Reset { refusal, snapshot, seq }) => {
                self.seats.remove(name);
                write_reset(name, refusal, seq, &snapshot)
            }
            // Too late for the pulse that it was for.
            Some(Outbound::Pulse(_)) => return None,
            Some(Outbound::Close { code, reason }) => {
                let (code, retry) = match code {
                    Code::Malformed => ("invalid", false),
                    Code::Refused => ("forbidden", false),
                    Code::Again => ("stale", true),
                    Code::TooFast => ("rate", true),
                    Code::Unavailable => ("unavailable", true),
                };
                return self.close(name, code, reason, retry).text();
            }
            None => return self.close(name, "stale", "you did not keep up: open it again", true).text(),
        };
        Some(Message::Binary(bytes.into()))
    }

    fn close(&mut self, name: &str, code: &'static str, message: &str, retry: bool) -> Closed {
        self.seats.remove(name);
        Closed { doc: name.to_owned(), code, message: message.to_owned(), retry }
    }

    async fn open(&mut self, name: &str) -> Result<Seat, (&'static str, String, bool)> {
        if self.seats.len() >= MOST_OPEN {
            let message = format!("at most {MOST_OPEN} documents are open at a time: close another one first");
            return Err(("limit", message, false));
        }
        let now = Instant::now();
        while self.opened.front().is_some_and(|at| now.duration_since(*at) >= OPENING_SPAN) {
            self.opened.pop_front();
        }
        if self.opened.len() >= MOST_OPENINGS {
            return Err((
                "rate",
                "you open too many documents in a short time: try again in a moment".to_owned(),
                true,
            ));
        }
        self.opened.push_back(now);
        let id: DocId = name.parse().map_err(|error| ("not_found", format!("no document: {error}"), false))?;
        let opened = self.documents.open(&self.tenant, &self.room, &self.person, &id, Style::Ours).await;
        opened.map_err(|not_opened| {
            let (code, retry) = match &not_opened {
                NotOpened::NoSuchDocument | NotOpened::Class(Refusal::NoSuchRoom | Refusal::NoClass) => {
                    ("not_found", false)
                }
                NotOpened::NotInClass | NotOpened::Forbidden => ("forbidden", false),
                NotOpened::TooMany => ("limit", true),
                NotOpened::Class(_) => ("unavailable", true),
            };
            (code, not_opened.to_string(), retry)
        })
    }
}

/// Documents that were asked how they are.
pub struct Asked {
    waiting: BTreeSet<String>,
    /// Who has answered.
    pub pulses: BTreeMap<String, Pulse>,
}

impl Closed {
    fn text(&self) -> Option<Message> {
        let text = serde_json::to_string(self);
        text.map(|text| Message::Text(text.into()))
            .map_err(|error| tracing::error!(%error, "a message could not be written; this is a bug"))
            .ok()
    }
}
