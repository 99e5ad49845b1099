//! A replica: collections on one node, written by its clients, synced with the other members by merging.
//!
//! Every replica takes every command and answers from what it has. A write is logged, told to a few members soon
//! (`telling`), and found by anti-entropy wherever that failed (`sessions`). A reply leaves when all that
//! it rests on is on disk, reads included: so what a client has read once, it does not lose by a crash.
//!
//! Deletions leave tombstones. They go when every member has them (`tombstones`), and a replica remembers up to where it
//! knows all writes of every writer: a document that is not here and was written before that was collected, and does not
//! come back by a message that was long on its way.
//!
//! A disk that is full makes a replica deaf: what it has in memory and not on disk must not be seen. It writes all of it anew
//! when there is room.

mod commands;
mod exchange;
mod forge;
mod furnish;
mod handover;
mod messages;
mod packed;
mod parameters;
mod probe;
mod sessions;
mod subject;
mod telling;
#[cfg(test)]
mod tests;
mod tombstones;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde::Serialize;

use self::exchange::Exchange;
use self::handover::Batch;
use self::sessions::Opened;
use self::telling::Fresh;
use super::reconcile::{CollectionKey, Entry, EntrySet, Options};
use super::store::{self, Change, Store};
use super::{Limits, Name, Refusal, Stamp};
use crate::contract::{Context, Duration, Input, InputOf, Members, Never, NodeId, Protocol, Time};

pub use messages::{BadVersion, Command, Found, Message, Notice, Record, Reply, SessionId, Timer, Version};
pub use parameters::{Ask, Config, Flaw, Load, Parameters, Peers, Tombstones};
pub use probe::ReplicaProbe;

/// How long a replica whose disk is full waits before it tries again.
const FULL_PAUSE: Duration = Duration::from_secs(1);
/// Every so many rounds nothing is taken on trust.
const PROVED_EVERY: u64 = 8;
/// Fewer records than this are not worth a checkpoint.
const CHECKPOINT_MIN: u64 = 10_000;

/// A replica.
#[derive(Clone, Debug, Serialize)]
pub struct Replica {
    #[serde(skip)]
    config: Arc<Config>,
    me: NodeId,
    /// All other members, in ascending order.
    others: Vec<NodeId>,
    store: Store,
    /// What reconciliation compares, by collection: made from the store.
    #[serde(skip)]
    indexes: BTreeMap<Name, Index>,
    exchanges: BTreeMap<SessionId, Exchange>,
    /// Up to which change of this replica a member has everything.
    acknowledged: BTreeMap<(Name, NodeId), u64>,
    /// With whom a session last found no difference by version vectors, although there is one.
    doubted: BTreeSet<(Name, NodeId)>,
    /// Collections of which it is known anew what every member has.
    due: BTreeSet<Name>,
    /// Rounds of anti-entropy so far.
    rounds: u64,
    /// Collections of the last round that wait for a session, and with whom.
    waiting: VecDeque<(NodeId, Name)>,
    /// Documents of which some members are to be told, and from whom they came.
    fresh: BTreeSet<Fresh>,
    /// A fingerprint of all that is known of collections.
    catalogue: u64,
    /// Changes of the database, as Distri counts them.
    db_version: u64,
    holds_off_until: Time,
    /// Records written since the last checkpoint.
    logged: u64,
    /// The disk has refused something: nothing is answered or told until all is written anew.
    is_full: bool,
}

/// The index of one life of a collection.
#[derive(Clone, Debug)]
struct Index {
    epoch: Stamp,
    key: CollectionKey,
    set: EntrySet,
    /// Up to when each writer's writes are known to be here, or to have been here, on the word of the writer itself.
    heard: BTreeMap<NodeId, u64>,
}

impl Index {
    fn hear(&mut self, node: NodeId, time: u64) {
        let heard = self.heard.entry(node).or_default();
        *heard = time.max(*heard);
    }

