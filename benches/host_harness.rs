//! Durable replies per second through a host, beside what the disk does, and what it costs to record a node:
//! `host_harness [DIR] [seconds]`.
//!
//! The variants take turns, a few rounds of each, so that what else the machine does strikes all of them; the tables have
//! the medians. What counts are the ratios.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use seedbed_core::contract::frame::{self, Header};
use seedbed_core::contract::{Context, Input, InputOf, Lane, Life, Never, NodeId, Protocol, Wire};
use seedbed_transport::Knobs;
use seedbed_transport::clock::Skew;
use seedbed_transport::host::{Handle, Services, Setup, start};
use seedbed_transport::link::{Frames, Incoming, Link, Refused};
use seedbed_transport::recording::{About, Recorder};
use seedbed_transport::store::log::{Log, Options};
use seedbed_transport::store::memory::Memory;
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

type Done = Result<(), Box<dyn std::error::Error>>;

const ROUNDS: u32 = 7;
const GROUP: usize = 64;
/// As the store's harness has them.
const RECORD_SIZE: usize = 100;
/// Frames that come together.
const TOGETHER: usize = 256;
/// Messages of one round.
const MESSAGES: usize = 256 * 1000;
const PEER: NodeId = NodeId(1);

/// Persists what it is asked and replies once that is durable; answers every message with another.
#[derive(Clone, Serialize)]
struct Diligent {
    written: u32,
}

/// Its frame has 64 bytes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
struct Message([u8; 32], [u8; 9]);
impl Wire for Message {}

impl Protocol for Diligent {
    const VERSION: u16 = 1;
    type Config = ();
    type Message = Message;
    type Timer = ();
    type Command = ();
    type Reply = ();
    type Record = Vec<u8>;
    type Notice = ();
    type Job = Never;
    type Outcome = Never;

    fn boot(_: &Arc<()>, _: NodeId) -> Self {
        Self { written: 0 }
    }

    fn step(&mut self, input: InputOf<Self>, cx: &mut Context<'_, Self>) {
        match input {
            Input::Message { from, message, .. } => cx.send_now(from, message),
            Input::Command { id, .. } => {
                self.written += 1;
                // As a protocol does that keeps its log short.
                if self.written.is_multiple_of(10_000) {
                    cx.checkpoint(vec![vec![7; RECORD_SIZE]]);
                } else {
                    cx.persist(vec![7; RECORD_SIZE]);
                }
                cx.reply(id, ());
            }
            _ => {}
        }
    }
}

/// Brings what the harness gives it, and drops what the node says.
struct Feed {
    frames: UnboundedReceiver<Bytes>,
    outbox: Vec<u8>,
    sent: UnboundedSender<usize>,
}

impl Link for Feed {
    fn send(&mut self, _: NodeId, _: Lane, write: &mut dyn FnMut(&mut Vec<u8>)) -> Result<(), Refused> {
        write(&mut self.outbox);
        Ok(())
    }

    fn flush(&mut self) {
        if !self.outbox.is_empty() {
            let _ = self.sent.send(self.outbox.len());
            self.outbox.clear();
        }
    }

    async fn receive(&mut self) -> Option<Incoming> {
        let bytes = self.frames.recv().await?;
        Some(Incoming::Frames(Frames::new(PEER, Lane::Control, bytes)))
    }

    fn hang_up(&mut self, _: NodeId) {}

    async fn close(self) {}
}

fn main() -> Done {
    let mut args = std::env::args().skip(1);
    let dir = args.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let seconds: f64 = args.next().map_or(Ok(14.0), |text| text.parse())?;
    let dir = dir.join(format!("seedbed-host-harness-{}", std::process::id()));
    fs::create_dir_all(&dir)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let done = replies(&dir, seconds, &runtime).and_then(|()| recording(&dir, &runtime));
    fs::remove_dir_all(&dir)?;
    done
}

fn setup() -> Setup<Diligent> {
    Setup {
        me: NodeId(0),
        config: Arc::new(()),
        members: None,
        knobs: Knobs::default(),
        key: None,
        services: Services::none(),
        skew: Skew::default(),
    }
}

fn feed() -> (Feed, UnboundedSender<Bytes>, UnboundedReceiver<usize>) {
    let ((give, frames), (sent, take)) = (unbounded_channel(), unbounded_channel());
    (Feed { frames, outbox: Vec::new(), sent }, give, take)
}

