//! The real binary: it starts, says what to do, survives kill −9 with everything that it told anybody, and goes gently when it is
//! told to.

use crate::harness::*;
use livekit_protocol::leave_request::Action;
use livekit_protocol::signal_response::Message as Say;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};

fn output(args: &[&str]) -> (Option<i32>, String, String) {
    let output = lyceum(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn after_kill_9_the_same_class_goes_on_with_everything_that_anybody_was_told() {
    let data = tempfile::tempdir().unwrap();
    let server = Process::start(data.path(), &[]);
    let mut ann = server.join("math", "ann").await;
    let (ben, cy) = (server.join("math", "ben").await, server.join("math", "cy").await);
    let session = ann.session().to_owned();
    let told: Vec<String> = [&ann, &ben, &cy].map(|person| person.sid().to_owned()).into();
    // Ann has heard that Cy is there; Ben leaves, and Ann hears that as well.
    let (ben_sid, cy_sid) = (ben.sid().to_owned(), cy.sid().to_owned());
    let hears_of = |sid: String, state: livekit_protocol::participant_info::State| {
        move |say| match say {
            Say::Update(update) => update.participants.iter().any(|p| p.sid == sid && p.state() == state).then_some(()),
            _ => None,
        }
    };
    use livekit_protocol::participant_info::State;
    ann.hears(hears_of(cy_sid.clone(), State::Joined)).await;
    ben.leaves().await;
    ann.hears(hears_of(ben_sid.clone(), State::Disconnected)).await;
    server.kill();

    let server = Process::start(data.path(), &[]);
    let again = server.join("math", "ann").await;
    assert_eq!(again.session(), session, "the same class goes on");
    let others: Vec<_> = again.welcome.other_participants.iter().map(|p| p.identity.as_str()).collect();
    assert_eq!(others, ["cy"], "Ben had left, and Cy may come back");
    assert_eq!(again.welcome.other_participants[0].attributes["lyceum.presence"], "reconnecting");

    let log = server.log("math", &session).await;
    let seqs: Vec<u64> = log.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=log.len() as u64).collect::<Vec<_>>(), "no gap");
    let of = |kind: &str, sid: &str| {
        log.iter().filter(|event| event["type"] == kind && event["payload"]["connection"] == sid).count()
    };
    for sid in &told {
        assert_eq!(of("connection.attached", sid), 1, "{sid} was told that it is connected");
        assert_eq!(of("connection.detached", sid), 1, "{sid} is closed in the log");
    }
    let left: Vec<_> = log.iter().filter(|event| event["type"] == "participant.left").collect();
    assert_eq!((left.len(), &left[0]["payload"]["person"]), (1, &Value::from("ben")));
    assert_eq!(log.iter().filter(|event| event["type"] == "session.recovered").count(), 1);
}

#[tokio::test]
async fn told_to_terminate_it_tells_everybody_to_reconnect_and_stores_that() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Process::start(data.path(), &[]);
    let (mut ann, mut ben) = (server.join("math", "ann").await, server.join("art", "ben").await);
    let session = ann.session().to_owned();
    server.terminate();
    for person in [&mut ann, &mut ben] {
        let leave = person.hears(|say| if let Say::Leave(leave) = say { Some(leave) } else { None }).await;
        assert_eq!(leave.action(), Action::Reconnect);
        assert_eq!(leave.reason(), livekit_protocol::DisconnectReason::ServerShutdown);
        let close = person.is_closed().await;
        assert_eq!(close.map(|frame| u16::from(frame.code)), Some(1000));
    }
    let waited = std::time::Instant::now();
    assert!(server.child.wait().unwrap().success());
    assert!(waited.elapsed().as_secs() < 15, "a shutdown is bounded");

    let server = Process::start(data.path(), &[]);
    assert_eq!(server.join("math", "ann").await.session(), session);
    let log = server.log("math", &session).await;
    let detached: Vec<_> = log.iter().filter(|event| event["type"] == "connection.detached").collect();
    assert_eq!(detached[0]["payload"]["reason"], "server_stopped");
}

#[tokio::test]
async fn two_servers_do_not_share_a_data_folder() {
    let data = tempfile::tempdir().unwrap();
    let _first = Process::start(data.path(), &[]);
    let folder = data.path().to_str().unwrap();
    let (code, _, stderr) = output(&[
        "serve",
        "--dev",
        "--bind",
        "127.0.0.1:0",
        "--udp-port",
        "0",
        "--set",
        "media.tcp_bind=",
        "--data",
        folder,
    ]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("in use by another lyceum process"), "{stderr}");
}

