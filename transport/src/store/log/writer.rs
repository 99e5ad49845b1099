//! The end of a log that is written to.

use std::path::{Path, PathBuf};

use seedbed_core::contract::Tag;

use super::entry::{self, Entry, Kind};
use super::manifest::StoreId;
use super::recover::Last;
use super::segment::{Header, LENGTH_MAX, START, Segment};
use super::{Options, WRITE_MAX};
use crate::store::StoreError;

/// Writes entries, one behind the other.
#[derive(Debug)]
pub(super) struct Writer {
    folder: PathBuf,
    id: StoreId,
    /// The length of an ordinary segment.
    length: u64,
    segment: Segment,
    /// Where what waits will go.
    end: u64,
    waiting: Vec<u8>,
    /// The number of the next entry.
    next: u64,
    /// Entries up to this number are durable.
    synced: u64,
    /// Bytes of all entries in all segments.
    pub(super) used: u64,
}

impl Writer {
    /// Begins with a new segment.
    pub(super) fn start(
        folder: &Path,
        id: StoreId,
        number: u64,
        next: u64,
        options: &Options,
    ) -> Result<Self, StoreError> {
        let length = length(options);
        let segment = Segment::create(folder, Header { id, number, first: next, length })?;
        Ok(Self::new(folder, id, segment, START, next, length))
    }

    /// Goes on where a log ends, once that is durable and nothing behind it can come back.
    pub(super) fn resume(
        folder: &Path,
        last: &Last,
        next: u64,
        used: u64,
        options: &Options,
    ) -> Result<Self, StoreError> {
        let segment = Segment::open(folder, &last.header)?;
        for stale in &last.stale {
            segment.write(&[0; entry::HEADER], *stale)?;
        }
        segment.sync()?;
        let writer = Self::new(folder, last.header.id, segment, last.end, next, length(options));
        Ok(Self { used, ..writer })
    }

    fn new(folder: &Path, id: StoreId, segment: Segment, end: u64, next: u64, length: u64) -> Self {
        let (folder, synced) = (folder.to_owned(), next - 1);
        Self { folder, id, length, segment, end, waiting: Vec::new(), next, synced, used: 0 }
    }

    /// The number of the segment.
    pub(super) const fn number(&self) -> u64 {
        self.segment.number
    }

    /// Entries up to this number are durable.
    pub(super) const fn synced(&self) -> u64 {
        self.synced
    }

    /// Whether an entry with a payload of this length fits into the segment, and a mark behind it.
    pub(super) fn fits(&self, payload: usize) -> bool {
        let needed = self.waiting.len() as u64 + entry::size(payload) + entry::size(0);
        self.end + needed <= self.segment.length
    }

    /// Adds an entry, which must fit.
    pub(super) fn push(&mut self, tag: Tag, kind: Kind, payload: &[u8]) -> Result<(), StoreError> {
        debug_assert!(self.fits(payload.len()));
        let entry = Entry { sequence: self.next, synced: self.synced, tag, kind, payload };
        entry.encode(self.segment.salt, &mut self.waiting);
        self.next += 1;
        self.used += entry.size();
        if self.waiting.len() > WRITE_MAX { self.flush() } else { Ok(()) }
    }

    /// Returns once all entries are durable.
    pub(super) fn sync(&mut self) -> Result<(), StoreError> {
        if self.synced + 1 == self.next {
            return Ok(());
        }
        self.flush()?;
        self.segment.sync()?;
        self.synced = self.next - 1;
        self.mark()
    }

    /// Leaves word behind the last entry that it is durable, so that damage to it is not taken for a torn end. The mark
    /// reaches the disk when it may: at the latest, what is written over it says the same.
    pub(super) fn mark(&mut self) -> Result<(), StoreError> {
        let mark = Entry { sequence: 0, synced: self.synced, tag: Tag(0), kind: Kind::Mark, payload: &[] };
        let mut bytes = Vec::with_capacity(entry::HEADER);
        mark.encode(self.segment.salt, &mut bytes);
        if self.end + bytes.len() as u64 > self.segment.length {
            return Ok(());
        }
        self.segment.write(&bytes, self.end)
    }

    /// The segment after this one, with room for an entry with a payload of this length.
    pub(super) fn following(&self, payload: usize) -> Result<Segment, StoreError> {
        let length = self.length.max(START + entry::size(payload) + entry::size(0));
        let number = self.segment.number + 1;
        Segment::create(&self.folder, Header { id: self.id, number, first: self.next, length })
    }

    /// Leaves the segment, all of which is durable, for the next.
    pub(super) fn turn_to(&mut self, segment: Segment) {
        debug_assert!(self.waiting.is_empty() && self.synced + 1 == self.next);
        self.segment = segment;
        self.end = START;
    }

    /// Hands everything to the system, which may write it to the disk in any order.
    pub(super) fn flush(&mut self) -> Result<(), StoreError> {
        self.segment.write(&self.waiting, self.end)?;
        self.end += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }
}

/// An ordinary segment has room for its header and a little more, whatever is asked for.
fn length(options: &Options) -> u64 {
    options.segment.clamp(START + entry::size(0) * 4, LENGTH_MAX)
}
