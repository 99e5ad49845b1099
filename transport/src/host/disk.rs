//! The disk thread: it takes what was written meanwhile, applies it in order, and syncs once for all of it.
//!
//! The log comes before blobs: a sync waits for one blob at most. When the disk has no room for a write, what comes
//! after it is not applied either, until the node has learnt of it and [`Disk::accept`]s.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use seedbed_core::contract::{Blob, BlobId, BlobInput, Store as Blobs, Tag};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use crate::store::{Store, StoreError};

/// The node's side of the disk thread, which ends with it and drops the store.
pub(super) struct Disk {
    shared: Arc<Shared>,
    /// Writes of this turn, which go to the thread together.
    staged: Vec<Write>,
    /// What the thread has done. What it holds was asked for before, so it is bounded by that.
    reports: UnboundedReceiver<Report>,
}

/// A change of the log.
#[derive(Debug)]
pub(super) struct Write {
    /// Counts the writes of this life.
    pub(super) number: u64,
    /// The step that made it.
    pub(super) step: u64,
    pub(super) tag: Tag,
    pub(super) change: Change,
}

#[derive(Debug)]
pub(super) enum Change {
    Append(Vec<u8>),
    Replace(Vec<Vec<u8>>),
}

/// Something to do with a blob.
#[derive(Debug)]
pub(super) enum BlobTask {
    Store {
        tag: Tag,
        blob: Blob,
    },
    Load {
        tag: Tag,
        id: BlobId,
    },
    Drop {
        id: BlobId,
    },
    /// A job wants to see it.
    Show {
        id: BlobId,
        to: SyncSender<Blob>,
    },
}

/// What the thread has done.
#[derive(Debug)]
pub(super) enum Report {
    /// Every write up to this number is durable.
    Durable(u64),
    /// These writes found no room; those after them wait for [`Disk::accept`].
    Refused(Vec<Write>),
    Blob(BlobInput),
    /// A blob was deleted.
    Dropped,
    /// Nobody knows what is durable.
    Failed(StoreError),
}

struct Shared {
    state: Mutex<State>,
    more: Condvar,
    /// Told without a lock: a refusal has been reported.
    is_refusing: AtomicBool,
    /// Bytes that wait.
    backlog: AtomicUsize,
    reports: UnboundedSender<Report>,
}

#[derive(Default)]
struct State {
    writes: Vec<Write>,
    blobs: VecDeque<BlobTask>,
    is_refusing: bool,
    is_over: bool,
}

impl Disk {
    /// Starts the thread. What it gives beside is resolved once the thread has ended and the store is closed.
    pub(super) fn new(store: impl Store) -> io::Result<(Self, oneshot::Receiver<()>)> {
        let (sender, reports) = unbounded_channel();
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            more: Condvar::new(),
            is_refusing: AtomicBool::new(false),
            backlog: AtomicUsize::new(0),
            reports: sender,
        });
        let (closed, is_closed) = oneshot::channel();
        let theirs = Arc::clone(&shared);
        thread::Builder::new().name("disk".into()).spawn(move || {
            theirs.work(store);
            drop(closed);
        })?;
        Ok((Self { shared, staged: Vec::new(), reports }, is_closed))
    }

    /// Bytes that wait for the disk.
    pub(super) fn backlog(&self) -> usize {
        self.shared.backlog.load(Ordering::Relaxed)
    }

    /// Stages a write; it goes to the disk with the next [`submit`](Self::submit).
    pub(super) fn write(&mut self, write: Write) {
        self.shared.backlog.fetch_add(write.size(), Ordering::Relaxed);
        self.staged.push(write);
    }

    /// Hands over what was staged.
    pub(super) fn submit(&mut self) {
        if !self.staged.is_empty() {
            self.shared.lock().writes.append(&mut self.staged);
            self.shared.more.notify_one();
        }
    }

    pub(super) fn blob(&self, task: BlobTask) {
        self.shared.blob(task);
    }

    /// What the thread has done next; pending for ever once it has failed.
    pub(super) async fn report(&mut self) -> Report {
        match self.reports.recv().await {
            Some(report) => report,
            None => std::future::pending().await,
        }
    }

    /// Whether a refusal has been reported.
    #[inline]
    pub(super) fn is_refusing(&self) -> bool {
        self.shared.is_refusing.load(Ordering::Relaxed)
    }

    /// What has been reported, without waiting.
    pub(super) fn reported(&mut self) -> Option<Report> {
        self.reports.try_recv().ok()
    }

    /// After a refusal: takes back all writes that were to follow, and lets the disk go on.
    pub(super) fn accept(&mut self) -> Vec<Write> {
        let mut state = self.shared.lock();
        let mut refused = std::mem::take(&mut state.writes);
        state.is_refusing = false;
        self.shared.is_refusing.store(false, Ordering::Relaxed);
        drop(state);
        self.shared.more.notify_one();
        refused.append(&mut self.staged);
        let bytes = refused.iter().map(Write::size).sum();
        self.shared.backlog.fetch_sub(bytes, Ordering::Relaxed);
        refused
    }

    /// The blobs, for a job.
    pub(super) fn for_job(&self) -> JobBlobs {
        JobBlobs(Arc::clone(&self.shared))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.shared.end();
    }
}

