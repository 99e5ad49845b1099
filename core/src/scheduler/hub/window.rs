//! DistriCloud's queue: few tasks are considered at a time, and which these are changes with their age.
//!
//! Source: the thesis "Components for a Decentralized Cloud" (Dragos), the orchestration pass, steps 1 to 3. A task's
//! priority is `P = (age / (cpu + ram / 2) - 10 stale) * (1.2 if in progress)`, age in seconds, memory in GiB, half of one
//! for what is missing. Each pass lets the waiting task of the highest P take the place of the queued one of the lowest, if
//! P is more than 1.3 times as high, and fills free places by P.
//!
//! Tasks of one weight, `cpu + ram / 2`, keep their order while time passes: P is `(now - birth) / weight`, where
//! `birth` moves by `10 weight` with each stale pass. So only the first of each weight is looked at.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::entry::{Needs, TaskId};
use crate::contract::Time;

/// A task that was stale so often has failed.
pub(super) const STALE_MAX: u32 = 50;
const UNIT: i128 = 1_000_000_000;
const STALE_PENALTY: i128 = 10;
/// A swap needs a priority of more than so many tenths of the other.
const SWAP_TENTHS: i128 = 13;
const BOOST_TENTHS: i128 = 12;

/// What the order of a task depends on.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Member {
    pub(super) submitted: Time,
    /// See [`weight`].
    pub(super) weight: u64,
    /// Passes in which there was nobody for it.
    pub(super) stale: u32,
    /// Whether somebody has it.
    pub(super) in_progress: bool,
}

/// `cpu + ram / 2` in billionths.
pub(super) fn weight(needs: &Needs) -> u64 {
    let or_half = |amount: u128| if amount == 0 { UNIT as u128 / 2 } else { amount };
    let (cores, ram) =
        (u128::from(needs.cores) * UNIT as u128, (u128::from(needs.ram.0) * UNIT as u128) >> 30);
    u64::try_from(or_half(cores) + or_half(ram) / 2).unwrap_or(u64::MAX)
}

impl Member {
    /// P in billionths.
    pub(super) fn priority(&self, now: Time) -> i128 {
        let age = i128::from(now.since(self.submitted).as_nanos());
        let calm =
            age * UNIT / i128::from(self.weight.max(1)) - STALE_PENALTY * i128::from(self.stale) * UNIT;
        if self.in_progress { calm * BOOST_TENTHS / 10 } else { calm }
    }

    /// Its place among those of its weight.
    fn birth(&self) -> i128 {
        i128::from(self.submitted.0) + STALE_PENALTY * i128::from(self.stale) * i128::from(self.weight)
    }
}

/// Whether a queued task of the priority `low` gives way to a waiting one of the priority `high`.
pub(super) const fn gives_way(low: i128, high: i128) -> bool {
    high * 10 > low * SWAP_TENTHS
}

/// Tasks that wait, and those that are considered.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Window {
    active: BTreeMap<TaskId, Member>,
    pending: BTreeMap<u64, BTreeSet<(i128, TaskId)>>,
    waiting: BTreeMap<TaskId, Member>,
}

/// What a pass changed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Pass {
    /// Who is considered no more.
    pub(super) out: Option<TaskId>,
    /// Who is considered from now on, in the order of their priority.
    pub(super) into: Vec<TaskId>,
}

impl Window {
    /// A task wants workers. True if it is considered already.
    pub(super) fn enter(&mut self, task: TaskId, member: Member) -> bool {
        let is_active = self.active.contains_key(&task);
        if !is_active && !self.waiting.contains_key(&task) {
            self.waiting.insert(task, member);
            self.pending.entry(member.weight).or_default().insert((member.birth(), task));
        }
        is_active
    }

    /// A task is done, or rests.
    pub(super) fn leave(&mut self, task: TaskId) {
        self.active.remove(&task);
        self.unwait(task);
    }

    fn unwait(&mut self, task: TaskId) -> Option<Member> {
        let member = self.waiting.remove(&task)?;
        if let Some(class) = self.pending.get_mut(&member.weight) {
            class.remove(&(member.birth(), task));
            if class.is_empty() {
                self.pending.remove(&member.weight);
            }
        }
        Some(member)
    }

    /// Somebody has a task now, or nobody.
    pub(super) fn progress(&mut self, task: TaskId, in_progress: bool) {
        if let Some(member) = self.active.get_mut(&task) {
            member.in_progress = in_progress;
        }
    }

