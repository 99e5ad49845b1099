//! The index of a collection, kept up to date with every write.

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashTable;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use super::cells::{Cell, Places, mix};
use super::entry::{Aggregate, Entry, Key, short};
use super::knowledge::{EXTRAS_MAX, Knowledge, WRITERS_MAX, Writes};
use super::tree::{Slots, Tree};
use crate::choice;
use crate::contract::NodeId;
use crate::sync::{DocumentId, Stamp};

/// How many coded cells are kept: enough for some 3,000 differences.
pub(super) const CELLS_KEPT: usize = 4_096;

choice! {
    /// What ranges are cut from.
    #[derive(Default, Deserialize, Serialize)]
    pub enum Order {
        /// By id: UUIDv7 ids start with the time a document was made.
        #[default]
        Id,
        /// By the time of the latest write: recent differences lie together.
        Time,
        /// By hash: evenly spread, as a `merkle` trie likes it.
        Hash,
    }
}

impl Order {
    /// Where an entry stands.
    #[must_use]
    pub fn key(self, entry: &Entry) -> Key {
        let id = u128::from_be_bytes(entry.id.0);
        let prefix = match self {
            Self::Id => (id >> 64) as u64,
            Self::Time => entry.version.time,
            Self::Hash => short(&entry.hash).swap_bytes(),
        };
        Key { prefix, id }
    }
}

/// A slot in the slab, 64 bytes.
#[derive(Clone, Copy, Debug)]
struct Held {
    id: u128,
    hash: [u64; 4],
    time: u64,
    node: NodeId,
    /// More than one node contributed: see [`EntrySet::origins`].
    is_mixed: bool,
}

/// Entries in chunks, so that growth never copies them.
#[derive(Clone, Debug, Default)]
struct Slab {
    chunks: Vec<Vec<Held>>,
    free: Vec<u32>,
    is_xor: bool,
}

const CHUNK_BITS: u32 = 10;

impl Slab {
    fn at(&self, slot: u32) -> &Held {
        &self.chunks[(slot >> CHUNK_BITS) as usize][(slot & ((1 << CHUNK_BITS) - 1)) as usize]
    }

    fn put(&mut self, held: Held) -> u32 {
        if let Some(slot) = self.free.pop() {
            self.chunks[(slot >> CHUNK_BITS) as usize][(slot & ((1 << CHUNK_BITS) - 1)) as usize] = held;
            return slot;
        }
        if self.chunks.last().is_none_or(|chunk| chunk.len() == 1 << CHUNK_BITS) {
            self.chunks.push(Vec::with_capacity(1 << CHUNK_BITS));
        }
        let last = self.chunks.len() - 1;
        self.chunks[last].push(held);
        ((last << CHUNK_BITS) + self.chunks[last].len() - 1) as u32
    }
}

impl Slots for Slab {
    fn id(&self, slot: u32) -> u128 {
        self.at(slot).id
    }

    fn aggregate(&self, slot: u32) -> Aggregate {
        Aggregate { sum: self.at(slot).hash, count: 1, is_xor: self.is_xor }
    }
}

impl Held {
    fn entry(&self) -> Entry {
        let mut hash = [0; 32];
        for (bytes, word) in hash.as_chunks_mut::<8>().0.iter_mut().zip(self.hash) {
            *bytes = word.to_le_bytes();
        }
        let version = Stamp { time: self.time, node: self.node };
        Entry { id: DocumentId(self.id.to_be_bytes()), version, hash }
    }
}

fn scatter(id: u128) -> u64 {
    mix(id as u64 ^ mix((id >> 64) as u64))
}

/// The entries of a collection, at most one per document, indexed for every method of reconciliation.
///
/// About 110 bytes per entry; an insert, a removal and a range's aggregate take time logarithmic in their number.
#[derive(Clone, Debug)]
pub struct EntrySet {
    order: Order,
    slab: Slab,
    tree: Tree,
    total: Aggregate,
    by_id: HashTable<u32>,
    by_short: HashTable<u32>,
    writes: Writes,
    mixed: BTreeMap<u32, Arc<[Stamp]>>,
    cells: Arc<Vec<Cell>>,
    through: BTreeMap<NodeId, u64>,
    floor: BTreeMap<NodeId, u64>,
    revision: u64,
}

impl EntrySet {
    /// An empty set.
    #[must_use]
    pub fn new(order: Order) -> Self {
        Self {
            order,
            slab: Slab::default(),
            tree: Tree::default(),
            total: Aggregate::default(),
            by_id: HashTable::new(),
            by_short: HashTable::new(),
            writes: Writes::default(),
            mixed: BTreeMap::new(),
            cells: Arc::new(vec![Cell::default(); CELLS_KEPT]),
            through: BTreeMap::new(),
            floor: BTreeMap::new(),
            revision: 0,
        }
    }

    /// The flaw of fingerprints by exclusive or, which whoever knows the key can make equal for sets that differ. For
    /// scenarios that show it; the set must be empty.
    #[must_use]
    pub fn with_exclusive_or(mut self) -> Self {
        self.slab.is_xor = true;
        self
    }

