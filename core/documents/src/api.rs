//! What goes into a [`Hub`](crate::Hub) and what comes out of it. All of it is values.

use std::sync::Arc;

/// Milliseconds of a clock that never goes back; whose zero it is does not matter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Ms(pub u64);

impl Ms {
    /// So much later.
    pub fn plus(self, ms: u64) -> Ms {
        Ms(self.0.saturating_add(ms))
    }

    /// How many milliseconds after that moment; 0 if before.
    pub fn since(self, earlier: Ms) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// One connection to one document. A number is used once, also by the same person's next connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ClientKey(pub u64);

/// The place of an update in its document's log, from 1. 0 is the empty document.
pub type DocSeq = u64;

/// What somebody may do with a document.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rights {
    /// See it.
    pub view: bool,
    /// Change it.
    pub write: Write,
}

/// What somebody may change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Write {
    /// Nothing.
    #[default]
    Nothing,
    /// Elements that are theirs: `board.draw_own`.
    Own,
    /// Everything.
    All,
}

/// What a client understands beside y-protocols.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    /// Ours: it takes resets and acknowledgements.
    Ours,
    /// A stock Yjs provider.
    Stock,
}

/// A document as it is stored.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Stored {
    /// The newest first.
    pub snapshots: Vec<Snapshot>,
    /// Every update after the oldest snapshot, or from 1, in order.
    pub updates: Vec<StoredUpdate>,
}

/// A whole document as of a place in its log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    /// It contains the updates up to this one.
    pub seq: DocSeq,
    /// A Yjs update (v1) that makes the document out of nothing.
    pub bytes: Arc<[u8]>,
}

/// One update of a document's log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredUpdate {
    /// Its place.
    pub seq: DocSeq,
    /// Who brought it; `None` is the server.
    pub person: Option<Arc<str>>,
    /// A Yjs update (v1).
    pub bytes: Arc<[u8]>,
}

/// What happens to a document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// What the store has of it, which is nothing for a new document.
    Loaded(Stored),
    /// The store could not read it.
    LoadFailed,
    /// Somebody opens it.
    Attach {
        /// The new connection.
        client: ClientKey,
        /// Who it is. What they draw names them as `author`.
        person: Arc<str>,
        /// What they may do,
        rights: Rights,
        /// and since which version of their grant.
        epoch: u64,
        /// What their client understands.
        style: Style,
    },
    /// A connection is gone.
    Detach(ClientKey),
    /// A client sends a frame of y-protocols.
    Message {
        /// Which client.
        client: ClientKey,
        /// The version of its grant that it knew, if it says so.
        epoch: Option<u64>,
        /// The frame.
        frame: Vec<u8>,
    },
    /// What somebody may do has changed. [`Output::Fenced`] answers.
    Rights {
        /// Who.
        person: Arc<str>,
        /// What they may do from here on,
        rights: Rights,
        /// and since which version of their grant.
        epoch: u64,
    },
    /// Empties a board. [`Output::Cleared`] answers.
    Clear {
        /// Comes back in the answer.
        request: u64,
    },
    /// Everything up to this update is on the disk.
    Durable(DocSeq),
    /// An append or a compaction failed. Nothing that waits for it will be stored.
    StoreFailed,
    /// The time of [`Hub::poll_timeout`](crate::Hub::poll_timeout) has come.
    Timeout,
    /// Everybody is to go, for this reason: the class has ended, the server stops.
    Close(&'static str),
}

