//! The bytes of lib0 and y-protocols: variable-length integers, and the messages that a stock provider sends and understands.
//! On a socket of several documents each message follows the name of its document, and there are two that y-protocols lack.
//! Knows lengths and nothing of what an update means (`scan.rs`).

use crate::api::{DocSeq, Refusal};
use std::sync::Arc;

/// Bytes that are not what they should be; for a log, not for people.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("malformed: {0}")]
pub struct Malformed(pub &'static str);

/// Largest integer that JavaScript holds exactly, and so the largest in any message.
pub(crate) const MAX_SAFE: u64 = (1 << 53) - 1;

/// Reads what others wrote. Never reads past the end, and allocates nothing.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many bytes are left: no list can have more entries than that.
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    pub fn byte(&mut self) -> Result<u8, Malformed> {
        let (first, rest) = self.rest.split_first().ok_or(Malformed("it ends too early"))?;
        self.rest = rest;
        Ok(*first)
    }

    pub fn take(&mut self, len: u64) -> Result<&'a [u8], Malformed> {
        let len = usize::try_from(len).map_err(|_| Malformed("a length is too large"))?;
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(Malformed("it ends too early"))?;
        self.rest = rest;
        Ok(taken)
    }

    /// An unsigned integer: seven bits in each byte, the lowest first.
    pub fn uint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for shift in (0..56).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return if value <= MAX_SAFE { Ok(value) } else { Err(Malformed("a number is too large")) };
            }
        }
        Err(Malformed("a number is too long"))
    }

    /// An unsigned integer below 2^31: a clock or a length of Yjs.
    pub fn clock(&mut self) -> Result<u32, Malformed> {
        let value = self.uint()?;
        if value < 1 << 31 { Ok(value as u32) } else { Err(Malformed("a clock is too large")) }
    }

    /// Passes over a signed integer.
    pub fn skip_int(&mut self) -> Result<(), Malformed> {
        for _ in 0..9 {
            if self.byte()? < 0x80 {
                return Ok(());
            }
        }
        Err(Malformed("a number is too long"))
    }

    pub fn buffer(&mut self) -> Result<&'a [u8], Malformed> {
        let len = self.uint()?;
        self.take(len)
    }

    pub fn text(&mut self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.buffer()?).map_err(|_| Malformed("a text is not UTF-8"))
    }
}

/// Appends an unsigned integer.
pub(crate) fn put_uint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Appends bytes with their length before them.
pub(crate) fn put_buffer(bytes: &mut Vec<u8>, buffer: &[u8]) {
    put_uint(bytes, buffer.len() as u64);
    bytes.extend_from_slice(buffer);
}

