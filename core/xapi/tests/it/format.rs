//! The formats, and which language is chosen.

use crate::{json, with};
use lyceum_xapi::format::{self, Languages};
use lyceum_xapi::{activity, actor};

#[test]
fn ids_keep_what_identifies() {
    let mut statement = json(
        r#"{"id":"x","actor":{"objectType":"Group","name":"G","member":[{"name":"Ada","mbox":"mailto:a@b.org"}]},
            "verb":{"id":"https://v.org","display":{"en":"v"}},"object":{"objectType":"Activity","id":"https://a.org","definition":{}},
            "result":{"success":true},"authority":{"name":"x","openid":"https://o.org"},
            "context":{"team":{"objectType":"Group","name":"T","mbox":"mailto:t@b.org","member":[]},"language":"en",
            "contextActivities":{"parent":[{"id":"https://p.org","definition":{}}]},
            "contextAgents":[{"objectType":"contextAgent","agent":{"name":"B","mbox":"mailto:b@b.org"}}]}}"#,
    );
    format::ids(&mut statement);
    let expected = json(
        r#"{"id":"x","actor":{"objectType":"Group","member":[{"mbox":"mailto:a@b.org"}]},"verb":{"id":"https://v.org"},
            "object":{"id":"https://a.org"},"result":{"success":true},"authority":{"openid":"https://o.org"},
            "context":{"team":{"objectType":"Group","mbox":"mailto:t@b.org"},"language":"en",
            "contextActivities":{"parent":[{"id":"https://p.org"}]},
            "contextAgents":[{"objectType":"contextAgent","agent":{"mbox":"mailto:b@b.org"}}]}}"#,
    );
    assert_eq!(statement, expected);
}

#[test]
fn canonical_takes_known_definitions_in_one_language() {
    let mut statement = with("object", r#"{"id":"https://a.org","definition":{"name":{"en":"mine"}}}"#);
    let known =
        json(r#"{"name":{"de":"Aufgabe","en":"Task"},"choices":[{"id":"1","description":{"en":"One","de":"Eins"}}]}"#);
    format::canonical(&mut statement, &Languages::parse("de-AT,en;q=0.5"), &|id| {
        (id == "https://a.org").then(|| known.clone())
    });
    let definition = statement.get("object").and_then(|object| object.get("definition")).unwrap();
    assert_eq!(definition, &json(r#"{"name":{"de":"Aufgabe"},"choices":[{"id":"1","description":{"de":"Eins"}}]}"#));
    assert_eq!(statement.get("verb").unwrap().get("display"), Some(&json(r#"{"en":"answered"}"#)));
}

#[test]
fn languages_are_looked_up() {
    let choose = |header: &str, map: &str| {
        let mut map = json(map);
        Languages::parse(header).choose(&mut map);
        map.to_text()
    };
    let map = r#"{"en-US":"a","de":"b","fr-CA":"c"}"#;
    assert_eq!(choose("de", map), r#"{"de":"b"}"#);
    assert_eq!(choose("de-CH", map), r#"{"de":"b"}"#);
    assert_eq!(choose("en-GB", map), r#"{"en-US":"a"}"#);
    assert_eq!(choose("fr", map), r#"{"fr-CA":"c"}"#);
    assert_eq!(choose("it, fr;q=0.1, de;q=0.9", map), r#"{"de":"b"}"#);
    assert_eq!(choose("de;q=0, fr", map), r#"{"fr-CA":"c"}"#);
    assert_eq!(choose("*, x;q=z", map), r#"{"en-US":"a"}"#);
    assert_eq!(choose("", map), r#"{"en-US":"a"}"#);
    assert_eq!(choose("de", "{}"), "{}");
}

#[test]
fn definitions_are_laid_over_each_other() {
    let known = json(r#"{"name":{"en":"A"},"type":"https://t.org","extensions":{"https://e.org":1}}"#);
    let newer = json(r#"{"name":{"de":"B"},"extensions":{"https://f.org":2},"moreInfo":"https://m.org"}"#);
    let merged = json(
        r#"{"name":{"en":"A","de":"B"},"type":"https://t.org","extensions":{"https://e.org":1,"https://f.org":2},"moreInfo":"https://m.org"}"#,
    );
    assert_eq!(activity::merge(Some(&known), &newer), merged);
    assert_eq!(activity::merge(None, &newer), newer);
    let long = json(&format!(r#"{{"extensions":{{"https://l.org":"{}"}}}}"#, "x".repeat(activity::MAX_DEFINITION)));
    assert_eq!(activity::merge(Some(&long), &newer), newer);
}

#[test]
fn a_person_has_lists() {
    let agent = json(r#"{"account":{"homePage":"https://h.org","name":"ada"}}"#);
    let person = actor::person(&actor::Identifier::of(&agent).unwrap(), &["Ada".to_owned()]);
    assert_eq!(
        person,
        json(r#"{"objectType":"Person","name":["Ada"],"account":[{"homePage":"https://h.org","name":"ada"}]}"#)
    );
}
