//! Encodings for recordings, quick enough for every step.

use postcard::ser_flavors::Flavor;
use serde::Serialize;

/// Appends the encoding of a value.
pub(super) fn append(value: &impl Serialize, out: &mut Vec<u8>) -> postcard::Result<()> {
    postcard::serialize_with_flavor(value, Append(out))
}

struct Append<'a>(&'a mut Vec<u8>);

impl Flavor for Append<'_> {
    type Output = ();

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// The fingerprint of a value's encoding. It finds differences, not forgers.
pub(super) fn fingerprint(value: &impl Serialize) -> u64 {
    // What cannot be encoded has the fingerprint of what could be said of it, every time the same.
    postcard::serialize_with_flavor(value, Print { folded: FIRST, word: 0, length: 0 }).unwrap_or(u64::MAX)
}

const FIRST: u64 = 0x9E37_79B9_7F4A_7C15;
const SECOND: u64 = 0xD6E8_FEB8_6659_FD93;

/// Folds eight bytes at a time into the product of what was and what comes.
struct Print {
    folded: u64,
    word: u64,
    length: u64,
}

impl Print {
    #[inline]
    fn fold(&mut self, word: u64) {
        let product = u128::from(self.folded ^ word) * u128::from(SECOND ^ self.length);
        self.folded = (product as u64 ^ (product >> 64) as u64).wrapping_add(FIRST);
    }
}

impl Flavor for Print {
    type Output = u64;

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.word |= u64::from(byte) << (8 * (self.length % 8));
        self.length += 1;
        if self.length.is_multiple_of(8) {
            self.fold(self.word);
            self.word = 0;
        }
        Ok(())
    }

    fn try_extend(&mut self, mut bytes: &[u8]) -> postcard::Result<()> {
        while !self.length.is_multiple_of(8)
            && let [byte, rest @ ..] = bytes
        {
            self.try_push(*byte)?;
            bytes = rest;
        }
        let (words, rest) = bytes.as_chunks();
        for word in words {
            self.length += 8;
            self.fold(u64::from_le_bytes(*word));
        }
        rest.iter().try_for_each(|byte| self.try_push(*byte))
    }

    fn finalize(mut self) -> postcard::Result<u64> {
        self.fold(self.word);
        Ok(self.folded)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_fingerprint_stays_what_it_was() {
        assert_eq!(
            fingerprint(&()),
            0x680f_ee83_d724_5c6a,
            "recordings differ: raise the digit of the format"
        );
        assert_eq!(
            fingerprint(&"seedbed"),
            0xecb2_f3c9_7d41_6c14,
            "recordings differ: raise the digit of the format"
        );
    }

    proptest! {
        #[test]
        fn bytes_count_alike_one_by_one_and_together(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in any::<prop::sample::Index>()) {
            let cut = cut.index(bytes.len() + 1);
            let (mut one, mut other) = [(); 2].map(|()| Print { folded: FIRST, word: 0, length: 0 }).into();
            bytes.iter().try_for_each(|byte| one.try_push(*byte)).unwrap();
            other.try_extend(&bytes[..cut]).unwrap();
            other.try_extend(&bytes[cut..]).unwrap();
            prop_assert_eq!(one.finalize(), other.finalize());
        }

        #[test]
        fn every_bit_counts(bytes in proptest::collection::vec(any::<u8>(), 1..60), bit in any::<prop::sample::Index>()) {
            let mut changed = bytes.clone();
            let bit = bit.index(bytes.len() * 8);
            changed[bit / 8] ^= 1 << (bit % 8);
            prop_assert_ne!(fingerprint(&bytes), fingerprint(&changed));
            changed.clone_from(&bytes);
            changed.push(0);
            prop_assert_ne!(fingerprint(&bytes), fingerprint(&changed));
        }
    }
}
