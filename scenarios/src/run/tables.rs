//! The tables of a run folder, from what all runs came to.

use std::collections::BTreeMap;

use seedbed_reports as reports;
use seedbed_reports::Section;

use super::experiment::{Results, Row, Tally};
use super::failure::Owed;
use super::metrics::{self, Column};
use super::plan::{Engine, Experiment, Point};
use super::setup::{protocols, setup};
use crate::scenario::{ChartSpec, Expect};

/// The most violations that are listed; all are counted.
const VIOLATIONS_MAX: usize = 1_000;

pub(super) fn assemble(experiment: &Experiment, rows: Vec<Row>) -> Results {
    let seeds = (experiment.seeds.end - experiment.seeds.start) as usize;
    let mut tables = reports::Experiment {
        about: about(experiment),
        columns: columns(experiment),
        checks: checks(experiment, &rows, seeds),
        charts: charts(experiment),
        ..reports::Experiment::default()
    };
    let mut tally = Tally { runs: rows.len(), ..Tally::default() };
    for row in rows {
        tally.broken_runs += usize::from(!row.run.violated.is_empty());
        tables.runs.push(row.run);
        tables.samples.extend(row.samples);
        tables.spans.extend(row.spans);
        tables.bars.extend(row.bars);
        tables.bar_nodes.extend(row.bar_nodes);
        tables.series.extend(row.series);
        tables.faults.extend(row.faults);
        tables.violations.extend(row.violations);
    }
    tables.violations.truncate(VIOLATIONS_MAX);
    expected(experiment, &mut tables);
    tally.broken_checks = tables.checks.iter().filter(|check| check.violated > 0).count();
    Results { tables, tally }
}

/// The axes of the sweep, as columns.
pub(super) fn keys(experiment: &Experiment) -> Vec<reports::Column> {
    let key = |name: &String| reports::Column {
        name: name.clone(),
        role: reports::Role::Key,
        unit: String::new(),
        about: format!("the value of `{name}` at this point of the sweep"),
    };
    experiment.axes.iter().map(key).collect()
}

fn columns(experiment: &Experiment) -> Vec<reports::Column> {
    let measured = experiment.columns.iter().flat_map(|column| match column {
        Column::Series(metric) => vec![metrics::row(metric, reports::Role::Series)],
        column => column.rows(),
    });
    keys(experiment).into_iter().chain(measured).collect()
}

/// A Gantt chart of one run, beside all others.
pub(super) fn gantt(experiment: &Experiment) -> reports::Chart {
    let scenario = experiment.scenario();
    let title = if scenario.title.is_empty() { experiment.name() } else { scenario.title.clone() };
    reports::Chart {
        name: "gantt".into(),
        kind: reports::ChartKind::Gantt,
        title,
        x: String::new(),
        y: String::new(),
        group: String::new(),
        log_x: false,
        log_y: false,
        x_label: String::new(),
        y_label: String::new(),
        caption: String::new(),
        reference: String::new(),
        filter: String::new(),
    }
}

/// The charts of what was measured.
fn charts(experiment: &Experiment) -> Vec<reports::Chart> {
    let specs = experiment.scenario().chart.iter();
    let is_whole =
        |spec: &&ChartSpec| spec.y.iter().chain(&spec.reference).all(|name| is_measured(experiment, name));
    specs.filter(is_whole).map(ChartSpec::chart).collect()
}

/// Whether any run measures this metric, or what it is a figure of: a sweep of several protocols may have been narrowed
/// to one.
fn is_measured(experiment: &Experiment, name: &str) -> bool {
    let metric = name.split_once('.').map_or(name, |(metric, _)| metric);
    experiment.columns.iter().any(|column| column.metric().name == metric)
}

