//! All points with all seeds, over all cores; what they came to, as tables.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use seedbed_core::contract::Time;
use seedbed_reports as reports;

use super::execute::{Broken, Options, Outcome};
use super::failure::{Failure, Owed};
use super::metrics::{Column, figure};
use super::plan::{Experiment, Point};
use super::tables;
use super::timeline::Timeline;
use crate::scenario::{ChartSpec, Expect, Kind, Rule};

/// The most values of one metric that are kept of one run: of more, every second, third, ... is kept. Fewer, where all
/// runs together would come to more than the second number.
const SAMPLES_MAX: usize = 10_000;
const SAMPLES_ALL_MAX: usize = 8_000_000;
/// The same for the stretches and faults of timelines.
const ROWS_MAX: usize = 20_000;
const ROWS_ALL_MAX: usize = 400_000;

/// One run to be done.
#[derive(Clone, Copy, Debug)]
pub struct Job {
    /// Which point.
    pub point: usize,
    /// Which seed.
    pub seed: u64,
}

/// What an experiment came to.
#[derive(Debug)]
pub struct Results {
    /// All tables.
    pub tables: reports::Experiment,
    /// How many runs there were, and how many of them broke a check.
    pub tally: Tally,
}

/// Counts over an experiment.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// Runs done.
    pub runs: usize,
    /// Runs in which some check did not hold.
    pub broken_runs: usize,
    /// Checks that do not come out as expected.
    pub broken_checks: usize,
}

/// What one run adds to the tables.
pub(super) struct Row {
    pub(super) run: reports::Run,
    pub(super) samples: Vec<reports::Sample>,
    pub(super) spans: Vec<reports::Span>,
    pub(super) bars: Vec<reports::Bar>,
    pub(super) bar_nodes: Vec<reports::BarNode>,
    pub(super) series: Vec<reports::Series>,
    pub(super) faults: Vec<reports::Fault>,
    pub(super) violations: Vec<reports::Violation>,
    /// For each rule of the point whether it held; none if it is not meant for the point.
    pub(super) held: Vec<Option<bool>>,
    /// What it owed and did not keep.
    pub(super) failed: Option<Owed>,
}

/// Runs everything in the simulator, on the current thread pool; `progress` is told how many runs are done.
#[must_use]
pub fn run_all(experiment: &Experiment, progress: &(dyn Fn(usize) + Sync)) -> Results {
    run_each(experiment, progress, &|point, seed| point.ready.run(seed, Options::default()))
}

/// Runs everything for real, as many runs at once as the current thread pool has threads.
#[cfg(feature = "real")]
#[must_use]
pub fn run_all_real(
    experiment: &Experiment,
    scratch: &crate::real::Scratch,
    progress: &(dyn Fn(usize) + Sync),
) -> Results {
    run_each(experiment, progress, &|point, seed| point.ready.run_real(seed, scratch))
}

fn run_each(
    experiment: &Experiment,
    progress: &(dyn Fn(usize) + Sync),
    run: &(dyn Fn(&Point, u64) -> Outcome + Sync),
) -> Results {
    let jobs: Vec<Job> = (0..experiment.points.len())
        .flat_map(|point| experiment.seeds.clone().map(move |seed| Job { point, seed }))
        .collect();
    let done = AtomicUsize::new(0);
    let rows: Vec<Row> = jobs
        .par_iter()
        .with_max_len(1)
        .map(|&job| {
            let row = run_one(experiment, job, run);
            progress(done.fetch_add(1, Ordering::Relaxed) + 1);
            row
        })
        .collect();
    tables::assemble(experiment, rows)
}

fn run_one(experiment: &Experiment, job: Job, run: &dyn Fn(&Point, u64) -> Outcome) -> Row {
    let point = &experiment.points[job.point];
    let outcome = run(point, job.seed);
    let (broken, held) = judge(experiment, point, &outcome);
    row(experiment, job, outcome, broken, held)
}

/// What one run came to, judged by the checks of its point.
#[derive(Debug)]
pub struct Judgement {
    digest: Option<u64>,
    figures: Vec<(String, String)>,
    /// Each check with what was seen against it, and whether that is as expected.
    checks: Vec<(String, Vec<Broken>, bool)>,
}

