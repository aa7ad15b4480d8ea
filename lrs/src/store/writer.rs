//! The one thread that writes. It takes everything that has come in meanwhile and commits it together. A request's statements are stored
//! all or none; a request that fails fails alone.

use super::document::{self, DocumentScope, DocumentWork};
use super::key::{self, Key};
use super::statement::{Batch, Prepared, found_by};
use super::{Clock, Counters, StoreError};
use crate::db::{self, Conn, Database, DbError, Role, Row, Value, columns};
use lyceum_xapi::{Json, Timestamp, Uuid, activity, compare, index};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::Receiver;
use tokio::sync::oneshot;

/// Requests that are committed together, and their bytes.
const MAX_GROUP: usize = 256;
const MAX_GROUP_BYTES: usize = 8 << 20;
/// A statement about a statement about a statement: how far a chain is followed.
const MAX_CHAIN: usize = 100;
/// Statements about one statement that learn what it can be found by when it comes after them.
const MAX_FOLLOWERS: usize = 10_000;
/// Activities whose definitions the writer remembers.
const MAX_KNOWN: usize = 5000;

pub(super) enum Work {
    Statements(Box<Batch>, Reply),
    Document(Box<DocumentWork>, Reply),
    RemoveAll(Box<DocumentScope>, Reply),
}

pub(super) struct Reply {
    pub reply: oneshot::Sender<Result<(), StoreError>>,
    pub bytes: usize,
}

impl Work {
    fn reply(&self) -> &Reply {
        match self {
            Self::Statements(_, reply) | Self::Document(_, reply) | Self::RemoveAll(_, reply) => reply,
        }
    }

    fn into_reply(self) -> Reply {
        match self {
            Self::Statements(_, reply) | Self::Document(_, reply) | Self::RemoveAll(_, reply) => reply,
        }
    }
}

pub(super) struct Writer {
    database: Database,
    conn: Box<dyn Conn>,
    clock: Arc<Clock>,
    waiting: Arc<AtomicUsize>,
    counters: Arc<Counters>,
    /// The place of the last statement, which is also when it was stored.
    last: i64,
    /// What is known of activities: the definition that came last, and the merged one.
    known: HashMap<Key, Known>,
}

#[derive(Clone)]
struct Known {
    came: Option<Json>,
    merged: Option<Json>,
}

type Outcome = Result<(), StoreError>;

impl Writer {
    pub fn new(
        database: Database,
        mut conn: Box<dyn Conn>,
        clock: Arc<Clock>,
        waiting: Arc<AtomicUsize>,
        counters: Arc<Counters>,
    ) -> Result<Self, StoreError> {
        let last = last_seq(conn.as_mut())?;
        Ok(Self { database, conn, clock, waiting, counters, last, known: HashMap::new() })
    }

    pub fn run(mut self, works: &Receiver<Work>) {
        while let Ok(first) = works.recv() {
            let mut bytes = first.reply().bytes;
            let mut group = vec![first];
            while group.len() < MAX_GROUP && bytes < MAX_GROUP_BYTES {
                let Ok(next) = works.try_recv() else { break };
                bytes += next.reply().bytes;
                group.push(next);
            }
            let outcomes = self.commit_or_split(&group);
            for (work, outcome) in group.into_iter().zip(outcomes) {
                let Reply { reply, bytes } = work.into_reply();
                self.waiting.fetch_sub(bytes, SeqCst);
                // Whoever asked may have gone.
                let _ = reply.send(outcome);
            }
        }
    }

    /// Commits a group; if the database refuses something in it, each request by itself, so that one does not fail the others.
    fn commit_or_split(&mut self, group: &[Work]) -> Vec<Outcome> {
        let together = self.commit(group);
        match together {
            Err(DbError::Refused(_)) if group.len() > 1 => group
                .iter()
                .map(|work| match self.commit(std::slice::from_ref(work)) {
                    Ok(mut outcomes) => outcomes.pop().unwrap_or(Ok(())),
                    Err(error) => Err(error.into()),
                })
                .collect(),
            Err(error) => {
                tracing::warn!(%error, "records could not be stored");
                group.iter().map(|_| Err(error.clone().into())).collect()
            }
            Ok(outcomes) => outcomes,
        }
    }

