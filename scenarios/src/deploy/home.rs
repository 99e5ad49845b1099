//! The folder of a cluster on this machine: what `seedbed up` settles once and finds again the next time.
//!
//! ```text
//! lock          held while nodes are started or stopped
//! token         what whoever changes the state of a node must know
//! secret        what the members alone know, if their protocol has such a parameter
//! n0/NODE.toml  everything about node 0, written anew at each start
//! n0/key        its secret key, kept
//! n0/data/      what it has promised, kept
//! n0/log        what it has told, kept
//! n0/pid        its process, if it runs
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use seedbed_core::settings::{Node, Problem, Problems, Table, Value};
use seedbed_transport::identity::{KeyFileError, SecretKey};

use super::ports::Ports;
use super::{Address, Api, ClusterPlan, Member, NodeFile, NodePlan, Process};
use crate::format::Report;
use crate::run::{Entry, Registry};

/// The folder of a cluster on this machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Home {
    path: PathBuf,
}

/// The place of one node.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seat {
    /// Its number.
    pub index: u32,
    /// Its folder.
    pub folder: PathBuf,
    /// Where it listens for its peers.
    pub listen: Address,
    /// Where its door is.
    pub api: Address,
}

/// What can be wrong with the folder of a cluster.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// What its files say, or what the cluster's file says about them.
    #[error(transparent)]
    Wrong(#[from] Report),
    /// A key.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// Another program starts or stops nodes here.
    #[error("another `seedbed up` or `down` is at work in {}", .0.display())]
    Locked(PathBuf),
    /// A node runs already.
    #[error(
        "the cluster is running already: node {index} is process {pid}; `seedbed down --dir {}` stops it",
        home.display()
    )]
    Running {
        /// Which.
        index: u32,
        /// Its process.
        pid: u32,
        /// Where.
        home: PathBuf,
    },
    /// Nobody can listen there.
    #[error("cannot listen on {host}: {error}; expected a name or an address of this machine")]
    Host {
        /// Where.
        host: String,
        /// What the system says.
        error: io::Error,
    },
    /// There are not enough ports.
    #[error("no free ports on {0}")]
    Ports(String),
    /// The system refuses.
    #[error("{}: {error}", path.display())]
    Failed {
        /// What was to be read or written.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// Nobody else starts or stops nodes while this lives.
#[derive(Debug)]
pub struct HomeLock(#[allow(dead_code)] File);

pub(super) const NODE_FILE: &str = "NODE.toml";
const TOKEN: &str = "token";
/// The bytes of a new token, before they are written as text.
const TOKEN_SIZE: usize = 32;

impl Home {
    /// The cluster in this folder, which need not be there yet.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether anything is there.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.path.join("lock").exists()
    }

    /// The file with the token.
    #[must_use]
    pub fn token_path(&self) -> PathBuf {
        self.path.join(TOKEN)
    }

    /// Makes the folder, if it is not there, and keeps others from starting or stopping nodes in it.
    ///
    /// # Errors
    /// If somebody does that already, or the system refuses.
    pub fn lock(&self) -> Result<HomeLock, HomeError> {
        make_folder(&self.path)?;
        let path = self.path.join("lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|error| failed(&path, error))?;
        match file.try_lock() {
            Ok(()) => Ok(HomeLock(file)),
            Err(TryLockError::WouldBlock) => Err(HomeError::Locked(self.path.clone())),
            Err(TryLockError::Error(error)) => Err(failed(&path, error)),
        }
    }

    /// The nodes that have been settled here, in ascending order.
    ///
    /// # Errors
    /// If one of their files cannot be read.
    pub fn nodes(&self, registry: &Registry) -> Result<Vec<NodePlan>, HomeError> {
        let mut nodes = Vec::new();
        for folder in self.folders()? {
            let file = folder.join(NODE_FILE);
            if file.exists() {
                nodes.push(NodePlan::load(&file, registry)?);
            }
        }
        nodes.sort_by_key(|node| *node.file.node);
        Ok(nodes)
    }

    /// The processes that run here, by the numbers of their nodes.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn running(&self) -> Result<Vec<(u32, Process)>, HomeError> {
        let process = |folder: PathBuf| {
            let index = folder.file_name()?.to_str()?.strip_prefix('n')?.parse().ok()?;
            let process = Process::read(&pid_path(&folder)).filter(Process::is_alive)?;
            Some((index, process))
        };
        let mut running: Vec<_> = self.folders()?.into_iter().filter_map(process).collect();
        running.sort_by_key(|(index, _)| *index);
        Ok(running)
    }

    /// Refuses if a node runs.
    ///
    /// # Errors
    /// If one does.
    pub fn refuse_running(&self) -> Result<(), HomeError> {
        match self.running()?.first() {
            None => Ok(()),
            Some((index, process)) => {
                Err(HomeError::Running { index: *index, pid: process.pid(), home: self.path.clone() })
            }
        }
    }

    /// Makes what a cluster needs to run: keys, a token, addresses and a file for each node. What is there already is
    /// kept, but for the files of the nodes, which say again what the cluster's file says.
    ///
    /// # Errors
    /// If what is there is of another cluster, protocol or later epoch; if who votes has changed and the epoch has not;
    /// if the system refuses.
    pub fn settle(&self, plan: &ClusterPlan, registry: &Registry) -> Result<Vec<Seat>, HomeError> {
        let before = self.nodes(registry)?;
        self.check_change(plan, &before)?;
        kept_secret(&self.token_path())?;
        let params = self.params(plan, registry)?;
        let known = |index: u32| before.iter().find(|node| *node.file.node == index);
        let addresses = |node: &NodePlan| {
            [Some(node.file.listen.port()), node.file.api.listen.as_ref().map(Address::port)]
        };
        let mut ports = Ports::of(&plan.file.host, before.iter().flat_map(addresses).flatten().collect());
        let (mut seats, mut members) = (Vec::new(), Vec::new());
        for index in 0..*plan.file.nodes {
            let folder = self.folder(index);
            make_folder(&folder)?;
            let key = kept_key(&folder.join("key"))?;
            let last = known(index).map(|node| &node.file);
            let listen = ports.settle(*plan.file.port, index, last.map(|file| &file.listen))?;
            let door = last.and_then(|file| file.api.listen.as_ref());
            let api = ports.settle(*plan.file.api_port, index, door)?;
            members.push(Member {
                index: index.into(),
                address: listen.clone(),
                keys: vec![key.public().to_string().into()],
                voter: plan.voters().contains(&index),
            });
            seats.push(Seat { index, folder, listen, api });
        }
        for seat in &seats {
            write_node(plan, params.clone(), seat, &members)?;
        }
        Ok(seats)
    }

    /// The parameters as they are written, with the members' secret if they have one and none is written.
    fn params(&self, plan: &ClusterPlan, registry: &Registry) -> Result<Option<Node>, HomeError> {
        let (name, written) = (&plan.file.protocol.value, plan.file.params.as_ref());
        let Some(key) = registry.find(name).and_then(Entry::secret) else { return Ok(written.cloned()) };
        if registry.params(name, written).table().is_some_and(|table| table.find(key).is_some()) {
            return Ok(written.cloned());
        }
        let secret = Node::unwritten(Value::Text(kept_secret(&self.path.join("secret"))?));
        let mut params = written.cloned().unwrap_or_else(|| Node::unwritten(Value::Table(Table::default())));
        if let Value::Table(table) = &mut params.value {
            table.insert(key, params.span, secret);
        }
        Ok(Some(params))
    }

    fn check_change(&self, plan: &ClusterPlan, before: &[NodePlan]) -> Result<(), HomeError> {
        let Some(last) = before.iter().map(|node| &node.file).max_by_key(|file| file.epoch) else {
            return Ok(());
        };
        let there = format!("what is in {}", self.path.display());
        let mut problems = Problems::default();
        if last.cluster.value != plan.name {
            let span = plan.file.name.as_ref().map_or(plan.file.protocol.span, |name| name.span);
            let message = format!("{there} belongs to the cluster `{}`", last.cluster.value);
            problems.push(Problem::new(span, message).help("use another folder: --dir"));
        } else if last.protocol.value != plan.file.protocol.value {
            let message = format!("{there} was kept by the protocol `{}`", last.protocol.value);
            problems.push(Problem::new(plan.file.protocol.span, message).help("use another folder: --dir"));
        } else if *plan.file.epoch < last.epoch {
            let message = format!("epoch {} is over: {there} is of epoch {}", *plan.file.epoch, last.epoch);
            let problem = Problem::new(plan.file.epoch.span, message);
            problems.push(problem.expected(format!("at least {}", last.epoch)));
        } else if *plan.file.epoch == last.epoch && plan.voters() != voters(last) {
            let message = format!("who votes has changed since epoch {} began", last.epoch);
            let place = plan.file.voters.first().map_or(plan.file.nodes.span, |voter| voter.span);
            let help = format!("write `epoch = {}` to begin a new one", last.epoch.saturating_add(1));
            problems.push(Problem::new(place, message).help(help));
        }
        match problems.is_empty() {
            true => Ok(()),
            false => Err(plan.report(problems).into()),
        }
    }

    fn folder(&self, index: u32) -> PathBuf {
        self.path.join(format!("n{index}"))
    }

    /// Those of nodes, in any order.
    fn folders(&self) -> Result<Vec<PathBuf>, HomeError> {
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(&self.path, error)),
        };
        let mut folders = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| failed(&self.path, error))?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let number = name.and_then(|name| name.strip_prefix('n'));
            if number.is_some_and(|number| number.parse::<u32>().is_ok()) {
                folders.push(path);
            }
        }
        Ok(folders)
    }
}

