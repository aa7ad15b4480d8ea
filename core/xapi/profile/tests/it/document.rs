//! The profile itself, by the rules of the xAPI Profile specification (part two).

use lyceum_profile::{document, iri, profile};
use lyceum_xapi::{Json, text::is_iri};
use std::collections::BTreeSet;

#[test]
fn the_profile_that_is_kept_for_others_is_the_one_of_the_code() {
    let kept = include_str!("../../profile.jsonld");
    let kept: serde_json::Value = serde_json::from_str(kept).unwrap();
    let made: serde_json::Value = serde_json::from_str(&document()).unwrap();
    assert_eq!(
        kept, made,
        "write it anew: cargo run --package lyceum-profile --example profile > core/xapi/profile/profile.jsonld"
    );
}

#[test]
fn no_value_is_empty() {
    fn full(json: &Json, at: &str) {
        match json {
            Json::Null => panic!("{at} is null"),
            Json::String(text) => assert!(!text.trim().is_empty(), "{at} is empty"),
            Json::Array(items) => {
                assert!(!items.is_empty(), "{at} is empty");
                items.iter().for_each(|item| full(item, at));
            }
            Json::Object(object) => {
                assert!(!object.is_empty(), "{at} is empty");
                object.iter().for_each(|(name, value)| full(value, &format!("{at}.{name}")));
            }
            Json::Bool(_) | Json::Number(_) => {}
        }
    }
    full(&profile(), "$");
}

fn texts(json: &Json, name: &str) -> Vec<String> {
    let items = json.get(name).and_then(Json::as_array).unwrap_or_default();
    items.iter().map(|item| item.as_str().expect("a text").to_owned()).collect()
}

fn list<'j>(json: &'j Json, name: &str) -> &'j [Json] {
    json.get(name).and_then(Json::as_array).unwrap_or_default()
}

#[test]
fn everything_has_what_the_specification_asks_for() {
    let profile = profile();
    for name in ["id", "type", "conformsTo", "@context"] {
        assert!(profile.get_str(name).is_some(), "{name}");
    }
    assert_eq!(profile.get_str("type"), Some("Profile"));
    let versions: Vec<_> = list(&profile, "versions").iter().filter_map(|version| version.get_str("id")).collect();
    assert_eq!(versions, [iri::VERSION]);
    assert_ne!(profile.get_str("id"), Some(iri::VERSION), "a version is not the profile");

    let (concepts, templates, patterns) =
        (list(&profile, "concepts"), list(&profile, "templates"), list(&profile, "patterns"));
    let mut ids = BTreeSet::new();
    for part in concepts.iter().chain(templates).chain(patterns) {
        let id = part.get_str("id").expect("an id");
        assert!(is_iri(id), "{id}");
        assert!(id.starts_with(iri::BASE), "{id} is not ours to define");
        assert!(ids.insert(id.to_owned()), "{id} stands there twice");
        assert_eq!(part.get_str("inScheme"), Some(iri::VERSION), "{id}");
        if part.get_str("type") != Some("Pattern") {
            for words in ["prefLabel", "definition"] {
                assert!(part.get(words).and_then(|map| map.get_str("en")).is_some(), "{id} {words}");
            }
        }
    }
    for concept in concepts {
        let id = concept.get_str("id").unwrap();
        let kind = concept.get_str("type").unwrap();
        let is_extension = ["ContextExtension", "ResultExtension"].contains(&kind);
        assert!(is_extension || ["Verb", "ActivityType"].contains(&kind), "{id}: {kind}");
        if is_extension {
            let schema = concept.get_str("inlineSchema").expect("a schema");
            serde_json::from_str::<serde_json::Value>(schema).unwrap_or_else(|error| panic!("{id}: {error}"));
        }
        for matches in ["broadMatch", "relatedMatch"] {
            for other in texts(concept, matches) {
                assert!(is_iri(&other) && !other.starts_with(iri::BASE), "{id} {matches} {other}");
            }
        }
    }
    let template_ids: BTreeSet<_> = templates.iter().map(|one| one.get_str("id").unwrap().to_owned()).collect();
    for template in templates {
        let id = template.get_str("id").unwrap();
        assert_eq!(template.get_str("type"), Some("StatementTemplate"), "{id}");
        assert!(
            texts(template, "contextStatementRefTemplate").iter().all(|other| template_ids.contains(other)),
            "{id}"
        );
        for own in ["verb", "objectActivityType"].iter().filter_map(|name| template.get_str(name)) {
            assert!(!own.starts_with(iri::BASE) || ids.contains(own), "{id} uses {own}, which is not described");
        }
    }
    for pattern in patterns {
        let id = pattern.get_str("id").unwrap();
        let one = ["alternates", "optional", "oneOrMore", "sequence", "zeroOrMore"];
        let has: Vec<_> = one.iter().filter(|name| pattern.get(name).is_some()).collect();
        assert_eq!(has.len(), 1, "{id}");
        let members = texts(pattern, has[0]).into_iter().chain(pattern.get_str(has[0]).map(str::to_owned));
        for member in members {
            assert!(ids.contains(&member) && member != id, "{id} has {member}");
        }
        if pattern.get("primary").is_some() {
            assert!(pattern.get("prefLabel").is_some() && pattern.get("definition").is_some(), "{id}");
        }
    }
    let everything: BTreeSet<_> = patterns
        .iter()
        .flat_map(|pattern| ["alternates", "sequence"].into_iter().flat_map(|name| texts(pattern, name)))
        .collect();
    assert!(template_ids.iter().all(|id| everything.contains(id)), "each template has a place in the pattern");
}

#[test]
fn constants_are_what_the_profile_says() {
    assert!(iri::VERSION.starts_with(iri::BASE));
    let ids: BTreeSet<String> =
        list(&profile(), "concepts").iter().map(|concept| concept.get_str("id").unwrap().to_owned()).collect();
    for own in include_str!("../../src/iri.rs").split("base!(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        let id = format!("{}{own}", iri::BASE);
        assert!(id == iri::VERSION || ids.contains(&id), "{id} is used and not described");
    }
}
