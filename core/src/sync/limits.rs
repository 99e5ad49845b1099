//! What is too much. Limits are for what is written here: what replicas wrote concurrently, each within its limits, is merged
//! whatever comes out, or they would never agree.

use serde::{Deserialize, Serialize};

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
    /// Collections, those counted that were deleted.
    pub collections: u32,
    /// Filters of a query.
    pub filters: u32,
    /// Documents of a page, and items of a change feed told at once: more are asked for page by page.
    pub page: u32,
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
            collections: 1_000,
            filters: 32,
            page: 1_000,
            clock_ahead_ms: 60_000,
        }
    }
}
