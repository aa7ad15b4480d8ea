//! A class as simple as one could draw it on paper: who sits where, which tracks are on, and what each command should do to
//! that. It makes no events; it says which answer to expect and how the class looks afterwards.

use lyceum_session::*;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
pub struct Model {
    pub clock: u64,
    pub policy: Option<Policy>,
    pub seats: BTreeMap<PersonId, Seat>,
    pub tracks: BTreeMap<TrackId, Track>,
    pub nobody_since: Option<u64>,
    pub ended: bool,
    pub metadata: String,
}

#[derive(Clone, Debug)]
pub struct Seat {
    pub profile: Profile,
    pub place: Place,
    /// The connection that can be resumed, and until when.
    pub lost: Option<(ConnectionId, u64)>,
    pub space: SpaceName,
    /// What they said of whose tracks last.
    pub choices: BTreeMap<(PersonId, Source), bool>,
    pub muted: BTreeMap<Source, bool>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    Here(ConnectionId),
    Away { until: u64 },
    Offline,
    Gone,
}

#[derive(Clone, Debug)]
pub struct Track {
    pub person: PersonId,
    pub connection: ConnectionId,
    pub source: Source,
    pub muted: bool,
    pub size: (u32, u32),
}

/// The answer to a command: whether anything happens, or the kind of refusal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    Happens,
    Nothing,
    Forbidden,
    Conflict,
    NotFound,
    Limit,
    Ended,
}

impl Answer {
    pub fn of(result: &Result<Vec<Fact>, Reject>) -> Self {
        match result {
            Ok(facts) if facts.is_empty() => Self::Nothing,
            Ok(_) => Self::Happens,
            Err(Reject::Forbidden(_) | Reject::Invalid(_)) => Self::Forbidden,
            Err(Reject::Conflict(_)) => Self::Conflict,
            Err(Reject::NotFound(_)) => Self::NotFound,
            Err(Reject::Limit(_)) => Self::Limit,
            Err(Reject::SessionEnded) => Self::Ended,
            Err(other) => panic!("a refusal that presence alone never gives: {other}"),
        }
    }
}

impl Model {
    pub fn new() -> Self {
        Self {
            clock: 0,
            policy: None,
            seats: BTreeMap::new(),
            tracks: BTreeMap::new(),
            nobody_since: None,
            ended: false,
            metadata: String::new(),
        }
    }

    /// What the class answers. A clock that went backwards is an old clock; it moves only when something happens.
    pub fn takes(&mut self, command: &Command, now: u64, actor: Option<&PersonId>) -> Answer {
        let now = now.max(self.clock);
        let answer = self.answer(command, now, actor);
        if answer == Answer::Happens {
            self.clock = now;
        }
        answer
    }

    pub fn connection_of(&self, person: &PersonId) -> Option<&ConnectionId> {
        match &self.seats.get(person)?.place {
            Place::Here(connection) => Some(connection),
            _ => None,
        }
    }

    /// When something happens though nobody does anything.
    pub fn next_deadline(&self) -> Option<u64> {
        let grace = self.seats.values().filter_map(|seat| match seat.place {
            Place::Away { until } => Some(until),
            _ => None,
        });
        let windows = self.seats.values().filter_map(|seat| Some(seat.lost.as_ref()?.1));
        grace.chain(windows).chain(self.ends_at()).min()
    }

    pub fn owner_of(&self, connection: &ConnectionId) -> Option<PersonId> {
        self.seats.keys().find(|person| self.connection_of(person) == Some(connection)).cloned()
    }

