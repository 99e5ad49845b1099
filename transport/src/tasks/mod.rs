//! Tasks over HTTP, at the door of a hub: tasks under `/api/v1/tasks`, modules that they run, workers that do them.
//!
//! What is answered to a submission is on the hub's disk. Who wants to hear of the end asks with `wait=true`, which takes
//! [`WAIT_MAX`] at most, and then again; or reads the door's events, where each change of a task is a notice.

mod asking;
mod refused;
mod routes;
mod submission;
mod telling;

use seedbed_core::scheduler::cluster::{Cluster, Job, Outcome};

use crate::compute;
use crate::door::Resources;
use crate::host::Services;

pub use asking::WAIT_MAX;
pub use submission::SUBMITTED_MAX;

/// What hubs and workers have at their doors. A worker answers that the hub is to be asked.
#[must_use]
pub fn resources() -> Resources<Cluster> {
    Resources { routes: routes::ROUTES, schemas: routes::schemas }
}

/// What workers compute with: see [`compute`].
#[must_use]
pub fn services() -> Services<Cluster> {
    Services::none().with("perform", |_, job: &Job, blobs| {
        Some(match compute::perform(&job.call, job.work, blobs) {
            Ok(answer) => Outcome::Answered(answer.into()),
            Err(failure) => Outcome::Failed(failure.to_string()),
        })
    })
}
