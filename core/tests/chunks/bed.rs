//! A world without delay: messages arrive at once, disks never wait, and time passes only between timers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use seedbed_core::chunks::{
    Chunks, Command, Config, Gateway, Notice, Parameters, Record, Reply, Storage, Timer,
};
use seedbed_core::contract::{
    Blob, BlobId, BlobInput, CommandId, Context, Dice, Duration, Effect, Input, InputOf, Keys, Life, NodeId,
    Protocol, Store, Subject, Tag, Time,
};

/// Gateway, storage nodes, and their disks.
pub(crate) struct Bed {
    config: Arc<Config>,
    keys: Keys,
    origin: Time,
    now: Time,
    nodes: Vec<Option<Chunks>>,
    disks: Vec<Disk>,
    timers: Vec<Vec<(Time, Timer)>>,
    queue: VecDeque<(usize, InputOf<Chunks>)>,
    steps: u64,
    pub(crate) notices: Vec<(Time, NodeId, Notice)>,
    pub(crate) replies: BTreeMap<CommandId, Reply>,
    commands: u64,
}

/// What survives a crash.
pub(crate) struct Disk {
    pub(crate) log: Vec<Record>,
    pub(crate) blobs: BTreeMap<BlobId, Blob>,
    pub(crate) room: u64,
    pub(crate) damaged: BTreeSet<BlobId>,
}

impl Store for Disk {
    fn blob(&self, id: BlobId) -> Option<Blob> {
        self.blobs.get(&id).cloned()
    }
}

impl Bed {
    pub(crate) fn new(nodes: u32, parameters: Parameters) -> Self {
        let config = Arc::new(Chunks::config(&parameters, nodes).unwrap());
        let disk = || Disk { log: vec![], blobs: BTreeMap::new(), room: u64::MAX, damaged: BTreeSet::new() };
        let mut bed = Self {
            config,
            keys: Keys::from_seed(1),
            origin: Time::ZERO,
            now: Time::ZERO,
            nodes: (0..nodes).map(|_| None).collect(),
            disks: (0..nodes).map(|_| disk()).collect(),
            timers: vec![Vec::new(); nodes as usize],
            queue: VecDeque::new(),
            steps: 0,
            notices: Vec::new(),
            replies: BTreeMap::new(),
            commands: 0,
        };
        (0..nodes as usize).for_each(|node| bed.restart(node));
        bed
    }

    /// The same with another origin of the nodes' clocks in lives to come.
    pub(crate) fn with_origin(mut self, origin: Time) -> Self {
        self.origin = origin;
        (0..self.nodes.len()).for_each(|node| self.restart(node));
        self
    }

    pub(crate) fn now(&self) -> Time {
        self.now
    }

    pub(crate) fn state(&self, node: usize) -> &Chunks {
        self.nodes[node].as_ref().expect("is up")
    }

    pub(crate) fn gateway(&self) -> &Gateway {
        self.nodes[0].as_ref().and_then(Chunks::gateway).expect("is up")
    }

    pub(crate) fn storage(&self, node: usize) -> &Storage {
        self.nodes[node].as_ref().and_then(Chunks::storage).expect("is up")
    }

    pub(crate) fn disk(&self, node: usize) -> &Disk {
        &self.disks[node]
    }

    pub(crate) fn disk_mut(&mut self, node: usize) -> &mut Disk {
        &mut self.disks[node]
    }

    pub(crate) fn crash(&mut self, node: usize) {
        self.nodes[node] = None;
        self.timers[node].clear();
    }

    pub(crate) fn restart(&mut self, node: usize) {
        self.crash(node);
        self.nodes[node] = Some(Chunks::boot(&self.config, NodeId(node as u32)));
        let log = self.disks[node].log.clone();
        self.queue.push_back((node, Input::Start { log }));
        self.settle();
    }

    /// Asks the gateway and waits for the answer, for a minute at most.
    pub(crate) fn ask(&mut self, command: Command) -> Option<Reply> {
        self.ask_node(0, command)
    }

