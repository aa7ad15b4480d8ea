//! What a command does: the rules of a class, in one place. A decision reads the state and returns facts or a refusal; it
//! changes nothing itself.

use crate::command::{Command, Ctx, Reject};
use crate::event::{
    Client, DetachReason, EndReason, Fact, LeaveReason, Permission, Profile, Publication, Source, UnpublishReason,
};
use crate::ids::{ConnectionId, PersonId, TrackId, UnixMs};
use crate::state::{EndTimer, Participant, Presence, State};

/// Decides what a command does. Pure; a refusal changes nothing.
pub fn decide(state: &State, cmd: &Command, ctx: &Ctx) -> Result<Vec<Fact>, Reject> {
    if state.ended {
        return Err(Reject::SessionEnded);
    }
    let started = state.session.is_some();
    let decision = Decision { state, now: state.clamp(ctx.now), actor: ctx.actor.as_ref() };
    match cmd {
        Command::Start { tenant, room, session, policy, metadata } if !started => Ok(vec![Fact::SessionStarted {
            tenant: tenant.clone(),
            room: room.clone(),
            session: session.clone(),
            policy: policy.clone(),
            metadata: metadata.clone(),
        }]),
        Command::Start { .. } => Err(Reject::Conflict("the session has already started")),
        _ if !started => Err(Reject::Conflict("the session has not started")),
        Command::Recover { last_seen } => Ok(decision.recover(*last_seen)),
        Command::Attach { person, profile, connection, client } => decision.attach(person, profile, connection, client),
        Command::Detach { connection, reason, last_seen } => decision.detach(connection, *reason, *last_seen),
        Command::Leave { connection } => decision.leave(connection),
        Command::Publish { publication } => decision.publish(publication),
        Command::Unpublish { track, reason } => decision.unpublish(track, *reason),
        Command::SetMuted { track, muted } => decision.set_muted(track, *muted),
        Command::Update { person, profile } => decision.update(person, profile),
        Command::Remove { person } => decision.remove(person),
        Command::End { reason } => {
            decision.only_administrators("only an administrator may end the session")?;
            Ok(decision.end(*reason))
        }
        Command::Tick => Ok(decision.tick()),
    }
}

/// One decision: the state before, the time in the log's clock, and who asks.
struct Decision<'a> {
    state: &'a State,
    now: UnixMs,
    actor: Option<&'a PersonId>,
}

