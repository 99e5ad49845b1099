//! `seedbed docs`: replicated documents, through the door of a replica.

mod feed;
mod import;
mod page;

use std::io::Read;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::Value;
use ureq::http::Method;

use super::client::{Client, Entry, Refused};
use super::{Done, Verdict, print};

/// Read and write replicated documents, at any of the replicas.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Docs {
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "Examples, with the cluster of scenarios/clusters/documents.toml, whose token is in a file:
  export API=http://127.0.0.1:7200 TOKEN=.seedbed/documents/token
  seedbed docs create people --api $API --token-file $TOKEN
  seedbed docs add people '{\"name\": \"Anna\", \"age\": 37}' --api $API --token-file $TOKEN
  seedbed docs query people --where '/age>=18' --where '/name^=An' --sort -/age --api $API
  seedbed docs patch people ID '{\"age\": 38}' --if-match VERSION --api $API --token-file $TOKEN
  seedbed docs import people people.jsonl --create --api $API --token-file $TOKEN
  seedbed docs feed people --follow --api http://127.0.0.1:7202

Exit codes: 0 it is done; 1 the door answered that it is not: not there, there already, changed meanwhile, or the node
behind it is down or did not answer in time; 2 it cannot be asked so, or there is no door to ask.";

/// Where to ask.
#[derive(Args, Debug)]
struct Door {
    /// The address of a replica's door.
    #[arg(long, value_name = "URL")]
    api: String,
    #[command(flatten)]
    entry: Entry,
}

impl Door {
    fn client(&self) -> anyhow::Result<Client> {
        Client::new(&self.api, &self.entry)
    }
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a collection.
    Create(Create),
    /// Delete a collection with all its documents.
    Drop(OfCollection),
    /// Name the collections, one on each line.
    List(Anywhere),
    /// Add a document, and print its name and version.
    Add(Add),
    /// Print a document; its version goes to standard error.
    Get(Get),
    /// Put a whole document in the place of another, or of none.
    Put(Write),
    /// Change a document by a merge patch (RFC 7396).
    Patch(Write),
    /// Delete a document.
    Delete(Delete),
    /// Print the documents that fulfil conditions, one on each line.
    Query(page::Query),
    /// Print what has changed, one document on each line, and, with --follow, what changes next.
    Feed(feed::Feed),
    /// Write the documents of a file, one on each line. It can be repeated: each line has a name of its own.
    Import(import::Import),
    /// Print all documents of a collection, one on each line, by name.
    Export(page::Export),
}

#[derive(Args, Debug)]
struct Anywhere {
    #[command(flatten)]
    door: Door,
}

#[derive(Args, Debug)]
struct OfCollection {
    #[command(flatten)]
    door: Door,
    /// The collection.
    collection: String,
}

#[derive(Args, Debug)]
struct Create {
    #[command(flatten)]
    door: Door,
    /// The collection.
    collection: String,
    /// How its documents merge, such as '{"fields": {"/visits": "counter", "/tags": "set"}}'.
    #[arg(long, value_name = "JSON")]
    schema: Option<String>,
}

#[derive(Args, Debug)]
struct Add {
    #[command(flatten)]
    door: Door,
    /// The collection.
    collection: String,
    /// A JSON object; - reads it from standard input.
    #[arg(value_name = "JSON")]
    document: String,
}

#[derive(Args, Debug)]
struct Get {
    #[command(flatten)]
    door: Door,
    /// The collection.
    collection: String,
    /// The document's name.
    id: String,
    /// Print its version, too, and all values of the fields that were written concurrently and keep several.
    #[arg(long)]
    siblings: bool,
}

#[derive(Args, Debug)]
struct Write {
    #[command(flatten)]
    door: Door,
    /// The collection.
    collection: String,
    /// The document's name.
    id: String,
    /// A JSON object; - reads it from standard input.
    #[arg(value_name = "JSON")]
    document: String,
    /// Only if this is its version.
    #[arg(long, value_name = "VERSION")]
    if_match: Option<String>,
}

#[derive(Args, Debug)]
struct Delete {
    #[command(flatten)]
    door: Door,
    /// The collection.
    collection: String,
    /// The document's name.
    id: String,
    /// Only if this is its version.
    #[arg(long, value_name = "VERSION")]
    if_match: Option<String>,
}