    /// What an entry with this hash adds to an aggregate.
    pub(super) fn part(&self, hash: &[u8; 32]) -> Aggregate {
        Aggregate { is_xor: self.slab.is_xor, ..Aggregate::of(hash) }
    }

    /// What the set is ordered by.
    #[must_use]
    pub fn order(&self) -> Order {
        self.order
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// Changes with every change.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Puts in a document's entry and gives back the one it replaces.
    ///
    /// `origins` are the latest write of each node that contributed to the state; none means `entry.version` alone.
    pub fn insert(&mut self, entry: &Entry, origins: &[Stamp]) -> Option<Entry> {
        let before = self.remove(entry.id);
        let hash = self.part(&entry.hash);
        let is_mixed = !matches!(origins, [] | [_]) || origins.iter().any(|&stamp| stamp != entry.version);
        let id = u128::from_be_bytes(entry.id.0);
        let (time, node) = (entry.version.time, entry.version.node);
        let slot = self.slab.put(Held { id, hash: hash.sum, time, node, is_mixed });
        self.tree.insert(&self.slab, self.order.key(entry), slot, &hash);
        self.total.add(&hash);
        let slab = &self.slab;
        self.by_id.insert_unique(scatter(id), slot, |&slot| scatter(slab.at(slot).id));
        self.by_short.insert_unique(hash.sum[0], slot, |&slot| slab.at(slot).hash[0]);
        if is_mixed {
            for &stamp in origins {
                self.writes.insert(stamp, slot);
            }
            self.mixed.insert(slot, origins.into());
        } else {
            self.writes.insert(entry.version, slot);
        }
        self.encode(entry.short(), Cell::add);
        self.revision += 1;
        before
    }

    /// Takes a document's entry out.
    pub fn remove(&mut self, id: DocumentId) -> Option<Entry> {
        let number = u128::from_be_bytes(id.0);
        let slab = &self.slab;
        let found = self.by_id.find_entry(scatter(number), |&slot| slab.at(slot).id == number).ok()?;
        let (slot, _) = found.remove();
        let held = *self.slab.at(slot);
        let entry = held.entry();
        if let Ok(found) = self.by_short.find_entry(held.hash[0], |&other| other == slot) {
            found.remove();
        }
        let hash = self.slab.aggregate(slot);
        self.tree.remove(&self.slab, self.order.key(&entry), &hash);
        self.total.subtract(&hash);
        let origins = if held.is_mixed { self.mixed.remove(&slot) } else { None };
        match origins {
            Some(origins) => origins.iter().for_each(|&stamp| self.writes.remove(stamp, slot)),
            None => self.writes.remove(entry.version, slot),
        }
        self.encode(entry.short(), Cell::subtract);
        self.slab.free.push(slot);
        self.revision += 1;
        Some(entry)
    }

    fn encode(&mut self, short: u64, change: fn(&mut Cell, u64)) {
        // Sessions that are open keep the cells as they were.
        let cells = Arc::make_mut(&mut self.cells);
        for place in Places::of(short) {
            let Some(cell) = usize::try_from(place).ok().and_then(|place| cells.get_mut(place)) else {
                break;
            };
            change(cell, short);
        }
    }

    fn slot(&self, id: DocumentId) -> Option<u32> {
        let number = u128::from_be_bytes(id.0);
        self.by_id.find(scatter(number), |&slot| self.slab.at(slot).id == number).copied()
    }

    /// A document's entry.
    #[must_use]
    pub fn entry(&self, id: DocumentId) -> Option<Entry> {
        self.slot(id).map(|slot| self.slab.at(slot).entry())
    }

    /// The latest write of each node that contributed to a document.
    #[must_use]
    pub fn origins(&self, id: DocumentId) -> Vec<Stamp> {
        let Some(slot) = self.slot(id) else { return Vec::new() };
        match self.mixed.get(&slot) {
            Some(origins) => origins.to_vec(),
            None => vec![self.slab.at(slot).entry().version],
        }
    }

    /// The entry that a short stands for. Of two that share one, which is as good as impossible, any.
    #[must_use]
    pub fn by_short(&self, short: u64) -> Option<Entry> {
        let slot = self.by_short.find(short, |&slot| self.slab.at(slot).hash[0] == short)?;
        Some(self.slab.at(*slot).entry())
    }

    /// The aggregate of all.
    #[must_use]
    pub fn total(&self) -> Aggregate {
        self.total
    }

    /// The aggregate of the entries from `from` on and before `to` (`None`: to the end).
    #[must_use]
    pub fn aggregate(&self, from: Key, to: Option<Key>) -> Aggregate {
        let total = Some(&self.total);
        let mut sum = to.map_or(self.total, |to| self.tree.prefix(&self.slab, to.max(from), total));
        if from > Key::MIN {
            sum.subtract(&self.tree.prefix(&self.slab, from, total));
        }
        sum
    }

    /// How many entries lie before a place.
    #[must_use]
    pub fn rank(&self, at: Key) -> u64 {
        self.tree.rank(&self.slab, at)
    }

    /// The place of the entry with this rank.
    #[must_use]
    pub fn select(&self, rank: u64) -> Option<Key> {
        let (prefix, slot) = self.tree.select(rank)?;
        Some(Key { prefix, id: self.slab.id(slot) })
    }

    /// Hands over the entries from `from` on and before `to`, in order, until `each` says no.
    pub fn range(&self, from: Key, to: Option<Key>, mut each: impl FnMut(Key, Entry) -> bool) {
        self.tree.walk(&self.slab, from, &mut |key, slot| {
            to.is_none_or(|to| key < to) && each(key, self.slab.at(slot).entry())
        });
    }

    /// All entries of a range, in order.
    #[must_use]
    pub fn entries(&self, from: Key, to: Option<Key>) -> Vec<Entry> {
        let mut entries = Vec::new();
        self.range(from, to, |_, entry| {
            entries.push(entry);
            true
        });
        entries
    }

    /// The first cells of the set as they are now.
    pub(super) fn cells(&self) -> Arc<Vec<Cell>> {
        Arc::clone(&self.cells)
    }

    /// Cells beyond the ones kept: a pass over all entries.
    pub(super) fn further_cells(&self, from: u64, to: u64) -> Vec<Cell> {
        let mut cells = vec![Cell::default(); to.saturating_sub(from) as usize];
        self.range(Key::MIN, None, |_, entry| {
            for place in Places::of(entry.short()).take_while(|&place| place < to) {
                if let Some(cell) = place.checked_sub(from).and_then(|place| cells.get_mut(place as usize)) {
                    cell.add(entry.short());
                }
            }
            true
        });
        cells
    }

    /// This replica has every write of `node` up to `time`: true of its own writes, and of a peer's knowledge once
    /// everything that a session found was taken in.
    pub fn learn(&mut self, node: NodeId, time: u64) {
        let through = self.through.entry(node).or_default();
        *through = (*through).max(time);
    }

    /// Takes over what a peer knew, after everything it gave was taken in.
    pub fn learn_all(&mut self, peer: &Knowledge) {
        for (&node, &time) in &peer.through {
            self.learn(node, time);
        }
    }

    /// Entries of `node` written up to `time` may have been dropped for good: `delta` is refused to whoever knows less.
    pub fn truncate(&mut self, node: NodeId, time: u64) {
        let floor = self.floor.entry(node).or_default();
        *floor = (*floor).max(time);
    }

    /// Up to when every write of each writer is here, or was and went.
    pub fn through(&self) -> impl Iterator<Item = (NodeId, u64)> + '_ {
        self.through.iter().map(|(&node, &time)| (node, time))
    }

