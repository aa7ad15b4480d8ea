//! What goes into a node and what comes out of it. Both are values; the shell owns sockets, disk, clock and threads.

use livekit_protocol as proto;
use lyceum_session as session;
use lyceum_sfu as sfu;
use session::class::{ClassCommand, SideWrite};
use std::sync::Arc;

pub use crate::ack::Ack;

/// One signalling socket, for as long as it is open. Unique in the server; at most 48 bits are used. It is also the `ConnKey` of
/// the media that belongs to it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ClientId(pub u64);

/// A request to join that the shell has authenticated (token checked, room grant checked).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Join {
    /// Who, from the token.
    pub person: session::PersonId,
    /// How they are shown and what they may do, from the token (and role from its `lyceum` claim).
    pub profile: session::Profile,
    /// What the device says of itself.
    pub client: session::Client,
    /// LiveKit's `client_protocol` (RPC and stream features), passed on to others.
    pub client_protocol: i32,
    /// LiveKit's `ClientInfo.Capability` numbers, passed on to others.
    pub capabilities: Vec<i32>,
    /// The Space that the token names; only used if the log does not know where they are.
    pub space: Option<session::SpaceName>,
    /// Subscribe to everything that is published.
    pub auto_subscribe: bool,
    /// The client sends `track_setting` with sizes; until it does, a video track is paused.
    pub adaptive_stream: bool,
    /// `reconnect=1` with this participant sid: the client wants to resume. It is told to join afresh.
    pub resume: Option<session::ConnectionId>,
    /// Full ICE for clients that need it (Firefox).
    pub full_ice: bool,
}

/// A state socket whose first message the shell has authenticated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Enter {
    /// Who, from the token.
    pub person: session::PersonId,
    /// How they are shown and what they may do, from the token; only used if the log does not know them.
    pub profile: session::Profile,
    /// What the device says of itself, its own name included.
    pub client: session::Client,
    /// The Space that the token names; only used if the log does not know where they are.
    pub space: Option<session::SpaceName>,
    /// The session, and the place in its log up to which the client has everything.
    pub since: Option<(session::SessionId, session::Seq)>,
}

/// A command as a client wrote it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommandRequest {
    /// The client's id for it.
    pub id: session::CmdId,
    /// A digest of its type and payload, from 1 to 2^53 - 1.
    pub digest: u64,
    /// What it wants.
    pub command: ClassCommand,
    /// The revision of what it changes, as the client saw it last.
    pub expect: Option<session::Seq>,
    /// The version of the sender's grant that the client saw last.
    pub epoch: Option<session::class::Epoch>,
    /// When a server first had it in its hands.
    pub received_at: session::UnixMs,
}

/// One order, unique among those that wait for an answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OrderId(pub u64);

/// What somebody wants who may administer the class; the shell has checked that they may.
#[derive(Clone, PartialEq, Debug)]
pub enum Order {
    /// How the class is: [`Answer::Room`].
    LookAtRoom,
    /// Everybody who is here or may be back soon, hidden ones included: [`Answer::People`].
    LookAtPeople,
    /// One of them: [`Answer::Person`].
    LookAtPerson(session::PersonId),
    /// A person is removed.
    Remove(session::PersonId),
    /// The session ends for everybody.
    End,
    /// People are placed in a Space, all at once.
    Move {
        /// Who.
        persons: Vec<session::PersonId>,
        /// Where to.
        space: session::SpaceName,
    },
    /// A person's name, metadata, attributes or permission change: [`Answer::Person`].
    Update(Box<proto::UpdateParticipantRequest>),
    /// A track is muted or unmuted: [`Answer::Track`].
    Mute(proto::MuteRoomTrackRequest),
    /// A person receives tracks, or does not.
    Subscribe(proto::UpdateSubscriptionsRequest),
    /// Everybody in the class, or those who are named, get a message.
    SendData(proto::SendDataRequest),
    /// The Room has another application text: [`Answer::Room`].
    DescribeRoom {
        /// The text.
        metadata: String,
    },
    /// Something is done in the class: [`Answer::Outcome`].
    Command {
        /// As whom; `None` is the server itself.
        actor: Option<session::PersonId>,
        /// What.
        command: Box<CommandRequest>,
    },
    /// How the class is as somebody sees it: [`Answer::Class`].
    LookAtClass {
        /// Who looks; `None` is the server itself.
        viewer: Option<session::PersonId>,
    },
    /// A deck, for somebody who reads or brings its file: [`Answer::Deck`].
    LookAtDeck {
        /// Who; `None` is the server itself.
        person: Option<session::PersonId>,
        /// Which.
        deck: session::Seq,
        /// Whether they bring it.
        brings: bool,
    },
}

/// What came of an order.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// Done, at this place in the log.
    Done(session::Seq),
    /// The class.
    Room(Box<proto::Room>),
    /// One person.
    Person(Box<proto::ParticipantInfo>),
    /// Everybody.
    People(Vec<proto::ParticipantInfo>),
    /// One track.
    Track(Box<proto::TrackInfo>),
    /// What became of a command; a rejection is an outcome like another.
    Outcome(Box<Ack>),
    /// The class as JSON: `seq` and `snapshot`.
    Class(Arc<str>),
    /// A deck.
    Deck(Box<session::class::Deck>),
}

