//! When faults strike: generators that are resolved one firing at a time.

use std::collections::BTreeMap;
use std::sync::Arc;

use seedbed_core::contract::{Duration, Keys, NodeId, Purpose, Time};

use super::{Action, Groups, Outage, Scene, Selector, Timed};
use crate::disk::Loss;
use crate::law::Law;
use crate::network::Disturbance;

/// One source of faults.
#[derive(Clone, Debug, PartialEq)]
pub struct Generator {
    /// What it does.
    pub kind: Kind,
    /// When.
    pub when: When,
    /// How long each lasts; for ever where there is no law.
    pub lasts: Option<Law>,
}

impl Generator {
    /// The same for one node, instead of those that it is aimed at; what strikes links stays as it is.
    #[must_use]
    pub fn at_node(&self, node: NodeId) -> Self {
        Self { kind: self.kind.at_node(node), ..self.clone() }
    }
}

/// What a generator does.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Nodes stop, and start again when it is over.
    Crash(Selector, Loss),
    /// Nodes stand still.
    Pause(Selector),
    /// Nothing passes between the sides.
    Partition(Groups),
    /// Something happens to the links from some to others, and back if the flag says so.
    Links(Selector, Selector, bool, Disturbance),
    /// Disks do nothing.
    DiskStall(Selector),
    /// Disks are full.
    DiskFull(Selector),
    /// Syncs fail.
    DiskError(Selector),
    /// Records and blobs rot.
    DiskRot(Selector),
    /// Wall clocks jump by so many nanoseconds.
    ClockJump(Selector, i64),
    /// Clocks run faster by so many parts per billion.
    ClockDrift(Selector, i64),
}

impl Kind {
    const COUNT: usize = 10;

    fn at_node(&self, node: NodeId) -> Self {
        let who = Selector::Index(node.0);
        match self {
            Self::Crash(_, loss) => Self::Crash(who, *loss),
            Self::Pause(_) => Self::Pause(who),
            Self::DiskStall(_) => Self::DiskStall(who),
            Self::DiskFull(_) => Self::DiskFull(who),
            Self::DiskError(_) => Self::DiskError(who),
            Self::DiskRot(_) => Self::DiskRot(who),
            Self::ClockJump(_, by) => Self::ClockJump(who, *by),
            Self::ClockDrift(_, ppb) => Self::ClockDrift(who, *ppb),
            links @ (Self::Partition(_) | Self::Links(..)) => links.clone(),
        }
    }

    /// Tells kinds apart in addresses.
    const fn number(&self) -> usize {
        match self {
            Self::Crash(..) => 0,
            Self::Pause(_) => 1,
            Self::Partition(_) => 2,
            Self::Links(..) => 3,
            Self::DiskStall(_) => 4,
            Self::DiskFull(_) => 5,
            Self::DiskError(_) => 6,
            Self::DiskRot(_) => 7,
            Self::ClockJump(..) => 8,
            Self::ClockDrift(..) => 9,
        }
    }
}

/// When a generator fires.
#[derive(Clone, Debug, PartialEq)]
pub enum When {
    /// At these times.
    At(Vec<Time>),
    /// Again and again: first after `first`, then with these gaps (a constant law makes it periodic, an exponential
    /// one a Poisson process), until `until`, at most `count` times.
    Repeatedly {
        /// The first time.
        first: Option<Time>,
        /// Between firings.
        gap: Law,
        /// Not from then on.
        until: Time,
        /// Not more often.
        count: u64,
    },
    /// An alternating renewal process for each of these nodes: it is up for a time that this law draws, is struck for as
    /// long as the fault lasts, is up again, and so on. All are up in the beginning. For kinds that strike nodes.
    Alternating {
        /// Which.
        nodes: Vec<NodeId>,
        /// From the beginning or the end of the last strike to the next.
        up: Law,
    },
    /// As recorded: each strikes its node alone and lasts as long as it says. In the order of their beginnings. For kinds
    /// that strike nodes.
    Recorded(Arc<[Outage]>),
}