impl Decision<'_> {
    fn attach(
        &self,
        person: &PersonId,
        profile: &Profile,
        connection: &ConnectionId,
        client: &Client,
    ) -> Result<Vec<Fact>, Reject> {
        self.only_for_oneself(person)?;
        if self.state.owner(connection).is_some() {
            return Err(Reject::Conflict("this connection id is already open"));
        }
        let known = self.state.participants.get(person).filter(|known| known.presence != Presence::Left);
        let in_force = known.map_or(profile, |known| &known.profile);
        let counted_already = known.is_some_and(Participant::takes_a_place);
        if !counted_already && !in_force.permission.hidden && self.state.is_full() {
            return Err(Reject::Limit("the session is full"));
        }

        let mut facts = Vec::new();
        match known {
            Some(known) => {
                for old in known.connections.keys() {
                    self.close_connection(&mut facts, person, old, DetachReason::Superseded, self.now);
                }
            }
            None => facts.push(Fact::ParticipantAdmitted { person: person.clone(), profile: profile.clone() }),
        }
        facts.push(Fact::ConnectionAttached {
            person: person.clone(),
            connection: connection.clone(),
            client: client.clone(),
        });
        Ok(facts)
    }

    fn detach(&self, connection: &ConnectionId, reason: DetachReason, last_seen: UnixMs) -> Result<Vec<Fact>, Reject> {
        let (person, open) = self.state.owner(connection).ok_or(NO_CONNECTION)?;
        self.only_for_oneself(person)?;
        let mut facts = Vec::new();
        self.close_connection(&mut facts, person, connection, reason, open.clamp_last_seen(last_seen, self.now));
        Ok(facts)
    }

    fn leave(&self, connection: &ConnectionId) -> Result<Vec<Fact>, Reject> {
        let (person, _) = self.state.owner(connection).ok_or(NO_CONNECTION)?;
        self.only_for_oneself(person)?;
        let mut facts = Vec::new();
        self.close_connection(&mut facts, person, connection, DetachReason::ClientLeft, self.now);
        let was_the_last = self.state.participants.get(person).is_some_and(|known| known.connections.len() == 1);
        if was_the_last {
            facts.push(Fact::ParticipantLeft { person: person.clone(), reason: LeaveReason::OwnWish });
        }
        Ok(facts)
    }

    fn publish(&self, publication: &Publication) -> Result<Vec<Fact>, Reject> {
        let (person, _) = self.state.owner(&publication.connection).ok_or(NO_CONNECTION)?;
        if *person != publication.person {
            return Err(Reject::Forbidden("the connection belongs to somebody else"));
        }
        self.only_for_oneself(person)?;
        if self.state.tracks.contains_key(&publication.track) {
            return Err(Reject::Conflict("this track id is already published"));
        }
        let allowed = self
            .state
            .participants
            .get(person)
            .is_some_and(|known| known.profile.permission.may_publish(publication.source));
        if !allowed {
            return Err(Reject::Forbidden("publishing this source is not permitted"));
        }
        let limit = self.state.policy.as_ref().map_or(0, |policy| policy.max_tracks_per_connection);
        let published = self.state.tracks.values().filter(|other| other.connection == publication.connection).count();
        if published >= limit as usize {
            return Err(Reject::Limit("too many tracks on this connection"));
        }
        Ok(vec![Fact::TrackPublished { publication: publication.clone() }])
    }

    fn unpublish(&self, track: &TrackId, reason: UnpublishReason) -> Result<Vec<Fact>, Reject> {
        let publication = self.state.tracks.get(track).ok_or(NO_TRACK)?;
        self.only_for_oneself(&publication.person)?;
        Ok(vec![unpublished(publication, reason, self.now)])
    }

    fn set_muted(&self, track: &TrackId, muted: bool) -> Result<Vec<Fact>, Reject> {
        let publication = self.state.tracks.get(track).ok_or(NO_TRACK)?;
        self.only_for_oneself(&publication.person)?;
        if publication.muted == muted {
            return Ok(Vec::new());
        }
        let (person, track) = (publication.person.clone(), track.clone());
        Ok(vec![if muted { Fact::TrackMuted { person, track } } else { Fact::TrackUnmuted { person, track } }])
    }

    fn update(&self, person: &PersonId, profile: &Profile) -> Result<Vec<Fact>, Reject> {
        let known = self.seat_of(person)?;
        if self.actor.is_some() {
            self.only_for_oneself(person)?;
            if !known.profile.permission.can_update_metadata {
                return Err(Reject::Forbidden("changing one's own name, metadata or attributes is not permitted"));
            }
            let only_words_changed = profile.role == known.profile.role
                && profile.kind == known.profile.kind
                && profile.permission == known.profile.permission;
            if !only_words_changed {
                return Err(Reject::Forbidden("nobody may change their own role or permissions"));
            }
        }
        if *profile == known.profile {
            return Ok(Vec::new());
        }
        let mut facts = vec![Fact::ParticipantUpdated { person: person.clone(), profile: profile.clone() }];
        facts.extend(
            self.state
                .tracks
                .values()
                .filter(|track| track.person == *person && !profile.permission.may_publish(track.source))
                .map(|track| unpublished(track, UnpublishReason::PermissionRevoked, self.now)),
        );
        Ok(facts)
    }

    fn remove(&self, person: &PersonId) -> Result<Vec<Fact>, Reject> {
        self.only_administrators("only an administrator may remove somebody")?;
        let known = self.seat_of(person)?;
        let mut facts = Vec::new();
        for connection in known.connections.keys() {
            self.close_connection(&mut facts, person, connection, DetachReason::Removed, self.now);
        }
        facts.push(Fact::ParticipantLeft { person: person.clone(), reason: LeaveReason::Removed });
        Ok(facts)
    }

    /// The session is known to have run at its last event, so nobody's interval closes before that.
    fn recover(&self, last_seen: UnixMs) -> Vec<Fact> {
        let last_seen = last_seen.clamp(self.state.at, self.now);
        let mut closed = Vec::new();
        for (person, known) in &self.state.participants {
            for connection in known.connections.keys() {
                self.close_connection(&mut closed, person, connection, DetachReason::ServerStopped, last_seen);
            }
        }
        if closed.is_empty() {
            return closed;
        }
        closed.insert(0, Fact::SessionRecovered { last_seen });
        closed
    }

    fn tick(&self) -> Vec<Fact> {
        let mut facts = Vec::new();
        for (person, known) in &self.state.participants {
            if let Presence::Reconnecting { last_seen, deadline } = known.presence
                && deadline <= self.now
            {
                facts.push(Fact::ParticipantOffline { person: person.clone(), last_seen });
            }
        }
        match self.state.end_timer() {
            Some((due, EndTimer::Empty)) if due <= self.now => facts.extend(self.end(EndReason::NeverJoined)),
            Some((due, EndTimer::Departure)) if due <= self.now => facts.extend(self.end(EndReason::Departed)),
            _ => {}
        }
        facts
    }

    /// Closes everything that is open, the session last.
    fn end(&self, reason: EndReason) -> Vec<Fact> {
        let mut facts = Vec::new();
        for (person, known) in &self.state.participants {
            for connection in known.connections.keys() {
                self.close_connection(&mut facts, person, connection, DetachReason::SessionEnded, self.now);
            }
        }
        for (person, known) in &self.state.participants {
            if known.presence != Presence::Left {
                facts.push(Fact::ParticipantLeft { person: person.clone(), reason: LeaveReason::SessionEnded });
            }
        }
        facts.push(Fact::SessionEnded { reason });
        facts
    }

    /// The connection's tracks first, so that no track ever outlives its connection.
    fn close_connection(
        &self,
        facts: &mut Vec<Fact>,
        person: &PersonId,
        connection: &ConnectionId,
        reason: DetachReason,
        last_seen: UnixMs,
    ) {
        let tracks = self.state.tracks.values().filter(|track| track.connection == *connection);
        facts.extend(tracks.map(|track| unpublished(track, UnpublishReason::ConnectionEnded, last_seen)));
        facts.push(Fact::ConnectionDetached {
            person: person.clone(),
            connection: connection.clone(),
            reason,
            last_seen,
        });
    }

    /// Who has not left has a seat, whether they are connected or not.
    fn seat_of(&self, person: &PersonId) -> Result<&Participant, Reject> {
        self.state
            .participants
            .get(person)
            .filter(|known| known.presence != Presence::Left)
            .ok_or(Reject::NotFound("no such person in the session"))
    }

    fn only_for_oneself(&self, person: &PersonId) -> Result<(), Reject> {
        match self.actor {
            Some(actor) if actor != person => Err(Reject::Forbidden("this belongs to somebody else")),
            _ => Ok(()),
        }
    }

    fn only_administrators(&self, why: &'static str) -> Result<(), Reject> {
        if self.actor.is_some() { Err(Reject::Forbidden(why)) } else { Ok(()) }
    }
}

const NO_CONNECTION: Reject = Reject::NotFound("no such open connection");
const NO_TRACK: Reject = Reject::NotFound("no such track");

fn unpublished(track: &Publication, reason: UnpublishReason, last_seen: UnixMs) -> Fact {
    Fact::TrackUnpublished { person: track.person.clone(), track: track.track.clone(), reason, last_seen }
}

impl Permission {
    /// Whether a track that shows `source` may be published: a list of sources, if there is one, has the last word.
    pub fn may_publish(&self, source: Source) -> bool {
        if self.can_publish_sources.is_empty() { self.can_publish } else { self.can_publish_sources.contains(&source) }
    }
}
