//! The kernel under the command line of the peers it is compared with: `kernel_harness <workload> <nodes> <events>`.
//!
//! Ordinary protocols on the shipped kernel with everything on: loss, latency law, partition check, counters, digest.
//! It prints `engine workload nodes events seconds events_per_s rss_kb cpu_s`; `events` counts delivered messages, and
//! for `gossip` the argument is simulated milliseconds. Set-up is not timed. A fourth argument runs so many seeds on
//! as many threads and prints their sum.

use std::time::Instant;

use seedbed_benches::{gossip, phold, pingpong};
use seedbed_core::contract::{Duration, Protocol, Time};
use seedbed_sim::World;

const SEED: u64 = 42;

struct Measured {
    delivered: u64,
    wall: f64,
    cpu: f64,
    digest: u64,
    node_size: usize,
}

fn run<P: Protocol>(args: &Args, world: impl FnOnce() -> World<P>) -> Measured {
    let mut world = world();
    if args.workload != "idle" {
        world.start(&mut ());
    }
    let (wall, cpu) = (Instant::now(), thread_cpu());
    match args.workload.as_str() {
        "gossip" => world.run_until(Time::ZERO + Duration::from_millis(args.events), &mut ()),
        "idle" => {}
        _ => while world.traffic().delivered < args.events && world.advance(Time::MAX, &mut ()) {},
    }
    let (wall, cpu) = (wall.elapsed().as_secs_f64(), thread_cpu() - cpu);
    Measured {
        delivered: world.traffic().delivered.max(1),
        wall,
        cpu,
        digest: world.history_digest(),
        node_size: World::<P>::node_size(),
    }
}

fn measure(args: &Args, seed: u64) -> Measured {
    match args.workload.as_str() {
        "pingpong" => run(args, || pingpong(seed)),
        "phold" => run(args, || phold(args.nodes, seed)),
        "gossip" | "idle" => run(args, || gossip(args.nodes, seed)),
        other => {
            eprintln!("seedbed: workload {other} unsupported");
            std::process::exit(3);
        }
    }
}

struct Args {
    workload: String,
    nodes: u32,
    events: u64,
    seeds: u64,
}

fn args() -> Option<Args> {
    let mut args = std::env::args().skip(1);
    let workload = args.next()?;
    let nodes: u32 = args.next()?.parse().ok()?;
    let events = args.next()?.parse().ok()?;
    let seeds = args.next().map_or(Some(1), |seeds| seeds.parse().ok())?;
    Some(Args { workload, nodes: nodes.max(2), events, seeds })
}

fn main() {
    let Some(args) = args() else {
        eprintln!("usage: kernel_harness pingpong|phold|gossip|idle <nodes> <events> [seeds]");
        std::process::exit(2);
    };
    let wall = Instant::now();
    let runs: Vec<Measured> = std::thread::scope(|scope| {
        let spawn = |seed| {
            scope.spawn({
                let args = &args;
                move || measure(args, SEED + seed)
            })
        };
        let others: Vec<_> = (1..args.seeds).map(spawn).collect();
        let mut runs = vec![measure(&args, SEED)];
        runs.extend(others.into_iter().map(|run| run.join().expect("a run does not panic")));
        runs
    });
    let delivered: u64 = runs.iter().map(|run| run.delivered).sum();
    let cpu: f64 = runs.iter().map(|run| run.cpu).sum();
    let seconds = match runs.as_slice() {
        [one] => one.wall,
        several => several.iter().map(|run| run.wall).fold(0.0, f64::max).min(wall.elapsed().as_secs_f64()),
    };
    println!(
        "seedbed {} {} {delivered} {seconds:.6} {:.0} {} {cpu:.6}",
        args.workload,
        args.nodes,
        delivered as f64 / seconds,
        peak_memory()
    );
    eprintln!("digest {:016x} node_bytes {}", runs[0].digest, runs[0].node_size);
}

/// Seconds this thread has spent on a CPU.
fn thread_cpu() -> f64 {
    let read = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    read.split_whitespace().next().and_then(|nanos| nanos.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}

/// Peak resident memory in kB.
fn peak_memory() -> u64 {
    let read = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = read.lines().find(|line| line.starts_with("VmHWM:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}
