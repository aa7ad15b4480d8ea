//! What the server says over a state socket, read once for all who hear the same.

use super::screen::Entities;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::rc::Rc;

/// One message.
#[derive(Debug)]
pub(super) struct Said {
    pub text: std::sync::Arc<str>,
    pub hash: u64,
    pub what: What,
}

#[derive(Debug)]
pub(super) enum What {
    Welcome { session: String, admitted: bool, seq: u64, begins: Begins },
    Shown(Shown),
    Pulse { seq: u64, hash: u32 },
    Acked(Acked),
    Signal { space: String },
    Bye { code: String, retry: bool },
}

#[derive(Debug)]
pub(super) enum Begins {
    Anew(Vec<Change>),
    After(Vec<Shown>),
}

/// An event, as far as it is shown, and what it changed.
#[derive(Debug)]
pub(super) struct Shown {
    pub seq: u64,
    pub event: Value,
    pub changes: Vec<Change>,
}

#[derive(Debug)]
pub(super) struct Change {
    pub key: (String, String),
    pub is: Option<Rc<Held>>,
}

/// An entity, with the hash that it has in the protocol's sum.
#[derive(PartialEq, Debug)]
pub(super) struct Held {
    pub value: Value,
    pub hash: u32,
}

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Acked {
    pub id: String,
    pub accepted: bool,
    pub places: Option<(u64, u64)>,
    pub response: Option<String>,
    pub code: Option<String>,
    pub kept: Option<u64>,
}

impl Acked {
    /// Which command of a page it answers.
    pub fn number_for(&self, device: &str) -> Option<u64> {
        self.id.strip_prefix(device)?.strip_prefix('-')?.parse().ok()
    }
}

impl Said {
    pub fn read(text: std::sync::Arc<str>) -> Self {
        let said: Value = serde_json::from_str(&text).expect("messages are JSON");
        let number = |field: &str| said[field].as_u64();
        let word = |field: &str| said[field].as_str().map(str::to_owned);
        let what = match said["t"].as_str().expect("a kind of message") {
            "welcome" => What::Welcome {
                session: word("session").expect("a session"),
                admitted: said["state"] == "admitted",
                seq: number("seq").expect("a place"),
                begins: match said["delta"]["events"].as_array() {
                    Some(missed) => Begins::After(missed.iter().map(shown).collect()),
                    None => Begins::Anew(snapshot(&said["snapshot"])),
                },
            },
            "ev" => What::Shown(shown(&said)),
            "pulse" => What::Pulse {
                seq: number("seq").expect("a place"),
                hash: u32::from_str_radix(&word("hash").expect("a hash"), 16).expect("eight digits"),
            },
            "ack" => What::Acked(Acked {
                id: word("id").expect("an id"),
                accepted: said["status"] == "accepted",
                places: number("first").zip(number("last")),
                response: word("response"),
                code: word("code"),
                kept: number("kept"),
            }),
            "signal" => What::Signal { space: word("space").expect("a Space") },
            "bye" => What::Bye { code: word("code").expect("a code"), retry: said["retry"] == true },
            other => panic!("an unknown message {other}: {text}"),
        };
        Self { hash: hash64(text.as_bytes()), text, what }
    }
}

fn shown(said: &Value) -> Shown {
    let change = |change: &Value| {
        let word = |field: &str| change[field].as_str().expect("a text").to_owned();
        let key = (word("in"), word("id"));
        let is = (!change["is"].is_null()).then(|| held(&key, change["is"].clone()));
        Change { key, is }
    };
    let changes = said["changes"].as_array().expect("changes").iter().map(change);
    let seq = said["event"]["seq"].as_u64().expect("a place");
    Shown { seq, event: said["event"].clone(), changes: changes.collect() }
}

fn snapshot(said: &Value) -> Vec<Change> {
    let mut all = Vec::new();
    for (collection, of) in said.as_object().expect("collections") {
        for (id, entity) in of.as_object().expect("entities by id") {
            let key = (collection.clone(), id.clone());
            all.push(Change { is: Some(held(&key, entity.clone())), key });
        }
    }
    all
}

fn held(key: &(String, String), value: Value) -> Rc<Held> {
    Rc::new(Held { hash: hash_of(key, &value), value })
}

/// The hash of the protocol document, written down a second time.
pub(super) fn hash_of((collection, id): &(String, String), entity: &Value) -> u32 {
    let text = format!("{collection}/{id}={}", sorted(entity));
    text.bytes().fold(2_166_136_261u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(16_777_619))
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

pub(super) fn hash64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Where two of them differ, for people to read.
pub(super) fn differences(has: &Entities, should: &Entities) -> Vec<String> {
    let keys: std::collections::BTreeSet<_> = has.keys().chain(should.keys()).collect();
    let differs = keys.into_iter().filter(|key| has.get(*key) != should.get(*key));
    let text = |held: Option<&Rc<Held>>| held.map_or("nothing".to_owned(), |held| held.value.to_string());
    differs.map(|key| format!("{key:?}: has {}, should have {}", text(has.get(key)), text(should.get(key)))).collect()
}
