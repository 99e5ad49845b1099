//! Bugs planted in replicas on purpose: tests of the simulator, which must find each of them within seconds.
//!
//! A flaw that is not found any more means that the simulated world has become kinder than the real one.

use std::collections::BTreeMap;

use seedbed_core::contract::{Duration, Time};
use seedbed_core::sync::reconcile::Method;
use seedbed_core::sync::replica::{Flaw, Parameters};
use seedbed_sim::clock::Clocks;
use seedbed_sim::fault::{Generator, Kind, Schedule, Selector, When};
use seedbed_sim::law::Law;
use seedbed_sim::network::{Disturbance, Link, Network, Reorder};
use seedbed_sim::{DiskModel, Loss, Setup};

use crate::bench::{Bench, busy};
use crate::ground::{ms, secs, setup, uniform};

/// Seeds within which each flaw must be found; twenty seconds of simulated time each.
const SEEDS: u64 = 50;

fn again_and_again(kind: Kind, gap: Duration, lasts: Law) -> Generator {
    let gap = Law::exponential(gap).unwrap();
    let when = When::Repeatedly { first: None, gap, until: Time::MAX, count: u64::MAX };
    Generator { kind, when, lasts: Some(lasts) }
}

/// Nodes blink, links are cut for long, messages come late, disks are slow, clocks are wrong.
fn violated(flaw: Flaw, seed: u64) -> BTreeMap<&'static str, u64> {
    let link = Link {
        reorder: Some(Reorder { share: u64::MAX / 20, by: uniform(0, 2_000_000) }),
        ..Link::new(uniform(1_000, 9_000))
    };
    let world = Setup {
        network: Network::uniform(link),
        disk: DiskModel { sync: Some(uniform(1_000, 20_000)), ..DiskModel::default() },
        clocks: Clocks { skew: Some(uniform(0, 500_000)), ..Clocks::default() },
        ..setup(3, seed)
    };
    let parameters = Parameters {
        method: Method::Range,
        every: ms(200),
        patience: ms(200),
        flaw,
        ..Parameters::default()
    };
    let mut bench = Bench::new(&parameters, world);
    let any = || Selector::Random(1);
    let crash = Kind::Crash(any(), Loss::Unsynced);
    let cut = Kind::Links(any(), any(), true, Disturbance::Cut);
    let faults = vec![
        again_and_again(crash, ms(500), uniform(1_000, 100_000)),
        again_and_again(cut, ms(400), uniform(200_000, 4_000_000)),
    ];
    let schedule = Schedule::new(faults, bench.world.keys());
    bench.world.set_faults(schedule);
    bench.ask(&busy(10), ms(10), secs(18));
    bench.run_for(secs(20));
    let agree = bench.settle(secs(30));
    let mut violated = bench.finish().violated;
    if !agree {
        violated.insert("agreement", 1);
    }
    violated
}

/// The first seed that shows this flaw by breaking this promise.
fn hunt(flaw: Flaw, check: &str) -> Option<u64> {
    (0..SEEDS).find(|&seed| violated(flaw, seed).contains_key(check))
}

#[test]
fn a_clock_that_ignores_what_was_read_is_found() {
    assert!(hunt(Flaw::OwnClock, "writes-exceed-reads").is_some());
}

#[test]
fn a_tombstone_collected_too_early_is_found() {
    assert!(hunt(Flaw::CollectEarly, "no-resurrection").is_some());
}

#[test]
fn equal_versions_that_differ_are_found() {
    assert!(hunt(Flaw::EqualVersions, "agreement").is_some());
}

#[test]
fn an_answer_before_the_disk_is_found() {
    assert!(hunt(Flaw::AnswerEarly, "nothing-acknowledged-is-lost").is_some());
    assert!(hunt(Flaw::AnswerEarly, "monotone-reads").is_some());
}

/// Three replicas that nobody writes to, and documents of somebody who knows the secret: chosen so that, on each replica, the
/// exclusive or of their hashes is zero. Whether all agree in the end.
fn agree_on_forged(method: Method, flaw: Flaw, seed: u64) -> bool {
    let parameters = Parameters {
        method,
        every: ms(200),
        preload: 50,
        differ: 900,
        preload_bytes: 8,
        forged: true,
        flaw,
        ..Parameters::default()
    };
    let mut bench = Bench::new(&parameters, setup(3, seed));
    let faults = vec![again_and_again(
        Kind::Crash(Selector::Random(1), Loss::Unsynced),
        ms(500),
        uniform(1_000, 100_000),
    )];
    let schedule = Schedule::new(faults, bench.world.keys());
    bench.world.set_faults(schedule);
    bench.run_for(secs(2));
    bench.settle(secs(20))
}

#[test]
fn fingerprints_by_exclusive_or_are_found_by_an_adversary() {
    for method in [Method::Digest, Method::Merkle, Method::Range, Method::Riblt, Method::Delta, Method::Auto]
    {
        assert!(!agree_on_forged(method, Flaw::XorFingerprints, 1), "{method:?} is not deceived");
        assert!(agree_on_forged(method, Flaw::None, 1), "{method:?} is deceived");
    }
}

#[test]
fn nothing_is_found_where_nothing_is_planted() {
    for seed in 0..SEEDS {
        assert_eq!(violated(Flaw::None, seed), BTreeMap::new(), "seed {seed}");
    }
}
