//! From a file to an experiment: its points, each checked and ready, and its seeds.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use seedbed_core::settings::{Problem, Problems, Setting, Spanned, Value};
use seedbed_sim::law::Files;

use super::execute::Ready;
use super::metrics::{self, Column};
use super::references::{self, Labels};
use super::registry::{Entry, Registry};
use crate::format::{self, Assignments, Axis, Document, NOWHERE, Report, expand};
use crate::scenario::{Expect, RunSpec, SEEDS_MAX, Scenario};

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

/// What runs a scenario.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Engine {
    /// The simulator.
    #[default]
    Sim,
    /// Real sockets, disks and clocks, on this machine.
    #[cfg(feature = "real")]
    Real,
}

impl Engine {
    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sim => "sim",
            #[cfg(feature = "real")]
            Self::Real => "real",
        }
    }
}

/// A key and its value, as `--set` takes them.
type Set = (String, String);

/// What a user asks beside the file.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// `--set key=value`, in order.
    pub sets: Vec<Set>,
    /// The sizes of `[quick]`.
    pub is_quick: bool,
    /// Other seeds than the file's.
    pub seeds: Option<Seeds>,
    /// What is to run it: it must be able to.
    pub engine: Engine,
    /// What the command is called in reports; `seedbed`, if nothing is said.
    pub program: String,
}

