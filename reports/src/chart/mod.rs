//! Charts: from a row of `charts.csv` to a drawing, and the drawing to SVG and PNG.

mod axis;
mod bands;
mod distribution;
mod frame;
mod gantt;
mod line;
mod palette;
mod scene;
mod time;
mod timeline;

pub(crate) use axis::grouped;

use crate::data::Data;
use crate::quantity::Quantity;
use crate::rows::{Chart, ChartKind, Column, Run};
use crate::stats::{Interval, Pool, mean_interval, quantile};
use crate::{Error, Result};
use axis::Axis;
use frame::Notes;
use palette::SERIES_MAX;
use scene::Scene;
use std::collections::BTreeSet;

/// A chart in both formats.
#[derive(Clone, Debug)]
pub struct Drawing {
    /// An SVG element, which is a file of its own, too.
    pub svg: String,
    /// A PNG of twice its size.
    pub png: Vec<u8>,
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
        ChartKind::Gantt => gantt::draw(&plot),
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
        if !chart.is_named_well() {
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
        let needs_metric = !matches!(chart.kind, ChartKind::Timeline | ChartKind::Gantt);
        if needs_metric && data.metric(&chart.y).is_none() && !is_series {
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

    /// Where the metric's means can lie, by all that the experiment has of it.
    fn bounds(&self) -> Bounds {
        let all: Vec<&Run> = self.data.experiment.runs.iter().collect();
        let unit = self.data.metric(&self.chart.y).map_or("", |column| column.unit.as_str());
        Bounds::of(self.pool(&all).ascending().iter().copied(), unit)
    }

    /// The label of the metric's axis: its own or the metric's name, and the unit.
    fn metric_label(&self, own: &str) -> String {
        let unit = self.data.column(&self.chart.y).map_or("", |column| column.unit.as_str());
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

    /// What stands below every chart: what to look at, how many values there are from how many runs, how they
    /// are drawn, what was thrown together and what was left out.
    fn notes(&self, unit: &str, pools: &[&Pool], how: Vec<String>) -> Notes<'d> {
        let filled: Vec<_> = pools.iter().filter(|pool| pool.runs() > 0).collect();
        if filled.is_empty() {
            return self.captioned(vec!["No run has a value to show.".into()]);
        }
        let runs = span(filled.iter().map(|pool| pool.runs()), "run");
        let mut notes = vec![match filled.iter().any(|pool| !pool.is_one_per_run()) {
            false => format!("n = {runs} per {unit}."),
            true => {
                let values = span(filled.iter().map(|pool| pool.ascending().len()), "value");
                format!("n = {values} from {runs} per {unit}.")
            }
        }];
        notes.extend(how);
        let shown: BTreeSet<&str> = [self.chart.x.as_str(), &self.chart.group].into();
        let keys = self.data.experiment.columns_of(&[crate::Role::Key]).map(|column| column.name.as_str());
        let together: Vec<_> =
            keys.filter(|key| !shown.contains(key) && self.data.by_key(key, &self.runs).len() > 1).collect();
        if !together.is_empty() {
            notes.push(format!("Runs of every {} are taken together.", together.join(" and ")));
        }
        let all = self.data.by_key(&self.chart.group, &self.runs).len();
        if all > SERIES_MAX {
            notes.push(format!("The first {SERIES_MAX} of {all} series are shown."));
        }
        self.captioned(notes)
    }

    fn captioned(&self, small: Vec<String>) -> Notes<'d> {
        Notes { caption: &self.chart.caption, small }
    }
}

/// Where the means that a chart shows can lie at all: an interval by Student's t does not know, and is cut.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bounds {
    low: f64,
    high: f64,
}

impl Bounds {
    /// Counts and durations are never negative, shares never above 1 either.
    fn of(values: impl Iterator<Item = f64> + Clone, unit: &str) -> Bounds {
        let is_positive = values.clone().all(|value| value >= 0.0);
        let is_share = is_positive
            && ["", "ratio"].contains(&unit)
            && values.clone().all(|value| value <= 1.0)
            && (unit == "ratio" || values.clone().any(|value| value.fract() != 0.0));
        Bounds {
            low: if is_positive { 0.0 } else { f64::NEG_INFINITY },
            high: if is_share { 1.0 } else { f64::INFINITY },
        }
    }

    /// The 95 % interval of the mean of some runs' means, as it is drawn.
    fn interval(&self, means: &[f64]) -> Option<Interval> {
        let ends = mean_interval(means)?;
        Some(Interval { low: ends.low.max(self.low), high: ends.high.min(self.high) })
    }

    /// How an interval is to be read; `drawn` says what it is.
    fn note(&self, drawn: &str, means: &[&[f64]]) -> String {
        let mut intervals = means.iter().filter_map(|means| mean_interval(means)).peekable();
        if intervals.peek().is_none() {
            return "One run alone has no confidence interval.".into();
        }
        let is_cut = intervals.any(|ends| ends.low < self.low || ends.high > self.high);
        let cut = match (is_cut, self.high == 1.0) {
            (false, _) => "",
            (true, false) => ", cut at zero",
            (true, true) => ", cut at 0 and 1",
        };
        format!("{drawn} the 95 % confidence interval of the mean (Student's t over runs){cut}.")
    }
}

