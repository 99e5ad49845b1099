//! The furniture around the data: title, axes, grid; and below them legend and notes, which never cover data.

use super::axis::Axis;
use super::gantt::mark;
use super::palette::{BLACK, GREY, GRID, dashes, ink, marker};
use super::scene::{Align, Ink, Point, Scene, Type, text_width};
use crate::rows::Ending;

pub(super) const WIDTH: f64 = 760.0;
const PLOT_HEIGHT: f64 = 330.0;
const MARGIN: f64 = 16.0;
const LABEL_WIDTH_MAX: f64 = 190.0;
/// Categories with less room than this for their label are not all labelled.
const BAND_LABEL_ROOM: f64 = 44.0;

pub(super) const TITLE: Type = Type { size: 15.0, is_bold: true, is_upright: false, ink: BLACK };
pub(super) const LABEL: Type = Type { size: 12.0, is_bold: false, is_upright: false, ink: BLACK };
pub(super) const TICK: Type = Type { size: 11.0, is_bold: false, is_upright: false, ink: BLACK };
pub(super) const NOTE: Type = Type { size: 10.5, is_bold: false, is_upright: false, ink: GREY };

/// How a legend entry shows what it stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Swatch {
    /// A series' line with its marker.
    Line(usize),
    /// A series' line without one.
    Bare(usize),
    /// A thin dotted line.
    Reference(Ink),
    /// An area.
    Area(Ink),
    /// A vertical dashed line.
    Moment(Ink),
    /// The mark at the end of a bar, and its hatching.
    Ended(Ending),
}

/// A plot area with two axes, into which a chart draws its data.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) scene: Scene,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
    /// Where the next furniture goes.
    below: f64,
}

/// The dashes of reference curves.
pub(super) const DOTTED: &[f64] = &[1.6, 2.4];

impl Frame {
    /// A frame with its title, axes and grid drawn.
    pub(super) fn new(title: &str, x: Axis, y: Axis) -> Frame {
        let mut scene = Scene { width: WIDTH, height: 0.0, marks: Vec::new() };
        let top = heading(&mut scene, title, MARGIN);
        let widest = y.ticks.iter().map(|(_, text)| text_width(text, TICK.size, false)).fold(0.0, f64::max);
        let left = (MARGIN + 22.0 + widest.min(LABEL_WIDTH_MAX) + 8.0).ceil();
        let (right, bottom) = (WIDTH - MARGIN - 8.0, top + PLOT_HEIGHT);
        let mut frame = Frame { scene, x, y, left, right, top, bottom, below: bottom };
        frame.grid();
        frame.y_axis();
        frame.below = frame.x_axis();
        frame
    }

    /// Where a pair of values stands.
    pub(super) fn point(&self, x: f64, y: f64) -> Point {
        (
            self.left + self.x.at(x) * (self.right - self.left),
            self.bottom - self.y.at(y) * (self.bottom - self.top),
        )
    }

    /// The width of one category's band in pixels.
    pub(super) fn band(&self) -> f64 {
        (self.right - self.left) / self.x.ticks.len().max(1) as f64
    }

    /// Adds legend and notes, closes the sheet.
    pub(super) fn finish(
        mut self,
        legend_title: &str,
        legend: &[(Swatch, String)],
        notes: &Notes<'_>,
    ) -> Scene {
        self.baseline();
        let below = draw_legend(&mut self.scene, legend_title, legend, self.left, self.below + 6.0);
        let below = draw_notes(&mut self.scene, notes, below + 4.0);
        self.scene.height = (below + MARGIN - 4.0).ceil();
        self.scene
    }

    fn grid(&mut self) {
        for (value, _) in self.y.ticks.clone() {
            let y = self.point(self.x.from(), value).1;
            self.scene.line(&[(self.left, y), (self.right, y)], 1.0, GRID, &[]);
        }
        if !self.x.is_banded() {
            for (value, _) in self.x.ticks.clone() {
                let x = self.point(value, self.y.from()).0;
                self.scene.line(&[(x, self.top), (x, self.bottom)], 1.0, GRID, &[]);
            }
        }
    }

