//! What happens in classes becomes learning records: each statement once, whatever happens to the server, and the same bytes whenever the
//! log is read again.

use crate::class::{Class, START, policy, profile};
use crate::harness::{Process, config, get, lyceum, metric_becomes, start, start_with};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lyceum::config::{DEV_KEY, DEV_SECRET};
use lyceum::server::Server;
use lyceum::store::Store;
use lyceum_profile::{Templates, Verdict, profile as our_profile};
use lyceum_session::class::{ClassCommand, HandIntent};
use lyceum_session::*;
use lyceum_xapi::Json;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;

const MADE: &str = "lyceum_records_statements_total";

/// The tenant of the demo key.
fn tenant() -> TenantId {
    let config = config(Path::new("unused"));
    TenantId(config.keys[DEV_KEY].tenant.clone())
}

/// A short class.
fn lesson(session: &str, ends: bool) -> Vec<Event> {
    let mut class = Class { state: State::default(), log: Vec::new(), now: START };
    class.must(Command::Start {
        tenant: tenant(),
        room: format!("room of {session}").into(),
        session: session.into(),
        policy: policy(),
        metadata: String::new(),
    });
    let mut teacher = profile("tea");
    teacher.role = Role::Instructor;
    class.must(crate::class::attach("tea", teacher, "PA_1"));
    class.must(crate::class::attach("ann", profile("ann"), "PA_2"));
    class.wait(1_000);
    let raise = Command::Class(ClassCommand::HandRaise { intent: HandIntent::Question });
    class.does_as(Some("ann".into()), raise).unwrap();
    class.publishes("tea", "PA_1", "TR_1", Source::Microphone);
    class.loses_network("PA_2", class.now);
    if ends {
        class.must(Command::End { reason: EndReason::Ended });
    }
    class.log
}

/// What a class of this kind becomes: initialized, two who joined, a hand, a microphone, a loss; and at the end it is off, two have
/// left, one has attended, and it is over.
const MADE_OF_ONE: usize = 6;
const MADE_OF_AN_END: usize = 5;

async fn append(store: &Store, log: &[Event]) {
    let Fact::SessionStarted { session, .. } = &log[0].fact else { panic!("a log begins with its start") };
    store.append(tenant(), session.clone(), log.to_vec(), Vec::new()).await.unwrap();
}

