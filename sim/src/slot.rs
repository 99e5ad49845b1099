//! What the kernel keeps of each node: a cache line or two of what every event touches, and the rest apart.

use std::collections::VecDeque;

use seedbed_core::contract::{EffectOf, Life, Protocol};

use crate::clock::{Clock, Origin};
use crate::cpu::Cpu;
use crate::disk::{Disk, Gated};
use crate::timers::Timers;
use crate::world::Event;

/// What every event touches.
#[derive(Clone)]
#[repr(align(64))]
pub(crate) struct Slot<P: Protocol> {
    pub(crate) state: P,
    pub(crate) timers: Timers<P::Timer>,
    /// Steps taken in this life.
    pub(crate) steps: u64,
    /// Of its steady clock in this life.
    pub(crate) origin: Origin,
    /// At most [`LIVES_MAX`].
    pub(crate) life: u16,
    pub(crate) is_up: bool,
    /// Whether there is anything in its [`Rare`].
    pub(crate) is_rare: bool,
}

/// A node that has lived so often does not start again: in-flight messages carry the life in 16 bits.
pub(crate) const LIVES_MAX: u16 = u16::MAX;

impl<P: Protocol> Slot<P> {
    pub(crate) const fn life(&self) -> Life {
        Life(self.life as u32)
    }

    /// Whether it has ever started.
    pub(crate) const fn has_lived(&self) -> bool {
        self.life > 0 || self.steps > 0
    }
}

/// What only some nodes have.
#[derive(Clone)]
pub(crate) struct Rare<P: Protocol> {
    pub(crate) clock: Option<Clock>,
    pub(crate) disk: Option<Disk<P::Record>>,
    /// What waits for the disk.
    pub(crate) gated: VecDeque<Gated<P>>,
    /// What came while the node was held.
    pub(crate) inbox: VecDeque<Event<P>>,
    pub(crate) held: Held,
    /// What a step that is still being computed will do.
    pub(crate) computed: VecDeque<EffectOf<P>>,
    /// And when it is over.
    pub(crate) computed_at: u64,
    /// What runs the jobs of this life, once there was one.
    pub(crate) cpu: Option<Box<Cpu<P::Job>>>,
}

/// Why a node takes no input.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Held {
    /// A fault paused it.
    pub(crate) paused: bool,
    /// It waits for its blocking disk.
    pub(crate) syncing: bool,
    /// Its last step is still being computed.
    pub(crate) computing: bool,
    /// The disk refused a record, which it has to hear first.
    pub(crate) refused: bool,
}

impl Held {
    pub(crate) const fn any(self) -> bool {
        self.paused || self.syncing || self.computing || self.refused
    }
}

impl<P: Protocol> Default for Rare<P> {
    fn default() -> Self {
        Self {
            clock: None,
            disk: None,
            gated: VecDeque::new(),
            inbox: VecDeque::new(),
            held: Held::default(),
            computed: VecDeque::new(),
            computed_at: 0,
            cpu: None,
        }
    }
}
