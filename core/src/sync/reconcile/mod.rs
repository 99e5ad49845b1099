//! Finding what two replicas do not share, in few bytes.
//!
//! A collection is a set of [`Entry`]s: which document, in which version, with which hash. [`EntrySet`] is its index, kept
//! while documents are written. A [`Session`] between two replicas is a state machine without I/O: bytes in, bytes out, and
//! what it found. It speaks one of the [`Method`]s:
//!
//! - `overwrite`: the state with the higher version replaces the other (Distri's; it loses updates).
//! - `full-merge`: each side hands over everything.
//! - `digest`: a list of all ids and hashes.
//! - `merkle`: a 16-way trie of fingerprints.
//! - `range`: range-based set reconciliation (Meyer, "Range-Based Set Reconciliation", SRDS 2023).
//! - `riblt`: rateless invertible Bloom lookup tables (Yang et al., SIGCOMM 2024).
//! - `delta`: version vectors, exact in the steady state.
//! - `auto`: a probe first, then the cheapest of these.
//!
//! Entries carry a hash under the collection's key. A fingerprint is a hash, under a key drawn for the session, of the sum of
//! these modulo 2^256 and of their count. Neither exclusive or nor an unkeyed sum would do: forged sets with equal ones are
//! found by Wagner's k-tree (CRYPTO 2002).

mod auto;
mod cells;
mod delta;
mod digest;
mod entry;
mod knowledge;
mod probe;
mod range;
mod riblt;
mod session;
mod set;
mod tree;
mod turn;
mod whole;
mod wire;

#[cfg(test)]
mod tests;

pub use entry::{Aggregate, CollectionKey, Entry, Key, SessionKey};
pub use knowledge::{Knowledge, WRITERS_MAX};
pub use session::{Method, Options, Outcome, Refusal, Session};
pub use set::{EntrySet, Order};
pub use turn::{Counters, Step, Wanted};
