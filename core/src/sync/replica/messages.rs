//! What replicas, clients and disks say to each other.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::contract::{Json, Lane, NodeId, Wire};
use crate::sync::reconcile::{Counters, Outcome};
use crate::sync::store::{self, Change, Query};
use crate::sync::{DocumentId, DocumentState, Name, Pointer, Refusal, Schema, Stamp};

/// Which session of whom: numbered by the one that opened it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct SessionId {
    /// Who opened it.
    pub opener: NodeId,
    /// Drawn, so that no life's number meets that of another.
    pub number: u64,
}

/// Between replicas.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Message {
    /// Told before anybody asks: fresh writes, or collections that the receiver does not know.
    Push {
        /// What things are now.
        #[serde(with = "super::packed")]
        changes: Vec<Change>,
    },
    /// Let us find out what we do not share.
    Open {
        /// Names the session.
        session: SessionId,
        /// Of which collection.
        collection: Name,
        /// Which life of it.
        epoch: Stamp,
        /// A fingerprint of all that the sender knows of collections.
        catalogue: u64,
        /// Every write of these nodes up to these times has reached the sender.
        knows: Vec<(NodeId, u64)>,
        /// For [`Session::accept`](crate::sync::reconcile::Session::accept).
        body: Vec<u8>,
    },
    /// The next message of a session.
    Step {
        /// Which.
        session: SessionId,
        /// In the first answer, what the sender knows, as in `Open`; empty if that is the same.
        knows: Vec<(NodeId, u64)>,
        /// For [`Session::receive`](crate::sync::reconcile::Session::receive).
        body: Vec<u8>,
    },
    /// Documents that the session found the receiver to lack.
    Documents {
        /// Which session.
        session: SessionId,
        /// Counts the batches of one direction from zero.
        number: u32,
        /// The states.
        #[serde(with = "super::packed")]
        documents: Vec<(DocumentId, DocumentState)>,
        /// Whether this is the last batch.
        last: bool,
    },
    /// A batch is taken in, and on disk.
    Taken {
        /// Which session.
        session: SessionId,
        /// Which batch.
        number: u32,
        /// Whether nothing was refused, of this batch and those before.
        whole: bool,
    },
    /// There is no such session any more, or it cannot be held.
    Closed {
        /// Which.
        session: SessionId,
        /// A fingerprint of all collections the sender knows of.
        catalogue: u64,
    },
}

/// All of it is bulk: nothing here must overtake a heartbeat.
impl Wire for Message {
    fn lane(&self) -> Lane {
        Lane::Bulk
    }

    /// Documents count as they are, not as they are compressed: that is nobody's promise, and costs time.
    fn size(&self) -> u64 {
        let of = |state: &DocumentState| OVERHEAD + state.as_bytes().len() as u64;
        match self {
            Self::Documents { documents, .. } => {
                OVERHEAD + documents.iter().map(|(_, state)| of(state)).sum::<u64>()
            }
            Self::Push { changes } => {
                let size = |change: &Change| match change {
                    Change::Document { state, .. } => of(state),
                    Change::Collection { .. } => {
                        postcard::experimental::serialized_size(change).map_or(0, |size| size as u64)
                    }
                };
                OVERHEAD + changes.iter().map(size).sum::<u64>()
            }
            _ => postcard::experimental::serialized_size(self).map_or(0, |size| size as u64),
        }
    }
}

/// Bytes beside a state: of a name, a length, a stamp.
const OVERHEAD: u64 = 32;

/// What a replica waits for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Timer {
    /// The next round of anti-entropy.
    Round,
    /// A session that got no answer.
    Answer(SessionId),
    /// Fresh writes that nobody has been told of.
    Tell,
    /// The disk was full: try again.
    Save,
}

