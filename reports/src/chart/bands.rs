//! Categories side by side: box and whiskers, and bars with error bars.

use super::axis::{Axis, Zero};
use super::frame::{Frame, Swatch};
use super::palette::{BLACK, GREY, WHITE, ink};
use super::scene::{Ink, Point, Scene};
use super::{Group, Plot, hidden, least_shown, spoken};
use crate::stats::{Pool, quantile};

/// Points beyond the whiskers that are drawn for one box; more would be a smear.
const OUTLIERS_MAX: usize = 100;
/// Categories for which there is room.
const LEVELS_MAX: usize = 60;

/// One box or bar: its category, its series, its values.
struct Cell {
    level: usize,
    /// Its place among the series of its category.
    slot: usize,
    series: usize,
    pool: Pool,
}

/// The cells of a chart and how they share their band.
struct Layout<'e> {
    levels: Vec<&'e str>,
    /// The number of categories, shown or not.
    found: usize,
    groups: Vec<Group<'e>>,
    cells: Vec<Cell>,
    /// Whether each category holds one cell only.
    is_single: bool,
}

impl<'e> Layout<'e> {
    fn new(plot: &Plot<'_, 'e>) -> Layout<'e> {
        let (mut levels, groups) = (plot.levels(), plot.groups());
        let found = levels.len();
        levels.truncate(LEVELS_MAX);
        let is_single =
            plot.chart.group.is_empty() || plot.chart.x.is_empty() || plot.chart.x == plot.chart.group;
        let mut cells = Vec::new();
        for (slot, group) in groups.iter().enumerate() {
            for (level, runs) in plot.data.by_key(plot.levels_key(), &group.runs) {
                let Some(level) = levels.iter().position(|at| *at == level) else { continue };
                cells.push(Cell { level, slot, series: group.series, pool: plot.pool(&runs) });
            }
        }
        Layout { levels, found, groups, cells, is_single }
    }

    /// The left and right edge of a cell.
    fn edges(&self, frame: &Frame, cell: &Cell, fill: f64) -> (f64, f64) {
        let per_band = if self.is_single { 1 } else { self.groups.len() };
        let slot = (frame.band() * 0.8 / per_band as f64).min(90.0);
        let place = if self.is_single { 0.0 } else { cell.slot as f64 };
        let centre = frame.point(cell.level as f64, frame.y.from()).0;
        let middle = centre + (place - (per_band as f64 - 1.0) / 2.0) * slot;
        (middle - slot * fill / 2.0, middle + slot * fill / 2.0)
    }

    fn finish(&self, plot: &Plot<'_, '_>, mut frame: Frame, mut notes: Vec<String>) -> Scene {
        let mut legend = Vec::new();
        if self.found > self.levels.len() {
            notes.push(format!("The first {} of {} categories are shown.", self.levels.len(), self.found));
        }
        if !self.is_single {
            let entry = |group: &Group<'_>| (Swatch::Area(fill(group.series)), group.label.to_owned());
            legend.extend(self.groups.iter().map(entry));
        }
        for reference in &plot.references {
            for cell in &self.cells {
                let group = &self.groups[cell.slot].runs;
                let by_level = plot.data.by_key(plot.levels_key(), group);
                let runs = by_level.iter().find(|(level, _)| *level == self.levels[cell.level]);
                let mean = runs.and_then(|(_, runs)| plot.data.pool(&reference.name, runs).mean());
                let (left, right) = self.edges(&frame, cell, 1.0);
                if let Some(mean) = mean.filter(|mean| frame.y.shows(*mean)) {
                    let y = frame.point(0.0, mean).1;
                    frame.scene.line(&[(left, y), (right, y)], 1.8, GREY, super::frame::DOTTED);
                }
            }
            legend.push((Swatch::Reference(GREY), spoken(&reference.name, &reference.unit)));
        }
        let pools: Vec<&Pool> = self.cells.iter().map(|cell| &cell.pool).collect();
        frame.finish(&plot.chart.group, &legend, &plot.notes(self.unit(plot), &pools, notes))
    }

    fn unit(&self, plot: &Plot<'_, '_>) -> &'static str {
        if plot.chart.kind == crate::ChartKind::Box { "box" } else { "bar" }
    }
}

/// Box and whiskers.
pub(super) fn boxes(plot: &Plot<'_, '_>) -> Scene {
    let layout = Layout::new(plot);
    let is_log = plot.chart.log_y;
    let ends = |pool: &Pool| [least_shown(pool, is_log), pool.quantile(1.0)];
    let shown = layout.cells.iter().flat_map(|cell| ends(&cell.pool)).flatten();
    let label = plot.metric_label(&plot.chart.y_label);
    let y = Axis::over(shown, is_log, Zero::IfNear, label);
    let mut frame = Frame::new(plot.title(), plot.banded(&layout.levels), y);
    let mut left_out = 0;
    for cell in &layout.cells {
        let edges = layout.edges(&frame, cell, 0.62);
        left_out += draw_box(&mut frame, edges, cell);
    }
    let mut notes = vec![
        "Box: first to third quartile, line: median, diamond: mean; whiskers: the furthest values within 1.5 times \
         the box's height; dots: values beyond."
            .to_owned(),
    ];
    if left_out > 0 {
        notes.push(format!("Of the dots, {left_out} are left out."));
    }
    let all = layout.cells.iter().flat_map(|cell| cell.pool.ascending());
    notes.extend(hidden(all.filter(|value| !frame.y.shows(**value)).count(), "value"));
    layout.finish(plot, frame, notes)
}

