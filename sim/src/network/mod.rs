//! The network: what each link does to what is sent over it, and what stands between nodes.

mod cuts;
mod link;

use std::collections::BTreeMap;
use std::sync::Arc;

use seedbed_core::contract::{Duration, NodeId, Roll};
use serde::{Deserialize, Serialize};

pub use cuts::{Disturbance, NodeSet};
pub use link::{Burst, Link, Passage, Reorder};

use crate::law::Law;
use crate::watch::Drop;
use cuts::Disturbances;
use link::LinkState;

/// What a message to oneself takes, through the node's own queue: a microsecond, in nanoseconds.
const LOOPBACK: u64 = 1_000;

/// The links of a world: one for all, one for each pair of regions, and exceptions.
#[derive(Clone, Debug)]
pub struct Network {
    links: Arc<[Link]>,
    regions: Option<Arc<Regions>>,
    exceptions: Arc<BTreeMap<(NodeId, NodeId), u32>>,
    is_simple: bool,
    overhead: Option<Arc<Law>>,
    disturbances: Disturbances,
    states: BTreeMap<(NodeId, NodeId), LinkState>,
}

/// Where each node stands, and which link joins which regions.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Regions {
    names: Vec<String>,
    of: Vec<u16>,
    /// Row by row, from region by to region: an index into the links.
    table: Vec<u32>,
}

/// What became of a message at its sender's end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fate {
    /// How long it takes, in nanoseconds.
    pub delay: u64,
    /// It will arrive damaged.
    pub is_damaged: bool,
    /// It will arrive a second time, after this long.
    pub again: Option<u64>,
}

impl Network {
    /// All nodes joined by equal links.
    #[must_use]
    pub fn uniform(link: Link) -> Self {
        Self {
            is_simple: link.is_simple(),
            links: Arc::new([link]),
            regions: None,
            exceptions: Arc::default(),
            overhead: None,
            disturbances: Disturbances::default(),
            states: BTreeMap::new(),
        }
    }

    /// Nodes in named regions: `of` says the region of each node, `links` holds, row by row, the link from each
    /// region to each region.
    ///
    /// # Panics
    /// If there is not one link for each pair of regions, or `of` names a region that is not there.
    #[must_use]
    pub fn regions(names: Vec<String>, of: Vec<u16>, links: Vec<Link>) -> Self {
        let count = names.len();
        assert!(count * count == links.len() && of.iter().all(|&region| usize::from(region) < count));
        let table = (0..links.len() as u32).collect();
        Self {
            is_simple: links.iter().all(Link::is_simple),
            links: links.into(),
            regions: Some(Arc::new(Regions { names, of, table })),
            exceptions: Arc::default(),
            overhead: None,
            disturbances: Disturbances::default(),
            states: BTreeMap::new(),
        }
    }

    /// Lets every message take longer, over whichever link: what machines need to send it and to wake its receiver.
    #[must_use]
    pub fn with_overhead(mut self, overhead: Law) -> Self {
        self.overhead = Some(Arc::new(overhead));
        self
    }

    /// Gives one directed link other properties.
    #[must_use]
    pub fn with_exception(self, from: NodeId, to: NodeId, link: Link) -> Self {
        self.with_exceptions([(from, to)], link)
    }

    /// Gives these directed links, all alike, other properties. Links that are alike are cheap, kinds of links are not.
    #[must_use]
    pub fn with_exceptions(mut self, ends: impl IntoIterator<Item = (NodeId, NodeId)>, link: Link) -> Self {
        self.is_simple &= link.is_simple();
        let mut links = self.links.to_vec();
        let index = links.len() as u32;
        Arc::make_mut(&mut self.exceptions).extend(ends.into_iter().map(|ends| (ends, index)));
        links.push(link);
        self.links = links.into();
        self
    }

    /// The name of a node's region; empty if there are no regions.
    #[must_use]
    pub fn region(&self, node: NodeId) -> &str {
        self.regions
            .as_ref()
            .and_then(|regions| regions.names.get(usize::from(*regions.of.get(node.0 as usize)?)))
            .map_or("", String::as_str)
    }

    #[inline(always)]
    fn link_index(&self, from: NodeId, to: NodeId) -> usize {
        if self.links.len() == 1 {
            return 0;
        }
        if !self.exceptions.is_empty()
            && let Some(&index) = self.exceptions.get(&(from, to))
        {
            return index as usize;
        }
        match &self.regions {
            None => 0,
            Some(regions) => {
                let (from, to) = (regions.of[from.0 as usize], regions.of[to.0 as usize]);
                regions.table[usize::from(from) * regions.names.len() + usize::from(to)] as usize
            }
        }
    }

