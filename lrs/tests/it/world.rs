//! A record store, and what people say to it.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lyceum_lrs::{Access, Authenticator, Config, Credentials, Database, Scopes, Store, router};
use lyceum_xapi::Json;
use std::sync::Arc;
use tower::ServiceExt;

pub struct World {
    pub app: Router,
    pub store: Store,
    pub database: Database,
    _folder: Option<tempfile::TempDir>,
}

pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Json {
        Json::parse(&self.body).unwrap_or_else(|error| panic!("{}: {error}: {}", self.status, self.text()))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The ids of the statements in it.
    pub fn ids(&self) -> Vec<String> {
        assert_eq!(self.status, 200, "{}", self.text());
        let answer = self.json();
        let statements = answer.get("statements").and_then(Json::as_array).unwrap();
        statements.iter().map(|one| one.get_str("id").unwrap().to_owned()).collect()
    }

    /// The address of the next page, without the folder of the record store.
    pub fn more(&self) -> Option<String> {
        let more = self.json().get_str("more").unwrap().to_owned();
        (!more.is_empty()).then(|| more.strip_prefix("/xapi").unwrap().to_owned())
    }
}

/// Keys of the tests: `NAME` with the password `secret` belongs to the tenant before its first hyphen, and has the scopes after it.
struct Keys;

impl Authenticator for Keys {
    fn authenticate(&self, credentials: Credentials<'_>) -> Option<Access> {
        let name = match credentials {
            Credentials::Basic { user, password: "secret" } => user,
            Credentials::Bearer(token) => token.strip_prefix("token-")?,
            Credentials::Basic { .. } => return None,
        };
        let (tenant, scopes) = name.split_once('-').unwrap_or((name, "all"));
        let authority = Access::account("https://lrs.example", name);
        Some(Access { tenant: tenant.to_owned(), authority, scopes: Scopes::parse(&scopes.replace('+', " ")) })
    }
}

pub const MAX_BODY: usize = 256 << 10;

impl World {
    pub async fn on_sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::Sqlite(folder.path().join("records.sqlite"));
        Self::on(database, Some(folder)).await
    }

    pub async fn on_postgres() -> Self {
        let address = tokio::task::spawn_blocking(crate::postgres::new_database).await.unwrap();
        Self::on(Database::Postgres(address), None).await
    }

    async fn on(database: Database, folder: Option<tempfile::TempDir>) -> Self {
        let store = open(&database).await;
        Self { app: app(&store), store, database, _folder: folder }
    }

    /// The same records after a restart.
    pub async fn restarted(&self) -> Router {
        let store = self.store.clone();
        tokio::task::spawn_blocking(move || store.close()).await.unwrap();
        app(&open(&self.database).await)
    }

    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Reply {
        send(&self.app, method, path, headers, body.into()).await
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], "").await
    }

    pub async fn post(&self, body: impl Into<Vec<u8>>) -> Reply {
        self.send("POST", "/statements", &[("content-type", "application/json")], body).await
    }

    /// Stores a statement, and gives its id back.
    pub async fn store(&self, statement: &str) -> String {
        let reply = self.post(statement).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json().as_array().unwrap()[0].as_str().unwrap().to_owned()
    }
}

async fn open(database: &Database) -> Store {
    let database = database.clone();
    tokio::task::spawn_blocking(move || Store::open(database).unwrap()).await.unwrap()
}

fn app(store: &Store) -> Router {
    let config = Config { max_body_bytes: MAX_BODY, max_page: 100, ..Config::default() };
    router(store.clone(), Arc::new(Keys), config)
}

/// Says something to a record store. Without headers of their own, requests are of 2.0 and by the key that may do everything; an empty
/// value leaves a header out.
pub async fn send(app: &Router, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Reply {
    let key = basic("school");
    let mut request = Request::builder().method(method).uri(path);
    let usual = [("x-experience-api-version", "2.0.0"), ("authorization", key.as_str())];
    let missing = usual.iter().filter(|(name, _)| !headers.iter().any(|(given, _)| given == name));
    for (name, value) in headers.iter().chain(missing).filter(|(_, value)| !value.is_empty()) {
        request = request.header(*name, *value);
    }
    let response = app.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
    Reply { status: parts.status, headers: parts.headers, body }
}

pub fn basic(user: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:secret")))
}

/// A statement of somebody who did something with something; more properties follow as `,"name":…`.
pub fn statement(who: &str, verb: &str, what: &str, more: &str) -> String {
    format!(
        r#"{{"actor":{{"mbox":"mailto:{who}@example.org"}},"verb":{{"id":"https://example.org/{verb}"}},"object":{{"id":"https://example.org/{what}"}}{more}}}"#
    )
}

/// A UUID for a number.
pub fn uuid(number: u32) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

/// A value in a query.
pub fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

pub fn agent(who: &str) -> String {
    encoded(&format!(r#"{{"mbox":"mailto:{who}@example.org"}}"#))
}
