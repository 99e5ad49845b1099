//! What tests of worlds say again and again: times, laws, a network, faults.

use seedbed_core::contract::{Duration, NodeId, Time};
use seedbed_sim::Setup;
use seedbed_sim::fault::{Action, Timed};
use seedbed_sim::law::Law;
use seedbed_sim::network::{Disturbance, Link, Network};

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(crate) fn at(millis: u64, action: Action) -> Timed {
    Timed { at: Time::ZERO + ms(millis), action }
}

/// Nothing passes between these and those.
pub(crate) fn cut(number: u64, from: &[u32], to: &[u32]) -> Action {
    let nodes = |nodes: &[u32]| nodes.iter().copied().map(NodeId).collect();
    Action::Disturb { number, from: nodes(from), to: nodes(to), how: Disturbance::Cut }
}

/// Any latency between two, in microseconds.
pub(crate) fn uniform(from: u64, to: u64) -> Law {
    Law::uniform(Duration::from_micros(from), Duration::from_micros(to)).unwrap()
}

/// Nodes a millisecond apart, more or less.
pub(crate) fn setup(nodes: u32, seed: u64) -> Setup {
    Setup { nodes, seed, network: Network::uniform(Link::new(uniform(800, 1_200))), ..Setup::default() }
}
