//! How long a server that starts takes to read a long class: a lecture with 250 learners who chat, raise hands, ask, answer polls and
//! work in groups, until its log has so many events; then, several times, the log and what lies beside it are read, decrypted,
//! parsed and folded. `cargo run --release --example open_bench [EVENTS [DIRECTORY]]`; the directory is left behind.

use futures_util::future::try_join_all;
use lyceum::store::Store;
use lyceum_session::class::{Anonymity, Outcome};
use lyceum_session::class::{
    Answer, Answers, BreakoutMode, Cap, Caps, Cause, ClassCommand, DraftPolicy, Envelope, GroupPlan, HandIntent, Item,
    ItemKind, LatePolicy, Memory, PolicyPatch, PollMode, PollSpec, SideWrite, Target, To, answer,
};
use lyceum_session::{
    Command, ConnectionId, Ctx, DetachReason, Event, Kind, MediaKind, Permission, PersonId, Policy, Profile,
    Publication, Role, Seq, SessionId, Source, SpaceName, State, TenantId, TrackId, UnixMs, apply, decide,
};
use std::collections::BTreeMap;
use std::error::Error;
use std::time::{Duration, Instant};

const LEARNERS: usize = 250;
const RUNS: usize = 7;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let events: usize = args.next().as_deref().unwrap_or("100000").parse()?;
    let directory = args.next().unwrap_or_else(|| format!("./open-bench-{}", std::process::id()));

    let mut lecture = Lecture::begins();
    while lecture.events < events {
        lecture.goes_on();
    }
    let Lecture { state, appends, sent, refused, events, .. } = lecture;
    println!("{events} events in {directory}, {} people, {sent} commands, {refused} refused", state.participants.len());

    let (tenant, session) = (TenantId::from("bench"), SessionId::from("RM_lecture"));
    let store = Store::open(&directory)?;
    let mut appends = appends.into_iter().peekable();
    while appends.peek().is_some() {
        let some = appends.by_ref().take(500);
        try_join_all(some.map(|(events, side)| store.append(tenant.clone(), session.clone(), events, side))).await?;
    }
    store.close().await;

    let mut totals = Vec::new();
    for run in 1..=RUNS {
        // Opened anew each time: nothing is cached but by the operating system.
        let store = Store::open(&directory)?;
        let began = Instant::now();
        let (mut again, mut read, mut folded) = (State::default(), Duration::ZERO, Duration::ZERO);
        loop {
            let asked = Instant::now();
            let page = store.read(tenant.clone(), session.clone(), again.seq.next(), 1_000).await?;
            read += asked.elapsed();
            if page.is_empty() {
                break;
            }
            let asked = Instant::now();
            page.iter().for_each(|event| apply(&mut again, event));
            folded += asked.elapsed();
        }
        let asked = Instant::now();
        let side = store.side(tenant.clone(), session.clone()).await?;
        side.iter().for_each(|record| again.keep(record));
        let beside = asked.elapsed();
        let total = began.elapsed();
        println!(
            "run {run}: {} ms: read {}, fold {}, {} records beside {}",
            total.as_millis(),
            read.as_millis(),
            folded.as_millis(),
            side.len(),
            beside.as_millis()
        );
        assert!(again.hash() == state.hash(), "the class that was read is not the one that was held");
        totals.push(total);
        store.close().await;
    }
    totals.sort_unstable();
    println!("median of {RUNS}: {} ms", totals[RUNS / 2].as_millis());

    let asked = Instant::now();
    let saved = state.save();
    let took = asked.elapsed();
    let asked = Instant::now();
    assert!(State::restore(&saved)? == state);
    println!(
        "the state as text: {} KiB, written in {} ms, read in {} ms",
        saved.len() / 1024,
        took.as_millis(),
        asked.elapsed().as_millis()
    );
    Ok(())
}

