//! The class as its state sockets are shown it: events with the entities that they changed, each as its viewer may see it. What one
//! viewer may see of an event is written once, however many see the same.

use crate::api::ClientId;
use crate::log::Effect;
use crate::node::Node;
use lyceum_session as session;
use serde::Serialize;
use serde_json::Value;
use session::class::{Collection, Entity, Id, Key, Signal, Snapshot, Viewer};
use session::{Event, Seq, State, UnixMs};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::sync::Arc;

/// Events remembered for those who come back.
const EVENTS_KEPT: usize = 1_024;
/// Their bytes, roughly.
const BYTES_KEPT: usize = 512 * 1024;

/// Between two pulses of somebody come those of all others, in so many turns.
pub(crate) const PULSE_TURNS: u64 = 20;

/// What an event changed for one viewer.
pub(crate) type Changes = Vec<(Key, Option<Entity>)>;

/// What there was before an event, for those who look.
pub(crate) struct Before {
    touched: BTreeSet<Key>,
    seen: Vec<(ClientId, Vec<Option<Entity>>)>,
}

/// The newest events and what they touched, from `since` on without a gap.
#[derive(Default)]
pub(crate) struct Recent {
    events: VecDeque<(Event, BTreeSet<Key>, usize)>,
    bytes: usize,
}

impl Recent {
    fn remember(&mut self, event: &Event, touched: BTreeSet<Key>) {
        let mut fact = Length(0);
        // Only counted: this writer never fails.
        let _ = serde_json::to_writer(&mut fact, &event.fact);
        let bytes = 256 + 64 * touched.len() + fact.0;
        self.bytes += bytes;
        self.events.push_back((event.clone(), touched, bytes));
        while self.events.len() > EVENTS_KEPT || (self.bytes > BYTES_KEPT && self.events.len() > 1) {
            self.bytes -= self.events.pop_front().map_or(0, |(_, _, bytes)| bytes);
        }
    }

    /// What came after this place; `None` if that is not known any more.
    fn after(&self, seq: Seq, head: Seq) -> Option<impl Iterator<Item = (&Event, &BTreeSet<Key>)>> {
        let first = self.events.front().map_or(head.next(), |(event, _, _)| event.seq);
        let known = seq <= head && first <= seq.next();
        let missed = self.events.iter().filter(move |(event, _, _)| event.seq > seq);
        known.then(|| missed.map(|(event, touched, _)| (event, touched)))
    }
}

/// Counts what is written.
struct Length(usize);

impl std::io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[derive(Serialize)]
struct Change<'a> {
    r#in: Collection,
    id: String,
    is: Option<&'a Entity>,
}

#[derive(Serialize)]
struct Shown<'a> {
    t: &'static str,
    event: Seen<'a>,
    changes: Vec<Change<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Seen<'a> {
    Whole(&'a Event),
    Place { seq: Seq, at: UnixMs },
}

