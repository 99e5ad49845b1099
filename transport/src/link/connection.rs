//! One connection: one lane of one peer, from its hello to its end.
//!
//! Reading, writing and watching the clock are three loops of one task, which share what stands in [`Connection`]. The
//! first that ends is the end of all.

use std::future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use seedbed_core::contract::Lane;
use seedbed_core::contract::frame::{HEADER_SIZE, KIND_LINK_MIN};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::Instant;

use super::control::{self, CREDIT, OWN_MAX, PING, REFUSE};
use super::counters::Count;
use super::events::{Ended, Event};
use super::hello::{Hello, refusal};
use super::peers::{Peer, Turn};
use super::stream::{Session, Shared, Stage, longest};
use super::{Frames, Incoming};

/// A read takes up to so many bytes, if no longer frame is under way.
const READ: usize = 64 << 10;
/// With less room than this, a read is given a new buffer.
const READ_MIN: usize = 16 << 10;
/// Bulk data is read and written in pieces of this size, with a look at everything else in between: otherwise a
/// heartbeat would wait while a blob is encrypted.
const PIECE: usize = 32 << 10;
/// What leaves on the control lane, in pieces as long as its runs.
const RUN: usize = 64 << 10;
/// More than this is not kept for later when there is nothing to write, in bytes.
const KEPT_MAX: usize = 64 << 10;

struct Connection<'a> {
    shared: &'a Shared,
    peer: &'a Peer,
    lane: Lane,
    /// What its frames hold on to.
    flow: Arc<Flow>,
    /// Bulk frames that the peer takes at the moment.
    credits: AtomicU32,
    /// What it takes at most.
    credits_max: u32,
    birth: Instant,
    /// When something came last, in milliseconds since birth.
    heard: AtomicU64,
    /// When something left last.
    said: AtomicU64,
    /// One more than when the frame began that is coming in; 0 without one.
    begun: AtomicU64,
    /// One more than when the write began that has made no progress since; 0 without one.
    stuck: AtomicU64,
    /// Whether what came in waits for the node to take it.
    is_handing: AtomicBool,
    is_ping_due: AtomicBool,
}

/// Bulk frames that a peer has sent and the node has not let go of yet.
#[derive(Debug)]
struct Flow {
    peer: Arc<Peer>,
    lane: Lane,
    out: AtomicU32,
    /// Credits to be given back.
    back: AtomicU32,
}

/// Held by frames: gives their credit back in the end.
#[derive(Debug)]
pub(super) struct Guard(Arc<Flow>);

impl Drop for Guard {
    fn drop(&mut self) {
        let flow = &self.0;
        flow.out.fetch_sub(1, Relaxed);
        flow.back.fetch_add(1, Relaxed);
        flow.peer.lane(flow.lane).outbox.bell.notify_one();
    }
}

/// Carries frames until the connection ends. The caller holds the lane's seat; `turns` tells when it is another's turn.
pub(super) async fn run<S: AsyncRead + AsyncWrite + Send + Unpin>(
    shared: &Shared,
    peer: &Arc<Peer>,
    hello: &Hello,
    session: Session<S>,
    spare: BytesMut,
    turns: watch::Receiver<Turn>,
) {
    let lane = hello.lane;
    let outbox = &peer.lane(lane).outbox;
    let connection = Connection::new(shared, peer, hello);
    outbox.open();
    shared.counters.one(Count::Connected);
    shared.events.tell(Event::Connected { peer: peer.node, lane });
    note(shared, peer, lane, true).await;
    let why = connection.drive(session, spare, turns).await;
    shared.counters.add(Count::BytesLost, outbox.close() as u64);
    shared.counters.one(Count::Disconnected);
    if let Some(count) = why.count() {
        shared.counters.one(count);
    }
    shared.events.tell(Event::Ended { peer: peer.node, lane, why });
    note(shared, peer, lane, false).await;
}

/// Tells the user of the link, if it is news. There is no one to tell once the link is closed.
async fn note(shared: &Shared, peer: &Peer, lane: Lane, is_up: bool) {
    let place = shared.control.reserve().await.ok();
    peer.note(lane, is_up, |is_up| {
        if let Some(place) = place {
            place.send(if is_up { Incoming::Up(peer.node) } else { Incoming::Down(peer.node) });
        }
    });
}

