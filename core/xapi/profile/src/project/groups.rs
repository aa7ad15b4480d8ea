//! Groups: who is placed in which, who came and went, who looked in, who called for help.

use super::presence::{Visit, Visits};
use super::{Desk, Draft};
use crate::iri::{extensions as ext, verbs};
use crate::make::duration;
use lyceum_session::class::ClassFact;
use lyceum_session::{Fact, PersonId, SpaceName, UnixMs};
use lyceum_xapi::Json;
use std::collections::BTreeMap;

/// What is open of groups.
#[derive(Default)]
pub(super) struct Open {
    /// Groups, and since when they are open.
    groups: BTreeMap<SpaceName, UnixMs>,
    /// Who looks into a group, and since when.
    guests: BTreeMap<PersonId, (SpaceName, UnixMs)>,
}

pub(super) fn before(desk: &mut Desk<'_>, open: &mut Open, visits: &mut Visits) {
    match &desk.event.fact {
        Fact::ParticipantMoved { persons, space } => moved(desk, visits, persons.iter().map(|person| (person, space))),
        Fact::ParticipantLeft { person, .. } => guest_left(desk, open, person),
        Fact::Class(fact) => class(desk, open, visits, fact),
        _ => {}
    }
}

fn class(desk: &mut Desk<'_>, open: &mut Open, visits: &mut Visits, fact: &ClassFact) {
    match fact {
        ClassFact::BreakoutsOpened { closes_at, placements, .. } => {
            let at = desk.at();
            let planned_ms = closes_at.map(|closes_at| closes_at.0.saturating_sub(at.0));
            if let Some(planned) = &desk.state.class.breakouts {
                for (place, space) in planned.groups.keys().enumerate() {
                    let group = desk.breakout(space);
                    let created = Draft::new(format!("created/{place}"), desk.actor(), verbs::CREATED, group)
                        .with(ext::MODE, super::plain(&planned.mode))
                        .maybe_with(ext::PLANNED_DURATION, planned_ms.map(duration));
                    desk.tell(created);
                    open.groups.insert(space.clone(), at);
                }
            }
            moved(desk, visits, placements.iter());
        }
        ClassFact::BreakoutsClosed {} => {
            let main = SpaceName::default();
            let everybody = visits.persons();
            moved(desk, visits, everybody.iter().map(|person| (person, &main)));
            for person in open.guests.keys().cloned().collect::<Vec<_>>() {
                guest_left(desk, open, &person);
            }
            let at = desk.at();
            for (place, (space, since)) in std::mem::take(&mut open.groups).into_iter().enumerate() {
                let group = desk.breakout(&space);
                let closed = Draft::new(format!("closed/{place}"), desk.actor(), verbs::CLOSED, group)
                    .lasted(at.0.saturating_sub(since.0));
                desk.tell(closed);
            }
        }
        ClassFact::VisitStarted { person, space } => {
            guest_left(desk, open, person);
            if desk.is_told_of(person) {
                open.guests.insert(person.clone(), (space.clone(), desk.at()));
                let joined = Draft::new("visit-joined", Some(person), verbs::JOINED, desk.breakout(space))
                    .in_team(desk.team(space))
                    .with(ext::VISIT, Json::Bool(true));
                desk.tell(joined);
            }
        }
        ClassFact::VisitEnded { person } => guest_left(desk, open, person),
        ClassFact::HelpRequested { space, person } => {
            let asked = Draft::new("help", Some(person), verbs::REQUESTED_ATTENTION, desk.breakout(space))
                .in_team(desk.team(space));
            desk.tell(asked);
        }
        _ => {}
    }
}

fn moved<'p>(desk: &mut Desk<'_>, visits: &mut Visits, moves: impl Iterator<Item = (&'p PersonId, &'p SpaceName)>) {
    let actor = desk.actor();
    let at = desk.at();
    for (place, (person, space)) in moves.enumerate() {
        if !desk.is_told_of(person) {
            continue;
        }
        if !space.is_main() {
            let by = if actor == Some(person) { "self".into() } else { desk.agent_or_server(actor) };
            let group = desk.breakout(space);
            let assigned = Draft::new(format!("assigned/{place}"), Some(person), verbs::WAS_ASSIGNED, group)
                .in_team(desk.team(space))
                .with(ext::ASSIGNED_BY, by);
            desk.tell(assigned);
        }
        if let Some(visit) = visits.of(person)
            && visit.group.as_ref().map(|(group, _)| group) != Some(space)
        {
            leave(desk, person, visit, at);
            if visit.is_in() {
                enter(desk, person, visit, space);
            }
        }
    }
}

/// Somebody is in a group from here on.
pub(super) fn enter(desk: &mut Desk<'_>, person: &PersonId, visit: &mut Visit, space: &SpaceName) {
    if space.is_main() {
        return;
    }
    visit.group = Some((space.clone(), desk.at()));
    let part = format!("group-joined/{}", desk.said.len());
    let joined = Draft::new(part, Some(person), verbs::JOINED, desk.breakout(space)).in_team(desk.team(space));
    desk.tell(joined);
}

/// Somebody is not in their group any more, if they were in one.
pub(super) fn leave(desk: &mut Desk<'_>, person: &PersonId, visit: &mut Visit, until: UnixMs) {
    let Some((space, since)) = visit.group.take() else { return };
    let at = desk.at();
    let part = format!("group-left/{}", desk.said.len());
    let left = Draft::new(part, Some(person), verbs::LEFT, desk.breakout(&space))
        .in_team(desk.team(&space))
        .lasted(until.0.saturating_sub(since.0))
        .not_before(until, at);
    desk.tell(left);
}

fn guest_left(desk: &mut Desk<'_>, open: &mut Open, person: &PersonId) {
    let Some((space, since)) = open.guests.remove(person) else { return };
    let lasted = desk.at().0.saturating_sub(since.0);
    let part = format!("visit-left/{}", desk.said.len());
    let left = Draft::new(part, Some(person), verbs::LEFT, desk.breakout(&space))
        .in_team(desk.team(&space))
        .lasted(lasted)
        .with(ext::VISIT, Json::Bool(true));
    desk.tell(left);
}
