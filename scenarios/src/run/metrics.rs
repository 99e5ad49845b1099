//! The columns of `runs.csv`: what every run yields, and what its protocol measures on top.

use seedbed_core::contract::{Metric, Yield};
use seedbed_reports as reports;

use super::execute::Outcome;
use super::registry::Entry;

/// A column, by what a run yields for it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Column {
    Number(Metric),
    Samples(Metric),
    Word(Metric),
    /// Not in `runs.csv`, but in `series.csv`.
    Series(Metric),
}

/// What every run yields.
const EVERY_RUN: [Metric; 6] = [
    Metric::number("sent", "", "messages that left their nodes, of any kind"),
    Metric::number("delivered", "", "messages handed to nodes"),
    Metric::number("dropped", "", "messages lost, cut off, damaged, or sent to a node that was down"),
    Metric::number("crashes", "", "nodes stopped by a fault"),
    Metric::number("halts", "", "nodes that stopped because their disk failed them"),
    Metric::number("records_lost", "", "records lost in crashes before they were synced"),
];

/// What a run with clients yields.
const WITH_CLIENTS: [Metric; 4] = [
    Metric::number("commands", "", "commands sent by clients"),
    Metric::number("answered", "", "commands that were answered as asked"),
    Metric::number("failed", "", "commands refused, unanswered in time, or with nobody to ask"),
    Metric::samples("latency_ms", "ms", "from command to answer, of those answered as asked"),
];

/// The columns of a protocol's runs, in order.
pub(super) fn columns(entry: &dyn Entry, has_clients: bool) -> Vec<Column> {
    let clients: &[Metric] = if has_clients { &WITH_CLIENTS } else { &[] };
    let own = entry.metrics();
    own.iter()
        .chain(clients)
        .chain(&EVERY_RUN)
        .map(|metric| match metric.yields {
            Yield::Number => Column::Number(*metric),
            Yield::Samples => Column::Samples(*metric),
            Yield::Word => Column::Word(*metric),
            Yield::Series => Column::Series(*metric),
        })
        .collect()
}

/// The description of a metric.
pub(super) fn row(metric: &Metric, role: reports::Role) -> reports::Column {
    reports::Column { name: metric.name.into(), role, unit: metric.unit.into(), about: metric.about.into() }
}

impl Column {
    pub(super) const fn metric(&self) -> &Metric {
        match self {
            Self::Number(metric) | Self::Samples(metric) | Self::Word(metric) | Self::Series(metric) => {
                metric
            }
        }
    }

    /// Its columns in `columns.csv`: a sample metric has one for itself and six that describe it.
    pub(super) fn rows(&self) -> Vec<reports::Column> {
        match self {
            Self::Number(metric) => vec![row(metric, reports::Role::Metric)],
            Self::Word(metric) => vec![row(metric, reports::Role::Text)],
            Self::Samples(metric) => {
                let described = row(metric, reports::Role::Sample);
                let figures = reports::sample_columns(&described);
                std::iter::once(described).chain(figures).collect()
            }
            Self::Series(_) => Vec::new(),
        }
    }

    /// What a run has in these columns, the sample metric itself aside.
    pub(super) fn values(&self, outcome: &Outcome) -> Vec<reports::Value> {
        let name = self.metric().name;
        match self {
            Self::Number(_) => {
                vec![
                    outcome
                        .findings
                        .numbers
                        .get(name)
                        .map_or(reports::Value::Empty, |n| reports::Value::number(*n)),
                ]
            }
            Self::Word(_) => {
                let word = outcome.findings.words.get(name);
                vec![word.map_or(reports::Value::Empty, |word| reports::Value::Text(word.clone()))]
            }
            Self::Samples(_) => {
                let samples = outcome.findings.samples.get(name);
                reports::sample_values(samples.map_or(&[], Vec::as_slice)).to_vec()
            }
            Self::Series(_) => Vec::new(),
        }
    }
}

/// A figure of one run, by the name of its column.
pub(super) fn figure(columns: &[Column], outcome: &Outcome, name: &str) -> Option<f64> {
    columns.iter().find_map(|column| {
        let names = column.rows().into_iter().filter(|row| row.role != reports::Role::Sample);
        let place = names.map(|row| row.name).position(|own| own == name)?;
        let value = column.values(outcome).swap_remove(place);
        match value {
            reports::Value::Number(number) => Some(number),
            _ => None,
        }
    })
}
