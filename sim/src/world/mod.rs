//! A world: nodes, what is under way between them, and what is to go wrong. A value: a clone has the same future.
//!
//! One event at a time is taken from the queue in the order of (time, insertion), handed to its node, and the effects
//! of the step are carried out at once. Everything a node does not touch at every event is kept apart, so that a
//! million nodes fit in memory and an event in a cache line or two.

mod effects;
mod event;
mod handle;
mod jobs;
mod life;
mod value;
mod view;

use std::collections::VecDeque;
use std::sync::Arc;

use seedbed_core::contract::{
    CommandId, Duration, EffectOf, Keys, Life, Members, NodeId, Protocol, Purpose, Store, Subject, Time,
};

use crate::clock::{self, Clocks, Origin};
use crate::cpu::CpuModel;
use crate::digest::Digest;
use crate::disk::DiskModel;
use crate::fault::{Schedule, Timed};
use crate::law::Law;
use crate::network::{Network, Traffic};
use crate::queue::{self, Queue};
use crate::slot::{Rare, Slot};
use crate::timers::Timers;
use crate::watch::Watch;

pub(crate) use event::{Body, Event, NOBODY, Other, Route};

/// Raised by every change that moves a draw or the order of events: the same version, scenario and seed give the
/// same digest.
pub const MODEL_VERSION: u32 = 4;

/// What a world is made of.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// How many nodes there are.
    pub nodes: u32,
    /// What the first of them are called; the others have only their index.
    pub names: Vec<String>,
    /// Where every draw comes from.
    pub seed: u64,
    /// What joins the nodes.
    pub network: Network,
    /// Their disks.
    pub disk: DiskModel,
    /// Their clocks.
    pub clocks: Clocks,
    /// Their CPUs, from the first node on and from the start again; none for [`CpuModel::default`] everywhere.
    pub cpus: Vec<CpuModel>,
    /// How long a step takes; none for no time.
    pub step_cost: Option<Law>,
    /// How much later than the first each node starts.
    pub start: Option<Law>,
    /// Messages travel as encoded bytes.
    pub is_wire: bool,
    /// The digest takes in the contents of messages, too.
    pub is_audit: bool,
    /// Simultaneous events are taken in a drawn order, not in that of insertion.
    pub shuffles_ties: bool,
    /// Nodes are told of crashes and starts of others after this time.
    pub hints: Option<Duration>,
}

/// What does the jobs of a protocol.
#[derive(Debug)]
pub struct Services<P: Protocol> {
    /// The CPU time of a job, at speed one.
    pub cost: fn(&P::Config, &P::Job) -> Duration,
    /// Its outcome.
    pub perform: Perform<P>,
}

/// Does a job, with the node's own store at hand.
pub type Perform<P> =
    fn(&<P as Protocol>::Config, &<P as Protocol>::Job, &dyn Store) -> Option<<P as Protocol>::Outcome>;

impl<P: Protocol> Clone for Services<P> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<P: Protocol> Copy for Services<P> {}

impl<P: Protocol> Services<P> {
    /// For a protocol without jobs: none is ever done.
    #[must_use]
    pub fn none() -> Self {
        Self { cost: |_, _| Duration::ZERO, perform: |_, _, _| None }
    }
}

impl<P: Subject> Services<P> {
    /// The services of a registered protocol.
    #[must_use]
    pub fn registered() -> Self {
        Self { cost: P::cost, perform: P::perform }
    }
}

/// A simulated world.
pub struct World<P: Protocol> {
    config: Arc<P::Config>,
    services: Services<P>,
    setup: Arc<Setup>,
    keys: Keys,
    now: u64,
    queue: Queue<Event<P>>,
    slots: Vec<Slot<P>>,
    rare: Vec<Option<Box<Rare<P>>>>,
    network: Network,
    faults: Schedule,
    /// What the faults came to.
    trace: Vec<Timed>,
    effects: VecDeque<EffectOf<P>>,
    digest: Digest,
    traffic: Traffic,
    tally: Tally,
    tie: u64,
    modes: Modes,
}

/// What every event asks of the setup, close at hand.
#[derive(Clone, Copy, Debug)]
struct Modes {
    steps_cost: bool,
    is_wire: bool,
    is_audit: bool,
    shuffles_ties: bool,
    timers_are_late: bool,
}

/// Counters beside the network's.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// Events handled.
    pub events: u64,
    /// Steps taken by nodes.
    pub steps: u64,
    /// Crashes.
    pub crashes: u64,
    /// Syncs done by disks.
    pub syncs: u64,
    /// Records lost in crashes.
    pub records_lost: u64,
    /// Nodes that stopped because a sync failed or their log was damaged.
    pub halts: u64,
}

