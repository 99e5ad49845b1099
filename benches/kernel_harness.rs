//! The kernel under the command line of the peers it is compared with: `kernel_harness <workload> <nodes> <events>`.
//!
//! Ordinary protocols on the shipped kernel with everything on: loss, latency law, partition check, counters, digest.
//! It prints `engine workload nodes events seconds events_per_s rss_kb cpu_s`; `events` counts delivered messages, and
//! for `gossip` the argument is simulated milliseconds. Set-up is not timed. A fourth argument runs so many seeds on
//! as many threads and prints their sum.

use std::sync::Arc;
use std::time::Instant;

use seedbed_core::contract::{Context, Duration, Input, InputOf, Never, NodeId, Protocol, Time, Wire};
use seedbed_sim::law::Law;
use seedbed_sim::network::{Link, Network};
use seedbed_sim::{Services, Setup, World};
use serde::{Deserialize, Serialize};

const SEED: u64 = 42;

#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
struct Message {
    id: u64,
    hop: u64,
}
impl Wire for Message {}

/// Two nodes and one message.
#[derive(Clone, Serialize)]
struct Ping;

/// A message at each node, sent on to a drawn one.
#[derive(Clone, Serialize)]
struct Phold {
    sum: u64,
    #[serde(skip)]
    nodes: u32,
}

/// Each period, three drawn peers.
#[derive(Clone, Serialize)]
struct Gossip {
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

fn world<P: Protocol<Config = u32>>(nodes: u32, seed: u64, link: Link) -> World<P> {
    let setup = Setup { nodes, seed, network: Network::uniform(link), ..Setup::default() };
    World::new(Arc::new(nodes), setup, Services::none())
}

struct Measured {
    delivered: u64,
    wall: f64,
    cpu: f64,
    digest: u64,
}

fn run<P: Protocol<Config = u32>>(args: &Args, seed: u64, link: Link) -> Measured {
    let mut world = world::<P>(args.nodes, seed, link);
    if args.workload != "idle" {
        world.start(&mut ());
    }
    let (wall, cpu) = (Instant::now(), thread_cpu());
    match args.workload.as_str() {
        "gossip" => world.run_until(Time::ZERO + Duration::from_millis(args.events), &mut ()),
        "idle" => {}
        _ => while world.traffic().delivered < args.events && world.advance(Time::MAX, &mut ()) {},
    }
    let (wall, cpu) = (wall.elapsed().as_secs_f64(), thread_cpu() - cpu);
    Measured { delivered: world.traffic().delivered.max(1), wall, cpu, digest: world.history_digest() }
}

fn measure(args: &Args, seed: u64) -> Measured {
    let link = |law: Law| Link::new(law);
    let exponential = Law::exponential(Duration::from_millis(10)).expect("usable");
    let lognormal = Law::lognormal(Duration::from_millis(10), 0.5).expect("usable");
    let millisecond = Law::constant(Duration::from_millis(1)).expect("usable");
    match args.workload.as_str() {
        "pingpong" => run::<Ping>(args, seed, link(millisecond)),
        "phold" => run::<Phold>(args, seed, link(exponential)),
        "gossip" | "idle" => run::<Gossip>(args, seed, Link { loss: u64::MAX / 100, ..link(lognormal) }),
        other => {
            eprintln!("seedbed: workload {other} unsupported");
            std::process::exit(3);
        }
    }
}

struct Args {
    workload: String,
    nodes: u32,
    events: u64,
    seeds: u64,
}

fn args() -> Option<Args> {
    let mut args = std::env::args().skip(1);
    let workload = args.next()?;
    let nodes: u32 = args.next()?.parse().ok()?;
    let events = args.next()?.parse().ok()?;
    let seeds = args.next().map_or(Some(1), |seeds| seeds.parse().ok())?;
    Some(Args { workload, nodes: nodes.max(2), events, seeds })
}

fn main() {
    let Some(args) = args() else {
        eprintln!("usage: kernel_harness pingpong|phold|gossip|idle <nodes> <events> [seeds]");
        std::process::exit(2);
    };
    let wall = Instant::now();
    let runs: Vec<Measured> = std::thread::scope(|scope| {
        let spawn = |seed| {
            scope.spawn({
                let args = &args;
                move || measure(args, SEED + seed)
            })
        };
        let others: Vec<_> = (1..args.seeds).map(spawn).collect();
        let mut runs = vec![measure(&args, SEED)];
        runs.extend(others.into_iter().map(|run| run.join().expect("a run does not panic")));
        runs
    });
    let delivered: u64 = runs.iter().map(|run| run.delivered).sum();
    let cpu: f64 = runs.iter().map(|run| run.cpu).sum();
    let seconds = match runs.as_slice() {
        [one] => one.wall,
        several => several.iter().map(|run| run.wall).fold(0.0, f64::max).min(wall.elapsed().as_secs_f64()),
    };
    println!(
        "seedbed {} {} {delivered} {seconds:.6} {:.0} {} {cpu:.6}",
        args.workload,
        args.nodes,
        delivered as f64 / seconds,
        peak_memory()
    );
    eprintln!("digest {:016x} node_bytes {}", runs[0].digest, World::<Phold>::node_size());
}

/// Seconds this thread has spent on a CPU.
fn thread_cpu() -> f64 {
    let read = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    read.split_whitespace().next().and_then(|nanos| nanos.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}

/// Peak resident memory in kB.
fn peak_memory() -> u64 {
    let read = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = read.lines().find(|line| line.starts_with("VmHWM:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}
