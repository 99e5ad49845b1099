//! The tables of a report: results by point, and matrices of outcomes beside what was expected.

use crate::chart::with_unit;
use crate::data::Data;
use crate::figures::{measured, plain, ranged};
use crate::grid::{Cell, Grid};
use crate::quantity::natural_order;
use crate::rows::{Column, Role, Run, Table, Value};
use crate::summary::Summary;
use crate::{Error, Result};
use std::collections::BTreeMap;

const HEADLINES_MAX: usize = 5;
/// With fewer runs, each with some values, the bootstrap's interval of p95 covers it in less than four of five cases.
const RUNS_ENOUGH: usize = 20;
pub(crate) const MATRIX_SIDE_MAX: usize = 100;

/// The metrics a reader looks for first: those in charts, tables and bounds, then the first ones declared.
fn headlines<'e>(data: &Data<'e>) -> Vec<&'e Column> {
    let experiment = data.experiment;
    let charted = experiment.charts.iter().map(|chart| chart.y.as_str());
    let tabled = experiment.tables.iter().map(|table| table.cell.as_str());
    let own =
        experiment.columns_of(&[Role::Metric, Role::Text, Role::Sample]).map(|column| column.name.as_str());
    // What a sampled metric derives is in its own two columns already.
    let sampled = |name: &'e str| {
        let (stem, _) = name.rsplit_once('.')?;
        data.column(stem).filter(|column| column.role == Role::Sample)
    };
    // A bound reads `metric < 500`, and is the name of a check or what is said about it.
    let checked = experiment.checks.iter().flat_map(|check| [check.name.as_str(), check.about.as_str()]);
    let bounded = checked.flat_map(str::split_whitespace).filter(|word| data.is_value(word));
    let bounded = bounded.map(|name| sampled(name).map_or(name, |column| &column.name));
    let is_reference = |name: &str| {
        let mut named = experiment.charts.iter().flat_map(|chart| chart.reference.split(';'));
        named.any(|reference| reference.trim() == name)
    };
    let own = own.filter(|name| sampled(name).is_none() && !is_reference(name));
    let mut chosen: Vec<&Column> = Vec::new();
    for name in charted.chain(tabled).chain(bounded).chain(own) {
        let column = data.column(name).filter(|column| ![Role::Key, Role::Series].contains(&column.role));
        if let Some(column) = column.filter(|column| !chosen.contains(column)) {
            chosen.push(column);
        }
    }
    chosen.truncate(HEADLINES_MAX);
    chosen
}

/// One row per point: its keys, runs, and headline metrics with their intervals.
pub(crate) fn results(data: &Data<'_>, summary: &[Summary]) -> Grid {
    let headlines = headlines(data);
    let by_point: BTreeMap<(u32, &str), &Summary> =
        summary.iter().map(|row| ((row.point, row.metric.as_str()), row)).collect();
    let mut header: Vec<String> =
        data.experiment.columns_of(&[Role::Key]).map(|key| key.name.clone()).collect();
    header.push("runs".into());
    for column in &headlines {
        header.push(with_unit(&column.name, &column.unit));
        if column.role == Role::Sample {
            let stem = column.name.strip_suffix(&format!("_{}", column.unit)).unwrap_or(&column.name);
            header.push(with_unit(&format!("{stem} p95"), &column.unit));
        }
    }
    let mut rows = Vec::new();
    for (point, runs) in data.points() {
        let mut row: Vec<Cell> = runs[0].keys.iter().cloned().map(Cell::from).collect();
        row.push(runs.len().to_string().into());
        for column in &headlines {
            if column.role == Role::Text {
                row.push(commonest(data, &column.name, &runs).map_or(String::new(), |(_, text)| text).into());
                continue;
            }
            let found = by_point.get(&(point, column.name.as_str()));
            let mean = found.and_then(|row| Some(measured(row.mean?, row.mean_interval)));
            row.push(mean.unwrap_or_else(|| "–".into()).into());
            if column.role == Role::Sample {
                let p95 = found
                    .and_then(|row| Some(ranged(row.quantiles?[2], row.quantile_intervals.map(|i| i[1]))));
                row.push(p95.unwrap_or_else(|| "–".into()).into());
            }
        }
        rows.push(row);
    }
    let is_sampled = headlines.iter().any(|column| column.role == Role::Sample);
    let note = intervals(data.points().values().map(Vec::len).max().unwrap_or(0), is_sampled);
    let keys = data.experiment.columns_of(&[Role::Key]).count();
    Grid { title: "Results".into(), header, rows, note, keys }
}

