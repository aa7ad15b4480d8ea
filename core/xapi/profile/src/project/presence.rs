//! Who is here, from when to when. Somebody joins once and leaves once, whatever their devices do meanwhile; a lost network suspends their
//! visit, and it is resumed, or over when the grace has passed.

use super::{BEGINS, Desk, Draft, ENDS};
use crate::iri::{extensions as ext, verbs};
use crate::make::{duration, list, object, share, whole};
use lyceum_session::{
    Client, ConnectionId, DetachReason, Event, Fact, Lane, LeaveReason, PersonId, Role, SpaceName, UnixMs,
};
use lyceum_xapi::Json;
use std::collections::BTreeMap;

/// Most stretches of presence that are told of one person; the last one is longer instead.
const MOST_SEGMENTS: usize = 500;

/// Everybody who was ever here.
#[derive(Default)]
pub(super) struct Visits(BTreeMap<PersonId, Visit>);

/// One person's presence.
#[derive(Default)]
pub(super) struct Visit {
    /// Between having joined and having left.
    is_in: bool,
    /// Since when they are connected.
    here_since: Option<UnixMs>,
    away: Option<Away>,
    /// Connected before `here_since`, since they joined.
    connected_ms: u64,
    /// How often they came back since they joined.
    attempts: u64,
    /// Stretches of presence in the whole session.
    segments: Vec<(UnixMs, UnixMs)>,
    total_ms: u64,
    /// The group that they are in, and since when.
    pub group: Option<(SpaceName, UnixMs)>,
}

struct Away {
    last_seen: UnixMs,
    /// Whether that was told. What a device does that gives way to another is not.
    told: bool,
}

impl Visit {
    pub fn is_in(&self) -> bool {
        self.is_in
    }

    /// Their connection was there until then.
    fn cut(&mut self, until: UnixMs) {
        let Some(since) = self.here_since.take() else { return };
        let until = until.max(since);
        self.connected_ms += until.0 - since.0;
        self.total_ms += until.0 - since.0;
        let is_full = self.segments.len() >= MOST_SEGMENTS;
        match self.segments.last_mut() {
            Some(last) if is_full || last.1 == since => last.1 = until,
            _ => self.segments.push((since, until)),
        }
    }
}

impl Visits {
    pub fn of(&mut self, person: &PersonId) -> Option<&mut Visit> {
        self.0.get_mut(person)
    }

    pub fn persons(&self) -> Vec<PersonId> {
        self.0.keys().cloned().collect()
    }
}

pub(super) fn before(desk: &mut Desk<'_>, visits: &mut Visits) {
    match &desk.event.fact {
        Fact::SessionStarted { .. } => {
            let room = desk.room();
            desk.tell(Draft::new("initialized", desk.actor(), BEGINS, room));
        }
        Fact::ConnectionAttached { person, client, .. } => came(desk, visits, person, Some(client)),
        Fact::ConnectionResumed { person, .. } => came(desk, visits, person, None),
        Fact::ConnectionDetached { person, connection, reason, last_seen } if is_last(desk, person, connection) => {
            lost(desk, visits, person, *reason, *last_seen);
        }
        Fact::ParticipantOffline { person, last_seen } => left(desk, visits, person, "dropped", Some(*last_seen)),
        Fact::ParticipantLeft { person, reason } => {
            let reason = match reason {
                LeaveReason::OwnWish => "left",
                LeaveReason::Removed => "removed",
                LeaveReason::SessionEnded => "ended",
            };
            left(desk, visits, person, reason, None);
        }
        Fact::SessionEnded { reason } => {
            attended(desk, visits);
            let Event { seq, mono_ms, .. } = *desk.event;
            let ended = Draft::new("terminated", desk.actor(), ENDS, desk.room())
                .lasted(mono_ms)
                .with(ext::END_REASON, super::plain(reason))
                .outcome(ext::EVENT_COUNT, whole(seq.0))
                .outcome(ext::LAST_SEQUENCE, whole(seq.0));
            desk.tell(ended);
        }
        _ => {}
    }
}

fn is_last(desk: &Desk<'_>, person: &PersonId, connection: &ConnectionId) -> bool {
    desk.state
        .participants
        .get(person)
        .is_some_and(|known| known.connections.len() == 1 && known.connections.contains_key(connection))
}

