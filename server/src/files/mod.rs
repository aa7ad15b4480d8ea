//! Files that people bring to a class: slides. Their bytes come by `PUT` to the deck that was announced, are held against what was
//! announced, read in a process of their own, kept by what is in them, and given by `GET` to whoever may see the deck. Whether
//! somebody may is the class's to say.

mod give;
pub mod inspect;
pub mod sandbox;
mod store;
mod take;

pub use give::give;
pub use store::FileStore;
pub use take::take;

use crate::api::{actor, refused};
use crate::app::App;
use crate::config::Config;
use crate::http::auth::authenticate_pass;
use crate::http::error::ApiError;
use crate::token::Pass;
use axum::http::{HeaderMap, StatusCode};
use lyceum_node::{Answer, Order};
use lyceum_session::class::Deck;
use lyceum_session::{PersonId, RoomName, Seq, TenantId};
use sandbox::Sandbox;
use std::io;
use tokio::sync::Semaphore;

/// Files that may be on their way in at a time.
const UPLOADS: usize = 64;

/// The files of this server.
pub struct Files {
    store: FileStore,
    sandbox: Sandbox,
    uploads: Semaphore,
}

impl Files {
    /// Opens what is kept in the data directory. Blocks; call it at start.
    pub fn open(config: &Config) -> io::Result<Self> {
        let store = FileStore::open(&config.store.dir, config.files.tenant_bytes)?;
        Ok(Self { store, sandbox: Sandbox::new(&config.program), uploads: Semaphore::new(UPLOADS) })
    }

    /// What they take on disk, in bytes.
    pub fn bytes(&self) -> u64 {
        self.store.bytes()
    }
}

/// A deck, and who asks for it.
struct Asked {
    tenant: TenantId,
    room: RoomName,
    /// `None` is the server itself.
    person: Option<PersonId>,
    seq: Seq,
}

impl Asked {
    /// From a token of either sort: one for a class, or the one of a `welcome`.
    fn new(app: &App, headers: &HeaderMap, (room, deck): (String, String)) -> Result<Self, ApiError> {
        let pass = authenticate_pass(&app.keyring, headers)?;
        let (who, person) = match pass {
            Pass::Access(who) => {
                let person = actor(&who, &room)?;
                (who, person)
            }
            Pass::Resume(who, resume) => {
                if resume.room.0 != room {
                    return Err(ApiError::forbidden("the token is for another room"));
                }
                let running = app.control.find(&who.tenant, &resume.room).map(|class| class.session);
                if running.is_some_and(|session| session != resume.session) {
                    let message = "the session that this token is for has ended";
                    return Err(ApiError::new(StatusCode::GONE, "session_ended", message));
                }
                let person = PersonId(who.claims.identity().to_owned());
                (who, Some(person))
            }
        };
        let seq = deck.parse().map(Seq).map_err(|_| ApiError::not_found("a deck is named by a number"))?;
        Ok(Self { tenant: who.tenant, room: RoomName(room), person, seq })
    }

    async fn deck(&self, app: &App, brings: bool) -> Result<Deck, ApiError> {
        let order = Order::LookAtDeck { person: self.person.clone(), deck: self.seq, brings };
        match app.control.order(&self.tenant, &self.room, order).await.map_err(refused)? {
            Answer::Deck(deck) => Ok(*deck),
            other => Err(crate::api::no_answer(&other)),
        }
    }
}

/// Work with the disk stays off the threads that answer everybody.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other).flatten().map_err(disk)
}

fn disk(error: io::Error) -> ApiError {
    tracing::error!(%error, "a file cannot be read or written");
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ApiError::unavailable("the server's disk is full; its operator has to make room")
        }
        _ => ApiError::unavailable("the server cannot read or write files at the moment; try again"),
    }
}
