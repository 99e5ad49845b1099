//! The file that describes one node: who it is, whom it knows, where its things lie.

use std::path::{Path, PathBuf};

use seedbed_core::contract::NodeId;
use seedbed_core::settings::{Node, Problem, Problems, Spanned};
use seedbed_core::{choice, settings};
use seedbed_transport::identity::{self, FIRST_JOINED, PublicKey, Validity};

use super::{Address, Hosted, Limits};
use crate::format::{Document, Report};
use crate::run::Registry;

/// The most members that a cluster may have.
pub const MEMBERS_MAX: usize = 1_024;
/// The most keys that a member may have: more than the old and the new one are not needed.
pub const KEYS_MAX: usize = identity::KEYS_MAX;

settings! {
    /// One node of a cluster. Paths are named from the folder of this file.
    pub struct NodeFile {
        /// What the cluster is called: nodes of another are refused.
        pub cluster: Spanned<String>, in 1..=64;
        /// Counts the changes of who votes: nodes of one cluster agree on it.
        pub epoch: u64, in 1..=EPOCH_MAX;
        /// Which of the members this is.
        pub node: Spanned<u32>;
        /// What it is called by people.
        pub name: Option<String> = None, in 1..=64;
        /// What it runs: see `seedbed list`.
        pub protocol: Spanned<String>;
        /// The protocol's parameters.
        pub params: Option<Node> = None;
        /// Its secret key: a file that nobody but its owner may read.
        pub key: String = "key".into(), in 1..=4096;
        /// The folder of what it keeps.
        pub data: String = "data".into(), in 1..=4096;
        /// Where it listens for its peers.
        pub listen: Address;
        /// Its door for people and programs.
        pub api: Api = Api::default();
        /// All members of the cluster, this one too.
        pub member: Vec<Member>, in 1..=MEMBERS_MAX;
        /// Limits and times.
        pub limits: Limits = Limits::default();
        /// A folder to record every input in, for `seedbed replay`.
        pub record: Option<String> = None, in 1..=4096;
        /// Whether the door takes orders to lose, delay and refuse messages: for tests.
        pub faults: bool = false;
        /// How much it tells.
        pub log: LogLevel = LogLevel::Info;
    }
}

/// The last epoch that can be written.
const EPOCH_MAX: u64 = i64::MAX as u64;

settings! {
    /// A node's door for people and programs: HTTP.
    pub struct Api {
        /// Where; port 0 lets the system choose one.
        pub listen: Option<Address> = None;
        /// A file with the token that whoever changes state must know; without it nobody may.
        pub token: Option<String> = None, in 1..=4096;
    }
}

settings! {
    /// A member of a cluster.
    pub struct Member {
        /// Its number.
        pub index: Spanned<u32>;
        /// Where it listens.
        pub address: Address;
        /// Its public keys: one, or the old and the new one while they change.
        pub keys: Vec<Spanned<String>>, in 1..=KEYS_MAX;
        /// Whether its vote counts.
        pub voter: bool = true;
    }
}

choice! {
    /// How much a node tells.
    pub enum LogLevel {
        /// Nothing but what ends it.
        Error,
        /// What is wrong.
        Warn,
        /// What changes.
        Info,
        /// Whatever helps to find a fault.
        Debug,
    }
}

/// A node's file, read and found to be consistent.
#[derive(Clone, Debug)]
pub struct NodePlan {
    /// What it says.
    pub file: NodeFile,
    /// The folder that its paths are named from.
    pub home: PathBuf,
    /// To show what is wrong.
    document: Document,
}

impl NodePlan {
    /// Reads a file.
    ///
    /// # Errors
    /// All that is wrong with it, each with line and column.
    pub fn load(path: &Path, registry: &Registry) -> Result<Self, Report> {
        let document = Document::load(path)?;
        let home = path.parent().unwrap_or(Path::new("")).to_path_buf();
        Self::read(document, home, registry)
    }

    fn read(document: Document, home: PathBuf, registry: &Registry) -> Result<Self, Report> {
        let file: NodeFile = document.read()?;
        let mut problems = Problems::default();
        check_members(&file, &mut problems);
        check_protocol(&file.protocol, file.params.as_ref(), nodes(&file), registry, &mut problems);
        match problems.is_empty() {
            true => Ok(Self { file, home, document }),
            false => Err(document.report(problems)),
        }
    }

    /// Makes its node ready to be run.
    ///
    /// # Errors
    /// What is wrong with its parameters.
    pub fn host(&self, registry: &Registry) -> Result<Hosted, Report> {
        let protocol = &self.file.protocol;
        let entry = registry.find(protocol).ok_or_else(|| {
            self.report(Problem::unknown(protocol.span, "protocol", protocol, registry.names()).into())
        })?;
        let params = registry.params(protocol, self.file.params.as_ref());
        entry.host(&params, nodes(&self.file), self).map_err(|problems| self.report(problems))
    }

