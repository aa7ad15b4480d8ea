//! The keys of persons (one per tenant and person, AES-256-GCM) and what they do to personal text: sealed before it is
//! written, opened after it is read, and unreadable for good once the key is erased. Knows the file `keys.sqlite`; knows no log.

use super::StoreError;
use super::schema::{self, KEYS};
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD as BASE64};
use lyceum_session::class::SideWrite;
use lyceum_session::{Event, PersonId, Seq, SessionId, TenantId, Text};
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

/// What a personal text reads as after its person's key was erased.
pub const ERASED: &str = "[erased]";

/// Says how the rest of a sealed text is laid out: key id, nonce, ciphertext with tag.
const LAYOUT: u8 = 1;
const KEY_ID_LEN: usize = 8;
const KEY_LEN: usize = 32;

/// The keys in use, by tenant and person.
pub(super) type KeyRing = HashMap<(TenantId, PersonId), PersonKey>;

/// One person's key. Its random id tells texts sealed under it from texts sealed under a key that has been erased since.
pub(super) struct PersonKey {
    id: [u8; KEY_ID_LEN],
    cipher: RandomizedNonceKey,
}

/// Where a text stands. It is bound to its place: copied to another one, it does not open.
struct Place<'a> {
    tenant: &'a TenantId,
    session: &'a SessionId,
    slot: Slot,
    /// The text's position in what [`Personal::visit`] goes through.
    field: u32,
}

/// Which record of a session.
#[derive(Clone, Copy)]
pub(super) enum Slot {
    Event(Seq),
    /// Of a poll; whose it is, their key says.
    Draft(Seq),
}

/// A record with personal texts in it.
pub(super) trait Personal {
    fn slot(&self) -> Slot;
    /// Every text in it, always in the same order, with the person whose key protects it.
    fn visit(&mut self, visit: impl FnMut(&PersonId, &mut Text));
}

impl Personal for Event {
    fn slot(&self) -> Slot {
        Slot::Event(self.seq)
    }

    fn visit(&mut self, visit: impl FnMut(&PersonId, &mut Text)) {
        self.personal_mut(visit);
    }
}

impl Personal for SideWrite {
    fn slot(&self) -> Slot {
        match self {
            // A ballot has no text of anybody.
            SideWrite::Draft { poll, .. } | SideWrite::Ballot { poll, .. } => Slot::Draft(*poll),
        }
    }

    fn visit(&mut self, visit: impl FnMut(&PersonId, &mut Text)) {
        self.personal_mut(visit);
    }
}

/// `keys.sqlite`, for one thread.
pub(super) struct Keys {
    conn: Connection,
}

impl Keys {
    pub fn open_writer(directory: &Path) -> Result<Self, StoreError> {
        Ok(Self { conn: schema::open_writer(directory, &KEYS)? })
    }

    pub fn open_reader(directory: &Path) -> Result<Self, StoreError> {
        Ok(Self { conn: schema::open_reader(directory, &KEYS)? })
    }

    pub fn conn(&self) -> &Connection {
        &self.conn
    }

    pub fn is_empty(&self) -> Result<bool, StoreError> {
        let any = self.conn.query_row("SELECT EXISTS (SELECT 1 FROM person_keys)", [], |row| row.get::<_, bool>(0));
        Ok(!any.map_err(sqlite)?)
    }

    pub fn get(&self, tenant: &TenantId, person: &PersonId) -> Result<Option<PersonKey>, StoreError> {
        let mut query = self
            .conn
            .prepare_cached("SELECT id, key FROM person_keys WHERE tenant = ? AND person = ?")
            .map_err(sqlite)?;
        query.query_row(params![tenant.0, person.0], PersonKey::read).optional().map_err(sqlite)?.transpose()
    }

    /// Sees to it that each of these persons has a key, on disk and in the ring.
    pub fn ensure(&mut self, ring: &mut KeyRing, persons: BTreeSet<(TenantId, PersonId)>) -> Result<(), StoreError> {
        let mut new = Vec::new();
        for (tenant, person) in persons {
            if let Some(key) = self.get(&tenant, &person)? {
                ring.insert((tenant, person), key);
            } else {
                new.push((tenant, person));
            }
        }
        if new.is_empty() {
            return Ok(());
        }
        let transaction = self.conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sqlite)?;
        let mut created = Vec::with_capacity(new.len());
        for (tenant, person) in new {
            let (id, key) = (random::<KEY_ID_LEN>()?, random::<KEY_LEN>()?);
            transaction
                .prepare_cached("INSERT INTO person_keys (tenant, person, id, key) VALUES (?, ?, ?, ?)")
                .and_then(|mut insert| insert.execute(params![tenant.0, person.0, id, key]))
                .map_err(sqlite)?;
            created.push(((tenant, person), PersonKey::new(id, &key)?));
        }
        transaction.commit().map_err(sqlite)?;
        ring.extend(created);
        Ok(())
    }

    /// Erases a person's key from the file and from its write-ahead log.
    pub fn erase(&mut self, ring: &mut KeyRing, tenant: &TenantId, person: &PersonId) -> Result<(), StoreError> {
        self.conn
            .execute("DELETE FROM person_keys WHERE tenant = ? AND person = ?", params![tenant.0, person.0])
            .map_err(sqlite)?;
        ring.remove(&(tenant.clone(), person.clone()));
        // The pages that held the key are still in the write-ahead log.
        if checkpoint(&self.conn, "TRUNCATE").map_err(sqlite)? {
            return Ok(());
        }
        let detail = "a reader kept an erased key's page in use; erase the person again".to_owned();
        Err(StoreError::Io { file: KEYS.name, detail })
    }
}

