//! What to run: the scenario format, workloads, sweeps and engines.

#[cfg(feature = "real")]
pub mod deploy;
pub mod format;
#[cfg(feature = "real")]
pub mod real;
pub mod run;
pub mod scenario;
