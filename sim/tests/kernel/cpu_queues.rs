//! CPUs are the queues of the textbook: Poisson arrivals, mean waits and responses.
//!
//! Each mean is compared through 40 batch means: four seeds, two nodes of each, five batches of each, after half a
//! batch of warm-up. Batches are longer than a dozen relaxation times, so their means are as good as independent, and
//! Student's t with 39 degrees of freedom is 4.333 for an error of one in 10,000. With less than 50 intervals in this
//! file, a right CPU would fail with a probability below one in 200 if seeds were not pinned.

use seedbed_core::contract::{Duration, Input, NodeId, Time, View};
use seedbed_sim::law::Law;
use seedbed_sim::{CpuModel, Discipline, Setup};

use crate::puppet::{NTH, begin};
use crate::statistics::{interval, mean};

const T_39: f64 = 4.333;
/// The mean service, in nanoseconds.
const MEAN: f64 = 100_000.0;
const SEEDS: u64 = 4;
const NODES: u32 = 2;
const BATCHES: usize = 5;

/// What is measured of each job.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Measure {
    Wait,
    Response,
}

fn cpu(cores: u32, discipline: Discipline) -> CpuModel {
    CpuModel { cores, discipline, ..CpuModel::default() }
}

/// Batches of the measure of each job, in mean services.
fn batches(model: CpuModel, load: f64, service: &Law, measure: Measure, batch: usize) -> Vec<Vec<f64>> {
    let gap = MEAN / (load * f64::from(model.cores));
    let gap = Law::exponential(Duration::from_nanos(gap.round() as u64)).unwrap();
    let jobs = batch / 2 + BATCHES * batch;
    let mut found = Vec::new();
    for seed in 0..SEEDS {
        let setup = Setup { nodes: NODES, seed, cpus: vec![model], ..Setup::default() };
        let (gap, service) = (gap.clone(), service.clone());
        let (mut world, _) = begin(setup, move |puppet, input, cx| match input {
            Input::Start { .. } | Input::Timer { .. } if puppet.numbers.len() < jobs => {
                let cost = service.draw(cx.dice.below(u64::MAX));
                assert!(cost < NTH);
                cx.run(puppet.numbers.len() as u64 * NTH + cost);
                puppet.numbers.push(cx.now.0);
                let gap = gap.draw(cx.dice.below(u64::MAX));
                cx.set(0, Duration::from_nanos(gap));
            }
            Input::Ran { job, .. } => {
                let served = if measure == Measure::Wait { job % NTH } else { 0 };
                let came = &mut puppet.numbers[(job / NTH) as usize];
                *came = cx.now.0 - *came - served;
            }
            _ => {}
        });
        world.run_until(Time::MAX, &mut ());
        for node in (0..NODES).map(NodeId) {
            let measured = &world.state(node).unwrap().numbers[batch / 2..];
            let measured: Vec<f64> = measured.iter().map(|&nanos| nanos as f64 / MEAN).collect();
            found.extend(measured.chunks_exact(batch).map(<[f64]>::to_vec));
        }
    }
    found
}

/// The interval holds what is expected, and is at most this wide as a part of it.
fn assert_mean(what: &str, means: &[f64], expected: f64, width: f64) {
    let (found, error) = interval(means, T_39);
    assert!((found - expected).abs() < error, "{what}: {found} +- {error}, expected {expected}");
    assert!(error < width * expected, "{what}: the interval {found} +- {error} says little");
}

fn assert_response(what: &str, model: CpuModel, load: f64, service: &Law, expected: f64) {
    let batches = batches(model, load, service, Measure::Response, 15_000);
    let means: Vec<f64> = batches.iter().map(|batch| mean(batch)).collect();
    assert_mean(what, &means, expected, 0.12);
}

/// The probability that all of so many servers are busy (Erlang, 1917; by the recursion of his formula B).
fn erlang_c(servers: u32, load: f64) -> f64 {
    let offered = load * f64::from(servers);
    let blocked = (1..=servers)
        .fold(1.0, |blocked, servers| offered * blocked / (f64::from(servers) + offered * blocked));
    blocked / (1.0 - load * (1.0 - blocked))
}

/// The mean wait in M/M/c, in mean services.
fn wait_mmc(servers: u32, load: f64) -> f64 {
    erlang_c(servers, load) / (f64::from(servers) * (1.0 - load))
}

/// Known values: one server waits with the probability of its load, two with 2 r^2 / (1 + r) (Kleinrock, Queueing Systems
/// I, section 3.5); and 10 servers that are offered 8 erlangs, a row of every printed table.
#[test]
fn erlangs_formula_gives_known_values() {
    let close = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-4, "{found}");
    close(erlang_c(1, 0.7), 0.7);
    close(erlang_c(2, 0.8), 2.0 * 0.64 / 1.8);
    close(erlang_c(10, 0.8), 0.40918);
}

