//! The machine on which all clients run. A request goes to every server, and who answers first serves it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::messages::{Address, Body, Command, Content, Failure, Message, Notice, PUBLIC, Reply, Timer};
use super::parameters::{Config, Parameters, Service};
use super::processor::Processor;
use super::transfer::{Next, Received, Receiving, Sending};
use super::{Cx, Distri};
use crate::contract::{CommandId, Input, InputOf, NodeId};

/// The most clients, and the most requests under way.
pub const CLIENTS_MAX: usize = 1 << 20;

/// All clients.
#[derive(Clone, Debug, Serialize)]
pub struct Clients {
    #[serde(skip)]
    config: Arc<Config>,
    processor: Processor<Work>,
    clients: BTreeMap<u32, Client>,
    /// By the port that each request was given.
    requests: BTreeMap<u32, Request>,
    last_port: u32,
}

/// What the processor takes in turn.
#[derive(Clone, Debug, Serialize)]
enum Work {
    /// Send the request of this port to a server.
    Ask(u32, NodeId),
    Datagram(NodeId, Message),
}

#[derive(Clone, Debug, Default, Serialize)]
struct Client {
    /// The name of its document, once a server has told it.
    document: Option<u64>,
    /// How often it has sent its document.
    revision: u32,
}

#[derive(Clone, Debug, Serialize)]
struct Request {
    id: CommandId,
    client: u32,
    service: Service,
    stage: Stage,
}

#[derive(Clone, Debug, Serialize)]
enum Stage {
    /// Whoever says OK first is to serve it.
    Asked,
    /// The document is on its way.
    Giving(Sending),
    /// The result is on its way.
    Getting(Address, Receiving),
}

impl Clients {
    pub(super) fn new(config: &Arc<Config>) -> Self {
        Self {
            config: Arc::clone(config),
            processor: Processor::new(),
            clients: BTreeMap::new(),
            requests: BTreeMap::new(),
            last_port: PUBLIC,
        }
    }

