//! What the record store knows of an Activity: the definitions that statements brought, laid over each other.

use crate::json::{Json, Object};

/// A definition that is longer than this, in bytes of JSON, is not grown any more: the newest one stands alone.
pub const MAX_DEFINITION: usize = 65_536;

/// Lays a newer definition over the one that is known: languages and extensions are added to, everything else is replaced.
pub fn merge(known: Option<&Json>, newer: &Json) -> Json {
    let (Some(known), Some(new)) = (known.and_then(Json::as_object), newer.as_object()) else { return newer.clone() };
    let mut merged = known.clone();
    for (name, value) in new.iter() {
        match (name, merged.get_mut(name), value) {
            ("name" | "description" | "extensions", Some(Json::Object(old)), Json::Object(new)) => {
                old.merge(new.iter().map(|(key, value)| (key.to_owned(), value.clone())));
            }
            _ => merged.set(name, value.clone()),
        }
    }
    let merged = Json::Object(merged);
    if merged.to_text().len() > MAX_DEFINITION { newer.clone() } else { merged }
}

/// The Activity object with this id.
pub fn activity(id: &str, definition: Option<&Json>) -> Json {
    let mut activity = Object::default();
    activity.set("objectType", "Activity".into());
    activity.set("id", id.into());
    if let Some(definition) = definition {
        activity.set("definition", definition.clone());
    }
    activity.into()
}

/// The activities of a statement that come with a definition: id and definition.
pub fn definitions(statement: &Json) -> Vec<(String, Json)> {
    let mut found = Vec::new();
    collect(statement, &mut found);
    found
}

fn collect(statement: &Json, found: &mut Vec<(String, Json)>) {
    let mut take = |activity: &Json| {
        if let (Some(id), Some(definition)) = (activity.get_str("id"), activity.get("definition")) {
            found.push((id.to_owned(), definition.clone()));
        }
    };
    if let Some(object) = statement.get("object")
        && crate::validate::is_activity(object)
    {
        take(object);
    }
    let lists = statement.get("context").and_then(|context| context.get("contextActivities"));
    for (_, list) in lists.and_then(Json::as_object).into_iter().flat_map(Object::iter) {
        match list {
            Json::Array(items) => items.iter().for_each(&mut take),
            one => take(one),
        }
    }
    if let Some(sub) = statement.get("object").filter(|object| object.get_str("objectType") == Some("SubStatement")) {
        collect(sub, found);
    }
}