fn exponential() -> Law {
    Law::exponential(Duration::from_nanos(MEAN as u64)).unwrap()
}

fn assert_mmc(load: f64, batch: usize, width: f64) {
    for cores in [1, 2, 4, 8] {
        let model = cpu(cores, Discipline::FirstCome);
        let batches = batches(model, load, &exponential(), Measure::Wait, batch);
        let means: Vec<f64> = batches.iter().map(|batch| mean(batch)).collect();
        let share =
            |batch: &Vec<f64>| batch.iter().filter(|&&wait| wait > 0.0).count() as f64 / batch.len() as f64;
        let shares: Vec<f64> = batches.iter().map(share).collect();
        assert_mean(&format!("M/M/{cores} at {load}, wait"), &means, wait_mmc(cores, load), width);
        assert_mean(&format!("M/M/{cores} at {load}, who waits"), &shares, erlang_c(cores, load), width);
    }
}

#[test]
fn first_come_is_m_m_c_at_half_load() {
    assert_mmc(0.5, 10_000, 0.15);
}

#[test]
fn first_come_is_m_m_c_at_four_fifths() {
    assert_mmc(0.8, 20_000, 0.1);
}

#[test]
fn first_come_is_m_m_c_at_nineteen_twentieths() {
    assert_mmc(0.95, 50_000, 0.2);
}

/// Laws of that mean: their names, and the second moment in squares of it.
fn laws() -> Vec<(&'static str, Law, f64)> {
    let nanos = |nanos: f64| Duration::from_nanos(nanos.round() as u64);
    vec![
        ("constant", Law::constant(nanos(MEAN)).unwrap(), 1.0),
        ("uniform", Law::uniform(Duration::ZERO, nanos(2.0 * MEAN)).unwrap(), 4.0 / 3.0),
        ("exponential", exponential(), 2.0),
        // The mean of a lognormal law is exp(sigma^2 / 2) medians, its second moment exp(2 sigma^2) squares of it.
        ("lognormal", Law::lognormal(nanos(MEAN * libm::exp(-0.5)), 1.0).unwrap(), libm::exp(1.0)),
    ]
}

/// Pollaczek (1930) and Khinchine (1932): the mean wait is r E[S^2] / (2 (1 - r) E[S]^2) mean services (Kleinrock, Queueing
/// Systems I, section 5.6).
#[test]
fn first_come_on_one_core_is_m_g_1() {
    for (law, service, second) in laws() {
        for load in [0.5, 0.8] {
            let batches = batches(cpu(1, Discipline::FirstCome), load, &service, Measure::Wait, 10_000);
            let means: Vec<f64> = batches.iter().map(|batch| mean(batch)).collect();
            let expected = load * second / (2.0 * (1.0 - load));
            assert_mean(&format!("{law} at {load}"), &means, expected, 0.15);
        }
    }
}

/// A law whose second moment is large: bounded Pareto with alpha 1.5. Its mean is 3 (1 - q^0.5) / (1 - q^1.5) scales, where q
/// is the scale by the cap (Harchol-Balter, Performance Modeling and Design of Computer Systems, section 20.6).
fn heavy() -> Law {
    let q: f64 = 1e-3;
    let scale = MEAN / (3.0 * (1.0 - q.sqrt()) / (1.0 - q * q.sqrt()));
    let nanos = |nanos: f64| Duration::from_nanos(nanos.round() as u64);
    Law::pareto(nanos(scale), 1.5, Some(nanos(scale / q))).unwrap()
}

/// The mean response of M/G/1-PS is 1 / (1 - r) mean services, whatever the law (Sakata, Noguchi and Oizumi, 1969;
/// Kleinrock, Queueing Systems II, section 4.4).
#[test]
fn sharing_one_core_is_insensitive_to_the_law() {
    let laws = laws().into_iter().map(|(name, law, _)| (name, law));
    for (name, service) in laws.chain([("pareto", heavy())]) {
        for load in [0.5, 0.8] {
            let model = cpu(1, Discipline::ProcessorSharing);
            assert_response(&format!("{name} at {load}"), model, load, &service, 1.0 / (1.0 - load));
        }
    }
}

/// Shared equally, several cores are a symmetric queue (Kelly, Reversibility and Stochastic Networks, section 3.3): as many jobs
/// are there as in M/M/c, whatever the law, so the mean response is that of M/M/c.
#[test]
fn sharing_cores_is_insensitive_to_the_law() {
    for (name, service) in [("constant", laws().remove(0).1), ("pareto", heavy())] {
        for cores in [2, 4] {
            let model = cpu(cores, Discipline::ProcessorSharing);
            let expected = 1.0 + wait_mmc(cores, 0.8);
            assert_response(&format!("{name} on {cores} cores"), model, 0.8, &service, expected);
        }
    }
}
