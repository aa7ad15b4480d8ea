//! A person's page without media: it believes what it is told, puts entities where they belong without knowing any rule, keeps
//! its commands until they are answered, and comes back with its place in the log when it loses the server.

use super::said::{Acked, Change, Held, Shown};
use lyceum_node::ClientId;
use lyceum_session::class::ClassCommand;
use lyceum_session::{PersonId, Profile, Seq, SpaceName};
use serde_json::Value;
use std::collections::BTreeMap;
use std::rc::Rc;

/// By collection and id.
pub(super) type Entities = BTreeMap<(String, String), Rc<Held>>;

/// One page of one person.
pub struct Screen {
    /// Whose.
    pub person: PersonId,
    /// The page's own name.
    pub device: String,
    /// Whether the person wants to be in the class with it.
    pub wants_in: bool,
    /// The open socket.
    pub socket: Option<ClientId>,
    /// Whether the server has welcomed this socket.
    pub welcomed: bool,
    /// Whether it waits to be let in.
    pub waits: bool,
    /// Codes of the last words it heard.
    pub byes: Vec<String>,
    /// Its token: how the server last said that they are, and where.
    pub(super) token: (Profile, Option<SpaceName>),
    pub(super) session: Option<String>,
    pub(super) seq: u64,
    pub(super) entities: Entities,
    pub(super) sum: u32,
    pub(super) pulses: u64,
    pub(super) retry_at_ms: Option<u64>,
    /// Commands without an answer, in their order.
    pub(super) unanswered: BTreeMap<u64, Sent>,
    pub(super) commands_made: u64,
}

/// A command that waits for its answer.
#[derive(Clone)]
pub(super) struct Sent {
    pub command: ClassCommand,
    pub expect: Option<Seq>,
}

impl Screen {
    pub(super) fn new(person: PersonId, device: String, profile: Profile) -> Self {
        Self {
            person,
            device,
            wants_in: false,
            socket: None,
            welcomed: false,
            waits: false,
            byes: Vec::new(),
            token: (profile, None),
            session: None,
            seq: 0,
            entities: Entities::new(),
            sum: 0,
            pulses: 0,
            retry_at_ms: None,
            unanswered: BTreeMap::new(),
            commands_made: 0,
        }
    }

    pub(super) fn loses_socket(&mut self) {
        self.socket = None;
        self.welcomed = false;
    }

    /// Begins anew with what it is shown.
    pub(super) fn is_shown(&mut self, snapshot: &[Change], seq: u64) {
        self.entities.clear();
        self.sum = 0;
        snapshot.iter().for_each(|change| self.changes(change));
        self.seq = seq;
    }

    pub(super) fn takes(&mut self, shown: &Shown) {
        assert!(shown.seq >= self.seq, "events come in order");
        self.seq = shown.seq;
        shown.changes.iter().for_each(|change| self.changes(change));
    }

    fn changes(&mut self, change: &Change) {
        let before = match &change.is {
            None => self.entities.remove(&change.key),
            Some(held) => self.entities.insert(change.key.clone(), held.clone()),
        };
        self.sum = self.sum.wrapping_sub(before.map_or(0, |held| held.hash));
        self.sum = self.sum.wrapping_add(change.is.as_ref().map_or(0, |held| held.hash));
    }

    /// The answer to a command; a later copy of an answer means nothing.
    pub(super) fn is_answered(&mut self, ack: &Acked) -> Option<Sent> {
        self.unanswered.remove(&ack.number_for(&self.device)?)
    }

    /// What is known of one thing.
    pub fn sees(&self, collection: &str, id: &str) -> Option<&Value> {
        Some(&self.entities.get(&(collection.to_owned(), id.to_owned()))?.value)
    }

    /// What is known of all things of one kind.
    pub fn sees_all(&self, collection: &'static str) -> impl Iterator<Item = (&str, &Value)> {
        let from = (collection.to_owned(), String::new());
        let all = self.entities.range(from..).take_while(move |((of, _), _)| of == collection);
        all.map(|((_, id), held)| (id.as_str(), &held.value))
    }

    /// The newest thing of one kind that is so: its name, and its revision if it has one.
    pub(super) fn newest(&self, collection: &'static str, is_so: impl Fn(&Value) -> bool) -> Option<(Seq, &Value)> {
        let all = self.sees_all(collection).filter(|(_, value)| is_so(value));
        all.filter_map(|(id, value)| Some((Seq(id.parse().ok()?), value))).max_by_key(|(id, _)| *id)
    }

    pub(super) fn rev(&self, collection: &str, id: &str) -> Option<Seq> {
        self.sees(collection, id)?["rev"].as_u64().map(Seq)
    }
}
