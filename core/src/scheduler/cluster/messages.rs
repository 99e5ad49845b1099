//! What hub, workers and clients tell each other, what the hub writes down, and what it tells those who look on.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::contract::{BlobId, Duration, Time, Wire};
use crate::scheduler::call::{Call, MODULE_BYTES_MAX};
use crate::scheduler::dag::Edge;
use crate::scheduler::hub::{Capacity, CopyId, Entry, Spec, Stage, TaskId, UserId};
use crate::scheduler::trust::{Fixed, Identity, Judgement};
use crate::settings;

/// Between the hub and its workers.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Message {
    /// To the hub: a worker begins anew.
    Join {
        /// Under this name.
        worker: Identity,
        /// Drawn when it began: who says it twice begins once.
        begun: u64,
        /// What it has.
        capacity: Capacity,
    },
    /// To the hub: a worker says goodbye.
    Leave {
        /// Who.
        worker: Identity,
    },
    /// To the hub: a worker is alive.
    Heartbeat {
        /// Who.
        worker: Identity,
        /// What it is working at, and what it is through with but for the hub's word that it heard of it.
        running: Vec<CopyId>,
    },
    /// To the hub: a worker is through with copies.
    Results {
        /// Who.
        worker: Identity,
        /// What came of each.
        results: Vec<(CopyId, Outcome)>,
    },
    /// To the hub: a worker needs a module.
    Want {
        /// Which.
        module: BlobId,
    },
    /// To a worker: it belongs to the hub.
    Welcome {
        /// Under this name.
        worker: Identity,
    },
    /// To a worker: the hub does not count on it; it is to join.
    Unknown {
        /// Under this name.
        worker: Identity,
    },
    /// To a worker: it gets no work, now or any more.
    Refused {
        /// Under this name.
        worker: Identity,
        /// Whether it was found out.
        is_barred: bool,
    },
    /// To a worker: things to do.
    Assign {
        /// In this order.
        assignments: Vec<Assignment>,
    },
    /// To a worker: it is to stop.
    Revoke {
        /// With these.
        copies: Vec<CopyId>,
    },
    /// To a worker: the hub has these results for good.
    Taken {
        /// Of these copies.
        copies: Vec<CopyId>,
    },
    /// To a worker: a module that it wants rides beside this, or does not, if the hub has no such module.
    Module {
        /// Which.
        module: BlobId,
    },
}

impl Wire for Message {}

/// One worker's turn at a task.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Assignment {
    /// To be named in the result.
    pub copy: CopyId,
    /// What to compute.
    pub call: Arc<Call>,
    /// The CPU time that it takes on one core of speed one.
    pub work: Duration,
    /// What must come to the worker first, at the rate at which data comes to it.
    pub data: settings::Bytes,
    /// The cores that it takes up.
    pub cores: u32,
    /// The memory that it takes up.
    pub ram: settings::Bytes,
}

/// What came of a computation.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Outcome {
    /// An answer.
    Answered(Bytes),
    /// It could not be done, for this reason.
    Failed(String),
    /// It was stopped, as the hub wanted.
    Stopped,
}

/// Work for a CPU.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Job {
    /// Of which copy.
    pub copy: CopyId,
    /// What to compute.
    pub call: Arc<Call>,
    /// The CPU time that it takes on one core of speed one.
    pub work: Duration,
}

/// What a client asks of the hub.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Command {
    /// Takes tasks; all of them, or none.
    Submit {
        /// Whose they are.
        user: UserId,
        /// The tasks.
        tasks: Vec<Spec>,
        /// Which needs which, by their places in `tasks`.
        edges: Vec<Edge>,
        /// Whether to answer only when the last of them has ended.
        wait: bool,
    },
    /// Wants a task no more.
    Cancel {
        /// Whose it is.
        user: UserId,
        /// Which.
        task: TaskId,
    },
    /// Tells how a task is.
    Status {
        /// Which.
        task: TaskId,
    },
    /// Answers when a task has ended.
    Await {
        /// Which.
        task: TaskId,
    },
    /// Tells how tasks are, in the order of their numbers.
    List {
        /// From this one on.
        from: TaskId,
        /// At most so many.
        limit: u32,
        /// Only this user's.
        user: Option<UserId>,
        /// Only those in a stage of this name.
        stage: Option<String>,
    },
    /// Tells what is known of the workers.
    Workers,
    /// Tells how much there is of everything.
    Summary,
    /// Keeps a module, for tasks that name it.
    Store {
        /// Its bytes.
        module: Bytes,
    },
}

/// What a client is told.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Reply {
    /// The tasks are taken, and on disk; the others follow the first one.
    Submitted {
        /// The first of them.
        first: TaskId,
        /// How many.
        count: u32,
    },
    /// The task is cancelled.
    Cancelled,
    /// How a task is.
    Task(Box<TaskStatus>),
    /// How tasks are.
    Tasks {
        /// In the order of their numbers.
        tasks: Vec<TaskStatus>,
        /// Where the next page begins, if there may be one.
        next: Option<TaskId>,
    },
    /// What is known of the workers.
    Workers(Vec<WorkerStatus>),
    /// How much there is of everything.
    Summary(Summary),
    /// The module is kept under this name.
    Stored {
        /// Its content address.
        module: BlobId,
    },
    /// Nothing is changed.
    Refused(Refusal),
}

