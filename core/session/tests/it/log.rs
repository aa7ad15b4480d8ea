//! What must be true of any log, found from the log alone: every number that a report would show can be counted from it.

use lyceum_session::*;
use std::collections::{BTreeMap, BTreeSet};

/// Everything that is open at the end of a log.
#[derive(Default, PartialEq, Eq, Debug)]
pub struct Open {
    pub seats: BTreeSet<PersonId>,
    pub connections: BTreeMap<ConnectionId, (PersonId, UnixMs)>,
    /// Connections that are lost and may be resumed; some have no track.
    pub lost: BTreeMap<ConnectionId, (PersonId, UnixMs)>,
    pub tracks: BTreeMap<TrackId, (PersonId, ConnectionId)>,
    pub muted: BTreeSet<TrackId>,
}

/// Reads a log from the beginning and checks each event against what the earlier ones opened.
pub fn read(log: &[Event], grace_ms: u64, window_ms: u64) -> Result<Open, String> {
    let mut open = Open::default();
    let mut published_at: BTreeMap<TrackId, UnixMs> = BTreeMap::new();
    let mut away: BTreeMap<PersonId, (UnixMs, UnixMs)> = BTreeMap::new();
    let mut ended = false;
    let Some(first) = log.first() else { return Ok(open) };
    let (mut seq, mut at) = (Seq(0), first.at);
    for event in log {
        let check = |holds: bool, what: &str| if holds { Ok(()) } else { Err(format!("{what}: {event:?}")) };
        check(event.seq == seq.next(), "a gap in seq")?;
        check(event.at >= at, "time decreases")?;
        check(event.mono_ms == event.at.0 - first.at.0, "mono_ms is not the time since the start")?;
        check(!ended, "an event after the end")?;
        (seq, at) = (event.seq, event.at);
        match &event.fact {
            Fact::SessionStarted { .. } => check(seq == Seq(1), "a second start")?,
            Fact::SessionRecovered { last_seen } => check(*last_seen >= first.at && *last_seen <= at, "last_seen")?,
            Fact::SessionEnded { .. } => {
                check(open == Open::default(), "something is open at the end")?;
                ended = true;
            }
            Fact::ParticipantAdmitted { person, .. } => {
                check(open.seats.insert(person.clone()), "a second row for the same person")?;
                // A crash may have cut the log before the connection that the admission was for.
                away.insert(person.clone(), (at, at));
            }
            Fact::ParticipantUpdated { person, .. } => check(open.seats.contains(person), "no such seat")?,
            Fact::ParticipantLeft { person, .. } => {
                check(!open.connections.values().any(|(owner, _)| owner == person), "left while connected")?;
                check(!open.lost.values().any(|(owner, _)| owner == person), "left while a connection may come back")?;
                check(open.seats.remove(person), "left without a seat")?;
                away.remove(person);
            }
            Fact::ParticipantOffline { person, last_seen } => {
                check(open.seats.contains(person), "offline without a seat")?;
                check(
                    !open.lost.values().any(|(owner, _)| owner == person),
                    "offline, and a connection may come back",
                )?;
                let Some((since, seen)) = away.remove(person) else {
                    return Err(format!("offline while connected: {event:?}"));
                };
                check(*last_seen == seen, "offline does not close where the connection did")?;
                check(at >= since.plus(grace_ms), "offline before the grace has passed")?;
            }
            Fact::ConnectionAttached { person, connection, .. } => {
                check(open.seats.contains(person), "connected without a seat")?;
                check(!open.connections.values().any(|(owner, _)| owner == person), "two connections of one person")?;
                check(!open.lost.values().any(|(owner, _)| owner == person), "the lost connection must expire first")?;
                check(
                    open.connections.insert(connection.clone(), (person.clone(), at)).is_none(),
                    "a connection opened twice",
                )?;
                away.remove(person);
            }
            Fact::ConnectionDetached { person, connection, reason, last_seen } => {
                let Some((owner, since)) = open.connections.remove(connection) else {
                    return Err(format!("a connection closed twice: {event:?}"));
                };
                check(owner == *person, "somebody else's connection")?;
                check(since <= *last_seen && *last_seen <= at, "an interval that closes before it opens")?;
                let may_return = window_ms > 0 && reason.can_be_resumed();
                let has_tracks = open.tracks.values().any(|(_, on)| on == connection);
                check(may_return || !has_tracks, "a track outlives its connection")?;
                if may_return {
                    open.lost.insert(connection.clone(), (person.clone(), since));
                }
                away.insert(person.clone(), (at, *last_seen));
            }
            Fact::ConnectionResumed { person, connection } => {
                let lost = open.lost.remove(connection);
                check(lost.as_ref().is_some_and(|(owner, _)| owner == person), "nothing to resume")?;
                open.connections.extend(lost.map(|lost| (connection.clone(), lost)));
                away.remove(person);
            }
            Fact::ConnectionExpired { person, connection } => {
                let lost = open.lost.remove(connection);
                check(lost.is_some_and(|(owner, _)| owner == *person), "nothing to expire")?;
                check(!open.tracks.values().any(|(_, on)| on == connection), "a track outlives its connection")?;
            }
            Fact::ParticipantMoved { persons, .. } => {
                check(!persons.is_empty(), "nobody moved")?;
                check(persons.iter().all(|person| open.seats.contains(person)), "moved without a seat")?;
                check(persons.is_sorted() && persons.windows(2).all(|two| two[0] != two[1]), "moved twice")?;
            }
            Fact::RoomUpdated { .. } => {}
            Fact::SubscriptionChosen { person, choices } => {
                check(open.seats.contains(person), "no such seat")?;
                check(!choices.is_empty(), "nothing chosen")?;
            }
            Fact::TrackPublished { publication } => {
                let Publication { track, person, connection, muted, .. } = publication;
                let owner = open.connections.get(connection).map(|(owner, _)| owner);
                check(owner == Some(person), "published on a connection that is not one's own")?;
                published_at.insert(track.clone(), at);
                let opened = (person.clone(), connection.clone());
                check(open.tracks.insert(track.clone(), opened).is_none(), "a track published twice")?;
                if *muted {
                    open.muted.insert(track.clone());
                }
            }
            Fact::TrackUnpublished { person, track, last_seen, .. } => {
                let (Some((owner, _)), Some(since)) = (open.tracks.remove(track), published_at.remove(track)) else {
                    return Err(format!("a track unpublished twice: {event:?}"));
                };
                check(owner == *person, "somebody else's track")?;
                check(since <= *last_seen && *last_seen <= at, "a track that ends before it begins")?;
                open.muted.remove(track);
            }
            Fact::TrackUpdated { person, track, .. } => {
                check(open.tracks.get(track).is_some_and(|(owner, _)| owner == person), "no such track")?;
            }
            Fact::TrackMuted { person, track } => {
                check(open.tracks.get(track).is_some_and(|(owner, _)| owner == person), "no such track")?;
                check(open.muted.insert(track.clone()), "muted twice")?;
            }
            Fact::TrackUnmuted { person, track } => {
                check(open.tracks.get(track).is_some_and(|(owner, _)| owner == person), "no such track")?;
                check(open.muted.remove(track), "unmuted twice")?;
            }
            Fact::Class(_) => {}
        }
    }
    Ok(open)
}
