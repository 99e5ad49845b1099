//! A drawing as a list of marks, and its two outputs: the same list becomes SVG and PNG, through plotters.
//!
//! Coordinates are CSS pixels with fractions. plotters draws in whole pixels, so both outputs are drawn larger:
//! the SVG is scaled back by its view box, the PNG is averaged down, which also smooths its edges.

use crate::{Error, Result};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::sync::OnceLock;

/// A point, right and down from the upper left corner.
pub(crate) type Point = (f64, f64);

/// A colour with opacity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ink(pub(crate) u8, pub(crate) u8, pub(crate) u8, pub(crate) f64);

impl Ink {
    pub(crate) fn opacity(self, opacity: f64) -> Ink {
        Ink(self.0, self.1, self.2, opacity)
    }

    fn rgba(self) -> RGBAColor {
        RGBColor(self.0, self.1, self.2).mix(self.3)
    }
}

/// Where a text stands relative to its point, which lies on its baseline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Align {
    Left,
    Middle,
    Right,
}

/// How a text looks. `size` is the em in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Type {
    pub(crate) size: f64,
    pub(crate) is_bold: bool,
    pub(crate) is_upright: bool,
    pub(crate) ink: Ink,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Mark {
    Rectangle { from: Point, to: Point, ink: Ink },
    Polygon { points: Vec<Point>, ink: Ink },
    Line { points: Vec<Point>, width: f64, ink: Ink },
    Disc { centre: Point, radius: f64, ink: Ink },
    Text { at: Point, text: String, align: Align, look: Type },
}

/// Marks on a white sheet, later ones above earlier ones.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) marks: Vec<Mark>,
}

const DASHES_MAX: f64 = 1000.0;
const SVG_SCALE: u32 = 10;
const PNG_SCALE: u32 = 2;
const PNG_OVERSAMPLING: u32 = 2;
/// The embedded font is DejaVu Sans (Bitstream Vera's free licence); a reader of SVG without it sees one of the same or nearly the same widths.
const FONT: &str = "DejaVu Sans, Verdana, Bitstream Vera Sans, sans-serif";
/// plotters takes the em as size / 1.24 when it writes SVG.
const SVG_SIZE_PER_EM: f64 = 1.24;
/// plotters takes size as ascent and descent when it draws pixels: DejaVu Sans has 1901 + 483 of 2048 units.
const PNG_SIZE_PER_EM: f64 = (1901.0 + 483.0) / 2048.0;

impl Scene {
    pub(crate) fn rectangle(&mut self, from: Point, to: Point, ink: Ink) {
        self.marks.push(Mark::Rectangle { from, to, ink });
    }

    pub(crate) fn polygon(&mut self, points: Vec<Point>, ink: Ink) {
        if points.len() > 2 {
            self.marks.push(Mark::Polygon { points, ink });
        }
    }

    /// A line whose dashes and gaps alternate over the given lengths; solid without any, and if there would be
    /// so many that nobody could see them.
    pub(crate) fn line(&mut self, points: &[Point], width: f64, ink: Ink, dashes: &[f64]) {
        let rhythm: f64 = dashes.iter().sum();
        let is_solid = dashes.is_empty() || length(points) > rhythm * DASHES_MAX;
        let pieces = if is_solid { vec![points.to_vec()] } else { dash(points, dashes) };
        let pieces = pieces.into_iter().filter(|points| points.len() > 1);
        self.marks.extend(pieces.map(|points| Mark::Line { points, width, ink }));
    }

    pub(crate) fn disc(&mut self, centre: Point, radius: f64, ink: Ink) {
        self.marks.push(Mark::Disc { centre, radius, ink });
    }

    /// Text from the tables may hold anything; control characters, which XML forbids, become spaces.
    pub(crate) fn text(&mut self, at: Point, text: &str, align: Align, look: Type) {
        let text: String = text.chars().map(|c| if is_printable(c) { c } else { ' ' }).collect();
        if !text.trim().is_empty() {
            self.marks.push(Mark::Text { at, text, align, look });
        }
    }

    /// The scene as an SVG element that scales with the page it is put into.
    pub(crate) fn svg(&self, name: &str) -> Result<String> {
        let size = ((self.width * SVG_SCALE as f64) as u32, (self.height * SVG_SCALE as f64) as u32);
        let mut svg = String::new();
        self.paint(SVGBackend::with_string(&mut svg, size), SVG_SCALE as f64, Medium::Svg)
            .map_err(|problem| Error::draw(name, problem))?;
        let drawn = format!("width=\"{}\" height=\"{}\"", size.0, size.1);
        let shown = format!("width=\"{}\" height=\"{}\" role=\"img\"", self.width, self.height);
        Ok(svg.replacen(&drawn, &shown, 1))
    }

