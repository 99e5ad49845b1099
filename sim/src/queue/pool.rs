//! Events in chunks of sixteen, and lists of chunks: the memory of the queue.
//!
//! All chunks live in one vector, so a list is three integers, a burst of events costs no allocation of its own, and what
//! one list gives back serves the next. A vector per list would keep the peak of each of hundreds of lists.

use std::num::NonZero;

/// Events per chunk: enough to pay for a link, few enough that half-empty tails do not matter.
pub(super) const CHUNK: usize = 16;

const NIL: u32 = u32::MAX;

/// An event with its time, stored inverted so that it is never zero and an empty place costs no extra byte. The price
/// is that `u64::MAX` reads back as the time before it: the wheel keeps such events in a list of their own.
type Entry<T> = (NonZero<u64>, T);

/// Events in the order of insertion. All chunks are full but the last.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    head: u32,
    tail: u32,
    pub(super) len: u32,
}

impl List {
    pub(super) const EMPTY: Self = Self { head: NIL, tail: NIL, len: 0 };
}

/// A list that is also consumed from its front.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fifo {
    /// Its length counts the places already read in the first chunk.
    list: List,
    read: u32,
}

impl Fifo {
    pub(super) const EMPTY: Self = Self { list: List::EMPTY, read: 0 };

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.list.len == 0
    }

    #[inline]
    pub(super) fn append<T>(&mut self, pool: &mut Pool<T>) -> usize {
        pool.append(&mut self.list)
    }

    /// The place of the first event, which must exist and is to be taken.
    #[inline]
    pub(super) fn pop<T>(&mut self, pool: &mut Pool<T>) -> usize {
        let chunk = self.list.head;
        let place = chunk as usize * CHUNK + self.read as usize;
        self.read += 1;
        if self.read == self.list.len {
            *self = Self::EMPTY;
            pool.release(chunk);
        } else if self.read as usize == CHUNK {
            *self = Self {
                list: List { head: pool.next(chunk), len: self.list.len - self.read, ..self.list },
                read: 0,
            };
            pool.release(chunk);
        }
        place
    }

    /// The event after `k` others, if it lies in the first two chunks.
    pub(super) fn peek<'a, T>(&self, pool: &'a Pool<T>, k: usize) -> Option<&'a T> {
        let place = self.read as usize + k;
        if place >= self.list.len as usize {
            return None;
        }
        match place / CHUNK {
            0 => pool.event(self.list.head as usize * CHUNK + place),
            1 => pool.event(pool.next(self.list.head) as usize * CHUNK + place - CHUNK),
            _ => None,
        }
    }
}

impl From<List> for Fifo {
    fn from(list: List) -> Self {
        Self { list, read: 0 }
    }
}

/// The chunks of all lists of a queue.
#[derive(Clone)]
pub(super) struct Pool<T> {
    entries: Vec<Option<Entry<T>>>,
    /// The chunk after this one, in its list or among the free.
    next: Vec<u32>,
    free: u32,
}

impl<T> Pool<T> {
    /// Bytes taken by a pending event.
    #[cfg(test)]
    pub(super) const ENTRY_SIZE: usize = size_of::<Option<Entry<T>>>();

    pub(super) fn new() -> Self {
        Self { entries: Vec::new(), next: Vec::new(), free: NIL }
    }

    /// A place at the end of a list.
    #[inline]
    pub(super) fn append(&mut self, list: &mut List) -> usize {
        let place = list.len as usize % CHUNK;
        if place == 0 {
            self.extend(list);
        }
        list.len += 1;
        list.tail as usize * CHUNK + place
    }

    #[inline(never)]
    fn extend(&mut self, list: &mut List) {
        let chunk = self.acquire();
        if list.len == 0 {
            list.head = chunk;
        } else {
            self.next[list.tail as usize] = chunk;
        }
        list.tail = chunk;
    }

    #[inline]
    pub(super) fn write(&mut self, place: usize, at: u64, event: T) {
        let inverted = NonZero::new(!at).unwrap_or(NonZero::<u64>::MIN);
        self.entries[place] = Some((inverted, event));
    }

    /// The time and the event at this place, which must be occupied.
    #[inline]
    pub(super) fn take(&mut self, place: usize) -> (u64, T) {
        let (inverted, event) = self.entries[place].take().expect("an occupied place");
        (!inverted.get(), event)
    }

    #[inline]
    pub(super) fn event(&self, place: usize) -> Option<&T> {
        self.entries[place].as_ref().map(|(_, event)| event)
    }

    /// The times of all events of a list.
    #[inline]
    pub(super) fn times(&self, list: List) -> impl Iterator<Item = u64> {
        self.chunks(list).flat_map(|(chunk, count)| self.chunk_times(chunk, count))
    }

    /// The times of the first `count` events of a chunk.
    #[inline]
    pub(super) fn chunk_times(&self, chunk: u32, count: usize) -> impl Iterator<Item = u64> {
        self.entries[chunk as usize * CHUNK..][..count].iter().flatten().map(|(inverted, _)| !inverted.get())
    }

    /// The chunks of a list, each with the number of its events. Asks for the next chunk while one is worked on: they
    /// lie anywhere in memory, and with a million events this is what a pass over them costs.
    #[inline]
    pub(super) fn chunks(&self, list: List) -> impl Iterator<Item = (u32, usize)> {
        let (mut next, mut left) = (list.head, list.len as usize);
        std::iter::from_fn(move || {
            let (chunk, count) = (next, left.min(CHUNK));
            left -= count;
            (count > 0).then(|| {
                next = self.next(chunk);
                self.prefetch(next);
                (chunk, count)
            })
        })
    }

    /// Empties a list, handing each event with its time to `each`.
    #[inline]
    pub(super) fn consume(&mut self, list: List, mut each: impl FnMut(&mut Self, u64, T)) {
        let (mut chunk, mut left) = (list.head, list.len as usize);
        while left > 0 {
            let count = left.min(CHUNK);
            let next = self.next(chunk);
            self.prefetch(next);
            for place in 0..count {
                let (at, event) = self.take(chunk as usize * CHUNK + place);
                each(self, at, event);
            }
            self.release(chunk);
            (chunk, left) = (next, left - count);
        }
    }

    #[inline]
    fn next(&self, chunk: u32) -> u32 {
        self.next[chunk as usize]
    }

    #[inline]
    fn prefetch(&self, chunk: u32) {
        for place in 0..CHUNK {
            super::prefetch(&self.entries, chunk as usize * CHUNK + place);
        }
    }

    /// A chunk of empty places.
    #[inline]
    pub(super) fn acquire(&mut self) -> u32 {
        if self.free == NIL {
            self.entries.resize_with(self.entries.len() + CHUNK, || None);
            self.next.push(NIL);
            return self.next.len() as u32 - 1;
        }
        let chunk = self.free;
        self.free = self.next(chunk);
        chunk
    }

    /// Gives back a chunk, all of whose events were taken.
    #[inline]
    pub(super) fn release(&mut self, chunk: u32) {
        self.next[chunk as usize] = self.free;
        self.free = chunk;
    }
}
