//! A worker: does what the hub assigns, and says what came of it until the hub has it for good.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde::Serialize;

use super::messages::{Assignment, How, Job, Message, Notice, Outcome, Refusal, Reply, Timer};
use super::parameters::Config;
use super::{Cluster, Cx, HUB};
use crate::contract::{Blob, BlobId, BlobInput, Dice, Duration, Input, InputOf, NodeId};
use crate::scheduler::call::{Service, stand_in};
use crate::scheduler::hub::{Capacity, CopyId};
use crate::scheduler::trust::{Fixed, Identity};
use crate::settings::Bytes;

/// The most copies that a worker has at a time.
const COPIES_MAX: usize = 65_536;
/// How many copies that it is through with a worker remembers, so that none that comes twice is done twice.
const DONE_MAX: usize = 4_096;
/// How many results one message holds at most.
const RESULTS_MAX: usize = 256;
/// How many bytes of answers, unless one answer alone has more: a frame between nodes has a bound.
const ANSWERS_MAX: usize = 64 << 10;

/// A worker.
#[derive(Clone, Debug, Serialize)]
pub struct Worker {
    #[serde(skip)]
    config: Arc<Config>,
    me: Identity,
    /// Drawn when this name began to work.
    begun: u64,
    capacity: Capacity,
    is_welcome: bool,
    /// Whether what takes no time is done without a job.
    is_hasty: bool,
    /// What it has: works at, or has yet to begin.
    running: BTreeSet<CopyId>,
    /// What takes up cores and memory of it.
    occupied: BTreeMap<CopyId, (u32, Bytes)>,
    /// What has yet to begin, because an assignment that was late has the room.
    queue: VecDeque<Assignment>,
    /// Results that the hub may not have.
    results: BTreeMap<CopyId, Outcome>,
    /// Copies that it is through with: the latest, whose numbers are the highest.
    done: BTreeSet<CopyId>,
    /// Copies whose data is on its way.
    fetching: BTreeMap<CopyId, Assignment>,
    /// Modules that are not here yet, and who waits for them.
    modules: BTreeMap<BlobId, Vec<Assignment>>,
    /// Modules that are.
    has: BTreeSet<BlobId>,
}

impl Worker {
    pub(super) fn new(config: &Arc<Config>, me: NodeId) -> Self {
        Self {
            config: Arc::clone(config),
            me: me.into(),
            begun: 0,
            capacity: Capacity {
                cores: 1,
                ram: Bytes(0),
                tags: Vec::new(),
                speed: Fixed::ONE,
                rate: config.worker(me).rate,
            },
            is_welcome: false,
            is_hasty: true,
            running: BTreeSet::new(),
            occupied: BTreeMap::new(),
            queue: VecDeque::new(),
            results: BTreeMap::new(),
            done: BTreeSet::new(),
            fetching: BTreeMap::new(),
            modules: BTreeMap::new(),
            has: BTreeSet::new(),
        }
    }

    /// One that does everything by jobs.
    pub(super) fn unhurried(config: &Arc<Config>, me: NodeId) -> Self {
        Self { is_hasty: false, ..Self::new(config, me) }
    }

    /// Under which name the hub knows it.
    #[must_use]
    pub const fn identity(&self) -> Identity {
        self.me
    }

    /// Whether the hub counts on it, as far as it knows.
    #[must_use]
    pub const fn is_welcome(&self) -> bool {
        self.is_welcome
    }

    /// How many copies it works at.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// What it has.
    #[must_use]
    pub const fn capacity(&self) -> &Capacity {
        &self.capacity
    }

    /// Goes on as a newcomer.
    pub(super) fn rename(&mut self, cx: &mut Cx<'_>) {
        cx.send(HUB, Message::Leave { worker: self.me });
        self.me.0 += 1 << 32;
        cx.notify(Notice::Renamed { worker: self.me });
        for (copy, _) in std::mem::take(&mut self.occupied) {
            cx.notify(Notice::Ended { copy, how: How::Stopped });
        }
        self.running.clear();
        self.queue.clear();
        self.results.clear();
        self.fetching.clear();
        self.modules.clear();
        self.begin(cx);
    }

    pub(super) fn step(&mut self, input: InputOf<Cluster>, cx: &mut Cx<'_>) {
        match input {
            Input::Start { .. } => {
                self.capacity = drawn(&self.config, cx.me, &mut cx.dice);
                self.begin(cx);
            }
            Input::Timer { timer: Timer::Heartbeat } => self.beat(cx),
            Input::Timer { timer: Timer::Fetched(copy) } => {
                if let Some(assignment) = self.fetching.remove(&copy)
                    && let Some(result) = self.prepare(assignment, cx)
                {
                    self.tell(vec![result], cx);
                }
            }
            Input::Message { from: HUB, message, blob } => self.hear(message, blob, cx),
            Input::Ran { job, outcome } => self.ran(&job, outcome, cx),
            Input::Blob(news) => self.module(news, cx),
            Input::Command { id, .. } => cx.reply_now(id, Reply::Refused(Refusal::NotTheHub)),
            Input::Link { peer: HUB, up: true } if !self.is_welcome => self.join_when_idle(cx),
            _ => {}
        }
    }

