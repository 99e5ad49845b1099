//! What the tests need of statistics: each function names its source, and what it is trusted with.

use proptest::test_runner::{Config as ProptestConfig, RngSeed};

/// The largest distance between the empirical distribution of `sorted` and `cdf`, times the square root of the number
/// of samples. For a right law it exceeds 1.949 once in a thousand samples (Kolmogorov's distribution).
pub(crate) fn kolmogorov_smirnov(sorted: &[u64], cdf: impl Fn(f64) -> f64) -> f64 {
    let n = sorted.len() as f64;
    let farthest = sorted.iter().enumerate().fold(0.0_f64, |farthest, (rank, &value)| {
        let expected = cdf(value as f64);
        farthest.max((expected - rank as f64 / n).abs()).max(((rank + 1) as f64 / n - expected).abs())
    });
    farthest * n.sqrt()
}

/// Exceeded once in a thousand samples of a right law.
pub(crate) const KOLMOGOROV: f64 = 1.949;

/// Four standard deviations of a share of `n` independent trials: exceeded once in 16,000.
pub(crate) fn four_sigma(p: f64, n: f64) -> f64 {
    4.0 * (p * (1.0 - p) / n).sqrt()
}

pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Mean and half-width of its 99 % confidence interval by the method of batch means (A. M. Law, Simulation Modeling and
/// Analysis, 5th ed., section 9.5.3): 20 batches, so long that their means are as good as independent; Student's t
/// with 19 degrees of freedom is 2.861.
pub(crate) fn batch_means(values: &[f64]) -> (f64, f64) {
    let means: Vec<f64> = values.chunks_exact(values.len() / 20).take(20).map(mean).collect();
    interval(&means, 2.861)
}

/// Mean and half-width of its confidence interval, from independent values and Student's t for one less than their
/// number.
pub(crate) fn interval(values: &[f64], t: f64) -> (f64, f64) {
    let (middle, count) = (mean(values), values.len() as f64);
    let variance =
        values.iter().map(|value| (value - middle) * (value - middle)).sum::<f64>() / (count - 1.0);
    (middle, t * (variance / count).sqrt())
}

/// The normal distribution function.
pub(crate) fn phi(z: f64) -> f64 {
    0.5 * libm::erfc(-z * std::f64::consts::FRAC_1_SQRT_2)
}

/// So many cases of a property, the same in every run; to look further, raise the number.
pub(crate) fn pinned(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}
