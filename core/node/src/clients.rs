//! The clients of a class: what each said of itself when it joined, what it receives, and what it has left of its allowances. A
//! client belongs to one connection of one person. Its socket may be lost and another take its place, while its media, which
//! has the client's own number, goes on.

use crate::api::{ClientId, Join};
use crate::choices::Choices;
use crate::limits::{Allowance, Limits, Rate};
use crate::permissions::Allowed;
use crate::quality::Networks;
use crate::scenarios::NextResume;
use livekit_protocol as proto;
use lyceum_session as session;
use lyceum_sfu as sfu;
use session::{ConnectionId, PersonId, TrackId, UnixMs};
use std::collections::BTreeMap;

/// Answers to what a client should not have sent; the rest of a flood is only counted.
const COMPLAINTS: Rate = Rate { per_second: 5, burst: 20 };

/// One client.
pub(crate) struct Client {
    /// The socket that it joined with, and the number of its media.
    pub(crate) id: ClientId,
    /// The socket that it has now; `None` while it is lost.
    pub(crate) socket: Option<ClientId>,
    /// What is to be said once it has been told that it has resumed; `None` if it need not be told that.
    pub(crate) held: Option<Vec<proto::SignalResponse>>,
    /// It has resumed, and hears of no offer before the one that restarts ICE.
    pub(crate) awaits_restart: bool,
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
    /// Whether peers that are gone can find a new way; not if the client has closed one.
    pub(crate) media_can_return: bool,
    pub(crate) networks: Networks,
    /// How loud the client is while it speaks, 0 to 1.
    pub(crate) speaks_at: Option<f32>,
    pub(crate) last_signal_at: UnixMs,
    pub(crate) token_refresh_at: UnixMs,
    /// Until when the client pretends to speak (`simulate`).
    pub(crate) pretends_to_speak_until: Option<UnixMs>,
    /// What a test suite wants to happen when this client resumes.
    pub(crate) at_next_resume: Option<NextResume>,
    /// Who may receive what it publishes; `None` is everybody.
    pub(crate) allowed: Option<Allowed>,
    /// What its person had chosen before it joined, as long as nothing of the kind has come.
    pub(crate) restored: Choices,
    /// What it has chosen since that was written down last, and when that is to be done.
    pub(crate) new_choices: Choices,
    pub(crate) choices_at: Option<UnixMs>,
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
    /// Whether it would be received, if its publisher lets it be.
    pub(crate) wanted: bool,
    pub(crate) wish: sfu::Wish,
    /// Whether it was told last that the network has no room for the picture.
    pub(crate) paused: bool,
}

impl Client {
    pub(crate) fn new(id: ClientId, join: &Join, connection: ConnectionId, limits: &Limits, now: UnixMs) -> Self {
        Self {
            id,
            socket: Some(id),
            held: None,
            awaits_restart: false,
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
            media_can_return: true,
            networks: Networks::default(),
            speaks_at: None,
            last_signal_at: now,
            token_refresh_at: now,
            pretends_to_speak_until: None,
            at_next_resume: None,
            allowed: None,
            restored: Choices::new(),
            new_choices: Choices::new(),
            choices_at: None,
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

    /// The socket on which it can be told something at once.
    pub(crate) fn hears_on(&self) -> Option<ClientId> {
        self.socket.filter(|_| self.held.is_none())
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

/// All clients.
#[derive(Default)]
pub(crate) struct Clients {
    by_id: BTreeMap<ClientId, Client>,
    /// Whose each socket is.
    by_socket: BTreeMap<ClientId, ClientId>,
}

impl Clients {
    pub(crate) fn insert(&mut self, client: Client) {
        self.by_socket.extend(client.socket.map(|socket| (socket, client.id)));
        self.by_id.insert(client.id, client);
    }

    pub(crate) fn remove(&mut self, id: ClientId) -> Option<Client> {
        let client = self.by_id.remove(&id)?;
        client.socket.map(|socket| self.by_socket.remove(&socket));
        Some(client)
    }

    /// Whose socket this is.
    pub(crate) fn of_socket(&self, socket: ClientId) -> Option<ClientId> {
        self.by_socket.get(&socket).copied()
    }

    /// Takes a client's socket away. Returns it.
    pub(crate) fn unbind(&mut self, id: ClientId) -> Option<ClientId> {
        let client = self.by_id.get_mut(&id)?;
        client.held = None;
        let socket = client.socket.take()?;
        self.by_socket.remove(&socket);
        Some(socket)
    }

    /// Gives a client without a socket another. Until it has been told that it has resumed, it is told nothing else.
    pub(crate) fn bind(&mut self, id: ClientId, socket: ClientId) {
        if let Some(client) = self.by_id.get_mut(&id) {
            client.socket = Some(socket);
            client.held = Some(Vec::new());
            client.awaits_restart = true;
            self.by_socket.insert(socket, id);
        }
    }

    pub(crate) fn get(&self, id: ClientId) -> Option<&Client> {
        self.by_id.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: ClientId) -> Option<&mut Client> {
        self.by_id.get_mut(&id)
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
        self.by_id.values()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Client> {
        self.by_id.values_mut()
    }

    pub(crate) fn ids(&self) -> Vec<ClientId> {
        self.by_id.keys().copied().collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}
