//! What the hub does, case by case.

use super::*;
use crate::scheduler::trust::{Judgement, Reason};

fn plain() -> Shell {
    Shell::new(&Parameters::default(), Validation::None)
}

#[test]
fn tasks_run_when_all_that_they_depend_on_is_validated() {
    let mut shell = plain();
    shell.join(1, 4);
    shell.submit((0..4).map(spec).collect(), vec![edge(0, 1), edge(0, 2), edge(1, 3), edge(2, 3)]);
    assert_eq!(shell.running(), [(1, 0)]);
    assert_eq!(shell.stage(3), Stage::Waiting);
    shell.answer(1, 0, "a");
    assert_eq!(shell.running(), [(1, 1), (1, 2)]);
    shell.answer(1, 2, "c");
    assert_eq!(shell.running(), [(1, 1)]);
    shell.answer(1, 1, "b");
    shell.answer(1, 3, "d");
    assert_eq!((shell.hub.open(), shell.is_valid(3)), (0, true));
}

#[test]
fn what_is_no_graph_or_too_much_is_refused_whole() {
    let refused = |shell: &mut Shell, tasks, edges| match shell.submit(tasks, edges).as_slice() {
        [Output::Reply { reply: Reply::Refused(refusal), .. }] => refusal.to_string(),
        other => panic!("{other:?}"),
    };
    let mut shell = Shell::new(&Parameters { tasks: 3, ..Parameters::default() }, Validation::None);
    let two = || vec![spec(0), spec(1)];
    assert_eq!(
        refused(&mut shell, two(), vec![edge(0, 1), edge(1, 0)]),
        "task `t1` needs itself: it lies on a cycle"
    );
    assert_eq!(refused(&mut shell, vec![spec(0), spec(0)], vec![]), "there are two tasks `t0`");
    assert_eq!(
        refused(&mut shell, two(), vec![edge(0, 7)]),
        "an edge names task 7, but there are only 2 tasks, counted from 0"
    );
    assert_eq!(refused(&mut shell, vec![], vec![]), "there are no tasks, expected at least one");
    let coreless = Spec { needs: Needs::default(), ..spec(1) };
    assert_eq!(
        refused(&mut shell, vec![spec(0), coreless], vec![]),
        "task 1: it must need between 1 and 1,000,000 cores"
    );
    assert_eq!(
        refused(&mut shell, (0..4).map(spec).collect(), vec![]),
        "the hub takes no more than 3 tasks at a time"
    );
    assert_eq!(shell.hub.open(), 0);
    shell.submit(two(), vec![]);
    assert_eq!(refused(&mut shell, two(), vec![]), "the hub takes no more than 3 tasks at a time");
}

#[test]
fn a_task_is_bound_when_a_worker_has_room_and_never_before() {
    let mut shell = plain();
    let wide = |name| Spec { needs: Needs { cores: 3, ..spec(0).needs }, ..spec(name) };
    shell.submit(vec![wide(0), spec(1), wide(2), spec(3)], vec![]);
    assert_eq!(shell.running(), []);
    shell.join(1, 4);
    // The third does not fit beside the first; the fourth would, but the second was there first.
    assert_eq!(shell.running(), [(1, 0), (1, 1)]);
    shell.answer(1, 1, "b");
    assert_eq!(shell.running(), [(1, 0), (1, 3)]);
    shell.answer(1, 0, "a");
    assert_eq!(shell.running(), [(1, 2), (1, 3)]);
}

#[test]
fn tags_and_trust_say_who_may_have_a_task() {
    let mut shell = plain();
    let tagged = Spec { needs: Needs { tags: vec!["gpu".into()], ..spec(0).needs }, ..spec(0) };
    let trusted = Spec { trust: Fixed::of(5.1), ..spec(1) };
    shell.submit(vec![tagged, trusted, spec(2)], vec![]);
    shell.join(1, 1);
    assert_eq!(shell.running(), [(1, 2)]);
    let capacity = Capacity { tags: vec!["gpu".into(), "ssd".into()], ..capacity(1) };
    shell.apply(Event::WorkerJoined { worker: Identity(2), capacity });
    assert_eq!(shell.running(), [(1, 2), (2, 0)]);
    shell.answer(1, 2, "c");
    assert_eq!(shell.stage(1), Stage::Queued);
}