impl<P: Protocol> World<P> {
    /// A world before its first moment. Nodes start as events come.
    ///
    /// # Panics
    /// If it has no node, or 2^31 and more.
    #[must_use]
    pub fn new(config: Arc<P::Config>, setup: Setup, services: Services<P>) -> Self {
        assert!((1..1 << 31).contains(&setup.nodes), "a world has 1 to 2^31 nodes");
        let keys = Keys::from_seed(setup.seed);
        let modes = Modes {
            steps_cost: setup.step_cost.is_some(),
            is_wire: setup.is_wire,
            is_audit: setup.is_audit,
            shuffles_ties: setup.shuffles_ties,
            timers_are_late: setup.clocks.slack.is_some(),
        };
        let slot = |node| Slot {
            state: P::boot(&config, NodeId(node)),
            timers: Timers::default(),
            steps: 0,
            origin: Origin::new(&keys, NodeId(node), 0),
            life: 0,
            is_up: false,
            is_rare: false,
        };
        let mut world = Self {
            slots: (0..setup.nodes).map(slot).collect(),
            rare: Vec::new(),
            network: setup.network.clone(),
            digest: Digest::new(setup.seed),
            setup: Arc::new(setup),
            config,
            services,
            keys,
            now: 0,
            queue: Queue::new(),
            faults: Schedule::default(),
            trace: Vec::new(),
            effects: VecDeque::new(),
            traffic: Traffic::default(),
            tally: Tally::default(),
            tie: 0,
            modes,
        };
        world.set_clocks();
        world
    }

    fn set_clocks(&mut self) {
        if self.setup.clocks == Clocks::default() {
            return;
        }
        for node in (0..self.setup.nodes).map(NodeId) {
            if let Some(clock) = self.setup.clocks.clock(&self.keys, node) {
                self.rare(node).clock = Some(clock);
            }
        }
    }

    /// Lets all nodes begin their first life: those with a start delay when it is over, the others now.
    pub fn start(&mut self, watch: &mut impl Watch<P>) {
        for node in (0..self.setup.nodes).map(NodeId) {
            let delay = self
                .setup
                .start
                .as_ref()
                .map_or(0, |law| law.draw(self.keys.roll(Purpose::Layout).at(u64::from(node.0), 1)));
            if delay == 0 {
                self.begin_life(node, watch);
            } else {
                self.push(self.now + delay, node, NOBODY, Body::Other(Box::new(Other::Start)));
            }
        }
    }

    /// Replaces what is to go wrong.
    pub fn set_faults(&mut self, faults: Schedule) {
        self.faults = faults;
    }

    /// Goes on under other keys: every draw from here on differs.
    pub fn reseed(&mut self, seed: u64) {
        self.keys = Keys::from_seed(seed);
    }

    /// The world's clock.
    #[must_use]
    pub fn now(&self) -> Time {
        Time(self.now)
    }

    /// How many nodes there are.
    #[must_use]
    pub fn nodes(&self) -> u32 {
        self.setup.nodes
    }

    /// The protocol's configuration.
    #[must_use]
    pub fn config(&self) -> &Arc<P::Config> {
        &self.config
    }

