//! One run: a world, its clients and its observer, from the first moment to the last.

use std::sync::Arc;

use seedbed_core::contract::{Duration, Findings, Keys, Observation, Subject, Time};
use seedbed_sim::fault::{Schedule, Timed};
use seedbed_sim::{Services, Setup, Watch, World};

use super::clients::Clients;
use super::conditions::Conditions;
use super::failure::{Failure, Owed, caught};
use super::log::{EventLog, Logger};
use super::observer::Observer;
use super::prepare::Plan;
#[cfg(feature = "real")]
use crate::real::Scratch;
use crate::scenario::Rule;

/// How one run differs from the usual.
#[derive(Debug, Default)]
pub struct Options<'a> {
    /// Exactly these faults, instead of what the scenario's generators come to.
    pub faults: Option<Vec<Timed>>,
    /// Every event in a line.
    pub log: Option<&'a mut EventLog>,
    /// The digest takes in the contents of messages, too.
    pub audit: bool,
}

/// What one run came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The fingerprint of all that happened; none where the same cannot happen again.
    pub digest: Option<u64>,
    /// Metrics, samples, timeline and broken promises.
    pub findings: Findings,
    /// Broken rules: the index of the rule, when, and what was seen.
    pub broken: Vec<Broken>,
    /// The faults that struck.
    pub faults: Vec<Timed>,
    /// When everything was healed, if it was.
    pub healed: Option<Time>,
    /// When the run was over.
    pub end: Time,
    /// Why it came to no proper end, if it did not.
    pub failure: Option<Failure>,
}

/// A rule that did not hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Broken {
    /// Its index among the rules of the point.
    pub rule: usize,
    /// When it was seen; none if it concerns the whole run.
    pub at: Option<Time>,
    /// What was seen.
    pub message: String,
}

/// A scenario at one point, ready to run with any seed.
pub trait Ready: Send + Sync {
    /// Runs it in the simulator.
    fn run(&self, seed: u64, options: Options<'_>) -> Outcome;
    /// Runs it on real sockets, disks and clocks.
    #[cfg(feature = "real")]
    fn run_real(&self, seed: u64, scratch: &Scratch) -> Outcome;
    /// What must hold.
    fn rules(&self) -> &[Rule];
    /// The protocol's parameters as they are in force, those left to their defaults included.
    fn parameters(&self) -> &str;
}

/// A scenario at one point, for one protocol.
pub(crate) struct Prepared<P: Subject> {
    pub(crate) config: Arc<P::Config>,
    parameters: String,
    pub(crate) load: P::Load,
    pub(crate) plan: Plan,
    /// Who does jobs, unless they are simulated.
    #[cfg(feature = "real")]
    pub(crate) services: seedbed_transport::host::Services<P>,
}

impl<P: Subject> Prepared<P> {
    pub(super) fn new(config: P::Config, parameters: String, load: P::Load, plan: Plan) -> Self {
        Self {
            config: Arc::new(config),
            parameters,
            load,
            plan,
            #[cfg(feature = "real")]
            services: seedbed_transport::host::Services::registered(),
        }
    }

    /// Real jobs are done by these.
    #[cfg(feature = "real")]
    pub(super) fn served_by(self, services: seedbed_transport::host::Services<P>) -> Self {
        Self { services, ..self }
    }

    /// The world and its observer, before the first moment.
    fn begin(&self, seed: u64, options: &mut Options<'_>) -> Run<'_, P> {
        let keys = Keys::from_seed(seed);
        let setup = Setup { seed, is_audit: options.audit, ..self.plan.setup.clone() };
        let mut world = World::new(self.config.clone(), setup, Services::registered());
        world.set_faults(match options.faults.take() {
            Some(list) => Schedule::concrete(list),
            None => Schedule::new(self.plan.generators.clone(), &keys),
        });
        let observer = Observer::new(self, &keys);
        let conditions = Conditions::new(&self.plan);
        Run { prepared: self, world, observer, conditions, events: 0, healed: None, failure: None }
    }
}

impl<P: Subject> Ready for Prepared<P> {
    fn rules(&self) -> &[Rule] {
        &self.plan.rules
    }

    fn parameters(&self) -> &str {
        &self.parameters
    }

    #[cfg(feature = "real")]
    fn run_real(&self, seed: u64, scratch: &Scratch) -> Outcome {
        crate::real::run(self, seed, scratch.path())
    }