#[test]
fn trust_that_is_earned_opens_tasks_at_once() {
    let mut shell = Shell::new(&Parameters::default(), Validation::Districloud);
    let one = |name| Spec { overlap: Some(1), ..spec(name) };
    shell.join(1, 1);
    shell.submit(vec![Spec { trust: Fixed::of(5.1), ..one(0) }, one(1)], vec![]);
    assert_eq!(shell.running(), [(1, 1)]);
    shell.answer(1, 1, "b");
    assert_eq!(shell.running(), [(1, 0)]);
}

#[test]
fn a_lost_workers_tasks_come_back_once_and_its_late_answer_is_compared() {
    let mut shell = Shell::new(&Parameters::default(), Validation::Quorum);
    shell.submit(vec![Spec { overlap: Some(2), ..spec(0) }], vec![]);
    shell.join(1, 1);
    shell.join(2, 1);
    let lost = shell.copy(2, 0).expect("it was asked");
    shell.leave(2);
    assert_eq!(shell.running(), [(1, 0)]);
    // Not to the one that lost it, but to another, and only once.
    shell.join(2, 1);
    assert_eq!(shell.running(), [(1, 0)]);
    shell.join(3, 1);
    shell.join(4, 1);
    assert_eq!(shell.running(), [(1, 0), (3, 0)]);
    shell.answer(1, 0, "right");
    shell.answer(3, 0, "right");
    assert!(shell.is_valid(0));
    let late = Event::Result { worker: Identity(2), copy: lost, outcome: answered("wrong") };
    let outputs = shell.apply(late.clone());
    let judged = Output::Judged { worker: Identity(2), task: TaskId(0), judgement: Judgement::Refuted };
    assert_eq!(outputs, [judged]);
    assert_eq!(shell.apply(late), []);
}

#[test]
fn a_lease_that_runs_out_gives_the_task_to_others_only() {
    let mut shell = plain();
    shell.join(1, 2);
    shell.submit(vec![spec(0), spec(1)], vec![]);
    let copy = shell.copy(1, 0).expect("it was asked");
    assert_eq!(shell.jobs[&copy].lease, Time::ZERO + SECOND * 60);
    shell.pass(SECOND * 61);
    assert_eq!(shell.stage(0), Stage::Queued);
    // It works at them still: no room for more, nothing given twice.
    assert_eq!(shell.jobs.len(), 2);
    shell.submit(vec![spec(0)], vec![]);
    assert_eq!(shell.jobs.len(), 2);
    shell.join(2, 2);
    assert_eq!(shell.running(), [(1, 0), (1, 1), (2, 0), (2, 1)]);
    // The late answer comes first, and is as good; the other copy is not needed any more.
    let outputs = shell.answer(1, 0, "a");
    assert!(shell.is_valid(0));
    let other = shell.copy(2, 0).expect("it was asked");
    assert!(outputs.contains(&Output::Revoke { worker: Identity(2), copy: other }));
    assert_eq!(shell.copy(1, 2).map(|_| ()), Some(()));
}

#[test]
fn a_copy_takes_up_room_until_it_is_known_to_have_stopped() {
    let mut shell = plain();
    shell.join(1, 1);
    shell.submit(vec![spec(0), spec(1), spec(2)], vec![]);
    let copy = shell.copy(1, 0).expect("it was asked");
    let cancel = |user: u64| Event::Cancel { command: CommandId(2), user: UserId(user), task: TaskId(0) };
    let refused = vec![Output::Reply { command: CommandId(2), reply: Reply::Refused(Refusal::NoTask) }];
    assert_eq!(shell.apply(cancel(9)), refused);
    assert_eq!(
        shell.apply(cancel(0)),
        [
            Output::Revoke { worker: Identity(1), copy },
            Output::Notice { task: TaskId(0), stage: Stage::Cancelled },
            Output::Reply { command: CommandId(2), reply: Reply::Cancelled },
        ]
    );
    assert_eq!(shell.apply(cancel(0)), refused);
    let beats = |running: &[CopyId]| Event::Heartbeat { worker: Identity(1), running: running.to_vec() };
    assert_eq!(shell.apply(beats(&[copy])), []);
    assert_eq!(shell.copy(1, 1), None);
    shell.apply(beats(&[]));
    let next = shell.copy(1, 1).expect("there is room now");
    // A heartbeat that was under way before a worker heard of a copy takes nothing from it.
    assert_eq!(shell.apply(beats(&[])), []);
    assert_eq!(shell.stage(1), Stage::Running);
    shell.apply(Event::Cancel { command: CommandId(3), user: UserId(0), task: TaskId(1) });
    shell.outcome(next, Outcome::Stopped);
    assert!(shell.copy(1, 2).is_some());
    assert_eq!(shell.hub.book().standing(Identity(1)).lapses, 0);
}

