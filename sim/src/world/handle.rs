//! An event comes up: it is handed to its node, or the node is found to be down, held, or gone.

use seedbed_core::contract::{BlobInput, Context, Dice, Input, InputOf, NodeId, Protocol, Purpose, frame};

use super::{Body, Event, NOBODY, Other, World};
use crate::slot::Due;
use crate::watch::{Drop, Watch};

/// How many inputs may wait for a node that is held: what comes on top is lost.
const INBOX_MAX: usize = 1 << 16;

/// Says in the digest that a timer, not a message, came up.
const TIMER: u64 = 1 << 63;
/// And that it was something else.
const OTHER: u64 = 1 << 62;

impl<P: Protocol> World<P> {
    #[inline(always)]
    pub(super) fn handle(&mut self, event: Event<P>, watch: &mut impl Watch<P>) {
        let Event { to, source, body } = event;
        self.tally.events += 1;
        let slot = &self.slots[to.0 as usize];
        if slot.is_rare && self.rare_of(to).is_some_and(|rare| rare.held.any()) && self.must_queue(to, &body)
        {
            return self.enqueue(to, source, body, watch);
        }
        self.take(to, source, body, watch);
    }

    #[inline(always)]
    fn take(&mut self, to: NodeId, source: u32, body: Body<P>, watch: &mut impl Watch<P>) {
        let place = u64::from(to.0) << 32 | u64::from(source);
        match body {
            Body::Message { message } => {
                self.digest.fold(self.now, place);
                self.deliver(to, NodeId(source), message, None, watch);
            }
            Body::Timer { index } => self.timer(to, index, watch),
            Body::Other(other) => {
                self.digest.fold(self.now, place | OTHER);
                self.take_other(to, source, *other, watch);
            }
        }
    }

    #[inline(always)]
    fn deliver(
        &mut self,
        to: NodeId,
        from: NodeId,
        message: P::Message,
        blob: Option<seedbed_core::contract::Blob>,
        watch: &mut impl Watch<P>,
    ) {
        if !self.network.is_linked(from, to) {
            return self.drop_message(from, to, Drop::Cut, watch);
        }
        if !self.slots[to.0 as usize].is_up {
            return self.drop_message(from, to, Drop::Down, watch);
        }
        self.traffic.delivered += 1;
        if self.modes.is_audit {
            self.digest.encode(&message);
        }
        watch.delivered(self, from, to, &message);
        self.step(to, Input::Message { from, message, blob }, watch);
    }

    pub(super) fn drop_message(&mut self, from: NodeId, to: NodeId, why: Drop, watch: &mut impl Watch<P>) {
        self.traffic.count(why);
        watch.dropped(self, from, to, why);
    }

    #[inline]
    fn timer(&mut self, node: NodeId, index: u32, watch: &mut impl Watch<P>) {
        let now = self.now;
        let slot = self.slot(node);
        let due = slot.timers.due(index, now);
        self.fire(node, index, due, watch);
    }

    #[inline]
    fn fire(&mut self, node: NodeId, index: u32, due: Due<P::Timer>, watch: &mut impl Watch<P>) {
        match due {
            Due::Fire(timer) => {
                self.digest.fold(self.now ^ TIMER, u64::from(node.0) << 32 | u64::from(index));
                watch.timer(self, node, &timer);
                self.step(node, Input::Timer { timer }, watch);
            }
            Due::Later(at) => self.push(at, node, NOBODY, Body::Timer { index }),
            Due::Stale => {}
        }
    }

    /// One step of a node, and its effects.
    #[inline(always)]
    pub(super) fn step(&mut self, node: NodeId, input: InputOf<P>, watch: &mut impl Watch<P>) {
        let (now, wall) = self.clocks(node);
        let mut effects = std::mem::take(&mut self.effects);
        let slot = &mut self.slots[node.0 as usize];
        let number = slot.steps;
        slot.steps += 1;
        let dice = Dice::new(&self.keys, node, slot.life(), number);
        slot.state.step(input, &mut Context::new(now, wall, node, dice, &mut effects));
        self.tally.steps += 1;
        let cost = if self.modes.steps_cost { self.step_cost(node, number) } else { 0 };
        self.carry_out(node, number, cost, &mut effects, watch);
        self.effects = effects;
    }

    #[cold]
    fn step_cost(&self, node: NodeId, step: u64) -> u64 {
        let place = u64::from(node.0) << 32 | u64::from(self.slots[node.0 as usize].life);
        self.setup.step_cost.as_ref().map_or(0, |law| law.draw(self.keys.roll(Purpose::Cpu).at(place, step)))
    }

