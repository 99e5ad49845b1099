//! A cloud store with one gateway: files are cut into chunks, and each chunk lies on one storage node.
//!
//! Node 0 is the gateway. It cuts a file by [`split`], gives the chunks to storage nodes round-robin, remembers who
//! has what in its [`Catalogue`], and asks them all when the file is wanted again. The others are storage nodes: they
//! keep chunks and send heartbeats, and the gateway's monitor marks silent ones offline.
//!
//! This is the *faithful* system: "Distributed Cloud Storage" as its authors published it, flaws included. Each flaw
//! that a node can be blamed for is a switch of [`Parameters`], on by default:
//!
//! - `wipe_on_restart`: a restarting storage node clears its directory while the gateway keeps the chunk map, so what
//!   it held is lost without a word;
//! - `uneven_split`: the step is a third of the length *rounded down*, so most files get a fourth chunk of a byte or
//!   two, and with it one more node that must be up;
//! - `first_nodes_first`: each file starts at the first node, so nodes beyond the fourth or fifth stay empty;
//! - `leave_orphans`: a file counts only when all its chunks are stored, but those of a failed upload stay.
//!
//! There is one copy of each chunk, so with nodes up with probability `p` a file on `c` nodes is there with `p^c`.
//! Replication, repair and a gateway that may fail are other protocols' business.
//!
//! Where we deviate: chunks are named by their content; a storage node reads back and hashes what it stored before it
//! confirms; a download that cannot succeed is refused after `request_timeout` instead of hanging.

mod catalogue;
mod content;
mod gateway;
mod messages;
mod parameters;
mod probe;
pub mod split;
mod storage;
mod subject;

use std::sync::Arc;

use serde::Serialize;

use crate::contract::{Context, InputOf, NodeId, Protocol};

pub use catalogue::{Catalogue, Entry, File, Filed, Output, Placed};
pub use content::{blobs, digest};
pub use gateway::Gateway;
pub use messages::{Command, Job, Message, Notice, Part, Record, Refusal, Reply, Timer};
pub use parameters::{Config, Load, Parameters};
pub use probe::ChunksProbe;
pub use storage::Storage;

/// The node that clients talk to.
pub const GATEWAY: NodeId = NodeId(0);

/// The longest name of a file, in bytes.
pub const NAME_MAX: usize = 255;
/// The most files that a gateway keeps.
pub const FILES_MAX: usize = 1 << 20;
/// The most uploads and downloads that a gateway handles at the same time.
pub const REQUESTS_MAX: usize = 4096;
/// The most chunks that a storage node keeps, and the most requests that wait for its disk.
pub const CHUNKS_MAX: usize = 5 * FILES_MAX;
/// The most names or nodes in one reply.
pub const PAGE_MAX: usize = 1000;

/// A node of the store.
#[derive(Clone, Debug, Serialize)]
pub enum Chunks {
    /// Node 0.
    Gateway(Gateway),
    /// Every other node.
    Storage(Storage),
}

impl Chunks {
    /// The gateway, if this is it.
    #[must_use]
    pub fn gateway(&self) -> Option<&Gateway> {
        match self {
            Self::Gateway(gateway) => Some(gateway),
            Self::Storage(_) => None,
        }
    }

    /// The storage node, if this is one.
    #[must_use]
    pub fn storage(&self) -> Option<&Storage> {
        match self {
            Self::Gateway(_) => None,
            Self::Storage(storage) => Some(storage),
        }
    }
}

impl Protocol for Chunks {
    const VERSION: u16 = 1;
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Command = Command;
    type Reply = Reply;
    type Record = Record;
    type Notice = Notice;
    type Job = Job;
    type Outcome = crate::contract::BlobId;

    fn boot(config: &Arc<Config>, me: NodeId) -> Self {
        match me {
            GATEWAY => Self::Gateway(Gateway::new(config)),
            _ => Self::Storage(Storage::new(config)),
        }
    }

    fn step(&mut self, input: InputOf<Self>, cx: &mut Context<'_, Self>) {
        match self {
            Self::Gateway(gateway) => gateway.step(input, cx),
            Self::Storage(storage) => storage.step(input, cx),
        }
    }

    fn role(&self) -> &'static str {
        match self {
            Self::Gateway(_) => "gateway",
            Self::Storage(_) => "storage",
        }
    }
}
