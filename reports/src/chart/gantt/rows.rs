//! The nodes down the side: which are shown, and how high each is.

use super::{Align, Ink, LEFT, Point, RIGHT, Scene, TICK, Type, shorten};
use crate::chart::axis::grouped;
use crate::chart::palette::GREY;
use crate::natural_order;
use crate::rows::{Bar, BarNode};
use std::collections::BTreeMap;

const NODES_MAX: usize = 200;
/// What all lanes together may take, unless they must be thinner than can be seen.
const HEIGHT: f64 = 760.0;
const LANE_MAX: f64 = 17.0;
const NODE_MIN: f64 = 4.5;
/// Lanes that are thinner than this are not set apart.
const LANE_APART: f64 = 5.0;
/// Every other node stands on this.
const STRIPE: Ink = Ink(0xf3, 0xf4, 0xf6, 1.0);

/// The nodes that are shown, from top to bottom.
pub(super) struct Rows<'e> {
    rows: Vec<Row<'e>>,
    places: BTreeMap<&'e str, usize>,
    /// The height of all.
    pub(super) height: f64,
    /// How many bars there were on those that are shown.
    pub(super) bars_shown: u64,
    nodes: usize,
    bars: u64,
}

struct Row<'e> {
    node: &'e str,
    lanes: f64,
    top: f64,
    height: f64,
    gap: f64,
}

impl<'e> Rows<'e> {
    pub(super) fn new(nodes: impl Iterator<Item = &'e BarNode>, kept: &[&'e Bar]) -> Rows<'e> {
        let mut listed: Vec<(&str, f64, u64)> = Vec::new();
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        let mut place = |listed: &mut Vec<(&'e str, f64, u64)>, node: &'e str| {
            *places.entry(node).or_insert_with(|| {
                listed.push((node, 1.0, 0));
                listed.len() - 1
            })
        };
        for node in nodes {
            let at = place(&mut listed, &node.node);
            listed[at] = (&node.node, f64::from(node.lanes.max(1)), node.bars);
        }
        let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
        for bar in kept {
            let at = place(&mut listed, &bar.node);
            let count = seen.entry(&bar.node).or_default();
            *count += 1;
            // Nobody keeps more bars than there were.
            listed[at].1 = listed[at].1.max(f64::from(bar.lane) + 1.0);
            listed[at].2 = listed[at].2.max(*count);
        }
        let (nodes, bars) = (listed.len(), total(&listed));
        listed.truncate(NODES_MAX);
        listed.sort_by(|a, b| natural_order(a.0, b.0));
        let bars_shown = total(&listed);
        let (rows, height) = stacked(&listed);
        let places = rows.iter().enumerate().map(|(at, row)| (row.node, at)).collect();
        Rows { rows, places, height, bars_shown, nodes, bars }
    }

    pub(super) fn find(&self, node: &str) -> Option<usize> {
        self.places.get(node).copied()
    }

    /// The upper and lower edge of a node, if the first begins at `top`.
    pub(super) fn edges(&self, row: usize, top: f64) -> (f64, f64) {
        let Row { top: from, height, .. } = self.rows[row];
        (top + from, top + from + height)
    }

    /// The same for some lanes of it.
    pub(super) fn lanes(&self, row: usize, first: f64, count: f64, top: f64) -> (f64, f64) {
        let Row { top: from, height, lanes, .. } = self.rows[row];
        let lane = height / lanes;
        let apart = if lane >= LANE_APART { 1.0 } else { 0.0 };
        let upper = top + from + first * lane;
        (upper + apart / 2.0, upper + count * lane - apart / 2.0)
    }

    /// Names and stripes, the first node at `top`.
    pub(super) fn draw(&self, scene: &mut Scene, top: f64) {
        let mut written_to = f64::MIN;
        for (at, row) in self.rows.iter().enumerate() {
            let (upper, lower) = (top + row.top, top + row.top + row.height);
            if at % 2 == 1 {
                let half = row.gap / 2.0;
                scene.rectangle((LEFT, upper - half), (RIGHT, lower + half), STRIPE);
            }
            let middle = (upper + lower) / 2.0;
            let look = Type { size: (row.height + row.gap - 1.0).clamp(8.5, TICK.size), ..TICK };
            if middle - look.size / 2.0 >= written_to {
                let at: Point = (LEFT - 8.0, middle + look.size * 0.36);
                scene.text(at, &shorten(row.node, look.size, LEFT - 24.0), Align::Right, look);
                scene.line(&[(LEFT - 4.0, middle), (LEFT, middle)], 0.8, GREY, &[]);
                written_to = middle + look.size / 2.0 + 1.0;
            }
        }
    }

    /// What is shown and what is not; `cut` is the time of the last bar if some are left out.
    pub(super) fn notes(&self, shown: usize, cut: Option<String>) -> Vec<String> {
        let count = |number: u64, what: &str| {
            format!("{} {what}{}", grouped(&number.to_string()), if number == 1 { "" } else { "s" })
        };
        let lanes: f64 = self.rows.iter().map(|row| row.lanes).sum();
        let sizes = format!("{} with {}", count(self.rows.len() as u64, "node"), count(lanes as u64, "lane"));
        let mut notes = vec![format!("One run: {} on {sizes}.", count(shown as u64, "bar"))];
        if self.nodes > self.rows.len() {
            let others = self.bars - self.bars_shown;
            notes.push(format!(
                "Left out: {}, which had {}.",
                count((self.nodes - self.rows.len()) as u64, "other node"),
                count(others, "bar")
            ));
        }
        if let Some(time) = cut {
            notes.push(format!(
                "Left out of the nodes shown: {}. Nothing after {time} is shown.",
                count(self.bars_shown - shown as u64, "bar")
            ));
        }
        notes
    }
}

fn total(listed: &[(&str, f64, u64)]) -> u64 {
    listed.iter().fold(0, |sum, (.., bars)| sum.saturating_add(*bars))
}

/// Nodes one below the other, each as high as its lanes need and can have.
fn stacked<'e>(listed: &[(&'e str, f64, u64)]) -> (Vec<Row<'e>>, f64) {
    let lanes: f64 = listed.iter().map(|(_, lanes, _)| lanes).sum();
    let lane = (HEIGHT / lanes).min(LANE_MAX);
    let gap = match listed.len() {
        0..=40 => 4.0,
        41..=80 => 2.5,
        _ => 1.5,
    };
    let mut top = 2.0;
    let mut rows = Vec::new();
    for &(node, lanes, _) in listed {
        let height = (lanes * lane).max(NODE_MIN);
        rows.push(Row { node, lanes, top, height, gap });
        top += height + gap;
    }
    (rows, top)
}
