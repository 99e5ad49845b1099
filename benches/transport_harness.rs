//! The real transport beside a floor: raw tokio TCP with framing by hand. One run, on loopback, one thread a side.
//!
//! `transport_harness [messages] [blobs] [pings]` prints a table in Markdown. CPU time is that of both ends, system calls
//! included. The floor sends messages of 64 bytes on the wire, a copy of 60 bytes behind a length. The links frame typed
//! messages of 64 bytes, and of 30 as raft's heartbeats, and decode them at the other end; and carry frames of 64
//! bytes that are made beforehand and not looked into. Ratios are to the floor's 64 bytes. A blob of 1 MiB rides beside a message on the bulk lane; the
//! floor writes it from where it is, and reads it to where it stays. Blobs are not hashed.

use std::fmt;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Instant;

use seedbed_core::contract::frame::{self, Header};
use seedbed_core::contract::{Blob, BlobId, Lane, Life, NodeId, Wire};
use seedbed_transport::Knobs;
use seedbed_transport::identity::{Member, Roster, SecretKey};
use seedbed_transport::link::tcp::Tcp;
use seedbed_transport::link::tls::Tls;
use seedbed_transport::link::{Config, Frames, Incoming, Link, Refused, StreamLink};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;

/// What a message takes on the wire, in bytes.
const MESSAGE: usize = 64;
const BLOB: usize = 1 << 20;
/// Messages per flush, and per write of the floor: 32 KiB.
const BATCH: u64 = 512;
/// Messages that are acknowledged at once, and that may be under way.
const ACK: u64 = 4_096;
const WINDOW: u64 = 16_384;
/// How often each is measured; the table has medians.
const ROUNDS: usize = 5;
const A: NodeId = NodeId(0);
const B: NodeId = NodeId(1);

/// What replicas of a log say: 41 bytes, with the header 64.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
enum Message {
    Append { term: u64, index: u64, commit: u64, value: Value },
    Heartbeat { term: u64, round: u64 },
    Ack { index: u64 },
    Chunk { index: u64 },
}
impl Wire for Message {}

/// Bytes that are copied as one piece.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Value([u8; 32]);

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Value;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("32 bytes")
            }
            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Value, E> {
                bytes.try_into().map(Value).map_err(|_| E::invalid_length(bytes.len(), &self))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

fn append(index: u64) -> Message {
    Message::Append { term: 300, index: append_index(index), commit: 200, value: Value([7; 32]) }
}

/// What raft says most of the time: 7 bytes, with the header 30.
fn heartbeat(index: u64) -> Message {
    Message::Heartbeat { term: 300, round: append_index(index) }
}

/// One that takes three bytes.
fn append_index(index: u64) -> u64 {
    index % (1 << 14) + (1 << 14)
}

#[derive(Clone, Copy)]
struct Amounts {
    messages: u64,
    blobs: u64,
    pings: u64,
}

/// What one side of a run has measured.
#[derive(Clone, Copy, Default)]
struct Side {
    messages_cpu: f64,
    heartbeats_cpu: f64,
    frames_cpu: f64,
    blobs_cpu: f64,
    blobs_wall: f64,
    idle: f64,
    busy: f64,
}

struct Row {
    name: &'static str,
    message_ns: f64,
    heartbeat_ns: f64,
    frame_ns: f64,
    blob_us: f64,
    blob_rate: f64,
    idle_us: f64,
    busy_us: f64,
}

fn main() {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse().unwrap_or(0));
    let mut next = |default| args.next().filter(|&given| given > 0).unwrap_or(default);
    let amounts = Amounts { messages: next(2_000_000), blobs: next(500), pings: next(5_000) };
    // In turns, as a machine has its moods.
    let turns: Vec<[Row; 3]> = (0..ROUNDS).map(|_| turn(amounts)).collect();
    let rows = [0, 1, 2].map(|place| middle(turns.iter().map(|rows| &rows[place])));
    println!(
        "| | 64 B typed, CPU ns | x | 30 B typed | x | 64 B framed | x | 1 MiB, CPU us | x | MiB/s \
         | ping p50, idle us | while blobs flow | x |"
    );
    println!("|---|{}", "---:|".repeat(12));
    for row in &rows {
        let floor = &rows[0];
        let busy = match row.busy_us {
            0.0 => ["-".into(), "-".into()],
            busy => [format!("{busy:.1}"), format!("{:.2}", busy / row.idle_us)],
        };
        println!(
            "| {} | {:.1} | {:.2} | {:.1} | {:.2} | {:.1} | {:.2} | {:.0} | {:.2} | {:.0} | {:.1} | {} | {} |",
            row.name,
            row.message_ns,
            row.message_ns / floor.message_ns,
            row.heartbeat_ns,
            row.heartbeat_ns / floor.message_ns,
            row.frame_ns,
            row.frame_ns / floor.message_ns,
            row.blob_us,
            row.blob_us / floor.blob_us,
            row.blob_rate,
            row.idle_us,
            busy[0],
            busy[1],
        );
    }
}

