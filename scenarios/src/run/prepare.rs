//! From what a person wrote to what a world is made of; everything that can be wrong is found here, before a run.

use std::collections::BTreeMap;

use seedbed_core::contract::{Duration, NodeId};
use seedbed_core::scheduler::import;
use seedbed_core::settings::{Problem, Problems, Span, Spanned};
use seedbed_reports::sample_columns;
use seedbed_sim::clock::Clocks;
use seedbed_sim::fault::{Generator, Selector, When};
use seedbed_sim::law::{Files, Law, Spec};
use seedbed_sim::network::{Link, Network};
use seedbed_sim::topology::Matrix;
use seedbed_sim::{DiskModel, Setup};

use super::metrics::{self, Column};
use super::registry::Entry;
use crate::scenario::{Arrivals, Cluster, Exception, Fault, Rule, Scenario, Ties, What, law};

/// A scenario at one point of its sweep, checked and ready.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) setup: Setup,
    pub(crate) generators: Vec<Generator>,
    pub(crate) duration: Duration,
    pub(crate) heal: Duration,
    pub(crate) events_max: u64,
    pub(crate) rules: Vec<Rule>,
    pub(crate) clients: Option<ClientPlan>,
}

/// The workload, ready.
#[derive(Clone, Debug)]
pub(crate) struct ClientPlan {
    pub(crate) arrivals: ArrivalPlan,
    pub(crate) to: Selector,
    pub(crate) access: Option<Law>,
    pub(crate) loss: u64,
    pub(crate) timeout: Duration,
    pub(crate) start: Duration,
    pub(crate) stop: Duration,
    pub(crate) count: u64,
}

#[derive(Clone, Debug)]
pub(crate) enum ArrivalPlan {
    Open(Law),
    Trace(Vec<Duration>),
    Closed(u32, Law),
}

/// Collects problems while values are built.
struct Builder<'a> {
    files: &'a dyn Files,
    problems: Problems,
}

pub(crate) fn prepare(scenario: &Scenario, entry: &dyn Entry, files: &dyn Files) -> Result<Plan, Problems> {
    let mut builder = Builder { files, problems: Problems::default() };
    let (network, regions) = builder.network(scenario);
    let generators = builder.faults(scenario, entry, network.as_ref(), &regions);
    let rules = builder.rules(scenario, entry);
    let clients = builder.clients(scenario, entry, &regions);
    let plan = builder.setup(scenario, network).map(|setup| Plan {
        setup,
        generators,
        duration: scenario.run.duration,
        heal: scenario.run.heal,
        events_max: scenario.run.events_max,
        rules,
        clients,
    });
    match plan {
        Some(plan) if builder.problems.is_empty() => Ok(plan),
        _ => Err(builder.problems),
    }
}

