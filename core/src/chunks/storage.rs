//! A storage node: keeps chunks, gives them back, and sends heartbeats.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use super::{
    CHUNKS_MAX, Chunks, Config, GATEWAY, Job, Message, Notice, Part, REQUESTS_MAX, Record, Refusal, Reply,
    Timer,
};
use crate::contract::{Blob, BlobId, BlobInput, Context, Input, InputOf, Time};

/// Any node but node 0.
///
/// A chunk is recorded before it is stored, so its records name everything that its disk may hold.
#[derive(Clone, Debug, Serialize)]
pub struct Storage {
    #[serde(skip)]
    config: Arc<Config>,
    chunks: BTreeMap<BlobId, Chunk>,
    /// Uploads that wait until their chunk is stored and read back.
    storing: BTreeMap<BlobId, Waiting>,
    /// Downloads that wait for the disk.
    loading: BTreeMap<BlobId, Waiting>,
    records: usize,
}

/// A chunk and the uploads that brought it: more than one if files have content in common.
#[derive(Clone, Debug, Serialize)]
struct Chunk {
    length: u64,
    owners: BTreeSet<Part>,
    /// Whether this life has read it back.
    verified: bool,
}

#[derive(Clone, Debug, Serialize)]
struct Waiting {
    since: Time,
    parts: BTreeSet<Part>,
}

type Cx<'a> = Context<'a, Chunks>;

impl Storage {
    pub(super) fn new(config: &Arc<Config>) -> Self {
        Self {
            config: Arc::clone(config),
            chunks: BTreeMap::new(),
            storing: BTreeMap::new(),
            loading: BTreeMap::new(),
            records: 0,
        }
    }

    /// Whether it believes that it has this chunk.
    #[must_use]
    pub fn has(&self, id: BlobId) -> bool {
        self.chunks.contains_key(&id)
    }

    /// All the chunks that it believes it has.
    pub fn chunks(&self) -> impl ExactSizeIterator<Item = BlobId> {
        self.chunks.keys().copied()
    }

    pub(super) fn step(&mut self, input: InputOf<Chunks>, cx: &mut Cx<'_>) {
        match input {
            Input::Start { log } => self.start(log, cx),
            Input::Timer { timer: Timer::Heartbeat } => self.heartbeat(cx),
            Input::Message { from: GATEWAY, message, blob } => self.message(message, blob, cx),
            Input::Message { from, .. } => cx.notify(Notice::Ignored { from }),
            Input::Command { id, .. } => cx.reply_now(id, Reply::Refused(Refusal::NotTheGateway)),
            Input::Blob(news) => self.blob(news, cx),
            Input::Ran { job: Job::Hash { id, .. }, outcome } => self.hashed(id, outcome, cx),
            Input::Full { record: Record::Kept { id, .. } } => self.unrecorded(id, cx),
            Input::Full { .. }
            | Input::Timer { timer: Timer::Monitor | Timer::Deadline(_) }
            | Input::Members(_)
            | Input::Link { .. } => {}
        }
    }

    fn start(&mut self, log: Vec<Record>, cx: &mut Cx<'_>) {
        *self = Self::new(&self.config);
        self.records = log.len();
        for record in log {
            match record {
                Record::Kept { part, id, length } => self.own(part, id, length),
                Record::Dropped { part, id } => {
                    self.disown(part, id);
                }
                Record::Entry { .. } => {}
            }
        }
        let (chunks, wiped) = (self.chunks.len() as u64, self.config.parameters.wipe_on_restart);
        if wiped && self.records > 0 {
            for (id, _) in std::mem::take(&mut self.chunks) {
                cx.drop_blob(id);
            }
            cx.checkpoint(Vec::new());
            self.records = 0;
        }
        cx.notify(Notice::Started { chunks, wiped });
        self.heartbeat(cx);
    }

    /// Also the moment to tidy up: what has waited for longer than any request lasts waits for nothing, and a log
    /// much longer than what it says is written anew.
    fn heartbeat(&mut self, cx: &mut Cx<'_>) {
        cx.send_now(GATEWAY, Message::Heartbeat);
        cx.set(Timer::Heartbeat, self.config.parameters.heartbeat);
        let patience = self.config.parameters.request_timeout * 2;
        self.storing.retain(|_, waiting| cx.now.since(waiting.since) <= patience);
        self.loading.retain(|_, waiting| cx.now.since(waiting.since) <= patience);
        if self.records > 64 && self.records > 2 * self.owners().count() {
            let records: Vec<_> = self.owners().collect();
            self.records = records.len();
            cx.checkpoint(records);
        }
    }

    fn owners(&self) -> impl Iterator<Item = Record> {
        let kept = |(&id, chunk): (&BlobId, &Chunk)| {
            let length = chunk.length;
            chunk.owners.clone().into_iter().map(move |part| Record::Kept { part, id, length })
        };
        self.chunks.iter().flat_map(kept)
    }

    fn message(&mut self, message: Message, blob: Option<Blob>, cx: &mut Cx<'_>) {
        match (message, blob) {
            (Message::Store { part }, Some(blob)) => self.store(part, blob, cx),
            (Message::Fetch { part, id }, _) => self.fetch(part, id, cx),
            (Message::Drop { part, id }, _) => self.drop(part, id, cx),
            _ => cx.notify(Notice::Ignored { from: GATEWAY }),
        }
    }

