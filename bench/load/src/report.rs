//! What a run says at its end: a table for people and the same as JSON for programs.

use crate::machine::Use;
use crate::measure::{Loss, Spread};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The report. All times are in milliseconds, all rates per second of the measured time.
#[derive(Clone, Default, Debug, Serialize)]
pub struct Report {
    pub load_version: &'static str,
    pub machine: String,
    pub server: ServerFacts,
    pub class: ClassFacts,
    pub joins: Joins,
    pub tracks: Tracks,
    pub media: Media,
    pub latency: Latency,
    pub usage: Use,
    /// Only of a run with `--churn`.
    pub churn: Option<Churn>,
    pub complete: bool,
}

#[derive(Clone, Default, Debug, Serialize)]
pub struct ServerFacts {
    pub url: String,
    pub protocol_version: String,
    pub pid: Option<u32>,
}

/// What was asked for.
#[derive(Clone, Default, Debug, Serialize)]
pub struct ClassFacts {
    pub room: String,
    pub publishers: u16,
    pub audio_publishers: u16,
    pub muted: u16,
    pub publishers_watch: bool,
    pub subscribers: u32,
    pub layout: String,
    pub codec: String,
    pub speech: String,
    pub dynacast: bool,
    pub ramp_per_s: f64,
    pub measured_s: f64,
}

#[derive(Clone, Default, Debug, Serialize)]
pub struct Joins {
    pub attempted: usize,
    pub succeeded: usize,
    pub failed: usize,
    /// Were complete, and did not stay to the end.
    pub dropped: usize,
    /// Until the join was answered, the subscribe connection was up, the first audio came, the first key frame came, and
    /// everything was there.
    pub welcomed: Spread,
    pub connected: Spread,
    pub first_audio: Spread,
    pub first_video: Spread,
    pub join_complete: Spread,
    pub troubles: BTreeMap<String, usize>,
}

#[derive(Clone, Default, Debug, Serialize)]
pub struct Tracks {
    pub audio_expected: usize,
    pub audio_received: usize,
    pub video_expected: usize,
    pub video_received: usize,
}

#[derive(Clone, Default, Debug, Serialize)]
pub struct Media {
    pub down_bits_per_s: f64,
    pub up_bits_per_s: f64,
    /// From the server to the subscribers, after retransmission.
    pub audio_loss: Loss,
    pub video_loss: Loss,
    /// From publishers to subscribers.
    pub audio_end_to_end_loss: Loss,
    pub frames: u64,
    pub keyframes: u64,
    pub keyframes_requested: u64,
    /// Video packets received, smallest layer first.
    pub layers: [u64; 3],
    pub pauses: u64,
    pub stray_packets: u64,
    pub signals_received: u64,
    pub audio_packets_sent: u64,
    pub video_packets_sent: u64,
    /// What this program should have sent and could not in time, and what the kernel did not take.
    pub frames_late: u64,
    pub datagrams_unsent: u64,
}

#[derive(Clone, Default, Debug, Serialize)]
pub struct Latency {
    pub audio: Spread,
    pub video: Spread,
    /// While people were joining.
    pub audio_while_joining: Spread,
    pub video_while_joining: Spread,
    /// Of this program's own reading: it is not part of the others.
    pub client_read_lag: Spread,
}

#[derive(Clone, Default, Debug, Serialize)]
pub struct Churn {
    pub joins: u32,
    pub resumes: usize,
    pub resume_time: Spread,
    pub joins_per_s: f64,
    /// The server's gauges with nobody but the publishers there.
    pub metrics: BTreeMap<String, (f64, f64)>,
    pub server_rss_bytes: Option<(u64, u64)>,
    pub server_files: Option<(u64, u64)>,
}

impl Joins {
    /// Everybody came, and stayed as long as planned.
    pub fn is_as_planned(&self) -> bool {
        self.succeeded == self.attempted && self.dropped == 0
    }
}

impl Report {
    pub fn table(&self) -> String {
        let mut out = Table::default();
        let class = &self.class;
        out.line("Server", format!("{} ({})", self.server.url, self.server.protocol_version));
        out.line("Machine", self.machine.clone());
        let watch = if class.publishers_watch { " who watch too" } else { "" };
        out.line(
            "Class",
            format!(
                "{} with camera and microphone, {} with microphone{watch} ({} muted), {} watching",
                class.publishers, class.audio_publishers, class.muted, class.subscribers
            ),
        );
        out.line(
            "",
            format!(
                "layout {}, {}, speech {}, {} joins/s, {:.0} s measured",
                class.layout, class.codec, class.speech, class.ramp_per_s, class.measured_s
            ),
        );
        self.joins(&mut out);
        if let Some(churn) = &self.churn {
            churn.write(&mut out);
        }
        self.media(&mut out);
        self.usage(&mut out);
        out.line("Result", if self.complete { "complete" } else { "INCOMPLETE" }.to_owned());
        out.text()
    }

    fn joins(&self, out: &mut Table) {
        let joins = &self.joins;
        let counts = format!(
            "{} of {}, {} failed, {} lost later",
            joins.succeeded, joins.attempted, joins.failed, joins.dropped
        );
        out.heading("Joins", &counts);
        for (trouble, count) in &joins.troubles {
            out.line("", format!("{count} × {trouble}"));
        }
        out.spread_heading();
        out.spread("join answered", &joins.welcomed);
        out.spread("media connected", &joins.connected);
        out.spread("first audio", &joins.first_audio);
        out.spread("first key frame", &joins.first_video);
        out.spread("all there", &joins.join_complete);
    }