#[test]
fn silence_ends_all_leases_of_a_worker() {
    let mut shell = plain();
    shell.join(1, 1);
    shell.submit(vec![spec(0)], vec![]);
    for _ in 0..2 {
        shell.pass(SECOND * 20);
        shell.apply(Event::Heartbeat { worker: Identity(1), running: Vec::new() });
    }
    shell.pass(SECOND * 119);
    let beat = Event::Heartbeat { worker: Identity(1), running: Vec::new() };
    assert_eq!(shell.clone().apply(beat.clone()), []);
    shell.pass(SECOND * 2);
    assert_eq!(shell.apply(beat), [Output::Unknown { worker: Identity(1) }]);
    assert_eq!(shell.stage(0), Stage::Queued);
}

#[test]
fn attempts_are_as_many_as_its_user_allows_and_each_rests_twice_as_long() {
    let mut shell = Shell::new(&Parameters::default(), Validation::Quorum);
    (1..=2).for_each(|worker| drop(shell.join(worker, 1)));
    shell.submit(vec![Spec { overlap: Some(2), retries: 2, ..spec(0) }, spec(1)], vec![edge(0, 1)]);
    for rest in [1, 2] {
        shell.answer(1, 0, "one");
        shell.answer(2, 0, "other");
        assert_eq!(shell.stage(0), Stage::Resting);
        shell.pass(Duration::from_millis(rest * 1_000 - 1));
        assert_eq!(shell.stage(0), Stage::Resting);
        shell.pass(Duration::from_millis(1));
        assert_eq!((shell.stage(0), shell.jobs.len()), (Stage::Running, 2));
    }
    shell.answer(1, 0, "one");
    shell.answer(2, 0, "other");
    assert_eq!(shell.stage(0), Stage::Failed(Failure::Invalid(Reason::Divided)));
    assert_eq!(shell.stage(1), Stage::Failed(Failure::Dependency(TaskId(0))));
    assert_eq!(shell.hub.open(), 0);
}

#[test]
fn a_task_for_which_there_is_nobody_fails_with_that_reason() {
    let mut shell = plain();
    shell.join(1, 2);
    let wide = Spec { needs: Needs { cores: 3, ..spec(0).needs }, retries: 1, ..spec(0) };
    shell.submit(vec![wide, spec(1), spec(2), spec(3)], vec![]);
    for _ in 0..24 {
        shell.pass(SECOND * 100);
        let running = shell.jobs.keys().copied().collect();
        shell.apply(Event::Heartbeat { worker: Identity(1), running });
    }
    assert_eq!(shell.stage(0), Stage::Failed(Failure::Unclaimed));
    // This one could be done by who is there, if it were not busy.
    assert_eq!(shell.stage(3), Stage::Queued);
}

#[test]
fn a_straggler_gets_a_second_copy_and_the_first_answer_counts() {
    let mut shell = Shell::new(&Parameters { stragglers: 3, ..Parameters::default() }, Validation::None);
    shell.join(1, 1);
    shell.submit(vec![spec(0)], vec![]);
    shell.join(2, 1);
    shell.pass(Duration::from_millis(2_999));
    assert_eq!(shell.running(), [(1, 0)]);
    shell.pass(Duration::from_millis(1));
    assert_eq!(shell.running(), [(1, 0), (2, 0)]);
    let outputs = shell.answer(2, 0, "a");
    assert!(shell.is_valid(0));
    let first = shell.copy(1, 0).expect("it has it still");
    assert!(outputs.contains(&Output::Revoke { worker: Identity(1), copy: first }));
}

/// Flaw (d) of DistriCloud, found by its switch alone: a task with fewer answers than its overlap is stuck for ever.
#[test]
fn a_task_is_stuck_after_a_lost_copy_only_if_the_hub_forgets_it() {
    for forgets_lost_copies in [false, true] {
        let parameters = Parameters { forgets_lost_copies, ..Parameters::default() };
        let mut shell = Shell::new(&parameters, Validation::Districloud);
        shell.join(1, 1);
        shell.join(2, 1);
        shell.submit(vec![Spec { overlap: Some(2), ..spec(0) }], vec![]);
        shell.leave(2);
        shell.answer(1, 0, "a");
        shell.join(3, 1);
        assert_eq!(shell.copy(3, 0).is_none(), forgets_lost_copies);
        if forgets_lost_copies {
            for _ in 0..100 {
                shell.pass(SECOND * 100);
                for worker in [1, 3].map(Identity) {
                    shell.apply(Event::Heartbeat { worker, running: Vec::new() });
                }
            }
            assert_eq!(shell.stage(0), Stage::Queued);
        } else {
            shell.answer(3, 0, "a");
            assert!(shell.is_valid(0));
        }
    }
}

