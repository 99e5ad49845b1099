//! What every method sees of its session, and gives to it.

use serde::{Deserialize, Serialize};

use super::entry::{Aggregate, Entry, SessionKey};
use super::knowledge::Knowledge;
use super::session::{Method, Options, Outcome, Refusal};
use super::set::EntrySet;
use super::wire::Reader;
use crate::sync::DocumentId;

/// What this replica will be given.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Wanted {
    /// The entry with this [`Entry::short`].
    Short(u64),
    /// The peer's entry of this document.
    Document(DocumentId),
}

/// What came of a message.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Step {
    /// To be sent to the peer, in order.
    pub messages: Vec<Vec<u8>>,
    /// Documents of this replica that the peer lacks in this version: to be handed over, unasked.
    pub give: Vec<DocumentId>,
    /// What the peer will hand over. Empty for the methods that do not tell (`delta`, `full-merge`, `overwrite`), and on the
    /// side that gave cells in `riblt`.
    pub want: Vec<Wanted>,
    /// The whole collection is to be handed over.
    pub give_all: bool,
    /// The version of the peer's database, whose whole collection takes the place of this one.
    pub replace: Option<u64>,
    /// What was found in earlier steps is found again: the method was changed.
    pub restarted: bool,
    /// What the peer knows: for [`EntrySet::learn_all`] when all that it gives was taken in.
    pub peer: Option<Knowledge>,
    /// The session's end.
    pub ended: Option<Outcome>,
}

/// What a session cost so far, both directions together, documents excluded and frames included.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Counters {
    /// Bytes with the headers of frames.
    pub bytes: u64,
    /// Messages.
    pub messages: u64,
    /// How often the opener got an answer.
    pub round_trips: u64,
    /// Entries, ranges and cells that this side looked at.
    pub items: u64,
    /// Coded cells that travelled.
    pub cells: u64,
}

/// What a session does with what a method wrote.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Next {
    /// The peer has to answer.
    Ask,
    /// When the peer has read this, both sides know all: check it.
    Last,
    /// The peer's last message told the rest.
    Done,
    /// All is told that this method tells, and cannot be checked now.
    Close(Outcome),
    /// This method does not get on.
    Restart(Method),
}

/// One message's handling.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    pub(super) set: &'a EntrySet,
    pub(super) key: SessionKey,
    pub(super) options: Options,
    /// The body of the answer.
    pub(super) out: Vec<u8>,
    pub(super) step: Step,
    /// Of all entries that were found to be given.
    pub(super) given: Aggregate,
    pub(super) counters: Counters,
}

impl Turn<'_> {
    pub(super) fn give(&mut self, entry: &Entry) {
        self.step.give.push(entry.id);
        self.given.add(&self.set.part(&entry.hash));
    }
}

/// A method of reconciliation, from one side.
///
/// The opener says [`hello`](Self::hello). If the roots differ, the other side [`lead`](Self::lead)s, and messages alternate.
pub(super) trait Reconciler {
    /// Writes what goes along with the opener's root.
    fn hello(&mut self, _turn: &mut Turn<'_>) {}
    /// Writes the first message after it is known that the sets differ.
    fn lead(&mut self, turn: &mut Turn<'_>, hello: &mut Reader<'_>) -> Result<Next, Refusal>;
    /// Answers a message.
    fn receive(&mut self, turn: &mut Turn<'_>, body: &mut Reader<'_>) -> Result<Next, Refusal>;
}
