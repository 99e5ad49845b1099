//! How values are distributed: empirical distribution functions and histograms.

use super::axis::{Axis, Zero};
use super::frame::{DOTTED, Frame, Swatch};
use super::palette::{GREY, dashes, ink, marker};
use super::scene::{Point, Scene};
use super::{Group, Plot, hidden, least_shown, spoken};
use crate::stats::{Pool, dkw_half_width, quantile};

/// Steps drawn of one distribution function: beyond, ranks are thinned, to an error of less than a pixel.
const STEPS_MAX: usize = 600;
const BINS_MAX: usize = 60;

/// One step line per series.
pub(super) fn cdf(plot: &Plot<'_, '_>) -> Scene {
    let series = pools(plot);
    let ends = |pool: &Pool| [least_shown(pool, plot.chart.log_x), pool.quantile(1.0)];
    let values = series.iter().flat_map(|(_, pool)| ends(pool)).flatten();
    let x = Axis::over(values, plot.chart.log_x, Zero::IfNear, plot.metric_label(&plot.chart.x_label));
    let own = if plot.chart.y_label.is_empty() { "share of values at most x" } else { &plot.chart.y_label };
    let y = Axis::over([0.0, 1.0], false, Zero::Always, own.into());
    let mut frame = Frame::new(plot.title(), x, y);
    let is_independent = series.iter().all(|(_, pool)| pool.is_one_per_run());
    // Bands of many series only hide each other.
    let has_band = is_independent && series.len() <= 2 && series.iter().all(|(_, pool)| pool.runs() > 1);
    for (group, pool) in series.iter().filter(|_| has_band) {
        let reach = dkw_half_width(pool.runs());
        let high = steps(&frame, pool, reach);
        let low = steps(&frame, pool, -reach);
        frame.scene.polygon(
            high.into_iter().chain(low.into_iter().rev()).collect(),
            ink(group.series).opacity(0.12),
        );
    }
    for (Group { series, .. }, pool) in &series {
        let points = steps(&frame, pool, 0.0);
        frame.scene.line(&points, 2.0, ink(*series), dashes(*series));
        for p in [0.25, 0.5, 0.75] {
            if let Some(value) = on_curve(pool, p).filter(|value| *value >= frame.x.from()) {
                let at = frame.point(value, p);
                marker(&mut frame.scene, *series, at, 3.6);
            }
        }
    }
    let mut notes = vec!["Markers: quartiles.".to_owned()];
    let all = series.iter().flat_map(|(_, pool)| pool.ascending());
    let left = all.filter(|value| frame.x.shows(**value) && **value < frame.x.from()).count();
    if left > 0 {
        notes.push(format!("Values left of the axis: {left}."));
    }
    if has_band {
        notes.push(
            "Each band contains its whole true curve with 95 % confidence (Dvoretzky-Kiefer-Wolfowitz)."
                .into(),
        );
    } else if !is_independent {
        notes.push("Values of one run depend on each other, so no band is drawn.".into());
    }
    finish(plot, frame, &series, Swatch::Line, notes)
}

