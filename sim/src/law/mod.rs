//! Laws of chance for durations: latencies, service times, waiting times.
//!
//! Every law, whatever its formula, becomes one table of integer quantiles when it is built; the formula is evaluated
//! then and never again, with `libm` and basic operations only. So a draw costs the same for every law, a few
//! nanoseconds, and gives the same bits on every machine.
//!
//! | law | parameters | notes |
//! |---|---|---|
//! | [`constant`](Law::constant) | the value | no table |
//! | [`uniform`](Law::uniform) | from, to | |
//! | [`normal`](Law::normal) | mean, standard deviation | conditioned on being positive |
//! | [`lognormal`](Law::lognormal) | median, sigma of the logarithm | the usual law of latencies |
//! | [`exponential`](Law::exponential) | mean | memoryless: waits, M/M/1 |
//! | [`weibull`](Law::weibull) | scale, shape | heavy tail below shape 1: failures, lifetimes |
//! | [`gamma`](Law::gamma) | scale, shape | the same; its mean is their product |
//! | [`pareto`](Law::pareto) | scale, alpha, cap | bounded: conditioned on staying below the cap |
//! | [`empirical`](Law::empirical) | samples | measured; straight lines between samples |
//!
//! [`Spec`] is a law as a scenario file has it.

mod gamma;
mod normal;
mod spec;
mod table;

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use seedbed_core::contract::Duration;
use seedbed_core::settings::DURATION_MAX;
use thiserror::Error;

use normal::{phi, probit};
use table::{Rank, Table};

pub use spec::{Adjust, Files, SAMPLES_MAX, Spec, SpecError, Unit};

/// The longest duration that a law may be given or can draw: the longest that can be written, 100 years.
pub const LONGEST: Duration = DURATION_MAX;

/// The largest sigma of a lognormal law: there, one draw in six is already 22,000 times the median.
pub const SIGMA_MAX: f64 = 10.0;

/// The shapes of a Weibull law: at the lowest, the mean is 3.6 million times the scale.
pub const WEIBULL_SHAPES: RangeInclusive<f64> = 0.1..=100.0;

/// The shapes of a gamma law.
pub const GAMMA_SHAPES: RangeInclusive<f64> = 0.01..=1_000.0;

/// A distribution of durations. A clone shares the table; two laws are equal when they draw alike.
#[derive(Clone, PartialEq)]
pub struct Law {
    /// Added to every draw, in nanoseconds.
    shift: u64,
    /// What varies, nothing for a constant.
    spread: Option<Arc<Table>>,
}

/// Why parameters do not make a law.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum LawError {
    /// A duration that no experiment lasts.
    #[error("{what} of {got} is longer than 100 years")]
    TooLong {
        /// The parameter.
        what: &'static str,
        /// What it was.
        got: Duration,
    },
    /// A number outside the range where the law exists.
    #[error("{what} must be a number {wanted}, not {got:?}")]
    OutOfRange {
        /// The parameter.
        what: &'static str,
        /// The range in words.
        wanted: &'static str,
        /// What it was.
        got: f64,
    },
    /// An interval that ends before it begins.
    #[error("the range ends at {to}, before it begins at {from}")]
    Reversed {
        /// Where it begins.
        from: Duration,
        /// Where it ends.
        to: Duration,
    },
    /// A Pareto law whose mean is infinite.
    #[error("a Pareto law with alpha {alpha} has no mean: alpha must be above 1, or the law needs a cap")]
    NoMean {
        /// Its exponent.
        alpha: f64,
    },
    /// An empirical law of nothing.
    #[error("an empirical law needs at least one sample")]
    NoSamples,
}

impl Law {
    /// Always `value`.
    ///
    /// # Errors
    /// If it is longer than [`LONGEST`].
    pub fn constant(value: Duration) -> Result<Self, LawError> {
        Ok(Self { shift: bounded("a duration", value)?, spread: None })
    }

    /// Any duration between two, each as likely.
    ///
    /// # Errors
    /// If `to` is shorter than `from` or longer than [`LONGEST`].
    pub fn uniform(from: Duration, to: Duration) -> Result<Self, LawError> {
        let width = bounded("the end of the range", to)?.checked_sub(from.as_nanos());
        let width = width.ok_or(LawError::Reversed { from, to })? as f64;
        Ok(Self::tabulated(LONGEST, |rank| width * rank.below).shifted(from))
    }

