//! `seedbed down`: stops the cluster that `seedbed up --detach` left running.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::bail;
use clap::Args;
use seedbed_scenarios::deploy::{Home, NodePlan, Process};
use seedbed_scenarios::run::Registry;

use super::up::{Doors, STOP, home_of, told};
use super::{Done, Verdict, print};

/// Stop the nodes of a cluster that runs on this machine. What they keep stays.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  seedbed down scenarios/clusters/elections.toml
  seedbed down --dir /tmp/elections")]
pub(super) struct Down {
    /// The file that describes the cluster.
    file: Option<PathBuf>,
    /// Its folder; otherwise .seedbed/NAME.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Down {
    pub(super) fn execute(&self, registry: &Registry) -> Done {
        let home = home_of(self.file.as_deref(), self.dir.as_deref(), registry)?;
        if !home.exists() {
            print(&format!("nothing runs in {}\n", home.path().display()))?;
            return Ok(Verdict::Holds);
        }
        let nodes = home.nodes(registry).map_err(told)?;
        let running = home.running()?;
        for (index, process) in &running {
            refuse_strangers(&home, &nodes, *index, process)?;
        }
        running.iter().for_each(|(_, process)| process.ask_to_stop());
        let end = Instant::now() + STOP;
        let mut told = String::new();
        for (index, process) in &running {
            if !process.wait(end.saturating_duration_since(Instant::now())) {
                process.kill();
                let verb = if process.wait(STOP) { "was killed" } else { "cannot be killed" };
                told += &format!("n{index} did not stop and {verb}\n");
            }
        }
        let count = running.len();
        told += &match count {
            0 => format!("nothing runs in {}\n", home.path().display()),
            _ => format!("{count} nodes stopped in {}\n", home.path().display()),
        };
        print(&told)?;
        Ok(Verdict::Holds)
    }
}

/// A process that answers at the node's door must say that it is this node. One that does not answer was started by us
/// at the moment that we noted: it is asked to stop in any case.
fn refuse_strangers(home: &Home, nodes: &[NodePlan], index: u32, process: &Process) -> anyhow::Result<()> {
    let Some(node) = nodes.iter().find(|node| *node.file.node == index) else { return Ok(()) };
    let status = node.file.api.listen.as_ref().and_then(|api| Doors::of(home).status(api));
    let Some(status) = status else { return Ok(()) };
    let (cluster, number) = (status["cluster"].as_str(), status["node"].as_u64());
    if (cluster, number) != (Some(node.file.cluster.as_str()), Some(index.into())) {
        bail!(
            "process {} is noted in {} as node {index} of `{}`, but another one answers at its door: nothing was stopped",
            process.pid(),
            home.path().display(),
            node.file.cluster.value,
        );
    }
    Ok(())
}