#[test]
fn who_fails_a_spot_check_is_out_and_its_votes_with_it() {
    let mut shell = Shell::new(&Parameters::default(), Validation::Credibility);
    (1..=6).for_each(|worker| drop(shell.join(worker, 1)));
    let mut blacklisted = false;
    for _ in 0..40 {
        shell.submit((0..6).map(spec).collect(), vec![]);
        while let Some((copy, job)) = shell.jobs.first_key_value().map(|(copy, job)| (*copy, job.clone())) {
            let text = if job.worker == Identity(3) { "lie".to_owned() } else { job.task.0.to_string() };
            shell.learn(|task| task.0.to_string());
            let outputs = shell.outcome(copy, answered(&text));
            assert!(!(blacklisted && job.worker == Identity(3) && !outputs.is_empty()));
            blacklisted |= outputs.contains(&Output::Blacklisted { worker: Identity(3) });
        }
    }
    assert!(blacklisted);
    let three = Identity(3);
    assert_eq!(shell.join(3, 1), [Output::Lost { worker: three }, Output::Joined { worker: three }]);
    assert!(shell.stages.values().all(|stage| matches!(stage, Stage::Validated(_))));
    let right = |task: &TaskId| Comparator::Exact.read(task.0.to_string().as_bytes());
    assert!(shell.stages.keys().all(|task| shell.hub.answer(*task) == Some(&right(task))));
}

/// Of three workers that nobody knows, one lies: no vote of theirs is worth enough, but the hub finds the answer out.
#[test]
fn what_nobody_is_credible_enough_to_say_the_hub_computes_itself() {
    let mut shell = Shell::new(&Parameters::default(), Validation::Credibility);
    (1..=3).for_each(|worker| drop(shell.join(worker, 1)));
    shell.submit((0..40).map(spec).collect(), vec![]);
    for _ in 0..10_000 {
        if let Some((copy, job)) = shell.jobs.first_key_value().map(|(copy, job)| (*copy, job.clone())) {
            shell.outcome(copy, answered(if job.worker == Identity(3) { "lie" } else { "right" }));
        } else if shell.hub.open() > 0 {
            shell.learn(|_| "right".into());
            shell.pass(SECOND);
            (1..=3).for_each(|worker| {
                shell.apply(Event::Heartbeat { worker: Identity(worker), running: Vec::new() });
            });
        }
    }
    let right = Comparator::Exact.read(b"right");
    assert!((0..40).all(|task| shell.is_valid(task) && shell.hub.answer(TaskId(task)) == Some(&right)));
    assert!(shell.outputs.contains(&Output::Blacklisted { worker: Identity(3) }));
    assert!([1, 2].iter().all(|worker| !shell.hub.book().standing(Identity(*worker)).blacklisted));
}

/// What the hub cannot compute, or not in time, leaves the decision to the workers.
#[test]
fn a_lesson_that_comes_to_nothing_is_given_up() {
    let mut shell = Shell::new(&Parameters::default(), Validation::Credibility);
    (1..=3).for_each(|worker| drop(shell.join(worker, 1)));
    shell.submit((0..40).map(spec).collect(), vec![]);
    while shell.lesson.is_none() {
        let copy = *shell.jobs.keys().next().expect("somebody works");
        shell.outcome(copy, answered("right"));
    }
    let (copy, task) = shell.lesson.take().expect("there is one");
    shell.apply(Event::Learned { copy, outcome: Outcome::Failed });
    assert_eq!(shell.hub.lesson(), None);
    assert!(!shell.hub.stage(task).expect("it is remembered").is_final());
    while shell.lesson.is_none() {
        let copy = *shell.jobs.keys().next().expect("somebody works");
        shell.outcome(copy, answered("right"));
    }
    let (copy, _) = shell.lesson.take().expect("there is one");
    (0..100).for_each(|_| {
        shell.pass(SECOND);
        (1..=3).for_each(|worker| {
            let running = shell.jobs.iter().filter(|(_, job)| job.worker == Identity(worker));
            let running = running.map(|(copy, _)| *copy).collect();
            drop(shell.apply(Event::Heartbeat { worker: Identity(worker), running }));
        });
    });
    assert_ne!(shell.hub.lesson().map(|(lesson, ..)| lesson), Some(copy));
}

