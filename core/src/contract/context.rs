//! What a step can see and do.

use std::collections::VecDeque;
use std::ops::Range;

use super::{Blob, BlobId, CommandId, Dice, Duration, Effect, EffectOf, NodeId, Protocol, Tag, Time};

/// What a step can see and do: nothing else exists for a protocol.
#[derive(Debug)]
pub struct Context<'a, P: Protocol> {
    /// This node's steady clock: arbitrary origin in each life, running at this node's own rate.
    pub now: Time,
    /// This node's wall clock in nanoseconds since 1970, which may be wrong.
    pub wall: Time,
    /// This node.
    pub me: NodeId,
    /// The draws of this step.
    pub dice: Dice<'a>,
    effects: &'a mut VecDeque<EffectOf<P>>,
}

impl<'a, P: Protocol> Context<'a, P> {
    /// The context of one step; its effects are appended to `effects`, a queue that drivers reuse.
    #[inline]
    pub fn new(
        now: Time,
        wall: Time,
        me: NodeId,
        dice: Dice<'a>,
        effects: &'a mut VecDeque<EffectOf<P>>,
    ) -> Self {
        Self { now, wall, me, dice, effects }
    }

    /// Sends once every record persisted so far is on disk: the safe default.
    #[inline]
    pub fn send(&mut self, to: NodeId, message: P::Message) {
        self.room().push_back(Effect::Send { to, durable: true, message, blob: None });
    }

    /// Sends a blob beside a message, once every record persisted so far is on disk.
    #[inline]
    pub fn send_blob(&mut self, to: NodeId, message: P::Message, blob: Blob) {
        self.room().push_back(Effect::Send { to, durable: true, message, blob: Some(blob) });
    }

    /// Sends without waiting for the disk: for what promises nothing, such as heartbeats.
    #[inline]
    pub fn send_now(&mut self, to: NodeId, message: P::Message) {
        self.room().push_back(Effect::Send { to, durable: false, message, blob: None });
    }

    /// Appends to the node's log.
    #[inline]
    pub fn persist(&mut self, record: P::Record) {
        self.room().push_back(Effect::Persist { tag: Tag(0), record });
    }

    /// Replaces the node's log by a shorter one.
    #[inline]
    pub fn checkpoint(&mut self, records: Vec<P::Record>) {
        self.room().push_back(Effect::Checkpoint { tag: Tag(0), records });
    }

    /// Answers a command once every record persisted so far is on disk.
    #[inline]
    pub fn reply(&mut self, id: CommandId, reply: P::Reply) {
        self.room().push_back(Effect::Reply { id, durable: true, reply });
    }

    /// Answers a command without waiting for the disk: for what promises nothing.
    #[inline]
    pub fn reply_now(&mut self, id: CommandId, reply: P::Reply) {
        self.room().push_back(Effect::Reply { id, durable: false, reply });
    }

    /// Sets a timer to run out after this time by the node's own clock; a set one is replaced.
    #[inline]
    pub fn set(&mut self, timer: P::Timer, after: Duration) {
        self.room().push_back(Effect::SetTimer { timer, after });
    }

    /// Sets a timer to a time drawn from `range`.
    #[inline]
    pub fn set_within(&mut self, timer: P::Timer, range: Range<Duration>) {
        let after = self.dice.within(range);
        self.set(timer, after);
    }

    /// Forgets a timer.
    #[inline]
    pub fn cancel(&mut self, timer: P::Timer) {
        self.room().push_back(Effect::CancelTimer { timer });
    }

    /// Tells whoever embeds or observes this node.
    #[inline]
    pub fn notify(&mut self, notice: P::Notice) {
        self.room().push_back(Effect::Notify { notice });
    }

    /// Stores a blob under its content address.
    #[inline]
    pub fn store(&mut self, blob: Blob) {
        self.room().push_back(Effect::StoreBlob { tag: Tag(0), blob });
    }

    /// Asks for a stored blob.
    #[inline]
    pub fn load(&mut self, id: BlobId) {
        self.room().push_back(Effect::LoadBlob { tag: Tag(0), id });
    }

    /// Deletes a stored blob.
    #[inline]
    pub fn drop_blob(&mut self, id: BlobId) {
        self.room().push_back(Effect::DropBlob { id });
    }

