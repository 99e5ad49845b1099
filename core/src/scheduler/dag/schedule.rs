//! Who does what when, and how good that is.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Instance;
use crate::contract::Duration;

/// Where and when a task runs.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Placement {
    /// The index of the processor.
    pub processor: u32,
    /// When it starts, since the start of all work.
    pub start: Duration,
    /// When it ends.
    pub finish: Duration,
}

/// The places of all tasks of a graph.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Schedule {
    /// By the index of the task.
    pub places: Vec<Placement>,
    /// How many processors there were to choose from.
    pub processors: usize,
}

/// Why a schedule is none.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum Flaw {
    /// Not one place for each task.
    #[error("{places} places for {tasks} tasks")]
    Count {
        /// How many places there are.
        places: usize,
        /// How many there should be.
        tasks: usize,
    },
    /// A place on a processor that is not there.
    #[error("task {task} runs on processor {processor}, which is not there")]
    Processor {
        /// The index of the task.
        task: usize,
        /// What its place names.
        processor: u32,
    },
    /// A task that ends before it can have been done.
    #[error("task {task} starts at {start} and ends at {finish}, but takes {cost}")]
    Length {
        /// The index of the task.
        task: usize,
        /// When it starts.
        start: Duration,
        /// When it ends.
        finish: Duration,
        /// How long it takes there.
        cost: Duration,
    },
    /// A task that starts before it has what it needs.
    #[error("task {task} starts at {start}, but task {giver} ends at {finish} and its data takes {takes}")]
    Precedence {
        /// The index of the task.
        task: usize,
        /// When it starts.
        start: Duration,
        /// The index of the task that gives.
        giver: usize,
        /// When that ends.
        finish: Duration,
        /// How long the data is under way.
        takes: Duration,
    },
    /// Two tasks on one processor at the same time.
    #[error("tasks {first} and {second} run on one processor at the same time")]
    Overlap {
        /// The index of the one that starts first.
        first: usize,
        /// The index of the other.
        second: usize,
    },
}

impl Schedule {
    /// A schedule with these places.
    #[must_use]
    pub const fn new(places: Vec<Placement>, processors: usize) -> Self {
        Self { places, processors }
    }

    /// When the last task ends.
    #[must_use]
    pub fn makespan(&self) -> Duration {
        self.places.iter().map(|place| place.finish).max().unwrap_or_default()
    }

    /// Schedule length ratio: the makespan by [`Instance::critical_path`]. At least 1; infinite if only the latter is zero.
    #[must_use]
    pub fn slr(&self, instance: &Instance<'_>) -> f64 {
        ratio(self.makespan(), instance.critical_path())
    }

    /// How much faster this is than the best single processor: [`Instance::sequential`] by the makespan.
    #[must_use]
    pub fn speedup(&self, instance: &Instance<'_>) -> f64 {
        ratio(instance.sequential(), self.makespan())
    }

    /// The speedup for each processor.
    #[must_use]
    pub fn efficiency(&self, instance: &Instance<'_>) -> f64 {
        self.speedup(instance) / self.processors as f64
    }

    /// Whether this can be carried out: every task has a place, lasts as long as it must, starts with all that it needs,
    /// and no processor does two at the same time. Tasks that take no time disturb nobody.
    ///
    /// # Errors
    /// The first flaw found.
    pub fn verify(&self, instance: &Instance<'_>) -> Result<(), Flaw> {
        let (places, tasks) = (self.places.len(), instance.graph().len());
        if places != tasks {
            return Err(Flaw::Count { places, tasks });
        }
        for (task, place) in self.places.iter().enumerate() {
            if place.processor as usize >= instance.processors() {
                return Err(Flaw::Processor { task, processor: place.processor });
            }
            let cost = instance.cost(task, place.processor as usize);
            let Placement { start, finish, .. } = *place;
            if finish < start || finish - start < cost {
                return Err(Flaw::Length { task, start, finish, cost });
            }
        }
        self.verify_precedence(instance)?;
        self.verify_capacity()
    }

    fn verify_precedence(&self, instance: &Instance<'_>) -> Result<(), Flaw> {
        for edge in instance.graph().edges() {
            let (giver, task) = (edge.from as usize, edge.to as usize);
            let (from, to) = (&self.places[giver], &self.places[task]);
            let takes = instance.communication(edge.data, from.processor as usize, to.processor as usize);
            let (start, finish) = (to.start, from.finish);
            if start < finish || start - finish < takes {
                return Err(Flaw::Precedence { task, start, giver, finish, takes });
            }
        }
        Ok(())
    }

    fn verify_capacity(&self) -> Result<(), Flaw> {
        let lasts = |task: &usize| self.places[*task].start < self.places[*task].finish;
        let mut tasks: Vec<usize> = (0..self.places.len()).filter(lasts).collect();
        tasks.sort_by_key(|task| (self.places[*task].processor, self.places[*task].start));
        let overlap = |pair: &&[usize]| {
            let (first, second) = (&self.places[pair[0]], &self.places[pair[1]]);
            first.processor == second.processor && second.start < first.finish
        };
        match tasks.windows(2).find(overlap) {
            None => Ok(()),
            Some(pair) => Err(Flaw::Overlap { first: pair[0], second: pair[1] }),
        }
    }
}

/// For tables only.
fn ratio(part: Duration, whole: Duration) -> f64 {
    match (part.is_zero(), whole.is_zero()) {
        (true, true) => 1.0,
        _ => part.as_nanos() as f64 / whole.as_nanos() as f64,
    }
}
