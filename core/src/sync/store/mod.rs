//! Collections of documents as one value, with every index that their readers need. No I/O: whoever owns a store logs and
//! sends the records that its mutations return.

mod deletions;
mod log;
mod query;
mod shelf;
#[cfg(test)]
mod tests;
mod token;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::deletions::Deletion;
pub use self::log::{Change, Record};
pub use self::query::{Feed, Filter, Happened, Order, Page, Query, Test};
use self::shelf::Shelf;
use super::collection::{CollectionState, ID_FIELD, Name};
use super::document::{DocumentState, Writing};
use super::text::{members, string};
use super::{Clock, DocumentId, FieldKind, Limits, Pointer, Refusal, Schema, Stamp, VersionVector};
use crate::contract::{Json, NodeId, Time};

/// One replica's collections.
#[derive(Clone, Debug, PartialEq)]
pub struct Store {
    node: NodeId,
    limits: Limits,
    clock: Clock,
    has_own_clock: bool,
    /// What tells this store from one that its replica had before it lost its disk; 0 if it has no name yet.
    incarnation: u32,
    /// Changes taken in so far.
    arrivals: u64,
    collections: BTreeMap<Name, Shelved>,
}

/// A collection and its documents.
#[derive(Clone, Debug, Default, PartialEq)]
struct Shelved {
    state: CollectionState,
    arrival: u64,
    shelf: Shelf,
}

/// What a write did.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Written {
    /// The document's name.
    pub id: DocumentId,
    /// The stamp of the write.
    pub stamp: Stamp,
    /// Whether the document is there now and was not before.
    pub is_new: bool,
    /// What to log, and to send.
    pub record: Record,
}

/// A document that was read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Found {
    /// Its name.
    pub id: DocumentId,
    /// All that is known of it.
    pub state: DocumentState,
}

impl Found {
    /// The document with its `_id`.
    #[must_use]
    pub fn body(&self) -> Json {
        // Whoever finds a document finds it alive.
        self.state.body(self.id).unwrap_or_else(|| Json::canonical("{}".to_owned()))
    }
}

/// What a client was told when its write was acknowledged. In the end every replica must hold it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Receipt {
    /// The collection's name.
    pub collection: Name,
    /// The collection's epoch.
    pub collection_epoch: Stamp,
    /// The document's name.
    pub id: DocumentId,
    /// The document's epoch, after a deletion that of the deletion.
    pub epoch: Stamp,
    /// The write's stamp.
    pub stamp: Stamp,
    /// The paths written; none for a deletion.
    pub paths: Vec<Pointer>,
}

impl Written {
    /// What a client may later ask after.
    #[must_use]
    pub fn receipt(&self) -> Option<Receipt> {
        let Record::Changed { change: Change::Document { collection, epoch, id, state }, .. } = &self.record
        else {
            return None;
        };
        Some(Receipt {
            collection: collection.clone(),
            collection_epoch: *epoch,
            id: *id,
            epoch: state.epoch(),
            stamp: self.stamp,
            paths: state.written_at(self.stamp),
        })
    }
}

impl Store {
    /// An empty store of the replica `node`.
    #[must_use]
    pub fn new(node: NodeId, limits: Limits) -> Self {
        let (clock, collections) = Default::default();
        Self { node, limits, clock, has_own_clock: false, incarnation: 0, arrivals: 0, collections }
    }

    /// The flaw of stores that stamp writes by their own clock alone: a write may be older than what its writer has read, and
    /// is lost. For scenarios that show it.
    #[must_use]
    pub fn with_own_clock(mut self) -> Self {
        self.has_own_clock = true;
        self
    }

    /// An empty store of the same replica.
    #[must_use]
    pub fn emptied(&self) -> Self {
        let (has_own_clock, incarnation) = (self.has_own_clock, self.incarnation);
        Self { has_own_clock, incarnation, ..Self::new(self.node, self.limits) }
    }

    /// What tells this store from one that its replica had before it lost its disk; 0 if it has not begun.
    #[must_use]
    pub const fn incarnation(&self) -> u32 {
        self.incarnation
    }

