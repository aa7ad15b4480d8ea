//! The hub of one document: who is connected, what they may do, what is in it, and what waits for the disk. It never tells
//! anybody what is not on the disk: everything it says waits in `held` behind the append that it depends on.

use crate::api::*;
use crate::awareness::Roster;
use crate::id::DocId;
use crate::index::{IndexLimits, Unfit};
use crate::limits::{Bucket, Limits};
use crate::replica::{Broken, Replica};
use crate::scan::{ScanLimits, scan};
use crate::wire::{Malformed, Message, denied, read_state_vector};
use crate::{judge, load};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Frames of one client that wait while the document is loaded.
const EARLY_FRAMES: usize = 16;
/// Requests to empty a board that wait while it is loaded.
const EARLY_CLEARS: usize = 16;
/// People whose next connection by a stock provider is read-only.
const MOST_MARKS: usize = 1_000;

/// One document: a state machine without IO.
#[derive(Debug)]
pub struct Hub {
    id: DocId,
    generation: u64,
    seed: u64,
    limits: Limits,
    phase: Phase,
    /// The document, with everything accepted. Absent before it is loaded and after it is unloaded.
    replica: Option<Replica>,
    log: Log,
    clients: BTreeMap<ClientKey, Client>,
    people: BTreeMap<Arc<str>, (Rights, u64)>,
    /// Who may speak for which Yjs client.
    owners: BTreeMap<u64, Arc<str>>,
    /// People whose stock provider was refused: it will come back with what was refused, and must not be refused for ever.
    marks: VecDeque<Arc<str>>,
    roster: Roster,
    /// Requests to empty the board that wait until it is loaded.
    clears: Vec<u64>,
    /// What waits until an update is durable, in order.
    held: VecDeque<(DocSeq, Output)>,
    outputs: VecDeque<Output>,
    idle_since: Option<Ms>,
    stats: Stats,
}

/// The log of the document, as far as it is needed to build the document again.
#[derive(Debug, Default)]
struct Log {
    /// The last accepted update.
    seq: DocSeq,
    /// The last one on the disk.
    durable: DocSeq,
    base: Option<Snapshot>,
    tail: Vec<Arc<[u8]>>,
    tail_bytes: usize,
    /// How often the usual bounds the tail may be long, after a snapshot that was no good.
    patience: usize,
}

#[derive(Debug)]
struct Client {
    person: Arc<str>,
    style: Style,
    /// It has asked for the state, so that updates are of use to it.
    synced: bool,
    /// A stock provider that comes back after a refusal: the next refusal makes it read-only instead of closing it.
    tolerated: bool,
    /// Its updates are passed over.
    muted: bool,
    /// It could change the document once, and so may not know that it cannot any more.
    could_write: bool,
    early: Vec<(Option<u64>, Vec<u8>)>,
    updates: Bucket,
    bytes: Bucket,
    syncs: Bucket,
    awareness_due: Option<Ms>,
    awareness_told: Option<Ms>,
}

impl Hub {
    /// A hub that waits for [`Input::Loaded`]. The seed is a random number; the generation tells the hubs of one document apart.
    pub fn new(now: Ms, id: DocId, generation: u64, seed: u64, limits: Limits) -> Self {
        Self {
            id,
            generation,
            seed,
            limits,
            phase: Phase::Loading,
            replica: None,
            log: Log { patience: 1, ..Log::default() },
            clients: BTreeMap::new(),
            people: BTreeMap::new(),
            owners: BTreeMap::new(),
            marks: VecDeque::new(),
            roster: Roster::default(),
            clears: Vec::new(),
            held: VecDeque::new(),
            outputs: VecDeque::new(),
            idle_since: Some(now),
            stats: Stats::default(),
        }
    }

    /// Which document.
    pub fn id(&self) -> &DocId {
        &self.id
    }

    /// Where it stands in its life.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Connected clients.
    pub fn clients(&self) -> usize {
        self.clients.len()
    }

    /// What was counted.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// The place in the document's log where everybody is who has received everything; `None` while something is under way.
    pub fn settled(&self) -> Option<DocSeq> {
        (self.replica.is_some() && self.log.durable == self.log.seq).then_some(self.log.seq)
    }

