//! Reads a stranger's file in a process of its own, which has so much memory and so much time: a file that makes the reader
//! hang, grow or crash costs that process alone.

use super::inspect::{Kind, Unfit, pages};
use rustix::process::{Resource, Rlimit, setrlimit};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// The command of this program that reads a file.
pub const COMMAND: &str = "read-file";

/// Reading a file may take this much memory, the program itself included,
const MEMORY_BYTES: u64 = 1 << 30;
/// this much of a processor core,
const CPU_S: u64 = 20;
/// and this long. A machine with much to do still gets an ordinary file read.
const PATIENCE: Duration = Duration::from_secs(60);
/// So many files are read at a time.
const AT_A_TIME: usize = 2;
/// What the reader says of a file is short.
const SAID_BYTES: u64 = 4_096;

/// Has files read.
pub struct Sandbox {
    program: PathBuf,
    turns: Semaphore,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Said {
    Pages(u32),
    Unfit(Unfit),
}

impl Sandbox {
    /// Files are read by this program.
    pub fn new(program: &Path) -> Self {
        Self { program: program.to_owned(), turns: Semaphore::new(AT_A_TIME) }
    }

    /// How many pages a file has, or why it cannot be shown. The error is the server's: no process could be had. Whoever calls
    /// waits for the end, or the process is left without anybody who takes note of it.
    pub async fn read(&self, kind: Kind, file: File) -> io::Result<Result<u32, Unfit>> {
        let _turn = self.turns.acquire().await.map_err(io::Error::other)?;
        let mut reader = Command::new(&self.program)
            .args([COMMAND, kind.mime_type()])
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(file))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let out = reader.stdout.take();
        let listening = spawn_blocking(move || {
            let mut said = Vec::new();
            out.map_or(Ok(0), |out| out.take(SAID_BYTES).read_to_end(&mut said)).map(|_| said)
        });
        let said = timeout(PATIENCE, listening).await;
        // It has ended by itself, or is made to.
        let killed = reader.kill();
        let status = spawn_blocking(move || reader.wait()).await.map_err(io::Error::other)??;
        match said {
            Ok(said) => {
                let said = said.map_err(io::Error::other)??;
                match serde_json::from_slice(&said) {
                    Ok(Said::Pages(pages)) => Ok(Ok(pages)),
                    Ok(Said::Unfit(unfit)) => Ok(Err(unfit)),
                    Err(_) => {
                        tracing::warn!(%status, kind = kind.mime_type(), "a file could not be read within its bounds");
                        Ok(Err(TOO_MUCH.to_owned()))
                    }
                }
            }
            Err(_) => {
                tracing::warn!(%status, ?killed, kind = kind.mime_type(), "a file could not be read in time");
                Ok(Err(TOO_MUCH.to_owned()))
            }
        }
    }
}

const TOO_MUCH: &str = "the file takes too much memory or time to read: export it again, or split it";

/// What `lyceum read-file` does: bounds itself, reads standard input, and says what it found on standard output.
pub fn read_file(mime_type: &str) -> io::Result<()> {
    bound(Resource::As, MEMORY_BYTES)?;
    bound(Resource::Cpu, CPU_S)?;
    bound(Resource::Core, 0)?;
    bound(Resource::Fsize, SAID_BYTES)?;
    let kind = Kind::of(mime_type).ok_or_else(|| io::Error::other("files of this type are not read"))?;
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    let said = match pages(kind, &bytes) {
        Ok(pages) => Said::Pages(pages),
        Err(unfit) => Said::Unfit(unfit),
    };
    serde_json::to_writer(io::stdout().lock(), &said)?;
    io::stdout().flush()
}

fn bound(resource: Resource, most: u64) -> io::Result<()> {
    Ok(setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?)
}
