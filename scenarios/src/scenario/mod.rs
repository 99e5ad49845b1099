//! A scenario file: what runs, where, what clients do, what goes wrong, what must hold, what varies, what to plot.
//!
//! Each section is a struct whose fields are its keys; messages, schema and listings come from the same declarations.

mod check;
mod cpu;
mod fault;
mod network;
mod report;
mod workload;

use seedbed_core::contract::{Duration, NodeId};
use seedbed_core::settings::{Bytes, Node, Probability, Problem, Rate, Spanned};
use seedbed_core::{choice, settings};
use seedbed_sim::fault::Selector;
use seedbed_sim::law::{Files, Law, Spec, SpecError};

pub use check::{Check, Comparison, Expect, Rule, Threshold};
pub use cpu::{CpuOf, CpuSpec, speed_of};
pub use fault::{Fault, What};
pub use network::{BurstSpec, Exception, NetworkSpec, ReorderSpec};
pub use report::{ChartSpec, Kind, TableSpec};
pub use workload::{Arrivals, Workload};

use crate::format::{Assignments, Axis};

/// The most nodes a scenario may have.
pub const NODES_MAX: u32 = 10_000_000;
/// The most seeds a run may have.
pub const SEEDS_MAX: u64 = 1_000_000;

settings! {
    /// A scenario: one file, one experiment.
    pub struct Scenario {
        /// The heading of the report.
        pub title: String = String::new(), in 0..=200;
        /// What the experiment is to find out.
        pub question: String = String::new(), in 0..=4000;
        /// Prose for the report: assumptions, what to look at.
        pub notes: Vec<String> = Vec::new(), in 0..=50;
        /// Which protocol runs: see `seedbed list`.
        pub protocol: Spanned<String>;
        /// Its parameters. Those of one protocol among several stand in a table of its name: `[params.raft]`.
        pub params: Option<Node> = None;
        /// How long, and with how many seeds.
        pub run: RunSpec = RunSpec::default();
        /// The nodes.
        pub cluster: Cluster = Cluster::default();
        /// What joins them.
        pub network: NetworkSpec = NetworkSpec::default();
        /// Their disks.
        pub disk: DiskSpec = DiskSpec::default();
        /// Their clocks.
        pub clocks: ClockSpec = ClockSpec::default();
        /// Their CPUs.
        pub cpu: CpuSpec = CpuSpec::default();
        /// What clients do.
        pub workload: Option<Workload> = None;
        /// What goes wrong.
        pub fault: Vec<Fault> = Vec::new(), in 0..=1000;
        /// What must hold. Without any, everything that the protocol promises.
        pub check: Vec<Check> = Vec::new(), in 0..=100;
        /// What varies.
        pub sweep: Vec<Axis> = Vec::new(), in 0..=16;
        /// What to plot.
        pub chart: Vec<ChartSpec> = Vec::new(), in 0..=100;
        /// Tables of one metric over two axes of the sweep.
        pub table: Vec<TableSpec> = Vec::new(), in 0..=50;
        /// Keys and values that `--quick` sets: small sizes for a continuous integration.
        pub quick: Assignments = Assignments::default();
    }
}

settings! {
    /// How long a run lasts, and how often it is repeated.
    pub struct RunSpec {
        /// Simulated time, until everything is healed.
        pub duration: Duration = Duration::from_secs(60), in Duration::from_nanos(1)..=DURATION_MAX;
        /// Simulated time after every fault has been healed, in which liveness is owed.
        pub heal: Duration = Duration::ZERO, in Duration::ZERO..=DURATION_MAX;
        /// How many seeds each point is run with: 0, 1, 2, ...
        pub seeds: u64 = 10, in 1..=SEEDS_MAX;
        /// Messages travel as encoded bytes.
        pub wire: bool = false;
        /// The order of simultaneous events.
        pub ties: Ties = Ties::Insertion;
        /// A run that comes to more events and faults than this is ended, and violates `bounded-run`.
        pub events_max: u64 = 1_000_000_000, in 1..=u64::MAX >> 1;
    }
    verify = RunSpec::consistent;
}
/// Keyed ties leave 56 bits for the time, which last for 2.28 years.
const DURATION_MAX: Duration = Duration::from_secs(2 * 365 * 86_400);

