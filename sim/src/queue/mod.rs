//! The event queue: pops in exact order of time and, within a time, of insertion.
//!
//! A radix wheel with early sort. Pending events are in one of three places:
//!
//! - the *present*: what was pushed for the time of the last pop, first in first out;
//! - the *run*: the next few hundred events, sorted;
//! - the *wheel*: all later ones, in slots as wide as they are far away.
//!
//! When present and run are used up, the first slots of the wheel become the next run, or are opened into narrower slots if
//! they hold too many to sort. So an event is moved once or twice, and sorted among hundreds instead of millions: a pop and
//! a push cost less than half of a binary heap's at a thousand pending events and a fifteenth at a million
//! (`benches/benches/queue.rs`). Nothing needs tuning to the distribution of delays.
//!
//! A queue is a value: a clone pops the same sequence. Memory is kept for reuse, so that a queue in a steady state
//! allocates nothing.

mod pool;
mod prefetch;
mod run;
#[cfg(test)]
mod tests;
mod wheel;

pub use prefetch::prefetch;

use pool::{Fifo, Pool};
use run::{FEW, Run, SPAN_MAX};
use std::fmt;
use wheel::{Slot, Wheel};

/// A slot of the wheel with more events is opened; up to this, sorting is cheaper.
const SORTED_MAX: u32 = 512;

/// Shorter slots are sorted together up to this many events, because starting a run has a price.
const GATHERED_MAX: u32 = 64;

/// Pending events of any type, popped in exact (time, insertion) order. Times are in any unit, up to `u64::MAX`.
#[derive(Clone)]
pub struct Queue<T> {
    len: usize,
    /// Time of the last pop.
    now: u64,
    present: Fifo,
    run: Run,
    wheel: Wheel,
    pool: Pool<T>,
}

impl<T> Queue<T> {
    /// An empty queue at time 0.
    pub fn new() -> Self {
        Self { len: 0, now: 0, present: Fifo::EMPTY, run: Run::new(), wheel: Wheel::new(), pool: Pool::new() }
    }

    /// Number of pending events.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no event is pending.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds an event at time `at`. A time before that of the last popped event means now: the past cannot be changed.
    #[inline(always)]
    pub fn push(&mut self, at: u64, event: T) {
        self.len += 1;
        let place = if at > self.run.reach {
            self.wheel.place(&mut self.pool, at)
        } else if at <= self.now {
            self.present.append(&mut self.pool)
        } else if self.run.is_outgrown() {
            self.run.dissolve(&mut self.pool, &mut self.wheel, self.now);
            self.wheel.place(&mut self.pool, at)
        } else {
            self.run.insert(&mut self.pool, at)
        };
        self.pool.write(place, at, event);
    }

    /// Removes the next event.
    #[inline]
    pub fn pop(&mut self) -> Option<(u64, T)> {
        self.pop_until(u64::MAX)
    }

    /// Removes the next event if its time is before `limit`. Otherwise nothing changes: a later push may still come first.
    #[inline(always)]
    pub fn pop_before(&mut self, limit: u64) -> Option<(u64, T)> {
        self.pop_until(limit.checked_sub(1)?)
    }

    /// Time of the next event. Cheap, except that it may look at each event of a slot of the wheel.
    pub fn next_time(&self) -> Option<u64> {
        if self.is_empty() {
            None
        } else if !self.present.is_empty() {
            Some(self.now)
        } else {
            self.run.first().or_else(|| Some(self.wheel.earliest(&self.pool)))
        }
    }

    /// The event that is popped after `k` others, if it is cheap to tell; what it will need can then be prefetched.
    #[inline(always)]
    pub fn peek_ahead(&self, k: usize) -> Option<&T> {
        if self.present.is_empty() {
            self.run.peek(&self.pool, k)
        } else if self.run.first() != Some(self.now) {
            self.present.peek(&self.pool, k)
        } else {
            None
        }
    }

    /// Removes the next event if its time is at most `last`.
    #[inline(always)]
    fn pop_until(&mut self, last: u64) -> Option<(u64, T)> {
        if self.run.is_empty() && self.present.is_empty() && !self.refill(last) {
            return None;
        }
        // Events of the run at the present time were pushed before those in the present.
        let place = match self.run.first() {
            Some(at) if at == self.now || self.present.is_empty() => {
                if at > last {
                    return None;
                }
                self.now = at;
                self.run.pop()
            }
            _ if self.now > last => return None,
            _ => self.present.pop(&mut self.pool),
        };
        self.len -= 1;
        Some((self.now, self.pool.take(place).1))
    }

    /// Fills the run or the present, both empty, if the next event is due at `last` or before: it is then popped at once, so
    /// that neither the run nor the wheel's base ever lies after a time that can still be pushed.
    #[cold]
    #[inline(never)]
    fn refill(&mut self, last: u64) -> bool {
        if self.is_empty() || !self.wheel.is_due(&self.pool, last) {
            return false;
        }
        while let Some(slot) = self.wheel.first() {
            if slot.list.len <= SORTED_MAX && slot.end - slot.start <= SPAN_MAX {
                self.gather(slot);
                return true;
            }
            if let Some(at) = self.wheel.open(&mut self.pool, slot) {
                self.enter(at, slot.list.into());
                return true;
            }
        }
        let last = self.wheel.remove_last().into();
        self.enter(u64::MAX, last);
        true
    }

    /// Makes the next run of the first slot and of short ones behind it.
    fn gather(&mut self, first: Slot) {
        self.run.start(&mut self.pool, first.start);
        self.wheel.advance(first);
        let (mut count, mut next) = (0, Some(first));
        while let Some(slot) = next {
            count += slot.list.len;
            self.wheel.remove(slot);
            self.run.add(&self.pool, slot.list);
            next = self
                .wheel
                .first()
                .filter(|slot| count + slot.list.len <= GATHERED_MAX && slot.end - first.start <= SPAN_MAX);
        }
        self.run.sort();
        if count as usize == self.len && self.len <= FEW {
            self.run.stretch();
        }
    }

    /// Makes a list of simultaneous events the present.
    fn enter(&mut self, now: u64, events: Fifo) {
        self.run.start(&mut self.pool, now);
        self.now = now;
        self.present = events;
    }
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("now", &self.now).field("len", &self.len).finish_non_exhaustive()
    }
}