impl Docs {
    pub(super) fn execute(&self) -> Done {
        let done = match &self.verb {
            Verb::Create(create) => create.execute(),
            Verb::Drop(drop) => {
                let path = collection(&drop.collection, "");
                drop.door
                    .client()?
                    .send(Method::DELETE, &path, &[], "")
                    .map(|_| Verdict::Holds)
                    .map_err(Into::into)
            }
            Verb::List(list) => list.execute(),
            Verb::Add(add) => {
                let path = collection(&add.collection, "/documents");
                write(&add.door, Method::POST, &path, "application/json", &add.document, None)
            }
            Verb::Get(get) => get.execute(),
            Verb::Put(put) => put.send(Method::PUT, "application/json"),
            Verb::Patch(patch) => patch.send(Method::PATCH, "application/merge-patch+json"),
            Verb::Delete(delete) => delete.execute(),
            Verb::Query(query) => query.execute(),
            Verb::Feed(feed) => feed.execute(),
            Verb::Import(import) => import.execute(),
            Verb::Export(export) => export.execute(),
        };
        settle(done)
    }
}

/// A node that was asked well and did not do it is no wrong input.
pub(super) fn settle(done: Done) -> Done {
    let Err(error) = done else { return done };
    let is_input = |status: u16| matches!(status, 400 | 401 | 403 | 405 | 413 | 415 | 421 | 422);
    match error.downcast_ref::<Refused>().and_then(|refused| refused.status) {
        Some(status) if !is_input(status) => {
            super::tell(&error);
            Ok(Verdict::Violated)
        }
        _ => Err(error),
    }
}

/// A path below a collection.
fn collection(name: &str, rest: &str) -> String {
    format!("/api/v1/collections/{}{rest}", escaped(name))
}

/// What a person typed, fit for a part of a path or a query.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            byte if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) => escaped.push(byte.into()),
            byte => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

/// A JSON text as it was given, or from standard input.
fn given(text: &str) -> anyhow::Result<String> {
    let text = match text {
        "-" => {
            let mut read = String::new();
            std::io::stdin().lock().read_to_string(&mut read).context("standard input cannot be read")?;
            read
        }
        text => text.to_owned(),
    };
    serde_json::from_str::<Value>(&text).with_context(|| format!("`{}` is not JSON", text.trim()))?;
    Ok(text)
}

/// Writes a document, and prints its name and version.
fn write(door: &Door, method: Method, path: &str, kind: &str, body: &str, if_match: Option<&str>) -> Done {
    let body = given(body)?;
    let tag = if_match.map(|version| format!("\"{version}\""));
    let headers: Vec<_> = [("Content-Type", Some(kind)), ("If-Match", tag.as_deref())]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    let answer = door.client()?.send(method, path, &headers, &body)?;
    let written = answer.json()?;
    let word = |name: &str| written[name].as_str().unwrap_or_default().to_owned();
    print(&format!("{} {}\n", word("_id"), word("version")))?;
    Ok(Verdict::Holds)
}

impl Create {
    fn execute(&self) -> Done {
        let body = self.schema.as_deref().map(given).transpose()?.unwrap_or_default();
        let headers = [("Content-Type", "application/json")];
        let headers = if body.is_empty() { &[][..] } else { &headers[..] };
        self.door.client()?.send(Method::PUT, &collection(&self.collection, ""), headers, &body)?;
        Ok(Verdict::Holds)
    }
}

impl Anywhere {
    fn execute(&self) -> Done {
        let answer = self.door.client()?.get("/api/v1/collections")?;
        for name in answer["collections"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            print(&format!("{}\n", super::client::plain(name)))?;
        }
        Ok(Verdict::Holds)
    }
}

impl Get {
    fn execute(&self) -> Done {
        let query = if self.siblings { "?siblings=true" } else { "" };
        let path = collection(&self.collection, &format!("/documents/{}{query}", escaped(&self.id)));
        let answer = self.door.client()?.send(Method::GET, &path, &[], "")?;
        if let Some(version) = &answer.version {
            eprintln!("version {version}");
        }
        print(&format!("{}\n", answer.text))?;
        Ok(Verdict::Holds)
    }
}

impl Write {
    fn send(&self, method: Method, kind: &str) -> Done {
        let path = collection(&self.collection, &format!("/documents/{}", escaped(&self.id)));
        write(&self.door, method, &path, kind, &self.document, self.if_match.as_deref())
    }
}

impl Delete {
    fn execute(&self) -> Done {
        let path = collection(&self.collection, &format!("/documents/{}", escaped(&self.id)));
        let tag = self.if_match.as_ref().map(|version| format!("\"{version}\""));
        let headers: Vec<_> = tag.as_deref().map(|tag| ("If-Match", tag)).into_iter().collect();
        self.door.client()?.send(Method::DELETE, &path, &headers, "")?;
        Ok(Verdict::Holds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_cannot_leave_its_place_in_a_path() {
        assert_eq!(collection("a/../b?c", "/documents"), "/api/v1/collections/a%2F..%2Fb%3Fc/documents");
    }
}
