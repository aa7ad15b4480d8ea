//! Whiteboard pages and notes: Yjs documents that several people change at once. A [`Hub`] is one document: it judges updates
//! by what their authors may do, has them stored before anybody hears of them, and brings every replica to the same state. It knows
//! no socket, disk, clock or class: messages, permissions and what became durable come in; appends and messages go out.
//!
//! `yrs` holds the content. Strangers' bytes reach it only after `scan.rs` and `index.rs` have understood them.

mod api;
mod awareness;
mod hash;
mod hub;
mod id;
mod index;
mod judge;
mod limits;
mod load;
mod ranges;
mod replica;
mod scan;
mod wire;

pub use api::{
    ClientKey, Code, DocSeq, Input, Lane, Ms, Output, Phase, Pulse, Refusal, Rights, Snapshot, Stats, Stored,
    StoredUpdate, Style, Write,
};
pub use hub::Hub;
pub use id::{DocId, NoDocument};
pub use limits::Limits;
pub use wire::{Malformed, Message, read_named, write_ack, write_named, write_reset};
