//! From stored bytes to a document: whole, or not at all.

use crate::api::{DocSeq, Snapshot, Stats, Stored, StoredUpdate};
use crate::replica::{Replica, STORED};
use crate::scan::scan;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) struct Loaded {
    pub replica: Replica,
    pub seq: DocSeq,
    pub base: Option<Snapshot>,
    pub tail: Vec<Arc<[u8]>>,
    pub owners: BTreeMap<u64, Arc<str>>,
}

/// The newest snapshot that reads, and every update after it. A log with a gap, or an update that does not read, is no document.
pub(crate) fn load(seed: u64, stored: Stored, stats: &mut Stats) -> Option<Loaded> {
    let is_sorted = stored.snapshots.windows(2).all(|pair| matches!(pair, [newer, older] if newer.seq > older.seq));
    if !is_sorted || !is_dense(&stored.updates) {
        return None;
    }
    let owners = owners(&stored.updates);
    let starts: Vec<Option<Snapshot>> = match stored.snapshots.is_empty() {
        true => vec![None],
        false => stored.snapshots.iter().cloned().map(Some).collect(),
    };
    let newest = stored.snapshots.first().map_or(0, |snapshot| snapshot.seq);
    let head = stored.updates.last().map_or(newest, |update| update.seq.max(newest));
    for base in starts {
        let from = base.as_ref().map_or(0, |base| base.seq);
        let updates = stored.updates.iter().filter(|update| update.seq > from);
        let tail: Vec<Arc<[u8]>> = updates.map(|update| update.bytes.clone()).collect();
        // A place is missing between the snapshot and the updates, or at the end.
        if from + tail.len() as u64 != head {
            continue;
        }
        let bytes = base.iter().map(|base| &*base.bytes).chain(tail.iter().map(|update| &**update));
        match Replica::build(seed, bytes) {
            Ok(replica) => return Some(Loaded { replica, seq: head, base, tail, owners }),
            Err(_) => stats.damaged_snapshots += 1,
        }
    }
    None
}

fn is_dense(updates: &[StoredUpdate]) -> bool {
    updates.windows(2).all(|pair| matches!(pair, [one, next] if one.seq + 1 == next.seq))
}

/// Who speaks for which Yjs client, as far as the log still tells.
fn owners(updates: &[StoredUpdate]) -> BTreeMap<u64, Arc<str>> {
    let mut owners = BTreeMap::new();
    for update in updates {
        let Some(person) = &update.person else { continue };
        let Ok(scan) = scan(&update.bytes, STORED) else { continue };
        for run in scan.runs {
            owners.entry(run.client).or_insert_with(|| person.clone());
        }
    }
    owners
}