    /// The scene as a PNG of twice its size.
    pub(crate) fn png(&self, name: &str) -> Result<Vec<u8>> {
        let scale = PNG_SCALE * PNG_OVERSAMPLING;
        let (width, height) = ((self.width as u32) * PNG_SCALE, (self.height as u32) * PNG_SCALE);
        let drawn = (width * PNG_OVERSAMPLING, height * PNG_OVERSAMPLING);
        let mut pixels = vec![255; (drawn.0 * drawn.1 * 3) as usize];
        self.paint(BitMapBackend::with_buffer(&mut pixels, drawn), scale as f64, Medium::Png)
            .map_err(|problem| Error::draw(name, problem))?;
        let pixels = average(&pixels, drawn.0 as usize, height as usize);
        encode(&pixels, width, height).map_err(|problem| Error::draw(name, problem))
    }

    fn paint<B: DrawingBackend>(
        &self,
        mut to: B,
        scale: f64,
        medium: Medium,
    ) -> std::result::Result<(), String> {
        register_font()?;
        let at = |(x, y): Point| ((x * scale).round() as i32, (y * scale).round() as i32);
        let all = |points: &[Point]| points.iter().map(|point| at(*point)).collect::<Vec<_>>();
        let wide = |ink: Ink, width: f64| ink.rgba().stroke_width((width * scale).round().max(1.0) as u32);
        let white = Ink(255, 255, 255, 1.0).rgba();
        to.draw_rect((0, 0), at((self.width, self.height)), &white, true).map_err(|e| e.to_string())?;
        for mark in &self.marks {
            let drawn = match mark {
                Mark::Rectangle { from, to: corner, ink } => {
                    to.draw_rect(at(*from), at(*corner), &ink.rgba(), true)
                }
                Mark::Polygon { points, ink } => to.fill_polygon(all(points), &ink.rgba()),
                Mark::Line { points, width, ink } => to.draw_path(all(points), &wide(*ink, *width)),
                Mark::Disc { centre, radius, ink } => {
                    to.draw_circle(at(*centre), (radius * scale).round() as u32, &ink.rgba(), true)
                }
                Mark::Text { at: (x, y), text, align, look } => {
                    let lift = medium.baseline() * look.size;
                    let top = if look.is_upright { (x - lift, *y) } else { (*x, y - lift) };
                    to.draw_text(text, &medium.style(look, *align, scale), at(top))
                }
            };
            drawn.map_err(|error| error.to_string())?;
        }
        to.present().map_err(|error| error.to_string())
    }
}

#[derive(Clone, Copy)]
enum Medium {
    Svg,
    Png,
}

impl Medium {
    /// How far below its anchor plotters puts the baseline, in ems.
    fn baseline(self) -> f64 {
        match self {
            Medium::Svg => 0.76,
            Medium::Png => PNG_SIZE_PER_EM / 2.0,
        }
    }

    fn style(self, look: &Type, align: Align, scale: f64) -> TextStyle<'static> {
        let per_em = match self {
            Medium::Svg => SVG_SIZE_PER_EM,
            Medium::Png => PNG_SIZE_PER_EM,
        };
        let horizontal = match align {
            Align::Left => HPos::Left,
            Align::Middle => HPos::Center,
            Align::Right => HPos::Right,
        };
        let turn = if look.is_upright { FontTransform::Rotate270 } else { FontTransform::None };
        let font = FontDesc::new(FontFamily::Name(FONT), look.size * per_em * scale, weight(look.is_bold));
        let color = look.ink.rgba().to_backend_color();
        TextStyle { font: font.transform(turn), color, pos: Pos::new(horizontal, VPos::Top) }
    }
}

/// The width of a text in pixels.
pub(crate) fn text_width(text: &str, size: f64, is_bold: bool) -> f64 {
    // Measured large, because plotters rounds to whole pixels.
    const MEASURED: f64 = 100.0;
    if register_font().is_err() {
        return text.chars().count() as f64 * size * 0.6;
    }
    let font = FontDesc::new(FontFamily::Name(FONT), MEASURED * PNG_SIZE_PER_EM, weight(is_bold));
    let wide = font.layout_box(text).map_or(0, |(from, to)| to.0 - from.0);
    f64::from(wide) * size / MEASURED
}

