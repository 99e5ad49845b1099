//! A comparison as people see it: a terminal's table, `diff.csv`, charts, `tables.md`, and a page.

use super::{Center, Comparison, Row, Side};
use crate::chart::{self, with_unit};
use crate::data::Data;
use crate::figures::{plain, ranged};
use crate::folder::write_records;
use crate::grid::{Cell, Grid, terminal_line};
use crate::page::{STYLE, Shown, pages};
use crate::rows::Section;
use crate::stats::{Estimate, Interval};
use crate::{Error, Result};
use minijinja::context;
use serde::Serialize;
use std::path::{Path, PathBuf};

const TERMINAL_ROWS_MAX: usize = 40;
const PAGE_ROWS_MAX: usize = 1_000;
/// The columns of `diff.csv` after the swept keys.
const COLUMNS: [&str; 20] = [
    "metric",
    "unit",
    "a_runs",
    "a_values",
    "a_median",
    "a_median_low",
    "a_median_high",
    "b_runs",
    "b_values",
    "b_median",
    "b_median_low",
    "b_median_high",
    "difference",
    "difference_low",
    "difference_high",
    "ratio",
    "ratio_low",
    "ratio_high",
    "ks_distance",
    "ks_p",
];
const NOTE: &str = "Medians, their difference and ratio with 95 % bootstrap intervals over runs; distance: Kolmogorov and \
    Smirnov's; p: how likely at least that distance is if both sides are of one distribution and all values independent.";

/// A line of the set-up that is not the same on both sides.
#[derive(Serialize)]
struct Differing<'c> {
    key: &'c str,
    values: [&'c str; 2],
}

impl Comparison {
    /// What a terminal of `width` columns shows.
    pub fn terminal(&self, width: usize) -> String {
        let mut text = String::new();
        for (letter, side) in ["A", "B"].iter().zip(&self.sides) {
            text += &format!("{letter}  {}\n", terminal_line(&side.line()));
        }
        text += "\n";
        text += &self.brief().limited(TERMINAL_ROWS_MAX, "diff.csv").columns(width);
        for note in &self.notes {
            text += &format!("{}\n", terminal_line(note));
        }
        text
    }

    /// Writes `diff.csv`, `charts/NAME.svg` and `.png`, `tables.md` and `diff.html`; gives the page.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write(&self, dir: &Path) -> Result<PathBuf> {
        let charts = dir.join("charts");
        std::fs::create_dir_all(&charts).map_err(Error::io(&charts))?;
        write_records(dir, "diff.csv", &self.header(), self.rows.iter().map(record))?;
        let write = |path: PathBuf, bytes: &[u8]| std::fs::write(&path, bytes).map_err(Error::io(&path));
        let data = Data::new(&self.joined);
        let mut drawings = Vec::new();
        for (at, row) in self.joined.charts.iter().enumerate() {
            let drawing = chart::draw(at, row, &data)?;
            write(charts.join(format!("{}.svg", row.name)), drawing.svg.as_bytes())?;
            write(charts.join(format!("{}.png", row.name)), &drawing.png)?;
            drawings.push(context! { name => row.name, svg => drawing.svg });
        }
        let grid = self.grid(false);
        let markdown = self.sides.iter().map(|side| format!("{}: {}\n\n", &side.label[..1], side.line()));
        let markdown: String = markdown.chain([grid.markdown()]).collect();
        write(dir.join("tables.md"), markdown.as_bytes())?;
        let page = dir.join("diff.html");
        write(page.clone(), self.page(&grid, drawings)?.as_bytes())?;
        Ok(page)
    }

    fn page(&self, grid: &Grid, charts: Vec<minijinja::Value>) -> Result<String> {
        let pages = pages();
        let template =
            pages.template_from_str(concat!(include_str!("../macros.html"), include_str!("diff.html")));
        let all = self.grid(true).limited(PAGE_ROWS_MAX, "diff.csv");
        let shown = grid.clone().limited(PAGE_ROWS_MAX, "diff.csv");
        let side = |side: &Side| context! { path => side.path, line => side.size(), label => side.label };
        let rendered = template.and_then(|template| {
            template.render(context! {
                style => STYLE,
                title => self.sides.each_ref().map(|side| &side.label[3..]).join(" and "),
                question => self.question(),
                sides => self.sides.each_ref().map(side),
                differing => self.differing(),
                results => Shown::new(&shown),
                details => Shown::new(&all),
                charts,
                notes => self.notes,
            })
        });
        rendered.map_err(|error| Error::draw("diff.html", error))
    }

    /// The title of the experiment, if it is one and the same.
    fn question(&self) -> String {
        let [a, b] = self.sides.each_ref().map(|side| side.about(Section::Head, "title"));
        if a == b { a.unwrap_or_default().to_owned() } else { String::new() }
    }

    /// What of the set-up is not the same.
    fn differing(&self) -> Vec<Differing<'_>> {
        let [a, b] = &self.sides;
        let is_setup = |row: &&crate::About| [Section::Head, Section::Setup].contains(&row.section);
        let both = a.about.iter().chain(&b.about).filter(is_setup);
        let mut differing: Vec<Differing<'_>> = Vec::new();
        for row in both {
            let values = [a, b].map(|side| side.about(row.section, &row.key).unwrap_or("–"));
            if values[0] != values[1] && differing.iter().all(|known| known.key != row.key) {
                differing.push(Differing { key: &row.key, values });
            }
        }
        differing
    }

    /// The table; `is_whole` with the figures of sampled metrics, too.
    fn grid(&self, is_whole: bool) -> Grid {
        let columns =
            ["metric", "median A", "median B", "B − A", "B / A", "distance", "p", "values A", "values B"];
        let rows = self.rows.iter().filter(|row| is_whole || !row.is_derived);
        Grid {
            title: if is_whole { "Every metric" } else { "B against A" }.into(),
            header: self.keys.iter().cloned().chain(columns.map(str::to_owned)).collect(),
            rows: rows.map(cells).collect(),
            note: NOTE.into(),
            keys: self.keys.len() + 1,
        }
    }

    /// The table for a terminal, where room is scarce.
    fn brief(&self) -> Grid {
        let columns = ["metric", "median A", "median B", "B / A", "distance", "p", "B − A"];
        let whole = self.grid(false);
        let first = self.keys.len();
        let cells = |row: &Row| {
            let median = |side: Center| Cell::from(signed(plain(side.median)));
            let figures = cells(row);
            let pick = |at: usize| figures[first + at].clone();
            let row =
                [pick(0), median(row.sides[0]), median(row.sides[1]), pick(4), pick(5), pick(6), pick(3)];
            figures[..first].iter().cloned().chain(row).collect()
        };
        let header = self.keys.iter().cloned().chain(columns.map(str::to_owned)).collect();
        let rows = self.rows.iter().filter(|row| !row.is_derived).map(cells).collect();
        Grid { header, rows, ..whole }
    }

    fn header(&self) -> Vec<String> {
        let keys = self.keys.iter().map(|key| match key.as_str() {
            key if COLUMNS.contains(&key) => format!("key.{key}"),
            key => key.to_owned(),
        });
        keys.chain(COLUMNS.map(str::to_owned)).collect()
    }
}

