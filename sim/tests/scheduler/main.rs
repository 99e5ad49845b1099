//! A hub and its workers in simulated worlds: what they promise whatever happens, the mistakes that the simulator must
//! find, and waits against queueing theory.

mod bench;
#[path = "../ground/mod.rs"]
mod ground;
mod planted;
mod properties;
mod queueing;
mod trust;
