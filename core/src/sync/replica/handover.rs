//! Handing over what a session found: documents in batches, one under way at a time, so that memory stays bounded.

use super::Replica;
use super::exchange::Exchange;
use super::messages::{Message, Notice, Record, SessionId, Timer};
use crate::contract::{Context, NodeId};
use crate::sync::reconcile::Outcome;
use crate::sync::store::{self, Change};
use crate::sync::{DocumentId, DocumentState, Name, Stamp};

/// Bytes of documents in one batch, unless a single one is longer.
pub(super) const BATCH_BYTES: usize = 256 << 10;
/// Documents in one batch.
const BATCH_MAX: usize = 1_000;
/// Bytes of a collection that is to replace another one, which has to be held as a whole.
const STAGED_MAX: u64 = 256 << 20;

/// Documents handed over.
pub(super) struct Batch {
    pub(super) id: SessionId,
    pub(super) number: u32,
    pub(super) documents: Vec<(DocumentId, DocumentState)>,
    pub(super) last: bool,
}

impl Replica {
    /// Sends the next batch, unless one is under way or nothing is to be given yet.
    pub(super) fn hand_over(&mut self, id: SessionId, cx: &mut Context<'_, Self>) {
        let Some(exchange) = self.exchanges.get_mut(&id) else { return };
        let is_settled = exchange.session.ended().is_some_and(|outcome| outcome != Outcome::Equal);
        let has_some = !exchange.give.is_empty() || exchange.give_all.is_some();
        if exchange.batch.is_some() || exchange.gave_all || !(is_settled || has_some) {
            return;
        }
        let mut bytes = 0;
        let mut batch = Vec::new();
        while bytes < BATCH_BYTES && batch.len() < BATCH_MAX {
            let Some(document) = exchange.next(&self.store) else { break };
            let size = self
                .store
                .state(exchange.collection.as_str(), document)
                .map_or(0, |state| state.as_bytes().len());
            if !batch.is_empty() && bytes + size > BATCH_BYTES {
                break;
            }
            exchange.take_next(document);
            bytes += size;
            batch.push(document);
        }
        let is_last = is_settled && exchange.give.is_empty() && exchange.give_all.is_none();
        exchange.documents += batch.len() as u64;
        exchange.bytes += bytes as u64;
        exchange.batch = Some((batch, is_last));
        self.send_batch(id, cx);
    }

    pub(super) fn send_batch(&mut self, id: SessionId, cx: &mut Context<'_, Self>) {
        let Some(exchange) = self.exchanges.get_mut(&id) else { return };
        let Some((batch, last)) = &mut exchange.batch else { return };
        let (mut documents, mut bytes) = (Vec::with_capacity(batch.len()), 0);
        let mut fits = |id: &DocumentId| {
            let Some(state) = self.store.state(exchange.collection.as_str(), *id) else { return true };
            bytes += state.as_bytes().len();
            let fits = bytes <= BATCH_BYTES || documents.is_empty();
            if fits {
                documents.push((*id, state.clone()));
            }
            fits
        };
        if let Some(cut) = batch.iter().position(|id| !fits(id)) {
            // What is sent again may have grown. The rest comes next.
            batch.drain(cut..).rev().for_each(|id| exchange.give.push_front(id));
            *last = false;
        }
        let Exchange { peer, number, .. } = *exchange;
        cx.send(peer, Message::Documents { session: id, number, documents, last: *last });
    }

    /// Takes in a batch.
    pub(super) fn take(&mut self, from: NodeId, batch: Batch, cx: &mut Context<'_, Self>) {
        let Batch { id, number, documents, last } = batch;
        let Some(exchange) = self.exchanges.get_mut(&id).filter(|exchange| exchange.peer == from) else {
            self.decline(from, id, cx);
            return;
        };
        if number < exchange.awaited {
            cx.send(from, Message::Taken { session: id, number, whole: exchange.is_whole });
            return;
        }
        // What overtook the word that it is to be put in place of all: it comes again.
        let is_early = exchange.session.overwrites() && exchange.session.ended().is_none();
        if number > exchange.awaited || exchange.took_all || is_early {
            return;
        }
        exchange.awaited = exchange.awaited.saturating_add(1);
        exchange.took_all = last;
        // Nothing is no sign of life: a peer could go on with it for ever.
        let is_progress = last || !documents.is_empty();
        if is_progress {
            exchange.attempts = 1;
        }
        exchange.documents += documents.len() as u64;
        exchange.bytes += documents.iter().map(|(_, state)| state.as_bytes().len() as u64).sum::<u64>();
        let (collection, epoch) = (exchange.collection.clone(), exchange.epoch);
        if let Some(staged) = &mut exchange.staged {
            if exchange.bytes > STAGED_MAX {
                self.refuse(from, id, "a collection that is too large to replace another one", cx);
                return;
            }
            staged.extend(documents);
        } else {
            self.take_in(from, id, (collection, epoch), documents, cx);
        }
        if last {
            self.adopt(id, cx);
        }
        let whole = self.exchanges.get(&id).is_some_and(|exchange| exchange.is_whole);
        cx.send(from, Message::Taken { session: id, number, whole });
        if is_progress {
            cx.set(Timer::Answer(id), self.config.parameters.patience);
        }
        self.finish_if_over(id, cx);
    }

