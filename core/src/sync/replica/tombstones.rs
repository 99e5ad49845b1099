//! When tombstones may go.
//!
//! A tombstone is kept so that a member that still has the document learns of its deletion. When every member has the
//! tombstone nobody has the document any more, but for messages that are still on their way. Therefore a replica collects
//! only what lies within what it has heard: where it has every write of each writer up to a time, a document that is written
//! before that and is not here was collected, and stays away.
//!
//! Each replica collects on its own, and believes only what cannot be a lie about others: that a member has something, when a
//! session with it proved it; up to when all writes of a writer are here, when a session with that writer proved it.

use super::messages::Notice;
use super::{Flaw, Index, Replica, Tombstones};
use crate::contract::{Context, NodeId, Time};
use crate::sync::{DocumentId, DocumentState, Name, Stamp};

/// Tombstones of one collection collected in a round.
const COLLECTED_MAX: usize = 1_000;

impl Replica {
    /// Takes out the tombstones whose time has come.
    pub(super) fn collect(&mut self, cx: &mut Context<'_, Self>) {
        let names: Vec<Name> = self.store.collections().map(|(name, _)| name.clone()).collect();
        for collection in names {
            match self.config.parameters.tombstones {
                Tombstones::Kept => {}
                Tombstones::Ttl => self.collect_old(&collection, cx),
                Tombstones::Acknowledged => {
                    if self.due.remove(&collection) || self.others.is_empty() {
                        self.collect_acknowledged(&collection, cx);
                    }
                }
            }
        }
    }

    fn collect_old(&mut self, collection: &Name, cx: &mut Context<'_, Self>) {
        let ttl = self.config.parameters.ttl.as_millis();
        let age = |stamp: Stamp, wall: Time| (wall.0 / 1_000_000).saturating_sub(stamp.millis());
        let due = self.store.tombstones(collection.as_str()).take(COLLECTED_MAX);
        let due = due.take_while(|(stamp, _)| age(*stamp, cx.wall) > ttl).map(|(_, id)| id).collect();
        self.take_out(collection, due, cx);
    }

    fn collect_acknowledged(&mut self, collection: &Name, cx: &mut Context<'_, Self>) {
        let known =
            |member: &NodeId| self.acknowledged.get(&(collection.clone(), *member)).copied().unwrap_or(0);
        let known = self.others.iter().map(known);
        let by_all = match self.config.parameters.flaw {
            Flaw::CollectEarly => known.max(),
            _ => known.min(),
        };
        // Alone, a replica has nobody to tell.
        let by_all = by_all.unwrap_or(u64::MAX);
        let due: Vec<DocumentId> = self
            .store
            .tombstones(collection.as_str())
            .map(|(_, id)| id)
            .filter(|id| {
                self.store.arrival(collection.as_str(), *id).is_some_and(|arrival| arrival <= by_all)
            })
            .filter(|id| self.may_go(collection, *id))
            .take(COLLECTED_MAX)
            .collect();
        if due.len() == COLLECTED_MAX {
            self.due.insert(collection.clone());
        }
        self.take_out(collection, due, cx);
    }

    /// Whether this replica would know the document's writes again, should they come once more.
    fn may_go(&self, collection: &Name, id: DocumentId) -> bool {
        let state = self.store.state(collection.as_str(), id);
        let knows = |state: &DocumentState| self.knows(collection, state);
        self.config.parameters.flaw == Flaw::CollectEarly || state.is_some_and(knows)
    }

    fn knows(&self, collection: &Name, state: &DocumentState) -> bool {
        let Some(Index { heard, .. }) = self.indexes.get(collection) else { return false };
        state.seen().iter().all(|stamp| heard.get(&stamp.node).is_some_and(|&time| time >= stamp.time))
    }

    /// Whether a document that is not here was here, and its tombstone went.
    pub(super) fn was_collected(&self, collection: &Name, state: &DocumentState) -> bool {
        let is_remembered = self.config.parameters.tombstones == Tombstones::Acknowledged;
        is_remembered && self.config.parameters.flaw != Flaw::CollectEarly && self.knows(collection, state)
    }

    fn take_out(&mut self, collection: &Name, due: Vec<DocumentId>, cx: &mut Context<'_, Self>) {
        if due.is_empty() {
            return;
        }
        if let Ok(Some(record)) = self.store.collect(collection.as_str(), &due) {
            self.index(&record);
            self.persist(record, cx);
            cx.notify(Notice::Collected { tombstones: due.len() as u64 });
        }
    }
}
