//! Keys, rosters, and both ends of a connection over a real socket.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use seedbed_core::contract::NodeId;
use seedbed_transport::identity::{Arrival, Entrance, Member, Roster, SecretKey, nobody};
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
        stream.read_exact(&mut [0]).await?;
        Ok(stream)
    };
    let accept = async {
        let mut arrival = entrance.admit(listener.accept().await?.0).await?;
        let (Arrival::Peer(_, _, stream) | Arrival::Joiner(_, stream)) = &mut arrival;
        stream.write_all(b"!").await?;
        stream.flush().await?;
        Ok(arrival)
    };
    let (dialler, acceptor) = tokio::time::timeout(PATIENCE, async { tokio::join!(dial, accept) })
        .await
        .expect("the handshake hangs");
    Met { dialler, acceptor }
}
