//! Colours, dashes and markers of series: told apart by colour-blind readers and in grey print.
//!
//! The first four colours are Paul Tol's "high-contrast" scheme, chosen to keep their order of lightness when
//! printed in grey; the rest is from his "medium-contrast" scheme (SRON/EPS/TN/09-002, issue 3.2, 2021).

use super::scene::{Ink, Point, Scene};

pub(super) const BLACK: Ink = Ink(0x1a, 0x1a, 0x1a, 1.0);
pub(super) const GREY: Ink = Ink(0x5c, 0x5c, 0x5c, 1.0);
pub(super) const GRID: Ink = Ink(0xe2, 0xe2, 0xe2, 1.0);
pub(super) const WHITE: Ink = Ink(0xff, 0xff, 0xff, 1.0);
/// What most of a timeline is painted with.
pub(super) const CALM: Ink = Ink(0xd5, 0xd9, 0xde, 1.0);
/// The shade of fault periods.
pub(super) const FAULT: Ink = Ink(0xbb, 0x55, 0x66, 0.20);

pub(super) const INKS: [Ink; 8] = [
    Ink(0x00, 0x44, 0x88, 1.0),
    Ink(0xdd, 0xaa, 0x33, 1.0),
    Ink(0xbb, 0x55, 0x66, 1.0),
    Ink(0x00, 0x00, 0x00, 1.0),
    Ink(0x66, 0x99, 0xcc, 1.0),
    Ink(0x99, 0x77, 0x00, 1.0),
    Ink(0xee, 0x99, 0xaa, 1.0),
    Ink(0x66, 0x33, 0x66, 1.0),
];
const DASHES: [&[f64]; 5] =
    [&[], &[8.0, 3.0], &[8.0, 2.5, 2.0, 2.5], &[4.0, 2.0], &[12.0, 2.5, 2.0, 2.5, 2.0, 2.5]];

/// More series than this cannot be told apart in one chart.
pub(super) const SERIES_MAX: usize = 12;

pub(super) fn ink(series: usize) -> Ink {
    INKS[series % INKS.len()]
}

/// The colours of large areas that bear text: all but black.
pub(super) fn bar_inks() -> impl Iterator<Item = Ink> {
    const BLACK: usize = 3;
    INKS.into_iter().enumerate().filter(|(at, _)| *at != BLACK).map(|(_, ink)| ink)
}

pub(super) fn dashes(series: usize) -> &'static [f64] {
    DASHES[series % DASHES.len()]
}

/// Draws the marker of a series around a point.
pub(super) fn marker(scene: &mut Scene, series: usize, (x, y): Point, radius: f64) {
    let r = radius;
    let ink = ink(series);
    let around = |corners: &[Point]| corners.iter().map(|(dx, dy)| (x + dx * r, y + dy * r)).collect();
    match series % 5 {
        0 => scene.disc((x, y), r, ink),
        1 => scene.rectangle((x - r * 0.9, y - r * 0.9), (x + r * 0.9, y + r * 0.9), ink),
        2 => scene.polygon(around(&[(0.0, -1.2), (1.15, 0.85), (-1.15, 0.85)]), ink),
        3 => scene.polygon(around(&[(0.0, -1.35), (1.35, 0.0), (0.0, 1.35), (-1.35, 0.0)]), ink),
        _ => scene.polygon(around(&[(0.0, 1.2), (1.15, -0.85), (-1.15, -0.85)]), ink),
    }
}
