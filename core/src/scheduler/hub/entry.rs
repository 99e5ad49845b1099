//! What goes into the hub's log, and what the hub wants done.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::stage::Stage;
use crate::contract::{CommandId, Duration, Time};
use crate::scheduler::call::Call;
use crate::scheduler::dag::{Edge, GraphError};
use crate::scheduler::trust::{Answer, Fixed, Identity, Judgement, Validation};
use crate::settings::{Bytes, Rate};

/// The most tags of a task or a worker.
pub const TAGS_MAX: usize = 16;
/// The longest tag, in bytes.
pub const TAG_BYTES_MAX: usize = 64;
/// The most cores of a task or a worker.
pub const CORES_MAX: u32 = 1_000_000;
/// How often a task may be tried again at most.
pub const RETRIES_MAX: u32 = 1_000;
/// The most different needs of tasks that are not done: what a hub does costs time for each of them.
pub const NEEDS_MAX: usize = 10_000;

/// A task, by the order in which tasks were submitted.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct TaskId(pub u64);

/// One worker's turn at a task, or at a spot-check: it looks the same.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct CopyId(pub u64);

/// On whose behalf a task runs.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct UserId(pub u64);

/// What a task takes up for as long as a worker has it.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Needs {
    /// At least one.
    pub cores: u32,
    /// Memory.
    pub ram: Bytes,
    /// What a worker must have, in ascending order, each once.
    pub tags: Vec<String>,
}

/// A task as it is submitted.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Spec {
    /// No other task of the same submission has it.
    pub name: String,
    /// What it takes up.
    pub needs: Needs,
    /// What is to be computed.
    pub call: Arc<Call>,
    /// The CPU time that it takes on one core of speed one.
    pub work: Duration,
    /// What a worker must be sent, besides the outputs of tasks it depends on.
    pub input: Bytes,
    /// What it makes.
    pub output: Bytes,
    /// The least trust of a worker that gets it.
    pub trust: Fixed,
    /// Which answer is accepted; the hub's own rule if none is named.
    #[serde(with = "named")]
    pub validation: Option<Validation>,
    /// How many workers run it, for the policies that ask; theirs if it is not said.
    pub overlap: Option<u32>,
    /// The higher, the more urgent.
    pub priority: u32,
    /// When its user wants it, counted from its submission: `edf` goes by it. It does not fail if it comes later.
    pub deadline: Option<Duration>,
    /// How often it is tried again after an attempt failed.
    pub retries: u32,
}

/// What a worker has.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Capacity {
    /// Cores.
    pub cores: u32,
    /// Memory.
    pub ram: Bytes,
    /// In ascending order, each once.
    pub tags: Vec<String>,
    /// CPU time at speed one that a core does in a second.
    pub speed: Fixed,
    /// How fast data comes to it.
    pub rate: Rate,
}

/// One entry of the log.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Entry {
    /// Drawn by whoever wrote the entry; every draw that follows from the entry is a function of it.
    pub draw: u64,
    /// What happened.
    pub event: Event,
}

/// What can happen to a hub.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Event {
    /// A user brings tasks; all are taken, or none.
    Submit {
        /// To be named in the reply.
        command: CommandId,
        /// Who.
        user: UserId,
        /// The tasks.
        tasks: Vec<Spec>,
        /// Which needs which, by their places in `tasks`: a directed graph without a cycle.
        edges: Vec<Edge>,
    },
    /// A user wants a task no more.
    Cancel {
        /// To be named in the reply.
        command: CommandId,
        /// Who; only its own tasks.
        user: UserId,
        /// Which.
        task: TaskId,
    },
    /// A worker begins anew: whatever it had is gone.
    WorkerJoined {
        /// Who.
        worker: Identity,
        /// What it has.
        capacity: Capacity,
    },
    /// A worker says goodbye.
    WorkerLeft {
        /// Who.
        worker: Identity,
    },
    /// A worker is alive.
    Heartbeat {
        /// Who.
        worker: Identity,
        /// What it is working at. Whatever the hub gave up and is not among it takes up no room any more.
        running: Vec<CopyId>,
    },
    /// A worker is through with a copy.
    Result {
        /// Who.
        worker: Identity,
        /// With what.
        copy: CopyId,
        /// What came of it.
        outcome: Outcome,
    },
    /// Time has passed: see [`Hub::wake_at`](super::Hub::wake_at). Leases and silences end by this alone, so an answer that
    /// was written down before is in time.
    Tick,
    /// The hub's own node is through with what it was to [`Compute`](Output::Compute).
    Learned {
        /// With what.
        copy: CopyId,
        /// What came of it.
        outcome: Outcome,
    },
}

/// What came of a copy.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Outcome {
    /// An answer, as the hub's comparator reads it.
    Answered(Answer),
    /// It could not be done.
    Failed,
    /// It was stopped, as the hub wanted.
    Stopped,
}

