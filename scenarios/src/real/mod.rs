//! The real engine: a scenario's nodes as hosts in this process, over real sockets, stores and clocks.
//!
//! What runs, what goes wrong and what is measured is said by the same values as in the simulator: the network decides
//! what becomes of each message, the schedule of faults is resolved against live roles, clients have the same plans, and
//! the same probe looks on. Only time is real. One thread conducts a run: it takes note of what nodes tell, strikes with
//! faults, and lets clients act, each when it is due.

mod air;
mod calibrate;
mod cluster;
mod conduct;
mod ground;
mod life;
mod links;
mod refuse;
mod watcher;

pub use calibrate::{Measured, calibrate};
pub use ground::Scratch;

pub(crate) use conduct::run;
pub(crate) use refuse::refuse;
