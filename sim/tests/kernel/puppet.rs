//! A protocol whose every move a test writes down, and a watch that notes everything.

use std::fmt;
use std::sync::Arc;

use seedbed_core::contract::{
    CommandId, Context, Duration, InputOf, Lane, Life, NodeId, Protocol, Time, Wire,
};
use seedbed_sim::fault::{Action, Schedule, Timed};
use seedbed_sim::law::Law;
use seedbed_sim::network::{Link, Network};
use seedbed_sim::{Down, Drop, Services, Setup, Watch, World};
use serde::{Deserialize, Serialize};

/// What a puppet does with an input.
pub(crate) type Act = dyn Fn(&mut Puppet, InputOf<Puppet>, &mut Context<'_, Puppet>) + Send + Sync;

pub(crate) struct Strings(Box<Act>);

#[derive(Clone, Serialize)]
pub(crate) struct Puppet {
    #[serde(skip)]
    strings: Arc<Strings>,
    pub(crate) me: NodeId,
    /// Whatever the test wants a node to remember.
    pub(crate) numbers: Vec<u64>,
    /// Kept alive by this node.
    pub(crate) freight: Vec<Arc<str>>,
}

#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub(crate) struct Message {
    pub(crate) number: u64,
    /// In bytes, as links see it; nothing for the size of its encoding.
    pub(crate) claims: Option<u64>,
    pub(crate) is_bulk: bool,
    pub(crate) freight: Option<Arc<str>>,
}

impl Message {
    pub(crate) fn new(number: u64) -> Self {
        Self { number, ..Self::default() }
    }
}

impl Wire for Message {
    fn lane(&self) -> Lane {
        if self.is_bulk { Lane::Bulk } else { Lane::Control }
    }
    fn size(&self) -> u64 {
        self.claims.unwrap_or_else(|| postcard::experimental::serialized_size(self).unwrap() as u64)
    }
}

impl Protocol for Puppet {
    const VERSION: u16 = 1;
    type Config = Strings;
    type Message = Message;
    type Timer = u32;
    type Command = u64;
    type Reply = u64;
    type Record = u64;
    type Notice = u64;
    type Job = u64;
    type Outcome = u64;

    fn boot(strings: &Arc<Strings>, me: NodeId) -> Self {
        Self { strings: strings.clone(), me, numbers: Vec::new(), freight: Vec::new() }
    }

    fn step(&mut self, input: InputOf<Self>, cx: &mut Context<'_, Self>) {
        let strings = self.strings.clone();
        (strings.0)(self, input, cx);
    }
}

impl fmt::Debug for Puppet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.me, self.numbers)
    }
}

/// Something that a watch saw, in the order seen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Seen {
    Sent { from: NodeId, to: NodeId, number: u64 },
    Delivered { from: NodeId, to: NodeId, number: u64 },
    Dropped { from: NodeId, to: NodeId, why: Drop },
    Timer { node: NodeId, timer: u32 },
    Command { node: NodeId, id: u64 },
    Notice { node: NodeId, notice: u64 },
    Reply { node: NodeId, id: u64, reply: u64 },
    Refused { node: NodeId, id: u64 },
    Up { node: NodeId, life: u32 },
    Down { node: NodeId, why: Down },
    Fault(Action),
}

impl Seen {
    /// The node that it happens to.
    pub(crate) fn node(&self) -> Option<NodeId> {
        match *self {
            Self::Sent { from: node, .. }
            | Self::Delivered { to: node, .. }
            | Self::Dropped { to: node, .. }
            | Self::Timer { node, .. }
            | Self::Command { node, .. }
            | Self::Notice { node, .. }
            | Self::Reply { node, .. }
            | Self::Refused { node, .. }
            | Self::Up { node, .. }
            | Self::Down { node, .. } => Some(node),
            Self::Fault(_) => None,
        }
    }
}

/// Notes everything, with its time in nanoseconds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Log(pub(crate) Vec<(u64, Seen)>);

impl Log {
    fn note(&mut self, world: &World<Puppet>, seen: Seen) {
        self.0.push((world.now().0, seen));
    }

    /// When and what, of what `pick` picks.
    pub(crate) fn pick<T>(&self, pick: impl Fn(&Seen) -> Option<T>) -> Vec<(u64, T)> {
        self.0.iter().filter_map(|(at, seen)| Some((*at, pick(seen)?))).collect()
    }

    /// When which number was delivered to a node.
    pub(crate) fn delivered(&self, node: u32) -> Vec<(u64, u64)> {
        self.pick(|seen| match *seen {
            Seen::Delivered { to, number, .. } if to.0 == node => Some(number),
            _ => None,
        })
    }

    /// When a node gave which notice.
    pub(crate) fn notices(&self, of: u32) -> Vec<(u64, u64)> {
        self.pick(|seen| match *seen {
            Seen::Notice { node, notice } if node.0 == of => Some(notice),
            _ => None,
        })
    }

