//! What links do to messages, against theory: latency, loss, bursts, duplicates, reordering, corruption; and what
//! stands between nodes.

use seedbed_core::contract::{CommandId, Context, Duration, Input, InputOf, NodeId, Time};
use seedbed_sim::fault::Action;
use seedbed_sim::law::Law;
use seedbed_sim::network::{Burst, Disturbance, Link, Network, Reorder};
use seedbed_sim::{Drop, Loss, Setup};

use crate::puppet::{
    Log, MS, Message, Puppet, Seen, at, begin, constant, joined, ms, plain, run, share, timed, uniform,
};
use crate::statistics::{KOLMOGOROV, four_sigma, kolmogorov_smirnov, mean, phi};

const ONE: NodeId = NodeId(1);

/// Node 0 sends to node 1, one message every microsecond; the k-th is number k.
fn every_microsecond(count: u64) -> impl Fn(&mut Puppet, InputOf<Puppet>, &mut Context<'_, Puppet>) {
    move |puppet, input, cx| {
        if puppet.me != NodeId(0) || !matches!(input, Input::Start { .. } | Input::Timer { .. }) {
            return;
        }
        let number = puppet.numbers.len() as u64;
        puppet.numbers.push(0);
        cx.send(ONE, Message::new(number));
        if number + 1 < count {
            cx.set(0, Duration::from_micros(1));
        }
    }
}

/// All messages leave in one step.
fn at_once(count: u64) -> impl Fn(&mut Puppet, InputOf<Puppet>, &mut Context<'_, Puppet>) {
    move |puppet, input, cx| {
        if puppet.me == NodeId(0) && matches!(input, Input::Start { .. }) {
            (0..count).for_each(|number| cx.send(ONE, Message::new(number)));
        }
    }
}

fn over(link: Link, seed: u64, count: u64) -> Log {
    run(joined(2, seed, link), Vec::new(), at(60_000), every_microsecond(count)).1
}

/// The latencies in nanoseconds of what [`every_microsecond`] sent, in the order of arrival.
fn latencies(log: &Log) -> Vec<u64> {
    log.delivered(1).iter().map(|(at, number)| at - number * 1_000).collect()
}

#[test]
fn delivered_latency_follows_each_law() {
    type Cdf = fn(f64) -> f64;
    const COUNT: u64 = 20_000;
    let ms_cdf = |cdf: Cdf| move |nanos: f64| cdf(nanos / 1e6);
    let samples: Vec<Duration> = (0..1_000_u32)
        .map(|k| Duration::from_nanos((1e9 * ((f64::from(k) + 0.5) / 1_000.0).sqrt()) as u64))
        .collect();
    let laws: [(&str, Result<Law, _>, Cdf); 7] = [
        ("uniform", Law::uniform(ms(100), ms(500)), |x| ((x - 100.0) / 400.0).clamp(0.0, 1.0)),
        ("normal", Law::normal(ms(100), ms(5)), |x| phi((x - 100.0) / 5.0)),
        ("lognormal", Law::lognormal(ms(50), 0.5), |x| phi(libm::log(x / 50.0) / 0.5)),
        ("exponential", Law::exponential(ms(100)), |x| -libm::expm1(-x / 100.0)),
        ("pareto", Law::pareto(ms(10), 1.5, None), |x| 1.0 - libm::pow(10.0 / x, 1.5)),
        ("bounded pareto", Law::pareto(ms(10), 0.8, Some(ms(10_000))), |x| {
            (1.0 - libm::pow(10.0 / x, 0.8)) / (1.0 - libm::pow(1e-3, 0.8))
        }),
        // Samples of a density that rises from 0 to 1 s.
        ("empirical", Law::empirical(&samples), |x| (x / 1_000.0) * (x / 1_000.0)),
    ];
    for (seed, (name, law, cdf)) in laws.into_iter().enumerate() {
        let link = Link::new(law.unwrap());
        // In steps of one message, in one step of all, and by the long way past faults that never happen.
        let in_steps = latencies(&over(link.clone(), seed as u64, COUNT));
        let setup = joined(2, seed as u64, link.clone());
        let in_one = run(setup, Vec::new(), Time::MAX, at_once(COUNT)).1.delivered(1);
        let rough = Link { burst: Some(Burst { begin: 0, end: 0, loss_good: 0, loss_bad: 0 }), ..link };
        let roughly = latencies(&over(rough, seed as u64, COUNT));
        assert_eq!(in_steps, roughly, "{name}: no fault moves a draw");
        for mut found in [in_steps, in_one.into_iter().map(|(at, _)| at).collect()] {
            assert_eq!(found.len() as u64, COUNT);
            found.sort_unstable();
            let statistic = kolmogorov_smirnov(&found, ms_cdf(cdf));
            assert!(statistic < KOLMOGOROV, "{name}: D * sqrt(n) = {statistic}");
        }
    }
    let same = latencies(&over(Link::new(constant(7)), 1, 100));
    assert!(same.iter().all(|&latency| latency == 7 * MS));
}

