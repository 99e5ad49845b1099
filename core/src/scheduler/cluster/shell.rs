//! The hub as a node: writes down what happens, lets the [`Hub`] decide, and carries out what it wants.
//!
//! An input is made an entry with the hub's time and a draw, written down, and applied; what goes out waits for the disk.
//! All entries of one message go into one record. The hub's clock goes on from the last entry where the node's begins
//! anew, so that leases do not run out while the hub is down, when nobody could tell it anything.
//!
//! After a restart the hub knows all that it ever said. Messages that were lost come again by heartbeats: a worker names
//! the copies that it has, and gets once more those that it should have, and word to stop with those that nobody wants.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use super::messages::{Assignment, Job, Message, Notice, Outcome, Record, Refusal, Reply, Timer};
use super::parameters::{Config, Flaw};
use super::{Cluster, Cx, store};
use crate::contract::{Blob, BlobId, BlobInput, CommandId, Duration, Input, InputOf, Machine, NodeId, Time};
use crate::scheduler::hub::{self, CopyId, Entry, Event, Hub, Output, TaskId};
use crate::scheduler::trust::{Comparator, Identity};

/// How long a hub whose disk is full waits before it tries again.
const FULL_PAUSE: Duration = Duration::from_secs(1);
/// How many assignments one message holds at most.
const ASSIGNMENTS_MAX: usize = 256;
/// How many bytes of arguments, unless one argument alone has more: a frame between nodes has a bound.
const ARGUMENTS_MAX: usize = 64 << 10;
/// The most clients that wait for tasks to end.
const WAITING_MAX: usize = 100_000;

/// The hub as a node.
#[derive(Clone, Debug, Serialize)]
pub struct Shell {
    #[serde(skip)]
    config: Arc<Config>,
    #[serde(serialize_with = "state")]
    pub(super) hub: Hub,
    /// The hub's time when the node's clock showed `since`.
    base: Time,
    since: Time,
    /// When the next tick is set for, by the hub's clock.
    tick: Option<Time>,
    /// Entries written since the last checkpoint.
    logged: u64,
    /// What this node computes itself.
    computing: Option<CopyId>,
    /// Why nothing is taken at present, if that is so.
    deaf: Option<Refusal>,
    /// What each worker that is there drew when it began.
    begun: BTreeMap<Identity, u64>,
    /// Who waits for the end of a task.
    waiting: BTreeSet<(TaskId, CommandId)>,
    /// Submissions whose clients wait, by their first tasks.
    batches: BTreeMap<TaskId, Batch>,
    /// Who waits for a module to be stored.
    storing: BTreeMap<BlobId, Vec<CommandId>>,
    /// Which workers wait for a module to be loaded.
    wanted: BTreeMap<BlobId, BTreeSet<NodeId>>,
}

fn state<S: serde::Serializer>(hub: &Hub, serializer: S) -> Result<S::Ok, S::Error> {
    hub.state().serialize(serializer)
}

/// Tasks that were submitted together by somebody who waits for their end.
#[derive(Clone, Copy, Debug, Serialize)]
struct Batch {
    command: CommandId,
    count: u32,
    /// How many have not ended.
    open: u32,
}

/// What one input comes to for others, gathered so that each hears of it in one message.
#[derive(Default)]
struct Sent {
    /// Whether who submits hears when the last task has ended.
    waits: bool,
    assign: BTreeMap<NodeId, Vec<Assignment>>,
    revoke: BTreeMap<NodeId, Vec<CopyId>>,
}

/// The node behind a name.
pub(super) const fn node(who: Identity) -> NodeId {
    NodeId(who.0 as u32)
}

/// How many of these go into one message.
fn together(assignments: &[Assignment]) -> usize {
    let mut bytes = 0;
    let fits = |assignment: &&Assignment| {
        bytes += assignment.call.argument.len();
        bytes <= ARGUMENTS_MAX
    };
    assignments.iter().take(ASSIGNMENTS_MAX).take_while(fits).count().max(1)
}

