//! How much a document and its clients may be. Every number is a starting value.

/// Bounds of one document.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Largest update, in bytes.
    pub update_bytes: usize,
    /// Most structs and deleted ranges in one update.
    pub update_structs: usize,
    /// Largest document, in bytes as it is stored.
    pub document_bytes: usize,
    /// Most structs of a document.
    pub document_structs: usize,
    /// Most Yjs clients that ever changed a document. Every page load is one.
    pub document_clients: usize,
    /// Most connected clients.
    pub clients: usize,
    /// Updates of one client, per second in the long run; four seconds' worth may come at once.
    pub updates_per_s: u64,
    /// Bytes of updates of one client, per second in the long run; one update of the largest size may always come.
    pub update_bytes_per_s: u64,
    /// Questions for the state, of one client, per second in the long run; ten seconds' worth may come at once.
    pub syncs_per_s: u64,
    /// Largest awareness state, in bytes.
    pub awareness_bytes: usize,
    /// Milliseconds between two awareness messages of one client; the latest value is kept meanwhile.
    pub awareness_ms: u64,
    /// Updates and their bytes after which the document is written as a whole.
    pub compact_updates: usize,
    /// See `compact_updates`.
    pub compact_bytes: usize,
    /// Updates that may wait for the disk; then newcomers are sent away.
    pub waiting_updates: usize,
    /// Milliseconds without a client until the document is unloaded.
    pub linger_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            update_bytes: 1 << 20,
            update_structs: 20_000,
            document_bytes: 8 << 20,
            document_structs: 200_000,
            document_clients: 20_000,
            clients: 1_000,
            updates_per_s: 60,
            update_bytes_per_s: 256 << 10,
            syncs_per_s: 2,
            awareness_bytes: 4 << 10,
            awareness_ms: 67,
            compact_updates: 256,
            compact_bytes: 256 << 10,
            waiting_updates: 1_024,
            linger_ms: 60_000,
        }
    }
}

/// So much per second, and so much at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    /// In thousandths.
    level: u64,
    filled: u64,
}

impl Bucket {
    pub fn full(now_ms: u64, burst: u64) -> Self {
        Self { level: burst.saturating_mul(1_000), filled: now_ms }
    }

    /// Takes so much, if it is there.
    pub fn take(&mut self, now_ms: u64, amount: u64, per_s: u64, burst: u64) -> bool {
        let gained = now_ms.saturating_sub(self.filled).saturating_mul(per_s);
        self.level = self.level.saturating_add(gained).min(burst.saturating_mul(1_000));
        self.filled = self.filled.max(now_ms);
        match self.level.checked_sub(amount.saturating_mul(1_000)) {
            Some(left) => {
                self.level = left;
                true
            }
            None => false,
        }
    }
}
