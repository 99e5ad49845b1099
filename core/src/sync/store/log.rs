//! What a store tells its replica to log and to send, and how it comes back from a log.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::deletions::Deletion;
use super::shelf::Shelf;
use super::{Shelved, Store};
use crate::contract::{NodeId, Time};
use crate::sync::collection::{CollectionState, Name};
use crate::sync::{DocumentId, DocumentState, Limits, Refusal, Stamp};

/// What replicas tell each other: the state of one thing, to be joined.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Change {
    /// A collection, without its documents.
    Collection {
        /// Its name.
        name: Name,
        /// What it is now.
        state: CollectionState,
    },
    /// A document or tombstone.
    Document {
        /// Its collection's name.
        collection: Name,
        /// Its collection's epoch.
        epoch: Stamp,
        /// Its name.
        id: DocumentId,
        /// What it is now.
        state: DocumentState,
    },
}

impl Change {
    /// The latest stamp in it.
    #[must_use]
    pub fn version(&self) -> Stamp {
        match self {
            Self::Collection { state, .. } => state.version(),
            Self::Document { state, .. } => state.version(),
        }
    }
}

/// What makes a store durable: the records of all that changed it, in order, bring it back; so does its snapshot and the
/// records after it.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Record {
    /// What is behind all that a snapshot holds: the clock, and the number of changes taken in.
    Horizon {
        /// The greatest stamp given or seen.
        clock: Stamp,
        /// Changes taken in.
        arrivals: u64,
    },
    /// Something changed.
    Changed {
        /// Which of this store's changes it is, counted from 1.
        arrival: u64,
        /// What it is now.
        change: Change,
    },
    /// Tombstones were taken out for good.
    Collected {
        /// Their collection's name.
        collection: Name,
        /// Their collection's epoch.
        epoch: Stamp,
        /// Their names.
        ids: Vec<DocumentId>,
    },
    /// What a snapshot holds of deletions whose tombstones were taken out.
    Deleted {
        /// Their collection's name.
        collection: Name,
        /// Their collection's epoch.
        epoch: Stamp,
        /// From which of this store's changes on they are all here.
        since: u64,
        /// Which of this store's changes each was.
        deletions: Vec<(u64, Deletion)>,
    },
    /// An empty store began.
    Began {
        /// What tells it from others of the same replica.
        incarnation: u32,
    },
}

impl Store {
    /// Takes in what another replica told. The record to log, or `None` if nothing changed.
    ///
    /// # Errors
    /// If its clock is too far ahead, or what came of it would be beyond a limit for what is merged; or it is a document of a
    /// collection that is not known yet in this epoch: then the collection's state must come first.
    pub fn apply(&mut self, change: &Change, wall: Time) -> Result<Option<Record>, Refusal> {
        let mut clock = self.clock;
        clock.see(change.version(), wall, self.limits.clock_ahead_ms)?;
        let taken = match change {
            Change::Collection { name, state } => {
                let collections_max = self.limits.merged_collections;
                if !self.collections.contains_key(name) && self.collections.len() >= collections_max as usize
                {
                    return Err(Refusal::TooManyCollections(collections_max));
                }
                let mut joined =
                    self.collections.get(name).map(|shelved| shelved.state.clone()).unwrap_or_default();
                // A view that says nothing is no collection.
                joined.join(state).then(|| Change::Collection { name: name.clone(), state: joined })
            }
            Change::Document { collection, epoch, id, state } => {
                let shelved =
                    self.collections.get(collection).filter(|shelved| shelved.state.epoch >= *epoch);
                let shelved = shelved.ok_or(Refusal::NoSuchCollection)?;
                if shelved.state.epoch > *epoch {
                    return Ok(None);
                }
                let joined = match shelved.shelf.get(*id) {
                    None => Some(state.clone()),
                    Some(entry) => {
                        let mut joined = entry.state.clone();
                        joined.join(state).then_some(joined)
                    }
                };
                if let Some(joined) = &joined {
                    joined.check_merged(&self.limits)?;
                }
                joined.map(|state| Change::Document {
                    collection: collection.clone(),
                    epoch: *epoch,
                    id: *id,
                    state,
                })
            }
        };
        let Some(taken) = taken else { return Ok(None) };
        if !self.has_own_clock {
            self.clock = clock;
        }
        Ok(Some(self.take(taken)))
    }

    /// Puts a change in place that was decided on, and numbers it.
    pub(super) fn take(&mut self, change: Change) -> Record {
        self.arrivals += 1;
        self.set(&change, self.arrivals);
        Record::Changed { arrival: self.arrivals, change }
    }

