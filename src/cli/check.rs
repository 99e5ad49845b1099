//! `seedbed check`: is a scenario file right?

use std::path::{Path, PathBuf};

use clap::Args;
use seedbed_scenarios::format::Report;
use seedbed_scenarios::run::{Experiment, Registry, Request};

use super::{Done, Verdict, assignment, print, scenarios, tell};

/// Check scenario files without running them.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  seedbed check scenarios/[a-z]*.toml")]
pub(super) struct Check {
    /// Scenario files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Set a key of the scenario, or choose one value of an axis of its sweep.
    #[arg(long, value_name = "KEY=VALUE", value_parser = assignment)]
    set: Vec<(String, String)>,
    /// Use the small sizes of the file's [quick] table.
    #[arg(long)]
    quick: bool,
}

impl Check {
    pub(super) fn execute(&self, registry: &Registry) -> Done {
        let mut wrong = None;
        for file in scenarios(&self.files) {
            match self.look(file, registry) {
                Ok(right) => print(&format!("{}: right; {right}\n", file.display()))?,
                Err(report) => {
                    // All are told, the last by whoever called.
                    if let Some(before) = wrong.replace(report) {
                        tell(&before.into());
                    }
                }
            }
        }
        wrong.map_or(Ok(Verdict::Holds), |report| Err(report.into()))
    }

    /// Looks at the usual sizes and at the quick ones; says how many runs there are of those that were asked for.
    fn look(&self, file: &Path, registry: &Registry) -> Result<String, Report> {
        let request = |is_quick| Request { sets: self.set.clone(), is_quick, ..Request::default() };
        Experiment::load(file, registry, request(!self.quick))?;
        let experiment = Experiment::load(file, registry, request(self.quick))?;
        let seeds = experiment.seeds.end - experiment.seeds.start;
        let count = |number: u64, what| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
        Ok(format!("{} x {}", count(experiment.points.len() as u64, "point"), count(seeds, "seed")))
    }
}
