//! When something was written, and by whom: hybrid logical clocks.
//!
//! Kulkarni et al., "Logical Physical Clocks" (OPODIS 2014): a stamp follows the wall clock where it can and causality
//! always. Two stamps of one replica are never equal, and two replicas' stamps differ by their name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::contract::{Dice, NodeId, Time};

/// The bits of a stamp that count within a millisecond.
const COUNTER_BITS: u32 = 16;

/// A point in the order of writes: 48 bits of wall milliseconds, 16 bits of counter, then the writer.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Stamp {
    /// Milliseconds since 1970 in the upper 48 bits, a counter below.
    pub time: u64,
    /// Who wrote.
    pub node: NodeId,
}

impl Stamp {
    /// Before every write.
    pub const ZERO: Self = Self { time: 0, node: NodeId(0) };

    /// The wall clock's part, in milliseconds since 1970.
    #[must_use]
    pub const fn millis(self) -> u64 {
        self.time >> COUNTER_BITS
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}@{}", self.millis(), self.time & ((1 << COUNTER_BITS) - 1), self.node)
    }
}

/// The name of a document: a UUIDv7 (RFC 9562), which starts with the milliseconds of its making.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct DocumentId(pub [u8; 16]);

impl DocumentId {
    /// A new name: the wall clock's milliseconds, then 74 secret bits.
    #[must_use]
    pub fn new(wall: Time, dice: &mut Dice<'_>) -> Self {
        let mut bytes = [0; 16];
        for (byte, drawn) in bytes.iter_mut().zip(dice.secret()) {
            *byte = drawn;
        }
        let millis = (wall.0 / 1_000_000).to_be_bytes();
        bytes[..6].copy_from_slice(&millis[2..]);
        bytes[6] = bytes[6] & 0x0F | 0x70;
        bytes[8] = bytes[8] & 0x3F | 0x80;
        Self(bytes)
    }
}

/// Why a text names no document.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a document's name is a UUID of version 7, as 01890a5d-ac96-774b-bcce-b302099a8057")]
pub struct BadId;

/// Reads the canonical form alone: 32 lower-case hexadecimal digits in five groups.
impl FromStr for DocumentId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let mut digits = [0; 32];
        let mut kept = 0;
        for (at, byte) in text.bytes().enumerate() {
            match (at, byte) {
                (8 | 13 | 18 | 23, b'-') => {}
                (8 | 13 | 18 | 23, _) => return Err(BadId),
                (_, byte) => {
                    *digits.get_mut(kept).ok_or(BadId)? = byte;
                    kept += 1;
                }
            }
        }
        let mut bytes = [0; 16];
        let read = data_encoding::HEXLOWER.decode_mut(&digits, &mut bytes).map_err(|_| BadId)?;
        let is_v7 = bytes[6] >> 4 == 7 && bytes[8] >> 6 == 2;
        if kept == 32 && read == 16 && is_v7 { Ok(Self(bytes)) } else { Err(BadId) }
    }
}

impl DocumentId {
    /// Appends the canonical form.
    pub(super) fn write(self, out: &mut String) {
        for (at, byte) in self.0.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                out.push('-');
            }
            for digit in [byte >> 4, byte & 15] {
                out.push(char::from_digit(digit.into(), 16).unwrap_or_default());
            }
        }
    }
}

impl DocumentId {
    /// The id of a document that is known by a number: a valid UUIDv7 whose time is the number.
    #[must_use]
    pub fn numbered(number: u64) -> Self {
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&(number & 0xFFFF_FFFF_FFFF).to_be_bytes()[2..]);
        (bytes[6], bytes[8]) = (0x70, 0x80);
        Self(bytes)
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(36);
        self.write(&mut text);
        f.write_str(&text)
    }
}

/// Why a stamp of another replica was not taken.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, thiserror::Error)]
#[error("a clock is {ahead_ms} ms ahead, more than the {allowed_ms} ms allowed")]
pub struct TooFarAhead {
    /// How far, in milliseconds.
    pub ahead_ms: u64,
    /// What is allowed, in milliseconds.
    pub allowed_ms: u64,
}

/// One replica's hybrid logical clock.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Clock {
    latest: u64,
}

impl Clock {
    /// The stamp of a new write: above all stamps given or seen. The counter carries into the milliseconds when it is full.
    pub fn tick(&mut self, wall: Time, node: NodeId) -> Stamp {
        self.latest = (self.latest.saturating_add(1)).max(reading(wall));
        Stamp { time: self.latest, node }
    }

    /// The greatest stamp given or seen so far, under the name `node`.
    #[must_use]
    pub const fn latest(&self, node: NodeId) -> Stamp {
        Stamp { time: self.latest, node }
    }

