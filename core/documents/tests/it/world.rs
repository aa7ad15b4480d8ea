//! A document's hub with its disk and its people. Everything that a client is told really is applied to a document of its own.

#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected should stop there")]

use lyceum_documents::*;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use yrs::updates::decoder::Decode;
use yrs::updates::encoder::Encode;
use yrs::{Any, ClientID, Doc, GetString, Map, Options, ReadTxn, StateVector, Text, Transact, TransactionMut, Update};

pub const ALL: Rights = Rights { view: true, write: Write::All };
pub const OWN: Rights = Rights { view: true, write: Write::Own };
pub const VIEW: Rights = Rights { view: true, write: Write::Nothing };
pub const NONE: Rights = Rights { view: false, write: Write::Nothing };

/// The disk: what is written stays, also when the server is killed.
#[derive(Clone, Default, Debug)]
pub struct Disk {
    pub snapshots: Vec<Snapshot>,
    pub updates: Vec<StoredUpdate>,
}

impl Disk {
    pub fn head(&self) -> DocSeq {
        let snapshot = self.snapshots.first().map_or(0, |snapshot| snapshot.seq);
        self.updates.last().map_or(snapshot, |update| update.seq.max(snapshot))
    }

    pub fn stored(&self) -> Stored {
        Stored { snapshots: self.snapshots.clone(), updates: self.updates.clone() }
    }

    fn write(&mut self, work: Output) -> DocSeq {
        match work {
            Output::Append(update) => {
                assert_eq!(update.seq, self.head() + 1, "the log has no gap");
                self.updates.push(update);
            }
            Output::Compact(snapshot) => {
                assert_eq!(snapshot.seq, self.head());
                self.snapshots.insert(0, snapshot);
                self.snapshots.truncate(2);
                let kept = self.snapshots.get(1).map_or(0, |snapshot| snapshot.seq);
                self.updates.retain(|update| update.seq > kept);
            }
            _ => unreachable!(),
        }
        self.head()
    }
}

/// One connection, and the document behind it.
pub struct Person {
    pub name: Arc<str>,
    pub style: Style,
    pub doc: Doc,
    unsent: Vec<Vec<u8>>,
    pub key: Option<ClientKey>,
    pub epoch: Option<u64>,
    pub heard: Vec<Output>,
    pub closed: Option<Code>,
    pub acked: Vec<DocSeq>,
    pub seq: DocSeq,
    pub scraps: usize,
}

impl Person {
    fn new(name: &str, style: Style, yjs_client: u64) -> Self {
        Self {
            name: name.into(),
            style,
            doc: document(yjs_client),
            unsent: vec![],
            key: None,
            epoch: None,
            heard: vec![],
            closed: None,
            acked: vec![],
            seq: 0,
            scraps: 0,
        }
    }

    pub fn draws(&mut self, id: &str, author: &str) {
        self.draws_version(id, author, 1.0);
    }

    pub fn draws_version(&mut self, id: &str, author: &str, version: f64) {
        let elements = self.doc.get_or_insert_map("elements");
        let element = [("author".to_owned(), Any::from(author)), ("version".to_owned(), Any::from(version))];
        self.edits(|txn| {
            elements.insert(txn, id, Any::Map(Arc::new(element.into())));
        });
    }

    pub fn deletes(&mut self, id: &str) {
        let elements = self.doc.get_or_insert_map("elements");
        self.edits(|txn| drop(elements.remove(txn, id)));
    }

    pub fn types(&mut self, at: u32, text: &str) {
        let notes = self.doc.get_or_insert_text("notes");
        self.edits(|txn| notes.insert(txn, at.min(notes.len(txn)), text));
    }

    pub fn erases(&mut self, at: u32, len: u32) {
        let notes = self.doc.get_or_insert_text("notes");
        self.edits(|txn| {
            let all = notes.len(txn);
            let at = at.min(all);
            notes.remove_range(txn, at, len.min(all - at));
        });
    }

