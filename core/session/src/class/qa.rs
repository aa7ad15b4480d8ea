//! Questions of the class: asked, voted for, answered; held back first where the policy says so.

use super::{Cap, ClassCommand, ClassFact, Desk, Did, check_text, did, nothing};
use crate::command::Reject;
use crate::event::Event;
use crate::ids::{PersonId, Seq, Text, UnixMs};
use crate::state::State;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A question.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Question {
    /// Who asked.
    pub author: PersonId,
    /// What.
    pub body: Text,
    /// When.
    pub at: UnixMs,
    /// It waits for a moderator.
    pub held: bool,
    /// Who wants to know as well.
    pub upvotes: BTreeSet<PersonId>,
    /// The answer, if it was written.
    pub answer: Option<Text>,
    /// Who answered.
    pub answered_by: Option<PersonId>,
}

/// Longest question or answer, in bytes.
const TEXT_BYTES: usize = 4_000;
/// Most questions of a session.
const MOST_QUESTIONS: usize = 2_000;
/// Most questions of one person that have no answer yet.
const MOST_OPEN: usize = 20;

pub(super) fn decide(desk: &Desk<'_>, command: &ClassCommand) -> Option<Did> {
    Some(match command {
        ClassCommand::QaAsk { body } => (|| {
            let author = desk.actor()?.clone();
            desk.need(Cap::QaAsk, "asking is not permitted")?;
            check_text(body, TEXT_BYTES)?;
            let questions = &desk.class.questions;
            let open = questions.values().filter(|known| known.author == author && known.answered_by.is_none());
            if questions.len() >= MOST_QUESTIONS || open.count() >= MOST_OPEN {
                return Err(Reject::Limit("too many questions are open"));
            }
            let held = desk.class.policy.qa_moderated && !desk.may(Cap::ChatModerate);
            did(ClassFact::QaAsked { author, body: body.clone(), held })
        })(),
        ClassCommand::QaUpvote { question, up } => (|| {
            let person = desk.actor()?;
            desk.need(Cap::QaAsk, "voting for questions is not permitted")?;
            let known = desk.question(*question)?;
            if known.held {
                return Err(NO_QUESTION);
            }
            if known.upvotes.contains(person) == *up {
                return nothing();
            }
            did(ClassFact::QaUpvoted { question: *question, person: person.clone(), up: *up })
        })(),
        ClassCommand::QaAnswer { question, body } => (|| {
            desk.need(Cap::ChatModerate, "answering for the class is not permitted")?;
            desk.question(*question)?;
            check_text(body, TEXT_BYTES)?;
            let author = desk.ctx.actor.clone();
            did(ClassFact::QaAnswered { question: *question, author, body: body.clone() })
        })(),
        ClassCommand::QaApprove { question } => (|| {
            desk.need(Cap::ChatModerate, "moderating is not permitted")?;
            match desk.question(*question)?.held {
                true => did(ClassFact::QaApproved { question: *question }),
                false => nothing(),
            }
        })(),
        ClassCommand::QaDismiss { question } => (|| {
            let known = desk.question(*question)?;
            if desk.ctx.actor.as_ref() != Some(&known.author) {
                desk.need(Cap::ChatModerate, "moderating is not permitted")?;
            }
            did(ClassFact::QaDismissed { question: *question })
        })(),
        _ => return None,
    })
}

const NO_QUESTION: Reject = Reject::NotFound("no such question");

impl Desk<'_> {
    fn question(&self, question: Seq) -> Result<&Question, Reject> {
        self.class.questions.get(&question).ok_or(NO_QUESTION)
    }
}

pub(super) fn apply(state: &mut State, event: &Event, fact: &ClassFact) -> bool {
    let questions = &mut state.class.questions;
    match fact {
        ClassFact::QaAsked { author, body, held } => {
            let question = Question {
                author: author.clone(),
                body: body.clone(),
                at: event.at,
                held: *held,
                upvotes: BTreeSet::new(),
                answer: None,
                answered_by: None,
            };
            questions.insert(event.seq, question);
        }
        ClassFact::QaUpvoted { question, person, up } => {
            if let Some(question) = questions.get_mut(question) {
                if *up {
                    question.upvotes.insert(person.clone())
                } else {
                    question.upvotes.remove(person)
                };
            }
        }
        ClassFact::QaAnswered { question, author, body } => {
            if let Some(question) = questions.get_mut(question) {
                question.answer = Some(body.clone());
                question.answered_by = author.clone();
                question.held = false;
            }
        }
        ClassFact::QaApproved { question } => {
            if let Some(question) = questions.get_mut(question) {
                question.held = false;
            }
        }
        ClassFact::QaDismissed { question } => {
            questions.remove(question);
        }
        _ => return false,
    }
    true
}