    fn begin(&mut self, cx: &mut Cx<'_>) {
        self.begun = cx.dice.below(u64::MAX);
        self.is_welcome = false;
        self.join(cx);
        // So that those who begin together do not go on together.
        let beat = self.config.parameters.heartbeat;
        cx.set_within(Timer::Heartbeat, Duration::ZERO..beat);
    }

    /// The hub takes whoever joins for idle, and counts on nothing that it is at. So it finishes that first: the hub
    /// compares what comes of it.
    fn join_when_idle(&self, cx: &mut Cx<'_>) {
        if self.running.is_empty() {
            self.join(cx);
        }
    }

    fn join(&self, cx: &mut Cx<'_>) {
        let (worker, begun, capacity) = (self.me, self.begun, self.capacity.clone());
        cx.send_now(HUB, Message::Join { worker, begun, capacity });
    }

    /// Says that it is alive, and again what the hub has not confirmed.
    fn beat(&mut self, cx: &mut Cx<'_>) {
        cx.set(Timer::Heartbeat, self.config.parameters.heartbeat);
        if !self.is_welcome && self.running.is_empty() {
            return self.join(cx);
        }
        let mut running: Vec<CopyId> = self.running.iter().chain(self.results.keys()).copied().collect();
        running.sort_unstable();
        cx.send_now(HUB, Message::Heartbeat { worker: self.me, running });
        let results: Vec<_> = self.results.iter().map(|(copy, outcome)| (*copy, outcome.clone())).collect();
        self.tell(results, cx);
        for module in self.modules.keys() {
            cx.send_now(HUB, Message::Want { module: *module });
        }
    }

    fn hear(&mut self, message: Message, blob: Option<Blob>, cx: &mut Cx<'_>) {
        match message {
            Message::Welcome { worker } if worker == self.me => self.is_welcome = true,
            Message::Unknown { worker } if worker == self.me => {
                self.is_welcome = false;
                self.join_when_idle(cx);
            }
            Message::Refused { worker, .. } if worker == self.me => self.is_welcome = false,
            Message::Assign { assignments } => self.take(assignments, cx),
            Message::Revoke { copies } => copies.into_iter().for_each(|copy| self.stop(copy, cx)),
            Message::Taken { copies } => copies.iter().for_each(|copy| drop(self.results.remove(copy))),
            Message::Module { module } => match blob {
                Some(blob) if blob.id() == module && blob.is_intact() => cx.store(blob),
                Some(_) => {}
                None => self.give_up(module, cx),
            },
            _ => {}
        }
    }

    fn take(&mut self, assignments: Vec<Assignment>, cx: &mut Cx<'_>) {
        for assignment in assignments {
            let copy = assignment.copy;
            let is_known = self.running.contains(&copy) || self.results.contains_key(&copy);
            if is_known || self.done.contains(&copy) || self.running.len() >= COPIES_MAX {
                continue;
            }
            self.running.insert(copy);
            self.queue.push_back(assignment);
        }
        self.begin_next(cx);
    }

    /// Begins what there is room for, first come, first served. The hub gives no more than that, but what it takes for
    /// lost may come late.
    fn begin_next(&mut self, cx: &mut Cx<'_>) {
        let mut at_once = Vec::new();
        while let Some(Assignment { cores, ram, .. }) = self.queue.front()
            && self.has_room(*cores, *ram)
            && let Some(assignment) = self.queue.pop_front()
        {
            let copy = assignment.copy;
            cx.notify(Notice::Began { copy });
            self.occupied.insert(copy, (assignment.cores, assignment.ram));
            let wait = self.capacity.receives(assignment.data.0);
            if wait.is_zero() {
                at_once.extend(self.prepare(assignment, cx));
            } else {
                self.fetching.insert(copy, assignment);
                cx.set(Timer::Fetched(copy), wait);
            }
        }
        if !at_once.is_empty() {
            self.tell(at_once, cx);
        }
    }

    fn has_room(&self, cores: u32, ram: Bytes) -> bool {
        let taken = self.occupied.values().fold((0_u64, 0_u64), |(cores, bytes), (more, ram)| {
            (cores + u64::from(*more), bytes.saturating_add(ram.0))
        });
        self.occupied.is_empty()
            || taken.0 + u64::from(cores) <= u64::from(self.capacity.cores)
                && taken.1.saturating_add(ram.0) <= self.capacity.ram.0
    }

    /// Begins to compute, unless a module is missing.
    fn prepare(&mut self, assignment: Assignment, cx: &mut Cx<'_>) -> Option<(CopyId, Outcome)> {
        match assignment.call.module {
            Some(module) if !self.has.contains(&module) => {
                let waiting = self.modules.entry(module).or_default();
                waiting.push(assignment);
                if waiting.len() == 1 {
                    cx.load(module);
                }
                None
            }
            _ => self.run(assignment, cx),
        }
    }

