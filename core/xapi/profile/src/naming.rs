//! Who and what statements name, without naming anybody: accounts are a keyed hash of tenant and person, activities and statements have
//! ids that follow from what they are. The same log gives the same ids, wherever and however often it is read.

use crate::make::object;
use crate::project::Settings;
use aws_lc_rs::{digest, hmac};
use lyceum_session::{PersonId, RoomName, Seq, SessionId, TenantId};
use lyceum_xapi::{Json, Uuid};
use std::collections::BTreeMap;
use std::fmt::Write;

/// RFC 9562, appendix: the namespace of URLs.
const URLS: Uuid =
    Uuid([0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8]);

/// The account that speaks for what no person did: timers, the backend, recovery.
pub const SERVER_ACCOUNT: &str = "server";

/// The names of one session.
pub(crate) struct Names {
    home_page: String,
    tenant: Uuid,
    key: hmac::Key,
    pub session: SessionId,
    pub room: RoomName,
    pub registration: Uuid,
    pub session_id: Uuid,
    /// Accounts that were worked out before.
    known: BTreeMap<PersonId, String>,
}

impl Names {
    pub fn new(settings: &Settings, tenant: &TenantId, room: &RoomName, session: &SessionId) -> Self {
        let namespace = uuid5(uuid5(URLS, crate::iri::BASE), &format!("tenant/{tenant}"));
        Self {
            home_page: settings.home_page.trim_end_matches('/').to_owned(),
            tenant: namespace,
            key: hmac::Key::new(hmac::HMAC_SHA256, &settings.tenant_key),
            session: session.clone(),
            room: room.clone(),
            registration: uuid5(namespace, &format!("registration/{session}")),
            session_id: uuid5(namespace, &format!("session/{session}")),
            known: BTreeMap::new(),
        }
    }

    /// The id of a statement that an event became.
    pub fn statement(&self, seq: Seq, part: &str) -> Uuid {
        let major = crate::project::MAPPING_MAJOR;
        uuid5(self.tenant, &format!("session/{}/event/{seq}/{part}/{major}", self.session))
    }

    /// A person's Agent: an account without a name.
    pub fn agent(&mut self, person: &PersonId) -> Json {
        let account = match self.known.get(person) {
            Some(known) => known.clone(),
            None => {
                let account = pseudonym(&self.key, person);
                self.known.insert(person.clone(), account.clone());
                account
            }
        };
        self.account("Agent", &account)
    }

    /// The Agent for what no person did.
    pub fn server(&self) -> Json {
        self.account("Agent", SERVER_ACCOUNT)
    }

    /// A group of people that is known by an id.
    pub fn group(&self, kind: &str, key: &str) -> Json {
        self.account("Group", &self.of_session(kind, key).to_string())
    }

    fn account(&self, kind: &str, name: &str) -> Json {
        let account = object([("homePage", self.home_page.as_str().into()), ("name", name.into())]);
        object([("objectType", kind.into()), ("account", account)])
    }

    /// The room's activity id: the same in every session.
    pub fn room_activity(&self) -> String {
        format!("{}/xapi/activities/room/{}", self.home_page, uuid5(self.tenant, &format!("room/{}", self.room)))
    }

    /// The activity id of something in this session.
    pub fn activity(&self, kind: &str, key: &str) -> String {
        format!("{}/xapi/activities/{kind}/{}", self.home_page, self.of_session(kind, key))
    }

    fn of_session(&self, kind: &str, key: &str) -> Uuid {
        uuid5(self.tenant, &format!("session/{}/{kind}/{key}", self.session))
    }
}

/// The account of a person: the first half of a keyed hash, in hexadecimal. Without the key nobody gets from an account to a person, or
/// can try whether one is somebody they know.
fn pseudonym(key: &hmac::Key, person: &PersonId) -> String {
    let tag = hmac::sign(key, format!("person/{person}").as_bytes());
    tag.as_ref().iter().take(16).fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// A UUID (version 5) of a name in a namespace.
pub(crate) fn uuid5(namespace: Uuid, name: &str) -> Uuid {
    let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    context.update(&namespace.0);
    context.update(name.as_bytes());
    let mut bits = [0; 16];
    for (bit, byte) in bits.iter_mut().zip(context.finish().as_ref()) {
        *bit = *byte;
    }
    bits[6] = (bits[6] & 0x0f) | 0x50;
    bits[8] = (bits[8] & 0x3f) | 0x80;
    Uuid(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_of_a_name_is_what_everybody_makes_of_it() {
        // `python3 -c 'import uuid; print(uuid.uuid5(uuid.NAMESPACE_URL, "https://example.org/"))'`
        assert_eq!(uuid5(URLS, "https://example.org/").to_string(), PYTHON);
    }

    const PYTHON: &str = "527dda32-a0de-5105-a042-cb475b5f7d11";
}
