//! Whether two statements are the same one. A statement never changes once it is stored; but what the record store itself assigns, what
//! belongs to an Activity and not to the statement, and the order of things that have none, may differ between two copies.

use crate::json::{Json, Object};
use crate::text::{Duration, Timestamp, TimestampForm};
use crate::validate::SIGNATURE;

/// Whether a statement that is sent again is the one that is stored.
pub fn same_statement(a: &Json, b: &Json) -> bool {
    same_parts(a, b, Attachments::AsTheyAre)
}

/// Whether the payload of a signature is the statement that it signs: the signature itself cannot be in it.
pub fn signed_statement(payload: &Json, statement: &Json) -> bool {
    same_parts(payload, statement, Attachments::WithoutSignatures)
}

#[derive(Clone, Copy, PartialEq)]
enum Attachments {
    AsTheyAre,
    WithoutSignatures,
}

fn same_parts(a: &Json, b: &Json, attachments: Attachments) -> bool {
    let (Some(a), Some(b)) = (a.as_object(), b.as_object()) else { return false };
    // What the record store may have added to one of them is compared only if both have it.
    let both = |name, same: fn(&Json, &Json) -> bool| match (a.get(name), b.get(name)) {
        (Some(a), Some(b)) => same(a, b),
        _ => true,
    };
    both("id", same_text_in_any_case)
        && both("timestamp", same_moment)
        && same_acts(a, b)
        && same_set(&signed(a, attachments), &signed(b, attachments), same_attachment)
}

/// What statements and SubStatements share.
fn same_acts(a: &Object, b: &Object) -> bool {
    same_optional(a, b, "actor", same_actor)
        && same_optional(a, b, "verb", |a, b| a.get("id") == b.get("id"))
        && same_optional(a, b, "object", same_target)
        && same_optional(a, b, "result", same_result)
        && same_optional(a, b, "context", same_context)
}

fn signed(statement: &Object, attachments: Attachments) -> Vec<&Json> {
    let all = statement.get("attachments").and_then(Json::as_array).unwrap_or_default();
    let stays = |one: &&Json| attachments == Attachments::AsTheyAre || one.get_str("usageType") != Some(SIGNATURE);
    all.iter().filter(stays).collect()
}

fn same_attachment(a: &Json, b: &Json) -> bool {
    let part = |name| match (a.get(name), b.get(name)) {
        (Some(a), Some(b)) => same_value(a, b),
        (None, None) => true,
        _ => false,
    };
    let sums = match (a.get("sha2"), b.get("sha2")) {
        (Some(a), Some(b)) => same_text_in_any_case(a, b),
        _ => false,
    };
    sums && part("usageType") && part("contentType") && part("length") && part("display") && part("description")
}

fn same_actor(a: &Json, b: &Json) -> bool {
    let kind = |actor: &Json| actor.get_str("objectType").unwrap_or("Agent").to_owned();
    let (Some(a_object), Some(b_object)) = (a.as_object(), b.as_object()) else { return false };
    kind(a) == kind(b)
        && same_names(a_object, b_object, &["objectType"], |name, a, b| match name {
            "member" => same_list_as_set(a, b, same_actor),
            "mbox_sha1sum" => same_text_in_any_case(a, b),
            _ => same_value(a, b),
        })
}

fn same_target(a: &Json, b: &Json) -> bool {
    let kind = |target: &Json| target.get_str("objectType").unwrap_or("Activity").to_owned();
    if kind(a) != kind(b) {
        return false;
    }
    match kind(a).as_str() {
        "Activity" => a.get("id") == b.get("id"),
        "StatementRef" => same_reference(a, b),
        "SubStatement" => match (a.as_object(), b.as_object()) {
            (Some(a), Some(b)) => {
                let attachments = |sub| signed(sub, Attachments::AsTheyAre);
                same_acts(a, b)
                    && same_optional(a, b, "timestamp", same_moment)
                    && same_set(&attachments(a), &attachments(b), same_attachment)
            }
            _ => false,
        },
        _ => same_actor(a, b),
    }
}

fn same_reference(a: &Json, b: &Json) -> bool {
    matches!((a.get("id"), b.get("id")), (Some(a), Some(b)) if same_text_in_any_case(a, b))
}

fn same_result(a: &Json, b: &Json) -> bool {
    let (Some(a), Some(b)) = (a.as_object(), b.as_object()) else { return false };
    same_names(a, b, &[], |name, a, b| match name {
        "duration" => same_duration(a, b),
        _ => same_value(a, b),
    })
}