impl<'a> Shown<'a> {
    fn new(event: &Event, seen: Option<&'a Event>, changes: &'a Changes) -> Self {
        let seen = seen.map_or(Seen::Place { seq: event.seq, at: event.at }, Seen::Whole);
        let changes =
            changes.iter().map(|(key, is)| Change { r#in: key.collection, id: key.id.to_string(), is: is.as_ref() });
        Self { t: "ev", event: seen, changes: changes.collect() }
    }
}

/// JSON for the wire. Everything that is written this way can be.
pub(crate) fn json(message: &impl Serialize) -> Arc<str> {
    let text = serde_json::to_string(message);
    Arc::from(text.unwrap_or_else(|error| {
        tracing::error!(%error, "bug: a message could not be written");
        "{}".to_owned()
    }))
}

/// A snapshot by collection and id.
pub(crate) fn by_collection(snapshot: &Snapshot) -> BTreeMap<Collection, BTreeMap<String, &Entity>> {
    let mut collections: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for (key, entity) in snapshot {
        collections.entry(key.collection).or_default().insert(key.id.to_string(), entity);
    }
    collections
}

impl Node {
    /// What those who look see of what an event will touch. To be called before it is applied.
    pub(crate) fn before(&self, event: &Event) -> Before {
        let state = &self.log.state;
        let touched = state.touched_by(event);
        let seen = self.devices.iter().map(|device| {
            let entities = touched.iter().map(|key| state.entity(key, &device.viewer));
            (device.id, entities.collect())
        });
        Before { seen: seen.collect(), touched }
    }

    /// Shows an event that was applied to everybody who may see something of it.
    pub(crate) fn show(&mut self, event: &Event, before: Before) {
        let state = &self.log.state;
        let mut written: Option<(Option<Event>, Changes, Arc<str>)> = None;
        let mut groups: Vec<(Vec<ClientId>, Arc<str>)> = Vec::new();
        let mut viewers: Vec<(ClientId, Viewer)> = Vec::new();
        for (id, had) in before.seen {
            let Some(device) = self.devices.get(id) else { continue };
            let other = device.viewer.may_change_with(event).then(|| state.viewer(&device.person));
            let viewer = other.as_ref().unwrap_or(&device.viewer);
            debug_assert_eq!(*viewer, state.viewer(&device.person), "{event:?} changes what somebody may see");
            let mut changes: Changes = Vec::new();
            for (key, had) in before.touched.iter().zip(had) {
                let has = state.entity(key, viewer);
                if has != had {
                    changes.push((key.clone(), has));
                }
            }
            if *viewer != device.viewer {
                changes.extend(comes_into_view(state, &device.viewer, viewer, &before.touched));
                viewers.push((id, viewer.clone()));
            }
            let seen = state.event_for(event, viewer);
            if seen.is_none() && changes.is_empty() {
                continue;
            }
            match &mut written {
                Some((other, same, _)) if *other == seen && *same == changes => {
                    if let Some((to, _)) = groups.last_mut() {
                        to.push(id);
                    }
                }
                _ => {
                    let text = json(&Shown::new(event, seen.as_ref(), &changes));
                    groups.push((vec![id], text.clone()));
                    written = Some((seen, changes, text));
                }
            }
        }
        for (id, viewer) in viewers {
            if let Some(device) = self.devices.get_mut(id) {
                device.viewer = viewer;
            }
        }
        for (to, text) in groups {
            self.log.after(Effect::Say { to, text });
        }
        // Where nobody ever came by the state socket, nobody will ask for what they missed.
        if !(self.devices.is_empty() && self.recent.events.is_empty()) {
            self.recent.remember(event, before.touched);
        }
    }

    /// Passes something on that is kept nowhere.
    pub(crate) fn pass_on(&mut self, signal: &Signal) {
        #[derive(Serialize)]
        struct Said<'a> {
            t: &'static str,
            r#type: &'static str,
            person: &'a session::PersonId,
            space: &'a session::SpaceName,
            kind: &'a str,
        }
        self.reactions.count(signal, self.now);
        let Signal::Reaction { person, space, kind } = signal;
        let key = Key { collection: Collection::Participants, id: Id::Person(person.clone()) };
        let is_there = |device: &&crate::devices::Device| {
            let known = self.log.state.participants.get(&device.person);
            device.connection.is_some() && known.is_some_and(|known| known.space == *space)
        };
        let sees = |device: &&crate::devices::Device| self.log.state.entity(&key, &device.viewer).is_some();
        let to: Vec<ClientId> = self.devices.iter().filter(is_there).filter(sees).map(|device| device.id).collect();
        let text = json(&Said { t: "signal", r#type: "reaction", person, space, kind });
        for client in to {
            self.give(crate::api::Output::Text { client, text: text.clone() });
        }
    }

    /// What somebody missed since `seq`, as messages to be taken one after the other; `None` if they must begin anew. Their view
    /// must not have changed meanwhile.
    pub(crate) fn missed(&self, viewer: &Viewer, seq: Seq) -> Option<Vec<Value>> {
        let state = &self.log.state;
        let mut missed = Vec::new();
        let mut all_touched = BTreeSet::new();
        for (event, touched) in self.recent.after(seq, state.seq)? {
            if viewer.may_change_with(event) {
                return None;
            }
            all_touched.extend(touched.iter().cloned());
            let seen = state.event_for(event, viewer);
            if let Some(seen) = &seen {
                missed.push(serde_json::to_value(Shown::new(event, Some(seen), &Vec::new())).ok()?);
            }
        }
        let last = Event { seq: state.seq, at: state.at, mono_ms: 0, actor: None, cause: None, fact: NOTHING };
        // Entities as they are now: those of the last event are right for all.
        let now = all_touched.into_iter().filter(|key| state.may_know(key, viewer));
        let now: Changes = now.map(|key| (key.clone(), state.entity(&key, viewer))).collect();
        missed.push(serde_json::to_value(Shown::new(&last, None, &now)).ok()?);
        Some(missed)
    }

    /// Tells those whose turn it is how far they should be and what they should have. To work that out takes a while for each, in which
    /// nothing else is done; so they take turns.
    pub(crate) fn pulse(&mut self, turn: u64) {
        #[derive(Serialize)]
        struct Pulse {
            t: &'static str,
            seq: Seq,
            hash: String,
            now: UnixMs,
        }
        let mut hashes = Hashes::default();
        let mut said: Vec<(ClientId, Arc<str>)> = Vec::new();
        for device in self.devices.iter().filter(|device| device.id.0 % PULSE_TURNS == turn) {
            let hash = hashes.of(&self.log.state.snapshot_for(&device.viewer));
            let pulse = Pulse { t: "pulse", seq: self.log.state.seq, hash, now: self.now };
            said.push((device.id, json(&pulse)));
        }
        for (client, text) in said {
            self.log.after(Effect::Say { to: vec![client], text });
        }
    }
}

const NOTHING: session::Fact = session::Fact::SessionRecovered { last_seen: UnixMs(0) };

/// What leaves and comes into view with another standing, beside what an event touched.
fn comes_into_view(state: &State, old: &Viewer, new: &Viewer, touched: &BTreeSet<Key>) -> Changes {
    let mut changes = Changes::new();
    for key in state.keys().difference(touched) {
        let (had, has) = (state.entity(key, old), state.entity(key, new));
        if had != has {
            changes.push((key.clone(), has));
        }
    }
    changes
}

/// The hash of what a viewer sees. Entities that several see alike are written once.
#[derive(Default)]
pub(crate) struct Hashes(BTreeMap<Key, Vec<(Entity, u32)>>);

impl Hashes {
    /// As `docs/protocol.md` describes it.
    pub(crate) fn of(&mut self, snapshot: &Snapshot) -> String {
        let mut sum = 0u32;
        for (key, entity) in snapshot {
            let variants = self.0.entry(key.clone()).or_default();
            let known = variants.iter().find(|(other, _)| other == entity).map(|(_, hash)| *hash);
            let hash = known.unwrap_or_else(|| {
                let hash = hash_of(key, entity);
                variants.push((entity.clone(), hash));
                hash
            });
            sum = sum.wrapping_add(hash);
        }
        format!("{sum:08x}")
    }
}

fn hash_of(key: &Key, entity: &Entity) -> u32 {
    let mut text = String::new();
    let collection = serde_json::to_value(key.collection).ok();
    let collection = collection.as_ref().and_then(Value::as_str).unwrap_or_default();
    // Writing into a text cannot fail.
    let _ = write!(text, "{collection}/{}=", key.id);
    write_sorted(&mut text, &serde_json::to_value(entity).unwrap_or_default());
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// JSON without spaces, keys in the order of their code points.
fn write_sorted(text: &mut String, value: &Value) {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            text.push('{');
            for (index, (name, value)) in fields.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                write_sorted(text, value);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_sorted(text, item);
            }
            text.push(']');
        }
        other => text.push_str(&other.to_string()),
    }
}