/// What the hub wants done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output {
    /// Give a worker something to do.
    Assign {
        /// Who.
        worker: Identity,
        /// What to do. It may be a spot-check: a task whose answer the hub knows.
        task: TaskId,
        /// To be named in the result.
        copy: CopyId,
        /// What to compute.
        call: Arc<Call>,
        /// The CPU time that it takes on one core of speed one.
        work: Duration,
        /// What must come to the worker first: the input, and what others made for the task and is not there.
        data: Bytes,
        /// When the hub will ask others.
        lease: Time,
    },
    /// Compute a task on the hub's own node: its answer is needed for spot-checks.
    Compute {
        /// To be named when it is [`Learned`](Event::Learned).
        copy: CopyId,
        /// What to compute.
        call: Arc<Call>,
        /// The CPU time that it takes on one core of speed one.
        work: Duration,
    },
    /// Tell a worker to stop.
    Revoke {
        /// Who.
        worker: Identity,
        /// With what.
        copy: CopyId,
    },
    /// Tell that a task is in another stage now.
    Notice {
        /// Which.
        task: TaskId,
        /// Its stage.
        stage: Stage,
    },
    /// Tell how a worker's answer fared.
    Judged {
        /// Who.
        worker: Identity,
        /// Of which task.
        task: TaskId,
        /// How.
        judgement: Judgement,
    },
    /// Tell that a worker is there.
    Joined {
        /// Who.
        worker: Identity,
    },
    /// Tell that a worker counts as gone.
    Lost {
        /// Who.
        worker: Identity,
    },
    /// Tell that a worker was found out and gets no work any more.
    Blacklisted {
        /// Who.
        worker: Identity,
    },
    /// Tell a worker that it is not taken: there are too many, or what it has is nothing.
    Unwelcome {
        /// Who.
        worker: Identity,
    },
    /// Tell a worker that the hub does not count on it: it is to join.
    Unknown {
        /// Who.
        worker: Identity,
    },
    /// Answer a user.
    Reply {
        /// To what.
        command: CommandId,
        /// The answer.
        reply: Reply,
    },
}

/// What a user is told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reply {
    /// The tasks are taken; the others follow the first one.
    Submitted {
        /// The first of them.
        first: TaskId,
        /// How many.
        count: u32,
    },
    /// The task is cancelled.
    Cancelled,
    /// Nothing is changed.
    Refused(Refusal),
}

/// Why nothing is changed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// The tasks are no graph.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// Too many tasks are not done yet.
    #[error("the hub takes no more than {0} tasks at a time")]
    Tasks(u32),
    /// Too many different needs.
    #[error("the tasks that are not done may have {NEEDS_MAX} different needs")]
    Needs,
    /// A task is not what it must be.
    #[error("task {task}: {what}")]
    Spec {
        /// Its place among those submitted.
        task: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// There is no such task, it is another user's, or it has ended.
    #[error("there is no such task of this user that could be cancelled")]
    NoTask,
}

impl Spec {
    /// What it takes of its user's share: nanoseconds of one core.
    pub(super) fn cost(&self) -> u128 {
        u128::from(self.work.as_nanos()) * u128::from(self.needs.cores)
    }

    /// What is wrong with it, if something is.
    pub(super) fn flaw(&self) -> Option<&'static str> {
        if self.needs.cores == 0 || self.needs.cores > CORES_MAX {
            return Some("it must need between 1 and 1,000,000 cores");
        }
        if !are_tags(&self.needs.tags) {
            return Some("tags must be few, short, in ascending order, and each there once");
        }
        if let Some(flaw) = self.call.flaw() {
            return Some(flaw);
        }
        (self.retries > RETRIES_MAX).then_some("it may be tried again 1,000 times at most")
    }
}

impl Capacity {
    /// How long work takes that has one core.
    #[must_use]
    pub fn takes(&self, work: Duration) -> Duration {
        let nanos = u128::from(work.as_nanos()) * u128::from(Fixed::ONE.0) / u128::from(self.speed.0.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// How long data takes to come.
    #[must_use]
    pub fn receives(&self, bytes: u64) -> Duration {
        let nanos = u128::from(bytes) * 8 * 1_000_000_000 / u128::from(self.rate.0.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// Whether this is a list of tags.
pub(super) fn are_tags(tags: &[String]) -> bool {
    tags.len() <= TAGS_MAX
        && tags.iter().all(|tag| tag.len() <= TAG_BYTES_MAX)
        && tags.windows(2).all(|pair| pair[0] < pair[1])
}

/// A policy as its name.
mod named {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    use crate::scheduler::trust::Validation;

    pub(super) fn serialize<S: Serializer>(
        validation: &Option<Validation>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        validation.map(Validation::name).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Validation>, D::Error> {
        let Some(name) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
        let found = Validation::ALL.iter().copied().find(|validation| validation.name() == name);
        found.map(Some).ok_or_else(|| de::Error::custom("no such policy of validation"))
    }
}
