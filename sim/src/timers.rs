//! The timers of one node: most have a few, some have thousands. Places are part of a run's digest.

use std::hash::{BuildHasher, Hash};

use hashbrown::HashTable;

/// The timers of one node. Each has at most one live queue entry: a timer set again to a later time is re-armed when
/// its entry comes up.
#[derive(Clone)]
pub(crate) struct Timers<T> {
    first: Armed<T>,
    rest: Option<Box<Rest<T>>>,
}

/// All timers but the first, at places from 1 on.
#[derive(Clone)]
struct Rest<T> {
    armed: Vec<Armed<T>>,
    /// Found by searching while they are few.
    index: Option<Index>,
}

/// Where many timers are.
#[derive(Clone, Default)]
struct Index {
    /// The place of each key.
    places: HashTable<u32>,
    /// The places whose timers have neither a deadline nor an entry.
    free: Free,
}

/// Places, as bits: one that comes and goes asks for no memory.
#[derive(Clone, Default)]
struct Free {
    words: Vec<u64>,
    /// No word before this one has any.
    from: usize,
}

/// So many timers are found faster by an index than by searching.
const CROWD: usize = 16;

#[derive(Clone)]
struct Armed<T> {
    key: Option<T>,
    /// When it runs out; [`NEVER`] if it is not set.
    deadline: u64,
    /// When its queue entry comes up; [`NEVER`] if it has none.
    queued: u64,
}

const NEVER: u64 = u64::MAX;

/// What to do about a timer whose queue entry came up.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Due<T> {
    /// Fire it.
    Fire(T),
    /// Queue it again for this time.
    Later(u64),
    /// Nothing: it was cancelled, or another entry took over.
    Stale,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self { first: Armed { key: None, deadline: NEVER, queued: NEVER }, rest: None }
    }
}

impl<T: Copy + Eq + Hash> Timers<T> {
    /// Sets a timer; gives its place for a new queue entry, if one is needed.
    #[inline]
    pub(crate) fn set(&mut self, key: T, deadline: u64) -> Option<u32> {
        let deadline = deadline.min(NEVER - 1);
        let place = self.place(key);
        let is_earlier = self.change(place, |armed| {
            armed.deadline = deadline;
            let is_earlier = deadline < armed.queued;
            armed.queued = armed.queued.min(deadline);
            is_earlier
        });
        is_earlier.unwrap_or_default().then_some(place)
    }

    #[inline]
    pub(crate) fn cancel(&mut self, key: T) {
        let place = if self.first.key == Some(key) {
            Some(0)
        } else {
            self.rest.as_ref().and_then(|rest| rest.find(&key))
        };
        if let Some(place) = place {
            self.change(place, |armed| armed.deadline = NEVER);
        }
    }

    /// A queue entry came up at `at`.
    #[inline]
    pub(crate) fn due(&mut self, place: u32, at: u64) -> Due<T> {
        let due = |armed: &mut Armed<T>| match armed.queued == at {
            true => {
                armed.queued = NEVER;
                armed.check(at)
            }
            false => Due::Stale,
        };
        self.change(place, due).unwrap_or(Due::Stale)
    }

    /// A timer that is due waits in its node's inbox: [`check`](Self::check) fires it then.
    pub(crate) fn wait(&mut self, place: u32, at: u64) {
        self.change(place, |armed| armed.deadline = at);
    }

    /// Whether a timer that has no queue entry is due by `at`.
    #[inline]
    pub(crate) fn check(&mut self, place: u32, at: u64) -> Due<T> {
        self.change(place, |armed| armed.check(at)).unwrap_or(Due::Stale)
    }

    /// The clock runs at another rate from now on: moves the deadlines of all timers that are set. Gives the places
    /// and times of new queue entries.
    pub(crate) fn move_all(&mut self, to: impl Fn(u64) -> u64) -> Vec<(u32, u64)> {
        let rest = self.rest.iter_mut().flat_map(|rest| rest.armed.iter_mut());
        let mut entries = Vec::new();
        for (place, armed) in std::iter::once(&mut self.first).chain(rest).enumerate() {
            if armed.deadline == NEVER {
                continue;
            }
            armed.deadline = to(armed.deadline).min(NEVER - 1);
            // Without an entry it is due already and waits in its node's inbox.
            if armed.queued != NEVER && armed.deadline < armed.queued {
                armed.queued = armed.deadline;
                entries.push((place as u32, armed.deadline));
            }
        }
        entries
    }

