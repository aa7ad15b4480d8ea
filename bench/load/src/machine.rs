//! What `/proc` says of processes and of the machine: processor time, memory, open files. On other systems than Linux there is
//! nothing to say.

use serde::Serialize;
use std::fs;
use std::path::Path;
use std::time::Instant;

/// One process, now.
#[derive(Clone, Copy, Debug)]
pub struct Process {
    cpu_s: f64,
    pub rss_bytes: u64,
    pub files: Option<u64>,
}

impl Process {
    /// `None` if there is no such process, or no `/proc`.
    pub fn of(pid: u32) -> Option<Self> {
        let folder = Path::new("/proc").join(pid.to_string());
        let stat = fs::read_to_string(folder.join("stat")).ok()?;
        // The name in brackets may hold spaces.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
        let pages: u64 = fields.get(21)?.parse().ok()?;
        Some(Self {
            cpu_s: ticks as f64 / rustix::param::clock_ticks_per_second() as f64,
            rss_bytes: pages * rustix::param::page_size() as u64,
            files: fs::read_dir(folder.join("fd")).ok().map(|files| files.count() as u64),
        })
    }
}

/// A moment to measure processor time from.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    at: Instant,
    server: Option<Process>,
    own: Option<Process>,
    machine: Option<(u64, u64)>,
}

/// Processor time between two moments, in percent of one core, and memory at the second.
#[derive(Clone, Copy, PartialEq, Default, Debug, Serialize)]
pub struct Use {
    pub server_cpu_percent: Option<f64>,
    pub server_rss_bytes: Option<u64>,
    pub client_cpu_percent: Option<f64>,
    pub client_rss_bytes: Option<u64>,
    /// All cores together; 100 means that nothing was idle.
    pub machine_busy_percent: Option<f64>,
}

impl Mark {
    pub fn now(server: Option<u32>) -> Self {
        Self {
            at: Instant::now(),
            server: server.and_then(Process::of),
            own: Process::of(std::process::id()),
            machine: machine_ticks(),
        }
    }

    pub fn until(&self, later: &Self) -> Use {
        let seconds = (later.at - self.at).as_secs_f64().max(0.001);
        let cpu = |before: Option<Process>, after: Option<Process>| {
            Some((after?.cpu_s - before?.cpu_s).max(0.0) * 100.0 / seconds)
        };
        let busy = || {
            let ((busy_before, all_before), (busy, all)) = (self.machine?, later.machine?);
            Some((busy - busy_before) as f64 * 100.0 / (all - all_before).max(1) as f64)
        };
        Use {
            server_cpu_percent: cpu(self.server, later.server),
            server_rss_bytes: later.server.map(|process| process.rss_bytes),
            client_cpu_percent: cpu(self.own, later.own),
            client_rss_bytes: later.own.map(|process| process.rss_bytes),
            machine_busy_percent: busy(),
        }
    }
}

/// Ticks of all cores: spent, and spent or idle.
fn machine_ticks() -> Option<(u64, u64)> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    // user nice system idle iowait irq softirq steal; guest time is part of user time.
    let ticks: Vec<u64> =
        stat.lines().next()?.split_whitespace().skip(1).take(8).filter_map(|n| n.parse().ok()).collect();
    let all: u64 = ticks.iter().sum();
    let idle = ticks.get(3)? + ticks.get(4)?;
    Some((all - idle, all))
}

/// The process on this machine that listens on a TCP port.
pub fn listens_on(port: u16) -> Option<u32> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .find_map(|table| listener(&fs::read_to_string(table).ok()?, port))?;
    let socket = format!("socket:[{inode}]");
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(files) = fs::read_dir(entry.path().join("fd")) else { continue };
        if files.flatten().any(|file| fs::read_link(file.path()).is_ok_and(|to| to.as_os_str() == socket.as_str())) {
            return Some(pid);
        }
    }
    None
}

/// The inode of the socket that listens on a port, from the kernel's table.
fn listener(table: &str, port: u16) -> Option<u64> {
    const LISTENS: &str = "0A";
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let local = u16::from_str_radix(fields.get(1)?.rsplit_once(':')?.1, 16).ok()?;
        (local == port && *fields.get(3)? == LISTENS).then(|| fields.get(9)?.parse().ok())?
    })
}

/// Processor, cores and kernel, for the report.
pub fn description() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|(_, name)| name);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{cores} cores, {}, {} {}", model.unwrap_or("unknown processor"), std::env::consts::OS, kernel.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_found_in_the_kernels_table() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
   0: 0100007F:1EC8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0\n\
   1: 0100007F:1EC9 0100007F:1EC8 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100 0 0 10 0\n";
        assert_eq!(listener(table, 0x1ec8), Some(4711));
        assert_eq!(listener(table, 0x1ec9), None, "connected, not listening");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_is_found_by_its_port() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        assert_eq!(listens_on(port), Some(std::process::id()));
        let own = Process::of(std::process::id()).expect("this process");
        assert!(own.rss_bytes > 100_000 && own.files.is_some_and(|files| files > 2));
        let before = Mark::now(Some(std::process::id()));
        let used = before.until(&Mark::now(Some(std::process::id())));
        assert!(used.server_cpu_percent.is_some() && used.machine_busy_percent.is_some());
    }
}
