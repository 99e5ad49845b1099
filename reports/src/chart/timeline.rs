//! What every lane, such as a node, was when; faults shaded. One panel per group, of one run each.

use super::Plot;
use super::axis::{Axis, Zero};
use super::frame::{LABEL, Swatch, TICK, WIDTH, draw_legend, draw_notes, heading, shorten, shorten_bold};
use super::palette::{BLACK, CALM, FAULT, GREY, GRID, WHITE, ink};
use super::scene::{Align, Ink, Scene, Type, text_width};
use crate::natural_order;
use crate::rows::{Fault, Run, Span};
use std::collections::{BTreeMap, BTreeSet};

const PANELS_MAX: usize = 4;
const LANES_MAX: usize = 40;
const SPANS_MAX: usize = 3_000;
pub(super) const FAULTS_MAX: usize = 200;
const FAULT_ROWS_MAX: usize = 4;
const LANE: f64 = 21.0;
const BAR: f64 = 12.0;
const FAULT_ROW: f64 = 15.0;
const SMALL: Type = Type { size: 9.0, ..TICK };
pub(super) const LEFT: f64 = 130.0;
pub(super) const RIGHT: f64 = WIDTH - 24.0;

/// A run of which something is known over time.
struct Panel<'e> {
    run: &'e Run,
    lanes: Vec<&'e str>,
    spans: Vec<&'e Span>,
    faults: Vec<Fault>,
}

/// Draws one panel for each group: the first of its runs that has spans.
pub(super) fn draw(plot: &Plot<'_, '_>) -> Scene {
    let known: BTreeSet<(u32, u64)> =
        plot.data.experiment.spans.iter().map(|span| (span.point, span.seed)).collect();
    let groups = plot.data.by_key(&plot.chart.group, &plot.runs);
    let mut notes = Vec::new();
    let found: Vec<&Run> = groups
        .iter()
        .filter_map(|(_, runs)| runs.iter().copied().find(|run| known.contains(&(run.point, run.seed))))
        .collect();
    if found.len() > PANELS_MAX {
        notes.push(format!("The first {PANELS_MAX} of {} runs are shown.", found.len()));
    }
    let panels: Vec<Panel<'_>> =
        found.into_iter().take(PANELS_MAX).map(|run| panel(plot, run, &mut notes)).collect();
    let ends = panels.iter().flat_map(|panel| panel.spans.iter().map(|span| span.to_s));
    let label = if plot.chart.x_label.is_empty() { "simulated time (s)" } else { &plot.chart.x_label };
    let x = Axis::over(ends.chain([0.0]), plot.chart.log_x, Zero::Never, label.into());
    let states = inks_of_states(&panels);
    let mut scene = Scene { width: WIDTH, height: 0.0, marks: Vec::new() };
    let mut y = heading(&mut scene, plot.title(), 16.0);
    for (at, panel) in panels.iter().enumerate() {
        y = draw_panel(&mut scene, &plot_heading(plot, panel.run), panel, &x, &states, y);
        if at + 1 == panels.len() {
            scene.text(((LEFT + RIGHT) / 2.0, y + 8.0), &x.label, Align::Middle, LABEL);
            y += 14.0;
        }
    }
    if panels.is_empty() {
        notes.insert(0, "No run has spans to show.".into());
    }
    let mut legend: Vec<(Swatch, String)> =
        states.iter().map(|(state, ink)| (Swatch::Area(*ink), (*state).to_owned())).collect();
    let faults = || panels.iter().flat_map(|panel| &panel.faults);
    if faults().any(|fault| fault.to_s > fault.from_s) {
        legend.push((Swatch::Area(FAULT), "a fault lasts".into()));
    }
    if faults().any(|fault| fault.to_s == fault.from_s) {
        legend.push((Swatch::Moment(fault_edge()), "a fault strikes".into()));
    }
    y = draw_legend(&mut scene, "", &legend, 16.0, y + 4.0);
    notes.insert(0, "Each panel is one run.".into());
    y = draw_notes(&mut scene, &plot.captioned(notes), y + 4.0);
    scene.height = (y + 12.0).ceil();
    scene
}

/// Which run a panel shows: its keys with their values; where that is too long the values alone, the group's first.
pub(super) fn plot_heading(plot: &Plot<'_, '_>, run: &Run) -> String {
    let columns = plot.data.experiment.columns_of(&[crate::Role::Key]);
    let mut keys: Vec<(&str, &str)> =
        columns.zip(&run.keys).map(|(key, value)| (key.name.as_str(), value.as_str())).collect();
    let seed = format!("seed {}", run.seed);
    let named = keys.iter().map(|(key, value)| format!("{key} {value}"));
    let whole = named.chain([seed.clone()]).collect::<Vec<_>>().join(", ");
    if text_width(&whole, TICK.size, true) <= RIGHT - LEFT {
        return whole;
    }
    keys.sort_by_key(|(key, _)| *key != plot.chart.group);
    let values =
        keys.into_iter().map(|(_, value)| value).chain([seed.as_str()]).collect::<Vec<_>>().join(", ");
    shorten_bold(&values, TICK.size, RIGHT - LEFT)
}