    /// The state that everybody has who has received everything; `None` while something is under way.
    pub fn pulse(&self) -> Option<Pulse> {
        let seq = self.settled()?;
        let replica = self.replica.as_ref()?;
        Some(Pulse { seq, hash: crate::hash::of(&replica.index) })
    }

    /// Something happens.
    pub fn handle(&mut self, now: Ms, input: Input) {
        if self.phase == Phase::Unloaded {
            return self.handle_unloaded(input);
        }
        match input {
            Input::Loaded(stored) => self.loaded(now, stored),
            Input::LoadFailed => self.fail("the document cannot be read at the moment"),
            Input::Attach { client, person, rights, epoch, style } => {
                self.attach(now, client, person, (rights, epoch), style);
            }
            Input::Detach(client) => self.detach(now, client),
            Input::Message { client, epoch, frame } => self.message(now, client, epoch, frame),
            Input::Rights { person, rights, epoch } => self.rights(now, person, rights, epoch),
            Input::Clear { request } => self.clear(request),
            Input::Durable(seq) => self.durable(seq),
            Input::StoreFailed => self.fail("the document cannot be stored at the moment"),
            Input::Timeout => {}
            Input::Close(reason) => self.close_all(now, Code::Unavailable, reason),
        }
        self.tell_awareness(now);
        self.unload_if_idle(now);
    }

    /// What it wants done, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When it wants [`Input::Timeout`], and why.
    pub fn poll_timeout(&self) -> Option<(Ms, &'static str)> {
        let awareness = self.clients.values().filter_map(|client| client.awareness_due).min();
        let idle = self.idle_since.filter(|_| self.phase == Phase::Loaded);
        let idle = idle.map(|since| (since.plus(self.limits.linger_ms), "nobody is there"));
        [awareness.map(|due| (due, "awareness is due")), idle].into_iter().flatten().min()
    }

    fn handle_unloaded(&mut self, input: Input) {
        match input {
            Input::Attach { client, .. } => self.outputs.push_back(Output::Close {
                client,
                code: Code::Unavailable,
                reason: "the document was just unloaded: connect again",
            }),
            Input::Rights { person, epoch, .. } => self.outputs.push_back(Output::Fenced { person, epoch }),
            Input::Clear { request } => self.outputs.push_back(Output::Cleared { request, before: None }),
            _ => {}
        }
    }
}

/// Loading and unloading.
impl Hub {
    fn loaded(&mut self, now: Ms, stored: Stored) {
        if self.phase != Phase::Loading {
            return;
        }
        let Some(loaded) = load::load(self.seed, stored, &mut self.stats) else {
            tracing::error!(generation = self.generation, "a stored document cannot be read");
            return self.fail("the document cannot be read at the moment");
        };
        self.log = Log {
            seq: loaded.seq,
            durable: loaded.seq,
            base: loaded.base,
            tail_bytes: loaded.tail.iter().map(|update| update.len()).sum(),
            tail: loaded.tail,
            patience: 1,
        };
        self.owners = loaded.owners;
        self.replica = Some(loaded.replica);
        self.phase = Phase::Loaded;
        for request in std::mem::take(&mut self.clears) {
            self.clear(request);
        }
        let waiting: Vec<_> = self.clients.keys().copied().collect();
        for client in waiting {
            self.greet(now, client);
            let early = self.clients.get_mut(&client).map(|client| std::mem::take(&mut client.early));
            for (epoch, frame) in early.unwrap_or_default() {
                self.message(now, client, epoch, frame);
            }
        }
    }

    /// The end: everybody is sent away, nothing that was not acknowledged is promised, and what is stored stays as it is.
    fn fail(&mut self, reason: &'static str) {
        let held = std::mem::take(&mut self.held);
        let answers = held.into_iter().filter_map(|(_, output)| match output {
            fenced @ Output::Fenced { .. } => Some(fenced),
            Output::Cleared { request, .. } => Some(Output::Cleared { request, before: None }),
            closed @ Output::Close { .. } => Some(closed),
            Output::Reset { client, .. } => Some(Output::Close { client, code: Code::Unavailable, reason }),
            _ => None,
        });
        self.outputs.extend(answers);
        for client in std::mem::take(&mut self.clients).into_keys() {
            self.outputs.push_back(Output::Close { client, code: Code::Unavailable, reason });
        }
        self.unload();
    }

