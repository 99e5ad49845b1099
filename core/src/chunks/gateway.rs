//! The gateway: cuts files, places chunks, remembers where they are, and watches who is silent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use super::{
    Catalogue, Chunks, Command, Config, Entry, FILES_MAX, File, GATEWAY, Message, NAME_MAX, Notice, Output,
    PAGE_MAX, Part, Placed, REQUESTS_MAX, Record, Refusal, Reply, Timer, blobs, digest,
};
use crate::contract::{Blob, BlobId, CommandId, Context, Input, InputOf, Machine, NodeId, Time};

/// Node 0. Its catalogue survives a restart; uploads and downloads on their way do not.
#[derive(Clone, Debug, Serialize)]
pub struct Gateway {
    #[serde(skip)]
    config: Arc<Config>,
    catalogue: Catalogue,
    /// When each node that is online was last heard, by the clock of this life.
    heard: BTreeMap<NodeId, Time>,
    requests: BTreeMap<u64, Request>,
    next_request: u64,
    records: usize,
}

/// An upload or download on its way.
#[derive(Clone, Debug, Serialize)]
struct Request {
    command: CommandId,
    name: String,
    file: File,
    work: Work,
}

#[derive(Clone, Debug, Serialize)]
enum Work {
    /// Which chunks are confirmed.
    Upload(BTreeSet<u32>),
    /// Which chunks came back.
    Download(BTreeMap<u32, Blob>),
}

type Cx<'a> = Context<'a, Chunks>;

impl Gateway {
    pub(super) fn new(config: &Arc<Config>) -> Self {
        Self {
            config: Arc::clone(config),
            catalogue: Catalogue::default(),
            heard: BTreeMap::new(),
            requests: BTreeMap::new(),
            next_request: 0,
            records: 0,
        }
    }

    /// What it knows of files and nodes.
    #[must_use]
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The uploads on their way that want this chunk on this node.
    pub(super) fn awaits(&self, node: NodeId, id: BlobId) -> bool {
        let wants = |request: &Request| {
            matches!(request.work, Work::Upload(_))
                && request.file.chunks.iter().any(|placed| placed.node == node && placed.id == id)
        };
        self.requests.values().any(wants)
    }

    pub(super) fn step(&mut self, input: InputOf<Chunks>, cx: &mut Cx<'_>) {
        match input {
            Input::Start { log } => self.start(log, cx),
            Input::Timer { timer: Timer::Monitor } => self.monitor(cx),
            Input::Timer { timer: Timer::Deadline(request) } => self.fail(request, Refusal::TimedOut, cx),
            Input::Message { from, message, blob } => self.message(from, message, blob, cx),
            Input::Command { id, command } => self.command(id, command, cx),
            Input::Full { record } => self.unlogged(record, cx),
            Input::Timer { timer: Timer::Heartbeat }
            | Input::Members(_)
            | Input::Link { .. }
            | Input::Blob(_)
            | Input::Ran { .. } => {}
        }
    }

    /// Nodes that were online get the benefit of the doubt: they count as heard just now.
    fn start(&mut self, log: Vec<Record>, cx: &mut Cx<'_>) {
        *self = Self::new(&self.config);
        self.records = log.len();
        for record in log {
            if let Record::Entry { at, entry } = record {
                self.catalogue.apply(at, &entry);
            }
        }
        let online = self.catalogue.nodes().filter(|&(_, online)| online);
        self.heard = online.map(|(node, _)| (node, cx.now)).collect();
        self.next_request = cx.dice.below(1 << 62);
        cx.set(Timer::Monitor, self.config.parameters.monitor);
    }

    /// Writes an entry down, applies it, and acts on its outputs only.
    fn log(&mut self, entry: Entry, cx: &mut Cx<'_>) {
        let at = cx.wall;
        let outputs = self.catalogue.apply(at, &entry);
        cx.persist(Record::Entry { at, entry });
        self.records += 1;
        for output in outputs {
            match output {
                Output::Online(node) => cx.notify(Notice::Online { node }),
                Output::Offline(node) => {
                    let silence =
                        self.heard.remove(&node).map(|heard| cx.now.since(heard)).unwrap_or_default();
                    cx.notify(Notice::Offline { node, silence });
                }
                Output::Confirm(command, chunks) => cx.reply(command, Reply::Uploaded { chunks }),
                Output::Clash(command) => cx.reply(command, Reply::Refused(Refusal::NameTaken)),
            }
        }
    }

