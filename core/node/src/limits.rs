//! How much one client may ask for, and how far the class may run ahead of its log. Every number is configuration; the
//! defaults are the protocol's where it names one.

use lyceum_session::UnixMs;

/// Sizes, rates and bounds of one class.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Longest identity, in characters.
    pub identity_chars: usize,
    /// Longest display name, track name, track id or stream name, in characters.
    pub name_chars: usize,
    /// Longest metadata of a person, in bytes.
    pub metadata_bytes: usize,
    /// Most attributes of a person, keys and values together, in bytes.
    pub attributes_bytes: usize,
    /// Longest message on a data channel, in bytes.
    pub data_message_bytes: usize,
    /// Longest SDP, in bytes.
    pub sdp_bytes: usize,
    /// Most sockets in one class, hidden ones included.
    pub connections: usize,
    /// From how many sockets on news of people who publish nothing is told in batches.
    pub large_class: usize,
    /// Most tracks that one client may receive at a time.
    pub subscriptions: usize,
    /// Most track ids in one signal.
    pub ids_per_signal: usize,
    /// Signals of one client.
    pub signals: Rate,
    /// Commands of one state socket.
    pub commands: Rate,
    /// Data messages of one client.
    pub data_messages: Rate,
    /// Bytes of data messages of one client.
    pub data_bytes: Rate,
    /// Events that may wait for the disk before the class refuses what can be refused.
    pub outstanding_events: u64,
    /// Bytes of the signals and media commands that may wait for the disk, likewise.
    pub outstanding_bytes: usize,
}

impl Limits {
    /// The limits that the protocol names, and generous rates for a class of a few hundred.
    pub fn standard() -> Self {
        Self {
            identity_chars: 256,
            name_chars: 256,
            metadata_bytes: 512 * 1024,
            attributes_bytes: 64 * 1024,
            data_message_bytes: 64_000,
            sdp_bytes: 256 * 1024,
            connections: 3_000,
            large_class: 50,
            subscriptions: 1_000,
            ids_per_signal: 1_000,
            signals: Rate { per_second: 100, burst: 500 },
            commands: Rate { per_second: 50, burst: 500 },
            data_messages: Rate { per_second: 1_000, burst: 2_000 },
            data_bytes: Rate { per_second: 8_000_000, burst: 16_000_000 },
            outstanding_events: 8_192,
            outstanding_bytes: 128 * 1024 * 1024,
        }
    }
}

/// A steady rate with room for a burst.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    /// How many a second in the long run.
    pub per_second: u32,
    /// How many at once after a pause.
    pub burst: u32,
}

/// What a client has left of a [`Rate`].
#[derive(Clone, Debug)]
pub(crate) struct Allowance {
    rate: Rate,
    left_thousandths: u64,
    filled_at: UnixMs,
}

impl Allowance {
    pub(crate) fn new(rate: Rate, now: UnixMs) -> Self {
        Self { rate, left_thousandths: u64::from(rate.burst) * 1_000, filled_at: now }
    }

    /// Takes `amount` if that much is left.
    pub(crate) fn take(&mut self, amount: usize, now: UnixMs) -> bool {
        let elapsed_ms = now.0.saturating_sub(self.filled_at.0);
        let earned = elapsed_ms.saturating_mul(u64::from(self.rate.per_second));
        self.left_thousandths = self.left_thousandths.saturating_add(earned).min(u64::from(self.rate.burst) * 1_000);
        self.filled_at = now;
        let wanted = (amount as u64).saturating_mul(1_000);
        if wanted > self.left_thousandths {
            return false;
        }
        self.left_thousandths -= wanted;
        true
    }
}

/// Whether a text is longer than so many characters; stops counting there.
pub(crate) fn longer_than(text: &str, chars: usize) -> bool {
    text.len() > chars && text.chars().nth(chars).is_some()
}
