//! A world in a steady state allocates nothing: not for messages, nor for timers, nor for what it counts.

mod counting;

use std::sync::Arc;

use counting::allocations;
use seedbed_core::contract::{Context, Duration, Input, InputOf, Never, NodeId, Protocol, Time, Wire};
use seedbed_sim::law::Law;
use seedbed_sim::network::{Link, Network};
use seedbed_sim::{Services, Setup, World};
use serde::{Deserialize, Serialize};

const NODES: u32 = 500;
const PERIOD: Duration = Duration::from_millis(100);
/// Timers of a node that come and go: more than are found by searching.
const TIMERS: u32 = 40;

/// A ball that is thrown on to a drawn node for ever, or the rumour of a node's next period.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
enum Toss {
    Ball,
    Rumour(u64),
}
impl Wire for Toss {}

/// Throws balls on, and spreads rumours.
#[derive(Clone, Serialize)]
struct Juggler {
    heard: u64,
}

impl Protocol for Juggler {
    const VERSION: u16 = 1;
    type Config = ();
    type Message = Toss;
    type Timer = u32;
    type Command = Never;
    type Reply = Never;
    type Record = Never;
    type Notice = Never;
    type Job = Never;
    type Outcome = Never;

    fn boot(_: &Arc<()>, _: NodeId) -> Self {
        Self { heard: 0 }
    }

    fn step(&mut self, input: InputOf<Self>, cx: &mut Context<'_, Self>) {
        let anyone = |cx: &mut Context<'_, Self>| NodeId(cx.dice.below(u64::from(NODES)) as u32);
        match input {
            Input::Start { .. } => {
                cx.send(cx.me, Toss::Ball);
                cx.set_within(0, Duration::ZERO..PERIOD);
            }
            Input::Message { message: Toss::Ball, .. } => {
                let to = anyone(cx);
                cx.send(to, Toss::Ball);
            }
            Input::Message { message: Toss::Rumour(rumour), .. } => self.heard ^= rumour,
            Input::Timer { timer: 0 } => {
                for _ in 0..3 {
                    let to = anyone(cx);
                    cx.send_now(to, Toss::Rumour(cx.now.0));
                }
                cx.set(0, PERIOD);
                // Other names each time, at places that the last ones left.
                let names = 1 + cx.now.0 as u32 % 1_000;
                (names..names + TIMERS).for_each(|timer| cx.set_within(timer, Duration::ZERO..PERIOD));
            }
            _ => {}
        }
    }
}

/// A cache line, and a pointer to what only some nodes have: an idle node of a million costs no more.
const _: () = assert!(World::<Juggler>::node_size() <= 72);

#[test]
fn a_steady_world_allocates_nothing() {
    let latency = Law::exponential(Duration::from_millis(10)).expect("a usable law");
    // Without loss: a ball that is lost is not replaced, and the steady state would be silence.
    let setup =
        Setup { nodes: NODES, seed: 7, network: Network::uniform(Link::new(latency)), ..Setup::default() };
    let mut world = World::<Juggler>::new(Arc::new(()), setup, Services::none());
    world.start(&mut ());
    world.run_until(Time::ZERO + Duration::from_secs(20), &mut ());
    let (before, delivered) = (allocations(), world.traffic().delivered);
    world.run_until(Time::ZERO + Duration::from_secs(30), &mut ());
    assert_eq!(allocations() - before, 0);
    assert!(world.traffic().delivered - delivered > 500_000, "{:?}", world.traffic());
}