    fn take_in(
        &mut self,
        from: NodeId,
        id: SessionId,
        (collection, epoch): (Name, Stamp),
        documents: Vec<(DocumentId, DocumentState)>,
        cx: &mut Context<'_, Self>,
    ) {
        let mut refused = None;
        for (document, state) in documents {
            let is_back = state.is_alive()
                && self.store.state(collection.as_str(), document).is_none()
                && self.was_collected(&collection, &state);
            if is_back {
                cx.notify(Notice::Refused { peer: from, why: format!("{document} was deleted everywhere") });
            }
            let change = Change::Document { collection: collection.clone(), epoch, id: document, state };
            refused = self.apply(&change, cx).err().or(refused);
        }
        if let Some(refusal) = refused {
            cx.notify(Notice::Refused { peer: from, why: refusal.to_string() });
            if let Some(exchange) = self.exchanges.get_mut(&id) {
                exchange.is_whole = false;
            }
        }
    }

    /// A batch has arrived.
    pub(super) fn gave(
        &mut self,
        from: NodeId,
        (id, number): (SessionId, u32),
        whole: bool,
        cx: &mut Context<'_, Self>,
    ) {
        let Some(exchange) = self.exchanges.get_mut(&id) else { return };
        if exchange.peer != from || number != exchange.number {
            return;
        }
        let Some((_, is_last)) = exchange.batch.take() else { return };
        exchange.number += 1;
        exchange.is_taken_whole &= whole;
        exchange.gave_all = is_last;
        exchange.attempts = 1;
        cx.set(Timer::Answer(id), self.config.parameters.patience);
        self.hand_over(id, cx);
        self.finish_if_over(id, cx);
    }

    /// Puts the peer's collection in the place of this one, all at once.
    pub(super) fn adopt(&mut self, id: SessionId, cx: &mut Context<'_, Self>) {
        let Some(exchange) = self.exchanges.get_mut(&id) else { return };
        let (Some(documents), Some(version)) = (exchange.staged.take(), exchange.replaces) else { return };
        let collection = exchange.collection.clone();
        self.write(Record::Replaced { collection: collection.clone(), documents: documents.clone() }, cx);
        self.replace(&collection, documents);
        self.index_all();
        self.db_version = version;
        self.write(Record::Version(version), cx);
    }

    /// Forgets a collection's documents and takes others in their place.
    pub(super) fn replace(&mut self, collection: &Name, documents: Vec<(DocumentId, DocumentState)>) {
        let is_other = |record: &store::Record| {
            !matches!(record,
                store::Record::Changed { change: Change::Document { collection: name, .. }, .. }
                | store::Record::Deleted { collection: name, .. } if name == collection)
        };
        let epoch = self.indexes.get(collection).map_or(Stamp::ZERO, |index| index.epoch);
        // That much is gone is a change, too: the feed cannot tell of it, and takes no token from before.
        let (clock, since) = (self.store.clock(), self.store.arrivals() + 1);
        let arrivals = since + 1..;
        let mut store = self.store.emptied();
        self.store.snapshot().filter(is_other).for_each(|record| store.restore(&record));
        store.restore(&store::Record::Horizon { clock, arrivals: since });
        let deletions = Vec::new();
        store.restore(&store::Record::Deleted { collection: collection.clone(), epoch, since, deletions });
        for (arrival, (id, state)) in arrivals.zip(documents) {
            let change = Change::Document { collection: collection.clone(), epoch, id, state };
            store.restore(&store::Record::Changed { arrival, change });
        }
        self.store = store;
    }
}
