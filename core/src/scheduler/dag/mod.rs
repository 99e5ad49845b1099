//! Task graphs, and the policies that lay them out on processors.
//!
//! A [`TaskGraph`] says what there is to do, [`Costs`] what processors and the network between them take for it; together
//! they are an [`Instance`], for which a [`Policy`] makes a [`Schedule`]. The same values say how good a schedule is and
//! whether it is one at all ([`Schedule::verify`]). A graph whose tasks are given out as processors become free is kept
//! by [`DynamicList`].
//!
//! All that decides is whole numbers. Means over processors and links are kept as sums ([`Instance::scale`]), so that
//! equal means are equal. Where a policy finds two choices equally good, it takes the task, then the processor, of
//! the lower index.

mod costs;
mod graph;
mod instance;
mod list;
mod plan;
mod policy;
mod rank;
mod schedule;
#[cfg(test)]
mod tests;

pub use costs::{Costs, Execution, Link, Network, PROCESSORS_MAX, Speed};
pub use graph::{EDGES_MAX, Edge, GraphError, NAME_MAX, TASKS_MAX, Task, TaskGraph};
pub use instance::{HORIZON_MAX, Instance, InstanceError};
pub use list::{Choice, DynamicList};
pub use policy::{Policy, TABLE_MAX};
pub use rank::{downward_ranks, upward_ranks};
pub use schedule::{Flaw, Placement, Schedule};
