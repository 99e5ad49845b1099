//! The rows of a run folder, one struct per CSV file: the same types are written and read.
//!
//! `runs.csv` alone has columns that differ from experiment to experiment; its row is [`Run`].

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// A row of a table whose columns are always the same.
pub trait Row: Serialize + DeserializeOwned {
    /// The file that holds these rows.
    const FILE: &'static str;
    /// Its header, in order.
    const COLUMNS: &'static [&'static str];
}

macro_rules! row {
    ($type:ty, $file:literal, $($column:literal),+) => {
        impl Row for $type {
            const FILE: &'static str = $file;
            const COLUMNS: &'static [&'static str] = &[$($column),+];
        }
    };
}

/// The part of the page in which an [`About`] line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Section {
    /// `title`, `question`, `scenario`, `version`: who this is.
    Head,
    /// One line of the set-up table.
    Setup,
    /// Prose for the reader: assumptions, and what a protocol cannot keep.
    Note,
    /// A command that repeats the experiment or a part of it.
    Reproduce,
}

/// What the experiment is, in key and value (`about.csv`).
///
/// Known keys of [`Section::Head`] are `title` and `question`; others are listed with the set-up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// Where it is shown.
    pub section: Section,
    /// What it is called; may be empty.
    pub key: String,
    /// What it says.
    pub value: String,
}
row!(About, "about.csv", "section", "key", "value");

/// What a column of `runs.csv` holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A swept parameter, as text.
    Key,
    /// A number, or nothing where it is undefined.
    Metric,
    /// An outcome in words.
    Text,
    /// Many values per run, in `samples.csv`; `runs.csv` holds what [`sample_columns`](crate::sample_columns) derives.
    Sample,
    /// A number that changes over time, in `series.csv`.
    Series,
    /// A column that every `runs.csv` has: point, seed, digest, verdict, violated.
    Meta,
}

/// A column of `runs.csv` (`columns.csv`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Its name in the header.
    pub name: String,
    /// What it holds.
    pub role: Role,
    /// The unit of its numbers, such as `ms`; empty for counts and words.
    pub unit: String,
    /// What it means, in a sentence.
    pub about: String,
}
row!(Column, "columns.csv", "name", "role", "unit", "about");

/// Whether every check held in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// All of them.
    Holds,
    /// At least one did not.
    Violated,
}

/// What a run has in one of its own columns.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Undefined in this run.
    Empty,
    /// A finite number.
    Number(f64),
    /// An outcome in words.
    Text(String),
}

impl Value {
    /// A number, or [`Value::Empty`] if it is not finite.
    pub fn number(value: f64) -> Value {
        if value.is_finite() { Value::Number(value) } else { Value::Empty }
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::Empty => Ok(()),
            Value::Number(number) => write!(f, "{number}"),
            Value::Text(text) => f.write_str(text),
        }
    }
}

/// One run: a point of the sweep under one seed (`runs.csv`).
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// The point's index in the sweep.
    pub point: u32,
    /// Its swept values, one for each [`Role::Key`] column, in their order.
    pub keys: Vec<String>,
    /// The seed.
    pub seed: u64,
    /// The digest of everything that happened, in hexadecimal.
    pub digest: String,
    /// Whether every check held.
    pub verdict: Verdict,
    /// The names of the checks that did not.
    pub violated: Vec<String>,
    /// One value for each [`Role::Metric`] and [`Role::Text`] column, in their order.
    pub values: Vec<Value>,
}

/// One of many values that a run gave for a metric (`samples.csv`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Sample {
    pub point: u32,
    pub seed: u64,
    pub metric: String,
    #[serde(with = "finite")]
    pub value: f64,
}
row!(Sample, "samples.csv", "point", "seed", "metric", "value");

/// What a lane of a timeline, such as a node, was from when to when (`spans.csv`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Span {
    pub point: u32,
    pub seed: u64,
    pub lane: String,
    pub state: String,
    #[serde(with = "finite")]
    pub from_s: f64,
    #[serde(with = "finite")]
    pub to_s: f64,
}
row!(Span, "spans.csv", "point", "seed", "lane", "state", "from_s", "to_s");

/// How a bar came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// The work was done.
    Done,
    /// It failed.
    Failed,
    /// It was lost with its node or its lease.
    Lost,
    /// Somebody stopped it.
    Stopped,
    /// It had not ended when the run did.
    Running,
}

/// A bar of a Gantt chart: what a lane of a node, such as a core, did from when to when (`bars.csv`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Bar {
    pub point: u32,
    pub seed: u64,
    pub node: String,
    pub lane: u32,
    #[serde(with = "finite")]
    pub from_s: f64,
    #[serde(with = "finite")]
    pub to_s: f64,
    pub label: String,
    /// What gives it its colour.
    pub group: String,
    pub end: Ending,
}
row!(Bar, "bars.csv", "point", "seed", "node", "lane", "from_s", "to_s", "label", "group", "end");

