//! The task that owns a node.

use std::collections::{HashMap, VecDeque};
use std::future::{poll_fn, ready};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use bytes::Bytes;
use seedbed_core::contract::frame::{self, Frame, FrameError};
use seedbed_core::contract::{
    Blob, CommandId, Context, Dice, EffectOf, Input, InputOf, Keys, Life, Members, NodeId, Protocol, Time,
    Wire,
};
use tokio::sync::{mpsc, oneshot};

use super::disk::{Change, Disk, Report, Write};
use super::gate::Gate;
use super::handle::{Ask, Control, Ended};
use super::jobs::{Jobs, News};
use super::timers::Timers;
use super::{Counters, Moment, Watch};
use crate::Knobs;
use crate::clock::{Alarm, Clock};
use crate::link::{Frames, Incoming, Link};

/// A node, and everything that it stands on. Dropped in this order: the link first.
pub(super) struct Node<P: Protocol, L, W: Watch<P>> {
    pub(super) link: L,
    pub(super) state: P,
    pub(super) me: NodeId,
    pub(super) life: Life,
    pub(super) keys: Keys,
    pub(super) members: Option<Members>,
    pub(super) knobs: Knobs,
    /// Steps taken in this life.
    pub(super) steps: u64,
    pub(super) clock: Clock,
    /// The steady clock at the last step.
    pub(super) now: Time,
    /// Of the step that is being carried out.
    pub(super) effects: VecDeque<EffectOf<P>>,
    pub(super) timers: Timers<P::Timer>,
    /// When this turn began.
    pub(super) turned: Time,
    /// When the turn before it began: what has run out by then waits for nothing any more.
    pub(super) overdue: Time,
    pub(super) alarm: Alarm,
    pub(super) gate: Gate<P>,
    pub(super) disk: Disk,
    /// What the node has sent to itself.
    pub(super) own: VecDeque<(P::Message, Option<Blob>)>,
    /// Who waits for a reply.
    pub(super) asked: HashMap<CommandId, oneshot::Sender<P::Reply>>,
    /// Beyond it, those are forgotten who no longer wait.
    pub(super) asked_max: usize,
    pub(super) commands: u64,
    pub(super) jobs: Jobs<P>,
    pub(super) counters: Counters,
    /// Where the counters can be seen from outside.
    pub(super) shared: Arc<Mutex<Counters>>,
    pub(super) inlets: Inlets<P>,
    pub(super) is_paused: bool,
    pub(super) watch: Watcher<P, W>,
}

/// Where commands and wishes come in.
pub(super) struct Inlets<P: Protocol> {
    pub(super) controls: mpsc::UnboundedReceiver<Control>,
    pub(super) asks: mpsc::Receiver<Ask<P>>,
    /// Kept, so that the channels do not close when all handles are gone.
    pub(super) _control: mpsc::UnboundedSender<Control>,
    pub(super) _ask: mpsc::Sender<Ask<P>>,
}

/// Tells the one who looks on when the life is over, whatever ends it.
pub(super) struct Watcher<P: Protocol, W: Watch<P>> {
    pub(super) watch: W,
    node: NodeId,
    life: Life,
    protocol: std::marker::PhantomData<fn() -> P>,
}

impl<P: Protocol, W: Watch<P>> Watcher<P, W> {
    pub(super) fn new(watch: W, node: NodeId, life: Life) -> Self {
        Self { watch, node, life, protocol: std::marker::PhantomData }
    }
}

impl<P: Protocol, W: Watch<P>> Drop for Watcher<P, W> {
    fn drop(&mut self) {
        self.watch.down(self.node, self.life);
    }
}

/// What a node can turn to next.
enum Event<P: Protocol> {
    Control(Control),
    Ask(Ask<P>),
    Incoming(Option<Incoming>),
    Report(Report),
    Job(News<P>),
    /// A timer is due.
    Timer,
    /// The alarm rang: there may be.
    Rang,
    /// A message from the node itself.
    Own,
}

/// Events between two flushes.
const BATCH: usize = 64;

impl<P: Protocol, L: Link, W: Watch<P>> Node<P, L, W> {
    /// The whole life.
    pub(super) async fn live(mut self, log: Vec<P::Record>) -> Ended {
        let Err(end) = self.turns(log).await;
        if !matches!(end, Ended::Stopped) {
            return end;
        }
        let limit = self.knobs.stop;
        let _ = tokio::time::timeout(limit, self.drain()).await;
        self.end_turn();
        let Self { link, .. } = self;
        let _ = tokio::time::timeout(limit, link.close()).await;
        end
    }

    async fn turns(&mut self, log: Vec<P::Record>) -> Result<std::convert::Infallible, Ended> {
        self.step(Input::Start { log });
        if let Some(members) = self.members.take() {
            self.step(Input::Members(members));
        }
        loop {
            self.end_turn();
            self.set_alarm();
            self.overdue = std::mem::replace(&mut self.turned, self.clock.steady());
            let event = self.next().await;
            self.handle(event)?;
            for _ in 1..BATCH {
                let Some(event) = self.ready().await else { break };
                self.handle(event)?;
            }
        }
    }

