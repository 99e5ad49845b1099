//! The policy that decides as work goes on.

use std::cmp::Reverse;
use std::collections::binary_heap::PeekMut;
use std::collections::{BTreeSet, BinaryHeap};

use super::rank::upward_ranks;
use super::{Instance, Placement, Schedule};
use crate::contract::Duration;

/// A graph whose tasks are given out while work goes on: which are ready, how urgent they are, where results lie.
///
/// [`next`](Self::next) decides and changes nothing; [`start`](Self::start), [`finish`](Self::finish) and
/// [`give_back`](Self::give_back) say what came of it. Times are those that really passed, not those of the costs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DynamicList {
    /// By task, scaled.
    ranks: Vec<u128>,
    /// By task, how many of those that it needs have not finished.
    missing: Vec<u32>,
    /// What may start, the most urgent first.
    ready: BTreeSet<(Reverse<u128>, usize)>,
    /// By task, where its result lies and since when.
    results: Vec<Option<(u32, Duration)>>,
}

/// A task and where it is to run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Choice {
    /// The index of the task.
    pub task: usize,
    /// Its place, by the costs: it starts when its data has come.
    pub place: Placement,
}

impl DynamicList {
    /// A graph of which nothing has started.
    #[must_use]
    pub fn new(instance: &Instance<'_>) -> Self {
        let graph = instance.graph();
        let (ranks, missing) = (upward_ranks(instance), graph.needs());
        let ready = (0..graph.len()).filter(|task| missing[*task] == 0);
        let ready = ready.map(|task| (Reverse(ranks[task]), task)).collect();
        Self { ranks, missing, ready, results: vec![None; graph.len()] }
    }

    /// What to do at `now` with the processors that are `free`: the ready task of the highest upward rank, on the one of
    /// them that ends it first. Equal ranks fall to the lower index, equal ends to the processor named first. None if
    /// nothing is ready or nobody free.
    ///
    /// # Panics
    /// If there is no such processor, or the instance is another one.
    #[must_use]
    pub fn next(&self, instance: &Instance<'_>, now: Duration, free: &[u32]) -> Option<Choice> {
        let (_, task) = *self.ready.first()?;
        let place = |processor: &u32| {
            let start = now.max(self.supplied(instance, task, *processor));
            let finish = start + instance.cost(task, *processor as usize);
            Placement { processor: *processor, start, finish }
        };
        let place = free.iter().map(place).min_by_key(|place| place.finish)?;
        Some(Choice { task, place })
    }

    /// When a processor has all that a task needs.
    fn supplied(&self, instance: &Instance<'_>, task: usize, processor: u32) -> Duration {
        let arrivals = instance.graph().predecessors(task).filter_map(|(giver, data)| {
            let (from, since) = self.results[giver]?;
            Some(since + instance.communication(data, from as usize, processor as usize))
        });
        arrivals.max().unwrap_or_default()
    }

    /// A ready task has been given out. False, and nothing happens, if it was not ready.
    pub fn start(&mut self, task: usize) -> bool {
        self.ranks.get(task).is_some_and(|rank| self.ready.remove(&(Reverse(*rank), task)))
    }

    /// A task has been done by a processor, and its result lies there since `at`. False, and nothing happens, if its result
    /// was there already, or it could not have started.
    pub fn finish(&mut self, instance: &Instance<'_>, task: usize, processor: u32, at: Duration) -> bool {
        if !self.is_open(task) {
            return false;
        }
        // Whoever had it before may have brought it after it was given back.
        self.start(task);
        self.results[task] = Some((processor, at));
        for (next, _) in instance.graph().successors(task) {
            self.missing[next] -= 1;
            if self.missing[next] == 0 {
                self.ready.insert((Reverse(self.ranks[next]), next));
            }
        }
        true
    }

    /// A task that was given out will not be done by who has it: it is ready again. False, and nothing happens, if it has
    /// been done, or could not have started.
    pub fn give_back(&mut self, task: usize) -> bool {
        self.is_open(task) && self.ready.insert((Reverse(self.ranks[task]), task))
    }

    /// True if a task is ready, or given out.
    fn is_open(&self, task: usize) -> bool {
        self.missing.get(task) == Some(&0) && self.results[task].is_none()
    }

    /// How many tasks are ready.
    #[must_use]
    pub fn ready(&self) -> usize {
        self.ready.len()
    }
}

/// What becomes of a graph if everything takes as long as the costs say.
pub(super) fn schedule(instance: &Instance<'_>) -> Schedule {
    let mut list = DynamicList::new(instance);
    let mut free: Vec<u32> = (0..instance.processors() as u32).collect();
    let mut placed = vec![Placement::default(); instance.graph().len()];
    let mut running = BinaryHeap::new();
    let mut now = Duration::ZERO;
    loop {
        while let Some(Choice { task, place }) = list.next(instance, now, &free) {
            list.start(task);
            free.retain(|processor| *processor != place.processor);
            placed[task] = place;
            running.push(Reverse((place.finish, task)));
        }
        let Some(Reverse((at, _))) = running.peek() else { break };
        now = *at;
        while let Some(next) = running.peek_mut()
            && next.0.0 == now
        {
            let Reverse((_, task)) = PeekMut::pop(next);
            let processor = placed[task].processor;
            list.finish(instance, task, processor, now);
            free.insert(free.partition_point(|other| *other < processor), processor);
        }
    }
    Schedule::new(placed, instance.processors())
}
