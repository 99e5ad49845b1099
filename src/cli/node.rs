//! `seedbed node`: one node of a cluster, in the foreground.

use std::path::PathBuf;

use clap::Args;
use seedbed_scenarios::deploy::{NodePlan, ServeError};
use seedbed_scenarios::run::Registry;

use super::{Done, Verdict};

/// Run one node of a cluster in the foreground, as a service or in a container.
///
/// It tells what happens on standard error. SIGINT or SIGTERM stops it in good order, a second one at once.
#[derive(Args, Debug)]
#[command(
    name = "node",
    after_help = "Example:
  seedbed node /etc/seedbed/NODE.toml

Exit codes: 0 it was stopped, 1 its life ended otherwise, 2 its file or its data cannot be used."
)]
pub(super) struct RunNode {
    /// The file that describes the node.
    file: PathBuf,
}

impl RunNode {
    /// The node that this file describes.
    pub(super) fn of(file: PathBuf) -> Self {
        Self { file }
    }

    pub(super) fn execute(&self, registry: &Registry) -> Done {
        let hosted = NodePlan::load(&self.file, registry)?.host(registry)?;
        match hosted.serve() {
            Ok(()) => Ok(Verdict::Holds),
            Err(ServeError::Wrong(report)) => Err(report.into()),
            Err(error) if error.is_end_of_life() => {
                super::tell(&error.into());
                Ok(Verdict::Violated)
            }
            Err(error) => Err(error.into()),
        }
    }
}
