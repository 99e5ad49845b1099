//! Nodes as processes of their own: the file that describes one node, the file that describes a cluster, and what
//! becomes of them.

mod address;
mod admission;
mod cluster;
mod epoch;
mod home;
mod keyring;
mod limits;
mod log;
mod node;
mod ports;
mod process;
mod serve;
mod signals;
mod written;

pub use address::{Address, AddressError};
pub use admission::{AdmissionError, Joined, Joiner};
pub use cluster::{ClusterFile, ClusterPlan};
pub use epoch::EpochError;
pub use home::{Home, HomeError, HomeLock, Seat};
pub use limits::Limits;
pub use node::{Api, KEYS_MAX, LogLevel, MEMBERS_MAX, Member, NodeFile, NodePlan};
pub use process::{NoProcess, Process};
pub use seedbed_transport::identity::{SecretKey, Token};
pub use serve::{Hosted, ServeError};
pub use signals::Signals;
