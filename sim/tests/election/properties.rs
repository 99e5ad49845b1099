//! What elections promise, in worlds drawn by proptest and shrunk to the smallest that breaks a promise.

use std::collections::BTreeMap;
use std::ops::Range;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use seedbed_core::contract::{Duration, NodeId, View};
use seedbed_core::election::bully::{self, Bully, Detection};
use seedbed_core::election::raft::{self, Raft};
use seedbed_core::election::ring::{self, Order, Ring};
use seedbed_sim::clock::Clocks;
use seedbed_sim::fault::{Action, Schedule, Timed};
use seedbed_sim::network::{Disturbance, Link, Network, Reorder};
use seedbed_sim::{DiskModel, Loss, Setup};

use crate::bench::{Bench, Subjected};
use crate::ground::{at, cut, ms, secs, setup, uniform};

/// How far clocks run apart at most, in parts per million.
const DRIFT_PPM: u32 = 1_000;

fn switches() -> impl Strategy<Value = raft::Parameters> {
    any::<[bool; 4]>().prop_map(|[pre_vote, check_quorum, stickiness, lease]| raft::Parameters {
        pre_vote,
        check_quorum,
        stickiness,
        lease: lease && stickiness,
        drift_ppm: DRIFT_PPM,
        ..raft::Parameters::default()
    })
}

fn nodes(max: u32) -> impl Strategy<Value = Vec<u32>> {
    prop::collection::btree_set(0..max, 1..4).prop_map(|nodes| nodes.into_iter().collect())
}

