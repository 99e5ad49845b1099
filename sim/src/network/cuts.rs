//! What stands between nodes for a while: partitions, added delay, added loss.

use seedbed_core::contract::{Duration, NodeId, Roll};
use serde::{Deserialize, Serialize};

use crate::watch::Drop;

/// A set of nodes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct NodeSet(Vec<u64>);

impl NodeSet {
    /// Whether the node is in it.
    #[must_use]
    pub fn contains(&self, node: NodeId) -> bool {
        self.0.get(node.0 as usize / 64).is_some_and(|word| word >> (node.0 % 64) & 1 == 1)
    }
}

impl FromIterator<NodeId> for NodeSet {
    fn from_iter<I: IntoIterator<Item = NodeId>>(nodes: I) -> Self {
        let mut words = Vec::new();
        for node in nodes {
            let word = node.0 as usize / 64;
            if words.len() <= word {
                words.resize(word + 1, 0);
            }
            words[word] |= 1 << (node.0 % 64);
        }
        Self(words)
    }
}

/// What a fault does to links while it lasts.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disturbance {
    /// Nothing passes.
    Cut,
    /// So much is lost on top, in 2^-64.
    Loss(u64),
    /// Everything takes so much longer.
    Delay(Duration),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Disturbances {
    active: Vec<Active>,
    cuts: usize,
}

#[derive(Clone, Debug)]
struct Active {
    number: u64,
    from: NodeSet,
    to: NodeSet,
    how: Disturbance,
}

impl Active {
    /// No link leads from a node to itself.
    fn concerns(&self, from: NodeId, to: NodeId) -> bool {
        from != to && self.from.contains(from) && self.to.contains(to)
    }
}

impl Disturbances {
    #[inline]
    pub(super) const fn is_empty(&self) -> bool {
        self.active.is_empty()
    }

    pub(super) fn add(&mut self, number: u64, from: NodeSet, to: NodeSet, how: Disturbance) {
        self.cuts += usize::from(how == Disturbance::Cut);
        self.active.push(Active { number, from, to, how });
    }

    pub(super) fn remove(&mut self, number: u64) -> bool {
        let before = self.active.len();
        self.active.retain(|active| active.number != number);
        self.cuts = self.active.iter().filter(|active| active.how == Disturbance::Cut).count();
        self.active.len() < before
    }

    pub(super) fn is_cut(&self, from: NodeId, to: NodeId) -> bool {
        self.cuts > 0
            && self.active.iter().any(|active| active.how == Disturbance::Cut && active.concerns(from, to))
    }

    /// What is added to the delay of a message, or why it does not pass.
    pub(super) fn pass(&self, roll: &Roll, draw: u64, from: NodeId, to: NodeId) -> Result<u64, Drop> {
        let mut extra = 0u64;
        for active in self.active.iter().filter(|active| active.concerns(from, to)) {
            match active.how {
                Disturbance::Cut => return Err(Drop::Cut),
                // Addressed by the fault as well, so that taking one fault away moves no draw of another.
                Disturbance::Loss(share) if roll.at(draw, active.number) < share => return Err(Drop::Lost),
                Disturbance::Loss(_) => {}
                Disturbance::Delay(by) => extra = extra.saturating_add(by.as_nanos()),
            }
        }
        Ok(extra)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(nodes: &[u32]) -> NodeSet {
        nodes.iter().map(|&node| NodeId(node)).collect()
    }

    #[test]
    fn a_cut_is_one_way_and_ends() {
        let mut all = Disturbances::default();
        all.add(1, set(&[0, 70]), set(&[1]), Disturbance::Cut);
        assert!(all.is_cut(NodeId(70), NodeId(1)) && !all.is_cut(NodeId(1), NodeId(70)));
        assert!(!all.is_cut(NodeId(0), NodeId(70)));
        assert!(all.remove(1) && !all.remove(1));
        assert!(all.is_empty() && !all.is_cut(NodeId(0), NodeId(1)));
    }

    #[test]
    fn overlapping_cuts_end_one_by_one() {
        let mut all = Disturbances::default();
        all.add(1, set(&[0]), set(&[1]), Disturbance::Cut);
        all.add(2, set(&[0]), set(&[1]), Disturbance::Cut);
        all.remove(1);
        assert!(all.is_cut(NodeId(0), NodeId(1)));
    }
}