    /// The disk had no room for an entry: what it said is not so. A node is heard again soon; a file is not stored.
    /// (A refused checkpoint shows up as its first record, which is a node's: the longer log stays.)
    fn unlogged(&mut self, record: Record, cx: &mut Cx<'_>) {
        if let Record::Entry { entry: Entry::Filed { name, by, .. }, .. } = record
            && self.catalogue.file(&name).is_some_and(|filed| filed.by == by)
        {
            self.catalogue.forget(&name);
            cx.reply_now(by, Reply::Refused(Refusal::NoRoom));
        }
    }

    fn monitor(&mut self, cx: &mut Cx<'_>) {
        let limit = self.config.parameters.offline_after;
        let silent = self.heard.iter().filter(|(_, heard)| cx.now.since(**heard) > limit);
        for node in silent.map(|(&node, _)| node).collect::<Vec<_>>() {
            self.log(Entry::Left { node }, cx);
        }
        if self.records > 2 * self.catalogue.record_count() + 64 {
            let records = self.catalogue.records();
            self.records = records.len();
            cx.checkpoint(records);
        }
        cx.set(Timer::Monitor, self.config.parameters.monitor);
    }

    fn message(&mut self, from: NodeId, message: Message, blob: Option<Blob>, cx: &mut Cx<'_>) {
        if from == GATEWAY || from.0 >= self.config.nodes {
            return cx.notify(Notice::Ignored { from });
        }
        match (message, blob) {
            (Message::Heartbeat, _) => {
                self.heard.insert(from, cx.now);
                if !self.catalogue.is_online(from) {
                    self.log(Entry::Joined { node: from }, cx);
                }
            }
            (Message::Stored { part, id }, _) => self.stored(from, part, id, cx),
            (Message::Fetched { part }, Some(blob)) => self.fetched(from, part, blob, cx),
            (Message::Unstored { part }, _) if self.asked(from, part).is_some() => {
                self.fail(part.request, Refusal::NoRoom, cx);
            }
            (Message::Gone { part }, _) if self.asked(from, part).is_some() => {
                self.fail(part.request, Refusal::Gone, cx);
            }
            _ => cx.notify(Notice::Ignored { from }),
        }
    }

    /// The request that an answer belongs to, if it comes from the node that was asked.
    fn asked(&mut self, from: NodeId, part: Part) -> Option<(&mut Request, Placed)> {
        let request = self.requests.get_mut(&part.request)?;
        let placed = *request.file.chunks.get(part.index as usize)?;
        (placed.node == from).then_some((request, placed))
    }

    fn stored(&mut self, from: NodeId, part: Part, id: BlobId, cx: &mut Cx<'_>) {
        match self.asked(from, part) {
            Some((Request { work: Work::Upload(stored), file, .. }, placed)) if placed.id == id => {
                stored.insert(part.index);
                if stored.len() < file.chunks.len() {
                    return;
                }
            }
            _ => return cx.notify(Notice::Ignored { from }),
        }
        if let Some(Request { command, name, file, .. }) = self.finish(part.request, cx) {
            self.log(Entry::Filed { name, file, by: command }, cx);
        }
    }

    fn fetched(&mut self, from: NodeId, part: Part, blob: Blob, cx: &mut Cx<'_>) {
        match self.asked(from, part) {
            Some((Request { work: Work::Download(blobs), file, .. }, placed)) => {
                if (placed.id, placed.length) != (blob.id(), blob.length()) {
                    return self.fail(part.request, Refusal::Damaged, cx);
                }
                blobs.insert(part.index, blob);
                if blobs.len() < file.chunks.len() {
                    return;
                }
            }
            _ => return cx.notify(Notice::Ignored { from }),
        }
        let Some(Request { command, file, work: Work::Download(blobs), .. }) = self.finish(part.request, cx)
        else {
            return;
        };
        let digest = digest(blobs.values());
        let reply = match digest == file.digest {
            true => Reply::Downloaded { length: file.length, digest },
            false => Reply::Refused(Refusal::Damaged),
        };
        cx.reply(command, reply);
    }

    /// Takes a request off the list.
    fn finish(&mut self, request: u64, cx: &mut Cx<'_>) -> Option<Request> {
        cx.cancel(Timer::Deadline(request));
        self.requests.remove(&request)
    }

