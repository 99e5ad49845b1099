//! What can be asked, described.

use axum::routing::{delete, get, patch, post, put};
use seedbed_core::sync::replica::Replica;
use serde_json::{Map, Value, json};

use super::target::DOCUMENT_BODY_MAX;
use super::{bulk, feed, reading, writing};
use crate::door::{Answer, Body, Desk, Operation, Parameter, Place, Route};

const COLLECTIONS: &str = "/api/v1/collections";
const COLLECTION: &str = "/api/v1/collections/{collection}";
const DOCUMENTS: &str = "/api/v1/collections/{collection}/documents";
const DOCUMENT: &str = "/api/v1/collections/{collection}/documents/{id}";
const BULK: &str = "/api/v1/collections/{collection}/bulk";
const MATCHING: &str = "/api/v1/collections/{collection}/delete-matching";
const CHANGES: &str = "/api/v1/collections/{collection}/changes";

const DOWN: Answer = (503, "The node is down, or too much waits for it.", Body::Problem);
const LATE: Answer = (504, "The node did not answer in time; what was asked may yet be done.", Body::Problem);
const FULL: Answer = (507, "The disk of the node is full.", Body::Problem);
const NO_COLLECTION: Answer = (404, "There is no such collection.", Body::Problem);
const NO_DOCUMENT: Answer = (404, "There is no such collection or document.", Body::Problem);
const CHANGED: Answer = (412, "The document is not the one that was expected.", Body::Problem);
const UNFIT: Answer = (422, "It is JSON, but not what a document may be, or may become.", Body::Problem);
const LARGE: Answer = (413, "The body, or the document, is too large.", Body::Problem);

const IN_COLLECTION: &[Parameter] = &[NAME];
const IN_DOCUMENT: &[Parameter] = &[NAME, ID, IF_MATCH, IF_NONE_MATCH];

const NAME: Parameter = Parameter {
    name: "collection",
    place: Place::Path,
    about: "The collection.",
    schema: || json!({ "type": "string", "pattern": "^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$" }),
};
const ID: Parameter = Parameter {
    name: "id",
    place: Place::Path,
    about: "The document's name: a UUID of version 7.",
    schema: || json!({ "type": "string", "format": "uuid" }),
};
const IF_MATCH: Parameter = Parameter {
    name: "If-Match",
    place: Place::Header,
    about: "Only if the document's version is among these, or, with `*`, if there is one.",
    schema: text,
};
const IF_NONE_MATCH: Parameter = Parameter {
    name: "If-None-Match",
    place: Place::Header,
    about: "Only if the document's version is not among these, or, with `*`, if there is none.",
    schema: text,
};

const READING: &[Parameter] = &[
    NAME,
    ID,
    IF_MATCH,
    IF_NONE_MATCH,
    Parameter {
        name: "siblings",
        place: Place::Query,
        about: "Whether to answer as a page does, with the document beside its version and its `siblings`: the fields that \
                were written concurrently, and all values that they keep.",
        schema: || json!({ "type": "boolean", "default": false }),
    },
];

const QUERY: &[Parameter] = &[
    NAME,
    Parameter {
        name: "where",
        place: Place::Query,
        about: "A path, one of = < <= > >= ^= and a value of JSON, or else a string: `/age>=18`, `/name^=An`. Given \
                more than once, all must hold.",
        schema: || json!({ "type": "array", "items": { "type": "string" } }),
    },
    Parameter {
        name: "sort",
        place: Place::Query,
        about: "By `_id`, by `written`, or by the value at a path; backwards with a minus before it.",
        schema: || json!({ "type": "string", "default": "_id" }),
    },
    Parameter {
        name: "limit",
        place: Place::Query,
        about: "At most so many documents.",
        schema: || json!({ "type": "integer", "minimum": 1, "default": 100 }),
    },
    Parameter { name: "after", place: Place::Query, about: "The `next` of the page before.", schema: text },
];

const FEED: &[Parameter] = &[
    NAME,
    Parameter {
        name: "after",
        place: Place::Query,
        about: "The id of an event, or the `changes` of a page: what has changed since. Without it, all documents.",
        schema: text,
    },
    Parameter {
        name: "follow",
        place: Place::Query,
        about: "Whether to wait for what changes next.",
        schema: || json!({ "type": "boolean", "default": true }),
    },
    Parameter {
        name: "Last-Event-ID",
        place: Place::Header,
        about: "As `after`, and counts more.",
        schema: text,
    },
];