/// A message of y-protocols.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Message<'a> {
    /// "This is what I have" (a state vector); the answer is a [`Message::Step2`].
    Step1(&'a [u8]),
    /// What the other side lacks, as an update.
    Step2(&'a [u8]),
    /// A change, as an update.
    Update(&'a [u8]),
    /// Who is where: cursors and the like.
    Awareness(&'a [u8]),
    /// "Tell me who is where."
    AwarenessQuery,
    /// The writer's opinion of what it may do. Nobody asks for it.
    Auth,
}

const SYNC: u64 = 0;
const AWARENESS: u64 = 1;
const AUTH: u64 = 2;
const AWARENESS_QUERY: u64 = 3;

impl<'a> Message<'a> {
    /// Reads the one message of a frame.
    pub fn read(frame: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(frame);
        let message = match reader.uint()? {
            SYNC => {
                let step = reader.uint()?;
                let body = reader.buffer()?;
                match step {
                    0 => Message::Step1(body),
                    1 => Message::Step2(body),
                    2 => Message::Update(body),
                    _ => return Err(Malformed("there is no such step of a sync")),
                }
            }
            AWARENESS => Message::Awareness(reader.buffer()?),
            AUTH => return Ok(Message::Auth),
            AWARENESS_QUERY => Message::AwarenessQuery,
            _ => return Err(Malformed("there is no such message")),
        };
        if reader.is_empty() { Ok(message) } else { Err(Malformed("something follows the message")) }
    }

    /// Writes the frame.
    pub fn write(&self) -> Arc<[u8]> {
        let mut frame = Vec::new();
        let mut sync = |step, body| {
            put_uint(&mut frame, SYNC);
            put_uint(&mut frame, step);
            put_buffer(&mut frame, body);
        };
        match self {
            Message::Step1(body) => sync(0, body),
            Message::Step2(body) => sync(1, body),
            Message::Update(body) => sync(2, body),
            Message::Awareness(body) => {
                put_uint(&mut frame, AWARENESS);
                put_buffer(&mut frame, body);
            }
            Message::AwarenessQuery => put_uint(&mut frame, AWARENESS_QUERY),
            Message::Auth => return denied(""),
        }
        frame.into()
    }
}

/// y-protocols' "permission denied", which a stock provider prints on its console.
pub(crate) fn denied(reason: &str) -> Arc<[u8]> {
    let mut frame = Vec::new();
    put_uint(&mut frame, AUTH);
    put_uint(&mut frame, 0);
    put_buffer(&mut frame, reason.as_bytes());
    frame.into()
}

/// On a socket of several documents: an update is on the disk.
const ACK: u64 = 100;
/// On a socket of several documents: an update was refused.
const RESET: u64 = 101;

/// Splits what a client sends on a socket of several documents into the document's name and the message.
pub fn read_named(bytes: &[u8]) -> Result<(&str, &[u8]), Malformed> {
    let mut reader = Reader::new(bytes);
    let name = reader.text()?;
    Ok((name, reader.rest))
}

/// A message of y-protocols for a socket of several documents.
pub fn write_named(name: &str, message: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(name.len() + message.len() + 2);
    put_buffer(&mut bytes, name.as_bytes());
    bytes.extend_from_slice(message);
    bytes
}

/// The oldest update of this client without an answer is on the disk.
pub fn write_ack(name: &str, seq: DocSeq) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_buffer(&mut bytes, name.as_bytes());
    put_uint(&mut bytes, ACK);
    put_uint(&mut bytes, seq);
    bytes
}

/// An update of this client was refused, and the document is this one.
pub fn write_reset(name: &str, refusal: Refusal, seq: DocSeq, snapshot: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(name.len() + snapshot.len() + 128);
    put_buffer(&mut bytes, name.as_bytes());
    put_uint(&mut bytes, RESET);
    put_buffer(&mut bytes, refusal.code().as_bytes());
    put_buffer(&mut bytes, refusal.text().as_bytes());
    put_uint(&mut bytes, seq);
    put_buffer(&mut bytes, snapshot);
    bytes
}

/// A state vector: how much of each Yjs client somebody has.
pub(crate) fn read_state_vector(bytes: &[u8]) -> Result<Vec<(u64, u32)>, Malformed> {
    let mut reader = Reader::new(bytes);
    let count = reader.uint()?;
    if count > reader.left() as u64 / 2 {
        return Err(Malformed("a state vector has more entries than bytes"));
    }
    let entries: Result<Vec<_>, Malformed> = (0..count).map(|_| Ok((reader.uint()?, reader.clock()?))).collect();
    if reader.is_empty() { entries } else { Err(Malformed("something follows the state vector")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_reads_as_it_was_written() {
        for message in [
            Message::Step1(&[0]),
            Message::Step2(&[0, 0]),
            Message::Update(&[7; 300]),
            Message::Awareness(b"x"),
            Message::AwarenessQuery,
        ] {
            assert_eq!(Message::read(&message.write()), Ok(message));
        }
    }

    #[test]
    fn messages_of_several_documents_have_the_documented_bytes() {
        let named = write_named("notes:b1", &Message::Step1(&[0]).write());
        assert_eq!(named, b"\x08notes:b1\x00\x00\x01\x00");
        let (name, message) = read_named(&named).unwrap();
        assert_eq!((name, Message::read(message)), ("notes:b1", Ok(Message::Step1(&[0]))));
        assert_eq!(write_ack("notes:b1", 300), b"\x08notes:b1\x64\xac\x02");
        let reset = write_reset("notes:b1", Refusal::Full, 7, &[0, 0]);
        assert_eq!(reset, b"\x08notes:b1\x65\x04full\x14the document is full\x07\x02\x00\x00");
        for broken in [&b""[..], b"\x09notes:b1", b"\x01\xff\x00", b"\xff\xff\xff\xff\xff\xff\xff\xff\x01a"] {
            assert!(read_named(broken).is_err(), "{broken:?}");
        }
    }

    #[test]
    fn numbers_end_where_javascript_ends() {
        let mut bytes = Vec::new();
        put_uint(&mut bytes, MAX_SAFE);
        assert_eq!(Reader::new(&bytes).uint(), Ok(MAX_SAFE));
        let mut bytes = Vec::new();
        put_uint(&mut bytes, MAX_SAFE + 1);
        assert!(Reader::new(&bytes).uint().is_err());
        assert!(Reader::new(&[0xff; 20]).uint().is_err());
        assert!(Reader::new(&[0x80]).uint().is_err());
    }

    #[test]
    fn a_length_that_lies_is_refused() {
        assert!(Message::read(&[0, 2, 0xff, 0xff, 0xff, 0x7f, 1]).is_err());
        assert!(read_state_vector(&[0xff, 0xff, 0xff, 0x7a]).is_err());
        assert!(Message::read(&[0, 0, 1, 0, 9]).is_err());
    }
}
