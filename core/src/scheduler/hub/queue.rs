//! Which task is next.
//!
//! A policy gives each task that becomes ready a key, and the smallest key is next. Keys do not change while time passes,
//! so the queue is a set of ordered *lanes*, one for each kind of needs: if one task of a lane fits nowhere, none does.
//! Only `districloud` has an order that changes with time; it has a [`Window`](super::window::Window) before the lanes.
//!
//! Sources: linear ageing is Kleinrock's time-dependent priority with one slope (1964), whose order is fixed on arrival;
//! `edf` is Liu and Layland's (1973); `fair` is start-time fair queueing (Goyal, Vin, Cheng 1996) with equal weights.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::entry::{NEEDS_MAX, Needs, Spec, TaskId, UserId};
use super::rules::Parameters;
use super::window::Window;
use crate::choice;
use crate::contract::Time;
use crate::scheduler::trust::Fixed;

choice! {
    /// Which task is next.
    pub enum QueuePolicy {
        /// The one submitted first.
        Fifo,
        /// The one of the highest priority, where waiting for `aging` makes up for one step.
        Priority,
        /// DistriCloud's: of `active` tasks at a time, chosen by their age per need, with one swap a pass.
        Districloud,
        /// The one with the least work.
        Sjf,
        /// The one with the earliest deadline; those without one come last.
        Edf,
        /// The user who had the least so far.
        Fair,
    }
}

/// Where a task stands in the queue: the smallest is next. Equal ones go by their number.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Key(pub i128);

/// The lower bits of a key order the tasks of one workflow; there are fewer than 2^20 of them.
const RANK_BITS: u32 = 20;

impl Key {
    fn of(policy: i128) -> Self {
        Self(policy.clamp(i128::MIN >> RANK_BITS, i128::MAX >> RANK_BITS) << RANK_BITS)
    }

    /// The key of one of several that the policy ranks alike.
    pub(super) fn then(self, rank: u32) -> Self {
        Self(self.0.saturating_add(rank.into()))
    }

    /// What the policy said.
    pub(super) const fn policy(self) -> i128 {
        self.0 >> RANK_BITS
    }
}

impl QueuePolicy {
    /// The key of a task that was submitted at `submitted`; `tag` is its user's [start tag](Shares::start).
    #[must_use]
    pub fn key(self, parameters: &Parameters, spec: &Spec, submitted: Time, tag: u128) -> Key {
        let since = i128::from(submitted.0);
        Key::of(match self {
            Self::Fifo | Self::Districloud => since,
            Self::Priority => since - i128::from(spec.priority) * i128::from(parameters.aging.as_nanos()),
            Self::Sjf => spec.work.as_nanos().into(),
            Self::Edf => spec.deadline.map_or(i128::MAX, |within| since + i128::from(within.as_nanos())),
            Self::Fair => i128::try_from(tag).unwrap_or(i128::MAX),
        })
    }
}

/// What users had: start-time fair queueing. A user's next task starts, in virtual time, when its last one ended, or now.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Shares {
    now: u128,
    /// When the last task of each user ends.
    ends: BTreeMap<UserId, u128>,
}

impl Shares {
    /// The start tag of a user's next task, which costs so many nanoseconds of one core.
    pub fn start(&mut self, user: UserId, cost: u128) -> u128 {
        let start = self.ends.get(&user).copied().unwrap_or_default().max(self.now);
        self.ends.insert(user, start.saturating_add(cost.max(1)));
        start
    }

    /// A task of this start tag is given out: virtual time goes on to it.
    pub fn advance(&mut self, tag: u128) {
        self.now = self.now.max(tag);
    }

    /// Forgets a user who has no tasks any more, unless it had more than its share.
    pub fn forget(&mut self, user: UserId) {
        if self.ends.get(&user).is_some_and(|end| *end <= self.now) {
            self.ends.remove(&user);
        }
    }
}

/// Tasks that want workers.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Queue {
    lanes: BTreeMap<LaneId, Lane>,
    by_shape: BTreeMap<Shape, LaneId>,
    next_lane: u32,
    /// Counts what was bound: the place in a worker's line, first come, first served.
    next_place: u64,
    pub(super) shares: Shares,
    pub(super) window: Window,
}

/// Which lane.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub(super) struct LaneId(u32);

/// All that decides whether a worker can take a task.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub(super) struct Shape {
    pub(super) needs: Needs,
    pub(super) trust: Fixed,
}

/// Tasks of one shape.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Lane {
    pub(super) shape: Shape,
    /// Tasks of it that are not done, queued or not.
    open: u32,
    pub(super) queue: BTreeSet<(Key, TaskId)>,
    /// Nobody has room for any task of it, so that a new one need not look.
    pub(super) is_blocked: bool,
}

