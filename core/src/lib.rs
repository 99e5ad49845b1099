//! What nodes decide: the contract and every protocol.

pub mod chunks;
pub mod contract;
pub mod distri;
pub mod districloud;
pub mod election;
pub mod scheduler;
pub mod settings;
pub mod sync;