impl Side {
    fn line(&self) -> String {
        format!("{}: {}", self.path, self.size())
    }

    fn size(&self) -> String {
        let plural = if self.runs == 1 { "" } else { "s" };
        let violated = match self.violated {
            0 => String::new(),
            count => format!(", a check violated in {count}"),
        };
        format!("{} run{plural}{violated}", self.runs)
    }

    fn about(&self, section: Section, key: &str) -> Option<&str> {
        let mut rows = self.about.iter().filter(|row| row.section == section && row.key == key);
        rows.next().map(|row| row.value.as_str())
    }
}

fn cells(row: &Row) -> Vec<Cell> {
    let estimate = |figure: Estimate| signed(ranged(figure.value, figure.interval));
    let median = |side: Center| signed(ranged(side.median, side.interval));
    let count = |side: Center| match side.values == side.runs {
        true => side.values.to_string(),
        false => format!("{} ({} runs)", side.values, side.runs),
    };
    let [a, b] = row.sides;
    let figures = [
        with_unit(&row.metric, &row.unit),
        median(a),
        median(b),
        estimate(row.contrast.difference),
        row.contrast.ratio.map_or_else(|| "–".into(), estimate),
        plain(row.distance.distance),
        probability(row.distance.p_value),
        count(a),
        count(b),
    ];
    row.keys.iter().cloned().chain(figures).map(Cell::from).collect()
}

fn signed(text: String) -> String {
    text.replace('-', "\u{2212}")
}

/// A probability to two digits, as far as an asymptotic one deserves them.
pub(super) fn probability(p: f64) -> String {
    match p {
        p if p < 0.0001 => "0.0000".into(),
        p if p < 0.01 => format!("{p:.4}"),
        p if p < 0.1 => format!("{p:.3}"),
        p => format!("{p:.2}"),
    }
}

fn record(row: &Row) -> Vec<String> {
    let ends = |interval: Option<Interval>| {
        [interval.map(|i| i.low), interval.map(|i| i.high)].map(|end| end.map_or_else(String::new, text))
    };
    let side = |side: &Center| {
        let [low, high] = ends(side.interval);
        [side.runs.to_string(), side.values.to_string(), text(side.median), low, high]
    };
    let estimate = |figure: Option<Estimate>| {
        let [low, high] = ends(figure.and_then(|figure| figure.interval));
        [figure.map_or_else(String::new, |figure| text(figure.value)), low, high]
    };
    let mut record = row.keys.clone();
    record.extend([row.metric.clone(), row.unit.clone()]);
    record.extend(row.sides.iter().flat_map(side));
    record.extend(estimate(Some(row.contrast.difference)));
    record.extend(estimate(row.contrast.ratio));
    record.extend([text(row.distance.distance), text(row.distance.p_value)]);
    record
}

fn text(number: f64) -> String {
    number.to_string()
}
