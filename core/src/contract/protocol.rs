//! What a protocol is.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Context, InputOf, NodeId};

/// What every message, timer key, record and reply is: plain data that can be compared, hashed and stored.
///
/// It holds no floats: they differ between machines and have no total order.
pub trait Data: Clone + Debug + Eq + Hash + Serialize + DeserializeOwned + Send + Sync + 'static {}
impl<T: Clone + Debug + Eq + Hash + Serialize + DeserializeOwned + Send + Sync + 'static> Data for T {}

/// Data that travels between nodes.
pub trait Wire: Data {
    /// The lane it takes: bulk data never delays a heartbeat.
    fn lane(&self) -> Lane {
        Lane::Control
    }

    /// Its size in bytes, for bandwidth models: by default that of its encoding. A blob's bytes come on top.
    fn size(&self) -> u64 {
        postcard::experimental::serialized_size(self).map_or(0, |size| size as u64)
    }
}

/// Two lanes between each pair of nodes, so that heartbeats do not wait behind chunks. Order holds within a lane only.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Lane {
    /// Small and urgent.
    Control,
    /// Large and patient.
    Bulk,
}

/// The type of what a protocol does not have: no value of it exists.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Never {}
impl Wire for Never {}

/// A deterministic state machine that is one node of a distributed system.
pub trait Protocol: Sized + Clone + Serialize + Send + 'static {
    /// The version spoken in the hello of a real connection.
    const VERSION: u16;
    /// Parameters and peers: shared by all lives of a node, not part of its state.
    type Config: Send + Sync + 'static;
    /// Sent to the same protocol on another node.
    type Message: Wire;
    /// Names a timer; setting a key again replaces it.
    type Timer: Data + Copy;
    /// Asked by a client, answered by a `Reply`.
    type Command: Data;
    /// Answers a command.
    type Reply: Data;
    /// Appended to the node's log; handed back by [`Input::Start`](super::Input::Start) in the next life.
    type Record: Data;
    /// Told to whoever embeds or observes this protocol; never leaves the node.
    type Notice: Data;
    /// Work that costs CPU time, done outside the step by a registered service.
    type Job: Data;
    /// What a job came to.
    type Outcome: Data;

    /// The state in which every life starts, before its first input.
    fn boot(config: &Arc<Self::Config>, me: NodeId) -> Self;

    /// Handles one input. Accepts every input in every state, because the network will find it; never panics on
    /// what came from outside.
    fn step(&mut self, input: InputOf<Self>, cx: &mut Context<'_, Self>);

    /// What the node is at the moment (`leader`, `worker`, ...), so that faults, checks and commands can aim at it.
    fn role(&self) -> &'static str {
        ""
    }
}
