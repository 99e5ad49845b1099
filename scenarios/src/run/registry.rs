//! The protocols that scenarios can name.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use seedbed_core::contract::{Check, Metric, NodeId, Subject};
use seedbed_core::settings::{Node, Problem, Problems, Setting, Shape, Table, Value};
use seedbed_sim::CpuModel;
use seedbed_sim::law::Files;
#[cfg(feature = "real")]
use seedbed_transport::{door::Resources, host::Services, recording};

use super::execute::{Prepared, Ready};
use super::prepare::prepare;
#[cfg(feature = "real")]
use crate::deploy::{Hosted, NodePlan};
use crate::scenario::{Scenario, speed_of};

/// The protocols that scenarios can name. One registration makes a protocol known to every driver.
#[derive(Default)]
pub struct Registry {
    entries: BTreeMap<&'static str, Box<dyn Entry>>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.entries.keys()).finish()
    }
}

impl Registry {
    /// Our own protocols.
    #[must_use]
    pub fn ours() -> Self {
        Self::default()
            .with::<seedbed_core::election::raft::Raft>("raft")
            .with::<seedbed_core::election::bully::Bully>("bully")
            .with::<seedbed_core::election::ring::Ring>("ring")
            .with::<seedbed_core::chunks::Chunks>("chunks")
            .with::<seedbed_core::distri::Distri>("distri")
            .with::<seedbed_core::districloud::DistriCloud>("districloud")
            .with_documents()
            .with_scheduler()
    }

    /// Replicated documents, whose doors speak of them.
    #[cfg(feature = "real")]
    fn with_documents(self) -> Self {
        self.with_resources("documents", seedbed_transport::documents::resources())
    }

    #[cfg(not(feature = "real"))]
    fn with_documents(self) -> Self {
        self.with::<seedbed_core::sync::replica::Replica>("documents")
    }

    /// A hub and workers: the hub's door takes tasks, and services compute what they ask for.
    #[cfg(feature = "real")]
    fn with_scheduler(self) -> Self {
        use seedbed_transport::tasks;
        self.with_services("scheduler", tasks::resources(), tasks::services())
    }

    #[cfg(not(feature = "real"))]
    fn with_scheduler(self) -> Self {
        self.with::<seedbed_core::scheduler::cluster::Cluster>("scheduler")
    }

    /// Knows one more; a name given before means this one from now on.
    #[must_use]
    pub fn with<P: Subject>(mut self, name: &'static str) -> Self {
        self.entries.insert(name, Box::new(Registered::<P>::default()));
        self
    }

    /// Knows one more, which has resources of its own at the doors of its nodes.
    #[cfg(feature = "real")]
    #[must_use]
    pub fn with_resources<P: Subject>(self, name: &'static str, resources: Resources<P>) -> Self {
        self.with_services(name, resources, Services::registered())
    }

    /// Knows one more, whose jobs are done by these services where they are real: in deployed nodes, and by the engine
    /// `real`. It may have resources of its own at the doors of its nodes.
    #[cfg(feature = "real")]
    #[must_use]
    pub fn with_services<P: Subject>(
        mut self,
        name: &'static str,
        resources: impl Into<Option<Resources<P>>>,
        services: Services<P>,
    ) -> Self {
        let resources = resources.into();
        self.entries.insert(name, Box::new(Registered { resources, services, protocol: PhantomData }));
        self
    }

    /// All names, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + Clone {
        self.entries.keys().copied()
    }

    /// All protocols with their names.
    pub fn entries(&self) -> impl Iterator<Item = (&'static str, &dyn Entry)> {
        self.entries.iter().map(|(name, entry)| (*name, &**entry))
    }

    /// The protocol of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&dyn Entry> {
        self.entries.get(name).map(|entry| &**entry)
    }

    /// The part of `[params]` that is for this protocol: its own table, laid over what is for all.
    #[must_use]
    pub fn params(&self, name: &str, params: Option<&Node>) -> Node {
        let Some(Node { span, value: Value::Table(table) }) = params else {
            return params.cloned().unwrap_or_else(|| Node::unwritten(Value::Table(Table::default())));
        };
        let own = table.find(name).and_then(Node::table);
        // A key of a protocol's name that holds no table is wrong, and is found to be so when it is read.
        let all = table.entries().iter();
        let shared = all.filter(|entry| self.find(&entry.key).is_none() || entry.node.table().is_none());
        let mut merged = Table::default();
        for entry in shared.chain(own.into_iter().flat_map(Table::entries)) {
            merged.remove(&entry.key);
            merged.insert(&entry.key, entry.span, entry.node.clone());
        }
        Node { span: *span, value: Value::Table(merged) }
    }
}