/// What clients ask of a replica.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Command {
    /// Make a collection.
    CreateCollection {
        /// Its name.
        collection: Name,
        /// How its documents merge.
        #[serde(default)]
        schema: Schema,
    },
    /// Delete a collection with all its documents.
    DeleteCollection {
        /// Its name.
        collection: Name,
    },
    /// Name the collections.
    ListCollections,
    /// Add a document.
    AddDocument {
        /// Where.
        collection: Name,
        /// A JSON object, with or without an `_id`.
        document: Json,
    },
    /// Write many documents in order, each for itself: what is refused harms no other.
    WriteDocuments {
        /// Where.
        collection: Name,
        /// One that has a name takes the place of the document of that name, if there is one; others are added.
        documents: Vec<(Option<DocumentId>, Json)>,
    },
    /// Change a document by a merge patch (RFC 7396).
    UpdateDocument {
        /// Where.
        collection: Name,
        /// Which.
        id: DocumentId,
        /// What changes.
        patch: Json,
        /// Only if this is its version.
        #[serde(default)]
        expected: Option<Version>,
    },
    /// Put a new content in place of the old one, or of none.
    PutDocument {
        /// Where.
        collection: Name,
        /// Which.
        id: DocumentId,
        /// All of its new content.
        document: Json,
        /// Only if this is its version.
        #[serde(default)]
        expected: Option<Version>,
    },
    /// Delete a document.
    DeleteDocument {
        /// Where.
        collection: Name,
        /// Which.
        id: DocumentId,
        /// Only if this is its version.
        #[serde(default)]
        expected: Option<Version>,
    },
    /// Delete the documents whose content, `_id` aside, is exactly this.
    DeleteMatching {
        /// Where.
        collection: Name,
        /// The content.
        document: Json,
    },
    /// Read one document.
    GetDocument {
        /// Where.
        collection: Name,
        /// Which.
        id: DocumentId,
    },
    /// Read documents page by page.
    ReadCollection {
        /// Where.
        collection: Name,
        /// Which, and in what order.
        #[serde(default)]
        query: Query,
    },
    /// Read what has changed since a token.
    ReadChanges {
        /// Where.
        collection: Name,
        /// Where the last reply ended; from the beginning if there is none.
        #[serde(default)]
        after: Option<String>,
        /// At most so many; 0 stands for the most there may be.
        #[serde(default)]
        limit: u32,
    },
}

/// The version of a document: the hash of its state, equal exactly if the states are. Written as 64 hexadecimal digits.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Version(pub [u8; 32]);

/// A text that is no version.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a version has 64 hexadecimal digits")]
pub struct BadVersion;

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Version {
    type Err = BadVersion;

    fn from_str(text: &str) -> Result<Self, BadVersion> {
        let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map_err(|_| BadVersion)?;
        bytes.try_into().map(Self).map_err(|_| BadVersion)
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
        } else {
            <[u8; 32]>::deserialize(deserializer).map(Self)
        }
    }
}

/// A document as clients see it.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Found {
    /// Its name.
    pub id: DocumentId,
    /// Which version of it.
    pub version: Version,
    /// Its latest write.
    pub stamp: Stamp,
    /// Its content with its `_id`; none if it was deleted.
    pub document: Option<Json>,
    /// Fields that were written concurrently and keep several values, the one in the document first.
    pub siblings: BTreeMap<Pointer, Vec<Json>>,
}

/// What a replica answers.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Reply {
    /// The collection was made or deleted.
    Done,
    /// The names of collections, in order.
    Collections(Vec<Name>),
    /// The document is written.
    Written {
        /// Its name.
        id: DocumentId,
        /// Its new version.
        version: Version,
        /// The stamp of the write.
        stamp: Stamp,
        /// Whether there was no document of this name.
        is_new: bool,
    },
    /// What became of each document of many.
    WrittenEach(Vec<Result<DocumentId, Refusal>>),
    /// Documents are deleted.
    Deleted {
        /// Which ones.
        ids: Vec<DocumentId>,
        /// The stamp of the last one's deletion.
        stamp: Stamp,
    },
    /// The document.
    Document(Found),
    /// A page.
    Documents {
        /// In order.
        documents: Vec<Found>,
        /// The token of the next page, if there is one.
        next: Option<String>,
        /// Where the feed of changes stood at the first page.
        changes: String,
    },
    /// Changes, oldest first.
    Changes {
        /// The latest change of each document.
        documents: Vec<Found>,
        /// Where to go on.
        next: String,
    },
    /// It cannot be done, and has changed nothing.
    Refused(Refusal),
}

/// What a replica writes down.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Record {
    /// Its store has changed.
    Store(store::Record),
    /// Another replica's collection took the place of this one's, as Distri does it.
    Replaced {
        /// Which collection.
        collection: Name,
        /// All documents from now on.
        documents: Vec<(DocumentId, DocumentState)>,
    },
    /// How many changes the database has seen, as Distri counts them.
    Version(u64),
    /// Every write of these nodes up to these times is here, or was and went.
    Knows {
        /// In which collection.
        collection: Name,
        /// In which life of it.
        epoch: Stamp,
        /// By writer, whoever says so.
        through: Vec<(NodeId, u64)>,
        /// By writer, on its own word.
        heard: Vec<(NodeId, u64)>,
    },
}

/// What a replica tells its observers.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Notice {
    /// A session ended at the replica that opened it.
    Reconciled {
        /// With whom.
        peer: NodeId,
        /// How; none if it was given up.
        outcome: Option<Outcome>,
        /// What it cost, both directions together, documents excluded.
        cost: Counters,
        /// Documents that went either way.
        documents: u64,
        /// Bytes of their states.
        bytes: u64,
    },
    /// Tombstones went for good.
    Collected {
        /// How many.
        tombstones: u64,
    },
    /// Something from a peer was refused.
    Refused {
        /// Who sent it.
        peer: NodeId,
        /// What was wrong.
        why: String,
    },
}
