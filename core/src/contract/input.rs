//! Everything that can happen to a node.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Blob, BlobInput, Protocol};

/// One of the nodes of a system, counted from zero.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct NodeId(pub u32);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}

/// How often a node has started: the first life is 0.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Life(pub u32);

/// Ties a reply to the command that asked for it.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct CommandId(pub u64);

/// Who belongs to the system, as agreed elsewhere.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Members {
    /// Rises with every agreed change.
    pub epoch: u64,
    /// Those whose votes count, in ascending order.
    pub voters: Arc<[NodeId]>,
    /// Those who belong without a vote, in ascending order.
    pub others: Arc<[NodeId]>,
}

/// Everything that can happen to a node. It is serialisable, so a list of inputs is a full recording.
///
/// Parameters: message, timer, command, record, job, outcome; see [`InputOf`].
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Input<M, T, C, R, J, O> {
    /// The first input of every life, with the records that survived: a prefix of what was written that holds
    /// everything synced. Damage elsewhere halts the node instead.
    Start {
        /// Oldest first.
        log: Vec<R>,
    },
    /// A message arrived. Its sender is who the driver says it is; what it says may be anything.
    Message {
        /// Who sent it.
        from: NodeId,
        /// What it says.
        message: M,
        /// Bytes that rode beside it.
        blob: Option<Blob>,
    },
    /// A timer ran out. Only ever one that is set: drivers drop the stale ones.
    Timer {
        /// Its key; it is no longer set.
        timer: T,
    },
    /// A client asks for something.
    Command {
        /// To be named in the reply.
        id: CommandId,
        /// What it asks.
        command: C,
    },
    /// The membership changed.
    Members(Members),
    /// A connection came up or went down: a hint, never a fact.
    Link {
        /// The other end.
        peer: NodeId,
        /// Whether it seems reachable.
        up: bool,
    },
    /// News of a blob that this node stored or asked for.
    Blob(BlobInput),
    /// The disk had no room for this record, nor for anything written after it in the same step. What was to be
    /// sent after it has been dropped: a promise that could not be kept never left.
    Full {
        /// The first record that was refused.
        record: R,
    },
    /// A job is done.
    Ran {
        /// As it was asked for.
        job: J,
        /// What it came to.
        outcome: O,
    },
}

/// The [`Input`] of a protocol.
pub type InputOf<P> = Input<
    <P as Protocol>::Message,
    <P as Protocol>::Timer,
    <P as Protocol>::Command,
    <P as Protocol>::Record,
    <P as Protocol>::Job,
    <P as Protocol>::Outcome,
>;