    /// The two axis lines, drawn last so that nothing covers them.
    fn baseline(&mut self) {
        let corner = (self.left, self.bottom);
        self.scene.line(&[(self.left, self.top), corner, (self.right, self.bottom)], 1.2, BLACK, &[]);
    }

    fn y_axis(&mut self) {
        for (value, text) in self.y.ticks.clone() {
            let y = self.point(self.x.from(), value).1;
            self.scene.line(&[(self.left - 4.0, y), (self.left, y)], 1.0, BLACK, &[]);
            let text = shorten(&text, TICK.size, LABEL_WIDTH_MAX);
            self.scene.text((self.left - 8.0, y + 4.0), &text, Align::Right, TICK);
        }
        let label = shorten(&self.y.label, LABEL.size, self.bottom - self.top + 20.0);
        let at = (MARGIN + LABEL.size - 2.0, (self.top + self.bottom) / 2.0);
        self.scene.text(at, &label, Align::Middle, Type { is_upright: true, ..LABEL });
    }

    fn x_axis(&mut self) -> f64 {
        let widths = self.x.ticks.iter().map(|(_, text)| text_width(text, TICK.size, false));
        let widest = widths.fold(0.0, f64::max).min(BAND_LABEL_ROOM);
        let every =
            if self.x.is_banded() { ((widest + 8.0) / self.band()).ceil().max(1.0) as usize } else { 1 };
        let room = if self.x.is_banded() { self.band() * every as f64 - 6.0 } else { 80.0 };
        let ticks: Vec<_> = self.x.ticks.iter().step_by(every).cloned().collect();
        let mut lines = 1;
        let mut written_to = f64::MIN;
        for (value, text) in ticks {
            let x = self.point(value, self.y.from()).0;
            let label = wrap(&text, TICK.size, room, 2);
            let half = label.iter().map(|line| text_width(line, TICK.size, false)).fold(0.0, f64::max) / 2.0;
            self.scene.line(&[(x, self.bottom), (x, self.bottom + 4.0)], 1.0, BLACK, &[]);
            let centre = x.min(WIDTH - 4.0 - half);
            if centre - half < written_to {
                continue;
            }
            written_to = centre + half + 4.0;
            lines = lines.max(label.len());
            for (line, text) in label.iter().enumerate() {
                let y = self.bottom + 17.0 + line as f64 * 13.0;
                self.scene.text((centre, y), text, Align::Middle, TICK);
            }
        }
        let below = self.bottom + 17.0 + (lines - 1) as f64 * 13.0;
        if self.x.label.is_empty() {
            return below + 4.0;
        }
        let label = shorten(&self.x.label, LABEL.size, self.right - self.left);
        self.scene.text(((self.left + self.right) / 2.0, below + 19.0), &label, Align::Middle, LABEL);
        below + 25.0
    }
}

/// Draws a title from `top` on and gives the upper edge of what follows.
pub(super) fn heading(scene: &mut Scene, title: &str, top: f64) -> f64 {
    let mut y = top;
    for line in wrap_bold(title, TITLE.size, WIDTH - 2.0 * MARGIN, 2) {
        y += 17.0;
        scene.text((MARGIN, y - 3.0), &line, Align::Left, TITLE);
    }
    y + 14.0
}

/// Draws a legend in as many rows as it needs and gives its lower edge.
pub(super) fn draw_legend(
    scene: &mut Scene,
    title: &str,
    entries: &[(Swatch, String)],
    left: f64,
    top: f64,
) -> f64 {
    if entries.is_empty() {
        return top;
    }
    let (mut x, mut y) = (left, top + 14.0);
    let start = if title.is_empty() {
        left
    } else {
        let title = format!("{}:", shorten(title, LABEL.size, 200.0));
        scene.text((x, y), &title, Align::Left, Type { ink: GREY, ..LABEL });
        left + text_width(&title, LABEL.size, false) + 12.0
    };
    x = x.max(start);
    for (swatch, text) in entries {
        let text = shorten(text, LABEL.size, WIDTH - start - 80.0);
        let width = 34.0 + text_width(&text, LABEL.size, false) + 20.0;
        if x + width > WIDTH - MARGIN && x > start {
            (x, y) = (start, y + 19.0);
        }
        draw_swatch(scene, *swatch, x, y - 4.0);
        scene.text((x + 34.0, y), &text, Align::Left, LABEL);
        x += width;
    }
    y + 6.0
}

