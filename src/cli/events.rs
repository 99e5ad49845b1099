//! `seedbed events`: what happens to a node.

use std::io::{BufRead, ErrorKind, Read, Write};
use std::thread;
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use serde_json::Value;

use super::client::{Client, Entry, plain, words};
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
/// The longest line of a stream that is read, in bytes.
const LINE_MAX: u64 = 1 << 20;

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
        let mut message = Message::default();
        let mut line = Vec::new();
        loop {
            line.clear();
            if stream.by_ref().take(LINE_MAX).read_until(b'\n', &mut line)? == 0 {
                return Ok(End::Stream);
            }
            if line.pop() != Some(b'\n') {
                // An event that is not whole is asked for again.
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let text = String::from_utf8_lossy(&line);
            if !text.is_empty() {
                message.field(&text);
                continue;
            }
            let Message { data, event, id } = std::mem::take(&mut message);
            let Ok(value) = serde_json::from_str::<Value>(&data) else { continue };
            match event.as_str() {
                "gap" => eprintln!("{}", missed(&value)),
                _ => {
                    let shown = if self.json { value.to_string() } else { told(&value) };
                    let mut out = std::io::stdout().lock();
                    match writeln!(out, "{shown}").and_then(|()| out.flush()) {
                        Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(End::Reader),
                        written => written?,
                    }
                    *after = id.or(*after);
                }
            }
        }
    }
}

/// One message of a stream, as far as it has come.
#[derive(Default)]
struct Message {
    data: String,
    event: String,
    id: Option<u64>,
}

impl Message {
    fn field(&mut self, line: &str) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "data" => self.data.push_str(value),
            "event" => value.clone_into(&mut self.event),
            "id" => self.id = value.parse().ok(),
            // A comment, or something that this version does not know.
            _ => {}
        }
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

    fn events() -> Events {
        let entry = Entry::default();
        Events { api: String::new(), entry, follow: false, after: None, json: true }
    }

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

    #[test]
    fn a_stream_that_breaks_off_is_known_up_to_the_last_whole_event() {
        let mut after = None;
        let text = ": hello\n\nid: 3\ndata: {}\n\nid: 4\ndata: {\"se";
        assert!(events().read(text.as_bytes(), &mut after).is_err());
        assert_eq!(after, Some(3));
        assert!(matches!(events().read("\n: bye\n\n".as_bytes(), &mut after), Ok(End::Stream)));
        assert_eq!(after, Some(3));
        let endless = std::io::BufReader::new(std::io::repeat(b'x'));
        assert!(events().read(endless, &mut after).is_err());
    }
}
