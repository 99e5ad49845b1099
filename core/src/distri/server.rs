//! A server: it takes requests from a queue, syncs with the others, and keeps the documents in memory.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::Serialize;

use super::database::Database;
use super::messages::{Address, Body, Content, Failure, Message, Notice, PUBLIC, Reply, Timer};
use super::parameters::{Config, Election, Parameters, Service};
use super::processor::Processor;
use super::transfer::{Next, Received, Receiving, Sending};
use super::{Cx, Distri};
use crate::contract::{Duration, Input, InputOf, NodeId, Time};

/// The most requests in a queue, and the most conversations.
const QUEUE_MAX: usize = 1 << 16;
/// The lengths of the original's texts: a UUID, and what surrounds the documents of a reply and of a state.
const UUID_BYTES: u64 = 36;
const LIST_BYTES: u64 = 2;
const INFO_BYTES: u64 = 60;

/// A server.
#[derive(Clone, Debug, Serialize)]
pub struct Server {
    #[serde(skip)]
    config: Arc<Config>,
    me: NodeId,
    database: Database,
    processor: Processor<Work>,
    /// How many datagrams wait at the public socket.
    at_socket: u32,
    requests: VecDeque<Request>,
    /// Who wants to know the state.
    curious: VecDeque<(Address, Time)>,
    idle_workers: u32,
    /// What workers have taken from the queue before they found that a sync is under way.
    held: VecDeque<Request>,
    talks: BTreeMap<u32, Talk>,
    last_port: u32,
    /// Somebody is told the state: one at a time.
    is_telling: bool,
    sync: Option<Sync>,
    holds_off_until: Time,
    is_elected: bool,
    peers: BTreeMap<NodeId, Peer>,
    taken: i64,
    completed: i64,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Request {
    service: Service,
    from: Address,
    at: Time,
}

/// A sync under way.
#[derive(Clone, Debug, Serialize)]
struct Sync {
    port: u32,
    /// Who is asked at the moment.
    peer: NodeId,
    /// Who is to be asked.
    rest: Vec<NodeId>,
}

/// What another server has told of itself.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Peer {
    load: i64,
    version: u64,
}

/// What the processor takes in turn.
#[derive(Clone, Debug, Serialize)]
enum Work {
    Datagram(NodeId, Message),
    /// Write all documents as JSON: for the reader at this port, or for another server.
    Write(u32),
}

/// A conversation, on a port of its own.
#[derive(Clone, Debug, Serialize)]
enum Talk {
    /// A worker waits for a client's document.
    Document(Service, Address, Receiving),
    /// A reader may still send a filter.
    Filter(Address),
    /// A client gets its result; of a read, no worker is busy with it.
    Result(Service, Sending),
    /// Another server is to get the state.
    Curious(Address),
    /// Another server gets the state.
    Tell(Sending),
    /// Another server's state is on its way.
    Sync(Receiving),
}

impl Server {
    pub(super) fn new(config: &Arc<Config>, me: NodeId) -> Self {
        Self {
            config: Arc::clone(config),
            me,
            database: Database::default(),
            processor: Processor::new(),
            at_socket: 0,
            requests: VecDeque::new(),
            curious: VecDeque::new(),
            idle_workers: config.parameters.workers,
            held: VecDeque::new(),
            talks: BTreeMap::new(),
            last_port: PUBLIC,
            is_telling: false,
            sync: None,
            holds_off_until: Time::ZERO,
            is_elected: true,
            peers: config.servers().filter(|&node| node != me).map(|node| (node, Peer::default())).collect(),
            taken: 0,
            completed: 0,
        }
    }

