//! What may be seen of a hub from outside.

use std::sync::Arc;

use super::Hub;
use super::entry::{Capacity, CopyId, Needs, Spec, TaskId, UserId};
use super::stage::Stage;
use super::state::Hold;
use crate::contract::{Duration, Time};
use crate::scheduler::call::Call;
use crate::scheduler::trust::{Answer, Identity};
use crate::settings::Bytes;

/// A task that the hub remembers.
#[derive(Clone, Copy, Debug)]
pub struct TaskView<'a> {
    /// As it was submitted.
    pub spec: &'a Spec,
    /// Whose it is.
    pub user: UserId,
    /// Where it is in its life.
    pub stage: Stage,
    /// Attempts that failed.
    pub attempts: u32,
    /// When it was submitted, by the hub's clock.
    pub submitted: Time,
}

/// What a copy is about.
#[derive(Clone, Copy, Debug)]
pub struct WorkView<'a> {
    /// What it computes.
    pub call: &'a Arc<Call>,
    /// The CPU time that it takes on one core of speed one.
    pub time: Duration,
    /// What must come to the worker first.
    pub data: Bytes,
    /// What it takes up.
    pub needs: &'a Needs,
}

/// A worker that is there.
#[derive(Clone, Copy, Debug)]
pub struct WorkerView<'a> {
    /// What it has.
    pub capacity: &'a Capacity,
    /// Cores that no copy has.
    pub free_cores: u32,
    /// Copies that take up room.
    pub copies: u32,
}

/// How many tasks have ended in each way.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Ended {
    /// An answer was accepted.
    pub validated: u64,
    /// None was.
    pub failed: u64,
    /// Nobody wanted one any more.
    pub cancelled: u64,
}

impl Hub {
    /// A task, if it is remembered.
    #[must_use]
    pub fn task(&self, id: TaskId) -> Option<TaskView<'_>> {
        let task = self.state.tasks.get(&id)?;
        Some(TaskView {
            spec: &task.spec,
            user: task.user,
            stage: task.stage,
            attempts: task.attempt,
            submitted: task.submitted,
        })
    }

    /// The tasks that are remembered, from this one on.
    pub fn tasks(&self, from: TaskId) -> impl Iterator<Item = TaskId> {
        self.state.tasks.range(from..).map(|(id, _)| id)
    }

    /// On which tasks a task depends, with what each hands over.
    pub fn givers(&self, id: TaskId) -> impl Iterator<Item = (TaskId, Bytes)> {
        self.state.tasks.get(&id).into_iter().flat_map(|task| task.givers.iter().copied())
    }

    /// Whether a worker was asked for an undecided task.
    #[must_use]
    pub fn is_asked(&self, who: Identity, id: TaskId) -> bool {
        self.state.seats.get(&who).is_some_and(|tasks| tasks.contains(&id))
    }

    /// Tasks that may run, that nobody has, and that wait for nobody: no sound hub has one.
    pub fn stuck(&self) -> impl Iterator<Item = TaskId> {
        let is_stuck =
            |task: &super::state::Task| task.stage.is_ready() && task.live == 0 && task.wanted == 0;
        self.state.tasks.iter().filter(move |(_, task)| is_stuck(task)).map(|(id, _)| id)
    }

    /// How many tasks were ever taken.
    #[must_use]
    pub const fn submitted(&self) -> u64 {
        self.state.next_task
    }

    /// How many tasks have ended.
    #[must_use]
    pub const fn ended(&self) -> Ended {
        let [validated, failed, cancelled] = self.state.ended;
        Ended { validated, failed, cancelled }
    }

    /// Whether a worker is there.
    #[must_use]
    pub fn has_worker(&self, who: Identity) -> bool {
        self.state.workers.worker(who).is_some()
    }

    /// How many workers are there.
    #[must_use]
    pub fn worker_count(&self) -> usize {
        self.state.workers.len()
    }

    /// The workers that are there.
    pub fn workers(&self) -> impl Iterator<Item = (Identity, WorkerView<'_>)> {
        self.state.workers.iter().map(|(who, worker)| {
            let copies = worker.copies.len() as u32;
            (who, WorkerView { capacity: &worker.capacity, free_cores: worker.free_cores, copies })
        })
    }

    /// The copies that a worker is to work at.
    pub fn turns(&self, who: Identity) -> impl Iterator<Item = CopyId> {
        let copies =
            self.state.workers.worker(who).into_iter().flat_map(|worker| worker.copies.iter().copied());
        copies.filter(|copy| self.is_wanted(*copy))
    }

    /// Whether a result of a copy would still count.
    #[must_use]
    pub fn is_wanted(&self, copy: CopyId) -> bool {
        self.state.copies.get(&copy).is_some_and(|turn| turn.hold != Hold::Revoked)
    }

    /// What a copy is about.
    #[must_use]
    pub fn work(&self, copy: CopyId) -> Option<WorkView<'_>> {
        let turn = self.state.copies.get(&copy)?;
        Some(WorkView { call: &turn.call, time: turn.work, data: turn.data, needs: &turn.needs })
    }

    /// What the hub's own node is to compute, if something is: after a restart, again.
    #[must_use]
    pub fn lesson(&self) -> Option<(CopyId, &Arc<Call>, Duration)> {
        self.state.lesson.as_ref().map(|lesson| (lesson.copy, &lesson.call, lesson.work))
    }

    /// How many tasks are remembered.
    #[must_use]
    pub fn remembered(&self) -> u64 {
        self.state.tasks.len() as u64
    }

    /// Of which task a copy is, and whether it is a spot-check.
    #[must_use]
    pub fn task_of(&self, copy: CopyId) -> Option<(TaskId, bool)> {
        self.state.copies.get(&copy).map(|turn| (turn.task, turn.right.is_some()))
    }

    /// When it last changed, by its own clock.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.state.now
    }

    /// What an answer is, for who asks: its bytes, or its digest in hexadecimal digits if it is known by that alone.
    #[must_use]
    pub fn text(answer: &Answer) -> bytes::Bytes {
        match answer {
            Answer::Nothing => bytes::Bytes::new(),
            Answer::Bytes(bytes) => bytes.clone(),
            Answer::Hash(id) => data_encoding::HEXLOWER.encode(&id.0).into(),
            Answer::Numbers(numbers) => {
                let words: Vec<String> = numbers.iter().map(ToString::to_string).collect();
                words.join(" ").into()
            }
        }
    }
}
