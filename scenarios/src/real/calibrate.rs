//! What this machine adds to what a scenario says, measured where the real engine is subject to it: on messages, on
//! timers, on syncs. Never on what an experiment is to find out.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration as Span, Instant};

use seedbed_core::contract::frame::{self, Header, KIND_MESSAGE};
use seedbed_core::contract::{Keys, Lane, Life, NodeId, Purpose, Tag};
use seedbed_transport::Knobs;
use seedbed_transport::clock::Alarm;
use seedbed_transport::link::weather::{Cuts, Fate, Passage, Sky, Weather};
use seedbed_transport::link::{Incoming, Link};
use seedbed_transport::store::Store;
use seedbed_transport::store::log::{Log, Options};

use super::links::Links;

/// What was measured, each in ascending order.
#[derive(Clone, Debug)]
pub struct Measured {
    /// What a message takes beyond its latency, over TLS on the loopback.
    pub overhead: Vec<Span>,
    /// How much later than set a timer runs out.
    pub slack: Vec<Span>,
    /// How long a record takes to be durable.
    pub sync: Vec<Span>,
}

/// The latency under which messages are measured, so that they wait as in an experiment.
const LATENCY: Span = Span::from_millis(3);
/// Pauses between two measurements: something else may run on the cores meanwhile.
const PAUSE_MIN: Span = Span::from_millis(2);
const PAUSE_WIDTH_US: u64 = 18_000;

/// Measures each so many times; the store lies below `scratch`.
///
/// # Errors
/// If the machine gives no sockets, threads or files.
pub fn calibrate(samples: usize, scratch: &Path) -> io::Result<Measured> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut pauses = Pauses { alarm: Alarm::new()?, keys: Keys::from_seed(0), drawn: 0 };
        let mut slack = Vec::new();
        for _ in 0..samples {
            slack.push(pauses.pass().await);
        }
        let overhead = overhead(samples, &mut pauses).await?;
        let sync = sync(samples, &mut pauses, scratch.join("calibrate")).await?;
        Ok(Measured { overhead: sorted(overhead), slack: sorted(slack), sync: sorted(sync) })
    })
}

fn sorted(mut all: Vec<Span>) -> Vec<Span> {
    all.sort_unstable();
    all
}

/// Waits for drawn times.
struct Pauses {
    alarm: Alarm,
    keys: Keys,
    drawn: u64,
}

impl Pauses {
    /// Waits, and says how much too long.
    async fn pass(&mut self) -> Span {
        self.drawn += 1;
        let draw = self.keys.roll(Purpose::Layout).at(self.drawn, 0);
        let at = Instant::now() + PAUSE_MIN + Span::from_micros(draw % PAUSE_WIDTH_US);
        self.alarm.set(Some(at));
        // It may ring for what was set before.
        while Instant::now() < at {
            self.alarm.rang().await;
            self.alarm.set(Some(at));
        }
        at.elapsed()
    }
}

/// Everything takes so long.
struct Steady;

impl Sky for Steady {
    fn fate(&mut self, _: Passage) -> Option<Fate> {
        Some(Fate { delay: LATENCY, again: None })
    }
}

/// Sends messages from one node to another, one at a time: both are here, so that one clock tells how long each takes.
async fn overhead(samples: usize, pauses: &mut Pauses) -> io::Result<Vec<Span>> {
    let (knobs, [from, to]) = (Knobs::default(), [NodeId(0), NodeId(1)]);
    let links = Links::new(2).await?;
    let mut sender = links.join(from, Life(0), &knobs).await?;
    let receiver = links.join(to, Life(0), &knobs).await?;
    let mut receiver = Weather::new(receiver, Steady, Cuts::default())?;
    while !matches!(sender.receive().await, Some(Incoming::Up(_)) | None) {}
    let (told, mut came) = tokio::sync::mpsc::unbounded_channel();
    let hearing = tokio::spawn(async move {
        while let Some(incoming) = receiver.receive().await {
            if matches!(incoming, Incoming::Frames(_)) && told.send(Instant::now()).is_err() {
                break;
            }
        }
    });
    let mut spans = Vec::new();
    for ordinal in 0..samples as u64 {
        pauses.pass().await;
        let sent = Instant::now();
        let write = &mut |out: &mut Vec<u8>| {
            // As small as an election's messages.
            let _ = frame::seal(Header { protocol: 0, life: Life(0), ordinal }, KIND_MESSAGE, &[0; 8], out);
        };
        sender.send(to, Lane::Control, write).map_err(io::Error::other)?;
        sender.flush();
        let heard = came.recv().await.ok_or(io::ErrorKind::BrokenPipe)?;
        spans.push(heard.saturating_duration_since(sent + LATENCY));
    }
    hearing.abort();
    Ok(spans)
}

/// Lets records become durable, one at a time, on another thread, as in a host.
async fn sync(samples: usize, pauses: &mut Pauses, folder: std::path::PathBuf) -> io::Result<Vec<Span>> {
    let options = Options { create: true, ..Options::default() };
    let log = Log::open(&folder, options).map_err(io::Error::other)?.store;
    let log = Arc::new(std::sync::Mutex::new(log));
    let mut spans = Vec::new();
    for _ in 0..samples {
        pauses.pass().await;
        let (began, log) = (Instant::now(), Arc::clone(&log));
        let write = move || {
            let mut log = log.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            log.append(Tag(0), &[0; 24]).and_then(|()| log.sync())
        };
        tokio::task::spawn_blocking(write).await?.map_err(io::Error::other)?;
        spans.push(began.elapsed());
    }
    Ok(spans)
}
