//! What hub and nodes say to each other.

use serde::{Deserialize, Serialize};

use crate::contract::{Duration, NodeId, Wire};
use crate::scheduler::trust::Fixed;

/// The number of a task, counted from zero.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct TaskId(pub u64);

impl TaskId {
    /// What comes out of the task.
    #[must_use]
    pub const fn right(self) -> u64 {
        self.0.wrapping_mul(2)
    }

    /// What malicious nodes say came out: all of them the same.
    #[must_use]
    pub const fn wrong(self) -> u64 {
        self.right() + 1
    }
}

/// What a client wants to have done.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Spec {
    /// Cores, if that is told.
    pub cpu: Option<u32>,
    /// Memory, if that is told.
    pub ram: Option<u32>,
    /// How many nodes are to do it.
    pub overlap: u32,
    /// The trust that they must have; the hub draws it if it is not told.
    pub trust: Option<Fixed>,
    /// How long it takes.
    pub work: Duration,
}

/// Between a node and the hub.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Message {
    /// A node is there, and not working.
    Heartbeat,
    /// A node wants a task.
    Poll,
    /// What the node is to do, and how long that takes: the oldest of its assignments that it has not answered, if there is
    /// one.
    Work(Option<(TaskId, Duration)>),
    /// What came out.
    Submit {
        /// Of which task.
        task: TaskId,
        /// Nothing is an empty output.
        output: Option<u64>,
    },
}

impl Wire for Message {}

/// What a node waits for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Timer {
    /// The hub's next pass.
    Pass,
    /// The hub's next look at who is silent.
    Health,
    /// A node's next heartbeat.
    Heartbeat,
    /// A node's next round.
    Round,
    /// A node's work is done.
    Done,
}

/// What is asked of the hub.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Command {
    /// To have this done.
    Submit(Spec),
}

/// What came of it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Reply {
    /// It is on the board.
    Submitted(TaskId),
    /// It is not.
    Refused(Refusal),
}

/// Why a task is not taken.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Refusal {
    /// This is not the hub.
    NotTheHub,
    /// There are too many tasks.
    Full,
    /// It wants no node, or too many.
    Overlap,
}

/// What hub and nodes tell their observers.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Notice {
    /// The hub has a new task.
    Submitted(TaskId),
    /// The hub gave a task to a node.
    Assigned(TaskId, NodeId),
    /// The hub took an assignment away from a node.
    Deleted(TaskId, NodeId),
    /// The hub has a node's answer.
    Answered(TaskId, NodeId),
    /// The hub got an answer to what its sender was not to do any more.
    Late(TaskId, NodeId),
    /// The hub believes an answer.
    Validated {
        /// To which task.
        task: TaskId,
        /// Which one.
        output: u64,
        /// The share of trust that speaks for it.
        support: Fixed,
    },
    /// The hub believes none of the answers.
    Failed(TaskId),
    /// The hub gives up a task that it found no nodes for.
    Purged(TaskId),
    /// The hub takes a node for gone.
    Inactive(NodeId),
    /// A node begins to work.
    Began(TaskId),
    /// A node has done its work.
    Ended(TaskId),
}