fn panel<'e>(plot: &Plot<'_, 'e>, run: &'e Run, notes: &mut Vec<String>) -> Panel<'e> {
    let experiment = plot.data.experiment;
    let spans = experiment.spans.iter().filter(|span| (span.point, span.seed) == (run.point, run.seed));
    let mut spans: Vec<&Span> = spans.collect();
    let mut lanes: Vec<&str> = spans.iter().map(|span| span.lane.as_str()).collect();
    lanes.sort_by(|a, b| natural_order(a, b));
    lanes.dedup();
    let faults = experiment.faults.iter().filter(|fault| (fault.point, fault.seed) == (run.point, run.seed));
    let mut faults = merged(faults);
    let mut limit = |what: &str, count: usize, most: usize| {
        if count > most {
            notes.push(format!("The first {most} of {count} {what} are shown."));
        }
    };
    limit("lanes", lanes.len(), LANES_MAX);
    limit("spans", spans.len(), SPANS_MAX);
    limit("faults", faults.len(), FAULTS_MAX);
    lanes.truncate(LANES_MAX);
    spans.truncate(SPANS_MAX);
    faults.truncate(FAULTS_MAX);
    Panel { run, lanes, spans, faults }
}

/// Faults of one kind and period as one, with all their targets.
pub(super) fn merged<'e>(faults: impl Iterator<Item = &'e Fault>) -> Vec<Fault> {
    let mut merged: Vec<Fault> = Vec::new();
    for fault in faults {
        let is_same =
            |at: &&mut Fault| (&at.kind, at.from_s, at.to_s) == (&fault.kind, fault.from_s, fault.to_s);
        // Those that strike together stand together.
        match merged.iter_mut().rev().take(100).find(is_same) {
            Some(at) if at.target.split(", ").any(|target| target == fault.target) => {}
            Some(at) => at.target = format!("{}, {}", at.target, fault.target),
            None => merged.push(fault.clone()),
        }
    }
    merged
}

/// The state of most of the time is the calm background, `down` is empty, the others take colours by rank.
fn inks_of_states<'e>(panels: &[Panel<'e>]) -> Vec<(&'e str, Ink)> {
    let mut times: BTreeMap<&str, f64> = BTreeMap::new();
    for span in panels.iter().flat_map(|panel| &panel.spans) {
        *times.entry(&span.state).or_default() += span.to_s - span.from_s;
    }
    let is_down = |state: &str| ["down", "crashed", "off"].contains(&state);
    let mut states: Vec<(&str, f64)> = times.into_iter().collect();
    states.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
    let calm = states.iter().position(|(state, _)| !is_down(state));
    let mut series = 0..;
    let mut colour = |at: usize, state: &str| {
        if is_down(state) {
            WHITE
        } else if Some(at) == calm {
            CALM
        } else {
            series.next().map_or(CALM, ink)
        }
    };
    states.into_iter().enumerate().map(|(at, (state, _))| (state, colour(at, state))).collect()
}

/// The line of a fault that strikes at a moment, and the bars that name faults.
pub(super) fn fault_edge() -> Ink {
    FAULT.opacity(0.85)
}

/// Where a panel's lanes begin and end, and how time runs across.
pub(super) struct Field<'x> {
    pub(super) x: &'x Axis,
    pub(super) top: f64,
    pub(super) lanes: f64,
}

impl Field<'_> {
    pub(super) fn across(&self, seconds: f64) -> f64 {
        LEFT + self.x.at(seconds) * (RIGHT - LEFT)
    }
}

/// Draws one panel from `top` on and gives its lower edge.
fn draw_panel(
    scene: &mut Scene,
    heading: &str,
    panel: &Panel<'_>,
    x: &Axis,
    states: &[(&str, Ink)],
    top: f64,
) -> f64 {
    scene.text((LEFT, top + 10.0), heading, Align::Left, Type { is_bold: true, ..TICK });
    let strip = Strip::new(&panel.faults, x);
    let lanes = top + 20.0 + strip.height();
    let bottom = lanes + panel.lanes.len() as f64 * LANE;
    let field = Field { x, top: top + 18.0, lanes };
    for (seconds, _) in &x.ticks {
        let at = field.across(*seconds);
        scene.line(&[(at, field.top), (at, bottom)], 1.0, GRID, &[]);
    }
    for fault in &panel.faults {
        let (from, to) = (field.across(fault.from_s), field.across(fault.to_s));
        if fault.to_s > fault.from_s {
            scene.rectangle((from, field.top), (to.max(from + 1.0), bottom), FAULT);
        }
    }
    draw_lanes(scene, panel, &field, states);
    for fault in panel.faults.iter().filter(|fault| fault.to_s == fault.from_s) {
        let at = field.across(fault.from_s);
        scene.line(&[(at, field.top), (at, bottom)], 1.4, fault_edge(), &[3.0, 2.0]);
    }
    strip.draw(scene, &field);
    scene.line(&[(LEFT, field.top), (LEFT, bottom), (RIGHT, bottom)], 1.2, BLACK, &[]);
    for (seconds, text) in &x.ticks {
        let at = field.across(*seconds);
        scene.line(&[(at, bottom), (at, bottom + 4.0)], 1.0, BLACK, &[]);
        scene.text((at, bottom + 17.0), text, Align::Middle, TICK);
    }
    bottom + 30.0
}

