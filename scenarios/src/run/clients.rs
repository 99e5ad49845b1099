//! Clients at the nodes' doors: they send commands, wait for answers, and measure how long that takes.

use std::collections::{BTreeMap, BTreeSet};

use seedbed_core::contract::{
    Answer, CommandId, Dice, Duration, Findings, Keys, Life, NodeId, Purpose, Subject, Time, Turn,
};

use super::prepare::{ArrivalPlan, ClientPlan};
use super::stage::Stage;

/// All clients of a run: a value, like the world.
#[derive(Clone, Debug)]
pub(crate) struct Clients {
    plan: ClientPlan,
    /// Who sends a command when.
    arrivals: BTreeSet<(Time, u64)>,
    /// Commands that wait for an answer.
    waiting: BTreeMap<u64, Waiting>,
    /// When their clients give up.
    deadlines: BTreeSet<(Time, u64)>,
    /// How often each client that waits for its answers has asked; of the others, each asks once.
    asked: Vec<u64>,
    sent: u64,
    answered: u64,
    failed: u64,
    latencies: Vec<f64>,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    client: u64,
    since: Time,
}

/// In which draws of a command's address: arrivals, delays and losses are apart.
const ARRIVAL: u64 = 0;
const THERE: u64 = 1;
const BACK: u64 = 2;
const LOST_THERE: u64 = 3;
const LOST_BACK: u64 = 4;
/// Keeps the addresses at which targets are drawn apart from those of commands.
const TARGET: u64 = 1 << 62;
/// The shortest time for which a client thinks: one that asks at once, and is answered at once, would stop the world's
/// clock. After a failure it is longer: nobody hammers at a door that is closed.
const PAUSE: Duration = Duration::from_micros(1);
const PAUSE_FAILED: Duration = Duration::from_millis(1);
/// Not a node: whose dice clients throw.
const CLIENTS: NodeId = NodeId(u32::MAX);

impl Clients {
    pub(crate) fn new(plan: &ClientPlan, keys: &Keys) -> Self {
        let mut clients = Self {
            plan: plan.clone(),
            arrivals: BTreeSet::new(),
            waiting: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            asked: Vec::new(),
            sent: 0,
            answered: 0,
            failed: 0,
            latencies: Vec::new(),
        };
        let start = Time::ZERO + plan.start;
        match &plan.arrivals {
            ArrivalPlan::Open(gap) => clients.arrive(start + draw(keys, gap, 0, ARRIVAL), 0),
            ArrivalPlan::Trace(times) => clients.arrive(start + times[0], 0),
            ArrivalPlan::Closed(count, think) => {
                clients.asked = vec![0; *count as usize];
                for client in 0..u64::from(*count) {
                    clients.arrive(start + draw(keys, think, !client, ARRIVAL), client);
                }
            }
        }
        clients
    }

    /// When a client does something next.
    pub(crate) fn next(&self) -> Time {
        let first = |all: &BTreeSet<(Time, u64)>| all.first().map_or(Time::MAX, |(at, _)| *at);
        first(&self.arrivals).min(first(&self.deadlines))
    }

    /// Does what is due by now.
    pub(crate) fn act<P: Subject>(&mut self, load: &P::Load, stage: &mut impl Stage<P>) {
        let now = stage.now();
        while let Some(&(at, id)) = self.deadlines.first()
            && at <= now
        {
            self.deadlines.pop_first();
            if let Some(waiting) = self.waiting.remove(&id) {
                self.failed += 1;
                self.think(stage.keys(), waiting.client, id, now, PAUSE_FAILED);
            }
        }
        while let Some(&(at, client)) = self.arrivals.first()
            && at <= now
        {
            self.arrivals.pop_first();
            self.send(client, load, stage);
        }
    }

    fn send<P: Subject>(&mut self, client: u64, load: &P::Load, stage: &mut impl Stage<P>) {
        let now = stage.now();
        if self.sent >= self.plan.count || now.since(Time::ZERO) >= self.plan.stop {
            return;
        }
        let id = self.sent;
        let keys = stage.keys().clone();
        let mut dice = Dice::new(&keys, CLIENTS, Life(0), id);
        let turn = self.turn(client);
        // A protocol without commands has nothing for clients to do.
        let Some(command) = P::command(load, turn, &mut dice) else { return };
        self.sent += 1;
        if let Some(asked) = self.asked.get_mut(client as usize) {
            *asked += 1;
        }
        self.next_arrival(&keys, now, id);
        let targets = self.plan.to.resolve(stage, keys.roll(Purpose::Workload), TARGET | id << 8);
        self.waiting.insert(id, Waiting { client, since: now });
        let Some(&target) = targets.first() else { return self.fail(&keys, id, now) };
        self.deadlines.insert((now + self.plan.timeout, id));
        if keys.roll(Purpose::Workload).at(id, LOST_THERE) >= self.plan.loss {
            let delay = self.access(&keys, id, THERE);
            stage.command(now + delay, target, CommandId(id), command);
        }
    }

