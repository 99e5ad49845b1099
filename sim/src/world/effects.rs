//! The effects of a step are carried out, in order; what promises something waits for the disk.

use seedbed_core::contract::{
    Blob, BlobId, BlobInput, CommandId, Effect, NodeId, Protocol, Purpose, Tag, Wire, frame,
};

use super::{Body, NOBODY, Other, World};
use crate::disk::{Done, Gated, Promise, record_size};
use crate::network::{Fate, Passage};
use crate::watch::{Drop, Watch};

/// Messages of one step are numbered within it by this many bits.
const SENDS_BITS: u32 = 24;

/// Where a node's log stands while its effects are carried out.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Log {
    /// Every write is on disk: promises go at once.
    Durable,
    /// Promises wait for the disk.
    Underway,
    /// The disk has refused a record: what was to follow it does not happen.
    Refused,
}

impl<P: Protocol> World<P> {
    #[inline(always)]
    pub(super) fn carry_out(&mut self, node: NodeId, step: u64, watch: &mut impl Watch<P>) {
        let mut ordinal = step << SENDS_BITS;
        let mut timers_set = 0;
        let mut log = self.log(node);
        while let Some(effect) = self.effects.pop_front() {
            match effect {
                Effect::Send { to, durable, message, blob } => {
                    match if durable { log } else { Log::Durable } {
                        Log::Durable => self.transmit(node, to, ordinal, message, blob, watch),
                        Log::Underway => self.gate(node, Promise::Send { to, ordinal, message, blob }),
                        Log::Refused => {}
                    }
                    ordinal += 1;
                }
                Effect::SetTimer { timer, after } => {
                    let mut deadline = self.now.saturating_add(self.world_time(node, after));
                    if self.modes.timers_are_late {
                        deadline = deadline.saturating_add(self.lateness(node, step, timers_set));
                        timers_set += 1;
                    }
                    if let Some(index) = self.slot(node).timers.set(timer, deadline) {
                        self.push(deadline.min(u64::MAX - 1), node, NOBODY, Body::Timer { index });
                    }
                }
                Effect::CancelTimer { timer } => self.slot(node).timers.cancel(timer),
                Effect::Notify { notice } => {
                    self.digest.fold(self.now, u64::from(node.0));
                    self.digest.encode(&notice);
                    watch.notice(self, node, &notice);
                }
                Effect::Reply { id, durable, reply } => match if durable { log } else { Log::Durable } {
                    Log::Durable => self.answer(node, id, &reply, watch),
                    Log::Underway => self.gate(node, Promise::Reply { id, reply }),
                    Log::Refused => {}
                },
                Effect::Persist { .. } | Effect::Checkpoint { .. } if log == Log::Refused => {}
                Effect::Persist { tag, record } => {
                    log = if self.persist(node, tag, record) { self.log(node) } else { Log::Refused };
                }
                Effect::Checkpoint { tag, records } => {
                    self.disk(node).replace(tag, records);
                    self.commit_if_instant(node);
                    log = self.log(node);
                }
                Effect::StoreBlob { tag, blob } => self.store_blob(node, tag, blob),
                Effect::LoadBlob { tag, id } => self.load_blob(node, tag, id),
                Effect::DropBlob { id } => self.disk(node).drop_blob(id),
                Effect::Run { job } => self.run_job(node, job),
            }
        }
        if log != Log::Durable {
            self.begin_sync(node);
        }
    }

    #[cold]
    fn lateness(&self, node: NodeId, step: u64, nth: u64) -> u64 {
        let life = self.slots[node.0 as usize].life;
        self.setup.clocks.lateness(&self.keys, node, life, step, nth)
    }

    #[inline(always)]
    fn log(&self, node: NodeId) -> Log {
        match self.rare_of(node).and_then(|rare| rare.disk.as_ref()) {
            Some(disk) if disk.durable < disk.written => Log::Underway,
            _ => Log::Durable,
        }
    }

    fn gate(&mut self, node: NodeId, what: Promise<P>) {
        let rare = self.rare(node);
        let needs = rare.disk.as_ref().map_or(0, |disk| disk.written);
        rare.gated.push_back(Gated { needs, what });
    }

    pub(super) fn answer(
        &mut self,
        node: NodeId,
        id: CommandId,
        reply: &P::Reply,
        watch: &mut impl Watch<P>,
    ) {
        self.digest.fold(self.now ^ id.0, u64::from(node.0));
        self.digest.encode(reply);
        watch.reply(self, node, id, reply);
    }

    /// What waited for writes that are durable now leaves the node.
    pub(super) fn keep_promises(&mut self, node: NodeId, watch: &mut impl Watch<P>) {
        let durable = self.rare_of(node).and_then(|rare| rare.disk.as_ref()).map_or(0, |disk| disk.durable);
        while let Some(gated) = self.rare(node).gated.pop_front_if(|gated| gated.needs <= durable) {
            match gated.what {
                Promise::Send { to, ordinal, message, blob } => {
                    self.transmit(node, to, ordinal, message, blob, watch);
                }
                Promise::Reply { id, reply } => self.answer(node, id, &reply, watch),
            }
        }
    }

