//! Who is where in a document: cursors, selections, strokes in progress. Latest values that nobody stores. A client speaks for
//! its own Yjs clients only, and what it says is bounded, since it is passed on to everybody.

use crate::api::{ClientKey, Ms};
use crate::limits::Limits;
use crate::wire::{Malformed, Reader, put_buffer, put_uint};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Yjs clients that one connection speaks for: tabs of a browser share what they know.
const MOST_PER_CLIENT: usize = 4;
/// What is not renewed for so long is not shown to newcomers. Yjs renews every 15 s and forgets after 30 s.
const STALE_MS: u64 = 45_000;

#[derive(Debug, Default)]
pub(crate) struct Roster {
    entries: BTreeMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    owner: ClientKey,
    person: Arc<str>,
    clock: u64,
    /// JSON; `None` after it was taken back.
    state: Option<Arc<str>>,
    seen: Ms,
    told: bool,
}

impl Roster {
    /// Takes over what a client says. Whether there is something to tell.
    pub fn hear(
        &mut self,
        now: Ms,
        owner: ClientKey,
        person: &Arc<str>,
        bytes: &[u8],
        limits: &Limits,
    ) -> Result<bool, Malformed> {
        let mut reader = Reader::new(bytes);
        let count = reader.uint()?;
        if count > reader.left() as u64 / 3 {
            return Err(Malformed("it has more states than bytes"));
        }
        let mut said = Vec::new();
        for _ in 0..count {
            let (id, clock, state) = (reader.uint()?, reader.uint()?, reader.text()?);
            said.push((id, clock, state));
        }
        if !reader.is_empty() {
            return Err(Malformed("something follows the states"));
        }
        let mut any = false;
        for (id, clock, state) in said {
            any |= self.hear_one(now, owner, person, (id, clock, state), limits);
        }
        Ok(any)
    }

    fn hear_one(
        &mut self,
        now: Ms,
        owner: ClientKey,
        person: &Arc<str>,
        (id, clock, state): (u64, u64, &str),
        limits: &Limits,
    ) -> bool {
        let state = (state != "null").then_some(state);
        // Everybody else's `JSON.parse` will meet it.
        let is_json = |state: &str| serde_json::from_str::<serde::de::IgnoredAny>(state).is_ok();
        if state.is_some_and(|state| state.len() > limits.awareness_bytes || !is_json(state)) {
            return false;
        }
        let owned = self.entries.values().filter(|entry| entry.owner == owner).count();
        match self.entries.get(&id) {
            // Providers repeat what they heard of others.
            Some(entry) if entry.owner != owner && entry.person != *person => return false,
            Some(entry) => {
                let takes_back = clock == entry.clock && state.is_none() && entry.state.is_some();
                if clock <= entry.clock && !takes_back && entry.owner == owner {
                    return false;
                }
            }
            None if owned >= MOST_PER_CLIENT || state.is_none() => return false,
            None => {}
        }
        let state = state.map(Into::into);
        self.entries.insert(id, Entry { owner, person: person.clone(), clock, state, seen: now, told: false });
        true
    }

    /// Who speaks for a Yjs client.
    pub fn person(&self, yjs_client: u64) -> Option<&Arc<str>> {
        self.entries.get(&yjs_client).map(|entry| &entry.person)
    }

    /// Forgets a client. What to tell the others, if anything.
    pub fn leave(&mut self, owner: ClientKey) -> Option<Vec<u8>> {
        let gone: Vec<_> = self.entries.iter().filter(|(_, entry)| entry.owner == owner).map(|(id, _)| *id).collect();
        let mut told = Vec::new();
        for id in gone {
            let entry = self.entries.remove(&id);
            told.extend(entry.filter(|entry| entry.state.is_some()).map(|entry| (id, entry.clock, None)));
        }
        write(&told)
    }

    /// What a client said and was not passed on yet.
    pub fn untold(&mut self, owner: ClientKey) -> Option<Vec<u8>> {
        let mut told = Vec::new();
        for (id, entry) in self.entries.iter_mut().filter(|(_, entry)| entry.owner == owner && !entry.told) {
            entry.told = true;
            told.push((*id, entry.clock, entry.state.clone()));
        }
        write(&told)
    }

    /// Everything, for a newcomer.
    pub fn all(&self, now: Ms) -> Option<Vec<u8>> {
        let fresh = self.entries.iter().filter(|(_, entry)| now.since(entry.seen) < STALE_MS && entry.state.is_some());
        let all: Vec<_> = fresh.map(|(id, entry)| (*id, entry.clock, entry.state.clone())).collect();
        write(&all)
    }
}

fn write(entries: &[(u64, u64, Option<Arc<str>>)]) -> Option<Vec<u8>> {
    if entries.is_empty() {
        return None;
    }
    let mut bytes = Vec::new();
    put_uint(&mut bytes, entries.len() as u64);
    for (id, clock, state) in entries {
        put_uint(&mut bytes, *id);
        put_uint(&mut bytes, *clock);
        put_buffer(&mut bytes, state.as_deref().unwrap_or("null").as_bytes());
    }
    Some(bytes)
}
