//! The timers of one node, by its own steady clock.

use std::collections::{BTreeMap, HashMap};

use seedbed_core::contract::{Data, Time};

/// The timers of one node, by its own steady clock. Of those due, the earliest comes first.
#[derive(Debug)]
pub(super) struct Timers<T> {
    /// Deadlines, with a number that tells apart those of the same moment.
    queue: BTreeMap<(Time, u64), T>,
    set: HashMap<T, (Time, u64)>,
    numbered: u64,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self { queue: BTreeMap::new(), set: HashMap::new(), numbered: 0 }
    }
}

impl<T: Data + Copy> Timers<T> {
    /// Sets a timer, or sets it anew.
    pub(super) fn set(&mut self, timer: T, at: Time) {
        self.numbered += 1;
        let place = (at, self.numbered);
        if let Some(before) = self.set.insert(timer, place) {
            self.queue.remove(&before);
        }
        self.queue.insert(place, timer);
    }

    pub(super) fn cancel(&mut self, timer: T) {
        if let Some(place) = self.set.remove(&timer) {
            self.queue.remove(&place);
        }
    }

    /// When the next one runs out.
    pub(super) fn next(&self) -> Option<Time> {
        self.queue.first_key_value().map(|((at, _), _)| *at)
    }

    /// A timer that has run out by `now`: it is no longer set.
    pub(super) fn due(&mut self, now: Time) -> Option<T> {
        let entry = self.queue.first_entry().filter(|entry| entry.key().0 <= now)?;
        let timer = entry.remove();
        self.set.remove(&timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_run_out_in_order_and_once() {
        let mut timers = Timers::default();
        for (timer, at) in [('c', 3), ('a', 1), ('b', 3), ('d', 9)] {
            timers.set(timer, Time(at));
        }
        assert_eq!(timers.next(), Some(Time(1)));
        let fired: Vec<char> = std::iter::from_fn(|| timers.due(Time(3))).collect();
        assert_eq!(fired, ['a', 'c', 'b']);
        assert_eq!((timers.next(), timers.due(Time(8))), (Some(Time(9)), None));
    }

    #[test]
    fn a_timer_set_again_or_cancelled_does_not_run_out_as_before() {
        let mut timers = Timers::default();
        timers.set('a', Time(1));
        timers.set('a', Time(5));
        timers.set('b', Time(2));
        timers.cancel('b');
        timers.cancel('z');
        assert_eq!(timers.due(Time(4)), None);
        assert_eq!(timers.due(Time(5)), Some('a'));
        assert_eq!(timers.next(), None);
    }
}
