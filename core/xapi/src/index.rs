//! What a statement can be found by.

use crate::actor::Identifier;
use crate::json::{Json, Object};
use crate::text::Uuid;
use crate::validate::{VOIDED, is_activity};
use std::collections::BTreeSet;

/// Something that a statement is about, by which a query may ask for it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Term {
    /// The verb's IRI.
    Verb(String),
    /// `context.registration`.
    Registration(Uuid),
    /// The actor, or the object if that is an Agent or a Group; by [`Identifier::key`].
    Agent(String),
    /// An actor anywhere in the statement.
    RelatedAgent(String),
    /// The object, if that is an Activity.
    Activity(String),
    /// An Activity anywhere in the statement.
    RelatedActivity(String),
}

/// The terms of a valid statement, each once.
pub fn terms(statement: &Json) -> BTreeSet<Term> {
    let mut terms = BTreeSet::new();
    if let Some(verb) = statement.get("verb").and_then(|verb| verb.get_str("id")) {
        terms.insert(Term::Verb(verb.to_owned()));
    }
    let registration = statement.get("context").and_then(|context| context.get_str("registration"));
    if let Some(registration) = registration.and_then(Uuid::parse) {
        terms.insert(Term::Registration(registration));
    }
    for name in ["actor", "object"] {
        let actor = statement.get(name).filter(|actor| name == "actor" || is_actor(actor));
        if let Some(identifier) = actor.and_then(Identifier::of) {
            terms.insert(Term::Agent(identifier.key()));
        }
    }
    if let Some(activity) = statement.get("object").filter(|object| is_activity(object)).and_then(|a| a.get_str("id")) {
        terms.insert(Term::Activity(activity.to_owned()));
    }
    if let Some(object) = statement.as_object() {
        related(object, &mut terms);
    }
    terms
}

/// The statement that this one is about, if its object is a StatementRef.
pub fn target(statement: &Json) -> Option<Uuid> {
    let object = statement.get("object")?;
    let is_reference = object.get_str("objectType") == Some("StatementRef");
    is_reference.then(|| object.get_str("id").and_then(Uuid::parse)).flatten()
}

/// Whether this statement voids the one it is about.
pub fn voids(statement: &Json) -> bool {
    statement.get("verb").and_then(|verb| verb.get_str("id")) == Some(VOIDED)
}

/// The attachments of a statement and of its SubStatement.
pub fn attachments(statement: &Json) -> impl Iterator<Item = &Json> {
    let own = statement.get("attachments").and_then(Json::as_array).unwrap_or_default();
    let sub = statement.get("object").filter(|object| object.get_str("objectType") == Some("SubStatement"));
    let subs = sub.and_then(|sub| sub.get("attachments")).and_then(Json::as_array).unwrap_or_default();
    own.iter().chain(subs)
}

fn is_actor(object: &Json) -> bool {
    matches!(object.get_str("objectType"), Some("Agent" | "Group"))
}

fn related(statement: &Object, terms: &mut BTreeSet<Term>) {
    for (name, value) in statement.iter() {
        match name {
            "actor" | "authority" => actor(value, terms),
            "object" if is_actor(value) => actor(value, terms),
            "object" if is_activity(value) => activity(value, terms),
            "object" if value.get_str("objectType") == Some("SubStatement") => {
                if let Some(sub) = value.as_object() {
                    related(sub, terms);
                }
            }
            "context" => context(value, terms),
            _ => {}
        }
    }
}

fn context(context: &Json, terms: &mut BTreeSet<Term>) {
    for (name, value) in context.as_object().into_iter().flat_map(Object::iter) {
        match name {
            "instructor" | "team" => actor(value, terms),
            "contextActivities" => {
                for (_, list) in value.as_object().into_iter().flat_map(Object::iter) {
                    each(list, |one| activity(one, terms));
                }
            }
            "contextAgents" => each(value, |role| role.get("agent").into_iter().for_each(|one| actor(one, terms))),
            "contextGroups" => each(value, |role| role.get("group").into_iter().for_each(|one| actor(one, terms))),
            _ => {}
        }
    }
}

fn actor(actor: &Json, terms: &mut BTreeSet<Term>) {
    if let Some(identifier) = Identifier::of(actor) {
        terms.insert(Term::RelatedAgent(identifier.key()));
    }
    for member in actor.get("member").and_then(Json::as_array).unwrap_or_default() {
        if let Some(identifier) = Identifier::of(member) {
            terms.insert(Term::RelatedAgent(identifier.key()));
        }
    }
}

fn activity(activity: &Json, terms: &mut BTreeSet<Term>) {
    if let Some(id) = activity.get_str("id") {
        terms.insert(Term::RelatedActivity(id.to_owned()));
    }
}

fn each<'a>(list: &'a Json, mut visit: impl FnMut(&'a Json)) {
    match list {
        Json::Array(items) => items.iter().for_each(visit),
        one => visit(one),
    }
}
