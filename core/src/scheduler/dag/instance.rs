//! A graph and what it costs: the problem that a policy solves.

use thiserror::Error;

use super::costs::{Costs, Execution, Network, PROCESSORS_MAX, Sums};
use super::graph::TaskGraph;
use crate::contract::Duration;
use crate::settings::Bytes;

/// The longest that all tasks and edges may take one after the other, at their worst: no schedule of a policy is
/// longer, and twice as much can still be counted.
pub const HORIZON_MAX: Duration = Duration::from_nanos(u64::MAX / 2);

/// A task graph on processors with costs that fit it.
#[derive(Clone, Copy, Debug)]
pub struct Instance<'a> {
    graph: &'a TaskGraph,
    costs: &'a Costs,
    processors: usize,
    sums: Sums,
}

/// Why costs do not fit a graph.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum InstanceError {
    /// Nobody to do the work, or more than [`PROCESSORS_MAX`].
    #[error("{0} processors, expected 1 to {PROCESSORS_MAX}")]
    Processors(usize),
    /// A matrix of costs that has not one row per task.
    #[error("the matrix of costs has {rows} rows for {tasks} tasks")]
    Rows {
        /// How many it has.
        rows: usize,
        /// How many it should have.
        tasks: usize,
    },
    /// A row of a matrix that has not one column per processor.
    #[error("row {row} of the matrix of {matrix} has {columns} columns for {processors} processors")]
    Columns {
        /// `costs` or `links`.
        matrix: &'static str,
        /// Which, from 0.
        row: usize,
        /// How many columns it has.
        columns: usize,
        /// How many it should have.
        processors: usize,
    },
    /// A matrix of links that has not one row per processor.
    #[error("the matrix of links has {rows} rows for {processors} processors")]
    Links {
        /// How many it has.
        rows: usize,
        /// How many it should have.
        processors: usize,
    },
    /// Longer than [`HORIZON_MAX`], or forever: something has no speed, or no bandwidth.
    #[error("all tasks and transfers one after the other take longer than 292 years")]
    Horizon,
    /// More than a policy's table holds.
    #[error(
        "{tasks} tasks on {processors} processors are more than the {limit} cells that the table of `peft` may have"
    )]
    Table {
        /// How many tasks there are.
        tasks: usize,
        /// How many processors there are.
        processors: usize,
        /// How many cells there may be.
        limit: usize,
    },
}

impl<'a> Instance<'a> {
    /// A graph with its costs.
    ///
    /// # Errors
    /// See [`InstanceError`].
    pub fn new(graph: &'a TaskGraph, costs: &'a Costs) -> Result<Self, InstanceError> {
        let processors = costs.processors();
        if !(1..=PROCESSORS_MAX).contains(&processors) {
            return Err(InstanceError::Processors(processors));
        }
        check_dimensions(graph.len(), processors, costs)?;
        let horizon = horizon(graph, costs).filter(|longest| *longest <= HORIZON_MAX.as_nanos());
        horizon.ok_or(InstanceError::Horizon)?;
        Ok(Self { graph, costs, processors, sums: costs.network.sums(processors) })
    }