#[test]
fn a_task_comes_back_as_often_as_its_policy_says_and_no_more() {
    let trust = trust::Parameters { validation: Validation::None, copies: 3, ..trust::Parameters::default() };
    let mut shell = Shell::with(Arc::new(Rules::new(&Parameters::default(), &trust, Comparator::Exact)));
    shell.submit(vec![spec(0)], vec![]);
    for worker in 1..=3 {
        shell.join(worker, 1);
        assert_eq!(shell.running(), [(worker, 0)]);
        shell.leave(worker);
    }
    assert_eq!(shell.stage(0), Stage::Failed(Failure::Invalid(Reason::Exhausted)));
}

/// The tasks in the order in which one worker gets them.
#[test]
fn each_queue_policy_gives_tasks_out_in_its_order() {
    for (queue, expected) in [
        (QueuePolicy::Fifo, [0, 1, 2, 3]),
        (QueuePolicy::Priority, [2, 1, 0, 3]),
        (QueuePolicy::Sjf, [3, 1, 0, 2]),
        (QueuePolicy::Edf, [1, 3, 2, 0]),
        (QueuePolicy::Fair, [0, 1, 2, 3]),
        (QueuePolicy::Districloud, [0, 1, 2, 3]),
    ] {
        let mut shell = Shell::new(&Parameters { queue, ..Parameters::default() }, Validation::None);
        let of = |at: usize, priority, work, deadline: Option<u64>| Spec {
            priority,
            work: SECOND * work,
            deadline: deadline.map(|seconds| SECOND * seconds),
            ..spec(at)
        };
        let all = vec![of(0, 0, 3, None), of(1, 2, 2, Some(5)), of(2, 3, 9, Some(50)), of(3, 0, 1, Some(20))];
        shell.submit(all, vec![]);
        shell.join(1, 1);
        let mut order = Vec::new();
        while let Some((copy, job)) = shell.jobs.first_key_value().map(|(copy, job)| (*copy, job.clone())) {
            order.push(job.task.0);
            shell.outcome(copy, answered("a"));
        }
        assert_eq!(order, expected, "{queue}");
    }
}

/// How many of eight tasks each of four workers gets, of which the last has twice the cores.
#[test]
fn each_node_policy_lays_tasks_out_in_its_way() {
    for (node, expected) in [
        (NodePolicy::Districloud, [4, 4, 0, 0]),
        (NodePolicy::ShortestQueue, [2, 2, 2, 2]),
        (NodePolicy::LeastLoaded, [2, 2, 2, 2]),
        (NodePolicy::BestFit, [4, 4, 0, 0]),
        // By shares of cores left free: 7/8, 3/4 three times, 6/8, 5/8, and 1/2 with the lower names first.
        (NodePolicy::Spread, [2, 2, 1, 3]),
        (NodePolicy::RoundRobin, [2, 2, 2, 2]),
        // By work per core: 1/4 thrice and 1/8, then another 1/8, then all are equal and take turns.
        (NodePolicy::Locality, [2, 2, 2, 2]),
    ] {
        let mut shell = Shell::new(&Parameters { node, ..Parameters::default() }, Validation::None);
        for (worker, cores) in [(1, 4), (2, 4), (3, 4), (4, 8)] {
            shell.join(worker, cores);
        }
        shell.submit((0..8).map(spec).collect(), vec![]);
        let had = |worker: u64| shell.jobs.values().filter(|job| job.worker == Identity(worker)).count();
        assert_eq!([1, 2, 3, 4].map(had), expected, "{node}");
    }
}

#[test]
fn by_locality_a_task_goes_where_its_data_lies() {
    let parameters = Parameters { node: NodePolicy::Locality, ..Parameters::default() };
    let mut shell = Shell::new(&parameters, Validation::None);
    (1..=3).for_each(|worker| drop(shell.join(worker, 2)));
    // A second's work on each of the first two, then three seconds of transfer from there.
    let far = Edge { from: 1, to: 2, data: Bytes(375_000_000) };
    shell.submit((0..3).map(spec).collect(), vec![far]);
    assert_eq!(shell.running(), [(1, 0), (2, 1)]);
    shell.answer(2, 1, "b");
    assert_eq!(shell.running(), [(1, 0), (2, 2)]);
}

