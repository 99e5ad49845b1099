//! Events as they happen: server-sent events.

use std::collections::VecDeque;

use axum::response::sse;
use futures_util::{Stream, stream};
use serde_json::json;
use tokio::sync::watch;

use super::events::{EventLog, Gap};

/// Events that are taken from the log at once: all that a stream holds.
const BATCH_MAX: usize = 64;

/// A reader of the log. Whoever reads slower than events are made finds them dropped, and is told how many.
pub(super) struct Cursor {
    pub(super) log: EventLog,
    /// The last event that the client has.
    pub(super) after: u64,
    /// Whether to wait for more at the end.
    pub(super) follow: bool,
}

struct Reading {
    cursor: Cursor,
    newest: watch::Receiver<u64>,
    ready: VecDeque<sse::Event>,
}

impl Cursor {
    pub(super) fn into_stream(self) -> impl Stream<Item = sse::Event> {
        // Something at once, so that the client knows where it is.
        let hello = sse::Event::default().retry(RETRY).comment(format!("after {}", self.after));
        let newest = self.log.newest();
        let reading = Reading { cursor: self, newest, ready: VecDeque::from([hello]) };
        stream::unfold(reading, |mut reading| async move {
            let event = reading.next().await?;
            Some((event, reading))
        })
    }
}

/// How long a client may wait before it comes back.
const RETRY: std::time::Duration = std::time::Duration::from_secs(1);

impl Reading {
    async fn next(&mut self) -> Option<sse::Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            self.newest.mark_unchanged();
            self.fill();
            if !self.ready.is_empty() {
                continue;
            }
            let Self { cursor, newest, .. } = self;
            if !cursor.follow {
                return None;
            }
            newest.changed().await.ok()?;
        }
    }

    fn fill(&mut self) {
        let batch = self.cursor.log.after(self.cursor.after, BATCH_MAX);
        if let Some(gap) = batch.gap {
            self.ready.push_back(told(self.cursor.after, gap));
            if gap == Gap::Restarted {
                self.cursor.after = 0;
            }
        }
        for event in batch.events {
            self.cursor.after = event.seq;
            let data = json!(event).to_string();
            self.ready.push_back(sse::Event::default().id(event.seq.to_string()).data(data));
        }
    }
}

/// Without an id: whoever comes back after it is told again.
fn told(after: u64, gap: Gap) -> sse::Event {
    let data = json!({ "after": after, "gap": gap }).to_string();
    sse::Event::default().event("gap").data(data)
}