    /// When which command was answered.
    pub(crate) fn replies(&self) -> Vec<(u64, u64)> {
        self.pick(|seen| if let Seen::Reply { id, .. } = *seen { Some(id) } else { None })
    }

    /// When and why messages were dropped.
    pub(crate) fn drops(&self) -> Vec<(u64, Drop)> {
        self.pick(|seen| if let Seen::Dropped { why, .. } = *seen { Some(why) } else { None })
    }
}

impl Watch<Puppet> for Log {
    fn sent(&mut self, world: &World<Puppet>, from: NodeId, to: NodeId, _: u64, message: &Message) {
        self.note(world, Seen::Sent { from, to, number: message.number });
    }
    fn delivered(&mut self, world: &World<Puppet>, from: NodeId, to: NodeId, message: &Message) {
        self.note(world, Seen::Delivered { from, to, number: message.number });
    }
    fn dropped(&mut self, world: &World<Puppet>, from: NodeId, to: NodeId, why: Drop) {
        self.note(world, Seen::Dropped { from, to, why });
    }
    fn timer(&mut self, world: &World<Puppet>, node: NodeId, timer: &u32) {
        self.note(world, Seen::Timer { node, timer: *timer });
    }
    fn command(&mut self, world: &World<Puppet>, node: NodeId, id: CommandId, _: &u64) {
        self.note(world, Seen::Command { node, id: id.0 });
    }
    fn notice(&mut self, world: &World<Puppet>, node: NodeId, notice: &u64) {
        self.note(world, Seen::Notice { node, notice: *notice });
    }
    fn reply(&mut self, world: &World<Puppet>, node: NodeId, id: CommandId, reply: &u64) {
        self.note(world, Seen::Reply { node, id: id.0, reply: *reply });
    }
    fn refused(&mut self, world: &World<Puppet>, node: NodeId, id: CommandId) {
        self.note(world, Seen::Refused { node, id: id.0 });
    }
    fn up(&mut self, world: &World<Puppet>, node: NodeId, life: Life) {
        self.note(world, Seen::Up { node, life: life.0 });
    }
    fn down(&mut self, world: &World<Puppet>, node: NodeId, why: Down) {
        self.note(world, Seen::Down { node, why });
    }
    fn fault(&mut self, world: &World<Puppet>, action: &Action) {
        self.note(world, Seen::Fault(action.clone()));
    }
}

/// A job costs as many nanoseconds as its number says below [`NTH`], and comes to the same number.
pub(crate) fn services() -> Services<Puppet> {
    Services { cost: |_, job| Duration::from_nanos(*job % NTH), perform: |_, job, _| Some(*job) }
}

/// What tells jobs of the same cost apart: `nth * NTH + cost`.
pub(crate) const NTH: u64 = 1 << 32;

/// A world whose nodes have started.
pub(crate) fn begin(
    setup: Setup,
    act: impl Fn(&mut Puppet, InputOf<Puppet>, &mut Context<'_, Puppet>) + Send + Sync + 'static,
) -> (World<Puppet>, Log) {
    let mut world = World::new(Arc::new(Strings(Box::new(act))), setup, services());
    let mut log = Log::default();
    world.start(&mut log);
    (world, log)
}

/// The same with a list of faults, run to the end.
pub(crate) fn run(
    setup: Setup,
    faults: Vec<Timed>,
    end: Time,
    act: impl Fn(&mut Puppet, InputOf<Puppet>, &mut Context<'_, Puppet>) + Send + Sync + 'static,
) -> (World<Puppet>, Log) {
    let (mut world, mut log) = begin(setup, act);
    world.set_faults(Schedule::concrete(faults));
    world.run_until(end, &mut log);
    (world, log)
}

pub(crate) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(crate) const MS: u64 = 1_000_000;

/// So many milliseconds after the beginning.
pub(crate) const fn at(ms: u64) -> Time {
    Time(ms * MS)
}

pub(crate) fn constant(ms: u64) -> Law {
    Law::constant(Duration::from_millis(ms)).unwrap()
}

/// From and to, in microseconds.
pub(crate) fn uniform(from: u64, to: u64) -> Law {
    Law::uniform(Duration::from_micros(from), Duration::from_micros(to)).unwrap()
}

/// A probability in 2^-64.
pub(crate) fn share(p: f64) -> u64 {
    (p * 18_446_744_073_709_551_616.0) as u64
}

/// So many nodes joined by equal links.
pub(crate) fn joined(nodes: u32, seed: u64, link: Link) -> Setup {
    Setup { nodes, seed, network: Network::uniform(link), ..Setup::default() }
}

/// So many nodes, a constant millisecond apart.
pub(crate) fn plain(nodes: u32) -> Setup {
    joined(nodes, 1, Link::new(constant(1)))
}

/// Something that struck at a time in milliseconds.
pub(crate) fn timed(ms: u64, action: Action) -> Timed {
    Timed { at: at(ms), action }
}
