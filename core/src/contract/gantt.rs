//! What ran where, and when: the bars of a Gantt chart, as probes tell of them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Findings, NodeId, Time};

/// The most bars of one run that are kept; all are counted.
pub const BARS_MAX: usize = 20_000;
/// Bars are kept of so many nodes, those that were told of first: no chart shows more.
pub const BAR_NODES_MAX: usize = 200;
/// The longest label or group that is kept, in bytes.
const NAME_MAX: usize = 80;

/// What a core of a node did for a while. What takes several cores has a bar on each.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Bar {
    /// Which node.
    pub node: NodeId,
    /// Which core of it, from 0.
    pub lane: u32,
    /// From when.
    pub from: Time,
    /// Until when.
    pub to: Time,
    /// What it worked on, such as a job.
    pub label: String,
    /// What gives the bar its colour, such as the job's user.
    pub group: String,
    /// How it came to its end.
    pub end: Ending,
}

/// How a bar came to its end.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Ending {
    /// The work was done.
    Done,
    /// It failed.
    Failed,
    /// It was lost with its node or its lease.
    Lost,
    /// Somebody stopped it: it was cancelled or revoked.
    Stopped,
    /// It had not ended when the run did.
    Running,
}

/// A node of a Gantt chart.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct BarNode {
    /// How many nodes were told of before it.
    pub place: usize,
    /// How many lanes it has.
    pub lanes: u32,
    /// How many bars were told of it, whether or not they were kept.
    pub bars: u64,
}

impl Findings {
    /// Says that a node has so many lanes at least: it is shown even if it stays idle.
    pub fn lanes(&mut self, node: NodeId, lanes: u32) {
        let place = self.bar_nodes.len();
        let row = self.bar_nodes.entry(node).or_insert(BarNode { place, ..BarNode::default() });
        row.lanes = row.lanes.max(lanes);
    }

    /// Adds a bar to the Gantt chart, unless it ends before it begins. The first [`BARS_MAX`] on the first
    /// [`BAR_NODES_MAX`] nodes are kept, the others counted. Bars may overlap only where several jobs share a core.
    pub fn bar(&mut self, mut bar: Bar) {
        if bar.to < bar.from {
            return;
        }
        self.lanes(bar.node, bar.lane.saturating_add(1));
        let Some(row) = self.bar_nodes.get_mut(&bar.node) else { return };
        row.bars += 1;
        if row.place < BAR_NODES_MAX && self.bars.len() < BARS_MAX {
            for name in [&mut bar.label, &mut bar.group] {
                name.truncate(name.floor_char_boundary(NAME_MAX));
            }
            self.bars.push(bar);
        }
    }
}

/// Which lanes of each node are taken: for a probe that learns when jobs begin and end, but not on which cores.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Lanes {
    taken: BTreeMap<NodeId, BTreeSet<u32>>,
}

impl Lanes {
    /// The most lanes of one node.
    pub const MAX: u32 = 1024;

    /// Takes the lowest `count` free lanes of a node: fewer if it has had all [`Lanes::MAX`].
    pub fn take(&mut self, node: NodeId, count: u32) -> Vec<u32> {
        let taken = self.taken.entry(node).or_default();
        let free = (0..Self::MAX).filter(|lane| !taken.contains(lane));
        let lanes: Vec<u32> = free.take(count as usize).collect();
        taken.extend(&lanes);
        lanes
    }

    /// Gives lanes back.
    pub fn free(&mut self, node: NodeId, lanes: &[u32]) {
        if let Some(taken) = self.taken.get_mut(&node) {
            taken.retain(|lane| !lanes.contains(lane));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(node: u32, lane: u32, from: u64, to: u64) -> Bar {
        let (label, group) = ("7".to_owned(), "ann".to_owned());
        Bar { node: NodeId(node), lane, from: Time(from), to: Time(to), label, group, end: Ending::Done }
    }

    #[test]
    fn bars_are_bounded_and_counted() {
        let mut findings = Findings::default();
        findings.lanes(NodeId(3), 4);
        for _ in 0..BARS_MAX + 5 {
            findings.bar(bar(3, 1, 5, 5));
        }
        findings.bar(bar(3, 1, 5, 4));
        assert_eq!(findings.bars.len(), BARS_MAX);
        let row = BarNode { place: 0, lanes: 4, bars: BARS_MAX as u64 + 5 };
        assert_eq!(findings.bar_nodes[&NodeId(3)], row);
    }

    #[test]
    fn bars_of_the_first_nodes_are_kept() {
        let mut findings = Findings::default();
        for node in (0..BAR_NODES_MAX as u32 + 2).rev() {
            findings.bar(bar(node, 2, 1, 2));
        }
        assert_eq!(findings.bars.len(), BAR_NODES_MAX);
        assert!(findings.bars.iter().all(|bar| bar.node.0 >= 2));
        assert_eq!(findings.bar_nodes[&NodeId(1)], BarNode { place: BAR_NODES_MAX, lanes: 3, bars: 1 });
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        let mut findings = Findings::default();
        findings.bar(Bar { label: "é".repeat(100), group: "ab".repeat(41), ..bar(0, u32::MAX, 0, 1) });
        assert_eq!((findings.bars[0].label.len(), findings.bars[0].group.len()), (80, 80));
    }

    #[test]
    fn the_lowest_free_lanes_are_taken() {
        let (mut lanes, node) = (Lanes::default(), NodeId(0));
        assert_eq!(lanes.take(node, 2), [0, 1]);
        assert_eq!(lanes.take(node, 1), [2]);
        lanes.free(node, &[1]);
        assert_eq!(lanes.take(node, 2), [1, 3], "a gap is filled first");
        assert_eq!(lanes.take(NodeId(1), 1), [0], "nodes have lanes of their own");
        assert_eq!(lanes.take(node, u32::MAX).len() as u32, Lanes::MAX - 4);
        assert!(lanes.take(node, 1).is_empty());
    }
}
