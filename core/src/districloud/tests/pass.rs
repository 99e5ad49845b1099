//! The numbered steps of a pass, one by one.

use super::*;

const SECOND: i128 = 1_000_000_000;

#[test]
fn priority_is_age_by_size_less_neglect_and_more_in_progress() {
    let mut bench = Bench::new(rule(Rule::Custom), &alike(1));
    let task = bench.submit(spec(3, 4, 1));
    let bare = bench.submit(Spec { cpu: None, ram: None, ..spec(0, 0, 1) });
    let zero = bench.submit(spec(0, 0, 1));
    bench.wait(100);
    let of = |bench: &Bench, id| bench.board.task(id).unwrap().priority(bench.now);
    assert_eq!(of(&bench, task), 10 * 20 * SECOND, "100 s / (3 + 4 / 2)");
    assert_eq!(of(&bench, bare), 10 * (SECOND * 400 / 3), "100 s / (0.5 + 0.5 / 2)");
    assert_eq!(of(&bench, zero), of(&bench, bare));
    bench.set(task, State::InProgress, 1);
    assert_eq!(of(&bench, task), 12 * 10 * SECOND, "1.2 (20 - 10)");
    bench.set(task, State::InQueue, 3);
    assert_eq!(of(&bench, task), -10 * 10 * SECOND);
}

#[test]
fn step_1_swaps_one_queued_task_for_a_pending_one_of_more_than_1_3_times_its_priority() {
    // Sizes of 13 and 10 are priorities as 10 to 13, which is not enough; 13.5 and 10 are.
    for (large, is_swapped) in [(spec(12, 2, 1), false), (spec(13, 1, 1), true)] {
        let mut bench = Bench::new(rule(Rule::Custom), &alike(1));
        let tasks = [large, spec(1, 1, 1), spec(9, 2, 1), spec(9, 2, 1)].map(|spec| bench.submit(spec));
        tasks[..2].iter().for_each(|&task| bench.set(task, State::InQueue, 0));
        bench.wait(130);
        bench.board.reorder(bench.now);
        let before = [State::InQueue, State::InQueue, State::Pending, State::Pending];
        let after = [State::Pending, State::InQueue, State::InQueue, State::Pending];
        let expected = if is_swapped { after } else { before };
        assert_eq!(tasks.map(|task| bench.state(task).unwrap()), expected);
    }
}

#[test]
fn step_2_and_6_give_up_who_was_stale_50_times() {
    let mut bench = Bench::new(rule(Rule::Custom), &[(1, 1, 2.0)]);
    let hopeless = bench.submit(Spec { trust: Some(Fixed::of(9.0)), ..spec(1, 1, 1) });
    for _ in 0..50 {
        assert_eq!(bench.pass(), []);
    }
    assert_eq!(
        (bench.state(hopeless), bench.board.task(hopeless).unwrap().stale),
        (Some(State::InQueue), 50)
    );
    assert_eq!(bench.pass(), [Notice::Purged(hopeless)]);
    assert_eq!(bench.state(hopeless), None);
    let in_progress = bench.submit(spec(1, 1, 2));
    bench.set(in_progress, State::InProgress, 60);
    bench.board.give_up_stale();
    assert_eq!(bench.state(in_progress), Some(State::InProgress), "only who is queued");
}

#[test]
fn step_3_fills_ten_places_with_the_oldest_or_with_the_highest_priority() {
    for (rule_of, kept) in [(Rule::Fifo, 0..10), (Rule::Custom, 2..12)] {
        let mut bench = Bench::new(rule(rule_of), &alike(1));
        let tasks: Vec<TaskId> = (0..12).map(|nth| bench.submit(spec(20 - nth, 0, 1))).collect();
        bench.wait(1);
        bench.board.admit(bench.now);
        let active: Vec<usize> =
            (0..12).filter(|&nth| bench.state(tasks[nth]) == Some(State::InQueue)).collect();
        assert_eq!(active, kept.collect::<Vec<_>>());
        bench.set(tasks[5], State::Completed, 0);
        bench.board.admit(bench.now);
        let queued = tasks.iter().filter(|&&task| bench.state(task) == Some(State::InQueue)).count();
        assert_eq!(queued, 10, "what is complete takes no place");
    }
}