impl Shell {
    pub(super) fn new(config: &Arc<Config>) -> Self {
        Self {
            config: Arc::clone(config),
            hub: Hub::new(Arc::clone(&config.rules)),
            base: Time::ZERO,
            since: Time::ZERO,
            tick: None,
            logged: 0,
            computing: None,
            deaf: None,
            begun: BTreeMap::new(),
            waiting: BTreeSet::new(),
            batches: BTreeMap::new(),
            storing: BTreeMap::new(),
            wanted: BTreeMap::new(),
        }
    }

    /// What decides.
    #[must_use]
    pub const fn hub(&self) -> &Hub {
        &self.hub
    }

    fn now(&self, cx: &Cx<'_>) -> Time {
        self.base + cx.now.since(self.since)
    }

    pub(super) fn step(&mut self, input: InputOf<Cluster>, cx: &mut Cx<'_>) {
        match (input, &self.deaf) {
            (Input::Start { log }, _) => self.start(log, cx),
            (Input::Full { .. }, None) => {
                self.deaf = Some(Refusal::Full);
                cx.set(Timer::Write, FULL_PAUSE);
            }
            (Input::Timer { timer: Timer::Write }, Some(Refusal::Full)) => {
                self.write_anew(cx);
                // While it could not listen, nobody's lease ran out and nobody was silent.
                (self.base, self.since) = (self.hub.now(), cx.now);
                self.compute(cx);
            }
            (Input::Command { id, .. }, Some(refusal)) => cx.reply_now(id, Reply::Refused(refusal.clone())),
            // Nothing that is not on disk may be seen, so nothing that is said to a hub counts while it cannot write.
            (Input::Message { .. }, Some(_)) => {}
            (Input::Timer { timer: Timer::Tick }, Some(_)) => self.tick = None,
            (Input::Message { from, message, .. }, None) => self.hear(from, message, cx),
            (Input::Command { id, command }, None) => self.command(id, command, cx),
            (Input::Timer { timer: Timer::Tick }, None) => {
                self.tick = None;
                self.apply(vec![Event::Tick], cx);
            }
            (Input::Ran { .. }, Some(_)) => self.computing = None,
            (Input::Ran { job, outcome }, None) => {
                self.computing = None;
                let outcome = self.read(outcome);
                self.apply(vec![Event::Learned { copy: job.copy, outcome }], cx);
            }
            (Input::Blob(news), _) => self.module(news, cx),
            _ => {}
        }
        if self.deaf.is_none() {
            self.set_tick(cx);
        }
    }

    fn start(&mut self, log: Vec<Record>, cx: &mut Cx<'_>) {
        match store::restore(log, &mut self.hub, &self.config.rules) {
            Some(entries) => self.logged = entries,
            // It must not begin with nothing in place of what it has promised.
            None => self.deaf = Some(Refusal::Unreadable),
        }
        self.base = self.hub.now();
        self.since = cx.now;
        // Perhaps that is what this node died of: it does not begin again.
        if self.deaf.is_none()
            && let Some((copy, ..)) = self.hub.lesson()
        {
            self.apply(vec![Event::Learned { copy, outcome: hub::Outcome::Failed }], cx);
        }
        cx.notify(Notice::Resumed { tasks: self.hub.submitted() });
    }

    fn set_tick(&mut self, cx: &mut Cx<'_>) {
        let wake = self.hub.wake_at();
        if wake != self.tick
            && let Some(at) = wake
        {
            // An alarm that was put off may ring early: then nothing happens.
            if self.tick.is_none_or(|set| at < set) {
                cx.set(Timer::Tick, at.since(self.now(cx)));
                self.tick = Some(at);
            }
        }
    }

