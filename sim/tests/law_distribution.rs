//! Draws against theory: each law's table against the distribution function in its textbook form, over the whole range
//! (Kolmogorov-Smirnov, a million draws of a pinned seed) and at its ends, where averages see nothing.

use seedbed_core::contract::Duration;
use seedbed_sim::law::Law;

const DRAWS: usize = 1_000_000;
/// D * sqrt(n) is above this in one of a thousand samples of a right law (Kolmogorov's distribution).
const CRITICAL: f64 = 1.949;

/// A law with its distribution function and its inverse, both of milliseconds, written independently of the table.
struct Case {
    name: &'static str,
    law: Law,
    /// P(X <= x).
    cdf: fn(f64) -> f64,
    /// The duration that is exceeded with this probability.
    upper: fn(f64) -> f64,
    /// The duration below which this probability lies.
    lower: fn(f64) -> f64,
}

fn cases() -> Vec<Case> {
    let ms = Duration::from_millis;
    let case =
        |name, law: Result<Law, _>, cdf, upper, lower| Case { name, law: law.unwrap(), cdf, upper, lower };
    vec![
        case(
            "uniform",
            Law::uniform(ms(100), ms(500)),
            |x| ((x - 100.0) / 400.0).clamp(0.0, 1.0),
            |p| 500.0 - 400.0 * p,
            |p| 100.0 + 400.0 * p,
        ),
        case(
            "normal",
            Law::normal(ms(100), ms(5)),
            |x| phi((x - 100.0) / 5.0),
            |p| 100.0 - 5.0 * normal_quantile(p),
            |p| 100.0 + 5.0 * normal_quantile(p),
        ),
        case(
            "normal above zero",
            Law::normal(ms(100), ms(100)),
            |x| (phi(x / 100.0 - 1.0) - phi(-1.0)) / phi(1.0),
            |p| 100.0 - 100.0 * normal_quantile(p * phi(1.0)),
            |p| 100.0 + 100.0 * normal_quantile(phi(-1.0) + p * phi(1.0)),
        ),
        case(
            "lognormal",
            Law::lognormal(ms(50), 0.5),
            |x| phi(libm::log(x / 50.0) / 0.5),
            |p| 50.0 * libm::exp(-0.5 * normal_quantile(p)),
            |p| 50.0 * libm::exp(0.5 * normal_quantile(p)),
        ),
        case(
            "wide lognormal",
            Law::lognormal(ms(50), 2.0),
            |x| phi(libm::log(x / 50.0) / 2.0),
            |p| 50.0 * libm::exp(-2.0 * normal_quantile(p)),
            |p| 50.0 * libm::exp(2.0 * normal_quantile(p)),
        ),
        case(
            "exponential",
            Law::exponential(ms(100)),
            |x| -libm::expm1(-x / 100.0),
            |p| -100.0 * libm::log(p),
            |p| -100.0 * libm::log1p(-p),
        ),
        case(
            "weibull",
            Law::weibull(ms(10), 0.5),
            |x| -libm::expm1(-libm::sqrt(x / 10.0)),
            |p| 10.0 * libm::log(p) * libm::log(p),
            |p| 10.0 * libm::log1p(-p) * libm::log1p(-p),
        ),
        // Of half the square of a normal.
        case(
            "gamma",
            Law::gamma(ms(100), 0.5),
            |x| libm::erf(libm::sqrt(x / 100.0)),
            |p| 50.0 * normal_quantile(p / 2.0) * normal_quantile(p / 2.0),
            |p| 50.0 * normal_quantile(0.5 - p / 2.0) * normal_quantile(0.5 - p / 2.0),
        ),
        case(
            "pareto",
            Law::pareto(ms(10), 1.5, None),
            |x| 1.0 - libm::pow(10.0 / x, 1.5),
            |p| 10.0 * libm::pow(p, -1.0 / 1.5),
            |p| 10.0 * libm::exp(-libm::log1p(-p) / 1.5),
        ),
        case(
            "bounded pareto",
            Law::pareto(ms(10), 0.8, Some(ms(10_000))),
            |x| (1.0 - libm::pow(10.0 / x, 0.8)) / (1.0 - libm::pow(1e-3, 0.8)),
            |p| 10.0 * libm::pow(p + (1.0 - p) * libm::pow(1e-3, 0.8), -1.25),
            |p| 10.0 * libm::pow(1.0 - p + p * libm::pow(1e-3, 0.8), -1.25),
        ),
        // Triangular samples: the rising half of a ramp from 0 to 1 s, as measured 1,000 times.
        case(
            "empirical",
            Law::empirical(&(0..1_000).map(|k| Duration::from_nanos(ramp(k))).collect::<Vec<_>>()),
            |x| (x / 1_000.0) * (x / 1_000.0),
            |p| 1_000.0 * libm::sqrt(1.0 - p),
            |p| 1_000.0 * libm::sqrt(p),
        ),
    ]
}

