//! What is under way to a node.

use seedbed_core::contract::{Blob, BlobInput, CommandId, Members, NodeId, Protocol};

use crate::disk::Done;

/// Comes up at its time.
#[derive(Clone, Debug)]
pub(crate) struct Event<P: Protocol> {
    pub(crate) route: Route,
    pub(crate) body: Body<P>,
}

/// To whom, and from whom: the sender of a message, or [`NOBODY`] if the node itself caused the event. One word, so
/// that it is stored and loaded as one: the processor waits where the sizes differ.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route(pub(super) u64);

impl Route {
    #[inline]
    pub(super) const fn new(to: NodeId, source: u32) -> Self {
        Self((to.0 as u64) << 32 | source as u64)
    }

    #[inline]
    pub(super) const fn to(self) -> NodeId {
        NodeId((self.0 >> 32) as u32)
    }

    #[inline]
    pub(super) const fn source(self) -> u32 {
        self.0 as u32
    }
}

/// No node: events that no other node sent.
pub(crate) const NOBODY: u32 = u32::MAX;

/// An event's content. Sized for the common case: rare ones are boxed.
#[derive(Clone)]
pub(crate) enum Body<P: Protocol> {
    Message { message: P::Message },
    Timer { index: u32 },
    Other(Box<Other<P>>),
}

impl<P: Protocol> std::fmt::Debug for Body<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Message { message, .. } => write!(f, "{message:?}"),
            Self::Timer { index } => write!(f, "timer {index}"),
            Self::Other(_) => f.write_str("other"),
        }
    }
}

#[derive(Clone)]
pub(crate) enum Other<P: Protocol> {
    MessageWithBlob {
        message: P::Message,
        blob: Blob,
    },
    Frame {
        bytes: Vec<u8>,
        blob: Option<Blob>,
    },
    Command {
        id: CommandId,
        command: P::Command,
    },
    Members(Members),
    Link {
        peer: NodeId,
        up: bool,
    },
    /// A node that has not started yet does.
    Start,
    /// A stall of the disk may be over.
    Unstalled,
    // What a node waits for in one life; it means nothing to the next.
    Disk {
        life: u16,
        done: Done,
    },
    Blob {
        life: u16,
        news: BlobInput,
    },
    Full {
        life: u16,
        record: P::Record,
    },
    Ran {
        life: u16,
        job: P::Job,
    },
    /// A CPU that is shared may have done a job.
    Served {
        life: u16,
    },
    /// The CPU has done a step.
    Idle {
        life: u16,
    },
}
