//! The set-up of an experiment as its report tells it: what was said beyond the defaults, with all values of the sweep.

use seedbed_core::settings::{Fields, Node, Setting, Shape, Table, Value};
use seedbed_reports::{About, Section};

use super::plan::{Engine, Experiment, Point};
use crate::scenario::{Fault, Scenario};

/// The most values of one key that are listed.
const VALUES_MAX: usize = 8;
/// The longest value that is told whole, in characters.
const VALUE_MAX: usize = 200;

pub(super) fn setup(experiment: &Experiment) -> Vec<About> {
    let points = &experiment.points;
    let mut rows = Vec::new();
    let mut add = |key: &str, value: String| {
        rows.push(About { section: Section::Setup, key: key.into(), value });
    };
    add("scenario", experiment.path.display().to_string());
    let protocols = protocols(experiment);
    add("protocols", protocols.join(", "));
    for protocol in &protocols {
        let own = points.iter().filter(|point| point.scenario.protocol.as_str() == *protocol);
        add(&format!("parameters of {protocol}"), parameters(own));
    }
    add("nodes", distinct(points, |scenario| scenario.cluster.nodes.to_string()));
    let further = [
        ("cluster", told(points, &["nodes"], |scenario| Some(&scenario.cluster))),
        ("network", told(points, &[], |scenario| Some(&scenario.network))),
        ("disks", told(points, &[], |scenario| Some(&scenario.disk))),
        ("clocks", told(points, &[], |scenario| Some(&scenario.clocks))),
        ("CPUs", told(points, &[], |scenario| Some(&scenario.cpu))),
        ("workload", told(points, &[], |scenario| scenario.workload.as_ref())),
        ("run", told(points, &["duration", "heal", "seeds"], |scenario| Some(&scenario.run))),
    ];
    for (section, told) in further.iter().filter(|(section, told)| *section == "network" || !told.is_empty())
    {
        add(section, if told.is_empty() { "1ms from node to node".into() } else { told.clone() });
    }
    for (label, told) in faults(points) {
        add(&label, told);
    }
    let time = match experiment.request.engine {
        Engine::Sim => "simulated time per run",
        #[cfg(feature = "real")]
        Engine::Real => {
            add("engine", "real: sockets, disks and clocks of one machine".into());
            "real time per run"
        }
    };
    add(time, distinct(points, duration));
    let seeds = &experiment.seeds;
    add("seeds per point", format!("{} ({}..{})", seeds.end - seeds.start, seeds.start, seeds.end));
    add("points", points.len().to_string());
    let version = env!("CARGO_PKG_VERSION");
    add("version", format!("seedbed {version}, model {}", seedbed_sim::MODEL_VERSION));
    rows
}

/// All protocols that run, by name.
pub(super) fn protocols(experiment: &Experiment) -> Vec<&str> {
    let mut protocols: Vec<&str> =
        experiment.points.iter().map(|point| point.scenario.protocol.as_str()).collect();
    protocols.sort_unstable();
    protocols.dedup();
    protocols
}

/// Values by key, each once, in the order of points; `None` where nothing is said.
#[derive(Default)]
struct Said {
    keys: Vec<(String, Vec<Option<String>>)>,
    tables: usize,
}

impl Said {
    fn add(&mut self, table: &[(String, String)]) {
        for (key, _) in table {
            if !self.keys.iter().any(|(known, _)| known == key) {
                // Earlier tables did not say it.
                self.keys.push((key.clone(), vec![None; self.tables.min(1)]));
            }
        }
        for (key, values) in &mut self.keys {
            let value = table.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone());
            if !values.contains(&value) && values.len() <= VALUES_MAX {
                values.push(value);
            }
        }
        self.tables += 1;
    }

    /// All of it, except some keys; where nothing is said, what the shape says of defaults.
    fn told(&self, except: &[&str], shape: &Shape) -> String {
        let one = |(key, values): &(String, Vec<Option<String>>)| {
            let shown = values.iter().take(VALUES_MAX);
            let shown = shown.map(|value| value.clone().unwrap_or_else(|| default(shape, key)));
            let more = if values.len() > VALUES_MAX { " / ..." } else { "" };
            format!("{key} = {}{more}", shown.collect::<Vec<_>>().join(" / "))
        };
        let keys = self.keys.iter().filter(|(key, _)| !except.contains(&key.as_str()));
        keys.map(one).collect::<Vec<_>>().join(", ")
    }
}

/// What a key is where nobody says anything.
fn default(shape: &Shape, key: &str) -> String {
    let Shape::Table(fields) = shape else { return "none".into() };
    let field = fields.plain.iter().find(|field| field.name == key);
    field.and_then(|field| field.default.clone()).unwrap_or_else(|| "none".into())
}