/// All that is to go wrong in a run: a value, like everything else.
#[derive(Clone, Debug)]
pub struct Schedule {
    generators: Vec<Generator>,
    /// Where each draws from.
    addresses: Vec<u64>,
    /// What is due: the next firing of each generator, and the ends of what they began.
    due: BTreeMap<(Time, u64), Due>,
    /// Orders what is due at the same time.
    order: u64,
    /// When the first of them is due: asked at every event.
    next: Time,
}

#[derive(Clone, Debug)]
enum Due {
    Fire {
        generator: usize,
        nth: u64,
    },
    /// The `nth` strike of one of the nodes that come and go.
    Strike {
        generator: usize,
        nth: u64,
        node: NodeId,
    },
    Act(Action),
}

/// Nothing goes wrong.
impl Default for Schedule {
    fn default() -> Self {
        Self {
            generators: Vec::new(),
            addresses: Vec::new(),
            due: BTreeMap::new(),
            order: 0,
            next: Time::MAX,
        }
    }
}

impl Schedule {
    /// These generators, for a run with these keys.
    #[must_use]
    pub fn new(mut generators: Vec<Generator>, keys: &Keys) -> Self {
        for generator in &mut generators {
            if let When::At(times) = &mut generator.when {
                times.sort_unstable();
            }
        }
        let addresses = addresses(&generators);
        let mut schedule = Self { generators, addresses, ..Self::default() };
        for generator in 0..schedule.generators.len() {
            schedule.plan(generator, 0, Time::ZERO, keys);
            if let When::Alternating { nodes, .. } = &schedule.generators[generator].when {
                for node in nodes.clone() {
                    schedule.plan_strike(generator, node, 0, Time::ZERO, keys);
                }
            }
        }
        schedule
    }

    /// Exactly this list: what a run wrote to its trace, or someone's edit of it.
    #[must_use]
    pub fn concrete(list: Vec<Timed>) -> Self {
        let mut schedule = Self::default();
        for timed in list {
            schedule.act(timed.at, timed.action);
        }
        schedule
    }

    /// When something is due next; [`Time::MAX`] for never.
    #[inline]
    #[must_use]
    pub const fn next(&self) -> Time {
        self.next
    }

    /// Forgets everything that is due.
    pub fn clear(&mut self) {
        self.due.clear();
        self.next = Time::MAX;
    }

    /// Takes what is due next and resolves it: the actions happen now, in this order.
    pub fn pop(&mut self, scene: &dyn Scene, keys: &Keys) -> Vec<Action> {
        let Some(((at, _), due)) = self.due.pop_first() else { return Vec::new() };
        self.next = self.due.first_key_value().map_or(Time::MAX, |((at, _), _)| *at);
        match due {
            Due::Act(action) => vec![action],
            Due::Fire { generator, nth } => {
                self.plan(generator, nth + 1, at, keys);
                self.fire(generator, nth, at, scene, keys)
            }
            Due::Strike { generator, nth, node } => {
                let source = &self.generators[generator];
                let kind = source.kind.at_node(node);
                let draw =
                    keys.roll(Purpose::Fault).at(self.address(generator, nth), LASTS | u64::from(node.0));
                let lasts = source.lasts.as_ref().map(|law| Duration::from_nanos(law.draw(draw)));
                if let Some(lasts) = lasts {
                    self.plan_strike(generator, node, nth + 1, at + lasts, keys);
                }
                self.begin(&kind, self.address(generator, nth), at, lasts, scene, keys)
            }
        }
    }

    /// Plans the `nth` firing of a generator whose last one was at `last`.
    fn plan(&mut self, generator: usize, nth: u64, last: Time, keys: &Keys) {
        let draw = keys.roll(Purpose::Fault).at(self.address(generator, nth), u64::MAX);
        let at = match &self.generators[generator].when {
            When::At(times) => times.get(nth as usize).copied(),
            When::Recorded(outages) => outages.get(nth as usize).map(|outage| outage.from.max(last)),
            When::Alternating { .. } => None,
            When::Repeatedly { count, .. } if nth >= *count => None,
            When::Repeatedly { first: Some(first), .. } if nth == 0 => Some(*first),
            // A gap of zero would fire for ever at one moment.
            When::Repeatedly { gap, .. } => Some(last + Duration::from_nanos(gap.draw(draw).max(1))),
        };
        let until = match &self.generators[generator].when {
            When::Repeatedly { until, .. } => *until,
            _ => Time::MAX,
        };
        if let Some(at) = at.filter(|at| *at < until) {
            self.insert(at, Due::Fire { generator, nth });
        }
    }