fn came(desk: &mut Desk<'_>, visits: &mut Visits, person: &PersonId, client: Option<&Client>) {
    if !desk.is_told_of(person) {
        return;
    }
    let at = desk.at();
    let visit = visits.0.entry(person.clone()).or_default();
    if visit.here_since.is_some() {
        return;
    }
    visit.here_since = Some(at);
    let away = visit.away.take();
    if !visit.is_in {
        visit.is_in = true;
        (visit.connected_ms, visit.attempts) = (0, 0);
        let joined = Draft::new("joined", Some(person), verbs::JOINED, desk.room())
            .with(ext::CAMERA_ACTIVATED, Json::Bool(false))
            .with(ext::MICRO_ACTIVATED, Json::Bool(false))
            .maybe_with(ext::CLIENT, client.map(described));
        desk.tell(joined);
    } else if let Some(away) = away.filter(|away| away.told) {
        visit.attempts += 1;
        let resumed = Draft::new("resumed", Some(person), verbs::RESUMED, desk.room())
            .with(ext::GAP, duration(at.0.saturating_sub(away.last_seen.0)))
            .with(ext::ATTEMPT, whole(visit.attempts));
        desk.tell(resumed);
    }
    if visit.group.is_none()
        && let Some(known) = desk.state.participants.get(person)
    {
        super::groups::enter(desk, person, visit, &known.space);
    }
}

/// What a device says of itself, as far as it says it.
fn described(client: &Client) -> Json {
    let lane = match client.lane {
        Lane::Media => "media",
        Lane::State => "state",
    };
    let fields = [("sdk", &client.sdk), ("version", &client.version), ("os", &client.os), ("browser", &client.browser)];
    let said = fields.into_iter().filter(|(_, value)| !value.is_empty());
    let said = said.map(|(name, value)| (name.to_owned(), Json::from(value.as_str())));
    let lane = std::iter::once(("lane".to_owned(), Json::from(lane)));
    Json::Object(lane.chain(said).collect())
}

fn lost(desk: &mut Desk<'_>, visits: &mut Visits, person: &PersonId, reason: DetachReason, last_seen: UnixMs) {
    let at = desk.at();
    let Some(visit) = visits.of(person).filter(|visit| visit.is_in && visit.here_since.is_some()) else { return };
    visit.cut(last_seen);
    let told = match reason {
        DetachReason::ConnectionLost
        | DetachReason::MediaFailed
        | DetachReason::NeverConnected
        | DetachReason::StateMismatch
        | DetachReason::ServerStopped => true,
        // They leave, which is told, or they come back at once.
        DetachReason::ClientLeft
        | DetachReason::Moved
        | DetachReason::Superseded
        | DetachReason::Removed
        | DetachReason::SessionEnded => false,
    };
    visit.away = Some(Away { last_seen, told });
    if told {
        let suspended = Draft::new("suspended", Some(person), verbs::SUSPENDED, desk.room())
            .lasted(visit.connected_ms)
            .with(ext::DROP_REASON, super::plain(&reason))
            .not_before(last_seen, at);
        desk.tell(suspended);
    }
}

fn left(desk: &mut Desk<'_>, visits: &mut Visits, person: &PersonId, reason: &str, last_seen: Option<UnixMs>) {
    let at = desk.at();
    let Some(visit) = visits.of(person).filter(|visit| visit.is_in) else { return };
    visit.cut(last_seen.unwrap_or(at));
    visit.is_in = false;
    let away = visit.away.take();
    let until = last_seen.or(away.map(|away| away.last_seen)).unwrap_or(at);
    super::groups::leave(desk, person, visit, until);
    let left = Draft::new("left", Some(person), verbs::LEFT, desk.room())
        .lasted(visit.connected_ms)
        .with(ext::LEAVE_REASON, reason)
        .not_before(last_seen.unwrap_or(at), at);
    desk.tell(left);
}

/// Of each learner who was here: for how long, all in all.
fn attended(desk: &mut Desk<'_>, visits: &Visits) {
    let session_ms = desk.event.mono_ms;
    let started_at = desk.state.started_at;
    for (place, (person, visit)) in visits.0.iter().enumerate() {
        if desk.role(person) != Some(Role::Learner) {
            continue;
        }
        let offset = |at: UnixMs| whole(at.0.saturating_sub(started_at.0));
        let segments =
            visit.segments.iter().map(|(from, to)| object([("from_ms", offset(*from)), ("to_ms", offset(*to))]));
        let mut attended = Draft::new(format!("attended/{place}"), Some(person), verbs::ATTENDED, desk.room())
            .result("completion", Json::Bool(true))
            .lasted(visit.total_ms)
            .outcome(ext::PRESENCE_SHARE, share(visit.total_ms, session_ms))
            .outcome(ext::PRESENCE_SEGMENTS, list(segments));
        if let Some(percent) = desk.settings.attended_percent {
            let enough = u128::from(visit.total_ms) * 100 >= u128::from(session_ms) * u128::from(percent);
            attended = attended.result("success", Json::Bool(enough));
        }
        desk.tell(attended);
    }
}
