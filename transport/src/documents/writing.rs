//! What is written: collections and single documents.

use std::collections::BTreeMap;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use seedbed_core::contract::Json;
use seedbed_core::sync::replica::{Command, Replica, Reply};
use seedbed_core::sync::{Deletes, DocumentId, FieldKind, Name, Pointer, Refusal, Schema};
use serde::Deserialize;

use super::condition::{self, Expected};
use super::reading::json;
use super::refused;
use super::target::{self, InCollection, InDocument};
use crate::door::{Desk, Problem};

/// What a new collection may say of itself.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", default)]
struct Plan {
    deletes: DeletesPlan,
    /// Kinds by path.
    fields: BTreeMap<Pointer, KindPlan>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum DeletesPlan {
    #[default]
    Win,
    YieldToUpdates,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum KindPlan {
    MultiValue,
    Counter,
    Set,
}

impl Plan {
    fn schema(self) -> Result<Schema, Problem> {
        let deletes = match self.deletes {
            DeletesPlan::Win => Deletes::Win,
            DeletesPlan::YieldToUpdates => Deletes::YieldToUpdates,
        };
        let fields = self.fields.into_iter().map(|(path, kind)| {
            let kind = match kind {
                KindPlan::MultiValue => FieldKind::MultiValue,
                KindPlan::Counter => FieldKind::Counter,
                KindPlan::Set => FieldKind::Set,
            };
            (path, kind)
        });
        Schema::new(deletes, fields).map_err(|refusal| refused::problem(&refusal))
    }
}

pub(super) async fn create(
    State(desk): State<Desk<Replica>>,
    path: InCollection,
    request: Request,
) -> Result<Response, Problem> {
    let collection = target::collection(path)?;
    let plan = match target::optional(&desk, request).await? {
        None => Plan::default(),
        // A list would pass for the fields in their order.
        Some(body) if !body.as_str().starts_with('{') => {
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "a schema is a JSON object"));
        }
        Some(body) => serde_json::from_str(body.as_str()).map_err(|error| {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("no schema of a collection: {error}"))
        })?,
    };
    let schema = plan.schema()?;
    let body = format!("{{\"collection\":\"{collection}\"}}");
    match desk.ask(Command::CreateCollection { collection, schema }).await? {
        Reply::Done => Ok((StatusCode::CREATED, json(body)).into_response()),
        other => Err(refused::unexpected(other)),
    }
}

pub(super) async fn drop(
    State(desk): State<Desk<Replica>>,
    path: InCollection,
) -> Result<StatusCode, Problem> {
    let collection = target::collection(path)?;
    match desk.ask(Command::DeleteCollection { collection }).await? {
        Reply::Done => Ok(StatusCode::NO_CONTENT),
        other => Err(refused::unexpected(other)),
    }
}

pub(super) async fn add(
    State(desk): State<Desk<Replica>>,
    path: InCollection,
    request: Request,
) -> Result<Response, Problem> {
    let collection = target::collection(path)?;
    let document = target::json(&desk, request, &["application/json"]).await?;
    added(&desk, collection, document).await
}

async fn added(desk: &Desk<Replica>, collection: Name, document: Json) -> Result<Response, Problem> {
    let reply = desk.ask(Command::AddDocument { collection: collection.clone(), document }).await?;
    let Reply::Written { id, .. } = reply else { return Err(refused::unexpected(reply)) };
    let location = format!("/api/v1/collections/{collection}/documents/{id}");
    let mut response = written(StatusCode::CREATED, reply)?;
    if let Ok(location) = HeaderValue::try_from(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// What is told of a write.
fn written(status: StatusCode, reply: Reply) -> Result<Response, Problem> {
    match reply {
        Reply::Written { id, version, .. } => {
            let body = json(format!("{{\"_id\":\"{id}\",\"version\":\"{version}\"}}"));
            Ok((status, [(header::ETAG, condition::tag(&version))], body).into_response())
        }
        other => Err(refused::unexpected(other)),
    }
}

pub(super) async fn put(
    State(desk): State<Desk<Replica>>,
    path: InDocument,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Problem> {
    let (collection, id) = target::document(path)?;
    let document = target::json(&desk, request, &["application/json"]).await?;
    let expected = match condition::expected(&desk, &headers, &collection, id).await? {
        Expected::Absence => return put_new(&desk, collection, id, &document).await,
        other => other.version(),
    };
    let reply = desk.ask(Command::PutDocument { collection, id, document, expected }).await?;
    // RFC 9110, section 9.3.4.
    let is_new = matches!(reply, Reply::Written { is_new: true, .. });
    written(if is_new { StatusCode::CREATED } else { StatusCode::OK }, reply)
}

/// Where there must be nothing, a document is added under its name: whoever was faster wins.
async fn put_new(
    desk: &Desk<Replica>,
    collection: Name,
    id: DocumentId,
    document: &Json,
) -> Result<Response, Problem> {
    let mut body = document.value();
    let Some(fields) = body.as_object_mut() else { return Err(refused::problem(&Refusal::NotAnObject)) };
    let name = serde_json::Value::from(id.to_string());
    if fields.insert("_id".to_owned(), name.clone()).is_some_and(|before| before != name) {
        return Err(refused::problem(&Refusal::OtherId));
    }
    let document = target::parse(body.to_string().as_bytes())?;
    added(desk, collection, document).await.map_err(|problem| match problem.status {
        StatusCode::CONFLICT => Problem::new(StatusCode::PRECONDITION_FAILED, problem.detail),
        _ => problem,
    })
}

/// The media types of a patch: the right one, and what many clients send.
pub(super) const PATCHES: [&str; 2] = ["application/merge-patch+json", "application/json"];

pub(super) async fn patch(
    State(desk): State<Desk<Replica>>,
    path: InDocument,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Problem> {
    let (collection, id) = target::document(path)?;
    let patch = match target::json(&desk, request, &PATCHES).await {
        // RFC 5789, section 2.2.
        Err(problem) if problem.status == StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            return Ok(([("accept-patch", PATCHES[0])], problem).into_response());
        }
        read => read?,
    };
    let expected = condition::expected(&desk, &headers, &collection, id).await?.version();
    written(StatusCode::OK, desk.ask(Command::UpdateDocument { collection, id, patch, expected }).await?)
}

pub(super) async fn delete(
    State(desk): State<Desk<Replica>>,
    path: InDocument,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let (collection, id) = target::document(path)?;
    let expected = condition::expected(&desk, &headers, &collection, id).await?.version();
    match desk.ask(Command::DeleteDocument { collection, id, expected }).await? {
        Reply::Deleted { .. } => Ok(StatusCode::NO_CONTENT),
        other => Err(refused::unexpected(other)),
    }
}

pub(super) async fn delete_matching(
    State(desk): State<Desk<Replica>>,
    path: InCollection,
    request: Request,
) -> Result<Response, Problem> {
    let collection = target::collection(path)?;
    let document = target::json(&desk, request, &["application/json"]).await?;
    match desk.ask(Command::DeleteMatching { collection, document }).await? {
        Reply::Deleted { ids, .. } => {
            let ids: Vec<String> = ids.iter().map(|id| format!("\"{id}\"")).collect();
            Ok(json(format!("{{\"ids\":[{}]}}", ids.join(","))))
        }
        other => Err(refused::unexpected(other)),
    }
}
