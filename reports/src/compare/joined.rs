//! Two experiments as one, so that their distributions are drawn like the series of any chart.

use super::{Pair, Row};
use crate::Experiment;
use crate::chart::with_unit;
use crate::data::Data;
use crate::figures::{plain, ranged};
use crate::rows::{Chart, ChartKind, Column, Role, Run, Sample};
use std::collections::BTreeMap;

/// So many charts are drawn; the rest is in the tables.
pub(super) const CHARTS_MAX: usize = 60;
/// The key that tells the sides apart.
const SIDE: &str = "side";

/// The runs of all pairs, each pair a point, and a chart for each pair and sampled metric: or for each other metric, if
/// none is sampled.
pub(super) fn join(
    data: &[Data<'_>; 2],
    keys: &[String],
    pairs: &[Pair<'_>],
    metrics: &[&Column],
    rows: &[Row],
    labels: [String; 2],
) -> Experiment {
    let drawn = drawn(rows, metrics);
    let is_drawn = |name: &str| drawn.iter().any(|row| row.metric == name);
    let metrics: Vec<&&Column> = metrics.iter().filter(|column| is_drawn(&column.name)).collect();
    let own: Vec<&str> = metrics
        .iter()
        .filter(|column| column.role == Role::Metric)
        .map(|column| column.name.as_str())
        .collect();
    let mut joined = Experiment { columns: vec![key()], ..Experiment::default() };
    joined.columns.extend(metrics.iter().map(|column| (**column).clone()));
    for side in [0, 1] {
        // What a run is called in the joined experiment.
        let mut places = BTreeMap::new();
        for (point, pair) in pairs.iter().enumerate() {
            for (nth, run) in pair.runs[side].iter().enumerate() {
                let place = (point as u32, 2 * nth as u64 + side as u64);
                places.insert((run.point, run.seed), place);
                joined.runs.push(Run {
                    point: place.0,
                    seed: place.1,
                    keys: vec![labels[side].clone()],
                    values: own.iter().map(|name| data[side].value(run, name).clone()).collect(),
                    digest: String::new(),
                    verdict: run.verdict,
                    violated: Vec::new(),
                });
            }
        }
        let samples = data[side].experiment.samples.iter().filter(|sample| is_drawn(&sample.metric));
        joined.samples.extend(samples.filter_map(|sample| {
            let (point, seed) = *places.get(&(sample.point, sample.seed))?;
            Some(Sample { point, seed, ..sample.clone() })
        }));
    }
    let is_log = |metric: &str| {
        let charts = data.iter().flat_map(|data| &data.experiment.charts);
        let mut of_values =
            charts.filter(|chart| matches!(chart.kind, ChartKind::Cdf | ChartKind::Histogram));
        of_values.any(|chart| chart.y == metric && chart.log_x)
    };
    joined.charts = drawn.iter().map(|row| chart(row, keys, is_log(&row.metric))).collect();
    joined
}

/// The rows that have a chart.
fn drawn<'r>(rows: &'r [Row], metrics: &[&Column]) -> Vec<&'r Row> {
    let is_sampled =
        |row: &&Row| metrics.iter().any(|column| column.name == row.metric && column.role == Role::Sample);
    let mut drawn: Vec<&Row> = rows.iter().filter(is_sampled).collect();
    if drawn.is_empty() {
        drawn = rows.iter().filter(|row| !row.is_derived).collect();
    }
    drawn.truncate(CHARTS_MAX);
    drawn
}

fn key() -> Column {
    Column { name: SIDE.into(), role: Role::Key, unit: String::new(), about: "Which folder.".into() }
}

fn chart(row: &Row, keys: &[String], log_x: bool) -> Chart {
    let stem: String =
        row.metric.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
    let levels: Vec<String> =
        keys.iter().zip(&row.keys).map(|(key, level)| format!("{key} {level}")).collect();
    let what = with_unit(&row.metric, "");
    let what = what.strip_suffix(&format!(" {}", row.unit)).unwrap_or(&what);
    let medians = row.sides.map(|side| ranged(side.median, side.interval));
    Chart {
        name: format!("{}-{}", stem.chars().take(80).collect::<String>(), row.pair),
        kind: ChartKind::Cdf,
        title: if levels.is_empty() { what.to_owned() } else { format!("{what}: {}", levels.join(", ")) },
        y: row.metric.clone(),
        group: SIDE.into(),
        filter: format!("point={}", row.pair),
        log_x,
        caption: format!(
            "Medians {} and {}; Kolmogorov-Smirnov distance {}, p {}.",
            medians[0],
            medians[1],
            plain(row.distance.distance),
            super::draw::probability(row.distance.p_value)
        ),
        x: String::new(),
        log_y: false,
        x_label: String::new(),
        y_label: String::new(),
        reference: String::new(),
    }
}
