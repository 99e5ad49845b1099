//! What has happened to a node: a bounded, numbered log that can be followed while it grows.
//!
//! The newest events are held in memory. With a file beside it, each one is also written as a line of JSON before anyone
//! can read it, so that it survives `kill -9`, and numbers go on counting over the lives of a node.

mod file;
mod observer;

use std::collections::VecDeque;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use seedbed_core::contract::{Life, NodeId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;

use file::File;

pub(super) use observer::value;
pub use observer::{Observed, Observer, Sight};

/// How many events are held in memory.
pub const EVENTS_MAX: usize = 4096;
/// The longest that the JSON of what happened may be, in bytes: of what is longer, only its length is told.
pub const WHAT_MAX: usize = 8 << 10;
/// How many bytes of lines are written together, but for the last.
const LINES_MAX: usize = 64 << 10;

/// Something that happened to a node.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Event {
    /// Counts the events of a node from 1.
    pub seq: u64,
    /// What happened.
    #[serde(flatten)]
    pub happening: Happening,
}

/// What happened, where and when.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Happening {
    /// To which node.
    pub node: NodeId,
    /// In which of its lives.
    pub life: Life,
    /// In which step of that life.
    pub step: u64,
    /// When, by the wall clock: RFC 3339, in UTC.
    pub wall: String,
    /// When, by the steady clock: nanoseconds since the life began.
    pub steady_ns: u64,
    /// What sort of thing it was.
    pub kind: Kind,
    /// The details: what depends on the kind.
    pub what: Value,
}

/// What sort of thing happened.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A life has begun, with so many records.
    Start,
    /// A life is over.
    Stop,
    /// The node is something else than before.
    Role,
    /// The protocol gave a notice.
    Notice,
    /// A record is on disk. The step is the one that wrote it.
    Record,
    /// The log has been replaced by a shorter one, which is on disk.
    Checkpoint,
    /// The membership is another.
    Members,
    /// A connection came up or went down.
    Link,
    /// The disk had no room for a record.
    Full,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// The events of a node. Clones are the same log.
#[derive(Clone, Debug)]
pub struct EventLog {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    ring: Mutex<Ring>,
    newest: watch::Sender<u64>,
}

#[derive(Debug)]
struct Ring {
    events: VecDeque<Event>,
    newest: u64,
    capacity: usize,
    file: Option<File>,
    /// Lines for the file, and how many they are.
    lines: Vec<u8>,
    waiting: u64,
    unwritten: u64,
}

/// Events that came after one that a reader has.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// In order.
    pub events: Vec<Event>,
    /// What the reader asked for and can no longer be told.
    pub gap: Option<Gap>,
}

/// Why a reader misses events.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Gap {
    /// It was too slow: so many were dropped.
    Dropped {
        /// How many.
        missed: u64,
    },
    /// It has seen events that this log does not know: a log without a file began anew with its process.
    Restarted,
}

impl EventLog {
    /// An empty log that is lost with its process.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(EVENTS_MAX)
    }

    /// The same, holding so many events.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self::from_ring(Ring {
            events: VecDeque::new(),
            newest: 0,
            capacity: capacity.max(1),
            file: None,
            lines: Vec::new(),
            waiting: 0,
            unwritten: 0,
        })
    }

    /// The log of this file, which is made if it is not there. At `file_max` bytes the file takes the place of
    /// its predecessor, `NAME.old`, and a new one is begun.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub fn open(path: &Path, file_max: u64) -> std::io::Result<Self> {
        let (file, events) = File::open(path, file_max, EVENTS_MAX)?;
        Ok(Self::from_ring(Ring {
            newest: events.back().map_or(0, |event| event.seq),
            events,
            capacity: EVENTS_MAX,
            file: Some(file),
            lines: Vec::new(),
            waiting: 0,
            unwritten: 0,
        }))
    }

    fn from_ring(ring: Ring) -> Self {
        let newest = watch::Sender::new(ring.newest);
        Self { shared: Arc::new(Shared { ring: Mutex::new(ring), newest }) }
    }

    /// Adds an event and wakes those who wait for it; its number.
    pub fn append(&self, happening: Happening) -> u64 {
        self.append_all([happening])
    }

    /// Adds events, which are written together, and wakes those who wait for them; the number of the last.
    pub fn append_all(&self, happenings: impl IntoIterator<Item = Happening>) -> u64 {
        let mut ring = self.ring();
        happenings.into_iter().for_each(|happening| ring.push(happening));
        ring.write();
        let newest = ring.newest;
        drop(ring);
        self.shared.newest.send_replace(newest);
        newest
    }

    /// At most `count` events after number `after`.
    #[must_use]
    pub fn after(&self, after: u64, count: usize) -> Batch {
        let ring = self.ring();
        let oldest = ring.events.front().map_or(ring.newest + 1, |event| event.seq);
        let gap = match after {
            _ if after > ring.newest => Some(Gap::Restarted),
            _ if after.saturating_add(1) < oldest => Some(Gap::Dropped { missed: oldest - 1 - after }),
            _ => None,
        };
        let skipped = if gap.is_some() { 0 } else { after.saturating_add(1).saturating_sub(oldest) };
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        Batch { events: ring.events.iter().skip(skipped).take(count).cloned().collect(), gap }
    }

    /// The last events, oldest first.
    #[must_use]
    pub fn last(&self, count: usize) -> Vec<Event> {
        let ring = self.ring();
        ring.events.iter().skip(ring.events.len().saturating_sub(count)).cloned().collect()
    }

    /// The number of the oldest event that is held; one more than the newest if there is none.
    #[must_use]
    pub fn oldest(&self) -> u64 {
        let ring = self.ring();
        ring.events.front().map_or(ring.newest + 1, |event| event.seq)
    }

    /// The number of the newest event, now and whenever it changes; zero before the first.
    #[must_use]
    pub fn newest(&self) -> watch::Receiver<u64> {
        self.shared.newest.subscribe()
    }

    /// How many events could not be written to the file.
    #[must_use]
    pub fn unwritten(&self) -> u64 {
        self.ring().unwritten
    }

    /// A panic elsewhere leaves the ring whole: nothing in it can be half done.
    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.shared.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for EventLog {
    fn default() -> Self {
        Self::new()
    }
}

impl Ring {
    fn push(&mut self, happening: Happening) {
        let mut event = Event { seq: self.newest.saturating_add(1), happening };
        let start = self.lines.len();
        self.encode(&event);
        // The line is longer than what happened, which is seldom long.
        if self.lines.len() - start > WHAT_MAX {
            let length = event.happening.what.to_string().len();
            if length > WHAT_MAX {
                event.happening.what = serde_json::json!({ "omitted_bytes": length });
                self.lines.truncate(start);
                self.encode(&event);
            }
        }
        self.lines.push(b'\n');
        self.waiting += 1;
        self.newest = event.seq;
        if self.events.len() == self.capacity {
            self.events.pop_front();
        }
        self.events.push_back(event);
        if self.lines.len() >= LINES_MAX {
            self.write();
        }
    }

    fn encode(&mut self, event: &Event) {
        let encoded = serde_json::to_writer(&mut self.lines, event);
        debug_assert!(encoded.is_ok(), "{encoded:?}");
    }

    /// Writes the lines that wait.
    fn write(&mut self) {
        if let Some(file) = &mut self.file
            && file.append(&self.lines).is_err()
        {
            self.unwritten += self.waiting;
        }
        self.lines.clear();
        self.waiting = 0;
    }
}