    /// Goes on behind a stamp that this replica gave or took in an earlier life.
    pub fn resume(&mut self, stamp: Stamp) {
        self.latest = self.latest.max(stamp.time);
    }

    /// The latest time that [`see`](Self::see) takes.
    #[must_use]
    pub const fn latest_allowed(wall: Time, allowed_ms: u64) -> u64 {
        let millis = (wall.0 / 1_000_000).saturating_add(allowed_ms);
        millis.saturating_mul(1 << COUNTER_BITS) | ((1 << COUNTER_BITS) - 1)
    }

    /// Takes notice of a stamp that came from elsewhere, so that later writes exceed it.
    ///
    /// # Errors
    /// If it is more than `allowed_ms` milliseconds ahead of this replica's wall clock; then nothing changes.
    pub fn see(&mut self, stamp: Stamp, wall: Time, allowed_ms: u64) -> Result<(), TooFarAhead> {
        let ahead_ms = stamp.millis().saturating_sub(reading(wall) >> COUNTER_BITS);
        if ahead_ms > allowed_ms {
            return Err(TooFarAhead { ahead_ms, allowed_ms });
        }
        self.latest = self.latest.max(stamp.time);
        Ok(())
    }
}

/// A wall clock as the time of a stamp.
fn reading(wall: Time) -> u64 {
    (wall.0 / 1_000_000) << COUNTER_BITS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::contract::{Keys, Life};
    use crate::sync::testing::cases;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_full_counter_carries_into_the_milliseconds() {
        let mut clock = Clock { latest: 7 << COUNTER_BITS | 0xFFFF };
        let stamp = clock.tick(Time(0), NodeId(1));
        assert_eq!((stamp.millis(), stamp.time & 0xFFFF), (8, 0));
    }

    #[test]
    fn a_clock_too_far_ahead_changes_nothing() {
        let mut clock = Clock::default();
        let ahead = Stamp { time: 5_001 << COUNTER_BITS, node: NodeId(9) };
        assert_eq!(clock.see(ahead, Time(0), 5_000), Err(TooFarAhead { ahead_ms: 5_001, allowed_ms: 5_000 }));
        assert_eq!(clock, Clock::default());
        assert_eq!(clock.see(ahead, Time(1_000_000), 5_000), Ok(()));
        assert!(clock.tick(Time(0), NodeId(0)) > ahead);
    }

    #[test]
    fn a_name_starts_with_its_time_and_reads_back() {
        // The example of RFC 9562, appendix A.6.
        let example: DocumentId = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f".parse().unwrap();
        assert_eq!(example.to_string(), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
        let keys = Keys::from_seed(3);
        let mut dice = Dice::new(&keys, NodeId(1), Life(0), 4);
        let id = DocumentId::new(Time(0x017F_22E2_79B0 * 1_000_000), &mut dice);
        assert!(id.to_string().starts_with("017f22e2-79b0-7"));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_ne!(DocumentId::new(Time(0x017F_22E2_79B0 * 1_000_000), &mut dice), id);
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in [
            "",
            "017F22E2-79B0-7CC3-98C4-DC0C0C07398F",
            "017f22e279b07cc398c4dc0c0c07398f",
            "017f22e2-79b0-4cc3-98c4-dc0c0c07398f",
            "017f22e2-79b0-7cc3-08c4-dc0c0c07398f",
            "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
            "017f22e2-79b0-7cc3-98c4-dc0c0c07398f0",
            "017f22e2-79b0-7cc3-98c4-dc0c0c07398\u{e9}",
        ] {
            assert_eq!(text.parse::<DocumentId>(), Err(BadId), "{text}");
        }
    }

    proptest! {
        #![proptest_config(cases(1_000))]

        /// Whatever the wall clock does, a stamp exceeds all that were given or seen.
        #[test]
        fn stamps_exceed_all_before(steps in proptest::collection::vec((0..100 * SECOND, proptest::option::of(0..90_000_u64)), 1..60)) {
            let mut clock = Clock::default();
            let mut greatest = Stamp::ZERO;
            for (wall, seen) in steps {
                let wall = Time(wall);
                if let Some(millis) = seen {
                    let stamp = Stamp { time: millis << COUNTER_BITS | 0xFFF0, node: NodeId(7) };
                    let before = clock;
                    match clock.see(stamp, wall, 10_000) {
                        Ok(()) => greatest = greatest.max(stamp),
                        Err(_) => prop_assert_eq!(clock, before),
                    }
                }
                let given = clock.tick(wall, NodeId(2));
                prop_assert!(given.time > greatest.time);
                prop_assert!(given.time >= reading(wall));
                greatest = given;
            }
        }
    }
}
