//! What is read: names of collections, documents, pages of queries.

use std::fmt::Write;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use seedbed_core::sync::replica::{Command, Found, Replica, Reply};

use super::condition::{self, Reading};
use super::target::{self, InCollection, InDocument};
use super::{query, refused};
use crate::door::{Desk, Problem};

/// Whoever keeps a copy asks whether it is still true.
const CACHE: &str = "private, no-cache";

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
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (collection, id) = target::document(path)?;
    let found = match desk.ask(Command::GetDocument { collection, id }).await? {
        Reply::Document(found) => found,
        other => return Err(refused::unexpected(other)),
    };
    let tags = [
        (header::ETAG, condition::tag(&found.version)),
        (header::CACHE_CONTROL, CACHE.parse().map_err(|_| lost())?),
    ];
    match condition::reading(&headers, found.version)? {
        Reading::Unchanged => Ok((StatusCode::NOT_MODIFIED, tags).into_response()),
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

/// A document with its version, as JSON: put together from texts that are JSON already.
pub(super) fn push(text: &mut String, found: &Found) {
    let body = found.document.as_ref().map_or("null", |document| document.as_str());
    let _ =
        write!(text, "{{\"_id\":\"{}\",\"version\":\"{}\",\"document\":{body}}}", found.id, found.version);
}

/// An answer of JSON.
pub(super) fn json(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}
