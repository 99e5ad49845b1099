//! The link over byte streams, which sockets, TLS and memory share.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use seedbed_core::contract::{Life, NodeId};
//! # use seedbed_transport::{Knobs, link::{Config, StreamLink, tcp::Tcp}};
//! # async fn example() -> std::io::Result<()> {
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let config = Config {
//!     me: NodeId(0),
//!     life: Life(0),
//!     cluster: "demo".into(),
//!     protocol: "raft".into(),
//!     version: 1,
//!     knobs: Knobs::default(),
//!     freight: None,
//! };
//! let link = StreamLink::start(config, Tcp::new(listener), Arc::new(()));
//! link.peers().insert(NodeId(1), Some("127.0.0.1:7001".into()));
//! # Ok(()) }
//! ```
//!
//! Two connections per peer, one for each lane, so that no blob is ever ahead of a heartbeat. The lower node dials. What
//! is to be sent is gathered in an [outbox](super::outbox) per lane, and one task per connection reads and writes.

use std::collections::BTreeMap;
use std::fmt;
use std::future::{self, Future};
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use seedbed_core::contract::{Lane, Life, NodeId};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, watch};

use super::counters::{Count, Counters};
use super::events::{Ended, Events};
use super::peers::{Peer, Peers};
use super::{Incoming, Link, Refused, connect};
use crate::Knobs;

/// Where byte streams come from, and how each end of one proves who it is.
pub trait Carrier: Send + Sync + 'static {
    /// A connection that has been accepted, and may be anyone's.
    type Raw: Send + 'static;
    /// One whose other end is known as far as this carrier can know it.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// Waits for somebody to connect; says from where, too.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Raw, String)>> + Send;

    /// Lets who has connected prove who it is; none if it has come for something else, and is taken care of.
    fn greet(&self, raw: Self::Raw)
    -> impl Future<Output = io::Result<Option<Session<Self::Stream>>>> + Send;

    /// Connects with a peer.
    fn dial(
        &self,
        peer: NodeId,
        address: &str,
    ) -> impl Future<Output = io::Result<Session<Self::Stream>>> + Send;
}

/// A stream, and who is at its other end.
pub struct Session<S> {
    /// The stream.
    pub stream: S,
    /// Who is at the other end, if that has been proved.
    pub peer: Option<NodeId>,
    /// Returns once the proof is not good any more; the connection ends then.
    pub lost: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl<S> Session<S> {
    /// One without any proof, as the peer says in its hello.
    pub fn unproved(stream: S) -> Self {
        Self { stream, peer: None, lost: Box::pin(future::pending()) }
    }
}

impl<S> fmt::Debug for Session<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// Who this node is, what it speaks, and its limits.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its name.
    pub me: NodeId,
    /// Which of its lives this is.
    pub life: Life,
    /// The cluster that it belongs to: others are refused. Short, as it must fit into a hello of 1 KiB.
    pub cluster: String,
    /// The protocol that runs there: others are refused. Short, too.
    pub protocol: String,
    /// Its version: others are refused.
    pub version: u16,
    /// Limits and times.
    pub knobs: Knobs,
    /// Where connections of the bulk lane run: see [`Freight`](super::Freight). Where the link itself runs, if nothing is said.
    pub freight: Option<tokio::runtime::Handle>,
}

/// Reads of the control lanes that may wait for the user of a link, from all peers; beyond it, readers wait.
const READS_MAX: usize = 64;
/// After so many reads of control lanes in a row, a bulk frame has its turn.
const CONTROL_RUN_MAX: u32 = 16;

/// A link over byte streams.
pub struct StreamLink {
    shared: Arc<Shared>,
    /// What is to be sent, by peer; a copy of what the peers know, so that sending takes no lock.
    outgoing: BTreeMap<NodeId, Outgoing>,
    /// Lanes with something to flush.
    dirty: Vec<(NodeId, Lane)>,
    control: mpsc::Receiver<Incoming>,
    bulk: mpsc::UnboundedReceiver<Incoming>,
    control_run: u32,
    stage: watch::Sender<Stage>,
    /// Closed once every task has ended.
    tasks: mpsc::Receiver<()>,
}

struct Outgoing {
    peer: Arc<Peer>,
    lanes: [Vec<u8>; 2],
}

/// What all tasks of a link share.
pub(super) struct Shared {
    pub(super) config: Config,
    pub(super) peers: Peers,
    pub(super) counters: Arc<Counters>,
    pub(super) events: Arc<dyn Events>,
    pub(super) control: mpsc::Sender<Incoming>,
    /// Not bounded itself: credits bound what a peer may put into it.
    pub(super) bulk: mpsc::UnboundedSender<Incoming>,
    pub(super) stage: watch::Receiver<Stage>,
}

/// How far the link is with its end.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Stage {
    Open,
    /// Outboxes may still empty; nothing new begins.
    Closing,
    /// Everything ends at once.
    Closed,
}

