//! Messages: to a Space, to one person, to staff. A message is named by its place in the log. The newest are kept in the
//! state, so that they can be shown to who comes later, changed by their authors for a while, and taken away by moderators;
//! older ones are in the log only.

use super::policy::{ChatMode, DirectMessages};
use super::{Cap, ClassCommand, ClassFact, Desk, Did, check_text, did, nothing};
use crate::command::Reject;
use crate::event::Event;
use crate::ids::{PersonId, Seq, SpaceName, Text, UnixMs};
use crate::state::State;
use serde::{Deserialize, Serialize};

/// Where somebody writes to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", tag = "kind")]
#[allow(missing_docs)]
pub enum To {
    /// Everybody in a Space.
    Space { space: SpaceName },
    /// One person.
    Person { person: PersonId },
    /// Staff.
    Staff,
}

/// Where a message can be read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", tag = "kind")]
#[allow(missing_docs)]
pub enum Channel {
    /// By everybody in a Space.
    Space { space: SpaceName },
    /// By two people, in the order of their names.
    Pair { a: PersonId, b: PersonId },
    /// By staff and its author.
    Staff,
}

/// A message.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Message {
    /// Where it can be read.
    pub to: Channel,
    /// Who wrote it; `None` is the application.
    pub author: Option<PersonId>,
    /// What it says; empty if it was deleted.
    pub body: Text,
    /// Which message it answers.
    pub reply_to: Option<Seq>,
    /// When it was written.
    pub at: UnixMs,
    /// Whether it is shown.
    pub status: MessageStatus,
    /// When it was changed last.
    pub edited_at: Option<UnixMs>,
    /// Whether it is pinned.
    pub pinned: bool,
}

/// Whether a message is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum MessageStatus {
    /// It is.
    Posted,
    /// It waits for a moderator.
    Held,
    /// Only that there was one.
    Deleted,
}

/// Longest message, in bytes.
const MESSAGE_BYTES: usize = 4_000;
/// Messages kept in the state.
pub(super) const MESSAGES_KEPT: usize = 2_000;
/// Most messages of one person in [`RATE_MS`].
const RATE: usize = 20;
const RATE_MS: u64 = 10_000;
/// Most pinned messages.
const MOST_PINNED: usize = 20;

pub(super) fn decide(desk: &Desk<'_>, command: &ClassCommand) -> Option<Did> {
    Some(match command {
        ClassCommand::ChatSend { to, body, reply_to } => desk.send(to.as_ref(), body, *reply_to),
        ClassCommand::ChatEdit { message, body } => (|| {
            let actor = desk.actor()?;
            let known = desk.readable(*message)?;
            if known.author.as_ref() != Some(actor) {
                return Err(Reject::Forbidden("only its author changes a message"));
            }
            desk.need(Cap::ChatSend, "writing is not permitted")?;
            check_text(body, MESSAGE_BYTES)?;
            if known.at.plus(desk.class.policy.chat_edit_window_ms) < desk.now {
                return Err(Reject::Closed("the time to change this message is over"));
            }
            let is_moderated = desk.class.policy.chat == ChatMode::Moderated && !desk.may(Cap::ChatModerate);
            if is_moderated && known.status == MessageStatus::Posted {
                return Err(Reject::Forbidden("what a moderator has approved stays as it is"));
            }
            if known.body == *body {
                return nothing();
            }
            let (to, author, body) = (known.to.clone(), actor.clone(), body.clone());
            did(ClassFact::ChatEdited { message: *message, to, author, body })
        })(),
        ClassCommand::ChatDelete { message } => (|| {
            let known = desk.readable(*message)?;
            if desk.ctx.actor.is_none() || known.author != desk.ctx.actor {
                desk.need(Cap::ChatModerate, "deleting what others wrote is not permitted")?;
            }
            did(ClassFact::ChatDeleted { message: *message, to: known.to.clone() })
        })(),
        ClassCommand::ChatApprove { message } => (|| {
            let known = desk.held(*message)?;
            did(ClassFact::ChatApproved { message: *message, to: known.to.clone() })
        })(),
        ClassCommand::ChatReject { message } => (|| {
            let known = desk.held(*message)?;
            did(ClassFact::ChatRejected { message: *message, author: known.author.clone() })
        })(),
        ClassCommand::ChatPin { message, pinned } => (|| {
            desk.need(Cap::ChatModerate, "pinning messages is not permitted")?;
            let known = desk.readable(*message)?;
            if known.status != MessageStatus::Posted {
                return Err(Reject::Conflict("this message is not shown"));
            }
            if known.pinned == *pinned {
                return nothing();
            }
            if *pinned && desk.class.messages.values().filter(|message| message.pinned).count() >= MOST_PINNED {
                return Err(Reject::Limit("too many pinned messages"));
            }
            did(ClassFact::ChatPinned { message: *message, to: known.to.clone(), pinned: *pinned })
        })(),
        _ => return None,
    })
}

