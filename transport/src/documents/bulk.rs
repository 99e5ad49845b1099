//! Many documents in one request: a line of JSON for each.

use std::fmt::Write;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use seedbed_core::contract::Json;
use seedbed_core::sync::replica::{Command, Replica, Reply};
use seedbed_core::sync::{DocumentId, Name, Refusal};

use super::reading::json;
use super::refused;
use super::target::{self, InCollection};
use crate::door::{Desk, Problem};

/// The longest body, in bytes.
pub(super) const BULK_BODY_MAX: usize = 8 << 20;
/// The most lines.
const LINES_MAX: usize = 10_000;
/// Lines in one command, and their bytes, unless one line has more: a step of the node takes some milliseconds, not more.
const TOGETHER: usize = 64;
const TOGETHER_BYTES: usize = 256 << 10;
/// Commands that are under way at once: while one is carried out the next is read, and they share what the disk has to do.
const AT_ONCE: usize = 8;

/// A line by its number from 1, and what became of it.
type Outcome = (usize, Result<DocumentId, Problem>);

/// Writes them, each for itself: one that names itself takes the place of the document of its name, if there is
/// one, so that a request may be sent again. A line that is refused harms no other; what the node cannot do ends the request,
/// and so does a collection that is not there. Lines that were under way by then may yet be written.
pub(super) async fn write(
    State(desk): State<Desk<Replica>>,
    path: InCollection,
    request: Request,
) -> Result<Response, Problem> {
    let collection = target::collection(path)?;
    let payload = desk.body(request, &["application/x-ndjson"], BULK_BODY_MAX).await?;
    let lines = lines(&payload.bytes)?;
    let asked = stream::iter(together(lines)).map(|lines| {
        let (desk, collection) = (&desk, &collection);
        async move { ask(desk, collection, lines).await }
    });
    let mut outcomes = std::pin::pin!(asked.buffered(AT_ONCE));
    let (mut ids, mut refused, mut count) = (String::new(), String::new(), 0usize);
    while let Some(part) = outcomes.next().await {
        let part = part.map_err(|(line, problem)| ended(line, count, &problem))?;
        for (line, outcome) in part {
            ids.push_str(if ids.is_empty() { "" } else { "," });
            match outcome {
                Ok(id) => {
                    count += 1;
                    let _ = write!(ids, "\"{id}\"");
                }
                // Of one that refuses for want of room, others may be lucky: but the client had better wait.
                Err(problem) if problem.status.is_server_error() => return Err(ended(line, count, &problem)),
                Err(problem) => {
                    ids.push_str("null");
                    refused.push_str(if refused.is_empty() { "" } else { "," });
                    let (status, detail) = (problem.status.as_u16(), serde_json::Value::from(problem.detail));
                    let _ = write!(refused, "{{\"line\":{line},\"status\":{status},\"detail\":{detail}}}");
                }
            }
        }
    }
    Ok(json(format!("{{\"written\":{count},\"ids\":[{ids}],\"refused\":[{refused}]}}")))
}

/// The lines that hold something, with their numbers from 1.
fn lines(bytes: &Bytes) -> Result<Vec<(usize, Bytes)>, Problem> {
    let filled = bytes.split(|byte| *byte == b'\n').enumerate();
    let filled = filled.filter(|(_, line)| !line.trim_ascii().is_empty());
    let lines: Vec<_> =
        filled.take(LINES_MAX + 1).map(|(at, line)| (at + 1, bytes.slice_ref(line))).collect();
    if lines.len() > LINES_MAX {
        let told = format!("a request may bring {LINES_MAX} documents");
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, told));
    }
    Ok(lines)
}

/// In few commands; in one without documents if there are no lines, which tells whether the collection is there.
fn together(lines: Vec<(usize, Bytes)>) -> Vec<Vec<(usize, Bytes)>> {
    let (mut parts, mut bytes) = (vec![Vec::new()], 0);
    for line in lines {
        let is_full = parts.last().is_some_and(|part: &Vec<_>| {
            part.len() == TOGETHER || !part.is_empty() && bytes + line.1.len() > TOGETHER_BYTES
        });
        if is_full {
            parts.push(Vec::new());
            bytes = 0;
        }
        bytes += line.1.len();
        if let Some(part) = parts.last_mut() {
            part.push(line);
        }
    }
    parts
}

/// What a client is told when not all lines were tried: what is certain, and what is not.
fn ended(line: usize, count: usize, problem: &Problem) -> Problem {
    let detail = format!(
        "line {line}: {}; {count} documents before it are written, and some of those behind it may be",
        problem.detail
    );
    Problem::new(problem.status, detail)
}

/// Writes a few lines by one command. An error is the node's, or that there is no such collection.
async fn ask(
    desk: &Desk<Replica>,
    collection: &Name,
    lines: Vec<(usize, Bytes)>,
) -> Result<Vec<Outcome>, (usize, Problem)> {
    let first = lines.first().map_or(1, |(number, _)| *number);
    let (mut outcomes, mut documents) = (Vec::<Outcome>::with_capacity(lines.len()), Vec::new());
    let mut sent = Vec::new();
    for (number, line) in lines {
        match target::parse(&line).and_then(|document| Ok((own_id(&document)?, document))) {
            Ok(document) => {
                sent.push(number);
                documents.push(document);
            }
            Err(problem) => outcomes.push((number, Err(problem))),
        }
    }
    let command = Command::WriteDocuments { collection: collection.clone(), documents };
    let replied = match desk.ask(command).await {
        Ok(Reply::WrittenEach(each)) if each.len() == sent.len() => each,
        Ok(other) => return Err((first, refused::unexpected(other))),
        Err(problem) => return Err((first, problem)),
    };
    let replied = replied.into_iter().map(|one| one.map_err(|refusal| refused::problem(&refusal)));
    outcomes.extend(sent.into_iter().zip(replied));
    outcomes.sort_by_key(|(number, _)| *number);
    Ok(outcomes)
}

/// The name that a document gives itself. Only those are looked into that may.
fn own_id(document: &Json) -> Result<Option<DocumentId>, Problem> {
    if !document.as_str().contains("\"_id\":") {
        return Ok(None);
    }
    match document.value().get("_id") {
        None => Ok(None),
        Some(id) => {
            let id = id.as_str().and_then(|id| id.parse().ok());
            id.map(Some).ok_or_else(|| refused::problem(&Refusal::BadId))
        }
    }
}
