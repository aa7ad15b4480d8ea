//! What all WebSockets of this server keep to: sizes, pings, silence, slow readers, and how they are closed.

use crate::config::Signal;
use crate::metrics::Metrics;
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use std::time::Duration;
use tokio::time::{Interval, MissedTickBehavior};

/// A client that sends so many messages that cannot be read is no client of ours.
pub const MAX_MALFORMED: u32 = 20;

/// What a socket has ready to read into, in bytes. Longer messages take what they need; a class has hundreds of sockets that say little.
pub const READ_BUFFER_BYTES: usize = 8 * 1024;

/// How long a client may take to close its side after we closed ours.
const CLOSING: Duration = Duration::from_secs(2);

/// What a socket has to keep to.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Longest message.
    pub max_message_bytes: usize,
    /// How often the server pings.
    pub ping_interval: Duration,
    /// How long nothing may be heard.
    pub silence_timeout: Duration,
}

/// The client closed its side, the network did, or the client reads nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lost;

impl Rules {
    /// From configuration.
    pub fn of(signal: &Signal) -> Self {
        Self {
            max_message_bytes: signal.max_message_bytes,
            ping_interval: Duration::from_secs(signal.ping_interval_s),
            silence_timeout: Duration::from_secs(signal.silence_timeout_s),
        }
    }

    /// When to ping, from an interval after now on.
    pub fn pings(&self) -> Interval {
        let mut pings = tokio::time::interval(self.ping_interval);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pings.reset();
        pings
    }

    /// Sends a message. A client that reads nothing for as long as it may be silent counts as lost.
    pub async fn send(&self, socket: &mut WebSocket, message: Message, metrics: &Metrics) -> Result<(), Lost> {
        match tokio::time::timeout(self.silence_timeout, socket.send(message)).await {
            Ok(sent) => sent.map_err(|_| Lost),
            Err(_) => {
                metrics.clients_silent.add(1);
                Err(Lost)
            }
        }
    }

    /// The close code and the reason for who sent a message that is too large.
    pub fn too_large(&self) -> (u16, String) {
        (close_code::SIZE, format!("a message may have {} bytes", self.max_message_bytes))
    }

    /// The close code and the reason for who sent what is no message at all.
    pub fn unreadable(&self, error: &axum::Error) -> Result<(u16, String), Lost> {
        use tokio_tungstenite::tungstenite::Error;
        let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<Error>());
        match cause {
            Some(Error::Capacity(_)) => Ok(self.too_large()),
            Some(Error::Utf8(_)) => Ok((close_code::INVALID, "a text message is not UTF-8".to_owned())),
            _ => Err(Lost),
        }
    }
}

/// Says goodbye and waits a moment for the client's, so that the last messages are not cut off by a reset.
pub async fn close(mut socket: WebSocket, code: u16, reason: String) {
    let goodbye = async {
        // The reason of a close frame has at most 123 bytes.
        let reason: String = reason.chars().take(120).filter(char::is_ascii).collect();
        socket.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await?;
        while let Some(Ok(_)) = socket.recv().await {}
        Ok::<(), axum::Error>(())
    };
    // Whether the goodbye arrives makes no difference to anybody else.
    let _ = tokio::time::timeout(CLOSING, goodbye).await;
}