/// A class that is held by chance, but the same way each time.
struct Lecture {
    state: State,
    memory: Memory,
    now: UnixMs,
    /// What is given to the store: each command's events, and what lies beside them.
    appends: Vec<(Vec<Event>, Vec<SideWrite>)>,
    events: usize,
    round: usize,
    sent: u64,
    refused: u64,
    chance: u64,
}

impl Lecture {
    fn begins() -> Self {
        let mut lecture = Self {
            state: State::default(),
            memory: Memory::default(),
            now: UnixMs(1_700_000_000_000),
            appends: Vec::new(),
            events: 0,
            round: 0,
            sent: 0,
            refused: 0,
            chance: 1,
        };
        let policy = Policy {
            max_participants: 0,
            presence_grace_ms: 30_000,
            empty_timeout_ms: 300_000,
            departure_timeout_ms: 20_000,
            max_tracks_per_connection: 8,
            resume_window_ms: 0,
        };
        let (tenant, session) = (TenantId::from("bench"), SessionId::from("RM_lecture"));
        lecture.server(Command::Start { tenant, room: "lecture".into(), session, policy, metadata: String::new() });
        lecture.comes("teacher", Role::Instructor);
        lecture.comes("assistant", Role::TeachingAssistant);
        for n in 0..LEARNERS {
            lecture.comes(&learner(n), Role::Learner);
        }
        lecture
    }

    /// Some minutes of a lecture.
    fn goes_on(&mut self) {
        use ClassCommand as C;
        self.round += 1;
        for _ in 0..80 {
            let (who, body) = (self.somebody(), self.sentence());
            let to = (self.below(8) == 0).then_some(To::Staff);
            self.does(&who, C::ChatSend { to, body: body.as_str().into(), reply_to: None });
            self.passes(700);
        }
        for _ in 0..20 {
            let who = self.somebody();
            self.does(&who, C::HandRaise { intent: HandIntent::Question });
            match self.below(3) {
                0 => self.does("teacher", C::HandCall { person: who.as_str().into() }),
                1 => self.does(&who, C::HandLower {}),
                _ => {}
            }
            self.says_something(&who);
            self.passes(1_500);
        }
        self.does("teacher", C::HandDismiss { persons: vec![], all: true });
        for _ in 0..3 {
            let (who, body) = (self.somebody(), self.sentence());
            self.does(&who, C::QaAsk { body: body.as_str().into() });
            let question = self.state.seq;
            for _ in 0..8 {
                let who = self.somebody();
                self.does(&who, C::QaUpvote { question, up: true });
            }
            let body = self.sentence();
            self.does("assistant", C::QaAnswer { question, body: body.as_str().into() });
        }
        self.server(Command::Class(C::ReactionAggregate {
            space: SpaceName::default(),
            counts: BTreeMap::from([("clap".into(), 12), ("heart".into(), 3)]),
        }));
        match self.round % 4 {
            0 => self.polls(Anonymity::Named),
            1 => self.works_in_groups(),
            2 => self.polls(Anonymity::Anonymous),
            _ => {
                for locks in [Caps::of(&[Cap::ChatSend]), Caps::NONE] {
                    let patch = PolicyPatch { locks: Some(locks), ..PolicyPatch::default() };
                    self.does("teacher", C::PolicySet { patch });
                }
            }
        }
        for _ in 0..5 {
            let who = self.somebody();
            self.loses_network(&who);
            self.comes(&who, Role::Learner);
        }
        self.passes(10_000);
    }

