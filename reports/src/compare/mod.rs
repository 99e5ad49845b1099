//! Two experiments side by side: metric by metric, and point by point where both have swept the same keys.

mod draw;
mod joined;

use crate::data::Data;
use crate::rows::{Column, Role, Run, Verdict};
use crate::stats::{Contrast, Interval, KolmogorovSmirnov, Pool, contrast, kolmogorov_smirnov};
use crate::{Error, Experiment, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Two experiments, and how far they are apart.
#[derive(Debug)]
pub struct Comparison {
    /// The swept keys by which points were paired; none if all runs of each side are taken together.
    pub keys: Vec<String>,
    /// One row for each metric and pair of points.
    pub rows: Vec<Row>,
    sides: [Side; 2],
    /// What was left out, or taken together.
    notes: Vec<String>,
    /// Both as one experiment, for the charts: a point for each pair.
    joined: Experiment,
}

/// One metric at one pair of points.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The pair's swept values, in the order of the keys.
    pub keys: Vec<String>,
    /// The metric's name.
    pub metric: String,
    /// Its unit.
    pub unit: String,
    /// Both sides.
    pub sides: [Center; 2],
    /// The second against the first.
    pub contrast: Contrast,
    /// How far apart the distributions are; its probability takes values as independent.
    pub distance: KolmogorovSmirnov,
    /// The pair's place.
    pair: usize,
    /// It is a figure of a sampled metric's values, which have rows of their own.
    is_derived: bool,
}

/// Where one side lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Center {
    /// Runs with a value.
    pub runs: usize,
    /// Values in them.
    pub values: usize,
    /// Their median.
    pub median: f64,
    /// Its 95 % bootstrap interval.
    pub interval: Option<Interval>,
}

/// What is compared.
#[derive(Debug)]
struct Side {
    /// The folder, as the user calls it.
    path: String,
    /// The end of that, as far as it tells the sides apart.
    label: String,
    about: Vec<crate::About>,
    runs: usize,
    violated: usize,
}

/// The runs of both sides that are compared with each other.
struct Pair<'e> {
    keys: Vec<String>,
    runs: [Vec<&'e Run>; 2],
}

/// Compares two run folders.
///
/// # Errors
/// If one cannot be read, or they have no metric in common.
pub fn compare(a: &Path, b: &Path) -> Result<Comparison> {
    let (first, second) = (Experiment::read(a)?, Experiment::read(b)?);
    let data = [Data::new(&first), Data::new(&second)];
    let mut notes = Vec::new();
    let metrics = common(&first, &second, &mut notes);
    let (keys, pairs) = pair(&data, &mut notes);
    let mut rows = Vec::new();
    let mut is_single = false;
    for metric in &metrics {
        for (at, pair) in pairs.iter().enumerate() {
            let pools = [0, 1].map(|side| data[side].pool(&metric.name, &pair.runs[side]));
            is_single |= pools.iter().any(|pool| pool.runs() == 1 && !pool.is_one_per_run());
            rows.extend(row(metric, at, pair, pools, &data[0]));
        }
    }
    if rows.is_empty() {
        return Err(Error::Apart("the folders have no metric in common that has values in both".into()));
    }
    if is_single {
        notes.push("Where a side is a single run, its values are taken as independent.".into());
    }
    let joined = joined::join(&data, &keys, &pairs, &metrics, &rows, labels(a, b));
    let [label_a, label_b] = labels(a, b);
    let sides = [Side::new(a, label_a, &first), Side::new(b, label_b, &second)];
    Ok(Comparison { keys, rows, sides, notes, joined })
}

impl Side {
    fn new(path: &Path, label: String, experiment: &Experiment) -> Side {
        let violated = experiment.runs.iter().filter(|run| run.verdict == Verdict::Violated).count();
        let (about, runs) = (experiment.about.clone(), experiment.runs.len());
        Side { path: path.display().to_string(), label, about, runs, violated }
    }
}

/// The metrics that both have: what is sampled, what each run has, then figures of what is sampled.
fn common<'e>(a: &'e Experiment, b: &Experiment, notes: &mut Vec<String>) -> Vec<&'e Column> {
    let of = |experiment: &'e Experiment| experiment.columns_of(&[Role::Metric, Role::Sample]);
    let theirs: BTreeMap<&str, &Column> =
        b.columns_of(&[Role::Metric, Role::Sample]).map(|column| (column.name.as_str(), column)).collect();
    let (alike, unlike): (Vec<&Column>, Vec<&Column>) =
        of(a).filter(|column| theirs.contains_key(column.name.as_str())).partition(|column| {
            let other = theirs[column.name.as_str()];
            (column.role, &column.unit) == (other.role, &other.unit)
        });
    if !unlike.is_empty() {
        let names: Vec<&str> = unlike.iter().map(|column| column.name.as_str()).collect();
        notes.push(format!("Of another kind or unit on each side, so left out: {}.", names.join(", ")));
    }
    let names: BTreeSet<&str> = alike.iter().map(|column| column.name.as_str()).collect();
    let only = of(a).filter(|column| !theirs.contains_key(column.name.as_str())).count();
    let only = only + theirs.len() - names.len() - unlike.len();
    if only > 0 {
        notes.push(format!("Metrics of one side alone, left out: {only}."));
    }
    let mut alike = alike;
    alike.sort_by_key(|column| (is_derived(a, column), column.role != Role::Sample));
    alike
}