    /// All or nothing: one chunk that fails makes the file fail. What the others have stored stays behind unless
    /// `leave_orphans` is off.
    fn fail(&mut self, request: u64, refusal: Refusal, cx: &mut Cx<'_>) {
        let Some(Request { command, file, work, .. }) = self.finish(request, cx) else { return };
        if matches!(work, Work::Upload(_)) && !self.config.parameters.leave_orphans {
            for (index, placed) in (0..).zip(&file.chunks) {
                cx.send_now(placed.node, Message::Drop { part: Part { request, index }, id: placed.id });
            }
        }
        cx.reply(command, Reply::Refused(refusal));
    }

    /// Answers rest on entries that may not be on disk yet, so all of them wait for it.
    fn command(&mut self, id: CommandId, command: Command, cx: &mut Cx<'_>) {
        let done = match command {
            Command::Upload { name, seed, length } => self.upload(id, name, seed, length, cx),
            Command::Download { name } => self.download(id, name, cx),
            Command::List { after } => {
                let mut names = self.catalogue.names_after(&after);
                let page: Vec<_> = names.by_ref().take(PAGE_MAX).cloned().collect();
                let more = names.next().is_some();
                cx.reply(id, Reply::Files { names: page, more });
                Ok(())
            }
            Command::Stat { name } => self.catalogue.file(&name).ok_or(Refusal::NotFound).map(|filed| {
                cx.reply(id, Reply::About { file: filed.file.clone(), at: filed.at });
            }),
            Command::Nodes => {
                cx.reply(id, Reply::Nodes(self.catalogue.nodes().take(PAGE_MAX).collect()));
                Ok(())
            }
        };
        if let Err(refusal) = done {
            cx.reply(id, Reply::Refused(refusal));
        }
    }

    fn upload(
        &mut self,
        id: CommandId,
        name: String,
        seed: u64,
        length: u64,
        cx: &mut Cx<'_>,
    ) -> Result<(), Refusal> {
        let parameters = &self.config.parameters;
        let mut on_their_way = self.requests.values();
        let taken =
            on_their_way.any(|request| matches!(request.work, Work::Upload(_)) && request.name == name);
        match length {
            _ if name.is_empty() || name.len() > NAME_MAX => return Err(Refusal::BadName),
            0 => return Err(Refusal::EmptyFile),
            _ if length > parameters.file_max.0 => return Err(Refusal::TooLong),
            _ if taken || self.catalogue.file(&name).is_some() => return Err(Refusal::NameTaken),
            _ if self.catalogue.file_count() >= FILES_MAX => return Err(Refusal::Busy),
            _ => {}
        }
        let blobs = blobs(seed, length, parameters.uneven_split);
        let nodes =
            self.catalogue.place(blobs.len(), parameters.first_nodes_first).ok_or(Refusal::NoNodes)?;
        let placed = |(&node, blob): (&NodeId, &Blob)| Placed { node, id: blob.id(), length: blob.length() };
        let chunks = nodes.iter().zip(&blobs).map(placed).collect();
        let file = File { length, digest: digest(&blobs), chunks };
        let request =
            self.ask(Request { command: id, name, file, work: Work::Upload(BTreeSet::new()) }, cx)?;
        for ((index, node), blob) in (0..).zip(nodes).zip(blobs) {
            cx.send_blob(node, Message::Store { part: Part { request, index } }, blob);
        }
        Ok(())
    }

    fn download(&mut self, id: CommandId, name: String, cx: &mut Cx<'_>) -> Result<(), Refusal> {
        let file = self.catalogue.file(&name).ok_or(Refusal::NotFound)?.file.clone();
        if !file.chunks.iter().all(|placed| self.catalogue.is_online(placed.node)) {
            return Err(Refusal::Offline);
        }
        let chunks = file.chunks.clone();
        let request =
            self.ask(Request { command: id, name, file, work: Work::Download(BTreeMap::new()) }, cx)?;
        for (index, Placed { node, id, .. }) in (0..).zip(chunks) {
            cx.send_now(node, Message::Fetch { part: Part { request, index }, id });
        }
        Ok(())
    }

    /// Puts a request on the list, with a deadline.
    fn ask(&mut self, request: Request, cx: &mut Cx<'_>) -> Result<u64, Refusal> {
        if self.requests.len() >= REQUESTS_MAX {
            return Err(Refusal::Busy);
        }
        let number = self.next_request;
        self.next_request = number.wrapping_add(1);
        self.requests.insert(number, request);
        cx.set(Timer::Deadline(number), self.config.parameters.request_timeout);
        Ok(number)
    }
}