    /// Changes the timer at a place, which may become free by it, or cease to be.
    #[inline]
    fn change<R>(&mut self, place: u32, change: impl FnOnce(&mut Armed<T>) -> R) -> Option<R> {
        match place.checked_sub(1) {
            None => Some(change(&mut self.first)),
            Some(_) => self.rest.as_mut()?.change(place, change),
        }
    }

    /// The place of this key: its own, the first free one, or a new one.
    #[inline]
    fn place(&mut self, key: T) -> u32 {
        if self.first.key == Some(key) {
            return 0;
        }
        self.place_beside(key)
    }

    fn place_beside(&mut self, key: T) -> u32 {
        if let Some(place) = self.rest.as_ref().and_then(|rest| rest.find(&key)) {
            return place;
        }
        if self.first.is_free() {
            self.first.key = Some(key);
            return 0;
        }
        self.rest.get_or_insert_with(|| Box::new(Rest { armed: Vec::new(), index: None })).take(key)
    }
}

impl<T: Copy> Armed<T> {
    const fn is_free(&self) -> bool {
        self.deadline == NEVER && self.queued == NEVER
    }

    #[inline]
    fn check(&mut self, at: u64) -> Due<T> {
        match self.key {
            Some(key) if self.deadline <= at => {
                self.deadline = NEVER;
                Due::Fire(key)
            }
            Some(_) if self.deadline < self.queued => {
                self.queued = self.deadline;
                Due::Later(self.deadline)
            }
            _ => Due::Stale,
        }
    }
}

impl<T: Copy + Eq + Hash> Rest<T> {
    /// Where this key was last.
    fn find(&self, key: &T) -> Option<u32> {
        let is_at = |place: &u32| self.armed[*place as usize - 1].key.as_ref() == Some(key);
        match &self.index {
            Some(index) => index.places.find(hash(key), is_at).copied(),
            None => (1..=self.armed.len() as u32).find(is_at),
        }
    }

    /// A place for a key that has none: the first free one, or a new one. Its timer is set at once.
    fn take(&mut self, key: T) -> u32 {
        let free = match &mut self.index {
            Some(index) => index.free.first(),
            None => self.armed.iter().position(Armed::is_free).map(|nth| nth as u32 + 1),
        };
        let place = free.unwrap_or_else(|| {
            self.armed.push(Armed { key: None, deadline: NEVER, queued: NEVER });
            self.armed.len() as u32
        });
        let before = self.armed[place as usize - 1].key.replace(key);
        if let Some(index) = &mut self.index {
            let entry = before.map(|key| index.places.find_entry(hash(&key), |other| *other == place));
            if let Some(Ok(entry)) = entry {
                entry.remove();
            }
            let key_at = |place: &u32| self.armed[*place as usize - 1].key.as_ref().map_or(0, hash);
            if before.is_none() {
                // With room for twice as many, the traces of keys that left are swept away in place.
                index.places.reserve(2 * self.armed.len() - index.places.len(), key_at);
            }
            index.places.insert_unique(hash(&key), place, key_at);
        } else if self.armed.len() == CROWD {
            self.index = Some(Index::of(&self.armed));
        }
        place
    }

    #[inline]
    fn change<R>(&mut self, place: u32, change: impl FnOnce(&mut Armed<T>) -> R) -> Option<R> {
        let armed = self.armed.get_mut(place as usize - 1)?;
        let was_free = armed.is_free();
        let changed = change(armed);
        if let Some(index) = &mut self.index
            && was_free != armed.is_free()
        {
            index.free.set(place, !was_free);
        }
        Some(changed)
    }
}

impl Index {
    fn of<T: Hash>(armed: &[Armed<T>]) -> Self {
        let mut index = Self::default();
        let key_at = |place: &u32| armed[*place as usize - 1].key.as_ref().map_or(0, hash);
        for place in 1..=armed.len() as u32 {
            index.places.insert_unique(key_at(&place), place, key_at);
        }
        index
    }
}

impl Free {
    fn set(&mut self, place: u32, is_free: bool) {
        let (word, bit) = (place as usize / 64, 1 << (place % 64));
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        if is_free {
            self.words[word] |= bit;
            self.from = self.from.min(word);
        } else {
            self.words[word] &= !bit;
        }
    }

    /// The lowest.
    fn first(&mut self) -> Option<u32> {
        while *self.words.get(self.from)? == 0 {
            self.from += 1;
        }
        Some(self.from as u32 * 64 + self.words[self.from].trailing_zeros())
    }
}

