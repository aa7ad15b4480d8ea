//! Slides, and who draws on them. Only what is known of a file is here; the server takes the file, and the drawings are
//! documents of their own.

use super::{Cap, ClassCommand, ClassFact, Desk, Did, Expect, check_text, did, nothing};
use crate::command::Reject;
use crate::event::Event;
use crate::ids::{PersonId, Seq, Text};
use crate::state::{Participant, State};
use serde::{Deserialize, Serialize};

/// A deck of slides, named by the place of the fact that announced it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Deck {
    /// Who brought it.
    pub author: Option<PersonId>,
    /// Its name.
    pub name: Text,
    /// The digest of its file, in hexadecimal.
    pub hash: String,
    /// What the file is said to be.
    pub mime_type: String,
    /// How large the file is said to be.
    pub bytes: u64,
    /// Whether it can be shown.
    pub status: DeckStatus,
}

/// Whether a deck can be shown.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DeckStatus {
    /// Its file is on the way.
    Pending,
    /// It can.
    Ready {
        /// How many pages it has.
        pages: u32,
    },
    /// Its file is not what it was said to be.
    Failed {
        /// Why.
        reason: String,
    },
}

/// The slide that a Space shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Page {
    /// Of which deck.
    pub deck: Seq,
    /// Which page, from 1.
    pub page: u32,
}

/// Who draws on the boards of a Space, beside those whose role lets them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum BoardAccess {
    /// The presenter.
    #[default]
    Presenter,
    /// The presenter and those who are named.
    Only,
    /// Everybody, and changes only what is their own.
    Own,
    /// Everybody.
    All,
}

/// Most decks of a session.
const MOST_DECKS: usize = 100;
/// Most pages of a deck.
pub const MOST_PAGES: u32 = 2_000;
/// Largest file: 200 MB.
const MOST_BYTES: u64 = 200_000_000;
/// Longest name, in bytes.
const NAME_BYTES: usize = 300;

pub(super) fn decide(desk: &Desk<'_>, command: &ClassCommand) -> Option<Did> {
    Some(match command {
        ClassCommand::DeckAdd { name, hash, mime_type, bytes } => (|| {
            desk.need(Cap::DeckUpload, "bringing slides is not permitted")?;
            check_text(name, NAME_BYTES)?;
            let is_digest = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
            if !is_digest || mime_type.is_empty() || mime_type.len() > 100 {
                return Err(Reject::Invalid("a deck has a SHA-256 digest in hexadecimal and a MIME type"));
            }
            if *bytes == 0 || *bytes > MOST_BYTES || desk.class.decks.len() >= MOST_DECKS {
                return Err(Reject::Limit("the file is too large or empty, or there are too many decks"));
            }
            did(ClassFact::DeckAdded {
                author: desk.ctx.actor.clone(),
                name: name.clone(),
                hash: hash.to_ascii_lowercase(),
                mime_type: mime_type.clone(),
                bytes: *bytes,
            })
        })(),
        ClassCommand::DeckReady { deck, pages } => (|| {
            desk.only_server("only the server reads the file")?;
            desk.pending(*deck)?;
            if *pages == 0 || *pages > MOST_PAGES {
                return Err(Reject::Limit("a deck has 1 to 2,000 pages"));
            }
            did(ClassFact::DeckReady { deck: *deck, pages: *pages })
        })(),
        ClassCommand::DeckFail { deck, reason } => (|| {
            desk.only_server("only the server reads the file")?;
            desk.pending(*deck)?;
            did(ClassFact::DeckFailed { deck: *deck, reason: reason.chars().take(200).collect() })
        })(),
        ClassCommand::DeckRemove { deck } => (|| {
            desk.need(Cap::DeckControl, "removing slides is not permitted")?;
            desk.class.decks.get(deck).ok_or(NO_DECK)?;
            did(ClassFact::DeckRemoved { deck: *deck })
        })(),
        ClassCommand::PageSet { space, deck, page } => (|| {
            let (space, here) = desk.space(space.as_ref())?;
            desk.need_there(Cap::DeckControl, &space, "turning pages is not permitted")?;
            desk.expect(here.rev, Expect::Optional)?;
            match desk.class.decks.get(deck).ok_or(NO_DECK)?.status {
                DeckStatus::Ready { pages } if (1..=pages).contains(page) => {}
                DeckStatus::Ready { .. } => return Err(Reject::NotFound("the deck has no such page")),
                _ => return Err(Reject::Conflict("the deck can not be shown yet")),
            }
            if here.page == Some(Page { deck: *deck, page: *page }) {
                return nothing();
            }
            did(ClassFact::PageChanged { space, deck: *deck, page: *page })
        })(),
        ClassCommand::BoardSetAccess { space, access, persons } => (|| {
            let (space, here) = desk.space(space.as_ref())?;
            desk.need_there(Cap::BoardSetAccess, &space, "saying who draws is not permitted")?;
            persons.iter().try_for_each(|person| desk.seat(person).map(|_| ()))?;
            let persons = if *access == BoardAccess::Only { super::persons_once(persons)? } else { Vec::new() };
            if here.board_access == *access && here.board_persons.iter().eq(&persons) {
                return nothing();
            }
            did(ClassFact::BoardAccessChanged { space, access: *access, persons })
        })(),
        ClassCommand::BoardClear { space, deck, page, snapshot } => (|| {
            let (space, _) = desk.space(space.as_ref())?;
            desk.need_there(Cap::BoardClear, &space, "clearing the board is not permitted")?;
            if snapshot.len() > 200 {
                return Err(Reject::Invalid("a snapshot's name is short"));
            }
            did(ClassFact::BoardCleared { space, deck: *deck, page: *page, snapshot: snapshot.clone() })
        })(),
        ClassCommand::NotesLock { space, locked } => (|| {
            let (space, here) = desk.space(space.as_ref())?;
            desk.need(Cap::NotesLock, "locking notes is not permitted")?;
            if here.notes_locked == *locked {
                return nothing();
            }
            did(ClassFact::NotesLocked { space, locked: *locked })
        })(),
        _ => return None,
    })
}

