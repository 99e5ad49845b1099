//! How a machine becomes part of a running cluster: a member issues a token, the machine joins with it, and gets the
//! file of a node.

use std::fmt::Write;
use std::io;
use std::net::{IpAddr, ToSocketAddrs, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;

use seedbed_core::contract::NodeId;
use seedbed_core::settings::Value;
use seedbed_transport::identity::{
    self, JoinError, KeyFileError, LIFETIME_MAX, NotAToken, SecretKey, Token, Welcome,
};

use super::home::{HomeError, NODE_FILE, kept_key, make_folder, replace};
use super::{Address, AddressError, NodePlan, ports};

/// Why a token cannot be issued, or a machine cannot join.
#[derive(Debug, thiserror::Error)]
pub enum AdmissionError {
    /// The node's key.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The line is not one that a member printed.
    #[error(transparent)]
    Token(#[from] NotAToken),
    /// An address in it.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The folder.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// There is a node already.
    #[error("{} is there already: run it with `seedbed node`, or join in another folder", .0.display())]
    There(PathBuf),
    /// The node that issued the token says no, or cannot be reached.
    #[error("{address}: {error}")]
    Join {
        /// Where it should be.
        address: String,
        /// What went wrong.
        error: JoinError,
    },
    /// The system refuses.
    #[error("{what}: {error}")]
    Failed {
        /// What was tried.
        what: String,
        /// What the system says.
        error: io::Error,
    },
}

impl NodePlan {
    /// A token that lets one machine join through this node, which need not run now, but when it is used.
    ///
    /// # Errors
    /// If the node's key cannot be read, or the lifetime is no second or longer than [`LIFETIME_MAX`].
    pub fn issue_token(&self, lifetime: Duration) -> Result<Token, AdmissionError> {
        let refused = |error| AdmissionError::Failed { what: "no token".into(), error };
        if !(Duration::from_secs(1)..=LIFETIME_MAX).contains(&lifetime) {
            let why = "it may last from 1 s to 7 days";
            return Err(refused(io::Error::new(io::ErrorKind::InvalidInput, why)));
        }
        let key = SecretKey::load(&self.path(&self.file.key))?;
        let me = self.file.member.iter().find(|member| *member.index == *self.file.node);
        let address = me.map_or(&self.file.listen, |me| &me.address);
        Token::issue(&key, address.to_string(), self.file.cluster.value.clone(), lifetime).map_err(refused)
    }
}

/// A machine that is about to join.
#[derive(Clone, Debug)]
pub struct Joiner {
    /// The folder of its node: key, file and data.
    pub dir: PathBuf,
    /// Where it will listen for its peers; otherwise at a free port, at the address that leads to the cluster.
    pub listen: Option<Address>,
    /// Where its door will be; otherwise at a free port of this machine.
    pub api: Option<Address>,
}

/// A machine that has joined.
#[derive(Clone, Debug)]
pub struct Joined {
    /// What it is called now.
    pub node: NodeId,
    /// The file of its node.
    pub file: PathBuf,
}

impl Joiner {
    /// Makes a key, unless there is one, joins, and writes what the node needs to run.
    ///
    /// # Errors
    /// If the machine is not let in, or what it needs cannot be written.
    pub fn join(&self, token: &Token) -> Result<Joined, AdmissionError> {
        let file = self.dir.join(NODE_FILE);
        if file.exists() {
            return Err(AdmissionError::There(file));
        }
        make_folder(&self.dir)?;
        let key = kept_key(&self.dir.join("key"))?;
        let listen = match &self.listen {
            Some(listen) => listen.clone(),
            None => ports::free(&way_to(&token.address)?, &[])?,
        };
        let api = match &self.api {
            Some(api) => api.clone(),
            None => ports::free("127.0.0.1", &[listen.port()])?,
        };
        let failed = |error| AdmissionError::Failed { what: "cannot join".into(), error };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let place = listen.to_string();
        let joining = identity::join(token, &key, &place);
        let refused = |error| AdmissionError::Join { address: token.address.clone(), error };
        let welcome = runtime.block_on(joining).map_err(refused)?;
        self.settle(&file, &token.grant.cluster, &listen, &api, &welcome)?;
        Ok(Joined { node: welcome.node, file })
    }

    /// Writes down what was told, first who belongs and last the file that makes a node of it.
    fn settle(
        &self,
        file: &Path,
        cluster: &str,
        listen: &Address,
        api: &Address,
        welcome: &Welcome,
    ) -> Result<(), AdmissionError> {
        let data = self.dir.join("data");
        make_folder(&data)?;
        let roster = data.join("roster.json");
        identity::remember(cluster, &welcome.statements, &welcome.revoked, &roster)
            .map_err(|error| AdmissionError::Failed { what: roster.display().to_string(), error })?;
        let text = node_file(cluster, listen, api, welcome)?;
        Ok(replace(file, text.as_bytes())?)
    }
}

/// The file of a node that has joined. What the server told about the cluster stands in it as it was told.
fn node_file(
    cluster: &str,
    listen: &Address,
    api: &Address,
    welcome: &Welcome,
) -> Result<String, AdmissionError> {
    let text = |text: &dyn ToString| Value::Text(text.to_string());
    let mut file = String::from("# Written by `seedbed join`.\n");
    // Writing into memory does not fail.
    let _ = writeln!(file, "cluster = {}\nnode = {}", text(&cluster), welcome.node.0);
    let _ = writeln!(file, "listen = {}\n{}", text(listen), welcome.settings.trim_end());
    let _ = writeln!(file, "\n[api]\nlisten = {}", text(api));
    for member in &welcome.members {
        let address: Address = member.address.parse()?;
        let keys: Vec<Value> = member.keys.iter().map(|validity| text(&validity.key)).collect();
        let keys = keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let _ = writeln!(file, "\n[[member]]\nindex = {}\naddress = {}", member.node.0, text(&address));
        let _ = writeln!(file, "keys = [{keys}]\nvoter = {}", member.votes);
    }
    // Its own admission is among the statements; here it stands because every node's file names itself.
    let own = welcome.statements.iter().find_map(|signed| match &signed.statement {
        identity::Statement::Admission { node, key, .. } if *node == welcome.node => Some(key),
        _ => None,
    });
    if let Some(key) = own {
        let _ = writeln!(file, "\n[[member]]\nindex = {}\naddress = {}", welcome.node.0, text(listen));
        let _ = writeln!(file, "keys = [{}]\nvoter = false", text(key));
    }
    Ok(file)
}

/// The address of this machine from which that one is reached. Nothing is sent.
fn way_to(address: &str) -> Result<String, AdmissionError> {
    let failed = |error| AdmissionError::Failed { what: format!("no way to {address}"), error };
    let there = address.to_socket_addrs().map_err(failed)?.next();
    let there = there.ok_or_else(|| failed(io::Error::other("no such host")))?;
    let any: IpAddr = match there.ip() {
        IpAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).map_err(failed)?;
    let here = socket.connect(there).and_then(|()| socket.local_addr()).map_err(failed)?.ip();
    Ok(if here.is_ipv6() { format!("[{here}]") } else { here.to_string() })
}
