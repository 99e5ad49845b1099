//! Which peers are cut off, changed at run time from outside.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use seedbed_core::contract::NodeId;

/// In which direction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Way {
    /// From this node to the peer.
    To,
    /// From the peer to this node.
    From,
    /// Both.
    Both,
}

impl Way {
    const fn bits(self) -> u8 {
        match self {
            Self::To => 1,
            Self::From => 2,
            Self::Both => 3,
        }
    }
}

/// Which peers are cut off from this node. Connections stay up, but nothing passes. A handle: clones share it.
#[derive(Clone, Debug, Default)]
pub struct Cuts(Arc<Mutex<BTreeMap<NodeId, u8>>>);

impl Cuts {
    fn ways(&self) -> MutexGuard<'_, BTreeMap<NodeId, u8>> {
        // Nothing in here panics halfway through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on nothing passes.
    pub fn cut(&self, peer: NodeId, way: Way) {
        *self.ways().entry(peer).or_default() |= way.bits();
    }

    /// From now on everything passes again.
    pub fn heal(&self, peer: NodeId, way: Way) {
        let mut ways = self.ways();
        if let Some(bits) = ways.get_mut(&peer) {
            *bits &= !way.bits();
            if *bits == 0 {
                ways.remove(&peer);
            }
        }
    }

    /// Ends all cuts.
    pub fn heal_all(&self) {
        self.ways().clear();
    }

    /// Whether nothing passes; of [`Way::Both`], in at least one direction.
    #[must_use]
    pub fn is_cut(&self, peer: NodeId, way: Way) -> bool {
        self.ways().get(&peer).is_some_and(|bits| bits & way.bits() != 0)
    }

    /// All that are cut off, in ascending order.
    #[must_use]
    pub fn list(&self) -> Vec<(NodeId, Way)> {
        let way = |bits: u8| match bits {
            1 => Way::To,
            2 => Way::From,
            _ => Way::Both,
        };
        self.ways().iter().map(|(peer, bits)| (*peer, way(*bits))).collect()
    }
}
