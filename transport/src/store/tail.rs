//! What has been written and not yet synced.

use seedbed_core::contract::Tag;

use super::{Store, StoreError};

/// What a crash does to what was not synced. Everything synced survives.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Loss {
    /// It is lost: the power went.
    #[default]
    Unsynced,
    /// The first part of it survives, as drawn: 0 for nothing, `u64::MAX` for all of it.
    Torn(u64),
    /// It survives: the process was killed, the machine lives.
    Nothing,
}

/// Writes that wait for a sync.
#[derive(Clone, Debug, Default)]
pub(super) struct Tail(Vec<Write>);

#[derive(Clone, Debug)]
enum Write {
    Append(Tag, Vec<u8>),
    Checkpoint(Tag, Vec<Vec<u8>>),
}

impl Tail {
    pub(super) fn append(&mut self, tag: Tag, record: &[u8]) {
        self.0.push(Write::Append(tag, record.to_vec()));
    }

    pub(super) fn checkpoint(&mut self, tag: Tag, records: &[Vec<u8>]) {
        self.0.push(Write::Checkpoint(tag, records.to_vec()));
    }

    /// Drops what a crash takes.
    pub(super) fn lose(&mut self, loss: Loss) {
        let count = self.0.len();
        let survive = match loss {
            Loss::Unsynced => 0,
            Loss::Torn(draw) => ((u128::from(draw) * (count as u128 + 1)) >> 64) as usize,
            Loss::Nothing => count,
        };
        self.0.truncate(survive);
    }

    /// Hands all writes on to a store.
    pub(super) fn write_to(&mut self, store: &mut impl Store) -> Result<(), StoreError> {
        self.0.drain(..).try_for_each(|write| match write {
            Write::Append(tag, record) => store.append(tag, &record),
            Write::Checkpoint(tag, records) => store.checkpoint(tag, &records),
        })
    }

    /// Applies all writes to a list of records.
    pub(super) fn apply_to(&mut self, log: &mut Vec<(Tag, Vec<u8>)>) {
        for write in self.0.drain(..) {
            match write {
                Write::Append(tag, record) => log.push((tag, record)),
                Write::Checkpoint(tag, records) => {
                    log.retain(|(other, _)| *other != tag);
                    log.extend(records.into_iter().map(|record| (tag, record)));
                }
            }
        }
    }
}
