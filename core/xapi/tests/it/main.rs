//! The rules of the Experience API's data, one by one.

#![allow(clippy::unwrap_used)]

mod compare;
mod format;
mod index;
mod json;
mod multipart;
mod normalise;
mod signature;
mod text;
mod validate;

use lyceum_xapi::{Json, Object};

/// JSON from text that is right.
fn json(text: &str) -> Json {
    Json::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A small valid statement.
fn statement() -> Json {
    json(
        r#"{"actor":{"objectType":"Agent","mbox":"mailto:ada@example.org"},
            "verb":{"id":"http://adlnet.gov/expapi/verbs/answered","display":{"en":"answered"}},
            "object":{"id":"https://example.org/quiz/1"}}"#,
    )
}

/// A valid statement with one property set.
fn with(name: &str, value: &str) -> Json {
    let mut statement = statement();
    statement.as_object_mut().unwrap().set(name, json(value));
    statement
}

fn object(json: &mut Json) -> &mut Object {
    json.as_object_mut().unwrap()
}