#[test]
fn so_much_is_lost_as_was_said() {
    const COUNT: u64 = 50_000;
    for p in [0.001, 0.1, 0.5] {
        let simple = Link { loss: share(p), ..Link::new(constant(1)) };
        // The same loss by the long way.
        let rough = Link { is_ordered: true, ..simple.clone() };
        let lost = |link| {
            let log = over(link, 3, COUNT);
            assert_eq!(log.delivered(1).len() + log.drops().len(), COUNT as usize);
            log.drops().len() as f64
        };
        let found = lost(simple) / COUNT as f64;
        assert!((found - p).abs() < four_sigma(p, COUNT as f64), "{found} instead of {p}");
        assert_eq!(lost(rough) / COUNT as f64, found, "both ways lose the same messages");
    }
}

/// Gilbert's channel loses all in its bad state: the share of loss is that of the bad state, b / (b + e), and bursts
/// are geometric with mean 1 / e. Successive messages are correlated with r = 1 - b - e, so that a share of n has the
/// variance p (1 - p) / n * (1 + r) / (1 - r).
#[test]
fn bursts_are_as_frequent_and_as_long_as_theirs() {
    const COUNT: u64 = 100_000;
    for (seed, (begin, end)) in [(0.01, 0.2), (0.002, 0.05), (0.1, 0.5)].into_iter().enumerate() {
        let channel = Burst { begin: share(begin), end: share(end), loss_good: 0, loss_bad: u64::MAX };
        let log = over(Link { burst: Some(channel), ..Link::new(constant(1)) }, seed as u64, COUNT);
        let p = begin / (begin + end);
        let r: f64 = 1.0 - begin - end;
        let found = log.drops().len() as f64 / COUNT as f64;
        let bound = four_sigma(p, COUNT as f64) * ((1.0 + r) / (1.0 - r)).sqrt();
        assert!((found - p).abs() < bound, "loss {found} instead of {p} +- {bound}");

        let bursts = burst_lengths(&log, COUNT);
        let bound = 4.0 * (1.0 - end).sqrt() / end / (bursts.len() as f64).sqrt();
        let found = mean(&bursts);
        assert!((found - 1.0 / end).abs() < bound, "bursts of {found} instead of {} +- {bound}", 1.0 / end);
    }
}

/// The lengths of the runs of missing numbers.
fn burst_lengths(log: &Log, count: u64) -> Vec<f64> {
    let mut arrived: Vec<u64> = log.delivered(1).iter().map(|(_, number)| *number).collect();
    arrived.sort_unstable();
    arrived.push(count);
    let mut next = 0;
    let mut lengths = Vec::new();
    for number in arrived {
        if number > next {
            lengths.push((number - next) as f64);
        }
        next = number + 1;
    }
    lengths
}

