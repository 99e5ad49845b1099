//! What clients submit in an experiment: bags of tasks, workflows of a shape, or workflows and jobs from files.

use std::sync::Arc;

use super::messages::Command;
use crate::contract::{Dice, Duration, Turn};
use crate::scheduler::call::Call;
use crate::scheduler::dag::{Edge, TaskGraph};
use crate::scheduler::hub::{CORES_MAX, Needs, RETRIES_MAX, Spec, TAGS_MAX, UserId};
use crate::scheduler::import::{self, Arrival};
use crate::scheduler::trust::{Fixed, Validation};
use crate::settings::{Bytes, Node, Problems, Setting, Shape, Spanned, Value};
use crate::{settings, variants};

/// The most tasks of one submission.
const TASKS_MAX: u32 = 100_000;
/// The longest work that is drawn.
const WORK_MAX: f64 = 1e18;

settings! {
    /// What clients submit.
    pub struct Asked {
        /// How many tasks each submission has, each for itself; with `workflow` or `jobs`, what those say.
        pub tasks: u32 = 1, in 1..=TASKS_MAX;
        /// Tasks that depend on each other.
        pub workflow: Option<Workflow> = None;
        /// A log of jobs in the Standard Workload Format: the first submission is the first job, and so on.
        pub jobs: Option<Spanned<String>> = None;
        /// How many users take turns.
        pub users: u32 = 1, in 1..=1_000_000;
        /// The CPU time of a task on a core of speed one; of a workflow from a file it is a factor by a second.
        pub work: Span = Span::Constant { of: Duration::from_secs(1) };
        /// The cores that a task needs; without `cores_to`, exactly so many.
        pub cores: u32 = 1, in 1..=CORES_MAX;
        /// At most so many: drawn evenly.
        pub cores_to: Option<u32> = None, in 1..=CORES_MAX;
        /// The memory that it needs; without `ram_to`, exactly so much.
        pub ram: Bytes = Bytes(0);
        /// At most so much: drawn evenly, in steps of `ram`.
        pub ram_to: Option<Bytes> = None;
        /// What its worker must have.
        pub tags: Vec<String> = Vec::new(), in 0..=TAGS_MAX;
        /// What must come to its worker.
        pub input: Bytes = Bytes(0);
        /// What it makes.
        pub output: Bytes = Bytes(0);
        /// The least trust of its worker.
        pub trust: f64 = 0.0, in 0.0..=1000.0;
        /// Which answer is accepted, in place of the hub's rule.
        pub validation: Option<Validation> = None;
        /// How many workers run it, in place of the hub's number.
        pub overlap: Option<u32> = None, in 1..=64;
        /// The highest priority: drawn evenly from 0.
        pub priority: u32 = 0, in 0..=1_000_000;
        /// When it is wanted, since its submission.
        pub deadline: Option<Duration> = None;
        /// How often it is tried again after an attempt failed.
        pub retries: u32 = 0, in 0..=RETRIES_MAX;
        /// Whether the client's answer comes when all its tasks have ended, not when they are taken.
        pub wait: bool = false;
    }
}

variants! {
    /// A length of time that is drawn.
    pub enum Span by "law" {
        /// Always the same.
        Constant {
            /// This.
            of: Duration;
        }
        /// Any time between two, equally often.
        Uniform {
            /// The shortest.
            from: Duration = Duration::ZERO;
            /// The longest.
            to: Duration;
        }
        /// Memoryless.
        Exponential {
            /// The mean.
            mean: Duration;
        }
        /// The bell curve; what is below `least` is `least`.
        Normal {
            /// The mean.
            mean: Duration;
            /// The standard deviation.
            deviation: Duration;
            /// The shortest.
            least: Duration = Duration::ZERO;
        }
        /// Pareto's: few that are very long.
        Pareto {
            /// The shortest.
            least: Duration;
            /// The smaller, the longer the longest.
            shape: f64, in 0.1..=100.0;
            /// The longest.
            most: Duration = Duration::from_secs(86_400);
        }
    }
}

