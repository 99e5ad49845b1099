//! What must hold of a hub after each entry, whatever the log.

use std::collections::BTreeSet;

use super::entry::{CopyId, TaskId};
use super::queue::Key;
use super::stage::Stage;
use super::state::{Hold, Task};
use super::{Hub, QueuePolicy};
use crate::scheduler::trust::Identity;

/// What should hold of a hub and does not.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Breach {
    /// What a worker's copies take up is not what it has less what is free; so it may be more than it has.
    #[error("the reservations of worker {} are wrong", .0.0)]
    Reservation(Identity),
    /// A copy takes up room at a worker that does not know of it, or the other way round.
    #[error("copy {} is not where it should be", .0.0)]
    Copy(CopyId),
    /// Workers are not found by the room they have.
    #[error("the index of workers is wrong")]
    Workers,
    /// A worker has more than one copy of an attempt.
    #[error("worker {} has task {} twice", .0.0, .1.0)]
    Twice(Identity, TaskId),
    /// A task is ready although something that it depends on is not validated, or waits without cause.
    #[error("task {} is in a stage that its dependencies do not allow", .0.0)]
    Dependency(TaskId),
    /// A task is running and nobody has it, or the other way round.
    #[error("task {} is in a stage that its copies do not allow", .0.0)]
    Stage(TaskId),
    /// A task wants workers and does not wait for them, or the other way round.
    #[error("task {} is lost to the queue, or too much in it", .0.0)]
    Queue(TaskId),
    /// A task waits at a worker that does not know of it, or the other way round, or at more than it wants.
    #[error("task {} is not in the lines where it should be", .0.0)]
    Line(TaskId),
    /// A task is planned for a worker that does not know of it, or after its end.
    #[error("the plan for task {} is wrong", .0.0)]
    Plan(TaskId),
    /// The count of tasks that are not done is wrong.
    #[error("the count of open tasks is wrong")]
    Open,
    /// Trust has left its range.
    #[error("the trust of worker {} has left its range", .0.0)]
    Trust(Identity),
}

impl Hub {
    /// Looks at everything: for tests and checkers, as it takes time with the size of the state.
    ///
    /// # Errors
    /// The first breach that is found.
    pub fn audit(&self) -> Result<(), Breach> {
        self.audit_workers()?;
        self.audit_copies()?;
        let queued: BTreeSet<TaskId> = self.state.queue.tasks().collect();
        for (id, task) in self.state.tasks.iter() {
            self.audit_task(id, task, queued.contains(&id))?;
        }
        let open = self.state.tasks.values().filter(|task| !task.stage.is_final()).count();
        let by_user: u32 = self.state.users.values().sum();
        if open != self.state.open as usize || by_user != self.state.open {
            return Err(Breach::Open);
        }
        let (lowest, highest) = self.rules.trust;
        let mut standings = self.state.book.standings();
        match standings.find(|(_, standing)| standing.trust < lowest || standing.trust > highest) {
            Some((who, _)) => Err(Breach::Trust(who)),
            None => Ok(()),
        }
    }

    fn audit_workers(&self) -> Result<(), Breach> {
        for (who, worker) in self.state.workers.iter() {
            for (_, id) in &worker.line {
                if !self.state.tasks.get(id).is_some_and(|task| task.is_bound(who)) {
                    return Err(Breach::Line(*id));
                }
            }
            let turns = worker.copies.iter().filter_map(|copy| self.state.copies.get(copy));
            let (cores, ram) = turns.fold((0_u64, 0_u64), |(cores, ram), turn| {
                (cores + u64::from(turn.needs.cores), ram + turn.needs.ram.0)
            });
            let all = (u64::from(worker.capacity.cores), worker.capacity.ram.0);
            if (cores + u64::from(worker.free_cores), ram + worker.free_ram) != all {
                return Err(Breach::Reservation(who));
            }
        }
        if self.state.workers.is_sound() { Ok(()) } else { Err(Breach::Workers) }
    }

    fn audit_copies(&self) -> Result<(), Breach> {
        let mut had = BTreeSet::new();
        for (copy, turn) in &self.state.copies {
            let holds = |who| self.state.workers.worker(who).is_some_and(|it| it.copies.contains(copy));
            if holds(turn.worker) == (turn.hold == Hold::Gone) {
                return Err(Breach::Copy(*copy));
            }
            if turn.right.is_none() && !had.insert((turn.task, turn.attempt, turn.worker)) {
                return Err(Breach::Twice(turn.worker, turn.task));
            }
        }
        Ok(())
    }

    fn audit_task(&self, id: TaskId, task: &Task, is_queued: bool) -> Result<(), Breach> {
        let is_begun = task.stage.is_ready() || matches!(task.stage, Stage::Resting | Stage::Validated(_));
        let is_waiting = task.stage == Stage::Waiting;
        let is_open = |giver: &TaskId| {
            let giver = self.state.tasks.get(giver);
            giver.is_some_and(|giver| !matches!(giver.stage, Stage::Validated(_)))
        };
        let is_supplied = !task.givers.iter().any(|(giver, _)| is_open(giver));
        if is_begun && (task.missing > 0 || !is_supplied) || is_waiting && task.missing == 0 {
            return Err(Breach::Dependency(id));
        }
        let live = |copy: &&CopyId| self.state.copies.get(copy).is_some_and(|turn| turn.hold == Hold::Live);
        let live = task.copies.iter().filter(live).count();
        if live != task.live as usize || (live > 0) != (task.stage == Stage::Running) {
            return Err(Breach::Stage(id));
        }
        let is_windowed = self.rules.hub.queue == QueuePolicy::Districloud;
        let wants = task.free() > 0;
        if is_queued && !wants || !is_windowed && wants != is_queued || wants != task.is_wanting {
            return Err(Breach::Queue(id));
        }
        let lines_up = |(who, key): &(Identity, Key)| {
            self.state.workers.worker(*who).is_some_and(|worker| worker.line.contains(&(*key, id)))
        };
        if task.bound.len() > task.wanted as usize || !task.bound.iter().all(lines_up) {
            return Err(Breach::Line(id));
        }
        let place = task.place.as_ref().filter(|_| !task.stage.is_final());
        let is_planned = |who| self.state.planned.get(who).is_some_and(|tasks| tasks.contains(&id));
        if task.place.is_some() && !place.is_some_and(|place| is_planned(&place.worker)) {
            return Err(Breach::Plan(id));
        }
        Ok(())
    }
}