    /// Those that are considered and nobody has.
    pub(super) fn queued(&self) -> impl Iterator<Item = (TaskId, &Member)> {
        self.active.iter().filter(|(_, member)| !member.in_progress).map(|(task, member)| (*task, member))
    }

    /// There was nobody for a task in this pass. Returns how often by now.
    pub(super) fn stale(&mut self, task: TaskId) -> u32 {
        self.active.get_mut(&task).map_or(0, |member| {
            member.stale = member.stale.saturating_add(1);
            member.stale
        })
    }

    /// One pass, with so many places.
    pub(super) fn pass(&mut self, now: Time, places: u32) -> Pass {
        let mut pass = Pass::default();
        let lowest = self.queued().map(|(task, member)| (member.priority(now), task)).min();
        if self.active.len() >= places as usize
            && let Some(((low, task), (high, next))) = lowest.zip(self.highest(now))
            && gives_way(low, high)
            && let Some(member) = self.active.remove(&task)
        {
            self.admit(next);
            pass.into.push(next);
            self.enter(task, member);
            pass.out = Some(task);
        }
        while self.active.len() < places as usize
            && let Some((_, next)) = self.highest(now)
        {
            self.admit(next);
            pass.into.push(next);
        }
        pass
    }

    fn admit(&mut self, task: TaskId) {
        if let Some(member) = self.unwait(task) {
            self.active.insert(task, member);
        }
    }

    /// The waiting task of the highest priority; of equals the one submitted first.
    fn highest(&self, now: Time) -> Option<(i128, TaskId)> {
        let first = self.pending.values().filter_map(|class| class.first());
        let rated = first.filter_map(|(_, task)| Some((self.waiting.get(task)?.priority(now), *task)));
        rated.max_by_key(|(priority, task)| (*priority, std::cmp::Reverse(*task)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Bytes;

    const SECOND: u64 = 1_000_000_000;

    fn member(submitted: u64, cores: u32, gib: u64) -> Member {
        let weight = weight(&Needs { cores, ram: Bytes(gib << 30), tags: Vec::new() });
        Member { submitted: Time(submitted * SECOND), weight, stale: 0, in_progress: false }
    }

    /// By the published formula: (age / (cpu + ram / 2) - 10 stale) * 1.2 if in progress; a missing need counts as 0.5.
    #[test]
    fn priority_is_age_per_need() {
        let tenths = |member: Member| member.priority(Time(100 * SECOND)) * 10 / UNIT;
        assert_eq!(tenths(member(0, 2, 4)), 250);
        assert_eq!(tenths(member(40, 1, 2)), 300);
        assert_eq!(tenths(Member { stale: 3, ..member(0, 2, 4) }), -50);
        assert_eq!(tenths(Member { in_progress: true, ..member(0, 2, 4) }), 300);
        assert_eq!(tenths(member(25, 0, 0)), 1000);
    }

    #[test]
    fn a_swap_needs_more_than_thirteen_tenths() {
        assert!(!gives_way(10, 13));
        assert!(gives_way(10, 14));
        assert!(gives_way(-10, -10) && gives_way(-10, 1) && !gives_way(0, 0));
    }

    #[test]
    fn places_are_filled_by_priority_and_one_is_swapped_in_a_pass() {
        let mut window = Window::default();
        for (task, member) in [member(0, 8, 0), member(0, 4, 0), member(0, 6, 0)].into_iter().enumerate() {
            assert!(!window.enter(TaskId(task as u64), member));
        }
        let ids = |ids: &[u64]| ids.iter().copied().map(TaskId).collect::<Vec<_>>();
        let at = |seconds: u64| Time(seconds * SECOND);
        assert_eq!(window.pass(at(10), 2), Pass { out: None, into: ids(&[1, 2]) });
        // P: 20/4.25 and 20/6.25 = 3.2 against 10/1.25 = 8, twice; the lowest goes, and one swap is all.
        window.enter(TaskId(3), member(10, 1, 0));
        window.enter(TaskId(4), member(10, 1, 0));
        assert_eq!(window.pass(at(20), 2), Pass { out: Some(TaskId(2)), into: ids(&[3]) });
        assert_eq!(window.pass(at(20), 2), Pass { out: Some(TaskId(1)), into: ids(&[4]) });
        // 24/4.25 = 5.6 against 8 or more: all stay.
        assert_eq!(window.pass(at(24), 2), Pass::default());
        window.leave(TaskId(3));
        assert_eq!(window.pass(at(24), 2), Pass { out: None, into: ids(&[1]) });
    }
}
