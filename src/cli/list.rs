//! `seedbed list`: what scenarios can name.

use anyhow::bail;
use clap::Args;
use seedbed_core::contract::{Check, Metric, Yield};
use seedbed_core::settings::{Fields, Setting, Shape, nearest};
use seedbed_scenarios::format::listing;
use seedbed_scenarios::run::{Entry, Registry};
use seedbed_scenarios::scenario::{Arrivals, What};
use seedbed_sim::law::Spec;

use super::{Done, Verdict, print};

/// List what scenarios can name: protocols with their parameters, commands, metrics and checks; fault kinds;
/// distributions.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  seedbed list
  seedbed list raft
  seedbed list faults")]
pub(super) struct List {
    /// One protocol, `faults`, `distributions` or `workloads`; everything, if nothing is said.
    name: Option<String>,
}

impl List {
    pub(super) fn execute(&self, registry: &Registry) -> Done {
        let sections: Vec<(&str, String)> = registry
            .entries()
            .map(|(name, entry)| (name, protocol(name, entry)))
            .chain([
                ("faults", tagged("Faults: [[fault]] kind = ...", &What::shape())),
                ("distributions", tagged("Distributions: { law = ... }", &Spec::shape())),
                ("workloads", tagged("Workloads: [workload] kind = ...", &Arrivals::shape())),
            ])
            .collect();
        let text = match &self.name {
            None => sections.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join("\n"),
            Some(name) => match sections.iter().find(|(known, _)| known == name) {
                Some((_, text)) => text.clone(),
                None => {
                    let names: Vec<&str> = sections.iter().map(|(name, _)| *name).collect();
                    let hint = nearest(name, names.iter().copied())
                        .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                    bail!("nothing is called `{name}`: there are {}{hint}", names.join(", "));
                }
            },
        };
        print(&text)?;
        Ok(Verdict::Holds)
    }
}

fn protocol(name: &str, entry: &dyn Entry) -> String {
    let mut text = format!("{name}: {}\n", entry.about());
    let mut section = |title: &str, body: String| {
        if !body.is_empty() {
            text.push_str(&format!("  {title}\n{}", indented(&body)));
        }
    };
    section("parameters: [params]", fields(&entry.params()));
    section("commands: [workload.command]", fields(&entry.load()));
    section("roles", line(entry.roles()));
    section("metrics", metrics(&entry.metrics()));
    section("checks: [[check]] check = ...", checks(&entry.checks()));
    section("conditions: [[check]] always = ... or eventually = ...", checks(&entry.conditions()));
    section("cannot keep", entry.caveats().iter().map(|caveat| format!("{caveat}\n")).collect());
    text
}

fn fields(shape: &Shape) -> String {
    match shape {
        Shape::Table(fields) => listing(fields),
        _ => String::new(),
    }
}

/// The variants of a tagged table, each with its keys.
fn tagged(title: &str, shape: &Shape) -> String {
    let all: Vec<&Fields> = match shape {
        Shape::Table(fields) => vec![fields],
        Shape::Either(shapes) => shapes
            .iter()
            .filter_map(|shape| match shape {
                Shape::Table(fields) => Some(fields),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    let mut text = format!("{title}\n");
    for variant in all.into_iter().flat_map(|fields| &fields.tagged).flat_map(|tagged| &tagged.variants) {
        text.push_str(&format!(
            "  {}: {}\n{}",
            variant.name,
            variant.about,
            indented(&listing(&variant.fields))
        ));
    }
    text
}

fn line(words: &[&str]) -> String {
    if words.is_empty() { String::new() } else { format!("{}\n", words.join(", ")) }
}

fn metrics(metrics: &[Metric]) -> String {
    let kind = |metric: &Metric| match metric.yields {
        Yield::Number if metric.unit.is_empty() => "number".to_owned(),
        Yield::Number => metric.unit.to_owned(),
        Yield::Samples => format!("{}, many per run", metric.unit),
        Yield::Word => "word".to_owned(),
        Yield::Series => "over time".to_owned(),
    };
    aligned(metrics.iter().map(|metric| (metric.name.to_owned(), kind(metric), metric.about)))
}

fn checks(checks: &[Check]) -> String {
    aligned(checks.iter().map(|check| (check.name.to_owned(), String::new(), check.about)))
}

fn aligned<'a>(rows: impl Iterator<Item = (String, String, &'a str)>) -> String {
    let rows: Vec<_> = rows.collect();
    let widths = [
        rows.iter().map(|(name, ..)| name.len()).max().unwrap_or(0),
        rows.iter().map(|(_, kind, _)| kind.len()).max().unwrap_or(0),
    ];
    rows.iter()
        .map(|(name, kind, about)| {
            let kind = if widths[1] == 0 { String::new() } else { format!("{kind:<0$}  ", widths[1]) };
            format!("{}\n", format!("{name:<0$}  {kind}{about}", widths[0]).trim_end())
        })
        .collect()
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}