    fn polls(&mut self, anonymity: Anonymity) {
        use ClassCommand as C;
        let options = (0..4).map(|option| format!("Answer {option}, or so").as_str().into()).collect();
        let choice = Item { kind: ItemKind::Single, text: "Which one?".into(), options, key: None, points: 1 };
        let why = Item { kind: ItemKind::ShortText, text: "Why?".into(), options: vec![], key: None, points: 1 };
        let named = anonymity == Anonymity::Named;
        let spec = PollSpec {
            mode: PollMode::Quiz,
            title: "What was that about?".into(),
            items: if named { vec![choice, why] } else { vec![choice] },
            anonymity,
            allow_change: named,
            keep_late: true,
            grace_ms: 5_000,
            drafts: DraftPolicy::Submit,
            live_results: true,
            roles: vec![Role::Learner],
        };
        self.does("teacher", C::ActivityCreate { spec });
        let poll = self.state.seq;
        self.does("teacher", C::PollOpen { poll, target: Target::Session, duration_ms: None });
        for n in 0..LEARNERS {
            let option = self.below(4) as u16;
            let mut answers: Answers = vec![Some(Answer::Options { options: vec![option] })];
            if named {
                let text = self.sentence();
                answers.push(Some(Answer::Text { text: text.as_str().into() }));
                self.does(&learner(n), C::PollSaveDraft { poll, answers: answers.clone() });
            }
            if !n.is_multiple_of(10) {
                self.does(&learner(n), C::PollRespond { poll, answers });
            }
            self.passes(200);
        }
        self.does("teacher", C::PollClose { poll, grace_ms: Some(0) });
        self.does("teacher", C::PollPublish { poll, detail: Default::default(), reveal: true });
    }

    fn works_in_groups(&mut self) {
        use ClassCommand as C;
        let group = |n: usize| GroupPlan {
            space: SpaceName(format!("group-{n:02}")),
            title: format!("Group {n}"),
            capacity: 0,
            persons: vec![],
        };
        let groups: Vec<_> = (0..50).map(group).collect();
        self.does("teacher", C::BreakoutsPlan { mode: BreakoutMode::Random, groups, seed: self.round as u64 });
        self.does(
            "teacher",
            C::BreakoutsOpen { closes_at: None, late_policy: LatePolicy::LeastFull, allow_return: true },
        );
        for _ in 0..300 {
            let (who, body) = (self.somebody(), self.sentence());
            self.does(&who, C::ChatSend { to: None, body: body.as_str().into(), reply_to: None });
            self.passes(1_000);
        }
        for _ in 0..10 {
            let who = self.somebody();
            self.does(&who, C::BreakoutsAskHelp {});
            let space = self.state.participants.get(&PersonId::from(who.as_str())).map(|known| known.space.clone());
            self.does("assistant", C::BreakoutsVisit { space: space.clone() });
            self.does("assistant", C::HelpResolve { space: space.unwrap_or_default() });
        }
        self.does("assistant", C::BreakoutsVisit { space: None });
        self.does("teacher", C::BreakoutsBroadcast { body: "One more minute".into() });
        self.does("teacher", C::BreakoutsClose { warn_s: 0 });
    }

    fn comes(&mut self, person: &str, role: Role) {
        self.sent += 1;
        let connection = ConnectionId(format!("PA_{:012}", self.sent));
        let profile = profile(person, role);
        let person = PersonId::from(person);
        let attach = Command::Attach { person, profile, connection, client: Default::default(), space: None };
        self.server(attach);
    }

    /// A microphone for some seconds.
    fn says_something(&mut self, person: &str) {
        let Some(connection) = self.connection(person) else { return };
        let track = TrackId(format!("TR_{person}_{:09}", self.sent));
        let publication = Publication {
            track: track.clone(),
            person: person.into(),
            connection,
            kind: MediaKind::Audio,
            source: Source::Microphone,
            name: "microphone".into(),
            muted: false,
            width: 0,
            height: 0,
            mime_type: "audio/opus".into(),
            simulcast: false,
            layers: vec![],
            stream: "camera".into(),
            audio_features: vec![],
            disable_red: false,
            encryption: 0,
        };
        self.server(Command::Publish { publication });
        self.server(Command::SetMuted { track: track.clone(), muted: true });
        self.server(Command::Unpublish { track, reason: lyceum_session::UnpublishReason::Stopped });
    }

