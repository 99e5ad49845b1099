//! `[[chart]]` and `[[table]]`: what the report shows.

use std::collections::BTreeMap;

use seedbed_core::settings::Spanned;
use seedbed_core::{choice, settings};
use seedbed_reports as reports;

settings! {
    /// A chart.
    pub struct ChartSpec {
        /// The name of its files.
        pub name: Spanned<String>, in 1..=60;
        /// How it shows its data.
        pub kind: Kind;
        /// Its heading.
        pub title: String = String::new();
        /// The axis of the sweep along x (line, box, bars), or `t_s`: a metric over simulated time (line).
        pub x: Option<Spanned<String>> = None;
        /// The metric.
        pub y: Option<Spanned<String>> = None;
        /// The axis of the sweep whose values become series, or panels of a timeline.
        pub group: Option<Spanned<String>> = None;
        /// Whether x is logarithmic.
        pub log_x: bool = false;
        /// Whether y is logarithmic.
        pub log_y: bool = false;
        /// The x axis's label, without its unit.
        pub x_label: String = String::new();
        /// The y axis's label, without its unit.
        pub y_label: String = String::new();
        /// What the reader should see.
        pub caption: String = String::new();
        /// Metrics drawn as dashed curves: a formula beside what was measured.
        pub reference: Vec<Spanned<String>> = Vec::new();
        /// Only the runs with these labels.
        pub only: BTreeMap<String, Spanned<String>> = BTreeMap::new();
    }
    verify = ChartSpec::consistent;
}

choice! {
    /// How a chart shows its data.
    pub enum Kind {
        /// Means with a confidence band over an axis of the sweep.
        Line,
        /// Box and whiskers.
        Box,
        /// The empirical distribution function.
        Cdf,
        /// Relative frequencies.
        Histogram,
        /// Means with error bars.
        Bars,
        /// What every node was when, with faults shaded.
        Timeline,
        /// What ran on every core of every node when: one run.
        Gantt,
    }
}

settings! {
    /// A table of one metric over two axes of the sweep.
    pub struct TableSpec {
        /// Its name.
        pub name: Spanned<String>, in 1..=60;
        /// Its heading.
        pub title: String = String::new();
        /// The axis down the side.
        pub rows: Spanned<String>;
        /// The axis across the top.
        pub columns: Option<Spanned<String>> = None;
        /// The metric in the cells.
        pub cell: Spanned<String>;
        /// What the cells should say: row, then column. Another outcome violates the check `NAME as expected`.
        pub expected: BTreeMap<String, BTreeMap<String, Spanned<String>>> = BTreeMap::new();
    }
}

impl ChartSpec {
    fn consistent(&self) -> Result<(), (&'static str, String)> {
        if !self.name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter)) {
            return Err(("name", "becomes the name of a file: use letters, digits, `-` and `_`".into()));
        }
        let needs_x = matches!(self.kind, Kind::Line | Kind::Bars | Kind::Box);
        match (self.kind, &self.x, &self.y) {
            (Kind::Timeline, ..) => Ok(()),
            (Kind::Gantt, ..) if self.group.is_some() => {
                Err(("group", "a Gantt chart shows one run: `only` says which".into()))
            }
            (Kind::Gantt, None, None) => Ok(()),
            (Kind::Gantt, ..) => Err(("kind", "shows what ran when: it takes neither `x` nor `y`".into())),
            (.., None) => Err(("kind", "needs `y`: the metric to show".into())),
            (_, None, _) if needs_x => Err(("kind", "needs `x`: an axis of the sweep".into())),
            _ => Ok(()),
        }
    }

    /// Whether it shows the runs of a point with these labels.
    #[must_use]
    pub fn selects(&self, labels: &[(String, String)]) -> bool {
        let is_there = |(axis, wanted): (&String, &Spanned<String>)| {
            labels.iter().any(|(name, label)| name == axis && *label == wanted.value)
        };
        self.only.iter().all(is_there)
    }

    /// As the reports crate draws it.
    #[must_use]
    pub fn chart(&self) -> reports::Chart {
        let text = |text: &Option<Spanned<String>>| {
            text.as_ref().map_or_else(String::new, |text| text.value.clone())
        };
        let list = |items: Vec<String>| items.join(";");
        reports::Chart {
            name: self.name.value.clone(),
            kind: match self.kind {
                Kind::Line => reports::ChartKind::Line,
                Kind::Box => reports::ChartKind::Box,
                Kind::Cdf => reports::ChartKind::Cdf,
                Kind::Histogram => reports::ChartKind::Histogram,
                Kind::Bars => reports::ChartKind::Bars,
                Kind::Timeline => reports::ChartKind::Timeline,
                Kind::Gantt => reports::ChartKind::Gantt,
            },
            title: self.title.clone(),
            x: text(&self.x),
            y: text(&self.y),
            group: text(&self.group),
            log_x: self.log_x,
            log_y: self.log_y,
            x_label: self.x_label.clone(),
            y_label: self.y_label.clone(),
            caption: self.caption.clone(),
            reference: list(self.reference.iter().map(|name| name.value.clone()).collect()),
            filter: list(self.only.iter().map(|(key, value)| format!("{key}={}", value.value)).collect()),
        }
    }
}