    /// The keys of this run's draws.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// How many events are under way.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.queue.len()
    }

    /// What the network did so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// What else happened so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// The faults that struck so far, as a concrete list.
    #[must_use]
    pub fn fault_trace(&self) -> &[Timed] {
        &self.trace
    }

    /// The bytes that the kernel keeps of a node in its arrays.
    #[must_use]
    pub const fn node_size() -> usize {
        size_of::<Slot<P>>() + size_of::<Option<Box<Rare<P>>>>()
    }

    /// The fingerprint of what happened so far and of the states of all nodes as encoded.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let mut digest = self.digest;
        for slot in &self.slots {
            digest.fold(u64::from(slot.life), u64::from(slot.is_up));
            if slot.is_up {
                digest.encode(&slot.state);
            }
        }
        digest.value()
    }

    /// The fingerprint of what happened so far, without the states.
    #[must_use]
    pub fn history_digest(&self) -> u64 {
        self.digest.value()
    }

    /// Hands a command to a node at a time that is not past.
    pub fn command(&mut self, at: Time, node: NodeId, id: CommandId, command: P::Command) {
        self.other(at.0, node, Other::Command { id, command });
    }

    /// Tells a node who belongs, at a time that is not past.
    pub fn members(&mut self, at: Time, node: NodeId, members: Members) {
        self.other(at.0, node, Other::Members(members));
    }

    /// Tells a node that a connection came up or went down, at a time that is not past.
    pub fn link_hint(&mut self, at: Time, node: NodeId, peer: NodeId, up: bool) {
        self.other(at.0, node, Other::Link { peer, up });
    }

    /// Takes everything that happens before `limit`, and advances the clock to it, unless that is the end of time.
    pub fn run_until(&mut self, limit: Time, watch: &mut impl Watch<P>) {
        while self.advance(limit, watch) {}
    }

    /// Takes the next event or fault before `limit`. False if there is none: the clock then stands at `limit`.
    #[inline(always)]
    pub fn advance(&mut self, limit: Time, watch: &mut impl Watch<P>) -> bool {
        let fault = self.faults.next();
        let stop = fault.min(limit).0;
        if let Some((at, event)) = self.pop(stop) {
            self.now = at;
            self.handle(event, watch);
            return true;
        }
        if fault < limit {
            self.now = self.now.max(fault.0);
            self.strike(watch);
            return true;
        }
        if limit < Time::MAX {
            self.now = self.now.max(limit.0);
        }
        false
    }

    #[inline(always)]
    fn pop(&mut self, stop: u64) -> Option<(u64, Event<P>)> {
        if self.modes.shuffles_ties {
            let (at, event) = self.queue.pop_before(stop.min(TIME_MAX) << TIE_BITS)?;
            self.tie = at;
            return Some((at >> TIE_BITS, event));
        }
        let popped = self.queue.pop_before(stop);
        if let Some(event) = self.queue.peek_ahead(AHEAD) {
            queue::prefetch(&self.slots, event.route.to().0 as usize);
        }
        popped
    }

    #[inline(always)]
    fn push(&mut self, at: u64, to: NodeId, source: u32, body: Body<P>) {
        let route = Route::new(to, source);
        let at = if self.modes.shuffles_ties { self.shuffled(at, route) } else { at };
        self.queue.push(at, Event { route, body });
    }

    /// Eight drawn bits below the time: simultaneous events come in an order that differs from seed to seed.
    #[cold]
    fn shuffled(&self, at: u64, route: Route) -> u64 {
        let bits = self.keys.roll(Purpose::Layout).at(route.0, at) >> (64 - TIE_BITS);
        (at.min(TIME_MAX) << TIE_BITS | bits).max(self.tie)
    }

    fn other(&mut self, at: u64, node: NodeId, other: Other<P>) {
        self.push(at.max(self.now), node, NOBODY, Body::Other(Box::new(other)));
    }

    fn slot(&mut self, node: NodeId) -> &mut Slot<P> {
        &mut self.slots[node.0 as usize]
    }

    /// What only some nodes have; it is there from now on.
    fn rare(&mut self, node: NodeId) -> &mut Rare<P> {
        if self.rare.is_empty() {
            self.rare.resize_with(self.slots.len(), || None);
        }
        self.slots[node.0 as usize].is_rare = true;
        self.rare[node.0 as usize].get_or_insert_default()
    }

    /// What only some nodes have, if this one has it.
    #[inline(always)]
    fn rare_of(&self, node: NodeId) -> Option<&Rare<P>> {
        if !self.slots[node.0 as usize].is_rare {
            return None;
        }
        self.rare[node.0 as usize].as_deref()
    }

    /// The steady and the wall clock of a node.
    #[inline(always)]
    fn clocks(&self, node: NodeId) -> (Time, Time) {
        let origin = self.slots[node.0 as usize].origin.as_nanos();
        match self.rare_of(node).and_then(|rare| rare.clock) {
            None => (Time(self.now + origin), Time(clock::WALL_START + self.now)),
            Some(clock) => (clock.steady(self.now, origin), clock.wall(self.now)),
        }
    }

    /// How long a span of a node's clock takes in the world.
    #[inline(always)]
    fn world_time(&self, node: NodeId, span: Duration) -> u64 {
        match self.rare_of(node).and_then(|rare| rare.clock) {
            None => span.as_nanos(),
            Some(clock) => clock.world_time(span),
        }
    }
}

/// How far ahead in the queue nodes are fetched into the cache.
const AHEAD: usize = 6;
/// Bits below the time that order simultaneous events where ties are shuffled.
const TIE_BITS: u32 = 8;
const TIME_MAX: u64 = u64::MAX >> TIE_BITS;

/// The number of a life, as events carry it.
const fn number(life: Life) -> u16 {
    life.0 as u16
}