    /// The link between two nodes.
    #[inline]
    #[must_use]
    pub fn link(&self, from: NodeId, to: NodeId) -> &Link {
        &self.links[self.link_index(from, to)]
    }

    /// Whether the size of messages matters.
    pub(crate) fn measures_size(&self, from: NodeId, to: NodeId) -> bool {
        !self.is_simple && self.link(from, to).bandwidth.is_some()
    }

    /// What becomes of a message whose first draw is `draw`, where there is nothing but latency and independent loss:
    /// how long it takes, or nothing if it is lost. Elsewhere, [`send`](Self::send) tells.
    #[inline(always)]
    pub(crate) fn glide(&self, roll: &Roll, draw: u64, from: NodeId, to: NodeId) -> Option<u64> {
        if from == to {
            return Some(LOOPBACK);
        }
        let link = self.link(from, to);
        (link.loss == 0 || roll.next(draw) >= link.loss).then(|| link.latency.draw(draw))
    }

    /// Whether no link does more than that, and nothing disturbs any.
    #[inline(always)]
    pub(crate) fn is_smooth(&self) -> bool {
        self.is_simple && self.overhead.is_none() && self.disturbances.is_empty()
    }

    /// What becomes of a message whose first draw is `draw`. What a node sends to itself takes no link: nothing can
    /// happen to it.
    ///
    /// # Errors
    /// Why it will not arrive.
    pub fn send(&mut self, roll: &Roll, draw: u64, passage: Passage) -> Result<Fate, Drop> {
        if passage.from == passage.to {
            return Ok(Fate { delay: LOOPBACK, is_damaged: false, again: None });
        }
        let mut extra = self.disturbances.pass(roll, draw, passage.from, passage.to)?;
        if let Some(overhead) = &self.overhead {
            // Links draw on from `draw` itself.
            extra = extra.saturating_add(overhead.draw(roll.next(!draw)));
        }
        let index = self.link_index(passage.from, passage.to);
        let link = &self.links[index];
        if link.has_state() {
            let state = self.states.entry((passage.from, passage.to)).or_default();
            link.pass(roll, draw, extra, passage, Some(state))
        } else {
            link.pass(roll, draw, extra, passage, None)
        }
    }

    /// Whether nothing cuts one node off from the other.
    #[inline]
    #[must_use]
    pub fn is_linked(&self, from: NodeId, to: NodeId) -> bool {
        self.disturbances.is_empty() || !self.disturbances.is_cut(from, to)
    }

    /// Disturbs links until [`calm`](Self::calm) is told the same number.
    pub fn disturb(&mut self, number: u64, from: NodeSet, to: NodeSet, how: Disturbance) {
        self.disturbances.add(number, from, to, how);
    }

    /// Ends a disturbance. False if there is none of this number.
    pub fn calm(&mut self, number: u64) -> bool {
        self.disturbances.remove(number)
    }

    /// Ends all disturbances.
    pub fn calm_all(&mut self) {
        self.disturbances = Disturbances::default();
    }
}

/// Counters of what the network did.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Traffic {
    /// Messages that left their nodes.
    pub sent: u64,
    /// Messages handed to nodes.
    pub delivered: u64,
    /// Lost by the network.
    pub lost: u64,
    /// Stopped by a partition.
    pub cut: u64,
    /// Refused by a link whose queue was full.
    pub overflowed: u64,
    /// Arrived damaged and were refused by the codec.
    pub damaged: u64,
    /// Came to a node that was down, or whose inbox was full.
    pub unheard: u64,
    /// Arrived a second time.
    pub duplicated: u64,
}

impl Traffic {
    /// Counts a message that did not arrive.
    pub fn count(&mut self, why: Drop) {
        *match why {
            Drop::Lost => &mut self.lost,
            Drop::Cut => &mut self.cut,
            Drop::Overflow => &mut self.overflowed,
            Drop::Damaged => &mut self.damaged,
            Drop::Down => &mut self.unheard,
        } += 1;
    }
}

impl Default for Network {
    /// One millisecond between any two nodes, and no faults.
    fn default() -> Self {
        let latency = Law::constant(Duration::from_millis(1)).expect("a millisecond is a usable constant");
        Self::uniform(Link::new(latency))
    }
}
