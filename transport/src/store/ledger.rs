//! What the records that count take.

use std::collections::BTreeMap;

use seedbed_core::contract::Tag;

/// Their weight, together and by tag.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    pub(super) total: u64,
    of: BTreeMap<Tag, u64>,
}

impl Ledger {
    pub(super) fn add(&mut self, tag: Tag, weight: u64) {
        self.total += weight;
        *self.of.entry(tag).or_default() += weight;
    }

    pub(super) fn of(&self, tag: Tag) -> u64 {
        self.of.get(&tag).copied().unwrap_or_default()
    }

    pub(super) fn clear(&mut self, tag: Tag) {
        self.total -= self.of.remove(&tag).unwrap_or_default();
    }
}

/// What a record counts against a bound: as in the simulator.
pub(super) const fn weight(record: &[u8]) -> u64 {
    record.len() as u64 + 8
}