/// Elliott's channel loses a little in its good state and not all in its bad one.
#[test]
fn a_channel_may_lose_in_both_states() {
    const COUNT: u64 = 100_000;
    let (begin, end, good, bad) = (0.02, 0.1, 0.01, 0.4);
    let channel =
        Burst { begin: share(begin), end: share(end), loss_good: share(good), loss_bad: share(bad) };
    let found = over(Link { burst: Some(channel), ..Link::new(constant(1)) }, 5, COUNT).drops().len();
    let is_bad = begin / (begin + end);
    let p = is_bad * bad + (1.0 - is_bad) * good;
    // At most as uncertain as if all loss were as correlated as the states are.
    let r: f64 = 1.0 - begin - end;
    let bound = four_sigma(p, COUNT as f64) * ((1.0 + r) / (1.0 - r)).sqrt();
    assert!((found as f64 / COUNT as f64 - p).abs() < bound, "{found} of {COUNT}, expected {p}");
}

#[test]
fn so_many_arrive_twice_and_so_many_late() {
    const COUNT: u64 = 50_000;
    let p = 0.05;
    let doubled = over(Link { duplicate: share(p), ..Link::new(uniform(1_000, 5_000)) }, 1, COUNT);
    let extra = (doubled.delivered(1).len() as u64 - COUNT) as f64;
    assert!((extra / COUNT as f64 - p).abs() < four_sigma(p, COUNT as f64), "{extra} duplicates");
    let mut latencies_of_all = latencies(&doubled);
    latencies_of_all.sort_unstable();
    let cdf = |nanos: f64| ((nanos / 1e6 - 1.0) / 4.0).clamp(0.0, 1.0);
    let statistic = kolmogorov_smirnov(&latencies_of_all, cdf);
    assert!(statistic < KOLMOGOROV, "a second copy takes its own time: {statistic}");

    let reorder = Some(Reorder { share: share(p), by: constant(10) });
    let late = over(Link { reorder, ..Link::new(constant(1)) }, 2, COUNT);
    let held = latencies(&late).iter().filter(|&&latency| latency == 11 * MS).count();
    assert_eq!(latencies(&late).iter().filter(|&&latency| latency == MS).count() + held, COUNT as usize);
    assert!((held as f64 / COUNT as f64 - p).abs() < four_sigma(p, COUNT as f64), "{held} held back");
}

#[test]
fn damage_is_refused_and_counted_the_same_in_both_modes() {
    const COUNT: u64 = 20_000;
    let p = 0.02;
    let link = Link { corrupt: share(p), ..Link::new(uniform(500, 900)) };
    let [(value, value_log), (wire, wire_log)] = [false, true].map(|is_wire| {
        let setup = Setup { is_wire, is_audit: true, ..joined(2, 9, link.clone()) };
        run(setup, Vec::new(), at(1_000), every_microsecond(COUNT))
    });
    let damaged = value.traffic().damaged;
    assert!((damaged as f64 / COUNT as f64 - p).abs() < four_sigma(p, COUNT as f64), "{damaged} damaged");
    assert_eq!(value.traffic().delivered + damaged, COUNT);
    assert_eq!(value_log.drops().iter().filter(|(_, why)| *why == Drop::Damaged).count() as u64, damaged);
    assert_eq!((value.digest(), value.traffic(), value_log), (wire.digest(), wire.traffic(), wire_log));
}

#[test]
fn exceptions_concern_one_direction() {
    let fast = Link::new(constant(1));
    let network = Network::uniform(Link::new(constant(10)))
        .with_exceptions([(NodeId(0), ONE), (NodeId(0), NodeId(2))], fast);
    let (_, log) = run(Setup { nodes: 3, network, ..Setup::default() }, Vec::new(), at(100), to_all());
    for (node, expected) in [(0, vec![10, 10]), (1, vec![1, 10]), (2, vec![1, 10])] {
        let times: Vec<u64> = log.delivered(node).iter().map(|(at, _)| at / MS).collect();
        assert_eq!(times, expected, "to node {node}");
    }
}