/// What a document wants done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Store an update, behind everything before it. [`Input::Durable`] or [`Input::StoreFailed`] answers.
    Append(StoredUpdate),
    /// Store the whole document, behind everything before it. The newest snapshot before it is kept, and the updates since that
    /// one, so that a damaged snapshot loses nothing; what is older may go.
    Compact(Snapshot),
    /// Send a frame of y-protocols.
    Send {
        /// To these clients.
        to: Vec<ClientKey>,
        /// The frame.
        frame: Arc<[u8]>,
        /// Of an update or a state: the place in the document's log up to which whoever applies it has everything.
        seq: Option<DocSeq>,
        /// Whether it may be dropped when a client does not keep up.
        lane: Lane,
    },
    /// One update of this client, in the order in which they came, is on the disk. For [`Style::Ours`].
    Ack {
        /// Whose.
        client: ClientKey,
        /// Its place in the document's log; where it changed nothing, the place reached.
        seq: DocSeq,
    },
    /// An update of this client was refused. Its document starts again from the snapshot, with a new Yjs client; what is not in the
    /// snapshot was not saved. The client is detached. For [`Style::Ours`].
    Reset {
        /// Whose.
        client: ClientKey,
        /// Why.
        refusal: Refusal,
        /// The document as it is,
        snapshot: Arc<[u8]>,
        /// as of this update.
        seq: DocSeq,
    },
    /// The client is detached; close its connection to this document.
    Close {
        /// Which.
        client: ClientKey,
        /// Why, for programs,
        code: Code,
        /// and for people.
        reason: &'static str,
    },
    /// From here on nothing reaches anybody that this person could do by an older grant only.
    Fenced {
        /// Who.
        person: Arc<str>,
        /// The version of their grant that is in force.
        epoch: u64,
    },
    /// The board was emptied and that is on the disk.
    Cleared {
        /// From [`Input::Clear`].
        request: u64,
        /// The place before it; `None` if it was not done.
        before: Option<DocSeq>,
    },
    /// Nothing follows; whoever wants the document loads it again, as a new generation.
    Unloaded {
        /// Of this hub.
        generation: u64,
    },
}

/// What may happen to a message on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lane {
    /// It must arrive, in order, or the connection must end.
    Ordered,
    /// The next one replaces it: it may be dropped.
    Latest,
}

/// Why a connection to a document is closed. On a WebSocket of its own it is the close code: providers do not come back by
/// themselves after 4400 to 4499 (y-websocket 3.1), and do after 4500 to 4599.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum Code {
    /// The client sent something that is no message.
    Malformed = 4400,
    /// Not permitted, or an update was refused. What follows from a stock provider is read-only.
    Refused = 4403,
    /// What the person may do has changed: connect again.
    Again = 4509,
    /// Too fast: connect again, and nothing is lost.
    TooFast = 4529,
    /// The document cannot be had at the moment: `doc_unavailable`.
    Unavailable = 4503,
}

/// Why an update was refused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Refusal {
    /// The person may not change this document.
    Forbidden,
    /// They could when they last heard of it. Nobody's fault.
    StaleGrant,
    /// They may change what is their own, and this is not, or it does not name them as its author.
    NotYours,
    /// It builds on something that the server does not have, such as an update that was refused.
    Missing,
    /// No Yjs client writes this.
    Malformed,
    /// The update is too large.
    TooLarge,
    /// The document is full.
    Full,
}

impl Refusal {
    /// For programs.
    pub fn code(self) -> &'static str {
        match self {
            Refusal::Forbidden => "forbidden",
            Refusal::StaleGrant => "stale_grant",
            Refusal::NotYours => "not_yours",
            Refusal::Missing => "missing",
            Refusal::Malformed => "malformed",
            Refusal::TooLarge => "too_large",
            Refusal::Full => "full",
        }
    }

    /// For people.
    pub fn text(self) -> &'static str {
        match self {
            Refusal::Forbidden => "you may not change this document",
            Refusal::StaleGrant => "you may not change this document any more",
            Refusal::NotYours => "you may change only what you drew yourself",
            Refusal::Missing => "this builds on a change that was not saved",
            Refusal::Malformed => "this change cannot be read",
            Refusal::TooLarge => "this change is too large",
            Refusal::Full => "the document is full",
        }
    }
}

/// Where a document stands in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Its bytes are on the way. Nobody hears anything of it yet.
    Loading,
    /// It is served.
    Loaded,
    /// Nobody is there, and the last updates are on their way to the disk.
    Draining,
    /// It is gone from memory, for good.
    Unloaded,
}

/// The state of a document that a client can compare with its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pulse {
    /// Up to this update,
    pub seq: DocSeq,
    /// the state has this hash; write it with eight hexadecimal digits.
    pub hash: u32,
}

/// What a hub has counted since it began.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Updates taken.
    pub updates: u64,
    /// Updates refused.
    pub refused: u64,
    /// Updates of read-only connections of stock providers that were passed over.
    pub ignored: u64,
    /// Connections closed because they were too fast.
    pub too_fast: u64,
    /// Times that the document was rebuilt because `yrs` failed on an update.
    pub rebuilt: u64,
    /// Snapshots written.
    pub compactions: u64,
    /// Snapshots that did not read back as the document and were not written.
    pub bad_snapshots: u64,
    /// Stored snapshots that could not be read, so that an older one and its updates were taken.
    pub damaged_snapshots: u64,
}
