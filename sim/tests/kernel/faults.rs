//! When and whom faults strike: processes, selectors, lists from outside.

use std::collections::BTreeSet;

use seedbed_core::contract::{Duration, Input, Keys, NodeId, Purpose, Time, View};
use seedbed_sim::fault::{Action, Generator, Kind, Schedule, Selector, Timed, When};
use seedbed_sim::law::Law;
use seedbed_sim::network::{Disturbance, Link};
use seedbed_sim::{Loss, Setup};

use crate::puppet::{MS, at, begin, constant, joined, ms, plain, timed, uniform};
use crate::statistics::{KOLMOGOROV, kolmogorov_smirnov};

fn of(text: &str) -> Selector {
    text.parse().unwrap()
}

fn again(kind: Kind, gap: Law, lasts: Option<Law>) -> Generator {
    Generator { kind, when: When::Repeatedly { first: None, gap, until: Time::MAX, count: u64::MAX }, lasts }
}

fn once(kind: Kind, ms: u64, lasts: Option<Law>) -> Generator {
    Generator { kind, when: When::At(vec![at(ms)]), lasts }
}

fn jump(who: &str) -> Kind {
    Kind::ClockJump(of(who), 1)
}

/// What struck in a quiet world.
fn trace(setup: Setup, generators: Vec<Generator>, end: Time) -> Vec<Timed> {
    let (mut world, mut log) = begin(setup, |_, _, _| {});
    let faults = Schedule::new(generators, world.keys());
    world.set_faults(faults);
    world.run_until(end, &mut log);
    world.fault_trace().to_vec()
}

fn times(trace: &[Timed]) -> Vec<u64> {
    trace.iter().map(|timed| timed.at.0 / MS).collect()
}

fn struck(trace: &[Timed]) -> Vec<u32> {
    trace.iter().filter_map(|timed| timed.action.node()).map(|node| node.0).collect()
}

#[test]
fn periodic_and_bounded_and_listed_times() {
    let kind = || jump("0");
    assert_eq!(times(&trace(plain(1), vec![again(kind(), constant(10), None)], at(35))), [10, 20, 30]);
    let bounded = |first, until, count| Generator {
        kind: kind(),
        when: When::Repeatedly { first: Some(at(first)), gap: constant(10), until: at(until), count },
        lasts: None,
    };
    assert_eq!(times(&trace(plain(1), vec![bounded(3, 40, 99)], at(100))), [3, 13, 23, 33]);
    assert_eq!(times(&trace(plain(1), vec![bounded(3, 40, 2)], at(100))), [3, 13]);
    assert_eq!(times(&trace(plain(1), vec![bounded(50, 40, 2)], at(100))), [0_u64; 0]);
    let listed = Generator { kind: kind(), when: When::At(vec![at(30), at(0), at(10)]), lasts: None };
    assert_eq!(
        times(&trace(plain(1), vec![listed], at(100))),
        [0, 10, 30],
        "in whatever order they were given"
    );
}

#[test]
fn exponential_gaps_make_a_poisson_process() {
    let process = again(jump("0"), Law::exponential(ms(10)).unwrap(), None);
    let trace = trace(plain(1), vec![process], at(100_000));
    let mut last = 0;
    let mut gaps: Vec<u64> =
        trace.iter().map(|timed| timed.at.0 - std::mem::replace(&mut last, timed.at.0)).collect();
    // 10,000 are expected; four standard deviations.
    assert!(gaps.len().abs_diff(10_000) < 400, "{}", gaps.len());
    gaps.sort_unstable();
    let statistic = kolmogorov_smirnov(&gaps, |nanos| -libm::expm1(-nanos / 1e7));
    assert!(statistic < KOLMOGOROV, "{statistic}");
}

#[test]
fn each_of_many_nodes_has_a_process_of_its_own() {
    const NODES: u32 = (1 << 16) + 20;
    let (gap, lasts) = (uniform(0, 1_000_000), constant(1));
    let process = |node| Generator {
        when: When::Repeatedly { first: None, gap: gap.clone(), until: Time::MAX, count: 1 },
        ..again(Kind::Pause(Selector::Index(node)), lasts.clone(), None)
    };
    let trace = trace(plain(NODES), (0..NODES).map(process).collect(), at(1_001));
    let times: BTreeSet<Time> = trace.iter().map(|timed| timed.at).collect();
    // Two of them meet by chance in a second of 10^9 nanoseconds: two pairs are expected, twelve hardly ever.
    assert_eq!(trace.len(), NODES as usize);
    assert!(times.len() > trace.len() - 12, "{} times", times.len());
}

#[test]
fn every_node_is_drawn_as_often_as_every_other() {
    let struck = struck(&trace(plain(10), vec![again(jump("random(3)"), constant(1), None)], at(5_001)));
    assert_eq!(struck.len(), 15_000);
    for node in 0..10 {
        let count = struck.iter().filter(|&&other| other == node).count();
        // Four standard deviations of 5,000 draws at 0.3.
        assert!(count.abs_diff(1_500) < 130, "node {node}: {count}");
    }
}

