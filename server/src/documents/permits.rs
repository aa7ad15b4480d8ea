//! What people may do with the documents of a class, as its log says it.

use crate::control::Refusal;
use lyceum_documents::{DocId, Rights, Write};
use lyceum_session::class::{Cap, DeckStatus, Grant};
use lyceum_session::{PersonId, Presence, RoomName, Seq, SessionId, SpaceName, State, TenantId};
use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use tokio::sync::{oneshot, watch};

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

/// What people may do with the documents of a class, for whoever follows it: as of events that are on disk, for what may still be lost
/// has not happened. Between what is told and what is so by now one state waits for the disk, and behind it the newest.
#[derive(Default)]
pub struct Followed {
    told: Option<watch::Sender<Standings>>,
    waits: Option<Standings>,
    newest: Option<Standings>,
    /// Who asked, and when: they know of everything that was on disk by then.
    asking: Vec<(Seq, oneshot::Sender<watch::Receiver<Standings>>)>,
}

impl Followed {
    /// Somebody wants to follow, and may know everything up to what is on disk by now. [`Followed::goes_on`] must come next.
    pub fn ask(&mut self, durable: Seq, answer: oneshot::Sender<watch::Receiver<Standings>>) {
        self.asking.push((durable, answer));
    }

    /// The class has gone on: it is at one event, of which everything up to another is on disk.
    pub fn goes_on(&mut self, seq: Seq, durable: Seq, standings: impl FnOnce() -> Standings) {
        let is_followed = self.told.as_ref().is_some_and(|told| told.receiver_count() > 0);
        if !is_followed && self.asking.is_empty() {
            *self = Self::default();
            return;
        }
        let known = self.newest.as_ref().or(self.waits.as_ref()).map(|waiting| waiting.seq);
        let known = known.or_else(|| self.told.as_ref().map(|told| told.borrow().seq));
        if known != Some(seq) {
            let place = if self.waits.is_none() { &mut self.waits } else { &mut self.newest };
            *place = Some(standings());
        }
        while let Some(due) = self.waits.take_if(|waiting| waiting.seq <= durable) {
            match &self.told {
                Some(told) => drop(told.send_replace(due)),
                None => self.told = Some(watch::Sender::new(due)),
            }
            self.waits = self.newest.take();
        }
        if let Some(told) = &self.told {
            let seq = told.borrow().seq;
            for (_, answer) in self.asking.extract_if(.., |(durable, _)| *durable <= seq) {
                // Whoever asked may have gone.
                let _ = answer.send(told.subscribe());
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seq: u64) -> Standings {
        Standings { seq: Seq(seq), ..Standings::default() }
    }

    fn told(follower: &watch::Receiver<Standings>) -> u64 {
        follower.borrow().seq.0
    }

    #[test]
    fn what_is_not_on_the_disk_has_not_happened() {
        let mut followed = Followed::default();
        let (answer, mut answered) = oneshot::channel();
        followed.ask(Seq(4), answer);
        followed.goes_on(Seq(5), Seq(4), || at(5));
        assert!(answered.try_recv().is_err(), "the first thing to follow is not on disk");
        followed.goes_on(Seq(5), Seq(5), || panic!("it is known"));
        let follower = answered.try_recv().unwrap();
        assert_eq!(told(&follower), 5);

        for seq in 6..=9 {
            followed.goes_on(Seq(seq), Seq(5), || at(seq));
        }
        assert_eq!(told(&follower), 5);
        followed.goes_on(Seq(10), Seq(7), || at(10));
        assert_eq!(told(&follower), 6, "a class that always goes on is followed all the same");
        let (answer, mut late) = oneshot::channel();
        followed.ask(Seq(7), answer);
        followed.goes_on(Seq(10), Seq(7), || panic!("it is known"));
        assert!(late.try_recv().is_err(), "they may know of the seventh event");
        followed.goes_on(Seq(10), Seq(10), || panic!("it is known"));
        assert_eq!((told(&follower), told(&late.try_recv().unwrap())), (10, 10));

        drop((follower, late));
        followed.goes_on(Seq(11), Seq(10), || panic!("nobody follows"));
    }
}