    fn edits(&mut self, edit: impl FnOnce(&mut TransactionMut<'_>)) {
        let mut txn = self.doc.transact_mut();
        edit(&mut txn);
        txn.commit();
        self.unsent.push(txn.encode_update_v1());
    }

    pub fn sees(&self, id: &str) -> bool {
        self.doc.get_or_insert_map("elements").contains_key(&self.doc.transact(), id)
    }

    /// Everything visible, in one text.
    pub fn page(&self) -> String {
        let (elements, notes) = (self.doc.get_or_insert_map("elements"), self.doc.get_or_insert_text("notes"));
        let txn = self.doc.transact();
        let elements: BTreeMap<String, String> =
            elements.iter(&txn).map(|(key, value)| (key.to_owned(), value.to_string(&txn))).collect();
        // A map's own order is nobody's.
        let elements: BTreeMap<_, Vec<char>> = elements
            .into_iter()
            .map(|(key, value)| {
                let mut value: Vec<char> = value.chars().collect();
                value.sort_unstable();
                (key, value)
            })
            .collect();
        format!("{elements:?} {:?}", notes.get_string(&txn))
    }

    /// The hash of the pulse, as a client works it out.
    pub fn hash(&self) -> u32 {
        let snapshot = self.doc.transact().snapshot();
        let mut text = String::new();
        let clocks: BTreeMap<u64, u32> = snapshot.state_map.iter().map(|(id, clock)| (id.get(), *clock)).collect();
        clocks.iter().for_each(|(id, clock)| text.push_str(&format!("{id}={clock};")));
        let mut deleted: Vec<(u64, u32, u32)> = Vec::new();
        for (id, ranges) in snapshot.delete_set.iter() {
            deleted.extend(ranges.iter().map(|range| (id.get(), range.start, range.end)));
        }
        deleted.sort_unstable();
        let mut merged: Vec<(u64, u32, u32)> = Vec::new();
        for (id, from, to) in deleted {
            match merged.last_mut() {
                Some(last) if last.0 == id && last.2 >= from => last.2 = last.2.max(to),
                _ => merged.push((id, from, to)),
            }
        }
        merged.iter().for_each(|(id, from, to)| text.push_str(&format!("{id}:{from}-{to};")));
        text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
    }

    fn apply(&self, update: &[u8]) {
        self.doc.transact_mut().apply_update(Update::decode_v1(update).unwrap()).unwrap();
    }
}

fn document(yjs_client: u64) -> Doc {
    let mut options = Options::with_guid_and_client_id("".into(), ClientID::new(yjs_client));
    options.offset_kind = yrs::OffsetKind::Utf16;
    Doc::with_options(options)
}

/// Yjs makes these by chance, from so many that no two meet.
static NEXT_YJS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1_000);

pub struct World {
    pub now: Ms,
    pub id: DocId,
    pub limits: Limits,
    pub hub: Hub,
    pub disk: Disk,
    /// Handed to the store and not on the disk yet.
    pub writing: VecDeque<Output>,
    pub people: Vec<Person>,
    pub rights: BTreeMap<Arc<str>, (Rights, u64)>,
    pub unloaded: bool,
    pub fenced: Vec<(Arc<str>, u64)>,
    pub cleared: Vec<Option<DocSeq>>,
    next_key: u64,
    next_yjs: u64,
}

impl World {
    pub fn of(id: &str, limits: Limits) -> Self {
        let id: DocId = id.parse().unwrap();
        let now = Ms(1_000);
        let mut world = Self {
            now,
            hub: Hub::new(now, id.clone(), 1, 1, limits),
            id,
            limits,
            disk: Disk::default(),
            writing: VecDeque::new(),
            people: Vec::new(),
            rights: BTreeMap::new(),
            unloaded: false,
            fenced: Vec::new(),
            cleared: Vec::new(),
            next_key: 0,
            next_yjs: NEXT_YJS.fetch_add(1_000, std::sync::atomic::Ordering::Relaxed),
        };
        world.loads();
        world
    }

    pub fn board() -> Self {
        Self::of("board:main:blank:1", Limits::default())
    }

    pub fn loads(&mut self) {
        self.handle(Input::Loaded(self.disk.stored()));
    }

    /// Somebody comes with a new, empty document.
    pub fn comes(&mut self, name: &str, rights: Rights, style: Style) -> usize {
        self.next_yjs += 1;
        self.people.push(Person::new(name, style, self.next_yjs));
        let known = self.rights.entry(name.into()).or_insert((rights, 1));
        if known.0 != rights {
            *known = (rights, known.1 + 1);
        }
        let person = self.people.len() - 1;
        self.connects(person);
        person
    }

    /// Somebody's provider connects and asks for the state.
    pub fn connects(&mut self, person: usize) {
        self.attaches(person);
        self.asks(person);
        // Of what it had to say when it connected.
        self.people[person].acked.clear();
    }

    pub fn attaches(&mut self, person: usize) {
        self.next_key += 1;
        let client = ClientKey(self.next_key);
        let who = &mut self.people[person];
        who.unsent.clear();
        (who.key, who.closed) = (Some(client), None);
        let (name, style) = (who.name.clone(), who.style);
        let (rights, epoch) = self.rights[&name];
        self.handle(Input::Attach { client, person: name, rights, epoch, style });
    }

    pub fn asks(&mut self, person: usize) {
        let state = self.people[person].doc.transact().state_vector().encode_v1();
        self.sends(person, Message::Step1(&state));
    }

