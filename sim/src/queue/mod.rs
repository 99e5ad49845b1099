//! The event queue: a radix wheel with early sort, which pops in exact (time, insertion) order.

mod pool;
mod prefetch;
#[cfg(test)]
mod tests;

pub use prefetch::prefetch;

use pool::{CHUNK, List, Pool};
use std::num::NonZero;

const DIGIT: u32 = 6;
const LEVELS: usize = 64usize.div_ceil(DIGIT as usize);
const WORDS: usize = (1 << DIGIT) / 64;
const EARLY: u32 = 512;
const TARGET: u32 = 64;
const GARBAGE: usize = 1024;
const SMALL: usize = 24;
const MOST: usize = 2048;
const INDEX: u32 = 20;
const SPAN: u64 = (1 << (64 - INDEX)) - 1;
const STAMP: NonZero<u64> = NonZero::<u64>::MAX;

/// Events in exact (time, insertion) order.
#[derive(Clone)]
pub struct Queue<T> {
    now: u64,
    reach: u64,
    run_base: u64,
    order: Vec<u64>,
    run: Vec<u32>,
    run_len: usize,
    run_limit: usize,
    fifo: List,
    read: u32,
    base: u64,
    earliest: u64,
    levels: u16,
    len: usize,
    bits: [[u64; WORDS]; LEVELS],
    slots: Box<[List]>,
    never: List,
    pool: Pool<T>,
    scratch: Vec<u64>,
    scratch_run: Vec<u32>,
}

