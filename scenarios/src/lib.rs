//! What to run: the scenario format, workloads, sweeps and engines.

pub mod format;
pub mod run;
pub mod scenario;
