//! The frames that the two ends of a connection send each other, and that no node ever sees.
//!
//! There is no pong: each end pings when it has said nothing for a while, and takes silence for death. So an end
//! that is slow to read is not taken for dead, as it would be if it had to answer.

use seedbed_core::contract::Life;
use seedbed_core::contract::frame::{self, Header, KIND_LINK_MIN, Sealed};

/// The first frame of a connection, in both directions.
pub(super) const HELLO: u8 = KIND_LINK_MIN;
/// Instead of a hello: why there will be none. The last frame.
pub(super) const REFUSE: u8 = KIND_LINK_MIN + 1;
/// Says nothing but that its sender is there.
pub(super) const PING: u8 = KIND_LINK_MIN + 2;
/// So many more bulk frames may come: a u32, little-endian.
pub(super) const CREDIT: u8 = KIND_LINK_MIN + 3;
/// The longest of these frames in bytes.
pub(super) const OWN_MAX: usize = 1 << 10;

/// Appends a frame of the link's own.
pub(super) fn push(kind: u8, body: &[u8], out: &mut Vec<u8>) {
    let header = Header { protocol: 0, life: Life(0), ordinal: 0 };
    let fits = frame::seal(header, kind, body, out);
    debug_assert!(fits.is_ok(), "own frames are short");
}

/// A frame of the link's own, if it is whole and undamaged.
pub(super) fn open(bytes: &[u8]) -> Option<Sealed<'_>> {
    frame::open(bytes).ok().filter(|sealed| sealed.size <= OWN_MAX)
}

/// How many credits a frame gives.
pub(super) fn credits(body: &[u8]) -> Option<u32> {
    body.try_into().ok().map(u32::from_le_bytes)
}
