//! One line for each rule: what breaks it, where the breach is, and that its neighbour passes.

use crate::{json, object, statement, with};
use lyceum_xapi::{Json, Version, validate};

const ACCOUNT: &str = r#"{"account":{"homePage":"https://example.org","name":"ada"}}"#;

fn problems(statement: &Json, version: Version) -> Vec<String> {
    match validate::statement(statement, version) {
        Ok(()) => Vec::new(),
        Err(problems) => problems.into_iter().map(|problem| problem.at).collect(),
    }
}

fn passes(statement: &Json) {
    for version in Version::ALL {
        assert_eq!(validate::statement(statement, version), Ok(()), "{version} {}", statement.to_text());
    }
}

/// The only breach is there.
fn breaks(statement: &Json, at: &str) {
    for version in Version::ALL {
        assert_eq!(problems(statement, version), [at], "{version} {}", statement.to_text());
    }
}

#[test]
fn a_small_statement_passes() {
    passes(&statement());
}

#[test]
fn a_breach_says_where_and_which_rule() {
    let wrong = with("result", r#"{"score":{"scaled":2}}"#);
    let told = validate::statement(&wrong, Version::V2).unwrap_err();
    assert_eq!(told[0].to_string(), "/result/score/scaled: must lie between -1 and 1");
    let told = validate::statement(&json("[]"), Version::V2).unwrap_err();
    assert_eq!(told[0].to_string(), "the statement: a statement must be an object, and this is an array");
}

#[test]
fn every_breach_is_told_up_to_a_bound() {
    let wrong = json(r#"{"id":1,"actor":{},"verb":{"id":"x"},"object":{"id":"y","extra":1}}"#);
    assert_eq!(problems(&wrong, Version::V2), ["/id", "/actor", "/verb/id", "/object/extra", "/object/id"]);
    let many: String = (0..100).map(|n| format!(r#","x{n}":1"#)).collect();
    let wrong = with("result", &format!(r#"{{"success":true{many}}}"#));
    assert_eq!(problems(&wrong, Version::V2).len(), validate::MAX_PROBLEMS);
}

#[test]
fn actor_verb_and_object_must_be_there() {
    for name in ["actor", "verb", "object"] {
        let mut missing = statement();
        object(&mut missing).remove(name);
        breaks(&missing, &format!("/{name}"));
        breaks(&with(name, "null"), &format!("/{name}"));
    }
}

#[test]
fn names_are_known_and_keep_their_case() {
    breaks(&with("Result", "{}"), "/Result");
    breaks(&with("extra/~", "1"), "/extra~1~0");
    breaks(&with("result", r#"{"Success":true}"#), "/result/Success");
}

#[test]
fn ids_are_uuids() {
    passes(&with("id", "\"FD41C918-B88B-4B20-A0A5-A4C32391AAA0\""));
    for wrong in ["\"fd41c918-b88b-4b20-a0a5-a4c32391aaa\"", "\"gd41c918-b88b-4b20-a0a5-a4c32391aaa0\"", "7", "null"] {
        breaks(&with("id", wrong), "/id");
    }
}

#[test]
fn an_agent_has_exactly_one_identifier() {
    for right in [
        r#"{"mbox":"mailto:ada@example.org","name":"Ada"}"#,
        r#"{"mbox_sha1sum":"cd9b00a5611f94eaa7b1661edab976068e364975"}"#,
        r#"{"openid":"http://openid.example.org/12345"}"#,
        ACCOUNT,
    ] {
        passes(&with("actor", right));
    }
    breaks(&with("actor", r#"{"name":"Ada"}"#), "/actor");
    breaks(&with("actor", r#"{"mbox":"mailto:a@example.org","openid":"http://example.org"}"#), "/actor");
    breaks(&with("actor", r#"{"mbox":"a@example.org"}"#), "/actor/mbox");
    breaks(&with("actor", r#"{"mbox":"mailto:"}"#), "/actor/mbox");
    breaks(&with("actor", r#"{"mbox_sha1sum":"cd9b"}"#), "/actor/mbox_sha1sum");
    breaks(&with("actor", r#"{"openid":"example.org"}"#), "/actor/openid");
    breaks(&with("actor", r#"{"account":{"name":"ada"}}"#), "/actor/account/homePage");
    breaks(&with("actor", r#"{"account":{"homePage":"https://example.org"}}"#), "/actor/account/name");
    breaks(&with("actor", r#"{"account":{"homePage":"example.org","name":"ada"}}"#), "/actor/account/homePage");
    breaks(&with("actor", r#"{"objectType":"agent","mbox":"mailto:a@example.org"}"#), "/actor/objectType");
    breaks(&with("actor", r#"{"mbox":"mailto:a@example.org","name":7}"#), "/actor/name");
    breaks(&with("actor", r#"{"mbox":"mailto:a@example.org","member":[]}"#), "/actor/member");
}

#[test]
fn a_group_is_identified_or_has_members_which_are_agents() {
    passes(&with("actor", r#"{"objectType":"Group","mbox":"mailto:a@example.org"}"#));
    passes(&with("actor", &format!(r#"{{"objectType":"Group","member":[{ACCOUNT}]}}"#)));
    breaks(&with("actor", r#"{"objectType":"Group"}"#), "/actor");
    breaks(&with("actor", r#"{"objectType":"Group","member":[]}"#), "/actor/member");
    breaks(&with("actor", r#"{"objectType":"Group","member":7}"#), "/actor/member");
    let nested =
        format!(r#"{{"objectType":"Group","member":[{ACCOUNT},{{"objectType":"Group","member":[{ACCOUNT}]}}]}}"#);
    breaks(&with("actor", &nested), "/actor/member/1/objectType");
}

#[test]
fn an_authority_is_an_agent_or_two_members() {
    passes(&with("authority", ACCOUNT));
    passes(&with("authority", &format!(r#"{{"objectType":"Group","member":[{ACCOUNT},{ACCOUNT}]}}"#)));
    breaks(&with("authority", &format!(r#"{{"objectType":"Group","member":[{ACCOUNT}]}}"#)), "/authority");
    breaks(&with("authority", r#"{"objectType":"Group","mbox":"mailto:a@example.org"}"#), "/authority");
}

#[test]
fn verbs_have_an_iri_and_a_language_map() {
    breaks(&with("verb", r#"{"display":{"en":"met"}}"#), "/verb/id");
    breaks(&with("verb", r#"{"id":"met"}"#), "/verb/id");
    breaks(
        &with("verb", r#"{"id":"https://example.org/met","display":{"something":"met"}}"#),
        "/verb/display/something",
    );
    breaks(&with("verb", r#"{"id":"https://example.org/met","display":{"en":7}}"#), "/verb/display/en");
    breaks(&with("verb", r#"{"id":"https://example.org/met","display":"met"}"#), "/verb/display");
}

#[test]
fn activities_keep_the_rules_of_interactions() {
    let with_definition =
        |definition: &str| with("object", &format!(r#"{{"id":"https://a.org","definition":{definition}}}"#));
    passes(&with_definition("{}"));
    passes(&with_definition(
        r#"{"extensions":{"https://a.org/e":null},"type":"https://a.org/t","moreInfo":"https://a.org/m"}"#,
    ));
    passes(&with_definition(
        r#"{"interactionType":"choice","choices":[{"id":"a"},{"id":"b","description":{"en":"B"}}]}"#,
    ));
    breaks(&with_definition(r#"{"interactionType":"guess"}"#), "/object/definition/interactionType");
    breaks(&with_definition(r#"{"correctResponsesPattern":["a"]}"#), "/object/definition");
    breaks(&with_definition(r#"{"interactionType":"likert","choices":[]}"#), "/object/definition/choices");
    breaks(
        &with_definition(r#"{"interactionType":"other","correctResponsesPattern":[7]}"#),
        "/object/definition/correctResponsesPattern/0",
    );
    let twice = r#"{"interactionType":"likert","scale":[{"id":"a"},{"id":"a"}]}"#;
    breaks(&with_definition(twice), "/object/definition/scale/1/id");
    breaks(&with_definition(r#"{"extensions":{"e":1}}"#), "/object/definition/extensions/e");
    breaks(&with_definition(r#"{"moreInfo":"a.org"}"#), "/object/definition/moreInfo");
    breaks(&with("object", r#"{"objectType":"activity","id":"https://a.org"}"#), "/object/objectType");
}

#[test]
fn references_name_a_statement_and_nothing_else() {
    let id = "fd41c918-b88b-4b20-a0a5-a4c32391aaa0";
    passes(&with("object", &format!(r#"{{"objectType":"StatementRef","id":"{id}"}}"#)));
    breaks(&with("object", r#"{"objectType":"StatementRef","id":"x"}"#), "/object/id");
    breaks(
        &with("object", &format!(r#"{{"objectType":"StatementRef","id":"{id}","definition":{{}}}}"#)),
        "/object/definition",
    );
    breaks(&with("context", &format!(r#"{{"statement":{{"id":"{id}"}}}}"#)), "/context/statement/objectType");
    let mut voiding = with("verb", &format!(r#"{{"id":"{}"}}"#, validate::VOIDED));
    breaks(&voiding, "/object");
    object(&mut voiding).set("object", json(&format!(r#"{{"objectType":"StatementRef","id":"{id}"}}"#)));
    passes(&voiding);
}

#[test]
fn sub_statements_do_not_nest_and_own_no_record() {
    let sub = |more: &str| {
        let inside = r#""actor":{"mbox":"mailto:a@example.org"},"verb":{"id":"https://example.org/met"}"#;
        with("object", &format!(r#"{{"objectType":"SubStatement",{inside},{more}}}"#))
    };
    let thing = r#""object":{"id":"https://a.org"}"#;
    passes(&sub(thing));
    for own in ["id", "stored", "version", "authority"] {
        breaks(&sub(&format!(r#"{thing},"{own}":"1.0.0""#)), &format!("/object/{own}"));
    }
    breaks(&sub(r#""object":{"objectType":"SubStatement"}"#), "/object/object/objectType");
    breaks(&sub(&format!(r#"{thing},"result":{{"success":"yes"}}"#)), "/object/result/success");
    breaks(&sub(r#""object":{"id":"a.org"}"#), "/object/object/id");
}

#[test]
fn results_have_types_and_bounds() {
    let every = r#"{"score":{"scaled":-1,"raw":5,"min":0,"max":10},"success":true,"completion":false,"response":"a","duration":"PT1M"}"#;
    passes(&with("result", every));
    for (wrong, at) in [
        (r#"{"score":{"scaled":1.01}}"#, "/result/score/scaled"),
        (r#"{"score":{"scaled":"1"}}"#, "/result/score/scaled"),
        (r#"{"score":{"raw":11,"max":10}}"#, "/result/score/raw"),
        (r#"{"score":{"raw":-1,"min":0}}"#, "/result/score/raw"),
        (r#"{"score":{"min":1,"max":1}}"#, "/result/score/min"),
        (r#"{"success":"true"}"#, "/result/success"),
        (r#"{"completion":1}"#, "/result/completion"),
        (r#"{"response":true}"#, "/result/response"),
        (r#"{"duration":"P4W1D"}"#, "/result/duration"),
        (r#"{"extensions":{"a":1}}"#, "/result/extensions/a"),
    ] {
        breaks(&with("result", wrong), at);
    }
}

#[test]
fn contexts_fit_their_object() {
    passes(&with(
        "context",
        r#"{"revision":"1","platform":"p","language":"en-GB","contextActivities":{"parent":{"id":"https://a.org"}}}"#,
    ));
    breaks(&with("context", r#"{"registration":"7"}"#), "/context/registration");
    breaks(&with("context", r#"{"language":"english_language"}"#), "/context/language");
    breaks(&with("context", &format!(r#"{{"team":{ACCOUNT}}}"#)), "/context/team");
    breaks(&with("context", r#"{"contextActivities":{"parents":[]}}"#), "/context/contextActivities/parents");
    breaks(
        &with("context", r#"{"contextActivities":{"other":[{"id":"a"}]}}"#),
        "/context/contextActivities/other/0/id",
    );
    let mut about_agent = with("context", r#"{"revision":"1"}"#);
    object(&mut about_agent).set("object", json(r#"{"objectType":"Agent","mbox":"mailto:a@example.org"}"#));
    breaks(&about_agent, "/context/revision");
}

#[test]
fn context_agents_and_groups_are_of_2_0() {
    let agents = format!(
        r#"{{"contextAgents":[{{"objectType":"contextAgent","agent":{ACCOUNT},"relevantTypes":["https://a.org"]}}]}}"#
    );
    let agents = with("context", &agents);
    assert_eq!(validate::statement(&agents, Version::V2), Ok(()));
    assert_eq!(problems(&agents, Version::V1), ["/context/contextAgents"]);
    for (wrong, at) in [
        (r#"{"objectType":"Agent","agent":AAA}"#, "/context/contextAgents/0/objectType"),
        (r#"{"objectType":"contextAgent"}"#, "/context/contextAgents/0/agent"),
        (r#"{"objectType":"contextAgent","agent":AAA,"relevantTypes":[]}"#, "/context/contextAgents/0/relevantTypes"),
        (
            r#"{"objectType":"contextAgent","agent":AAA,"relevantTypes":["x"]}"#,
            "/context/contextAgents/0/relevantTypes/0",
        ),
    ] {
        let wrong = with("context", &format!(r#"{{"contextAgents":[{}]}}"#, wrong.replace("AAA", ACCOUNT)));
        assert_eq!(problems(&wrong, Version::V2), [at]);
    }
    let group = r#"{"contextGroups":[{"objectType":"contextGroup","group":{"objectType":"Group","mbox":"mailto:g@example.org"}}]}"#;
    assert_eq!(validate::statement(&with("context", group), Version::V2), Ok(()));
}

#[test]
fn attachments_say_what_they_are() {
    let right = r#"{"usageType":"https://a.org/u","display":{"en":"A"},"contentType":"text/plain","length":27,
        "sha2":"495395e777cd98da653df9615d09c0fd6bb2f8d4788394cd53c56a3bfdcd848a","fileUrl":"https://a.org/f"}"#;
    passes(&with("attachments", &format!("[{right}]")));
    for name in ["usageType", "display", "contentType", "length", "sha2"] {
        let mut attachment = json(right);
        object(&mut attachment).remove(name);
        breaks(&with("attachments", &format!("[{}]", attachment.to_text())), &format!("/attachments/0/{name}"));
    }
    for (name, wrong) in
        [("length", "1.5"), ("length", "-1"), ("length", "\"9\""), ("sha2", "\"x\""), ("fileUrl", "\"f\"")]
    {
        let mut attachment = json(right);
        object(&mut attachment).set(name, json(wrong));
        breaks(&with("attachments", &format!("[{}]", attachment.to_text())), &format!("/attachments/0/{name}"));
    }
    let signature = right.replace("https://a.org/u", validate::SIGNATURE);
    breaks(&with("attachments", &format!("[{signature}]")), "/attachments/0/contentType");
}

#[test]
fn versions_and_timestamps() {
    for right in ["1.0", "1.0.0", "1.0.9", "2.0", "2.0.0"] {
        passes(&with("version", &format!("\"{right}\"")));
    }
    for wrong in ["\"0.9.9\"", "\"1.1.0\"", "\"1\"", "1.0", "\"\""] {
        breaks(&with("version", wrong), "/version");
    }
    passes(&with("timestamp", "\"2023-11-01T12:00:00.123456789+02:00\""));
    breaks(&with("timestamp", "\"2023-11-01T12:00:00-00:00\""), "/timestamp");
    let local = with("timestamp", "\"2023-11-01T12:00:00\"");
    assert_eq!(validate::statement(&local, Version::V1), Ok(()));
    assert_eq!(problems(&local, Version::V2), ["/timestamp"]);
}

#[test]
fn nothing_is_null_but_within_extensions() {
    passes(&with("context", r#"{"extensions":{"https://a.org/e":{"deep":[null]}}}"#));
    for (name, at) in [("result", "/result"), ("context", "/context"), ("id", "/id"), ("timestamp", "/timestamp")] {
        breaks(&with(name, "null"), at);
    }
    breaks(&with("context", r#"{"extensions":null}"#), "/context/extensions");
}
