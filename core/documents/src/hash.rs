//! The hash by which two replicas see whether they have received the same. It covers which changes are there and which are
//! deleted, not their bytes: Yjs and `yrs` cut the same content into pieces differently, and a change is named by its maker and
//! clock once and for all.

use crate::index::Index;

/// The 32-bit FNV-1a hash of, for each Yjs client in the order of their numbers, `{client}={clock};`, and then for each deleted
/// range, in the order of clients and clocks, `{client}:{from}-{to};`, ranges that touch being one, `to` excluded.
pub(crate) fn of(index: &Index) -> u32 {
    let mut hash = 0x811c_9dc5;
    for (client, clock) in index.clocks() {
        feed(&mut hash, &format!("{client}={clock};"));
    }
    for (client, from, to) in index.deleted() {
        feed(&mut hash, &format!("{client}:{from}-{to};"));
    }
    hash
}

fn feed(hash: &mut u32, text: &str) {
    for byte in text.bytes() {
        *hash = (*hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }
}
