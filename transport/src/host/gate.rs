//! What may not leave before the disk has what stands behind it.

use std::collections::VecDeque;

use seedbed_core::contract::{Blob, CommandId, NodeId, Protocol};

/// What may not leave before the disk has what stands behind it.
pub(super) enum Promise<P: Protocol> {
    Send { to: NodeId, ordinal: u64, message: P::Message, blob: Option<Blob> },
    Reply { id: CommandId, reply: P::Reply },
}

/// Holds promises back, in order, until the writes before them are durable.
pub(super) struct Gate<P: Protocol> {
    /// Writes given to the disk so far.
    written: u64,
    /// Of these, how many are durable.
    durable: u64,
    waiting: VecDeque<(u64, Promise<P>)>,
    /// The last write of each step that is not durable yet.
    steps: VecDeque<(u64, u64)>,
}

impl<P: Protocol> Default for Gate<P> {
    fn default() -> Self {
        Self { written: 0, durable: 0, waiting: VecDeque::new(), steps: VecDeque::new() }
    }
}

impl<P: Protocol> Gate<P> {
    /// Whether promises may leave at once.
    #[inline]
    pub(super) fn is_open(&self) -> bool {
        self.durable == self.written
    }

    /// Counts a write of this step; gives its number.
    pub(super) fn write(&mut self, step: u64) -> u64 {
        self.written += 1;
        match self.steps.back_mut() {
            Some((_, last)) if *last == step => {}
            _ => self.steps.push_back((0, step)),
        }
        if let Some((write, _)) = self.steps.back_mut() {
            *write = self.written;
        }
        self.written
    }

    /// Holds a promise back until everything written so far is durable.
    pub(super) fn hold(&mut self, promise: Promise<P>) {
        self.waiting.push_back((self.written, promise));
    }

    /// How many promises wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The first `upto` writes are durable. Gives the last step of which everything is, out of `steps` taken so far.
    pub(super) fn commit(&mut self, upto: u64, steps: u64) -> Option<u64> {
        self.durable = self.durable.max(upto);
        while self.steps.pop_front_if(|(write, _)| *write <= self.durable).is_some() {}
        self.steps.front().map_or(steps, |(_, step)| *step).checked_sub(1)
    }

    /// The next promise that may leave now.
    pub(super) fn release(&mut self) -> Option<Promise<P>> {
        self.waiting.pop_front_if(|(needs, _)| *needs <= self.durable).map(|(_, promise)| promise)
    }

    /// What is not durable yet never will be: no promise that needs it leaves.
    pub(super) fn refuse(&mut self) {
        self.waiting.clear();
        self.steps.clear();
        self.durable = self.written;
    }
}

#[cfg(test)]
mod tests {
    use seedbed_core::election::raft::{Message, Raft};

    use super::*;

    fn send(ordinal: u64) -> Promise<Raft> {
        let message = Message::Vote { term: 1, granted: true };
        Promise::Send { to: NodeId(1), ordinal, message, blob: None }
    }

    fn released(gate: &mut Gate<Raft>) -> Vec<u64> {
        std::iter::from_fn(|| gate.release())
            .map(|promise| match promise {
                Promise::Send { ordinal, .. } => ordinal,
                Promise::Reply { id, .. } => id.0,
            })
            .collect()
    }

    #[test]
    fn promises_leave_in_order_when_their_writes_are_durable() {
        let mut gate = Gate::default();
        assert!(gate.is_open());
        gate.write(3);
        gate.hold(send(1));
        gate.write(3);
        gate.hold(send(2));
        gate.write(5);
        gate.hold(send(3));
        gate.hold(send(4));
        assert_eq!(gate.commit(1, 9), Some(2));
        assert_eq!(released(&mut gate), [1]);
        assert_eq!(gate.commit(2, 9), Some(4));
        assert_eq!(released(&mut gate), [2]);
        assert!(!gate.is_open());
        assert_eq!(gate.commit(3, 9), Some(8));
        assert_eq!(released(&mut gate), [3, 4]);
        assert!(gate.is_open());
    }

    #[test]
    fn a_refusal_drops_what_waits() {
        let mut gate = Gate::default();
        gate.write(0);
        gate.hold(send(1));
        gate.refuse();
        assert!(gate.is_open());
        assert_eq!((gate.waiting(), released(&mut gate)), (0, vec![]));
        gate.write(1);
        gate.hold(send(2));
        assert_eq!(released(&mut gate), [0; 0]);
        gate.commit(2, 2);
        assert_eq!(released(&mut gate), [2]);
    }
}
