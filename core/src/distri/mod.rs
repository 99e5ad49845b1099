//! Distri's database: servers that each keep all documents, sync by overwriting, and serve clients over datagrams.
//!
//! This is the *faithful* system, "Distri" as its authors published it, flaws included; what it was meant to be is
//! [`sync`](crate::sync). All nodes but the last are servers; the last is the machine on which all clients run.
//!
//! A client sends `Request` to every server, one after the other, and takes the first `OK`. Documents and results go in
//! chunks, by stop and wait (`transfer`). A server puts requests on a queue, of which workers take them; a worker is busy
//! until the document is there and the result has gone. A read needs no worker, but waits a second for a filter. On most
//! requests, at most once in a second, a server syncs: it asks all others for their whole state, one by one, and takes it
//! in place of its own if the version is higher. A version counts changes. So of two servers that were both written to
//! since their last sync, one loses all that it has been told meanwhile; and two that have counted to the same number keep
//! what they have.
//!
//! Each flaw is a switch of [`Parameters`], on by default:
//!
//! - `election = "everyone"`: what others tell of themselves is not remembered, so every server answers every request;
//! - `overwrite` and `equal_versions`: as above;
//! - `sync_blocks`: no request is served while a sync is under way, and that may wait for its peers;
//! - `newest_first`: queues are pushed and popped at the same end, so the oldest wait until they are dropped;
//! - `losers_wait`: a server that said OK too late waits in vain, with one of its workers;
//! - `wrong_packets_count`: any packet uses up one of the attempts at a chunk, such as the OK of a server that came
//!   too late: with six servers or more the attempts are used up before the acknowledgement comes;
//! - `any_sender`: who receives does not look who sends. So the result of a read comes from all servers mixed, and counts as
//!   failed if the last packet is not from the server that said OK first.
//!
//! Every node has one processor, which a datagram keeps busy for `service`. The public socket of a server holds `buffer`
//! datagrams, and more are lost.
//!
//! Where we deviate: a document is a name and the revision that its client wrote; content travels with the last packet
//! of a transfer. The original's four threads share several cores; ours is one processor. It tries again after a second
//! if its system refuses to send, which ours never does. A client whose first request failed has no name to update, and
//! that request fails, too. Creating and deleting are left out: the published test has neither.

mod clients;
mod database;
mod messages;
mod parameters;
mod probe;
mod processor;
mod published;
mod server;
mod subject;
#[cfg(test)]
mod tests;
mod transfer;

use std::sync::Arc;

use serde::Serialize;

use crate::contract::{Context, InputOf, Never, NodeId, Protocol};

pub use clients::{CLIENTS_MAX, Clients};
pub use database::Database;
pub use messages::{Address, Body, Command, Content, Failure, Message, Notice, PUBLIC, Reply, Timer};
pub use parameters::{Config, Election, Load, Parameters, Service};
pub use probe::DistriProbe;
pub use published::Published;
pub use server::Server;

type Cx<'a> = Context<'a, Distri>;

/// A node.
#[derive(Clone, Debug, Serialize)]
pub enum Distri {
    /// Keeps documents.
    Server(Server),
    /// The machine of the clients: the last node.
    Clients(Clients),
}

impl Distri {
    /// The server, if this is one.
    #[must_use]
    pub fn server(&self) -> Option<&Server> {
        match self {
            Self::Server(server) => Some(server),
            Self::Clients(_) => None,
        }
    }

    /// The clients, if this is their machine.
    #[must_use]
    pub fn clients(&self) -> Option<&Clients> {
        match self {
            Self::Server(_) => None,
            Self::Clients(clients) => Some(clients),
        }
    }
}

impl Protocol for Distri {
    const VERSION: u16 = 1;
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Command = Command;
    type Reply = Reply;
    type Record = Never;
    type Notice = Notice;
    type Job = Never;
    type Outcome = Never;

    fn boot(config: &Arc<Config>, me: NodeId) -> Self {
        if me == config.clients() {
            Self::Clients(Clients::new(config))
        } else {
            Self::Server(Server::new(config, me))
        }
    }

    fn step(&mut self, input: InputOf<Self>, cx: &mut Context<'_, Self>) {
        match self {
            Self::Server(server) => server.step(input, cx),
            Self::Clients(clients) => clients.step(input, cx),
        }
    }

    fn role(&self) -> &'static str {
        match self {
            Self::Server(_) => "server",
            Self::Clients(_) => "clients",
        }
    }
}