impl<'a> Connection<'a> {
    fn new(shared: &'a Shared, peer: &'a Arc<Peer>, hello: &Hello) -> Self {
        let flow = Flow {
            peer: Arc::clone(peer),
            lane: hello.lane,
            out: AtomicU32::new(0),
            back: AtomicU32::new(0),
        };
        Self {
            shared,
            peer,
            lane: hello.lane,
            flow: Arc::new(flow),
            credits: AtomicU32::new(hello.credits),
            credits_max: hello.credits,
            birth: Instant::now(),
            heard: AtomicU64::new(0),
            said: AtomicU64::new(0),
            begun: AtomicU64::new(0),
            stuck: AtomicU64::new(0),
            is_handing: AtomicBool::new(false),
            is_ping_due: AtomicBool::new(false),
        }
    }

    async fn drive<S: AsyncRead + AsyncWrite + Send + Unpin>(
        &self,
        session: Session<S>,
        spare: BytesMut,
        turns: watch::Receiver<Turn>,
    ) -> Ended {
        let (reader, writer) = tokio::io::split(session.stream);
        let rare = async {
            tokio::select! {
                why = self.keep_time() => why,
                why = until_next(turns) => why,
                () = session.lost => Ended::Revoked,
                () = self.shared.until(Stage::Closed) => Ended::Closed,
            }
        };
        // Polled only when one of them has reason to, and not for every frame that comes or goes.
        let mut rare = FuturesUnordered::from_iter([rare]);
        tokio::select! {
            biased;
            Some(why) = rare.next() => why,
            why = self.read(reader, spare) => why,
            why = self.write(writer) => why,
        }
    }

    /// Milliseconds since birth.
    fn now(&self) -> u64 {
        self.birth.elapsed().as_millis() as u64
    }

    // Reading.

