//! The real world: the nodes that ran in a simulator run on sockets, disks and clocks.
//!
//! A [`Host`](host) owns one node: it takes inputs in turn, steps the protocol, and carries out the effects. What it
//! stands on is pluggable: a [`Link`](link::Link) carries frames between nodes, a [`Store`](store::Store) keeps records and
//! blobs, [`Watch`](host::Watch) looks on. The [`door`] lets people and programs see it and ask it things. What tasks of a
//! scheduler [`compute`] is done here, too.

pub mod clock;
pub mod compute;
pub mod documents;
pub mod door;
pub mod host;
pub mod identity;
pub mod knobs;
pub mod link;
pub mod recording;
pub mod store;
pub mod tasks;

pub use knobs::Knobs;
