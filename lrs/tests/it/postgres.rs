//! A PostgreSQL of the tests' own: a folder in the temporary directory, a free port of this machine, gone when the tests are.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// The address of a new, empty database.
pub fn new_database() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let server = server();
    let name = format!("test{}", NEXT.fetch_add(1, SeqCst));
    let mut admin = postgres::Client::connect(&server.address("postgres"), postgres::NoTls).unwrap();
    admin.batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
    server.address(&name)
}

struct Server {
    port: u16,
    /// Holds the pipe whose end tells the server that the tests are over.
    _keeper: Child,
}

impl Server {
    fn address(&self, database: &str) -> String {
        format!("postgresql://lyceum@127.0.0.1:{}/{database}", self.port)
    }
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let programs = programs();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        // PostgreSQL does not run as root; then it runs as the user whom its package made.
        let script = r#"
            set -e
            as() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
            cd /
            folder=$(as mktemp -d)
            as "$1/initdb" -D "$folder/data" -A trust -U lyceum --no-sync >/dev/null
            as "$1/postgres" -D "$folder/data" -p "$2" -k "$folder" -c listen_addresses=127.0.0.1 \
                -c fsync=off -c max_connections=400 >"$folder/log" 2>&1 &
            cat >/dev/null
            as "$1/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null || true
            rm -rf "$folder"
        "#;
        let keeper = Command::new("sh")
            .args(["-c", script, "sh"])
            .arg(&programs)
            .arg(port.to_string())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let server = Server { port, _keeper: keeper };
        let deadline = Instant::now() + Duration::from_secs(60);
        while let Err(error) = postgres::Client::connect(&server.address("postgres"), postgres::NoTls) {
            assert!(Instant::now() < deadline, "PostgreSQL did not start: {error}");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    })
}

/// Where initdb and postgres are: in the path, or where Debian puts them.
fn programs() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        folders.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    let found =
        folders.into_iter().rev().find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists());
    found.unwrap_or_else(|| panic!("PostgreSQL is not installed; on Debian: apt-get install postgresql"))
}
