//! `seedbed docs import`: a file of JSON lines into a collection.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, bail};
use clap::Args;
use serde_json::Value;
use ureq::http::Method;

use super::{Door, collection};
use crate::cli::client::{Client, Refused, plain};
use crate::cli::progress::Progress;
use crate::cli::{Done, Verdict};

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  seedbed docs import people people.jsonl --create --api http://127.0.0.1:7200 --token-file .seedbed/documents/token
  seedbed docs import people people.jsonl --skip 37000 --api http://127.0.0.1:7200 --token-file token

A document without an `_id` gets one that follows from the file's time of change, the number of its line and what stands
there: who imports a file again, from the start or with --skip, writes the same documents.

Exit codes: 0 all lines are on disk, 1 some were refused or the node went away, 2 the file cannot be used.")]
pub(super) struct Import {
    #[command(flatten)]
    door: Door,
    /// The collection.
    collection: String,
    /// A JSON object on each line.
    file: PathBuf,
    /// Make the collection if it is not there.
    #[arg(long)]
    create: bool,
    /// Leave out so many lines.
    #[arg(long, value_name = "LINES", default_value_t = 0)]
    skip: u64,
    /// How long to go on trying when the node goes away, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    patience: u64,
}

/// A request brings about so many bytes, and so many documents at most.
const BATCH_BYTES: usize = 1 << 20;
const BATCH_LINES: usize = 1_000;
/// The longest line: what a node takes for one document.
const LINE_MAX: u64 = 2 << 20;
/// Before asking a node again that did not answer.
const PAUSE: Duration = Duration::from_millis(500);
/// Refusals that are told one by one.
const TOLD_MAX: u64 = 10;

/// Lines on their way.
#[derive(Default)]
struct Batch {
    body: String,
    /// Their numbers in the file.
    numbers: Vec<u64>,
}

/// What has become of lines.
#[derive(Default)]
struct Tally {
    written: u64,
    refused: u64,
    /// The last line of which it is known what became of it.
    line: u64,
    /// Whether the node has answered before.
    is_known: bool,
}

impl Import {
    pub(super) fn execute(&self) -> Done {
        let unreadable = || format!("{} cannot be read", self.file.display());
        let file = File::open(&self.file).with_context(unreadable)?;
        let metadata = file.metadata().with_context(unreadable)?;
        let millis =
            metadata.modified().ok().and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
        let millis = millis.map_or(0, |since| since.as_millis() as u64);
        let client = self.door.client()?;
        if self.create {
            match client.send(Method::PUT, &collection(&self.collection, ""), &[], "") {
                Err(refused) if refused.status == Some(409) => {}
                made => drop(made?),
            }
        }
        let length = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
        let progress = Progress::new(&self.collection, length, "bytes");
        let mut tally = Tally { line: self.skip, ..Tally::default() };
        let done = self.lines(BufReader::new(file), millis, &client, &progress, &mut tally);
        progress.finish();
        let Tally { written, refused, line, is_known } = tally;
        eprintln!("{written} documents imported from {}", self.file.display());
        if let Err(error) = done {
            eprintln!("up to line {line} it is done; go on with: --skip {line}");
            return match error.downcast_ref::<Refused>() {
                // It was there, and went away.
                Some(Refused { status: None, .. }) if is_known => {
                    crate::cli::tell(&error);
                    Ok(Verdict::Violated)
                }
                _ => Err(error),
            };
        }
        if refused > 0 {
            eprintln!("{refused} lines were refused");
        }
        Ok(if refused == 0 { Verdict::Holds } else { Verdict::Violated })
    }

    fn lines(
        &self,
        mut file: impl BufRead,
        millis: u64,
        client: &Client,
        progress: &Progress,
        tally: &mut Tally,
    ) -> anyhow::Result<()> {
        let (mut batch, mut line, mut bytes) = (Batch::default(), Vec::new(), 0);
        for number in 1.. {
            line.clear();
            let read = next_line(&mut file, &mut line);
            let read = read.with_context(|| format!("{} cannot be read", self.file.display()))?;
            let document = match number > self.skip && !line.trim_ascii().is_empty() {
                true => Some(named(&line, number, millis)),
                false => None,
            };
            // What is right before a wrong line is written first.
            let is_wrong = document.as_ref().is_some_and(Result::is_err);
            let is_full = batch.body.len() + line.len() > BATCH_BYTES || batch.numbers.len() >= BATCH_LINES;
            if !batch.numbers.is_empty() && (read == 0 || is_wrong || is_full) {
                self.send(client, std::mem::take(&mut batch), tally)?;
                progress.at(bytes);
            }
            if read == 0 {
                break;
            }
            bytes += read;
            if let Some(document) = document {
                let document = document.with_context(|| format!("{}, line {number}", self.file.display()))?;
                batch.body += &document;
                batch.body.push('\n');
                batch.numbers.push(number);
            }
        }
        Ok(())
    }

