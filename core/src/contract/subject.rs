//! What makes a protocol a subject of experiments: one registration for every driver.

use super::{Blob, BlobId, Dice, Duration, NodeId, Probe, Protocol};
use crate::settings::{Problem, Setting};

/// A protocol that can be named in a scenario file: with parameters, commands, metrics and checks.
pub trait Subject: Protocol {
    /// The parameters that a scenario sets.
    type Settings: Setting + Default + Clone + Send + Sync + 'static;
    /// What clients ask, as a scenario describes it; `()` where there is nothing to choose.
    type Load: Setting + Default + Clone + Send + Sync + 'static;
    /// Measures and checks a run.
    type Probe: Probe<Self>;
    /// One line for the list of protocols.
    const ABOUT: &'static str;
    /// Whether those who look on at a real node are told what it writes down, or only that it did: records that come often,
    /// or hold much, would drown all else.
    const TELLS_RECORDS: bool = true;
    /// The parameter that all members share and nobody else may know, if there is one: a real cluster that does not set it draws
    /// it.
    const SECRET: Option<&'static str> = None;

    /// The configuration of a system of `nodes` nodes.
    ///
    /// # Errors
    /// What is wrong with the parameters, in words that name them.
    fn config(settings: &Self::Settings, nodes: u32) -> Result<Self::Config, String>;

    /// What is measured.
    fn metrics() -> Vec<Metric> {
        Vec::new()
    }

    /// What must never happen.
    fn checks() -> Vec<Check> {
        Vec::new()
    }

    /// What may be asked to hold, always or in the end: see [`Probe::holds`].
    fn conditions() -> Vec<Check> {
        Vec::new()
    }

    /// What its nodes can be, as [`Protocol::role`] tells; faults and commands can aim at these only.
    fn roles() -> &'static [&'static str] {
        &[]
    }

    /// What a status page shows of a node beside its role, such as its leader and term: name and value, each time in the
    /// same order.
    fn facts(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// What it cannot keep, in words for the report.
    fn caveats() -> &'static [&'static str] {
        &[]
    }

    /// What a client asks next. With none, it has no more to ask.
    fn command(load: &Self::Load, turn: Turn, dice: &mut Dice<'_>) -> Option<Self::Command> {
        let _ = (load, turn, dice);
        None
    }

    /// Reads the files that the commands name: `read` gives the text of one beside the scenario.
    ///
    /// # Errors
    /// The key of the commands that names a file, and what is wrong with the file.
    fn supply(
        load: &mut Self::Load,
        read: &mut dyn FnMut(&str) -> Result<String, String>,
    ) -> Result<(), (&'static str, String)> {
        let _ = (load, read);
        Ok(())
    }

    /// The cores of a node and how fast they are, where the scenario says nothing of CPUs.
    fn cores(config: &Self::Config, node: NodeId) -> Option<(u32, f64)> {
        let _ = (config, node);
        None
    }

    /// What of these commands does not go with the parameters: the key of the commands to blame, and what is wrong with it,
    /// wherever that was written.
    fn mismatch(settings: &Self::Settings, load: &Self::Load) -> Option<(&'static str, Problem)> {
        let _ = (settings, load);
        None
    }

    /// What of these commands needs a simulation, because no real disk or link could do it: the key that asks for it, and
    /// why.
    fn unreal(load: &Self::Load) -> Option<(&'static str, String)> {
        let _ = load;
        None
    }

    /// What a reply means to the client.
    fn answer(reply: &Self::Reply) -> Answer {
        let _ = reply;
        Answer::Done
    }

    /// The CPU time of a job on a simulated node of speed one.
    fn cost(config: &Self::Config, job: &Self::Job) -> Duration {
        let _ = (config, job);
        Duration::ZERO
    }

    /// Does a job: the service behind [`Context::run`](super::Context::run). None if it cannot be done, which ends it
    /// without an outcome.
    fn perform(config: &Self::Config, job: &Self::Job, store: &dyn Store) -> Option<Self::Outcome> {
        let _ = (config, job, store);
        None
    }
}

/// Whose turn it is to ask something. All count from zero.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Turn {
    /// Which command of the run this is.
    pub number: u64,
    /// Who asks. Where commands come on their own, whatever the answers, each is another client's.
    pub client: u64,
    /// Which of the client's commands this is.
    pub nth: u64,
}

/// The blobs of one node, as its jobs see them.
pub trait Store {
    /// A blob, if it is stored here.
    fn blob(&self, id: BlobId) -> Option<Blob>;
}

/// What a reply means to the client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer {
    /// It got what it asked for.
    Done,
    /// It was refused.
    Failed,
}

/// What a run yields for a metric.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Yield {
    /// One number: [`Findings::number`](super::Findings::number) or [`add`](super::Findings::add).
    Number,
    /// Many numbers: [`Findings::sample`](super::Findings::sample).
    Samples,
    /// One word: [`Findings::word`](super::Findings::word).
    Word,
    /// A number that changes over time: [`Findings::series`](super::Findings::series).
    Series,
}

/// A figure that a run yields.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Metric {
    /// As in the columns of `runs.csv`.
    pub name: &'static str,
    /// Such as `ms`; empty for a count or a ratio.
    pub unit: &'static str,
    /// One line.
    pub about: &'static str,
    /// How many values a run yields, and of what sort.
    pub yields: Yield,
}

impl Metric {
    /// One number per run; empty if the probe never sets it.
    #[must_use]
    pub const fn number(name: &'static str, unit: &'static str, about: &'static str) -> Self {
        Self { name, unit, about, yields: Yield::Number }
    }

    /// Many numbers per run.
    #[must_use]
    pub const fn samples(name: &'static str, unit: &'static str, about: &'static str) -> Self {
        Self { name, unit, about, yields: Yield::Samples }
    }

    /// A number that changes over time; charts show it for one run.
    #[must_use]
    pub const fn series(name: &'static str, unit: &'static str, about: &'static str) -> Self {
        Self { name, unit, about, yields: Yield::Series }
    }

    /// One word per run.
    #[must_use]
    pub const fn word(name: &'static str, about: &'static str) -> Self {
        Self { name, unit: "", about, yields: Yield::Word }
    }
}

/// A promise, or a condition that can be asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Check {
    /// As in a scenario's `[[check]]`.
    pub name: &'static str,
    /// One line.
    pub about: &'static str,
}
