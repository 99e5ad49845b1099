//! Means over a swept key with their confidence band, and series over time.

use super::axis::{Axis, Zero};
use super::frame::{DOTTED, Frame, Swatch};
use super::palette::{GREY, dashes, ink, marker};
use super::scene::{Point, Scene};
use super::time::Unit;
use super::{Bounds, Group, Plot, hidden, spoken, with_unit};
use crate::rows::Run;
use crate::stats::{Pool, mean};
use std::collections::BTreeMap;

/// With more points than this on a line, markers would only hide it.
const MARKERS_MAX: usize = 60;

/// A mean at an x, with its interval's ends.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Estimate {
    x: f64,
    mean: f64,
    low: f64,
    high: f64,
}

/// A line over the values of a swept key.
pub(super) fn over_key(plot: &Plot<'_, '_>) -> Scene {
    let levels = plot.levels();
    let (label, positions) = plot.key_axis(&levels);
    let xs: Vec<f64> = positions.clone().unwrap_or_else(|| (0..levels.len()).map(|at| at as f64).collect());
    let groups = plot.groups();
    let pools: Vec<Vec<Pool>> =
        groups.iter().map(|group| pools_of(plot, group, &levels, &plot.chart.y)).collect();
    let bounds = plot.bounds();
    let lines: Vec<Vec<Estimate>> = pools.iter().map(|pools| estimates(&xs, pools, &bounds)).collect();
    let references = references(plot, &groups, &levels, &xs);
    let x = match positions {
        Some(values) => Axis::over(values, plot.chart.log_x, Zero::IfNear, label),
        None => plot.banded(&levels),
    };
    let curves = references.iter().flat_map(|curve| curve.points.iter().map(|point| point.1));
    let shown = reached(&lines, plot.chart.log_y).chain(curves);
    let y = Axis::over(shown, plot.chart.log_y, Zero::IfNear, plot.metric_label(&plot.chart.y_label));
    let mut frame = Frame::new(plot.title(), x, y);
    draw_lines(&mut frame, &groups, &lines, true);
    let mut legend = legend(&groups, Swatch::Line);
    for curve in references {
        let points: Vec<Point> = curve.points.iter().map(|(x, y)| frame.point(*x, *y)).collect();
        frame.scene.line(&points, 1.6, curve.series.map_or(GREY, ink), DOTTED);
        legend.push((Swatch::Reference(GREY), curve.label));
        legend.dedup();
    }
    let pools: Vec<&Pool> = pools.iter().flatten().collect();
    let means: Vec<&[f64]> = pools.iter().map(|pool| pool.means()).collect();
    let mut notes = vec![bounds.note("Points are means; the band is", &means)];
    let lost = lines.iter().flatten().filter(|at| !frame.y.shows(at.mean)).count();
    notes.extend(hidden(lost, "mean"));
    frame.finish(&plot.chart.group, &legend, &plot.notes("point", &pools, notes))
}