/// At the start each node sends one message to each other.
fn to_all() -> impl Fn(&mut Puppet, InputOf<Puppet>, &mut Context<'_, Puppet>) {
    move |puppet, input, cx| {
        if matches!(input, Input::Start { .. }) {
            for to in (0..3).map(NodeId).filter(|to| *to != puppet.me) {
                cx.send(to, Message::new(0));
            }
        }
    }
}

fn cut(number: u64, from: &[u32], to: &[u32]) -> Action {
    let nodes = |nodes: &[u32]| nodes.iter().copied().map(NodeId).collect();
    Action::Disturb { number, from: nodes(from), to: nodes(to), how: Disturbance::Cut }
}

/// Each millisecond node 0 sends to 1, and 1 to 0; latency is a constant 1 ms.
fn beats() -> impl Fn(&mut Puppet, InputOf<Puppet>, &mut Context<'_, Puppet>) {
    move |puppet, input, cx| {
        if matches!(input, Input::Start { .. } | Input::Timer { .. }) {
            let number = puppet.numbers.len() as u64;
            puppet.numbers.push(0);
            cx.send(NodeId(1 - puppet.me.0), Message::new(number));
            cx.set(0, ms(1));
        }
    }
}

#[test]
fn a_cut_stops_what_is_sent_and_what_is_under_way() {
    let faults = vec![timed(10, cut(1, &[0], &[1])), timed(20, Action::Calm { number: 1 })];
    let (world, log) = run(plain(2), faults, at(30), beats());
    let missing = |node| {
        let arrived: Vec<u64> = log.delivered(node).iter().map(|(_, number)| *number).collect();
        (0..28).filter(|number| !arrived.contains(number)).collect::<Vec<_>>()
    };
    assert_eq!(missing(1), (9..20).collect::<Vec<_>>(), "message 9 was under way when the cut came at 10 ms");
    assert_eq!(missing(0), [] as [u64; 0], "the way back is open");
    assert_eq!(world.traffic().cut, 11);
}

#[test]
fn what_waits_at_a_node_has_arrived() {
    // Paused from 5 to 20 ms; cut from 10 to 25 ms: what came before 10 ms is taken, what came later never came.
    let faults = vec![
        timed(5, Action::Pause { node: ONE }),
        timed(10, cut(1, &[0], &[1])),
        timed(20, Action::Resume { node: ONE }),
        timed(25, Action::Calm { number: 1 }),
    ];
    let (_, log) = run(plain(2), faults, at(30), beats());
    let arrived: Vec<u64> = log.delivered(1).iter().map(|(_, number)| *number).collect();
    assert_eq!(arrived, (0..9).chain(25..29).collect::<Vec<_>>());
    assert!(log.delivered(1)[5..9].iter().all(|(at, _)| *at == 20 * MS), "all at once");
}

#[test]
fn nothing_stands_between_a_node_and_itself() {
    let link = Link {
        loss: u64::MAX,
        corrupt: u64::MAX,
        duplicate: u64::MAX,
        bandwidth: Some(1),
        ..Link::new(constant(1_000))
    };
    let (mut world, mut log) = begin(joined(2, 1, link), |puppet, input, cx| {
        if let Input::Command { id, .. } = input {
            cx.send(puppet.me, Message::new(id.0));
        }
    });
    world.act(cut(1, &[0, 1], &[0, 1]), &mut log);
    for id in 0..10 {
        world.command(at(5), NodeId(0), CommandId(id), 0);
    }
    world.run_until(at(10), &mut log);
    let arrived: Vec<u64> = log.delivered(0).iter().map(|(_, number)| *number).collect();
    assert_eq!(arrived, (0..10).collect::<Vec<_>>());
}

