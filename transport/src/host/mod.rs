//! A host: one task that owns one node, takes its inputs in turn, and carries out its effects.
//!
//! Around the task stand a thread for the disk, a thread for the alarm, and one for each job that runs. Everything that
//! waits has a bound: commands and frames in their channels, promises and records while the disk works, jobs.
//!
//! What effects mean is the same as in the simulator. The one difference: whether the disk has room is known a moment
//! later there, so between a refusal and [`Input::Full`](seedbed_core::contract::Input::Full) other steps may have been
//! taken. What they wrote is refused, too, and what they promised is dropped; each of them gets its own `Full`.

mod counters;
mod disk;
mod effects;
mod gate;
mod handle;
mod jobs;
mod node;
mod setup;
mod timers;

pub use counters::Counters;
pub use handle::{CommandError, Ended, Handle};
pub use jobs::{Service, Services};
pub use setup::{Setup, start};

use std::collections::VecDeque;

use seedbed_core::contract::{EffectOf, InputOf, Life, NodeId, Protocol, Time};

/// Looks on while a node runs: recordings, event streams and experiments are made from it. Called in the node's own
/// task, so it must be quick and never block.
pub trait Watch<P: Protocol>: Send + 'static {
    /// A life begins, with this run key.
    fn up(&mut self, node: NodeId, life: Life, key: &[u8; 32]) {
        let _ = (node, life, key);
    }
    /// An input is about to be handled.
    fn input(&mut self, moment: Moment, input: &InputOf<P>) {
        let _ = (moment, input);
    }
    /// It has been handled: the state that it left, and what is to be done, in order.
    fn stepped(&mut self, moment: Moment, state: &P, effects: &VecDeque<EffectOf<P>>) {
        let _ = (moment, state, effects);
    }
    /// Everything up to and including this step is durable.
    fn durable(&mut self, step: u64) {
        let _ = step;
    }
    /// The life is over.
    fn down(&mut self, node: NodeId, life: Life) {
        let _ = (node, life);
    }
}

/// Looks at nothing.
impl<P: Protocol> Watch<P> for () {}

/// Both look on.
impl<P: Protocol, A: Watch<P>, B: Watch<P>> Watch<P> for (A, B) {
    fn up(&mut self, node: NodeId, life: Life, key: &[u8; 32]) {
        self.0.up(node, life, key);
        self.1.up(node, life, key);
    }
    fn input(&mut self, moment: Moment, input: &InputOf<P>) {
        self.0.input(moment, input);
        self.1.input(moment, input);
    }
    fn stepped(&mut self, moment: Moment, state: &P, effects: &VecDeque<EffectOf<P>>) {
        self.0.stepped(moment, state, effects);
        self.1.stepped(moment, state, effects);
    }
    fn durable(&mut self, step: u64) {
        self.0.durable(step);
        self.1.durable(step);
    }
    fn down(&mut self, node: NodeId, life: Life) {
        self.0.down(node, life);
        self.1.down(node, life);
    }
}

/// Which step of which life of which node, and what its clocks say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Moment {
    /// The node.
    pub node: NodeId,
    /// Its life.
    pub life: Life,
    /// Counts the steps of this life.
    pub step: u64,
    /// Its steady clock.
    pub now: Time,
    /// Its wall clock.
    pub wall: Time,
}
