//! One side of a session and of what comes of it.

use std::collections::VecDeque;

use serde::Serialize;

use crate::contract::NodeId;
use crate::sync::reconcile::{self, Outcome, Session};
use crate::sync::store::Store;
use crate::sync::{DocumentId, DocumentState, Name, Stamp};

/// Up to when every write of each writer is known.
pub(super) type Through = Vec<(NodeId, u64)>;

/// How a replica stood when a session began.
pub(super) struct Begun {
    pub(super) epoch: Stamp,
    pub(super) told: Through,
    pub(super) arrival: u64,
}

/// One side of a session and of what comes of it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Exchange {
    pub(super) peer: NodeId,
    pub(super) collection: Name,
    pub(super) epoch: Stamp,
    pub(super) session: Session,
    /// No answer has come yet, or none was given.
    pub(super) is_fresh: bool,
    /// How often what was sent last was sent.
    pub(super) attempts: u8,
    pub(super) give: VecDeque<DocumentId>,
    /// Everything beyond this document is to be given.
    pub(super) give_all: Option<Option<DocumentId>>,
    /// Both sides give everything.
    pub(super) is_full: bool,
    /// What is under way, and whether it is the last.
    pub(super) batch: Option<(Vec<DocumentId>, bool)>,
    /// The number of the batch that is under way, or comes next.
    pub(super) number: u32,
    pub(super) gave_all: bool,
    /// The number of the batch that is awaited.
    pub(super) awaited: u32,
    pub(super) took_all: bool,
    /// Nothing that came was refused.
    pub(super) is_whole: bool,
    /// The peer refused nothing.
    pub(super) is_taken_whole: bool,
    /// The version of the peer's database, whose collection is to take the place of this one.
    pub(super) replaces: Option<u64>,
    /// What is to take its place, so far.
    pub(super) staged: Option<Vec<(DocumentId, DocumentState)>>,
    /// What this replica knew of all writers when the session began, and what the peer did.
    pub(super) told: Through,
    pub(super) knows: Through,
    /// The last change of this replica when the session began.
    pub(super) arrival: u64,
    pub(super) documents: u64,
    pub(super) bytes: u64,
}

impl Exchange {
    pub(super) fn new(peer: NodeId, collection: Name, session: Session, replica: Begun) -> Self {
        let Begun { epoch, told, arrival } = replica;
        Self {
            peer,
            collection,
            epoch,
            session,
            is_fresh: true,
            attempts: 1,
            give: VecDeque::new(),
            give_all: None,
            is_full: false,
            batch: None,
            number: 0,
            gave_all: false,
            awaited: 0,
            took_all: false,
            is_whole: true,
            is_taken_whole: true,
            replaces: None,
            staged: None,
            told,
            knows: Through::new(),
            arrival,
            documents: 0,
            bytes: 0,
        }
    }

    /// What the first answer says of this replica's knowledge: nothing, if it is the peer's.
    pub(super) fn answering(&self) -> Through {
        if self.told == self.knows { Through::new() } else { self.told.clone() }
    }

    /// Whether both sides are known to have held the same, but for what they handed over.
    pub(super) fn is_proof(&self) -> bool {
        match self.session.ended() {
            Some(Outcome::Equal | Outcome::Converged) => !self.session.overwrites(),
            Some(Outcome::Unchecked) => self.is_full,
            _ => false,
        }
    }

    /// Takes note of what a message brought.
    pub(super) fn note(&mut self, step: &mut reconcile::Step) {
        if step.restarted {
            self.give.clear();
            self.give_all = None;
            self.is_full = false;
        }
        self.give.extend(step.give.drain(..));
        if step.give_all {
            self.give_all = Some(None);
            self.is_full = !self.session.overwrites();
        }
        if step.replace.is_some() {
            self.replaces = step.replace;
            self.staged = Some(Vec::new());
        }
    }

    /// The next document to be given: it stays the next until it is [taken](Self::take_next).
    pub(super) fn next(&mut self, store: &Store) -> Option<DocumentId> {
        if let Some(next) = self.give.front() {
            return Some(*next);
        }
        let next = store.next_entry(self.collection.as_str(), self.give_all?);
        self.give_all = next.and(self.give_all);
        next
    }

    /// Goes on behind the next document.
    pub(super) fn take_next(&mut self, document: DocumentId) {
        if self.give.pop_front().is_none() {
            self.give_all = Some(Some(document));
        }
    }

    pub(super) fn is_over(&self) -> bool {
        match self.session.ended() {
            None => false,
            Some(Outcome::Equal) => true,
            Some(_) => self.gave_all && self.took_all,
        }
    }
}
