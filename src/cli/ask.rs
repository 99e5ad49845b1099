//! `seedbed ask`: a command for a node.

use anyhow::Context;
use clap::Args;
use serde_json::Value;

use super::client::{Client, Entry};
use super::{Done, Verdict, print};

/// Give a node a command of its protocol, as JSON, and print the reply.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  seedbed ask --api http://127.0.0.1:7200 --token-file token '\"WhoLeads\"'
  seedbed ask --api http://127.0.0.1:7200 --token-file token '{ \"Stat\": { \"name\": \"a-file\" } }'

Exit codes: 0 it was answered, 1 the node is down or did not answer in time, 2 it cannot be asked that.")]
pub(super) struct Ask {
    /// The address of the node's door.
    #[arg(long, value_name = "URL")]
    api: String,
    #[command(flatten)]
    entry: Entry,
    /// The command.
    #[arg(value_name = "JSON")]
    command: String,
}

impl Ask {
    pub(super) fn execute(&self) -> Done {
        let command: Value = serde_json::from_str(&self.command).with_context(|| {
            format!("`{}` is not JSON; a word needs quotes of its own: '\"WhoLeads\"'", self.command)
        })?;
        let client = Client::new(&self.api, &self.entry)?;
        match client.post("/api/v1/commands", &command) {
            Ok(reply) => {
                print(&format!("{reply}\n"))?;
                Ok(Verdict::Holds)
            }
            Err(refused) if refused.status.is_some_and(|status| status >= 500) => {
                super::tell(&refused.into());
                Ok(Verdict::Violated)
            }
            Err(refused) => Err(refused.into()),
        }
    }
}
