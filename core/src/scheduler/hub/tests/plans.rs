//! Workflows through the hub: what a schedule says on paper is what comes of it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use proptest::prelude::*;

use super::*;
use crate::scheduler::dag::{
    self, Costs, Execution, Instance, Link, Network, Policy, Schedule, Speed, TaskGraph,
};

const LINK: Rate = Rate(8_000_000);

fn planned(dag: DagPolicy) -> Shell {
    Shell::new(&Parameters { dag, ..Parameters::default() }, Validation::None)
}

/// A task of so many milliseconds.
fn takes(name: usize, millis: u64) -> Spec {
    Spec { work: Duration::from_millis(millis), ..spec(name) }
}

/// A byte takes a microsecond to any other worker, so 1,000 bytes a millisecond.
fn data(from: u32, to: u32, millis: u64) -> Edge {
    Edge { from, to, data: Bytes(millis * 1_000) }
}

impl Shell {
    fn join_with_speed(&mut self, worker: u64, speed: u64) {
        let capacity = Capacity { speed: Fixed(Fixed::ONE.0 * speed), rate: LINK, ..capacity(1) };
        self.apply(Event::WorkerJoined { worker: Identity(worker), capacity });
    }

    /// Workers of one core work for as long as is expected, once all data has come to them; data leaves when it is made.
    /// Returns where and when all tasks ran.
    fn work_out(&mut self, specs: &[Spec], edges: &[Edge], speeds: &[u64]) -> Vec<(u64, Duration)> {
        let mut ran: Vec<(u64, Duration)> = vec![(0, Duration::ZERO); specs.len()];
        let mut running = BinaryHeap::new();
        loop {
            for (copy, job) in self.jobs.clone() {
                if running.iter().any(|Reverse((_, other, _))| *other == copy) {
                    continue;
                }
                let (at, speed) = (job.task.0 as usize, speeds[job.worker.0 as usize]);
                let arrives = edges.iter().filter(|edge| edge.to as usize == at).map(|edge| {
                    let (from, end) = ran[edge.from as usize];
                    let travels = if from == job.worker.0 { 0 } else { edge.data.0 };
                    Time::ZERO + end + Duration::from_micros(travels)
                });
                let start = arrives.fold(self.at, Time::max);
                let end = start + Duration::from_nanos(specs[at].work.as_nanos() / speed);
                ran[at] = (job.worker.0, end.since(Time::ZERO));
                running.push(Reverse((end, copy, job.worker)));
            }
            let Some(Reverse((at, copy, worker))) = running.pop() else { return ran };
            self.at = at;
            let quiet = Event::Result { worker, copy, outcome: answered("a") };
            self.jobs.remove(&copy);
            self.apply(quiet);
        }
    }
}

/// What the policy says by itself, of workers that are numbered by their speed, the fastest first.
fn on_paper(policy: Policy, specs: &[Spec], edges: &[Edge], speeds: &[u64]) -> Schedule {
    let tasks = specs.iter().map(|spec| dag::Task { name: spec.name.clone(), work: spec.work });
    let graph = TaskGraph::new(tasks.collect(), edges.to_vec()).expect("a graph");
    let speeds = speeds.iter().map(|speed| Speed(speed * 1_000_000)).collect();
    let link = Link { latency: Duration::ZERO, bandwidth: LINK };
    let costs = Costs { execution: Execution::Speeds(speeds), network: Network::Uniform(link) };
    policy.schedule(&Instance::new(&graph, &costs).expect("they fit")).expect("a schedule")
}

/// The shape of Topcuoglu, Hariri and Wu's example (2002), with its data and its mean costs, on related machines.
fn canonical() -> (Vec<Spec>, Vec<Edge>) {
    let works = [13, 17, 14, 13, 12, 13, 11, 10, 17, 15].iter().map(|mean| mean * 12);
    let edges = [
        (1, 2, 18),
        (1, 3, 12),
        (1, 4, 9),
        (1, 5, 11),
        (1, 6, 14),
        (2, 8, 19),
        (2, 9, 16),
        (3, 7, 23),
        (4, 8, 27),
        (4, 9, 23),
        (5, 9, 13),
        (6, 8, 15),
        (7, 10, 17),
        (8, 10, 11),
        (9, 10, 13),
    ];
    let edges = edges.iter().map(|(from, to, cost)| data(from - 1, to - 1, cost * 12)).collect();
    (works.enumerate().map(|(at, millis)| takes(at, millis)).collect(), edges)
}

