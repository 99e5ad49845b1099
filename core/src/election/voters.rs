//! Who belongs.

use std::sync::Arc;

use serde::Serialize;

use crate::contract::{Members, NodeId};

/// Those whose votes count, and those who only follow, as last heard.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Voters {
    /// Of the membership; none before the first.
    epoch: Option<u64>,
    /// In ascending order, without repetition.
    ids: Arc<[NodeId]>,
    /// Those without a vote, likewise. Left out of the encoding where there are none, so that a state without them
    /// looks as it did before there could be any.
    #[serde(skip_serializing_if = "is_empty")]
    learners: Arc<[NodeId]>,
}

fn is_empty(ids: &Arc<[NodeId]>) -> bool {
    ids.is_empty()
}

impl Voters {
    /// The first members, in ascending order.
    #[must_use]
    pub fn of(ids: Arc<[NodeId]>) -> Self {
        Self { epoch: None, ids, learners: Arc::new([]) }
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
        self.ids = in_order(&members.voters);
        self.learners = in_order(&members.others);
        if self.learners.iter().any(|learner| self.contains(*learner)) {
            self.learners =
                self.learners.iter().copied().filter(|learner| !self.contains(*learner)).collect();
        }
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
        each(&self.ids).filter(move |&id| id != me)
    }

    /// Those who belong without a vote, in ascending order: they must hear who leads.
    pub fn learners(&self) -> impl Iterator<Item = NodeId> + use<> {
        each(&self.learners)
    }

    /// All but one who must hear of a leader: first the voters, then the others.
    pub fn audience(&self, me: NodeId) -> impl Iterator<Item = NodeId> + use<> {
        self.others(me).chain(self.learners().filter(move |&id| id != me))
    }
}

fn each(ids: &Arc<[NodeId]>) -> impl Iterator<Item = NodeId> + use<> {
    let ids = ids.clone();
    (0..ids.len()).map(move |index| ids[index])
}

/// In ascending order, without repetition.
fn in_order(ids: &Arc<[NodeId]>) -> Arc<[NodeId]> {
    if ids.windows(2).all(|pair| pair[0] < pair[1]) {
        return ids.clone();
    }
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    ids.into()
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

    #[test]
    fn those_without_a_vote_are_told_and_not_counted() {
        let mut voters = Voters::first(0);
        let others = [9, 7, 3].map(NodeId).into();
        voters.update(&Members { others, ..members(1, &[1, 3]) });
        assert_eq!((voters.majority(), voters.contains(NodeId(7))), (2, false));
        let audience = |me| voters.audience(NodeId(me)).map(|id| id.0).collect::<Vec<_>>();
        assert_eq!((audience(1), audience(7)), (vec![3, 7, 9], vec![1, 3, 9]));
    }

    #[test]
    fn where_all_vote_the_encoding_is_as_it_was() {
        let mut voters = Voters::first(2);
        voters.update(&members(5, &[0, 1]));
        assert_eq!(postcard::to_allocvec(&voters), Ok(vec![1, 5, 2, 0, 1]));
        voters.update(&Members { others: [NodeId(4)].into(), ..members(6, &[0, 1]) });
        assert_eq!(postcard::to_allocvec(&voters), Ok(vec![1, 6, 2, 0, 1, 1, 4]));
    }
}
