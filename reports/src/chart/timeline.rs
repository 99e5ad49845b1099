//! What every lane, such as a node, was when; faults shaded. One panel per group, of one run each.

use super::Plot;
use super::axis::{Axis, Zero};
use super::frame::{LABEL, Swatch, TICK, WIDTH, draw_legend, draw_notes, heading, shorten};
use super::palette::{BLACK, CALM, FAULT, GREY, GRID, WHITE, ink};
use super::scene::{Align, Ink, Scene, Type, text_width};
use crate::natural_order;
use crate::rows::{Fault, Run, Span};
use std::collections::{BTreeMap, BTreeSet};

const PANELS_MAX: usize = 4;
const LANES_MAX: usize = 40;
const SPANS_MAX: usize = 3_000;
const FAULTS_MAX: usize = 200;
const LANE: f64 = 20.0;
const LEFT: f64 = 130.0;
const RIGHT: f64 = WIDTH - 24.0;

/// A run of which something is known over time.
struct Panel<'e> {
    run: &'e Run,
    lanes: Vec<&'e str>,
    spans: Vec<&'e Span>,
    faults: Vec<&'e Fault>,
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
            scene.text(((LEFT + RIGHT) / 2.0, y + 16.0), &x.label, Align::Middle, LABEL);
            y += 22.0;
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
    y = draw_notes(&mut scene, &notes, y + 4.0);
    scene.height = (y + 12.0).ceil();
    scene
}

fn plot_heading(plot: &Plot<'_, '_>, run: &Run) -> String {
    let keys = plot.data.experiment.columns_of(&[crate::Role::Key]).zip(&run.keys);
    let mut keys: Vec<String> = keys.map(|(key, value)| format!("{} {value}", key.name)).collect();
    keys.push(format!("seed {}", run.seed));
    keys.join(", ")
}

fn panel<'e>(plot: &Plot<'_, 'e>, run: &'e Run, notes: &mut Vec<String>) -> Panel<'e> {
    let experiment = plot.data.experiment;
    let spans = experiment.spans.iter().filter(|span| (span.point, span.seed) == (run.point, run.seed));
    let mut spans: Vec<&Span> = spans.collect();
    let mut lanes: Vec<&str> = spans.iter().map(|span| span.lane.as_str()).collect();
    lanes.sort_by(|a, b| natural_order(a, b));
    lanes.dedup();
    let faults = experiment.faults.iter().filter(|fault| (fault.point, fault.seed) == (run.point, run.seed));
    let mut faults: Vec<&Fault> = faults.collect();
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

fn fault_edge() -> Ink {
    FAULT.opacity(0.9)
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
    let across = |seconds: f64| LEFT + x.at(seconds) * (RIGHT - LEFT);
    let heading = shorten(heading, TICK.size, RIGHT - 16.0);
    scene.text((LEFT, top + 10.0), &heading, Align::Left, Type { is_bold: true, ..TICK });
    let strip = top + 18.0;
    let first = strip + if panel.faults.is_empty() { 0.0 } else { LANE };
    let bottom = first + panel.lanes.len() as f64 * LANE;
    for (seconds, _) in &x.ticks {
        scene.line(&[(across(*seconds), strip), (across(*seconds), bottom)], 1.0, GRID, &[]);
    }
    for (at, lane) in panel.lanes.iter().enumerate() {
        let middle = first + (at as f64 + 0.5) * LANE;
        scene.text((LEFT - 8.0, middle + 4.0), &shorten(lane, TICK.size, LEFT - 24.0), Align::Right, TICK);
        scene.line(&[(LEFT, middle), (RIGHT, middle)], 1.0, GRID, &[]);
    }
    for span in &panel.spans {
        let Some(at) = panel.lanes.iter().position(|lane| *lane == span.lane) else { continue };
        let (from, to) = (first + at as f64 * LANE + 3.5, first + (at as f64 + 1.0) * LANE - 3.5);
        let ink = states.iter().find(|(state, _)| *state == span.state).map_or(CALM, |(_, ink)| *ink);
        // Even the shortest span must be seen.
        let right = across(span.to_s).max(across(span.from_s) + 0.8);
        if ink == WHITE {
            let corners =
                [(across(span.from_s), from), (right, from), (right, to), (across(span.from_s), to)];
            scene.rectangle(corners[0], corners[2], WHITE);
            scene.line(&[corners[0], corners[1], corners[2], corners[3], corners[0]], 0.8, GREY, &[2.0, 2.0]);
        } else {
            scene.rectangle((across(span.from_s), from), (right, to), ink);
        }
    }
    draw_faults(scene, panel, &across, strip, bottom);
    scene.line(&[(LEFT, strip), (LEFT, bottom), (RIGHT, bottom)], 1.2, BLACK, &[]);
    for (seconds, text) in &x.ticks {
        let at = across(*seconds);
        scene.line(&[(at, bottom), (at, bottom + 4.0)], 1.0, BLACK, &[]);
        scene.text((at, bottom + 17.0), text, Align::Middle, TICK);
    }
    bottom + 30.0
}

/// Shades fault periods over all lanes and names them in the strip above, where there is room.
fn draw_faults(scene: &mut Scene, panel: &Panel<'_>, across: &impl Fn(f64) -> f64, strip: f64, bottom: f64) {
    if !panel.faults.is_empty() {
        let quiet = Type { ink: GREY, ..TICK };
        scene.text((LEFT - 8.0, strip + LANE / 2.0 + 4.0), "faults", Align::Right, quiet);
    }
    let mut written_to = LEFT;
    for (at, fault) in panel.faults.iter().enumerate() {
        let (from, to) = (across(fault.from_s), across(fault.to_s));
        if fault.to_s > fault.from_s {
            scene.rectangle((from, strip), (to.max(from + 1.0), bottom), FAULT);
        } else {
            scene.line(&[(from, strip), (from, bottom)], 1.4, fault_edge(), &[3.0, 2.0]);
        }
        let next = panel.faults.get(at + 1).map_or(RIGHT, |next| across(next.from_s));
        let name = format!("{} {}", fault.kind, fault.target);
        let start = written_to.max(from + 3.0);
        for name in [name.trim(), fault.kind.as_str()] {
            let wide = text_width(name, 9.5, false);
            if start + wide <= next.max(to).min(RIGHT) && start <= from + 3.0 {
                scene.text((start, strip + 13.0), name, Align::Left, Type { size: 9.5, ..TICK });
                written_to = start + wide + 4.0;
                break;
            }
        }
    }
}
