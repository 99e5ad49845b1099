//! Links within one process, for tests: the same link over pipes, and pipes that can be cut.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use seedbed_core::contract::NodeId;
use tokio::io::DuplexStream;
use tokio::sync::{mpsc, watch};

use super::events::Events;
use super::stream::{Carrier, Config, Session, StreamLink};

/// What a pipe holds before its writer waits, in bytes.
const PIPE: usize = 64 << 10;
/// Connections that may wait to be accepted.
const BACKLOG: usize = 64;

/// A network within this process. Clones are the same network.
#[derive(Clone, Debug, Default)]
pub struct Net(Arc<Wires>);

#[derive(Debug, Default)]
struct Wires {
    nodes: Mutex<BTreeMap<NodeId, mpsc::Sender<Call>>>,
    cuts: watch::Sender<BTreeSet<(NodeId, NodeId)>>,
}

/// A pipe, and who is at its other end.
type Call = (DuplexStream, NodeId);

impl Net {
    /// Starts the link of a node, with these peers. One that joined before under its name hears nothing any more.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn join(
        &self,
        config: Config,
        peers: impl IntoIterator<Item = NodeId>,
        events: Arc<dyn Events>,
    ) -> StreamLink {
        let link = StreamLink::start(config.clone(), self.carrier(config.me), events);
        for peer in peers {
            link.peers().insert(peer, Some(peer.to_string()));
        }
        link
    }

    /// What carries the streams of a node.
    #[must_use]
    pub fn carrier(&self, me: NodeId) -> Memory {
        let (calls, waiting) = mpsc::channel(BACKLOG);
        self.nodes().insert(me, calls);
        Memory { net: self.clone(), me, waiting: tokio::sync::Mutex::new(waiting) }
    }

    /// Ends all connections between two nodes, and makes none until they are [healed](Self::heal).
    pub fn cut(&self, a: NodeId, b: NodeId) {
        self.0.cuts.send_modify(|cuts| {
            cuts.insert((a.min(b), a.max(b)));
        });
    }

    /// Lets two nodes connect again.
    pub fn heal(&self, a: NodeId, b: NodeId) {
        self.0.cuts.send_modify(|cuts| {
            cuts.remove(&(a.min(b), a.max(b)));
        });
    }

    fn nodes(&self) -> MutexGuard<'_, BTreeMap<NodeId, mpsc::Sender<Call>>> {
        self.0.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn session(&self, stream: DuplexStream, a: NodeId, b: NodeId) -> Session<DuplexStream> {
        let mut cuts = self.0.cuts.subscribe();
        let lost = async move {
            // The network outlives its nodes' interest in it: no error, no cut.
            if cuts.wait_for(|cuts| cuts.contains(&(a.min(b), a.max(b)))).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        Session { stream, peer: Some(b), lost: Box::pin(lost) }
    }
}

/// Carries byte streams within this process.
#[derive(Debug)]
pub struct Memory {
    net: Net,
    me: NodeId,
    waiting: tokio::sync::Mutex<mpsc::Receiver<Call>>,
}

impl Carrier for Memory {
    type Raw = Call;
    type Stream = DuplexStream;

    async fn accept(&self) -> io::Result<(Call, String)> {
        match self.waiting.lock().await.recv().await {
            Some(call) => {
                let from = call.1.to_string();
                Ok((call, from))
            }
            // Another has joined under this name.
            None => std::future::pending().await,
        }
    }

    async fn greet(&self, (stream, from): Call) -> io::Result<Option<Session<DuplexStream>>> {
        Ok(Some(self.net.session(stream, self.me, from)))
    }

    async fn dial(&self, peer: NodeId, _: &str) -> io::Result<Session<DuplexStream>> {
        let is_cut = self.net.0.cuts.borrow().contains(&(self.me.min(peer), self.me.max(peer)));
        let calls = self.net.nodes().get(&peer).cloned();
        let (here, there) = tokio::io::duplex(PIPE);
        match calls {
            Some(calls) if !is_cut && calls.try_send((there, self.me)).is_ok() => {
                Ok(self.net.session(here, self.me, peer))
            }
            _ => Err(io::ErrorKind::ConnectionRefused.into()),
        }
    }
}
