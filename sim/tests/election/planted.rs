//! Bugs planted in Raft's election on purpose: tests of the simulator, which must find each of them within seconds.
//!
//! A flaw that is not found any more means that the simulated world has become kinder than the real one.

use std::collections::BTreeMap;

use seedbed_core::contract::{Duration, Time};
use seedbed_core::election::raft::{Flaw, Parameters, Raft};
use seedbed_sim::fault::{Generator, Kind, Schedule, Selector, When};
use seedbed_sim::law::Law;
use seedbed_sim::network::{Disturbance, Link, Network};
use seedbed_sim::{DiskModel, Loss, Setup};

use crate::bench::Bench;
use crate::ground::{ms, secs, uniform};

/// Seeds within which each flaw must be found; half a minute of simulated time each.
const SEEDS: u64 = 200;

fn parameters(flaw: Flaw) -> Parameters {
    let lease = matches!(flaw, Flaw::TimeAcrossLives | Flaw::None);
    Parameters { pre_vote: lease, stickiness: lease, lease, flaw, ..Parameters::default() }
}

/// Slow disks and, where no lease must live long enough to be broken, slow links.
fn weather(flaw: Flaw, seed: u64) -> Setup {
    let slowest = if parameters(flaw).lease { 5_000 } else { 120_000 };
    Setup {
        nodes: 3,
        seed,
        network: Network::uniform(Link::new(uniform(1_000, slowest))),
        disk: DiskModel { sync: Some(uniform(1_000, 40_000)), ..DiskModel::default() },
        ..Setup::default()
    }
}

fn again_and_again(kind: Kind, gap: Duration, lasts: Law) -> Generator {
    let gap = Law::exponential(gap).unwrap();
    let when = When::Repeatedly { first: None, gap, until: Time::MAX, count: u64::MAX };
    Generator { kind, when, lasts: Some(lasts) }
}

fn faults() -> Vec<Generator> {
    let crash = Kind::Crash(Selector::Random(1), Loss::Unsynced);
    let mut faults = vec![again_and_again(crash, ms(400), uniform(1_000, 60_000))];
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        let cut = Kind::Links(Selector::Index(one), Selector::Index(other), true, Disturbance::Cut);
        faults.push(again_and_again(cut, secs(2), uniform(200_000, 2_000_000)));
    }
    faults
}

fn violated(flaw: Flaw, seed: u64) -> BTreeMap<&'static str, u64> {
    let mut bench: Bench<Raft> = Bench::new(&parameters(flaw), weather(flaw, seed));
    let schedule = Schedule::new(faults(), bench.world.keys());
    bench.world.set_faults(schedule);
    bench.run_for(secs(30));
    bench.finish().violated
}

/// The first seed that shows this flaw by breaking this promise.
fn hunt(flaw: Flaw, check: &str) -> Option<u64> {
    (0..SEEDS).find(|&seed| violated(flaw, seed).contains_key(check))
}

#[test]
fn a_vote_that_leaves_before_it_is_on_disk_is_found() {
    assert!(hunt(Flaw::VoteBeforeDisk, "one-vote-per-term").is_some());
    assert!(hunt(Flaw::VoteBeforeDisk, "terms-never-go-back").is_some());
}

#[test]
fn a_vote_counted_in_another_term_is_found() {
    assert!(hunt(Flaw::TermUnchecked, "one-leader-per-term").is_some());
}

#[test]
fn a_clock_read_across_lives_is_found() {
    assert!(hunt(Flaw::TimeAcrossLives, "no-two-leases").is_some());
}

#[test]
fn nothing_is_found_where_nothing_is_planted() {
    for seed in 0..SEEDS {
        assert_eq!(violated(Flaw::None, seed), BTreeMap::new(), "seed {seed}");
    }
}
