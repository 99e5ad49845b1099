//! Who looks on while a world runs. Nothing here can change the course of events.

use seedbed_core::contract::{CommandId, Life, NodeId, Protocol};

use crate::fault::Action;
use crate::world::World;

/// Looks on. Every method does nothing by default and costs nothing then.
#[allow(unused_variables)]
pub trait Watch<P: Protocol> {
    /// A message left its node, whether or not it will arrive. `ordinal` counts the sender's messages in this life,
    /// with gaps.
    #[inline]
    fn sent(&mut self, world: &World<P>, from: NodeId, to: NodeId, ordinal: u64, message: &P::Message) {}
    /// A message is about to be handled.
    #[inline]
    fn delivered(&mut self, world: &World<P>, from: NodeId, to: NodeId, message: &P::Message) {}
    /// A message will not arrive.
    #[inline]
    fn dropped(&mut self, world: &World<P>, from: NodeId, to: NodeId, why: Drop) {}
    /// A timer is about to be handled.
    #[inline]
    fn timer(&mut self, world: &World<P>, node: NodeId, timer: &P::Timer) {}
    /// A command is about to be handled.
    #[inline]
    fn command(&mut self, world: &World<P>, node: NodeId, id: CommandId, command: &P::Command) {}
    /// A node gave a notice.
    #[inline]
    fn notice(&mut self, world: &World<P>, node: NodeId, notice: &P::Notice) {}
    /// A node answered a command.
    #[inline]
    fn reply(&mut self, world: &World<P>, node: NodeId, id: CommandId, reply: &P::Reply) {}
    /// A command will get no answer: its node was down.
    #[inline]
    fn refused(&mut self, world: &World<P>, node: NodeId, id: CommandId) {}
    /// A node has started.
    #[inline]
    fn up(&mut self, world: &World<P>, node: NodeId, life: Life) {}
    /// A node has stopped.
    #[inline]
    fn down(&mut self, world: &World<P>, node: NodeId, why: Down) {}
    /// A fault struck, or ended.
    #[inline]
    fn fault(&mut self, world: &World<P>, action: &Action) {}
}

/// Looks at nothing.
impl<P: Protocol> Watch<P> for () {}

/// Both look on.
impl<P: Protocol, A: Watch<P>, B: Watch<P>> Watch<P> for (A, B) {
    fn sent(&mut self, world: &World<P>, from: NodeId, to: NodeId, ordinal: u64, message: &P::Message) {
        self.0.sent(world, from, to, ordinal, message);
        self.1.sent(world, from, to, ordinal, message);
    }
    fn delivered(&mut self, world: &World<P>, from: NodeId, to: NodeId, message: &P::Message) {
        self.0.delivered(world, from, to, message);
        self.1.delivered(world, from, to, message);
    }
    fn dropped(&mut self, world: &World<P>, from: NodeId, to: NodeId, why: Drop) {
        self.0.dropped(world, from, to, why);
        self.1.dropped(world, from, to, why);
    }
    fn timer(&mut self, world: &World<P>, node: NodeId, timer: &P::Timer) {
        self.0.timer(world, node, timer);
        self.1.timer(world, node, timer);
    }
    fn command(&mut self, world: &World<P>, node: NodeId, id: CommandId, command: &P::Command) {
        self.0.command(world, node, id, command);
        self.1.command(world, node, id, command);
    }
    fn notice(&mut self, world: &World<P>, node: NodeId, notice: &P::Notice) {
        self.0.notice(world, node, notice);
        self.1.notice(world, node, notice);
    }
    fn reply(&mut self, world: &World<P>, node: NodeId, id: CommandId, reply: &P::Reply) {
        self.0.reply(world, node, id, reply);
        self.1.reply(world, node, id, reply);
    }
    fn refused(&mut self, world: &World<P>, node: NodeId, id: CommandId) {
        self.0.refused(world, node, id);
        self.1.refused(world, node, id);
    }
    fn up(&mut self, world: &World<P>, node: NodeId, life: Life) {
        self.0.up(world, node, life);
        self.1.up(world, node, life);
    }
    fn down(&mut self, world: &World<P>, node: NodeId, why: Down) {
        self.0.down(world, node, why);
        self.1.down(world, node, why);
    }
    fn fault(&mut self, world: &World<P>, action: &Action) {
        self.0.fault(world, action);
        self.1.fault(world, action);
    }
}

/// Why a message did not arrive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Drop {
    /// The network lost it.
    Lost,
    /// A partition stood between.
    Cut,
    /// Its link's queue was full.
    Overflow,
    /// It arrived damaged and the codec refused it.
    Damaged,
    /// The receiver was down, or its inbox full.
    Down,
}

/// Why a node stopped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Down {
    /// A fault crashed it.
    Crash,
    /// A sync failed: what it had promised cannot be known to be kept.
    SyncFailed,
    /// Its log was damaged where it should not be: it must not start.
    LogDamaged,
}
