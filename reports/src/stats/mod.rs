//! The statistics of a report: descriptions, intervals, and a comparison of two samples.
//!
//! Everything is a pure function of the data: the bootstrap draws from a fixed key, and transcendental
//! functions come from `libm`, so that every machine prints the same digits.

mod bootstrap;
mod contrast;
mod pool;
mod smirnov;
mod student;

pub use contrast::{Contrast, Estimate, contrast};
pub use pool::Pool;
pub use smirnov::{KolmogorovSmirnov, kolmogorov_smirnov};
pub use student::student_quantile;

/// A confidence interval: its low and its high end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The low end.
    pub low: f64,
    /// The high end.
    pub high: f64,
}

/// The share of repeated experiments whose intervals contain the true value.
pub const CONFIDENCE: f64 = 0.95;

/// The arithmetic mean; `None` of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    // Added up relative to the first value, so that equal values have exactly that mean.
    let first = *values.first()?;
    Some(first + values.iter().map(|value| value - first).sum::<f64>() / values.len() as f64)
}

/// The sample standard deviation (divided by n - 1); `None` below two values.
pub fn standard_deviation(values: &[f64]) -> Option<f64> {
    let mean = mean(values)?;
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    (values.len() > 1).then(|| (squares / (values.len() - 1) as f64).sqrt())
}

/// Student's 95 % confidence interval of the mean of independent values; `None` below two.
pub fn mean_interval(values: &[f64]) -> Option<Interval> {
    let mean = mean(values)?;
    let error = standard_deviation(values)? / (values.len() as f64).sqrt();
    let reach = student_quantile(0.5 + CONFIDENCE / 2.0, (values.len() - 1) as f64) * error;
    Some(Interval { low: mean - reach, high: mean + reach })
}

/// The `p`-quantile of values in ascending order, interpolated between the two nearest ranks: type 7 of
/// Hyndman and Fan, "Sample quantiles in statistical packages", The American Statistician 50 (1996), the
/// default of R and NumPy. `None` of nothing.
pub fn quantile(ascending: &[f64], p: f64) -> Option<f64> {
    let last = ascending.len().checked_sub(1)?;
    let rank = p.clamp(0.0, 1.0) * last as f64;
    let below = ascending[rank as usize];
    let above = ascending[(rank as usize + 1).min(last)];
    Some(below + (above - below) * rank.fract())
}

/// The half-width of the Dvoretzky-Kiefer-Wolfowitz 95 % band around the empirical distribution function of
/// `n` independent values, with Massart's constant (Annals of Probability 18, 1990).
pub fn dkw_half_width(n: usize) -> f64 {
    (libm::log(2.0 / (1.0 - CONFIDENCE)) / (2.0 * n.max(1) as f64)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_r_and_numpy() {
        // R 4: quantile(c(1, 2, 4, 8), c(.25, .5, .95)) gives 1.75 3.00 7.40.
        let values = [1.0, 2.0, 4.0, 8.0];
        for (p, expected) in [(0.0, 1.0), (0.25, 1.75), (0.5, 3.0), (0.95, 7.4), (1.0, 8.0)] {
            assert!((quantile(&values, p).unwrap() - expected).abs() < 1e-12, "{p}");
        }
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[3.0], 0.99), Some(3.0));
    }

    #[test]
    fn one_value_has_a_mean_and_no_interval() {
        assert_eq!(mean(&[0.1, 0.1, 0.1]), Some(0.1));
        assert_eq!(standard_deviation(&[5.0]), None);
        assert_eq!(mean_interval(&[5.0]), None);
    }

    #[test]
    fn the_interval_of_a_published_example() {
        // NIST/SEMATECH e-Handbook, 1.3.5.2: ZARR13, n 195, mean 9.261460, sd 0.022789: 9.258242 .. 9.264679.
        let reach = student_quantile(0.975, 194.0) * 0.022789 / 195f64.sqrt();
        assert!((9.261460 - reach - 9.258242).abs() < 2e-6 && (9.261460 + reach - 9.264679).abs() < 2e-6);
    }
}
