//! The two files' tables, as migrations: each file counts in `user_version` how many were applied, and opening it applies the
//! rest, forward only. A migration that has been released never changes; a new one is added at the end of its list, with
//! a data directory of the version before in `tests/it/store/`.

use super::StoreError;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::path::Path;

/// One of the two files of a data directory.
pub(crate) struct File {
    /// Its name in the data directory.
    pub name: &'static str,
    /// SQLite's `application_id`: tells our files from those of other programs.
    pub application_id: i32,
    /// What brings it from version *n* to *n + 1*, at index *n*.
    pub migrations: &'static [&'static str],
}

/// Rooms, sessions, events, heartbeats, and what lies beside the log: drafts and ballots.
pub(super) const SESSIONS: File = File {
    name: "sessions.sqlite",
    application_id: 0x4c79_5365, // "LySe"
    migrations: &[
        "
        CREATE TABLE store (id BLOB NOT NULL) STRICT;

        CREATE TABLE rooms (
            tenant TEXT NOT NULL,
            name TEXT NOT NULL,
            created_at_ms INTEGER NOT NULL,
            policy TEXT NOT NULL,
            metadata TEXT NOT NULL,
            PRIMARY KEY (tenant, name)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE sessions (
            tenant TEXT NOT NULL,
            session TEXT NOT NULL,
            room TEXT NOT NULL,
            started_at_ms INTEGER NOT NULL,
            ended_at_ms INTEGER,
            PRIMARY KEY (tenant, session)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX sessions_by_time ON sessions (tenant, started_at_ms, session);
        CREATE INDEX sessions_by_room ON sessions (tenant, room, started_at_ms, session);
        CREATE UNIQUE INDEX one_live_session_per_room ON sessions (tenant, room) WHERE ended_at_ms IS NULL;

        CREATE TABLE events (
            tenant TEXT NOT NULL,
            session TEXT NOT NULL,
            seq INTEGER NOT NULL CHECK (seq > 0),
            at_ms INTEGER NOT NULL,
            event TEXT NOT NULL,
            PRIMARY KEY (tenant, session, seq)
        ) STRICT;

        CREATE TABLE heartbeats (
            tenant TEXT NOT NULL,
            session TEXT NOT NULL,
            at_ms INTEGER NOT NULL,
            PRIMARY KEY (tenant, session)
        ) STRICT, WITHOUT ROWID;
    ",
        "
        CREATE TABLE drafts (
            tenant TEXT NOT NULL,
            session TEXT NOT NULL,
            poll INTEGER NOT NULL,
            person TEXT NOT NULL,
            at_ms INTEGER NOT NULL,
            answers TEXT NOT NULL,
            PRIMARY KEY (tenant, session, poll, person)
        ) STRICT, WITHOUT ROWID;

        -- The id is random and tells nothing; there is no hidden row number that would count them.
        CREATE TABLE ballots (
            tenant TEXT NOT NULL,
            session TEXT NOT NULL,
            poll INTEGER NOT NULL,
            id BLOB NOT NULL,
            answers TEXT NOT NULL,
            PRIMARY KEY (tenant, session, poll, id)
        ) STRICT, WITHOUT ROWID;
    ",
    ],
};

/// The keys of persons, apart from what they protect, so that a key can be erased here without touching a log.
pub(super) const KEYS: File = File {
    name: "keys.sqlite",
    application_id: 0x4c79_4b65, // "LyKe"
    migrations: &["
        CREATE TABLE store (id BLOB NOT NULL) STRICT;

        CREATE TABLE person_keys (
            tenant TEXT NOT NULL,
            person TEXT NOT NULL,
            id BLOB NOT NULL,
            key BLOB NOT NULL,
            PRIMARY KEY (tenant, person)
        ) STRICT, WITHOUT ROWID;
    "],
};

/// How long a connection waits for another one that holds the file.
pub(super) const BUSY_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

/// Opens a file for writing, creates it if it is missing, and brings its tables up to date.
pub(crate) fn open_writer(directory: &Path, file: &File) -> Result<Connection, StoreError> {
    let path = directory.join(file.name);
    create_private(&path).map_err(|error| StoreError::Io { file: file.name, detail: error.to_string() })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_with_flags(&path, flags).map_err(|error| StoreError::sqlite(file.name, error))?;
    // Looked at before anything is written: a foreign or newer file stays as it is.
    let version = version(&conn, file)?;
    configure(&conn).map_err(|error| StoreError::sqlite(file.name, error))?;
    durable(&conn, file.name)?;
    // What is deleted (a key, a draft, the ballots of a poll that closes) is overwritten, not only forgotten.
    conn.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))
        .map_err(|error| StoreError::sqlite(file.name, error))?;
    migrate(&mut conn, file, version)?;
    Ok(conn)
}

/// Opens a file, which a writer has opened before, for reading only.
pub(super) fn open_reader(directory: &Path, file: &File) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(directory.join(file.name), flags)
        .and_then(|conn| configure(&conn).map(|()| conn))
        .map_err(|error| StoreError::sqlite(file.name, error))
}

