//! `seedbed diff`: two folders of results side by side.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use serde_json::json;

use super::folder::{self, Folder};
use super::{Done, Verdict, print};

/// Compare two folders of results: metric by metric, two distributions side by side.
///
/// Points are compared with each other where both sides have swept the same values, all runs of each side otherwise.
/// Exit code 0 whatever the outcome.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  seedbed diff results/election-raft-timeouts/2026-11-20T10-00-00Z results/election-raft-timeouts/latest
  seedbed diff /tmp/sim /tmp/real --out /tmp/sim-and-real")]
pub(super) struct Diff {
    /// A folder that `seedbed run` wrote.
    a: PathBuf,
    /// Another one; differences are this one less the first, ratios this one by the first.
    b: PathBuf,
    /// Write tables, charts and page exactly here instead of results/diff/TIME.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Diff {
    pub(super) fn execute(&self) -> Done {
        for dir in [&self.a, &self.b] {
            if !dir.join("runs.csv").is_file() {
                bail!("{} is no folder of results: it has no runs.csv", dir.display());
            }
            if self.out.as_deref().is_some_and(|out| is_same(out, dir)) {
                bail!("--out {} is one of the folders to compare: its files would be lost", dir.display());
            }
        }
        let compared = seedbed_reports::compare(&self.a, &self.b)
            .with_context(|| format!("cannot compare {} and {}", self.a.display(), self.b.display()))?;
        let folder = Folder::create("diff", self.out.as_deref())?;
        let page = compared.write(folder.path())?;
        folder.note(json!({
            "a": self.a.display().to_string(),
            "b": self.b.display().to_string(),
            "version": env!("CARGO_PKG_VERSION"),
        }))?;
        print(&compared.terminal(folder::width()))?;
        let page = folder.shown().join(page.file_name().unwrap_or_default());
        print(&format!("{}\n", page.display()))?;
        Ok(Verdict::Holds)
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}
