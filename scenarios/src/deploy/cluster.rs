//! The file that describes a cluster to be run on this machine.

use std::path::Path;

use seedbed_core::settings;
use seedbed_core::settings::{Node, Problem, Problems, Spanned};

use super::node::check_protocol;
use super::{Limits, LogLevel};
use crate::format::{Document, Report};
use crate::run::Registry;

/// The most nodes of a cluster on one machine.
const NODES_MAX: u32 = 64;

settings! {
    /// A cluster of processes on this machine.
    pub struct ClusterFile {
        /// What it is for.
        pub about: String = String::new(), in 0..=4000;
        /// What it is called; otherwise what its file is called.
        pub name: Option<Spanned<String>> = None, in 1..=64;
        /// Counts the changes of who votes: to change that, stop the cluster, raise this by one and start it again.
        pub epoch: Spanned<u64> = 1u64.into(), in 1..=EPOCH_MAX;
        /// What runs: see `seedbed list`.
        pub protocol: Spanned<String>;
        /// Its parameters.
        pub params: Option<Node> = None;
        /// How many nodes.
        pub nodes: Spanned<u32>, in 1..=NODES_MAX;
        /// Which of them vote; without any, all.
        pub voters: Vec<Spanned<u32>> = Vec::new(), in 0..=NODES_MAX as usize;
        /// Where they listen: a name or address of this machine.
        pub host: Spanned<String> = String::from("127.0.0.1").into(), in 1..=255;
        /// The port of the first node, the others have those after it; 0 means ports that are free.
        pub port: Spanned<u16> = 0u16.into();
        /// The same for their doors for people and programs.
        pub api_port: Spanned<u16> = 0u16.into();
        /// Limits and times.
        pub limits: Limits = Limits::default();
        /// Record every input, for `seedbed replay`.
        pub record: bool = false;
        /// Whether the doors take orders to lose, delay and refuse messages: for tests.
        pub faults: bool = false;
        /// How much the nodes tell.
        pub log: LogLevel = LogLevel::Info;
    }
}

/// The last epoch that can be written.
const EPOCH_MAX: u64 = i64::MAX as u64;

/// A cluster's file, read and found to be consistent.
#[derive(Clone, Debug)]
pub struct ClusterPlan {
    /// What it says.
    pub file: ClusterFile,
    /// What it is called.
    pub name: String,
    document: Document,
}

impl ClusterPlan {
    /// Reads a file, with some keys set otherwise.
    ///
    /// # Errors
    /// All that is wrong with it, each with line and column.
    pub fn load(path: &Path, sets: &[(String, String)], registry: &Registry) -> Result<Self, Report> {
        let mut document = Document::load(path)?;
        for (key, value) in sets {
            document.set(key, value)?;
        }
        let stem = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        Self::read(document, &stem, registry)
    }

    fn read(document: Document, stem: &str, registry: &Registry) -> Result<Self, Report> {
        let file: ClusterFile = document.read()?;
        let mut problems = Problems::default();
        check_protocol(&file.protocol, file.params.as_ref(), *file.nodes, registry, &mut problems);
        check_voters(&file, &mut problems);
        check_ports(&file, &mut problems);
        let name = file.name.clone().unwrap_or_else(|| stem.to_owned().into());
        if !is_name(&name) {
            let problem = Problem::new(name.span, format!("`{}` cannot be a cluster's name", name.value));
            problems.push(
                problem.expected("letters, digits, `-`, `_` and `.`, beginning with a letter or digit"),
            );
        }
        match problems.is_empty() {
            true => Ok(Self { file, name: name.value, document }),
            false => Err(document.report(problems)),
        }
    }

    /// Which nodes vote, in ascending order.
    #[must_use]
    pub fn voters(&self) -> Vec<u32> {
        match self.file.voters.as_slice() {
            [] => (0..*self.file.nodes).collect(),
            voters => {
                let mut voters: Vec<u32> = voters.iter().map(|voter| voter.value).collect();
                voters.sort_unstable();
                voters
            }
        }
    }