    fn hear(&mut self, from: NodeId, message: Message, cx: &mut Cx<'_>) {
        let is_own = |worker: Identity| {
            node(worker) == from && (worker.0 == u64::from(from.0) || self.config.parameters.anonymous)
        };
        match message {
            Message::Join { worker, begun, capacity } if is_own(worker) => {
                if self.begun.get(&worker) == Some(&begun) {
                    return cx.send_now(from, Message::Welcome { worker });
                }
                self.apply(vec![Event::WorkerJoined { worker, capacity }], cx);
                if self.hub.has_worker(worker) {
                    self.begun.insert(worker, begun);
                }
            }
            Message::Leave { worker } if is_own(worker) => self.apply(vec![Event::WorkerLeft { worker }], cx),
            Message::Heartbeat { worker, running } if is_own(worker) => self.beat(worker, running, cx),
            Message::Results { worker, results } if is_own(worker) => self.results(worker, results, cx),
            Message::Want { module } => {
                let waiting = self.wanted.entry(module).or_default();
                waiting.insert(from);
                if waiting.len() == 1 {
                    cx.load(module);
                }
            }
            _ => {}
        }
    }

    fn beat(&mut self, worker: Identity, running: Vec<CopyId>, cx: &mut Cx<'_>) {
        let has: BTreeSet<CopyId> = running.iter().copied().collect();
        self.apply(vec![Event::Heartbeat { worker, running }], cx);
        let mut sent = Sent::default();
        for copy in self.hub.turns(worker).filter(|copy| !has.contains(copy)) {
            if let Some(assignment) = self.assignment(copy) {
                sent.assign.entry(node(worker)).or_default().push(assignment);
            }
        }
        let unwanted = has.into_iter().filter(|copy| !self.hub.is_wanted(*copy));
        sent.revoke.insert(node(worker), unwanted.collect());
        self.send(sent, cx);
    }

    fn results(&mut self, worker: Identity, results: Vec<(CopyId, Outcome)>, cx: &mut Cx<'_>) {
        let copies: Vec<CopyId> = results.iter().map(|(copy, _)| *copy).collect();
        let events = results.into_iter().map(|(copy, outcome)| {
            let is_answer = matches!(outcome, Outcome::Answered(_));
            cx.notify(Notice::Returned { copy, worker, is_answer });
            Event::Result { worker, copy, outcome: self.read(outcome) }
        });
        let events = events.collect();
        self.apply(events, cx);
        self.say(node(worker), Message::Taken { copies }, cx);
    }

    /// What came of a computation, as the hub takes it.
    fn read(&self, outcome: Outcome) -> hub::Outcome {
        match outcome {
            Outcome::Answered(bytes) => {
                hub::Outcome::Answered(Comparator::of(&self.config.parameters.trust).read(&bytes))
            }
            Outcome::Failed(_) => hub::Outcome::Failed,
            Outcome::Stopped => hub::Outcome::Stopped,
        }
    }

    /// Computes what the hub wants to know, unless that is under way.
    fn compute(&mut self, cx: &mut Cx<'_>) {
        if let Some((copy, call, work)) = self.hub.lesson()
            && self.computing.replace(copy) != Some(copy)
        {
            cx.run(Job { copy, call: Arc::clone(call), work });
        }
    }

    /// Writes down what happened, lets the hub decide, and does what it wants.
    pub(super) fn apply(&mut self, events: Vec<Event>, cx: &mut Cx<'_>) {
        self.decide(events, Sent::default(), cx);
    }

    /// As [`apply`](Self::apply); a submission is answered when the last of its tasks has ended. False if too many wait.
    pub(super) fn apply_and_wait(&mut self, event: Event, cx: &mut Cx<'_>) -> bool {
        let has_room = self.has_room();
        if has_room {
            self.decide(vec![event], Sent { waits: true, ..Sent::default() }, cx);
        }
        has_room
    }

    fn decide(&mut self, events: Vec<Event>, mut sent: Sent, cx: &mut Cx<'_>) {
        let at = self.now(cx).max(self.hub.now());
        let draw = |event| Entry { draw: cx.dice.below(u64::MAX), event };
        let entries: Vec<Entry> = events.into_iter().map(draw).collect();
        let outputs: Vec<Output> = entries.iter().flat_map(|entry| self.hub.apply(at, entry)).collect();
        if self.config.parameters.durable {
            self.logged += entries.len() as u64;
            cx.persist(Record::Entries { at, entries });
        }
        for output in outputs {
            self.carry_out(output, &mut sent, cx);
        }
        self.send(sent, cx);
        if self.logged > store::worth_a_checkpoint(&self.hub) {
            self.write_anew(cx);
        }
    }

