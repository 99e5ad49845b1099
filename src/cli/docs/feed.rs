//! `seedbed docs feed`: what changes.

use std::io::{BufRead, ErrorKind, Write};
use std::thread;
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use serde_json::Value;

use super::{Door, collection, escaped};
use crate::cli::client::Refused;
use crate::cli::sse::{self, Message};
use crate::cli::{Done, Verdict};

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  seedbed docs feed people --api http://127.0.0.1:7200
  seedbed docs feed people --follow --api http://127.0.0.1:7200 | jq 'select(.document == null)._id'
  seedbed docs feed people --after TOKEN --api http://127.0.0.1:7200

Each line is a document with its version as it is now, null where it was deleted. Where the output ends, the token to go
on from is told on standard error: it is good at this replica, until more than ten thousand deletions are older than
what the replica keeps. Then, and when its disk is lost, it exits with 1: run it without --after, and keep only what it
prints. With --follow it tries again when the node goes away.")]
pub(super) struct Feed {
    #[command(flatten)]
    door: Door,
    /// The collection.
    collection: String,
    /// Wait for what changes next.
    #[arg(long)]
    follow: bool,
    /// Show only what has changed since this token was given.
    #[arg(long, value_name = "TOKEN")]
    after: Option<String>,
}

/// Before asking a node again that went away.
const PAUSE: Duration = Duration::from_secs(1);

/// How a stream ended.
enum End {
    /// There is no more.
    Stream,
    /// The collection or the node is gone: the details of the problem.
    Over(Value),
    /// Nobody reads what is printed.
    Reader,
}

impl Feed {
    pub(super) fn execute(&self) -> Done {
        let client = self.door.client()?;
        let (mut after, mut is_known) = (self.after.clone(), false);
        loop {
            let mut path = collection(&self.collection, &format!("/changes?follow={}", self.follow));
            if let Some(after) = &after {
                path += &format!("&after={}", escaped(after));
            }
            match client.stream(&path) {
                Ok(stream) => {
                    is_known = true;
                    match read(stream, &mut after) {
                        Ok(End::Reader) => return Ok(Verdict::Holds),
                        Ok(End::Stream) if !self.follow => {
                            eprintln!("go on with: --after {}", after.unwrap_or_default());
                            return Ok(Verdict::Holds);
                        }
                        Ok(End::Over(problem)) if !self.follow => {
                            return Err(advised(client.ended(&problem)).into());
                        }
                        Err(error) if !self.follow => bail!("{} broke off: {error}", client.base()),
                        // If it is gone for good, the next answer says so.
                        _ => {}
                    }
                }
                // It was there, and may come back.
                Err(refused) if is_known && refused.status.is_none_or(|status| status >= 500) => {}
                Err(refused) => return Err(advised(refused).into()),
            }
            thread::sleep(PAUSE);
        }
    }
}

/// With what to do where a token is good no more.
fn advised(refused: Refused) -> Refused {
    match refused.status {
        Some(410) => refused.help("run it again without --after"),
        _ => refused,
    }
}

/// Prints what a stream brings; `after` becomes the last token.
fn read(mut stream: impl BufRead, after: &mut Option<String>) -> std::io::Result<End> {
    while let Some(Message { data, event, id }) = sse::next(&mut stream)? {
        let Ok(value) = serde_json::from_str::<Value>(&data) else { continue };
        if event == "end" {
            return Ok(End::Over(value));
        }
        let mut out = std::io::stdout().lock();
        match writeln!(out, "{value}").and_then(|()| out.flush()) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(End::Reader),
            written => written?,
        }
        *after = id.or(after.take());
    }
    Ok(End::Stream)
}