    /// How many have come so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.clients.len()
    }

    /// How many requests are under way.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.requests.len()
    }

    pub(super) fn step(&mut self, input: InputOf<Distri>, cx: &mut Cx<'_>) {
        match input {
            Input::Start { .. } => *self = Self::new(&self.config),
            Input::Command { id, command } => self.take(id, command, cx),
            Input::Message { from, message, .. } => {
                let takes = self.config.parameters.service;
                self.processor.push(Work::Datagram(from, message), takes, cx);
            }
            Input::Timer { timer: Timer::Processor } => match self.processor.pop(cx) {
                Some(Work::Ask(port, server)) => self.ask(port, server, cx),
                Some(Work::Datagram(node, message)) => {
                    self.hear(message.to, Address { node, port: message.from }, message.body, cx);
                }
                None => {}
            },
            Input::Timer { timer: Timer::Port(port) } => self.wait_no_longer(port, cx),
            _ => {}
        }
    }

    /// A client wants something. Its request goes to one server after the other.
    fn take(&mut self, id: CommandId, Command { client, service }: Command, cx: &mut Cx<'_>) {
        if self.clients.len().max(self.requests.len()) >= CLIENTS_MAX {
            return cx.reply_now(id, Reply::Failed(Failure::NoClient));
        }
        let state = self.clients.entry(client).or_default();
        state.revision = state.revision.saturating_add(u32::from(service != Service::Read));
        self.last_port = self.last_port.wrapping_add(1).max(PUBLIC + 1);
        let port = self.last_port;
        self.requests.insert(port, Request { id, client, service, stage: Stage::Asked });
        cx.set(Timer::Port(port), self.config.parameters.timeout);
        let takes = self.config.parameters.service;
        for server in self.config.servers() {
            self.processor.push(Work::Ask(port, server), takes, cx);
        }
    }

    fn ask(&mut self, port: u32, node: NodeId, cx: &mut Cx<'_>) {
        if let Some(request) = self.requests.get(&port) {
            send(port, Address { node, port: PUBLIC }, Body::Request(request.service), cx);
            cx.set(Timer::Port(port), self.config.parameters.timeout);
        }
    }

    fn hear(&mut self, port: u32, from: Address, body: Body, cx: &mut Cx<'_>) {
        let config = Arc::clone(&self.config);
        let parameters = &config.parameters;
        let Some(request) = self.requests.get_mut(&port) else {
            if body == Body::Ok && !parameters.losers_wait {
                send(port, from, Body::Declined, cx);
            }
            return;
        };
        match &mut request.stage {
            Stage::Asked if body != Body::Ok => self.fail(port, Failure::NoAnswer, cx),
            Stage::Asked if request.service == Service::Read => {
                request.stage = Stage::Getting(from, Receiving::default());
                cx.set(Timer::Port(port), parameters.timeout);
            }
            Stage::Asked => {
                let Some(client) = self.clients.get(&request.client) else { return };
                let mut sending =
                    Sending::new(from, parameters.document.0, client.document(request.service, parameters));
                let next = sending.attempt(parameters);
                request.stage = Stage::Giving(sending);
                self.give(port, from, next, cx);
            }
            Stage::Giving(sending) => {
                let server = sending.to();
                if body == Body::Ok && !parameters.losers_wait {
                    send(port, from, Body::Declined, cx);
                }
                let next = sending.hear(from, &body, parameters);
                self.give(port, server, next, cx);
            }
            Stage::Getting(..) if body == Body::Ok && !parameters.losers_wait => {
                send(port, from, Body::Declined, cx);
            }
            Stage::Getting(server, receiving) if parameters.any_sender || *server == from => {
                cx.set(Timer::Port(port), parameters.timeout);
                let server = *server;
                match receiving.hear(body) {
                    Received::Nothing => {}
                    Received::Piece(sequence) => send(port, from, Body::Ack { sequence }, cx),
                    Received::Whole(sequence, content) => {
                        send(port, from, Body::Ack { sequence }, cx);
                        match from == server {
                            true => self.got(port, &content, cx),
                            false => self.fail(port, Failure::WrongSender, cx),
                        }
                    }
                }
            }
            Stage::Getting(..) => {}
        }
    }

    /// Goes on with the document of a request.
    fn give(&mut self, port: u32, server: Address, next: Next, cx: &mut Cx<'_>) {
        let timeout = self.config.parameters.timeout;
        match next {
            Next::Wait => {}
            Next::Send(body) => {
                send(port, server, body, cx);
                cx.set(Timer::Port(port), timeout);
            }
            Next::End(body) => {
                send(port, server, body, cx);
                cx.set(Timer::Port(port), timeout);
                if let Some(request) = self.requests.get_mut(&port) {
                    request.stage = Stage::Getting(server, Receiving::default());
                }
            }
            Next::GiveUp => self.fail(port, Failure::NotTaken, cx),
        }
    }

    fn wait_no_longer(&mut self, port: u32, cx: &mut Cx<'_>) {
        let config = Arc::clone(&self.config);
        match self.requests.get_mut(&port).map(|request| &mut request.stage) {
            Some(Stage::Asked) => self.fail(port, Failure::NoAnswer, cx),
            Some(Stage::Giving(sending)) => {
                let (server, next) = (sending.to(), sending.attempt(&config.parameters));
                self.give(port, server, next, cx);
            }
            Some(Stage::Getting(..)) => self.fail(port, Failure::NoResult, cx),
            None => {}
        }
    }

    fn got(&mut self, port: u32, content: &Content, cx: &mut Cx<'_>) {
        cx.cancel(Timer::Port(port));
        let Some(request) = self.requests.remove(&port) else { return };
        let reply = match (content, self.clients.get_mut(&request.client)) {
            (&Content::Saved { id }, Some(client)) => {
                client.document = Some(id);
                cx.notify(Notice::Acknowledged { id, revision: client.revision });
                Reply::Saved { id }
            }
            (&Content::Collection { documents }, _) => Reply::Collection { documents },
            (Content::Nameless, _) if self.config.parameters.nameless_updates => Reply::Nameless,
            (Content::Nameless, _) => Reply::Failed(Failure::Nameless),
            _ => Reply::Failed(Failure::NoResult),
        };
        end(&request, reply, cx);
    }

    fn fail(&mut self, port: u32, failure: Failure, cx: &mut Cx<'_>) {
        cx.cancel(Timer::Port(port));
        if let Some(request) = self.requests.remove(&port) {
            end(&request, Reply::Failed(failure), cx);
        }
    }
}

impl Client {
    /// What it sends. To add is to leave the name to the server.
    fn document(&self, service: Service, parameters: &Parameters) -> Content {
        let is_named = service == Service::Update && !parameters.nameless_updates;
        Content::Document { id: self.document.filter(|_| is_named), revision: self.revision }
    }
}

fn end(request: &Request, reply: Reply, cx: &mut Cx<'_>) {
    if let Reply::Failed(failure) = reply {
        cx.notify(Notice::Failed(failure));
    }
    cx.reply_now(request.id, reply);
}

fn send(from: u32, to: Address, body: Body, cx: &mut Cx<'_>) {
    cx.send_now(to.node, Message { from, to: to.port, body });
}