/// What the intervals of a table are, and what they are worth with so many runs per point.
fn intervals(runs: usize, is_sampled: bool) -> String {
    let mean = "Mean ± half the width of its 95 % confidence interval (Student's t over runs)";
    match (runs, is_sampled) {
        (0 | 1, _) => "Means; one run alone has no confidence interval.".into(),
        (_, false) => format!("{mean}."),
        (2..RUNS_ENOUGH, true) => format!(
            "{mean}; p95 with its 95 % bootstrap interval, which is too narrow with so few runs: resampling cannot \
             see beyond the largest value."
        ),
        (_, true) => format!("{mean}; p95 with its 95 % bootstrap interval."),
    }
}

/// A matrix of one metric over two keys, beside what was expected.
pub(crate) fn matrix(index: usize, table: &Table, data: &Data<'_>) -> Result<Grid> {
    let wrong = |problem: String| Error::record("tables.csv", index, problem);
    for key in [&table.rows, &table.columns].into_iter().filter(|key| !key.is_empty()) {
        if !data.has_key(key) {
            return Err(wrong(format!("expected a swept key, found `{key}`")));
        }
    }
    let cell = data.column(&table.cell).filter(|column| ![Role::Key, Role::Series].contains(&column.role));
    let cell = cell.ok_or_else(|| wrong(format!("cell: expected a metric, found `{}`", table.cell)))?;
    let all: Vec<&Run> = data.experiment.runs.iter().collect();
    let columns = data.by_key(&table.columns, &all);
    let sides = data.by_key(&table.rows, &all);
    let mut header = vec![table.rows.clone()];
    header.extend(columns.iter().take(MATRIX_SIDE_MAX).map(|(name, _)| match *name {
        "" => table.cell.clone(),
        name => name.to_owned(),
    }));
    let mut rows = Vec::new();
    let mut judged = (0, 0);
    for (side, runs) in &sides {
        let mut row = vec![Cell::from((*side).to_owned())];
        for (column, _) in columns.iter().take(MATRIX_SIDE_MAX) {
            let runs: Vec<&Run> =
                runs.iter().copied().filter(|run| data.key(run, &table.columns) == *column).collect();
            let cell = outcome(data, table, cell, (side, column), &runs);
            judged.0 += usize::from(cell.is_right == Some(true));
            judged.1 += usize::from(cell.is_right.is_some());
            row.push(cell);
        }
        rows.push(row);
    }
    let mut note = String::new();
    if cell.role == Role::Text {
        note += "The commonest outcome, with the runs that had it of all runs. ";
    }
    if columns.len() > MATRIX_SIDE_MAX {
        note += &format!("{MATRIX_SIDE_MAX} of {} columns are shown. ", columns.len());
    }
    if judged.1 > 0 {
        note += &format!("{} of {} cells are as expected.", judged.0, judged.1);
    }
    let title = if table.title.is_empty() { table.name.clone() } else { table.title.clone() };
    Ok(Grid { title, header, rows, note: note.trim().into(), keys: 1 })
}

fn outcome(data: &Data<'_>, table: &Table, metric: &Column, at: (&str, &str), runs: &[&Run]) -> Cell {
    let expected = data.experiment.expected.iter();
    let mut expected =
        expected.filter(|row| row.table == table.name && (row.row.as_str(), row.column.as_str()) == at);
    let expected = expected.next().map(|row| row.expected.trim());
    let (text, is_right) = match metric.role {
        Role::Text => match commonest(data, &metric.name, runs) {
            Some((value, text)) => (text, expected.map(|expected| expected == value)),
            None => ("–".into(), expected.map(|_| false)),
        },
        _ => {
            let pool = data.pool(&metric.name, runs);
            let (mean, interval) = (pool.mean(), pool.mean_interval());
            let is_near = |expected: f64| match (mean, interval) {
                (Some(_), Some(interval)) => interval.low <= expected && expected <= interval.high,
                (mean, _) => mean == Some(expected),
            };
            let is_right = expected.map(|text| text.parse().is_ok_and(is_near));
            (mean.map_or("–".into(), |mean| measured(mean, interval)), is_right)
        }
    };
    match (is_right, expected) {
        (Some(false), Some(expected)) => Cell { text: format!("{text}, expected {expected}"), is_right },
        _ => Cell { text, is_right },
    }
}

/// The commonest outcome of some runs, alone and with its count: `stable 28/30`.
fn commonest<'e>(data: &Data<'e>, metric: &str, runs: &[&'e Run]) -> Option<(String, String)> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for run in runs {
        match data.value(run, metric) {
            Value::Text(text) => *counts.entry(text.clone()).or_default() += 1,
            Value::Number(number) => *counts.entry(plain(*number)).or_default() += 1,
            Value::Empty => {}
        }
    }
    let most = counts.into_iter().max_by(|a, b| a.1.cmp(&b.1).then_with(|| natural_order(&b.0, &a.0)));
    most.map(|(value, count)| (value.clone(), format!("{value} {count}/{}", runs.len())))
}
