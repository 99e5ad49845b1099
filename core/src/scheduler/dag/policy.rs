//! The policies by name.

use serde::{Deserialize, Serialize};

use super::list;
use super::plan::Plan;
use super::rank::{downward_ranks, upward_ranks};
use super::{Instance, InstanceError, Schedule};
use crate::choice;

/// The most cells, tasks times processors, of the table that `peft` makes: 1 GiB.
pub const TABLE_MAX: usize = 1 << 26;

choice! {
    /// Who of a graph's tasks goes next, and where.
    #[derive(Deserialize, Serialize)]
    pub enum Policy {
        /// The task of the highest upward rank to where it ends first, in between others if there is room: Heterogeneous
        /// Earliest Finish Time.
        Heft,
        /// As `heft`, by the sum of upward and downward rank, and all of the critical path on the one processor that is
        /// best for it: Critical Path on a Processor.
        Cpop,
        /// The task of the highest mean in a table of optimistic costs to where its end and what must follow come first:
        /// Predict Earliest Finish Time.
        Peft,
        /// Whenever processors are free, the ready task of the highest upward rank to the free one that ends it first.
        /// Decides as work goes on.
        DynamicList,
    }
}

impl Policy {
    /// The schedule that this policy makes. Equal choices fall to the task, then to the processor, of the lower index.
    ///
    /// # Errors
    /// [`InstanceError::Table`] if `peft` needs a table of more than [`TABLE_MAX`] cells.
    pub fn schedule(self, instance: &Instance<'_>) -> Result<Schedule, InstanceError> {
        Ok(match self {
            Self::Heft => heft(instance),
            Self::Cpop => cpop(instance),
            Self::Peft => peft(instance)?,
            Self::DynamicList => list::schedule(instance),
        })
    }
}

/// Topcuoglu, Hariri, Wu: Performance-effective and low-complexity task scheduling for heterogeneous computing, IEEE
/// TPDS 13(3), 2002.
fn heft(instance: &Instance<'_>) -> Schedule {
    Plan::new(instance).fill(&upward_ranks(instance), |_, offers| offers.earliest_finish())
}

/// The same paper.
fn cpop(instance: &Instance<'_>) -> Schedule {
    let upward = upward_ranks(instance);
    let downward = downward_ranks(instance);
    let priority: Vec<u128> = upward.iter().zip(&downward).map(|(up, down)| up + down).collect();
    let is_critical = critical_tasks(instance, &priority);
    let critical_cost = |processor: &usize| {
        let tasks = (0..is_critical.len()).filter(|task| is_critical[*task]);
        tasks.map(|task| u128::from(instance.cost(task, *processor).as_nanos())).sum::<u128>()
    };
    let fastest = (0..instance.processors()).min_by_key(critical_cost).unwrap_or_default();
    Plan::new(instance).fill(&priority, |task, offers| match is_critical[task] {
        true => offers.on(fastest),
        false => offers.earliest_finish(),
    })
}

/// Which tasks lie on the critical path: of several such paths the one that takes, at each step, the task of the
/// lowest index.
fn critical_tasks(instance: &Instance<'_>, priority: &[u128]) -> Vec<bool> {
    let graph = instance.graph();
    let length = priority.iter().max().copied().unwrap_or_default();
    let mut is_critical = vec![false; graph.len()];
    let entries = graph.needs().into_iter().enumerate().filter(|(_, needs)| *needs == 0);
    let mut at = entries.map(|(task, _)| task).find(|task| priority[*task] == length);
    while let Some(task) = at {
        is_critical[task] = true;
        let onward = graph.successors(task).map(|(next, _)| next);
        at = onward.filter(|next| priority[*next] == length).min();
    }
    is_critical
}

/// Arabnejad, Barbosa: List scheduling algorithm for heterogeneous systems by an optimistic cost table, IEEE TPDS 25(3),
/// 2014.
fn peft(instance: &Instance<'_>) -> Result<Schedule, InstanceError> {
    let (tasks, processors) = (instance.graph().len(), instance.processors());
    if tasks.saturating_mul(processors) > TABLE_MAX {
        return Err(InstanceError::Table { tasks, processors, limit: TABLE_MAX });
    }
    let scale = instance.scale();
    let table = least_rests(instance);
    let rows = table.chunks_exact(processors).enumerate();
    // Ranks are means of the optimistic costs, which do not hold the task itself; as sums they order alike.
    let ranks: Vec<u128> =
        rows.map(|(task, row)| row.iter().sum::<u128>() - instance.total_cost(task) * scale).collect();
    Ok(Plan::new(instance).fill(&ranks, |task, offers| {
        let end = |place: &super::Placement| {
            let rest = table[task * processors + place.processor as usize];
            u128::from(place.start.as_nanos()) * scale + rest
        };
        offers.all().min_by_key(end).unwrap_or_default()
    }))
}

/// By task, then by processor, the least time from its start there to the end of all that follows, scaled: the paper's
/// optimistic cost table with the cost of the task itself added.
fn least_rests(instance: &Instance<'_>) -> Vec<u128> {
    let (graph, processors) = (instance.graph(), instance.processors());
    let mut table = vec![0_u128; graph.len() * processors];
    let mut least = vec![0_u128; graph.len()];
    let mut row = vec![0_u128; processors];
    for task in graph.order().rev() {
        row.fill(0);
        for (next, data) in graph.successors(task) {
            // To go on where it is, or to move to the best place for it: which may be the same, and then is no dearer.
            let moved = least[next] + instance.mean_communication(data);
            let stays = &table[next * processors..][..processors];
            for (rest, stayed) in row.iter_mut().zip(stays) {
                *rest = (*rest).max(moved.min(*stayed));
            }
        }
        for (processor, rest) in row.iter_mut().enumerate() {
            *rest += u128::from(instance.cost(task, processor).as_nanos()) * instance.scale();
        }
        least[task] = row.iter().min().copied().unwrap_or_default();
        table[task * processors..][..processors].copy_from_slice(&row);
    }
    table
}