/// Durable replies per second.
fn replies(dir: &Path, seconds: f64, runtime: &Runtime) -> Done {
    let slice = Duration::from_secs_f64(seconds / f64::from(ROUNDS) / 3.0);
    let mut growing = File::create(dir.join("growing"))?;
    let opened = Log::open(&dir.join("store"), Options { create: true, ..Options::default() })?;
    let (link, _give, _take) = feed();
    let node = runtime.block_on(async { start(setup(), link, opened, ()) });
    let mut rates = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        let (start, mut syncs) = (Instant::now(), 0_u32);
        while start.elapsed() < slice {
            growing.write_all(&[7; RECORD_SIZE])?;
            growing.sync_data()?;
            syncs += 1;
        }
        rates[0].push(f64::from(syncs) / start.elapsed().as_secs_f64());
        rates[1].push(runtime.block_on(asked(&node, 1, slice))?);
        rates[2].push(runtime.block_on(asked(&node, GROUP, slice))?);
    }
    let [floor, one, group] = rates.map(median);
    println!("| durable replies, records of {RECORD_SIZE} bytes | per second | ratio |\n|---|---|---|");
    println!("| fdatasync, file that grows | {floor:.0} | 1.00 |");
    println!("| host, one outstanding | {one:.0} | {:.2} |", one / floor);
    println!("| host, {GROUP} outstanding | {group:.0} | {:.2} |", group / floor);
    runtime.block_on(node.stop());
    Ok(())
}

/// Commands per second with so many always under way.
async fn asked(
    node: &Handle<Diligent>,
    clients: usize,
    slice: Duration,
) -> Result<f64, Box<dyn std::error::Error>> {
    let start = Instant::now();
    let clients: Vec<_> = (0..clients)
        .map(|_| {
            let node = node.clone();
            tokio::spawn(async move {
                let mut count = 0_u32;
                while start.elapsed() < slice {
                    node.command(()).await?;
                    count += 1;
                }
                Ok::<_, seedbed_transport::host::CommandError>(count)
            })
        })
        .collect();
    let mut count = 0;
    for client in clients {
        count += client.await??;
    }
    Ok(f64::from(count) / start.elapsed().as_secs_f64())
}

/// What it costs a node to be recorded, at full speed.
fn recording(dir: &Path, runtime: &Runtime) -> Done {
    let mut bytes = Vec::new();
    let header = Header { protocol: 0, life: Life(0), ordinal: 1 << 24 };
    for _ in 0..TOGETHER {
        frame::encode(header, &Message([7; 32], [7; 9]), &mut bytes)?;
    }
    let frames = Bytes::from(bytes);
    let (mut wall, mut cpu) = ([const { Vec::new() }; 2], [const { Vec::new() }; 2]);
    let mut size = 0;
    for round in 0..ROUNDS {
        for is_recorded in [false, true] {
            let recorder = if is_recorded {
                let about = About { protocol: "diligent".into(), nodes: 2, params: String::new() };
                Some(Recorder::create(dir, NodeId(0), Life(round), about)?)
            } else {
                None
            };
            let (start, before) = (Instant::now(), cpu_seconds());
            let meter = recorder.as_ref().map(Recorder::meter);
            runtime.block_on(flood(&frames, recorder));
            let place = usize::from(is_recorded);
            wall[place].push(start.elapsed().as_secs_f64() * 1e9 / MESSAGES as f64);
            cpu[place].push((cpu_seconds() - before) * 1e9 / MESSAGES as f64);
            size = meter.map_or(size, |meter| meter.bytes() / MESSAGES as u64);
        }
    }
    let ([plain, recorded], [plain_cpu, recorded_cpu]) = (wall.map(median), cpu.map(median));
    println!("\n| a message in, one out, of 64 bytes | ns | CPU ns | messages/s |\n|---|---|---|---|");
    println!("| host | {plain:.0} | {plain_cpu:.0} | {:.0} |", 1e9 / plain);
    println!("| host, recorded | {recorded:.0} | {recorded_cpu:.0} | {:.0} |", 1e9 / recorded);
    println!("\nA recording takes {size} bytes a step.");
    Ok(())
}

/// A life in which a node answers all messages.
async fn flood(frames: &Bytes, recorder: Option<Recorder>) {
    let (link, give, mut take) = feed();
    let opened = Memory::new().open();
    let node = match recorder {
        None => start(setup(), link, opened, ()),
        Some(recorder) => start(setup(), link, opened, recorder),
    };
    for _ in 0..MESSAGES / TOGETHER {
        let _ = give.send(frames.clone());
    }
    let mut left = MESSAGES * frames.len() / TOGETHER;
    while left > 0 {
        left -= take.recv().await.unwrap_or(left);
    }
    // The recorder has written everything when this returns.
    node.stop().await;
}

/// What this process has computed so far, in hundredths of a second.
fn cpu_seconds() -> f64 {
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}
