//! Documents: state, and profiles of activities and agents. A document's key says what it belongs to; changes go through the one writer,
//! so two merges never lose one another.

use super::StoreError;
use super::key::{self, Key};
use crate::db::{Conn, DbError, Row, Value, columns};
use lyceum_xapi::{Json, Uuid, digest};

/// Which of the three resources.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    State,
    ActivityProfile,
    AgentProfile,
}

/// Documents that belong together: of an activity, an agent, or both.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct DocumentScope {
    pub tenant: String,
    pub kind: Kind,
    pub activity: Option<String>,
    /// By [`lyceum_xapi::actor::Identifier::key`].
    pub agent: Option<String>,
    /// A state's registration. Of several documents: only those with it; without it, all.
    pub registration: Option<Uuid>,
}

/// One document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct DocumentName {
    pub scope: DocumentScope,
    pub name: String,
}

/// A document as it is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct StoredDocument {
    pub content_type: String,
    pub etag: String,
    pub updated: i64,
    pub content: Vec<u8>,
}

/// What is to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Change {
    Put { content_type: String, content: Vec<u8> },
    Merge { content_type: String, content: Vec<u8> },
    Remove,
}

impl Change {
    pub fn bytes(&self) -> usize {
        match self {
            Self::Put { content, .. } | Self::Merge { content, .. } => content.len() + 500,
            Self::Remove => 500,
        }
    }
}

/// Under which condition.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Precondition {
    /// Entity tags, one of which the document must have; `*` for any.
    pub if_match: Option<Vec<String>>,
    /// Entity tags, none of which it may have; `*` for any.
    pub if_none_match: Option<Vec<String>>,
    /// What a request must bring that has neither.
    pub unsaid: Unsaid,
}

/// What becomes of a request that does not say which document it knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Unsaid {
    /// It is done.
    #[default]
    Done,
    /// It must not replace a document.
    MustNotReplace,
    /// It is refused, whether there is a document or not.
    Refused,
}

pub(super) struct DocumentWork {
    pub name: DocumentName,
    pub change: Change,
    pub when: Precondition,
}

impl DocumentScope {
    pub(super) fn key(&self) -> Key {
        let kind = match self.kind {
            Kind::State => "state",
            Kind::ActivityProfile => "activity profile",
            Kind::AgentProfile => "agent profile",
        };
        let part = |part: &Option<String>| part.clone().unwrap_or_default();
        key::key(&self.tenant, kind, &[part(&self.activity).as_bytes(), part(&self.agent).as_bytes()])
    }
}

impl DocumentName {
    fn key(&self) -> Key {
        let registration: &[u8] = self.scope.registration.as_ref().map_or(&[], |uuid| &uuid.0);
        key::key(&self.scope.tenant, "document", &[&self.scope.key(), registration, self.name.as_bytes()])
    }
}

/// Does what is to be done, within the writer's transaction. The outer error is the database's, the inner one the request's.
pub(super) fn change(conn: &mut dyn Conn, work: &DocumentWork, now: i64) -> Result<Result<(), StoreError>, DbError> {
    let name = &work.name;
    let known = get(conn, name)?;
    if let Err(error) = check(&work.when, known.as_ref()) {
        return Ok(Err(error));
    }
    let (content_type, content) = match &work.change {
        Change::Remove => {
            conn.execute("DELETE FROM lrs_documents WHERE key = ?1", &[key::value(name.key())])?;
            return Ok(Ok(()));
        }
        Change::Put { content_type, content } => (content_type.clone(), content.clone()),
        Change::Merge { content_type, content } => match known {
            None => (content_type.clone(), content.clone()),
            Some(known) => match merge(&known, content_type, content) {
                Ok(merged) => ("application/json".to_owned(), merged),
                Err(error) => return Ok(Err(error)),
            },
        },
    };
    let registration = name.scope.registration.map_or(Value::Null, |uuid| Value::Bytes(uuid.0.to_vec()));
    let row: Row = vec![
        key::value(name.key()),
        Value::Text(name.scope.tenant.clone()),
        key::value(name.scope.key()),
        registration,
        Value::Text(name.name.clone()),
        Value::Text(content_type),
        Value::Text(digest::sha1(&content)),
        Value::Int(now),
        Value::Bytes(content),
    ];
    conn.execute(
        "INSERT INTO lrs_documents (key, tenant, scope, registration, name, content_type, etag, updated, content)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (key) DO UPDATE SET content_type = excluded.content_type, etag = excluded.etag,
             updated = excluded.updated, content = excluded.content",
        &row,
    )?;
    Ok(Ok(()))
}