/// How often each check held and did not, over all points; in the order in which points first name them.
fn checks(experiment: &Experiment, rows: &[Row], seeds: usize) -> Vec<reports::Check> {
    let mut counts: Vec<(reports::Check, Expect)> = Vec::new();
    let mut failures: BTreeMap<Owed, u64> = BTreeMap::new();
    for (index, row) in rows.iter().enumerate() {
        row.failed.iter().for_each(|owed| *failures.entry(*owed).or_default() += 1);
        let point = &experiment.points[index / seeds.max(1)];
        for (check, held) in point.checks.iter().zip(&row.held) {
            let Some(held) = held else { continue };
            let is_same = |(count, expect): &(reports::Check, Expect)| {
                count.name == check.label && *expect == check.expect
            };
            let place = counts.iter().position(is_same).unwrap_or_else(|| {
                let (name, about) = (check.label.clone(), check.about.clone());
                counts.push((reports::Check { name, about, holds: 0, violated: 0 }, check.expect));
                counts.len() - 1
            });
            counts[place].0.holds += u64::from(*held);
            counts[place].0.violated += u64::from(!held);
        }
    }
    let checks = counts.into_iter().map(|(check, expect)| match expect {
        Expect::Holds => check,
        Expect::Violated => seen(&check),
    });
    let failures = failures.into_iter().map(|(owed, violated)| reports::Check {
        name: owed.name().into(),
        about: owed.about().into(),
        holds: rows.len() as u64 - violated,
        violated,
    });
    checks.chain(failures).collect()
}

/// A flaw that must be seen, counted where it was; it is violated if it never was.
fn seen(check: &reports::Check) -> reports::Check {
    let runs = check.holds + check.violated;
    reports::Check {
        name: format!("{}: broken, as expected", check.name),
        about: format!("a known flaw that must be seen: broken in {} of {runs} runs", check.violated),
        holds: check.violated,
        violated: if check.violated > 0 { 0 } else { runs },
    }
}

/// Tables of verdicts, with what each cell should say; a cell that says otherwise counts as violated.
fn expected(experiment: &Experiment, tables: &mut reports::Experiment) {
    let specs = experiment.scenario().table.iter();
    for spec in specs.filter(|spec| is_measured(experiment, &spec.cell)) {
        let name = spec.name.value.clone();
        let columns = spec.columns.as_ref().map_or_else(String::new, |columns| columns.value.clone());
        tables.tables.push(reports::Table {
            name: name.clone(),
            title: spec.title.clone(),
            rows: spec.rows.value.clone(),
            columns: columns.clone(),
            cell: spec.cell.value.clone(),
        });
        let (mut holds, mut violated) = (0, 0);
        for (row, cells) in &spec.expected {
            for (column, expected) in cells {
                let place = [(&spec.rows.value, row), (&columns, column)];
                // A cell that this run of the sweep leaves out says nothing.
                let Some((seen, seed, point)) = commonest(experiment, tables, &place, &spec.cell) else {
                    continue;
                };
                tables.expected.push(reports::Expected {
                    table: name.clone(),
                    row: row.clone(),
                    column: column.clone(),
                    expected: expected.value.clone(),
                });
                if seen == expected.value {
                    holds += 1;
                    continue;
                }
                violated += 1;
                tables.violations.push(reports::Violation {
                    check: format!("{name} as expected"),
                    point: point as u32,
                    seed,
                    at_s: None,
                    message: format!("{row}, {column}: expected {}, saw {seen}", expected.value),
                    command: replay_command(experiment, &experiment.points[point], seed),
                });
            }
        }
        if holds + violated > 0 {
            let about = "every cell of the table says what it should".into();
            tables.checks.push(reports::Check {
                name: format!("{name} as expected"),
                about,
                holds,
                violated,
            });
        }
    }
}

