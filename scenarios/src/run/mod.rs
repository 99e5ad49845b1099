//! Runs a scenario: every point of its sweep with every seed.

mod clients;
mod conditions;
mod execute;
mod experiment;
mod failure;
mod faults;
mod log;
mod metrics;
mod observer;
mod plan;
mod prepare;
mod references;
mod registry;
mod setup;
mod stage;
mod tables;
mod timeline;

pub use execute::{Broken, Options, Outcome, Ready};
pub use experiment::{Job, Judgement, Results, Tally, run_all};
pub use failure::{Failure, Owed};
pub use faults::read_faults;
pub use log::EventLog;
pub use plan::{Experiment, Point, Request, Seeds};
pub use registry::{Entry, Registry};
