//! The protocol `scheduler`: a hub gives tasks to workers and decides which of their answers to believe.
//!
//! Node 0 is the hub, all others are workers. What the hub decides, [`Hub`](crate::scheduler::hub::Hub) decides, a machine
//! behind a log; `shell` is the node around it. A worker (`worker`) does what it is told. Who is not to be trusted is such a
//! worker with somebody in between who changes what goes in (`byzantine`).
//!
//! ```text
//! worker: Join -->                 hub: Welcome, Refused, Unknown
//!         Heartbeat -->                 Assign, Revoke once more, where they were lost
//!         Results --> Taken             Assign, Revoke
//!         Want --> Module
//! ```
//!
//! Nothing is said before it is on disk, so what a client or a worker was told once, the hub knows for good. What may get
//! lost is said again: results by the worker until the hub has `Taken` them, assignments after the next heartbeat.

mod byzantine;
mod load;
mod messages;
mod parameters;
mod probe;
mod questions;
mod shell;
mod store;
mod subject;
mod worker;

use std::sync::Arc;

use serde::Serialize;

use crate::contract::{Context, InputOf, NodeId, Protocol};

pub use byzantine::Byzantine;
pub use load::{Asked, Load, Span, Workflow};
pub use messages::{
    Assignment, Command, How, Job, Message, Notice, Outcome, Record, Refusal, Reply, Summary, TaskStatus,
    Timer, WorkerStatus,
};
pub use parameters::{Config, Flaw, Parameters, Sabotage, WorkerSpec};
pub use probe::ClusterProbe;
pub use shell::Shell;
pub use worker::Worker;

/// The hub's node.
pub const HUB: NodeId = NodeId(0);

type Cx<'a> = Context<'a, Cluster>;

/// A node.
#[derive(Clone, Debug, Serialize)]
pub enum Cluster {
    /// Gives out tasks.
    Hub(Box<Shell>),
    /// Does them.
    Worker(Box<Worker>),
    /// Does what it likes.
    Byzantine(Box<Byzantine>),
}

impl Cluster {
    /// The hub, if this is it.
    #[must_use]
    pub fn hub(&self) -> Option<&Shell> {
        match self {
            Self::Hub(shell) => Some(shell),
            _ => None,
        }
    }

    /// The worker, if this is one.
    #[must_use]
    pub fn worker(&self) -> Option<&Worker> {
        match self {
            Self::Hub(_) => None,
            Self::Worker(worker) => Some(worker),
            Self::Byzantine(byzantine) => Some(byzantine.worker()),
        }
    }
}

impl Protocol for Cluster {
    const VERSION: u16 = 1;
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Command = Command;
    type Reply = Reply;
    type Record = Record;
    type Notice = Notice;
    type Job = Job;
    type Outcome = Outcome;

    fn boot(config: &Arc<Config>, me: NodeId) -> Self {
        match config.saboteur(me) {
            _ if me == HUB => Self::Hub(Box::new(Shell::new(config))),
            None => Self::Worker(Box::new(Worker::new(config, me))),
            Some(conduct) => Self::Byzantine(Box::new(Byzantine::new(config, me, conduct))),
        }
    }

    fn step(&mut self, input: InputOf<Self>, cx: &mut Context<'_, Self>) {
        match self {
            Self::Hub(shell) => shell.step(input, cx),
            Self::Worker(worker) => worker.step(input, cx),
            Self::Byzantine(byzantine) => byzantine.step(input, cx),
        }
    }

    fn role(&self) -> &'static str {
        match self {
            Self::Hub(_) => "hub",
            Self::Worker(_) => "worker",
            Self::Byzantine(_) => "saboteur",
        }
    }
}
