//! A whole run: everybody joins, the class is measured, everybody leaves; or learners come and go, and what they leave behind is
//! measured.

use crate::cli::{Args, ServerPid};
use crate::layout::Layout;
use crate::learner::{Class, JOIN_PATIENCE, Publishes, Stay, Ticket, attend};
use crate::machine::{Mark, Process, description, listens_on};
use crate::measure::{Board, Outcome, Phase, Seen, Spread};
use crate::peer::{Crypto, Kind};
use crate::progress::Progress;
use crate::report::{Churn, ClassFacts, Joins, Latency, Media, Report, ServerFacts, Tracks};
use crate::scrape::gauges;
use crate::signal::{Entry, Signal, SignalError};
use crate::token::Key;
use clap::ValueEnum;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep};
use url::Url;

/// After everybody has come, and after they have gone, the server may finish its work.
const SETTLE: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Why there was no run at all.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Server(#[from] SignalError),
    #[error("{0}")]
    Machine(String),
}

/// Runs what was asked for.
pub async fn run(args: &Args) -> Result<Report, RunError> {
    let server_pid = server_pid(args.server_pid, &args.url)?;
    let crypto = Crypto::new().ok_or_else(|| RunError::Machine("no certificate could be made".to_owned()))?;
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let class = Arc::new(Class {
        server: args.url.clone(),
        key: Key { name: args.api_key.clone(), secret: args.api_secret.clone() },
        room: args.room.clone(),
        run: format!("load-{:x}-{:x}", since_epoch.as_secs(), std::process::id()),
        layout: args.layout,
        codec: args.codec,
        speech: args.speech,
        dynacast: !args.no_dynacast,
        crypto,
        board: Board::new(),
    });
    is_there(&class).await?;
    let (phases, _) = watch::channel(Phase::Joining);
    let mut run =
        Run { args, class, server_pid, phases, attempted: 0, publishers: JoinSet::new(), others: JoinSet::new() };
    let progress = Progress::start(run.class.clone(), server_pid);
    let report = tokio::select! {
        report = run.runs() => report,
        _ = tokio::signal::ctrl_c() => Err(RunError::Machine("stopped before the end".to_owned())),
    };
    progress.stop().await;
    report
}

/// The process that was asked for, or that listens at the URL.
pub fn server_pid(asked: ServerPid, server: &Url) -> Result<Option<u32>, RunError> {
    match asked {
        ServerPid::None => Ok(None),
        ServerPid::Of(pid) if Process::of(pid).is_some() => Ok(Some(pid)),
        ServerPid::Of(pid) => {
            Err(RunError::Machine(format!("there is no process {pid} on this machine; give --server-pid none or auto")))
        }
        ServerPid::Auto => Ok(is_local(server).then(|| server.port_or_known_default().and_then(listens_on)).flatten()),
    }
}

fn is_local(server: &Url) -> bool {
    match server.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// One join to see whether the others make sense: the server is there, and takes our tokens.
async fn is_there(class: &Class) -> Result<(), RunError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let identity = format!("{}-look", class.run);
    let token = class.key.token(&class.room, &identity, now).map_err(RunError::Machine)?;
    let mut signal = Signal::open(&class.server, &token, Entry::New { auto_subscribe: false }).await?;
    match tokio::time::timeout(JOIN_PATIENCE, signal.next()).await {
        Ok(said) => said.map(|_| ())?,
        Err(_) => return Err(RunError::Server(SignalError::Slow)),
    }
    let goodbye = livekit_protocol::signal_request::Message::Leave(Default::default());
    signal.say(goodbye).await?;
    signal.close().await;
    Ok(())
}

struct Run<'a> {
    args: &'a Args,
    class: Arc<Class>,
    server_pid: Option<u32>,
    phases: watch::Sender<Phase>,
    attempted: usize,
    publishers: JoinSet<(Option<Publishes>, Outcome)>,
    others: JoinSet<(Option<Publishes>, Outcome)>,
}

