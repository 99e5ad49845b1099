//! `seedbed join`: makes this machine a member of a running cluster.

use std::io::Read;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use seedbed_scenarios::deploy::{Address, Joiner, Token};
use seedbed_scenarios::run::Registry;

use super::node::RunNode;
use super::{Done, Verdict, print};

/// Join a running cluster as a member without a vote, and run.
///
/// The token is what `seedbed token new` printed on a member, which must run. This makes a key, tells the member about it,
/// writes NODE.toml, and then does what `seedbed node NODE.toml` does.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  seedbed join seedbed1-abcdefgh...
  seedbed join - --dir /var/lib/seedbed --listen 10.0.0.7:7100 < token")]
pub(super) struct Join {
    /// The token; - reads it from standard input, where other users of this machine do not see it.
    token: String,
    /// The folder for key, file and data of the node; otherwise seedbed-CLUSTER.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Where to listen for peers, as they will find this machine; otherwise at a free port.
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<Address>,
    /// Where people and programs find this node; otherwise at a free port, for this machine only.
    #[arg(long, value_name = "HOST:PORT")]
    api: Option<Address>,
    /// Do not run the node.
    #[arg(long)]
    only: bool,
}

/// A longer line is no token.
const TOKEN_MAX: u64 = 4096;

impl Join {
    pub(super) fn execute(&self, registry: &Registry) -> Done {
        let token = self.token()?;
        let dir = self.dir.clone();
        let dir = dir.unwrap_or_else(|| folder_of(&token.grant.cluster));
        let joiner = Joiner { dir, listen: self.listen.clone(), api: self.api.clone() };
        let joined = joiner.join(&token)?;
        let command = format!("seedbed node {}", joined.file.display());
        print(&format!("joined `{}` as {}: {command}\n", token.grant.cluster, joined.node))?;
        if self.only { Ok(Verdict::Holds) } else { RunNode::of(joined.file).execute(registry) }
    }

    fn token(&self) -> anyhow::Result<Token> {
        if self.token != "-" {
            return Ok(self.token.parse()?);
        }
        let mut line = String::new();
        std::io::stdin().take(TOKEN_MAX).read_to_string(&mut line).context("no token on standard input")?;
        Ok(line.parse()?)
    }
}

/// Whatever the cluster is called, this is a folder in the one where we are.
fn folder_of(cluster: &str) -> PathBuf {
    let plain =
        |letter: char| if letter.is_ascii_alphanumeric() || "-_.".contains(letter) { letter } else { '_' };
    PathBuf::from(format!("seedbed-{}", cluster.chars().map(plain).collect::<String>()))
}
