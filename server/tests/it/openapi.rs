//! The checked-in description of the REST interface against the interface.

use crate::harness::*;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use lyceum::token::VideoGrant;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn described() -> Value {
    serde_json::from_str(lyceum::api::OPENAPI).unwrap()
}

#[tokio::test]
async fn it_is_served_as_it_is_checked_in() {
    let running = start().await;
    let answer = get(running.address, "/api/v1/openapi.json").await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, "application/json"));
    assert_eq!(answer.json(), described());
}

/// The routes as the sources write them down, so that a new one cannot be forgotten.
#[test]
fn it_lists_exactly_the_routes() {
    let sources = [
        ("/api", include_str!("../../src/api/mod.rs")),
        ("/api", include_str!("../../src/api/events.rs")),
        ("", include_str!("../../src/http/mod.rs")),
    ];
    let mut routes = BTreeSet::new();
    for (prefix, source) in sources {
        for route in source.split(".route(\"").skip(1) {
            let (path, handlers) = route.split_once('"').unwrap();
            let handlers = handlers.lines().next().unwrap();
            for method in ["get", "post", "put", "patch", "delete"] {
                if handlers.contains(&format!("{method}(")) {
                    routes.insert(format!("{method} {prefix}{path}"));
                }
            }
        }
    }
    // The pages are for browsers.
    routes.retain(|route| !["get /", "get /records"].contains(&route.as_str()) && !route.starts_with("get /c/"));

    let paths = described()["paths"].as_object().unwrap().clone();
    let described: BTreeSet<String> = paths
        .iter()
        .flat_map(|(path, methods)| methods.as_object().unwrap().keys().map(move |method| format!("{method} {path}")))
        .collect();
    assert_eq!(described, routes);
    let written = lyceum::api::OPENAPI.matches("\"operationId\"").count();
    assert_eq!(described.len(), written, "a path is described twice");
    assert!(described.len() >= 7, "the sources were not understood: {described:?}");
}

#[tokio::test]
async fn answers_have_the_properties_that_it_names() {
    let running = start().await;
    let token = token_with("", VideoGrant { room_create: true, room_list: true, ..VideoGrant::default() });
    let made = post(running.address, "/api/v1/rooms", Some(&token), json!({"name": "math"})).await.json();
    fits(&made, "RoomCreated");
    let body = json!({"invite": made["invites"]["learner"], "name": "Ann"});
    let accepted = post(running.address, "/api/v1/invites/accept", None, body).await.json();
    fits(&accepted, "Accepted");
    let _ann = Person::join(running.address, accepted["token"].as_str().unwrap(), "").await.unwrap();
    fits(&post(running.address, "/api/v1/rooms", Some(&token), json!({"name": "math"})).await.json(), "RoomCreated");
    let list = Request::get("/api/v1/rooms").header("authorization", format!("Bearer {token}"));
    fits(&ask(running.address, list.body(Body::empty()).unwrap()).await.json(), "RoomList");
    let list = Request::get("/api/v1/sessions").header("authorization", format!("Bearer {token}"));
    let sessions = ask(running.address, list.body(Body::empty()).unwrap()).await.json();
    fits(&sessions, "SessionList");
    let admin = token_with("", VideoGrant { room_admin: true, room: "math".to_owned(), ..VideoGrant::default() });
    let log = format!("/api/v1/sessions/{}/events", sessions["sessions"][0]["session_id"].as_str().unwrap());
    let log = Request::get(log).header("authorization", format!("Bearer {admin}"));
    let page = ask(running.address, log.body(Body::empty()).unwrap()).await.json();
    assert!(page["events"].as_array().unwrap().len() >= 3, "{page}");
    fits(&page, "EventPage");
    let state = format!("/api/v1/sessions/{}/state", sessions["sessions"][0]["session_id"].as_str().unwrap());
    let state = Request::get(state).header("authorization", format!("Bearer {admin}"));
    fits(&ask(running.address, state.body(Body::empty()).unwrap()).await.json(), "ClassState");
    let state = Request::get("/api/v1/rooms/math/state").header("authorization", format!("Bearer {admin}"));
    fits(&ask(running.address, state.body(Body::empty()).unwrap()).await.json(), "ClassState");
    for (body, status) in
        [(json!({"type": "session.lock"}), StatusCode::OK), (json!({"type": "wave"}), StatusCode::NOT_IMPLEMENTED)]
    {
        let answer = post(running.address, "/api/v1/rooms/math/commands", Some(&admin), body).await;
        assert_eq!(answer.status, status, "{}", answer.text);
        fits(&answer.json(), "Ack");
    }
    let body = json!({"persons": [accepted["identity"]], "space": "group"});
    fits(&post(running.address, "/api/v1/rooms/math/moves", Some(&admin), body).await.json(), "Moved");
    fits(&get(running.address, "/api/v1/rooms").await.json(), "Error");
}

/// Every required property is there, and none that is not described; likewise inside.
fn fits(value: &Value, schema: &str) {
    let schemas = described()["components"]["schemas"].clone();
    check(value, &schemas[schema], schema);
}

fn check(value: &Value, schema: &Value, place: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        return fits(value, reference.rsplit('/').next().unwrap());
    }
    if let Some(properties) = schema["properties"].as_object() {
        let object = value.as_object().unwrap_or_else(|| panic!("{place} is no object: {value}"));
        for required in schema["required"].as_array().into_iter().flatten() {
            assert!(object.contains_key(required.as_str().unwrap()), "{place} has no {required}: {value}");
        }
        for (key, value) in object {
            let property = properties.get(key).unwrap_or_else(|| panic!("{place}.{key} is not described"));
            check(value, property, &format!("{place}.{key}"));
        }
    }
    if let Some(items) = schema.get("items") {
        value
            .as_array()
            .unwrap_or_else(|| panic!("{place} is no list"))
            .iter()
            .for_each(|item| check(item, items, place));
    }
    let kinds = match &schema["type"] {
        Value::String(kind) => vec![kind.clone()],
        Value::Array(kinds) => kinds.iter().map(|kind| kind.as_str().unwrap().to_owned()).collect(),
        _ => return,
    };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    assert!(kinds.iter().any(|known| known == kind), "{place} is {kind}, described as {kinds:?}");
}
