//! What a replica has taken in: for every writer, the time of its latest write.

use serde::{Deserialize, Serialize};

use super::Stamp;
use crate::contract::NodeId;

/// A version vector: of each writer, the latest time that is covered. All earlier writes of it are covered, too.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(from = "Vec<(NodeId, u64)>")]
pub struct VersionVector(Vec<(NodeId, u64)>);

impl VersionVector {
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
        other.iter().for_each(|stamp| self.add(stamp));
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

    /// Whether it covers nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Entries from outside come in any order.
impl From<Vec<(NodeId, u64)>> for VersionVector {
    fn from(entries: Vec<(NodeId, u64)>) -> Self {
        entries.into_iter().map(|(node, time)| Stamp { time, node }).collect()
    }
}

impl FromIterator<Stamp> for VersionVector {
    fn from_iter<I: IntoIterator<Item = Stamp>>(stamps: I) -> Self {
        let mut vector = Self::default();
        stamps.into_iter().for_each(|stamp| vector.add(stamp));
        vector
    }
}
