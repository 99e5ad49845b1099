//! What a scenario may choose.

use std::sync::Arc;

use super::Detection;
use crate::contract::{Dice, Duration, Keys, Life, NodeId};
use crate::election::{LONGEST, SHORTEST, check_timing};
use crate::{choice, settings};

settings! {
    /// Parameters of a ring election.
    pub struct Parameters {
        /// Time between two heartbeats of a leader, or two pings of a follower.
        pub heartbeat: Duration = Duration::from_millis(50), in SHORTEST..=LONGEST;
        /// Shortest silence of a leader after which a follower sends its name on tour.
        pub timeout_min: Duration = Duration::from_millis(150), in SHORTEST..=LONGEST;
        /// Longest such silence; each wait is drawn anew from this range.
        pub timeout_max: Duration = Duration::from_millis(300), in SHORTEST..=LONGEST;
        /// A successor that has not acknowledged after this time is tried again: at least a round trip.
        pub hop_timeout: Duration = Duration::from_millis(50), in SHORTEST..=LONGEST;
        /// A successor that has been tried so often is taken for dead and skipped.
        pub attempts: u32 = 2, in 1..=100;
        /// An election that is not over after this time begins anew: at least two tours with repairs.
        pub election_timeout: Duration = Duration::from_secs(1), in SHORTEST..=LONGEST;
        /// How the nodes stand on the ring.
        pub order: Order = Order::Ascending;
        /// Which random order.
        pub ring_seed: u64 = 0;
        /// How the death of a leader is noticed.
        pub detection: Detection = Detection::Heartbeat;
    }
    verify = Parameters::consistent;
}

choice! {
    /// How the nodes stand on the ring.
    pub enum Order {
        /// Each is followed by the next higher: the fewest messages if all begin at once.
        Ascending,
        /// Each is followed by the next lower: the most messages if all begin at once.
        Descending,
        /// Drawn from `ring_seed`.
        Random,
    }
}

impl Parameters {
    fn consistent(&self) -> Result<(), (&'static str, String)> {
        if self.election_timeout <= self.hop_timeout {
            let shortest = self.hop_timeout;
            return Err(("election_timeout", format!("must be longer than hop_timeout = {shortest}")));
        }
        check_timing(self.heartbeat, self.timeout_min, self.timeout_max)
    }
}

/// What every node of one system knows.
#[derive(Clone, Debug)]
pub struct Config {
    /// As a scenario says.
    pub parameters: Parameters,
    /// The first members, in ascending order.
    pub voters: Arc<[NodeId]>,
    /// The same in the order in which tokens pass them.
    pub order: Arc<[NodeId]>,
}

impl Config {
    /// The configuration of a system of `nodes` nodes.
    ///
    /// # Errors
    /// What is wrong with the parameters.
    pub fn new(parameters: &Parameters, nodes: u32) -> Result<Self, String> {
        parameters.consistent().map_err(|(key, problem)| format!("{key} {problem}"))?;
        let voters: Vec<NodeId> = (0..nodes).map(NodeId).collect();
        let mut order = voters.clone();
        match parameters.order {
            Order::Ascending => {}
            Order::Descending => order.reverse(),
            Order::Random => {
                let keys = Keys::from_seed(parameters.ring_seed);
                Dice::new(&keys, NodeId(0), Life(0), 0).shuffle(&mut order);
            }
        }
        Ok(Self { parameters: parameters.clone(), voters: voters.into(), order: order.into() })
    }

    /// Nobody begins two tours of one kind within this time: the shortest after which one of its own time-outs begins
    /// one.
    pub(super) fn campaign_gap(&self) -> Duration {
        self.parameters.timeout_min.min(self.parameters.election_timeout)
    }
}
