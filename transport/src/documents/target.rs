//! What a request is about: names in its path, and JSON in its body.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request};
use axum::http::{StatusCode, header};
use seedbed_core::contract::{Json, JsonError};
use seedbed_core::sync::replica::Replica;
use seedbed_core::sync::{DocumentId, Name};

use crate::door::{Desk, Problem};

/// The longest body of one document, in bytes: its canonical text, which has a limit of its own, may be shorter.
pub(super) const DOCUMENT_BODY_MAX: usize = 2 << 20;

pub(super) type InCollection = Result<Path<String>, PathRejection>;
pub(super) type InDocument = Result<Path<(String, String)>, PathRejection>;

/// The collection that a path names.
pub(super) fn collection(path: InCollection) -> Result<Name, Problem> {
    let Path(name) = path.map_err(|error| Problem::bad_request(error.body_text()))?;
    named(&name)
}

/// The document that a path names.
pub(super) fn document(path: InDocument) -> Result<(Name, DocumentId), Problem> {
    let Path((collection, id)) = path.map_err(|error| Problem::bad_request(error.body_text()))?;
    let id = id.parse().map_err(|error| Problem::bad_request(format!("`{}`: {error}", short(&id))))?;
    Ok((named(&collection)?, id))
}

fn named(name: &str) -> Result<Name, Problem> {
    name.parse()
        .map_err(|refusal| Problem::bad_request(format!("the collection `{}`: {refusal}", short(name))))
}

/// What of a client's text is told back to it.
pub(crate) fn short(text: &str) -> &str {
    &text[..text.floor_char_boundary(80)]
}

/// The JSON that a request brings.
pub(super) async fn json(desk: &Desk<Replica>, request: Request, kinds: &[&str]) -> Result<Json, Problem> {
    let payload = desk.body(request, kinds, DOCUMENT_BODY_MAX).await?;
    parse(&payload.bytes)
}

/// The JSON that a request may bring. What brings nothing need not say what that is.
pub(super) async fn optional(desk: &Desk<Replica>, request: Request) -> Result<Option<Json>, Problem> {
    let is_said = request.headers().contains_key(header::CONTENT_TYPE);
    let kinds: &[&str] = if is_said { &["application/json"] } else { &[] };
    let payload = desk.body(request, kinds, desk.body_max()).await?;
    match payload.bytes.is_empty() {
        true => Ok(None),
        false if is_said => parse(&payload.bytes).map(Some),
        false => {
            let detail = "expected the header `Content-Type: application/json`";
            Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail))
        }
    }
}

pub(super) fn parse(bytes: &[u8]) -> Result<Json, Problem> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Problem::bad_request(format!("the body is not UTF-8: {error}")))?;
    Json::parse(text).map_err(|error| {
        let status = match error {
            JsonError::Syntax(_) => StatusCode::BAD_REQUEST,
            JsonError::TooDeep => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Problem::new(status, error.to_string())
    })
}
