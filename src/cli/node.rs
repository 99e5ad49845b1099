//! `seedbed node`: one node of a cluster, in the foreground.

use std::path::PathBuf;

use anyhow::Context;
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
    after_help = "Examples:
  seedbed node /etc/seedbed/NODE.toml
  seedbed node NODE.toml --record recording

Exit codes: 0 it was stopped, 1 its life ended otherwise, 2 its file or its data cannot be used."
)]
pub(super) struct RunNode {
    /// The file that describes the node.
    file: PathBuf,
    /// Record every input in this folder, for `seedbed replay DIR --node K`; otherwise the file says whether and where.
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
}

impl RunNode {
    /// The node that this file describes.
    pub(super) fn of(file: PathBuf) -> Self {
        Self { file, record: None }
    }

    pub(super) fn execute(&self, registry: &Registry) -> Done {
        let mut plan = NodePlan::load(&self.file, registry)?;
        if let Some(dir) = &self.record {
            // Paths in the file are named from its folder, and this one from ours.
            let dir =
                std::path::absolute(dir).with_context(|| format!("cannot record in {}", dir.display()))?;
            let dir = dir.to_str().context("a folder to record in has a name of text")?;
            plan.file.record = Some(dir.into());
        }
        match plan.host(registry)?.serve() {
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