impl Run<'_> {
    async fn runs(&mut self) -> Result<Report, RunError> {
        let mut ramp = interval(Duration::from_secs_f64(1.0 / self.args.ramp));
        ramp.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.publishers_join(&mut ramp).await;
        match self.args.churn {
            None => self.measures(&mut ramp).await,
            Some(joins) => self.churns(&mut ramp, joins).await,
        }
    }

    async fn publishers_join(&mut self, ramp: &mut Interval) {
        for number in 0..self.args.all_publishers() {
            ramp.tick().await;
            let publishes = Publishes {
                number,
                camera: number < self.args.publishers,
                muted: number >= self.args.all_publishers() - self.args.muted,
            };
            let ticket = Ticket {
                identity: format!("{}{number}", self.class.publishers()),
                publishes: Some(publishes),
                watches: self.args.publishers_watch,
                stay: Stay::UntilOver,
            };
            let stay = attend(self.class.clone(), ticket, self.phases.subscribe());
            self.publishers.spawn(async move { (Some(publishes), stay.await) });
            self.attempted += 1;
        }
        self.all_have_come().await;
    }

    /// Waits until every join so far is complete or has failed.
    async fn all_have_come(&self) {
        let board = &self.class.board;
        while board.joined.load(Relaxed) + board.failed.load(Relaxed) < self.attempted {
            sleep(LOOK_EVERY).await;
        }
    }

    /// The usual run.
    async fn measures(&mut self, ramp: &mut Interval) -> Result<Report, RunError> {
        for number in 0..self.args.subscribers {
            ramp.tick().await;
            let stay = self.subscriber(number, Stay::UntilOver);
            self.others.spawn(async move { (None, stay.await) });
            self.attempted += 1;
        }
        self.all_have_come().await;
        sleep(SETTLE).await;
        let (began, mark, traffic) = self.begins_to_measure();
        sleep(self.args.duration).await;
        let usage = mark.until(&Mark::now(self.server_pid));
        let measured = began.elapsed();
        let traffic = self.traffic_since(traffic);
        let outcomes = self.ends().await;
        let mut report = self.report(&outcomes, measured, traffic);
        report.usage = usage;
        Ok(report)
    }

    /// Learners come and go, so many at a time.
    async fn churns(&mut self, ramp: &mut Interval, joins: u32) -> Result<Report, RunError> {
        sleep(SETTLE).await;
        let before = self.server_state().await;
        let (began, mark, traffic) = self.begins_to_measure();
        let places = Arc::new(Semaphore::new(self.args.subscribers as usize));
        for number in 0..joins {
            ramp.tick().await;
            // The semaphore is never closed.
            let Ok(place) = places.clone().acquire_owned().await else { break };
            let number = self.args.people.map_or(number, |people| number % people);
            let stay = self.subscriber(number, Stay::For(self.args.stay, self.args.resumes));
            self.attempted += 1;
            self.others.spawn(async move {
                let outcome = stay.await;
                drop(place);
                (None, outcome)
            });
        }
        let mut outcomes = Vec::new();
        while let Some(done) = self.others.join_next().await {
            outcomes.extend(done);
        }
        let measured = began.elapsed();
        let usage = mark.until(&Mark::now(self.server_pid));
        let traffic = self.traffic_since(traffic);
        sleep(SETTLE).await;
        let after = self.server_state().await;
        outcomes.extend(self.ends().await);
        let mut report = self.report(&outcomes, measured, traffic);
        let resumes = outcomes.iter().flat_map(|(_, outcome)| outcome.resumes.iter().copied());
        let resume_time = Spread::of(resumes);
        let metrics =
            before.gauges.iter().filter_map(|(name, before)| Some((name.clone(), (*before, *after.gauges.get(name)?))));
        let pair =
            |read: fn(&Process) -> Option<u64>| Some((read(before.process.as_ref()?)?, read(after.process.as_ref()?)?));
        report.usage = usage;
        report.churn = Some(Churn {
            joins,
            resumes: resume_time.count as usize,
            resume_time,
            joins_per_s: f64::from(joins) / measured.as_secs_f64(),
            metrics: metrics.collect(),
            server_rss_bytes: pair(|process| Some(process.rss_bytes)),
            server_files: pair(|process| process.files),
        });
        // Who stays for a moment only may leave before the next key frame, or while nobody speaks: tracks do not decide.
        let resumed = (joins * self.args.resumes) as usize == resume_time.count as usize;
        report.complete = report.joins.is_as_planned() && resumed;
        Ok(report)
    }

    fn subscriber(&self, number: u32, stay: Stay) -> impl Future<Output = Outcome> + use<> {
        let ticket = Ticket { identity: format!("{}-s{number}", self.class.run), publishes: None, watches: true, stay };
        attend(self.class.clone(), ticket, self.phases.subscribe())
    }

    async fn server_state(&self) -> ServerState {
        let url = self.class.server.clone();
        let gauges = tokio::task::spawn_blocking(move || gauges(&url)).await;
        ServerState {
            gauges: gauges.ok().flatten().unwrap_or_default(),
            process: self.server_pid.and_then(Process::of),
        }
    }

    fn begins_to_measure(&self) -> (Instant, Mark, (u64, u64)) {
        self.phases.send_replace(Phase::Steady);
        (Instant::now(), Mark::now(self.server_pid), self.traffic_since((0, 0)))
    }

    /// Bytes down and up.
    fn traffic_since(&self, before: (u64, u64)) -> (u64, u64) {
        let board = &self.class.board;
        (board.bytes_down.load(Relaxed) - before.0, board.bytes_up.load(Relaxed) - before.1)
    }

    /// Everybody leaves: the watchers first, so that what they miss is not the leaving of the others.
    async fn ends(&mut self) -> Vec<(Option<Publishes>, Outcome)> {
        self.phases.send_replace(Phase::Over);
        let mut outcomes = Vec::new();
        for set in [&mut self.others, &mut self.publishers] {
            while let Some(done) = set.join_next().await {
                // A learner that panicked is missing from the joins that succeeded.
                outcomes.extend(done);
            }
        }
        outcomes
    }

    fn report(&self, outcomes: &[(Option<Publishes>, Outcome)], measured: Duration, traffic: (u64, u64)) -> Report {
        let board = &self.class.board;
        let joins = joins(outcomes, self.attempted);
        let mut seen = Seen::default();
        outcomes.iter().for_each(|(_, outcome)| seen.merge(&outcome.seen));
        let tracks = self.tracks(outcomes);
        let sum = |of: fn(&Outcome) -> u64| outcomes.iter().map(|(_, outcome)| of(outcome)).sum();
        let per_s = |bytes: u64| bytes as f64 * 8.0 / measured.as_secs_f64();
        let complete = joins.is_as_planned()
            && tracks.audio_received == tracks.audio_expected
            && tracks.video_received == tracks.video_expected;
        Report {
            load_version: env!("CARGO_PKG_VERSION"),
            machine: description(),
            server: ServerFacts {
                url: self.class.server.to_string(),
                protocol_version: outcomes.iter().map(|(_, outcome)| outcome.server.clone()).max().unwrap_or_default(),
                pid: self.server_pid,
            },
            class: self.facts(measured),
            joins,
            tracks,
            media: Media {
                down_bits_per_s: per_s(traffic.0),
                up_bits_per_s: per_s(traffic.1),
                audio_loss: seen.audio,
                video_loss: seen.video,
                audio_end_to_end_loss: seen.audio_end_to_end,
                frames: seen.frames,
                keyframes: seen.keyframes,
                keyframes_requested: seen.keyframes_requested,
                layers: seen.layers,
                pauses: seen.pauses,
                stray_packets: seen.stray,
                signals_received: board.signals.load(Relaxed),
                audio_packets_sent: sum(|outcome| outcome.audio_sent),
                video_packets_sent: sum(|outcome| outcome.video_sent),
                frames_late: sum(|outcome| outcome.frames_late),
                datagrams_unsent: sum(|outcome| outcome.unsent),
            },
            latency: Latency {
                audio: board.latency(Phase::Steady, Kind::Audio),
                video: board.latency(Phase::Steady, Kind::Video),
                audio_while_joining: board.latency(Phase::Joining, Kind::Audio),
                video_while_joining: board.latency(Phase::Joining, Kind::Video),
                client_read_lag: board.read_lag(),
            },
            complete,
            ..Report::default()
        }
    }

    /// What those who stayed as planned should hear and see of the publishers who did, and what they do.
    fn tracks(&self, outcomes: &[(Option<Publishes>, Outcome)]) -> Tracks {
        let stayed = || outcomes.iter().filter(|(_, outcome)| outcome.complete.is_some() && outcome.dropped.is_none());
        let publishers: Vec<Publishes> = stayed().filter_map(|(publishes, _)| *publishes).collect();
        let mut tracks = Tracks::default();
        for (own, outcome) in stayed().filter(|(own, _)| own.is_none() || self.args.publishers_watch) {
            let others = publishers.iter().filter(|other| own.is_none_or(|own| own.number != other.number));
            let (mut voices, mut cameras) = (0, 0);
            for other in others {
                voices += usize::from(!other.muted);
                cameras += usize::from(other.camera);
            }
            tracks.audio_expected += voices;
            tracks.video_expected += cameras.min(self.args.layout.tiles());
            tracks.audio_received += outcome.seen.audio_playing;
            tracks.video_received += outcome.seen.video_playing;
        }
        tracks
    }

    fn facts(&self, measured: Duration) -> ClassFacts {
        let args = self.args;
        ClassFacts {
            room: args.room.clone(),
            publishers: args.publishers,
            audio_publishers: args.audio_publishers,
            muted: args.muted,
            publishers_watch: args.publishers_watch,
            subscribers: args.subscribers,
            layout: named(args.layout),
            codec: args.codec.name().to_owned(),
            speech: named(args.speech),
            dynacast: !args.no_dynacast,
            ramp_per_s: args.ramp,
            measured_s: measured.as_secs_f64(),
        }
    }
}

