//! Files by what is in them: each once for each tenant, under the SHA-256 of its bytes. A file comes in under a name of chance, is
//! synced, and takes its place by a rename, so that what is at its place is whole. Nothing takes one away again: the logs that
//! name it are kept, too.
//!
//! In the data directory: `files/{tenant}/{hash}`, with the tenant as a digest, and `files/incoming`, emptied at each start.

use crate::control::random_text;
use aws_lc_rs::digest::{Context, SHA256, digest};
use lyceum_session::TenantId;
use std::collections::HashMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The files of one data directory. Cheap to clone.
#[derive(Clone)]
pub struct FileStore {
    shared: Arc<Shared>,
}

struct Shared {
    directory: PathBuf,
    /// What the files of a tenant may take on disk, in bytes; 0 is no limit.
    tenant_bytes: u64,
    used: Mutex<HashMap<String, u64>>,
}

/// The tenant has no room for the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Full;

/// A file on its way in. Dropped, it leaves nothing behind.
pub struct Incoming {
    shared: Arc<Shared>,
    tenant: String,
    path: PathBuf,
    file: fs::File,
    hash: Context,
    /// What is set aside for it.
    bytes: u64,
    written: u64,
}

impl FileStore {
    /// Opens the files of a data directory, which must exist. Blocks; call it at start.
    pub fn open(data: &Path, tenant_bytes: u64) -> io::Result<Self> {
        let directory = data.join("files");
        make_directory(&directory)?;
        let incoming = directory.join(INCOMING);
        // What was on its way when the server stopped comes again from its beginning.
        if incoming.is_dir() {
            fs::remove_dir_all(&incoming)?;
        }
        make_directory(&incoming)?;
        let mut used = HashMap::new();
        for tenant in fs::read_dir(&directory)? {
            let tenant = tenant?;
            let name = tenant.file_name().to_string_lossy().into_owned();
            if name != INCOMING && tenant.file_type()?.is_dir() {
                used.insert(name, size_of(&tenant.path())?);
            }
        }
        Ok(Self { shared: Arc::new(Shared { directory, tenant_bytes, used: Mutex::new(used) }) })
    }

    /// Where a file is, if it is here.
    pub fn find(&self, tenant: &TenantId, hash: &str) -> Option<PathBuf> {
        let path = self.shared.place(&folder(tenant), hash);
        path.is_file().then_some(path)
    }

    /// Begins to take a file of so many bytes. Blocks.
    pub fn begin(&self, tenant: &TenantId, bytes: u64) -> io::Result<Result<Incoming, Full>> {
        let tenant = folder(tenant);
        if !self.shared.set_aside(&tenant, bytes) {
            return Ok(Err(Full));
        }
        let path = self.shared.directory.join(INCOMING).join(random_text(22));
        let file = fs::File::create_new(&path).inspect_err(|_| self.shared.give_back(&tenant, bytes))?;
        let hash = Context::new(&SHA256);
        Ok(Ok(Incoming { shared: self.shared.clone(), tenant, path, file, hash, bytes, written: 0 }))
    }

    /// What all files take, in bytes, those on their way in included.
    pub fn bytes(&self) -> u64 {
        self.shared.lock().values().sum()
    }
}

impl Incoming {
    /// More of the file; nothing beyond what was announced is written. Blocks.
    pub fn write(&mut self, part: &[u8]) -> io::Result<()> {
        let left = usize::try_from(self.bytes - self.written).unwrap_or(usize::MAX);
        let part = part.get(..left).unwrap_or(part);
        self.file.write_all(part)?;
        self.hash.update(part);
        self.written += part.len() as u64;
        Ok(())
    }

    /// How many bytes have come.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// The digest of what has come, in hexadecimal.
    pub fn hash(&self) -> String {
        hexadecimal(self.hash.clone().finish().as_ref())
    }

    /// What has come, to be read from its beginning.
    pub fn reopen(&self) -> io::Result<fs::File> {
        fs::File::open(&self.path)
    }

