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

#[cfg(feature = "real")]
pub(crate) use {
    clients::Clients, conditions::Conditions, execute::Prepared, failure::caught, observer::Observer,
    stage::Stage,
};

pub use execute::{Broken, Options, Outcome, Ready};
#[cfg(feature = "real")]
pub use experiment::run_all_real;
pub use experiment::{Job, Judgement, Results, Tally, run_all};
pub use failure::{Failure, Owed};
pub use faults::read_faults;
pub use log::EventLog;
pub use plan::{Engine, Experiment, Point, Request, Seeds};
pub use registry::{Entry, Registry};