    async fn read(&self, mut stream: impl AsyncRead + Unpin, mut buffer: BytesMut) -> Ended {
        loop {
            let missing = match self.take(&mut buffer).await {
                Ok(missing) => missing,
                Err(why) => return why,
            };
            if buffer.capacity() - buffer.len() < missing.max(READ_MIN) {
                buffer.reserve(missing.max(READ));
            }
            let piece = if self.lane == Lane::Bulk { PIECE } else { usize::MAX };
            let read = match stream.read_buf(&mut (&mut buffer).limit(piece)).await {
                Ok(0) => return self.left(),
                Ok(read) => read,
                Err(error) => return Ended::Failed(error.kind()),
            };
            self.shared.counters.add(Count::BytesReceived, read as u64);
            self.heard.store(self.now(), Relaxed);
            if self.lane == Lane::Bulk {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Takes all whole frames out of the buffer, and says how many bytes the next one lacks.
    async fn take(&self, buffer: &mut BytesMut) -> Result<usize, Ended> {
        let mut is_new = false;
        loop {
            match scan(buffer, self.lane, longest(&self.shared.config.knobs, self.lane))? {
                Found::Frames(size) => self.hand_over(buffer.split_to(size).freeze()).await?,
                Found::Own(size) => self.hear(&buffer.split_to(size))?,
                Found::Part(missing) => {
                    let begun = match (buffer.is_empty(), self.begun.load(Relaxed)) {
                        (true, _) => 0,
                        (false, begun) if begun > 0 && !is_new => begun,
                        _ => self.now() + 1,
                    };
                    self.begun.store(begun, Relaxed);
                    return Ok(missing);
                }
            }
            is_new = true;
        }
    }

    /// Hands frames to whoever uses the link. Control frames wait until there is room; bulk frames have it, as their
    /// sender had credits.
    async fn hand_over(&self, bytes: Bytes) -> Result<(), Ended> {
        let (from, lane) = (self.peer.node, self.lane);
        if lane == Lane::Bulk {
            if self.flow.out.fetch_add(1, Relaxed) >= self.shared.config.knobs.bulk_credits {
                return Err(Ended::Overdrawn);
            }
            let guard = Some(Arc::new(Guard(Arc::clone(&self.flow))));
            // A closed link takes nothing any more.
            let _ = self.shared.bulk.send(Incoming::Frames(Frames { from, lane, bytes, guard }));
            return Ok(());
        }
        let incoming = Incoming::Frames(Frames { from, lane, bytes, guard: None });
        if let Err(full) = self.shared.control.try_send(incoming) {
            self.is_handing.store(true, Relaxed);
            let _ = self.shared.control.send(full.into_inner()).await;
            self.heard.store(self.now(), Relaxed);
            self.is_handing.store(false, Relaxed);
        }
        Ok(())
    }

    /// Takes in a frame of the link's own.
    fn hear(&self, bytes: &[u8]) -> Result<(), Ended> {
        if bytes.len() > OWN_MAX {
            return Err(Ended::BadLength(bytes.len()));
        }
        let sealed = control::open(bytes).ok_or(Ended::Damaged)?;
        match sealed.kind {
            PING => {}
            CREDIT => {
                let more = control::credits(sealed.body).ok_or(Ended::Damaged)?;
                let before = self.credits.load(Relaxed);
                // Only the two loops of this task touch it.
                let after = before.checked_add(more).filter(|&after| after <= self.credits_max);
                self.credits.store(after.ok_or(Ended::Overdrawn)?, Relaxed);
                self.peer.lane(self.lane).outbox.bell.notify_one();
            }
            REFUSE => return Err(refusal(sealed.body).map_or(Ended::Damaged, Ended::RefusedBy)),
            _ => self.shared.counters.one(Count::UnknownKinds),
        }
        Ok(())
    }

    fn left(&self) -> Ended {
        if *self.shared.stage.borrow() == Stage::Open { Ended::Left } else { Ended::Closed }
    }

    // Writing.

    async fn write(&self, mut stream: impl AsyncWrite + Unpin) -> Ended {
        match self.write_on(&mut stream).await {
            Ok(()) => {
                // The other end reads what is left and closes, and the reader sees that.
                let _ = stream.shutdown().await;
                future::pending().await
            }
            Err(error) => Ended::Failed(error.kind()),
        }
    }

    /// Writes whatever there is to be written, until the link closes.
    async fn write_on(&self, stream: &mut (impl AsyncWrite + Unpin)) -> std::io::Result<()> {
        let outbox = &self.peer.lane(self.lane).outbox;
        let (mut bytes, mut at, mut own) = (Vec::new(), 0, Vec::new());
        let mut is_flushed = true;
        loop {
            self.own(&mut own);
            if !own.is_empty() {
                self.put(stream, &own).await?;
                is_flushed = false;
            }
            if at == bytes.len() {
                bytes.clear();
                at = 0;
                outbox.take(&mut bytes);
            }
            let end = self.may_leave(&bytes, at);
            if end > at {
                self.put(stream, &bytes[at..end]).await?;
                outbox.written(end - at);
                at = end;
                is_flushed = false;
            } else if !is_flushed {
                stream.flush().await?;
                is_flushed = true;
            } else if bytes.is_empty() && self.is_closing() {
                return Ok(());
            } else {
                if bytes.is_empty() && bytes.capacity() > KEPT_MAX {
                    bytes = Vec::new();
                }
                tokio::select! {
                    () = outbox.bell.notified() => {}
                    () = self.shared.until(Stage::Closing), if !self.is_closing() => {}
                }
            }
        }
    }

    fn is_closing(&self) -> bool {
        *self.shared.stage.borrow() >= Stage::Closing
    }

    /// What the link itself has to say now.
    fn own(&self, own: &mut Vec<u8>) {
        own.clear();
        if self.is_ping_due.swap(false, Relaxed) {
            control::push(PING, &[], own);
        }
        let back = self.flow.back.swap(0, Relaxed);
        if back > 0 {
            control::push(CREDIT, &back.to_le_bytes(), own);
        }
    }

    /// Where what may leave now ends: on the bulk lane, after the next frame if the peer takes it.
    fn may_leave(&self, bytes: &[u8], at: usize) -> usize {
        if self.lane == Lane::Control {
            return bytes.len();
        }
        let credits = self.credits.load(Relaxed);
        match bytes[at..].split_first_chunk() {
            Some((length, _)) if credits > 0 => {
                self.credits.store(credits - 1, Relaxed);
                at + 4 + u32::from_le_bytes(*length) as usize
            }
            _ => at,
        }
    }

    async fn put(&self, stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> std::io::Result<()> {
        let longest = if self.lane == Lane::Bulk { PIECE } else { RUN };
        for mut piece in bytes.chunks(longest) {
            self.stuck.store(self.now() + 1, Relaxed);
            while !piece.is_empty() {
                let written = stream.write(piece).await?;
                if written == 0 {
                    return Err(std::io::ErrorKind::WriteZero.into());
                }
                piece = &piece[written..];
                self.stuck.store(self.now() + 1, Relaxed);
            }
            if self.lane == Lane::Bulk {
                tokio::task::yield_now().await;
            }
        }
        self.stuck.store(0, Relaxed);
        self.said.store(self.now(), Relaxed);
        self.shared.counters.add(Count::BytesSent, bytes.len() as u64);
        Ok(())
    }

    // Time.

    /// Asks for pings when they are due, and returns when the peer has had its time.
    async fn keep_time(&self) -> Ended {
        let knobs = &self.shared.config.knobs;
        let shortest = knobs.ping.min(knobs.dead).min(knobs.frame);
        let mut ticks = tokio::time::interval((shortest / 4).max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let now = self.now();
            let since = |moment: &AtomicU64| Duration::from_millis(now.saturating_sub(moment.load(Relaxed)));
            // What is kept in these is one more than the moment, and 0 if nothing is under way.
            let lasts = |begun: &AtomicU64| match begun.load(Relaxed) {
                0 => Duration::ZERO,
                begun => Duration::from_millis((now + 1).saturating_sub(begun)),
            };
            let is_handing = self.is_handing.load(Relaxed);
            if !is_handing && lasts(&self.begun) > knobs.frame {
                return Ended::SlowFrame;
            }
            if !is_handing && since(&self.heard) > knobs.dead {
                return Ended::Dead;
            }
            if lasts(&self.stuck) > knobs.frame {
                return Ended::Stalled;
            }
            if since(&self.said) >= knobs.ping {
                self.is_ping_due.store(true, Relaxed);
                self.peer.lane(self.lane).outbox.bell.notify_one();
            }
        }
    }
}

async fn until_next(mut turns: watch::Receiver<Turn>) -> Ended {
    match turns.changed().await {
        Ok(()) => turns.borrow().why.clone(),
        // The peer is held by this very task.
        Err(_) => Ended::Removed,
    }
}

/// What stands at the beginning of a buffer.
enum Found {
    /// So many bytes of whole frames for the node.
    Frames(usize),
    /// A whole frame of the link's own.
    Own(usize),
    /// A part of a frame, or nothing; so many bytes are missing, as far as is known.
    Part(usize),
}

/// Looks for whole frames. On the bulk lane one at a time, because each gives back a credit.
fn scan(buffer: &[u8], lane: Lane, longest: usize) -> Result<Found, Ended> {
    let mut at = 0;
    loop {
        let rest = &buffer[at..];
        let Some((length, _)) = rest.split_first_chunk() else {
            return Ok(if at > 0 { Found::Frames(at) } else { Found::Part(HEADER_SIZE - rest.len()) });
        };
        let size = (u32::from_le_bytes(*length) as usize).saturating_add(4);
        if size < HEADER_SIZE || size > longest {
            return Err(Ended::BadLength(size));
        }
        if rest.len() < size {
            return Ok(if at > 0 { Found::Frames(at) } else { Found::Part(size - rest.len()) });
        }
        if rest[10] >= KIND_LINK_MIN {
            return Ok(if at > 0 { Found::Frames(at) } else { Found::Own(size) });
        }
        at += size;
        if lane == Lane::Bulk {
            return Ok(Found::Frames(at));
        }
    }
}
