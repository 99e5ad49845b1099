//! One kind of fault at a time, under each method of reconciliation.

use std::collections::BTreeMap;

use seedbed_core::contract::Duration;
use seedbed_core::sync::reconcile::Method;
use seedbed_core::sync::replica::Parameters;
use seedbed_sim::clock::Clocks;
use seedbed_sim::fault::{Generator, Kind, Schedule, Selector, When};
use seedbed_sim::law::Law;
use seedbed_sim::network::{Disturbance, Link, Network, Reorder};
use seedbed_sim::{DiskModel, Loss, Setup};

use crate::bench::{Bench, busy};
use crate::ground::{ms, secs, setup, uniform};

const NODES: u32 = 4;

fn parameters(method: Method) -> Parameters {
    // Overwriting knows no pushes.
    let push = if method == Method::Overwrite { 0 } else { 1 };
    Parameters { method, push, every: ms(300), patience: ms(200), ..Parameters::default() }
}

fn share(thousandths: u64) -> u64 {
    u64::MAX / 1_000 * thousandths
}

fn repeatedly(kind: Kind, gap: Duration, lasts: Option<Law>) -> Generator {
    let gap = Law::exponential(gap).unwrap();
    let when =
        When::Repeatedly { first: None, gap, until: seedbed_core::contract::Time::MAX, count: u64::MAX };
    Generator { kind, when, lasts }
}

fn any() -> Selector {
    Selector::Random(1)
}

/// Runs one world with every method; each must agree in the end, and keep its promises.
fn endures(seeds: std::ops::Range<u64>, world: impl Fn(u64) -> Setup, faults: impl Fn() -> Vec<Generator>) {
    for &method in Method::ALL {
        for seed in seeds.clone() {
            let mut bench = Bench::new(&parameters(method), world(seed));
            let schedule = Schedule::new(faults(), bench.world.keys());
            bench.world.set_faults(schedule);
            bench.ask(&busy(30), ms(20), secs(10));
            bench.run_for(secs(10));
            assert!(bench.settle(secs(60)), "{method:?}, seed {seed}: no agreement");
            let findings = bench.finish();
            let mut violated = findings.violated.clone();
            if method == Method::Overwrite {
                // What it is known for.
                violated.clear();
            }
            assert_eq!(violated, BTreeMap::new(), "{method:?}, seed {seed}: {:?}", findings.violations);
            assert!(findings.numbers["writes"] > 25.0, "{method:?}, seed {seed}: {:?}", findings.numbers);
        }
    }
}

#[test]
fn nothing_happens() {
    endures(0..3, |seed| setup(NODES, seed), Vec::new);
}

#[test]
fn messages_are_lost_doubled_and_overtaken() {
    let link = Link {
        loss: share(200),
        duplicate: share(200),
        reorder: Some(Reorder { share: share(300), by: uniform(0, 50_000) }),
        ..Link::new(uniform(1_000, 5_000))
    };
    endures(0..3, |seed| Setup { network: Network::uniform(link.clone()), ..setup(NODES, seed) }, Vec::new);
}

#[test]
fn links_are_cut() {
    let cut = || Kind::Links(any(), any(), true, Disturbance::Cut);
    let lasts = || Some(uniform(100_000, 3_000_000));
    let faults = || vec![repeatedly(cut(), ms(300), lasts()), repeatedly(cut(), ms(300), lasts())];
    endures(0..3, |seed| setup(NODES, seed), faults);
}

#[test]
fn nodes_crash_and_lose_what_is_not_synced() {
    let disk = || DiskModel { sync: Some(uniform(500, 20_000)), ..DiskModel::default() };
    let crash = || repeatedly(Kind::Crash(any(), Loss::Torn), ms(400), Some(uniform(1_000, 500_000)));
    endures(0..3, |seed| Setup { disk: disk(), ..setup(NODES, seed) }, || vec![crash()]);
}

#[test]
fn disks_fill_stall_and_fail() {
    let disk = || DiskModel { sync: Some(uniform(500, 5_000)), ..DiskModel::default() };
    let faults = || {
        let lasts = || Some(uniform(10_000, 1_500_000));
        vec![
            repeatedly(Kind::DiskFull(any()), secs(1), lasts()),
            repeatedly(Kind::DiskStall(any()), secs(1), lasts()),
            repeatedly(Kind::DiskError(any()), secs(3), None),
            repeatedly(Kind::Crash(any(), Loss::Unsynced), secs(2), Some(uniform(1_000, 500_000))),
        ]
    };
    endures(0..3, |seed| Setup { disk: disk(), ..setup(NODES, seed) }, faults);
}

#[test]
fn clocks_are_wrong_and_jump() {
    let clocks = || Clocks { skew: Some(uniform(0, 20_000_000)), drift_ppb: 10_000_000, ..Clocks::default() };
    let faults = || {
        vec![
            repeatedly(Kind::ClockJump(any(), 3_000_000_000), secs(2), None),
            repeatedly(Kind::ClockJump(any(), -3_000_000_000), secs(2), None),
        ]
    };
    endures(0..3, |seed| Setup { clocks: clocks(), ..setup(NODES, seed) }, faults);
}
