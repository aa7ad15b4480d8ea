//! `lyceum-load state`: people on the state socket of classes. They come in, sit there, work as a class does, all answer at once, break off
//! and come back, and lose what they may do; how long each takes, and what it costs the server, is measured.

use crate::cli::StateArgs;
use crate::machine::{Mark, Process, Use, description};
use crate::measure::{Spread, Times};
use crate::report::Table;
use crate::run::{RunError, server_pid};
use crate::token::Key;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use url::Url;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A server that answers nothing for so long has failed.
const PATIENCE: Duration = Duration::from_secs(30);
/// After everybody has come, the server may finish its work before its memory is read.
const SETTLE: Duration = Duration::from_secs(3);
/// How long somebody is away who breaks off.
const AWAY: Duration = Duration::from_millis(300);
/// How many come back at once.
const RETURN_TOGETHER: usize = 20;
const ANSWERS: u64 = 4;

/// The report. All times are in milliseconds.
#[derive(Clone, Default, Debug, Serialize)]
pub struct StateReport {
    pub load_version: &'static str,
    pub machine: String,
    pub url: String,
    pub classes: u16,
    pub people: u32,
    /// From the hello to the welcome.
    pub joins: Spread,
    pub memory: Option<Memory>,
    pub steady: Steady,
    pub flood: Flood,
    /// From the hello that says what somebody has to the welcome that brings what they missed.
    pub resumes: Spread,
    /// From a command that takes a right away to its acknowledgement, which comes once it is in force in media and data.
    pub fences: Spread,
    /// Whether somebody whose media is carried was among those.
    pub fenced_media: bool,
    /// Commands that were answered otherwise than they should be, by code.
    pub troubles: BTreeMap<String, u64>,
    pub complete: bool,
}

/// The server's resident memory before anybody came and when everybody sat there and nothing happened.
#[derive(Clone, Copy, Default, Debug, Serialize)]
pub struct Memory {
    pub before_bytes: u64,
    pub idle_bytes: u64,
    pub per_person_bytes: u64,
}

/// A class as it usually is: now and then somebody does something.
#[derive(Clone, Default, Debug, Serialize)]
pub struct Steady {
    pub seconds: f64,
    pub commands: u64,
    pub acks: Spread,
    /// From the sending of a message to each who receives it, and to the last of them.
    pub messages: Spread,
    pub last_of_all: Spread,
    pub usage: Use,
}

/// Everybody at once: each sends the next command when one of theirs is answered, as fast as one person may.
#[derive(Clone, Default, Debug, Serialize)]
pub struct Flood {
    pub seconds: f64,
    pub answers_per_s: f64,
    pub answer_acks: Spread,
    pub drafts_per_s: f64,
    pub draft_acks: Spread,
    pub usage: Use,
}

/// What all of them write to.
#[derive(Default)]
struct Seen {
    messages: Times,
    /// For each message by its stamp: when it came last, in microseconds since the run began, and how often it came.
    lasts: Mutex<HashMap<u64, (u64, u32)>>,
    troubles: Mutex<BTreeMap<String, u64>>,
    pulses: AtomicU64,
}

impl Seen {
    fn complain(&self, what: &str) {
        if let Ok(mut troubles) = self.troubles.lock() {
            *troubles.entry(what.to_owned()).or_default() += 1;
        }
    }
}

struct School {
    url: Url,
    key: Key,
    began: Instant,
    seen: Seen,
}

