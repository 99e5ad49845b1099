//! The bars themselves: those of several lanes as one, with label, hatching and the mark of their end.

use super::{Align, Field, Gantt, Point, Scene, TICK, Type, ending, mark};
use crate::chart::palette::{BLACK, WHITE};
use crate::chart::scene::{Ink, text_width};
use crate::rows::{Bar, Ending};
use std::collections::BTreeMap;

/// Bars that are lower than this have no label.
const LABELLED: f64 = 8.5;
const HATCHED_MAX: usize = 4_000;
/// A bar that would not widen what is drawn by so much is not drawn again.
const SEEN: f64 = 0.1;

/// A bar over neighbouring lanes of a node.
pub(super) struct Piece<'e> {
    row: usize,
    lane: f64,
    lanes: f64,
    pub(super) bar: &'e Bar,
}

/// Bars of one thing on neighbouring lanes as one, in the order in which they begin.
pub(super) fn joined(mut shown: Vec<(usize, &Bar)>) -> Vec<Piece<'_>> {
    let key = |(row, bar): &(usize, &Bar)| (*row, bar.from_s.to_bits(), bar.to_s.to_bits(), bar.end);
    shown.sort_by(|a, b| {
        let names = |bar: &Bar| (bar.label.clone(), bar.group.clone(), bar.lane);
        key(a).cmp(&key(b)).then_with(|| names(a.1).cmp(&names(b.1)))
    });
    let mut pieces: Vec<Piece<'_>> = Vec::new();
    for (row, bar) in shown {
        let lane = f64::from(bar.lane);
        let is_one = |piece: &&mut Piece<'_>| {
            piece.lane + piece.lanes == lane
                && key(&(piece.row, piece.bar)) == key(&(row, bar))
                && (&piece.bar.label, &piece.bar.group) == (&bar.label, &bar.group)
        };
        match pieces.last_mut().filter(is_one) {
            Some(piece) => piece.lanes += 1.0,
            None => pieces.push(Piece { row, lane, lanes: 1.0, bar }),
        }
    }
    pieces.sort_by(|a, b| a.bar.from_s.total_cmp(&b.bar.from_s));
    pieces
}

/// Where a piece stands.
#[derive(Clone, Copy)]
pub(super) struct Box {
    pub(super) from: Point,
    pub(super) to: Point,
}

impl Box {
    pub(super) fn width(&self) -> f64 {
        self.to.0 - self.from.0
    }

    pub(super) fn height(&self) -> f64 {
        self.to.1 - self.from.1
    }
}

pub(super) fn draw(scene: &mut Scene, gantt: &Gantt<'_>, field: &Field<'_>) {
    let mut reached: BTreeMap<(usize, u64), (f64, Ink)> = BTreeMap::new();
    let mut marked: BTreeMap<(usize, u64, Ending), f64> = BTreeMap::new();
    let mut signs = Vec::new();
    let mut hatched = 0;
    for piece in &gantt.pieces {
        let place = place(piece, gantt, field);
        let ink = gantt.groups.ink(&piece.bar.group);
        let lane = (piece.row, piece.lane as u64);
        let last = reached.get(&lane).filter(|(right, last)| place.to.0 < right + SEEN && *last == ink);
        if last.is_none() || piece.lanes > 1.0 {
            reached.insert(lane, (place.to.0, ink));
            scene.rectangle(place.from, place.to, ink);
            // What follows at once is another bar.
            if place.width() > 3.0 {
                scene.line(&[place.from, (place.from.0, place.to.1)], 0.7, WHITE, &[]);
            }
        }
        let is_wasted = !matches!(piece.bar.end, Ending::Done | Ending::Running);
        let named_to = label(scene, piece.bar, place, ink);
        if is_wasted && place.width() > 2.5 && hatched < HATCHED_MAX {
            hatched += 1;
            ending::hatch(scene, Box { from: (named_to, place.from.1), ..place });
        }
        let radius = (place.height() * 0.4).clamp(2.0, 4.2);
        let sign = marked.entry((lane.0, lane.1, piece.bar.end)).or_insert(f64::MIN);
        // Marks upon each other say no more than one.
        if piece.bar.end != Ending::Done && place.to.0 > *sign + radius {
            *sign = place.to.0;
            signs.push((piece.bar.end, sign_at(place, radius), radius));
        }
    }
    for (ending, at, radius) in signs {
        mark(scene, ending, at, radius);
    }
}

fn place(piece: &Piece<'_>, gantt: &Gantt<'_>, field: &Field<'_>) -> Box {
    let (upper, lower) = gantt.rows.lanes(piece.row, piece.lane, piece.lanes, field.lanes);
    let left = field.across(gantt.unit.at(piece.bar.from_s));
    // Even the shortest bar must be seen.
    let right = field.across(gantt.unit.at(piece.bar.to_s)).max(left + 0.6);
    Box { from: (left, upper), to: (right, lower) }
}

/// Within the end of a bar if there is room, else upon it.
fn sign_at(place: Box, radius: f64) -> Point {
    let middle = (place.from.1 + place.to.1) / 2.0;
    let inside = if place.width() > 3.0 * radius { radius + 1.5 } else { place.width().min(radius) / 2.0 };
    (place.to.0 - inside, middle)
}

/// What a bar is called, if there is room in it; gives where that ends.
fn label(scene: &mut Scene, bar: &Bar, place: Box, ink: Ink) -> f64 {
    let marked = if bar.end == Ending::Done { 0.0 } else { 11.0 };
    let room = place.width() - 5.0 - marked;
    if place.height() < LABELLED || room < 5.0 || bar.label.is_empty() {
        return place.from.0;
    }
    let size = (place.height() - 2.0).clamp(7.5, 9.5);
    let wide = text_width(&bar.label, size, false);
    if wide > room {
        return place.from.0;
    }
    let look = Type { size, ink: if is_dark(ink) { WHITE } else { BLACK }, ..TICK };
    let baseline = (place.from.1 + place.to.1) / 2.0 + size * 0.36;
    scene.text((place.from.0 + 3.0, baseline), &bar.label, Align::Left, look);
    place.from.0 + 4.0 + wide
}

/// Whether white is read better on it than black: by the luma of ITU-R BT.601.
fn is_dark(Ink(red, green, blue, _): Ink) -> bool {
    299 * u32::from(red) + 587 * u32::from(green) + 114 * u32::from(blue) < 140_000
}