    fn unload(&mut self) {
        self.phase = Phase::Unloaded;
        self.replica = None;
        self.idle_since = None;
        self.log.tail.clear();
        let clears = std::mem::take(&mut self.clears).into_iter();
        self.outputs.extend(clears.map(|request| Output::Cleared { request, before: None }));
        self.outputs.push_back(Output::Unloaded { generation: self.generation });
    }

    fn unload_if_idle(&mut self, now: Ms) {
        let is_idle = self.idle_since.is_some_and(|since| now.since(since) >= self.limits.linger_ms);
        if self.phase == Phase::Loaded && self.clients.is_empty() && is_idle {
            self.phase = Phase::Draining;
        }
        if self.phase == Phase::Draining && self.log.durable == self.log.seq {
            self.unload();
        }
    }

    fn close_all(&mut self, now: Ms, code: Code, reason: &'static str) {
        let clients: Vec<_> = self.clients.keys().copied().collect();
        for client in clients {
            self.close(now, client, code, reason);
        }
        match self.phase {
            Phase::Loading => self.unload(),
            _ => self.phase = Phase::Draining,
        }
    }
}

/// Clients.
impl Hub {
    fn attach(&mut self, now: Ms, client: ClientKey, person: Arc<str>, grant: (Rights, u64), style: Style) {
        let known = self.people.entry(person.clone()).or_insert(grant);
        if known.1 < grant.1 {
            *known = grant;
        }
        let (may_view, known_write) = (known.0.view, known.0.write);
        if !may_view || self.clients.len() >= self.limits.clients || self.clients.contains_key(&client) {
            self.forget_person(&person);
            let (code, reason) = match may_view {
                false => (Code::Refused, "you may not see this document"),
                true => (Code::Unavailable, "too many people have this document open"),
            };
            return self.outputs.push_back(Output::Close { client, code, reason });
        }
        let tolerated = style == Style::Stock && self.marks.contains(&person);
        let limits = &self.limits;
        let new = Client {
            person,
            style,
            synced: false,
            tolerated,
            muted: false,
            could_write: known_write != Write::Nothing,
            early: Vec::new(),
            updates: Bucket::full(now.0, limits.updates_per_s * 4),
            bytes: Bucket::full(now.0, limits.update_bytes as u64 + limits.update_bytes_per_s),
            syncs: Bucket::full(now.0, limits.syncs_per_s * 10),
            awareness_due: None,
            awareness_told: None,
        };
        self.clients.insert(client, new);
        self.idle_since = None;
        if self.phase == Phase::Draining {
            self.phase = Phase::Loaded;
        }
        if self.phase == Phase::Loaded {
            self.greet(now, client);
        }
    }

    /// What a newcomer hears: what the server has, so that it sends the rest, and who is there.
    fn greet(&mut self, now: Ms, client: ClientKey) {
        let Some(state) = self.replica.as_ref().map(Replica::state_vector) else { return };
        let Ok(state) = state else { return self.fail("the document cannot be read at the moment") };
        self.say(Output::Send {
            to: vec![client],
            frame: Message::Step1(&state).write(),
            seq: None,
            lane: Lane::Ordered,
        });
        if let Some(all) = self.roster.all(now) {
            self.say_latest(vec![client], &all);
        }
    }

    fn detach(&mut self, now: Ms, client: ClientKey) {
        let Some(gone) = self.clients.remove(&client) else { return };
        self.forget_person(&gone.person);
        if let Some(told) = self.roster.leave(client) {
            self.say_latest(self.clients.keys().copied().collect(), &told);
        }
        if self.clients.is_empty() {
            self.idle_since = Some(now);
        }
    }

    fn forget_person(&mut self, person: &Arc<str>) {
        if self.clients.values().all(|client| client.person != *person) {
            self.people.remove(person);
        }
    }