    /// A message leaves its node.
    #[inline(always)]
    fn transmit(
        &mut self,
        from: NodeId,
        to: NodeId,
        ordinal: u64,
        message: P::Message,
        blob: Option<Blob>,
        watch: &mut impl Watch<P>,
    ) {
        self.traffic.sent += 1;
        watch.sent(self, from, to, ordinal, &message);
        if to.0 as usize >= self.slots.len() {
            return self.drop_message(from, to, Drop::Lost, watch);
        }
        let at = self.now;
        let life = self.slots[from.0 as usize].life;
        let roll = self.keys.roll(Purpose::Network);
        let draw = roll.at(u64::from(from.0) << 32 | u64::from(life), ordinal);
        if self.network.is_smooth() && !self.modes.is_wire && blob.is_none() {
            match self.network.glide(roll, draw, from, to) {
                Some(delay) => self.push(at.saturating_add(delay), to, from.0, Body::Message { message }),
                None => self.drop_message(from, to, Drop::Lost, watch),
            }
        } else {
            let size = self.size(from, to, &message, blob.as_ref());
            let passage = Passage { from, to, life, ordinal, at, lane: message.lane(), size };
            self.transmit_roughly(draw, passage, message, blob, watch);
        }
    }

    /// The size of a frame, where it matters.
    #[cold]
    fn size(&self, from: NodeId, to: NodeId, message: &P::Message, blob: Option<&Blob>) -> u64 {
        if self.network.measures_size(from, to) {
            message.size() + frame::HEADER_SIZE as u64 + blob.map_or(0, Blob::length)
        } else {
            0
        }
    }

    #[cold]
    fn transmit_roughly(
        &mut self,
        draw: u64,
        passage: Passage,
        message: P::Message,
        blob: Option<Blob>,
        watch: &mut impl Watch<P>,
    ) {
        match self.network.send(self.keys.roll(Purpose::Network), draw, passage) {
            Ok(fate) => self.push_packed(passage, fate, message, blob),
            Err(why) => self.drop_message(passage.from, passage.to, why, watch),
        }
    }

    /// A message comes once or twice, perhaps damaged, perhaps with a blob.
    fn push_packed(&mut self, passage: Passage, fate: Fate, message: P::Message, blob: Option<Blob>) {
        let Passage { from, to, at, .. } = passage;
        if let Some(delay) = fate.again {
            self.traffic.duplicated += 1;
            let body = self.packed(&passage, message.clone(), blob.clone(), false);
            self.push(at.saturating_add(delay), to, from.0, body);
        }
        let body = self.packed(&passage, message, blob, fate.is_damaged);
        self.push(at.saturating_add(fate.delay), to, from.0, body);
    }

    /// A message as it travels: encoded in wire mode. What carries frames finds any damage to them, so that nothing arrives
    /// of one that is damaged but an empty frame, which the codec refuses.
    fn packed(
        &self,
        passage: &Passage,
        message: P::Message,
        blob: Option<Blob>,
        is_damaged: bool,
    ) -> Body<P> {
        if !is_damaged && !self.modes.is_wire {
            return match blob {
                None => Body::Message { message },
                Some(blob) => Body::Other(Box::new(Other::MessageWithBlob { message, blob })),
            };
        }
        let header = frame::Header {
            protocol: 0,
            life: self.slots[passage.from.0 as usize].life(),
            ordinal: passage.ordinal,
        };
        let mut bytes = Vec::new();
        if !is_damaged {
            // What cannot be framed leaves nothing, either.
            let _ = frame::encode(header, &message, &mut bytes);
        }
        Body::Other(Box::new(Other::Frame { bytes, blob }))
    }

    pub(super) fn disk(&mut self, node: NodeId) -> &mut crate::disk::Disk<P::Record> {
        self.rare(node).disk.get_or_insert_default()
    }

    /// Appends to the log. False if the disk refused it; the node is told before it takes anything else.
    fn persist(&mut self, node: NodeId, tag: Tag, record: P::Record) -> bool {
        let setup = self.setup.clone();
        let measures = setup.disk.capacity.is_some() || setup.disk.throughput.is_some();
        let bytes = if measures { record_size(&record) } else { 0 };
        let (now, life) = (self.now, self.slots[node.0 as usize].life);
        let disk = self.disk(node);
        if !disk.has_room(bytes, &setup.disk) {
            self.rare(node).held.refused = true;
            self.other(now, node, Other::Full { life, record });
            return false;
        }
        disk.append(tag, record, bytes);
        disk.busy_until = disk.free_at(now).saturating_add(setup.disk.transfer(bytes));
        self.commit_if_instant(node);
        true
    }

    fn commit_if_instant(&mut self, node: NodeId) {
        let is_instant = self.setup.disk.is_instant();
        let measures = self.setup.disk.capacity.is_some();
        let now = self.now;
        let disk = self.disk(node);
        // A stalled disk is not instant, whatever its model.
        if is_instant && disk.stalled_until <= now && !disk.fails_next && disk.syncing.is_none() {
            disk.commit(disk.written, measures);
        }
    }

