//! Questions to the records: one statement, pages of statements, attachments, what is known of activities and of names.

use super::Contents;
use super::key;
use crate::db::{self, Conn, DbError, Value, columns};
use lyceum_xapi::index::Term;
use lyceum_xapi::{Json, Uuid};
use std::collections::{BTreeMap, BTreeSet};

/// Which statements.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Query {
    pub tenant: String,
    /// All of these; the one that finds the fewest should come first.
    pub terms: Vec<Term>,
    /// Only those with this authority.
    pub authority: Option<String>,
    /// Stored after this place.
    pub after: Option<i64>,
    /// Stored at or before this place.
    pub until: Option<i64>,
    pub ascending: bool,
    pub limit: usize,
    /// A page ends after so many bytes.
    pub page_bytes: usize,
}

/// Statements in order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Page {
    /// Their places and texts.
    pub statements: Vec<(i64, String)>,
    /// Whether more follow.
    pub more: bool,
}

/// A page of statements that are not voided.
pub(crate) fn page(conn: &mut dyn Conn, query: &Query) -> Result<Page, DbError> {
    let mut terms: Vec<key::Key> = query.terms.iter().map(|term| key::term(&query.tenant, term)).collect();
    terms.extend(query.authority.as_ref().map(|authority| key::authority(&query.tenant, authority)));
    if terms.is_empty() {
        terms.push(key::all(&query.tenant));
    }
    let mut values: Vec<Value> = terms.iter().map(|term| key::value(*term)).collect();
    let mut conditions = vec!["t.term = ?1".to_owned(), "s.voided = 0".to_owned()];
    for place in 2..=values.len() {
        conditions.push(format!("EXISTS (SELECT 1 FROM lrs_terms u WHERE u.term = ?{place} AND u.seq = t.seq)"));
    }
    for (bound, sign) in [(query.after, ">"), (query.until, "<=")] {
        if let Some(bound) = bound {
            values.push(Value::Int(bound));
            conditions.push(format!("t.seq {sign} ?{}", values.len()));
        }
    }
    values.push(Value::Text(query.tenant.clone()));
    conditions.push(format!("s.tenant = ?{}", values.len()));
    // One more tells whether there are more.
    values.push(Value::Int(query.limit as i64 + 1));
    let sql = format!(
        "SELECT t.seq, s.body FROM lrs_terms t JOIN lrs_statements s ON s.seq = t.seq WHERE {} ORDER BY t.seq {} LIMIT ?{}",
        conditions.join(" AND "),
        if query.ascending { "ASC" } else { "DESC" },
        values.len()
    );
    let mut page = Page::default();
    let mut bytes = 0;
    for row in conn.query(&sql, &values)? {
        if page.statements.len() == query.limit || bytes > query.page_bytes {
            page.more = true;
            break;
        }
        let [seq, body] = columns(row)?;
        let body = body.text()?;
        bytes += body.len();
        page.statements.push((seq.int()?, body));
    }
    Ok(page)
}

/// The place of the last statement.
pub(crate) fn last(conn: &mut dyn Conn) -> Result<i64, DbError> {
    let row = conn.query("SELECT coalesce(max(seq), 0) FROM lrs_statements", &[])?.pop();
    row.map_or(Ok(0), |row| columns(row).and_then(|[seq]| seq.int()))
}

/// One statement that is voided, or one that is not.
pub(crate) fn statement(
    conn: &mut dyn Conn,
    tenant: &str,
    id: Uuid,
    voided: bool,
) -> Result<Option<(i64, String)>, DbError> {
    let sql = "SELECT seq, body FROM lrs_statements WHERE key = ?1 AND voided = ?2";
    let values = [key::value(key::statement(tenant, id)), Value::Int(i64::from(voided))];
    let Some(row) = conn.query(sql, &values)?.pop() else { return Ok(None) };
    let [seq, body] = columns(row)?;
    Ok(Some((seq.int()?, body.text()?)))
}

/// The contents of attachments, by their SHA-2: those that are there.
pub(crate) fn contents(conn: &mut dyn Conn, tenant: &str, sums: &BTreeSet<String>) -> Result<Contents, DbError> {
    let mut by_key: BTreeMap<Vec<u8>, &String> = BTreeMap::new();
    for sum in sums {
        by_key.insert(key::attachment(tenant, sum).to_vec(), sum);
    }
    let keys: Vec<Value> = by_key.keys().cloned().map(Value::Bytes).collect();
    let rows = db::query_in(conn, "SELECT key, content FROM lrs_attachments", "key", &keys)?;
    let mut found = Contents::new();
    for row in rows {
        let [key, content] = columns(row)?;
        if let Some(sum) = by_key.get(&key.bytes()?) {
            found.insert((*sum).clone(), content.bytes()?);
        }
    }
    Ok(found)
}

/// What is known of activities, by id: those that are known.
pub(crate) fn definitions(
    conn: &mut dyn Conn,
    tenant: &str,
    ids: &BTreeSet<String>,
) -> Result<BTreeMap<String, Json>, DbError> {
    let keys: Vec<Value> = ids.iter().map(|id| key::value(key::activity(tenant, id))).collect();
    let rows = db::query_in(conn, "SELECT id, definition FROM lrs_activities", "key", &keys)?;
    let mut found = BTreeMap::new();
    for row in rows {
        let [id, definition] = columns(row)?;
        if let Ok(definition) = Json::parse(definition.text()?.as_bytes()) {
            found.insert(id.text()?, definition);
        }
    }
    Ok(found)
}
