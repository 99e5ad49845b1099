//! The simulator's disk faults on any store: slowness, stalls, failing syncs, no room, and crashes that lose what was not
//! synced.
//!
//! What is written is kept in memory until a sync, so that a crash can take it. A sync, or an operation on a blob, takes
//! *at least* as long as drawn: the real disk's own time counts towards that. What a sync under way at a crash covers may
//! survive.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use seedbed_core::contract::{Blob, BlobId, Tag};

use super::memory::gone;
use super::tail::Tail;
use super::{Ledger, Loss, Opened, Store, StoreError, weight};

/// How a disk behaves. The default is the disk as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// How long it takes to write what a sync covers, or to write or read a blob, its bytes aside: one of these, each as
    /// likely. None for no time.
    pub write: Vec<Duration>,
    /// How long a sync takes on top, in the same way.
    pub sync: Vec<Duration>,
    /// Bytes per second; none for no limit.
    pub throughput: Option<u64>,
    /// Bytes that fit, records and blobs together; none for no limit. Blobs of earlier lives are not counted.
    pub capacity: Option<u64>,
    /// The probability that a sync fails, in 2^-64.
    pub sync_error: u64,
    /// What is drawn is a function of this and the number of the operation.
    pub seed: u64,
}

/// A store with faults.
pub struct Faulty<S>(Arc<Shared<S>>);

/// Lets faults strike, from another thread.
pub struct Faults<S>(Arc<Shared<S>>);

struct Shared<S> {
    disk: Mutex<Disk<S>>,
    /// A stall ends, or a crash strikes.
    changed: Condvar,
}

struct Disk<S> {
    /// None after a crash.
    store: Option<S>,
    settings: Settings,
    tail: Tail,
    /// Bytes that the next sync has to write.
    unsynced: u64,
    records: Ledger,
    blobs: BTreeMap<BlobId, u64>,
    operations: u64,
    stalled_until: Option<Instant>,
    is_full: bool,
    fails_next: bool,
}

impl<S: Store> Faulty<S> {
    /// Puts faults around a store.
    pub fn around(opened: Opened<S>, settings: Settings) -> (Opened<Self>, Faults<S>) {
        let Opened { store, log, life } = opened;
        let mut records = Ledger::default();
        log.iter().for_each(|(tag, record)| records.add(*tag, weight(record)));
        let disk = Disk {
            store: Some(store),
            settings,
            tail: Tail::default(),
            unsynced: 0,
            records,
            blobs: BTreeMap::new(),
            operations: 0,
            stalled_until: None,
            is_full: false,
            fails_next: false,
        };
        let shared = Arc::new(Shared { disk: Mutex::new(disk), changed: Condvar::new() });
        (Opened { store: Self(Arc::clone(&shared)), log, life }, Faults(shared))
    }
}

impl<S: Store> Faults<S> {
    /// The disk finishes nothing until then.
    pub fn stall(&self, until: Instant) {
        self.0.disk().stalled_until = Some(until);
    }

    /// A stall is over at once.
    pub fn resume(&self) {
        self.0.disk().stalled_until = None;
        self.0.changed.notify_all();
    }

    /// The disk has no more room, or has again.
    pub fn fill(&self, is_full: bool) {
        self.0.disk().is_full = is_full;
    }

    /// The next sync fails.
    pub fn fail_next_sync(&self) {
        self.0.disk().fails_next = true;
    }

    /// Ends every fault: there is room, nothing stalls, and no sync fails any more.
    pub fn heal(&self) {
        let mut disk = self.0.disk();
        (disk.stalled_until, disk.is_full, disk.fails_next) = (None, false, false);
        disk.settings.sync_error = 0;
        self.0.changed.notify_all();
    }

    /// The node crashes: every later operation fails, and the store is closed when this returns.
    ///
    /// # Errors
    /// If the store underneath fails to write what survives.
    pub fn crash(&self, loss: Loss) -> Result<(), StoreError> {
        let disk = &mut *self.0.disk();
        self.0.changed.notify_all();
        let Some(mut store) = disk.store.take() else { return Ok(()) };
        disk.tail.lose(loss);
        disk.tail.write_to(&mut store)?;
        store.sync()
    }
}

