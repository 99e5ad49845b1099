//! How long a computation may still run.

use std::thread;
use std::time::Instant;

use seedbed_core::contract::Duration;

use super::Failure;

/// When a computation must be over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    began: Instant,
    limit: std::time::Duration,
}

impl Deadline {
    /// From now on, so long.
    pub(super) fn after(limit: Duration) -> Self {
        Self { began: Instant::now(), limit: span(limit) }
    }

    /// Fails once it has passed.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.began.elapsed() > self.limit { Err(Failure::OutOfTime) } else { Ok(()) }
    }

    /// Lets this time pass; as much of it as there is, if there is less.
    pub(super) fn sleep(&self, time: Duration) -> Result<(), Failure> {
        let time = span(time);
        thread::sleep(time.min(self.limit.saturating_sub(self.began.elapsed())));
        if time > self.limit { Err(Failure::OutOfTime) } else { Ok(()) }
    }
}

fn span(time: Duration) -> std::time::Duration {
    std::time::Duration::from_nanos(time.as_nanos())
}
