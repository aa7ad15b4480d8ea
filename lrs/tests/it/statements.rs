//! Taking statements.

use crate::on_both;
use crate::world::{self, MAX_BODY, statement, uuid};
use lyceum_xapi::Json;
use std::sync::Arc;

on_both! {
    async fn a_statement_comes_back_as_it_was_sent(world) {
        let sent = statement("ada", "met", "thing", r#","result":{"score":{"raw":1.50,"max":1e2},"extensions":{"https://example.org/ä":[null, "🎓"]}}"#);
        let id = world.store(&sent).await;
        let reply = world.get(&format!("/statements?statementId={id}")).await;
        assert_eq!(reply.status, 200);
        assert!(reply.text().starts_with(sent.replace("[null, ", "[null,").trim_end_matches('}')), "{}", reply.text());
        let stored = reply.json();
        for name in ["id", "stored", "timestamp", "authority", "version"] {
            assert!(stored.get(name).is_some(), "{name}");
        }
        assert_eq!(stored.get_str("stored"), stored.get_str("timestamp"));
        assert!(reply.header("last-modified").ends_with(" GMT"));
    }

    async fn ids_come_back_in_order(world) {
        let batch = format!("[{},{}]", statement("a", "met", "x", &format!(r#","id":"{}""#, uuid(2))), statement("a", "met", "y", &format!(r#","id":"{}""#, uuid(1))));
        let ids = world.post(batch).await.json();
        assert_eq!(ids, Json::Array(vec![uuid(2).into(), uuid(1).into()]));
        assert_eq!(world.get("/statements").await.ids(), [uuid(1), uuid(2)]);
        assert_eq!(world.post("[]").await.text(), "[]");
    }

    async fn put_names_its_statement(world) {
        let path = format!("/statements?statementId={}", uuid(7));
        let json = [("content-type", "application/json")];
        assert_eq!(world.send("PUT", &path, &json, statement("a", "met", "x", "")).await.status, 204);
        assert_eq!(world.get(&path).await.json().get_str("id"), Some(uuid(7).as_str()));
        let other = statement("a", "met", "x", &format!(r#","id":"{}""#, uuid(8)));
        assert_eq!(world.send("PUT", &path, &json, other).await.status, 400);
        assert_eq!(world.send("PUT", "/statements", &json, statement("a", "met", "x", "")).await.status, 400);
    }

    async fn a_batch_is_stored_whole_or_not_at_all(world) {
        let batch = format!("[{},{}]", statement("a", "met", "x", ""), statement("a", "met", "y", r#","result":{"score":{"scaled":2}}"#));
        let reply = world.post(batch).await;
        assert_eq!(reply.status, 400);
        let problems = reply.json().get("problems").unwrap().to_text();
        assert_eq!(problems, r#"[{"statement":1,"at":"/result/score/scaled","rule":"must lie between -1 and 1"}]"#);
        let twice = statement("a", "met", "x", &format!(r#","id":"{}""#, uuid(1)));
        let reply = world.post(format!("[{twice},{twice}]")).await;
        assert!(reply.status == 400 && reply.text().contains("statement 1: /id: another statement"), "{}", reply.text());
        assert_eq!(world.get("/statements").await.ids().len(), 0);
    }

    async fn what_is_no_json_is_refused_with_its_place(world) {
        let reply = world.post("{\"actor\":\n nonsense}").await;
        assert!(reply.status == 400 && reply.text().contains("line 2, column 2"), "{}", reply.text());
        let reply = world.post(statement("a", "met", "x", r#","version":"1.0","version":"1.0""#)).await;
        assert!(reply.status == 400 && reply.text().contains("given twice"), "{}", reply.text());
    }

    async fn a_statement_never_changes(world) {
        let first = statement("a", "met", "x", &format!(r#","id":"{}","result":{{"duration":"PT1.00S"}}"#, uuid(1)));
        world.store(&first).await;
        let before = world.get("/statements").await.text();
        // The same again, in other words.
        world.store(&first.replace("PT1.00S", "PT1S")).await;
        let other = first.replace("PT1.00S", "PT2S");
        assert_eq!(world.post(other.clone()).await.status, 409);
        let reply = world.post(format!("[{},{other}]", statement("a", "met", "y", ""))).await;
        assert!(reply.status == 409 && reply.text().contains("statement 1 of"), "{}", reply.text());
        assert_eq!(world.get("/statements").await.text(), before);
    }

    async fn what_is_too_long_is_refused(world) {
        let long = statement("a", "met", "x", &format!(r#","result":{{"response":"{}"}}"#, "x".repeat(MAX_BODY)));
        assert_eq!(world.post(long).await.status, 413);
    }

    /// Texts that databases find hard.
    async fn any_text_can_be_stored_and_found(world) {
        let name = "a\\u0000'\\\"\\\\é🎓";
        let actor = format!(r#"{{"account":{{"homePage":"https://example.org","name":"{name}"}}}}"#);
        world.store(&statement("x", "met", "x", "").replace(r#"{"mbox":"mailto:x@example.org"}"#, &actor)).await;
        let found = world.get(&format!("/statements?agent={}", world::encoded(&actor))).await;
        assert_eq!(found.ids().len(), 1);
    }

    async fn many_write_about_the_same_people_at_once(world) {
        let app = Arc::new(world.app.clone());
        let writers = (0..16).map(|writer| {
            let app = Arc::clone(&app);
            tokio::spawn(async move {
                for round in 0..5 {
                    let batch: Vec<String> = (0..20).map(|n| statement(&format!("p{}", n % 5), "met", &format!("t{}", (n + writer) % 7), r#","context":{"contextActivities":{"parent":{"id":"https://example.org/course","definition":{"name":{"en":"C"}}}}}"#)).collect();
                    let body = format!("[{}]", batch.join(",")).into_bytes();
                    let reply = world::send(&app, "POST", "/statements", &[("content-type", "application/json")], body).await;
                    assert_eq!(reply.status, 200, "writer {writer}, round {round}: {}", reply.text());
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
        let mut found = std::collections::BTreeSet::new();
        let mut next = Some("/statements?verb=https%3A%2F%2Fexample.org%2Fmet".to_owned());
        while let Some(path) = next {
            let page = world.get(&path).await;
            found.extend(page.ids());
            next = page.more();
        }
        assert_eq!(found.len(), 16 * 5 * 20);
        assert_eq!(world.store.stats().statements, 1600);
    }

    /// The order goes on after a restart.
    async fn records_outlive_the_process(world) {
        let first = world.store(&statement("a", "met", "x", "")).await;
        let app = world.restarted().await;
        let json = [("content-type", "application/json")];
        let again = world::send(&app, "POST", "/statements", &json, statement("a", "met", "y", "").into_bytes()).await;
        let second = again.json().as_array().unwrap()[0].as_str().unwrap().to_owned();
        let page = world::send(&app, "GET", "/statements?ascending=true", &[], Vec::new()).await;
        assert_eq!(page.ids(), [first, second]);
        assert_eq!(world.get("/statements").await.status, 503);
    }
}