impl School {
    fn now_us(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// What of a message is looked at.
#[derive(Deserialize)]
struct Said {
    t: String,
    id: Option<String>,
    status: Option<String>,
    code: Option<String>,
    message: Option<String>,
    first: Option<u64>,
    current: Option<Value>,
    session: Option<String>,
    token: Option<String>,
    seq: Option<u64>,
    event: Option<Happened>,
    snapshot: Option<Shown>,
}

#[derive(Deserialize)]
struct Happened {
    seq: u64,
    #[serde(rename = "type")]
    kind: Option<String>,
    payload: Option<Value>,
}

#[derive(Deserialize)]
struct Shown {
    #[serde(default)]
    participants: BTreeMap<String, Value>,
}

/// The answer to a command.
#[derive(Clone, Debug)]
struct Answer {
    took: Duration,
    accepted: bool,
    code: Option<String>,
    first: Option<u64>,
    current: Option<u64>,
}

enum Wish {
    Command {
        kind: &'static str,
        payload: Value,
        expect: Option<u64>,
        answer: oneshot::Sender<Answer>,
    },
    /// Break off, and come back after a moment.
    Return(oneshot::Sender<Duration>),
    Leave,
}

/// Somebody on the state socket: what they are asked to do goes in by a channel.
#[derive(Clone)]
struct Person {
    wishes: mpsc::Sender<Wish>,
    others: Arc<Vec<String>>,
}

impl Person {
    async fn does(&self, kind: &'static str, payload: Value) -> Result<Answer, RunError> {
        self.does_to(kind, payload, None).await
    }

    async fn does_to(&self, kind: &'static str, payload: Value, expect: Option<u64>) -> Result<Answer, RunError> {
        let (answer, answered) = oneshot::channel();
        let wish = Wish::Command { kind, payload, expect, answer };
        self.wishes.send(wish).await.map_err(|_| gone())?;
        timeout(PATIENCE, answered)
            .await
            .map_err(|_| RunError::Machine(format!("{kind} was not answered")))?
            .map_err(|_| gone())
    }

    async fn returns(&self) -> Result<Duration, RunError> {
        let (done, is_back) = oneshot::channel();
        self.wishes.send(Wish::Return(done)).await.map_err(|_| gone())?;
        timeout(PATIENCE, is_back)
            .await
            .map_err(|_| RunError::Machine("nobody was let in again".to_owned()))?
            .map_err(|_| gone())
    }
}

fn gone() -> RunError {
    RunError::Machine("the server closed a state socket".to_owned())
}

/// Comes in; gives the person, and how long that took.
async fn comes_in(
    school: Arc<School>,
    room: String,
    identity: String,
    teaches: bool,
    tasks: &mut JoinSet<()>,
) -> Result<(Person, Duration), RunError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let token = school.key.class_token(&room, &identity, teaches, now).map_err(RunError::Machine)?;
    let hello = json!({"t": "hello", "token": token, "device": identity, "client": {"sdk": "lyceum-load"}});
    let (socket, welcome, took) = opens(&school.url, &hello).await?;
    let others =
        welcome.snapshot.as_ref().map(|shown| shown.participants.keys().cloned().collect()).unwrap_or_default();
    let (wishes, wished) = mpsc::channel(64);
    let seat = Seat { school, identity, session: welcome.session, token: welcome.token, seq: welcome.seq.unwrap_or(0) };
    tasks.spawn(seat.sits(socket, wished));
    Ok((Person { wishes, others: Arc::new(others) }, took))
}

/// Opens a socket and says hello; gives the welcome, and how long it took from the hello.
async fn opens(server: &Url, hello: &Value) -> Result<(Socket, Said, Duration), RunError> {
    let mut url = server.clone();
    url.set_path(&format!("{}/classroom/v1", server.path().trim_end_matches('/')));
    let unreachable =
        |error: &dyn std::fmt::Display| RunError::Machine(format!("the state socket cannot be opened: {error}"));
    let opening = tokio_tungstenite::connect_async_with_config(url.as_str(), None, true);
    let (mut socket, _) =
        timeout(PATIENCE, opening).await.map_err(|late| unreachable(&late))?.map_err(|error| unreachable(&error))?;
    let began = Instant::now();
    socket.send(Message::Text(hello.to_string().into())).await.map_err(|error| unreachable(&error))?;
    loop {
        let frame = timeout(PATIENCE, socket.next()).await.map_err(|late| unreachable(&late))?;
        let Some(Ok(frame)) = frame else { return Err(unreachable(&"it was closed before the welcome")) };
        let Message::Text(text) = frame else { continue };
        let said: Said = serde_json::from_str(&text).map_err(|error| unreachable(&error))?;
        match said.t.as_str() {
            "welcome" => return Ok((socket, said, began.elapsed())),
            "bye" => {
                let code = said.code.unwrap_or_default();
                return Err(RunError::Machine(format!(
                    "the server refused: {code}: {}",
                    said.message.unwrap_or_default()
                )));
            }
            _ => {}
        }
    }
}

/// One person's connection, and what is needed to come back.
struct Seat {
    school: Arc<School>,
    identity: String,
    session: Option<String>,
    token: Option<String>,
    seq: u64,
}

struct Waiting {
    since: Instant,
    answer: oneshot::Sender<Answer>,
}

impl Seat {
    async fn sits(mut self, socket: Socket, mut wishes: mpsc::Receiver<Wish>) {
        let (mut say, mut hear) = socket.split();
        let mut waiting: HashMap<String, Waiting> = HashMap::new();
        let mut number = 0_u64;
        loop {
            tokio::select! {
                frame = hear.next() => {
                    let Some(Ok(frame)) = frame else { return self.school.seen.complain("the server closed a socket") };
                    if let Message::Text(text) = frame {
                        self.hears(&text, &mut waiting);
                    }
                }
                wish = wishes.recv() => match wish {
                    None | Some(Wish::Leave) => {
                        let _ = say.send(Message::Text(json!({"t": "leave"}).to_string().into())).await;
                        let _ = say.close().await;
                        return;
                    }
                    Some(Wish::Command { kind, payload, expect, answer }) => {
                        number += 1;
                        let id = format!("{}-{number}", self.identity);
                        let mut command = json!({"t": "cmd", "id": id, "type": kind, "payload": payload});
                        if let Some(expect) = expect {
                            command["expect"] = expect.into();
                        }
                        waiting.insert(id, Waiting { since: Instant::now(), answer });
                        if say.send(Message::Text(command.to_string().into())).await.is_err() {
                            return self.school.seen.complain("a command could not be sent");
                        }
                    }
                    Some(Wish::Return(done)) => match self.returns(say, hear).await {
                        Ok((new_say, new_hear, took)) => {
                            (say, hear) = (new_say, new_hear);
                            let _ = done.send(took);
                        }
                        Err(error) => return self.school.seen.complain(&error.to_string()),
                    },
                }
            }
        }
    }