impl Seat {
    /// The file that describes the node.
    #[must_use]
    pub fn node_path(&self) -> PathBuf {
        self.folder.join(NODE_FILE)
    }

    /// What the node has told.
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Remembers the node's process, for whoever is to stop it.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn note_process(&self, process: &Process) -> Result<(), HomeError> {
        replace(&pid_path(&self.folder), format!("{process}\n").as_bytes())
    }

    /// The node's process is gone.
    pub fn forget_process(&self) {
        // What is left is found to be dead.
        let _ = fs::remove_file(pid_path(&self.folder));
    }
}

fn pid_path(folder: &Path) -> PathBuf {
    folder.join("pid")
}

/// Who votes, in ascending order.
fn voters(file: &NodeFile) -> Vec<u32> {
    let voters = file.member.iter().filter(|member| member.voter);
    let mut voters: Vec<u32> = voters.map(|member| *member.index).collect();
    voters.sort_unstable();
    voters
}

fn failed(path: &Path, error: io::Error) -> HomeError {
    HomeError::Failed { path: path.into(), error }
}

pub(super) fn make_folder(path: &Path) -> Result<(), HomeError> {
    // Keys and data are nobody else's business.
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| failed(path, error))
}

pub(super) fn kept_key(path: &Path) -> Result<SecretKey, HomeError> {
    if path.exists() {
        return Ok(SecretKey::load(path)?);
    }
    let key = SecretKey::generate().map_err(|error| failed(path, error))?;
    key.save(path)?;
    Ok(key)
}