    /// What a later life has to know.
    fn knowledge(&self, collection: Name) -> Record {
        let heard = self.heard.iter().map(|(&node, &time)| (node, time)).collect();
        Record::Knows { collection, epoch: self.epoch, through: through(&self.set), heard }
    }
}

impl Protocol for Replica {
    const VERSION: u16 = 2;
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Command = Command;
    type Reply = Reply;
    type Record = Record;
    type Notice = Notice;
    type Job = Never;
    type Outcome = Never;

    fn boot(config: &Arc<Config>, me: NodeId) -> Self {
        let ahead = config.parameters.ahead.as_millis();
        let store = Store::new(me, Limits { clock_ahead_ms: ahead, ..Limits::default() });
        let has_own_clock = config.parameters.flaw == Flaw::OwnClock;
        Self {
            config: Arc::clone(config),
            me,
            others: (0..config.nodes).map(NodeId).filter(|&other| other != me).collect(),
            store: if has_own_clock { store.with_own_clock() } else { store },
            indexes: BTreeMap::new(),
            exchanges: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            doubted: BTreeSet::new(),
            due: BTreeSet::new(),
            rounds: 0,
            waiting: VecDeque::new(),
            fresh: BTreeSet::new(),
            catalogue: 0,
            db_version: 0,
            holds_off_until: Time(0),
            logged: 0,
            is_full: false,
        }
    }

    fn step(&mut self, input: InputOf<Self>, cx: &mut Context<'_, Self>) {
        match input {
            Input::Start { log } => self.start(log, cx),
            Input::Timer { timer: Timer::Save } => self.save(cx),
            Input::Full { .. } => {
                self.is_full = true;
                self.exchanges.clear();
                self.waiting.clear();
                self.fresh.clear();
                cx.set(Timer::Save, FULL_PAUSE);
            }
            Input::Members(members) => self.admit(&members, cx),
            Input::Command { id, .. } if self.is_full => cx.reply_now(id, Reply::Refused(Refusal::NoRoom)),
            Input::Command { id, command } => self.command(id, command, cx),
            // What is not on disk must not be told of, nor compared.
            Input::Timer { timer: Timer::Round } if self.is_full => self.rest(cx),
            Input::Timer { timer: Timer::Round } => self.round(cx),
            Input::Timer { timer: Timer::Answer(session) } => self.ask_again(session, cx),
            Input::Timer { timer: Timer::Tell } => self.tell_fresh(cx),
            Input::Link { peer, up } if !self.is_full => self.connected(peer, up, cx),
            Input::Message { from, message, .. } if !self.is_full => self.receive(from, message, cx),
            _ => {}
        }
    }

    fn role(&self) -> &'static str {
        "replica"
    }
}

impl Replica {
    /// The documents.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The other members, in ascending order.
    #[must_use]
    pub fn others(&self) -> &[NodeId] {
        &self.others
    }

    /// The index of a collection, for comparisons.
    #[must_use]
    pub fn entries(&self, collection: &Name) -> Option<&EntrySet> {
        self.indexes.get(collection).map(|index| &index.set)
    }

    fn start(&mut self, log: Vec<Record>, cx: &mut Context<'_, Self>) {
        let mut known = BTreeMap::new();
        self.logged = log.len() as u64;
        for record in log {
            match record {
                Record::Store(record) => self.store.restore(&record),
                Record::Replaced { collection, documents } => self.replace(&collection, documents),
                Record::Version(version) => self.db_version = version,
                Record::Knows { collection, epoch, through, heard } => {
                    known.insert(collection, (epoch, through, heard));
                }
            }
        }
        self.index_all();
        for (collection, (epoch, through, heard)) in known {
            let Some(index) = self.indexes.get_mut(&collection).filter(|index| index.epoch == epoch) else {
                continue;
            };
            through.into_iter().for_each(|(node, time)| index.set.learn(node, time));
            heard.into_iter().for_each(|(node, time)| index.hear(node, time));
            self.claim(&collection, self.store.clock().time);
        }
        if self.store.incarnation() == 0 {
            let incarnation = 1 + cx.dice.below(u64::from(u32::MAX)) as u32;
            let record = self.store.begin(incarnation);
            self.persist(record, cx);
        }
        self.furnish(cx);
        let every = self.config.parameters.every;
        cx.set_within(Timer::Round, Duration::ZERO..every);
    }

