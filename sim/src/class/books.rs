//! What a world remembers to hold the server to: every command and its answers, and the class as the log had it at the last place
//! that anybody was told of.

use super::said::{Acked, Said, hash_of};
use lyceum_session::class::{ClassCommand, Entity, Key};
use lyceum_session::{Event, PersonId, State, UnixMs, apply};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

#[derive(Default)]
pub(super) struct Books {
    /// The fold of the log up to there.
    pub fold: State,
    pub asked: BTreeMap<(PersonId, String), Asked>,
    last_read: Option<Rc<Said>>,
    /// Of entities at this place of the fold.
    hashes: BTreeMap<Key, Vec<(Entity, u32)>>,
}

/// One command of one person.
pub(super) struct Asked {
    pub command: ClassCommand,
    /// The server that had it in its hands last, and when it had it first.
    pub arrived: Option<(u64, UnixMs)>,
    /// What that server said of it.
    pub said: Option<(u64, Acked)>,
    /// What its sender heard.
    pub heard: Option<Acked>,
    /// In which order people were told what became of it.
    pub said_at: u64,
}

impl Books {
    /// Reads what several hear once.
    pub fn read(&mut self, text: Arc<str>) -> Rc<Said> {
        match &self.last_read {
            Some(said) if Arc::ptr_eq(&said.text, &text) => said.clone(),
            _ => {
                let said = Rc::new(Said::read(text));
                self.last_read = Some(said.clone());
                said
            }
        }
    }

    pub fn is_asked(&mut self, person: PersonId, id: String, command: ClassCommand) {
        let asked = Asked { command, arrived: None, said: None, heard: None, said_at: 0 };
        self.asked.insert((person, id), asked);
    }

    pub fn has_arrived(&mut self, person: &PersonId, id: &str, incarnation: u64, at: UnixMs) {
        let Some(asked) = self.asked.get_mut(&(person.clone(), id.to_owned())) else { return };
        if asked.arrived.is_none_or(|(server, _)| server != incarnation) {
            asked.arrived = Some((incarnation, at));
        }
    }

    pub fn is_answered(&mut self, person: &PersonId, ack: &Acked) {
        if let Some(asked) = self.asked.get_mut(&(person.clone(), ack.id.clone())) {
            asked.heard = Some(ack.clone());
        }
    }

    /// Goes on in the log up to a place that somebody is told of.
    pub fn reads_up_to(&mut self, seq: u64, durable: &[Event]) {
        assert!(seq <= durable.len() as u64, "told of {seq} before it is on disk");
        assert!(self.fold.seq.0 <= seq, "told of {seq} after {}", self.fold.seq);
        if self.fold.seq.0 < seq {
            self.hashes.clear();
        }
        for event in &durable[self.fold.seq.0 as usize..seq as usize] {
            apply(&mut self.fold, event);
        }
    }

    /// The hash of what a person should see at this place.
    pub fn hash_for(&mut self, person: &PersonId) -> u32 {
        let mut sum = 0u32;
        for (key, entity) in self.fold.snapshot_for(&self.fold.viewer(person)) {
            let variants = self.hashes.entry(key.clone()).or_default();
            let known = variants.iter().find(|(other, _)| *other == entity).map(|(_, hash)| *hash);
            sum = sum.wrapping_add(known.unwrap_or_else(|| {
                let value = serde_json::to_value(&entity).expect("entities are JSON");
                let hash = hash_of(&name_of(&key), &value);
                variants.push((entity, hash));
                hash
            }));
        }
        sum
    }
}

/// An entity's collection and id, as they are written.
pub(super) fn name_of(key: &Key) -> (String, String) {
    let collection = serde_json::to_value(key.collection).expect("collections have names");
    (collection.as_str().unwrap_or_default().to_owned(), key.id.to_string())
}
