//! A disk: a log whose newest part may not be on it yet, and blobs.
//!
//! Writes go to a tail that a sync makes durable; one sync runs at a time and covers all that was written before it
//! began (group commit). A crash keeps a prefix of the log that holds everything synced.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use seedbed_core::contract::{Blob, BlobId, BlobInput, CommandId, Data, NodeId, Protocol, Store, Tag};
use serde::{Deserialize, Serialize};

use crate::law::Law;

/// How the disks of a world behave. Without a law a disk is instant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DiskModel {
    /// How long it takes to write what a sync covers, or to write or read a blob, its bytes aside.
    pub write: Option<Law>,
    /// How long a sync takes on top.
    pub sync: Option<Law>,
    /// Bytes per second; none for no limit.
    pub throughput: Option<u64>,
    /// Bytes that fit; none for no limit.
    pub capacity: Option<u64>,
    /// The node takes no input while a sync runs.
    pub is_blocking: bool,
    /// The probability that a sync fails, in 2^-64.
    pub sync_error: u64,
}

impl DiskModel {
    /// Whether a write is on disk the moment it is made.
    #[must_use]
    pub const fn is_instant(&self) -> bool {
        self.write.is_none() && self.sync.is_none() && self.throughput.is_none() && self.sync_error == 0
    }

    /// The time in nanoseconds to move this many bytes.
    #[must_use]
    pub fn transfer(&self, bytes: u64) -> u64 {
        self.throughput.map_or(0, |rate| {
            u64::try_from(u128::from(bytes) * 1_000_000_000 / u128::from(rate.max(1))).unwrap_or(u64::MAX)
        })
    }
}

/// What a crash does to the disk.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// What was not synced is lost: the power went.
    #[default]
    Unsynced,
    /// A drawn part of what was not synced survives; the record after it is torn and cut off.
    Torn,
    /// Nothing is lost: the process was killed, the machine lives.
    Nothing,
    /// The disk is gone: the node starts empty.
    Everything,
}

/// The disk of one node.
#[derive(Clone, Debug)]
pub(crate) struct Disk<R> {
    synced: Vec<(Tag, R)>,
    tail: Vec<Write<R>>,
    /// Writes made so far.
    pub(crate) written: u64,
    /// Writes that are durable.
    pub(crate) durable: u64,
    /// The sync that runs covers this many writes.
    pub(crate) syncing: Option<u64>,
    /// Counts syncs and transfers: the address of their draws.
    pub(crate) operations: u64,
    pub(crate) blobs: BTreeMap<BlobId, Stored>,
    /// Bytes of records and blobs, with those on their way.
    used: u64,
    /// The device is busy until then.
    pub(crate) busy_until: u64,
    /// A fault keeps the device from answering until then.
    pub(crate) stalled_until: u64,
    /// What it would have answered meanwhile.
    pub(crate) stalled: Vec<Done>,
    /// A fault says that it is full.
    pub(crate) is_full: bool,
    /// A fault lets the next sync fail.
    pub(crate) fails_next: bool,
    /// A record in the middle of the log is damaged.
    pub(crate) is_rotten: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) blob: Blob,
    pub(crate) is_damaged: bool,
    /// The write that has yet to bring it to the disk.
    writing: Option<u64>,
}

/// What a disk has done after a while.
#[derive(Clone, Debug)]
pub(crate) enum Done {
    /// Made the first `upto` writes durable, or not.
    Sync { upto: u64, fails: bool },
    /// Stored a blob.
    Store { tag: Tag, id: BlobId, write: u64 },
    /// Found a blob, or not.
    Load(BlobInput),
}

#[derive(Clone, Debug)]
enum Write<R> {
    Append(Tag, R),
    Replace(Tag, Vec<R>),
}

