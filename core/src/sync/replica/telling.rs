//! Telling: fresh writes go to a few members before anybody asks, those of a moment together.

use super::handover::BATCH_BYTES;
use super::messages::{Message, Notice, Timer};
use super::{Index, Replica};
use crate::contract::{Context, NodeId};
use crate::sync::store::Change;
use crate::sync::{DocumentId, Name, Refusal};

/// So many documents are told at once, however short the moment was.
const FRESH_MAX: usize = 1_000;

/// No member tells more at once: neither of documents, nor of collections.
const HEARD_MAX: usize = 10_000;

/// Who told of a document, if it is not a client's write, and which it is. What it says is looked up when it is told on.
pub(super) type Fresh = (Option<NodeId>, Name, DocumentId);

impl Replica {
    /// Takes in what a member tells unasked, and tells others what was new.
    pub(super) fn hear(&mut self, from: NodeId, changes: Vec<Change>, cx: &mut Context<'_, Self>) {
        if changes.len() > HEARD_MAX {
            cx.notify(Notice::Refused { peer: from, why: format!("told of more than {HEARD_MAX} changes") });
            return;
        }
        let (mut collections, mut refused) = (Vec::new(), None);
        for change in changes {
            match (self.apply(&change, cx), change) {
                (Ok(true), Change::Document { collection, id, .. }) => {
                    self.tell_soon((Some(from), collection, id), cx);
                }
                (Ok(true), change) => collections.push(change),
                // Its collection comes with the next session.
                (Ok(false) | Err(Refusal::NoSuchCollection), _) => {}
                (Err(refusal), _) => refused = Some(refusal),
            }
        }
        if let Some(refusal) = refused {
            cx.notify(Notice::Refused { peer: from, why: refusal.to_string() });
        }
        if !collections.is_empty() {
            self.met(from, collections, cx);
        }
    }

    /// Collections were new, or are gone. Who tells of one may have its documents.
    fn met(&mut self, from: NodeId, collections: Vec<Change>, cx: &mut Context<'_, Self>) {
        self.catalogue = self.fingerprint();
        for change in &collections {
            if let Change::Collection { name, state } = change
                && state.created.is_some()
            {
                self.ask_soon(from, name.clone());
            }
        }
        self.push(collections, Some(from), cx);
        self.open_next(cx);
    }

    /// A few members are to be told of a document, together with others of this moment.
    pub(super) fn tell_soon(&mut self, fresh: Fresh, cx: &mut Context<'_, Self>) {
        if self.config.parameters.push == 0 || self.others.is_empty() {
            return;
        }
        if self.fresh.is_empty() {
            cx.set(Timer::Tell, self.config.parameters.linger);
        }
        self.fresh.insert(fresh);
        if self.fresh.len() >= FRESH_MAX {
            cx.cancel(Timer::Tell);
            self.tell_fresh(cx);
        }
    }

    /// The moment is over.
    pub(super) fn tell_fresh(&mut self, cx: &mut Context<'_, Self>) {
        let (mut changes, mut bytes, mut teller) = (Vec::new(), 0, None);
        for (from, collection, id) in std::mem::take(&mut self.fresh) {
            let epoch = self.indexes.get(&collection).map(|Index { epoch, .. }| *epoch);
            let state = self.store.state(collection.as_str(), id).cloned();
            let (Some(epoch), Some(state)) = (epoch, state) else { continue };
            if from != teller || bytes + state.as_bytes().len() > BATCH_BYTES {
                self.push(std::mem::take(&mut changes), teller, cx);
                (teller, bytes) = (from, 0);
            }
            bytes += state.as_bytes().len();
            changes.push(Change::Document { collection, epoch, id, state });
        }
        self.push(changes, teller, cx);
    }

    /// Tells a few members what is new.
    pub(super) fn push(&self, changes: Vec<Change>, except: Option<NodeId>, cx: &mut Context<'_, Self>) {
        if changes.is_empty() {
            return;
        }
        let mut members: Vec<NodeId> =
            self.others.iter().copied().filter(|&other| Some(other) != except).collect();
        let count = self.config.parameters.push as usize;
        if count < members.len() {
            cx.dice.shuffle(&mut members);
            members.truncate(count);
        }
        for member in members {
            cx.send(member, Message::Push { changes: changes.clone() });
        }
    }
}
