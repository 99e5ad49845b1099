//! Workflows: which of a submission's tasks is the most urgent, and where each is to run.
//!
//! A submission with edges is planned once, when it is taken, on the workers that are there. A processor is a core, data
//! takes what the rate of the receiving worker says, and nothing between cores of one worker. `heft`, `cpop` and `peft` name
//! a worker for each task: the task waits for its turn there (see `line.rs`). `dynamic-list` ranks tasks, and each goes to
//! the worker with room where it ends first. What is too large for a plan is ranked only.
//!
//! A plan knows nothing of other work, and is not renewed. It holds for a task until its worker is gone, found out or not
//! trusted enough, or `plan_times` its planned end is over; then the task goes by the node policy.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use super::Step;
use super::entry::{Spec, TaskId, UserId};
use super::queue::QueuePolicy;
use super::state::Alarm;
use super::workers::Worker;
use crate::choice;
use crate::contract::{Duration, Time};
use crate::scheduler::dag::{
    Costs, Execution, Instance, Link, Network, Policy, Schedule, Speed, TaskGraph, upward_ranks,
};
use crate::scheduler::trust::{Fixed, Identity};
use crate::settings::Rate;

/// The most tasks of a workflow that is planned; a larger one is ranked.
pub const PLANNED_TASKS_MAX: usize = 2_000;
/// The most edges of one.
pub const PLANNED_EDGES_MAX: usize = 20_000;
/// The most cores that a plan uses: those of the fastest workers.
pub const PLANNED_CORES_MAX: usize = 64;

choice! {
    /// Which of a workflow's tasks is next, and where it runs.
    pub enum DagPolicy {
        /// A workflow's tasks are like all others.
        None,
        /// Heterogeneous Earliest Finish Time.
        Heft,
        /// Critical Path on a Processor.
        Cpop,
        /// Predict Earliest Finish Time.
        Peft,
        /// The ready task of the highest upward rank to the worker with room where it ends first.
        DynamicList,
    }
}

/// A task's place in its workflow's plan.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Place {
    pub(super) worker: Identity,
    /// How long it waits for that.
    pub(super) until: Time,
    /// The task that is planned before it on the same core.
    pub(super) before: Option<TaskId>,
    /// The one after it.
    pub(super) after: Option<TaskId>,
}

/// Workers that are there when a workflow comes.
struct Crowd<'a> {
    /// The fastest first.
    workers: Vec<(Identity, &'a Worker)>,
}

impl DagPolicy {
    /// The policy that says where each task runs, if this one does.
    const fn planner(self) -> Option<Policy> {
        match self {
            Self::None | Self::DynamicList => None,
            Self::Heft => Some(Policy::Heft),
            Self::Cpop => Some(Policy::Cpop),
            Self::Peft => Some(Policy::Peft),
        }
    }
}

impl Crowd<'_> {
    /// Whose each core of a plan is.
    fn cores(&self) -> Vec<(Identity, &Worker)> {
        let cores = self.workers.iter().flat_map(|it| std::iter::repeat_n(*it, it.1.capacity.cores as usize));
        cores.take(PLANNED_CORES_MAX).collect()
    }

    /// What the tasks cost on those cores.
    fn costs(cores: &[(Identity, &Worker)], tasks: &[Spec]) -> Costs {
        let row = |spec: &Spec| {
            let takes = |(_, it): &(Identity, &Worker)| it.takes(spec.work) + it.receives(spec.input.0);
            cores.iter().map(takes).collect()
        };
        let link = |from: Identity, (to, worker): &(Identity, &Worker)| match from == *to {
            true => Link::FREE,
            false => Link { latency: Duration::ZERO, bandwidth: worker.capacity.rate },
        };
        let links = cores.iter().map(|(from, _)| cores.iter().map(|to| link(*from, to)).collect());
        Costs {
            execution: Execution::Matrix(tasks.iter().map(row).collect()),
            network: Network::Pairs(links.collect()),
        }
    }

    /// Two processors of mean speed with a link of mean bandwidth: enough to rank by.
    fn means(&self) -> Costs {
        let mean = |of: &dyn Fn(&Worker) -> u64, otherwise: u64| {
            let sum: u128 = self.workers.iter().map(|(_, worker)| u128::from(of(worker))).sum();
            sum.checked_div(self.workers.len() as u128).map_or(otherwise, |mean| mean as u64)
        };
        let per_millionth = Fixed::ONE.0 / Speed::ONE.0;
        let speed = Speed((mean(&|it| it.capacity.speed.0, Fixed::ONE.0) / per_millionth).max(1));
        let bandwidth = Rate(mean(&|it| it.capacity.rate.0, Rate::MAX.0));
        let link = Link { latency: Duration::ZERO, bandwidth };
        Costs { execution: Execution::Speeds(vec![speed; 2]), network: Network::Uniform(link) }
    }
}

