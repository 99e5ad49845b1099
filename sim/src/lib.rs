//! A world grown from a seed: event queue, network, disks, clocks, faults, checks.

pub mod law;
pub mod queue;
