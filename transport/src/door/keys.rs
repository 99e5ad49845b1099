//! What the door wants of whoever knows the keys of a cluster.

use std::collections::BTreeMap;
use std::fmt::Debug;

use seedbed_core::contract::NodeId;
use serde::{Deserialize, Serialize};

use super::node::{BoxFuture, Failure};
use crate::identity::{PublicKey, Roster};

/// Whoever knows the keys of a cluster, and may change them.
pub trait Keys: Debug + Send + Sync + 'static {
    /// Who belongs.
    fn members(&self) -> MemberList;

    /// Takes keys out of the cluster, for good.
    fn revoke(&self, revoke: Revoke) -> BoxFuture<'_, Result<Revoked, Failure>>;

    /// Gives the node a new key.
    fn rotate(&self, rotate: Rotate) -> BoxFuture<'_, Result<Rotated, Failure>>;
}

/// Who belongs to a cluster, and whose keys do not.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct MemberList {
    /// Who belongs, by number.
    pub members: BTreeMap<NodeId, MemberStatus>,
    /// Keys that are nobody's any more.
    pub revoked: Vec<PublicKey>,
    /// Members that have not been told yet what this node knows of members.
    pub behind: Vec<NodeId>,
}

/// A member.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct MemberStatus {
    /// Where it listens for its peers.
    pub address: String,
    /// Whether its vote counts.
    pub votes: bool,
    /// Its keys that are good, and when each ends: seconds since 1970, or none.
    pub keys: BTreeMap<String, Option<u64>>,
}

impl MemberList {
    /// As a roster has them.
    #[must_use]
    pub fn of(roster: &Roster, behind: impl IntoIterator<Item = NodeId>) -> Self {
        let members = roster.members().into_iter().map(|member| {
            let good =
                member.keys.iter().filter(|validity| roster.node_of(&validity.key) == Some(member.node));
            let keys = good.map(|validity| (validity.key.to_string(), validity.until)).collect();
            let (address, votes) = (member.address, member.votes);
            (member.node, MemberStatus { address, votes, keys })
        });
        let members = members.collect();
        Self { members, revoked: roster.revoked(), behind: behind.into_iter().collect() }
    }
}

/// What is to be revoked: one of both.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Revoke {
    /// All keys of this member.
    #[serde(default)]
    pub node: Option<NodeId>,
    /// This key.
    #[serde(default)]
    pub key: Option<String>,
}

/// What has been revoked.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Revoked {
    /// The keys.
    pub revoked: Vec<PublicKey>,
    /// Members that have not been told yet: they will be when they can be reached.
    pub behind: Vec<NodeId>,
}

/// How the key of a node is replaced.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rotate {
    /// How long the old key is good beside the new one, in seconds.
    pub overlap_s: u64,
}

/// The shortest and the longest overlap, in seconds.
pub const OVERLAP: std::ops::RangeInclusive<u64> = 1..=30 * 86_400;

/// A key that is being replaced.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Rotated {
    /// Of this node.
    pub node: NodeId,
    /// The old key.
    pub old: PublicKey,
    /// The new key.
    pub new: PublicKey,
    /// When the old one ends, in seconds since 1970.
    pub until: u64,
    /// Members that have not been told yet: until they are, or the old key ends, the node goes on with it.
    pub behind: Vec<NodeId>,
}
