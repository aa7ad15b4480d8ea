//! The control side: which classes run, who sits in them, and the way in. Each class is one task that owns its `Node`; this
//! module finds or starts it, and hands a joining client its seat.

mod client;
mod heartbeat;
mod media;
mod registry;
mod session;
#[cfg(test)]
mod tests;

pub use client::{Client, Outbound};
pub use heartbeat::run as keep_heartbeats;
pub use registry::{Control, Entry, Guest, Refusal, Visitor, random_text};

use lyceum_session::UnixMs;
use std::time::{SystemTime, UNIX_EPOCH};

/// Wall time.
pub fn now() -> UnixMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