fn text() -> Value {
    json!({ "type": "string" })
}

pub(super) const ROUTES: &[Route<Desk<Replica>>] = &[
    Route {
        operation: Operation::read(
            COLLECTIONS,
            "The names of the collections.",
            &[(200, "The names, in order.", Body::Json("Collections")), DOWN, LATE],
        ),
        handler: || get(reading::collections),
    },
    Route {
        operation: Operation::write(
            "put",
            COLLECTION,
            "Makes a collection. Without a body, its documents merge field by field, the last writer winning.",
            &[
                (201, "It is made.", Body::Json("Collection")),
                (409, "It is there already, or there are too many.", Body::Problem),
                (422, "The schema cannot be.", Body::Problem),
                LATE,
                FULL,
            ],
        )
        .with(IN_COLLECTION)
        .taking(Body::Json("CollectionSchema"))
        .optionally(),
        handler: || put(writing::create),
    },
    Route {
        operation: Operation::write(
            "delete",
            COLLECTION,
            "Deletes a collection with all its documents.",
            &[(204, "It is gone.", Body::Nothing), NO_COLLECTION, DOWN, LATE, FULL],
        )
        .with(IN_COLLECTION),
        handler: || delete(writing::drop),
    },
    Route {
        operation: Operation::read(
            DOCUMENTS,
            "Documents that fulfil conditions, in an order, page by page.",
            &[
                (200, "A page, and the token of the next one.", Body::Json("Page")),
                (400, "The query, or its token, cannot be read.", Body::Problem),
                NO_COLLECTION,
                DOWN,
                LATE,
            ],
        )
        .with(QUERY),
        handler: || get(reading::documents),
    },
    Route {
        operation: Operation::write(
            "post",
            DOCUMENTS,
            "Adds a document, under the name in its `_id` or a new one.",
            &[
                (201, "It is on disk: `Location` says where, `ETag` which version.", Body::Json("Written")),
                NO_COLLECTION,
                (409, "There is a document of this name.", Body::Problem),
                LARGE,
                UNFIT,
                LATE,
                FULL,
            ],
        )
        .with(IN_COLLECTION)
        .taking(Body::AnyJson)
        .of_bytes(DOCUMENT_BODY_MAX),
        handler: || post(writing::add),
    },
    Route {
        operation: Operation::read(
            DOCUMENT,
            "A document.",
            &[
                (
                    200,
                    "Its content with its `_id`, or, with `siblings=true`, a `Found`; `ETag` says which version.",
                    Body::AnyJson,
                ),
                (304, "It is one of those that the client has.", Body::Nothing),
                (400, "The query cannot be read.", Body::Problem),
                NO_DOCUMENT,
                CHANGED,
                DOWN,
                LATE,
            ],
        )
        .with(READING),
        handler: || get(reading::document),
    },
    Route {
        operation: Operation::write(
            "put",
            DOCUMENT,
            "Puts a whole document in the place of the one of this name, or of none.",
            &[
                (200, "It is on disk; `ETag` says which version.", Body::Json("Written")),
                (201, "It is on disk, and there was none before.", Body::Json("Written")),
                NO_COLLECTION,
                CHANGED,
                LARGE,
                UNFIT,
                LATE,
                FULL,
            ],
        )
        .with(IN_DOCUMENT)
        .taking(Body::AnyJson)
        .of_bytes(DOCUMENT_BODY_MAX),
        handler: || put(writing::put),
    },
    Route {
        operation: Operation::write(
            "patch",
            DOCUMENT,
            "Changes a document by a merge patch (RFC 7396).",
            &[
                (200, "It is on disk; `ETag` says which version.", Body::Json("Written")),
                NO_DOCUMENT,
                CHANGED,
                LARGE,
                UNFIT,
                LATE,
                FULL,
            ],
        )
        .with(IN_DOCUMENT)
        .taking(Body::MergePatch)
        .of_bytes(DOCUMENT_BODY_MAX),
        handler: || patch(writing::patch),
    },
    Route {
        operation: Operation::write(
            "delete",
            DOCUMENT,
            "Deletes a document.",
            &[(204, "It is gone.", Body::Nothing), NO_DOCUMENT, CHANGED, DOWN, LATE, FULL],
        )
        .with(IN_DOCUMENT),
        handler: || delete(writing::delete),
    },
    Route {
        operation: Operation::write(
            "post",
            BULK,
            "Writes many documents, one on each line. One that names itself by `_id` takes the place of the document \
             of that name, so that a request may be sent again.",
            &[
                (200, "What is on disk, and what was refused.", Body::Json("Bulk")),
                NO_COLLECTION,
                LARGE,
                DOWN,
                LATE,
                FULL,
            ],
        )
        .with(IN_COLLECTION)
        .taking(Body::JsonLines)
        .of_bytes(bulk::BULK_BODY_MAX),
        handler: || post(bulk::write),
    },
    Route {
        operation: Operation::write(
            "post",
            MATCHING,
            "Deletes the documents whose content, `_id` aside, is exactly the body.",
            &[(200, "Their names.", Body::Json("Deleted")), NO_COLLECTION, UNFIT, LATE, FULL],
        )
        .with(IN_COLLECTION)
        .taking(Body::AnyJson)
        .of_bytes(DOCUMENT_BODY_MAX),
        handler: || post(writing::delete_matching),
    },
    Route {
        operation: Operation::read(
            CHANGES,
            "The latest change of each document, in the order in which this node took them in, and what changes next. \
             Tokens are good at the node that gave them.",
            &[
                (200, "Documents, null where one is deleted; an id where a client may go on.", Body::Events),
                (400, "The token cannot be read.", Body::Problem),
                NO_COLLECTION,
                (
                    410,
                    "What has changed since the token is not known here any more: it is too old, another node's, or of what \
                     was there before the collection was deleted or the disk lost. Read all of it anew, without a token.",
                    Body::Problem,
                ),
                (503, "The node is down, or there are too many streams.", Body::Problem),
                LATE,
            ],
        )
        .with(FEED),
        handler: || get(feed::changes),
    },
];