fn crash_or_restart() -> impl Strategy<Value = Action> {
    let loss = prop::sample::select(vec![Loss::Unsynced, Loss::Torn, Loss::Nothing]);
    prop_oneof![
        (0..7u32, loss).prop_map(|(node, loss)| Action::Crash { node: NodeId(node), loss }),
        (0..7u32).prop_map(|node| Action::Restart { node: NodeId(node) }),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    let node = || (0..7u32).prop_map(NodeId);
    let drift = -1_000_000..1_000_000i64;
    prop_oneof![
        6 => crash_or_restart(),
        3 => (0..4u64, nodes(7), nodes(7)).prop_map(|(number, from, to)| cut(number, &from, &to)),
        1 => (0..4u64, nodes(7), nodes(7), 0..200u64).prop_map(|(number, from, to, by)| {
            let nodes = |nodes: Vec<u32>| nodes.into_iter().map(NodeId).collect();
            let how = Disturbance::Delay(ms(by));
            Action::Disturb { number, from: nodes(from), to: nodes(to), how }
        }),
        2 => (0..4u64).prop_map(|number| Action::Calm { number }),
        1 => node().prop_map(|node| Action::Pause { node }),
        1 => node().prop_map(|node| Action::Resume { node }),
        1 => (node(), 0..1_000u64).prop_map(|(node, lasts)| Action::DiskStall { node, lasts: ms(lasts) }),
        1 => (node(), any::<bool>()).prop_map(|(node, full)| Action::DiskFull { node, full }),
        1 => node().prop_map(|node| Action::DiskError { node }),
        1 => (node(), drift).prop_map(|(node, ppb)| Action::ClockDrift { node, ppb }),
    ]
}

/// Faults within the first five seconds.
fn faults(action: impl Strategy<Value = Action>) -> impl Strategy<Value = Vec<Timed>> {
    prop::collection::vec((0..5_000u64, action).prop_map(|(millis, action)| at(millis, action)), 0..40)
}

/// What tempts voters to depose a leader whose lease is valid: one is cut off from it while another blinks.
fn temptations() -> impl Strategy<Value = Vec<Timed>> {
    let nodes = || (0..3u32, 0..3u32);
    let cut_off =
        (nodes(), 0..5_000u64, 100..2_000u64, 0..100u64).prop_map(|((one, other), begin, lasts, number)| {
            let calm = Action::Calm { number };
            vec![
                at(begin, cut(number, &[one], &[other])),
                at(begin, cut(number, &[other], &[one])),
                at(begin + lasts, calm),
            ]
        });
    let blink = (0..3u32, 0..5_000u64, 1..60u64).prop_map(|(node, begin, lasts)| {
        let node = NodeId(node);
        vec![
            at(begin, Action::Crash { node, loss: Loss::Unsynced }),
            at(begin + lasts, Action::Restart { node }),
        ]
    });
    prop::collection::vec(prop_oneof![cut_off, blink], 10..40).prop_map(|faults| faults.concat())
}

/// A world with links this slow (in microseconds) and, in parts per thousand, this unreliable.
fn world(latency: Range<u64>, unreliable: u64) -> impl Strategy<Value = Setup> {
    let link = (latency.clone(), latency, 0..=unreliable, 0..=unreliable, 0..=unreliable).prop_map(
        |(a, b, loss, duplicate, corrupt)| {
            let share = |thousandths: u64| u64::MAX / 1_000 * thousandths;
            let reorder = Reorder { share: share(duplicate), by: uniform(0, b) };
            Link {
                loss: share(loss),
                duplicate: share(duplicate),
                corrupt: share(corrupt / 4),
                reorder: Some(reorder),
                ..Link::new(uniform(a.min(b), a.max(b)))
            }
        },
    );
    (1..8u32, any::<u64>(), link, prop::option::of(1..20_000u64), any::<[bool; 3]>()).prop_map(
        |(nodes, seed, link, sync, [is_blocking, is_wire, shuffles_ties])| Setup {
            nodes,
            seed,
            network: Network::uniform(link),
            disk: DiskModel { sync: sync.map(|sync| uniform(0, sync)), is_blocking, ..DiskModel::default() },
            clocks: Clocks { drift_ppb: u64::from(DRIFT_PPM) * 1_000, ..Clocks::default() },
            is_wire,
            shuffles_ties,
            ..Setup::default()
        },
    )
}

fn run<P: Subjected>(parameters: &P::Settings, setup: Setup, faults: Vec<Timed>) -> Bench<P> {
    let mut bench = Bench::new(parameters, setup);
    bench.world.set_faults(Schedule::concrete(faults));
    bench.run_for(secs(6));
    bench
}

/// Waits for a moment with one leader whom everyone follows; how long is what is asked.
fn await_leader<P: Subjected>(bench: &mut Bench<P>, patience: Duration) -> bool {
    let end = bench.world.now() + patience;
    while bench.world.now() < end {
        if bench.has_one_leader() {
            return true;
        }
        bench.run_for(ms(20));
    }
    false
}

/// The longest stretch with two leaders, in milliseconds for each node that may have taken over within it.
fn longest_split_ms(bench: Bench<impl Subjected>) -> f64 {
    let is_restart = |timed: &&Timed| matches!(timed.action, Action::Restart { .. });
    let takeovers = 1 + bench.world.fault_trace().iter().filter(is_restart).count();
    let findings = bench.finish();
    assert_eq!(findings.violated, BTreeMap::new());
    let longest = findings.samples.get("split_brain_ms").into_iter().flatten().copied().fold(0.0, f64::max);
    longest / takeovers as f64
}

fn highest_live<P: Subjected>(bench: &Bench<P>) -> Option<u32> {
    (0..bench.world.nodes()).rev().find(|&node| bench.world.is_up(NodeId(node)))
}

/// The same cases every time. To hunt for more, raise their number or change the seed.
fn config() -> ProptestConfig {
    ProptestConfig {
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::with_cases(500)
    }
}

fn detection() -> impl Strategy<Value = Detection> {
    prop_oneof![Just(Detection::Heartbeat), Just(Detection::Ping)]
}

proptest! {
    #![proptest_config(config())]

    /// Whatever the network, the disks, the clocks and the faults do.
    #[test]
    fn raft_keeps_its_promises(
        parameters in switches(),
        setup in world(0..400_000, 300),
        faults in faults(action()),
    ) {
        let findings = run::<Raft>(&parameters, setup, faults).finish();
        prop_assert_eq!(findings.violated, BTreeMap::new(), "{:?}", findings.violations);
    }

    /// However clocks drift within their bound: here they run up to 10 % too fast or too slow.
    #[test]
    fn leases_never_overlap(seed in any::<u64>(), check_quorum in any::<bool>(), faults in temptations()) {
        let parameters = raft::Parameters {
            check_quorum,
            pre_vote: true,
            stickiness: true,
            lease: true,
            drift_ppm: 100_000,
            ..raft::Parameters::default()
        };
        let clocks = Clocks { drift_ppb: 100_000_000, ..Clocks::default() };
        let findings = run::<Raft>(&parameters, Setup { clocks, ..setup(3, seed) }, faults).finish();
        prop_assert_eq!(findings.violated, BTreeMap::new(), "{:?}", findings.violations);
    }

    /// After healing, over links that are fast enough for its time-outs.
    #[test]
    fn raft_has_a_leader_again_after_healing(
        parameters in switches(),
        setup in world(0..20_000, 50),
        faults in faults(action()),
    ) {
        let mut bench = run::<Raft>(&parameters, setup, faults);
        bench.heal();
        // Ten of the longest time-outs.
        prop_assert!(await_leader(&mut bench, secs(3)), "no leader; {:?}", bench.leaders());
        let findings = bench.finish();
        prop_assert_eq!(findings.violated, BTreeMap::new(), "{:?}", findings.violations);
    }

    /// Where messages arrive in time and only nodes fail: two leaders for as long as one message takes at most.
    #[test]
    fn bully_is_safe_where_the_network_is_synchronous(
        detection in detection(),
        nodes in 1..8u32,
        seed in any::<u64>(),
        faults in faults(crash_or_restart()),
    ) {
        let parameters = bully::Parameters { detection, ..bully::Parameters::default() };
        let mut bench = run::<Bully>(&parameters, setup(nodes, seed), faults);
        bench.run_for(secs(4));
        prop_assert_eq!(bench.leaders(), Vec::from_iter(highest_live(&bench)));
        prop_assert!(bench.has_one_leader() || highest_live(&bench).is_none());
        prop_assert!(longest_split_ms(bench) <= 1.2);
    }

    /// The same, but the announcement has to go around: until then, or until the first heartbeat.
    #[test]
    fn ring_is_safe_where_the_network_is_synchronous(
        order in prop::sample::select(Order::ALL.to_vec()),
        nodes in 1..8u32,
        seed in any::<u64>(),
        faults in faults(crash_or_restart()),
    ) {
        let parameters = ring::Parameters { order, ring_seed: seed, ..ring::Parameters::default() };
        let mut bench = run::<Ring>(&parameters, setup(nodes, seed), faults);
        bench.run_for(secs(8));
        prop_assert_eq!(bench.leaders(), Vec::from_iter(highest_live(&bench)));
        prop_assert!(bench.has_one_leader() || highest_live(&bench).is_none());
        prop_assert!(longest_split_ms(bench) <= 51.2);
    }
}
