//! What is asked of the hub: tasks to be done, how they are, who does them.

use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use seedbed_core::scheduler::call::MODULE_BYTES_MAX;
use seedbed_core::scheduler::cluster::{Cluster, Command, Reply, TaskStatus};
use seedbed_core::scheduler::hub::{Stage, TaskId, UserId};
use serde_json::{Value, json};

use super::{refused, submission, telling};
use crate::documents::query;
use crate::documents::target::short;
use crate::door::{Desk, Problem};

/// How long a request waits for tasks to end at most: less than a node may take for one command.
pub const WAIT_MAX: Duration = Duration::from_secs(8);

/// Tasks of a page where nothing else is asked.
const LIMIT: u32 = 100;

pub(super) type OfTask = Result<Path<String>, PathRejection>;
type Asked = Result<Response, Problem>;

/// The task that a path names.
fn named(path: OfTask) -> Result<TaskId, Problem> {
    let Path(text) = path.map_err(|error| Problem::bad_request(error.body_text()))?;
    number("the task", &text).map(TaskId)
}

fn number(what: &str, text: &str) -> Result<u64, Problem> {
    let told = || Problem::bad_request(format!("{what} `{}`: expected a number from 0 on", short(text)));
    text.parse().map_err(|_| told())
}

/// What stands in a query.
struct Wishes {
    wait: bool,
    user: Option<UserId>,
    stage: Option<String>,
    from: TaskId,
    limit: u32,
}

impl Wishes {
    fn read(text: Option<&str>, known: &[&str]) -> Result<Self, Problem> {
        let mut wishes = Self { wait: false, user: None, stage: None, from: TaskId(0), limit: LIMIT };
        for (name, value) in query::pairs(text, known)? {
            match name.as_ref() {
                "wait" => wishes.wait = query::flag(&name, &value)?,
                "user" => wishes.user = Some(UserId(number("`user`:", &value)?)),
                "from" => wishes.from = TaskId(number("`from`:", &value)?),
                "limit" => wishes.limit = query::limit(&value)?,
                _ => wishes.stage = Some(value.into_owned()),
            }
        }
        Ok(wishes)
    }
}

pub(super) async fn submit(State(desk): State<Desk<Cluster>>, request: Request) -> Asked {
    let Wishes { wait, user, .. } = Wishes::read(request.uri().query(), &["wait", "user"])?;
    let payload = desk.body(request, &["application/json"], submission::BODY_MAX).await?;
    let (tasks, edges) = submission::read(&payload.bytes)?;
    drop(payload);
    let user = user.unwrap_or_default();
    // The ids come first, even to who waits: the end may be further away than an answer may be.
    let (first, count) = match desk.ask(Command::Submit { user, tasks, edges, wait: false }).await? {
        Reply::Submitted { first, count } => (first, count),
        other => return Err(refused::unexpected(other)),
    };
    let taken = told(StatusCode::CREATED, &json!({ "first": first.0, "count": count }));
    if !wait {
        return Ok(taken);
    }
    // They are taken, whatever comes of the waiting: an error would make the client send them again.
    Ok(outcome(&desk, first, count).await.unwrap_or(taken))
}

/// What came of tasks that were taken together.
async fn outcome(desk: &Desk<Cluster>, first: TaskId, count: u32) -> Asked {
    let last = ended(desk, (first.0..).take(count as usize).map(TaskId)).await?;
    let status = if count == 0 || last.is_some() { StatusCode::OK } else { StatusCode::ACCEPTED };
    if count == 1 {
        let tasks = [telling::task_with_answer(&found(desk, last, first).await?)];
        return Ok(told(status, &json!({ "tasks": tasks, "next": null })));
    }
    page(desk, status, Command::List { from: first, limit: count, user: None, stage: None }).await
}

/// Waits for tasks to end, but not for ever; how the last one is once all have.
async fn ended(
    desk: &Desk<Cluster>,
    tasks: impl Iterator<Item = TaskId>,
) -> Result<Option<TaskStatus>, Problem> {
    let all = async {
        let mut last = None;
        for task in tasks {
            last = match desk.ask(Command::Await { task }).await? {
                Reply::Task(status) if status.stage.is_final() => Some(*status),
                // Too many wait: it is told how the task is instead.
                Reply::Task(_) => return Ok(None),
                other => return Err(refused::unexpected(other)),
            };
        }
        Ok(last)
    };
    tokio::time::timeout(WAIT_MAX, all).await.unwrap_or(Ok(None))
}

