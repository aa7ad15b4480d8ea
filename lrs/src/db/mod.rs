//! One way of speaking to SQLite and to PostgreSQL: the same SQL, with `?1`, `?2` for what goes in, and the same four kinds of values.
//! Everything above this module is written once. What differs (types of columns, how a connection is made) is in the two files below.

mod postgres;
mod sqlite;

use std::fmt;
use std::path::PathBuf;

/// A value that goes into the database or comes out of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

pub(crate) type Row = Vec<Value>;

/// Where records are kept.
#[derive(Clone, PartialEq, Eq)]
pub enum Database {
    /// A file of SQLite, which is created if it is not there.
    Sqlite(PathBuf),
    /// A PostgreSQL server: `postgresql://user:password@host/database`, or `host=… user=…`.
    Postgres(String),
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "Sqlite({})", path.display()),
            // It may hold a password.
            Self::Postgres(_) => f.write_str("Postgres(…)"),
        }
    }
}

/// What went wrong, by what it means for whoever asked.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum DbError {
    /// No space where the database lives.
    #[error("no space is left for the database: {0}")]
    Full(String),
    /// It cannot be reached, or cannot be read or written at the moment.
    #[error("the database cannot be used: {0}")]
    Unavailable(String),
    /// It understood and refused: an error of ours.
    #[error("bug: the database refused: {0}")]
    Refused(String),
}

/// A connection. Blocks; each is owned by one thread.
pub(crate) trait Conn: Send {
    /// Runs statements without values.
    fn batch(&mut self, sql: &str) -> Result<(), DbError>;
    /// Changes something; tells how many rows.
    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, DbError>;
    /// Asks for rows.
    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, DbError>;
    /// Whether the connection is gone and another one must be made.
    fn is_gone(&self) -> bool;
}

/// For what a connection is made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The one that writes; it brings the tables up to date, and no other process may have it.
    Writer,
    /// One of several that read.
    Reader,
}

impl Database {
    pub(crate) fn connect(&self, role: Role) -> Result<Box<dyn Conn>, DbError> {
        match self {
            Self::Sqlite(path) => sqlite::connect(path, role),
            Self::Postgres(url) => postgres::connect(url, role),
        }
    }
}

/// Sizes of a statement with many rows or keys, largest first: few forms, so that each is prepared once.
const CHUNKS: [usize; 4] = [256, 32, 6, 1];

/// Inserts rows, many at a time. `end` is what follows the values, such as `ON CONFLICT DO NOTHING`.
pub(crate) fn insert(
    conn: &mut dyn Conn,
    table: &str,
    columns: &[&str],
    rows: Vec<Row>,
    end: &str,
) -> Result<(), DbError> {
    let mut rows = rows.into_iter().peekable();
    let mut left = rows.len();
    while left > 0 {
        let count = chunk(left);
        let mut values = Vec::with_capacity(count * columns.len());
        for row in rows.by_ref().take(count) {
            values.extend(row);
        }
        let tuples: Vec<String> = (0..count).map(|row| tuple(row * columns.len() + 1, columns.len())).collect();
        let sql = format!("INSERT INTO {table} ({}) VALUES {} {end}", columns.join(", "), tuples.join(", "));
        conn.execute(&sql, &values)?;
        left -= count;
    }
    Ok(())
}

/// Asks for the rows whose column is one of these keys. `sql` begins a SELECT and ends before its WHERE.
pub(crate) fn query_in(conn: &mut dyn Conn, sql: &str, column: &str, keys: &[Value]) -> Result<Vec<Row>, DbError> {
    let mut found = Vec::new();
    let mut rest = keys;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(chunk(rest.len()).min(rest.len()));
        found.extend(conn.query(&format!("{sql} WHERE {column} IN {}", tuple(1, now.len())), now)?);
        rest = later;
    }
    Ok(found)
}

fn chunk(left: usize) -> usize {
    CHUNKS.into_iter().find(|size| *size <= left).unwrap_or(1)
}

fn tuple(first: usize, count: usize) -> String {
    let places: Vec<String> = (first..first + count).map(|place| format!("?{place}")).collect();
    format!("({})", places.join(","))
}

impl Value {
    pub(crate) fn int(&self) -> Result<i64, DbError> {
        match self {
            Self::Int(value) => Ok(*value),
            other => Err(unexpected("a number", other)),
        }
    }

    pub(crate) fn text(self) -> Result<String, DbError> {
        match self {
            Self::Text(text) => Ok(text),
            other => Err(unexpected("text", &other)),
        }
    }

    pub(crate) fn bytes(self) -> Result<Vec<u8>, DbError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            other => Err(unexpected("bytes", &other)),
        }
    }
}

fn unexpected(wanted: &str, found: &Value) -> DbError {
    let found = match found {
        Value::Null => "nothing",
        Value::Int(_) => "a number",
        Value::Text(_) => "text",
        Value::Bytes(_) => "bytes",
    };
    DbError::Refused(format!("expected {wanted} in a column, found {found}"))
}

/// The columns of a row, as many as were asked for.
pub(crate) fn columns<const N: usize>(row: Row) -> Result<[Value; N], DbError> {
    row.try_into().map_err(|row: Row| DbError::Refused(format!("expected {N} columns, found {}", row.len())))
}

/// The tables, with `BYTES` for octets. Keys are the first 16 octets of a SHA-256 over the tenant and what is meant, so that nothing of
/// one tenant is found by a key of another.
const SCHEMA: &str = "
    CREATE TABLE lrs_statements (
        seq BIGINT PRIMARY KEY,
        key BYTES NOT NULL UNIQUE,
        tenant TEXT NOT NULL,
        voided BIGINT NOT NULL,
        body TEXT NOT NULL
    );
    CREATE TABLE lrs_terms (
        term BYTES NOT NULL,
        seq BIGINT NOT NULL,
        PRIMARY KEY (term, seq)
    ) WITHOUT_ROWID;
    CREATE TABLE lrs_attachments (
        key BYTES PRIMARY KEY,
        tenant TEXT NOT NULL,
        content BYTES NOT NULL
    );
    CREATE TABLE lrs_activities (
        key BYTES PRIMARY KEY,
        tenant TEXT NOT NULL,
        id TEXT NOT NULL,
        definition TEXT NOT NULL
    );
    CREATE TABLE lrs_documents (
        key BYTES PRIMARY KEY,
        tenant TEXT NOT NULL,
        scope BYTES NOT NULL,
        registration BYTES,
        name TEXT NOT NULL,
        content_type TEXT NOT NULL,
        etag TEXT NOT NULL,
        updated BIGINT NOT NULL,
        content BYTES NOT NULL
    );
    CREATE INDEX lrs_documents_by_scope ON lrs_documents (scope, updated);
";

/// The version of [`SCHEMA`].
const VERSION: i64 = 1;
