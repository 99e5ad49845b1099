//! What nodes, clients and disks say to each other.

use serde::{Deserialize, Serialize};

use super::{Entry, File};
use crate::contract::{BlobId, Duration, Lane, NodeId, Time, Wire};

/// Names one chunk of one upload or download. Requests are numbered from a random start in each life of the gateway,
/// so that a late answer to an earlier life meets no request.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Part {
    /// Which upload or download.
    pub request: u64,
    /// Which of its chunks.
    pub index: u32,
}

/// Between gateway and storage nodes.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Message {
    /// A storage node is alive.
    Heartbeat,
    /// Keep the blob beside this message.
    Store {
        /// For whom.
        part: Part,
    },
    /// The chunk is on disk and reads back right.
    Stored {
        /// For whom.
        part: Part,
        /// Which one.
        id: BlobId,
    },
    /// The chunk could not be stored.
    Unstored {
        /// For whom.
        part: Part,
    },
    /// Send this chunk.
    Fetch {
        /// For whom.
        part: Part,
        /// Which one.
        id: BlobId,
    },
    /// Here it is, beside this message.
    Fetched {
        /// For whom.
        part: Part,
    },
    /// It is not here.
    Gone {
        /// For whom.
        part: Part,
    },
    /// This upload no longer wants the chunk.
    Drop {
        /// Which upload.
        part: Part,
        /// Which chunk.
        id: BlobId,
    },
}

/// Chunks travel in bulk, and a `Drop` stays behind the `Store` that it takes back.
impl Wire for Message {
    fn lane(&self) -> Lane {
        match self {
            Self::Store { .. } | Self::Fetched { .. } | Self::Drop { .. } => Lane::Bulk,
            _ => Lane::Control,
        }
    }
}

/// What a node waits for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Timer {
    /// A storage node's next heartbeat.
    Heartbeat,
    /// The gateway's next look at who is silent.
    Monitor,
    /// The end of an upload or download, done or not.
    Deadline(u64),
}

/// What clients ask of the gateway.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Command {
    /// Store a file.
    Upload {
        /// Its name, new and not empty.
        name: String,
        /// What is in it: see [`blobs`](super::blobs).
        seed: u64,
        /// Its length in bytes.
        length: u64,
    },
    /// Give a file back.
    Download {
        /// Which one.
        name: String,
    },
    /// Name the files, in order.
    List {
        /// After this name; from the first one if empty.
        after: String,
    },
    /// Tell about a file.
    Stat {
        /// Which one.
        name: String,
    },
    /// Name the storage nodes.
    Nodes,
}

/// What the gateway answers.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Reply {
    /// Every chunk is stored.
    Uploaded {
        /// How many there are.
        chunks: u32,
    },
    /// Every chunk came back.
    Downloaded {
        /// In bytes.
        length: u64,
        /// Of what came back: see [`digest`](super::digest).
        digest: BlobId,
    },
    /// Names of files.
    Files {
        /// In order, at most [`PAGE_MAX`](super::PAGE_MAX).
        names: Vec<String>,
        /// Whether there are more.
        more: bool,
    },
    /// What is known about a file.
    About {
        /// Its length, digest and chunks.
        file: File,
        /// When it was stored, by the gateway's wall clock.
        at: Time,
    },
    /// Each storage node seen so far, and whether it counts as online; at most [`PAGE_MAX`](super::PAGE_MAX).
    Nodes(Vec<(NodeId, bool)>),
    /// It cannot be done.
    Refused(Refusal),
}

/// Why a command was refused.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Refusal {
    /// Only the gateway answers clients.
    NotTheGateway,
    /// The name is empty or too long.
    BadName,
    /// There is a file of that name, or one is on its way.
    NameTaken,
    /// An empty file has no chunk.
    EmptyFile,
    /// The file is longer than `file_max`.
    TooLong,
    /// No more files, or too many requests at the same time.
    Busy,
    /// No storage node is online.
    NoNodes,
    /// There is no file of that name.
    NotFound,
    /// A chunk lies on a node that is offline.
    Offline,
    /// A node no longer has its chunk.
    Gone,
    /// What came back is not what was stored.
    Damaged,
    /// A disk is full: that of a storage node, or the gateway's own.
    NoRoom,
    /// A node did not answer in time.
    TimedOut,
}

/// What a node writes down.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Record {
    /// The gateway: one entry of its catalogue.
    Entry {
        /// By its wall clock.
        at: Time,
        /// What changed.
        entry: Entry,
    },
    /// A storage node is about to store a chunk.
    Kept {
        /// For whom.
        part: Part,
        /// Which one.
        id: BlobId,
        /// In bytes.
        length: u64,
    },
    /// A storage node no longer keeps a chunk for this upload.
    Dropped {
        /// For whom.
        part: Part,
        /// Which one.
        id: BlobId,
    },
}

/// What a node tells its observers.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Notice {
    /// The gateway counts a node as online.
    Online {
        /// Which one.
        node: NodeId,
    },
    /// The gateway counts a node as offline.
    Offline {
        /// Which one.
        node: NodeId,
        /// For how long it had been silent.
        silence: Duration,
    },
    /// A storage node has started.
    Started {
        /// How many chunks its records name.
        chunks: u64,
        /// Whether it has wiped them.
        wiped: bool,
    },
    /// A message was ignored: from the wrong sender, or an answer that nobody waits for.
    Ignored {
        /// From whom.
        from: NodeId,
    },
}

/// What costs CPU time.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Job {
    /// Read a stored chunk back and hash it; the outcome is the hash.
    Hash {
        /// Which one.
        id: BlobId,
        /// In bytes.
        length: u64,
    },
}
