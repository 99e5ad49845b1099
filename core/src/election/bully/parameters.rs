//! What a scenario may choose.

use std::sync::Arc;

use super::Detection;
use crate::contract::{Duration, NodeId};
use crate::election::{LONGEST, SHORTEST, check_timing};
use crate::settings;

settings! {
    /// Parameters of a bully election.
    pub struct Parameters {
        /// Time between two heartbeats of a leader, or two pings of a follower.
        pub heartbeat: Duration = Duration::from_millis(50), in SHORTEST..=LONGEST;
        /// Shortest silence of a leader after which a follower holds an election.
        pub timeout_min: Duration = Duration::from_millis(150), in SHORTEST..=LONGEST;
        /// Longest such silence; each wait is drawn anew from this range.
        pub timeout_max: Duration = Duration::from_millis(300), in SHORTEST..=LONGEST;
        /// Who has not answered an election after this time is down: at least a round trip.
        pub answer_timeout: Duration = Duration::from_millis(100), in SHORTEST..=LONGEST;
        /// Who has answered must have won after this time: at least `answer_timeout` and a round trip.
        pub coordinator_timeout: Duration = Duration::from_millis(250), in SHORTEST..=LONGEST;
        /// How the death of a leader is noticed.
        pub detection: Detection = Detection::Heartbeat;
    }
    verify = Parameters::consistent;
}

impl Parameters {
    fn consistent(&self) -> Result<(), (&'static str, String)> {
        if self.coordinator_timeout <= self.answer_timeout {
            let shortest = self.answer_timeout;
            return Err(("coordinator_timeout", format!("must be longer than answer_timeout = {shortest}")));
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
}

impl Config {
    /// The configuration of a system of `nodes` nodes.
    ///
    /// # Errors
    /// What is wrong with the parameters.
    pub fn new(parameters: &Parameters, nodes: u32) -> Result<Self, String> {
        parameters.consistent().map_err(|(key, problem)| format!("{key} {problem}"))?;
        Ok(Self { parameters: parameters.clone(), voters: (0..nodes).map(NodeId).collect() })
    }

    /// Nobody begins two elections within this time: the shortest after which one of its own time-outs begins one.
    pub(super) fn campaign_gap(&self) -> Duration {
        self.parameters.timeout_min.min(self.parameters.coordinator_timeout)
    }
}