/// Everything that the record store has, oldest first.
async fn stored(address: SocketAddr) -> Vec<String> {
    let credentials = STANDARD.encode(format!("{DEV_KEY}:{DEV_SECRET}"));
    let request = Request::get("/xapi/statements?ascending=true&limit=0")
        .header("authorization", format!("Basic {credentials}"))
        .header("x-experience-api-version", "2.0.0");
    let answer = crate::harness::ask(address, request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let answer = Json::parse(answer.text.as_bytes()).unwrap();
    assert_eq!(answer.get_str("more"), Some(""), "all of them are on this page");
    answer.get("statements").and_then(Json::as_array).unwrap().iter().map(without_what_a_store_adds).collect()
}

/// Waits until the record store has so many.
async fn becomes(address: SocketAddr, count: usize) -> Vec<String> {
    let reached = async {
        loop {
            let told = stored(address).await;
            if told.len() >= count {
                return told;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(crate::harness::PATIENCE, reached).await.expect("so many statements")
}

fn without_what_a_store_adds(statement: &Json) -> String {
    let mut object = statement.as_object().unwrap().clone();
    for name in ["stored", "authority", "version"] {
        assert!(object.remove(name).is_some(), "{name} is added by the store");
    }
    Json::Object(object).to_text()
}

/// What the command makes of a log.
fn projected(data: &Path, session: &str) -> Vec<String> {
    let mut command = lyceum(&["records", "project", "--dev", "--session", session, "--set"]);
    let output = command.arg(format!("store.dir={}", data.display())).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_class_is_recorded_as_it_happens_and_can_be_made_again_from_its_log() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(config(data.path())).await.unwrap();
    let address = server.addresses[0];
    let log = lesson("RM_1", true);
    append(&server.app.store, &log[..5]).await;
    metric_becomes(address, MADE, 3.0).await;
    server.app.store.append(tenant(), "RM_1".into(), log[5..].to_vec(), Vec::new()).await.unwrap();
    metric_becomes(address, MADE, (MADE_OF_ONE + MADE_OF_AN_END) as f64).await;

    let stored = stored(address).await;
    let templates = Templates::of(&our_profile()).unwrap();
    for statement in &stored {
        let parsed = Json::parse(statement.as_bytes()).unwrap();
        assert!(matches!(templates.check(&parsed, &|_| None), Verdict::Follows(_)), "{statement}");
    }
    // While the server runs, and twice.
    assert_eq!(projected(data.path(), "RM_1"), stored);
    assert_eq!(projected(data.path(), "RM_1"), stored);
    server.shut_down().await;
    assert_eq!(projected(data.path(), "RM_1"), stored);
}

#[tokio::test]
async fn each_statement_is_stored_once_whatever_the_cursor_says() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(config(data.path())).await.unwrap();
    append(&server.app.store, &lesson("RM_1", true)).await;
    append(&server.app.store, &lesson("RM_2", false)).await;
    metric_becomes(server.addresses[0], MADE, (2 * MADE_OF_ONE + MADE_OF_AN_END) as f64).await;
    let before = stored(server.addresses[0]).await;
    server.shut_down().await;

    // The power went before the cursors were on disk.
    let outbox = rusqlite::Connection::open(data.path().join("outbox.sqlite")).unwrap();
    outbox.execute("DELETE FROM cursors WHERE session = 'RM_1'", []).unwrap();
    outbox.execute("UPDATE cursors SET seq = 3 WHERE session = 'RM_2'", []).unwrap();
    drop(outbox);
    // The class that had not ended goes on from its log, and says so.
    let server = Server::start(config(data.path())).await.unwrap();
    let cursor_of = |session: &'static str| {
        let outbox = rusqlite::Connection::open(data.path().join("outbox.sqlite")).unwrap();
        let sql = "SELECT seq FROM cursors WHERE session = ?";
        outbox.query_row(sql, [session], |row| row.get::<_, u64>(0)).unwrap_or(0)
    };
    let caught_up = async {
        for session in ["RM_1", "RM_2"] {
            let head = server.app.store.head(tenant(), session.into()).await.unwrap();
            while cursor_of(session) < head.0 {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        }
    };
    tokio::time::timeout(crate::harness::PATIENCE, caught_up).await.expect("it catches up");
    let after = stored(server.addresses[0]).await;
    assert_eq!(after[..before.len()], before);
    let ids: BTreeSet<_> = after.iter().map(|one| one[..50].to_owned()).collect();
    assert_eq!(ids.len(), after.len(), "none is there twice");
    server.shut_down().await;
}

#[tokio::test]
async fn what_was_not_recorded_while_it_was_off_is_recorded_once_it_is_on() {
    let data = tempfile::tempdir().unwrap();
    let mut off = config(data.path());
    off.settings.lrs.record_classes = false;
    let server = Server::start(off).await.unwrap();
    append(&server.app.store, &lesson("RM_1", true)).await;
    assert_eq!(stored(server.addresses[0]).await, Vec::<String>::new());
    server.shut_down().await;
    assert!(!data.path().join("outbox.sqlite").exists());

    let server = Server::start(config(data.path())).await.unwrap();
    metric_becomes(server.addresses[0], MADE, (MADE_OF_ONE + MADE_OF_AN_END) as f64).await;
    assert_eq!(stored(server.addresses[0]).await, projected(data.path(), "RM_1"));
    server.shut_down().await;
}

#[tokio::test]
async fn what_was_said_in_other_words_stays() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(config(data.path())).await.unwrap();
    append(&server.app.store, &lesson("RM_1", true)).await;
    metric_becomes(server.addresses[0], MADE, (MADE_OF_ONE + MADE_OF_AN_END) as f64).await;
    let before = stored(server.addresses[0]).await;
    server.shut_down().await;

    for file in std::fs::read_dir(data.path()).unwrap().map(|file| file.unwrap()) {
        if file.file_name().to_string_lossy().starts_with("outbox.sqlite") {
            std::fs::remove_file(file.path()).unwrap();
        }
    }
    let mut other = config(data.path());
    other.settings.http.public_url = "https://elsewhere.example".to_owned();
    let server = Server::start(other).await.unwrap();
    metric_becomes(server.addresses[0], "lyceum_records_conflicts_total", before.len() as f64).await;
    assert_eq!(stored(server.addresses[0]).await, before);
    server.shut_down().await;
}

#[tokio::test]
async fn a_class_that_the_server_dies_in_is_told_to_its_end() {
    let data = tempfile::tempdir().unwrap();
    let server = Process::start(data.path(), &[]);
    let ann = server.join("algebra", "ann").await;
    becomes(server.address, 2).await;
    server.kill();
    drop(ann);
    let server = Process::start(data.path(), &[]);
    // She was cut off.
    let told = becomes(server.address, 3).await;
    let verbs: Vec<_> = told.iter().map(|one| Json::parse(one.as_bytes()).unwrap()).collect();
    let verbs: Vec<_> =
        verbs.iter().map(|one| one.get("verb").unwrap().get_str("id").unwrap().rsplit('/').next().unwrap()).collect();
    assert_eq!(verbs, ["initialized", "join", "suspended"]);
}

#[tokio::test]
async fn everybody_may_read_the_profile() {
    let running = start_with(|config| config.settings.lrs.record_classes = false).await;
    let answer = get(running.address, "/xapi/profile").await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, "application/ld+json"));
    assert_eq!(answer.text, lyceum_profile::document());
    let running = start().await;
    assert_eq!(get(running.address, "/xapi/about").await.status, StatusCode::OK, "the store is where it was");
}

#[test]
fn a_session_that_is_not_there_is_no_class() {
    let data = tempfile::tempdir().unwrap();
    let mut command = lyceum(&["records", "project", "--dev", "--session", "RM_x", "--set"]);
    let output = command.arg(format!("store.dir={}", data.path().display())).output().unwrap();
    assert!(!output.status.success());
    let profile = lyceum(&["records", "profile"]).output().unwrap();
    assert_eq!(String::from_utf8(profile.stdout).unwrap().trim(), lyceum_profile::document());
}