#[test]
fn crashes_take_who_is_up_and_bring_it_back() {
    let crash = again(Kind::Crash(of("random(1)"), Loss::Unsynced), constant(10), Some(constant(35)));
    let trace = trace(plain(4), vec![crash], at(1_000));
    let mut down = BTreeSet::new();
    for Timed { action, .. } in &trace {
        match action {
            Action::Crash { node, .. } => assert!(down.insert(*node), "{node} is down already"),
            Action::Restart { node } => assert!(down.remove(node)),
            other => panic!("{other}"),
        }
        // Three of four are always down: the next crash comes before the first returns.
        assert!(down.len() <= 4);
    }
    assert!(trace.len() > 150);
}

#[test]
fn flapping_partitions_come_and_go() {
    let partition = again(Kind::Partition(vec![of("0+1")]), constant(20), Some(constant(10)));
    let (mut world, mut log) = begin(plain(4), |_, _, _| {});
    world.set_faults(Schedule::new(vec![partition], &Keys::from_seed(1)));
    for ms in 1..200 {
        world.run_until(at(ms) + Duration::from_micros(1), &mut log);
        let is_cut = ms >= 20 && (ms / 10) % 2 == 0;
        let linked = |from, to| world.linked(NodeId(from), NodeId(to));
        assert_eq!([linked(0, 2), linked(3, 1)], [!is_cut; 2], "at {ms} ms");
        assert!(linked(0, 1) && linked(2, 3) && linked(0, 0));
    }
}

#[test]
fn one_way_and_partial_cuts_and_three_sides() {
    let table = |generator| {
        let (mut world, mut log) = begin(plain(4), |_, _, _| {});
        world.set_faults(Schedule::new(vec![generator], &Keys::from_seed(1)));
        world.run_until(at(10), &mut log);
        let row =
            |from| (0..4).map(|to| u8::from(world.linked(NodeId(from), NodeId(to)))).collect::<Vec<_>>();
        (0..4).map(row).collect::<Vec<_>>()
    };
    let links =
        |from: &str, to: &str, both| once(Kind::Links(of(from), of(to), both, Disturbance::Cut), 5, None);
    assert_eq!(table(links("0", "all", false)), [[1, 0, 0, 0], [1; 4], [1; 4], [1; 4]]);
    assert_eq!(table(links("0", "1", true)), [[1, 0, 1, 1], [0, 1, 1, 1], [1; 4], [1; 4]]);
    let sides = once(Kind::Partition(vec![of("0"), of("0+1+2")]), 5, None);
    assert_eq!(table(sides), [[1, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 1]]);
    let everyone = once(Kind::Partition(vec![of("all")]), 5, None);
    assert_eq!(table(everyone), [[1; 4]; 4], "one side is no partition");
}

#[test]
fn a_drawn_link_has_two_ends() {
    let cut = Kind::Links(of("random(1)"), of("random(1)"), false, Disturbance::Cut);
    let cuts = trace(plain(5), vec![again(cut, constant(1), None)], at(1_000));
    let mut pairs = BTreeSet::new();
    for timed in &cuts {
        let Action::Disturb { from, to, .. } = &timed.action else { panic!("{timed:?}") };
        assert_ne!(from, to);
        pairs.insert((from.clone(), to.clone()));
    }
    assert_eq!(pairs.len(), 20, "every pair of five nodes, and nothing else: {pairs:?}");
}

#[test]
fn no_link_is_disturbed_twice_by_one_fault() {
    let all = || (0..6).map(NodeId);
    for (from, to) in
        [("all", "all"), ("0", "all"), ("0+1", "2+3"), ("0+1+2", "1+2+3"), ("0+1", "all"), ("2", "2")]
    {
        let who = |text| {
            of(text).resolve(&begin(plain(6), |_, _, _| {}).0, Keys::from_seed(1).roll(Purpose::Fault), 0)
        };
        let (sources, targets) = (who(from), who(to));
        for both in [false, true] {
            let kind = Kind::Links(of(from), of(to), both, Disturbance::Delay(ms(1)));
            let struck = trace(plain(6), vec![once(kind, 1, None)], at(2));
            for (one, other) in all().flat_map(|one| all().map(move |other| (one, other))) {
                let concerns = |timed: &&Timed| match &timed.action {
                    Action::Disturb { from, to, .. } => {
                        one != other && from.contains(&one) && to.contains(&other)
                    }
                    action => panic!("{action}"),
                };
                let leads = |one, other| sources.contains(&one) && targets.contains(&other);
                let is_meant = one != other && (leads(one, other) || both && leads(other, one));
                let found = struck.iter().filter(concerns).count();
                assert_eq!(
                    found,
                    usize::from(is_meant),
                    "{one} to {other}: from {from} to {to}, both: {both}"
                );
            }
        }
    }
}

