//! `report.html`: one self-contained file, with nothing to fetch, for screens light and dark and for paper.

use crate::chart::grouped;
use crate::figures::{measured, plain, ranged};
use crate::grid::{Cell, Grid};
use crate::rows::{About, Check, Role, Section, Verdict, Violation};
use crate::summary::Summary;
use crate::{Error, Experiment, Result};
use minijinja::{AutoEscape, Environment, context};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

const VIOLATIONS_MAX: usize = 30;
/// So that one check's violations leave room for the others'.
const VIOLATIONS_PER_CHECK: usize = 5;
const DETAILS_MAX: usize = 1_000;

/// The page of an experiment, with its grids (results first) and the SVG of each of its charts.
pub(crate) fn page(
    experiment: &Experiment,
    summary: &[Summary],
    grids: &[Grid],
    drawings: &[String],
) -> Result<String> {
    let pages = pages();
    let template = pages.template_from_str(concat!(include_str!("macros.html"), include_str!("page.html")));
    let of = |section| {
        experiment.about.iter().filter(move |row: &&About| row.section == section).collect::<Vec<_>>()
    };
    let head =
        |key: &str| of(Section::Head).into_iter().find(|row| row.key == key).map_or("", |row| &row.value);
    let facts = of(Section::Head).into_iter().filter(|row| row.key != "title" && row.key != "question");
    let mut grids = grids.iter().map(Shown::new);
    let violations = told(&experiment.violations);
    let details = details(experiment, summary);
    let page = template.and_then(|template| {
        template.render(context! {
            style => STYLE,
            title => if head("title").is_empty() { "Experiment" } else { head("title") },
            question => head("question"),
            verdict => verdict(experiment),
            is_violated => violated_runs(experiment) + violated_checks(experiment) > 0,
            setup => facts.chain(of(Section::Setup)).collect::<Vec<_>>(),
            results => grids.next(),
            matrices => grids.collect::<Vec<_>>(),
            checks => experiment.checks.iter().map(Judged::new).collect::<Vec<_>>(),
            charts => charts(experiment, drawings),
            violations => violations.iter().map(|violation| seen(violation)).collect::<Vec<_>>(),
            violations_more => experiment.violations.len() - violations.len(),
            details => Shown::new(&details),
            notes => of(Section::Note),
            reproduce => of(Section::Reproduce),
            columns => experiment.columns,
        })
    });
    page.map_err(|error| Error::draw("report.html", error))
}

/// How all pages look.
pub(crate) const STYLE: &str = include_str!("style.css");

/// What all pages are made with.
pub(crate) fn pages() -> Environment<'static> {
    let mut pages = Environment::new();
    pages.set_auto_escape_callback(|_| AutoEscape::Html);
    pages.set_trim_blocks(true);
    pages.set_lstrip_blocks(true);
    pages
}

/// A table as pages take it.
#[derive(Serialize)]
pub(crate) struct Shown<'g> {
    grid: &'g Grid,
    numeric: Vec<bool>,
}

impl<'g> Shown<'g> {
    pub(crate) fn new(grid: &'g Grid) -> Shown<'g> {
        Shown { numeric: numeric(grid), grid }
    }
}

fn numeric(grid: &Grid) -> Vec<bool> {
    (0..grid.header.len()).map(|at| grid.is_numeric(at)).collect()
}

/// The result in one sentence.
fn verdict(experiment: &Experiment) -> String {
    let count = |number: usize, what: &str| {
        format!("{} {what}{}", grouped(&number.to_string()), if number == 1 { "" } else { "s" })
    };
    let points: BTreeSet<u32> = experiment.runs.iter().map(|run| run.point).collect();
    let size = format!("{} of {}", count(experiment.runs.len(), "run"), count(points.len(), "point"));
    let broken = || count(violated_checks(experiment), "check");
    match (experiment.checks.len(), violated_checks(experiment), violated_runs(experiment)) {
        (0, _, 0) => format!("{size}; no check was asked for."),
        (_, 0, 0) => format!("{size}; every check held."),
        (_, _, 0) => format!("{size}; {} did not come out as expected.", broken()),
        (_, _, runs) => format!("{size}; {} did not hold, in {}.", broken(), count(runs, "run")),
    }
}

fn violated_runs(experiment: &Experiment) -> usize {
    experiment.runs.iter().filter(|run| run.verdict == Verdict::Violated).count()
}

/// Checks of runs, and what concerns all runs: tables and flaws that must be seen.
fn violated_checks(experiment: &Experiment) -> usize {
    experiment.checks.iter().filter(|check| check.violated > 0).count()
}

#[derive(Serialize)]
struct Judged<'e> {
    check: &'e Check,
    is_right: Option<bool>,
}

impl Judged<'_> {
    fn new(check: &Check) -> Judged<'_> {
        let is_seen = check.holds + check.violated > 0;
        Judged { check, is_right: is_seen.then_some(check.violated == 0) }
    }
}

fn charts(experiment: &Experiment, drawings: &[String]) -> Vec<minijinja::Value> {
    let charts = experiment.charts.iter().zip(drawings);
    charts.map(|(chart, svg)| context! { name => chart.name, svg => svg }).collect()
}

/// The violations that a page lists: the first few of each check.
fn told(violations: &[Violation]) -> Vec<&Violation> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut listed = Vec::new();
    for violation in violations {
        let count = counts.entry(&violation.check).or_default();
        *count += 1;
        if *count <= VIOLATIONS_PER_CHECK && listed.len() < VIOLATIONS_MAX {
            listed.push(violation);
        }
    }
    listed
}

fn seen(violation: &Violation) -> minijinja::Value {
    context! { at => violation.at_s.map(plain), row => violation }
}

/// Every metric at every point, as far as a page can hold them.
fn details(experiment: &Experiment, summary: &[Summary]) -> Grid {
    let mut header: Vec<String> = experiment.columns_of(&[Role::Key]).map(|key| key.name.clone()).collect();
    header.extend(["metric", "unit", "n", "mean", "sd", "median", "p95", "min", "max"].map(str::to_owned));
    let row = |row: &Summary| {
        let mut cells: Vec<Cell> = row.keys.iter().cloned().map(Cell::from).collect();
        let count =
            if row.samples > row.n { format!("{} ({} runs)", row.samples, row.n) } else { row.n.to_string() };
        let number = |value: Option<f64>| value.map_or_else(|| "–".into(), plain);
        let quantile = |at: usize| row.quantiles.map(|quantiles| quantiles[at]);
        let interval = |at: usize| row.quantile_intervals.map(|intervals| intervals[at]);
        let within =
            |value: Option<f64>, at| value.map_or_else(|| "–".into(), |value| ranged(value, interval(at)));
        let mean = row.mean.map_or_else(|| "–".into(), |mean| measured(mean, row.mean_interval));
        let rest = [row.metric.clone(), row.unit.clone(), count, mean, number(row.sd)];
        cells.extend(rest.map(Cell::from));
        cells.extend([within(quantile(1), 0), within(quantile(2), 1)].map(Cell::from));
        cells.extend([number(quantile(0)), number(quantile(4))].map(Cell::from));
        cells
    };
    let note = format!("{} of {} rows are shown; the rest is in summary.csv.", DETAILS_MAX, summary.len());
    Grid {
        keys: experiment.columns_of(&[Role::Key]).count(),
        title: "Every metric at every point".into(),
        header,
        rows: summary.iter().take(DETAILS_MAX).map(row).collect(),
        note: if summary.len() > DETAILS_MAX { note } else { String::new() },
    }
}
