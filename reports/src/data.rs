//! An experiment with an index over it: the questions that summaries, charts and tables ask.

use crate::rows::{Column, Role, Run, Value};
use crate::stats::Pool;
use crate::{Experiment, Quantity, natural_order};
use std::collections::{BTreeMap, BTreeSet};

type RunId = (u32, u64);

pub(crate) struct Data<'e> {
    pub(crate) experiment: &'e Experiment,
    keys: BTreeMap<&'e str, usize>,
    /// For each key, its values and their places in the reader's order.
    levels: Vec<BTreeMap<&'e str, usize>>,
    values: BTreeMap<&'e str, usize>,
    columns: BTreeMap<&'e str, &'e Column>,
    samples: BTreeMap<&'e str, BTreeMap<RunId, Vec<f64>>>,
}

impl<'e> Data<'e> {
    pub(crate) fn new(experiment: &'e Experiment) -> Data<'e> {
        let position = |roles: &[Role]| {
            let columns = experiment.columns_of(roles).enumerate();
            columns.map(|(at, column)| (column.name.as_str(), at)).collect()
        };
        let mut samples: BTreeMap<&str, BTreeMap<RunId, Vec<f64>>> = BTreeMap::new();
        for sample in &experiment.samples {
            let of_metric = samples.entry(&sample.metric).or_default();
            of_metric.entry((sample.point, sample.seed)).or_default().push(sample.value);
        }
        Data {
            experiment,
            keys: position(&[Role::Key]),
            levels: (0..experiment.columns_of(&[Role::Key]).count())
                .map(|at| levels(experiment, at))
                .collect(),
            values: position(&[Role::Metric, Role::Text]),
            columns: experiment.columns.iter().map(|column| (column.name.as_str(), column)).collect(),
            samples,
        }
    }

    pub(crate) fn column(&self, name: &str) -> Option<&'e Column> {
        self.columns.get(name).copied()
    }

    /// The metric of that name, per run or sampled.
    pub(crate) fn metric(&self, name: &str) -> Option<&'e Column> {
        self.column(name).filter(|column| matches!(column.role, Role::Metric | Role::Sample))
    }

    pub(crate) fn has_key(&self, name: &str) -> bool {
        self.keys.contains_key(name)
    }

    /// Whether `runs.csv` has a metric or an outcome of that name.
    pub(crate) fn is_value(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// What a run has under a key; empty for the empty name and for unknown ones.
    pub(crate) fn key(&self, run: &'e Run, name: &str) -> &'e str {
        self.keys.get(name).map_or("", |at| &run.keys[*at])
    }

    /// What a run has in a column of its own.
    pub(crate) fn value(&self, run: &'e Run, name: &str) -> &'e Value {
        self.values.get(name).map_or(&Value::Empty, |at| &run.values[*at])
    }

    /// All values of a metric over some runs.
    pub(crate) fn pool(&self, metric: &str, runs: &[&'e Run]) -> Pool {
        if let Some(samples) = self.samples.get(metric) {
            return Pool::new(
                runs.iter().map(|run| samples.get(&(run.point, run.seed)).map_or(&[][..], Vec::as_slice)),
            );
        }
        let numbers: Vec<f64> = runs.iter().filter_map(|run| self.number(run, metric)).collect();
        Pool::new(numbers.iter().map(std::slice::from_ref))
    }

    fn number(&self, run: &'e Run, metric: &str) -> Option<f64> {
        match self.value(run, metric) {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The runs of each point, by the point's index.
    pub(crate) fn points(&self) -> BTreeMap<u32, Vec<&'e Run>> {
        let mut points: BTreeMap<u32, Vec<&Run>> = BTreeMap::new();
        for run in &self.experiment.runs {
            points.entry(run.point).or_default().push(run);
        }
        points
    }

    /// Runs by what they have under a key, in the reader's order; all under `""` for the empty name.
    pub(crate) fn by_key(&self, key: &str, runs: &[&'e Run]) -> Vec<(&'e str, Vec<&'e Run>)> {
        let mut levels: BTreeMap<(usize, &str), Vec<&Run>> = BTreeMap::new();
        for run in runs {
            let level = self.key(run, key);
            levels.entry((self.place(key, level), level)).or_default().push(run);
        }
        levels.into_iter().map(|((_, level), runs)| (level, runs)).collect()
    }

    /// The place of a value among all that the experiment has under a key, whichever a chart shows.
    pub(crate) fn place(&self, key: &str, level: &str) -> usize {
        self.keys.get(key).and_then(|at| self.levels[*at].get(level).copied()).unwrap_or(0)
    }

    /// The runs that a filter such as `protocol=raft;seed=3` selects.
    pub(crate) fn select(&self, filter: &str) -> Result<Vec<&'e Run>, String> {
        let mut runs: Vec<&Run> = self.experiment.runs.iter().collect();
        for condition in filter.split(';').map(str::trim).filter(|condition| !condition.is_empty()) {
            let (key, wanted) = condition
                .split_once('=')
                .map(|(key, wanted)| (key.trim(), wanted.trim()))
                .filter(|(key, _)| self.has_key(key) || ["point", "seed"].contains(key))
                .ok_or_else(|| {
                    format!("filter: expected `key=value` with a swept key, found `{condition}`")
                })?;
            runs.retain(|run| match key {
                "point" => run.point.to_string() == wanted,
                "seed" => run.seed.to_string() == wanted,
                _ => self.key(run, key) == wanted,
            });
        }
        Ok(runs)
    }
}

/// Quantities by value; words as the sweep lists them.
fn levels(experiment: &Experiment, key: usize) -> BTreeMap<&str, usize> {
    let mut seen = BTreeSet::new();
    let runs = experiment.runs.iter().map(|run| run.keys[key].as_str());
    let mut listed: Vec<&str> = runs.filter(|level| seen.insert(*level)).collect();
    if Quantity::parse_all(listed.iter().copied()).is_some() {
        listed.sort_by(|a, b| natural_order(a, b));
    }
    listed.into_iter().zip(0..).collect()
}
