//! The effects of a step are carried out, in order; what promises something waits for the disk.

use seedbed_core::contract::frame::{self, Header};
use seedbed_core::contract::{Blob, CommandId, Data, Effect, Lane, NodeId, Protocol, Tag, Wire};

use super::Watch;
use super::disk::{BlobTask, Change, Write};
use super::gate::Promise;
use super::jobs::Asked;
use super::node::{Node, PROTOCOL};
use crate::link::{Link, Refused};

/// Messages of one step are numbered within it by this many bits, as in the simulator.
const SENDS_BITS: u32 = 24;

impl<P: Protocol, L: Link, W: Watch<P>> Node<P, L, W> {
    pub(super) fn carry_out(&mut self, step: u64) {
        let mut ordinal = step << SENDS_BITS;
        while let Some(effect) = self.effects.pop_front() {
            match effect {
                Effect::Send { to, durable, message, blob } => {
                    if durable && !self.gate.is_open() {
                        self.gate.hold(Promise::Send { to, ordinal, message, blob });
                    } else {
                        self.transmit(to, ordinal, message, blob);
                    }
                    ordinal += 1;
                }
                Effect::SetTimer { timer, after } => self.timers.set(timer, self.now + after),
                Effect::CancelTimer { timer } => self.timers.cancel(timer),
                // For those who look on, who have seen it.
                Effect::Notify { .. } => {}
                Effect::Reply { id, durable, reply } => {
                    if durable && !self.gate.is_open() {
                        self.gate.hold(Promise::Reply { id, reply });
                    } else {
                        self.answer(id, reply);
                    }
                }
                Effect::Persist { tag, record } => self.write(step, tag, Change::Append(encoded(&record))),
                Effect::Checkpoint { tag, records } => {
                    self.write(step, tag, Change::Replace(records.iter().map(encoded).collect()));
                }
                Effect::StoreBlob { tag, blob } => self.disk.blob(BlobTask::Store { tag, blob }),
                Effect::LoadBlob { tag, id } => self.disk.blob(BlobTask::Load { tag, id }),
                Effect::DropBlob { id } => self.disk.blob(BlobTask::Drop { id }),
                Effect::Run { job } => self.run(job),
            }
        }
    }

    fn write(&mut self, step: u64, tag: Tag, change: Change) {
        self.counters.written += 1;
        let number = self.gate.write(step);
        self.disk.write(Write { number, step, tag, change });
    }

    /// What waited for writes that are durable now leaves the node.
    pub(super) fn keep_promises(&mut self) {
        while let Some(promise) = self.gate.release() {
            match promise {
                Promise::Send { to, ordinal, message, blob } => self.transmit(to, ordinal, message, blob),
                Promise::Reply { id, reply } => self.answer(id, reply),
            }
        }
    }

    /// A message leaves the node.
    fn transmit(&mut self, to: NodeId, ordinal: u64, message: P::Message, blob: Option<Blob>) {
        if to == self.me {
            if self.own.len() < self.knobs.inbox_max {
                self.counters.sent += 1;
                self.own.push_back((message, blob));
            } else {
                self.counters.overflowed += 1;
            }
            return;
        }
        let lane = message.lane();
        let longest = match lane {
            Lane::Control => self.knobs.control_frame_max,
            Lane::Bulk => self.knobs.bulk_frame_max,
        };
        let header = Header { protocol: PROTOCOL, life: self.life, ordinal };
        let mut fits = false;
        let sent = self.link.send(to, lane, &mut |out| {
            let start = out.len();
            fits = frame::encode_with(header, &message, blob.as_ref(), out).is_ok()
                && out.len() - start <= longest;
            if !fits {
                out.truncate(start);
            }
        });
        let counters = &mut self.counters;
        *match sent {
            Ok(()) if fits => &mut counters.sent,
            Ok(()) | Err(Refused::TooLong) => &mut counters.too_long,
            Err(Refused::Unconnected) => &mut counters.unconnected,
            Err(Refused::Full) => &mut counters.overflowed,
        } += 1;
    }

    fn answer(&mut self, id: CommandId, reply: P::Reply) {
        if let Some(asked) = self.asked.remove(&id) {
            self.counters.replies += 1;
            // Who asked may have given up.
            let _ = asked.send(reply);
        }
    }

    fn run(&mut self, job: P::Job) {
        let counters = &mut self.counters;
        *match self.jobs.ask(job, self.disk.for_job()) {
            Asked::Taken => &mut counters.jobs,
            Asked::Overflowed => &mut counters.jobs_overflowed,
            Asked::Unknown => &mut counters.jobs_failed,
        } += 1;
    }
}

/// Most records fit into so many bytes without asking for more.
const RECORD_ROOM: usize = 512;

/// A record as it goes to the disk.
///
/// # Panics
/// If it cannot be encoded: the protocol's type is wrong, and the life ends before anything is promised.
fn encoded(record: &impl Data) -> Vec<u8> {
    postcard::to_extend(record, Vec::with_capacity(RECORD_ROOM))
        .unwrap_or_else(|error| panic!("a record cannot be encoded: {error}"))
}