#[test]
fn what_is_due_at_one_moment_strikes_in_the_order_of_the_list() {
    let crash = Action::Crash { node: NodeId(0), loss: Loss::Nothing };
    let list = vec![
        timed(10, Action::Restart { node: NodeId(0) }),
        timed(10, crash.clone()),
        timed(10, Action::Restart { node: NodeId(0) }),
        timed(5, crash),
        timed(10, Action::Pause { node: NodeId(0) }),
    ];
    let (mut world, mut log) = begin(plain(1), |_, _, _| {});
    world.set_faults(Schedule::concrete(list.clone()));
    world.run_until(at(10), &mut log);
    assert_eq!(world.fault_trace().len(), 1, "a limit is not reached");
    world.run_until(at(11), &mut log);
    assert_eq!(
        world.fault_trace()[1..],
        [list[0].clone(), list[1].clone(), list[2].clone(), list[4].clone()]
    );
    assert_eq!(world.tally().crashes, 2);
}

/// Taking a generator away leaves the draws of all others of other kinds, and of those before it, as they were.
#[test]
fn taking_a_fault_away_moves_no_draw_of_another() {
    let all = || {
        vec![
            again(Kind::DiskStall(of("random(2)")), uniform(1_000, 50_000), Some(uniform(1_000, 9_000))),
            again(jump("random(2)"), uniform(1_000, 50_000), None),
            again(
                Kind::Links(of("random"), of("random"), true, Disturbance::Loss(1)),
                uniform(1_000, 50_000),
                None,
            ),
            again(Kind::ClockDrift(of("fraction(0.5)"), 5), uniform(1_000, 50_000), Some(constant(7))),
        ]
    };
    let setup = || joined(9, 5, Link::new(constant(1)));
    let whole = trace(setup(), all(), at(2_000));
    let alone = all().into_iter().map(|generator| trace(setup(), vec![generator], at(2_000))[0].at);
    assert_eq!(alone.collect::<BTreeSet<_>>().len(), 4, "each draws for itself");
    for away in 0..4 {
        let mut rest = all();
        let gone = rest.remove(away);
        let gone_kinds: Vec<&str> =
            trace(setup(), vec![gone], at(2_000)).iter().map(|timed| timed.action.kind()).collect();
        let expected: Vec<Timed> =
            whole.iter().filter(|timed| !gone_kinds.contains(&timed.action.kind())).cloned().collect();
        assert!(expected.len() > 150 && expected.len() < whole.len());
        assert_eq!(trace(setup(), rest, at(2_000)), expected, "without number {away}");
    }
}

#[test]
fn lists_from_outside_harm_nobody() {
    let far = NodeId(u32::MAX);
    let all = vec![NodeId(0), far, NodeId(1 << 31)];
    let list = vec![
        timed(1, Action::Crash { node: far, loss: Loss::Everything }),
        timed(1, Action::DiskRot { node: far }),
        timed(2, Action::Disturb { number: 7, from: all.clone(), to: all, how: Disturbance::Cut }),
        timed(3, Action::Calm { number: 99 }),
        timed(4, Action::Resume { node: NodeId(1) }),
        timed(5, Action::ClockJump { node: NodeId(0), by: i64::MIN }),
        timed(5, Action::ClockJump { node: NodeId(0), by: i64::MIN }),
        timed(5, Action::ClockJump { node: NodeId(1), by: i64::MAX }),
        timed(6, Action::ClockDrift { node: NodeId(0), ppb: i64::MIN }),
        timed(6, Action::ClockDrift { node: NodeId(1), ppb: i64::MAX }),
        timed(7, Action::DiskStall { node: NodeId(1), lasts: Duration::MAX }),
        Timed { at: Time::MAX, action: Action::Pause { node: NodeId(0) } },
    ];
    let (mut world, mut log) = begin(plain(2), |_, input, cx| {
        if matches!(input, Input::Start { .. }) {
            cx.set(0, Duration::MAX);
            cx.set(1, Duration::from_nanos(u64::MAX / 2));
        }
    });
    world.set_faults(Schedule::concrete(list));
    world.run_until(at(100), &mut log);
    world.heal(&mut log);
    world.run_until(at(200), &mut log);
    let odd: [(&str, Selector); 4] = [
        ("index", Selector::Index(u32::MAX)),
        ("random", Selector::Random(u32::MAX)),
        ("fraction", Selector::Fraction(1e30)),
        ("nothing", Selector::Union(Vec::new())),
    ];
    let counts =
        odd.map(|(_, who)| trace(plain(3), vec![once(Kind::ClockJump(who, i64::MAX), 1, None)], at(2)).len());
    assert_eq!(counts, [0, 3, 3, 0]);
    let many = vec!["0"; 10_000].join("+");
    assert_eq!(struck(&trace(plain(3), vec![once(jump(&many), 1, None)], at(2))), [0]);
}
