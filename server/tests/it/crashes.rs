//! What a store has acknowledged is there after any end: events, drafts and ballots, each once and in order, and of the rest whole
//! appends from the front or nothing. A process is killed (−9) under load and started again; and power is cut, which takes what was
//! written since the last sync, all of it or some sectors of it. And the whole server is killed while people raise hands and draw over
//! state sockets: every command and every stroke that was acknowledged, or that anybody saw, is there once.
//!
//! `make crash` does the same for longer.

use crate::boards;
use crate::classroom::{Device, Heard};
use crate::harness::{Process, ask, token_with};
use crate::store::*;
use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use lyceum::store::Store;
use lyceum::token::VideoGrant;
use lyceum_documents::{Message as Said, read_named};
use lyceum_session::class::*;
use lyceum_session::*;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

/// How many times as long as usual, set by `make crash`.
const LONGER: &str = "LYCEUM_TEST_CRASHES";
/// Names the data directory for [`child_that_appends_until_it_is_killed`].
const CRASH_DIR: &str = "LYCEUM_TEST_CRASH_DIR";
const SESSIONS: usize = 4;
/// Appends of a session that are in line at a time.
const IN_LINE: usize = 3;

#[test]
fn after_kill_9_everything_that_was_acknowledged_is_there() {
    let school = School::new();
    let mut acknowledged = Acknowledged::new();
    let mut found = Acknowledged::new();
    let rounds = (0..longer()).flat_map(|_| [1, 9, 80, 3, 400, 27]);
    for lines_until_kill in rounds {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "crashes::child_that_appends_until_it_is_killed", "--nocapture"])
            .env(CRASH_DIR, school.data())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut acks = 0;
        let mut line = String::new();
        // After the kill the pipe is read to its end: those lines were printed, so they were acknowledged.
        while lines.read_line(&mut line).unwrap() > 0 {
            if let Some((session, step)) =
                line.strip_prefix("ack ").and_then(|ack| ack.strip_suffix('\n')?.split_once(' '))
            {
                acknowledged.insert(session.to_owned(), step.parse().unwrap());
                acks += 1;
                if acks == lines_until_kill {
                    child.kill().unwrap();
                }
            }
            line.clear();
        }
        assert!(!child.wait().unwrap().success());
        assert!(acks >= lines_until_kill, "the child ended by itself after {acks} acknowledgements");

        runtime().block_on(async {
            let store = school.open();
            for (session, at_least) in &acknowledged {
                let script = find(&store, session, *at_least).await;
                let before = found.insert(session.clone(), script.step);
                assert!(before.unwrap_or(0) <= script.step, "{session} lost what an earlier start had read");
            }
            store.close().await;
        });
    }
    assert_eq!(acknowledged.len(), SESSIONS);
}

#[test]
#[ignore = "is started, and killed, by after_kill_9_everything_that_was_acknowledged_is_there"]
fn child_that_appends_until_it_is_killed() {
    let directory = std::env::var_os(CRASH_DIR).expect("the parent test names the directory");
    runtime().block_on(async {
        let store = Store::open(PathBuf::from(directory)).unwrap();
        let mut sessions = tokio::task::JoinSet::new();
        for n in 0..SESSIONS {
            let script = find(&store, &format!("RM_{n}"), 0).await;
            sessions.spawn(append_for_ever(store.clone(), script, |session, step| println!("ack {session} {step}")));
        }
        let stopped = sessions.join_next().await;
        panic!("a session stopped appending: {stopped:?}");
    });
}

#[test]
fn after_a_power_cut_everything_that_was_acknowledged_is_there() {
    let root = tempfile::tempdir().unwrap();
    let disk = power::watch(root.path().to_owned());
    let mut chance = power::Chance(20_240_603);
    let (mut moments, mut lossy) = (0, 0);
    for round in 0..longer() {
        let data = root.path().join(format!("data-{round}"));
        for (moment, acknowledged) in hold_classes(disk, &data, &mut chance) {
            moments += 1;
            lossy += u32::from(moment.unsynced() > 0);
            for loss in power::LOSSES {
                let after = School::new();
                std::fs::create_dir(after.data()).unwrap();
                moment.leaves(loss, &mut chance, &after.data());
                runtime().block_on(async {
                    let store = after.open();
                    for (session, at_least) in &acknowledged {
                        find(&store, session, *at_least).await;
                    }
                    store.close().await;
                });
            }
        }
        std::fs::remove_dir_all(data).unwrap();
    }
    assert!(
        2 * lossy > moments,
        "{lossy} of {moments} cuts came between a write and its sync: too few to tell anything"
    );
}

