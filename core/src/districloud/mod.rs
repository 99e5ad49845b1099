//! DistriCloud: a hub that gives tasks to nodes by fit and trust, and believes what the trusted answer.
//!
//! This is the *faithful* system, the platform of the thesis "Components for a Decentralized Cloud" (Dragos), flaws
//! included. Node 0 is the hub, the others are nodes.
//!
//! A node goes in rounds: it sends a heartbeat, asks for a task, works, hands in what came out, and sleeps. While it works it
//! sends no heartbeat. The hub keeps tasks and assignments on a `Board`; now and then it makes an orchestration `pass`
//! over it, which brings a few tasks into the active queue and gives them to as many nodes as they want. When all have
//! answered, the answer for which most trust speaks is valid if that is 60 % of all; trust goes up and down by it. Nodes that
//! were silent for too long lose their assignments. Clients are told the number of their task, and nothing else.
//!
//! Each flaw is a switch of [`Parameters`], on by default:
//!
//! - `unread_capacity`: heartbeats carry keys that the scheduler does not read, so after its first one a node counts as
//!   having nothing free, and its fit is that of every other node;
//! - `oldest_heartbeat`: `fifo` gives tasks to whoever was silent longest, and who works is silent;
//! - `blind_fit`: a node that is too small is as good as one that is too large by as much;
//! - `short_completion`: a task is complete when all its assignments have answers, even if one was taken away from a silent
//!   node before; then answers are missing for ever, and nobody looks at the task again.
//!
//! Whom to believe is [`trust`](crate::scheduler::trust)'s policy `districloud`, which is the same rule. The rest is
//! written here, because the hub of [`scheduler`](crate::scheduler) reserves capacity, and this one knows of none.
//! [`Rule`] has policies of our own beside the original's two, under the same loop and the same hub.
//!
//! Where we deviate: the original's database outlives its hub; here the hub keeps everything in memory and is not meant to
//! crash. What of a silent node's assignments is deleted is not told: we delete those without an answer. Nodes are known to the
//! hub before they are heard. A node whose request is not answered sleeps and goes on to its next round.

mod board;
mod draw;
mod hub;
mod messages;
mod node;
mod parameters;
mod pass;
mod probe;
mod published;
mod subject;
mod task;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::Serialize;

use crate::contract::{Context, InputOf, Never, NodeId, Protocol};

pub use board::{Board, Member};
pub use hub::Hub;
pub use messages::{Command, Message, Notice, Refusal, Reply, Spec, TaskId, Timer};
pub use node::Node;
pub use parameters::{Config, Load, Parameters, Rule};
pub use probe::DistriCloudProbe;
pub use published::Published;
pub use task::{Output, State, Task};

/// The node that keeps tasks and trust.
pub const HUB: NodeId = NodeId(0);
/// The most tasks that the hub keeps at the same time.
pub const TASKS_MAX: usize = 1 << 17;
/// The most nodes that a task may want.
pub const OVERLAP_MAX: u32 = 64;

type Cx<'a> = Context<'a, DistriCloud>;

/// A node of the cloud, or its hub.
#[derive(Clone, Debug, Serialize)]
#[allow(clippy::large_enum_variant)] // There is one hub.
pub enum DistriCloud {
    /// Node 0.
    Hub(Hub),
    /// Every other node.
    Node(Node),
}

impl DistriCloud {
    /// The hub, if this is it.
    #[must_use]
    pub fn hub(&self) -> Option<&Hub> {
        match self {
            Self::Hub(hub) => Some(hub),
            Self::Node(_) => None,
        }
    }

    /// The node, if this is none but a node.
    #[must_use]
    pub fn node(&self) -> Option<&Node> {
        match self {
            Self::Hub(_) => None,
            Self::Node(node) => Some(node),
        }
    }
}

impl Protocol for DistriCloud {
    const VERSION: u16 = 1;
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Command = Command;
    type Reply = Reply;
    type Record = Never;
    type Notice = Notice;
    type Job = Never;
    type Outcome = Never;

    fn boot(config: &Arc<Config>, me: NodeId) -> Self {
        match me {
            HUB => Self::Hub(Hub::new(config)),
            _ => Self::Node(Node::new(config, me)),
        }
    }

    fn step(&mut self, input: InputOf<Self>, cx: &mut Context<'_, Self>) {
        match self {
            Self::Hub(hub) => hub.step(input, cx),
            Self::Node(node) => node.step(input, cx),
        }
    }

    fn role(&self) -> &'static str {
        match self {
            Self::Hub(_) => "hub",
            Self::Node(_) => "node",
        }
    }
}