/// The same in every run; no order depends on it.
fn hash<T: Hash>(key: &T) -> u64 {
    foldhash::fast::FixedState::default().hash_one(key)
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;

    use proptest::prelude::*;

    use super::*;

    fn fires(due: Due<char>) -> Option<char> {
        match due {
            Due::Fire(key) => Some(key),
            _ => None,
        }
    }

    #[test]
    fn a_timer_set_later_is_re_armed_when_its_entry_comes_up() {
        let mut timers = Timers::default();
        assert_eq!(timers.set('a', 10), Some(0));
        assert_eq!(timers.set('a', 20), None);
        assert!(matches!(timers.due(0, 10), Due::Later(20)));
        assert_eq!(fires(timers.due(0, 20)), Some('a'));
        assert!(matches!(timers.due(0, 20), Due::Stale));
    }

    #[test]
    fn a_timer_set_earlier_gets_a_new_entry_and_fires_once() {
        let mut timers = Timers::default();
        timers.set('a', 20);
        assert_eq!(timers.set('a', 10), Some(0));
        assert_eq!(fires(timers.due(0, 10)), Some('a'));
        assert!(matches!(timers.due(0, 20), Due::Stale));
    }

    /// Places do not depend on how timers are found.
    #[test]
    fn many_timers_take_the_first_free_place_like_few() {
        let mut timers = Timers::default();
        let letters: Vec<char> = ('a'..='z').collect();
        for (nth, &letter) in letters.iter().enumerate() {
            assert_eq!(timers.set(letter, 100 + nth as u64), Some(nth as u32));
        }
        for place in [20, 3, 9] {
            assert_eq!(fires(timers.due(place, 100 + u64::from(place))), Some(letters[place as usize]));
        }
        timers.cancel('y');
        assert_eq!(timers.set('j', 200), Some(9), "a key keeps its place while nobody takes it");
        assert_eq!(timers.set('A', 201), Some(3));
        assert_eq!(timers.set('d', 202), Some(20), "its own was taken");
        assert_eq!(timers.set('u', 203), Some(26), "none is free: the cancelled one still has its entry");
        assert!(matches!(timers.due(24, 124), Due::Stale));
        assert_eq!(timers.set('B', 204), Some(24));
        assert_eq!(timers.set('d', 150), Some(20));
        assert_eq!(fires(timers.due(20, 150)), Some('d'));
        timers.wait(20, 150);
        assert_eq!(timers.set('C', 205), Some(27), "what waits in an inbox is not free");
        assert_eq!(fires(timers.check(20, 160)), Some('d'));
        assert_eq!(timers.set('D', 206), Some(20));
    }

    proptest! {
        #[test]
        fn many_are_found_where_searching_finds_them(
            ops in prop::collection::vec((0_u8..4, 0_u16..60, 0_u64..200), 200..400),
        ) {
            let (mut indexed, mut searched) = (Timers::default(), Timers::default());
            let mut entries = BinaryHeap::new();
            let mut now = 0;
            for (op, key, value) in ops {
                match op {
                    0 | 1 => {
                        let place = indexed.set(key, now + value);
                        prop_assert_eq!(place, searched.set(key, now + value));
                        entries.extend(place.map(|place| Reverse((now + value, place))));
                    }
                    2 => {
                        indexed.cancel(key);
                        searched.cancel(key);
                    }
                    _ => if let Some(Reverse((at, place))) = entries.pop() {
                        now = at;
                        let due = indexed.due(place, at);
                        prop_assert_eq!(&due, &searched.due(place, at));
                        match due {
                            Due::Fire(_) if value % 2 == 0 => {
                                indexed.wait(place, at);
                                searched.wait(place, at);
                                prop_assert_eq!(indexed.check(place, at), searched.check(place, at));
                            }
                            Due::Later(later) => entries.push(Reverse((later, place))),
                            Due::Fire(_) | Due::Stale => {}
                        }
                    }
                }
                if let Some(rest) = &mut searched.rest {
                    rest.index = None;
                }
            }
        }
    }

    #[test]
    fn a_cancelled_timer_is_silent_and_its_place_is_used_again() {
        let mut timers = Timers::default();
        timers.set('a', 10);
        timers.cancel('a');
        assert_eq!(timers.set('b', 5), Some(1));
        assert!(matches!(timers.due(0, 10), Due::Stale));
        assert_eq!(timers.set('c', 30), Some(0));
        assert_eq!(fires(timers.due(1, 5)), Some('b'));
        assert_eq!(fires(timers.due(0, 30)), Some('c'));
    }
}