/// Schemas of what is sent and answered.
pub(super) fn schemas() -> Map<String, Value> {
    let (text, natural) = (text(), json!({ "type": "integer", "minimum": 0 }));
    let id = json!({ "type": "string", "format": "uuid" });
    let version = json!({ "type": "string", "description": "64 hexadecimal digits: the entity tag." });
    let object = |required: &[(&str, &Value)]| {
        let names: Vec<_> = required.iter().map(|(name, _)| *name).collect();
        let fields: Map<String, Value> =
            required.iter().map(|(name, schema)| ((*name).to_owned(), (*schema).clone())).collect();
        json!({ "type": "object", "required": names, "properties": fields, "additionalProperties": false })
    };
    let list = |items: &Value| json!({ "type": "array", "items": items });
    let maybe = |kind: &str| json!({ "type": [kind, "null"] });
    let found = json!({ "$ref": "#/components/schemas/Found" });
    let refused = object(&[("line", &natural), ("status", &natural), ("detail", &text)]);
    let kinds = json!({ "enum": ["multi_value", "counter", "set"] });
    let schema = json!({
        "type": "object",
        "properties": {
            "deletes": { "enum": ["win", "yield_to_updates"] },
            "fields": { "type": "object", "additionalProperties": kinds, "description": "Kinds by path." },
        },
        "additionalProperties": false,
    });
    let siblings = json!({
        "type": "object",
        "additionalProperties": list(&json!({})),
        "description": "Fields that were written concurrently, by path, with all values that they keep, the one in the \
                        document first. Missing if there are none.",
    });
    let in_page = json!({
        "type": "object",
        "required": ["_id", "version", "document"],
        "properties": { "_id": id, "version": version, "document": maybe("object"), "siblings": siblings },
        "additionalProperties": false,
    });
    let all = [
        ("Found", in_page),
        ("Collections", object(&[("collections", &list(&text))])),
        ("Collection", object(&[("collection", &text)])),
        ("CollectionSchema", schema),
        ("Written", object(&[("_id", &id), ("version", &version)])),
        ("Deleted", object(&[("ids", &list(&id))])),
        ("Page", object(&[("documents", &list(&found)), ("next", &maybe("string")), ("changes", &text)])),
        (
            "Bulk",
            object(&[("written", &natural), ("ids", &list(&maybe("string"))), ("refused", &list(&refused))]),
        ),
    ];
    all.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}