    fn commit(&mut self, group: &[Work]) -> Result<Vec<Outcome>, DbError> {
        if self.conn.is_gone() {
            self.conn = self.database.connect(Role::Writer)?;
            self.last = last_seq(self.conn.as_mut())?;
        }
        self.clock.begin_commit();
        let last = self.last;
        let outcome = self.transaction(group);
        if outcome.is_err() {
            // The transaction may be over already.
            let _ = self.conn.batch("ROLLBACK");
            self.known.clear();
            self.last = last;
        }
        self.clock.end_commit();
        let (outcomes, statements) = outcome?;
        self.counters.commits.fetch_add(1, SeqCst);
        self.counters.statements.fetch_add(statements, SeqCst);
        Ok(outcomes)
    }

    fn transaction(&mut self, group: &[Work]) -> Result<(Vec<Outcome>, u64), DbError> {
        self.conn.batch(match self.database {
            Database::Sqlite(_) => "BEGIN IMMEDIATE",
            Database::Postgres(_) => "BEGIN",
        })?;
        let batches: Vec<&Batch> = group
            .iter()
            .filter_map(|work| match work {
                Work::Statements(batch, _) => Some(batch.as_ref()),
                _ => None,
            })
            .collect();
        let (outcomes, statements) = self.insert(&batches)?;
        let mut outcomes = outcomes.into_iter();
        let mut all = Vec::with_capacity(group.len());
        for work in group {
            all.push(match work {
                Work::Statements(..) => outcomes.next().unwrap_or(Ok(())),
                Work::Document(work, _) => document::change(self.conn.as_mut(), work, self.clock.now())?,
                Work::RemoveAll(scope, _) => document::remove_all(self.conn.as_mut(), scope).map(Ok)?,
            });
        }
        self.conn.batch("COMMIT")?;
        Ok((all, statements))
    }

    /// Stores the statements of several requests. Tells the outcome of each request, and how many statements are new.
    fn insert(&mut self, batches: &[&Batch]) -> Result<(Vec<Outcome>, u64), DbError> {
        if batches.is_empty() {
            return Ok((Vec::new(), 0));
        }
        let keys: BTreeSet<Key> = batches.iter().flat_map(|batch| &batch.statements).map(|one| one.key).collect();
        let mut group = Group { stored: self.stored(&keys)?, ..Group::default() };
        let mut outcomes = Vec::with_capacity(batches.len());
        for batch in batches {
            outcomes.push(match self.decide(batch, &group) {
                Ok(new) => {
                    self.accept(batch, new, &mut group);
                    Ok(())
                }
                Err(error) => Err(error),
            });
        }
        let statements = group.new.len() as u64;
        self.relate(&mut group)?;
        self.write(group)?;
        Ok((outcomes, statements))
    }

    /// Those of these statements that are in the database.
    fn stored(&mut self, keys: &BTreeSet<Key>) -> Result<HashMap<Key, String>, DbError> {
        let keys: Vec<Value> = keys.iter().map(|key| key::value(*key)).collect();
        let rows = db::query_in(self.conn.as_mut(), "SELECT key, body FROM lrs_statements", "key", &keys)?;
        let pair = |row: Row| columns(row).and_then(|[key, body]| Ok((to_key(key)?, body.text()?)));
        rows.into_iter().map(pair).collect()
    }

    /// Which statements of a request are new; an error if one has the id of another statement.
    fn decide<'a>(&self, batch: &'a Batch, group: &Group<'_>) -> Result<Vec<&'a Prepared>, StoreError> {
        let mut new = Vec::new();
        for (index, statement) in batch.statements.iter().enumerate() {
            let in_group = group.place.get(&statement.key).and_then(|place| group.new.get(*place));
            match group.stored.get(&statement.key).or(in_group.map(|one| &one.text)) {
                None => new.push(statement),
                Some(known) if same(known, &statement.text) => {}
                Some(_) => return Err(StoreError::Conflict { index }),
            }
        }
        Ok(new)
    }

