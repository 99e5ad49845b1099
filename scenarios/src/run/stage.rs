//! Where clients act: a simulated world, or a real cluster.

use seedbed_core::contract::{CommandId, Keys, NodeId, Subject, Time};
use seedbed_sim::World;
use seedbed_sim::fault::Scene;

/// A system under way, as its clients see it.
pub(crate) trait Stage<P: Subject>: Scene {
    /// Its clock.
    fn now(&self) -> Time;
    /// The keys of this run's draws.
    fn keys(&self) -> &Keys;
    /// Hands a command to a node at a time that is not past.
    fn command(&mut self, at: Time, node: NodeId, id: CommandId, command: P::Command);
}

impl<P: Subject> Stage<P> for World<P> {
    fn now(&self) -> Time {
        Self::now(self)
    }
    fn keys(&self) -> &Keys {
        Self::keys(self)
    }
    fn command(&mut self, at: Time, node: NodeId, id: CommandId, command: P::Command) {
        Self::command(self, at, node, id, command);
    }
}