    fn run(&self, seed: u64, mut options: Options<'_>) -> Outcome {
        let panicked = |at, message| Some(Failure { owed: Owed::NoPanic, at, message });
        let mut run = match caught(|| self.begin(seed, &mut options)) {
            Ok(run) => run,
            Err(message) => return Outcome { failure: panicked(None, message), ..Outcome::default() },
        };
        let ran = caught(|| match options.log {
            None => run.play(&mut ()),
            Some(log) => run.play(&mut Logger::new(log)),
        });
        if let Err(message) = ran {
            run.failure = panicked(Some(run.world.now()), message);
        }
        run.outcome()
    }
}

/// A run under way.
struct Run<'a, P: Subject> {
    prepared: &'a Prepared<P>,
    world: World<P>,
    observer: Observer<P>,
    conditions: Conditions<'a>,
    /// Events, faults and acts of clients so far.
    events: u64,
    healed: Option<Time>,
    failure: Option<Failure>,
}

/// How often the size of a run is looked at: every so many events.
const LOOK_EVERY: u64 = 1 << 16;
/// The most events under way, beside some for each node.
const UNDER_WAY_MAX: usize = 20_000_000;
const UNDER_WAY_PER_NODE: usize = 16;
/// The most faults that strike in a run, and the most values that it measures.
const FAULTS_MAX: usize = 5_000_000;
const VALUES_MAX: usize = 50_000_000;

impl<P: Subject> Run<'_, P> {
    fn play(&mut self, log: &mut impl Watch<P>) {
        let plan = &self.prepared.plan;
        self.world.start(&mut (&mut self.observer, &mut *log));
        let healing = Time::ZERO + plan.duration;
        // Between events nothing changes: to look at each beginning, and then after every event, is to look always.
        let beginnings = self.conditions.beginnings();
        for from in beginnings.into_iter().filter(|from| *from < healing) {
            self.until(from + Duration::from_nanos(1), log);
            self.look();
        }
        self.until(healing, log);
        if !plan.heal.is_zero() && self.failure.is_none() {
            self.healed = Some(healing);
            self.world.heal(&mut (&mut self.observer, &mut *log));
            self.observer.observe(Observation::Healed, &self.world);
            self.conditions.heal(healing);
            self.look();
            self.until(healing + plan.heal, log);
        }
        self.observer.observe(Observation::End, &self.world);
    }

    fn look(&mut self) {
        self.conditions.look(&self.observer.probe, &self.world);
    }

    /// Goes on until `limit`, or until it gets too much.
    fn until(&mut self, limit: Time, log: &mut impl Watch<P>) {
        loop {
            self.events += 1;
            if (self.events > self.prepared.plan.events_max || self.events.is_multiple_of(LOOK_EVERY))
                && let Some(message) = self.excess()
            {
                let at = Some(self.world.now());
                self.failure = Some(Failure { owed: Owed::BoundedRun, at, message });
                return;
            }
            let next = self.observer.clients.as_ref().map_or(Time::MAX, Clients::next);
            // Clients act before events of the same moment.
            if next < limit
                && next <= self.world.now()
                && let Some(mut clients) = self.observer.clients.take()
            {
                clients.act(&self.prepared.load, &mut self.world);
                self.observer.clients = Some(clients);
                continue;
            }
            let stop = next.min(limit);
            let went_on = self.world.advance(stop, &mut (&mut self.observer, &mut *log));
            if went_on {
                self.look();
            } else if stop == limit {
                return;
            }
        }
    }

    /// What there is too much of, if there is.
    fn excess(&self) -> Option<String> {
        let events_max = self.prepared.plan.events_max;
        if self.events > events_max {
            return Some(format!("ended after {events_max} events: see `run.events_max`"));
        }
        let under_way = self.world.under_way();
        if under_way > UNDER_WAY_MAX + UNDER_WAY_PER_NODE * self.world.nodes() as usize {
            return Some(format!("{under_way} events are under way"));
        }
        let faults = self.world.fault_trace().len();
        if faults > FAULTS_MAX {
            return Some(format!("{faults} faults have struck"));
        }
        let findings = &self.observer.findings;
        let latencies = self.observer.clients.as_ref().map_or(0, Clients::measured);
        let values =
            findings.samples.values().map(Vec::len).sum::<usize>() + findings.spans.len() + latencies;
        (values > VALUES_MAX).then(|| format!("{values} values have been measured"))
    }

    fn outcome(self) -> Outcome {
        let findings = self.observer.finish(self.world.traffic(), self.world.tally());
        // After a panic the states of nodes may be anything.
        let is_sound = self.failure.as_ref().is_none_or(|failure| failure.owed != Owed::NoPanic);
        Outcome {
            digest: Some(if is_sound { self.world.digest() } else { self.world.history_digest() }),
            broken: self.conditions.finish(self.failure.is_none()),
            faults: self.world.fault_trace().to_vec(),
            healed: self.healed,
            end: self.world.now(),
            failure: self.failure,
            findings,
        }
    }
}
