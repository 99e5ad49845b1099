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

/// Forwards every method to each of some others.
macro_rules! forward {
    ($self:ident: $($to:expr),+) => {
        fn sent(&mut $self, world: &World<P>, from: NodeId, to: NodeId, ordinal: u64, message: &P::Message) {
            $($to.sent(world, from, to, ordinal, message);)+
        }
        fn delivered(&mut $self, world: &World<P>, from: NodeId, to: NodeId, message: &P::Message) {
            $($to.delivered(world, from, to, message);)+
        }
        fn dropped(&mut $self, world: &World<P>, from: NodeId, to: NodeId, why: Drop) {
            $($to.dropped(world, from, to, why);)+
        }
        fn timer(&mut $self, world: &World<P>, node: NodeId, timer: &P::Timer) {
            $($to.timer(world, node, timer);)+
        }
        fn command(&mut $self, world: &World<P>, node: NodeId, id: CommandId, command: &P::Command) {
            $($to.command(world, node, id, command);)+
        }
        fn notice(&mut $self, world: &World<P>, node: NodeId, notice: &P::Notice) {
            $($to.notice(world, node, notice);)+
        }
        fn reply(&mut $self, world: &World<P>, node: NodeId, id: CommandId, reply: &P::Reply) {
            $($to.reply(world, node, id, reply);)+
        }
        fn refused(&mut $self, world: &World<P>, node: NodeId, id: CommandId) {
            $($to.refused(world, node, id);)+
        }
        fn up(&mut $self, world: &World<P>, node: NodeId, life: Life) {
            $($to.up(world, node, life);)+
        }
        fn down(&mut $self, world: &World<P>, node: NodeId, why: Down) {
            $($to.down(world, node, why);)+
        }
        fn fault(&mut $self, world: &World<P>, action: &Action) {
            $($to.fault(world, action);)+
        }
    };
}

/// Looks on for a while.
impl<P: Protocol, W: Watch<P>> Watch<P> for &mut W {
    forward! { self: (**self) }
}

/// Both look on.
impl<P: Protocol, A: Watch<P>, B: Watch<P>> Watch<P> for (A, B) {
    forward! { self: self.0, self.1 }
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
