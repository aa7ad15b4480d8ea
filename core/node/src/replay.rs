//! Reliable data of the last while, to be sent again to whoever lost it with their network. Receivers drop what they have already, by
//! its sender and number.

use crate::api::ClientId;
use crate::clients::media_of;
use crate::node::Node;
use livekit_protocol as proto;
use lyceum_session::UnixMs;
use lyceum_sfu as sfu;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// How long a message is kept: until a network that broke right after it has been noticed, and its client may resume.
const KEEP_MS: u64 = 60_000;
/// Most bytes of messages that are kept, with what is kept about each.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// The last reliable messages, oldest first.
#[derive(Default)]
pub(crate) struct Replay {
    messages: VecDeque<Sent>,
    bytes: usize,
}

struct Sent {
    at: UnixMs,
    publisher_sid: String,
    sequence: u32,
    to: Vec<sfu::ConnKey>,
    bytes: Arc<[u8]>,
}

impl Sent {
    fn size(&self) -> usize {
        size_of::<Self>() + self.publisher_sid.len() + size_of_val(&self.to[..]) + self.bytes.len()
    }
}

impl Replay {
    /// A message without a number could not be told from its copy, so it is not kept.
    pub(crate) fn keep(
        &mut self,
        now: UnixMs,
        publisher_sid: &str,
        sequence: u32,
        to: &[sfu::ConnKey],
        bytes: &Arc<[u8]>,
    ) {
        if sequence == 0 {
            return;
        }
        let (publisher_sid, to, bytes) = (publisher_sid.to_owned(), to.to_vec(), bytes.clone());
        let sent = Sent { at: now, publisher_sid, sequence, to, bytes };
        self.bytes += sent.size();
        self.messages.push_back(sent);
        while self.bytes > MOST_BYTES || self.messages.front().is_some_and(|first| first.at.plus(KEEP_MS) <= now) {
            let Some(first) = self.messages.pop_front() else { break };
            self.bytes -= first.size();
        }
    }

    /// A receiver is elsewhere: what was said where it was is not for it any more.
    pub(crate) fn forget(&mut self, receiver: sfu::ConnKey) {
        for sent in &mut self.messages {
            let before = sent.size();
            sent.to.retain(|to| *to != receiver);
            self.bytes -= before - sent.size();
        }
    }

    /// What a receiver has not had of each publisher.
    fn missed(&self, receiver: sfu::ConnKey, had: &BTreeMap<&str, u32>) -> Vec<Arc<[u8]>> {
        let missed = self.messages.iter().filter(|sent| {
            let last = had.get(sent.publisher_sid.as_str()).copied().unwrap_or_default();
            sent.sequence > last && sent.to.contains(&receiver)
        });
        missed.map(|sent| sent.bytes.clone()).collect()
    }
}

impl Node {
    /// Sends a client what it has not received, in order.
    pub(crate) fn replay_data(&mut self, id: ClientId, had: &[proto::DataChannelReceiveState]) {
        let had: BTreeMap<&str, u32> = had.iter().map(|state| (state.publisher_sid.as_str(), state.last_seq)).collect();
        let conn = media_of(id);
        for bytes in self.replay.missed(conn, &had) {
            self.tell_media(sfu::Command::SendData { to: vec![conn], lane: sfu::Lane::Reliable, bytes });
        }
    }
}