    fn accept<'a>(&mut self, batch: &'a Batch, new: Vec<&'a Prepared>, group: &mut Group<'a>) {
        for statement in new {
            let seq = self.clock.now().max(self.last + 1);
            self.last = seq;
            group.place.insert(statement.key, group.new.len());
            group.new.push(New {
                seq,
                batch,
                statement,
                text: statement.text_at(Timestamp(seq)),
                voided: false,
                terms: statement.terms.iter().chain(&statement.own_terms).copied().collect(),
            });
        }
    }

    /// Statements about statements: what is voided, and what is found by what it is about.
    fn relate(&mut self, group: &mut Group<'_>) -> Result<(), DbError> {
        for one in &mut group.new {
            if let Some(target) = one.statement.target {
                let tenant = &one.batch.tenant;
                one.terms.insert(key::about(tenant, target));
                if one.statement.voids {
                    one.terms.insert(key::voids(tenant, target));
                }
            }
        }
        self.look_at_targets(group)?;
        self.look_at_followers(group)
    }

    /// New statements that are about others: they are found by what their targets are found by, and may void them.
    fn look_at_targets(&mut self, group: &mut Group<'_>) -> Result<(), DbError> {
        for place in 0..group.new.len() {
            let Some((tenant, Some(mut target), voids)) =
                group.new.get(place).map(|one| (one.batch.tenant.clone(), one.statement.target, one.statement.voids))
            else {
                continue;
            };
            let mut seen = BTreeSet::new();
            for step in 0..MAX_CHAIN {
                let key = key::statement(&tenant, target);
                if !seen.insert(key) {
                    break;
                }
                let Some(found) = self.find(&tenant, key, group)? else { break };
                if step == 0 && voids && !found.voids {
                    group.void(key);
                }
                if let Some(one) = group.new.get_mut(place) {
                    one.terms.extend(&found.terms);
                }
                match found.target {
                    Some(next) => target = next,
                    None => break,
                }
            }
        }
        Ok(())
    }

    fn find(&mut self, tenant: &str, key: Key, group: &Group<'_>) -> Result<Option<Found>, DbError> {
        if let Some(one) = group.place.get(&key).and_then(|place| group.new.get(*place)) {
            let statement = one.statement;
            return Ok(Some(Found {
                terms: statement.terms.clone(),
                target: statement.target,
                voids: statement.voids,
            }));
        }
        let sql = "SELECT body FROM lrs_statements WHERE key = ?1";
        let Some(row) = self.conn.query(sql, &[key::value(key)])?.pop() else { return Ok(None) };
        let [body] = columns(row)?;
        let Ok(statement) = Json::parse(body.text()?.as_bytes()) else { return Ok(None) };
        Ok(Some(Found {
            terms: found_by(tenant, &statement),
            target: index::target(&statement),
            voids: index::voids(&statement),
        }))
    }

    /// New statements that others, older ones, are about: those learn what the new ones are found by, and may have voided them.
    fn look_at_followers(&mut self, group: &mut Group<'_>) -> Result<(), DbError> {
        let mut asked = Vec::new();
        for one in &group.new {
            asked.push(key::value(key::about(&one.batch.tenant, one.statement.id)));
            asked.push(key::value(key::voids(&one.batch.tenant, one.statement.id)));
        }
        let rows = db::query_in(self.conn.as_mut(), "SELECT DISTINCT term FROM lrs_terms", "term", &asked)?;
        let mut has_followers: BTreeSet<Key> = BTreeSet::new();
        for row in rows {
            let [term] = columns(row)?;
            has_followers.insert(to_key(term)?);
        }
        // Within the group a statement may stand before the one that it is about.
        let in_group: BTreeSet<Key> = group.new.iter().flat_map(|one| one.terms.iter().copied()).collect();
        for place in 0..group.new.len() {
            let Some(one) = group.new.get_mut(place) else { continue };
            let (tenant, id) = (one.batch.tenant.clone(), one.statement.id);
            if has_followers.contains(&key::voids(&tenant, id)) && !one.statement.voids {
                one.voided = true;
            }
            let about = key::about(&tenant, id);
            if has_followers.contains(&about) || in_group.contains(&about) {
                let terms = one.terms.iter().filter(|term| !one.statement.own_terms.contains(*term)).copied().collect();
                self.tell_followers(&tenant, id, terms, group)?;
            }
        }
        Ok(())
    }

    /// Everything about this statement, and about what is about it, is found by these terms as well.
    fn tell_followers(
        &mut self,
        tenant: &str,
        id: Uuid,
        mut terms: BTreeSet<Key>,
        group: &mut Group<'_>,
    ) -> Result<(), DbError> {
        // What it is itself about is nothing that others are found by.
        let places: Vec<Uuid> = group.new.iter().filter_map(|one| one.statement.target).collect();
        for target in places {
            terms.remove(&key::about(tenant, target));
            terms.remove(&key::voids(tenant, target));
        }
        let mut left = vec![id];
        let mut seen = BTreeSet::from([id]);
        while let Some(id) = left.pop() {
            let about = key::about(tenant, id);
            let mut followers = Vec::new();
            for one in group.new.iter_mut().filter(|one| one.terms.contains(&about)) {
                one.terms.extend(&terms);
                followers.push(one.statement.id);
            }
            let sql = "SELECT s.seq, s.body FROM lrs_terms t JOIN lrs_statements s ON s.seq = t.seq WHERE t.term = ?1 LIMIT ?2";
            for row in self.conn.query(sql, &[key::value(about), Value::Int(MAX_FOLLOWERS as i64)])? {
                let [seq, body] = columns(row)?;
                let seq = seq.int()?;
                group.more_terms.extend(terms.iter().map(|term| (*term, seq)));
                let body = Json::parse(body.text()?.as_bytes()).ok();
                followers.extend(body.and_then(|body| body.get_str("id").and_then(Uuid::parse)));
            }
            left.extend(followers.into_iter().filter(|follower| seen.len() < MAX_FOLLOWERS && seen.insert(*follower)));
        }
        Ok(())
    }

    fn write(&mut self, group: Group<'_>) -> Result<(), DbError> {
        self.learn_definitions(&group)?;
        let conn = self.conn.as_mut();
        let mut attachments: BTreeMap<Key, Row> = BTreeMap::new();
        let mut statements = Vec::with_capacity(group.new.len());
        let mut terms: BTreeSet<(Key, i64)> = group.more_terms;
        for one in group.new {
            for (sha2, content) in &one.batch.contents {
                let key = key::attachment(&one.batch.tenant, sha2);
                attachments.entry(key).or_insert_with(|| {
                    vec![key::value(key), Value::Text(one.batch.tenant.clone()), Value::Bytes(content.clone())]
                });
            }
            statements.push(vec![
                Value::Int(one.seq),
                key::value(one.statement.key),
                Value::Text(one.batch.tenant.clone()),
                Value::Int(i64::from(one.voided)),
                Value::Text(one.text),
            ]);
            terms.extend(one.terms.into_iter().map(|term| (term, one.seq)));
        }
        let columns = ["seq", "key", "tenant", "voided", "body"];
        db::insert(conn, "lrs_statements", &columns, statements, "")?;
        let terms = terms.into_iter().map(|(term, seq)| vec![key::value(term), Value::Int(seq)]).collect();
        db::insert(conn, "lrs_terms", &["term", "seq"], terms, "ON CONFLICT DO NOTHING")?;
        let attachments = attachments.into_values().collect();
        db::insert(conn, "lrs_attachments", &["key", "tenant", "content"], attachments, "ON CONFLICT DO NOTHING")?;
        for key in group.voided {
            conn.execute("UPDATE lrs_statements SET voided = 1 WHERE key = ?1", &[key::value(key)])?;
        }
        Ok(())
    }

    /// What the new statements say of activities is laid over what is known.
    fn learn_definitions(&mut self, group: &Group<'_>) -> Result<(), DbError> {
        if self.known.len() > MAX_KNOWN {
            self.known.clear();
        }
        let said = || {
            let defining = group.new.iter().filter(|one| one.batch.define);
            defining.flat_map(|one| {
                let tenant = one.batch.tenant.as_str();
                one.statement
                    .definitions
                    .iter()
                    .map(move |(id, definition)| (key::activity(tenant, id), tenant, id, definition))
            })
        };
        let unknown: BTreeSet<Key> = said().map(|(key, ..)| key).filter(|key| !self.known.contains_key(key)).collect();
        let unknown: Vec<Value> = unknown.into_iter().map(key::value).collect();
        let rows = db::query_in(self.conn.as_mut(), "SELECT key, definition FROM lrs_activities", "key", &unknown)?;
        for row in rows {
            let [key, definition] = columns(row)?;
            let merged = Json::parse(definition.text()?.as_bytes()).ok();
            self.known.insert(to_key(key)?, Known { came: None, merged });
        }
        let mut changed: BTreeMap<Key, (&str, &str)> = BTreeMap::new();
        for (key, tenant, id, definition) in said() {
            let known = self.known.entry(key).or_insert(Known { came: None, merged: None });
            if known.came.as_ref() == Some(definition) {
                continue;
            }
            let merged = activity::merge(known.merged.as_ref(), definition);
            known.came = Some(definition.clone());
            if known.merged.as_ref() != Some(&merged) {
                known.merged = Some(merged);
                changed.insert(key, (tenant, id));
            }
        }
        let rows = changed.iter().filter_map(|(key, (tenant, id))| {
            let definition = self.known.get(key)?.merged.as_ref()?.to_text();
            let text = |text: &str| Value::Text(text.to_owned());
            Some(vec![key::value(*key), text(tenant), text(id), Value::Text(definition)])
        });
        let rows = rows.collect();
        let end = "ON CONFLICT (key) DO UPDATE SET definition = excluded.definition";
        db::insert(self.conn.as_mut(), "lrs_activities", &["key", "tenant", "id", "definition"], rows, end)
    }
}

