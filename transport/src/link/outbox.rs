//! What waits to leave for one lane of one peer: runs of bytes, each swapped whole by who writes it to the network.
//!
//! A channel of messages costs four times as much per message, and one write per message fifty times. What is long is
//! never copied behind something else.

use std::collections::VecDeque;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Runs are joined up to this length, in bytes.
const JOINED_MAX: usize = 64 << 10;
/// More room than this is given back to the system, in bytes.
const SPARE_MAX: usize = 2 << 20;

#[derive(Debug, Default)]
pub(super) struct Outbox {
    queue: Mutex<Queue>,
    /// Bytes that have come in and have not been written yet.
    waiting: AtomicUsize,
    is_open: AtomicBool,
    /// Rings for whoever writes: there are bytes, credits, or something else to say.
    pub(super) bell: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    /// Each holds whole frames.
    runs: VecDeque<Vec<u8>>,
    /// Room for the next run.
    spare: Vec<u8>,
}

impl Outbox {
    pub(super) fn is_open(&self) -> bool {
        self.is_open.load(Relaxed)
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Relaxed)
    }

    /// A connection is there.
    pub(super) fn open(&self) {
        let _queue = self.lock();
        self.is_open.store(true, Relaxed);
    }

    /// The connection is gone, and what waited with it. Returns how many bytes were lost.
    pub(super) fn close(&self) -> usize {
        let mut queue = self.lock();
        self.is_open.store(false, Relaxed);
        *queue = Queue::default();
        self.waiting.swap(0, Relaxed)
    }

    /// Moves `local` behind what waits. False if there is no connection; `local` is empty in any case.
    pub(super) fn push(&self, local: &mut Vec<u8>) -> bool {
        let mut queue = self.lock();
        let is_open = self.is_open.load(Relaxed);
        if is_open {
            self.waiting.fetch_add(local.len(), Relaxed);
            match queue.runs.back_mut() {
                Some(last) if last.len() + local.len() <= JOINED_MAX => last.extend_from_slice(local),
                _ => {
                    let spare = mem::take(&mut queue.spare);
                    queue.runs.push_back(mem::replace(local, spare));
                }
            }
            self.bell.notify_one();
        }
        local.clear();
        is_open
    }

    /// Takes what has waited longest, if anything does, in exchange for an empty vector.
    pub(super) fn take(&self, empty: &mut Vec<u8>) {
        let mut queue = self.lock();
        if let Some(first) = queue.runs.pop_front() {
            let spare = mem::replace(empty, first);
            if (queue.spare.capacity()..=SPARE_MAX).contains(&spare.capacity()) {
                queue.spare = spare;
            }
        }
    }

    /// So many of the bytes taken have left.
    pub(super) fn written(&self, bytes: usize) {
        self.waiting.fetch_sub(bytes, Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