/// Removes all documents of a scope, within the writer's transaction.
pub(super) fn remove_all(conn: &mut dyn Conn, scope: &DocumentScope) -> Result<(), DbError> {
    let (condition, values) = of_scope(scope);
    conn.execute(&format!("DELETE FROM lrs_documents WHERE {condition}"), &values).map(|_| ())
}

/// One document.
pub(crate) fn get(conn: &mut dyn Conn, name: &DocumentName) -> Result<Option<StoredDocument>, DbError> {
    let sql = "SELECT content_type, etag, updated, content FROM lrs_documents WHERE key = ?1";
    let Some(row) = conn.query(sql, &[key::value(name.key())])?.pop() else { return Ok(None) };
    let [content_type, etag, updated, content] = columns(row)?;
    let document = StoredDocument {
        content_type: content_type.text()?,
        etag: etag.text()?,
        updated: updated.int()?,
        content: content.bytes()?,
    };
    Ok(Some(document))
}

/// The names of a scope's documents that were changed after a moment, each once.
pub(crate) fn names(conn: &mut dyn Conn, scope: &DocumentScope, since: i64) -> Result<Vec<String>, DbError> {
    let (condition, mut values) = of_scope(scope);
    values.push(Value::Int(since));
    let place = values.len();
    let sql = format!("SELECT DISTINCT name FROM lrs_documents WHERE {condition} AND updated > ?{place} ORDER BY name");
    conn.query(&sql, &values)?.into_iter().map(|row| columns(row).and_then(|[name]| name.text())).collect()
}

fn of_scope(scope: &DocumentScope) -> (&'static str, Vec<Value>) {
    let key = key::value(scope.key());
    match scope.registration {
        None => ("scope = ?1", vec![key]),
        Some(uuid) => ("scope = ?1 AND registration = ?2", vec![key, Value::Bytes(uuid.0.to_vec())]),
    }
}

fn check(when: &Precondition, known: Option<&StoredDocument>) -> Result<(), StoreError> {
    let has = |tags: &[String]| known.is_some_and(|known| tags.iter().any(|tag| tag == "*" || *tag == known.etag));
    if when.if_match.as_ref().is_some_and(|tags| !has(tags)) {
        return Err(StoreError::Precondition(
            "the document has changed, or is not there: it has none of the entity tags in If-Match",
        ));
    }
    if when.if_none_match.as_ref().is_some_and(|tags| has(tags)) {
        return Err(StoreError::Precondition(
            "the document is there already: it has one of the entity tags in If-None-Match",
        ));
    }
    if when.if_match.is_none() && when.if_none_match.is_none() {
        match (when.unsaid, known) {
            (Unsaid::MustNotReplace | Unsaid::Refused, Some(_)) => return Err(StoreError::Exists),
            (Unsaid::Refused, None) => return Err(StoreError::Unsaid),
            _ => {}
        }
    }
    Ok(())
}

/// Lays one JSON object over another, one level deep.
fn merge(known: &StoredDocument, content_type: &str, content: &[u8]) -> Result<Vec<u8>, StoreError> {
    if !is_json(&known.content_type) || !is_json(content_type) {
        return Err(StoreError::CannotMerge("only documents of the type application/json can be merged: both must be"));
    }
    let object = |content: &[u8]| match Json::parse(content) {
        Ok(Json::Object(object)) => Some(object),
        _ => None,
    };
    let mut merged = object(&known.content).ok_or(StoreError::CannotMerge(
        "the document that is stored is not a JSON object, so nothing can be merged into it",
    ))?;
    let new = object(content).ok_or(StoreError::CannotMerge("the document that was sent is not a JSON object"))?;
    merged.merge(new.into_entries());
    Ok(Json::Object(merged).to_text().into_bytes())
}

/// Whether a media type is JSON.
pub(crate) fn is_json(content_type: &str) -> bool {
    content_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}
