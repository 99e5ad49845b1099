//! What processors and the network between them cost.

use serde::{Deserialize, Serialize};

use crate::contract::Duration;
use crate::settings::{Bytes, Rate};

/// The most processors.
pub const PROCESSORS_MAX: usize = 65_536;
/// The digits behind the point of means over links, in bits.
const FRACTION: u32 = 32;

/// How fast a processor is, in millionths of the speed at which work is measured.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Speed(pub u64);

impl Speed {
    /// A second of work takes a second.
    pub const ONE: Self = Self(1_000_000);

    /// How long work takes, rounded up to a nanosecond; none if that is longer than can be counted, or takes forever.
    #[must_use]
    pub fn time(self, work: Duration) -> Option<Duration> {
        if self == Self::ONE {
            return Some(work);
        }
        ratio(work.as_nanos(), Self::ONE.0, self.0).map(Duration::from_nanos)
    }
}

/// The way from one processor to another.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Link {
    /// How long the first bit takes.
    pub latency: Duration,
    /// How fast the others follow; [`Rate::MAX`] is at once.
    pub bandwidth: Rate,
}

impl Link {
    /// A link that costs nothing.
    pub const FREE: Self = Self { latency: Duration::ZERO, bandwidth: Rate::MAX };

    /// How long data takes: the latency, and the bytes by the bandwidth, rounded up to a nanosecond. None if that is
    /// longer than can be counted, or takes forever.
    #[must_use]
    pub fn time(self, data: Bytes) -> Option<Duration> {
        let rest = match self.bandwidth {
            Rate::MAX => 0,
            Rate(bits_per_second) => ratio(data.0, BITS_TIMES_NANOS, bits_per_second)?,
        };
        self.latency.as_nanos().checked_add(rest).map(Duration::from_nanos)
    }

    /// The nanoseconds that a byte takes, as a fixed-point number, rounded down.
    fn per_byte(self) -> u128 {
        match self.bandwidth {
            Rate::MAX | Rate(0) => 0,
            Rate(bits_per_second) => (u128::from(BITS_TIMES_NANOS) << FRACTION) / u128::from(bits_per_second),
        }
    }
}
/// Bits in a byte, times nanoseconds in a second.
const BITS_TIMES_NANOS: u64 = 8_000_000_000;

/// `value * times / by`, rounded up; none if it does not fit, or `by` is zero.
fn ratio(value: u64, times: u64, by: u64) -> Option<u64> {
    match value.checked_mul(times) {
        _ if by == 0 => None,
        Some(product) => Some(product.div_ceil(by)),
        None => u64::try_from((u128::from(value) * u128::from(times)).div_ceil(u128::from(by))).ok(),
    }
}

/// How long tasks take.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Execution {
    /// By task, then by processor, whatever the work of the task: unrelated machines.
    Matrix(Vec<Vec<Duration>>),
    /// The work by the speed of each processor: related machines.
    Speeds(Vec<Speed>),
}

/// How long data takes between two processors. Within one it takes no time.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Network {
    /// All links are alike.
    Uniform(Link),
    /// By the processor that gives, then by the one that takes.
    Pairs(Vec<Vec<Link>>),
}

/// Processors and network.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Costs {
    /// What tasks cost.
    pub execution: Execution,
    /// What communication costs.
    pub network: Network,
}

impl Costs {
    /// Equal processors of speed one, and communication that costs nothing.
    #[must_use]
    pub fn identical(processors: usize) -> Self {
        let execution = Execution::Speeds(vec![Speed::ONE; processors]);
        Self { execution, network: Network::Uniform(Link::FREE) }
    }

    /// How many processors there are.
    #[must_use]
    pub fn processors(&self) -> usize {
        match &self.execution {
            Execution::Matrix(rows) => rows.first().map_or(0, Vec::len),
            Execution::Speeds(speeds) => speeds.len(),
        }
    }
}

impl Network {
    /// The link between two different processors.
    pub(super) fn link(&self, from: usize, to: usize) -> Link {
        match self {
            Self::Uniform(link) => *link,
            Self::Pairs(links) => links[from][to],
        }
    }

    /// Of the links between different processors, the longest latency and the least bandwidth.
    pub(super) fn worst(&self) -> Link {
        let worse = |one: Link, other: &Link| Link {
            latency: one.latency.max(other.latency),
            bandwidth: one.bandwidth.min(other.bandwidth),
        };
        match self {
            Self::Uniform(link) => *link,
            Self::Pairs(rows) => between(rows).fold(Link::FREE, worse),
        }
    }

    /// Sums over all links between different processors.
    pub(super) fn sums(&self, processors: usize) -> Sums {
        match self {
            Self::Uniform(link) => Sums::Alike { link: *link, links: processors * (processors - 1) },
            Self::Pairs(rows) => Sums::Different {
                latency: between(rows).map(|link| u128::from(link.latency.as_nanos())).sum(),
                per_byte: between(rows).map(|link| link.per_byte()).sum(),
            },
        }
    }
}

/// The links between different processors.
fn between(rows: &[Vec<Link>]) -> impl Iterator<Item = &Link> {
    let others = |(from, row)| {
        let row: &Vec<Link> = row;
        row.iter().enumerate().filter(move |(to, _)| *to != from).map(|(_, link)| link)
    };
    rows.iter().enumerate().flat_map(others)
}

/// What the mean of communication is made of, so that it is not summed over all links for each edge.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sums {
    Alike {
        link: Link,
        links: usize,
    },
    Different {
        /// In nanoseconds.
        latency: u128,
        /// In nanoseconds, as a fixed-point number.
        per_byte: u128,
    },
}

impl Sums {
    /// The time that data takes, summed over all links, in nanoseconds. Of data that takes a countable time.
    pub(super) fn time(self, data: Bytes) -> u128 {
        match self {
            Self::Alike { link, links } => {
                u128::from(link.time(data).unwrap_or(Duration::MAX).as_nanos()) * links as u128
            }
            Self::Different { latency, per_byte } => latency + ((u128::from(data.0) * per_byte) >> FRACTION),
        }
    }
}