    fn close(&mut self, now: Ms, client: ClientKey, code: Code, reason: &'static str) {
        self.say(Output::Close { client, code, reason });
        self.detach(now, client);
    }

    fn rights(&mut self, now: Ms, person: Arc<str>, rights: Rights, epoch: u64) {
        if let Some(known) = self.people.get_mut(&person).filter(|known| known.1 <= epoch) {
            let gains = rights.write > known.0.write;
            *known = (rights, epoch);
            if rights.write != Write::Nothing {
                let theirs = self.clients.values_mut().filter(|client| client.person == person);
                theirs.for_each(|client| client.could_write = true);
            }
            if gains {
                self.marks.retain(|marked| *marked != person);
            }
            let theirs = self.clients.iter().filter(|(_, client)| client.person == person);
            let theirs: Vec<_> = theirs.map(|(key, client)| (*key, client.muted)).collect();
            for (client, muted) in theirs {
                if !rights.view {
                    self.close(now, client, Code::Refused, "you may not see this document any more");
                } else if gains && muted {
                    self.close(now, client, Code::Again, "you may change this document again: connect again");
                }
            }
        }
        self.say(Output::Fenced { person, epoch });
    }
}

/// Messages.
impl Hub {
    fn message(&mut self, now: Ms, key: ClientKey, epoch: Option<u64>, frame: Vec<u8>) {
        let Some(client) = self.clients.get_mut(&key) else { return };
        if self.phase == Phase::Loading {
            let waiting: usize = client.early.iter().map(|(_, frame)| frame.len()).sum();
            if client.early.len() >= EARLY_FRAMES || waiting + frame.len() > self.limits.update_bytes {
                return self.too_fast(now, key);
            }
            return client.early.push((epoch, frame));
        }
        let message = match Message::read(&frame) {
            Ok(message) => message,
            Err(malformed) => return self.malformed(now, key, malformed),
        };
        match message {
            Message::Step1(state) => self.sync(now, key, state),
            Message::Step2(update) | Message::Update(update) => self.update(now, key, epoch, update),
            Message::Awareness(states) => self.awareness(now, key, states),
            Message::AwarenessQuery => {
                if !self.may_ask(now, key) {
                    return self.too_fast(now, key);
                }
                if let Some(all) = self.roster.all(now) {
                    self.say_latest(vec![key], &all);
                }
            }
            Message::Auth => {}
        }
    }

    fn sync(&mut self, now: Ms, key: ClientKey, state: &[u8]) {
        if !self.may_ask(now, key) {
            return self.too_fast(now, key);
        }
        let state = match read_state_vector(state) {
            Ok(state) => state,
            Err(malformed) => return self.malformed(now, key, malformed),
        };
        let Some(diff) = self.replica.as_ref().map(|replica| replica.diff(&state)) else { return };
        let Ok(diff) = diff else { return self.recover(now, key) };
        if let Some(client) = self.clients.get_mut(&key) {
            client.synced = true;
        }
        let frame = Message::Step2(&diff).write();
        self.say(Output::Send { to: vec![key], frame, seq: Some(self.log.seq), lane: Lane::Ordered });
    }

    fn awareness(&mut self, now: Ms, key: ClientKey, states: &[u8]) {
        let Some(client) = self.clients.get_mut(&key) else { return };
        if states.len() > self.limits.awareness_bytes * 8 {
            return;
        }
        match self.roster.hear(now, key, &client.person, states, &self.limits) {
            Ok(true) => {
                let earliest = client.awareness_told.map_or(now, |told| told.plus(self.limits.awareness_ms));
                client.awareness_due.get_or_insert(earliest);
            }
            Ok(false) => {}
            Err(malformed) => self.malformed(now, key, malformed),
        }
    }

