//! What is too much. Limits are for what is written here: what replicas wrote concurrently, each within its limits, is merged
//! whatever comes out, or they would never agree. Only the `merged` ones, several times as high, bound what others tell: what
//! is beyond them could not be told on, or is no honest replica's work. It is refused, and what is here stays as it is.

use serde::{Deserialize, Serialize};

use super::reconcile::WRITERS_MAX;
use crate::contract::frame::FRAME_MAX;

/// The bounds of a store.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Limits {
    /// Bytes of a document's canonical text.
    pub document_bytes: u32,
    /// How deep a document may nest: 1 is an object of scalars.
    pub depth: u32,
    /// Fields of a document: scalars, arrays, nested objects, elements of sets; and those that were removed, until what they
    /// stood in is written anew.
    pub fields: u32,
    /// Bytes of a field's name.
    pub field_name_bytes: u32,
    /// Bytes of a document's state after a write here: it names each field by its whole path.
    pub state_bytes: u32,
    /// Bytes of a document's state after a merge: it has to fit into a frame, and into a record of a log. Seven replicas that
    /// each fill the same document with other fields, none knowing of the others, stay below; beyond it replicas agree again
    /// when the document is put anew or deleted.
    pub merged_state_bytes: u32,
    /// Writers that a merged document may have seen.
    pub merged_writers: u32,
    /// Collections, those counted that were deleted.
    pub collections: u32,
    /// Collections after others told of theirs.
    pub merged_collections: u32,
    /// Filters of a query.
    pub filters: u32,
    /// Documents of a page, and items of a change feed told at once: more are asked for page by page.
    pub page: u32,
    /// Deletions of a collection that the change feed still tells of when their tombstones have gone.
    pub deletions: u32,
    /// How far another replica's clock may be ahead of ours, in milliseconds.
    pub clock_ahead_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            document_bytes: 1 << 20,
            depth: 32,
            fields: 10_000,
            field_name_bytes: 256,
            state_bytes: 2 << 20,
            merged_state_bytes: (FRAME_MAX - (1 << 20)) as u32,
            merged_writers: WRITERS_MAX as u32,
            collections: 1_000,
            merged_collections: 4_000,
            filters: 32,
            page: 1_000,
            deletions: 10_000,
            clock_ahead_ms: 60_000,
        }
    }
}
