//! Keys: 16 octets that stand for a tenant and something of theirs. Long enough that nobody finds two things with the same.

use crate::db::Value;
use aws_lc_rs::digest::{Context, SHA256};
use lyceum_xapi::Uuid;
use lyceum_xapi::index::Term;

pub(crate) type Key = [u8; 16];

/// The key of something of a tenant: what kind it is, and what identifies it.
pub(super) fn key(tenant: &str, kind: &str, parts: &[&[u8]]) -> Key {
    let mut context = Context::new(&SHA256);
    for part in [tenant.as_bytes(), kind.as_bytes()].iter().chain(parts) {
        // Lengths first, so that no two lists of parts read the same.
        context.update(&(part.len() as u64).to_le_bytes());
        context.update(part);
    }
    let mut key = [0; 16];
    key.iter_mut().zip(context.finish().as_ref()).for_each(|(place, byte)| *place = *byte);
    key
}

pub(super) fn statement(tenant: &str, id: Uuid) -> Key {
    key(tenant, "statement", &[&id.0])
}

pub(super) fn attachment(tenant: &str, sha2: &str) -> Key {
    key(tenant, "attachment", &[sha2.to_ascii_lowercase().as_bytes()])
}

pub(super) fn activity(tenant: &str, id: &str) -> Key {
    key(tenant, "known activity", &[id.as_bytes()])
}

pub(super) fn term(tenant: &str, term: &Term) -> Key {
    match term {
        Term::Verb(id) => key(tenant, "verb", &[id.as_bytes()]),
        Term::Registration(id) => key(tenant, "registration", &[&id.0]),
        Term::Agent(id) => key(tenant, "agent", &[id.as_bytes()]),
        Term::RelatedAgent(id) => key(tenant, "related agent", &[id.as_bytes()]),
        Term::Activity(id) => key(tenant, "activity", &[id.as_bytes()]),
        Term::RelatedActivity(id) => key(tenant, "related activity", &[id.as_bytes()]),
    }
}

/// Every statement of a tenant.
pub(super) fn all(tenant: &str) -> Key {
    key(tenant, "all", &[])
}

/// Every statement of an authority.
pub(super) fn authority(tenant: &str, authority: &str) -> Key {
    key(tenant, "authority", &[authority.as_bytes()])
}

/// Every statement about this one.
pub(super) fn about(tenant: &str, id: Uuid) -> Key {
    key(tenant, "about", &[&id.0])
}

/// Every statement that voids this one.
pub(super) fn voids(tenant: &str, id: Uuid) -> Key {
    key(tenant, "voids", &[&id.0])
}

pub(super) fn value(key: Key) -> Value {
    Value::Bytes(key.to_vec())
}
