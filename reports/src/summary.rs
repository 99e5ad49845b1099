//! `summary.csv`: what a metric was at a point of the sweep, over all seeds, in one row.

use crate::data::Data;
use crate::folder::write_records;
use crate::rows::Role;
use crate::stats::{Interval, Pool};
use crate::{Experiment, Result};
use std::path::Path;

/// One metric at one point. What does not exist, such as an interval of one run, is `None`.
///
/// For sampled metrics the quantiles, extremes and standard deviation describe all samples together, and the
/// mean is the mean of the runs' means; see [`Pool`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// The point's index.
    pub point: u32,
    /// Its swept values, in the order of the key columns.
    pub keys: Vec<String>,
    /// The metric's name.
    pub metric: String,
    /// Its unit.
    pub unit: String,
    /// The number of runs in which the metric is defined.
    pub n: usize,
    /// The number of values in them; more than `n` for sampled metrics.
    pub samples: usize,
    /// The mean, over runs.
    pub mean: Option<f64>,
    /// The standard deviation of the values.
    pub sd: Option<f64>,
    /// The smallest value, median, 95th and 99th percentile, and largest value.
    pub quantiles: Option<[f64; 5]>,
    /// Student's 95 % interval of the mean.
    pub mean_interval: Option<Interval>,
    /// The bootstrap's 95 % intervals of the median and of the 95th percentile.
    pub quantile_intervals: Option<[Interval; 2]>,
}

const COLUMNS: [&str; 17] = [
    "metric",
    "unit",
    "n",
    "samples",
    "mean",
    "sd",
    "median",
    "p95",
    "p99",
    "min",
    "max",
    "mean_low",
    "mean_high",
    "median_low",
    "median_high",
    "p95_low",
    "p95_high",
];

/// Every metric at every point, by point and in the order of the columns.
pub fn summarise(experiment: &Experiment) -> Vec<Summary> {
    let data = Data::new(experiment);
    let metrics: Vec<_> = experiment.columns_of(&[Role::Metric, Role::Sample]).collect();
    let mut rows = Vec::new();
    for (point, runs) in data.points() {
        for metric in &metrics {
            let pool = data.pool(&metric.name, &runs);
            rows.push(Summary {
                point,
                keys: runs[0].keys.clone(),
                metric: metric.name.clone(),
                unit: metric.unit.clone(),
                ..describe(&pool)
            });
        }
    }
    rows
}

fn describe(pool: &Pool) -> Summary {
    let all = [0.0, 0.5, 0.95, 0.99, 1.0].map(|p| pool.quantile(p));
    let [Some(min), Some(median), Some(p95), Some(p99), Some(max)] = all else {
        return Summary::default();
    };
    Summary {
        n: pool.runs(),
        samples: pool.ascending().len(),
        mean: pool.mean(),
        sd: pool.standard_deviation(),
        quantiles: Some([min, median, p95, p99, max]),
        mean_interval: pool.mean_interval(),
        quantile_intervals: pool.quantile_intervals([0.5, 0.95]),
        ..Summary::default()
    }
}

/// Writes `summary.csv` into a run folder.
pub(crate) fn write(experiment: &Experiment, rows: &[Summary], dir: &Path) -> Result<()> {
    let keys = experiment.columns_of(&[Role::Key]).map(|column| match column.name.as_str() {
        name if COLUMNS.contains(&name) => format!("key.{name}"),
        name => name.to_owned(),
    });
    let header: Vec<String> =
        ["point".to_owned()].into_iter().chain(keys).chain(COLUMNS.map(str::to_owned)).collect();
    write_records(dir, "summary.csv", &header, rows.iter().map(record))
}

fn record(row: &Summary) -> Vec<String> {
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    let quantile = |at: usize| number(row.quantiles.map(|quantiles| quantiles[at]));
    let ends =
        |interval: Option<Interval>| [number(interval.map(|i| i.low)), number(interval.map(|i| i.high))];
    let [median, p95] = [0, 1].map(|at| ends(row.quantile_intervals.map(|intervals| intervals[at])));
    let mut record = vec![row.point.to_string()];
    record.extend(row.keys.iter().cloned());
    record.extend([row.metric.clone(), row.unit.clone(), row.n.to_string(), row.samples.to_string()]);
    record.extend([number(row.mean), number(row.sd)]);
    record.extend([1, 2, 3, 0, 4].map(quantile));
    record.extend([ends(row.mean_interval), median, p95].concat());
    record
}
