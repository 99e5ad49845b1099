//! Spot-checks: tasks whose answers the hub knows because it has computed them itself (Sarmenta 2001).
//!
//! What others said is no measure: an accepted answer may be wrong, and then who is honest would fail the check; and where
//! nothing can be accepted before anybody is credible, there would never be one. So the hub computes an undecided task now
//! and then, one at a time, as a *lesson*: its own answer decides the task, and is kept to check workers by.

use std::sync::Arc;

use super::Step;
use super::entry::{CopyId, Outcome, Output, TaskId};
use super::state::{Alarm, Hold, Known, Lesson, Turn};
use crate::contract::Duration;
use crate::scheduler::trust::{Accepted, Answer, Fixed, Identity, Seat};

/// How many answers are kept: the latest.
const BANK_MAX: usize = 32;
/// Once there are as many, so many spot-checks are worth a new one.
const CHECKS_PER_LESSON: u32 = 32;
/// Longer work than this, the hub leaves to others.
const LESSON_MAX: Duration = Duration::from_secs(3600);
/// How many spot-checks those who voted on a task may get because nobody is left to ask.
const CHECKS_MAX: u32 = 256;

impl Step<'_> {
    /// Begins to compute a task, if another answer is wanted.
    pub(super) fn learn(&mut self, id: TaskId) {
        let (hub, state) = (&self.rules.hub, &mut *self.state);
        let is_rich = state.bank.len() >= BANK_MAX && state.checks_since < CHECKS_PER_LESSON;
        let Some(task) = state.tasks.get(&id) else { return };
        if is_rich || state.lesson.is_some() || task.checks >= CHECKS_MAX || !task.stage.is_ready() {
            return;
        }
        if task.spec.work > LESSON_MAX {
            return;
        }
        let (copy, call, work) = (CopyId(state.next_copy), Arc::clone(&task.spec.call), task.spec.work);
        state.next_copy += 1;
        let until = state.now + hub.lease.max(work * u64::from(hub.lease_times));
        state.alarms.insert((until, Alarm::Lesson(copy)));
        let (attempt, needs, data) = (task.attempt, task.spec.needs.clone(), task.spec.input);
        state.lesson = Some(Lesson { copy, task: id, attempt, needs, work, call: Arc::clone(&call), data });
        self.outputs.push(Output::Compute { copy, call, work });
    }

    /// What the hub computed itself decides the task, if nothing has, and is kept.
    pub(super) fn learned(&mut self, copy: CopyId, outcome: &Outcome) {
        let Some(lesson) = self.state.lesson.take_if(|lesson| lesson.copy == copy) else { return };
        let state = &mut *self.state;
        let Lesson { task: id, attempt, needs, work, call, data, .. } = lesson;
        let task = state.tasks.get_mut(&id).filter(|task| task.stage.is_ready() && task.attempt == attempt);
        let answer = match outcome {
            Outcome::Answered(answer) if *answer != Answer::Nothing => answer,
            _ => {
                // What the hub cannot compute, it does not try again in this attempt.
                if let Some(task) = task {
                    task.checks = CHECKS_MAX;
                }
                return;
            }
        };
        let is_open = task.map(|task| task.votes.know(answer.clone())).is_some();
        state.bank.push_back(Known { task: id, needs, work, call, data, answer: answer.clone() });
        state.checks_since = 0;
        if state.bank.len() > BANK_MAX {
            state.bank.pop_front();
        }
        if is_open {
            self.accept(id, Accepted { answer: Identity::HUB, confidence: Fixed::ONE });
        }
    }

    /// Gives a worker a task whose answer is known; false if there is none for which it has room.
    pub(super) fn spot_check(&mut self, who: Identity) -> bool {
        let state = &*self.state;
        let Some(worker) = state.workers.worker(who) else { return false };
        let first = self.dice.below(state.bank.len() as u64) as usize;
        let mut known = state.bank.iter().skip(first).chain(state.bank.iter().take(first));
        let Some(known) = known.find(|known| worker.has_room(&known.needs)) else { return false };
        let turn = Turn {
            task: known.task,
            attempt: 0,
            worker: who,
            needs: known.needs.clone(),
            work: known.work,
            call: Arc::clone(&known.call),
            data: known.data,
            hold: Hold::Live,
            right: Some(known.answer.clone()),
        };
        let data = known.data.0;
        self.start(turn, data);
        self.state.checks_since = self.state.checks_since.saturating_add(1);
        true
    }

    /// Gives those who voted on a task spot-checks, if that may decide it, or finds the answer out. False if nothing comes of
    /// that: then nobody is left to ask.
    pub(super) fn check_voters(&mut self, id: TaskId) -> bool {
        let Some(task) = self.state.tasks.get(&id) else { return false };
        if !self.rules.policy(task.spec.validation).learns_from_checks() || task.checks >= CHECKS_MAX {
            return false;
        }
        let voters: Vec<Identity> = task.votes.seats().map(|(who, _)| who).collect();
        let is_busy =
            |who: &Identity| self.state.workers.worker(*who).is_some_and(|worker| !worker.copies.is_empty());
        let may_come = voters.iter().any(is_busy);
        self.learn(id);
        let checked: Vec<bool> = voters.into_iter().map(|who| self.check_voter(id, who)).collect();
        if checked.contains(&true) {
            return true;
        }
        // That something is under way is no reason to wait for ever.
        if let Some(task) = self.state.tasks.get_mut(&id) {
            task.checks += 1;
        }
        may_come || self.state.lesson.is_some()
    }

    /// Gives one of those who voted on a task a spot-check, within bounds.
    pub(super) fn check_voter(&mut self, id: TaskId, who: Identity) -> bool {
        let may = self.state.tasks.get(&id).is_some_and(|task| task.checks < CHECKS_MAX);
        let given = may && self.spot_check(who);
        if let Some(task) = self.state.tasks.get_mut(&id) {
            task.checks += u32::from(given);
        }
        given
    }

    /// A worker is through with a spot-check.
    pub(super) fn checked(&mut self, worker: Identity, right: &Answer, outcome: &Outcome) {
        let Outcome::Answered(answer) = outcome else { return };
        let is_right = self.rules.comparator.agree(right, answer);
        self.rules.policy(None).check(&mut self.state.book, worker, is_right);
        let is_out = !is_right && self.state.book.standing(worker).blacklisted;
        if is_out {
            self.state.workers.bar(worker);
            self.outputs.push(Output::Blacklisted { worker });
            let line = self.state.workers.worker(worker).map(|worker| worker.line.clone());
            self.clear_line(worker, &line.unwrap_or_default());
        }
        // What it said is worth more now, or nothing.
        let tasks = self.state.seats.get(&worker).into_iter().flatten().copied();
        let tasks: Vec<TaskId> = tasks.filter(|id| is_out || self.hangs_on_trust(*id)).collect();
        for id in &tasks {
            self.weigh(*id);
        }
        let starves = |id: &&TaskId| self.state.tasks.get(id).is_some_and(|task| task.checks > 0);
        if let Some(id) = tasks.iter().find(starves) {
            self.check_voter(*id, worker);
        }
    }

    /// Whether what is known of those who were asked may decide a task: nothing was said of it as long as nobody answered.
    fn hangs_on_trust(&self, id: TaskId) -> bool {
        let Some(task) = self.state.tasks.get(&id) else { return false };
        task.checks > 0 || task.votes.seats().any(|(_, seat)| matches!(seat, Seat::Answered { .. }))
    }
}