impl Builder<'_> {
    fn law(&mut self, spec: Option<&Spanned<Spec>>) -> Option<Law> {
        self.sound(law(spec?, self.files))
    }

    fn sound<T>(&mut self, built: Result<T, Problem>) -> Option<T> {
        built.map_err(|problem| self.problems.push(problem)).ok()
    }

    fn checked<T>(&mut self, built: Result<T, impl ToString>, span: Span) -> Option<T> {
        self.sound(built.map_err(|error| Problem::new(span, error.to_string())))
    }

    fn file(&mut self, name: &Spanned<String>) -> Option<String> {
        let unreadable =
            |error| Problem::new(name.span, error).expected("a file, named from the scenario's folder");
        self.sound(self.files.read(name).map_err(unreadable))
    }

    fn setup(&mut self, scenario: &Scenario, network: Option<Network>) -> Option<Setup> {
        let (disk, clocks) = (&scenario.disk, &scenario.clocks);
        Some(Setup {
            nodes: scenario.cluster.nodes,
            names: scenario.cluster.names.clone(),
            seed: 0,
            disk: DiskModel {
                write: self.law(disk.write.as_ref()),
                sync: self.law(disk.sync.as_ref()),
                throughput: disk.throughput.map(|rate| rate.0 / 8),
                capacity: disk.capacity.map(|bytes| bytes.0),
                is_blocking: disk.blocking,
                sync_error: disk.sync_error.parts(),
            },
            clocks: Clocks {
                skew: self.law(clocks.skew.as_ref()),
                drift_ppb: u64::from(clocks.drift_ppm) * 1000,
                slack: self.law(clocks.slack.as_ref()),
            },
            step_cost: self.law(scenario.cpu.step.as_ref()),
            cpus: scenario.cpu.models(),
            start: self.law(scenario.cluster.start.as_ref()),
            is_wire: scenario.run.wire,
            is_audit: false,
            shuffles_ties: scenario.run.ties == Ties::Keyed,
            hints: scenario.network.hints,
            network: network?,
        })
    }

    fn network(&mut self, scenario: &Scenario) -> (Option<Network>, Vec<String>) {
        let spec = &scenario.network;
        let Some(usual) = self.sound(spec.link(self.files)) else {
            return (None, Vec::new());
        };
        let (mut network, regions) = match &spec.map {
            None => {
                for named in spec.regions.iter().chain(&scenario.cluster.place) {
                    let problem = Problem::new(named.span, "there are no regions without a `network.map`");
                    self.problems.push(problem);
                }
                (Network::uniform(usual.clone()), Vec::new())
            }
            Some(map) => match self.regions(scenario, map, &usual) {
                None => return (None, Vec::new()),
                Some(found) => found,
            },
        };
        let plain = network.clone();
        for exception in &spec.link {
            // What the exception does not say stays as it is between these regions.
            let mut alike: BTreeMap<(&str, &str), Vec<(NodeId, NodeId)>> = BTreeMap::new();
            for (from, to) in self.ends(exception, &scenario.cluster, &plain, &regions) {
                alike.entry((plain.region(from), plain.region(to))).or_default().push((from, to));
            }
            for ends in alike.into_values() {
                let (from, to) = ends[0];
                if let Some(link) = self.sound(exception.link(plain.link(from, to), self.files)) {
                    network = network.with_exceptions(ends, link);
                }
            }
        }
        if let Some(overhead) = self.law(spec.overhead.as_ref()) {
            network = network.with_overhead(overhead);
        }
        (Some(network), regions)
    }

    /// The links that an exception is about.
    fn ends(
        &mut self,
        exception: &Exception,
        cluster: &Cluster,
        network: &Network,
        regions: &[String],
    ) -> Vec<(NodeId, NodeId)> {
        let from = self.fixed(&exception.from, cluster, network, regions);
        let to = self.fixed(&exception.to, cluster, network, regions);
        if from.len().saturating_mul(to.len()) > EXCEPTIONS_MAX {
            let message = format!("these are {} x {} links", from.len(), to.len());
            let problem = Problem::new(exception.from.span, message);
            self.problems.push(problem.expected(format!("at most {EXCEPTIONS_MAX} in one `network.link`")));
            return Vec::new();
        }
        let there = from.iter().flat_map(|from| to.iter().map(move |to| (*from, *to)));
        let apart = there.filter(|(from, to)| from != to);
        if exception.both {
            apart.flat_map(|(from, to)| [(from, to), (to, from)]).collect()
        } else {
            apart.collect()
        }
    }

    fn regions(
        &mut self,
        scenario: &Scenario,
        map: &Spanned<String>,
        usual: &Link,
    ) -> Option<(Network, Vec<String>)> {
        let text = self.file(map)?;
        let matrix = Matrix::parse(map, &text).map_err(|error| format!("{}: {error}", map.value));
        let matrix = self.checked(matrix, map.span)?;
        let names: Vec<&str> = matrix.regions.iter().map(String::as_str).collect();
        let mut index = |name: &Spanned<String>, among: &[&str]| {
            let found = among.iter().position(|known| *known == name.value);
            if found.is_none() {
                self.problems.push(Problem::unknown(name.span, "region", name, among.iter().copied()));
            }
            found
        };
        let used: Vec<usize> = if scenario.network.regions.is_empty() {
            (0..names.len()).collect()
        } else {
            scenario.network.regions.iter().filter_map(|name| index(name, &names)).collect()
        };
        let used_names: Vec<&str> = used.iter().map(|&region| names[region]).collect();
        let place: Vec<usize> =
            scenario.cluster.place.iter().filter_map(|name| index(name, &used_names)).collect();
        if used.is_empty() || place.len() < scenario.cluster.place.len() {
            return None;
        }
        let of = (0..scenario.cluster.nodes as usize).map(|node| match place.as_slice() {
            [] => (node % used.len()) as u16,
            place => place[node % place.len()] as u16,
        });
        let link = |from: usize, to: usize| {
            let base = match matrix.one_way[from][to] {
                Duration::ZERO if from == to => scenario.network.local,
                latency => latency,
            };
            Link { latency: usual.latency.clone().shifted(base), ..usual.clone() }
        };
        let links = used.iter().flat_map(|&from| used.iter().map(move |&to| (from, to)));
        let names: Vec<String> = used_names.iter().map(|name| (*name).to_owned()).collect();
        let links = links.map(|(from, to)| link(from, to)).collect();
        Some((Network::regions(names.clone(), of.collect(), links), names))
    }

    /// The nodes of a selector that does not depend on the moment.
    fn fixed(
        &mut self,
        selector: &Spanned<Selector>,
        cluster: &Cluster,
        network: &Network,
        regions: &[String],
    ) -> Vec<NodeId> {
        if !self.fits(selector, cluster.nodes, regions) {
            return Vec::new();
        }
        let nodes = selector.fixed(cluster.nodes, &cluster.names, &|node| network.region(node));
        if nodes.is_none() {
            let message = format!("`{}` may mean other nodes from moment to moment", selector.value);
            self.problems.push(
                Problem::new(selector.span, message).expected(
                    "nodes that stay the same: an index, a name, `all`, `region(..)` or `except(..)`",
                ),
            );
        }
        nodes.unwrap_or_default()
    }

    fn fits(&mut self, selector: &Spanned<Selector>, nodes: u32, regions: &[String]) -> bool {
        self.sound(fit(selector, selector.span, nodes, regions)).is_some()
    }

    /// A selector that is resolved while the run goes on.
    fn target(
        &mut self,
        selector: &Spanned<Selector>,
        scenario: &Scenario,
        entry: &dyn Entry,
        regions: &[String],
    ) {
        self.fits(selector, scenario.cluster.nodes, regions);
        let names = scenario.cluster.names.iter().map(String::as_str);
        let known: Vec<&str> = entry.roles().iter().copied().chain(names).collect();
        for role in selector.roles().into_iter().filter(|role| !known.contains(role)) {
            let valid = known.iter().chain(&["all", "minority", "majority"]).copied();
            self.problems.push(Problem::unknown(selector.span, "role or selector", role, valid));
        }
        let is_both = |name: &&str| {
            entry.roles().contains(name) && scenario.cluster.names.iter().any(|known| known == name)
        };
        for name in selector.roles().into_iter().filter(is_both) {
            let message = format!("`{name}` is a role, and what `cluster.names` calls a node");
            self.problems.push(Problem::new(selector.span, message).expected("another name for the node"));
        }
    }

    fn faults(
        &mut self,
        scenario: &Scenario,
        entry: &dyn Entry,
        network: Option<&Network>,
        regions: &[String],
    ) -> Vec<Generator> {
        let mut generators = Vec::new();
        for fault in &scenario.fault {
            for selector in fault.selectors() {
                self.target(selector, scenario, entry, regions);
            }
            let nodes = match (fault.target().filter(|_| fault.is_by_node()), network) {
                (Some(target), Some(network)) => self.fixed(target, &scenario.cluster, network, regions),
                _ => Vec::new(),
            };
            let Some(generator) = self.sound(fault.generator(&nodes, self.files)) else { continue };
            if fault.is_by_node() && nodes.is_empty() {
                continue; // Nobody, or it has been told why.
            }
            self.strikes_in_time(fault, &generator);
            if fault.each {
                generators.extend(nodes.into_iter().map(|node| generator.at_node(node)));
            } else {
                generators.push(generator);
            }
        }
        generators
    }

    /// Time must pass between two strikes, and a trace must strike somebody.
    fn strikes_in_time(&mut self, fault: &Fault, generator: &Generator) {
        match (&generator.when, &fault.what, &fault.every) {
            (When::Repeatedly { gap: law, .. }, _, Some(span))
            | (When::Alternating { up: law, .. }, What::Churn { up: Some(span), .. }, _)
                if law.longest().is_zero() =>
            {
                let problem = Problem::new(span.span, "the fault would strike for ever at one moment");
                self.problems.push(problem.expected("a time above 0s"));
            }
            (When::Recorded(outages), What::ChurnTrace { file, .. }, _) if outages.is_empty() => {
                let message = format!("{}: nothing of it is about these nodes and this time", file.value);
                self.problems.push(Problem::new(file.span, message).help("look at `target` and `from`"));
            }
            _ => {}
        }
    }

    fn rules(&mut self, scenario: &Scenario, entry: &dyn Entry) -> Vec<Rule> {
        let mut rules = Vec::new();
        for check in scenario.check.iter().filter(|check| check.is_for(&scenario.protocol)) {
            let known = |problems: &mut Problems, name: &Spanned<String>, what, all: Vec<&'static str>| {
                if !all.contains(&name.as_str()) {
                    problems.push(Problem::unknown(name.span, what, name, all));
                }
            };
            if let Some(name) = &check.check {
                let all = entry.checks().iter().map(|check| check.name).collect();
                known(&mut self.problems, name, "check of this protocol", all);
            }
            for name in check.always.iter().chain(&check.eventually) {
                let all = entry.conditions().iter().map(|condition| condition.name).collect();
                known(&mut self.problems, name, "condition of this protocol", all);
            }
            if let (Some(name), true) = (&check.eventually, scenario.run.heal.is_zero()) {
                let message = "nothing is healed: `run.heal` is zero";
                self.problems
                    .push(Problem::new(name.span, message).help("set `run.heal`, such as `heal = \"10s\"`"));
            }
            if let Some(within) = check.within.as_ref().filter(|within| within.value > scenario.run.heal) {
                let problem =
                    Problem::new(within.span, format!("{} is longer than `run.heal`", within.value));
                self.problems.push(problem.expected(format!("at most {}", scenario.run.heal)));
            }
            if let Some(threshold) = &check.metric {
                let figures = figures(&metrics::columns(entry, scenario.workload.is_some()));
                if !figures.contains(&threshold.metric) {
                    let names = figures.iter().map(String::as_str);
                    let problem = Problem::unknown(threshold.span, "figure", &threshold.metric, names);
                    let mean = format!("{}.mean", threshold.metric);
                    self.problems.push(match figures.contains(&mean) {
                        true => Problem { nearest: None, ..problem }.help(format!(
                            "it has many values per run: bound a figure of them, such as `{mean}`"
                        )),
                        false => problem,
                    });
                }
            }
            rules.extend(check.rule());
        }
        if scenario.check.is_empty() {
            rules.extend(entry.checks().iter().map(|check| Rule::Promise(check.name.into())));
        }
        rules
    }

    fn clients(&mut self, scenario: &Scenario, entry: &dyn Entry, regions: &[String]) -> Option<ClientPlan> {
        let workload = scenario.workload.as_ref()?;
        self.target(&workload.to, scenario, entry, regions);
        let arrivals = match &workload.arrivals {
            Arrivals::Constant { every } => {
                ArrivalPlan::Open(self.checked(Law::constant(every.value), every.span)?)
            }
            Arrivals::Poisson { every } => {
                ArrivalPlan::Open(self.checked(Law::exponential(every.value), every.span)?)
            }
            Arrivals::Trace { file } => {
                let text = self.file(file)?;
                ArrivalPlan::Trace(self.checked(arrival_times(file, &text), file.span)?)
            }
            Arrivals::Closed { clients, think } => ArrivalPlan::Closed(*clients, self.law(Some(think))?),
        };
        Some(ClientPlan {
            arrivals,
            to: workload.to.value.clone(),
            access: self.law(workload.access.as_ref()),
            loss: workload.loss.parts(),
            timeout: workload.timeout,
            start: workload.start,
            stop: workload.stop.unwrap_or(Duration::MAX),
            count: workload.count,
        })
    }
}