    /// What was asked of others in this turn goes to them.
    fn end_turn(&mut self) {
        self.disk.submit();
        self.link.flush();
        *self.shared.lock().unwrap_or_else(PoisonError::into_inner) = self.counters;
    }

    fn set_alarm(&mut self) {
        let next = if self.is_paused { None } else { self.timers.next() };
        self.alarm.set(next.map(|at| self.clock.instant(at)));
    }

    /// Waits for something to do. A timer lets others go first that have something for the node, for a turn or two: where
    /// the machine was late, the silence that a timer measures may be its own.
    async fn next(&mut self) -> Event<P> {
        match self.look().await {
            Event::Timer if !self.is_due(self.overdue) => {
                tokio::task::yield_now().await;
                self.look().await
            }
            event => event,
        }
    }

    fn is_due(&self, now: Time) -> bool {
        self.timers.next().is_some_and(|at| at <= now)
    }

    /// Waits for something to do. Whoever runs the node comes first, timers last that are not overdue; of all else that
    /// is ready, any may.
    async fn look(&mut self) -> Event<P> {
        let is_awake = !self.is_paused;
        let is_open = self.has_room();
        let (is_due, is_overdue) = (self.is_due(self.clock.steady()), self.is_due(self.overdue));
        let Self { inlets: Inlets { controls, asks, .. }, disk, link, jobs, alarm, own, .. } = self;
        let inputs = async {
            tokio::select! {
                report = disk.report() => Event::Report(report),
                Some(ask) = asks.recv(), if is_open => Event::Ask(ask),
                incoming = link.receive(), if is_open => Event::Incoming(incoming),
                news = jobs.next(), if is_open => Event::Job(news),
                () = alarm.rang(), if is_open => Event::Rang,
                () = ready(()), if is_open && is_overdue => Event::Timer,
                () = ready(()), if is_open && !own.is_empty() => Event::Own,
            }
        };
        tokio::select! {
            biased;
            Some(control) = controls.recv() => Event::Control(control),
            event = inputs, if is_awake => event,
            () = ready(()), if is_awake && is_open && is_due => Event::Timer,
        }
    }