/// The commonest word in a cell, with the point and the first seed that said it.
fn commonest(
    experiment: &Experiment,
    tables: &reports::Experiment,
    place: &[(&String, &String)],
    metric: &str,
) -> Option<(String, u64, usize)> {
    let values: Vec<_> = tables
        .columns_of(&[reports::Role::Metric, reports::Role::Text])
        .map(|column| column.name.as_str())
        .collect();
    let index = values.iter().position(|name| *name == metric)?;
    let is_in_cell = |point: &Point| {
        place
            .iter()
            .filter(|(axis, _)| !axis.is_empty())
            .all(|(axis, label)| point.labels.iter().any(|(name, value)| name == *axis && value == *label))
    };
    let mut counts: BTreeMap<String, (usize, u64, usize)> = BTreeMap::new();
    for run in tables.runs.iter().filter(|run| is_in_cell(&experiment.points[run.point as usize])) {
        let word = run.values[index].to_string();
        counts.entry(word).or_insert((0, run.seed, run.point as usize)).0 += 1;
    }
    // Of equally common words the first in alphabetical order, whatever the order of runs.
    let (word, (_, seed, point)) = counts.into_iter().rev().max_by_key(|(_, (count, ..))| *count)?;
    Some((word, seed, point))
}

/// What the command is called: a binary with protocols of its own has a name of its own.
fn program(experiment: &Experiment) -> String {
    match experiment.request.program.as_str() {
        "" => "seedbed".into(),
        name => quoted(name),
    }
}

/// The command that shows one run again.
pub(super) fn replay_command(experiment: &Experiment, point: &Point, seed: u64) -> String {
    let (program, file) = (program(experiment), quoted(&experiment.path.display().to_string()));
    let sets = sets(experiment, &experiment.plain_sets, &point.arguments);
    match experiment.request.engine {
        Engine::Sim => format!("{program} replay {file} --seed {seed}{sets} --log -"),
        // It will not happen in the same way again, but perhaps in a similar one.
        #[cfg(feature = "real")]
        Engine::Real => {
            let end = seed.saturating_add(1);
            format!("{program} run {file} --engine real --seeds {seed}..{end}{sets}")
        }
    }
}

/// `--quick` and `--set`, as asked and for the axes of a point.
fn sets(experiment: &Experiment, asked: &[(String, String)], axes: &[(String, String)]) -> String {
    let quick = if experiment.request.is_quick { " --quick" } else { "" };
    let sets: String = asked
        .iter()
        .chain(axes)
        .map(|(key, value)| format!(" --set {}", quoted(&format!("{key}={value}"))))
        .collect();
    format!("{quick}{sets}")
}

/// An argument as a POSIX shell takes it.
fn quoted(argument: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_=./:,+%@".contains(letter);
    if argument.chars().all(is_plain) {
        argument.into()
    } else {
        format!("'{}'", argument.replace('\'', "'\\''"))
    }
}

fn about(experiment: &Experiment) -> Vec<reports::About> {
    let scenario = experiment.scenario();
    let mut rows = Vec::new();
    let mut add = |section, key: &str, value: String| {
        rows.push(reports::About { section, key: key.into(), value });
    };
    let title = if scenario.title.is_empty() { experiment.name() } else { scenario.title.clone() };
    add(Section::Head, "title", title);
    if !scenario.question.is_empty() {
        add(Section::Head, "question", scenario.question.clone());
    }
    rows.extend(setup(experiment));
    let mut add = |section, key: &str, value: String| {
        rows.push(reports::About { section, key: key.into(), value });
    };
    let seeds = &experiment.seeds;
    for note in &scenario.notes {
        add(Section::Note, "", note.clone());
    }
    for protocol in protocols(experiment) {
        let point = experiment.points.iter().find(|point| point.scenario.protocol.as_str() == protocol);
        for caveat in point.map_or(&[][..], |point| point.caveats) {
            add(Section::Note, protocol, (*caveat).into());
        }
    }
    let range = format!(" --seeds {}..{}", seeds.start, seeds.end);
    let run = format!(
        "{} run {}{}{range}",
        program(experiment),
        quoted(&experiment.path.display().to_string()),
        sets(experiment, &experiment.request.sets, &[])
    );
    add(Section::Reproduce, "the whole experiment", run);
    let first = &experiment.points[0];
    add(Section::Reproduce, "one run, event by event", replay_command(experiment, first, seeds.start));
    rows
}
