//! Finding statements: filters, pages, references, voiding, formats.

use crate::on_both;
use crate::world::{agent, statement, uuid};
use lyceum_xapi::Json;

const EXAMPLE: &str = "https%3A%2F%2Fexample.org%2F";

on_both! {
    async fn filters_say_what_statements_have_in_common(world) {
        let registration = uuid(99);
        let ada = world.store(&statement("ada", "met", "x", "")).await;
        let ben = world.store(&statement("ben", "met", "y", &format!(r#","context":{{"registration":"{registration}","instructor":{{"mbox":"mailto:ada@example.org"}},"contextActivities":{{"parent":{{"id":"https://example.org/x"}}}}}}"#))).await;
        let cem = world.store(&statement("cem", "left", "x", "")).await;
        for (query, expected) in [
            (String::new(), vec![&cem, &ben, &ada]),
            ("ascending=true".to_owned(), vec![&ada, &ben, &cem]),
            ("limit=1".to_owned(), vec![&cem]),
            ("limit=0".to_owned(), vec![&cem, &ben, &ada]),
            (format!("verb={EXAMPLE}met"), vec![&ben, &ada]),
            (format!("activity={EXAMPLE}x"), vec![&cem, &ada]),
            (format!("activity={EXAMPLE}x&related_activities=true"), vec![&cem, &ben, &ada]),
            (format!("agent={}", agent("ada")), vec![&ada]),
            (format!("agent={}&related_agents=true", agent("ada")), vec![&ben, &ada]),
            (format!("registration={}", registration.to_uppercase()), vec![&ben]),
            (format!("verb={EXAMPLE}met&activity={EXAMPLE}x"), vec![&ada]),
            (format!("verb={EXAMPLE}left&agent={}", agent("ada")), vec![]),
            (format!("verb={EXAMPLE}unknown"), vec![]),
        ] {
            assert_eq!(world.get(&format!("/statements?{query}")).await.ids(), expected.into_iter().cloned().collect::<Vec<_>>(), "{query}");
        }
    }

    /// `since` leaves its own moment out, `until` takes it in.
    async fn times_are_those_of_storing(world) {
        let first = world.store(&statement("a", "met", "x", r#","timestamp":"2001-01-01T00:00:00Z""#)).await;
        let second = world.store(&statement("a", "met", "y", "")).await;
        let stored = world.get(&format!("/statements?statementId={first}")).await.json().get_str("stored").unwrap().to_owned();
        assert_eq!(world.get(&format!("/statements?since={stored}")).await.ids(), std::slice::from_ref(&second));
        assert_eq!(world.get(&format!("/statements?until={stored}")).await.ids(), [first]);
        assert_eq!(world.get(&format!("/statements?since={}", stored.replace('Z', "%2B01:00"))).await.ids().len(), 2);
    }

    /// In both directions, while others write.
    async fn pages_neither_miss_nor_repeat(world) {
        for ascending in [false, true] {
            let mut expected = Vec::new();
            for n in 0..25 {
                expected.push(world.store(&statement("a", &format!("met{ascending}"), &format!("x{n}"), "")).await);
            }
            if !ascending {
                expected.reverse();
            }
            let mut found = Vec::new();
            let mut next = Some(format!("/statements?limit=4&verb={EXAMPLE}met{ascending}&ascending={ascending}"));
            while let Some(path) = next {
                let page = world.get(&path).await;
                assert!(page.ids().len() <= 4);
                found.extend(page.ids());
                next = page.more();
                world.store(&statement("a", &format!("met{ascending}"), "later", "")).await;
            }
            assert_eq!(found, expected, "ascending={ascending}");
        }
    }

    async fn a_voided_statement_is_hidden_and_its_voiding_is_not(world) {
        let target = world.store(&statement("a", "met", "x", "")).await;
        let voiding = void(world, &target).await;
        assert_eq!(world.get("/statements").await.ids(), std::slice::from_ref(&voiding));
        assert_eq!(world.get(&format!("/statements?statementId={target}")).await.status, 404);
        assert_eq!(world.get(&format!("/statements?voidedStatementId={target}")).await.status, 200);
        assert_eq!(world.get(&format!("/statements?voidedStatementId={voiding}")).await.status, 404);
        // A voiding cannot be voided.
        let second = void(world, &voiding).await;
        assert_eq!(world.get("/statements").await.ids(), [second, voiding]);
    }

    async fn a_statement_may_be_voided_before_it_comes(world) {
        let voiding = void(world, &uuid(5)).await;
        let late = world.store(&statement("a", "met", "x", &format!(r#","id":"{}""#, uuid(5)))).await;
        assert_eq!(world.get("/statements").await.ids(), [voiding]);
        assert_eq!(world.get(&format!("/statements?voidedStatementId={late}")).await.status, 200);
    }

    async fn a_statement_about_another_is_found_with_it(world) {
        let target = world.store(&statement("ada", "met", "x", "")).await;
        let about = world.store(&about("ben", &target, 1)).await;
        let about_that = world.store(&super::queries::about("cem", &about, 2)).await;
        let all = [about_that.clone(), about.clone(), target.clone()];
        assert_eq!(world.get(&format!("/statements?agent={}", agent("ada"))).await.ids(), all);
        assert_eq!(world.get(&format!("/statements?activity={EXAMPLE}x")).await.ids(), all);
        assert_eq!(world.get(&format!("/statements?agent={}", agent("ben"))).await.ids(), [about_that, about]);
    }

    /// The chain is there before its end: c is about b, b about a, and a comes last.
    async fn a_target_that_comes_late_is_found_by_those_about_it(world) {
        let c = world.store(&about("cem", &uuid(2), 3)).await;
        let b = world.store(&about("ben", &uuid(1), 2)).await;
        let a = world.store(&statement("ada", "met", "x", &format!(r#","id":"{}""#, uuid(1)))).await;
        assert_eq!(world.get(&format!("/statements?agent={}", agent("ada"))).await.ids(), [a.clone(), b.clone(), c.clone()]);
        assert_eq!(world.get(&format!("/statements?agent={}", agent("ben"))).await.ids(), [b, c]);
        // And within one request, in the wrong order.
        let batch = format!("[{},{}]", about("dan", &uuid(11), 12), statement("eve", "met", "y", &format!(r#","id":"{}""#, uuid(11))));
        assert_eq!(world.post(batch).await.status, 200);
        assert_eq!(world.get(&format!("/statements?agent={}", agent("eve"))).await.ids(), [uuid(11), uuid(12)]);
    }

    async fn statements_about_each_other_do_no_harm(world) {
        let batch = format!("[{},{}]", about("ada", &uuid(2), 1), about("ben", &uuid(1), 2));
        assert_eq!(world.post(batch).await.status, 200);
        assert_eq!(world.get(&format!("/statements?agent={}", agent("ada"))).await.ids(), [uuid(2), uuid(1)]);
    }

    async fn formats(world) {
        let activity = |name: &str| format!(r#"{{"id":"https://example.org/x","definition":{{"name":{{{name}}}}}}}"#);
        let with_name = |name: &str, verb: &str| statement("a", verb, "x", "").replace(r#"{"id":"https://example.org/x"}"#, &activity(name));
        world.store(&with_name(r#""en":"Task""#, "met")).await;
        world.store(&with_name(r#""de":"Aufgabe""#, "left")).await;
        let object = |json: &Json| json.get("statements").unwrap().as_array().unwrap()[0].get("object").unwrap().to_text();
        let german = [("accept-language", "de")];
        let exact = world.send("GET", "/statements?limit=1", &german, "").await.json();
        assert_eq!(object(&exact), activity(r#""de":"Aufgabe""#));
        let canonical = world.send("GET", "/statements?limit=1&format=canonical&ascending=true", &german, "").await.json();
        assert_eq!(object(&canonical), activity(r#""de":"Aufgabe""#));
        assert_eq!(object(&world.get("/statements?format=ids").await.json()), r#"{"id":"https://example.org/x"}"#);
        let known = world.get(&format!("/activities?activityId={EXAMPLE}x")).await.json();
        assert_eq!(known.get("definition").unwrap().to_text(), r#"{"name":{"en":"Task","de":"Aufgabe"}}"#);
        let unknown = world.get(&format!("/activities?activityId={EXAMPLE}unknown")).await.json();
        assert_eq!(unknown.to_text(), r#"{"objectType":"Activity","id":"https://example.org/unknown"}"#);
    }

    async fn an_agent_is_a_person_with_names(world) {
        for name in ["Ada", "Ada L.", "Ada"] {
            let actor = format!(r#"{{"name":"{name}","mbox":"mailto:ada@example.org"}}"#);
            world.store(&statement("ada", "met", "x", "").replace(r#"{"mbox":"mailto:ada@example.org"}"#, &actor)).await;
        }
        let person = world.get(&format!("/agents?agent={}", agent("ada"))).await.json();
        assert_eq!(person.to_text(), r#"{"objectType":"Person","name":["Ada","Ada L."],"mbox":["mailto:ada@example.org"]}"#);
        assert_eq!(world.get("/agents").await.status, 400);
    }
}

async fn void(world: &crate::world::World, target: &str) -> String {
    let reference = format!(r#"{{"objectType":"StatementRef","id":"{target}"}}"#);
    let verb = lyceum_xapi::validate::VOIDED;
    world
        .store(
            &statement("teacher", "v", "x", "")
                .replace(r#"{"id":"https://example.org/x"}"#, &reference)
                .replace("https://example.org/v", verb),
        )
        .await
}

/// A statement about another one.
fn about(who: &str, target: &str, number: u32) -> String {
    let reference = format!(r#"{{"objectType":"StatementRef","id":"{target}"}}"#);
    statement(who, "commented", "x", &format!(r#","id":"{}""#, uuid(number)))
        .replace(r#"{"id":"https://example.org/x"}"#, &reference)
}
