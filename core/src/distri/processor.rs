//! One processor, which takes what has come in turn: each piece of work keeps it busy for a while.

use std::collections::VecDeque;

use serde::Serialize;

use super::{Cx, Timer};
use crate::contract::Duration;

/// What waits for the processor, and what it is busy with: the first. Each piece with the time it takes.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Processor<T> {
    work: VecDeque<(T, Duration)>,
}

/// The most pieces of work that wait. What comes beyond is lost.
const WORK_MAX: usize = 1 << 20;

impl<T> Processor<T> {
    pub(super) const fn new() -> Self {
        Self { work: VecDeque::new() }
    }

    /// There is something to do, which takes so long. Whether there was room for it.
    pub(super) fn push(&mut self, piece: T, takes: Duration, cx: &mut Cx<'_>) -> bool {
        if self.work.len() >= WORK_MAX {
            return false;
        }
        self.work.push_back((piece, takes));
        if self.work.len() == 1 {
            cx.set(Timer::Processor, takes);
        }
        true
    }

    /// The processor is done with this.
    pub(super) fn pop(&mut self, cx: &mut Cx<'_>) -> Option<T> {
        let (done, _) = self.work.pop_front()?;
        if let Some(&(_, takes)) = self.work.front() {
            cx.set(Timer::Processor, takes);
        }
        Some(done)
    }
}
