//! How urgent tasks are.

use super::Instance;

/// For each task the longest way from its start to the end of all work, by mean costs and mean communication, scaled by
/// [`Instance::scale`]: rank_u of Topcuoglu, Hariri and Wu (IEEE TPDS 13(3), 2002), also known as b-level.
#[must_use]
pub fn upward_ranks(instance: &Instance<'_>) -> Vec<u128> {
    let graph = instance.graph();
    let mut ranks = vec![0; graph.len()];
    for task in graph.order().rev() {
        let rest = graph.successors(task).map(|(next, data)| instance.mean_communication(data) + ranks[next]);
        ranks[task] = instance.mean_cost(task) + rest.max().unwrap_or(0);
    }
    ranks
}

/// For each task the longest way from the start of all work to its own start, by mean costs and mean communication,
/// scaled by [`Instance::scale`]: rank_d of the same paper, also known as t-level.
#[must_use]
pub fn downward_ranks(instance: &Instance<'_>) -> Vec<u128> {
    let graph = instance.graph();
    let mut ranks = vec![0; graph.len()];
    for task in graph.order() {
        let before = graph.predecessors(task).map(|(giver, data)| {
            ranks[giver] + instance.mean_cost(giver) + instance.mean_communication(data)
        });
        ranks[task] = before.max().unwrap_or(0);
    }
    ranks
}