/// The schedule of a workflow, and whose its processors are; none if it is too large.
fn schedule(
    policy: Policy,
    tasks: &[Spec],
    graph: &TaskGraph,
    crowd: &Crowd<'_>,
) -> Option<(Schedule, Vec<Identity>)> {
    let cores = crowd.cores();
    if tasks.len() > PLANNED_TASKS_MAX || graph.edges().count() > PLANNED_EDGES_MAX || cores.is_empty() {
        return None;
    }
    let costs = Crowd::costs(&cores, tasks);
    let schedule = policy.schedule(&Instance::new(graph, &costs).ok()?).ok()?;
    Some((schedule, cores.into_iter().map(|(who, _)| who).collect()))
}

/// The tasks, the most urgent first. If nothing can be said of what they cost, each after those that it needs.
fn ranked(graph: &TaskGraph, crowd: &Crowd<'_>) -> Vec<usize> {
    let costs = crowd.means();
    let mut order: Vec<usize> = graph.order().collect();
    if let Ok(instance) = Instance::new(graph, &costs) {
        let ranks = upward_ranks(&instance);
        order.sort_by_key(|task| (Reverse(ranks[*task]), *task));
    }
    order
}

impl Step<'_> {
    /// Plans a workflow that was just taken: its tasks are `first` and those that follow.
    pub(super) fn plan(&mut self, user: UserId, first: TaskId, tasks: &[Spec], graph: &TaskGraph) {
        let policy = self.rules.hub.dag;
        if policy == DagPolicy::None || graph.edges().next().is_none() {
            return;
        }
        let crowd = self.crowd(tasks);
        let planned = policy.planner().and_then(|policy| schedule(policy, tasks, graph, &crowd));
        let Some((schedule, owners)) = planned else {
            let order = ranked(graph, &crowd);
            return self.rank(user, first, tasks, &order);
        };
        let mut order: Vec<usize> = graph.order().collect();
        order.sort_by_key(|task| schedule.places[*task].start);
        self.rank(user, first, tasks, &order);
        let mut last: Vec<Option<TaskId>> = vec![None; owners.len()];
        for at in order {
            let (id, place) = (TaskId(first.0 + at as u64), &schedule.places[at]);
            let before = last[place.processor as usize].replace(id);
            if let Some(before) = before.and_then(|before| self.state.tasks.get_mut(&before)?.place.as_mut())
            {
                before.after = Some(id);
            }
            let (worker, now) = (owners[place.processor as usize], self.state.now);
            let until = now + place.finish * u64::from(self.rules.hub.plan_times);
            if let Some(task) = self.state.tasks.get_mut(&id) {
                task.place = Some(Box::new(Place { worker, until, before, after: None }));
                self.state.planned.entry(worker).or_default().insert(id);
            }
        }
    }

    /// Workers that could take each of these tasks: those with the most free cores, as many as are compared for one task,
    /// then any.
    fn crowd(&self, tasks: &[Spec]) -> Crowd<'_> {
        let state = &*self.state;
        let mut shapes: Vec<_> = tasks.iter().map(|spec| (&spec.needs, spec.trust)).collect();
        shapes.sort_unstable();
        shapes.dedup();
        let fits = |(who, worker): &(Identity, &Worker)| {
            shapes.iter().all(|(needs, trust)| worker.could_take(needs) && self.is_trusted(*who, *trust))
        };
        let most = self.rules.hub.candidates as usize;
        let mut workers: Vec<_> = state.workers.idlest().take(most).filter(fits).collect();
        if workers.is_empty() {
            workers = state.workers.iter().take(most).filter(fits).collect();
        }
        workers.sort_by_key(|(who, worker)| (Reverse(worker.capacity.speed), *who));
        Crowd { workers }
    }

    /// Gives a workflow's tasks their keys: the queue policy ranks the workflow as if it were one task, of the highest
    /// priority, the earliest deadline and all the work; then its tasks follow in this order. Under `fair` each task has
    /// its own tag, in this order.
    fn rank(&mut self, user: UserId, first: TaskId, tasks: &[Spec], order: &[usize]) {
        let (rules, state) = (self.rules, &mut *self.state);
        let Some(any) = tasks.first() else { return };
        let whole = Spec {
            priority: tasks.iter().map(|spec| spec.priority).max().unwrap_or_default(),
            deadline: tasks.iter().filter_map(|spec| spec.deadline).min(),
            work: tasks.iter().fold(Duration::ZERO, |sum, spec| sum + spec.work),
            ..any.clone()
        };
        for (nth, at) in order.iter().enumerate() {
            let spec = &tasks[*at];
            let tag = match rules.hub.queue {
                QueuePolicy::Fair => state.queue.shares.start(user, spec.cost()),
                _ => 0,
            };
            let key = rules.hub.queue.key(&rules.hub, &whole, state.now, tag).then(nth as u32);
            if let Some(task) = state.tasks.get_mut(&TaskId(first.0 + *at as u64)) {
                (task.key, task.is_ranked) = (key, true);
            }
        }
    }

    /// A plan has no say in a task any more. Those that are planned after it on the same core may have their turn by that.
    pub(super) fn unplan(&mut self, id: TaskId) {
        let mut next = Some(id);
        while let Some(id) = next {
            let state = &mut *self.state;
            let Some(place) = state.tasks.get_mut(&id).and_then(|task| task.place.take()) else { return };
            if let Some(tasks) = state.planned.get_mut(&place.worker) {
                tasks.remove(&id);
                if tasks.is_empty() {
                    state.planned.remove(&place.worker);
                }
            }
            self.unbind(id, place.worker);
            self.requeue(id);
            next = place.after.filter(|after| !self.take_turn(*after));
        }
    }

    /// A task that is ready waits at its planned worker, if those before it on the same core have gone there. False if its
    /// plan does not hold.
    pub(super) fn take_turn(&mut self, id: TaskId) -> bool {
        let Some(task) = self.state.tasks.get(&id).filter(|task| task.stage.is_ready()) else { return true };
        let Some(place) = &task.place else { return true };
        let (who, is_planned) = (place.worker, |id| {
            let task = self.state.tasks.get(&id);
            task.is_some_and(|task| task.place.is_some())
        });
        let has_turn = !place.before.is_some_and(is_planned);
        let worker = self.state.workers.worker(who);
        let holds = place.until > self.state.now
            && worker.is_some_and(|worker| worker.could_take(&task.spec.needs))
            && self.is_trusted(who, task.spec.trust);
        if holds && has_turn {
            self.bind(id, who);
        }
        holds
    }

    /// A planned task is ready for the first time.
    pub(super) fn follow_plan(&mut self, id: TaskId) {
        let Some(place) = self.state.tasks.get(&id).and_then(|task| task.place.as_ref()) else { return };
        let until = place.until;
        if self.take_turn(id) {
            self.state.alarms.insert((until, Alarm::Plan(id)));
        } else {
            self.unplan(id);
        }
    }

    /// A worker is gone, or gets nothing any more: nothing is planned for it, and nothing waits there.
    pub(super) fn unplan_all(&mut self, who: Identity) {
        for id in self.state.planned.get(&who).cloned().unwrap_or_default() {
            self.unplan(id);
        }
    }
}
