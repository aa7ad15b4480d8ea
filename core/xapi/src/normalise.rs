//! From what a client sent to what is stored: the record store's own properties are set, single context activities become lists, and
//! everything else stays as it came.

use crate::json::Json;
use crate::text::{Timestamp, TimestampForm, Uuid};
use crate::version::Version;

/// What the record store decides about a statement.
#[derive(Clone, Debug)]
pub struct Assigned<'a> {
    /// For a statement that brings none.
    pub id: Uuid,
    /// When it is stored.
    pub stored: Timestamp,
    /// Who vouches for it: whoever sent it, by their credentials.
    pub authority: &'a Json,
    /// The version under which it was sent.
    pub version: Version,
}

/// Makes a valid statement what is stored. Returns its id.
pub fn normalise(statement: &mut Json, assigned: &Assigned<'_>) -> Uuid {
    lists(statement);
    let sub_statement = statement.get_str("objectType") != Some("SubStatement") && is_sub(statement.get("object"));
    let Some(object) = statement.as_object_mut() else { return assigned.id };
    if sub_statement && let Some(sub) = object.get_mut("object") {
        lists(sub);
        utc(sub, assigned.version);
    }
    let given = object.get("id").and_then(Json::as_str).and_then(Uuid::parse);
    if given.is_none() {
        object.set("id", assigned.id.to_string().into());
    }
    let stored: Json = assigned.stored.to_string().into();
    if object.get("timestamp").is_none() {
        object.set("timestamp", stored.clone());
    }
    object.set("stored", stored);
    object.set("authority", assigned.authority.clone());
    if object.get("version").is_none() {
        object.set("version", assigned.version.of_statements().into());
    }
    utc(statement, assigned.version);
    given.unwrap_or(assigned.id)
}

fn is_sub(object: Option<&Json>) -> bool {
    object.is_some_and(|object| object.get_str("objectType") == Some("SubStatement"))
}

/// A context activity that stands alone becomes a list of one.
fn lists(statement: &mut Json) {
    let activities = statement
        .as_object_mut()
        .and_then(|object| object.get_mut("context"))
        .and_then(Json::as_object_mut)
        .and_then(|context| context.get_mut("contextActivities"))
        .and_then(Json::as_object_mut);
    for (_, value) in activities.into_iter().flat_map(|activities| activities.iter_mut()) {
        if matches!(value, Json::Object(_)) {
            let one = std::mem::replace(value, Json::Null);
            *value = Json::Array(vec![one]);
        }
    }
}

/// 2.0 keeps timestamps in UTC; those that are so already stay as they came.
fn utc(statement: &mut Json, version: Version) {
    let Some(timestamp) = statement.as_object_mut().and_then(|object| object.get_mut("timestamp")) else { return };
    let Some(text) = timestamp.as_str().filter(|text| version == Version::V2 && !text.ends_with(['Z', 'z'])) else {
        return;
    };
    if let Some(moment) = Timestamp::parse(text, TimestampForm::Rfc3339) {
        *timestamp = moment.to_string().into();
    }
}