impl StreamLink {
    /// Starts to accept connections, and to dial peers as they are added; see [`Self::peers`].
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn start<C: Carrier>(config: Config, carrier: C, events: Arc<dyn Events>) -> Self {
        let (news, new_peers) = mpsc::unbounded_channel();
        let (control_in, control) = mpsc::channel(READS_MAX);
        let (bulk_in, bulk) = mpsc::unbounded_channel();
        let (stage, stages) = watch::channel(Stage::Open);
        let (running, tasks) = mpsc::channel(1);
        let shared = Arc::new(Shared {
            peers: Peers::new(config.me, news),
            counters: Arc::default(),
            config,
            events,
            control: control_in,
            bulk: bulk_in,
            stage: stages,
        });
        connect::start(Arc::clone(&shared), Arc::new(carrier), new_peers, running);
        Self {
            shared,
            outgoing: BTreeMap::new(),
            dirty: Vec::new(),
            control,
            bulk,
            control_run: 0,
            stage,
            tasks,
        }
    }

    /// Whom it connects with.
    #[must_use]
    pub fn peers(&self) -> Peers {
        self.shared.peers.clone()
    }

    /// What it has counted.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.shared.counters)
    }

    /// Where to write what is for a peer; none without a connection.
    fn outgoing(&mut self, to: NodeId, lane: Lane) -> Option<&mut Outgoing> {
        let is_open = |outgoing: &Outgoing| outgoing.peer.lane(lane).outbox.is_open();
        if !self.outgoing.get(&to).is_some_and(is_open) {
            self.look_up(to);
        }
        self.outgoing.get_mut(&to).filter(|outgoing| is_open(outgoing))
    }

    /// A peer that was removed and added again is another.
    #[cold]
    fn look_up(&mut self, to: NodeId) {
        match (self.shared.peers.find(to), self.outgoing.get(&to)) {
            (Some(peer), Some(known)) if Arc::ptr_eq(&peer, &known.peer) => {}
            (Some(peer), _) => {
                self.outgoing.insert(to, Outgoing { peer, lanes: Default::default() });
            }
            (None, _) => {
                self.outgoing.remove(&to);
            }
        }
    }

    fn refuse(&self, count: Count, refused: Refused) -> Result<(), Refused> {
        self.shared.counters.one(count);
        Err(refused)
    }
}

impl Link for StreamLink {
    fn send(&mut self, to: NodeId, lane: Lane, write: &mut dyn FnMut(&mut Vec<u8>)) -> Result<(), Refused> {
        let (room, longest) = (self.shared.config.knobs.outbox_max, longest(&self.shared.config.knobs, lane));
        let Some(outgoing) = self.outgoing(to, lane) else {
            return self.refuse(Count::DroppedUnconnected, Refused::Unconnected);
        };
        let waiting = outgoing.peer.lane(lane).outbox.waiting();
        let local = &mut outgoing.lanes[lane as usize];
        if local.len() + waiting >= room {
            return self.refuse(Count::DroppedFull, Refused::Full);
        }
        let start = local.len();
        write(local);
        let fits = are_frames(&local[start..], longest);
        if !fits {
            local.truncate(start);
            return self.refuse(Count::DroppedTooLong, Refused::TooLong);
        }
        if start == 0 && !local.is_empty() {
            self.dirty.push((to, lane));
        }
        Ok(())
    }

    fn flush(&mut self) {
        while let Some((to, lane)) = self.dirty.pop() {
            let Some(outgoing) = self.outgoing.get_mut(&to) else { continue };
            let local = &mut outgoing.lanes[lane as usize];
            let length = local.len();
            if !outgoing.peer.lane(lane).outbox.push(local) {
                self.shared.counters.add(Count::BytesLost, length as u64);
            }
        }
    }

    async fn receive(&mut self) -> Option<Incoming> {
        if self.control_run >= CONTROL_RUN_MAX {
            self.control_run = 0;
            if let Ok(frames) = self.bulk.try_recv() {
                return Some(frames);
            }
        }
        tokio::select! {
            biased;
            incoming = self.control.recv() => {
                self.control_run += 1;
                incoming
            }
            incoming = self.bulk.recv() => incoming,
        }
    }

    fn hang_up(&mut self, peer: NodeId) {
        if let Some(peer) = self.shared.peers.find(peer) {
            peer.hang_up(&Ended::HungUp);
        }
    }

    async fn close(mut self) {
        self.flush();
        self.stage.send_replace(Stage::Closing);
        // What has come in is of no use any more, and must not keep readers waiting.
        self.control.close();
        self.bulk.close();
        let stop = self.shared.config.knobs.stop;
        if tokio::time::timeout(stop, self.tasks.recv()).await.is_err() {
            self.stage.send_replace(Stage::Closed);
            self.tasks.recv().await;
        }
    }
}

impl fmt::Debug for StreamLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamLink")
            .field("config", &self.shared.config)
            .field("peers", &self.shared.peers)
            .field("counters", &self.shared.counters)
            .finish_non_exhaustive()
    }
}

/// The longest frame of a lane.
pub(super) fn longest(knobs: &Knobs, lane: Lane) -> usize {
    match lane {
        Lane::Control => knobs.control_frame_max,
        Lane::Bulk => knobs.bulk_frame_max,
    }
}

/// Whether these are whole frames, none of them too long. Only lengths are looked at.
fn are_frames(mut bytes: &[u8], longest: usize) -> bool {
    while let Some((length, _)) = bytes.split_first_chunk() {
        let size = u32::from_le_bytes(*length) as usize + 4;
        if size > longest {
            return false;
        }
        let Some(rest) = bytes.get(size..) else { return false };
        bytes = rest;
    }
    bytes.is_empty()
}
