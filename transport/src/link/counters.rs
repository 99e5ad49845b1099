//! What a link counts: everything that was dropped, refused or damaged, and what it carried.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Something that a link counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Count {
    /// Bytes handed to the network.
    BytesSent,
    /// Bytes that came from the network.
    BytesReceived,
    /// Connections that were made, in either direction.
    Connected,
    /// Connections that ended, for whatever reason.
    Disconnected,
    /// Sends refused because the outbox was full.
    DroppedFull,
    /// Sends refused because there was no connection.
    DroppedUnconnected,
    /// Sends refused because a frame was longer than the lane takes.
    DroppedTooLong,
    /// Bytes that waited when their connection ended.
    BytesLost,
    /// Attempts to reach a peer that failed before any handshake.
    DialsFailed,
    /// Handshakes that failed or took too long: strangers, mostly.
    HandshakesFailed,
    /// Connections turned away because too many handshakes were under way.
    TurnedAway,
    /// Hellos refused: wrong cluster, protocol or version.
    Refused,
    /// Connections ended because a frame's length was impossible, or beyond the lane's limit.
    BadLengths,
    /// Connections ended because a frame of the link's own was damaged, or made no sense.
    Damaged,
    /// Frames of unknown kinds that were skipped.
    UnknownKinds,
    /// Connections ended because a frame took too long to arrive.
    SlowFrames,
    /// Connections ended after too long a silence.
    Dead,
    /// Connections ended because the peer took nothing for too long.
    Stalled,
    /// Connections ended because the peer sent more than it had credits for.
    Overdrawn,
    /// Connections ended because the peer came with a newer one.
    Replaced,
    /// Connections ended because the peer's key is none of its keys any more.
    Revoked,
    /// Connections ended because what the peer said made no sense to the node.
    HungUp,
}

impl Count {
    /// All of them.
    pub const ALL: [Self; 22] = [
        Self::BytesSent,
        Self::BytesReceived,
        Self::Connected,
        Self::Disconnected,
        Self::DroppedFull,
        Self::DroppedUnconnected,
        Self::DroppedTooLong,
        Self::BytesLost,
        Self::DialsFailed,
        Self::HandshakesFailed,
        Self::TurnedAway,
        Self::Refused,
        Self::BadLengths,
        Self::Damaged,
        Self::UnknownKinds,
        Self::SlowFrames,
        Self::Dead,
        Self::Stalled,
        Self::Overdrawn,
        Self::Replaced,
        Self::Revoked,
        Self::HungUp,
    ];

    /// Its name in a list of metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::BytesSent => "bytes_sent",
            Self::BytesReceived => "bytes_received",
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
            Self::DroppedFull => "dropped_full",
            Self::DroppedUnconnected => "dropped_unconnected",
            Self::DroppedTooLong => "dropped_too_long",
            Self::BytesLost => "bytes_lost",
            Self::DialsFailed => "dials_failed",
            Self::HandshakesFailed => "handshakes_failed",
            Self::TurnedAway => "turned_away",
            Self::Refused => "refused",
            Self::BadLengths => "bad_lengths",
            Self::Damaged => "damaged",
            Self::UnknownKinds => "unknown_kinds",
            Self::SlowFrames => "slow_frames",
            Self::Dead => "dead",
            Self::Stalled => "stalled",
            Self::Overdrawn => "overdrawn",
            Self::Replaced => "replaced",
            Self::Revoked => "revoked",
            Self::HungUp => "hung_up",
        }
    }
}

/// The counters of one link. They only rise, and may be read at any time.
#[derive(Default)]
pub struct Counters([AtomicU64; Count::ALL.len()]);

impl Counters {
    /// How often so far, or how many bytes.
    #[must_use]
    pub fn of(&self, count: Count) -> u64 {
        self.0[count as usize].load(Relaxed)
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = (Count, u64)> {
        Count::ALL.into_iter().map(|count| (count, self.of(count)))
    }

    pub(super) fn add(&self, count: Count, more: u64) {
        self.0[count as usize].fetch_add(more, Relaxed);
    }

    pub(super) fn one(&self, count: Count) {
        self.add(count, 1);
    }
}

impl fmt::Debug for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.all().map(|(count, value)| (count.name(), value))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_has_its_place() {
        for (place, count) in Count::ALL.into_iter().enumerate() {
            assert_eq!(count as usize, place);
        }
    }
}