/// Classes under load, and some moments of them: what was on the disk, and what had been acknowledged by then.
fn hold_classes(
    disk: &power::Disk,
    data: &std::path::Path,
    chance: &mut power::Chance,
) -> Vec<(power::Moment, Acknowledged)> {
    let runtime = runtime();
    let store = Store::open(data).unwrap();
    let acknowledged = Arc::new(Mutex::new(Acknowledged::new()));
    let (taken, moments) = mpsc::channel();
    let remember = {
        let acknowledged = Arc::clone(&acknowledged);
        // Called in the middle of a write: what is acknowledged by now was written before.
        move |moment| taken.send((moment, acknowledged.lock().unwrap().clone())).unwrap_or_default()
    };
    // Most writes are single pages on their way into the write-ahead log, so most cuts come between a write and its sync.
    disk.at_writes(data, (0..12).map(|cut| 1 + chance.below(if cut % 4 == 0 { 3_000 } else { 100 })), remember);
    let mut classes = Vec::new();
    for n in 0..SESSIONS {
        let acknowledged = Arc::clone(&acknowledged);
        let acknowledge = move |session: &str, step| {
            acknowledged.lock().unwrap().insert(session.to_owned(), step);
        };
        classes.push(runtime.spawn(append_for_ever(store.clone(), Script::new(&format!("RM_{n}")), acknowledge)));
    }
    let moments = moments.iter().collect();
    classes.iter().for_each(tokio::task::JoinHandle::abort);
    runtime.block_on(store.close());
    moments
}

// ---- the whole server ----------------------------------------------------------------------------------------------

const BOARD: &str = "board:main:blank:1";
const PEOPLE: u64 = 4;
/// Between two strokes of somebody: less often than the server takes them in the long run.
const STROKE: Duration = Duration::from_millis(20);
/// Strokes and commands of somebody that wait for an ack.
const UNANSWERED: usize = 6;