/// A worker as fast as another has its place by its name, and names begin at 0.
fn compare(specs: &[Spec], edges: &[Edge], speeds: &[u64]) -> Result<(), TestCaseError> {
    for (dag, policy) in
        [(DagPolicy::Heft, Policy::Heft), (DagPolicy::Cpop, Policy::Cpop), (DagPolicy::Peft, Policy::Peft)]
    {
        let mut shell = planned(dag);
        for (worker, speed) in speeds.iter().enumerate() {
            shell.join_with_speed(worker as u64, *speed);
        }
        shell.submit(specs.to_vec(), edges.to_vec());
        let ran = shell.work_out(specs, edges, speeds);
        let paper = on_paper(policy, specs, edges, speeds);
        let expected: Vec<_> =
            paper.places.iter().map(|place| (u64::from(place.processor), place.finish)).collect();
        prop_assert_eq!(ran, expected, "{}", dag);
        prop_assert_eq!(shell.hub.open(), 0);
    }
    Ok(())
}

#[test]
fn the_canonical_graph_runs_as_each_policy_plans_it() {
    let (specs, edges) = canonical();
    for speeds in [[1, 1, 1], [3, 2, 1], [4, 1, 1]] {
        compare(&specs, &edges, &speeds).expect("the same schedule");
    }
}

fn workflows() -> impl Strategy<Value = (Vec<Spec>, Vec<Edge>, Vec<u64>)> {
    let works = prop::collection::vec(1_u64..40, 2..12);
    (works, prop::collection::vec(any::<(u8, u8, u8)>(), 1..24), 1_usize..4).prop_map(
        |(works, pairs, workers)| {
            let count = works.len() as u32;
            let pair = |(a, b, millis): (u8, u8, u8)| {
                let (a, b) = (u32::from(a) % count, u32::from(b) % count);
                (a != b).then(|| data(a.min(b), a.max(b), u64::from(millis) % 50))
            };
            let mut edges: Vec<Edge> = pairs.into_iter().filter_map(pair).collect();
            edges.sort_by_key(|edge| (edge.from, edge.to));
            edges.dedup_by_key(|edge| (edge.from, edge.to));
            // At least one, or it is no workflow.
            if edges.is_empty() {
                edges.push(data(0, 1, 3));
            }
            // All can be divided by the speeds.
            let specs = works.iter().enumerate().map(|(at, millis)| takes(at, millis * 6)).collect();
            (specs, edges, vec![3, 2, 2][..workers].to_vec())
        },
    )
}

proptest! {
    #[test]
    fn every_workflow_alone_runs_as_it_is_planned((specs, edges, speeds) in workflows()) {
        compare(&specs, &edges, &speeds)?;
    }

    #[test]
    fn a_dynamic_list_runs_as_on_paper_where_data_costs_nothing((specs, mut edges, speeds) in workflows()) {
        edges.iter_mut().for_each(|edge| edge.data = Bytes(0));
        // No two tasks end at the same time: the hub hears of them one by one, and decides each time.
        let specs: Vec<Spec> = specs
            .into_iter()
            .enumerate()
            .map(|(at, it)| Spec { work: it.work + Duration::from_nanos(12 << at), ..it })
            .collect();
        let mut shell = planned(DagPolicy::DynamicList);
        // Ranks by the mean speed of two are those by the mean cost only if all are alike.
        let speeds = vec![2; speeds.len()];
        (0..speeds.len()).for_each(|worker| shell.join_with_speed(worker as u64, 2));
        shell.submit(specs.clone(), edges.clone());
        let ran = shell.work_out(&specs, &edges, &speeds);
        let makespan = on_paper(Policy::DynamicList, &specs, &edges, &speeds).makespan();
        prop_assert_eq!(ran.iter().map(|(_, end)| *end).max(), Some(makespan));
    }
}

/// Two chains on two workers, so that each worker has one of them.
fn two_chains(dag: DagPolicy) -> Shell {
    let mut shell = planned(dag);
    shell.join_with_speed(1, 1);
    shell.join_with_speed(2, 1);
    let edges = vec![data(0, 2, 5_000), data(1, 3, 5_000)];
    shell.submit((0..4).map(|at| takes(at, 1_000)).collect(), edges);
    assert_eq!(shell.running(), [(1, 0), (2, 1)]);
    shell
}

