//! What became of tasks that depend on each other and were submitted together.

use std::collections::BTreeMap;

use crate::contract::{Duration, Findings, Time};
use crate::scheduler::dag::{self, Costs, Edge, Execution, Instance, Link, Network, Speed, TaskGraph};
use crate::scheduler::hub::{Hub, Stage, TaskId};

/// Larger workflows are not measured.
const TASKS_MAX: u64 = 20_000;

/// A workflow under way.
#[derive(Clone, Debug)]
struct Workflow {
    began: Time,
    open: u64,
    has_failed: bool,
    tasks: Vec<dag::Task>,
    edges: Vec<Edge>,
}

/// All workflows of a run, by their first tasks.
#[derive(Clone, Debug, Default)]
pub(super) struct Workflows {
    seen: u64,
    under_way: BTreeMap<u64, Workflow>,
}

impl Workflows {
    /// Takes note of workflows that are new: the hub tells of each submission before it takes the next.
    pub(super) fn arrive(&mut self, hub: &Hub, now: Time) {
        let (first, end) = (self.seen, hub.submitted());
        self.seen = end;
        if !(2..=TASKS_MAX).contains(&end.saturating_sub(first)) {
            return;
        }
        let ids = (first..end).map(TaskId);
        let mut edges = Vec::new();
        let mut tasks = Vec::new();
        for id in ids {
            let Some(it) = hub.task(id) else { return };
            tasks.push(dag::Task { name: it.spec.name.clone(), work: it.spec.work });
            edges.extend(hub.givers(id).filter(|(giver, _)| giver.0 >= first).map(|(giver, data)| Edge {
                from: (giver.0 - first) as u32,
                to: (id.0 - first) as u32,
                data,
            }));
        }
        if !edges.is_empty() {
            let workflow = Workflow { began: now, open: end - first, has_failed: false, tasks, edges };
            self.under_way.insert(first, workflow);
        }
    }

    /// The hub goes on from its disk.
    pub(super) fn start_again(&mut self, hub: &Hub) {
        self.seen = self.seen.min(hub.submitted());
        self.under_way.retain(|first, workflow| {
            let ids = (*first..*first + workflow.tasks.len() as u64).map(TaskId);
            let is_open = |id: &TaskId| hub.stage(*id).is_some_and(|stage| !stage.is_final());
            workflow.open = ids.filter(is_open).count() as u64;
            workflow.open > 0
        });
    }

    pub(super) fn ended(&mut self, id: TaskId, stage: Stage, hub: &Hub, now: Time, findings: &mut Findings) {
        let Some((first, workflow)) = self.under_way.range_mut(..=id.0).next_back() else { return };
        let (first, count) = (*first, workflow.tasks.len() as u64);
        if id.0 >= first + count {
            return;
        }
        workflow.open = workflow.open.saturating_sub(1);
        workflow.has_failed |= !matches!(stage, Stage::Validated(_));
        if workflow.open > 0 {
            return;
        }
        if let Some(workflow) = self.under_way.remove(&first) {
            findings.add("workflows_failed", f64::from(u8::from(workflow.has_failed)));
            if !workflow.has_failed {
                workflow.measure(hub, now, findings);
            }
        }
    }
}

impl Workflow {
    /// Schedule length ratio, speedup and efficiency on the cores of the workers that are there now.
    fn measure(self, hub: &Hub, now: Time, findings: &mut Findings) {
        let makespan = now.since(self.began).as_secs_f64();
        findings.sample("workflow_makespan_s", makespan);
        let mut speeds = Vec::new();
        for (_, worker) in hub.workers() {
            let speed = Speed((worker.capacity.speed.value() * Speed::ONE.0 as f64).round() as u64);
            speeds.extend(std::iter::repeat_n(speed, worker.capacity.cores.min(1_024) as usize));
        }
        speeds.truncate(dag::PROCESSORS_MAX);
        let processors = speeds.len();
        let network = Network::Uniform(Link::FREE);
        let costs = Costs { execution: Execution::Speeds(speeds), network };
        let Ok(graph) = TaskGraph::new(self.tasks, self.edges) else { return };
        let Ok(instance) = Instance::new(&graph, &costs) else { return };
        let path = instance.critical_path();
        if path > Duration::ZERO && makespan > 0.0 {
            findings.sample("slr", makespan / path.as_secs_f64());
            let speedup = instance.sequential().as_secs_f64() / makespan;
            findings.sample("speedup", speedup);
            findings.sample("efficiency", speedup / processors as f64);
        }
    }
}
