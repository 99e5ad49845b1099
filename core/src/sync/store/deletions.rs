//! Deletions that a store tells of when their tombstones have gone.
//!
//! A reader of the feed of changes who was away when a tombstone went would keep the document for ever. So the latest
//! deletions are remembered, in few bytes each, and of the rest how far back they reach: whoever left before has to read all
//! of it anew.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::shelf::Entry;
use crate::sync::{DocumentId, Stamp};

/// What is left of a deletion.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Deletion {
    /// The document's name.
    pub id: DocumentId,
    /// The tombstone's latest write.
    pub stamp: Stamp,
    /// The hash of the tombstone.
    pub hash: [u8; 32],
}

/// Deletions whose tombstones went, of one collection.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Deletions {
    kept: BTreeMap<u64, Deletion>,
    arrivals: BTreeMap<DocumentId, u64>,
    since: u64,
}

impl Deletions {
    /// From which of the store's changes on all deletions are known.
    pub(super) const fn since(&self) -> u64 {
        self.since
    }

    /// Those that arrived later, in order.
    pub(super) fn after(&self, arrival: u64) -> impl Iterator<Item = (u64, &Deletion)> {
        self.kept.range(arrival.saturating_add(1)..).map(|(arrival, deletion)| (*arrival, deletion))
    }

    /// Remembers a tombstone that goes, and forgets the oldest if there are more than `most`.
    pub(super) fn note(&mut self, id: DocumentId, tombstone: &Entry, most: u32) {
        let Entry { state, arrival } = tombstone;
        self.insert(*arrival, Deletion { id, stamp: state.version(), hash: state.hash() });
        while self.kept.len() > most as usize {
            let Some((arrival, oldest)) = self.kept.pop_first() else { return };
            self.arrivals.remove(&oldest.id);
            self.since = self.since.max(arrival);
        }
    }

    /// Takes in what an earlier life knew.
    pub(super) fn resume(&mut self, since: u64, kept: &[(u64, Deletion)]) {
        self.since = self.since.max(since);
        kept.iter().for_each(|(arrival, deletion)| self.insert(*arrival, *deletion));
    }

    /// The document is here again.
    pub(super) fn take_back(&mut self, id: DocumentId) {
        if let Some(arrival) = self.arrivals.remove(&id) {
            self.kept.remove(&arrival);
        }
    }

    fn insert(&mut self, arrival: u64, deletion: Deletion) {
        self.take_back(deletion.id);
        self.arrivals.insert(deletion.id, arrival);
        self.kept.insert(arrival, deletion);
    }
}