    /// Whoever is agreed to belong, votes or not.
    fn admit(&mut self, members: &Members, cx: &mut Context<'_, Self>) {
        let all = members.voters.iter().chain(members.others.iter()).copied();
        self.others = all.filter(|&member| member != self.me).collect();
        self.others.sort_unstable();
        self.others.dedup();
        self.acknowledged.retain(|(_, member), _| self.others.contains(member));
        self.doubted.retain(|(_, member)| self.others.contains(member));
        self.waiting.retain(|(member, _)| self.others.contains(member));
        self.drop_exchanges(|_, exchange, others| !others.contains(&exchange.peer), cx);
        self.open_next(cx);
    }

    fn receive(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Self>) {
        if !self.others.contains(&from) {
            return;
        }
        match message {
            Message::Push { changes } => self.hear(from, changes, cx),
            Message::Open { session, collection, epoch, catalogue, knows, body } => {
                self.greet(from, catalogue, cx);
                self.accept(from, Opened { id: session, collection, epoch, knows, body: &body }, cx);
            }
            Message::Step { session, knows, body } => self.advance(from, session, knows, &body, cx),
            Message::Documents { session, number, documents, last } => {
                self.take(from, Batch { id: session, number, documents, last }, cx);
            }
            Message::Taken { session, number, whole } => self.gave(from, (session, number), whole, cx),
            Message::Closed { session, catalogue } => self.close(from, session, catalogue, cx),
        }
    }

    /// Takes in one change of another replica. Whether anything is new.
    fn apply(&mut self, change: &Change, cx: &mut Context<'_, Self>) -> Result<bool, Refusal> {
        if let Change::Document { collection, id, state, .. } = change {
            let mine = self.store.state(collection.as_str(), *id);
            if mine.is_none() && self.was_collected(collection, state) {
                return Ok(false);
            }
            let is_tie = mine.is_some_and(|mine| mine.version() == state.version());
            if is_tie && self.config.parameters.flaw == Flaw::EqualVersions {
                return Ok(false);
            }
        }
        let Some(record) = self.store.apply(change, cx.wall)? else { return Ok(false) };
        self.index(&record);
        self.persist(record, cx);
        Ok(true)
    }

    fn persist(&mut self, record: store::Record, cx: &mut Context<'_, Self>) {
        self.write(Record::Store(record), cx);
    }

    fn write(&mut self, record: Record, cx: &mut Context<'_, Self>) {
        cx.persist(record);
        self.logged += 1;
    }

    /// What a later life has to know, behind the documents: where this is on disk, they are.
    fn keep_knowledge(&mut self, collection: &Name, cx: &mut Context<'_, Self>) {
        if let Some(record) = self.indexes.get(collection).map(|index| index.knowledge(collection.clone())) {
            self.write(record, cx);
        }
    }

    /// Writes all of it anew, once the log is several times as long.
    fn compact(&mut self, cx: &mut Context<'_, Self>) {
        let live: usize = self.indexes.values().map(|index| index.set.len()).sum();
        if self.logged > CHECKPOINT_MIN.max(4 * live as u64) {
            self.checkpoint(cx);
        }
    }

    fn checkpoint(&mut self, cx: &mut Context<'_, Self>) {
        let mut records: Vec<Record> = self.store.snapshot().map(Record::Store).collect();
        records.push(Record::Version(self.db_version));
        records.extend(self.indexes.iter().map(|(name, index)| index.knowledge(name.clone())));
        self.logged = records.len() as u64;
        cx.checkpoint(records);
    }

    fn save(&mut self, cx: &mut Context<'_, Self>) {
        self.is_full = false;
        self.checkpoint(cx);
    }

