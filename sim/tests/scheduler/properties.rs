//! What a hub and its workers promise, in worlds drawn by proptest and shrunk to the smallest that breaks a promise.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use seedbed_core::contract::NodeId;
use seedbed_core::scheduler::cluster::{Asked, Parameters, Sabotage, Span, WorkerSpec, Workflow};
use seedbed_core::scheduler::hub::{self, Binding, Health, NodePolicy, QueuePolicy};
use seedbed_core::scheduler::trust::{self, Saboteur, Validation};
use seedbed_core::settings::{Bytes, Probability};
use seedbed_sim::fault::{Action, Schedule, Timed};
use seedbed_sim::network::{Link, Network};
use seedbed_sim::{DiskModel, Loss, Setup};

use crate::bench::Bench;
use crate::ground::{at, cut, ms, secs, uniform};

const NODES: u32 = 7;

/// The same cases each time: a run that fails is one that anybody can have again.
fn cases(count: u32) -> ProptestConfig {
    ProptestConfig {
        cases: count,
        rng_seed: RngSeed::Fixed(5),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn action() -> impl Strategy<Value = Action> {
    let node = || (0..NODES).prop_map(NodeId);
    let some =
        || prop::collection::btree_set(0..NODES, 1..4).prop_map(|all| all.into_iter().collect::<Vec<u32>>());
    let loss = prop::sample::select(vec![Loss::Unsynced, Loss::Torn, Loss::Nothing]);
    prop_oneof![
        4 => (node(), loss).prop_map(|(node, loss)| Action::Crash { node, loss }),
        4 => node().prop_map(|node| Action::Restart { node }),
        3 => (0..4_u64, some(), some()).prop_map(|(number, from, to)| cut(number, &from, &to)),
        3 => (0..4_u64).prop_map(|number| Action::Calm { number }),
        1 => node().prop_map(|node| Action::Pause { node }),
        1 => node().prop_map(|node| Action::Resume { node }),
        1 => (node(), 0..1_000_u64).prop_map(|(node, lasts)| Action::DiskStall { node, lasts: ms(lasts) }),
        1 => (node(), any::<bool>()).prop_map(|(node, full)| Action::DiskFull { node, full }),
        1 => node().prop_map(|node| Action::DiskError { node }),
    ]
}

/// Faults within the first minute.
fn faults() -> impl Strategy<Value = Vec<Timed>> {
    prop::collection::vec((0..60_000_u64, action()).prop_map(|(millis, action)| at(millis, action)), 0..30)
}

fn world() -> impl Strategy<Value = Setup> {
    let link = (0..30_000_u64, 0..=100_u64, 0..=100_u64).prop_map(|(most, loss, duplicate)| {
        let share = |thousandths: u64| u64::MAX / 1_000 * thousandths;
        Link { loss: share(loss), duplicate: share(duplicate), ..Link::new(uniform(0, most)) }
    });
    (any::<u64>(), link, prop::option::of(1..20_000_u64), any::<[bool; 3]>()).prop_map(
        |(seed, link, sync, [is_blocking, is_wire, shuffles_ties])| Setup {
            nodes: NODES,
            seed,
            network: Network::uniform(link),
            disk: DiskModel { sync: sync.map(|sync| uniform(0, sync)), is_blocking, ..DiskModel::default() },
            is_wire,
            shuffles_ties,
            ..Setup::default()
        },
    )
}

fn saboteur() -> impl Strategy<Value = Vec<Sabotage>> {
    let rate = Probability::of(0.5);
    let kinds = vec![
        Saboteur::Independent { rate },
        Saboteur::Colluding { rate, ring: 0 },
        Saboteur::OnOff { honest: 3, lies: 2, ring: 0 },
        Saboteur::Whitewashing { rate, ring: 0 },
        Saboteur::Lazy { rate },
        Saboteur::Slow { rate, times: 5 },
    ];
    let group = prop::sample::select(kinds)
        .prop_map(|conduct| vec![Sabotage { conduct, share: Probability::of(0.2), nodes: vec![3] }]);
    prop_oneof![Just(Vec::new()), group]
}

fn parameters() -> impl Strategy<Value = Parameters> {
    let queue = prop::sample::select(QueuePolicy::ALL.to_vec());
    let node = prop::sample::select(NodePolicy::ALL.to_vec());
    let validation = prop::sample::select(Validation::ALL.to_vec());
    let binding = prop::sample::select(Binding::ALL.to_vec());
    let health = prop::sample::select(Health::ALL.to_vec());
    (queue, node, (binding, health), validation, saboteur(), any::<bool>(), 0..4_u32).prop_map(
        |(queue, node, (binding, health), validation, saboteur, anonymous, stragglers)| Parameters {
            hub: hub::Parameters {
                queue,
                node,
                binding,
                health,
                stragglers,
                lease: secs(10),
                silence: secs(8),
                patience: secs(20),
                ..hub::Parameters::default()
            },
            trust: trust::Parameters { validation, ..trust::Parameters::default() },
            heartbeat: secs(2),
            worker: vec![
                WorkerSpec { cores: 2, ..WorkerSpec::default() },
                WorkerSpec { cores: 1, cores_to: Some(4), ..WorkerSpec::default() },
            ],
            saboteur,
            anonymous,
            ..Parameters::default()
        },
    )
}

fn asked() -> impl Strategy<Value = Asked> {
    let workflow = prop_oneof![
        Just(None),
        Just(Some(Workflow::ForkJoin { width: 3, stages: 1, data: Bytes(1_000_000) })),
        Just(Some(Workflow::Chain { length: 3, data: Bytes(0) })),
    ];
    (workflow, 1..3_u32, 1..4_u32, 0..3_u32, any::<bool>()).prop_map(
        |(workflow, cores_to, users, retries, wait)| Asked {
            workflow,
            cores_to: Some(cores_to),
            users,
            retries,
            wait,
            work: Span::Exponential { mean: secs(2) },
            ..Asked::default()
        },
    )
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn promises_hold_and_every_task_ends(
        setup in world(),
        parameters in parameters(),
        asked in asked(),
        faults in faults(),
    ) {
        let mut bench = Bench::new(&parameters, setup);
        bench.world.set_faults(Schedule::concrete(faults));
        bench.ask(asked, secs(2), 30);
        bench.run_for(secs(70));
        let ended = bench.settle(secs(1_800));
        let findings = bench.finish();
        prop_assert_eq!(findings.violations, vec![]);
        prop_assert!(ended, "some task has not ended");
    }
}
