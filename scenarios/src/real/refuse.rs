//! What the real engine cannot do: an error at the line that asks for it, before anything runs.

use seedbed_core::settings::{Node, Problem, Problems, Span, Value};

use crate::run::Registry;
use crate::scenario::{CpuSpec, Scenario, Ties, What};

/// More nodes than this would share a machine's cores so finely that its scheduler decides what is measured.
pub(crate) const NODES_MAX: u32 = 64;

/// As many jobs as a node may be set to do at once when it is deployed.
pub(super) const CORES_MAX: u32 = 1_024;

const MEASURED: &str = "leave it out: it describes a machine to the simulator, and here there is one";

/// All that this scenario asks and the real engine cannot do. `root` is what it was read from.
pub(crate) fn refuse(scenario: &Scenario, root: &Node, registry: &Registry) -> Result<(), Problems> {
    let mut problems = Problems::default();
    let mut cannot = |path: &[&str], why: &str, help: &str| {
        let problem = Problem::new(place(root, path), format!("the real engine {why}"));
        problems.push(problem.help(help));
    };
    if scenario.cluster.nodes > NODES_MAX {
        let why = format!("runs at most {NODES_MAX} nodes");
        cannot(&["cluster", "nodes"], &why, "all of them share this machine's cores");
    }
    if scenario.run.ties == Ties::Keyed {
        let help = "nothing happens at exactly one moment there, and nobody can choose";
        cannot(&["run", "ties"], "cannot draw the order of simultaneous events", help);
    }
    if scenario.cpu.step.is_some() {
        let help = "a step takes the time that it takes on this machine";
        cannot(&["cpu", "step"], "cannot make a step slower", help);
    }
    refuse_cpus(&scenario.cpu, &mut cannot);
    if scenario.clocks.slack.is_some() {
        cannot(&["clocks", "slack"], "cannot choose how late timers run out", MEASURED);
    }
    if scenario.network.overhead.is_some() {
        cannot(&["network", "overhead"], "cannot choose what this machine adds to a message", MEASURED);
    }
    if scenario.disk.blocking {
        let help = "its host takes inputs while the disk works";
        cannot(&["disk", "blocking"], "cannot let a node wait for its disk", help);
    }
    let entry = registry.find(&scenario.protocol);
    if let Some((key, why)) = entry.and_then(|entry| entry.unreal(scenario)) {
        cannot(&["workload", "command", key], "carries real bytes only", &why);
    }
    for (index, fault) in scenario.fault.iter().enumerate() {
        if matches!(fault.what, What::DiskRot { .. }) {
            let (index, help) = (index.to_string(), "the simulator can");
            cannot(&["fault", &index, "kind"], "cannot let a disk rot", help);
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// A node does as many jobs at once as it has cores; how fast, and by whose turn, is this machine's.
fn refuse_cpus(cpu: &CpuSpec, cannot: &mut impl FnMut(&[&str], &str, &str)) {
    let usual = CpuSpec::default();
    let mut look = |path: &[&str], cores: u32, speed: f64| {
        if cores > CORES_MAX {
            let why = format!("does at most {CORES_MAX} jobs of a node at once");
            cannot(&[path, &["cores"]].concat(), &why, "each has a thread of this machine");
        }
        if speed != usual.speed {
            let why = "cannot choose how fast the CPUs are that jobs run on";
            cannot(&[path, &["speed"]].concat(), why, MEASURED);
        }
    };
    look(&["cpu"], cpu.cores, cpu.speed);
    for (index, node) in cpu.node.iter().enumerate() {
        let (cores, speed) = (node.cores.unwrap_or(usual.cores), node.speed.unwrap_or(usual.speed));
        look(&["cpu", "node", &index.to_string()], cores, speed);
    }
    if cpu.discipline != usual.discipline {
        cannot(&["cpu", "discipline"], "cannot choose which jobs run when there are many", MEASURED);
    }
}

/// Where the value at this path was written, or as near to it as something was.
fn place(root: &Node, path: &[&str]) -> Span {
    let mut node = root;
    for key in path {
        let next = match &node.value {
            Value::Table(table) => table.find(key),
            Value::List(list) => key.parse().ok().and_then(|index: usize| list.get(index)),
            _ => None,
        };
        match next {
            Some(next) => node = next,
            None => break,
        }
    }
    node.span
}