    fn turn(&self, client: u64) -> Turn {
        let number = self.sent;
        match self.asked.get(client as usize) {
            Some(&nth) => Turn { number, client, nth },
            None => Turn { number, client: number, nth: 0 },
        }
    }

    /// A node answered. The answer still has to reach its client.
    pub(crate) fn replied(&mut self, keys: &Keys, id: CommandId, answer: Answer, now: Time) {
        if keys.roll(Purpose::Workload).at(id.0, LOST_BACK) < self.plan.loss {
            return;
        }
        let Some(waiting) = self.waiting.get(&id.0).copied() else { return };
        let at = now + self.access(keys, id.0, BACK);
        if at >= waiting.since + self.plan.timeout {
            return;
        }
        match answer {
            Answer::Failed => self.fail(keys, id.0, at),
            Answer::Done => {
                self.answered += 1;
                self.latencies.push(at.since(waiting.since).as_millis_f64());
                self.settle(keys, id.0, at, PAUSE);
            }
        }
    }

    /// The node was down: the client's connection is refused.
    pub(crate) fn refused(&mut self, keys: &Keys, id: CommandId, now: Time) {
        let at = now + self.access(keys, id.0, BACK);
        self.fail(keys, id.0, at);
    }

    /// How many values have been measured.
    pub(crate) fn measured(&self) -> usize {
        self.latencies.len()
    }

    /// A command has failed, unless its client has given up before.
    fn fail(&mut self, keys: &Keys, id: u64, at: Time) {
        self.failed += u64::from(self.settle(keys, id, at, PAUSE_FAILED));
    }

    /// Its client waits no longer for a command; false if it did not wait.
    fn settle(&mut self, keys: &Keys, id: u64, at: Time, least: Duration) -> bool {
        let Some(waiting) = self.waiting.remove(&id) else { return false };
        self.deadlines.remove(&(waiting.since + self.plan.timeout, id));
        self.think(keys, waiting.client, id, at, least);
        true
    }

    /// A client that waited for its answer thinks, and asks again.
    fn think(&mut self, keys: &Keys, client: u64, id: u64, at: Time, least: Duration) {
        if let ArrivalPlan::Closed(_, think) = &self.plan.arrivals {
            let pause = draw(keys, think, id, ARRIVAL).max(least);
            self.arrive(at + pause, client);
        }
    }

    fn next_arrival(&mut self, keys: &Keys, now: Time, id: u64) {
        match &self.plan.arrivals {
            ArrivalPlan::Open(gap) => {
                let gap = draw(keys, gap, id + 1, ARRIVAL).as_nanos().max(1);
                self.arrive(now + Duration::from_nanos(gap), 0);
            }
            ArrivalPlan::Trace(times) => {
                if let Some(&time) = times.get(id as usize + 1) {
                    self.arrive(Time::ZERO + self.plan.start + time, id + 1);
                }
            }
            ArrivalPlan::Closed(..) => {}
        }
    }

    fn arrive(&mut self, at: Time, client: u64) {
        self.arrivals.insert((at, client));
    }

    fn access(&self, keys: &Keys, id: u64, way: u64) -> Duration {
        self.plan.access.as_ref().map_or(Duration::ZERO, |law| draw(keys, law, id, way))
    }

    /// Puts what was measured among the findings. What still waits has failed.
    pub(crate) fn finish(self, findings: &mut Findings) {
        findings.number("commands", self.sent as f64);
        findings.number("answered", self.answered as f64);
        findings.number("failed", (self.failed + self.waiting.len() as u64) as f64);
        findings.samples.insert("latency_ms", self.latencies);
    }
}

fn draw(keys: &Keys, law: &seedbed_sim::law::Law, id: u64, what: u64) -> Duration {
    Duration::from_nanos(law.draw(keys.roll(Purpose::Workload).at(id, what)))
}
