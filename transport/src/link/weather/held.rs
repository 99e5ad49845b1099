//! What is under way, in the order in which it is due.

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::Bytes;
use seedbed_core::contract::frame::{self, Header, Sealed};

use super::{Frames, Incoming, Passage, Sky};

/// What is under way to one node may take so many bytes; beyond it nothing more is taken in for a while.
const HELD_MAX: usize = 256 << 20;

/// What is under way to one node.
#[derive(Debug, Default)]
pub(super) struct Held {
    queue: BTreeMap<(Instant, u64), Incoming>,
    /// Orders what is due at the same moment.
    order: u64,
    bytes: usize,
}

impl Held {
    /// Holds something until it is due.
    pub(super) fn hold(&mut self, due: Instant, incoming: Incoming) {
        self.bytes += size(&incoming);
        self.order += 1;
        self.queue.insert((due, self.order), incoming);
    }

    /// Takes what is due first, if it is due by now.
    pub(super) fn due(&mut self, now: Instant) -> Option<Incoming> {
        let first = self.queue.first_entry().filter(|first| first.key().0 <= now)?;
        let incoming = first.remove();
        self.bytes -= size(&incoming);
        Some(incoming)
    }

    /// When something is due next.
    pub(super) fn next(&self) -> Option<Instant> {
        self.queue.first_key_value().map(|((due, _), _)| *due)
    }

    pub(super) fn has_room(&self) -> bool {
        self.bytes < HELD_MAX
    }

    /// Takes frames apart, and lets the sky decide about each.
    pub(super) fn disturb(&mut self, frames: Frames, now: Instant, sky: &mut impl Sky) {
        let Frames { from, lane, ref bytes, .. } = frames;
        let mut rest = bytes.as_ref();
        while let Ok(Sealed { header: Header { life, ordinal, .. }, size, .. }) = frame::open(rest) {
            let (frame, left) = rest.split_at(size);
            rest = left;
            let Some(fate) = sky.fate(Passage { from, lane, life, ordinal, size, at: now }) else { continue };
            for after in [Some(fate.delay), fate.again].into_iter().flatten() {
                // A copy: the frames themselves would keep their sender from sending more.
                let bytes = Bytes::copy_from_slice(frame);
                self.hold(now + after, Incoming::Frames(Frames::new(from, lane, bytes)));
            }
        }
        // What cannot be taken apart is for the node to refuse.
        if !rest.is_empty() {
            let bytes = Bytes::copy_from_slice(rest);
            self.hold(now, Incoming::Frames(Frames::new(from, lane, bytes)));
        }
    }
}

fn size(incoming: &Incoming) -> usize {
    match incoming {
        Incoming::Frames(frames) => frames.bytes.len(),
        Incoming::Up(_) | Incoming::Down(_) => 0,
    }
}
