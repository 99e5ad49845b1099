//! What ran on every node and each of its lanes, such as cores, when: one run, coloured by the group of each bar.

mod bars;
mod ending;
mod rows;

pub(super) use ending::mark;

use super::Plot;
use super::axis::{Axis, Zero};
use super::frame::{LABEL, Swatch, TICK, WIDTH, draw_legend, draw_notes, heading, shorten};
use super::palette::{BLACK, FAULT, GRID, INKS, bar_inks};
use super::scene::{Align, Ink, Point, Scene, Type};
use super::time::Unit;
use super::timeline::{FAULTS_MAX, Field, LEFT, RIGHT, Strip, fault_edge, merged, plot_heading};
use super::with_unit;
use crate::natural_order;
use crate::rows::{Bar, Ending, Fault, Run};
use bars::Piece;
use rows::Rows;
use std::collections::{BTreeMap, BTreeSet};

/// More bars than this make a page too heavy to open.
const DRAWN_MAX: usize = 12_000;
/// The shade of a row whose node is down.
const DOWN: Ink = Ink(0x77, 0x77, 0x77, 0.38);
/// What does not get a colour of its own.
const OTHERS: Ink = Ink(0x8c, 0xb0, 0xa4, 1.0);

/// Draws the first of the selected runs of which bars are known.
pub(super) fn draw(plot: &Plot<'_, '_>) -> Scene {
    let mut scene = Scene { width: WIDTH, height: 0.0, marks: Vec::new() };
    let y = heading(&mut scene, plot.title(), 16.0);
    let experiment = plot.data.experiment;
    let bars = experiment.bars.iter().map(|bar| (bar.point, bar.seed));
    let known: BTreeSet<_> =
        experiment.bar_nodes.iter().map(|node| (node.point, node.seed)).chain(bars).collect();
    let run = plot.runs.iter().copied().find(|run| known.contains(&(run.point, run.seed)));
    let (y, notes) = match run {
        Some(run) => Gantt::new(plot, run).draw(plot, &mut scene, y),
        None => (y, vec!["No run has bars to show.".into()]),
    };
    let y = draw_notes(&mut scene, &plot.captioned(notes), y + 4.0);
    scene.height = (y + 12.0).ceil();
    scene
}

/// One run, laid out.
struct Gantt<'e> {
    run: &'e Run,
    rows: Rows<'e>,
    pieces: Vec<Piece<'e>>,
    /// Where a node was down, by row.
    down: Vec<(usize, f64, f64)>,
    /// What else went wrong, in the unit of the axis.
    faults: Vec<Fault>,
    groups: Groups<'e>,
    x: Axis,
    unit: Unit,
    notes: Vec<String>,
}