    fn set(&mut self, change: &Change, arrival: u64) {
        match change {
            Change::Collection { name, state } => {
                let shelved = self.collections.entry(name.clone()).or_default();
                // What belongs to an earlier epoch is gone; the deleted keep nothing.
                if shelved.state.epoch != state.epoch {
                    shelved.shelf = Shelf::default();
                }
                *shelved =
                    Shelved { state: state.clone(), arrival, shelf: std::mem::take(&mut shelved.shelf) };
            }
            Change::Document { collection, epoch, id, state } => {
                if let Some(shelved) = self.shelved_in(collection, *epoch) {
                    shelved.shelf.put(*id, state.clone(), arrival);
                }
            }
        }
    }

    /// All that the store is, collection by collection, each document in its order of arrival: a checkpoint.
    pub fn snapshot(&self) -> impl Iterator<Item = Record> + '_ {
        let horizon = Record::Horizon { clock: self.clock.latest(self.node), arrivals: self.arrivals };
        let collections = self.collections.iter().flat_map(|(name, shelved)| {
            let Shelved { state, arrival, shelf } = shelved;
            let epoch = state.epoch;
            let head = Record::Changed {
                arrival: *arrival,
                change: Change::Collection { name: name.clone(), state: state.clone() },
            };
            let documents = shelf.arrived_after(0).map(move |(id, entry)| Record::Changed {
                arrival: entry.arrival,
                change: Change::Document { collection: name.clone(), epoch, id, state: entry.state.clone() },
            });
            let since = shelf.deletions().since();
            let deletions: Vec<_> =
                shelf.deletions().after(0).map(|(arrival, deletion)| (arrival, *deletion)).collect();
            let is_any = since > 0 || !deletions.is_empty();
            let deleted =
                is_any.then(|| Record::Deleted { collection: name.clone(), epoch, since, deletions });
            std::iter::once(head).chain(documents).chain(deleted)
        });
        let began = (self.incarnation != 0).then_some(Record::Began { incarnation: self.incarnation });
        began.into_iter().chain([horizon]).chain(collections)
    }

    /// Lives a record of an earlier life again. Records must come in the order in which they were made.
    pub fn restore(&mut self, record: &Record) {
        match record {
            Record::Horizon { clock, arrivals } => {
                self.clock.resume(*clock);
                self.arrivals = self.arrivals.max(*arrivals);
            }
            Record::Changed { arrival, change } => {
                self.set(change, *arrival);
                self.arrivals = self.arrivals.max(*arrival);
                let version = change.version();
                if !self.has_own_clock || version.node == self.node {
                    self.clock.resume(version);
                }
            }
            Record::Collected { collection, epoch, ids } => {
                let most = self.limits.deletions;
                if let Some(shelved) = self.shelved_in(collection, *epoch) {
                    ids.iter().for_each(|id| {
                        shelved.shelf.collect(*id, most);
                    });
                }
            }
            Record::Deleted { collection, epoch, since, deletions } => {
                if let Some(shelved) = self.shelved_in(collection, *epoch) {
                    shelved.shelf.deletions_mut().resume(*since, deletions);
                }
            }
            Record::Began { incarnation } => self.incarnation = *incarnation,
        }
    }

    /// A collection, if this is its life.
    fn shelved_in(&mut self, collection: &Name, epoch: Stamp) -> Option<&mut Shelved> {
        self.collections.get_mut(collection).filter(|shelved| shelved.state.epoch == epoch)
    }

    /// Names this store, which must be empty but for what every store of its replica has: tokens of another one are none of its
    /// own. The record to log.
    pub fn begin(&mut self, incarnation: u32) -> Record {
        self.incarnation = incarnation;
        Record::Began { incarnation }
    }

    /// Takes tombstones out for good, those of `ids` that are tombstones. The record to log, or `None` if there are none.
    ///
    /// The feed of changes tells of the latest of them, but nothing here holds against them: a state from a replica that has
    /// not seen the deletion brings the document back. When it is safe is the replica's to know.
    ///
    /// # Errors
    /// If there is no such collection.
    pub fn collect(&mut self, name: &str, ids: &[DocumentId]) -> Result<Option<Record>, Refusal> {
        let most = self.limits.deletions;
        let (name, shelved) = self.shelved_mut(name)?;
        let ids: Vec<_> = ids.iter().copied().filter(|id| shelved.shelf.collect(*id, most)).collect();
        let record = Record::Collected { collection: name, epoch: shelved.state.epoch, ids };
        Ok((!matches!(&record, Record::Collected { ids, .. } if ids.is_empty())).then_some(record))
    }
}

/// A store as data: what cannot be computed from the rest.
#[derive(Deserialize, Serialize)]
struct Image {
    node: NodeId,
    limits: Limits,
    has_own_clock: bool,
    records: Vec<Record>,
}

impl Serialize for Store {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { node, limits, has_own_clock, .. } = *self;
        Image { node, limits, has_own_clock, records: self.snapshot().collect() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Store {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Image { node, limits, has_own_clock, records } = Image::deserialize(deserializer)?;
        let mut store = Self { has_own_clock, ..Self::new(node, limits) };
        records.iter().for_each(|record| store.restore(record));
        Ok(store)
    }
}
