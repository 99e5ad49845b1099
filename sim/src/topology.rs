//! How far apart regions are: one-way latencies between all pairs, from a table or from a map.
//!
//! A table is CSV text with measured latencies. A map is GraphML text as the Internet Topology Zoo publishes it
//! (Knight et al., IEEE JSAC 29(9), 2011): cities with coordinates and the cables between them; latencies follow
//! from the shortest way that light can take. See [`Matrix::from_csv`] and [`Matrix::from_graphml`].
//!
//! Both texts come from outside: whatever is wrong with them is an error that says where, and sizes are bounded.

mod csv;
mod graphml;
mod light;

use seedbed_core::contract::Duration;
use thiserror::Error;

/// The most regions of a matrix; the largest network of the Topology Zoo has 754 nodes.
pub const REGIONS_MAX: usize = 1_024;
/// The most links of a map.
pub const LINKS_MAX: usize = 16_384;
/// The longest text that is read, in bytes.
pub const TEXT_MAX: usize = 16 << 20;
/// The longest name of a region, in bytes.
pub const NAME_MAX: usize = 128;
/// The longest latency of one cell or link.
pub const LATENCY_MAX: Duration = Duration::from_secs(86_400);

/// The latencies between regions. Not necessarily symmetric.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Matrix {
    /// Their names, each once.
    pub regions: Vec<String>,
    /// `one_way[from][to]`, in the order of the names.
    pub one_way: Vec<Vec<Duration>>,
}

/// What is wrong with the text of a matrix or map.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum TopologyError {
    /// Something at one place of the text.
    #[error("line {line}, column {column}: {problem}")]
    Malformed {
        /// From 1.
        line: u32,
        /// In characters, from 1.
        column: u32,
        /// What, in a sentence without a full stop.
        problem: String,
    },
    /// More text than [`TEXT_MAX`].
    #[error("{bytes} bytes are more than the {TEXT_MAX} that a topology may have")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The map falls into parts.
    #[error("no way leads from {from} to {to}")]
    Unreachable {
        /// A region.
        from: String,
        /// A region that it cannot reach.
        to: String,
    },
    /// Nothing tells the length of a node's links.
    #[error("{node} has no Latitude and Longitude, and no link of the map has a length that could stand in")]
    NoPlace {
        /// The node.
        node: String,
    },
}

impl Matrix {
    /// Reads a file of either kind: a map if its name ends in `.graphml`, else a table.
    ///
    /// # Errors
    /// See [`from_csv`](Self::from_csv) and [`from_graphml`](Self::from_graphml).
    pub fn parse(path: &str, text: &str) -> Result<Self, TopologyError> {
        if path.ends_with(".graphml") { Self::from_graphml(text) } else { Self::from_csv(text) }
    }

    /// Reads a table of one-way latencies in milliseconds:
    ///
    /// ```text
    /// # Lines that start with # are comments.
    /// From/to,oregon,ireland
    /// oregon,0,59
    /// ireland,59.5,0
    /// ```
    ///
    /// The first cell is free. Rows may stand in any order, one for each column. The diagonal is the latency within
    /// a region. Cells are separated by commas and not quoted.
    ///
    /// # Errors
    /// With line and column of what is not such a table.
    pub fn from_csv(text: &str) -> Result<Self, TopologyError> {
        csv::matrix(within_limit(text)?)
    }

    /// Reads a map in GraphML and finds the shortest way between all pairs of its nodes.
    ///
    /// A link lasts as long as its attribute `latency` or `delay` says, in milliseconds; else light in fibre for its
    /// attribute `length` or `distance`, in kilometres; else light in fibre along the great circle between the nodes'
    /// `Latitude` and `Longitude`. Cables take detours, so that is a lower bound. (`LinkSpeed` is a rate, and not
    /// used.) Links lead both ways unless the graph or the edge says that it is directed.
    ///
    /// A node without coordinates is put into the middle of its neighbours that have some, if there are at least
    /// two. At a lonelier one, links are as long as the median of the links between placed nodes.
    ///
    /// Regions are named by the nodes' `label`, followed by the id in parentheses if several share it; without a
    /// label, by the id. A node whose `hyperedge` is 1 is a junction: ways lead through it, but it is no region.
    ///
    /// # Errors
    /// If the text is not such a map, a pair is not connected, or nothing tells the length of a link.
    pub fn from_graphml(text: &str) -> Result<Self, TopologyError> {
        light::matrix(&graphml::map(within_limit(text)?)?)
    }

    /// The place of a region in the matrix.
    #[must_use]
    pub fn index(&self, region: &str) -> Option<usize> {
        self.regions.iter().position(|name| name == region)
    }

    /// The latency from one region to another, by index.
    ///
    /// # Panics
    /// If there is no such region.
    #[must_use]
    pub fn between(&self, from: usize, to: usize) -> Duration {
        self.one_way[from][to]
    }
}

fn within_limit(text: &str) -> Result<&str, TopologyError> {
    if text.len() > TEXT_MAX { Err(TopologyError::TooLong { bytes: text.len() }) } else { Ok(text) }
}

/// An error at a place that counts from 1.
fn malformed(line: u32, column: u32, problem: impl Into<String>) -> TopologyError {
    TopologyError::Malformed { line, column, problem: problem.into() }
}

/// A number of milliseconds as a latency, if it is one.
fn latency(text: &str) -> Result<Duration, String> {
    let longest = LATENCY_MAX.as_millis();
    match text.parse::<f64>() {
        Ok(ms) if (0.0..=longest as f64).contains(&ms) => {
            Ok(Duration::from_nanos(libm::round(ms * 1e6) as u64))
        }
        _ => Err(format!("expected milliseconds from 0 to {longest}, found {:?}", excerpt(text))),
    }
}

/// The beginning of a text that may be of any length.
fn excerpt(text: &str) -> &str {
    text.char_indices().nth(40).map_or(text, |(end, _)| &text[..end])
}

/// A name of a region, if it can be one.
fn name(text: &str) -> Result<&str, String> {
    match text.len() {
        0 => Err("a region needs a name".into()),
        1..=NAME_MAX => Ok(text),
        _ => Err(format!("the name {:?}... is longer than {NAME_MAX} bytes", excerpt(text))),
    }
}