    /// The bell curve, conditioned on being positive: of the full curve, the part above zero. Where `mean` is less
    /// than about three `sd`, the mean of the law is therefore noticeably longer than `mean`.
    ///
    /// # Errors
    /// If a parameter is longer than [`LONGEST`].
    pub fn normal(mean: Duration, sd: Duration) -> Result<Self, LawError> {
        let mu = bounded("a mean", mean)? as f64;
        let sigma = bounded("a standard deviation", sd)? as f64;
        if sd.is_zero() {
            return Self::constant(mean);
        }
        let (negative, positive) = (phi(-mu / sigma), phi(mu / sigma));
        Ok(Self::tabulated(LONGEST, |rank| {
            let z = if rank.above < 0.5 {
                -probit(rank.above * positive)
            } else {
                probit(negative + rank.below * positive)
            };
            mu + sigma * z
        }))
    }

    /// A duration whose logarithm is normal with standard deviation `sigma`. Its mean is `median * exp(sigma^2 / 2)`.
    ///
    /// # Errors
    /// If `median` is longer than [`LONGEST`], or `sigma` is not between 0 and [`SIGMA_MAX`].
    pub fn lognormal(median: Duration, sigma: f64) -> Result<Self, LawError> {
        let middle = bounded("a median", median)? as f64;
        if !(0.0..=SIGMA_MAX).contains(&sigma) {
            return Err(LawError::OutOfRange { what: "sigma", wanted: "from 0 to 10", got: sigma });
        }
        if sigma == 0.0 {
            return Self::constant(median);
        }
        Ok(Self::tabulated(LONGEST, |rank| middle * libm::exp(sigma * rank.z())))
    }

    /// The memoryless wait.
    ///
    /// # Errors
    /// If `mean` is longer than [`LONGEST`].
    pub fn exponential(mean: Duration) -> Result<Self, LawError> {
        let mean = bounded("a mean", mean)? as f64;
        Ok(Self::tabulated(LONGEST, |rank| -mean * rank.ln_above()))
    }

    /// The Weibull law: longer than `x` with probability `exp(-(x / scale)^shape)`. Its mean is `scale * Gamma(1 + 1 /
    /// shape)`. With a shape below 1, what has lasted long is likely to last longer still; 1 is exponential.
    ///
    /// # Errors
    /// If `scale` is longer than [`LONGEST`], or `shape` is not in [`WEIBULL_SHAPES`].
    pub fn weibull(scale: Duration, shape: f64) -> Result<Self, LawError> {
        let scale = bounded("a scale", scale)? as f64;
        if !WEIBULL_SHAPES.contains(&shape) {
            return Err(LawError::OutOfRange { what: "shape", wanted: "from 0.1 to 100", got: shape });
        }
        Ok(Self::tabulated(LONGEST, |rank| scale * libm::pow(-rank.ln_above(), 1.0 / shape)))
    }

    /// The gamma law, with the density `x^(shape - 1) exp(-x / scale)` up to a factor. Its mean is `shape * scale`. With
    /// a shape below 1, what has lasted long is likely to last longer still; 1 is exponential.
    ///
    /// # Errors
    /// If `scale` is longer than [`LONGEST`], or `shape` is not in [`GAMMA_SHAPES`].
    pub fn gamma(scale: Duration, shape: f64) -> Result<Self, LawError> {
        let scale = bounded("a scale", scale)? as f64;
        if !GAMMA_SHAPES.contains(&shape) {
            return Err(LawError::OutOfRange { what: "shape", wanted: "from 0.01 to 1000", got: shape });
        }
        Ok(Self::tabulated(LONGEST, |rank| scale * gamma::quantile(shape, rank)))
    }

    /// The bounded Pareto law: at least `scale`, longer than `x` with probability `(scale / x)^alpha`, conditioned
    /// on not exceeding `cap`. Without a cap the bound is [`LONGEST`].
    ///
    /// # Errors
    /// If `alpha` is not a positive number, or at most 1 without a cap (the mean would be that of the bound alone);
    /// if the cap is below the scale or above [`LONGEST`].
    pub fn pareto(scale: Duration, alpha: f64, cap: Option<Duration>) -> Result<Self, LawError> {
        let shortest = bounded("a scale", scale)? as f64;
        if !(alpha > 0.0 && alpha.is_finite()) {
            return Err(LawError::OutOfRange { what: "alpha", wanted: "above 0", got: alpha });
        }
        let longest = match cap {
            Some(cap) if cap < scale => return Err(LawError::Reversed { from: scale, to: cap }),
            Some(cap) => bounded("a cap", cap)?,
            None if alpha <= 1.0 => return Err(LawError::NoMean { alpha }),
            None => LONGEST.as_nanos(),
        };
        if scale.is_zero() {
            return Self::constant(scale);
        }
        let beyond = libm::pow(shortest / longest as f64, alpha);
        Ok(Self::tabulated(Duration::from_nanos(longest), |rank| {
            shortest * libm::pow(rank.above + rank.below * beyond, -1.0 / alpha)
        }))
    }