const NO_DECK: Reject = Reject::NotFound("no such deck");

impl State {
    /// A deck, for who reads its file: everybody in the session. `None` is the server.
    pub fn deck_for(&self, reader: Option<&PersonId>, deck: Seq) -> Result<&Deck, Reject> {
        reader.map_or(Ok(()), |person| self.seated(person).map(|_| ()))?;
        self.class.decks.get(&deck).ok_or(NO_DECK)
    }

    /// A deck, for who brings its file: who announced it, or staff, as long as they may bring slides. `None` is the server.
    pub fn deck_from(&self, person: Option<&PersonId>, deck: Seq) -> Result<&Deck, Reject> {
        let Some(person) = person else { return self.deck_for(None, deck) };
        let seat = self.seated(person)?;
        if !self.grant(person).caps.has(Cap::DeckUpload) {
            return Err(Reject::Forbidden("bringing slides is not permitted"));
        }
        let known = self.class.decks.get(&deck).ok_or(NO_DECK)?;
        match known.author.as_ref() == Some(person) || seat.profile.role.is_staff() {
            true => Ok(known),
            false => Err(Reject::Forbidden("somebody else announced this deck")),
        }
    }

    fn seated(&self, person: &PersonId) -> Result<&Participant, Reject> {
        if let Some(ban) = self.class.bans.get(person) {
            return Err(ban.reject());
        }
        self.seat(person).ok_or(Reject::NotAdmitted("the person is not part of this session"))
    }
}

impl Desk<'_> {
    fn pending(&self, deck: Seq) -> Result<(), Reject> {
        match self.class.decks.get(&deck).ok_or(NO_DECK)?.status {
            DeckStatus::Pending => Ok(()),
            _ => Err(Reject::Conflict("the deck's file was read already")),
        }
    }
}

pub(super) fn apply(state: &mut State, event: &Event, fact: &ClassFact) -> bool {
    let class = &mut state.class;
    let space_of = |space| match fact {
        ClassFact::PageChanged { space, .. }
        | ClassFact::BoardAccessChanged { space, .. }
        | ClassFact::NotesLocked { space, .. } => Some(space),
        _ => space,
    };
    if let Some(here) = space_of(None).and_then(|space| class.spaces.get_mut(space)) {
        here.rev = event.seq;
        match fact {
            ClassFact::PageChanged { deck, page, .. } => here.page = Some(Page { deck: *deck, page: *page }),
            ClassFact::BoardAccessChanged { access, persons, .. } => {
                here.board_access = *access;
                here.board_persons = persons.iter().cloned().collect();
            }
            ClassFact::NotesLocked { locked, .. } => here.notes_locked = *locked,
            _ => {}
        }
    }
    match fact {
        ClassFact::DeckAdded { author, name, hash, mime_type, bytes } => {
            let deck = Deck {
                author: author.clone(),
                name: name.clone(),
                hash: hash.clone(),
                mime_type: mime_type.clone(),
                bytes: *bytes,
                status: DeckStatus::Pending,
            };
            class.decks.insert(event.seq, deck);
        }
        ClassFact::DeckReady { deck, pages } => {
            if let Some(deck) = class.decks.get_mut(deck) {
                deck.status = DeckStatus::Ready { pages: *pages };
            }
        }
        ClassFact::DeckFailed { deck, reason } => {
            if let Some(deck) = class.decks.get_mut(deck) {
                deck.status = DeckStatus::Failed { reason: reason.clone() };
            }
        }
        ClassFact::DeckRemoved { deck } => {
            class.decks.remove(deck);
            for space in class.spaces.values_mut().filter(|space| space.page.is_some_and(|page| page.deck == *deck)) {
                space.page = None;
                space.rev = event.seq;
            }
        }
        ClassFact::BoardCleared { .. }
        | ClassFact::PageChanged { .. }
        | ClassFact::BoardAccessChanged { .. }
        | ClassFact::NotesLocked { .. } => {}
        _ => return false,
    }
    true
}
