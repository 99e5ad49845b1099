//! The workloads of the engine comparison: ordinary protocols on the shipped kernel with everything on, which is loss,
//! latency law, partition check, counters and digest.

pub mod loaded;
pub mod replicas;

use std::sync::Arc;

use seedbed_core::contract::{Context, Duration, Input, InputOf, Never, NodeId, Protocol, Wire};
use seedbed_sim::law::Law;
use seedbed_sim::network::{Link, Network};
use seedbed_sim::{Services, Setup, World};
use serde::{Deserialize, Serialize};

/// Two nodes and one message, a millisecond each way.
#[must_use]
pub fn pingpong(seed: u64) -> World<Ping> {
    world(2, seed, Link::new(Law::constant(Duration::from_millis(1)).expect(USABLE)))
}

/// A message at each node, sent on to a drawn one; exponential latency of mean 10 ms.
#[must_use]
pub fn phold(nodes: u32, seed: u64) -> World<Phold> {
    world(nodes, seed, Link::new(Law::exponential(Duration::from_millis(10)).expect(USABLE)))
}

/// Every 100 ms, each node tells three drawn ones; lognormal latency of median 10 ms, 1 % loss.
#[must_use]
pub fn gossip(nodes: u32, seed: u64) -> World<Gossip> {
    let latency = Law::lognormal(Duration::from_millis(10), 0.5).expect(USABLE);
    world(nodes, seed, Link { loss: u64::MAX / 100, ..Link::new(latency) })
}

const USABLE: &str = "the parameters of this law are in range";

fn world<P: Protocol<Config = u32>>(nodes: u32, seed: u64, link: Link) -> World<P> {
    let setup = Setup { nodes, seed, network: Network::uniform(link), ..Setup::default() };
    World::new(Arc::new(nodes), setup, Services::none())
}

/// Sixteen bytes, as the peers send.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Message {
    id: u64,
    hop: u64,
}
impl Wire for Message {}

/// See [`pingpong`].
#[derive(Clone, Debug, Serialize)]
pub struct Ping;

/// See [`phold`].
#[derive(Clone, Debug, Serialize)]
pub struct Phold {
    sum: u64,
    #[serde(skip)]
    nodes: u32,
}

/// See [`gossip`].
#[derive(Clone, Debug, Serialize)]
pub struct Gossip {
    sum: u64,
    #[serde(skip)]
    nodes: u32,
}
const PERIOD: Duration = Duration::from_millis(100);
const FANOUT: usize = 3;

macro_rules! protocol {
    ($name:ident, $boot:expr, |$self:ident, $input:ident, $cx:ident| $step:expr) => {
        impl Protocol for $name {
            const VERSION: u16 = 1;
            type Config = u32;
            type Message = Message;
            type Timer = ();
            type Command = Never;
            type Reply = Never;
            type Record = Never;
            type Notice = Never;
            type Job = Never;
            type Outcome = Never;

            fn boot(nodes: &Arc<u32>, _: NodeId) -> Self {
                let boot: fn(u32) -> Self = $boot;
                boot(**nodes)
            }

            #[inline(always)]
            fn step(&mut $self, $input: InputOf<Self>, $cx: &mut Context<'_, Self>) {
                $step
            }
        }
    };
}

protocol!(Ping, |_| Self, |self, input, cx| match input {
    Input::Start { .. } if cx.me == NodeId(0) => cx.send(NodeId(1), Message { id: 0, hop: 0 }),
    Input::Message { from, message, .. } => cx.send(from, Message { id: message.id, hop: message.hop + 1 }),
    _ => {}
});

protocol!(Phold, |nodes| Self { sum: 0, nodes }, |self, input, cx| match input {
    Input::Start { .. } => cx.send(cx.me, Message { id: u64::from(cx.me.0), hop: 0 }),
    Input::Message { message, .. } => {
        self.sum ^= message.id;
        let to = NodeId(cx.dice.below(u64::from(self.nodes)) as u32);
        cx.send(to, Message { id: message.id, hop: message.hop + 1 });
    }
    _ => {}
});

protocol!(Gossip, |nodes| Self { sum: 0, nodes }, |self, input, cx| match input {
    Input::Start { .. } => cx.set_within((), Duration::ZERO..PERIOD),
    Input::Message { message, .. } => self.sum ^= message.hop,
    Input::Timer { .. } => {
        for _ in 0..FANOUT {
            let to = NodeId(cx.dice.below(u64::from(self.nodes)) as u32);
            cx.send_now(to, Message { id: u64::from(cx.me.0), hop: cx.now.0 });
        }
        cx.set((), PERIOD);
    }
    _ => {}
});
