//! State and profiles.

use crate::on_both;
use crate::world::{self, World, agent, uuid};
use lyceum_xapi::Json;
use std::sync::Arc;

const ACTIVITY: &str = "activityId=https%3A%2F%2Fexample.org%2Fx";
const JSON: (&str, &str) = ("content-type", "application/json");
const V1: (&str, &str) = ("x-experience-api-version", "1.0.3");
const NEW: (&str, &str) = ("if-none-match", "*");

fn state(id: &str) -> String {
    format!("/activities/state?{ACTIVITY}&agent={}&stateId={id}", agent("ada"))
}

fn profile(id: &str) -> String {
    format!("/activities/profile?{ACTIVITY}&profileId={id}")
}

async fn status(world: &World, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> u16 {
    world.send(method, path, headers, body).await.status.as_u16()
}

on_both! {
    async fn a_document_comes_back_as_it_was_put(world) {
        for path in [state("s"), profile("p"), format!("/agents/profile?agent={}&profileId=p", agent("ada"))] {
            assert_eq!(world.get(&path).await.status, 404);
            assert_eq!(status(world, "PUT", &path, &[("content-type", "image/x"), NEW], "\u{0}octets").await, 204);
            let reply = world.get(&path).await;
            assert_eq!((reply.text().as_str(), reply.header("content-type")), ("\u{0}octets", "image/x"));
            assert_eq!(reply.header("etag"), format!("\"{}\"", lyceum_xapi::digest::sha1(b"\0octets")));
            assert_ne!(reply.header("last-modified"), "");
            assert_eq!(status(world, "DELETE", &path, &[], "").await, 204);
            assert_eq!(world.get(&path).await.status, 404);
        }
    }

    async fn nobody_replaces_what_they_have_not_seen(world) {
        let path = profile("p");
        assert_eq!(status(world, "PUT", &path, &[NEW], "one").await, 204);
        assert_eq!(status(world, "PUT", &path, &[NEW], "two").await, 412);
        assert_eq!(status(world, "PUT", &path, &[], "two").await, 409);
        assert_eq!(status(world, "PUT", &path, &[V1], "two").await, 409);
        assert_eq!(status(world, "PUT", &path, &[("if-match", "\"other\"")], "two").await, 412);
        assert_eq!(status(world, "DELETE", &path, &[("if-match", "\"other\"")], "").await, 412);
        assert_eq!(world.get(&path).await.text(), "one");
        let etag = world.get(&path).await.header("etag").to_owned();
        assert_eq!(status(world, "PUT", &path, &[("if-match", &etag)], "two").await, 204);
        assert_eq!(status(world, "PUT", &path, &[("if-match", &etag)], "three").await, 412);
        assert_eq!(world.get(&path).await.text(), "two");
    }

    /// The versions differ here.
    async fn what_must_be_said_differs_by_version(world) {
        assert_eq!(status(world, "PUT", &state("s"), &[V1], "one").await, 204);
        assert_eq!(status(world, "PUT", &state("s"), &[V1], "two").await, 204);
        assert_eq!(status(world, "PUT", &state("s"), &[], "three").await, 409);
        assert_eq!(status(world, "PUT", &profile("p"), &[V1], "one").await, 400);
        assert_eq!(status(world, "PUT", &profile("p"), &[], "one").await, 204);
    }

    async fn json_objects_are_merged_and_nothing_else(world) {
        let path = state("s");
        assert_eq!(status(world, "POST", &path, &[JSON], r#"{"a":{"b":1,"c":2},"d":1}"#).await, 204);
        assert_eq!(status(world, "POST", &path, &[JSON], r#"{"a":{"b":3},"e":1}"#).await, 204);
        assert_eq!(world.get(&path).await.text(), r#"{"a":{"b":3},"d":1,"e":1}"#);
        assert_eq!(status(world, "POST", &path, &[JSON], "[1]").await, 400);
        assert_eq!(status(world, "POST", &path, &[JSON], "{").await, 400);
        assert_eq!(status(world, "POST", &path, &[("content-type", "text/plain")], "{}").await, 400);
        assert_eq!(status(world, "PUT", &path, &[JSON, ("if-match", "*")], "[]").await, 204);
        assert_eq!(status(world, "POST", &path, &[JSON], "{}").await, 400);
        assert_eq!(world.get(&path).await.text(), "[]");
    }

    async fn merges_at_the_same_time_lose_nothing(world) {
        let app = Arc::new(world.app.clone());
        let merges: Vec<_> = (0..64).map(|n| {
            let app = Arc::clone(&app);
            tokio::spawn(async move {
                let body = format!(r#"{{"k{n}":{n}}}"#).into_bytes();
                world::send(&app, "POST", &state("s"), &[JSON], body).await.status
            })
        }).collect();
        for merge in merges {
            assert_eq!(merge.await.unwrap(), 204);
        }
        let merged = world.get(&state("s")).await.json();
        assert_eq!(merged.as_object().unwrap().len(), 64);
    }

    async fn ids_are_listed_and_all_can_be_removed(world) {
        let all = format!("/activities/state?{ACTIVITY}&agent={}", agent("ada"));
        let registered = format!("&registration={}", uuid(1));
        for (id, more) in [("one", ""), ("two", registered.as_str()), ("two", "")] {
            assert_eq!(status(world, "PUT", &format!("{}{more}", state(id)), &[], "x").await, 204);
        }
        assert_eq!(world.get(&all).await.text(), r#"["one","two"]"#);
        assert_eq!(world.get(&format!("{all}{registered}")).await.text(), r#"["two"]"#);
        assert_eq!(world.get(&format!("{all}&since=2020-01-01T00:00:00Z")).await.text(), r#"["one","two"]"#);
        assert_eq!(world.get(&format!("{all}&since=2999-01-01T00:00:00Z")).await.text(), "[]");
        assert_eq!(status(world, "DELETE", &format!("{all}{registered}"), &[], "").await, 204);
        assert_eq!(world.get(&format!("{}{registered}", state("two"))).await.status, 404);
        assert_eq!(world.get(&state("two")).await.status, 200);
        assert_eq!(status(world, "DELETE", &all, &[], "").await, 204);
        assert_eq!(world.get(&all).await.json(), Json::Array(Vec::new()));
    }

    async fn parameters_are_needed(world) {
        for (method, path) in [
            ("GET", format!("/activities/state?agent={}", agent("ada"))),
            ("GET", format!("/activities/state?{ACTIVITY}")),
            ("PUT", format!("/activities/state?{ACTIVITY}&agent={}", agent("ada"))),
            ("PUT", format!("/activities/profile?{ACTIVITY}")),
            ("DELETE", format!("/activities/profile?{ACTIVITY}")),
            ("GET", "/agents/profile".to_owned()),
            ("GET", format!("{}&extra=1", state("s"))),
            ("GET", format!("{}&registration=x", state("s"))),
            ("GET", "/activities/state?activityId=x&agent=x".to_owned()),
        ] {
            assert_eq!(status(world, method, &path, &[NEW], "x").await, 400, "{method} {path}");
        }
    }
}
