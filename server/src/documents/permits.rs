//! What people may do with the documents of a class, as its log says it.

use crate::control::Refusal;
use lyceum_documents::{DocId, Rights, Write};
use lyceum_session::class::{Cap, DeckStatus, Grant};
use lyceum_session::{PersonId, Presence, RoomName, Seq, SessionId, SpaceName, State, TenantId};
use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use tokio::sync::watch;

/// Who knows what people of a class may do: the running class.
pub trait Permits: Send + Sync + 'static {
    /// The class that runs in a room.
    fn class<'a>(
        &'a self,
        tenant: &'a TenantId,
        room: &'a RoomName,
    ) -> Pin<Box<dyn Future<Output = Result<ClassStandings, Refusal>> + Send + 'a>>;
}

/// A running class.
#[derive(Clone, Debug)]
pub struct ClassStandings {
    /// Which.
    pub session: SessionId,
    /// What its people may do, now and from now on. The sender is dropped when the class is over.
    pub standings: watch::Receiver<Standings>,
}

/// What everybody in a class may do with its documents, as of one event.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Standings {
    /// Of which event.
    pub seq: Seq,
    people: BTreeMap<PersonId, Standing>,
    spaces: BTreeSet<SpaceName>,
    /// Pages of each deck that can be shown.
    decks: BTreeMap<Seq, u32>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Standing {
    grant: Grant,
    placed: SpaceName,
    visits: Option<SpaceName>,
}

impl Standings {
    /// From the state of a class.
    pub fn of(state: &State) -> Self {
        let seats = state.participants.iter().filter(|(_, known)| known.presence != Presence::Left);
        let people = seats.map(|(person, known)| {
            let visits = state.class.members.get(person).and_then(|member| member.visit.clone());
            (person.clone(), Standing { grant: state.grant(person), placed: known.space.clone(), visits })
        });
        let decks = state.class.decks.iter().filter_map(|(seq, deck)| match deck.status {
            DeckStatus::Ready { pages } => Some((*seq, pages)),
            _ => None,
        });
        Self {
            seq: state.seq,
            people: people.collect(),
            spaces: state.class.spaces.keys().cloned().collect(),
            decks: decks.collect(),
        }
    }

    /// Whether the class has this document.
    pub fn has(&self, document: &DocId) -> bool {
        let has_space = self.spaces.iter().any(|space| space.0 == document.space());
        has_space
            && match document {
                DocId::Page { deck, page, .. } => self.decks.get(&Seq(*deck)).is_some_and(|pages| page <= pages),
                DocId::Blank { .. } | DocId::Notes { .. } => true,
            }
    }

    /// What a person may do with a document, and since which version of their grant. Nothing for who is not in the class.
    ///
    /// Who is placed in a Space or visits it has what their grant says; who may visit any Space may look into its documents.
    pub fn rights(&self, person: &PersonId, document: &DocId) -> Option<(Rights, u64)> {
        let standing = self.people.get(person)?;
        let caps = standing.grant.caps;
        let (view, all, own) = match document.is_board() {
            true => (Cap::BoardView, Cap::BoardDraw, Some(Cap::BoardDrawOwn)),
            false => (Cap::NotesView, Cap::NotesEdit, None),
        };
        let is_there = [Some(&standing.placed), standing.visits.as_ref()]
            .into_iter()
            .flatten()
            .any(|space| space.0 == document.space());
        let view = caps.has(view) && (is_there || caps.has(Cap::BreakoutVisit));
        let write = match (view && is_there, caps.has(all), own.is_some_and(|own| caps.has(own))) {
            (true, true, _) => Write::All,
            (true, false, true) => Write::Own,
            _ => Write::Nothing,
        };
        Some((Rights { view, write }, standing.grant.epoch.0))
    }
}
