//! Whom a link connects with.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use seedbed_core::contract::{Lane, NodeId};
use tokio::sync::{mpsc, watch};

use super::events::Ended;
use super::outbox::Outbox;

/// The peers of a link, which may come and go while it runs. Clones are the same peers.
#[derive(Clone)]
pub struct Peers(Arc<Known>);

struct Known {
    me: NodeId,
    peers: Mutex<BTreeMap<NodeId, Arc<Peer>>>,
    /// Tells who dials of new ones.
    news: mpsc::UnboundedSender<Arc<Peer>>,
}

impl Peers {
    pub(super) fn new(me: NodeId, news: mpsc::UnboundedSender<Arc<Peer>>) -> Self {
        Self(Arc::new(Known { me, peers: Mutex::default(), news }))
    }

    /// Adds a peer, or gives it another address: host and port. Of two nodes the lower one dials, so the address of a
    /// lower one is not needed. Live connections stay.
    pub fn insert(&self, node: NodeId, address: Option<String>) {
        if node == self.0.me {
            return;
        }
        let mut peers = self.lock();
        if let Some(peer) = peers.get(&node) {
            if *peer.address.borrow() != address {
                peer.address.send_replace(address);
            }
            return;
        }
        let peer = Arc::new(Peer::new(node, address));
        peers.insert(node, Arc::clone(&peer));
        // Nobody listens once the link is closed.
        let _ = self.0.news.send(peer);
    }

    /// Forgets a peer and ends its connections.
    pub fn remove(&self, node: NodeId) {
        if let Some(peer) = self.lock().remove(&node) {
            peer.end(&Ended::Removed);
        }
    }

    /// Whether both lanes to a peer are connected.
    #[must_use]
    pub fn is_connected(&self, node: NodeId) -> bool {
        self.find(node).is_some_and(|peer| peer.lanes.iter().all(|lane| lane.outbox.is_open()))
    }

    /// All peers, in ascending order.
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeId> {
        self.lock().keys().copied().collect()
    }

    pub(super) fn find(&self, node: NodeId) -> Option<Arc<Peer>> {
        self.lock().get(&node).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<NodeId, Arc<Peer>>> {
        self.0.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.nodes()).finish()
    }
}

/// A peer, connected or not.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) node: NodeId,
    pub(super) address: watch::Sender<Option<String>>,
    lanes: [LaneState; 2],
    presence: Mutex<Presence>,
}

#[derive(Debug)]
pub(super) struct LaneState {
    pub(super) outbox: Outbox,
    pub(super) turns: watch::Sender<Turn>,
    /// Held by the connection of this lane, so that there is one at a time.
    pub(super) seat: tokio::sync::Mutex<()>,
}

/// Which connection of a lane is the newest: all with lower numbers must end.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    pub(super) number: u64,
    /// Why the one before must end.
    pub(super) why: Ended,
}

/// What is known to whoever uses the link.
#[derive(Debug, Default)]
struct Presence {
    is_up: [bool; 2],
    is_told: bool,
}

impl Peer {
    fn new(node: NodeId, address: Option<String>) -> Self {
        let lane = || LaneState {
            outbox: Outbox::default(),
            turns: watch::Sender::new(Turn { number: 0, why: Ended::Replaced }),
            seat: tokio::sync::Mutex::default(),
        };
        Self {
            node,
            address: watch::Sender::new(address),
            lanes: [lane(), lane()],
            presence: Mutex::default(),
        }
    }

    pub(super) fn lane(&self, lane: Lane) -> &LaneState {
        &self.lanes[lane as usize]
    }

    /// Ends whatever connections there are.
    pub(super) fn end(&self, why: &Ended) {
        // A removed peer dials no more.
        self.address.send_replace(None);
        self.hang_up(why);
    }

    pub(super) fn hang_up(&self, why: &Ended) {
        for lane in &self.lanes {
            lane.next_turn(why.clone());
        }
    }

    /// Notes that a lane came up or went down. Returns whether that is news to the user of the link: a peer is up
    /// once both lanes are, and down once control is. `tell` is called under the lock, so that news stay in order.
    pub(super) fn note(&self, lane: Lane, is_up: bool, tell: impl FnOnce(bool)) {
        let mut presence = self.presence.lock().unwrap_or_else(PoisonError::into_inner);
        presence.is_up[lane as usize] = is_up;
        let both = presence.is_up == [true; 2];
        let is_news = if presence.is_told { !presence.is_up[Lane::Control as usize] } else { both };
        if is_news {
            presence.is_told = both;
            tell(both);
        }
    }
}

impl LaneState {
    /// Whoever holds the lane must leave it; returns the number of the next. There is none after a removal.
    pub(super) fn next_turn(&self, why: Ended) -> Option<u64> {
        let mut next = None;
        self.turns.send_if_modified(|turn| {
            if turn.why == Ended::Removed {
                return false;
            }
            let number = turn.number + 1;
            *turn = Turn { number, why };
            next = Some(number);
            true
        });
        next
    }
}