fn draw_lanes(scene: &mut Scene, panel: &Panel<'_>, field: &Field<'_>, states: &[(&str, Ink)]) {
    for (at, lane) in panel.lanes.iter().enumerate() {
        let middle = field.lanes + (at as f64 + 0.5) * LANE;
        scene.text((LEFT - 8.0, middle + 4.0), &shorten(lane, TICK.size, LEFT - 24.0), Align::Right, TICK);
    }
    for span in &panel.spans {
        let Some(at) = panel.lanes.iter().position(|lane| *lane == span.lane) else { continue };
        let middle = field.lanes + (at as f64 + 0.5) * LANE;
        let (from, to) = (middle - BAR / 2.0, middle + BAR / 2.0);
        let ink = states.iter().find(|(state, _)| *state == span.state).map_or(CALM, |(_, ink)| *ink);
        let left = field.across(span.from_s);
        // Even the shortest span must be seen.
        let right = field.across(span.to_s).max(left + 0.8);
        scene.rectangle((left, from), (right, to), ink);
        if ink == WHITE {
            let corners = [(left, from), (right, from), (right, to), (left, to), (left, from)];
            scene.line(&corners, 0.9, GREY, &[2.0, 2.0]);
        }
    }
}

/// The faults above the lanes, by name, in as few rows as keep them apart.
pub(super) struct Strip<'e> {
    rows: usize,
    /// Each fault with its row, and whether there is room for its name.
    faults: Vec<(&'e Fault, usize, bool)>,
}

impl<'e> Strip<'e> {
    pub(super) fn new(faults: &'e [Fault], x: &Axis) -> Strip<'e> {
        let across = |seconds: f64| LEFT + x.at(seconds) * (RIGHT - LEFT);
        let mut sorted: Vec<&Fault> = faults.iter().collect();
        sorted.sort_by(|a, b| a.from_s.total_cmp(&b.from_s).then(b.to_s.total_cmp(&a.to_s)));
        let mut ends = [f64::MIN; FAULT_ROWS_MAX];
        let mut placed = Vec::new();
        for fault in sorted {
            let from = across(fault.from_s);
            let bar = across(fault.to_s).max(from + 3.0);
            let wide = text_width(&name(fault), SMALL.size, false) + 4.0;
            let start = name_start(from, wide);
            let free = (0..FAULT_ROWS_MAX).find(|row| ends[*row] <= start);
            let row = free.or_else(|| (0..FAULT_ROWS_MAX).find(|row| ends[*row] <= from)).unwrap_or(0);
            ends[row] = ends[row].max(bar).max(if free.is_some() { start + wide + 4.0 } else { bar });
            placed.push((fault, row, free.is_some()));
        }
        let rows = placed.iter().map(|(_, row, _)| row + 1).max().unwrap_or(0);
        Strip { rows, faults: placed }
    }

    pub(super) fn height(&self) -> f64 {
        self.rows as f64 * FAULT_ROW
    }

    pub(super) fn draw(&self, scene: &mut Scene, field: &Field<'_>) {
        if self.rows > 0 {
            let quiet = Type { ink: GREY, ..TICK };
            scene.text((LEFT - 8.0, field.top + 13.0), "faults", Align::Right, quiet);
        }
        for (fault, row, is_named) in &self.faults {
            let top = field.top + 3.0 + *row as f64 * FAULT_ROW;
            let (from, to) = (field.across(fault.from_s), field.across(fault.to_s));
            scene.rectangle((from, top + 9.5), (to.max(from + 2.0), top + 12.5), fault_edge());
            if *is_named {
                let start = name_start(from, text_width(&name(fault), SMALL.size, false) + 4.0);
                scene.text((start + 1.0, top + 7.5), &name(fault), Align::Left, SMALL);
            }
        }
    }
}

/// Where a fault's name begins: where the fault does, unless it would leave the sheet.
fn name_start(from: f64, wide: f64) -> f64 {
    from.min(RIGHT + 8.0 - wide)
}

fn name(fault: &Fault) -> String {
    shorten(format!("{} {}", fault.kind, fault.target).trim(), SMALL.size, 160.0)
}