/// What is known of a protocol without its type.
pub trait Entry: Send + Sync {
    /// One line.
    fn about(&self) -> &'static str;
    /// What `[params]` may hold.
    fn params(&self) -> Shape;
    /// Which of them is a secret of the members, if one is.
    fn secret(&self) -> Option<&'static str>;
    /// What `[workload.command]` may hold.
    fn load(&self) -> Shape;
    /// What it measures.
    fn metrics(&self) -> Vec<Metric>;
    /// What it promises.
    fn checks(&self) -> Vec<Check>;
    /// What can be asked to hold.
    fn conditions(&self) -> Vec<Check>;
    /// What it cannot keep.
    fn caveats(&self) -> &'static [&'static str];
    /// What its nodes can be.
    fn roles(&self) -> &'static [&'static str];
    /// What of its commands needs a simulation: the key that asks for it, and why.
    fn unreal(&self, scenario: &Scenario) -> Option<(&'static str, String)>;
    /// Makes a scenario ready to run with any seed.
    ///
    /// # Errors
    /// What is wrong with its parameters, or with what it asks of the protocol.
    fn prepare(
        &self,
        scenario: &Scenario,
        params: &Node,
        files: &dyn Files,
    ) -> Result<Box<dyn Ready>, Problems>;
    /// Lives the recorded lives of a node again.
    ///
    /// # Errors
    /// If there is no recording of it, or none that can be used.
    #[cfg(feature = "real")]
    fn replay(
        &self,
        dir: &std::path::Path,
        node: seedbed_core::contract::NodeId,
    ) -> Result<Vec<recording::Replayed>, recording::RecordingError>;
    /// Whether it can run with these parameters among so many nodes.
    ///
    /// # Errors
    /// What is wrong with them.
    fn accepts(&self, params: &Node, nodes: u32) -> Result<(), Problems>;
    /// Makes one node ready to run as a process of its own.
    ///
    /// # Errors
    /// What is wrong with its parameters.
    #[cfg(feature = "real")]
    fn host(&self, params: &Node, nodes: u32, plan: &NodePlan) -> Result<Hosted, Problems>;
}

struct Registered<P: Subject> {
    /// What it has at the doors of its nodes.
    #[cfg(feature = "real")]
    resources: Option<Resources<P>>,
    /// Who does its jobs, unless they are simulated.
    #[cfg(feature = "real")]
    services: Services<P>,
    protocol: PhantomData<fn() -> P>,
}

/// Derived, it would ask the protocol for it.
impl<P: Subject> Default for Registered<P> {
    fn default() -> Self {
        Self {
            #[cfg(feature = "real")]
            resources: None,
            #[cfg(feature = "real")]
            services: Services::registered(),
            protocol: PhantomData,
        }
    }
}