/// The outline of the relative frequencies, one per series, over common bins.
pub(super) fn histogram(plot: &Plot<'_, '_>) -> Scene {
    let series = pools(plot);
    let is_log = plot.chart.log_x;
    let position = |value: f64| if is_log { libm::log10(value) } else { value };
    let shown = series.iter().flat_map(|(_, pool)| pool.ascending().iter().copied());
    let mut all: Vec<f64> = shown.filter(|value| !is_log || *value > 0.0).map(position).collect();
    all.sort_by(f64::total_cmp);
    let edges = if is_log { bin_edges(&all) } else { whole_bins(&all).unwrap_or_else(|| bin_edges(&all)) };
    let back = |edge: f64| if is_log { libm::pow(10.0, edge) } else { edge };
    let counts: Vec<Vec<f64>> = series.iter().map(|(_, pool)| shares(pool, &edges, position)).collect();
    let label = plot.metric_label(&plot.chart.x_label);
    let zero = if all.first().is_some_and(|least| edges[0] < 0.0 && *least >= 0.0) {
        Zero::Never
    } else {
        Zero::IfNear
    };
    let x = Axis::over(edges.iter().map(|edge| back(*edge)), is_log, zero, label);
    let own = if plot.chart.y_label.is_empty() { "share of values" } else { &plot.chart.y_label };
    let highest = counts.iter().flatten().copied().fold(0.0, f64::max);
    let y = Axis::over([0.0, highest], false, Zero::Always, format!("{own} (%)"));
    let mut frame = Frame::new(plot.title(), x, y);
    for ((group, _), shares) in series.iter().zip(&counts) {
        let mut outline = Vec::new();
        let first = shares.iter().position(|share| *share > 0.0).unwrap_or(0);
        let last = shares.iter().rposition(|share| *share > 0.0).unwrap_or(0);
        for (bin, share) in shares.iter().enumerate().take(last + 1).skip(first) {
            outline.extend([edges[bin], edges[bin + 1]].map(|edge| frame.point(back(edge), *share)));
        }
        if let (Some(first), Some(last)) = (outline.first().copied(), outline.last().copied()) {
            outline.insert(0, (first.0, frame.bottom));
            outline.push((last.0, frame.bottom));
        }
        frame.scene.polygon(outline.clone(), ink(group.series).opacity(0.14));
        frame.scene.line(&outline, 1.8, ink(group.series), dashes(group.series));
    }
    let note =
        format!("{} bins of equal width{}.", edges.len() - 1, if is_log { " in the logarithm" } else { "" });
    finish(plot, frame, &series, Swatch::Bare, vec![note])
}

fn pools<'e>(plot: &Plot<'_, 'e>) -> Vec<(Group<'e>, Pool)> {
    let with_pool = |group: Group<'e>| {
        let pool = plot.pool(&group.runs);
        (group, pool)
    };
    plot.groups().into_iter().map(with_pool).collect()
}

