//! The values that several runs gave for one metric, kept apart by run.

use super::{Interval, bootstrap, mean, mean_interval, standard_deviation};

/// One or many values from each of several independent runs.
///
/// Quantiles, extremes and the standard deviation describe all values together. The mean is the mean of the
/// runs' means, each run weighing the same, because only runs are independent; so are its interval and the
/// bootstrap's resamples. With one value per run all of this is ordinary.
#[derive(Clone, Debug, Default)]
pub struct Pool {
    values: Vec<(f64, u32)>,
    ascending: Vec<f64>,
    means: Vec<f64>,
}

impl Pool {
    /// Takes the values of each run; runs without a value do not count.
    pub fn new<'v>(runs: impl IntoIterator<Item = &'v [f64]>) -> Pool {
        let runs = runs.into_iter().filter(|values| !values.is_empty()).zip(0..);
        let mut pool = Pool::default();
        for (values, run) in runs {
            pool.values.extend(values.iter().map(|value| (*value, run)));
            pool.means.extend(mean(values));
        }
        pool.values.sort_by(|a, b| a.0.total_cmp(&b.0));
        pool.ascending = pool.values.iter().map(|(value, _)| *value).collect();
        pool
    }

    /// The number of runs with at least one value.
    pub fn runs(&self) -> usize {
        self.means.len()
    }

    /// All values, ascending.
    pub fn ascending(&self) -> &[f64] {
        &self.ascending
    }

    /// Whether every run gave exactly one value, so that the values themselves are independent.
    pub fn is_one_per_run(&self) -> bool {
        self.ascending.len() == self.means.len()
    }

    /// The mean of the runs' means.
    pub fn mean(&self) -> Option<f64> {
        mean(&self.means)
    }

    /// The standard deviation of all values.
    pub fn standard_deviation(&self) -> Option<f64> {
        standard_deviation(&self.ascending)
    }

    /// A quantile of all values (type 7).
    pub fn quantile(&self, p: f64) -> Option<f64> {
        super::quantile(&self.ascending, p)
    }

    /// The mean of each run.
    pub fn means(&self) -> &[f64] {
        &self.means
    }

    /// Student's 95 % interval of the mean; `None` below two runs.
    pub fn mean_interval(&self) -> Option<Interval> {
        mean_interval(&self.means)
    }

    /// 95 % intervals of the quantiles `ps`, ascending, by a seeded bootstrap over runs; `None` below two runs.
    pub fn quantile_intervals<const P: usize>(&self, ps: [f64; P]) -> Option<[Interval; P]> {
        bootstrap::quantile_intervals(&self.values, self.runs(), ps)
    }

    /// The same values, each as if from a run of its own.
    pub fn apart(&self) -> Pool {
        Pool::new(self.ascending.iter().map(std::slice::from_ref))
    }

    /// The median of each resample, drawn under a key.
    pub(super) fn medians(&self, key: u64) -> Option<Vec<f64>> {
        bootstrap::resampled(&self.values, self.runs(), [0.5], key).map(|[medians]| medians)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_weigh_the_same_in_the_mean() {
        let pool = Pool::new([&[1.0, 1.0, 1.0][..], &[], &[3.0]]);
        assert_eq!((pool.runs(), pool.mean(), pool.quantile(0.5)), (2, Some(2.0), Some(1.0)));
        assert!(!pool.is_one_per_run());
    }

    #[test]
    fn nothing_has_no_statistics() {
        let pool = Pool::new([&[][..]]);
        assert_eq!((pool.mean(), pool.quantile(0.5), pool.mean_interval()), (None, None, None));
        assert!(pool.quantile_intervals([0.5]).is_none());
    }
}
