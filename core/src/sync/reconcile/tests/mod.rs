//! Two replicas, one session, no network.

mod cells;
mod forged;
mod hostile;
mod sessions;
mod set;

use std::collections::BTreeSet;

use super::*;
use crate::contract::NodeId;
use crate::sync::{DocumentId, Stamp};

pub(super) const KEY: CollectionKey = CollectionKey([7; 32]);

/// Document `id` as `node` wrote it at `time`.
pub(super) fn entry(id: u64, time: u64, node: u32) -> Entry {
    let id = DocumentId(u128::from(cells_mix(id)).wrapping_mul(0x1_0000_0000_0000_0001).to_be_bytes());
    let version = Stamp { time, node: NodeId(node) };
    Entry { id, version, hash: KEY.hash(id, format!("{version}").as_bytes()) }
}

fn cells_mix(x: u64) -> u64 {
    super::cells::mix(x.wrapping_add(1))
}

pub(super) fn set_of<'a>(order: Order, entries: impl IntoIterator<Item = &'a Entry>) -> EntrySet {
    let mut set = EntrySet::new(order);
    for entry in entries {
        set.insert(entry, &[]);
    }
    set
}

/// One side and what it found.
pub(super) struct Side {
    pub(super) session: Session,
    pub(super) give: BTreeSet<DocumentId>,
    pub(super) want: BTreeSet<Wanted>,
    pub(super) give_all: bool,
    pub(super) replace: bool,
    pub(super) restarts: u32,
    pub(super) peer: Option<Knowledge>,
}

impl Side {
    fn new(session: Session) -> Self {
        let (give, want) = (BTreeSet::new(), BTreeSet::new());
        Self { session, give, want, give_all: false, replace: false, restarts: 0, peer: None }
    }

    fn take(&mut self, step: Step) -> Option<Vec<u8>> {
        if step.restarted {
            self.give.clear();
            self.want.clear();
            self.restarts += 1;
        }
        for id in step.give {
            assert!(self.give.insert(id), "{id:?} was given twice");
        }
        self.want.extend(step.want);
        self.give_all |= step.give_all;
        self.replace |= step.replace.is_some();
        self.peer = step.peer.or(self.peer.take());
        step.messages.into_iter().next()
    }
}

/// Lets two sides talk until both have ended, and calls `between` before each message arrives.
pub(super) fn talk(
    method: Method,
    sets: &mut [EntrySet; 2],
    options: [Options; 2],
    mut between: impl FnMut(usize, &mut [EntrySet; 2]),
) -> [Side; 2] {
    let (session, first) = Session::open(method, KEY, 42, &sets[0], options[0]);
    let mut opener = Side::new(session);
    between(0, sets);
    let (session, step) = Session::accept(KEY, &sets[1], options[1], &first).expect("an honest message");
    let mut other = Side::new(session);
    let mut message = other.take(step);
    let mut nth = 1;
    while let Some(bytes) = message {
        between(nth, sets);
        let (side, set) = if nth % 2 == 1 { (&mut opener, &sets[0]) } else { (&mut other, &sets[1]) };
        let step = side.session.receive(set, &bytes).expect("an honest message");
        message = side.take(step);
        nth += 1;
        assert!(nth < 1_000, "{method:?} does not end");
    }
    assert!(opener.session.ended().is_some() && opener.session.ended() == other.session.ended());
    assert_eq!(opener.session.counters().bytes, other.session.counters().bytes);
    assert_eq!(opener.session.counters().round_trips, other.session.counters().round_trips);
    [opener, other]
}

pub(super) fn quiet(method: Method, sets: &mut [EntrySet; 2]) -> [Side; 2] {
    talk(method, sets, [Options::default(); 2], |_, _| ())
}