    /// Records, stores, hashes, confirms, in that order.
    fn store(&mut self, part: Part, blob: Blob, cx: &mut Cx<'_>) {
        let (id, length) = (blob.id(), blob.length());
        let owners = self.chunks.get(&id).map_or(0, |chunk| chunk.owners.len());
        if self.chunks.len() >= CHUNKS_MAX || owners >= CHUNKS_MAX {
            return cx.send_now(GATEWAY, Message::Unstored { part });
        }
        self.own(part, id, length);
        self.record(Record::Kept { part, id, length }, cx);
        if self.chunks.get(&id).is_some_and(|chunk| chunk.verified) {
            return cx.send(GATEWAY, Message::Stored { part, id });
        }
        if wait(&mut self.storing, id, part, cx.now) {
            cx.store(blob);
        }
    }

    fn fetch(&mut self, part: Part, id: BlobId, cx: &mut Cx<'_>) {
        let asked = self.loading.get(&id).map_or(0, |waiting| waiting.parts.len());
        if !self.has(id) || asked >= REQUESTS_MAX {
            return cx.send_now(GATEWAY, Message::Gone { part });
        }
        if wait(&mut self.loading, id, part, cx.now) {
            cx.load(id);
        }
    }

    fn drop(&mut self, part: Part, id: BlobId, cx: &mut Cx<'_>) {
        if !self.disown(part, id) {
            return;
        }
        self.record(Record::Dropped { part, id }, cx);
        if let Some(waiting) = self.storing.get_mut(&id) {
            waiting.parts.remove(&part);
        }
        if !self.has(id) {
            self.storing.remove(&id);
            cx.drop_blob(id);
        }
    }

    fn blob(&mut self, news: BlobInput, cx: &mut Cx<'_>) {
        match news {
            BlobInput::Stored { id, .. } => match self.chunks.get(&id) {
                Some(chunk) if self.storing.contains_key(&id) => {
                    cx.run(Job::Hash { id, length: chunk.length });
                }
                Some(_) => {}
                None => cx.drop_blob(id),
            },
            BlobInput::Loaded { blob, .. } => {
                for part in answered(&mut self.loading, blob.id()) {
                    cx.send_blob(GATEWAY, Message::Fetched { part }, blob.clone());
                }
            }
            BlobInput::Refused { id, .. } => self.lose(id, cx),
            BlobInput::Missing { id, .. } | BlobInput::Damaged { id, .. } => self.lose(id, cx),
        }
    }

    fn hashed(&mut self, id: BlobId, digest: BlobId, cx: &mut Cx<'_>) {
        if digest != id {
            return self.lose(id, cx);
        }
        if let Some(chunk) = self.chunks.get_mut(&id) {
            chunk.verified = true;
        }
        for part in answered(&mut self.storing, id) {
            cx.send(GATEWAY, Message::Stored { part, id });
        }
    }

    /// The disk does not have this chunk, or not as it should be: forgets it, and tells whoever waits for it.
    fn lose(&mut self, id: BlobId, cx: &mut Cx<'_>) {
        let Some(Chunk { owners, .. }) = self.chunks.remove(&id) else { return };
        for part in owners {
            self.record(Record::Dropped { part, id }, cx);
        }
        cx.drop_blob(id);
        self.deny(id, cx);
    }

    /// The disk had no room for the record of a chunk, so the chunk must not stay. One that is confirmed has its
    /// record: then it was a checkpoint that was refused, and the longer log stays.
    fn unrecorded(&mut self, id: BlobId, cx: &mut Cx<'_>) {
        if self.storing.contains_key(&id) {
            self.chunks.remove(&id);
            cx.drop_blob(id);
            self.deny(id, cx);
        }
    }

    fn deny(&mut self, id: BlobId, cx: &mut Cx<'_>) {
        for part in answered(&mut self.storing, id) {
            cx.send_now(GATEWAY, Message::Unstored { part });
        }
        for part in answered(&mut self.loading, id) {
            cx.send_now(GATEWAY, Message::Gone { part });
        }
    }

    fn own(&mut self, part: Part, id: BlobId, length: u64) {
        let chunk = self.chunks.entry(id).or_insert_with(|| Chunk {
            length,
            owners: BTreeSet::new(),
            verified: false,
        });
        chunk.owners.insert(part);
    }

    /// False if the upload had no such chunk. A chunk without owners is gone.
    fn disown(&mut self, part: Part, id: BlobId) -> bool {
        let Some(chunk) = self.chunks.get_mut(&id) else { return false };
        let owned = chunk.owners.remove(&part);
        if chunk.owners.is_empty() {
            self.chunks.remove(&id);
        }
        owned
    }

    fn record(&mut self, record: Record, cx: &mut Cx<'_>) {
        self.records += 1;
        cx.persist(record);
    }
}

/// True if nobody has waited for this chunk so far.
fn wait(waiting: &mut BTreeMap<BlobId, Waiting>, id: BlobId, part: Part, now: Time) -> bool {
    let first = !waiting.contains_key(&id);
    let waiting = waiting.entry(id).or_insert_with(|| Waiting { since: now, parts: BTreeSet::new() });
    waiting.parts.insert(part);
    first
}

/// Who has waited for this chunk.
fn answered(waiting: &mut BTreeMap<BlobId, Waiting>, id: BlobId) -> BTreeSet<Part> {
    waiting.remove(&id).map(|waiting| waiting.parts).unwrap_or_default()
}