impl<R> Default for Disk<R> {
    fn default() -> Self {
        Self {
            synced: Vec::new(),
            tail: Vec::new(),
            written: 0,
            durable: 0,
            syncing: None,
            operations: 0,
            blobs: BTreeMap::new(),
            used: 0,
            busy_until: 0,
            stalled_until: 0,
            stalled: Vec::new(),
            is_full: false,
            fails_next: false,
            is_rotten: false,
        }
    }
}

impl<R: Data> Disk<R> {
    /// Whether `bytes` more would fit.
    pub(crate) fn has_room(&self, bytes: u64, model: &DiskModel) -> bool {
        !self.is_full && model.capacity.is_none_or(|capacity| self.used.saturating_add(bytes) <= capacity)
    }

    pub(crate) fn append(&mut self, tag: Tag, record: R, bytes: u64) {
        self.used = self.used.saturating_add(bytes);
        self.tail.push(Write::Append(tag, record));
        self.written += 1;
    }

    pub(crate) fn replace(&mut self, tag: Tag, records: Vec<R>) {
        self.tail.push(Write::Replace(tag, records));
        self.written += 1;
    }

    /// Everything written up to `upto` has reached the disk.
    pub(crate) fn commit(&mut self, upto: u64, measures_size: bool) {
        let count = upto.saturating_sub(self.durable).min(self.tail.len() as u64);
        for write in self.tail.drain(..count as usize) {
            match write {
                Write::Append(tag, record) => self.synced.push((tag, record)),
                Write::Replace(tag, records) => {
                    if measures_size {
                        let old = self.synced.iter().filter(|(other, _)| *other == tag);
                        let freed: u64 = old.map(|(_, record)| record_size(record)).sum();
                        let taken: u64 = records.iter().map(record_size).sum();
                        self.used = self.used.saturating_sub(freed).saturating_add(taken);
                    }
                    self.synced.retain(|(other, _)| *other != tag);
                    self.synced.extend(records.into_iter().map(|record| (tag, record)));
                }
            }
        }
        self.durable += count;
    }

    /// The node has crashed: what was on its way is lost, or not. `draw` decides how much survives a torn write.
    pub(crate) fn crash(&mut self, loss: Loss, draw: u64, measures_size: bool) {
        let unsynced = self.tail.len() as u64;
        let survive = match loss {
            Loss::Unsynced => 0,
            Loss::Torn => ((u128::from(draw) * u128::from(unsynced + 1)) >> 64) as u64,
            Loss::Nothing => unsynced,
            Loss::Everything => {
                *self = Self { operations: self.operations, is_full: self.is_full, ..Self::default() };
                return;
            }
        };
        self.commit(self.durable + survive, measures_size);
        for write in self.tail.drain(..) {
            if let Write::Append(_, record) = write
                && measures_size
            {
                self.used = self.used.saturating_sub(record_size(&record));
            }
        }
        for stored in self.blobs.values_mut().filter(|_| loss == Loss::Nothing) {
            stored.writing = None;
        }
        let lost = self.blobs.values().filter(|stored| stored.writing.is_some());
        self.used = self.used.saturating_sub(lost.map(|stored| stored.blob.length()).sum());
        self.blobs.retain(|_, stored| stored.writing.is_none());
        self.written = self.durable;
        self.syncing = None;
        self.stalled = Vec::new();
        self.fails_next = false;
    }

    /// Damages a record in the middle of the log, if there is one, and one drawn blob.
    pub(crate) fn rot(&mut self, draw: u64) {
        self.is_rotten |= !self.synced.is_empty();
        let pick = draw % (self.blobs.len() as u64).max(1);
        if let Some(stored) = self.blobs.values_mut().nth(pick as usize) {
            stored.is_damaged = true;
        }
    }

    /// When the device can begin something new.
    pub(crate) fn free_at(&self, now: u64) -> u64 {
        self.busy_until.max(now)
    }

    /// The log as a new life finds it.
    pub(crate) fn log(&self) -> Vec<R> {
        self.synced.iter().map(|(_, record)| record.clone()).collect()
    }

