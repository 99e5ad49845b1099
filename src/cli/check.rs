//! `seedbed check`: is a scenario file right?

use std::path::PathBuf;

use clap::Args;
use seedbed_scenarios::run::{Experiment, Registry, Request};

use super::{Done, Verdict, assignment, print};

/// Check scenario files without running them.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  seedbed check scenarios/*.toml")]
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
        for file in &self.files {
            let request = Request { sets: self.set.clone(), is_quick: self.quick, seeds: None };
            let experiment = Experiment::load(file, registry, request)?;
            let seeds = experiment.seeds.end - experiment.seeds.start;
            let points = experiment.points.len();
            print(&format!("{}: right; {points} points x {seeds} seeds\n", file.display()))?;
        }
        Ok(Verdict::Holds)
    }
}