#[test]
fn a_slow_or_lossy_spell_ends_and_holds_for_every_copy() {
    let spell = |number, how| Action::Disturb { number, from: vec![NodeId(0)], to: vec![ONE], how };
    let faults = vec![
        timed(10, spell(1, Disturbance::Delay(ms(5)))),
        timed(20, Action::Calm { number: 1 }),
        timed(30, spell(2, Disturbance::Loss(u64::MAX))),
        timed(40, Action::Calm { number: 2 }),
    ];
    let link = Link { duplicate: u64::MAX, ..Link::new(constant(1)) };
    let (world, log) = run(joined(2, 1, link), faults, at(50), beats());
    for number in 0..48 {
        let copies: Vec<u64> = log
            .delivered(1)
            .iter()
            .filter(|(_, arrived)| *arrived == number)
            .map(|(at, _)| at / MS - number)
            .collect();
        let expected: &[u64] = match number {
            10..20 => &[6, 6],
            30..40 => &[],
            _ => &[1, 1],
        };
        assert_eq!(copies, expected, "message {number}");
    }
    assert_eq!(world.traffic().lost, 10);
}

#[test]
fn every_message_is_accounted_for() {
    let link = Link {
        loss: share(0.05),
        burst: Some(Burst { begin: share(0.01), end: share(0.2), loss_good: 0, loss_bad: share(0.9) }),
        duplicate: share(0.1),
        corrupt: share(0.03),
        bandwidth: Some(150_000),
        queue: 2_000,
        ..Link::new(uniform(100, 20_000))
    };
    let faults = vec![
        timed(100, cut(1, &[0], &[1])),
        timed(200, Action::Calm { number: 1 }),
        timed(300, Action::Pause { node: ONE }),
        timed(400, Action::Crash { node: ONE, loss: Loss::Unsynced }),
        timed(500, Action::Restart { node: ONE }),
    ];
    let (mut world, mut log) = run(joined(2, 4, link), faults, at(1_000), |puppet, input, cx| {
        let is_over = puppet.numbers.len() > 900;
        puppet.numbers.push(0);
        if matches!(input, Input::Start { .. } | Input::Timer { .. }) && !is_over {
            cx.send(NodeId(1 - puppet.me.0), Message::new(0));
            cx.send(NodeId(7), Message::new(0));
            cx.set(0, ms(1));
        }
    });
    world.run_until(Time::MAX, &mut log);
    let all = world.traffic();
    let ends = [all.delivered, all.lost, all.cut, all.overflowed, all.damaged, all.unheard];
    assert!(ends.iter().all(|&count| count > 0), "{all:?}");
    assert_eq!(all.sent + all.duplicated, ends.iter().sum::<u64>(), "{all:?}");
    let seen = |pick: fn(&Seen) -> bool| log.0.iter().filter(|(_, seen)| pick(seen)).count() as u64;
    assert_eq!(seen(|seen| matches!(seen, Seen::Sent { .. })), all.sent);
    assert_eq!(seen(|seen| matches!(seen, Seen::Delivered { .. })), all.delivered);
    assert_eq!(log.drops().len() as u64, ends[1..].iter().sum::<u64>());
}

#[test]
fn overhead_is_added_to_every_message_and_moves_no_other_draw() {
    let link = || Link { loss: share(0.1), duplicate: share(0.1), ..Link::new(uniform(1, 9)) };
    let network = Network::uniform(link());
    let setup = |network| Setup { network, ..joined(2, 5, link()) };
    let arrivals =
        |network| run(setup(network), Vec::new(), at(60_000), every_microsecond(500)).1.delivered(1);
    let sorted = |mut all: Vec<(u64, u64)>| {
        all.sort_unstable_by_key(|&(at, number)| (number, at));
        all
    };
    let (plain, late) =
        (sorted(arrivals(network.clone())), sorted(arrivals(network.with_overhead(constant(2)))));
    let later: Vec<_> = plain.iter().map(|&(at, number)| (at + 2 * MS, number)).collect();
    assert_eq!(late, later);
}