/// Creates an empty file that only our own user may read; SQLite gives its side files the same permissions.
fn create_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map(drop)
}

fn configure(conn: &Connection) -> rusqlite::Result<()> {
    // Readers and the writer do not wait for each other, save for moments; this is for an operator's own tools on the files.
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "cell_size_check", true)
}

/// Write-ahead log with full sync, and a check that SQLite agreed: a commit that returns is on the disk.
fn durable(conn: &Connection, file: &'static str) -> Result<(), StoreError> {
    let sqlite = |error| StoreError::sqlite(file, error);
    let mode: String = conn.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0)).map_err(sqlite)?;
    conn.pragma_update(None, "synchronous", "FULL").map_err(sqlite)?;
    let synchronous: i64 = conn.pragma_query_value(None, "synchronous", |row| row.get(0)).map_err(sqlite)?;
    // The writer empties the write-ahead log itself, between batches.
    conn.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(())).map_err(sqlite)?;
    if mode == "wal" && synchronous == 2 {
        return Ok(());
    }
    let detail =
        format!("the file system does not support durable commits (journal {mode}, synchronous {synchronous})");
    Err(StoreError::Io { file, detail })
}

/// How many migrations the file has seen; an error if it is foreign or newer.
fn version(conn: &Connection, file: &File) -> Result<u32, StoreError> {
    let sqlite = |error| StoreError::sqlite(file.name, error);
    let version: u32 = conn.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(sqlite)?;
    let application_id: i32 = conn.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(sqlite)?;
    let tables: u32 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(sqlite)?;
    let empty = version == 0 && application_id == 0 && tables == 0;
    if !empty && application_id != file.application_id {
        let detail = "it belongs to another program".to_owned();
        return Err(StoreError::Corrupt { file: file.name, detail });
    }
    let known = file.migrations.len() as u32;
    if version > known {
        return Err(StoreError::NewerSchema { file: file.name, found: version, known });
    }
    Ok(version)
}

/// Applies what is missing. Each migration and the version that counts it are one transaction.
fn migrate(conn: &mut Connection, file: &File, from: u32) -> Result<(), StoreError> {
    for (version, migration) in (1u32..).zip(file.migrations).skip(from as usize) {
        let applied = (|| {
            let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute_batch(migration)?;
            transaction.pragma_update(None, "user_version", version)?;
            transaction.pragma_update(None, "application_id", file.application_id)?;
            transaction.commit()
        })();
        applied.map_err(|error| StoreError::sqlite(file.name, error))?;
        if from > 0 {
            tracing::info!(file = file.name, version, "migrated the store");
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const ONE: &str = "CREATE TABLE pupils (name TEXT) STRICT;";
    const TWO: &str = "ALTER TABLE pupils ADD COLUMN seat INTEGER;";
    const BROKEN: &str = "CREATE TABLE half (a TEXT) STRICT; INSERT INTO nowhere VALUES (1);";

    fn file(migrations: &'static [&'static str]) -> File {
        File { name: "test.sqlite", application_id: 7, migrations }
    }

    #[test]
    fn every_migration_after_the_files_version_is_applied_once() {
        let directory = tempfile::tempdir().unwrap();
        let conn = open_writer(directory.path(), &file(&[ONE])).unwrap();
        conn.execute("INSERT INTO pupils VALUES ('Ada')", []).unwrap();
        drop(conn);

        for _ in 0..2 {
            let conn = open_writer(directory.path(), &file(&[ONE, TWO])).unwrap();
            let seat: Option<u32> =
                conn.query_row("SELECT seat FROM pupils WHERE name = 'Ada'", [], |r| r.get(0)).unwrap();
            assert_eq!(seat, None);
        }
    }

    #[test]
    fn a_migration_that_fails_leaves_the_version_before() {
        let directory = tempfile::tempdir().unwrap();
        let error = open_writer(directory.path(), &file(&[ONE, BROKEN])).unwrap_err();
        assert!(matches!(error, StoreError::Bug(_)), "{error}");

        let conn = open_writer(directory.path(), &file(&[ONE])).unwrap();
        let tables: u32 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0)).unwrap();
        assert_eq!(tables, 1);
    }
}
