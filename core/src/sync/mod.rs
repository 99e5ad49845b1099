//! Replicated documents: collections of JSON objects that every replica may write, and that sync by merging.
//!
//! [`stamp`] orders writes, [`document`] and [`collection`] say what a merge is, [`store`] keeps collections with their
//! indexes, [`reconcile`] finds what two replicas do not share, and the replica itself puts them together.

pub mod collection;
pub mod document;
mod limits;
mod pointer;
pub mod reconcile;
mod refusal;
pub mod replica;
pub mod stamp;
pub mod store;
#[cfg(test)]
mod testing;
mod text;
mod vector;

pub use collection::{CollectionState, Deletes, FieldKind, Name, Schema};
pub use document::DocumentState;
pub use limits::Limits;
pub use pointer::{BadPointer, Pointer};
pub use refusal::Refusal;
pub use stamp::{BadId, Clock, DocumentId, Stamp, TooFarAhead};
pub use store::{Change, Receipt, Record, Store};
pub use vector::VersionVector;