/// Draws one box and gives the number of outliers left out.
fn draw_box(frame: &mut Frame, (left, right): (f64, f64), cell: &Cell) -> usize {
    let values = cell.pool.ascending();
    let [Some(first), Some(median), Some(third)] = [0.25, 0.5, 0.75].map(|p| quantile(values, p)) else {
        return 0;
    };
    // As it is drawn: on a logarithmic axis the box has another height, and what it cannot show is at its foot.
    let scaled = |value: f64| if frame.y.is_log() { libm::log(value.max(frame.y.from())) } else { value };
    let reach = 1.5 * (scaled(third) - scaled(first));
    let is_within =
        |value: &&f64| scaled(**value) >= scaled(first) - reach && scaled(**value) <= scaled(third) + reach;
    let low = values.iter().find(is_within).copied().unwrap_or(first).min(first);
    let high = values.iter().rev().find(is_within).copied().unwrap_or(third).max(third);
    let at = |value: f64| frame.point(0.0, value).1;
    let (low, first, median, third, high) = (at(low), at(first), at(median), at(third), at(high));
    let mean = cell.pool.mean().filter(|mean| frame.y.shows(*mean)).map(at);
    let beyond = || values.iter().filter(|value| !is_within(value));
    let is_on_axis = |value: &&f64| !frame.y.is_log() || **value >= frame.y.from();
    let outliers: Vec<f64> = beyond().filter(is_on_axis).map(|value| at(*value)).collect();
    let total = beyond().filter(|value| frame.y.shows(**value)).count();
    let middle = (left + right) / 2.0;
    let cap = (right - left) / 4.0;
    let edge = ink(cell.series);
    let scene = &mut frame.scene;
    for (from, to) in [(first, low), (third, high)] {
        scene.line(&[(middle, from), (middle, to)], 1.4, edge, &[]);
        scene.line(&[(middle - cap, to), (middle + cap, to)], 1.4, edge, &[]);
    }
    scene.rectangle((left, third), (right, first), WHITE);
    scene.rectangle((left, third), (right, first), fill(cell.series));
    outline(scene, (left, third), (right, first), edge);
    scene.line(&[(left, median), (right, median)], 2.6, BLACK, &[]);
    let every = outliers.len().div_ceil(OUTLIERS_MAX).max(1);
    for y in outliers.iter().step_by(every) {
        scene.disc((middle, *y), 1.9, edge.opacity(0.6));
    }
    if let Some(y) = mean {
        for (radius, ink) in [(5.2, BLACK), (3.8, WHITE)] {
            let (x, r) = (middle, radius);
            scene.polygon(vec![(x, y - r), (x + r, y), (x, y + r), (x - r, y)], ink);
        }
    }
    total - outliers.len().div_ceil(every)
}

/// Bars with error bars.
pub(super) fn bars(plot: &Plot<'_, '_>) -> Scene {
    let layout = Layout::new(plot);
    let bounds = plot.bounds();
    let interval = |pool: &Pool| bounds.interval(pool.means());
    let shown = layout.cells.iter().flat_map(|cell| {
        let ends = interval(&cell.pool).map(|ends| [ends.low, ends.high]);
        cell.pool.mean().into_iter().chain(ends.into_iter().flatten())
    });
    let label = plot.metric_label(&plot.chart.y_label);
    let y = Axis::over(shown, plot.chart.log_y, Zero::Always, label);
    let mut frame = Frame::new(plot.title(), plot.banded(&layout.levels), y);
    let foot = if plot.chart.log_y { frame.y.from() } else { 0.0 };
    for cell in &layout.cells {
        let Some(mean) = cell.pool.mean().filter(|mean| frame.y.shows(*mean)) else { continue };
        let (left, right) = layout.edges(&frame, cell, 0.82);
        let (top, bottom) = (frame.point(0.0, mean.max(foot)).1, frame.point(0.0, mean.min(foot)).1);
        let series = cell.series;
        frame.scene.rectangle((left, top), (right, bottom), WHITE);
        frame.scene.rectangle((left, top), (right, bottom), fill(series));
        outline(&mut frame.scene, (left, top), (right, bottom), ink(series));
        if let Some(ends) = interval(&cell.pool) {
            let (low, high) = (frame.point(0.0, ends.low).1, frame.point(0.0, ends.high).1);
            let (middle, cap) = ((left + right) / 2.0, ((right - left) / 5.0).min(7.0));
            frame.scene.line(&[(middle, low), (middle, high)], 1.6, BLACK, &[]);
            for y in [low, high] {
                frame.scene.line(&[(middle - cap, y), (middle + cap, y)], 1.6, BLACK, &[]);
            }
        }
    }
    let means: Vec<&[f64]> = layout.cells.iter().map(|cell| cell.pool.means()).collect();
    let mut notes = vec![bounds.note("Bars are means; error bars are", &means)];
    if plot.chart.log_y {
        notes.push("Bars begin where the logarithmic axis does, not at zero.".into());
        let all = layout.cells.iter().filter_map(|cell| cell.pool.mean());
        notes.extend(hidden(all.filter(|mean| !frame.y.shows(*mean)).count(), "mean"));
    }
    layout.finish(plot, frame, notes)
}

/// The tint of a series: its lightness differs from its neighbours' in grey print, too.
fn fill(series: usize) -> Ink {
    ink(series).opacity([0.7, 0.25, 0.5, 0.4, 0.8, 0.9, 0.3, 0.6, 0.2, 0.8, 0.15, 0.85][series % 12])
}

fn outline(scene: &mut Scene, from: Point, to: Point, ink: Ink) {
    let corners = [from, (to.0, from.1), to, (from.0, to.1), from];
    scene.line(&corners, 1.4, ink, &[]);
}
