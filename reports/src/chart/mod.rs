//! Charts: from a row of `charts.csv` to a drawing, and the drawing to SVG and PNG.

mod axis;
mod bands;
mod distribution;
mod frame;
mod line;
mod palette;
mod scene;
mod timeline;

pub(crate) use axis::grouped;

use crate::data::Data;
use crate::quantity::Quantity;
use crate::rows::{Chart, ChartKind, Column, Run};
use crate::stats::{Interval, Pool, mean_interval};
use crate::{Error, Result};
use axis::Axis;
use palette::SERIES_MAX;
use scene::Scene;
use std::collections::BTreeSet;

/// A chart in both formats.
#[derive(Clone, Debug)]
pub(crate) struct Drawing {
    pub(crate) svg: String,
    pub(crate) png: Vec<u8>,
}

/// Draws row `index` of `charts.csv`.
pub(crate) fn draw(index: usize, chart: &Chart, data: &Data<'_>) -> Result<Drawing> {
    let scene = compose(index, chart, data)?;
    Ok(Drawing { svg: scene.svg(&chart.name)?, png: scene.png(&chart.name)? })
}

fn compose(index: usize, chart: &Chart, data: &Data<'_>) -> Result<Scene> {
    let plot = Plot::new(chart, data).map_err(|problem| Error::record("charts.csv", index, problem))?;
    Ok(match chart.kind {
        ChartKind::Line if chart.x == TIME => line::over_time(&plot),
        ChartKind::Line => line::over_key(&plot),
        ChartKind::Box => bands::boxes(&plot),
        ChartKind::Bars => bands::bars(&plot),
        ChartKind::Cdf => distribution::cdf(&plot),
        ChartKind::Histogram => distribution::histogram(&plot),
        ChartKind::Timeline => timeline::draw(&plot),
    })
}

/// The x of a chart over simulated time.
const TIME: &str = "t_s";

/// A chart's row, found sound, with the runs that it selects.
struct Plot<'d, 'e> {
    chart: &'d Chart,
    data: &'d Data<'e>,
    runs: Vec<&'e Run>,
    references: Vec<&'e Column>,
}

/// One series: its runs, its label, and the number that gives it its colour, the same in every chart.
struct Group<'e> {
    series: usize,
    label: &'e str,
    runs: Vec<&'e Run>,
}

impl<'d, 'e> Plot<'d, 'e> {
    fn new(chart: &'d Chart, data: &'d Data<'e>) -> std::result::Result<Plot<'d, 'e>, String> {
        let is_legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if chart.name.is_empty() || chart.name.len() > 100 || !chart.name.chars().all(is_legal) {
            return Err(format!("name: expected letters, digits, `-` and `_`, found `{}`", chart.name));
        }
        let is_over_time = chart.kind == ChartKind::Line && chart.x == TIME;
        let needs_key =
            matches!(chart.kind, ChartKind::Line | ChartKind::Box | ChartKind::Bars) && !is_over_time;
        for (field, key) in [("x", &chart.x), ("group", &chart.group)] {
            let must = field == "group" || needs_key;
            if must && !key.is_empty() && !data.has_key(key) {
                return Err(format!("{field}: expected a swept key, found `{key}`"));
            }
        }
        let is_series = is_over_time && data.experiment.series.iter().any(|row| row.name == chart.y);
        if chart.kind != ChartKind::Timeline && data.metric(&chart.y).is_none() && !is_series {
            return Err(format!("y: expected a metric, found `{}`", chart.y));
        }
        let references = chart.reference.split(';').map(str::trim).filter(|name| !name.is_empty());
        let references = references
            .map(|name| {
                data.metric(name).ok_or_else(|| format!("reference: expected a metric, found `{name}`"))
            })
            .collect::<std::result::Result<_, _>>()?;
        Ok(Plot { chart, data, runs: data.select(&chart.filter)?, references })
    }