    fn answer(&mut self, command: &Command, now: u64, actor: Option<&PersonId>) -> Answer {
        if self.ended {
            return Answer::Ended;
        }
        let Some(policy) = self.policy.clone() else {
            let Command::Start { policy, metadata, .. } = command else { return Answer::Conflict };
            self.metadata.clone_from(metadata);
            self.policy = Some(policy.clone());
            self.nobody_since = Some(now);
            return Answer::Happens;
        };
        let not_mine = |person: &PersonId| actor.is_some_and(|actor| actor != person);
        match command {
            Command::Start { .. } => Answer::Conflict,
            Command::Recover { .. } => {
                let any_lost = self.seats.values().any(|seat| seat.lost.is_some());
                self.gives_up(|_| true);
                let here: Vec<ConnectionId> =
                    self.seats.keys().filter_map(|person| self.connection_of(person)).cloned().collect();
                for connection in &here {
                    self.closes(connection, now + policy.presence_grace_ms, now);
                }
                if here.is_empty() && !any_lost { Answer::Nothing } else { Answer::Happens }
            }
            Command::Attach { person, profile, connection, space, .. } => {
                if not_mine(person) {
                    return Answer::Forbidden;
                }
                if self.owner_of(connection).is_some() || self.lost_by(connection).is_some() {
                    return Answer::Conflict;
                }
                if space.as_ref().is_some_and(|space| !is_a_name(space)) {
                    return Answer::Forbidden;
                }
                let kept = self.seats.get(person).filter(|seat| seat.place != Place::Gone);
                let profile = kept.map_or(profile, |seat| &seat.profile).clone();
                let others = self
                    .seats
                    .iter()
                    .filter(|(other, seat)| {
                        *other != person
                            && matches!(seat.place, Place::Here(_) | Place::Away { .. })
                            && !seat.profile.permission.hidden
                    })
                    .count();
                let is_in_already = kept.is_some_and(|seat| seat.place != Place::Offline);
                let room_for_one = policy.max_participants == 0 || others < policy.max_participants as usize;
                if !is_in_already && !profile.permission.hidden && !room_for_one {
                    return Answer::Limit;
                }
                self.tracks.retain(|_, track| track.person != *person);
                let before = self.seats.get(person);
                let is_admitted = before.is_none_or(|seat| seat.place == Place::Gone);
                let was_in = before.map(|seat| seat.space.clone());
                let token_says = space.clone().filter(|_| is_admitted);
                let seat = Seat {
                    profile,
                    place: Place::Here(connection.clone()),
                    lost: None,
                    space: was_in.or(token_says).unwrap_or_default(),
                    choices: before.map(|seat| seat.choices.clone()).unwrap_or_default(),
                    muted: before.map(|seat| seat.muted.clone()).unwrap_or_default(),
                };
                self.seats.insert(person.clone(), seat);
                self.nobody_since = None;
                Answer::Happens
            }
            Command::Resume { person, connection } => {
                if not_mine(person) {
                    return Answer::Forbidden;
                }
                let resumable = self.lost_by(connection).is_some_and(|(loser, until)| loser == *person && until > now);
                match self.seats.get_mut(person).filter(|seat| seat.place != Place::Gone && resumable) {
                    None => Answer::NotFound,
                    Some(seat) => {
                        seat.lost = None;
                        seat.place = Place::Here(connection.clone());
                        self.nobody_since = None;
                        Answer::Happens
                    }
                }
            }
            Command::Detach { connection, reason, .. }
                if policy.resume_window_ms > 0
                    && matches!(reason, DetachReason::ConnectionLost | DetachReason::MediaFailed) =>
            {
                let Some(person) = self.owner_of(connection) else { return Answer::NotFound };
                if not_mine(&person) {
                    return Answer::Forbidden;
                }
                self.loses(connection, now + policy.presence_grace_ms, now);
                if let Some(seat) = self.seats.get_mut(&person) {
                    seat.lost = Some((connection.clone(), now + policy.resume_window_ms));
                }
                Answer::Happens
            }
            Command::Detach { connection, .. } | Command::Leave { connection } => {
                let Some(person) = self.owner_of(connection) else { return Answer::NotFound };
                if not_mine(&person) {
                    return Answer::Forbidden;
                }
                self.closes(connection, now + policy.presence_grace_ms, now);
                if matches!(command, Command::Leave { .. }) {
                    self.moves(&person, Place::Gone);
                }
                Answer::Happens
            }
            Command::Publish { publication } => {
                let Some(owner) = self.owner_of(&publication.connection) else { return Answer::NotFound };
                if owner != publication.person || not_mine(&owner) {
                    return Answer::Forbidden;
                }
                if self.tracks.contains_key(&publication.track) {
                    return Answer::Conflict;
                }
                if !may_publish(&self.seats[&owner].profile, publication.source) {
                    return Answer::Forbidden;
                }
                let mine = self.tracks.values().filter(|track| track.person == owner).count();
                if mine >= policy.max_tracks_per_connection as usize {
                    return Answer::Limit;
                }
                let Publication { connection, source, muted, .. } = publication.clone();
                self.remembers_mute(&owner, source, muted);
                self.tracks.insert(
                    publication.track.clone(),
                    Track { person: owner, connection, source, muted, size: (1_280, 720) },
                );
                Answer::Happens
            }
            Command::Unpublish { track, reason } => {
                let Some(known) = self.tracks.get(track) else { return Answer::NotFound };
                if not_mine(&known.person) {
                    return Answer::Forbidden;
                }
                let (person, source) = (known.person.clone(), known.source);
                if *reason != UnpublishReason::ConnectionEnded {
                    self.forgets_choices(&person, source);
                }
                self.tracks.remove(track);
                Answer::Happens
            }
            Command::UpdateTrack { track, size, .. } => {
                let Some(known) = self.tracks.get_mut(track) else { return Answer::NotFound };
                if not_mine(&known.person) {
                    return Answer::Forbidden;
                }
                let wanted = size.unwrap_or(known.size);
                let before = std::mem::replace(&mut known.size, wanted);
                if known.size == before { Answer::Nothing } else { Answer::Happens }
            }
            Command::SetMuted { track, muted } => {
                let Some(known) = self.tracks.get_mut(track) else { return Answer::NotFound };
                if not_mine(&known.person) {
                    return Answer::Forbidden;
                }
                if known.muted == *muted {
                    return Answer::Nothing;
                }
                known.muted = *muted;
                let (person, source) = (known.person.clone(), known.source);
                self.remembers_mute(&person, source, *muted);
                Answer::Happens
            }
            Command::Update { person, profile } => {
                let Some(seat) = self.seats.get_mut(person).filter(|seat| seat.place != Place::Gone) else {
                    return Answer::NotFound;
                };
                if not_mine(person) {
                    return Answer::Forbidden;
                }
                let old = &seat.profile;
                let powers_change =
                    (old.role, old.kind, &old.permission) != (profile.role, profile.kind, &profile.permission);
                if actor.is_some() && (!old.permission.can_update_metadata || powers_change) {
                    return Answer::Forbidden;
                }
                if old == profile {
                    return Answer::Nothing;
                }
                seat.profile = profile.clone();
                let revoked: Vec<Source> = self
                    .tracks
                    .values()
                    .filter(|track| track.person == *person && !may_publish(profile, track.source))
                    .map(|track| track.source)
                    .collect();
                for source in revoked {
                    self.forgets_choices(person, source);
                }
                self.tracks.retain(|_, track| track.person != *person || may_publish(profile, track.source));
                Answer::Happens
            }
            Command::Move { persons, space } => {
                if actor.is_some() || persons.is_empty() || !is_a_name(space) {
                    return Answer::Forbidden;
                }
                if persons.iter().any(|person| self.seats.get(person).is_none_or(|seat| seat.place == Place::Gone)) {
                    return Answer::NotFound;
                }
                let mut answer = Answer::Nothing;
                for person in persons {
                    if let Some(seat) = self.seats.get_mut(person).filter(|seat| seat.space != *space) {
                        seat.space = space.clone();
                        answer = Answer::Happens;
                    }
                }
                answer
            }
            Command::DescribeRoom { metadata } => {
                if actor.is_some() {
                    return Answer::Forbidden;
                }
                let before = std::mem::replace(&mut self.metadata, metadata.clone());
                if before == *metadata { Answer::Nothing } else { Answer::Happens }
            }
            Command::Choose { person, choices } => {
                if not_mine(person) {
                    return Answer::Forbidden;
                }
                let Some(seat) = self.seats.get_mut(person).filter(|seat| seat.place != Place::Gone) else {
                    return Answer::NotFound;
                };
                let before = seat.choices.clone();
                for choice in choices {
                    seat.choices.insert((choice.of.clone(), choice.source), choice.wanted);
                }
                if seat.choices == before { Answer::Nothing } else { Answer::Happens }
            }
            Command::Remove { person } => {
                if actor.is_some() {
                    return Answer::Forbidden;
                }
                match self.seats.get(person).map(|seat| seat.place.clone()) {
                    None | Some(Place::Gone) => Answer::NotFound,
                    Some(place) => {
                        self.gives_up(|other| other == person);
                        if let Place::Here(connection) = place {
                            self.closes(&connection, now, now);
                        }
                        self.moves(person, Place::Gone);
                        Answer::Happens
                    }
                }
            }
            Command::Class(_) => panic!("the paper model draws presence only"),
            Command::End { .. } if actor.is_some() => Answer::Forbidden,
            Command::End { .. } => self.ends(),
            Command::Tick => {
                if self.ends_at().is_some_and(|due| now >= due) {
                    return self.ends();
                }
                let mut answer = Answer::Nothing;
                let too_late: Vec<PersonId> = self
                    .seats
                    .iter()
                    .filter(|(_, seat)| {
                        let offline = matches!(seat.place, Place::Away { until } if until <= now);
                        seat.lost.as_ref().is_some_and(|(_, until)| *until <= now || offline)
                    })
                    .map(|(person, _)| person.clone())
                    .collect();
                if !too_late.is_empty() {
                    answer = Answer::Happens;
                    self.gives_up(|person| too_late.contains(person));
                }
                for seat in self.seats.values_mut() {
                    if matches!(seat.place, Place::Away { until } if until <= now) {
                        seat.place = Place::Offline;
                        answer = Answer::Happens;
                    }
                }
                answer
            }
        }
    }

