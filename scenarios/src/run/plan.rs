//! From a file to an experiment: its points, each checked and ready, and its seeds.

use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use seedbed_core::settings::{Problem, Problems, Setting, Spanned};
use seedbed_sim::law::Files;

use super::execute::Ready;
use super::metrics::{self, Column};
use super::registry::{Entry, Registry};
use crate::format::{Assignments, Axis, Document, Report, expand};
use crate::scenario::{Expect, Kind, SEEDS_MAX, Scenario};

/// Which seeds: `N` for 0 to N-1, or `A..B`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seeds(pub Range<u64>);

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number =
            |text: &str| text.trim().parse::<u64>().map_err(|_| format!("`{text}` is no whole number"));
        let range = match text.split_once("..") {
            Some((first, end)) => number(first)?..number(end)?,
            None => 0..number(text)?,
        };
        match range.end.saturating_sub(range.start) {
            0 => Err("there is no seed in it: write N of at least 1, or A..B with A below B".into()),
            1..=SEEDS_MAX => Ok(Self(range)),
            _ => Err(format!("these are more than {SEEDS_MAX} seeds")),
        }
    }
}

/// What a user asks beside the file.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// `--set key=value`, in order.
    pub sets: Vec<(String, String)>,
    /// The sizes of `[quick]`.
    pub is_quick: bool,
    /// Other seeds than the file's.
    pub seeds: Option<Seeds>,
}

/// A scenario file, read, checked, and ready to run.
pub struct Experiment {
    /// The file.
    pub path: PathBuf,
    /// What was asked beside it.
    pub request: Request,
    /// The names of the axes of its sweep.
    pub axes: Vec<String>,
    /// All points, in order: at least one.
    pub points: Vec<Point>,
    /// With which seeds each is run.
    pub seeds: Range<u64>,
    /// The columns of all its protocols.
    pub(super) columns: Vec<Column>,
}

/// One point of the sweep.
pub struct Point {
    /// Each axis with this point's label.
    pub labels: Vec<(String, String)>,
    /// The scenario here.
    pub scenario: Scenario,
    /// Ready to run.
    pub ready: Box<dyn Ready>,
    /// What its rules are called, in the order of [`Ready::rules`].
    pub(super) checks: Vec<Named>,
    /// What the protocol cannot keep.
    pub(super) caveats: &'static [&'static str],
}

/// A rule as reports name it.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) label: String,
    pub(super) about: String,
    pub(super) expect: Expect,
    /// Whether it is meant for this point.
    pub(super) applies: bool,
}

impl std::fmt::Debug for Experiment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Experiment")
            .field("path", &self.path)
            .field("points", &self.points.len())
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Point {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Point").field("labels", &self.labels).finish_non_exhaustive()
    }
}

impl Experiment {
    /// Reads a file and all that it names, and checks every point of its sweep.
    ///
    /// # Errors
    /// All that is wrong, with the places.
    pub fn load(path: &Path, registry: &Registry, request: Request) -> Result<Self, Report> {
        let mut document = Document::load(path)?;
        if request.is_quick {
            let quick = part::<Assignments>(&document, "quick")?.unwrap_or_default();
            document = document.with(&quick.0)?;
        }
        let mut axes: Vec<Axis> = part(&document, "sweep")?.unwrap_or_default();
        for (key, value) in &request.sets {
            document = set(document, &mut axes, key, value)?;
        }
        let expanded = expand(&axes).map_err(|problems| document.report(problems))?;
        let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
        let files = move |name: &str| read_beside(&folder, name);
        let mut points = Vec::new();
        let mut columns: Vec<Column> = Vec::new();
        for point in expanded {
            let document = document.with(&point.overlay)?;
            let read = document.read::<Scenario>()?;
            let made = make(read, point.labels, registry, &files, &mut columns);
            points.push(made.map_err(|problems| document.report(problems))?);
        }
        let names: Vec<String> = axes.iter().map(|axis| axis.name().to_owned()).collect();
        let first = &points[0].scenario;
        check_reports(first, &names, &columns, registry).map_err(|problems| document.report(problems))?;
        let seeds = request.seeds.clone().map_or(0..first.run.seeds, |seeds| seeds.0);
        Ok(Self { path: path.into(), request, axes: names, points, seeds, columns })
    }

    /// The scenario at its first point.
    #[must_use]
    pub fn scenario(&self) -> &Scenario {
        &self.points[0].scenario
    }

    /// The name of its results: that of the file, without its ending.
    #[must_use]
    pub fn name(&self) -> String {
        self.path.file_stem().map_or_else(|| "scenario".into(), |stem| stem.to_string_lossy().into_owned())
    }
}

/// One top-level part of a document, read on its own.
fn part<T: Setting>(document: &Document, key: &str) -> Result<Option<T>, Report> {
    let node = document.root().table().and_then(|table| table.find(key));
    node.map(|node| seedbed_core::settings::read(node))
        .transpose()
        .map_err(|problems| document.report(problems))
}

