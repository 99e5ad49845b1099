//! The near future: the next few hundred events, sorted by keys that say where each event lies.
//!
//! A key is the time since `base` and, below it, the event's index in the run. Indices follow insertion, so they break ties
//! and no event carries a sequence number. Events stay where they are; a new one takes the next index.

use super::pool::{CHUNK, List, Pool};
use super::wheel::Wheel;

const INDEX_BITS: u32 = 20;

/// The longest time that a run can span.
pub(super) const SPAN_MAX: u64 = (1 << (u64::BITS - INDEX_BITS)) - 1;

/// A longer run is given up: an insertion moves half of its keys.
const KEYS_MAX: usize = 2048;

/// Events of a queue so short that the wheel is not worth its steps, and how many more its run may take.
pub(super) const FEW: usize = 24;
const FEW_MAX: usize = 48;

/// Places of popped events that a run may waste, beyond as many as it has events.
const WASTE_MAX: usize = 1024;

#[derive(Clone)]
pub(super) struct Run {
    base: u64,
    /// Every pending event up to this time is in the run, or in the present.
    pub(super) reach: u64,
    /// In descending order.
    keys: Vec<u64>,
    keys_max: usize,
    chunks: Vec<u32>,
    /// Indices given out.
    used: usize,
}

impl Run {
    pub(super) fn new() -> Self {
        Self { base: 0, reach: 0, keys: Vec::new(), keys_max: KEYS_MAX, chunks: Vec::new(), used: 0 }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The time of the first event.
    #[inline]
    pub(super) fn first(&self) -> Option<u64> {
        self.keys.last().map(|&key| self.time(key))
    }

    /// The event after `k` others.
    #[inline]
    pub(super) fn peek<'a, T>(&self, pool: &'a Pool<T>, k: usize) -> Option<&'a T> {
        let key = self.keys[self.keys.len().checked_sub(k + 1)?];
        pool.event(self.place(key))
    }

    /// The place of the first event, which must exist and is to be taken.
    #[inline]
    pub(super) fn pop(&mut self) -> usize {
        let key = self.keys.pop().expect("a run with events");
        self.place(key)
    }

    /// A place for an event between `base` and `reach`, at its turn.
    #[inline(always)]
    pub(super) fn insert<T>(&mut self, pool: &mut Pool<T>, at: u64) -> usize {
        if self.keys.is_empty() {
            self.used = 0;
        }
        if self.used == self.chunks.len() * CHUNK {
            self.chunks.push(pool.acquire());
        }
        let key = (at - self.base) << INDEX_BITS | self.used as u64;
        self.used += 1;
        let position = self.keys.partition_point(|&other| other > key);
        self.keys.insert(position, key);
        self.place(key)
    }

    /// Whether another insertion costs more than giving the run up.
    #[inline]
    pub(super) fn is_outgrown(&self) -> bool {
        self.keys.len() > self.keys_max || self.used > 2 * self.keys.len() + WASTE_MAX
    }

    /// Starts a run, which must be empty, at `base`.
    pub(super) fn start<T>(&mut self, pool: &mut Pool<T>, base: u64) {
        for chunk in self.chunks.drain(..) {
            pool.release(chunk);
        }
        self.used = 0;
        self.base = base;
        self.reach = base;
        self.keys_max = KEYS_MAX;
    }

    /// Takes over a list of events, none earlier than `base`.
    pub(super) fn add<T>(&mut self, pool: &Pool<T>, list: List) {
        for (chunk, count) in pool.chunks(list) {
            let indices = (self.chunks.len() * CHUNK) as u64..;
            let times = pool.chunk_times(chunk, count);
            self.keys.extend(indices.zip(times).map(|(index, at)| (at - self.base) << INDEX_BITS | index));
            self.chunks.push(chunk);
        }
    }

    /// Sorts what was added.
    pub(super) fn sort(&mut self) {
        self.used = self.chunks.len() * CHUNK;
        self.keys.sort_unstable_by(|a, b| b.cmp(a));
        self.reach = self.time(self.keys[0]);
    }

    /// Makes the run take all near events, because it has all of few.
    pub(super) fn stretch(&mut self) {
        self.reach = self.base.saturating_add(SPAN_MAX);
        self.keys_max = FEW_MAX;
    }

    /// Gives all events after `now` to the wheel.
    #[cold]
    #[inline(never)]
    pub(super) fn dissolve<T>(&mut self, pool: &mut Pool<T>, wheel: &mut Wheel, now: u64) {
        let later = self.keys.partition_point(|&key| self.time(key) > now);
        for &key in self.keys[..later].iter().rev() {
            let (_, event) = pool.take(self.place(key));
            let place = wheel.place(pool, self.time(key));
            pool.write(place, self.time(key), event);
        }
        self.keys.drain(..later);
        self.reach = now;
    }

    #[inline]
    fn time(&self, key: u64) -> u64 {
        self.base + (key >> INDEX_BITS)
    }

    /// Where the event with this key lies.
    #[inline]
    fn place(&self, key: u64) -> usize {
        let index = key as usize % (1 << INDEX_BITS);
        self.chunks[index / CHUNK] as usize * CHUNK + index % CHUNK
    }
}