impl<T> std::fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("now", &self.now).field("len", &self.len).finish_non_exhaustive()
    }
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Queue<T> {
    /// An empty queue at time 0.
    pub fn new() -> Self {
        Self {
            now: 0,
            reach: 0,
            run_base: 0,
            order: Vec::new(),
            run: Vec::new(),
            run_len: 0,
            run_limit: MOST,
            fifo: List::EMPTY,
            read: 0,
            base: 0,
            earliest: 0,
            levels: 0,
            len: 0,
            bits: [[0; WORDS]; LEVELS],
            slots: vec![List::EMPTY; LEVELS << DIGIT].into_boxed_slice(),
            never: List::EMPTY,
            pool: Pool::new(),
            scratch: Vec::new(),
            scratch_run: Vec::new(),
        }
    }

    /// Number of pending events.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is pending.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds an event; a time before the last pop means now.
    #[inline]
    pub fn push(&mut self, at: u64, event: T) {
        self.len += 1;
        if at > self.reach {
            self.place(at, event);
        } else if at <= self.now {
            self.pool.append(&mut self.fifo, STAMP, event);
        } else {
            self.insert(at, event);
        }
    }

    /// The next event.
    #[inline]
    pub fn pop(&mut self) -> Option<(u64, T)> {
        self.pop_through(u64::MAX)
    }

    /// The next event, if its time is before `limit`.
    #[inline]
    pub fn pop_before(&mut self, limit: u64) -> Option<(u64, T)> {
        self.pop_through(limit.checked_sub(1)?)
    }

    /// Time of the next event.
    pub fn next_time(&self) -> Option<u64> {
        if self.len == 0 {
            None
        } else if self.fifo.len > 0 {
            Some(self.now)
        } else if let Some(&key) = self.order.last() {
            Some(self.run_base + (key >> INDEX))
        } else {
            Some(self.earliest())
        }
    }

    /// The event after `k` others.
    #[inline]
    pub fn peek_ahead(&self, k: usize) -> Option<&T> {
        if self.fifo.len > 0 {
            let run_first = self.order.last().is_some_and(|key| self.run_base + (key >> INDEX) == self.now);
            let place = self.read as usize + k;
            if run_first || place >= self.fifo.len as usize {
                return None;
            }
            let chunk = match place / CHUNK {
                0 => self.fifo.head,
                1 => self.pool.next(self.fifo.head),
                _ => return None,
            };
            return self.pool.event(chunk, place % CHUNK);
        }
        let key = self.order[self.order.len().checked_sub(k + 1)?];
        let index = (key & ((1 << INDEX) - 1)) as usize;
        self.pool.event(self.run[index / CHUNK], index % CHUNK)
    }

    #[inline]
    fn pop_through(&mut self, last: u64) -> Option<(u64, T)> {
        if self.order.is_empty() && self.fifo.len == 0 && !self.refill(last) {
            return None;
        }
        if let Some(&key) = self.order.last() {
            let at = self.run_base + (key >> INDEX);
            if self.fifo.len == 0 || at == self.now {
                if at > last {
                    return None;
                }
                self.order.pop();
                self.now = at;
                self.len -= 1;
                let index = (key & ((1 << INDEX) - 1)) as usize;
                let (_, event) = self.pool.take(self.run[index / CHUNK], index % CHUNK);
                return Some((at, event));
            }
        }
        if self.now > last {
            return None;
        }
        self.len -= 1;
        Some((self.now, self.pop_fifo()))
    }

    #[inline]
    fn pop_fifo(&mut self) -> T {
        let chunk = self.fifo.head;
        let (_, event) = self.pool.take(chunk, self.read as usize);
        self.read += 1;
        if self.read == self.fifo.len {
            self.pool.release(chunk);
            self.fifo = List::EMPTY;
            self.read = 0;
        } else if self.read as usize == CHUNK {
            self.fifo.head = self.pool.next(chunk);
            self.fifo.len -= CHUNK as u32;
            self.read = 0;
            self.pool.release(chunk);
        }
        event
    }

    #[inline]
    fn place(&mut self, at: u64, event: T) {
        let Some(inverted) = NonZero::new(!at) else {
            return self.pool.append(&mut self.never, STAMP, event);
        };
        if at < self.earliest {
            self.earliest = at;
        }
        let level = (63 - ((at ^ self.base) | 1).leading_zeros()) / DIGIT;
        let digit = (at >> (DIGIT * level)) as usize & ((1 << DIGIT) - 1);
        let level = level as usize;
        self.bits[level][digit / 64] |= 1 << (digit % 64);
        self.levels |= 1 << level;
        self.pool.append(&mut self.slots[level << DIGIT | digit], inverted, event);
    }

    #[inline]
    fn insert(&mut self, at: u64, event: T) {
        if self.order.is_empty() {
            self.run_len = 0;
        }
        let key = (at - self.run_base) << INDEX | self.run_len as u64;
        self.append_run(at, event);
        let position = self.order.partition_point(|&other| other > key);
        self.order.insert(position, key);
        if self.order.len() > self.run_limit || self.run_len > 2 * self.order.len() + GARBAGE {
            self.rebalance();
        }
    }

    #[inline]
    fn append_run(&mut self, at: u64, event: T) {
        if self.run_len == self.run.len() * CHUNK {
            self.run.push(self.pool.acquire());
        }
        let chunk = self.run[self.run_len / CHUNK];
        self.pool.write(chunk, self.run_len % CHUNK, NonZero::new(!at).unwrap_or(STAMP), event);
        self.run_len += 1;
    }

    fn lowest(&self) -> Option<(usize, usize)> {
        if self.levels == 0 {
            return None;
        }
        let level = self.levels.trailing_zeros() as usize;
        let bits = &self.bits[level];
        let word = (0..WORDS).find(|&word| bits[word] != 0)?;
        Some((level, word * 64 + bits[word].trailing_zeros() as usize))
    }

    fn start(&self, level: usize, digit: usize) -> u64 {
        let shift = DIGIT * level as u32;
        let above = shift + DIGIT;
        let high = if above >= 64 { 0 } else { self.base >> above << above };
        high | (digit as u64) << shift
    }

    fn earliest(&self) -> u64 {
        if self.earliest > 0 {
            return self.earliest;
        }
        let Some((level, digit)) = self.lowest() else { return u64::MAX };
        let list = self.slots[level << DIGIT | digit];
        self.pool
            .chunks(list)
            .flat_map(|(chunk, count)| self.pool.times(chunk, count))
            .min()
            .unwrap_or(u64::MAX)
    }

    fn due(&mut self, last: u64) -> bool {
        if self.len == 0 {
            return false;
        }
        let Some((level, digit)) = self.lowest() else { return last == u64::MAX };
        let lo = self.start(level, digit);
        if lo | ((1 << (DIGIT * level as u32)) - 1) <= last {
            return true;
        }
        if lo > last {
            return false;
        }
        self.earliest = self.earliest();
        self.earliest <= last
    }

    #[inline(never)]
    fn refill(&mut self, last: u64) -> bool {
        if !self.due(last) {
            return false;
        }
        self.earliest = 0;
        for chunk in self.run.drain(..) {
            self.pool.release(chunk);
        }
        self.run_len = 0;
        loop {
            let Some((level, digit)) = self.lowest() else {
                self.fifo = std::mem::replace(&mut self.never, List::EMPTY);
                self.now = u64::MAX;
                self.reach = u64::MAX;
                return true;
            };
            self.base = self.start(level, digit);
            let list = self.slots[level << DIGIT | digit];
            if list.len <= EARLY && DIGIT * level as u32 <= 64 - INDEX {
                self.collect();
                return true;
            }
            self.clear(level, digit);
            if level == 0 {
                self.now = self.base;
                self.fifo = list;
                self.reach = self.base;
                return true;
            }
            self.spread(list);
        }
    }

    fn clear(&mut self, level: usize, digit: usize) {
        let bits = &mut self.bits[level];
        bits[digit / 64] &= !(1 << (digit % 64));
        if bits.iter().all(|&word| word == 0) {
            self.levels &= !(1 << level);
        }
        self.slots[level << DIGIT | digit] = List::EMPTY;
    }

    fn collect(&mut self) {
        self.run_base = self.base;
        self.run_limit = MOST;
        let mut count = 0;
        while let Some((level, digit)) = self.lowest() {
            let list = self.slots[level << DIGIT | digit];
            let start = self.start(level, digit);
            let end = start | ((1 << (DIGIT * level as u32)) - 1);
            if count > 0 && (count + list.len > TARGET || end - self.run_base > SPAN) {
                break;
            }
            count += list.len;
            self.clear(level, digit);
            for (chunk, count) in self.pool.chunks(list) {
                let first = (self.run.len() * CHUNK) as u64;
                self.run.push(chunk);
                let times = self.pool.times(chunk, count);
                self.order
                    .extend((first..).zip(times).map(|(index, at)| (at - self.run_base) << INDEX | index));
            }
        }
        self.run_len = self.run.len() * CHUNK;
        self.order.sort_unstable_by(|a, b| b.cmp(a));
        self.reach = self.run_base + (self.order[0] >> INDEX);
        if count as usize == self.len && self.len <= SMALL {
            self.reach = self.run_base.saturating_add(SPAN).min(u64::MAX - 1);
            self.run_limit = 2 * SMALL;
        }
    }

    fn spread(&mut self, list: List) {
        let (mut chunk, mut left) = (list.head, list.len as usize);
        while left > 0 {
            let count = left.min(CHUNK);
            let next = self.pool.next(chunk);
            self.pool.prefetch(next);
            for i in 0..count {
                let (at, event) = self.pool.take(chunk, i);
                self.place(at, event);
            }
            left -= count;
            self.pool.release(chunk);
            chunk = next;
        }
    }

    #[cold]
    #[inline(never)]
    fn rebalance(&mut self) {
        if self.order.len() > self.run_limit {
            let time = |key: u64| self.run_base + (key >> INDEX);
            let n = self.order.len();
            let (first, middle) = (time(self.order[n - 1]), time(self.order[n / 2]));
            self.reach = if middle > first { middle - 1 } else { self.now };
            self.run_limit = MOST;
        }
        std::mem::swap(&mut self.order, &mut self.scratch);
        std::mem::swap(&mut self.run, &mut self.scratch_run);
        self.run_len = 0;
        while let Some(key) = self.scratch.pop() {
            let index = (key & ((1 << INDEX) - 1)) as usize;
            let at = self.run_base + (key >> INDEX);
            let (_, event) = self.pool.take(self.scratch_run[index / CHUNK], index % CHUNK);
            if at <= self.reach {
                self.order.push((at - self.run_base) << INDEX | self.run_len as u64);
                self.append_run(at, event);
            } else {
                self.place(at, event);
            }
        }
        self.order.reverse();
        for chunk in self.scratch_run.drain(..) {
            self.pool.release(chunk);
        }
    }
}
