//! What clients ask of the hub.

use super::Cx;
use super::messages::{Command, Refusal, Reply, Summary, TaskStatus, WorkerStatus};
use super::shell::Shell;
use crate::contract::CommandId;
use crate::scheduler::call::MODULE_BYTES_MAX;
use crate::scheduler::hub::{Event, Hub, Stage, TaskId, TaskView};

/// The most tasks of one page.
const PAGE_MAX: u32 = 1_000;
/// The most tasks that are looked at for one page, asked for or not: the next one goes on from there.
const LOOKED_AT_MAX: usize = 100_000;

impl Shell {
    pub(super) fn command(&mut self, id: CommandId, command: Command, cx: &mut Cx<'_>) {
        let reply = match command {
            Command::Submit { user, tasks, edges, wait } => {
                let event = Event::Submit { command: id, user, tasks, edges };
                if !wait {
                    return self.apply(vec![event], cx);
                }
                if self.apply_and_wait(event, cx) {
                    return;
                }
                Reply::Refused(Refusal::Crowded)
            }
            Command::Cancel { user, task } => match self.hub.task(task) {
                None => Reply::Refused(Refusal::NoTask(task)),
                Some(it) if it.user != user || it.stage.is_final() => Reply::Refused(Refusal::NotYours(task)),
                Some(_) => return self.apply(vec![Event::Cancel { command: id, user, task }], cx),
            },
            Command::Status { task } => self.status(task),
            Command::Await { task } => match self.hub.stage(task) {
                Some(stage) if !stage.is_final() => {
                    if self.wait(id, task, cx) {
                        return;
                    }
                    Reply::Refused(Refusal::Crowded)
                }
                _ => self.status(task),
            },
            Command::List { from, limit, user, stage } => match &stage {
                Some(name) if !Stage::NAMES.contains(&name.as_str()) => {
                    Reply::Refused(Refusal::NoStage(name.clone()))
                }
                _ => self.page(from, limit, |task| {
                    user.is_none_or(|user| task.user == user)
                        && stage.as_ref().is_none_or(|name| task.stage.name() == name)
                }),
            },
            Command::Workers => Reply::Workers(workers(&self.hub)),
            Command::Summary => Reply::Summary(summary(&self.hub)),
            Command::Store { module } if (1..=MODULE_BYTES_MAX).contains(&module.len()) => {
                return self.keep(id, module, cx);
            }
            Command::Store { .. } => Reply::Refused(Refusal::Module),
        };
        self.answer(id, reply, cx);
    }

    pub(super) fn status(&self, id: TaskId) -> Reply {
        match self.hub.task(id) {
            Some(task) => Reply::Task(Box::new(status(&self.hub, id, task))),
            None => Reply::Refused(Refusal::NoTask(id)),
        }
    }

    /// The tasks from this one on that are asked for.
    pub(super) fn page(&self, from: TaskId, limit: u32, is_asked: impl Fn(&TaskView<'_>) -> bool) -> Reply {
        let limit = limit.clamp(1, PAGE_MAX) as usize;
        let (mut tasks, mut next) = (Vec::new(), None);
        for (nth, id) in self.hub.tasks(from).enumerate() {
            if tasks.len() == limit || nth == LOOKED_AT_MAX {
                next = Some(id);
                break;
            }
            let task = self.hub.task(id).filter(&is_asked);
            tasks.extend(task.map(|task| status(&self.hub, id, task)));
        }
        Reply::Tasks { tasks, next }
    }
}

fn status(hub: &Hub, id: TaskId, task: TaskView<'_>) -> TaskStatus {
    TaskStatus {
        task: id,
        name: task.spec.name.clone(),
        user: task.user,
        stage: task.stage,
        attempts: task.attempts,
        submitted: task.submitted,
        answer: hub.answer(id).map(Hub::text),
    }
}

fn workers(hub: &Hub) -> Vec<WorkerStatus> {
    let there: std::collections::BTreeMap<_, _> = hub.workers().collect();
    let known = hub.book().standings().map(|(who, _)| who);
    let names: std::collections::BTreeSet<_> = known.chain(there.keys().copied()).collect();
    let of = |worker| {
        let (view, standing) = (there.get(&worker), hub.book().standing(worker));
        WorkerStatus {
            worker,
            capacity: view.map(|view| view.capacity.clone()),
            copies: view.map_or(0, |view| view.copies),
            free_cores: view.map_or(0, |view| view.free_cores),
            trust: standing.trust,
            passed: standing.passed,
            valid: standing.valid,
            invalid: standing.invalid,
            is_blacklisted: standing.blacklisted,
        }
    };
    names.into_iter().map(of).take(WORKERS_MAX).collect()
}

/// The most workers of one answer.
const WORKERS_MAX: usize = 10_000;

fn summary(hub: &Hub) -> Summary {
    let ended = hub.ended();
    let there = hub.workers();
    let (workers, cores, free_cores) = there.fold((0, 0, 0), |(workers, cores, free), (_, view)| {
        (workers + 1, cores + u64::from(view.capacity.cores), free + u64::from(view.free_cores))
    });
    Summary {
        submitted: hub.submitted(),
        open: hub.open(),
        validated: ended.validated,
        failed: ended.failed,
        cancelled: ended.cancelled,
        workers,
        cores,
        free_cores,
    }
}