    fn title(&self) -> &'d str {
        if self.chart.title.is_empty() { &self.chart.name } else { &self.chart.title }
    }

    /// The series, in the reader's order; only those that can be told apart.
    fn groups(&self) -> Vec<Group<'e>> {
        let key = &self.chart.group;
        let groups = self.data.by_key(key, &self.runs).into_iter().take(SERIES_MAX);
        groups.map(|(label, runs)| Group { series: self.data.place(key, label), label, runs }).collect()
    }

    /// The categories of x: the values of the x key, or of the group if there is no x.
    fn levels(&self) -> Vec<&'e str> {
        let key = if self.chart.x.is_empty() { &self.chart.group } else { &self.chart.x };
        self.data.by_key(key, &self.runs).into_iter().map(|(level, _)| level).collect()
    }

    fn pool(&self, runs: &[&'e Run]) -> Pool {
        self.data.pool(&self.chart.y, runs)
    }

    /// The label of the metric's axis: its own or the metric's name, and the unit.
    fn metric_label(&self, own: &str) -> String {
        let unit = self.data.metric(&self.chart.y).map_or("", |column| column.unit.as_str());
        with_unit(if own.is_empty() { &self.chart.y } else { own }, unit)
    }

    /// The x key's axis label and, where all values are quantities, their values in its unit.
    fn key_axis(&self, levels: &[&str]) -> (String, Option<Vec<f64>>) {
        let key = if self.chart.x.is_empty() { &self.chart.group } else { &self.chart.x };
        let own = if self.chart.x_label.is_empty() { key } else { &self.chart.x_label };
        match Quantity::parse_all(levels.iter().copied()) {
            Some((values, unit)) => (with_unit(own, unit), Some(values)),
            None => (with_unit(own, self.data.column(key).map_or("", |column| &column.unit)), None),
        }
    }

    fn banded(&self, levels: &[&str]) -> Axis {
        let own = if self.chart.x_label.is_empty() { self.levels_key() } else { &self.chart.x_label };
        Axis::bands(levels.iter().map(|level| (*level).to_owned()), own.replace('_', " "))
    }

    fn levels_key(&self) -> &'d str {
        if self.chart.x.is_empty() { &self.chart.group } else { &self.chart.x }
    }

    /// What stands below every chart: what to look at, how many values there are from how many runs, what was
    /// thrown together and what was left out.
    fn notes(&self, unit: &str, pools: &[&Pool], mut notes: Vec<String>) -> Vec<String> {
        let filled: Vec<_> = pools.iter().filter(|pool| pool.runs() > 0).collect();
        let runs = span(filled.iter().map(|pool| pool.runs()));
        let values = span(filled.iter().map(|pool| pool.ascending().len()));
        let is_sampled = filled.iter().any(|pool| !pool.is_one_per_run());
        notes.insert(
            0,
            match (filled.is_empty(), is_sampled) {
                (true, _) => "No run has a value to show.".into(),
                (_, false) => format!("n = {runs} runs per {unit}."),
                (_, true) => format!("n = {values} values from {runs} runs per {unit}."),
            },
        );
        let shown: BTreeSet<&str> = [self.chart.x.as_str(), &self.chart.group].into();
        let keys = self.data.experiment.columns_of(&[crate::Role::Key]).map(|column| column.name.as_str());
        let together: Vec<_> =
            keys.filter(|key| !shown.contains(key) && self.data.by_key(key, &self.runs).len() > 1).collect();
        if !together.is_empty() && !filled.is_empty() {
            notes.push(format!("Runs of every {} are taken together.", together.join(" and ")));
        }
        let all = self.data.by_key(&self.chart.group, &self.runs).len();
        if all > SERIES_MAX {
            notes.push(format!("The first {SERIES_MAX} of {all} series are shown."));
        }
        self.captioned(notes)
    }

    fn captioned(&self, mut notes: Vec<String>) -> Vec<String> {
        if !self.chart.caption.is_empty() {
            notes.insert(0, self.chart.caption.clone());
        }
        notes
    }
}

/// The 95 % interval of the mean as it is drawn: not below zero where nothing is.
fn drawn_interval(values: &[f64]) -> Option<Interval> {
    let ends = mean_interval(values)?;
    let is_cut = ends.low < 0.0 && values.iter().all(|value| *value >= 0.0);
    Some(Interval { low: if is_cut { 0.0 } else { ends.low }, ..ends })
}

/// The least value of a pool that an axis must show: a logarithmic one would waste its length on a straggler.
fn least_shown(pool: &Pool, is_log: bool) -> Option<f64> {
    pool.quantile(if is_log { 0.005 } else { 0.0 })
}

/// `leaderless (ms)` for a column `leaderless_ms` in ms.
pub(crate) fn with_unit(name: &str, unit: &str) -> String {
    let name = name.replace('_', " ");
    match name.strip_suffix(unit).and_then(|stem| stem.strip_suffix(' ')) {
        _ if unit.is_empty() => name,
        Some(stem) => format!("{stem} ({unit})"),
        None => format!("{name} ({unit})"),
    }
}

/// `30`, or `28–30` where it differs.
fn span(counts: impl Iterator<Item = usize> + Clone) -> String {
    let (least, most) = (counts.clone().min().unwrap_or(0), counts.max().unwrap_or(0));
    let text = |count: usize| grouped(&count.to_string());
    if least == most { text(least) } else { format!("{}–{}", text(least), text(most)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_drawn_below_zero_only_where_values_are() {
        let low = |values: &[f64]| drawn_interval(values).map(|ends| ends.low);
        assert_eq!(low(&[0.0, 0.0, 9.0]), Some(0.0));
        assert!(low(&[-1.0, 0.0, 9.0]).is_some_and(|low| low < -1.0));
        assert!(low(&[8.0, 9.0]).is_some_and(|low| low > 0.0));
    }

    #[test]
    fn a_straggler_does_not_stretch_a_logarithmic_axis() {
        let values: Vec<f64> = std::iter::once(1e-9).chain((1..1000).map(f64::from)).collect();
        let pool = Pool::new([values.as_slice()]);
        assert!(least_shown(&pool, true).is_some_and(|least| least > 1.0));
        assert_eq!(least_shown(&pool, false), Some(1e-9));
    }
}
