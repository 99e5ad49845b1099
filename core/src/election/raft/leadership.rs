//! What a leader knows of who follows it.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use crate::contract::{Duration, NodeId, Time};
use crate::election::Voters;

/// The rounds of heartbeats of one leader in one term, by its own clock.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Leadership {
    /// When each remembered round began.
    started: VecDeque<Time>,
    /// The number of the next round.
    next: u64,
    /// The start of the latest round that each follower has answered.
    answered: BTreeMap<NodeId, Time>,
    /// The start of the latest round that a majority has answered.
    majority: Option<Time>,
    since: Time,
}

impl Leadership {
    pub(super) fn new(now: Time) -> Self {
        Self { started: VecDeque::new(), next: 0, answered: BTreeMap::new(), majority: None, since: now }
    }

    /// Begins a round and gives its number. Forgets rounds that began more than `memory` ago: an answer to one of
    /// them comes too late to prove anything.
    pub(super) fn begin_round(&mut self, now: Time, memory: Duration) -> u64 {
        while self.started.front().is_some_and(|&start| now.since(start) > memory) {
            self.started.pop_front();
        }
        self.started.push_back(now);
        self.next += 1;
        self.next - 1
    }

    /// A follower has answered a round. Unknown rounds are ignored.
    pub(super) fn acknowledge(&mut self, from: NodeId, round: u64) {
        let back = self.next.checked_sub(round).and_then(|back| usize::try_from(back).ok());
        let index = back.and_then(|back| self.started.len().checked_sub(back));
        if let Some(&start) = index.and_then(|index| self.started.get(index)) {
            let latest = self.answered.entry(from).or_insert(start);
            *latest = start.max(*latest);
        }
    }

    /// Finds the latest round that a majority, the leader included, has answered.
    pub(super) fn take_stock(&mut self, voters: &Voters, me: NodeId) {
        let needed = voters.majority() - usize::from(voters.contains(me));
        let answered = self.answered.iter().filter(|(voter, _)| voters.contains(**voter));
        let mut starts: Vec<Time> = answered.map(|(_, &start)| start).collect();
        starts.sort_unstable_by(|a, b| b.cmp(a));
        let reached = match needed {
            0 => self.started.back().copied(),
            _ => starts.get(needed - 1).copied(),
        };
        self.majority = self.majority.max(reached);
    }

    /// When a majority was last known to follow: the start of a round that it answered, or of this leadership.
    pub(super) fn heard_majority(&self) -> Time {
        self.majority.unwrap_or(self.since)
    }

    /// Whether a lease of this length, counted from the start of such a round, is still valid.
    pub(super) fn is_leased(&self, now: Time, length: Duration) -> bool {
        self.majority.is_some_and(|start| now.since(start) < length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_majority_answers_when_the_leader_and_enough_others_do() {
        let (voters, me) = (Voters::first(5), NodeId(0));
        let mut leadership = Leadership::new(Time(0));
        let round = leadership.begin_round(Time(10), MS);
        leadership.acknowledge(NodeId(1), round);
        leadership.take_stock(&voters, me);
        assert_eq!(leadership.heard_majority(), Time(0));
        assert!(!leadership.is_leased(Time(10), MS));
        let later = leadership.begin_round(Time(20), MS);
        leadership.acknowledge(NodeId(2), later);
        leadership.acknowledge(NodeId(7), later);
        leadership.take_stock(&voters, me);
        assert_eq!(leadership.heard_majority(), Time(10));
        assert!(leadership.is_leased(Time(10 + MS.as_nanos() - 1), MS));
        assert!(!leadership.is_leased(Time(10 + MS.as_nanos()), MS));
    }

    #[test]
    fn answers_to_forgotten_or_invented_rounds_prove_nothing() {
        let mut leadership = Leadership::new(Time(0));
        let old = leadership.begin_round(Time(0), MS);
        leadership.begin_round(Time(2 * MS.as_nanos()), MS);
        for round in [old, 2, u64::MAX] {
            leadership.acknowledge(NodeId(1), round);
        }
        leadership.take_stock(&Voters::first(3), NodeId(0));
        assert!(!leadership.is_leased(Time(0), MS));
    }

    #[test]
    fn an_old_answer_does_not_undo_a_new_one() {
        let mut leadership = Leadership::new(Time(0));
        let (old, new) = (leadership.begin_round(Time(1), MS), leadership.begin_round(Time(2), MS));
        leadership.acknowledge(NodeId(1), new);
        leadership.acknowledge(NodeId(1), old);
        leadership.take_stock(&Voters::first(3), NodeId(0));
        assert_eq!(leadership.heard_majority(), Time(2));
    }
}
