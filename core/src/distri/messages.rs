//! What servers and clients say to each other.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::parameters::Service;
use crate::contract::{NodeId, Wire};

/// A socket: a port of a node.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Address {
    /// Whose.
    pub node: NodeId,
    /// Which; [`PUBLIC`] takes requests, the others are opened for one conversation each.
    pub port: u32,
}

/// The port at which a server takes requests.
pub const PUBLIC: u32 = 0;

/// A datagram. It may be lost, and nothing tells its sender.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Message {
    /// The port that it left from.
    pub from: u32,
    /// The port that it goes to.
    pub to: u32,
    /// What it says.
    pub body: Body,
}

/// What a datagram says.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Body {
    /// A client wants a service, from whoever answers first.
    Request(Service),
    /// A server wants another one's load, version and documents.
    UpdateInfo,
    /// A server is ready to serve.
    Ok,
    /// Somebody else serves already: not in the original, see [`losers_wait`](super::Parameters::losers_wait).
    Declined,
    /// A piece of what is sent. Content travels with the last packet, and these have its length.
    Chunk {
        /// Counted from zero.
        sequence: u32,
        /// Its length.
        bytes: u32,
    },
    /// The mark after the last chunk, which nobody waits to see acknowledged.
    Final {
        /// One more than the last chunk's.
        sequence: u32,
        /// What the chunks before amount to.
        content: Content,
    },
    /// A packet has arrived.
    Ack {
        /// Which one.
        sequence: u32,
    },
}

/// What chunks amount to.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Content {
    /// A client's document.
    Document {
        /// Its name, if the client has one for it.
        id: Option<u64>,
        /// Which of the client's versions of it this is.
        revision: u32,
    },
    /// The answer to `AddDoc` and `Update`: the document's name.
    Saved {
        /// The name.
        id: u64,
    },
    /// The answer to an `Update` without a name: nothing was saved.
    Nameless,
    /// The answer to `Read`.
    Collection {
        /// How many documents there are.
        documents: u32,
    },
    /// The answer to `UpdateInfo`.
    Info {
        /// Requests completed less requests taken.
        load: i64,
        /// How many changes the sender has seen, its own and those that came with states that it adopted.
        version: u64,
        /// The whole collection: names and revisions, ascending.
        documents: Arc<[(u64, u32)]>,
    },
}

/// The packets' lengths are those of the original's texts; those of contents are in the chunks.
impl Wire for Message {
    fn size(&self) -> u64 {
        match &self.body {
            Body::Request(Service::AddDoc) => "Request: AddDocument<catalog>".len() as u64,
            Body::Request(Service::Read) => "Request: ReadCollection<catalog>".len() as u64,
            Body::Request(Service::Update) => "Request: UpdateDocument<catalog>".len() as u64,
            Body::UpdateInfo => "Request: UpdateInfo".len() as u64,
            Body::Ok => "OK".len() as u64,
            Body::Declined => 0,
            Body::Chunk { bytes, .. } => 8 + u64::from(*bytes),
            Body::Final { .. } => 8 + "CHUNKS_END".len() as u64,
            Body::Ack { .. } => 8,
        }
    }
}

/// What a node waits for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Timer {
    /// The processor is done with a datagram.
    Processor,
    /// Nothing has come to this port for too long.
    Port(u32),
}

/// What is asked of the machine of the clients.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Command {
    /// Which client.
    pub client: u32,
    /// What it is to ask for.
    pub service: Service,
}

/// What came of a request.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Reply {
    /// The document is saved, says the server.
    Saved {
        /// Its name.
        id: u64,
    },
    /// The collection.
    Collection {
        /// How many documents there are.
        documents: u32,
    },
    /// The server knows no document without a name; the original's client takes this for a success.
    Nameless,
    /// Nothing.
    Failed(Failure),
}

/// Why a request failed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Failure {
    /// No server said OK in time.
    NoAnswer,
    /// The document was not acknowledged, in as many attempts as there are.
    NotTaken,
    /// The result did not come, or not to its end.
    NoResult,
    /// The result came from another server than the one that said OK first.
    WrongSender,
    /// The server was given no name of a document, because the client has none: its first request has failed.
    Nameless,
    /// This is no machine of clients, or it has too much to do.
    NoClient,
}

/// What a node tells its observers.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Notice {
    /// A client was told that this is saved.
    Acknowledged {
        /// The document.
        id: u64,
        /// Which revision of it.
        revision: u32,
    },
    /// A client's request failed.
    Failed(Failure),
    /// A server took in another one's state.
    Synced {
        /// How many documents, or later revisions of them, went with its own state.
        overwritten: u32,
    },
    /// A server's public socket had no room for a datagram.
    Overflowed,
    /// A server dropped a request that was too old.
    Expired,
    /// A worker waited in vain for data.
    WaitedInVain,
}
