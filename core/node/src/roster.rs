//! Who is in the class as its members see it: the session's participants with the sid, version and liveness that LiveKit's
//! `ParticipantInfo` has. A person who lost their connection keeps their seat, and their sid, until they are back or offline.

use crate::api::ClientId;
use crate::clients::Clients;
use crate::rng::Rng;
use crate::tracks::Tracks;
use crate::wire;
use livekit_protocol as proto;
use lyceum_session as session;
use proto::DisconnectReason;
use proto::participant_info::State as WireState;
use session::{ConnectionId, Lane, PersonId, Presence, State};
use std::collections::BTreeMap;

/// One person as the others see them.
pub(crate) struct Seat {
    /// The connection that they are, or were last, here with.
    pub(crate) sid: ConnectionId,
    /// The socket of that connection, while it is open.
    pub(crate) client: Option<ClientId>,
    /// Whether its media has connected.
    pub(crate) active: bool,
    /// Increases with each change, since clients drop what is older.
    pub(crate) version: u32,
}

/// Everybody who is online or may be back soon.
#[derive(Default)]
pub(crate) struct Roster(BTreeMap<PersonId, Seat>);

impl Roster {
    /// Seats for those whom a replayed log has in the class with media. Nobody is connected after a replay, so the sids are new.
    pub(crate) fn of_replayed(state: &State, rng: &mut Rng) -> Self {
        let here = state.participants.iter().filter(|(_, known)| {
            let has_media = known.lost.is_some() || known.connections_of(Lane::Media).next().is_some();
            has_media || matches!(known.presence, Presence::Reconnecting { .. })
        });
        Self(here.map(|(person, _)| (person.clone(), Seat::new(rng.id("PA_").into(), None))).collect())
    }

    pub(crate) fn take_seat(&mut self, person: &PersonId, sid: ConnectionId, client: Option<ClientId>) {
        self.0.insert(person.clone(), Seat::new(sid, client));
    }

    pub(crate) fn give_up_seat(&mut self, person: &PersonId) -> Option<Seat> {
        self.0.remove(person)
    }

    pub(crate) fn seat(&self, person: &PersonId) -> Option<&Seat> {
        self.0.get(person)
    }

    pub(crate) fn seat_mut(&mut self, person: &PersonId) -> Option<&mut Seat> {
        self.0.get_mut(person)
    }

    pub(crate) fn people(&self) -> impl Iterator<Item = &PersonId> {
        self.0.keys()
    }

    /// A person as others see them; `None` if they have no seat.
    pub(crate) fn info(
        &self,
        person: &PersonId,
        state: &State,
        clients: &Clients,
        tracks: &Tracks,
    ) -> Option<proto::ParticipantInfo> {
        let (seat, known) = (self.0.get(person)?, state.participants.get(person)?);
        let profile = &known.profile;
        let own = state.tracks.values().filter(|publication| publication.person == *person);
        let own: Vec<_> =
            own.map(|publication| wire::track_info(publication, tracks.get(&publication.track))).collect();
        let client = seat.client.and_then(|client| clients.get(client));
        let mut attributes: std::collections::HashMap<_, _> =
            profile.attributes.iter().map(|(key, value)| (key.clone(), value.0.clone())).collect();
        attributes.insert(wire::ROLE_ATTRIBUTE.to_owned(), wire::role_name(profile.role).to_owned());
        if !known.space.is_main() {
            attributes.insert(wire::SPACE_ATTRIBUTE.to_owned(), known.space.0.clone());
        }
        if known.lost.is_some() || matches!(known.presence, Presence::Reconnecting { .. }) {
            attributes.insert(wire::PRESENCE_ATTRIBUTE.to_owned(), "reconnecting".to_owned());
        }
        let muted: Vec<_> =
            known.muted.iter().filter(|(_, muted)| **muted).map(|(source, _)| wire::source_name(*source)).collect();
        if !muted.is_empty() {
            attributes.insert(wire::MUTED_ATTRIBUTE.to_owned(), muted.join(","));
        }
        let joined_at_ms = i64::try_from(known.joined_at.0).unwrap_or(i64::MAX);
        Some(proto::ParticipantInfo {
            sid: seat.sid.0.clone(),
            identity: person.0.clone(),
            state: if seat.active { WireState::Active } else { WireState::Joined }.into(),
            is_publisher: !own.is_empty(),
            tracks: own,
            metadata: profile.metadata.0.clone(),
            joined_at: joined_at_ms / 1_000,
            joined_at_ms,
            name: profile.name.0.clone(),
            version: seat.version,
            permission: state.permission(person).as_ref().map(wire::permission),
            kind: wire::participant_kind(profile.kind),
            attributes,
            client_protocol: client.map_or(0, |client| client.client_protocol),
            capabilities: client.map(|client| client.capabilities.clone()).unwrap_or_default(),
            ..Default::default()
        })
    }
}

impl Seat {
    fn new(sid: ConnectionId, client: Option<ClientId>) -> Self {
        Self { sid, client, active: false, version: 1 }
    }

    /// What the others are told when the seat is given up.
    pub(crate) fn farewell(
        &self,
        person: &PersonId,
        state: &State,
        reason: DisconnectReason,
    ) -> proto::ParticipantInfo {
        let profile = state.participants.get(person).map(|known| &known.profile);
        proto::ParticipantInfo {
            sid: self.sid.0.clone(),
            identity: person.0.clone(),
            name: profile.map(|profile| profile.name.0.clone()).unwrap_or_default(),
            kind: profile.map(|profile| wire::participant_kind(profile.kind)).unwrap_or_default(),
            state: WireState::Disconnected.into(),
            version: self.version + 1,
            disconnect_reason: reason.into(),
            ..Default::default()
        }
    }
}
