//! Many tasks and many workers: what a decision costs must not grow with them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::*;

/// All of `tasks` arrive at once, in batches; workers of 1 to 4 cores answer after the time that the work takes.
fn run(workers: u64, tasks: usize, parameters: &Parameters) -> (Hub, Duration) {
    const BATCH: usize = 1_000;
    let mut shell = Shell::new(parameters, Validation::None);
    for worker in 0..workers {
        let capacity = capacity(1 + worker as u32 % 4);
        shell.apply_unseen(Event::WorkerJoined { worker: Identity(worker), capacity });
    }
    let task = |at: usize| {
        let needs = Needs { cores: 1 + at as u32 % 2, ram: Bytes(1 << (20 + at % 3)), tags: Vec::new() };
        Spec { needs, work: Duration::from_millis(1 + at as u64 * 7_919 % 20_000), ..spec(at) }
    };
    for first in (0..tasks).step_by(BATCH) {
        let tasks = (first..tasks.min(first + BATCH)).map(task).collect();
        shell.apply_unseen(Event::Submit {
            command: CommandId(0),
            user: UserId(0),
            tasks,
            edges: Vec::new(),
        });
    }
    let mut ends = BinaryHeap::new();
    let mut begin = |shell: &mut Shell| {
        for (copy, job) in std::mem::take(&mut shell.jobs) {
            let work = shell.hub.state().tasks[&job.task].spec.work;
            ends.push(Reverse((shell.at + work, copy, job.worker)));
        }
        shell.outputs.clear();
        shell.log.clear();
        ends.pop()
    };
    while let Some(Reverse((at, copy, worker))) = begin(&mut shell) {
        shell.at = at;
        shell.apply_unseen(Event::Result { worker, copy, outcome: answered("a") });
    }
    (shell.hub, shell.at.since(Time::ZERO))
}

#[test]
fn many_tasks_keep_many_workers_busy() {
    let (workers, tasks) = (100, 5_000);
    for (queue, node) in [(QueuePolicy::Sjf, NodePolicy::BestFit), (QueuePolicy::Fifo, NodePolicy::Spread)] {
        let (hub, makespan) = run(workers, tasks, &Parameters { queue, node, ..Parameters::default() });
        assert_eq!((hub.open(), hub.audit()), (0, Ok(())));
        // Work times cores over all cores is the least that it can take.
        let done = hub.state().tasks.values();
        let work: u64 = done.map(|task| task.spec.work.as_nanos() * u64::from(task.spec.needs.cores)).sum();
        let least = work / (workers * 5 / 2);
        assert!(makespan.as_nanos() >= least && makespan.as_nanos() < least * 3 / 2, "{makespan} {least}");
    }
}
