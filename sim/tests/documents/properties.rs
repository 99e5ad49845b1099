//! What replicas promise, in worlds drawn by proptest and shrunk to the smallest that breaks a promise.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use seedbed_core::contract::NodeId;
use seedbed_core::settings::Probability;
use seedbed_core::sync::reconcile::{Method, Order};
use seedbed_core::sync::replica::{Load, Parameters, Peers, Tombstones};
use seedbed_sim::clock::Clocks;
use seedbed_sim::fault::{Action, Schedule, Timed};
use seedbed_sim::network::{Link, Network, Reorder};
use seedbed_sim::{DiskModel, Loss, Setup};

use crate::bench::{Bench, busy};
use crate::ground::{at, cut, ms, secs, uniform};

const NODES: u32 = 5;

fn node() -> impl Strategy<Value = NodeId> {
    (0..NODES).prop_map(NodeId)
}

fn nodes() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::btree_set(0..NODES, 1..4).prop_map(|nodes| nodes.into_iter().collect())
}

fn action() -> impl Strategy<Value = Action> {
    let loss = prop::sample::select(vec![Loss::Unsynced, Loss::Torn, Loss::Nothing]);
    let jump = -20_000_000_000..20_000_000_000i64;
    prop_oneof![
        4 => (node(), loss).prop_map(|(node, loss)| Action::Crash { node, loss }),
        4 => node().prop_map(|node| Action::Restart { node }),
        4 => (0..4u64, nodes(), nodes()).prop_map(|(number, from, to)| cut(number, &from, &to)),
        3 => (0..4u64).prop_map(|number| Action::Calm { number }),
        1 => node().prop_map(|node| Action::Pause { node }),
        1 => node().prop_map(|node| Action::Resume { node }),
        1 => (node(), 0..1_000u64).prop_map(|(node, lasts)| Action::DiskStall { node, lasts: ms(lasts) }),
        1 => (node(), any::<bool>()).prop_map(|(node, full)| Action::DiskFull { node, full }),
        1 => node().prop_map(|node| Action::DiskError { node }),
        2 => (node(), jump).prop_map(|(node, by)| Action::ClockJump { node, by }),
        1 => (node(), -10_000_000..10_000_000i64).prop_map(|(node, ppb)| Action::ClockDrift { node, ppb }),
    ]
}

/// Faults within the first five seconds.
pub(crate) fn faults() -> impl Strategy<Value = Vec<Timed>> {
    prop::collection::vec((0..5_000u64, action()).prop_map(|(millis, action)| at(millis, action)), 0..40)
}

/// Links this unreliable, in parts per thousand; disks this slow; clocks up to twenty seconds wrong. Nodes may hear of others that
/// come and go.
pub(crate) fn world() -> impl Strategy<Value = Setup> {
    let link = (0..30_000u64, 0..30_000u64, 0..=200u64, 0..=200u64).prop_map(|(a, b, loss, duplicate)| {
        let share = |thousandths: u64| u64::MAX / 1_000 * thousandths;
        let reorder = Reorder { share: share(duplicate), by: uniform(0, 10 * b) };
        Link {
            loss: share(loss),
            duplicate: share(duplicate),
            reorder: Some(reorder),
            ..Link::new(uniform(a.min(b), a.max(b)))
        }
    });
    (1..=NODES, any::<u64>(), link, prop::option::of(1..20_000u64), 0..20_000_000u64, any::<[bool; 4]>())
        .prop_map(|(nodes, seed, link, sync, skew, [is_blocking, is_wire, shuffles_ties, hints])| Setup {
            nodes,
            seed,
            network: Network::uniform(link),
            disk: DiskModel { sync: sync.map(|sync| uniform(0, sync)), is_blocking, ..DiskModel::default() },
            clocks: Clocks { skew: Some(uniform(0, skew)), ..Clocks::default() },
            is_wire,
            shuffles_ties,
            hints: hints.then_some(ms(5)),
            ..Setup::default()
        })
}

/// Every method that merges, and all that goes with it.
pub(crate) fn parameters() -> impl Strategy<Value = Parameters> {
    let merging: Vec<Method> =
        Method::ALL.iter().copied().filter(|method| *method != Method::Overwrite).collect();
    let order = prop::sample::select(Order::ALL.to_vec());
    let peers = prop::sample::select(Peers::ALL.to_vec());
    let tombstones = prop::sample::select(vec![Tombstones::Acknowledged, Tombstones::Kept]);
    (prop::sample::select(merging), order, peers, tombstones, 0..3u32, 1..9u32, any::<bool>(), 0..100u64)
        .prop_map(|(method, order, peers, tombstones, push, sessions, updates_win, preload)| Parameters {
            method,
            order,
            peers,
            tombstones,
            push,
            sessions,
            updates_win,
            preload,
            differ: preload / 2,
            every: ms(200),
            patience: ms(400),
            ..Parameters::default()
        })
}

fn load() -> impl Strategy<Value = Load> {
    (1..40u64, 0..4u32, 0..4u32).prop_map(|(documents, puts, deletes)| Load {
        puts: Probability::of(f64::from(puts) / 10.0),
        deletes: Probability::of(f64::from(deletes) / 10.0),
        ..busy(documents)
    })
}

/// The same cases every time: so many, or as many as `PROPTEST_CASES` says.
pub(crate) fn config() -> ProptestConfig {
    const USUAL: u32 = 256;
    let asked = ProptestConfig::default().cases;
    ProptestConfig {
        cases: if asked == USUAL { 100 } else { asked },
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    /// Strong eventual convergence, and nothing that was acknowledged is lost, comes back, or is read backwards: under loss,
    /// duplication, reordering, partitions, crashes that lose what is not synced, full and failing disks, clocks that are
    /// wrong and jump.
    #[test]
    fn replicas_keep_their_promises_and_agree_in_the_end(
        parameters in parameters(),
        load in load(),
        setup in world(),
        faults in faults(),
    ) {
        let mut bench = Bench::new(&parameters, setup);
        bench.world.set_faults(Schedule::concrete(faults));
        bench.ask(&load, ms(30), secs(6));
        bench.run_for(secs(7));
        prop_assert!(bench.settle(secs(120)), "no agreement");
        let findings = bench.finish();
        prop_assert_eq!(findings.violated, BTreeMap::new(), "{:?}", findings.violations);
    }
}