impl Desk<'_> {
    fn send(&self, to: Option<&To>, body: &Text, reply_to: Option<Seq>) -> Did {
        self.need(Cap::ChatSend, "writing is not permitted")?;
        let author = self.ctx.actor.clone();
        let to = match to {
            None => Channel::Space { space: self.space(None)?.0 },
            Some(To::Space { space }) => Channel::Space { space: self.space(Some(space))?.0 },
            Some(To::Staff) => Channel::Staff,
            Some(To::Person { person }) => self.direct(person)?,
        };
        if let (Some(author), Channel::Space { space }) = (&author, &to)
            && !self.is_in(author, space)
        {
            self.need(Cap::BreakoutVisit, "writing to a Space from outside is not permitted")?;
        }
        if let Some(answered) = reply_to
            && self.readable(answered)?.to != to
        {
            return Err(Reject::Invalid("the answered message stands elsewhere"));
        }
        check_text(body, MESSAGE_BYTES)?;
        if let Some(author) = &author {
            self.not_too_fast(author)?;
        }
        let body = body.clone();
        let is_public = !matches!(to, Channel::Staff);
        if self.class.policy.chat == ChatMode::Moderated && is_public && !self.may(Cap::ChatModerate) {
            return did(ClassFact::ChatHeld { to, author, body, reply_to });
        }
        did(ClassFact::ChatPosted { to, author, body, reply_to })
    }

    fn direct(&self, person: &PersonId) -> Result<Channel, Reject> {
        let actor = self.actor()?;
        self.need(Cap::ChatDm, "writing to one person is not permitted")?;
        let known = self.seat(person)?;
        if person == actor || known.profile.permission.hidden {
            return Err(Reject::NotFound("no such person to write to"));
        }
        let with_staff = known.profile.role.is_staff() || self.seat(actor)?.profile.role.is_staff();
        match self.class.policy.direct_messages {
            DirectMessages::All => {}
            DirectMessages::Staff if with_staff => {}
            _ => return Err(Reject::Forbidden("the room's policy does not permit writing to this person")),
        }
        let (a, b) = if actor < person { (actor, person) } else { (person, actor) };
        Ok(Channel::Pair { a: a.clone(), b: b.clone() })
    }

    fn not_too_fast(&self, author: &PersonId) -> Result<(), Reject> {
        let since = UnixMs(self.now.0.saturating_sub(RATE_MS));
        let recent = self.class.messages.values().rev().take_while(|message| message.at > since);
        let own: Vec<UnixMs> =
            recent.filter(|message| message.author.as_ref() == Some(author)).map(|message| message.at).collect();
        match own.get(RATE - 1) {
            Some(oldest) => Err(Reject::Rate { retry_ms: oldest.plus(RATE_MS).0 - self.now.0 }),
            None => Ok(()),
        }
    }

    /// A message that the actor can read and that is not gone.
    fn readable(&self, message: Seq) -> Result<&Message, Reject> {
        let found = self.class.messages.get(&message).filter(|known| known.status != MessageStatus::Deleted);
        let known = found.ok_or(NO_MESSAGE)?;
        match &self.ctx.actor {
            Some(actor) if !self.state.reads(actor, &known.to, known.author.as_ref()) => Err(NO_MESSAGE),
            _ => Ok(known),
        }
    }

    fn held(&self, message: Seq) -> Result<&Message, Reject> {
        self.need(Cap::ChatModerate, "moderating is not permitted")?;
        let known = self.class.messages.get(&message);
        known.filter(|known| known.status == MessageStatus::Held).ok_or(NO_MESSAGE)
    }
}

const NO_MESSAGE: Reject = Reject::NotFound("no such message");

impl State {
    /// Whether a person can read what stands in a channel.
    pub(super) fn reads(&self, person: &PersonId, channel: &Channel, author: Option<&PersonId>) -> bool {
        match channel {
            Channel::Space { space } => {
                let everywhere = self.grant(person).caps.has(Cap::BreakoutVisit);
                self.grant(person).caps.has(Cap::ChatRead) && (everywhere || self.is_in(person, space))
            }
            Channel::Pair { a, b } => person == a || person == b,
            Channel::Staff => {
                author == Some(person) || self.seat(person).is_some_and(|known| known.profile.role.is_staff())
            }
        }
    }
}

pub(super) fn apply(state: &mut State, event: &Event, fact: &ClassFact) -> bool {
    let messages = &mut state.class.messages;
    match fact {
        ClassFact::ChatPosted { to, author, body, reply_to } | ClassFact::ChatHeld { to, author, body, reply_to } => {
            let held = matches!(fact, ClassFact::ChatHeld { .. });
            let message = Message {
                to: to.clone(),
                author: author.clone(),
                body: body.clone(),
                reply_to: *reply_to,
                at: event.at,
                status: if held { MessageStatus::Held } else { MessageStatus::Posted },
                edited_at: None,
                pinned: false,
            };
            messages.insert(event.seq, message);
            if messages.len() > MESSAGES_KEPT
                && let Some(oldest) = messages.iter().find(|(_, message)| !message.pinned).map(|(id, _)| *id)
            {
                messages.remove(&oldest);
            }
        }
        ClassFact::ChatApproved { message, .. } => {
            if let Some(message) = messages.get_mut(message) {
                message.status = MessageStatus::Posted;
            }
        }
        ClassFact::ChatRejected { message, .. } => {
            messages.remove(message);
        }
        ClassFact::ChatEdited { message, body, .. } => {
            if let Some(message) = messages.get_mut(message) {
                message.body = body.clone();
                message.edited_at = Some(event.at);
            }
        }
        ClassFact::ChatDeleted { message, .. } => {
            if let Some(message) = messages.get_mut(message) {
                message.status = MessageStatus::Deleted;
                message.body = Text::default();
                message.pinned = false;
            }
        }
        ClassFact::ChatPinned { message, pinned, .. } => {
            if let Some(message) = messages.get_mut(message) {
                message.pinned = *pinned;
            }
        }
        _ => return false,
    }
    true
}