impl RunSpec {
    fn consistent(&self) -> Result<(), (&'static str, String)> {
        if self.duration + self.heal > DURATION_MAX {
            let message = format!("and `duration` must not be longer than {DURATION_MAX} together");
            return Err(("heal", message));
        }
        Ok(())
    }
}

choice! {
    /// The order of simultaneous events.
    pub enum Ties {
        /// As they were caused.
        Insertion,
        /// Drawn, to explore.
        Keyed,
    }
}

settings! {
    /// The nodes.
    pub struct Cluster {
        /// How many.
        pub nodes: u32 = 5, in 1..=NODES_MAX;
        /// What the nodes are called, from the first on; faults and commands can aim at these names.
        pub names: Vec<String> = Vec::new();
        /// The region of each node, in order and from the start again; without it, one region after another.
        pub place: Vec<Spanned<String>> = Vec::new();
        /// How much later than the world's beginning each node starts.
        pub start: Option<Spanned<Spec>> = None;
    }
    verify = Cluster::consistent;
}

impl Cluster {
    fn consistent(&self) -> Result<(), (&'static str, String)> {
        let is_name = |name: &String| {
            name.starts_with(|first: char| first.is_ascii_alphabetic())
                && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter))
                && matches!(name.parse(), Ok(Selector::One(_)))
        };
        let mut names: Vec<&String> = self.names.iter().collect();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            _ if names.len() > self.nodes as usize => Err((
                "names",
                format!("holds more names than there are nodes: {} for {}", names.len(), self.nodes),
            )),
            Some(pair) => Err(("names", format!("gives two nodes the name `{}`", pair[0]))),
            None => match names.into_iter().find(|name| !is_name(name)) {
                Some(name) => Err((
                    "names",
                    format!(
                        "holds `{name}`, which cannot be a name: begin with a letter, go on with letters, digits, `-` and \
                         `_`, and use no selector"
                    ),
                )),
                None => Ok(()),
            },
        }
    }

    /// What a node is called in reports.
    #[must_use]
    pub fn name(&self, node: NodeId) -> String {
        self.names.get(node.0 as usize).cloned().unwrap_or_else(|| node.to_string())
    }
}

settings! {
    /// Disks. Without times they are instant.
    pub struct DiskSpec {
        /// To write a record or blob, or read a blob.
        pub write: Option<Spanned<Spec>> = None;
        /// To make what was written durable.
        pub sync: Option<Spanned<Spec>> = None;
        /// How fast bytes move, in bits per second.
        pub throughput: Option<Rate> = None, in Rate(8)..=Rate::MAX;
        /// How much fits.
        pub capacity: Option<Bytes> = None;
        /// The node takes no input while a sync runs.
        pub blocking: bool = false;
        /// The probability that a sync fails, which ends the node's life.
        pub sync_error: Probability = Probability::NEVER;
    }
}

settings! {
    /// Clocks. Without anything they are right.
    pub struct ClockSpec {
        /// How far wall clocks are off; the sign is drawn.
        pub skew: Option<Spanned<Spec>> = None;
        /// How much faster or slower each clock may run, in parts per million.
        pub drift_ppm: u32 = 0, in 0..=100_000;
        /// How much later than set a timer runs out, such as `seedbed calibrate` measures it.
        pub slack: Option<Spanned<Spec>> = None;
    }
}

/// The law that was written.
///
/// # Errors
/// If its file cannot be read or holds no samples, at the place where the law was written.
pub fn law(spec: &Spanned<Spec>, files: &dyn Files) -> Result<Law, Problem> {
    spec.build(files).map_err(|error| {
        let problem = Problem::new(spec.span, error.to_string());
        match error {
            SpecError::Unreadable { .. } => problem.expected("a text file, named from the scenario's folder"),
            SpecError::Malformed { .. } => problem.expected("a file with one number per line"),
            SpecError::Law(_) => problem,
        }
    })
}