    /// The law of measured durations, in any order: the k-th shortest of n is the quantile at `(k - 1/2) / n`, with
    /// straight lines between (Hazen's rule), so the mean of the samples is kept. Nothing is drawn outside their
    /// range. A jump between samples may be smoothed over 1/512 of the probability.
    ///
    /// # Errors
    /// If there is no sample, or one is longer than [`LONGEST`].
    pub fn empirical(samples: &[Duration]) -> Result<Self, LawError> {
        let mut sorted = samples.to_vec();
        sorted.sort_unstable();
        let (Some(&first), Some(&last)) = (sorted.first(), sorted.last()) else {
            return Err(LawError::NoSamples);
        };
        bounded("a sample", last)?;
        let above_first = |index: usize| (sorted[index] - first).as_nanos() as f64;
        let end = sorted.len() - 1;
        let spread = Self::tabulated(last - first, |rank| {
            let place = (rank.below * sorted.len() as f64 - 0.5).clamp(0.0, end as f64);
            let index = place as usize;
            let (low, high) = (above_first(index), above_first((index + 1).min(end)));
            low + (high - low) * (place - index as f64)
        });
        Ok(spread.shifted(first))
    }

    /// The law with `by` added to every draw, kept below [`LONGEST`]. Shares the table.
    #[must_use]
    pub fn shifted(self, by: Duration) -> Self {
        let shift = (Duration::from_nanos(self.shift) + by).min(LONGEST).as_nanos();
        Self { shift, ..self }
    }

    /// The law with every draw below `shortest` replaced by it.
    #[must_use]
    pub fn at_least(self, shortest: Duration) -> Self {
        let floor = shortest.min(LONGEST).as_nanos();
        match self.spread {
            None => Self { shift: self.shift.max(floor), spread: None },
            Some(table) if floor > self.shift => {
                let table = Arc::unwrap_or_clone(table).at_least(floor - self.shift);
                Self::of(self.shift, table)
            }
            spread => Self { spread, ..self },
        }
    }

    /// A duration in nanoseconds for a place drawn evenly from all `u64`: the quantile at `uniform / 2^64`.
    #[inline]
    #[must_use]
    pub fn draw(&self, uniform: u64) -> u64 {
        match &self.spread {
            None => self.shift,
            Some(table) => self.shift + table.draw(uniform),
        }
    }

    /// The mean of the draws, to the nanosecond.
    #[must_use]
    pub fn mean(&self) -> Duration {
        Duration::from_nanos(self.shift + self.spread.as_ref().map_or(0, |table| table.mean()))
    }

    /// The shortest duration that can be drawn.
    #[must_use]
    pub fn shortest(&self) -> Duration {
        Duration::from_nanos(self.draw(0))
    }

    /// The longest duration that can be drawn: of an unbounded law, about what one draw in 10^12 exceeds.
    #[must_use]
    pub fn longest(&self) -> Duration {
        Duration::from_nanos(self.draw(u64::MAX))
    }

    /// A law by its quantile function, in nanoseconds.
    fn tabulated(longest: Duration, quantile: impl Fn(Rank) -> f64) -> Self {
        Self::of(0, Table::new(longest.as_nanos(), quantile))
    }

    /// A table that does not vary is a constant.
    fn of(shift: u64, table: Table) -> Self {
        match table.range() {
            (low, high) if low == high => Self { shift: shift + low, spread: None },
            _ => Self { shift, spread: Some(Arc::new(table)) },
        }
    }
}

/// `Law(10ms)` or `Law(1ms..7.5ms, mean 3ms)`.
impl fmt::Debug for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.spread {
            None => write!(f, "Law({})", self.mean()),
            Some(_) => write!(f, "Law({}..{}, mean {})", self.shortest(), self.longest(), self.mean()),
        }
    }
}

impl Rank {
    /// The standard normal quantile.
    fn z(self) -> f64 {
        if self.above < 0.5 { -probit(self.above) } else { probit(self.below) }
    }

    /// The logarithm of the probability above.
    fn ln_above(self) -> f64 {
        if self.above < 0.5 { libm::log(self.above) } else { libm::log1p(-self.below) }
    }
}

/// The nanoseconds of a parameter, if it is no longer than [`LONGEST`].
fn bounded(what: &'static str, value: Duration) -> Result<u64, LawError> {
    if value > LONGEST { Err(LawError::TooLong { what, got: value }) } else { Ok(value.as_nanos()) }
}

#[cfg(test)]
mod tests;
