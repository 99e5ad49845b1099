//! Saboteurs against policies, through messages, leases and queues.

use seedbed_core::contract::Findings;
use seedbed_core::scheduler::cluster::{Asked, Parameters, Sabotage, Span};
use seedbed_core::scheduler::trust::{self, Saboteur, Validation};
use seedbed_core::settings::Probability;

use crate::bench::Bench;
use crate::ground::{ms, secs, setup};

fn run(validation: Validation, conduct: Saboteur, share: f64, anonymous: bool, seed: u64) -> Findings {
    let parameters = Parameters {
        trust: trust::Parameters { validation, ..trust::Parameters::default() },
        saboteur: vec![Sabotage { conduct, share: Probability::of(share), nodes: Vec::new() }],
        anonymous,
        ..Parameters::default()
    };
    let mut bench = Bench::new(&parameters, setup(31, seed));
    bench.run_for(secs(20));
    bench.ask(
        Asked { tasks: 50, work: Span::Exponential { mean: ms(200) }, ..Asked::default() },
        secs(1),
        30,
    );
    assert!(bench.settle(secs(10_000)));
    bench.finish()
}

const ALWAYS: Probability = Probability::ALWAYS;

#[test]
fn credibility_finds_saboteurs_and_keeps_its_bound() {
    let found: Vec<Findings> = (0..4)
        .map(|seed| {
            run(Validation::Credibility, Saboteur::Colluding { rate: ALWAYS, ring: 0 }, 0.2, false, seed)
        })
        .collect();
    for findings in &found {
        assert_eq!(findings.violated.len(), 0, "{:?}", findings.violations);
        assert_eq!(findings.numbers["blacklisted_falsely"], 0.0);
        assert!(findings.numbers["blacklisted"] >= 4.0, "{:?}", findings.numbers);
    }
    // 6,000 tasks with at most one in a hundred wrong: above 60 + 5 standard deviations of 7.7 happens once in a million.
    let wrong: f64 = found.iter().map(|it| it.numbers["error_rate"] * it.numbers["validated"]).sum();
    assert!(wrong <= 99.0, "{wrong}");
}

#[test]
fn without_validation_saboteurs_are_believed() {
    let findings = run(Validation::None, Saboteur::Independent { rate: ALWAYS }, 0.2, false, 1);
    // A fifth of the workers answers a fifth of the tasks: of 1,500, within five standard deviations of 15.5.
    let wrong = findings.numbers["error_rate"] * 1_500.0;
    assert!((wrong - 300.0).abs() < 78.0, "{wrong}");
}

#[test]
fn who_comes_under_a_new_name_is_found_out_again() {
    let conduct = Saboteur::Whitewashing { rate: ALWAYS, ring: 0 };
    let open = run(Validation::Credibility, conduct.clone(), 0.2, true, 1);
    let closed = run(Validation::Credibility, conduct, 0.2, false, 1);
    assert!(open.numbers["blacklisted"] > closed.numbers["blacklisted"], "{:?}", open.numbers);
}