struct ServerState {
    gauges: BTreeMap<String, f64>,
    process: Option<Process>,
}

fn joins(outcomes: &[(Option<Publishes>, Outcome)], attempted: usize) -> Joins {
    let all = || outcomes.iter().map(|(_, outcome)| outcome);
    let succeeded = all().filter(|outcome| outcome.complete.is_some()).count();
    let mut troubles = BTreeMap::new();
    for trouble in all().flat_map(|outcome| outcome.failed.iter().chain(&outcome.dropped)) {
        *troubles.entry(trouble.to_string()).or_insert(0) += 1;
    }
    Joins {
        attempted,
        succeeded,
        failed: attempted - succeeded,
        dropped: all().filter(|outcome| outcome.dropped.is_some()).count(),
        welcomed: Spread::of(all().filter_map(|outcome| outcome.welcomed)),
        connected: Spread::of(all().filter_map(|outcome| outcome.connected)),
        first_audio: Spread::of(all().filter_map(|outcome| outcome.first_audio)),
        first_video: Spread::of(all().filter_map(|outcome| outcome.first_video)),
        join_complete: Spread::of(all().filter_map(|outcome| outcome.complete)),
        troubles,
    }
}

/// An option's value as the command line spells it.
fn named(value: impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

impl std::fmt::Display for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&named(*self))
    }
}
