//! What carries frames between nodes: the seam that makes the transport pluggable.
//!
//! A link moves whole frames (see `seedbed_core::contract::frame`) and knows nothing of what they say. What every link keeps:
//! frames of one lane to one peer arrive in the order in which they were sent, or not at all; nothing is said about
//! the order between lanes; what was under way or waiting when a connection ends is lost; a slow reader slows its
//! senders down, until their outboxes are full and they drop; a frame that is too long ends the connection that brings it.

mod connect;
mod connection;
mod control;
pub mod counters;
pub mod events;
mod freight;
mod hello;
pub mod memory;
mod outbox;
mod peers;
mod stream;
pub mod tcp;
pub mod tls;
pub mod weather;

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use seedbed_core::contract::{Lane, NodeId};

pub use counters::{Count, Counters};
pub use events::{Ended, Event, Events};
pub use freight::Freight;
pub use hello::Refusal;
pub use peers::Peers;
pub use stream::{Carrier, Config, Session, StreamLink};

/// Connects one node with its peers.
pub trait Link: Send + 'static {
    /// Lets `write` append whole frames, and nothing else, to the outbox of a lane. They leave after the next
    /// [`flush`](Self::flush), together with all that waits there.
    ///
    /// # Errors
    /// If there is no connection, or no room: `write` is not called, and what it would have said is lost.
    fn send(&mut self, to: NodeId, lane: Lane, write: &mut dyn FnMut(&mut Vec<u8>)) -> Result<(), Refused>;

    /// Lets everything that waits in outboxes leave.
    fn flush(&mut self);

    /// What comes in next; none once the link is closed. Whoever calls it late slows the peers down. It may be dropped
    /// and called again without losing anything.
    fn receive(&mut self) -> impl Future<Output = Option<Incoming>> + Send;

    /// Ends the connections with a peer that sent what no node sends: its frames were whole, but what they say does not
    /// decode. It may connect again.
    fn hang_up(&mut self, peer: NodeId);

    /// Gives outboxes a moment to empty, then ends all connections.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// What comes in over a link.
#[derive(Debug)]
pub enum Incoming {
    /// Frames from a peer.
    Frames(Frames),
    /// A peer can be reached now.
    Up(NodeId),
    /// A peer cannot be reached any more.
    Down(NodeId),
}

/// One or more whole frames, as they came. Dropping them tells the peer that there is room for more.
#[derive(Debug)]
pub struct Frames {
    /// Who sent them; a link vouches for that.
    pub from: NodeId,
    /// On which lane.
    pub lane: Lane,
    /// The bytes.
    pub bytes: Bytes,
    /// Tells the peer in the end; shared by the parts.
    guard: Option<Arc<connection::Guard>>,
}

impl Frames {
    /// Frames that no peer waits for, as in tests.
    #[must_use]
    pub fn new(from: NodeId, lane: Lane, bytes: Bytes) -> Self {
        Self { from, lane, bytes, guard: None }
    }

    /// Some of these frames. There is room for more when the last part is dropped.
    ///
    /// # Panics
    /// If the range is outside of the bytes.
    #[must_use]
    pub fn part(&self, range: std::ops::Range<usize>) -> Self {
        Self { bytes: self.bytes.slice(range), guard: self.guard.clone(), ..*self }
    }
}

/// Why frames could not be sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refused {
    /// There is no connection to the peer.
    #[error("not connected")]
    Unconnected,
    /// More waits for the peer already than the limit.
    #[error("the outbox is full")]
    Full,
    /// A frame is longer than the lane takes; the peer would end the connection.
    #[error("the frame is too long for its lane")]
    TooLong,
}
