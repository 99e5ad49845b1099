//! The documents of one collection in their orders, each kept with every write.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::deletions::Deletions;
use crate::contract::NodeId;
use crate::sync::{DocumentId, DocumentState, Stamp, VersionVector};

/// A document, and which of this store's changes was its latest.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Entry {
    pub(super) state: DocumentState,
    pub(super) arrival: u64,
}

/// Documents and tombstones by name, by arrival, by the writes they hold, and the tombstones by time.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Shelf {
    documents: BTreeMap<DocumentId, Entry>,
    arrivals: BTreeMap<u64, DocumentId>,
    /// Per writer, its latest write in each document.
    written: BTreeMap<NodeId, BTreeSet<(u64, DocumentId)>>,
    tombstones: BTreeSet<(Stamp, DocumentId)>,
    /// What is left of tombstones that went.
    deletions: Deletions,
}

impl Shelf {
    pub(super) fn get(&self, id: DocumentId) -> Option<&Entry> {
        self.documents.get(&id)
    }

    /// Documents and tombstones.
    pub(super) fn len(&self) -> usize {
        self.documents.len()
    }

    pub(super) const fn deletions(&self) -> &Deletions {
        &self.deletions
    }

    pub(super) fn deletions_mut(&mut self) -> &mut Deletions {
        &mut self.deletions
    }

    pub(super) fn tombstones(&self) -> &BTreeSet<(Stamp, DocumentId)> {
        &self.tombstones
    }

    /// Puts a state in the place of the one that was there.
    pub(super) fn put(&mut self, id: DocumentId, state: DocumentState, arrival: u64) {
        let seen = state.seen();
        let is_dead = !state.is_alive();
        match self.documents.insert(id, Entry { state, arrival }) {
            Some(old) => {
                let old_seen = old.state.seen();
                self.arrivals.remove(&old.arrival);
                self.tombstones.remove(&(old_seen.latest(), id));
                for stamp in old_seen.iter().filter(|stamp| seen.time(stamp.node) != stamp.time) {
                    self.forget_write(stamp, id);
                }
                self.note_writes(seen.iter().filter(|stamp| old_seen.time(stamp.node) != stamp.time), id);
            }
            None => {
                self.deletions.take_back(id);
                self.note_writes(seen.iter(), id);
            }
        }
        self.arrivals.insert(arrival, id);
        if is_dead {
            self.tombstones.insert((seen.latest(), id));
        }
    }

    /// Takes a tombstone out for good; the feed goes on to tell of at most so many. Whether there was one.
    pub(super) fn collect(&mut self, id: DocumentId, deletions_max: u32) -> bool {
        if self.documents.get(&id).is_none_or(|entry| entry.state.is_alive()) {
            return false;
        }
        let Some(entry) = self.documents.remove(&id) else { return false };
        let seen = entry.state.seen();
        self.arrivals.remove(&entry.arrival);
        self.tombstones.remove(&(seen.latest(), id));
        seen.iter().for_each(|stamp| self.forget_write(stamp, id));
        self.deletions.note(id, &entry, deletions_max);
        true
    }

    fn note_writes(&mut self, stamps: impl Iterator<Item = Stamp>, id: DocumentId) {
        for stamp in stamps {
            self.written.entry(stamp.node).or_default().insert((stamp.time, id));
        }
    }

    fn forget_write(&mut self, stamp: Stamp, id: DocumentId) {
        if let Some(written) = self.written.get_mut(&stamp.node) {
            written.remove(&(stamp.time, id));
            if written.is_empty() {
                self.written.remove(&stamp.node);
            }
        }
    }