#[test]
fn step_4_custom_takes_the_best_fit_and_then_the_higher_trust() {
    let nodes = [(4, 8, 5.0), (2, 2, 5.0), (2, 2, 6.0), (1, 1, 9.0), (2, 2, 1.0)];
    let mut bench = Bench::new(rule(Rule::Custom), &nodes);
    let task = bench.submit(Spec { trust: Some(Fixed::of(2.0)), ..spec(2, 2, 3) });
    let given = bench.pass();
    // 0, 0, (1/2 + 1/2), (2/2 + 6/2); n5 fits, too, and is not trusted enough.
    assert_eq!(given, [3, 2, 4].map(|node| Notice::Assigned(task, NodeId(node))));
    assert_eq!(bench.state(task), Some(State::InProgress));
    assert_eq!(bench.pass(), [], "it wants no more");
    let modest = bench.submit(spec(2, 2, 1));
    assert_eq!(bench.pass(), [Notice::Assigned(modest, NodeId(3))], "whatever n3 has to do already");
}

#[test]
fn step_4_counts_passes_in_which_nobody_was_there() {
    let mut bench = Bench::new(rule(Rule::Fifo), &[(1, 1, 5.0), (1, 1, 2.0)]);
    let task = bench.submit(Spec { trust: Some(Fixed::of(3.0)), ..spec(1, 1, 2) });
    assert_eq!(bench.pass(), [Notice::Assigned(task, NodeId(1))]);
    bench.pass();
    assert_eq!((bench.has(task), bench.board.task(task).unwrap().stale), (vec![1], 1));
}

#[test]
fn flaw_a_after_its_first_heartbeat_every_node_fits_alike() {
    for unread_capacity in [true, false] {
        let parameters = Parameters { unread_capacity, ..Parameters::default() };
        let mut bench = Bench::new(parameters, &[(2, 2, 5.0), (4, 8, 9.0)]);
        let first = bench.submit(spec(2, 2, 1));
        bench.pass();
        assert_eq!(bench.has(first), [1], "nobody was heard yet");
        bench.beat(1);
        bench.beat(2);
        let second = bench.submit(spec(2, 2, 1));
        bench.pass();
        assert_eq!(bench.has(second), [if unread_capacity { 2 } else { 1 }]);
    }
}

#[test]
fn flaw_b_fifo_takes_who_was_silent_longest() {
    for (oldest_heartbeat, first) in [(true, 1), (false, 2)] {
        let mut bench = Bench::new(Parameters { oldest_heartbeat, ..rule(Rule::Fifo) }, &alike(2));
        bench.wait(1);
        bench.beat(2);
        let task = bench.submit(spec(1, 1, 1));
        bench.pass();
        assert_eq!(bench.has(task), [first]);
    }
}

#[test]
fn flaw_c_too_small_is_as_good_as_too_large() {
    for (blind_fit, first) in [(true, 1), (false, 2)] {
        let nodes = [(1, 2, 6.0), (4, 2, 5.0)];
        let mut bench = Bench::new(Parameters { blind_fit, ..rule(Rule::Custom) }, &nodes);
        let task = bench.submit(spec(2, 2, 1));
        bench.pass();
        assert_eq!(bench.has(task), [first], "one core too few, or two too many");
    }
}

#[test]
fn our_rules_look_at_queues() {
    let mut bench = Bench::new(rule(Rule::ShortestQueue), &[(1, 1, 9.0), (1, 1, 2.0), (1, 1, 3.0)]);
    let tasks: Vec<TaskId> = (0..4).map(|_| bench.submit(spec(1, 1, 1))).collect();
    bench.pass();
    let given: Vec<u32> = tasks.iter().flat_map(|&task| bench.has(task)).collect();
    assert_eq!(given, [2, 3, 1, 2]);
    let mut bench = Bench::new(rule(Rule::LateBinding), &alike(2));
    let tasks: Vec<TaskId> = (0..3).map(|_| bench.submit(spec(1, 1, 1))).collect();
    bench.pass();
    assert_eq!(tasks.iter().map(|&task| bench.has(task).len()).collect::<Vec<_>>(), [1, 1, 0]);
    assert_eq!(bench.board.task(tasks[2]).unwrap().stale, 0, "there are nodes, they are only busy");
    bench.answer(tasks[0], 1, Some(0));
    bench.pass();
    assert_eq!(bench.has(tasks[2]), [1]);
}

#[test]
fn step_5_begins_what_failed_again() {
    let mut bench = Bench::new(rule(Rule::Custom), &[(1, 1, 5.0), (1, 1, 5.0)]);
    let task = bench.submit(spec(1, 1, 2));
    for _ in 0..3 {
        bench.pass();
        bench.answer(task, 1, Some(1));
        assert_eq!(bench.answer(task, 2, Some(2))[1], Notice::Failed(task));
        bench.pass();
        let failed = bench.board.task(task).unwrap();
        assert_eq!((failed.state, failed.stale, failed.assignments.len()), (State::Pending, 0, 0));
    }
}
