//! What became of tasks: waits, responses, answers.

use std::collections::BTreeMap;

use super::machines::Spent;
use crate::contract::{Duration, Findings, Time};
use crate::scheduler::call::stand_in;
use crate::scheduler::hub::{Hub, Stage, TaskId, UserId};

/// What was seen of a task.
#[derive(Clone, Copy, Debug)]
struct Task {
    submitted: Time,
    /// When it could run.
    ready: Option<Time>,
    /// When a worker first got it.
    begun: Option<Time>,
    has_ended: bool,
    is_wrong: bool,
    /// When it was lost with a worker.
    lost: Option<Time>,
}

/// All tasks of a run, by their numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Tasks {
    all: Vec<Task>,
    slowdowns: BTreeMap<UserId, (f64, u64)>,
    first: Option<Time>,
    last: Option<Time>,
    useful: Duration,
    spent: Duration,
    jobs: u64,
    wrong: u64,
}

/// Runs shorter than this count as this long in the slowdown, so that the shortest do not decide it (Feitelson et al.,
/// "Theory and practice in parallel job scheduling", 1997).
const SHORT: Duration = Duration::from_secs(10);

impl Tasks {
    /// Takes note of tasks that are new.
    pub(super) fn arrive(&mut self, hub: &Hub, now: Time) {
        let new =
            Task { submitted: now, ready: None, begun: None, has_ended: false, is_wrong: false, lost: None };
        if (self.all.len() as u64) < hub.submitted() {
            self.first.get_or_insert(now);
            self.all.resize(hub.submitted() as usize, new);
        }
    }

    /// The hub goes on from its disk.
    pub(super) fn start_again(&mut self, hub: &Hub) {
        self.all.truncate(hub.submitted() as usize);
        for (nth, task) in self.all.iter_mut().enumerate() {
            task.has_ended &= hub.stage(TaskId(nth as u64)).is_none_or(Stage::is_final);
        }
    }

    pub(super) fn has_ended(&self, id: TaskId) -> bool {
        self.all.get(id.0 as usize).is_some_and(|task| task.has_ended)
    }

    pub(super) fn is_wrong(&self, id: TaskId) -> bool {
        self.all.get(id.0 as usize).is_some_and(|task| task.is_wrong)
    }

    pub(super) fn assigned(&mut self, id: TaskId, now: Time, findings: &mut Findings) {
        self.jobs += 1;
        let Some(task) = self.all.get_mut(id.0 as usize) else { return };
        if task.begun.is_none() {
            task.begun = Some(now);
            let ready = task.ready.unwrap_or(task.submitted);
            findings.sample("wait_s", now.since(ready).as_secs_f64());
        }
        if let Some(lost) = task.lost.take() {
            findings.sample("recovery_s", now.since(lost).as_secs_f64());
        }
    }

    pub(super) fn moved(&mut self, id: TaskId, stage: Stage, hub: &Hub, now: Time, findings: &mut Findings) {
        let Some(task) = self.all.get_mut(id.0 as usize) else { return };
        if stage == Stage::Queued {
            task.ready.get_or_insert(now);
        }
        if !stage.is_final() || task.has_ended {
            return;
        }
        task.has_ended = true;
        self.last = Some(now);
        let (Stage::Validated(_), Some(it)) = (stage, hub.task(id)) else { return };
        let response = now.since(task.submitted);
        findings.sample("response_s", response.as_secs_f64());
        let run = it.spec.work.max(SHORT).as_secs_f64();
        let slowdown = (response.as_secs_f64() / run).max(1.0);
        findings.sample("slowdown", slowdown);
        let user = self.slowdowns.entry(it.user).or_default();
        (user.0, user.1) = (user.0 + slowdown, user.1 + 1);
        if it.spec.deadline.is_some_and(|deadline| response > deadline) {
            findings.add("late", 1.0);
        }
        self.useful += it.spec.work;
        let right = stand_in(&it.spec.call.argument);
        task.is_wrong = hub.answer(id).map(Hub::text).is_none_or(|answer| answer[..] != right[..]);
        self.wrong += u64::from(task.is_wrong);
    }

    /// CPU time that a copy took.
    pub(super) fn spent(&mut self, spent: Option<Spent>) {
        self.spent += spent.map_or(Duration::ZERO, |spent| spent.time);
    }

    /// A copy was lost with its worker.
    pub(super) fn lost(&mut self, spent: Spent, now: Time) {
        self.spent += spent.time;
        if let Some(task) = spent.task.and_then(|id| self.all.get_mut(id.0 as usize))
            && !task.has_ended
        {
            task.lost.get_or_insert(now);
        }
    }

    pub(super) fn finish(&self, hub: &Hub, messages: u64, findings: &mut Findings) {
        let ended = hub.ended();
        let validated = ended.validated as f64;
        findings.number("submitted", hub.submitted() as f64);
        findings.number("validated", validated);
        findings.number("failed_tasks", ended.failed as f64);
        findings.number("cancelled", ended.cancelled as f64);
        findings.number("open", f64::from(hub.open()));
        for metric in ["late", "spot_checks", "blacklisted", "blacklisted_falsely", "workers_lost"] {
            findings.add(metric, 0.0);
        }
        if let (Some(first), Some(last)) = (self.first, self.last) {
            let makespan = last.since(first).as_secs_f64();
            findings.number("makespan_s", makespan);
            if makespan > 0.0 {
                findings.number("throughput", validated / makespan);
            }
        }
        if validated > 0.0 {
            findings.number("error_rate", self.wrong as f64 / validated);
            findings.number("jobs_per_task", self.jobs as f64 / validated);
            let checks = findings.numbers.get("spot_checks").copied().unwrap_or_default();
            findings.number("jobs_with_checks_per_task", (self.jobs as f64 + checks) / validated);
            findings.number("messages_per_task", messages as f64 / validated);
        }
        if !self.spent.is_zero() {
            let wasted = self.spent.saturating_sub(self.useful);
            findings.number("wasted", wasted.as_secs_f64() / self.spent.as_secs_f64());
        }
        let means: Vec<f64> = self.slowdowns.values().map(|(sum, count)| sum / *count as f64).collect();
        let (sum, squares) = means.iter().fold((0.0, 0.0), |(sum, squares), x| (sum + x, squares + x * x));
        if squares > 0.0 {
            findings.number("jain", sum * sum / (means.len() as f64 * squares));
        }
    }
}
