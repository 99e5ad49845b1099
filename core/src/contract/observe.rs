//! How a protocol is watched: probes turn what happens into metrics, samples, timelines and verdicts.

use std::collections::BTreeMap;

use super::{Bar, BarNode, CommandId, Life, NodeId, Protocol, Time};

/// What a probe may look at: the world as it is, which no node can see.
pub trait View<P: Protocol> {
    /// The world's clock.
    fn now(&self) -> Time;
    /// How many nodes there are.
    fn nodes(&self) -> u32;
    /// The state of a node, unless it is down.
    fn state(&self, node: NodeId) -> Option<&P>;
    /// The steady clock of a node, as its steps see it.
    fn clock(&self, node: NodeId) -> Time;
    /// Whether messages can pass from one node to the other: no partition between them.
    fn linked(&self, from: NodeId, to: NodeId) -> bool;

    /// Whether a node is up.
    fn is_up(&self, node: NodeId) -> bool {
        self.state(node).is_some()
    }
}

/// What a probe is told.
#[derive(Debug)]
pub enum Observation<'a, P: Protocol> {
    /// A node gave a notice.
    Notice {
        /// Which node.
        node: NodeId,
        /// What it told.
        notice: &'a P::Notice,
    },
    /// A message left its node, whether or not it will arrive.
    Sent {
        /// The sender.
        from: NodeId,
        /// The receiver.
        to: NodeId,
        /// What it says.
        message: &'a P::Message,
    },
    /// A command reached a node.
    Command {
        /// Which node.
        node: NodeId,
        /// Its number.
        id: CommandId,
        /// What it asks.
        command: &'a P::Command,
    },
    /// A node answered a command.
    Reply {
        /// Which node.
        node: NodeId,
        /// The command.
        id: CommandId,
        /// The answer.
        reply: &'a P::Reply,
    },
    /// A node has started.
    Up {
        /// Which node.
        node: NodeId,
        /// Its new life.
        life: Life,
    },
    /// A node has stopped; its state is gone.
    Down {
        /// Which node.
        node: NodeId,
    },
    /// Links were cut or mended.
    Links,
    /// Every fault has been healed: from here on liveness is owed.
    Healed,
    /// The run is over.
    End,
}

/// Watches one run of a protocol. A value like everything else: it is cloned with the world.
pub trait Probe<P: Protocol>: Clone + Send {
    /// The probe of a run that has just begun.
    fn new(config: &P::Config, nodes: u32) -> Self;

    /// Takes note of what happens.
    fn observe(&mut self, what: Observation<'_, P>, view: &dyn View<P>, findings: &mut Findings);

    /// Whether a named condition holds now; see [`Subject::conditions`](super::Subject::conditions).
    fn holds(&self, condition: &str, view: &dyn View<P>) -> bool {
        let _ = (condition, view);
        true
    }
}

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Findings {
    /// One number per run, by metric.
    pub numbers: BTreeMap<&'static str, f64>,
    /// One word per run, by metric.
    pub words: BTreeMap<&'static str, String>,
    /// Many numbers per run, by metric.
    pub samples: BTreeMap<&'static str, Vec<f64>>,
    /// Numbers that change over time, by metric: each change with its moment.
    pub series: BTreeMap<&'static str, Vec<(Time, f64)>>,
    /// What each node was, and when.
    pub spans: Vec<Span>,
    /// What ran where, and when; see [`Findings::bar`].
    pub bars: Vec<Bar>,
    /// The nodes on which something can run.
    pub bar_nodes: BTreeMap<NodeId, BarNode>,
    /// Broken promises: of each check the first ten.
    pub violations: Vec<Violation>,
    /// How often each check was violated.
    pub violated: BTreeMap<&'static str, u64>,
}

/// How many violations of one check are kept with their message.
const VIOLATIONS_MAX: u64 = 10;

const SERIES_MAX: usize = 100_000;

/// A stretch of a timeline.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Span {
    /// Which node.
    pub node: NodeId,
    /// What it was.
    pub state: &'static str,
    /// From when.
    pub from: Time,
    /// Until when.
    pub to: Time,
}

/// A promise broken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// The check's name.
    pub check: &'static str,
    /// When it was seen.
    pub at: Time,
    /// What was seen.
    pub message: String,
}

impl Findings {
    /// Sets a metric with one number per run.
    pub fn number(&mut self, metric: &'static str, value: f64) {
        self.numbers.insert(metric, value);
    }

    /// Adds to a metric with one number per run.
    pub fn add(&mut self, metric: &'static str, value: f64) {
        *self.numbers.entry(metric).or_default() += value;
    }

    /// Sets a metric with one word per run.
    pub fn word(&mut self, metric: &'static str, value: impl Into<String>) {
        self.words.insert(metric, value.into());
    }

    /// Adds one value to a metric with many per run.
    pub fn sample(&mut self, metric: &'static str, value: f64) {
        self.samples.entry(metric).or_default().push(value);
    }

    /// Says that a number that changes over time has this value from now on; of each metric the first hundred
    /// thousand changes are kept.
    pub fn series(&mut self, metric: &'static str, at: Time, value: f64) {
        let changes = self.series.entry(metric).or_default();
        if changes.len() < SERIES_MAX {
            changes.push((at, value));
        }
    }

    /// Adds a stretch to the timeline, unless it is empty.
    pub fn span(&mut self, node: NodeId, state: &'static str, from: Time, to: Time) {
        if from < to {
            self.spans.push(Span { node, state, from, to });
        }
    }

    /// Reports a broken promise.
    pub fn violation(&mut self, check: &'static str, at: Time, message: impl FnOnce() -> String) {
        let count = self.violated.entry(check).or_default();
        *count += 1;
        if *count <= VIOLATIONS_MAX {
            self.violations.push(Violation { check, at, message: message() });
        }
    }
}

/// Watches nothing.
impl<P: Protocol> Probe<P> for () {
    fn new(_: &P::Config, _: u32) -> Self {}
    fn observe(&mut self, _: Observation<'_, P>, _: &dyn View<P>, _: &mut Findings) {}
}
