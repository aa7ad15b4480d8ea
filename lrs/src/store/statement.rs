//! A statement made ready to be stored, so that the thread that writes has little left to do: its text, with room for the moment at
//! which it is stored, and the keys of everything that it can be found by.

use super::Contents;
use super::key::{self, Key};
use lyceum_xapi::index::{self, Term};
use lyceum_xapi::{Assigned, Json, Timestamp, Uuid, Version, activity, normalise, write_string};

/// A moment has as many characters as every other.
const MOMENT: usize = "1970-01-01T00:00:00.000000Z".len();

/// Statements of one request.
pub(crate) struct Batch {
    pub tenant: String,
    pub statements: Vec<Prepared>,
    /// Octets of attachments, by their SHA-2.
    pub contents: Contents,
    /// Whether definitions of activities are taken over.
    pub define: bool,
}

impl Batch {
    pub fn bytes(&self) -> usize {
        let statements: usize = self.statements.iter().map(|one| one.text.len() + 64 * one.terms.len() + 300).sum();
        statements + self.contents.values().map(|content| content.len() + 100).sum::<usize>()
    }
}

/// One statement.
pub(crate) struct Prepared {
    pub id: Uuid,
    pub key: Key,
    /// Its JSON; the moments in it are not yet right.
    pub text: String,
    /// Where moments stand in the text.
    moments: Vec<usize>,
    /// What it can be found by.
    pub terms: Vec<Key>,
    /// What it can be found by beside what it says: all, and its authority's.
    pub own_terms: Vec<Key>,
    /// The statement that it is about.
    pub target: Option<Uuid>,
    /// Whether it voids that one.
    pub voids: bool,
    /// What it says of activities.
    pub definitions: Vec<(String, Json)>,
}

impl Prepared {
    /// From a valid statement. `id` is for one that has none.
    pub fn new(mut statement: Json, id: Uuid, tenant: &str, authority: &Json, version: Version) -> Self {
        let has_timestamp = statement.get("timestamp").is_some();
        let id = normalise(&mut statement, &Assigned { id, stored: Timestamp(0), authority, version });
        let (text, moments) = write(&statement, has_timestamp);
        Self {
            id,
            key: key::statement(tenant, id),
            text,
            moments,
            terms: found_by(tenant, &statement),
            own_terms: vec![key::all(tenant), key::authority(tenant, &authority.to_text())],
            target: index::target(&statement),
            voids: index::voids(&statement),
            definitions: activity::definitions(&statement),
        }
    }

    /// The text as it is stored at a moment.
    pub fn text_at(&self, stored: Timestamp) -> String {
        let mut text = self.text.clone();
        let moment = stored.to_string();
        for at in &self.moments {
            if moment.len() == MOMENT && text.get(*at..at + MOMENT).is_some() {
                text.replace_range(*at..at + MOMENT, &moment);
            }
        }
        text
    }
}

/// What a statement can be found by, as keys.
pub(super) fn found_by(tenant: &str, statement: &Json) -> Vec<Key> {
    let terms: Vec<Term> = index::terms(statement).into_iter().collect();
    terms.iter().map(|term| key::term(tenant, term)).collect()
}

/// The statement's text, and where in it the moments stand that the record store fills in.
fn write(statement: &Json, has_timestamp: bool) -> (String, Vec<usize>) {
    let mut text = String::from("{");
    let mut moments = Vec::new();
    for (name, value) in statement.as_object().into_iter().flat_map(lyceum_xapi::Object::iter) {
        if text.len() > 1 {
            text.push(',');
        }
        write_string(name, &mut text);
        text.push(':');
        if name == "stored" || (name == "timestamp" && !has_timestamp) {
            moments.push(text.len() + 1);
        }
        value.write(&mut text);
    }
    text.push('}');
    (text, moments)
}
