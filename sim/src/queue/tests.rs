//! The queue against a binary heap of (time, insertion), and what a heap cannot show: drops, clones, panics, sizes.
#![expect(clippy::disallowed_types, reason = "a fuse that all clones of an event share")]

use super::*;
use proptest::prelude::*;
use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

/// What the queue must do, done by a heap with explicit sequence numbers.
#[derive(Clone, Default)]
struct Oracle {
    heap: BinaryHeap<Reverse<(u64, u64)>>,
    now: u64,
    pushed: u64,
}

impl Oracle {
    /// Adds the next event, which is its own sequence number.
    fn push(&mut self, at: u64) -> u64 {
        self.heap.push(Reverse((at.max(self.now), self.pushed)));
        self.pushed += 1;
        self.pushed - 1
    }

    fn next_time(&self) -> Option<u64> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    fn pop_before(&mut self, limit: u64) -> Option<(u64, u64)> {
        if self.next_time()? >= limit { None } else { self.pop() }
    }

    fn pop(&mut self) -> Option<(u64, u64)> {
        let Reverse((at, event)) = self.heap.pop()?;
        self.now = at;
        Some((at, event))
    }
}

/// A queue of counted references and its oracle, which must agree at every step.
#[derive(Clone, Default)]
struct Pair {
    queue: Queue<(u64, Rc<()>)>,
    oracle: Oracle,
    witness: Rc<()>,
}

impl Pair {
    fn push(&mut self, at: u64) {
        let event = self.oracle.push(at);
        self.queue.push(at, (event, self.witness.clone()));
    }

    fn push_after(&mut self, delay: u64) {
        self.push(self.oracle.now.saturating_add(delay));
    }

    fn pop(&mut self) {
        let event = self.queue.pop().map(|(at, (event, _))| (at, event));
        assert_eq!(event, self.oracle.pop());
    }

    fn pop_before(&mut self, limit: u64) {
        let event = self.queue.pop_before(limit).map(|(at, (event, _))| (at, event));
        assert_eq!(event, self.oracle.pop_before(limit), "limit {limit}");
    }

    /// Everything that can be observed without popping.
    fn look(&self) {
        assert_eq!(self.queue.len(), self.oracle.heap.len());
        assert_eq!(self.queue.is_empty(), self.oracle.heap.is_empty());
        assert_eq!(self.queue.next_time(), self.oracle.next_time());
    }

    fn look_ahead(&self, count: usize) {
        let mut oracle = self.oracle.clone();
        for k in 0..count {
            let expected = oracle.pop().map(|(_, event)| event);
            if let Some(found) = self.queue.peek_ahead(k) {
                assert_eq!(Some(found.0), expected, "{k} ahead");
            }
        }
    }

    fn drain(&mut self) {
        while !self.oracle.heap.is_empty() {
            self.pop();
        }
        self.look();
        assert_eq!(self.queue.pop().map(|(at, _)| at), None);
    }
}

/// xorshift64: the pinned cases must not change with a dependency.
fn draws(seed: u64) -> impl FnMut() -> u64 {
    let mut x = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x
    }
}

/// Delays of six kinds of load: uniform, dense with zeros, ties, huge, two scales, every scale.
fn delay(mode: u64, tie: u64, draw: &mut impl FnMut() -> u64) -> u64 {
    match (mode, draw() % 8) {
        (0, _) => draw() % 20_000_000,
        (1, 0) => 0,
        (1, _) => draw() % 100,
        (2, 0..=3) => tie,
        (2, _) => 1_000_000,
        (3, 0) => draw() % (1 << 45),
        (3, 1) => 0,
        (3, 2) => draw() % (1 << 60),
        (3, _) => draw() % 1000,
        (4, 0) => 100_000_000,
        (4, _) => draw() % 50_000,
        (_, scale) => (draw() % 1000) << (4 * scale),
    }
}

