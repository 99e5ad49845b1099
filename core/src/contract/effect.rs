//! Everything that a node can do.

use serde::{Deserialize, Serialize};

use super::{Blob, BlobId, CommandId, Duration, NodeId, Protocol, Tag};

/// Everything that a node can do. Order matters: an effect marked `durable` waits until every earlier
/// [`Persist`](Effect::Persist) of this node is on disk, so a promise never leaves before it is kept.
///
/// Parameters: message, timer, reply, record, notice, job; see [`EffectOf`].
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Effect<M, T, A, R, N, J> {
    /// Sends a message, with a blob beside it or without.
    Send {
        /// To whom; itself is allowed.
        to: NodeId,
        /// Waits for the disk.
        durable: bool,
        /// What to say.
        message: M,
        /// Bytes that ride beside the message.
        blob: Option<Blob>,
    },
    /// Sets a timer, or sets it anew.
    SetTimer {
        /// Its key.
        timer: T,
        /// When it runs out, by the node's own clock.
        after: Duration,
    },
    /// Forgets a timer, if it is set.
    CancelTimer {
        /// Its key.
        timer: T,
    },
    /// Appends a record to the log.
    Persist {
        /// Whose part of the log.
        tag: Tag,
        /// What to write.
        record: R,
    },
    /// Replaces the records of one tag by fewer, atomically, ordered like a persist.
    Checkpoint {
        /// Whose part of the log.
        tag: Tag,
        /// What stands there from now on.
        records: Vec<R>,
    },
    /// Answers a command.
    Reply {
        /// The command.
        id: CommandId,
        /// Waits for the disk.
        durable: bool,
        /// The answer.
        reply: A,
    },
    /// Tells whoever embeds or observes the node.
    Notify {
        /// What there is to tell.
        notice: N,
    },
    /// Stores a blob under its content address; [`BlobInput`](super::BlobInput) says how it went.
    StoreBlob {
        /// Echoed in the input.
        tag: Tag,
        /// What to store.
        blob: Blob,
    },
    /// Loads a blob; [`BlobInput`](super::BlobInput) brings it.
    LoadBlob {
        /// Echoed in the input.
        tag: Tag,
        /// Which one.
        id: BlobId,
    },
    /// Deletes a blob, if it is there.
    DropBlob {
        /// Which one.
        id: BlobId,
    },
    /// Runs a job; [`Input::Ran`](super::Input::Ran) brings its outcome.
    Run {
        /// What to do.
        job: J,
    },
}

/// The [`Effect`] of a protocol.
pub type EffectOf<P> = Effect<
    <P as Protocol>::Message,
    <P as Protocol>::Timer,
    <P as Protocol>::Reply,
    <P as Protocol>::Record,
    <P as Protocol>::Notice,
    <P as Protocol>::Job,
>;
