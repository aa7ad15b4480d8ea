//! Hands that go up and down, who was called on, and how often people reacted.

use super::{Desk, Draft, plain};
use crate::iri::{extensions as ext, verbs};
use crate::make::{duration, whole};
use lyceum_session::class::ClassFact;
use lyceum_session::{Fact, PersonId};
use lyceum_xapi::{Json, Uuid};

/// A raised hand.
const HAND: &str = "U+1F590";

pub(super) fn before(desk: &mut Desk<'_>) {
    let Fact::Class(fact) = &desk.event.fact else { return };
    match fact {
        ClassFact::HandLowered { persons } => {
            for (place, person) in persons.iter().enumerate() {
                let actor = desk.actor();
                let by = if actor == Some(person) { "self".into() } else { desk.agent_or_server(actor) };
                lowered(desk, person, format!("lowered/{place}"), by);
            }
        }
        ClassFact::HandCalled { person, .. } => {
            let raised = raised(desk, person);
            let who = desk.agent(person);
            let called = Draft::new("called", desk.actor(), verbs::CALLED_ON, who)
                .maybe_with(ext::WAIT, raised.map(|(_, waited_ms)| duration(waited_ms)))
                .about(raised.map(|(statement, _)| statement));
            desk.tell(called);
            lowered(desk, person, "lowered".to_owned(), "called".into());
        }
        ClassFact::ReactionAggregated { space, counts } => {
            let counts = counts.iter().map(|(kind, count)| (kind.clone(), whole(u64::from(*count))));
            let mut tallied = Draft::new("reactions", None, verbs::TALLIED, desk.room())
                .outcome(ext::TALLY, Json::Object(counts.collect()));
            if !space.is_main() {
                tallied = tallied.in_team(desk.team(space));
            }
            desk.tell(tallied);
        }
        _ => {}
    }
}

/// Where a hand is in the queue is known once it is up.
pub(super) fn after(desk: &mut Desk<'_>) {
    let Fact::Class(ClassFact::HandRaised { person, intent }) = &desk.event.fact else { return };
    let place = desk.state.class.queue().iter().position(|waiting| *waiting == person);
    let raised = Draft::new("raised", Some(person), verbs::REACTED, desk.room())
        .outcome(ext::EMOJI, HAND)
        .with(ext::INTENT, plain(intent))
        .maybe_with(ext::QUEUE_POSITION, place.map(|place| whole(place as u64 + 1)));
    desk.tell(raised);
}

/// The statement of somebody's raised hand, and for how long it has been up.
fn raised(desk: &Desk<'_>, person: &PersonId) -> Option<(Uuid, u64)> {
    let hand = desk.state.class.hands.up.get(person)?;
    let waited_ms = desk.at().0.saturating_sub(hand.since_at.0);
    Some((desk.names.statement(hand.since, "raised"), waited_ms))
}

fn lowered(desk: &mut Desk<'_>, person: &PersonId, part: String, by: Json) {
    let Some((statement, waited_ms)) = raised(desk, person) else { return };
    let lowered = Draft::new(part, Some(person), verbs::UNREACTED, desk.room())
        .outcome(ext::EMOJI, HAND)
        .with(ext::LOWERED_BY, by)
        .with(ext::WAIT, duration(waited_ms))
        .about(Some(statement));
    desk.tell(lowered);
}