/// A line over simulated time: from each moment on the mean over runs of what they were last at.
pub(super) fn over_time(plot: &Plot<'_, '_>) -> Scene {
    let rows = plot.data.experiment.series.iter().filter(|row| row.name == plot.chart.y);
    let spans = plot.data.experiment.spans.iter().map(|span| span.to_s);
    let end = rows.clone().map(|row| row.t_s).chain(spans).fold(0.0, f64::max);
    let unit = Unit::of(end);
    let mut traces: BTreeMap<(u32, u64), Vec<(f64, f64)>> = Default::default();
    rows.for_each(|row| traces.entry((row.point, row.seed)).or_default().push((unit.at(row.t_s), row.value)));
    traces.values_mut().for_each(|trace| trace.sort_by(|a, b| a.0.total_cmp(&b.0)));
    let values = traces.values().flatten().map(|(_, value)| *value);
    let bounds = Bounds::of(values, plot.data.column(&plot.chart.y).map_or("", |column| &column.unit));
    let groups = plot.groups();
    let (moments, mean_over) = moments(traces.values().flatten().map(|(x, _)| *x).collect(), unit.at(end));
    let traces: BTreeMap<(u32, u64), Vec<f64>> =
        traces.into_iter().map(|(run, trace)| (run, averaged(&trace, &moments))).collect();
    let at = |group: &Group<'_>, moment: usize| -> Vec<f64> {
        let value = |run: &&Run| traces.get(&(run.point, run.seed)).map_or(0.0, |trace| trace[moment]);
        group.runs.iter().map(value).collect()
    };
    let values: Vec<Vec<Vec<f64>>> =
        groups.iter().map(|group| (0..moments.len()).map(|moment| at(group, moment)).collect()).collect();
    let line = |values: &Vec<Vec<f64>>| -> Vec<Estimate> {
        moments.iter().zip(values).filter_map(|(x, values)| estimate(*x, values, &bounds)).collect()
    };
    let lines: Vec<Vec<Estimate>> = values.iter().map(|values| stepped(line(values))).collect();
    let label = if plot.chart.x_label.is_empty() { "simulated time" } else { &plot.chart.x_label };
    let x = Axis::over([0.0, unit.at(end)], plot.chart.log_x, Zero::Never, with_unit(label, unit.name));
    let y = Axis::over(
        reached(&lines, plot.chart.log_y),
        plot.chart.log_y,
        Zero::IfNear,
        plot.metric_label(&plot.chart.y_label),
    );
    let mut frame = Frame::new(plot.title(), x, y);
    draw_lines(&mut frame, &groups, &lines, false);
    // Each run counts once at each moment.
    let counted = |group: &Group<'_>| Pool::new(group.runs.iter().map(|_| &[0.0][..]));
    let pools: Vec<Pool> = groups.iter().map(counted).collect();
    let means: Vec<&[f64]> = values.iter().flatten().map(Vec::as_slice).collect();
    let mut how = vec![bounds.note("Lines are means; the band is", &means)];
    how.extend(
        mean_over.map(|wide| format!("Each step is the mean over {}.", unit.written(wide / unit.at(1.0)))),
    );
    let notes = plot.notes("line", &pools.iter().collect::<Vec<_>>(), how);
    frame.finish(&plot.chart.group, &legend(&groups, Swatch::Bare), &notes)
}

/// A value lasts until the next: steps, not slopes.
fn stepped(line: Vec<Estimate>) -> Vec<Estimate> {
    let mut steps: Vec<Estimate> = Vec::with_capacity(2 * line.len());
    for at in line {
        steps.extend(steps.last().map(|last| Estimate { x: at.x, ..*last }));
        steps.push(at);
    }
    steps
}

/// The first and last moment, and those between at which something changed; evenly spaced ones if there are many, with
/// their distance.
fn moments(mut taken: Vec<f64>, end: f64) -> (Vec<f64>, Option<f64>) {
    const MOMENTS_MAX: usize = 400;
    taken.extend([0.0, end]);
    taken.sort_by(f64::total_cmp);
    taken.dedup();
    if taken.len() <= MOMENTS_MAX {
        return (taken, None);
    }
    let even = (0..=MOMENTS_MAX).map(|i| end * i as f64 / MOMENTS_MAX as f64);
    (even.collect(), Some(end / MOMENTS_MAX as f64))
}

/// The mean of a trace from each moment to the next, which is its value if nothing changes between; at the last moment
/// its value.
fn averaged(trace: &[(f64, f64)], moments: &[f64]) -> Vec<f64> {
    let mut changes = trace.iter().peekable();
    let (mut value, mut means) = (0.0, Vec::with_capacity(moments.len()));
    for ends in moments.windows(2) {
        let (mut since, mut sum) = (ends[0], 0.0);
        while let Some((x, next)) = changes.next_if(|(x, _)| *x < ends[1]) {
            sum += value * (x.max(since) - since);
            (since, value) = (x.max(since), *next);
        }
        let is_constant = since == ends[0];
        means.push(if is_constant { value } else { (sum + value * (ends[1] - since)) / (ends[1] - ends[0]) });
    }
    means.push(changes.last().map_or(value, |(_, value)| *value));
    means
}