    pub(crate) fn ask_node(&mut self, node: usize, command: Command) -> Option<Reply> {
        let id = self.command(node, command);
        let patience = self.now + Duration::from_secs(60);
        while !self.replies.contains_key(&id) && self.tick(patience) {}
        self.replies.get(&id).cloned()
    }

    pub(crate) fn command(&mut self, node: usize, command: Command) -> CommandId {
        self.commands += 1;
        let id = CommandId(self.commands);
        self.queue.push_back((node, Input::Command { id, command }));
        self.settle();
        id
    }

    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.tick(end) {}
        self.now = end;
    }

    /// Lets the next timer run out, if it does so before `end`.
    fn tick(&mut self, end: Time) -> bool {
        let due = self
            .timers
            .iter()
            .enumerate()
            .flat_map(|(node, set)| set.iter().enumerate().map(move |(slot, &(at, _))| (at, node, slot)));
        let Some((at, node, slot)) = due.min().filter(|&(at, _, _)| at <= end) else { return false };
        self.now = at;
        let (_, timer) = self.timers[node].remove(slot);
        self.queue.push_back((node, Input::Timer { timer }));
        self.settle();
        true
    }

    fn settle(&mut self) {
        while let Some((node, input)) = self.queue.pop_front() {
            self.step(node, input);
        }
    }

    fn step(&mut self, node: usize, input: InputOf<Chunks>) {
        let me = NodeId(node as u32);
        let Some(state) = &mut self.nodes[node] else { return };
        self.steps += 1;
        let mut effects = VecDeque::new();
        let dice = Dice::new(&self.keys, me, Life(0), self.steps);
        let local = self.origin + self.now.since(Time::ZERO);
        state.step(input, &mut Context::new(local, self.now, me, dice, &mut effects));
        for effect in effects {
            self.effect(node, me, effect);
        }
    }

    fn effect(&mut self, node: usize, me: NodeId, effect: seedbed_core::contract::EffectOf<Chunks>) {
        let disk = &mut self.disks[node];
        let tag = Tag(0);
        match effect {
            Effect::Send { to, message, blob, .. } => {
                self.queue.push_back((to.0 as usize, Input::Message { from: me, message, blob }));
            }
            Effect::SetTimer { timer, after } => {
                self.timers[node].retain(|&(_, set)| set != timer);
                self.timers[node].push((self.now + after, timer));
            }
            Effect::CancelTimer { timer } => self.timers[node].retain(|&(_, set)| set != timer),
            Effect::Persist { record, .. } => disk.log.push(record),
            Effect::Checkpoint { records, .. } => disk.log = records,
            Effect::Reply { id, reply, .. } => {
                self.replies.insert(id, reply);
            }
            Effect::Notify { notice } => self.notices.push((self.now, me, notice)),
            Effect::StoreBlob { blob, .. } => {
                let id = blob.id();
                let fits = blob.length() <= disk.room;
                if fits {
                    disk.blobs.insert(id, blob);
                }
                let news = if fits { BlobInput::Stored { tag, id } } else { BlobInput::Refused { tag, id } };
                self.queue.push_back((node, Input::Blob(news)));
            }
            Effect::LoadBlob { id, .. } => {
                let news = match disk.blobs.get(&id) {
                    _ if disk.damaged.contains(&id) => BlobInput::Damaged { tag, id },
                    Some(blob) => BlobInput::Loaded { tag, blob: blob.clone() },
                    None => BlobInput::Missing { tag, id },
                };
                self.queue.push_back((node, Input::Blob(news)));
            }
            Effect::DropBlob { id } => {
                disk.blobs.remove(&id);
            }
            Effect::Run { job } => {
                if let Some(outcome) = Chunks::perform(&self.config, &job, disk) {
                    self.queue.push_back((node, Input::Ran { job, outcome }));
                }
            }
        }
    }
}
