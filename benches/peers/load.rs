//! One client for all peers: `peers_load PEER OPERATION --at ADDRESS` asks one thing after another on each of some connections
//! that stay open, and prints what it saw as a line of JSON.
//!
//! Requests are bytes made beforehand or put together from two halves; of an answer it reads the status, the length, and as
//! many bytes. One thread, so that it takes little of the machine from whom it measures.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

#[derive(Debug, Parser)]
struct Args {
    peer: Peer,
    operation: Operation,
    #[arg(long)]
    at: SocketAddr,
    #[arg(long, default_value_t = 1)]
    connections: u64,
    /// How long to ask.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// How often to ask, instead, all connections together.
    #[arg(long)]
    requests: Option<u64>,
    /// The number of the first document that is written.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// How many documents there are to be read, from number 0.
    #[arg(long, default_value_t = 1_000)]
    documents: u64,
    /// Documents in a request in bulk.
    #[arg(long, default_value_t = 1_000)]
    batch: u64,
    /// What Seedbed wants to see of who writes.
    #[arg(long)]
    token_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Peer {
    Seedbed,
    Redis,
    /// The handler of `peers_plain`.
    Plain,
    Pouchdb,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Operation {
    /// A new document.
    Write,
    /// Documents that are there, in turn.
    Read,
    /// Many new documents.
    Bulk,
}

/// What all connections share.
struct Load {
    args: Args,
    /// A line of the head of requests, with its end, or nothing.
    token: String,
    end: Instant,
}

/// What one connection saw.
#[derive(Default)]
struct Seen {
    nanos: Vec<u64>,
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    let token = match &args.token_file {
        Some(path) => format!("authorization: Bearer {}\r\n", std::fs::read_to_string(path)?.trim()),
        None => String::new(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let start = Instant::now();
    // With a number of requests there is a time, too, lest it hang.
    let limit = if args.requests.is_some() { 600.0 } else { args.seconds };
    let load = Rc::new(Load { token, end: start + Duration::from_secs_f64(limit), args });
    let seen = LocalSet::new().block_on(&runtime, all(&load))?;
    tell(&load.args, seen, start.elapsed());
    Ok(())
}

async fn all(load: &Rc<Load>) -> io::Result<Vec<u64>> {
    let connections = (0..load.args.connections).map(|nth| {
        let load = Rc::clone(load);
        tokio::task::spawn_local(async move { load.one(nth).await })
    });
    let mut nanos = Vec::new();
    for connection in connections.collect::<Vec<_>>() {
        nanos.append(&mut connection.await??.nanos);
    }
    Ok(nanos)
}

fn tell(args: &Args, mut nanos: Vec<u64>, took: Duration) {
    nanos.sort_unstable();
    let of = |share: f64| nanos.get((nanos.len() as f64 * share) as usize).map_or(0.0, |n| *n as f64 / 1e3);
    let documents = nanos.len() as u64 * if args.operation == Operation::Bulk { args.batch } else { 1 };
    println!(
        "{{\"documents\":{documents},\"seconds\":{},\"per_second\":{},\"p50_us\":{},\"p99_us\":{}}}",
        took.as_secs_f64(),
        documents as f64 / took.as_secs_f64(),
        of(0.5),
        of(0.99),
    );
}

impl Load {
    /// Asks on one connection, one thing after another.
    async fn one(&self, nth: u64) -> io::Result<Seen> {
        let Args { connections, requests, first, .. } = self.args;
        let mut stream = TcpStream::connect(self.args.at).await?;
        stream.set_nodelay(true)?;
        let (mut request, mut answer) = (Vec::new(), Vec::new());
        let mut seen = Seen::default();
        let mut turn = nth;
        while requests.is_none_or(|requests| turn < requests) && Instant::now() < self.end {
            request.clear();
            self.write_request(first, turn, &mut request);
            let asked = Instant::now();
            stream.write_all(&request).await?;
            self.read_answer(&mut stream, &mut answer).await?;
            seen.nanos.push(asked.elapsed().as_nanos() as u64);
            turn += connections;
        }
        Ok(seen)
    }

    fn write_request(&self, first: u64, turn: u64, out: &mut Vec<u8>) {
        let Args { peer, operation, documents, batch, .. } = self.args;
        let number = if operation == Operation::Read { turn % documents.max(1) } else { first + turn };
        let bytes = match (peer, operation) {
            (Peer::Redis, Operation::Read) => command(&["GET", &id(number)]),
            (Peer::Redis, Operation::Write) => command(&["SET", &id(number), &document(number)]),
            (Peer::Redis, Operation::Bulk) => {
                let pairs = (0..batch).map(|nth| first + turn * batch + nth);
                let mut words = vec!["MSET".to_owned()];
                pairs.for_each(|number| words.extend([id(number), document(number)]));
                command(&words.iter().map(String::as_str).collect::<Vec<_>>())
            }
            (_, Operation::Read) => self.http("GET", &self.path(number), "", ""),
            (_, Operation::Write) => {
                self.http("PUT", &self.path(number), "application/json", &document(number))
            }
            (_, Operation::Bulk) => self.bulk(first + turn * batch),
        };
        out.extend_from_slice(bytes.as_bytes());
    }

    fn bulk(&self, first: u64) -> String {
        let documents = (first..first + self.args.batch)
            .map(|number| format!("{{\"_id\":\"{}\",{}", id(number), &document(number)[1..]));
        let documents: Vec<String> = documents.collect();
        match self.args.peer {
            Peer::Seedbed => self.http(
                "POST",
                "/api/v1/collections/load/bulk",
                "application/x-ndjson",
                &documents.join("\n"),
            ),
            _ => {
                let body = format!("{{\"docs\":[{}]}}", documents.join(","));
                self.http("POST", "/load/_bulk_docs", "application/json", &body)
            }
        }
    }

    fn path(&self, number: u64) -> String {
        let folder = match self.args.peer {
            Peer::Seedbed => "/api/v1/collections/load/documents",
            _ => "/load",
        };
        format!("{folder}/{}", id(number))
    }

    fn http(&self, method: &str, path: &str, kind: &str, body: &str) -> String {
        let head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n{}", self.args.at, self.token);
        match kind {
            "" => format!("{head}\r\n"),
            _ => format!("{head}content-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}", body.len()),
        }
    }

    /// Reads one answer to its end.
    async fn read_answer(&self, stream: &mut TcpStream, answer: &mut Vec<u8>) -> io::Result<()> {
        answer.clear();
        loop {
            if stream.read_buf(answer).await? == 0 {
                return Err(refused(answer));
            }
            let length = if self.args.peer == Peer::Redis { resp(answer) } else { http(answer) };
            if length.map_err(|()| refused(answer))?.is_some_and(|length| answer.len() >= length) {
                return Ok(());
            }
        }
    }
}

/// Sequential names of the form of a UUID of version 7, for all peers.
fn id(number: u64) -> String {
    format!("019a0000-{:04x}-7000-8000-{:012x}", number >> 48, number & 0xffff_ffff_ffff)
}

/// What people keep, in canonical form.
fn document(number: u64) -> String {
    format!(
        r#"{{"active":true,"age":{},"email":"person{number:08}@example.org","name":"Person number {number:08}","place":{{"city":"Pisa","street":"Via Roma {}"}},"score":{}.25,"tags":["red","green"]}}"#,
        number % 90,
        number % 100,
        number % 1_000,
    )
}

fn command(words: &[&str]) -> String {
    let mut text = format!("*{}\r\n", words.len());
    words.iter().for_each(|word| text.push_str(&format!("${}\r\n{word}\r\n", word.len())));
    text
}

/// How long the answer is of which these are the first bytes, if that can be told; refused if it is no success.
fn http(answer: &[u8]) -> Result<Option<usize>, ()> {
    let Some(head) = answer.windows(4).position(|end| end == b"\r\n\r\n") else { return Ok(None) };
    if !answer.starts_with(b"HTTP/1.1 20") {
        return Err(());
    }
    let length = answer[..head].split(|byte| *byte == b'\n').find_map(|line| {
        let (name, value) = line.split_at_checked(LENGTH.len())?;
        name.eq_ignore_ascii_case(LENGTH).then_some(value)
    });
    let length =
        length.and_then(|length| std::str::from_utf8(length.trim_ascii()).ok()?.parse::<usize>().ok());
    length.map(|length| Some(head + 4 + length)).ok_or(())
}

const LENGTH: &[u8] = b"content-length:";

fn resp(answer: &[u8]) -> Result<Option<usize>, ()> {
    let Some(head) = answer.windows(2).position(|end| end == b"\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&answer[..head]).map_err(|_| ())?;
    match text.split_at_checked(1).ok_or(())? {
        ("+", _) => Ok(Some(head + 2)),
        ("$", length) => Ok(Some(head + 4 + length.parse::<usize>().map_err(|_| ())?)),
        _ => Err(()),
    }
}

fn refused(answer: &[u8]) -> io::Error {
    io::Error::other(format!("no success: {}", String::from_utf8_lossy(&answer[..answer.len().min(1_000)])))
}
