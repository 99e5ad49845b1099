//! When something was written, and by whom: hybrid logical clocks.
//!
//! Kulkarni et al., "Logical Physical Clocks" (OPODIS 2014): a stamp follows the wall clock where it can and causality
//! always. Two stamps of one replica are never equal, and two replicas' stamps differ by their name.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::contract::{NodeId, Time};

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

/// Why a stamp of another replica was not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
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
