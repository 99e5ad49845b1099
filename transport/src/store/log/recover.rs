//! Reading a log back: what counts, where it ends, and whether the end is torn or the middle is damaged.
//!
//! The disk may have written the end of the log in any order when the power went, so an entry that cannot be read ends
//! the log, even if later ones can. But every entry also says up to where all was durable when it was written. If one
//! says so of the entry that cannot be read, that was there once: the log is damaged, not torn.

use std::collections::BTreeMap;
use std::path::Path;

use seedbed_core::contract::Tag;

use super::ADVICE;
use super::entry::{self, ALIGNMENT, Entry, Kind};
use super::manifest::Manifest;
use super::segment::{self, Header, START};
use crate::store::files::damaged;
use crate::store::{Ledger, StoreError, weight};

/// What a log holds.
#[derive(Debug, Default)]
pub(super) struct Recovered {
    pub(super) replay: Replay,
    /// The number of the next entry.
    pub(super) next: u64,
    /// Bytes of all entries.
    pub(super) used: u64,
    /// The segment to go on with, unless there is none.
    pub(super) last: Option<Last>,
}

/// The end of a log.
#[derive(Debug)]
pub(super) struct Last {
    pub(super) header: Header,
    /// Where the next entry goes.
    pub(super) end: u64,
    /// Where entries stand that were never synced and come after one that is torn: they must not come back.
    pub(super) stale: Vec<u64>,
}

/// Reads all segments.
pub(super) fn recover(folder: &Path, manifest: &Manifest) -> Result<Recovered, StoreError> {
    let mut recovered = Recovered { next: 1, ..Recovered::default() };
    for number in manifest.first..=manifest.last {
        let path = segment::path(folder, number);
        let (header, bytes) = segment::read(folder, manifest.id, number)?;
        if number == manifest.first {
            recovered.next = header.first;
        } else if header.first != recovered.next {
            let before = segment::path(folder, number - 1);
            return Err(unreadable(&before, recovered.next));
        }
        let end = recovered.scan(&path, &header, &bytes)?;
        if number == manifest.last {
            let stale = stale(&path, &bytes, end, header.salt(), recovered.next)?;
            recovered.last = Some(Last { header, end: end as u64, stale });
        }
    }
    if let Some(last) = &recovered.last
        && recovered.next <= manifest.synced
    {
        return Err(unreadable(&segment::path(folder, last.header.number), recovered.next));
    }
    Ok(recovered)
}

impl Recovered {
    /// Takes the entries of a segment in turn; gives the place of the first that is none.
    fn scan(&mut self, path: &Path, header: &Header, bytes: &[u8]) -> Result<usize, StoreError> {
        let mut at = START as usize;
        while let Some(entry) = bytes.get(at..).and_then(|bytes| Entry::decode(bytes, header.salt())) {
            if entry.kind == Kind::Mark || entry.sequence != self.next {
                break;
            }
            if self.replay.take(&entry).is_none() {
                return Err(unreadable(path, entry.sequence));
            }
            self.next += 1;
            self.used += entry.size();
            at += entry.size() as usize;
        }
        Ok(at)
    }
}

/// Looks at what comes after the first entry that cannot be read.
fn stale(path: &Path, bytes: &[u8], end: usize, salt: u64, next: u64) -> Result<Vec<u64>, StoreError> {
    let mut stale = Vec::new();
    for at in (end..bytes.len()).step_by(ALIGNMENT) {
        let Some(entry) = Entry::decode(&bytes[at..], salt) else { continue };
        if entry.synced >= next {
            return Err(unreadable(path, next));
        }
        if entry.kind != Kind::Mark {
            stale.push(at as u64);
        }
    }
    Ok(stale)
}

fn unreadable(path: &Path, sequence: u64) -> StoreError {
    damaged(path, format!("entry {sequence} was durable and cannot be read. {ADVICE}"))
}

/// The records that count, in the order in which they were written.
#[derive(Debug, Default)]
pub(super) struct Replay {
    records: Vec<Option<(Tag, Vec<u8>)>>,
    /// Where those of a tag are.
    places: BTreeMap<Tag, Vec<usize>>,
    /// What is to take the place of the records of a tag, once the last of it is there.
    begun: BTreeMap<Tag, Vec<Vec<u8>>>,
}

impl Replay {
    /// Takes the next entry; none if it makes no sense.
    fn take(&mut self, entry: &Entry<'_>) -> Option<()> {
        let tag = entry.tag;
        match entry.kind {
            Kind::Mark => {}
            Kind::Record => self.add(tag, vec![entry.payload.to_vec()]),
            Kind::Batch => self.add(tag, entry::unpack(entry.payload)?),
            Kind::Checkpoint => self.replace(tag, entry::unpack(entry.payload)?),
            // One before it was not written to its end.
            Kind::First => drop(self.begun.insert(tag, entry::unpack(entry.payload)?)),
            Kind::More => self.begun.get_mut(&tag)?.extend(entry::unpack(entry.payload)?),
            Kind::Last => {
                let mut records = self.begun.remove(&tag)?;
                records.extend(entry::unpack(entry.payload)?);
                self.replace(tag, records);
            }
        }
        Some(())
    }

    fn replace(&mut self, tag: Tag, records: Vec<Vec<u8>>) {
        for place in self.places.entry(tag).or_default().drain(..) {
            self.records[place] = None;
        }
        self.add(tag, records);
    }

    fn add(&mut self, tag: Tag, records: Vec<Vec<u8>>) {
        let first = self.records.len();
        self.places.entry(tag).or_default().extend(first..first + records.len());
        self.records.extend(records.into_iter().map(|record| Some((tag, record))));
    }

    /// What they weigh.
    pub(super) fn ledger(&self) -> Ledger {
        let mut ledger = Ledger::default();
        self.records.iter().flatten().for_each(|(tag, record)| ledger.add(*tag, weight(record)));
        ledger
    }

    /// All that count.
    pub(super) fn into_records(self) -> Vec<(Tag, Vec<u8>)> {
        self.records.into_iter().flatten().collect()
    }
}
