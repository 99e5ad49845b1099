//! `seedbed report`: draw a run folder again.

use std::path::PathBuf;

use clap::Args;

use super::{Done, Verdict, folder, print};

/// Draw charts, tables and page again from the CSV files of a run folder.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  seedbed report results/quickstart/latest")]
pub(super) struct Redraw {
    /// A folder that `seedbed run` wrote.
    dir: PathBuf,
}

impl Redraw {
    pub(super) fn execute(&self) -> Done {
        let rendered = seedbed_reports::render(&self.dir)?;
        print(&rendered.terminal(folder::width()))?;
        print(&format!("{}\n", rendered.page.display()))?;
        Ok(Verdict::Holds)
    }
}