    /// Writes a batch; again, if nobody knows what became of it: its documents have names.
    fn send(&self, client: &Client, batch: Batch, tally: &mut Tally) -> anyhow::Result<()> {
        let path = collection(&self.collection, "/bulk");
        let end = Instant::now() + Duration::from_secs(self.patience);
        let answer = loop {
            let sent =
                client.send(Method::POST, &path, &[("Content-Type", "application/x-ndjson")], &batch.body);
            match sent {
                Ok(answer) => break answer.json()?,
                Err(refused) if tally.is_known && may_pass(&refused) && Instant::now() < end => {
                    thread::sleep(PAUSE);
                }
                Err(refused) => return Err(refused.into()),
            }
        };
        tally.is_known = true;
        tally.written += answer["written"].as_u64().unwrap_or_default();
        for refused in answer["refused"].as_array().into_iter().flatten() {
            tally.refused += 1;
            if tally.refused <= TOLD_MAX {
                let nth = refused["line"].as_u64().and_then(|line| usize::try_from(line).ok()).unwrap_or(0);
                let line = batch.numbers.get(nth.wrapping_sub(1)).copied().unwrap_or_default();
                eprintln!("line {line}: {}", plain(refused["detail"].as_str().unwrap_or_default()));
            }
        }
        tally.line = batch.numbers.last().copied().unwrap_or(tally.line);
        Ok(())
    }
}

/// Whether it may go well another time.
fn may_pass(refused: &Refused) -> bool {
    refused.status.is_none_or(|status| status >= 500 && status != 507)
}

/// Reads a line, of one that is too long no more than its beginning; how many bytes it has, 0 at the end.
fn next_line(file: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<usize> {
    let read = file.by_ref().take(LINE_MAX).read_until(b'\n', line)?;
    let is_cut = read as u64 == LINE_MAX && line.last() != Some(&b'\n');
    Ok(read + if is_cut { file.skip_until(b'\n')? } else { 0 })
}

/// A line as a document with a name.
fn named(line: &[u8], number: u64, millis: u64) -> anyhow::Result<String> {
    if line.len() as u64 >= LINE_MAX {
        bail!("it is longer than {LINE_MAX} bytes");
    }
    let text = std::str::from_utf8(line.trim_ascii()).context("it is not UTF-8")?;
    let document: Value = serde_json::from_str(text).context("it is not JSON")?;
    let Value::Object(fields) = &document else { bail!("it is no JSON object") };
    if fields.contains_key("_id") {
        return Ok(text.to_owned());
    }
    let rest = text.strip_prefix('{').unwrap_or_default();
    let comma = if fields.is_empty() { "" } else { "," };
    Ok(format!("{{\"_id\":\"{}\"{comma}{rest}", id(text, number, millis)))
}

/// A UUID of version 7: the file's time, the number of the line, and what stands there. In the order of lines.
fn id(text: &str, number: u64, millis: u64) -> String {
    let hash = blake3::hash(text.as_bytes());
    let hash = hash.as_bytes().first_chunk().copied().map_or(0, u64::from_be_bytes);
    let bits = u128::from(number & 0xFFFF_FFFF) << 42 | u128::from(hash >> 22);
    let value = u128::from(millis & 0xFFFF_FFFF_FFFF) << 80
        | 7 << 76
        | (bits >> 62) << 64
        | 0b10 << 62
        | (bits & ((1 << 62) - 1));
    let digits = format!("{value:032x}");
    format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..])
}

#[cfg(test)]
mod tests {
    use seedbed_core::sync::DocumentId;

    use super::*;

    #[test]
    fn a_line_has_one_name_whenever_it_is_imported() {
        let line = |text: &str, number| named(text.as_bytes(), number, 1_700_000_000_000).unwrap();
        let first = line("{ \"a\": 1 }\n", 1);
        assert_eq!(first, line("{ \"a\": 1 }", 1));
        assert_ne!(first, line("{ \"a\": 1 }", 2));
        let name = |text: &str| {
            let value: Value = serde_json::from_str(text).unwrap();
            value["_id"].as_str().unwrap().parse::<DocumentId>().unwrap()
        };
        assert!(name(&first) < name(&line("{}", 2)));
        assert!(name(&line("{}", 2)) < name(&line("{ \"b\": [] }", 1 << 31)));
        assert_eq!(line("{\"_id\":\"mine\"}", 3), "{\"_id\":\"mine\"}");
    }

    #[test]
    fn a_line_that_is_too_long_is_one_line() {
        let text = format!("{{}}\n{}\n[]\n", "x".repeat(3 << 20));
        let (mut file, mut line) = (BufReader::new(text.as_bytes()), Vec::new());
        let mut next = || {
            line.clear();
            (next_line(&mut file, &mut line).unwrap(), line.len())
        };
        assert_eq!([next(), next(), next(), next()], [(3, 3), ((3 << 20) + 1, 2 << 20), (3, 3), (0, 0)]);
    }

    #[test]
    fn what_is_no_document_is_told() {
        for (wrong, told) in [("[1]", "no JSON object"), ("{", "not JSON"), ("7", "no JSON object")] {
            assert!(format!("{:#}", named(wrong.as_bytes(), 1, 0).unwrap_err()).contains(told), "{wrong}");
        }
    }
}
