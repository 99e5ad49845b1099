//! A schedule in the making, for the policies that insert tasks where a processor would idle.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{Instance, Placement, Schedule};
use crate::contract::Duration;

/// What is laid out so far.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    instance: &'a Instance<'a>,
    busy: Vec<Timeline>,
    placed: Vec<Placement>,
    /// For each processor, when it has all that the task at hand needs. Kept to be filled anew for each task.
    supplied: Vec<u64>,
}

impl<'a> Plan<'a> {
    pub(super) fn new(instance: &'a Instance<'a>) -> Self {
        let processors = instance.processors();
        Self {
            instance,
            busy: vec![Timeline::default(); processors],
            placed: vec![Placement::default(); instance.graph().len()],
            supplied: vec![0; processors],
        }
    }

    /// Lays out all tasks, each as soon as those that it needs are: among the ready ones that of the highest priority,
    /// then of the lower index. `choose` says where, given what each processor offers.
    pub(super) fn fill(
        mut self,
        priority: &[u128],
        choose: impl Fn(usize, Offers<'_>) -> Placement,
    ) -> Schedule {
        let graph = self.instance.graph();
        let mut missing = graph.needs();
        let is_ready = |task: &usize| missing[*task] == 0;
        let mut ready: BinaryHeap<_> =
            (0..graph.len()).filter(is_ready).map(|task| (priority[task], Reverse(task))).collect();
        while let Some((_, Reverse(task))) = ready.pop() {
            self.supply(task);
            let place = choose(task, Offers { plan: &self, task });
            self.busy[place.processor as usize].occupy(place);
            self.placed[task] = place;
            for (next, _) in graph.successors(task) {
                missing[next] -= 1;
                if missing[next] == 0 {
                    ready.push((priority[next], Reverse(next)));
                }
            }
        }
        Schedule::new(self.placed, self.instance.processors())
    }

    fn supply(&mut self, task: usize) {
        self.supplied.fill(0);
        for (giver, data) in self.instance.graph().predecessors(task) {
            let Placement { processor, finish, .. } = self.placed[giver];
            self.instance.deliver(data, processor as usize, finish.as_nanos(), &mut self.supplied);
        }
    }
}

/// What the processors offer to one task.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offers<'a> {
    plan: &'a Plan<'a>,
    task: usize,
}

impl Offers<'_> {
    /// The earliest place on a processor: its data is there, and the processor free for as long as it takes.
    pub(super) fn on(self, processor: usize) -> Placement {
        let cost = self.plan.instance.cost(self.task, processor);
        let start = self.plan.busy[processor].earliest(self.plan.supplied[processor], cost.as_nanos());
        let start = Duration::from_nanos(start);
        Placement { processor: processor as u32, start, finish: start + cost }
    }

    /// The earliest places on all processors.
    pub(super) fn all(self) -> impl Iterator<Item = Placement> {
        (0..self.plan.busy.len()).map(move |processor| self.on(processor))
    }

    /// Where it ends first.
    pub(super) fn earliest_finish(self) -> Placement {
        self.all().min_by_key(|place| place.finish).unwrap_or_default()
    }
}

/// When a processor is free.
#[derive(Clone, Debug, Default)]
struct Timeline {
    /// Free times between tasks, none of them empty, in order: from and until.
    gaps: Vec<(u64, u64)>,
    /// From when on it is free for good.
    end: u64,
}

impl Timeline {
    /// The earliest start, from `since` on, of something that takes `cost`. What takes no time disturbs nobody.
    fn earliest(&self, since: u64, cost: u64) -> u64 {
        if cost == 0 {
            return since;
        }
        let first = self.gaps.partition_point(|(_, until)| *until <= since);
        let start = |(from, until): &(u64, u64)| {
            let start = since.max(*from);
            (until.saturating_sub(start) >= cost).then_some(start)
        };
        self.gaps[first..].iter().find_map(start).unwrap_or(since.max(self.end))
    }

    /// Takes a place that [`earliest`](Self::earliest) has found.
    fn occupy(&mut self, place: Placement) {
        let (start, finish) = (place.start.as_nanos(), place.finish.as_nanos());
        if start == finish {
            return;
        }
        let rest = |from, until| (from < until).then_some((from, until));
        if start >= self.end {
            self.gaps.extend(rest(self.end, start));
            self.end = finish;
            return;
        }
        let at = self.gaps.partition_point(|(_, until)| *until <= start);
        let (from, until) = self.gaps[at];
        self.gaps.splice(at..=at, rest(from, start).into_iter().chain(rest(finish, until)));
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The earliest place, found by trying every moment.
        #[test]
        fn what_is_inserted_comes_as_early_as_can_be(asked in vec((0..40_u64, 0..9_u64), 1..25)) {
            let mut timeline = Timeline::default();
            let mut taken: Vec<(u64, u64)> = Vec::new();
            for (since, cost) in asked {
                let start = timeline.earliest(since, cost);
                let is_free = |at: &u64| {
                    cost == 0 || taken.iter().all(|(from, until)| at + cost <= *from || until <= at)
                };
                prop_assert_eq!(Some(start), (since..).find(is_free));
                let [start, finish] = [start, start + cost].map(Duration::from_nanos);
                timeline.occupy(Placement { processor: 0, start, finish });
                taken.extend((cost > 0).then_some((start.as_nanos(), finish.as_nanos())));
            }
        }
    }
}