impl PersonKey {
    fn new(id: [u8; KEY_ID_LEN], key: &[u8; KEY_LEN]) -> Result<Self, StoreError> {
        let cipher =
            RandomizedNonceKey::new(&AES_256_GCM, key).map_err(|_| StoreError::Bug("a key was refused".to_owned()))?;
        Ok(Self { id, cipher })
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Result<Self, StoreError>> {
        Ok(Self::new(row.get(0)?, &row.get(1)?))
    }

    fn seal(&self, place: &Place<'_>, text: &mut Text) -> Result<(), StoreError> {
        let mut secret = std::mem::take(&mut text.0).into_bytes();
        let nonce = self
            .cipher
            .seal_in_place_append_tag(Aad::from(place.bytes()), &mut secret)
            .map_err(|_| StoreError::Bug("a text could not be encrypted".to_owned()))?;
        let mut sealed = Vec::with_capacity(1 + KEY_ID_LEN + NONCE_LEN + secret.len());
        sealed.push(LAYOUT);
        sealed.extend_from_slice(&self.id);
        sealed.extend_from_slice(nonce.as_ref());
        sealed.append(&mut secret);
        text.0 = BASE64.encode(sealed);
        Ok(())
    }
}

/// Seals every personal text of a record. Every person in it must have a key in the ring.
pub(super) fn seal(
    ring: &KeyRing,
    tenant: &TenantId,
    session: &SessionId,
    record: &mut impl Personal,
) -> Result<(), StoreError> {
    let (slot, mut field, mut outcome) = (record.slot(), 0, Ok(()));
    record.visit(|person, text| {
        let place = Place { tenant, session, slot, field };
        field += 1;
        // An empty text tells nothing of anybody and stays as it is.
        if outcome.is_err() || text.0.is_empty() {
            return;
        }
        outcome = match ring.get(&(tenant.clone(), person.clone())) {
            Some(key) => key.seal(&place, text),
            None => Err(StoreError::Bug("a person's key is missing from the ring".to_owned())),
        };
    });
    outcome
}

/// Opens every personal text of a record with the keys that there are; texts whose key was erased become [`ERASED`].
pub(super) fn open(
    keys: &Keys,
    ring: &mut HashMap<PersonId, Option<PersonKey>>,
    tenant: &TenantId,
    session: &SessionId,
    record: &mut impl Personal,
) -> Result<(), StoreError> {
    let (slot, mut field, mut outcome) = (record.slot(), 0, Ok(()));
    record.visit(|person, text| {
        let place = Place { tenant, session, slot, field };
        field += 1;
        if outcome.is_err() || text.0.is_empty() {
            return;
        }
        outcome = (|| {
            if !ring.contains_key(person) {
                ring.insert(person.clone(), keys.get(tenant, person)?);
            }
            let key = ring.get(person).and_then(Option::as_ref);
            text.0 = open_text(key, &place, &text.0)?;
            Ok(())
        })();
    });
    outcome
}

fn open_text(key: Option<&PersonKey>, place: &Place<'_>, text: &str) -> Result<String, StoreError> {
    let damaged = || StoreError::Corrupt {
        file: schema::SESSIONS.name,
        detail: format!("text {} of {} of session {} does not open", place.field, place.slot, place.session),
    };
    let mut sealed = BASE64.decode(text).map_err(|_| damaged())?;
    let (head, secret) = sealed.split_at_mut_checked(1 + KEY_ID_LEN + NONCE_LEN).ok_or_else(damaged)?;
    let (layout, head) = head.split_at(1);
    let (id, nonce) = head.split_at(KEY_ID_LEN);
    if layout != [LAYOUT] {
        return Err(damaged());
    }
    let Some(key) = key.filter(|key| key.id == id) else {
        return Ok(ERASED.to_owned());
    };
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| damaged())?;
    let plain = key.cipher.open_in_place(nonce, Aad::from(place.bytes()), secret).map_err(|_| damaged())?;
    String::from_utf8(plain.to_vec()).map_err(|_| damaged())
}

impl Place<'_> {
    /// Unambiguous, because each name has its length before it, and the two kinds of slots differ in length.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(33 + self.tenant.0.len() + self.session.0.len());
        for name in [&self.tenant.0, &self.session.0] {
            bytes.extend_from_slice(&(name.len() as u64).to_be_bytes());
            bytes.extend_from_slice(name.as_bytes());
        }
        let seq = match self.slot {
            Slot::Event(seq) => seq,
            Slot::Draft(poll) => {
                bytes.extend_from_slice(b"draft");
                poll
            }
        };
        bytes.extend_from_slice(&seq.0.to_be_bytes());
        bytes.extend_from_slice(&self.field.to_be_bytes());
        bytes
    }
}

impl std::fmt::Display for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Event(seq) => write!(f, "event {seq}"),
            Self::Draft(poll) => write!(f, "a draft of poll {poll}"),
        }
    }
}

/// Copies the write-ahead log into the file; with `TRUNCATE` waits for readers and empties it. Whether all of it was done.
pub(super) fn checkpoint(conn: &Connection, mode: &str) -> rusqlite::Result<bool> {
    conn.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| row.get(0).map(|busy: i64| busy == 0))
}

/// Random bytes from the operating system.
pub(super) fn random<const N: usize>() -> Result<[u8; N], StoreError> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| StoreError::Bug("the machine gives no random numbers".to_owned()))?;
    Ok(bytes)
}

fn sqlite(error: rusqlite::Error) -> StoreError {
    StoreError::sqlite(KEYS.name, error)
}
