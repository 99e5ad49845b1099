//! What users ask: tasks, and their end.

use std::collections::BTreeSet;

use smallvec::SmallVec;

use super::Step;
use super::entry::{Output, Refusal, Reply, Spec, TaskId, UserId};
use super::queue::{Key, Shape};
use super::stage::Stage;
use super::state::Task;
use crate::contract::CommandId;
use crate::scheduler::dag::{self, Edge, TaskGraph};
use crate::scheduler::trust::Votes;

impl Shape {
    fn of(spec: &Spec) -> Self {
        Self { needs: spec.needs.clone(), trust: spec.trust }
    }
}

impl Step<'_> {
    /// All tasks are taken, or none.
    pub(super) fn submit(&mut self, command: CommandId, user: UserId, tasks: &[Spec], edges: &[Edge]) {
        let first = self.state.next_task;
        let reply = match self.admit(tasks, edges) {
            Err(refusal) => Reply::Refused(refusal),
            Ok(graph) => {
                self.begin(user, tasks, &graph);
                self.plan(user, TaskId(first), tasks, &graph);
                Reply::Submitted { first: TaskId(first), count: tasks.len() as u32 }
            }
        };
        self.outputs.push(Output::Reply { command, reply });
        for id in (first..self.state.next_task).map(TaskId) {
            if self.state.tasks.get(&id).is_some_and(|task| task.missing == 0) {
                self.ready(id);
            }
        }
    }

    fn admit(&self, tasks: &[Spec], edges: &[Edge]) -> Result<TaskGraph, Refusal> {
        let room = self.rules.hub.tasks.saturating_sub(self.state.open) as usize;
        if tasks.len() > room {
            return Err(Refusal::Tasks(self.rules.hub.tasks));
        }
        let flaw = |(task, spec): (usize, &Spec)| spec.flaw().map(|what| Refusal::Spec { task, what });
        if let Some(refusal) = tasks.iter().enumerate().find_map(flaw) {
            return Err(refusal);
        }
        let named = tasks.iter().map(|spec| dag::Task { name: spec.name.clone(), work: spec.work });
        let graph = TaskGraph::new(named.collect(), edges.to_vec())?;
        let shapes: BTreeSet<Shape> = tasks.iter().map(Shape::of).collect();
        if self.state.queue.admits(&shapes) { Ok(graph) } else { Err(Refusal::Needs) }
    }

    fn begin(&mut self, user: UserId, tasks: &[Spec], graph: &TaskGraph) {
        let first = self.state.next_task;
        let id = |at: usize| TaskId(first + at as u64);
        for (at, spec) in tasks.iter().enumerate() {
            let givers: Vec<_> = graph.predecessors(at).map(|(giver, data)| (id(giver), data)).collect();
            let task = Task {
                spec: spec.clone(),
                user,
                submitted: self.state.now,
                stage: Stage::Waiting,
                lane: self.state.queue.open(Shape::of(spec)),
                key: Key::default(),
                is_ranked: false,
                place: None,
                missing: givers.len() as u32,
                givers,
                takers: graph.successors(at).map(|(taker, _)| id(taker)).collect(),
                attempt: 0,
                votes: Votes::new(spec.overlap),
                wanted: 0,
                bound: Vec::new(),
                is_wanting: false,
                extra: 0,
                live: 0,
                copies: SmallVec::new(),
                has_lost: false,
                checks: 0,
            };
            self.state.tasks.insert(id(at), task);
        }
        let count = tasks.len() as u32;
        self.state.next_task += u64::from(count);
        self.state.open += count;
        *self.state.users.entry(user).or_default() += count;
    }

    /// What depends on the task will not be done, either.
    pub(super) fn cancel(&mut self, command: CommandId, user: UserId, id: TaskId) {
        let task = self.state.tasks.get(&id);
        let reply = if task.is_some_and(|task| task.user == user && !task.stage.is_final()) {
            self.give_up(id, Stage::Cancelled);
            Reply::Cancelled
        } else {
            Reply::Refused(Refusal::NoTask)
        };
        self.outputs.push(Output::Reply { command, reply });
    }
}