/// A text that nobody can guess, in a file that nobody else can read: drawn the first time.
fn kept_secret(path: &Path) -> Result<String, HomeError> {
    use std::io::Read;
    if path.exists() {
        let text = fs::read_to_string(path).map_err(|error| failed(path, error))?;
        return Ok(text.trim().to_owned());
    }
    let mut bytes = [0; TOKEN_SIZE];
    let random = Path::new("/dev/urandom");
    let read = File::open(random).and_then(|mut file| file.read_exact(&mut bytes));
    read.map_err(|error| failed(random, error))?;
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    replace(path, format!("{text}\n").as_bytes())?;
    Ok(text)
}

/// Writes a file that nobody else can read; whoever reads it meanwhile sees the old one or the new one.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), HomeError> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".new");
    let new = path.with_file_name(name);
    let write = || {
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    write().map_err(|error| failed(path, error))
}

fn write_node(
    plan: &ClusterPlan,
    params: Option<Node>,
    seat: &Seat,
    members: &[Member],
) -> Result<(), HomeError> {
    let file = NodeFile {
        cluster: plan.name.clone().into(),
        epoch: *plan.file.epoch,
        node: seat.index.into(),
        name: None,
        protocol: plan.file.protocol.value.clone().into(),
        params,
        key: "key".into(),
        data: "data".into(),
        listen: seat.listen.clone(),
        api: Api { listen: Some(seat.api.clone()), token: Some(format!("../{TOKEN}")) },
        member: members.to_vec(),
        limits: plan.file.limits.clone(),
        record: plan.file.record.then(|| "recording".into()),
        faults: plan.file.faults,
        log: plan.file.log,
    };
    let head = "# Written by `seedbed up`; written anew at each start.\n";
    replace(&seat.node_path(), format!("{head}{}", file.document()).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bed(name: &str) -> Home {
        let path = std::env::temp_dir().join(format!("seedbed-home-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Home::at(path)
    }

    fn plan(home: &Home, text: &str) -> ClusterPlan {
        let path = home.path().join("trio.toml");
        fs::write(&path, format!("protocol = \"raft\"\n{text}")).unwrap();
        ClusterPlan::load(&path, &[], &Registry::ours()).unwrap()
    }

    fn settle(home: &Home, text: &str) -> Result<Vec<Seat>, String> {
        home.settle(&plan(home, text), &Registry::ours()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_settled_stays_so() {
        use std::os::unix::fs::PermissionsExt;
        let (home, registry) = (bed("stays"), Registry::ours());
        let _lock = home.lock().unwrap();
        let seats = settle(&home, "nodes = 3").unwrap();
        let files: Vec<_> = home.nodes(&registry).unwrap().into_iter().map(|node| node.file).collect();
        assert_eq!(files.len(), 3);
        assert_eq!(files[0].member, files[2].member);
        let mut addresses: Vec<_> = seats.iter().flat_map(|seat| [&seat.listen, &seat.api]).collect();
        addresses.sort();
        addresses.dedup();
        assert_eq!(addresses.len(), 6);
        for secret in [home.token_path(), home.path().join("n1/key")] {
            assert_eq!(fs::metadata(secret).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let token = fs::read(home.token_path()).unwrap();
        assert_eq!(settle(&home, "nodes = 3\nfaults = true").unwrap(), seats);
        let again: Vec<_> = home.nodes(&registry).unwrap().into_iter().map(|node| node.file).collect();
        assert_eq!((&again[1].member, again[1].faults), (&files[1].member, true));
        assert_eq!(fs::read(home.token_path()).unwrap(), token);
        fs::remove_dir_all(home.path()).unwrap();
    }

    #[test]
    fn members_share_a_secret_that_is_drawn_once() {
        let (home, registry) = (bed("secret"), Registry::ours());
        let _lock = home.lock().unwrap();
        let path = home.path().join("trio.toml");
        let secrets = |text: &str| -> Vec<String> {
            fs::write(&path, format!("protocol = \"documents\"\nnodes = 2\n{text}")).unwrap();
            let plan = ClusterPlan::load(&path, &[], &registry).unwrap();
            home.settle(&plan, &registry).unwrap();
            let nodes = home.nodes(&registry).unwrap().into_iter();
            let table = |node: NodePlan| node.file.params.and_then(|params| params.table().cloned()).unwrap();
            nodes.map(|node| table(node).find("secret").unwrap().value.to_string()).collect()
        };
        let drawn = secrets("");
        assert!(drawn[0].len() > 60 && drawn[0] == drawn[1], "{drawn:?}");
        assert_eq!(secrets("params.every = \"3s\""), drawn);
        assert_eq!(secrets("params.secret = \"ours\""), ["\"ours\"", "\"ours\""]);
        fs::remove_dir_all(home.path()).unwrap();
    }

    #[test]
    fn who_votes_changes_with_the_epoch_only_and_never_goes_back() {
        let home = bed("epoch");
        let lock = home.lock().unwrap();
        assert!(matches!(home.lock(), Err(HomeError::Locked(_))));
        settle(&home, "nodes = 3").unwrap();
        let refused = |text: &str, told: &str| {
            let error = settle(&home, text).unwrap_err();
            assert!(error.contains(told) && error.contains("trio.toml:"), "{text}: {error}");
        };
        refused("nodes = 4", "write `epoch = 2` to begin a new one");
        refused("nodes = 3\nvoters = [0, 1]", "who votes has changed since epoch 1 began");
        refused("nodes = 3\nname = \"other\"", "belongs to the cluster `trio`");
        settle(&home, "nodes = 4\nvoters = [0, 1, 2]").unwrap();
        settle(&home, "nodes = 4\nepoch = 2").unwrap();
        refused("nodes = 3", "epoch 1 is over");
        drop(lock);
        fs::remove_dir_all(home.path()).unwrap();
    }

    #[test]
    fn a_file_of_a_node_says_only_what_is_not_as_usual() {
        let home = bed("sparse");
        let _lock = home.lock().unwrap();
        settle(&home, "nodes = 1\nlimits.bulk_credits = 3\nparams.heartbeat = \"20ms\"").unwrap();
        let text = fs::read_to_string(home.path().join("n0/NODE.toml")).unwrap();
        assert!(
            text.contains("\n[limits]\nbulk_credits = 3\n")
                && text.contains("[params]\nheartbeat = \"20ms\"")
        );
        assert!(!text.contains("log =") && !text.contains("ping"), "{text}");
        fs::remove_dir_all(home.path()).unwrap();
    }
}