/// The most links that one exception may be about.
const EXCEPTIONS_MAX: usize = 1_000_000;

/// Whether a selector can mean something in this cluster; if not, what could.
fn fit(selector: &Selector, span: Span, nodes: u32, regions: &[String]) -> Result<(), Problem> {
    match selector {
        Selector::Index(index) if *index >= nodes => {
            let problem = Problem::new(span, format!("there is no node {index}: the cluster has {nodes}"));
            Err(problem.expected(format!("a node from 0 to {}", nodes.saturating_sub(1))))
        }
        Selector::Region(name) if !regions.is_empty() && !regions.contains(name) => {
            Err(Problem::unknown(span, "region", name, regions.iter().map(String::as_str)))
        }
        Selector::Except(inner) => fit(inner, span, nodes, regions),
        Selector::Union(parts) => parts.iter().try_for_each(|part| fit(part, span, nodes, regions)),
        other => other.check(nodes, regions).map_err(|error| Problem::new(span, error.to_string())),
    }
}

/// The figures that a threshold can name: the number columns of `runs.csv`.
pub(crate) fn figures(columns: &[Column]) -> Vec<String> {
    let mut names = Vec::new();
    for column in columns {
        match column {
            Column::Number(metric) => names.push(metric.name.to_owned()),
            Column::Samples(metric) => {
                names.extend(
                    sample_columns(&metrics::row(metric, seedbed_reports::Role::Sample))
                        .into_iter()
                        .map(|column| column.name),
                );
            }
            Column::Word(_) | Column::Series(_) => {}
        }
    }
    names
}

