//! Replicated documents: collections of JSON objects that every replica may write, and that sync by merging.
//!
//! [`stamp`] orders writes, `document` and `collection` say what a merge is, [`reconcile`] finds what two replicas do not
//! share, and the replica itself puts them together.

pub mod reconcile;
pub mod stamp;

pub use stamp::{Clock, DocumentId, Stamp};