fn draw_swatch(scene: &mut Scene, swatch: Swatch, x: f64, y: f64) {
    let ends = [(x, y), (x + 28.0, y)];
    match swatch {
        Swatch::Line(series) => {
            scene.line(&ends, 2.0, ink(series), dashes(series));
            marker(scene, series, (x + 14.0, y), 3.6);
        }
        Swatch::Bare(series) => scene.line(&ends, 2.0, ink(series), dashes(series)),
        Swatch::Reference(ink) => scene.line(&ends, 1.6, ink, DOTTED),
        Swatch::Area(ink) => {
            scene.rectangle((x + 6.0, y - 5.5), (x + 28.0, y + 5.5), GREY);
            scene.rectangle((x + 7.0, y - 4.5), (x + 27.0, y + 4.5), super::palette::WHITE);
            scene.rectangle((x + 7.0, y - 4.5), (x + 27.0, y + 4.5), ink);
        }
        Swatch::Ended(ending) => mark(scene, ending, (x + 17.0, y), 4.2),
        Swatch::Moment(ink) => scene.line(&[(x + 16.0, y - 7.0), (x + 16.0, y + 7.0)], 1.4, ink, &[3.0, 2.0]),
    }
}

/// What stands below a chart: its caption, and in small print how to read it.
#[derive(Debug)]
pub(super) struct Notes<'c> {
    pub(super) caption: &'c str,
    pub(super) small: Vec<String>,
}

/// Draws notes from `top` on and gives their lower edge.
pub(super) fn draw_notes(scene: &mut Scene, notes: &Notes<'_>, top: f64) -> f64 {
    let mut y = top + 4.0;
    for line in wrap(notes.caption, LABEL.size, WIDTH - 2.0 * MARGIN, 8) {
        y += 16.0;
        scene.text((MARGIN, y), &line, Align::Left, LABEL);
    }
    y += if notes.caption.is_empty() { 0.0 } else { 5.0 };
    for line in wrap(&notes.small.join(" "), NOTE.size, WIDTH - 2.0 * MARGIN, 6) {
        y += 14.0;
        scene.text((MARGIN, y), &line, Align::Left, NOTE);
    }
    y
}

/// Cuts a text that is too wide, and shows that it was cut.
pub(super) fn shorten(text: &str, size: f64, width: f64) -> String {
    if text_width(text, size, false) <= width {
        return text.into();
    }
    // Nothing near this many characters fits on a sheet, and measuring is not free.
    let mut cut: String = text.chars().take(400).collect();
    while !cut.is_empty() && text_width(&cut, size, false) + size > width {
        cut.pop();
    }
    format!("{}…", cut.trim_end())
}

/// Breaks a text at spaces into at most `lines_max` lines; the last one is cut if it must be.
pub(super) fn wrap(text: &str, size: f64, width: f64, lines_max: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace().take(400) {
        let joined = lines.last().map(|line| format!("{line} {word}"));
        match joined {
            Some(joined) if lines.len() == lines_max || text_width(&joined, size, false) <= width => {
                lines.pop();
                lines.push(joined);
            }
            _ => lines.push(word.into()),
        }
    }
    lines.into_iter().map(|line| shorten(&line, size, width)).collect()
}

/// How much wider bold DejaVu Sans is than regular, at most.
const BOLD: f64 = 1.13;

/// The same for bold text.
pub(super) fn shorten_bold(text: &str, size: f64, width: f64) -> String {
    shorten(text, size, width / BOLD)
}

fn wrap_bold(text: &str, size: f64, width: f64, lines_max: usize) -> Vec<String> {
    wrap(text, size, width / BOLD, lines_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_wrapped_then_cut() {
        let lines = wrap("one two three four five", 11.0, 60.0, 2);
        assert_eq!(lines.len(), 2);
        assert!(lines[1].ends_with('…'), "{lines:?}");
        assert!(lines.iter().all(|line| text_width(line, 11.0, false) <= 61.0), "{lines:?}");
        assert_eq!(wrap("", 11.0, 60.0, 2), Vec::<String>::new());
    }
}