    /// The documents.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// How many requests wait for a worker.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.requests.len()
    }

    pub(super) fn step(&mut self, input: InputOf<Distri>, cx: &mut Cx<'_>) {
        match input {
            Input::Start { .. } => *self = Self::new(&self.config, self.me),
            Input::Message { from, message, .. } => self.arrive(from, message, cx),
            Input::Timer { timer: Timer::Processor } => match self.processor.pop(cx) {
                Some(Work::Datagram(node, message)) => self.handle(node, message, cx),
                Some(Work::Write(port)) => self.write(port, cx),
                None => {}
            },
            Input::Timer { timer: Timer::Port(port) } => self.wait_no_longer(port, cx),
            Input::Command { id, .. } => cx.reply_now(id, Reply::Failed(Failure::NoClient)),
            _ => {}
        }
    }

    /// A datagram has come to a socket. Only the public one ever has many waiting.
    fn arrive(&mut self, from: NodeId, message: Message, cx: &mut Cx<'_>) {
        let is_public = message.to == PUBLIC;
        let Parameters { service, buffer, .. } = self.config.parameters;
        let has_room = !is_public || self.at_socket < buffer;
        let takes = match &message.body {
            Body::Final { content: Content::Info { documents, .. }, .. } => {
                service + self.json_takes(documents.len())
            }
            _ => service,
        };
        if has_room && self.processor.push(Work::Datagram(from, message), takes, cx) {
            self.at_socket += u32::from(is_public);
        } else {
            cx.notify(Notice::Overflowed);
        }
    }

    /// How long it takes to write or read so many documents.
    fn json_takes(&self, documents: usize) -> Duration {
        let nanos = self.config.parameters.per_document.as_nanos();
        Duration::from_nanos(nanos.saturating_mul(documents as u64))
    }

    fn handle(&mut self, node: NodeId, Message { from, to, body }: Message, cx: &mut Cx<'_>) {
        let from = Address { node, port: from };
        if to != PUBLIC {
            return self.hear(to, from, body, cx);
        }
        self.at_socket = self.at_socket.saturating_sub(1);
        match body {
            Body::Request(service) if self.requests.len() < QUEUE_MAX => {
                self.requests.push_back(Request { service, from, at: cx.now });
                self.work(cx);
            }
            Body::UpdateInfo if self.curious.len() < QUEUE_MAX => {
                self.curious.push_back((from, cx.now));
                self.tell(cx);
            }
            _ => {}
        }
    }

    /// Workers that are idle take requests.
    fn work(&mut self, cx: &mut Cx<'_>) {
        while self.idle_workers > 0 {
            let Parameters { newest_first, timeout, sync_blocks, .. } = self.config.parameters;
            let next = if newest_first { self.requests.pop_back() } else { self.requests.pop_front() };
            let Some(request) = next else { return };
            if cx.now.since(request.at) > timeout {
                cx.notify(Notice::Expired);
                continue;
            }
            self.taken += 1;
            if sync_blocks && self.sync.is_some() {
                self.idle_workers -= 1;
                self.held.push_back(request);
            } else {
                self.serve(request, cx);
            }
        }
    }

    /// Says OK, if elected, and then looks whether it is time to sync. A read keeps no worker busy, and an update asks for
    /// no sync.
    fn serve(&mut self, Request { service, from, .. }: Request, cx: &mut Cx<'_>) {
        let Parameters { timeout, filter_wait, .. } = self.config.parameters;
        if self.is_elected && self.talks.len() < QUEUE_MAX {
            let is_read = service == Service::Read;
            let talk = if is_read {
                Talk::Filter(from)
            } else {
                Talk::Document(service, from, Receiving::default())
            };
            self.idle_workers -= u32::from(!is_read);
            let port = self.open(talk);
            send(port, from, Body::Ok, cx);
            cx.set(Timer::Port(port), if is_read { filter_wait } else { timeout });
        }
        if service != Service::Update {
            self.elect(cx);
        }
    }

    fn open(&mut self, talk: Talk) -> u32 {
        self.last_port = self.last_port.wrapping_add(1).max(PUBLIC + 1);
        self.talks.insert(self.last_port, talk);
        self.last_port
    }

    fn hear(&mut self, port: u32, from: Address, body: Body, cx: &mut Cx<'_>) {
        let config = Arc::clone(&self.config);
        let parameters = &config.parameters;
        match self.talks.get_mut(&port) {
            Some(Talk::Document(_, client, _)) if body == Body::Declined && *client == from => {
                self.close(port, cx);
            }
            Some(Talk::Filter(client)) if body == Body::Declined && *client == from => self.close(port, cx),
            Some(Talk::Document(service, client, receiving)) if parameters.any_sender || *client == from => {
                cx.set(Timer::Port(port), parameters.timeout);
                let (service, client) = (*service, *client);
                if let Some(content) = receive(receiving, port, from, body, cx) {
                    match content {
                        Content::Document { id, revision } if client == from => {
                            let result = self.save(service, id, revision, cx);
                            self.answer(port, service, client, UUID_BYTES, result, cx);
                        }
                        // Another's data, or what no client sends: it waits on.
                        _ => *receiving = Receiving::default(),
                    }
                }
            }
            Some(Talk::Result(_, sending)) if body == Body::Declined && sending.to() == from => {
                self.close(port, cx);
            }
            Some(Talk::Result(_, sending) | Talk::Tell(sending)) => {
                let (to, next) = (sending.to(), sending.hear(from, &body, parameters));
                self.send_on(port, to, next, cx);
            }
            Some(Talk::Sync(receiving)) => {
                let is_asked = self.sync.as_ref().is_some_and(|sync| sync.peer == from.node);
                if is_asked || parameters.any_sender {
                    cx.set(Timer::Port(port), parameters.timeout);
                    if let Some(content) = receive(receiving, port, from, body, cx) {
                        self.learn(&content, cx);
                    }
                }
            }
            Some(Talk::Document(..) | Talk::Filter(_) | Talk::Curious(_)) | None => {}
        }
    }

    fn wait_no_longer(&mut self, port: u32, cx: &mut Cx<'_>) {
        let config = Arc::clone(&self.config);
        match self.talks.get_mut(&port) {
            Some(Talk::Document(..)) => {
                cx.notify(Notice::WaitedInVain);
                self.close(port, cx);
            }
            Some(Talk::Filter(_)) => self.order(port, cx),
            Some(Talk::Result(_, sending) | Talk::Tell(sending)) => {
                let (to, next) = (sending.to(), sending.attempt(&config.parameters));
                self.send_on(port, to, next, cx);
            }
            Some(Talk::Sync(_)) => self.ask_next(cx),
            Some(Talk::Curious(_)) | None => {}
        }
    }

    /// Has all documents written for a conversation.
    fn order(&mut self, port: u32, cx: &mut Cx<'_>) {
        let takes = self.json_takes(self.database.len());
        if !self.processor.push(Work::Write(port), takes, cx) {
            self.close(port, cx);
        }
    }

    /// All documents are written.
    fn write(&mut self, port: u32, cx: &mut Cx<'_>) {
        let bytes = self.database.len() as u64 * self.config.parameters.document.0;
        match self.talks.get(&port) {
            Some(&Talk::Filter(client)) => {
                let documents = self.database.len() as u32;
                let content = Content::Collection { documents };
                self.answer(port, Service::Read, client, LIST_BYTES + bytes, content, cx);
            }
            Some(&Talk::Curious(to)) => {
                let (load, version) = (self.load(), self.database.version());
                let content = Content::Info { load, version, documents: self.database.snapshot() };
                let mut sending = Sending::new(to, INFO_BYTES + bytes, content);
                let next = sending.attempt(&self.config.parameters);
                self.talks.insert(port, Talk::Tell(sending));
                self.send_on(port, to, next, cx);
            }
            _ => {}
        }
    }

    /// Gives a new document a name, but no update.
    fn save(&mut self, service: Service, id: Option<u64>, revision: u32, cx: &mut Cx<'_>) -> Content {
        let id = match (id, service) {
            (Some(id), _) => id,
            (None, Service::AddDoc) => cx.dice.below(u64::MAX),
            (None, Service::Read | Service::Update) => return Content::Nameless,
        };
        self.database.save(id, revision);
        Content::Saved { id }
    }

    fn answer(
        &mut self,
        port: u32,
        service: Service,
        client: Address,
        bytes: u64,
        content: Content,
        cx: &mut Cx<'_>,
    ) {
        let mut sending = Sending::new(client, bytes, content);
        let next = sending.attempt(&self.config.parameters);
        self.talks.insert(port, Talk::Result(service, sending));
        self.send_on(port, client, next, cx);
    }

    fn send_on(&mut self, port: u32, to: Address, next: Next, cx: &mut Cx<'_>) {
        match next {
            Next::Wait => {}
            Next::Send(body) => {
                send(port, to, body, cx);
                cx.set(Timer::Port(port), self.config.parameters.timeout);
            }
            Next::End(body) => {
                send(port, to, body, cx);
                self.completed += i64::from(matches!(self.talks.get(&port), Some(Talk::Result(..))));
                self.close(port, cx);
            }
            Next::GiveUp => self.close(port, cx),
        }
    }

    /// Ends a conversation. Whoever was busy with it goes on to the next.
    fn close(&mut self, port: u32, cx: &mut Cx<'_>) {
        cx.cancel(Timer::Port(port));
        match self.talks.remove(&port) {
            Some(Talk::Document(..) | Talk::Result(Service::AddDoc | Service::Update, _)) => {
                self.idle_workers += 1;
                self.work(cx);
            }
            Some(Talk::Curious(_) | Talk::Tell(_)) => {
                self.is_telling = false;
                self.tell(cx);
            }
            _ => {}
        }
    }

    /// Tells the next of those who want to know the state.
    fn tell(&mut self, cx: &mut Cx<'_>) {
        let Parameters { newest_first, timeout, .. } = self.config.parameters;
        while !self.is_telling {
            let next = if newest_first { self.curious.pop_back() } else { self.curious.pop_front() };
            let Some((to, at)) = next else { return };
            if cx.now.since(at) > timeout {
                cx.notify(Notice::Expired);
                continue;
            }
            self.is_telling = true;
            let port = self.open(Talk::Curious(to));
            self.order(port, cx);
        }
    }

    fn load(&self) -> i64 {
        self.completed - self.taken
    }

    /// Syncs with all others and is elected or not, unless that was done just now. While there is nothing to lose it is
    /// done for each request, and never for the very first.
    fn elect(&mut self, cx: &mut Cx<'_>) {
        let holds_off = cx.now < self.holds_off_until && self.database.version() > 0;
        if self.sync.is_some() || holds_off {
            return;
        }
        if self.taken <= 1 || self.peers.is_empty() {
            return self.finish_election(cx);
        }
        let rest = self.peers.keys().rev().copied().collect();
        let port = self.open(Talk::Sync(Receiving::default()));
        self.sync = Some(Sync { port, peer: self.me, rest });
        self.ask_next(cx);
    }

    fn finish_election(&mut self, cx: &Cx<'_>) {
        self.is_elected = self.wins();
        self.holds_off_until = cx.now + self.config.parameters.hold_off;
    }

    fn ask_next(&mut self, cx: &mut Cx<'_>) {
        let Some(sync) = &mut self.sync else { return };
        let port = sync.port;
        match sync.rest.pop() {
            Some(peer) => {
                sync.peer = peer;
                self.talks.insert(port, Talk::Sync(Receiving::default()));
                send(port, Address { node: peer, port: PUBLIC }, Body::UpdateInfo, cx);
                cx.set(Timer::Port(port), self.config.parameters.timeout);
            }
            None => {
                self.sync = None;
                self.close(port, cx);
                self.finish_election(cx);
                while self.sync.is_none()
                    && let Some(request) = self.held.pop_front()
                {
                    self.idle_workers += 1;
                    self.serve(request, cx);
                }
                self.work(cx);
            }
        }
    }

    fn wins(&self) -> bool {
        let mut peers = self.peers.iter();
        match self.config.parameters.election {
            Election::Everyone => true,
            Election::Version => peers.all(|(_, peer)| peer.version <= self.database.version()),
            Election::Load => peers.all(|(&id, peer)| (self.load(), self.me) < (peer.load, id)),
        }
    }

    /// Another server's state has come.
    fn learn(&mut self, content: &Content, cx: &mut Cx<'_>) {
        if let (Content::Info { load, version, documents }, Some(sync)) = (content, &self.sync) {
            self.peers.insert(sync.peer, Peer { load: *load, version: *version });
            if let Some(overwritten) = self.database.sync(*version, documents, &self.config.parameters) {
                cx.notify(Notice::Synced { overwritten });
            }
        }
        self.ask_next(cx);
    }
}

/// Takes a packet and acknowledges it. What it all amounts to, if it was the last.
fn receive(
    receiving: &mut Receiving,
    port: u32,
    from: Address,
    body: Body,
    cx: &mut Cx<'_>,
) -> Option<Content> {
    let (sequence, content) = match receiving.hear(body) {
        Received::Nothing => return None,
        Received::Piece(sequence) => (sequence, None),
        Received::Whole(sequence, content) => (sequence, Some(content)),
    };
    send(port, from, Body::Ack { sequence }, cx);
    content
}

fn send(from: u32, to: Address, body: Body, cx: &mut Cx<'_>) {
    cx.send_now(to.node, Message { from, to: to.port, body });
}