/// What a node is told.
#[derive(Clone, PartialEq, Debug)]
pub enum Input {
    /// Somebody joins; their socket is open (or about to be) and bound to `client`.
    Join {
        /// The socket.
        client: ClientId,
        /// Who and how.
        join: Box<Join>,
    },
    /// A signal from a client.
    Signal {
        /// The socket.
        client: ClientId,
        /// The message.
        request: Box<proto::SignalRequest>,
    },
    /// A state socket said who it belongs to.
    Enter {
        /// The socket.
        client: ClientId,
        /// Who and how.
        enter: Box<Enter>,
    },
    /// A command came over a state socket.
    Command {
        /// The socket.
        client: ClientId,
        /// The command.
        command: Box<CommandRequest>,
    },
    /// A goodbye came over a state socket.
    Goodbye {
        /// The socket.
        client: ClientId,
    },
    /// A socket is gone. `last_seen` is the time of its last message.
    SocketClosed {
        /// The socket.
        client: ClientId,
        /// Last sign of life.
        last_seen: session::UnixMs,
    },
    /// A media shard tells something of one of this node's connections or groups.
    Media(sfu::Event),
    /// Every event up to this one is on disk. Only now may anyone be told of it.
    Durable(session::Seq),
    /// So many appends of side records alone, since the node began, are on disk.
    Kept(u64),
    /// The answer to [`Output::Enforce`].
    Enforced {
        /// Its number.
        id: u64,
    },
    /// The store refused an append. The node tells its clients to reconnect, and ends with [`Output::Closed`].
    StoreFailed,
    /// Somebody who may administer the class wants something. Answered by [`Output::Reply`], unless the node ends before.
    Order {
        /// Which answer belongs to it; the shell's.
        id: OrderId,
        /// What.
        order: Box<Order>,
    },
    /// The server shuts down: everybody is told to reconnect; connections are detached in the log; [`Output::Closed`] follows
    /// once that is durable.
    Shutdown,
    /// The time given by `poll_timeout` has come.
    Timeout,
}

/// What a node wants done, in order.
#[derive(Clone, PartialEq, Debug)]
pub enum Output {
    /// Append to the log, and write beside it in the same transaction. Appends are in `seq` order; each is answered in time by
    /// [`Input::Durable`], or by [`Input::Kept`] if it has no events.
    Append {
        /// The events; there may be none.
        events: Vec<session::Event>,
        /// Side records.
        side: Vec<SideWrite>,
    },
    /// See to it that nobody can do anything in the class's documents any more that they could by a grant or a place before this
    /// event, which is on the disk, and that the boards are empty that were cleared up to it. [`Input::Enforced`] answers once it is so.
    Enforce {
        /// Comes back in the answer.
        id: u64,
        /// The event.
        seq: session::Seq,
    },
    /// Send a message over a state socket: a JSON object.
    Text {
        /// The socket.
        client: ClientId,
        /// The message.
        text: Arc<str>,
    },
    /// Sign a token to come back with, put it into the object as `token`, and send that over a state socket.
    Welcome {
        /// The socket.
        client: ClientId,
        /// Who.
        person: session::PersonId,
        /// The profile to sign.
        profile: Box<session::Profile>,
        /// Where they are.
        space: session::SpaceName,
        /// The message without its token.
        text: Arc<str>,
    },
    /// Send a signal. As with all outputs for a socket, drop it if the socket is gone.
    Signal {
        /// The socket.
        client: ClientId,
        /// The message.
        response: Box<proto::SignalResponse>,
    },
    /// Sign an access token with this person's current profile and send it as `refresh_token`.
    RefreshToken {
        /// The socket.
        client: ClientId,
        /// Who.
        person: session::PersonId,
        /// The profile to sign.
        profile: Box<session::Profile>,
        /// Where they are.
        space: session::SpaceName,
    },
    /// Sign an access token likewise, put it into `moved`, and send that as `room_moved`.
    Moved {
        /// The socket.
        client: ClientId,
        /// Who.
        person: session::PersonId,
        /// The profile to sign.
        profile: Box<session::Profile>,
        /// Where they are from here on.
        space: session::SpaceName,
        /// Everything but the token.
        moved: Box<proto::RoomMovedResponse>,
    },
    /// The answer to an order; what it changed is durable.
    Reply {
        /// Which order.
        id: OrderId,
        /// What came of it.
        result: Result<Answer, session::Reject>,
    },
    /// Close a socket (1000) after everything before has been sent. Nothing follows for it, and [`Input::SocketClosed`] for it
    /// is ignored.
    CloseSocket {
        /// The socket.
        client: ClientId,
    },
    /// The join is refused; sent instead of a join response, and the socket is closed. The shell answers with an HTTP error if it has
    /// not upgraded yet.
    JoinRefused {
        /// The socket.
        client: ClientId,
        /// Why.
        reject: session::Reject,
    },
    /// Tell the media shard.
    Media(sfu::Command),
    /// The node has ended (session over, shut down, or store failed); drop it. Nothing follows.
    Closed,
}
