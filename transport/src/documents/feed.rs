//! The feed of changes as server-sent events.

use std::collections::VecDeque;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::{Response, sse};
use futures_util::{Stream, stream};
use seedbed_core::sync::Name;
use seedbed_core::sync::replica::{Command, Replica, Reply};
use tokio::sync::watch;

use super::target::{self, InCollection};
use super::{query, reading, refused};
use crate::door::{Desk, Problem};

/// Changes that are taken at once: all that a stream holds.
const BATCH_MAX: u32 = 64;
/// How long a client may wait before it comes back.
const RETRY: Duration = Duration::from_secs(1);

/// Whoever reads the changes of a collection. It has no place in memory: it goes on from its token.
struct Reader {
    desk: Desk<Replica>,
    collection: Name,
    /// Where it is.
    after: Option<String>,
    /// Whether it waits for more at the end.
    follow: bool,
    durable: watch::Receiver<u64>,
    ready: VecDeque<sse::Event>,
    is_over: bool,
}

pub(super) async fn changes(
    State(desk): State<Desk<Replica>>,
    path: InCollection,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let collection = target::collection(path)?;
    let (mut after, mut follow) = (None, true);
    for (name, value) in query::pairs(uri.query(), &["after", "follow"])? {
        match (name.as_ref(), value.as_ref()) {
            ("after", token) => after = Some(token.to_owned()).filter(|token| !token.is_empty()),
            (name, value) => follow = query::flag(name, value)?,
        }
    }
    // A client that comes back still has the query of its first visit.
    if let Some(token) = headers.get("last-event-id") {
        after = Some(token.to_str().unwrap_or("?").to_owned());
    }
    let hello = sse::Event::default().retry(RETRY).comment(format!("changes of {collection}"));
    let (durable, ready) = (desk.durable(), VecDeque::from([hello]));
    let mut reader = Reader { desk: desk.clone(), collection, after, follow, durable, ready, is_over: false };
    // What is wrong with the request is said in the status of the answer.
    reader.fill().await?;
    desk.stream(reader.into_stream())
}

impl Reader {
    fn into_stream(self) -> impl Stream<Item = sse::Event> {
        stream::unfold(self, |mut reader| async move {
            let event = reader.next().await?;
            Some((event, reader))
        })
    }

    async fn next(&mut self) -> Option<sse::Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.is_over {
                return None;
            }
            match self.fill().await {
                // The collection is gone, or the node, or this reader was too slow: said once, and then it is over.
                Err(problem) => {
                    self.is_over = true;
                    return Some(sse::Event::default().event("end").data(problem.json()));
                }
                Ok(0) if !self.follow => return None,
                Ok(0) => self.durable.changed().await.ok()?,
                Ok(_) => {}
            }
        }
    }

    /// Takes what has come; how much. The last one has the token behind all of them as its id: who comes back before it is
    /// told them again.
    async fn fill(&mut self) -> Result<usize, Problem> {
        self.durable.mark_unchanged();
        let (collection, after) = (self.collection.clone(), self.after.clone());
        match self.desk.ask(Command::ReadChanges { collection, after, limit: BATCH_MAX }).await? {
            Reply::Changes { documents, next } => {
                let count = documents.len();
                for (at, found) in documents.iter().enumerate() {
                    let mut data = String::new();
                    reading::push(&mut data, found);
                    let event = sse::Event::default().data(data);
                    self.ready.push_back(if at + 1 == count { event.id(&next) } else { event });
                }
                self.after = Some(next);
                Ok(count)
            }
            other => Err(refused::unexpected(other)),
        }
    }
}
