//! PostgreSQL: the same tables on a server. One process writes at a time; a lock of the database itself says so.

use super::{Conn, DbError, Role, Row, SCHEMA, VERSION, Value};
use postgres::error::SqlState;
use postgres::types::private::BytesMut;
use postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use postgres::{Client, Config, NoTls, Statement};
use std::collections::HashMap;
use std::error::Error;
use std::time::Duration;

/// The number of the lock that a writer holds as long as it is connected ("lyceum" in letters of a telephone).
const WRITER: i64 = 592_386;

/// Prepared statements that a connection keeps.
const MAX_PREPARED: usize = 200;

pub(super) fn connect(url: &str, role: Role) -> Result<Box<dyn Conn>, DbError> {
    let mut config: Config = url.parse().map_err(told)?;
    config.application_name("lyceum").connect_timeout(Duration::from_secs(10));
    let client = config.connect(NoTls).map_err(told)?;
    let mut pg = Pg { client, prepared: HashMap::new() };
    pg.batch("SET client_min_messages = warning; SET statement_timeout = '30s'; SET lock_timeout = '10s';")?;
    if role == Role::Writer {
        pg.batch("SET synchronous_commit = on;")?;
        let locked = pg.query("SELECT pg_try_advisory_lock(?1)::int::bigint", &[Value::Int(WRITER)])?;
        if locked.first().and_then(|row| row.first()) != Some(&Value::Int(1)) {
            return Err(DbError::Unavailable(
                "another lyceum writes to this database; give each one a database of its own".to_owned(),
            ));
        }
        pg.bring_up_to_date()?;
    }
    Ok(Box::new(pg))
}

struct Pg {
    client: Client,
    prepared: HashMap<String, Statement>,
}

impl Pg {
    fn bring_up_to_date(&mut self) -> Result<(), DbError> {
        self.batch("CREATE TABLE IF NOT EXISTS lrs_schema (version BIGINT NOT NULL)")?;
        let version = self.query("SELECT version FROM lrs_schema", &[])?;
        match version.first().and_then(|row| row.first()) {
            None => {
                let schema = SCHEMA.replace("BYTES", "BYTEA").replace("WITHOUT_ROWID", "");
                self.batch(&format!("BEGIN; {schema} INSERT INTO lrs_schema VALUES ({VERSION}); COMMIT;"))
            }
            Some(Value::Int(VERSION)) => Ok(()),
            Some(other) => Err(DbError::Unavailable(format!(
                "its tables have the version {other:?}, and this program knows {VERSION}: run the newer one"
            ))),
        }
    }

    fn prepare(&mut self, sql: &str) -> Result<Statement, DbError> {
        if let Some(statement) = self.prepared.get(sql) {
            return Ok(statement.clone());
        }
        if self.prepared.len() >= MAX_PREPARED {
            self.prepared.clear();
        }
        let statement = self.client.prepare(&sql.replace('?', "$")).map_err(told)?;
        self.prepared.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

impl Conn for Pg {
    fn batch(&mut self, sql: &str) -> Result<(), DbError> {
        self.client.batch_execute(sql).map_err(told)
    }

    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, DbError> {
        let statement = self.prepare(sql)?;
        self.client.execute(&statement, &references(values)).map_err(told)
    }

    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, DbError> {
        let statement = self.prepare(sql)?;
        let rows = self.client.query(&statement, &references(values)).map_err(told)?;
        let read = |row: &postgres::Row| (0..row.len()).map(|column| value(row, column)).collect();
        rows.iter().map(read).collect()
    }

    fn is_gone(&self) -> bool {
        self.client.is_closed()
    }
}

fn references(values: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

fn value(row: &postgres::Row, column: usize) -> Result<Value, DbError> {
    let kind = row.columns().get(column).map(|column| column.type_().clone());
    let value = match kind {
        Some(Type::INT8) => row.try_get::<_, Option<i64>>(column).map(|value| value.map(Value::Int)),
        Some(Type::TEXT) => row.try_get::<_, Option<String>>(column).map(|value| value.map(Value::Text)),
        Some(Type::BYTEA) => row.try_get::<_, Option<Vec<u8>>>(column).map(|value| value.map(Value::Bytes)),
        other => return Err(DbError::Refused(format!("a column is of the unknown type {other:?}"))),
    };
    value.map(|value| value.unwrap_or(Value::Null)).map_err(told)
}

impl ToSql for Value {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(value) => value.to_sql_checked(kind, out),
            Self::Text(text) => text.to_sql_checked(kind, out),
            Self::Bytes(bytes) => bytes.to_sql_checked(kind, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

fn told(error: postgres::Error) -> DbError {
    // The driver's own text is short; the cause says more.
    let text = match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    };
    match error.code() {
        Some(&SqlState::DISK_FULL) => DbError::Full(text),
        Some(code)
            if code.code().starts_with("22") || code.code().starts_with("23") || code.code().starts_with("42") =>
        {
            DbError::Refused(text)
        }
        _ => DbError::Unavailable(text),
    }
}
