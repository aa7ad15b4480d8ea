//! The open sockets of a class: what each client said of itself when it joined, what it receives, and what it has left of its
//! allowances. A client belongs to one connection of one person.

use crate::api::{ClientId, Join};
use crate::limits::{Allowance, Limits, Rate};
use crate::quality::Networks;
use lyceum_session as session;
use lyceum_sfu as sfu;
use session::{ConnectionId, PersonId, TrackId, UnixMs};
use std::collections::BTreeMap;

/// Answers to what a client should not have sent; the rest of a flood is only counted.
const COMPLAINTS: Rate = Rate { per_second: 5, burst: 20 };

/// One open socket.
pub(crate) struct Client {
    pub(crate) id: ClientId,
    pub(crate) person: PersonId,
    pub(crate) connection: ConnectionId,
    pub(crate) sdk: String,
    pub(crate) protocol: i32,
    pub(crate) client_protocol: i32,
    pub(crate) capabilities: Vec<i32>,
    pub(crate) auto_subscribe: bool,
    pub(crate) adaptive_stream: bool,
    pub(crate) full_ice: bool,
    /// The peer that must connect for the client to count as active.
    pub(crate) primary: sfu::Target,
    /// Since when the client has its join response, and media.
    pub(crate) welcomed_at: Option<UnixMs>,
    /// Whether its primary peer has connected.
    pub(crate) active: bool,
    /// Since when one of its peers is gone.
    pub(crate) media_gone_at: Option<UnixMs>,
    pub(crate) networks: Networks,
    /// How loud the client is while it speaks, 0 to 1.
    pub(crate) speaks_at: Option<f32>,
    pub(crate) last_signal_at: UnixMs,
    pub(crate) token_refresh_at: UnixMs,
    /// Until when the client pretends to speak (`simulate`).
    pub(crate) pretends_to_speak_until: Option<UnixMs>,
    /// What it receives, or has settings for.
    pub(crate) views: BTreeMap<TrackId, View>,
    /// Sequence number of its last reliable data packet.
    pub(crate) last_data_sequence: u32,
    pub(crate) signals: Allowance,
    pub(crate) data_messages: Allowance,
    pub(crate) data_bytes: Allowance,
    pub(crate) complaints: Allowance,
}

/// One track as one client wants it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct View {
    pub(crate) subscribed: bool,
    pub(crate) wish: sfu::Wish,
}

impl Client {
    pub(crate) fn new(id: ClientId, join: &Join, connection: ConnectionId, limits: &Limits, now: UnixMs) -> Self {
        Self {
            id,
            person: join.person.clone(),
            connection,
            sdk: join.client.sdk.clone(),
            protocol: join.client.protocol,
            client_protocol: join.client_protocol,
            capabilities: join.capabilities.clone(),
            auto_subscribe: join.auto_subscribe,
            adaptive_stream: join.adaptive_stream,
            full_ice: join.full_ice,
            primary: sfu::Target::Subscriber,
            welcomed_at: None,
            active: false,
            media_gone_at: None,
            networks: Networks::default(),
            speaks_at: None,
            last_signal_at: now,
            token_refresh_at: now,
            pretends_to_speak_until: None,
            views: BTreeMap::new(),
            last_data_sequence: 0,
            signals: Allowance::new(limits.signals, now),
            data_messages: Allowance::new(limits.data_messages, now),
            data_bytes: Allowance::new(limits.data_bytes, now),
            complaints: Allowance::new(COMPLAINTS, now),
        }
    }

    pub(crate) fn conn(&self) -> sfu::ConnKey {
        media_of(self.id)
    }

    pub(crate) fn is_welcome(&self) -> bool {
        self.welcomed_at.is_some()
    }

    pub(crate) fn receives(&self, track: &TrackId) -> bool {
        self.views.get(track).is_some_and(|view| view.subscribed)
    }

    /// Whether this client's software understands `request_response`.
    pub(crate) fn understands_responses(&self) -> bool {
        !(self.sdk.eq_ignore_ascii_case("rust") && self.protocol < 10)
    }
}

/// The media of a client has the client's own number.
pub(crate) fn media_of(client: ClientId) -> sfu::ConnKey {
    sfu::ConnKey(client.0)
}

/// All open sockets.
#[derive(Default)]
pub(crate) struct Clients(BTreeMap<ClientId, Client>);

impl Clients {
    pub(crate) fn insert(&mut self, client: Client) {
        self.0.insert(client.id, client);
    }

    pub(crate) fn remove(&mut self, id: ClientId) -> Option<Client> {
        self.0.remove(&id)
    }

    pub(crate) fn get(&self, id: ClientId) -> Option<&Client> {
        self.0.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: ClientId) -> Option<&mut Client> {
        self.0.get_mut(&id)
    }

    /// Whose media this is. Nobody has media before they are welcome.
    pub(crate) fn of_media(&self, conn: sfu::ConnKey) -> Option<&Client> {
        self.get(ClientId(conn.0)).filter(|client| client.is_welcome())
    }

    pub(crate) fn of_media_mut(&mut self, conn: sfu::ConnKey) -> Option<&mut Client> {
        self.get_mut(ClientId(conn.0)).filter(|client| client.is_welcome())
    }

    pub(crate) fn of_connection(&self, connection: &ConnectionId) -> Option<&Client> {
        self.iter().find(|client| client.connection == *connection)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Client> {
        self.0.values()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Client> {
        self.0.values_mut()
    }

    pub(crate) fn ids(&self) -> Vec<ClientId> {
        self.0.keys().copied().collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