    #[cold]
    fn take_other(&mut self, to: NodeId, source: u32, other: Other<P>, watch: &mut impl Watch<P>) {
        let slot = &self.slots[to.0 as usize];
        let (is_up, now_life) = (slot.is_up, slot.life);
        match other {
            Other::MessageWithBlob { message, blob } => {
                self.deliver(to, NodeId(source), message, Some(blob), watch);
            }
            Other::Frame { bytes, blob } => match frame::decode(&bytes) {
                Ok((_, message, _)) => self.deliver(to, NodeId(source), message, blob, watch),
                Err(_) => self.drop_message(NodeId(source), to, Drop::Damaged, watch),
            },
            Other::Start => self.begin_life(to, watch),
            Other::Command { id, .. } if !is_up => watch.refused(self, to, id),
            Other::Command { id, command } => {
                watch.command(self, to, id, &command);
                self.step(to, Input::Command { id, command }, watch);
            }
            Other::Members(_) | Other::Link { .. } if !is_up => {}
            Other::Members(members) => self.step(to, Input::Members(members), watch),
            Other::Link { peer, up } => self.step(to, Input::Link { peer, up }, watch),
            Other::Synced { life, upto, fails } if life == now_life => self.synced(to, upto, fails, watch),
            Other::Blob { life, news } if is_up && life == now_life => {
                self.step(to, Input::Blob(news), watch)
            }
            Other::Written { life, tag, blob } if is_up && life == now_life => {
                let id = blob.id();
                self.rare(to).disk.get_or_insert_default().put_blob(blob);
                self.step(to, Input::Blob(BlobInput::Stored { tag, id }), watch);
            }
            Other::Full { life, record } if is_up && life == now_life => {
                self.step(to, Input::Full { record }, watch);
            }
            Other::Ran { life, job } if is_up && life == now_life => self.ran(to, job, watch),
            Other::Idle { life } if life == now_life => {
                self.rare(to).held.computing = false;
                self.release(to, watch);
            }
            // It belonged to a life that is over.
            Other::Synced { .. }
            | Other::Blob { .. }
            | Other::Written { .. }
            | Other::Full { .. }
            | Other::Ran { .. }
            | Other::Idle { .. } => {}
        }
    }

    fn ran(&mut self, node: NodeId, job: P::Job, watch: &mut impl Watch<P>) {
        let perform = self.services.perform;
        let config = self.config.clone();
        let disk = self.rare(node).disk.get_or_insert_default();
        if let Some(outcome) = perform(&config, &job, disk) {
            self.step(node, Input::Ran { job, outcome }, watch);
        }
    }

    /// Whether a held node must let this wait. What frees it, or comes from its own disk or CPU, does not.
    #[cold]
    fn must_queue(&self, to: NodeId, body: &Body<P>) -> bool {
        let Body::Other(other) = body else { return true };
        match **other {
            Other::Start | Other::Idle { .. } => false,
            // The device works on while its node stands still.
            Other::Synced { .. } => self.rare_of(to).is_some_and(|rare| rare.held.paused),
            _ => true,
        }
    }

    #[cold]
    fn enqueue(&mut self, to: NodeId, source: u32, body: Body<P>, watch: &mut impl Watch<P>) {
        let now = self.now;
        // A timer's entry has come up: from here on the inbox holds it.
        let body = match body {
            Body::Timer { index } => match self.slot(to).timers.due(index, now) {
                Due::Fire(_) => {
                    self.slot(to).timers.wait(index, now);
                    Body::Timer { index }
                }
                Due::Later(at) => return self.push(at, to, NOBODY, Body::Timer { index }),
                Due::Stale => return,
            },
            other => other,
        };
        let rare = self.rare(to);
        if rare.inbox.len() < INBOX_MAX {
            rare.inbox.push_back((source, body));
        } else if source != NOBODY {
            self.drop_message(NodeId(source), to, Drop::Down, watch);
        }
    }

    /// Takes what waited for a node, as long as nothing holds it.
    #[cold]
    pub(super) fn release(&mut self, node: NodeId, watch: &mut impl Watch<P>) {
        while let Some((source, body)) = {
            let rare = self.rare(node);
            if rare.held.any() { None } else { rare.inbox.pop_front() }
        } {
            match body {
                Body::Timer { index } => {
                    let now = self.now;
                    let due = self.slot(node).timers.check(index, now);
                    self.fire(node, index, due, watch);
                }
                other => self.take(node, source, other, watch),
            }
        }
    }
}
