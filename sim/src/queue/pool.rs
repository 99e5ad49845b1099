//! Events in chunks of sixteen, and lists of chunks: the memory of the queue.
//!
//! All chunks live in one vector, so a list is three integers, a burst of events costs no allocation of its own, and
//! what one list gives back serves the next. A `Vec` per list would keep the peak of each of hundreds of lists.

use std::num::NonZero;

/// Events per chunk: enough to amortise a link, few enough that half-empty tails do not matter.
pub(super) const CHUNK: usize = 16;

const NIL: u32 = u32::MAX;

/// An event and its time. The time is stored inverted, so that it is never zero (the queue keeps `u64::MAX` apart) and an
/// empty place costs no extra byte: `Option<Entry<T>>` is eight bytes larger than `T`.
type Entry<T> = (NonZero<u64>, T);

/// A sequence of events in the order of insertion: all its chunks are full but the last.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    pub(super) head: u32,
    tail: u32,
    pub(super) len: u32,
}

impl List {
    pub(super) const EMPTY: Self = Self { head: NIL, tail: NIL, len: 0 };
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
    #[cfg(test)]
    pub(super) const ENTRY_SIZE: usize = size_of::<Option<Entry<T>>>();

    pub(super) fn new() -> Self {
        Self { entries: Vec::new(), next: Vec::new(), free: NIL }
    }

    #[inline]
    pub(super) fn append(&mut self, list: &mut List, inverted: NonZero<u64>, event: T) {
        let place = list.len as usize % CHUNK;
        if place == 0 {
            self.extend(list);
        }
        self.write(list.tail, place, inverted, event);
        list.len += 1;
    }

    #[inline]
    pub(super) fn write(&mut self, chunk: u32, place: usize, inverted: NonZero<u64>, event: T) {
        self.entries[chunk as usize * CHUNK + place] = Some((inverted, event));
    }

    /// The time and the event at this place, which must be occupied.
    #[inline]
    pub(super) fn take(&mut self, chunk: u32, place: usize) -> (u64, T) {
        let (inverted, event) =
            self.entries[chunk as usize * CHUNK + place].take().expect("an occupied place");
        (!inverted.get(), event)
    }

    #[inline]
    pub(super) fn event(&self, chunk: u32, place: usize) -> Option<&T> {
        self.entries[chunk as usize * CHUNK + place].as_ref().map(|entry| &entry.1)
    }

    /// The times of the first events of a chunk.
    #[inline]
    pub(super) fn times(&self, chunk: u32, count: usize) -> impl Iterator<Item = u64> {
        self.entries[chunk as usize * CHUNK..][..count].iter().flatten().map(|entry| !entry.0.get())
    }

    /// The chunks of a list, each with the number of its events.
    pub(super) fn chunks(&self, list: List) -> impl Iterator<Item = (u32, usize)> {
        let (mut chunk, mut left) = (list.head, list.len as usize);
        std::iter::from_fn(move || {
            let count = left.min(CHUNK);
            left -= count;
            let this = chunk;
            (count > 0).then(|| {
                chunk = self.next[this as usize];
                self.prefetch(chunk);
                (this, count)
            })
        })
    }

    /// Brings a chunk into the cache; `NIL` is no chunk and does nothing.
    #[inline]
    pub(super) fn prefetch(&self, chunk: u32) {
        for place in 0..CHUNK {
            super::prefetch(&self.entries, chunk as usize * CHUNK + place);
        }
    }

    #[inline]
    pub(super) fn next(&self, chunk: u32) -> u32 {
        self.next[chunk as usize]
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

    /// A chunk of empty places.
    #[inline]
    pub(super) fn acquire(&mut self) -> u32 {
        if self.free == NIL {
            self.entries.resize_with(self.entries.len() + CHUNK, || None);
            self.next.push(NIL);
            return self.next.len() as u32 - 1;
        }
        let chunk = self.free;
        self.free = self.next[chunk as usize];
        chunk
    }

    /// Gives back a chunk, all of whose events were taken.
    #[inline]
    pub(super) fn release(&mut self, chunk: u32) {
        self.next[chunk as usize] = self.free;
        self.free = chunk;
    }
}
