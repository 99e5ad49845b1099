//! A store in memory that outlives its host, for tests.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use seedbed_core::contract::{Blob, BlobId, Life, Tag};

use super::tail::Tail;
use super::{Loss, Opened, Store, StoreError};

/// A disk in memory. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<Disk>>);

/// A disk that a life has open. When the next one opens it, or a crash strikes, every operation fails.
#[derive(Debug)]
pub struct Session {
    disk: Memory,
    number: u64,
}

#[derive(Debug, Default)]
struct Disk {
    synced: Vec<(Tag, Vec<u8>)>,
    tail: Tail,
    blobs: BTreeMap<BlobId, Blob>,
    lives: u32,
    /// The session that counts.
    session: u64,
}

impl Memory {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens it; its next life begins. What an earlier session did not sync is lost, unless a [crash](Self::crash) came
    /// before and left it.
    #[must_use]
    pub fn open(&self) -> Opened<Session> {
        self.crash(Loss::Unsynced);
        let mut disk = self.disk();
        let life = Life(disk.lives);
        disk.lives += 1;
        let store = Session { disk: self.clone(), number: disk.session };
        Opened { store, log: disk.synced.clone(), life }
    }

    /// Ends the session.
    pub fn crash(&self, loss: Loss) {
        let disk = &mut *self.disk();
        disk.session += 1;
        disk.tail.lose(loss);
        disk.tail.apply_to(&mut disk.synced);
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    fn disk(&self) -> Result<MutexGuard<'_, Disk>, StoreError> {
        let disk = self.disk.disk();
        if disk.session == self.number { Ok(disk) } else { Err(gone()) }
    }
}

impl Store for Session {
    fn append(&mut self, tag: Tag, record: &[u8]) -> Result<(), StoreError> {
        self.disk()?.tail.append(tag, record);
        Ok(())
    }

    fn checkpoint(&mut self, tag: Tag, records: &[Vec<u8>]) -> Result<(), StoreError> {
        self.disk()?.tail.checkpoint(tag, records);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        let disk = &mut *self.disk()?;
        disk.tail.apply_to(&mut disk.synced);
        Ok(())
    }

    fn put(&mut self, blob: &Blob) -> Result<(), StoreError> {
        self.disk()?.blobs.insert(blob.id(), blob.clone());
        Ok(())
    }

    fn load(&mut self, id: BlobId) -> Result<Option<Blob>, StoreError> {
        match self.disk()?.blobs.get(&id) {
            Some(blob) if !blob.is_intact() => {
                let what = "its content does not match its address".to_owned();
                Err(StoreError::Damaged { path: format!("{id:?}").into(), what })
            }
            blob => Ok(blob.cloned()),
        }
    }

    fn remove(&mut self, id: BlobId) -> Result<(), StoreError> {
        self.disk()?.blobs.remove(&id);
        Ok(())
    }
}

/// The life that used this store is over.
pub(super) fn gone() -> StoreError {
    StoreError::Failed { path: PathBuf::from("store"), error: io::Error::other("the node has crashed") }
}
