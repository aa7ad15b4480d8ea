//! What a command does: the rules of a class, in one place. A decision reads the state and returns facts or a refusal; it
//! changes nothing itself.

use crate::class::{self, Devices, Extra, Work};
use crate::command::{Command, Ctx, Reject};
use crate::event::{
    Client, DetachReason, EndReason, Fact, Lane, LeaveReason, Permission, Profile, Publication, Source, TrackChoice,
    UnpublishReason,
};
use crate::ids::{ConnectionId, PersonId, SpaceName, TrackId, UnixMs};
use crate::state::{Connection, EndTimer, Lost, Participant, Presence, State, apply};
use std::collections::{BTreeMap, BTreeSet};

/// Most choices of tracks that are kept of one person.
const MOST_CHOICES: usize = 4_096;
/// Most connections of one person for the state of the class.
const MOST_STATE_CONNECTIONS: usize = 8;

/// Decides what a command does. Pure; a refusal changes nothing. Commands of clients come in by [`class::answer`], which
/// also gives what is to be written beside the log; here, what cannot do without that is refused.
pub fn decide(state: &State, cmd: &Command, ctx: &Ctx) -> Result<Vec<Fact>, Reject> {
    let (facts, extra) = decide_with_extra(state, cmd, ctx)?;
    if !extra.side.is_empty() {
        return Err(Reject::Unavailable("this is written beside the log, and nobody here does that"));
    }
    Ok(facts)
}

/// The same with everything that does not go into the log. Whoever may publish something no longer after this stops
/// publishing it by this.
pub(crate) fn decide_with_extra(state: &State, cmd: &Command, ctx: &Ctx) -> Result<(Vec<Fact>, Extra), Reject> {
    let Work { mut facts, extra } = match cmd {
        Command::Class(_) if state.ended => return Err(Reject::SessionEnded),
        Command::Class(_) if state.session.is_none() => return Err(Reject::Conflict("the session has not started")),
        Command::Class(command) => class::decide(state, command, ctx)?,
        _ => Work { facts: decide_presence(state, cmd, ctx)?, extra: Extra::default() },
    };
    revoke(state, ctx, &mut facts);
    Ok((facts, extra))
}

/// Unpublishes what its publisher may not publish any more once these facts are folded.
fn revoke(state: &State, ctx: &Ctx, facts: &mut Vec<Fact>) {
    if state.tracks.is_empty() || !facts.iter().any(class::may_revoke) {
        return;
    }
    let mut after = state.clone();
    for event in state.stamp(facts.clone(), ctx) {
        apply(&mut after, &event);
    }
    if after.ended {
        return;
    }
    let revoked = after.tracks.values().filter(|track| {
        !after.may_publish(&track.person, track.source) && state.may_publish(&track.person, track.source)
    });
    facts.extend(revoked.map(|track| unpublished(track, UnpublishReason::PermissionRevoked, after.at)));
}

/// What removes a person: everything that is open of them closes, and they are gone.
pub(crate) fn removal(state: &State, person: &PersonId, now: UnixMs) -> Vec<Fact> {
    let decision = Decision { state, now, ctx: &Ctx::default(), actor: None };
    decision.remove(person).unwrap_or_default()
}

fn decide_presence(state: &State, cmd: &Command, ctx: &Ctx) -> Result<Vec<Fact>, Reject> {
    if state.ended {
        return Err(Reject::SessionEnded);
    }
    let started = state.session.is_some();
    let decision = Decision { state, now: state.clamp(ctx.now), ctx, actor: ctx.actor.as_ref() };
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
        Command::Attach { person, profile, connection, client, space } => {
            decision.attach(person, profile, connection, client, space.as_ref())
        }
        Command::Resume { person, connection } => decision.resume(person, connection),
        Command::Detach { connection, reason, last_seen } => decision.detach(connection, *reason, *last_seen),
        Command::Leave { connection } => decision.leave(connection),
        Command::Publish { publication } => decision.publish(publication),
        Command::Unpublish { track, reason } => decision.unpublish(track, *reason),
        Command::SetMuted { track, muted } => decision.set_muted(track, *muted),
        Command::UpdateTrack { track, audio_features, size } => {
            decision.update_track(track, audio_features.as_deref(), *size)
        }
        Command::Update { person, profile } => decision.update(person, profile),
        Command::Move { persons, space } => decision.move_to(persons, space),
        Command::DescribeRoom { metadata } => decision.describe_room(metadata),
        Command::Choose { person, choices } => decision.choose(person, choices),
        Command::Remove { person } => decision.remove(person),
        Command::End { reason } => {
            decision.only_administrators("only an administrator may end the session")?;
            Ok(decision.end(*reason))
        }
        Command::Tick => Ok(decision.tick()),
        // Decided before anything here is asked.
        Command::Class(_) => Err(Reject::Invalid("a class command is no matter of presence")),
    }
}