fn weight(is_bold: bool) -> FontStyle {
    if is_bold { FontStyle::Bold } else { FontStyle::Normal }
}

fn is_printable(c: char) -> bool {
    !c.is_control() && c != '\u{fffe}' && c != '\u{ffff}'
}

fn register_font() -> std::result::Result<(), String> {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    let register = |style, font| plotters::style::register_font(FONT, style, font).is_ok();
    let is_registered = *REGISTERED.get_or_init(|| {
        register(FontStyle::Normal, dejavu::sans::regular())
            && register(FontStyle::Bold, dejavu::sans::bold())
    });
    is_registered.then_some(()).ok_or_else(|| "the embedded font is not usable".into())
}

fn length(points: &[Point]) -> f64 {
    let distance =
        |((x0, y0), (x1, y1)): (Point, Point)| ((x1 - x0) * (x1 - x0) + (y1 - y0) * (y1 - y0)).sqrt();
    points.windows(2).map(|pair| distance((pair[0], pair[1]))).sum()
}

/// The dashes of a line, each a line of its own, that keep their rhythm around corners.
fn dash(points: &[Point], lengths: &[f64]) -> Vec<Vec<Point>> {
    let mut pieces = vec![points.first().copied().into_iter().collect::<Vec<_>>()];
    let (mut at, mut left, mut is_down) = (0, lengths[0], true);
    for pair in points.windows(2) {
        let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
        let length = length(pair);
        let mut done = 0.0;
        while length - done > left {
            done += left;
            let corner = (x0 + (x1 - x0) * done / length, y0 + (y1 - y0) * done / length);
            match is_down {
                true => pieces.last_mut().into_iter().for_each(|piece| piece.push(corner)),
                false => pieces.push(vec![corner]),
            }
            at = (at + 1) % lengths.len();
            (left, is_down) = (lengths[at], !is_down);
        }
        left -= length - done;
        if is_down {
            pieces.last_mut().into_iter().for_each(|piece| piece.push((x1, y1)));
        }
    }
    pieces
}

/// Averages squares of `PNG_OVERSAMPLING` pixels.
fn average(pixels: &[u8], drawn_width: usize, height: usize) -> Vec<u8> {
    let factor = PNG_OVERSAMPLING as usize;
    let row = drawn_width * 3;
    let mut averaged = Vec::with_capacity(pixels.len() / (factor * factor));
    for y in 0..height {
        for x in 0..drawn_width / factor {
            for channel in 0..3 {
                let corner = y * factor * row + x * factor * 3 + channel;
                let square = (0..factor * factor).map(|i| corner + i / factor * row + i % factor * 3);
                let sum: usize = square.map(|at| usize::from(pixels[at])).sum();
                averaged.push((sum / (factor * factor)) as u8);
            }
        }
    }
    averaged
}

fn encode(pixels: &[u8], width: u32, height: u32) -> std::result::Result<Vec<u8>, png::EncodingError> {
    const PIXELS_PER_METRE: u32 = (96.0 * PNG_SCALE as f64 / 0.0254) as u32;
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_pixel_dims(Some(png::PixelDimensions {
        xppu: PIXELS_PER_METRE,
        yppu: PIXELS_PER_METRE,
        unit: png::Unit::Meter,
    }));
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_keep_their_rhythm_around_corners() {
        let pieces = dash(&[(0.0, 0.0), (3.0, 0.0), (3.0, 5.0)], &[4.0, 2.0]);
        assert_eq!(pieces, [vec![(0.0, 0.0), (3.0, 0.0), (3.0, 1.0)], vec![(3.0, 3.0), (3.0, 5.0)]]);
    }

    #[test]
    fn text_is_measured_in_the_embedded_font() {
        let (narrow, wide) = (text_width("iii", 10.0, false), text_width("mmm", 10.0, false));
        assert!(narrow > 5.0 && wide > 2.0 * narrow, "{narrow} {wide}");
    }

    #[test]
    fn hostile_text_cannot_break_the_svg() {
        let mut scene = Scene { width: 100.0, height: 20.0, marks: vec![] };
        let look = Type { size: 10.0, is_bold: false, is_upright: false, ink: Ink(0, 0, 0, 1.0) };
        scene.text((0.0, 10.0), "<script>\u{1}\u{0}&\"", Align::Left, look);
        let svg = scene.svg("t").unwrap();
        assert!(
            !svg.contains("<script") && !svg.contains('\u{1}') && svg.contains("&lt;script&gt;"),
            "{svg}"
        );
    }
}