    /// Something to do, if there is anything now.
    async fn ready(&mut self) -> Option<Event<P>> {
        let mut next = pin!(self.next());
        poll_fn(|cx| match next.as_mut().poll(cx) {
            Poll::Ready(event) => Poll::Ready(Some(event)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    /// Whether the disk keeps up.
    fn has_room(&self) -> bool {
        self.disk.backlog() < self.knobs.unsynced_max && self.gate.waiting() < self.knobs.inbox_max
    }

    fn handle(&mut self, event: Event<P>) -> Result<(), Ended> {
        match event {
            Event::Control(control) => return self.control(control),
            Event::Report(report) => return self.heed(report),
            Event::Incoming(None) => return Err(Ended::Unlinked),
            _ => self.hear_refusals()?,
        }
        match event {
            Event::Ask(ask) => self.ask(ask),
            Event::Incoming(Some(Incoming::Frames(frames))) => self.frames(&frames)?,
            Event::Incoming(Some(Incoming::Up(peer))) => self.step(Input::Link { peer, up: true }),
            Event::Incoming(Some(Incoming::Down(peer))) => self.step(Input::Link { peer, up: false }),
            Event::Job(news) => self.job(news),
            Event::Timer => self.fire(self.clock.steady()),
            Event::Own => {
                if let Some((message, blob)) = self.own.pop_front() {
                    self.counters.received += 1;
                    self.step(Input::Message { from: self.me, message, blob });
                }
            }
            Event::Rang | Event::Control(_) | Event::Report(_) | Event::Incoming(None) => {}
        }
        Ok(())
    }

    fn control(&mut self, control: Control) -> Result<(), Ended> {
        match control {
            Control::Members(members) => {
                self.hear_refusals()?;
                self.step(Input::Members(members));
            }
            Control::Pause => self.is_paused = true,
            Control::Resume => self.is_paused = false,
            Control::Jump(by) => self.clock.jump(by),
            Control::Drift(ppb) => self.clock.set_drift(ppb),
            Control::Stop => return Err(Ended::Stopped),
        }
        Ok(())
    }

    fn ask(&mut self, Ask { command, reply }: Ask<P>) {
        if reply.is_closed() {
            return;
        }
        self.counters.commands += 1;
        self.commands += 1;
        let id = CommandId(u64::from(self.life.0) << 40 | self.commands);
        if self.asked.len() >= self.asked_max {
            self.asked.retain(|_, reply| !reply.is_closed());
            self.asked_max = (2 * self.asked.len()).max(1024);
        }
        self.asked.insert(id, reply);
        self.step(Input::Command { id, command });
    }

    /// Takes the frames of a peer, one after another; timers that are overdue do not wait for them all.
    fn frames(&mut self, frames: &Frames) -> Result<(), Ended> {
        let from = frames.from;
        let mut rest = &frames.bytes[..];
        while !rest.is_empty() {
            let size = match read(rest, &frames.bytes) {
                Ok(Frame { message, blob, size, .. }) => {
                    self.counters.received += 1;
                    self.hear_refusals()?;
                    self.step(Input::Message { from, message, blob });
                    self.fire(self.overdue);
                    size
                }
                Err(FrameError::UnknownKind { skip, .. }) => {
                    self.counters.unknown_frames += 1;
                    skip
                }
                Err(_) => {
                    self.counters.bad_frames += 1;
                    self.link.hang_up(from);
                    return Ok(());
                }
            };
            rest = rest.get(size..).unwrap_or_default();
        }
        Ok(())
    }

    fn fire(&mut self, now: Time) {
        if let Some(timer) = self.timers.due(now) {
            self.step(Input::Timer { timer });
        }
    }

    fn job(&mut self, news: News<P>) {
        self.jobs.heed(&news);
        match news {
            News::Done { job, outcome } => self.step(Input::Ran { job, outcome }),
            News::Failed => self.counters.jobs_failed += 1,
            News::TimedOut => self.counters.jobs_timed_out += 1,
            News::Freed => {}
        }
    }

    /// A refusal that is known is heard before anything else.
    #[inline]
    fn hear_refusals(&mut self) -> Result<(), Ended> {
        while self.disk.is_refusing()
            && let Some(report) = self.disk.reported()
        {
            self.heed(report)?;
        }
        Ok(())
    }

    /// The disk has done something.
    fn heed(&mut self, report: Report) -> Result<(), Ended> {
        match report {
            Report::Durable(upto) => {
                self.counters.syncs += 1;
                if let Some(step) = self.gate.commit(upto, self.steps) {
                    self.watch.watch.durable(step);
                }
                self.keep_promises();
            }
            Report::Blob(news) => self.step(Input::Blob(news)),
            Report::Dropped => {}
            Report::Failed(error) => return Err(Ended::Disk(Arc::new(error))),
            Report::Refused(writes) => return self.refused(writes),
        }
        Ok(())
    }

    /// The disk had no room for these writes, nor for what came after them. Of each step the node hears of the first.
    fn refused(&mut self, mut writes: Vec<Write>) -> Result<(), Ended> {
        writes.append(&mut self.disk.accept());
        self.gate.refuse();
        self.counters.refused += writes.len() as u64;
        writes.dedup_by_key(|write| write.step);
        for write in writes {
            let bytes = match write.change {
                Change::Append(record) => Some(record),
                Change::Replace(records) => records.into_iter().next(),
            };
            match bytes.and_then(|bytes| postcard::from_bytes(&bytes).ok()) {
                Some(record) => self.step(Input::Full { record }),
                // An empty checkpoint names no record to tell of.
                None => return Err(Ended::Disk(Arc::new(crate::store::StoreError::Full))),
            }
        }
        Ok(())
    }

    /// One step of the node, and its effects.
    pub(super) fn step(&mut self, input: InputOf<P>) {
        let number = self.steps;
        self.steps += 1;
        self.now = self.clock.steady();
        let moment =
            Moment { node: self.me, life: self.life, step: number, now: self.now, wall: self.clock.wall() };
        self.watch.watch.input(moment, &input);
        let dice = Dice::new(&self.keys, self.me, self.life, number);
        let mut cx = Context::new(moment.now, moment.wall, self.me, dice, &mut self.effects);
        self.state.step(input, &mut cx);
        self.watch.watch.stepped(moment, &self.state, &self.effects);
        self.counters.steps += 1;
        self.carry_out(number);
    }

    /// Waits for the disk, so that what rests on it can leave; the node hears of nothing any more.
    async fn drain(&mut self) {
        self.disk.submit();
        while !self.gate.is_open() {
            match self.disk.report().await {
                Report::Durable(upto) => {
                    if let Some(step) = self.gate.commit(upto, self.steps) {
                        self.watch.watch.durable(step);
                    }
                    self.keep_promises();
                    self.link.flush();
                }
                Report::Refused(_) => {
                    self.disk.accept();
                    self.gate.refuse();
                }
                Report::Failed(_) => return,
                Report::Blob(_) | Report::Dropped => {}
            }
        }
    }
}

/// A host runs one protocol, and it is this one on its connections.
pub(super) const PROTOCOL: u16 = 0;

/// The first frame of these bytes, which are a part of all. One of another protocol is unknown here, and so is not looked
/// into; a blob is what its address says, or the frame is damaged.
fn read<M: Wire>(bytes: &[u8], all: &Bytes) -> Result<Frame<M>, FrameError> {
    let sealed = frame::open(bytes)?;
    if sealed.header.protocol != PROTOCOL {
        return Err(FrameError::UnknownKind { kind: sealed.kind, skip: sealed.size });
    }
    let frame = sealed.read_shared(all)?;
    if frame.blob.as_ref().is_some_and(|blob: &Blob| !blob.is_intact()) {
        return Err(FrameError::Damaged);
    }
    Ok(frame)
}
