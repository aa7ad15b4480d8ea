//! What may differ between two copies of a statement, and what not.

use crate::{json, object, with};
use lyceum_xapi::compare::same_statement;

fn same(name: &str, a: &str, b: &str) -> bool {
    let (a, b) = (with(name, a), with(name, b));
    assert_eq!(same_statement(&a, &b), same_statement(&b, &a));
    same_statement(&a, &b)
}

#[test]
fn what_the_record_store_assigns_may_differ() {
    let sent = with("result", r#"{"success":true}"#);
    let mut stored = sent.clone();
    for (name, value) in [
        ("id", "\"fd41c918-b88b-4b20-a0a5-a4c32391aaa0\""),
        ("stored", "\"2023-11-01T12:00:00Z\""),
        ("timestamp", "\"2023-11-01T12:00:00Z\""),
        ("authority", r#"{"mbox":"mailto:a@example.org"}"#),
        ("version", "\"1.0.0\""),
    ] {
        object(&mut stored).set(name, json(value));
    }
    assert!(same_statement(&sent, &stored));
}

#[test]
fn what_says_the_same_in_other_words_is_the_same() {
    assert!(same("id", "\"FD41C918-B88B-4B20-A0A5-A4C32391AAA0\"", "\"fd41c918-b88b-4b20-a0a5-a4c32391aaa0\""));
    assert!(same("timestamp", "\"2023-11-01T12:00:00.0001Z\"", "\"2023-11-01T14:00:00+02:00\""));
    assert!(same(
        "result",
        r#"{"duration":"PT1.005S","score":{"raw":1.0}}"#,
        r#"{"score":{"raw":1},"duration":"PT1.00S"}"#
    ));
    assert!(same("actor", r#"{"mbox":"mailto:a@b.org"}"#, r#"{"objectType":"Agent","mbox":"mailto:a@b.org"}"#));
    let (a, b) = (r#"{"mbox":"mailto:a@b.org"}"#, r#"{"mbox":"mailto:b@b.org"}"#);
    let group = |first, second| format!(r#"{{"objectType":"Group","member":[{first},{second}]}}"#);
    assert!(same("actor", &group(a, b), &group(b, a)));
    assert!(!same("actor", &group(a, b), &group(a, a)));
    let alone = r#"{"contextActivities":{"parent":{"id":"https://a.org"}}}"#;
    let list = r#"{"contextActivities":{"parent":[{"id":"https://a.org","definition":{"name":{"en":"A"}}}]}}"#;
    assert!(same("context", alone, list));
    assert!(same(
        "object",
        r#"{"id":"https://a.org"}"#,
        r#"{"objectType":"Activity","id":"https://a.org","definition":{}}"#
    ));
    assert!(same("verb", r#"{"id":"https://a.org"}"#, r#"{"id":"https://a.org","display":{"en":"a"}}"#));
}

#[test]
fn what_says_something_else_is_another_statement() {
    assert!(!same("verb", r#"{"id":"https://a.org"}"#, r#"{"id":"https://b.org"}"#));
    assert!(!same("timestamp", "\"2023-11-01T12:00:00.001Z\"", "\"2023-11-01T12:00:00.002Z\""));
    assert!(!same("result", r#"{"duration":"PT1.01S"}"#, r#"{"duration":"PT1.02S"}"#));
    assert!(!same("result", r#"{"success":true}"#, r#"{"success":false}"#));
    assert!(!same("result", r#"{"success":true}"#, r#"{"completion":true}"#));
    assert!(!same("object", r#"{"id":"https://a.org"}"#, r#"{"id":"https://b.org"}"#));
    assert!(!same("context", r#"{"extensions":{"https://a.org":[1,2]}}"#, r#"{"extensions":{"https://a.org":[2,1]}}"#));
    assert!(!same("actor", r#"{"mbox":"mailto:a@b.org"}"#, r#"{"mbox":"mailto:b@b.org"}"#));
    assert!(!same_statement(&with("result", "{}"), &crate::statement()));
}
