//! What is read: names of collections, documents, pages of queries.

use std::fmt::Write;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use seedbed_core::sync::replica::{Command, Found, Replica, Reply};

use super::condition::{self, Reading};
use super::target::{self, InCollection, InDocument};
use super::{query, refused};
use crate::door::{Desk, Problem};

/// Whoever keeps a copy asks whether it is still true.
const CACHE: HeaderValue = HeaderValue::from_static("private, no-cache");

pub(super) async fn collections(State(desk): State<Desk<Replica>>) -> Result<Response, Problem> {
    match desk.ask(Command::ListCollections).await? {
        Reply::Collections(names) => {
            let names: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
            Ok(json(format!("{{\"collections\":[{}]}}", names.join(","))))
        }
        other => Err(refused::unexpected(other)),
    }
}

pub(super) async fn document(
    State(desk): State<Desk<Replica>>,
    path: InDocument,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (collection, id) = target::document(path)?;
    let asked = query::pairs(uri.query(), &["siblings"])?;
    let siblings = asked.first().map_or(Ok(false), |(name, value)| query::flag(name, value))?;
    let found = match desk.ask(Command::GetDocument { collection, id }).await? {
        Reply::Document(found) => found,
        other => return Err(refused::unexpected(other)),
    };
    let tags = [(header::ETAG, condition::tag(&found.version)), (header::CACHE_CONTROL, CACHE)];
    match condition::reading(&headers, found.version)? {
        Reading::Unchanged => Ok((StatusCode::NOT_MODIFIED, tags).into_response()),
        Reading::Whole if siblings => {
            let mut text = String::new();
            push(&mut text, &found);
            Ok((tags, json(text)).into_response())
        }
        Reading::Whole => {
            let body = found.document.ok_or_else(lost)?;
            Ok((tags, json(body.as_str().to_owned())).into_response())
        }
    }
}

/// A replica that finds a document has its content.
fn lost() -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the document has no content")
}

pub(super) async fn documents(
    State(desk): State<Desk<Replica>>,
    path: InCollection,
    uri: Uri,
) -> Result<Response, Problem> {
    let collection = target::collection(path)?;
    let query = query::read(uri.query())?;
    match desk.ask(Command::ReadCollection { collection, query }).await? {
        Reply::Documents { documents, next, changes } => {
            let mut text = String::from("{\"documents\":[");
            for (at, found) in documents.iter().enumerate() {
                text.push_str(if at == 0 { "" } else { "," });
                push(&mut text, found);
            }
            let next = next.map_or_else(|| "null".to_owned(), |next| format!("\"{next}\""));
            let _ = write!(text, "],\"next\":{next},\"changes\":\"{changes}\"}}");
            Ok(json(text))
        }
        other => Err(refused::unexpected(other)),
    }
}

/// A document with its version and the values that fields keep beside the one in it, as JSON: put together from texts that
/// are JSON already.
pub(super) fn push(text: &mut String, found: &Found) {
    let body = found.document.as_ref().map_or("null", |document| document.as_str());
    let _ = write!(text, "{{\"_id\":\"{}\",\"version\":\"{}\",\"document\":{body}", found.id, found.version);
    for (nth, (path, values)) in found.siblings.iter().enumerate() {
        text.push_str(if nth == 0 { ",\"siblings\":{" } else { "," });
        let values: Vec<&str> = values.iter().map(|value| value.as_str()).collect();
        let _ = write!(text, "{}:[{}]", serde_json::Value::from(path.to_string()), values.join(","));
    }
    text.push_str(if found.siblings.is_empty() { "}" } else { "}}" });
}

/// An answer of JSON.
pub(super) fn json(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use seedbed_core::contract::{Json, NodeId};
    use seedbed_core::sync::replica::Version;
    use seedbed_core::sync::{DocumentId, Pointer, Stamp};
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_document_is_told_with_the_values_that_its_fields_keep() {
        let values = |text: &[&str]| text.iter().map(|text| Json::parse(text).unwrap()).collect();
        let siblings: BTreeMap<Pointer, Vec<Json>> = [
            ("/a\"b".parse().unwrap(), values(&["1", "null"])),
            ("/c/d".parse().unwrap(), values(&["[2]", "\"x\""])),
        ]
        .into();
        let (id, stamp) = (DocumentId::numbered(1), Stamp { time: 1, node: NodeId(0) });
        let document = Json::parse("{\"n\":1}").ok();
        let told = |siblings| {
            let mut text = String::new();
            push(
                &mut text,
                &Found { id, version: Version([7; 32]), stamp, document: document.clone(), siblings },
            );
            serde_json::from_str::<Value>(&text).unwrap()
        };
        let mut expected =
            json!({ "_id": id.to_string(), "version": "07".repeat(32), "document": { "n": 1 } });
        assert_eq!(told(BTreeMap::new()), expected);
        expected["siblings"] = json!({ "/a\"b": [1, null], "/c/d": [[2], "x"] });
        assert_eq!(told(siblings), expected);
    }
}
