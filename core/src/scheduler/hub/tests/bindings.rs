//! Tasks that are bound to a worker before it has room.

use super::*;

fn push(node: NodePolicy) -> Shell {
    let parameters = Parameters { binding: Binding::Push, node, ..Parameters::default() };
    Shell::new(&parameters, Validation::None)
}

#[test]
fn a_pushed_task_stays_with_its_worker_though_another_is_free() {
    let mut shell = push(NodePolicy::LeastLoaded);
    (1..=2).for_each(|worker| drop(shell.join(worker, 1)));
    // By load: in turns.
    shell.submit((0..6).map(spec).collect(), vec![]);
    assert_eq!(shell.running(), [(1, 0), (2, 1)]);
    for task in [1, 3, 5] {
        shell.answer(2, task, "a");
    }
    assert_eq!(shell.running(), [(1, 0)]);
    for task in [0, 2, 4] {
        shell.answer(1, task, "a");
    }
    assert_eq!(shell.hub.open(), 0);
}

#[test]
fn nobody_in_a_line_goes_before_the_first() {
    let mut shell = push(NodePolicy::LeastLoaded);
    shell.join(1, 4);
    let wide = |name| Spec { needs: Needs { cores: 3, ..spec(0).needs }, ..spec(name) };
    shell.submit(vec![wide(0), wide(1), spec(2)], vec![]);
    // Late, the third would go first: there is room for it.
    assert_eq!(shell.running(), [(1, 0)]);
    shell.answer(1, 0, "a");
    assert_eq!(shell.running(), [(1, 1), (1, 2)]);
}

#[test]
fn what_waits_at_a_lost_worker_goes_on_without_a_lost_attempt() {
    let trust = trust::Parameters { validation: Validation::None, copies: 1, ..trust::Parameters::default() };
    let parameters = Parameters { binding: Binding::Push, ..Parameters::default() };
    let mut shell = Shell::with(Arc::new(Rules::new(&parameters, &trust, Comparator::Exact)));
    shell.join(1, 1);
    shell.submit((0..3).map(spec).collect(), vec![]);
    shell.leave(1);
    // One copy is all that a task may have, and the first has had it.
    assert_eq!(shell.stage(0), Stage::Failed(Failure::Invalid(trust::Reason::Exhausted)));
    shell.join(2, 2);
    assert_eq!(shell.running(), [(2, 1), (2, 2)]);
    shell.answer(2, 1, "a");
    shell.answer(2, 2, "a");
    assert_eq!(shell.hub.book().standing(Identity(1)).lapses, 1);
}

/// Sixteen tasks of one core and a second for workers of 2, 2, 2 and 4 cores: how many each is given for good.
#[test]
fn node_policies_see_who_waits() {
    for (node, expected) in [
        (NodePolicy::ShortestQueue, [4, 4, 4, 4]),
        // Fifteen make a load of 3/2 everywhere; the last is for the lowest name.
        (NodePolicy::LeastLoaded, [4, 3, 3, 6]),
        (NodePolicy::RoundRobin, [4, 4, 4, 4]),
        // As long as there is room, the fullest with the task is the lowest name of two cores, then that of four: 2, 2, 2,
        // 4, and a wait of 1 s everywhere. From there on the shortest wait counts. Of equal ones the fourth has the least
        // memory left, so it is next: 5/4 s. The others are one after the other: 3/2 s. The fourth again: 3/2 s. And once
        // more, because all are equal and it has 1,018 MiB left, the others 1,021 MiB.
        (NodePolicy::BestFit, [3, 3, 3, 7]),
        // The same by S: with room 1 and 0 of cores for the first three, 3, 2, 1 and 0 for the fourth. Where nothing is
        // free, S is 1 for cores everywhere, and for memory smallest where the least is left.
        (NodePolicy::Districloud, [3, 3, 3, 7]),
    ] {
        let mut shell = push(node);
        for (worker, cores) in [(1, 2), (2, 2), (3, 2), (4, 4)] {
            shell.join(worker, cores);
        }
        shell.submit((0..16).map(spec).collect(), vec![]);
        let all = |who: u64| {
            let worker = shell.hub.state().workers.worker(Identity(who)).expect("it is there");
            worker.copies.len() + worker.line.len()
        };
        assert_eq!([1, 2, 3, 4].map(all), expected, "{node}");
    }
}

#[test]
fn a_worker_that_comes_later_gets_what_comes_later() {
    let mut shell = push(NodePolicy::ShortestQueue);
    shell.submit(vec![spec(0)], vec![]);
    shell.join(1, 1);
    shell.submit((0..3).map(spec).collect(), vec![]);
    shell.join(2, 1);
    assert_eq!(shell.running(), [(1, 0)]);
    shell.submit(vec![spec(0)], vec![]);
    assert_eq!(shell.running(), [(1, 0), (2, 4)]);
}
