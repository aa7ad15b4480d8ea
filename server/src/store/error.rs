//! What can go wrong with the store, told so that an operator knows whose fault it is and what to do. SQLite's and the
//! operating system's own errors become these in one place, and go no further.

use lyceum_session::{RoomName, Seq, SessionId};
use std::path::Path;

/// Why the store refused or failed. Nothing of what was asked has been stored, unless a variant says otherwise.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StoreError {
    /// Operator: two servers on one data directory.
    #[error(
        "the data directory {directory} is in use by another lyceum process ({holder}): stop that process, or give this one a \
         data directory of its own"
    )]
    InUse {
        /// The data directory.
        directory: String,
        /// What the other process wrote of itself.
        holder: String,
    },
    /// Operator: the data directory is missing, is no directory, or may not be written.
    #[error(
        "the data directory {directory} cannot be used: {problem}: create it, or let the user who runs lyceum write there, or \
         configure another one"
    )]
    Directory {
        /// The data directory.
        directory: String,
        /// What the operating system says.
        problem: String,
    },
    /// Operator: an old binary on new data.
    #[error(
        "{file} was written by a newer lyceum (schema {found}; this version knows up to {known}): run the newer version; the \
         file was not changed"
    )]
    NewerSchema {
        /// Which file.
        file: &'static str,
        /// The file's schema version.
        found: u32,
        /// The newest that this binary knows.
        known: u32,
    },
    /// Machine or operator: the file is not what lyceum wrote.
    #[error("{file} is damaged or is not a lyceum store: {detail}: restore it from a backup; the file was not changed")]
    Corrupt {
        /// Which file.
        file: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// Operator: the two files of the data directory do not belong together.
    #[error("sessions.sqlite and keys.sqlite do not belong together: {detail}: restore both from the same backup")]
    Mismatch {
        /// What tells so.
        detail: &'static str,
    },
    /// Operator: no space. The store goes on by itself once there is space again.
    #[error("the disk that holds {file} is full: free some space; lyceum then goes on by itself")]
    DiskFull {
        /// Which file.
        file: &'static str,
    },
    /// Machine: the disk or the file system refuses.
    #[error(
        "{file} cannot be read or written: {detail}: check the disk and the file's permissions, then restart lyceum"
    )]
    Io {
        /// Which file.
        file: &'static str,
        /// What SQLite says.
        detail: String,
    },
    /// Load: the disk is slower than what comes in. Try again; [`super::Store::ready`] says when there is room.
    #[error(
        "more is waiting to be stored than the store accepts; the disk is too slow for the load: try again in a moment"
    )]
    Overloaded,
    /// The store was closed, or its writer stopped.
    #[error("the store is closed; the server is stopping or has to be restarted")]
    Closed,
    /// Bug in the caller: an event is not the next of its session.
    #[error("bug: event {got} of session {session} was appended where {expected} is next")]
    BadSeq {
        /// Which session.
        session: SessionId,
        /// The seq that would be right.
        expected: Seq,
        /// The seq that came.
        got: Seq,
    },
    /// Bug in the caller: the events make no log.
    #[error("bug: append to session {session}: {problem}")]
    BadAppend {
        /// Which session.
        session: SessionId,
        /// What is wrong.
        problem: &'static str,
    },
    /// Bug in the caller, or a race that it must settle: a Room has one live session at a time.
    #[error("room {room} already has the live session {session}")]
    RoomHasSession {
        /// Which Room.
        room: RoomName,
        /// The session that lives there.
        session: SessionId,
    },
    /// Bug in the store.
    #[error("bug in the store: {0}")]
    Bug(String),
}

impl StoreError {
    /// From SQLite, for one of the files.
    pub(crate) fn sqlite(file: &'static str, error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        let detail = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull { file },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt { file, detail },
            Some(
                ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::ReadOnly
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::OutOfMemory,
            ) => Self::Io { file, detail },
            Some(_) => Self::Bug(format!("{file}: {detail}")),
            // No SQLite code: a column did not hold what the schema promises.
            None => Self::Corrupt { file, detail },
        }
    }

    /// From the operating system, for the data directory.
    pub(super) fn directory(directory: &Path, error: &std::io::Error) -> Self {
        Self::Directory { directory: directory.display().to_string(), problem: error.to_string() }
    }
}
