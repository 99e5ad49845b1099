//! A world is a value: a clone has the same future, and neither sees the other.

use std::fmt;

use seedbed_core::contract::Protocol;

use super::World;

/// Derived, it would ask the configuration to be `Clone`, which is shared.
impl<P: Protocol> Clone for World<P> {
    fn clone(&self) -> Self {
        Self {
            config: self.config.clone(),
            services: self.services,
            setup: self.setup.clone(),
            keys: self.keys.clone(),
            now: self.now,
            queue: self.queue.clone(),
            slots: self.slots.clone(),
            rare: self.rare.clone(),
            network: self.network.clone(),
            faults: self.faults.clone(),
            trace: self.trace.clone(),
            effects: self.effects.clone(),
            digest: self.digest,
            traffic: self.traffic,
            tally: self.tally,
            tie: self.tie,
            modes: self.modes,
        }
    }
}

impl<P: Protocol> fmt::Debug for World<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("now", &self.now())
            .field("nodes", &self.slots.len())
            .field("under_way", &self.queue.len())
            .field("digest", &format_args!("{:016x}", self.digest.value()))
            .finish_non_exhaustive()
    }
}
