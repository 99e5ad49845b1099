//! The hub as a shell and its workers drive it.

mod bindings;
mod cases;
mod health;
mod plans;
mod properties;
mod scale;
mod tasks;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::contract::{CommandId, Duration};
use crate::scheduler::dag::Edge;
use crate::scheduler::trust::{self, Comparator, Fixed, Identity, Validation};
use crate::settings::{Bytes, Rate};

const SECOND: Duration = Duration::from_secs(1);

fn rules(hub: &Parameters, validation: Validation) -> Arc<Rules> {
    let trust = trust::Parameters { validation, ..trust::Parameters::default() };
    Arc::new(Rules::new(hub, &trust, Comparator::Exact))
}

fn spec(name: usize) -> Spec {
    Spec {
        name: format!("t{name}"),
        needs: Needs { cores: 1, ram: Bytes(1 << 20), tags: Vec::new() },
        call: Arc::default(),
        work: SECOND,
        input: Bytes(0),
        output: Bytes(0),
        trust: Fixed::ZERO,
        validation: None,
        overlap: None,
        priority: 0,
        deadline: None,
        retries: 0,
    }
}

fn capacity(cores: u32) -> Capacity {
    Capacity { cores, ram: Bytes(1 << 30), tags: Vec::new(), speed: Fixed::ONE, rate: Rate(1_000_000_000) }
}

fn edge(from: u32, to: u32) -> Edge {
    Edge { from, to, data: Bytes(10) }
}

/// What a worker was given and has not answered.
#[derive(Clone, Debug, PartialEq)]
struct Job {
    worker: Identity,
    task: TaskId,
    lease: Time,
}

/// Writes the log and does what the hub wants, with workers that do nothing of their own accord.
#[derive(Clone, Debug)]
struct Shell {
    hub: Hub,
    at: Time,
    log: Vec<(Time, Entry)>,
    outputs: Vec<Output>,
    jobs: BTreeMap<CopyId, Job>,
    stages: BTreeMap<TaskId, Stage>,
    /// What the hub wants to have computed, of which task.
    lesson: Option<(CopyId, TaskId)>,
}

impl Shell {
    fn new(hub: &Parameters, validation: Validation) -> Self {
        Self::with(rules(hub, validation))
    }

    fn with(rules: Arc<Rules>) -> Self {
        Self {
            hub: Hub::new(rules),
            at: Time::ZERO,
            log: Vec::new(),
            outputs: Vec::new(),
            jobs: BTreeMap::new(),
            stages: BTreeMap::new(),
            lesson: None,
        }
    }

    /// Applies an event and looks at all that must hold. Returns what the hub wants.
    fn apply(&mut self, event: Event) -> Vec<Output> {
        let outputs = self.apply_unseen(event);
        assert_eq!(self.hub.audit(), Ok(()), "after {:?}", self.log.last());
        assert_eq!(self.overlooked(), None, "after {:?}", self.log.last());
        outputs
    }

    /// A queued task that a worker with room could take.
    fn overlooked(&self) -> Option<(TaskId, Identity)> {
        let state = self.hub.state();
        let could_take = |id: &TaskId, who: Identity| {
            let task = &state.tasks[id];
            state.book.standing(who).trust >= task.spec.trust
                && task.votes.seats().all(|(seated, _)| seated != who)
                && !task.is_promised(who)
                && state.workers.worker(who).is_some_and(|worker| match self.hub.rules.hub.binding {
                    Binding::Late => worker.has_room(&task.spec.needs),
                    Binding::Push => worker.could_take(&task.spec.needs),
                })
        };
        let first = |(who, worker): (Identity, &workers::Worker)| {
            let (_, id) = worker.line.first()?;
            worker.has_room(&state.tasks[id].spec.needs).then_some((*id, who))
        };
        if let Some(found) = state.workers.iter().find_map(first) {
            return Some(found);
        }
        let pairs = state.queue.tasks().flat_map(|id| state.workers.iter().map(move |(who, _)| (id, who)));
        pairs.into_iter().find(|(id, who)| could_take(id, *who))
    }