    /// The members, as a roster takes them.
    pub(super) fn members(&self) -> Vec<identity::Member> {
        let keys = |member: &Member| {
            let keys = member.keys.iter().filter_map(|key| key.parse().ok());
            keys.map(|key| Validity { key, until: None }).collect()
        };
        let member = |member: &Member| identity::Member {
            node: NodeId(*member.index),
            address: member.address.to_string(),
            votes: member.voter,
            epoch: 0,
            keys: keys(member),
        };
        self.file.member.iter().map(member).collect()
    }

    /// A path of the file, from where the program runs.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.home.join(name)
    }

    /// Problems with what the file says, ready to be shown.
    #[must_use]
    pub fn report(&self, problems: Problems) -> Report {
        self.document.report(problems)
    }
}

/// A protocol that nobody knows, or parameters that it does not take.
pub(super) fn check_protocol(
    name: &Spanned<String>,
    params: Option<&Node>,
    nodes: u32,
    registry: &Registry,
    problems: &mut Problems,
) {
    match registry.find(name) {
        None => problems.push(Problem::unknown(name.span, "protocol", name, registry.names())),
        Some(entry) => {
            if let Err(found) = entry.accepts(&registry.params(name, params), nodes) {
                problems.extend(found.list().iter().cloned());
            }
        }
    }
}

/// How many nodes a system has to begin with: those that join later are called otherwise.
fn nodes(file: &NodeFile) -> u32 {
    let first = file.member.iter().map(|member| *member.index).filter(|index| *index < FIRST_JOINED);
    first.max().map_or(1, |last| last + 1)
}

fn check_members(file: &NodeFile, problems: &mut Problems) {
    let mut seen: Vec<u32> = Vec::new();
    for member in &file.member {
        if seen.contains(&member.index) {
            let message = format!("two members have the number {}", member.index.value);
            problems.push(Problem::new(member.index.span, message).expected("another number"));
        }
        seen.push(*member.index);
    }
    if !seen.contains(&file.node) {
        let message = format!("no member has the number {}", file.node.value);
        let known = seen.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        problems.push(Problem::new(file.node.span, message).expected(format!("one of {known}")));
    }
    if !file.member.iter().any(|member| member.voter) {
        let problem = Problem::new(file.node.span, "no member has a vote");
        problems.push(problem.help("write `voter = true` with those that vote"));
    }
    let mut keys: Vec<&Spanned<String>> = Vec::new();
    for key in file.member.iter().flat_map(|member| &member.keys) {
        if let Err(error) = key.parse::<PublicKey>() {
            problems.push(Problem::new(key.span, format!("this is no key: {error}")));
        }
        if keys.contains(&key) {
            problems
                .push(Problem::new(key.span, "two members have the same key").expected("a key of its own"));
        }
        keys.push(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHT: &str = r#"
cluster = "elections"
epoch = 1
node = 0
protocol = "raft"
listen = "127.0.0.1:7100"

[api]
listen = "127.0.0.1:7200"
token = "token"

[params]
heartbeat = "20ms"

[[member]]
index = 0
address = "127.0.0.1:7100"
keys = ["a"]

[[member]]
index = 1
address = "127.0.0.1:7101"
keys = ["b", "c"]
voter = false
"#;

    fn read(text: &str) -> Result<NodePlan, Report> {
        let key = |letter: u8| PublicKey([letter; 32]).to_string();
        let text = text.replace("\"a\"", &format!("\"{}\"", key(1)));
        let text = text.replace("\"b\"", &format!("\"{}\"", key(2)));
        let text = text.replace("\"c\"", &format!("\"{}\"", key(3)));
        NodePlan::read(Document::parse("NODE.toml", &text)?, PathBuf::new(), &Registry::ours())
    }

    #[test]
    fn a_node_is_read_with_its_defaults() {
        let plan = read(RIGHT).unwrap();
        assert_eq!((plan.file.key.as_str(), plan.file.log, plan.file.faults), ("key", LogLevel::Info, false));
        assert_eq!(plan.file.limits, Limits::default());
        let voters: Vec<bool> = plan.file.member.iter().map(|member| member.voter).collect();
        assert_eq!(voters, [true, false]);
    }

    #[test]
    fn what_is_wrong_is_shown_where_it_is() {
        for (right, wrong, told) in [
            ("node = 0", "node = 7", "no member has the number 7"),
            ("index = 1", "index = 0", "two members have the number 0"),
            ("\"b\"", "\"a\"", "two members have the same key"),
            ("\"b\"", "\"x\"", "this is no key"),
            ("\"raft\"", "\"rafd\"", "did you mean `raft`?"),
            ("heartbeat =", "heartbaet =", "did you mean `heartbeat`?"),
            ("\"20ms\"", "\"20s\"", "must be shorter than timeout_min"),
            ("listen = \"127.0.0.1:7100\"", "listen = \"127.0.0.1\"", "has no host and port"),
            ("epoch = 1", "epoch = 0", "an integer of at least 1"),
            ("voter = false", "votes = false", "did you mean `voter`?"),
            ("node = 0\n", "", "missing key `node`"),
        ] {
            let text = RIGHT.replacen(right, wrong, 1);
            let report = read(&text).unwrap_err().to_string();
            assert!(report.contains(told), "{wrong}: {report}");
            assert!(report.contains("NODE.toml:"), "{report}");
        }
    }
}