/// The most arrivals that a trace may hold.
const TRACE_MAX: usize = 10_000_000;

/// The times of a file: of a log in the Standard Workload Format (`.swf`), those at which jobs were submitted; of any other,
/// one per line, in seconds, ascending. Empty lines and those that begin with `#` do not count.
fn arrival_times(file: &str, text: &str) -> Result<Vec<Duration>, String> {
    if file.ends_with(".swf") {
        let jobs = import::swf(text).map_err(|error| format!("{file}: {error}"))?;
        if jobs.is_empty() || jobs.len() > TRACE_MAX || !jobs.is_sorted_by_key(|job| job.submit) {
            return Err(format!("{file}: expected 1 to {TRACE_MAX} jobs in the order in which they came"));
        }
        return Ok(jobs.into_iter().map(|job| job.submit).collect());
    }
    let mut times = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |why: &str| format!("{file}, line {}: {why}, found `{line}`", number + 1);
        let seconds: f64 = line.parse().map_err(|_| wrong("expected a time in seconds"))?;
        if !(0.0..=1e9).contains(&seconds) {
            return Err(wrong("expected a time between 0 and 1e9 seconds"));
        }
        let time = Duration::from_nanos((seconds * 1e9) as u64);
        if times.last().is_some_and(|last| *last > time) {
            return Err(wrong("expected ascending times"));
        }
        if times.len() == TRACE_MAX {
            return Err(wrong("more arrivals than are accepted"));
        }
        times.push(time);
    }
    if times.is_empty() { Err(format!("{file}: there is no arrival in it")) } else { Ok(times) }
}
