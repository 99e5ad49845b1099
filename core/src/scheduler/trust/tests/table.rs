//! The comparison of policies: our code in the independent model against the listed values.

use super::model::{Model, Outcome, moments};
use super::*;
use crate::settings::Probability;

const WORKERS: u64 = 100;
const TASKS: u64 = 5_000;
const SEEDS: u64 = 5;

/// Fraction of saboteurs, sabotage rate; for each of [`columns`], accepted-error rates and jobs per task. From the
/// project's reference on scheduling, "Independent model of the policies".
#[rustfmt::skip]
const LISTED: [(f64, f64, [f64; 7], [f64; 7]); 6] = [
    (0.05, 0.1, [0.0047, 0.00004, 0.0, 0.0001, 0.0, 0.003, 0.0026], [1.0, 2.01, 3.02, 3.0, 5.0, 1.19, 1.35]),
    (0.05, 1.0, [0.0507, 0.006, 0.0007, 0.0004, 0.0, 0.0045, 0.0001], [1.0, 2.1, 3.16, 3.0, 5.0, 1.28, 1.37]),
    (0.2, 0.1, [0.0209, 0.0013, 0.0, 0.0011, 0.00004, 0.0138, 0.0012], [1.0, 2.04, 3.06, 3.0, 5.0, 1.24, 2.11]),
    (0.2, 1.0, [0.2006, 0.0986, 0.0527, 0.013, 0.0008, 0.0796, 0.00004], [1.0, 2.33, 3.64, 3.03, 5.01, 1.71, 2.03]),
    (0.35, 0.1, [0.0354, 0.0036, 0.0002, 0.0037, 0.0002, 0.0213, 0.0003], [1.0, 2.07, 3.11, 3.0, 5.01, 1.3, 2.56]),
    (0.35, 1.0, [0.3498, 0.2747, 0.2242, 0.0704, 0.008, 0.2507, 0.0], [1.0, 2.46, 4.01, 3.12, 5.08, 2.13, 2.42]),
];

/// The policies, in the order of the table. The credibility policy knows the fraction of saboteurs.
fn columns(saboteurs: f64) -> [Parameters; 7] {
    let m_first = |matches| Parameters { matches, ..named(Validation::MFirst) };
    let seed_rule = |overlap| Parameters { overlap, ..named(Validation::Districloud) };
    let prior = Probability::of(saboteurs);
    [
        named(Validation::None),
        m_first(2),
        m_first(3),
        seed_rule(3),
        seed_rule(5),
        named(Validation::BoincAdaptive),
        Parameters { prior, ..named(Validation::Credibility) },
    ]
}

fn model(parameters: Parameters, saboteurs: f64, sabotage: f64, tasks: u64) -> Model {
    Model {
        parameters,
        workers: WORKERS,
        saboteurs: (saboteurs * WORKERS as f64).round() as u64,
        saboteur: Saboteur::Colluding { rate: Probability::of(sabotage), ring: 0 },
        tasks,
    }
}

/// Both means are of [`SEEDS`] seeds, so their difference has twice the variance of one. The standard deviation of a seed
/// is that of ours, at least `least` (a few seeds may be alike by chance); half a digit is lost where the table was rounded.
fn assert_within_4_standard_errors(ours: &[f64], listed: f64, least: f64, half_a_digit: f64, cell: &str) {
    let (mean, deviation) = moments(ours);
    let standard_error = deviation.max(least) * (2.0 / SEEDS as f64).sqrt();
    let apart = (mean - listed).abs();
    assert!(
        apart <= 4.0 * standard_error + half_a_digit,
        "{cell}: {mean} is not {listed} ({standard_error})"
    );
}

#[test]
fn every_policy_has_the_listed_error_and_jobs_per_task() {
    for (saboteurs, sabotage, listed_errors, listed_jobs) in LISTED {
        let cells = listed_errors.into_iter().zip(listed_jobs);
        for (parameters, (error, jobs)) in columns(saboteurs).into_iter().zip(cells) {
            let cell = format!("f {saboteurs}, s {sabotage}, {}", parameters.validation);
            let model = model(parameters, saboteurs, sabotage, TASKS);
            let outcomes: Vec<_> = (0..SEEDS).map(|seed| model.run(seed)).collect();
            assert!(outcomes.iter().all(|outcome| outcome.accepted == TASKS && outcome.wronged == 0));
            let per_task = |count: fn(&Outcome) -> u64| -> Vec<f64> {
                outcomes.iter().map(|outcome| count(outcome) as f64 / TASKS as f64).collect()
            };
            let (errors, all_jobs) = (per_task(|outcome| outcome.wrong), per_task(|outcome| outcome.jobs));
            // Where errors are rare, that of a binomial count, of one in all seeds at least.
            let rate = error.max(moments(&errors).0).max(1.0 / (TASKS * SEEDS) as f64);
            let binomial = (rate * (1.0 - rate) / TASKS as f64).sqrt();
            assert_within_4_standard_errors(&errors, error, binomial, 0.000_05, &format!("error, {cell}"));
            assert_within_4_standard_errors(&all_jobs, jobs, 0.0, 0.005, &format!("jobs, {cell}"));
        }
    }
}