fn legend(groups: &[Group<'_>], swatch: fn(usize) -> Swatch) -> Vec<(Swatch, String)> {
    if let [only] = groups
        && only.label.is_empty()
    {
        return Vec::new();
    }
    groups.iter().map(|group| (swatch(group.series), group.label.into())).collect()
}

fn draw_lines(frame: &mut Frame, groups: &[Group<'_>], lines: &[Vec<Estimate>], has_markers: bool) {
    let visible = |frame: &Frame, at: &&Estimate| frame.x.shows(at.x) && frame.y.shows(at.mean);
    for (group, line) in groups.iter().zip(lines) {
        let line = line.iter().filter(|at| visible(frame, at));
        let high = line.clone().map(|at| frame.point(at.x, at.high));
        let low = line.clone().rev().map(|at| frame.point(at.x, at.low));
        let band: Vec<Point> = high.chain(low).collect();
        frame.scene.polygon(band, ink(group.series).opacity(0.18));
    }
    for (Group { series, .. }, line) in groups.iter().zip(lines) {
        let series = *series;
        let line = line.iter().filter(|at| visible(frame, at));
        let points: Vec<Point> = line.map(|at| frame.point(at.x, at.mean)).collect();
        frame.scene.line(&points, 2.0, ink(series), dashes(series));
        if has_markers && points.len() <= MARKERS_MAX {
            points.iter().for_each(|point| marker(&mut frame.scene, series, *point, 3.8));
        }
    }
}

fn pools_of<'e>(plot: &Plot<'_, 'e>, group: &Group<'e>, levels: &[&str], metric: &str) -> Vec<Pool> {
    let by_level: BTreeMap<_, _> = plot.data.by_key(plot.levels_key(), &group.runs).into_iter().collect();
    let runs = |level: &str| by_level.get(level).map_or(&[][..], Vec::as_slice);
    levels.iter().map(|level| plot.data.pool(metric, runs(level))).collect()
}

fn estimates(xs: &[f64], pools: &[Pool], bounds: &Bounds) -> Vec<Estimate> {
    let of_pool = |(x, pool): (&f64, &Pool)| estimate(*x, pool.means(), bounds);
    let mut line: Vec<Estimate> = xs.iter().zip(pools).filter_map(of_pool).collect();
    line.sort_by(|a, b| a.x.total_cmp(&b.x));
    line
}

fn estimate(x: f64, means: &[f64], bounds: &Bounds) -> Option<Estimate> {
    let mean = mean(means)?;
    let (low, high) = bounds.interval(means).map_or((mean, mean), |ends| (ends.low, ends.high));
    Some(Estimate { x, mean, low, high })
}

/// The values that an axis must show; on a logarithmic one a band may leave it a decade below the lowest mean.
fn reached(lines: &[Vec<Estimate>], is_log: bool) -> impl Iterator<Item = f64> {
    let all = lines.iter().flatten();
    let least = all.clone().map(|at| at.mean).filter(|mean| *mean > 0.0).fold(f64::INFINITY, f64::min);
    let floor = if is_log && least.is_finite() { least / 10.0 } else { f64::NEG_INFINITY };
    all.flat_map(move |at| [if at.low < floor { at.mean } else { at.low }, at.mean, at.high])
}

/// The points of a reference curve.
fn means(xs: &[f64], pools: &[Pool]) -> Vec<(f64, f64)> {
    let mut curve: Vec<_> = xs.iter().zip(pools).filter_map(|(x, pool)| Some((*x, pool.mean()?))).collect();
    curve.sort_by(|a, b| a.0.total_cmp(&b.0));
    curve
}

/// A reference curve: grey if it is the same for every series, else in the colour of its own.
struct Reference {
    label: String,
    series: Option<usize>,
    points: Vec<(f64, f64)>,
}

fn references(plot: &Plot<'_, '_>, groups: &[Group<'_>], levels: &[&str], xs: &[f64]) -> Vec<Reference> {
    let mut curves = Vec::new();
    for metric in &plot.references {
        let per_group: Vec<Vec<(f64, f64)>> =
            groups.iter().map(|group| means(xs, &pools_of(plot, group, levels, &metric.name))).collect();
        let name = spoken(&metric.name, &metric.unit);
        match per_group.split_first() {
            Some((first, others)) if others.iter().all(|other| other == first) => {
                curves.push(Reference { label: name, series: None, points: first.clone() });
            }
            _ => curves.extend(per_group.into_iter().zip(groups).map(|(points, group)| Reference {
                label: format!("{name} (in the colour of its series)"),
                series: Some(group.series),
                points,
            })),
        }
    }
    curves
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_averaged_between_moments() {
        let trace = [(0.0, 1.0), (1.0, 3.0), (1.5, 5.0), (4.0, 2.0)];
        assert_eq!(averaged(&trace, &[0.0, 1.0, 2.0, 3.0, 4.0]), [1.0, 4.0, 5.0, 5.0, 2.0]);
        assert_eq!(averaged(&[], &[0.0, 1.0]), [0.0, 0.0], "before its first change a series is zero");
        assert_eq!(averaged(&[(0.0, 7.0)], &[0.0]), [7.0]);
        let (every, wide) = moments(vec![0.5, 0.25, 0.5], 1.0);
        assert_eq!((every, wide), (vec![0.0, 0.25, 0.5, 1.0], None));
        let (even, wide) = moments((0..1000).map(f64::from).collect(), 1000.0);
        assert_eq!((even.len(), wide), (401, Some(2.5)));
    }
}