/// What is committed together.
#[derive(Default)]
struct Group<'a> {
    /// Statements of these requests that were there before.
    stored: HashMap<Key, String>,
    new: Vec<New<'a>>,
    /// Where in `new` a statement is.
    place: HashMap<Key, usize>,
    /// What older statements are found by from now on.
    more_terms: BTreeSet<(Key, i64)>,
    /// Older statements that are voided.
    voided: BTreeSet<Key>,
}

struct New<'a> {
    seq: i64,
    batch: &'a Batch,
    statement: &'a Prepared,
    text: String,
    voided: bool,
    terms: BTreeSet<Key>,
}

/// A statement that another one is about.
struct Found {
    terms: Vec<Key>,
    target: Option<Uuid>,
    voids: bool,
}

impl Group<'_> {
    fn void(&mut self, key: Key) {
        match self.place.get(&key).and_then(|place| self.new.get_mut(*place)) {
            Some(one) => one.voided = true,
            None => {
                self.voided.insert(key);
            }
        }
    }
}

fn same(known: &str, sent: &str) -> bool {
    match (Json::parse(known.as_bytes()), Json::parse(sent.as_bytes())) {
        (Ok(known), Ok(mut sent)) => {
            // Moments that the record store fills in are not yet right in what was sent.
            if let Some(object) = sent.as_object_mut()
                && object.get("timestamp") == object.get("stored")
            {
                object.remove("timestamp");
            }
            compare::same_statement(&known, &sent)
        }
        _ => false,
    }
}

fn last_seq(conn: &mut dyn Conn) -> Result<i64, DbError> {
    let row = conn.query("SELECT coalesce(max(seq), 0) FROM lrs_statements", &[])?.pop();
    row.map_or(Ok(0), |row| columns(row).and_then(|[seq]| seq.int()))
}

fn to_key(value: Value) -> Result<Key, DbError> {
    let bytes = value.bytes()?;
    bytes.try_into().map_err(|_| DbError::Refused("a key does not have 16 octets".to_owned()))
}
