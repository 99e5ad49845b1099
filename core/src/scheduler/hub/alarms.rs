//! What happens because time passed, and who is there.

use std::collections::{BTreeMap, BTreeSet};

use super::Step;
use super::entry::{CORES_MAX, Capacity, CopyId, Outcome, Output, TaskId, are_tags};
use super::queue::{LaneId, QueuePolicy};
use super::stage::{Failure, Stage};
use super::state::{Alarm, Hold};
use super::window::STALE_MAX;
use super::workers::Worker;
use crate::scheduler::trust::Identity;

impl Step<'_> {
    /// A worker begins anew.
    pub(super) fn join(&mut self, who: Identity, capacity: &Capacity) {
        self.lose(who);
        let state = &mut *self.state;
        let is_sound =
            (1..=CORES_MAX).contains(&capacity.cores) && capacity.speed.0 > 0 && are_tags(&capacity.tags);
        if !is_sound || state.workers.len() >= self.rules.hub.workers as usize {
            return self.outputs.push(Output::Unwelcome { worker: who });
        }
        let is_barred = state.book.standing(who).blacklisted;
        state.workers.insert(who, Worker::new(capacity.clone(), state.now, is_barred));
        self.listen_for(who);
        self.roomy.insert(who);
        self.outputs.push(Output::Joined { worker: who });
    }

    /// A worker is gone, and what it had with it.
    pub(super) fn lose(&mut self, who: Identity) {
        let Some(worker) = self.state.workers.remove(who) else { return };
        self.outputs.push(Output::Lost { worker: who });
        self.clear_line(who, &worker.line);
        for copy in worker.copies {
            let Some(turn) = self.state.copies.get(&copy) else { continue };
            if turn.right.is_some() || turn.hold == Hold::Revoked {
                self.end(copy);
            } else {
                self.lapse(copy, Hold::Gone);
            }
        }
    }

    /// A worker is alive, and has this.
    pub(super) fn hear(&mut self, who: Identity, running: &[CopyId]) {
        if !self.state.workers.hear(who, self.state.now) {
            return self.outputs.push(Output::Unknown { worker: who });
        }
        self.beat(who);
        let Some(worker) = self.state.workers.worker(who) else { return };
        let running: BTreeSet<&CopyId> = running.iter().collect();
        let given_up = |copy: &&CopyId| {
            let turn = self.state.copies.get(copy);
            turn.is_none_or(|turn| matches!(turn.hold, Hold::Lapsed | Hold::Revoked))
        };
        let stopped = worker.copies.iter().filter(|copy| !running.contains(copy)).filter(given_up);
        for copy in stopped.copied().collect::<Vec<_>>() {
            self.end(copy);
        }
    }

    /// Time has passed.
    pub(super) fn tick(&mut self) {
        let mut claims = BTreeMap::new();
        while let Some((at, alarm)) = self.state.alarms.first().copied()
            && at <= self.state.now
        {
            self.state.alarms.remove(&(at, alarm));
            match alarm {
                Alarm::Lease(copy) => {
                    if self.state.copies.get(&copy).is_some_and(|turn| turn.hold == Hold::Live) {
                        self.lapse(copy, Hold::Lapsed);
                    }
                }
                Alarm::Straggler(copy) => self.double(copy),
                Alarm::Silence(who) => self.listen(who, at),
                Alarm::Plan(id) => self.unplan(id),
                Alarm::Rest(id) => {
                    if self.state.tasks.get(&id).is_some_and(|task| task.stage == Stage::Resting) {
                        self.queue(id);
                    }
                }
                Alarm::Lesson(copy) => self.learned(copy, &Outcome::Failed),
                Alarm::Patience(id, attempt) => self.lose_patience(id, attempt, &mut claims),
            }
        }
        if self.rules.hub.queue == QueuePolicy::Districloud {
            self.grow_stale(&mut claims);
        }
    }

    /// A copy takes long: another worker is asked, too.
    fn double(&mut self, copy: CopyId) {
        let Some(turn) = self.state.copies.get(&copy).filter(|turn| turn.hold == Hold::Live) else { return };
        let id = turn.task;
        if let Some(task) = self.state.tasks.get_mut(&id) {
            task.extra = task.extra.saturating_add(1);
            self.weigh(id);
        }
    }

    /// Whether some worker that is there could take a task, were it idle. Of tasks that nobody had, the same holds for all
    /// of a lane: `claims` remembers it.
    fn is_claimable(&self, id: TaskId, claims: &mut BTreeMap<LaneId, bool>) -> bool {
        let state = &*self.state;
        let Some(task) = state.tasks.get(&id) else { return false };
        let is_new = task.votes.seats().next().is_none();
        if let Some(known) = claims.get(&task.lane).filter(|_| is_new) {
            return *known;
        }
        let mut workers = state.workers.iter();
        let found = workers.any(|(who, worker)| {
            worker.could_take(&task.spec.needs)
                && self.is_trusted(who, task.spec.trust)
                && !self.is_seated(who, id)
        });
        if is_new {
            claims.insert(task.lane, found);
        }
        found
    }

    fn lose_patience(&mut self, id: TaskId, attempt: u32, claims: &mut BTreeMap<LaneId, bool>) {
        let task = self.state.tasks.get(&id);
        let Some(task) = task.filter(|task| task.stage.is_ready() && task.attempt == attempt) else { return };
        let (lane, place, wanted) = (task.lane, (task.key, id), task.wanted);
        if wanted == 0 || task.live > 0 || self.is_claimable(id, claims) || self.check_voters(id) {
            self.be_patient(id);
            // Those who were refused it may have it on another day.
            if self.state.queue.lane(lane).is_some_and(|lane| lane.queue.contains(&place)) {
                self.state.queue.block(lane, false);
                self.wanting.insert(place);
            }
        } else {
            self.fail_attempt(id, Failure::Unclaimed);
        }
    }

    /// DistriCloud's second step: what nobody could take for too many passes has failed.
    fn grow_stale(&mut self, claims: &mut BTreeMap<LaneId, bool>) {
        let queued: Vec<TaskId> = self.state.queue.window.queued().map(|(id, _)| id).collect();
        for id in queued {
            if !self.is_claimable(id, claims) && self.state.queue.window.stale(id) >= STALE_MAX {
                self.fail_attempt(id, Failure::Unclaimed);
            }
        }
    }
}
