//! Spaces: the main room of a class and its breakouts. People see, hear and read those who are in their own Space, and nobody
//! else. Where somebody is, is in the log; a move is one event, and here is what it means to everybody's wire and media.

use crate::api::ClientId;
use crate::clients::Client;
use crate::log::Effect;
use crate::node::Node;
use crate::wire;
use livekit_protocol as proto;
use lyceum_session as session;
use proto::DisconnectReason;
use proto::leave_request::Action;
use proto::signal_response::Message;
use session::class::ClassFact;
use session::{Command, DetachReason, Event, Fact, PersonId, SpaceName, TrackId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// `room_moved` came with this version of the protocol.
const FIRST_PROTOCOL_WITH_MOVES: i32 = 16;
/// Software that acts on `room_moved`; others are let to join afresh.
const MOVES: [&str; 10] = ["js", "reactnative", "rust", "python", "node", "cpp", "go", "swift", "flutter", "unity"];

/// Moves that are in the log and not on disk yet: where people are as far as anybody was told. The earliest move is first.
#[derive(Default)]
pub(crate) struct Underway(BTreeMap<PersonId, VecDeque<SpaceName>>);

/// People who are moved, and where from.
pub(crate) struct Move(BTreeMap<PersonId, SpaceName>);

impl Move {
    /// Whether a fact places people elsewhere.
    pub(crate) fn is_one(fact: &Fact) -> bool {
        matches!(
            fact,
            Fact::ParticipantMoved { .. }
                | Fact::Class(ClassFact::BreakoutsOpened { .. } | ClassFact::BreakoutsClosed {})
        )
    }

    /// Reads where people are before the event is applied; `None` if it moves nobody.
    pub(crate) fn before(state: &session::State, event: &Event) -> Option<Self> {
        let spaces = state.participants.iter().map(|(person, known)| (person.clone(), known.space.clone()));
        Self::is_one(&event.fact).then(|| Self(spaces.collect()))
    }

    /// Leaves out whom the event, which is applied by now, did not move.
    pub(crate) fn of_those_who_moved(mut self, state: &session::State) -> Self {
        self.0.retain(|person, from| state.participants.get(person).is_some_and(|known| known.space != *from));
        self
    }

    pub(crate) fn persons(&self) -> impl Iterator<Item = &PersonId> {
        self.0.keys()
    }

    fn has(&self, person: &PersonId) -> bool {
        self.0.contains_key(person)
    }

    /// Where a person was before.
    fn space_before<'a>(&'a self, state: &'a session::State, person: &PersonId) -> Option<&'a SpaceName> {
        self.0.get(person).or_else(|| state.participants.get(person).map(|known| &known.space))
    }
}

impl Client {
    /// Whether a move sends this client back. One that is away hears how everything is when it resumes.
    fn must_join_afresh(&self) -> bool {
        self.socket.is_some() && !self.can_be_moved()
    }

    /// Whether this client's software goes to another Space without joining afresh.
    fn can_be_moved(&self) -> bool {
        self.protocol >= FIRST_PROTOCOL_WITH_MOVES && MOVES.iter().any(|sdk| self.sdk.eq_ignore_ascii_case(sdk))
    }
}

impl Node {
    /// Where the log has a person.
    pub(crate) fn space_of(&self, person: &PersonId) -> SpaceName {
        self.log.state.participants.get(person).map(|known| known.space.clone()).unwrap_or_default()
    }

    /// Whether a person may know of another: in the same Space, and not hidden.
    pub(crate) fn sees(&self, viewer: &PersonId, other: &PersonId) -> bool {
        let people = &self.log.state.participants;
        match (people.get(viewer), people.get(other)) {
            (Some(_), Some(_)) if viewer == other => true,
            (Some(me), Some(them)) => me.space == them.space && !them.profile.permission.hidden,
            _ => false,
        }
    }

    /// Whether two people are in one Space as far as anybody was told: what is not logged goes by this, or it would tell of a
    /// move that is not on disk.
    pub(crate) fn are_known_to_be_together(&self, one: &PersonId, other: &PersonId) -> bool {
        self.known_space_of(one).is_some_and(|space| self.known_space_of(other) == Some(space))
    }

    fn known_space_of(&self, person: &PersonId) -> Option<&SpaceName> {
        let before = self.underway.0.get(person).and_then(VecDeque::front);
        before.or_else(|| self.log.state.participants.get(person).map(|known| &known.space))
    }

    /// A move is on disk.
    pub(crate) fn has_moved(&mut self, persons: &[PersonId]) {
        for person in persons {
            let Some(before) = self.underway.0.get_mut(person) else { continue };
            before.pop_front();
            if before.is_empty() {
                self.underway.0.remove(person);
            }
        }
        let moved = self.clients.iter().filter(|client| persons.contains(&client.person)).map(Client::conn);
        for conn in moved.collect::<Vec<_>>() {
            self.replay.forget(conn);
        }
    }

    /// What a move means: first all media between those who part ends, then everybody is told, then those who come together
    /// receive each other. Peer connections and published tracks stay.
    pub(crate) fn follow_move(&mut self, moving: &Move) {
        if moving.0.is_empty() {
            return;
        }
        let there: BTreeSet<SpaceName> = moving.persons().map(|person| self.space_of(person)).collect();
        for (person, from) in &moving.0 {
            self.underway.0.entry(person.clone()).or_default().push_back(from.clone());
        }
        self.part(moving);
        self.log.after(Effect::HaveMoved { persons: moving.0.keys().cloned().collect() });
        self.tell_those_who_stay(moving);
        for person in moving.0.keys() {
            if let Some(seat) = self.roster.seat_mut(person) {
                seat.version += 1;
            }
        }
        self.tell_those_who_move(moving);
        for to in &there {
            self.tell_those_who_get_company(moving, to);
        }
        for to in &there {
            self.meet(moving, to);
        }
        self.room_changes();
    }

    /// Ends the media between those who part. Clients that are moved forget everybody, so theirs ends as a whole.
    fn part(&mut self, moving: &Move) {
        let mut ends: Vec<(ClientId, TrackId)> = Vec::new();
        let mut silent: BTreeMap<ClientId, BTreeSet<ClientId>> = BTreeMap::new();
        for client in self.clients.iter() {
            for track in client.views.keys() {
                let Some(publication) = self.log.state.tracks.get(track) else { continue };
                let parts = moving.has(&publication.person) && !self.sees(&client.person, &publication.person);
                if !moving.has(&client.person) && !parts {
                    continue;
                }
                ends.push((client.id, track.clone()));
                if let Some(owner) = self.tracks.get(track).map(|track| track.owner).filter(|_| client.receives(track))
                {
                    silent.entry(client.id).or_default().insert(owner);
                }
            }
        }
        for (client, track) in ends {
            self.unsubscribe(client, &track);
            if let Some(client) = self.clients.get_mut(client) {
                client.views.remove(&track);
            }
        }
        // Clients would take whom they hear no more for speaking for ever.
        for (client, speakers) in silent {
            let speakers = speakers.into_iter().filter_map(|id| self.clients.get(id).filter(|c| c.speaks_at.is_some()));
            let speakers =
                speakers.map(|speaker| proto::SpeakerInfo { sid: speaker.connection.0.clone(), ..Default::default() });
            let speakers: Vec<_> = speakers.collect();
            if !speakers.is_empty() {
                let news = Message::SpeakersChanged(proto::SpeakersChanged { speakers });
                self.tell_after(vec![client], wire::signal(news));
            }
        }
    }

    /// Who stays where others went away from sees them go, all at once. Whoever is away hears of it when they resume.
    fn tell_those_who_stay(&mut self, moving: &Move) {
        let people: Vec<PersonId> = self.roster.people().cloned().collect();
        let mut parted: BTreeMap<SpaceName, Vec<proto::ParticipantInfo>> = BTreeMap::new();
        let (movers, staying): (Vec<_>, Vec<_>) = self.clients.iter().partition(|client| moving.has(&client.person));
        let movers: Vec<ClientId> = movers.into_iter().map(|client| client.id).collect();
        let staying: Vec<ClientId> = staying.into_iter().map(|client| client.id).collect();
        for person in &people {
            if self.is_hidden(person) {
                continue;
            }
            let Some(from) = moving.space_before(&self.log.state, person).cloned() else { continue };
            let Some(seat) = self.roster.seat(person) else { continue };
            let farewell = seat.farewell(person, &self.log.state, DisconnectReason::Migration);
            // Those who stay lose only those who go.
            let losing = movers.iter().chain(staying.iter().filter(|_| moving.has(person)));
            let before = losing.copied().filter(|id| {
                self.clients.get(*id).is_some_and(|client| {
                    let was_in = moving.space_before(&self.log.state, &client.person);
                    was_in == Some(&from) && !self.sees(&client.person, person)
                })
            });
            let before: Vec<ClientId> = before.collect();
            if !before.is_empty() {
                self.departed.note(person, &farewell, &before, self.now);
            }
            if moving.has(person) {
                parted.entry(from).or_default().push(farewell);
            }
        }
        for (space, participants) in parted {
            let staying = self.clients_in(&space, |person| !moving.has(person));
            self.tell_after(staying, wire::update(participants));
        }
    }

    fn tell_those_who_move(&mut self, moving: &Move) {
        let movable = self.clients.iter().filter(|client| moving.has(&client.person) && client.can_be_moved());
        for (client, person) in movable.map(|client| (client.id, client.person.clone())).collect::<Vec<_>>() {
            let Some(known) = self.log.state.participants.get(&person) else { continue };
            let (profile, to) = (Box::new(known.profile.clone()), known.space.clone());
            let moved = Box::new(proto::RoomMovedResponse {
                room: Some(self.room_info(Some(&to))),
                token: String::new(),
                participant: self.info(&person),
                other_participants: self.others_for(&person),
            });
            self.log.after(Effect::Moved { client, person, profile, space: to, moved });
        }
    }

    /// Who is in the Space already sees the others come, all at once.
    fn tell_those_who_get_company(&mut self, moving: &Move, to: &SpaceName) {
        let come = moving.0.keys().filter(|person| self.space_of(person) == *to);
        let visible = come.filter(|person| !self.is_hidden(person));
        let participants: Vec<_> = visible.filter_map(|person| self.info(person)).collect();
        let there = self.clients_in(to, |person| !moving.has(person));
        if !participants.is_empty() {
            self.tell_after(there, wire::update(participants));
        }
    }

    /// Those who come together receive each other.
    fn meet(&mut self, moving: &Move, to: &SpaceName) {
        let together = self.clients_in(to, |_| true);
        let published: Vec<_> =
            self.log.state.tracks.values().map(|known| (known.track.clone(), known.person.clone())).collect();
        for id in together {
            let Some(client) = self.clients.get(id) else { continue };
            let comes = moving.has(&client.person);
            if !client.auto_subscribe || (comes && client.must_join_afresh()) {
                continue;
            }
            let new = published.iter().filter(|(_, person)| comes || moving.has(person));
            for (track, _) in new {
                self.subscribe_by_itself(id, track);
            }
            self.tell_qualities_after(id, |person| comes || moving.has(person));
        }
    }

    /// Clients that cannot be moved come back of themselves, with a token that says where they are. To be called when the move
    /// is appended.
    pub(crate) fn send_back_who_cannot_be_moved(&mut self, persons: &[PersonId]) {
        let stuck = self.clients.iter().filter(|client| persons.contains(&client.person) && client.must_join_afresh());
        for (id, is_welcome) in stuck.map(|client| (client.id, client.is_welcome())).collect::<Vec<_>>() {
            if !is_welcome {
                // Nothing comes before a join response.
                let leave = wire::leave(DisconnectReason::Migration, Action::Reconnect);
                self.dismiss(id, leave, DetachReason::Moved);
                continue;
            }
            let Some(Client { person, connection, socket, .. }) = self.forget(id) else { continue };
            let (reason, last_seen) = (DetachReason::Moved, self.now);
            self.commit_departure(&Command::Detach { connection, reason, last_seen }, None);
            let Some(known) = self.log.state.participants.get(&person) else { continue };
            let (profile, space) = (Box::new(known.profile.clone()), known.space.clone());
            self.log.after(Effect::SendBack { client: id, socket, person, profile, space });
        }
    }

    fn clients_in(&self, space: &SpaceName, is_meant: impl Fn(&PersonId) -> bool) -> Vec<ClientId> {
        let state = &self.log.state;
        let there = self.clients.iter().filter(|client| {
            let known = state.participants.get(&client.person);
            is_meant(&client.person) && known.is_some_and(|known| known.space == *space)
        });
        there.map(|client| client.id).collect()
    }

    /// Everybody else whom a person sees.
    pub(crate) fn others_for(&self, person: &PersonId) -> Vec<proto::ParticipantInfo> {
        let others = self.roster.people().filter(|other| *other != person && self.sees(person, other));
        others.filter_map(|other| self.info(other)).collect()
    }

    /// A fresh token for a client, with the person's profile and place of now.
    pub(crate) fn refresh_token_after(&mut self, client: ClientId, person: &PersonId) {
        let Some(known) = self.log.state.participants.get(person) else { return };
        let (profile, space) = (Box::new(known.profile.clone()), known.space.clone());
        self.log.after(Effect::RefreshToken { client, person: person.clone(), profile, space });
    }
}