/// One decision: the state before, the time in the log's clock, and who asks.
struct Decision<'a> {
    state: &'a State,
    now: UnixMs,
    ctx: &'a Ctx,
    actor: Option<&'a PersonId>,
}

impl Decision<'_> {
    fn attach(
        &self,
        person: &PersonId,
        profile: &Profile,
        connection: &ConnectionId,
        client: &Client,
        space: Option<&SpaceName>,
    ) -> Result<Vec<Fact>, Reject> {
        self.only_for_oneself(person)?;
        if self.state.owner(connection).is_some() || self.state.loser(connection).is_some() {
            return Err(Reject::Conflict("this connection id is already open"));
        }
        space.map_or(Ok(()), check_space)?;
        self.state.may_come_in(person, profile)?;
        let known = self.state.participants.get(person).filter(|known| known.presence != Presence::Left);
        let in_force = known.map_or(profile, |known| &known.profile);
        let counted_already = known.is_some_and(Participant::takes_a_place);
        if !counted_already && !in_force.permission.hidden && self.state.is_full() {
            return Err(Reject::Limit("the session is full"));
        }

        let mut facts = Vec::new();
        match known {
            Some(known) => {
                for old in self.displaced_by(known, client)? {
                    self.close_connection(&mut facts, person, old, DetachReason::Superseded, self.now);
                }
                if client.lane == Lane::Media {
                    self.expire(&mut facts, person, known);
                }
            }
            None => {
                let space = class::Placed::of(self.state).newcomer(self.state, person, profile, space);
                facts.push(Fact::ParticipantAdmitted { person: person.clone(), profile: profile.clone(), space });
            }
        }
        facts.push(Fact::ConnectionAttached {
            person: person.clone(),
            connection: connection.clone(),
            client: client.clone(),
        });
        facts.extend(class::returns(self.state, person));
        Ok(facts)
    }

    /// Which connections of a person give way to a new one. Media has one for each person; for the state of the class it depends
    /// on the room's policy, and there is a most.
    fn displaced_by<'a>(&self, known: &'a Participant, client: &Client) -> Result<Vec<&'a ConnectionId>, Reject> {
        let same_device = |other: &Connection| !client.device.is_empty() && other.client.device == client.device;
        let others: Vec<_> = known.connections_of(client.lane).collect();
        if self.state.class.policy.devices == Devices::RejectNew && others.iter().any(|(_, other)| !same_device(other))
        {
            return Err(Reject::Conflict("this person is here with another device, and the room allows one"));
        }
        let all_give_way = client.lane == Lane::Media || self.state.class.policy.devices == Devices::Takeover;
        let (giving_way, mut staying): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|(_, other)| all_give_way || same_device(other));
        staying.sort_by_key(|(id, other)| (other.since, *id));
        let too_many = (staying.len() + 1).saturating_sub(MOST_STATE_CONNECTIONS);
        Ok(giving_way.into_iter().chain(staying.into_iter().take(too_many)).map(|(id, _)| id).collect())
    }

    fn resume(&self, person: &PersonId, connection: &ConnectionId) -> Result<Vec<Fact>, Reject> {
        self.only_for_oneself(person)?;
        let known = self.seat_of(person)?;
        let lost = known.lost.as_ref().filter(|lost| lost.id == *connection && lost.deadline > self.now);
        if lost.is_none() {
            return Err(Reject::NotFound("this connection can not be resumed any more"));
        }
        let mut facts = vec![Fact::ConnectionResumed { person: person.clone(), connection: connection.clone() }];
        facts.extend(class::returns(self.state, person));
        Ok(facts)
    }

    fn detach(&self, connection: &ConnectionId, reason: DetachReason, last_seen: UnixMs) -> Result<Vec<Fact>, Reject> {
        let (person, open) = self.state.owner(connection).ok_or(NO_CONNECTION)?;
        self.only_for_oneself(person)?;
        let last_seen = open.clamp_last_seen(last_seen, self.now);
        let mut facts = Vec::new();
        if reason.can_be_resumed() && self.has_window() && open.client.lane == Lane::Media {
            facts.push(detached(person, connection, reason, last_seen));
        } else {
            self.close_connection(&mut facts, person, connection, reason, last_seen);
        }
        Ok(facts)
    }

    fn leave(&self, connection: &ConnectionId) -> Result<Vec<Fact>, Reject> {
        let (person, _) = self.state.owner(connection).ok_or(NO_CONNECTION)?;
        self.only_for_oneself(person)?;
        let mut facts = Vec::new();
        self.close_connection(&mut facts, person, connection, DetachReason::ClientLeft, self.now);
        if let Some(known) = self.state.participants.get(person).filter(|known| known.connections.len() == 1) {
            self.expire(&mut facts, person, known);
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
        if !self.state.may_publish(person, publication.source) {
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

    fn update_track(
        &self,
        track: &TrackId,
        audio_features: Option<&[i32]>,
        size: Option<(u32, u32)>,
    ) -> Result<Vec<Fact>, Reject> {
        let publication = self.state.tracks.get(track).ok_or(NO_TRACK)?;
        self.only_for_oneself(&publication.person)?;
        let audio_features = audio_features.unwrap_or(&publication.audio_features).to_vec();
        let (width, height) = size.unwrap_or((publication.width, publication.height));
        let is_as_before =
            audio_features == publication.audio_features && (width, height) == (publication.width, publication.height);
        if is_as_before {
            return Ok(Vec::new());
        }
        let (person, track) = (publication.person.clone(), track.clone());
        Ok(vec![Fact::TrackUpdated { person, track, audio_features, width, height }])
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

    fn move_to(&self, persons: &[PersonId], space: &SpaceName) -> Result<Vec<Fact>, Reject> {
        self.only_administrators("only an administrator may move somebody")?;
        check_space(space)?;
        if persons.is_empty() {
            return Err(Reject::Invalid("nobody is named who is to be moved"));
        }
        let mut moved = BTreeSet::new();
        for person in persons {
            if self.seat_of(person)?.space != *space {
                moved.insert(person.clone());
            }
        }
        if moved.is_empty() {
            return Ok(Vec::new());
        }
        Ok(vec![Fact::ParticipantMoved { persons: moved.into_iter().collect(), space: space.clone() }])
    }

    fn describe_room(&self, metadata: &str) -> Result<Vec<Fact>, Reject> {
        self.only_administrators("only an administrator may describe the Room")?;
        if metadata == self.state.metadata {
            return Ok(Vec::new());
        }
        Ok(vec![Fact::RoomUpdated { metadata: metadata.to_owned() }])
    }

    fn choose(&self, person: &PersonId, choices: &[TrackChoice]) -> Result<Vec<Fact>, Reject> {
        self.only_for_oneself(person)?;
        let known = self.seat_of(person)?;
        let last_words: BTreeMap<_, _> =
            choices.iter().map(|choice| ((&choice.of, choice.source), choice.wanted)).collect();
        let choice_of = |of: &PersonId, source| known.choices.get(of).and_then(|by_source| by_source.get(&source));
        let changed: Vec<_> = last_words
            .into_iter()
            .filter(|((of, source), wanted)| choice_of(of, *source) != Some(wanted))
            .map(|((of, source), wanted)| TrackChoice { of: of.clone(), source, wanted })
            .collect();
        let new = changed.iter().filter(|choice| choice_of(&choice.of, choice.source).is_none()).count();
        let kept: usize = known.choices.values().map(BTreeMap::len).sum();
        if kept + new > MOST_CHOICES {
            return Err(Reject::Limit("too many choices of tracks are kept of this person"));
        }
        if changed.is_empty() {
            return Ok(Vec::new());
        }
        Ok(vec![Fact::SubscriptionChosen { person: person.clone(), choices: changed }])
    }

    fn remove(&self, person: &PersonId) -> Result<Vec<Fact>, Reject> {
        self.only_administrators("only an administrator may remove somebody")?;
        let known = self.seat_of(person)?;
        let mut facts = Vec::new();
        for connection in known.connections.keys() {
            self.close_connection(&mut facts, person, connection, DetachReason::Removed, self.now);
        }
        self.expire(&mut facts, person, known);
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
            self.expire(&mut closed, person, known);
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
            let offline = matches!(known.presence, Presence::Reconnecting { deadline, .. } if deadline <= self.now);
            if offline || known.lost.as_ref().is_some_and(|lost| lost.deadline <= self.now) {
                self.expire(&mut facts, person, known);
            }
            if let Presence::Reconnecting { last_seen, deadline } = known.presence
                && deadline <= self.now
            {
                facts.push(Fact::ParticipantOffline { person: person.clone(), last_seen });
            }
        }
        let because_nobody_is_here = self.state.end_timer().filter(|(due, _)| *due <= self.now).map(|(_, timer)| timer);
        let reason = match because_nobody_is_here {
            Some(EndTimer::Empty) => Some(EndReason::NeverJoined),
            Some(EndTimer::Departure) => Some(EndReason::Departed),
            None => class::is_over(&self.state.class, self.now).then_some(EndReason::Ended),
        };
        match reason {
            None => facts.extend(class::tick(self.state, self.ctx)),
            Some(reason) => {
                // What has expired is not closed a second time.
                let closed = self.end(reason).into_iter().filter(|fact| !facts.contains(fact)).collect::<Vec<_>>();
                facts.extend(closed);
            }
        }
        facts
    }

    /// Closes everything that is open: first what people did, then their connections, the session last.
    fn end(&self, reason: EndReason) -> Vec<Fact> {
        let mut facts = class::wind_up(self.state, self.now);
        for (person, known) in &self.state.participants {
            for connection in known.connections.keys() {
                self.close_connection(&mut facts, person, connection, DetachReason::SessionEnded, self.now);
            }
            self.expire(&mut facts, person, known);
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
        self.close_tracks(facts, connection, last_seen);
        facts.push(detached(person, connection, reason, last_seen));
    }

    /// Gives up a lost connection, if there is one.
    fn expire(&self, facts: &mut Vec<Fact>, person: &PersonId, known: &Participant) {
        let Some(Lost { id, last_seen, .. }) = &known.lost else { return };
        self.close_tracks(facts, id, *last_seen);
        facts.push(Fact::ConnectionExpired { person: person.clone(), connection: id.clone() });
    }

    fn close_tracks(&self, facts: &mut Vec<Fact>, connection: &ConnectionId, last_seen: UnixMs) {
        let tracks = self.state.tracks.values().filter(|track| track.connection == *connection);
        facts.extend(tracks.map(|track| unpublished(track, UnpublishReason::ConnectionEnded, last_seen)));
    }

    fn has_window(&self) -> bool {
        self.state.policy.as_ref().is_some_and(|policy| policy.resume_window_ms > 0)
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

fn detached(person: &PersonId, connection: &ConnectionId, reason: DetachReason, last_seen: UnixMs) -> Fact {
    Fact::ConnectionDetached { person: person.clone(), connection: connection.clone(), reason, last_seen }
}

pub(crate) fn check_space(space: &SpaceName) -> Result<(), Reject> {
    if space.0.is_empty() || space.0.chars().nth(SpaceName::MAX_CHARS).is_some() {
        return Err(Reject::Invalid("a Space's name has 1 to 128 characters"));
    }
    if space.0.chars().any(|c| c.is_control() || c == '/') {
        return Err(Reject::Invalid("a Space's name has neither control characters nor `/`"));
    }
    Ok(())
}

impl DetachReason {
    /// Whether a device may come back on the same connection after it.
    pub fn can_be_resumed(self) -> bool {
        matches!(self, DetachReason::ConnectionLost | DetachReason::MediaFailed)
    }
}

impl Permission {
    /// Whether a track that shows `source` may be published: a list of sources, if there is one, has the last word.
    pub fn may_publish(&self, source: Source) -> bool {
        if self.can_publish_sources.is_empty() { self.can_publish } else { self.can_publish_sources.contains(&source) }
    }
}
