//! What lies on the table: slides and boards. What is drawn and written there are documents of their own, which the log does not have.

use super::{Desk, Draft};
use crate::iri::{extensions as ext, types, verbs};
use crate::make::whole;
use lyceum_session::Fact;
use lyceum_session::class::ClassFact;

pub(super) fn before(desk: &mut Desk<'_>) {
    let Fact::Class(fact) = &desk.event.fact else { return };
    match fact {
        ClassFact::DeckAdded { author, hash, mime_type, bytes, .. } => {
            let file = desk.thing("deck", desk.event.seq, types::FILE);
            let shared = Draft::new("shared", author.as_ref(), verbs::SHARED, file)
                .with(ext::SIZE, whole(*bytes))
                .with(ext::CONTENT_TYPE, mime_type.as_str())
                .with(ext::SHA2, hash.as_str());
            desk.tell(shared);
        }
        ClassFact::PageChanged { space, deck, page } => {
            let slide = desk.thing("slide", format_args!("{deck}/{page}"), types::SLIDE);
            let deck = desk.thing("slide-deck", deck, types::SLIDE_DECK);
            let mut presented = Draft::new("presented", desk.actor(), verbs::PRESENTED, slide)
                .with(ext::POSITION, whole(u64::from(*page)))
                .part_of(deck);
            if !space.is_main() {
                presented = presented.in_team(desk.team(space));
            }
            desk.tell(presented);
        }
        ClassFact::BoardCleared { space, deck, page, .. } => {
            let board = desk.thing("whiteboard", format_args!("{space}/{deck}/{page}"), types::WHITEBOARD);
            let mut cleared =
                Draft::new("cleared", desk.actor(), verbs::CLEARED, board).with(ext::POSITION, whole(u64::from(*page)));
            if !space.is_main() {
                cleared = cleared.in_team(desk.team(space));
            }
            desk.tell(cleared);
        }
        _ => {}
    }
}
