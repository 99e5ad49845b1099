//! The counted fingerprint tree: a B+-tree over an order of entries whose inner nodes know the aggregate of each child.
//!
//! Leaves hold the first eight bytes of an entry's key and the slot where the entry lies; only equal prefixes and hashes
//! need a look into the slot.

use super::entry::{Aggregate, Key};

/// A node of this length is split.
const NODE_MAX: usize = 64;
/// Neighbours that fit into this together are joined.
const JOINED_MAX: usize = NODE_MAX / 2;
/// A leaf grows by this many places: little is left unused.
const LEAF_STEP: usize = 8;

/// Where the entries lie.
pub(super) trait Slots {
    /// The id in this slot.
    fn id(&self, slot: u32) -> u128;
    /// The aggregate of the entry in this slot.
    fn aggregate(&self, slot: u32) -> Aggregate;
}

/// A node with all below it.
#[derive(Clone, Debug)]
pub(super) enum Tree {
    Leaf {
        prefixes: Vec<u64>,
        slots: Vec<u32>,
    },
    /// `firsts` are lower bounds of the children; the first one is not looked at.
    Inner {
        firsts: Vec<(u64, u32)>,
        aggregates: Vec<Aggregate>,
        children: Vec<Tree>,
    },
}

impl Default for Tree {
    fn default() -> Self {
        Self::Leaf { prefixes: Vec::new(), slots: Vec::new() }
    }
}

fn key(slots: &impl Slots, (prefix, slot): (u64, u32)) -> Key {
    Key { prefix, id: slots.id(slot) }
}

/// How many of `prefixes` lie below `at`.
fn below(slots: &impl Slots, prefixes: &[u64], of: &[u32], at: Key) -> usize {
    let mut place = prefixes.partition_point(|&prefix| prefix < at.prefix);
    while place < prefixes.len() && prefixes[place] == at.prefix && slots.id(of[place]) < at.id {
        place += 1;
    }
    place
}

/// The child in whose range `at` lies.
fn child_of(slots: &impl Slots, firsts: &[(u64, u32)], at: Key) -> usize {
    firsts[1..]
        .partition_point(|&first| first.0 < at.prefix || first.0 == at.prefix && slots.id(first.1) <= at.id)
}

fn sum<'a>(aggregates: impl IntoIterator<Item = &'a Aggregate>) -> Aggregate {
    let mut total = Aggregate::default();
    aggregates.into_iter().for_each(|part| total.add(part));
    total
}

impl Tree {
    /// Puts a slot at its key, which is not there yet.
    pub(super) fn insert(&mut self, slots: &impl Slots, at: Key, slot: u32, hash: &Aggregate) {
        if let Some((first, right)) = self.insert_below(slots, at, slot, hash) {
            let left = std::mem::take(self);
            let aggregates = vec![left.total(slots), right.total(slots)];
            let lowest = left.first();
            *self = Self::Inner { firsts: vec![lowest, first], aggregates, children: vec![left, right] };
        }
    }

    fn first(&self) -> (u64, u32) {
        match self {
            Self::Leaf { prefixes, slots } => {
                (prefixes.first().copied().unwrap_or(0), slots.first().copied().unwrap_or(0))
            }
            Self::Inner { firsts, .. } => firsts[0],
        }
    }

    /// The new right half, if this node was full.
    fn insert_below(
        &mut self,
        slots: &impl Slots,
        at: Key,
        slot: u32,
        hash: &Aggregate,
    ) -> Option<((u64, u32), Self)> {
        match self {
            Self::Leaf { prefixes, slots: held } => {
                let place = below(slots, prefixes, held, at);
                if prefixes.len() == prefixes.capacity() {
                    prefixes.reserve_exact(LEAF_STEP);
                    held.reserve_exact(LEAF_STEP);
                }
                prefixes.insert(place, at.prefix);
                held.insert(place, slot);
                (prefixes.len() == NODE_MAX).then(|| self.split(place == NODE_MAX - 1))
            }
            Self::Inner { firsts, aggregates, children } => {
                let place = child_of(slots, firsts, at);
                aggregates[place].add(hash);
                if let Some((first, right)) = children[place].insert_below(slots, at, slot, hash) {
                    let moved = right.total(slots);
                    aggregates[place].subtract(&moved);
                    firsts.insert(place + 1, first);
                    aggregates.insert(place + 1, moved);
                    children.insert(place + 1, right);
                }
                let last = place + 2 == children.len();
                (children.len() == NODE_MAX).then(|| self.split(last))
            }
        }
    }

    /// Takes the right half away: only the last place of a node that grows at its end, so that ascending keys fill nodes.
    fn split(&mut self, at_end: bool) -> ((u64, u32), Self) {
        let from = if at_end { NODE_MAX - 1 } else { NODE_MAX / 2 };
        let right = match self {
            Self::Leaf { prefixes, slots } => {
                let right = Self::Leaf { prefixes: prefixes.split_off(from), slots: slots.split_off(from) };
                prefixes.shrink_to(from + LEAF_STEP);
                slots.shrink_to(from + LEAF_STEP);
                right
            }
            Self::Inner { firsts, aggregates, children } => Self::Inner {
                firsts: firsts.split_off(from),
                aggregates: aggregates.split_off(from),
                children: children.split_off(from),
            },
        };
        (right.first(), right)
    }

