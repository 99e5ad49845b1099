//! Confidence intervals of quantiles by resampling whole runs (the cluster bootstrap, percentile method).
//!
//! Values of one run depend on each other, so runs are drawn with replacement, each with all its values;
//! with one value per run this is the ordinary bootstrap.

use super::{CONFIDENCE, Interval, quantile};

const RESAMPLES: usize = 1000;
const RESAMPLES_MIN: usize = 200;
/// With more values than this budget allows for [`RESAMPLES`], fewer resamples are drawn.
const VISITS_MAX: usize = 50_000_000;
/// What the draws are addressed by; and those of a second sample, which must not follow the first's.
pub(super) const KEY: u64 = 0x5eed_bed0_b007_57a9;
pub(super) const OTHER_KEY: u64 = 0x0b5e_55ed_0ddb_a115;

/// Intervals of the quantiles `ps` of `values`, ascending and tagged with their run, `0..runs`; `None` below
/// two runs.
pub(super) fn quantile_intervals<const P: usize>(
    values: &[(f64, u32)],
    runs: usize,
    ps: [f64; P],
) -> Option<[Interval; P]> {
    let found = resampled(values, runs, ps, KEY)?;
    let intervals = found.into_iter().map(interval).collect::<Option<Vec<_>>>()?;
    intervals.try_into().ok()
}

/// The quantiles `ps` of each resample, drawn under a key; `None` below two runs.
pub(super) fn resampled<const P: usize>(
    values: &[(f64, u32)],
    runs: usize,
    ps: [f64; P],
    key: u64,
) -> Option<[Vec<f64>; P]> {
    if runs < 2 || values.is_empty() {
        return None;
    }
    let resamples = (VISITS_MAX / values.len()).clamp(RESAMPLES_MIN, RESAMPLES);
    let mut found: [Vec<f64>; P] = std::array::from_fn(|_| Vec::with_capacity(resamples));
    let mut weights = vec![0u64; runs];
    for resample in 0..resamples as u64 {
        weights.fill(0);
        for draw in 0..runs as u64 {
            weights[below(key, runs as u64, resample, draw)] += 1;
        }
        let total = values.iter().map(|(_, run)| weights[*run as usize]).sum::<u64>();
        if total > 0 {
            weighted_quantiles(values, &weights, total, ps, &mut found);
        }
    }
    Some(found)
}

/// The middle 95 % of what resamples gave.
pub(super) fn interval(mut found: Vec<f64>) -> Option<Interval> {
    let tail = (1.0 - CONFIDENCE) / 2.0;
    found.sort_by(f64::total_cmp);
    Some(Interval { low: quantile(&found, tail)?, high: quantile(&found, 1.0 - tail)? })
}

/// The type 7 quantiles of the values, each repeated by its run's weight, in one pass; `ps` ascending.
fn weighted_quantiles<const P: usize>(
    values: &[(f64, u32)],
    weights: &[u64],
    total: u64,
    ps: [f64; P],
    found: &mut [Vec<f64>; P],
) {
    let mut walk = values.iter();
    let mut passed = 0;
    let mut value = f64::NAN;
    let mut at_rank = |rank: u64| {
        while passed <= rank {
            let Some(&(next, run)) = walk.next() else { break };
            let weight = weights[run as usize];
            if weight > 0 {
                passed += weight;
                value = next;
            }
        }
        value
    };
    for (p, found) in ps.into_iter().zip(found) {
        let rank = p * (total - 1) as f64;
        let below = at_rank(rank as u64);
        let above = at_rank((rank as u64 + 1).min(total - 1));
        found.push(below + (above - below) * rank.fract());
    }
}

/// A draw below `bound`, addressed by resample and ordinal: SplitMix64's finaliser of a counter (Steele, Lea
/// and Flood, OOPSLA 2014), scaled by multiplication.
pub(super) fn below(key: u64, bound: u64, resample: u64, draw: u64) -> usize {
    let counter = key ^ (resample << 32) ^ draw;
    let mut x = counter.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^= x >> 31;
    ((u128::from(x) * u128::from(bound)) >> 64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_value_each(values: &[f64]) -> Vec<(f64, u32)> {
        values.iter().zip(0..).map(|(value, run)| (*value, run)).collect()
    }

    #[test]
    fn unit_weights_give_the_ordinary_quantile() {
        let values: Vec<f64> = (0..37).map(|i| f64::from(i * i)).collect();
        let mut found = [vec![], vec![], vec![]];
        weighted_quantiles(&one_value_each(&values), &[1; 37], 37, [0.0, 0.5, 0.95], &mut found);
        for (p, found) in [0.0, 0.5, 0.95].into_iter().zip(found) {
            assert_eq!(found, [quantile(&values, p).unwrap()], "{p}");
        }
    }

    #[test]
    fn weights_repeat_a_runs_values() {
        let values = [(1.0, 0), (2.0, 1), (3.0, 0), (4.0, 2)];
        let mut found = [vec![], vec![]];
        weighted_quantiles(&values, &[2, 0, 1], 5, [0.25, 0.5], &mut found);
        assert_eq!(found, [vec![1.0], vec![3.0]], "1 1 3 3 4");
    }

    #[test]
    fn draws_are_even() {
        let mut counts = [0u32; 10];
        (0..1000).for_each(|resample| (0..10).for_each(|draw| counts[below(KEY, 10, resample, draw)] += 1));
        assert!(counts.iter().all(|count| (900..1100).contains(count)), "{counts:?}");
    }

    #[test]
    fn the_interval_covers_as_often_as_it_says() {
        // 300 experiments of 40 uniform values each, median 0.5: about 95 % of the intervals contain it.
        let covered = (0..300u64).filter(|experiment| {
            let draw = |i| below(KEY, 1 << 30, 1 << 20 | experiment, i) as f64 / f64::from(1 << 30);
            let mut values: Vec<f64> = (0..40).map(draw).collect();
            values.sort_by(f64::total_cmp);
            let [median] = quantile_intervals(&one_value_each(&values), 40, [0.5]).unwrap();
            median.low <= 0.5 && 0.5 <= median.high
        });
        let covered = covered.count();
        assert!((270..=297).contains(&covered), "{covered} of 300");
    }

    #[test]
    fn dependent_values_widen_the_interval() {
        // Four runs, each with 100 equal values: four independent values, not four hundred.
        let values: Vec<(f64, u32)> = (0..400).map(|i| (f64::from(i / 100), i / 100)).collect();
        let [median] = quantile_intervals(&values, 4, [0.5]).unwrap();
        assert!(median.high - median.low >= 2.0, "{median:?}");
        assert!(quantile_intervals(&values[..100], 1, [0.5]).is_none());
    }
}
