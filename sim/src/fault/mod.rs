//! Faults are data: generators and selectors are resolved when they fire, into a concrete, timed list that can be
//! replayed, edited and shrunk.

mod profile;
mod schedule;
mod selector;
mod trace;

use std::fmt;

use seedbed_core::contract::{Duration, NodeId, Time};
use serde::{Deserialize, Serialize};

use crate::disk::Loss;
use crate::network::Disturbance;

pub use profile::{Fit, Profile};
pub use schedule::{Generator, Kind, Schedule, When};
pub use selector::{Groups, Scene, Selector, SelectorError};
pub use trace::{OUTAGES_MAX, Outage, Trace, TraceError};

/// One thing that a fault does, to nodes that are named.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// A node stops and loses its memory, and of its disk what `loss` says.
    Crash {
        /// Which node.
        node: NodeId,
        /// What becomes of its disk.
        loss: Loss,
    },
    /// A node that is down starts a new life.
    Restart {
        /// Which node.
        node: NodeId,
    },
    /// A node stands still; what comes to it waits.
    Pause {
        /// Which node.
        node: NodeId,
    },
    /// A paused node goes on.
    Resume {
        /// Which node.
        node: NodeId,
    },
    /// Links are disturbed.
    Disturb {
        /// Names the disturbance, for its end.
        number: u64,
        /// From each of these,
        from: Vec<NodeId>,
        /// to each of these.
        to: Vec<NodeId>,
        /// How.
        how: Disturbance,
    },
    /// A disturbance ends.
    Calm {
        /// Its name.
        number: u64,
    },
    /// A disk does nothing for a while.
    DiskStall {
        /// Which node.
        node: NodeId,
        /// For how long.
        lasts: Duration,
    },
    /// A disk has no more room, or has again.
    DiskFull {
        /// Which node.
        node: NodeId,
        /// Whether it is full.
        full: bool,
    },
    /// The next sync of a disk fails, which ends the node's life.
    DiskError {
        /// Which node.
        node: NodeId,
    },
    /// A record in the middle of the log and one drawn blob are damaged: the node refuses to start again.
    DiskRot {
        /// Which node.
        node: NodeId,
    },
    /// A wall clock jumps.
    ClockJump {
        /// Which node.
        node: NodeId,
        /// By so many nanoseconds, forwards or backwards.
        by: i64,
    },
    /// A clock runs at another rate from now on.
    ClockDrift {
        /// Which node.
        node: NodeId,
        /// Faster than true by so many parts per billion.
        ppb: i64,
    },
}

/// An [`Action`] with its time.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Timed {
    /// In the world's time.
    pub at: Time,
    /// What happens.
    pub action: Action,
}

impl Action {
    /// What it is called in scenarios and logs.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Crash { .. } => "crash",
            Self::Restart { .. } => "restart",
            Self::Pause { .. } => "pause",
            Self::Resume { .. } => "resume",
            Self::Disturb { how: Disturbance::Cut, .. } => "cut",
            Self::Disturb { how: Disturbance::Loss(_), .. } => "lossy",
            Self::Disturb { how: Disturbance::Delay(_), .. } => "slow",
            Self::Calm { .. } => "calm",
            Self::DiskStall { .. } => "disk-stall",
            Self::DiskFull { .. } => "disk-full",
            Self::DiskError { .. } => "disk-error",
            Self::DiskRot { .. } => "disk-rot",
            Self::ClockJump { .. } => "clock-jump",
            Self::ClockDrift { .. } => "clock-drift",
        }
    }

    /// The node it strikes, unless it strikes links.
    #[must_use]
    pub const fn node(&self) -> Option<NodeId> {
        match *self {
            Self::Crash { node, .. }
            | Self::Restart { node }
            | Self::Pause { node }
            | Self::Resume { node }
            | Self::DiskStall { node, .. }
            | Self::DiskFull { node, .. }
            | Self::DiskError { node }
            | Self::DiskRot { node }
            | Self::ClockJump { node, .. }
            | Self::ClockDrift { node, .. } => Some(node),
            Self::Disturb { .. } | Self::Calm { .. } => None,
        }
    }
}

/// Kind and target, as a log line shows them.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())?;
        match self {
            Self::Disturb { number, from, to, .. } => {
                write!(f, " #{number} {} -> {}", Nodes(from), Nodes(to))
            }
            Self::Calm { number } => write!(f, " #{number}"),
            Self::ClockJump { node, by } => write!(f, " {node} {by}ns"),
            Self::ClockDrift { node, ppb } => write!(f, " {node} {ppb}ppb"),
            Self::DiskStall { node, lasts } => write!(f, " {node} {lasts}"),
            _ => self.node().map_or(Ok(()), |node| write!(f, " {node}")),
        }
    }
}

struct Nodes<'a>(&'a [NodeId]);

impl fmt::Display for Nodes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, node) in self.0.iter().take(8).enumerate() {
            write!(f, "{}{node}", if index > 0 { "," } else { "" })?;
        }
        if self.0.len() > 8 {
            write!(f, ",+{}", self.0.len() - 8)?;
        }
        Ok(())
    }
}