    /// Sends what was drawn or typed since the last time.
    pub fn flushes(&mut self, person: usize) {
        let updates = std::mem::take(&mut self.people[person].unsent);
        if self.people[person].key.is_none() {
            return;
        }
        for update in updates {
            self.sends(person, Message::Update(&update));
        }
    }

    pub fn sends(&mut self, person: usize, message: Message<'_>) {
        let Some(client) = self.people[person].key else { return };
        let epoch = self.people[person].epoch;
        self.handle(Input::Message { client, epoch, frame: message.write().to_vec() });
    }

    pub fn leaves(&mut self, person: usize) {
        if let Some(client) = self.people[person].key.take() {
            self.handle(Input::Detach(client));
        }
    }

    pub fn may(&mut self, name: &str, rights: Rights) {
        let grant = self.rights.get_mut(name).unwrap();
        *grant = (rights, grant.1 + 1);
        let epoch = grant.1;
        self.handle(Input::Rights { person: name.into(), rights, epoch });
    }

    /// Lets time pass.
    pub fn waits(&mut self, ms: u64) {
        let until = self.now.plus(ms);
        while let Some((at, _)) = self.hub.poll_timeout().filter(|(at, _)| *at <= until) {
            self.now = at.max(self.now);
            self.handle(Input::Timeout);
        }
        self.now = until;
        self.handle(Input::Timeout);
    }

    /// The disk writes so much of what waits.
    pub fn writes(&mut self, most: usize) {
        for _ in 0..most {
            let Some(work) = self.writing.pop_front() else { return };
            let head = self.disk.write(work);
            self.handle(Input::Durable(head));
        }
    }

    pub fn settles(&mut self) {
        for _ in 0..1_000 {
            self.writes(usize::MAX);
            self.waits(100);
            if self.writing.is_empty() {
                return;
            }
        }
        panic!("it never settles");
    }

    /// `kill -9`: what is not on the disk is gone, every connection too, and the server starts again.
    pub fn is_killed(&mut self) {
        self.writing.clear();
        for person in &mut self.people {
            person.key = None;
        }
        self.restarts();
    }

    pub fn restarts(&mut self) {
        self.unloaded = false;
        self.hub = Hub::new(self.now, self.id.clone(), 2, 1, self.limits);
        self.loads();
    }

    pub fn handle(&mut self, input: Input) {
        self.hub.handle(self.now, input);
        self.performs();
    }

    fn performs(&mut self) {
        let mut answers = Vec::new();
        while let Some(output) = self.hub.poll_output() {
            match output {
                Output::Append(_) | Output::Compact(_) => self.writing.push_back(output),
                Output::Send { ref to, ref frame, seq, .. } => {
                    assert!(seq.is_none_or(|seq| seq <= self.disk.head()), "told before it is on the disk");
                    for client in to {
                        let Some(at) = self.people.iter().position(|person| person.key == Some(*client)) else {
                            continue;
                        };
                        let person = &mut self.people[at];
                        person.heard.push(output.clone());
                        match Message::read(frame) {
                            Ok(Message::Step1(state)) => {
                                let has = StateVector::decode_v1(state).unwrap();
                                answers.push((at, person.doc.transact().encode_diff_v1(&has)));
                            }
                            Ok(Message::Step2(update) | Message::Update(update)) => {
                                person.apply(update);
                                person.seq = person.seq.max(seq.unwrap());
                            }
                            _ => {}
                        }
                    }
                }
                Output::Ack { client, seq } => {
                    assert!(seq <= self.disk.head(), "acknowledged before it is on the disk");
                    if let Some(person) = self.people.iter_mut().find(|person| person.key == Some(client)) {
                        person.acked.push(seq);
                    }
                }
                Output::Reset { client, ref snapshot, seq, .. } => {
                    assert!(seq <= self.disk.head(), "told before it is on the disk");
                    self.next_yjs += 1;
                    if let Some(person) = self.people.iter_mut().find(|person| person.key == Some(client)) {
                        let before = person.page();
                        person.doc = document(self.next_yjs);
                        person.unsent.clear();
                        person.apply(snapshot);
                        person.scraps += usize::from(before != person.page());
                        person.key = None;
                        person.heard.push(output.clone());
                    }
                }
                Output::Close { client, code, .. } => {
                    if let Some(person) = self.people.iter_mut().find(|person| person.key == Some(client)) {
                        (person.key, person.closed) = (None, Some(code));
                    }
                }
                Output::Fenced { person, epoch } => self.fenced.push((person, epoch)),
                Output::Cleared { before, .. } => self.cleared.push(before),
                Output::Unloaded { .. } => self.unloaded = true,
            }
        }
        for (person, update) in answers {
            self.sends(person, Message::Step2(&update));
        }
    }
}
