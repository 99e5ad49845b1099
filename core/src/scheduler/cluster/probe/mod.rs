//! What a run of a hub and its workers comes to: measured and checked from outside, where all can be seen at once.

mod expected;
mod machines;
mod tables;
mod tasks;
mod workflows;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::messages::{Notice, Reply};
use super::{Cluster, Config, HUB, Shell};
use crate::contract::{Findings, NodeId, Observation, Probe, Time, View};
use crate::scheduler::hub::{CopyId, Hub, Stage, TaskId};
use crate::scheduler::trust::Identity;
use machines::Machines;
use tasks::Tasks;
use workflows::Workflows;

pub(super) use tables::{checks, metrics};

/// Measures a hub and its workers.
#[derive(Clone, Debug)]
pub struct ClusterProbe {
    config: Arc<Config>,
    tasks: Tasks,
    machines: Machines,
    workflows: Workflows,
    /// What clients were told of a task's end: that must not change.
    told: BTreeMap<TaskId, Stage>,
    /// One more than the highest task that a client was told is taken.
    acknowledged: u64,
    /// Who has what, as assigned.
    assigned: BTreeSet<(TaskId, u32, Identity)>,
    /// When each name first came.
    joined: BTreeMap<Identity, Time>,
    messages: u64,
}

type Seen<'a> = &'a dyn View<Cluster>;

fn hub(view: Seen<'_>) -> Option<&Hub> {
    view.state(HUB).and_then(Cluster::hub).map(Shell::hub)
}

impl Probe<Cluster> for ClusterProbe {
    fn new(config: &Config, _: u32) -> Self {
        Self {
            config: Arc::new(config.clone()),
            tasks: Tasks::default(),
            machines: Machines::new(),
            workflows: Workflows::default(),
            told: BTreeMap::new(),
            acknowledged: 0,
            assigned: BTreeSet::new(),
            joined: BTreeMap::new(),
            messages: 0,
        }
    }

    fn observe(&mut self, what: Observation<'_, Cluster>, view: Seen<'_>, findings: &mut Findings) {
        match what {
            Observation::Sent { .. } => self.messages += 1,
            Observation::Notice { node: HUB, notice } => self.noticed(notice, view, findings),
            Observation::Notice { node, notice } => match notice {
                Notice::Began { copy } => self.machines.began(node, *copy, hub(view), view, findings),
                Notice::Ended { copy, how } => {
                    let work = self.machines.ended(node, *copy, Some(*how), view.now(), findings);
                    self.tasks.spent(work);
                }
                _ => {}
            },
            Observation::Reply { node: HUB, reply, .. } => self.replied(reply),
            Observation::Down { node } if node != HUB => {
                for work in self.machines.down(node, view.now(), findings) {
                    self.tasks.lost(work, view.now());
                }
            }
            Observation::End => self.finish(view, findings),
            _ => {}
        }
    }

    fn holds(&self, condition: &str, view: Seen<'_>) -> bool {
        let Some(hub) = hub(view) else { return false };
        match condition {
            "all-done" => hub.open() == 0,
            "all-validated" => hub.ended().validated == hub.submitted(),
            _ => true,
        }
    }
}

impl ClusterProbe {
    fn noticed(&mut self, notice: &Notice, view: Seen<'_>, findings: &mut Findings) {
        if matches!(notice, Notice::Resumed { .. }) {
            self.compare(view, findings);
            self.start_again(view);
        }
        let Some(hub) = hub(view) else { return };
        let now = view.now();
        self.tasks.arrive(hub, now);
        self.workflows.arrive(hub, now);
        match notice {
            Notice::Task { task, stage } => self.moved(*task, *stage, hub, now, findings),
            Notice::Assigned { task, copy, worker } => {
                self.assign(*task, *copy, *worker, hub, now, findings);
            }
            Notice::Joined { worker } => {
                self.joined.entry(*worker).or_insert(now);
                findings.series("workers_now", now, hub.worker_count() as f64);
            }
            Notice::Lost { .. } => {
                findings.add("workers_lost", 1.0);
                findings.series("workers_now", now, hub.worker_count() as f64);
            }
            Notice::Blacklisted { worker } => self.blacklisted(*worker, now, findings),
            _ => {}
        }
    }