/// How a task is, unless that was told already.
async fn found(desk: &Desk<Cluster>, told: Option<TaskStatus>, task: TaskId) -> Result<TaskStatus, Problem> {
    match told {
        Some(status) => Ok(status),
        None => find(desk, task).await,
    }
}

async fn find(desk: &Desk<Cluster>, task: TaskId) -> Result<TaskStatus, Problem> {
    match desk.ask(Command::Status { task }).await? {
        Reply::Task(status) => Ok(*status),
        other => Err(refused::unexpected(other)),
    }
}

async fn page(desk: &Desk<Cluster>, status: StatusCode, command: Command) -> Asked {
    match desk.ask(command).await? {
        Reply::Tasks { tasks, next } => {
            let tasks: Vec<Value> = tasks.iter().map(telling::task).collect();
            Ok(told(status, &json!({ "tasks": tasks, "next": next.map(|next| next.0) })))
        }
        other => Err(refused::unexpected(other)),
    }
}

pub(super) async fn list(State(desk): State<Desk<Cluster>>, uri: Uri) -> Asked {
    let asked = Wishes::read(uri.query(), &["from", "limit", "user", "stage"])?;
    let Wishes { from, limit, user, stage, .. } = asked;
    page(&desk, StatusCode::OK, Command::List { from, limit, user, stage }).await
}

pub(super) async fn status(State(desk): State<Desk<Cluster>>, path: OfTask, uri: Uri) -> Asked {
    let task = named(path)?;
    let has_ended = match Wishes::read(uri.query(), &["wait"])?.wait {
        true => ended(&desk, std::iter::once(task)).await?,
        false => None,
    };
    let status = found(&desk, has_ended, task).await?;
    Ok(told(StatusCode::OK, &telling::task_with_answer(&status)))
}

pub(super) async fn result(State(desk): State<Desk<Cluster>>, path: OfTask) -> Asked {
    let task = named(path)?;
    let TaskStatus { stage, answer, .. } = find(&desk, task).await?;
    match (stage, answer) {
        (Stage::Validated(_), Some(answer)) => {
            Ok(([(header::CONTENT_TYPE, "application/octet-stream")], answer).into_response())
        }
        (stage, _) => {
            let why = match stage {
                Stage::Failed(failure) => format!("failed: {failure}"),
                Stage::Validated(_) => "validated, but its answer is forgotten".into(),
                Stage::Cancelled => "cancelled".into(),
                other => format!("{}, and has no answer yet", other.name()),
            };
            Err(Problem::new(StatusCode::CONFLICT, format!("task {} is {why}", task.0)))
        }
    }
}

pub(super) async fn cancel(State(desk): State<Desk<Cluster>>, path: OfTask, uri: Uri) -> Asked {
    let task = named(path)?;
    let user = Wishes::read(uri.query(), &["user"])?.user.unwrap_or_default();
    match desk.ask(Command::Cancel { user, task }).await? {
        Reply::Cancelled => Ok(StatusCode::NO_CONTENT.into_response()),
        other => Err(refused::unexpected(other)),
    }
}

pub(super) async fn workers(State(desk): State<Desk<Cluster>>) -> Asked {
    match desk.ask(Command::Workers).await? {
        Reply::Workers(workers) => {
            let workers: Vec<Value> = workers.iter().map(telling::worker).collect();
            Ok(told(StatusCode::OK, &json!({ "workers": workers })))
        }
        other => Err(refused::unexpected(other)),
    }
}

pub(super) async fn summary(State(desk): State<Desk<Cluster>>) -> Asked {
    match desk.ask(Command::Summary).await? {
        Reply::Summary(summary) => Ok(told(StatusCode::OK, &telling::summary(&summary))),
        other => Err(refused::unexpected(other)),
    }
}

pub(super) async fn store(State(desk): State<Desk<Cluster>>, request: Request) -> Asked {
    let payload = desk.body(request, &["application/wasm"], MODULE_BYTES_MAX).await?;
    match desk.ask(Command::Store { module: payload.bytes.clone() }).await? {
        Reply::Stored { module } => {
            Ok(told(StatusCode::CREATED, &json!({ "module": telling::module(module) })))
        }
        other => Err(refused::unexpected(other)),
    }
}

fn told(status: StatusCode, value: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}