    /// Runs a job outside the step.
    #[inline]
    pub fn run(&mut self, job: P::Job) {
        self.room().push_back(Effect::Run { job });
    }

    /// Runs an embedded protocol. Its messages, timers, records, blobs and jobs become this node's, in order; its
    /// notices and replies come back.
    pub fn embed<C: Protocol>(&mut self, slot: P::Slot, run: impl FnOnce(&mut Context<'_, C>)) -> Lifted<C>
    where
        P: Embeds<C>,
    {
        let mut inner = VecDeque::new();
        let mut cx = Context {
            now: self.now,
            wall: self.wall,
            me: self.me,
            dice: self.dice.clone(),
            effects: &mut inner,
        };
        run(&mut cx);
        self.dice.drawn = cx.dice.drawn;
        let mut lifted = Lifted { notices: Vec::new(), replies: Vec::new() };
        for effect in inner {
            if let Some(effect) = lift::<P, C>(slot, effect, &mut lifted) {
                self.room().push_back(effect);
            }
        }
        lifted
    }

    /// The effects, with room for one more: so that it is written in place. A queue that could still grow would have it
    /// built elsewhere and copied, and a processor waits long for a copy of what was just written.
    #[inline]
    fn room(&mut self) -> &mut VecDeque<EffectOf<P>> {
        // Not `if`: after the loop, the compiler knows.
        while self.effects.len() == self.effects.capacity() {
            self.grow();
        }
        self.effects
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        self.effects.reserve(16);
    }
}

/// What an embedded protocol says to the one that embeds it.
#[derive(Debug)]
pub struct Lifted<C: Protocol> {
    /// In the order given.
    pub notices: Vec<C::Notice>,
    /// Each with its command and whether it must wait for the disk.
    pub replies: Vec<(CommandId, bool, C::Reply)>,
}

/// Says how the data of an embedded protocol is carried by the one that embeds it. The same protocol can sit in
/// several slots.
pub trait Embeds<C: Protocol>: Protocol {
    /// Tells apart the places in which `C` is embedded.
    type Slot: Copy;
    /// Wraps a message; the outer step unwraps it.
    fn message(slot: Self::Slot, message: C::Message) -> Self::Message;
    /// Wraps a timer key.
    fn timer(slot: Self::Slot, timer: C::Timer) -> Self::Timer;
    /// Wraps a record.
    fn record(slot: Self::Slot, record: C::Record) -> Self::Record;
    /// Wraps a job.
    fn job(slot: Self::Slot, job: C::Job) -> Self::Job;
    /// The tag for the records and blobs of this slot: never zero, and different for every (slot, inner tag).
    fn tag(slot: Self::Slot, tag: Tag) -> Tag;
}

fn lift<P: Embeds<C>, C: Protocol>(
    slot: P::Slot,
    effect: EffectOf<C>,
    lifted: &mut Lifted<C>,
) -> Option<EffectOf<P>> {
    Some(match effect {
        Effect::Send { to, durable, message, blob } => {
            Effect::Send { to, durable, message: P::message(slot, message), blob }
        }
        Effect::SetTimer { timer, after } => Effect::SetTimer { timer: P::timer(slot, timer), after },
        Effect::CancelTimer { timer } => Effect::CancelTimer { timer: P::timer(slot, timer) },
        Effect::Persist { tag, record } => {
            Effect::Persist { tag: P::tag(slot, tag), record: P::record(slot, record) }
        }
        Effect::Checkpoint { tag, records } => Effect::Checkpoint {
            tag: P::tag(slot, tag),
            records: records.into_iter().map(|record| P::record(slot, record)).collect(),
        },
        Effect::Reply { id, durable, reply } => {
            lifted.replies.push((id, durable, reply));
            return None;
        }
        Effect::Notify { notice } => {
            lifted.notices.push(notice);
            return None;
        }
        Effect::StoreBlob { tag, blob } => Effect::StoreBlob { tag: P::tag(slot, tag), blob },
        Effect::LoadBlob { tag, id } => Effect::LoadBlob { tag: P::tag(slot, tag), id },
        Effect::DropBlob { id } => Effect::DropBlob { id },
        Effect::Run { job } => Effect::Run { job: P::job(slot, job) },
    })
}