    /// The latest time of a stamp that is not refused for being too far ahead.
    #[must_use]
    pub const fn latest_allowed(&self, wall: Time) -> u64 {
        Clock::latest_allowed(wall, self.limits.clock_ahead_ms)
    }

    /// The greatest stamp given or seen so far.
    #[must_use]
    pub const fn clock(&self) -> Stamp {
        self.clock.latest(self.node)
    }

    /// The bounds of this store.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Creates a collection.
    ///
    /// # Errors
    /// If it exists, or there are too many.
    pub fn create_collection(&mut self, name: &Name, schema: Schema, wall: Time) -> Result<Record, Refusal> {
        let epoch = match self.collections.get(name) {
            Some(Shelved { state: CollectionState { created: Some(_), .. }, .. }) => {
                return Err(Refusal::CollectionExists);
            }
            Some(shelved) => shelved.state.epoch,
            None if self.collections.len() >= self.limits.collections as usize => {
                return Err(Refusal::TooManyCollections(self.limits.collections));
            }
            None => Stamp::ZERO,
        };
        let created = Some((self.clock.tick(wall, self.node), schema));
        Ok(self.take(Change::Collection { name: name.clone(), state: CollectionState { epoch, created } }))
    }

    /// Deletes a collection with all its documents.
    ///
    /// # Errors
    /// If there is none.
    pub fn delete_collection(&mut self, name: &str, wall: Time) -> Result<Record, Refusal> {
        let (name, _) = self.shelved_mut(name)?;
        let state = CollectionState { epoch: self.clock.tick(wall, self.node), created: None };
        Ok(self.take(Change::Collection { name, state }))
    }

    /// The collections that exist, by name.
    pub fn collections(&self) -> impl Iterator<Item = (&Name, &Schema)> {
        self.collections.iter().filter_map(|(name, shelved)| {
            let (_, schema) = shelved.state.created.as_ref()?;
            Some((name, schema))
        })
    }

    /// Whether fields of a collection may keep several values that were written concurrently.
    #[must_use]
    pub fn keeps_siblings(&self, name: &str) -> bool {
        let created = self.collections.get(name).and_then(|shelved| shelved.state.created.as_ref());
        created.is_some_and(|(_, schema)| schema.fields().any(|(_, kind)| kind == FieldKind::MultiValue))
    }

    /// All that is known of collections, the deleted ones, too: what replicas tell each other before documents.
    pub fn collection_states(&self) -> impl Iterator<Item = (&Name, &CollectionState)> {
        self.collections.iter().map(|(name, shelved)| (name, &shelved.state))
    }

    /// Adds a document, under the name in its `_id` or else the name `fresh`.
    ///
    /// # Errors
    /// If there is no such collection, the document exists, is beyond a limit or does not fit the schema.
    pub fn add(
        &mut self,
        name: &str,
        fresh: DocumentId,
        body: &Json,
        wall: Time,
    ) -> Result<Written, Refusal> {
        let own = members(body.as_str()).find(|(name, _)| name == ID_FIELD);
        let id = match own {
            None => fresh,
            Some((_, text)) => string(text).and_then(|text| text.parse().ok()).ok_or(Refusal::BadId)?,
        };
        self.write(name, id, wall, |old, writing| match old {
            Some(state) if state.is_alive() => Err(Refusal::DocumentExists),
            old => DocumentState::put(old, body, writing),
        })
    }

    /// Puts a whole document in the place of the one of this name, if there is one. `expected` is the hash of the state that
    /// the writer has read.
    ///
    /// # Errors
    /// If there is no such collection, the document is not as expected, is beyond a limit or does not fit the schema.
    pub fn put(
        &mut self,
        name: &str,
        id: DocumentId,
        body: &Json,
        expected: Option<&[u8; 32]>,
        wall: Time,
    ) -> Result<Written, Refusal> {
        self.write(name, id, wall, |old, writing| {
            check(old, expected)?;
            DocumentState::put(old, body, writing)
        })
    }

