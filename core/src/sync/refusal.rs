//! Why a command on documents was refused. What is refused has changed nothing.

use serde::{Deserialize, Serialize};

use super::{FieldKind, Pointer, TooFarAhead};

/// Why a command was refused.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, thiserror::Error)]
pub enum Refusal {
    /// The collection does not exist.
    #[error("there is no such collection")]
    NoSuchCollection,
    /// A collection of this name exists.
    #[error("the collection exists already")]
    CollectionExists,
    /// The document does not exist, or no longer.
    #[error("there is no such document")]
    NoSuchDocument,
    /// A document of this name exists.
    #[error("the document exists already")]
    DocumentExists,
    /// The document is not the one that was expected.
    #[error("the document has changed since it was read")]
    HasChanged,
    /// The text is no JSON, or nests deeper than any may.
    #[error("{0}")]
    BadJson(String),
    /// A document, or a patch of one, is another value than an object.
    #[error("a document is a JSON object")]
    NotAnObject,
    /// The field `_id` is not a UUIDv7 in canonical form.
    #[error("`_id` is a UUID of version 7 in lower-case canonical form")]
    BadId,
    /// The field `_id` names another document.
    #[error("`_id` names another document: it cannot be changed")]
    OtherId,
    /// A name has characters that names have not, or is too long.
    #[error(
        "a name may have {} {bytes_max} bytes{}",
        if *.is_field { "at most" } else { "1 to" },
        if *.is_field { ", and no NUL" } else { " of letters, digits, `-`, `_` and `.`, and no dot at its start" }
    )]
    BadName {
        /// Bytes allowed.
        bytes_max: u32,
        /// Whether it is the name of a field, which may be empty, or of a collection.
        is_field: bool,
    },
    /// The document would be too large.
    #[error("a document of {bytes} bytes: at most {bytes_max} are allowed")]
    TooLarge {
        /// Bytes of its canonical text.
        bytes: u64,
        /// Bytes allowed.
        bytes_max: u32,
    },
    /// The document, or a patch, nests too deep.
    #[error("JSON of depth {depth}: at most {depth_max} is allowed")]
    TooDeep {
        /// Its depth.
        depth: u32,
        /// Depth allowed.
        depth_max: u32,
    },
    /// The document would have too many fields, those counted that were taken away.
    #[error(
        "a document of {fields} fields: at most {fields_max} are allowed, those counted that were removed"
    )]
    TooManyFields {
        /// Its fields.
        fields: u64,
        /// Fields allowed.
        fields_max: u32,
    },
    /// There would be too many collections.
    #[error("at most {0} collections are allowed, those counted that were deleted")]
    TooManyCollections(u32),
    /// A field of the schema was written with a value that its kind cannot take.
    #[error("`{path}` is a {kind}: {}", kind.takes())]
    WrongKind {
        /// Where.
        path: Pointer,
        /// What the schema says.
        kind: FieldKind,
    },
    /// A counter would leave its range.
    #[error("the counter `{0}` would leave its range")]
    CounterOverflow(Pointer),
    /// The schema of a collection contradicts itself.
    #[error("the schema names `{0}` twice, or it is the root, `_id`, or below another field that it names")]
    BadSchema(Pointer),
    /// A page or feed token is not one of ours, or not one for this query.
    #[error("the token does not fit this query")]
    BadToken,
    /// The collection, the replica or its disk is another one than when the token was made, or the token is so old that
    /// deletions since then are forgotten.
    #[error(
        "what has changed since this token is not known here any more: read the collection anew, without a token, and keep \
         only what it tells"
    )]
    StaleToken,
    /// A query asks for too much.
    #[error("a query has at most {filters_max} filters")]
    TooManyFilters {
        /// Filters allowed.
        filters_max: u32,
    },
    /// The disk of the replica is full.
    #[error("the disk of this replica is full")]
    NoRoom,
    /// Another replica's clock is too far ahead.
    #[error(transparent)]
    Clock(#[from] TooFarAhead),
    /// All that has to be kept of the document would be too large, although its text is not.
    #[error(
        "a document whose state has {bytes} bytes: at most {bytes_max} are allowed; each field is kept with its whole path, so write fewer fields, shorter names, or less depth"
    )]
    StateTooLarge {
        /// Bytes of the state.
        bytes: u64,
        /// Bytes allowed.
        bytes_max: u32,
    },
    /// A merged document would have been written by too many.
    #[error("a document with more than {0} writers")]
    TooManyWriters(u32),
}