/// What differs between points, each once.
fn distinct(points: &[Point], what: impl Fn(&Scenario) -> String) -> String {
    let mut all: Vec<String> = Vec::new();
    for text in points.iter().map(|point| what(&point.scenario)) {
        if all.len() <= VALUES_MAX && !all.contains(&text) {
            all.push(text);
        }
    }
    if all.len() > VALUES_MAX {
        all[VALUES_MAX] = "...".into();
    }
    all.join(" / ")
}

fn duration(scenario: &Scenario) -> String {
    match scenario.run.heal {
        heal if heal.is_zero() => scenario.run.duration.to_string(),
        heal => format!("{} and {heal} healed", scenario.run.duration),
    }
}

/// What is said of a section beyond its defaults.
fn told<T: Setting>(points: &[Point], except: &[&str], section: impl Fn(&Scenario) -> Option<&T>) -> String {
    let mut said = Said::default();
    points.iter().filter_map(|point| section(&point.scenario)).for_each(|section| said.add(&keys(section)));
    said.told(except, &T::shape())
}

/// Faults by their names. Those without a name can only be told as the list that they are in.
fn faults(points: &[Point]) -> Vec<(String, String)> {
    let all = || points.iter().flat_map(|point| &point.scenario.fault);
    if all().next().is_none() {
        return vec![("faults".into(), "none".into())];
    }
    if all().any(|fault| fault.name.is_none()) {
        let written = |fault: &Fault| format!("{{ {} }}", joined(&keys(fault)));
        let list = |scenario: &Scenario| match scenario.fault.as_slice() {
            [] => "none".to_owned(),
            faults => faults.iter().map(written).collect::<Vec<_>>().join(", "),
        };
        return vec![("faults".into(), distinct(points, list))];
    }
    let mut said: Vec<(&str, Said)> = Vec::new();
    for fault in all() {
        let keys = keys(fault);
        match said.iter_mut().find(|(label, _)| *label == fault.label()) {
            Some((_, said)) => said.add(&keys),
            None => {
                let mut first = Said::default();
                first.add(&keys);
                said.push((fault.label(), first));
            }
        }
    }
    said.into_iter()
        .map(|(label, said)| (format!("fault {label}"), said.told(&["name"], &Fault::shape())))
        .collect()
}

/// The keys that were said to be other than by default.
fn keys<T: Setting>(section: &T) -> Vec<(String, String)> {
    let Some(Value::Table(table)) = section.write().map(|value| said(&value, &T::shape())) else {
        return Vec::new();
    };
    let text = |entry: &seedbed_core::settings::Entry| (entry.key.clone(), shortened(&entry.node.value));
    table.entries().iter().map(text).collect()
}

fn joined(keys: &[(String, String)]) -> String {
    keys.iter().map(|(key, value)| format!("{key} = {value}")).collect::<Vec<_>>().join(", ")
}

fn shortened(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(VALUE_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// A value without the keys that are as by default.
fn said(value: &Value, shape: &Shape) -> Value {
    match (value, shape) {
        (Value::Table(table), Shape::Table(fields)) => Value::Table(beyond_defaults(table, fields)),
        (Value::Table(table), Shape::Either(shapes)) => {
            // The short form of a law that is constant.
            let is_constant = table.find("law").and_then(Node::text) == Some("constant");
            let whole = shapes.iter().find(|shape| matches!(shape, Shape::Table(_)));
            match (table.find("value"), whole) {
                (Some(short), _) if is_constant => short.value.clone(),
                (_, Some(shape)) => said(value, shape),
                (_, None) => value.clone(),
            }
        }
        (Value::List(nodes), Shape::List { of, .. }) => {
            Value::List(nodes.iter().map(|node| Node::unwritten(said(&node.value, of))).collect())
        }
        _ => value.clone(),
    }
}

fn beyond_defaults(table: &Table, fields: &Fields) -> Table {
    let chosen = fields.tagged.iter().filter_map(|tagged| {
        let name = table.find(&tagged.tag)?.text()?;
        tagged.variants.iter().find(|variant| variant.name == name)
    });
    let fields: Vec<_> =
        fields.plain.iter().chain(chosen.flat_map(|variant| &variant.fields.plain)).collect();
    let mut beyond = Table::default();
    for entry in table.entries() {
        let field = fields.iter().find(|field| field.name == entry.key);
        let default = field.and_then(|field| field.default.as_deref());
        if default == Some(entry.node.value.to_string().as_str()) {
            continue;
        }
        let value =
            field.map_or_else(|| entry.node.value.clone(), |field| said(&entry.node.value, &field.shape));
        beyond.insert(&entry.key, entry.node.span, Node::unwritten(value));
    }
    beyond
}

/// Every parameter, with all values that the sweep gives it.
fn parameters<'a>(points: impl IntoIterator<Item = &'a Point>) -> String {
    let mut said = Said::default();
    for point in points {
        let lines = point.ready.parameters().lines();
        let pair = |line: &str| line.split_once(" = ").map(|(key, value)| (key.to_owned(), value.to_owned()));
        said.add(&lines.filter_map(pair).collect::<Vec<_>>());
    }
    said.told(&[], &Shape::Any)
}
