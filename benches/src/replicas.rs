//! Two replicas of a collection that differ in some documents, and what it takes to find these.

use std::collections::BTreeSet;

use seedbed_core::contract::NodeId;
use seedbed_core::sync::reconcile::{
    CollectionKey, Counters, Entry, EntrySet, Method, Options, Order, Outcome, Refusal, Session, Step,
};
use seedbed_core::sync::{DocumentId, Stamp};

/// A document every ten milliseconds.
const PACE_MS: u64 = 10;
/// 2025-01-01, in milliseconds since 1970.
const START_MS: u64 = 1_735_689_600_000;
const KEY: CollectionKey = CollectionKey([0x5E; 32]);

/// Where the differences are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shape {
    /// Anywhere in the order of ids.
    Scattered,
    /// At the end of the order of writes.
    Recent,
}

/// The documents of two sides.
#[derive(Clone, Debug)]
pub struct Replicas {
    /// On both.
    pub shared: Vec<Entry>,
    /// On one alone.
    pub own: [Vec<Entry>; 2],
    /// The last write that both have.
    pub common: Stamp,
    /// What the sets are ordered by.
    pub order: Order,
}

/// The finaliser of SplitMix64: as good as a draw.
#[must_use]
pub fn scatter(mut x: u64) -> u64 {
    x = x.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// The nth document, made at a time, last written by a node at another.
#[must_use]
pub fn document(nth: u64, made_ms: u64, written_ms: u64, node: u32) -> Entry {
    let random = u128::from(scatter(nth)) << 64 | u128::from(scatter(!nth));
    let id = u128::from(made_ms) << 80 | 7 << 76 | random >> 52;
    let id = DocumentId(id.to_be_bytes());
    let version = Stamp { time: written_ms << 16 | (scatter(nth ^ 0xC0) & 0xF), node: NodeId(node) };
    Entry { id, version, hash: KEY.hash(id, &version.time.to_le_bytes()) }
}

impl Replicas {
    /// `count` documents on each side, of which `differences` in all are on one alone, half on each.
    #[must_use]
    pub fn new(count: u64, differences: u64, shape: Shape, seed: u64) -> Self {
        let halves = [differences.div_ceil(2), differences / 2];
        let shared = count - halves[0];
        let last = START_MS + (shared + differences) * PACE_MS;
        let seed = scatter(seed) << 32;
        let own = [0, 1].map(|side: usize| {
            (0..halves[side])
                .map(|nth| {
                    let (turn, nth) = (nth * 2 + side as u64, seed + count * 2 + nth * 2 + side as u64);
                    let written = last + turn * PACE_MS;
                    let made = match shape {
                        Shape::Scattered => START_MS + scatter(nth) % (count * PACE_MS),
                        Shape::Recent => written,
                    };
                    document(nth, made, written, side as u32)
                })
                .collect()
        });
        let made = |nth| START_MS + nth * PACE_MS;
        let shared = (0..shared).map(|nth| document(seed + nth, made(nth), made(nth), 2)).collect();
        let common = Stamp { time: last << 16 | 0xFFFF, node: NodeId(2) };
        let order = if shape == Shape::Recent { Order::Time } else { Order::Id };
        Self { shared, own, common, order }
    }

    /// The two sets; with what each replica knows of the writers, or without.
    #[must_use]
    pub fn sets(&self, order: Order, has_history: bool) -> [EntrySet; 2] {
        [0, 1].map(|side: usize| {
            let mut set = EntrySet::new(order);
            for entry in self.shared.iter().chain(&self.own[side]) {
                set.insert(entry, &[]);
            }
            if has_history {
                let before = self.common.time - (1 << 20);
                set.learn(NodeId(2), self.common.time);
                set.learn(NodeId(0), if side == 0 { self.common.time + (1 << 40) } else { before });
                set.learn(NodeId(1), if side == 1 { self.common.time + (1 << 40) } else { before });
            }
            set
        })
    }
}

/// What a session found and cost.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// What each side gives.
    pub give: [Vec<DocumentId>; 2],
    /// Whether all is handed over, by each side.
    pub give_all: [bool; 2],
    /// As the opener counted.
    pub counters: Counters,
    /// How it ended.
    pub ended: Option<Outcome>,
}

