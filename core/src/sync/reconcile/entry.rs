//! Entries, their sums, and the keys that hash them.

use serde::{Deserialize, Serialize};

use crate::sync::{DocumentId, Stamp};

/// The secret that a collection's members share. Whoever does not know it cannot choose documents by their hash.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct CollectionKey(pub [u8; 32]);

impl CollectionKey {
    /// The hash of a document: keyed BLAKE3 over its id and the canonical bytes of its state.
    #[must_use]
    pub fn hash(&self, id: DocumentId, state: &[u8]) -> [u8; 32] {
        *blake3::Hasher::new_keyed(&self.0).update(&id.0).update(state).finalize().as_bytes()
    }

    /// The key of one session. `salt` is drawn afresh for each.
    #[must_use]
    pub fn session(&self, salt: u64) -> SessionKey {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        SessionKey(
            *hasher
                .update(b"seedbed reconciliation session")
                .update(&salt.to_le_bytes())
                .finalize()
                .as_bytes(),
        )
    }
}

/// A document as reconciliation sees it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Entry {
    /// Which document.
    pub id: DocumentId,
    /// Its latest write.
    pub version: Stamp,
    /// Of its id and state, by [`CollectionKey::hash`]. Entries are the same if their hashes are.
    pub hash: [u8; 32],
}

impl Entry {
    /// Eight bytes that stand for this entry in messages: the start of its keyed hash.
    #[must_use]
    pub fn short(&self) -> u64 {
        short(&self.hash)
    }
}

pub(super) fn short(hash: &[u8; 32]) -> u64 {
    u64::from_le_bytes([hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]])
}

/// A place in a set's order: a prefix (of the id, the time or the hash), then the id.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Key {
    /// What is compared first.
    pub prefix: u64,
    /// The id as a big-endian number.
    pub id: u128,
}

impl Key {
    /// Below every entry.
    pub const MIN: Self = Self { prefix: 0, id: 0 };
}

/// How many entries, and the sum of their hashes modulo 2^256.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Aggregate {
    /// Four words, the least significant first.
    pub sum: [u64; 4],
    /// How many.
    pub count: u64,
    /// The sum is an exclusive or: a planted bug, see [`EntrySet::with_exclusive_or`](super::EntrySet::with_exclusive_or).
    #[serde(skip)]
    pub(super) is_xor: bool,
}

impl Aggregate {
    /// Of one entry.
    #[must_use]
    pub fn of(hash: &[u8; 32]) -> Self {
        let mut sum = [0; 4];
        for (word, bytes) in sum.iter_mut().zip(hash.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        Self { sum, count: 1, is_xor: false }
    }

    /// Takes the other in by exclusive or, if one of the two is one. Whether it did.
    fn mixes(&mut self, other: &Self) -> bool {
        self.is_xor |= other.is_xor;
        if self.is_xor {
            self.sum.iter_mut().zip(other.sum).for_each(|(word, other)| *word ^= other);
        }
        self.is_xor
    }

    /// Adds the other's entries.
    pub fn add(&mut self, other: &Self) {
        self.count = self.count.wrapping_add(other.count);
        if self.mixes(other) {
            return;
        }
        let mut carry = false;
        for (word, other) in self.sum.iter_mut().zip(other.sum) {
            let (sum, first) = word.overflowing_add(other);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            (*word, carry) = (sum, first | second);
        }
    }

    /// Takes the other's entries away.
    pub fn subtract(&mut self, other: &Self) {
        self.count = self.count.wrapping_sub(other.count);
        if self.mixes(other) {
            return;
        }
        let mut borrow = false;
        for (word, other) in self.sum.iter_mut().zip(other.sum) {
            let (rest, first) = word.overflowing_sub(other);
            let (rest, second) = rest.overflowing_sub(u64::from(borrow));
            (*word, borrow) = (rest, first | second);
        }
    }
}

/// The key of one session.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct SessionKey([u8; 32]);

impl SessionKey {
    /// All 32 bytes of a fingerprint, for the check of a whole set.
    #[must_use]
    pub fn root(&self, of: &Aggregate) -> [u8; 32] {
        let mut bytes = [0; 40];
        let words = of.sum.iter().chain([&of.count]);
        for (place, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(words) {
            *place = word.to_le_bytes();
        }
        *blake3::keyed_hash(&self.0, &bytes).as_bytes()
    }

    /// The eight bytes that stand for a range.
    #[must_use]
    pub fn fingerprint(&self, of: &Aggregate) -> u64 {
        short(&self.root(of))
    }

    /// The eight bytes that stand for an entry in this session alone.
    #[must_use]
    pub fn entry(&self, entry: &Entry) -> u64 {
        short(blake3::keyed_hash(&self.0, &entry.hash).as_bytes())
    }
}
