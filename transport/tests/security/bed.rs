//! Keys, rosters, and both ends of a connection over a real socket.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use seedbed_core::contract::NodeId;
use seedbed_transport::identity::{
    ALPN_PEER, Arrival, Entrance, Member, Node, Registrar, Roster, SecretKey, Token, nobody,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsConnector, client};

/// Much longer than anything here takes: a test that hangs fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The key that grows from one byte.
pub(crate) fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32]).unwrap()
}

/// A voter without an address, with the key of this seed.
pub(crate) fn member(node: u32, seed: u8) -> Member {
    Member::new(NodeId(node), "", true, key(seed).public())
}

pub(crate) fn roster(members: &[(u32, u8)]) -> Roster {
    Roster::new(members.iter().map(|&(node, seed)| member(node, seed))).unwrap()
}

/// What both ends have of a connection.
pub(crate) struct Met {
    pub(crate) dialler: io::Result<client::TlsStream<TcpStream>>,
    pub(crate) acceptor: io::Result<Arrival<TcpStream>>,
}

/// Dials a node over a real socket.
pub(crate) async fn meet(entrance: &Entrance, config: &Arc<ClientConfig>) -> Met {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let dial = async {
        let stream = TcpStream::connect(address).await?;
        let mut stream = TlsConnector::from(config.clone()).connect(nobody(), stream).await?;
        // In TLS 1.3 a client is done before the server has looked at its key, and must read to be told.
        if stream.get_ref().1.alpn_protocol() == Some(ALPN_PEER) {
            stream.read_exact(&mut [0]).await?;
        }
        Ok(stream)
    };
    let accept = async {
        let mut arrival = entrance.admit(listener.accept().await?.0).await?;
        if let Arrival::Peer(_, _, stream) = &mut arrival {
            stream.write_all(b"!").await?;
            stream.flush().await?;
        }
        Ok(arrival)
    };
    let (dialler, acceptor) = tokio::time::timeout(PATIENCE, async { tokio::join!(dial, accept) })
        .await
        .expect("the handshake hangs");
    Met { dialler, acceptor }
}

/// A folder that goes away with the test.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("seedbed-security-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A node that sees to errands and lets peers in to hang up at once.
pub(crate) struct Server {
    pub(crate) registrar: Registrar,
    pub(crate) address: String,
    task: tokio::task::JoinHandle<()>,
    seed: u8,
}

pub(crate) const CLUSTER: &str = "elections";

/// Where a node listens; kept open, so that its address can stand in the configuration of others.
pub(crate) async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

pub(crate) fn registrar(folder: &Folder, node: u32, seed: u8, members: Vec<Member>) -> Registrar {
    let this = Node {
        cluster: CLUSTER.into(),
        node: NodeId(node),
        key: key(seed),
        members,
        settings: "protocol = \"raft\"\n".into(),
    };
    Registrar::open(this, &folder.0.join(format!("roster-{node}.json"))).unwrap()
}

impl Server {
    /// One whose only member it is.
    pub(crate) async fn alone(folder: &Folder) -> Self {
        let (listener, address) = listen().await;
        let mut me = member(0, 10);
        me.address.clone_from(&address);
        Self::start(registrar(folder, 0, 10, vec![me]), 10, listener)
    }

    pub(crate) fn start(registrar: Registrar, seed: u8, listener: TcpListener) -> Self {
        let address = listener.local_addr().unwrap().to_string();
        let entrance = Entrance::new(&key(seed), registrar.roster()).unwrap();
        let serving = registrar.clone();
        let task = tokio::spawn(async move {
            let spreading = serving.clone();
            let serve = async {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let (entrance, registrar) = (entrance.clone(), serving.clone());
                    tokio::spawn(async move {
                        if let Ok(Arrival::Errand(errand)) = entrance.admit(stream).await {
                            let _ = registrar.run(errand).await;
                        }
                    });
                }
            };
            tokio::join!(serve, spreading.spread());
        });
        Self { registrar, address, task, seed }
    }

    pub(crate) fn token(&self) -> Token {
        self.token_for(CLUSTER, Duration::from_secs(600))
    }

    pub(crate) fn token_for(&self, cluster: &str, lifetime: Duration) -> Token {
        Token::issue(&key(self.seed), self.address.clone(), cluster, lifetime).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Returns once a roster is as it should be.
pub(crate) async fn until(roster: &Roster, is_so: impl Fn(&Roster) -> bool) {
    let mut changes = roster.changes();
    let wait = async {
        while !is_so(roster) {
            changes.next().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("the roster does not become as it should be");
}