#[test]
fn users_get_equal_shares_of_one_worker() {
    let mut shell =
        Shell::new(&Parameters { queue: QueuePolicy::Fair, ..Parameters::default() }, Validation::None);
    shell.submit_of(1, (0..6).map(spec).collect(), vec![]);
    shell.submit_of(2, (0..3).map(spec).collect(), vec![]);
    shell.join(1, 1);
    let mut order = Vec::new();
    while let Some((copy, job)) = shell.jobs.first_key_value().map(|(copy, job)| (*copy, job.clone())) {
        order.push(if job.task.0 < 6 { 1 } else { 2 });
        shell.outcome(copy, answered("a"));
    }
    assert_eq!(order, [1, 2, 1, 2, 1, 2, 1, 1, 1]);
}

#[test]
fn districloud_considers_few_tasks_at_a_time_by_age_per_need() {
    let parameters = Parameters { queue: QueuePolicy::Districloud, active: 2, ..Parameters::default() };
    let mut shell = Shell::new(&parameters, Validation::None);
    let of = |cores| Spec { needs: Needs { cores, ..spec(0).needs }, ..spec(cores as usize) };
    shell.submit(vec![of(4), of(2), of(3)], vec![]);
    assert_eq!(shell.hub.state().queue.tasks().count(), 2);
    shell.at = Time::ZERO + SECOND * 10;
    // All are equally old at zero, so the first two came in; now the narrow ones are the most urgent.
    shell.apply(Event::Tick);
    let queued = |shell: &Shell| {
        shell.hub.state().queue.tasks().map(|task| task.0).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(queued(&shell), [1, 2].into());
    shell.join(1, 4);
    assert_eq!(shell.running(), [(1, 1)]);
}

#[test]
fn an_audit_finds_what_is_wrong() {
    let mut shell = plain();
    shell.join(1, 1);
    shell.submit(vec![spec(0), spec(1), spec(2)], vec![edge(0, 2)]);
    let copy = shell.copy(1, 0).expect("it was asked");
    let broken = |wreck: &dyn Fn(&mut State)| {
        let mut hub = shell.hub.clone();
        wreck(&mut hub.state);
        hub.audit()
    };
    fn task(state: &mut State, id: u64) -> &mut state::Task {
        state.tasks.get_mut(&TaskId(id)).expect("there is such a task")
    }
    assert_eq!(broken(&|_| {}), Ok(()));
    let reservation = Err(Breach::Reservation(Identity(1)));
    assert_eq!(broken(&|state| drop(state.copies.remove(&copy))), reservation);
    let needs = |state: &mut State, cores| {
        state.copies.get_mut(&copy).expect("it is there").needs.cores = cores;
    };
    assert_eq!(broken(&|state| needs(state, 2)), reservation);
    let gone = |state: &mut State| {
        state.copies.get_mut(&copy).expect("it is there").hold = state::Hold::Gone;
    };
    assert_eq!(broken(&gone), Err(Breach::Copy(copy)));
    let twice = |state: &mut State| {
        gone(state);
        let turn = state.copies[&copy].clone();
        state.workers.remove(Identity(1));
        state.copies.insert(CopyId(7), turn);
    };
    assert_eq!(broken(&twice), Err(Breach::Twice(Identity(1), TaskId(0))));
    assert_eq!(broken(&|state| task(state, 2).stage = Stage::Queued), Err(Breach::Dependency(TaskId(2))));
    assert_eq!(broken(&|state| task(state, 0).live = 2), Err(Breach::Stage(TaskId(0))));
    assert_eq!(broken(&|state| task(state, 1).wanted = 0), Err(Breach::Queue(TaskId(1))));
    assert_eq!(broken(&|state| state.open += 1), Err(Breach::Open));
    let narrow = trust::Parameters { highest: 4.0, ..trust::Parameters::default() };
    let rules = Arc::new(Rules::new(&Parameters::default(), &narrow, Comparator::Exact));
    let trust = Err(Breach::Trust(Identity(1)));
    assert_eq!(Hub::resume(rules, shell.hub.state().clone()).audit(), trust);
}

#[test]
fn the_clock_of_a_log_never_runs_back() {
    let mut shell = plain();
    shell.join(1, 1);
    shell.at = Time::ZERO + SECOND * 100;
    shell.apply(Event::Heartbeat { worker: Identity(1), running: Vec::new() });
    shell.at = Time::ZERO;
    shell.submit(vec![spec(0)], vec![]);
    let copy = shell.copy(1, 0).expect("it was asked");
    assert_eq!(shell.jobs[&copy].lease, Time::ZERO + SECOND * 160);
}
