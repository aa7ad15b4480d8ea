//! Messages, and the questions of the class. What was written is told only where the tenant wants it so.

use super::{Desk, Draft};
use crate::iri::{extensions as ext, types, verbs};
use lyceum_session::class::{Channel, ClassFact, MessageStatus};
use lyceum_session::{Fact, PersonId, Seq, Text};
use lyceum_xapi::{Json, Uuid};
use std::collections::BTreeMap;

/// Messages that a moderator let through, and where: it is that event that their statement belongs to.
#[derive(Default)]
pub(super) struct Posted {
    approved: BTreeMap<Seq, Seq>,
}

impl Posted {
    fn statement(&self, desk: &Desk<'_>, message: Seq) -> Uuid {
        desk.names.statement(self.approved.get(&message).copied().unwrap_or(message), "posted")
    }
}

pub(super) fn before(desk: &mut Desk<'_>, posted: &mut Posted) {
    let Fact::Class(fact) = &desk.event.fact else { return };
    match fact {
        ClassFact::ChatPosted { to, author, body, reply_to } => {
            post(desk, desk.event.seq, to, author.as_ref(), body, *reply_to);
        }
        ClassFact::ChatApproved { message, .. } => {
            // As many as the class remembers.
            posted.approved.retain(|known, _| desk.state.class.messages.contains_key(known));
            if let Some(held) = desk.state.class.messages.get(message) {
                posted.approved.insert(*message, desk.event.seq);
                post(desk, *message, &held.to, held.author.as_ref(), &held.body, held.reply_to);
            }
        }
        // What waits for a moderator was not told of yet.
        ClassFact::ChatEdited { message, .. } | ClassFact::ChatDeleted { message, .. } if is_held(desk, *message) => {}
        ClassFact::ChatEdited { message, to, author, body } => {
            let edited = Draft::new("edited", Some(author), verbs::EDITED, desk.message(*message))
                .about(Some(posted.statement(desk, *message)));
            let edited = addressed(desk, edited, to, Some(author));
            said(desk, edited, body);
        }
        ClassFact::ChatDeleted { message, to } => {
            let author = desk.state.class.messages.get(message).and_then(|known| known.author.as_ref());
            let deleted = Draft::new("deleted", desk.actor(), verbs::DELETED, desk.message(*message))
                .about(Some(posted.statement(desk, *message)));
            let deleted = addressed(desk, deleted, to, author);
            desk.tell(deleted);
        }
        ClassFact::BreakoutsBroadcasted { author, body } => {
            let message = desk.message(desk.event.seq);
            let broadcast =
                Draft::new("posted", author.as_ref(), verbs::POSTED, message).with(ext::VISIBILITY, "broadcast");
            said(desk, broadcast, body);
        }
        ClassFact::QaAsked { author, body, .. } => {
            let asked = Draft::new("asked", Some(author), verbs::ASKED, desk.question(desk.event.seq));
            said(desk, asked, body);
        }
        ClassFact::QaUpvoted { question, person, up: true } => {
            let voted = Draft::new("voted", Some(person), verbs::VOTED_UP, desk.question(*question));
            desk.tell(voted);
        }
        ClassFact::QaAnswered { question, author, body } => {
            let answered = Draft::new("responded", author.as_ref(), verbs::RESPONDED, desk.question(*question))
                .about(Some(desk.names.statement(*question, "asked")));
            said(desk, answered, body);
        }
        _ => {}
    }
}

fn post(desk: &mut Desk<'_>, id: Seq, to: &Channel, author: Option<&PersonId>, body: &Text, reply_to: Option<Seq>) {
    let reply_to = reply_to.map(|answered| desk.names.activity("message", &answered.to_string()));
    let posted = Draft::new("posted", author, verbs::POSTED, desk.message(id)).maybe_with(ext::REPLY_TO, reply_to);
    let posted = addressed(desk, posted, to, author);
    said(desk, posted, body);
}

fn is_held(desk: &Desk<'_>, message: Seq) -> bool {
    desk.state.class.messages.get(&message).is_some_and(|known| known.status == MessageStatus::Held)
}

/// Who can read it.
fn addressed(desk: &Desk<'_>, draft: Draft, to: &Channel, author: Option<&PersonId>) -> Draft {
    match to {
        Channel::Space { space } if space.is_main() => draft.with(ext::VISIBILITY, "public"),
        Channel::Space { space } => draft.with(ext::VISIBILITY, "group").in_team(desk.team(space)),
        Channel::Staff => draft.with(ext::VISIBILITY, "staff"),
        Channel::Pair { a, b } => draft.with(ext::VISIBILITY, "private").to(if author == Some(a) { b } else { a }),
    }
}

/// How long it is, and the words themselves where the tenant wants them told.
fn said(desk: &mut Desk<'_>, draft: Draft, body: &Text) {
    let draft = draft.maybe_with(ext::LENGTH, desk.length(body));
    let draft = match desk.told(desk.settings.texts.chat, body) {
        Some(text) => draft.result("response", text),
        None => draft,
    };
    desk.tell(draft);
}

impl Desk<'_> {
    fn message(&self, message: Seq) -> Json {
        self.thing("message", message, types::MESSAGE)
    }

    fn question(&self, question: Seq) -> Json {
        self.thing("question", question, types::QUESTION)
    }
}
