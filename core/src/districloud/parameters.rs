//! What a scenario may choose.

use super::{HUB, OVERLAP_MAX};
use crate::contract::{Duration, NodeId};
use crate::scheduler::trust::{self, Policy, Validation};
use crate::settings::Probability;
use crate::{choice, settings};

const SHORTEST: Duration = Duration::from_nanos(1);
const LONGEST: Duration = Duration::from_secs(86_400);

settings! {
    /// Parameters of hub and nodes; as given, those of the original's product. Its experiments differ in `sleep` and `pass_at_poll`.
    pub struct Parameters {
        /// Which task comes first, and which node gets it.
        pub rule: Rule = Rule::Custom;
        /// Time between two passes of orchestration.
        pub orchestration: Duration = Duration::from_secs(120), in SHORTEST..=LONGEST;
        /// Whether there is a pass, too, before each answer to a node that asks for a task: so in the original's experiments.
        pub pass_at_poll: bool = false;
        /// Time between two looks of the hub at who is silent.
        pub health: Duration = Duration::from_secs(60), in SHORTEST..=LONGEST;
        /// A node silent for longer than this loses its assignments.
        pub inactive_after: Duration = Duration::from_secs(120), in SHORTEST..=LONGEST;
        /// How long a node that does not work is silent at most. It begins each round with a heartbeat besides.
        pub heartbeat: Duration = Duration::from_secs(30), in SHORTEST..=LONGEST;
        /// How long a node sleeps between two rounds; 2 s in the original's experiments.
        pub sleep: Duration = Duration::from_secs(60), in SHORTEST..=LONGEST;
        /// How long a node waits for the answer to its request for a task.
        pub patience: Duration = Duration::from_secs(10), in SHORTEST..=LONGEST;
        /// How many tasks are active at the same time.
        pub active: u32 = 10, in 1..=1_000_000;
        /// The share of trust that must speak for an answer.
        pub threshold: Probability = Probability::of(0.6);
        /// The trust that nodes begin with (5 in the product); drawn from 1 to 10 if not set, as in the original's experiments.
        pub trust: Option<f64> = None, in 1.0..=10.0;
        /// How many nodes, the last ones, are malicious: all of them answer the same, which is wrong.
        pub malicious: u32 = 0, in 0..=1_000_000;
        /// The trust that these begin with, if not that of the others.
        pub malicious_trust: Option<f64> = None, in 1.0..=10.0;
        /// How often they do.
        pub lies: Probability = Probability::ALWAYS;
        /// Flaw: after its first heartbeat a node counts as having nothing free. Off: as having what it has.
        pub unread_capacity: bool = true;
        /// Flaw: `fifo` prefers the oldest heartbeat. Off: the newest.
        pub oldest_heartbeat: bool = true;
        /// Flaw: too small is as good as too large by as much. Off: nodes that are large enough come first.
        pub blind_fit: bool = true;
        /// Flaw: a task is complete when all its assignments have answers, be they too few. Off: when answers are as many as
        /// the task wants.
        pub short_completion: bool = true;
    }
}

choice! {
    /// Which task comes first, and which node gets it.
    pub enum Rule {
        /// The original's: tasks by age, needs and neglect; nodes by fit, ties to the higher trust.
        Custom,
        /// The original's other: oldest task first, to the node with the oldest heartbeat.
        Fifo,
        /// Tasks as `custom`; nodes drawn.
        Random,
        /// Ours: tasks as `custom`; nodes with the fewest open assignments, ties to the lower trust, which is less in demand.
        ShortestQueue,
        /// Ours: as `shortest-queue`, but who has an open assignment gets no other, and the task waits.
        LateBinding,
    }
}

settings! {
    /// What clients submit. What is not set is drawn as in the original's experiments.
    pub struct Load {
        /// How many tasks each client submits, one after the other.
        pub tasks: u64 = 1, in 1..=1_000_000;
        /// How many cores a task needs; drawn from 1 to 6.
        pub cpu: Option<u32> = None, in 0..=1_000_000;
        /// How much memory; drawn from 1 to 10.
        pub ram: Option<u32> = None, in 0..=1_000_000;
        /// How many nodes it wants (1 in the product); drawn: 1 to 5, with probabilities of .10, .35, .35, .15 and .05.
        pub overlap: Option<u32> = None, in 1..=OVERLAP_MAX;
        /// The trust that it requires of them (5 in the product); drawn by the hub from 1 to 10, so that enough nodes have
        /// half a point more.
        pub trust: Option<f64> = None, in 1.0..=10.0;
        /// How long it takes; drawn about 1 s, with a deviation of 0.1 s.
        pub work: Option<Duration> = None, in SHORTEST..=LONGEST;
    }
}

/// What every node of one system knows.
#[derive(Clone, Debug)]
pub struct Config {
    /// As a scenario says.
    pub parameters: Parameters,
    /// How many nodes there are, the hub included.
    pub nodes: u32,
    /// Whom to believe.
    pub(super) policy: Policy,
}

impl Config {
    /// Of a system of so many nodes, the hub included.
    #[must_use]
    pub fn new(parameters: &Parameters, nodes: u32) -> Self {
        let trust = trust::Parameters {
            validation: Validation::Districloud,
            overlap: 1,
            threshold: parameters.threshold,
            copies: OVERLAP_MAX,
            ..trust::Parameters::default()
        };
        Self { parameters: parameters.clone(), nodes, policy: Policy::new(&trust) }
    }

    /// All nodes but the hub.
    pub fn members(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes).map(NodeId).filter(|&node| node != HUB)
    }

    /// Whether a node is malicious.
    #[must_use]
    pub fn is_malicious(&self, node: NodeId) -> bool {
        node != HUB && node.0 >= self.nodes.saturating_sub(self.parameters.malicious)
    }
}
