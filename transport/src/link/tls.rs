//! TCP with TLS 1.3 and raw keys on both sides: who is at the other end is what its key says.

use std::fmt;
use std::io;
use std::sync::Arc;

use seedbed_core::contract::NodeId;
use tokio::io::BufReader;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsConnector, TlsStream};

use super::stream::{Carrier, Session};
use super::tcp;
use crate::identity::{Arrival, Entrance, PublicKey, Roster, SecretKey, client_config, nobody, peer_key};

/// TLS reads no more than 4 KiB at once, so what comes is gathered before.
pub type Socket = BufReader<TcpStream>;
/// How much is gathered, in bytes.
const READ: usize = 32 << 10;

/// Carries byte streams over TLS.
pub struct Tls {
    listener: TcpListener,
    roster: Roster,
    entrance: Entrance,
    others: Box<Others>,
}

/// Takes care of who comes in and does not speak as a peer. Called within a tokio runtime, and must not block.
type Others = dyn Fn(Arrival<Socket>) + Send + Sync;

impl Tls {
    /// Accepts connections here, as the node with this key, from the members of this roster.
    ///
    /// # Errors
    /// If the TLS library refuses the key; it has no reason to.
    pub fn new(listener: TcpListener, key: SecretKey, roster: Roster) -> Result<Self, rustls::Error> {
        let entrance = Entrance::new(&key, &roster)?;
        // Nobody else is listened to.
        Ok(Self { listener, roster, entrance, others: Box::new(drop) })
    }

    /// Who comes in and does not speak as a peer, but to join, say, is taken care of here.
    #[must_use]
    pub fn with_others(mut self, others: impl Fn(Arrival<Socket>) + Send + Sync + 'static) -> Self {
        self.others = Box::new(others);
        self
    }

    /// Where others come in: to show another key from now on, there and to those who are dialled.
    #[must_use]
    pub fn entrance(&self) -> Entrance {
        self.entrance.clone()
    }

    fn session(&self, peer: NodeId, key: PublicKey, stream: TlsStream<Socket>) -> Session<TlsStream<Socket>> {
        let roster = self.roster.clone();
        let lost = Box::pin(async move { roster.lost(peer, &key).await });
        Session { stream, peer: Some(peer), lost }
    }
}

impl Carrier for Tls {
    type Raw = TcpStream;
    type Stream = TlsStream<Socket>;

    async fn accept(&self) -> io::Result<(TcpStream, String)> {
        tcp::accept(&self.listener).await
    }

    async fn greet(&self, raw: TcpStream) -> io::Result<Option<Session<Self::Stream>>> {
        match self.entrance.admit(gathered(tcp::without_delay(raw)?)).await? {
            Arrival::Peer(peer, key, stream) => Ok(Some(self.session(peer, key, stream.into()))),
            other => {
                (self.others)(other);
                Ok(None)
            }
        }
    }

    async fn dial(&self, peer: NodeId, address: &str) -> io::Result<Session<Self::Stream>> {
        let config = client_config(&self.entrance.key(), &self.roster, peer).map_err(io::Error::other)?;
        let stream = gathered(tcp::dial(address).await?);
        let stream = TlsConnector::from(Arc::clone(&config)).connect(nobody(), stream).await?;
        let key = peer_key(stream.get_ref().1).ok_or_else(|| io::Error::other("no key was shown"))?;
        Ok(self.session(peer, key, stream.into()))
    }
}

fn gathered(stream: TcpStream) -> Socket {
    BufReader::with_capacity(READ, stream)
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("listener", &self.listener).finish_non_exhaustive()
    }
}