    /// Applies a merge patch (RFC 7396) to a document. `expected` is the hash of the state that the writer has read.
    ///
    /// # Errors
    /// If there is no such collection or document, it is not as expected, is led beyond a limit or does not fit the schema.
    pub fn update(
        &mut self,
        name: &str,
        id: DocumentId,
        patch: &Json,
        expected: Option<&[u8; 32]>,
        wall: Time,
    ) -> Result<Written, Refusal> {
        self.write(name, id, wall, |old, writing| {
            let old = old.ok_or(Refusal::NoSuchDocument)?;
            check(Some(old), expected)?;
            old.patch(patch, writing)
        })
    }

    /// Deletes a document. `expected` is the hash of the state that the writer has read.
    ///
    /// # Errors
    /// If there is no such collection or document, or it is not as expected.
    pub fn delete(
        &mut self,
        name: &str,
        id: DocumentId,
        expected: Option<&[u8; 32]>,
        wall: Time,
    ) -> Result<Written, Refusal> {
        self.write(name, id, wall, |old, writing| {
            let old = old.ok_or(Refusal::NoSuchDocument)?;
            check(Some(old), expected)?;
            old.delete(writing)
        })
    }

    /// Deletes every document that equals `body`; the name counts only if `body` has an `_id`. It looks at all documents.
    ///
    /// # Errors
    /// If there is no such collection, or `body` is no object.
    pub fn delete_matching(&mut self, name: &str, body: &Json, wall: Time) -> Result<Vec<Written>, Refusal> {
        let (_, shelf) = self.shelf(name)?;
        if !body.as_str().starts_with('{') {
            return Err(Refusal::NotAnObject);
        }
        let is_wanted = |id: DocumentId, state: &DocumentState| {
            let Some(found) = state.body(id) else { return false };
            let names_itself = members(body.as_str()).any(|(name, _)| name == ID_FIELD);
            let found = members(found.as_str()).filter(|(name, _)| names_itself || name != ID_FIELD);
            found.eq(members(body.as_str()))
        };
        let ids: Vec<_> = shelf
            .by_id(None, false)
            .filter(|(id, entry)| is_wanted(*id, &entry.state))
            .map(|(id, _)| id)
            .collect();
        ids.into_iter().map(|id| self.delete(name, id, None, wall)).collect()
    }

    /// One document.
    ///
    /// # Errors
    /// If there is no such collection or document.
    pub fn get(&self, name: &str, id: DocumentId) -> Result<Found, Refusal> {
        let (_, shelf) = self.shelf(name)?;
        let entry = shelf.get(id).filter(|entry| entry.state.is_alive()).ok_or(Refusal::NoSuchDocument)?;
        Ok(Found { id, state: entry.state.clone() })
    }

    /// A document or tombstone.
    #[must_use]
    pub fn state(&self, name: &str, id: DocumentId) -> Option<&DocumentState> {
        Some(&self.collections.get(name)?.shelf.get(id)?.state)
    }

    /// How many changes were taken in so far.
    #[must_use]
    pub const fn arrivals(&self) -> u64 {
        self.arrivals
    }

    /// Which of this store's changes was the latest of a document or tombstone.
    #[must_use]
    pub fn arrival(&self, name: &str, id: DocumentId) -> Option<u64> {
        Some(self.collections.get(name)?.shelf.get(id)?.arrival)
    }

    /// The document or tombstone after another one, or the first.
    #[must_use]
    pub fn next_entry(&self, name: &str, after: Option<DocumentId>) -> Option<DocumentId> {
        self.collections.get(name)?.shelf.by_id(after, false).next().map(|(id, _)| id)
    }

    /// All documents and tombstones of a collection, by name: what reconcilers compare.
    pub fn entries(&self, name: &str) -> impl Iterator<Item = (DocumentId, &DocumentState)> {
        let shelved = self.collections.get(name).into_iter();
        shelved.flat_map(|shelved| shelved.shelf.by_id(None, false)).map(|(id, entry)| (id, &entry.state))
    }

    /// How many documents and tombstones, and how many of these are tombstones.
    #[must_use]
    pub fn count(&self, name: &str) -> (usize, usize) {
        self.collections
            .get(name)
            .map_or((0, 0), |shelved| (shelved.shelf.len(), shelved.shelf.tombstones().len()))
    }

