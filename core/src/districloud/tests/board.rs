//! Validation, silence, and what is drawn.

use super::super::draw;
use super::super::parameters::Load;
use super::*;
use crate::settings::Probability;

/// Thesis, test of trust validation: 14/23 = 0.6087, a score of 6.087.
#[test]
fn two_honest_nodes_are_believed_against_three_liars() {
    let nodes = [(1, 1, 7.0), (1, 1, 7.0), (1, 1, 3.0), (1, 1, 3.0), (1, 1, 3.0)];
    let mut bench = Bench::new(rule(Rule::Custom), &nodes);
    let task = bench.submit(spec(1, 1, 5));
    bench.pass();
    for node in [3, 4, 1, 5] {
        let output = if node < 3 { task.right() } else { task.wrong() };
        assert_eq!(bench.answer(task, node, Some(output)), [Notice::Answered(task, NodeId(node))]);
    }
    let told = bench.answer(task, 2, Some(task.right()));
    let support = Fixed(608_695_652);
    assert_eq!(told[1..], [Notice::Validated { task, output: task.right(), support }]);
    assert_eq!(bench.state(task), None);
    let trusts: Vec<f64> = (1..=5).map(|node| bench.board.trust(NodeId(node)).value()).collect();
    assert_eq!(trusts, [7.1, 7.1, 2.8, 2.8, 2.8]);
}

#[test]
fn below_the_threshold_nobody_is_believed_and_no_trust_changes() {
    let mut bench = Bench::new(rule(Rule::Custom), &[(1, 1, 5.0), (1, 1, 5.0)]);
    let task = bench.submit(spec(1, 1, 2));
    bench.pass();
    bench.answer(task, 1, Some(7));
    assert_eq!(bench.answer(task, 2, Some(8))[1..], [Notice::Failed(task)]);
    assert_eq!(bench.board.trust(NodeId(1)), Fixed::of(5.0));
    let parameters = Parameters { threshold: Probability::of(0.5), ..rule(Rule::Custom) };
    let mut bench = Bench::new(parameters, &[(1, 1, 5.0), (1, 1, 5.0)]);
    let task = bench.submit(spec(1, 1, 2));
    bench.pass();
    bench.answer(task, 1, Some(7));
    assert!(matches!(bench.answer(task, 2, Some(8))[1], Notice::Validated { .. }));
}

#[test]
fn empty_outputs_are_not_counted() {
    let mut bench = Bench::new(rule(Rule::Custom), &[(1, 1, 9.0), (1, 1, 2.0)]);
    let task = bench.submit(spec(1, 1, 2));
    bench.pass();
    bench.answer(task, 1, None);
    let told = bench.answer(task, 2, Some(task.right()));
    assert_eq!(told[1..], [Notice::Validated { task, output: task.right(), support: Fixed::ONE }]);
    let task = bench.submit(spec(1, 1, 2));
    bench.pass();
    bench.answer(task, 1, None);
    assert_eq!(bench.answer(task, 2, None)[1..], [Notice::Failed(task)]);
}

#[test]
fn a_node_silent_for_more_than_two_minutes_loses_what_it_has_not_answered() {
    let mut bench = Bench::new(rule(Rule::Custom), &alike(2));
    let alone = bench.submit(spec(1, 1, 1));
    let both = bench.submit(spec(1, 1, 2));
    bench.pass();
    assert_eq!((bench.has(alone), bench.has(both)), (vec![1], vec![1, 2]));
    assert_eq!([bench.minute(&[2]), bench.minute(&[2])], [vec![], vec![]], "not yet");
    let deleted = [alone, both].map(|task| Notice::Deleted(task, NodeId(1)));
    assert_eq!(bench.minute(&[2]), [&[Notice::Inactive(NodeId(1))][..], &deleted].concat());
    assert_eq!([bench.state(alone), bench.state(both)], [State::InQueue, State::InProgress].map(Some));
    assert_eq!(bench.answer(alone, 1, Some(0)), [Notice::Late(alone, NodeId(1))]);
    bench.pass();
    assert_eq!((bench.has(alone), bench.has(both)), (vec![2], vec![2]), "n1 is not asked");
    bench.beat(1);
    assert_eq!(bench.pass(), [Notice::Assigned(both, NodeId(1))]);
    assert_eq!(bench.minute(&[]), [], "it has been heard again");
}

