//! What the door wants of a node. Everything is JSON here, or brought by the node, so the door knows no protocol.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use seedbed_core::contract::{Life, Members, NodeId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::events::{Event, EventLog};
use super::keys::Keys;
use super::lanes::LaneStatus;
use super::resources::{Front, Served};

/// A future that can be sent to another thread.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A node as its door sees it.
pub trait Node: Debug + Send + Sync + 'static {
    /// All that a person wants to know at a glance.
    fn status(&self) -> Status;

    /// Whether it can be asked: a life has begun and is not over.
    fn is_ready(&self) -> bool;

    /// What has happened to it.
    fn events(&self) -> &EventLog;

    /// What it counts.
    fn figures(&self) -> Vec<Figure>;

    /// Gives it one of its protocol's commands and waits for the reply.
    fn command(&self, command: Value) -> BoxFuture<'_, Result<Value, Failure>>;

    /// Whether it takes [`faults`](Self::faults).
    fn has_faults(&self) -> bool {
        false
    }

    /// Changes what its links suffer, and tells what they suffer now.
    ///
    /// # Errors
    /// If it does not take faults, or cannot make sense of these.
    fn faults(&self, faults: &Faults) -> Result<Vec<Cut>, Failure> {
        let _ = faults;
        Err(Failure::NotOffered)
    }

    /// Whoever knows the keys of its cluster, if it has any.
    fn keys(&self) -> Option<&dyn Keys> {
        None
    }

    /// What can be asked of it beside what can be asked of all nodes.
    fn served(&self, front: &Front) -> Served {
        let _ = front;
        Served::default()
    }
}

/// Why a node did not do as it was asked.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Failure {
    /// It cannot make sense of what it was asked.
    #[error("{0}")]
    Unreadable(String),
    /// It did not answer in time. What was asked may yet be done.
    #[error("the node did not answer in time; what was asked may yet be done")]
    TimedOut,
    /// Too much waits for it already. Nothing was done.
    #[error("too much waits for the node already")]
    Busy,
    /// It is down, or went down before it answered: what was asked may have been done.
    #[error("the node is down, or went down before it answered")]
    Down,
    /// It could, but it would be wrong as things are.
    #[error("{0}")]
    Refused(String),
    /// It tried, and the system did not let it.
    #[error("{0}")]
    Failed(String),
    /// It does not do such things.
    #[error("this node is not configured to do that")]
    NotOffered,
}

/// All that a person wants to know of a node at a glance.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Status {
    /// Its number.
    pub node: NodeId,
    /// What people call it.
    pub name: String,
    /// What its system is called.
    pub cluster: String,
    /// What it runs.
    pub protocol: String,
    /// The version of the program.
    pub version: String,
    /// Whether it is up.
    pub up: bool,
    /// How often it has started before.
    pub life: Life,
    /// When this life began: RFC 3339, in UTC; none before the first.
    pub since: Option<String>,
    /// How long this life has lasted, in nanoseconds.
    pub uptime_ns: u64,
    /// The steps of this life.
    pub steps: u64,
    /// What it is at the moment; empty if its protocol knows no roles.
    pub role: String,
    /// What else it tells of itself, such as `leader` and `term`.
    pub facts: BTreeMap<String, String>,
    /// Who belongs to the system, as far as it was told.
    pub members: Option<Members>,
    /// Its connections with peers, by their numbers.
    pub links: Vec<LinkStatus>,
    /// What it keeps.
    pub disk: DiskStatus,
    /// The last things that happened to it, oldest first.
    pub events: Vec<Event>,
}

/// The connection with a peer.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct LinkStatus {
    /// The peer.
    pub peer: NodeId,
    /// Whether it seems reachable.
    pub up: bool,
    /// Its lanes, `control` and `bulk`, as far as the link tells.
    pub lanes: BTreeMap<String, LaneStatus>,
}

/// What a node keeps.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct DiskStatus {
    /// Records that it had when this life began.
    pub recovered: u64,
    /// Records that it has written in this life.
    pub written: u64,
    /// How often it has replaced its log by a shorter one in this life.
    pub checkpoints: u64,
}

/// A number that a node counts or measures.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// In the style of Prometheus: `seedbed_frames_sent_total`.
    pub name: &'static str,
    /// One line.
    pub help: &'static str,
    /// What sort of number it is.
    pub kind: FigureKind,
    /// Names and values that tell it apart from others of the same name.
    pub labels: Vec<(&'static str, String)>,
    /// The number.
    pub value: f64,
}

/// What sort of number a figure is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FigureKind {
    /// It only rises, and starts at zero with the process. Its name ends in `_total`.
    Counter,
    /// It rises and falls.
    Gauge,
}

impl Figure {
    /// A count.
    #[must_use]
    pub const fn counter(name: &'static str, help: &'static str, value: u64) -> Self {
        Self { name, help, kind: FigureKind::Counter, labels: Vec::new(), value: value as f64 }
    }

    /// A measure.
    #[must_use]
    pub const fn gauge(name: &'static str, help: &'static str, value: f64) -> Self {
        Self { name, help, kind: FigureKind::Gauge, labels: Vec::new(), value }
    }

    /// The same with a label.
    #[must_use]
    pub fn with(mut self, label: &'static str, value: impl Into<String>) -> Self {
        self.labels.push((label, value.into()));
        self
    }
}

/// What the links of a node are to suffer from now on. First everything heals that is to heal.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Faults {
    /// Whether all cuts end.
    #[serde(default)]
    pub heal_all: bool,
    /// Cuts that end.
    #[serde(default)]
    pub heal: Vec<Cut>,
    /// Cuts that begin.
    #[serde(default)]
    pub cut: Vec<Cut>,
}

/// A peer with whom nothing is exchanged.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// The peer.
    pub peer: NodeId,
    /// In which direction.
    #[serde(default)]
    pub way: Way,
}

/// In which direction nothing passes.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// To the peer.
    To,
    /// From the peer.
    From,
    /// Neither to it nor from it.
    #[default]
    Both,
}