/// A whole session between two sides.
///
/// # Errors
/// If one side refuses the other's message.
pub fn reconcile(method: Method, sets: &[EntrySet; 2], salt: u64) -> Result<Findings, Refusal> {
    let mut findings = Findings::default();
    let options = [2, 1].map(|db_version| Options { db_version, ..Options::default() });
    let (mut opener, first) = Session::open(method, KEY, salt, &sets[0], options[0]);
    let (mut other, step) = Session::accept(KEY, &sets[1], options[1], &first)?;
    let mut message = take(&mut findings, 1, step);
    let mut side = 0;
    while let Some(bytes) = message {
        let session = if side == 0 { &mut opener } else { &mut other };
        let step = session.receive(&sets[side], &bytes)?;
        message = take(&mut findings, side, step);
        side = 1 - side;
    }
    findings.counters = opener.counters();
    findings.ended = opener.ended();
    Ok(findings)
}

fn take(findings: &mut Findings, side: usize, step: Step) -> Option<Vec<u8>> {
    if step.restarted {
        findings.give = Default::default();
    }
    findings.give[side].extend(step.give);
    findings.give_all[side] |= step.give_all;
    step.messages.into_iter().next()
}

/// The hashes that one side has alone, and those that it lacks.
pub type Hashes = [BTreeSet<[u8; 32]>; 2];

/// What the negentropy crate finds for the first side, and its cost in the same frames.
///
/// # Errors
/// If it refuses its own messages.
pub fn negentropy(replicas: &Replicas) -> Result<(Hashes, Counters), negentropy::Error> {
    use negentropy::{Id, Negentropy, NegentropyStorageVector};
    let mut sides = Vec::new();
    for own in &replicas.own {
        let mut storage = NegentropyStorageVector::new();
        for entry in replicas.shared.iter().chain(own) {
            let made = entry.id.0[..6].iter().fold(0, |made, &byte| made << 8 | u64::from(byte));
            let at = if replicas.order == Order::Time { entry.version.time } else { made };
            storage.insert(at, Id::from_byte_array(entry.hash))?;
        }
        storage.seal()?;
        sides.push(Negentropy::owned(storage, 0)?);
    }
    let [client, server] = &mut sides[..] else { return Ok(Default::default()) };
    let (mut have, mut need) = (Vec::new(), Vec::new());
    let mut counters = Counters::default();
    let mut count = |message: &[u8]| {
        counters.messages += 1;
        counters.bytes += (message.len() + seedbed_core::contract::frame::HEADER_SIZE) as u64;
    };
    let mut query = client.initiate()?;
    loop {
        count(&query);
        let answer = server.reconcile(&query)?;
        count(&answer);
        match client.reconcile_with_ids(&answer, &mut have, &mut need)? {
            Some(next) => query = next,
            None => break,
        }
    }
    counters.round_trips = counters.messages / 2;
    Ok(([have, need].map(|found| found.iter().map(|id| id.to_bytes()).collect()), counters))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The crate is the oracle for which documents each side has alone.
    #[test]
    fn negentropy_finds_the_same_differences() {
        for seed in 0..60 {
            let shape = if seed % 2 == 0 { Shape::Scattered } else { Shape::Recent };
            let differences = [0, 1, 7, 60, 400, 499][seed as usize % 6];
            let replicas = Replicas::new(500 + seed * 60, differences, shape, seed);
            let (theirs, _) = negentropy(&replicas).expect("honest sides");
            assert_eq!(theirs.iter().map(BTreeSet::len).sum::<usize>() as u64, differences);
            for method in [Method::Digest, Method::Merkle, Method::Range, Method::Riblt, Method::Auto] {
                let sets = replicas.sets(replicas.order, false);
                let found = reconcile(method, &sets, seed).expect("honest sides");
                if found.give_all == [true; 2] {
                    assert_eq!(method, Method::Auto);
                    continue;
                }
                let ours = [0, 1].map(|side: usize| {
                    let given = found.give[side].iter().filter_map(|id| sets[side].entry(*id));
                    given.map(|entry| entry.hash).collect::<BTreeSet<_>>()
                });
                assert_eq!(ours, theirs, "{method:?}, seed {seed}");
            }
        }
    }
}