    fn carry_out(&mut self, output: Output, sent: &mut Sent, cx: &mut Cx<'_>) {
        match output {
            Output::Assign { worker, task, copy, .. } => {
                cx.notify(Notice::Assigned { task, copy, worker });
                sent.assign.entry(node(worker)).or_default().extend(self.assignment(copy));
            }
            Output::Compute { .. } => self.compute(cx),
            Output::Revoke { worker, copy } => sent.revoke.entry(node(worker)).or_default().push(copy),
            Output::Notice { task, stage } => {
                cx.notify(Notice::Task { task, stage });
                if stage.is_final() {
                    self.ended(task, cx);
                }
            }
            Output::Judged { worker, task, judgement } => {
                cx.notify(Notice::Judged { worker, task, judgement })
            }
            Output::Joined { worker } => {
                cx.notify(Notice::Joined { worker });
                let is_barred = self.hub.book().standing(worker).blacklisted;
                let message = match is_barred {
                    true => Message::Refused { worker, is_barred },
                    false => Message::Welcome { worker },
                };
                self.say(node(worker), message, cx);
            }
            Output::Lost { worker } => {
                self.begun.remove(&worker);
                cx.notify(Notice::Lost { worker });
            }
            Output::Blacklisted { worker } => {
                cx.notify(Notice::Blacklisted { worker });
                self.say(node(worker), Message::Refused { worker, is_barred: true }, cx);
            }
            Output::Unwelcome { worker } => {
                self.say(node(worker), Message::Refused { worker, is_barred: false }, cx);
            }
            Output::Unknown { worker } => self.say(node(worker), Message::Unknown { worker }, cx),
            Output::Reply { command, reply } => self.replied(command, reply, sent.waits, cx),
        }
    }

    fn assignment(&self, copy: CopyId) -> Option<Assignment> {
        let work = self.hub.work(copy)?;
        Some(Assignment {
            copy,
            call: Arc::clone(work.call),
            work: work.time,
            data: work.data,
            cores: work.needs.cores,
            ram: work.needs.ram,
        })
    }

    fn replied(&mut self, command: CommandId, reply: hub::Reply, waits: bool, cx: &mut Cx<'_>) {
        let reply = match reply {
            // The answer comes when the last has ended.
            hub::Reply::Submitted { first, count } if waits && count > 0 => {
                self.batches.insert(first, Batch { command, count, open: count });
                return;
            }
            hub::Reply::Submitted { first, count } => Reply::Submitted { first, count },
            hub::Reply::Cancelled => Reply::Cancelled,
            hub::Reply::Refused(refusal @ (hub::Refusal::Tasks(_) | hub::Refusal::Needs)) => {
                Reply::Refused(Refusal::Busy(refusal.to_string()))
            }
            hub::Reply::Refused(refusal) => Reply::Refused(Refusal::Submission(refusal.to_string())),
        };
        self.answer(command, reply, cx);
    }

    /// A task has ended: whoever waits for it is told.
    fn ended(&mut self, task: TaskId, cx: &mut Cx<'_>) {
        while let Some((_, command)) = self.waiting.range((task, CommandId(0))..).next().copied()
            && self.waiting.remove(&(task, command))
        {
            let reply = self.status(task);
            self.answer(command, reply, cx);
        }
        let Some((first, batch)) = self.batches.range_mut(..=task).next_back() else { return };
        let first = *first;
        if task.0 - first.0 >= u64::from(batch.count) {
            return;
        }
        batch.open -= 1;
        let Batch { command, count, open } = *batch;
        if open == 0 {
            self.batches.remove(&first);
            let reply = self.page(first, count, |_| true);
            self.answer(command, reply, cx);
        }
    }

