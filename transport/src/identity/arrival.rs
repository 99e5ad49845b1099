//! Connections that come in, sorted by what they want to speak before any key is looked at.

use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::server::Acceptor;
use seedbed_core::contract::NodeId;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::errand::{Caller, Errand};
use super::{
    ALPN_JOIN, ALPN_PEER, ALPN_ROSTER, PublicKey, Roster, SecretKey, Trust, peer_key, server_config, serving,
};

/// Lets in members, and, at another door, those who want to become members. Clones are the same entrance.
#[derive(Clone, Debug)]
pub struct Entrance {
    roster: Roster,
    shown: Arc<RwLock<Shown>>,
}

/// The key that is shown to who comes in, and what is made of it.
#[derive(Clone, Debug)]
struct Shown {
    key: SecretKey,
    peers: Arc<ServerConfig>,
    joiners: Arc<ServerConfig>,
}

/// Who has come in.
#[derive(Debug)]
pub enum Arrival<IO> {
    /// A member.
    Peer(NodeId, PublicKey, TlsStream<IO>),
    /// Somebody who wants something about members, and nothing else.
    Errand(Errand<IO>),
}

impl Entrance {
    /// Of the node with this key.
    ///
    /// # Errors
    /// If the TLS library refuses the key; it has no reason to.
    pub fn new(key: &SecretKey, roster: &Roster) -> Result<Self, rustls::Error> {
        let shown = Arc::new(RwLock::new(Shown::new(key, roster)?));
        Ok(Self { roster: roster.clone(), shown })
    }

    /// The key that is shown.
    #[must_use]
    pub fn key(&self) -> SecretKey {
        self.shown().key
    }

    /// Shows another key from now on. Connections that there are stay.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn show(&self, key: &SecretKey) -> Result<(), rustls::Error> {
        let shown = Shown::new(key, &self.roster)?;
        *self.shown.write().unwrap_or_else(PoisonError::into_inner) = shown;
        Ok(())
    }

    fn shown(&self) -> Shown {
        self.shown.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Shakes hands. Whoever calls this limits the time it may take.
    ///
    /// # Errors
    /// If the other end is a stranger, or anything fails.
    pub async fn admit<IO: AsyncRead + AsyncWrite + Unpin>(&self, io: IO) -> io::Result<Arrival<IO>> {
        let start = LazyConfigAcceptor::new(Acceptor::default(), io).await?;
        let wants_to_join = start
            .client_hello()
            .alpn()
            .is_some_and(|mut offers| offers.next() == Some(ALPN_JOIN) && offers.next().is_none());
        let Shown { peers, joiners, .. } = self.shown();
        let stream = start.into_stream(if wants_to_join { joiners } else { peers }).await?;
        let (key, spoken) = (peer_key(stream.get_ref().1), stream.get_ref().1.alpn_protocol());
        let Some(key) = key else { return Err(io::Error::other("no key was shown")) };
        if wants_to_join && spoken == Some(ALPN_JOIN) {
            return Ok(Arrival::Errand(Errand { who: Caller::Joiner(key), stream }));
        }
        let lost = || io::Error::other("the key was lost during the handshake");
        let node = self.roster.node_of(&key).ok_or_else(lost)?;
        match spoken {
            Some(ALPN_PEER) => Ok(Arrival::Peer(node, key, stream)),
            Some(ALPN_ROSTER) => Ok(Arrival::Errand(Errand { who: Caller::Member(node, key), stream })),
            _ => Err(io::Error::other("no protocol was agreed on")),
        }
    }
}

impl Shown {
    fn new(key: &SecretKey, roster: &Roster) -> Result<Self, rustls::Error> {
        let joiners = serving(key, Trust::Anyone, &[ALPN_JOIN])?;
        Ok(Self { key: key.clone(), peers: server_config(key, roster)?, joiners })
    }
}
