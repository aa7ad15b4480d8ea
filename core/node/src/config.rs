//! What the shell tells a class about itself when it opens it.

use crate::limits::Limits;
use lyceum_session as session;
use lyceum_sfu as sfu;

/// The version that clients are told. They gate features on LiveKit's version number and refuse to join, or panic, when it
/// is not a semantic version of at least 1.8.0, so this is the LiveKit release whose protocol is spoken here.
pub const SERVER_VERSION: &str = "1.13.5";

/// One class: who and where it is, and how long it waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeConfig {
    /// Whose organisation; only used to start a new session.
    pub tenant: session::TenantId,
    /// Which Room; only used to start a new session.
    pub room: session::RoomName,
    /// The new session's id, `RM_…`; only used to start a new session.
    pub session: session::SessionId,
    /// Application text of the Room; only used to start a new session.
    pub metadata: String,
    /// Limits and waits of the session; only used to start a new session.
    pub policy: session::Policy,
    /// Who hears whom. Below 2^40 and unique in the server: the keys of this class's tracks are built from it.
    pub group: sfu::GroupKey,
    /// Name of this server, shown to clients.
    pub node_id: String,
    /// Region of this server, shown to clients.
    pub region: String,
    /// LiveKit version that clients are told; see [`SERVER_VERSION`].
    pub server_version: String,
    /// STUN and TURN servers for clients.
    pub ice_servers: Vec<IceServer>,
    /// Codecs that clients may publish, preferred ones first.
    pub codecs: Vec<sfu::Codec>,
    /// How often a client should send a ping.
    pub ping_interval_ms: u64,
    /// After how long without an answer a client gives up.
    pub ping_timeout_ms: u64,
    /// How much longer than `ping_timeout_ms` the server waits for a silent socket.
    pub ping_grace_ms: u64,
    /// How long a client may take to get its media connected.
    pub media_connect_timeout_ms: u64,
    /// Shortest time between two `room_update`s.
    pub room_update_interval_ms: u64,
    /// How long, in a large class, news of people who publish nothing may wait for more of its kind.
    pub gather_news_ms: u64,
    /// How often a client gets a fresh token, so that it can come back after its first one has expired.
    pub token_refresh_interval_ms: u64,
    /// Whether an administrator may unmute somebody's track.
    pub remote_unmute: bool,
    /// Sizes, rates and bounds.
    pub limits: Limits,
}

impl NodeConfig {
    /// The protocol's own waits and limits, Opus, VP8 and H.264.
    pub fn new(
        tenant: session::TenantId,
        room: session::RoomName,
        session: session::SessionId,
        policy: session::Policy,
        group: sfu::GroupKey,
    ) -> Self {
        Self {
            tenant,
            room,
            session,
            metadata: String::new(),
            policy,
            group,
            node_id: "lyceum".to_owned(),
            region: String::new(),
            server_version: SERVER_VERSION.to_owned(),
            ice_servers: Vec::new(),
            codecs: vec![sfu::Codec::Opus, sfu::Codec::Vp8, sfu::Codec::H264],
            ping_interval_ms: 5_000,
            ping_timeout_ms: 15_000,
            ping_grace_ms: 5_000,
            media_connect_timeout_ms: 60_000,
            room_update_interval_ms: 5_000,
            gather_news_ms: 300,
            token_refresh_interval_ms: 300_000,
            remote_unmute: false,
            limits: Limits::standard(),
        }
    }
}

/// A STUN or TURN server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IceServer {
    /// `stun:` and `turn:` URLs.
    pub urls: Vec<String>,
    /// For TURN.
    pub username: String,
    /// For TURN.
    pub credential: String,
}
