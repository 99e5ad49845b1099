//! Bad weather over a good link: a decorator that delays, loses and doubles messages, and stands between nodes.
//!
//! It acts where messages arrive. What is under way does not die with its sender, and does not wait while its sender
//! stands still; a decorator at the sender's end would have to outlive it. What becomes of a message is a function of
//! its address (sender, life, ordinal), which every frame carries, so either end can tell.

mod cuts;
mod held;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io;
use std::time::{Duration, Instant};

use seedbed_core::contract::{Lane, Life, NodeId};

pub use cuts::{Cuts, Way};
use held::Held;

use super::{Frames, Incoming, Link, Refused};
use crate::clock::Alarm;

/// Decides what becomes of messages.
pub trait Sky: Send + 'static {
    /// What becomes of a message that has just been sent; nothing if it is lost.
    fn fate(&mut self, passage: Passage) -> Option<Fate>;

    /// Whether what is under way from this node may still arrive: asked when it is due.
    fn passes(&mut self, from: NodeId) -> bool {
        let _ = from;
        true
    }

    /// How long after the fact a node is told that a peer came up or went down; nothing if it is never told.
    fn hint(&mut self, peer: NodeId, up: bool) -> Option<Duration> {
        let _ = (peer, up);
        Some(Duration::ZERO)
    }

    /// Whether it leaves everything as it is: frames then pass without being looked at.
    fn is_calm(&self) -> bool {
        false
    }
}

/// A message under way to this node.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Passage {
    /// Who sent it.
    pub from: NodeId,
    /// On which lane.
    pub lane: Lane,
    /// The sender's life.
    pub life: Life,
    /// Counts what the sender has sent in this life, with gaps.
    pub ordinal: u64,
    /// The bytes of its frames.
    pub size: usize,
    /// When it came.
    pub at: Instant,
}

/// What becomes of a message that is not lost.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Fate {
    /// How much longer it takes.
    pub delay: Duration,
    /// It comes a second time, after this long.
    pub again: Option<Duration>,
}

/// Fair weather: nothing happens to anything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Calm;

impl Sky for Calm {
    fn fate(&mut self, _: Passage) -> Option<Fate> {
        Some(Fate::default())
    }
    fn is_calm(&self) -> bool {
        true
    }
}

/// A link under a sky.
#[derive(Debug)]
pub struct Weather<L, S = Calm> {
    link: L,
    sky: S,
    cuts: Cuts,
    held: Held,
    /// Rings when something is due; under a calm sky, nothing ever waits.
    alarm: Option<Alarm>,
    is_closed: bool,
}

impl<L: Link> Weather<L> {
    /// A link that can be cut, and is disturbed by nothing else.
    pub fn calm(link: L, cuts: Cuts) -> Self {
        Self { link, sky: Calm, cuts, held: Held::default(), alarm: None, is_closed: false }
    }
}

impl<L: Link, S: Sky> Weather<L, S> {
    /// A link, disturbed by what this sky decides, and by what is cut.
    ///
    /// # Errors
    /// If the system gives no thread for an alarm.
    pub fn new(link: L, sky: S, cuts: Cuts) -> io::Result<Self> {
        let alarm = Some(Alarm::new()?);
        Ok(Self { link, sky, cuts, held: Held::default(), alarm, is_closed: false })
    }

    /// The link itself.
    pub const fn link(&self) -> &L {
        &self.link
    }

    /// Waits until all of these peers can be reached. What comes meanwhile is received afterwards.
    pub async fn meet(&mut self, mut peers: BTreeSet<NodeId>) {
        while !peers.is_empty() && !self.is_closed && self.held.has_room() {
            match self.link.receive().await {
                None => self.is_closed = true,
                Some(incoming) => {
                    match incoming {
                        Incoming::Up(peer) => drop(peers.remove(&peer)),
                        Incoming::Down(peer) => drop(peers.insert(peer)),
                        Incoming::Frames(_) => {}
                    }
                    self.take(incoming, Instant::now());
                }
            }
        }
    }

    /// What is due by now, if anything is, and may pass.
    fn due(&mut self, now: Instant) -> Option<Incoming> {
        while let Some(incoming) = self.held.due(now) {
            match &incoming {
                Incoming::Frames(frames) if !self.may_come(frames.from) => {}
                _ => return Some(incoming),
            }
        }
        None
    }

    fn may_come(&mut self, from: NodeId) -> bool {
        !self.cuts.is_cut(from, Way::From) && self.sky.passes(from)
    }

    fn take(&mut self, incoming: Incoming, now: Instant) {
        match incoming {
            Incoming::Frames(frames) if self.cuts.is_cut(frames.from, Way::From) => drop(frames),
            Incoming::Frames(frames) if self.sky.is_calm() => {
                self.held.hold(now, Incoming::Frames(frames));
            }
            Incoming::Frames(frames) => self.held.disturb(frames, now, &mut self.sky),
            Incoming::Up(peer) => self.hint(peer, true, now),
            Incoming::Down(peer) => self.hint(peer, false, now),
        }
    }

    fn hint(&mut self, peer: NodeId, up: bool, now: Instant) {
        if let Some(after) = self.sky.hint(peer, up) {
            self.held.hold(now + after, if up { Incoming::Up(peer) } else { Incoming::Down(peer) });
        }
    }
}

impl<L: Link, S: Sky> Link for Weather<L, S> {
    fn send(&mut self, to: NodeId, lane: Lane, write: &mut dyn FnMut(&mut Vec<u8>)) -> Result<(), Refused> {
        match self.cuts.is_cut(to, Way::To) {
            // A network that loses something does not tell.
            true => Ok(()),
            false => self.link.send(to, lane, write),
        }
    }

    fn flush(&mut self) {
        self.link.flush();
    }

    async fn receive(&mut self) -> Option<Incoming> {
        loop {
            if let Some(incoming) = self.due(Instant::now()) {
                return Some(incoming);
            }
            let next = self.held.next();
            if self.is_closed && next.is_none() {
                return None;
            }
            tokio::select! {
                () = ring(self.alarm.as_mut(), next) => {}
                // Without room nothing is taken in: senders feel that, as over any link.
                incoming = self.link.receive(), if !self.is_closed && self.held.has_room() => match incoming {
                    Some(incoming) => self.take(incoming, Instant::now()),
                    None => self.is_closed = true,
                },
            }
        }
    }

    fn hang_up(&mut self, peer: NodeId) {
        self.link.hang_up(peer);
    }

    async fn close(self) {
        self.link.close().await;
    }
}

/// Waits for a moment, or for ever if there is none.
async fn ring(alarm: Option<&mut Alarm>, at: Option<Instant>) {
    match alarm {
        Some(alarm) => {
            alarm.set(at);
            alarm.rang().await;
        }
        None => std::future::pending().await,
    }
}