/// Bursts of pushes, pops, limited pops and clones.
fn fuzz(seed: u64, steps: usize) {
    let mut draw = draws(seed);
    let mut pair = Pair::default();
    let mode = seed % 6;
    for step in 0..steps {
        let burst = if draw().is_multiple_of(97) { draw() % 3000 } else { draw() % 3 };
        let tie = draw() % 5_000_000;
        for _ in 0..burst {
            let delay = delay(mode, tie, &mut draw);
            pair.push_after(delay);
        }
        for _ in 0..if step % 500 > 400 { draw() % 40 } else { draw() % 4 } {
            if draw().is_multiple_of(3) {
                pair.pop();
            } else {
                let window = delay(mode, tie, &mut draw) / 4;
                pair.pop_before(pair.oracle.now.saturating_add(window));
            }
            pair.look();
        }
        if draw().is_multiple_of(400) {
            pair.look_ahead(20);
            let mut copy = pair.clone();
            copy.drain();
        }
    }
    pair.drain();
}

#[test]
fn agrees_with_a_heap_on_pinned_loads() {
    for seed in 0..24 {
        fuzz(seed, 1000);
    }
}

#[derive(Clone, Debug)]
enum Op {
    Push(u64),
    PushAt(u64),
    Burst(u64, u16),
    Pop(u8),
    PopBefore(u64),
    Branch,
}

fn delays() -> impl Strategy<Value = u64> {
    prop_oneof![
        3 => Just(0u64),
        4 => 0..300u64,
        4 => 0..5_000_000u64,
        2 => Just(1_000_000u64),
        4 => (0..1024u64, 0..63u32).prop_map(|(mantissa, scale)| mantissa << scale),
        1 => Just(u64::MAX),
    ]
}

fn ops() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => delays().prop_map(Op::Push),
        1 => any::<u64>().prop_map(Op::PushAt),
        1 => (delays(), 0..3000u16).prop_map(|(delay, count)| Op::Burst(delay, count)),
        6 => (1..40u8).prop_map(Op::Pop),
        6 => delays().prop_map(Op::PopBefore),
        1 => Just(Op::Branch),
    ]
}

proptest! {
    #[test]
    fn agrees_with_a_heap(ops in prop::collection::vec(ops(), 1..120)) {
        let mut pair = Pair::default();
        let mut others = Vec::new();
        for op in ops {
            match op {
                Op::Push(delay) => pair.push_after(delay),
                Op::PushAt(at) => pair.push(at),
                Op::Burst(delay, count) => (0..count).for_each(|_| pair.push_after(delay)),
                Op::Pop(count) => (0..count).for_each(|_| pair.pop()),
                Op::PopBefore(window) => pair.pop_before(pair.oracle.now.saturating_add(window)),
                Op::Branch if others.len() < 3 => others.push(pair.clone()),
                Op::Branch => others.swap(0, 2),
            }
            pair.look();
            pair.look_ahead(5);
        }
        for mut other in others.into_iter().chain([pair]) {
            other.drain();
        }
    }

    /// Each event is dropped exactly once, whether it was popped or not.
    #[test]
    fn drops_every_event_once(delays in prop::collection::vec(delays(), 0..400), pops in 0..400usize) {
        let witness = Rc::new(());
        let mut queue = Queue::new();
        for (i, delay) in delays.iter().enumerate() {
            queue.push(*delay, witness.clone());
            if i % 3 == 0 {
                drop(queue.pop());
            }
        }
        let copy = queue.clone();
        for _ in 0..pops {
            drop(queue.pop());
        }
        prop_assert_eq!(Rc::strong_count(&witness), 1 + queue.len() + copy.len());
        drop(queue);
        prop_assert_eq!(Rc::strong_count(&witness), 1 + copy.len());
        drop(copy);
        prop_assert_eq!(Rc::strong_count(&witness), 1);
    }
}

/// An event whose clone fails when the fuse burns down.
struct Fused(Rc<Cell<u32>>, Rc<()>);

impl Clone for Fused {
    fn clone(&self) -> Self {
        self.0.set(self.0.get() - 1);
        assert!(self.0.get() > 0, "the fuse burned down");
        Self(self.0.clone(), self.1.clone())
    }
}

