//! How far two samples are apart: the difference and the ratio of their medians.

use super::{Interval, Pool, bootstrap};

/// A figure and its 95 % interval, if there is one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The figure.
    pub value: f64,
    /// Its interval; `None` if a sample is of one run.
    pub interval: Option<Interval>,
}

/// The medians of two samples, against each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contrast {
    /// The second less the first.
    pub difference: Estimate,
    /// The second by the first, unless that is zero or below, or was in a resample.
    pub ratio: Option<Estimate>,
}

/// Compares the medians of two pools; `None` if one is empty. The intervals are a seeded bootstrap: both are
/// resampled at a time, run by run, each with draws of its own.
pub fn contrast(a: &Pool, b: &Pool) -> Option<Contrast> {
    let (first, second) = (a.quantile(0.5)?, b.quantile(0.5)?);
    let medians = a.medians(bootstrap::KEY).zip(b.medians(bootstrap::OTHER_KEY));
    let pairs = || medians.iter().flat_map(|(a, b)| a.iter().copied().zip(b.iter().copied()));
    let is_positive = first > 0.0 && pairs().all(|(a, _)| a > 0.0);
    let interval = |figure: fn((f64, f64)) -> f64| bootstrap::interval(pairs().map(figure).collect());
    Some(Contrast {
        difference: Estimate { value: second - first, interval: interval(|(a, b)| b - a) },
        ratio: is_positive.then(|| Estimate { value: second / first, interval: interval(|(a, b)| b / a) }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(values: impl IntoIterator<Item = f64>) -> Pool {
        let values: Vec<f64> = values.into_iter().collect();
        Pool::new(values.iter().map(std::slice::from_ref))
    }

    /// Normal values by Box and Muller, from the bootstrap's draws under another key.
    fn normal(experiment: u64, n: u64, mean: f64) -> Pool {
        let uniform = |i| {
            (bootstrap::below(experiment << 40, 1 << 30, experiment, i) as f64 + 0.5) / f64::from(1 << 30)
        };
        let value = |i| {
            let reach = (-2.0 * libm::log(uniform(2 * i))).sqrt();
            mean + reach * libm::cos(2.0 * std::f64::consts::PI * uniform(2 * i + 1))
        };
        pool((0..n).map(value))
    }

    #[test]
    fn medians_are_compared() {
        let found = contrast(&pool([1.0, 2.0, 3.0]), &pool([4.0, 5.0, 6.0, 7.0])).unwrap();
        assert_eq!((found.difference.value, found.ratio.unwrap().value), (3.5, 2.75));
        let interval = found.difference.interval.unwrap();
        assert!(interval.low >= 1.0 && interval.low < 3.5 && interval.high > 3.5 && interval.high <= 6.0);
        assert_eq!(contrast(&pool([]), &pool([1.0])), None);
    }

    #[test]
    fn there_is_no_ratio_to_zero_and_no_interval_of_one_run() {
        let found = contrast(&pool([0.0, 0.0, 1.0]), &pool([1.0, 2.0])).unwrap();
        assert_eq!((found.difference.value, found.ratio), (1.5, None));
        let one = Pool::new([&[1.0, 2.0, 3.0][..]]);
        let found = contrast(&one, &one).unwrap();
        assert_eq!((found.difference.interval, found.ratio.unwrap().interval), (None, None));
        assert!(contrast(&one.apart(), &one.apart()).unwrap().difference.interval.is_some());
    }

    #[test]
    fn the_intervals_cover_as_often_as_they_say() {
        // Medians 10 and 12: 300 experiments of 40 and 30 values, about 95 % of whose intervals contain 2 and 1.2.
        let mut covered = (0, 0);
        for experiment in 0..300 {
            let found = contrast(&normal(2 * experiment, 40, 10.0), &normal(2 * experiment + 1, 30, 12.0));
            let Contrast { difference, ratio } = found.unwrap();
            let holds = |estimate: Estimate, truth| {
                estimate.interval.is_some_and(|interval| interval.low <= truth && truth <= interval.high)
            };
            covered.0 += u32::from(holds(difference, 2.0));
            covered.1 += u32::from(holds(ratio.unwrap(), 1.2));
        }
        assert!((273..=298).contains(&covered.0) && (273..=298).contains(&covered.1), "{covered:?}");
    }
}