/// Whether a metric is `x.p50` or the like of a sampled metric `x`.
fn is_derived(experiment: &Experiment, column: &Column) -> bool {
    let stem = column.name.rsplit_once('.').map(|(stem, _)| stem);
    experiment.columns_of(&[Role::Sample]).any(|sampled| Some(sampled.name.as_str()) == stem)
}

/// Pairs the points with the same swept values; all runs of each side if there are none.
fn pair<'e>(data: &[Data<'e>; 2], notes: &mut Vec<String>) -> (Vec<String>, Vec<Pair<'e>>) {
    let names = |side: usize| -> Vec<String> {
        data[side].experiment.columns_of(&[Role::Key]).map(|key| key.name.clone()).collect()
    };
    let keys = names(0);
    let values = |side: usize, run: &'e Run| -> Vec<String> {
        keys.iter().map(|key| data[side].key(run, key).to_owned()).collect()
    };
    let points: [Vec<Vec<&Run>>; 2] = [0, 1].map(|side| data[side].points().into_values().collect());
    let is_alike = keys.iter().collect::<BTreeSet<_>>() == names(1).iter().collect();
    let mut pairs = Vec::new();
    if is_alike {
        let mut others: BTreeMap<Vec<String>, &Vec<&Run>> =
            points[1].iter().map(|runs| (values(1, runs[0]), runs)).collect();
        for runs in &points[0] {
            let keys = values(0, runs[0]);
            if let Some(other) = others.remove(&keys) {
                pairs.push(Pair { keys, runs: [runs.clone(), other.clone()] });
            }
        }
    }
    if pairs.is_empty() {
        if !keys.is_empty() || !names(1).is_empty() {
            notes.push(
                "The sides have swept different points, so all runs of each are taken together.".into(),
            );
        }
        let all = [0, 1].map(|side| data[side].experiment.runs.iter().collect());
        return (Vec::new(), vec![Pair { keys: Vec::new(), runs: all }]);
    }
    let alone = points[0].len() + points[1].len() - 2 * pairs.len();
    if alone > 0 {
        notes.push(format!("Points of one side alone, left out: {alone}."));
    }
    (keys, pairs)
}

fn row(metric: &Column, at: usize, pair: &Pair<'_>, pools: [Pool; 2], first: &Data<'_>) -> Option<Row> {
    let runs = [pools[0].runs(), pools[1].runs()];
    let pools = pools.map(|pool| if pool.runs() == 1 { pool.apart() } else { pool });
    let contrast = contrast(&pools[0], &pools[1])?;
    let distance = kolmogorov_smirnov(pools[0].ascending(), pools[1].ascending())?;
    let center = |side: usize| {
        Some(Center {
            runs: runs[side],
            values: pools[side].ascending().len(),
            median: pools[side].quantile(0.5)?,
            interval: pools[side].quantile_intervals([0.5]).map(|[interval]| interval),
        })
    };
    Some(Row {
        keys: pair.keys.clone(),
        metric: metric.name.clone(),
        unit: metric.unit.clone(),
        sides: [center(0)?, center(1)?],
        contrast,
        distance,
        pair: at,
        is_derived: is_derived(first.experiment, metric),
    })
}

/// The shortest ends of two paths that differ, after the letters by which tables call them.
fn labels(a: &Path, b: &Path) -> [String; 2] {
    let parts = |path: &Path| -> Vec<String> {
        path.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect()
    };
    let (first, second) = (parts(a), parts(b));
    let end = |parts: &[String], count: usize| parts[parts.len().saturating_sub(count)..].join("/");
    let longest = first.len().max(second.len());
    let count = (1..=longest).find(|count| end(&first, *count) != end(&second, *count)).unwrap_or(1);
    [format!("A: {}", end(&first, count)), format!("B: {}", end(&second, count))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_as_long_as_needed() {
        let found = |a: &str, b: &str| labels(Path::new(a), Path::new(b));
        assert_eq!(found("results/sim", "results/real/"), ["A: sim", "B: real"]);
        assert_eq!(found("results/x/latest", "results/y/latest"), ["A: x/latest", "B: y/latest"]);
        assert_eq!(found("/tmp/x", "/tmp/x"), ["A: x", "B: x"]);
        assert_eq!(found("x", "y/x"), ["A: x", "B: y/x"]);
    }
}
