//! The one place that touches `yrs`: a document as it is, with every accepted update in it. Whatever `yrs` does on an update,
//! this module answers with a result; a replica that is broken is thrown away and built again from bytes.

use crate::index::{Fit, Index, IndexLimits, Unfit};
use crate::scan::{ScanLimits, scan};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use yrs::updates::decoder::Decode;
use yrs::updates::encoder::Encode;
use yrs::{Any, Doc, Map, Options, Out, ReadTxn, StateVector, Transact, Update};

/// Why a replica did not take an update.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Broken {
    /// The update does not fit; the replica is as it was.
    Unfit(Unfit),
    /// `yrs` failed half-way: the replica must not be used again.
    Failed,
}

impl From<Unfit> for Broken {
    fn from(unfit: Unfit) -> Self {
        Self::Unfit(unfit)
    }
}

/// A document in memory.
pub(crate) struct Replica {
    doc: Doc,
    pub index: Index,
}

impl std::fmt::Debug for Replica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replica").field("structs", &self.index.structs()).finish_non_exhaustive()
    }
}

/// What stored bytes may be: more than any client could have brought.
pub(crate) const STORED: ScanLimits = ScanLimits { structs: 4_000_000, values: 16_000_000 };
const STORED_INDEX: IndexLimits = IndexLimits { clients: 4_000_000, structs: 8_000_000 };

impl Replica {
    /// An empty document.
    pub fn empty(seed: u64) -> Self {
        // A name and a number that are given, since a core makes none.
        let mut options = Options::with_guid_and_client_id("".into(), yrs::ClientID::new(seed & u64::from(u32::MAX)));
        options.offset_kind = yrs::OffsetKind::Utf16;
        Self { doc: Doc::with_options(options), index: Index::default() }
    }

    /// A document from stored updates, in order.
    pub fn build<'a>(seed: u64, updates: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, Broken> {
        let mut replica = Self::empty(seed);
        for update in updates {
            let fit = {
                let scan = scan(update, STORED).map_err(|malformed| Unfit::Malformed(malformed.0))?;
                replica.index.fit(&scan, STORED_INDEX)?
            };
            replica.apply(update, fit)?;
        }
        Ok(replica)
    }

    /// Takes an update that fits. Gives it as others should have it: only what is new.
    pub fn apply(&mut self, update: &[u8], fit: Fit) -> Result<Vec<u8>, Broken> {
        let applied = self.change(|txn| {
            let update = Update::decode_v1(update).map_err(|_| Broken::Failed)?;
            txn.apply_update(update).map_err(|_| Broken::Failed)
        })?;
        let expected = fit.adds().all(|(client, from, to)| {
            applied.added.iter().any(|(id, start, end)| *id == client && *start == from && *end == to)
        });
        if !expected || applied.added.len() != fit.adds().count() {
            return Err(Broken::Failed);
        }
        self.index.take(fit, &applied.deleted);
        Ok(applied.update)
    }

    /// Deletes everything in a root map. `None` if there is nothing in it.
    pub fn clear(&mut self, root: &str) -> Result<Option<Vec<u8>>, Broken> {
        let mut any = false;
        let cleared = self.change(|txn| {
            let Some(map) = txn.get_map(root) else { return Ok(()) };
            any = map.len(txn) > 0;
            map.clear(txn);
            Ok(())
        })?;
        for (client, from, to) in &cleared.deleted {
            self.index.take_deleted(*client, *from, *to);
        }
        Ok(any.then_some(cleared.update))
    }

    /// What somebody lacks who has this much.
    pub fn diff(&self, has: &[(u64, u32)]) -> Result<Vec<u8>, Broken> {
        let has: HashMap<_, _, _> = has.iter().map(|(client, clock)| (yrs::ClientID::new(*client), *clock)).collect();
        guarded(|| self.doc.transact().encode_diff_v1(&StateVector::new(has)))
    }

    /// All of it.
    pub fn encode(&self) -> Result<Vec<u8>, Broken> {
        self.diff(&[])
    }

    /// How much of each Yjs client it has, encoded.
    pub fn state_vector(&self) -> Result<Vec<u8>, Broken> {
        guarded(|| self.doc.transact().state_vector().encode_v1())
    }

    /// Who made the element of this key in a root map.
    pub fn author(&self, root: &str, key: &str) -> Result<Author, Broken> {
        guarded(|| {
            let txn = self.doc.transact();
            let author = match txn.get_map(root).and_then(|map| map.get(&txn, key)) {
                None => return Author::Absent,
                Some(Out::Any(Any::Map(element))) => match element.get("author") {
                    Some(Any::String(author)) => Some(author.clone()),
                    _ => None,
                },
                Some(Out::YMap(element)) => match element.get(&txn, "author") {
                    Some(Out::Any(Any::String(author))) => Some(author),
                    _ => None,
                },
                Some(_) => None,
            };
            author.map_or(Author::Unknown, Author::Person)
        })
    }

    fn change(
        &mut self,
        work: impl FnOnce(&mut yrs::TransactionMut<'_>) -> Result<(), Broken>,
    ) -> Result<Applied, Broken> {
        let mut txn = self.doc.try_transact_mut().map_err(|_| Broken::Failed)?;
        // Three steps, each caught by itself: the end of a transaction does work too, and a panic in it while another one
        // unwinds would end the process.
        let worked = guarded(|| work(&mut txn)).and_then(|worked| worked);
        let committed = guarded(|| txn.commit());
        let applied = guarded(|| {
            let added = ranges(txn.insert_set());
            let deleted = ranges(txn.delete_set());
            let is_whole = !txn.has_missing_updates();
            (Applied { update: txn.encode_update_v1(), added, deleted }, is_whole)
        });
        let dropped = guarded(|| drop(txn));
        worked?;
        committed?;
        dropped?;
        let (applied, is_whole) = applied?;
        if is_whole { Ok(applied) } else { Err(Broken::Failed) }
    }
}

/// Who made an element.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Author {
    /// There is no such element.
    Absent,
    /// There is one that does not say.
    Unknown,
    Person(Arc<str>),
}

struct Applied {
    update: Vec<u8>,
    added: Vec<(u64, u32, u32)>,
    deleted: Vec<(u64, u32, u32)>,
}

fn ranges(set: &yrs::IdSet) -> Vec<(u64, u32, u32)> {
    set.iter().flat_map(|(client, ranges)| ranges.iter().map(|range| (client.get(), range.start, range.end))).collect()
}

/// Runs `yrs`, which may panic on what it did not expect. What it worked on is not used again.
fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, Broken> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| Broken::Failed)
}