    fn hears(&mut self, text: &str, waiting: &mut HashMap<String, Waiting>) {
        let seen = &self.school.seen;
        let said: Said = match serde_json::from_str(text) {
            Ok(said) => said,
            Err(_) => return seen.complain("a message could not be read"),
        };
        match said.t.as_str() {
            "ack" => {
                let Some(Waiting { since, answer }) = said.id.and_then(|id| waiting.remove(&id)) else { return };
                let accepted = said.status.as_deref() == Some("accepted");
                let current = said.current.and_then(|current| current.as_u64());
                let _ = answer.send(Answer {
                    took: since.elapsed(),
                    accepted,
                    code: said.code,
                    first: said.first,
                    current,
                });
            }
            "ev" => {
                let Some(event) = said.event else { return };
                self.seq = event.seq;
                if event.kind.as_deref() != Some("chat.posted") {
                    return;
                }
                let body = event.payload.as_ref().and_then(|payload| payload.pointer("/body")?.as_str());
                let Some(stamp) = body.and_then(|body| body.parse::<u64>().ok()) else { return };
                let now = self.school.now_us();
                seen.messages.record(Duration::from_micros(now.saturating_sub(stamp)));
                if let Ok(mut lasts) = seen.lasts.lock() {
                    let (last, count) = lasts.entry(stamp).or_default();
                    *last = now.max(*last);
                    *count += 1;
                }
            }
            "pulse" => {
                self.seq = said.seq.unwrap_or(self.seq);
                seen.pulses.fetch_add(1, Relaxed);
            }
            "bye" => seen.complain(&format!("bye: {}", said.code.unwrap_or_default())),
            _ => {}
        }
    }

