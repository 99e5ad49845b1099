//! The client of a hub: `tasks_load PEER OPERATION TASKS --at ADDRESS` gives it tasks that do nothing, and prints as a line of JSON
//! how many were done in a second, or how long each took of those given one after another. Time runs from the first byte that
//! is sent, until the client knows that all are done. One thread.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{LocalSet, spawn_local};

/// Between two looks at what Seedbed's hub has done.
const LOOK: Duration = Duration::from_millis(2);

#[derive(Debug, Parser)]
struct Args {
    peer: Peer,
    operation: Operation,
    tasks: u64,
    #[arg(long)]
    at: SocketAddr,
    /// Tasks in a submission, for Seedbed.
    #[arg(long, default_value_t = 1_000)]
    batch: u64,
    /// Submissions under way, for Seedbed.
    #[arg(long, default_value_t = 8)]
    connections: u64,
    /// What Seedbed wants to see of who submits.
    #[arg(long)]
    token_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Peer {
    Seedbed,
    /// The hub of `tasks_plain`.
    Plain,
    /// NATS core, by its protocol of text.
    Nats,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Operation {
    Throughput,
    Latency,
}

fn main() -> io::Result<()> {
    let args = Rc::new(Args::parse());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        match args.operation {
            Operation::Throughput => {
                let seconds = throughput(&args).await?;
                println!("{{\"per_second\":{}}}", args.tasks as f64 / seconds);
            }
            Operation::Latency => {
                let mut hub = Hub::connect(&args).await?;
                let mut millis = Vec::new();
                for _ in 0..args.tasks {
                    let begun = Instant::now();
                    hub.run(1).await?;
                    millis.push(begun.elapsed().as_secs_f64() * 1e3);
                }
                millis.sort_unstable_by(f64::total_cmp);
                let of =
                    |share: f64| millis.get((millis.len() as f64 * share) as usize).copied().unwrap_or(0.0);
                println!("{{\"p50_ms\":{},\"p99_ms\":{}}}", of(0.5), of(0.99));
            }
        }
        Ok(())
    })
}

/// What Seedbed's hub has done so far.
#[derive(Clone, Copy, Default, Deserialize)]
struct Counts {
    validated: u64,
    failed: u64,
}

/// In seconds.
async fn throughput(args: &Rc<Args>) -> io::Result<f64> {
    // Others have no submissions: they take tasks as they come.
    let (connections, batch) = match args.peer {
        Peer::Seedbed => (args.connections, args.batch),
        Peer::Plain | Peer::Nats => (1, args.tasks),
    };
    let mut hubs = Vec::new();
    for _ in 0..connections {
        hubs.push(Hub::connect(args).await?);
    }
    let batches = args.tasks.div_ceil(batch);
    let mut watcher = match args.peer {
        Peer::Seedbed => {
            let mut hub = Hub::connect(args).await?;
            let before = hub.counts().await?;
            Some((hub, before))
        }
        Peer::Plain | Peer::Nats => None,
    };
    let begun = Instant::now();
    let mut running = Vec::new();
    for (nth, mut hub) in (0..).zip(hubs) {
        let tasks = args.tasks;
        running.push(spawn_local(async move {
            for turn in (nth..batches).step_by(connections as usize) {
                hub.run(batch.min(tasks - turn * batch)).await?;
            }
            io::Result::Ok(())
        }));
    }
    for one in running {
        one.await??;
    }
    if let Some((hub, before)) = &mut watcher {
        hub.all_ended(*before).await?;
    }
    Ok(begun.elapsed().as_secs_f64())
}

