//! What every request has in common: versions, parameters, forms, methods, headers.

use crate::on_both;
use crate::world::{basic, encoded, statement, uuid};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const V1: (&str, &str) = ("x-experience-api-version", "1.0.3");
const VERSION: &str = "x-experience-api-version";

on_both! {
    async fn every_answer_names_its_version(world) {
        for (asked, status, named) in [
            ("2.0", 200, "2.0.0"), ("2.0.0", 200, "2.0.0"), ("1.0", 200, "1.0.3"), ("1.0.9", 200, "1.0.3"),
            ("", 400, "0.95"), ("0.9", 400, "2.0.0"), ("1.1.0", 400, "2.0.0"), ("3", 400, "2.0.0"),
        ] {
            let reply = world.send("GET", "/statements", &[(VERSION, asked)], "").await;
            assert_eq!((reply.status.as_u16(), reply.header(VERSION)), (status, named), "{asked:?}");
        }
        let about = world.send("GET", "/about", &[(VERSION, ""), ("authorization", "")], "").await;
        assert_eq!((about.status.as_u16(), about.text().as_str()), (200, r#"{"version":["1.0.3","2.0.0"],"extensions":{}}"#));
    }

    async fn statements_say_up_to_when_they_are_complete(world) {
        world.store(&statement("a", "met", "x", "")).await;
        let stored = world.get("/statements").await.json().get("statements").unwrap().as_array().unwrap()[0].get_str("stored").unwrap().to_owned();
        for path in ["/statements", "/statements?unknown=1"] {
            let reply = world.get(path).await;
            assert!(reply.header("x-experience-api-consistent-through") >= stored.as_str(), "{path}");
        }
    }

    async fn head_is_get_without_its_body(world) {
        world.store(&statement("a", "met", "x", "")).await;
        let (get, head) = (world.get("/statements").await, world.send("HEAD", "/statements", &[], "").await);
        assert_eq!(head.status, get.status);
        assert_eq!(head.header("content-length"), get.body.len().to_string());
        assert_eq!(head.header("content-type"), "application/json");
        assert!(head.body.is_empty());
    }

    async fn parameters_are_known_and_keep_their_case(world) {
        for query in [
            "unknown=1", "Verb=x", "verb=x", "statementId=x", "agent=x", "agent=%7B%7D", "limit=-1", "limit=x", "since=x", "format=all",
            "attachments=yes", "ascending=1", "registration=x", "cursor=x", "cursor=0.0", "limit=1&limit=1", "a=%zz", "a=%00", "a=%ff",
        ] {
            let reply = world.get(&format!("/statements?{query}")).await;
            assert_eq!(reply.status, 400, "{query}");
            assert!(reply.json().get_str("error").unwrap().contains("parameter"), "{query}: {}", reply.text());
        }
        let id = uuid(1);
        for query in [format!("statementId={id}&voidedStatementId={id}"), format!("statementId={id}&limit=1")] {
            assert_eq!(world.get(&format!("/statements?{query}")).await.status, 400, "{query}");
        }
    }

    /// 1.0.3 has it, and 2.0 does not.
    async fn a_form_may_hold_a_request_in_1_0_3(world) {
        let content = encoded(&statement("a", "met", "x", ""));
        let form = format!("statementId={}&content={content}&X-Experience-API-Version=1.0.3&Authorization={}", uuid(1), encoded(&basic("school")));
        let bare = [FORM, (VERSION, ""), ("authorization", "")];
        assert_eq!(world.send("POST", "/statements?method=PUT", &bare, form.clone()).await.status, 204);
        let reply = world.send("POST", "/statements?method=GET", &[FORM, V1], format!("statementId={}", uuid(1))).await;
        assert_eq!(reply.json().get_str("id"), Some(uuid(1).as_str()));
        for (query, form, headers) in [
            ("method=PUT&statementId=x", form.clone(), &[FORM, V1][..]),
            ("method=PUT", format!("statementId={}", uuid(2)), &[FORM, V1]),
            ("method=TRACE", String::new(), &[FORM, V1]),
            ("method=GET", String::new(), &[FORM]),
            ("method=PUT", form.replace("1.0.3", "2.0.0"), &bare),
            ("method=PUT", form.replace("1.0.3", "0.8"), &bare),
        ] {
            assert_eq!(world.send("POST", &format!("/statements?{query}"), headers, form).await.status, 400, "{query}");
        }
    }

    async fn other_types_methods_and_places_are_refused(world) {
        for kind in ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "multipart/mixed"] {
            let reply = world.send("POST", "/statements", &[("content-type", kind)], statement("a", "met", "x", "")).await;
            assert_eq!(reply.status, 400, "{kind}");
        }
        assert_eq!(world.send("DELETE", "/statements", &[], "").await.status, 405);
        assert_eq!(world.send("POST", "/agents", &[], "").await.status, 405);
        assert_eq!(world.get("/nowhere").await.status, 404);
    }

    async fn pages_of_other_origins_may_ask(world) {
        let reply = world.send("OPTIONS", "/statements", &[(VERSION, ""), ("authorization", "")], "").await;
        assert_eq!((reply.status.as_u16(), reply.header("access-control-allow-origin")), (204, "*"));
        assert!(reply.header("access-control-allow-headers").contains("X-Experience-API-Version"));
        assert!(world.get("/statements").await.header("access-control-expose-headers").contains("ETag"));
    }
}