/// The planted bug: three nodes, one falls silent, and the others answer before the next pass.
#[test]
fn flaw_d_a_task_that_lost_a_silent_node_is_complete_without_it_and_stuck() {
    for short_completion in [true, false] {
        let mut bench = Bench::new(Parameters { short_completion, ..rule(Rule::Custom) }, &alike(4));
        let task = bench.submit(spec(1, 1, 3));
        bench.pass();
        assert_eq!(bench.has(task), [1, 2, 3]);
        bench.answer(task, 2, Some(task.right()));
        (0..3).for_each(|_| drop(bench.minute(&[2, 3, 4])));
        assert_eq!(bench.has(task), [2, 3]);
        bench.answer(task, 3, Some(task.right()));
        for _ in 0..100 {
            (1..=4).for_each(|node| bench.beat(node));
            bench.pass();
        }
        if short_completion {
            assert_eq!((bench.state(task), bench.has(task)), (Some(State::Completed), vec![2, 3]));
        } else {
            assert_eq!(bench.has(task), [1, 2, 3]);
            let told = bench.answer(task, 1, Some(task.right()));
            assert!(matches!(told[1], Notice::Validated { .. }));
        }
    }
}

#[test]
fn answers_that_nobody_waits_for_change_nothing() {
    let mut bench = Bench::new(rule(Rule::Custom), &alike(2));
    let task = bench.submit(spec(1, 1, 2));
    bench.pass();
    bench.answer(task, 1, Some(0));
    for (of, by) in [(task, 1), (task, 9), (TaskId(99), 1)] {
        assert_eq!(bench.answer(of, by, Some(3)), [Notice::Late(of, NodeId(by))]);
    }
    assert_eq!(bench.board.task(task).unwrap().answers(), 1);
    for overlap in [0, 65] {
        let (spec, now) = (spec(1, 1, overlap), bench.now);
        assert!(bench.with(|board, dice| board.submit(spec, now, dice)).is_err());
    }
}

#[test]
fn a_required_trust_is_drawn_until_enough_nodes_have_half_a_point_more() {
    let keys = Keys::from_seed(3);
    for step in 0..300 {
        let mut dice = Dice::new(&keys, NodeId(0), Life(0), step);
        let trusts: Vec<Fixed> = (0..10).map(|_| draw::trust(&mut dice)).collect();
        let overlap = 1 + step as u32 % 5;
        let required = draw::required(&trusts, overlap, &mut dice);
        let enough = trusts.iter().filter(|trust| **trust >= required.plus(Fixed::of(0.5))).count();
        assert!(enough >= overlap as usize && required >= Fixed::ONE, "{required:?} of {trusts:?}");
    }
    let mut dice = Dice::new(&keys, NodeId(0), Life(0), 0);
    assert_eq!(draw::required(&[Fixed::of(9.0)], 2, &mut dice), Fixed::ONE, "two of one node: never");
}

#[test]
fn tasks_are_drawn_as_in_the_experiments() {
    let keys = Keys::from_seed(4);
    let specs: Vec<Spec> = (0..10_000)
        .map(|step| draw::spec(&Load::default(), &mut Dice::new(&keys, NodeId(0), Life(0), step)))
        .collect();
    let share = |overlap| specs.iter().filter(|spec| spec.overlap == overlap).count();
    // Five standard deviations of 10,000 draws are at most 240.
    for (overlap, expected) in (1..=5).zip([1_000, 3_500, 3_500, 1_500, 500]) {
        assert!(share(overlap).abs_diff(expected) < 240, "{overlap}: {}", share(overlap));
    }
    let seconds: Vec<f64> = specs.iter().map(|spec| spec.work.as_secs_f64()).collect();
    let mean = seconds.iter().sum::<f64>() / 1e4;
    let deviation = (seconds.iter().map(|each| (each - mean) * (each - mean)).sum::<f64>() / 1e4).sqrt();
    // Five standard errors of mean (0.001) and deviation (0.0007).
    assert!((mean - 1.0).abs() < 0.005 && (deviation - 0.1).abs() < 0.0035, "{mean} {deviation}");
    assert!(
        specs
            .iter()
            .all(|spec| (1..=6).contains(&spec.cpu.unwrap()) && (1..=10).contains(&spec.ram.unwrap()))
    );
    let load = Load { cpu: Some(9), trust: Some(5.0), ..Load::default() };
    let set = draw::spec(&load, &mut Dice::new(&keys, NodeId(0), Life(0), 7));
    assert_eq!((set.cpu, set.trust), (Some(9), Some(Fixed::of(5.0))));
    assert_eq!((set.ram, set.work), (specs[7].ram, specs[7].work), "what is set moves no other draw");
}