#[test]
fn a_task_waits_for_its_worker_until_the_plan_is_over() {
    let mut shell = two_chains(DagPolicy::Heft);
    shell.answer(2, 1, "b");
    // The other worker is free, and another task comes that goes to it only after what is planned there.
    assert_eq!(shell.running(), [(1, 0), (2, 3)]);
    shell.submit(vec![takes(0, 1_000)], vec![]);
    shell.answer(2, 3, "d");
    assert_eq!(shell.running(), [(1, 0), (2, 4)]);
    shell.answer(1, 0, "a");
    shell.submit(vec![takes(0, 1_000), takes(1, 1_000)], vec![]);
    assert_eq!(shell.running(), [(1, 2), (2, 4)]);
    // A worker that holds up a plan: its next task is planned to end after 2 s, and goes elsewhere after 4 s.
    let mut shell = two_chains(DagPolicy::Heft);
    shell.answer(2, 1, "b");
    shell.answer(2, 3, "d");
    let Some(copy) = shell.copy(1, 0) else { panic!("it has it") };
    shell.pass(SECOND * 3);
    shell.join_with_speed(1, 1);
    assert_eq!(shell.running(), [(1, 0), (2, 0)], "{copy:?}");
}

#[test]
fn what_was_planned_for_a_lost_worker_goes_to_others() {
    for dag in [DagPolicy::Heft, DagPolicy::Cpop, DagPolicy::Peft] {
        let mut shell = two_chains(dag);
        shell.answer(1, 0, "a");
        assert_eq!(shell.running(), [(1, 2), (2, 1)]);
        shell.leave(1);
        for _ in 0..3 {
            let [(2, task)] = shell.running()[..] else { panic!("one core, one task") };
            shell.answer(2, task, "a");
        }
        assert_eq!(shell.hub.open(), 0);
    }
}

#[test]
fn a_plan_that_is_late_lets_its_tasks_go() {
    let mut shell = planned(DagPolicy::Heft);
    shell.join_with_speed(1, 1);
    shell.submit(vec![takes(0, 1_000), takes(1, 1_000), takes(2, 1_000)], vec![data(0, 2, 9_000)]);
    shell.join_with_speed(2, 1);
    // All three are planned for the first worker, which has one of them; the second task may leave it after twice 2 s.
    let waits = if shell.copy(1, 0).is_some() { 1 } else { 0 };
    assert_eq!(shell.running(), [(1, 1 - waits)]);
    shell.pass(SECOND * 7);
    assert_eq!(shell.running(), [(1, 1 - waits), (2, waits)]);
}

#[test]
fn other_copies_of_a_planned_task_go_to_other_workers() {
    let parameters = Parameters { dag: DagPolicy::Heft, ..Parameters::default() };
    let mut shell = Shell::new(&parameters, Validation::Quorum);
    (1..=3).for_each(|worker| shell.join_with_speed(worker, 1));
    let twice = |at| Spec { overlap: Some(2), ..takes(at, 1_000) };
    shell.submit(vec![twice(0), twice(1)], vec![data(0, 1, 9_000)]);
    let had: Vec<_> = shell.running();
    assert_eq!(had.len(), 2);
    for (worker, _) in had {
        shell.answer(worker, 0, "a");
    }
    assert_eq!(shell.running().len(), 2);
}

/// All keys of a workflow lie between those of what came before and after it.
#[test]
fn workflows_stand_in_the_queue_as_one() {
    let mut shell = planned(DagPolicy::DynamicList);
    shell.submit(vec![spec(0)], vec![]);
    shell.at += SECOND;
    // The third is at the head of the longest way, then the second.
    let tasks = vec![takes(0, 1_000), takes(1, 2_000), takes(2, 3_000), takes(3, 1_000)];
    shell.submit(tasks, vec![data(0, 3, 1), data(1, 3, 1), data(2, 3, 1)]);
    shell.at += SECOND;
    shell.submit(vec![spec(0)], vec![]);
    shell.join_with_speed(1, 1);
    let mut order = Vec::new();
    while let Some((copy, job)) = shell.jobs.first_key_value().map(|(copy, job)| (*copy, job.clone())) {
        order.push(job.task.0);
        shell.outcome(copy, answered("a"));
    }
    assert_eq!(order, [0, 3, 2, 1, 4, 5]);
}

#[test]
fn a_workflow_too_large_for_a_plan_is_ranked() {
    let mut shell = planned(DagPolicy::Heft);
    shell.join_with_speed(1, 1);
    let count = PLANNED_TASKS_MAX as u64 + 1;
    // Each takes a little longer than the one before; the last one needs the one before it.
    let tasks = (0..count).map(|at| takes(at as usize, 10 + at)).collect();
    shell.apply_unseen(Event::Submit {
        command: CommandId(1),
        user: UserId(0),
        tasks,
        edges: vec![data(count as u32 - 2, count as u32 - 1, 1)],
    });
    assert_eq!(shell.running(), [(1, count - 2)]);
    assert!(shell.hub.state().planned.is_empty());
}