    /// Plans the `nth` strike of a node that comes and goes, which is up since then.
    fn plan_strike(&mut self, generator: usize, node: NodeId, nth: u64, since: Time, keys: &Keys) {
        let When::Alternating { up, .. } = &self.generators[generator].when else { return };
        let draw = keys.roll(Purpose::Fault).at(self.address(generator, nth), UP | u64::from(node.0));
        let at = since + Duration::from_nanos(up.draw(draw).max(1));
        self.insert(at, Due::Strike { generator, nth, node });
    }

    fn fire(&mut self, index: usize, nth: u64, at: Time, scene: &dyn Scene, keys: &Keys) -> Vec<Action> {
        let address = self.address(index, nth);
        let generator = &self.generators[index];
        if let When::Recorded(outages) = &generator.when {
            let Outage { node, until, .. } = outages[nth as usize];
            let kind = generator.kind.at_node(node);
            return self.begin(&kind, address, at, Some(until.since(at)), scene, keys);
        }
        let draw = keys.roll(Purpose::Fault).at(address, u64::MAX - 1);
        let lasts = generator.lasts.as_ref().map(|law| Duration::from_nanos(law.draw(draw)));
        let kind = generator.kind.clone();
        self.begin(&kind, address, at, lasts, scene, keys)
    }

    /// What a firing at this address does now, whose end is planned.
    fn begin(
        &mut self,
        kind: &Kind,
        address: u64,
        at: Time,
        lasts: Option<Duration>,
        scene: &dyn Scene,
        keys: &Keys,
    ) -> Vec<Action> {
        let roll = keys.roll(Purpose::Fault);
        let pick = |selector: &Selector| selector.resolve(scene, roll, address);
        let up = |node: &NodeId| scene.is_up(*node);
        let each = |nodes: Vec<NodeId>, begin: &dyn Fn(NodeId) -> Action| -> Vec<Action> {
            nodes.into_iter().map(begin).collect()
        };
        let actions = match kind {
            Kind::Crash(who, loss) => {
                let nodes = pick(who).into_iter().filter(up).collect();
                each(nodes, &|node| Action::Crash { node, loss: *loss })
            }
            Kind::Pause(who) => {
                each(pick(who).into_iter().filter(up).collect(), &|node| Action::Pause { node })
            }
            Kind::Partition(groups) => partition(groups, address, scene, &pick),
            Kind::Links(from, to, both, how) => {
                let from = pick(from);
                let to = other_end(&from, |attempt| to.resolve(scene, roll, address | OTHER_END | attempt));
                links(address, &from, &to, *both, *how)
            }
            Kind::DiskStall(who) => {
                let lasts = lasts.unwrap_or(Duration::MAX);
                each(pick(who), &|node| Action::DiskStall { node, lasts })
            }
            Kind::DiskFull(who) => each(pick(who), &|node| Action::DiskFull { node, full: true }),
            Kind::DiskError(who) => each(pick(who), &|node| Action::DiskError { node }),
            Kind::DiskRot(who) => each(pick(who), &|node| Action::DiskRot { node }),
            Kind::ClockJump(who, by) => each(pick(who), &|node| Action::ClockJump { node, by: *by }),
            Kind::ClockDrift(who, ppb) => each(pick(who), &|node| Action::ClockDrift { node, ppb: *ppb }),
        };
        if let Some(lasts) = lasts {
            for action in &actions {
                if let Some(end) = end_of(action) {
                    self.act(at + lasts, end);
                }
            }
        }
        actions
    }

    /// The address of a firing; the 256 numbers from it on name the disturbances that it begins.
    fn address(&self, generator: usize, nth: u64) -> u64 {
        self.addresses[generator] | nth << 8
    }

    fn act(&mut self, at: Time, action: Action) {
        self.insert(at, Due::Act(action));
    }

    fn insert(&mut self, at: Time, due: Due) {
        self.order += 1;
        self.next = self.next.min(at);
        self.due.insert((at, self.order), due);
    }
}

