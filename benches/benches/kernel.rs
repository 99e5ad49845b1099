//! The kernel: the workloads of the engine comparison, and each election.

use std::sync::Arc;
use std::time::Duration as Wall;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use seedbed_benches::{gossip, phold, pingpong};
use seedbed_core::contract::{Duration, NodeId, Protocol, Subject, Time, View};
use seedbed_core::election::bully::Bully;
use seedbed_core::election::raft::Raft;
use seedbed_core::election::ring::Ring;
use seedbed_sim::fault::Action;
use seedbed_sim::{Loss, Services, Setup, World};

/// Messages delivered per measured batch.
const MESSAGES: u64 = 10_000;

fn deliver<P: Protocol>(criterion: &mut Criterion, name: &str, mut world: World<P>) {
    let mut group = criterion.benchmark_group("kernel");
    group.throughput(Throughput::Elements(MESSAGES));
    group.warm_up_time(Wall::from_millis(500)).measurement_time(Wall::from_secs(2));
    world.start(&mut ());
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            let goal = world.traffic().delivered + MESSAGES;
            while world.traffic().delivered < goal && world.advance(Time::MAX, &mut ()) {}
        });
    });
    group.finish();
}

fn workloads(criterion: &mut Criterion) {
    deliver(criterion, "pingpong", pingpong(1));
    deliver(criterion, "phold/1000", phold(1_000, 1));
    deliver(criterion, "phold/100000", phold(100_000, 1));
    deliver(criterion, "gossip/1000", gossip(1_000, 1));
}

/// A minute of five nodes whose leader crashes half-way.
fn elect<P: Subject>(criterion: &mut Criterion, name: &str) {
    let mut group = criterion.benchmark_group("election");
    group.warm_up_time(Wall::from_millis(500)).measurement_time(Wall::from_secs(2));
    let config = Arc::new(P::config(&P::Settings::default(), 5).expect("the defaults suit five nodes"));
    let world = || {
        let setup = Setup { nodes: 5, seed: 1, ..Setup::default() };
        World::<P>::new(config.clone(), setup, Services::registered())
    };
    group.bench_function(name, |bencher| {
        bencher.iter_batched(world, minute, BatchSize::SmallInput);
    });
    group.finish();
}

fn minute<P: Subject>(mut world: World<P>) -> u64 {
    let at = |seconds| Time::ZERO + Duration::from_secs(seconds);
    world.start(&mut ());
    world.run_until(at(30), &mut ());
    let leads = |node: &NodeId| world.state(*node).is_some_and(|state| state.role() == "leader");
    let leader = (0..world.nodes()).map(NodeId).find(leads).expect("a leader in a calm world");
    world.act(Action::Crash { node: leader, loss: Loss::Unsynced }, &mut ());
    world.run_until(at(60), &mut ());
    world.digest()
}

fn elections(criterion: &mut Criterion) {
    elect::<Bully>(criterion, "bully");
    elect::<Ring>(criterion, "ring");
    elect::<Raft>(criterion, "raft");
}

criterion_group!(benches, workloads, elections);
criterion_main!(benches);