fn turn(amounts: Amounts) -> [Row; 3] {
    [
        row("raw tokio TCP, framed by hand", amounts, pair("floor", amounts, floor)),
        row("link over TCP", amounts, pair("tcp", amounts, |side| linked(side, false))),
        row("link over TLS 1.3", amounts, pair("tls", amounts, |side| linked(side, true))),
    ]
}

/// The median of each figure.
fn middle<'a>(rows: impl Iterator<Item = &'a Row> + Clone) -> Row {
    let of = |figure: fn(&Row) -> f64| median(rows.clone().map(figure).collect());
    Row {
        name: rows.clone().next().expect("there are rounds").name,
        message_ns: of(|row| row.message_ns),
        heartbeat_ns: of(|row| row.heartbeat_ns),
        frame_ns: of(|row| row.frame_ns),
        blob_us: of(|row| row.blob_us),
        blob_rate: of(|row| row.blob_rate),
        idle_us: of(|row| row.idle_us),
        busy_us: of(|row| row.busy_us),
    }
}

fn row(name: &'static str, amounts: Amounts, [a, b]: [Side; 2]) -> Row {
    Row {
        name,
        message_ns: (a.messages_cpu + b.messages_cpu) / amounts.messages as f64 * 1e9,
        heartbeat_ns: (a.heartbeats_cpu + b.heartbeats_cpu) / amounts.messages as f64 * 1e9,
        frame_ns: (a.frames_cpu + b.frames_cpu) / amounts.messages as f64 * 1e9,
        blob_us: (a.blobs_cpu + b.blobs_cpu) / amounts.blobs as f64 * 1e6,
        blob_rate: amounts.blobs as f64 / b.blobs_wall,
        idle_us: a.idle * 1e6,
        busy_us: a.busy * 1e6,
    }
}

/// What a side has to know.
struct Seat<'a> {
    is_a: bool,
    listener: StdListener,
    other: SocketAddr,
    barrier: &'a Barrier,
    amounts: Amounts,
}