/// The addresses of generators: each is told by its kind and its place among those of its kind, not by what else is in
/// the list or by how long it lasts. So taking one away moves no draw of another kind, nor of one before it.
fn addresses(generators: &[Generator]) -> Vec<u64> {
    let mut counts = [0u64; Kind::COUNT];
    let address = |generator: &Generator| {
        let kind = generator.kind.number();
        counts[kind] += 1;
        // Where each node has a generator there may be millions: the low bits number the cuts of others.
        (kind as u64) << 56 | (counts[kind] & 0xFFFF) << 40 | counts[kind] >> 16
    };
    generators.iter().map(address).collect()
}

/// Tell the two draws of a node that comes and goes: beside its number, so that none depends on which others there are.
const UP: u64 = 1 << 32;
const LASTS: u64 = 1 << 33;

/// Set in the address of a firing for the draws of a link's other end.
const OTHER_END: u64 = 1 << 7;
/// How often that is drawn at most, to find a node that is not the first end.
const ATTEMPTS: u64 = 1 << 6;

/// The other end of a link, drawn apart from the first: a single node has no link to itself.
fn other_end(from: &[NodeId], draw: impl Fn(u64) -> Vec<NodeId>) -> Vec<NodeId> {
    let apart = |mut to: Vec<NodeId>| {
        if let [only] = from {
            to.retain(|node| node != only);
        }
        to
    };
    (0..ATTEMPTS).map(draw).map(apart).find(|to| !to.is_empty()).unwrap_or_default()
}

/// What ends what an action began.
fn end_of(action: &Action) -> Option<Action> {
    match *action {
        Action::Crash { node, .. } => Some(Action::Restart { node }),
        Action::Pause { node } => Some(Action::Resume { node }),
        Action::Disturb { number, .. } => Some(Action::Calm { number }),
        Action::DiskFull { node, full: true } => Some(Action::DiskFull { node, full: false }),
        Action::ClockDrift { node, .. } => Some(Action::ClockDrift { node, ppb: 0 }),
        _ => None,
    }
}

/// Disturbs the links from some nodes to others, and those back: none of them twice.
fn links(number: u64, from: &[NodeId], to: &[NodeId], both: bool, how: Disturbance) -> Vec<Action> {
    let mut ways = vec![(from.to_vec(), to.to_vec())];
    if both {
        let is_shared = |node: &NodeId| from.binary_search(node).is_ok() && to.binary_search(node).is_ok();
        let (shared, only_to): (Vec<NodeId>, Vec<NodeId>) = to.iter().copied().partition(is_shared);
        if how == Disturbance::Cut || shared.len() < 2 {
            // What is cut twice is cut, and a single node has no link to itself.
            ways.push((to.to_vec(), from.to_vec()));
        } else {
            // Between nodes on both sides, the way there is the way back.
            let only_from = from.iter().copied().filter(|node| !is_shared(node)).collect();
            ways.extend([(only_to, from.to_vec()), (shared, only_from)]);
            ways.retain(|(from, to)| !from.is_empty() && !to.is_empty());
        }
    }
    (number..).zip(ways).map(|(number, (from, to))| Action::Disturb { number, from, to, how }).collect()
}

/// Cuts each side off from all the others.
fn partition(
    groups: &Groups,
    address: u64,
    scene: &dyn Scene,
    pick: &dyn Fn(&Selector) -> Vec<NodeId>,
) -> Vec<Action> {
    let mut rest: Vec<NodeId> = (0..scene.nodes()).map(NodeId).collect();
    let mut sides: Vec<Vec<NodeId>> = Vec::new();
    for group in groups {
        let (side, left): (Vec<_>, Vec<_>) = {
            let picked = pick(group);
            rest.into_iter().partition(|node| picked.binary_search(node).is_ok())
        };
        sides.push(side);
        rest = left;
    }
    sides.push(rest);
    sides.retain(|side| !side.is_empty());
    let cut = |index: usize| {
        let others = sides
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != index)
            .flat_map(|(_, side)| side.iter().copied());
        Action::Disturb {
            number: address + index as u64,
            from: sides[index].clone(),
            to: others.collect(),
            how: Disturbance::Cut,
        }
    };
    if sides.len() < 2 { Vec::new() } else { (0..sides.len()).map(cut).collect() }
}