#[test]
fn a_panic_while_cloning_leaves_the_queue_whole() {
    let (fuse, witness) = (Rc::new(Cell::new(150)), Rc::new(()));
    let mut queue = Queue::new();
    for i in 0..300 {
        queue.push(i * i, Fused(fuse.clone(), witness.clone()));
    }
    assert!(catch_unwind(AssertUnwindSafe(|| queue.clone())).is_err());
    assert_eq!(Rc::strong_count(&witness), 301);
    for i in 0..300 {
        assert_eq!(queue.pop().map(|(at, _)| at), Some(i * i));
    }
    assert_eq!(Rc::strong_count(&witness), 1);
}

#[test]
fn a_push_into_the_past_means_now() {
    let mut queue = Queue::new();
    queue.push(100, 'a');
    queue.push(100, 'b');
    assert_eq!(queue.pop(), Some((100, 'a')));
    queue.push(7, 'c');
    assert_eq!(queue.pop(), Some((100, 'b')));
    assert_eq!(queue.pop(), Some((100, 'c')));
}

#[test]
fn a_limit_is_exclusive_and_costs_nothing_later() {
    let mut queue = Queue::new();
    queue.push(1 << 50, 'z');
    assert_eq!(queue.clone().pop_before((1 << 50) + 1), Some((1 << 50, 'z')));
    assert_eq!(queue.pop_before(1 << 50), None);
    queue.push(1 << 49, 'y');
    queue.push(3, 'x');
    assert_eq!(queue.next_time(), Some(3));
    assert_eq!(queue.pop_before(0), None);
    assert_eq!(queue.pop_before(3), None);
    assert_eq!(queue.pop_before(4), Some((3, 'x')));
    assert_eq!(queue.pop_before(u64::MAX), Some((1 << 49, 'y')));
    queue.push(1 << 50, 'w');
    assert_eq!(queue.pop_before((1 << 50) + 1), Some((1 << 50, 'z')));
    assert_eq!(queue.pop(), Some((1 << 50, 'w')));
}

#[test]
fn the_end_of_time_is_a_time() {
    let mut queue = Queue::new();
    for (at, event) in [(u64::MAX, 'c'), (u64::MAX - 1, 'b'), (u64::MAX, 'd'), (0, 'a')] {
        queue.push(at, event);
    }
    assert_eq!(queue.pop(), Some((0, 'a')));
    assert_eq!(queue.pop(), Some((u64::MAX - 1, 'b')));
    assert_eq!((queue.pop_before(u64::MAX), queue.next_time()), (None, Some(u64::MAX)));
    assert_eq!(queue.pop(), Some((u64::MAX, 'c')));
    queue.push(u64::MAX, 'e');
    assert_eq!(queue.pop(), Some((u64::MAX, 'd')));
    assert_eq!(queue.pop(), Some((u64::MAX, 'e')));
    assert_eq!(queue.pop(), None);
}

/// More simultaneous events than an index of the sorted run can number.
#[test]
fn a_million_ties_keep_their_order() {
    let mut queue = Queue::new();
    for event in 0..1_200_000u32 {
        queue.push(1_000_003, event);
    }
    for event in 0..1_200_000 {
        assert_eq!(queue.pop(), Some((1_000_003, event)));
    }
}

/// A broadcast into the span of the sorted run: each push must stay cheap, so the run gives up all but the events of now,
/// which come before what is pushed for now.
#[test]
fn a_burst_into_the_run_keeps_its_order() {
    let mut pair = Pair::default();
    for i in 0..200 {
        pair.push(1000 + i / 4 * 100);
    }
    pair.pop();
    pair.push_after(0);
    (0..100_000).for_each(|_| pair.push_after(500));
    (0..4).for_each(|_| pair.pop());
    (0..10_000).for_each(|_| pair.push_after(1));
    (0..10_000).for_each(|_| pair.push_after(0));
    pair.drain();
}

#[test]
fn an_event_of_forty_bytes_takes_forty_eight() {
    assert_eq!(pool::Pool::<[u64; 5]>::ENTRY_SIZE, 48);
}
