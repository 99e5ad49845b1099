//! Replicated documents in simulated worlds: what they promise whatever happens, and the bugs that the simulator must find.

mod bench;
mod counts;
mod faults;
#[path = "../ground/mod.rs"]
mod ground;
mod kinds;
mod planted;
mod properties;