    /// Passes on what is due: of each client the latest, so often and not more often.
    fn tell_awareness(&mut self, now: Ms) {
        let due = self.clients.iter().filter(|(_, client)| client.awareness_due.is_some_and(|due| due <= now));
        let due: Vec<_> = due.map(|(key, _)| *key).collect();
        for key in due {
            if let Some(client) = self.clients.get_mut(&key) {
                (client.awareness_due, client.awareness_told) = (None, Some(now));
            }
            if let Some(told) = self.roster.untold(key) {
                // A stock provider takes its own awareness for a sign of life, and connects again if it hears nothing.
                let to = self.clients.iter().filter(|(other, client)| **other != key || client.style == Style::Stock);
                self.say_latest(to.map(|(other, _)| *other).collect(), &told);
            }
        }
    }

    fn may_ask(&mut self, now: Ms, key: ClientKey) -> bool {
        let rate = self.limits.syncs_per_s;
        self.clients.get_mut(&key).is_none_or(|client| client.syncs.take(now.0, 1, rate, rate * 10))
    }

    fn too_fast(&mut self, now: Ms, key: ClientKey) {
        self.stats.too_fast += 1;
        self.close(now, key, Code::TooFast, "too fast: connect again, nothing is lost");
    }

    fn malformed(&mut self, now: Ms, key: ClientKey, malformed: Malformed) {
        tracing::debug!(client = key.0, %malformed, "a client of a document sent something else than messages");
        self.close(now, key, Code::Malformed, "this is no message of y-protocols");
    }
}

/// Updates.
impl Hub {
    fn update(&mut self, now: Ms, key: ClientKey, epoch: Option<u64>, update: &[u8]) {
        let limits = self.limits;
        let Some(client) = self.clients.get_mut(&key) else { return };
        if client.muted {
            self.stats.ignored += 1;
            return;
        }
        let burst = limits.update_bytes as u64 + limits.update_bytes_per_s;
        let in_time = client.updates.take(now.0, 1, limits.updates_per_s, limits.updates_per_s * 4)
            && client.bytes.take(now.0, update.len().min(limits.update_bytes) as u64, limits.update_bytes_per_s, burst);
        if !in_time {
            return self.too_fast(now, key);
        }
        if self.log.seq - self.log.durable >= limits.waiting_updates as u64 {
            let reason = "the disk does not keep up: connect again in a moment, nothing is lost";
            return self.close(now, key, Code::Unavailable, reason);
        }
        let (person, could_write) = (client.person.clone(), client.could_write);
        match self.accept(&person, epoch, update) {
            Ok(None) => self.acknowledge(key),
            Ok(Some(accepted)) => {
                self.append(Some(person), accepted, Some(key));
                self.acknowledge(key);
                self.compact_if_due();
            }
            Err(Refusal::Forbidden) if could_write && epoch.is_none() => self.refuse(now, key, Refusal::StaleGrant),
            Err(refusal) => self.refuse(now, key, refusal),
        }
    }

    /// Judges an update by what is in force now, as a whole, and applies it. Gives what is new, or nothing if nothing is.
    fn accept(&mut self, person: &Arc<str>, epoch: Option<u64>, update: &[u8]) -> Result<Option<Vec<u8>>, Refusal> {
        let limits = self.limits;
        if update.len() > limits.update_bytes {
            return Err(Refusal::TooLarge);
        }
        let (rights, in_force) = self.people.get(person).copied().unwrap_or_default();
        let replica = self.replica.as_mut().ok_or(Refusal::Missing)?;
        let fit = {
            let bounds = ScanLimits { structs: limits.update_structs, values: limits.update_structs * 16 };
            let scan = scan(update, bounds).map_err(|_| Refusal::Malformed)?;
            let bounds = IndexLimits { clients: limits.document_clients, structs: limits.document_structs };
            replica.index.fit(&scan, bounds).map_err(refusal_of)?
        };
        if fit.is_empty() {
            return Ok(None);
        }
        let board = self.id.is_board();
        let touched = match rights.write {
            // Yjs tidies up text formats after changes of others, whether its user may write or not.
            Write::Nothing if fit.only_deletes() && fit.only_formats => return Ok(None),
            Write::Nothing if epoch.is_some_and(|seen| seen < in_force) => return Err(Refusal::StaleGrant),
            Write::Nothing => return Err(Refusal::Forbidden),
            Write::Own if board => Some(judge::before(replica, &fit, person)?),
            Write::Own => return Err(Refusal::Forbidden),
            Write::All => None,
        };
        let owner = |client| self.owners.get(&client).or_else(|| self.roster.person(client));
        if fit.adds().any(|(client, _, _)| owner(client).is_some_and(|owner| owner != person)) {
            return Err(Refusal::NotYours);
        }
        // What only deletes may come a little later than the end.
        let most = limits.document_bytes + if fit.only_deletes() { limits.document_bytes / 10 } else { 0 };
        if self.log.bytes() + update.len() > most {
            return Err(Refusal::Full);
        }
        let adds: Vec<u64> = fit.adds().map(|(client, _, _)| client).collect();
        let new = match replica.apply(update, fit) {
            Ok(new) => new,
            Err(Broken::Unfit(unfit)) => return Err(refusal_of(unfit)),
            Err(Broken::Failed) => return self.rebuild().and(Err(Refusal::Malformed)),
        };
        let is_theirs = touched.is_none_or(|touched| judge::after(replica, &touched, person));
        if !is_theirs {
            return self.rebuild().and(Err(Refusal::NotYours));
        }
        for client in adds {
            self.owners.entry(client).or_insert_with(|| person.clone());
        }
        Ok(Some(new))
    }