    /// In the order of names, strictly beyond `after`.
    pub(super) fn by_id(
        &self,
        after: Option<DocumentId>,
        descending: bool,
    ) -> Box<dyn Iterator<Item = (DocumentId, &Entry)> + '_> {
        let beyond = after.map_or(Bound::Unbounded, Bound::Excluded);
        if descending {
            let range = self.documents.range((Bound::Unbounded, beyond));
            Box::new(range.rev().map(|(id, entry)| (*id, entry)))
        } else {
            Box::new(self.documents.range((beyond, Bound::Unbounded)).map(|(id, entry)| (*id, entry)))
        }
    }

    /// In the order of arrival, later than `arrival`.
    pub(super) fn arrived_after(&self, arrival: u64) -> impl Iterator<Item = (DocumentId, &Entry)> {
        let later = self.arrivals.range((Bound::Excluded(arrival), Bound::Unbounded));
        later.filter_map(|(_, id)| self.documents.get(id).map(|entry| (*id, entry)))
    }

    /// One writer's writes later than `time`, oldest first: of each document, the latest that it holds.
    pub(super) fn written_since(
        &self,
        origin: NodeId,
        time: u64,
    ) -> impl Iterator<Item = (Stamp, DocumentId)> {
        let written = self.written.get(&origin).into_iter();
        let from = Bound::Excluded((time, DocumentId([0xFF; 16])));
        let later = written.flat_map(move |written| written.range((from, Bound::Unbounded)));
        later.map(move |&(time, id)| (Stamp { time, node: origin }, id))
    }

    /// The latest write of each writer.
    pub(super) fn seen(&self) -> VersionVector {
        let last = |(node, written): (&NodeId, &BTreeSet<(u64, DocumentId)>)| {
            written.last().map(|&(time, _)| Stamp { time, node: *node })
        };
        self.written.iter().filter_map(last).collect()
    }

    /// In the order of their versions, strictly beyond `after`: the writers' lists in one, each document at its latest write.
    pub(super) fn by_version(
        &self,
        after: Option<(Stamp, DocumentId)>,
        descending: bool,
    ) -> impl Iterator<Item = (Stamp, DocumentId, &Entry)> {
        let mut lists: Vec<_> = self
            .written
            .iter()
            .map(|(node, written)| {
                Written { node: *node, list: list(written, *node, after, descending) }.peekable()
            })
            .collect();
        let merged = std::iter::from_fn(move || {
            let heads =
                lists.iter_mut().enumerate().filter_map(|(nth, list)| list.peek().map(|head| (*head, nth)));
            let (_, nth) = if descending { heads.max() } else { heads.min() }?;
            lists[nth].next()
        });
        merged.filter_map(|(stamp, id)| {
            let entry = self.documents.get(&id)?;
            (entry.state.version() == stamp).then_some((stamp, id, entry))
        })
    }
}

type List<'a> = Box<dyn Iterator<Item = &'a (u64, DocumentId)> + 'a>;

/// One writer's list beyond a point in the order of (time, writer, name).
fn list(
    written: &BTreeSet<(u64, DocumentId)>,
    node: NodeId,
    after: Option<(Stamp, DocumentId)>,
    descending: bool,
) -> List<'_> {
    const FIRST: DocumentId = DocumentId([0; 16]);
    let next = |stamp: Stamp| (stamp.time.saturating_add(1), FIRST);
    let point = after.map(|(stamp, id)| (node.cmp(&stamp.node), stamp, id));
    if descending {
        let to = match point {
            None => Bound::Unbounded,
            Some((std::cmp::Ordering::Less, stamp, _)) => Bound::Excluded(next(stamp)),
            Some((std::cmp::Ordering::Equal, stamp, id)) => Bound::Excluded((stamp.time, id)),
            Some((std::cmp::Ordering::Greater, stamp, _)) => Bound::Excluded((stamp.time, FIRST)),
        };
        Box::new(written.range((Bound::Unbounded, to)).rev())
    } else {
        let from = match point {
            None => Bound::Unbounded,
            Some((std::cmp::Ordering::Less, stamp, _)) => Bound::Included(next(stamp)),
            Some((std::cmp::Ordering::Equal, stamp, id)) => Bound::Excluded((stamp.time, id)),
            Some((std::cmp::Ordering::Greater, stamp, _)) => Bound::Included((stamp.time, FIRST)),
        };
        Box::new(written.range((from, Bound::Unbounded)))
    }
}

struct Written<'a> {
    node: NodeId,
    list: List<'a>,
}

impl Iterator for Written<'_> {
    type Item = (Stamp, DocumentId);

    fn next(&mut self) -> Option<Self::Item> {
        self.list.next().map(|&(time, id)| (Stamp { time, node: self.node }, id))
    }
}
