//! The links of a run: TLS over sockets on this machine's loopback, with keys made for the run.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration as Span;

use seedbed_core::contract::{Life, NodeId};
use seedbed_transport::Knobs;
use seedbed_transport::identity::{Member, Roster, SecretKey};
use seedbed_transport::link::tls::Tls;
use seedbed_transport::link::{Config, StreamLink};
use tokio::net::TcpListener;

/// Where each node listens and what it proves itself with, in all of its lives.
pub(super) struct Links {
    nodes: Vec<(SocketAddr, SecretKey)>,
    members: Vec<Member>,
}

/// A port that the last life has just let go of may be taken for a moment.
const BIND_ATTEMPTS: u32 = 200;
const BIND_PAUSE: Span = Span::from_millis(5);

impl Links {
    /// Finds a free port for each of so many nodes.
    pub(super) async fn new(nodes: u32) -> io::Result<Self> {
        let mut listeners = Vec::new();
        for _ in 0..nodes {
            listeners.push(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?);
        }
        let nodes = listeners
            .iter()
            .map(|listener| Ok((listener.local_addr()?, SecretKey::generate()?)))
            .collect::<io::Result<Vec<_>>>()?;
        let member = |(id, (address, key)): (u32, &(SocketAddr, SecretKey))| {
            Member::new(NodeId(id), address.to_string(), true, key.public())
        };
        let members = (0..).zip(&nodes).map(member).collect();
        Ok(Self { nodes, members })
    }

    /// The link of one life of a node.
    pub(super) async fn join(&self, me: NodeId, life: Life, knobs: &Knobs) -> io::Result<StreamLink> {
        let config = Config {
            me,
            life,
            cluster: "run".into(),
            protocol: "run".into(),
            version: 1,
            knobs: knobs.clone(),
            freight: None,
        };
        let (address, key) = self.nodes.get(me.0 as usize).ok_or(io::ErrorKind::NotFound)?;
        let roster = Roster::new(self.members.iter().cloned()).map_err(io::Error::other)?;
        let tls = Tls::new(bind(*address).await?, key.clone(), roster).map_err(io::Error::other)?;
        let link = StreamLink::start(config, tls, Arc::new(()));
        for (peer, (address, _)) in (0..).map(NodeId).zip(&self.nodes) {
            if peer != me {
                link.peers().insert(peer, Some(address.to_string()));
            }
        }
        Ok(link)
    }
}

async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    for _ in 0..BIND_ATTEMPTS {
        match TcpListener::bind(address).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => tokio::time::sleep(BIND_PAUSE).await,
            bound => return bound,
        }
    }
    TcpListener::bind(address).await
}