    fn ends_at(&self) -> Option<u64> {
        let (since, policy) = (self.nobody_since?, self.policy.as_ref()?);
        Some(since + if self.seats.is_empty() { policy.empty_timeout_ms } else { policy.departure_timeout_ms })
    }

    pub fn lost_by(&self, connection: &ConnectionId) -> Option<(PersonId, u64)> {
        self.seats.iter().find_map(|(person, seat)| {
            seat.lost.as_ref().filter(|(lost, _)| lost == connection).map(|(_, until)| (person.clone(), *until))
        })
    }

    /// The lost connections of these people, and what they still showed, are gone.
    fn gives_up(&mut self, of: impl Fn(&PersonId) -> bool) {
        for (person, seat) in self.seats.iter_mut().filter(|(person, _)| of(person)) {
            if seat.lost.take().is_some() {
                self.tracks.retain(|_, track| track.person != *person);
            }
        }
    }

    fn forgets_choices(&mut self, of: &PersonId, source: Source) {
        for seat in self.seats.values_mut() {
            seat.choices.remove(&(of.clone(), source));
        }
    }

    fn remembers_mute(&mut self, person: &PersonId, source: Source, muted: bool) {
        if let Some(seat) = self.seats.get_mut(person) {
            seat.muted.insert(source, muted);
        }
    }

