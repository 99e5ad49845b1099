//! What goes over the wire, onto the disk and into the timer wheel.

use serde::{Deserialize, Serialize};

use crate::contract::{NodeId, Wire};

/// Where an entry stands in a log: the later one wins (5.4.1).
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Position {
    /// The term in which it was written.
    pub term: u64,
    /// Its number.
    pub index: u64,
}

/// What nodes say to each other. A term is the sender's, unless said otherwise.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Message {
    /// Would you vote for me?
    RequestPreVote {
        /// The term that the sender would begin.
        term: u64,
        /// Its last log entry.
        last: Position,
    },
    /// Answers a [`RequestPreVote`](Self::RequestPreVote).
    PreVote {
        /// The term asked for if granted.
        term: u64,
        /// Yes or no.
        granted: bool,
    },
    /// Vote for me.
    RequestVote {
        /// The term of the election.
        term: u64,
        /// The candidate's last log entry.
        last: Position,
    },
    /// Answers a [`RequestVote`](Self::RequestVote).
    Vote {
        /// That of the vote if granted.
        term: u64,
        /// Yes or no.
        granted: bool,
    },
    /// I lead.
    Heartbeat {
        /// Of the leader.
        term: u64,
        /// Counted by the leader.
        round: u64,
    },
    /// Answers a [`Heartbeat`](Self::Heartbeat); with a later term it says that the leader is none any more.
    HeartbeatAck {
        /// Of the follower.
        term: u64,
        /// Of the heartbeat.
        round: u64,
    },
}
impl Wire for Message {}

/// What a node waits for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Timer {
    /// No leader has been heard for a while.
    Election,
    /// The next round is due.
    Heartbeat,
}

/// What must survive a crash.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Record {
    /// The latest term seen.
    pub term: u64,
    /// Who got this node's vote in it.
    pub voted_for: Option<NodeId>,
}
