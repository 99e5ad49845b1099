//! The hub: takes tasks, gives them to workers, and decides which of their answers to believe.
//!
//! It is a [`Machine`]: a log of [`Entry`]s goes in, and two hubs with the same [`Rules`] that apply the same log are
//! equal and want the same done. Nothing comes from the node that applies an entry. Time is when the entry was written;
//! if that goes backwards, the hub's stays where it was. A draw is addressed by a word in the entry, drawn by whoever
//! wrote it, under keys that all know: so one word gives as many draws as the entry needs, the log stays small, no
//! generator has a state that must be stored, and nobody can foresee a draw before the entry is written.
//!
//! A task's life is a [`Stage`]. While it may run, its validation policy says how many more workers are to be asked
//! (`verdict`); as many times it wants a worker, and waits in the queue for one with room. *Late binding*: a task is bound
//! when a worker has room, never before, unless it is planned for one. *Push*: it is bound at once, and waits in that
//! worker's line; what follows then holds of workers that could take the task, were they idle. After each entry there is no
//! queued task that a worker with room could take, so only what an entry changed needs a look: workers that have room now,
//! and tasks that are new in the queue. Two things make exceptions until the task's patience looks again: a worker whose
//! quota of the day is used up, and a crowd of tasks that this worker has had, behind which others stand.
//!
//! A copy is one worker's turn at a task, under a lease. A lease that runs out, or a worker that falls silent, ends the
//! lease and nothing else: the seat in the votes stays, so the worker cannot get the task again in this attempt, and what it
//! says later is compared. Its room is given back when it is known to have stopped: by its result, its heartbeat, or
//! its absence. If an attempt fails, the task rests and begins again with new votes; answers to the old attempt do not
//! count in the new one, and its workers are told to stop.
//!
//! ```text
//! entry --> life (submit, cancel, answers, attempts) --> dispatch (rooms and tasks) --> outputs
//!           alarms (leases, silence, rest, patience)         checks (answers that the hub knows)
//! ```

mod alarms;
mod audit;
mod checks;
mod dispatch;
mod entry;
mod health;
mod life;
mod line;
mod node;
mod plan;
mod queue;
mod rules;
mod stage;
mod state;
mod submit;
mod tasks;
#[cfg(test)]
mod tests;
mod view;
mod window;
mod workers;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use audit::Breach;
pub use entry::{
    CORES_MAX, Capacity, CopyId, Entry, Event, NEEDS_MAX, Needs, Outcome, Output, RETRIES_MAX, Refusal,
    Reply, Spec, TAG_BYTES_MAX, TAGS_MAX, TaskId, UserId,
};
pub use health::Health;
pub use line::Binding;
pub use node::{Candidate, NodePolicy};
pub use plan::{DagPolicy, PLANNED_CORES_MAX, PLANNED_EDGES_MAX, PLANNED_TASKS_MAX};
pub use queue::{Key, QueuePolicy, Shares};
pub use rules::{Parameters, Rules};
pub use stage::{Failure, Stage};
pub use state::State;
pub use view::{Ended, TaskView, WorkView, WorkerView};

use crate::contract::{Dice, Life, Machine, NodeId, Time};
use crate::scheduler::trust::{Answer, Identity, TrustBook};

/// How many outputs an entry has room for at first: most come to no more.
const OUTPUTS: usize = 8;

/// A hub: its state, and the rules by which it changes.
#[derive(Clone, Debug)]
pub struct Hub {
    rules: Arc<Rules>,
    state: State,
}

/// One entry on its way through the hub.
struct Step<'a> {
    rules: &'a Rules,
    state: &'a mut State,
    dice: Dice<'a>,
    outputs: Vec<Output>,
    /// Workers that may have room, or be eligible for more, since this entry.
    roomy: BTreeSet<Identity>,
    /// Tasks that want a worker since this entry.
    wanting: BTreeSet<(Key, TaskId)>,
    /// Who was refused what in this entry.
    refused: BTreeSet<(TaskId, Identity)>,
}

impl Hub {
    /// A hub that knows nobody and has nothing to do.
    #[must_use]
    pub fn new(rules: Arc<Rules>) -> Self {
        let book = rules.policy(None).book();
        Self { rules, state: State::new(book) }
    }

    /// A hub that goes on from a stored state, under the rules that it had.
    #[must_use]
    pub const fn resume(rules: Arc<Rules>, state: State) -> Self {
        Self { rules, state }
    }

    /// All that it knows.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// When the shell is to write a [`Tick`](Event::Tick), if nothing else happens.
    #[must_use]
    pub fn wake_at(&self) -> Option<Time> {
        self.state.alarms.first().map(|(at, _)| *at)
    }

    /// Where a task is in its life; `None` if there never was one, or it is forgotten.
    #[must_use]
    pub fn stage(&self, task: TaskId) -> Option<Stage> {
        self.state.tasks.get(&task).map(|task| task.stage)
    }

    /// The accepted answer of a task that is validated.
    #[must_use]
    pub fn answer(&self, task: TaskId) -> Option<&Answer> {
        let votes = &self.state.tasks.get(&task)?.votes;
        votes.answer(votes.accepted()?.answer)
    }

    /// How many tasks are not done.
    #[must_use]
    pub const fn open(&self) -> u32 {
        self.state.open
    }

    /// What is known of the workers.
    #[must_use]
    pub const fn book(&self) -> &TrustBook {
        &self.state.book
    }
}

impl Machine for Hub {
    type Entry = Entry;
    type Output = Output;

    fn apply(&mut self, at: Time, entry: &Entry) -> Vec<Output> {
        let dice = Dice::new(&self.rules.keys, NodeId(0), Life(0), entry.draw);
        self.state.now = self.state.now.max(at);
        let mut step = Step {
            rules: &self.rules,
            state: &mut self.state,
            dice,
            outputs: Vec::with_capacity(OUTPUTS),
            roomy: BTreeSet::new(),
            wanting: BTreeSet::new(),
            refused: BTreeSet::new(),
        };
        step.take(&entry.event);
        step.dispatch();
        step.outputs
    }
}

impl Step<'_> {
    fn take(&mut self, event: &Event) {
        match event {
            Event::Submit { command, user, tasks, edges } => self.submit(*command, *user, tasks, edges),
            Event::Cancel { command, user, task } => self.cancel(*command, *user, *task),
            Event::WorkerJoined { worker, capacity } => self.join(*worker, capacity),
            Event::WorkerLeft { worker } => self.lose(*worker),
            Event::Heartbeat { worker, running } => self.hear(*worker, running),
            Event::Result { worker, copy, outcome } => self.result(*worker, *copy, outcome),
            Event::Tick => self.tick(),
            Event::Learned { copy, outcome } => self.learned(*copy, outcome),
        }
    }
}