impl<P: Subject> Entry for Registered<P> {
    fn about(&self) -> &'static str {
        P::ABOUT
    }
    fn params(&self) -> Shape {
        P::Settings::shape()
    }
    fn secret(&self) -> Option<&'static str> {
        P::SECRET
    }
    fn load(&self) -> Shape {
        P::Load::shape()
    }
    fn metrics(&self) -> Vec<Metric> {
        P::metrics()
    }
    fn checks(&self) -> Vec<Check> {
        P::checks()
    }
    fn conditions(&self) -> Vec<Check> {
        P::conditions()
    }
    fn caveats(&self) -> &'static [&'static str] {
        P::caveats()
    }
    fn roles(&self) -> &'static [&'static str] {
        P::roles()
    }
    fn unreal(&self, scenario: &Scenario) -> Option<(&'static str, String)> {
        let workload = scenario.workload.as_ref()?;
        // What cannot be read is told elsewhere.
        let read = |node: &Node| P::Load::read(node, &mut Problems::default());
        P::unreal(&workload.command.as_ref().map_or_else(|| Some(P::Load::default()), read)?)
    }
    fn prepare(
        &self,
        scenario: &Scenario,
        params: &Node,
        files: &dyn Files,
    ) -> Result<Box<dyn Ready>, Problems> {
        let mut problems = Problems::default();
        let settings = P::Settings::read(params, &mut problems);
        let load = match scenario.workload.as_ref().and_then(|workload| workload.command.as_ref()) {
            None => Some(P::Load::default()),
            Some(node) => P::Load::read(node, &mut problems),
        };
        if let (Some(settings), Some(mut load), true) = (settings, load, problems.is_empty()) {
            let command = scenario.workload.as_ref().and_then(|workload| workload.command.as_ref());
            if let Err((key, message)) = P::supply(&mut load, &mut |name| files.read(name)) {
                let written = command.and_then(|command| command.table()?.find(key)).or(command);
                let problem = Problem::new(written.unwrap_or(params).span, message);
                return Err(problem.expected("a file, named from the scenario's folder").into());
            }
            if let Some(workload) = &scenario.workload
                && let Some((key, problem)) = P::mismatch(&settings, &load)
            {
                let command = workload.command.as_ref();
                let written = command.and_then(|command| command.table()?.find(key)).or(command);
                return Err(Problem { span: written.unwrap_or(params).span, ..problem }.into());
            }
            match P::config(&settings, scenario.cluster.nodes) {
                Err(message) => problems.push(Problem::new(params.span, message)),
                Ok(config) => {
                    let parameters = written(&settings);
                    return prepare(scenario, self, files).map(|mut plan| {
                        if let Some(cpus) = cpus::<P>(&config, scenario) {
                            plan.setup.cpus = cpus;
                        }
                        let prepared = Prepared::<P>::new(config, parameters, load, plan);
                        #[cfg(feature = "real")]
                        let prepared = prepared.served_by(self.services.clone());
                        Box::new(prepared) as Box<dyn Ready>
                    });
                }
            }
        }
        Err(problems)
    }
    #[cfg(feature = "real")]
    fn replay(
        &self,
        dir: &std::path::Path,
        node: seedbed_core::contract::NodeId,
    ) -> Result<Vec<recording::Replayed>, recording::RecordingError> {
        recording::replay::<P>(dir, node, configured::<P>)
    }
    fn accepts(&self, params: &Node, nodes: u32) -> Result<(), Problems> {
        config::<P>(params, nodes).map(drop)
    }
    #[cfg(feature = "real")]
    fn host(&self, params: &Node, nodes: u32, plan: &NodePlan) -> Result<Hosted, Problems> {
        let (config, settings) = config::<P>(params, nodes)?;
        let about = recording::About {
            protocol: plan.file.protocol.value.clone(),
            nodes,
            params: written(&settings),
        };
        Ok(Hosted::new::<P>(config, about, self.resources, self.services.clone(), plan))
    }
}

/// The CPUs of nodes that the protocol knows, where the scenario says nothing of them.
fn cpus<P: Subject>(config: &P::Config, scenario: &Scenario) -> Option<Vec<CpuModel>> {
    let discipline = scenario.cpu.discipline;
    let nodes = scenario.cluster.nodes;
    let known = |node| {
        P::cores(config, NodeId(node)).map(|(cores, speed)| CpuModel {
            cores,
            speed: speed_of(speed),
            discipline,
        })
    };
    // Who knows of any knows of the last.
    known(nodes.checked_sub(1)?).filter(|_| scenario.cpu.is_unsaid())?;
    Some(
        (0..nodes)
            .map(|node| known(node).unwrap_or(CpuModel { discipline, ..CpuModel::default() }))
            .collect(),
    )
}

/// The configuration of a system, and the parameters that it follows from.
fn config<P: Subject>(params: &Node, nodes: u32) -> Result<(P::Config, P::Settings), Problems> {
    let settings: P::Settings = seedbed_core::settings::read(params)?;
    match P::config(&settings, nodes) {
        Ok(config) => Ok((config, settings)),
        Err(message) => Err(Problem::new(params.span, message).into()),
    }
}

/// The configuration of what was recorded, which may say anything.
#[cfg(feature = "real")]
fn configured<P: Subject>(about: &recording::About) -> Result<P::Config, String> {
    let wrong = |report: crate::format::Report| format!("its parameters are wrong: {}", report.render(false));
    let settings = crate::format::Document::parse("parameters", &about.params)
        .and_then(|document| document.read::<P::Settings>())
        .map_err(wrong)?;
    if about.nodes > NODES_MAX {
        return Err(format!("it is of {} nodes, which is more than {NODES_MAX}", about.nodes));
    }
    P::config(&settings, about.nodes)
}
/// As many as a simulation may have.
#[cfg(feature = "real")]
const NODES_MAX: u32 = 10_000_000;

/// Settings as a scenario would write them, one per line.
fn written<S: Setting>(settings: &S) -> String {
    match settings.write() {
        Some(Value::Table(table)) => {
            let pairs = table.entries().iter().map(|entry| format!("{} = {}", entry.key, entry.node.value));
            pairs.collect::<Vec<_>>().join("\n")
        }
        other => other.map_or_else(String::new, |value| value.to_string()),
    }
}