    fn media(&self, out: &mut Table) {
        let (tracks, media, latency) = (&self.tracks, &self.media, &self.latency);
        out.heading("Media", "");
        out.line(
            "tracks",
            format!(
                "audio {} of {}, video {} of {}",
                tracks.audio_received, tracks.audio_expected, tracks.video_received, tracks.video_expected
            ),
        );
        let (down, up) = (media.down_bits_per_s / 1e6, media.up_bits_per_s / 1e6);
        out.line("bitrate", format!("{down:.2} Mb/s down, {up:.2} Mb/s up"));
        out.line(
            "loss",
            format!(
                "audio {:.3} % ({:.3} % from the publisher), video {:.3} %",
                media.audio_loss.percent(),
                media.audio_end_to_end_loss.percent(),
                media.video_loss.percent()
            ),
        );
        let packets: u64 = media.layers.iter().sum();
        let share = |layer: usize| media.layers[layer] as f64 * 100.0 / packets.max(1) as f64;
        out.line(
            "video",
            format!(
                "{} frames, {} key frames, packets q {:.0} %, h {:.0} %, f {:.0} %",
                media.frames,
                media.keyframes,
                share(0),
                share(1),
                share(2)
            ),
        );
        out.line(
            "",
            format!(
                "{} key frames requested, {} pauses, {} stray packets",
                media.keyframes_requested, media.pauses, media.stray_packets
            ),
        );
        out.spread_heading();
        out.spread("audio latency", &latency.audio);
        out.spread("  while joining", &latency.audio_while_joining);
        out.spread("video latency", &latency.video);
        out.spread("  while joining", &latency.video_while_joining);
    }

    fn usage(&self, out: &mut Table) {
        let usage = &self.usage;
        let percent = |cpu: Option<f64>| cpu.map_or("unknown".to_owned(), |percent| format!("{percent:.0} %"));
        out.heading("Processors", "in percent of one core");
        out.line("server", format!("{}, {}", percent(usage.server_cpu_percent), memory(usage.server_rss_bytes)));
        out.line(
            "this program",
            format!(
                "{}, {}; {} frames late, {} datagrams not sent",
                percent(usage.client_cpu_percent),
                memory(usage.client_rss_bytes),
                self.media.frames_late,
                self.media.datagrams_unsent
            ),
        );
        out.line("whole machine", format!("{} of all cores", percent(usage.machine_busy_percent)));
        out.spread_heading();
        out.spread("own read lag", &self.latency.client_read_lag);
    }
}

impl Churn {
    fn write(&self, out: &mut Table) {
        out.heading(
            "Coming and going",
            &format!("{} joins, {:.1} a second, {} resumes", self.joins, self.joins_per_s, self.resumes),
        );
        if self.resumes > 0 {
            out.spread_heading();
            out.spread("resume", &self.resume_time);
        }
        let pair = |pair: Option<(u64, u64)>| pair.map(|(before, after)| (before as f64, after as f64));
        let known = [("resident memory", pair(self.server_rss_bytes)), ("open files", pair(self.server_files))];
        let known = known.into_iter().filter_map(|(name, pair)| Some((name.to_owned(), pair?)));
        let metrics = self.metrics.iter().map(|(name, pair)| (name.clone(), *pair));
        for (name, (before, after)) in known.chain(metrics) {
            let _ = writeln!(out.0, "  {name:<44} {before:>14} → {after:>14}");
        }
    }
}

fn memory(bytes: Option<u64>) -> String {
    bytes.map_or("memory unknown".to_owned(), |bytes| format!("{:.0} MiB", bytes as f64 / 1_048_576.0))
}

/// Lines for people.
#[derive(Default)]
pub struct Table(String);

impl Table {
    pub fn text(self) -> String {
        self.0
    }

    fn heading(&mut self, name: &str, text: &str) {
        let _ = writeln!(self.0, "\n{name:<18} {text}");
    }

    pub fn line(&mut self, name: &str, text: String) {
        let _ = writeln!(self.0, "{name:<18} {text}");
    }

    pub fn spread_heading(&mut self) {
        let _ =
            writeln!(self.0, "{:<18} {:>10} {:>10} {:>10} {:>10} {:>12}", "ms", "p50", "p95", "p99", "max", "count");
    }

    pub fn spread(&mut self, name: &str, spread: &Spread) {
        if spread.count == 0 {
            let _ = writeln!(self.0, "{name:<18} {:>10} {:>10} {:>10} {:>10} {:>12}", "–", "–", "–", "–", 0);
            return;
        }
        let Spread { count, p50_ms, p95_ms, p99_ms, max_ms } = spread;
        let _ = writeln!(self.0, "{name:<18} {p50_ms:>10.2} {p95_ms:>10.2} {p99_ms:>10.2} {max_ms:>10.2} {count:>12}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_tells_what_failed() {
        let mut report = Report::default();
        report.joins.attempted = 3;
        report.joins.failed = 1;
        report.joins.troubles.insert("the server refused the join".to_owned(), 1);
        report.latency.audio = Spread { count: 5, p50_ms: 1.234, p95_ms: 2.0, p99_ms: 3.0, max_ms: 4.0 };
        let table = report.table();
        assert!(table.contains("1 × the server refused the join"), "{table}");
        assert!(table.contains("INCOMPLETE"));
        assert!(
            table.contains("audio latency            1.23       2.00       3.00       4.00            5"),
            "{table}"
        );
    }

    #[test]
    fn churn_shows_before_and_after() {
        let churn = Churn { metrics: BTreeMap::from([("peers".to_owned(), (2.0, 5.0))]), ..Churn::default() };
        let table = Report { churn: Some(churn), ..Report::default() }.table();
        assert!(table.lines().any(|line| line.split_whitespace().eq(["peers", "2", "→", "5"])), "{table}");
    }
}