    fn apply_unseen(&mut self, event: Event) -> Vec<Output> {
        let draw = (self.log.len() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let entry = Entry { draw, event };
        let outputs = self.hub.apply(self.at, &entry);
        self.log.push((self.at, entry));
        for output in &outputs {
            match output {
                Output::Assign { worker, task, copy, lease, .. } => {
                    let job = Job { worker: *worker, task: *task, lease: *lease };
                    assert_eq!(self.jobs.insert(*copy, job), None);
                }
                Output::Notice { task, stage } => {
                    let before = self.stages.insert(*task, *stage).unwrap_or(Stage::Waiting);
                    assert!(before.may_become(*stage), "{task:?} went from {before:?} to {stage:?}");
                }
                Output::Compute { copy, .. } => {
                    self.lesson = self.hub.state().lesson.as_ref().map(|lesson| (*copy, lesson.task));
                }
                _ => {}
            }
        }
        self.outputs.extend(outputs.iter().cloned());
        outputs
    }

    fn submit(&mut self, tasks: Vec<Spec>, edges: Vec<Edge>) -> Vec<Output> {
        self.submit_of(0, tasks, edges)
    }

    fn submit_of(&mut self, user: u64, tasks: Vec<Spec>, edges: Vec<Edge>) -> Vec<Output> {
        self.apply(Event::Submit { command: CommandId(1), user: UserId(user), tasks, edges })
    }

    fn join(&mut self, worker: u64, cores: u32) -> Vec<Output> {
        self.apply(Event::WorkerJoined { worker: Identity(worker), capacity: capacity(cores) })
    }

    fn leave(&mut self, worker: u64) -> Vec<Output> {
        self.jobs.retain(|_, job| job.worker != Identity(worker));
        self.apply(Event::WorkerLeft { worker: Identity(worker) })
    }

    /// Time passes, and every alarm rings when it is due.
    fn pass(&mut self, time: Duration) {
        let end = self.at + time;
        while let Some(at) = self.hub.wake_at().filter(|at| *at <= end) {
            self.at = self.at.max(at);
            self.apply(Event::Tick);
        }
        self.at = end;
    }

    fn outcome(&mut self, copy: CopyId, outcome: Outcome) -> Vec<Output> {
        let worker = self.jobs.remove(&copy).expect("somebody has it").worker;
        self.apply(Event::Result { worker, copy, outcome })
    }

    /// Computes what the hub wants to know, if it does.
    fn learn(&mut self, text: impl Fn(TaskId) -> String) {
        if let Some((copy, task)) = self.lesson.take() {
            self.apply(Event::Learned { copy, outcome: answered(&text(task)) });
        }
    }

    /// The copy of a task that a worker has.
    fn copy(&self, worker: u64, task: u64) -> Option<CopyId> {
        let is_it = |job: &Job| (job.worker, job.task) == (Identity(worker), TaskId(task));
        self.jobs.iter().find(|(_, job)| is_it(job)).map(|(copy, _)| *copy)
    }

    fn answer(&mut self, worker: u64, task: u64, text: &str) -> Vec<Output> {
        let copy = self.copy(worker, task).expect("it has the task");
        self.outcome(copy, answered(text))
    }

    /// All tasks that workers have, by their worker.
    fn running(&self) -> Vec<(u64, u64)> {
        let mut all: Vec<_> = self.jobs.values().map(|job| (job.worker.0, job.task.0)).collect();
        all.sort_unstable();
        all
    }

    fn stage(&self, task: u64) -> Stage {
        self.hub.stage(TaskId(task)).expect("there is such a task")
    }

    fn is_valid(&self, task: u64) -> bool {
        matches!(self.stage(task), Stage::Validated(_))
    }
}

fn answered(text: &str) -> Outcome {
    Outcome::Answered(Comparator::Exact.read(text.as_bytes()))
}