    /// Keeps the index true after a change of the store. Of collections, the catalogue is to be made anew, once for all changes.
    fn index(&mut self, record: &store::Record) {
        match record {
            store::Record::Changed { change: Change::Document { collection, id, state, .. }, .. } => {
                let Some(Index { key, set, .. }) = self.indexes.get_mut(collection) else { return };
                let hash = key.hash(*id, state.as_bytes());
                let origins: Vec<Stamp> = state.seen().iter().collect();
                set.insert(&Entry { id: *id, version: state.version(), hash }, &origins);
            }
            store::Record::Changed { change: Change::Collection { name, state }, .. } => {
                if self.indexes.get(name).is_none_or(|index| index.epoch != state.epoch) {
                    self.indexes.insert(name.clone(), self.fresh_index(name, state.epoch));
                    self.acknowledged.retain(|(collection, _), _| collection != name);
                }
            }
            store::Record::Collected { collection, ids, .. } => {
                let Some(Index { set, .. }) = self.indexes.get_mut(collection) else { return };
                for id in ids {
                    let gone = set.origins(*id);
                    set.remove(*id);
                    gone.iter().for_each(|stamp| set.truncate(stamp.node, stamp.time));
                }
            }
            store::Record::Horizon { .. } | store::Record::Deleted { .. } | store::Record::Began { .. } => {}
        }
    }

    fn index_all(&mut self) {
        self.indexes.clear();
        self.catalogue = self.fingerprint();
        let states: Vec<(Name, Stamp)> =
            self.store.collection_states().map(|(name, state)| (name.clone(), state.epoch)).collect();
        for (name, epoch) in states {
            let mut index = self.fresh_index(&name, epoch);
            for (id, state) in self.store.entries(name.as_str()) {
                let seen = state.seen();
                let origins: Vec<Stamp> = seen.iter().collect();
                let hash = index.key.hash(id, state.as_bytes());
                index.set.insert(&Entry { id, version: seen.latest(), hash }, &origins);
            }
            self.indexes.insert(name, index);
        }
    }

    fn fresh_index(&self, name: &Name, epoch: Stamp) -> Index {
        let parameters = &self.config.parameters;
        let secret =
            blake3::derive_key("seedbed documents: key of a collection", parameters.secret.as_bytes());
        let key = CollectionKey(*blake3::keyed_hash(&secret, name.as_str().as_bytes()).as_bytes());
        let set = EntrySet::new(parameters.order);
        let set = if parameters.flaw == Flaw::XorFingerprints { set.with_exclusive_or() } else { set };
        Index { epoch, key, set, heard: BTreeMap::new() }
    }

    fn options(&self, collection: &Name, peer: NodeId) -> Options {
        let is_doubted = self.doubted.contains(&(collection.clone(), peer));
        // Tombstones go by what is proved, and version vectors prove nothing.
        let is_proved =
            self.rounds.is_multiple_of(PROVED_EVERY) && self.store.count(collection.as_str()).1 > 0;
        let break_ties = self.config.parameters.break_ties;
        Options { db_version: self.db_version, break_ties, trust_delta: !is_doubted && !is_proved }
    }

    /// This replica has every write of its own up to a time: once each member has told it what it had. One that lost its
    /// disk does not know what it wrote before.
    fn claim(&mut self, collection: &Name, time: u64) {
        let Some(index) = self.indexes.get(collection) else { return };
        if self.others.iter().all(|other| index.heard.contains_key(other)) {
            self.learn(collection, self.me, time);
        }
    }

    /// This replica has every write of a node up to a time.
    fn learn(&mut self, collection: &Name, node: NodeId, time: u64) {
        if let Some(index) = self.indexes.get_mut(collection) {
            index.set.learn(node, time);
            index.hear(node, time);
        }
    }
}

/// Up to when a set holds every write of each writer.
fn through(set: &EntrySet) -> Vec<(NodeId, u64)> {
    set.through().collect()
}
