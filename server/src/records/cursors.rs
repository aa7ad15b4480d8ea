//! How far each session's log has become statements, and what each tenant's accounts are hashed with: `outbox.sqlite` in the data
//! directory. A cursor that lags costs nothing but time: what is stored again is stored already.

use crate::store::StoreError;
use crate::store::schema::{File, open_writer};
use lyceum_session::{Seq, SessionId, TenantId};
use rusqlite::{Connection, OptionalExtension, params};
use std::path::Path;

const OUTBOX: File = File {
    name: "outbox.sqlite",
    application_id: 0x4c79_4f75, // "LyOu"
    migrations: &["
        CREATE TABLE cursors (
            tenant TEXT NOT NULL,
            session TEXT NOT NULL,
            seq INTEGER NOT NULL,
            PRIMARY KEY (tenant, session)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE tenants (
            tenant TEXT NOT NULL PRIMARY KEY,
            key BLOB NOT NULL
        ) STRICT, WITHOUT ROWID;
    "],
};

/// The file, for one thread.
pub struct Cursors {
    conn: Connection,
}

impl Cursors {
    /// Opens the file of a data directory, or creates it. Blocks.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let conn = open_writer(directory, &OUTBOX)?;
        // The file is small, and one process at a time writes more to it than a tenant's key.
        conn.pragma_update_and_check(None, "wal_autocheckpoint", 1000, |_| Ok(())).map_err(sqlite)?;
        Ok(Self { conn })
    }

    /// The last event of a session whose statements are stored; 0 before the first.
    pub fn get(&self, tenant: &TenantId, session: &SessionId) -> Result<Seq, StoreError> {
        let sql = "SELECT seq FROM cursors WHERE tenant = ? AND session = ?";
        let mut query = self.conn.prepare_cached(sql).map_err(sqlite)?;
        let seq = query.query_row(params![tenant.0, session.0], |row| row.get(0)).optional().map_err(sqlite)?;
        Ok(Seq(seq.unwrap_or(0)))
    }

    /// The statements of all events up to this one are stored.
    pub fn set(&self, tenant: &TenantId, session: &SessionId, seq: Seq) -> Result<(), StoreError> {
        let sql = "INSERT INTO cursors (tenant, session, seq) VALUES (?, ?, ?)
                   ON CONFLICT DO UPDATE SET seq = max(seq, excluded.seq)";
        let mut update = self.conn.prepare_cached(sql).map_err(sqlite)?;
        update.execute(params![tenant.0, session.0, seq.0]).map(drop).map_err(sqlite)
    }

    /// What a tenant's accounts are hashed with: made the first time, and the same from then on.
    pub fn tenant_key(&self, tenant: &TenantId) -> Result<[u8; 32], StoreError> {
        let mut key = [0; 32];
        aws_lc_rs::rand::fill(&mut key)
            .map_err(|_| StoreError::Bug("this machine gives no random numbers".to_owned()))?;
        let sql = "INSERT INTO tenants (tenant, key) VALUES (?, ?) ON CONFLICT DO NOTHING";
        self.conn.execute(sql, params![tenant.0, key]).map_err(sqlite)?;
        let stored = self.conn.query_row("SELECT key FROM tenants WHERE tenant = ?", [&tenant.0], |row| row.get(0));
        stored.map_err(sqlite)
    }
}

fn sqlite(error: rusqlite::Error) -> StoreError {
    StoreError::sqlite(OUTBOX.name, error)
}
