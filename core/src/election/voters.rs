//! Who belongs.

use std::sync::Arc;

use serde::Serialize;

use crate::contract::{Members, NodeId};

/// Those whose votes count, as last heard.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Voters {
    /// Of the membership; none before the first.
    epoch: Option<u64>,
    /// In ascending order, without repetition.
    ids: Arc<[NodeId]>,
}

impl Voters {
    /// The first members, in ascending order.
    #[must_use]
    pub fn of(ids: Arc<[NodeId]>) -> Self {
        Self { epoch: None, ids }
    }

    /// All nodes of a system of this size.
    #[must_use]
    pub fn first(nodes: u32) -> Self {
        Self::of((0..nodes).map(NodeId).collect())
    }

    /// Takes over a newer membership; false if it is not newer.
    pub fn update(&mut self, members: &Members) -> bool {
        if self.epoch.is_some_and(|epoch| members.epoch <= epoch) {
            return false;
        }
        let is_sorted = members.voters.windows(2).all(|pair| pair[0] < pair[1]);
        self.ids = if is_sorted {
            members.voters.clone()
        } else {
            let mut ids = members.voters.to_vec();
            ids.sort_unstable();
            ids.dedup();
            ids.into()
        };
        self.epoch = Some(members.epoch);
        true
    }

    /// Whether this node's vote counts.
    #[must_use]
    pub fn contains(&self, node: NodeId) -> bool {
        self.ids.binary_search(&node).is_ok()
    }

    /// How many make a majority.
    #[must_use]
    pub fn majority(&self) -> usize {
        self.ids.len() / 2 + 1
    }

    /// All of them, in ascending order.
    #[must_use]
    pub fn ids(&self) -> &[NodeId] {
        &self.ids
    }

    /// All but one, in ascending order. Holds on to the members, so that a step can change its state meanwhile.
    pub fn others(&self, me: NodeId) -> impl Iterator<Item = NodeId> + use<> {
        let ids = self.ids.clone();
        (0..ids.len()).map(move |index| ids[index]).filter(move |&id| id != me)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(epoch: u64, voters: &[u32]) -> Members {
        Members { epoch, voters: voters.iter().copied().map(NodeId).collect(), others: Arc::new([]) }
    }

    #[test]
    fn only_a_newer_membership_counts() {
        let mut voters = Voters::first(3);
        assert_eq!(
            (voters.majority(), voters.contains(NodeId(2)), voters.contains(NodeId(3))),
            (2, true, false)
        );
        assert!(voters.update(&members(0, &[1, 2, 3, 4])));
        assert!(!voters.update(&members(0, &[0])));
        assert_eq!((voters.majority(), voters.contains(NodeId(0))), (3, false));
    }

    #[test]
    fn a_membership_out_of_order_is_put_in_order() {
        let mut voters = Voters::first(0);
        voters.update(&members(1, &[3, 1, 3]));
        assert_eq!(voters.ids(), [NodeId(1), NodeId(3)]);
        assert_eq!(voters.others(NodeId(1)).collect::<Vec<_>>(), [NodeId(3)]);
    }
}