impl Experiment {
    /// The Gantt chart of one run; none if nothing was told of what ran.
    ///
    /// # Errors
    /// If it cannot be drawn.
    pub fn gantt(
        &self,
        point: &Point,
        seed: u64,
        outcome: &Outcome,
    ) -> reports::Result<Option<reports::Drawing>> {
        if outcome.findings.bar_nodes.is_empty() {
            return Ok(None);
        }
        let timeline = Timeline { point: 0, seed, cluster: &point.scenario.cluster, rows_max: ROWS_MAX };
        let run = reports::Run {
            point: 0,
            keys: point.labels.iter().map(|(_, label)| label.clone()).collect(),
            seed,
            digest: String::new(),
            verdict: reports::Verdict::Holds,
            violated: Vec::new(),
            values: Vec::new(),
        };
        let tables = reports::Experiment {
            columns: tables::keys(self),
            runs: vec![run],
            bars: timeline.bars(outcome, ROWS_MAX),
            bar_nodes: timeline.bar_nodes(outcome, ROWS_ALL_MAX),
            faults: timeline.faults(outcome),
            ..reports::Experiment::default()
        };
        reports::draw(&tables, &tables::gantt(self)).map(Some)
    }

    /// Judges one run of one of its points.
    #[must_use]
    pub fn judge(&self, point: &Point, outcome: &Outcome) -> Judgement {
        let (broken, held) = judge(self, point, outcome);
        let names = self.columns.iter().flat_map(|column| column.rows());
        let names = names.filter(|row| row.role != reports::Role::Sample).map(|row| row.name);
        let values =
            self.columns.iter().flat_map(|column| column.values(outcome)).map(|value| value.to_string());
        let checks = point.checks.iter().zip(held).enumerate().filter_map(|(index, (check, held))| {
            let seen = broken.iter().filter(|broken| broken.rule == index).cloned().collect();
            // A flaw that must be seen need not be seen in every run.
            Some((check.label.clone(), seen, held? || check.expect == Expect::Violated))
        });
        let mut checks: Vec<_> = checks.collect();
        if let Some(Failure { owed, at, message }) = outcome.failure.clone() {
            checks.push((owed.name().into(), vec![Broken { rule: point.checks.len(), at, message }], false));
        }
        Judgement { digest: outcome.digest, figures: names.zip(values).collect(), checks }
    }
}

impl Judgement {
    /// Whether every check came out as expected.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.checks.iter().all(|(.., holds)| *holds)
    }
}

/// Digest, figures and checks, a line each.
impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(digest) = self.digest {
            writeln!(f, "digest {digest:016x}")?;
        }
        let width = self.figures.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in self.figures.iter().filter(|(_, value)| !value.is_empty()) {
            writeln!(f, "{name:<width$}  {value}")?;
        }
        for (label, seen, holds) in &self.checks {
            writeln!(f, "{} {label}", if *holds { '\u{2713}' } else { '\u{2717}' })?;
            for broken in seen {
                let at = broken.at.map_or_else(String::new, |at| format!("{at}: "));
                writeln!(f, "    {at}{}", broken.message)?;
            }
        }
        Ok(())
    }
}

/// Which rules did not hold, with what was seen; and for each rule whether it held. Of a run that came to no proper end
/// nobody can say that something held.
fn judge(experiment: &Experiment, point: &Point, outcome: &Outcome) -> (Vec<Broken>, Vec<Option<bool>>) {
    let mut broken = outcome.broken.clone();
    for (index, rule) in point.ready.rules().iter().enumerate() {
        match rule {
            Rule::Promise(name) => {
                let seen = outcome.findings.violations.iter().filter(|violation| violation.check == name);
                broken.extend(seen.map(|violation| Broken {
                    rule: index,
                    at: Some(violation.at),
                    message: violation.message.clone(),
                }));
            }
            Rule::Metric(threshold) => {
                // What is undefined breaks no bound: a run without an interval has no 95th percentile of it.
                let seen = figure(&experiment.columns, outcome, &threshold.metric);
                if let Some(seen) = seen.filter(|seen| !threshold.holds(*seen)) {
                    broken.push(Broken {
                        rule: index,
                        at: None,
                        message: format!("{} is {seen}", threshold.metric),
                    });
                }
            }
            Rule::Always(..) | Rule::Eventually(..) => {}
        }
    }
    let held = point.checks.iter().enumerate().map(|(index, check)| {
        let holds = broken.iter().all(|broken| broken.rule != index);
        (check.applies && !(holds && outcome.failure.is_some())).then_some(holds)
    });
    let held = held.collect();
    broken.sort_by_key(|broken| broken.rule);
    broken.retain(|broken| point.checks.get(broken.rule).is_some_and(|check| check.applies));
    (broken, held)
}

