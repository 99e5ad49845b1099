//! What a link has to tell whoever runs it: lines for a log, without secrets.

use std::fmt;

use seedbed_core::contract::{Lane, NodeId};

use super::counters::Count;
use super::hello::Refusal;

/// Is told what happens on a link. Called in the link's own tasks, so it must be quick and never block.
pub trait Events: Send + Sync + 'static {
    /// Something happened.
    fn tell(&self, event: Event);
}

/// Tells nobody.
impl Events for () {
    fn tell(&self, _: Event) {}
}

impl<F: Fn(Event) + Send + Sync + 'static> Events for F {
    fn tell(&self, event: Event) {
        self(event);
    }
}

/// Something that happened on a link. Its `Display` is a line for a log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// A connection was made.
    Connected {
        /// With whom.
        peer: NodeId,
        /// For which lane.
        lane: Lane,
    },
    /// A connection ended.
    Ended {
        /// With whom.
        peer: NodeId,
        /// For which lane.
        lane: Lane,
        /// Why.
        why: Ended,
    },
    /// The peer could not be reached.
    Unreachable {
        /// Whom.
        peer: NodeId,
        /// What the system says.
        error: String,
    },
    /// Who wanted to connect did not prove to be a peer, or took too long.
    Failed {
        /// From where, or to whom.
        other: String,
        /// What went wrong.
        error: String,
    },
    /// Someone was turned away, as too many handshakes were under way.
    TurnedAway {
        /// From where.
        other: String,
    },
    /// A hello was refused.
    Refused {
        /// Whose.
        other: String,
        /// Why.
        why: Refusal,
    },
    /// The peer refused our hello.
    RefusedBy {
        /// Who did.
        other: String,
        /// Why, in its words.
        why: Refusal,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected { peer, lane } => write!(f, "connected with {peer} ({})", name(*lane)),
            Self::Ended { peer, lane, why } => {
                write!(f, "connection with {peer} ({}) ended: {why}", name(*lane))
            }
            Self::Unreachable { peer, error } => write!(f, "cannot reach {peer}: {error}"),
            Self::Failed { other, error } => write!(f, "handshake with {other} failed: {error}"),
            Self::TurnedAway { other } => write!(f, "turned away {other}: too many handshakes"),
            Self::Refused { other, why } => write!(f, "refused {other}: {why}"),
            Self::RefusedBy { other, why } => write!(f, "{other} refused us: {why}"),
        }
    }
}

fn name(lane: Lane) -> &'static str {
    match lane {
        Lane::Control => "control",
        Lane::Bulk => "bulk",
    }
}

/// Why a connection ended.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Ended {
    /// This end closed.
    #[error("closed")]
    Closed,
    /// The other end closed.
    #[error("the other end closed")]
    Left,
    /// The network failed.
    #[error("{0}")]
    Failed(std::io::ErrorKind),
    /// A frame's length is impossible, or beyond the limit of the lane.
    #[error("a frame of {0} bytes")]
    BadLength(usize),
    /// A frame of the link's own was damaged, or made no sense.
    #[error("a damaged frame")]
    Damaged,
    /// A frame took too long to arrive.
    #[error("a frame that takes too long")]
    SlowFrame,
    /// Nothing came for too long.
    #[error("too long a silence")]
    Dead,
    /// The peer took nothing for too long.
    #[error("the other end takes nothing")]
    Stalled,
    /// The peer sent more than it had credits for, or gave more than it had.
    #[error("more frames than agreed")]
    Overdrawn,
    /// The peer came with a newer connection.
    #[error("there is a newer one")]
    Replaced,
    /// The peer's key is none of its keys any more.
    #[error("the key is not valid any more")]
    Revoked,
    /// The peer was removed.
    #[error("not a peer any more")]
    Removed,
    /// What the peer said made no sense to the node.
    #[error("what it sends makes no sense")]
    HungUp,
    /// The peer does not want it.
    #[error("refused by the other end: {0}")]
    RefusedBy(Refusal),
}

impl Ended {
    /// What it counts as, beside [`Count::Disconnected`].
    pub(super) fn count(&self) -> Option<Count> {
        match self {
            Self::BadLength(_) => Some(Count::BadLengths),
            Self::Damaged => Some(Count::Damaged),
            Self::SlowFrame => Some(Count::SlowFrames),
            Self::Dead => Some(Count::Dead),
            Self::Stalled => Some(Count::Stalled),
            Self::Overdrawn => Some(Count::Overdrawn),
            Self::Replaced => Some(Count::Replaced),
            Self::Revoked => Some(Count::Revoked),
            Self::HungUp => Some(Count::HungUp),
            _ => None,
        }
    }
}