    /// Tombstones of a collection, oldest first, with their versions.
    pub fn tombstones(&self, name: &str) -> impl Iterator<Item = (Stamp, DocumentId)> + '_ {
        let shelved = self.collections.get(name).into_iter();
        shelved.flat_map(|shelved| shelved.shelf.tombstones().iter().copied())
    }

    /// The latest write of each writer that documents of a collection hold. That earlier ones are there, too, only a replica
    /// knows that takes them in without gaps.
    #[must_use]
    pub fn seen(&self, name: &str) -> VersionVector {
        self.collections.get(name).map(|shelved| shelved.shelf.seen()).unwrap_or_default()
    }

    /// One writer's writes later than `time`, oldest first: of each document, the latest that it has taken in. Whoever has
    /// taken in all later writes of all writers, with their documents' states, has what this store has.
    pub fn written_since(
        &self,
        name: &str,
        writer: NodeId,
        time: u64,
    ) -> impl Iterator<Item = (Stamp, DocumentId)> + '_ {
        let shelved = self.collections.get(name).into_iter();
        shelved.flat_map(move |shelved| shelved.shelf.written_since(writer, time))
    }

    /// Whether an acknowledged write is here, or a later one that superseded it: the version of every path is at least that of
    /// the write. `None` if the document is not here at all, as after its tombstone was collected.
    #[must_use]
    pub fn holds(&self, receipt: &Receipt) -> Option<bool> {
        let shelved = self.collections.get(&receipt.collection)?;
        if shelved.state.epoch != receipt.collection_epoch {
            return Some(shelved.state.epoch > receipt.collection_epoch);
        }
        let state = &shelved.shelf.get(receipt.id)?.state;
        let (_, schema) = shelved.state.created.as_ref()?;
        let is_later = state.epoch() > receipt.epoch || state.put_at() >= receipt.stamp;
        let seen = is_later || state.seen().covers(receipt.stamp);
        Some(seen && receipt.paths.iter().all(|path| state.holds(schema, receipt.epoch, path, receipt.stamp)))
    }

    /// Carries out one write: nothing changes unless all of it can be done.
    fn write(
        &mut self,
        name: &str,
        id: DocumentId,
        wall: Time,
        change: impl FnOnce(Option<&DocumentState>, &Writing<'_>) -> Result<DocumentState, Refusal>,
    ) -> Result<Written, Refusal> {
        let (name, shelved) = self.collections.get_key_value(name).ok_or(Refusal::NoSuchCollection)?;
        let (_, schema) = shelved.state.created.as_ref().ok_or(Refusal::NoSuchCollection)?;
        let mut clock = self.clock;
        let stamp = clock.tick(wall, self.node);
        let writing = Writing { id, schema, limits: &self.limits, stamp };
        let old = shelved.shelf.get(id).map(|entry| &entry.state);
        let state = change(old, &writing)?;
        let is_new = state.is_alive() && old.is_none_or(|old| !old.is_alive());
        let change = Change::Document { collection: name.clone(), epoch: shelved.state.epoch, id, state };
        self.clock = clock;
        Ok(Written { id, stamp, is_new, record: self.take(change) })
    }

    fn shelf(&self, name: &str) -> Result<(&CollectionState, &Shelf), Refusal> {
        let shelved = self.collections.get(name).filter(|shelved| shelved.state.created.is_some());
        shelved.map(|shelved| (&shelved.state, &shelved.shelf)).ok_or(Refusal::NoSuchCollection)
    }

    fn shelved_mut(&mut self, name: &str) -> Result<(Name, &mut Shelved), Refusal> {
        let (name, _) = self.collections.get_key_value(name).ok_or(Refusal::NoSuchCollection)?;
        let name = name.clone();
        let shelved = self.collections.get_mut(&name).filter(|shelved| shelved.state.created.is_some());
        shelved.map(|shelved| (name, shelved)).ok_or(Refusal::NoSuchCollection)
    }
}

/// Whether a document is what its writer has read.
fn check(state: Option<&DocumentState>, expected: Option<&[u8; 32]>) -> Result<(), Refusal> {
    match expected {
        Some(expected) if state.is_none_or(|state| !state.is_alive() || state.hash() != *expected) => {
            Err(Refusal::HasChanged)
        }
        _ => Ok(()),
    }
}