/// A connection to one.
struct Hub {
    args: Rc<Args>,
    token: String,
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Hub {
    async fn connect(args: &Rc<Args>) -> io::Result<Self> {
        let token = match &args.token_file {
            Some(path) => format!("authorization: Bearer {}\r\n", std::fs::read_to_string(path)?.trim()),
            None => String::new(),
        };
        let mut stream = TcpStream::connect(args.at).await?;
        stream.set_nodelay(true)?;
        match args.peer {
            Peer::Seedbed => {}
            Peer::Plain => stream.write_u8(b'c').await?,
            Peer::Nats => stream.write_all(b"CONNECT {\"verbose\":false}\r\nSUB inbox 1\r\n").await?,
        }
        Ok(Self { args: Rc::clone(args), token, stream, answer: Vec::with_capacity(1 << 16) })
    }

    /// Gives tasks and waits until all of them are done.
    async fn run(&mut self, tasks: u64) -> io::Result<()> {
        match self.args.peer {
            Peer::Seedbed => self.submit(tasks).await,
            Peer::Plain => {
                let bytes: Vec<u8> = (0..tasks).flat_map(u64::to_le_bytes).collect();
                let (mut read, mut write) = self.stream.split();
                let mut missing = bytes.len();
                let all_read = async {
                    while missing > 0 {
                        self.answer.clear();
                        missing = missing.saturating_sub(some(read.read_buf(&mut self.answer).await?)?);
                    }
                    Ok(())
                };
                tokio::try_join!(write.write_all(&bytes), all_read).map(drop)
            }
            Peer::Nats => self.publish(tasks).await,
        }
    }

    /// One task is waited for. Of many the hub says only that it took them: `all_ended` waits for these.
    async fn submit(&mut self, tasks: u64) -> io::Result<()> {
        let list = vec!["{}"; tasks as usize].join(",");
        let wait = if self.args.operation == Operation::Latency { "?wait=true" } else { "" };
        self.http("POST", &format!("/api/v1/tasks{wait}"), &format!("[{list}]")).await
    }

    /// Asks until as many more tasks are validated as were given.
    async fn all_ended(&mut self, before: Counts) -> io::Result<()> {
        loop {
            let now = self.counts().await?;
            if now.failed > before.failed {
                return Err(io::Error::other("tasks failed"));
            }
            if now.validated >= before.validated + self.args.tasks {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn counts(&mut self) -> io::Result<Counts> {
        self.http("GET", "/api/v1/summary", "").await?;
        let body = self.answer.windows(4).position(|end| end == b"\r\n\r\n").map_or(0, |head| head + 4);
        Ok(serde_json::from_slice(&self.answer[body..])?)
    }

    async fn http(&mut self, method: &str, path: &str, body: &str) -> io::Result<()> {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\n{}content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.args.at,
            self.token,
            body.len()
        );
        self.stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await?;
        self.answer.clear();
        loop {
            some(self.stream.read_buf(&mut self.answer).await?)?;
            if http(&self.answer)?.is_some_and(|length| self.answer.len() >= length) {
                return Ok(());
            }
        }
    }

    /// A task is a message with an inbox; its answer is an empty message there.
    async fn publish(&mut self, tasks: u64) -> io::Result<()> {
        let bytes = b"PUB tasks inbox 0\r\n\r\n".repeat(tasks as usize);
        let (mut read, mut write) = self.stream.split();
        let answer = &mut self.answer;
        let all_read = async {
            let mut missing = tasks;
            while missing > 0 {
                some(read.read_buf(answer).await?)?;
                // A message is a line that begins with `MSG`, and an empty one; the server says other things seldom.
                let whole = answer.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
                let lines = answer[..whole].split(|byte| *byte == b'\n');
                let messages = lines.filter(|line| line.starts_with(b"MSG ")).count() as u64;
                missing = missing.saturating_sub(messages);
                answer.drain(..whole);
            }
            Ok(())
        };
        tokio::try_join!(write.write_all(&bytes), all_read).map(drop)
    }
}

fn some(bytes: usize) -> io::Result<usize> {
    if bytes == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(bytes) }
}

/// How long the answer is of which these are the first bytes, if that can be told; an error if it is no success.
fn http(answer: &[u8]) -> io::Result<Option<usize>> {
    let Some(head) = answer.windows(4).position(|end| end == b"\r\n\r\n") else { return Ok(None) };
    let refused = || io::Error::other(format!("no success: {}", String::from_utf8_lossy(answer)));
    let text = std::str::from_utf8(&answer[..head]).map_err(|_| refused())?;
    if !text.starts_with("HTTP/1.1 20") {
        return Err(refused());
    }
    let length = text.lines().filter_map(|line| line.split_once(':'));
    let length = length.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|(_, value)| value.trim().parse::<usize>().ok()).ok_or_else(refused)?;
    Ok(Some(head + 4 + length))
}