impl Queue {
    /// Makes room for tasks of these shapes. False, and nothing happens, if there would be too many lanes.
    pub(super) fn admits(&self, shapes: &BTreeSet<Shape>) -> bool {
        let new = shapes.iter().filter(|shape| !self.by_shape.contains_key(shape)).count();
        self.by_shape.len() + new <= NEEDS_MAX
    }

    /// The lane for a new task of this shape.
    pub(super) fn open(&mut self, shape: Shape) -> LaneId {
        let id = *self.by_shape.entry(shape.clone()).or_insert_with(|| {
            self.next_lane = self.next_lane.wrapping_add(1);
            LaneId(self.next_lane)
        });
        let empty = || Lane { shape, open: 0, queue: BTreeSet::new(), is_blocked: false };
        self.lanes.entry(id).or_insert_with(empty).open += 1;
        id
    }

    /// The last place in any line.
    pub(super) fn next_place(&mut self) -> Key {
        self.next_place += 1;
        Key(self.next_place.into())
    }

    /// A task of this lane is done.
    pub(super) fn close(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        lane.open = lane.open.saturating_sub(1);
        if lane.open == 0
            && let Some(lane) = self.lanes.remove(&id)
        {
            self.by_shape.remove(&lane.shape);
        }
    }

    pub(super) fn push(&mut self, id: LaneId, key: Key, task: TaskId) {
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.queue.insert((key, task));
        }
    }

    pub(super) fn remove(&mut self, id: LaneId, key: Key, task: TaskId) {
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.queue.remove(&(key, task));
            lane.is_blocked &= !lane.queue.is_empty();
        }
    }

    pub(super) fn lane(&self, id: LaneId) -> Option<&Lane> {
        self.lanes.get(&id)
    }

    pub(super) fn block(&mut self, id: LaneId, is_blocked: bool) {
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.is_blocked = is_blocked && !lane.queue.is_empty();
        }
    }

    /// The lanes in which tasks wait.
    pub(super) fn busy(&self) -> impl Iterator<Item = (LaneId, &Lane)> {
        self.lanes.iter().filter(|(_, lane)| !lane.queue.is_empty()).map(|(id, lane)| (*id, lane))
    }

    /// Every task that wants a worker.
    pub(super) fn tasks(&self) -> impl Iterator<Item = TaskId> {
        self.lanes.values().flat_map(|lane| lane.queue.iter().map(|(_, task)| *task))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::contract::Duration;
    use crate::settings::Bytes;

    fn spec(priority: u32, work: u64, deadline: Option<u64>) -> Spec {
        Spec {
            name: String::new(),
            needs: Needs { cores: 1, ram: Bytes(0), tags: Vec::new() },
            call: Arc::default(),
            work: Duration::from_secs(work),
            input: Bytes(0),
            output: Bytes(0),
            trust: Fixed::ZERO,
            validation: None,
            overlap: None,
            priority,
            deadline: deadline.map(Duration::from_secs),
            retries: 0,
        }
    }

    #[test]
    fn each_policy_has_its_order() {
        // When submitted, priority, work, deadline after the submission, all in seconds.
        let tasks = [
            (0, spec(0, 9, None)),
            (10, spec(1, 5, Some(100))),
            (20, spec(0, 7, Some(50))),
            (100, spec(1, 1, Some(1_000))),
            (130, spec(2, 8, Some(5))),
        ];
        let parameters = Parameters::default();
        let order = |policy: QueuePolicy| {
            let key = |at: usize| {
                let (submitted, spec) = &tasks[at];
                (policy.key(&parameters, spec, Time(submitted * 1_000_000_000), 0), at)
            };
            let mut order: Vec<usize> = (0..tasks.len()).collect();
            order.sort_by_key(|at| key(*at));
            order
        };
        assert_eq!(order(QueuePolicy::Fifo), [0, 1, 2, 3, 4]);
        // A step is worth 60 s: 0, -50, 20, 40, 10.
        assert_eq!(order(QueuePolicy::Priority), [1, 0, 4, 2, 3]);
        assert_eq!(order(QueuePolicy::Sjf), [3, 1, 2, 4, 0]);
        // 110, 70, 1100, 135, and never.
        assert_eq!(order(QueuePolicy::Edf), [2, 1, 4, 3, 0]);
    }

    #[test]
    fn users_share_alike_however_much_one_of_them_brings() {
        let mut shares = Shares::default();
        let mut tagged: Vec<(u128, u64)> = (0..6).map(|_| (shares.start(UserId(1), 10), 1)).collect();
        tagged.extend((0..3).map(|_| (shares.start(UserId(2), 10), 2)));
        tagged.sort();
        let users: Vec<u64> = tagged.iter().map(|(_, user)| *user).collect();
        assert_eq!(users, [1, 2, 1, 2, 1, 2, 1, 1, 1]);
        // Who comes later has no credit for the time before.
        shares.advance(40);
        assert_eq!(shares.start(UserId(3), 10), 40);
        assert_eq!(shares.start(UserId(1), 10), 60);
    }
}