    /// Puts the file in its place; it is there for good when this returns. Blocks.
    pub fn keep(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        let place = self.shared.place(&self.tenant, &self.hash());
        let folder = self.shared.directory.join(&self.tenant);
        make_directory(&folder)?;
        if place.is_file() {
            return Ok(());
        }
        fs::rename(&self.path, &place)?;
        // It takes what was set aside for it.
        self.bytes = 0;
        fs::File::open(&folder)?.sync_all()
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.shared.give_back(&self.tenant, self.bytes);
        // After `keep` it is not there any more; else the next start takes it away.
        let _ = fs::remove_file(&self.path);
    }
}

impl Shared {
    fn place(&self, tenant: &str, hash: &str) -> PathBuf {
        self.directory.join(tenant).join(hash)
    }

    fn set_aside(&self, tenant: &str, bytes: u64) -> bool {
        let mut used = self.lock();
        let used = used.entry(tenant.to_owned()).or_default();
        let sum = used.saturating_add(bytes);
        if self.tenant_bytes > 0 && sum > self.tenant_bytes {
            return false;
        }
        *used = sum;
        true
    }

    fn give_back(&self, tenant: &str, bytes: u64) {
        if let Some(used) = self.lock().get_mut(tenant) {
            *used = used.saturating_sub(bytes);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, u64>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const INCOMING: &str = "incoming";

/// A name for any tenant, whatever letters theirs has.
fn folder(tenant: &TenantId) -> String {
    hexadecimal(&digest(&SHA256, tenant.0.as_bytes()).as_ref()[..16])
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn size_of(directory: &Path) -> io::Result<u64> {
    fs::read_dir(directory)?.map(|entry| entry?.metadata().map(|known| known.len())).sum()
}

/// Makes a directory for our own user, and sees to it that it is there after a power cut.
fn make_directory(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    match fs::DirBuilder::new().mode(0o700).create(directory) {
        Ok(()) => directory.parent().map_or(Ok(()), |parent| fs::File::open(parent)?.sync_all()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(name: &str) -> TenantId {
        TenantId(name.to_owned())
    }

    fn put(store: &FileStore, name: &str, bytes: &[u8]) -> String {
        let mut incoming = store.begin(&tenant(name), bytes.len() as u64).unwrap().unwrap();
        incoming.write(bytes).unwrap();
        let hash = incoming.hash();
        incoming.keep().unwrap();
        hash
    }

    #[test]
    fn a_file_is_kept_once_for_each_tenant() {
        let data = tempfile::tempdir().unwrap();
        let store = FileStore::open(data.path(), 0).unwrap();
        let hash = put(&store, "north", b"abc");
        assert_eq!(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        put(&store, "north", b"abc");
        assert_eq!(store.bytes(), 3);
        assert_eq!(fs::read(store.find(&tenant("north"), &hash).unwrap()).unwrap(), b"abc");
        assert!(store.find(&tenant("../north"), &hash).is_none() && store.find(&tenant("south"), &hash).is_none());
        put(&store, "south", b"abc");
        assert_eq!(store.bytes(), 6);
        assert_eq!(FileStore::open(data.path(), 0).unwrap().bytes(), 6, "counted anew at the start");
    }

    #[test]
    fn who_has_no_room_left_is_told_before_anything_is_written() {
        let data = tempfile::tempdir().unwrap();
        let store = FileStore::open(data.path(), 10).unwrap();
        put(&store, "north", b"123456");
        let one = store.begin(&tenant("north"), 4).unwrap().unwrap();
        assert!(store.begin(&tenant("north"), 1).unwrap().is_err(), "what is on its way counts");
        put(&store, "south", b"123456");
        drop(one);
        assert!(store.begin(&tenant("north"), 4).unwrap().is_ok(), "and counts no more when it was given up");
    }

    #[test]
    fn what_was_cut_off_leaves_nothing_behind() {
        let data = tempfile::tempdir().unwrap();
        let store = FileStore::open(data.path(), 0).unwrap();
        let mut incoming = store.begin(&tenant("north"), 3).unwrap().unwrap();
        incoming.write(b"abcdef").unwrap();
        assert_eq!(incoming.written(), 3, "no more than was announced");
        drop(incoming);
        fs::write(data.path().join("files/incoming/left"), b"by a crash").unwrap();
        let store = FileStore::open(data.path(), 0).unwrap();
        assert_eq!((store.bytes(), fs::read_dir(data.path().join("files/incoming")).unwrap().count()), (0, 0));
    }
}
