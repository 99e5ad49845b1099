//! What a replica has taken in: for every writer, the time of its latest write.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::Stamp;
use crate::contract::NodeId;

/// A version vector: of each writer, the latest time that is covered. All earlier writes of it are covered, too.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
// Not from small vectors: they would believe any length.
#[serde(try_from = "Vec<(NodeId, u64)>")]
pub struct VersionVector(Entries);

/// Most documents have one writer, or two.
type Entries = SmallVec<[(NodeId, u64); 2]>;

/// Why entries are no version vector: its one form names each writer once, in ascending order, and none that wrote nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the writers of a version vector ascend, and each wrote something")]
pub struct BadVector;

impl VersionVector {
    /// Entries in any order, at the cost of sorting them.
    fn of(mut entries: Entries) -> Self {
        entries.sort();
        entries.dedup_by(|later, earlier| {
            let is_same = later.0 == earlier.0;
            if is_same {
                earlier.1 = later.1;
            }
            is_same
        });
        Self(entries)
    }

    /// The latest covered time of `node`, 0 if none.
    #[must_use]
    pub fn time(&self, node: NodeId) -> u64 {
        self.0.binary_search_by_key(&node, |entry| entry.0).map_or(0, |at| self.0[at].1)
    }

    /// Whether it covers this write.
    #[must_use]
    pub fn covers(&self, stamp: Stamp) -> bool {
        self.time(stamp.node) >= stamp.time
    }

    /// Whether it covers all that `other` covers.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        other.iter().all(|stamp| self.covers(stamp))
    }

    /// Covers one more write, and all earlier ones of its writer.
    pub fn add(&mut self, stamp: Stamp) {
        if stamp.time == 0 {
            return;
        }
        match self.0.binary_search_by_key(&stamp.node, |entry| entry.0) {
            Ok(at) => self.0[at].1 = self.0[at].1.max(stamp.time),
            Err(at) => self.0.insert(at, (stamp.node, stamp.time)),
        }
    }

    /// Covers all that `other` covers.
    pub fn join(&mut self, other: &Self) {
        if !self.includes(other) {
            let mut entries = std::mem::take(&mut self.0);
            entries.extend_from_slice(&other.0);
            *self = Self::of(entries);
        }
    }

    /// The latest covered write of every writer, by writer.
    pub fn iter(&self) -> impl Iterator<Item = Stamp> + '_ {
        self.0.iter().map(|&(node, time)| Stamp { time, node })
    }

    /// The greatest covered stamp; [`Stamp::ZERO`] if it covers nothing.
    #[must_use]
    pub fn latest(&self) -> Stamp {
        self.iter().max().unwrap_or_default()
    }

    /// How many writers it covers something of.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it covers nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryFrom<Vec<(NodeId, u64)>> for VersionVector {
    type Error = BadVector;

    fn try_from(entries: Vec<(NodeId, u64)>) -> Result<Self, BadVector> {
        let ascends = entries.is_sorted_by(|one, next| one.0 < next.0);
        if ascends && entries.iter().all(|entry| entry.1 > 0) {
            Ok(Self(entries.into()))
        } else {
            Err(BadVector)
        }
    }
}

impl FromIterator<Stamp> for VersionVector {
    fn from_iter<I: IntoIterator<Item = Stamp>>(stamps: I) -> Self {
        let stamps = stamps.into_iter().filter(|stamp| stamp.time > 0);
        Self::of(stamps.map(|stamp| (stamp.node, stamp.time)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(entries: &[(u32, u64)]) -> VersionVector {
        entries.iter().map(|&(node, time)| Stamp { time, node: NodeId(node) }).collect()
    }

    fn read(entries: &[(u32, u64)]) -> Option<VersionVector> {
        let entries: Vec<(NodeId, u64)> = entries.iter().map(|&(node, time)| (NodeId(node), time)).collect();
        postcard::from_bytes(&postcard::to_allocvec(&entries).unwrap()).ok()
    }

    #[test]
    fn one_form_alone_is_read() {
        assert_eq!(read(&[]), Some(VersionVector::default()));
        assert_eq!(read(&[(1, 5), (3, 2)]), Some(vector(&[(1, 5), (3, 2)])));
        for entries in [[(3, 2), (1, 5)], [(1, 5), (1, 6)], [(1, 5), (3, 0)]] {
            assert_eq!(read(&entries), None, "{entries:?}");
        }
    }

    #[test]
    fn stamps_in_any_order_and_joins_keep_the_latest_of_each_writer() {
        let one = vector(&[(3, 2), (1, 5), (1, 7), (2, 0), (3, 1)]);
        assert_eq!(one.iter().map(|stamp| (stamp.node.0, stamp.time)).collect::<Vec<_>>(), [(1, 7), (3, 2)]);
        let mut both = one.clone();
        both.join(&vector(&[(0, 1), (1, 6), (3, 9)]));
        assert_eq!(both, vector(&[(0, 1), (1, 7), (3, 9)]));
        assert_eq!(both.len(), 3);
        both.join(&one);
        assert_eq!(both, vector(&[(0, 1), (1, 7), (3, 9)]));
    }

    /// One insertion at a time would move some 10^10 entries.
    #[test]
    fn many_writers_in_the_worst_order_cost_a_sort() {
        let descending = |from: u32| (0..200_000).rev().map(move |nth| (2 * nth + from, 1));
        let mut one = vector(&descending(0).collect::<Vec<_>>());
        one.join(&vector(&descending(1).collect::<Vec<_>>()));
        assert_eq!(one.len(), 400_000);
    }
}
