//! The line that says while a run goes on how it goes: rewritten in place on a terminal, and a new one every few seconds in a log.

use crate::learner::Class;
use crate::machine::Mark;
use crate::measure::{Board, Phase};
use crate::peer::Kind;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

const ON_TERMINAL_EVERY: Duration = Duration::from_secs(1);
const IN_LOG_EVERY: Duration = Duration::from_secs(5);

/// See the module.
pub struct Progress {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Progress {
    pub fn start(class: Arc<Class>, server_pid: Option<u32>) -> Self {
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            tokio::select! {
                () = shows(&class, server_pid) => {}
                _ = stopped => {}
            }
            if std::io::stderr().is_terminal() {
                eprint!("\r\x1b[K");
            }
        });
        Self { stop, task }
    }

    pub async fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

async fn shows(class: &Class, server_pid: Option<u32>) {
    let terminal = std::io::stderr().is_terminal();
    let began = Instant::now();
    let mut mark = Mark::now(server_pid);
    let (mut down, mut up) = (0, 0);
    loop {
        let every = if terminal { ON_TERMINAL_EVERY } else { IN_LOG_EVERY };
        tokio::time::sleep(every).await;
        let board = &class.board;
        let now = Mark::now(server_pid);
        let server = match mark.until(&now).server_cpu_percent {
            Some(percent) => format!(", server {percent:.0} %"),
            None => String::new(),
        };
        mark = now;
        let rate = |bytes: u64, before: &mut u64| {
            let since = bytes - std::mem::replace(before, bytes);
            since as f64 * 8.0 / every.as_secs_f64() / 1e6
        };
        let line = format!(
            "{:>4} s: {} joined, {} failed, {} lost; {} tracks; {:.1} Mb/s down, {:.1} up{}{server}",
            began.elapsed().as_secs(),
            board.joined.load(Relaxed),
            board.failed.load(Relaxed),
            board.dropped.load(Relaxed),
            board.tracks.load(Relaxed),
            rate(board.bytes_down.load(Relaxed), &mut down),
            rate(board.bytes_up.load(Relaxed), &mut up),
            latencies(board),
        );
        if terminal {
            eprint!("\r\x1b[K{line}");
            let _ = std::io::stderr().flush();
        } else {
            eprintln!("{line}");
        }
    }
}

fn latencies(board: &Board) -> String {
    let mut text = String::new();
    for (kind, name) in [(Kind::Audio, "audio"), (Kind::Video, "video")] {
        let spread = board.latency(Phase::Steady, kind);
        if spread.count > 0 {
            text.push_str(&format!(", {name} p99 {:.1} ms", spread.p99_ms));
        }
    }
    text
}
