//! Nodes as processes of their own: the file that describes one node, the file that describes a cluster, and what
//! becomes of them.

mod address;
mod cluster;
mod limits;
mod node;
mod process;

pub use address::{Address, AddressError};
pub use cluster::{ClusterFile, ClusterPlan};
pub use limits::Limits;
pub use node::{Api, KEYS_MAX, LogLevel, MEMBERS_MAX, Member, NodeFile, NodePlan};
pub use process::{NoProcess, Process};