impl<'e> Gantt<'e> {
    fn new(plot: &Plot<'_, 'e>, run: &'e Run) -> Gantt<'e> {
        let experiment = plot.data.experiment;
        let id = (run.point, run.seed);
        let kept: Vec<&Bar> = experiment.bars.iter().filter(|bar| (bar.point, bar.seed) == id).collect();
        let nodes = experiment.bar_nodes.iter().filter(|node| (node.point, node.seed) == id);
        let rows = Rows::new(nodes, &kept);
        let mut shown: Vec<(usize, &Bar)> =
            kept.iter().filter_map(|bar| Some((rows.find(&bar.node)?, *bar))).collect();
        // Those that ended first, as a run that is cut off would have them.
        shown.sort_by(|a, b| a.1.to_s.total_cmp(&b.1.to_s));
        shown.truncate(DRAWN_MAX);
        let is_cut = (shown.len() as u64) < rows.bars_shown;
        let faults = experiment.faults.iter().filter(|fault| (fault.point, fault.seed) == id);
        let (down, other): (Vec<&Fault>, Vec<&Fault>) = faults.partition(|fault| is_down(fault));
        let down =
            down.iter().filter_map(|fault| Some((rows.find(&fault.target)?, fault.from_s, fault.to_s)));
        let mut down: Vec<(usize, f64, f64)> = down.collect();
        let mut faults = merged(other.into_iter());
        let ends = shown.iter().map(|(_, bar)| bar.to_s);
        let lasting = down.iter().map(|(.., to)| *to).chain(faults.iter().map(|fault| fault.to_s));
        let end = match is_cut {
            true => ends.fold(0.0, f64::max),
            false => ends.chain(lasting).fold(0.0, f64::max),
        };
        let unit = Unit::of(end);
        down.iter_mut().for_each(|(_, from, to)| (*from, *to) = (unit.at(*from), unit.at(*to)));
        faults.retain(|fault| fault.from_s <= end);
        let mut notes = rows.notes(shown.len(), is_cut.then(|| unit.written(end)));
        if faults.len() > FAULTS_MAX {
            notes.push(format!("The first {FAULTS_MAX} of {} faults are shown.", faults.len()));
            faults.truncate(FAULTS_MAX);
        }
        faults
            .iter_mut()
            .for_each(|fault| (fault.from_s, fault.to_s) = (unit.at(fault.from_s), unit.at(fault.to_s)));
        let own = &plot.chart.x_label;
        let label = with_unit(if own.is_empty() { "simulated time" } else { own }, unit.name);
        let x = Axis::over([0.0, unit.at(end)], false, Zero::Never, label);
        let groups = Groups::new(shown.iter().map(|(_, bar)| *bar));
        let pieces = bars::joined(shown);
        Gantt { run, rows, pieces, down, faults, groups, x, unit, notes }
    }

    /// Draws it from `top` on; gives its lower edge, and what is to be said below.
    fn draw(self, plot: &Plot<'_, '_>, scene: &mut Scene, top: f64) -> (f64, Vec<String>) {
        let bold = Type { is_bold: true, ..TICK };
        scene.text((LEFT, top + 10.0), &plot_heading(plot, self.run), Align::Left, bold);
        let strip = Strip::new(&self.faults, &self.x);
        let field = Field { x: &self.x, top: top + 18.0, lanes: top + 20.0 + strip.height() };
        let bottom = field.lanes + self.rows.height;
        self.rows.draw(scene, field.lanes);
        for (time, _) in &self.x.ticks {
            let at = field.across(*time);
            scene.line(&[(at, field.top), (at, bottom)], 1.0, GRID, &[]);
        }
        for fault in self.faults.iter().filter(|fault| fault.to_s > fault.from_s) {
            let (from, to) = (field.across(fault.from_s), field.across(fault.to_s));
            scene.rectangle((from, field.top), (to.max(from + 1.0), bottom), FAULT);
        }
        for (row, from, to) in &self.down {
            let (upper, lower) = self.rows.edges(*row, field.lanes);
            let (from, to) = (field.across(*from), field.across(*to));
            scene.rectangle((from, upper), (to.max(from + 0.8), lower), DOWN);
        }
        bars::draw(scene, &self, &field);
        for fault in self.faults.iter().filter(|fault| fault.to_s == fault.from_s) {
            let at = field.across(fault.from_s);
            scene.line(&[(at, field.top), (at, bottom)], 1.4, fault_edge(), &[3.0, 2.0]);
        }
        strip.draw(scene, &field);
        scene.line(&[(LEFT, field.top), (LEFT, bottom), (RIGHT, bottom)], 1.2, BLACK, &[]);
        for (time, text) in &self.x.ticks {
            let at = field.across(*time);
            scene.line(&[(at, bottom), (at, bottom + 4.0)], 1.0, BLACK, &[]);
            scene.text((at, bottom + 17.0), text, Align::Middle, TICK);
        }
        let label = shorten(&self.x.label, LABEL.size, RIGHT - LEFT);
        scene.text(((LEFT + RIGHT) / 2.0, bottom + 36.0), &label, Align::Middle, LABEL);
        let y = draw_legend(scene, "", &self.groups.legend(), 16.0, bottom + 42.0);
        (draw_legend(scene, "", &self.signs(), 16.0, y), self.notes)
    }

    /// What the marks at the ends of bars mean, and the shades.
    fn signs(&self) -> Vec<(Swatch, String)> {
        let endings: BTreeSet<Ending> = self.pieces.iter().map(|piece| piece.bar.end).collect();
        let meaning = |ending: Ending| {
            let text = match ending {
                Ending::Done => return None,
                Ending::Failed => "failed",
                Ending::Lost => "lost with its node or lease",
                Ending::Stopped => "stopped",
                Ending::Running => "not over yet",
            };
            Some((Swatch::Ended(ending), text.to_owned()))
        };
        let mut signs: Vec<_> = endings.into_iter().filter_map(meaning).collect();
        if !self.down.is_empty() {
            signs.push((Swatch::Area(DOWN), "node down or paused".into()));
        }
        if self.faults.iter().any(|fault| fault.to_s > fault.from_s) {
            signs.push((Swatch::Area(FAULT), "a fault lasts".into()));
        }
        if self.faults.iter().any(|fault| fault.to_s == fault.from_s) {
            signs.push((Swatch::Moment(fault_edge()), "a fault strikes".into()));
        }
        signs
    }
}

/// Whether a fault is that a node does nothing for a while.
fn is_down(fault: &Fault) -> bool {
    ["crash", "pause"].contains(&fault.kind.as_str())
}

/// Who is drawn in which colour: those that take the most time have their own.
struct Groups<'e> {
    named: Vec<(&'e str, Ink)>,
    others: usize,
}

impl<'e> Groups<'e> {
    fn new(bars: impl Iterator<Item = &'e Bar>) -> Groups<'e> {
        let mut times: BTreeMap<&str, f64> = BTreeMap::new();
        bars.for_each(|bar| *times.entry(&bar.group).or_default() += bar.to_s - bar.from_s);
        let mut ranked: Vec<(&str, f64)> = times.into_iter().collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(natural_order(a.0, b.0)));
        let others = ranked.len().saturating_sub(INKS.len() - 1);
        let mut named: Vec<&str> = ranked.iter().take(INKS.len() - 1).map(|(group, _)| *group).collect();
        named.sort_by(|a, b| natural_order(a, b));
        Groups { named: named.into_iter().zip(bar_inks()).collect(), others }
    }

    fn ink(&self, group: &str) -> Ink {
        self.named.iter().find(|(name, _)| *name == group).map_or(OTHERS, |(_, ink)| *ink)
    }

    fn legend(&self) -> Vec<(Swatch, String)> {
        if let [("", _)] = self.named[..] {
            return Vec::new();
        }
        let name = |group: &str| if group.is_empty() { "(none)".to_owned() } else { group.to_owned() };
        let mut legend: Vec<_> =
            self.named.iter().map(|(group, ink)| (Swatch::Area(*ink), name(group))).collect();
        match self.others {
            0 => {}
            count => legend.push((Swatch::Area(OTHERS), format!("others ({count})"))),
        }
        legend
    }
}

#[cfg(test)]
mod tests;
