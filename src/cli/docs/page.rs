//! `seedbed docs query` and `export`: documents page by page.

use std::fs::File;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde_json::Value;
use ureq::http::Method;

use super::{Door, collection, escaped};
use crate::cli::client::Client;
use crate::cli::{Done, Verdict};

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  seedbed docs query people --where '/age>=18' --sort -/age --limit 10 --api http://127.0.0.1:7200
  seedbed docs query people --where '/address/city=Bonn' --api http://127.0.0.1:7200 | jq .name
  seedbed docs query people --where '\"/a=b\"<3' --api http://127.0.0.1:7200

A condition is a path, one of = < <= > >= ^= and a value: JSON, or else a string; ^= asks how a string begins.")]
pub(super) struct Query {
    #[command(flatten)]
    door: Door,
    /// The collection.
    collection: String,
    /// A condition, such as '/age>=18' or '/name^=An'; of several, all must hold.
    #[arg(long = "where", value_name = "CONDITION")]
    conditions: Vec<String>,
    /// By `_id`, by `written`, or by the value at a path; backwards with a minus before it.
    #[arg(long, value_name = "ORDER", default_value = "_id", allow_hyphen_values = true)]
    sort: String,
    /// At most so many documents; without it, all.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Print each document beside its version, and all values of the fields that keep several.
    #[arg(long)]
    versions: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  seedbed docs export people --api http://127.0.0.1:7200 --out people.jsonl
  seedbed docs export people --api http://127.0.0.1:7200 | wc -l")]
pub(super) struct Export {
    #[command(flatten)]
    door: Door,
    /// The collection.
    collection: String,
    /// The file to write; otherwise standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Documents of a page.
const PAGE: u64 = 500;

impl Query {
    pub(super) fn execute(&self) -> Done {
        let mut query = format!("sort={}", escaped(&self.sort));
        for condition in &self.conditions {
            query += &format!("&where={}", escaped(condition));
        }
        let client = self.door.client()?;
        let mut out = BufWriter::new(std::io::stdout().lock());
        let path = collection(&self.collection, &format!("/documents?{query}"));
        pages(&client, &path, self.limit.unwrap_or(u64::MAX), &mut |found| match self.versions {
            true => writeln!(out, "{found}"),
            false => writeln!(out, "{}", found["document"]),
        })?;
        finish(out.flush())
    }
}

impl Export {
    pub(super) fn execute(&self) -> Done {
        let client = self.door.client()?;
        let mut out: Box<dyn Write> = match &self.out {
            None => Box::new(BufWriter::new(std::io::stdout().lock())),
            Some(path) => {
                let file =
                    File::create(path).with_context(|| format!("{} cannot be written", path.display()))?;
                Box::new(BufWriter::new(file))
            }
        };
        let path = collection(&self.collection, "/documents?sort=_id");
        let count = pages(&client, &path, u64::MAX, &mut |found| writeln!(out, "{}", found["document"]))?;
        if let Some(path) = &self.out {
            eprintln!("{count} documents in {}", path.display());
        }
        finish(out.flush())
    }
}

/// Gives all documents of a query to `each`, page by page; how many.
fn pages(
    client: &Client,
    path: &str,
    most: u64,
    each: &mut dyn FnMut(&Value) -> std::io::Result<()>,
) -> anyhow::Result<u64> {
    let (mut count, mut after) = (0, String::new());
    loop {
        let limit = PAGE.min(most - count);
        let page = client.send(Method::GET, &format!("{path}&limit={limit}{after}"), &[], "")?.json()?;
        for found in page["documents"].as_array().into_iter().flatten() {
            match each(found) {
                // Nobody reads on.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(count),
                written => written.context("what was found cannot be written")?,
            }
            count += 1;
        }
        match page["next"].as_str() {
            Some(next) if count < most => after = format!("&after={}", escaped(next)),
            _ => return Ok(count),
        }
    }
}

fn finish(flushed: std::io::Result<()>) -> Done {
    match flushed {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("what was found cannot be written")
        }
        _ => Ok(Verdict::Holds),
    }
}
