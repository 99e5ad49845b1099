//! What a scenario may choose of hub, workers and saboteurs.

use std::sync::Arc;

use crate::contract::{Duration, NodeId};
use crate::scheduler::hub::{self, CORES_MAX, Rules, TAGS_MAX};
use crate::scheduler::trust::{self, Comparator, Saboteur};
use crate::settings::{Bytes, Probability, Rate};
use crate::{choice, settings};

/// The most kinds of workers and of saboteurs.
const KINDS_MAX: usize = 1_000;

settings! {
    /// Parameters of a cluster that computes: a hub and workers.
    pub struct Parameters {
        /// Which task goes where, and what becomes of those who are late or gone.
        pub hub: hub::Parameters, flat;
        /// Which answers are accepted.
        pub trust: trust::Parameters, flat;
        /// Whether the hub writes down what happens before it says a word of it; without, a hub that stops forgets everything.
        pub durable: bool = true;
        /// Time between two heartbeats of a worker.
        pub heartbeat: Duration = Duration::from_secs(10), in Duration::from_millis(1)..=Duration::from_secs(86_400);
        /// What workers have: the first of them the first, and from the start again.
        pub worker: Vec<WorkerSpec> = vec![WorkerSpec::default()], in 1..=KINDS_MAX;
        /// Who of them is not to be trusted.
        pub saboteur: Vec<Sabotage> = Vec::new(), in 0..=KINDS_MAX;
        /// Whether a worker may come under a new name, as in a system that anybody may join. Else its node is its name.
        pub anonymous: bool = false;
        /// A mistake, built in to see that it is found.
        pub flaw: Flaw = Flaw::None;
    }
    verify = Parameters::consistent;
}

choice! {
    /// A mistake, built in to see that it is found.
    pub enum Flaw {
        /// None.
        None,
        /// The hub answers before the disk has what it says.
        AnswerEarly,
        /// When a lease runs out, the hub forgets whom it had asked: the same worker may get the task once more, and its
        /// answer counts twice.
        SeatAfterLease,
    }
}

settings! {
    /// What a worker has.
    pub struct WorkerSpec {
        /// How many cores; without `cores_to`, exactly so many.
        pub cores: u32 = 1, in 1..=CORES_MAX;
        /// At most so many cores: drawn evenly.
        pub cores_to: Option<u32> = None, in 1..=CORES_MAX;
        /// How much memory; without `ram_to`, exactly so much.
        pub ram: Bytes = Bytes(8 << 30);
        /// At most so much memory: drawn evenly, in steps of `ram`.
        pub ram_to: Option<Bytes> = None;
        /// What it has besides.
        pub tags: Vec<String> = Vec::new(), in 0..=TAGS_MAX;
        /// CPU time that a core does in a second.
        pub speed: f64 = 1.0, in 0.000_001..=1_000_000.0;
        /// How fast data comes to it.
        pub rate: Rate = Rate(1_000_000_000);
    }
}

settings! {
    /// Workers that are not to be trusted.
    pub struct Sabotage {
        /// How they behave.
        pub conduct: Saboteur, flat;
        /// How large a part of the workers behaves so, rounded to whole workers; which ones, follows from their numbers.
        pub share: Probability = Probability::NEVER;
        /// These workers, by node.
        pub nodes: Vec<u32> = Vec::new();
    }
}

/// All keys have defaults.
impl Default for Parameters {
    fn default() -> Self {
        Self {
            hub: hub::Parameters::default(),
            trust: trust::Parameters::default(),
            durable: true,
            heartbeat: Duration::from_secs(10),
            worker: vec![WorkerSpec::default()],
            saboteur: Vec::new(),
            anonymous: false,
            flaw: Flaw::None,
        }
    }
}

impl Parameters {
    fn consistent(&self) -> Result<(), (&'static str, String)> {
        if self.heartbeat >= self.hub.silence {
            let silence = self.hub.silence;
            return Err(("heartbeat", format!("must be shorter than `silence` = {silence}")));
        }
        for spec in &self.worker {
            if spec.cores_to.is_some_and(|to| to < spec.cores) || spec.ram_to.is_some_and(|to| to < spec.ram)
            {
                return Err(("worker", "has less at most than at least".into()));
            }
            if !spec.tags.windows(2).all(|pair| pair[0] < pair[1]) {
                return Err(("worker", "must have its tags in ascending order, each once".into()));
            }
        }
        let share: f64 = self.saboteur.iter().map(|group| group.share.value()).sum();
        if share > 1.0 {
            return Err(("saboteur", format!("has shares of {share}, which is more than all")));
        }
        Ok(())
    }
}

/// What every node of a cluster knows.
#[derive(Clone, Debug)]
pub struct Config {
    /// As a scenario says.
    pub parameters: Parameters,
    /// What the hub goes by.
    pub rules: Arc<Rules>,
    /// Which workers are saboteurs, by node.
    saboteurs: Vec<Option<Saboteur>>,
}

impl Config {
    /// The configuration of a cluster of `nodes` nodes: a hub and workers.
    ///
    /// # Errors
    /// What is wrong with the parameters.
    pub fn new(parameters: &Parameters, nodes: u32) -> Result<Self, String> {
        if nodes < 2 {
            return Err("needs 2 nodes or more: a hub and workers".into());
        }
        parameters.consistent().map_err(|(key, problem)| format!("`{key}` {problem}"))?;
        let comparator = Comparator::of(&parameters.trust);
        let hub = hub::Parameters {
            seat_after_lease: parameters.flaw == Flaw::SeatAfterLease,
            ..parameters.hub.clone()
        };
        Ok(Self {
            rules: Arc::new(Rules::new(&hub, &parameters.trust, comparator)),
            saboteurs: saboteurs(&parameters.saboteur, nodes)?,
            parameters: parameters.clone(),
        })
    }

    /// How a node behaves, if it is not to be trusted.
    #[must_use]
    pub fn saboteur(&self, node: NodeId) -> Option<&Saboteur> {
        self.saboteurs.get(node.0 as usize)?.as_ref()
    }

    /// Whether all workers are to be trusted.
    #[must_use]
    pub fn is_honest(&self) -> bool {
        self.saboteurs.iter().all(Option::is_none)
    }

    /// What a worker has, before anything is drawn.
    #[must_use]
    pub fn worker(&self, node: NodeId) -> &WorkerSpec {
        let kinds = &self.parameters.worker;
        &kinds[(node.0.saturating_sub(1)) as usize % kinds.len()]
    }
}

/// Who behaves how. Shares are dealt to workers in an order that has nothing to do with their numbers.
fn saboteurs(groups: &[Sabotage], nodes: u32) -> Result<Vec<Option<Saboteur>>, String> {
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    let mut dealt = vec![None; nodes as usize];
    for group in groups {
        for node in &group.nodes {
            match dealt.get_mut(*node as usize) {
                Some(place) if *node > 0 => *place = Some(group.conduct.clone()),
                _ => {
                    return Err(format!(
                        "`saboteur` names node {node}, which is no worker: those are 1 to {}",
                        nodes - 1
                    ));
                }
            }
        }
    }
    let mut order: Vec<u32> = (1..nodes).filter(|node| dealt[*node as usize].is_none()).collect();
    order.sort_by_cached_key(|node| *blake3::hash(&node.to_le_bytes()).as_bytes());
    let mut next = order.into_iter();
    for group in groups {
        let count = (group.share.value() * f64::from(nodes - 1)).round() as usize;
        for node in next.by_ref().take(count) {
            dealt[node as usize] = Some(group.conduct.clone());
        }
    }
    Ok(dealt)
}
