//! A thread that sleeps and rings: tokio's timers come in steps of a millisecond, too coarse for election time-outs
//! whose distribution is to be compared with a simulation's.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use tokio::sync::Notify;

/// Rings at a set time, late by the slack of the system's sleeps: some 60 us. It has a thread of its own, which ends with
/// it.
#[derive(Debug)]
pub struct Alarm {
    shared: Arc<Shared>,
    /// What the thread has been told, so that setting the same time again costs nothing.
    set: Option<Instant>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    earlier: Condvar,
    rang: Notify,
}

#[derive(Debug, Default)]
struct State {
    at: Option<Instant>,
    /// Until when the thread sleeps.
    sleeps_until: Option<Instant>,
    is_over: bool,
}

impl Alarm {
    /// An alarm that is not set.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn new() -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let clone = Arc::clone(&shared);
        thread::Builder::new().name("alarm".into()).spawn(move || clone.watch())?;
        Ok(Self { shared, set: None })
    }

    /// Rings once at this time, or at once if it is past; a time set before is forgotten.
    pub fn set(&mut self, at: Option<Instant>) {
        if self.set == at {
            return;
        }
        self.set = at;
        let mut state = self.shared.lock();
        state.at = at;
        // A thread that wakes too early sees that and sleeps on: cheaper than to wake it whenever a timer is put off.
        let is_earlier = at.is_some_and(|at| state.sleeps_until.is_none_or(|until| at < until));
        drop(state);
        if is_earlier {
            self.shared.earlier.notify_one();
        }
    }

    /// Waits until it has rung since this was last called. It may ring once too often, for a time that was set before.
    pub async fn rang(&mut self) {
        self.shared.rang.notified().await;
        self.set = None;
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.shared.earlier.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self) {
        let mut state = self.lock();
        while !state.is_over {
            state.sleeps_until = state.at;
            state = match state.at.map(|at| at.saturating_duration_since(Instant::now())) {
                None => self.earlier.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => {
                    state.at = None;
                    self.rang.notify_one();
                    continue;
                }
                Some(left) => {
                    self.earlier.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn it_rings_at_the_time_set_last_and_not_before() {
        let mut alarm = Alarm::new().unwrap();
        let began = Instant::now();
        let (early, late) = (began + Duration::from_millis(5), began + Duration::from_millis(20));
        alarm.set(Some(began + Duration::from_secs(3600)));
        alarm.set(Some(early));
        alarm.rang().await;
        assert!(Instant::now() >= early);
        alarm.set(Some(late));
        alarm.rang().await;
        assert!(Instant::now() >= late);
    }

    #[tokio::test]
    async fn what_is_put_off_or_forgotten_does_not_ring() {
        let mut alarm = Alarm::new().unwrap();
        let began = Instant::now();
        alarm.set(Some(began + Duration::from_millis(100)));
        alarm.set(None);
        alarm.set(Some(began + Duration::from_millis(120)));
        alarm.rang().await;
        assert!(began.elapsed() >= Duration::from_millis(120));
    }

    #[tokio::test]
    async fn the_past_rings_at_once() {
        let mut alarm = Alarm::new().unwrap();
        let past = Instant::now();
        for _ in 0..3 {
            alarm.set(Some(past));
            alarm.rang().await;
        }
    }
}
