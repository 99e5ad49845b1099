//! A task on the hub's board.

use std::collections::BTreeMap;

use serde::Serialize;

use super::board::Member;
use super::messages::Spec;
use crate::contract::{NodeId, Time};
use crate::scheduler::trust::Fixed;

/// What becomes of a task on its way. One that is valid, or given up, leaves the board.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub enum State {
    /// It waits for room in the active queue.
    Pending,
    /// It is active, and nobody has it.
    InQueue,
    /// Somebody has it.
    InProgress,
    /// All its assignments have answers. It stays so only if they are too few.
    Completed,
    /// No answer was believed, or no node was found.
    Failed,
}

/// A task.
#[derive(Clone, Debug, Serialize)]
pub struct Task {
    /// What its client said.
    pub spec: Spec,
    /// The trust that a node must have.
    pub required: Fixed,
    /// Since when it is on the board.
    pub created: Time,
    /// Where it is.
    pub state: State,
    /// In how many passes no node was found for it.
    pub stale: u32,
    /// Who has it, and what they said: nothing yet, or an output that may be empty.
    pub assignments: BTreeMap<NodeId, Option<Output>>,
}

/// What a node handed in; `None` is an empty output.
pub type Output = Option<u64>;

/// Of a task's priority, for each pass in which no node was found, and for a task in progress in tenths.
const STALE_PENALTY_SECONDS: i128 = 10;
const BOOST_TENTHS: i128 = 12;
/// A task gives way to one whose priority is more than this, in tenths of its own.
const SWAP_TENTHS: i128 = 13;
const NANOS: i128 = 1_000_000_000;

impl Task {
    /// Age / (cpu + ram / 2) - 10 stale, and 1.2 times that in progress: in tenths of billionths, rounded down. What is not
    /// told of the needs, or 0, counts as a half.
    pub(super) fn priority(&self, now: Time) -> i128 {
        let quarters = |need: Option<u32>, each: i128| {
            need.filter(|&need| need > 0).map_or(each / 2, |need| i128::from(need) * each)
        };
        let age = i128::from(now.since(self.created).as_nanos());
        let size = quarters(self.spec.cpu, 4) + quarters(self.spec.ram, 2);
        let plain = age * 4 / size - STALE_PENALTY_SECONDS * NANOS * i128::from(self.stale);
        plain * if self.state == State::InProgress { BOOST_TENTHS } else { 10 }
    }

    /// Whether it gives way to a task of that priority.
    pub(super) fn gives_way(&self, now: Time, to: i128) -> bool {
        to * 10 > self.priority(now) * SWAP_TENTHS
    }

    /// How badly this much free fits: |cpu - need| / max(need, 1) + |ram - need| / max(need, 1), times the denominators,
    /// which are the same for all nodes.
    pub(super) fn misfit(&self, cpu: u32, ram: u32) -> u128 {
        let (cores, memory) = self.needs();
        let apart = |free: u32, need: u32| u128::from(free.abs_diff(need));
        apart(cpu, cores) * u128::from(memory.max(1)) + apart(ram, memory) * u128::from(cores.max(1))
    }

    /// Whether a node has as much as it needs.
    #[must_use]
    pub fn fits(&self, member: &Member) -> bool {
        let (cores, memory) = self.needs();
        member.cpu >= cores && member.ram >= memory
    }

    /// How many nodes it is still to be given to.
    #[must_use]
    pub fn wanting(&self) -> usize {
        (self.spec.overlap as usize).saturating_sub(self.assignments.len())
    }

    /// How many have answered, be it with nothing.
    #[must_use]
    pub fn answers(&self) -> usize {
        self.assignments.values().flatten().count()
    }

    /// Whether it takes up room in the active queue.
    #[must_use]
    pub fn is_active(&self) -> bool {
        matches!(self.state, State::InQueue | State::InProgress)
    }

    /// What is not told is no need.
    fn needs(&self) -> (u32, u32) {
        (self.spec.cpu.unwrap_or(0), self.spec.ram.unwrap_or(0))
    }
}
