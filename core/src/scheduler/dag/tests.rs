use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::contract::Duration;
use crate::settings::{Bytes, Rate};

mod canonical;
mod random;
mod values;

/// One byte takes one nanosecond.
const UNIT: Link = Link { latency: Duration::ZERO, bandwidth: Rate(8_000_000_000) };

fn ns(nanos: u64) -> Duration {
    Duration::from_nanos(nanos)
}

/// Tasks `0`, `1`, ... of so much work.
fn tasks(works: &[u64]) -> Vec<Task> {
    let task = |(index, work): (usize, &u64)| Task { name: index.to_string(), work: ns(*work) };
    works.iter().enumerate().map(task).collect()
}

fn edge(from: u32, to: u32, data: u64) -> Edge {
    Edge { from, to, data: Bytes(data) }
}

fn graph(works: &[u64], edges: &[(u32, u32, u64)]) -> TaskGraph {
    let edges = edges.iter().map(|(from, to, data)| edge(*from, *to, *data)).collect();
    TaskGraph::new(tasks(works), edges).expect("a graph")
}

fn place(processor: u32, start: u64, finish: u64) -> Placement {
    Placement { processor, start: ns(start), finish: ns(finish) }
}