    fn closes(&mut self, connection: &ConnectionId, until: u64, now: u64) {
        self.tracks.retain(|_, track| track.connection != *connection);
        self.loses(connection, until, now);
    }

    fn loses(&mut self, connection: &ConnectionId, until: u64, now: u64) {
        if let Some(person) = self.owner_of(connection) {
            self.moves(&person, Place::Away { until });
        }
        if !self.seats.values().any(|seat| matches!(seat.place, Place::Here(_))) {
            self.nobody_since = Some(now);
        }
    }

    fn moves(&mut self, person: &PersonId, place: Place) {
        if let Some(seat) = self.seats.get_mut(person) {
            seat.place = place;
        }
    }

    fn ends(&mut self) -> Answer {
        self.tracks.clear();
        for seat in self.seats.values_mut() {
            seat.place = Place::Gone;
            seat.lost = None;
        }
        self.nobody_since = None;
        self.ended = true;
        Answer::Happens
    }
}

fn is_a_name(space: &SpaceName) -> bool {
    (1..=128).contains(&space.0.chars().count()) && !space.0.contains(|c: char| c.is_control() || c == '/')
}

fn may_publish(profile: &Profile, source: Source) -> bool {
    match profile.permission.can_publish_sources.as_slice() {
        [] => profile.permission.can_publish,
        sources => sources.contains(&source),
    }
}