    /// Begins a sync of all that was written, unless one runs or there is nothing.
    pub(super) fn begin_sync(&mut self, node: NodeId) {
        let disk = self.rare_of(node).and_then(|rare| rare.disk.as_ref());
        if !disk.is_some_and(|disk| disk.has_unsynced() && disk.syncing.is_none()) {
            return;
        }
        let model = self.setup.clone();
        let (now, life) = (self.now, self.slots[node.0 as usize].life);
        let roll = self.keys.roll(Purpose::Disk).clone();
        let rare = self.rare(node);
        let disk = rare.disk.get_or_insert_default();
        disk.operations += 1;
        let draw = roll.at(u64::from(node.0), disk.operations);
        let write = model.disk.write.as_ref().map_or(0, |law| law.draw(draw));
        let sync = model.disk.sync.as_ref().map_or(0, |law| law.draw(roll.next(draw)));
        let fails = disk.fails_next || roll.next(!draw) < model.disk.sync_error;
        disk.fails_next = false;
        disk.busy_until = disk.free_at(now).saturating_add(write).saturating_add(sync);
        let (done, upto) = (disk.busy_until, disk.written);
        disk.syncing = Some(upto);
        rare.held.syncing = model.disk.is_blocking;
        self.other(done, node, Other::Disk { life, done: Done::Sync { upto, fails } });
    }

    fn store_blob(&mut self, node: NodeId, tag: Tag, blob: Blob) {
        let setup = self.setup.clone();
        let life = self.slots[node.0 as usize].life;
        let id = blob.id();
        let disk = self.disk(node);
        let more = if disk.blobs.contains_key(&id) { 0 } else { blob.length() };
        if !disk.has_room(more, &setup.disk) {
            let news = BlobInput::Refused { tag, id };
            return self.other(self.now, node, Other::Blob { life, news });
        }
        let done = Done::Store { tag, id, write: self.disk(node).put_blob(&blob) };
        let at = self.device(node, blob.length(), true);
        self.other(at, node, Other::Disk { life, done });
    }

    fn load_blob(&mut self, node: NodeId, tag: Tag, id: BlobId) {
        let life = self.slots[node.0 as usize].life;
        let (news, length) = match self.disk(node).blobs.get(&id) {
            None => (BlobInput::Missing { tag, id }, 0),
            Some(stored) if stored.is_damaged => (BlobInput::Damaged { tag, id }, stored.blob.length()),
            Some(stored) => (BlobInput::Loaded { tag, blob: stored.blob.clone() }, stored.blob.length()),
        };
        let at = self.device(node, length, false);
        self.other(at, node, Other::Disk { life, done: Done::Load(news) });
    }

    /// The disk has done what it was asked, which shows once no stall holds it back.
    pub(super) fn disk_did(&mut self, node: NodeId, done: Done, watch: &mut impl Watch<P>) {
        let now = self.now;
        let disk = self.disk(node);
        if disk.stalled_until > now || !disk.stalled.is_empty() {
            return disk.stalled.push(done);
        }
        self.finish_operation(node, done, watch);
    }

    /// A stall is over, unless another one lasts longer.
    pub(super) fn unstall(&mut self, node: NodeId, watch: &mut impl Watch<P>) {
        let now = self.now;
        let disk = self.disk(node);
        if disk.stalled_until > now {
            return;
        }
        for done in std::mem::take(&mut disk.stalled) {
            if self.slots[node.0 as usize].is_up {
                self.finish_operation(node, done, watch);
            }
        }
    }

    fn finish_operation(&mut self, node: NodeId, done: Done, watch: &mut impl Watch<P>) {
        let news = match done {
            Done::Sync { upto, fails } => return self.synced(node, upto, fails, watch),
            Done::Store { tag, id, write } => {
                self.disk(node).keep_blob(id, write);
                BlobInput::Stored { tag, id }
            }
            Done::Load(news) => news,
        };
        // An input like any other: it waits if the node is held.
        let life = self.slots[node.0 as usize].life;
        self.other(self.now, node, Other::Blob { life, news });
    }

    /// Uses the disk for so many bytes; gives the time at which it is done.
    fn device(&mut self, node: NodeId, bytes: u64, syncs: bool) -> u64 {
        let setup = self.setup.clone();
        let now = self.now;
        let roll = self.keys.roll(Purpose::Disk).clone();
        let disk = self.disk(node);
        disk.operations += 1;
        let draw = roll.at(u64::from(node.0), disk.operations);
        let write = setup.disk.write.as_ref().map_or(0, |law| law.draw(draw));
        let sync = setup.disk.sync.as_ref().filter(|_| syncs).map_or(0, |law| law.draw(roll.next(draw)));
        let span = write.saturating_add(sync).saturating_add(setup.disk.transfer(bytes));
        disk.busy_until = disk.free_at(now).saturating_add(span);
        disk.busy_until
    }
}
