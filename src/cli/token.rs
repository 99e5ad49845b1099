//! `seedbed token`: lets new machines in.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use seedbed_scenarios::deploy::NodePlan;
use seedbed_scenarios::run::Registry;

use super::{Done, Verdict, print};

/// Make tokens, with which new machines join a running cluster.
#[derive(Args, Debug)]
pub(super) struct Tokens {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print a line that lets one machine join through a member, once.
    ///
    /// Run it on that member: its key makes the token. Whoever has the line can use it, so keep it to yourself. The
    /// member must run when it is used; nothing need be told to it before.
    #[command(after_help = "Example:
  seedbed token new NODE.toml --lasts 10m")]
    New {
        /// The file that describes the member.
        #[arg(default_value = "NODE.toml")]
        file: PathBuf,
        /// How long it can be used, a week at most.
        #[arg(long, value_name = "TIME", default_value = "1h", value_parser = humantime::parse_duration)]
        lasts: std::time::Duration,
    },
}

impl Tokens {
    pub(super) fn execute(&self, registry: &Registry) -> Done {
        let Action::New { file, lasts } = &self.action;
        let token = NodePlan::load(file, registry)?.issue_token(*lasts)?;
        print(&format!("{token}\n"))?;
        Ok(Verdict::Holds)
    }
}
