//! What waits to leave for one lane of one peer: one run of bytes, swapped whole by who writes it to the network.
//!
//! A channel of messages costs four times as much per message, and one write per message fifty times.

use std::mem;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

#[derive(Debug, Default)]
pub(super) struct Outbox {
    bytes: Mutex<Vec<u8>>,
    /// Bytes that have come in and have not been written yet.
    waiting: AtomicUsize,
    is_open: AtomicBool,
    /// Rings for whoever writes: there are bytes, credits, or something else to say.
    pub(super) bell: Notify,
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
        let _bytes = self.lock();
        self.is_open.store(true, Relaxed);
    }

    /// The connection is gone, and what waited with it. Returns how many bytes were lost.
    pub(super) fn close(&self) -> usize {
        let mut bytes = self.lock();
        self.is_open.store(false, Relaxed);
        *bytes = Vec::new();
        self.waiting.swap(0, Relaxed)
    }

    /// Moves `local` behind what waits. False if there is no connection; `local` is empty in any case.
    pub(super) fn push(&self, local: &mut Vec<u8>) -> bool {
        let mut bytes = self.lock();
        let is_open = self.is_open.load(Relaxed);
        if is_open {
            self.waiting.fetch_add(local.len(), Relaxed);
            if bytes.is_empty() {
                mem::swap(&mut *bytes, local);
            } else {
                bytes.extend_from_slice(local);
            }
            self.bell.notify_one();
        }
        local.clear();
        is_open
    }

    /// Takes all that waits in exchange for an empty vector.
    pub(super) fn take(&self, empty: &mut Vec<u8>) {
        mem::swap(&mut *self.lock(), empty);
    }

    /// So many of the bytes taken have left.
    pub(super) fn written(&self, bytes: usize) {
        self.waiting.fetch_sub(bytes, Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
