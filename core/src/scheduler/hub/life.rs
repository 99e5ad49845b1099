//! What becomes of a task: from ready to its end.

use super::Step;
use super::entry::{CopyId, Outcome, Output, TaskId};
use super::queue::QueuePolicy;
use super::stage::{Failure, Stage};
use super::state::{Alarm, Hold, Turn};
use crate::scheduler::trust::{Accepted, Identity, Seat, Verdict, Votes};

impl Step<'_> {
    /// A task has all that it needs for the first time.
    pub(super) fn ready(&mut self, id: TaskId) {
        let state = &mut *self.state;
        let Some(task) = state.tasks.get_mut(&id) else { return };
        let policy = self.rules.hub.queue;
        if !task.is_ranked {
            let tag = match policy {
                QueuePolicy::Fair => state.queue.shares.start(task.user, task.spec.cost()),
                _ => 0,
            };
            task.key = policy.key(&self.rules.hub, &task.spec, task.submitted, tag);
        }
        self.queue(id);
        self.follow_plan(id);
    }

    /// An attempt begins.
    pub(super) fn queue(&mut self, id: TaskId) {
        self.enter(id, Stage::Queued);
        self.weigh(id);
        self.be_patient(id);
    }

    /// Looks again in a while whether anybody could take the task.
    pub(super) fn be_patient(&mut self, id: TaskId) {
        if let Some(task) = self.state.tasks.get(&id) {
            let at = self.state.now + self.rules.hub.patience;
            self.state.alarms.insert((at, Alarm::Patience(id, task.attempt)));
        }
    }

    pub(super) fn enter(&mut self, id: TaskId, stage: Stage) {
        let Some(task) = self.state.tasks.get_mut(&id) else { return };
        debug_assert!(task.stage.may_become(stage), "{id:?}: {:?} to {stage:?}", task.stage);
        task.stage = stage;
        self.outputs.push(Output::Notice { task: id, stage });
    }

    /// Does what the task's policy says, and takes down whether anybody has it.
    pub(super) fn weigh(&mut self, id: TaskId) {
        let Some(task) = self.state.tasks.get(&id).filter(|task| task.stage.is_ready()) else { return };
        let answered = |(_, seat): (Identity, &Seat)| matches!(seat, Seat::Answered { .. });
        let is_forgotten = self.rules.hub.forgets_lost_copies
            && task.has_lost
            && task.live == 0
            && task.votes.seats().any(answered);
        let policy = self.rules.policy(task.spec.validation);
        match policy.verdict(&self.state.book, &task.votes, &self.rules.comparator) {
            Verdict::Ask(_) if is_forgotten => self.want(id, 0),
            Verdict::Ask(more) => {
                let wanted = more.saturating_add(task.extra);
                self.want(id, wanted);
            }
            Verdict::Accept(accepted) => return self.accept(id, accepted),
            Verdict::Fail(reason) => return self.fail_attempt(id, Failure::Invalid(reason)),
        }
        let Some(task) = self.state.tasks.get(&id) else { return };
        self.state.queue.window.progress(id, task.live > 0);
        match (task.stage, task.live) {
            (Stage::Queued, 1..) => self.enter(id, Stage::Running),
            (Stage::Running, 0) => self.enter(id, Stage::Queued),
            _ => {}
        }
    }

    /// Judges all that have answered and were not judged before.
    fn judge(&mut self, id: TaskId, accepted: Accepted) {
        let state = &mut *self.state;
        let Some(task) = state.tasks.get_mut(&id) else { return };
        let policy = self.rules.policy(task.spec.validation);
        let judged = policy.settle(&mut state.book, &mut task.votes, accepted, &self.rules.comparator);
        for (worker, judgement) in judged {
            // Trust decides what a worker may have.
            self.roomy.insert(worker);
            self.outputs.push(Output::Judged { worker, task: id, judgement });
        }
    }

    pub(super) fn accept(&mut self, id: TaskId, accepted: Accepted) {
        self.judge(id, accepted);
        self.finish(id, Stage::Validated(accepted));
        let state = &mut *self.state;
        let Some(task) = state.tasks.get(&id) else { return };
        for taker in task.takers.clone() {
            let Some(task) = self.state.tasks.get_mut(&taker) else { continue };
            task.missing = task.missing.saturating_sub(1);
            if task.missing == 0 && task.stage == Stage::Waiting {
                self.ready(taker);
            }
        }
        self.forget_oldest();
    }

    /// An attempt came to nothing: the task rests, or has failed.
    pub(super) fn fail_attempt(&mut self, id: TaskId, failure: Failure) {
        let (state, rules) = (&mut *self.state, self.rules);
        let Some(task) = state.tasks.get_mut(&id) else { return };
        if task.attempt >= task.spec.retries {
            return self.give_up(id, Stage::Failed(failure));
        }
        let doubled = rules.hub.backoff * 1_u64.checked_shl(task.attempt).unwrap_or(u64::MAX);
        task.attempt += 1;
        let until = state.now + doubled.min(rules.hub.backoff_max);
        state.alarms.insert((until, Alarm::Rest(id)));
        self.stop(id);
        if let Some(task) = self.state.tasks.get_mut(&id) {
            task.votes = Votes::new(task.spec.overlap);
            (task.extra, task.checks, task.has_lost) = (0, 0, false);
        }
        self.enter(id, Stage::Resting);
    }

    /// A task will not be done, nor will any that depends on it.
    pub(super) fn give_up(&mut self, id: TaskId, stage: Stage) {
        let mut ends = vec![(id, stage)];
        while let Some((id, stage)) = ends.pop() {
            let Some(task) = self.state.tasks.get(&id).filter(|task| !task.stage.is_final()) else {
                continue;
            };
            let failed = Stage::Failed(Failure::Dependency(id));
            ends.extend(task.takers.iter().map(|taker| (*taker, failed)));
            self.finish(id, stage);
        }
        self.forget_oldest();
    }

    fn finish(&mut self, id: TaskId, stage: Stage) {
        self.stop(id);
        self.enter(id, stage);
        let state = &mut *self.state;
        if !matches!(stage, Stage::Validated(_)) {
            // Nobody wants its answer any more.
            state.lesson.take_if(|lesson| lesson.task == id);
        }
        let Some(task) = state.tasks.get(&id) else { return };
        state.queue.close(task.lane);
        state.open = state.open.saturating_sub(1);
        state.ended[match stage {
            Stage::Validated(_) => 0,
            Stage::Failed(_) => 1,
            _ => 2,
        }] += 1;
        state.done.push_back(id);
        if let Some(open) = state.users.get_mut(&task.user) {
            *open = open.saturating_sub(1);
            if *open == 0 {
                state.users.remove(&task.user);
                state.queue.shares.forget(task.user);
            }
        }
    }

    /// Nobody is to work on a task any more.
    fn stop(&mut self, id: TaskId) {
        self.want(id, 0);
        self.unplan(id);
        let state = &mut *self.state;
        state.queue.window.leave(id);
        let Some(task) = state.tasks.get_mut(&id) else { return };
        task.live = 0;
        for copy in &task.copies {
            let Some(turn) = state.copies.get_mut(copy) else { continue };
            if matches!(turn.hold, Hold::Live | Hold::Lapsed) {
                turn.hold = Hold::Revoked;
                self.outputs.push(Output::Revoke { worker: turn.worker, copy: *copy });
            }
        }
        for (who, _) in task.votes.seats() {
            if let Some(tasks) = state.seats.get_mut(&who) {
                tasks.remove(&id);
                if tasks.is_empty() {
                    state.seats.remove(&who);
                }
            }
        }
    }

    /// Forgets the tasks that were done first, with what was lost of them.
    fn forget_oldest(&mut self) {
        let state = &mut *self.state;
        while state.done.len() > self.rules.hub.remembered as usize {
            let Some(task) = state.done.pop_front().and_then(|id| state.tasks.remove(id)) else { continue };
            for copy in task.copies {
                if state.copies.get(&copy).is_some_and(|turn| turn.hold == Hold::Gone) {
                    state.copies.remove(&copy);
                }
            }
        }
    }

    /// A worker is through with a copy. If it is unknown, or another's, nothing happens.
    pub(super) fn result(&mut self, worker: Identity, copy: CopyId, outcome: &Outcome) {
        if !self.state.workers.hear(worker, self.state.now) {
            self.outputs.push(Output::Unknown { worker });
        }
        if self.state.copies.get(&copy).is_none_or(|turn| turn.worker != worker) {
            return;
        }
        let Some(turn) = self.end(copy) else { return };
        if let Some(right) = &turn.right {
            return self.checked(worker, right, outcome);
        }
        let state = &mut *self.state;
        let task = state.tasks.get_mut(&turn.task);
        let Some(task) = task.filter(|task| task.attempt == turn.attempt) else { return };
        task.live -= u32::from(turn.hold == Hold::Live);
        match outcome {
            Outcome::Answered(answer) => {
                // It has one seat, and one copy for it: it cannot be the second time.
                let recorded = task.votes.record(worker, answer.clone());
                debug_assert!(recorded.is_ok() || self.rules.hub.seat_after_lease, "{recorded:?}");
            }
            // It did what it was told.
            Outcome::Failed | Outcome::Stopped if turn.hold == Hold::Revoked => return,
            Outcome::Failed | Outcome::Stopped => {
                self.rules.policy(task.spec.validation).lapse(&mut state.book, &mut task.votes, worker);
            }
        }
        match task.votes.accepted() {
            Some(accepted) => self.judge(turn.task, accepted),
            None => self.weigh(turn.task),
        }
    }

    /// A copy is no more: it leaves its room.
    pub(super) fn end(&mut self, copy: CopyId) -> Option<Turn> {
        let state = &mut *self.state;
        let turn = state.copies.remove(&copy)?;
        if let Some(task) = state.tasks.get_mut(&turn.task) {
            task.copies.retain(|other| *other != copy);
        }
        if turn.hold != Hold::Gone && state.workers.release(turn.worker, copy, &turn.needs, turn.work) {
            self.roomy.insert(turn.worker);
        }
        Some(turn)
    }

    /// A copy's lease is over. The seat stays.
    pub(super) fn lapse(&mut self, copy: CopyId, hold: Hold) {
        let state = &mut *self.state;
        let Some(turn) = state.copies.get_mut(&copy) else { return };
        let before = std::mem::replace(&mut turn.hold, hold);
        if before != Hold::Live || turn.right.is_some() {
            return;
        }
        let id = turn.task;
        let Some(task) = state.tasks.get_mut(&id) else { return };
        if hold == Hold::Lapsed && self.rules.hub.seat_after_lease {
            task.votes.vacate(turn.worker);
            state.seats.entry(turn.worker).or_default().remove(&id);
        }
        task.live = task.live.saturating_sub(1);
        task.has_lost |= hold == Hold::Gone;
        let policy = self.rules.policy(task.spec.validation);
        policy.lapse(&mut state.book, &mut task.votes, turn.worker);
        self.weigh(id);
    }
}