    /// The tasks.
    #[must_use]
    pub const fn graph(&self) -> &'a TaskGraph {
        self.graph
    }

    /// How many processors there are.
    #[must_use]
    pub const fn processors(&self) -> usize {
        self.processors
    }

    /// How long a task takes on a processor.
    ///
    /// # Panics
    /// If there is no such task or processor.
    #[must_use]
    pub fn cost(&self, task: usize, processor: usize) -> Duration {
        match &self.costs.execution {
            Execution::Matrix(rows) => rows[task][processor],
            // What takes longer than can be counted was refused.
            Execution::Speeds(speeds) => {
                speeds[processor].time(self.graph.task(task).work).unwrap_or(HORIZON_MAX)
            }
        }
    }

    /// How long data takes from one processor to another: nothing within one.
    ///
    /// # Panics
    /// If there is no such processor.
    #[must_use]
    pub fn communication(&self, data: Bytes, from: usize, to: usize) -> Duration {
        if from == to {
            return Duration::ZERO;
        }
        self.costs.network.link(from, to).time(data).unwrap_or(HORIZON_MAX)
    }

    /// For each processor, raises `moments` to when data that is ready on one at `since` is there.
    pub(super) fn deliver(&self, data: Bytes, from: usize, since: u64, moments: &mut [u64]) {
        let uniform = match &self.costs.network {
            Network::Uniform(link) => link.time(data),
            Network::Pairs(_) => None,
        };
        for (to, moment) in moments.iter_mut().enumerate() {
            let takes = match uniform {
                Some(time) if to != from => time,
                _ => self.communication(data, from, to),
            };
            *moment = (*moment).max(since + takes.as_nanos());
        }
    }

    /// By how much scaled numbers are greater than nanoseconds: as great as makes means over processors and means
    /// over ordered pairs of them whole numbers.
    #[must_use]
    pub const fn scale(&self) -> u128 {
        match self.processors as u128 {
            1 => 1,
            processors => processors * (processors - 1),
        }
    }

    /// The mean cost of a task over all processors, scaled.
    #[must_use]
    pub fn mean_cost(&self, task: usize) -> u128 {
        self.total_cost(task) * (self.scale() / self.processors as u128)
    }

    /// The cost of a task summed over all processors, in nanoseconds.
    pub(super) fn total_cost(&self, task: usize) -> u128 {
        (0..self.processors).map(|processor| u128::from(self.cost(task, processor).as_nanos())).sum()
    }

    /// The mean time that data takes, over all ordered pairs of different processors, scaled.
    #[must_use]
    pub fn mean_communication(&self, data: Bytes) -> u128 {
        self.sums.time(data)
    }

    /// The least that a task takes on any processor.
    #[must_use]
    pub fn least_cost(&self, task: usize) -> Duration {
        (0..self.processors).map(|processor| self.cost(task, processor)).min().unwrap_or_default()
    }

    /// The longest path when every task takes the least it can and communication nothing: CP_min of the literature,
    /// by which [`slr`](super::Schedule::slr) divides.
    #[must_use]
    pub fn critical_path(&self) -> Duration {
        let mut below = vec![Duration::ZERO; self.graph.len()];
        for task in self.graph.order().rev() {
            let rest = self.graph.successors(task).map(|(next, _)| below[next]).max();
            below[task] = self.least_cost(task) + rest.unwrap_or_default();
        }
        below.into_iter().max().unwrap_or_default()
    }

    /// The least that all tasks take on a single processor.
    #[must_use]
    pub fn sequential(&self) -> Duration {
        let alone = |processor| {
            let costs = (0..self.graph.len()).map(|task| self.cost(task, processor));
            costs.fold(Duration::ZERO, |sum, cost| sum + cost)
        };
        (0..self.processors).map(alone).min().unwrap_or_default()
    }

    /// What no schedule can beat: the critical path at the best speeds, or all work shared without loss, whichever is
    /// longer. For a matrix of costs the work of a task is the least that it takes.
    #[must_use]
    pub fn lower_bound(&self) -> Duration {
        let tasks = 0..self.graph.len();
        let (work, capacity) = match &self.costs.execution {
            Execution::Matrix(_) => {
                let work = tasks.map(|task| u128::from(self.least_cost(task).as_nanos())).sum::<u128>();
                (work, self.processors as u128)
            }
            Execution::Speeds(speeds) => {
                let work = self.graph.tasks().map(|task| u128::from(task.work.as_nanos())).sum::<u128>();
                let capacity = speeds.iter().map(|speed| u128::from(speed.0)).sum();
                (work * u128::from(super::Speed::ONE.0), capacity)
            }
        };
        let shared = u64::try_from(work.div_ceil(capacity)).unwrap_or(u64::MAX);
        self.critical_path().max(Duration::from_nanos(shared))
    }
}

fn check_dimensions(tasks: usize, processors: usize, costs: &Costs) -> Result<(), InstanceError> {
    let columns = |matrix, lengths: &mut dyn Iterator<Item = usize>| match lengths
        .enumerate()
        .find(|(_, columns)| *columns != processors)
    {
        None => Ok(()),
        Some((row, columns)) => Err(InstanceError::Columns { matrix, row, columns, processors }),
    };
    if let Execution::Matrix(rows) = &costs.execution {
        if rows.len() != tasks {
            return Err(InstanceError::Rows { rows: rows.len(), tasks });
        }
        columns("costs", &mut rows.iter().map(Vec::len))?;
    }
    if let Network::Pairs(rows) = &costs.network {
        if rows.len() != processors {
            return Err(InstanceError::Links { rows: rows.len(), processors });
        }
        columns("links", &mut rows.iter().map(Vec::len))?;
    }
    Ok(())
}

/// Everything one after the other, at its worst, in nanoseconds; none if that cannot be counted.
fn horizon(graph: &TaskGraph, costs: &Costs) -> Option<u64> {
    let mut longest = 0_u64;
    let mut add = |time: Duration| {
        longest = longest.checked_add(time.as_nanos())?;
        Some(())
    };
    match &costs.execution {
        Execution::Matrix(rows) => rows.iter().try_for_each(|row| add(row.iter().max().copied()?))?,
        Execution::Speeds(speeds) => {
            let slowest = speeds.iter().min()?;
            if slowest.0 == 0 {
                return None;
            }
            graph.tasks().try_for_each(|task| add(slowest.time(task.work)?))?;
        }
    }
    let worst = costs.network.worst();
    graph.edges().try_for_each(|edge| add(worst.time(edge.data)?))?;
    Some(longest)
}
