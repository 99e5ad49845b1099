//! Mistakes planted in the hub on purpose: tests of the simulator, which must find each of them within seconds.

use std::collections::BTreeMap;

use seedbed_core::contract::{Duration, Time};
use seedbed_core::scheduler::cluster::{Asked, Flaw, Parameters, Span};
use seedbed_core::scheduler::hub;
use seedbed_core::scheduler::trust::{self, Validation};
use seedbed_sim::fault::{Generator, Kind, Schedule, Selector, When};
use seedbed_sim::law::Law;
use seedbed_sim::network::{Disturbance, Link, Network};
use seedbed_sim::{DiskModel, Loss, Setup};

use crate::bench::Bench;
use crate::ground::{ms, secs, setup, uniform};

/// Seeds within which each mistake must be found; a minute of simulated time each.
const SEEDS: u64 = 20;

fn again_and_again(kind: Kind, gap: Duration, lasts: Law) -> Generator {
    let gap = Law::exponential(gap).expect("a law");
    let when = When::Repeatedly { first: None, gap, until: Time::MAX, count: u64::MAX };
    Generator { kind, when, lasts: Some(lasts) }
}

/// The hub and workers blink, links are cut, work takes longer than its lease now and then.
fn violated(flaw: Flaw, forgets_lost_copies: bool, seed: u64) -> BTreeMap<&'static str, u64> {
    let world = Setup {
        network: Network::uniform(Link::new(uniform(1_000, 9_000))),
        disk: DiskModel { sync: Some(uniform(5_000, 50_000)), ..DiskModel::default() },
        ..setup(6, seed)
    };
    let parameters = Parameters {
        hub: hub::Parameters {
            lease: secs(3),
            lease_times: 1,
            silence: secs(3),
            forgets_lost_copies,
            ..hub::Parameters::default()
        },
        trust: trust::Parameters {
            validation: Validation::Districloud,
            overlap: 2,
            ..trust::Parameters::default()
        },
        heartbeat: secs(1),
        flaw,
        ..Parameters::default()
    };
    let mut bench = Bench::new(&parameters, world);
    let hub: Selector = "0".parse().expect("a selector");
    let faults = vec![
        again_and_again(Kind::Crash(hub, Loss::Unsynced), secs(4), uniform(1_000, 300_000)),
        again_and_again(Kind::Crash(Selector::Random(1), Loss::Unsynced), secs(3), uniform(1_000, 9_000_000)),
        again_and_again(
            Kind::Links(Selector::Random(1), Selector::Random(1), true, Disturbance::Cut),
            secs(4),
            uniform(200_000, 6_000_000),
        ),
    ];
    let schedule = Schedule::new(faults, bench.world.keys());
    bench.world.set_faults(schedule);
    bench.ask(Asked { work: Span::Exponential { mean: secs(2) }, ..Asked::default() }, ms(300), 150);
    bench.run_for(secs(60));
    bench.settle(secs(120));
    bench.finish().violated
}

/// The first seed that shows this mistake by breaking this promise.
fn hunt(flaw: Flaw, check: &str) -> Option<u64> {
    (0..SEEDS).find(|&seed| violated(flaw, false, seed).contains_key(check))
}

#[test]
fn without_a_mistake_nothing_is_found() {
    for seed in 0..SEEDS {
        assert_eq!(violated(Flaw::None, false, seed), BTreeMap::new(), "seed {seed}");
    }
}

#[test]
fn an_answer_before_the_disk_is_found() {
    assert!(hunt(Flaw::AnswerEarly, "nothing-acknowledged-is-lost").is_some());
}

#[test]
fn double_assignment_after_a_lease_is_found() {
    assert!(hunt(Flaw::SeatAfterLease, "no-double-assignment").is_some());
}

#[test]
fn the_stuck_task_of_districloud_is_found() {
    let found = (0..SEEDS).find(|&seed| violated(Flaw::None, true, seed).contains_key("no-stuck-task"));
    assert!(found.is_some());
}