    /// Takes a slot out; it must be there. The entry must still lie in its slot.
    pub(super) fn remove(&mut self, slots: &impl Slots, at: Key, hash: &Aggregate) {
        self.remove_below(slots, at, hash);
        while let Self::Inner { aggregates, children, .. } = self {
            if aggregates.iter().all(|part| part.count == 0) {
                *self = Self::default();
            } else if children.len() == 1
                && let Some(only) = children.pop()
            {
                *self = only;
            } else {
                break;
            }
        }
    }

    fn remove_below(&mut self, slots: &impl Slots, at: Key, hash: &Aggregate) {
        match self {
            Self::Leaf { prefixes, slots: held } => {
                let place = below(slots, prefixes, held, at);
                if place < prefixes.len() {
                    prefixes.remove(place);
                    held.remove(place);
                }
            }
            Self::Inner { firsts, aggregates, children } => {
                let place = child_of(slots, firsts, at);
                aggregates[place].subtract(hash);
                children[place].remove_below(slots, at, hash);
                // A bound must not name a slot that is about to be reused.
                firsts[place] = children[place].first();
                self.join(place);
            }
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Leaf { prefixes, .. } => prefixes.len(),
            Self::Inner { children, .. } => children.len(),
        }
    }

    /// Drops the child at `place` if nothing is below it, and joins it with a neighbour if both are small.
    fn join(&mut self, place: usize) {
        let Self::Inner { firsts, aggregates, children } = self else { return };
        if children.len() < 2 {
            return;
        }
        if aggregates[place].count == 0 {
            firsts.remove(place);
            aggregates.remove(place);
            children.remove(place);
            return;
        }
        let left = if place + 1 < children.len() { place } else { place - 1 };
        if children[left].len() + children[left + 1].len() <= JOINED_MAX {
            firsts.remove(left + 1);
            let moved = aggregates.remove(left + 1);
            aggregates[left].add(&moved);
            let right = children.remove(left + 1);
            children[left].append(right);
        }
    }

    fn append(&mut self, right: Self) {
        match (self, right) {
            (Self::Leaf { prefixes, slots }, Self::Leaf { prefixes: more, slots: others }) => {
                prefixes.extend(more);
                slots.extend(others);
            }
            (
                Self::Inner { firsts, aggregates, children },
                Self::Inner { firsts: more, aggregates: sums, children: others },
            ) => {
                firsts.extend(more);
                aggregates.extend(sums);
                children.extend(others);
            }
            // Neighbours are of one height.
            _ => {}
        }
    }

    /// The aggregate of everything.
    pub(super) fn total(&self, slots: &impl Slots) -> Aggregate {
        match self {
            Self::Leaf { slots: held, .. } => {
                let mut total = Aggregate::default();
                held.iter().for_each(|&slot| total.add(&slots.aggregate(slot)));
                total
            }
            Self::Inner { aggregates, .. } => sum(aggregates),
        }
    }

    /// The aggregate of what lies below `at`. `total` is that of this node, if known.
    pub(super) fn prefix(&self, slots: &impl Slots, at: Key, total: Option<&Aggregate>) -> Aggregate {
        match self {
            Self::Leaf { prefixes, slots: held } => {
                let place = below(slots, prefixes, held, at);
                let (low, high) = held.split_at(place);
                let of = |held: &[u32]| {
                    let mut sum = Aggregate::default();
                    held.iter().for_each(|&slot| sum.add(&slots.aggregate(slot)));
                    sum
                };
                // The slots are far apart: the fewer of them are visited, the better.
                match total {
                    Some(total) if high.len() < low.len() => {
                        let mut rest = *total;
                        rest.subtract(&of(high));
                        rest
                    }
                    _ => of(low),
                }
            }
            Self::Inner { firsts, aggregates, children } => {
                let place = child_of(slots, firsts, at);
                let mut sum = sum(&aggregates[..place]);
                sum.add(&children[place].prefix(slots, at, Some(&aggregates[place])));
                sum
            }
        }
    }

    /// How many lie below `at`.
    pub(super) fn rank(&self, slots: &impl Slots, at: Key) -> u64 {
        match self {
            Self::Leaf { prefixes, slots: held } => below(slots, prefixes, held, at) as u64,
            Self::Inner { firsts, aggregates, children } => {
                let place = child_of(slots, firsts, at);
                let left: u64 = aggregates[..place].iter().map(|part| part.count).sum();
                left + children[place].rank(slots, at)
            }
        }
    }

    /// The slot with this rank and its prefix.
    pub(super) fn select(&self, mut rank: u64) -> Option<(u64, u32)> {
        match self {
            Self::Leaf { prefixes, slots } => {
                let place = usize::try_from(rank).ok()?;
                Some((*prefixes.get(place)?, *slots.get(place)?))
            }
            Self::Inner { aggregates, children, .. } => {
                for (part, child) in aggregates.iter().zip(children) {
                    if rank < part.count {
                        return child.select(rank);
                    }
                    rank -= part.count;
                }
                None
            }
        }
    }

    /// Hands over the slots from `from` on, in order, until `each` says no. False if it did.
    pub(super) fn walk(
        &self,
        slots: &impl Slots,
        from: Key,
        each: &mut impl FnMut(Key, u32) -> bool,
    ) -> bool {
        match self {
            Self::Leaf { prefixes, slots: held } => {
                let place = below(slots, prefixes, held, from);
                let mut rest = prefixes[place..].iter().zip(&held[place..]);
                rest.all(|(&prefix, &slot)| each(key(slots, (prefix, slot)), slot))
            }
            Self::Inner { firsts, children, .. } => {
                let place = child_of(slots, firsts, from);
                children[place].walk(slots, from, each)
                    && children[place + 1..].iter().all(|child| child.walk(slots, Key::MIN, each))
            }
        }
    }
}
