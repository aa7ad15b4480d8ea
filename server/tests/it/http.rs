//! The HTTP side as browsers, monitoring and strangers meet it.

use crate::harness::*;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use lyceum::token::VideoGrant;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn every_answer_may_be_read_by_any_page_and_carries_the_security_headers() {
    let running = start().await;
    let paths = [
        "/",
        "/c/math",
        "/healthz",
        "/readyz",
        "/metrics",
        "/rtc",
        "/rtc/validate",
        "/rtc/v1",
        "/rtc/v1/validate",
        "/api/v1/openapi.json",
        "/api/v1/rooms",
        "/api/nothing",
        "/nothing",
    ];
    for path in paths {
        let answer = get(running.address, path).await;
        assert_eq!(answer.header("access-control-allow-origin"), "*", "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert!(!policy.contains("unsafe-eval") && !policy.contains("script-src 'unsafe"), "{path}: {policy}");
    }
}

#[tokio::test]
async fn a_page_of_another_origin_may_ask_with_a_token() {
    let running = start().await;
    let preflight = Request::builder()
        .method(Method::OPTIONS)
        .uri("/api/v1/rooms")
        .header("origin", "https://elsewhere.test")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type");
    let answer = ask(running.address, preflight.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("access-control-allow-headers"), "authorization,content-type");
    assert!(answer.header("access-control-allow-methods").contains("POST"));
}

#[tokio::test]
async fn the_page_is_served_at_the_root_and_for_every_class() {
    let running = start().await;
    let page = get(running.address, "/").await;
    assert_eq!((page.status, page.header("content-type")), (StatusCode::OK, "text/html; charset=utf-8"));
    for path in ["/c/math", "/c/year%207", "/c/a/b", "//c/math"] {
        assert_eq!(get(running.address, path).await.text, page.text, "{path}");
    }
    let head = ask(running.address, Request::head("/").body(Body::empty()).unwrap()).await;
    assert_eq!((head.status, head.text.as_str()), (StatusCode::OK, ""));
}

#[tokio::test]
async fn assets_are_cached_for_ever_and_come_compressed() {
    let running = start().await;
    let page = get(running.address, "/").await.text;
    let Some((_, after)) = page.split_once("src=\"/assets/") else {
        // Built without the app: then the page must say how to build it.
        assert!(page.contains("npm run build"), "{page}");
        return;
    };
    let path = format!("/assets/{}", after.split('"').next().unwrap());
    let fetch = |encoding: &'static str| {
        let request = Request::get(&path).header("accept-encoding", encoding).body(Body::empty()).unwrap();
        ask(running.address, request)
    };
    let (plain, brotli, gzip) = (fetch("").await, fetch("gzip, br").await, fetch("gzip").await);
    assert_eq!(plain.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(plain.header("content-type"), "text/javascript; charset=utf-8");
    assert_eq!((brotli.header("content-encoding"), gzip.header("content-encoding")), ("br", "gzip"));
    assert!(brotli.bytes.len() < gzip.bytes.len() && gzip.bytes.len() < plain.bytes.len());
    assert_eq!(get(running.address, "/").await.header("cache-control"), "no-cache");
}

#[tokio::test]
async fn what_is_not_there_says_so() {
    let running = start().await;
    for path in ["/nothing", "/assets/../Cargo.toml", "/%2e%2e/etc/passwd", "/index.htm"] {
        assert_eq!(get(running.address, path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let api = get(running.address, "/api/v2/rooms").await;
    assert_eq!((api.status, api.json()["code"].as_str()), (StatusCode::NOT_FOUND, Some("not_found")));
    let wrong = ask(running.address, Request::delete("/api/v1/rooms").body(Body::empty()).unwrap()).await;
    assert_eq!(
        (wrong.status, wrong.json()["code"].as_str()),
        (StatusCode::METHOD_NOT_ALLOWED, Some("method_not_allowed"))
    );
}

#[tokio::test]
async fn later_clients_are_told_to_fall_back() {
    let running = start().await;
    for path in ["/rtc/v1", "/rtc/v1/validate", "//rtc/v1/validate", "/rtc/v1?access_token=x&join_request=y"] {
        let answer = get(running.address, path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(!answer.text.contains("requested room does not exist"), "clients read that text as a refusal");
    }
}

#[tokio::test]
async fn validate_says_what_a_websocket_cannot() {
    let running = start_with(|config| config.settings.rooms.auto_create = false).await;
    let validate = |query: String| async move {
        let answer = get(running.address, &format!("/rtc/validate?{query}")).await;
        (answer.status, answer.text)
    };
    assert_eq!(validate(String::new()).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(validate("access_token=x".to_owned()).await.0, StatusCode::UNAUTHORIZED);
    let (status, text) = validate(format!("access_token={}", token("math", "ann"))).await;
    assert_eq!((status, text.as_str()), (StatusCode::NOT_FOUND, "requested room does not exist"));
    let admin = token_with("", VideoGrant { room_create: true, ..VideoGrant::default() });
    assert_eq!(
        post(running.address, "/api/v1/rooms", Some(&admin), json!({"name": "math"})).await.status,
        StatusCode::OK
    );
    let (status, text) = validate(format!("access_token={}", token("math", "ann"))).await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, "success"));
}

#[tokio::test]
async fn the_bearer_header_comes_before_the_query() {
    let running = start().await;
    let with = |header: &str, query: &str| {
        let request = Request::get(format!("/rtc/validate?access_token={query}")).header("authorization", header);
        ask(running.address, request.body(Body::empty()).unwrap()).await_pair()
    };
    let good = token("math", "ann");
    assert_eq!(with(&format!("Bearer {good}"), "broken").await.0, StatusCode::OK);
    assert_eq!(with(&format!("bearer {good}"), "").await.0, StatusCode::OK);
    assert_eq!(with("Bearer broken", &good).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(with("Basic abc", &good).await.0, StatusCode::OK);
}

#[tokio::test]
async fn rooms_are_made_with_the_right_grant_only() {
    let running = start().await;
    let make = |token: Option<String>, body: serde_json::Value| async move {
        post(running.address, "/api/v1/rooms", token.as_deref(), body).await
    };
    let creator = || Some(token_with("", VideoGrant { room_create: true, ..VideoGrant::default() }));
    let math = json!({"name": "math"});

    let nobody = make(None, math.clone()).await;
    assert_eq!((nobody.status, nobody.header("www-authenticate")), (StatusCode::UNAUTHORIZED, "Bearer"));
    let learner = make(Some(token("math", "ann")), math.clone()).await;
    assert_eq!((learner.status, learner.json()["code"].as_str()), (StatusCode::FORBIDDEN, Some("forbidden")));
    assert!(learner.json()["message"].as_str().unwrap().contains("roomCreate"));

    let first = make(creator(), json!({"name": "math", "max_participants": 3, "empty_timeout_s": 60})).await.json();
    let again = make(creator(), math).await.json();
    assert_eq!((first["name"].as_str(), &first["created_at_ms"]), (Some("math"), &again["created_at_ms"]));
    assert!(first.get("session_id").is_none(), "no class runs yet");

    let listed = Request::get("/api/v1/rooms").header(
        "authorization",
        format!("Bearer {}", token_with("", VideoGrant { room_list: true, ..VideoGrant::default() })),
    );
    let listed = ask(running.address, listed.body(Body::empty()).unwrap()).await.json();
    assert_eq!(listed["rooms"][0]["name"], "math");
}

#[tokio::test]
async fn a_senseless_body_is_told_what_is_wrong_with_it() {
    let running = start_with(|config| config.settings.http.max_body_bytes = 2048).await;
    let creator = token_with("", VideoGrant { room_create: true, ..VideoGrant::default() });
    let make = |body: serde_json::Value| post(running.address, "/api/v1/rooms", Some(&creator), body).await_code();
    assert_eq!(make(json!({})).await, (422, "body_invalid".to_owned()));
    assert_eq!(make(json!({"name": 5})).await, (422, "body_invalid".to_owned()));
    assert_eq!(make(json!({"name": "x", "max_participant": 5})).await, (422, "body_invalid".to_owned()));
    assert_eq!(make(json!({"name": " "})).await, (400, "name_invalid".to_owned()));
    assert_eq!(make(json!({"name": "x\u{7}"})).await, (400, "name_invalid".to_owned()));
    assert_eq!(make(json!({"name": "x".repeat(257)})).await, (400, "name_invalid".to_owned()));
    assert_eq!(make(json!({"name": "x", "empty_timeout_s": 0})).await, (400, "timeout_invalid".to_owned()));
    assert_eq!(make(json!({"name": "x", "metadata": "x".repeat(4096)})).await, (413, "body_too_large".to_owned()));
}

#[tokio::test]
async fn too_long_a_head_and_garbage_are_refused_and_harm_nobody() {
    let running = start_with(|config| config.settings.http.max_head_bytes = 8192).await;
    let status = |request: String| async move {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A server that closes on us in the middle of what we send is a refusal as well.
        let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap();
        String::from_utf8_lossy(&answer).split(' ').nth(1).map(str::to_owned)
    };
    let long = status(format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(20_000))).await;
    assert_eq!(long.as_deref(), Some("431"));
    let garbage = status("\u{1}\u{2}\u{3} not http at all\r\n\r\n".to_owned()).await;
    assert_eq!(garbage.as_deref(), Some("400"));
    assert_eq!(get(running.address, "/healthz").await.status, StatusCode::OK);
}

#[tokio::test]
async fn who_says_nothing_or_stops_half_way_is_not_waited_for() {
    let running = start_with(|config| {
        config.settings.http.head_timeout_s = 1;
        config.settings.http.idle_timeout_s = 1;
    })
    .await;
    let body = "POST /api/v1/invites/accept HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{";
    let whole = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    for beginning in ["", "GET /healthz HTT", "GET /healthz HTTP/1.1\r\nhost: x\r\n", body, whole] {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        stream.write_all(beginning.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
        assert!(ended.is_ok(), "still open after {beginning:?}");
    }
}

#[tokio::test]
async fn one_connection_too_many_is_told_to_come_back() {
    let running = start_with(|config| config.settings.http.max_connections = 1).await;
    let first = TcpStream::connect(running.address).await.unwrap();
    // The first connection holds the only seat once the server has greeted it: then the next is turned away.
    let answer = tokio::time::timeout(PATIENCE, async {
        loop {
            let mut stream = TcpStream::connect(running.address).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            if !answer.is_empty() {
                return answer;
            }
        }
    });
    let answer = answer.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("no free connection"), "{answer}");
    drop(first);
}

#[tokio::test]
async fn metrics_have_units_in_their_names_and_count() {
    let running = start().await;
    let text = get(running.address, "/metrics").await.text;
    let mut counters = 0;
    for line in text.lines().filter(|line| line.starts_with("# TYPE ")) {
        let [_, _, name, kind] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        assert!(name.starts_with("lyceum_") || name.starts_with("process_"), "{name}");
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name} is a {kind}");
        assert!(text.contains(&format!("# HELP {name} ")), "{name} is not explained");
        counters += usize::from(kind == "counter");
    }
    assert!(counters > 20);
    let before = running.metric("lyceum_joins_refused_total").await;
    assert!(Person::join(running.address, "broken", "").await.is_err());
    assert_eq!(running.metric("lyceum_joins_refused_total").await, before + 1.0);
}

#[tokio::test]
async fn a_store_that_is_gone_makes_the_server_not_ready() {
    let running = start().await;
    assert_eq!(get(running.address, "/readyz").await.status, StatusCode::OK);
    running.server.app.store.close().await;
    let answer = get(running.address, "/readyz").await;
    assert_eq!((answer.status, answer.json()["code"].as_str()), (StatusCode::SERVICE_UNAVAILABLE, Some("unavailable")));
    assert_eq!(get(running.address, "/healthz").await.status, StatusCode::OK);
}

/// Shorter views of an answer.
trait Brief {
    async fn await_pair(self) -> (StatusCode, String);
    async fn await_code(self) -> (u16, String);
}

impl<F: Future<Output = Answer>> Brief for F {
    async fn await_pair(self) -> (StatusCode, String) {
        let answer = self.await;
        (answer.status, answer.text)
    }

    async fn await_code(self) -> (u16, String) {
        let answer = self.await;
        (answer.status.as_u16(), answer.json()["code"].as_str().unwrap_or_default().to_owned())
    }
}
