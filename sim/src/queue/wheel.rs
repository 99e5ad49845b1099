//! The far future: events sorted as coarsely as their distance allows.
//!
//! A time is read as eleven digits of six bits. An event lies at the level of the highest digit in which its time differs
//! from `base`, in the slot of that digit. So the first slot of the lowest occupied level holds the earliest events, and a
//! slot that becomes the first is *opened*: `base` moves to its start, its events to lower levels. Slots keep the order of
//! insertion, and events of equal times are always in one slot.

use super::pool::{List, Pool};

const DIGIT_BITS: u32 = 6;
const DIGITS: usize = 1 << DIGIT_BITS;
const LEVELS: usize = 64usize.div_ceil(DIGIT_BITS as usize);

#[derive(Clone)]
pub(super) struct Wheel {
    /// No event of the wheel is earlier.
    base: u64,
    /// The earliest time in the wheel, once asked for and until the next opening; 0 if unknown.
    earliest: u64,
    /// Which levels have events.
    levels: u16,
    /// Which digits of each level have events.
    digits: [u64; LEVELS],
    slots: Box<[[List; DIGITS]; LEVELS]>,
    /// Events at `u64::MAX`.
    last: List,
}

/// A slot with its events, all between `start` and `end` (inclusive).
#[derive(Clone, Copy)]
pub(super) struct Slot {
    level: usize,
    digit: usize,
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) list: List,
}

impl Wheel {
    pub(super) fn new() -> Self {
        Self {
            base: 0,
            earliest: 0,
            levels: 0,
            digits: [0; LEVELS],
            slots: Box::new([[List::EMPTY; DIGITS]; LEVELS]),
            last: List::EMPTY,
        }
    }

    /// A place for an event not earlier than `base`.
    #[inline]
    pub(super) fn place<T>(&mut self, pool: &mut Pool<T>, at: u64) -> usize {
        if at == u64::MAX {
            return pool.append(&mut self.last);
        }
        if at < self.earliest {
            self.earliest = at;
        }
        let level = (((at ^ self.base) | 1).ilog2() / DIGIT_BITS) as usize;
        let digit = (at >> (DIGIT_BITS as usize * level)) as usize % DIGITS;
        self.levels |= 1 << level;
        self.digits[level] |= 1 << digit;
        pool.append(&mut self.slots[level][digit])
    }

    /// The slot with the earliest events, those at `u64::MAX` aside.
    #[inline]
    pub(super) fn first(&self) -> Option<Slot> {
        if self.levels == 0 {
            return None;
        }
        let level = self.levels.trailing_zeros() as usize;
        let digit = self.digits[level].trailing_zeros() as usize;
        let shift = DIGIT_BITS * level as u32;
        let higher_digits = u64::MAX.checked_shl(shift + DIGIT_BITS).unwrap_or(0);
        let start = self.base & higher_digits | (digit as u64) << shift;
        Some(Slot { level, digit, start, end: start | ((1 << shift) - 1), list: self.slots[level][digit] })
    }

    /// Removes a slot, without moving `base`.
    #[inline]
    pub(super) fn remove(&mut self, slot: Slot) {
        self.earliest = 0;
        self.slots[slot.level][slot.digit] = List::EMPTY;
        self.digits[slot.level] &= !(1 << slot.digit);
        if self.digits[slot.level] == 0 {
            self.levels &= !(1 << slot.level);
        }
    }

    /// Removes the events at `u64::MAX`.
    pub(super) fn remove_last(&mut self) -> List {
        std::mem::replace(&mut self.last, List::EMPTY)
    }

    /// Opens the first slot. If its events turn out to be simultaneous, it removes them instead and tells their time.
    pub(super) fn open<T>(&mut self, pool: &mut Pool<T>, slot: Slot) -> Option<u64> {
        self.remove(slot);
        // Events that have more digits in common than their slot says go straight to the level where they part.
        let below = DIGIT_BITS * slot.level.saturating_sub(1) as u32;
        let (first, difference) = difference(pool.times(slot.list), below);
        self.base = match difference {
            Some(difference) => first & !u64::MAX.checked_shr(difference.leading_zeros()).unwrap_or(0),
            None => slot.start,
        };
        if difference == Some(0) {
            return Some(first);
        }
        pool.consume(slot.list, |pool, at, event| {
            let place = self.place(pool, at);
            pool.write(place, at, event);
        });
        None
    }

    /// Moves `base` to the start of the first slot, whose events are about to be removed.
    #[inline]
    pub(super) fn advance(&mut self, slot: Slot) {
        self.base = slot.start;
    }

    /// The earliest time in the wheel, which must not be empty.
    pub(super) fn earliest<T>(&self, pool: &Pool<T>) -> u64 {
        match self.first() {
            Some(slot) if self.earliest == 0 => pool.times(slot.list).min().unwrap_or(slot.start),
            Some(_) => self.earliest,
            None => u64::MAX,
        }
    }

    /// Whether the earliest event, which must exist, is due at `time` or before.
    pub(super) fn is_due<T>(&mut self, pool: &Pool<T>, time: u64) -> bool {
        let Some(slot) = self.first() else { return time == u64::MAX };
        if slot.end <= time {
            return true;
        }
        if slot.start > time {
            return false;
        }
        self.earliest = self.earliest(pool);
        self.earliest <= time
    }
}

/// The first of these times, and the bits in which they differ if all of these are among the lowest `bits`.
fn difference(mut times: impl Iterator<Item = u64>, bits: u32) -> (u64, Option<u64>) {
    let first = times.next().unwrap_or(0);
    let mut difference = 0;
    let alike = times.all(|at| {
        difference |= at ^ first;
        difference >> bits == 0
    });
    (first, alike.then_some(difference))
}
