//! What the kernel keeps of each node: a cache line or two of what every event touches, and the rest apart.

use std::collections::VecDeque;

use seedbed_core::contract::{EffectOf, Life, Protocol};

use crate::clock::{Clock, Origin};
use crate::disk::{Disk, Gated};
use crate::world::Event;

/// What every event touches.
#[derive(Clone)]
#[repr(align(64))]
pub(crate) struct Slot<P: Protocol> {
    pub(crate) state: P,
    pub(crate) timers: Timers<P::Timer>,
    /// Steps taken in this life.
    pub(crate) steps: u64,
    /// Of its steady clock in this life.
    pub(crate) origin: Origin,
    /// At most [`LIVES_MAX`].
    pub(crate) life: u16,
    pub(crate) is_up: bool,
    /// Whether there is anything in its [`Rare`].
    pub(crate) is_rare: bool,
}

/// A node that has lived so often does not start again: in-flight messages carry the life in 16 bits.
pub(crate) const LIVES_MAX: u16 = u16::MAX;

impl<P: Protocol> Slot<P> {
    pub(crate) const fn life(&self) -> Life {
        Life(self.life as u32)
    }

    /// Whether it has ever started.
    pub(crate) const fn has_lived(&self) -> bool {
        self.life > 0 || self.steps > 0
    }
}

/// What only some nodes have.
#[derive(Clone)]
pub(crate) struct Rare<P: Protocol> {
    pub(crate) clock: Option<Clock>,
    pub(crate) disk: Option<Disk<P::Record>>,
    /// What waits for the disk.
    pub(crate) gated: VecDeque<Gated<P>>,
    /// What came while the node was held.
    pub(crate) inbox: VecDeque<Event<P>>,
    pub(crate) held: Held,
    /// What a step that is still being computed will do.
    pub(crate) computed: VecDeque<EffectOf<P>>,
    /// And when it is over.
    pub(crate) computed_at: u64,
    /// Until when the CPU computes jobs, in world time.
    pub(crate) jobs_until: u64,
}

/// Why a node takes no input.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Held {
    /// A fault paused it.
    pub(crate) paused: bool,
    /// It waits for its blocking disk.
    pub(crate) syncing: bool,
    /// Its last step is still being computed.
    pub(crate) computing: bool,
    /// The disk refused a record, which it has to hear first.
    pub(crate) refused: bool,
}

impl Held {
    pub(crate) const fn any(self) -> bool {
        self.paused || self.syncing || self.computing || self.refused
    }
}

impl<P: Protocol> Default for Rare<P> {
    fn default() -> Self {
        Self {
            clock: None,
            disk: None,
            gated: VecDeque::new(),
            inbox: VecDeque::new(),
            held: Held::default(),
            computed: VecDeque::new(),
            computed_at: 0,
            jobs_until: 0,
        }
    }
}

/// The timers of one node. Each has at most one live queue entry: a timer set again to a later time is re-armed when
/// its entry comes up.
#[derive(Clone)]
pub(crate) struct Timers<T> {
    first: Armed<T>,
    #[expect(clippy::box_collection, reason = "8 bytes in every slot, not 24")]
    rest: Option<Box<Vec<Armed<T>>>>,
}

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

impl<T: Copy + Eq> Timers<T> {
    /// Sets a timer; gives the index for a new queue entry, if one is needed.
    #[inline]
    pub(crate) fn set(&mut self, key: T, deadline: u64) -> Option<u32> {
        let deadline = deadline.min(NEVER - 1);
        let index = self.place(key);
        let armed = self.at(index)?;
        armed.deadline = deadline;
        (deadline < armed.queued).then(|| {
            armed.queued = deadline;
            index
        })
    }

    #[inline]
    pub(crate) fn cancel(&mut self, key: T) {
        let armed =
            std::iter::once(&mut self.first).chain(self.rest.iter_mut().flat_map(|rest| rest.iter_mut()));
        if let Some(armed) = armed.into_iter().find(|armed| armed.key == Some(key)) {
            armed.deadline = NEVER;
        }
    }

    /// A queue entry came up at `at`.
    #[inline]
    pub(crate) fn due(&mut self, index: u32, at: u64) -> Due<T> {
        match self.at(index) {
            Some(armed) if armed.queued == at => {
                armed.queued = NEVER;
                self.check(index, at)
            }
            _ => Due::Stale,
        }
    }

    /// A timer that is due waits in its node's inbox: [`check`](Self::check) fires it then.
    pub(crate) fn wait(&mut self, index: u32, at: u64) {
        if let Some(armed) = self.at(index) {
            armed.deadline = at;
        }
    }

    /// Whether a timer that has no queue entry is due by `at`.
    #[inline]
    pub(crate) fn check(&mut self, index: u32, at: u64) -> Due<T> {
        let Some(armed) = self.at(index) else { return Due::Stale };
        match armed.key {
            Some(key) if armed.deadline <= at => {
                armed.deadline = NEVER;
                Due::Fire(key)
            }
            Some(_) if armed.deadline < armed.queued => {
                armed.queued = armed.deadline;
                Due::Later(armed.deadline)
            }
            _ => Due::Stale,
        }
    }

    /// The clock runs at another rate from now on: moves the deadlines of all timers that are set. Gives the indices
    /// and times of new queue entries.
    pub(crate) fn move_all(&mut self, to: impl Fn(u64) -> u64) -> Vec<(u32, u64)> {
        let rest = self.rest.iter_mut().flat_map(|rest| rest.iter_mut());
        let mut entries = Vec::new();
        for (index, armed) in std::iter::once(&mut self.first).chain(rest).enumerate() {
            if armed.deadline == NEVER {
                continue;
            }
            armed.deadline = to(armed.deadline).min(NEVER - 1);
            // Without an entry it is due already and waits in its node's inbox.
            if armed.queued != NEVER && armed.deadline < armed.queued {
                armed.queued = armed.deadline;
                entries.push((index as u32, armed.deadline));
            }
        }
        entries
    }

    #[inline]
    fn at(&mut self, index: u32) -> Option<&mut Armed<T>> {
        match index.checked_sub(1) {
            None => Some(&mut self.first),
            Some(index) => self.rest.as_mut()?.get_mut(index as usize),
        }
    }

    /// The place of this key: its own, a free one, or a new one.
    #[inline]
    fn place(&mut self, key: T) -> u32 {
        if self.first.key == Some(key) {
            return 0;
        }
        self.place_beside(key)
    }

    fn place_beside(&mut self, key: T) -> u32 {
        let rest = self.rest.iter().flat_map(|rest| rest.iter());
        if let Some(index) = rest.clone().position(|armed| armed.key == Some(key)) {
            return index as u32 + 1;
        }
        let is_free = |armed: &Armed<T>| armed.deadline == NEVER && armed.queued == NEVER;
        let all = std::iter::once(&self.first).chain(rest);
        let index = match all.clone().position(is_free) {
            Some(index) => index as u32,
            None => {
                let rest = self.rest.get_or_insert_default();
                rest.push(Armed { key: None, deadline: NEVER, queued: NEVER });
                rest.len() as u32
            }
        };
        if let Some(armed) = self.at(index) {
            armed.key = Some(key);
        }
        index
    }
}

#[cfg(test)]
mod tests {
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
