//! SQLite: a file, with its write-ahead log beside it. What is committed is on disk.

use super::{Conn, DbError, Role, Row, SCHEMA, VERSION, Value};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, ToSql, params_from_iter};
use std::path::Path;
use std::time::Duration;

pub(super) fn connect(path: &Path, role: Role) -> Result<Box<dyn Conn>, DbError> {
    let write = if role == Role::Writer { OpenFlags::SQLITE_OPEN_CREATE } else { OpenFlags::empty() };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | write;
    let conn = Connection::open_with_flags(path, flags).map_err(told)?;
    conn.busy_timeout(Duration::from_secs(5)).map_err(told)?;
    conn.set_prepared_statement_cache_capacity(128);
    let mut sqlite = Sqlite { conn };
    if role == Role::Writer {
        sqlite.batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000;")?;
        sqlite.bring_up_to_date()?;
    }
    sqlite.batch("PRAGMA cache_size = -32000; PRAGMA temp_store = MEMORY;")?;
    if role == Role::Reader {
        sqlite.batch("PRAGMA query_only = ON;")?;
    }
    Ok(Box::new(sqlite))
}

struct Sqlite {
    conn: Connection,
}

impl Sqlite {
    fn bring_up_to_date(&mut self) -> Result<(), DbError> {
        let version = self.conn.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(told)?;
        match version {
            0 => {
                let schema = SCHEMA
                    .replace("BYTES", "BLOB")
                    .replace("BIGINT PRIMARY KEY", "INTEGER PRIMARY KEY")
                    .replace("BIGINT", "INTEGER")
                    .replace("WITHOUT_ROWID", "WITHOUT ROWID");
                self.batch(&format!("BEGIN IMMEDIATE; {schema} PRAGMA user_version = {VERSION}; COMMIT;"))
            }
            VERSION => Ok(()),
            newer => Err(DbError::Unavailable(format!(
                "its tables have the version {newer}, and this program knows {VERSION}: run the newer one"
            ))),
        }
    }
}

impl Conn for Sqlite {
    fn batch(&mut self, sql: &str) -> Result<(), DbError> {
        self.conn.execute_batch(sql).map_err(told)
    }

    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, DbError> {
        let mut statement = self.conn.prepare_cached(sql).map_err(told)?;
        statement.execute(params_from_iter(values)).map(|rows| rows as u64).map_err(told)
    }

    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, DbError> {
        let mut statement = self.conn.prepare_cached(sql).map_err(told)?;
        let columns = statement.column_count();
        let mut rows = statement.query(params_from_iter(values)).map_err(told)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(told)? {
            let value = |column| row.get_ref(column).map_err(told).and_then(value);
            found.push((0..columns).map(value).collect::<Result<_, _>>()?);
        }
        Ok(found)
    }

    fn is_gone(&self) -> bool {
        false
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(value) => ValueRef::Integer(*value),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn value(value: ValueRef<'_>) -> Result<Value, DbError> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(value) => Value::Int(value),
        ValueRef::Real(_) => return Err(DbError::Refused("a column holds a fraction".to_owned())),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_owned()),
    })
}

fn told(error: rusqlite::Error) -> DbError {
    let text = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => DbError::Full(text),
        Some(
            ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::PermissionDenied
            | ErrorCode::ReadOnly
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::DatabaseCorrupt
            | ErrorCode::NotADatabase
            | ErrorCode::OutOfMemory,
        ) => DbError::Unavailable(text),
        _ => DbError::Refused(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a full disk does, by a bound on the file.
    #[test]
    fn a_full_disk_is_told_as_such_and_passes() {
        let folder = tempfile::tempdir().unwrap();
        let mut conn = connect(&folder.path().join("full.sqlite"), Role::Writer).unwrap();
        conn.batch("PRAGMA max_page_count = 60").unwrap();
        let sql = "INSERT INTO lrs_attachments (key, tenant, content) VALUES (?1, 't', ?2)";
        let mut insert = |n: u8| conn.execute(sql, &[Value::Bytes(vec![n]), Value::Bytes(vec![0; 50_000])]);
        let refused = (0..9).find_map(|n| insert(n).err()).unwrap();
        assert!(matches!(refused, DbError::Full(_)), "{refused:?}");
        conn.batch("PRAGMA max_page_count = 6000").unwrap();
        assert_eq!(conn.execute(sql, &[Value::Bytes(vec![99]), Value::Bytes(vec![0; 50_000])]), Ok(1));
    }
}