fn same_context(a: &Json, b: &Json) -> bool {
    let (Some(a), Some(b)) = (a.as_object(), b.as_object()) else { return false };
    same_names(a, b, &[], |name, a, b| match name {
        "registration" => same_text_in_any_case(a, b),
        "instructor" | "team" => same_actor(a, b),
        "statement" => same_reference(a, b),
        "contextActivities" => match (a.as_object(), b.as_object()) {
            (Some(a), Some(b)) => {
                same_names(a, b, &[], |_, a, b| same_list_as_set(a, b, |a, b| a.get("id") == b.get("id")))
            }
            _ => false,
        },
        "contextAgents" => same_list_as_set(a, b, |a, b| same_role(a, b, "agent")),
        "contextGroups" => same_list_as_set(a, b, |a, b| same_role(a, b, "group")),
        _ => same_value(a, b),
    })
}

fn same_role(a: &Json, b: &Json, holder: &str) -> bool {
    let (Some(a), Some(b)) = (a.as_object(), b.as_object()) else { return false };
    same_names(a, b, &[], |name, a, b| match name {
        "relevantTypes" => same_list_as_set(a, b, same_value),
        name if name == holder => same_actor(a, b),
        _ => same_value(a, b),
    })
}

/// The value itself: numbers by what they mean, objects whatever their order.
fn same_value(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => a.same_value(b),
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_value(a, b)),
        (Json::Object(a), Json::Object(b)) => same_names(a, b, &[], |_, a, b| same_value(a, b)),
        _ => a == b,
    }
}

fn same_text_in_any_case(a: &Json, b: &Json) -> bool {
    matches!((a.as_str(), b.as_str()), (Some(a), Some(b)) if a.eq_ignore_ascii_case(b))
}

/// To the millisecond, since a record store may cut off what is finer.
fn same_moment(a: &Json, b: &Json) -> bool {
    let moment = |json: &Json| Timestamp::parse(json.as_str()?, TimestampForm::Iso8601).map(|at| at.0.div_euclid(1000));
    moment(a).is_some() && moment(a) == moment(b)
}

/// To a hundredth of a second, as the specification says.
fn same_duration(a: &Json, b: &Json) -> bool {
    let duration = |json: &Json| Duration::parse(json.as_str()?);
    duration(a).is_some() && duration(a) == duration(b)
}

fn same_optional(a: &Object, b: &Object, name: &str, same: fn(&Json, &Json) -> bool) -> bool {
    match (a.get(name), b.get(name)) {
        (Some(a), Some(b)) => same(a, b),
        (None, None) => true,
        _ => false,
    }
}

/// Objects with the same names, but for some, and the same values.
fn same_names(a: &Object, b: &Object, but: &[&str], same: impl Fn(&str, &Json, &Json) -> bool) -> bool {
    // Sorted side by side, so that long objects take no longer than they must.
    let mut left: Vec<(&str, &Json)> = a.iter().filter(|(name, _)| !but.contains(name)).collect();
    let mut right: Vec<(&str, &Json)> = b.iter().filter(|(name, _)| !but.contains(name)).collect();
    left.sort_unstable_by_key(|(name, _)| *name);
    right.sort_unstable_by_key(|(name, _)| *name);
    left.len() == right.len()
        && left.iter().zip(&right).all(|((name, a), (other, b))| name == other && same(name, a, b))
}

/// One value, or a list of values in any order.
fn same_list_as_set(a: &Json, b: &Json, same: impl Fn(&Json, &Json) -> bool) -> bool {
    let items = |json: &Json| -> Vec<Json> {
        match json {
            Json::Array(items) => items.clone(),
            one => vec![one.clone()],
        }
    };
    let (a, b) = (items(a), items(b));
    same_set(&a.iter().collect::<Vec<_>>(), &b.iter().collect::<Vec<_>>(), same)
}

fn same_set(a: &[&Json], b: &[&Json], same: impl Fn(&Json, &Json) -> bool) -> bool {
    if a.len() != b.len() {
        return false;
    }
    // In order is the usual case; beyond a bound it is the only one that is looked for.
    if a.iter().zip(b).all(|(a, b)| same(a, b)) {
        return true;
    }
    if a.len() > MAX_SET {
        return false;
    }
    let mut left: Vec<&Json> = b.to_vec();
    a.iter().all(|wanted| match left.iter().position(|candidate| same(wanted, candidate)) {
        Some(found) => {
            left.swap_remove(found);
            true
        }
        None => false,
    })
}

/// Members and context activities that are compared in any order.
const MAX_SET: usize = 500;