    fn loses_network(&mut self, person: &str) {
        let Some(connection) = self.connection(person) else { return };
        let (reason, last_seen) = (DetachReason::ConnectionLost, self.now);
        self.server(Command::Detach { connection, reason, last_seen });
    }

    fn connection(&self, person: &str) -> Option<ConnectionId> {
        self.state.participants.get(&PersonId::from(person))?.connections.keys().next().cloned()
    }

    fn passes(&mut self, ms: u64) {
        self.now = self.now.plus(ms);
        if self.state.poll_timeout().is_some_and(|(due, _)| due <= self.now) {
            self.server(Command::Tick);
        }
    }

    fn server(&mut self, command: Command) {
        let ctx = Ctx { now: self.now, ..Ctx::default() };
        match decide(&self.state, &command, &ctx) {
            Ok(facts) => self.happens(facts, vec![], &ctx),
            Err(_) => self.refused += 1,
        }
    }

    fn does(&mut self, person: &str, command: ClassCommand) {
        self.sent += 1;
        let cause = Some(Cause { id: format!("018f3c1e-0000-7000-8000-{:012x}", self.sent).into(), digest: self.sent });
        let expect = self.revision(&command);
        let ctx = Ctx {
            now: self.now,
            actor: Some(person.into()),
            envelope: Envelope { cause, expect, ..Envelope::default() },
        };
        let answer = answer(&self.state, &mut self.memory, &Command::Class(command), &ctx);
        if matches!(answer.outcome, Outcome::Rejected { .. }) {
            self.refused += 1;
        }
        self.happens(answer.facts, answer.side, &ctx);
    }

    fn revision(&self, command: &ClassCommand) -> Option<Seq> {
        let class = &self.state.class;
        match command {
            ClassCommand::PolicySet { .. } => Some(class.policy_rev),
            ClassCommand::BreakoutsPlan { .. }
            | ClassCommand::BreakoutsOpen { .. }
            | ClassCommand::BreakoutsClose { .. } => class.breakouts.as_ref().map(|groups| groups.rev),
            ClassCommand::PollClose { poll, .. } => class.polls.get(poll).map(|poll| poll.rev),
            _ => None,
        }
    }

    fn happens(&mut self, facts: Vec<lyceum_session::Fact>, side: Vec<SideWrite>, ctx: &Ctx) {
        let events = self.state.stamp(facts, ctx);
        events.iter().for_each(|event| apply(&mut self.state, event));
        side.iter().for_each(|record| self.state.keep(record));
        self.events += events.len();
        if !events.is_empty() || !side.is_empty() {
            self.appends.push((events, side));
        }
    }

    fn somebody(&mut self) -> String {
        learner(self.below(LEARNERS))
    }

    fn sentence(&mut self) -> String {
        const WORDS: [&str; 12] = [
            "because",
            "the",
            "derivative",
            "of",
            "energy",
            "is",
            "what",
            "we",
            "measured",
            "yesterday",
            "perhaps",
            "sodium",
        ];
        let words: Vec<_> = (0..4 + self.below(12)).map(|_| WORDS[self.below(WORDS.len())]).collect();
        words.join(" ")
    }

    fn below(&mut self, bound: usize) -> usize {
        self.chance = self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.chance >> 33) as usize % bound
    }
}

fn learner(n: usize) -> String {
    format!("u-{n:04}")
}

fn profile(person: &str, role: Role) -> Profile {
    Profile {
        name: format!("Somebody called {person}").as_str().into(),
        metadata: "{\"avatar\":\"https://example.org/a/1.png\"}".into(),
        attributes: BTreeMap::from([("pronouns".to_owned(), "they".into())]),
        role,
        kind: Kind::Standard,
        permission: Permission {
            can_publish: true,
            can_subscribe: true,
            can_publish_data: true,
            can_publish_sources: vec![],
            can_update_metadata: true,
            hidden: false,
            recorder: false,
        },
    }
}
