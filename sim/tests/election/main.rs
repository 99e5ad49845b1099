//! Elections in simulated worlds: what they cost, how they end under partial partitions, what they promise whatever
//! happens, and the bugs that the simulator must find.

mod bench;
mod catalogue;
mod counts;
#[path = "../ground/mod.rs"]
mod ground;
mod planted;
mod properties;
mod split;
mod storms;
