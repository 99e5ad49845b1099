//! The world as probes and selectors see it.

use seedbed_core::contract::{NodeId, Protocol, Time, View};

use super::World;
use crate::fault::Scene;

impl<P: Protocol> View<P> for World<P> {
    fn now(&self) -> Time {
        Time(self.now)
    }
    fn nodes(&self) -> u32 {
        self.setup.nodes
    }
    fn state(&self, node: NodeId) -> Option<&P> {
        self.slots.get(node.0 as usize).filter(|slot| slot.is_up).map(|slot| &slot.state)
    }
    fn clock(&self, node: NodeId) -> Time {
        self.clocks(node).0
    }
    fn linked(&self, from: NodeId, to: NodeId) -> bool {
        self.network.is_linked(from, to)
    }
}

impl<P: Protocol> Scene for World<P> {
    fn nodes(&self) -> u32 {
        self.setup.nodes
    }
    fn is_up(&self, node: NodeId) -> bool {
        self.slots.get(node.0 as usize).is_some_and(|slot| slot.is_up)
    }
    fn role(&self, node: NodeId) -> &'static str {
        self.state(node).map_or("", Protocol::role)
    }
    fn name(&self, node: NodeId) -> &str {
        self.setup.names.get(node.0 as usize).map_or("", String::as_str)
    }
    fn region(&self, node: NodeId) -> &str {
        self.network.region(node)
    }
}