variants! {
    /// Tasks that depend on each other.
    pub enum Workflow by "shape" {
        /// One after the other.
        Chain {
            /// How many.
            length: u32, in 1..=10_000;
            /// What each hands over.
            data: Bytes = Bytes(0);
        }
        /// One, then many at once, then one, and so on.
        ForkJoin {
            /// How many at once.
            width: u32, in 1..=10_000;
            /// How often.
            stages: u32 = 1, in 1..=1_000;
            /// What each hands over.
            data: Bytes = Bytes(0);
        }
        /// Layers, where each task needs some of the layer before it.
        Layers {
            /// How many layers.
            layers: u32, in 1..=1_000;
            /// How many tasks each has.
            width: u32, in 1..=1_000;
            /// How many of the layer before each needs: drawn anew for each submission.
            needs: u32 = 2, in 1..=1_000;
            /// What each hands over.
            data: Bytes = Bytes(0);
        }
        /// One that was published: WfCommons JSON (`.json`) or the Standard Task Graph Set (`.stg`).
        File {
            /// The file, beside the scenario.
            file: Spanned<String>;
            /// What a unit of time of the Standard Task Graph Set is.
            unit: Duration = Duration::from_secs(1);
            /// All work takes so many times as long.
            scale: f64 = 1.0, in 0.000_001..=1_000_000.0;
        }
    }
}

/// What clients submit, with the files that it names.
#[derive(Clone, Debug, Default)]
pub struct Load {
    pub(super) asked: Asked,
    graph: Option<Arc<TaskGraph>>,
    jobs: Arc<[Arrival]>,
}

impl Setting for Load {
    fn shape() -> Shape {
        Asked::shape()
    }
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        Asked::read(node, problems).map(|asked| Self { asked, ..Self::default() })
    }
    fn write(&self) -> Option<Value> {
        self.asked.write()
    }
}

impl Load {
    /// What names no files.
    #[must_use]
    pub fn of(asked: Asked) -> Self {
        Self { asked, ..Self::default() }
    }

    /// Reads the files that it names.
    ///
    /// # Errors
    /// The key of the file, and what is wrong with the file.
    pub(super) fn supply(
        &mut self,
        read: &mut dyn FnMut(&str) -> Result<String, String>,
    ) -> Result<(), (&'static str, String)> {
        if let Some(Workflow::File { file, unit, .. }) = &self.asked.workflow {
            let told = |problem: String| ("workflow", format!("{}: {problem}", file.value));
            let text = read(file).map_err(told)?;
            let graph =
                if file.ends_with(".json") { import::wfcommons(&text) } else { import::stg(&text, *unit) };
            let graph = graph.map_err(|error| told(error.to_string()))?;
            if graph.len() > TASKS_MAX as usize {
                return Err(told(format!("has {} tasks, which is more than {TASKS_MAX}", graph.len())));
            }
            self.graph = Some(Arc::new(graph));
        }
        if let Some(file) = &self.asked.jobs {
            let told = |problem: String| ("jobs", format!("{}: {problem}", file.value));
            let text = read(file).map_err(told)?;
            self.jobs = import::swf(&text).map_err(|error| told(error.to_string()))?.into();
        }
        Ok(())
    }

    /// What a client submits next; none when the log of jobs has ended.
    pub(super) fn command(&self, turn: Turn, dice: &mut Dice<'_>) -> Option<Command> {
        let user = UserId(turn.client % u64::from(self.asked.users));
        let wait = self.asked.wait;
        if self.asked.jobs.is_some() {
            let job = self.jobs.get(usize::try_from(turn.number).ok()?)?;
            let user = job.user.map_or(user, |user| UserId(user.into()));
            return Some(Command::Submit { user, tasks: vec![self.job(job, dice)], edges: Vec::new(), wait });
        }
        let (tasks, edges) = match &self.asked.workflow {
            None => {
                let tasks = (0..self.asked.tasks).map(|nth| self.task(turn.number, nth.to_string(), dice));
                (tasks.collect(), Vec::new())
            }
            Some(workflow) => self.workflow(workflow, turn.number, dice),
        };
        Some(Command::Submit { user, tasks, edges, wait })
    }

