//! Waits against queueing theory: Poisson arrivals, exponential work, identical workers, first come, first served.

use seedbed_core::scheduler::cluster::{Asked, Parameters, Span};
use seedbed_core::scheduler::trust::{self, Validation};
use seedbed_sim::Setup;
use seedbed_sim::network::{Link, Network};

use crate::bench::Bench;
use crate::ground::{ms, secs, setup, uniform};

/// The probability that a customer of M/M/c waits (Erlang's C), by Erlang's recursion for B.
fn erlang_c(servers: u32, load: f64) -> f64 {
    let b = (1..=servers).fold(1.0, |b, n| load * b / (f64::from(n) + load * b));
    let share = load / f64::from(servers);
    b / (1.0 - share * (1.0 - b))
}

/// Mean waits of runs with different seeds, in units of the mean work, which is a second.
fn waits(servers: u32, share: f64) -> Vec<f64> {
    const TASKS: u64 = 20_000;
    (0..10)
        .map(|seed| {
            let network = Network::uniform(Link::new(uniform(1, 2)));
            let world = Setup { network, ..setup(servers + 1, seed) };
            let trust = trust::Parameters { validation: Validation::None, ..trust::Parameters::default() };
            let mut parameters = Parameters { trust, ..Parameters::default() };
            parameters.hub.lease = secs(1_000);
            let mut bench = Bench::new(&parameters, world);
            bench.run_for(secs(20));
            let gap = ms((1_000.0 / share / f64::from(servers)).round() as u64);
            bench.ask(Asked { work: Span::Exponential { mean: secs(1) }, ..Asked::default() }, gap, TASKS);
            assert!(bench.settle(secs(1_000_000)));
            let findings = bench.finish();
            let waits = &findings.samples["wait_s"];
            // The queue begins empty: the first tenth is not the steady state.
            let steady = &waits[waits.len() / 10..];
            steady.iter().sum::<f64>() / steady.len() as f64
        })
        .collect()
}

#[test]
fn first_come_first_served_waits_as_m_m_c_says() {
    for (servers, share) in [(1, 0.5), (4, 0.8)] {
        let gap = (1_000.0 / share / f64::from(servers)).round() / 1_000.0;
        let load = 1.0 / gap;
        let expected = erlang_c(servers, load) / (f64::from(servers) - load);
        let waits = waits(servers, share);
        let count = waits.len() as f64;
        let mean = waits.iter().sum::<f64>() / count;
        let variance = waits.iter().map(|wait| (wait - mean) * (wait - mean)).sum::<f64>() / (count - 1.0);
        let error = (variance / count).sqrt();
        // Four standard errors, and a thousandth for messages that are under way.
        assert!(
            (mean - expected).abs() < 4.0 * error + 0.001,
            "{servers}: {mean} +- {error}, expected {expected}"
        );
    }
}

/// Erlang C of 4 servers at 0.8 is 0.5964 (any table).
#[test]
fn erlang_c_is_that_of_tables() {
    assert!((erlang_c(4, 3.2) - 0.5964).abs() < 0.0001);
    assert!((erlang_c(1, 0.5) - 0.5).abs() < 1e-12);
}
