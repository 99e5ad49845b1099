//! A world grown from a seed: event queue, network, disks, clocks, faults, checks.
//!
//! Everything here is a pure function of a [`Setup`] and its seed. [`World`] is the kernel; [`fault`] says what goes
//! wrong and when; [`law`] holds distributions as integer tables; [`topology`] reads where nodes stand.

pub mod clock;
mod cpu;
mod digest;
mod disk;
pub mod fault;
pub mod law;
pub mod network;
pub mod queue;
mod slot;
mod timers;
pub mod topology;
mod watch;
mod world;

pub use cpu::{CpuModel, Discipline};
pub use digest::Digest;
pub use disk::{DiskModel, Loss};
pub use watch::{Down, Drop, Watch};
pub use world::{MODEL_VERSION, Perform, Services, Setup, Tally, World};
