//! How a bar that was not done ended, by shape: to be told without colours.

use super::bars::Box;
use super::{Point, Scene};
use crate::chart::palette::{BLACK, WHITE};
use crate::rows::Ending;

/// A cross for what failed, a ring for what was lost, a square for what was stopped, an arrow for what goes on.
pub(in crate::chart) fn mark(scene: &mut Scene, ending: Ending, (x, y): Point, radius: f64) {
    let r = radius;
    let corners = |r: f64| [(x - r, y - r), (x + r, y + r), (x - r, y + r), (x + r, y - r)];
    match ending {
        Ending::Done => {}
        Ending::Failed => {
            for (width, ink) in [(r * 0.95, WHITE), (r * 0.45, BLACK)] {
                let [a, b, c, d] = corners(r * 0.8);
                scene.line(&[a, b], width, ink, &[]);
                scene.line(&[c, d], width, ink, &[]);
            }
        }
        Ending::Lost => {
            scene.disc((x, y), r, BLACK);
            scene.disc((x, y), r * 0.6, WHITE);
        }
        Ending::Stopped => {
            for (r, ink) in [(r * 0.95, WHITE), (r * 0.65, BLACK)] {
                scene.rectangle((x - r, y - r), (x + r, y + r), ink);
            }
        }
        Ending::Running => {
            for (r, ink) in [(r * 1.15, WHITE), (r * 0.8, BLACK)] {
                scene.polygon(vec![(x - r * 0.8, y - r), (x + r, y), (x - r * 0.8, y + r)], ink);
            }
        }
    }
}

/// The distance of two strokes, along x.
const STROKES: f64 = 4.0;

/// Slanted white strokes over what came to nothing.
pub(super) fn hatch(scene: &mut Scene, place: Box) {
    let ((left, top), (right, bottom)) = (place.from, place.to);
    let height = place.height();
    let strokes = ((place.width() + height) / STROKES) as usize;
    for stroke in 1..=strokes.min(400) {
        // A stroke rises to the right; it would meet the bar's foot here.
        let foot = left - height + stroke as f64 * STROKES;
        let (from, to) = (foot.max(left), (foot + height).min(right));
        let at = |x: f64| (x, (bottom - (x - foot)).clamp(top, bottom));
        if from < to {
            scene.line(&[at(from), at(to)], 1.0, WHITE.opacity(0.75), &[]);
        }
    }
}