impl<S: Store> Shared<S> {
    fn disk(&self) -> MutexGuard<'_, Disk<S>> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something that takes at least so long, and no shorter than a stall.
    fn act<T>(
        &self,
        plan: impl FnOnce(&mut Disk<S>) -> Result<Duration, StoreError>,
        act: impl FnOnce(&mut Disk<S>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let start = Instant::now();
        let mut disk = self.disk();
        disk.store()?;
        disk.operations += 1;
        let lasts = plan(&mut disk)?;
        let done = act(&mut disk)?;
        loop {
            disk.store()?;
            let until = disk.stalled_until.map_or(start + lasts, |stalled| stalled.max(start + lasts));
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(done);
            }
            disk = self.changed.wait_timeout(disk, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl<S: Store> Disk<S> {
    fn store(&mut self) -> Result<&mut S, StoreError> {
        self.store.as_mut().ok_or_else(gone)
    }

    fn has_room(&self, freed: u64, bytes: u64) -> bool {
        let used = self.records.total + self.blobs.values().sum::<u64>();
        let used = (used - freed).saturating_add(bytes);
        !self.is_full && self.settings.capacity.is_none_or(|capacity| used <= capacity)
    }

    /// How long it takes to move these bytes, as drawn.
    fn lasts(&self, bytes: u64) -> Duration {
        let transfer = self.settings.throughput.map_or(0, |rate| {
            let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(rate.max(1));
            u64::try_from(nanos).unwrap_or(u64::MAX)
        });
        self.draw(&self.settings.write, 0) + Duration::from_nanos(transfer)
    }

    fn draw(&self, table: &[Duration], purpose: u64) -> Duration {
        let place = (u128::from(self.roll(purpose)) * table.len() as u128) >> 64;
        table.get(place as usize).copied().unwrap_or_default()
    }

    /// SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
    fn roll(&self, purpose: u64) -> u64 {
        let address = self.operations.wrapping_mul(4).wrapping_add(purpose);
        let mut word = self.settings.seed.wrapping_add(address.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        let is_unlucky = self.roll(2) < self.settings.sync_error;
        if std::mem::take(&mut self.fails_next) || is_unlucky {
            let error = io::Error::other("a sync failed, as a fault wants it");
            return Err(StoreError::Failed { path: PathBuf::from("store"), error });
        }
        let Self { store, tail, .. } = self;
        let store = store.as_mut().ok_or_else(gone)?;
        tail.write_to(store)?;
        self.unsynced = 0;
        self.store()?.sync()
    }
}

impl<S: Store> Store for Faulty<S> {
    fn append(&mut self, tag: Tag, record: &[u8]) -> Result<(), StoreError> {
        let disk = &mut *self.0.disk();
        disk.store()?;
        let bytes = weight(record);
        if !disk.has_room(0, bytes) {
            return Err(StoreError::Full);
        }
        disk.records.add(tag, bytes);
        disk.unsynced += bytes;
        disk.tail.append(tag, record);
        Ok(())
    }

    fn checkpoint(&mut self, tag: Tag, records: &[Vec<u8>]) -> Result<(), StoreError> {
        let disk = &mut *self.0.disk();
        disk.store()?;
        let bytes = records.iter().map(|record| weight(record)).sum();
        if !disk.has_room(disk.records.of(tag), bytes) {
            return Err(StoreError::Full);
        }
        disk.records.clear(tag);
        disk.records.add(tag, bytes);
        disk.unsynced += bytes;
        disk.tail.checkpoint(tag, records);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        self.0.act(|disk| Ok(disk.lasts(disk.unsynced) + disk.draw(&disk.settings.sync, 1)), Disk::sync)
    }

    fn put(&mut self, blob: &Blob) -> Result<(), StoreError> {
        let plan = |disk: &mut Disk<S>| {
            let old = disk.blobs.get(&blob.id()).copied().unwrap_or_default();
            if disk.has_room(old, blob.length()) {
                Ok(disk.lasts(blob.length()))
            } else {
                Err(StoreError::Full)
            }
        };
        self.0.act(plan, |disk| {
            disk.store()?.put(blob)?;
            disk.blobs.insert(blob.id(), blob.length());
            Ok(())
        })
    }

    fn load(&mut self, id: BlobId) -> Result<Option<Blob>, StoreError> {
        let plan = |disk: &mut Disk<S>| Ok(disk.lasts(disk.blobs.get(&id).copied().unwrap_or_default()));
        self.0.act(plan, |disk| disk.store()?.load(id))
    }

    fn remove(&mut self, id: BlobId) -> Result<(), StoreError> {
        let disk = &mut *self.0.disk();
        disk.store()?.remove(id)?;
        disk.blobs.remove(&id);
        Ok(())
    }
}

impl<S> Clone for Faults<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S> fmt::Debug for Faulty<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faulty").finish_non_exhaustive()
    }
}

impl<S> fmt::Debug for Faults<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults").finish_non_exhaustive()
    }
}
