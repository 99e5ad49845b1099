//! What a scenario may choose.

use std::sync::Arc;

use crate::contract::{Duration, NodeId};
use crate::election::{LONGEST, SHORTEST, check_timing};
use crate::{choice, settings};

settings! {
    /// Parameters of a Raft election; the times are those of the paper's section 9.3.
    pub struct Parameters {
        /// Time between two heartbeats of a leader.
        pub heartbeat: Duration = Duration::from_millis(50), in SHORTEST..=LONGEST;
        /// Shortest silence of a leader after which a follower campaigns.
        pub timeout_min: Duration = Duration::from_millis(150), in SHORTEST..=LONGEST;
        /// Longest such silence; each wait is drawn anew from this range.
        pub timeout_max: Duration = Duration::from_millis(300), in SHORTEST..=LONGEST;
        /// Ask whether one could win before raising the term (thesis 9.6).
        pub pre_vote: bool = false;
        /// A leader that does not hear a majority for `timeout_max` steps down (thesis 6.2).
        pub check_quorum: bool = false;
        /// A voter that heard a leader within `timeout_min` refuses its vote (thesis 4.2.3).
        pub stickiness: bool = false;
        /// A leader that has heard a majority may act alone for a while (thesis 6.4.1); needs `stickiness`.
        pub lease: bool = false;
        /// How far a clock may run from the true rate, in parts per million: what leases allow for.
        pub drift_ppm: u32 = 200, in 0..=400_000;
        /// A bug planted on purpose, to test the tests.
        pub flaw: Flaw = Flaw::None;
    }
    verify = Parameters::consistent;
}

choice! {
    /// A bug planted on purpose.
    pub enum Flaw {
        /// None: as it should be.
        None,
        /// A vote leaves before it is on disk.
        VoteBeforeDisk,
        /// A vote is counted without a look at its term.
        TermUnchecked,
        /// A new life takes for granted that its clock started at zero, as it seemed to do in the last one.
        TimeAcrossLives,
    }
}

impl Parameters {
    fn consistent(&self) -> Result<(), (&'static str, String)> {
        if self.lease && !self.stickiness {
            return Err((
                "lease",
                "needs stickiness: a voter must not help to depose whom it has just heard".into(),
            ));
        }
        check_timing(self.heartbeat, self.timeout_min, self.timeout_max)
    }
}

/// What every node of one system knows.
#[derive(Clone, Debug)]
pub struct Config {
    /// As a scenario says.
    pub parameters: Parameters,
    /// The first voters, in ascending order.
    pub voters: Arc<[NodeId]>,
    /// How long a round of heartbeats that a majority has answered makes a lease, from its start.
    ///
    /// A voter waits `timeout_min` by its clock, at least `timeout_min / (1 + d)` in true time; a lease of `l` by
    /// the leader's clock takes at most `l / (1 - d)`. With `l = timeout_min (1 - 2d)` it always ends first.
    pub(super) lease: Duration,
}

impl Config {
    /// The configuration of a system of `nodes` nodes.
    ///
    /// # Errors
    /// What is wrong with the parameters.
    pub fn new(parameters: &Parameters, nodes: u32) -> Result<Self, String> {
        parameters.consistent().map_err(|(key, problem)| format!("{key} {problem}"))?;
        const MILLION: u128 = 1_000_000;
        let rest = MILLION.saturating_sub(2 * u128::from(parameters.drift_ppm));
        let lease = u128::from(parameters.timeout_min.as_nanos()) * rest / MILLION;
        Ok(Self {
            parameters: parameters.clone(),
            voters: (0..nodes).map(NodeId).collect(),
            lease: Duration::from_nanos(u64::try_from(lease).unwrap_or(u64::MAX)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_leaves_room_for_clocks_that_drift_apart() {
        let parameters = Parameters { drift_ppm: 1_000, ..Parameters::default() };
        assert_eq!(Config::new(&parameters, 3).unwrap().lease, Duration::from_micros(149_700));
    }

    #[test]
    fn parameters_that_cannot_work_are_refused() {
        let default = Parameters::default();
        let ms = Duration::from_millis;
        for wrong in [
            Parameters { lease: true, ..default.clone() },
            Parameters { timeout_max: ms(149), ..default.clone() },
            Parameters { heartbeat: ms(150), ..default.clone() },
        ] {
            assert!(Config::new(&wrong, 3).is_err(), "{wrong:?}");
        }
    }
}