/// Says how many values a logarithmic axis has no place for.
fn hidden(count: usize, what: &str) -> Option<String> {
    match count {
        0 => None,
        1 => Some(format!("1 {what} of zero or below has no place on the logarithmic axis.")),
        _ => Some(format!("{count} {what}s of zero or below have no place on the logarithmic axis.")),
    }
}

/// The least value of a pool that an axis must show: a logarithmic one would waste its length on a straggler.
fn least_shown(pool: &Pool, is_log: bool) -> Option<f64> {
    let values = pool.ascending();
    match is_log {
        false => values.first().copied(),
        true => quantile(&values[values.partition_point(|value| *value <= 0.0)..], 0.005),
    }
}

/// `leaderless (ms)` for a column `leaderless_ms` in ms, and `leaderless, p95 of a run (ms)` for a figure of its values.
pub(crate) fn with_unit(name: &str, unit: &str) -> String {
    let stem = spoken(name, unit);
    if unit.is_empty() { stem } else { format!("{stem} ({unit})") }
}

/// The same without the unit.
fn spoken(name: &str, unit: &str) -> String {
    let (metric, figure) = match name.rsplit_once('.') {
        Some((metric, figure @ ("n" | "mean" | "p50" | "p95" | "p99" | "max"))) => (metric, figure),
        _ => (name, ""),
    };
    // How many values there are has no unit, but they have.
    let counted = metric.rsplit_once('_').map(|(_, unit)| unit).filter(|_| figure == "n");
    let unit = counted.filter(|unit| Quantity::parse(&format!("1{unit}")).is_some()).unwrap_or(unit);
    let metric = metric.replace('_', " ");
    let stem = metric.strip_suffix(unit).and_then(|stem| stem.strip_suffix(' '));
    let stem = stem.filter(|_| !unit.is_empty()).unwrap_or(&metric);
    let figure = match figure {
        "" => return stem.into(),
        "n" => "number",
        "p50" => "median",
        other => other,
    };
    format!("{stem}, {figure} of a run")
}

/// `1 run`, `30 runs`, or `28–30 runs` where it differs.
fn span(counts: impl Iterator<Item = usize> + Clone, what: &str) -> String {
    let (least, most) = (counts.clone().min().unwrap_or(0), counts.max().unwrap_or(0));
    let text = |count: usize| grouped(&count.to_string());
    let plural = if most == 1 { "" } else { "s" };
    if least == most {
        format!("{} {what}{plural}", text(least))
    } else {
        format!("{}–{} {what}{plural}", text(least), text(most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_columns_are_spoken() {
        assert_eq!(with_unit("unavailable_ms", "ms"), "unavailable (ms)");
        assert_eq!(with_unit("unavailable_ms.p95", "ms"), "unavailable, p95 of a run (ms)");
        assert_eq!(with_unit("unavailable_ms.n", ""), "unavailable, number of a run");
        assert_eq!(with_unit("network.loss", ""), "network.loss");
        assert_eq!(with_unit("time without a leader", "ms"), "time without a leader (ms)");
        assert_eq!(spoken("first_leader_ms", "ms"), "first leader");
    }

    #[test]
    fn intervals_end_where_the_metric_does() {
        let bounds = |values: &[f64], unit| Bounds::of(values.iter().copied(), unit);
        let open = f64::INFINITY;
        assert_eq!(bounds(&[0.0, 3.0], ""), Bounds { low: 0.0, high: open }, "counts");
        assert_eq!(
            bounds(&[0.0, 1.0], ""),
            Bounds { low: 0.0, high: open },
            "counts may be larger elsewhere"
        );
        assert_eq!(bounds(&[0.3, 1.0], ""), Bounds { low: 0.0, high: 1.0 }, "shares");
        assert_eq!(bounds(&[0.3, 1.0], "s"), Bounds { low: 0.0, high: open }, "durations");
        assert_eq!(bounds(&[-0.3, 1.0], ""), Bounds { low: -open, high: open });
        let share = bounds(&[0.3, 1.0], "ratio");
        assert_eq!(share.interval(&[0.3, 1.0]), Some(Interval { low: 0.0, high: 1.0 }));
        assert!(share.note("", &[&[0.3, 1.0]]).contains("cut at 0 and 1"));
        assert_eq!(share.note("", &[&[0.3], &[1.0]]), "One run alone has no confidence interval.");
    }

    #[test]
    fn numbers_agree_with_their_nouns() {
        assert_eq!(span([1, 1].into_iter(), "run"), "1 run");
        assert_eq!(span([0, 1].into_iter(), "value"), "0–1 value");
        assert_eq!(span([12_000, 3].into_iter(), "value"), "3–12\u{2009}000 values");
    }

    #[test]
    fn a_straggler_does_not_stretch_a_logarithmic_axis() {
        let values: Vec<f64> = std::iter::once(1e-9).chain((1..1000).map(f64::from)).collect();
        let pool = Pool::new([values.as_slice()]);
        assert!(least_shown(&pool, true).is_some_and(|least| least > 1.0));
        assert_eq!(least_shown(&pool, false), Some(1e-9));
        let pool = Pool::new([&[0.0, 0.0, 0.0, 5.0][..]]);
        assert_eq!(least_shown(&pool, true), Some(5.0), "zeros are not on it");
    }
}
