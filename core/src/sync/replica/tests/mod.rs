//! Replicas side by side: messages are delivered by hand, and some on the way are not what was sent.

mod feed;
mod hostile;
mod sessions;
mod telling;
mod tombstones;

use std::collections::{BTreeSet, VecDeque};

use proptest::prelude::*;

use super::handover::BATCH_BYTES;
use super::*;
use crate::contract::{CommandId, Dice, Effect, EffectOf, Json, Keys, Life, Subject, Wire};
use crate::sync::DocumentId;
use crate::sync::reconcile::Method;
use crate::sync::testing::cases;

/// A day of 2026, in nanoseconds since 1970.
const TODAY: u64 = 1_767_225_600_000_000_000;
const A: usize = 0;
const B: usize = 1;
const LIAR: usize = 2;

/// What is to become of a message: nothing, or what arrives in its place.
type Tamper<'a> = &'a mut dyn FnMut(usize, Message) -> Option<Message>;

struct Net {
    nodes: Vec<Replica>,
    logs: Vec<Vec<Record>>,
    timers: Vec<BTreeSet<SessionId>>,
    /// Who has fresh writes to tell of.
    tellers: BTreeSet<usize>,
    queue: VecDeque<(usize, usize, Message)>,
    notices: Vec<(usize, Notice)>,
    replies: Vec<Reply>,
    keys: Keys,
    steps: u64,
    now: u64,
}

impl Net {
    fn new(nodes: u32, parameters: &Parameters) -> Self {
        let config = Arc::new(Replica::config(parameters, nodes).unwrap());
        let boot = |node| Replica::boot(&config, NodeId(node));
        let mut net = Self {
            nodes: (0..nodes).map(boot).collect(),
            logs: vec![Vec::new(); nodes as usize],
            timers: vec![BTreeSet::new(); nodes as usize],
            tellers: BTreeSet::new(),
            queue: VecDeque::new(),
            notices: Vec::new(),
            replies: Vec::new(),
            keys: Keys::from_seed(1),
            steps: 0,
            now: 0,
        };
        (0..nodes as usize).for_each(|node| net.step(node, Input::Start { log: Vec::new() }));
        net
    }

    fn with(&mut self, node: usize, act: impl FnOnce(&mut Replica, &mut Context<'_, Replica>)) {
        let mut effects = VecDeque::new();
        self.steps += 1;
        self.now += 1_000_000;
        let dice = Dice::new(&self.keys, NodeId(node as u32), Life(0), self.steps);
        let (now, wall) = (Time(self.now), Time(TODAY + self.now));
        act(&mut self.nodes[node], &mut Context::new(now, wall, NodeId(node as u32), dice, &mut effects));
        effects.into_iter().for_each(|effect| self.carry_out(node, effect));
    }

    fn step(&mut self, node: usize, input: InputOf<Replica>) {
        self.with(node, |replica, cx| replica.step(input, cx));
    }

    fn carry_out(&mut self, node: usize, effect: EffectOf<Replica>) {
        match effect {
            Effect::Send { to, message, .. } => self.queue.push_back((node, to.0 as usize, message)),
            Effect::Persist { record, .. } => self.logs[node].push(record),
            Effect::Checkpoint { records, .. } => self.logs[node] = records,
            Effect::SetTimer { timer: Timer::Answer(id), .. } => drop(self.timers[node].insert(id)),
            Effect::CancelTimer { timer: Timer::Answer(id) } => drop(self.timers[node].remove(&id)),
            Effect::SetTimer { timer: Timer::Tell, .. } => drop(self.tellers.insert(node)),
            Effect::CancelTimer { timer: Timer::Tell } => drop(self.tellers.remove(&node)),
            Effect::Notify { notice } => self.notices.push((node, notice)),
            Effect::Reply { reply, .. } => self.replies.push(reply),
            _ => {}
        }
    }

    /// Delivers until nothing is under way.
    fn deliver(&mut self, tamper: Tamper<'_>) {
        loop {
            self.tell();
            let Some((from, to, message)) = self.queue.pop_front() else { return };
            if let Some(message) = tamper(from, message) {
                self.step(to, Input::Message { from: NodeId(from as u32), message, blob: None });
            }
        }
    }

    /// The moment in which fresh writes gather is over.
    fn tell(&mut self) {
        while let Some(node) = self.tellers.pop_first() {
            self.step(node, Input::Timer { timer: Timer::Tell });
        }
    }

    fn sync_through(&mut self, from: usize, to: usize, tamper: Tamper<'_>) {
        self.with(from, |replica, cx| replica.open(NodeId(to as u32), name(), cx));
        self.deliver(tamper);
    }

    fn sync(&mut self, from: usize, to: usize) {
        self.sync_through(from, to, &mut |_, message| Some(message));
    }

    fn ask(&mut self, node: usize, command: Command) -> Reply {
        self.step(node, Input::Command { id: CommandId(self.steps), command });
        self.replies.pop().unwrap()
    }

    fn put(&mut self, node: usize, id: u64, text: &str) {
        let document = Json::parse(text).unwrap();
        let id = DocumentId::numbered(id);
        let put = Command::PutDocument { collection: name(), id, document, expected: None };
        assert!(matches!(self.ask(node, put), Reply::Written { .. }));
    }

    fn delete(&mut self, node: usize, id: u64) {
        let id = DocumentId::numbered(id);
        let delete = Command::DeleteDocument { collection: name(), id, expected: None };
        assert!(matches!(self.ask(node, delete), Reply::Deleted { .. }));
    }

    fn holds(&self, node: usize, id: u64) -> bool {
        let state = self.nodes[node].store().state("documents", DocumentId::numbered(id));
        state.is_some_and(crate::sync::DocumentState::is_alive)
    }

    fn round(&mut self, node: usize) {
        self.step(node, Input::Timer { timer: Timer::Round });
        self.deliver(&mut |_, message| Some(message));
    }

    fn restart(&mut self, node: usize) {
        let log = std::mem::take(&mut self.logs[node]);
        self.logs[node].clone_from(&log);
        self.nodes[node] = Replica::boot(&self.nodes[node].config.clone(), NodeId(node as u32));
        self.timers[node].clear();
        self.step(node, Input::Start { log });
    }
}

fn name() -> Name {
    "documents".parse().unwrap()
}

fn parameters(method: Method) -> Parameters {
    Parameters { method, push: 0, ..Parameters::default() }
}

/// All tombstones are gone everywhere.
fn is_clean(net: &Net) -> bool {
    net.nodes.iter().all(|node| node.store().count("documents").1 == 0)
}