    /// Problems with what the file says, ready to be shown.
    #[must_use]
    pub fn report(&self, problems: Problems) -> Report {
        self.document.report(problems)
    }
}

/// A name that can be that of a folder, too.
fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter))
}

fn check_voters(file: &ClusterFile, problems: &mut Problems) {
    let mut seen: Vec<u32> = Vec::new();
    for voter in &file.voters {
        if voter.value >= *file.nodes {
            let message = format!("there is no node {}: the cluster has {}", voter.value, *file.nodes);
            let expected = format!("a node from 0 to {}", file.nodes.saturating_sub(1));
            problems.push(Problem::new(voter.span, message).expected(expected));
        } else if seen.contains(voter) {
            problems.push(Problem::new(voter.span, format!("node {} votes twice", voter.value)));
        }
        seen.push(voter.value);
    }
}

/// Ports that were chosen must exist, and must not be those of both sides.
fn check_ports(file: &ClusterFile, problems: &mut Problems) {
    let nodes = *file.nodes;
    let last = |first: u16| u32::from(first) + nodes - 1;
    for port in [&file.port, &file.api_port].into_iter().filter(|port| last(port.value) > u16::MAX.into()) {
        let problem =
            Problem::new(port.span, format!("{nodes} nodes from port {} on are too many", port.value));
        problems.push(problem.expected(format!("at most {}", u32::from(u16::MAX) + 1 - nodes)));
    }
    let (peers, doors) = (file.port.value, file.api_port.value);
    let overlap = u32::from(peers) <= last(doors) && u32::from(doors) <= last(peers);
    if peers != 0 && doors != 0 && overlap {
        let problem = Problem::new(file.api_port.span, "doors and peers would share ports");
        problems.push(problem.expected(format!("a port that is {nodes} or more away from port = {peers}")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ClusterPlan, Report> {
        ClusterPlan::read(Document::parse("trio.toml", text)?, "trio", &Registry::ours())
    }

    #[test]
    fn a_cluster_is_read_with_its_defaults() {
        let plan = read("protocol = \"raft\"\nnodes = 3").unwrap();
        assert_eq!((plan.name.as_str(), plan.voters(), *plan.file.epoch), ("trio", vec![0, 1, 2], 1));
        assert_eq!((plan.file.host.as_str(), *plan.file.port, *plan.file.api_port), ("127.0.0.1", 0, 0));
        let some = read("protocol = \"raft\"\nnodes = 3\nname = \"x\"\nvoters = [2, 0]").unwrap();
        assert_eq!((some.name.as_str(), some.voters()), ("x", vec![0, 2]));
    }

    #[test]
    fn the_clusters_that_come_with_the_project_are_right() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("clusters");
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let clusters: Vec<_> =
            files.filter(|file| file.extension().is_some_and(|end| end == "toml")).collect();
        for file in &clusters {
            let plan = ClusterPlan::load(file, &[], &Registry::ours());
            assert!(plan.is_ok(), "{}: {}", file.display(), plan.unwrap_err());
        }
        assert!(clusters.len() >= 3, "{clusters:?}");
    }

    #[test]
    fn what_is_wrong_is_shown_where_it_is() {
        for (line, told) in [
            ("nodes = 0", "an integer between 1 and 64"),
            ("nodes = 3\nvoters = [3]", "there is no node 3: the cluster has 3"),
            ("nodes = 3\nvoters = [1, 1]", "node 1 votes twice"),
            ("nodes = 3\nport = 65534", "at most 65533"),
            ("nodes = 3\nport = 7000\napi_port = 7002", "would share ports"),
            ("nodes = 3\nname = \"../x\"", "cannot be a cluster's name"),
            ("nodes = 3\nepohc = 2", "did you mean `epoch`?"),
        ] {
            let report = read(&format!("protocol = \"raft\"\n{line}")).unwrap_err().to_string();
            assert!(report.contains(told) && report.contains("trio.toml:"), "{line}: {report}");
        }
    }
}
