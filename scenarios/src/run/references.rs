//! What charts, tables and checks name must exist: found out before anything runs, not when the report is drawn.

use std::collections::BTreeMap;

use seedbed_core::settings::{Problem, Problems, Spanned};

use super::metrics::Column;
use super::prepare::figures;
use super::registry::Registry;
use crate::format::Axis;
use crate::scenario::{ChartSpec, Check, Kind, Scenario, TableSpec};

/// The axes of a sweep, each with the labels that can be named.
pub(super) type Labels = BTreeMap<String, Vec<String>>;

/// The columns that every `runs.csv` has.
const RESERVED: [&str; 5] = ["point", "seed", "digest", "verdict", "violated"];

/// Everything that can be referred to.
struct Names<'a> {
    /// In the order of the sweep, as reports show them.
    axes: Vec<&'a str>,
    labels: &'a Labels,
    /// Metrics with numbers.
    numbers: Vec<&'a str>,
    /// Metrics with words.
    words: Vec<&'a str>,
    /// Metrics that change over time.
    series: Vec<&'a str>,
    problems: Problems,
}

/// Checks the names of axes, and everything that refers to axes, their labels, metrics and protocols.
pub(super) fn check(
    scenario: &Scenario,
    axes: &[Axis],
    labels: &Labels,
    columns: &[Column],
    registry: &Registry,
) -> Result<(), Problems> {
    let figures = figures(columns);
    let names = |wanted: fn(&Column) -> bool| -> Vec<&'static str> {
        columns.iter().filter(|column| wanted(column)).map(|column| column.metric().name).collect()
    };
    let mut numbers = names(|column| matches!(column, Column::Number(_) | Column::Samples(_)));
    numbers.extend(figures.iter().map(String::as_str).filter(|figure| figure.contains('.')));
    let mut names = Names {
        axes: axes.iter().map(Axis::name).collect(),
        labels,
        numbers,
        words: names(|column| matches!(column, Column::Word(_))),
        series: names(|column| matches!(column, Column::Series(_))),
        problems: Problems::default(),
    };
    for axis in axes {
        let is_taken = |name: &str| RESERVED.contains(&name) || names.numbers.contains(&name);
        let others = names.words.iter().chain(&names.series);
        if is_taken(axis.name()) || others.into_iter().any(|name| *name == axis.name()) {
            let message = format!("`{}` is a column of the results already", axis.name());
            let span = axis.name.as_ref().map_or(axis.span(), |name| name.span);
            let problem = Problem::new(span, message).expected("another name for the axis");
            names.problems.push(problem.help("add `name = \"...\"` to this [[sweep]]"));
        }
    }
    names.different(scenario.fault.iter().filter_map(|fault| fault.name.as_ref()), "faults");
    names.different(scenario.chart.iter().map(|chart| &chart.name), "charts");
    names.different(scenario.table.iter().map(|table| &table.name), "tables");
    scenario.chart.iter().for_each(|chart| names.chart(chart));
    scenario.table.iter().for_each(|table| names.table(table));
    scenario.check.iter().for_each(|check| names.check(check, registry));
    if names.problems.is_empty() { Ok(()) } else { Err(names.problems) }
}

/// What stands along x in a chart of a series.
const TIME: &str = "t_s";

impl Names<'_> {
    fn known(&mut self, name: &Spanned<String>, what: &str, all: &[&str]) {
        if !all.contains(&name.as_str()) {
            let problem = Problem::unknown(name.span, what, name, all.iter().copied());
            self.problems.push(match all {
                [] => problem.expected(format!("none: there is no {what}")),
                _ => problem,
            });
        }
    }

    fn axis(&mut self, name: &Spanned<String>) {
        let axes = self.axes.clone();
        self.known(name, "axis of the sweep", &axes);
    }

    /// A value of an axis, by its label.
    fn label(&mut self, axis: &str, label: &Spanned<String>) {
        match self.labels.get(axis) {
            None => self.axis(&Spanned { span: label.span, value: axis.to_owned() }),
            Some(labels) => {
                let all: Vec<&str> = labels.iter().map(String::as_str).collect();
                self.known(label, &format!("value of `{axis}`"), &all);
            }
        }
    }

    fn different<'a>(&mut self, all: impl Iterator<Item = &'a Spanned<String>>, what: &str) {
        let mut seen: Vec<&str> = Vec::new();
        for name in all {
            if seen.contains(&name.as_str()) {
                let message = format!("two {what} are called `{}`", name.value);
                self.problems.push(Problem::new(name.span, message).expected("a name of its own"));
            }
            seen.push(name);
        }
    }

    fn chart(&mut self, chart: &ChartSpec) {
        let is_over_time = chart.kind == Kind::Line && chart.x.as_ref().is_some_and(|x| x.as_str() == TIME);
        if chart.kind != Kind::Timeline && !is_over_time {
            chart.x.iter().for_each(|x| self.axis(x));
        }
        chart.group.iter().for_each(|group| self.axis(group));
        let numbers = if is_over_time { self.series.clone() } else { self.numbers.clone() };
        chart.y.iter().chain(&chart.reference).for_each(|name| self.known(name, "metric", &numbers));
        for name in chart.reference.iter().filter(|_| is_over_time) {
            let problem = Problem::new(name.span, "a chart over time has no reference");
            self.problems.push(problem.expected("no `reference` beside `x = \"t_s\"`"));
        }
        for (axis, label) in &chart.only {
            self.label(axis, label);
            if axis.contains(['=', ';']) || label.contains(';') {
                let message = "a chart cannot select by a name with `;` or `=`";
                self.problems.push(Problem::new(label.span, message).expected("a plainer name"));
            }
        }
    }

    fn table(&mut self, table: &TableSpec) {
        self.axis(&table.rows);
        table.columns.iter().for_each(|name| self.axis(name));
        let metrics = [self.numbers.as_slice(), self.words.as_slice()].concat();
        self.known(&table.cell, "metric", &metrics);
        for (row, cells) in &table.expected {
            for (column, expected) in cells {
                let place = |label: &String| Spanned { span: expected.span, value: label.clone() };
                self.label(&table.rows, &place(row));
                if let Some(columns) = &table.columns {
                    self.label(columns, &place(column));
                }
            }
        }
    }

    fn check(&mut self, check: &Check, registry: &Registry) {
        let protocols: Vec<&str> = registry.names().collect();
        check.protocol.iter().for_each(|name| self.known(name, "protocol", &protocols));
        check.only.iter().for_each(|(axis, label)| self.label(axis, label));
    }
}