    /// Gives an accepted update its place; everybody hears of it once it is on the disk.
    fn append(&mut self, person: Option<Arc<str>>, update: Vec<u8>, from: Option<ClientKey>) {
        self.stats.updates += 1;
        let frame = Message::Update(&update).write();
        let bytes: Arc<[u8]> = update.into();
        let seq = self.log.push(bytes.clone());
        self.outputs.push_back(Output::Append(StoredUpdate { seq, person, bytes }));
        let others = self.clients.iter().filter(|(key, client)| client.synced && Some(**key) != from);
        let to: Vec<_> = others.map(|(key, _)| *key).collect();
        if !to.is_empty() {
            self.say(Output::Send { to, frame, seq: Some(seq), lane: Lane::Ordered });
        }
    }

    fn acknowledge(&mut self, client: ClientKey) {
        if self.clients.get(&client).is_some_and(|client| client.style == Style::Ours) {
            self.say(Output::Ack { client, seq: self.log.seq });
        }
    }

    fn refuse(&mut self, now: Ms, key: ClientKey, refusal: Refusal) {
        self.stats.refused += 1;
        let snapshot = self.replica.as_ref().map(Replica::encode);
        let Some(client) = self.clients.get_mut(&key) else { return };
        match client.style {
            Style::Ours => match snapshot {
                Some(Ok(snapshot)) => {
                    let seq = self.log.seq;
                    self.say(Output::Reset { client: key, refusal, snapshot: snapshot.into(), seq });
                    self.detach(now, key);
                }
                _ => self.recover(now, key),
            },
            Style::Stock => {
                let read_only = client.tolerated;
                client.muted = read_only;
                let frame = denied(refusal.text());
                self.say(Output::Send { to: vec![key], frame, seq: None, lane: Lane::Ordered });
                if !read_only {
                    self.mark(key);
                    self.close(now, key, Code::Refused, refusal.text());
                }
            }
        }
    }

    fn mark(&mut self, key: ClientKey) {
        let Some(person) = self.clients.get(&key).map(|client| client.person.clone()) else { return };
        self.marks.retain(|marked| *marked != person);
        self.marks.push_back(person);
        if self.marks.len() > MOST_MARKS {
            self.marks.pop_front();
        }
    }

    fn clear(&mut self, request: u64) {
        if self.phase == Phase::Loading && self.clears.len() < EARLY_CLEARS {
            return self.clears.push(request);
        }
        let before = self.log.seq;
        let cleared = match self.replica.as_mut() {
            Some(replica) if self.id.is_board() => replica.clear(judge::ELEMENTS),
            _ => return self.outputs.push_back(Output::Cleared { request, before: None }),
        };
        match cleared {
            Ok(update) => {
                if let Some(update) = update {
                    self.append(None, update, None);
                    self.compact_if_due();
                }
                self.say(Output::Cleared { request, before: Some(before) });
            }
            Err(_) => {
                // An error leaves the hub unloaded.
                let _ = self.rebuild();
                self.say(Output::Cleared { request, before: None });
            }
        }
    }