    /// Whether any of the writes that the entries come from is this node's.
    #[must_use]
    pub fn has_writes_of(&self, node: NodeId) -> bool {
        self.writes.has(node)
    }

    /// What this replica has of each writer; nothing if it learnt nothing yet, or if there are too many writers, or too much
    /// out of order, for a message.
    #[must_use]
    pub fn knowledge(&self) -> Option<Knowledge> {
        if self.through.is_empty() || self.through.len() > WRITERS_MAX {
            return None;
        }
        let mut knowledge = Knowledge { through: self.through.clone(), extras: Default::default() };
        for node in self.writes.writers() {
            let through = self.through.get(&node).copied().unwrap_or(0);
            for (time, _) in self.writes.after(node, through) {
                knowledge.extras.insert((node, time));
                if knowledge.extras.len() > EXTRAS_MAX {
                    return None;
                }
            }
        }
        Some(knowledge)
    }

    /// The documents with writes that a peer does not know; nothing if it knows less than what is kept.
    #[must_use]
    pub fn unknown_to(&self, peer: &Knowledge) -> Option<Vec<DocumentId>> {
        let known = |node| peer.through.get(&node).copied().unwrap_or(0);
        if self.floor.iter().any(|(&node, &floor)| known(node) < floor) {
            return None;
        }
        let mut slots = Vec::new();
        for node in self.writes.writers() {
            for (time, slot) in self.writes.after(node, known(node)) {
                if !peer.extras.contains(&(node, time)) {
                    slots.push(slot);
                }
            }
        }
        slots.sort_unstable();
        slots.dedup();
        Some(slots.into_iter().map(|slot| DocumentId(self.slab.id(slot).to_be_bytes())).collect())
    }
}

impl Serialize for EntrySet {
    /// The entries in order and what is known: the same for the same content, however it came about.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut entries = Vec::with_capacity(self.len());
        self.range(Key::MIN, None, |_, entry| {
            entries.push((entry, self.origins(entry.id)));
            true
        });
        let mut state = serializer.serialize_struct("EntrySet", 4)?;
        state.serialize_field("order", &self.order)?;
        state.serialize_field("entries", &entries)?;
        state.serialize_field("through", &self.through)?;
        state.serialize_field("floor", &self.floor)?;
        state.end()
    }
}
