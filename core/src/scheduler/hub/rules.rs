//! What a hub goes by. Configuration, not state: the same for all that apply one log.

use super::health::Health;
use super::line::Binding;
use super::node::NodePolicy;
use super::plan::DagPolicy;
use super::queue::QueuePolicy;
use crate::contract::{Duration, Keys};
use crate::scheduler::trust::{self, Comparator, Fixed, Policy, Validation};
use crate::settings;

settings! {
    /// Parameters of a hub.
    pub struct Parameters {
        /// Which task is next.
        pub queue: QueuePolicy = QueuePolicy::Fifo;
        /// Which worker gets it.
        pub node: NodePolicy = NodePolicy::LeastLoaded;
        /// Which of a workflow's tasks is next, and where: before what the other two say.
        pub dag: DagPolicy = DagPolicy::None;
        /// For how many times its planned end a task waits for the worker that is planned for it.
        pub plan_times: u32 = 2, in 1..=1_000;
        /// When a task is given to a worker for good.
        pub binding: Binding = Binding::Late;
        /// How much waiting makes up for one step of priority (`priority`).
        pub aging: Duration = Duration::from_secs(60);
        /// How many tasks are considered at a time (`districloud`).
        pub active: u32 = 10, in 1..=10_000;
        /// How many workers are drawn (`power-of-d`).
        pub choices: u32 = 2, in 1..=64;
        /// How many workers with room are compared for one task; with more of them, not all are.
        pub candidates: u32 = 64, in 1..=100_000;
        /// How long a worker has for a task at least.
        pub lease: Duration = Duration::from_secs(60);
        /// For how many times the expected time a worker has it.
        pub lease_times: u32 = 4, in 1..=1_000;
        /// How it is found out that a worker is gone.
        pub health: Health = Health::Fixed;
        /// After how long without a word a worker counts as gone, at the latest.
        pub silence: Duration = Duration::from_secs(120);
        /// Silence is looked for at multiples of this time; if it is 0, at once.
        pub check: Duration = Duration::ZERO;
        /// How sure it must be that a worker is gone (`phi-accrual`): the chance of an error is 10^-phi.
        pub phi: u32 = 8, in 1..=16;
        /// How many gaps between heartbeats a worker is known by (`phi-accrual`).
        pub window: u32 = 100, in 2..=10_000;
        /// The least deviation of those gaps that is reckoned with (`phi-accrual`).
        pub deviation: Duration = Duration::from_millis(100);
        /// How much later than by its habit a heartbeat may come without suspicion (`phi-accrual`).
        pub pause: Duration = Duration::ZERO;
        /// How long a task waits while no worker could take it, however idle, before the attempt failed.
        pub patience: Duration = Duration::from_secs(600), in Duration::from_millis(1)..=Duration::from_secs(31_536_000);
        /// How long a task rests after its first failed attempt; twice as long after each further one.
        pub backoff: Duration = Duration::from_secs(1);
        /// How long it rests at most.
        pub backoff_max: Duration = Duration::from_secs(300);
        /// After how many times the expected time a copy counts as a straggler, and another worker is asked, too; 0 is never.
        pub stragglers: u32 = 0, in 0..=1_000;
        /// The most tasks that are not done.
        pub tasks: u32 = 2_000_000, in 1..=10_000_000;
        /// How many tasks that are done are remembered, for late answers and questions.
        pub remembered: u32 = 2_000_000, in 0..=10_000_000;
        /// The most workers.
        pub workers: u32 = 100_000, in 1..=1_000_000;
        /// DistriCloud's flaw (d): a copy that was lost with its worker is not made up for once there is an answer, so that
        /// a task which needs more of them is stuck for ever.
        pub forgets_lost_copies: bool = false;
        /// A planted mistake: when a lease runs out, its seat is given up, so that its worker may get the task once more.
        pub seat_after_lease: bool = false;
    }
}

/// Parameters, ready for use.
#[derive(Clone, Debug)]
pub struct Rules {
    pub(super) hub: Parameters,
    /// One for each of [`Validation::ALL`].
    policies: Vec<Policy>,
    validation: Validation,
    pub(super) comparator: Comparator,
    /// The range of trust.
    pub(super) trust: (Fixed, Fixed),
    /// Known to everybody: what cannot be foreseen is in the entries' draws.
    pub(super) keys: Keys,
}

impl Rules {
    /// As parameters say. `comparator` says which answers are the same.
    #[must_use]
    pub fn new(hub: &Parameters, trust: &trust::Parameters, comparator: Comparator) -> Self {
        let policy = |validation: &Validation| {
            Policy::new(&trust::Parameters { validation: *validation, ..trust.clone() })
        };
        Self {
            hub: hub.clone(),
            policies: Validation::ALL.iter().map(policy).collect(),
            validation: trust.validation,
            comparator,
            trust: (Fixed::of(trust.lowest), Fixed::of(trust.highest.max(trust.lowest))),
            keys: Keys::from_seed(0),
        }
    }

    /// The policy of this name; without one, the hub's own.
    pub(super) fn policy(&self, validation: Option<Validation>) -> &Policy {
        &self.policies[validation.unwrap_or(self.validation) as usize]
    }
}
