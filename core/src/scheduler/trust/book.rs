//! What the hub knows of each worker: durable, in fixed point, each number within its range.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fixed::Fixed;
use crate::contract::NodeId;

/// By what name the hub knows a worker. A node that comes back under a new one is a new worker to it.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Identity(pub u64);

impl Identity {
    /// No worker: the hub itself, where it has computed an answer.
    pub const HUB: Self = Self(u64::MAX);
}

impl From<NodeId> for Identity {
    fn from(node: NodeId) -> Self {
        Self(u64::from(node.0))
    }
}

/// How much a worker's answers move, and how far. Of the policy's parameters.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Rates {
    pub(super) lowest: Fixed,
    pub(super) highest: Fixed,
    pub(super) gain: Fixed,
    pub(super) loss: Fixed,
    /// What is left of old evidence when new comes, at most one.
    pub(super) memory: Fixed,
    /// The most workers that are remembered: whoever comes under ever new names fills no memory.
    pub(super) identities: usize,
}

/// What is known of one worker. All policies keep all of it, so that a hub may mix or change them.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Standing {
    /// DistriCloud's trust: up with each valid answer, down with each invalid one, in the range of the parameters.
    pub trust: Fixed,
    /// BOINC's `consecutive_valid`: valid answers that others confirmed, since the last invalid one, error or time-out.
    pub streak: u32,
    /// Spot-checks passed (Sarmenta's k).
    pub passed: u32,
    /// Whether it failed a spot-check, and is out for ever.
    pub blacklisted: bool,
    /// Evidence for it: confirmed answers, the older the less (beta reputation's r).
    pub good: Fixed,
    /// Evidence against it, likewise (s).
    pub bad: Fixed,
    /// How many jobs it may have in a day, at least 1: up by 1 with each valid answer, down by 1 with each other.
    pub quota: u32,
    /// The day that `today` counts.
    pub day: u64,
    /// Jobs it had on that day.
    pub today: u32,
    /// Answers that turned out valid.
    pub valid: u64,
    /// Answers that turned out invalid, and spot-checks failed.
    pub invalid: u64,
    /// Errors and time-outs.
    pub lapses: u64,
}

impl Standing {
    pub(super) const fn newcomer(trust: Fixed, quota: u32) -> Self {
        Self {
            trust,
            streak: 0,
            passed: 0,
            blacklisted: false,
            good: Fixed::ZERO,
            bad: Fixed::ZERO,
            quota,
            day: 0,
            today: 0,
            valid: 0,
            invalid: 0,
            lapses: 0,
        }
    }

    /// The expected share of right answers, given the evidence: (r + 1) / (r + s + 2).
    #[must_use]
    pub fn reputation(&self) -> Fixed {
        let one_more = self.good.plus(Fixed::ONE);
        one_more.per(one_more.plus(self.bad).plus(Fixed::ONE))
    }

    /// An answer was accepted, and others confirmed it (or nobody needs to).
    pub(super) fn confirmed(&mut self, rates: &Rates) {
        self.accepted();
        self.streak = self.streak.saturating_add(1);
        self.trust = self.trust.plus(rates.gain).clamp(rates.lowest, rates.highest);
        self.fade(rates);
        self.good = self.good.plus(Fixed::ONE);
    }

    /// An answer was accepted on this worker's word alone: that says nothing of the worker.
    pub(super) const fn accepted(&mut self) {
        self.valid = self.valid.saturating_add(1);
        self.quota = self.quota.saturating_add(1);
    }

    /// An answer was found wrong.
    pub(super) fn refuted(&mut self, rates: &Rates) {
        self.invalid = self.invalid.saturating_add(1);
        self.trust = self.trust.minus(rates.loss).clamp(rates.lowest, rates.highest);
        self.slip(rates);
    }

    /// No answer came, or an error.
    pub(super) fn lapsed(&mut self, rates: &Rates) {
        self.lapses = self.lapses.saturating_add(1);
        self.slip(rates);
    }

    /// Takes one of the day's jobs; false if there is none left.
    pub(super) const fn spend(&mut self, day: u64) -> bool {
        if self.day != day {
            (self.day, self.today) = (day, 0);
        }
        let left = self.today < self.quota;
        if left {
            self.today += 1;
        }
        left
    }

    fn slip(&mut self, rates: &Rates) {
        self.streak = 0;
        self.quota = self.quota.saturating_sub(1).max(1);
        self.fade(rates);
        self.bad = self.bad.plus(Fixed::ONE);
    }

    fn fade(&mut self, rates: &Rates) {
        self.good = self.good.times(rates.memory);
        self.bad = self.bad.times(rates.memory);
    }
}

/// Every worker's standing. Made by [`Policy::book`](super::Policy::book), which knows how newcomers begin.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct TrustBook {
    newcomer: Standing,
    known: BTreeMap<Identity, Standing>,
}

impl TrustBook {
    pub(super) const fn new(newcomer: Standing) -> Self {
        Self { newcomer, known: BTreeMap::new() }
    }

    /// What is known of a worker; of one that never had work, what newcomers begin with.
    #[must_use]
    pub fn standing(&self, who: Identity) -> &Standing {
        self.known.get(&who).unwrap_or(&self.newcomer)
    }

    /// All workers that ever had work, in ascending order.
    pub fn standings(&self) -> impl Iterator<Item = (Identity, &Standing)> {
        self.known.iter().map(|(who, standing)| (*who, standing))
    }

    /// Writes down a worker as it comes for its first work; `None` if the book is full.
    pub(super) fn enter(&mut self, who: Identity, rates: &Rates) -> Option<&mut Standing> {
        if self.known.len() >= rates.identities && !self.known.contains_key(&who) {
            return None;
        }
        Some(self.known.entry(who).or_insert_with(|| self.newcomer.clone()))
    }

    /// The standing of a worker that is in the book.
    pub(super) fn change(&mut self, who: Identity) -> Option<&mut Standing> {
        self.known.get_mut(&who)
    }
}