    /// Waits for the end of a task, which has not come yet. Of too many who wait, one is told how its task is: who gave up
    /// long ago does not keep others out. False if that makes no room.
    pub(super) fn wait(&mut self, id: CommandId, task: TaskId, cx: &mut Cx<'_>) -> bool {
        if !self.has_room()
            && let Some((oldest, command)) = self.waiting.pop_first()
        {
            let reply = self.status(oldest);
            self.answer(command, reply, cx);
        }
        let has_room = self.has_room();
        if has_room {
            self.waiting.insert((task, id));
        }
        has_room
    }

    fn has_room(&self) -> bool {
        self.waiting.len() + self.batches.len() < WAITING_MAX
    }

    pub(super) fn answer(&self, id: CommandId, reply: Reply, cx: &mut Cx<'_>) {
        if self.config.parameters.flaw == Flaw::AnswerEarly {
            cx.reply_now(id, reply);
        } else {
            cx.reply(id, reply);
        }
    }

    fn say(&self, to: NodeId, message: Message, cx: &mut Cx<'_>) {
        if self.config.parameters.flaw == Flaw::AnswerEarly {
            cx.send_now(to, message);
        } else {
            cx.send(to, message);
        }
    }

    fn send(&self, sent: Sent, cx: &mut Cx<'_>) {
        for (to, copies) in sent.revoke {
            if !copies.is_empty() {
                self.say(to, Message::Revoke { copies }, cx);
            }
        }
        for (to, mut assignments) in sent.assign {
            while !assignments.is_empty() {
                let rest = assignments.split_off(together(&assignments));
                self.say(to, Message::Assign { assignments }, cx);
                assignments = rest;
            }
        }
    }

    /// Writes all that it knows in place of its log.
    fn write_anew(&mut self, cx: &mut Cx<'_>) {
        self.deaf = None;
        self.logged = 0;
        if self.config.parameters.durable
            && let Some(pieces) = store::pieces(&self.hub)
        {
            cx.checkpoint(pieces);
        }
    }

    pub(super) fn keep(&mut self, id: CommandId, module: bytes::Bytes, cx: &mut Cx<'_>) {
        let blob = Blob::new(module.to_vec());
        self.storing.entry(blob.id()).or_default().push(id);
        cx.store(blob);
    }

    fn module(&mut self, news: BlobInput, cx: &mut Cx<'_>) {
        match news {
            BlobInput::Stored { id: module, .. } => {
                for id in self.storing.remove(&module).unwrap_or_default() {
                    cx.reply(id, Reply::Stored { module });
                }
            }
            BlobInput::Refused { id: module, .. } => {
                for id in self.storing.remove(&module).unwrap_or_default() {
                    cx.reply_now(id, Reply::Refused(Refusal::Full));
                }
            }
            BlobInput::Loaded { blob, .. } => {
                let module = blob.id();
                for to in self.wanted.remove(&module).unwrap_or_default() {
                    cx.send_blob(to, Message::Module { module }, blob.clone());
                }
            }
            BlobInput::Missing { id: module, .. } | BlobInput::Damaged { id: module, .. } => {
                for to in self.wanted.remove(&module).unwrap_or_default() {
                    cx.send_now(to, Message::Module { module });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::call::Call;

    #[test]
    fn what_goes_into_one_message_is_few_and_short() {
        let of = |count: usize, length: usize| {
            let (data, ram) = Default::default();
            let call = Call::stand_in(vec![0; length]);
            let one = Assignment { copy: CopyId(0), call, work: Duration::ZERO, data, cores: 1, ram };
            together(&vec![one; count])
        };
        assert_eq!([of(3, 10), of(1_000, 10)], [3, ASSIGNMENTS_MAX]);
        assert_eq!([of(5, 30_000), of(5, ARGUMENTS_MAX), of(5, ARGUMENTS_MAX + 1)], [2, 1, 1]);
    }
}
