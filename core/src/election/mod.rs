//! Leader election: who may act for all, when any of them may crash and any link may be cut?
//!
//! Three answers stand side by side and are swapped by name in a scenario:
//!
//! - [`raft`]: terms and votes. At most one leader per term whatever happens; a leader again once a majority can talk.
//! - [`bully`]: the highest node that is up takes over. Needs a synchronous, reliable network.
//! - [`ring`]: the highest name survives a tour around a ring. Needs the same.
//!
//! What they share lies here and beside it: the same commands and [`Notice`]s, the same parameters where they mean
//! the same ([`check_timing`]), who belongs ([`Voters`]), and one [`ElectionProbe`] that measures and checks all of
//! them through [`Elector`].

pub mod bully;
mod detection;
mod probe;
pub mod raft;
pub mod ring;
#[cfg(test)]
mod testing;
mod voters;

use serde::{Deserialize, Serialize};

use crate::contract::{Answer, Duration, Metric, NodeId, Protocol, Time};
use crate::{choice, settings};

pub use probe::{CONDITIONS, ElectionProbe, METRICS, PROMISES, TERM_PROMISES};
pub use voters::Voters;

/// What an election tells whoever embeds or observes it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Notice {
    /// Asks whether it could win, without disturbing anyone yet.
    Polling {
        /// The term it would campaign in.
        term: u64,
    },
    /// Starts an election with itself as the candidate.
    Campaigning {
        /// In this term; 0 where there are no terms.
        term: u64,
    },
    /// Leads.
    Leading {
        /// In this term; 0 where there are no terms.
        term: u64,
    },
    /// Follows a leader it did not follow before.
    Following {
        /// Whom.
        leader: NodeId,
        /// In this term; 0 where there are no terms.
        term: u64,
    },
    /// Neither leads nor campaigns any more, and knows of no leader.
    SteppedDown {
        /// Now in this term; 0 where there are no terms.
        term: u64,
    },
    /// Leads and has just got a lease that it did not hold before.
    Leased {
        /// In this term.
        term: u64,
    },
}

/// What a client may ask of a node.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Command {
    /// Who leads?
    WhoLeads,
    /// Start an election now.
    Campaign,
}

/// What a node answers.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Reply {
    /// To [`Command::WhoLeads`]: as far as this node knows.
    Leader(Option<NodeId>),
    /// To [`Command::Campaign`]: whether it has begun.
    Campaigning(bool),
}

impl Reply {
    /// What it means to the client.
    #[must_use]
    pub const fn answer(&self) -> Answer {
        match self {
            Self::Leader(Some(_)) | Self::Campaigning(true) => Answer::Done,
            Self::Leader(None) | Self::Campaigning(false) => Answer::Failed,
        }
    }
}

choice! {
    /// What clients ask.
    pub enum Ask {
        /// Who leads?
        WhoLeads,
        /// Start an election now.
        Campaign,
    }
}

settings! {
    /// What clients do.
    pub struct Load {
        /// What they ask.
        pub ask: Ask = Ask::WhoLeads;
    }
}

impl Load {
    /// The command.
    #[must_use]
    pub const fn command(&self) -> Command {
        match self.ask {
            Ask::WhoLeads => Command::WhoLeads,
            Ask::Campaign => Command::Campaign,
        }
    }
}

/// An election as its probe sees it.
pub trait Elector: Protocol<Notice = Notice, Command = Command, Reply = Reply> {
    /// The kinds of its messages.
    const KINDS: &'static [Kind];

    /// Which of [`KINDS`](Self::KINDS) a message is.
    fn kind(message: &Self::Message) -> usize;

    /// Whom it follows: itself if it leads.
    fn leader(&self) -> Option<NodeId>;

    /// Whether it leads.
    fn leads(&self) -> bool;

    /// Its term; 0 where there are no terms.
    fn term(&self) -> u64 {
        0
    }

    /// Whether it holds a valid lease when its steady clock shows `now`.
    fn holds_lease(&self, now: Time) -> bool {
        let _ = now;
        false
    }

    /// The term that the sender of a message says it is in.
    fn spoken_term(message: &Self::Message) -> Option<u64> {
        let _ = message;
        None
    }

    /// The vote that a message from one node to another carries: a term and whom it is for.
    fn vote(from: NodeId, to: NodeId, message: &Self::Message) -> Option<(u64, NodeId)> {
        let _ = (from, to, message);
        None
    }

    /// The most messages of [`Class::Ask`] that one campaign or poll may cause among `nodes` nodes.
    fn asks_max(config: &Self::Config, nodes: u64) -> u64;

    /// The shortest time between two campaigns, or two polls, of one node that nobody told to hold them.
    fn campaign_gap(config: &Self::Config) -> Duration;
}

/// Whom a node takes for the leader, for a status page.
fn leader_fact(elector: &impl Elector) -> (&'static str, String) {
    ("leader", elector.leader().map_or_else(|| "none".into(), |leader| leader.to_string()))
}

/// A kind of message, as it is counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Kind {
    /// The metric with its count.
    pub metric: Metric,
    /// What it is for.
    pub class: Class,
}

/// What a message is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Class {
    /// Part of an election, sent by who wants something.
    Ask,
    /// Part of an election, sent in answer to a message received.
    Answer,
    /// Tells that a leader is alive, or that its follower is.
    Heartbeat,
}

impl Kind {
    const fn new(class: Class, name: &'static str, about: &'static str) -> Self {
        Self { metric: Metric::number(name, "", about), class }
    }
}

/// What the nodes of every election can be.
const ROLES: &[&str] = &["leader", "candidate", "follower"];

/// Whether these can work together, whatever the election.
///
/// # Errors
/// The key to blame and what is wrong with it.
pub fn check_timing(
    heartbeat: Duration,
    timeout_min: Duration,
    timeout_max: Duration,
) -> Result<(), (&'static str, String)> {
    if timeout_max < timeout_min {
        return Err(("timeout_max", format!("must not be below timeout_min = {timeout_min}")));
    }
    if heartbeat >= timeout_min {
        return Err(("heartbeat", format!("must be shorter than timeout_min = {timeout_min}")));
    }
    Ok(())
}

/// The shortest time that a parameter may be.
const SHORTEST: Duration = Duration::from_micros(1);
/// The longest time that a parameter may be.
const LONGEST: Duration = Duration::from_secs(86_400);