/// `--set`: a key of the document, or an axis of the sweep, which then has one value.
fn set(mut document: Document, axes: &mut Vec<Axis>, key: &str, value: &str) -> Result<Document, Report> {
    let is_meant = |axis: &Axis| axis.name() == key || axis.key.as_ref().is_some_and(|own| own.value == key);
    let Some(place) = axes.iter().position(is_meant) else {
        document.set(key, value)?;
        return Ok(document);
    };
    let axis = axes.remove(place);
    match (&axis.key, &axis.cases) {
        (Some(key), _) => document.set(key, value)?,
        (None, Some(cases)) => match cases.iter().find(|case| case.label == value) {
            Some(case) => document = document.with(&case.set.0)?,
            None => {
                let labels = cases.iter().map(|case| case.label.as_str());
                let problem = Problem::unknown(axis.span(), "case in --set", value, labels);
                return Err(document.report(problem.into()));
            }
        },
        (None, None) => {}
    }
    // What was swept is one value now; the sweep as written no longer counts.
    Ok(document)
}

fn make(
    scenario: Scenario,
    labels: Vec<(String, String)>,
    registry: &Registry,
    files: &dyn Files,
    columns: &mut Vec<Column>,
) -> Result<Point, Problems> {
    let protocol = &scenario.protocol;
    let Some(entry) = registry.find(protocol) else {
        return Err(Problem::unknown(protocol.span, "protocol", protocol, registry.names()).into());
    };
    let params = registry.params(protocol, scenario.params.as_ref());
    let ready = entry.prepare(&scenario, &params, files)?;
    for column in metrics::columns(entry, scenario.workload.is_some()) {
        if columns.iter().all(|known| known.metric().name != column.metric().name) {
            columns.push(column);
        }
    }
    let checks = named(&scenario, entry, &labels);
    Ok(Point { labels, ready, checks, caveats: entry.caveats(), scenario })
}

/// The names of a point's rules, in their order.
fn named(scenario: &Scenario, entry: &dyn Entry, labels: &[(String, String)]) -> Vec<Named> {
    if scenario.check.is_empty() {
        let promise = |check: &seedbed_core::contract::Check| Named {
            label: check.name.into(),
            about: check.about.into(),
            expect: Expect::Holds,
            applies: true,
        };
        return entry.checks().iter().map(promise).collect();
    }
    let mut known = entry.checks();
    known.extend(entry.conditions());
    let about = |name: Option<&Spanned<String>>| {
        let found = name.and_then(|name| known.iter().find(|check| check.name == name.value));
        found.map_or_else(String::new, |check| check.about.into())
    };
    let checks = scenario.check.iter().filter(|check| check.is_for(&scenario.protocol));
    checks
        .map(|check| Named {
            label: check.label(),
            about: about(check.check.as_ref().or(check.always.as_ref()).or(check.eventually.as_ref())),
            expect: check.expect,
            applies: check.only.iter().all(|(axis, label)| {
                labels.iter().any(|(name, value)| name == axis && *value == label.value)
            }),
        })
        .collect()
}

/// What charts, tables and checks name must exist.
fn check_reports(
    scenario: &Scenario,
    axes: &[String],
    columns: &[Column],
    registry: &Registry,
) -> Result<(), Problems> {
    let mut problems = Problems::default();
    let mut known = |name: &Spanned<String>, what: &str, all: &[&str]| {
        if !all.contains(&name.as_str()) {
            problems.push(Problem::unknown(name.span, what, name, all.iter().copied()));
        }
    };
    let axes: Vec<&str> = axes.iter().map(String::as_str).collect();
    let figures = super::prepare::figures(columns);
    let metrics: Vec<&str> = columns.iter().map(|column| column.metric().name).collect();
    let plotted: Vec<&str> = metrics.iter().copied().chain(figures.iter().map(String::as_str)).collect();
    for chart in &scenario.chart {
        if let (Some(x), false) = (&chart.x, chart.kind == Kind::Timeline) {
            known(x, "axis of the sweep", &axes);
        }
        if let Some(group) = &chart.group {
            known(group, "axis of the sweep", &axes);
        }
        chart.y.iter().chain(&chart.reference).for_each(|metric| known(metric, "metric", &plotted));
    }
    for table in &scenario.table {
        known(&table.rows, "axis of the sweep", &axes);
        table.columns.iter().for_each(|name| known(name, "axis of the sweep", &axes));
        known(&table.cell, "metric", &plotted);
    }
    let protocols: Vec<&str> = registry.names().collect();
    for check in &scenario.check {
        check.protocol.iter().for_each(|name| known(name, "protocol", &protocols));
        for (axis, label) in &check.only {
            if !axes.contains(&axis.as_str()) {
                let named = Spanned { span: label.span, value: axis.clone() };
                known(&named, "axis of the sweep", &axes);
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// The largest file that a scenario may name, in bytes.
const BESIDE_MAX: u64 = 64 << 20;

fn read_beside(folder: &Path, name: &str) -> Result<String, String> {
    let path = folder.join(name);
    let metadata = path.metadata().map_err(|error| format!("{}: {error}", path.display()))?;
    if !metadata.is_file() {
        return Err(format!("{} is no regular file", path.display()));
    }
    if metadata.len() > BESIDE_MAX {
        return Err(format!("{} is larger than {} MiB", path.display(), BESIDE_MAX >> 20));
    }
    let mut text = String::new();
    std::fs::File::open(&path)
        .and_then(|file| file.take(BESIDE_MAX).read_to_string(&mut text))
        .map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(text)
}