#[tokio::test]
async fn no_secret_token_or_query_reaches_the_log() {
    let data = tempfile::tempdir().unwrap();
    let mut child = lyceum(&["serve", "--dev", "--bind", "127.0.0.1:0", "--udp-port", "0", "--set", "media.tcp_bind="])
        .args(["--set", "log.filter=trace", "--log-format", "json", "--data", data.path().to_str().unwrap()])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut reader = BufReader::new(child.stderr.take().unwrap());
    let mut log = String::new();
    while !log.contains("\"ready\"") {
        assert_ne!(reader.read_line(&mut log).unwrap(), 0, "{log}");
    }
    let ready = log.lines().last().unwrap().to_owned();
    let address: SocketAddr = serde_json::from_str::<Value>(&ready).unwrap()["http"].as_str().unwrap().parse().unwrap();
    let rest = std::thread::spawn(move || {
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut reader, &mut rest).unwrap();
        rest
    });
    let good = token("math", "ann");
    let mut ann = Person::join(address, &good, "&device_model=fingerprint-of-a-phone").await.unwrap();
    let fresh = ann.hears(|say| if let Say::RefreshToken(token) = say { Some(token) } else { None }).await;
    assert!(Person::join(address, "not-a-token-but-secret", "").await.is_err());
    let odd = sign_json(
        serde_json::json!({"iss": "devkey", "exp": now_s() + 600, "attributes": {"note": ["private-note"]}, "name": {"x": 1}}),
    );
    assert!(Person::join(address, &odd, "").await.is_err());
    get(address, "/nothing?password=hunter2").await;
    ann.leaves().await;
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    child.wait().unwrap();
    log.push_str(&rest.join().unwrap());
    assert!(log.contains("\"connected\""), "the log was read");
    for secret in
        [&good, &fresh, "not-a-token-but-secret", "hunter2", "fingerprint-of-a-phone", "access_token=", "private-note"]
    {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

#[tokio::test]
async fn the_commands_do_what_they_say() {
    let data = tempfile::tempdir().unwrap();
    let server = Process::start(data.path(), &[]);
    let url = format!("http://{}", server.address);
    let (code, links, stderr) = output(&["room", "create", "Year 7", "--dev", "--url", &url]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(links.contains(&format!("{url}/c/Year%207#")), "{links}");
    let (_, rooms, _) = output(&["room", "list", "--dev", "--url", &url]);
    assert!(rooms.contains("Year 7") && rooms.contains("demo"), "{rooms}");

    let (code, made, stderr) = output(&[
        "token",
        "create",
        "--dev",
        "--room",
        "Year 7",
        "--identity",
        "ann",
        "--role",
        "instructor",
        "--ttl",
        "30m",
    ]);
    assert_eq!(code, Some(0), "{stderr}");
    let ann = Person::join(server.address, made.trim(), "").await.unwrap();
    assert_eq!(ann.welcome.participant.unwrap().attributes["lyceum.role"], "instructor");
    let (_, sessions, _) = output(&["room", "sessions", "--dev", "--url", &url]);
    assert!(sessions.contains(&ann.welcome.room.unwrap().sid), "{sessions}");

    let (code, version, _) = output(&["version"]);
    assert_eq!((code, version.starts_with("lyceum 0.")), (Some(0), true));
}

#[test]
fn a_command_that_cannot_work_says_why_and_what_to_do() {
    let (code, _, stderr) = output(&["room", "create", "math", "--dev", "--url", "http://127.0.0.1:9"]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("no server answers at http://127.0.0.1:9") && stderr.contains("lyceum serve"), "{stderr}");

    let (code, _, stderr) = output(&["serve"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("there is no API key") && stderr.contains("--dev"), "{stderr}");

    let (code, _, stderr) = output(&["serve", "--dev", "--bind", "0.0.0.0:7880"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("--allow-dev-keys-anywhere"), "{stderr}");

    let (code, _, stderr) = output(&["token", "create", "--dev"]);
    assert_eq!((code, stderr.contains("would allow nothing")), (Some(1), true), "{stderr}");
    let (code, _, stderr) = output(&["token", "create", "--dev", "--room", "a", "--identity", "b", "--role", "king"]);
    assert_eq!((code, stderr.contains("\"king\" is no role")), (Some(1), true), "{stderr}");

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let data = tempfile::tempdir().unwrap();
    let (code, _, stderr) = output(&["serve", "--dev", "--bind", &address, "--data", data.path().to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains(&format!("cannot listen on {address}")) && stderr.contains("another server"), "{stderr}");
}

#[test]
fn config_check_explains_with_file_and_line() {
    let file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    let path = file.path().to_str().unwrap();
    std::fs::write(file.path(), "[http]\nbind = 5\n").unwrap();
    let (code, _, stderr) = output(&["config", "check", path]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains(&format!("{path}:2: http.bind is 5, expected a list of addresses")), "{stderr}");

    std::fs::write(file.path(), "[keys]\nmyapp = \"0123456789abcdefghijklmnopqrstuv\"\n").unwrap();
    let (code, stdout, _) = output(&["config", "check", path]);
    assert_eq!((code, stdout.contains("good") && stdout.contains("myapp")), (Some(0), true), "{stdout}");
    assert!(!stdout.contains("0123456789abcdef"), "{stdout}");
}