fn finish(
    plot: &Plot<'_, '_>,
    mut frame: Frame,
    series: &[(Group<'_>, Pool)],
    swatch: fn(usize) -> Swatch,
    mut notes: Vec<String>,
) -> Scene {
    let mut legend = Vec::new();
    if !plot.chart.group.is_empty() {
        legend.extend(series.iter().map(|(group, _)| (swatch(group.series), group.label.to_owned())));
    }
    for reference in &plot.references {
        let mean = plot.data.pool(&reference.name, &plot.runs).mean().filter(|mean| frame.x.shows(*mean));
        if let Some(mean) = mean {
            let x = frame.point(mean, 0.0).0;
            frame.scene.line(&[(x, frame.top), (x, frame.bottom)], 1.6, GREY, DOTTED);
            legend.push((Swatch::Reference(GREY), spoken(&reference.name, &reference.unit)));
        }
    }
    let all = series.iter().flat_map(|(_, pool)| pool.ascending());
    notes.extend(hidden(all.filter(|value| !frame.x.shows(**value)).count(), "value"));
    let pools: Vec<&Pool> = series.iter().map(|(_, pool)| pool).collect();
    let notes = plot.notes("curve", &pools, notes);
    frame.finish(&plot.chart.group, &legend, &notes)
}

/// Where a distribution function reaches `p`: a value that was seen, not one between two of them.
fn on_curve(pool: &Pool, p: f64) -> Option<f64> {
    let values = pool.ascending();
    let rank = (p * values.len() as f64).ceil() as usize;
    values.get(rank.max(1) - 1).copied()
}

/// The corners of a distribution function, raised by `lift` and cut to 0..1. Values left of the axis lift its
/// beginning; a lifted one goes on to both ends of the axis, because what it bounds does.
fn steps(frame: &Frame, pool: &Pool, lift: f64) -> Vec<Point> {
    let values = pool.ascending();
    let total = values.len();
    let every = total.div_ceil(STEPS_MAX).max(1);
    let height = |rank: usize| (rank as f64 / total as f64 + lift).clamp(0.0, 1.0);
    let mut last = values.partition_point(|value| *value < frame.x.from());
    let mut points = Vec::new();
    if total > 0 && (last > 0 || lift != 0.0) {
        points.push(frame.point(frame.x.from(), height(last)));
    }
    for rank in (last..total).step_by(every).chain(total.checked_sub(1)) {
        // Equal values are one step.
        let reached = values.partition_point(|value| *value <= values[rank]);
        if reached > last {
            points.push(frame.point(values[rank], height(last)));
            points.push(frame.point(values[rank], height(reached)));
            last = reached;
        }
    }
    if total > 0 && (last > 0 && values[total - 1] < frame.x.from() || lift != 0.0) {
        points.push(frame.point(frame.x.to(), height(total)));
    }
    points
}

/// For counts: bins that hold the same number of whole numbers each, so that none is favoured.
fn whole_bins(ascending: &[f64]) -> Option<Vec<f64>> {
    let (low, high) = (*ascending.first()?, *ascending.last()?);
    let is_whole = ascending.iter().all(|value| value.fract() == 0.0);
    if !is_whole || low == high || high - low > 1e15 {
        return None;
    }
    let least = ((high - low + 1.0) / BINS_MAX as f64).ceil();
    let wide = bin_width(ascending).round().max(least);
    let bins = ((high - low + 1.0) / wide).ceil() as usize;
    Some((0..=bins).map(|edge| low - 0.5 + edge as f64 * wide).collect())
}

/// Edges of equal bins, between 5 and [`BINS_MAX`] of them.
fn bin_edges(ascending: &[f64]) -> Vec<f64> {
    let (low, high) = match (ascending.first(), ascending.last()) {
        (Some(low), Some(high)) if low < high => (*low, *high),
        (Some(only), _) => {
            let half = if *only == 0.0 { 0.5 } else { only.abs() / 4.0 };
            return [-3.0, -1.0, 1.0, 3.0].map(|step| only + step * half).to_vec();
        }
        _ => (0.0, 1.0),
    };
    let width = bin_width(ascending);
    let wanted = if width > 0.0 { (high - low) / width } else { 10.0 };
    let bins = (wanted.ceil() as usize).clamp(5, BINS_MAX);
    (0..=bins).map(|edge| low + (high - low) * edge as f64 / bins as f64).collect()
}

/// Freedman and Diaconis' rule: twice the interquartile range over the cube root of n.
fn bin_width(ascending: &[f64]) -> f64 {
    let quartile = |p| quantile(ascending, p).unwrap_or(0.0);
    2.0 * (quartile(0.75) - quartile(0.25)) / libm::cbrt(ascending.len().max(1) as f64)
}

/// The percentage of the pool's values in each bin.
fn shares(pool: &Pool, edges: &[f64], position: impl Fn(f64) -> f64) -> Vec<f64> {
    let bins = edges.len() - 1;
    let mut shares = vec![0.0; bins];
    let values = pool.ascending();
    for at in values.iter().map(|value| position(*value)).filter(|at| at.is_finite()) {
        let bin = edges.partition_point(|edge| *edge <= at).saturating_sub(1).min(bins - 1);
        shares[bin] += 100.0 / values.len() as f64;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_hold_everything_once() {
        let values: Vec<f64> = (0..1000).map(|i| f64::from(i % 97)).collect();
        let pool = Pool::new(values.iter().map(std::slice::from_ref));
        let shares = shares(&pool, &bin_edges(pool.ascending()), |value| value);
        assert!((shares.iter().sum::<f64>() - 100.0).abs() < 1e-9);
        assert_eq!(bin_edges(&[]).len(), 11);
        assert_eq!(bin_edges(&[4.0, 4.0]), [1.0, 3.0, 5.0, 7.0]);
        assert_eq!(whole_bins(&[0.0, 0.0, 2.0]).unwrap(), [-0.5, 0.5, 1.5, 2.5]);
        assert!(whole_bins(&[0.0, 2.5]).is_none() && whole_bins(&[0.0, 2e9]).unwrap().len() <= BINS_MAX + 1);
    }
}
