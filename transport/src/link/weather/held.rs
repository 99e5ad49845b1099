//! What is under way, in the order in which it is due.

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::Bytes;
use seedbed_core::contract::{Lane, Life, NodeId, frame};

use super::{Fate, Frames, Incoming, Passage, Sky};

/// What is under way to one node may take so many bytes; beyond it nothing more is taken in for a while.
const HELD_MAX: usize = 256 << 20;

/// What is under way to one node.
#[derive(Debug, Default)]
pub(super) struct Held {
    queue: BTreeMap<(Instant, u64), Incoming>,
    /// Orders what is due at the same moment.
    order: u64,
    bytes: usize,
    /// The last message of each lane of each peer: what rides beside it has its fate.
    last: BTreeMap<(NodeId, Lane), (Address, Option<Due>)>,
}

/// The sender's life, and which of its messages.
type Address = (Life, u64);

/// When a message comes, and perhaps comes again.
#[derive(Clone, Copy, Debug)]
struct Due {
    first: Instant,
    again: Option<Instant>,
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

    /// Takes frames apart, and lets the sky decide about each message.
    pub(super) fn disturb(&mut self, frames: Frames, now: Instant, sky: &mut impl Sky) {
        let Frames { from, lane, bytes } = frames;
        let mut rest = bytes.as_ref();
        while let Some((address, length)) = unit(rest) {
            let (unit, left) = rest.split_at(length);
            rest = left;
            let due = match self.last.get(&(from, lane)) {
                Some((last, due)) if *last == address => *due,
                _ => {
                    let (life, ordinal) = address;
                    let fate = sky.fate(Passage { from, lane, life, ordinal, size: length, at: now });
                    fate.map(|Fate { delay, again }| Due {
                        first: now + delay,
                        again: again.map(|again| now + again),
                    })
                }
            };
            self.last.insert((from, lane), (address, due));
            for at in due.into_iter().flat_map(|due| [Some(due.first), due.again]).flatten() {
                // A copy: the frames themselves would keep their sender from sending more.
                let bytes = Bytes::copy_from_slice(unit);
                self.hold(at, Incoming::Frames(Frames { from, lane, bytes }));
            }
        }
        // What cannot be taken apart is for the node to refuse.
        if !rest.is_empty() {
            let bytes = Bytes::copy_from_slice(rest);
            self.hold(now, Incoming::Frames(Frames { from, lane, bytes }));
        }
    }
}

fn size(incoming: &Incoming) -> usize {
    match incoming {
        Incoming::Frames(frames) => frames.bytes.len(),
        Incoming::Up(_) | Incoming::Down(_) => 0,
    }
}

/// The first message of `bytes`, with the frames that ride beside it: they bear its address. Its address and length.
fn unit(bytes: &[u8]) -> Option<(Address, usize)> {
    let (address, mut length) = first(bytes)?;
    while let Some((next, more)) = bytes.get(length..).and_then(first)
        && next == address
    {
        length += more;
    }
    Some((address, length))
}

/// Address and length of the first frame.
fn first(bytes: &[u8]) -> Option<(Address, usize)> {
    let field = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
    let length = (field(0)? as usize).checked_add(4).filter(|length| *length >= frame::HEADER_SIZE)?;
    let ordinal = u64::from_le_bytes(bytes.get(15..23)?.try_into().ok()?);
    (length <= bytes.len()).then_some(((Life(field(11)?), ordinal), length))
}
