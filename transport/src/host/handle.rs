//! What the outside has of a node.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use seedbed_core::contract::{Members, Protocol};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinError};

use super::Counters;
use crate::store::StoreError;

/// What the outside has of one life of a node. Dropping it changes nothing.
pub struct Handle<P: Protocol> {
    /// Few and small, from whoever runs the node, and taken before all else: hence without a bound.
    control: mpsc::UnboundedSender<Control>,
    ask: mpsc::Sender<Ask<P>>,
    counters: Arc<Mutex<Counters>>,
    ended: watch::Receiver<Option<Ended>>,
    task: Arc<OnceLock<AbortHandle>>,
    limit: Duration,
}

/// Derived, it would ask the protocol for it.
impl<P: Protocol> Clone for Handle<P> {
    fn clone(&self) -> Self {
        Self {
            control: self.control.clone(),
            ask: self.ask.clone(),
            counters: Arc::clone(&self.counters),
            ended: self.ended.clone(),
            task: Arc::clone(&self.task),
            limit: self.limit,
        }
    }
}

impl<P: Protocol> fmt::Debug for Handle<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("ended", &*self.ended.borrow()).finish_non_exhaustive()
    }
}

/// What whoever runs a node wants of it.
#[derive(Debug)]
pub(super) enum Control {
    Members(Members),
    Pause,
    Resume,
    Jump(i64),
    Drift(i64),
    Stop,
}

/// A command, and where its reply goes.
pub(super) struct Ask<P: Protocol> {
    pub(super) command: P::Command,
    pub(super) reply: oneshot::Sender<P::Reply>,
}

/// Why a command has no reply.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CommandError {
    /// It was not answered in time. Nobody knows whether it was carried out.
    #[error("no answer in time")]
    TimedOut,
    /// The life of the node is over. Nobody knows whether it was carried out.
    #[error("the node has ended")]
    Ended,
}

/// Why a life is over.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Ended {
    /// It was stopped, and all that waited has left.
    #[error("stopped")]
    Stopped,
    /// It was killed.
    #[error("killed")]
    Killed,
    /// The disk failed, or is damaged: nobody knows what of the last writes is durable.
    #[error("{0}")]
    Disk(Arc<StoreError>),
    /// A record of the log is none of this protocol.
    #[error("record {place} of the log does not decode")]
    Undecodable {
        /// Its place in the log, from zero.
        place: usize,
    },
    /// The link closed by itself.
    #[error("the link has closed")]
    Unlinked,
    /// The protocol panicked.
    #[error("panicked: {0}")]
    Panicked(String),
    /// The system lacks what a life needs.
    #[error("cannot start: {0}")]
    Equipment(Arc<std::io::Error>),
}

impl Ended {
    pub(super) fn from_join(error: JoinError) -> Self {
        match error.try_into_panic() {
            Err(_) => Self::Killed,
            Ok(panic) => {
                let text = panic.downcast_ref::<&str>().map(ToString::to_string);
                Self::Panicked(text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default())
            }
        }
    }
}

impl<P: Protocol> Handle<P> {
    pub(super) fn new(
        control: mpsc::UnboundedSender<Control>,
        ask: mpsc::Sender<Ask<P>>,
        counters: Arc<Mutex<Counters>>,
        ended: watch::Receiver<Option<Ended>>,
        limit: Duration,
    ) -> Self {
        Self { control, ask, counters, ended, task: Arc::default(), limit }
    }

    pub(super) fn attach(&self, task: AbortHandle) {
        let _ = self.task.set(task);
    }

    /// Asks something of the node. While too much waits there, this waits, too.
    ///
    /// # Errors
    /// If there is no answer within the knob `command`, or the life ends before.
    pub async fn command(&self, command: P::Command) -> Result<P::Reply, CommandError> {
        self.command_within(self.limit, command).await
    }

    /// The same, if this time is shorter than the knob.
    ///
    /// # Errors
    /// As of [`command`](Self::command).
    pub async fn command_within(
        &self,
        limit: Duration,
        command: P::Command,
    ) -> Result<P::Reply, CommandError> {
        let (reply, answer) = oneshot::channel();
        let answered = async {
            self.ask.send(Ask { command, reply }).await.map_err(|_| CommandError::Ended)?;
            answer.await.map_err(|_| CommandError::Ended)
        };
        tokio::time::timeout(limit.min(self.limit), answered).await.unwrap_or(Err(CommandError::TimedOut))
    }

    /// Tells the node who belongs to the system now.
    pub fn members(&self, members: Members) {
        self.control(Control::Members(members));
    }

    /// Stops the node where it stands: it takes nothing in and gives nothing out until [`resume`](Self::resume). Its
    /// disk and its connections work on.
    pub fn pause(&self) {
        self.control(Control::Pause);
    }

    /// Lets a paused node go on.
    pub fn resume(&self) {
        self.control(Control::Resume);
    }

    /// Lets its wall clock jump by so many nanoseconds.
    pub fn jump(&self, by: i64) {
        self.control(Control::Jump(by));
    }

    /// Lets its clocks run so many parts per billion faster than the machine's.
    pub fn drift(&self, ppb: i64) {
        self.control(Control::Drift(ppb));
    }

    /// Ends the life at once: what waits is lost, the link is torn down.
    pub fn kill(&self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }

    /// Ends the life in good order: the node takes nothing in any more, what waits for the disk leaves, outboxes empty,
    /// all within the knob `stop`. A paused node stops, too.
    pub async fn stop(&self) -> Ended {
        self.control(Control::Stop);
        self.ended().await
    }

    /// What the node has done so far; at most a batch of inputs late.
    #[must_use]
    pub fn counters(&self) -> Counters {
        *self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the end of the life: by then the store is closed, and the watchers know.
    pub async fn ended(&self) -> Ended {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(end) => end.clone().unwrap_or(Ended::Killed),
            // The runtime shuts down.
            Err(_) => Ended::Killed,
        }
    }

    fn control(&self, control: Control) {
        // After the end of the life there is nobody to hear it.
        let _ = self.control.send(control);
    }
}