fn row(
    experiment: &Experiment,
    job: Job,
    outcome: Outcome,
    broken: Vec<Broken>,
    held: Vec<Option<bool>>,
) -> Row {
    let point = &experiment.points[job.point];
    let (index, seed) = (job.point as u32, job.seed);
    let must_hold = |broken: &&Broken| point.checks[broken.rule].expect == Expect::Holds;
    let mut violated: Vec<String> =
        broken.iter().filter(must_hold).map(|broken| point.checks[broken.rule].label.clone()).collect();
    violated.dedup();
    violated.extend(outcome.failure.as_ref().map(|failure| failure.owed.name().to_owned()));
    let command = tables::replay_command(experiment, point, seed);
    let violation = |check: String, at: Option<Time>, message: String| reports::Violation {
        check,
        point: index,
        seed,
        at_s: at.map(seconds),
        message,
        command: command.clone(),
    };
    let mut violations: Vec<_> = broken
        .iter()
        .filter(must_hold)
        .map(|broken| violation(point.checks[broken.rule].label.clone(), broken.at, broken.message.clone()))
        .collect();
    violations.extend(
        outcome
            .failure
            .as_ref()
            .map(|failure| violation(failure.owed.name().into(), failure.at, failure.message.clone())),
    );
    // A timeline shows one run of each point: the first.
    let is_first = seed == experiment.seeds.start;
    let rows_max = if is_first { (ROWS_ALL_MAX / experiment.points.len()).clamp(1, ROWS_MAX) } else { 0 };
    let timeline = Timeline { point: index, seed, cluster: &point.scenario.cluster, rows_max };
    let bars_max = if is_first { bars_max(experiment, job.point) } else { 0 };
    let kept = samples_max(experiment);
    let samples = outcome.findings.samples.iter().flat_map(|(metric, values)| {
        let step = values.len().div_ceil(kept).max(1);
        values.iter().step_by(step).filter(|value| value.is_finite()).map(|&value| reports::Sample {
            point: index,
            seed,
            metric: (*metric).into(),
            value,
        })
    });
    Row {
        samples: samples.collect(),
        spans: timeline.spans(&outcome),
        bars: timeline.bars(&outcome, bars_max.min(ROWS_MAX)),
        bar_nodes: timeline.bar_nodes(&outcome, bars_max),
        series: timeline.series(&outcome, kept),
        faults: timeline.faults(&outcome),
        run: reports::Run {
            point: index,
            keys: point.labels.iter().map(|(_, label)| label.clone()).collect(),
            seed,
            digest: outcome.digest.map_or_else(|| "real".into(), |digest| format!("{digest:016x}")),
            verdict: if violated.is_empty() { reports::Verdict::Holds } else { reports::Verdict::Violated },
            violated,
            values: experiment.columns.iter().flat_map(|column| column.values(&outcome)).collect(),
        },
        violations,
        held,
        failed: outcome.failure.map(|failure| failure.owed),
    }
}

/// How many bars may be kept of a point: none, unless a Gantt chart shows it. Each shows the first of its points.
fn bars_max(experiment: &Experiment, point: usize) -> usize {
    let gantts = experiment.scenario().chart.iter().filter(|spec| spec.kind == Kind::Gantt);
    let first = |spec: &ChartSpec| experiment.points.iter().position(|at| spec.selects(&at.labels));
    match gantts.clone().any(|spec| first(spec) == Some(point)) {
        true => ROWS_ALL_MAX / gantts.count().max(1),
        false => 0,
    }
}

/// How many values of one metric are kept of each run.
fn samples_max(experiment: &Experiment) -> usize {
    let sampled = experiment.columns.iter().filter(|column| matches!(column, Column::Samples(_))).count();
    let runs = experiment.points.len() * (experiment.seeds.end - experiment.seeds.start) as usize;
    (SAMPLES_ALL_MAX / (runs * sampled).max(1)).clamp(1, SAMPLES_MAX)
}

pub(super) fn seconds(at: Time) -> f64 {
    at.since(Time::ZERO).as_secs_f64()
}
