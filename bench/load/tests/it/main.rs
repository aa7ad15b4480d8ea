//! Synthetic learners in a real class: the server and the load generator, each in its own process, over real sockets. Counts are
//! asserted, never speed.

#![allow(clippy::expect_used, reason = "a test that meets the unexpected should stop there")]

use serde_json::Value;
use std::fs::File;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Nothing here takes so long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn everybody_hears_and_sees_everybody() {
    let server = Server::starts();
    let run = server.is_loaded(&["--publishers", "2", "--subscribers", "3", "--duration", "5s", "--layout", "3x3"]);
    let report = run.report();
    assert_eq!(number(&report, "/joins/failed"), 0, "{report:#}");
    assert_eq!(number(&report, "/joins/succeeded"), 5);
    assert_eq!(number(&report, "/joins/dropped"), 0);
    for kind in ["audio", "video"] {
        assert_eq!(number(&report, &format!("/tracks/{kind}_expected")), 2 * 3);
        assert_eq!(number(&report, &format!("/tracks/{kind}_received")), 2 * 3, "{report:#}");
        assert!(number(&report, &format!("/latency/{kind}/count")) > 0, "{report:#}");
    }
    assert!(number(&report, "/media/keyframes") >= 2 * 3, "a picture begins with a key frame");
    assert_eq!(number(&report, "/media/stray_packets"), 0);
    assert_eq!(report["complete"], true);
    assert_eq!(run.code, Some(0), "{}", run.complaints);
}

#[test]
fn publishers_see_each_other_in_h264_and_hear_nothing_of_the_muted() {
    let server = Server::starts();
    let class = ["--publishers", "3", "--muted", "1", "--publishers-watch", "--subscribers", "0"];
    let run = server.is_loaded(&[&class[..], &["--codec", "h264", "--layout", "5x5", "--duration", "3s"]].concat());
    let report = run.report();
    assert_eq!(number(&report, "/joins/failed"), 0, "{report:#}");
    assert_eq!(number(&report, "/tracks/video_received"), 3 * 2, "{report:#}");
    // Each of the two who speak is heard by the two others.
    assert_eq!(number(&report, "/tracks/audio_expected"), 2 * 2);
    assert_eq!(number(&report, "/tracks/audio_received"), 2 * 2, "{report:#}");
    assert_eq!(run.code, Some(0), "{}", run.complaints);
}

#[test]
fn those_who_come_and_go_leave_nothing_behind() {
    let server = Server::starts();
    let run = server.is_loaded(&["--churn", "12", "--subscribers", "4", "--stay", "200ms"]);
    let report = run.report();
    assert_eq!(number(&report, "/joins/succeeded"), 1 + 12, "{report:#}");
    assert_eq!(number(&report, "/joins/failed"), 0, "{report:#}");
    let clients = &report["churn"]["metrics"]["lyceum_clients"];
    assert_eq!((clients[0].as_f64(), clients[1].as_f64()), (Some(1.0), Some(1.0)), "{report:#}");
    assert_eq!(run.code, Some(0), "{}", run.complaints);
}

#[test]
fn people_on_the_state_socket_are_all_answered_and_come_back() {
    let server = Server::starts();
    let class = ["--classes", "2", "--people", "8", "--duration", "2s", "--rate", "20/s", "--flood", "500ms"];
    let to = ["state", "--url", &server.url, "--json", "-", "--answers-each", "5/s", "--fences", "2"];
    let run = load(&[&to[..], &class[..]].concat());
    let report = run.report();
    assert_eq!(report["troubles"], serde_json::json!({}), "{report:#}");
    assert_eq!(number(&report, "/joins/count"), 8);
    assert_eq!(number(&report, "/steady/acks/count"), number(&report, "/steady/commands"), "{report:#}");
    assert!(number(&report, "/steady/last_of_all/count") > 0, "{report:#}");
    assert!(number(&report, "/flood/draft_acks/count") > 0, "{report:#}");
    assert_eq!(number(&report, "/resumes/count"), 6);
    assert_eq!(number(&report, "/fences/count"), 2, "{report:#}");
    assert_eq!(run.code, Some(0), "{}", run.complaints);
}

#[test]
fn a_wrong_secret_is_named() {
    let server = Server::starts();
    let run = server.is_loaded(&["--api-secret", "another"]);
    assert_eq!(run.code, Some(1));
    assert!(run.complaints.contains("401") && run.complaints.contains("--api-secret"), "{}", run.complaints);
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let run = load(&["--url", &format!("ws://127.0.0.1:{}", free_port())]);
    assert_eq!(run.code, Some(1));
    assert!(run.complaints.contains("cannot be reached"), "{}", run.complaints);
}

/// The real server on ports of its own; its log is in `data`.
struct Server {
    process: Child,
    url: String,
    data: TempDir,
}

impl Server {
    fn starts() -> Self {
        let binary = server_binary();
        let data = tempfile::tempdir().expect("a folder");
        let log = File::create(data.path().join("log")).expect("a file");
        let process = Command::new(&binary)
            .args(["serve", "--dev", "--bind", "127.0.0.1:0", "--advertise", "127.0.0.1", "--log-format", "json"])
            .args(["--udp-port", "0", "--set", "media.tcp_bind=127.0.0.1:0"])
            .arg("--data")
            .arg(data.path().join("store"))
            .current_dir(data.path())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", binary.display()));
        let mut server = Self { process, url: String::new(), data };
        let began = Instant::now();
        server.url = loop {
            if let Some(address) = server.is_ready() {
                break format!("ws://{address}");
            }
            let ended = server.process.try_wait().expect("its state");
            assert!(ended.is_none() && began.elapsed() < PATIENCE, "no server: {ended:?}\n{}", server.log());
            std::thread::sleep(Duration::from_millis(20));
        };
        server
    }

    /// Its address, once its log tells.
    fn is_ready(&self) -> Option<String> {
        let log = self.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let ready = lines.into_iter().find(|line| line["message"] == "ready")?;
        ready["http"].as_str().map(str::to_owned)
    }

    fn is_loaded(&self, args: &[&str]) -> Run {
        load(&[&["--url", &self.url, "--json", "-"], args].concat())
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.data.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

struct Run {
    code: Option<i32>,
    json: String,
    complaints: String,
}

impl Run {
    fn report(&self) -> Value {
        let no_report = |error| panic!("no report: {error}\n{}\n{}", self.json, self.complaints);
        serde_json::from_str(&self.json).unwrap_or_else(no_report)
    }
}

fn load(args: &[&str]) -> Run {
    let output: Output = Command::new(env!("CARGO_BIN_EXE_lyceum-load")).args(args).output().expect("a run");
    Run {
        code: output.status.code(),
        json: String::from_utf8_lossy(&output.stdout).into_owned(),
        complaints: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// `LYCEUM_BIN`, or the one beside the load generator.
fn server_binary() -> PathBuf {
    let beside = || PathBuf::from(env!("CARGO_BIN_EXE_lyceum-load")).with_file_name("lyceum");
    let binary = std::env::var_os("LYCEUM_BIN").map_or_else(beside, PathBuf::from);
    assert!(
        binary.exists(),
        "there is no server at {}: run `cargo build -p lyceum`, or name one by LYCEUM_BIN",
        binary.display()
    );
    binary
}

/// Free at this moment; nobody else on the machine takes ports that the kernel gave out so recently.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address").port()
}

fn number(report: &Value, pointer: &str) -> u64 {
    let value = report.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {report:#}"));
    value.as_u64().unwrap_or_else(|| panic!("{pointer} is {value}"))
}