    /// `yrs` failed while reading: the document is built again, and the client connects again.
    fn recover(&mut self, now: Ms, key: ClientKey) {
        if self.rebuild().is_ok() {
            self.close(now, key, Code::Unavailable, "this could not be answered: connect again");
        }
    }

    /// Builds the document again from its bytes, without what broke it.
    fn rebuild(&mut self) -> Result<(), Refusal> {
        self.stats.rebuilt += 1;
        let base = self.log.base.iter().map(|base| &*base.bytes);
        let updates = base.chain(self.log.tail.iter().map(|update| &**update));
        match Replica::build(self.seed, updates) {
            Ok(replica) => {
                self.replica = Some(replica);
                Ok(())
            }
            Err(_) => {
                tracing::error!(generation = self.generation, "a document could not be built again; this is a bug");
                self.fail("the document cannot be read at the moment");
                Err(Refusal::Missing)
            }
        }
    }

    /// Writes the document as a whole once the updates since the last time are many, if it reads back as what it is.
    fn compact_if_due(&mut self) {
        let is_due = self.log.tail.len() >= self.limits.compact_updates * self.log.patience
            || self.log.tail_bytes >= self.limits.compact_bytes * self.log.patience;
        let Some(replica) = self.replica.as_ref().filter(|_| is_due) else { return };
        let read_back = replica.encode().and_then(|bytes| Ok((Replica::build(self.seed, [&*bytes])?, bytes)));
        match read_back {
            Ok((fresh, bytes)) if crate::hash::of(&fresh.index) == crate::hash::of(&replica.index) => {
                let snapshot = Snapshot { seq: self.log.seq, bytes: bytes.into() };
                self.stats.compactions += 1;
                self.replica = Some(fresh);
                self.log.compacted(snapshot.clone());
                self.outputs.push_back(Output::Compact(snapshot));
            }
            _ => {
                tracing::error!(generation = self.generation, "a document does not read back as it is; this is a bug");
                self.stats.bad_snapshots += 1;
                self.log.patience = self.log.patience.saturating_mul(2);
            }
        }
    }
}

/// What goes out.
impl Hub {
    fn durable(&mut self, seq: DocSeq) {
        debug_assert!(seq <= self.log.seq, "nothing is durable that was not appended");
        self.log.durable = self.log.durable.max(seq.min(self.log.seq));
        let released = self.held.partition_point(|(after, _)| *after <= self.log.durable);
        self.outputs.extend(self.held.drain(..released).map(|(_, output)| output));
    }

    /// Says something behind everything that was said before, once all that it may tell of is on the disk.
    fn say(&mut self, output: Output) {
        if self.phase == Phase::Unloaded || (self.held.is_empty() && self.log.seq == self.log.durable) {
            self.outputs.push_back(output);
        } else {
            self.held.push_back((self.log.seq, output));
        }
    }

    /// Awareness waits for nothing: it is not stored.
    fn say_latest(&mut self, to: Vec<ClientKey>, states: &[u8]) {
        if !to.is_empty() {
            let frame = Message::Awareness(states).write();
            self.outputs.push_back(Output::Send { to, frame, seq: None, lane: Lane::Latest });
        }
    }
}

impl Log {
    fn push(&mut self, update: Arc<[u8]>) -> DocSeq {
        self.tail_bytes += update.len();
        self.tail.push(update);
        self.seq += 1;
        self.seq
    }

    fn bytes(&self) -> usize {
        self.base.as_ref().map_or(0, |base| base.bytes.len()) + self.tail_bytes
    }

    fn compacted(&mut self, snapshot: Snapshot) {
        self.base = Some(snapshot);
        self.tail.clear();
        self.tail_bytes = 0;
        self.patience = 1;
    }
}

fn refusal_of(unfit: Unfit) -> Refusal {
    match unfit {
        Unfit::Missing => Refusal::Missing,
        Unfit::Malformed(_) => Refusal::Malformed,
        Unfit::Full => Refusal::Full,
    }
}