/// Why nothing is changed.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, thiserror::Error)]
pub enum Refusal {
    /// The tasks are not what they must be.
    #[error("{0}")]
    Submission(String),
    /// There is no such task, or it is forgotten.
    #[error("there is no task {}; it may have been forgotten long after it ended", .0.0)]
    NoTask(TaskId),
    /// It is another user's, or it has ended.
    #[error("task {} is another user's, or it has ended", .0.0)]
    NotYours(TaskId),
    /// There is no such stage.
    #[error(
        "there is no stage `{0}`: tasks are waiting, queued, running, resting, validated, failed or cancelled"
    )]
    NoStage(String),
    /// This node is no hub.
    #[error("this node is a worker: ask the hub, node 0")]
    NotTheHub,
    /// The hub's disk has no room.
    #[error("the hub's disk is full: try again later")]
    Full,
    /// The hub cannot read what it wrote down in an earlier life.
    #[error("the hub cannot read its own log: it was written by another version, or is damaged")]
    Unreadable,
    /// There is too much to do.
    #[error("{0}; try again later")]
    Busy(String),
    /// Too many clients wait for tasks.
    #[error("too many clients wait for tasks to end")]
    Crowded,
    /// The module is too long, or none.
    #[error("a module has between 1 and {MODULE_BYTES_MAX} bytes")]
    Module,
}

/// How a task is.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct TaskStatus {
    /// Which.
    pub task: TaskId,
    /// As its user calls it.
    pub name: String,
    /// Whose it is.
    pub user: UserId,
    /// Where it is in its life.
    pub stage: Stage,
    /// Attempts that failed.
    pub attempts: u32,
    /// By the hub's clock.
    pub submitted: Time,
    /// The accepted answer of a validated task, or the digest of one that was too long to be kept.
    pub answer: Option<Bytes>,
}

/// What is known of a worker.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct WorkerStatus {
    /// Under which name.
    pub worker: Identity,
    /// What it has; nothing is known of one that is gone.
    pub capacity: Option<Capacity>,
    /// Copies that take up room.
    pub copies: u32,
    /// Cores that no copy has.
    pub free_cores: u32,
    /// DistriCloud's trust.
    pub trust: Fixed,
    /// Spot-checks that it passed.
    pub passed: u32,
    /// Answers that turned out valid.
    pub valid: u64,
    /// Answers that turned out invalid, and spot-checks failed.
    pub invalid: u64,
    /// Whether it was found out and gets no work.
    pub is_blacklisted: bool,
}

/// How much there is of everything.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Summary {
    /// Tasks ever taken.
    pub submitted: u64,
    /// Tasks that have not ended.
    pub open: u32,
    /// Tasks validated.
    pub validated: u64,
    /// Tasks failed.
    pub failed: u64,
    /// Tasks cancelled.
    pub cancelled: u64,
    /// Workers that are there.
    pub workers: u32,
    /// Their cores.
    pub cores: u64,
    /// Those that no copy has.
    pub free_cores: u64,
}

/// What the hub writes down.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Record {
    /// What happened, at this time by the hub's clock.
    Entries {
        /// When.
        at: Time,
        /// What.
        entries: Vec<Entry>,
    },
    /// A piece of all that the hub knew when it wrote its log anew.
    State {
        /// Which piece, from 0.
        nth: u32,
        /// Of how many.
        of: u32,
        /// Its part of the encoding.
        bytes: Bytes,
    },
}

/// When to do something.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Timer {
    /// The hub: time has passed.
    Tick,
    /// The hub: try again to write to a full disk.
    Write,
    /// A worker: say that it is alive, or join.
    Heartbeat,
    /// A worker: what a copy needs has come.
    Fetched(CopyId),
}

/// How a worker's work at a copy ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum How {
    /// With an answer.
    Answered,
    /// It could not be done.
    Failed,
    /// The hub did not want it any more.
    Stopped,
}

/// What those who look on are told.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Notice {
    /// The hub has read its log, and goes on from there.
    Resumed {
        /// How many tasks it has ever taken.
        tasks: u64,
    },
    /// A task is in another stage.
    Task {
        /// Which.
        task: TaskId,
        /// Its stage.
        stage: Stage,
    },
    /// A worker got something to do.
    Assigned {
        /// Of which task.
        task: TaskId,
        /// As this copy.
        copy: CopyId,
        /// Who.
        worker: Identity,
    },
    /// A copy's result is known to the hub.
    Returned {
        /// Of this copy.
        copy: CopyId,
        /// From whom.
        worker: Identity,
        /// Whether it is an answer.
        is_answer: bool,
    },
    /// How a worker's answer fared.
    Judged {
        /// Who.
        worker: Identity,
        /// Of which task.
        task: TaskId,
        /// How.
        judgement: Judgement,
    },
    /// A worker was found out and gets no work any more.
    Blacklisted {
        /// Who.
        worker: Identity,
    },
    /// A worker is there.
    Joined {
        /// Who.
        worker: Identity,
    },
    /// A worker counts as gone.
    Lost {
        /// Who.
        worker: Identity,
    },
    /// A worker began to work at a copy.
    Began {
        /// Which.
        copy: CopyId,
    },
    /// A worker is through with a copy.
    Ended {
        /// Which.
        copy: CopyId,
        /// In which way.
        how: How,
    },
    /// A saboteur comes under a new name.
    Renamed {
        /// Its new name.
        worker: Identity,
    },
}
