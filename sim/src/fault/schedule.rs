//! When faults strike: generators that are resolved one firing at a time.

use std::collections::BTreeMap;

use seedbed_core::contract::{Duration, Keys, NodeId, Purpose, Time};

use super::{Action, Groups, Scene, Selector, Timed};
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
        let who = Selector::Index(node.0);
        let kind = match &self.kind {
            Kind::Crash(_, loss) => Kind::Crash(who, *loss),
            Kind::Pause(_) => Kind::Pause(who),
            Kind::DiskStall(_) => Kind::DiskStall(who),
            Kind::DiskFull(_) => Kind::DiskFull(who),
            Kind::DiskError(_) => Kind::DiskError(who),
            Kind::DiskRot(_) => Kind::DiskRot(who),
            Kind::ClockJump(_, by) => Kind::ClockJump(who, *by),
            Kind::ClockDrift(_, ppb) => Kind::ClockDrift(who, *ppb),
            links @ (Kind::Partition(_) | Kind::Links(..)) => links.clone(),
        };
        Self { kind, ..self.clone() }
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
    Fire { generator: usize, nth: u64 },
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
        }
    }

    /// Plans the `nth` firing of a generator whose last one was at `last`.
    fn plan(&mut self, generator: usize, nth: u64, last: Time, keys: &Keys) {
        let draw = keys.roll(Purpose::Fault).at(self.address(generator, nth), u64::MAX);
        let at = match &self.generators[generator].when {
            When::At(times) => times.get(nth as usize).copied(),
            When::Repeatedly { count, .. } if nth >= *count => None,
            When::Repeatedly { first: Some(first), .. } if nth == 0 => Some(*first),
            // A gap of zero would fire for ever at one moment.
            When::Repeatedly { gap, .. } => Some(last + Duration::from_nanos(gap.draw(draw).max(1))),
        };
        let until = match &self.generators[generator].when {
            When::At(_) => Time::MAX,
            When::Repeatedly { until, .. } => *until,
        };
        if let Some(at) = at.filter(|at| *at < until) {
            self.insert(at, Due::Fire { generator, nth });
        }
    }

    fn fire(&mut self, index: usize, nth: u64, at: Time, scene: &dyn Scene, keys: &Keys) -> Vec<Action> {
        let roll = keys.roll(Purpose::Fault);
        let address = self.address(index, nth);
        let Generator { kind, lasts, .. } = self.generators[index].clone();
        let lasts = lasts.map(|law| Duration::from_nanos(law.draw(roll.at(address, u64::MAX - 1))));
        let pick = |selector: &Selector| selector.resolve(scene, roll, address);
        let up = |node: &NodeId| scene.is_up(*node);
        let each = |nodes: Vec<NodeId>, begin: &dyn Fn(NodeId) -> Action| -> Vec<Action> {
            nodes.into_iter().map(begin).collect()
        };
        let actions = match &kind {
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
