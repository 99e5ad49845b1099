//! What to run: the scenario format, workloads, sweeps and engines.

#[cfg(feature = "real")]
pub mod deploy;
pub mod format;
#[cfg(feature = "real")]
pub mod real;
pub mod run;
pub mod scenario;

/// Recordings of real nodes, for those who replay them.
#[cfg(feature = "real")]
pub use seedbed_transport::recording;