    fn moved(&mut self, task: TaskId, stage: Stage, hub: &Hub, now: Time, findings: &mut Findings) {
        if self.tasks.has_ended(task) && stage.is_final() {
            findings.violation("accepted-once", now, || format!("task {} ends twice: {stage:?}", task.0));
        }
        self.tasks.moved(task, stage, hub, now, findings);
        if stage.is_final() {
            // Nobody gets it any more.
            let mine = (task, 0, Identity(0))..=(task, u32::MAX, Identity(u64::MAX));
            self.assigned.extract_if(mine, |_| true).for_each(drop);
            self.workflows.ended(task, stage, hub, now, findings);
        }
        if self.config.is_honest() && self.tasks.is_wrong(task) {
            findings.violation("accepted-answers-are-right", now, || {
                format!("nobody lies, and the answer that is accepted for task {} is wrong", task.0)
            });
        }
    }

    fn assign(
        &mut self,
        task: TaskId,
        copy: CopyId,
        worker: Identity,
        hub: &Hub,
        now: Time,
        findings: &mut Findings,
    ) {
        let is_check = hub.task_of(copy).is_some_and(|(_, is_check)| is_check);
        if is_check {
            return findings.add("spot_checks", 1.0);
        }
        self.tasks.assigned(task, now, findings);
        let Some(it) = hub.task(task) else { return };
        if !self.assigned.insert((task, it.attempts, worker)) {
            findings.violation("no-double-assignment", now, || {
                format!("worker {} gets task {} twice in one attempt", worker.0, task.0)
            });
        }
        let is_open = |(giver, _): &(TaskId, _)| {
            hub.stage(*giver).is_some_and(|stage| !matches!(stage, Stage::Validated(_)))
        };
        if let Some((giver, _)) = hub.givers(task).find(is_open) {
            findings.violation("dependencies-are-respected", now, || {
                format!("task {} is given out, and it needs task {}, which is not validated", task.0, giver.0)
            });
        }
    }

    fn blacklisted(&mut self, worker: Identity, now: Time, findings: &mut Findings) {
        let is_saboteur = self.config.saboteur(NodeId(worker.0 as u32)).is_some();
        if is_saboteur {
            findings.add("blacklisted", 1.0);
            if let Some(joined) = self.joined.get(&worker) {
                findings.sample("time_to_blacklist_s", now.since(*joined).as_secs_f64());
            }
        } else {
            findings.add("blacklisted_falsely", 1.0);
        }
    }

    fn replied(&mut self, reply: &Reply) {
        let mut tell = |task: TaskId, stage: Stage| {
            if stage.is_final() {
                self.told.insert(task, stage);
            }
        };
        match reply {
            Reply::Submitted { first, count } => {
                self.acknowledged = self.acknowledged.max(first.0 + u64::from(*count));
            }
            Reply::Task(task) => tell(task.task, task.stage),
            Reply::Tasks { tasks, .. } => tasks.iter().for_each(|task| tell(task.task, task.stage)),
            _ => {}
        }
    }

    /// What the hub knows now against what clients were told.
    fn compare(&self, view: Seen<'_>, findings: &mut Findings) {
        let Some(hub) = hub(view) else { return };
        let now = view.now();
        if hub.submitted() < self.acknowledged {
            findings.violation("nothing-acknowledged-is-lost", now, || {
                let (told, known) = (self.acknowledged, hub.submitted());
                format!("clients were told of {told} tasks, and the hub knows of {known}")
            });
        }
        let differs = |(task, stage): &(&TaskId, &Stage)| hub.stage(**task).is_some_and(|now| now != **stage);
        if let Some((task, stage)) = self.told.iter().find(differs) {
            findings.violation("nothing-acknowledged-is-lost", now, || {
                format!("a client was told that task {} is {}, and it is not", task.0, stage.name())
            });
        }
    }

    /// What the hub did and had not written down, it did not do: nobody was told.
    fn start_again(&mut self, view: Seen<'_>) {
        let Some(hub) = hub(view) else { return };
        self.tasks.start_again(hub);
        self.workflows.start_again(hub);
        self.assigned.retain(|(task, attempts, worker)| {
            hub.task(*task).is_some_and(|it| it.attempts == *attempts) && hub.is_asked(*worker, *task)
        });
    }

    fn finish(&mut self, view: Seen<'_>, findings: &mut Findings) {
        let now = view.now();
        self.machines.finish(now, findings);
        let Some(hub) = hub(view) else { return };
        self.compare(view, findings);
        if let Err(breach) = hub.audit() {
            findings.violation("the-hub-is-sound", now, || breach.to_string());
        }
        if let Some(task) = hub.stuck().next() {
            findings.violation("no-stuck-task", now, || {
                format!("nobody has task {}, and nobody will get it", task.0)
            });
        }
        self.tasks.finish(hub, self.messages, findings);
        expected::figures(&self.config, findings);
    }
}
