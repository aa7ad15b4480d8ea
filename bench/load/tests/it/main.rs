//! The load generator against a real server: counts only, nothing that depends on the speed of the machine.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that meets the unexpected stops there")]

use serde_json::Value;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn everybody_joins_and_receives_everything() {
    let server = Server::starts();
    let report =
        server.load(&["--publishers", "2", "--audio-publishers", "1", "--subscribers", "3", "--duration", "4s"]);
    let number = |path: &str| report.pointer(path).and_then(Value::as_u64).expect(path);
    assert_eq!((number("/joins/attempted"), number("/joins/succeeded"), number("/joins/failed")), (6, 6, 0));
    assert_eq!(number("/tracks/audio_expected"), 9, "three subscribers, three voices");
    assert_eq!(number("/tracks/audio_received"), 9);
    assert_eq!(number("/tracks/video_expected"), 6);
    assert_eq!(number("/tracks/video_received"), 6);
    assert_eq!(report["complete"], Value::Bool(true), "{report:#}");
}

#[test]
fn a_wrong_secret_is_said_plainly() {
    let server = Server::starts();
    let output = server.run(&["--api-secret", "wrong", "--subscribers", "1", "--duration", "1s"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success());
    assert!(said.contains("401"), "{said}");
}

struct Server {
    process: Child,
    url: String,
    _data: tempfile::TempDir,
}

impl Server {
    fn starts() -> Self {
        let binary = std::env::var_os("SERVER_BINARY").map_or_else(beside_us, PathBuf::from);
        assert!(binary.exists(), "{} is not there; build it: cargo build -p lyceum", binary.display());
        let data = tempfile::tempdir().expect("a folder");
        let (http, tcp) = (free_port(), free_port());
        let process = Command::new(binary)
            .args(["serve", "--dev"])
            .env("LYCEUM_HTTP_BIND", format!("127.0.0.1:{http}"))
            .env("LYCEUM_MEDIA_TCP_BIND", format!("127.0.0.1:{tcp}"))
            .env("LYCEUM_MEDIA_UDP_PORT", "0")
            .env("LYCEUM_STORE_DIR", data.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        let until = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(("127.0.0.1", http)).is_err() {
            assert!(Instant::now() < until, "the server does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        Self { process, url: format!("ws://127.0.0.1:{http}"), _data: data }
    }

    fn run(&self, words: &[&str]) -> std::process::Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lyceum-load"));
        command
            .args(["--url", &self.url, "--server-pid", "none"])
            .args(words)
            .output()
            .expect("the load generator runs")
    }

    fn load(&self, words: &[&str]) -> Value {
        let output = self.run(&[words, &["--json", "-"]].concat());
        let printed = String::from_utf8(output.stdout).expect("text");
        serde_json::from_str(&printed).unwrap_or_else(|error| {
            panic!("no report ({error}): {printed}\n{}", String::from_utf8_lossy(&output.stderr));
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn beside_us() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_lyceum-load")).with_file_name("lyceum")
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}