    /// Whether writes are on their way.
    pub(crate) fn has_unsynced(&self) -> bool {
        !self.tail.is_empty()
    }

    /// Begins to write a blob; gives the number of the write. Until it is over, the blob can be loaded but does not
    /// survive a crash.
    pub(crate) fn put_blob(&mut self, blob: &Blob) -> u64 {
        let write = self.operations + 1;
        match self.blobs.entry(blob.id()) {
            // What is written already is not written again, unless it has rotted.
            Entry::Occupied(stored) if !stored.get().is_damaged => {}
            place => {
                let stored = Stored { blob: blob.clone(), is_damaged: false, writing: Some(write) };
                if matches!(place, Entry::Vacant(_)) {
                    self.used = self.used.saturating_add(blob.length());
                }
                place.insert_entry(stored);
            }
        }
        write
    }

    /// A blob's write is over.
    pub(crate) fn keep_blob(&mut self, id: BlobId, write: u64) {
        if let Some(stored) = self.blobs.get_mut(&id).filter(|stored| stored.writing == Some(write)) {
            stored.writing = None;
        }
    }

    pub(crate) fn drop_blob(&mut self, id: BlobId) {
        if let Some(stored) = self.blobs.remove(&id) {
            self.used = self.used.saturating_sub(stored.blob.length());
        }
    }
}

/// The bytes a record takes in the log: its encoding and eight bytes of frame.
pub(crate) fn record_size<R: Data>(record: &R) -> u64 {
    postcard::experimental::serialized_size(record).map_or(8, |size| size as u64 + 8)
}

/// Jobs find intact blobs only.
impl<R> Store for Disk<R> {
    fn blob(&self, id: BlobId) -> Option<Blob> {
        self.blobs.get(&id).filter(|stored| !stored.is_damaged).map(|stored| stored.blob.clone())
    }
}

/// An effect that waits until `needs` writes are durable.
#[derive(Clone)]
pub(crate) struct Gated<P: Protocol> {
    pub(crate) needs: u64,
    pub(crate) what: Promise<P>,
}

/// What may not leave before the disk has what stands behind it.
#[derive(Clone)]
pub(crate) enum Promise<P: Protocol> {
    Send { to: NodeId, ordinal: u64, message: P::Message, blob: Option<Blob> },
    Reply { id: CommandId, reply: P::Reply },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(appends: u32, durable: u64) -> Disk<u32> {
        let mut disk = Disk::default();
        for record in 0..appends {
            disk.append(Tag(0), record, 1);
        }
        disk.commit(durable, false);
        disk
    }

    #[test]
    fn a_crash_keeps_a_prefix_that_holds_everything_synced() {
        for (loss, draw, left) in [
            (Loss::Unsynced, u64::MAX, 3),
            (Loss::Torn, 0, 3),
            (Loss::Torn, u64::MAX / 2, 5),
            (Loss::Nothing, 0, 8),
            (Loss::Everything, 0, 0),
        ] {
            let mut disk = disk(8, 3);
            disk.crash(loss, draw, true);
            assert_eq!(disk.log(), (0..left).collect::<Vec<u32>>(), "{loss:?}");
            assert_eq!(disk.written, disk.durable);
        }
    }

    #[test]
    fn a_checkpoint_is_atomic_and_leaves_other_tags_alone() {
        let mut disk = disk(3, 3);
        disk.append(Tag(1), 7, 1);
        disk.replace(Tag(0), vec![9]);
        let mut lost = disk.clone();
        lost.crash(Loss::Unsynced, 0, true);
        assert_eq!(lost.log(), [0, 1, 2]);
        disk.commit(disk.written, true);
        assert_eq!(disk.log(), [7, 9]);
    }

    #[test]
    fn a_full_disk_has_no_room() {
        let model = DiskModel { capacity: Some(10), ..DiskModel::default() };
        let disk = disk(8, 0);
        assert!(disk.has_room(2, &model) && !disk.has_room(3, &model));
    }
}
