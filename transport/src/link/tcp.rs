//! Plain TCP, for measurements and tests: it believes what a peer says of itself.

use std::io;

use seedbed_core::contract::NodeId;
use tokio::net::{TcpListener, TcpStream};

use super::stream::{Carrier, Session};

/// Carries byte streams over plain TCP.
#[derive(Debug)]
pub struct Tcp {
    listener: TcpListener,
}

impl Tcp {
    /// Accepts connections here.
    #[must_use]
    pub fn new(listener: TcpListener) -> Self {
        Self { listener }
    }
}

impl Carrier for Tcp {
    type Raw = TcpStream;
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, String)> {
        accept(&self.listener).await
    }

    async fn greet(&self, raw: TcpStream) -> io::Result<Option<Session<TcpStream>>> {
        without_delay(raw).map(Session::unproved).map(Some)
    }

    async fn dial(&self, _: NodeId, address: &str) -> io::Result<Session<TcpStream>> {
        dial(address).await.map(Session::unproved)
    }
}

pub(super) async fn accept(listener: &TcpListener) -> io::Result<(TcpStream, String)> {
    let (stream, from) = listener.accept().await?;
    Ok((stream, from.to_string()))
}

/// Frames are gathered before they are written, so there is nothing to wait for.
pub(super) fn without_delay(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    Ok(stream)
}

pub(super) async fn dial(address: &str) -> io::Result<TcpStream> {
    without_delay(TcpStream::connect(address).await?)
}