/// Runs both sides, each on a thread of its own.
fn pair(name: &str, amounts: Amounts, run: impl Fn(Seat<'_>) -> Side + Sync) -> [Side; 2] {
    let listen = || StdListener::bind("127.0.0.1:0").expect("a free port");
    let address = |listener: &StdListener| listener.local_addr().expect("it is bound");
    let (a, b) = (listen(), listen());
    let (a_address, b_address) = (address(&a), address(&b));
    let barrier = &Barrier::new(2);
    std::thread::scope(|scope| {
        let run = &run;
        let a = Seat { is_a: true, listener: a, other: b_address, barrier, amounts };
        let b = Seat { is_a: false, listener: b, other: a_address, barrier, amounts };
        let [a, b] = [a, b].map(|seat| {
            let thread = std::thread::Builder::new().name(name.into());
            thread.spawn_scoped(scope, move || run(seat)).expect("a thread")
        });
        [a, b].map(|side| side.join().expect("no side panics"))
    })
}

fn block_on<T>(what: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(what)
}

/// CPU and wall time of a piece of work of this thread, in seconds.
async fn timed(what: impl Future<Output = ()>) -> (f64, f64) {
    let (wall, cpu) = (Instant::now(), thread_cpu());
    what.await;
    (thread_cpu() - cpu, wall.elapsed().as_secs_f64())
}

/// Seconds this thread has spent on a CPU.
fn thread_cpu() -> f64 {
    let read = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    read.split_whitespace().next().and_then(|nanos| nanos.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

// The floor.

fn floor(seat: Seat<'_>) -> Side {
    let amounts = seat.amounts;
    block_on(async {
        let mut stream = if seat.is_a {
            TcpStream::connect(seat.other).await.expect("the other side listens")
        } else {
            seat.listener.set_nonblocking(true).expect("a socket");
            let listener = TcpListener::from_std(seat.listener).expect("a socket");
            listener.accept().await.expect("the other side dials").0
        };
        stream.set_nodelay(true).expect("a socket");
        let mut side = Side::default();
        for round in 0..2 {
            let part = |all: u64| if round == 0 { (all / 10).max(ACK).min(all) } else { all };
            seat.barrier.wait().await;
            (side.messages_cpu, _) = timed(async {
                match seat.is_a {
                    true => floor_send(&mut stream, part(amounts.messages)).await,
                    false => floor_receive(&mut stream, part(amounts.messages)).await,
                }
            })
            .await;
            (side.heartbeats_cpu, side.frames_cpu) = (side.messages_cpu, side.messages_cpu);
            seat.barrier.wait().await;
            (side.blobs_cpu, side.blobs_wall) = timed(async {
                let mut blob = vec![7; BLOB + 4];
                for _ in 0..part(amounts.blobs) {
                    match seat.is_a {
                        true => stream.write_all(&blob).await.expect("the other side reads"),
                        false => drop(stream.read_exact(&mut blob).await.expect("the other side writes")),
                    }
                }
            })
            .await;
        }
        seat.barrier.wait().await;
        let mut samples = Vec::new();
        let mut bytes = [0; MESSAGE];
        for _ in 0..amounts.pings {
            let start = Instant::now();
            for turn in [true, false] {
                match turn == seat.is_a {
                    true => stream.write_all(&bytes).await.expect("the other side reads"),
                    false => drop(stream.read_exact(&mut bytes).await.expect("the other side writes")),
                }
            }
            samples.push(start.elapsed().as_secs_f64());
        }
        side.idle = median(samples);
        side
    })
}

async fn floor_send(stream: &mut TcpStream, messages: u64) {
    let mut out = Vec::with_capacity(BATCH as usize * MESSAGE);
    let mut sent = 0;
    while sent < messages {
        out.clear();
        for _ in 0..BATCH.min(messages - sent) {
            let mut body = [7; MESSAGE - 4];
            body[..8].copy_from_slice(&sent.to_le_bytes());
            out.extend_from_slice(&(body.len() as u32).to_le_bytes());
            out.extend_from_slice(&body);
            sent += 1;
        }
        stream.write_all(&out).await.expect("the other side reads");
    }
}

async fn floor_receive(stream: &mut TcpStream, messages: u64) {
    let (mut buffer, mut end, mut heard) = (vec![0; 64 << 10], 0, 0);
    while heard < messages {
        end += stream.read(&mut buffer[end..]).await.expect("the other side writes");
        let mut at = 0;
        while let Some(length) = buffer[at..end].first_chunk() {
            let size = 4 + u32::from_le_bytes(*length) as usize;
            let Some(body) = buffer[..end].get(at + 4..at + size) else { break };
            let index = u64::from_le_bytes(*body.first_chunk().expect("60 bytes"));
            assert_eq!(index, heard);
            (at, heard) = (at + size, heard + 1);
        }
        buffer.copy_within(at..end, 0);
        end -= at;
    }
}

// The links.

fn linked(seat: Seat<'_>, is_secure: bool) -> Side {
    let amounts = seat.amounts;
    block_on(async {
        let mut end = End::start(&seat, is_secure).await;
        let mut side = Side::default();
        for round in 0..2 {
            let part = |all: u64| if round == 0 { (all / 10).max(ACK).min(all) } else { all };
            seat.barrier.wait().await;
            let kinds = [
                (Kind::Append, &mut side.messages_cpu),
                (Kind::Heartbeat, &mut side.heartbeats_cpu),
                (Kind::Framed, &mut side.frames_cpu),
            ];
            for (kind, cpu) in kinds {
                (*cpu, _) = timed(async {
                    match seat.is_a {
                        true => end.send(part(amounts.messages), kind).await,
                        false => end.take(part(amounts.messages), kind).await,
                    }
                })
                .await;
                seat.barrier.wait().await;
            }
            (side.blobs_cpu, side.blobs_wall) = timed(async {
                match seat.is_a {
                    true => end.send_blobs(part(amounts.blobs)).await,
                    false => end.take_blobs(part(amounts.blobs)).await,
                }
            })
            .await;
        }
        for (is_busy, p50) in [(false, &mut side.idle), (true, &mut side.busy)] {
            seat.barrier.wait().await;
            match seat.is_a {
                true => *p50 = median(end.ping(amounts.pings, is_busy).await),
                false => end.pong(amounts.pings).await,
            }
        }
        end.link.close().await;
        side
    })
}

/// What is sent many times.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Kind {
    /// A typed message of 64 bytes.
    Append,
    /// A typed message of 30 bytes.
    Heartbeat,
    /// A frame of 64 bytes that is made beforehand and not looked into: the link alone.
    Framed,
}

struct End {
    link: StreamLink,
    other: NodeId,
    ordinal: u64,
}

impl End {
    async fn start(seat: &Seat<'_>, is_secure: bool) -> Self {
        let (me, other) = if seat.is_a { (A, B) } else { (B, A) };
        let listener = seat.listener.try_clone().expect("a socket");
        listener.set_nonblocking(true).expect("a socket");
        let listener = TcpListener::from_std(listener).expect("a socket");
        let config = Config {
            me,
            life: Life(0),
            cluster: "harness".into(),
            protocol: "harness".into(),
            version: 1,
            knobs: Knobs::default(),
            freight: None,
        };
        let key = |node: NodeId| SecretKey::from_seed([node.0 as u8; 32]).expect("a key");
        let mut link = if is_secure {
            let members = [A, B].map(|node| Member::new(node, "", true, key(node).public()));
            let roster = Roster::new(members).expect("two members");
            let tls = Tls::new(listener, key(me), roster).expect("a key");
            StreamLink::start(config, tls, Arc::new(()))
        } else {
            StreamLink::start(config, Tcp::new(listener), Arc::new(()))
        };
        link.peers().insert(other, Some(seat.other.to_string()));
        while !matches!(link.receive().await, Some(Incoming::Up(_))) {}
        Self { link, other, ordinal: 0 }
    }

    fn put(&mut self, lane: Lane, message: &Message, blob: Option<&Blob>) -> Result<(), Refused> {
        let header = Header { protocol: 0, life: Life(0), ordinal: self.ordinal };
        self.ordinal += 1;
        self.link.send(self.other, lane, &mut |out| {
            frame::encode_with(header, message, blob, out).expect("a short frame");
        })
    }

    async fn frames(&mut self) -> Frames {
        loop {
            match self.link.receive().await {
                Some(Incoming::Frames(frames)) => return frames,
                Some(Incoming::Up(_)) => {}
                Some(Incoming::Down(_)) | None => panic!("the connection ended"),
            }
        }
    }

    async fn send(&mut self, messages: u64, kind: Kind) {
        let (mut sent, mut acked) = (0, 0);
        let mut framed = Vec::new();
        let header = Header { protocol: 0, life: Life(0), ordinal: 0 };
        frame::encode(header, &append(0), &mut framed).expect("a short frame");
        while acked < messages {
            while sent < messages && sent - acked < WINDOW {
                for _ in 0..BATCH.min(messages - sent) {
                    let sending = match kind {
                        Kind::Append => self.put(Lane::Control, &append(sent), None),
                        Kind::Heartbeat => self.put(Lane::Control, &heartbeat(sent), None),
                        Kind::Framed => self
                            .link
                            .send(self.other, Lane::Control, &mut |out| out.extend_from_slice(&framed)),
                    };
                    sending.expect("the window fits");
                    sent += 1;
                }
                self.link.flush();
                tokio::task::yield_now().await;
            }
            let frames = self.frames().await;
            each(&frames, |message, _| {
                if let Message::Ack { index } = message {
                    acked = index;
                }
            });
        }
    }

    async fn take(&mut self, messages: u64, kind: Kind) {
        let (mut heard, mut acked) = (0, 0);
        while heard < messages {
            let frames = self.frames().await;
            if kind == Kind::Framed {
                heard += (frames.bytes.len() / MESSAGE) as u64;
            } else {
                each(&frames, |message, _| {
                    let index = match message {
                        Message::Append { index, .. } => index,
                        Message::Heartbeat { round, .. } => round,
                        other => panic!("{other:?}"),
                    };
                    assert_eq!(index, append_index(heard));
                    heard += 1;
                });
            }
            if heard - acked >= ACK || heard == messages {
                acked = heard;
                self.put(Lane::Control, &Message::Ack { index: heard }, None).expect("there is room");
                self.link.flush();
            }
        }
    }

    async fn send_blobs(&mut self, blobs: u64) {
        let blob = Blob::new(vec![7; BLOB]);
        let (mut sent, mut acked) = (0, 0);
        while acked < blobs {
            while sent < blobs && sent - acked < 3 {
                self.put(Lane::Bulk, &Message::Chunk { index: sent }, Some(&blob)).expect("the window fits");
                self.link.flush();
                sent += 1;
            }
            let frames = self.frames().await;
            each(&frames, |message, _| acked += u64::from(matches!(message, Message::Ack { .. })));
        }
    }

    async fn take_blobs(&mut self, blobs: u64) {
        for _ in 0..blobs {
            let frames = self.frames().await;
            each(&frames, |message, blob| {
                assert!(matches!(message, Message::Chunk { .. }));
                assert_eq!(blob.map(|blob| blob.length()), Some(BLOB as u64));
            });
            drop(frames);
            self.put(Lane::Control, &Message::Ack { index: 0 }, None).expect("there is room");
            self.link.flush();
        }
    }

    /// Sends pings one after the other, and meanwhile as many blobs as may be under way.
    async fn ping(&mut self, pings: u64, is_busy: bool) -> Vec<f64> {
        let blob = Blob::claimed(BlobId([7; 32]), vec![7; BLOB]);
        let mut samples = Vec::new();
        // As long as the bulk lane has room, there is a blob in it.
        while samples.len() < pings as usize {
            if is_busy {
                while self.put(Lane::Bulk, &Message::Chunk { index: 0 }, Some(&blob)).is_ok() {
                    self.link.flush();
                }
            }
            let start = Instant::now();
            self.put(Lane::Control, &append(0), None).expect("there is room");
            self.link.flush();
            self.frames().await;
            samples.push(start.elapsed().as_secs_f64());
        }
        self.put(Lane::Control, &Message::Ack { index: 0 }, None).expect("there is room");
        self.link.flush();
        samples
    }

    async fn pong(&mut self, pings: u64) {
        let (mut heard, mut is_over) = (0, false);
        while !is_over {
            let frames = self.frames().await;
            let mut answers = 0;
            each(&frames, |message, _| match message {
                Message::Append { .. } => answers += 1,
                Message::Ack { .. } => is_over = true,
                Message::Chunk { .. } | Message::Heartbeat { .. } => {}
            });
            for _ in 0..answers {
                self.put(Lane::Control, &append(0), None).expect("there is room");
                self.link.flush();
            }
            heard += answers;
        }
        assert_eq!(heard, pings);
    }
}

fn each(frames: &Frames, mut take: impl FnMut(Message, Option<Blob>)) {
    let mut rest = frames.bytes.as_ref();
    while !rest.is_empty() {
        let sealed = frame::open(rest).expect("whole frames");
        let frame = sealed.read_shared(&frames.bytes).expect("messages");
        rest = &rest[frame.size..];
        take(frame.message, frame.blob);
    }
}