#[test]
fn after_kill_9_of_the_server_every_command_and_stroke_that_was_acknowledged_is_there_once() {
    let data = tempfile::tempdir().unwrap();
    let mut people: Vec<_> = (1..=PEOPLE).map(Drawer::new).collect();
    let mut log = Log::default();
    for acks_until_kill in (0..longer()).flat_map(|_| [1, 60, 9, 200]) {
        let server = Process::start(data.path(), &[]);
        people = runtime().block_on(async {
            let session = check(server.address, &mut people, &mut log).await;
            let acks = Arc::new(AtomicU64::new(0));
            let mut at_work = tokio::task::JoinSet::new();
            for person in people.drain(..) {
                at_work.spawn(person.works_until_the_server_dies(server.address, acks.clone()));
            }
            while acks.load(Relaxed) < acks_until_kill {
                assert!(at_work.try_join_next().is_none(), "somebody stopped in {session}");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            server.kill();
            at_work.join_all().await
        });
    }
    let server = Process::start(data.path(), &[]);
    runtime().block_on(check(server.address, &mut people, &mut log));
    let done = |of: fn(&Drawer) -> usize| people.iter().map(of).sum::<usize>();
    let (commands, strokes) = (done(|person| person.acked.len()), done(|person| person.drawn.len()));
    println!("{commands} commands and {strokes} strokes were acknowledged, and are there once");
    assert!(commands > 0 && strokes > 0);
}

/// The log of the class as far as it was read: for each command, the events that it caused.
#[derive(Default)]
struct Log {
    next: u64,
    session: String,
    caused: HashMap<String, Vec<u64>>,
}

/// Somebody who raises and lowers a hand and draws, and does again what has no answer when the server is back.
struct Drawer {
    number: u64,
    commands: u64,
    /// Commands without an answer, in order.
    asked: VecDeque<(String, &'static str)>,
    /// By id: the events, if there were any.
    acked: HashMap<String, Option<(u64, u64)>>,
    strokes: u64,
    /// Strokes without an answer, in order.
    drawing: VecDeque<u64>,
    /// Strokes that are on the disk, and those of others that were seen.
    drawn: BTreeSet<u64>,
    seen: BTreeSet<u64>,
}

impl Drawer {
    fn new(number: u64) -> Self {
        Self {
            number,
            commands: 0,
            asked: VecDeque::new(),
            acked: HashMap::new(),
            strokes: 0,
            drawing: VecDeque::new(),
            drawn: BTreeSet::new(),
            seen: BTreeSet::new(),
        }
    }

    async fn works_until_the_server_dies(mut self, address: SocketAddr, acks: Arc<AtomicU64>) -> Self {
        let mut device = Device::enters(address, "maths", &format!("teacher {}", self.number), "instructor").await;
        device.says_of(BOARD, Said::Step1(&[0])).await;
        // What has no answer is done again, with the same ids and in the same order.
        for (id, kind) in &self.asked {
            device.says(command(id, kind)).await;
        }
        for stroke in &self.drawing {
            device.says_of(BOARD, Said::Update(&self.update(*stroke))).await;
        }
        let mut strokes = tokio::time::interval(STROKE);
        loop {
            let heard = tokio::select! {
                heard = device.reads() => heard,
                _ = strokes.tick() => {
                    if self.drawing.len() < UNANSWERED {
                        self.drawing.push_back(self.strokes);
                        device.says_of(BOARD, Said::Update(&self.update(self.strokes))).await;
                        self.strokes += 1;
                    }
                    if self.asked.len() < UNANSWERED && self.strokes.is_multiple_of(5) {
                        let kind = if self.commands.is_multiple_of(2) { "hand.raise" } else { "hand.lower" };
                        let id = format!("c-{}-{}", self.number, self.commands);
                        device.says(command(&id, kind)).await;
                        self.asked.push_back((id, kind));
                        self.commands += 1;
                    }
                    continue;
                }
            };
            match heard {
                None => return self,
                Some(Heard::Text(message)) if message["t"] == "ack" => {
                    let (id, _) = self.asked.pop_front().expect("an answer to something");
                    assert_eq!(message["id"], *id, "{message}");
                    if message["code"] == "rate" {
                        continue;
                    }
                    assert_eq!(message["status"], "accepted", "{message}");
                    self.acked.insert(id, message["first"].as_u64().zip(message["last"].as_u64()));
                    acks.fetch_add(1, Relaxed);
                }
                Some(Heard::Text(message)) => {
                    assert!(message["t"] != "doc_closed" && message["t"] != "bye", "{message}");
                }
                Some(Heard::Frame(frame)) => {
                    let (_, message) = read_named(&frame).unwrap();
                    if boards::ack(message).is_some() {
                        let stroke = self.drawing.pop_front().expect("an ack of something");
                        self.drawn.insert(self.name(stroke));
                        acks.fetch_add(1, Relaxed);
                    } else {
                        let said = Said::read(message);
                        assert!(matches!(said, Ok(Said::Step1(_) | Said::Step2(_) | Said::Update(_))), "{message:?}");
                        self.seen.extend(boards::numbers(message));
                    }
                }
            }
        }
    }

    fn update(&self, stroke: u64) -> Vec<u8> {
        boards::drawn(self.number, stroke, &format!("<{}>", self.name(stroke)))
    }

    fn name(&self, stroke: u64) -> u64 {
        self.number * 1_000_000 + stroke
    }
}

fn command(id: &str, kind: &str) -> serde_json::Value {
    json!({"t": "cmd", "id": id, "type": kind, "payload": {}})
}

/// What was acknowledged or seen is there, and nothing is there twice.
async fn check(address: SocketAddr, people: &mut [Drawer], log: &mut Log) -> String {
    let mut device = Device::enters(address, "maths", "inspector", "instructor").await;
    let session = device.welcome["session"].as_str().unwrap().to_owned();
    assert!(log.session.is_empty() || log.session == session, "it is the same class");
    log.session.clone_from(&session);
    log.read_on(address).await;
    device.says_of(BOARD, Said::Step1(&[0])).await;
    let on_board = loop {
        let frame = device.hears_of(BOARD).await;
        if let Ok(Said::Step2(document)) = Said::read(&frame) {
            break boards::numbers(document);
        }
    };
    let once: BTreeSet<u64> = on_board.iter().copied().collect();
    assert_eq!(once.len(), on_board.len(), "a stroke is there twice");
    for person in people.iter() {
        let lost: Vec<_> = person.drawn.union(&person.seen).filter(|stroke| !once.contains(stroke)).collect();
        assert!(lost.is_empty(), "strokes that were acknowledged or seen are lost: {lost:?}");
        for (id, places) in &person.acked {
            let wanted: Vec<u64> = places.map_or_else(Vec::new, |(first, last)| (first..=last).collect());
            assert_eq!(log.caused.get(id).unwrap_or(&Vec::new()), &wanted, "{id}");
        }
    }
    device.leaves().await;
    session
}

impl Log {
    async fn read_on(&mut self, address: SocketAddr) {
        let admin = token_with("", VideoGrant { room_admin: true, room: "maths".to_owned(), ..VideoGrant::default() });
        loop {
            let path = format!("/api/v1/sessions/{}/events?from={}", self.session, self.next.max(1));
            let request = axum::http::Request::get(path).header("authorization", format!("Bearer {admin}"));
            let page = ask(address, request.body(axum::body::Body::empty()).unwrap()).await.json();
            let events = page["events"].as_array().unwrap();
            for event in events {
                assert_eq!(event["seq"].as_u64(), Some(self.next.max(1)), "the log has no gap");
                self.next = self.next.max(1) + 1;
                if let Some(id) = event["cause"]["id"].as_str().or(event["cause"].as_str()) {
                    self.caused.entry(id.to_owned()).or_default().push(self.next - 1);
                }
            }
            if events.is_empty() {
                return;
            }
        }
    }
}

// ---- what is appended ----------------------------------------------------------------------------------------------

/// By session, how many steps.
type Acknowledged = BTreeMap<String, u64>;

/// What a session appends, step by step, and what its log and what lies beside it then are.
struct Script {
    session: String,
    step: u64,
    log: Vec<Event>,
    drafts: BTreeMap<(Seq, PersonId), SideWrite>,
    ballots: Vec<Answers>,
}

const SECRET: Seq = Seq(2);
const NAMED: Seq = Seq(3);

impl Script {
    fn new(session: &str) -> Self {
        Self { session: session.to_owned(), step: 0, log: vec![], drafts: BTreeMap::new(), ballots: vec![] }
    }

    /// The next append.
    fn goes_on(&mut self) -> (Vec<Event>, Vec<SideWrite>) {
        let n = self.step;
        self.step += 1;
        // Every so often somebody new, whose key has to be there as well.
        let somebody = |n: u64| PersonId(format!("{}-u-{}", self.session, n / 10));
        let regular = PersonId(format!("{}-r-{}", self.session, n % 7));
        let renamed =
            |n: u64| Fact::ParticipantUpdated { person: somebody(n), profile: profile(&format!("Pupil {n}")) };
        let (facts, side) = match n % 5 {
            // Polls that the store does not need to know: they are places in the log.
            _ if n == 0 => (vec![started(&self.session, &self.session), renamed(0), renamed(0)], vec![]),
            1 => {
                let text = Some(Answer::Text { text: format!("thought {n}").as_str().into() });
                let draft = SavedDraft { answers: vec![text, None], at: UnixMs(n) };
                (vec![], vec![SideWrite::Draft { poll: NAMED, person: regular, draft }])
            }
            2 => {
                let answers = vec![Some(Answer::Number { number: (n * 7 % 31).cast_signed() })];
                let person = somebody(n);
                let responded = ClassFact::PollResponded { poll: SECRET, person, answers: None, late: false };
                (vec![Fact::Class(responded)], vec![SideWrite::Ballot { poll: SECRET, answers }])
            }
            3 => {
                let answers = Some(vec![None]);
                let responded = ClassFact::PollResponded { poll: NAMED, person: regular, answers, late: false };
                (vec![Fact::Class(responded)], vec![])
            }
            4 if n % 50 == 49 => (vec![Fact::Class(closed(SECRET)), renamed(n)], vec![]),
            _ => ((0..1 + n % 3).map(renamed).collect(), vec![]),
        };
        let events: Vec<Event> = (self.log.len() as u64 + 1..).zip(facts).map(|(seq, fact)| event(seq, fact)).collect();
        for event in &events {
            if let Fact::Class(fact) = &event.fact
                && let Some((poll, person)) = fact.forgets_drafts()
            {
                self.drafts.retain(|(of, whose), _| *of != poll || person.is_some_and(|person| person != whose));
            }
        }
        for record in &side {
            match record {
                SideWrite::Draft { poll, person, .. } => {
                    self.drafts.insert((*poll, person.clone()), record.clone());
                }
                SideWrite::Ballot { answers, .. } => self.ballots.push(answers.clone()),
            }
        }
        self.log.extend(events.iter().cloned());
        (events, side)
    }

    fn side(&self) -> Vec<SideWrite> {
        let mut ballots = self.ballots.clone();
        ballots.sort_unstable();
        let ballots = ballots.into_iter().map(|answers| SideWrite::Ballot { poll: SECRET, answers });
        self.drafts.values().cloned().chain(ballots).collect()
    }
}

fn closed(poll: Seq) -> ClassFact {
    let (submitted, kept, discarded) = (vec![], vec![], vec![]);
    ClassFact::PollClosed { poll, tally: None, counted: 0, eligible: 0, submitted, kept, discarded }
}

/// The script as far as the store has it: at least so many steps, and nothing that is not one of its steps.
async fn find(store: &Store, session: &str, at_least: u64) -> Script {
    let log = read(store, session).await;
    let side = store.side(tenant(), session.into()).await.unwrap();
    let mut script = Script::new(session);
    while script.step < at_least {
        script.goes_on();
    }
    // What was in line may have been stored without anybody having been told.
    while script.log.len() <= log.len() {
        if script.log.len() == log.len() && script.log == log && script.side() == side {
            return script;
        }
        script.goes_on();
    }
    let there = (log.len(), side.len());
    panic!("{session}: {at_least} steps acknowledged; {there:?} events and records are no step from there on");
}

async fn append_for_ever(store: Store, mut script: Script, acknowledge: impl Fn(&str, u64)) {
    let mut in_line = FuturesOrdered::new();
    loop {
        let (events, side) = script.goes_on();
        let appended = store.append(tenant(), script.session.as_str().into(), events, side);
        let step = script.step;
        in_line.push_back(async move { appended.await.map(|()| step) });
        if in_line.len() == IN_LINE {
            let done = in_line.next().await.expect("something is in line");
            acknowledge(&script.session, done.unwrap());
        }
    }
}

fn longer() -> usize {
    std::env::var(LONGER).map_or(1, |times| times.parse().expect("a number"))
}

// ---- power ---------------------------------------------------------------------------------------------------------

/// A disk that forgets: a file system layer of SQLite that remembers what each file held when it was last synced.
#[allow(unsafe_code, reason = "SQLite's file system layer is a table of C functions")]
mod power {
    use rusqlite::ffi::{self, sqlite3_file, sqlite3_io_methods, sqlite3_vfs};
    use std::collections::{HashMap, VecDeque};
    use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
    use std::os::unix::ffi::OsStrExt;
    use std::path::{Path, PathBuf};
    use std::sync::{Mutex, OnceLock};

    /// What a power cut takes.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub enum Loss {
        /// Everything since the last sync of each file.
        All,
        /// Nothing: as if only the process had died.
        Nothing,
        /// Some sectors; a new length of a file may be kept or not.
        Some,
    }

    pub const LOSSES: [Loss; 4] = [Loss::All, Loss::Nothing, Loss::Some, Loss::Some];
    const SECTOR: usize = 512;
    const FILES: [&str; 6] = [
        "sessions.sqlite",
        "sessions.sqlite-wal",
        "sessions.sqlite-journal",
        "keys.sqlite",
        "keys.sqlite-wal",
        "keys.sqlite-journal",
    ];

    /// The disk under one directory, with any number of data directories in it.
    pub struct Disk {
        directory: PathBuf,
        synced: Mutex<HashMap<PathBuf, Vec<u8>>>,
        cuts: Mutex<Option<Cuts>>,
    }

    /// What the files held at one moment.
    pub struct Moment {
        /// Name, as it was synced last, as it was.
        files: Vec<Held>,
    }

    type Held = (&'static str, Option<Vec<u8>>, Option<Vec<u8>>);

    pub struct Chance(pub u64);

    impl Chance {
        pub fn below(&mut self, bound: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as usize % bound
        }
    }

    impl Disk {
        /// Tells `remember` what the files hold after so many writes, and after so many more, until there are no numbers left.
        pub fn at_writes(
            &self,
            data: &Path,
            writes: impl Iterator<Item = usize>,
            remember: impl FnMut(Moment) + Send + 'static,
        ) {
            let cuts = Cuts { data: data.to_owned(), writes: writes.collect(), remember: Box::new(remember) };
            *self.cuts.lock().unwrap() = Some(cuts);
        }

        /// The store writes with one thread: while that is in here, nothing changes.
        fn written(&self) {
            let mut waiting = self.cuts.lock().unwrap();
            let Some(cuts) = waiting.as_mut() else { return };
            let Some(left) = cuts.writes.front_mut() else {
                *waiting = None;
                return;
            };
            *left -= 1;
            if *left == 0 {
                cuts.writes.pop_front();
                (cuts.remember)(self.moment(&cuts.data));
            }
        }

        fn moment(&self, data: &Path) -> Moment {
            let synced = self.synced.lock().unwrap();
            let held = |name: &&'static str| {
                let path = data.join(name);
                (*name, synced.get(&path).cloned(), std::fs::read(path).ok())
            };
            Moment { files: FILES.iter().map(held).collect() }
        }
    }

    struct Cuts {
        data: PathBuf,
        writes: VecDeque<usize>,
        remember: Box<dyn FnMut(Moment) + Send>,
    }

    impl Moment {
        /// Bytes that a power cut may take.
        pub fn unsynced(&self) -> usize {
            let differ = |(_, synced, now): &Held| {
                let (synced, now) = (synced.as_deref().unwrap_or_default(), now.as_deref().unwrap_or_default());
                synced.len().abs_diff(now.len()) + synced.iter().zip(now).filter(|(a, b)| a != b).count()
            };
            self.files.iter().map(differ).sum()
        }

        /// Writes what a cut at this moment leaves.
        pub fn leaves(&self, loss: Loss, chance: &mut Chance, directory: &Path) {
            for (name, synced, now) in &self.files {
                let left = match loss {
                    Loss::All => synced.clone(),
                    Loss::Nothing => now.clone(),
                    Loss::Some => match (synced, now) {
                        (Some(synced), Some(now)) => Some(torn(synced, now, chance)),
                        (synced, _) => synced.clone(),
                    },
                };
                if let Some(left) = left {
                    std::fs::write(directory.join(name), left).unwrap();
                }
            }
        }
    }

    fn torn(synced: &[u8], now: &[u8], chance: &mut Chance) -> Vec<u8> {
        let len = if chance.below(2) == 0 { synced.len() } else { now.len() };
        let mut left = vec![0; len];
        for (n, sector) in left.chunks_mut(SECTOR).enumerate() {
            // What was not synced at all is nothing or there.
            let from = if chance.below(2) == 0 { synced } else { now };
            let from = from.get(n * SECTOR..).unwrap_or_default();
            let len = from.len().min(sector.len());
            sector[..len].copy_from_slice(&from[..len]);
        }
        left
    }

    /// From here on, remembers what is synced in this directory. One in a process.
    pub fn watch(directory: PathBuf) -> &'static Disk {
        let disk = Disk { directory, synced: Mutex::default(), cuts: Mutex::default() };
        assert!(DISK.set(disk).is_ok(), "one disk is watched in a process");
        // SAFETY: the default layer is there for as long as the process; the copy is leaked and is so too.
        unsafe {
            let below = ffi::sqlite3_vfs_find(std::ptr::null());
            assert!(!below.is_null() && BELOW.set(Below(below)).is_ok());
            let mut layer = *below;
            layer.zName = c"power".as_ptr();
            layer.pNext = std::ptr::null_mut();
            layer.xOpen = Some(open);
            layer.xDelete = Some(delete);
            assert_eq!(ffi::sqlite3_vfs_register(Box::leak(Box::new(layer)), 1), ffi::SQLITE_OK);
        }
        DISK.get().expect("it was set")
    }

    struct Below(*mut sqlite3_vfs);
    // SAFETY: SQLite shares its layers among threads.
    unsafe impl Send for Below {}
    // SAFETY: as above.
    unsafe impl Sync for Below {}

    static DISK: OnceLock<Disk> = OnceLock::new();
    static BELOW: OnceLock<Below> = OnceLock::new();
    /// Which file each open handle is, and the functions below for it.
    static OPEN: Mutex<Option<HashMap<usize, (PathBuf, sqlite3_io_methods)>>> = Mutex::new(None);

    fn path_of(name: *const c_char) -> Option<PathBuf> {
        // SAFETY: SQLite gives a C string, or nothing for a temporary file.
        let name = (!name.is_null()).then(|| unsafe { CStr::from_ptr(name) })?;
        let path = PathBuf::from(OsStr::from_bytes(name.to_bytes()));
        DISK.get().filter(|disk| path.starts_with(&disk.directory)).map(|_| path)
    }

    unsafe extern "C" fn open(
        _: *mut sqlite3_vfs,
        name: ffi::sqlite3_filename,
        file: *mut sqlite3_file,
        flags: c_int,
        out_flags: *mut c_int,
    ) -> c_int {
        // SAFETY: the arguments are SQLite's own, for the layer below. Ours is a copy of the functions that it gave to this very file,
        // with four replaced; it is leaked, and so there for as long as the file is open.
        unsafe {
            let below = BELOW.get().expect("registered").0;
            let opened = (*below).xOpen.expect("every layer opens")(below, name, file, flags, out_flags);
            let Some(path) = path_of(name).filter(|_| opened == ffi::SQLITE_OK) else { return opened };
            let theirs = *(*file).pMethods;
            let ours = sqlite3_io_methods {
                xClose: Some(close),
                xWrite: Some(write),
                xTruncate: Some(truncate),
                xSync: Some(sync),
                ..theirs
            };
            (*file).pMethods = Box::leak(Box::new(ours));
            OPEN.lock().unwrap().get_or_insert_default().insert(file as usize, (path, theirs));
            opened
        }
    }

    fn of(file: *mut sqlite3_file) -> (PathBuf, sqlite3_io_methods) {
        let open = OPEN.lock().unwrap();
        open.as_ref().and_then(|open| open.get(&(file as usize))).cloned().expect("SQLite uses files that are open")
    }

    unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
        let (_, theirs) = of(file);
        OPEN.lock().unwrap().get_or_insert_default().remove(&(file as usize));
        // SAFETY: as SQLite called it.
        unsafe { theirs.xClose.expect("files close")(file) }
    }

    unsafe extern "C" fn write(file: *mut sqlite3_file, bytes: *const c_void, len: c_int, at: i64) -> c_int {
        // SAFETY: as SQLite called it.
        let written = unsafe { of(file).1.xWrite.expect("files are written")(file, bytes, len, at) };
        DISK.get().expect("watched").written();
        written
    }

    unsafe extern "C" fn truncate(file: *mut sqlite3_file, len: i64) -> c_int {
        // SAFETY: as SQLite called it.
        let truncated = unsafe { of(file).1.xTruncate.expect("files are truncated")(file, len) };
        DISK.get().expect("watched").written();
        truncated
    }

    unsafe extern "C" fn sync(file: *mut sqlite3_file, flags: c_int) -> c_int {
        let disk = DISK.get().expect("watched");
        let (path, theirs) = of(file);
        // SAFETY: as SQLite called it.
        let synced = unsafe { theirs.xSync.expect("files are synced")(file, flags) };
        if synced == ffi::SQLITE_OK
            && let Ok(bytes) = std::fs::read(&path)
        {
            disk.synced.lock().unwrap().insert(path, bytes);
        }
        synced
    }

    unsafe extern "C" fn delete(_: *mut sqlite3_vfs, name: *const c_char, sync_directory: c_int) -> c_int {
        let disk = DISK.get().expect("watched");
        if let Some(path) = path_of(name) {
            disk.synced.lock().unwrap().remove(&path);
        }
        // SAFETY: as SQLite called it.
        unsafe {
            let below = BELOW.get().expect("registered").0;
            (*below).xDelete.expect("files are deleted")(below, name, sync_directory)
        }
    }
}