/// The quantile at `(k + 1/2) / 1000` of the density that rises to 1 s, in nanoseconds.
fn ramp(k: u32) -> u64 {
    (1e9 * libm::sqrt((f64::from(k) + 0.5) / 1_000.0)) as u64
}

#[test]
fn a_million_draws_follow_the_law() {
    for (seed, case) in cases().into_iter().enumerate() {
        let draws = sorted_draws(&case.law, seed as u64);
        let n = DRAWS as f64;
        let farthest = draws.iter().enumerate().fold(0.0_f64, |farthest, (rank, &draw)| {
            let expected = (case.cdf)(draw as f64 / 1e6);
            farthest.max((expected - rank as f64 / n).abs()).max((expected - (rank + 1) as f64 / n).abs())
        });
        let statistic = farthest * libm::sqrt(n);
        assert!(statistic < CRITICAL, "{}: D * sqrt(n) = {statistic}", case.name);
    }
}

/// The table against the formula, without chance: from the median out to one draw in 2^32 on both sides.
#[test]
fn both_ends_are_as_right_as_the_middle() {
    for case in cases().into_iter().filter(|case| case.name != "empirical") {
        for exponent in 1..=31 {
            for eighths in 8..16_u64 {
                let place = eighths << (60 - exponent);
                let p = place as f64 / 18_446_744_073_709_551_616.0;
                // A bin is at most 1/128 of its distance to the end: a straight line over it errs by 1e-4 at most.
                assert_near(&case, "below", p, case.law.draw(place), (case.lower)(p));
                assert_near(&case, "above", p, case.law.draw(!place), (case.upper)(p));
            }
        }
    }
}

fn assert_near(case: &Case, side: &str, p: f64, draw: u64, wanted_ms: f64) {
    let got_ms = draw as f64 / 1e6;
    let slack = 2e-4 * wanted_ms + 1e-6;
    assert!(
        (got_ms - wanted_ms).abs() <= slack,
        "{}: {got_ms} ms is not {wanted_ms} ms, {p:e} {side}",
        case.name
    );
}

/// The same at the percentiles that reports print, with draws: the empirical quantile's standard error is
/// sqrt(p (1 - p) / n) in probability; four of them.
#[test]
fn sampled_percentiles_lie_within_their_error() {
    for (seed, case) in cases().into_iter().enumerate() {
        let draws = sorted_draws(&case.law, 1_000 + seed as u64);
        for p in [0.0001, 0.001, 0.01, 0.5, 0.99, 0.999, 0.9999] {
            let draw = draws[(p * DRAWS as f64) as usize];
            let error = 4.0 * libm::sqrt(p * (1.0 - p) / DRAWS as f64);
            // A draw is whole nanoseconds, and the least ones of some laws are shorter.
            let [low, high] = [draw.saturating_sub(1), draw + 1].map(|nanos| (case.cdf)(nanos as f64 / 1e6));
            // 1,000 samples say nothing about the ten-thousandth.
            if case.name != "empirical" || (0.01..=0.99).contains(&p) {
                let is_near = low - error < p && p < high + error;
                assert!(is_near, "{}: p{} is at {low} to {high}", case.name, 100.0 * p);
            }
        }
    }
}

/// Pinned draws of the law, in nanoseconds.
fn sorted_draws(law: &Law, seed: u64) -> Vec<u64> {
    let mut draws: Vec<_> = (0..DRAWS as u64).map(|count| law.draw(uniform(seed, count))).collect();
    draws.sort_unstable();
    draws
}

/// SplitMix64 of a counter (Steele, Lea, Flood, OOPSLA 2014).
fn uniform(seed: u64, count: u64) -> u64 {
    let z = (seed << 40).wrapping_add(count).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn phi(z: f64) -> f64 {
    0.5 * libm::erfc(-z * std::f64::consts::FRAC_1_SQRT_2)
}

/// Bisection of [`phi`]: slow, and nothing in common with the rational functions under test.
fn normal_quantile(p: f64) -> f64 {
    let (mut low, mut high) = (-40.0, 40.0);
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if phi(middle) < p { low = middle } else { high = middle }
    }
    low
}
