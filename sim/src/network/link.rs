//! One directed link.

use seedbed_core::contract::{Lane, NodeId, Roll};

use super::Fate;
use crate::law::Law;
use crate::watch::Drop;

/// What a link does to what is sent over it. Probabilities are in 2^-64.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// How long a message takes, its serialisation aside.
    pub latency: Law,
    /// Independent loss.
    pub loss: u64,
    /// Bursty loss on top.
    pub burst: Option<Burst>,
    /// The message arrives twice, each time with a delay of its own.
    pub duplicate: u64,
    /// Some messages are held back.
    pub reorder: Option<Reorder>,
    /// A bit of the frame flips on the way.
    pub corrupt: u64,
    /// Bits per second, shared by the lanes; messages queue for it, and those of the control lane go first.
    pub bandwidth: Option<u64>,
    /// Bytes of one lane that may wait for the bandwidth; what comes on top is lost.
    pub queue: u64,
    /// Whether messages of one lane keep their order, as over one TCP connection.
    pub is_ordered: bool,
}

/// Messages held back so that later ones overtake them.
#[derive(Clone, Debug, PartialEq)]
pub struct Reorder {
    /// How many, in 2^-64.
    pub share: u64,
    /// For how long.
    pub by: Law,
}

/// Gilbert and Elliott's two-state channel: it changes its state at each message, then loses it or not. Probabilities
/// are in 2^-64. Source: E. N. Gilbert, Bell Syst. Tech. J. 39 (1960); E. O. Elliott, ibid. 42 (1963).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Burst {
    /// From good to bad.
    pub begin: u64,
    /// From bad to good.
    pub end: u64,
    /// Loss in the good state.
    pub loss_good: u64,
    /// Loss in the bad state.
    pub loss_bad: u64,
}

/// The bytes that may wait for a link's bandwidth if nothing else is said: 16 MiB.
pub(super) const QUEUE_BYTES: u64 = 16 << 20;

/// A message about to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Passage {
    /// The sender.
    pub from: NodeId,
    /// The receiver.
    pub to: NodeId,
    /// The sender's life.
    pub life: u16,
    /// Counts the sender's messages in this life, with gaps.
    pub ordinal: u64,
    /// When it is sent, in nanoseconds.
    pub at: u64,
    /// On which lane.
    pub lane: Lane,
    /// In bytes; 0 where nobody measures.
    pub size: u64,
}

impl Passage {
    /// Its first draw under the keys of a run: a function of its address, so that it has the same fate on every engine.
    #[inline]
    #[must_use]
    pub const fn draw(&self, roll: &Roll) -> u64 {
        roll.at((self.from.0 as u64) << 32 | self.life as u64, self.ordinal)
    }
}

/// What a link remembers from message to message.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LinkState {
    /// Control, then bulk.
    lanes: [LaneState; 2],
    is_bad: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct LaneState {
    /// The last bit in the queue leaves then.
    busy_until: u64,
    /// The last message arrives then.
    last_arrival: u64,
}

impl Link {
    /// A link with this latency and no faults.
    #[must_use]
    pub const fn new(latency: Law) -> Self {
        Self {
            latency,
            loss: 0,
            burst: None,
            duplicate: 0,
            reorder: None,
            corrupt: 0,
            bandwidth: None,
            queue: QUEUE_BYTES,
            is_ordered: false,
        }
    }

    /// Whether it has nothing but latency and independent loss.
    pub(super) const fn is_simple(&self) -> bool {
        self.duplicate == 0 && self.corrupt == 0 && self.reorder.is_none() && !self.has_state()
    }

    pub(super) const fn has_state(&self) -> bool {
        self.burst.is_some() || self.bandwidth.is_some() || self.is_ordered
    }

    /// What becomes of a message whose first draw is `draw`; `extra` is added to its delay.
    pub(super) fn pass(
        &self,
        roll: &Roll,
        draw: u64,
        extra: u64,
        passage: Passage,
        state: Option<&mut LinkState>,
    ) -> Result<Fate, Drop> {
        let lost = roll.next(draw);
        let mut is_lost = lost < self.loss;
        let burst = roll.next(lost);
        let burst_loss = roll.next(burst);
        let damaged = roll.next(burst_loss);
        let doubled = roll.next(damaged);
        let again = roll.next(doubled);
        let held = roll.next(again);
        let mut delay = extra.saturating_add(self.latency.draw(draw));
        let mut second = extra.saturating_add(self.latency.draw(again));
        if let Some(reorder) = &self.reorder
            && held < reorder.share
        {
            delay = delay.saturating_add(reorder.by.draw(roll.next(held)));
        }
        let is_doubled = doubled < self.duplicate;
        if let Some(state) = state {
            // The channel changes and the bandwidth is used whether or not the message gets through.
            is_lost |= self.burst.is_some_and(|channel| state.is_lossy(channel, burst, burst_loss));
            let queueing = self.queueing(state, passage)?;
            delay = delay.saturating_add(queueing);
            second = second.saturating_add(queueing);
            if self.is_ordered && !is_lost {
                let last = &mut state.lanes[passage.lane as usize].last_arrival;
                let mut in_order = |delay: u64| {
                    *last = passage.at.saturating_add(delay).max(*last);
                    *last - passage.at
                };
                delay = in_order(delay);
                second = if is_doubled { in_order(second) } else { second };
            }
        }
        if is_lost {
            return Err(Drop::Lost);
        }
        Ok(Fate { delay, is_damaged: damaged < self.corrupt, again: is_doubled.then_some(second) })
    }

    /// The time until the last bit of a message has left: waiting and serialisation. A message of the bulk lane waits
    /// for what is queued in the control lane, too, and a control message pushes the bulk queue back; what has been
    /// said to arrive stays as it is.
    fn queueing(&self, state: &mut LinkState, passage: Passage) -> Result<u64, Drop> {
        let Some(bandwidth) = self.bandwidth else { return Ok(0) };
        let bandwidth = u128::from(bandwidth.max(1));
        let [control, bulk] = &mut state.lanes;
        let busy_until = match passage.lane {
            Lane::Control => control.busy_until,
            Lane::Bulk => bulk.busy_until.max(control.busy_until),
        };
        let waiting = busy_until.saturating_sub(passage.at);
        let queued = u128::from(waiting) * bandwidth / 8_000_000_000;
        if queued + u128::from(passage.size) > u128::from(self.queue.max(passage.size)) {
            return Err(Drop::Overflow);
        }
        let bits = u128::from(passage.size) * 8_000_000_000;
        let serialisation = u64::try_from(bits / bandwidth).unwrap_or(u64::MAX);
        let done = waiting.saturating_add(serialisation);
        match passage.lane {
            Lane::Bulk => bulk.busy_until = passage.at.saturating_add(done),
            Lane::Control => {
                control.busy_until = passage.at.saturating_add(done);
                if bulk.busy_until > passage.at {
                    bulk.busy_until = bulk.busy_until.saturating_add(serialisation);
                }
            }
        }
        Ok(done)
    }
}

impl LinkState {
    fn is_lossy(&mut self, channel: Burst, change: u64, loss: u64) -> bool {
        let turns = change < if self.is_bad { channel.end } else { channel.begin };
        self.is_bad ^= turns;
        loss < if self.is_bad { channel.loss_bad } else { channel.loss_good }
    }
}