/// A node of a Gantt chart: how many lanes it has, and how many bars were counted on it, whether or not `bars.csv` has
/// them (`bar_nodes.csv`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct BarNode {
    pub point: u32,
    pub seed: u64,
    pub node: String,
    pub lanes: u32,
    pub bars: u64,
}
row!(BarNode, "bar_nodes.csv", "point", "seed", "node", "lanes", "bars");

/// A fault and its period; a moment if it ends when it begins (`faults.csv`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Fault {
    pub point: u32,
    pub seed: u64,
    pub kind: String,
    pub target: String,
    #[serde(with = "finite")]
    pub from_s: f64,
    #[serde(with = "finite")]
    pub to_s: f64,
}
row!(Fault, "faults.csv", "point", "seed", "kind", "target", "from_s", "to_s");

/// A value from a moment of a run on (`series.csv`); before its first row a series is zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Series {
    pub point: u32,
    pub seed: u64,
    pub name: String,
    #[serde(with = "finite")]
    pub t_s: f64,
    #[serde(with = "finite")]
    pub value: f64,
}
row!(Series, "series.csv", "point", "seed", "name", "t_s", "value");

/// A check and the number of runs in which it held and did not (`checks.csv`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Check {
    pub name: String,
    pub about: String,
    pub holds: u64,
    pub violated: u64,
}
row!(Check, "checks.csv", "name", "about", "holds", "violated");

/// A violation: what was seen, and the command that shows it again (`violations.csv`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Violation {
    pub check: String,
    pub point: u32,
    pub seed: u64,
    /// When, in simulated seconds; `None` if it concerns the whole run.
    #[serde(with = "finite_option")]
    pub at_s: Option<f64>,
    pub message: String,
    pub command: String,
}
row!(Violation, "violations.csv", "check", "point", "seed", "at_s", "message", "command");

/// How a chart shows its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChartKind {
    /// Means with a confidence band over a key, or a series over time (`x = t_s`).
    Line,
    /// Box and whiskers per category.
    Box,
    /// The empirical distribution function of `y`.
    Cdf,
    /// The relative frequencies of `y`.
    Histogram,
    /// Means with error bars per category.
    Bars,
    /// What every lane was when, with faults shaded; one panel per group.
    Timeline,
    /// What ran on every node and lane when, by the colour of its group: one run.
    Gantt,
}

/// A chart to draw (`charts.csv`). Empty fields take a sensible default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chart {
    /// The stem of its files: letters, digits, `-` and `_`.
    pub name: String,
    /// How it shows its data.
    pub kind: ChartKind,
    /// Its heading.
    pub title: String,
    /// A key (line, box, bars), or `t_s` for a time series.
    pub x: String,
    /// A metric, sample metric or series.
    pub y: String,
    /// A key whose values become series; may be empty.
    pub group: String,
    /// Whether x is logarithmic.
    pub log_x: bool,
    /// Whether y is logarithmic.
    pub log_y: bool,
    /// The x axis's label, without its unit.
    pub x_label: String,
    /// The y axis's label, without its unit.
    pub y_label: String,
    /// What the reader should see; printed below the chart.
    pub caption: String,
    /// Metrics drawn as dashed curves without a band, separated by `;`.
    pub reference: String,
    /// `key=value` pairs that select the runs, separated by `;` (also `point` and `seed`).
    pub filter: String,
}

impl Chart {
    /// Whether its name can be that of files.
    pub(crate) fn is_named_well(&self) -> bool {
        let is_legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        (1..=100).contains(&self.name.len()) && self.name.chars().all(is_legal)
    }
}
row!(
    Chart,
    "charts.csv",
    "name",
    "kind",
    "title",
    "x",
    "y",
    "group",
    "log_x",
    "log_y",
    "x_label",
    "y_label",
    "caption",
    "reference",
    "filter"
);

/// A matrix of one metric over two keys (`tables.csv`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Its name, by which [`Expected`] refers to it.
    pub name: String,
    /// Its heading.
    pub title: String,
    /// The key down the side.
    pub rows: String,
    /// The key across the top; may be empty.
    pub columns: String,
    /// The metric in the cells: a mean with its interval, or the commonest outcome with its count.
    pub cell: String,
}
row!(Table, "tables.csv", "name", "title", "rows", "columns", "cell");

/// What a cell of a table should say (`tables_expected.csv`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Expected {
    pub table: String,
    pub row: String,
    pub column: String,
    pub expected: String,
}
row!(Expected, "tables_expected.csv", "table", "row", "column", "expected");

/// Finite numbers in their shortest decimal form.
mod finite {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
        let value = f64::deserialize(from)?;
        value.is_finite().then_some(value).ok_or_else(|| D::Error::custom("expected a finite number"))
    }
}

/// As [`finite`], or an empty field.
mod finite_option {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(value: &Option<f64>, to: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => to.collect_str(value),
            None => to.serialize_str(""),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
        match Option::<f64>::deserialize(from)? {
            Some(value) if !value.is_finite() => Err(D::Error::custom("expected a finite number")),
            value => Ok(value),
        }
    }
}