impl Write {
    fn size(&self) -> usize {
        WRITE_OVERHEAD
            + match &self.change {
                Change::Append(record) => record.len(),
                Change::Replace(records) => records.iter().map(|record| WRITE_OVERHEAD + record.len()).sum(),
            }
    }
}

/// What a write that waits takes beside its bytes.
const WRITE_OVERHEAD: usize = 64;

impl BlobTask {
    fn size(&self) -> usize {
        match self {
            Self::Store { blob, .. } => WRITE_OVERHEAD + blob.bytes().map_or(0, <[u8]>::len),
            Self::Load { .. } | Self::Drop { .. } => WRITE_OVERHEAD,
            // One for each job that runs, and the node is not told when it is done.
            Self::Show { .. } => 0,
        }
    }
}

/// The node's blobs, as its jobs see them: each look waits for the disk thread.
pub(super) struct JobBlobs(Arc<Shared>);

impl Blobs for JobBlobs {
    fn blob(&self, id: BlobId) -> Option<Blob> {
        let (to, shown) = sync_channel(1);
        self.0.blob(BlobTask::Show { id, to });
        // If the life ends first, the task is dropped, and with it the other end.
        shown.recv().ok()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn blob(&self, task: BlobTask) {
        let mut state = self.lock();
        if !state.is_over {
            self.backlog.fetch_add(task.size(), Ordering::Relaxed);
            state.blobs.push_back(task);
            drop(state);
            self.more.notify_one();
        }
    }

    fn end(&self) {
        let mut state = self.lock();
        state.is_over = true;
        (state.writes, state.blobs) = (Vec::new(), VecDeque::new());
        drop(state);
        self.more.notify_one();
    }

    fn report(&self, report: Report) {
        // Nobody listens any more once the life is over.
        let _ = self.reports.send(report);
    }

    fn work(&self, mut store: impl Store) {
        let mut writes = Vec::new();
        while let Some(blob) = self.next(&mut writes) {
            let done = self
                .commit(&mut store, &mut writes)
                .and_then(|()| blob.map_or(Ok(()), |task| self.attend(&mut store, task)));
            if let Err(error) = done {
                self.report(Report::Failed(error));
                return self.end();
            }
        }
    }

    /// Waits for something to do: takes all writes, and one blob's task. None once the life is over.
    fn next(&self, writes: &mut Vec<Write>) -> Option<Option<BlobTask>> {
        let mut state = self.lock();
        loop {
            if state.is_over {
                return None;
            }
            if !state.is_refusing {
                std::mem::swap(writes, &mut state.writes);
            }
            let blob = state.blobs.pop_front();
            if blob.is_some() || !writes.is_empty() {
                return Some(blob);
            }
            state = self.more.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Applies writes up to the first that finds no room, and makes them durable.
    fn commit(&self, store: &mut impl Store, writes: &mut Vec<Write>) -> Result<(), StoreError> {
        let mut applied = 0_usize;
        for write in &*writes {
            let done = match &write.change {
                Change::Append(record) => store.append(write.tag, record),
                Change::Replace(records) => store.checkpoint(write.tag, records),
            };
            match done {
                Ok(()) => applied += 1,
                Err(StoreError::Full) => break,
                Err(error) => return Err(error),
            }
        }
        let last = applied.checked_sub(1).map(|last| writes[last].number);
        if last.is_some() {
            store.sync()?;
        }
        // Before the report: a node that waits for room looks when it hears of something done.
        let bytes = writes.iter().map(Write::size).sum();
        self.backlog.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(last) = last {
            self.report(Report::Durable(last));
        }
        let refused = writes.split_off(applied);
        writes.clear();
        if !refused.is_empty() {
            self.lock().is_refusing = true;
            self.is_refusing.store(true, Ordering::Relaxed);
            self.report(Report::Refused(refused));
        }
        Ok(())
    }

    fn attend(&self, store: &mut impl Store, task: BlobTask) -> Result<(), StoreError> {
        self.backlog.fetch_sub(task.size(), Ordering::Relaxed);
        let news = match task {
            BlobTask::Store { tag, blob } => match store.put(&blob) {
                Ok(()) => BlobInput::Stored { tag, id: blob.id() },
                Err(StoreError::Full) => BlobInput::Refused { tag, id: blob.id() },
                Err(error) => return Err(error),
            },
            BlobTask::Load { tag, id } => match store.load(id) {
                Ok(Some(blob)) => BlobInput::Loaded { tag, blob },
                Ok(None) => BlobInput::Missing { tag, id },
                Err(StoreError::Damaged { .. }) => BlobInput::Damaged { tag, id },
                Err(error) => return Err(error),
            },
            BlobTask::Drop { id } => {
                store.remove(id)?;
                self.report(Report::Dropped);
                return Ok(());
            }
            BlobTask::Show { id, to } => {
                match store.load(id) {
                    Ok(blob) => drop(blob.map(|blob| to.send(blob))),
                    // Jobs find intact blobs only.
                    Err(StoreError::Damaged { .. }) => {}
                    Err(error) => return Err(error),
                }
                return Ok(());
            }
        };
        self.report(Report::Blob(news));
        Ok(())
    }
}
