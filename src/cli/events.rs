//! `seedbed events`: what happens to a node.

use std::io::{BufRead, ErrorKind, Write};
use std::thread;
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use serde_json::Value;

use super::client::{Client, Entry, plain, words};
use super::sse::{self, Message};
use super::{Done, Verdict};

/// Show what has happened to a node, one line per event, and, with --follow, what happens next.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  seedbed events --api http://127.0.0.1:7200
  seedbed events --api http://127.0.0.1:7200 --follow --after 17
  seedbed events --api http://127.0.0.1:7200 --json | jq 'select(.kind == \"notice\").what'

Exit codes: 0 all was shown, 2 the node cannot be reached. With --follow it tries again when the node goes away.")]
pub(super) struct Events {
    /// The address of the node's door.
    #[arg(long, value_name = "URL")]
    api: String,
    #[command(flatten)]
    entry: Entry,
    /// Wait for what happens next.
    #[arg(long)]
    follow: bool,
    /// Show only what came after the event of this number.
    #[arg(long, value_name = "NUMBER")]
    after: Option<u64>,
    /// Print JSON, one line per event.
    #[arg(long)]
    json: bool,
}

/// Before asking a node again that went away.
const PAUSE: Duration = Duration::from_secs(1);

/// How a stream ended.
enum End {
    /// The node has no more to say.
    Stream,
    /// Nobody reads what is printed.
    Reader,
}

impl Events {
    pub(super) fn execute(&self) -> Done {
        let client = Client::new(&self.api, &self.entry)?;
        let (mut after, mut is_known) = (self.after, false);
        loop {
            let path = match after {
                None => format!("/api/v1/events?follow={}", self.follow),
                Some(after) => format!("/api/v1/events?follow={}&after={after}", self.follow),
            };
            match client.stream(&path) {
                Ok(stream) => {
                    is_known = true;
                    match self.read(stream, &mut after) {
                        Ok(End::Reader) => return Ok(Verdict::Holds),
                        Ok(End::Stream) if !self.follow => return Ok(Verdict::Holds),
                        Ok(End::Stream) => {}
                        Err(error) if !self.follow => bail!("{} broke off: {error}", client.base()),
                        Err(_) => {}
                    }
                }
                // It was there, and may come back.
                Err(refused) if is_known && refused.status.is_none_or(|status| status >= 500) => {}
                Err(refused) => return Err(refused.into()),
            }
            thread::sleep(PAUSE);
        }
    }

    /// Prints what a stream brings; `after` becomes the number of the last event.
    fn read(&self, mut stream: impl BufRead, after: &mut Option<u64>) -> std::io::Result<End> {
        while let Some(Message { data, event, id }) = sse::next(&mut stream)? {
            let Ok(value) = serde_json::from_str::<Value>(&data) else { continue };
            if event == "gap" {
                eprintln!("{}", missed(&value));
                continue;
            }
            let shown = if self.json { value.to_string() } else { told(&value) };
            let mut out = std::io::stdout().lock();
            match writeln!(out, "{shown}").and_then(|()| out.flush()) {
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(End::Reader),
                written => written?,
            }
            *after = id.and_then(|id| id.parse().ok()).or(*after);
        }
        Ok(End::Stream)
    }
}

/// `   17  2026-11-21T09:33:00.123456Z  n0  life 2  step 40  notice  Leading term 3`.
fn told(event: &Value) -> String {
    let wall = event["wall"].as_str().unwrap_or_default();
    let wall = wall.get(..26).map_or_else(|| wall.to_owned(), |micros| format!("{micros}Z"));
    let what = match &event["what"] {
        Value::Null => String::new(),
        what => words(what),
    };
    let line = format!(
        "{:>5}  {wall}  n{}  life {}  step {:<6}  {:<10}  {what}",
        event["seq"].to_string(),
        event["node"],
        event["life"],
        event["step"].to_string(),
        event["kind"].as_str().unwrap_or_default(),
    );
    plain(line.trim_end())
}

fn missed(gap: &Value) -> String {
    match gap["gap"]["missed"].as_u64() {
        Some(missed) => format!("({missed} events after {} are no longer held)", gap["after"]),
        None => "(the node's log began anew)".into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_a_line() {
        let event = json!({ "seq": 17, "wall": "2026-11-21T09:33:00.123456789Z", "node": 0, "life": 2, "step": 40,
            "steady_ns": 5, "kind": "notice", "what": { "Leading": { "term": 3 } } });
        assert_eq!(
            told(&event),
            "   17  2026-11-21T09:33:00.123456Z  n0  life 2  step 40      notice      Leading term 3"
        );
        assert!(told(&json!({ "wall": "é", "kind": 1 })).contains("null"));
    }

    #[test]
    fn what_is_missing_is_told() {
        assert_eq!(
            missed(&json!({ "after": 2, "gap": { "why": "dropped", "missed": 4 } })),
            "(4 events after 2 are no longer held)"
        );
        assert_eq!(
            missed(&json!({ "after": 2, "gap": { "why": "restarted" } })),
            "(the node's log began anew)"
        );
    }
}