/// A scenario file, read, checked, and ready to run.
pub struct Experiment {
    /// The file.
    pub path: PathBuf,
    /// What was asked beside it.
    pub request: Request,
    /// What was set beside the axes of its sweep.
    pub(super) plain_sets: Vec<Set>,
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
    /// The arguments that choose it.
    pub(super) arguments: Vec<Set>,
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
        let (mut labels, mut measured) = (Labels::new(), Vec::new());
        let written = part::<Vec<Axis>>(&document, "sweep")?.unwrap_or_default();
        note_labels(&mut labels, &written);
        note_columns(&mut measured, &document, &written, registry);
        if request.is_quick {
            let quick = part::<Assignments>(&document, "quick")?.unwrap_or_default();
            document = document.with(&quick.0)?;
        }
        let (axes, plain_sets) = assign(&mut document, &request.sets)?;
        note_labels(&mut labels, &axes);
        let expanded = expand(&axes).map_err(|problems| document.report(problems))?;
        refuse_common(&expanded).map_err(|problems| document.report(problems))?;
        // They have been read: no point needs a copy.
        ["sweep", "quick"].iter().for_each(|key| document.remove(key));
        let files = Beside::new(path);
        let (mut points, mut columns) = (Vec::new(), Vec::new());
        let mut at = |point: &format::Point| {
            let document = document.with(&point.overlay)?;
            let scenario = document.read::<Scenario>()?;
            #[cfg(feature = "real")]
            if request.engine == Engine::Real {
                crate::real::refuse(&scenario, document.root(), registry)
                    .map_err(|problems| document.report(problems))?;
            }
            make(scenario, point, registry, &files, &mut columns)
                .map_err(|problems| document.report(problems))
        };
        for point in &expanded {
            let made = at(point).map_err(|report| {
                // What is wrong at the other end of the sweep, too, is not wrong because of the point.
                let other = if point.index == 0 { expanded.len() - 1 } else { 0 };
                let elsewhere = (other != point.index).then(|| at(&expanded[other]).err()).flatten();
                report.at_point(&point.labels, elsewhere.as_ref())
            });
            points.push(made?);
        }
        let first: &Scenario = &points[0].scenario;
        add_columns(&mut measured, columns.iter().copied());
        references::check(first, &axes, &labels, &measured, registry)
            .map_err(|problems| document.report(problems))?;
        let seeds = seeds(&document, &request, &first.run, points.len())
            .map_err(|problem| document.report(problem.into()))?;
        let axes = axes.iter().map(|axis| axis.name().to_owned()).collect();
        Ok(Self { path: path.into(), request, plain_sets, axes, points, seeds, columns })
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

/// Adds what the values of these axes are called: a file may name those that `--quick` or `--set` leave out.
fn note_labels(labels: &mut Labels, axes: &[Axis]) {
    for axis in axes {
        let known = labels.entry(axis.name().to_owned()).or_default();
        let new: Vec<String> = axis.labels().into_iter().filter(|label| !known.contains(label)).collect();
        known.extend(new);
    }
}

/// Adds what the protocols of a file measure: it may name metrics of those that `--set` leaves out.
fn note_columns(columns: &mut Vec<Column>, document: &Document, axes: &[Axis], registry: &Registry) {
    let root = |key| document.root().table().and_then(|root| root.find(key));
    let (plain, has_clients) = (root("protocol").cloned(), root("workload").is_some());
    for node in axes.iter().flat_map(|axis| axis.values_of("protocol")).chain(plain) {
        if let Value::Text(name) = &node.value
            && let Some(entry) = registry.find(name)
        {
            add_columns(columns, metrics::columns(entry, has_clients));
        }
    }
}

fn add_columns(columns: &mut Vec<Column>, more: impl IntoIterator<Item = Column>) {
    for column in more {
        if columns.iter().all(|known| known.metric().name != column.metric().name) {
            columns.push(column);
        }
    }
}

/// One top-level part of a document, read on its own.
fn part<T: Setting>(document: &Document, key: &str) -> Result<Option<T>, Report> {
    let node = document.root().table().and_then(|table| table.find(key));
    node.map(|node| seedbed_core::settings::read(node))
        .transpose()
        .map_err(|problems| document.report(problems))
}

/// `--set`: keys of the document, and axes of the sweep, which are then narrowed to one value; gives back the axes
/// and what was set beside them.
fn assign(document: &mut Document, sets: &[(String, String)]) -> Result<(Vec<Axis>, Vec<Set>), Report> {
    let written: Vec<Axis> = part(document, "sweep")?.unwrap_or_default();
    let is_axis = |set: &&Set| written.iter().any(|axis| axis.is_meant(&set.0));
    let (chosen, plain): (Vec<&Set>, Vec<&Set>) = sets.iter().partition(is_axis);
    for (key, value) in &plain {
        document.set(key, value)?;
    }
    let mut axes: Vec<Axis> = part(document, "sweep")?.unwrap_or_default();
    for axis in &mut axes {
        if let Some((key, value)) = chosen.iter().rfind(|(key, _)| axis.is_meant(key)) {
            let node = document.argument(key, value)?;
            axis.narrow(value, node).map_err(|problem| document.report(problem.into()))?;
        }
    }
    Ok((axes, plain.into_iter().cloned().collect()))
}

/// The top-level keys that say something about the whole experiment.
const COMMON: [&str; 7] = ["title", "question", "notes", "chart", "table", "sweep", "quick"];

/// What is said about the whole experiment cannot vary from point to point.
fn refuse_common(points: &[format::Point]) -> Result<(), Problems> {
    let is_common = |key: &str| key == "run.seeds" || COMMON.contains(&key.split('.').next().unwrap_or(key));
    match points.iter().flat_map(|point| &point.overlay).find(|(key, _)| is_common(key)) {
        None => Ok(()),
        Some((key, _)) => {
            let problem = Problem::new(key.span, format!("`{}` is the same at every point", key.value));
            Err(problem.expected("a key that may vary").into())
        }
    }
}

/// With which seeds: as asked, or as the file says; not more runs than a machine can hold.
fn seeds(
    document: &Document,
    request: &Request,
    run: &RunSpec,
    points: usize,
) -> Result<Range<u64>, Problem> {
    let seeds = request.seeds.clone().map_or(0..run.seeds, |seeds| seeds.0);
    let runs = (seeds.end - seeds.start).saturating_mul(points as u64);
    if runs <= RUNS_MAX {
        return Ok(seeds);
    }
    let written = document.root().table().and_then(|root| root.find("run")?.table()?.find("seeds"));
    let span = written.filter(|_| request.seeds.is_none()).map_or(NOWHERE, |node| node.span);
    let message = format!("{points} points with {} seeds are {runs} runs", seeds.end - seeds.start);
    Err(Problem::new(span, message).expected(format!("at most {RUNS_MAX} runs")))
}

/// The most runs of an experiment: what they came to is kept until all are done.
const RUNS_MAX: u64 = 1_000_000;

fn make(
    scenario: Scenario,
    point: &format::Point,
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
    add_columns(columns, metrics::columns(entry, scenario.workload.is_some()));
    let (labels, arguments) = (point.labels.clone(), point.arguments.clone());
    let checks = named(&scenario, entry, &labels);
    Ok(Point { labels, arguments, ready, checks, caveats: entry.caveats(), scenario })
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
            about: match &check.metric {
                Some(threshold) => format!("{} in every run", threshold.value),
                None => about(check.check.as_ref().or(check.always.as_ref()).or(check.eventually.as_ref())),
            },
            expect: check.expect,
            applies: check.only.iter().all(|(axis, label)| {
                labels.iter().any(|(name, value)| name == axis && *value == label.value)
            }),
        })
        .collect()
}

/// The largest file that a scenario may name, in bytes.
const BESIDE_MAX: u64 = 64 << 20;

/// The files beside a scenario, each read once.
struct Beside {
    folder: PathBuf,
    read: RefCell<BTreeMap<String, Result<String, String>>>,
}

impl Beside {
    fn new(scenario: &Path) -> Self {
        Self { folder: scenario.parent().unwrap_or(Path::new("")).into(), read: RefCell::default() }
    }
}

impl Files for Beside {
    fn read(&self, name: &str) -> Result<String, String> {
        let mut read = self.read.borrow_mut();
        read.entry(name.into()).or_insert_with(|| read_limited(&self.folder.join(name))).clone()
    }
}

fn read_limited(path: &Path) -> Result<String, String> {
    let unreadable = |error: std::io::Error| format!("{} cannot be read: {error}", path.display());
    let metadata = path.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(format!("{} is no regular file", path.display()));
    }
    if metadata.len() > BESIDE_MAX {
        return Err(format!("{} is larger than {} MiB", path.display(), BESIDE_MAX >> 20));
    }
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(BESIDE_MAX).read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}