    /// Begins to compute. What takes no time is done now.
    fn run(&mut self, assignment: Assignment, cx: &mut Cx<'_>) -> Option<(CopyId, Outcome)> {
        let Assignment { copy, call, work, .. } = assignment;
        if self.is_hasty && work.is_zero() && call.service == Service::StandIn {
            let answer = stand_in(&call.argument);
            return self.end(copy, Outcome::Answered(answer.into()), cx);
        }
        cx.run(Job { copy, call, work });
        None
    }

    fn ran(&mut self, job: &Job, outcome: Outcome, cx: &mut Cx<'_>) {
        if let Some(result) = self.end(job.copy, outcome, cx) {
            self.tell(vec![result], cx);
            self.begin_next(cx);
        }
    }

    /// A copy is no more. None if the hub does not want to hear of it.
    fn end(&mut self, copy: CopyId, outcome: Outcome, cx: &mut Cx<'_>) -> Option<(CopyId, Outcome)> {
        if !self.running.remove(&copy) {
            return None;
        }
        let has_begun = self.occupied.remove(&copy).is_some();
        if !has_begun {
            self.queue.retain(|waiting| waiting.copy != copy);
        }
        let how = match outcome {
            Outcome::Answered(_) => How::Answered,
            Outcome::Failed(_) => How::Failed,
            Outcome::Stopped => How::Stopped,
        };
        if has_begun {
            cx.notify(Notice::Ended { copy, how });
        }
        self.results.insert(copy, outcome.clone());
        self.done.insert(copy);
        if self.done.len() > DONE_MAX {
            self.done.pop_first();
        }
        Some((copy, outcome))
    }

    fn tell(&self, mut results: Vec<(CopyId, Outcome)>, cx: &mut Cx<'_>) {
        while !results.is_empty() {
            let rest = results.split_off(together(&results));
            cx.send_now(HUB, Message::Results { worker: self.me, results });
            results = rest;
        }
    }

    /// What a thread is computing goes on, but nobody waits for it.
    fn stop(&mut self, copy: CopyId, cx: &mut Cx<'_>) {
        if self.fetching.remove(&copy).is_some() {
            cx.cancel(Timer::Fetched(copy));
        }
        if let Some(result) = self.end(copy, Outcome::Stopped, cx) {
            self.tell(vec![result], cx);
            self.begin_next(cx);
        }
    }

    fn module(&mut self, news: BlobInput, cx: &mut Cx<'_>) {
        match news {
            BlobInput::Loaded { blob, .. } => self.arrive(blob.id(), cx),
            BlobInput::Stored { id, .. } => self.arrive(id, cx),
            BlobInput::Missing { id, .. } | BlobInput::Damaged { id, .. } => {
                cx.send_now(HUB, Message::Want { module: id });
            }
            BlobInput::Refused { id, .. } => self.give_up(id, cx),
        }
    }

    fn arrive(&mut self, module: BlobId, cx: &mut Cx<'_>) {
        self.has.insert(module);
        let waiting = self.modules.remove(&module).unwrap_or_default();
        // Those that were stopped meanwhile have nothing to begin.
        let wanted: Vec<_> = waiting.into_iter().filter(|it| self.occupied.contains_key(&it.copy)).collect();
        let results: Vec<_> = wanted.into_iter().filter_map(|it| self.run(it, cx)).collect();
        self.tell(results, cx);
    }

    /// A module cannot be had.
    fn give_up(&mut self, module: BlobId, cx: &mut Cx<'_>) {
        let waiting = self.modules.remove(&module).unwrap_or_default();
        let failed = || Outcome::Failed("the module cannot be had".into());
        let results = waiting.into_iter().filter_map(|assignment| self.end(assignment.copy, failed(), cx));
        let results = results.collect();
        self.tell(results, cx);
        self.begin_next(cx);
    }
}

/// How many of these go into one message.
fn together(results: &[(CopyId, Outcome)]) -> usize {
    let mut bytes = 0;
    let fits = |(_, outcome): &&(CopyId, Outcome)| {
        bytes += match outcome {
            Outcome::Answered(answer) => answer.len(),
            Outcome::Failed(reason) => reason.len(),
            Outcome::Stopped => 0,
        };
        bytes <= ANSWERS_MAX
    };
    results.iter().take(RESULTS_MAX).take_while(fits).count().max(1)
}

/// What a worker has in this life.
fn drawn(config: &Config, me: NodeId, dice: &mut Dice<'_>) -> Capacity {
    let spec = config.worker(me);
    let cores_to = spec.cores_to.unwrap_or(spec.cores);
    let steps = spec.ram_to.map_or(1, |to| to.0 / spec.ram.0.max(1)).max(1);
    Capacity {
        cores: spec.cores + dice.below(u64::from(cores_to - spec.cores) + 1) as u32,
        ram: Bytes(spec.ram.0.saturating_mul(1 + dice.below(steps))),
        tags: spec.tags.clone(),
        speed: Fixed::of(spec.speed),
        rate: spec.rate,
    }
}