    /// Without a goodbye, as when a network breaks.
    async fn returns(
        &mut self,
        say: SplitSink<Socket, Message>,
        hear: SplitStream<Socket>,
    ) -> Result<(SplitSink<Socket, Message>, SplitStream<Socket>, Duration), RunError> {
        drop((say, hear));
        sleep(AWAY).await;
        let hello = json!({
            "t": "hello", "token": self.token, "device": self.identity, "client": {"sdk": "lyceum-load"},
            "session": self.session, "seq": self.seq,
        });
        let (socket, welcome, took) = opens(&self.school.url, &hello).await?;
        (self.token, self.seq) = (welcome.token, welcome.seq.unwrap_or(self.seq));
        let (say, hear) = socket.split();
        Ok((say, hear, took))
    }
}

/// One class: who teaches, who learns, and the poll that is open.
struct Lesson {
    teacher: Person,
    learners: Vec<(String, Person)>,
    poll: u64,
}

/// Runs what was asked for.
pub async fn run(args: &StateArgs) -> Result<StateReport, RunError> {
    let pid = server_pid(args.server_pid, &args.url)?;
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let name = format!("state-{:x}", since_epoch.as_secs());
    let school = Arc::new(School {
        url: args.url.clone(),
        key: Key { name: args.api_key.clone(), secret: args.api_secret.clone() },
        began: Instant::now(),
        seen: Seen::default(),
    });
    let mut tasks = JoinSet::new();
    let mut report = StateReport {
        load_version: env!("CARGO_PKG_VERSION"),
        machine: description(),
        url: args.url.to_string(),
        classes: args.classes,
        people: args.people,
        ..StateReport::default()
    };
    let rss = || pid.and_then(Process::of).map(|process| process.rss_bytes);

    // One class of one person first: what the server sets up once is not counted for each.
    let (first, _) =
        comes_in(school.clone(), format!("{name}-first"), format!("{name}-first"), true, &mut tasks).await?;
    let _ = first.wishes.send(Wish::Leave).await;
    sleep(SETTLE).await;
    let before = rss();
    eprintln!("{} people come into {} classes", args.people, args.classes);
    let (lessons, joins) = everybody_comes(args, &school, &name, &mut tasks).await?;
    report.joins = Spread::of(joins.into_iter());
    sleep(SETTLE).await;
    if let (Some(before_bytes), Some(idle_bytes)) = (before, rss()) {
        let per_person_bytes = idle_bytes.saturating_sub(before_bytes) / u64::from(args.people.max(1));
        report.memory = Some(Memory { before_bytes, idle_bytes, per_person_bytes });
    }
    eprintln!("A class as it usually is, for {} s", args.duration.as_secs_f64());
    report.steady = is_as_usual(args, &school, &lessons, pid).await?;
    eprintln!("Everybody answers, and then drafts, for {} s each", args.flood.as_secs_f64());
    report.flood = all_at_once(args, &school, &lessons, pid).await;
    eprintln!("Everybody breaks off and comes back");
    report.resumes = everybody_returns(&lessons).await?;
    eprintln!("Rights are taken away and given again");
    (report.fences, report.fenced_media) = rights_go(args, &school, &lessons).await?;

    for lesson in &lessons {
        for person in lesson.learners.iter().map(|(_, person)| person).chain([&lesson.teacher]) {
            let _ = person.wishes.send(Wish::Leave).await;
        }
    }
    let _ = timeout(PATIENCE, async { while tasks.join_next().await.is_some() {} }).await;
    report.troubles = school.seen.troubles.lock().map(|troubles| troubles.clone()).unwrap_or_default();
    report.complete = report.troubles.is_empty();
    Ok(report)
}

async fn everybody_comes(
    args: &StateArgs,
    school: &Arc<School>,
    name: &str,
    tasks: &mut JoinSet<()>,
) -> Result<(Vec<Lesson>, Vec<Duration>), RunError> {
    let mut ramp = interval(Duration::from_secs_f64(1.0 / args.ramp));
    ramp.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut lessons = Vec::new();
    let mut joins = Vec::new();
    for class in 0..args.classes {
        // One class can be one that others load with media.
        let room = if class == 0 { args.room.clone() } else { format!("{name}-{class}") };
        let (teacher, took) =
            comes_in(school.clone(), room.clone(), format!("{name}-{class}-teacher"), true, tasks).await?;
        joins.push(took);
        let items = json!([{"kind": "single", "text": "Which one?", "options": ["a", "b", "c", "d"]}]);
        let spec = json!({"title": "All at once", "mode": "poll", "items": items});
        let made = teacher.does("activity.create", json!({"spec": spec})).await?;
        let poll = made.first.ok_or_else(|| RunError::Machine(format!("no poll could be made: {:?}", made.code)))?;
        lessons.push(Lesson { teacher, learners: Vec::new(), poll });
        let learners = args.people / u32::from(args.classes) - 1;
        for number in 0..learners {
            ramp.tick().await;
            let identity = format!("{name}-{class}-{number}");
            let (person, took) = comes_in(school.clone(), room.clone(), identity.clone(), false, tasks).await?;
            joins.push(took);
            if let Some(lesson) = lessons.last_mut() {
                lesson.learners.push((identity, person));
            }
        }
    }
    for lesson in &lessons {
        let opened = lesson.teacher.does("poll.open", json!({"poll": lesson.poll})).await?;
        if !opened.accepted {
            return Err(RunError::Machine(format!("the poll was not opened: {:?}", opened.code)));
        }
    }
    Ok((lessons, joins))
}

fn answers(number: u64) -> Value {
    json!([{"kind": "options", "options": [number % ANSWERS]}])
}

async fn is_as_usual(
    args: &StateArgs,
    school: &Arc<School>,
    lessons: &[Lesson],
    pid: Option<u32>,
) -> Result<Steady, RunError> {
    let acks = Arc::new(Times::default());
    let mut ticks = interval(Duration::from_secs_f64(1.0 / args.rate));
    let (began, mark) = (Instant::now(), Mark::now(pid));
    let mut asked = JoinSet::new();
    let mut number = 0_u64;
    while began.elapsed() < args.duration {
        ticks.tick().await;
        let lesson = &lessons[usize::try_from(number).unwrap_or(0) % lessons.len()];
        let turn = usize::try_from(number).unwrap_or(0) / lessons.len();
        number += 1;
        let Some((_, person)) = lesson.learners.get(turn % lesson.learners.len().max(1)) else { continue };
        let round = turn / lesson.learners.len().max(1);
        // Everybody in turn; each time round they do the next thing.
        let (kind, payload) = match (turn + round) % 5 {
            0 => ("hand.raise", json!({"intent": "question"})),
            1 => ("hand.lower", json!({})),
            2 => ("poll.save_draft", json!({"poll": lesson.poll, "answers": answers(number)})),
            3 => ("poll.respond", json!({"poll": lesson.poll, "answers": answers(number)})),
            _ => ("chat.send", json!({"body": school.now_us().to_string()})),
        };
        let (person, acks, school) = (person.clone(), acks.clone(), school.clone());
        asked.spawn(async move {
            match person.does(kind, payload).await {
                Ok(answer) if answer.accepted => acks.record(answer.took),
                Ok(answer) => school.seen.complain(&format!("{kind}: {}", answer.code.unwrap_or_default())),
                Err(error) => school.seen.complain(&error.to_string()),
            }
        });
    }
    while asked.join_next().await.is_some() {}
    let usage = mark.until(&Mark::now(pid));
    sleep(Duration::from_millis(500)).await;
    let everybody = u32::try_from(lessons.first().map_or(0, |lesson| lesson.learners.len() + 1)).unwrap_or(u32::MAX);
    let lasts = school.seen.lasts.lock().map(|lasts| lasts.clone()).unwrap_or_default();
    if lasts.values().any(|(_, count)| *count < everybody) {
        school.seen.complain("a message did not reach everybody");
    }
    let last_of_all =
        Spread::of(lasts.iter().map(|(stamp, (last, _))| Duration::from_micros(last.saturating_sub(*stamp))));
    Ok(Steady {
        seconds: began.elapsed().as_secs_f64(),
        commands: number,
        acks: acks.spread(),
        messages: school.seen.messages.spread(),
        last_of_all,
        usage,
    })
}

async fn all_at_once(args: &StateArgs, school: &Arc<School>, lessons: &[Lesson], pid: Option<u32>) -> Flood {
    let mark = Mark::now(pid);
    let (answers_per_s, answer_acks) = everybody_sends(args, school, lessons, "poll.respond", args.answers_each).await;
    let (drafts_per_s, draft_acks) = everybody_sends(args, school, lessons, "poll.save_draft", args.drafts_each).await;
    let usage = mark.until(&Mark::now(pid));
    Flood { seconds: args.flood.as_secs_f64(), answers_per_s, answer_acks, drafts_per_s, draft_acks, usage }
}

/// Each sends so many a second, and the next one only once the one before is answered. Gives how many were accepted each second.
async fn everybody_sends(
    args: &StateArgs,
    school: &Arc<School>,
    lessons: &[Lesson],
    kind: &'static str,
    each_per_s: f64,
) -> (f64, Spread) {
    let acks = Arc::new(Times::default());
    let mut senders = JoinSet::new();
    let began = Instant::now();
    for (index, (lesson, person)) in
        lessons.iter().flat_map(|lesson| lesson.learners.iter().map(move |(_, person)| (lesson, person))).enumerate()
    {
        let (person, poll, acks, school) = (person.clone(), lesson.poll, acks.clone(), school.clone());
        let (flood, pause) = (args.flood, Duration::from_secs_f64(1.0 / each_per_s));
        senders.spawn(async move {
            // Not all in the same instant.
            sleep(pause.mul_f64((index % 100) as f64 / 100.0)).await;
            let mut ticks = interval(pause);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            for number in 0.. {
                ticks.tick().await;
                if began.elapsed() >= flood {
                    return;
                }
                match person.does(kind, json!({"poll": poll, "answers": answers(number)})).await {
                    Ok(answer) if answer.accepted => acks.record(answer.took),
                    Ok(answer) => school.seen.complain(&format!("{kind}: {}", answer.code.unwrap_or_default())),
                    Err(error) => return school.seen.complain(&error.to_string()),
                }
            }
        });
    }
    while senders.join_next().await.is_some() {}
    let spread = acks.spread();
    (spread.count as f64 / began.elapsed().as_secs_f64(), spread)
}

async fn everybody_returns(lessons: &[Lesson]) -> Result<Spread, RunError> {
    let people: Vec<&Person> =
        lessons.iter().flat_map(|lesson| lesson.learners.iter().map(|(_, person)| person)).collect();
    let mut took = Vec::new();
    for some in people.chunks(RETURN_TOGETHER) {
        took.extend(futures_util::future::try_join_all(some.iter().map(|person| person.returns())).await?);
    }
    Ok(Spread::of(took.into_iter()))
}

/// The teacher takes `media.audio` from people and gives it again: first of those who are there with media, if there are.
async fn rights_go(args: &StateArgs, school: &School, lessons: &[Lesson]) -> Result<(Spread, bool), RunError> {
    let Some(lesson) = lessons.first() else { return Ok((Spread::default(), false)) };
    let guests: Vec<&String> = lesson.teacher.others.iter().filter(|person| !person.starts_with("state-")).collect();
    let own = lesson.learners.iter().map(|(identity, _)| identity);
    let has_media = !guests.is_empty();
    let people: Vec<&String> = if has_media { guests } else { own.collect() };
    let (mut took, mut expect) = (Vec::new(), HashMap::new());
    if people.is_empty() {
        return Ok((Spread::default(), false));
    }
    for number in 0..2 * usize::from(args.fences) {
        let takes = number.is_multiple_of(2);
        let person = &people[number / 2 % people.len()];
        let set = json!({"media.audio": if takes { json!(false) } else { Value::Null }});
        let mut tries = 0;
        loop {
            let revision = expect.get(person).copied();
            let payload = json!({"person": person, "set": set});
            let answer =
                lesson.teacher.does_to("participant.override_caps", payload, Some(revision.unwrap_or(0))).await?;
            tries += 1;
            if answer.accepted {
                if let Some(first) = answer.first {
                    expect.insert(*person, first);
                }
                if takes {
                    took.push(answer.took);
                }
                break;
            }
            match answer.current {
                Some(current) if tries < 3 => expect.insert(*person, current),
                _ => {
                    school.seen.complain(&format!("participant.override_caps: {}", answer.code.unwrap_or_default()));
                    break;
                }
            };
        }
        // As fast as one person may.
        sleep(Duration::from_millis(110)).await;
    }
    Ok((Spread::of(took.into_iter()), has_media))
}

impl StateReport {
    /// For people.
    pub fn table(&self) -> String {
        let mut out = Table::default();
        out.line("Server", self.url.clone());
        out.line("Machine", self.machine.clone());
        out.line("People", format!("{} in {} classes, on the state socket", self.people, self.classes));
        if let Some(Memory { before_bytes, idle_bytes, per_person_bytes }) = self.memory {
            let mib = |bytes: u64| bytes as f64 / 1_048_576.0;
            let each = per_person_bytes as f64 / 1_024.0;
            out.line(
                "Memory",
                format!(
                    "{:.1} MiB, {:.1} MiB with everybody there: {each:.1} KiB each",
                    mib(before_bytes),
                    mib(idle_bytes)
                ),
            );
        }
        let Steady { seconds, commands, acks, messages, last_of_all, usage } = &self.steady;
        out.line("As usual", format!("{commands} commands in {seconds:.1} s, {}", busy(usage)));
        let flood = &self.flood;
        out.line(
            "All at once",
            format!("{:.0} answers/s, {:.0} drafts/s, {}", flood.answers_per_s, flood.drafts_per_s, busy(&flood.usage)),
        );
        for (what, count) in &self.troubles {
            out.line("Trouble", format!("{count} × {what}"));
        }
        out.spread_heading();
        out.spread("hello → welcome", &self.joins);
        out.spread("ack", acks);
        out.spread("message → each", messages);
        out.spread("message → last", last_of_all);
        out.spread("ack of answers", &flood.answer_acks);
        out.spread("ack of drafts", &flood.draft_acks);
        out.spread("resume", &self.resumes);
        out.spread(if self.fenced_media { "fence, media" } else { "fence" }, &self.fences);
        out.text()
    }
}

fn busy(usage: &Use) -> String {
    let share = |percent: Option<f64>| percent.map_or("unknown".to_owned(), |percent| format!("{percent:.0} %"));
    format!(
        "the server {} of one core, the machine {}",
        share(usage.server_cpu_percent),
        share(usage.machine_busy_percent)
    )
}