    fn workflow(&self, workflow: &Workflow, number: u64, dice: &mut Dice<'_>) -> (Vec<Spec>, Vec<Edge>) {
        let (count, edges) = match workflow {
            Workflow::Chain { length, data } => {
                let edges = (1..*length).map(|to| Edge { from: to - 1, to, data: *data });
                (*length, edges.collect())
            }
            Workflow::ForkJoin { width, stages, data } => {
                (stages * (width + 1) + 1, forks(*width, *stages, *data))
            }
            Workflow::Layers { layers, width, needs, data } => {
                let mut edges = Vec::new();
                for layer in 1..*layers {
                    for nth in 0..*width {
                        let mut before: Vec<u32> = (0..*width).collect();
                        dice.shuffle(&mut before);
                        let (first, to) = ((layer - 1) * width, layer * width + nth);
                        let givers = before.iter().take(*needs as usize);
                        edges.extend(givers.map(|giver| Edge { from: first + giver, to, data: *data }));
                    }
                }
                (layers * width, edges)
            }
            Workflow::File { scale, .. } => {
                let Some(graph) = &self.graph else { return (Vec::new(), Vec::new()) };
                let task = |task: &crate::scheduler::dag::Task| {
                    let mut spec = self.task(number, task.name.clone(), dice);
                    let work = task.work.as_nanos() as f64 * scale;
                    spec.work = Duration::from_nanos(work.min(WORK_MAX) as u64);
                    spec
                };
                return (graph.tasks().map(task).collect(), graph.edges().collect());
            }
        };
        ((0..count).map(|nth| self.task(number, nth.to_string(), dice)).collect(), edges)
    }

    fn task(&self, number: u64, name: String, dice: &mut Dice<'_>) -> Spec {
        let asked = &self.asked;
        let cores_to = asked.cores_to.unwrap_or(asked.cores).max(asked.cores);
        let steps = asked.ram_to.map_or(1, |to| to.0 / asked.ram.0.max(1)).max(1);
        Spec {
            call: Call::stand_in(format!("{number}/{name}")),
            name,
            needs: Needs {
                cores: asked.cores + dice.below(u64::from(cores_to - asked.cores) + 1) as u32,
                ram: Bytes(asked.ram.0.saturating_mul(1 + dice.below(steps))),
                tags: asked.tags.clone(),
            },
            work: asked.work.draw(dice),
            input: asked.input,
            output: asked.output,
            trust: Fixed::of(asked.trust),
            validation: asked.validation,
            overlap: asked.overlap,
            priority: dice.below(u64::from(asked.priority) + 1) as u32,
            deadline: asked.deadline,
            retries: asked.retries,
        }
    }

    /// A job of a log runs for as long as it did, on as many cores; what the log does not tell is drawn.
    fn job(&self, job: &Arrival, dice: &mut Dice<'_>) -> Spec {
        let drawn = self.task(job.job, "job".into(), dice);
        let cores = job.processors.map_or(drawn.needs.cores, |cores| cores.clamp(1, CORES_MAX));
        Spec { work: job.run.unwrap_or(drawn.work), needs: Needs { cores, ..drawn.needs }, ..drawn }
    }
}

/// One task, `width` that need it, one that needs those, and so on.
fn forks(width: u32, stages: u32, data: Bytes) -> Vec<Edge> {
    let mut edges = Vec::new();
    for stage in 0..stages {
        let fork = stage * (width + 1);
        let join = fork + width + 1;
        for at in fork + 1..join {
            edges.push(Edge { from: fork, to: at, data });
            edges.push(Edge { from: at, to: join, data });
        }
    }
    edges
}

impl Span {
    /// A draw. What it rests on is computed by libm alone, so it is the same everywhere.
    pub(super) fn draw(&self, dice: &mut Dice<'_>) -> Duration {
        /// Of all draws, so that none is 0 or 1.
        const PARTS: u64 = 1 << 53;
        let mut even = || (dice.below(PARTS) as f64 + 0.5) / PARTS as f64;
        let nanos = match self {
            Self::Constant { of } => return *of,
            Self::Uniform { from, to } => {
                return dice.within(*from..(*to + Duration::from_nanos(1)));
            }
            Self::Exponential { mean } => -libm::log(even()) * mean.as_nanos() as f64,
            Self::Normal { mean, deviation, least } => {
                let radius = libm::sqrt(-2.0 * libm::log(even()));
                let bell = radius * libm::cos(std::f64::consts::TAU * even());
                (mean.as_nanos() as f64 + bell * deviation.as_nanos() as f64).max(least.as_nanos() as f64)
            }
            Self::Pareto { least, shape, most } => {
                (least.as_nanos() as f64 / libm::pow(even(), 1.0 / shape)).min(most.as_nanos() as f64)
            }
        };
        Duration::from_nanos(nanos.clamp(0.0, WORK_MAX) as u64)
    }
}
