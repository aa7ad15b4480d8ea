//! What somebody sees who has the state socket: entities, put where they belong without knowing any rule. At every pulse it must be what
//! the node says it is.

use crate::memory::Disk;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

#[derive(Default, Debug)]
pub struct Screen {
    pub person: String,
    /// By collection and id.
    pub entities: BTreeMap<(String, String), Value>,
    pub seq: u64,
    pub heard: Vec<Value>,
    pub pulses: usize,
    pub closed: bool,
}

impl Screen {
    pub fn hears(&mut self, text: &str, disk: &Disk) {
        assert!(!self.closed, "nothing comes over a closed socket: {text}");
        let said: Value = serde_json::from_str(text).expect("messages are JSON");
        match said["t"].as_str() {
            Some("welcome") => self.is_welcome(&said),
            Some("ev") => self.takes(&said),
            Some("pulse") => {
                self.pulses += 1;
                assert_eq!(said["hash"], self.hash(), "{} has something else: {:#?}", self.person, self.entities);
                self.seq = said["seq"].as_u64().expect("a place");
            }
            Some("ack") => {
                if let Some(last) = said["last"].as_u64() {
                    assert!(last <= disk.durable.seq.0, "an ack before its events are on disk");
                }
            }
            Some("signal" | "bye") => {}
            _ => panic!("an unknown message: {text}"),
        }
        assert!(self.seq <= disk.durable.seq.0, "told of {} before it is on disk", self.seq);
        self.heard.push(said);
    }

    fn is_welcome(&mut self, said: &Value) {
        if let Some(snapshot) = said["snapshot"].as_object() {
            self.entities.clear();
            for (collection, of) in snapshot {
                for (id, entity) in of.as_object().expect("entities by id") {
                    self.entities.insert((collection.clone(), id.clone()), entity.clone());
                }
            }
        }
        for missed in said["delta"]["events"].as_array().into_iter().flatten() {
            self.takes(missed);
        }
        self.seq = said["seq"].as_u64().expect("a place");
    }

    fn takes(&mut self, said: &Value) {
        let seq = said["event"]["seq"].as_u64().expect("a place");
        assert!(seq >= self.seq, "events come in order");
        self.seq = seq;
        for change in said["changes"].as_array().expect("changes") {
            let text = |name: &str| change[name].as_str().expect("a text").to_owned();
            let key = (text("in"), text("id"));
            match &change["is"] {
                Value::Null => self.entities.remove(&key),
                entity => self.entities.insert(key, entity.clone()),
            };
        }
    }

    pub fn ack(&self, id: &str) -> Option<&Value> {
        let acks: Vec<_> = self.heard.iter().filter(|said| said["t"] == "ack" && said["id"] == id).collect();
        assert!(acks.len() <= 1 || acks[1..].iter().all(|ack| ack["repeated"] == true), "one answer: {acks:?}");
        acks.last().copied()
    }

    pub fn entity(&self, collection: &str, id: &str) -> Option<&Value> {
        self.entities.get(&(collection.to_owned(), id.to_owned()))
    }

    pub fn all(&self, collection: &str) -> Vec<&Value> {
        self.entities.iter().filter(|((of, _), _)| of == collection).map(|(_, entity)| entity).collect()
    }

    pub fn bye(&self) -> Option<&str> {
        self.heard.iter().find(|said| said["t"] == "bye")?["code"].as_str()
    }

    /// The hash of the protocol document, written down a second time.
    pub fn hash(&self) -> String {
        let hash_of = |((collection, id), entity): (&(String, String), &Value)| {
            let text = format!("{collection}/{id}={}", sorted(entity));
            text.bytes().fold(2_166_136_261u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(16_777_619))
        };
        format!("{:08x}", self.entities.iter().map(hash_of).fold(0u32, u32::wrapping_add))
    }
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<_, _> = fields.iter().map(|(name, value)| (name.clone(), sorted(value))).collect();
            Value::Object(Map::from_iter(fields))
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}
