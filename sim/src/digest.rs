//! The fingerprint of a run: equal digests, equal histories.

use postcard::ser_flavors::Flavor;
use serde::Serialize;

/// A running fingerprint. It is not cryptographic: it finds differences, not forgers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Digest(u64);

const FIRST: u64 = 0x9E37_79B9_7F4A_7C15;
const SECOND: u64 = 0xD6E8_FEB8_6659_FD93;

impl Digest {
    /// The fingerprint of nothing, for a run with this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed ^ FIRST)
    }

    /// Takes in two words.
    #[inline]
    pub const fn fold(&mut self, first: u64, second: u64) {
        let product = ((self.0 ^ first) as u128) * ((SECOND ^ second) as u128);
        self.0 = (product as u64 ^ (product >> 64) as u64).wrapping_add(FIRST);
    }

    /// Takes in a value as encoded.
    pub fn encode<T: Serialize + ?Sized>(&mut self, value: &T) {
        let folder = Folder { digest: *self, word: 0, length: 0 };
        // A value that cannot be encoded (a map of unknown length, say) is a fault of its type, and the same in
        // every run: its name stands for it.
        match postcard::serialize_with_flavor(value, folder) {
            Ok(digest) => *self = digest,
            Err(_) => self.fold(u64::MAX, std::any::type_name::<T>().len() as u64),
        }
    }

    /// The fingerprint so far.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }
}

struct Folder {
    digest: Digest,
    word: u64,
    length: u64,
}

impl Flavor for Folder {
    type Output = Digest;

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.word |= u64::from(byte) << (8 * (self.length % 8));
        self.length += 1;
        if self.length.is_multiple_of(8) {
            self.digest.fold(self.word, self.length);
            self.word = 0;
        }
        Ok(())
    }

    fn finalize(mut self) -> postcard::Result<Digest> {
        self.digest.fold(self.word, !self.length);
        Ok(self.digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &impl Serialize) -> u64 {
        let mut digest = Digest::new(1);
        digest.encode(value);
        digest.value()
    }

    #[test]
    fn every_byte_and_the_length_count() {
        assert_eq!(of(&"abc"), of(&"abc"));
        assert_ne!(of(&"abc"), of(&"abd"));
        assert_ne!(of(&[0u8; 8]), of(&[0u8; 9]));
        assert_ne!(of(&(1u8, 2u8)), of(&(2u8, 1u8)));
    }

    #[test]
    fn order_counts() {
        let (mut one, mut other) = (Digest::new(0), Digest::new(0));
        one.fold(1, 2);
        one.fold(3, 4);
        other.fold(3, 4);
        other.fold(1, 2);
        assert_ne!(one, other);
    }
}
